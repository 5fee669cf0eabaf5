//! Blobs on a medium: where each goes, and whether what an earlier run left there is right.

mod sink;
mod whole;

use std::io::Read;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::error::{Explain, Interrupted, Kind, Result};
use super::files::Files;
use super::hash::Hasher;
use crate::domain::bundle::{File, part_path};
use crate::domain::digest::{Algorithm, Digest};

pub use sink::BlobSink;
pub use whole::{replace, write_file, write_new, write_over, write_stream};

/// Suffix of files that are not finished.
pub const TEMP: &str = ".tmp";
/// Bytes per read when hashing what is there.
const BUFFER: usize = 256 * 1024;

/// A blob's bytes are not what its digest says.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The source sent other bytes.
    #[error("blob {expected}: the bytes received hash to {actual}")]
    Content {
        /// What was asked for.
        expected: Digest,
        /// Computed over all bytes.
        actual: Digest,
    },
    /// The source sent another length.
    #[error("blob {digest}: expected {expected} bytes, received {actual}")]
    Length {
        /// The blob.
        digest: Digest,
        /// From the descriptor.
        expected: u64,
        /// Received.
        actual: u64,
    },
}

impl Explain for StoreError {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }

    fn hints(&self) -> Vec<String> {
        vec![
            "the registry, a cache or a proxy on the way altered the bytes; nothing of it was kept"
                .to_owned(),
            "try again; if it stays, pull from another mirror of that image".to_owned(),
        ]
    }
}

/// Where a blob goes: one file, or parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobTarget {
    /// The bundle.
    pub root: PathBuf,
    /// The blob.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes of each part but the last, where it is split.
    pub part: Option<u64>,
}

/// A blob that lies on the medium under its final name, hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The parts, where it is split.
    pub parts: Vec<File>,
}

impl BlobTarget {
    /// Paths inside the bundle and lengths, in order.
    pub fn pieces(&self) -> Vec<(String, u64)> {
        let Some(part) = self.part else {
            return vec![(self.digest.layout_path(), self.size)];
        };
        let count = usize::try_from(self.size.div_ceil(part)).unwrap_or(usize::MAX);
        let length = |number: usize| part.min(self.size - part * number as u64);
        (0..count).map(|number| (part_path(&self.digest, number), length(number))).collect()
    }
}

/// Hashes what lies under the final names. Nothing where a piece is missing or the bytes are wrong.
/// What is wrong stays until its replacement is renamed over it; only where there is no room for both it goes.
///
/// # Errors
/// A file error other than that a file is not there.
pub fn existing(files: &dyn Files, target: &BlobTarget, seen: &dyn Fn(u64)) -> Result<Option<Stored>> {
    existing_until(files, target, seen, &CancellationToken::new())
}

/// The same for a blob of any length: a cancel ends it between two reads.
///
/// # Errors
/// [`Interrupted`], or a file error other than that a file is not there.
pub fn existing_until(
    files: &dyn Files,
    target: &BlobTarget,
    seen: &dyn Fn(u64),
    cancel: &CancellationToken,
) -> Result<Option<Stored>> {
    let mut whole = Hasher::new(target.digest.algorithm());
    let mut parts = Vec::new();
    let mut right = true;
    for (path, size) in target.pieces() {
        let mut part = target.part.map(|_| Hasher::new(Algorithm::Sha256));
        let got = hash_into(files, (&target.root, &path), size, cancel, |bytes| {
            whole.update(bytes);
            seen(bytes.len() as u64);
            if let Some(part) = &mut part {
                part.update(bytes);
            }
        })?;
        match got {
            None => return Ok(None),
            Some(length) => right &= length == size,
        }
        parts.extend(part.map(|part| File { path, size, sha256: part.finish().hex().to_owned() }));
    }
    if right && whole.finish() == target.digest {
        return Ok(Some(Stored { parts }));
    }
    if files.space(&target.root)?.free.is_some_and(|free| free < target.size) {
        for (path, _) in target.pieces() {
            files.remove(&target.root.join(path))?;
        }
    }
    Ok(None)
}

/// Feeds at most `limit` bytes of a file; tells its length, or nothing where it is not there or is no regular file.
fn hash_into(
    files: &dyn Files,
    (root, path): (&Path, &str),
    limit: u64,
    cancel: &CancellationToken,
    mut feed: impl FnMut(&[u8]),
) -> Result<Option<u64>> {
    let open = match files.open(root, path) {
        Ok(open) => open,
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut reader = open.reader.take(limit);
    let mut buffer = vec![0; BUFFER];
    loop {
        if cancel.is_cancelled() {
            return Err(Interrupted.into());
        }
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(Some(open.size)),
            Ok(got) => feed(&buffer[..got]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // A sector that cannot be read is as good as a missing file: it is fetched anew.
            Err(_) => return Ok(None),
        }
    }
}
