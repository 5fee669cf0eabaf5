//! Why a key cannot be used or written, with the way out.

use std::path::PathBuf;

use super::{PASSPHRASE, SHORTEST};
use crate::domain::sheet::{ENDS, KEY_ENDS_IN, without_end};
use crate::domain::shell::shell_path;
use crate::engine::directory::suffixed;
use crate::engine::error::{Explain, Kind};

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
    /// Another key than the one that is to be trusted.
    #[error(
        "the key is not the expected one: expected fingerprint {expected}, found {} (how that ends is left \
         out: its owner tells it); nothing was changed",
        without_end(found)
    )]
    Fingerprint {
        /// As it was given.
        expected: String,
        /// The key's; how it ends is not told, as that would be typed from there.
        found: String,
        /// Of the key.
        key_id: String,
    },
    /// So little of a fingerprint that it says nothing about the key.
    #[error(
        "expected the fingerprint or at least its last {ENDS} characters, got {given:?}; the key was not trusted"
    )]
    TooShort {
        /// As it was given.
        given: String,
    },
    /// The private half where the public one is asked for.
    #[error("{} is a private key: its public half is what is trusted, and it alone is handed over", path.display())]
    Private {
        /// The key file.
        path: PathBuf,
    },
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
    /// A passphrase for a new key that says little more than none.
    #[error("the passphrase has fewer than {SHORTEST} characters: no key was made")]
    ShortPassphrase,
    /// The passphrase does not open it.
    #[error("{}: the passphrase{} is wrong", path.display(), .variable.map_or(String::new(), |name| format!(" in {name}")))]
    WrongPassphrase {
        /// The key file.
        path: PathBuf,
        /// The variable of the environment that it was in.
        variable: Option<&'static str>,
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
            | Self::TooShort { .. }
            | Self::Private { .. }
            | Self::OnMedium { .. }
            | Self::ShortPassphrase
            | Self::Format { .. }
            | Self::Text { .. } => Kind::Usage,
            Self::NoPassphrase { .. } | Self::WrongPassphrase { .. } => Kind::Trust,
            Self::Mode { .. } | Self::Fingerprint { .. } => Kind::Trust,
            Self::Crypto { .. } => Kind::Other,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Exists { .. } => {
                "a key that is gone cannot be had back: move it away first, or give another path with --key"
                    .to_owned()
            }
            Self::Fingerprint { key_id, .. } => {
                return vec![
                    "check for a typing error; if there is none, somebody replaced the key: ask its owner"
                        .to_owned(),
                    format!("if that key was trusted before, airlift key untrust {key_id} takes that back"),
                ];
            }
            Self::TooShort { .. } => {
                format!(
                    "the report of its signer has them as \"{KEY_ENDS_IN}\"; airlift key show prints both there"
                )
            }
            Self::Nobodys => "give --principal NAME".to_owned(),
            Self::Private { path } => {
                let public = suffixed(path, ".pub");
                if public.exists() {
                    format!("airlift key trust {}", shell_path(&public))
                } else {
                    format!("ssh-keygen -y -f {} prints the public half", shell_path(path))
                }
            }
            Self::OnMedium { .. } => {
                "keep the key on this host, or in an ssh-agent or security key (--agent)".to_owned()
            }
            Self::Mode { path, .. } => format!("chmod 600 {}", shell_path(path)),
            Self::Format { path, expected: "private", reason } if reason.contains("PEM") => {
                format!("ssh-keygen -p -f {} rewrites it in the OpenSSH form", shell_path(path))
            }
            Self::Format { path, expected: "private", .. }
                if path.extension().is_some_and(|end| end == "pub") =>
            {
                format!("the private key is most likely {}, beside it", path.with_extension("").display())
            }
            Self::Format { expected: "private", .. } => {
                "give the private key file, or --agent for a key that lives in an ssh-agent".to_owned()
            }
            Self::Format { .. } | Self::Text { .. } => {
                "a public key looks like: ssh-ed25519 AAAA… comment".to_owned()
            }
            Self::NoPassphrase { .. } => {
                format!("run it in a terminal, set {PASSPHRASE}, or use --agent")
            }
            Self::ShortPassphrase => "who gets a copy of the key opens it by trying".to_owned(),
            Self::WrongPassphrase { variable: Some(name), .. } => {
                format!(
                    "set {name} to the one of this key, or unset it to be asked in a terminal; nothing was signed"
                )
            }
            Self::WrongPassphrase { path, .. } => {
                format!("ssh-keygen -y -f {} tells which one opens it; nothing was signed", shell_path(path))
            }
            Self::Crypto { .. } | Self::Comment => return Vec::new(),
        };
        vec![hint]
    }
}
