//! Identity of a running job, and where its things lie when nothing else is said.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::access::RegistryOptions;

/// Number of a job in this process, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}", self.0)
    }
}

/// What a command takes where no option says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The private signing key.
    pub key: PathBuf,
    /// The keys that are trusted.
    pub trust: PathBuf,
    /// What was signed and accepted so far.
    pub state: PathBuf,
    /// How registries are reached.
    pub registry: RegistryOptions,
}
