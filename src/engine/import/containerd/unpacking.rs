//! The phase in which layers are unpacked: one for all targets that do so, announced once each of them knows how much that is, or does not answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::import::Target;
use crate::domain::progress::Phase;
use crate::engine::ctx::JobCtx;
use crate::engine::meter::Meter;

/// How long a target is waited for that has not told yet how much it unpacks.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all targets of a run unpack.
pub(in crate::engine::import) struct Unpacking {
    meter: Meter,
    sum: Mutex<Sum>,
    /// Targets that have not told yet how much they unpack.
    awaited: watch::Sender<usize>,
    /// For how long.
    patience: Duration,
}

#[derive(Default)]
struct Sum {
    images: u64,
    bytes: u64,
    /// Targets that are at it.
    at_work: usize,
}

impl Unpacking {
    /// Of these targets.
    pub(in crate::engine::import) fn new(ctx: &JobCtx, targets: &[Target]) -> Arc<Self> {
        let unpacks = |target: &&Target| matches!(target, Target::Containerd(_));
        let awaited = watch::Sender::new(targets.iter().filter(unpacks).count());
        Arc::new(Self {
            meter: Meter::unannounced(ctx, Phase::Unpack),
            sum: Mutex::default(),
            awaited,
            patience: PATIENCE,
        })
    }

    /// The share of one of them; the others wait until it has told how much that is, or is dropped.
    pub(in crate::engine::import) fn share(self: &Arc<Self>) -> Share {
        Share { all: Arc::clone(self), told: false }
    }

    fn tell(&self, share: Option<(u64, u64)>) {
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((images, bytes)) = share {
            (sum.images, sum.bytes) = (sum.images + images, sum.bytes.saturating_add(bytes));
            sum.at_work += 1;
        }
        self.awaited.send_modify(|awaited| *awaited = awaited.saturating_sub(1));
        match share {
            Some((images, bytes)) if self.meter.is_announced() => self.meter.grow(images, bytes),
            _ if *self.awaited.borrow() == 0 => self.announce(&sum),
            _ => {}
        }
        self.end(&sum);
    }

    /// Announces what is known so far, where that is anything.
    fn announce(&self, sum: &Sum) {
        if sum.at_work > 0 && !self.meter.is_announced() {
            self.meter.announce(sum.images, sum.bytes);
        }
    }

    /// It is over once each target has told, and none is at it.
    fn end(&self, sum: &Sum) {
        if sum.at_work == 0 && *self.awaited.borrow() == 0 {
            self.meter.finish();
        }
    }
}

/// What one target unpacks.
pub(in crate::engine::import) struct Share {
    all: Arc<Unpacking>,
    told: bool,
}

impl Share {
    /// Tells how many images and bytes of layers it comes to, where there is anything to unpack, and waits for the others
    /// to tell, but not for one that hangs.
    pub(super) async fn begin(mut self, share: Option<(u64, u64)>) -> Self {
        self.told = true;
        self.all.tell(share);
        // It ends with the one that tells, which this one holds.
        let mut awaited = self.all.awaited.subscribe();
        if tokio::time::timeout(self.all.patience, awaited.wait_for(|awaited| *awaited == 0)).await.is_err() {
            self.all.announce(&self.all.sum.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self
    }

    /// Counts the bytes of a layer; the next one may take its time.
    pub(super) fn add(&self, bytes: u64) {
        self.all.meter.add(bytes);
        self.all.meter.now();
    }

    /// All of it is unpacked; the phase is over once that holds of each target.
    pub(super) fn finish(&self) {
        let mut sum = self.all.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.at_work = sum.at_work.saturating_sub(1);
        self.all.end(&sum);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if !self.told {
            self.all.tell(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::view::JobView;
    use crate::engine::ctx::Recording;

    #[tokio::test]
    async fn what_several_targets_unpack_is_one_phase_that_counts_all_of_it() {
        let said = Arc::new(Recording::default());
        let targets: Vec<Target> = ["containerd", "oci:/x", "containerd:/a", "containerd:/b"]
            .iter()
            .map(|one| one.parse().unwrap())
            .collect();
        let all = Unpacking::new(&JobCtx::new(said.clone()), &targets);
        let [first, second, refused] = [all.share(), all.share(), all.share()];
        let begun = tokio::spawn(first.begin(Some((5, 100))));
        tokio::task::yield_now().await;
        assert!(said.events().is_empty(), "the others have not told yet");
        drop(refused);
        let second = second.begin(Some((5, 45))).await;
        let first = begun.await.unwrap();
        first.add(100);
        second.add(45);
        let view = || {
            let mut view = JobView::default();
            said.events().iter().for_each(|event| view.apply(event, std::time::Duration::ZERO));
            view.phases
        };
        first.finish();
        assert_eq!((view().len(), view()[0].items, view()[0].bytes, view()[0].finished), (1, 10, 145, false));
        second.finish();
        assert!(view()[0].finished && view()[0].shown == 145, "{:?}", view());
    }

    #[tokio::test]
    async fn a_target_that_does_not_answer_keeps_no_other_from_beginning_and_is_counted_once_it_does() {
        let said = Arc::new(Recording::default());
        let targets: Vec<Target> = ["containerd:/a", "containerd:/b", "containerd:/c"]
            .iter()
            .map(|one| one.parse().unwrap())
            .collect();
        let all = Arc::into_inner(Unpacking::new(&JobCtx::new(said.clone()), &targets)).unwrap();
        let all = Arc::new(Unpacking { patience: Duration::ZERO, ..all });
        let [first, hangs, late] = [all.share(), all.share(), all.share()];
        let first = first.begin(Some((5, 100))).await;
        let view = || {
            let mut view = JobView::default();
            said.events().iter().for_each(|event| view.apply(event, Duration::ZERO));
            view.phases
        };
        assert_eq!((view().len(), view()[0].items, view()[0].bytes), (1, 5, 100));
        first.add(100);
        first.finish();
        assert!(!view()[0].finished, "two may still have something to unpack");
        let late = late.begin(Some((2, 45))).await;
        assert_eq!((view().len(), view()[0].items, view()[0].bytes), (1, 7, 145));
        late.add(45);
        late.finish();
        assert!(!view()[0].finished);
        drop(hangs);
        assert!(view()[0].finished && view()[0].shown == 145, "{:?}", view());
    }
}
