//! Bodies under watch: idle time, rate and length are checked while they stream, in either direction.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, try_unfold};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use super::error::Problem;
use super::limits::Limits;
use super::transport::ByteStream;

/// How a body is watched while it is read. Only time spent waiting for the network counts, not a slow reader's.
struct Watch {
    inner: ByteStream,
    idle: Duration,
    window: Duration,
    floor: u64,
    waited: Duration,
    bytes: u64,
}

impl Watch {
    fn new(inner: ByteStream, limits: &Limits) -> Self {
        Self {
            inner,
            idle: limits.idle,
            window: limits.window,
            floor: limits.floor,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let began = Instant::now();
            let next = tokio::time::timeout(self.idle, self.inner.next()).await;
            let Some(chunk) = next.map_err(|_| Problem::Stalled(self.idle))?.transpose()? else {
                return Ok(None);
            };
            self.waited += began.elapsed();
            self.bytes += chunk.len() as u64;
            if self.waited >= self.window {
                if self.bytes < self.floor {
                    return Err(Problem::TooSlow {
                        bytes: self.bytes,
                        floor: self.floor,
                        window: self.window,
                    });
                }
                (self.waited, self.bytes) = (Duration::ZERO, 0);
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }
}

/// The bytes of a blob from `start` to exactly `size`: shorter ends in an error, longer is cut with one.
pub(super) fn exact(inner: ByteStream, start: u64, size: u64, limits: &Limits) -> ByteStream {
    let state = (Watch::new(inner, limits), start);
    try_unfold(state, move |(mut watch, at)| async move {
        match watch.next().await? {
            None if at < size => Err(Problem::Short { actual: at, expected: size }),
            None => Ok(None),
            Some(chunk) if chunk.len() as u64 > size - at => {
                Err(Problem::TooLarge { what: "a blob longer than its descriptor says", limit: size })
            }
            Some(chunk) => {
                let at = at + chunk.len() as u64;
                Ok(Some((chunk, (watch, at))))
            }
        }
    })
    .boxed()
}

/// A whole small body in memory.
pub(super) async fn read(
    inner: ByteStream,
    limit: u64,
    what: &'static str,
    limits: &Limits,
) -> Result<Bytes, Problem> {
    let mut watch = Watch::new(inner, limits);
    let mut all = BytesMut::new();
    while let Some(chunk) = watch.next().await? {
        if all.len() as u64 + chunk.len() as u64 > limit {
            return Err(Problem::TooLarge { what, limit });
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// What came of an error body, cut at `limit`; never fails, the status is the error.
pub(super) async fn read_error(inner: ByteStream, limits: &Limits) -> Bytes {
    let mut watch = Watch::new(inner, limits);
    let mut all = BytesMut::new();
    let room = usize::try_from(limits.error_body).unwrap_or(usize::MAX);
    while let Ok(Some(chunk)) = watch.next().await {
        let take = chunk.len().min(room - all.len());
        all.extend_from_slice(&chunk[..take]);
        if all.len() >= room {
            break;
        }
    }
    all.freeze()
}

/// How far an upload is; shared between its body and whoever waits for the answer.
#[derive(Debug)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    moved: Instant,
    complete: bool,
    failure: Option<String>,
}

impl Progress {
    /// Nothing sent yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { moved: Instant::now(), complete: false, failure: None })))
    }

    /// Why the source could not be read, if that is what broke the upload.
    pub(super) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// How long nothing was taken, and whether everything was.
    pub(super) fn idle(&self) -> (Duration, bool) {
        let state = self.lock();
        (state.moved.elapsed(), state.complete)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next `length` bytes of a source as a request body that tells how far it is.
pub(super) fn outgoing(
    source: BoxStream<'static, std::io::Result<Bytes>>,
    length: u64,
    progress: &Arc<Progress>,
) -> BoxStream<'static, std::io::Result<Bytes>> {
    let seen = Arc::clone(progress);
    let failed = Arc::clone(progress);
    try_unfold((source, length), move |(mut source, left)| {
        let seen = Arc::clone(&seen);
        async move {
            if left == 0 {
                seen.lock().complete = true;
                return Ok(None);
            }
            let Some(mut chunk) = source.try_next().await? else {
                let text = format!("it ended {left} bytes early");
                return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, text));
            };
            chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - chunk.len() as u64;
            let mut state = seen.lock();
            state.moved = Instant::now();
            state.complete = left == 0;
            drop(state);
            Ok(Some((chunk, (source, left))))
        }
    })
    .inspect_err(move |error| failed.lock().failure = Some(error.to_string()))
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn body(chunks: &[&'static str]) -> ByteStream {
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from_static(c.as_bytes()))).collect();
        stream::iter(chunks).boxed()
    }

    #[tokio::test]
    async fn a_blob_is_neither_shorter_nor_longer_than_its_size() {
        let limits = Limits::default();
        let fine: Vec<_> = exact(body(&["ab", "", "c"]), 2, 5, &limits).try_collect().await.unwrap();
        assert_eq!(fine.concat(), b"abc");
        let short = exact(body(&["ab"]), 0, 5, &limits).try_collect::<Vec<_>>().await;
        assert!(matches!(short, Err(Problem::Short { actual: 2, expected: 5 })));
        let mut long = exact(body(&["ab", "cdef", "never read"]), 0, 5, &limits);
        assert!(long.next().await.unwrap().is_ok());
        assert!(matches!(long.next().await.unwrap(), Err(Problem::TooLarge { limit: 5, .. })));
        assert!(long.next().await.is_none());
    }

    /// The same proportions as in use, a hundred times faster.
    fn quick() -> Limits {
        let milliseconds = Duration::from_millis;
        Limits { idle: milliseconds(300), window: milliseconds(600), floor: 600, ..Limits::default() }
    }

    fn drip(piece: &'static [u8]) -> ByteStream {
        stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Some((Ok(Bytes::from_static(piece)), ()))
        })
        .boxed()
    }

    #[tokio::test]
    async fn a_stall_and_a_drip_are_told_apart_and_64_kbit_passes() {
        let limits = quick();
        let stalled = exact(stream::pending().boxed(), 0, 5, &limits).next().await.unwrap();
        assert!(matches!(stalled, Err(Problem::Stalled(_))));
        let slow = exact(drip(b"x"), 0, 1 << 30, &limits).try_for_each(|_| async { Ok(()) }).await;
        assert!(matches!(slow, Err(Problem::TooSlow { .. })), "{slow:?}");
        // Eight times the least rate, for longer than any of the time-outs.
        let size = 80 * 120;
        let all = exact(drip(&[b'y'; 80]).take(120).boxed(), 0, size, &limits)
            .try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len() as u64) })
            .await;
        assert_eq!(all.unwrap(), size);
    }

    #[tokio::test]
    async fn a_slow_reader_is_not_taken_for_a_slow_registry() {
        let limits = quick();
        let many = stream::iter((0..5).map(|_| Ok(Bytes::from_static(b"z")))).boxed();
        let read = exact(many, 0, 5, &limits).try_for_each(|_| async {
            tokio::time::sleep(limits.idle + limits.window / 2).await;
            Ok(())
        });
        assert!(read.await.is_ok());
    }

    #[test]
    fn the_least_rate_in_use_is_well_below_64_kbit() {
        let limits = Limits::default();
        assert!(limits.floor / limits.window.as_secs() <= 8000 / 4);
    }
}
