//! Signatures, keys and trust files mean the same to Airlift and to the stock OpenSSH tools, both ways.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use airlift::domain::bundle::NAMESPACE;
use airlift::engine::files::RealFiles;
use airlift::engine::sign::keys::{self, GenerateSpec};
use airlift::engine::sign::{
    AllowedSigners, Outcome, Passphrases, SignatureFile, Signer, TrustPolicy, TrustReport, agent,
    fingerprint, key_id, verify_signatures,
};
use jiff::tz::TimeZone;
use secrecy::SecretString;
use ssh_key::PublicKey;

use crate::rig::{TempRoot, need, wait_until};

pub(crate) const DOCUMENT: &[u8] = b"{\"format\":\"airlift-bundle/1\"}\n";
const TYPES: &[(&str, &str)] = &[
    ("ed25519", "256"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
    ("rsa", "2048"),
    ("rsa", "3072"),
];

struct Fixed(&'static str);

impl Passphrases for Fixed {
    fn passphrase(&self, _: &Path) -> std::io::Result<SecretString> {
        Ok(SecretString::from(self.0))
    }
}

/// `ssh-keygen` with these arguments, cut off from the caller's agent and terminal.
pub(crate) fn keygen(arguments: &[&str], input: &[u8], zone: &str) -> Output {
    use std::io::Write as _;
    let mut command = Command::new("ssh-keygen");
    command.args(arguments).env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY").env("TZ", zone);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// A key made by `ssh-keygen`.
pub(crate) fn stock_key(
    root: &TempRoot,
    name: &str,
    (kind, bits): (&str, &str),
    passphrase: &str,
) -> PathBuf {
    let path = root.join(name);
    let file = path.to_str().unwrap();
    let made = keygen(&["-q", "-t", kind, "-b", bits, "-N", passphrase, "-C", name, "-f", file], b"", "UTC");
    assert!(made.status.success(), "{made:?}");
    path
}

fn public(key: &Path) -> PublicKey {
    keys::load_public(&PathBuf::from(format!("{}.pub", key.display()))).unwrap()
}

fn trusting(root: &TempRoot, lines: &str) -> AllowedSigners {
    let path = root.write("allowed_signers", lines);
    AllowedSigners::parse(&path, lines, &TimeZone::UTC).unwrap()
}

fn line(options: &str, key: &Path) -> String {
    format!("me {options} {}\n", public(key).to_openssh().unwrap())
}

fn file(name: &str, text: impl AsRef<[u8]>) -> SignatureFile {
    SignatureFile { path: format!("airlift/signatures/{name}.sig"), content: Ok(text.as_ref().to_vec()) }
}

fn judged(document: &[u8], files: &[SignatureFile], allowed: &AllowedSigners, min: usize) -> TrustReport {
    let now = "2026-06-01T12:00:00Z".parse().unwrap();
    verify_signatures(document, files, allowed, TrustPolicy { min_signatures: min }, now)
}

fn stock_verifies(root: &TempRoot, signature: &str, at: &str, zone: &str) -> bool {
    let signature = root.write("checked.sig", signature);
    let trust = root.join("allowed_signers");
    let option = format!("-Overify-time={at}");
    let output = keygen(
        &[
            "-Y",
            "verify",
            "-f",
            trust.to_str().unwrap(),
            "-I",
            "me",
            "-n",
            NAMESPACE,
            "-s",
            signature.to_str().unwrap(),
            &option,
        ],
        DOCUMENT,
        zone,
    );
    output.status.success()
}

fn stock_sign(root: &TempRoot, key: &Path, namespace: &str, hash: &str) -> String {
    let document = root.write("document", DOCUMENT);
    let signature = root.join("document.sig");
    let _ = std::fs::remove_file(&signature);
    let option = format!("-Ohashalg={hash}");
    let arguments = [
        "-q",
        "-Y",
        "sign",
        "-f",
        key.to_str().unwrap(),
        "-n",
        namespace,
        &option,
        document.to_str().unwrap(),
    ];
    let output = keygen(&arguments, b"", "UTC");
    assert!(output.status.success(), "{output:?}");
    std::fs::read_to_string(signature).unwrap()
}

/// A key that is read from its file.
fn loadable(root: &TempRoot, kind: (&str, &str), secret: &str) -> (PathBuf, Signer) {
    let key = stock_key(root, &format!("{}-{}", kind.0, kind.1), kind, secret);
    let signer = Signer::from_file(&RealFiles, &key, &Fixed("canary passphrase")).unwrap();
    (key, signer)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn what_airlift_signs_ssh_keygen_verifies_for_every_key_type_plain_and_encrypted() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    for (at, kind) in TYPES.iter().enumerate() {
        let secret = if at % 2 == 0 { "canary passphrase" } else { "" };
        let (key, signer) = loadable(&root, *kind, secret);
        let signature = runtime().block_on(signer.sign(DOCUMENT)).unwrap();
        let allowed = trusting(&root, &line("", &key));
        assert!(stock_verifies(&root, &signature, "20260601Z", "UTC"), "{kind:?}");
        let report = judged(DOCUMENT, &[file(&signer.key_id(), &signature)], &allowed, 1);
        report.enforce().unwrap();
        assert_eq!(report.signatures[0].note, None);
        if kind.0 == "rsa" {
            assert_eq!(report.signatures[0].algorithm.as_deref(), Some("rsa-sha2-512"));
        }
    }
}

#[test]
fn what_ssh_keygen_signs_airlift_verifies_with_either_hash() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    for kind in TYPES {
        let key = stock_key(&root, &format!("{}-{}", kind.0, kind.1), *kind, "");
        let allowed = trusting(&root, &line("namespaces=\"git,airlift-*\"", &key));
        for hash in ["sha256", "sha512"] {
            let signature = stock_sign(&root, &key, NAMESPACE, hash);
            let report = judged(DOCUMENT, &[file(&key_id(public(&key).key_data()), &signature)], &allowed, 1);
            assert_eq!(
                report.signatures[0].outcome,
                Outcome::Good { principals: "me".into() },
                "{kind:?} {hash}"
            );
            let tampered = judged(b"{}", &[file("x", &signature)], &allowed, 1);
            assert_eq!(tampered.signatures[0].outcome, Outcome::BadSignature);
            assert_eq!(tampered.enforce().unwrap_err().0.signed_by.len(), 0);
        }
        let elsewhere = stock_sign(&root, &key, "git", "sha512");
        let report = judged(DOCUMENT, &[file("x", &elsewhere)], &allowed, 1);
        assert_eq!(report.signatures[0].outcome, Outcome::WrongNamespace { actual: "git".into() });
    }
}

#[test]
fn a_generated_key_is_an_ordinary_openssh_key() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    for secret in [None, Some("canary passphrase")] {
        let path = root.join(if secret.is_some() { "protected" } else { "open" });
        let spec = GenerateSpec {
            path: path.clone(),
            comment: "me@here".into(),
            passphrase: secret.map(SecretString::from),
        };
        let report = keys::generate(&RealFiles, &spec).unwrap();
        let text = path.to_str().unwrap();
        let shown = keygen(&["-y", "-P", secret.unwrap_or(""), "-f", text], b"", "UTC");
        assert!(shown.status.success(), "{shown:?}");
        assert_eq!(String::from_utf8(shown.stdout).unwrap().trim(), report.public);
        let listed = String::from_utf8(keygen(&["-l", "-f", text], b"", "UTC").stdout).unwrap();
        assert!(listed.contains(&report.fingerprint) && listed.contains("me@here"), "{listed}");
        let wrong = keygen(&["-y", "-P", "another", "-f", text], b"", "UTC");
        assert_eq!(wrong.status.success(), secret.is_none());
        assert!(keys::generate(&RealFiles, &spec).unwrap_err().message().contains("not replaced"));
        let left: Vec<_> = std::fs::read_dir(root.path()).unwrap().flatten().collect();
        assert!(left.iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(".tmp")));
    }
    let error = Signer::from_file(&RealFiles, &root.join("protected"), &Fixed("another")).unwrap_err();
    assert!(error.message().ends_with("the passphrase is wrong"), "{error}");
}

#[test]
fn keys_with_an_interval_get_the_verdict_of_ssh_keygen() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let key = stock_key(&root, "key", ("ed25519", "256"), "");
    let signature = stock_sign(&root, &key, NAMESPACE, "sha512");
    let zone = "CET-1CEST,M3.5.0,M10.5.0/3";
    let times = [
        "20251231225959Z",
        "20251231230000Z",
        "20260101000000Z",
        "20260101000001Z",
        "20260701105959Z",
        "20260701110000Z",
        "20260701110001Z",
        "20261231230000Z",
        "20261231230001Z",
        "20380119031408Z",
    ];
    for options in [
        "valid-before=\"20260101Z\"",
        "valid-after=\"20260101Z\"",
        "valid-after=\"20260101\",valid-before=\"202607011200\"",
        "valid-after=\"20260101UTC\",valid-before=\"20261231230000Z\"",
        "valid-before=\"99991231\"",
        "namespaces=\"git\"",
        "namespaces=\"*,!airlift-bundle\"",
        "namespaces=\"airlift-b?ndle\",valid-before=\"20380119031407Z\"",
        "cert-authority",
    ] {
        let text = line(options, &key);
        let path = root.write("allowed_signers", &text);
        let allowed = AllowedSigners::parse(&path, &text, &TimeZone::posix(zone).unwrap()).unwrap();
        for time in times {
            let at = airlift::engine::sign::validity::parse(time, &TimeZone::UTC).unwrap();
            let report =
                verify_signatures(DOCUMENT, &[file("x", &signature)], &allowed, TrustPolicy::default(), at);
            let stock = stock_verifies(&root, &signature, time, zone);
            assert_eq!(report.enforce().is_ok(), stock, "{options} at {time}: {:?}", report.signatures);
        }
    }
}

#[test]
fn keys_are_counted_and_files_are_not() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let [one, two, strange, old] =
        ["one", "two", "strange", "old"].map(|name| stock_key(&root, name, ("ed25519", "256"), ""));
    let lines =
        [line("", &one), line("", &one), line("", &two), line("valid-before=\"20260101Z\"", &old)].concat();
    let allowed = trusting(&root, &lines);
    let [by_one, by_two, by_strange, by_old] =
        [&one, &two, &strange, &old].map(|key| stock_sign(&root, key, NAMESPACE, "sha512"));
    let id = |key: &Path| key_id(public(key).key_data());
    let twice = [file(&id(&one), &by_one), file("0000000000000000", &by_one)];
    let report = judged(DOCUMENT, &twice, &allowed, 2);
    let error = report.enforce().unwrap_err();
    assert!(error.to_string().starts_with("1 of 2 required signatures"), "{error}");
    let note = report.signatures[1].note.clone().unwrap();
    assert!(note.contains("0000000000000000.sig") && note.contains(&id(&one)), "{note}");
    judged(DOCUMENT, &[file(&id(&one), &by_one), file(&id(&two), &by_two)], &allowed, 2).enforce().unwrap();
    // A trusted key's name on another key's signature earns nothing; a bad one among good ones spoils nothing.
    let dressed = judged(DOCUMENT, &[file(&id(&one), &by_strange)], &allowed, 1);
    let failure = airlift::engine::error::EngineError::from(dressed.enforce().unwrap_err());
    assert_eq!(failure.kind(), airlift::engine::error::Kind::Trust);
    // The key is named, but for how it ends, which is typed from paper.
    let seen = airlift::domain::sheet::without_end(&fingerprint(public(&strange).key_data()));
    assert!(failure.message().contains(&format!("by {seen}: the key is not trusted")), "{failure}");
    assert!(failure.message().contains(&id(&one)), "{failure}");
    assert!(failure.hints().concat().contains(&fingerprint(public(&two).key_data())));
    let mixed = [
        file("a", &by_strange),
        file("b", &by_old),
        file("c", "rubbish"),
        file("d", ""),
        file("e", &by_one),
        file("f", by_two.replacen("U1NIU0lH", "U1NIU0lI", 1)),
        SignatureFile { path: "airlift/signatures/g.sig".into(), content: Err("too large".into()) },
    ];
    let report = judged(DOCUMENT, &mixed, &allowed, 1);
    report.enforce().unwrap();
    let words: Vec<_> =
        report.signatures.iter().map(|one| serde_json::to_value(one).unwrap()["outcome"].clone()).collect();
    let expected = ["unknown-key", "expired", "malformed", "malformed", "good", "malformed", "malformed"];
    assert_eq!(words, expected);
    assert!(judged(DOCUMENT, &[], &allowed, 0).enforce().unwrap_err().to_string().contains("not signed"));
}

#[test]
fn a_security_key_signature_verifies_as_ssh_keygen_verifies_it() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let (line, armored) = security_key_signature(DOCUMENT);
    let allowed = trusting(&root, &format!("me {line}\n"));
    assert!(stock_verifies(&root, &armored, "20260601Z", "UTC"));
    judged(DOCUMENT, &[file("x", &armored)], &allowed, 1).enforce().unwrap();
    assert!(judged(b"{}", &[file("x", &armored)], &allowed, 1).enforce().is_err());
}

/// What a FIDO token does, in software (PROTOCOL.u2f): the key signs hash(application) flags counter hash(message).
fn security_key_signature(document: &[u8]) -> (String, String) {
    use ssh_key::sha2::{Digest as _, Sha256};
    use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SshSig};
    let key = PrivateKey::random(&mut rand_core::OsRng, Algorithm::Ed25519).unwrap();
    let point = key.public_key().key_data().ed25519().unwrap().0;
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let kind = b"sk-ssh-ed25519@openssh.com";
    let public = PublicKey::from_bytes(&[string(kind), string(&point), string(b"ssh:")].concat()).unwrap();
    let message = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, document).unwrap();
    let touch = [1, 0, 0, 0, 7];
    let signed = [&Sha256::digest(b"ssh:")[..], &touch, &Sha256::digest(&message)].concat();
    let plain: Signature = signature_of(&key, &signed);
    let blob = [string(kind), string(plain.as_bytes()), touch.to_vec()].concat();
    let signature = Signature::try_from(blob.as_slice()).unwrap();
    let armored = SshSig::new(public.key_data().clone(), NAMESPACE, HashAlg::Sha512, signature).unwrap();
    (public.to_openssh().unwrap(), armored.to_pem(LineEnding::LF).unwrap())
}

fn signature_of<S: ssh_key::SigningKey>(key: &S, message: &[u8]) -> ssh_key::Signature {
    key.try_sign(message).unwrap()
}

/// A real agent of the test's own.
pub(crate) struct Agent {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Agent {
    pub(crate) fn start(root: &TempRoot) -> Option<Self> {
        let program = need("ssh-agent")?;
        need("ssh-add")?;
        let socket = root.join("agent");
        let mut command = Command::new(program);
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let agent = Self { child, socket };
        wait_until("the agent listens", || std::os::unix::net::UnixStream::connect(&agent.socket).is_ok());
        Some(agent)
    }

    pub(crate) fn add(&self, arguments: &[&str]) {
        let mut command = Command::new("ssh-add");
        let output = command.arg("-q").args(arguments).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_in_a_real_agent_sign_without_leaving_it() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let Some(agent) = Agent::start(&root) else { return };
    let runtime = runtime();
    let empty = runtime.block_on(Signer::from_agent(&agent.socket, None)).unwrap_err();
    assert!(empty.message().ends_with("holds no key"), "{empty}");
    for kind in TYPES {
        let key = stock_key(&root, &format!("{}-{}", kind.0, kind.1), *kind, "");
        agent.add(&[key.to_str().unwrap()]);
        let print = fingerprint(public(&key).key_data());
        let signer = runtime.block_on(Signer::from_agent(&agent.socket, Some(&print))).unwrap();
        std::fs::remove_file(&key).unwrap();
        let signature = runtime.block_on(signer.sign(DOCUMENT)).unwrap();
        let allowed = trusting(&root, &line("", &key));
        assert!(stock_verifies(&root, &signature, "20260601Z", "UTC"), "{kind:?}");
        judged(DOCUMENT, &[file(&signer.key_id(), &signature)], &allowed, 1).enforce().unwrap();
    }
    assert_eq!(runtime.block_on(agent::list_agent_keys(&agent.socket)).unwrap().len(), TYPES.len());
    let many = runtime.block_on(Signer::from_agent(&agent.socket, None)).unwrap_err();
    assert!(
        many.message().contains("holds 6 keys, and none of them was named")
            && many.hints().concat().contains("ed25519-256"),
        "{many}"
    );
    let none = runtime.block_on(Signer::from_agent(&agent.socket, Some("nobody's"))).unwrap_err();
    assert!(none.message().ends_with("holds no key \"nobody's\""), "{none}");
    let signer = runtime.block_on(Signer::from_agent(&agent.socket, Some("ed25519-256"))).unwrap();
    agent.add(&["-D"]);
    let gone = runtime.block_on(signer.sign(DOCUMENT)).unwrap_err();
    let print = fingerprint(signer.public().key_data());
    assert!(gone.message().ends_with(&format!("no longer holds the key {print}")), "{gone}");
    assert!(gone.hints().concat().contains("ssh-add KEY puts it back"), "{:?}", gone.hints());
    let socket = agent.socket.clone();
    drop(agent);
    let dead = runtime.block_on(signer.sign(DOCUMENT)).unwrap_err();
    assert!(dead.message().contains(socket.to_str().unwrap()), "{dead}");
}

#[test]
fn a_certificate_in_the_agent_is_left_out() {
    let Some(_) = need("ssh-keygen") else { return };
    let root = TempRoot::new();
    let Some(agent) = Agent::start(&root) else { return };
    let ca = stock_key(&root, "ca", ("ed25519", "256"), "");
    let key = stock_key(&root, "key", ("ed25519", "256"), "");
    let public = format!("{}.pub", key.display());
    let signed = keygen(&["-q", "-s", ca.to_str().unwrap(), "-I", "id", "-n", "me", &public], b"", "UTC");
    assert!(signed.status.success(), "{signed:?}");
    agent.add(&[key.to_str().unwrap()]);
    let held = runtime().block_on(agent::list_agent_keys(&agent.socket)).unwrap();
    assert_eq!(held.len(), 1, "the key and its certificate are one key");
}
