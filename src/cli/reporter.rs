//! Shows what a job says: events as JSON lines, or milestones as plain lines on stderr.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::printer::Printer;
use crate::domain::progress::Event;
use crate::engine::ctx::Report;

/// Byte counts are passed on at most this often.
const BEAT: Duration = Duration::from_millis(100);

/// Reports one job.
pub struct Reporter {
    printer: Arc<Printer>,
    last_bytes: Mutex<Option<Instant>>,
}

impl Reporter {
    /// Over the run's printer.
    pub fn new(printer: Arc<Printer>) -> Self {
        Self { printer, last_bytes: Mutex::default() }
    }

    fn due(&self) -> bool {
        let now = Instant::now();
        let Ok(mut last) = self.last_bytes.lock() else { return false };
        let due = last.is_none_or(|last| now - last >= BEAT);
        if due {
            *last = Some(now);
        }
        due
    }
}

impl Report for Reporter {
    fn event(&self, event: Event) {
        if matches!(event, Event::Bytes { .. }) && !self.due() {
            return;
        }
        self.printer.event(&event);
        match event {
            Event::Note { text } => self.printer.note(text),
            Event::Warning { text } => self.printer.warn(text),
            Event::Failed { item, reason, .. } => self.printer.warn(format!("{item}: {reason}")),
            Event::Retry { item, attempt, reason, .. } => {
                self.printer.note(format!("{item}: {reason}; attempt {attempt} follows"));
            }
            _ => {}
        }
    }
}
