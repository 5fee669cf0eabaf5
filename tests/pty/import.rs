//! From a bundle to its images in a registry, a layout and a containerd, in a real terminal, and what stands there afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::domain::digest::Digest;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;

use crate::console::{Console, Setting};
use crate::machine::Mount;
use crate::rig::containerd::{Containerd, Line};
use crate::rig::registry::DockerRegistry;
use crate::rig::world::{World, copy_tree};
use crate::rig::{need, need_root};
use crate::steps;
use crate::terminal::given_back;

/// What is said of a plan that can be started.
const PLANNED: &str = "+ this can be done: Enter asks once more; choose Import there";
/// The same where its target has something to mind: a containerd, that its own pause image is in none of these bundles; a
/// store, that it was found by a variable.
const PLANNED_WITH_WARNING: &str =
    "! this can be done, with 1 warning: Enter asks once more; choose Import there";
/// What is said of an import.
const DONE: &str = "+ OK  every image is where it was wanted, in ";
/// The same where its target has something to mind.
const DONE_WITH_WARNING: &str = "! WARN  every image is where it was wanted, in 1 target, with 1 warning";

const IMAGES: [&str; 3] = ["team/app-1:1.1", "team/app-2:1.2", "team/app-3:1.3"];

/// A host with a bundle of three images, and their digests.
struct Journey {
    world: World,
    bundle: PathBuf,
    digests: Vec<Digest>,
}

impl Journey {
    /// Nothing after a said skip when `docker-registry` is missing.
    fn new() -> Option<Self> {
        let world = World::start()?;
        let digests = world.push(|layout, host| {
            let image = |(name, n): (&str, u64)| {
                let layers = vec![LayerSpec::noise(n, 200_000), LayerSpec::text("name", name)];
                layout.image(&format!("{host}/{name}"), &ImageSpec::new(layers)).unwrap()
            };
            IMAGES.into_iter().zip(1..).map(image).collect()
        });
        let bundle = world.packed(&IMAGES.map(|name| format!("HOST/{name}")).each_ref().map(String::as_str));
        Some(Self { world, bundle, digests })
    }

    fn names(&self) -> Vec<String> {
        IMAGES.iter().map(|name| self.world.reference(name)).collect()
    }

    /// At the import of the bundle, which verified.
    fn verified(&self) -> Console {
        self.verified_with(&Setting { alone: true, ..Setting::new(&self.world.root.join("home")) })
    }

    fn verified_with(&self, setting: &Setting<'_>) -> Console {
        let mut console = Console::start(setting);
        console.wait("Build media").keys("g");
        steps::open(&mut console, &self.bundle);
        console
    }
}

/// Answers the question with yes, and waits until every image is where it was wanted.
fn import(console: &mut Console, planned: &str, done: &str) {
    // The plan of all targets, not what still stands there of the one before the last was typed.
    console.wait_for("all of it is planned", |screen| {
        let mut chosen = screen.lines().filter(|line| line.starts_with(" * ")).peekable();
        screen.contains(planned) && chosen.peek().is_some() && chosen.all(|line| line.contains("3 add"))
    });
    console.keys("Enter").wait("Import this?").keys("Right Enter");
    console.wait(done);
}

/// Saves the report in a directory, leaves, and gives its JSON form.
fn report(mut console: Console, directory: &Path) -> serde_json::Value {
    console.keys("Enter").wait("step 4/4 Report").wait("verified and imported");
    console
        .keys("s")
        .wait("Save the report in")
        .keys("Ctrl-U")
        .keys(directory.to_str().unwrap())
        .keys("Enter");
    console.wait("written:");
    let file = directory.join("bundle-1-report-imported.json");
    crate::rig::wait_until("the report is there", || file.exists());
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The digest of what skopeo reads there.
fn digest(skopeo: &Path, place: &str) -> Digest {
    let output = Command::new(skopeo)
        .args(["inspect", "--raw", "--tls-verify=false", "--no-creds", place])
        .output()
        .unwrap();
    assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
    airlift::engine::hash::sha256(&output.stdout)
}

#[test]
fn what_this_host_has_mounted_is_hidden_from_a_program_that_is_alone() {
    let Some(journey) = Journey::new() else { return };
    let Some(mount) = Mount::image(&journey.world.root.join("foreign"), "ext4", 16) else { return };
    copy_tree(&journey.bundle, &mount.path().join("bundle-1"));
    for (alone, words) in [(false, "bundle-1"), (true, "no bundle found")] {
        let home = journey.world.root.join("home");
        let mut console = Console::start(&Setting { alone, ..Setting::new(&home) });
        console.wait("Build media").keys("g").wait("step 1/4 Bundle").wait(words);
    }
    assert!(mount.path().join("bundle-1").is_dir(), "nobody else misses it");
}

#[test]
fn a_bundle_goes_into_a_registry_and_a_layout_in_one_run_and_the_report_says_so() {
    let Some(journey) = Journey::new() else { return };
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let layout = journey.world.root.join("layout");
    let mut console = journey.verified();
    steps::aim(&mut console, &format!("registry:http://{}/air", registry.host()));
    steps::aim(&mut console, &format!("oci:{}", layout.display()));
    import(&mut console, PLANNED, DONE);
    let report = report(console, journey.world.root.path());
    assert_eq!(report["deed"], "imported");
    for into in report["imported"].as_array().unwrap() {
        assert_eq!((&into["grade"], into["images"].as_array().unwrap().len()), (&"ok".into(), 3), "{into:#}");
    }
    for ((name, path), expected) in journey.names().iter().zip(IMAGES).zip(&journey.digests) {
        assert_eq!(digest(&skopeo, &format!("docker://{}/air/{path}", registry.host())), *expected);
        assert_eq!(digest(&skopeo, &format!("oci:{}:{name}", layout.display())), *expected);
    }
}

#[test]
fn a_registry_that_is_not_there_is_named_before_anything_is_written_and_planned_again_when_it_is() {
    let Some(journey) = Journey::new() else { return };
    let Some(mut registry) = DockerRegistry::start() else { return };
    registry.die();
    let mut console = journey.verified();
    steps::aim(&mut console, &format!("registry:http://{}/air", registry.host()));
    console.wait("x FAIL").wait(&registry.host());
    registry.come_back();
    console.keys("D");
    import(&mut console, PLANNED, DONE);
    assert_eq!(registry.status_of("/v2/air/team/app-3/tags/list"), 200);
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
}

#[test]
fn a_containerd_has_the_images_afterwards_and_its_cri_answers_for_every_name() {
    let Some(journey) = Journey::new() else { return };
    let Some(containerd) = Containerd::with_cri(Line::One) else { return };
    let mut console = journey.verified();
    steps::aim(&mut console, &containerd.target());
    import(&mut console, PLANNED_WITH_WARNING, DONE_WITH_WARNING);
    console.wait("the CRI of containerd").wait("6 of 6 names");
    let report = report(console, journey.world.root.path());
    journey.world.run(["undo", "--dry-run"]).code(0);
    let proof = report["imported"][0]["checked"][0]["how"].as_str().unwrap().to_owned();
    assert!(proof.contains("answers 6 of 6 names"), "{report:#}");
    let there = containerd.images();
    for (name, expected) in journey.names().into_iter().zip(&journey.digests) {
        assert!(there.contains(&(name.clone(), expected.to_string())), "{name} {expected}: {there:?}");
    }
}

#[test]
fn an_additional_store_has_the_images_afterwards_and_podman_lists_each_as_read_only() {
    let Some(journey) = Journey::new() else { return };
    let (Some(podman), Some(_), true) = (need("podman"), need("skopeo"), need_root()) else { return };
    let root = &journey.world.root;
    let (graph, run) = (root.join("default"), root.join("default-run"));
    let text = format!("[storage]\ndriver = \"overlay\"\ngraphroot = {graph:?}\nrunroot = {run:?}\n");
    let conf = root.write("storage.conf", text + "[storage.options.overlay]\nskip_mount_home = \"true\"\n");
    let before = std::fs::read_to_string(&conf).unwrap();
    let variable = [("CONTAINERS_STORAGE_CONF", conf.to_str().unwrap())];
    let home = root.join("home");
    let mut console = journey.verified_with(&Setting { env: &variable, alone: true, ..Setting::new(&home) });
    steps::aim(&mut console, &format!("containers-storage:{}", root.join("images").display()));
    import(&mut console, PLANNED_WITH_WARNING, DONE_WITH_WARNING);
    console.wait("each as read-only (R/O");
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
    let mut listed = Command::new(podman);
    listed.args(["images", "--format", "{{.Repository}}:{{.Tag}} {{.ReadOnly}}"]).envs(variable);
    let listed = listed.output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let mut listed: Vec<&str> = std::str::from_utf8(&listed.stdout).unwrap().lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, journey.names().iter().map(|name| format!("{name} true")).collect::<Vec<_>>());
    journey.world.run(["undo"]).code(0);
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
}

#[test]
fn what_was_imported_into_a_containerd_is_taken_back_and_what_was_there_before_stays() {
    let Some(journey) = Journey::new() else { return };
    let Some(containerd) = Containerd::with_cri(Line::One) else { return };
    let before = journey.names()[0].clone();
    let bundle = journey.bundle.to_str().unwrap();
    let into = ["--into", &containerd.target(), "--only", &before];
    journey.world.run([&["import", bundle], &into[..]].concat()).code(0);
    let held = containerd.images();
    let mut console = journey.verified();
    steps::aim(&mut console, &containerd.target());
    console
        .wait("2 add, 1 there")
        .wait(PLANNED_WITH_WARNING)
        .keys("Enter")
        .wait("Import this?")
        .keys("Right Enter");
    console.wait(DONE_WITH_WARNING);
    assert!(containerd.images().len() > held.len());
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
    // Another program takes it back, by what the first one noted.
    let mut console = journey.verified();
    steps::aim(&mut console, &containerd.target());
    console.wait("3 there");
    console
        .keys("u")
        .wait("Undo which import?")
        .wait("000001")
        .keys("Enter")
        .wait("The last import that is noted");
    console.keys("Right Enter").wait("Undone").keys("Esc");
    console.wait("2 add, 1 there").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    assert_eq!(containerd.images(), held);
}

/// Whether two small images only lack their names by now, and have for a while: the large one is well under way.
fn two_are_in(screen: &str) -> bool {
    let small = |line: &&str| line.contains("/first:1") || line.contains("/second:1");
    let complete = screen.lines().filter(small).filter(|line| line.contains("unpacked; named"));
    let large = screen.lines().find(|line| line.contains("/large:1"));
    let come = large.and_then(|line| line.split_once(" MB of ")?.0.rsplit(' ').next()?.parse::<f64>().ok());
    complete.count() == 2 && come.is_some_and(|megabytes| megabytes > 50.0)
}

#[test]
fn an_import_that_ctrl_c_stopped_says_what_is_in_and_start_goes_on_with_it() {
    const LARGE: u64 = 200 << 20;
    let (Some(world), Some(containerd)) = (World::start(), Containerd::with_cri(Line::One)) else { return };
    world.push(|layout, host| {
        for name in ["first", "second"] {
            layout.image(&format!("{host}/team/{name}:1"), &ImageSpec::small(name)).unwrap();
        }
        let layers = vec![LayerSpec::noise(1, LARGE), LayerSpec::noise(2, LARGE)];
        layout.image(&format!("{host}/team/large:1"), &ImageSpec::new(layers)).unwrap();
    });
    let bundle = world.packed(&["HOST/team/first:1", "HOST/team/second:1", "HOST/team/large:1"]);
    let journey = Journey { world, bundle, digests: Vec::new() };
    let named = || containerd.images().iter().filter(|(name, _)| !name.starts_with("sha256:")).count();
    let mut console = journey.verified();
    steps::aim(&mut console, &containerd.target());
    console.wait("3 add").wait(PLANNED_WITH_WARNING).keys("Enter").wait("Import this?").keys("Right Enter");
    console.wait_for("two are in but for their names", two_are_in);
    console.keys("Ctrl-c").wait("Ctrl-C again within 6 s stops the job").keys("Ctrl-c");
    assert_eq!(console.end().exit_code(), 130);
    given_back(&console);
    let said = console.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["stopped at a safe point: import ", "in it: ", "not in it: ", "airlift undo 000001 "] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.contains("this goes on from here: airlift import "), "{said}");
    assert_eq!(named(), 4, "the names of two images");
    let home = journey.world.root.join("home");
    let mut console = Console::start(&Setting { alone: true, ..Setting::new(&home) });
    console.wait("Undo that import").wait("takes back 6 names");
    // The line of the row that the cursor was put on.
    console.wait("Go on importing bundle-1").wait("stopped with 2 of 3 images in").keys("Enter");
    steps::open(&mut console, &journey.bundle);
    console.wait("1 add, 2 there").wait(PLANNED_WITH_WARNING);
    console.keys("Enter").wait("Import this?").keys("Right Enter").wait(DONE_WITH_WARNING);
    console.keys("q");
    assert_eq!((console.end().exit_code(), named()), (0, 6));
}

#[test]
fn a_containerd_that_dies_in_the_middle_is_told_and_a_retry_completes_what_can_then_be_taken_back() {
    const LARGE: u64 = 48 << 20;
    let (Some(world), Some(mut containerd)) = (World::start(), Containerd::with_cri(Line::One)) else {
        return;
    };
    world.push(|layout, host| {
        layout.image(&format!("{host}/team/small:1"), &ImageSpec::small("small")).unwrap();
        let layers = vec![LayerSpec::noise(1, LARGE), LayerSpec::noise(2, LARGE)];
        layout.image(&format!("{host}/team/large:1"), &ImageSpec::new(layers)).unwrap();
    });
    let bundle = world.packed(&["HOST/team/small:1", "HOST/team/large:1"]);
    let journey = Journey { world, bundle, digests: Vec::new() };
    let mut console = journey.verified();
    steps::aim(&mut console, &containerd.target());
    console.wait("2 add").wait(PLANNED_WITH_WARNING).keys("Enter").wait("Import this?").keys("Right Enter");
    let ingest = containerd.root().join("io.containerd.content.v1.content/ingest");
    crate::rig::wait_until("a large layer is on its way", || {
        let parts = std::fs::read_dir(&ingest).into_iter().flatten().flatten();
        let sizes = parts.filter_map(|part| part.path().join("data").metadata().ok());
        sizes.map(|data| data.len()).any(|size| size > LARGE / 8)
    });
    containerd.kill();
    // What it is, what it likely means and what is next, before anything else.
    console.wait("x FAIL").wait("went away").wait("journalctl -u containerd").wait("r retry");
    containerd.start_again();
    assert_eq!(containerd.images(), Vec::<(String, String)>::new());
    console.keys("r").wait(DONE_WITH_WARNING).wait("4 of 4 names");
    assert_eq!(containerd.images().iter().filter(|(name, _)| !name.starts_with("sha256:")).count(), 4);
    console.keys("u").wait("Undo the import?").keys("Right Enter").wait("Undone").keys("Esc");
    console.wait("2 add").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    assert_eq!(containerd.images(), Vec::<(String, String)>::new());
}
