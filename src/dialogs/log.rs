//! The log while it grows: follows its end, scrolls, filters, folds; only the lines that are seen are ever folded.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui_input::Input;

use super::page::wrap;
use super::path::Wanted;
use super::{Path, Reply};
use crate::actions::Act;
use crate::config::key::{Code, Key};
use crate::config::theme::Role;
use crate::domain::text;
use crate::tui::log::{Line, Log as Lines};
use crate::tui::msg::Level;
use crate::widgets::look::Look;
use crate::widgets::{edit, line, popup};

/// No line is folded at fewer cells.
const NARROWEST: usize = 8;

/// A place in the log: the number of a line since the start, and a row of it.
type Spot = (usize, usize);

/// The log, as it is looked at.
#[derive(Debug)]
pub struct Log {
    /// The lines, oldest first; the first of them has the number `first`.
    lines: VecDeque<Arc<Line>>,
    first: usize,
    /// Numbers of the lines that pass filter and level.
    shown: VecDeque<usize>,
    filter: Input,
    typing: bool,
    least: Level,
    folded: bool,
    /// What stands in the first row; nothing while the end is followed.
    top: Option<Spot>,
    /// Columns and rows that it was drawn in last.
    room: Cell<(usize, usize)>,
}

impl Log {
    /// At the end of the log, which it follows.
    pub fn new(lines: &Lines) -> Self {
        let mut log = Self {
            lines: VecDeque::new(),
            first: 0,
            shown: VecDeque::new(),
            filter: Input::default(),
            typing: false,
            least: Level::Info,
            folded: true,
            top: None,
            room: Cell::new((72, 16)),
        };
        log.take(lines);
        log
    }

    /// Takes over what was added to the log, and forgets what it forgot.
    pub fn take(&mut self, lines: &Lines) {
        while self.first < lines.lost() {
            self.lines.pop_front();
            self.first += 1;
        }
        self.top = self.top.map(|top| top.max((self.first, 0)));
        while self.shown.front().is_some_and(|number| *number < self.first) {
            self.shown.pop_front();
        }
        let (wanted, least) = (self.wanted(), self.least);
        for line in lines.lines().skip(self.lines.len()) {
            if passes(line, &wanted, least) {
                self.shown.push_back(self.first + self.lines.len());
            }
            self.lines.push_back(Arc::clone(line));
        }
    }

    fn wanted(&self) -> Vec<String> {
        self.filter.value().split_whitespace().map(str::to_lowercase).collect()
    }

    /// Filters anew; the line that stood on top stays there where it passes.
    fn refresh(&mut self) {
        let (wanted, least) = (self.wanted(), self.least);
        let numbered = self.lines.iter().enumerate();
        let passing = numbered.filter(|(_, line)| passes(line, &wanted, least));
        self.shown = passing.map(|(at, _)| self.first + at).collect();
        if let Some((number, _)) = self.top {
            self.top = Some((number, 0));
            self.settle();
        }
    }

    fn line(&self, number: usize) -> Option<&Arc<Line>> {
        self.lines.get(number.checked_sub(self.first)?)
    }

    /// A line as rows of so many cells.
    fn rows(&self, number: usize, columns: usize) -> Vec<String> {
        let Some(line) = self.line(number) else { return Vec::new() };
        let words = format!("{} {}  {}", line.at.strftime("%H:%M:%SZ"), line.level.word(), line.words);
        match self.folded {
            true => wrap(&text::shown(&words), columns).iter().map(|row| row.trim_end().to_owned()).collect(),
            false => vec![line::fit(&words, columns)],
        }
    }

    /// Where a line stands among those that are shown, or would.
    fn place(&self, number: usize) -> usize {
        self.shown.partition_point(|shown| *shown < number)
    }

    /// So many rows further up; at most to the first.
    fn up(&self, (number, row): Spot, rows: usize) -> Spot {
        let (mut at, mut row, mut left) = (self.place(number), row, rows);
        loop {
            if left <= row {
                return (self.shown.get(at).copied().unwrap_or(number), row - left);
            }
            left -= row + 1;
            let Some(before) = at.checked_sub(1) else {
                return (self.shown.front().copied().unwrap_or(number), 0);
            };
            at = before;
            row = self.height(at).saturating_sub(1);
        }
    }

    /// So many rows further down; at most to the end of the last.
    fn down(&self, (number, row): Spot, rows: usize) -> Spot {
        let (mut at, mut row) = (self.place(number), row + rows);
        while at + 1 < self.shown.len() {
            let height = self.height(at);
            if row < height {
                break;
            }
            row -= height;
            at += 1;
        }
        (self.shown.get(at).copied().unwrap_or(number), row)
    }

    fn height(&self, at: usize) -> usize {
        self.shown.get(at).map_or(0, |number| self.rows(*number, self.room.get().0).len())
    }

    /// What stands in the first row while the end is followed.
    fn last_top(&self) -> Spot {
        let Some(number) = self.shown.back().copied() else { return (self.first, 0) };
        let below = self.height(self.shown.len() - 1).saturating_sub(1);
        self.up((number, below), self.room.get().1.saturating_sub(1))
    }

    /// Whoever comes to the end follows it.
    fn settle(&mut self) {
        let last = self.last_top();
        self.top = self.top.filter(|top| *top < last);
    }

    fn go(&mut self, code: Code) {
        let page = self.room.get().1.saturating_sub(1).max(1);
        let from = self.top.unwrap_or_else(|| self.last_top());
        self.top = match code {
            Code::Up | Code::Char('k') => Some(self.up(from, 1)),
            Code::Down | Code::Char('j') => Some(self.down(from, 1)),
            Code::PageUp => Some(self.up(from, page)),
            Code::PageDown | Code::Char(' ') => Some(self.down(from, page)),
            Code::Home | Code::Char('g') => Some((self.shown.front().copied().unwrap_or(self.first), 0)),
            Code::End | Code::Char('G') => None,
            _ => self.top,
        };
        self.settle();
    }

    /// While a filter is typed.
    fn typed(&mut self, key: Key) {
        match key.code {
            Code::Enter => self.typing = false,
            Code::Esc => self.clear(),
            Code::Up | Code::Down | Code::PageUp | Code::PageDown => self.go(key.code),
            _ => {
                if edit::key(&mut self.filter, key) {
                    self.refresh();
                }
            }
        }
    }

    fn clear(&mut self) {
        self.typing = false;
        self.filter.reset();
        self.refresh();
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        if self.typing {
            edit::paste(&mut self.filter, pasted);
            self.refresh();
        }
    }

    pub(super) fn key(&mut self, key: Key) -> Reply {
        if self.typing {
            self.typed(key);
            return Reply::Stay;
        }
        match key.code {
            Code::Esc if !self.filter.value().is_empty() => self.clear(),
            Code::Esc | Code::Enter | Code::Char('q' | 'l') => return Reply::Closed,
            // There is nothing to take.
            Code::Char('c' | 's') if self.shown.is_empty() => {}
            Code::Char('c') => return Reply::Copy(self.text()),
            Code::Char('s') => {
                let help = "The lines that are shown, oldest first.";
                let path = Path::new(Act::Logs, "Save the log as", help, Wanted::NewFile);
                return Reply::Ask(Box::new(path.at("~/airlift.log").into()));
            }
            Code::Char('/') => self.typing = true,
            Code::Char('v') => {
                self.least = match self.least {
                    Level::Info => Level::Warn,
                    Level::Warn => Level::Fail,
                    Level::Fail => Level::Info,
                };
                self.refresh();
            }
            Code::Char('w') => {
                self.folded = !self.folded;
                self.top = self.top.map(|(number, _)| (number, 0));
                self.settle();
            }
            code => self.go(code),
        }
        Reply::Stay
    }

    /// The lines that are shown, as a text to save.
    pub fn text(&self) -> String {
        self.shown.iter().filter_map(|number| self.line(*number)).map(|line| line.text()).collect()
    }

    pub(super) fn draw(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        // As wide as there is room: a digest then stays in one row.
        let size = (area.width.min(120), area.height.saturating_sub(2));
        let inner = popup::popup(&self.title(), size, area, look, buffer);
        let body = Rect { height: inner.height.saturating_sub(3), ..inner };
        let (columns, rows) = (usize::from(body.width).max(NARROWEST), usize::from(body.height));
        self.room.set((columns, rows));
        // In another room the end may begin above the place where it stood still.
        let last = self.last_top();
        let (number, mut row) = self.top.filter(|top| *top < last).unwrap_or(last);
        let mut at = 0;
        for number in self.shown.range(self.place(number)..) {
            if at >= body.height {
                break;
            }
            let role = self.line(*number).map_or(Role::Text, |line| role(line.level));
            for words in self.rows(*number, columns).into_iter().skip(std::mem::take(&mut row)) {
                line::words(&words, look.style(role), line::row(body, at), buffer);
                at += 1;
            }
        }
        if self.shown.is_empty() {
            let words = if self.lines.is_empty() { "nothing happened yet" } else { "no line is like that" };
            line::words(words, look.style(Role::Dim), line::row(body, 0), buffer);
        }
        self.foot(line::below(inner, inner.height.saturating_sub(2)), look, buffer);
    }

    fn title(&self) -> String {
        let mut title = match self.shown.len() == self.lines.len() {
            true => format!("Log: {} lines", self.lines.len()),
            false => format!("Log: {}/{} lines", self.shown.len(), self.lines.len()),
        };
        if self.first > 0 {
            title.push_str(&format!(", {} older ones forgotten", self.first));
        }
        title
    }

    /// The filter or where one is, and the keys.
    fn foot(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        let lead = "filter: ";
        let used = u16::try_from(lead.len()).unwrap_or(0).min(area.width);
        let room = Rect { x: area.x + used, width: area.width - used, height: area.height.min(1), ..area };
        if self.typing {
            line::words(lead, look.style(Role::Title), line::row(area, 0), buffer);
            edit::draw(&self.filter, false, room, look, buffer);
        } else if self.filter.value().is_empty() {
            let words = match self.top {
                None => "follows what comes",
                Some(_) => "stands still; G follows again",
            };
            line::words(words, look.style(Role::Dim), line::row(area, 0), buffer);
        } else {
            line::words(lead, look.style(Role::Title), line::row(area, 0), buffer);
            let words = format!("{}   Esc shows all", self.filter.value());
            line::words(&words, look.style(Role::Match), room, buffer);
        }
        let level = match self.least {
            Level::Info => "all",
            Level::Warn => "WARN+FAIL",
            Level::Fail => "FAIL",
        };
        let fold = if self.folded { "cut" } else { "fold" };
        let words = match self.typing {
            true => "Enter keep   Esc show all".to_owned(),
            false => format!("Esc close   / filter   v level: {level}   w {fold}   s save   c copy"),
        };
        line::words(&words, look.style(Role::Dim), line::row(area, 1), buffer);
    }
}

const fn role(level: Level) -> Role {
    match level {
        Level::Info => Role::Text,
        Level::Warn => Role::Warn,
        Level::Fail => Role::Fail,
    }
}

fn passes(line: &Line, wanted: &[String], least: Level) -> bool {
    if line.level < least {
        return false;
    }
    if wanted.is_empty() {
        return true;
    }
    let words = format!("{} {}", line.level.word(), line.words).to_lowercase();
    wanted.iter().all(|wanted| words.contains(wanted.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        log.room.set((COLUMNS, rows));
        log
    }

    #[test]
    fn it_is_scrolled_row_by_row_through_folded_lines_and_back() {
        let mut log = log(&lines(0..100), 7);
        assert_eq!(log.rows(5, COLUMNS).len(), 3, "{:?}", log.rows(5, COLUMNS));
        assert_eq!(log.last_top(), (97, 2));
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
            log.key(key.parse().unwrap());
            assert_eq!(log.top, top, "{key}");
        }
    }

    #[test]
    fn the_end_is_followed_and_what_was_scrolled_to_stays() {
        let (mut growing, level) = (lines(0..100), Level::Info);
        let mut log = log(&growing, 7);
        growing.add(jiff::Timestamp::UNIX_EPOCH, level, "new");
        log.take(&growing);
        assert_eq!((log.top, log.last_top()), (None, (98, 0)));
        log.key(Key::char('k'));
        let top = log.top;
        for number in 0..5000 {
            growing.add(jiff::Timestamp::UNIX_EPOCH, level, number.to_string());
            log.take(&growing);
        }
        assert_eq!((log.first, log.lines.len()), (101, 5000));
        assert!(top < Some((101, 0)) && log.top == Some((101, 0)), "what is forgotten is no place to stay");
        log.key(Key::char('G'));
        assert_eq!(log.last_top(), (5094, 0));
    }

    #[test]
    fn words_and_weight_choose_lines_also_of_those_that_come_later() {
        let mut growing = lines(0..100);
        let mut log = log(&growing, 7);
        log.key(Key::char('v'));
        assert_eq!(log.shown, (0..100).step_by(10).collect::<Vec<_>>());
        log.key(Key::char('/'));
        "B 5".chars().for_each(|c| drop(log.key(Key::char(c))));
        assert_eq!(log.shown, [50]);
        log.key(Key::plain(Code::Enter));
        growing.add(jiff::Timestamp::UNIX_EPOCH, Level::Fail, "bad 5");
        growing.add(jiff::Timestamp::UNIX_EPOCH, Level::Info, "bad 5");
        log.take(&growing);
        assert_eq!((&log.shown, log.title().as_str()), (&VecDeque::from([50, 100]), "Log: 2/102 lines"));
        assert!(log.text().ends_with("Z FAIL bad 5\n"), "{}", log.text());
        assert!(matches!(log.key(Key::plain(Code::Esc)), Reply::Stay));
        log.key(Key::char('v'));
        assert_eq!(log.shown, [100]);
        log.key(Key::char('v'));
        assert_eq!(log.shown.len(), 102);
        assert!(matches!(log.key(Key::plain(Code::Esc)), Reply::Closed));
    }

    #[test]
    fn a_line_longer_than_the_room_can_be_read_to_its_end() {
        let mut one = Lines::default();
        one.add(jiff::Timestamp::UNIX_EPOCH, Level::Fail, "word ".repeat(200));
        let mut log = log(&one, 5);
        let rows = log.rows(0, COLUMNS).len();
        assert_eq!(log.last_top(), (0, rows - 5));
        log.key(Key::plain(Code::PageUp));
        assert_eq!(log.top, Some((0, rows - 9)));
        log.key(Key::char('w'));
        assert_eq!((log.rows(0, COLUMNS).len(), log.top), (1, None));
    }
}
