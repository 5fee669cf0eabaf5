//! Bodies that stream from a source: one 256 KiB piece per client in memory, hashed on its way where it is a whole blob, so that none that is damaged is ever sent to its end.

use std::io::{self, Read};
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use super::catalog::Found;
use super::refusal::Refusal;
use super::request::Span;
use super::trouble::Trouble;
use crate::domain::digest::Digest;
use crate::engine::blocking::blocking;
use crate::engine::hash::Hasher;

const PIECE: usize = 256 * 1024;

/// The bytes of `span`; the next piece is read when the client has taken the one before. A part of a blob is not hashed:
/// who asks for one has the rest, and its digest.
///
/// # Errors
/// That the content could not be opened, or is damaged, where nothing was sent yet and the answer can still say so.
pub async fn open(found: Found, span: Span, trouble: &Arc<Trouble>) -> Result<Body, Refusal> {
    let (label, digest) = (found.source.label(), found.digest.clone());
    let refused = || Refusal::Unreadable(digest.to_string());
    let whole = span.length == found.size;
    let reader = blocking(move || found.source.open(&found.digest, span.start)).await.map_err(|error| {
        trouble.unopened(&label, &digest, &error);
        refused()
    })?;
    let hasher = whole.then(|| Hasher::new(digest.algorithm()));
    let state = State {
        reader,
        left: span.length,
        hasher,
        digest: digest.clone(),
        label,
        trouble: Arc::clone(trouble),
    };
    if span.length <= PIECE as u64 {
        let (piece, _) = piece(state).await.map_err(|_| refused())?;
        return Ok(Body::from(piece));
    }
    Ok(Body::from_stream(stream::try_unfold(state, next_piece)))
}

struct State {
    reader: Box<dyn Read + Send>,
    left: u64,
    /// Over all bytes so far, where they are a whole blob in the end.
    hasher: Option<Hasher>,
    digest: Digest,
    label: String,
    trouble: Arc<Trouble>,
}

async fn next_piece(state: State) -> io::Result<Option<(Bytes, State)>> {
    // The headers are out: breaking the connection off is the only way left to say that this failed.
    if state.left == 0 { Ok(None) } else { piece(state).await.map(Some) }
}

async fn piece(state: State) -> io::Result<(Bytes, State)> {
    tokio::task::spawn_blocking(move || state.read()).await.map_err(io::Error::other)?
}

impl State {
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
