//! `inspect` and `diff`: they read documents and believe nothing.

use airlift::domain::bundle::Missing;
use airlift::engine::ctx::JobCtx;
use airlift::engine::files::RealFiles;
use airlift::engine::media::{ListSpec, place_of};
use airlift::engine::sign::{Signer, sign_bundle};
use tempfile::tempdir;

use crate::support::{digest, document, image, run, write};

#[test]
fn inspect_shows_the_images_and_says_that_nothing_is_verified() {
    let home = tempdir().unwrap();
    let mut nginx = image("nginx:1.25.3", 1);
    nginx.findings.push("mutable-tag".to_owned());
    write(home.path(), &document(3, vec![nginx, image("quay.io/team/app:2", 2)], Vec::new()));
    let ran = run(home.path(), &["inspect", "site-3"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let shown =
        ran.stdout.lines().filter(|line| !line.starts_with("document")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(shown, @r"
    bundle      site-3  (NOT VERIFIED: run airlift verify)
    id          0190b3a0-0000-7000-8000-000000000001
    created     2026-01-02T03:04:05Z by airlift 0.1.0
    holds       2 images, 2 blobs, 3.0 MB
    signature   none: the bundle is incomplete whatever else lies there

    REFERENCE                       DIGEST               PLATFORMS      SIZE  NOTES
    docker.io/library/nginx:1.25.3  sha256:010101010101  linux/amd64  1.5 MB  mutable-tag
    quay.io/team/app:2              sha256:020202020202  linux/amd64  1.5 MB
    ");
}

#[test]
fn inspect_tells_a_signature_that_fits_from_one_that_does_not() {
    let home = tempdir().unwrap();
    let document = document(1, vec![image("nginx:1", 1)], Vec::new());
    let root = write(home.path(), &document);
    let signer = Signer::throw_away("test").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes = document.to_bytes().unwrap();
    let report =
        runtime.block_on(sign_bundle(std::sync::Arc::new(RealFiles), &root, &bytes, &signer)).unwrap();
    let shown = run(home.path(), &["inspect", "site-1"]).stdout;
    // How the key ends is typed from paper to trust it, and not from here.
    let (key, _) = report.fingerprint.split_at(report.fingerprint.len() - 8);
    let signed = format!("signature   {key}........ ({}), trust not checked", report.path);
    assert!(shown.contains(&signed), "{shown}");
    let mut other = document.clone();
    other.serial = 2;
    std::fs::write(root.join("airlift/manifest.json"), other.to_bytes().unwrap()).unwrap();
    let shown = run(home.path(), &["inspect", "site-1"]).stdout;
    assert!(shown.contains(&format!("{}: it is no signature over this document", report.path)), "{shown}");
    assert!(!shown.contains(key));
}

#[test]
fn another_bundle_than_the_one_that_is_meant_is_refused_before_a_key_is_asked_for() {
    let home = tempdir().unwrap();
    let document = document(1, vec![image("nginx:1", 1)], Vec::new());
    let root = write(home.path(), &document);
    let own = airlift::engine::hash::sha256(&document.to_bytes().unwrap()).to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let place = runtime.block_on(place_of(root, ListSpec::default(), &JobCtx::silent())).unwrap();
    let (mark, other) = (place.carrier().mark(), digest(9).to_string());
    for (options, code, said) in [
        (["--document", &other], 10, "site-1 is another bundle: its document is sha256:"),
        (["--only", "uuid=1234-ABCD"], 13, "which carries nothing of uuid=1234-ABCD"),
        // What is meant is held to nothing but its key.
        (["--document", &own], 2, "there is no signing key none"),
        (["--only", &mark], 2, "there is no signing key none"),
    ] {
        let ran = run(home.path(), &[&["sign", "site-1", "--key", "none"][..], &options].concat());
        assert_eq!(ran.code, code, "{options:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{options:?}: {}", ran.stderr);
    }
}

#[test]
fn inspect_shows_hostile_names_without_their_effect() {
    let home = tempdir().unwrap();
    let mut hostile = image("nginx:1", 1);
    hostile.platforms[0].os = "li\u{1b}[2Jnux\u{202e}".to_owned();
    let missing = Missing { reference: "x\u{1b}]0;owned\u{7}\nok".to_owned(), reason: "t".repeat(20_000) };
    write(home.path(), &document(1, vec![hostile], vec![missing]));
    let shown = run(home.path(), &["inspect", "site-1"]).stdout;
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    assert!(shown.contains("li\\u{1b}[2Jnux\\u{202e}/amd64"));
    assert!(shown.contains("MISSING x\\u{1b}]0;owned\\u{7}\\u{a}ok: "));
}

#[test]
fn inspect_refuses_a_document_that_breaks_the_format() {
    let home = tempdir().unwrap();
    let root = write(home.path(), &document(1, vec![image("nginx:1", 1)], Vec::new()));
    for (from, to, said) in [
        ("airlift-bundle/1", "airlift-bundle/9", "format is \"airlift-bundle/9\""),
        ("\"images\": 1", "\"images\": 2", "totals differ"),
        ("blobs/sha256/", "../../", "not allowed"),
        ("\"serial\": 1", "\"serial\": 1, \"serial\": 2", "appears twice"),
    ] {
        let bytes = document(1, vec![image("nginx:1", 1)], Vec::new()).to_bytes().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(root.join("airlift/manifest.json"), text.replace(from, to)).unwrap();
        let ran = run(home.path(), &["inspect", "site-1"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (10, ""), "{from}");
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn diff_lists_what_was_added_removed_and_moved() {
    let home = tempdir().unwrap();
    write(
        home.path(),
        &document(1, vec![image("nginx:1", 1), image("redis:7", 2), image("old:1", 3)], Vec::new()),
    );
    write(
        home.path(),
        &document(2, vec![image("nginx:1", 9), image("redis:7", 2), image("new:1", 4)], Vec::new()),
    );
    let ran = run(home.path(), &["diff", "site-1", "site-2"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let hex = |text: String| {
        (1..=9).fold(text, |text, n: u8| text.replace(&format!("0{n}").repeat(32), &n.to_string()))
    };
    insta::assert_snapshot!(hex(ran.stdout), @r"
    site-1 -> site-2  (neither is verified)
    - docker.io/library/old:1 sha256:3
    + docker.io/library/new:1 sha256:4
    ~ docker.io/library/nginx:1 sha256:1 -> sha256:9
    1 added, 1 removed, 1 changed, 1 the same
    blobs: new 2 (3.0 MB), gone 2 (3.0 MB), shared 1 (1.5 MB)
    ");
}

#[test]
fn json_gives_the_same_figures() {
    let home = tempdir().unwrap();
    write(home.path(), &document(1, vec![image("nginx:1", 1)], Vec::new()));
    write(home.path(), &document(2, vec![image("nginx:1", 2)], Vec::new()));
    let ran = run(home.path(), &["diff", "site-1", "site-2", "--json"]);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["report"]["changed"][0]["reference"], "docker.io/library/nginx:1");
    assert_eq!(last["report"]["new"]["bytes"], 1_500_000);
    assert_eq!(last["report"]["verified"], false);
    let ran = run(home.path(), &["inspect", "site-1", "--json"]);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["report"]["verified"], false);
    assert_eq!(last["report"]["images"][0]["platforms"][0]["architecture"], "amd64");
}

#[test]
fn an_import_without_a_target_says_what_the_node_would_take_and_that_nothing_was_imported() {
    let home = tempdir().unwrap();
    write(home.path(), &document(1, vec![image("nginx:1", 1)], Vec::new()));
    let ran = run(home.path(), &["import", "site-1", "--json"]);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(last["message"], "nothing was imported: --into TARGET says where to");
    assert!(last["report"]["node"]["runtimes"].is_array(), "{last}");
    // Every proposal is one that the program itself takes, and is among the hints as it is typed.
    for proposal in last["report"]["proposals"].as_array().unwrap() {
        let target = proposal["target"].as_str().unwrap();
        assert!(target.parse::<airlift::domain::import::Target>().is_ok(), "{target}");
        assert!(last.to_string().contains(&format!("--into {target}")), "{last}");
    }
}
