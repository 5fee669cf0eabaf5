//! Brings the blobs of a run into containerd: each once, only what is missing, hashed on the way, in the order of images.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};

use super::Blob;
use super::run::Run;
use crate::domain::digest::Digest;
use crate::engine::blocking::joined;
use crate::engine::error::{EngineError, FileError, Result};
use crate::engine::import::Job;
use crate::engine::import::graph::Node;
use crate::engine::import::stopped::Stopped;
use crate::engine::import::stream::cause;
use crate::engine::runtime::containerd::Labels;
use crate::engine::runtime::containerd::content::{Opened, Writer};
use crate::engine::runtime::error::RuntimeError;

/// Bytes of one message; larger ones are slower, smaller ones too (measured with 1.6 and 2.1).
const MESSAGE: usize = 1024 * 1024;
/// Messages read ahead of the daemon.
const AHEAD: usize = 1;

/// A blob to be brought.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) blob: Blob,
    pub(super) labels: Labels,
    /// The first image that wants it.
    pub(super) image: String,
}

/// Where a blob of this run stands.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    Awaited,
    There,
    Failed(Arc<EngineError>),
}

impl Run {
    /// Brings everything; what fails is told to those who wait for it.
    pub(super) async fn feed(self: Arc<Self>) {
        let left = Mutex::new(self.feeds.iter());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let lanes = self.job.lanes(self.job.spec.jobs.max(1).min(self.feeds.len()));
        join_all(lanes.into_iter().map(async |lane| {
            while let Some(feed) = next() {
                let standing = match Box::pin(self.one(&lane, feed)).await {
                    Ok(()) => Standing::There,
                    Err(error) => Standing::Failed(Arc::new(error)),
                };
                if let Some(told) = self.standing.get(&feed.blob.digest) {
                    told.send_replace(standing);
                }
            }
        }))
        .await;
    }

    /// Waits until a blob is there.
    ///
    /// # Errors
    /// What kept it away.
    pub(super) async fn arrival(&self, digest: &Digest) -> Result<()> {
        let Some(told) = self.standing.get(digest) else { return Ok(()) };
        let mut told: watch::Receiver<Standing> = told.subscribe();
        // The sender is this run's own, so it does not go away meanwhile.
        let now = told.wait_for(|standing| !matches!(standing, Standing::Awaited)).await;
        match now.as_deref() {
            Ok(Standing::Failed(error)) => Err(Stopped::new(error, []).into()),
            _ => Ok(()),
        }
    }

    async fn one(&self, job: &Job, feed: &Feed) -> Result<()> {
        self.job.ctx.pause_point().await?;
        let node = Node {
            digest: feed.blob.digest.clone(),
            size: feed.blob.size,
            media_type: feed.blob.media_type.clone(),
        };
        let mut again = false;
        loop {
            let writer = match self.daemon.open_blob(&feed.blob, feed.labels.clone()).await? {
                Opened::There if self.there(feed, &node).await? => return Ok(()),
                Opened::There => {
                    // Collected just now: it is to be brought after all.
                    self.job.ctx.check()?;
                    continue;
                }
                Opened::Writer(writer) => *writer,
            };
            let resumed = writer.offset() > 0;
            match self.stream(job, feed, &node, writer).await {
                Ok(()) => {
                    self.job.parts.there(&node.digest);
                    self.sums.wrote(node.size);
                    return Ok(());
                }
                Err(error) => {
                    // What is left of it would be gone on with by whoever comes next.
                    let forgotten = self.daemon.abort_blob(&node.digest).await;
                    if resumed && !again && error.refused && forgotten.is_ok() {
                        // The part of an earlier run was not what it should be: once more, from the start.
                        self.job.meter.take_back(node.size);
                        again = true;
                        continue;
                    }
                    return Err(error.error);
                }
            }
        }
    }

    /// A blob that the daemon said it has: kept by the lease, with the labels that lead on from it; false where it is
    /// gone meanwhile.
    async fn there(&self, feed: &Feed, node: &Node) -> Result<bool> {
        if !self.daemon.adopt(&feed.blob, &feed.labels).await? {
            return Ok(false);
        }
        self.job.pass(node);
        self.job.parts.there(&node.digest);
        self.sums.found(node.size);
        self.job.meter.add_kept(node.size);
        self.job.meter.now();
        Ok(true)
    }

    /// Brings a blob again where somebody removed it since it arrived; tells whether.
    ///
    /// # Errors
    /// As it is to bring it.
    pub(super) async fn bring_again(&self, digest: &Digest) -> Result<bool> {
        let Some(feed) = self.feeds.iter().find(|feed| feed.blob.digest == *digest) else { return Ok(false) };
        if self.daemon.blob_info(digest).await?.is_some() {
            return Ok(false);
        }
        self.job.meter.take_back(feed.blob.size);
        self.one(&self.job, feed).await?;
        Ok(true)
    }

    async fn stream(
        &self,
        job: &Job,
        feed: &Feed,
        node: &Node,
        mut writer: Writer,
    ) -> std::result::Result<(), Unsent> {
        let (to, mut from) = mpsc::channel(AHEAD);
        let (job, node, image) = (job.clone(), node.clone(), feed.image.clone());
        let skip = writer.offset();
        let reader = tokio::task::spawn_blocking(move || read(&job, &node, &image, skip, &to));
        let mut failed = None;
        while let Some(bytes) = from.recv().await {
            if let Err(error) = writer.write(bytes).await {
                failed = Some(error);
                break;
            }
            self.job.parts.moved(&feed.blob.digest, writer.answered());
        }
        // The reader ends by itself where nobody takes more.
        drop(from);
        let read = joined(reader.await);
        if let Some(error) = failed {
            writer.close().await;
            return Err(error.into());
        }
        if let Err(error) = read {
            // Nothing of a blob that does not hash right may stay.
            writer.close().await;
            return Err(Unsent { refused: false, error });
        }
        Ok(writer.commit().await?)
    }
}

/// A blob that did not get there.
struct Unsent {
    /// Whether it was the daemon that said no.
    refused: bool,
    error: EngineError,
}

impl From<RuntimeError> for Unsent {
    fn from(error: RuntimeError) -> Self {
        Self { refused: matches!(error, RuntimeError::Refused { .. }), error: error.into() }
    }
}

/// Reads and hashes a blob to its end and hands on what comes after the first `skip` bytes. Blocks.
fn read(job: &Job, node: &Node, image: &str, skip: u64, to: &mpsc::Sender<Bytes>) -> Result<()> {
    let mut source = job.open(node, image, Some(&job.meter))?;
    let mut left = skip;
    loop {
        let mut buffer = vec![0; MESSAGE];
        let mut filled = 0;
        while filled < MESSAGE {
            match source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let path = job.bundle.root().join(node.digest.layout_path());
                    return Err(cause(error, |source| FileError { operation: "read", path, source }.into()));
                }
            }
        }
        if filled == 0 {
            return Ok(());
        }
        buffer.truncate(filled);
        let known = usize::try_from(left).unwrap_or(usize::MAX).min(filled);
        left -= known as u64;
        let bytes = Bytes::from(buffer).slice(known..);
        if !bytes.is_empty() && to.blocking_send(bytes).is_err() {
            // The daemon takes no more of it, and says so itself.
            return Ok(());
        }
    }
}
