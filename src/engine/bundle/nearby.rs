//! What needs no network: the blob itself where an earlier run left it, or a copy in a bundle beside this one; hashed, not believed.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::fetch::{Fetcher, item_name};
use crate::domain::digest::Digest;
use crate::domain::plan::PlannedBlob;
use crate::domain::progress::{Event, Phase};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Kind, Result};
use crate::engine::files::{Files, OpenFile};
use crate::engine::meter::Meter;
use crate::engine::store::{self, BlobSink, BlobTarget, Stored};

impl Fetcher {
    /// What needs no network: the blob itself, or a copy in a bundle beside this one.
    pub(super) async fn local(&self, blob: &PlannedBlob) -> Result<Option<Stored>> {
        let (files, target, meter) =
            (Arc::clone(&self.ctx.files), self.target(blob), Arc::clone(&self.written));
        let (item, bytes) = (item_name(blob), blob.size);
        let (seen, ctx) = (AtomicU64::new(0), self.ctx.clone());
        let there = blocking(move || {
            let count = |bytes| {
                seen.fetch_add(bytes, Relaxed);
                meter.add_kept(bytes);
                // A cancel is seen before the next read.
                let _ = ctx.pause_point_blocking();
            };
            let found = store::existing_until(&*files, &target, &count, &ctx.cancel)?;
            if found.is_none() {
                meter.take_back_kept(seen.into_inner());
            }
            Ok(found)
        })
        .await?;
        if there.is_some() {
            self.sources.kept.fetch_add(blob.size, Relaxed);
            self.fetched.spare(blob.size);
            let reason = "there already, hashed".to_owned();
            self.ctx.say(Event::Skipped { phase: Phase::Fetch, item, bytes, reason });
            return Ok(there);
        }
        for sibling in &self.siblings {
            let (target, meter) = (self.target(blob), Arc::clone(&self.written));
            let (sibling, ctx) = (sibling.clone(), self.ctx.clone());
            let copied = blocking(move || copy(&sibling, target, &meter, &ctx)).await?;
            if let Some(stored) = copied {
                self.sources.copied.fetch_add(blob.size, Relaxed);
                self.fetched.spare(blob.size);
                let reason = "copied from another bundle on this medium, hashed".to_owned();
                self.ctx.say(Event::Skipped { phase: Phase::Fetch, item, bytes, reason });
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }
}

/// A blob in another bundle, in its whole length and in one file: nothing else is copied from there.
pub(super) fn lent(files: &dyn Files, sibling: &Path, digest: &Digest, size: u64) -> Option<OpenFile> {
    files.open(sibling, &digest.layout_path()).ok().filter(|open| open.size == size)
}

/// Copies a blob from another bundle, hashing; nothing where it is not there, or is wrong there.
/// A cancel leaves the temp file, which the next run hashes before it goes on from it.
fn copy(sibling: &Path, target: BlobTarget, meter: &Meter, ctx: &JobCtx) -> Result<Option<Stored>> {
    let files = &ctx.files;
    let Some(open) = lent(&**files, sibling, &target.digest, target.size) else { return Ok(None) };
    let mut sink = BlobSink::fresh(Arc::clone(files), target)?;
    let mut reader = open.reader;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        ctx.pause_point_blocking()?;
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => {
                if let Err(error) = sink.write(&buffer[..got]) {
                    let _ = sink.discard();
                    return Err(error);
                }
                meter.add(got as u64);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let taken = sink.offset();
    match sink.finish() {
        Ok(stored) => Ok(Some(stored)),
        Err(error) if error.kind() == Kind::Integrity => {
            meter.take_back(taken);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_ends_a_copy_and_nothing_of_it_has_its_final_name() {
        let (ctx, root) = (JobCtx::silent(), tempfile::tempdir().unwrap());
        let (sibling, bundle) = (root.path().join("a-1"), root.path().join("a-2"));
        for directory in [&sibling, &bundle] {
            std::fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        }
        let digest = crate::engine::hash::sha256(b"a layer");
        std::fs::write(sibling.join(digest.layout_path()), b"a layer").unwrap();
        let target = BlobTarget { root: bundle.clone(), digest: digest.clone(), size: 7, part: None };
        let meter = Meter::start(&ctx, Phase::Write, 1, 7);
        let try_copy = |ctx: &JobCtx| copy(&sibling, target.clone(), &meter, ctx);
        ctx.cancel.cancel();
        assert_eq!(try_copy(&ctx).unwrap_err().kind(), Kind::Interrupted);
        assert!(!bundle.join(digest.layout_path()).exists());
        let copied = try_copy(&JobCtx::silent()).unwrap();
        assert_eq!(copied, Some(Stored { parts: Vec::new() }));
    }
}
