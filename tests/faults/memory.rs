//! Memory does not grow with what is carried.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::{Content, LayerSpec};
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::under;
use crate::rig::containerd::{Containerd, Line};
use crate::rig::world::{Ran, World};
use crate::rig::{need, need_root, wait_until};

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
    into_a_store(&time, &world, &bundle);
}

/// What writes into the store of a node is a program of its own: its memory is told, and that of airlift beside it held.
fn into_a_store(time: &Path, world: &World, bundle: &Path) {
    let Some(skopeo) = need("skopeo").filter(|_| need_root()) else { return };
    let file = world.root.join("peak-of-skopeo");
    let script = format!("#!/bin/sh\nexec {time:?} -q -a -f %M -o {file:?} {skopeo:?} \"$@\"\n");
    let program = world.root.write("wrapped/skopeo", &script);
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let (store, run) = (world.root.join("default"), world.root.join("default-run"));
    let conf = format!("[storage]\ndriver = \"overlay\"\ngraphroot = {store:?}\nrunroot = {run:?}\n");
    let conf =
        world.root.write("storage.conf", conf + "[storage.options.overlay]\nskip_mount_home = \"true\"\n");
    let path = std::env::var("PATH").unwrap();
    let mut import = world.command();
    import.arg("import").arg(bundle).args(["--into", "containers-storage"]);
    import.env("PATH", format!("{}:{path}", program.parent().unwrap().display()));
    import.env("CONTAINERS_STORAGE_CONF", conf).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = import.spawn().unwrap();
    let (mut most, mut ended) = (0, None);
    wait_until("the import into the store ends", || {
        most = own_peak(child.id()).unwrap_or_default().max(most);
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    let others = std::fs::read_to_string(&file).unwrap();
    let others = others.lines().filter_map(|line| line.parse::<u64>().ok()).max();
    eprintln!("into a store: {most} KiB, and skopeo {others:?} KiB beside it");
    assert!(ended.is_some_and(|ended| ended.success()) && most > 0 && most < MOST, "{ended:?}: {most} KiB");
}

/// The most memory that a process had until now, in KiB.
fn own_peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
