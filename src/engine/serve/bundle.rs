//! A verified bundle as a source: blobs are read where they lie, whole or in parts.

use std::io::Read;
use std::path::PathBuf;

use super::layout::LayoutIndex;
use super::source::{Root, Source};
use crate::domain::bundle::{INDEX, MAX_DOCUMENT};
use crate::domain::digest::Digest;
use crate::engine::bundle::read::BundleReader;
use crate::engine::error::{FileError, Result};
use crate::engine::files::Files;

/// A bundle that was verified before.
pub struct BundleSource {
    reader: BundleReader,
    roots: Vec<Root>,
}

impl BundleSource {
    /// Over a verified bundle. Its `index.json` is one of the files that verification hashed.
    ///
    /// # Errors
    /// That `index.json` could not be read.
    pub fn new(reader: BundleReader, files: &dyn Files) -> Result<Self> {
        let path = reader.root().join(INDEX);
        let mut bytes = Vec::new();
        let read = files.open(reader.root(), INDEX)?.reader.take(MAX_DOCUMENT).read_to_end(&mut bytes);
        read.map_err(|source| FileError { operation: "read", path: path.clone(), source })?;
        let mut roots = LayoutIndex::parse(&path, &bytes)?.roots();
        for image in &reader.document().images {
            let image_root = Root {
                reference: image.reference.clone(),
                digest: image.digest.clone(),
                media_type: image.media_type.clone(),
            };
            if !roots.contains(&image_root) {
                roots.push(image_root);
            }
            // Referrers and signatures belong to the repository of what they speak of, tag or no tag.
            for digest in &image.signatures {
                let media_type = reader.blob(digest).map(|blob| blob.media_type.clone()).unwrap_or_default();
                let reference = image.reference.at_digest(digest);
                roots.push(Root { reference, digest: digest.clone(), media_type });
            }
        }
        Ok(Self { reader, roots })
    }
}

impl Source for BundleSource {
    fn label(&self) -> String {
        format!("bundle {}", self.reader.document().directory())
    }

    fn roots(&self) -> Result<Vec<Root>> {
        Ok(self.roots.clone())
    }

    fn size(&self, digest: &Digest) -> Option<u64> {
        self.reader.blob(digest).map(|blob| blob.size)
    }

    fn files(&self, digest: &Digest) -> Vec<PathBuf> {
        let Some(blob) = self.reader.blob(digest) else { return Vec::new() };
        let paths = blob.path.iter().chain(blob.parts.iter().map(|part| &part.path));
        paths.map(|path| self.reader.root().join(path)).collect()
    }

    fn open(&self, digest: &Digest, offset: u64) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.reader.open(digest, offset)?))
    }

    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        self.reader.read(digest, limit)
    }
}
