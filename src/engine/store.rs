//! Blobs on a medium: where each goes, and whether what an earlier run left there is right.

mod sink;
mod whole;

use std::collections::HashMap;
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

    /// Whether all of it lies there, by paths inside the bundle and lengths; they are no proof.
    pub fn is_there(&self, there: &HashMap<String, u64>) -> bool {
        self.pieces().iter().all(|(path, size)| there.get(path) == Some(size))
    }

    /// Bytes of it that were cut off, as far as [`BlobSink::resume`] goes on with them, by the same.
    pub fn cut_off(&self, there: &HashMap<String, u64>) -> u64 {
        let mut sum = 0;
        for (path, size) in self.pieces() {
            match there.get(&format!("{path}{TEMP}")) {
                Some(length) if *length == size => sum += size,
                Some(length) if *length < size => return sum + length,
                Some(_) => return 0,
                None => break,
            }
        }
        sum
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn of_a_blob_that_was_cut_off_just_what_is_gone_on_with_counts() {
        let digest = crate::engine::hash::sha256(b"a layer");
        let target = |part| BlobTarget { root: PathBuf::new(), digest: digest.clone(), size: 7, part };
        let (one, parts) = (target(None), target(Some(3)));
        let temp = |path: String| format!("{path}{TEMP}");
        let whole = || digest.layout_path();
        let part = |number| part_path(&digest, number);
        for (target, there, is_there, cut_off) in [
            (&one, vec![], false, 0),
            (&one, vec![(whole(), 7)], true, 0),
            (&one, vec![(whole(), 5), (temp(whole()), 4)], false, 4),
            (&one, vec![(temp(whole()), 7)], false, 7),
            (&one, vec![(temp(whole()), 8)], false, 0),
            (&parts, vec![(whole(), 7)], false, 0),
            (&parts, vec![(part(0), 3), (part(1), 3), (part(2), 1)], true, 0),
            (&parts, vec![(temp(part(0)), 3), (temp(part(1)), 2)], false, 5),
            (&parts, vec![(temp(part(0)), 2), (temp(part(1)), 3)], false, 2),
            (&parts, vec![(temp(part(1)), 3)], false, 0),
            (&parts, vec![(temp(part(0)), 3), (temp(part(1)), 9)], false, 0),
        ] {
            let there: HashMap<String, u64> = there.into_iter().collect();
            assert_eq!((target.is_there(&there), target.cut_off(&there)), (is_there, cut_off), "{there:?}");
            // As a run that goes on does.
            let root = tempfile::tempdir().unwrap();
            for (path, size) in &there {
                let path = root.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, vec![0; usize::try_from(*size).unwrap()]).unwrap();
            }
            let target = BlobTarget { root: root.path().to_owned(), ..target.clone() };
            let sink = BlobSink::resume(Arc::new(RealFiles), target, &CancellationToken::new()).unwrap();
            assert_eq!(sink.offset(), cut_off, "{there:?}");
        }
    }
}
