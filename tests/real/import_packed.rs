//! The whole way through the program: packed from one registry, signed, imported into another; and what a bad medium does to it.

use std::path::{Path, PathBuf};

use airlift::domain::digest::Digest;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::Value;

use crate::import::digest_there;
use crate::pack::{in_own_mounts, snapshot};
use crate::rig::need;
use crate::rig::registry::DockerRegistry;
use crate::rig::world::{Ran, World, copy_tree, damaged_copy};

const APP: &str = "team/app:1";
const OLD: &str = "team/old:2";
const MULTI: &str = "team/multi:3";

/// A host that has packed, and the registry on the other side.
struct Journey {
    world: World,
    far: DockerRegistry,
    skopeo: PathBuf,
    bundle: PathBuf,
    /// Path with tag, or path with digest, and what must be found there.
    digests: Vec<(String, Digest)>,
    /// Of the OCI image: the layer that no other has.
    layer: Digest,
}

/// An OCI image, a Docker schema 2 one and a list of two, in a bundle where every larger layer lies in parts.
fn journey() -> Option<Journey> {
    let (skopeo, far, world) = (need("skopeo")?, DockerRegistry::start()?, World::start()?);
    let (digests, layer) = world.push(|layout, host| {
        let name = |path: &str| format!("{host}/{path}");
        let spec = |seed| {
            ImageSpec::new(vec![LayerSpec::text("etc/name", "shared"), LayerSpec::noise(seed, 90_000)])
        };
        let app = layout.image(&name(APP), &spec(1)).unwrap();
        let layer = layout.layer(&LayerSpec::noise(1, 90_000)).unwrap().digest;
        let old = layout.image(&name(OLD), &spec(2).docker()).unwrap();
        let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
        let multi = layout.index(&name(MULTI), &specs).unwrap();
        let index: Value = serde_json::from_slice(&std::fs::read(layout.blob_path(&multi)).unwrap()).unwrap();
        let mut digests = vec![(APP.to_owned(), app), (OLD.to_owned(), old), (MULTI.to_owned(), multi)];
        for child in index["manifests"].as_array().unwrap() {
            let digest: Digest = child["digest"].as_str().unwrap().parse().unwrap();
            digests.push((format!("team/multi@{digest}"), digest));
        }
        (digests, layer)
    });
    // The one to be damaged comes last: what was sent before it must not be named either.
    let wanted = [OLD, MULTI, APP].map(|path| format!("HOST/{path}"));
    let bundle = world.packed(&[&wanted[0], &wanted[1], &wanted[2], "--max-file-size", "40000"]);
    Some(Journey { world, far, skopeo, bundle, digests, layer })
}

impl Journey {
    fn import(&self, bundle: &Path, more: &[&str]) -> Ran {
        let mut command = self.world.command();
        command.arg("import").arg(bundle).arg("--json").args(["--into", &self.target()]).args(more);
        Ran::of(command)
    }

    fn target(&self) -> String {
        format!("registry:http://{}", self.far.host())
    }

    /// What the far registry has under a path with tag or digest.
    fn there(&self, path: &str) -> Option<String> {
        digest_there(&self.skopeo, &format!("{}/{path}", self.far.host()))
    }

    #[track_caller]
    fn assert_complete(&self) {
        assert_eq!(self.digests.len(), 5);
        for (path, digest) in &self.digests {
            assert_eq!(self.there(path), Some(digest.to_string()), "{path}");
        }
    }

    /// How many bundles this host remembers as accepted.
    fn accepted(&self) -> usize {
        let history = self.world.root.join("home/.local/share/airlift/state/state.json");
        let Ok(history) = std::fs::read(history) else { return 0 };
        let history: serde_json::Value = serde_json::from_slice(&history).unwrap();
        history["accepted"].as_array().map_or(0, Vec::len)
    }

    /// A second copy of the medium on which a byte of [`Journey::layer`] is another, in its second part.
    fn damaged(&self) -> PathBuf {
        let copy = self.world.root.join("damaged");
        copy_tree(&self.bundle, &copy);
        let part = copy.join(format!("airlift/parts/{}.001", self.layer.hex()));
        let mut bytes = std::fs::read(&part).unwrap();
        bytes[7] ^= 1;
        std::fs::write(part, bytes).unwrap();
        copy
    }
}

fn outcomes(ran: &Ran) -> Vec<String> {
    let report = ran.report();
    let images = report["targets"][0]["images"].as_array().unwrap_or_else(|| panic!("{report}"));
    images.iter().map(|image| image["outcome"]["outcome"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn r01_r13_what_is_packed_arrives_with_every_digest_and_a_second_import_writes_nothing() {
    let Some(journey) = journey() else { return };
    assert!(journey.bundle.join(format!("airlift/parts/{}.002", journey.layer.hex())).is_file());
    let dry = journey.import(&journey.bundle, &["--dry-run"]).code(0);
    assert_eq!(outcomes(&dry), ["added"; 3]);
    assert_eq!(journey.there(APP), None, "a dry run is dry");
    let first = journey.import(&journey.bundle, &[]).code(0);
    assert_eq!(outcomes(&first), ["added"; 3]);
    journey.assert_complete();
    let again = journey.import(&journey.bundle, &[]).code(0);
    assert_eq!(outcomes(&again), ["skipped"; 3]);
    assert_eq!(again.report()["targets"][0]["bytesWritten"], 0);
    // What arrived is pulled and packed again: the same digests once more.
    let back = journey.world.root.join("back");
    let to = format!("dir:{}", back.display());
    let from = format!("docker://{}/{APP}", journey.far.host());
    let copy = std::process::Command::new(&journey.skopeo)
        .args(["copy", "--src-tls-verify=false", "--src-no-creds", &from, &to])
        .output()
        .unwrap();
    assert!(copy.status.success(), "{}", String::from_utf8_lossy(&copy.stderr));
    assert!(back.join(journey.layer.hex()).is_file(), "the layer that lay in parts is whole");
}

#[test]
fn a_byte_that_changed_after_signing_tags_nothing_and_a_good_copy_completes_the_import() {
    let Some(journey) = journey() else { return };
    let damaged = journey.damaged();
    let said = journey.import(&damaged, &[]).code(10).said();
    assert!(said.contains(journey.layer.hex()) || said.contains(APP), "{said}");
    assert_eq!(journey.there(APP), None, "the damaged image has no name");
    let blob = format!("/v2/team/app/blobs/{}", journey.layer);
    assert_eq!(journey.far.status_of(&blob), 404, "nor is its layer there");
    assert_eq!([OLD, MULTI].map(|path| journey.there(path)), [None, None], "and no other is tagged");
    assert_eq!(journey.accepted(), 0, "what was not imported shuts out no other bundle");
    journey.import(&journey.bundle, &["--dry-run"]).code(0);
    assert_eq!(journey.accepted(), 0);
    journey.import(&journey.bundle, &[]).code(0);
    journey.assert_complete();
    assert_eq!(journey.accepted(), 1);
}

#[test]
fn keep_going_imports_the_others_and_exits_3() {
    let Some(journey) = journey() else { return };
    let damaged = journey.damaged();
    let ran = journey.import(&damaged, &["--keep-going"]).code(3);
    assert!(ran.said().contains(journey.layer.hex()), "{}", ran.said());
    assert_eq!(journey.there(APP), None);
    for (path, digest) in &journey.digests[1..] {
        assert_eq!(journey.there(path), Some(digest.to_string()), "{path}");
    }
    let rest = journey.import(&journey.bundle, &[]).code(0);
    assert_eq!(outcomes(&rest), ["skipped", "skipped", "added"]);
    journey.assert_complete();
}

#[test]
fn only_the_named_image_is_imported_and_damage_elsewhere_does_not_matter() {
    let Some(journey) = journey() else { return };
    let only = journey.world.reference(OLD);
    let ran = journey.import(&journey.damaged(), &["--only", &only]).code(0);
    assert_eq!(outcomes(&ran), ["added"]);
    assert_eq!(journey.there(OLD), Some(journey.digests[1].1.to_string()));
    assert_eq!([APP, MULTI].map(|path| journey.there(path)), [None, None]);
    let absent = journey.world.reference("team/none:1");
    let refused = journey.import(&journey.bundle, &["--only", &absent]);
    assert!(refused.exit != Some(0) && refused.said().contains("team/none:1"), "{refused:?}");
}

/// In every target that image failed and no other one.
fn fails_alone(ran: &Ran, name: &str) {
    for target in ran.report()["targets"].as_array().unwrap() {
        for one in target["images"].as_array().unwrap() {
            let failed = one["outcome"]["outcome"] == "failed";
            assert_eq!(failed, one["reference"] == *name, "{one}");
        }
    }
}

#[test]
fn a_damaged_manifest_keeps_its_own_image_out_and_no_other_one() {
    let Some(journey) = journey() else { return };
    let root = &journey.world.root;
    let config = |digest: &Digest| -> Digest {
        let path = journey.bundle.join(digest.layout_path());
        let manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        manifest["config"]["digest"].as_str().unwrap().parse().unwrap()
    };
    let [index, child] = [2, 4].map(|at| journey.digests[at].1.clone());
    let old = journey.digests[1].1.clone();
    for (at, (blob, image)) in
        [(index, MULTI), (child, MULTI), (old.clone(), OLD), (config(&old), OLD)].into_iter().enumerate()
    {
        let damaged = root.join(format!("damaged-{at}"));
        damaged_copy(&journey.bundle, &blob, &damaged);
        let (layout, archive) = (root.join(format!("layout-{at}")), root.join(format!("{at}.tar")));
        let import = |more: &[&str]| {
            let mut command = journey.world.command();
            command.arg("import").arg(&damaged).arg("--json");
            command.args(["--into", &format!("oci:{}", layout.display())]);
            command.args(["--into", &format!("oci-archive:{}", archive.display())]).args(more);
            Ran::of(command)
        };
        let name = journey.world.reference(image);
        let ended = import(&[]).code(10).said();
        let file = blob.layout_path();
        for words in [&name, &file, "--keep-going imports the others", "copy or pack it again", "--only"] {
            assert!(ended.contains(words), "{words}: {ended}");
        }
        assert!(!layout.exists() && !archive.exists(), "{ended}");
        for (dry, code) in [(&["--dry-run"][..], 10), (&["--dry-run", "--keep-going"], 3)] {
            let planned = import(dry).code(code);
            assert!(planned.said().contains(&name) && planned.said().contains(&file), "{}", planned.said());
            assert_eq!(outcomes(&planned).iter().filter(|one| *one == "added").count(), 2);
        }
        let kept = import(&["--keep-going"]).code(3);
        assert!(kept.said().contains(&name) && kept.said().contains(&file), "{}", kept.said());
        fails_alone(&kept, &name);
        let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
        assert!(!index.contains(&name) && index.contains(&journey.world.reference(APP)), "{index}");
        assert!(!layout.join(&file).exists(), "what is damaged is nowhere");
        let alone = import(&["--only", &name, "--keep-going"]).code(3).said();
        assert!(alone.contains("1 of 1 image") || alone.contains("2 of 2 images"), "{alone}");
        // What is planned ends as the run would, and warns of the same.
        for more in [&["--dry-run"][..], &[]] {
            let other =
                import(&[&["--only", &*journey.world.reference(APP), "--replace"][..], more].concat());
            let other = other.code(0).said();
            assert!(other.contains("not noted as accepted") && other.contains(&file), "{more:?}: {other}");
        }
    }
    assert_eq!(journey.accepted(), 0, "what is damaged must not shut out the good one before it");
    // The same into a registry.
    let damaged = root.join("damaged-1");
    journey.import(&damaged, &[]).code(10);
    assert_eq!([APP, OLD, MULTI].map(|path| journey.there(path)), [None, None, None]);
    journey.import(&damaged, &["--keep-going"]).code(3);
    assert_eq!([APP, OLD, MULTI].map(|path| journey.there(path).is_some()), [true, true, false]);
    let rest = journey.import(&journey.bundle, &[]).code(0);
    assert_eq!(outcomes(&rest).iter().filter(|one| *one == "added").count(), 1);
    journey.assert_complete();
}

#[test]
fn r28_a_bundle_on_a_medium_that_cannot_be_written_is_imported_and_unchanged() {
    let Some(journey) = journey() else { return };
    let before = snapshot(&journey.bundle);
    let script = "mount --bind medium medium && mount -o remount,ro,bind medium && ! touch medium/x 2>/dev/null && exec \"$0\" \"$@\"";
    let (bundle, target) = (journey.bundle.to_str().unwrap(), journey.target());
    let arguments = ["import", bundle, "--into", &target];
    let Some(ran) = in_own_mounts(&journey.world, script, &arguments) else { return };
    ran.code(0);
    journey.assert_complete();
    assert_eq!(snapshot(&journey.bundle), before);
}
