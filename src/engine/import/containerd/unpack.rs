//! Unpacks images into the snapshotter, layer upon layer as they arrive; what several images share is unpacked once.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Mutex as AsyncMutex;

use super::pieces::{Layer, Pieces, Runnable};
use super::run::Run;
use crate::domain::progress::{Event, Phase};
use crate::engine::error::Result;
use crate::engine::import::error::ImportError;
use crate::engine::runtime::containerd::Labels;
use crate::engine::runtime::containerd::leases::Kept;
use crate::engine::runtime::containerd::snapshots::Mounts;
use crate::engine::runtime::error::RuntimeError;

/// How often an image is unpacked anew because something of it was removed meanwhile.
const AGAIN: usize = 3;
/// Directories left by a daemon that was killed which one layer has removed, at most.
const LEFT: usize = 32;

/// Where a layer can be unpacked, or why nowhere.
type Place = std::result::Result<Mounts, RuntimeError>;

/// One lock for each snapshot that is being made.
#[derive(Debug, Default)]
pub(super) struct Chains(Mutex<HashMap<String, Arc<AsyncMutex<bool>>>>);

impl Chains {
    /// The lock; what it holds is whether the snapshot is there.
    fn of(&self, chain_id: &str) -> Arc<AsyncMutex<bool>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(chain_id.to_owned()).or_default())
    }
}

/// Tells how many layers of an image are unpacked.
struct Told<'a> {
    run: &'a Run,
    image: &'a str,
    done: u64,
    all: u64,
}

impl Told<'_> {
    fn part(&self) {
        let (item, done, all) = (self.image.to_owned(), self.done, self.all);
        self.run.job.ctx.say(Event::Part { phase: Phase::Unpack, item, done, all });
    }

    /// All of it is unpacked; that is told once, however often it has to be mended.
    fn end(&self, bytes: u64) {
        let mut unpacked = self.run.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if self.all > 0 && unpacked.insert(self.image.to_owned()) {
            let item = self.image.to_owned();
            self.run.job.ctx.say(Event::Done { phase: Phase::Unpack, item, bytes });
        }
    }
}

impl Run {
    /// Has an image whole in the store: its blobs there, its layers unpacked, and the one tied to the other.
    ///
    /// # Errors
    /// What kept a blob away, or what the daemon says.
    pub(super) async fn complete(&self, pieces: &Pieces, image: &str) -> Result<()> {
        let bytes = pieces.blobs.iter().map(|(blob, _)| blob.size).sum();
        let (item, say) = (|| image.to_owned(), |event| self.job.ctx.say(event));
        self.job.parts.begin(image);
        let unpacked = async {
            let mut told = Told { run: self, image, done: 0, all: pieces.layers() };
            for runnable in &pieces.runs {
                if let Some(first) = runnable.layers.first() {
                    self.arrival(&first.blob.digest).await?;
                    say(Event::Item { phase: Phase::Unpack, item: item(), bytes });
                    told.part();
                }
                self.unpack(runnable, &mut told).await?;
            }
            told.end(bytes);
            Ok(())
        };
        // Neither is dropped halfway: what fails to arrive is found where it is unpacked, as well.
        let (unpacked, arrived) = join(unpacked, self.arrivals(pieces)).await;
        unpacked.and(arrived)?;
        for runnable in &pieces.runs {
            if let Some(chain_id) = runnable.chain_id() {
                let label = format!("containerd.io/gc.ref.snapshot.{}", self.node.snapshotter);
                let labels = Labels::from([(label, chain_id.to_owned())]);
                self.daemon.label_blob(&runnable.config, &labels).await?;
            }
        }
        Ok(())
    }

    /// Waits for every blob of an image.
    async fn arrivals(&self, pieces: &Pieces) -> Result<()> {
        let arriving = pieces.blobs.iter().map(|(blob, _)| self.arrival(&blob.digest));
        let mut arriving: FuturesUnordered<_> = arriving.collect();
        while let Some(arrived) = arriving.next().await {
            arrived?;
        }
        Ok(())
    }

    async fn unpack(&self, runnable: &Runnable, told: &mut Told<'_>) -> Result<()> {
        let (mut at, mut again) = (0, 0);
        let before = told.done;
        while let Some(layer) = runnable.layers.get(at) {
            let below = &runnable.layers[..at];
            match self.on_top(layer, below.last(), told.image).await {
                Ok(()) => {
                    at += 1;
                    told.done = told.done.max(before + at as u64);
                    told.part();
                }
                Err(error) => {
                    again += 1;
                    if again > AGAIN || !self.brought_back(layer, below).await.unwrap_or(false) {
                        return Err(error);
                    }
                    at = 0;
                }
            }
        }
        Ok(())
    }

    /// Has a layer unpacked on the one below.
    async fn on_top(&self, layer: &Layer, below: Option<&Layer>, image: &str) -> Result<()> {
        self.arrival(&layer.blob.digest).await?;
        self.job.ctx.pause_point().await?;
        let chain = self.chains.of(&layer.chain_id);
        let mut there = chain.lock().await;
        if !*there {
            if !self.kept(&layer.chain_id).await? {
                self.layer(layer, below.map_or("", |below| &below.chain_id), image).await?;
            }
            *there = true;
            if let Some(layers) = &self.layers {
                layers.add(self.weights.get(&layer.chain_id).copied().unwrap_or(layer.blob.size));
            }
        }
        Ok(())
    }

    /// Whether there is a snapshot, which then stays. The lease has it before it is looked for: one that is looked for
    /// first may be collected in between.
    async fn kept(&self, chain_id: &str) -> Result<bool> {
        let snapshotter = &self.node.snapshotter;
        self.daemon.keep(Kept::Snapshot(snapshotter, chain_id)).await?;
        Ok(self.daemon.has_snapshot(snapshotter, chain_id).await?)
    }

    /// Whether something that a layer is made of was removed by somebody: its blob is here again then, and the layers
    /// below count as missing.
    async fn brought_back(&self, layer: &Layer, below: &[Layer]) -> Result<bool> {
        let mut lost = self.bring_again(&layer.blob.digest).await?;
        for one in below {
            let chain = self.chains.of(&one.chain_id);
            let mut there = chain.lock().await;
            if !self.daemon.has_snapshot(&self.node.snapshotter, &one.chain_id).await? {
                (*there, lost) = (false, true);
                lost |= self.bring_again(&one.blob.digest).await?;
            }
        }
        Ok(lost)
    }

    /// Brings back what was removed by somebody since it was complete.
    ///
    /// # Errors
    /// As [`Run::complete`].
    pub(super) async fn mend(&self, pieces: &Pieces, image: &str) -> Result<()> {
        let mut lost = false;
        for (blob, _) in &pieces.blobs {
            lost |= self.bring_again(&blob.digest).await?;
        }
        for runnable in &pieces.runs {
            if let Some((top, below)) = runnable.layers.split_last() {
                // None below can be removed as long as that of all layers is there.
                if !self.daemon.has_snapshot(&self.node.snapshotter, &top.chain_id).await? {
                    *self.chains.of(&top.chain_id).lock().await = false;
                    self.brought_back(top, below).await?;
                    lost = true;
                }
            }
        }
        if lost { self.complete(pieces, image).await } else { Ok(()) }
    }

    /// A place for a layer. A containerd that was killed between the directory of a snapshot and its note of it gives the
    /// number away again, and refuses: it then removes what is in the way, and has a place the next time it is asked,
    /// or names the next one of several that were left.
    async fn place(&self, (key, parent): (&str, &str), labels: &Labels) -> Place {
        // One after the other: what one refusal removes is never what another one was just given under that number.
        let _alone = self.placing.lock().await;
        let mut removed = BTreeSet::new();
        loop {
            let place = self.daemon.prepare(&self.node.snapshotter, key, parent, labels.clone()).await;
            let left = place.as_ref().err().and_then(RuntimeError::in_the_way).map(Path::to_owned);
            let Some(left) = left else { return place };
            // One that is named twice is not removed by being named.
            if removed.len() == LEFT || !removed.insert(left) {
                return place;
            }
        }
    }

    async fn layer(&self, layer: &Layer, parent: &str, image: &str) -> Result<()> {
        // A semaphore that nobody closes.
        let _turn = self.unpacking.acquire().await;
        let (daemon, snapshotter) = (&self.daemon, &self.node.snapshotter);
        let key = format!("airlift-{} {}", uuid::Uuid::now_v7(), layer.chain_id);
        let labels = Labels::from([("containerd.io/snapshot.ref".to_owned(), layer.chain_id.clone())]);
        let mounts = match self.place((&key, parent), &labels).await {
            Ok(mounts) => mounts,
            // A snapshotter that has the unpacked layer from elsewhere, or another client that was faster.
            Err(error) if error.is_there_already() && self.kept(&layer.chain_id).await? => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let filled = async {
            let tar = self.watched(&key, layer, daemon.unpack(&layer.blob, &mounts)).await?;
            if tar != layer.diff_id.to_string() {
                let reason = format!("unpacked it has the digest {tar}, its image says {}", layer.diff_id);
                let (image, digest) = (image.to_owned(), layer.blob.digest.clone());
                return Err(ImportError::Document { image, digest, reason }.into());
            }
            match daemon.commit_snapshot(snapshotter, &key, &layer.chain_id, labels).await {
                Err(error) if error.is_there_already() && self.kept(&layer.chain_id).await? => {
                    Ok(daemon.remove_snapshot(snapshotter, &key).await?)
                }
                other => Ok(other?),
            }
        };
        let filled: Result<()> = filled.await;
        if filled.is_err() {
            // What failed is the news; the snapshot goes with the lease where this fails too.
            let _ = daemon.remove_snapshot(snapshotter, &key).await;
        }
        filled
    }
}
