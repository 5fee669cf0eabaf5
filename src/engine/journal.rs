//! The journal of a pack: what it is about and which blobs it believes done. A hint for people and for resuming; nothing in it is trusted.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::error::Result;
use super::files::{Files, OutFile};
use crate::domain::bundle::JOURNAL;
use crate::domain::digest::Digest;

/// At most this much of a journal is read, in bytes.
const MAX_JOURNAL: u64 = 64 * 1024 * 1024;

/// First line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `airlift-journal/1`.
    pub journal: String,
    /// Id the bundle will have.
    pub id: uuid::Uuid,
    /// Its name.
    pub name: String,
    /// Its serial.
    pub serial: u64,
    /// When this run of it began.
    pub begun: jiff::Timestamp,
    /// When its first run did, where this one goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<jiff::Timestamp>,
    /// References asked for.
    pub images: u64,
    /// Blobs in the plan.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The references, where they were noted.
    #[serde(default)]
    pub asked: Vec<String>,
    /// What each of them named, where that was noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<String, Digest>,
}

/// A finished blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Its digest.
    pub done: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// What a journal says of a pack that was cut off, or where there is none any more its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Its first line.
    pub header: Header,
    /// Blobs it names as done.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether only its signature is missing, as its document says it.
    pub whole: bool,
}

/// A journal being written.
pub struct Journal(Mutex<Option<Box<dyn OutFile>>>);

impl Journal {
    /// Starts a new one over an old one, durable at once.
    ///
    /// # Errors
    /// A file error.
    pub fn begin(files: &dyn Files, root: &Path, header: &Header) -> Result<Self> {
        let mut line = serde_json::to_vec(header).unwrap_or_default();
        line.push(b'\n');
        super::store::write_file(files, root, JOURNAL, &line)?;
        let out = match files.append(&root.join(JOURNAL)) {
            // Some FUSE file systems refuse to append; what it would note is only a help to the next run.
            Err(error) if super::files::errno(&error.source) == Some(rustix::io::Errno::PERM) => None,
            other => Some(other?),
        };
        Ok(Self(Mutex::new(out)))
    }

    /// Notes a finished blob. Best effort: what is not noted is re-hashed all the same.
    pub fn done(&self, digest: &Digest, size: u64) {
        let mut line = serde_json::to_vec(&Done { done: digest.clone(), size }).unwrap_or_default();
        line.push(b'\n');
        if let Ok(mut out) = self.0.lock()
            && let Some(file) = out.as_mut()
            && file.write_all(&line).is_err()
        {
            // A journal that cannot be written is no reason to stop; the next write to a blob will say it.
            *out = None;
        }
    }
}

/// Reads the journal of a bundle directory, if there is one that makes sense.
pub fn read(files: &dyn Files, root: &Path) -> Option<Interrupted> {
    let open = files.open(root, JOURNAL).ok()?;
    let mut lines = BufReader::new(open.reader.take(MAX_JOURNAL)).lines();
    let header: Header = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    let done =
        lines.map_while(std::result::Result::ok).filter_map(|line| serde_json::from_str::<Done>(&line).ok());
    let (blobs, bytes) = done.fold((0, 0u64), |(n, sum), d| (n + 1, sum.saturating_add(d.size)));
    Some(Interrupted { header, blobs, bytes, whole: false })
}
