//! What the status row says for a while, and what waits until it has.

use std::time::Duration;

use super::app::App;

/// For how long words stay in the status row at least.
pub(super) const WORDS: Duration = Duration::from_secs(6);

impl App {
    /// Says something in the status row, for a while; what a first Ctrl-C said holds so long, and stands so long.
    pub(super) fn say(&mut self, words: impl Into<String>) {
        match self.interrupts == 1 && self.words.is_some() {
            true => self.after = Some(words.into()),
            false => self.words = Some((words.into(), self.model.at + WORDS)),
        }
    }

    /// What was said long enough gives way to what is said after it.
    pub(super) fn words_pass(&mut self, at: Duration) {
        if self.words.as_ref().is_some_and(|(_, until)| *until <= at) {
            // A lone Ctrl-C much later begins anew, as its words are gone.
            self.interrupts = if self.terminated { self.interrupts } else { 0 };
            self.words = self.after.take().map(|words| (words, at + WORDS));
        }
    }
}
