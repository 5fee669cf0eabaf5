//! The read-only registry, asked by the clients that will ask it: skopeo, podman, curl and a second implementation in Rust.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use airlift::domain::digest::Digest;
use airlift::domain::platform::Platform;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout, Spacing};
use airlift::engine::error::Result;
use airlift::engine::files::RealFiles;
use airlift::engine::serve::catalog::Catalog;
use airlift::engine::serve::layout::LayoutSource;
use airlift::engine::serve::listen::Limits;
use airlift::engine::serve::source::{Root, Source};
use airlift::engine::serve::tls::TlsFiles;
use airlift::engine::serve::{ListenSpec, Running, start};

use crate::rig::need;

const PLAIN: &str = "docker.io/library/plain:1.0";
const MULTI: &str = "quay.io/team/multi:2";

struct Served {
    dir: tempfile::TempDir,
    layout: SampleLayout,
    plain: Digest,
    multi: Digest,
    running: Running,
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

async fn serve(spec: &ListenSpec, more: impl FnOnce(&mut SampleLayout)) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = SampleLayout::create(&dir.path().join("layout")).unwrap();
    let layers = vec![LayerSpec::text("etc/a", "a"), LayerSpec::noise(1, 300_000)];
    let plain = layout.image(PLAIN, &ImageSpec::new(layers).docker()).unwrap();
    let specs =
        ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(platform(on)).spaced(Spacing::Odd));
    let multi = layout.index(MULTI, &specs).unwrap();
    more(&mut layout);
    let source: Arc<dyn Source> = Arc::new(LayoutSource::open(layout.dir(), Arc::new(RealFiles)).unwrap());
    let catalog = Arc::new(Catalog::new(&[source]).unwrap());
    let running = start(spec, catalog, &JobCtx::silent()).await.unwrap();
    Served { dir, layout, plain, multi, running }
}

impl Served {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    /// The digest of the last layer of the plain image, and its bytes.
    fn layer(&self) -> (Digest, Vec<u8>) {
        let manifest = std::fs::read(self.layout.blob_path(&self.plain)).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let digest: Digest = manifest["layers"][1]["digest"].as_str().unwrap().parse().unwrap();
        let bytes = std::fs::read(self.layout.blob_path(&digest)).unwrap();
        (digest, bytes)
    }
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{} {arguments:?}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Status, headers in lower case, and body of one request.
fn curl(program: &Path, arguments: &[&str]) -> (u16, String, Vec<u8>) {
    let output = run(program, &[&["-s", "-i"], arguments].concat());
    let cut = output.stdout.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&output.stdout[..cut]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, output.stdout[cut + 4..].to_vec())
}

fn code(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    body["errors"][0]["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_the_served_registry_answers_head_range_digests_and_conditions() {
    let Some(program) = need("curl") else { return };
    let served = serve(&ListenSpec::loopback(), |_| {}).await;
    let base = served.url("/v2/");
    assert_eq!(curl(&program, &[&base]).0, 200);
    for path in ["library/plain", "docker.io/library/plain"] {
        for selector in ["1.0".to_owned(), served.plain.to_string()] {
            let url = served.url(&format!("/v2/{path}/manifests/{selector}"));
            let (status, head, body) = curl(&program, &[&url]);
            assert_eq!(status, 200, "{url}");
            assert_eq!(body, std::fs::read(served.layout.blob_path(&served.plain)).unwrap());
            for line in [
                "content-type: application/vnd.docker.distribution.manifest.v2+json".to_owned(),
                format!("content-length: {}", body.len()),
                format!("docker-content-digest: {}", served.plain),
                format!("etag: \"{}\"", served.plain),
            ] {
                assert!(head.contains(&line), "{line:?} is not in {head}");
            }
            let (status, of_head, empty) = curl(&program, &["-I", &url]);
            assert_eq!((status, empty.len()), (200, 0));
            assert!(of_head.contains(&format!("content-length: {}", body.len())), "{of_head}");
            let known = format!("If-None-Match: \"{}\"", served.plain);
            let (status, _, body) = curl(&program, &["-H", &known, &url]);
            assert_eq!((status, body.len()), (304, 0));
        }
    }
    let (digest, bytes) = served.layer();
    let url = served.url(&format!("/v2/library/plain/blobs/{digest}"));
    let (status, head, body) = curl(&program, &[&url]);
    assert_eq!((status, body), (200, bytes.clone()));
    assert!(head.contains("accept-ranges: bytes"));
    let (status, head, body) = curl(&program, &["-r", "1000-1999", &url]);
    assert_eq!((status, body.as_slice()), (206, &bytes[1000..2000]));
    assert!(head.contains(&format!("content-range: bytes 1000-1999/{}", bytes.len())), "{head}");
    let (status, _, body) = curl(&program, &["-r", "-7", &url]);
    assert_eq!((status, body.as_slice()), (206, &bytes[bytes.len() - 7..]));
    let (status, head, body) = curl(&program, &["-r", &format!("{}-", bytes.len()), &url]);
    assert_eq!((status, code(&body).as_str()), (416, "RANGE_INVALID"));
    assert!(head.contains(&format!("content-range: bytes */{}", bytes.len())));
    let (status, _, body) = curl(&program, &["-r", "5-", "-H", "If-Range: \"other\"", &url]);
    assert_eq!((status, body.len()), (200, bytes.len()));
    let (status, head, _) = curl(&program, &["-I", "-r", "0-1", &url]);
    assert!(status == 200 && head.contains(&format!("content-length: {}", bytes.len())), "{head}");
    served.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_or_writes_gets_the_right_oci_error() {
    let Some(program) = need("curl") else { return };
    let served = serve(&ListenSpec::loopback(), |_| {}).await;
    let absent = format!("sha256:{}", "0".repeat(64));
    let (layer, _) = served.layer();
    for (path, status, expected) in [
        ("/v2/nothing/manifests/1".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/library/plain/manifests/2".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/library/plain/manifests/{absent}"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/library/plain/blobs/{absent}"), 404, "BLOB_UNKNOWN"),
        // The blob is carried, but not for this repository.
        (format!("/v2/team/multi/blobs/{layer}"), 404, "BLOB_UNKNOWN"),
        ("/v2/library/plain/blobs/sha256:../../etc/passwd".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/library/plain/blobs/sha256:12".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/library/plain/tags/list?n=x".to_owned(), 400, "PAGINATION_NUMBER_INVALID"),
        ("/v2/library/plain/manifests/1.0?ns=quay.io".to_owned(), 404, "NAME_UNKNOWN"),
        ("/etc/passwd".to_owned(), 404, "NAME_UNKNOWN"),
    ] {
        let (got, head, body) = curl(&program, &["--path-as-is", &served.url(&path)]);
        assert_eq!((got, code(&body).as_str()), (status, expected), "{path}");
        assert!(head.contains("content-type: application/json"), "{head}");
    }
    for method in ["PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        for path in ["/v2/library/plain/blobs/uploads/", "/v2/library/plain/manifests/1.0", "/v2/"] {
            let (got, head, body) = curl(&program, &["-X", method, "-d", "x", &served.url(path)]);
            assert_eq!((got, code(&body).as_str()), (405, "UNSUPPORTED"), "{method} {path}");
            assert!(head.contains("allow: get, head"), "{head}");
        }
    }
    served.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_that_link_to_the_next() {
    let Some(program) = need("curl") else { return };
    let served = serve(&ListenSpec::loopback(), |layout| {
        for tag in ["a", "b", "c", "d", "e"] {
            layout.image(&format!("docker.io/library/plain:{tag}"), &ImageSpec::small(tag)).unwrap();
        }
    })
    .await;
    for (path, key, expected) in [
        ("/v2/library/plain/tags/list?n=4&ns=docker.io", "tags", "1.0 a b c d e"),
        ("/v2/_catalog?n=1", "repositories", "docker.io/library/plain quay.io/team/multi"),
    ] {
        let (mut next, mut seen, mut pages) = (Some(path.to_owned()), Vec::new(), 0);
        while let Some(path) = next {
            let (status, head, body) = curl(&program, &[&served.url(&path)]);
            assert_eq!(status, 200);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            seen.extend(body[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()));
            let link = head.lines().find_map(|line| line.strip_prefix("link: <"));
            next = link.map(|link| link.split_once(">; rel=\"next\"").unwrap().0.to_owned());
            pages += 1;
        }
        assert_eq!((seen.join(" ").as_str(), pages), (expected, 2));
    }
    served.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_namespace_of_containerd_decides_between_upstreams_of_the_same_repository() {
    let Some(program) = need("curl") else { return };
    let mut other = None;
    let served = serve(&ListenSpec::loopback(), |layout| {
        other = Some(layout.image("ghcr.io/library/plain:1.0", &ImageSpec::small("other")).unwrap());
    })
    .await;
    let other = other.unwrap();
    for (path, digest) in [
        ("/v2/library/plain/manifests/1.0?ns=docker.io", &served.plain),
        ("/v2/library/plain/manifests/1.0?ns=registry-1.docker.io", &served.plain),
        ("/v2/library/plain/manifests/1.0?ns=ghcr.io", &other),
        ("/v2/ghcr.io/library/plain/manifests/1.0", &other),
    ] {
        let (status, head, _) = curl(&program, &[&served.url(path)]);
        assert_eq!(status, 200, "{path}");
        assert!(head.contains(&format!("docker-content-digest: {digest}")), "{path}: {head}");
    }
    let (status, _, body) = curl(&program, &[&served.url("/v2/library/plain/manifests/1.0")]);
    assert_eq!((status, code(&body).as_str()), (404, "MANIFEST_UNKNOWN"));
    let body = String::from_utf8(body).unwrap();
    for way in ["docker.io/library/plain:1.0", "ghcr.io/library/plain:1.0", "?ns=docker.io", "?ns=ghcr.io"] {
        assert!(body.contains(way), "{way} is not in {body}");
    }
    // A digest says by itself which content is meant.
    let url = served.url(&format!("/v2/library/plain/manifests/{other}"));
    assert_eq!(curl(&program, &[&url]).0, 200);
    served.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r25_signatures_and_referrers_are_found_by_tag_and_by_the_referrers_api() {
    let Some(program) = need("curl") else { return };
    let mut digests = Vec::new();
    let served = serve(&ListenSpec::loopback(), |layout| {
        let image = layout.image("docker.io/library/signed:1", &ImageSpec::small("signed")).unwrap();
        digests.push(layout.cosign_signature("docker.io/library/signed:1", &image).unwrap());
        digests.push(layout.referrer("docker.io/library/signed:1", &image, "application/spdx+json").unwrap());
        digests.push(layout.referrer("docker.io/library/signed:1", &image, "application/vex+json").unwrap());
        digests.push(image);
    })
    .await;
    let [signature, sbom, vex, image] = digests.as_slice() else { panic!() };
    let tag = format!("/v2/library/signed/manifests/sha256-{}.sig", image.hex());
    let (status, head, _) = curl(&program, &[&served.url(&tag)]);
    assert!(status == 200 && head.contains(&signature.to_string()), "{head}");
    let list = |query: &str| {
        let url = served.url(&format!("/v2/library/signed/referrers/{image}{query}"));
        let (status, head, body) = curl(&program, &[&url]);
        assert_eq!(status, 200);
        assert!(head.contains("content-type: application/vnd.oci.image.index.v1+json"), "{head}");
        assert_eq!(head.contains("oci-filters-applied: artifacttype"), !query.is_empty(), "{head}");
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let all = body["manifests"].as_array().unwrap().iter();
        let mut all: Vec<String> = all.map(|one| one["digest"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    let mut both = vec![sbom.to_string(), vex.to_string()];
    both.sort();
    assert_eq!(list(""), both);
    assert_eq!(list("?artifactType=application/vex%2Bjson"), [vex.to_string()]);
    assert!(list("?artifactType=none").is_empty());
    served.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_copies_with_every_digest_kept() {
    let Some(skopeo) = need("skopeo") else { return };
    let served = serve(&ListenSpec::loopback(), |_| {}).await;
    let host = served.running.address;
    for (path, top) in
        [("docker.io/library/plain:1.0", &served.plain), ("quay.io/team/multi:2", &served.multi)]
    {
        let from = format!("docker://{host}/{path}");
        let to = served.dir.path().join(format!("copy-{}", top.short()));
        run(
            &skopeo,
            &[
                "copy",
                "--all",
                "--preserve-digests",
                "--src-tls-verify=false",
                &from,
                &format!("dir:{}", to.display()),
            ],
        );
        let manifest = std::fs::read(to.join("manifest.json")).unwrap();
        assert_eq!(airlift::engine::hash::sha256(&manifest), *top, "{path}");
        let pinned = format!("docker://{host}/{}@{top}", path.rsplit_once(':').unwrap().0);
        run(&skopeo, &["inspect", "--raw", "--tls-verify=false", &pinned]);
    }
    let tags = run(&skopeo, &["list-tags", "--tls-verify=false", &format!("docker://{host}/library/plain")]);
    assert!(String::from_utf8(tags.stdout).unwrap().contains("\"1.0\""));
    served.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_pulls_into_a_store_of_its_own() {
    let Some(podman) = need("podman") else { return };
    let served = serve(&ListenSpec::loopback(), |_| {}).await;
    let at = |name: &str| served.dir.path().join(name).display().to_string();
    let image = format!("{}/library/plain@{}", served.running.address, served.plain);
    let (root, runroot) = (at("root"), at("runroot"));
    let store = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
    run(&podman, &[&store[..], &["pull", "--quiet", "--tls-verify=false", &image]].concat());
    let inspected =
        run(&podman, &[&store[..], &["image", "inspect", "--format", "{{.Digest}}", &image]].concat());
    assert_eq!(String::from_utf8(inspected.stdout).unwrap().trim(), served.plain.to_string());
    served.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_the_given_certificate_and_plain_text_is_not_answered() {
    let Some(program) = need("curl") else { return };
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let certificate = files.certificate.display().to_string();
    let served = serve(&ListenSpec { tls: Some(files), ..ListenSpec::loopback() }, |_| {}).await;
    let (digest, bytes) = served.layer();
    let url = served.url(&format!("/v2/library/plain/blobs/{digest}"));
    assert!(url.starts_with("https://"));
    let (status, _, body) = curl(&program, &["--cacert", &certificate, &url]);
    assert_eq!((status, body), (200, bytes));
    let untrusted = Command::new(&program).args(["-s", &url]).output().unwrap();
    assert_eq!(untrusted.status.code(), Some(60), "curl must not trust it by itself");
    let plain = Command::new(&program).args(["-s", &url.replace("https://", "http://")]).output().unwrap();
    assert!(!plain.status.success());
    served.running.stop().await.unwrap();
}

/// A layout whose one layer has no end; says when it is opened and when nobody reads it any more.
struct Endless {
    layout: LayoutSource,
    layer: Digest,
    told: mpsc::Sender<&'static str>,
}

struct Zeros(mpsc::Sender<&'static str>);

impl Read for Zeros {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        buffer.fill(0);
        Ok(buffer.len())
    }
}

impl Drop for Zeros {
    fn drop(&mut self) {
        let _ = self.0.send("let go");
    }
}

impl Source for Endless {
    fn label(&self) -> String {
        self.layout.label()
    }
    fn roots(&self) -> Result<Vec<Root>> {
        self.layout.roots()
    }
    fn size(&self, digest: &Digest) -> Option<u64> {
        if *digest == self.layer { Some(1 << 50) } else { self.layout.size(digest) }
    }
    fn files(&self, digest: &Digest) -> Vec<PathBuf> {
        self.layout.files(digest)
    }
    fn open(&self, digest: &Digest, offset: u64) -> Result<Box<dyn Read + Send>> {
        if *digest != self.layer {
            return self.layout.open(digest, offset);
        }
        self.told.send("opened").unwrap();
        Ok(Box::new(Zeros(self.told.clone())))
    }
    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        self.layout.read(digest, limit)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_not_hashed_for_a_client_that_has_gone_nor_by_a_registry_that_is_stopped() {
    let Served { dir: _dir, layout, running, plain, .. } = serve(&ListenSpec::loopback(), |_| {}).await;
    running.stop().await.unwrap();
    let manifest = std::fs::read(layout.blob_path(&plain)).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let layer: Digest = manifest["layers"][1]["digest"].as_str().unwrap().parse().unwrap();
    let (told, tells) = mpsc::channel();
    let said = |words| assert_eq!(tells.recv_timeout(Duration::from_secs(60)), Ok(words));
    let source = LayoutSource::open(layout.dir(), Arc::new(RealFiles)).unwrap();
    let endless: Arc<dyn Source> = Arc::new(Endless { layout: source, layer: layer.clone(), told });
    let limits = Limits { grace: Duration::ZERO, ..Limits::default() };
    let spec = ListenSpec { limits, ..ListenSpec::loopback() };
    let catalog = Arc::new(Catalog::new(&[endless]).unwrap());
    let running = start(&spec, catalog, &JobCtx::silent()).await.unwrap();
    let ask = || {
        let mut client = TcpStream::connect(running.address).unwrap();
        let request =
            format!("GET /v2/library/plain/blobs/{layer} HTTP/1.1\r\nHost: a\r\nRange: bytes=5-9\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        said("opened");
        client
    };
    drop(ask());
    said("let go");
    let waiting = ask();
    running.stop().await.unwrap();
    said("let go");
    drop(waiting);
}
