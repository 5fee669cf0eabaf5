//! The document of this host's history: read strictly, told apart from what is damaged and what another version wrote.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StateError;
use super::serial::Taken;
use crate::domain::digest::Digest;
use crate::domain::strict_json;
use crate::domain::trust::{Accepted, ClockEvidence, SerialDecision, decide_serial};
use crate::engine::error::{EngineError, FileError};
use crate::engine::files::{Files, read_whole};

pub(super) const FORMAT: &str = "airlift-state/1";
const FAMILY: &str = "airlift-state/";
pub(super) const FILE: &str = "state.json";
/// Bytes of history that are read at most: some hundred thousand names.
const MAX_FILE: u64 = 64 * 1024 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    pub(super) format: String,
    pub(super) last_seen: Option<Timestamp>,
    pub(super) signed: BTreeMap<String, u64>,
    pub(super) accepted: Vec<Entry>,
}

/// What every version of the document has.
#[derive(Deserialize)]
struct Format {
    format: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) key: String,
    #[serde(flatten)]
    pub(super) bundle: Accepted,
}

/// History as it was read once.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(super) document: Document,
    pub(super) taken: BTreeMap<String, Taken>,
    /// Why what is there cannot be used, in words; absent where it was read or nothing was ever written.
    pub problem: Option<String>,
}

/// Why history was not read.
pub(super) enum Unread {
    /// Nothing was ever written.
    Missing,
    /// It is damaged: there is nothing to be had from it.
    Corrupt(String),
    /// It may be whole, and must not be replaced.
    Kept(EngineError),
}

impl History {
    /// The last serial of `name` that was signed here, whatever the bundle of id `but` has taken: cut off right before its
    /// signature, it goes on under its own serial.
    pub fn last_signed(&self, name: &str, but: Option<Uuid>) -> Option<u64> {
        let last = self.document.signed.get(name).copied()?;
        let own = self.taken.get(name).is_some_and(|taken| taken.serial == last && Some(taken.bundle) == but);
        if own { last.checked_sub(1).filter(|before| *before > 0) } else { Some(last) }
    }

    /// What it says about the time.
    pub fn clock(&self) -> ClockEvidence {
        ClockEvidence {
            last_seen: self.document.last_seen,
            newest_accepted: self.document.accepted.iter().map(|entry| entry.bundle.created).max(),
        }
    }

    /// The highest bundle accepted under `name` from any of these keys.
    pub fn accepted(&self, name: &str, keys: &[String]) -> Option<&Accepted> {
        let of = |entry: &&Entry| entry.name == name && keys.contains(&entry.key);
        self.document.accepted.iter().filter(of).map(|entry| &entry.bundle).max_by_key(|bundle| bundle.serial)
    }

    /// How a bundle on offer relates to it.
    pub fn decide(&self, name: &str, keys: &[String], serial: u64, digest: &Digest) -> SerialDecision {
        decide_serial(self.accepted(name, keys), serial, digest)
    }
}

/// Reads the document of a directory.
pub(super) fn load(files: &dyn Files, directory: &Path) -> std::result::Result<Document, Unread> {
    let path = || directory.join(FILE);
    let open = files.open(directory, FILE).map_err(|error| match error.source.kind() {
        std::io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Kept(error.into()),
    })?;
    let foreign = |reason: String| Unread::Kept(StateError::Foreign { path: path(), reason }.into());
    if open.size > MAX_FILE {
        return Err(foreign(format!("it has {} bytes, at most {MAX_FILE} are read", open.size)));
    }
    let bytes = read_whole(open, MAX_FILE)
        .map_err(|source| Unread::Kept(FileError { operation: "read", path: path(), source }.into()))?;
    // A later version may have fields that this one does not know.
    let format = serde_json::from_slice::<Format>(&bytes).map(|only| only.format).unwrap_or_default();
    if format.starts_with(FAMILY) && format != FORMAT {
        return Err(foreign(format!("its format is {format:.80?}, this version reads {FORMAT:?}")));
    }
    let document: Document =
        strict_json::parse(&bytes).map_err(|error| Unread::Corrupt(error.to_string()))?;
    if document.format != FORMAT {
        return Err(Unread::Corrupt(format!("format is {:.80?}, expected {FORMAT:?}", document.format)));
    }
    Ok(document)
}
