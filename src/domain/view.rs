//! The one reducer: what a job has said so far, added up to a view that any front can draw.

use std::time::Duration;

use serde::Serialize;

use super::progress::{Event, Phase};
use super::text;

/// With no byte moved for this long, a phase is called stalled.
pub const STALL: Duration = Duration::from_secs(5);

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
    /// Bytes in it; 0 where unknown.
    pub bytes: u64,
    /// Bytes to show: the most there ever were, so that it never goes back.
    pub shown: u64,
    /// Whether it is over.
    pub finished: bool,
    #[serde(skip)]
    counted: u64,
    #[serde(skip)]
    began: Duration,
    #[serde(skip)]
    moved: Duration,
    #[serde(skip)]
    ended: Duration,
}

/// A job, from its events; times are since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobView {
    /// Its phases, in the order in which they began.
    pub phases: Vec<PhaseView>,
    /// Attempts that had to be repeated.
    pub retries: u64,
    /// Warnings, in words.
    pub warnings: Vec<String>,
}

impl JobView {
    /// Adds one event that came at `at`.
    pub fn apply(&mut self, event: &Event, at: Duration) {
        match event {
            Event::Started { phase, items, bytes } => {
                self.phases.retain(|view| view.phase != *phase || view.finished);
                self.phases.push(PhaseView::new(*phase, *items, *bytes, at));
            }
            Event::Bytes { phase, done } => self.change(*phase, |view| view.count(*done, at)),
            Event::Done { phase, .. } => self.change(*phase, |view| {
                view.items_done += 1;
                view.moved = at;
            }),
            Event::Skipped { phase, bytes, .. } => self.change(*phase, |view| {
                view.items_done += 1;
                view.skipped += 1;
                view.skipped_bytes += bytes;
                view.moved = at;
            }),
            Event::Failed { phase, .. } => self.change(*phase, |view| view.failed += 1),
            Event::Finished { phase } => self.change(*phase, |view| {
                view.finished = true;
                view.ended = at;
            }),
            Event::Retry { .. } => self.retries += 1,
            Event::Warning { text } => self.warnings.push(text.clone()),
            Event::Item { .. } | Event::Note { .. } => {}
        }
    }

    /// The phase that is under way.
    pub fn current(&self) -> Option<&PhaseView> {
        self.phases.iter().rev().find(|view| !view.finished)
    }

    fn change(&mut self, phase: Phase, change: impl FnOnce(&mut PhaseView)) {
        if let Some(view) = self.phases.iter_mut().rev().find(|view| view.phase == phase) {
            change(view);
        }
    }
}

impl PhaseView {
    const fn new(phase: Phase, items: u64, bytes: u64, at: Duration) -> Self {
        Self {
            phase,
            items,
            items_done: 0,
            skipped: 0,
            skipped_bytes: 0,
            failed: 0,
            bytes,
            shown: 0,
            finished: false,
            counted: 0,
            began: at,
            moved: at,
            ended: at,
        }
    }

    fn count(&mut self, done: u64, at: Duration) {
        if done != self.counted {
            self.moved = at;
        }
        self.counted = done;
        self.shown = self.shown.max(done);
    }

    /// Percent of its bytes, or of its items where it has no bytes; below 100 until it is over.
    pub fn percent(&self) -> Option<u8> {
        if self.finished {
            return Some(100);
        }
        let (done, all) =
            if self.bytes > 0 { (self.shown, self.bytes) } else { (self.items_done, self.items) };
        let percent = (u128::from(done) * 100).checked_div(u128::from(all))?;
        Some(u8::try_from(percent).unwrap_or(99).min(99))
    }

    /// For how long nothing has moved, once that is longer than [`STALL`].
    pub fn stalled(&self, at: Duration) -> Option<Duration> {
        let still = at.saturating_sub(self.moved);
        (!self.finished && self.bytes > 0 && still >= STALL).then_some(still)
    }

    /// Bytes a second since it began.
    pub fn rate(&self, at: Duration) -> u64 {
        let until = if self.finished { self.ended } else { at };
        let millis = until.saturating_sub(self.began).as_millis().max(1);
        u64::try_from(u128::from(self.shown) * 1000 / millis).unwrap_or(u64::MAX)
    }

    /// One line of words: how far it is or how it ended.
    pub fn line(&self, at: Duration) -> String {
        let mut words = Vec::new();
        match self.percent() {
            _ if self.finished => words.push("done".to_owned()),
            Some(percent) => words.push(format!("{percent} %")),
            None => words.push("under way".to_owned()),
        }
        if self.finished && self.shown > 0 {
            words.push(text::bytes(self.shown));
        } else if self.bytes > 0 && !self.finished {
            words.push(format!("{} of {}", text::bytes(self.shown), text::bytes(self.bytes)));
        }
        if self.items > 0 && self.items_done > 0 {
            words.push(format!("{} of {} items", self.items_done, self.items));
        }
        if self.skipped > 0 {
            words.push(format!("{} skipped ({})", self.skipped, text::bytes(self.skipped_bytes)));
        }
        if self.failed > 0 {
            words.push(format!("{} failed", self.failed));
        }
        match self.stalled(at) {
            Some(still) => words.push(format!("stalled {} s", still.as_secs())),
            None if self.shown > 0 => words.push(format!("{}/s", text::bytes(self.rate(at)))),
            None => {}
        }
        format!("{}: {}", self.phase.name(), words.join(" · "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn started(bytes: u64) -> JobView {
        let mut job = JobView::default();
        job.apply(&Event::Started { phase: Phase::Fetch, items: 2, bytes }, s(0));
        job
    }

    fn bytes(job: &mut JobView, done: u64, at: Duration) {
        job.apply(&Event::Bytes { phase: Phase::Fetch, done }, at);
    }

    #[test]
    fn r30_progress_never_goes_back_when_an_item_starts_over() {
        let mut job = started(1000);
        bytes(&mut job, 600, s(1));
        bytes(&mut job, 100, s(2));
        assert_eq!(job.current().unwrap().shown, 600);
        bytes(&mut job, 700, s(3));
        assert_eq!(job.current().unwrap().percent(), Some(70));
    }

    #[test]
    fn r30_a_hundred_percent_comes_with_the_end_and_not_before() {
        let mut job = started(1000);
        bytes(&mut job, 1000, s(1));
        assert_eq!(job.current().unwrap().percent(), Some(99));
        bytes(&mut job, 5000, s(1));
        assert_eq!(job.current().unwrap().percent(), Some(99));
        job.apply(&Event::Finished { phase: Phase::Fetch }, s(2));
        assert!(job.current().is_none());
        assert_eq!(job.phases[0].percent(), Some(100));
        assert_eq!(job.phases[0].line(s(60)), "fetch: done · 5.0 kB · 2.5 kB/s");
    }

    #[test]
    fn r30_a_phase_without_movement_says_so_with_the_seconds() {
        let mut job = started(1000);
        bytes(&mut job, 990, s(1));
        assert_eq!(job.current().unwrap().line(s(2)), "fetch: 99 % · 990 B of 1.0 kB · 495 B/s");
        bytes(&mut job, 990, s(8));
        assert_eq!(job.current().unwrap().line(s(13)), "fetch: 99 % · 990 B of 1.0 kB · stalled 12 s");
        bytes(&mut job, 991, s(14));
        assert_eq!(job.current().unwrap().stalled(s(14)), None);
    }

    #[test]
    fn bytes_falling_back_still_count_as_movement() {
        let mut job = started(1000);
        bytes(&mut job, 600, s(1));
        bytes(&mut job, 10, s(20));
        assert_eq!(job.current().unwrap().stalled(s(22)), None);
    }

    #[test]
    fn items_skipped_and_failed_are_counted_apart() {
        let mut job = started(1000);
        let item = || "a".to_owned();
        let phase = Phase::Fetch;
        job.apply(&Event::Skipped { phase, item: item(), bytes: 400, reason: item() }, s(1));
        job.apply(&Event::Failed { phase, item: item(), reason: item() }, s(1));
        job.apply(&Event::Retry { phase, item: item(), attempt: 2, reason: item(), wait_ms: 5 }, s(1));
        let line = job.current().unwrap().line(s(1));
        assert_eq!(line, "fetch: 0 % · 0 B of 1.0 kB · 1 of 2 items · 1 skipped (400 B) · 1 failed");
        assert_eq!(job.retries, 1);
    }
}
