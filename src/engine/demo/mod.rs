//! The whole job on one machine, on loopback, with images made here: to show that it works, and to test it.

pub mod damage;
mod images;
pub mod layer;
pub mod pull;
pub mod run;
pub mod sample;

use std::path::PathBuf;

use crate::domain::digest::Digest;
use crate::engine::error::{Explain, Kind};

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The directory to keep things in is taken.
    #[error("{} is there already and is not empty", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// Something could not be pulled back.
    #[error("cannot pull {what} from the bundle: {reason}")]
    Pull {
        /// What was pulled.
        what: String,
        /// What happened.
        reason: String,
    },
    /// Something arrived as another thing.
    #[error("{what}: expected {expected}, got {actual}")]
    Differs {
        /// What was looked at.
        what: String,
        /// From the source.
        expected: Digest,
        /// Computed.
        actual: Digest,
    },
    /// A step that must fail did not, or failed for another reason.
    #[error("{what} must be refused as {expected:?}, but {actual}")]
    NotRefused {
        /// What was tried.
        what: String,
        /// The class of failure expected.
        expected: Kind,
        /// What happened instead.
        actual: String,
    },
    /// A step did less than it should have.
    #[error("{what}: expected {expected}, got {actual}")]
    Count {
        /// What was counted.
        what: String,
        /// How many there should be.
        expected: u64,
        /// How many there were.
        actual: u64,
    },
}

impl Explain for DemoError {
    fn kind(&self) -> Kind {
        match self {
            Self::Taken { .. } => Kind::Usage,
            Self::Pull { .. } => Kind::Network,
            _ => Kind::Integrity,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Taken { .. } => "give --keep a directory that is not there yet",
            _ => "this is a defect of Airlift or of this machine: please report it with the output of -vv",
        };
        vec![hint.to_owned()]
    }
}
