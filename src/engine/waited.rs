//! The length of a wait by whose end something is given up: time for which this process was stopped is no part of it.

use std::pin::pin;
use std::time::{Duration, Instant};

/// How often a wait is looked at.
pub const TICK: Duration = Duration::from_millis(200);
/// Longer than this no look is late on a host that is merely busy: the process was stopped meanwhile, by a signal or with
/// its machine. Nothing came in that time because nobody could take it.
const STOPPED: Duration = Duration::from_secs(5);

/// A wait that is looked at every [`TICK`].
#[derive(Debug)]
pub struct Waited {
    length: Duration,
    looked: Instant,
}

impl Waited {
    /// One that begins now.
    pub fn begin() -> Self {
        Self { length: Duration::ZERO, looked: Instant::now() }
    }

    /// Its length until now.
    pub fn look(&mut self) -> Duration {
        self.look_at(Instant::now())
    }

    fn look_at(&mut self, now: Instant) -> Duration {
        let passed = now.duration_since(std::mem::replace(&mut self.looked, now));
        self.length += if passed < STOPPED { passed } else { TICK };
        self.length
    }

    /// Waits for some work, and tells how long that took.
    pub async fn during<T>(work: impl Future<Output = T>) -> (T, Duration) {
        let (mut work, mut waited) = (pin!(work), Self::begin());
        loop {
            let done = tokio::time::timeout(TICK, &mut work).await;
            let length = waited.look();
            if let Ok(done) = done {
                return (done, length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_as_long_as_the_process_ran_meanwhile() {
        let seconds = Duration::from_secs;
        let mut waited = Waited::begin();
        let mut now = waited.looked;
        let mut after = |passed| {
            now += passed;
            waited.look_at(now)
        };
        assert_eq!(after(TICK), TICK);
        assert_eq!(after(seconds(2)), TICK + seconds(2), "a busy host looks late");
        // As a clock goes on while a process is stopped.
        for times in 1..=3 {
            assert_eq!(after(seconds(3600)), TICK + seconds(2) + TICK * times);
        }
        assert_eq!(after(seconds(1)), TICK * 4 + seconds(3));
    }

    #[tokio::test]
    async fn work_is_waited_for_over_many_looks() {
        let work = async {
            tokio::time::sleep(TICK * 2).await;
            7
        };
        let (done, length) = Waited::during(work).await;
        assert!(done == 7 && length >= TICK * 2, "{length:?}");
    }
}
