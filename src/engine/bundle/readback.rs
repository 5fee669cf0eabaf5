//! Reads a bundle back from the medium itself, past the page cache: a stick that lies about what it kept shows only here.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use serde::Serialize;

use super::hash_all::Stoppable;
use crate::domain::bundle::{BundleManifest, MANIFEST};
use crate::domain::digest::{Algorithm, Digest};
use crate::domain::progress::{Event, Phase};
use crate::domain::text;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Explain, FileError, Kind, Result};
use crate::engine::files::{FileResult, at_byte, refuses_direct};
use crate::engine::hash::{self, Hasher};
use crate::engine::media::is_on_medium;
use crate::engine::meter::Meter;

/// Bytes per read; a multiple of every block size.
const BUFFER: usize = 1024 * 1024;
/// O_DIRECT wants memory aligned like this.
const ALIGN: usize = 4096;
/// More readers do not make one medium faster.
const READERS: usize = 2;

/// How the bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// O_DIRECT: from the device.
    Direct,
    /// The file system refused O_DIRECT or lives in memory; the cache was dropped by advice, which proves less.
    CacheDropped,
}

/// What was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ReadBack {
    /// Bytes.
    pub bytes: u64,
    /// How.
    pub method: Method,
    /// Whether from a medium that is carried about, and no disk of this host.
    pub medium: bool,
}

impl std::fmt::Display for ReadBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = text::bytes(self.bytes);
        let from = if self.medium { "the medium itself" } else { "the disk" };
        match self.method {
            Method::Direct => write!(f, "read back from {from} (direct I/O): {bytes}"),
            Method::CacheDropped => write!(
                f,
                "read back {bytes}; this file system refuses direct I/O, so part of it may have come from memory"
            ),
        }
    }
}

/// The medium does not hold what was written.
#[derive(Debug, thiserror::Error)]
#[error("the medium did not keep the data: {}", .0.join("; "))]
pub struct ReadBackError(Vec<String>);

impl Explain for ReadBackError {
    fn kind(&self) -> Kind {
        Kind::Medium
    }

    fn hints(&self) -> Vec<String> {
        vec![
            "a differing read-back usually means a failing or fake stick: do not use it again".to_owned(),
            "nothing was signed; pack onto another medium".to_owned(),
        ]
    }
}

/// Reads the document and every file it lists, and compares. Blocks.
///
/// # Errors
/// [`ReadBackError`] naming every file that differs; a cancel.
pub fn read_back(
    root: &Path,
    document: &BundleManifest,
    document_bytes: &[u8],
    ctx: &JobCtx,
) -> Result<ReadBack> {
    let mut work: Vec<(String, u64, Digest)> = Vec::new();
    for blob in document.blobs.iter().filter(|blob| blob.parts.is_empty()) {
        work.push((blob.digest.layout_path(), blob.size, blob.digest.clone()));
    }
    let parts = document.blobs.iter().flat_map(|blob| &blob.parts);
    for file in parts.chain(&document.files) {
        if let Ok(digest) = format!("sha256:{}", file.sha256).parse() {
            work.push((file.path.clone(), file.size, digest));
        }
    }
    work.push((MANIFEST.to_owned(), document_bytes.len() as u64, hash::sha256(document_bytes)));
    let total = work.iter().map(|(_, size, _)| size).sum();
    // As verify counts them: the document is not in its own list.
    let meter = Meter::start(ctx, Phase::ReadBack, document.all_files().count() as u64, total);
    // A file system in memory takes O_DIRECT, but has no device behind it to read from.
    let device = ctx.files.space(root)?.kind != "tmpfs";
    let (next, direct) = (AtomicUsize::new(0), AtomicBool::new(device));
    let bad = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..READERS.min(work.len()) {
            scope.spawn(|| {
                let mut buffer = vec![0; BUFFER + ALIGN];
                while let (false, Some((path, size, digest))) =
                    (ctx.cancel.is_cancelled(), work.get(next.fetch_add(1, Relaxed)))
                {
                    let file = Wanted { root, path, size: *size, digest };
                    let read = file.read((ctx, &meter), &direct, &mut buffer);
                    // What was cut off says nothing about the medium.
                    if let (Err(reason), false) = (read, ctx.cancel.is_cancelled()) {
                        let text = if reason.contains(path.as_str()) {
                            reason.clone()
                        } else {
                            format!("{path}: {reason}")
                        };
                        ctx.say(Event::Failed { phase: Phase::ReadBack, item: path.clone(), reason });
                        if let Ok(mut bad) = bad.lock() {
                            bad.push(text);
                        }
                    }
                }
            });
        }
    });
    ctx.check()?;
    let bad = bad.into_inner().unwrap_or_default();
    if !bad.is_empty() {
        return Err(ReadBackError(bad).into());
    }
    meter.finish();
    let method = if direct.into_inner() { Method::Direct } else { Method::CacheDropped };
    Ok(ReadBack { bytes: total, method, medium: is_on_medium(root, ctx) })
}

/// A file and what it must hold.
struct Wanted<'a> {
    root: &'a Path,
    path: &'a str,
    size: u64,
    digest: &'a Digest,
}

impl Wanted<'_> {
    /// Reads it past the page cache where that can be had, and notes in `direct` where it cannot; says what is wrong.
    fn read(
        &self,
        job: (&JobCtx, &Meter),
        direct: &AtomicBool,
        buffer: &mut [u8],
    ) -> std::result::Result<(), String> {
        let said = |error: FileError| EngineError::from(error).message();
        let (total, actual) = match self.attempt(job, true, buffer) {
            // Opening with O_DIRECT may succeed where reading then does not.
            Err(error) if refuses_direct(&error.source) => {
                direct.store(false, Relaxed);
                self.attempt(job, false, buffer).map_err(said)?
            }
            other => other.map_err(said)?,
        };
        if total != self.size {
            return Err(format!("wrote {} bytes, read back {total}", self.size));
        }
        if actual == *self.digest {
            Ok(())
        } else {
            Err(format!("wrote {}, read back {actual}", self.digest))
        }
    }

    fn attempt(
        &self,
        (ctx, meter): (&JobCtx, &Meter),
        direct: bool,
        buffer: &mut [u8],
    ) -> FileResult<(u64, Digest)> {
        let open = ctx.files.open_cold(self.root, self.path, direct)?;
        let reader = Stoppable { inner: open.reader, ctx };
        drain(reader, self.digest.algorithm(), buffer, meter).map_err(|source| FileError {
            operation: "read back",
            path: self.root.join(self.path),
            source,
        })
    }
}

fn drain(
    mut file: impl Read,
    algorithm: Algorithm,
    buffer: &mut [u8],
    meter: &Meter,
) -> io::Result<(u64, Digest)> {
    let skew = buffer.as_ptr().align_offset(ALIGN);
    let aligned = &mut buffer[skew..skew + BUFFER];
    let mut hasher = Hasher::new(algorithm);
    let mut total = 0;
    loop {
        match file.read(aligned) {
            Ok(0) => return Ok((total, hasher.finish())),
            Ok(got) => {
                hasher.update(&aligned[..got]);
                total += got as u64;
                meter.add(got as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                meter.take_back(total);
                return Err(at_byte(total, error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_ends_the_reading_within_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = vec![7; 3 * BUFFER];
        std::fs::write(directory.path().join("blob"), &bytes).unwrap();
        let (ctx, digest) = (JobCtx::silent(), hash::sha256(&bytes));
        let meter = Meter::start(&ctx, Phase::ReadBack, 1, 0);
        let mut buffer = vec![0; BUFFER + ALIGN];
        let file = Wanted { root: directory.path(), path: "blob", size: bytes.len() as u64, digest: &digest };
        let mut read = || file.read((&ctx, &meter), &AtomicBool::new(true), &mut buffer);
        assert_eq!(read(), Ok(()));
        ctx.cancel.cancel();
        assert!(read().unwrap_err().contains("stopped on request"));
        assert_eq!(meter.done(), bytes.len() as u64, "not a byte more");
    }
}
