//! What is typed in full where no row of a list has it: it is the answer, or it is said why it is none.

use super::Plain;
use crate::config::key::{Code, Key};
use crate::dialogs::{Choose, Dialog};
use crate::tui::app::App;
use crate::tui::msg::Msg;

impl Plain {
    /// Takes what was typed where no row has it. Where it is refused all rows are shown again.
    pub(super) fn own(&mut self) {
        if !self.app.chooser().is_some_and(Choose::takes_own) {
            return;
        }
        self.take(Msg::Key(Key::plain(Code::Enter)));
        let refused = self.app.chooser().and_then(Choose::refused).map(str::to_owned);
        if let Some(reason) = refused {
            [Key::ctrl('e'), Key::ctrl('u')].into_iter().for_each(|key| self.take(Msg::Key(key)));
            self.print(&format!("x {reason}\n"));
        }
    }
}

impl App {
    /// The list to choose from that is asked about now.
    pub(super) fn chooser(&self) -> Option<&Choose> {
        match self.dialogs.last() {
            Some(Dialog::Choose(choose)) => Some(choose),
            _ => None,
        }
    }
}
