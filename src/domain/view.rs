//! The one reducer: what a job has said so far, added up to a view that any front can draw.

mod awaited;
mod items;
mod phase;

use std::time::Duration;

use serde::Serialize;

use super::progress::{Check, Event, Landed, Phase};

pub use awaited::Awaited;
pub use items::{ItemState, ItemView, Items, MAX_ITEMS, Part};
pub use phase::PhaseView;

/// With no byte moved for this long, a phase is called stalled.
pub const STALL: Duration = Duration::from_secs(5);
/// At most this many warnings are kept; the others are only counted.
pub const MAX_WARNINGS: usize = 1000;

/// An attempt that follows one that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trying {
    /// Of what.
    pub item: String,
    /// Which one, from 2.
    pub attempt: u32,
    /// Why the one before it failed.
    pub reason: String,
    /// When it is due, since the job began; it may have to wait for its place on the network then.
    pub next: Duration,
}

impl Trying {
    /// In words, at a time since the job began: `HOST: refused; try 3 in 4 s`.
    pub fn line(&self, at: Duration) -> String {
        let left = self.next.saturating_sub(at);
        let when = match left.is_zero() {
            true => "is due".to_owned(),
            // Rounded up: it never says 0 s while it waits.
            false => format!("in {} s", left.as_millis().div_ceil(1000)),
        };
        format!("{}: {}; try {} {when}", self.item, self.reason, self.attempt)
    }
}

/// A job, from its events; times are since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// Its phases, in the order in which they began.
    pub phases: Vec<PhaseView>,
    /// What they work on.
    pub items: Items,
    /// What a verification found to hold, in words.
    pub passed: Vec<(Check, String)>,
    /// Where an import that ended early left its targets.
    pub landed: Vec<Landed>,
    /// Attempts that had to be repeated.
    pub retries: u64,
    /// Warnings, in words.
    pub warnings: Vec<String>,
    /// How many there are beyond those.
    pub unkept_warnings: u64,
    /// The attempt that comes next, while it is waited for or made.
    #[serde(skip)]
    pub trying: Option<Trying>,
    /// What it said last, in words.
    pub note: Option<String>,
    /// Whether it is paused.
    pub paused: bool,
}

impl JobView {
    /// Adds one event that came at `at`.
    pub fn apply(&mut self, event: &Event, at: Duration) {
        self.try_again(event, at);
        match event {
            Event::Started { phase, items, bytes } => {
                self.phases.retain(|view| view.phase != *phase || view.finished);
                self.items.forget(*phase);
                let mut view = PhaseView::new(*phase, *items, *bytes, at);
                view.rest(self.paused, at);
                self.phases.push(view);
            }
            Event::Finished { phase } => self.change(*phase, |view| view.finish(at)),
            Event::Bytes { phase, done } => {
                self.change(*phase, |view| view.count(*done, at));
                // What is hashed where it lies need not be fetched: meanwhile the fetch does not stall.
                if *phase == Phase::Write {
                    self.change(Phase::Fetch, |view| view.moves(at));
                }
            }
            Event::Spared { phase, bytes } => self.change(*phase, |view| view.spare(*bytes, at)),
            Event::Had { phase, items } => self.change(*phase, |view| {
                view.items_done += items;
                view.had += items;
            }),
            Event::Writes { phase, program } => self.change(*phase, |view| view.write(program, at)),
            Event::Grown { phase, items, bytes } => self.change(*phase, |view| view.grow(*items, *bytes)),
            Event::Awaited { phase, host, attempt, left_ms } => {
                let until = at.saturating_add(Duration::from_millis(*left_ms));
                let awaited = Awaited { host: host.clone(), attempt: *attempt, until };
                self.change(*phase, |view| view.awaited = Some(awaited));
            }
            Event::Kept { phase, bytes } => self.change(*phase, |view| view.kept = *bytes),
            Event::Paused { paused } => {
                self.paused = *paused;
                let under_way = self.phases.iter_mut().filter(|view| !view.finished);
                under_way.for_each(|view| view.rest(*paused, at));
            }
            Event::Passed { check, words } => self.passed.push((*check, words.clone())),
            Event::Landed(landed) => self.landed.push(landed.clone()),
            Event::Note { text } => self.note = Some(text.clone()),
            Event::Warning { text } if self.warnings.len() < MAX_WARNINGS => self.warnings.push(text.clone()),
            Event::Warning { .. } => self.unkept_warnings += 1,
            _ => self.apply_to_items(event, at),
        }
    }

    fn apply_to_items(&mut self, event: &Event, at: Duration) {
        match event {
            Event::Planned { phase, items } => {
                for planned in items {
                    self.items.change(*phase, &planned.item, |view| view.bytes = planned.bytes);
                }
            }
            Event::Item { phase, item, bytes } => self.items.change(*phase, item, |view| {
                (view.state, view.bytes) = (ItemState::Running, *bytes);
            }),
            Event::Part { phase, item, done, all } => {
                self.items.change(*phase, item, |view| view.part = Some(Part { done: *done, all: *all }));
                self.change(*phase, |view| view.moves(at));
            }
            Event::Done { phase, item, bytes } => {
                self.items.change(*phase, item, |view| {
                    (view.state, view.bytes, view.note) = (ItemState::Done, *bytes, None);
                });
                self.change(*phase, |view| view.done(at));
            }
            Event::Skipped { phase, item, bytes, reason } => {
                self.items.change(*phase, item, |view| {
                    (view.state, view.bytes) = (ItemState::Skipped, *bytes);
                    view.note = Some(reason.clone());
                });
                self.change(*phase, |view| {
                    view.done(at);
                    view.skipped += 1;
                    view.skipped_bytes += bytes;
                });
            }
            Event::Failed { phase, item, reason } => {
                self.items.change(*phase, item, |view| {
                    (view.state, view.note) = (ItemState::Failed, Some(reason.clone()));
                });
                self.change(*phase, |view| view.failed += 1);
            }
            Event::Retry { phase, item, reason, .. } => {
                // What is asked for on the way to several of them is none.
                self.items.change_known(*phase, item, |view| {
                    (view.state, view.note) = (ItemState::Running, Some(reason.clone()));
                    view.retries += 1;
                });
                self.change(*phase, |view| view.retries += 1);
                self.retries += 1;
            }
            Event::Answered { phase, item } => self.items.change_known(*phase, item, |view| view.note = None),
            _ => {}
        }
    }

    /// What is tried again is over once anything is said of the same item, or of its phase.
    fn try_again(&mut self, event: &Event, at: Duration) {
        match event {
            Event::Retry { item, attempt, reason, wait_ms, .. } => {
                let next = at.saturating_add(Duration::from_millis(*wait_ms));
                let (item, attempt, reason) = (item.clone(), *attempt, reason.clone());
                self.trying = Some(Trying { item, attempt, reason, next });
            }
            Event::Started { .. } | Event::Finished { .. } => self.trying = None,
            Event::Answered { item, .. }
            | Event::Done { item, .. }
            | Event::Skipped { item, .. }
            | Event::Failed { item, .. } => {
                self.trying.take_if(|trying| trying.item == *item);
            }
            _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::progress::PlannedItem;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn started(bytes: u64) -> JobView {
        let mut job = JobView::default();
        job.apply(&Event::Started { phase: Phase::Fetch, items: 2, bytes }, s(0));
        job
    }

    #[test]
    fn a_program_that_writes_while_nothing_is_counted_is_no_stall_until_it_writes_no_more() {
        let mut job = started(1000);
        bytes(&mut job, 990, s(1));
        for at in 2..=20 {
            job.apply(&Event::Writes { phase: Phase::Fetch, program: "skopeo".to_owned() }, s(at));
        }
        let view = job.current().unwrap();
        assert_eq!(view.line(s(20)), "fetch: 99 % · 990 B of 1.0 kB · skopeo writes");
        assert_eq!((view.stalled(s(20)), view.remaining(s(20))), (None, None));
        assert_eq!(view.line(s(26)), "fetch: 99 % · 990 B of 1.0 kB · stalled 25 s");
        bytes(&mut job, 991, s(21));
        assert!(job.current().unwrap().line(s(21)).ends_with("/s"), "bytes say more");
    }

    #[test]
    fn what_was_there_from_the_start_is_counted_among_all() {
        let (phase, mut job) = (Phase::Fetch, JobView::default());
        job.apply(&Event::Started { phase, items: 3, bytes: 10 }, s(0));
        job.apply(&Event::Had { phase, items: 1 }, s(0));
        for item in ["a", "b"] {
            job.apply(&Event::Done { phase, item: item.into(), bytes: 5 }, s(1));
        }
        let view = job.current().unwrap();
        assert_eq!((view.items_done, view.items, view.skipped), (3, 3, 0));
    }

    #[test]
    fn what_is_tried_again_says_which_time_and_when() {
        let mut job = started(1000);
        let (phase, item) = (Phase::Fetch, "localhost:1".to_owned());
        let reason = "connection refused".to_owned();
        let retry =
            Event::Retry { phase, item: item.clone(), attempt: 3, reason: reason.clone(), wait_ms: 4200 };
        job.apply(&retry, s(10));
        let line = |job: &JobView, at| job.trying.as_ref().map(|trying| trying.line(at));
        for (at, when) in [(s(10), "in 5 s"), (s(14), "in 1 s"), (s(15), "is due")] {
            assert_eq!(line(&job, at), Some(format!("localhost:1: connection refused; try 3 {when}")));
        }
        job.apply(&Event::Failed { phase, item: "other".into(), reason: reason.clone() }, s(15));
        assert!(job.trying.is_some());
        job.apply(&Event::Failed { phase, item, reason }, s(15));
        assert_eq!(job.trying, None);
    }

    #[test]
    fn what_is_tried_again_on_the_way_to_an_item_is_counted_and_no_item_of_its_own() {
        let (phase, mut job) = (Phase::Resolve, JobView::default());
        job.apply(&Event::Started { phase, items: 1, bytes: 0 }, s(0));
        let items = vec![PlannedItem { item: "h:1/app:1".to_owned(), bytes: 0 }];
        job.apply(&Event::Planned { phase, items }, s(0));
        let (item, reason) = ("h:1/app".to_owned(), "connection refused".to_owned());
        job.apply(&Event::Retry { phase, item, attempt: 2, reason, wait_ms: 1 }, s(1));
        assert_eq!((job.items.list.len(), job.retries), (1, 1));
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
    fn a_registry_that_is_waited_for_is_named_with_the_time_that_is_left_until_bytes_come() {
        let (phase, mut job) = (Phase::Fetch, started(1000));
        bytes(&mut job, 400, s(1));
        job.apply(&Event::Awaited { phase, host: "h:5000".into(), attempt: 3, left_ms: 30_000 }, s(2));
        let line = |job: &JobView, at| job.current().unwrap().line(at);
        let waits = "fetch: 40 % · 400 B of 1.0 kB · waiting for h:5000, try 3, 24 s left";
        assert_eq!(line(&job, s(8)), waits);
        bytes(&mut job, 500, s(9));
        assert_eq!(line(&job, s(10)), "fetch: 50 % · 500 B of 1.0 kB · 50 B/s");
    }

    #[test]
    fn what_is_spared_is_done_without_having_moved_and_nothing_goes_back_when_it_is_needed_after_all() {
        let mut job = started(1000);
        let spare = |job: &mut JobView, bytes| job.apply(&Event::Spared { phase: Phase::Fetch, bytes }, s(1));
        bytes(&mut job, 100, s(1));
        spare(&mut job, 800);
        let found = "fetch: 90 % · 900 B of 1.0 kB · 800 B of it found on the medium · 100 B/s";
        assert_eq!(job.current().unwrap().line(s(1)), found);
        let view = job.current().unwrap();
        assert_eq!((view.current_rate(s(1)), view.remaining(s(1))), (100, Some(s(1))));
        spare(&mut job, 0);
        assert_eq!(job.current().unwrap().line(s(1)), "fetch: 90 % · 900 B of 1.0 kB · 100 B/s");
        bytes(&mut job, 700, s(2));
        assert_eq!(job.current().unwrap().percent(), Some(90));
        spare(&mut job, 300);
        job.apply(&Event::Done { phase: Phase::Fetch, item: "a".into(), bytes: 1000 }, s(3));
        let all = "fetch: 99 % · 1.0 kB of 1.0 kB · 300 B of it found on the medium · 1 of 2 blobs · 233 B/s";
        assert_eq!(job.current().unwrap().line(s(3)), all);
    }

    #[test]
    fn a_rate_is_of_bytes_that_moved_and_not_of_those_that_were_only_hashed() {
        let phase = Phase::Write;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 0, bytes: 10_000 }, s(0));
        for second in 1..=10 {
            job.apply(&Event::Kept { phase, bytes: second * 600 }, s(second));
            job.apply(&Event::Bytes { phase, done: second * 600 }, s(second));
        }
        let view = job.current().unwrap();
        assert_eq!((view.rate(s(10)), view.current_rate(s(10)), view.brought()), (0, 0, 0));
        assert_eq!(view.line(s(10)), "write: 60 % · 6.0 kB of 10.0 kB");
        assert_eq!(view.remaining(s(10)), Some(s(7)), "how long it takes is told by both");
        for second in 11..=20 {
            job.apply(&Event::Bytes { phase, done: 6000 + (second - 10) * 400 }, s(second));
        }
        let view = job.current().unwrap();
        assert_eq!((view.rate(s(20)), view.current_rate(s(20)), view.brought()), (200, 400, 4000));
        // What was kept was not right: it is brought once more.
        job.apply(&Event::Kept { phase, bytes: 5000 }, s(21));
        assert_eq!(job.current().unwrap().brought(), 5000);
    }

    #[test]
    fn while_bytes_are_put_onto_the_medium_their_fetch_does_not_stall() {
        let mut job = started(1000);
        job.apply(&Event::Started { phase: Phase::Write, items: 0, bytes: 1000 }, s(0));
        for second in 1..=60 {
            job.apply(&Event::Bytes { phase: Phase::Write, done: second }, s(second));
        }
        assert_eq!((job.phases[0].stalled(s(61)), job.phases[1].stalled(s(61))), (None, None));
        assert_eq!(job.phases[0].stalled(s(70)), Some(s(10)));
        assert_eq!(job.current().map(|phase| phase.phase), Some(Phase::Write));
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
        assert_eq!(line, "fetch: 0 % · 0 B of 1.0 kB · 1 of 2 blobs · 1 skipped (400 B) · 1 failed");
        assert_eq!(job.retries, 1);
    }

    fn item(state: ItemState, bytes: u64, retries: u32, note: Option<&str>) -> ItemView {
        let (phase, name) = (Phase::Fetch, "a".to_owned());
        ItemView { phase, name, state, bytes, retries, part: None, note: note.map(str::to_owned) }
    }

    #[test]
    fn an_item_waits_runs_is_tried_again_and_ends() {
        use ItemState::*;
        let phase = Phase::Fetch;
        let name = || "a".to_owned();
        let planned = PlannedItem { item: name(), bytes: 7 };
        let retry =
            |attempt| Event::Retry { phase, item: name(), attempt, reason: "reset".into(), wait_ms: 1 };
        let mut job = started(7);
        for (event, expected) in [
            (Event::Planned { phase, items: vec![planned] }, item(Waiting, 7, 0, None)),
            (Event::Item { phase, item: name(), bytes: 7 }, item(Running, 7, 0, None)),
            (retry(2), item(Running, 7, 1, Some("reset"))),
            (retry(3), item(Running, 7, 2, Some("reset"))),
            (Event::Answered { phase, item: name() }, item(Running, 7, 2, None)),
            (Event::Failed { phase, item: name(), reason: "gone".into() }, item(Failed, 7, 2, Some("gone"))),
            (Event::Done { phase, item: name(), bytes: 7 }, item(Done, 7, 2, None)),
            (
                Event::Skipped { phase, item: name(), bytes: 7, reason: "there".into() },
                item(Skipped, 7, 2, Some("there")),
            ),
        ] {
            job.apply(&event, s(1));
            assert_eq!(*job.items.list[0], expected, "{event:?}");
            assert_eq!(job.items.list.len(), 1);
        }
        assert_eq!((job.retries, job.phases[0].retries), (2, 2));
    }

    #[test]
    fn the_list_is_bounded_and_a_failure_finds_room_in_it() {
        let phase = Phase::Fetch;
        let mut job = started(0);
        for at in 0..MAX_ITEMS + 10 {
            job.apply(&Event::Done { phase, item: at.to_string(), bytes: 1 }, s(1));
        }
        assert_eq!((job.items.list.len(), job.items.unlisted), (MAX_ITEMS, 10));
        let reason = "gone".to_owned();
        job.apply(&Event::Failed { phase, item: "late".into(), reason: reason.clone() }, s(1));
        assert_eq!((job.items.list.len(), job.items.count(phase, ItemState::Failed)), (MAX_ITEMS, 1));
        job.apply(&Event::Failed { phase, item: "late".into(), reason }, s(1));
        assert_eq!((job.items.unlisted, job.phases[0].failed), (11, 2));
        for _ in 0..MAX_WARNINGS + 1 {
            job.apply(&Event::Warning { text: "w".into() }, s(1));
        }
        assert_eq!((job.warnings.len(), job.unkept_warnings), (MAX_WARNINGS, 1));
        job.apply(&Event::Started { phase, items: 1, bytes: 1 }, s(2));
        assert!(job.items.list.is_empty());
    }

    #[test]
    fn the_current_rate_is_that_of_the_last_seconds() {
        let mut job = started(100_000);
        for second in 1..=10 {
            bytes(&mut job, second * 1000, s(second));
        }
        let phase = job.current().unwrap();
        assert_eq!((phase.current_rate(s(10)), phase.rate(s(10))), (1000, 1000));
        for tenth in 1..=50 {
            bytes(&mut job, 10_000 + tenth * 400, s(10) + Duration::from_millis(tenth * 100));
        }
        let phase = job.current().unwrap();
        assert_eq!((phase.current_rate(s(15)), phase.rate(s(15))), (4000, 2000));
        assert_eq!((phase.current_rate(s(18)), phase.current_rate(s(20))), (1600, 0));
        let idle = started(10);
        assert_eq!(idle.current().unwrap().current_rate(s(3)), 0);
    }

    #[test]
    fn the_time_left_is_told_once_it_is_more_than_a_guess() {
        for (done, at, expected) in [
            (100, 1, None),
            (200, 1, Some(49)),
            (100, 9, None),
            (100, 10, Some(990)),
            (5000, 50, Some(50)),
            (0, 60, None),
        ] {
            let mut job = started(10_000);
            for second in 1..=at {
                bytes(&mut job, done * second / at, s(second));
            }
            let left = job.current().unwrap().remaining(s(at));
            assert_eq!(left, expected.map(s), "{done} of 10000 after {at} s");
        }
        // Much came at once from beside, and the rest comes slowly.
        let mut job = started(10_000);
        bytes(&mut job, 5000, s(1));
        for second in 2..=21 {
            bytes(&mut job, 5000 + (second - 1) * 50, s(second));
        }
        let view = job.current().unwrap();
        assert_eq!((view.current_rate(s(21)), view.remaining(s(21))), (50, Some(s(80))));
        let mut job = started(10_000);
        bytes(&mut job, 5000, s(20));
        assert_eq!(job.current().unwrap().remaining(s(26)), None, "stalled");
        assert_eq!(started(0).current().unwrap().remaining(s(60)), None, "no end known");
    }

    #[test]
    fn a_pause_is_no_stall_and_takes_no_time() {
        let mut job = started(10_000);
        for second in 1..=10 {
            bytes(&mut job, second * 100, s(second));
        }
        job.apply(&Event::Paused { paused: true }, s(10));
        let phase = job.current().unwrap();
        assert!(job.paused && phase.stalled(s(600)).is_none() && phase.remaining(s(600)).is_none());
        assert_eq!((phase.rate(s(600)), phase.current_rate(s(600))), (100, 0));
        assert_eq!(phase.line(s(600)), "fetch: 10 % · 1.0 kB of 10.0 kB · paused");
        job.apply(&Event::Paused { paused: false }, s(610));
        bytes(&mut job, 1100, s(611));
        let phase = job.current().unwrap();
        assert_eq!((phase.rate(s(611)), phase.current_rate(s(611)), phase.left()), (100, 100, 8900));
        assert_eq!(phase.remaining(s(611)), Some(s(89)));
    }
}
