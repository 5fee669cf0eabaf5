//! Imports into an images directory that are killed or run out of room: k3s never sees half an archive, the next run completes.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::domain::k3s::is_read;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::machine::{Mount, files_below, strace, tampered};
use crate::rig::world::{Ran, World, copy_tree};

const ARCHIVE: &str = "airlift-bundle-00000001.tar";

fn packed() -> Option<(World, PathBuf)> {
    let world = World::start()?;
    world.push(|layout, host| {
        let layers = vec![LayerSpec::noise(1, 1_500_000), LayerSpec::noise(2, 400_000)];
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap()
    });
    let bundle = world.packed(&["HOST/team/app:1"]);
    Some((world, bundle))
}

fn import(world: &World, bundle: &Path, dir: &Path) -> Command {
    let mut command = world.command();
    command.arg("import").arg(bundle).arg("--into").arg(format!("k3s:{}", dir.display()));
    command
}

/// What lies in the directory, and what of it k3s reads.
fn seen(dir: &Path) -> (Vec<String>, Vec<String>) {
    let entries = fs::read_dir(dir).unwrap();
    let mut all: Vec<String> = entries.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    let read = all.iter().filter(|name| is_read(name)).cloned().collect();
    (all, read)
}

#[test]
fn r09_an_import_that_is_killed_leaves_nothing_that_k3s_reads_and_the_next_one_completes() {
    let (Some(strace), Some((world, bundle))) = (strace(), packed()) else { return };
    let whole = world.root.join("whole");
    fs::create_dir(&whole).unwrap();
    Ran::of(import(&world, &bundle, &whole)).code(0);
    let whole = fs::read(whole.join(ARCHIVE)).unwrap();
    for (call, when) in [("write", "1"), ("write", "4"), ("write", "6"), ("fsync", "1"), ("rename", "1")] {
        let dir = world.root.join(format!("{call}-{when}"));
        fs::create_dir(&dir).unwrap();
        let temp = dir.canonicalize().unwrap().join(format!("{ARCHIVE}.airlift-tmp"));
        let log = world.root.join("log");
        let what = format!("signal=KILL:when={when}");
        let output =
            tampered(&strace, (call, &temp), &what, &log, &import(&world, &bundle, &dir)).output().unwrap();
        assert_eq!(
            output.status.signal(),
            Some(9),
            "{call} {when}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (all, read) = seen(&dir);
        assert_eq!(read, Vec::<String>::new(), "{call} {when}: {all:?}");
        if call == "fsync" {
            taken_back(&world, &dir, &temp);
        }
        Ran::of(import(&world, &bundle, &dir)).code(0);
        assert_eq!(seen(&dir).0, [ARCHIVE], "{call} {when}");
        assert!(fs::read(dir.join(ARCHIVE)).unwrap() == whole, "{call} {when}");
    }
}

/// Undo removes the archive that was not finished, and says so before.
fn taken_back(world: &World, dir: &Path, temp: &Path) {
    let what = format!("{}, which was not finished", dir.join(temp.file_name().unwrap()).display());
    let dry = world.run(["undo", "--dry-run"]).code(0).stdout;
    assert!(dry.contains(&format!("would be removed: {what}")) && temp.exists(), "{dry}");
    let undone = world.run(["undo"]).code(0).stdout;
    assert!(undone.contains(&format!("removed: {what}")), "{undone}");
    assert_eq!(seen(dir).0, Vec::<String>::new());
}

#[test]
fn r14_a_layer_that_changed_on_the_medium_gives_no_archive_and_a_good_medium_completes() {
    let Some((world, bundle)) = packed() else { return };
    let (dir, bad) = (world.root.join("images"), world.root.join("bad"));
    fs::create_dir(&dir).unwrap();
    copy_tree(&bundle, &bad);
    let blobs = files_below(&bad.join("blobs")).into_iter().map(|blob| bad.join("blobs").join(blob));
    let layer = blobs.max_by_key(|blob| blob.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(&layer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&layer, bytes).unwrap();
    let ran = Ran::of(import(&world, &bad, &dir)).code(10);
    let name = layer.file_name().unwrap().to_str().unwrap();
    assert!(ran.said().contains("hash to") && ran.said().contains(name), "{}", ran.said());
    assert_eq!(seen(&dir).0, Vec::<String>::new(), "no archive, and nothing of one");
    Ran::of(import(&world, &bundle, &dir)).code(0);
    assert_eq!(seen(&dir).0, [ARCHIVE]);
    // What is there already is not given up for a bad medium either.
    let whole = fs::read(dir.join(ARCHIVE)).unwrap();
    Ran::of(import(&world, &bad, &dir));
    assert_eq!(seen(&dir).0, [ARCHIVE]);
    assert!(fs::read(dir.join(ARCHIVE)).unwrap() == whole);
}

#[test]
fn r08_a_directory_without_room_is_refused_with_figures_and_left_as_it_was() {
    let Some((world, bundle)) = packed() else { return };
    let dir = world.root.join("images");
    let Some(mount) = Mount::tmpfs(&dir, "size=1m") else { return };
    for more in [&["--dry-run"][..], &[]] {
        let mut command = import(&world, &bundle, &dir);
        command.args(more);
        let ran = Ran::of(command).code(14);
        let said = ran.said();
        assert!(
            said.contains(" needs at least ")
                && said.contains(", its file system has ")
                && said.contains("nothing was written"),
            "{more:?}: {said}"
        );
    }
    assert_eq!(seen(&dir).0, Vec::<String>::new());
    mount.remount("size=16m");
    Ran::of(import(&world, &bundle, &dir)).code(0);
    assert_eq!(seen(&dir).0, [ARCHIVE]);
}

#[test]
fn a_directory_that_runs_full_on_the_way_is_said_and_swept() {
    let (Some(strace), Some((world, bundle))) = (strace(), packed()) else { return };
    for (call, what) in [("write", "error=ENOSPC:when=4"), ("fsync", "error=ENOSPC")] {
        let dir = world.root.join(call);
        fs::create_dir(&dir).unwrap();
        let temp = dir.canonicalize().unwrap().join(format!("{ARCHIVE}.airlift-tmp"));
        let log = world.root.join("log");
        let ran =
            Ran::of(tampered(&strace, (call, &temp), what, &log, &import(&world, &bundle, &dir))).code(14);
        assert!(ran.said().contains("none of the images is in it"), "{}", ran.said());
        assert!(!ran.said().contains("takes back"), "nothing is left to take back: {}", ran.said());
        assert_eq!(seen(&dir).0, Vec::<String>::new(), "{call}");
    }
}

#[test]
fn an_archive_that_does_not_read_back_as_it_was_written_never_takes_the_place_of_a_good_one() {
    let (Some(strace), Some(world)) = (strace(), World::start()) else { return };
    world.push(|layout, host| {
        for (seed, name) in [(1, "app"), (2, "other")] {
            let spec = ImageSpec::new(vec![LayerSpec::noise(seed, 400_000)]);
            layout.image(&format!("{host}/team/{name}:1"), &spec).unwrap();
        }
    });
    let bundle = world.packed(&["HOST/team/app:1", "HOST/team/other:1"]);
    let dir = world.root.join("images");
    fs::create_dir(&dir).unwrap();
    let mut first = import(&world, &bundle, &dir);
    first.args(["--only", &world.reference("team/app:1")]);
    Ran::of(first).code(0);
    let good = fs::read(dir.join(ARCHIVE)).unwrap();
    let temp = dir.canonicalize().unwrap().join(format!("{ARCHIVE}.airlift-tmp"));
    let log = world.root.join("log");
    // The kernel says that it took these bytes, and they are nowhere.
    let lost = tampered(&strace, ("write", &temp), "retval=512:when=2", &log, &import(&world, &bundle, &dir));
    let said = Ran::of(lost).code(13).said();
    for words in ["does not hold what was written for it", "reads back as", "what was there before stands"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(fs::read(dir.join(ARCHIVE)).unwrap() == good, "the one that was there stands");
    assert_eq!(seen(&dir).0, [ARCHIVE]);
    Ran::of(import(&world, &bundle, &dir)).code(0);
    assert!(fs::read(dir.join(ARCHIVE)).unwrap().len() > good.len());
}
