//! A blob of the bundle as the registry client wants it: an async stream that can start again, and fails on wrong bytes.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;

use super::Job;
use super::graph::Node;
use super::stream::{BUFFER, VerifiedBlob, cause};
use crate::engine::error::{EngineError, FileError};
use crate::engine::registry::BlobSource;

/// Chunks read ahead of the network.
const AHEAD: usize = 2;

/// One blob for one image.
pub(super) struct BundleSource {
    shared: Arc<Shared>,
}

struct Shared {
    job: Job,
    node: Node,
    image: String,
    /// Bytes counted so far, to be taken back when the blob starts over.
    counted: AtomicU64,
    /// What was wrong with the bundle, which the wire's own error cannot carry.
    failure: Mutex<Option<EngineError>>,
}

impl BundleSource {
    pub(super) fn new(job: &Job, node: &Node, image: &str) -> Self {
        let shared = Shared {
            job: job.clone(),
            node: node.clone(),
            image: image.to_owned(),
            counted: AtomicU64::new(0),
            failure: Mutex::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What was wrong with the bundle, if that is what failed.
    pub(super) fn failure(&self) -> Option<EngineError> {
        self.shared.failure.lock().ok().and_then(|mut failure| failure.take())
    }
}

impl Shared {
    /// Opens at an offset. From the start the bytes are hashed as they go; an upload that goes on in the middle is
    /// preceded by a hash over the whole, so that nothing is sent of a blob that is damaged.
    fn open(&self, offset: u64) -> crate::engine::error::Result<Box<dyn Read + Send>> {
        self.job.meter.take_back(self.counted.swap(offset, Relaxed).saturating_sub(offset));
        if offset == 0 {
            return Ok(Box::new(self.job.open(&self.node, &self.image, None)?));
        }
        let mut verified = VerifiedBlob::open(&self.job.bundle, &self.node.digest, &self.image)?;
        io::copy(&mut verified, &mut io::sink())
            .map_err(|error| cause(error, |error| self.read_error(error)))?;
        Ok(Box::new(self.job.bundle.open(&self.node.digest, offset)?))
    }

    fn read_error(&self, source: io::Error) -> EngineError {
        let path = self.job.bundle.root().join(self.node.digest.layout_path());
        FileError { operation: "read", path, source }.into()
    }

    /// Keeps the cause and hands out an error for the wire.
    fn fail(&self, error: EngineError) -> io::Error {
        let words = io::Error::other(error.message());
        if let Ok(mut failure) = self.failure.lock() {
            *failure = Some(error);
        }
        words
    }

    /// Reads until the end, an error, or until nobody listens. Blocks.
    fn pump(&self, mut reader: Box<dyn Read + Send>, to: &mpsc::Sender<io::Result<Bytes>>) {
        loop {
            let mut buffer = vec![0; BUFFER];
            let item = match reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(got) => {
                    buffer.truncate(got);
                    let counted = self.counted.fetch_add(got as u64, Relaxed) + got as u64;
                    self.job.meter.add(got as u64);
                    // What was read ahead is no part of it yet.
                    let ahead = ((AHEAD + 1) * BUFFER) as u64;
                    self.job.parts.moved(&self.node.digest, counted.saturating_sub(ahead));
                    Ok(Bytes::from(buffer))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(self.fail(cause(error, |error| self.read_error(error)))),
            };
            let ends = item.is_err();
            if to.blocking_send(item).is_err() || ends {
                return;
            }
        }
    }
}

impl BlobSource for BundleSource {
    fn open(&self, offset: u64) -> BoxFuture<'_, io::Result<BoxStream<'static, io::Result<Bytes>>>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let opening = Arc::clone(&shared);
            let opened = tokio::task::spawn_blocking(move || opening.open(offset)).await;
            let reader = opened.map_err(io::Error::other)?.map_err(|error| shared.fail(error))?;
            let (to, from) = mpsc::channel(AHEAD);
            tokio::task::spawn_blocking(move || shared.pump(reader, &to));
            Ok(stream::unfold(from, |mut from| async { from.recv().await.map(|item| (item, from)) }).boxed())
        })
    }
}
