//! Reads a bundle back from the medium itself, past the page cache: a stick that lies about what it kept shows only here.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use rustix::fs::{Advice, OFlags};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::hash_all::Stoppable;
use crate::domain::bundle::{BundleManifest, MANIFEST};
use crate::domain::digest::{Algorithm, Digest};
use crate::domain::progress::{Event, Phase};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Explain, Kind, Result};
use crate::engine::hash::{self, Hasher};
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
    let meter = Meter::start(ctx, Phase::ReadBack, work.len() as u64, total);
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
                    let path_on_medium = root.join(path);
                    let wanted = (*size, digest);
                    let read = one(&path_on_medium, wanted, &meter, &direct, &mut buffer, &ctx.cancel);
                    // What was cut off says nothing about the medium.
                    if let (Err(reason), false) = (read, ctx.cancel.is_cancelled()) {
                        let text = format!("{path}: {reason}");
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
    Ok(ReadBack { bytes: total, method })
}

fn one(
    path: &Path,
    (size, digest): (u64, &Digest),
    meter: &Meter,
    direct: &AtomicBool,
    buffer: &mut [u8],
    cancel: &CancellationToken,
) -> std::result::Result<(), String> {
    let stoppable = |inner: File| Stoppable { inner, cancel };
    let (file, is_direct) = open_cold(path).map_err(|error| error.to_string())?;
    if !is_direct {
        direct.store(false, Relaxed);
    }
    let (total, actual) = match drain(stoppable(file), digest.algorithm(), buffer, meter) {
        Ok(read) => read,
        // Opening with O_DIRECT may succeed where reading then does not.
        Err(error) if is_direct && error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
            direct.store(false, Relaxed);
            let file = open_cached(path).map_err(|error| error.to_string())?;
            drain(stoppable(file), digest.algorithm(), buffer, meter).map_err(|error| error.to_string())?
        }
        Err(error) => return Err(error.to_string()),
    };
    if total != size {
        return Err(format!("wrote {size} bytes, read back {total}"));
    }
    if actual == *digest { Ok(()) } else { Err(format!("wrote {digest}, read back {actual}")) }
}

fn open_cold(path: &Path) -> io::Result<(File, bool)> {
    let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, rustix::fs::Mode::empty()) {
        Ok(fd) => Ok((File::from(fd), true)),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::OPNOTSUPP) => Ok((open_cached(path)?, false)),
        Err(error) => Err(error.into()),
    }
}

fn open_cached(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    // Advice only: what stays in the cache is read from there, and the report says so.
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
    Ok(file)
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
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_ends_the_reading_within_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("blob");
        let bytes = vec![7; 3 * BUFFER];
        std::fs::write(&path, &bytes).unwrap();
        let (ctx, digest) = (JobCtx::silent(), hash::sha256(&bytes));
        let meter = Meter::start(&ctx, Phase::ReadBack, 1, 0);
        let mut buffer = vec![0; BUFFER + ALIGN];
        let wanted = (bytes.len() as u64, &digest);
        let mut read = |cancel| one(&path, wanted, &meter, &AtomicBool::new(true), &mut buffer, cancel);
        assert_eq!(read(&ctx.cancel), Ok(()));
        ctx.cancel.cancel();
        assert_eq!(read(&ctx.cancel), Err("stopped on request".to_owned()));
        assert_eq!(meter.done(), bytes.len() as u64, "not a byte more");
    }
}
