//! Says what is being waited for and for how long; Esc gives it up.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Question, Reply, Window, hints};
use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::widgets::look::Look;
use crate::widgets::{line, popup};

/// From then on it is said that it takes long.
const LONG: Duration = Duration::from_secs(5);
/// Its cells and rows, where what is waited for takes one row.
const WIDTH: u16 = 72;
const HEIGHT: u16 = 7;

/// An answer that is on its way.
#[derive(Debug)]
pub struct Wait {
    /// Who asked.
    pub question: Question,
    title: String,
    what: String,
    began: Option<Duration>,
    at: Duration,
}

impl Wait {
    /// For an answer; `what` says whom was asked for what.
    pub fn new(question: impl Into<Question>, title: &str, what: &str) -> Self {
        Self {
            question: question.into(),
            title: title.to_owned(),
            what: what.to_owned(),
            began: None,
            at: Duration::ZERO,
        }
    }

    /// Time goes on; the first time is when the waiting began.
    pub fn clock(&mut self, at: Duration) {
        self.began.get_or_insert(at);
        self.at = at;
    }
}

impl Window for Wait {
    fn acts(&self) -> Vec<Act> {
        vec![Act::Back]
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        vec![(Act::Back, "cancel")]
    }

    fn act(&mut self, act: Act) -> Reply {
        if act == Act::Back { Reply::Closed } else { Reply::Stay }
    }

    fn question(&self) -> Option<Question> {
        Some(self.question)
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let what = popup::folded(&self.what, (WIDTH, HEIGHT), area);
        let more = u16::try_from(what.len().saturating_sub(1)).unwrap_or(0);
        let all = popup::popup(&self.title, (WIDTH, HEIGHT + more), area, look, buffer);
        for (at, words) in (1..).zip(&what) {
            line::words(words, look.style(Role::Text), line::row(all, at), buffer);
        }
        let inner = line::below(all, more);
        let waited = self.at.saturating_sub(self.began.unwrap_or(self.at));
        let (words, role) = if waited < LONG {
            (format!("{} s", waited.as_secs()), Role::Dim)
        } else {
            (format!("no answer for {} s", waited.as_secs()), Role::Warn)
        };
        line::words(&words, look.style(role), line::row(inner, 2), buffer);
        line::words(&hints(keymap, &self.keys()), look.style(Role::Dim), line::row(inner, 4), buffer);
    }
}
