//! `airlift key …` and `airlift sign` as their user sees them: what they write, refuse, and never let out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use airlift::domain::bundle::{BundleManifest, FORMAT, File, Tool, Totals};
use airlift::engine::bundle::sums;
use airlift::engine::hash::sha256;

use crate::openssh::{Agent, keygen, stock_key};
use crate::rig::{TempRoot, need};

const CANARY: &str = "canary-passphrase-7f3a91";

/// A bundle with nothing to carry; every file of it is what its document says.
fn bundle(root: &TempRoot) -> PathBuf {
    let contents = [
        ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        (
            "index.json",
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#,
        ),
    ];
    let files = contents.map(|(path, text)| {
        root.write(Path::new("b-1").join(path), text);
        let sha256 = sha256(text.as_bytes()).hex().to_owned();
        File { path: path.to_owned(), size: text.len() as u64, sha256 }
    });
    let mut document = BundleManifest {
        format: FORMAT.to_owned(),
        id: uuid::Uuid::now_v7(),
        name: "b".to_owned(),
        serial: 1,
        created: jiff::Timestamp::now(),
        expires: None,
        tool: Tool { version: "0".to_owned(), binaries: Vec::new() },
        base: None,
        complete: true,
        missing: Vec::new(),
        images: Vec::new(),
        blobs: Vec::new(),
        files: files.into(),
        totals: Totals::default(),
    };
    let sums = sums::text(&document);
    root.write("b-1/airlift/SHA256SUMS", &sums);
    let (path, size) = ("airlift/SHA256SUMS".to_owned(), sums.len() as u64);
    document.files.push(File { path, size, sha256: sha256(sums.as_bytes()).hex().to_owned() });
    let bytes = document.to_bytes().unwrap();
    root.write("b-1/airlift/manifest.json", &bytes);
    root.join("b-1")
}

/// Runs the program with the canary as passphrase; nothing it says may hold it.
fn run(root: &TempRoot, arguments: &[&str], code: i32) -> String {
    let output = root.airlift().args(arguments).env("AIRLIFT_KEY_PASSPHRASE", CANARY).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains(CANARY), "{arguments:?}: {said}");
    said
}

fn assert_no_canary(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            assert_no_canary(&entry.path());
        } else if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!found, "{} holds the passphrase", entry.path().display());
        }
    }
}

#[test]
fn a_key_that_is_trusted_already_is_compared_with_its_fingerprint_once_more() {
    let root = TempRoot::new();
    run(&root, &["key", "generate", "--comment", "one@here", "--no-passphrase"], 0);
    let public = format!("{}.pub", root.join("home/.local/share/airlift/signing_key").display());
    let shown = run(&root, &["key", "show"], 0);
    let fingerprint = shown.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap();
    run(&root, &["key", "trust", &public, "--fingerprint", fingerprint], 0);
    let right = run(&root, &["key", "trust", &public, "--fingerprint", fingerprint], 0);
    for words in
        ["trusts already", fingerprint, "the fingerprint matches that key: nothing had to be changed"]
    {
        assert!(right.contains(words), "{words}: {right}");
    }
    let other = ["key", "trust", &public, "--fingerprint", fingerprint, "--principal", "somebody"];
    assert!(run(&root, &other, 2).contains("already"), "on other terms it would not be what was asked for");
}

#[test]
fn two_people_sign_a_bundle_and_stock_tools_agree_and_no_secret_gets_out() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let bundle = bundle(&root);
    let place = bundle.to_str().unwrap();
    assert!(run(&root, &["sign", place], 2).contains("key generate"));
    run(&root, &["key", "generate", "--comment", "one@here"], 0);
    let key = root.join("home/.local/share/airlift/signing_key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(run(&root, &["key", "generate"], 2).contains("not replaced"));
    let public = format!("{}.pub", key.display());
    let shown = run(&root, &["key", "show"], 0);
    let fingerprint = shown.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap();
    // What the workstation of the other side asks for.
    let ends = &fingerprint[fingerprint.len() - 8..];
    assert!(shown.contains(&format!("key ends in  {ends}  (its last 8 characters)")), "{shown}");
    let wrong = a_key_is_compared_by_what_its_owner_told(&root, &public, fingerprint);
    let trusted = run(&root, &["key", "trust", &public, "--valid-before", "20991231Z"], 0);
    assert!(trusted.contains(&format!("the fingerprint {fingerprint} was not compared")), "{trusted}");
    assert!(run(&root, &["key", "trust", &public], 2).contains("already"));
    let late = run(&root, &["key", "trust", &public, "--fingerprint", &wrong], 11);
    let untrust = late.lines().find_map(|line| line.split_once("airlift key untrust ")).unwrap().1;
    let id = untrust.strip_suffix(" takes that back").unwrap();
    assert!(run(&root, &["key", "untrust", id, "--dry-run"], 0).contains(fingerprint), "{late}");
    assert!(run(&root, &["key", "list"], 0).contains("one@here"));
    assert!(run(&root, &["sign", place, "--dry-run"], 0).contains("would be signed"));
    assert!(!bundle.join("airlift/signatures").exists());
    assert!(run(&root, &["sign", place], 0).contains("signed by SHA256:"));
    assert!(run(&root, &["sign", place], 0).contains("was signed already"));
    // That is known without its passphrase.
    let again =
        root.airlift().args(["sign", place]).env("AIRLIFT_KEY_PASSPHRASE", "not it").output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(String::from_utf8_lossy(&again.stdout).contains("was signed already"));
    let two = stock_key(&root, "two", ("ecdsa", "256"), "");
    run(&root, &["sign", place, "--key", two.to_str().unwrap()], 0);
    let signatures: Vec<_> =
        std::fs::read_dir(bundle.join("airlift/signatures")).unwrap().flatten().collect();
    assert_eq!(signatures.len(), 2, "{signatures:?}");
    let document = std::fs::read(bundle.join("airlift/manifest.json")).unwrap();
    let trust = root.join("home/.config/airlift/allowed_signers");
    let verified = signatures.iter().filter(|signature| {
        let file = signature.path();
        let arguments =
            ["-Y", "verify", "-f", trust.to_str().unwrap(), "-I", "one@here", "-n", "airlift-bundle"];
        keygen(&[&arguments[..], &["-s", file.to_str().unwrap()]].concat(), &document, "UTC").status.success()
    });
    assert_eq!(verified.count(), 1, "one key is trusted, the other is not");
    // By a name that is listed, whatever lies under that name, and by what `trust` took.
    std::fs::copy(two.with_extension("pub"), root.join("one@here")).unwrap();
    assert!(run(&root, &["key", "untrust", "one@here", "--dry-run"], 0).contains(fingerprint));
    assert!(run(&root, &["key", "untrust", &public, "--dry-run"], 0).contains(fingerprint));
    run(&root, &["key", "untrust", "one@here"], 0);
    assert!(!run(&root, &["key", "list"], 0).contains("one@here"));
    assert_no_canary(root.path());
}

/// Trusts nothing yet; gives a fingerprint that is not that of the key.
fn a_key_is_compared_by_what_its_owner_told(root: &TempRoot, public: &str, fingerprint: &str) -> String {
    let ends = &fingerprint[fingerprint.len() - 8..];
    let wrong = format!("{}AAAAAAAA", &fingerprint[..fingerprint.len() - 8]);
    let refused = run(root, &["key", "trust", public, "--fingerprint", &wrong], 11);
    // How it ends is typed from what its owner told, and not from here.
    let shown = format!("{}........", &fingerprint[..fingerprint.len() - 8]);
    let left_out = "(how that ends is left out: its owner tells it)";
    assert!(refused.contains(&format!("{wrong}, found {shown} {left_out};")), "{refused}");
    assert!(!refused.contains(ends), "{refused}");
    let unasked = run(root, &["key", "trust", public, "--dry-run"], 0);
    assert!(unasked.contains(&format!("the fingerprint {shown} was not compared")), "{unasked}");
    assert!(unasked.contains("would trust") && !unasked.contains(ends), "{unasked}");
    assert!(!run(root, &["key", "list"], 0).contains("one@here"), "a key that is another one is not trusted");
    let compared = run(root, &["key", "trust", public, "--fingerprint", fingerprint, "--dry-run"], 0);
    assert!(!compared.contains("not compared"), "{compared}");
    // As many of its last characters as the workstation wants do here, and fewer say nothing of the key.
    let by_end =
        |end: &str, code| run(root, &["key", "trust", public, "--fingerprint", end, "--dry-run"], code);
    assert!(by_end(ends, 0).contains("would trust"));
    assert!(by_end(&fingerprint[fingerprint.len() - 12..], 0).contains("would trust"));
    assert!(by_end("AAAAAAAA", 11).contains("the key is not the expected one"));
    assert!(by_end(&ends[1..], 2).contains("at least its last 8 characters"));
    wrong
}

#[test]
fn the_key_of_this_host_is_named_where_it_signed_and_is_not_trusted_here() {
    let root = TempRoot::new();
    let bundle = bundle(&root);
    let verify = ["verify", bundle.to_str().unwrap()];
    let key = root.join("home/.local/share/airlift/signing_key");
    run(&root, &["key", "generate", "--comment", "one@here", "--no-passphrase"], 0);
    run(&root, &["sign", verify[1]], 0);
    let trusting = |said: &str| {
        let line = said.lines().find(|line| line.contains("this host's own key, which signed it"))?;
        let words: Vec<&str> = line.split(' ').skip_while(|word| *word != "airlift").skip(1).collect();
        Some(words.split(|word| *word == "trusts").next()?.iter().map(|word| (*word).to_owned()).collect())
    };
    let own: Vec<String> = trusting(&run(&root, &verify, 11)).unwrap();
    assert_eq!(own[..3], ["key".to_owned(), "trust".to_owned(), format!("{}.pub", key.display())]);
    // Where the private half is not, and where the file beside it has another key, its owner is asked for it.
    let away = root.join("away");
    std::fs::rename(&key, &away).unwrap();
    assert_eq!(trusting(&run(&root, &verify, 11)), None);
    run(&root, &["key", "generate", "--key", root.join("other").to_str().unwrap(), "--no-passphrase"], 0);
    std::fs::copy(root.join("other"), &key).unwrap();
    assert_eq!(trusting(&run(&root, &verify, 11)), None);
    std::fs::rename(&away, &key).unwrap();
    run(&root, &own.iter().map(String::as_str).collect::<Vec<_>>(), 0);
    run(&root, &verify, 0);
    // It is not what lacks.
    assert_eq!(trusting(&run(&root, &[&verify[..], &["--min-signatures", "2"]].concat(), 11)), None);
}

#[test]
fn only_a_whole_and_finished_bundle_is_signed() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let bundle = bundle(&root);
    let key = stock_key(&root, "key", ("ed25519", "256"), "");
    let sign = ["sign", bundle.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let whole = std::fs::read(bundle.join("index.json")).unwrap();
    root.write("b-1/airlift/journal", "");
    assert!(run(&root, &sign, 10).contains("not assembled yet"));
    std::fs::remove_file(bundle.join("airlift/journal")).unwrap();
    root.write("b-1/index.json", String::from_utf8(whole.clone()).unwrap().replace('2', "3"));
    assert!(run(&root, &sign, 10).contains("index.json"));
    root.write("b-1/index.json", &whole);
    root.write("b-1/extra", "");
    assert!(run(&root, &sign, 10).contains("extra"));
    std::fs::remove_file(bundle.join("extra")).unwrap();
    let sums = std::fs::read_to_string(bundle.join("airlift/SHA256SUMS")).unwrap();
    root.write("b-1/airlift/SHA256SUMS", format!("{sums}junk\n"));
    assert!(run(&root, &sign, 10).contains("SHA256SUMS"));
    root.write("b-1/airlift/SHA256SUMS", &sums);
    for number in 0..4200 {
        root.write(Path::new("b-1/crowd").join(number.to_string()), "");
    }
    assert!(run(&root, &sign, 10).contains("files are there"));
    std::fs::remove_dir_all(bundle.join("crowd")).unwrap();
    assert!(!bundle.join("airlift/signatures").exists());
    run(&root, &sign, 0);
}

#[test]
fn too_many_signatures_are_a_matter_of_trust() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let bundle = bundle(&root);
    let key = stock_key(&root, "key", ("ed25519", "256"), "");
    run(&root, &["key", "trust", &format!("{}.pub", key.display())], 0);
    run(&root, &["sign", bundle.to_str().unwrap(), "--key", key.to_str().unwrap()], 0);
    run(&root, &["verify", bundle.to_str().unwrap()], 0);
    for (until, said) in [(64, "more than 64 signatures"), (300, "more than 64 signatures")] {
        for number in 0..until {
            root.write(format!("b-1/airlift/signatures/{number:016x}.sig"), "");
        }
        assert!(run(&root, &["verify", bundle.to_str().unwrap()], 11).contains(said));
    }
}

#[test]
fn a_private_key_on_the_medium_signs_nothing() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let bundle = bundle(&root);
    let medium = root.join("medium");
    std::fs::create_dir(&medium).unwrap();
    let moved = medium.join("b-1");
    std::fs::rename(&bundle, &moved).unwrap();
    let key = stock_key(&root, "key", ("ed25519", "256"), "");
    let on_it = medium.join("key");
    std::fs::copy(&key, &on_it).unwrap();
    let link = root.join("link");
    std::os::unix::fs::symlink(&on_it, &link).unwrap();
    for key in [&on_it, &link] {
        let key = key.to_str().unwrap();
        let pack = ["pack", "127.0.0.1:9/a:1", "--to", medium.to_str().unwrap(), "--key", key];
        assert!(run(&root, &pack, 2).contains("must not lie on a medium"));
        let sign = ["sign", moved.to_str().unwrap(), "--key", key];
        assert!(run(&root, &sign, 2).contains("must not lie on a medium"));
    }
    assert!(!moved.join("airlift/signatures").exists());
    run(&root, &["sign", moved.to_str().unwrap(), "--key", key.to_str().unwrap()], 0);
}

#[test]
fn private_keys_that_are_not_private_are_refused() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let bundle = bundle(&root);
    let place = bundle.to_str().unwrap();
    let key = stock_key(&root, "key", ("ed25519", "256"), "another passphrase");
    let path = key.to_str().unwrap();
    let wrong = run(&root, &["sign", place, "--key", path], 11);
    assert!(wrong.contains("the passphrase in AIRLIFT_KEY_PASSPHRASE is wrong"), "{wrong}");
    assert!(
        wrong.contains("or unset it to be asked in a terminal") && !wrong.contains("ssh-keygen"),
        "{wrong}"
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(run(&root, &["sign", place, "--key", path], 11).contains("chmod 600"));
    let inside = bundle.join("airlift/key");
    let made = run(&root, &["key", "generate", "--key", inside.to_str().unwrap()], 2);
    assert!(made.contains("must not lie on a medium") && !inside.exists(), "{made}");
    std::fs::rename(&key, &inside).unwrap();
    assert!(run(&root, &["sign", place, "--key", inside.to_str().unwrap()], 2).contains("is a bundle"));
    let pem = root.write("pem", "-----BEGIN RSA PRIVATE KEY-----\n");
    std::fs::set_permissions(&pem, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(run(&root, &["sign", place, "--key", pem.to_str().unwrap()], 2).contains("ssh-keygen -p"));
}

#[test]
fn without_a_terminal_and_a_passphrase_no_key_is_made() {
    // A session of its own has no terminal to ask on, wherever the tests run.
    let Some(setsid) = need("setsid") else { return };
    let root = TempRoot::new();
    let refused = |words: &[&str], code: i32| {
        let mut command = std::process::Command::new(&setsid);
        command.args(["--wait", env!("CARGO_BIN_EXE_airlift")]).args(words).env_clear();
        command.env("HOME", root.join("home")).stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("there is no terminal to ask on") && !said.contains("os error"), "{said}");
        assert!(said.contains("AIRLIFT_KEY_PASSPHRASE"), "{said}");
        said
    };
    let said = refused(&["key", "generate"], 2);
    assert!(said.contains("--no-passphrase"), "{said}");
    assert!(!root.join("home/.local/share/airlift/signing_key").exists());
    // The same for a key that is there and protected.
    run(&root, &["key", "generate", "--comment", "one@here"], 0);
    let medium = root.join("medium");
    std::fs::create_dir(&medium).unwrap();
    let said = refused(&["pack", "127.0.0.1:9/a:1", "--to", medium.to_str().unwrap()], 11);
    assert!(said.contains("is protected by a passphrase: there is no terminal to ask on"), "{said}");
    assert!(said.contains("--agent"), "{said}");
}

#[test]
fn the_trust_file_keeps_what_others_wrote_in_it() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let [one, two] = ["one", "two"].map(|name| stock_key(&root, name, ("ed25519", "256"), ""));
    let line = |key: &Path| std::fs::read_to_string(format!("{}.pub", key.display())).unwrap();
    let before = format!("# ours\r\n  boss  {}\n# end", line(&one).trim());
    let trust = root.write("real_trust", &before);
    let link = root.join("trust");
    std::os::unix::fs::symlink(&trust, &link).unwrap();
    std::fs::set_permissions(&trust, std::fs::Permissions::from_mode(0o640)).unwrap();
    let file = link.to_str().unwrap();
    run(&root, &["key", "trust", line(&two).trim(), "--principal", "two@x", "--trust", file], 0);
    let after = std::fs::read_to_string(&trust).unwrap();
    assert!(
        after.starts_with(&format!("{before}\ntwo@x namespaces=\"airlift-bundle\" ssh-ed25519 ")),
        "{after}"
    );
    assert!(link.is_symlink());
    assert_eq!(trust.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    run(&root, &["key", "untrust", "two@x", "--trust", file], 0);
    assert_eq!(std::fs::read_to_string(&trust).unwrap(), format!("{before}\n"));
    for principal in ["a b", "a,b", "*", "!a", "\"", "#", ""] {
        run(&root, &["key", "trust", line(&two).trim(), "--principal", principal, "--trust", file], 2);
    }
    root.write("real_trust", "boss nonsense\n");
    let refused = run(&root, &["key", "trust", line(&two).trim(), "--principal", "x", "--trust", file], 11);
    assert!(refused.contains("trust:1: "), "{refused}");
    assert_eq!(std::fs::read_to_string(&trust).unwrap(), "boss nonsense\n");
}

#[test]
fn a_bundle_is_signed_by_a_key_in_an_agent() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let Some(agent) = Agent::start(&root) else { return };
    let bundle = bundle(&root);
    let key = stock_key(&root, "key", ("rsa", "2048"), "");
    agent.add(&[key.to_str().unwrap()]);
    std::fs::remove_file(&key).unwrap();
    let sign = ["sign", bundle.to_str().unwrap(), "--agent"];
    assert!(run(&root, &sign, 2).contains("SSH_AUTH_SOCK"));
    root.airlift().args(sign).env("SSH_AUTH_SOCK", &agent.socket).assert().success();
    root.airlift().args(["key", "trust"]).arg(format!("{}.pub", key.display())).assert().success();
    assert_eq!(std::fs::read_dir(bundle.join("airlift/signatures")).unwrap().count(), 1);
    let mut wrong = root.airlift();
    wrong
        .args(["sign", bundle.to_str().unwrap(), "--agent=SHA256:nobody"])
        .env("SSH_AUTH_SOCK", &agent.socket);
    let output = wrong.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
