//! Every cap and patience of the registry client in one place, so that tests can shorten them.

use std::time::Duration;

use crate::domain::manifest::MAX_MANIFEST;

/// Caps and time-outs. There is deliberately no time-out for a whole transfer.
#[derive(Clone, Debug)]
pub struct Limits {
    /// To establish a connection.
    pub connect: Duration,
    /// Without one byte, while waiting for an answer or in a body.
    pub idle: Duration,
    /// For the answer after the last byte of an upload: registries move the blob then.
    pub commit: Duration,
    /// Least bytes per [`Limits::window`] of waiting.
    pub floor: u64,
    /// Over which the rate is measured; only time spent waiting for the network counts.
    pub window: Duration,
    /// Tries of one request, the first included.
    pub attempts: usize,
    /// The first pause between tries; doubles, with jitter.
    pub backoff: Duration,
    /// The longest pause of our own.
    pub backoff_max: Duration,
    /// For a registry to come back that gave bytes and is gone, as one that is restarted.
    pub gone: Duration,
    /// The longest pause between tries meanwhile.
    pub gone_pause: Duration,
    /// The longest pause that a `Retry-After` can ask for.
    pub retry_after_max: Duration,
    /// Redirects followed in a row.
    pub redirects: usize,
    /// Bytes of a manifest.
    pub manifest: u64,
    /// Bytes of a token answer.
    pub token: u64,
    /// Bytes read of an error body.
    pub error_body: u64,
    /// Bytes of one page of tags or repositories.
    pub page: u64,
    /// Pages of one list.
    pub pages: usize,
    /// Entries of one list.
    pub entries: usize,
    /// Bytes of one chunk of a chunked upload.
    pub chunk: u64,
    /// For a credential helper to answer.
    pub helper: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            commit: Duration::from_secs(600),
            floor: 60 * 1024,
            window: Duration::from_secs(60),
            attempts: 5,
            backoff: Duration::from_millis(500),
            backoff_max: Duration::from_secs(20),
            gone: Duration::from_secs(60),
            gone_pause: Duration::from_secs(4),
            retry_after_max: Duration::from_secs(60),
            redirects: 5,
            manifest: MAX_MANIFEST,
            token: 1 << 20,
            error_body: 1 << 20,
            page: 8 << 20,
            pages: 10_000,
            entries: 1_000_000,
            chunk: 16 << 20,
            helper: Duration::from_secs(15),
        }
    }
}
