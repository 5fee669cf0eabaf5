//! Bodies that stream from a source: one 256 KiB piece per client in memory, hashed on its way where it is a whole blob, so that none that is damaged is ever sent to its end; a part is sent of a blob that is known to be whole.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::catalog::Found;
use super::refusal::Refusal;
use super::request::Span;
use super::trouble::Trouble;
use super::whole::Whole;
use crate::domain::digest::Digest;
use crate::engine::hash::Hasher;

const PIECE: usize = 256 * 1024;

/// The bytes of `span`; the next piece is read when the client has taken the one before.
///
/// # Errors
/// That the content could not be opened, or is damaged, where nothing was sent yet and the answer can still say so.
pub async fn open(found: Found, span: Span, whole: &Whole) -> Result<Body, Refusal> {
    let digest = found.digest.clone();
    let refused = |_| Refusal::Unreadable(digest.to_string());
    if span.length < found.size {
        whole.ensure(&found).await.map_err(refused)?;
    }
    let trouble = Arc::clone(whole.trouble());
    let opened = tokio::task::spawn_blocking(move || Reading::of(&found, span, &trouble)).await;
    let reading = opened.map_err(io::Error::other).flatten().map_err(refused)?;
    if span.length <= PIECE as u64 {
        let (piece, _) = piece(reading).await.map_err(refused)?;
        return Ok(Body::from(piece));
    }
    Ok(Body::from_stream(stream::try_unfold(reading, next_piece)))
}

async fn next_piece(reading: Reading) -> io::Result<Option<(Bytes, Reading)>> {
    // The headers are out: breaking the connection off is the only way left to say that this failed.
    if reading.left == 0 { Ok(None) } else { piece(reading).await.map(Some) }
}

async fn piece(reading: Reading) -> io::Result<(Bytes, Reading)> {
    tokio::task::spawn_blocking(move || reading.read()).await.map_err(io::Error::other)?
}

/// How far a blob is known to be what its digest says.
pub(super) enum Hashed {
    /// To its end.
    Whole,
    /// Not yet: that comes of these bytes from its start on.
    UpTo(u64, Box<Hasher>),
}

impl Hashed {
    /// Nothing of it yet.
    pub(super) fn nothing(found: &Found) -> Self {
        Self::UpTo(0, Box::new(Hasher::new(found.digest.algorithm())))
    }

    /// Hashes what is left of a blob, piece by piece as long as somebody waits for it. Blocks.
    ///
    /// # Errors
    /// That it is damaged, or cannot be read, which was told.
    pub(super) fn go_on(
        self,
        found: &Found,
        trouble: &Arc<Trouble>,
        unawaited: &CancellationToken,
    ) -> io::Result<Self> {
        let Self::UpTo(at, hasher) = self else { return Ok(Self::Whole) };
        let rest = Span { start: at, length: found.size.saturating_sub(at) };
        let mut reading = Reading { hasher: Some(*hasher), ..Reading::of(found, rest, trouble)? };
        while reading.left > 0 {
            if unawaited.is_cancelled() {
                let up_to = |hasher| Self::UpTo(found.size - reading.left, Box::new(hasher));
                return Ok(reading.hasher.map_or_else(|| Self::nothing(found), up_to));
            }
            (_, reading) = reading.read()?;
        }
        Ok(Self::Whole)
    }
}

/// A blob that is read, or a part of it; what goes wrong with it is told.
struct Reading {
    reader: Box<dyn Read + Send>,
    left: u64,
    /// Over all bytes so far, where they are a whole blob in the end.
    hasher: Option<Hasher>,
    digest: Digest,
    label: String,
    trouble: Arc<Trouble>,
}

impl Reading {
    fn of(found: &Found, span: Span, trouble: &Arc<Trouble>) -> io::Result<Self> {
        let (label, digest) = (found.source.label(), found.digest.clone());
        let reader = found.source.open(&digest, span.start).map_err(|error| {
            trouble.unopened(&label, &digest, &error);
            io::Error::other(error.message())
        })?;
        let hasher = (span.length == found.size).then(|| Hasher::new(digest.algorithm()));
        Ok(Self { reader, left: span.length, hasher, digest, label, trouble: Arc::clone(trouble) })
    }

    /// The next piece; the last one only where all of them are what the digest says.
    fn read(mut self) -> io::Result<(Bytes, Self)> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
        let mut piece = vec![0; wanted];
        if let Err(error) = self.reader.read_exact(&mut piece) {
            let reason = format!("{}: {error}", self.digest.layout_path());
            match error.kind() {
                io::ErrorKind::UnexpectedEof => self.trouble.broken(&self.label, &self.digest, &reason),
                _ => self.trouble.unreadable(&self.label, &self.digest, &reason),
            }
            return Err(error);
        }
        self.left -= wanted as u64;
        let Some(mut hasher) = self.hasher.take() else { return Ok((piece.into(), self)) };
        hasher.update(&piece);
        if self.left > 0 {
            self.hasher = Some(hasher);
            return Ok((piece.into(), self));
        }
        let actual = hasher.finish();
        if actual != self.digest {
            self.trouble.damaged(&self.label, &self.digest, &actual);
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((piece.into(), self))
    }
}
