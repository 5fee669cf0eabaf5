//! Memory does not grow with what is carried.

use std::path::Path;
use std::process::Command;

use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::{Content, LayerSpec};
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::under;
use crate::rig::containerd::{Containerd, Line};
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
    assert!(packed < MOST && verified < MOST, "KiB: {packed}, {verified}");
    let path = |name: &str| world.root.join(name).display().to_string();
    std::fs::create_dir(world.root.join("images")).unwrap();
    // A runtime's own memory is its own matter.
    let containerds: Vec<_> = Line::ALL.into_iter().filter_map(Containerd::with_cri).collect();
    let targets = [format!("oci:{}", path("layout")), format!("k3s:{}", path("images"))];
    for target in targets.into_iter().chain(containerds.iter().map(Containerd::target)) {
        let mut import = world.command();
        import.arg("import").arg(&bundle).args(["--into", &target]);
        let imported = peak(&time, &world, &import);
        assert!(imported < MOST, "{target}: {imported} KiB");
    }
}
