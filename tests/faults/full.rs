//! Media that are full, limited, read-only or failing: the exit code says so, nothing is signed or left half-written, and the same command goes on.

use std::path::PathBuf;
use std::sync::Arc;

use airlift::domain::carrier::Carrier;
use airlift::domain::digest::Digest;
use airlift::domain::keep_going::KeepGoing;
use airlift::engine::bundle::assemble::BundleSpec;
use airlift::engine::bundle::ground::Ground;
use airlift::engine::bundle::unfinished::find_interrupted;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout};
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::files::RealFiles;
use airlift::engine::pack::{PackReport, PackSpec, pack};
use airlift::engine::registry::{Registry, RegistryOptions};
use airlift::engine::select;
use airlift::engine::sign::Signer;
use airlift::engine::sign::keys::NoPassphrase;
use airlift::engine::state::State;

use crate::faulty::{Fault, FaultyFiles};
use crate::machine::{Mount, files_below, signatures, strace, tampered, under, unfinished};
use crate::rig::world::{Ran, World};
use crate::rig::{need, need_env, wait_until};

/// The fault at the n-th operation of its kind.
type Numbered = fn(usize) -> Fault;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const IMAGE: &str = "HOST/team/app:1";

/// A world with an image of layers of so many bytes.
fn world(layers: &[u64]) -> Option<World> {
    let world = World::start()?;
    world.push(|layout, host| {
        let noise = |(seed, size): (usize, &u64)| LayerSpec::noise(seed as u64, *size);
        let layers = layers.iter().enumerate().map(noise).collect();
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap()
    });
    Some(world)
}

fn pack_command(world: &World, more: &[&str]) -> std::process::Command {
    let mut command = world.command();
    command.args(["pack", "--json", "--no-tool", "--to"]).arg(world.medium()).args(more);
    command.arg(world.reference("team/app:1"));
    command
}

/// Packs inside this process, over a file layer that fails.
pub(crate) fn pack_through(world: &World, files: &Arc<FaultyFiles>) -> Result<PackReport, EngineError> {
    let mut outcome = None;
    // A program that another test starts has the lock too, between its fork and its exec.
    wait_until("the medium is not locked", || {
        let now = pack_once(world, files);
        let locked = now.as_ref().is_err_and(|error| error.kind() == Kind::Locked);
        outcome = Some(now);
        !locked
    });
    outcome.unwrap()
}

fn pack_once(world: &World, files: &Arc<FaultyFiles>) -> Result<PackReport, EngineError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ctx = JobCtx { files: files.clone(), ..JobCtx::silent() };
        let registry = Registry::new(RegistryOptions::default()).unwrap();
        let key = world.root.join("signing");
        let signer = Signer::from_file(&RealFiles, &key, &NoPassphrase).unwrap();
        let wanted = vec![world.reference("team/app:1")];
        let spec = PackSpec {
            requests: select::requests(&wanted, &[], &registry, &ctx).await.unwrap(),
            platforms: Vec::new(),
            signatures: false,
            bundle: BundleSpec {
                to: world.medium(),
                ground: Ground::of(&world.medium()),
                carrier: Some(stick()),
                name: "bundle".to_owned(),
                expires: None,
                jobs: 4,
                read_back: true,
                tool: false,
                max_file_size: None,
                keep_going: KeepGoing::No,
                anew: false,
                replaces: Vec::new(),
            },
            state: world.root.join("state"),
        };
        pack(spec, &registry, &signer, &ctx).await
    })
}

/// What those packs go onto, for all they are told.
fn stick() -> Carrier {
    Carrier { uuid: Some("7F2A-0001".to_owned()), ..Carrier::of("/".into(), "/dev/sdb1".into(), None) }
}

/// Nothing that could be taken for a bundle, and nothing half-written.
fn assert_clean(world: &World, what: &str) {
    assert_eq!(signatures(&world.medium()), Vec::<String>::new(), "{what}");
    let mut left = unfinished(&world.medium());
    left.retain(|path| !path.ends_with("/journal"));
    assert_eq!(left, Vec::<String>::new(), "{what}");
}

fn assert_nothing_left(world: &World, what: &str) {
    let left: Vec<_> = std::fs::read_dir(world.medium()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

fn assert_completes(world: &World, what: &str) {
    let bundle = world.packed(&[IMAGE]);
    assert_eq!(unfinished(&world.medium()), Vec::<String>::new(), "{what}");
    world.verify(&bundle, &[]).code(0);
}

#[test]
fn r08_a_medium_too_small_is_refused_with_figures_before_the_first_byte() {
    let Some(world) = world(&[4 << 20]) else { return };
    for (options, words) in
        [("size=3m", ["are needed (", "are free"]), ("nr_inodes=6", ["new files are needed", "room for"])]
    {
        let Some(medium) = Mount::tmpfs(&world.medium(), options) else { return };
        let ran = world.pack(&[IMAGE]).code(14);
        for word in words {
            assert!(ran.said().contains(word), "{word:?} is not in {}", ran.said());
        }
        assert!(ran.said().contains("this run wrote nothing, and what is there stays"), "{}", ran.said());
        assert_nothing_left(&world, options);
        medium.remount("size=64m,nr_inodes=1000");
        assert_completes(&world, options);
    }
}

#[test]
fn where_this_program_is_what_does_not_fit_it_may_be_left_out_as_the_refusal_says() {
    let (Some(program), Some(world)) = (need_env("AIRLIFT_STATIC"), world(&[1 << 20])) else { return };
    let Some(_medium) = Mount::tmpfs(&world.medium(), "size=16m") else { return };
    let pack = |more: &[&str]| {
        let ours = world.command();
        let mut command = std::process::Command::new(&program);
        command.env_clear().current_dir(world.root.path());
        command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.arg("pack").arg(world.reference("team/app:1")).arg("--to").arg(world.medium()).args(more);
        Ran::of(command)
    };
    let said = pack(&[]).code(14).said();
    assert!(
        said.contains("--no-tool leaves this program out") && said.contains("this run wrote nothing"),
        "{said}"
    );
    assert_nothing_left(&world, "the program is too large");
    pack(&["--no-tool"]).code(0);
}

#[test]
fn what_a_cut_off_pack_wrote_counts_as_room_for_the_next() {
    let Some(world) = world(&[5 << 20]) else { return };
    let elsewhere = world.root.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let state = world.root.join("other-state");
    let to = ["--to", elsewhere.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let mut command = world.command();
    command.args(["pack", "--json", "--no-tool"]).args(to).arg(world.reference("team/app:1"));
    let whole = Ran::of(command).code(0).bundle();
    let blobs = std::fs::read_dir(whole.join("blobs/sha256")).unwrap().flatten();
    let largest = blobs.max_by_key(|blob| blob.metadata().unwrap().len()).unwrap();
    let Some(_medium) = Mount::tmpfs(&world.medium(), "size=8m") else { return };
    let temp = world.medium().join("bundle-1/blobs/sha256").join(largest.file_name()).with_extension("tmp");
    std::fs::create_dir_all(temp.parent().unwrap()).unwrap();
    std::fs::write(&temp, &std::fs::read(largest.path()).unwrap()[..4 << 20]).unwrap();
    let report = world.pack(&[IMAGE]).code(0).report();
    assert_eq!(report["bundle"]["keptBytes"], 4 << 20);
    assert_completes(&world, "cut off");
}

#[test]
fn how_fast_a_pack_was_is_remembered_of_what_it_went_onto() {
    let Some(world) = world(&[2_000_000]) else { return };
    pack_through(&world, &Arc::new(FaultyFiles::new(Fault::NoFigures))).unwrap();
    let state = State::new(Arc::new(RealFiles), world.root.join("state"));
    let rated = state.rate(&stick()).unwrap().unwrap();
    assert!(rated.rough && rated.bytes > 0, "{rated:?}");
}

#[test]
fn a_medium_that_runs_full_on_the_way_keeps_what_is_finished_and_nothing_half_written() {
    let Some(world) = world(&[2_000_000, 1_900_000, 700_000, 600_000, 500_000]) else { return };
    let Some(medium) = Mount::tmpfs(&world.medium(), "size=3m") else { return };
    // A file system that gives no figures, as some on FUSE do: nothing can be foreseen.
    let error = pack_through(&world, &Arc::new(FaultyFiles::new(Fault::NoFigures))).unwrap_err();
    assert_eq!(error.kind(), Kind::Space, "{}", error.message());
    assert!(error.hints().join(" ").contains("the same command then goes on"), "{:?}", error.hints());
    assert_clean(&world, "ran full");
    medium.remount("size=64m");
    assert_completes(&world, "ran full");
}

#[test]
fn whichever_operation_fails_nothing_is_signed_or_left_half_written() {
    let Some(world) = world(&[300_000, 100_000]) else { return };
    let faults: [(Numbered, Kind); 5] = [
        (|n| Fault::Create(n, ENOSPC), Kind::Space),
        (|n| Fault::Write(n, ENOSPC), Kind::Space),
        (|n| Fault::Sync(n, EIO), Kind::Medium),
        (|n| Fault::Rename(n, EIO), Kind::Medium),
        (|n| Fault::SyncDir(n, EIO), Kind::Medium),
    ];
    for (fault, kind) in faults {
        for number in 1.. {
            let files = Arc::new(FaultyFiles::new(fault(number)));
            let outcome = pack_through(&world, &files);
            let what = format!("{:?}", fault(number));
            match &outcome {
                Err(error) => {
                    assert_eq!(error.kind(), kind, "{what}: {error}");
                    assert_clean(&world, &what);
                }
                // Journal lines and what else is remembered of it are not worth a bundle; they are warned about.
                Ok(_) => assert_eq!(unfinished(&world.medium()), Vec::<String>::new(), "{what}"),
            }
            let real = pack_through(&world, &Arc::new(FaultyFiles::new(Fault::NoFigures))).unwrap();
            assert_eq!(unfinished(&world.medium()), Vec::<String>::new(), "{what}");
            if outcome.is_err() && number % 4 == 1 {
                let seen = world.root.join(format!("seen {what}"));
                world.verify(&real.bundle.path, &["--state", seen.to_str().unwrap()]).code(0);
            }
            std::fs::remove_dir_all(world.medium()).unwrap();
            std::fs::create_dir(world.medium()).unwrap();
            std::fs::remove_dir_all(world.root.join("state")).unwrap();
            if !files.struck() {
                assert!(number > 5, "{what} is reached");
                break;
            }
        }
    }
}

/// Where the calls of a pack can be made to fail: a part of the path, the call.
fn places(world: &World) -> Vec<(&'static str, PathBuf)> {
    let bundle = world.packed(&[IMAGE]);
    let blobs = std::fs::read_dir(bundle.join("blobs/sha256")).unwrap().flatten();
    let largest = blobs.max_by_key(|blob| blob.metadata().unwrap().len()).unwrap().file_name();
    let blob: Digest = format!("sha256:{}", largest.to_str().unwrap()).parse().unwrap();
    let signature = signatures(&bundle).remove(0);
    std::fs::remove_dir_all(&bundle).unwrap();
    std::fs::remove_dir_all(world.root.join("home/.local/share/airlift/state")).unwrap_or(());
    let temp = |path: &str| bundle.join(format!("{path}.tmp"));
    vec![
        ("write", temp(&blob.layout_path())),
        ("fsync", temp(&blob.layout_path())),
        ("write", temp("index.json")),
        ("fsync", temp("airlift/manifest.json")),
        ("fsync", bundle.join("blobs/sha256")),
        ("rename", temp("airlift/SHA256SUMS")),
        ("rename", temp(&signature)),
    ]
}

#[test]
fn a_call_that_fails_ends_the_pack_in_its_exit_code_and_the_next_run_completes() {
    let Some(strace) = strace() else { return };
    let Some(world) = world(&[1_500_000, 300_000]) else { return };
    let log = world.root.join("log");
    let places = places(&world);
    for (errno, code, hint, some) in [
        ("ENOSPC", 14, "free space", 7),
        ("EIO", 13, "the device failed", 7),
        ("EFBIG", 14, "--max-file-size", 1),
        ("EROFS", 13, "write-protect switch", 1),
    ] {
        for (call, path) in &places[..some] {
            let serial = world.root.join(format!("state-{errno}"));
            let command = pack_command(&world, &["--state", serial.to_str().unwrap()]);
            let what = format!("{errno} at {call} {}", path.display());
            let fault = format!("error={errno}:when=1");
            let ran = Ran::of(tampered(&strace, (call, path), &fault, &log, &command));
            assert_eq!(ran.exit, Some(code), "{what}: {}", ran.said());
            assert!(ran.said().contains(hint), "{what}: {hint:?} is not in {}", ran.said());
            assert_clean(&world, &what);
            let again = Ran::of(pack_command(&world, &["--state", serial.to_str().unwrap()])).code(0);
            assert_eq!(unfinished(&world.medium()), Vec::<String>::new(), "{what}");
            world.verify(&again.bundle(), &["--state", world.root.join("seen").to_str().unwrap()]).code(0);
            std::fs::remove_dir_all(again.bundle()).unwrap();
            std::fs::remove_dir_all(&serial).unwrap();
            std::fs::remove_dir_all(world.root.join("seen")).unwrap();
        }
    }
}

#[test]
fn a_pack_that_ran_full_is_offered_again_and_only_another_list_replaces_it() {
    let (Some(strace), Some(world)) = (strace(), world(&[1_500_000, 300_000])) else { return };
    let other = |layout: &mut SampleLayout, host: &str| {
        let spec = ImageSpec::new(vec![LayerSpec::noise(9, 5_000)]);
        layout.image(&format!("{host}/team/other:1"), &spec).map(drop).unwrap();
    };
    world.push(other);
    let (log, state) = (world.root.join("log"), world.root.join("home/.local/share/airlift/state"));
    let records = || std::fs::read_dir(state.join("jobs")).unwrap().count();
    // Before the document is written, and once only the signature is missing.
    for (call, path) in [2, 6].map(|place| places(&world).swap_remove(place)) {
        let what = path.display().to_string();
        let full = tampered(&strace, (call, &path), "error=ENOSPC:when=1", &log, &pack_command(&world, &[]));
        Ran::of(full).code(14);
        assert_eq!(records(), 1, "{what}");
        let ctx = JobCtx::silent();
        let found = find_interrupted(world.medium(), state.clone(), &ctx);
        let found = tokio::runtime::Runtime::new().unwrap().block_on(found).unwrap();
        assert!(found[0].resumable && found[0].blobs.done == found[0].blobs.total, "{what}: {found:?}");
        let begun = world.pack(&[IMAGE, "--dry-run"]).code(0).report()["begun"].take();
        assert_eq!((&begun["same"], &begun["deleted"]), (&true.into(), &0.into()), "{what}: {begun}");
        assert_eq!(begun["blobs"]["done"], begun["blobs"]["total"], "{what}: {begun}");
        let another = world.pack(&["HOST/team/other:1", "--dry-run"]).code(2);
        let begun = another.report()["begun"].take();
        assert!(begun["same"] == false && begun["deleted"].as_u64() >= Some(1_800_000), "{what}: {begun}");
        let to = world.medium().display().to_string();
        let other = world.reference("team/other:1");
        let said = world.run(["pack", "--dry-run", "--no-tool", "--to", &to, &other]).code(2).said();
        for words in ["bundle-1 holds 1.9 MB of ", ": they would be deleted", "--anew gives that one up"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_completes(&world, &what);
        assert_eq!(records(), 0, "{what}");
        std::fs::remove_dir_all(world.medium().join("bundle-1")).unwrap();
        std::fs::remove_dir_all(&state).unwrap();
    }
}

#[test]
fn a_pack_of_another_list_deletes_the_one_that_was_cut_off_only_with_anew_and_says_what() {
    let (Some(strace), Some(world)) = (strace(), world(&[1_500_000, 300_000])) else { return };
    world.push(|layout: &mut SampleLayout, host: &str| {
        let spec = ImageSpec::new(vec![LayerSpec::noise(9, 5_000)]);
        layout.image(&format!("{host}/team/other:1"), &spec).map(drop).unwrap();
    });
    let (call, path) = places(&world).swap_remove(2);
    let command = pack_command(&world, &[]);
    Ran::of(tampered(&strace, (call, &path), "error=ENOSPC:when=1", &world.root.join("log"), &command))
        .code(14);
    let to = world.medium().display().to_string();
    let (app, other) = (world.reference(&IMAGE.replace("HOST/", "")), world.reference("team/other:1"));
    let before = files_below(&world.medium());
    let refused = world.run(["pack", "--no-tool", "--to", &to, &other]).code(2).said();
    let words = format!("bundle-1 holds 1.9 MB of {app}, which is not packed now: they would be deleted");
    assert!(refused.contains(&words) && refused.contains("--anew gives that one up"), "{refused}");
    assert_eq!(files_below(&world.medium()), before);
    // What only adds images deletes nothing.
    let adds = world.run(["pack", "-n", "--no-tool", "--to", &to, &other, &app]).code(0).said();
    assert!(!adds.contains("--anew"), "{adds}");
    let said = world.run(["pack", "--no-tool", "--to", &to, "--anew", &other]).code(0).said();
    assert!(said.contains("the interrupted bundle there is replaced: 1.9 MB of it are deleted"), "{said}");
}

#[test]
fn a_layer_whose_fsync_failed_is_fetched_anew_and_never_synced_again() {
    let Some(strace) = strace() else { return };
    let Some(world) = world(&[1_500_000]) else { return };
    let (log, place) = (world.root.join("log"), places(&world).swap_remove(1));
    let command = pack_command(&world, &["--no-read-back"]);
    Ran::of(tampered(&strace, (place.0, &place.1), "error=EIO:when=1", &log, &command)).code(13);
    assert!(!place.1.exists(), "what the kernel failed to write is not gone on with");
    let report = Ran::of(command_again(&world)).code(0).report();
    assert!(report["bundle"]["fetchedBytes"].as_u64().unwrap() >= 1_500_000, "{report}");
}

fn command_again(world: &World) -> std::process::Command {
    pack_command(world, &["--no-read-back"])
}

#[test]
fn a_file_size_limit_is_named_with_the_way_out_and_parts_fit_below_it() {
    let Some(shell) = need("sh") else { return };
    let Some(world) = world(&[4 << 20]) else { return };
    // 1 or 2 MiB: shells differ in the unit.
    let limited = |more: &[&str]| {
        let script = ["-c", "ulimit -f 2048; exec \"$@\"", "sh"];
        Ran::of(under(&shell, &script, &pack_command(&world, more)))
    };
    let ran = limited(&[]).code(14);
    for word in ["file-size limit", "ulimit -f", "--max-file-size"] {
        assert!(ran.said().contains(word), "{word:?} is not in {}", ran.said());
    }
    assert_nothing_left(&world, "file-size limit");
    let bundle = limited(&["--max-file-size", "512KiB"]).code(0).bundle();
    assert!(files_below(&bundle.join("airlift/parts")).len() >= 8);
    world.verify(&bundle, &["--deep"]).code(0);
}

#[test]
fn a_read_only_medium_is_explained_and_left_as_it_was() {
    let Some(world) = world(&[100_000]) else { return };
    let Some(medium) = Mount::tmpfs(&world.medium(), "size=64m,ro") else { return };
    let ran = world.pack(&[IMAGE]).code(13);
    assert!(ran.said().contains("write-protect switch"), "{}", ran.said());
    assert_nothing_left(&world, "read-only");
    medium.remount("rw");
    assert_completes(&world, "read-only");
    // r28: what is on it verifies from a medium that cannot be written.
    medium.remount("ro");
    world.verify(&world.medium().join("bundle-1"), &[]).code(0);
}
