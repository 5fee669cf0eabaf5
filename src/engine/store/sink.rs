//! Takes the bytes of one blob: temp file beside the final one, hashed while written, fsync, rename; goes on with what an earlier run left.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{BlobTarget, StoreError, Stored, TEMP, hash_into};
use crate::domain::bundle::File;
use crate::domain::digest::{Algorithm, Digest};
use crate::engine::error::{FileError, Panicked, Result};
use crate::engine::files::{Files, OutFile};
use crate::engine::hash::Hasher;

/// From this many bytes on a thread beside the writing one is worth its start.
const BESIDE: u64 = 4 * 1024 * 1024;
/// Chunks by which hashing may lag behind writing.
const LAG: usize = 2;

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
    /// A file error; [`crate::engine::error::Interrupted`], and the temp files stay as they are.
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

    /// What all bytes hash to, where that is not the digest of the blob.
    pub fn mismatch(&self) -> Option<Digest> {
        Some(self.whole.clone().finish()).filter(|actual| *actual != self.target.digest)
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
        if let Some(actual) = self.mismatch() {
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
