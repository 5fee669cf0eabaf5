//! From a list of names to a signed bundle that verifies, in a real terminal against a real registry, with what can happen on the way.

use std::path::{Path, PathBuf};

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::console::{Console, Setting};
use crate::line::Line;
use crate::machine::Mount;
use crate::rig::corpus::CORPUS;
use crate::rig::fuse::{EXFAT, FAT, Medium};
use crate::rig::need_env;
use crate::rig::world::World;
use crate::steps;

/// An operator's host with a registry behind a line that can be slow.
pub(crate) struct Journey {
    pub(crate) world: World,
    pub(crate) line: Line,
}

impl Journey {
    /// Nothing after a said skip when `docker-registry` is missing.
    pub(crate) fn new() -> Option<Self> {
        let world = World::start()?;
        world.push(|layout, host| {
            for n in 1..=3 {
                let layers = vec![LayerSpec::noise(n, 6_000_000), LayerSpec::text("name", &n.to_string())];
                layout.image(&format!("{host}/team/app-{n}:1.{n}"), &ImageSpec::new(layers)).unwrap();
            }
        });
        let line = Line::to(world.registry.host());
        Some(Self { world, line })
    }

    pub(crate) fn start(&self) -> Console {
        Console::start(&Setting::new(&self.world.root.join("home")))
    }

    pub(crate) fn references(&self) -> Vec<String> {
        (1..=3).map(|n| format!("{}/team/app-{n}:1.{n}", self.line.host)).collect()
    }

    /// Picked and verified, and at the choice of a medium.
    pub(crate) fn verified(&self, references: &[String]) -> Console {
        let mut console = self.start();
        steps::pick(&mut console, references);
        steps::verify(&mut console);
        console
    }

    /// The same for all images, with the medium's directory chosen.
    pub(crate) fn chosen(&self) -> Console {
        let mut console = self.verified(&self.references());
        steps::choose(&mut console, &self.world.medium());
        console
    }

    /// A pack of all images that takes its time, of which some came.
    pub(crate) fn fetching(&self) -> Console {
        let mut console = self.chosen();
        self.line.slow(1_000_000);
        steps::assemble(&mut console);
        console.wait_for("some of it came", |screen| fetched(screen).is_some_and(|percent| percent >= 5));
        console
    }

    /// Until the signature is written; what lies there then verifies.
    pub(crate) fn ends_well(&self, console: &mut Console) {
        finish(console);
        self.is_well();
    }

    /// What was cut off goes on from the Start screen, to its signature.
    pub(crate) fn goes_on(&self) {
        let signatures = std::fs::read_dir(self.bundle().join("airlift/signatures"));
        assert_eq!(signatures.map_or(0, Iterator::count), 0, "what was cut off is not signed");
        self.line.fast();
        let mut console = self.start();
        console.wait("Resume bundle").keys("R").wait("step 4/5 Assemble");
        self.ends_well(&mut console);
    }

    /// The bundle verifies, layers unpacked.
    pub(crate) fn is_well(&self) -> String {
        self.world.verify(&self.bundle(), &["--deep"]).code(0).said()
    }

    /// The one bundle on the medium.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.world.medium().join("bundle-1")
    }
}

/// Until the signature is written, then out of the workstation.
fn finish(console: &mut Console) {
    console.wait("Assemble ok").keys("5").wait("step 5/5 Report");
    leave(console, 0);
}

fn leave(console: &mut Console, code: u32) {
    console.keys("q");
    assert_eq!(console.end().exit_code(), code);
}

#[test]
fn a_list_becomes_a_signed_bundle_that_verifies() {
    let Some(journey) = Journey::new() else { return };
    let mut console = journey.chosen();
    steps::assemble(&mut console);
    journey.ends_well(&mut console);
}

#[test]
fn the_corpus_becomes_a_signed_bundle_that_verifies() {
    let Some(host) = need_env("AIRLIFT_CORPUS") else { return };
    let Some(world) = World::start() else { return };
    let list: String = CORPUS.iter().map(|name| format!("{host}/library/{name}\n")).collect();
    world.root.write("home/images.txt", list);
    let mut console = Console::start(&Setting::new(&world.root.join("home")));
    console.wait("Build media").keys("b").wait("step 1/5 Images").keys("f").wait("Esc");
    console.keys("Ctrl-U ~/images.txt Enter").wait(&format!("{} images", CORPUS.len()));
    steps::verify(&mut console);
    steps::choose(&mut console, &world.medium());
    steps::assemble(&mut console);
    finish(&mut console);
    world.verify(&world.medium().join("bundle-1"), &[]).code(0);
}

#[test]
fn a_registry_that_dies_in_the_middle_and_comes_back_costs_no_more_than_the_wait() {
    let Some(mut journey) = Journey::new() else { return };
    let mut console = journey.fetching();
    journey.world.registry.die();
    console.wait("try 2");
    journey.world.registry.come_back();
    journey.line.fast();
    journey.ends_well(&mut console);
}

#[test]
fn a_registry_that_stays_away_fails_with_its_name_and_retry_goes_on() {
    let Some(mut journey) = Journey::new() else { return };
    let mut console = journey.fetching();
    journey.world.registry.die();
    console.wait("! waiting for 127.0.0.1").wait_long("Assemble FAILED").wait(&journey.line.host);
    journey.world.registry.come_back();
    journey.line.fast();
    console.keys("r");
    journey.ends_well(&mut console);
}

#[test]
fn a_bad_reference_is_named_and_the_rest_goes_on_without_it() {
    let Some(journey) = Journey::new() else { return };
    let mut references = journey.references();
    references.insert(1, format!("{}/team/nothing:1.0", journey.line.host));
    let mut console = journey.verified(&references);
    console.wait("FAIL").keys("Enter").wait("Continue without").keys("Right Enter").wait("step 3/5 Media");
    steps::choose(&mut console, &journey.world.medium());
    steps::assemble(&mut console);
    console.wait("Assemble warn").wait("incomplete").keys("5").wait("step 5/5 Report").wait("1 missing");
    // A word at a time: what comes all at once is taken for a paste.
    console.keys("/").wait("filter").keys("nothing").wait(": nothing").keys("Enter");
    console.wait_for("the filtered report", |screen| {
        screen.contains("team/nothing:1.0") && !screen.contains("lies in")
    });
    // The same as the command's.
    leave(&mut console, 3);
    let said = journey.is_well();
    assert!(said.contains("team/nothing:1.0"), "{said}");
}

#[test]
fn a_pack_that_was_killed_is_resumed_from_the_start_screen() {
    let Some(journey) = Journey::new() else { return };
    let mut console = journey.fetching();
    console.signal(rustix::process::Signal::KILL);
    assert!(!console.end().success());
    journey.goes_on();
}

/// The device that is mounted on a directory.
pub(crate) fn device_at(directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap();
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mut rows = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    rows.find(|row| Path::new(row[1]) == directory).unwrap()[0].to_owned()
}

#[test]
fn a_loop_device_with_ext4_is_chosen_from_the_list_of_media() {
    let Some(journey) = Journey::new() else { return };
    let Some(mut mount) = Mount::image(&journey.world.medium(), "ext4", 64) else { return };
    let mut console = journey.verified(&journey.references());
    steps::choose_listed(&mut console, &device_at(&journey.world.medium()));
    console.wait("(ext4");
    steps::assemble(&mut console);
    finish(&mut console);
    mount.again("ext4");
    journey.is_well();
}

#[test]
fn exfat_through_fuse_is_tested_for_being_a_fake_and_chosen_from_the_list() {
    let Some(journey) = Journey::new() else { return };
    let Some(medium) = Medium::new(EXFAT, &journey.world.medium()) else { return };
    let mut console = journey.verified(&journey.references());
    steps::find_listed(&mut console, &device_at(&journey.world.medium()));
    console.keys("t").wait("Test the capacity of this medium?").keys("Right Enter");
    console.wait("Test result").wait("+ tested: ").keys("Esc Enter");
    console.wait("step 4/5 Assemble").wait("(exfat");
    steps::assemble(&mut console);
    finish(&mut console);
    medium.again();
    journey.is_well();
}

#[test]
fn fat_through_fuse_is_a_medium() {
    let Some(journey) = Journey::new() else { return };
    let Some(medium) = Medium::new(FAT, &journey.world.medium()) else { return };
    // One image, in a directory: fusefat loses names where a dozen files of long names are renamed, by mv alone too;
    // and it opens a file, so that there is no device to choose, or to test.
    let mut console = journey.verified(&journey.references()[..1]);
    steps::choose(&mut console, &journey.world.medium());
    console.wait("(fat");
    steps::assemble(&mut console);
    finish(&mut console);
    medium.again();
    journey.is_well();
}

/// How far the screen says the fetch is, in percent.
pub(crate) fn fetched(screen: &str) -> Option<u32> {
    let line = screen.lines().find(|line| line.trim_start().starts_with("fetch"))?;
    line.split(" %").next()?.split_whitespace().last()?.parse().ok()
}
