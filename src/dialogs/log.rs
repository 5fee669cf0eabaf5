//! The log while it grows: follows its end, scrolls, filters, folds; saved and copied as it is shown.

mod shown;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;

use super::path::Wanted;
use super::{Path, Reply, Window, hints, way};
use crate::actions::Act;
use crate::config::key::Key;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::tui::log::Log as Lines;
use crate::tui::msg::Level;
use crate::widgets::list::Move;
use crate::widgets::look::Look;
use crate::widgets::{edit, line, popup};
use shown::{Shown, Spot};

/// No line is folded at fewer cells.
const NARROWEST: usize = 8;

/// The log, as it is looked at.
#[derive(Debug)]
pub struct Log {
    shown: Shown,
    filter: Input,
    typing: bool,
    /// What stands in the first row; nothing while the end is followed.
    top: Option<Spot>,
    /// What is offered to save it as.
    file: String,
}

impl Log {
    /// At the end of the log, which it follows.
    pub fn new(lines: &Lines) -> Self {
        let mut log = Self {
            shown: Shown::new(),
            filter: Input::default(),
            typing: false,
            top: None,
            file: "airlift.log".to_owned(),
        };
        log.take(lines);
        log
    }

    /// Takes over what was added to the log, and forgets what it forgot.
    pub fn take(&mut self, lines: &Lines) {
        self.shown.take(lines);
        self.top = self.top.map(|top| top.max((self.shown.first, 0)));
    }

    /// The lines that are shown, as a text to save.
    pub fn text(&self) -> String {
        self.shown.text()
    }

    /// Filters anew; the line that stood on top stays there where it passes.
    fn narrow(&mut self, least: Level) {
        self.shown.narrow(self.filter.value(), least);
        self.rewind_line();
    }

    /// Rows are other ones now: the line that stood on top is shown from its first.
    fn rewind_line(&mut self) {
        self.top = self.top.map(|(number, _)| (number, 0));
        self.settle();
    }

    /// Whoever comes to the end follows it.
    fn settle(&mut self) {
        if let Some(top) = self.top {
            self.top = Some(top).filter(|top| *top < self.shown.last_top());
        }
    }

    fn go(&mut self, to: Move) {
        let page = self.shown.room.get().1.saturating_sub(1).max(1);
        let from = self.top.unwrap_or_else(|| self.shown.last_top());
        self.top = match to {
            Move::Up => Some(self.shown.up(from, 1)),
            Move::Down => Some(self.shown.down(from, 1)),
            Move::PageUp => Some(self.shown.up(from, page)),
            Move::PageDown => Some(self.shown.down(from, page)),
            Move::First => Some(self.shown.top()),
            Move::Last => None,
        };
        self.settle();
    }

    fn clear(&mut self) {
        self.typing = false;
        self.filter.reset();
        self.narrow(self.shown.least);
    }

    /// With the file that is offered to save it as.
    #[must_use]
    pub fn saved_as(mut self, file: String) -> Self {
        self.file = file;
        self
    }

    fn save(&self) -> Reply {
        let help = "The lines that are shown, oldest first.";
        let path = Path::new(Act::Logs, "Save the log as", help, Wanted::NewFile);
        Reply::Ask(Box::new(path.at(&self.file).into()))
    }

    fn title(&self) -> String {
        let mut title = match self.shown.numbers.len() == self.shown.lines.len() {
            true => format!("Log: {} lines", self.shown.lines.len()),
            false => format!("Log: {}/{} lines", self.shown.numbers.len(), self.shown.lines.len()),
        };
        if self.shown.first > 0 {
            title.push_str(&format!(", {} older ones forgotten", self.shown.first));
        }
        title
    }

    /// The filter or where one is, and the keys.
    fn foot(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let lead = "filter: ";
        let used = u16::try_from(lead.len()).unwrap_or(0).min(area.width);
        let room = Rect { x: area.x + used, width: area.width - used, height: area.height.min(1), ..area };
        if self.typing {
            line::words(lead, look.style(Role::Title), line::row(area, 0), buffer);
            edit::draw(&self.filter, room, look, buffer);
        } else if self.filter.value().is_empty() {
            let words = match self.top {
                None => "following".to_owned(),
                Some(_) => format!("paused; {} follows again", keymap.first(Act::Last)),
            };
            line::words(&words, look.style(Role::Dim), line::row(area, 0), buffer);
        } else {
            line::words(lead, look.style(Role::Title), line::row(area, 0), buffer);
            let words = format!("{}   {}", self.filter.value(), hints(keymap, &[(Act::Back, "shows all")]));
            line::words(&words, look.style(Role::Match), room, buffer);
        }
        line::words(&hints(keymap, &self.keys()), look.style(Role::Dim), line::row(area, 1), buffer);
    }
}

impl Window for Log {
    fn acts(&self) -> Vec<Act> {
        let moves = [Act::Up, Act::Down, Act::PageUp, Act::PageDown];
        if self.typing {
            return [&moves[..], &[Act::Take, Act::Back]].concat();
        }
        let ways = [Act::Further, Act::First, Act::Last, Act::Take, Act::Done, Act::Logs, Act::Back];
        let own = [Act::Filter, Act::LogLevel, Act::LogFold, Act::LogSave, Act::Copy];
        [&own[..], &moves, &ways].concat()
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        if self.typing {
            return vec![(Act::Take, "keep"), (Act::Back, "show all")];
        }
        let level = match self.shown.least {
            Level::Info => "level: all",
            Level::Warn => "level: WARN+FAIL",
            Level::Fail => "level: FAIL",
        };
        vec![
            (Act::Back, "close"),
            (Act::Filter, "filter"),
            (Act::LogLevel, level),
            (Act::LogFold, if self.shown.folded { "cut" } else { "fold" }),
            (Act::LogSave, "save"),
            (Act::Copy, "copy"),
        ]
    }

    fn types(&self, key: Key) -> bool {
        self.typing && key.is_letter()
    }

    fn act(&mut self, act: Act) -> Reply {
        match act {
            Act::Take if self.typing => self.typing = false,
            Act::Back if self.typing || !self.filter.value().is_empty() => self.clear(),
            Act::Take | Act::Done | Act::Logs | Act::Back => return Reply::Closed,
            // There is nothing to take.
            Act::Copy | Act::LogSave if self.shown.numbers.is_empty() => {}
            Act::Copy => return Reply::Copy(self.text()),
            Act::LogSave => return self.save(),
            Act::Filter => self.typing = true,
            Act::LogLevel => self.narrow(match self.shown.least {
                Level::Info => Level::Warn,
                Level::Warn => Level::Fail,
                Level::Fail => Level::Info,
            }),
            Act::LogFold => {
                self.shown.folded = !self.shown.folded;
                self.rewind_line();
            }
            Act::Further => self.go(Move::PageDown),
            act => way(act).into_iter().for_each(|way| self.go(way)),
        }
        Reply::Stay
    }

    fn typed(&mut self, key: Key) -> Reply {
        if self.typing && edit::key(&mut self.filter, key) {
            self.narrow(self.shown.least);
        }
        Reply::Stay
    }

    fn paste(&mut self, pasted: &str) {
        if self.typing {
            edit::paste(&mut self.filter, pasted);
            self.narrow(self.shown.least);
        }
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        // As wide as there is room: a digest then stays in one row.
        let size = (area.width.min(120), area.height.saturating_sub(2));
        let inner = popup::popup(&self.title(), size, area, look, buffer);
        let body = Rect { height: inner.height.saturating_sub(3), ..inner };
        let (columns, rows) = (usize::from(body.width).max(NARROWEST), usize::from(body.height));
        self.shown.room.set((columns, rows));
        // In another room the end may begin above the place where it stood still.
        let last = self.shown.last_top();
        let (number, mut row) = self.top.filter(|top| *top < last).unwrap_or(last);
        let mut at = 0;
        for number in self.shown.numbers.range(self.shown.place(number)..) {
            if at >= body.height {
                break;
            }
            let role = self.shown.line(*number).map_or(Role::Text, |line| role(line.level));
            for words in self.shown.rows(*number, columns).into_iter().skip(std::mem::take(&mut row)) {
                line::words(&words, look.style(role), line::row(body, at), buffer);
                at += 1;
            }
        }
        if self.shown.numbers.is_empty() {
            let words = if self.shown.lines.is_empty() { "nothing logged yet" } else { "no line matches" };
            line::words(words, look.style(Role::Dim), line::row(body, 0), buffer);
        }
        self.foot(line::below(inner, inner.height.saturating_sub(2)), look, keymap, buffer);
    }
}

const fn role(level: Level) -> Role {
    match level {
        Level::Info => Role::Text,
        Level::Warn => Role::Warn,
        Level::Fail => Role::Fail,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::config::key::Code;
    use crate::dialogs::testing::press;

    const COLUMNS: usize = 30;

    /// Each line is folded to three rows, the last of which tells its number.
    fn lines(numbers: std::ops::Range<usize>) -> Lines {
        let mut lines = Lines::default();
        for number in numbers {
            let level = if number % 10 == 0 { Level::Warn } else { Level::Info };
            lines.add(
                jiff::Timestamp::UNIX_EPOCH,
                level,
                format!("{} {} {number}", "a".repeat(24), "b".repeat(24)),
            );
        }
        lines
    }

    fn log(lines: &Lines, rows: usize) -> Log {
        let log = Log::new(lines);
        log.shown.room.set((COLUMNS, rows));
        log
    }

    #[test]
    fn it_is_scrolled_row_by_row_through_folded_lines_and_back() {
        let mut log = log(&lines(0..100), 7);
        assert_eq!(log.shown.rows(5, COLUMNS).len(), 3, "{:?}", log.shown.rows(5, COLUMNS));
        assert_eq!(log.shown.last_top(), (97, 2));
        for (key, top) in [
            ("k", Some((97, 1))),
            ("k", Some((97, 0))),
            ("Up", Some((96, 2))),
            ("PageUp", Some((94, 2))),
            ("j", Some((95, 0))),
            ("g", Some((0, 0))),
            ("k", Some((0, 0))),
            ("PageDown", Some((2, 0))),
            ("G", None),
            ("j", None),
            ("Home", Some((0, 0))),
            ("End", None),
        ] {
            press(&mut log, key.parse().unwrap());
            assert_eq!(log.top, top, "{key}");
        }
    }

    #[test]
    fn the_end_is_followed_and_what_was_scrolled_to_stays() {
        let (mut growing, level) = (lines(0..100), Level::Info);
        let mut log = log(&growing, 7);
        growing.add(jiff::Timestamp::UNIX_EPOCH, level, "new");
        log.take(&growing);
        assert_eq!((log.top, log.shown.last_top()), (None, (98, 0)));
        press(&mut log, Key::char('k'));
        let top = log.top;
        for number in 0..5000 {
            growing.add(jiff::Timestamp::UNIX_EPOCH, level, number.to_string());
            log.take(&growing);
        }
        assert_eq!((log.shown.first, log.shown.lines.len()), (101, 5000));
        assert!(top < Some((101, 0)) && log.top == Some((101, 0)), "what is forgotten is no place to stay");
        press(&mut log, Key::char('G'));
        assert_eq!(log.shown.last_top(), (5094, 0));
    }

    #[test]
    fn words_and_weight_choose_lines_also_of_those_that_come_later() {
        let mut growing = lines(0..100);
        let mut log = log(&growing, 7);
        press(&mut log, Key::char('v'));
        assert_eq!(log.shown.numbers, (0..100).step_by(10).collect::<Vec<_>>());
        press(&mut log, Key::char('/'));
        "B 5".chars().for_each(|c| drop(press(&mut log, Key::char(c))));
        assert_eq!(log.shown.numbers, [50]);
        press(&mut log, Key::plain(Code::Enter));
        growing.add(jiff::Timestamp::UNIX_EPOCH, Level::Fail, "bad 5");
        growing.add(jiff::Timestamp::UNIX_EPOCH, Level::Info, "bad 5");
        log.take(&growing);
        assert_eq!(
            (&log.shown.numbers, log.title().as_str()),
            (&VecDeque::from([50, 100]), "Log: 2/102 lines")
        );
        assert!(log.text().ends_with("Z FAIL bad 5\n"), "{}", log.text());
        assert!(matches!(press(&mut log, Key::plain(Code::Esc)), Reply::Stay));
        press(&mut log, Key::char('v'));
        assert_eq!(log.shown.numbers, [100]);
        press(&mut log, Key::char('v'));
        assert_eq!(log.shown.numbers.len(), 102);
        assert!(matches!(press(&mut log, Key::plain(Code::Esc)), Reply::Closed));
    }

    #[test]
    fn a_line_longer_than_the_room_can_be_read_to_its_end() {
        let mut one = Lines::default();
        one.add(jiff::Timestamp::UNIX_EPOCH, Level::Fail, "word ".repeat(200));
        let mut log = log(&one, 5);
        let rows = log.shown.rows(0, COLUMNS).len();
        assert_eq!(log.shown.last_top(), (0, rows - 5));
        press(&mut log, Key::plain(Code::PageUp));
        assert_eq!(log.top, Some((0, rows - 9)));
        press(&mut log, Key::char('w'));
        assert_eq!((log.shown.rows(0, COLUMNS).len(), log.top), (1, None));
    }
}
