//! Import into real targets: a docker-registry, layouts and archives that skopeo and podman read, and what must be refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use airlift::domain::bundle::{
    Blob, BundleManifest, CARRIED_TAG, CONTAINERD_NAME, FORMAT, File, INDEX, Image, ImagePlatform, LAYOUT,
    REF_NAME, Tool, Totals,
};
use airlift::domain::digest::Digest;
use airlift::domain::media_type as mt;
use airlift::domain::platform::Platform;
use airlift::domain::progress::{Event, Landed};
use airlift::domain::reference::Reference;
use airlift::engine::bundle::read::BundleReader;
use airlift::engine::ctx::{JobCtx, Report};
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout};
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::files::RealFiles;
use airlift::engine::hash::sha256;
use airlift::engine::import::report::{ImportReport, Outcome};
use airlift::engine::import::{ImportSpec, import};
use airlift::engine::registry::RegistryOptions;
use serde_json::{Value, json};

use crate::rig::registry::DockerRegistry;
use crate::rig::{TempRoot, need};

const PLAIN: &str = "docker.io/library/plain:1.0";
const TWIN: &str = "docker.io/team/twin:1.0";
const DOCKER: &str = "quay.io/team/docker:2";
const MULTI: &str = "registry.example/team/multi:3";

/// A bundle as pack leaves it but for its signature, which is another module's business.
pub(crate) struct Bundle {
    pub(crate) root: TempRoot,
    dir: PathBuf,
    document: BundleManifest,
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

fn noise(seed: u64) -> ImageSpec {
    ImageSpec::new(vec![LayerSpec::text("etc/name", "shared"), LayerSpec::noise(seed, 200_000)])
}

/// Four images: two share a layer, one is Docker schema 2, one is an index; the first is signed as cosign does.
fn everything() -> Bundle {
    build(|layout| {
        let plain = layout.image(PLAIN, &noise(1)).unwrap();
        layout.image(TWIN, &noise(2)).unwrap();
        layout.image(DOCKER, &noise(3).docker()).unwrap();
        let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(platform(on)));
        layout.index(MULTI, &specs).unwrap();
        layout.cosign_signature(PLAIN, &plain).unwrap();
    })
}

pub(crate) fn build(fill: impl FnOnce(&mut SampleLayout)) -> Bundle {
    let root = TempRoot::new();
    let dir = root.join("bundle-1");
    let mut layout = SampleLayout::create(&dir).unwrap();
    fill(&mut layout);
    seal(root, dir, &[])
}

/// Lists what lies in the layout; manifests named in `left_out` are taken away first.
fn seal(root: TempRoot, dir: PathBuf, left_out: &[Digest]) -> Bundle {
    for digest in left_out {
        std::fs::remove_file(dir.join(digest.layout_path())).unwrap();
    }
    let mut index: Value = serde_json::from_slice(&std::fs::read(dir.join(INDEX)).unwrap()).unwrap();
    let mut images = Vec::new();
    let mut signatures: BTreeMap<String, Vec<Digest>> = BTreeMap::new();
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    for descriptor in index["manifests"].as_array_mut().unwrap() {
        let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        let media_type = descriptor["mediaType"].as_str().unwrap().to_owned();
        types.insert(digest.to_string(), media_type.clone());
        // What has no name is a referrer, which travels with its subject.
        let Some(name) = descriptor["annotations"][REF_NAME].as_str().map(str::to_owned) else { continue };
        let reference: Reference = name.parse().unwrap();
        if reference.tag().is_some_and(|tag| tag.starts_with("sha256-")) {
            signatures.entry(reference.name()).or_default().push(digest);
            descriptor["annotations"] = json!({ CARRIED_TAG: name });
            continue;
        }
        descriptor["annotations"] = json!({ REF_NAME: name, CONTAINERD_NAME: name });
        let document: Value =
            serde_json::from_slice(&std::fs::read(dir.join(digest.layout_path())).unwrap()).unwrap();
        let (platforms, omitted) = platforms(&document, &digest, left_out, &mut types);
        images.push(Image {
            requested: name,
            reference: reference.clone(),
            digest,
            media_type,
            source: reference.name(),
            resolved_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            platforms,
            omitted_platforms: omitted,
            signatures: Vec::new(),
            findings: Vec::new(),
        });
    }
    for image in &mut images {
        image.signatures = signatures.get(&image.reference.name()).cloned().unwrap_or_default();
    }
    std::fs::write(dir.join(INDEX), serde_json::to_vec(&index).unwrap()).unwrap();
    let document = document(&dir, images, &types);
    Bundle { root, dir, document }
}

/// What an index carries and leaves out; an image by itself is its own platform.
fn platforms(
    document: &Value,
    top: &Digest,
    left_out: &[Digest],
    types: &mut BTreeMap<String, String>,
) -> (Vec<ImagePlatform>, Vec<ImagePlatform>) {
    let (mut platforms, mut omitted) = (Vec::new(), Vec::new());
    for child in document["manifests"].as_array().into_iter().flatten() {
        let digest: Digest = child["digest"].as_str().unwrap().parse().unwrap();
        types.insert(digest.to_string(), child["mediaType"].as_str().unwrap().to_owned());
        let one = ImagePlatform {
            os: child["platform"]["os"].as_str().unwrap().to_owned(),
            architecture: child["platform"]["architecture"].as_str().unwrap().to_owned(),
            variant: None,
            size: 0,
            digest: digest.clone(),
        };
        if left_out.contains(&digest) { omitted.push(one) } else { platforms.push(one) }
    }
    if platforms.is_empty() {
        let (os, architecture) = ("linux".to_owned(), "amd64".to_owned());
        platforms.push(ImagePlatform { os, architecture, variant: None, size: 0, digest: top.clone() });
    }
    (platforms, omitted)
}

fn document(dir: &Path, images: Vec<Image>, types: &BTreeMap<String, String>) -> BundleManifest {
    let mut blobs = Vec::new();
    for entry in std::fs::read_dir(dir.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let digest: Digest = format!("sha256:{}", entry.file_name().to_str().unwrap()).parse().unwrap();
        let media_type = types.get(&digest.to_string()).cloned().unwrap_or_default();
        let size = entry.metadata().unwrap().len();
        let path = Some(digest.layout_path());
        blobs.push(Blob { digest, size, media_type, path, parts: Vec::new() });
    }
    let files = [LAYOUT, INDEX].map(|path| {
        let bytes = std::fs::read(dir.join(path)).unwrap();
        let sha256 = sha256(&bytes).hex().to_owned();
        File { path: path.to_owned(), size: bytes.len() as u64, sha256 }
    });
    let totals = Totals {
        images: images.len() as u64,
        blobs: blobs.len() as u64,
        bytes: blobs.iter().map(|blob| blob.size).sum(),
    };
    BundleManifest {
        format: FORMAT.to_owned(),
        id: uuid::Uuid::nil(),
        name: "bundle".to_owned(),
        serial: 1,
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires: None,
        tool: Tool { version: "0".to_owned(), binaries: Vec::new() },
        base: None,
        complete: true,
        missing: Vec::new(),
        images,
        blobs,
        files: files.to_vec(),
        totals,
    }
}

impl Bundle {
    pub(crate) fn reader(&self) -> BundleReader {
        BundleReader::new(self.dir.clone(), self.document.clone(), Arc::new(RealFiles))
    }

    fn digest(&self, reference: &str) -> &Digest {
        let image = self.document.images.iter().find(|image| image.reference.to_string() == reference);
        &image.unwrap().digest
    }

    /// The layer that only this image has.
    fn layer(&self, reference: &str) -> PathBuf {
        let path = self.dir.join(self.digest(reference).layout_path());
        let manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let digest: Digest = manifest["layers"][1]["digest"].as_str().unwrap().parse().unwrap();
        self.dir.join(digest.layout_path())
    }

    /// Changes one byte in the middle of a file, as a failing medium does.
    fn flip(&self, path: &Path) {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    async fn import(&self, into: &[String]) -> Result<ImportReport, EngineError> {
        self.with(into, |_| {}).await
    }

    async fn with(
        &self,
        into: &[String],
        change: impl FnOnce(&mut ImportSpec),
    ) -> Result<ImportReport, EngineError> {
        let mut spec = ImportSpec {
            // An empty file, so that no account of whoever runs the tests is used.
            registry: RegistryOptions {
                authfile: Some(self.root.write("auth.json", "{}")),
                ..RegistryOptions::default()
            },
            jobs: 3,
            ..ImportSpec::new(into.iter().map(|text| text.parse().unwrap()).collect())
        };
        change(&mut spec);
        import(self.reader(), spec, None, &JobCtx::silent()).await
    }

    /// What is foreseen of each target by a plan that cannot be made for all of them.
    async fn foreseen(&self, into: &[String]) -> (EngineError, Vec<Landed>) {
        let said = Arc::new(Said::default());
        let spec = ImportSpec {
            dry_run: true,
            keep_going: true,
            jobs: 3,
            ..ImportSpec::new(into.iter().map(|text| text.parse().unwrap()).collect())
        };
        let error = import(self.reader(), spec, None, &JobCtx::new(said.clone())).await.unwrap_err();
        let landed = said.0.lock().unwrap().clone();
        (error, landed)
    }
}

/// Keeps what is said of targets.
#[derive(Default)]
struct Said(Mutex<Vec<Landed>>);

impl Report for Said {
    fn event(&self, event: Event) {
        if let Event::Landed(landed) = event {
            self.0.lock().unwrap().push(landed);
        }
    }
}

fn outcomes(report: &ImportReport, target: usize) -> Vec<&Outcome> {
    report.targets[target].images.iter().map(|image| &image.outcome).collect()
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

fn stdout(program: &Path, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?}: {stderr}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

/// The digest that a registry has under a name, as skopeo computes it.
pub(crate) fn digest_there(skopeo: &Path, name: &str) -> Option<String> {
    let output =
        run(skopeo, &["inspect", "--raw", "--tls-verify=false", "--no-creds", &format!("docker://{name}")]);
    output.status.success().then(|| sha256(&output.stdout).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn r01_r05_every_digest_in_a_registry_is_the_bundles_and_a_second_run_writes_nothing() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let bundle = everything();
    let target = format!("registry:http://{}/air", registry.host());
    let report = bundle.import(std::slice::from_ref(&target)).await.unwrap();
    assert!(outcomes(&report, 0).iter().all(|outcome| **outcome == Outcome::Added), "{report:?}");
    for image in &bundle.document.images {
        let repository = format!("{}/air/{}", registry.host(), image.reference.repository());
        let (tag, digest) = (image.reference.tag().unwrap(), image.digest.to_string());
        assert_eq!(digest_there(&skopeo, &format!("{repository}:{tag}")), Some(digest.clone()));
        assert_eq!(digest_there(&skopeo, &format!("{repository}@{digest}")), Some(digest));
        for child in &image.platforms {
            let child = child.digest.to_string();
            assert_eq!(digest_there(&skopeo, &format!("{repository}@{child}")), Some(child));
        }
    }
    let signed = bundle.digest(PLAIN).hex().to_owned();
    let signature = format!("{}/air/library/plain:sha256-{signed}.sig", registry.host());
    let carried = bundle.document.images[0].signatures[0].to_string();
    assert_eq!(digest_there(&skopeo, &signature), Some(carried));
    let copied = bundle.root.join("copied");
    stdout(
        &skopeo,
        &[
            "copy",
            "--all",
            "--src-tls-verify=false",
            &format!("docker://{}/air/team/multi:3", registry.host()),
            &format!("dir:{}", copied.display()),
        ],
    );
    let again = bundle.import(&[target]).await.unwrap();
    assert!(outcomes(&again, 0).iter().all(|outcome| **outcome == Outcome::Skipped), "{again:?}");
    assert_eq!(again.targets[0].bytes_written, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r03_two_digests_of_one_repository_are_both_there() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let mut bundle = everything();
    // Both by digest alone, in one repository.
    for image in &mut bundle.document.images[..2] {
        let reference = format!("docker.io/library/pinned@{}", image.digest);
        image.reference = reference.parse().unwrap();
    }
    bundle.document.images.truncate(2);
    let report = bundle.import(&[format!("registry:http://{}", registry.host())]).await.unwrap();
    assert!(outcomes(&report, 0).iter().all(|outcome| **outcome == Outcome::Added), "{report:?}");
    for image in &bundle.document.images {
        let name = format!("{}/library/pinned@{}", registry.host(), image.digest);
        assert_eq!(digest_there(&skopeo, &name), Some(image.digest.to_string()));
    }
}

fn sparse() -> Bundle {
    let root = TempRoot::new();
    let dir = root.join("bundle-1");
    let mut layout = SampleLayout::create(&dir).unwrap();
    let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(platform(on)));
    let top = layout.index(MULTI, &specs).unwrap();
    let index: Value = serde_json::from_slice(&std::fs::read(dir.join(top.layout_path())).unwrap()).unwrap();
    let arm: Digest = index["manifests"][1]["digest"].as_str().unwrap().parse().unwrap();
    seal(root, dir, &[arm])
}

#[tokio::test(flavor = "multi_thread")]
async fn r04_a_sparse_index_keeps_its_digest_in_a_layout_and_its_refusal_by_a_registry_is_explained() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let bundle = sparse();
    let out = bundle.root.join("out");
    bundle.import(&[format!("oci:{}", out.display())]).await.unwrap();
    let raw = stdout(&skopeo, &["inspect", "--raw", &format!("oci:{}:{MULTI}", out.display())]);
    assert_eq!(sha256(raw.as_bytes()), *bundle.digest(MULTI));

    let error = bundle.import(&[format!("registry:http://{}", registry.host())]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Import);
    assert!(error.message().contains("left out of the bundle"), "{error}");
    let hints = error.hints().join("\n");
    assert!(
        hints.contains("validation.manifests.indexes.platforms") && hints.contains("--platform"),
        "{hints}"
    );
    assert_eq!(digest_there(&skopeo, &format!("{}/team/multi:3", registry.host())), None);
    // The platform that is carried arrived under its own digest, as the message says.
    let child = bundle.document.images[0].platforms[0].digest.to_string();
    assert_eq!(digest_there(&skopeo, &format!("{}/team/multi@{child}", registry.host())), Some(child));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_docker_schema_1_is_refused_by_name_for_every_kind_of_target_and_the_others_go_in() {
    let bundle = build(|layout| {
        layout.image(PLAIN, &noise(1)).unwrap();
        let bytes = br#"{"schemaVersion":1,"name":"team/old","tag":"1.0","fsLayers":[],"history":[]}"#;
        layout.manifest(TWIN, "application/vnd.docker.distribution.manifest.v1+prettyjws", bytes).unwrap();
    });
    let at = |kind: &str, name: &str| format!("{kind}:{}", bundle.root.join(name).display());
    let targets = [
        "registry:http://127.0.0.1:1".to_owned(),
        "containerd:/nowhere/containerd.sock".to_owned(),
        at("oci", "out"),
        at("oci-archive", "a.tar"),
        at("docker-archive", "b.tar"),
        at("k3s", "images"),
        at("containers-storage", "store"),
    ];
    for target in targets {
        for keep_going in [false, true] {
            let error = bundle
                .with(std::slice::from_ref(&target), |spec| spec.keep_going = keep_going)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Import, "{target}: {error}");
            assert!(error.message().contains(TWIN) && error.message().contains("schema 1"), "{error}");
            let hints = error.hints().join("\n");
            assert!(hints.contains("nothing was written") && hints.contains("--only"), "{hints}");
        }
    }
    for name in ["out", "a.tar", "b.tar", "images", "store"] {
        assert!(!bundle.root.join(name).exists(), "{name}");
    }
    let only = |spec: &mut ImportSpec| spec.only = vec![PLAIN.parse().unwrap()];
    std::fs::create_dir(bundle.root.join("images")).unwrap();
    let report = bundle.with(&[at("k3s", "images")], only).await.unwrap();
    assert_eq!(*outcomes(&report, 0)[0], Outcome::Added);
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_a_damaged_layer_is_refused_and_nothing_is_named_after_it_anywhere() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let bundle = everything();
    let layer = bundle.layer(TWIN);
    bundle.flip(&layer);
    let out = bundle.root.join("out");
    let archive = bundle.root.join("a.tar");
    for target in [
        format!("registry:http://{}", registry.host()),
        format!("oci:{}", out.display()),
        format!("oci-archive:{}", archive.display()),
        format!("docker-archive:{}", archive.display()),
    ] {
        let only = |spec: &mut ImportSpec| spec.only = vec![TWIN.parse().unwrap()];
        let error = bundle.with(std::slice::from_ref(&target), only).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity, "{target}: {error}");
        let message = error.message();
        let hex = layer.file_name().unwrap().to_str().unwrap();
        for part in [TWIN, hex, "expected sha256:", "hash to sha256:"] {
            assert!(message.contains(part), "{target}: {part} is not in {message}");
        }
    }
    assert_eq!(digest_there(&skopeo, &format!("{}/team/twin:1.0", registry.host())), None);
    assert!(!archive.exists() && !out.join("index.json").exists());
    let blob = out.join("blobs/sha256").join(layer.file_name().unwrap());
    assert!(!blob.exists(), "the damaged layer is not in the layout");
    let left: Vec<_> =
        std::fs::read_dir(bundle.root.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("airlift-tmp")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_whose_first_blob_cannot_be_read_leaves_no_directory() {
    // Manifests are read before anything is made, and what configures an image; this one is an artifact.
    let bundle = build(|layout| {
        let [first, second] = ["what configures it", "a chart"].map(|text| {
            json!({ "mediaType": "text/plain", "digest": layout.blob(text.as_bytes()).unwrap(), "size": text.len() })
        });
        let oci = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "schemaVersion": 2, "mediaType": oci, "config": first, "layers": [second] });
        layout.manifest(PLAIN, oci, &serde_json::to_vec(&manifest).unwrap()).unwrap();
    });
    for blob in std::fs::read_dir(bundle.dir.join("blobs/sha256")).unwrap().flatten() {
        if !std::fs::read(blob.path()).unwrap().starts_with(b"{\"") {
            bundle.flip(&blob.path());
        }
    }
    let parent = bundle.root.join("there");
    std::fs::create_dir(&parent).unwrap();
    for out in ["new/out", "blobs-alone"].map(|name| parent.join(name)) {
        let only = |spec: &mut ImportSpec| spec.only = vec![PLAIN.parse().unwrap()];
        let error = bundle.with(&[format!("oci:{}", out.display())], only).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity, "{error}");
        assert!(!out.exists(), "{}", out.display());
    }
    assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 0, "what was there stays, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn keep_going_imports_the_rest_and_says_what_is_missing() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let bundle = everything();
    bundle.flip(&bundle.layer(TWIN));
    let out = bundle.root.join("out");
    let archive = bundle.root.join("a.tar");
    let targets = [
        format!("registry:http://{}", registry.host()),
        format!("oci:{}", out.display()),
        format!("oci-archive:{}", archive.display()),
    ];
    let report = bundle.with(&targets, |spec| spec.keep_going = true).await.unwrap();
    for target in 0..3 {
        let outcomes = outcomes(&report, target);
        assert!(matches!(outcomes[1], Outcome::Failed { kind: Kind::Integrity, .. }), "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| ***outcome == Outcome::Added).count(), 3);
    }
    assert_eq!(airlift::engine::error::Explain::kind(&report.failure().unwrap()), Kind::Partial);
    assert!(digest_there(&skopeo, &format!("{}/library/plain:1.0", registry.host())).is_some());
    assert_eq!(digest_there(&skopeo, &format!("{}/team/twin:1.0", registry.host())), None);
    stdout(&skopeo, &["inspect", "--raw", &format!("oci-archive:{}:{PLAIN}", archive.display())]);
    assert!(!run(&skopeo, &["inspect", "--raw", &format!("oci:{}:{TWIN}", out.display())]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_is_merged_into_and_a_flipped_blob_in_it_is_replaced() {
    let Some(skopeo) = need("skopeo") else { return };
    let bundle = everything();
    let out = bundle.root.join("out");
    let mut foreign = SampleLayout::create(&out).unwrap();
    foreign.image("example.com/other/thing:9", &noise(9)).unwrap();
    let target = [format!("oci:{}", out.display())];
    let report = bundle.import(&target).await.unwrap();
    assert!(outcomes(&report, 0).iter().all(|outcome| **outcome == Outcome::Added), "{report:?}");
    let facts = report.targets[0].facts.join("\n");
    let way =
        format!("in place; to remove it by hand: where nothing else was put into {}, delete", out.display());
    assert!(facts.contains(&way) && !facts.contains("is removed"), "{facts}");
    // skopeo 1.9 finds OCI manifests only in a layout; the Docker one is there all the same.
    for reference in [PLAIN, TWIN, MULTI] {
        let raw = stdout(&skopeo, &["inspect", "--raw", &format!("oci:{}:{reference}", out.display())]);
        assert_eq!(sha256(raw.as_bytes()), *bundle.digest(reference), "{reference}");
    }
    let index: Value = serde_json::from_slice(&std::fs::read(out.join(INDEX)).unwrap()).unwrap();
    let names: Vec<_> =
        index["manifests"].as_array().unwrap().iter().map(|one| &one["annotations"][REF_NAME]).collect();
    assert!(names.contains(&&json!(DOCKER)), "{names:?}");
    for reference in ["example.com/other/thing:9", PLAIN] {
        let to = format!("dir:{}", bundle.root.join("copy").display());
        stdout(&skopeo, &["copy", &format!("oci:{}:{reference}", out.display()), &to]);
    }
    let before = std::fs::read(out.join("index.json")).unwrap();
    let again = bundle.import(&target).await.unwrap();
    assert!(outcomes(&again, 0).iter().all(|outcome| **outcome == Outcome::Skipped), "{again:?}");
    assert_eq!(std::fs::read(out.join("index.json")).unwrap(), before);

    let layer = out.join("blobs/sha256").join(bundle.layer(PLAIN).file_name().unwrap());
    bundle.flip(&layer);
    let mended = bundle.import(&target).await.unwrap();
    assert_eq!(*outcomes(&mended, 0)[0], Outcome::Added);
    assert_eq!(mended.targets[0].bytes_written, std::fs::metadata(&layer).unwrap().len());
    assert_eq!(sha256(&std::fs::read(&layer).unwrap()).hex(), layer.file_name().unwrap().to_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_off_run_left_in_a_layout_is_gone_after_the_next() {
    let bundle = everything();
    let out = bundle.root.join("out");
    let layer = bundle.layer(PLAIN);
    let half = out.join("blobs/sha256").join(layer.file_name().unwrap()).with_extension("airlift-tmp");
    std::fs::create_dir_all(half.parent().unwrap()).unwrap();
    std::fs::write(&half, b"half").unwrap();
    std::fs::write(half.with_extension(""), b"wrong").unwrap();
    bundle.import(&[format!("oci:{}", out.display())]).await.unwrap();
    assert!(!half.exists());
    assert_eq!(std::fs::read(half.with_extension("")).unwrap(), std::fs::read(layer).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn r28_the_bundle_is_never_changed_and_a_target_inside_it_is_refused() {
    let bundle = everything();
    let state = || {
        let mut files = Vec::new();
        let mut open = vec![bundle.dir.clone()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                let meta = entry.metadata().unwrap();
                files.push((entry.path(), meta.len(), meta.modified().unwrap()));
                if meta.is_dir() {
                    open.push(entry.path());
                }
            }
        }
        files.sort();
        files
    };
    let before = state();
    bundle.import(&[format!("oci:{}", bundle.root.join("out").display())]).await.unwrap();
    for inside in ["oci:{}", "oci:{}/new/dir", "oci-archive:{}/x.tar", "docker-archive:{}/blobs/x.tar"] {
        let target = inside.replace("{}", bundle.dir.to_str().unwrap());
        let error = bundle.import(&[target]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
    }
    assert_eq!(state(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_left_alone_unless_it_is_to_be_replaced() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let old = build(|layout| {
        layout.image(PLAIN, &noise(77)).unwrap();
    });
    let out = old.root.join("out");
    let targets = [format!("registry:http://{}", registry.host()), format!("oci:{}", out.display())];
    old.import(&targets).await.unwrap();
    let bundle = everything();
    let name = format!("{}/library/plain:1.0", registry.host());
    for target in &targets {
        let error = bundle.import(std::slice::from_ref(target)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Import, "{error}");
        assert!(error.message().contains(&old.digest(PLAIN).to_string()), "{error}");
    }
    assert_eq!(digest_there(&skopeo, &name), Some(old.digest(PLAIN).to_string()));
    assert_eq!(
        digest_there(&skopeo, &format!("{}/team/twin:1.0", registry.host())),
        None,
        "not even the others"
    );

    let planned = bundle.with(&targets, |spec| spec.dry_run = true).await.unwrap();
    assert!(matches!(outcomes(&planned, 0)[0], Outcome::Conflict { .. }));
    assert_eq!(*outcomes(&planned, 0)[1], Outcome::Added);
    assert_eq!(
        digest_there(&skopeo, &format!("{}/team/twin:1.0", registry.host())),
        None,
        "a dry run is dry"
    );

    let report = bundle.with(&targets, |spec| spec.replace = true).await.unwrap();
    assert!(matches!(outcomes(&report, 0)[0], Outcome::Replaced { .. }), "{report:?}");
    assert_eq!(digest_there(&skopeo, &name), Some(bundle.digest(PLAIN).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_one_target_refuses_tells_what_the_others_would_take() {
    let bundle = everything();
    let into = |name: &str| format!("oci:{}", bundle.root.join(name).display());
    bundle.with(&[into("old")], |spec| spec.only = vec![PLAIN.parse().unwrap()]).await.unwrap();
    let file = bundle.root.write("file", "no directory");
    let refused = format!("oci:{}", file.display());
    let (error, landed) = bundle.foreseen(&[refused.clone(), into("old"), into("new")]).await;
    let of = |target: &str| landed.iter().find(|one| one.target.to_string() == target).unwrap();
    assert_eq!(of(&refused).reason.as_ref(), Some(&error.message()));
    let (old, new) = (of(&into("old")), of(&into("new")));
    assert_eq!((old.there.as_slice(), old.reason.as_ref()), (&[PLAIN.to_owned()][..], None));
    assert!(!old.added.is_empty() && old.added == old.missing, "{old:?}");
    assert_eq!((new.there.len(), new.added.len()), (0, old.added.len() + 1));
    assert!(!bundle.root.join("new").exists(), "a plan writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oci_archive_keeps_names_and_digests_and_an_equal_one_is_recognised() {
    let Some(skopeo) = need("skopeo") else { return };
    let bundle = everything();
    let file = bundle.root.join("all.tar");
    let target = [format!("oci-archive:{}", file.display())];
    bundle.import(&target).await.unwrap();
    for reference in [PLAIN, TWIN, MULTI] {
        let raw =
            stdout(&skopeo, &["inspect", "--raw", &format!("oci-archive:{}:{reference}", file.display())]);
        assert_eq!(sha256(raw.as_bytes()), *bundle.digest(reference), "{reference}");
    }
    let again = bundle.import(&target).await.unwrap();
    assert!(outcomes(&again, 0).iter().all(|outcome| **outcome == Outcome::Skipped), "{again:?}");
    assert_eq!(again.targets[0].bytes_written, 0);
    std::fs::write(&file, b"the operator's own").unwrap();
    assert_eq!(bundle.import(&target).await.unwrap_err().kind(), Kind::Import);
    assert_eq!(std::fs::read(&file).unwrap(), b"the operator's own");
}

/// A podman with storage of its own, so that nothing of this machine's is touched.
fn podman(program: &Path, bundle: &Bundle, arguments: &[&str]) -> Output {
    let (root, run) = (bundle.root.join("store"), bundle.root.join("run"));
    let own =
        ["--root", root.to_str().unwrap(), "--runroot", run.to_str().unwrap(), "--storage-driver", "vfs"];
    Command::new(program).args(own).args(arguments).env("TMPDIR", bundle.root.join("tmp")).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_loads_both_kinds_of_archive_under_the_images_names() {
    let Some(program) = need("podman") else { return };
    let bundle = everything();
    let (oci, docker) = (bundle.root.join("o.tar"), bundle.root.join("d.tar"));
    let only = |names: &'static [&'static str]| {
        move |spec: &mut ImportSpec| {
            spec.only = names.iter().map(|name| name.parse().unwrap()).collect();
            spec.platform = Some("linux/amd64".parse().unwrap());
        }
    };
    bundle.with(&[format!("oci-archive:{}", oci.display())], only(&[PLAIN])).await.unwrap();
    let into = [format!("docker-archive:{}", docker.display())];
    let report = bundle.with(&into, only(&[TWIN, DOCKER, MULTI])).await.unwrap();
    let digest = bundle.digest(MULTI).to_string();
    assert!(report.targets[0].images[2].notes.iter().any(|note| note.contains(&digest)), "{report:?}");
    for file in [&oci, &docker] {
        let loaded = podman(&program, &bundle, &["load", "-i", file.to_str().unwrap()]);
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    }
    for reference in [PLAIN, TWIN, DOCKER, MULTI] {
        let there = podman(&program, &bundle, &["image", "exists", reference]);
        assert!(there.status.success(), "{reference}: {}", String::from_utf8_lossy(&there.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_archive_asks_for_a_platform_where_an_image_has_several() {
    let bundle = everything();
    let target = [format!("docker-archive:{}", bundle.root.join("d.tar").display())];
    let error = bundle.import(&target).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Import);
    assert!(error.message().contains("linux/amd64, linux/arm64"), "{error}");
    assert!(error.hints().join("").contains("--platform"));
    assert!(!bundle.root.join("d.tar").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_registries_with_one_name_clash_before_anything_is_written() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let bundle = build(|layout| {
        layout.image("docker.io/team/app:1", &noise(1)).unwrap();
        layout.image("quay.io/team/app:1", &noise(2)).unwrap();
    });
    let error = bundle.import(&[format!("registry:http://{}", registry.host())]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Import);
    assert!(error.message().contains("quay.io/team/app:1") && error.hints()[0].contains("{host}"), "{error}");
    assert_eq!(digest_there(&skopeo, &format!("{}/team/app:1", registry.host())), None);
    bundle.import(&[format!("registry:http://{}/{{host}}", registry.host())]).await.unwrap();
    for (host, reference) in [("docker.io", "docker.io/team/app:1"), ("quay.io", "quay.io/team/app:1")] {
        let there = digest_there(&skopeo, &format!("{}/{host}/team/app:1", registry.host()));
        assert_eq!(there, Some(bundle.digest(reference).to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn referrers_are_listed_under_the_fallback_tag_where_the_registry_has_no_api() {
    let (Some(skopeo), Some(registry)) = (need("skopeo"), DockerRegistry::start()) else { return };
    let root = TempRoot::new();
    let dir = root.join("bundle-1");
    let mut layout = SampleLayout::create(&dir).unwrap();
    let plain = layout.image(PLAIN, &noise(1)).unwrap();
    let sbom = layout.referrer(PLAIN, &plain, "application/vnd.example.sbom").unwrap();
    let mut bundle = seal(root, dir, &[]);
    bundle.document.images.retain(|image| image.reference.to_string() == PLAIN);
    bundle.document.images[0].signatures = vec![sbom.clone()];
    bundle.import(&[format!("registry:http://{}", registry.host())]).await.unwrap();
    let tag = format!("{}/library/plain:sha256-{}", registry.host(), plain.hex());
    let raw = stdout(&skopeo, &["inspect", "--raw", "--tls-verify=false", &format!("docker://{tag}")]);
    let index: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(index["mediaType"], mt::OCI_INDEX);
    assert_eq!(index["manifests"][0]["digest"], sbom.to_string());
    assert_eq!(index["manifests"][0]["artifactType"], "application/vnd.example.sbom");
}
