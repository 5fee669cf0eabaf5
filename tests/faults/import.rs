//! Targets that change, refuse or share what is imported: said with what it means, and nothing half-written or lost to a power cut.

use std::collections::HashMap;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use airlift::domain::digest::Digest;
use airlift::domain::media_type as mt;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::hash::sha256;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::hostile::{Hostile, Seen, Step, reply};
use crate::machine::{Mount, files_below, strace, tampered, under};
use crate::rig::containerd::{Containerd, Line};
use crate::rig::world::{Ran, World};

/// A packed image with Docker schema 2 types, and its digest.
fn packed() -> Option<(World, PathBuf, Digest)> {
    let world = World::start()?;
    let spec = ImageSpec::small("x").docker();
    let digest = world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &spec).unwrap());
    let bundle = world.packed(&["HOST/team/app:1"]);
    Some((world, bundle, digest))
}

fn import(world: &World, bundle: &Path, target: &str) -> std::process::Command {
    let mut command = world.command();
    command.arg("import").arg(bundle).args(["--into", target]);
    command
}

/// What a registry does with a manifest that is put there.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Stores another one in its place and says so.
    ConvertsAndSays,
    /// Stores another one in its place and says nothing.
    ConvertsSilently,
    /// Keeps it by digest, and lets the tag point at another one.
    ConvertsTags,
    /// Takes OCI types only, as zot does without `docker2s2`.
    OciOnly,
}

/// The manifest as OCI, which makes it another one.
fn converted(manifest: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(manifest.to_vec()).unwrap();
    let text = text.replace(mt::DOCKER_MANIFEST, mt::OCI_MANIFEST).replace(mt::DOCKER_CONFIG, mt::OCI_CONFIG);
    text.into_bytes()
}

fn answer(habit: Habit, held: &Mutex<HashMap<String, Vec<u8>>>, seen: &Seen) -> Vec<Step> {
    let mut held = held.lock().unwrap();
    match (seen.method.as_str(), seen.path.rsplit_once("/manifests/")) {
        ("HEAD" | "GET", Some((_, name))) => match held.get(name) {
            None => reply(404, &[], ""),
            Some(bytes) => {
                let digest = sha256(bytes).to_string();
                let headers =
                    [("Docker-Content-Digest", digest.as_str()), ("Content-Type", mt::OCI_MANIFEST)];
                reply(200, &headers, if seen.method == "GET" { bytes.as_slice() } else { b"" })
            }
        },
        ("PUT", Some((_, name))) => {
            let by_digest = name.contains(':');
            let other = converted(&seen.body);
            let digest = sha256(&other).to_string();
            match habit {
                Habit::OciOnly => {
                    let detail = json!({"mediaType": seen.header("content-type")});
                    let error =
                        json!({"code": "MANIFEST_INVALID", "message": "manifest invalid", "detail": detail});
                    return reply(415, &[], json!({"errors": [error]}).to_string());
                }
                Habit::ConvertsTags if by_digest => {
                    held.insert(name.to_owned(), seen.body.clone());
                }
                _ => {
                    held.insert(digest.clone(), other.clone());
                    if !by_digest {
                        held.insert(name.to_owned(), other);
                    }
                }
            }
            let says = matches!(habit, Habit::ConvertsAndSays);
            let headers = [("Docker-Content-Digest", digest.as_str())];
            reply(201, &headers[..usize::from(says)], "")
        }
        ("POST", None) => reply(202, &[("Location", "/v2/team/app/blobs/uploads/1")], ""),
        ("PUT", None) => reply(201, &[], ""),
        _ => reply(404, &[], ""),
    }
}

/// Imports into a registry of that habit; the run and what the registry was asked.
fn into(habit: Habit, world: &World, bundle: &Path) -> (Ran, Vec<Seen>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let held = Mutex::default();
    let server = runtime.block_on(Hostile::start(move |seen, _| answer(habit, &held, seen)));
    let ran = Ran::of(import(world, bundle, &format!("registry:http://{}", server.host())));
    (ran, server.seen())
}

#[test]
fn r05_a_registry_that_converts_is_reported_with_both_digests_and_what_a_pull_by_digest_then_gives() {
    let Some((world, bundle, digest)) = packed() else { return };
    let manifest = std::fs::read(bundle.join(digest.layout_path())).unwrap();
    let other = sha256(&converted(&manifest));
    assert_ne!(other, digest);
    for (habit, pinned) in [
        (Habit::ConvertsAndSays, "finds nothing"),
        (Habit::ConvertsSilently, "finds nothing"),
        (Habit::ConvertsTags, "still finds it"),
    ] {
        let (ran, _) = into(habit, &world, &bundle);
        let ran = ran.code(16);
        for words in [digest.to_string(), other.to_string(), format!("by the bundle's digest {pinned}")] {
            assert!(ran.said().contains(&words), "{habit:?}: {words:?} is not in {}", ran.said());
        }
        assert!(ran.said().contains("rewrites what it is given"), "{habit:?}: {}", ran.said());
    }
}

#[test]
fn r06_an_oci_only_registry_is_explained_with_the_setting_that_lets_schema_2_in() {
    let Some((world, bundle, digest)) = packed() else { return };
    let (ran, asked) = into(Habit::OciOnly, &world, &bundle);
    let ran = ran.code(16);
    for words in ["MANIFEST_INVALID", mt::DOCKER_MANIFEST, r#""http": {"compat": ["docker2s2"]}"#] {
        assert!(ran.said().contains(words), "{words:?} is not in {}", ran.said());
    }
    let put = asked.iter().filter(|seen| seen.method == "PUT" && seen.path.contains("/manifests/"));
    let put: Vec<&Seen> = put.collect();
    assert_eq!(put.len(), 1, "refused once and neither converted nor named: {put:?}");
    assert_eq!(sha256(&put[0].body), digest);
}

#[test]
fn an_import_that_ends_early_says_which_images_are_in_which_target() {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| {
        layout.image(&format!("{host}/team/a:1"), &ImageSpec::small("a")).unwrap();
        layout.image(&format!("{host}/team/b:1"), &ImageSpec::small("b")).unwrap()
    });
    let bundle = world.packed(&["HOST/team/a:1", "HOST/team/b:1"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let held = Mutex::default();
    let server = runtime.block_on(Hostile::start(move |seen, _| {
        if seen.method == "PUT" && seen.path.ends_with("/team/b/manifests/1") {
            return reply(403, &[], "");
        }
        // What is OCI already stays as it is there.
        answer(Habit::ConvertsSilently, &held, seen)
    }));
    let registry = format!("registry:http://{}", server.host());
    let (first, last) = (world.root.join("first"), world.root.join("last"));
    let mut command = import(&world, &bundle, &format!("oci:{}", first.display()));
    command.args(["--into", &registry, "--into", &format!("oci:{}", last.display()), "--json"]);
    let ran = Ran::of(command).code(15);
    let (a, b) = (world.reference("team/a:1"), world.reference("team/b:1"));
    for line in [
        format!("oci:{}: all images are in it", first.display()),
        format!("{registry}: in it: {a}; not in it: {b}"),
        format!("oci:{}: all images are in it", last.display()),
    ] {
        assert!(ran.said().contains(&line), "{line:?} is not in {}", ran.said());
    }
    // The same for programs, a line for each target.
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let landed: Vec<_> = lines.filter(|line| line["event"] == "landed").collect();
    assert_eq!(landed.len(), 3, "{}", ran.stdout);
    let of = |target: &str| landed.iter().find(|line| line["target"] == *target).unwrap();
    let (there, missing) = (&of(&registry)["there"], &of(&registry)["missing"]);
    assert_eq!((there, missing), (&json!([a]), &json!([b])), "{landed:?}");
    assert!(of(&registry)["reason"].to_string().contains("403"), "{landed:?}");
    let whole = of(&format!("oci:{}", first.display()));
    assert_eq!(
        (&whole["there"], &whole["added"], &whole["missing"]),
        (&json!([a, b]), &json!([a, b]), &json!([]))
    );
}

#[test]
fn a_layout_without_room_is_refused_and_nothing_of_it_is_left() {
    let Some(world) = World::start() else { return };
    let spec = ImageSpec::new(vec![LayerSpec::noise(1, 300_000)]);
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &spec).unwrap());
    let bundle = world.packed(&["HOST/team/app:1"]);
    let small = world.root.join("small");
    std::fs::create_dir(&small).unwrap();
    let Some(medium) = Mount::tmpfs(&small, "size=64k") else { return };
    let target = format!("oci:{}", small.join("new/layout").display());
    let refused = Ran::of(import(&world, &bundle, &target)).code(14).said();
    assert!(refused.contains("nothing was written"), "{refused}");
    assert_eq!(std::fs::read_dir(&small).unwrap().count(), 0, "{refused}");
    medium.remount("size=8m");
    for (more, words) in [
        (&[][..], "the first image that fails ends the import; with --keep-going"),
        (&["--keep-going"], "one image that fails leaves the others"),
    ] {
        let mut plan = import(&world, &bundle, &target);
        plan.arg("--dry-run").args(more);
        let said = Ran::of(plan).code(0).said();
        assert!(said.contains(words), "{said}");
    }
    Ran::of(import(&world, &bundle, &target)).code(0);
    assert!(small.join("new/layout/index.json").exists());
}

#[test]
fn a_target_another_run_writes_to_is_left_alone_and_then_written_whole() {
    let Some((world, bundle, _)) = packed() else { return };
    for (kind, name, temp) in [
        ("oci-archive", "out/oci.tar", "out/oci.tar.airlift-tmp"),
        ("docker-archive", "out/docker.tar", "out/docker.tar.airlift-tmp"),
        ("oci", "out", "out/blobs/sha256/0.airlift-tmp"),
    ] {
        let path = world.root.join(name);
        let target = format!("{kind}:{}", path.display());
        let directory = world.root.join("out");
        std::fs::create_dir_all(&directory).unwrap();
        let theirs = world.root.write(temp, "another run is at it");
        let held = std::fs::File::open(&directory).unwrap();
        held.lock().unwrap();
        let mut plan = import(&world, &bundle, &target);
        plan.arg("--dry-run");
        let told = format!("another run is at work in {}", directory.display());
        let said = Ran::of(plan).code(0).said();
        assert!(said.contains(&told) && said.contains("an import is refused until that has ended"), "{said}");
        let ran = Ran::of(import(&world, &bundle, &target)).code(75);
        assert!(ran.said().contains("is being written by another run"), "{}", ran.said());
        assert!(theirs.exists() && !path.is_file(), "{target}");
        drop(held);
        Ran::of(import(&world, &bundle, &target)).code(0);
        let left = files_below(&directory);
        assert!(!left.iter().any(|file| file.contains("airlift-tmp")), "{left:?}");
        if kind != "oci" {
            assert_eq!(left.len(), 1, "{left:?}");
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_file_system_without_locks_is_not_taken_for_another_run() {
    let (Some(strace), Some((world, bundle, _))) = (strace(), packed()) else { return };
    let out = world.root.join("out");
    std::fs::create_dir(&out).unwrap();
    let command = import(&world, &bundle, &format!("oci:{}", out.display()));
    let ran = Ran::of(tampered(&strace, ("flock", &out), "error=ENOLCK", &world.root.join("log"), &command))
        .code(1);
    assert!(ran.said().contains(&format!("cannot lock {}", out.display())), "{}", ran.said());
}

#[test]
fn new_directories_of_a_target_are_durable_up_to_the_one_that_was_there() {
    let (Some(strace), Some((world, bundle, _))) = (strace(), packed()) else { return };
    let root = world.root.path().canonicalize().unwrap();
    for (target, made) in [
        (
            "oci:a/b/layout",
            &["", "a", "a/b", "a/b/layout", "a/b/layout/blobs", "a/b/layout/blobs/sha256"][..],
        ),
        ("oci-archive:c/d/image.tar", &["", "c", "c/d"]),
        ("docker-archive:e/f/image.tar", &["", "e", "e/f"]),
    ] {
        let log = root.join("log");
        let command = import(&world, &bundle, target);
        let arguments = ["-f", "-y", "-o", log.to_str().unwrap(), "-e", "trace=fsync"];
        Ran::of(under(&strace, &arguments, &command)).code(0);
        let synced = std::fs::read_to_string(&log).unwrap();
        for directory in made {
            let path = root.join(directory);
            let path = path.to_str().unwrap().trim_end_matches('/');
            assert!(synced.contains(&format!("<{path}>)")), "{target}: {path} was not synced: {synced}");
        }
    }
}

#[test]
fn keys_trusted_by_several_runs_at_once_are_all_trusted_and_a_held_trust_file_says_so() {
    let world = crate::rig::TempRoot::new();
    let keys: Vec<String> = (0..6).map(|n| format!("key{n}")).collect();
    for name in &keys {
        let mut command = world.command();
        Ran::of({
            command.args(["key", "generate", "--no-passphrase", "--comment", name, "--key", name]);
            command
        })
        .code(0);
    }
    let trust = |name: &String| {
        let mut command = world.command();
        command.args(["key", "trust", &format!("{name}.pub"), "--principal", name, "--trust", "t/allowed"]);
        command
    };
    std::fs::create_dir(world.join("t")).unwrap();
    let held = std::fs::File::open(world.join("t")).unwrap();
    held.lock().unwrap();
    Ran::of(trust(&keys[0])).code(75);
    assert_eq!(files_below(&world.join("t")), Vec::<String>::new());
    drop(held);
    let start = |name| trust(name).stdout(std::process::Stdio::null()).spawn().unwrap();
    let runs: Vec<_> = keys.iter().map(start).collect();
    let ends: Vec<_> = runs.into_iter().map(|mut run| run.wait().unwrap().code()).collect();
    // One that waited in vain says so, and works now.
    for (name, _) in keys.iter().zip(&ends).filter(|(_, end)| **end == Some(75)) {
        Ran::of(trust(name)).code(0);
    }
    assert!(ends.iter().all(|end| matches!(end, Some(0 | 75))), "{ends:?}");
    let text = std::fs::read_to_string(world.join("t/allowed")).unwrap();
    assert!(keys.iter().all(|name| text.contains(&format!("{name} namespaces="))), "{text}");
    assert_eq!(files_below(&world.join("t")).len(), 1);
}

/// Bytes that were read of each file, of a trace with paths (strace -f -y).
fn reads(trace: &str) -> HashMap<String, u64> {
    let (mut begun, mut read) = (HashMap::new(), HashMap::new());
    for line in trace.lines() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        // A call that another thread's came between is told in two lines.
        let path = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
        if rest.ends_with("<unfinished ...>") {
            begun.insert(process, path);
            continue;
        }
        let path = if rest.contains(" resumed>") { begun.remove(process).flatten() } else { path };
        let got = rest.rsplit_once(" = ").and_then(|(_, got)| got.split(' ').next()?.parse::<u64>().ok());
        if let (Some(path), Some(got)) = (path, got) {
            *read.entry(path.to_owned()).or_default() += got;
        }
    }
    read
}

#[test]
fn several_targets_read_every_layer_of_the_medium_once() {
    let (Some(strace), Some(world)) = (strace(), World::start()) else { return };
    let base = LayerSpec::noise(1, 3 << 20);
    world.push(|layout, host| {
        for (name, seed) in [("one", 2), ("two", 3)] {
            let own = LayerSpec::noise(seed, 2 << 20);
            let spec = ImageSpec::new(vec![base.clone(), own]);
            layout.image(&format!("{host}/team/{name}:1"), &spec).unwrap();
        }
    });
    let bundle = world.packed(&["HOST/team/one:1", "HOST/team/two:1"]);
    let root = world.root.path().canonicalize().unwrap();
    let log = root.join("log");
    std::fs::create_dir(root.join("images")).unwrap();
    let targets = [
        format!("registry:http://{}/copy", world.registry.host()),
        "oci:layout".to_owned(),
        "oci-archive:images.tar".to_owned(),
        "docker-archive:saved.tar".to_owned(),
        "k3s:images".to_owned(),
    ];
    let containerd = Containerd::with_cri(Line::One);
    let targets = targets.into_iter().chain(containerd.as_ref().map(Containerd::target));
    let mut command = world.command();
    command.arg("import").arg(&bundle).args(targets.flat_map(|target| ["--into".to_owned(), target]));
    let arguments = ["-f", "-y", "-o", log.to_str().unwrap(), "-e", "trace=read,pread64"];
    Ran::of(under(&strace, &arguments, &command)).code(0);

    let read = reads(&std::fs::read_to_string(&log).unwrap());
    let layers: Vec<_> = files_below(&bundle.join("blobs"))
        .into_iter()
        .filter(|path| std::fs::metadata(bundle.join("blobs").join(path)).unwrap().len() > 1 << 20)
        .collect();
    assert_eq!(layers.len(), 3, "one shared and two own");
    for layer in layers {
        let path = bundle.canonicalize().unwrap().join("blobs").join(&layer);
        let (size, read) = (path.metadata().unwrap().len(), read[path.to_str().unwrap()]);
        // Beside it only the few bytes that tell how large a layer becomes.
        assert!((size..size + (64 << 10)).contains(&read), "{layer}: {read} bytes read of {size}");
        let there = root.join("layout/blobs").join(&layer);
        assert_eq!(std::fs::read(bundle.join("blobs").join(&layer)).unwrap(), std::fs::read(there).unwrap());
    }
}

#[test]
fn who_waits_for_a_runtime_that_never_answers_is_let_go_at_once() {
    let Some((world, bundle, _)) = packed() else { return };
    let socket = world.root.join("containerd.sock.ttrpc");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut command = import(&world, &bundle, &format!("containerd:{}", socket.display()));
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // The first connection only asks whether somebody listens; on the second the question is put.
    let (_probe, _asked) = (listener.accept().unwrap(), listener.accept().unwrap());
    let began = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(began.elapsed() < Duration::from_secs(5), "{said}");
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("nothing was written to any target"), "{said}");
}
