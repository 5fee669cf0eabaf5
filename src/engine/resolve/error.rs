//! Why a reference cannot be resolved although the registry answered.

use crate::domain::digest::Digest;
use crate::domain::manifest::ManifestError;
use crate::engine::error::{Explain, Kind};

/// Why a reference cannot be resolved although the registry answered.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A document that Airlift does not carry.
    #[error("{object}: {source}")]
    Manifest {
        /// `host/repository@digest`.
        object: String,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// A document of another length or type than the descriptor that points at it.
    #[error("{object}: its descriptor says {expected}, it is {actual}")]
    Descriptor {
        /// `host/repository@digest`.
        object: String,
        /// By the descriptor.
        expected: String,
        /// By the document.
        actual: String,
    },
    /// Two descriptors of one blob that differ in length.
    #[error("{object}: one descriptor says {first} bytes, another {second}")]
    Sizes {
        /// `host/repository@digest`.
        object: String,
        /// The first.
        first: u64,
        /// The other.
        second: u64,
    },
    /// An index in an index in an index.
    #[error("{object}: indexes are nested deeper than {limit}")]
    Depth {
        /// `host/repository@digest`.
        object: String,
        /// Deepest that is followed.
        limit: usize,
    },
    /// More documents than any image has.
    #[error("{object}: {what}, at most {limit} are carried for one reference")]
    TooMuch {
        /// `host/repository@digest`.
        object: String,
        /// Of what.
        what: &'static str,
        /// The cap.
        limit: usize,
    },
    /// Nothing for the platforms asked for.
    #[error("{reference} has nothing for {wanted}; it has {available}")]
    NoPlatform {
        /// The reference.
        reference: String,
        /// Asked for.
        wanted: String,
        /// There.
        available: String,
    },
    /// It is not what the lock file says, although its digest may be.
    #[error("{reference}: the lock file says {expected}, found is {actual}")]
    Locked {
        /// The reference.
        reference: String,
        /// What the lock file has and was not found.
        expected: String,
        /// What was found and the lock file does not have.
        actual: String,
    },
    /// An index that lists something that is neither image nor index.
    #[error("{object}: it lists {digest} of type {media_type:?}, which is no manifest")]
    Listed {
        /// `host/repository@digest`.
        object: String,
        /// What it lists.
        digest: Digest,
        /// Its type.
        media_type: String,
    },
    /// A configuration that does not read.
    #[error("the configuration {object}: {reason}")]
    Config {
        /// `host/repository@digest`.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A layer that only some other server has.
    #[error("the foreign layer {object} is not in this registry; its manifest points to {urls}")]
    Foreign {
        /// `host/repository@digest`.
        object: String,
        /// Where it may be had; never followed.
        urls: String,
    },
}

impl Explain for ResolveError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoPlatform { .. } => Kind::Usage,
            Self::Foreign { .. }
            | Self::Manifest { source: ManifestError::Schema1 | ManifestError::Unsupported(_), .. } => {
                Kind::Network
            }
            _ => Kind::Integrity,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Manifest { source: ManifestError::Schema1, .. } => {
                "push the image again with a current tool (skopeo copy --format v2s2, docker 1.10 or later)"
            }
            Self::NoPlatform { .. } => "give another --platform, or none to carry all of them",
            Self::Locked { .. } => {
                "the lock file was edited or damaged: airlift resolve with --lock writes the entry anew"
            }
            Self::Foreign { .. } => {
                "push the image to a registry of yours with its foreign layers (skopeo copy does), and take it from there"
            }
            _ => "the registry or a proxy before it serves damaged content; compare with another source",
        };
        vec![hint.to_owned()]
    }
}
