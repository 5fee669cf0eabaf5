//! The archive that is there, to take over from: its headers say what it has, and every byte is hashed as it is copied.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::graph::Node;
use crate::domain::digest::Digest;
use crate::engine::bundle::read::BundleReader;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, OpenFile};
use crate::engine::hash::Hasher;
use crate::engine::meter::Meter;

/// Blobs of an archive that the bundle lists, too, with the byte at which each begins.
pub(super) struct Older {
    files: Arc<dyn Files>,
    path: PathBuf,
    blobs: HashMap<Digest, u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Blobs that turned out to have other bytes.
    spoilt: HashSet<Digest>,
    /// Bytes that count as done.
    counted: u64,
}

impl Older {
    /// One that has nothing.
    pub(super) fn none(files: &Arc<dyn Files>, path: &Path) -> Self {
        Self {
            files: Arc::clone(files),
            path: path.to_owned(),
            blobs: HashMap::new(),
            state: Mutex::default(),
        }
    }

    /// Reads the headers of an archive as far as they go: what is behind a torn one is taken from the bundle. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub(super) fn look(files: &Arc<dyn Files>, path: &Path, bundle: &BundleReader) -> Result<Self> {
        let mut older = Self::none(files, path);
        // What cannot be skipped through would be read whole only to be looked at.
        let Some(file) = older.file()?.file else { return Ok(older) };
        let mut archive = tar::Archive::new(file);
        let Ok(entries) = archive.entries_with_seek() else { return Ok(older) };
        for entry in entries.map_while(io::Result::ok) {
            let digest = digest_of(&entry.path_bytes());
            let listed = digest.filter(|digest| bundle.blob(digest).is_some_and(|b| b.size == entry.size()));
            older.blobs.extend(listed.map(|digest| (digest, entry.raw_file_position())));
        }
        Ok(older)
    }

    fn file(&self) -> Result<OpenFile> {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(self.files.open(directory::above(&self.path), &name)?)
    }

    /// Whether it has a blob, and nothing is known against it.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest) && !self.locked().spoilt.contains(digest)
    }

    /// How many blobs turned out to have other bytes.
    pub(super) fn spoilt(&self) -> usize {
        self.locked().spoilt.len()
    }

    /// Takes back what was counted of a copy that starts over.
    pub(super) fn take_back(&self, meter: &Meter) {
        meter.take_back_kept(std::mem::take(&mut self.locked().counted));
    }

    /// Opens a blob; who reads all of it without an error got the right bytes. They count as kept in `meter`. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub(super) fn open(self: &Arc<Self>, node: &Node, meter: Option<&Arc<Meter>>) -> Result<TakenOver> {
        let failed = |source| FileError { operation: "read", path: self.path.clone(), source };
        let at = self.blobs.get(&node.digest).ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let bytes = self.file()?.at(*at).map_err(failed)?;
        Ok(TakenOver {
            of: Arc::clone(self),
            from: bytes.take(node.size),
            hasher: Some(Hasher::new(node.digest.algorithm())),
            left: node.size,
            digest: node.digest.clone(),
            meter: meter.cloned(),
        })
    }

    /// A document whole; nothing where the archive has it not, or not as it was signed. Blocks.
    pub(super) fn read(self: &Arc<Self>, digest: &Digest, size: u64) -> Option<Vec<u8>> {
        let node = Node { digest: digest.clone(), size, media_type: String::new() };
        let mut bytes = Vec::new();
        self.open(&node, None).ok()?.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest in the name of a blob, as in `blobs/sha256/…`.
fn digest_of(name: &[u8]) -> Option<Digest> {
    std::str::from_utf8(name).ok()?.strip_prefix("blobs/")?.replacen('/', ":", 1).parse().ok()
}

/// The bytes of one blob of an archive.
pub(super) struct TakenOver {
    of: Arc<Older>,
    from: io::Take<Box<dyn Read + Send>>,
    hasher: Option<Hasher>,
    left: u64,
    digest: Digest,
    meter: Option<Arc<Meter>>,
}

impl TakenOver {
    fn spoilt(&self, reason: String) -> io::Error {
        self.of.locked().spoilt.insert(self.digest.clone());
        io::Error::other(format!("{}: {reason}", self.digest.layout_path()))
    }
}

impl Read for TakenOver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = match self.from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.spoilt(error.to_string())),
            Ok(0) if self.left > 0 && !buffer.is_empty() => {
                return Err(self.spoilt("it ends early".to_owned()));
            }
            Ok(got) => got,
        };
        self.left = self.left.saturating_sub(got as u64);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..got]);
        }
        if let Some(meter) = &self.meter {
            self.of.locked().counted += got as u64;
            meter.add_kept(got as u64);
        }
        if self.left == 0
            && let Some(actual) = self.hasher.take().map(Hasher::finish)
            && actual != self.digest
        {
            return Err(self.spoilt(format!("the bytes hash to {actual}")));
        }
        Ok(got)
    }
}
