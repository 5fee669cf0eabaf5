//! Reads a blob from the medium once for all targets of a run that want it: whoever comes first waits for the others.
//!
//! Targets write beside each other and take their blobs in the order of the images, mostly. A blob starts to flow when
//! every target that may still want it has asked for it. Where that would never come, because each target waits for
//! a blob that another one is not at, the first of those flows to the ones that wait; the others read it themselves.
//! A target that takes several blobs at once does so on lanes, as many as it has: it waits only when all of them do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};

use super::error::StreamError;
use super::graph::ImageGraph;
use super::stream::{BUFFER, VerifiedBlob};
use crate::domain::digest::Digest;
use crate::engine::bundle::read::BundleReader;

/// Chunks that one target may lag behind the fastest.
const AHEAD: usize = 4;

/// The blobs that the targets of a run may want.
pub(super) struct Fan {
    bundle: BundleReader,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Place of a blob among all, in the order of the images.
    order: HashMap<Digest, usize>,
    /// Targets that may still ask for a blob.
    undecided: HashMap<Digest, BTreeSet<usize>>,
    /// Blobs that were asked for and do not flow yet.
    waiting: BTreeMap<usize, Waiting>,
    /// Lanes of targets that have not ended, and whether each is at work: it will ask for a blob, pass it or end.
    lanes: BTreeMap<Lane, bool>,
    /// Lanes there ever were.
    count: usize,
    /// Blobs that flow.
    flows: usize,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Lane {
    target: usize,
    number: usize,
}

struct Waiting {
    digest: Digest,
    for_whom: Vec<Waiter>,
}

struct Waiter {
    lane: Lane,
    image: String,
    chunks: SyncSender<Item>,
}

enum Item {
    /// Bytes that follow, or why none do.
    Chunk(io::Result<Bytes>),
    /// Nobody else takes it: read it yourself.
    Alone,
}

/// The place of one target, or of one of its lanes; to leave the former says that the target wants nothing more.
pub(super) struct Seat {
    fan: Arc<Fan>,
    lane: Lane,
    /// Whose lane this is: that place is left after it.
    of: Option<Arc<Self>>,
}

impl Fan {
    /// `wanted` has, per target, the images that it may want blobs of.
    pub(super) fn new(bundle: &BundleReader, wanted: &[Vec<&ImageGraph>]) -> Arc<Self> {
        let mut state = State::default();
        for (target, images) in wanted.iter().enumerate() {
            state.want(target, images.iter().flat_map(|image| &image.blobs).map(|node| &node.digest));
        }
        Arc::new(Self { bundle: bundle.clone(), state: Mutex::new(state) })
    }

    /// The place of a target, by its number among `wanted`. To be taken before any target begins.
    pub(super) fn seat(self: &Arc<Self>, target: usize) -> Seat {
        let lane = self.lock().enter(target);
        Seat { fan: Arc::clone(self), lane, of: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts whatever can flow now.
    fn settle(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        for blob in state.ready() {
            if let [only] = blob.for_whom.as_slice() {
                state.flows -= 1;
                // Gone meanwhile where that fails; then nobody waits.
                drop(only.chunks.send(Item::Alone));
                continue;
            }
            let fan = Arc::clone(self);
            std::thread::spawn(move || fan.flow(blob));
        }
    }

    /// Reads a blob to everybody who waits for it. Blocks.
    fn flow(self: Arc<Self>, blob: Waiting) {
        let _ended = Ended(&self);
        let mut takers = blob.for_whom;
        let whose = takers.first().map(|taker| taker.image.clone()).unwrap_or_default();
        let Ok(mut source) = VerifiedBlob::open(&self.bundle, &blob.digest, &whose) else {
            // Each finds out for itself what is wrong with it.
            takers.iter().for_each(|taker| drop(taker.chunks.send(Item::Alone)));
            return;
        };
        while !takers.is_empty() {
            let mut buffer = vec![0; BUFFER];
            match source.read(&mut buffer) {
                Ok(0) => return,
                Ok(got) => {
                    buffer.truncate(got);
                    let bytes = Bytes::from(buffer);
                    takers.retain(|taker| taker.chunks.send(Item::Chunk(Ok(bytes.clone()))).is_ok());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    for taker in &takers {
                        let error = again(&error, &taker.image);
                        drop(taker.chunks.send(Item::Chunk(Err(error))));
                    }
                    return;
                }
            }
        }
    }
}

/// Counts a flow out, also where its thread panics.
struct Ended<'a>(&'a Arc<Fan>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.flows = state.flows.saturating_sub(1);
        self.0.settle(state);
    }
}

impl State {
    /// Notes the blobs that a target may want.
    fn want<'a>(&mut self, target: usize, blobs: impl IntoIterator<Item = &'a Digest>) {
        for digest in blobs {
            let next = self.order.len();
            self.order.entry(digest.clone()).or_insert(next);
            self.undecided.entry(digest.clone()).or_default().insert(target);
        }
    }

    /// A new lane of a target, at work.
    fn enter(&mut self, target: usize) -> Lane {
        let lane = Lane { target, number: self.count };
        self.count += 1;
        self.lanes.insert(lane, true);
        lane
    }

    /// Spreads a lane over new ones: it goes on when the last of them has ended.
    fn spread(&mut self, lane: Lane, over: usize) -> Vec<Lane> {
        let lanes: Vec<Lane> = (0..over).map(|_| self.enter(lane.target)).collect();
        if over > 0 {
            self.lanes.insert(lane, false);
        }
        lanes
    }

    /// Takes a decision of a target; false where it had none to take.
    fn decide(&mut self, target: usize, digest: &Digest) -> bool {
        self.undecided.get_mut(digest).is_some_and(|targets| targets.remove(&target))
    }

    /// Lets a lane wait for a blob; false where it is to read by itself.
    fn ask(&mut self, digest: &Digest, waiter: Waiter) -> bool {
        if !self.decide(waiter.lane.target, digest) {
            return false;
        }
        let Some(at) = self.order.get(digest).copied() else { return false };
        self.lanes.insert(waiter.lane, false);
        let blob = Waiting { digest: digest.clone(), for_whom: Vec::new() };
        self.waiting.entry(at).or_insert(blob).for_whom.push(waiter);
        true
    }

    /// Ends a lane that was spread from another one, which goes on where it was the last.
    fn merge(&mut self, lane: Lane, into: Lane) {
        self.lanes.remove(&lane);
        if !self.lanes.keys().any(|other| other.target == into.target && *other != into) {
            self.lanes.insert(into, true);
        }
    }

    /// Forgets a target that has ended.
    fn leave(&mut self, target: usize) {
        self.lanes.retain(|lane, _| lane.target != target);
        for targets in self.undecided.values_mut() {
            targets.remove(&target);
        }
    }

    /// Takes out what is to flow now, and counts it as flowing.
    fn ready(&mut self) -> Vec<Waiting> {
        let all_here = |blob: &Waiting| self.undecided.get(&blob.digest).is_none_or(BTreeSet::is_empty);
        let at: Vec<usize> =
            self.waiting.iter().filter(|(_, blob)| all_here(blob)).map(|(at, _)| *at).collect();
        let mut ready: Vec<Waiting> = at.iter().filter_map(|at| self.waiting.remove(at)).collect();
        if ready.is_empty() && self.is_stuck() {
            ready.extend(self.waiting.pop_first().map(|(_, blob)| blob));
        }
        for waiter in ready.iter().flat_map(|blob| &blob.for_whom) {
            // From here on it is at work, before any other looks: it has yet to write what flows.
            if let Some(at_work) = self.lanes.get_mut(&waiter.lane) {
                *at_work = true;
            }
        }
        self.flows += ready.len();
        ready
    }

    /// Whether nothing flows and every lane waits, so that nothing would ever flow.
    fn is_stuck(&self) -> bool {
        self.flows == 0 && !self.waiting.is_empty() && !self.lanes.values().any(|at_work| *at_work)
    }
}

/// The same failure once more, for another target's image.
fn again(error: &io::Error, image: &str) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>()) {
        Some(stream) => io::Error::other(stream.again(image)),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl Seat {
    /// Waits until every target that wants the blob is at it, then reads along; `None` where this target is the only
    /// one or had its turn, and reads by itself. Blocks.
    pub(super) fn open(&self, digest: &Digest, size: u64, image: &str) -> Option<SharedBlob> {
        let (to, from) = sync_channel(AHEAD);
        {
            let mut state = self.fan.lock();
            let waiter = Waiter { lane: self.lane, image: image.to_owned(), chunks: to };
            if !state.ask(digest, waiter) {
                return None;
            }
            self.fan.settle(state);
        }
        let mut shared = SharedBlob { from, chunk: Bytes::new(), failed: None, left: size };
        match shared.from.recv() {
            Ok(Item::Alone) => None,
            Ok(Item::Chunk(first)) => {
                shared.accept(first);
                Some(shared)
            }
            Err(_) => Some(shared),
        }
    }

    /// Lanes of this place, on each of which one blob after the other is taken; the place itself waits meanwhile.
    pub(super) fn lanes(self: &Arc<Self>, count: usize) -> Vec<Arc<Self>> {
        let lanes = self.fan.lock().spread(self.lane, count);
        let lane = |lane| Arc::new(Self { fan: Arc::clone(&self.fan), lane, of: Some(Arc::clone(self)) });
        lanes.into_iter().map(lane).collect()
    }

    /// Says that this target has no use for a blob.
    pub(super) fn pass(&self, digest: &Digest) {
        let mut state = self.fan.lock();
        if state.decide(self.lane.target, digest) {
            self.fan.settle(state);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.fan.lock();
        match &self.of {
            Some(of) => state.merge(self.lane, of.lane),
            None => state.leave(self.lane.target),
        }
        self.fan.settle(state);
    }
}

/// A blob as it flows by. Who reads it to its end without an error got the right bytes.
pub(super) struct SharedBlob {
    from: Receiver<Item>,
    chunk: Bytes,
    failed: Option<io::Error>,
    left: u64,
}

impl SharedBlob {
    fn accept(&mut self, chunk: io::Result<Bytes>) {
        match chunk {
            Ok(bytes) => self.chunk = bytes,
            Err(error) => self.failed = Some(error),
        }
    }
}

impl Read for SharedBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && self.failed.is_none() && self.left > 0 {
            match self.from.recv() {
                Ok(Item::Chunk(chunk)) => self.accept(chunk),
                Ok(Item::Alone) | Err(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the reader of this blob ended early",
                    ));
                }
            }
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let got = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..got]);
        self.left = self.left.saturating_sub(got as u64);
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(blob: u8) -> Digest {
        Digest::sha256(&[blob; 32])
    }

    fn state(targets: &[&[u8]]) -> State {
        let mut state = State::default();
        for (target, blobs) in targets.iter().enumerate() {
            state.want(target, &blobs.iter().map(|blob| digest(*blob)).collect::<Vec<_>>());
            state.enter(target);
        }
        state
    }

    /// On the lane that each target has from the start: its own number.
    fn waiter(number: usize) -> Waiter {
        on(Lane { target: number, number })
    }

    fn on(lane: Lane) -> Waiter {
        Waiter { lane, image: String::new(), chunks: sync_channel(AHEAD).0 }
    }

    /// Asks, and gives which blobs start to flow to which targets.
    fn ask(state: &mut State, target: usize, blob: u8) -> Vec<(Digest, Vec<usize>)> {
        assert!(state.ask(&digest(blob), waiter(target)));
        started(state)
    }

    fn started(state: &mut State) -> Vec<(Digest, Vec<usize>)> {
        let targets = |blob: &Waiting| blob.for_whom.iter().map(|waiter| waiter.lane.target).collect();
        state.ready().iter().map(|blob| (blob.digest.clone(), targets(blob))).collect()
    }

    #[test]
    fn a_blob_flows_once_every_target_that_may_want_it_is_at_it() {
        let mut state = state(&[&[1, 2], &[1, 2], &[2]]);
        assert_eq!(ask(&mut state, 0, 1), []);
        assert_eq!(ask(&mut state, 1, 1), [(digest(1), vec![0, 1])]);
        assert!(!state.ask(&digest(1), waiter(0)), "it had its turn");
        assert_eq!(ask(&mut state, 0, 2), []);
        assert_eq!(ask(&mut state, 2, 2), []);
        assert!(state.decide(1, &digest(2)), "it has it already");
        assert_eq!(started(&mut state), [(digest(2), vec![0, 2])]);
    }

    #[test]
    fn a_target_that_ended_is_waited_for_no_longer() {
        let mut state = state(&[&[1], &[1]]);
        assert_eq!(ask(&mut state, 0, 1), []);
        state.leave(1);
        assert_eq!(started(&mut state), [(digest(1), vec![0])]);
    }

    #[test]
    fn targets_that_wait_for_each_other_go_on_and_only_while_nothing_flows() {
        let mut state = state(&[&[1, 2], &[1, 2]]);
        assert_eq!(ask(&mut state, 0, 1), []);
        assert_eq!(ask(&mut state, 1, 2), [(digest(1), vec![0])], "the first goes to the one that is at it");
        assert_eq!(started(&mut state), []);
        state.flows -= 1;
        assert_eq!(started(&mut state), [], "the other one may still come to the second");
        assert_eq!(ask(&mut state, 0, 2), [(digest(2), vec![1, 0])]);
    }

    #[test]
    fn a_target_with_a_lane_at_work_does_not_wait_in_vain_at_the_blob_of_another_lane() {
        let mut state = state(&[&[1, 2], &[1, 2]]);
        let lanes = state.spread(Lane { target: 1, number: 1 }, 2);
        assert!(state.ask(&digest(2), on(lanes[1])));
        assert_eq!(started(&mut state), []);
        assert_eq!(ask(&mut state, 0, 1), [], "the other lane is about to ask for it too");
        assert!(state.ask(&digest(1), on(lanes[0])));
        assert_eq!(started(&mut state), [(digest(1), vec![0, 1])]);
        state.flows -= 1;
        assert_eq!(started(&mut state), [], "what flowed is written yet");
        assert_eq!(ask(&mut state, 0, 2), [(digest(2), vec![1, 0])]);
    }

    #[test]
    fn a_lane_that_ends_is_waited_for_no_longer_and_its_target_goes_on_after_the_last() {
        let mut state = state(&[&[1, 2], &[1, 2]]);
        let main = Lane { target: 1, number: 1 };
        let lanes = state.spread(main, 2);
        assert!(state.ask(&digest(2), on(lanes[1])));
        assert_eq!(ask(&mut state, 0, 1), []);
        state.merge(lanes[0], main);
        assert_eq!(started(&mut state), [(digest(1), vec![0])], "the one that is left waits, and so do all");
        state.flows -= 1;
        assert_eq!(ask(&mut state, 0, 2), [(digest(2), vec![1, 0])]);
        state.flows -= 1;
        state.merge(lanes[1], main);
        assert!(state.lanes[&main], "it may come to the first blob yet");
    }

    #[test]
    fn a_failure_of_the_medium_is_told_to_each_for_its_own_image() {
        let (image, path) = ("a:1".to_owned(), "p".to_owned());
        let content = StreamError::Content { image, path, expected: digest(1), actual: digest(2) };
        let copy = again(&io::Error::other(content), "b:1");
        let words = format!("b:1: p: expected {}, the bytes hash to {}", digest(1), digest(2));
        assert_eq!(copy.to_string(), words);
        assert_eq!(again(&io::ErrorKind::TimedOut.into(), "b:1").kind(), io::ErrorKind::TimedOut);
    }
}
