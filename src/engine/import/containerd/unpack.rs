//! Unpacks images into the snapshotter, layer upon layer as they arrive; what several images share is unpacked once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use super::pieces::{Layer, Pieces, Runnable};
use super::run::Run;
use crate::engine::error::Result;
use crate::engine::import::error::ImportError;
use crate::engine::runtime::containerd::Labels;
use crate::engine::runtime::containerd::leases::Kept;

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

impl Run {
    /// Has an image whole in the store: its blobs there, its layers unpacked, and the one tied to the other.
    ///
    /// # Errors
    /// What kept a blob away, or what the daemon says.
    pub(super) async fn complete(&self, pieces: &Pieces, image: &str) -> Result<()> {
        for runnable in &pieces.runs {
            self.unpack(runnable, image).await?;
        }
        for (blob, _) in &pieces.blobs {
            self.arrival(&blob.digest).await?;
        }
        for runnable in &pieces.runs {
            if let Some(chain_id) = runnable.chain_id() {
                let label = format!("containerd.io/gc.ref.snapshot.{}", self.node.snapshotter);
                let labels = Labels::from([(label, chain_id.to_owned())]);
                self.daemon.label_blob(&runnable.config, &labels).await?;
            }
        }
        Ok(())
    }

    async fn unpack(&self, runnable: &Runnable, image: &str) -> Result<()> {
        let mut parent = "";
        for layer in &runnable.layers {
            self.arrival(&layer.blob.digest).await?;
            self.job.ctx.pause_point().await?;
            let chain = self.chains.of(&layer.chain_id);
            let mut there = chain.lock().await;
            if !*there {
                let snapshotter = &self.node.snapshotter;
                if self.daemon.has_snapshot(snapshotter, &layer.chain_id).await? {
                    self.daemon.keep(Kept::Snapshot(snapshotter, &layer.chain_id)).await?;
                } else {
                    self.layer(layer, parent, image).await?;
                }
                *there = true;
                if let Some(meter) = &self.layers {
                    meter.add(layer.blob.size);
                }
            }
            parent = &layer.chain_id;
        }
        Ok(())
    }

    async fn layer(&self, layer: &Layer, parent: &str, image: &str) -> Result<()> {
        // A semaphore that nobody closes.
        let _turn = self.unpacking.acquire().await;
        let (daemon, snapshotter) = (&self.daemon, &self.node.snapshotter);
        let key = format!("airlift-{} {}", uuid::Uuid::now_v7(), layer.chain_id);
        let labels = Labels::from([("containerd.io/snapshot.ref".to_owned(), layer.chain_id.clone())]);
        let mounts = match daemon.prepare(snapshotter, &key, parent, labels.clone()).await {
            Ok(mounts) => mounts,
            // A snapshotter that has the unpacked layer from elsewhere, or another client that was faster.
            Err(error)
                if error.is_there_already() && daemon.has_snapshot(snapshotter, &layer.chain_id).await? =>
            {
                return Ok(daemon.keep(Kept::Snapshot(snapshotter, &layer.chain_id)).await?);
            }
            Err(error) => return Err(error.into()),
        };
        let filled = async {
            let tar = daemon.unpack(&layer.blob, &mounts).await?;
            if tar != layer.diff_id.to_string() {
                let reason = format!("unpacked it has the digest {tar}, its image says {}", layer.diff_id);
                let (image, digest) = (image.to_owned(), layer.blob.digest.clone());
                return Err(ImportError::Document { image, digest, reason }.into());
            }
            match daemon.commit_snapshot(snapshotter, &key, &layer.chain_id, labels).await {
                Err(error) if error.is_there_already() => {
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
