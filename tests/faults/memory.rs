//! Memory does not grow with what is carried.

use std::path::Path;
use std::process::Command;

use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::{Content, LayerSpec};
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::under;
use crate::rig::need;
use crate::rig::world::{Ran, World};

const LAYER: u64 = 256 << 20;
/// In KiB, as time(1) counts; of an unoptimised build.
const MOST: u64 = 64 << 10;

fn peak(time: &Path, world: &World, command: &Command) -> u64 {
    let file = world.root.join("peak");
    Ran::of(under(time, &["-q", "-f", "%M", "-o", file.to_str().unwrap()], command)).code(0);
    std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

#[test]
fn a_large_layer_passes_through_little_memory() {
    let Some(time) = need("time") else { return };
    let Some(world) = World::start() else { return };
    let large = world.root.join("large");
    std::fs::File::create(&large).unwrap().set_len(LAYER).unwrap();
    world.push(|layout, host| {
        let file = ("data/large".to_owned(), Content::Copy(large.clone()), 0o644);
        let layer = LayerSpec { files: vec![file], compression: Compression::None };
        layout.image(&format!("{host}/team/large:1"), &ImageSpec::new(vec![layer])).unwrap()
    });
    let mut pack = world.command();
    pack.args(["pack", "--no-tool", "--to"]).arg(world.medium()).arg(world.reference("team/large:1"));
    let packed = peak(&time, &world, &pack);
    let bundle = world.medium().join("bundle-1");
    let mut verify = world.command();
    verify.arg("verify").arg(&bundle);
    let verified = peak(&time, &world, &verify);
    let mut import = world.command();
    import
        .arg("import")
        .arg(&bundle)
        .arg("--into")
        .arg(format!("oci:{}", world.root.join("layout").display()));
    let imported = peak(&time, &world, &import);
    assert!(packed < MOST && verified < MOST && imported < MOST, "KiB: {packed}, {verified}, {imported}");
}
