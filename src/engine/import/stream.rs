//! A blob on its way out of the bundle: hashed as it goes by, and its last bytes are withheld unless the whole is right.

use std::io::{self, Read};
use std::sync::Arc;

use super::Job;
use super::error::StreamError;
use super::fan::SharedBlob;
use super::graph::Node;
use super::parts::Parts;
use crate::domain::digest::Digest;
use crate::engine::bundle::read::{BlobStream, BundleReader, ReadError};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, FileError, Interrupted, Result};
use crate::engine::hash::Hasher;
use crate::engine::meter::Meter;

/// Bytes per read of a blob.
pub(super) const BUFFER: usize = 256 * 1024;

/// The bytes of one blob. A reader that gets all of them without an error got the right ones.
pub(super) struct VerifiedBlob {
    inner: BlobStream,
    hasher: Option<Hasher>,
    left: u64,
    expected: Digest,
    path: String,
    image: String,
    root: std::path::PathBuf,
}

impl VerifiedBlob {
    /// Opens a blob from its start; `image` is who it is for, in errors.
    ///
    /// # Errors
    /// [`ReadError`] or a file error.
    pub(super) fn open(bundle: &BundleReader, digest: &Digest, image: &str) -> Result<Self> {
        let blob = bundle.blob(digest).ok_or_else(|| ReadError::NotListed(digest.clone()))?;
        let path = match blob.parts.as_slice() {
            [] => digest.layout_path(),
            [only] => only.path.clone(),
            [first, .., last] => format!("{} to {}", first.path, last.path),
        };
        let mut stream = Self {
            inner: bundle.open(digest, 0)?,
            hasher: Some(Hasher::new(digest.algorithm())),
            left: blob.size,
            expected: digest.clone(),
            path,
            image: image.to_owned(),
            root: bundle.root().to_owned(),
        };
        if stream.left == 0 {
            stream.settle()?;
        }
        Ok(stream)
    }

    fn settle(&mut self) -> std::result::Result<(), StreamError> {
        match self.hasher.take().map(Hasher::finish) {
            Some(actual) if actual != self.expected => Err(StreamError::Content {
                image: self.image.clone(),
                path: self.path.clone(),
                expected: self.expected.clone(),
                actual,
            }),
            _ => Ok(()),
        }
    }
}

impl Read for VerifiedBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = match self.inner.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(source) => {
                let path = self.root.join(&self.path);
                let source = FileError { operation: "read", path, source };
                return Err(io::Error::other(StreamError::Read { image: self.image.clone(), source }));
            }
            Ok(got) => got,
        };
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..got]);
        }
        self.left = self.left.saturating_sub(got as u64);
        if self.left == 0 {
            self.settle().map_err(io::Error::other)?;
        }
        Ok(got)
    }
}

/// A blob on its way into a target, read here or along with other targets. It stands still while the job is paused and
/// ends with an error when that is to stop.
pub(super) struct Incoming {
    blob: Box<dyn Read + Send>,
    meter: Option<Arc<Meter>>,
    ctx: JobCtx,
    /// Where its image is told of, and how much of it came.
    told: Option<(Parts, Digest, u64)>,
}

impl Incoming {
    /// Takes the shared one, or else reads the bundle; `image` is who it is for, bytes count in `meter`.
    ///
    /// # Errors
    /// As [`VerifiedBlob::open`].
    pub(super) fn open(
        job: &Job,
        node: &Node,
        (image, meter): (&str, Option<&Arc<Meter>>),
        shared: Option<SharedBlob>,
    ) -> Result<Self> {
        let blob: Box<dyn Read + Send> = match shared {
            Some(shared) => Box::new(shared),
            None => Box::new(VerifiedBlob::open(&job.bundle, &node.digest, image)?),
        };
        Ok(Self { blob, meter: meter.cloned(), ctx: job.ctx.clone(), told: None })
    }

    /// Bytes from elsewhere that are hashed and counted there.
    pub(super) fn of(job: &Job, bytes: impl Read + Send + 'static) -> Self {
        Self { blob: Box::new(bytes), meter: None, ctx: job.ctx.clone(), told: None }
    }

    /// The same, where what was read is written before more is read: its images are told of it.
    pub(super) fn told(self, job: &Job, node: &Node) -> Self {
        Self { told: Some((job.parts.clone(), node.digest.clone(), 0)), ..self }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ctx.pause_point_blocking().is_err() {
            return Err(io::Error::other(Interrupted));
        }
        let got = self.blob.read(buffer)?;
        if let Some(meter) = &self.meter {
            match got {
                // The last bytes are told, too, however long the target takes until it wants others.
                0 if !buffer.is_empty() => meter.now(),
                got => meter.add(got as u64),
            }
        }
        if let Some((parts, digest, done)) = &mut self.told {
            *done += got as u64;
            parts.moved(digest, *done);
        }
        Ok(got)
    }
}

/// Tells what failed in a copy out of a blob: the stream itself, a stop, or else what `other` makes of it.
pub(super) fn cause(error: io::Error, other: impl FnOnce(io::Error) -> EngineError) -> EngineError {
    match error.downcast::<StreamError>() {
        Ok(stream) => stream.into(),
        Err(error) => match error.downcast::<Interrupted>() {
            Ok(stopped) => stopped.into(),
            Err(error) => other(error),
        },
    }
}
