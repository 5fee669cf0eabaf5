//! Packs that are killed: what is left is a bundle only if its signature was written, and the same command completes it.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::jobs::record::{Interrupted, InterruptedJob, interrupted};

use crate::machine::{signatures, strace, tampered, under, unfinished};
use crate::rig::world::{Ran, World};

/// A medium and a memory of serials for one run.
struct Place<'a> {
    world: &'a World,
    directory: PathBuf,
}

impl<'a> Place<'a> {
    fn new(world: &'a World, name: &str) -> Self {
        let directory = world.root.join(name);
        std::fs::create_dir_all(directory.join("to")).unwrap();
        Self { world, directory }
    }

    fn pack(&self) -> Command {
        let mut command = self.world.command();
        command
            .args(["pack", "--json", "--no-tool", "--no-signatures", "--to"])
            .arg(self.directory.join("to"));
        command.arg("--state").arg(self.directory.join("state")).arg(self.world.reference("team/app:1"));
        command
    }

    fn bundle(&self) -> PathBuf {
        self.directory.join("to/bundle-1")
    }

    fn verify(&self) -> Ran {
        self.world.verify(&self.bundle(), &["--state", self.directory.join("seen").to_str().unwrap()])
    }
}

fn world() -> Option<World> {
    let world = World::start()?;
    world.push(|layout, host| {
        let layers =
            vec![LayerSpec::noise(1, 1_500_000), LayerSpec::noise(2, 400_000), LayerSpec::text("a", "a")];
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap()
    });
    Some(world)
}

/// Every different call on a path that one undisturbed pack makes, in the order of the first of each.
fn calls(strace: &Path, place: &Place<'_>) -> Vec<(String, String)> {
    let log = place.directory.join("log");
    let trace = "trace=write,fsync,?rename,?renameat,?renameat2,?mkdir,?unlink";
    let log_text = log.display().to_string();
    let ran = Ran::of(under(strace, &["-f", "-y", "-o", &log_text, "-e", trace], &place.pack())).code(0);
    assert_eq!(ran.bundle(), place.bundle());
    let mut seen = BTreeSet::new();
    let text = std::fs::read_to_string(log).unwrap();
    let inside = format!("{}/", place.directory.canonicalize().unwrap().display());
    let calls = text.lines().filter_map(|line| {
        let (call, arguments) = line.split_once(' ')?.1.trim_start().split_once('(')?;
        let path = arguments.split_once(&inside)?.1;
        let path = path.split(['"', '>']).next()?;
        Some((call.to_owned(), path.to_owned()))
    });
    // The names of records differ from run to run.
    calls.filter(|call| !call.1.starts_with("state/jobs/") && seen.insert(call.clone())).collect()
}

fn kill_at(strace: &Path, place: &Place<'_>, (call, path): &(String, String)) {
    let log = place.directory.join("log");
    let full = place.directory.join(path);
    let mut command = tampered(strace, (call, &full), "signal=KILL", &log, &place.pack());
    let output = command.output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{call} {path}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What is signed there counts as another one's where the history, the key or the lock file of a pack tells otherwise.
fn is_own_by_all_of_its_record(place: &Place<'_>) {
    let state = place.directory.join("state");
    let own = || interrupted(&state, &JobCtx::silent()).jobs[0].signed.is_some_and(|there| there.own);
    assert!(own());
    let key = place.world.root.join("home/.local/share/airlift/signing_key");
    for file in [state.join("state.json"), key] {
        let aside = file.with_extension("aside");
        std::fs::rename(&file, &aside).unwrap();
        assert!(!own(), "without {}", file.display());
        std::fs::rename(&aside, &file).unwrap();
    }
    let records = std::fs::read_dir(state.join("jobs")).unwrap().flatten().map(|entry| entry.path());
    let record = records.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    let text = std::fs::read_to_string(&record).unwrap();
    let lock = place.directory.join("other.lock");
    std::fs::write(&lock, "format = \"airlift-lock/1\"\n").unwrap();
    let held = text.replacen("\"lock\":null", &format!("\"lock\":{lock:?}"), 1);
    assert_ne!(held, text);
    std::fs::write(&record, held).unwrap();
    assert!(!own(), "with another lock file");
    std::fs::write(&record, text).unwrap();
    assert!(own());
}

#[test]
fn r11_a_pack_killed_anywhere_is_no_bundle_unless_signed_and_r09_the_same_command_completes_it() {
    let Some(strace) = strace() else { return };
    let Some(world) = world() else { return };
    let calls = calls(&strace, &Place::new(&world, "whole"));
    assert!(calls.len() > 30, "{calls:?}");
    let signed = |(call, path): &(String, String)| call.starts_with("rename") && path.contains(".sig");
    let signature = calls.iter().position(signed).expect("the signature gets its name by a rename");
    let noted =
        |(call, path): &(String, String)| call.starts_with("rename") && path.contains("state/state.json");
    let noted = calls.iter().position(noted).expect("the serial is noted by a rename");
    assert!(noted < signature, "no serial is signed before it is noted: {calls:?}");
    let after = calls.len() - 1;
    // Spread over the run, and right before and after the moment that counts.
    let step = calls.len() / 11;
    let mut points: BTreeSet<usize> = (0..calls.len()).step_by(step.max(1)).collect();
    points.extend([noted, noted + 1, signature - 1, signature, signature + 1, after]);
    for point in points {
        let (place, call) = (Place::new(&world, &format!("point-{point}")), &calls[point]);
        kill_at(&strace, &place, call);
        let is_signed = !signatures(&place.directory.join("to")).is_empty();
        let left = interrupted(&place.directory.join("state"), &JobCtx::silent());
        assert!(left.damaged.is_empty(), "killed at {call:?}: {left:?}");
        assert!(
            left.jobs.len() == 1 || is_signed || !place.bundle().exists(),
            "killed at {call:?}: {left:?}"
        );
        let resumed = left.jobs.iter().find_map(|job| job.bundle.clone());
        assert_eq!(resumed.is_some(), !is_signed && place.bundle().exists(), "killed at {call:?}");
        assert_eq!(is_signed, point > signature, "killed at {call:?}");
        let done = |job: &InterruptedJob| job.signed.is_some_and(|there| there.own && there.serial == 1);
        assert!(left.jobs.iter().all(|job| done(job) == is_signed), "killed at {call:?}: {left:?}");
        if point == signature + 1 {
            assert_eq!(left.jobs.len(), 1);
            is_own_by_all_of_its_record(&place);
        }
        let verified = place.verify();
        assert_eq!(verified.exit == Some(0), is_signed, "killed at {call:?}: {}", verified.said());
        let again = Ran::of(place.pack()).code(0);
        assert_eq!(again.bundle(), place.bundle(), "killed at {call:?}");
        let left = interrupted(&place.directory.join("state"), &JobCtx::silent());
        assert_eq!(left, Interrupted::default(), "killed at {call:?}");
        place.verify().code(0);
        assert_eq!(unfinished(&place.directory), Vec::<String>::new(), "killed at {call:?}");
        let beside: Vec<_> = std::fs::read_dir(place.directory.join("to")).unwrap().flatten().collect();
        assert_eq!(beside.len(), 1, "killed at {call:?}: {beside:?}");
    }
}

#[test]
fn r13_a_pack_killed_inside_a_layer_goes_on_from_there() {
    let Some(strace) = strace() else { return };
    let Some(world) = world() else { return };
    let whole = Place::new(&world, "whole");
    let bundle = Ran::of(whole.pack()).code(0).bundle();
    let blobs = std::fs::read_dir(bundle.join("blobs/sha256")).unwrap().flatten();
    let largest = blobs.max_by_key(|blob| blob.metadata().unwrap().len()).unwrap();
    let (name, size) = (largest.file_name().into_string().unwrap(), largest.metadata().unwrap().len());
    let place = Place::new(&world, "cut");
    let temp = place.bundle().join(format!("blobs/sha256/{name}.tmp"));
    let log = place.directory.join("log");
    let output =
        tampered(&strace, ("write", &temp), "signal=KILL:when=4", &log, &place.pack()).output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
    let there = temp.metadata().unwrap().len();
    assert!(there > 0 && there < size, "{there} of {size} bytes");
    let report = Ran::of(place.pack()).code(0).report();
    assert!(report["bundle"]["keptBytes"].as_u64().unwrap() >= there, "{report}");
    assert!(
        world.registry.log().contains(" 206 ") || world.registry.log().contains("http.response.status=206")
    );
    place.verify().code(0);
}
