//! Bodies that stream from a source: one 256 KiB piece per client in memory, read off the async threads, none read ahead.

use std::io::{self, Read};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

use super::catalog::Found;
use super::request::Span;
use crate::engine::blocking::blocking;
use crate::engine::error::Result;

const PIECE: usize = 256 * 1024;

/// The bytes of `span`; the next piece is read when the client has taken the one before.
///
/// # Errors
/// That the content could not be opened: nothing was sent yet, so the answer can still say so.
pub async fn open(found: Found, span: Span) -> Result<Body> {
    let label = found.digest.to_string();
    let reader = blocking(move || found.source.open(&found.digest, span.start)).await?;
    let pieces = stream::try_unfold(State { reader, left: span.length, label }, next_piece);
    Ok(Body::from_stream(pieces))
}

struct State {
    reader: Box<dyn Read + Send>,
    left: u64,
    label: String,
}

async fn next_piece(state: State) -> io::Result<Option<(Bytes, State)>> {
    if state.left == 0 {
        return Ok(None);
    }
    let label = state.label.clone();
    let read = tokio::task::spawn_blocking(move || read_piece(state)).await.map_err(io::Error::other)?;
    // The headers are out: breaking the connection off is the only way left to say that this failed.
    read.map(Some).inspect_err(|error| tracing::error!("serving {label}: {error}"))
}

fn read_piece(mut state: State) -> io::Result<(Bytes, State)> {
    let wanted = usize::try_from(state.left).unwrap_or(usize::MAX).min(PIECE);
    let mut piece = vec![0; wanted];
    state.reader.read_exact(&mut piece)?;
    state.left -= wanted as u64;
    Ok((piece.into(), state))
}
