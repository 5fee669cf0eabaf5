//! `airlift serve` as its own process over a real bundle: bounded memory, an orderly end, and nothing served that does not verify.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier};

use airlift::domain::digest::Digest;
use airlift::domain::keep_going::KeepGoing;
use airlift::domain::media_type::Compression;
use airlift::domain::selection::Request;
use airlift::engine::bundle::assemble::{AssembleSpec, BundleSpec, assemble};
use airlift::engine::bundle::ground::Ground;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::pull::Puller;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout};
use airlift::engine::files::RealFiles;
use airlift::engine::registry::{Registry, RegistryOptions};
use airlift::engine::resolve::{ResolveSpec, resolve};
use airlift::engine::serve::catalog::Catalog;
use airlift::engine::serve::layout::LayoutSource;
use airlift::engine::serve::source::Source;
use airlift::engine::serve::{ListenSpec, start};
use airlift::engine::sign::Signer;
use airlift::engine::sign::store::{TrustSpec, trust};
use airlift::engine::state::State;

use crate::rig::{PATIENCE, TempRoot, need, wait_until};

struct Bundle {
    root: TempRoot,
    path: PathBuf,
    image: Digest,
    /// A layer, and its length in bytes.
    layer: (Digest, u64),
}

/// Packs one signed image whose layer has `size` bytes; blobs over `max_file_size` lie in parts.
async fn bundle(size: u64, max_file_size: Option<u64>) -> Bundle {
    let root = TempRoot::new();
    let mut layout = SampleLayout::create(&root.join("source")).unwrap();
    let spec = LayerSpec::noise(11, size).compressed(Compression::None);
    let layer = layout.layer(&spec).unwrap();
    let name = "source.test/team/app:1";
    let image = layout.image(name, &ImageSpec::new(vec![spec])).unwrap();
    layout.cosign_signature(name, &image).unwrap();
    layout.referrer(name, &image, "application/spdx+json").unwrap();
    let source: Arc<dyn Source> = Arc::new(LayoutSource::open(layout.dir(), Arc::new(RealFiles)).unwrap());
    let ctx = JobCtx::silent();
    let catalog = Arc::new(Catalog::new(&[source]).unwrap());
    let running = start(&ListenSpec::loopback(), catalog, &ctx).await.unwrap();
    let request = Request::parse(&format!("{}/team/app:1", running.address)).unwrap();
    let spec = ResolveSpec { requests: vec![request], signatures: true, ..ResolveSpec::default() };
    let registry = Registry::new(RegistryOptions::default()).unwrap();
    let outcomes = resolve(&spec, &registry, &ctx).await.unwrap();
    let signer = Signer::throw_away("test").unwrap();
    std::fs::create_dir(root.join("medium")).unwrap();
    let spec = AssembleSpec {
        images: outcomes.into_iter().map(Result::unwrap).collect(),
        missing: Vec::new(),
        left_out: Vec::new(),
        bundle: BundleSpec {
            to: root.join("medium"),
            ground: Ground::of(&root.join("medium")),
            carrier: None,
            name: "test".to_owned(),
            expires: None,
            jobs: 2,
            read_back: false,
            tool: false,
            max_file_size,
            keep_going: KeepGoing::No,
            anew: false,
            replaces: Vec::new(),
        },
    };
    let state = State::new(Arc::new(RealFiles), root.join("state"));
    let report = assemble(spec, registry, &signer, &state, &ctx).await.unwrap();
    running.stop().await.unwrap();
    let key = signer.public().clone();
    let spec = TrustSpec { key, principal: "test".to_owned(), valid_after: None, valid_before: None };
    trust(&RealFiles, &root.join("allowed_signers"), &spec, true).unwrap();
    Bundle { root, path: report.path, image, layer: (layer.digest, layer.size) }
}

/// `airlift serve`, ended with its value.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Bundle {
    fn serve(&self) -> Server {
        let mut child = self
            .root
            .command()
            .arg("serve")
            .arg(&self.path)
            .args(["--listen", "127.0.0.1:0", "--trust"])
            .arg(self.root.join("allowed_signers"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(self.root.join("said")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        Server { address: address.unwrap_or_else(|| panic!("not an address: {line:?}")).to_owned(), child }
    }
}

impl Server {
    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The most memory this process ever had, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r29_many_slow_clients_of_a_large_blob_do_not_make_the_server_grow() {
    const CLIENTS: usize = 64;
    let bundle = bundle(64 << 20, None).await;
    let server = bundle.serve();
    let path = format!("/v2/team/app/blobs/{}", bundle.layer.0);
    let all_have_begun = Arc::new(Barrier::new(CLIENTS + 1));
    let measured = Arc::new(Barrier::new(CLIENTS + 1));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (mut stream, begun, measured) =
                (server.ask(&path), Arc::clone(&all_have_begun), Arc::clone(&measured));
            std::thread::spawn(move || {
                let mut some = vec![0; 1 << 20];
                stream.read_exact(&mut some).unwrap();
                begun.wait();
                measured.wait();
            })
        })
        .collect();
    all_have_begun.wait();
    let peak = server.peak();
    measured.wait();
    for client in clients {
        client.join().unwrap();
    }
    assert!(peak < 96 << 10, "{CLIENTS} clients of 64 MiB took {peak} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn r01_a_pinned_digest_survives_pack_verify_serve_and_a_pull_by_another_implementation() {
    for max_file_size in [None, Some(1 << 20)] {
        let bundle = bundle(5 << 20, max_file_size).await;
        let server = bundle.serve();
        let puller = Puller::new().unwrap();
        let tagged = format!("{}/team/app:1", server.address).parse().unwrap();
        let pulled = puller.image(&tagged, &bundle.image).await.unwrap();
        assert_eq!((pulled.documents, pulled.blobs), (1, 2));
        let pinned = format!("{}/team/app@{}", server.address, bundle.image).parse().unwrap();
        puller.image(&pinned, &bundle.image).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn carried_signatures_are_served_where_clients_look_for_them() {
    let bundle = bundle(1000, None).await;
    let server = bundle.serve();
    let get = |path: String| {
        let mut answer = String::new();
        server.ask(&path).read_to_string(&mut answer).unwrap();
        answer
    };
    let signature = get(format!("/v2/team/app/manifests/sha256-{}.sig", bundle.image.hex()));
    assert!(signature.starts_with("HTTP/1.1 200"), "{signature}");
    let referrers = get(format!("/v2/team/app/referrers/{}", bundle.image));
    assert!(referrers.contains("application/spdx+json"), "{referrers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_gone_while_it_is_served_never_arrives_whole_and_is_told_once() {
    let Some(curl) = need("curl") else { return };
    let bundle = bundle(5 << 20, None).await;
    let server = bundle.serve();
    let asked = |path: &str, more: &[&str]| {
        let url = format!("http://{}/v2/team/app/{path}", server.address);
        let mut curl = Command::new(&curl);
        let got = curl.args(["-s", "-w", "%{stderr}%{http_code}", &url]).args(more).output().unwrap();
        (got.status.code().unwrap(), String::from_utf8(got.stderr).unwrap(), got.stdout.len() as u64)
    };
    let fetch = |path: &str| asked(path, &[]);
    // Far from what will be damaged.
    let part = |path: &str| asked(path, &["-r", "4000000-4999999"]);
    let told = |words: &str, times: usize| {
        let said = || std::fs::read_to_string(bundle.root.join("said")).unwrap();
        wait_until(words, || said().contains(words));
        assert_eq!(said().matches(words).count(), times, "{}", said());
    };
    let damage = |digest: &Digest| {
        let path = bundle.path.join(digest.layout_path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    let (layer, manifest) = (format!("blobs/{}", bundle.layer.0), format!("manifests/{}", bundle.image));
    assert_eq!(fetch(&layer), (0, "200".to_owned(), bundle.layer.1));
    assert_eq!(part(&layer), (0, "206".to_owned(), 1_000_000));
    damage(&bundle.layer.0);
    for _ in 0..2 {
        let (code, status, bytes) = fetch(&layer);
        // That of curl for less than was announced.
        assert!(code == 18 && status == "200" && bytes < bundle.layer.1, "{code} {status} {bytes}");
    }
    assert_eq!(part(&layer).1, "500", "whoever goes on with it would put together what is damaged");
    told("is damaged by now", 1);
    damage(&bundle.image);
    assert_eq!(fetch(&manifest).1, "500", "it is read before the answer begins");
    told("is damaged by now", 2);
    std::fs::rename(&bundle.path, bundle.root.join("away")).unwrap();
    for path in [&layer, &manifest, &layer] {
        assert_eq!(fetch(path).1, "500");
    }
    told("put its medium back where it was", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_server_in_order() {
    let bundle = bundle(1000, None).await;
    let mut server = bundle.serve();
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut ended = None;
    wait_until("the server ends", || {
        ended = server.child.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().code(), Some(0));
    assert!(TcpStream::connect(&server.address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_does_not_verify_is_not_served() {
    let bundle = bundle(100_000, None).await;
    let serve = |trust: PathBuf| {
        let mut command = bundle.root.airlift();
        command.arg("serve").arg(&bundle.path).args(["--listen", "127.0.0.1:0", "--trust"]).arg(trust);
        command.timeout(PATIENCE).assert()
    };
    let signer = Signer::throw_away("other").unwrap();
    let spec = TrustSpec {
        key: signer.public().clone(),
        principal: "other".to_owned(),
        valid_after: None,
        valid_before: None,
    };
    let other = bundle.root.join("other_signers");
    trust(&RealFiles, &other, &spec, true).unwrap();
    serve(other).code(11);
    let path = bundle.path.join(bundle.layer.0.layout_path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let refused = serve(bundle.root.join("allowed_signers")).code(10);
    let words = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(words.contains(bundle.layer.0.hex()), "{words}");
}
