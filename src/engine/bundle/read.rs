//! Reads a bundle in place: its signed document as raw bytes, and any blob as one stream whether it lies in parts or not.

mod error;

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::inside;
use crate::domain::bundle::{Blob, BundleManifest, JOURNAL, MANIFEST, MAX_DOCUMENT, SIGNATURES, SUMS};
use crate::domain::digest::{Digest, DigestError};
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, FileError, Kind, Result};
use crate::engine::files::{Files, OpenFile, at_byte, read_whole};
use crate::engine::hash::Hasher;

pub use error::ReadError;

/// Reads the signed document, bytes as they are, once and size-capped.
///
/// # Errors
/// [`ReadError::NoBundle`], [`ReadError::DocumentSize`] or a file error.
pub fn document_bytes(files: &dyn Files, root: &Path) -> Result<Vec<u8>> {
    let open = match files.open(root, MANIFEST) {
        Ok(open) => open,
        Err(error) => return Err(no_document(files, root, error)),
    };
    if open.size > MAX_DOCUMENT {
        return Err(ReadError::DocumentSize { size: open.size }.into());
    }
    let bytes = read_whole(open, MAX_DOCUMENT + 1);
    Ok(bytes.map_err(|source| FileError { operation: "read", path: root.join(MANIFEST), source })?)
}

/// Fails where there is no bundle; whether one that is there is whole and whose, is not looked at.
///
/// # Errors
/// As [`document_bytes`].
pub async fn expect_bundle(files: Arc<dyn Files>, root: PathBuf) -> Result<()> {
    blocking(move || document_bytes(&*files, &root).map(drop)).await
}

/// Tells a directory that is no bundle from one that is not finished, damaged or tampered with.
fn no_document(files: &dyn Files, root: &Path, error: FileError) -> EngineError {
    use rustix::io::Errno;
    let there = |name: &str| files.stat(&root.join(name)).is_ok_and(|stat| stat.is_some());
    let path = root.to_owned();
    match error.source.kind() {
        io::ErrorKind::NotFound if files.stat(root).is_ok_and(|stat| stat.is_none()) => {
            ReadError::NoPath { path }.into()
        }
        io::ErrorKind::NotFound if there(JOURNAL) => ReadError::Unfinished { path }.into(),
        io::ErrorKind::NotFound if there(SIGNATURES) || there(SUMS) => ReadError::NoDocument { path }.into(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            ReadError::NoBundle { inside: inside::near(files, root), path }.into()
        }
        // How the file layer refuses what is no regular file.
        io::ErrorKind::InvalidInput => ReadError::Special { path: MANIFEST.to_owned() }.into(),
        _ if Errno::from_io_error(&error.source) == Some(Errno::LOOP) => {
            ReadError::Special { path: MANIFEST.to_owned() }.into()
        }
        _ => error.into(),
    }
}

/// Reads a file of the signed list whole, checking length and hash; for `index.json` and its like.
///
/// # Errors
/// [`ReadError`] or a file error.
pub fn small_file(bundle: &BundleReader, path: &str) -> Result<Vec<u8>> {
    let listed = bundle.document().files.iter().find(|file| file.path == path);
    let missing = || FileError {
        operation: "find in the signed list",
        path: PathBuf::from(path),
        source: io::ErrorKind::NotFound.into(),
    };
    let listed = listed.ok_or_else(missing)?;
    if listed.size > MAX_DOCUMENT {
        let path = path.to_owned();
        return Err(ReadError::Length { path, expected: MAX_DOCUMENT, actual: listed.size }.into());
    }
    let open = bundle.open_listed(path, listed.size)?;
    let bytes = read_whole(open, listed.size);
    let bytes =
        bytes.map_err(|source| FileError { operation: "read", path: bundle.root.join(path), source })?;
    let actual = crate::engine::hash::sha256(&bytes);
    if actual.hex() == listed.sha256 {
        return Ok(bytes);
    }
    let expected = format!("sha256:{}", listed.sha256);
    let path = path.to_owned();
    Err(match expected.parse() {
        Ok(expected) => ReadError::Content { path, expected, actual }.into(),
        Err(error) => ReadError::Listed { path, reason: DigestError::to_string(&error) }.into(),
    })
}

/// A bundle whose document has been read and, by its maker, verified.
#[derive(Clone)]
pub struct BundleReader {
    root: PathBuf,
    document: Arc<BundleManifest>,
    blobs: Arc<HashMap<Digest, usize>>,
    files: Arc<dyn Files>,
}

impl BundleReader {
    /// Over a document that was verified; it is the caller's duty to have done so.
    pub fn new(root: PathBuf, document: BundleManifest, files: Arc<dyn Files>) -> Self {
        let blobs = document.blobs.iter().enumerate().map(|(at, blob)| (blob.digest.clone(), at)).collect();
        Self { root, document: Arc::new(document), blobs: Arc::new(blobs), files }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The document.
    pub fn document(&self) -> &BundleManifest {
        &self.document
    }

    /// The file layer it is read through.
    pub fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    /// The entry of a blob, if it is listed.
    pub fn blob(&self, digest: &Digest) -> Option<&Blob> {
        self.blobs.get(digest).map(|at| &self.document.blobs[*at])
    }

    /// Opens a file of the signed list that must have so many bytes.
    ///
    /// # Errors
    /// [`ReadError::Gone`], [`ReadError::Away`], [`ReadError::Length`] or a file error.
    pub fn open_listed(&self, path: &str, size: u64) -> Result<OpenFile> {
        let open = match self.files.open(&self.root, path) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                let (path, root) = (path.to_owned(), self.root.clone());
                let there = self.files.stat(&root.join(MANIFEST)).is_ok_and(|stat| stat.is_some());
                return Err(
                    if there { ReadError::Gone { path } } else { ReadError::Away { path, root } }.into()
                );
            }
            other => other?,
        };
        if open.size == size {
            return Ok(open);
        }
        Err(ReadError::Length { path: path.to_owned(), expected: size, actual: open.size }.into())
    }

    /// Opens a blob at a byte offset; lengths of its files are checked first, its bytes are not hashed here.
    ///
    /// # Errors
    /// [`ReadError`] or a file error.
    pub fn open(&self, digest: &Digest, offset: u64) -> Result<BlobStream> {
        let blob = self.blob(digest).ok_or_else(|| ReadError::NotListed(digest.clone()))?;
        let whole = blob.path.iter().map(|path| (path.as_str(), blob.size));
        let pieces: Vec<_> =
            whole.chain(blob.parts.iter().map(|part| (part.path.as_str(), part.size))).collect();
        let mut skip = offset.min(blob.size);
        let mut readers = Vec::with_capacity(pieces.len());
        for (path, size) in pieces {
            if skip >= size && size > 0 {
                skip -= size;
                continue;
            }
            let open = self.open_listed(path, size)?;
            readers.push(open.at(skip).map_err(|source| FileError {
                operation: "read",
                path: self.root.join(path),
                source,
            })?);
            skip = 0;
        }
        readers.reverse();
        Ok(BlobStream { readers, size: blob.size, left: blob.size - offset.min(blob.size) })
    }

    /// Reads a blob whole, checking its digest; for documents, not for layers.
    ///
    /// # Errors
    /// [`ReadError::Content`] where the bytes differ, or larger than `limit` bytes; a file error.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let blob = self.blob(digest).ok_or_else(|| ReadError::NotListed(digest.clone()))?;
        let path = blob.path.clone().unwrap_or_else(|| digest.layout_path());
        if blob.size > limit {
            return Err(ReadError::Length { path, expected: limit, actual: blob.size }.into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(blob.size).unwrap_or(0));
        let read = self.open(digest, 0)?.read_to_end(&mut bytes);
        read.map_err(|source| FileError { operation: "read", path: self.root.join(&path), source })?;
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        let actual = hasher.finish();
        if actual == *digest {
            Ok(bytes)
        } else {
            Err(ReadError::Content { path, expected: digest.clone(), actual }.into())
        }
    }

    /// The same, with damage apart from what keeps everything else from being read as well.
    ///
    /// # Errors
    /// As [`BundleReader::read`], but for bytes that are missing or not those that were signed: those are the inner error.
    pub fn read_sound(
        &self,
        digest: &Digest,
        limit: u64,
    ) -> Result<std::result::Result<Vec<u8>, EngineError>> {
        let listed = self.blob(digest).is_some_and(|blob| blob.size <= limit);
        match self.read(digest, limit) {
            Err(error) if listed && error.kind() == Kind::Integrity => Ok(Err(error)),
            other => other.map(Ok),
        }
    }
}

/// A blob's bytes, its parts joined. Ends after exactly the listed length.
pub struct BlobStream {
    readers: Vec<Box<dyn Read + Send>>,
    size: u64,
    left: u64,
}

impl Read for BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        while let (Some(reader), true) = (self.readers.last_mut(), wanted > 0) {
            let got =
                reader.read(&mut buffer[..wanted]).map_err(|error| at_byte(self.size - self.left, error))?;
            if got > 0 {
                self.left -= got as u64;
                return Ok(got);
            }
            self.readers.pop();
        }
        if wanted > 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(0) }
    }
}
