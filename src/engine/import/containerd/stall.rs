//! Waits for the unpacking of a layer, however long it takes, and says where nothing comes of it.

use std::pin::pin;
use std::time::{Duration, Instant};

use super::pieces::Layer;
use super::run::Run;

/// How often it is looked how far an unpacking is.
const LOOK: Duration = Duration::from_secs(30);
/// From when on an unpacking that writes nothing is called stalled, and how often that is said.
const STALLED: Duration = Duration::from_secs(5 * 60);

/// Whether an unpacking moves, from what it has on disk.
#[derive(Debug, Default)]
struct Stall {
    usage: Option<(i64, i64)>,
    moved: Duration,
    said: Duration,
}

impl Stall {
    /// What was seen at a time since the begin: `Ok(None)` where the count failed, an error where it did not come to an
    /// end. Gives the minutes without a move, where they are to be said.
    fn look<E>(&mut self, at: Duration, usage: Result<Option<(i64, i64)>, E>) -> Option<u64> {
        match usage {
            // Files came or went while they were counted.
            Ok(None) => self.moved = at,
            Ok(seen) if seen != self.usage => (self.usage, self.moved) = (seen, at),
            _ => {}
        }
        let still = at.saturating_sub(self.moved);
        let due = still >= STALLED && at.saturating_sub(self.said.max(self.moved)) >= STALLED;
        due.then(|| {
            self.said = at;
            still.as_secs() / 60
        })
    }
}

impl Run {
    /// Waits for the unpacking of a layer, however long it takes, and says where nothing comes of it.
    pub(super) async fn watched<T>(&self, key: &str, layer: &Layer, unpacking: impl Future<Output = T>) -> T {
        let (mut unpacking, mut stall) = (pin!(unpacking), Stall::default());
        let began = Instant::now();
        loop {
            tokio::select! {
                done = &mut unpacking => return done,
                () = tokio::time::sleep(LOOK) => {}
            }
            // Beside the work, as a disk that hangs holds this up too; a count that fails is one of files that just went.
            let counting = self.daemon.usage(&self.node.snapshotter, key);
            let usage = tokio::select! {
                done = &mut unpacking => return done,
                usage = tokio::time::timeout(LOOK, counting) => usage,
            };
            if let Some(minutes) = stall.look(began.elapsed(), usage.map(std::result::Result::ok)) {
                self.job.ctx.warn(format!(
                    "the unpacking of {} has stalled: for {minutes} minutes containerd wrote nothing; see dmesg, its \
                     disk may hang",
                    layer.blob.digest
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unpacking_that_writes_nothing_is_said_every_few_minutes_and_one_that_writes_never() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let mut stall = Stall::default();
        let mut said = Vec::new();
        for (at, usage) in [
            (1, Ok::<_, ()>(Some((1, 1)))),
            (4, Ok(Some((2, 1)))),
            (8, Ok(Some((2, 2)))),
            (12, Ok(Some((2, 2)))),
            (13, Ok(Some((2, 2)))),
            (14, Err(())),
            (18, Err(())),
            (19, Ok(None)),
            (23, Ok(Some((3, 2)))),
            (27, Ok(Some((3, 2)))),
            (28, Ok(Some((3, 2)))),
        ] {
            said.extend(stall.look(minutes(at), usage).map(|still| (at, still)));
        }
        assert_eq!(said, [(13, 5), (18, 10), (28, 5)]);
    }
}
