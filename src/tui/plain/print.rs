//! What is printed on plain lines: where one is and what can be done, and how a job goes on.

use std::io::{self, Write as _};
use std::mem::discriminant;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::answer::Prompt;
use super::typed::Hidden;
use super::{ESC, Plain, words};
use crate::tui::msg::Msg;

/// A job that goes on is told of this often.
const PROGRESS: Duration = Duration::from_secs(5);

impl Plain {
    /// How a job goes on: at each phase, and every now and then.
    pub(super) fn progress(&mut self) {
        let Some(job) = self.app.model.running() else { return };
        let Some(view) = job.view.current() else { return };
        let due = self.phase.is_none_or(|(phase, at)| phase != view.phase || at.elapsed() >= PROGRESS);
        if due {
            let line = format!("... {}\n", view.line(self.app.model.at.saturating_sub(job.began)));
            self.phase = Some((view.phase, Instant::now()));
            self.print(&line);
        }
    }

    /// Prints where one is and what can be done, where that is new. A job that runs is told of by its progress.
    pub(super) fn state(&mut self, first: bool) {
        if self.leaving {
            return;
        }
        let page = self.app.reads();
        let steady = self.app.plain_text(false);
        let busy = self.app.model.running().is_some() && !self.app.asks() && !self.shown.is_empty();
        if !first && !self.is_owed() && (steady == self.shown || (busy && !page)) {
            return;
        }
        self.shown = steady;
        let text = self.app.plain_text(true);
        if page {
            self.print(&format!("\n{text}"));
            // It is read: nothing of it has to be answered.
            self.take(ESC);
            self.shown.clear();
            self.offered = None;
            return;
        }
        if self.app.prompt() == Prompt::Secret {
            self.hidden = Hidden::begin();
            self.secret.store(true, SeqCst);
        }
        // At once, so that what is typed meanwhile never comes between.
        self.print(&format!("\n{text}airlift> "));
        self.offer();
    }

    /// What was printed is what the next line answers.
    pub(super) fn offer(&mut self) {
        self.offered = Some(discriminant(&self.app.prompt()));
        self.meanings = self.app.meanings();
    }

    /// Prints words, folded to the width of the terminal.
    pub(super) fn print(&mut self, words: &str) {
        self.write(&words::folded(words, self.app.size().0));
    }

    pub(super) fn write(&mut self, words: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(words::ascii(words).as_bytes()).and_then(|()| out.flush());
        if written.is_err() && !self.lost {
            (self.lost, self.leaving) = (true, true);
            let effects = self.app.update(self.began.elapsed(), jiff::Timestamp::now(), Msg::Lost);
            drop(out);
            self.effects(effects);
        }
    }
}
