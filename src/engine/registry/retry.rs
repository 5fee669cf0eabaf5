//! How long to wait before the next try: bounded exponential back-off with jitter, or what the server asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::RETRY_AFTER;

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

/// A host that gave bytes and may be gone: all calls that wait for it have the same time left. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Absence(Arc<Mutex<Awaited>>);

/// How it was waited for until now.
#[derive(Clone, Copy, Debug, Default)]
struct Awaited {
    /// Absences before this one: whoever waited for the host in one of them begins anew.
    earlier: u64,
    /// For how long, by the call that does so longest.
    waited: Duration,
    /// Tries in vain, of the call with the most.
    tries: u32,
}

impl Absence {
    /// The host answers: whoever waits for it later has all the time again.
    pub fn end(&self) {
        let mut all = self.lock();
        if all.tries > 0 {
            *all = Awaited { earlier: all.earlier + 1, ..Awaited::default() };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waits between the tries of one call.
pub(super) struct Waits {
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
    /// Those for a registry that is gone; nothing where it is not waited for.
    patience: Option<Patience>,
}

/// The waits of one call for a registry that is gone.
struct Patience {
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
    /// For how long it is waited for.
    gone: Duration,
    absence: Absence,
    /// How this call waited.
    own: Awaited,
    /// The pause that is not over yet.
    pause: Duration,
}

/// One of them.
pub(super) struct Wait {
    pub(super) pause: Duration,
    /// For how long a registry that is gone is waited for still, from before the pause, and which try comes next.
    pub(super) gone: Option<(Duration, u32)>,
}

impl Patience {
    fn new(limits: &Limits, absence: Absence) -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(limits.backoff)
            .with_max_delay(limits.gone_pause)
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(seed());
        let own = Awaited { tries: 0, ..*absence.lock() };
        Self { pauses: Box::new(pauses.build()), gone: limits.gone, absence, own, pause: Duration::ZERO }
    }

    /// The next wait after a try that took so long.
    fn next(&mut self, took: Duration) -> Option<Wait> {
        let mut all = self.absence.lock();
        if self.own.earlier == all.earlier {
            self.own.waited = self.own.waited.saturating_add(took);
        } else {
            self.own = Awaited { tries: 0, ..*all };
        }
        self.own.tries += 1;
        (all.waited, all.tries) = (all.waited.max(self.own.waited), all.tries.max(self.own.tries));
        let left = self.gone.checked_sub(all.waited).filter(|left| !left.is_zero())?;
        self.pause = self.pauses.next()?.min(left);
        Some(Wait { pause: self.pause, gone: Some((left, all.tries + 1)) })
    }
}

impl Waits {
    pub(super) fn new(limits: &Limits, absence: Option<&Absence>) -> Self {
        Self {
            pauses: Box::new(pauses(limits)),
            patience: absence.map(|absence| Patience::new(limits, absence.clone())),
        }
    }

    /// The one before the next try after one that took so long and met that problem; nothing where there is no next try.
    pub(super) fn next(&mut self, problem: &Problem, took: Duration) -> Option<Wait> {
        if !problem.is_retryable() {
            return None;
        }
        match &mut self.patience {
            // A host that is gone as a whole lets each try wait, too.
            Some(patience) if matches!(problem, Problem::Connect(_)) => patience.next(took),
            _ => self.pauses.next().map(|pause| Wait { pause, gone: None }),
        }
    }

    /// The pause is over, and counts as long as it was meant to be.
    pub(super) fn waited(&mut self) {
        if let Some(patience) = &mut self.patience {
            let pause = std::mem::take(&mut patience.pause);
            patience.own.waited = patience.own.waited.saturating_add(pause);
        }
    }

    /// The host answered.
    pub(super) fn answered(&self) {
        self.patience.iter().for_each(|patience| patience.absence.end());
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

    /// A try that is refused as soon as it is made.
    const AT_ONCE: Duration = Duration::ZERO;

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
        let all = |patient: bool, problem: &Problem| {
            let mut waits = Waits::new(&limits, patient.then(Absence::default).as_ref());
            let next = || waits.next(problem, AT_ONCE).inspect(|_| waits.waited());
            std::iter::from_fn(next).collect::<Vec<_>>()
        };
        for (patient, problem) in [(false, gone()), (true, Problem::Stalled(limits.idle))] {
            let waits = all(patient, &problem);
            assert_eq!(waits.len(), limits.attempts - 1, "{problem}");
            assert!(waits.iter().all(|wait| wait.gone.is_none()), "{problem}");
        }
        assert!(all(true, &Problem::Setup(String::new())).is_empty());
        let waits = all(true, &gone());
        let sum: Duration = waits.iter().map(|wait| wait.pause).sum();
        let seconds = Duration::from_secs;
        assert!(sum > limits.gone - seconds(1) && sum <= limits.gone, "{sum:?}");
        assert!(waits.len() > limits.attempts, "{}", waits.len());
        let left: Vec<_> = waits.iter().filter_map(|wait| Some(wait.gone?.0)).collect();
        assert!(left.len() == waits.len() && left.is_sorted_by(|a, b| a > b), "{left:?}");
        assert!(left[0] > limits.gone - seconds(1), "{left:?}");
    }

    #[test]
    fn all_that_wait_for_a_host_have_the_same_time_left_and_begin_anew_once_it_answered() {
        let (limits, absence) = (Limits::default(), Absence::default());
        let gone = Problem::Connect("refused".to_owned());
        let calls = || Waits::new(&limits, Some(&absence));
        let mut waits = [calls(), calls(), calls()];
        let mut told = Vec::new();
        for round in 0..6 {
            for one in waits.iter_mut().take(1 + round) {
                told.push(one.next(&gone, AT_ONCE).unwrap().gone.unwrap());
                one.waited();
            }
        }
        assert!(
            told.is_sorted_by(|(left, attempt), (then, next)| left >= then && attempt <= next),
            "{told:?}"
        );
        let late = calls().next(&gone, AT_ONCE).unwrap().gone.unwrap();
        assert!(late.0 <= told[told.len() - 1].0 && late.1 == told[told.len() - 1].1, "{late:?}");
        absence.end();
        let anew = waits[0].next(&gone, AT_ONCE).unwrap().gone.unwrap();
        assert!(anew.0 == limits.gone && anew.1 == 2, "{anew:?}");
        // One of them used it all up: the host is gone for all of them.
        while waits[0].next(&gone, AT_ONCE).is_some() {
            waits[0].waited();
        }
        assert!(waits[1].next(&gone, AT_ONCE).is_none() && calls().next(&gone, AT_ONCE).is_none());
    }

    #[test]
    fn tries_that_hang_are_part_of_the_wait() {
        let (limits, gone) = (Limits::default(), Problem::Connect("no answer".to_owned()));
        let mut waits = Waits::new(&limits, Some(&Absence::default()));
        let next = || waits.next(&gone, limits.connect).inspect(|_| waits.waited());
        assert_eq!(std::iter::from_fn(next).count(), 1, "half of the time each");
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
