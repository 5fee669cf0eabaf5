//! OpenSSH key files: generating, loading, naming. Secrets stay in memory that is wiped and never enter a message.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::domain::bundle::MANIFEST;
use crate::engine::error::{EngineError, Explain, FileError, Interrupted, Kind, Result};
use crate::engine::files::Files;
use crate::engine::given;

/// Bytes of a key file that are read at most; a 16384-bit RSA key has 12 KiB.
const MAX_KEY: u64 = 64 * 1024;

/// Where passphrases come from; the engine never prompts by itself.
pub trait Passphrases: Send + Sync {
    /// Asks for the passphrase of a key file; may block on a terminal.
    ///
    /// # Errors
    /// There is nobody to ask, or the terminal's.
    fn passphrase(&self, key: &Path) -> std::io::Result<SecretString>;

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
        Err(std::io::Error::other("there is no terminal to ask on"))
    }
}

/// Why a key cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file that must not be replaced.
    #[error("{} is there already and is not replaced", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A comment that would break the line of the public key.
    #[error("--comment holds a control character")]
    Comment,
    /// A public key without a name to trust it under.
    #[error("the key does not say whose it is")]
    Nobodys,
    /// A private key must not travel with the bundle.
    #[error("{}: a private key must not lie on a medium ({reason})", path.display())]
    OnMedium {
        /// The key file.
        path: PathBuf,
        /// How that is known.
        reason: String,
    },
    /// Others may read it.
    #[error("{}: expected mode 0600, it is {mode:04o}: others can read this private key", path.display())]
    Mode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key, or not of a form that is read.
    #[error("{} is not an OpenSSH {expected} key: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// `private` or `public`.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A public key given as text.
    #[error("not an OpenSSH public key: {reason}")]
    Text {
        /// What is wrong.
        reason: String,
    },
    /// The passphrase could not be had.
    #[error("{} is protected by a passphrase: {reason}", path.display())]
    NoPassphrase {
        /// The key file.
        path: PathBuf,
        /// Why it could not be had.
        reason: String,
    },
    /// The passphrase does not open it.
    #[error("{}: the passphrase is wrong", path.display())]
    WrongPassphrase {
        /// The key file.
        path: PathBuf,
    },
    /// The cryptographic library refused.
    #[error("cannot {operation} with a key of type {algorithm}: {reason}")]
    Crypto {
        /// `generate`, `encrypt`, `sign`.
        operation: &'static str,
        /// Type of the key.
        algorithm: String,
        /// What it said.
        reason: String,
    },
}

impl Explain for KeyError {
    fn kind(&self) -> Kind {
        match self {
            Self::Exists { .. }
            | Self::Comment
            | Self::Nobodys
            | Self::OnMedium { .. }
            | Self::Format { .. }
            | Self::Text { .. } => Kind::Usage,
            Self::NoPassphrase { .. } | Self::WrongPassphrase { .. } => Kind::Trust,
            Self::Mode { .. } => Kind::Trust,
            Self::Crypto { .. } => Kind::Other,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Exists { .. } => {
                "a key that is gone cannot be had back: move it away first, or give another path with --key"
                    .to_owned()
            }
            Self::Nobodys => "give --principal NAME".to_owned(),
            Self::OnMedium { .. } => {
                "keep the key on this host, or in an ssh-agent or security key (--agent)".to_owned()
            }
            Self::Mode { path, .. } => format!("chmod 600 {}", path.display()),
            Self::Format { path, expected: "private", reason } if reason.contains("PEM") => {
                format!("ssh-keygen -p -f {} rewrites it in the OpenSSH form", path.display())
            }
            Self::Format { expected: "private", .. } => {
                "give the private key file, or --agent for a key that lives in an ssh-agent".to_owned()
            }
            Self::Format { .. } | Self::Text { .. } => {
                "a public key looks like: ssh-ed25519 AAAA… comment".to_owned()
            }
            Self::NoPassphrase { .. } => {
                "run it in a terminal, set AIRLIFT_KEY_PASSPHRASE, or use --agent".to_owned()
            }
            Self::WrongPassphrase { .. } | Self::Crypto { .. } | Self::Comment => return Vec::new(),
        };
        vec![hint]
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

/// A key to be made.
pub struct GenerateSpec {
    /// The private key file; the public one gets `.pub`.
    pub path: PathBuf,
    /// Goes into the public key.
    pub comment: String,
    /// Nothing leaves the file unprotected.
    pub passphrase: Option<SecretString>,
}

/// Makes an ed25519 key pair and writes it, the private half with mode 0600 and never over a file that is there.
///
/// # Errors
/// [`KeyError`] or a file error.
pub fn generate(files: &dyn Files, spec: &GenerateSpec) -> Result<KeyReport> {
    let public_path = suffixed(&spec.path, ".pub");
    for path in [&spec.path, &public_path] {
        if path.symlink_metadata().is_ok() {
            return Err(KeyError::Exists { path: path.clone() }.into());
        }
    }
    let directory = parent(&spec.path);
    files.create_dir(&directory)?;
    refuse_medium(files, &spec.path)?;
    let crypto = |operation| {
        move |error: ssh_key::Error| KeyError::Crypto {
            operation,
            algorithm: Algorithm::Ed25519.to_string(),
            reason: error.to_string(),
        }
    };
    let mut key =
        PrivateKey::random(&mut rand_core::OsRng, Algorithm::Ed25519).map_err(crypto("generate"))?;
    key.set_comment(spec.comment.as_str());
    let public = key.public_key().clone();
    let key = match &spec.passphrase {
        Some(secret) => {
            key.encrypt(&mut rand_core::OsRng, secret.expose_secret()).map_err(crypto("encrypt"))?
        }
        None => key,
    };
    let text = key.to_openssh(LineEnding::LF).map_err(crypto("generate"))?;
    write_new(&spec.path, text.as_bytes(), 0o600)?;
    let line = public.to_openssh().map_err(crypto("generate"))? + "\n";
    write_new(&public_path, line.as_bytes(), 0o644)?;
    files.sync_dir(&directory)?;
    Ok(KeyReport::of(&public, Some(spec.path.clone())))
}

/// Reads a private key file, asking for its passphrase where it has one.
///
/// # Errors
/// [`KeyError`] or a file error.
pub fn load(files: &dyn Files, path: &Path, passphrases: &dyn Passphrases) -> Result<PrivateKey> {
    refuse_medium(files, path)?;
    let text = read_key(path, "private")?;
    let format = |reason: String| KeyError::Format { path: path.to_owned(), expected: "private", reason };
    if !text.contains("BEGIN OPENSSH PRIVATE KEY") {
        let reason = if text.contains("PRIVATE KEY-----") {
            "it is in an older PEM form"
        } else if PublicKey::from_openssh(&text).is_ok() {
            "it is a public key"
        } else {
            "it has no OPENSSH PRIVATE KEY block"
        };
        return Err(format(reason.to_owned()).into());
    }
    let key = PrivateKey::from_openssh(text.as_str()).map_err(|error| format(unread(&error)))?;
    if !key.is_encrypted() {
        return Ok(key);
    }
    let secret = passphrases.passphrase(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::Interrupted => EngineError::from(Interrupted),
        _ => KeyError::NoPassphrase { path: path.to_owned(), reason: error.to_string() }.into(),
    })?;
    let opened = key.decrypt(secret.expose_secret());
    Ok(opened.map_err(|error| match error {
        // Its check number differs, before anything is decoded.
        ssh_key::Error::Crypto => KeyError::WrongPassphrase { path: path.to_owned() },
        error => format(unread(&error)),
    })?)
}

/// ssh-key 0.6 cannot hold an ECDSA number with leading zero bytes: half of all P-521 keys, one in 256 of the others.
fn unread(error: &ssh_key::Error) -> String {
    match error {
        ssh_key::Error::Encoding(_) => {
            format!("{error} (damaged, or an ECDSA key with leading zeros, which only --agent can use)")
        }
        error => error.to_string(),
    }
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
    if !text.contains("PRIVATE KEY-----") {
        return Ok(PublicKey::from_openssh(text.trim()).map_err(format)?);
    }
    let public = PrivateKey::from_openssh(text.as_str()).map_err(format)?.public_key().clone();
    // An encrypted file hides its comment; the file beside it has it.
    let beside = suffixed(path, ".pub");
    let named = beside.exists().then(|| load_public(&beside)).and_then(Result::ok);
    Ok(named.filter(|named| named.key_data() == public.key_data()).unwrap_or(public))
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
    let mine = meta.uid() == rustix::process::geteuid().as_raw();
    if text.contains("PRIVATE KEY-----") && mine && meta.mode() & 0o077 != 0 {
        return Err(KeyError::Mode { path: path.to_owned(), mode: meta.mode() & 0o7777 }.into());
    }
    Ok(text)
}

/// Where something lies.
#[derive(Debug)]
struct Site {
    /// Absolute, links resolved as far as it is there.
    path: PathBuf,
    /// Number of its file system (`st_dev`).
    device: u64,
}

impl Site {
    /// Of a directory; one that is not there yet will be on the file system of what is above it.
    fn of(directory: &Path) -> Option<Self> {
        let path = directory.canonicalize().or_else(|_| std::path::absolute(directory)).ok()?;
        let device = path.ancestors().find_map(|above| above.metadata().ok())?.dev();
        Some(Self { path, device })
    }

    /// Why a key in the directory `key` would travel with this medium; `host` are directories that stay.
    fn carries(&self, key: &Self, host: &[Self]) -> Option<String> {
        let holds_host = host.iter().any(|stays| stays.path.starts_with(&self.path));
        if !holds_host && key.path.starts_with(&self.path) {
            return Some(format!("it is below {}", self.path.display()));
        }
        let own_mount = host.iter().all(|stays| stays.device != self.device);
        (own_mount && key.device == self.device)
            .then(|| format!("it is on the file system of {}", self.path.display()))
    }
}

/// Refuses a private key that would travel with what it signs: one below the medium's directory, or on its
/// file system where that holds neither the host's root nor the home directory and is not in memory.
///
/// # Errors
/// [`KeyError::OnMedium`].
pub fn refuse_on_medium(files: &dyn Files, key: &Path, medium: &Path) -> Result<()> {
    // A key that cannot be found is told by whoever opens it.
    let Ok(found) = key.canonicalize() else { return Ok(()) };
    let (Some(site), Some(medium)) = (Site::of(&parent(&found)), Site::of(medium)) else { return Ok(()) };
    let home = std::env::var_os("HOME").and_then(|home| Site::of(Path::new(&home)));
    let mut host: Vec<Site> = home.into_iter().chain(Site::of(Path::new("/"))).collect();
    if files.space(&site.path).is_ok_and(|space| space.kind == "tmpfs") {
        host.push(Site { path: PathBuf::from("/"), device: site.device });
    }
    match medium.carries(&site, &host) {
        Some(reason) => Err(KeyError::OnMedium { path: key.to_owned(), reason }.into()),
        None => Ok(()),
    }
}

/// Refuses a private key inside a bundle, or on a file system that cannot keep it from others.
fn refuse_medium(files: &dyn Files, path: &Path) -> Result<()> {
    let directory = parent(path);
    let full = directory.canonicalize().map_err(|source| FileError {
        operation: "find",
        path: directory.clone(),
        source,
    })?;
    let refuse = |reason: String| Err(KeyError::OnMedium { path: path.to_owned(), reason }.into());
    if let Some(bundle) = full.ancestors().find(|above| above.join(MANIFEST).exists()) {
        return refuse(format!("{} is a bundle", bundle.display()));
    }
    match files.space(&full) {
        Ok(space) if matches!(space.kind, "fat" | "exfat") => {
            refuse(format!("its file system, {}, keeps no permissions", space.kind))
        }
        _ => Ok(()),
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// `path` with `suffix` after its whole name.
pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a file that must not be there: beside it, synced, then renamed without replacing.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let temp = suffixed(path, &format!(".{}.tmp", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let written = options.open(&temp).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let written =
        written.map_err(|source| FileError { operation: "write", path: temp.clone(), source }.into());
    let done = written.and_then(|()| rename_new(&temp, path));
    if done.is_err() {
        // Nothing half-written of a private key stays behind.
        drop(std::fs::remove_file(&temp));
    }
    done
}

fn rename_new(from: &Path, to: &Path) -> Result<()> {
    use rustix::io::Errno;
    let renamed = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Old file systems do not know the flag; a link refuses to replace as well.
        Err(Errno::INVAL | Errno::NOSYS) => {
            std::fs::hard_link(from, to).and_then(|()| std::fs::remove_file(from))
        }
        other => other.map_err(Into::into),
    };
    match renamed {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(KeyError::Exists { path: to.to_owned() }.into())
        }
        other => {
            Ok(other.map_err(|source| FileError { operation: "rename to", path: to.to_owned(), source })?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_would_travel_with_the_medium_is_told_from_one_that_stays() {
        let site = |path: &str, device| Site { path: PathBuf::from(path), device };
        let host = [site("/home/ann", 2), site("/", 1)];
        for (medium, key, travels) in [
            // A stick with a mount of its own: anywhere on it.
            (("/media/usb/out", 9), ("/media/usb/out/keys", 9), true),
            (("/media/usb/out", 9), ("/media/usb", 9), true),
            (("/media/usb/out", 9), ("/home/ann/.local/share/airlift", 2), false),
            (("/media/usb/out", 9), ("/media/token", 8), false),
            // A directory of the host that will be carried over by other means: only below it.
            (("/home/ann/out", 2), ("/home/ann/out", 2), true),
            (("/home/ann/out", 2), ("/home/ann/.local/share/airlift", 2), false),
            (("/home/ann/out", 2), ("/home/ann/outer", 2), false),
            (("/srv/out", 1), ("/srv/keys", 1), false),
            // What holds the home directory is no medium.
            (("/home/ann", 2), ("/home/ann/.local/share/airlift", 2), false),
            (("/", 1), ("/etc/airlift", 1), false),
        ] {
            let found = site(medium.0, medium.1).carries(&site(key.0, key.1), &host);
            assert_eq!(found.is_some(), travels, "{medium:?} {key:?}: {found:?}");
        }
    }
}
