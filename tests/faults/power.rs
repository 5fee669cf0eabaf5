//! Power cuts: whatever was reported as done is on the device, on file systems that lose everything not yet flushed.

use std::process::Command;

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::{Mount, strace, tampered, under, unfinished};
use crate::rig::need;
use crate::rig::world::{Ran, World};

/// Cuts the file system off: what is not on the device by now never will be.
fn cut(xfs_io: &std::path::Path, mount: &Mount) {
    let output = Command::new(xfs_io).args(["-x", "-c", "shutdown"]).arg(mount.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::write(mount.path().join("late"), "x").is_err(), "nothing can be written after the cut");
}

fn nothing_done_vanishes(kind: &str, mebibytes: u64) {
    let Some(xfs_io) = need("xfs_io") else { return };
    let Some(world) = World::start() else { return };
    world.push(|layout, host| {
        let layers = vec![LayerSpec::noise(1, 3_000_000), LayerSpec::text("a", "a")];
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap();
        layout.image(&format!("{host}/team/app:2"), &ImageSpec::small("two")).unwrap()
    });
    let Some(mut medium) = Mount::image(&world.medium(), kind, mebibytes) else { return };
    let first = world.packed(&["HOST/team/app:1"]);
    cut(&xfs_io, &medium);
    medium.again(kind);
    assert_eq!(unfinished(&first), Vec::<String>::new());
    world.verify(&first, &["--deep"]).code(0);
    // A second signature is committed in the same way, and so is a second bundle beside the first.
    let other = world.key("other");
    world.trust("other", &[]);
    world.run(["sign", first.to_str().unwrap(), "--key", other.to_str().unwrap()]).code(0);
    let second = world.packed(&["--max-file-size", "1MiB", "HOST/team/app:1", "HOST/team/app:2"]);
    cut(&xfs_io, &medium);
    medium.again(kind);
    world.verify(&first, &["--min-signatures", "2", "--allow-rollback"]).code(0);
    world.verify(&second, &["--deep"]).code(0);
}

#[test]
fn a_bundle_reported_as_done_survives_a_power_cut_on_ext4() {
    nothing_done_vanishes("ext4", 64);
}

#[test]
fn a_bundle_reported_as_done_survives_a_power_cut_on_xfs() {
    nothing_done_vanishes("xfs", 320);
}

#[test]
fn a_pack_cut_off_with_the_power_completes_from_whatever_the_device_kept() {
    let (Some(xfs_io), Some(strace)) = (need("xfs_io"), strace()) else { return };
    let Some(world) = World::start() else { return };
    world.push(|layout, host| {
        let layers = vec![LayerSpec::noise(1, 3_000_000), LayerSpec::noise(2, 500_000)];
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap()
    });
    let Some(mut medium) = Mount::image(&world.medium(), "ext4", 64) else { return };
    let bundle = world.medium().join("bundle-1");
    // With all layers there; before and after the document is written; with everything but the signature.
    for (call, path) in [
        ("rename", "oci-layout.tmp"),
        ("write", "airlift/manifest.json.tmp"),
        ("fsync", "airlift/manifest.json.tmp"),
        ("fsync", "airlift/signatures"),
    ] {
        let mut pack = world.command();
        pack.args(["pack", "--no-tool", "--to"]).arg(world.medium()).arg(world.reference("team/app:1"));
        let killed =
            tampered(&strace, (call, &bundle.join(path)), "signal=KILL", &world.root.join("log"), &pack);
        assert_eq!(Ran::of(killed).exit, None, "{call} {path}");
        cut(&xfs_io, &medium);
        medium.again("ext4");
        assert_ne!(world.verify(&bundle, &[]).exit, Some(0), "{call} {path}");
        assert_eq!(world.packed(&["HOST/team/app:1"]), bundle, "{call} {path}");
        assert_eq!(unfinished(&world.medium()), Vec::<String>::new(), "{call} {path}");
        let seen = world.root.join(format!("{call}-{}", path.replace('/', "-")));
        world.verify(&bundle, &["--deep", "--state", seen.to_str().unwrap()]).code(0);
        std::fs::remove_dir_all(&bundle).unwrap();
        std::fs::remove_dir_all(world.root.join("home/.local/share/airlift/state")).unwrap_or(());
    }
}

#[test]
fn the_directories_made_for_a_bundle_are_durable_as_well() {
    let Some(strace) = strace() else { return };
    let Some(world) = World::start() else { return };
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    let mut pack = world.command();
    pack.args(["pack", "--no-tool", "--to", "medium"]).arg(world.reference("team/app:1"));
    let log = world.root.join("log");
    Ran::of(under(&strace, &["-f", "-y", "-e", "trace=fsync", "-o", log.to_str().unwrap()], &pack)).code(0);
    let log = std::fs::read_to_string(log).unwrap();
    for directory in ["medium", "medium/bundle-1", "medium/bundle-1/blobs/sha256"] {
        let synced = format!("{}>) = 0", world.root.join(directory).display());
        assert!(log.contains(&synced), "{directory} is not in {log}");
    }
}
