//! How long to wait before the next try: bounded exponential back-off with jitter, or what the server asked for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use tokio::time::Instant;

use super::error::Problem;
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

/// The waits between the tries of one call.
pub(super) struct Waits {
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
    /// Those for a registry that is gone, and for how long it is waited for still; nothing where it is not.
    patient: Option<(Box<dyn Iterator<Item = Duration> + Send>, Duration)>,
    began: Instant,
}

/// One of them.
pub(super) struct Wait {
    pub(super) pause: Duration,
    /// For how long a registry that is gone is waited for still, from before the pause.
    pub(super) left: Option<Duration>,
}

impl Waits {
    pub(super) fn new(limits: &Limits, patient: bool) -> Self {
        let many = ExponentialBuilder::new()
            .with_min_delay(limits.backoff)
            .with_max_delay(limits.gone_pause)
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(seed());
        Self {
            pauses: Box::new(pauses(limits)),
            patient: patient.then(|| (Box::new(many.build()) as Box<_>, limits.gone)),
            began: Instant::now(),
        }
    }

    /// The one before the next try after that problem; nothing where there is no next try.
    pub(super) fn next(&mut self, problem: &Problem) -> Option<Wait> {
        if !problem.is_retryable() {
            return None;
        }
        let Some((many, left)) = self.patient.as_mut().filter(|_| matches!(problem, Problem::Connect(_)))
        else {
            return self.pauses.next().map(|pause| Wait { pause, left: None });
        };
        // A host that is gone as a whole lets each try wait, too.
        let now = left.checked_sub(std::mem::replace(&mut self.began, Instant::now()).elapsed())?;
        let pause = many.next()?.min(now);
        *left = now.saturating_sub(pause);
        (!now.is_zero()).then_some(Wait { pause, left: Some(now) })
    }

    /// The pause is over: it was counted before.
    pub(super) fn waited(&mut self) {
        self.began = Instant::now();
    }
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
    fn only_a_registry_that_is_gone_is_waited_for_and_not_for_ever() {
        let limits = Limits::default();
        let gone = || Problem::Connect("refused".to_owned());
        let all = |patient, problem: &Problem| {
            let mut waits = Waits::new(&limits, patient);
            std::iter::from_fn(|| waits.next(problem)).collect::<Vec<_>>()
        };
        for (patient, problem) in [(false, gone()), (true, Problem::Stalled(limits.idle))] {
            let waits = all(patient, &problem);
            assert_eq!(waits.len(), limits.attempts - 1, "{problem}");
            assert!(waits.iter().all(|wait| wait.left.is_none()), "{problem}");
        }
        assert!(all(true, &Problem::Setup(String::new())).is_empty());
        let waits = all(true, &gone());
        let sum: Duration = waits.iter().map(|wait| wait.pause).sum();
        let seconds = Duration::from_secs;
        assert!(sum > limits.gone - seconds(1) && sum <= limits.gone, "{sum:?}");
        assert!(waits.len() > limits.attempts, "{}", waits.len());
        let left: Vec<_> = waits.iter().filter_map(|wait| wait.left).collect();
        assert!(left.len() == waits.len() && left.is_sorted_by(|a, b| a > b), "{left:?}");
        assert!(left[0] > limits.gone - seconds(1), "{left:?}");
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
