//! Import into a running containerd that goes wrong on the way: nothing half stays, the exit code says why, a second run completes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::world::{Ran, World};
use crate::rig::{need, wait_until};

/// Bytes of the large layers: enough to be caught in the middle of one.
const LARGE: u64 = 48 * 1024 * 1024;

pub(crate) struct Large {
    pub(crate) world: World,
    pub(crate) bundle: std::path::PathBuf,
}

/// A small image and a large one of two layers.
pub(crate) fn large() -> Option<Large> {
    let world = World::start()?;
    world.push(|layout, host| {
        layout.image(&format!("{host}/team/small:1"), &ImageSpec::small("small")).unwrap();
        let layers = vec![LayerSpec::noise(1, LARGE), LayerSpec::noise(2, LARGE)];
        layout.image(&format!("{host}/team/large:1"), &ImageSpec::new(layers)).unwrap();
    });
    let bundle = world.packed(&["HOST/team/small:1", "HOST/team/large:1"]);
    Some(Large { world, bundle })
}

impl Large {
    pub(crate) fn import(&self, containerd: &Containerd, more: &[&str]) -> Command {
        let mut command = self.world.command();
        command.arg("import").arg(&self.bundle).args(["--json", "--into", &containerd.target()]).args(more);
        command
    }

    /// Starts an import and waits until a large blob is on its way.
    pub(crate) fn caught(&self, containerd: &Containerd) -> std::process::Child {
        self.caught_with(containerd, &[])
    }

    fn caught_with(&self, containerd: &Containerd, more: &[&str]) -> std::process::Child {
        let mut command = self.import(containerd, &[&["--jobs", "1"], more].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let ingest = containerd.root().join("io.containerd.content.v1.content/ingest");
        wait_until("a large blob is on its way", || {
            let parts = std::fs::read_dir(&ingest).into_iter().flatten().flatten();
            parts
                .into_iter()
                .any(|part| part.path().join("data").metadata().is_ok_and(|data| data.len() > LARGE / 8))
        });
        child
    }

    /// That a run now brings everything and leaves nothing but that.
    pub(crate) fn completes(&self, containerd: &Containerd) -> Value {
        let report = Ran::of(self.import(containerd, &[])).code(0).report();
        assert!(containerd.list(&["content", "active"]).is_empty(), "no part of a blob is left");
        assert!(containerd.list(&["leases", "ls"]).is_empty(), "no lease is left");
        assert_eq!(names(containerd).len(), 4, "{:?}", names(containerd));
        let checked = succeeded(&containerd.ctr(&["images", "check"]).output().unwrap());
        assert!(!checked.contains("incomplete") && !checked.contains(" false"), "{checked}");
        report
    }
}

pub(crate) fn names(containerd: &Containerd) -> Vec<String> {
    let names = containerd.list(&["images", "ls", "-q"]);
    names.into_iter().filter(|name| !name.starts_with("sha256:")).collect()
}

#[test]
fn a_run_killed_in_the_middle_leaves_no_name_and_the_next_one_goes_on() {
    for line in Line::ALL {
        let (Some(containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        let mut child = large.caught(&containerd);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names(&containerd), Vec::<String>::new(), "{line:?}");
        large.completes(&containerd);
    }
}

#[test]
fn a_run_that_is_asked_to_stop_says_which_images_are_in_and_what_takes_them_back() {
    for line in Line::ALL {
        let (Some(containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        let (small, other) = (large.world.reference("team/small:1"), large.world.reference("team/large:1"));
        let mut child = large.caught(&containerd);
        // One is whole once it is unpacked.
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.lines().last().is_some_and(|line| line.contains(r#""done","phase":"unpack""#)) {
            assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{line:?}: {said}");
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        lines.read_to_string(&mut said).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130));
        said.push_str(&String::from_utf8_lossy(&ended.stderr));
        assert!(said.contains(&format!(": in it: {small}; not in it: {other}")), "{line:?}: {said}");
        assert!(said.contains("airlift undo 000001 takes back what was changed"), "{line:?}: {said}");
        assert!(said.contains(" takes back what was changed"), "{line:?}: {said}");
        large.world.run(["undo"]).code(0);
        assert_eq!(names(&containerd), Vec::<String>::new(), "{line:?}");
    }
}

#[test]
fn a_lease_of_an_earlier_boot_is_ended_as_what_it_kept_may_never_have_reached_the_disk() {
    let (Some(containerd), Some(large)) = (Containerd::with_cri(Line::One), large()) else { return };
    let lease = ["leases", "create", "--id", "airlift-old", "airlift/import=another", "airlift/boot=another"];
    succeeded(&containerd.ctr(&lease).output().unwrap());
    succeeded(&containerd.ctr(&["leases", "create", "--id", "of-somebody-else"]).output().unwrap());
    Ran::of(large.import(&containerd, &["--only", &large.world.reference("team/small:1")])).code(0);
    let left = containerd.list(&["leases", "ls"]);
    assert!(left.len() == 1 && left[0].starts_with("of-somebody-else"), "{left:?}");
}

#[test]
fn a_daemon_that_dies_in_the_middle_is_told_and_the_next_run_completes() {
    let all = Line::ALL.into_iter().flat_map(|line| [(line, &["--keep-going"][..]), (line, &[])]);
    for (line, more) in all {
        let (Some(mut containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        let child = large.caught_with(&containerd, more);
        containerd.kill();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(16), "{line:?}: {said}");
        let result: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let message = result["message"].as_str().unwrap();
        // What it was asked for then, not what could not be tidied up afterwards.
        assert!(message.contains("sock went away while asked to "), "{more:?}: {message}");
        for tidying in ["let go of what this run held", "forget sha256:"] {
            assert!(!message.contains(tidying), "{more:?}: {message}");
        }
        let hints = result["hints"].to_string();
        for words in [
            "see its journal (journalctl -u containerd), then run the same command again",
            "what this run wrote and did not name could not be removed again, as containerd does not answer",
            "the next import there goes on from it",
            "airlift undo 000001 ",
            " takes back what it left",
        ] {
            assert!(hints.contains(words), "{more:?}: {words}: {hints}");
        }
        containerd.start_again();
        assert_eq!(names(&containerd), Vec::<String>::new());
        if more.is_empty() {
            taken_back(&large, &containerd);
        }
        large.completes(&containerd);
    }
}

/// That undo knows of what a run left whose daemon died, and removes it.
fn taken_back(large: &Large, containerd: &Containerd) {
    assert!(!containerd.holdings().is_empty(), "it left something");
    let undo = |more: &[&str]| large.world.run([&["undo"], more].concat()).code(0).stdout;
    let listed = undo(&["--list"]);
    let row = format!("{}: what it had not finished; it failed", containerd.target());
    assert!(listed.contains(&row), "{listed}");
    let foreseen = undo(&["--dry-run"]);
    assert!(foreseen.contains("would be removed: lease airlift-"), "{foreseen}");
    let undone = undo(&["1"]);
    assert!(undone.contains("removed: lease airlift-"), "{undone}");
    assert_eq!(containerd.holdings(), Vec::<String>::new());
    assert_eq!(undo(&["--list"]).trim(), "");
}

#[test]
fn r14_a_layer_that_changed_after_its_verification_leaves_nothing_behind() {
    for line in Line::ALL {
        let (Some(containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        Ran::of(large.import(&containerd, &["--only", &large.world.reference("team/small:1")])).code(0);
        let before = containerd.holdings();
        flip(&large.bundle);
        let ran =
            Ran::of(large.import(&containerd, &["--only", &large.world.reference("team/large:1")])).code(10);
        assert!(ran.said().contains("hash to"), "{}", ran.said());
        assert_eq!(containerd.holdings(), before, "{line:?}: no name, no blob, no snapshot, no lease");
        Ran::of(large.import(&containerd, &["--keep-going"])).code(3);
        assert_eq!(names(&containerd).len(), 2, "the other image is there by tag and digest");
        let blobs = containerd.list(&["content", "ls", "-q"]);
        assert_eq!(blobs.len(), 3, "manifest, configuration and layer of the small one: {blobs:?}");
        assert!(containerd.list(&["content", "active"]).is_empty());
    }
}

/// Changes a byte near the end of the first large blob of a bundle.
fn flip(bundle: &Path) {
    use std::os::unix::fs::FileExt as _;
    let blobs = std::fs::read_dir(bundle.join("blobs/sha256")).unwrap();
    let mut large: Vec<_> = blobs
        .map(|blob| blob.unwrap().path())
        .filter(|path| path.metadata().unwrap().len() >= LARGE)
        .collect();
    large.sort();
    let file = std::fs::File::options().read(true).write(true).open(&large[0]).unwrap();
    let (at, mut byte) = (LARGE - 4096, [0]);
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
}

/// A file system of its own for a containerd's root; unmounted when dropped.
struct Small(std::path::PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_disk_that_fills_up_is_told_as_such_and_holds_no_half_image() {
    let (Some(mount), Some(world)) = (need("mount"), World::start()) else { return };
    world.push(|layout, host| {
        // Zeros: a few kilobytes on the medium, and no word there of how much they become.
        let zeros = vec![0; usize::try_from(LARGE).unwrap()];
        let path = world.root.write("zeros", zeros);
        let layer = LayerSpec::executable("zeros", &path).compressed(Compression::Zstd);
        layout.image(&format!("{host}/team/zeros:1"), &ImageSpec::new(vec![layer])).unwrap();
        let told = LayerSpec::executable("zeros", &path).compressed(Compression::Gzip);
        layout.image(&format!("{host}/team/told:1"), &ImageSpec::new(vec![told])).unwrap();
        let noise = vec![LayerSpec::noise(3, LARGE)];
        layout.image(&format!("{host}/team/noise:1"), &ImageSpec::new(noise)).unwrap();
    });
    for (line, image, words) in [
        (Line::One, "team/zeros:1", "no space left on device"),
        (Line::Two, "team/zeros:1", "no space left on device"),
        // How large it becomes is an estimate: that is said, and it is tried.
        (Line::One, "team/told:1", "may be too small"),
        (Line::One, "team/told:1", "no space left on device"),
        (Line::One, "team/noise:1", " needs at least "),
    ] {
        let mut small = None;
        let containerd = Containerd::with_cri_on(line, |root| {
            std::fs::create_dir(root).unwrap();
            let words = ["-t", "tmpfs", "-o", "size=32m", "airlift-small"];
            succeeded(&Command::new(&mount).args(words).arg(root).output().unwrap());
            small = Some(Small(root.to_owned()));
        });
        let Some(containerd) = containerd else { return };
        let bundle = world.packed(&[&format!("HOST/{image}")]);
        let run = || {
            let mut command = world.command();
            command.arg("import").arg(&bundle).args(["--json", "--into", &containerd.target()]);
            Ran::of(command)
        };
        let ran = run().code(14);
        assert!(ran.said().contains(words), "{line:?}: {}", ran.said());
        assert_eq!(containerd.holdings(), Vec::<String>::new(), "{line:?}");
        // Once there is room the same run completes.
        let root = containerd.root();
        let more = Command::new(&mount).args(["-o", "remount,size=256m"]).arg(root).output().unwrap();
        succeeded(&more);
        run().code(0);
        assert_eq!(names(&containerd).len(), 2, "{line:?} {image}: its tag and its digest");
        let checked = succeeded(&containerd.ctr(&["images", "check"]).output().unwrap());
        assert!(!checked.contains("incomplete") && !checked.contains(" false"), "{checked}");
        // Before the daemon, whose directory could not be removed otherwise.
        drop(small);
    }
}
