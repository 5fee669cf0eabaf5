//! What happened so far, in lines; the oldest are forgotten first.

use std::collections::VecDeque;
use std::sync::Arc;

use super::msg::Level;
use crate::domain::text;

/// Lines that are kept.
const MOST: usize = 5000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, UTC.
    pub at: jiff::Timestamp,
    /// Its weight.
    pub level: Level,
    /// In words.
    pub words: String,
}

/// The log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: VecDeque<Arc<Line>>,
    lost: usize,
}

impl Log {
    /// Adds a line. What is hostile in it is made visible here, for whoever shows, saves or copies it: one line stays one.
    pub fn add(&mut self, at: jiff::Timestamp, level: Level, words: impl AsRef<str>) {
        if self.lines.len() >= MOST {
            self.lines.pop_front();
            self.lost += 1;
        }
        self.lines.push_back(Arc::new(Line { at, level, words: text::shown(words.as_ref()).into_owned() }));
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Arc<Line>> {
        self.lines.iter()
    }

    /// How many were forgotten.
    pub const fn lost(&self) -> usize {
        self.lost
    }

    /// As a text to save.
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| line.text()).collect()
    }
}

impl Line {
    /// As a line of a text to save.
    pub fn text(&self) -> String {
        format!("{} {} {}\n", self.at, self.level.word(), self.words)
    }
}

impl Level {
    /// The word for it, of four letters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go_first_and_are_counted() {
        let mut log = Log::default();
        for number in 0..MOST + 3 {
            log.add(jiff::Timestamp::UNIX_EPOCH, Level::Info, number.to_string());
        }
        assert_eq!((log.lines().count(), log.lost()), (MOST, 3));
        assert!(log.text().starts_with("1970-01-01T00:00:00Z info 3\n"));
    }
}
