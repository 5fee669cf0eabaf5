//! What is printed on plain lines: where one is and what can be done, and how a job goes on.

use std::io::{self, Write as _};
use std::mem::discriminant;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::answer::Prompt;
use super::typed::Hidden;
use super::{ESC, Plain, words};
use crate::domain::progress::Phase;
use crate::tui::msg::Msg;

/// A job that goes on is told of this often.
const PROGRESS: Duration = Duration::from_secs(5);

/// Whether a job is told of in this phase at this time, after it was told of last.
fn is_due(last: Option<(Phase, Duration)>, (phase, at): (Phase, Duration)) -> bool {
    last.is_none_or(|(before, told)| before != phase || at.saturating_sub(told) >= PROGRESS)
}

impl Plain {
    /// How a job goes on: at each phase, and every now and then.
    pub(super) fn progress(&mut self) {
        let Some(job) = self.app.model.running() else { return };
        let Some(view) = job.view.current() else { return };
        let now = (view.phase, self.app.model.at);
        if is_due(self.phase, now) {
            let line = format!("... {}\n", view.line(now.1.saturating_sub(job.began)));
            self.phase = Some(now);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_told_of_at_each_phase_and_every_five_seconds_in_it() {
        let looks = [
            (Phase::Resolve, 0),
            (Phase::Resolve, 1000),
            (Phase::Fetch, 1200),
            (Phase::Fetch, 6100),
            (Phase::Fetch, 6200),
            (Phase::Fetch, 11_100),
            (Phase::Fetch, 20_000),
        ];
        let (mut last, mut told) = (None, Vec::new());
        for (phase, at) in looks {
            let now = (phase, Duration::from_millis(at));
            if is_due(last, now) {
                last = Some(now);
                told.push(at);
            }
        }
        assert_eq!(told, [0, 1200, 6200, 20_000]);
    }
}
