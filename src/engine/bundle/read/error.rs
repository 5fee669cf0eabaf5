//! Why a bundle cannot be read, what that is, and what helps.

use std::path::PathBuf;

use crate::domain::bundle::{JOURNAL, MANIFEST, MAX_DOCUMENT};
use crate::domain::digest::Digest;
use crate::engine::bundle::inside;
use crate::engine::error::{Explain, Kind};

/// Why a bundle cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is nothing at all.
    #[error("there is no {}", path.display())]
    NoPath {
        /// As given.
        path: PathBuf,
    },
    /// There is no bundle.
    #[error("{} holds no bundle: there is no {MANIFEST}", path.display())]
    NoBundle {
        /// Where it was looked for.
        path: PathBuf,
        /// Bundles that lie in it, or the one that it lies in.
        inside: Vec<PathBuf>,
    },
    /// There is what surrounds one.
    #[error("missing: {MANIFEST}, the signed document, in {}", path.display())]
    NoDocument {
        /// The directory.
        path: PathBuf,
    },
    /// There will be a bundle.
    #[error("{} is no bundle yet: there is {JOURNAL} and no {MANIFEST}, the pack was cut off", path.display())]
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// A link, a FIFO, a directory where a file must be.
    #[error("not a regular file: {path}")]
    Special {
        /// Path inside the bundle.
        path: String,
    },
    /// The document is larger than anything Airlift writes.
    #[error("{MANIFEST} has {size} bytes, at most {MAX_DOCUMENT} are read")]
    DocumentSize {
        /// Its length.
        size: u64,
    },
    /// An entry of the signed list that makes no sense.
    #[error("{path}: {reason}")]
    Listed {
        /// Path inside the bundle.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A blob that is not listed.
    #[error("the bundle does not list the blob {0}")]
    NotListed(Digest),
    /// A file that was there a moment ago.
    #[error("{path} is in the signed list and not there")]
    Gone {
        /// Path inside the bundle.
        path: String,
    },
    /// All of it, also what was read a moment ago.
    #[error("{path} is in the signed list and not there, and nor is the bundle itself: {} is gone", root.display())]
    Away {
        /// Path inside the bundle.
        path: String,
        /// The bundle.
        root: PathBuf,
    },
    /// A file of another length than the document says.
    #[error("{path}: expected {expected} bytes, it has {actual}")]
    Length {
        /// Path inside the bundle.
        path: String,
        /// From the document.
        expected: u64,
        /// On the medium.
        actual: u64,
    },
    /// Bytes that are not what the digest says.
    #[error("{path}: expected {expected}, the bytes hash to {actual}")]
    Content {
        /// Path inside the bundle.
        path: String,
        /// From the document.
        expected: Digest,
        /// Computed.
        actual: Digest,
    },
}

impl Explain for ReadError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoBundle { .. } => Kind::Usage,
            Self::NoPath { .. } | Self::Away { .. } => Kind::Medium,
            _ => Kind::Integrity,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoPath { .. } => {
                vec![
                    "is the medium mounted? give the directory NAME-SERIAL on it, as pack printed it"
                        .to_owned(),
                ]
            }
            Self::NoBundle { path, inside } if !inside.is_empty() => vec![inside::hint(path, inside)],
            Self::NoBundle { .. } => vec![
                "give the directory NAME-SERIAL itself".to_owned(),
                "a pack that was cut off leaves no document: run the same pack again".to_owned(),
            ],
            Self::Unfinished { .. } => {
                vec!["run the same pack again: it goes on where it stopped, and signs at the end".to_owned()]
            }
            Self::Away { .. } => {
                vec!["was the medium unplugged? plug it in again, then run the same command again".to_owned()]
            }
            Self::Gone { .. } => vec!["was the medium unplugged? else the copy is incomplete".to_owned()],
            Self::Length { .. } | Self::Content { .. } | Self::NoDocument { .. } | Self::Special { .. } => {
                vec!["the copy on this medium is damaged or was changed: copy or pack it again".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
