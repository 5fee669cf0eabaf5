//! The registry client against a real registry: what is pushed is what is read, by every way in, beside another client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use airlift::domain::digest::Digest;
use airlift::domain::media_type as mt;
use airlift::domain::reference::Repository;
use airlift::engine::error::Explain as _;
use airlift::engine::hash::sha256;
use airlift::engine::registry::{
    BlobSource, FileSource, Limits, MountOutcome, Problem, ReferrersSource, Registry, RegistryOptions, Upload,
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::TempRoot;
use crate::rig::registry::{DockerRegistry, Options, PASSWORD, USER};

fn client() -> Registry {
    // Small chunks and quick pauses, so that little data shows what much data does.
    let limits = Limits { chunk: 300_000, backoff: Duration::from_millis(5), ..Limits::default() };
    Registry::with_limits(RegistryOptions::default(), limits).unwrap()
}

fn repo(host: &str, path: &str) -> Repository {
    Repository { host: host.to_owned(), path: path.to_owned() }
}

/// Bytes that do not repeat at any chunk length.
fn noise(length: usize) -> Bytes {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(byte).collect::<Vec<u8>>().into()
}

async fn push(registry: &Registry, repo: &Repository, bytes: &Bytes) -> Digest {
    let digest = sha256(bytes);
    registry.push_blob(repo, &digest, bytes.len() as u64, Arc::new(bytes.clone())).await.unwrap();
    digest
}

/// Pushes an image with one layer; the text of its manifest has spaces that no encoder would write.
async fn image(registry: &Registry, repo: &Repository, tag: &str, docker: bool) -> (Digest, Bytes) {
    let (kind, config_kind, layer_kind) = if docker {
        (mt::DOCKER_MANIFEST, mt::DOCKER_CONFIG, "application/vnd.docker.image.rootfs.diff.tar.gzip")
    } else {
        (mt::OCI_MANIFEST, mt::OCI_CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip")
    };
    let config = Bytes::from_static(
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
    );
    let layer = noise(1000);
    let (config_digest, layer_digest) =
        (push(registry, repo, &config).await, push(registry, repo, &layer).await);
    let text = format!(
        "{{ \"schemaVersion\" :2,\n\n\"mediaType\":\"{kind}\",\t\"config\":{{\"mediaType\":\"{config_kind}\",\
         \"size\":{},\"digest\":\"{config_digest}\"}},\"layers\":[{{\"mediaType\":\"{layer_kind}\",\
         \"size\":1000,\"digest\":\"{layer_digest}\"}}]}}\n",
        config.len()
    );
    let bytes = Bytes::from(text);
    let digest = registry.push_manifest(repo, tag, kind, bytes.clone()).await.unwrap();
    assert_eq!(digest, sha256(&bytes));
    (digest, bytes)
}

#[tokio::test]
async fn what_is_pushed_whole_or_in_chunks_is_what_is_read_from_any_offset() {
    let Some(server) = DockerRegistry::start() else { return };
    let (registry, root) = (client(), TempRoot::new());
    let (first, second) = (repo(&server.host(), "a/whole"), repo(&server.host(), "b/chunks"));
    let bytes = noise(1_234_567);
    let (digest, size) = (sha256(&bytes), bytes.len() as u64);
    assert_eq!(registry.blob_head(&first, &digest).await.unwrap(), None);
    let file = Arc::new(FileSource(root.write("blob", &bytes)));
    registry.push_blob(&first, &digest, size, file.clone()).await.unwrap();
    registry.push_blob_in(&second, (&digest, size), file, None, Upload::Chunked).await.unwrap();
    push(&registry, &first, &Bytes::new()).await;
    for repo in [&first, &second] {
        assert_eq!(registry.blob_head(repo, &digest).await.unwrap(), Some(size));
        for offset in [0, 1, 1_000_000, size - 1, size] {
            let body = registry.blob(repo, &digest, size, offset).await.unwrap();
            assert_eq!(body.start, offset);
            let parts: Vec<Bytes> = body.stream.try_collect().await.unwrap();
            assert_eq!(parts.concat(), bytes[usize::try_from(offset).unwrap()..], "{repo} from {offset}");
        }
    }
    let patches = server.log().matches("http.request.method=PATCH").count();
    assert!(patches >= 5, "{patches} of 300 kB and no whole one");
}

#[tokio::test]
async fn bytes_that_are_not_the_digest_are_refused_and_an_unreadable_source_is_named() {
    let Some(server) = DockerRegistry::start() else { return };
    let registry = client();
    let repo = repo(&server.host(), "a/b");
    let (promised, other) = (sha256(b"promised"), Bytes::from_static(b"another!"));
    let error = registry.push_blob(&repo, &promised, 8, Arc::new(other)).await.unwrap_err();
    assert!(error.to_string().contains("DIGEST_INVALID"), "{error}");
    let error = registry.push_blob(&repo, &promised, 9, Arc::new(Bytes::from_static(b"8 bytes."))).await;
    assert!(matches!(&*error.as_ref().unwrap_err().problem, Problem::Source(_)), "{error:?}");
    assert_eq!(registry.blob_head(&repo, &promised).await.unwrap(), None);
}

#[tokio::test]
async fn a_blob_is_mounted_and_a_refused_mount_leaves_an_upload_to_use() {
    let Some(server) = DockerRegistry::start() else { return };
    let registry = client();
    let (from, to) = (repo(&server.host(), "a/from"), repo(&server.host(), "b/to"));
    let bytes = noise(50_000);
    let digest = push(&registry, &from, &bytes).await;
    let outcome = registry.mount_blob(&to, &digest, "a/from").await.unwrap();
    assert!(matches!(outcome, MountOutcome::Mounted), "{outcome:?}");
    assert_eq!(registry.blob_head(&to, &digest).await.unwrap(), Some(50_000));
    let fresh = noise(60_000);
    let digest = sha256(&fresh);
    let MountOutcome::Session(session) = registry.mount_blob(&to, &digest, "a/from").await.unwrap() else {
        panic!("a blob that is nowhere cannot be mounted");
    };
    let source: Arc<dyn BlobSource> = Arc::new(fresh);
    registry.push_blob_in(&to, (&digest, 60_000), source, Some(session), Upload::Monolithic).await.unwrap();
    assert_eq!(registry.blob_head(&to, &digest).await.unwrap(), Some(60_000));
}

#[tokio::test]
async fn manifests_tags_and_lists_are_the_same_as_another_client_sees_them() {
    let Some(server) = DockerRegistry::start() else { return };
    let registry = client();
    let repo = repo(&server.host(), "team/app");
    let (child, _) = image(&registry, &repo, "oci", false).await;
    let (docker, _) = image(&registry, &repo, "docker", true).await;
    let index = format!(
        "{{\"schemaVersion\":2, \"mediaType\":\"{}\",\"manifests\":[{{\"mediaType\":\"{}\",\"size\":1,\
         \"digest\":\"{child}\",\"platform\":{{\"os\":\"linux\",\"architecture\":\"s390x\"}}}}]}}",
        mt::OCI_INDEX,
        mt::OCI_MANIFEST
    );
    registry.push_manifest(&repo, "index", mt::OCI_INDEX, index.clone().into()).await.unwrap();
    let head = registry.head_manifest(&repo, "index").await.unwrap().unwrap();
    assert_eq!((head.digest, head.size), (Some(sha256(index.as_bytes())), Some(index.len() as u64)));
    assert_eq!(head.media_type, mt::OCI_INDEX);
    assert_eq!(registry.head_manifest(&repo, "none").await.unwrap(), None);

    // The other client takes its TLS from the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let protocol = oci_distribution::client::ClientProtocol::Http;
    let config = oci_distribution::client::ClientConfig { protocol, ..Default::default() };
    let other = oci_distribution::Client::try_from(config).unwrap();
    let anonymous = oci_distribution::secrets::RegistryAuth::Anonymous;
    for selector in ["oci".to_owned(), "docker".to_owned(), "index".to_owned(), docker.to_string()] {
        let mark = if selector.contains(':') { '@' } else { ':' };
        let reference: oci_distribution::Reference = format!("{repo}{mark}{selector}").parse().unwrap();
        let (bytes, digest) =
            other.pull_manifest_raw(&reference, &anonymous, &mt::ACCEPT_MANIFESTS).await.unwrap();
        let ours = registry.manifest(&repo, &selector).await.unwrap();
        assert_eq!((ours.bytes, ours.digest.to_string()), (bytes, digest), "{selector}");
    }
    let reference: oci_distribution::Reference = format!("{repo}:oci").parse().unwrap();
    let tags = other.list_tags(&reference, &anonymous, None, None).await.unwrap().tags;
    assert_eq!(registry.tags(&repo).await.unwrap(), tags);
    assert_eq!(registry.catalog(&server.host()).await.unwrap(), ["team/app"]);
}

#[tokio::test]
async fn referrers_are_found_by_the_tag_that_stands_for_them_and_cosigns_by_theirs() {
    let Some(server) = DockerRegistry::start() else { return };
    let registry = client();
    let repo = repo(&server.host(), "team/signed");
    let (subject, bytes) = image(&registry, &repo, "v1", false).await;
    let none = registry.referrers(&repo, &subject).await.unwrap();
    assert_eq!((none.source, none.descriptors.len()), (ReferrersSource::None, 0));
    assert_eq!(registry.cosign_tag(&repo, &subject, "sig").await.unwrap(), None);
    let tag = format!("sha256-{}", subject.hex());
    registry.push_manifest(&repo, &format!("{tag}.sig"), mt::OCI_MANIFEST, bytes.clone()).await.unwrap();
    let index = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"manifests\":[{{\"mediaType\":\"{}\",\"size\":{},\
         \"digest\":\"{subject}\",\"artifactType\":\"text/spdx\"}}]}}",
        mt::OCI_INDEX,
        mt::OCI_MANIFEST,
        bytes.len()
    );
    registry.push_manifest(&repo, &tag, mt::OCI_INDEX, index.clone().into()).await.unwrap();
    let found = registry.referrers(&repo, &subject).await.unwrap();
    assert_eq!(found.source, ReferrersSource::FallbackTag);
    assert_eq!(found.descriptors[0].artifact_type.as_deref(), Some("text/spdx"));
    assert_eq!(found.fallback.unwrap().bytes, index);
    assert_eq!(registry.cosign_tag(&repo, &subject, "sig").await.unwrap().unwrap().bytes, bytes);
}

#[tokio::test]
async fn a_manifest_that_names_missing_content_is_told_from_one_that_is_refused() {
    let Some(server) = DockerRegistry::start() else { return };
    let registry = client();
    let (here, there) = (repo(&server.host(), "a/here"), repo(&server.host(), "a/there"));
    let (_, bytes) = image(&registry, &here, "v1", false).await;
    let error = registry.push_manifest(&there, "v1", mt::OCI_MANIFEST, bytes).await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::BlobUnknown(_)), "{error:?}");
    let confused = Bytes::from(format!("{{\"schemaVersion\":2,\"mediaType\":\"{}\"}}", mt::OCI_INDEX));
    let error = registry.push_manifest(&here, "v2", mt::OCI_MANIFEST, confused).await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::ManifestRefused { .. }), "{error:?}");
    assert!(error.to_string().contains("MANIFEST_INVALID"), "{error}");
    let missing = registry.manifest(&here, "v3").await.unwrap_err();
    assert!(missing.is_not_found() && missing.to_string().contains("MANIFEST_UNKNOWN"), "{missing}");
}

#[tokio::test]
async fn r17_a_private_ca_accounts_and_insecure_hosts_work_from_the_start() {
    let options = Options { auth: true, tls: true, ..Options::default() };
    let Some(server) = DockerRegistry::with(&options) else { return };
    let root = TempRoot::new();
    let authfile = |password: &str| {
        let entry = serde_json::json!({ "username": USER, "password": password });
        let text = serde_json::json!({ "auths": { server.host(): entry } }).to_string();
        Some(root.write(format!("auth-{}.json", password.len()), text))
    };
    let repo = repo(&server.host(), "team/app");
    let trusting = RegistryOptions {
        ca: vec![server.ca_file()],
        authfile: authfile(PASSWORD),
        ..RegistryOptions::default()
    };
    let registry = Registry::new(trusting.clone()).unwrap();
    let (digest, bytes) = image(&registry, &repo, "v1", false).await;
    assert_eq!(registry.manifest(&repo, "v1").await.unwrap().bytes, bytes);
    assert_eq!(registry.catalog(&server.host()).await.unwrap(), ["team/app"]);

    let insecure = RegistryOptions {
        insecure: vec![server.host()],
        authfile: authfile(PASSWORD),
        ..RegistryOptions::default()
    };
    let fetched = Registry::new(insecure).unwrap().manifest(&repo, "v1").await.unwrap();
    assert_eq!(fetched.digest, digest);

    let unknown = RegistryOptions { authfile: authfile(PASSWORD), ..RegistryOptions::default() };
    let error = Registry::new(unknown).unwrap().manifest(&repo, "v1").await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::Tls { .. }), "{error:?}");
    assert!(error.hints()[0].contains("--ca FILE"), "{:?}", error.hints());

    let wrong = RegistryOptions { authfile: authfile("wrong"), ..trusting };
    let error = Registry::new(wrong).unwrap().manifest(&repo, "v1").await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::Unauthorized { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("wrong"), "{error:?}");
}

#[tokio::test]
async fn r17_a_registry_whose_certificate_is_its_own_authority_works_with_that() {
    let options = Options { tls: true, self_signed: true, ..Options::default() };
    let Some(server) = DockerRegistry::with(&options) else { return };
    let repo = repo(&server.host(), "team/app");
    let trusting = RegistryOptions { ca: vec![server.ca_file()], ..RegistryOptions::default() };
    let registry = Registry::new(trusting).unwrap();
    let (_, bytes) = image(&registry, &repo, "v1", false).await;
    assert_eq!(registry.manifest(&repo, "v1").await.unwrap().bytes, bytes);
    let error = client().manifest(&repo, "v1").await.unwrap_err();
    let words = "TLS: its certificate is that of an authority, and not trusted itself";
    assert_eq!(error.problem.to_string(), words, "{error:?}");
    assert!(error.hints()[0].contains("own, give the very same with --ca FILE"), "{:?}", error.hints());
    // The key in place of the certificate: what the registry speaks is not guessed then.
    let key = server.ca_file().with_file_name("server.key");
    let mistaken = RegistryOptions { ca: vec![key], ..RegistryOptions::default() };
    let error = Registry::new(mistaken).unwrap().manifest(&repo, "v1").await.unwrap_err();
    assert!(matches!(&*error.problem, Problem::Setup(_)), "{error:?}");
    assert!(error.to_string().contains("server.key holds no PEM certificate"), "{error}");
}

#[tokio::test]
async fn r17_plain_http_needs_a_word_only_away_from_this_machine() {
    let Some(server) = DockerRegistry::start() else { return };
    let repo = repo(&server.host(), "team/app");
    let (_, bytes) = image(&client(), &repo, "v1", false).await;
    let options = RegistryOptions { plain_http: vec![server.host()], ..RegistryOptions::default() };
    assert_eq!(Registry::new(options).unwrap().manifest(&repo, "v1").await.unwrap().bytes, bytes);
}

/// Passes everything on to `target`, but breaks the connection of the first upload after `limit` bytes.
async fn cutting_proxy(target: String, limit: u64) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let cuts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&cuts);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&target).await.unwrap();
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let back =
                    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                let mut buffer = vec![0; 65536];
                let mut passed = 0;
                while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
                    passed += count as u64;
                    if passed > limit && counter.load(Ordering::SeqCst) < 2 {
                        counter.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    if to_server.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
                back.abort();
            });
        }
    });
    (host, cuts)
}

#[tokio::test]
async fn an_upload_that_is_cut_off_goes_on_in_chunks() {
    let Some(server) = DockerRegistry::start() else { return };
    let (host, cuts) = cutting_proxy(server.host(), 700_000).await;
    let repo = repo(&host, "a/cut");
    let bytes = noise(2_000_000);
    let digest = push(&client(), &repo, &bytes).await;
    assert_eq!(cuts.load(Ordering::SeqCst), 2, "the whole one and a chunk were cut");
    let direct = Repository { host: server.host(), ..repo };
    let read = client().small_blob(&direct, &digest, 2_000_000).await.unwrap();
    assert_eq!(sha256(&read), digest);
}
