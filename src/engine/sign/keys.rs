//! OpenSSH key files: loading and naming. Secrets stay in memory that is wiped and never enter a message.

mod error;
mod generate;
mod place;
mod zeros;

use std::fs::{Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::engine::directory::suffixed;
use crate::engine::error::{EngineError, FileError, Interrupted, Result};
use crate::engine::files::Files;
use crate::engine::given;

pub use error::KeyError;
pub use generate::{GenerateSpec, generate};
pub use place::refuse_on_medium;

/// Bytes of a key file that are read at most; a 16384-bit RSA key has 12 KiB.
const MAX_KEY: u64 = 64 * 1024;
/// In the first line of a private key, of whatever form.
pub(super) const PRIVATE: &str = "PRIVATE KEY-----";

/// Characters that the passphrase of a new key has at least: a shorter one is found by trying.
pub const SHORTEST: usize = 8;

/// Whether a passphrase is too short for a new key.
pub fn is_short(passphrase: &str) -> bool {
    passphrase.chars().count() < SHORTEST
}

/// Holds a passphrase for hosts without a terminal.
pub const PASSPHRASE: &str = "AIRLIFT_KEY_PASSPHRASE";
/// Why nobody is asked where there is no terminal.
pub const NO_TERMINAL: &str = "there is no terminal to ask on";

/// Where passphrases come from; the engine never prompts by itself.
pub trait Passphrases: Send + Sync {
    /// Asks for the passphrase of a key file; may block on a terminal.
    ///
    /// # Errors
    /// There is nobody to ask, or the terminal's.
    fn passphrase(&self, key: &Path) -> std::io::Result<SecretString>;

    /// The variable of the environment that answers, where nobody is asked.
    fn variable(&self) -> Option<&'static str> {
        None
    }

    /// Asks once more after so many that were wrong; nothing where it is not asked again.
    fn again(&self, _key: &Path, _wrong: u32) -> Option<std::io::Result<SecretString>> {
        None
    }

    /// Asks for the passphrase of a key that is about to be made; may block on a terminal.
    ///
    /// # Errors
    /// There is nobody to ask, it is empty, or asked twice it differs.
    fn new_passphrase(&self, key: &Path) -> Result<SecretString> {
        let reason = "there is nobody to ask for a new one".to_owned();
        Err(KeyError::NoPassphrase { path: key.to_owned(), reason }.into())
    }
}

/// Nobody to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPassphrase;

impl Passphrases for NoPassphrase {
    fn passphrase(&self, _: &Path) -> std::io::Result<SecretString> {
        Err(std::io::Error::other(NO_TERMINAL))
    }
}

/// As `ssh-keygen -l` prints it: `SHA256:…`.
pub fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The hex SHA-256 of the public key blob, first 16 digits: a signature's file name.
pub fn key_id(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).as_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What can be told of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyReport {
    /// The private key file, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// One line for `allowed_signers` and `key trust`.
    pub public: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// Name of its signature files.
    pub key_id: String,
    /// `ssh-ed25519`, …
    pub algorithm: String,
}

impl KeyReport {
    /// Describes a public key.
    pub fn of(public: &PublicKey, path: Option<PathBuf>) -> Self {
        Self {
            path,
            public: public.to_openssh().unwrap_or_default(),
            fingerprint: fingerprint(public.key_data()),
            key_id: key_id(public.key_data()),
            algorithm: public.algorithm().to_string(),
        }
    }
}

/// Reads a private key file, asking for its passphrase where it has one.
///
/// # Errors
/// [`KeyError`] or a file error.
pub fn load(files: &dyn Files, path: &Path, passphrases: &dyn Passphrases) -> Result<PrivateKey> {
    place::refuse_medium(files, path)?;
    let text = read_private(path)?;
    let format = |reason: String| KeyError::Format { path: path.to_owned(), expected: "private", reason };
    let key = zeros::read(&text).map_err(|error| format(unread(&error)))?;
    if !key.is_encrypted() {
        return Ok(key);
    }
    let unasked = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::Interrupted => EngineError::from(Interrupted),
        _ => KeyError::NoPassphrase { path: path.to_owned(), reason: error.to_string() }.into(),
    };
    let mut secret = passphrases.passphrase(path).map_err(unasked)?;
    let mut wrong = 0;
    loop {
        match zeros::decrypt(&key, secret.expose_secret()) {
            Ok(key) => return Ok(key),
            // Its check number differs, before anything is decoded.
            Err(ssh_key::Error::Crypto) => wrong += 1,
            Err(error) => return Err(format(unread(&error)).into()),
        }
        let Some(next) = passphrases.again(path, wrong) else {
            let (path, variable) = (path.to_owned(), passphrases.variable());
            return Err(KeyError::WrongPassphrase { path, variable }.into());
        };
        secret = next.map_err(unasked)?;
    }
}

/// Of a key with a number that is short all is read but where its cipher has a tag, which no OpenSSH chooses by itself.
fn unread(error: &ssh_key::Error) -> String {
    match error {
        ssh_key::Error::Encoding(_) => {
            format!(
                "{error} (damaged, or an ECDSA key under a cipher that cannot be read here: make another one, or use it with --agent)"
            )
        }
        error => error.to_string(),
    }
}

/// The text of a private key file in the OpenSSH form, encrypted or not.
fn read_private(path: &Path) -> Result<Zeroizing<String>> {
    let text = read_key(path, "private")?;
    if text.contains("BEGIN OPENSSH PRIVATE KEY") {
        return Ok(text);
    }
    let reason = if text.contains(PRIVATE) {
        "it is in an older PEM form"
    } else if PublicKey::from_openssh(&text).is_ok() {
        "it is a public key"
    } else {
        "it has no OPENSSH PRIVATE KEY block"
    };
    let (path, reason) = (path.to_owned(), reason.to_owned());
    Err(KeyError::Format { path, expected: "private", reason }.into())
}

/// The public half of a private key file that is to sign: what could not is refused before it is asked to.
///
/// # Errors
/// As [`load`] before it asks for a passphrase.
pub fn load_public_to_sign(path: &Path) -> Result<PublicKey> {
    read_private(path)?;
    load_public(path)
}

/// The public half of a key file, private (encrypted too: its public half is in clear) or `.pub`.
///
/// # Errors
/// [`KeyError`] or a file error.
pub fn load_public(path: &Path) -> Result<PublicKey> {
    let text = read_key(path, "public")?;
    let format = |error: ssh_key::Error| KeyError::Format {
        path: path.to_owned(),
        expected: "public",
        reason: error.to_string(),
    };
    if !text.contains(PRIVATE) {
        return Ok(PublicKey::from_openssh(text.trim()).map_err(format)?);
    }
    let public = zeros::read(&text).map_err(format)?.public_key().clone();
    // An encrypted file hides its comment; the file beside it has it.
    let beside = suffixed(path, ".pub");
    let named = beside.exists().then(|| load_public(&beside)).and_then(Result::ok);
    Ok(named.filter(|named| named.key_data() == public.key_data()).unwrap_or(public))
}

/// The public key of a file that holds nothing else, to be trusted.
///
/// # Errors
/// [`KeyError::Private`] where it is the private half, that it is not there or is no key, or a file error.
pub fn load_only_public(path: &Path) -> Result<PublicKey> {
    const HINT: &str =
        "give the .pub file that the owner of the key handed over, or the key itself: 'ssh-ed25519 AAAA…'";
    given::check(path, "public key file", HINT)?;
    let (text, _) = read_text(path, "public")?;
    if text.contains(PRIVATE) {
        return Err(KeyError::Private { path: path.to_owned() }.into());
    }
    let format = |reason: String| KeyError::Format { path: path.to_owned(), expected: "public", reason };
    Ok(PublicKey::from_openssh(text.trim()).map_err(|error| format(error.to_string()))?)
}

/// A public key written out: `ssh-ed25519 AAAA… comment`.
///
/// # Errors
/// [`KeyError::Text`].
pub fn parse_public(text: &str) -> std::result::Result<PublicKey, KeyError> {
    let key =
        PublicKey::from_openssh(text.trim()).map_err(|error| KeyError::Text { reason: error.to_string() })?;
    if key.key_data().is_other() {
        return Err(KeyError::Text { reason: format!("type {} is not known", key.algorithm()) });
    }
    Ok(key)
}

fn read_key(path: &Path, expected: &'static str) -> Result<Zeroizing<String>> {
    given::check(path, "key file", "airlift key generate makes a key; --key FILE names another one")?;
    let (text, meta) = read_text(path, expected)?;
    let mine = meta.uid() == rustix::process::geteuid().as_raw();
    if text.contains(PRIVATE) && mine && meta.mode() & 0o077 != 0 {
        return Err(KeyError::Mode { path: path.to_owned(), mode: meta.mode() & 0o7777 }.into());
    }
    Ok(text)
}

/// The text of a key file, whoever may read it, and what else is known of it.
fn read_text(path: &Path, expected: &'static str) -> Result<(Zeroizing<String>, Metadata)> {
    let failed = |source| FileError { operation: "read", path: path.to_owned(), source };
    let format =
        |reason: &str| KeyError::Format { path: path.to_owned(), expected, reason: reason.to_owned() };
    // Key files are the operator's own: links are followed, as ssh does. A FIFO must not hang us.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() || meta.len() > MAX_KEY {
        return Err(format("it is not a regular file of at most 64 KiB").into());
    }
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(meta.len()).unwrap_or(0) + 1));
    file.take(MAX_KEY).read_to_string(&mut text).map_err(failed)?;
    Ok((text, meta))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn a_file_that_cannot_sign_is_refused_before_it_has_to_with_what_to_give_instead() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let spec = GenerateSpec { path: path.clone(), comment: "a@b".into(), passphrase: None };
        generate(&RealFiles, &spec).unwrap();
        assert!(load_public_to_sign(&path).is_ok());
        std::fs::write(dir.path().join("text"), "hello\n").unwrap();
        let public = dir.path().join("key.pub");
        for (name, says, next) in [
            ("key.pub", "it is a public key", format!("most likely {}, beside", path.display())),
            ("text", "has no OPENSSH PRIVATE KEY block", "give the private key file".to_owned()),
            ("none", "there is no key file", "makes a key".to_owned()),
            (".", "is a directory, expected a key file", "makes a key".to_owned()),
        ] {
            let error = load_public_to_sign(&dir.path().join(name)).unwrap_err();
            let hints = error.hints().join("; ");
            assert!(error.message().contains(says) && hints.contains(&next), "{name}: {error}: {hints}");
        }
        // To be shown, or trusted, it will do.
        assert!(load_public(&public).is_ok());
    }
}
