//! The phase in which layers are unpacked: one for all targets that do so, announced once each of them knows how much that is.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::domain::import::Target;
use crate::domain::progress::Phase;
use crate::engine::ctx::JobCtx;
use crate::engine::meter::Meter;

/// What all targets of a run unpack.
pub(in crate::engine::import) struct Unpacking {
    meter: Meter,
    sum: Mutex<Sum>,
    /// Targets that have not told yet how much they unpack.
    awaited: watch::Sender<usize>,
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
        Arc::new(Self { meter: Meter::unannounced(ctx, Phase::Unpack), sum: Mutex::default(), awaited })
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
        if *self.awaited.borrow() == 0 && sum.at_work > 0 {
            self.meter.announce(sum.images, sum.bytes);
        }
    }
}

/// What one target unpacks.
pub(in crate::engine::import) struct Share {
    all: Arc<Unpacking>,
    told: bool,
}

impl Share {
    /// Tells how many images and bytes of layers it comes to, where there is anything to unpack, and waits for the others.
    pub(super) async fn begin(mut self, share: Option<(u64, u64)>) -> Self {
        self.told = true;
        self.all.tell(share);
        // It ends with the one that tells, which this one holds.
        let _ = self.all.awaited.subscribe().wait_for(|awaited| *awaited == 0).await;
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
        if sum.at_work == 0 {
            self.all.meter.finish();
        }
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
}
