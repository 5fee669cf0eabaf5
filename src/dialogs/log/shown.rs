//! The lines of the log that pass words and level, and where one is among their folded rows; no more rows are folded than are seen.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::dialogs::page::wrap;
use crate::domain::text;
use crate::tui::log::{Line, Log as Lines};
use crate::tui::msg::Level;
use crate::widgets::line;

/// A place in the log: the number of a line since the start, and a row of it.
pub(super) type Spot = (usize, usize);

/// The log, and what of it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// The lines, oldest first; the first of them has the number `first`.
    pub(super) lines: VecDeque<Arc<Line>>,
    pub(super) first: usize,
    /// Numbers of the lines that pass words and level.
    pub(super) numbers: VecDeque<usize>,
    wanted: Vec<String>,
    /// Lines of less weight are not shown.
    pub(super) least: Level,
    /// Whether long lines are folded; else they are cut.
    pub(super) folded: bool,
    /// Columns and rows that there is room for.
    pub(super) room: Cell<(usize, usize)>,
}

impl Shown {
    /// Nothing yet, and all that will come.
    pub(super) const fn new() -> Self {
        Self {
            lines: VecDeque::new(),
            first: 0,
            numbers: VecDeque::new(),
            wanted: Vec::new(),
            least: Level::Info,
            folded: true,
            room: Cell::new((72, 16)),
        }
    }

    /// Takes over what was added to the log, and forgets what it forgot.
    pub(super) fn take(&mut self, lines: &Lines) {
        while self.first < lines.lost() {
            self.lines.pop_front();
            self.first += 1;
        }
        while self.numbers.front().is_some_and(|number| *number < self.first) {
            self.numbers.pop_front();
        }
        for line in lines.lines().skip(self.lines.len()) {
            if self.passes(line) {
                self.numbers.push_back(self.first + self.lines.len());
            }
            self.lines.push_back(Arc::clone(line));
        }
    }

    /// Shows the lines of that weight that hold all these words.
    pub(super) fn narrow(&mut self, words: &str, least: Level) {
        self.wanted = words.split_whitespace().map(str::to_lowercase).collect();
        self.least = least;
        let passing = self.lines.iter().enumerate().filter(|(_, line)| self.passes(line));
        self.numbers = passing.map(|(at, _)| self.first + at).collect();
    }

    fn passes(&self, line: &Line) -> bool {
        if line.level < self.least {
            return false;
        }
        if self.wanted.is_empty() {
            return true;
        }
        let words = format!("{} {}", line.level.word(), line.words).to_lowercase();
        self.wanted.iter().all(|wanted| words.contains(wanted.as_str()))
    }

    /// The line of that number, unless it is forgotten.
    pub(super) fn line(&self, number: usize) -> Option<&Arc<Line>> {
        self.lines.get(number.checked_sub(self.first)?)
    }

    /// A line as rows of so many cells.
    pub(super) fn rows(&self, number: usize, columns: usize) -> Vec<String> {
        let Some(line) = self.line(number) else { return Vec::new() };
        let words = format!("{} {}  {}", line.at.strftime("%H:%M:%SZ"), line.level.word(), line.words);
        match self.folded {
            true => wrap(&text::shown(&words), columns).iter().map(|row| row.trim_end().to_owned()).collect(),
            false => vec![line::fit(&words, columns)],
        }
    }

    /// Where a line stands among those that are shown, or would.
    pub(super) fn place(&self, number: usize) -> usize {
        self.numbers.partition_point(|shown| *shown < number)
    }

    /// The first row of all.
    pub(super) fn top(&self) -> Spot {
        (self.numbers.front().copied().unwrap_or(self.first), 0)
    }

    /// So many rows further up; at most to the first.
    pub(super) fn up(&self, (number, row): Spot, rows: usize) -> Spot {
        let (mut at, mut row, mut left) = (self.place(number), row, rows);
        loop {
            if left <= row {
                return (self.numbers.get(at).copied().unwrap_or(number), row - left);
            }
            left -= row + 1;
            let Some(before) = at.checked_sub(1) else {
                return (self.numbers.front().copied().unwrap_or(number), 0);
            };
            at = before;
            row = self.height(at).saturating_sub(1);
        }
    }

    /// So many rows further down; at most to the end of the last.
    pub(super) fn down(&self, (number, row): Spot, rows: usize) -> Spot {
        let (mut at, mut row) = (self.place(number), row + rows);
        while at + 1 < self.numbers.len() {
            let height = self.height(at);
            if row < height {
                break;
            }
            row -= height;
            at += 1;
        }
        (self.numbers.get(at).copied().unwrap_or(number), row)
    }

    fn height(&self, at: usize) -> usize {
        self.numbers.get(at).map_or(0, |number| self.rows(*number, self.room.get().0).len())
    }

    /// What stands in the first row while the end is followed.
    pub(super) fn last_top(&self) -> Spot {
        let Some(number) = self.numbers.back().copied() else { return (self.first, 0) };
        let below = self.height(self.numbers.len() - 1).saturating_sub(1);
        self.up((number, below), self.room.get().1.saturating_sub(1))
    }

    /// The lines that are shown, as a text to save.
    pub(super) fn text(&self) -> String {
        self.numbers.iter().filter_map(|number| self.line(*number)).map(|line| line.text()).collect()
    }
}
