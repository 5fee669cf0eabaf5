//! Shows what a job says: events as JSON lines, bars on a terminal, else plain lines on stderr, few and honest.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::printer::Printer;
use crate::domain::progress::Event;
use crate::domain::text;
use crate::domain::view::{JobView, PhaseView};
use crate::engine::ctx::Report;

/// Byte counts are passed on at most this often.
const BEAT: Duration = Duration::from_millis(100);
/// Without bars, a progress line comes at most this often.
const LINE: Duration = Duration::from_secs(5);

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
    line: Option<Duration>,
}

impl Reporter {
    /// Over the run's printer.
    pub fn new(printer: Arc<Printer>) -> Self {
        Self { printer, began: Instant::now(), state: Mutex::default() }
    }

    /// To be called about once a second, so that a stall is seen although no event comes.
    pub fn tick(&self) {
        let mut state = self.state();
        let at = self.began.elapsed();
        let Some(current) = state.view.current() else { return };
        let line = current.line(at);
        if let Some(bar) = &state.bar {
            bar.set_message(line);
        } else if state.line.is_some_and(|last| at - last >= LINE) {
            state.line = Some(at);
            self.printer.note(line);
        }
    }

    /// Takes bars away; what remains is said in lines.
    pub fn close(&self) {
        if let Some(bar) = self.state().bar.take() {
            bar.finish_and_clear();
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
            let size =
                if phase.bytes > 0 { format!(", {}", text::bytes(phase.bytes)) } else { String::new() };
            let items = if phase.items == 1 { "item" } else { "items" };
            self.printer.note(format!("{}: {} {items}{size}", phase.phase.name(), phase.items));
        }
    }

    fn show(&self, state: &mut State, event: &Event, at: Duration) {
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
                if let Some(view) = state.view.phases.iter().rfind(|view| view.phase == *phase) {
                    self.printer.note(view.line(at));
                }
            }
            Event::Note { text } => self.printer.note(text),
            Event::Warning { text } => self.printer.warn(text),
            Event::Failed { item, reason, .. } => self.printer.warn(format!("{item}: {reason}")),
            Event::Retry { item, attempt, reason, wait_ms, .. } => {
                let wait = wait_ms.div_ceil(1000);
                self.printer.note(format!("{item}: {reason}; attempt {attempt} in {wait} s"));
            }
            Event::Bytes { .. } | Event::Done { .. } | Event::Skipped { .. } | Event::Item { .. } => {
                if let (Some(bar), Some(current)) = (&state.bar, state.view.current()) {
                    bar.set_position(current.percent().unwrap_or(0).into());
                    bar.set_message(current.line(at));
                }
            }
        }
    }
}

impl Report for Reporter {
    fn event(&self, event: Event) {
        let at = self.began.elapsed();
        let mut state = self.state();
        state.view.apply(&event, at);
        if matches!(event, Event::Bytes { .. }) {
            if state.counted.is_some_and(|last| at - last < BEAT) {
                return;
            }
            state.counted = Some(at);
        }
        self.printer.event(&event);
        if !self.printer.is_json() {
            self.show(&mut state, &event, at);
        }
    }
}
