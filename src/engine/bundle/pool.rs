//! One bounded pool over the blobs of all images, largest first; and the documents after them.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::assemble::{AssembleSpec, BundleSpec, Plan};
use super::fetch::{Fetcher, item_name};
use super::repeat;
use super::sources::Sources;
use crate::domain::bundle::Missing;
use crate::domain::digest::Digest;
use crate::domain::plan::{Limits, PlannedBlob};
use crate::domain::progress::{Event, Phase, PlannedItem};
use crate::domain::resolved::ResolvedImage;
use crate::domain::view::MAX_ITEMS;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::files::Files;
use crate::engine::journal::Journal;
use crate::engine::meter::Meter;
use crate::engine::registry::Registry;
use crate::engine::state::{Rated, State, rate_of};
use crate::engine::store::{self, Stored};

/// Blobs that may be flushed while others are on the network.
const FLUSHING: usize = 4;

/// What the pool brought.
pub(super) struct Filled {
    pub(super) stored: HashMap<Digest, Stored>,
    pub(super) sources: Arc<Sources>,
    pub(super) lost: Vec<(Digest, EngineError)>,
    /// How long it took, pauses aside.
    pub(super) took: Duration,
}

impl Filled {
    /// The next pack onto the same medium is told how fast this one was. That it could not be kept is no reason to bother
    /// anybody.
    pub(super) async fn note_rate(&self, bundle: &BundleSpec, state: State, ctx: &JobCtx) {
        let fetched = self.sources.fetched.load(Relaxed);
        let rate = rate_of(fetched, self.took).filter(|_| self.lost.is_empty());
        let Some(((bytes, rough), carrier)) = rate.zip(bundle.carrier.clone()) else { return };
        let rated = Rated { carrier, bytes, rough, at: ctx.clock.now() };
        if let Err(error) = blocking(move || state.rated(rated)).await {
            tracing::warn!("how fast this pack was is not kept: {}", error.message());
        }
    }
}

/// Begins both phases, and tells what the fetch will go through: blobs are counted as the bundle has them, the manifests
/// among them, which came when the references were resolved.
fn announce(plan: &Plan, ctx: &JobCtx) -> (Arc<Meter>, Arc<Meter>) {
    let fetched: HashSet<&Digest> = plan.blobs.blobs.iter().map(|blob| &blob.digest).collect();
    let had = plan.documents.keys().filter(|digest| !fetched.contains(digest)).count() as u64;
    let all = plan.blobs.blobs.len() as u64 + had;
    let fetched = Meter::start(ctx, Phase::Fetch, all, plan.blobs.bytes);
    ctx.say(Event::Had { phase: Phase::Fetch, items: had });
    let planned = |blob: &PlannedBlob| PlannedItem { item: item_name(blob), bytes: blob.size };
    let items = plan.blobs.blobs.iter().take(MAX_ITEMS).map(planned).collect();
    ctx.say(Event::Planned { phase: Phase::Fetch, items });
    (Arc::new(fetched), Arc::new(Meter::start(ctx, Phase::Write, 0, plan.blobs.bytes)))
}

fn say_failed(blob: &PlannedBlob, images: &[ResolvedImage], error: &EngineError, ctx: &JobCtx) {
    if error.kind() != Kind::Interrupted {
        let (item, reason) = (item_name(blob), error.message());
        // None of those that share it can be had.
        let has = |image: &&ResolvedImage| image.blobs.iter().any(|own| own.digest == blob.digest);
        for image in images.iter().filter(|image| error.absent() && has(image)) {
            let (reference, digest) = (image.reference.to_string(), Some(blob.digest.clone()));
            ctx.say(Event::Absent { reference, digest, reason: reason.clone() });
        }
        ctx.say(Event::Failed { phase: Phase::Fetch, item, reason });
    }
}

/// Brings every blob into place, largest first, in one bounded pool.
pub(super) async fn fill(
    spec: &AssembleSpec,
    plan: &Plan,
    place: &repeat::Place,
    (registry, limits, journal): (Registry, Limits, Option<Journal>),
    ctx: &JobCtx,
) -> Result<Filled> {
    // One blob that fails for good stops the others, and their writers have ended before this returns.
    let ctx = &JobCtx { cancel: ctx.cancel.child_token(), ..ctx.clone() };
    let (fetched, written) = announce(plan, ctx);
    let fetcher = Fetcher {
        ctx: ctx.clone(),
        registry: registry.for_job(ctx, Phase::Fetch),
        repositories: plan.repositories.clone(),
        root: place.root().to_owned(),
        limits,
        siblings: repeat::siblings(&*ctx.files, &spec.bundle.to, place.root())?,
        network: Arc::new(Semaphore::new(spec.bundle.jobs.max(1))),
        fetched,
        written,
        sources: Arc::new(Sources::default()),
    };
    let one = |blob: &PlannedBlob| bring(&fetcher, journal.as_ref(), &spec.images, blob.clone());
    let mut pool =
        stream::iter(plan.blobs.blobs.iter().map(one)).buffer_unordered(spec.bundle.jobs.max(1) + FLUSHING);
    let (mut stored, mut lost, mut failed) = (HashMap::new(), Vec::new(), None);
    let leaves_out = spec.bundle.keep_going.leaves_out_lost();
    while let Some((digest, outcome)) = pool.next().await {
        match outcome {
            Ok(done) => drop(stored.insert(digest, done)),
            Err(error) if leaves_out && is_the_sources(&error) => lost.push((digest, error)),
            Err(error) => {
                ctx.cancel.cancel();
                failed.get_or_insert(error);
            }
        }
    }
    drop(pool);
    if let Some(error) = failed {
        return Err(error);
    }
    if lost.is_empty() {
        fetcher.fetched.finish();
        fetcher.written.finish();
    }
    Ok(Filled { stored, sources: fetcher.sources, lost, took: fetcher.fetched.worked() })
}

/// Brings one blob into place; the journal and whoever looks on hear of it.
async fn bring(
    fetcher: &Fetcher,
    journal: Option<&Journal>,
    images: &[ResolvedImage],
    blob: PlannedBlob,
) -> (Digest, Result<Stored>) {
    let outcome = fetcher.fetch(&blob).await;
    match (&outcome, journal) {
        (Ok(_), Some(journal)) => journal.done(&blob.digest, blob.size),
        (Ok(_), None) => {}
        (Err(error), _) => say_failed(&blob, images, error, &fetcher.ctx),
    }
    (blob.digest, outcome)
}

/// What one source does not have need not stop the others; a failing medium stops everything.
fn is_the_sources(error: &EngineError) -> bool {
    matches!(error.kind(), Kind::Network | Kind::Integrity | Kind::Import)
}

/// Last: a run that brings no layer leaves nothing worth keeping. Several at a time, as each waits for its flush.
pub(super) async fn write_documents(plan: &Plan, root: &Path, ctx: &JobCtx) -> Result<()> {
    let one = |(digest, (bytes, _)): (&Digest, &(Bytes, String))| {
        let (files, bytes) = (Arc::clone(&ctx.files), bytes.clone());
        let size = bytes.len() as u64;
        let target = store::BlobTarget { root: root.to_owned(), digest: digest.clone(), size, part: None };
        blocking(move || write_document(files, target, &bytes))
    };
    let writing = stream::iter(plan.documents.iter().map(one)).buffer_unordered(FLUSHING);
    // All of them: no writer goes on after an error is told.
    writing.collect::<Vec<_>>().await.into_iter().collect()
}

fn write_document(files: Arc<dyn Files>, target: store::BlobTarget, bytes: &[u8]) -> Result<()> {
    if store::existing(&*files, &target, &|_| {})?.is_some() {
        return Ok(());
    }
    let mut sink = store::BlobSink::fresh(files, target)?;
    if let Err(error) = sink.write(bytes) {
        let _ = sink.discard();
        return Err(error);
    }
    sink.finish().map(drop)
}

/// Turns images whose blobs could not be had into missing ones.
///
/// # Errors
/// The first of what kept the blobs away, where no image is left.
pub(super) fn leave_out(
    spec: &mut AssembleSpec,
    lost: Vec<(Digest, EngineError)>,
    ctx: &JobCtx,
) -> Result<()> {
    let reasons: HashMap<&Digest, String> =
        lost.iter().map(|(digest, error)| (digest, error.message())).collect();
    let mut kept = Vec::new();
    for image in std::mem::take(&mut spec.images) {
        match image.blobs.iter().find_map(|blob| reasons.get(&blob.digest)) {
            None => kept.push(image),
            Some(reason) => {
                ctx.warn(format!(
                    "{} is left out, and what came of it is not kept: {reason}",
                    image.reference
                ));
                spec.left_out.push(image.reference.to_string());
                spec.missing.push(Missing { reference: image.requested, reason: reason.clone() });
            }
        }
    }
    spec.images = kept;
    match lost.into_iter().next() {
        Some((_, error)) if spec.images.is_empty() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::ctx::Recording;
    use crate::engine::registry::{Answer, Problem, RegistryError};

    fn image(name: &str, blobs: &[&Digest]) -> ResolvedImage {
        let descriptor = |digest: &&Digest| {
            serde_json::from_value(serde_json::json!({ "digest": digest.to_string(), "size": 1 })).unwrap()
        };
        ResolvedImage {
            requested: name.to_owned(),
            reference: name.parse().unwrap(),
            source: "h".to_owned(),
            digest: Digest::sha256(&[9; 32]),
            media_type: String::new(),
            resolved_at: jiff::Timestamp::UNIX_EPOCH,
            documents: Vec::new(),
            blobs: blobs.iter().map(descriptor).collect(),
            platforms: Vec::new(),
            omitted: Vec::new(),
            signatures: Vec::new(),
            extra_tags: Vec::new(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn of_a_blob_that_several_images_share_and_no_registry_has_each_of_them_is_told_and_no_other() {
        let [shared, own] = [1, 2].map(|n| Digest::sha256(&[n; 32]));
        let images = [
            image("h.example/a:1", &[&own, &shared]),
            image("h.example/b:1", &[&own]),
            image("h.example/c:1", &[&shared]),
        ];
        let blob = PlannedBlob {
            digest: shared.clone(),
            size: 1,
            media_type: String::new(),
            image: "h.example/a:1".to_owned(),
            sources: Vec::new(),
        };
        let answer = Answer { status: 404, code: None, message: String::new() };
        for (problem, told) in [
            (Problem::NotFound(answer), &["h.example/a:1", "h.example/c:1"][..]),
            // Whether it is there, nobody says.
            (Problem::Connect("refused".to_owned()), &[]),
        ] {
            let error = RegistryError {
                operation: "read",
                object: "h/a".to_owned(),
                host: "h".to_owned(),
                problem: Box::new(problem),
            };
            let said = Arc::new(Recording::default());
            say_failed(&blob, &images, &error.into(), &JobCtx::new(Arc::clone(&said) as _));
            let events = said.events();
            let absent: Vec<&str> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Absent { reference, digest, .. } if digest.as_ref() == Some(&shared) => {
                        Some(reference.as_str())
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(absent, told, "{events:?}");
            let failed = |event: &&Event| matches!(event, Event::Failed { phase: Phase::Fetch, .. });
            assert_eq!(events.iter().filter(failed).count(), 1, "{events:?}");
        }
    }
}
