//! Media that fail while they are read or listed: what fails is named with its place, nothing is signed, tagged or thrown away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlift::domain::bundle::{Blob, BundleManifest, MANIFEST};
use airlift::domain::import::Target;
use airlift::engine::bundle::verify::{Bytes, Verified, VerifySpec, verify};
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::files::Files;
use airlift::engine::import::changes::Noting;
use airlift::engine::import::{ImportSpec, import};

use crate::faulty::{Fault, FaultyFiles};
use crate::full::pack_through;
use crate::machine::{files_below, signatures};
use crate::rig::world::World;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A world with one image of two layers, the larger one of 2.5 MB.
fn world() -> Option<World> {
    let world = World::start()?;
    world.push(|layout, host| {
        let layers = vec![LayerSpec::noise(7, 2_500_001), LayerSpec::noise(8, 700_000)];
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap()
    });
    Some(world)
}

/// The blobs of a bundle, the largest first.
fn blobs(bundle: &Path) -> Vec<Blob> {
    let document = BundleManifest::parse(&std::fs::read(bundle.join(MANIFEST)).unwrap()).unwrap();
    let mut blobs = document.blobs;
    blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
    blobs
}

fn over(files: Arc<dyn Files>) -> JobCtx {
    JobCtx { files, ..JobCtx::silent() }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work)
}

fn look(world: &World, bundle: &Path, bytes: Bytes, files: Arc<dyn Files>) -> Result<Verified, EngineError> {
    let spec = VerifySpec {
        path: bundle.to_owned(),
        trust: world.trust_file(),
        min_signatures: 1,
        state: world.root.join("seen"),
        deep: false,
        allow_rollback: airlift::domain::trust::AllowRollback::No,
        bytes,
        record: false,
    };
    run(verify(spec, &over(files)))
}

/// The error of a verification that must fail.
fn refused(world: &World, bundle: &Path, files: &Arc<FaultyFiles>) -> EngineError {
    let error = look(world, bundle, Bytes::All, files.clone()).err().expect("the bundle cannot be read");
    assert!(files.struck(), "{error}");
    error
}

#[test]
fn a_sector_that_cannot_be_read_back_is_named_with_its_place_and_nothing_is_signed() {
    let Some(world) = world() else { return };
    let whole = world.packed(&["HOST/team/app:1"]);
    let path = blobs(&whole)[0].digest.layout_path();
    std::fs::remove_dir_all(&whole).unwrap();
    let files = FaultyFiles::at(Fault::ReadCold(1 << 20, EIO), &path);
    let error = pack_through(&world, &files).expect_err("it cannot be read back");
    assert!(files.struck());
    assert_eq!(error.kind(), Kind::Medium);
    for words in [path.as_str(), "at byte 1048576", "Input/output error"] {
        assert!(error.message().contains(words), "{words:?} is not in {error}");
    }
    assert_eq!(signatures(&world.medium()), Vec::<String>::new());
    // A device that reads again lets the same pack end well.
    let bundle = world.packed(&["HOST/team/app:1"]);
    world.verify(&bundle, &[]).code(0);
}

#[test]
fn a_destination_that_cannot_be_listed_is_refused_by_name_and_a_signed_bundle_is_not_taken_for_half_a_one() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let before = files_below(&bundle);
    for directory in ["medium", "bundle-1/airlift/signatures", "bundle-1/blobs", "bundle-1"] {
        let files = FaultyFiles::at(Fault::List(EIO), directory);
        let error = pack_through(&world, &files).expect_err("the medium cannot be listed");
        assert!(files.struck());
        assert_eq!(error.kind(), Kind::Medium, "{directory}: {error}");
        let named = format!("{directory}: Input/output error");
        assert!(error.message().starts_with("cannot list ") && error.message().contains(&named), "{error}");
        assert_eq!(files_below(&bundle), before, "{directory}");
    }
    world.verify(&bundle, &[]).code(0);
}

#[test]
fn a_bundle_that_cannot_be_listed_does_not_verify_and_the_directory_is_named() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    for directory in ["bundle-1", "blobs/sha256", "airlift/signatures"] {
        let error = refused(&world, &bundle, &FaultyFiles::at(Fault::List(EIO), directory));
        assert_eq!(error.kind(), Kind::Medium, "{directory}: {error}");
        assert!(error.message().contains(&format!("{directory}: Input/output error")), "{error}");
    }
}

#[test]
fn a_blob_that_cannot_be_read_is_named_with_its_place_and_the_rest_is_looked_at_all_the_same() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let [first, second] = [0, 1].map(|at| blobs(&bundle)[at].digest.layout_path());
    let files = FaultyFiles::at(Fault::Read(1_234_567, EIO), &first);
    let error = refused(&world, &bundle, &files);
    assert_eq!(error.kind(), Kind::Medium, "{error}");
    assert!(error.message().contains(&first) && error.message().contains("at byte 1234567"), "{error}");
    // Another one is changed: both are told, and the device stays the news.
    let mut bytes = std::fs::read(bundle.join(&second)).unwrap();
    bytes[600_000] ^= 1;
    std::fs::write(bundle.join(&second), bytes).unwrap();
    let error = refused(&world, &bundle, &FaultyFiles::at(Fault::Read(1_234_567, EIO), &first));
    assert_eq!(error.kind(), Kind::Medium, "{error}");
    for words in ["2 files are damaged", &first, "at byte 1234567", &second, "hash to sha256:"] {
        assert!(error.message().contains(words), "{words:?} is not in {error}");
    }
}

#[test]
fn what_ends_early_vanishes_or_cannot_be_read_never_verifies_whichever_file_it_is() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    for path in files_below(&bundle) {
        let errors = [Fault::Read(10, EIO), Fault::Read(0, EIO), Fault::End(10), Fault::Vanish]
            .map(|fault| (fault, refused(&world, &bundle, &FaultyFiles::at(fault, &path))));
        for (fault, error) in errors {
            assert!(error.message().contains(&path), "{path} {fault:?}: {error}");
            let expected = match fault {
                // A signature that cannot be had is one less.
                _ if path.ends_with(".sig") => error.kind() == Kind::Trust,
                Fault::Read(..) => error.kind() == Kind::Medium,
                _ => !matches!(error.kind(), Kind::Other | Kind::Interrupted),
            };
            assert!(expected, "{path} {fault:?}: {:?} {error}", error.kind());
        }
    }
}

#[test]
fn a_medium_that_fails_during_an_import_leaves_nothing_named() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let path = blobs(&bundle)[0].digest.layout_path();
    let other = World::start().expect("a second registry");
    let (layout, archive) = (world.root.join("layout"), world.root.join("image.tar"));
    let registry = format!("registry:http://{}", other.registry.host());
    let targets = [
        format!("oci:{}", layout.display()),
        format!("oci-archive:{}", archive.display()),
        format!("docker-archive:{}", archive.display()),
        registry.clone(),
    ];
    for fault in [Fault::Read(1_234_567, EIO), Fault::End(1_234_567)] {
        for target in &targets {
            let error = import_over(&world, &bundle, target, &FaultyFiles::at(fault, &path));
            assert_eq!(error.kind(), Kind::Medium, "{target} {fault:?}: {error}");
            for words in [path.as_str(), "team/app:1"] {
                assert!(error.message().contains(words), "{target}: {words:?} is not in {error}");
            }
            if matches!(fault, Fault::Read(..)) {
                assert!(error.message().contains("at byte 1234567"), "{target}: {error}");
            }
            assert!(!layout.join("index.json").exists() && !archive.exists(), "{target}");
            let half: Vec<PathBuf> = [&layout, &archive.with_extension("tar.airlift-tmp")]
                .into_iter()
                .filter(|path| path.is_file() || has_temp(path))
                .cloned()
                .collect();
            assert!(half.is_empty(), "{target}: {half:?}");
        }
    }
    // The registry holds no tag, and takes the image once the medium reads again.
    let mut command = world.command();
    command.arg("import").arg(&bundle).args(["--into", &registry, "--json"]);
    let report = crate::rig::world::Ran::of(command).code(0).report();
    assert_eq!(report["targets"][0]["images"][0]["outcome"]["outcome"], "added", "{report}");
}

fn has_temp(directory: &Path) -> bool {
    directory.is_dir() && files_below(directory).iter().any(|path| path.ends_with("tmp"))
}

#[test]
fn what_an_import_counts_on_may_stay_unnoted_and_what_it_changes_is_noted_all_the_same() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    // The second line of its notes is what it counts on, the third what it is about to change.
    for (number, fault) in
        [Fault::Torn(2, ENOSPC), Fault::Write(2, ENOSPC), Fault::Sync(2, EIO)].into_iter().enumerate()
    {
        let files = FaultyFiles::at(fault, ".jsonl");
        let verified = look(&world, &bundle, Bytes::AllButLayers, files.clone()).unwrap();
        let [images, state] = ["images", "state"].map(|name| world.root.join(format!("{name}-{number}")));
        std::fs::create_dir(&images).unwrap();
        let spec = ImportSpec::new(vec![format!("k3s:{}", images.display()).parse().unwrap()]);
        let noting = Noting { history: state.clone(), let_through: None };
        run(import(verified.bundle, spec, Some(noting), &over(files.clone()))).unwrap();
        assert!(files.struck(), "{fault:?}");
        let noted = std::fs::read_to_string(state.join("imports/000001.jsonl")).unwrap();
        let kinds: Vec<bool> =
            ["\"wanted\"", "\"archive\"", "\"ended\":\"whole\""].map(|kind| noted.contains(kind)).to_vec();
        assert_eq!(kinds, [false, true, true], "{fault:?}: {noted}");
        let mut undo = world.command();
        undo.args(["undo", "--json", "--state"]).arg(&state);
        let undone = crate::rig::world::Ran::of(undo).code(0).report();
        assert_eq!(undone["targets"][0]["files"]["removed"].as_array().unwrap().len(), 1, "{undone}");
        assert_eq!(std::fs::read_dir(&images).unwrap().count(), 0, "{fault:?}");
    }
}

/// The error of an import of a bundle that fails while it is read.
fn import_over(world: &World, bundle: &Path, target: &str, files: &Arc<FaultyFiles>) -> EngineError {
    let verified = look(world, bundle, Bytes::AllButLayers, files.clone()).unwrap();
    let target: Target = target.parse().unwrap();
    let spec = ImportSpec { jobs: 1, ..ImportSpec::new(vec![target]) };
    let error =
        run(import(verified.bundle, spec, None, &over(files.clone()))).expect_err("it cannot be read");
    assert!(files.struck());
    error
}
