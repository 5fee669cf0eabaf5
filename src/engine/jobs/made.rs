//! Whether a signed bundle is the one that a recorded pack made: by its time, its serial, its key and its images.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use crate::domain::bundle::{BundleManifest, MANIFEST};
use crate::domain::lock::Lock;
use crate::engine::bundle::read::document_bytes;
use crate::engine::ctx::JobCtx;
use crate::engine::lockfile;
use crate::engine::sign::bundle::signature_of;
use crate::engine::sign::keys::load_public;
use crate::engine::spec::{PackJob, SignerSpec};
use crate::engine::state::{History, State};

/// Bytes of documents that are read for all records together, at most.
const READ: u64 = 64 * 1024 * 1024;

/// What bundles are compared with.
pub(super) struct Made<'a> {
    state: State,
    /// Read when it is first asked.
    history: Option<History>,
    /// Bytes of documents that may still be read.
    room: u64,
    pub(super) ctx: &'a JobCtx,
}

impl<'a> Made<'a> {
    /// Of the packs that are recorded below a directory of history.
    pub(super) fn new(state: &Path, ctx: &'a JobCtx) -> Self {
        Self { state: State::new(ctx.files.clone(), state.to_owned()), history: None, room: READ, ctx }
    }

    /// Whether that pack, started then, made this bundle. What cannot be told is not claimed. Blocks.
    pub(super) fn is_of(&mut self, job: &PackJob, started: Timestamp, (root, serial): (&Path, u64)) -> bool {
        let history = self.history.get_or_insert_with(|| self.state.read());
        // A serial is noted before it is signed: another host's bundle has one that this host did not give last.
        if history.last_signed(&job.name, None) != Some(serial) {
            return false;
        }
        let Some(bytes) = self.document(root) else { return false };
        let Ok(document) = BundleManifest::parse(&bytes) else { return false };
        // A document tells when it was made in whole seconds.
        document.created.as_second() >= started.as_second()
            && self.is_signed(job, root, &bytes)
            && self.has_images(job, &document)
    }

    /// The bytes of a document, as long as there is room for one.
    fn document(&mut self, root: &Path) -> Option<Vec<u8>> {
        let size = self.ctx.files.stat(&root.join(MANIFEST)).ok()??.size;
        self.room = self.room.checked_sub(size)?;
        document_bytes(&*self.ctx.files, root).ok()
    }

    /// Whether the key of that pack signed it; which one of an agent's did is not looked at.
    fn is_signed(&self, job: &PackJob, root: &Path, document: &[u8]) -> bool {
        match &job.signer {
            SignerSpec::Agent(_) => true,
            SignerSpec::Key(path) => load_public(path)
                .is_ok_and(|key| signature_of(&*self.ctx.files, root, document, &key).is_some()),
        }
    }

    /// Whether it holds what that pack was to bring, as far as its lock file tells.
    fn has_images(&self, job: &PackJob, document: &BundleManifest) -> bool {
        let Some(path) = &job.lock else { return true };
        let Ok(Some(lock)) = lockfile::read(path, self.ctx) else { return false };
        let locked = document.images.iter().all(|image| lock.pin(&image.reference) == Some(&image.digest));
        // Where nothing else is named, all of it is packed.
        locked && (!job.images.is_empty() || is_whole(&lock, document))
    }
}

/// Whether all that is locked is in a bundle, or said to be missing there.
fn is_whole(lock: &Lock, document: &BundleManifest) -> bool {
    let there = document.images.iter().map(|image| image.reference.to_string());
    let missing = document.missing.iter().map(|missing| missing.reference.to_string());
    let told: BTreeSet<String> = there.chain(missing).collect();
    lock.images().iter().all(|locked| told.contains(&locked.reference.to_string()))
}
