//! The images directory of k3s: what `airlift` puts there is taken over by a real containerd in the way k3s imports it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::domain::digest::Digest;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::Value;

use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::world::{Ran, World};
use crate::rig::{need, wait_until};

pub(crate) const IMAGES: &str = "node/var/lib/rancher/k3s/agent/images";

/// A packed host: an image signed as cosign does, one of Docker schema 2, one of two platforms; and an empty node.
pub(crate) struct Packed {
    pub(crate) world: World,
    pub(crate) bundle: PathBuf,
    pub(crate) images: Vec<(String, Digest)>,
}

pub(crate) fn packed() -> Option<Packed> {
    let world = World::start()?;
    let images = world.push(|layout, host| {
        let name = |path: &str| format!("{host}/{path}");
        let layers = |seed| vec![LayerSpec::text("etc/name", "shared"), LayerSpec::noise(seed, 60_000)];
        let app = layout.image(&name("team/app:1"), &ImageSpec::new(layers(1))).unwrap();
        layout.cosign_signature(&name("team/app:1"), &app).unwrap();
        let old = layout.image(&name("team/old:2"), &ImageSpec::new(layers(2)).docker()).unwrap();
        let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
        let multi = layout.index(&name("team/multi:3"), &specs).unwrap();
        vec![(name("team/app:1"), app), (name("team/old:2"), old), (name("team/multi:3"), multi)]
    });
    let bundle = world.packed(&["HOST/team/app:1", "HOST/team/old:2", "HOST/team/multi:3"]);
    // As k3s has it; it makes no images directory of its own.
    fs::create_dir_all(world.root.join("node/var/lib/rancher/k3s")).unwrap();
    Some(Packed { world, bundle, images })
}

impl Packed {
    pub(crate) fn run(&self, bundle: &Path, more: &[&str]) -> Ran {
        let mut command = self.world.command();
        command.arg("import").arg(bundle).args(["--json", "--into"]);
        command.arg(format!("k3s:{}", self.world.root.join(IMAGES).display())).args(more);
        Ran::of(command)
    }

    /// Imports what must go well, and gives what is said of the target.
    pub(crate) fn import(&self, more: &[&str]) -> Value {
        self.run(&self.bundle, more).code(0).report()["targets"][0].take()
    }

    /// Every file in the images directory.
    pub(crate) fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.world.root.join(IMAGES)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn archive(&self, name: &str) -> PathBuf {
        self.world.root.join(IMAGES).join(name)
    }

    /// The names of all archives, imported one after the other as k3s does at a start.
    pub(crate) fn started(&self) -> Option<Vec<(String, String)>> {
        let containerd = Containerd::start()?;
        for name in self.files() {
            let archive = self.archive(&name).display().to_string();
            let import = ["images", "import", "--all-platforms", "--no-unpack", &archive];
            succeeded(&containerd.ctr(&import).output().unwrap());
        }
        let checked = succeeded(&containerd.ctr(&["images", "check"]).output().unwrap());
        let images = containerd.images();
        assert_eq!(checked.matches(" complete ").count(), images.len(), "{checked}");
        Some(images)
    }
}

/// The tag and the digest name of each, with the top digest, sorted.
pub(crate) fn names(images: &[(String, Digest)]) -> Vec<(String, String)> {
    let both = |(name, digest): &(String, Digest)| {
        let (repository, _) = name.rsplit_once(':').unwrap();
        [(name.clone(), digest.to_string()), (format!("{repository}@{digest}"), digest.to_string())]
    };
    let mut names: Vec<_> = images.iter().flat_map(both).collect();
    names.sort();
    names
}

pub(crate) fn outcomes(target: &Value) -> Vec<&str> {
    target["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["outcome"]["outcome"].as_str().unwrap())
        .collect()
}

pub(crate) const ARCHIVE: &str = "airlift-bundle-00000001.tar";

#[test]
fn a_directory_that_no_k3s_reads_is_refused_and_not_made() {
    let Some(packed) = packed() else { return };
    let rke2 = packed.world.root.join("node/var/lib/rancher/rke2/agent/images");
    for more in [&["--dry-run"][..], &[]] {
        let mut command = packed.world.command();
        command.arg("import").arg(&packed.bundle).arg("--into").arg(format!("k3s:{}", rke2.display()));
        command.args(more);
        let ran = Ran::of(command).code(16);
        assert!(ran.said().contains("there is no k3s or RKE2 for"), "{}", ran.said());
        assert!(ran.said().contains(&format!("mkdir -p {}", rke2.display())), "{}", ran.said());
        assert!(!packed.world.root.join("node/var/lib/rancher/rke2").exists(), "{more:?}");
    }
    let images = packed.world.root.join(IMAGES);
    let (agent, node) = (images.parent().unwrap(), packed.world.root.join("node"));
    let refused = |typed: &Path| {
        let mut command = packed.world.command();
        command.arg("import").arg(&packed.bundle).arg("--into").arg(format!("k3s:{}", typed.display()));
        let said = Ran::of(command).code(16).said();
        assert!(said.contains(&format!("there is no k3s or RKE2 for {}", typed.display())), "{said}");
        assert!(said.contains("nothing was written"), "{said}");
        said
    };
    let meant = format!("did you mean k3s:{}?", images.display());
    for typed in [
        agent.join("imags"),
        node.join("var/lib/rancher/k3/agent/images"),
        node.join("var/lib/rancher/agent/images"),
        node.join("var/lib/rancher/k3s/agent/images/amd64"),
    ] {
        let said = refused(&typed);
        assert!(said.contains("the nearest directory that is there is ") && said.contains(&meant), "{said}");
        assert!(!typed.exists(), "{}", typed.display());
    }
    fs::create_dir_all(agent).unwrap();
    for typed in [agent, agent.parent().unwrap()] {
        let said = refused(typed);
        assert!(
            said.contains("they read agent/images in their data directory") && said.contains(&meant),
            "{said}"
        );
        assert!(!said.contains("mkdir"), "{said}");
    }
    fs::create_dir_all(packed.world.root.join("data/server")).unwrap();
    let elsewhere = packed.world.root.join("data/agent/images");
    for typed in [&elsewhere, &rke2] {
        assert!(!typed.exists());
    }
    fs::create_dir_all(&rke2).unwrap();
    let mut command = packed.world.command();
    command.arg("import").arg(&packed.bundle).arg("--into").arg(format!("k3s:{}", elsewhere.display()));
    Ran::of(command).code(0);
    let mut command = packed.world.command();
    command.arg("import").arg(&packed.bundle).arg("--into").arg(format!("k3s:{}", rke2.display()));
    Ran::of(command).code(0);
}

#[test]
fn r02_containerd_has_every_tag_and_digest_after_an_import_as_k3s_does_it() {
    let Some(packed) = packed() else { return };
    let target = packed.import(&[]);
    assert_eq!(outcomes(&target), ["added"; 3]);
    assert_eq!(packed.files(), [ARCHIVE]);
    let Some(there) = packed.started() else { return };
    assert_eq!(there, names(&packed.images));
}

#[test]
fn an_image_that_was_packed_by_tag_and_digest_is_found_by_either() {
    let Some(packed) = packed() else { return };
    let image = packed.images[0].clone();
    let bundle = packed.world.packed(&[&format!("{}@{}", image.0, image.1)]);
    let packed = Packed { bundle, images: vec![image], ..packed };
    packed.import(&[]);
    assert_eq!(outcomes(&packed.import(&[])), ["skipped"]);
    let Some(there) = packed.started() else { return };
    assert_eq!(there, names(&packed.images));
}

#[test]
fn r02_the_cri_answers_for_every_name_of_the_archive_by_tag_and_by_digest() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let Some(crictl) = need("crictl") else { continue };
        packed.import(&[]);
        let archive = packed.archive(ARCHIVE).display().to_string();
        let import = ["images", "import", "--all-platforms", "--no-unpack", &archive];
        succeeded(&containerd.ctr(&import).output().unwrap());
        let socket = format!("unix://{}", containerd.socket().display());
        for (name, digest) in names(&packed.images) {
            let mut inspect = Command::new(&crictl);
            inspect.args(["--runtime-endpoint", &socket, "--image-endpoint", &socket]);
            inspect.args(["inspecti", "--output", "json", &name]);
            let mut said = String::new();
            // It learns of new images by events.
            wait_until(&format!("the CRI of {line:?} answers for {name}"), || {
                let output = inspect.output().unwrap();
                said = String::from_utf8_lossy(&output.stdout).into_owned();
                output.status.success()
            });
            let said: Value = serde_json::from_str(&said).unwrap();
            let digests = said["status"]["repoDigests"].to_string();
            assert!(digests.contains(&digest), "{name} in {line:?}: {digests}");
        }
    }
}

#[test]
fn r21_a_second_run_leaves_the_archive_untouched_and_the_medium_unread() {
    let Some(packed) = packed() else { return };
    packed.import(&[]);
    let archive = packed.archive(ARCHIVE);
    let before = archive.metadata().unwrap();
    let again = packed.import(&[]);
    assert_eq!(outcomes(&again), ["skipped"; 3]);
    assert_eq!(again["bytesWritten"], 0);
    let after = archive.metadata().unwrap();
    assert_eq!(
        (after.ino(), after.mtime(), after.mtime_nsec()),
        (before.ino(), before.mtime(), before.mtime_nsec())
    );
    fs::write(packed.archive(".cache.json"), "").unwrap();
    let notes = packed.import(&[])["notes"].to_string();
    assert!(notes.contains(".cache.json") && notes.contains("do not come back"), "{notes}");
}

#[test]
fn a_flipped_byte_in_the_archive_is_found_and_the_archive_written_anew() {
    let Some(packed) = packed() else { return };
    packed.import(&[]);
    let archive = packed.archive(ARCHIVE);
    let whole = fs::read(&archive).unwrap();
    // In the marker, in a layer, and in what ends the archive.
    for at in [520, whole.len() / 2, whole.len() - 600] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&archive, &flipped).unwrap();
        let ran = packed.run(&packed.bundle, &["--replace"]).code(0);
        assert!(fs::read(&archive).unwrap() == whole, "byte {at}: {}", ran.said());
    }
    // What is longer than it should be holds names nobody asked for.
    fs::write(&archive, [&whole[..whole.len() - 1024], &whole].concat()).unwrap();
    packed.import(&[]);
    assert!(fs::read(&archive).unwrap() == whole);
}

#[test]
fn images_of_one_bundle_gather_in_one_archive_whatever_is_asked_for_first() {
    let Some(packed) = packed() else { return };
    let names_of: Vec<&str> = packed.images.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(outcomes(&packed.import(&["--only", names_of[2]])), ["added"]);
    assert_eq!(outcomes(&packed.import(&["--only", names_of[0]])), ["added"]);
    assert_eq!(outcomes(&packed.import(&["--only", names_of[2]])), ["skipped"]);
    assert_eq!(packed.files(), [ARCHIVE]);
    let part = [packed.images[0].clone(), packed.images[2].clone()];
    let Some(there) = packed.started() else { return };
    assert_eq!(there, names(&part));
    assert_eq!(outcomes(&packed.import(&[])), ["skipped", "added", "skipped"]);
    let gathered = fs::read(packed.archive(ARCHIVE)).unwrap();
    fs::remove_file(packed.archive(ARCHIVE)).unwrap();
    packed.import(&[]);
    assert!(fs::read(packed.archive(ARCHIVE)).unwrap() == gathered, "the order of asking leaves no trace");
}

#[test]
fn a_tag_that_moved_is_taken_over_only_on_demand_and_the_newer_bundle_has_it_at_a_start() {
    let Some(packed) = packed() else { return };
    packed.import(&[]);
    let name = packed.images[0].0.clone();
    let moved = packed
        .world
        .push(|layout, _| layout.image(&name, &ImageSpec::new(vec![LayerSpec::noise(9, 50_000)])).unwrap());
    let next = packed.world.packed(&["HOST/team/app:1"]);
    let refused = packed.run(&next, &[]).code(16);
    assert!(refused.said().contains(ARCHIVE) && refused.said().contains("--replace"), "{}", refused.said());
    assert_eq!(packed.files(), [ARCHIVE]);
    let report = packed.run(&next, &["--replace"]).code(0).report();
    assert!(report["targets"][0]["notes"].to_string().contains(ARCHIVE), "{report}");
    assert_eq!(packed.files(), [ARCHIVE, "airlift-bundle-00000002.tar"]);
    let Some(there) = packed.started() else { return };
    assert!(there.contains(&(name.clone(), moved.to_string())), "{there:?}");
    let (repository, _) = name.rsplit_once(':').unwrap();
    let before = &packed.images[0].1;
    assert!(there.contains(&(format!("{repository}@{before}"), before.to_string())), "{there:?}");
}

#[test]
fn a_name_that_an_archive_of_a_later_bundle_takes_again_at_the_next_start_is_told() {
    let Some(packed) = packed() else { return };
    let name = packed.images[0].0.clone();
    let moved = packed
        .world
        .push(|layout, _| layout.image(&name, &ImageSpec::new(vec![LayerSpec::noise(9, 50_000)])).unwrap());
    let next = packed.world.packed(&["HOST/team/app:1"]);
    packed.run(&next, &[]).code(0);
    let report = packed.run(&packed.bundle, &["--replace", "--allow-rollback"]).code(0).report();
    let words =
        format!("airlift-bundle-00000002.tar has, which is imported after {ARCHIVE}: {name} ({moved})");
    assert!(report["targets"][0]["notes"].to_string().contains(&words), "{report}");
    let Some(there) = packed.started() else { return };
    assert!(there.contains(&(name.clone(), moved.to_string())), "it is so: {there:?}");
    fs::remove_file(packed.world.root.join(IMAGES).join("airlift-bundle-00000002.tar")).unwrap();
    let report = packed.run(&packed.bundle, &["--allow-rollback"]).code(0).report();
    assert!(!report["targets"][0]["notes"].to_string().contains("from the next start"), "{report}");
}

#[test]
fn an_image_of_another_platform_is_said_before_anything_is_written() {
    let Some(world) = World::start() else { return };
    let foreign = if cfg!(target_arch = "aarch64") { "linux/amd64" } else { "linux/arm64" };
    world.push(|layout, host| {
        let spec = ImageSpec::small("x").on(foreign.parse().unwrap());
        layout.image(&format!("{host}/team/app:1"), &spec).unwrap()
    });
    let bundle = world.packed(&["HOST/team/app:1"]);
    fs::create_dir_all(world.root.join("node/var/lib/rancher/k3s")).unwrap();
    let packed = Packed { world, bundle, images: Vec::new() };
    let ran = packed.run(&packed.bundle, &[]).code(16);
    assert!(ran.said().contains(foreign) && ran.said().contains("nothing was written"), "{}", ran.said());
    assert_eq!(packed.files(), Vec::<String>::new());
    packed.import(&["--platform", foreign]);
    assert_eq!(packed.files(), [ARCHIVE]);
}

#[test]
fn what_the_configuration_of_the_node_makes_of_names_is_said() {
    let Some(packed) = packed() else { return };
    let host = packed.world.registry.host();
    let root = &packed.world.root;
    let mirrors = format!("mirrors:\n  docker.io:\n    endpoint: [\"http://{host}\"]\n");
    root.write("node/etc/rancher/k3s/registries.yaml", mirrors);
    root.write(
        "node/etc/rancher/k3s/config.yaml",
        "system-default-registry: reg.example\npause-image: a/pause:1\n",
    );
    root.write(format!("{IMAGES}/k3s-airgap-images-amd64.tar.zst"), "x");
    let target = packed.import(&[]);
    let notes = target.to_string();
    for words in [
        format!("{host} is a mirror of docker.io"),
        "gets its name under reg.example".to_owned(),
        "pause-image is a/pause:1, which is neither among these images nor in another bundle's archive there: no pod starts".to_owned(),
        "k3s-airgap-images-amd64.tar.zst".to_owned(),
    ] {
        assert!(notes.contains(&words), "{words:?} is not in {notes}");
    }
}

#[test]
fn the_archive_of_a_run_is_taken_back_by_its_number_once_a_run_after_it_left_nothing() {
    let Some(packed) = packed() else { return };
    let world = &packed.world;
    let undo = |more: &[&str]| world.run([&["undo"], more].concat());
    packed.import(&[]);
    assert_eq!(packed.files(), [ARCHIVE]);
    let layout = format!("oci:{}", world.root.join("out").display());
    world.run(["import", packed.bundle.to_str().unwrap(), "--into", &layout]).code(0);
    let listed = undo(&["--list"]).code(0);
    let rows: Vec<&str> = listed.stdout.lines().collect();
    assert!(rows[0].starts_with("000001") && rows[1] == "nothing to take back: 000002", "{rows:?}");
    assert!(
        listed.stderr.contains("takes 000001 back, the last that changed something"),
        "{}",
        listed.stderr
    );
    let said = undo(&[]).code(2).said();
    for words in [
        "the last import left nothing to take back: the import of bundle-1",
        "the last that left something is run 000001, the import of",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let dry = undo(&["1", "--dry-run"]).code(0);
    assert!(dry.stdout.contains("would be removed: "), "{}", dry.said());
    assert_eq!(packed.files(), [ARCHIVE]);
    let undone = undo(&["1"]).code(0);
    assert!(undone.stderr.contains("taking back the import of bundle-1 of 20"), "{}", undone.stderr);
    assert!(undone.stdout.contains("what k3s or RKE2 imported from it stays"), "{}", undone.stdout);
    assert_eq!(packed.files(), [""; 0]);
}

#[test]
fn an_archive_that_was_there_before_a_run_added_to_it_stays_and_is_told_with_what_it_has() {
    let Some(packed) = packed() else { return };
    let undo = |more: &[&str]| packed.world.run([&["undo"], more].concat());
    let only: Vec<String> = packed.images.iter().map(|(name, _)| name.clone()).collect();
    packed.import(&["--only", &only[0]]);
    packed.import(&["--only", &only[1]]);
    let earlier = undo(&["1"]).code(3).stderr;
    assert!(earlier.contains("is of a later run: airlift undo 000002"), "{earlier}");
    packed.import(&["--only", &only[2]]);
    let before = fs::read(packed.archive(ARCHIVE)).unwrap();
    let said = undo(&[]).code(3).stderr;
    for words in ["1 file stays as it is", "there before with ", "the run added ", "--only what is to stay"] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert!(said.contains(&only[2]), "{said}");
    assert_eq!(fs::read(packed.archive(ARCHIVE)).unwrap(), before);
}
