//! Power cuts: whatever was reported as done is on the device, on file systems that lose everything not yet flushed.

use std::process::Command;

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::{Mount, unfinished};
use crate::rig::need;
use crate::rig::world::World;

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
    let Some(medium) = Mount::image(&world.medium(), kind, mebibytes) else { return };
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
