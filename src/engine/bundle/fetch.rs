//! Brings one blob onto the medium: what is there and right stays, what a neighbour has is copied, the rest streams from its registry.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};

use crate::domain::plan::{Limits, PlannedBlob};
use crate::domain::progress::{Event, Phase};
use crate::domain::reference::Repository;
use crate::engine::blocking::{blocking, joined};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Interrupted, Kind, Result};
use crate::engine::meter::Meter;
use crate::engine::registry::{Absence, Problem, Registry, RegistryError};
use crate::engine::store::{BlobSink, BlobTarget, Stored};

/// Chunks between network and medium; each is at most what one read of the socket gives.
const QUEUE: usize = 4;
/// Attempts without a single new byte before a blob fails.
const ATTEMPTS: u32 = 5;

/// Where bytes came from, in bytes.
#[derive(Debug, Default)]
pub struct Sources {
    /// From registries.
    pub fetched: AtomicU64,
    /// Found right in this bundle.
    pub kept: AtomicU64,
    /// Copied from bundles beside this one.
    pub copied: AtomicU64,
    /// Hosts of registries from which bytes came.
    hosts: Mutex<HashMap<String, Heard>>,
}

/// A host from which bytes came.
#[derive(Debug, Default)]
struct Heard {
    /// Whether it was waited for in vain since.
    given_up: bool,
    /// How it is waited for: as one host, whichever blobs are to come from it.
    absence: Absence,
}

impl Sources {
    /// Notes a registry from which bytes came.
    fn heard(&self, host: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = hosts.entry(host.to_owned()).or_default();
        heard.given_up = false;
        heard.absence.end();
    }

    /// How a registry is waited for that cannot be reached any more: one that gave bytes may be about to start again,
    /// where it was not given up already.
    fn waits_for(&self, host: &str) -> Option<Absence> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).filter(|heard| !heard.given_up).map(|heard| heard.absence.clone())
    }

    /// Why a registry gave no more, by whether it gave anything before.
    fn ended(&self, error: RegistryError) -> EngineError {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(heard) = hosts.get_mut(&error.host) else { return error.into() };
        heard.given_up |= matches!(*error.problem, Problem::Connect(_));
        error.of_one_that_answered().into()
    }

    /// Bytes of blobs that this run wrote.
    pub fn written(&self) -> u64 {
        let [fetched, copied] = [&self.fetched, &self.copied].map(|bytes| bytes.load(Relaxed));
        fetched.saturating_add(copied)
    }
}

/// Everything a fetch needs; one per pack.
pub struct Fetcher {
    /// The job.
    pub ctx: JobCtx,
    /// The client.
    pub registry: Registry,
    /// What [`PlannedBlob::sources`] points into.
    pub repositories: Vec<Repository>,
    /// The bundle.
    pub root: PathBuf,
    /// For the size of parts.
    pub limits: Limits,
    /// Directories of other bundles on this medium.
    pub siblings: Vec<PathBuf>,
    /// How many blobs may be on the network at once.
    pub network: Semaphore,
    /// Bytes from the network.
    pub fetched: Arc<Meter>,
    /// Bytes on the medium.
    pub written: Arc<Meter>,
    /// Where they came from.
    pub sources: Arc<Sources>,
}

impl Fetcher {
    /// Where a blob goes.
    pub fn target(&self, blob: &PlannedBlob) -> BlobTarget {
        BlobTarget {
            root: self.root.clone(),
            digest: blob.digest.clone(),
            size: blob.size,
            part: self.limits.part_size(blob.size),
        }
    }

    /// Brings one blob onto the medium.
    ///
    /// # Errors
    /// What the medium or the registry said last; [`Interrupted`].
    pub async fn fetch(&self, blob: &PlannedBlob) -> Result<Stored> {
        self.ctx.pause_point().await?;
        if let Some(stored) = self.local(blob).await? {
            return Ok(stored);
        }
        let item = item_name(blob);
        let (files, target, cancel) =
            (Arc::clone(&self.ctx.files), self.target(blob), self.ctx.cancel.clone());
        let mut sink = blocking(move || BlobSink::resume(files, target, &cancel)).await?;
        let mut kept = sink.offset();
        self.written.add_kept(kept);
        self.fetched.spare(kept);
        self.sources.kept.fetch_add(kept, Relaxed);
        let registry = self.registry.for_item(&item);
        let mut failures = 0;
        let (mut source, mut begun) = (0, false);
        let mut refused = Vec::new();
        loop {
            let before = sink.offset();
            let permit = self.network.acquire().await;
            if !std::mem::replace(&mut begun, true) {
                self.ctx.say(Event::Item { phase: Phase::Fetch, item: item.clone(), bytes: blob.size });
            }
            let (now, outcome) = self.attempt(blob, (source, &mut kept), sink, &registry).await?;
            drop(permit);
            sink = now;
            match outcome {
                Outcome::Complete => match self.finish(sink, &mut kept, &item).await? {
                    Ok(stored) => {
                        self.had(&item, &refused);
                        self.ctx.say(Event::Done { phase: Phase::Fetch, item, bytes: blob.size });
                        return Ok(stored);
                    }
                    Err(again) => sink = again,
                },
                // The client has tried as often as it makes sense; another repository may still have it.
                Outcome::Refused(error) if source + 1 < blob.sources.len() => {
                    refused.push(self.turn_to_another(error, &item));
                    source += 1;
                }
                Outcome::Refused(error) => {
                    // What is told is why the last one failed: the others count as well.
                    refused.into_iter().for_each(|reason| self.ctx.warn(reason));
                    return Err(self.sources.ended(error));
                }
                Outcome::Cut(error) => {
                    failures = if sink.offset() > before { 1 } else { failures + 1 };
                    if failures >= ATTEMPTS || !registry.wait_to_retry(&error, failures + 1).await? {
                        return Err(self.sources.ended(error));
                    }
                }
            }
        }
    }

    /// Another repository is asked for a blob; gives what the one before said.
    fn turn_to_another(&self, error: RegistryError, item: &str) -> String {
        let reason = EngineError::from(error).message();
        let words = format!("{reason}; trying another repository");
        let item = item.to_owned();
        self.ctx.say(Event::Retry { phase: Phase::Fetch, item, attempt: 2, reason: words, wait_ms: 0 });
        reason
    }

    /// A blob is there whatever some repositories said: that lowers nothing.
    fn had(&self, item: &str, refused: &[String]) {
        if let Some(last) = refused.last() {
            self.ctx.say(Event::Note { text: format!("{item}: had from another repository after: {last}") });
        }
    }

    /// A blob starts over from its first byte: nothing of it is there any more, and nothing of it is spared.
    fn begin_again(&self, taken: u64, kept: &mut u64) {
        let spared = std::mem::take(kept);
        self.written.take_back_kept(spared);
        self.written.take_back(taken.saturating_sub(spared));
        self.fetched.take_back(taken.saturating_sub(spared));
        self.fetched.spare_not(spared);
    }

    /// Gives the blob its final name. What an earlier run left may have been wrong: then once more, from the start.
    async fn finish(
        &self,
        sink: BlobSink,
        kept: &mut u64,
        item: &str,
    ) -> Result<std::result::Result<Stored, BlobSink>> {
        let (taken, target) = (sink.offset(), sink.target().clone());
        let resumed = *kept > 0;
        match blocking(move || sink.finish()).await {
            Ok(stored) => Ok(Ok(stored)),
            Err(error) if resumed && error.kind() == Kind::Integrity => {
                self.begin_again(taken, kept);
                let (item, reason) = (item.to_owned(), error.message());
                self.ctx.say(Event::Retry { phase: Phase::Fetch, item, attempt: 2, reason, wait_ms: 0 });
                let files = Arc::clone(&self.ctx.files);
                Ok(Err(blocking(move || BlobSink::fresh(files, target)).await?))
            }
            Err(error) => Err(error),
        }
    }

    /// One request: everything it brings is written, whatever happens after.
    async fn attempt(
        &self,
        blob: &PlannedBlob,
        (source, kept): (usize, &mut u64),
        mut sink: BlobSink,
        registry: &Registry,
    ) -> Result<(BlobSink, Outcome)> {
        let repository = blob.sources.get(source).and_then(|at| self.repositories.get(*at));
        let (Some(repository), true) = (repository, sink.offset() < blob.size) else {
            return Ok((sink, Outcome::Complete));
        };
        // Where another repository may have it, that one is asked instead.
        let last = source + 1 == blob.sources.len();
        let registry = registry.patient(self.sources.waits_for(&repository.host).filter(|_| last));
        let body = tokio::select! {
            body = registry.blob(repository, &blob.digest, blob.size, sink.offset()) => body,
            () = self.ctx.cancel.cancelled() => return Err(Interrupted.into()),
        };
        let mut body = match body {
            Ok(body) => body,
            Err(error) => return Ok((sink, Outcome::Refused(error))),
        };
        if body.start != sink.offset() {
            self.begin_again(sink.offset(), kept);
            sink = blocking(move || sink.restart()).await?;
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (written, sources) = (Arc::clone(&self.written), Arc::clone(&self.sources));
        let writer = tokio::task::spawn_blocking(move || write_all(sink, receiver, &written, &sources));
        let (mut outcome, mut heard) = (Outcome::Complete, false);
        loop {
            // A registry that hangs up meanwhile is asked for the rest, as after any other cut.
            if self.ctx.pause_point().await.is_err() {
                break;
            }
            let chunk = tokio::select! {
                chunk = body.stream.next() => chunk,
                () = self.ctx.cancel.cancelled() => break,
            };
            match chunk {
                None => break,
                // A writer that failed has gone, and says why below.
                Some(Ok(chunk)) => {
                    if !std::mem::replace(&mut heard, true) {
                        self.sources.heard(&repository.host);
                    }
                    self.fetched.add(chunk.len() as u64);
                    if sender.send(chunk).await.is_err() {
                        break;
                    }
                }
                Some(Err(problem)) => {
                    outcome = Outcome::Cut(Registry::blob_error(repository, &blob.digest, problem));
                    break;
                }
            }
        }
        drop(sender);
        let sink = joined(writer.await)?;
        self.ctx.check()?;
        Ok((sink, outcome))
    }
}

/// What a blob is called in everything that is said of it.
pub(super) fn item_name(blob: &PlannedBlob) -> String {
    format!("{} {}", blob.image, blob.digest.short())
}

/// How a request ended.
enum Outcome {
    /// With the last byte.
    Complete,
    /// Before the first byte.
    Refused(RegistryError),
    /// In the middle.
    Cut(RegistryError),
}

fn write_all(
    mut sink: BlobSink,
    mut receiver: mpsc::Receiver<Bytes>,
    written: &Meter,
    sources: &Sources,
) -> Result<BlobSink> {
    let chunks = std::iter::from_fn(|| receiver.blocking_recv());
    let seen = |bytes| {
        written.add(bytes);
        sources.fetched.fetch_add(bytes, Relaxed);
    };
    if let Err(error) = sink.write_all(chunks, seen) {
        // Nothing half-written is left on a full or failing medium.
        let _ = sink.discard();
        return Err(error);
    }
    Ok(sink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_waited_for_once_it_gave_bytes_and_until_that_was_in_vain() {
        let sources = Sources::default();
        let gone = || RegistryError {
            operation: "read",
            object: "h/a:1".to_owned(),
            host: "h".to_owned(),
            problem: Box::new(Problem::Connect("refused".to_owned())),
        };
        assert!(sources.waits_for("h").is_none(), "a first contact that is refused fails at once");
        assert!(sources.ended(gone()).hints()[0].contains("the right host"));
        sources.heard("h");
        assert!(sources.waits_for("h").is_some() && sources.waits_for("g").is_none());
        assert!(sources.ended(gone()).hints()[0].contains("answered until then"));
        assert!(sources.waits_for("h").is_none(), "no other blob waits for it again");
        sources.heard("h");
        assert!(sources.waits_for("h").is_some());
    }
}
