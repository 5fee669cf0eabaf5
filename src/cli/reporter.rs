//! Shows what a job says: events as JSON lines, bars on a terminal, else plain lines on stderr, few and honest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::printer::Printer;
use crate::domain::alike::{Befallen, told};
use crate::domain::progress::{Event, Phase};
use crate::domain::text;
use crate::domain::view::{JobView, PhaseView};
use crate::engine::ctx::Report;

/// Byte counts are passed on at most this often.
const BEAT: Duration = Duration::from_millis(100);
/// Without bars, a progress line comes at most this often.
const LINE: Duration = Duration::from_secs(5);

/// Tries that fail alike within this time make one line.
const FOLD: Duration = Duration::from_millis(500);

/// Tries that failed alike and are not said yet.
struct Failing {
    since: Duration,
    /// The registry.
    host: String,
    reason: String,
    /// The first of the things asked for.
    item: String,
    requests: u64,
    /// The highest that comes next.
    attempt: u32,
    wait_ms: u64,
}

impl Failing {
    fn line(&self) -> String {
        let wait = self.wait_ms.div_ceil(1000);
        let (reason, attempt) = (&self.reason, self.attempt);
        match self.requests {
            1 => format!("{}: {reason}; attempt {attempt} in {wait} s", self.item),
            n => format!("{}: {reason} ({n} requests); attempt {attempt} in up to {wait} s", self.host),
        }
    }
}

/// Reports one job.
pub struct Reporter {
    printer: Arc<Printer>,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    view: JobView,
    bar: Option<ProgressBar>,
    counted: Option<Duration>,
    /// Byte counts that were not passed on yet, by their phases.
    untold: BTreeMap<Phase, u64>,
    line: Option<Duration>,
    failing: Option<Failing>,
    /// References that do not resolve, to be said together by their causes.
    unresolved: Vec<Befallen>,
    leaves_unresolved: bool,
}

impl State {
    /// Whether a line of progress comes at this time, in a phase that was begun; it is the last one then.
    fn is_due(&mut self, at: Duration) -> bool {
        let due = self.line.is_some_and(|last| at.saturating_sub(last) >= LINE);
        if due {
            self.line = Some(at);
        }
        due
    }
}

impl Reporter {
    /// Over the run's printer.
    pub fn new(printer: Arc<Printer>) -> Self {
        Self { printer, began: Instant::now(), state: Mutex::default() }
    }

    /// References that do not resolve are told by how the command ends, and so not before that.
    pub fn leave_unresolved(&self) {
        self.state().leaves_unresolved = true;
    }

    /// To be called about once a second, so that a stall is seen although no event comes.
    pub fn tick(&self) {
        let mut state = self.state();
        let at = self.began.elapsed();
        if state.failing.as_ref().is_some_and(|failing| at.saturating_sub(failing.since) >= FOLD) {
            self.say_failing(&mut state);
        }
        let Some(line) = state.view.current().map(|current| current.line(at)) else { return };
        if let Some(bar) = &state.bar {
            bar.set_message(line);
        } else if state.is_due(at) {
            self.printer.note(line);
        }
    }

    /// Takes bars away; what remains is said in lines.
    pub fn close(&self) {
        let mut state = self.state();
        self.say_failing(&mut state);
        self.say_unresolved(&mut state);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Says the tries that were held back to be said together.
    fn say_failing(&self, state: &mut State) {
        if let Some(failing) = state.failing.take() {
            self.printer.note(failing.line());
        }
    }

    fn say_unresolved(&self, state: &mut State) {
        told(&std::mem::take(&mut state.unresolved)).into_iter().for_each(|line| self.printer.warn(line));
    }

    fn failing(&self, state: &mut State, next: Failing) {
        match &mut state.failing {
            Some(held) if held.host == next.host && held.reason == next.reason => {
                held.requests += 1;
                held.attempt = held.attempt.max(next.attempt);
                held.wait_ms = held.wait_ms.max(next.wait_ms);
            }
            _ => {
                self.say_failing(state);
                state.failing = Some(next);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn begin(&self, state: &mut State, phase: &PhaseView, at: Duration) {
        state.line = Some(at);
        if let Some(bars) = self.printer.bars() {
            if let Some(old) = state.bar.take() {
                old.finish_and_clear();
            }
            // The template is a constant; without it a bar would only look plainer.
            let style = ProgressStyle::with_template("{bar:24} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = bars.add(ProgressBar::new(100).with_style(style));
            bar.set_message(phase.line(at));
            state.bar = Some(bar);
        } else {
            self.printer.note(beginning(phase));
        }
    }

    fn show(&self, state: &mut State, event: &Event, at: Duration) {
        // In the order in which it happened.
        if matches!(event, Event::Finished { .. } | Event::Warning { .. } | Event::Failed { .. }) {
            self.say_failing(state);
        }
        match event {
            Event::Started { phase, .. } => {
                let phase = state.view.phases.iter().rfind(|view| view.phase == *phase).cloned();
                if let Some(phase) = phase {
                    self.begin(state, &phase, at);
                }
            }
            Event::Finished { phase } => {
                if let Some(bar) = state.bar.take() {
                    bar.finish_and_clear();
                }
                self.say_unresolved(state);
                if let Some(view) = state.view.phases.iter().rfind(|view| view.phase == *phase) {
                    self.printer.note(view.line(at));
                }
            }
            Event::Note { text } => self.printer.note(text),
            Event::Warning { text } => self.printer.warn(text),
            Event::Failed { phase: Phase::Resolve, .. } if state.leaves_unresolved => {}
            Event::Failed { phase: Phase::Resolve, item, reason } => {
                let (name, object) = (item.clone(), item.clone());
                state.unresolved.push(Befallen { name, object, reason: reason.clone() });
            }
            Event::Failed { item, reason, .. } => {
                // Most reasons begin with what they are about.
                let reason = reason.strip_prefix(&format!("{item}: ")).unwrap_or(reason);
                self.printer.warn(format!("{item}: {reason}"));
            }
            Event::Retry { item, attempt, reason, wait_ms, .. } => {
                let host = item.split_once('/').map_or(item.as_str(), |(host, _)| host).to_owned();
                let (item, reason) = (item.clone(), reason.clone());
                let (attempt, wait_ms) = (*attempt, *wait_ms);
                let next = Failing { since: at, host, reason, item, requests: 1, attempt, wait_ms };
                self.failing(state, next);
            }
            Event::Planned { .. } | Event::Passed { .. } | Event::Resolved { .. } | Event::Landed(_) => {}
            Event::Bytes { .. }
            | Event::Spared { .. }
            | Event::Awaited { .. }
            | Event::Absent { .. }
            | Event::Answered { .. }
            | Event::Had { .. }
            | Event::Grown { .. }
            | Event::Writes { .. }
            | Event::Kept { .. }
            | Event::Done { .. }
            | Event::Skipped { .. }
            | Event::Item { .. }
            | Event::Part { .. }
            | Event::Paused { .. } => {
                if let (Some(bar), Some(current)) = (&state.bar, state.view.current()) {
                    bar.set_position(current.percent().unwrap_or(0).into());
                    bar.set_message(current.line(at));
                }
            }
        }
    }
}

/// What a phase is about to do, as far as that is known.
fn beginning(phase: &PhaseView) -> String {
    let items = (phase.items > 0).then(|| phase.phase.count(phase.items));
    let size = (phase.bytes > 0).then(|| text::bytes(phase.bytes));
    let words: Vec<String> = items.into_iter().chain(size).collect();
    let words = if words.is_empty() { "begins".to_owned() } else { words.join(", ") };
    format!("{}: {words}", phase.phase.name())
}

impl Report for Reporter {
    fn event(&self, event: Event) {
        let at = self.began.elapsed();
        let mut state = self.state();
        state.view.apply(&event, at);
        match &event {
            Event::Bytes { phase, done } => {
                if state.counted.is_some_and(|last| at - last < BEAT) {
                    state.untold.insert(*phase, *done);
                    return;
                }
                state.untold.remove(phase);
                state.counted = Some(at);
            }
            // The last count of a phase is no beat of it: it is what came of it.
            Event::Finished { phase } => {
                if let Some(done) = state.untold.remove(phase) {
                    self.printer.event(&Event::Bytes { phase: *phase, done });
                }
            }
            _ => {}
        }
        self.printer.event(&event);
        if !self.printer.is_json() {
            self.show(&mut state, &event, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Global;

    fn retry(reporter: &Reporter, item: &str, reason: &str, attempt: u32) -> Option<String> {
        let (item, reason) = (item.to_owned(), reason.to_owned());
        let wait_ms = u64::from(attempt) * 1000;
        reporter.event(Event::Retry { phase: Phase::Fetch, item, attempt, reason, wait_ms });
        reporter.state().failing.as_ref().map(Failing::line)
    }

    #[test]
    fn without_bars_a_line_of_progress_comes_every_five_seconds_after_its_phase_began() {
        let mut state = State::default();
        let mut due = |at: u64| state.is_due(Duration::from_secs(at));
        assert!(!due(60), "no phase has begun");
        state.line = Some(Duration::from_secs(60));
        let told: Vec<u64> = (60..73).filter(|at| state.is_due(Duration::from_secs(*at))).collect();
        assert_eq!(told, [65, 70]);
    }

    #[test]
    fn tries_that_fail_alike_are_one_line_with_a_count() {
        let global = Global { quiet: true, ..Global::default() };
        let reporter = Reporter::new(Arc::new(Printer::new(&global)));
        let one = retry(&reporter, "h:5000/a:1", "refused", 2);
        assert_eq!(one.unwrap(), "h:5000/a:1: refused; attempt 2 in 2 s");
        retry(&reporter, "h:5000/b:1", "refused", 2);
        let three = retry(&reporter, "h:5000/c:1", "refused", 3);
        assert_eq!(three.unwrap(), "h:5000: refused (3 requests); attempt 3 in up to 3 s");
        // Another host, and another reason, are said apart.
        let other = retry(&reporter, "g/a:1", "refused", 2);
        assert_eq!(other.unwrap(), "g/a:1: refused; attempt 2 in 2 s");
        let other = retry(&reporter, "g/a:1", "500", 2);
        assert_eq!(other.unwrap(), "g/a:1: 500; attempt 2 in 2 s");
        reporter.close();
        assert!(reporter.state().failing.is_none());
    }
}
