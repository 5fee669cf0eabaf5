//! Why a trust file cannot be used, with the way out.

use std::path::PathBuf;

use crate::domain::shell::shell_words;
use crate::engine::error::{Explain, Kind};

/// Why a trust file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AllowedError {
    /// There is none.
    #[error("there is no trust file {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Too large or not text.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A public key alone, as in the file of a key.
    #[error("{}:{line} is a public key and nothing else, expected a line of an allowed_signers file", path.display())]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A line that cannot be read; the rest is not used either.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl Explain for AllowedError {
    fn kind(&self) -> Kind {
        Kind::Trust
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Missing { .. } => vec![
                "airlift key trust FILE.pub trusts a key; have its fingerprint confirmed by its owner first".to_owned(),
                "--trust FILE names another allowed_signers file".to_owned(),
            ],
            Self::PublicKey { path, .. } => {
                let file = shell_words(&[path.display().to_string()]);
                vec![
                    format!(
                        "airlift key trust {file} trusts that key once its owner has confirmed its fingerprint; --trust is not \
                         needed for it then"
                    ),
                    "in an allowed_signers file, whose key it is stands in front: PRINCIPALS TYPE KEY".to_owned(),
                ]
            }
            Self::Line { .. } => vec![
                "a line is: PRINCIPALS [namespaces=\"…\",valid-after=\"YYYYMMDDZ\",valid-before=\"…\"] TYPE KEY [comment]"
                    .to_owned(),
            ],
            Self::File { .. } => Vec::new(),
        }
    }
}
