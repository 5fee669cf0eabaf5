//! One phase of a job: how far, how fast, how long still; nothing it shows ever goes back.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::STALL;
use super::awaited::Awaited;
use crate::domain::progress::Phase;
use crate::domain::text;

/// The current rate is that of so many last seconds.
const WINDOW: Duration = Duration::from_secs(5);
/// Two counts this close together are one.
const GRAIN: Duration = Duration::from_millis(100);
/// Before so long, and before so many percent, the time that is left is anybody's guess.
const SETTLED: Duration = Duration::from_secs(10);
const SETTLED_PERCENT: u64 = 2;

/// One phase of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseView {
    /// Which.
    pub phase: Phase,
    /// Items in it; 0 where unknown.
    pub items: u64,
    /// Items finished or skipped.
    pub items_done: u64,
    /// Items that needed no work.
    pub skipped: u64,
    /// Their bytes.
    pub skipped_bytes: u64,
    /// Items that failed.
    pub failed: u64,
    /// Attempts that had to be repeated.
    pub retries: u64,
    /// Bytes in it; 0 where unknown.
    pub bytes: u64,
    /// Bytes to show, those that need not move among them: the most there ever were, so that it never goes back.
    pub shown: u64,
    /// Bytes of it that need not move: they were found where they go.
    pub spared: u64,
    /// Bytes of those that lay there already: they were hashed, and did not move.
    pub kept: u64,
    /// Whether it is over.
    pub finished: bool,
    /// Items among those done that were there before it began, and are none of its list.
    #[serde(skip)]
    pub had: u64,
    /// The highest percentage there ever was.
    #[serde(skip)]
    reached: u8,
    #[serde(skip)]
    counted: u64,
    /// The most that was counted.
    #[serde(skip)]
    most: u64,
    #[serde(skip)]
    pub(super) awaited: Option<Awaited>,
    #[serde(skip)]
    began: Duration,
    #[serde(skip)]
    moved: Duration,
    /// The program that wrote last while nothing was counted, and when.
    #[serde(skip)]
    wrote: Option<(String, Duration)>,
    #[serde(skip)]
    ended: Duration,
    /// Time spent paused, and since when it is.
    #[serde(skip)]
    rested: Duration,
    #[serde(skip)]
    resting: Option<Duration>,
    /// Counts of the last [`WINDOW`], oldest first.
    #[serde(skip)]
    counts: VecDeque<Count>,
}

/// What was counted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    at: Duration,
    /// All of it, and what of it moved.
    all: u64,
    moved: u64,
}

impl PhaseView {
    pub(super) fn new(phase: Phase, items: u64, bytes: u64, at: Duration) -> Self {
        Self {
            phase,
            items,
            items_done: 0,
            skipped: 0,
            skipped_bytes: 0,
            failed: 0,
            retries: 0,
            bytes,
            shown: 0,
            spared: 0,
            kept: 0,
            finished: false,
            had: 0,
            reached: 0,
            counted: 0,
            most: 0,
            awaited: None,
            began: at,
            moved: at,
            wrote: None,
            ended: at,
            rested: Duration::ZERO,
            resting: None,
            counts: VecDeque::from([Count { at, all: 0, moved: 0 }]),
        }
    }

    pub(super) fn count(&mut self, done: u64, at: Duration) {
        if done != self.counted {
            (self.moved, self.awaited) = (at, None);
        }
        self.counted = done;
        self.most = self.most.max(done);
        self.show();
        // The first one is where it began, and stays.
        let now = self.counted_at(at);
        match self.counts.iter_mut().skip(1).next_back() {
            Some(last) if at.saturating_sub(last.at) < GRAIN => *last = Count { at: last.at, ..now },
            _ => self.counts.push_back(now),
        }
        // The one before the window stays: what came since then came within it.
        while self.counts.get(1).is_some_and(|next| at.saturating_sub(next.at) >= WINDOW) {
            self.counts.pop_front();
        }
    }

    fn show(&mut self) {
        let all = self.counted.saturating_add(self.spared).min(self.bytes.max(self.counted));
        self.shown = self.shown.max(all);
        self.reached = self.now();
    }

    const fn counted_at(&self, at: Duration) -> Count {
        Count { at, all: self.counted, moved: self.counted.saturating_sub(self.kept) }
    }

    pub(super) fn done(&mut self, at: Duration) {
        self.items_done += 1;
        self.moved = at;
    }

    /// A program writes for it.
    pub(super) fn write(&mut self, program: &str, at: Duration) {
        self.wrote = Some((program.to_owned(), at));
    }

    /// It comes to so much more.
    pub(super) const fn grow(&mut self, items: u64, bytes: u64) {
        self.items = self.items.saturating_add(items);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// So many of its bytes need not move.
    pub(super) fn spare(&mut self, spared: u64, at: Duration) {
        (self.spared, self.moved) = (spared, at);
        self.show();
    }

    /// It goes on, whatever its own bytes do.
    pub(super) const fn moves(&mut self, at: Duration) {
        self.moved = at;
    }

    pub(super) fn finish(&mut self, at: Duration) {
        self.rest(false, at);
        self.finished = true;
        self.ended = at;
    }

    /// Begins or ends a pause: it is no stall, and no time in which bytes could have moved.
    pub(super) fn rest(&mut self, paused: bool, at: Duration) {
        match (paused, self.resting) {
            (true, None) => self.resting = Some(at),
            (false, Some(since)) => {
                self.rested += at.saturating_sub(since);
                self.resting = None;
                self.moved = at;
                self.counts = VecDeque::from([self.counted_at(at)]);
            }
            _ => {}
        }
    }

    /// Percent of its bytes, or of its items where it has no bytes; below 100 until it is over.
    pub fn percent(&self) -> Option<u8> {
        if self.finished {
            return Some(100);
        }
        match self.bytes {
            0 => hundredths(self.items_done, self.items).map(|percent| percent.max(self.reached)),
            _ => Some(self.now()),
        }
    }

    /// Percent of its bytes, never less than before.
    fn now(&self) -> u8 {
        hundredths(self.shown, self.bytes).unwrap_or(0).max(self.reached)
    }

    /// Bytes that are still to come; in a flush, what the medium has not taken yet.
    pub const fn left(&self) -> u64 {
        self.bytes.saturating_sub(self.shown)
    }

    /// For how long nothing has moved, once that is longer than [`STALL`]; where neither bytes nor items are counted,
    /// nobody can tell.
    pub fn stalled(&self, at: Duration) -> Option<Duration> {
        let still = at.saturating_sub(self.moved);
        let counts = self.bytes > 0 || self.items > 0;
        let stands = !self.finished && self.resting.is_none() && counts && still >= STALL;
        (stands && self.writer(at).is_none()).then_some(still)
    }

    /// The program that writes while no bytes are counted.
    pub fn writer(&self, at: Duration) -> Option<&str> {
        let (program, wrote) = self.wrote.as_ref()?;
        let still = at.saturating_sub(self.moved) >= STALL && at.saturating_sub(*wrote) < STALL;
        (still && !self.finished && self.resting.is_none()).then_some(program)
    }

    /// Whom it waits for.
    pub fn awaited(&self) -> Option<&Awaited> {
        self.awaited.as_ref().filter(|_| !self.finished && self.resting.is_none())
    }

    /// What is to be said where neither bytes nor items are counted: whether it moves nobody can tell, but for how long
    /// it has been under way, once that is longer than [`STALL`].
    pub fn under_way(&self, at: Duration) -> String {
        let worked = self.worked(at);
        if worked < STALL { "under way".to_owned() } else { format!("under way for {}", text::span(worked)) }
    }

    /// Bytes that moved: what lay there already was only hashed.
    pub const fn brought(&self) -> u64 {
        self.most.saturating_sub(self.kept)
    }

    /// What need not move, in words; nothing where all has to.
    pub fn found(&self) -> Option<String> {
        (self.spared > 0).then(|| format!("{} of it found on the medium", text::bytes(self.spared)))
    }

    /// Bytes a second that moved since it began, pauses not counted.
    pub fn rate(&self, at: Duration) -> u64 {
        per_second(self.brought(), self.worked(at))
    }

    /// Bytes a second that moved over the last few seconds; nothing moves in a pause or after the end.
    pub fn current_rate(&self, at: Duration) -> u64 {
        self.lately(at, |count| count.moved)
    }

    fn lately(&self, at: Duration, bytes: impl Fn(Count) -> u64) -> u64 {
        if self.finished || self.resting.is_some() {
            return 0;
        }
        let from = at.saturating_sub(WINDOW);
        let before = self.counts.iter().rev().find(|count| count.at <= from).or_else(|| self.counts.front());
        let Some(before) = before.copied() else { return 0 };
        let since = at.saturating_sub(before.at.max(from));
        per_second(bytes(self.counted_at(at)).saturating_sub(bytes(before)), since)
    }

    /// How long it still takes at the current rate, or at one between that and the rate of the whole phase where that is
    /// lower: what came at once, as from a neighbour, says nothing of the rest. Nothing while that would be a guess:
    /// before ten seconds or two percent, paused, stalled, or without a known end.
    pub fn remaining(&self, at: Duration) -> Option<Duration> {
        let settled = self.worked(at) >= SETTLED
            || u128::from(self.most) * 100
                >= u128::from(self.bytes.saturating_sub(self.spared)) * u128::from(SETTLED_PERCENT);
        let still = self.stalled(at).is_some() || self.writer(at).is_some();
        let idle = self.finished || self.resting.is_some() || still;
        let lately = self.lately(at, |count| count.all);
        let rate = per_second(self.most, self.worked(at)).midpoint(lately).min(lately);
        if self.bytes == 0 || self.most == 0 || !settled || idle || rate == 0 {
            return None;
        }
        Some(Duration::from_secs(self.left().div_ceil(rate)))
    }

    /// Whether it stands still on request.
    pub const fn is_paused(&self) -> bool {
        self.resting.is_some()
    }

    /// How long it took or takes, pauses not counted.
    pub fn worked(&self, at: Duration) -> Duration {
        let until = if self.finished { self.ended } else { self.resting.unwrap_or(at) };
        until.saturating_sub(self.began).saturating_sub(self.rested)
    }

    /// One line of words: how far it is or how it ended.
    pub fn line(&self, at: Duration) -> String {
        let mut words = Vec::new();
        match self.percent() {
            _ if self.finished => words.push("done".to_owned()),
            Some(percent) => words.push(format!("{percent} %")),
            None => words.push(self.under_way(at)),
        }
        if self.finished && self.shown > 0 {
            words.push(text::bytes(self.shown));
        } else if self.bytes > 0 && !self.finished {
            words.push(format!("{} of {}", text::bytes(self.shown), text::bytes(self.bytes)));
        }
        words.extend(self.found());
        if self.items > 0 && self.items_done > 0 {
            words.push(format!("{} of {}", self.items_done, self.phase.count(self.items)));
        }
        if self.skipped > 0 {
            // Images share blobs: together they may be more than there is; and what is spared was told before.
            let tells = self.phase != Phase::Import && self.spared == 0;
            let bytes = if tells { format!(" ({})", text::bytes(self.skipped_bytes)) } else { String::new() };
            words.push(format!("{} skipped{bytes}", self.skipped));
        }
        if self.failed > 0 {
            words.push(format!("{} failed", self.failed));
        }
        match (self.awaited(), self.stalled(at)) {
            _ if self.resting.is_some() => words.push("paused".to_owned()),
            (Some(awaited), _) => words.push(awaited.waits(at)),
            (None, Some(still)) => words.push(format!("stalled {} s", still.as_secs())),
            _ if let Some(program) = self.writer(at) => words.push(format!("{program} writes")),
            _ if self.brought() > 0 => words.push(format!("{}/s", text::bytes(self.rate(at)))),
            _ => {}
        }
        format!("{}: {}", self.phase.name(), words.join(" · "))
    }
}

/// Below 100; nothing of nothing.
fn hundredths(done: u64, all: u64) -> Option<u8> {
    let percent = (u128::from(done) * 100).checked_div(u128::from(all))?;
    Some(u8::try_from(percent).unwrap_or(99).min(99))
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(bytes) * 1000 / time.as_millis().max(1)).unwrap_or(u64::MAX)
}
