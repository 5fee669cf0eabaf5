//! A medium from its plugging in to its letting go, with keys of an ssh-agent and of a file: everything is seen on the screen.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::console::{Console, Setting};
use crate::journeys::{Journey, device_at, fetched};
use crate::machine::Mount;
use crate::rig::{TempRoot, need, need_root, skip, wait_until};
use crate::steps;

/// An ssh-agent of the test's own; it ends with it.
struct Agent {
    process: Child,
    socket: PathBuf,
}

impl Agent {
    /// Holding one key; or a said skip.
    fn with(key: &Path, directory: &Path) -> Option<Self> {
        let (agent, add) = (need("ssh-agent")?, need("ssh-add")?);
        let socket = directory.join("agent");
        let process = Command::new(agent)
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let held = Self { process, socket };
        wait_until("the agent listens", || held.socket.exists());
        let added = Command::new(add).arg(key).env("SSH_AUTH_SOCK", &held.socket).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        Some(held)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A loop device of the test's own over a file with a file system; detached with it, where it is this one still.
struct Loop {
    device: String,
    image: PathBuf,
}

impl Loop {
    /// Attached; or a said skip.
    fn attach(image: &Path) -> Option<Self> {
        let (losetup, make) = (need("losetup")?, need("mkfs.ext4")?);
        if !need_root() {
            return None;
        }
        std::fs::File::create(image).unwrap().set_len(32 << 20).unwrap();
        let made = Command::new(make).arg("-q").arg(image).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let attached = Command::new(losetup).args(["--find", "--show"]).arg(image).output().unwrap();
        if !attached.status.success() {
            skip("loop");
            return None;
        }
        let device = String::from_utf8(attached.stdout).unwrap().trim().to_owned();
        Some(Self { device, image: image.canonicalize().unwrap() })
    }

    fn name(&self) -> &str {
        self.device.rsplit('/').next().unwrap()
    }

    fn is_ours(&self) -> bool {
        let file = std::fs::read_to_string(format!("/sys/block/{}/loop/backing_file", self.name()));
        file.is_ok_and(|file| Path::new(file.trim_end()) == self.image)
    }

    fn detach(&self) {
        assert!(self.is_ours());
        let detached = Command::new("losetup").arg("--detach").arg(&self.device).output().unwrap();
        assert!(detached.status.success(), "{}", String::from_utf8_lossy(&detached.stderr));
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if self.is_ours() {
            let _ = Command::new("losetup").arg("--detach").arg(&self.device).output();
        }
    }
}

fn lists(screen: &str, device: &str) -> bool {
    let rows = screen.lines().filter(|line| line.starts_with(['>', ' ']));
    rows.into_iter().any(|line| line.split_whitespace().any(|word| word == device))
}

#[test]
fn a_device_that_is_plugged_in_appears_by_itself_and_goes_when_it_is_taken_out() {
    let root = TempRoot::new();
    let home = root.join("home");
    // High, so that every device of this machine has a row that is seen.
    let mut console = Console::start(&Setting { size: (110, 60), ..Setting::new(&home) });
    console.wait("Build media").keys("b 3").wait("step 3/5 Media");
    let Some(device) = Loop::attach(&root.join("plugged.image")) else { return };
    console.wait_for("the device that was plugged in", |screen| lists(screen, device.name()));
    device.detach();
    console.wait_for("the device is gone", |screen| !lists(screen, device.name()));
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
}

#[test]
fn keys_of_an_agent_and_of_a_file_sign_what_was_paused_and_the_medium_is_let_go() {
    let Some(journey) = Journey::new() else { return };
    let (world, medium) = (&journey.world, journey.world.medium());
    let Some(mut mount) = Mount::image(&medium, "ext4", 64) else { return };
    ["held", "second"].iter().for_each(|name| {
        world.key(name);
        world.trust(name, &[]);
    });
    let Some(agent) = Agent::with(&world.root.join("held"), world.root.path()) else { return };
    let home = world.root.join("home");
    let env = [("SSH_AUTH_SOCK", agent.socket.to_str().unwrap())];
    let mut console = Console::start(&Setting { env: &env, ..Setting::new(&home) });
    steps::pick(&mut console, &journey.references());
    steps::verify(&mut console);
    steps::choose_listed(&mut console, &device_at(&medium));

    // The key that the agent holds is listed, and signs.
    console
        .wait(steps::PLANNED)
        .keys("k")
        .wait("Which key signs?")
        .wait("another file")
        .keys("ssh-agent Enter");
    // The line is folded.
    console.wait_for("who signs", |screen| screen.contains("held by") && screen.contains("ssh-agent"));
    journey.line.slow(1_000_000);
    steps::assemble(&mut console);
    console.wait_for("some of it came", |screen| fetched(screen).is_some_and(|percent| percent >= 5));

    // Paused it stands still, and goes on.
    console.keys("p").wait("! paused");
    let stands = console.settled_at(fetched);
    assert!(stands < 100, "{stands} %");
    console.keys("p").wait_for("it goes on", |screen| {
        !screen.contains("paused") && fetched(screen).is_none_or(|percent| percent > stands)
    });
    journey.line.fast();
    console.wait("Assemble ok").keys("5").wait("step 5/5 Report");

    // A second signature, by a key in a file.
    console.keys("k").wait("another file").keys("another Enter").wait("Key file");
    console.keys("Ctrl-U").keys(world.root.join("second").to_str().unwrap()).keys("Enter");
    console.wait("signature added");
    world.verify(&journey.bundle(), &["--min-signatures", "2"]).code(0);

    // Let go: nothing is mounted there any more, and each of the three truths is told.
    console.keys("E").wait("Eject the medium?").keys("Right Enter");
    console.wait_for("the three truths", |screen| {
        ["synced", "verified", "powered off"].iter().all(|truth| screen.contains(truth))
    });
    wait_until("it is unmounted", || !is_mounted(&medium));
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
    mount.again("ext4");
    world.verify(&journey.bundle(), &["--min-signatures", "2", "--deep"]).code(0);
}

/// The stick of a journey: a file system of the test's own, pulled out and put in again while the program runs.
struct Stick<'a> {
    journey: &'a Journey,
    /// Unmounts whatever is mounted there at last.
    _mount: Mount,
}

impl<'a> Stick<'a> {
    /// Plugged in; or a said skip.
    fn plug(journey: &'a Journey) -> Option<Self> {
        Some(Self { _mount: Mount::image(&journey.world.medium(), "ext4", 64)?, journey })
    }

    /// Taken away at once, whoever uses it: paths lead nowhere, and the device goes with the last open file.
    fn pull(&self) {
        run(Command::new("umount").arg("--lazy").arg(self.journey.world.medium()));
    }

    /// Put in once more, as another insertion, once nothing holds the one before.
    fn again(&self) {
        let medium = self.journey.world.medium();
        let image = medium.with_extension("image");
        wait_until("nothing holds the stick any more", || !is_attached(&image));
        assert_eq!(std::fs::read_dir(&medium).unwrap().count(), 0, "nothing was written beside the stick");
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(image).arg(medium));
    }

    /// Chosen from the list, and a pack onto it that takes its time, of which some came.
    fn packing(&self) -> Console {
        let mut console = self.journey.verified(&self.journey.references());
        steps::choose_listed(&mut console, &device_at(&self.journey.world.medium()));
        self.journey.line.slow(1_000_000);
        steps::assemble(&mut console);
        console.wait_for("some of it came", |screen| fetched(screen).is_some_and(|percent| percent >= 5));
        console
    }

    /// Pulled from under a pack, which says so and ends.
    fn pulled(&self) -> Console {
        let mut console = self.packing();
        self.pull();
        console.wait("3 Media FAILED");
        // What is open still leads to the stick: how much comes onto it until the pack ends is up to the kernel.
        self.journey.line.fast();
        console
            .wait("Assemble FAILED")
            .wait("the written files are on it, nothing was signed")
            .wait("r resumes");
        console
    }
}

/// Waits until a registry is asked what the names are.
fn asked(console: &mut Console) {
    console.wait_for("the registry is asked", |screen| {
        screen.lines().any(|line| line.starts_with(" resolve") && !line.contains("waits"))
    });
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether a loop device stands for the file.
fn is_attached(image: &Path) -> bool {
    let image = image.canonicalize().unwrap();
    let backing = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("loop/backing_file"));
    let files =
        std::fs::read_dir("/sys/block").unwrap().map(Result::unwrap).filter_map(|one| backing(one).ok());
    files.into_iter().any(|file| Path::new(file.trim_end()) == image)
}

#[test]
fn a_stick_that_is_pulled_while_a_pack_runs_is_said_and_the_pack_goes_on_once_it_is_back() {
    let Some(journey) = Journey::new() else { return };
    let Some(stick) = Stick::plug(&journey) else { return };
    let mut console = stick.pulled();
    stick.again();
    console.wait("is back: r resumes").keys("r").wait("Assemble ok").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    journey.is_well();
}

#[test]
fn a_stick_that_is_pulled_from_under_the_resumed_pack_too_is_said_again() {
    let Some(journey) = Journey::new() else { return };
    let Some(stick) = Stick::plug(&journey) else { return };
    let mut console = stick.pulled();
    stick.again();
    journey.line.slow(1_000);
    console.wait("is back").keys("r").wait("Assemble running");
    asked(&mut console);
    stick.pull();
    console.wait("3 Media FAILED");
    journey.line.fast();
    console.wait("Assemble FAILED").wait("r resumes");
    stick.again();
    console.wait("is back").keys("r").wait("Assemble ok").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    journey.is_well();
}

#[test]
fn a_command_whose_stick_was_pulled_ends_as_a_fault_of_the_medium_and_goes_on_once_it_is_back() {
    let Some(journey) = Journey::new() else { return };
    let Some(stick) = Stick::plug(&journey) else { return };
    let (medium, said) = (journey.world.medium(), journey.world.root.join("said"));
    let pack = || {
        let mut command = journey.world.command();
        command.args(["pack", "--json", "--no-tool", "--to"]).arg(&medium).args(journey.references());
        let out = std::fs::File::create(&said).unwrap();
        command.stdout(out.try_clone().unwrap()).stderr(out);
        command
    };
    journey.line.slow(1_000_000);
    let mut child = pack().spawn().unwrap();
    // The first of them has a second file when a layer is on its way.
    let blobs = journey.bundle().join("blobs/sha256");
    wait_until("some of it came", || std::fs::read_dir(&blobs).is_ok_and(|all| all.count() > 1));
    stick.pull();
    journey.line.fast();
    let code = child.wait().unwrap().code();
    let words = std::fs::read_to_string(&said).unwrap();
    // Whatever the call said that failed: that the medium is gone is the reason.
    assert!(code == Some(13) && words.contains("does not lead"), "{code:?}: {words}");
    stick.again();
    assert!(pack().status().unwrap().success(), "{}", std::fs::read_to_string(&said).unwrap());
    journey.is_well();
}

#[test]
fn a_pack_whose_stick_was_pulled_is_offered_on_the_start_screen_of_the_next_run() {
    let Some(journey) = Journey::new() else { return };
    let Some(stick) = Stick::plug(&journey) else { return };
    let mut console = stick.pulled();
    console.keys("q");
    assert_eq!(console.end().exit_code(), 13);
    stick.again();
    journey.goes_on();
}

#[test]
fn nothing_is_written_beside_a_stick_that_is_pulled_before_the_first_byte() {
    let Some(journey) = Journey::new() else { return };
    let Some(stick) = Stick::plug(&journey) else { return };
    let mut console = journey.verified(&journey.references());
    steps::choose_listed(&mut console, &device_at(&journey.world.medium()));
    console.wait(steps::PLANNED);
    // So slow that the registry is still asked what the names are.
    journey.line.slow(1_000);
    steps::assemble(&mut console);
    asked(&mut console);
    stick.pull();
    console.wait("3 Media FAILED");
    assert_eq!(fetched(&console.screen()), None, "{}", console.screen());
    journey.line.fast();
    console.wait("Assemble FAILED").wait("r resumes");
    stick.again();
    console.wait("is back").keys("r").wait("Assemble ok").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    journey.is_well();
}

#[test]
fn a_stick_that_is_pulled_after_the_signature_is_not_let_go_until_it_is_ejected() {
    let Some(journey) = Journey::new() else { return };
    let Some(stick) = Stick::plug(&journey) else { return };
    let mut console = stick.packing();
    journey.line.fast();
    console.wait("Assemble ok");
    stick.pull();
    console.wait("3 Media warn").wait("[4 Assemble ok]").keys("3");
    console.wait("signed, read back and synced file by file, but not ejected");
    assert!(!console.screen().contains("was ejected"), "{}", console.screen());
    stick.again();
    console.wait("[3 Media ok]").keys("5 E").wait("Eject the medium?").keys("Right Enter");
    console.wait("synced").keys("3").wait("was ejected: safe to remove").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    stick.again();
    journey.is_well();
}

fn is_mounted(directory: &Path) -> bool {
    let directory = directory.canonicalize().unwrap();
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    table.lines().any(|row| row.split(' ').nth(1).is_some_and(|at| Path::new(at) == directory))
}
