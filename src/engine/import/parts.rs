//! How much of each image its targets have by now, told as its blobs are written: none counts twice, and no count goes back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::graph::Node;
use crate::domain::digest::Digest;
use crate::domain::progress::{Event, Phase};
use crate::engine::ctx::JobCtx;

/// Time between two words of one image while little of it moves; what is whole is told at once.
const APART: Duration = Duration::from_millis(200);
/// So many parts of an image are told however fast they come.
const STEPS: u64 = 64;

/// The parts of a run, as one of its targets counts them. Clones are of the same target.
#[derive(Clone)]
pub(super) struct Parts {
    target: usize,
    all: Arc<All>,
}

struct All {
    ctx: JobCtx,
    apart: Duration,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    blobs: HashMap<(usize, Digest), Moving>,
    images: HashMap<String, Told>,
}

/// A blob in one target.
struct Moving {
    size: u64,
    done: u64,
    /// Images that want it.
    of: Vec<String>,
}

/// An image, over all targets.
#[derive(Default)]
struct Told {
    shares: BTreeMap<usize, Share>,
    /// How much was said last, and when.
    last: Option<(u64, Duration)>,
}

/// What one target wants and has of an image.
#[derive(Default)]
struct Share {
    done: u64,
    all: u64,
    begun: bool,
}

impl Parts {
    pub(super) fn new(ctx: &JobCtx) -> Self {
        Self::every(APART, ctx)
    }

    fn every(apart: Duration, ctx: &JobCtx) -> Self {
        let all = All { ctx: ctx.clone(), apart, began: Instant::now(), state: Mutex::default() };
        Self { target: 0, all: Arc::new(all) }
    }

    /// The same for a target, by its number.
    pub(super) fn of(&self, target: usize) -> Self {
        Self { target, all: Arc::clone(&self.all) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.all.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The target wants these blobs for an image, each of them once; what was said of that image before stays.
    pub(super) fn expect<'a>(&self, image: &str, blobs: impl IntoIterator<Item = (&'a Digest, u64)>) {
        let mut state = self.lock();
        let State { blobs: known, images } = &mut *state;
        let shares = &mut images.entry(image.to_owned()).or_default().shares;
        if shares.contains_key(&self.target) {
            return;
        }
        let mut share = Share::default();
        for (digest, size) in blobs {
            let blob = known.entry((self.target, digest.clone())).or_insert(Moving {
                size,
                done: 0,
                of: Vec::new(),
            });
            if blob.of.last().is_some_and(|last| last == image) {
                continue;
            }
            blob.of.push(image.to_owned());
            share.all = share.all.saturating_add(blob.size);
            share.done = share.done.saturating_add(blob.done);
        }
        shares.insert(self.target, share);
    }

    /// The same of blobs of the bundle.
    pub(super) fn expect_nodes<'a>(&self, image: &str, nodes: impl IntoIterator<Item = &'a Node>) {
        self.expect(image, nodes.into_iter().map(|node| (&node.digest, node.size)));
    }

    /// The target begins with an image, or is at it already; said once. Nothing of it is told before.
    pub(super) fn begin(&self, image: &str) {
        let mut state = self.lock();
        let Some(told) = state.images.get_mut(image) else { return };
        let Some(share) = told.shares.get_mut(&self.target).filter(|share| !share.begun) else { return };
        share.begun = true;
        let (item, bytes) = (image.to_owned(), share.all);
        self.all.ctx.say(Event::Item { phase: Phase::Import, item, bytes });
        self.tell(image, told, true);
    }

    /// The target has so many bytes of a blob.
    pub(super) fn moved(&self, digest: &Digest, done: u64) {
        let mut state = self.lock();
        let State { blobs, images } = &mut *state;
        let Some(blob) = blobs.get_mut(&(self.target, digest.clone())) else { return };
        let done = done.min(blob.size);
        let more = done.saturating_sub(blob.done);
        if more == 0 {
            return;
        }
        blob.done = done;
        for image in &blob.of {
            if let Some(told) = images.get_mut(image) {
                if let Some(share) = told.shares.get_mut(&self.target) {
                    share.done = share.done.saturating_add(more).min(share.all);
                }
                self.tell(image, told, done == blob.size);
            }
        }
    }

    /// The target has a blob.
    pub(super) fn there(&self, digest: &Digest) {
        self.moved(digest, u64::MAX);
    }

    /// The target has so many bytes of an image, where it is not told of which blobs.
    pub(super) fn reach(&self, image: &str, done: u64) {
        let mut state = self.lock();
        let Some(told) = state.images.get_mut(image) else { return };
        let Some(share) = told.shares.get_mut(&self.target) else { return };
        share.done = share.done.max(done.min(share.all));
        let whole = share.done == share.all;
        self.tell(image, told, whole);
    }

    /// Under the lock, so that what is said keeps its order.
    fn tell(&self, image: &str, told: &mut Told, at_once: bool) {
        let shares = || told.shares.values();
        let (done, all) = shares().fold((0u64, 0u64), |(done, all), share| {
            (done.saturating_add(share.done), all.saturating_add(share.all))
        });
        let now = self.all.began.elapsed();
        let due = match told.last {
            None => true,
            Some((said, at)) => {
                let large = (done - done.min(said)).saturating_mul(STEPS) >= all;
                done > said && (at_once || large || now.saturating_sub(at) >= self.all.apart)
            }
        };
        if due && shares().any(|share| share.begun) {
            told.last = Some((done, now));
            let item = image.to_owned();
            self.all.ctx.say(Event::Part { phase: Phase::Import, item, done, all });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ctx::Recording;

    fn digest(blob: u8) -> Digest {
        Digest::sha256(&[blob; 32])
    }

    fn every(apart: Duration) -> (Arc<Recording>, Parts) {
        let said = Arc::new(Recording::default());
        (said.clone(), Parts::every(apart, &JobCtx::new(said)))
    }

    fn told(said: &Recording, image: &str) -> Vec<(u64, u64)> {
        let part = |event| match event {
            Event::Part { item, done, all, .. } if item == image => Some((done, all)),
            _ => None,
        };
        said.events().into_iter().filter_map(part).collect()
    }

    #[test]
    fn a_blob_that_several_images_want_counts_once_in_each_of_them() {
        let (said, parts) = every(Duration::ZERO);
        let blobs = [(digest(1), 100), (digest(1), 100), (digest(2), 10)];
        let blobs = || blobs.iter().map(|(digest, size)| (digest, *size));
        parts.expect("a:1", blobs());
        parts.expect("b:1", blobs().take(1));
        parts.expect("a:1", [(&digest(3), 1000)]);
        parts.begin("a:1");
        parts.there(&digest(1));
        parts.there(&digest(1));
        parts.begin("b:1");
        parts.begin("b:1");
        parts.there(&digest(9));
        parts.there(&digest(2));
        assert_eq!(told(&said, "a:1"), [(0, 110), (100, 110), (110, 110)]);
        assert_eq!(told(&said, "b:1"), [(100, 100)], "nothing is said of it before it begins");
        parts.expect("c:1", blobs());
        parts.begin("c:1");
        assert_eq!(told(&said, "c:1"), [(110, 110)], "what is there is not awaited again");
        let items = said.events().into_iter().filter(|event| matches!(event, Event::Item { .. }));
        assert_eq!(items.count(), 3);
    }

    #[test]
    fn a_blob_that_starts_over_never_takes_the_count_back_nor_past_its_size() {
        let (said, parts) = every(Duration::ZERO);
        parts.expect("a:1", [(&digest(1), 100), (&digest(2), 50)]);
        parts.begin("a:1");
        for done in [60, 10, 70, 900] {
            parts.moved(&digest(1), done);
        }
        parts.there(&digest(2));
        assert_eq!(told(&said, "a:1"), [(0, 150), (60, 150), (70, 150), (100, 150), (150, 150)]);
    }

    #[test]
    fn an_image_is_as_far_as_all_of_its_targets_together() {
        let (said, first) = every(Duration::ZERO);
        let second = first.of(1);
        [&first, &second].into_iter().for_each(|target| target.expect("a:1", [(&digest(1), 100)]));
        [&first, &second].into_iter().for_each(|target| target.begin("a:1"));
        first.there(&digest(1));
        second.reach("a:1", 400);
        second.reach("a:1", 3);
        assert_eq!(told(&said, "a:1"), [(0, 200), (100, 200), (200, 200)]);
    }

    #[test]
    fn an_image_is_told_step_by_step_however_fast_its_bytes_come() {
        let (said, parts) = every(Duration::MAX);
        parts.expect("a:1", [(&digest(1), STEPS * 100)]);
        parts.begin("a:1");
        (1..=STEPS * 100).for_each(|done| parts.moved(&digest(1), done));
        let steps: Vec<_> = (0..=STEPS).map(|step| (step * 100, STEPS * 100)).collect();
        assert_eq!(told(&said, "a:1"), steps);
    }
}
