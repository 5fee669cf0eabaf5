//! Media as they are plugged in, lie about their size, are pulled while in use, and are let go: real file systems on loop devices.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use airlift::domain::progress::{Event, Phase};
use airlift::engine::ctx::{JobCtx, Report};
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::media::{CheckReport, CheckSpec, Watch, check};
use airlift::engine::spec::JobReport;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::machine::{Mount, files_below};
use crate::rig::world::{Ran, World};
use crate::rig::{TempRoot, need, need_root, skip, wait_until};

const PROBE: &str = "airlift-probe.tmp";

/// The program on `media`, without a system bus: what udisks2 would do here is another machine's.
fn media(root: &TempRoot, words: &[&str], path: &Path) -> Ran {
    let mut command = root.command();
    command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    command.args(["media", "--json"]).args(words).arg(path);
    Ran::of(command)
}

/// A medium with ext4 on it and a file of somebody's.
fn medium(root: &TempRoot, mebibytes: u64) -> Option<Mount> {
    let mount = Mount::image(&root.join("medium"), "ext4", mebibytes)?;
    fs::write(mount.path().join("letter.txt"), vec![b'a'; 300_000]).unwrap();
    Some(mount)
}

fn image(mount: &Mount) -> PathBuf {
    mount.path().with_extension("image")
}

fn is_mounted(path: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().any(|line| line.split(' ').nth(4) == path.to_str())
}

fn on_medium(report: &Value, path: &Path) -> (Value, Value) {
    let media = report["media"].as_array().unwrap();
    let volumes = media.iter().flat_map(|medium| {
        let volumes = medium["volumes"].as_array().unwrap();
        volumes.iter().map(|volume| (medium.clone(), volume.clone()))
    });
    let here =
        |volume: &Value| volume["mountPoints"].as_array().unwrap().contains(&path.to_str().unwrap().into());
    volumes.into_iter().find(|(_, volume)| here(volume)).expect("the medium is listed")
}

#[test]
fn a_mounted_medium_is_listed_with_what_it_is_and_may_be_chosen() {
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 64) else { return };
    let mut command = root.command();
    command.args(["media", "list", "--json"]);
    let report = Ran::of(command).code(0).report();
    let (medium, volume) = on_medium(&report, mount.path());
    assert_eq!(medium["bus"], "loop");
    assert_eq!(medium["file"], image(&mount).to_str().unwrap());
    assert_eq!((&medium["size"], &medium["blocked"]), (&Value::from(64 << 20), &Value::Null));
    assert_eq!((&volume["fileSystem"], &volume["blocked"]), (&Value::from("ext4"), &Value::Null));
    assert!(volume["free"].as_u64().is_some_and(|free| free > 40 << 20 && free < 64 << 20), "{volume}");
    let below = mount.path().join("a/directory");
    let missing = media(&root, &["list"], &below).code(13);
    assert!(missing.said().contains(&format!("there is no path {}", below.display())), "{}", missing.said());
    std::fs::create_dir_all(&below).unwrap();
    let below = media(&root, &["list"], &below).code(0).report();
    assert_eq!(below["mountPoint"], mount.path().to_str().unwrap());
    assert_eq!(below["medium"]["name"], medium["name"]);
    mount.remount("ro");
    let mut command = root.command();
    command.args(["media", "list", "--json"]);
    let (_, volume) = on_medium(&Ran::of(command).code(0).report(), mount.path());
    assert_eq!(volume["blocked"]["reason"], "mounted-read-only");
    let refused = media(&root, &["check"], mount.path()).code(13);
    assert!(refused.said().contains("read-only"), "{}", refused.said());
}

#[test]
fn a_medium_that_the_kernel_stopped_writing_to_is_said_to_be_so_before_anything_is_begun() {
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 64) else { return };
    mount.remount("abort");
    let mut command = root.command();
    command.args(["media", "list", "--json"]);
    let (_, volume) = on_medium(&Ran::of(command).code(0).report(), mount.path());
    assert_eq!(volume["blocked"]["reason"], "read-only-after-error", "{volume}");
    let mut command = root.command();
    command.args(["media", "list"]).arg(mount.path());
    let told = Ran::of(command).code(0);
    assert!(told.said().contains("no: read-only after an error: dmesg says which"), "{}", told.said());
    let mut command = root.command();
    command.args(["pack", "--dry-run", "registry.invalid/a:1", "--to"]).arg(mount.path());
    let refused = Ran::of(command).code(13);
    for words in ["read-only after an error", "fsck"] {
        assert!(refused.said().contains(words), "{}", refused.said());
    }
}

#[test]
fn an_honest_medium_passes_the_check_and_is_left_as_it_was() {
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 128) else { return };
    let plan = media(&root, &["check", "--dry-run"], mount.path()).code(0).report();
    assert_eq!(plan["found"], Value::Null);
    let before = files_below(mount.path());
    let report = media(&root, &["check"], mount.path()).code(0).report();
    let found = &report["found"];
    assert_eq!((&found["method"], &found["whole"]), (&Value::from("direct"), &Value::from(true)));
    assert_eq!(found["spoilt"]["lost"], 0);
    let (free, spread) = (report["free"].as_u64().unwrap(), found["spread"].as_u64().unwrap());
    assert!(spread > free / 2, "spread over {spread} of {free}");
    assert_eq!(files_below(mount.path()), before);
    assert_eq!(fs::read(mount.path().join("letter.txt")).unwrap(), vec![b'a'; 300_000]);
}

#[test]
fn a_check_needs_room_and_a_medium_that_no_system_runs_from() {
    let root = TempRoot::new();
    let Some(small) = Mount::image(&root.join("small"), "ext4", 12) else { return };
    let refused = media(&root, &["check"], small.path()).code(14);
    assert!(refused.said().contains("too little"), "{}", refused.said());
    let Some(memory) = Mount::tmpfs(&root.join("memory"), "size=64m") else { return };
    for verb in ["check", "eject"] {
        let refused = media(&root, &[verb], memory.path()).code(2);
        assert!(refused.said().contains("no medium"), "{}", refused.said());
    }
}

/// Does something to the device at the moment when everything is written and nothing is read yet.
struct Between<F>(F);

impl<F: Fn() + Send + Sync> Report for Between<F> {
    fn event(&self, event: Event) {
        if matches!(event, Event::Started { phase: Phase::ReadBack, .. }) {
            (self.0)();
        }
    }
}

fn checked(path: &Path, ctx: &JobCtx) -> Result<CheckReport, EngineError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let spec = CheckSpec { path: path.to_owned(), dry_run: false };
    runtime.block_on(check(spec, ctx))
}

/// Every mark in the image that lies at or behind `real`; small file systems have blocks of 1 KiB.
fn marked_behind(image: &fs::File, real: u64) -> Vec<(u64, Vec<u8>)> {
    let size = image.metadata().unwrap().len();
    let read = |at: u64| {
        let mut block = vec![0; 4096];
        image.read_exact_at(&mut block, at).unwrap();
        (at, block)
    };
    (real..size - 4096).step_by(1024).map(read).filter(|(_, block)| block.starts_with(b"airlift")).collect()
}

#[test]
fn a_device_that_forgets_what_lies_behind_its_real_end_is_found() {
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 128) else { return };
    let file = image(&mount);
    let forget = move || {
        let image = fs::File::options().read(true).write(true).open(&file).unwrap();
        let lost = marked_behind(&image, 32 << 20);
        assert!(lost.len() > 100, "the marks reach behind it");
        lost.iter().for_each(|(at, _)| image.write_all_at(&[0; 4096], *at).unwrap());
    };
    let report = checked(mount.path(), &JobCtx::new(Arc::new(Between(forget)))).unwrap();
    let found = report.found.clone().unwrap();
    assert!(found.spoilt.lost > 100 && found.spoilt.another == 0, "{found:?}");
    assert!(!found.is_good() && !mount.path().join(PROBE).exists());
    let verdict = JobReport::MediaCheck(report).verdict().unwrap();
    assert_eq!(verdict.kind, Kind::Medium);
    assert!(verdict.words.contains("did not come back"), "{verdict}");
}

#[test]
fn a_device_that_starts_over_at_its_real_end_is_found() {
    const REAL: u64 = 40 << 20;
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 128) else { return };
    let file = image(&mount);
    let start_over = move || {
        let image = fs::File::options().read(true).write(true).open(&file).unwrap();
        let marks = marked_behind(&image, REAL);
        marks.iter().for_each(|(at, block)| image.write_all_at(block, at % REAL).unwrap());
    };
    let found = checked(mount.path(), &JobCtx::new(Arc::new(Between(start_over)))).unwrap().found.unwrap();
    assert!(found.spoilt.another > 0, "{found:?}");
}

#[test]
fn a_check_that_is_stopped_or_killed_leaves_nothing_for_long() {
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 256) else { return };
    let token = CancellationToken::new();
    let stop = {
        let token = token.clone();
        Between(move || token.cancel())
    };
    let ctx = JobCtx { cancel: token, ..JobCtx::new(Arc::new(stop)) };
    assert_eq!(checked(mount.path(), &ctx).unwrap_err().kind(), Kind::Interrupted);
    assert!(!mount.path().join(PROBE).exists(), "a cancel cleans up");
    let mut command = root.command();
    command.args(["media", "check"]).arg(mount.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut killed = command.spawn().unwrap();
    wait_until("marks are written", || !files_below(&mount.path().join(PROBE)).is_empty());
    killed.kill().unwrap();
    killed.wait().unwrap();
    let ran = media(&root, &["check"], mount.path()).code(0);
    assert!(ran.said().contains("cut off") || !ran.said().contains("probe"), "{}", ran.said());
    assert!(!mount.path().join(PROBE).exists());
}

#[test]
fn an_ejected_medium_is_unmounted_and_each_truth_is_told_for_itself() {
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 64) else { return };
    let plan = media(&root, &["eject", "--dry-run"], mount.path()).code(0).report();
    assert_eq!(plan["unmounted"][0], mount.path().to_str().unwrap());
    assert!(is_mounted(mount.path()));
    let held = fs::File::open(mount.path().join("letter.txt")).unwrap();
    let busy = media(&root, &["eject"], mount.path()).code(13);
    assert!(busy.said().contains(&format!("process {}", std::process::id())), "{}", busy.said());
    assert!(is_mounted(mount.path()), "a medium in use stays");
    drop(held);
    let report = media(&root, &["eject", "--verified", "direct I/O"], &mount.path().join("letter.txt"))
        .code(0)
        .report();
    let truths: Vec<_> =
        ["synced", "verified", "poweredOff"].iter().map(|name| report[name]["holds"].clone()).collect();
    assert_eq!(truths, [true, true, false]);
    assert!(report["poweredOff"]["words"].as_str().unwrap().contains("not powered off"), "{report}");
    assert!(!is_mounted(mount.path()));
}

#[test]
fn what_the_pack_of_this_host_read_back_is_known_when_its_medium_is_ejected() {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    let Some(mount) = medium(&world.root, 64) else { return };
    let image = world.reference("team/app:1");
    let packed = world.run(["pack", "--json", "--no-tool", "--to", mount.path().to_str().unwrap(), &image]);
    // ext4 on a device of its own can be read past all memory, so this pack did.
    assert_eq!(packed.code(0).report()["bundle"]["readBack"]["method"], "direct");
    let report = media(&world.root, &["eject"], mount.path()).code(0).report();
    assert_eq!(report["verified"]["holds"], true, "{report}");
    let words = report["verified"]["words"].as_str().unwrap();
    assert!(words.starts_with("bundle-1: ") && words.contains("before it was signed"), "{report}");
}

#[test]
fn no_bundle_goes_below_the_mount_point_of_the_medium_of_the_last_one_unless_that_is_meant() {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("a")).unwrap());
    let Some(mount) = medium(&world.root, 64) else { return };
    let (image, to) = (world.reference("team/app:1"), mount.path().to_owned());
    let pack = |more: &[&str]| {
        world.run([&["pack", "--json", "--no-tool", "--to", to.to_str().unwrap(), &image], more].concat())
    };
    let first = pack(&[]).code(0);
    assert!(!first.said().contains("system disk"), "{}", first.said());
    assert_eq!(first.report()["bundle"]["readBack"]["medium"], true);
    drop(mount);
    std::fs::create_dir_all(&to).unwrap();
    for more in [&[][..], &["--dry-run"], &["--anew"], &["--name", "other"]] {
        let said = pack(more).code(13).said();
        for words in [
            "a bundle of bundle went to ",
            "which is not mounted now",
            "nothing was written",
            "--plain-directory",
        ] {
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0, "{more:?}");
    }
    let never = to.with_file_name("never");
    std::fs::create_dir(&never).unwrap();
    let dry = ["pack", "--json", "--no-tool", "--dry-run", "--to", never.to_str().unwrap(), &image];
    let other = world.run(dry).code(0).said();
    assert!(other.contains("the system disk") && other.contains("airlift media list shows"), "{other}");
    let meant = pack(&["--plain-directory"]).code(0);
    assert!(!meant.said().contains("system disk"), "{}", meant.said());
    assert!(meant.bundle().ends_with("bundle-2"), "{meant:?}");
    assert_eq!(meant.report()["bundle"]["readBack"]["medium"], false);
    // From now on it went there.
    pack(&["--dry-run"]).code(0);
}

#[test]
fn only_the_file_system_that_is_meant_is_unmounted_from_a_device() {
    let root = TempRoot::new();
    let Some(mount) = medium(&root, 64) else { return };
    let mut command = root.command();
    command.args(["media", "list", "--json"]);
    let (_, volume) = on_medium(&Ran::of(command).code(0).report(), mount.path());
    let device = Path::new(volume["device"].as_str().unwrap());
    let unmount = |mark: &str| media(&root, &["mount", "--unmount", "--only", mark], device);
    let refused = unmount("uuid=1234-ABCD").code(13);
    assert!(refused.said().contains("carries nothing of uuid=1234-ABCD"), "{}", refused.said());
    assert!(is_mounted(mount.path()), "another one stays");
    unmount(&format!("uuid={}", volume["uuid"].as_str().unwrap())).code(0);
    assert!(!is_mounted(mount.path()));
}

#[test]
fn the_disk_of_the_system_is_never_ejected() {
    let root = TempRoot::new();
    let listed = media(&root, &["list"], Path::new("/")).code(0).report();
    if listed["medium"].is_null() {
        return skip("a disk under /");
    }
    let device = listed["medium"]["volumes"][0]["device"].as_str().unwrap().to_owned();
    for (verb, path) in [("eject", "/"), ("eject", &*device), ("check", "/"), ("mount", &device)] {
        let refused = media(&root, &[verb], Path::new(path)).code(13);
        assert!(refused.said().contains("system disk"), "{path}: {}", refused.said());
    }
    let refused = media(&root, &["eject"], Path::new("/dev/nonexistent")).code(13);
    assert!(refused.said().contains("there is no path /dev/nonexistent"), "{}", refused.said());
}

/// A loop device over a file; detached when dropped.
struct Loop(String);

impl Loop {
    fn new(root: &TempRoot) -> Option<Self> {
        let losetup = need("losetup")?;
        if !Path::new("/dev/loop-control").exists() {
            skip("loop");
            return None;
        }
        let file = root.join("plugged.image");
        fs::File::create(&file).unwrap().set_len(4 << 20).unwrap();
        let output = Command::new(losetup).args(["--find", "--show"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(Self(String::from_utf8(output.stdout).unwrap().trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_watch_tells_of_devices_that_come_and_go_and_of_mounts() {
    if !need_root() {
        return;
    }
    let root = TempRoot::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut watch = Watch::start().unwrap();
        assert_eq!(watch.slow(), None, "root may listen to the kernel");
        let mut told = async |what: &str| {
            let changed = tokio::time::timeout(Duration::from_secs(10), watch.changed()).await;
            changed.unwrap_or_else(|_| panic!("nothing was told when {what}"));
        };
        let Some(device) = Loop::new(&root) else { return };
        told("a device came").await;
        drop(device);
        told("a device went").await;
        let Some(mount) = Mount::tmpfs(&root.join("mounted"), "size=1m") else { return };
        told("a file system was mounted").await;
        drop(mount);
        told("a file system was unmounted").await;
    });
}

#[test]
fn without_udisks_the_command_that_mounts_is_told() {
    if !need_root() {
        return;
    }
    let root = TempRoot::new();
    let Some(device) = Loop::new(&root) else { return };
    let refused = media(&root, &["mount"], Path::new(&device.0)).code(13);
    assert!(refused.said().contains("udisks2 does not run here"), "{}", refused.said());
    assert!(refused.said().contains(&format!("mount {} /mnt", device.0)), "{}", refused.said());
    let refused = media(&root, &["mount", "--unmount"], Path::new("/dev/null")).code(2);
    assert!(refused.said().contains("no device"), "{}", refused.said());
}
