//! Brings one blob onto the medium: what is there and right stays, what a neighbour has is copied, the rest streams from its registry.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};

use super::sources::{Sources, Turns};
use crate::domain::plan::{Limits, PlannedBlob};
use crate::domain::progress::{Event, Phase};
use crate::domain::reference::Repository;
use crate::engine::blocking::{blocking, joined};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Interrupted, Result};
use crate::engine::meter::Meter;
use crate::engine::registry::{Place, Registry, RegistryError};
use crate::engine::store::{BlobSink, BlobTarget, Stored};

/// Chunks between network and medium; each is at most what one read of the socket gives.
const QUEUE: usize = 4;
/// Attempts without a single new byte before a blob fails.
const ATTEMPTS: u32 = 5;

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
    pub network: Arc<Semaphore>,
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
        let place = Place::among(&self.network);
        let registry = self.registry.for_item(&item).in_place(&place);
        let (mut tries, mut begun) = (Tries::from(sink.offset()), false);
        let mut turns = Turns::new(blob, &self.repositories);
        loop {
            let before = sink.offset();
            place.take().await;
            if !std::mem::replace(&mut begun, true) {
                self.ctx.say(Event::Item { phase: Phase::Fetch, item: item.clone(), bytes: blob.size });
            }
            let (now, outcome) = self.attempt(blob, (&mut turns, &mut kept), sink, &registry).await?;
            place.leave();
            sink = now;
            let error = match outcome {
                Outcome::Complete => {
                    let Some(wrong) = sink.mismatch() else {
                        let stored = blocking(move || sink.finish()).await?;
                        self.had(&item, &turns);
                        self.ctx.say(Event::Done { phase: Phase::Fetch, item, bytes: blob.size });
                        return Ok(stored);
                    };
                    self.begin_again(sink.offset(), &mut kept);
                    sink = blocking(move || sink.restart()).await?;
                    let (error, neutral) = turns.wrong(blob, wrong)?;
                    // What came in pieces, or lay there, is no lie of this repository: all of it once more.
                    if before > 0 && tries.begin_anew() {
                        self.retry(neutral.to_string(), &item);
                        continue;
                    }
                    error
                }
                Outcome::Refused(error) => error,
                Outcome::Cut(error) => {
                    let failures = tries.failed_at(sink.offset());
                    if failures < ATTEMPTS && registry.wait_to_retry(&error, failures + 1).await? {
                        continue;
                    }
                    error
                }
            };
            self.refused(error, &mut turns, &item)?;
            tries = Tries::from(sink.offset());
        }
    }

    fn retry(&self, reason: String, item: &str) {
        let (phase, item) = (Phase::Fetch, item.to_owned());
        self.ctx.say(Event::Retry { phase, item, attempt: 2, reason, wait_ms: 0 });
    }

    /// A repository was tried as often as it makes sense: another one may still have the blob.
    fn refused(&self, error: RegistryError, turns: &mut Turns<'_>, item: &str) -> Result<()> {
        match turns.next(error, &self.sources) {
            Ok(reason) => {
                self.retry(reason, item);
                Ok(())
            }
            Err(error) => {
                // What is told is why the last one failed: the others count as well.
                turns.reasons().for_each(|reason| self.ctx.warn(reason));
                Err(error)
            }
        }
    }

    /// A blob is there whatever some repositories said: that lowers nothing.
    fn had(&self, item: &str, turns: &Turns<'_>) {
        if let Some(last) = turns.reasons().last() {
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
        self.sources.kept.fetch_sub(spared, Relaxed);
    }

    /// One request: everything it brings is written, whatever happens after.
    async fn attempt(
        &self,
        blob: &PlannedBlob,
        (turns, kept): (&mut Turns<'_>, &mut u64),
        mut sink: BlobSink,
        registry: &Registry,
    ) -> Result<(BlobSink, Outcome)> {
        let (Some(repository), true) = (turns.repository(), sink.offset() < blob.size) else {
            return Ok((sink, Outcome::Complete));
        };
        let registry = registry.patient(turns.absence(&self.sources));
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
        if self.ctx.cancel.is_cancelled() {
            // What came is there for the next run.
            [&self.fetched, &self.written].iter().for_each(|meter| meter.now());
        }
        self.ctx.check()?;
        Ok((sink, outcome))
    }
}

/// What a blob is called in everything that is said of it.
pub(super) fn item_name(blob: &PlannedBlob) -> String {
    format!("{} {}", blob.image, blob.digest.short())
}

/// How often a repository was asked in its turn, and how far it came.
struct Tries {
    /// Those since it last came further.
    failures: u32,
    /// The most that was there of the blob: one that begins anew each time does not get on by it.
    furthest: u64,
    /// Whether all was had once more from its first byte.
    anew: bool,
}

impl Tries {
    const fn from(offset: u64) -> Self {
        Self { failures: 0, furthest: offset, anew: false }
    }

    /// Counts one that was cut off there; how many that makes without a single new byte.
    fn failed_at(&mut self, offset: u64) -> u32 {
        self.failures = if offset > self.furthest { 1 } else { self.failures + 1 };
        self.furthest = self.furthest.max(offset);
        self.failures
    }

    /// Whether it may begin from the first byte once more.
    const fn begin_anew(&mut self) -> bool {
        let first = !self.anew;
        (self.anew, self.furthest) = (true, 0);
        first
    }
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
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use futures_util::stream;
    use tokio::sync::Notify;

    use super::*;
    use crate::engine::ctx::Recording;
    use crate::engine::error::Kind;
    use crate::engine::hash;
    use crate::engine::registry::transport::{Body, ByteStream};
    use crate::engine::registry::{Limits as Caps, Pause, Problem, RegistryOptions, Transport};
    use crate::engine::store::TEMP;

    const BLOBS: [&[u8]; 3] = [b"first", b"second", b"third"];

    /// Two registries, `a.example` with all blobs and `b.example` with the third one alone.
    #[derive(Default)]
    struct Wire {
        away: Mutex<HashSet<String>>,
        asked: Mutex<Vec<String>>,
        /// After so many pauses all that are away are back.
        pauses: Mutex<usize>,
        /// Those that answer, and hang up before the first byte.
        mute: Mutex<HashSet<String>>,
        /// Those that answer with other bytes.
        lying: Mutex<HashSet<String>>,
        /// Those that hang up after two bytes or three, by turns.
        torn: Mutex<HashSet<String>>,
    }

    impl Wire {
        fn answer(&self, uri: &http::Uri) -> std::result::Result<(u16, &'static [u8]), Problem> {
            let host = uri.host().unwrap().to_owned();
            let away = self.away.lock().unwrap().contains(&host);
            self.asked.lock().unwrap().push(host.clone());
            if away {
                return Err(Problem::Connect("refused".to_owned()));
            }
            let named = |blob: &&&[u8]| uri.path().ends_with(&hash::sha256(blob).to_string());
            let has = BLOBS.iter().find(named).filter(|blob| host == "a.example" || blob == &&BLOBS[2]);
            Ok(has.map_or((404, b""), |blob| (200, blob)))
        }
    }

    impl Transport for Wire {
        fn send(
            &self,
            request: http::Request<Body>,
        ) -> BoxFuture<'_, std::result::Result<http::Response<ByteStream>, Problem>> {
            let host = request.uri().host().unwrap();
            let [mute, lying, torn] =
                [&self.mute, &self.lying, &self.torn].map(|which| which.lock().unwrap().contains(host));
            let answer = self.answer(request.uri()).map(|(status, bytes)| {
                let bytes = if lying { &b"others"[..bytes.len()] } else { bytes };
                let given = if torn { &bytes[..2 + self.asked.lock().unwrap().len() % 2] } else { bytes };
                let given = (!mute).then(|| Ok(Bytes::from_static(given)));
                let gone = (mute || torn).then(|| Err(Problem::Gone("hung up".to_owned())));
                let body = stream::iter(given.into_iter().chain(gone)).boxed();
                http::Response::builder().status(status).body(body).unwrap()
            });
            std::future::ready(answer).boxed()
        }
    }

    impl Pause for Wire {
        fn pause(&self, _: Duration) -> BoxFuture<'_, ()> {
            let mut left = self.pauses.lock().unwrap();
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.away.lock().unwrap().clear();
            }
            std::future::ready(()).boxed()
        }
    }

    /// A pack that has the first blob already, from `a.example`, which then went away.
    async fn begun(
        root: &std::path::Path,
        wire: &Arc<Wire>,
        pause: Arc<dyn Pause>,
    ) -> (Fetcher, Arc<Recording>) {
        let said = Arc::new(Recording::default());
        let ctx = JobCtx::new(Arc::clone(&said) as _);
        let authfile = root.join("auth.json");
        std::fs::write(&authfile, "{}").unwrap();
        std::fs::create_dir_all(root.join("blobs/sha256")).unwrap();
        let options = RegistryOptions { authfile: Some(authfile), ..RegistryOptions::default() };
        let registry = Registry::with_parts(options, Arc::clone(wire) as _, Caps::default(), pause).unwrap();
        let repository = |host: &str| Repository { host: host.to_owned(), path: "team/app".to_owned() };
        let fetcher = Fetcher {
            registry: registry.for_job(&ctx, Phase::Fetch),
            repositories: ["a.example", "b.example"].map(repository).to_vec(),
            root: root.to_owned(),
            limits: Limits::default(),
            siblings: Vec::new(),
            network: Arc::new(Semaphore::new(1)),
            fetched: Arc::new(Meter::start(&ctx, Phase::Fetch, 0, 0)),
            written: Arc::new(Meter::start(&ctx, Phase::Write, 0, 0)),
            sources: Arc::default(),
            ctx,
        };
        fetcher.fetch(&planned(0, &[0])).await.unwrap();
        wire.away.lock().unwrap().insert("a.example".to_owned());
        wire.asked.lock().unwrap().clear();
        (fetcher, said)
    }

    fn planned(blob: usize, sources: &[usize]) -> PlannedBlob {
        PlannedBlob {
            digest: hash::sha256(BLOBS[blob]),
            size: BLOBS[blob].len() as u64,
            media_type: String::new(),
            image: "a.example/team/app:1".to_owned(),
            sources: sources.to_vec(),
        }
    }

    #[tokio::test]
    async fn a_registry_that_only_went_away_is_waited_for_where_no_other_one_has_the_blob() {
        let dir = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let (fetcher, said) = begun(dir.path(), &wire, Arc::clone(&wire) as _).await;
        // Back in the pause after the first try of its second turn.
        *wire.pauses.lock().unwrap() = Caps::default().attempts;
        fetcher.fetch(&planned(1, &[0, 1])).await.unwrap();
        let [a, b] = ["a.example", "b.example"];
        assert_eq!(*wire.asked.lock().unwrap(), [a, a, a, a, a, b, a, a]);
        let events = said.events();
        let told = |words: &str| {
            events.iter().any(|event| matches!(event, Event::Retry { reason, .. } if reason.ends_with(words)))
        };
        assert!(told("; trying another repository"), "{events:?}");
        assert!(told("; trying a.example again, which answered before"), "{events:?}");
    }

    #[tokio::test]
    async fn a_registry_that_hangs_up_whenever_it_is_asked_leaves_the_blob_to_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let (fetcher, _) = begun(dir.path(), &wire, Arc::clone(&wire) as _).await;
        wire.away.lock().unwrap().clear();
        let [a, b] = ["a.example", "b.example"];
        wire.mute.lock().unwrap().insert(a.to_owned());
        fetcher.fetch(&planned(2, &[0, 1])).await.unwrap();
        assert_eq!(*wire.asked.lock().unwrap(), [a, a, a, a, a, b]);
        let error = fetcher.fetch(&planned(1, &[0])).await.unwrap_err();
        assert!(error.message().ends_with("hung up"), "{error}");
    }

    #[tokio::test]
    async fn a_registry_that_begins_anew_whenever_it_hangs_up_leaves_the_blob_to_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let (fetcher, _) = begun(dir.path(), &wire, Arc::clone(&wire) as _).await;
        wire.away.lock().unwrap().clear();
        let [a, b] = ["a.example", "b.example"];
        wire.torn.lock().unwrap().insert(a.to_owned());
        fetcher.fetch(&planned(2, &[0, 1])).await.unwrap();
        assert_eq!(*wire.asked.lock().unwrap(), [a, a, a, a, a, b]);
    }

    #[tokio::test]
    async fn a_registry_that_gives_other_bytes_leaves_the_blob_to_the_next_one_and_is_told_where_there_is_none()
     {
        let dir = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let (fetcher, said) = begun(dir.path(), &wire, Arc::clone(&wire) as _).await;
        wire.away.lock().unwrap().clear();
        let [a, b] = ["a.example", "b.example"];
        wire.lying.lock().unwrap().insert(a.to_owned());
        fetcher.fetch(&planned(2, &[0, 1])).await.unwrap();
        assert_eq!(std::mem::take(&mut *wire.asked.lock().unwrap()), [a, b]);
        let lied = |event: &Event| matches!(event, Event::Retry { reason, .. } if reason.contains(a));
        assert!(said.events().iter().any(lied), "{:?}", said.events());
        // The second one has it not: that it is altered is what is to be known.
        let error = fetcher.fetch(&planned(1, &[0, 1])).await.unwrap_err();
        assert_eq!((error.kind(), error.absent()), (Kind::Integrity, false), "{error}");
        assert!(error.message().contains("a.example/team/app"), "{error}");
        let (path, _) = fetcher.target(&planned(1, &[])).pieces().remove(0);
        assert!(!dir.path().join(&path).exists() && !dir.path().join(path + TEMP).exists());
    }

    #[tokio::test]
    async fn what_lies_there_is_no_lie_of_the_registry_that_gives_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let (fetcher, said) = begun(dir.path(), &wire, Arc::clone(&wire) as _).await;
        wire.away.lock().unwrap().clear();
        let blob = planned(1, &[0]);
        let (path, _) = fetcher.target(&blob).pieces().remove(0);
        std::fs::write(dir.path().join(path + TEMP), "wrong!").unwrap();
        fetcher.fetch(&blob).await.unwrap();
        assert_eq!(fetcher.sources.kept.load(Relaxed), 0);
        let reasons = said.events().into_iter().filter_map(|event| match event {
            Event::Retry { reason, .. } => Some(reason),
            _ => None,
        });
        let reasons: Vec<String> = reasons.collect();
        assert!(reasons.len() == 1 && !reasons[0].contains("a.example"), "{reasons:?}");
        // Nor is one that was asked for nothing.
        wire.asked.lock().unwrap().clear();
        let error = fetcher.fetch(&PlannedBlob { size: 0, ..blob }).await.unwrap_err();
        assert!(wire.asked.lock().unwrap().is_empty() && !error.message().contains("a.example"), "{error}");
    }

    #[tokio::test]
    async fn what_lay_there_and_came_once_more_is_not_said_to_be_kept() {
        let dir = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let (fetcher, _) = begun(dir.path(), &wire, Arc::clone(&wire) as _).await;
        wire.away.lock().unwrap().clear();
        // This registry sends all of a blob, whichever part of it is asked for.
        let blob = planned(1, &[0]);
        let (path, _) = fetcher.target(&blob).pieces().remove(0);
        std::fs::write(dir.path().join(path + TEMP), "seco").unwrap();
        fetcher.fetch(&blob).await.unwrap();
        assert_eq!(fetcher.sources.kept.load(Relaxed), 0);
        let fetched = BLOBS[0].len() + BLOBS[1].len();
        assert_eq!(fetcher.sources.fetched.load(Relaxed), fetched as u64);
    }

    /// A pause that tells when it begins, and lasts until it is over.
    #[derive(Default)]
    struct Meanwhile {
        begins: Notify,
        over: Notify,
    }

    impl Pause for Meanwhile {
        fn pause(&self, _: Duration) -> BoxFuture<'_, ()> {
            self.begins.notify_one();
            self.over.notified().boxed()
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_a_registry_that_is_away_leaves_the_network_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let (wire, pause) = (Arc::new(Wire::default()), Arc::new(Meanwhile::default()));
        let (fetcher, _) = begun(dir.path(), &wire, Arc::clone(&pause) as _).await;
        let (second, last) = (planned(1, &[0]), planned(2, &[1]));
        let meanwhile = async {
            pause.begins.notified().await;
            let stored = fetcher.fetch(&last).await;
            wire.away.lock().unwrap().clear();
            pause.over.notify_one();
            stored
        };
        let both = async { tokio::join!(fetcher.fetch(&second), meanwhile) };
        let (second, last) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        second.unwrap();
        last.unwrap();
        assert_eq!(*wire.asked.lock().unwrap(), ["a.example", "b.example", "a.example"]);
        assert_eq!(fetcher.network.available_permits(), 1);
    }
}
