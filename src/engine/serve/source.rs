//! Where served content comes from: anything that has named manifests and can open a blob at an offset.

use std::io::Read;
use std::path::PathBuf;

use crate::domain::digest::Digest;
use crate::domain::reference::Reference;
use crate::engine::error::Result;

/// A manifest that a source gives a name to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The name; its tag, where it has one, is served as a tag.
    pub reference: Reference,
    /// What it points at.
    pub digest: Digest,
    /// Media type of that manifest, as declared.
    pub media_type: String,
}

/// Content that is known to be whole: whoever makes a source has checked its bytes. All calls may block.
pub trait Source: Send + Sync {
    /// What it is, for messages.
    fn label(&self) -> String;

    /// The named manifests. Referrers without a tag are named by digest.
    ///
    /// # Errors
    /// That the list could not be read.
    fn roots(&self) -> Result<Vec<Root>>;

    /// The length of a blob in bytes, where this source has it.
    fn size(&self, digest: &Digest) -> Option<u64>;

    /// The files that a blob lies in; none where it is not there.
    fn files(&self, digest: &Digest) -> Vec<PathBuf>;

    /// The bytes of a blob from an offset on, as a stream.
    ///
    /// # Errors
    /// That it is not there, or could not be opened.
    fn open(&self, digest: &Digest, offset: u64) -> Result<Box<dyn Read + Send>>;

    /// A small blob whole, its digest checked.
    ///
    /// # Errors
    /// That it is larger than `limit` bytes, damaged, or could not be read.
    fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>>;
}
