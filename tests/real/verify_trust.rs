//! `airlift verify` and who signed, when, and what came before: real signed bundles under different trust files, histories and clocks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use airlift::engine::bundle::verify::{Bytes, VerifySpec, verify};
use airlift::engine::ctx::{FixedClock, JobCtx};
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::error::{EngineError, Kind};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::rig::need;
use crate::rig::world::{World, copy_tree};

fn world() -> Option<World> {
    let world = World::start()?;
    push(&world, "one");
    Some(world)
}

fn push(world: &World, text: &str) {
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small(text)).unwrap());
}

fn signatures(bundle: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(bundle.join("airlift/signatures")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Verifies under a trust file of its own, to which these keys were added with these flags.
#[track_caller]
fn judged(world: &World, bundle: &Path, trusted: &[(&str, &[&str])], (min, code): (&str, i32)) -> String {
    let place = tempfile::tempdir_in(world.root.path()).unwrap();
    let file = place.path().join("allowed_signers");
    for (name, flags) in trusted {
        world.trust(name, &[&["--trust", file.to_str().unwrap()], *flags].concat());
    }
    if trusted.is_empty() {
        std::fs::write(&file, "").unwrap();
    }
    let ran = world.verify(bundle, &["--min-signatures", min, "--trust", file.to_str().unwrap()]).code(code);
    ran.result()["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn enough_different_trusted_keys_must_have_signed() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    for key in ["second", "third"] {
        world.key(key);
    }
    let (one, both): (&[_], &[_]) = (&[("signing", &[][..])], &[("signing", &[][..]), ("second", &[])]);
    // The signature of one key under two names is one signature.
    let twice = world.root.join("twice");
    copy_tree(&bundle, &twice);
    std::fs::copy(&signatures(&twice)[0], twice.join("airlift/signatures/0123456789abcdef.sig")).unwrap();
    assert!(judged(&world, &twice, both, ("2", 11)).contains("1 of 2 required signatures"));
    judged(&world, &twice, both, ("1", 0));
    assert!(judged(&world, &bundle, both, ("2", 11)).contains("1 of 2 required signatures"));
    world.run([Path::new("sign"), &bundle, Path::new("--key"), &world.root.join("second")]).code(0);
    judged(&world, &bundle, both, ("2", 0));
    assert!(judged(&world, &bundle, one, ("2", 11)).contains("the key is not trusted"));
    assert!(judged(&world, &bundle, both, ("3", 11)).contains("2 of 3"));
    let expired = judged(&world, &bundle, &[("signing", &["--valid-before", "20200101Z"])], ("1", 11));
    assert!(expired.contains("the key of signing was valid until 2020-01-01T00:00:00Z"), "{expired}");
    let expired: &[_] = &[("signing", &[][..]), ("second", &["--valid-before", "20200101Z"])];
    assert!(judged(&world, &bundle, expired, ("2", 11)).contains("the key of second was valid until 2020"));
    judged(&world, &bundle, expired, ("1", 0));
    let early = judged(&world, &bundle, &[("signing", &["--valid-after", "20990101Z"])], ("1", 11));
    assert!(early.contains("is valid from 2099"), "{early}");
    for nobody in [&[("third", &[][..])][..], &[]] {
        let message = judged(&world, &bundle, nobody, ("1", 11));
        assert!(message.contains("0 of 1") && message.contains("SHA256:"), "{message}");
        // How the key ends is typed from the paper of its signer, and not from here.
        assert!(message.contains("........: the key is not trusted"), "{message}");
    }
    for signature in signatures(&bundle) {
        std::fs::remove_file(signature).unwrap();
    }
    assert!(judged(&world, &bundle, both, ("1", 11)).contains("not signed"));
}

#[test]
fn a_signature_of_stock_openssh_counts_only_in_the_right_namespace_and_over_these_bytes() {
    let (Some(world), Some(keygen)) = (world(), need("ssh-keygen")) else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let ours = signatures(&bundle).remove(0);
    let manifest = bundle.join("airlift/manifest.json");
    for (namespace, code) in [("file", 11), ("airlift-bundle", 0)] {
        let mut sign = Command::new(&keygen);
        sign.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(world.root.join("signing")).arg(&manifest);
        assert!(sign.output().unwrap().status.success());
        std::fs::rename(bundle.join("airlift/manifest.json.sig"), &ours).unwrap();
        let ran = world.verify(&bundle, &[]).code(code);
        assert_eq!(ran.said().contains("it was made for"), code == 11, "{}", ran.said());
    }
}

#[test]
fn r26_the_report_says_who_signed_and_what_was_checked() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let report = world.verify(&bundle, &["--deep"]).code(0).report();
    let trust = &report["trust"];
    assert_eq!(trust["signedBy"].as_array().unwrap().len(), 1);
    assert_eq!(trust["signatures"][0]["outcome"], "good");
    assert_eq!(trust["signatures"][0]["principals"], "signing");
    assert_eq!(trust["trustFile"], json!(world.trust_file()));
    let manifest = std::fs::read(bundle.join("airlift/manifest.json")).unwrap();
    assert_eq!(report["document"], json!(airlift::engine::hash::sha256(&manifest)));
    assert_eq!(report["layersUnpacked"], 1);
    assert_eq!((&report["coldRead"], &report["layersLeft"]), (&json!(false), &json!(false)));
    let listed: u64 = ["blobs/sha256", "."]
        .iter()
        .flat_map(|path| std::fs::read_dir(bundle.join(path)).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(std::fs::Metadata::is_file)
        .map(|meta| meta.len())
        .sum();
    let others = ["airlift/README.txt", "airlift/SHA256SUMS", "airlift/manifest.json"]
        .map(|path| bundle.join(path).metadata().unwrap().len());
    assert_eq!(report["bytesHashed"], json!(listed + others.iter().sum::<u64>()));
    assert_eq!(report["history"][0]["serial"], "first");
    assert!(report["warnings"][0].as_str().unwrap().contains("rollback not checked"), "{report}");
    assert_eq!(world.verify(&bundle, &[]).code(0).report()["history"][0]["serial"], "same");
}

#[test]
fn a_dry_import_leaves_no_trace_in_the_history() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let (state, target) = (world.root.join("receiver"), format!("oci:{}", world.root.join("out").display()));
    let import = |more: &[&str]| {
        let mut import = world.command();
        import.arg("import").arg(&bundle).args(["--into", &target, "--state"]).arg(&state).args(more);
        crate::rig::world::Ran::of(import).code(0)
    };
    import(&["--dry-run"]);
    assert!(!state.exists(), "nothing was written");
    import(&[]);
    assert!(state.join("state.json").exists());
}

#[test]
fn history_that_is_damaged_or_of_a_later_version_is_said_and_never_thrown_away() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let state = world.root.join("receiver");
    let flags = ["--state", state.to_str().unwrap()];
    let file = state.join("state.json");
    let warnings = || world.verify(&bundle, &flags).code(0).report()["warnings"].to_string();
    assert!(warnings().contains("no history of bundle by"));
    for kept in ["state.json.unreadable", "state.json.unreadable-2"] {
        std::fs::write(&file, kept).unwrap();
        let said = warnings();
        assert!(said.contains("no history, rollback not checked: ") && said.contains("is damaged"), "{said}");
        assert!(said.contains(&format!("was moved to {}", state.join(kept).display())), "{said}");
        assert!(!said.contains("no history of bundle by"), "{said}");
        assert_eq!(std::fs::read_to_string(state.join(kept)).unwrap(), kept);
        assert_eq!(warnings(), "[]");
    }
    let newer = r#"{"format":"airlift-state/2","trail":[]}"#;
    std::fs::write(&file, newer).unwrap();
    let said = warnings();
    assert!(said.contains("rollback not checked: ") && said.contains("airlift-state/2"), "{said}");
    assert!(said.contains("could not be remembered"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), newer);
    // Serials are not guessed, and begin anew only with a word.
    let again = ["--name", "other", "--state", flags[1], "HOST/team/app:1"];
    assert!(world.pack(&again).code(1).said().contains("airlift-state/2"));
    std::fs::write(&file, "{").unwrap();
    assert!(world.pack(&again).code(0).said().contains("no history of serials"));
}

#[test]
fn an_older_serial_and_a_second_document_of_one_serial_are_refused() {
    let Some(world) = world() else { return };
    let old = world.packed(&["HOST/team/app:1"]);
    push(&world, "two");
    let new = world.packed(&["HOST/team/app:1"]);
    assert!(old.ends_with("bundle-1") && new.ends_with("bundle-2"), "{old:?} {new:?}");
    world.verify(&new, &[]).code(0);
    let refused = world.verify(&old, &[]).code(12).said();
    assert!(refused.contains("serial 1 is offered, serial 2 was accepted before"), "{refused}");
    // One id lets through that bundle alone.
    let id =
        |flags: &[&str], path| world.verify(path, flags).code(0).report()["id"].as_str().unwrap().to_owned();
    let of = |id: String| format!("--allow-rollback={id}");
    world.verify(&old, &[&of(id(&[], &new))]).code(12);
    world.verify(&old, &[&of(id(&["--allow-rollback"], &old))]).code(0);
    let let_through = world.verify(&old, &["--allow-rollback"]).code(0).report();
    assert!(let_through["warnings"].to_string().contains("let through on request"), "{let_through}");
    world.verify(&old, &[]).code(12);
    // The same key on a host that knows nothing of the first one.
    let other = world.root.join("other");
    std::fs::create_dir(&other).unwrap();
    let state = world.root.join("other-state");
    let mut pack = world.command();
    pack.args(["pack", "--json", "--no-tool", "--to"]).arg(&other).arg("--state").arg(state);
    pack.arg(world.reference("team/app:1"));
    let twin = crate::rig::world::Ran::of(pack).code(0).bundle();
    assert!(twin.ends_with("bundle-1"));
    let receiver = world.root.join("receiver");
    let flags = ["--state", receiver.to_str().unwrap()];
    world.verify(&old, &flags).code(0);
    let refused = world.verify(&twin, &flags).code(12).said();
    assert!(refused.contains("equivocation: bundle serial 1"), "{refused}");
    world.verify(&twin, &[&flags[..], &["--allow-rollback"]].concat()).code(12);
}

#[test]
fn an_import_notes_how_a_serial_stood_that_was_let_through_and_nothing_of_one_that_needs_no_word() {
    let Some(world) = world() else { return };
    let old = world.packed(&["HOST/team/app:1"]);
    push(&world, "two");
    let new = world.packed(&["HOST/team/app:1"]);
    let stood = r#""letThrough":{"serial":"rollback","accepted":2,"offered":1}"#;
    for (number, bundle, is_older) in [(1, &new, false), (2, &old, true)] {
        let mut import = world.command();
        import.arg("import").arg(bundle).args(["--allow-rollback", "--into"]);
        import.arg(format!("oci:{}", world.root.join(format!("images-{number}")).display()));
        crate::rig::world::Ran::of(import).code(0);
        let file = format!("home/.local/share/airlift/state/imports/{number:06}.jsonl");
        let noted = std::fs::read_to_string(world.root.join(file)).unwrap();
        let expected = if is_older { stood } else { "" };
        assert_eq!((noted.contains("letThrough"), noted.contains(expected)), (is_older, true), "{noted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_bundle_and_a_clock_that_is_behind_are_told_apart() {
    let world = tokio::task::spawn_blocking(|| {
        let world = world()?;
        let bundle = world.packed(&["HOST/team/app:1", "--expires", "90d"]);
        for past in ["2020-01-01", "0d"] {
            world.pack(&["HOST/team/app:1", "--expires", past]).code(2);
        }
        Some((world, bundle))
    });
    let Some((world, path)) = world.await.unwrap() else { return };
    let at = async |hours: i64| -> Result<(), EngineError> {
        let now = Timestamp::now() + SignedDuration::from_hours(hours);
        let ctx = JobCtx { clock: Arc::new(FixedClock(now)), ..JobCtx::silent() };
        let state = tempfile::tempdir().unwrap();
        let spec = VerifySpec {
            path: path.clone(),
            trust: world.trust_file(),
            min_signatures: 1,
            state: state.path().to_owned(),
            deep: false,
            allow_rollback: airlift::domain::trust::AllowRollback::No,
            bytes: Bytes::All,
            record: true,
        };
        verify(spec, &ctx).await.map(|_| ())
    };
    at(0).await.unwrap();
    at(89 * 24).await.unwrap();
    for (hours, said) in [(91 * 24, "the bundle expired"), (-48, "the clock is behind")] {
        let error = at(hours).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Rollback);
        assert!(error.message().contains(said), "{}", error.message());
    }
}
