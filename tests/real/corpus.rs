//! The whole corpus of Debian images through pack, verify and import, each step judged by stock tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::rig::corpus::CORPUS;
use crate::rig::registry::{DockerRegistry, Options};
use crate::rig::{TempRoot, need, need_env};

const MANIFEST_TYPES: &str = "Accept: application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// A signed bundle of some of the corpus, in a root of its own.
pub(crate) struct Packed {
    pub(crate) root: TempRoot,
    pub(crate) bundle: PathBuf,
    document: Value,
}

impl Packed {
    pub(crate) fn new(host: &str, images: &[&str], more: &[&str]) -> Self {
        let root = TempRoot::new();
        let key = root.join("key");
        root.airlift().args(["key", "generate", "--no-passphrase", "--key"]).arg(&key).assert().success();
        let public = fs::read_to_string(root.join("key.pub")).unwrap();
        root.write("allowed_signers", format!("courier {public}"));
        fs::create_dir(root.join("medium")).unwrap();
        let references = images.iter().map(|image| format!("{host}/library/{image}"));
        let mut pack = root.airlift();
        pack.args(["pack", "--no-tool", "--name", "corpus", "--to"]).arg(root.join("medium"));
        pack.arg("--key").arg(&key).args(more).args(references).assert().success();
        let bundle = root.join("medium/corpus-1");
        let document =
            serde_json::from_slice(&fs::read(bundle.join("airlift/manifest.json")).unwrap()).unwrap();
        Self { root, bundle, document }
    }

    /// Reference, digest and the digests of the platforms of each.
    pub(crate) fn images(&self) -> Vec<(&str, &str, Vec<&str>)> {
        let images = self.document["images"].as_array().unwrap();
        images
            .iter()
            .map(|image| {
                let platforms = image["platforms"].as_array().unwrap();
                let children = platforms.iter().map(|platform| platform["digest"].as_str().unwrap());
                (image["reference"].as_str().unwrap(), image["digest"].as_str().unwrap(), children.collect())
            })
            .collect()
    }

    fn verify(&self) {
        let mut verify = self.root.airlift();
        verify.args(["verify", "--deep", "--trust"]).arg(self.root.join("allowed_signers"));
        verify.arg(&self.bundle).assert().success();
    }

    fn import(&self, target: &DockerRegistry) -> assert_cmd::assert::Assert {
        let mut import = self.root.airlift();
        import.args(["import", "--trust"]).arg(self.root.join("allowed_signers")).arg(&self.bundle);
        import.arg("--into").arg(format!("registry:http://{}", target.host())).assert()
    }
}

/// What a command says, which must succeed.
fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The digest a registry gives for a manifest, by tag or digest.
fn digest_at(curl: &Path, host: &str, repository: &str, name: &str) -> String {
    let url = format!("http://{host}/v2/{repository}/manifests/{name}");
    let head = output(Command::new(curl).args(["-sf", "-I", "-H", MANIFEST_TYPES, &url]));
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: "));
    line.unwrap_or_else(|| panic!("{url}: no digest in {head}")).trim().to_owned()
}

/// `HOST/REPOSITORY:TAG` → repository and tag.
fn parts(reference: &str) -> (&str, &str) {
    let (_, rest) = reference.split_once('/').unwrap();
    rest.rsplit_once(':').unwrap()
}

#[test]
fn the_corpus_packs_verifies_and_is_read_in_place_by_stock_tools() {
    let (Some(host), Some(skopeo), Some(keygen), Some(sums), Some(curl)) =
        (need_env("AIRLIFT_CORPUS"), need("skopeo"), need("ssh-keygen"), need("sha256sum"), need("curl"))
    else {
        return;
    };
    let packed = Packed::new(&host, CORPUS, &[]);
    packed.verify();

    let signatures = fs::read_dir(packed.bundle.join("airlift/signatures")).unwrap();
    let signatures: Vec<_> = signatures.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(signatures.len(), 1);
    let signed = fs::File::open(packed.bundle.join("airlift/manifest.json")).unwrap();
    let mut verify = Command::new(keygen);
    verify.args(["-Y", "verify", "-I", "courier", "-n", "airlift-bundle", "-f"]);
    verify.arg(packed.root.join("allowed_signers")).arg("-s").arg(&signatures[0]).stdin(signed);
    assert!(verify.status().unwrap().success());
    output(Command::new(sums).args(["--quiet", "-c", "airlift/SHA256SUMS"]).current_dir(&packed.bundle));

    let images = packed.images();
    assert_eq!(images.len(), CORPUS.len());
    for (reference, digest, _) in images {
        let (repository, tag) = parts(reference);
        assert_eq!(digest_at(&curl, &host, repository, tag), digest, "{reference}");
        if tag == "v2s2" {
            // skopeo 1.9 looks for OCI manifests alone when it reads a layout by name; the second registry
            // and the sums above judge this one.
            continue;
        }
        let source = format!("oci:{}:{reference}", packed.bundle.display());
        let raw = output(Command::new(&skopeo).args(["inspect", "--raw", &source]));
        assert_eq!(airlift::engine::hash::sha256(&raw).to_string(), digest, "{reference}");
        let copy = packed.root.join("copy");
        output(
            Command::new(&skopeo)
                .args(["copy", "-q", "--all", "--insecure-policy", &source])
                .arg(format!("dir:{}", copy.display())),
        );
        fs::remove_dir_all(copy).unwrap();
    }
}

#[test]
fn the_corpus_keeps_every_digest_in_a_second_registry() {
    keeps_every_digest(&Options::default());
}

#[test]
fn r05_the_corpus_keeps_every_digest_in_distribution_3() {
    keeps_every_digest(&Options { version_3: true, ..Options::default() });
}

fn keeps_every_digest(options: &Options) {
    let (Some(host), Some(curl), Some(target)) =
        (need_env("AIRLIFT_CORPUS"), need("curl"), DockerRegistry::with(options))
    else {
        return;
    };
    let packed = Packed::new(&host, CORPUS, &[]);
    packed.import(&target).success();
    for (reference, digest, children) in packed.images() {
        let (repository, tag) = parts(reference);
        assert_eq!(digest_at(&curl, &target.host(), repository, tag), digest, "{reference}");
        assert!(!children.is_empty(), "{reference}");
        for child in children {
            assert_eq!(digest_at(&curl, &target.host(), repository, child), child, "{reference}");
        }
    }
}

#[test]
fn a_platform_filter_keeps_the_digest_of_the_index() {
    let (Some(host), Some(curl)) = (need_env("AIRLIFT_CORPUS"), need("curl")) else { return };
    let packed = Packed::new(&host, &["busybox:multi"], &["--platform", "linux/amd64"]);
    packed.verify();
    let images = packed.images();
    let [(_, digest, children)] = &images[..] else { panic!("one image: {images:?}") };
    assert_eq!(*digest, digest_at(&curl, &host, "library/busybox", "multi"));
    assert_eq!(children.len(), 1, "{}", packed.document);
    assert_eq!(packed.document["images"][0]["omittedPlatforms"].as_array().unwrap().len(), 2);
    let blobs = packed.document["blobs"].as_array().unwrap();
    assert_eq!(blobs.len(), 4, "the index, one manifest, one configuration, one layer: {blobs:?}");
}
