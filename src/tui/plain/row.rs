//! The number of a row: it is gone to and said, or done where each row is an operation.

use super::{Plain, words};
use crate::actions::Act;
use crate::tui::model::Place;
use crate::tui::msg::Msg;

impl Plain {
    /// Goes to a row, or does what it says on the start screen, and says it with what the screen tells of it and what can be done there; not all of the screen again.
    pub(super) fn row(&mut self, row: usize) {
        let before = self.app.plain_text(false);
        // Where another row changed too, all are said.
        let steady = self.app.meanings() == self.meanings;
        self.app.select_row(row);
        if !steady {
            return self.shown.clear();
        }
        // There each row is an operation of its own.
        let go = self.app.model.keymap.keys(Act::Go).first().copied();
        if let (Place::Start, Some(go)) = (self.app.model.place, go) {
            self.shown.clear();
            return self.take(Msg::Key(go));
        }
        self.shown = self.app.plain_text(false);
        let new = words::news(&before, &self.shown, row + 1);
        let menu = self.app.menu();
        self.print(&format!("\n{new}{menu}airlift> "));
        self.offer();
    }
}
