//! A plain OCI image layout as a source: every reachable byte is hashed before the first one is served.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::source::{Root, Source};
use crate::domain::bundle::{CARRIED_TAG, CONTAINERD_NAME, INDEX, REF_NAME};
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, MAX_MANIFEST, MAX_NESTING};
use crate::domain::media_type as mt;
use crate::domain::reference::Reference;
use crate::domain::strict_json;
use crate::engine::error::{Explain, FileError, Kind, Result};
use crate::engine::files::Files;
use crate::engine::hash::Hasher;

const BUFFER: usize = 256 * 1024;

/// Why a layout cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// `index.json` is not one.
    #[error("{}: not an image index: {reason}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A blob that is not what its name says.
    #[error("{}: expected {expected} of {size} bytes, found {actual} of {length} bytes", path.display())]
    Blob {
        /// The file.
        path: PathBuf,
        /// From the descriptor.
        expected: Digest,
        /// From the descriptor, in bytes.
        size: u64,
        /// Computed.
        actual: Digest,
        /// On disk, in bytes.
        length: u64,
    },
    /// A manifest that cannot be read.
    #[error("manifest {digest} in {}: {reason}", path.display())]
    Manifest {
        /// The layout.
        path: PathBuf,
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
    },
    /// A blob that was asked for and is not reachable from `index.json`.
    #[error("{} does not hold {digest}", path.display())]
    Absent {
        /// The layout.
        path: PathBuf,
        /// The blob.
        digest: Digest,
    },
}

impl Explain for LayoutError {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }
}

/// `index.json` of a layout.
#[derive(Debug, Deserialize)]
pub(super) struct LayoutIndex {
    pub(super) manifests: Vec<manifest::Descriptor>,
}

impl LayoutIndex {
    /// Reads the bytes of an `index.json`.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        strict_json::parse(bytes)
            .map_err(|error| LayoutError::Index { path: path.to_owned(), reason: error.to_string() }.into())
    }

    /// The named manifests; a name without a registry host names nothing that could be served.
    pub(super) fn roots(&self) -> Vec<Root> {
        let mut roots: Vec<Root> = Vec::new();
        for descriptor in &self.manifests {
            for reference in names(&descriptor.annotations) {
                let root = Root {
                    reference,
                    digest: descriptor.digest.clone(),
                    media_type: descriptor.media_type.clone(),
                };
                if !roots.contains(&root) {
                    roots.push(root);
                }
            }
        }
        roots
    }
}

fn names(annotations: &BTreeMap<String, String>) -> impl Iterator<Item = Reference> {
    [REF_NAME, CONTAINERD_NAME, CARRIED_TAG].into_iter().filter_map(|key| {
        let text = annotations.get(key)?;
        match Reference::parse(text) {
            Ok((reference, implied)) if !implied.host => Some(reference),
            _ => {
                tracing::warn!("index.json: the name {text:?} has no registry host and is not served");
                None
            }
        }
    })
}

/// A layout whose reachable content has been hashed.
pub struct LayoutSource {
    root: PathBuf,
    files: Arc<dyn Files>,
    roots: Vec<Root>,
    sizes: HashMap<Digest, u64>,
}

impl LayoutSource {
    /// Opens a layout and hashes everything its names reach. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`LayoutError`], or the file that could not be read.
    pub fn open(root: &Path, files: Arc<dyn Files>) -> Result<Self> {
        let mut source = Self { root: root.to_owned(), files, roots: Vec::new(), sizes: HashMap::default() };
        let path = root.join(INDEX);
        let mut bytes = Vec::new();
        let open = source.files.open(root, INDEX)?;
        let read = open.reader.take(MAX_MANIFEST + 1).read_to_end(&mut bytes);
        read.map_err(|source| FileError { operation: "read", path: path.clone(), source })?;
        if bytes.len() as u64 > MAX_MANIFEST {
            let reason = format!("larger than {MAX_MANIFEST} bytes");
            return Err(LayoutError::Index { path, reason }.into());
        }
        let index = LayoutIndex::parse(&path, &bytes)?;
        for descriptor in &index.manifests {
            source.take_in(descriptor, 0)?;
        }
        source.roots = index.roots();
        Ok(source)
    }

    /// Hashes what a descriptor points at, and what that points at.
    fn take_in(&mut self, descriptor: &manifest::Descriptor, depth: usize) -> Result<()> {
        if self.sizes.contains_key(&descriptor.digest) {
            return Ok(());
        }
        self.check(descriptor)?;
        self.sizes.insert(descriptor.digest.clone(), descriptor.size);
        if !mt::is_document(&descriptor.media_type) {
            return Ok(());
        }
        let broken = |reason: String| LayoutError::Manifest {
            path: self.root.clone(),
            digest: descriptor.digest.clone(),
            reason,
        };
        if depth > MAX_NESTING {
            return Err(broken(format!("indexes nest deeper than {MAX_NESTING}")).into());
        }
        let bytes = self.read(&descriptor.digest, MAX_MANIFEST)?;
        let document = manifest::parse(&bytes, Some(&descriptor.media_type))
            .map_err(|error| broken(error.to_string()))?;
        let is_index = matches!(document, manifest::Document::Index(_));
        for child in document.children() {
            // An index may list platforms that were left out of this copy; an image may lack nothing.
            if !is_index || self.has_file(&child.digest) {
                self.take_in(child, depth + 1)?;
            }
        }
        Ok(())
    }

    fn has_file(&self, digest: &Digest) -> bool {
        match self.files.open(&self.root, &digest.layout_path()) {
            Ok(_) => true,
            Err(error) => error.source.kind() != io::ErrorKind::NotFound,
        }
    }

    fn check(&self, descriptor: &manifest::Descriptor) -> Result<()> {
        let path = descriptor.digest.layout_path();
        let open = self.files.open(&self.root, &path)?;
        let mut reader = open.reader;
        let mut hasher = Hasher::new(descriptor.digest.algorithm());
        let mut buffer = vec![0; BUFFER];
        let mut length = 0;
        let path = self.root.join(path);
        loop {
            let got = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(FileError { operation: "read", path, source }.into()),
            };
            hasher.update(&buffer[..got]);
            length += got as u64;
        }
        let (expected, size, actual) = (descriptor.digest.clone(), descriptor.size, hasher.finish());
        if actual == expected && length == size {
            Ok(())
        } else {
            Err(LayoutError::Blob { path, expected, size, actual, length }.into())
        }
    }
}

impl Source for LayoutSource {
    fn label(&self) -> String {
        format!("layout {}", self.root.display())
    }

    fn roots(&self) -> Result<Vec<Root>> {
        Ok(self.roots.clone())
    }

    fn size(&self, digest: &Digest) -> Option<u64> {
        self.sizes.get(digest).copied()
    }

    fn files(&self, digest: &Digest) -> Vec<PathBuf> {
        self.sizes.get(digest).map(|_| self.root.join(digest.layout_path())).into_iter().collect()
    }

    fn open(&self, digest: &Digest, offset: u64) -> Result<Box<dyn Read + Send>> {
        if !self.sizes.contains_key(digest) {
            return Err(LayoutError::Absent { path: self.root.clone(), digest: digest.clone() }.into());
        }
        let path = digest.layout_path();
        let open = self.files.open(&self.root, &path)?;
        let failed = |source| FileError { operation: "read", path: self.root.join(&path), source };
        let mut reader = open.reader;
        match open.file {
            // `reader` shares the file's position.
            Some(mut file) => {
                file.seek(SeekFrom::Start(offset)).map_err(failed)?;
            }
            None => {
                io::copy(&mut reader.by_ref().take(offset), &mut io::sink()).map_err(failed)?;
            }
        }
        Ok(reader)
    }

    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let path = self.root.join(digest.layout_path());
        let mut bytes = Vec::new();
        let read = self.open(digest, 0)?.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|source| FileError { operation: "read", path: path.clone(), source })?;
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        let (size, length) = (self.sizes.get(digest).copied().unwrap_or(0), bytes.len() as u64);
        let (expected, actual) = (digest.clone(), hasher.finish());
        if actual == expected && length <= limit {
            Ok(bytes)
        } else {
            Err(LayoutError::Blob { path, expected, size, actual, length }.into())
        }
    }
}
