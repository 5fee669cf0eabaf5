//! Puts blobs onto a medium: temp file beside the final one, hashed while written, fsync, rename; and finds what an earlier run left.

mod whole;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::error::{Explain, FileError, Interrupted, Kind, Panicked, Result};
use super::files::{Files, OutFile};
use super::hash::Hasher;
use crate::domain::bundle::{File, part_path};
use crate::domain::digest::{Algorithm, Digest};

pub use whole::{replace, write_file, write_new, write_over, write_stream};

/// Suffix of files that are not finished.
pub const TEMP: &str = ".tmp";
/// Bytes per read when hashing what is there.
const BUFFER: usize = 256 * 1024;
/// From this many bytes on a thread beside the writing one is worth its start.
const BESIDE: u64 = 4 * 1024 * 1024;
/// Chunks by which hashing may lag behind writing.
const LAG: usize = 2;

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

/// Takes the bytes of one blob in order.
pub struct BlobSink {
    files: Arc<dyn Files>,
    target: BlobTarget,
    pieces: Vec<(String, u64)>,
    at: usize,
    in_piece: u64,
    total: u64,
    out: Option<Box<dyn OutFile>>,
    opened: Vec<Option<Box<dyn OutFile>>>,
    whole: Hasher,
    part: Hasher,
    sums: Vec<String>,
}

impl BlobSink {
    /// Goes on where an earlier run stopped: its temp files are re-hashed, not believed. Blocks.
    ///
    /// # Errors
    /// A file error; [`Interrupted`], and the temp files stay as they are.
    pub fn resume(files: Arc<dyn Files>, target: BlobTarget, cancel: &CancellationToken) -> Result<Self> {
        let mut sink = Self::empty(files, target);
        for at in 0..sink.pieces.len() {
            let (path, size) = sink.pieces[at].clone();
            let temp = format!("{path}{TEMP}");
            let (files, root) = (Arc::clone(&sink.files), sink.target.root.clone());
            let got = hash_into(&*files, (&root, &temp), size, cancel, |bytes| {
                sink.whole.update(bytes);
                sink.count(bytes);
            })?;
            match got {
                Some(length) if length == size => sink.close_piece(None),
                Some(length) if length < size => {
                    sink.out = Some(files.append(&root.join(temp))?);
                    break;
                }
                Some(_) => {
                    sink.discard()?;
                    return Ok(Self::empty(files, sink.target));
                }
                None => break,
            }
        }
        Ok(sink)
    }

    fn empty(files: Arc<dyn Files>, target: BlobTarget) -> Self {
        Self {
            pieces: target.pieces(),
            at: 0,
            in_piece: 0,
            total: 0,
            out: None,
            opened: Vec::new(),
            whole: Hasher::new(target.digest.algorithm()),
            part: Hasher::new(Algorithm::Sha256),
            sums: Vec::new(),
            files,
            target,
        }
    }

    /// Bytes taken so far: where the source must go on.
    pub const fn offset(&self) -> u64 {
        self.total
    }

    /// Where the blob goes.
    pub const fn target(&self) -> &BlobTarget {
        &self.target
    }

    /// Starts from the first byte, whatever an earlier run left. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub fn fresh(files: Arc<dyn Files>, target: BlobTarget) -> Result<Self> {
        let sink = Self::empty(files, target);
        sink.discard()?;
        Ok(sink)
    }

    /// Forgets everything taken so far, temp files included. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub fn restart(self) -> Result<Self> {
        self.discard()?;
        Ok(Self::empty(self.files, self.target))
    }

    /// Removes the temp files. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub fn discard(&self) -> Result<()> {
        for (path, _) in &self.pieces {
            self.files.remove(&self.target.root.join(format!("{path}{TEMP}")))?;
        }
        Ok(())
    }

    /// All but the hash of the whole.
    fn count(&mut self, bytes: &[u8]) {
        if self.target.part.is_some() {
            self.part.update(bytes);
        }
        self.in_piece += bytes.len() as u64;
        self.total += bytes.len() as u64;
    }

    fn close_piece(&mut self, out: Option<Box<dyn OutFile>>) {
        self.opened.push(out);
        let part = std::mem::replace(&mut self.part, Hasher::new(Algorithm::Sha256));
        self.sums.push(part.finish().hex().to_owned());
        self.at += 1;
        self.in_piece = 0;
    }

    /// Takes the next bytes. Blocks.
    ///
    /// # Errors
    /// A file error, or [`StoreError::Length`] at the first byte too many.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(bytes)?;
        self.whole.update(bytes);
        Ok(())
    }

    /// Takes chunks as long as there are more, and tells the length of each. What is large is hashed on one thread
    /// while another writes it: both take about as long, and the last blob of a pack has the cores for itself. Blocks.
    ///
    /// # Errors
    /// As [`BlobSink::write`], and that no thread is to be had; after an error there is only [`BlobSink::discard`].
    pub fn write_all(&mut self, mut chunks: impl Iterator<Item = Bytes>, seen: impl Fn(u64)) -> Result<()> {
        if self.target.size - self.total < BESIDE {
            return chunks.try_for_each(|chunk| {
                self.write(&chunk)?;
                seen(chunk.len() as u64);
                Ok(())
            });
        }
        let mut whole = self.whole.clone();
        let (beside, written) = sync_channel::<Bytes>(LAG);
        thread::scope(|scope| {
            let hash = move || {
                written.iter().for_each(|chunk| whole.update(&chunk));
                whole
            };
            let hashing = thread::Builder::new().spawn_scoped(scope, hash).map_err(|source| {
                let path = self.target.root.join(self.target.digest.layout_path());
                FileError { operation: "start a thread that hashes", path, source }
            })?;
            let outcome = chunks.try_for_each(|chunk| {
                // Nobody takes it only after a panic, which is told below.
                let _ = beside.send(chunk.clone());
                self.put(&chunk)?;
                seen(chunk.len() as u64);
                Ok(())
            });
            drop(beside);
            self.whole = hashing.join().map_err(|_| Panicked("hashing a blob".to_owned()))?;
            outcome
        })
    }

    /// Writes the next bytes, without the hash of the whole.
    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let Some((path, size)) = self.pieces.get(self.at) else {
                let actual = self.total + bytes.len() as u64;
                let (digest, expected) = (self.target.digest.clone(), self.target.size);
                return Err(StoreError::Length { digest, expected, actual }.into());
            };
            let room = usize::try_from(size - self.in_piece).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let temp = self.target.root.join(format!("{path}{TEMP}"));
            let full = now.len() as u64 == size - self.in_piece;
            let mut out = match self.out.take() {
                Some(out) => out,
                None => {
                    // Of a run that was cut off while it renamed, later pieces may be there without the first.
                    self.files.remove(&temp)?;
                    self.files.create(&temp)?
                }
            };
            out.write_all(now).map_err(|source| FileError { operation: "write", path: temp, source })?;
            self.count(now);
            if full {
                self.close_piece(Some(out));
            } else {
                self.out = Some(out);
            }
            bytes = later;
        }
        Ok(())
    }

    /// Checks length and digest, makes the bytes durable and gives them their final names. Blocks.
    /// The directory entries become durable when the bundle is committed.
    ///
    /// # Errors
    /// [`StoreError`] or a file error; the temp files are gone then.
    pub fn finish(mut self) -> Result<Stored> {
        if self.total != self.target.size {
            let (digest, expected) = (self.target.digest.clone(), self.target.size);
            self.discard()?;
            return Err(StoreError::Length { digest, expected, actual: self.total }.into());
        }
        if self.target.size == 0 {
            let temp = self.target.root.join(format!("{}{TEMP}", self.target.digest.layout_path()));
            self.files.remove(&temp)?;
            self.opened = vec![Some(self.files.create(&temp)?)];
            self.pieces = vec![(self.target.digest.layout_path(), 0)];
        }
        let actual = self.whole.clone().finish();
        if actual != self.target.digest {
            self.discard()?;
            return Err(StoreError::Content { expected: self.target.digest.clone(), actual }.into());
        }
        for at in 0..self.pieces.len() {
            if let Err(error) = self.settle(at) {
                // After a failed fsync the cache may show bytes that the medium never got: not gone on with.
                let _ = self.discard();
                return Err(error);
            }
        }
        if self.target.part.is_none() {
            return Ok(Stored { parts: Vec::new() });
        }
        let parts = self.pieces.into_iter().zip(self.sums);
        Ok(Stored { parts: parts.map(|((path, size), sha256)| File { path, size, sha256 }).collect() })
    }

    /// Makes one piece durable and gives it its final name.
    fn settle(&mut self, at: usize) -> Result<()> {
        let path = &self.pieces[at].0;
        let temp = self.target.root.join(format!("{path}{TEMP}"));
        let mut out = match self.opened.get_mut(at).and_then(Option::take) {
            Some(out) => out,
            None => self.files.append(&temp)?,
        };
        out.sync().map_err(|source| FileError { operation: "sync", path: temp.clone(), source })?;
        drop(out);
        Ok(self.files.rename(&temp, &self.target.root.join(path))?)
    }
}
