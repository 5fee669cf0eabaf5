//! One run into a containerd: under a lease, blobs in and layers unpacked side by side, then synced, then named, then let go.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, watch};

use super::claim::Claim;
use super::names::{self, Change, Records};
use super::node::Node;
use super::pieces::Pieces;
use super::unpack::Chains;
use super::unpacking::Share;
use super::write::{Feed, Standing};
use crate::domain::digest::Digest;
use crate::domain::import::{ContainerdTarget, Target};
use crate::domain::progress::{Event, Phase};
use crate::domain::shell::shell_words;
use crate::engine::error::{EngineError, Interrupted, Kind, Result};
use crate::engine::import::Job;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::report::Outcome;
use crate::engine::import::stopped::Stopped;
use crate::engine::runtime::containerd::Containerd;
use crate::engine::runtime::containerd::labels::merge;

/// Layers that are unpacked at once: each keeps a core of the daemon busy.
const UNPACKING: usize = 4;
/// Images that are completed beside each other.
const IMAGES: usize = 16;

/// A run. What is in it is shared by everything that it does at once.
pub(super) struct Run {
    pub(super) job: Job,
    /// Under the lease of this run, where it has one.
    pub(super) daemon: Containerd,
    pub(super) node: Node,
    pub(super) feeds: Vec<Feed>,
    pub(super) standing: HashMap<Digest, watch::Sender<Standing>>,
    pub(super) chains: Chains,
    pub(super) unpacking: Semaphore,
    /// Held while containerd is asked for the place of a layer.
    pub(super) placing: AsyncMutex<()>,
    pub(super) sums: Sums,
    /// Counts layers, by their bytes as they are carried; nothing where nothing is to be brought.
    pub(super) layers: Option<Share>,
    /// By how much each of them counts.
    pub(super) weights: HashMap<String, u64>,
    /// Images of which every layer was unpacked once.
    pub(super) unpacked: Mutex<HashSet<String>>,
    claim: Option<Claim>,
    complete: Mutex<Vec<usize>>,
    /// The first sign that the daemon went away, whatever its absence keeps from being done afterwards.
    gone: OnceLock<Stopped>,
}

/// What holds of what stays where a daemon did not remove what a run wrote.
const LEFT: &str = "no pod uses it, and the next import there goes on from it";

/// Bytes of blobs.
#[derive(Debug, Default)]
pub(super) struct Sums {
    written: AtomicU64,
    present: AtomicU64,
}

impl Sums {
    pub(super) fn wrote(&self, bytes: u64) {
        self.written.fetch_add(bytes, Relaxed);
    }

    pub(super) fn found(&self, bytes: u64) {
        self.present.fetch_add(bytes, Relaxed);
    }

    /// Bytes that were brought and bytes that were there.
    pub(super) fn get(&self) -> (u64, u64) {
        (self.written.load(Relaxed), self.present.load(Relaxed))
    }
}

/// An image to be brought: its place among all, and what of it.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) pieces: Arc<Pieces>,
}

/// Every blob once, in the order of the images, with the labels that all of them want.
fn feeds(wanted: &[Wanted]) -> Vec<Feed> {
    let (mut feeds, mut places): (Vec<Feed>, HashMap<&Digest, usize>) = Default::default();
    for image in wanted {
        for (blob, labels) in &image.pieces.blobs {
            if let Some(at) = places.get(&blob.digest) {
                merge(&mut feeds[*at].labels, labels);
                continue;
            }
            places.insert(&blob.digest, feeds.len());
            let (blob, labels) = (blob.clone(), labels.clone());
            feeds.push(Feed { blob, labels, image: image.name.clone() });
        }
    }
    feeds
}

/// Bytes of the layers to be unpacked, as they are carried, by their chain ids. One that is carried in two ways, as by
/// gzip and by zstd, counts as the first, whichever is unpacked.
fn weights(wanted: &[Wanted]) -> HashMap<String, u64> {
    let mut weights = HashMap::new();
    let runs = wanted.iter().flat_map(|image| &image.pieces.runs);
    for layer in runs.flat_map(|run| &run.layers) {
        weights.entry(layer.chain_id.clone()).or_insert(layer.blob.size);
    }
    weights
}

impl Run {
    /// Claims the namespace where anything is to be brought, else only ends what dead runs left there.
    ///
    /// # Errors
    /// As [`Claim::take`].
    pub(super) async fn begin(
        job: &Job,
        daemon: &Containerd,
        (node, share): (Node, Share),
        wanted: &[Wanted],
    ) -> Result<Arc<Self>> {
        let claim = if wanted.is_empty() {
            Claim::sweep(&job.ctx, daemon).await?;
            None
        } else {
            let of = format!("import of {}", job.bundle.document().directory());
            Some(Claim::take(&job.ctx, daemon, &of).await?)
        };
        for image in wanted {
            let blobs = image.pieces.blobs.iter().map(|(blob, _)| (&blob.digest, blob.size));
            job.parts.expect(&image.name, blobs);
        }
        let feeds = feeds(wanted);
        let awaited = |feed: &Feed| (feed.blob.digest.clone(), watch::Sender::new(Standing::Awaited));
        let standing = feeds.iter().map(awaited).collect();
        let layered = wanted.iter().filter(|image| image.pieces.layers() > 0).count() as u64;
        let weights = weights(wanted);
        let bytes = weights.values().copied().fold(0, u64::saturating_add);
        let share = share.begin(claim.is_some().then_some((layered, bytes))).await;
        let layers = claim.is_some().then_some(share);
        Ok(Arc::new(Self {
            job: job.clone(),
            daemon: claim.as_ref().map_or(daemon, |claim| &claim.daemon).clone(),
            node,
            feeds,
            standing,
            chains: Chains::default(),
            unpacking: Semaphore::new(UNPACKING),
            placing: AsyncMutex::default(),
            sums: Sums::default(),
            layers,
            weights,
            unpacked: Mutex::default(),
            claim,
            complete: Mutex::default(),
            gone: OnceLock::new(),
        }))
    }

    /// Says of what the run has no use for that it is done with, so that nobody waits for it and the count comes out.
    pub(super) fn pass_others(&self, images: &[ImageGraph], skipped: impl Fn(usize) -> bool) {
        let mut seen = HashSet::new();
        for (at, image) in images.iter().enumerate() {
            for node in image.nodes() {
                if !self.standing.contains_key(&node.digest) && seen.insert(&node.digest) {
                    self.job.pass(node);
                    self.job.meter.add_kept(node.size);
                    if skipped(at) {
                        self.sums.found(node.size);
                    }
                }
            }
        }
        self.job.meter.now();
    }

    /// Brings and unpacks all; outcomes of those that failed, where the others go on without them.
    ///
    /// # Errors
    /// What ends the run.
    pub(super) async fn fill(self: &Arc<Self>, wanted: &[Wanted], images: &[ImageGraph]) -> Result<Failures> {
        let feeding = Box::pin(Arc::clone(self).feed());
        let completing = stream::iter(wanted.iter().cloned())
            .map(|image| {
                let run = Arc::clone(self);
                async move { (image.at, run.complete(&image.pieces, &image.name).await) }
            })
            .buffer_unordered(IMAGES)
            .map(|(at, outcome)| match outcome {
                Ok(()) => {
                    self.complete.lock().unwrap_or_else(PoisonError::into_inner).push(at);
                    Ok(None)
                }
                Err(error) => {
                    if error.transient() {
                        self.gone.get_or_init(|| Stopped::new(&error, []));
                    }
                    self.job.failed(&images[at], error).map(|outcome| Some((at, outcome)))
                }
            })
            .try_filter_map(|failed| async move { Ok(failed) })
            .try_collect::<HashMap<usize, Outcome>>();
        let stopped = self.job.ctx.cancel.cancelled();
        let work = async {
            match select(feeding, Box::pin(completing)).await {
                Either::Left(((), completing)) => completing.await,
                Either::Right((done, _)) => done,
            }
        };
        match select(Box::pin(work), Box::pin(stopped)).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => Err(Interrupted.into()),
        }
    }

    /// Whether an image is complete but for its names.
    fn is_complete(&self, at: usize) -> bool {
        self.complete.lock().unwrap_or_else(PoisonError::into_inner).contains(&at)
    }

    /// Has all that is complete on disk, and names it.
    ///
    /// # Errors
    /// As the kernel or the daemon answers; where the others go on without one that failed, that is an outcome.
    pub(super) async fn name(
        &self,
        wanted: &[Wanted],
        images: &[ImageGraph],
        failures: &mut Failures,
    ) -> Result<Named> {
        let mut complete = Vec::new();
        for image in wanted.iter().filter(|image| self.is_complete(image.at)) {
            match self.mend(&image.pieces, &image.name).await {
                Ok(()) => complete.push(image),
                Err(error) => {
                    failures.insert(image.at, self.job.failed(&images[image.at], error)?);
                }
            }
        }
        if complete.is_empty() {
            return Ok(Named::default());
        }
        let notes = self.node.sync().await?;
        let records: Records = names::records(&self.daemon).await?;
        let target = self.target();
        let (daemon, changes) = (&self.daemon, &self.job.changes);
        let giver = names::Giver { daemon, changes, target: &target, replace: self.job.spec.replace };
        let pieces: Vec<&Pieces> = complete.iter().map(|image| &*image.pieces).collect();
        giver.announce(&pieces, &records).await?;
        let mut changes = Vec::new();
        for image in complete {
            match giver.give(&image.pieces, &records).await {
                Ok(made) => {
                    changes.extend(made);
                    self.job.arrived.note(&target.to_string(), &image.name);
                    let bytes = image.pieces.blobs.iter().map(|(blob, _)| blob.size).sum();
                    self.job.ctx.say(Event::Done { phase: Phase::Import, item: image.name.clone(), bytes });
                }
                Err(error) => {
                    failures.insert(image.at, self.job.failed(&images[image.at], error)?);
                }
            }
        }
        Ok(Named { changes, notes })
    }

    /// Ends the lease, and with it whatever has no name.
    ///
    /// # Errors
    /// As the daemon answers.
    pub(super) async fn end(&self) -> Result<()> {
        if let Some(layers) = &self.layers {
            layers.finish();
        }
        match self.let_go().await {
            // Of one that is gone this would be the last to be told.
            Err(error) if self.gone.get().is_some() => Err(self.left(&error, &error)),
            other => other,
        }
    }

    /// What to tell of a daemon that did not even let go of the lease, and why it did not.
    fn left(&self, error: &EngineError, why: &EngineError) -> EngineError {
        let reason = if why.transient() { "as containerd does not answer".to_owned() } else { why.message() };
        let left =
            format!("what this run wrote and did not name could not be removed again, {reason}: {LEFT}");
        match self.gone.get().filter(|_| error.transient()) {
            Some(first) => first.with(left).into(),
            None => Stopped::new(error, [left]).into(),
        }
    }

    /// What that leaves where it cannot be done, undo removes: it is noted.
    async fn let_go(&self) -> Result<()> {
        let Some(claim) = &self.claim else { return Ok(()) };
        claim.end().await.inspect_err(|_| self.job.arrived.leave(&self.target()))
    }

    fn target(&self) -> Target {
        let (socket, namespace) = (self.daemon.path().to_owned(), self.daemon.namespace().to_owned());
        Target::Containerd(ContainerdTarget { socket, namespace })
    }

    /// The same after an error, which is what is told.
    pub(super) async fn give_up(&self, error: EngineError) -> EngineError {
        // Where the daemon is gone, the next run ends the lease. What was not unpacked to the end is not over.
        if let Err(why) = self.let_go().await {
            return self.left(&error, &why);
        }
        if error.kind() != Kind::Space {
            return error;
        }
        let roots: Vec<String> = self.node.roots().map(|root| root.display().to_string()).collect();
        let look = format!("look at it with: df -h {}", shell_words(&roots));
        Stopped::new(&error, (!roots.is_empty()).then_some(look)).into()
    }
}

/// What came of naming.
#[derive(Default)]
pub(super) struct Named {
    /// Names that were made or changed.
    pub(super) changes: Vec<Change>,
    /// What of it is not proved to be on disk.
    pub(super) notes: Vec<String>,
}

/// Images that did not arrive, by their place.
pub(super) type Failures = HashMap<usize, Outcome>;
