//! What becomes of what was begun where no more lines come.

use super::Plain;
use crate::tui::msg::Msg;

impl Plain {
    /// No more lines come. At the prompt of a screen that is the same as leaving; else what was begun is given up.
    pub(super) fn ended(&mut self) {
        let unanswered = self.app.asks() || self.app.model.running().is_some();
        if self.leaving {
            return;
        }
        self.print(if unanswered {
            "\n! the input ended before this was answered; what runs is stopped at a safe point\n"
        } else {
            "\nthe input ended: left\n"
        });
        self.take(Msg::Lost);
        // A terminal whose lines end is one that was cut off.
        (self.lost, self.well) = (unanswered || !self.piped, self.piped && !unanswered);
    }
}
