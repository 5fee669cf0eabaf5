//! How long to wait before the next try: bounded exponential back-off with jitter, or what the server asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::RETRY_AFTER;

use super::limits::Limits;

/// Waits; injected, so that tests see the pauses instead of sitting through them.
pub trait Pause: Send + Sync {
    /// Returns after `length`.
    fn pause(&self, length: Duration) -> BoxFuture<'_, ()>;
}

/// Waits for real.
#[derive(Debug, Default)]
pub struct RealPause;

impl Pause for RealPause {
    fn pause(&self, length: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(length))
    }
}

/// The pauses between the tries of one request; as many as there are tries after the first.
pub(super) fn pauses(limits: &Limits) -> impl Iterator<Item = Duration> + Send + use<> {
    ExponentialBuilder::new()
        .with_min_delay(limits.backoff)
        .with_max_delay(limits.backoff_max)
        .with_max_times(limits.attempts.saturating_sub(1))
        .with_jitter()
        .with_jitter_seed(seed())
        .build()
}

/// Jitter only has to differ between clients, not to be unpredictable.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    u64::from(now) ^ (u64::from(std::process::id()) << 32)
}

/// `Retry-After` as seconds or as a date (RFC 9110, 10.2.3); nothing where it is absent, in the past or unreadable.
pub(super) fn asked(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let length = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(date.duration_since(now)).ok()?
        }
    };
    (!length.is_zero()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: jiff::Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("7", Some(7)),
            ("Fri, 20 Nov 2026 10:00:30 GMT", Some(30)),
            ("Fri, 20 Nov 2026 09:00:00 GMT", None),
            ("0", None),
            ("-5", None),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(asked(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        let limits = Limits::default();
        let pauses: Vec<_> = pauses(&limits).collect();
        assert_eq!(pauses.len(), limits.attempts - 1);
        assert!(pauses[0] >= limits.backoff && pauses.last() > pauses.first(), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= limits.backoff_max * 2));
    }
}
