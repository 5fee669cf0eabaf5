//! Asks for a passphrase: masked, kept in memory that is wiped, never shown, never in a log.

use std::fmt;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use secrecy::SecretString;
use zeroize::{Zeroize, Zeroizing};

use super::{Answer, Question, Reply, Window, hints};
use crate::actions::Act;
use crate::config::key::{Code, Key};
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::engine::sign::keys::{SHORTEST, is_short};
use crate::widgets::look::Look;
use crate::widgets::{line, popup};

/// Bytes that are reserved at once, so that growing leaves no copies behind.
const ROOM: usize = 1024;
/// Its cells and rows, where what it is for takes one row.
const WIDTH: u16 = 64;
const HEIGHT: u16 = 9;
/// What is to be known of a new one before it is typed.
fn advice() -> String {
    format!("{SHORTEST} characters or more: a copied key is opened by trying")
}

/// A passphrase to type, maybe twice.
pub struct Secret {
    /// Who asks.
    pub question: Question,
    title: String,
    what: String,
    typed: Zeroizing<String>,
    first: Option<Zeroizing<String>>,
    twice: bool,
    refused: Option<String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("question", &self.question).finish_non_exhaustive()
    }
}

impl Secret {
    /// For a key that has one.
    pub fn new(question: impl Into<Question>, title: &str, what: &str) -> Self {
        Self {
            question: question.into(),
            title: title.to_owned(),
            what: what.to_owned(),
            typed: Zeroizing::new(String::with_capacity(ROOM)),
            first: None,
            twice: false,
            refused: None,
        }
    }

    /// For a key that is to get one: typed twice.
    #[must_use]
    pub const fn twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// After a passphrase that was wrong.
    #[must_use]
    pub fn refused(mut self, reason: &str) -> Self {
        self.refused = Some(reason.to_owned());
        self
    }

    fn push(&mut self, c: char) {
        if self.typed.len() + c.len_utf8() <= ROOM {
            self.typed.push(c);
        }
        self.refused = None;
    }

    fn entered(&mut self) -> Reply {
        if self.typed.is_empty() {
            self.refused = Some("nothing is typed yet".to_owned());
            return Reply::Stay;
        }
        if self.twice && self.first.is_none() && is_short(&self.typed) {
            self.typed.zeroize();
            self.refused = Some(format!("fewer than {SHORTEST} characters; type a longer one"));
            return Reply::Stay;
        }
        let typed = std::mem::replace(&mut self.typed, Zeroizing::new(String::with_capacity(ROOM)));
        match (self.twice, self.first.take()) {
            (true, None) => {
                self.first = Some(typed);
                Reply::Stay
            }
            (true, Some(first)) if *first != *typed => {
                self.refused = Some("they differ; type it twice again".to_owned());
                Reply::Stay
            }
            _ => Reply::Answered(self.question, Answer::Secret(SecretString::from(typed.as_str()))),
        }
    }
}

impl Window for Secret {
    fn acts(&self) -> Vec<Act> {
        vec![Act::Take, Act::Back]
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        vec![(Act::Take, "accept"), (Act::Back, "cancel")]
    }

    fn types(&self, key: Key) -> bool {
        matches!(key, Key { ctrl: false, code: Code::Char(_), .. })
    }

    fn act(&mut self, act: Act) -> Reply {
        match act {
            Act::Back => Reply::Closed,
            Act::Take => self.entered(),
            _ => Reply::Stay,
        }
    }

    fn typed(&mut self, key: Key) -> Reply {
        match (key.ctrl, key.code) {
            (false, Code::Char(c)) => self.push(c),
            (_, Code::Backspace) | (true, Code::Char('h')) => {
                self.typed.pop();
            }
            (true, Code::Char('u')) => self.typed.zeroize(),
            _ => {}
        }
        Reply::Stay
    }

    fn question(&self) -> Option<Question> {
        Some(self.question)
    }

    fn paste(&mut self, text: &str) {
        text.trim_end_matches(['\n', '\r']).chars().for_each(|c| self.push(c));
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let what = popup::folded(&self.what, (WIDTH, HEIGHT), area);
        let more = u16::try_from(what.len().saturating_sub(1)).unwrap_or(0);
        let all = popup::popup(&self.title, (WIDTH, HEIGHT + more), area, look, buffer);
        for (at, words) in (0..).zip(&what) {
            line::words(words, look.style(Role::Text), line::row(all, at), buffer);
        }
        let inner = line::below(all, more);
        if self.twice {
            line::words(&advice(), look.style(Role::Dim), line::row(inner, 1), buffer);
        }
        let prompt = if self.first.is_some() { "Repeat it:" } else { "Passphrase:" };
        line::words(prompt, look.style(Role::Dim), line::row(inner, 2), buffer);
        let stars = "*".repeat(self.typed.chars().count().min(usize::from(inner.width).saturating_sub(2)));
        line::words(&format!("{stars}_"), look.style(Role::Input), line::row(inner, 3), buffer);
        if let Some(reason) = &self.refused {
            let reason = line::lines(&format!("x {reason}"), (usize::from(inner.width), 2));
            for (at, words) in (4..).zip(&reason) {
                line::words(words, look.style(Role::Fail), line::row(inner, at), buffer);
            }
        }
        let words = hints(keymap, &self.keys());
        line::words(&words, look.style(Role::Dim), line::row(inner, 6), buffer);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::theme::{Depth, Theme};
    use crate::dialogs::testing::{keymap, press};

    fn typed(secret: &mut Secret, text: &str) -> Reply {
        text.chars().for_each(|c| drop(press(secret, Key::char(c))));
        press(secret, Key::plain(Code::Enter))
    }

    #[test]
    fn a_new_passphrase_is_typed_twice_and_must_be_the_same() {
        let mut secret = Secret::new(Act::KeyGenerate, "Key", "").twice();
        assert!(matches!(typed(&mut secret, "geheim77"), Reply::Stay));
        assert!(matches!(typed(&mut secret, "geheim78"), Reply::Stay));
        assert!(secret.refused.is_some());
        typed(&mut secret, "geheim77");
        let Reply::Answered(_, Answer::Secret(given)) = typed(&mut secret, "geheim77") else { panic!() };
        assert_eq!(given.expose_secret(), "geheim77");
    }

    #[test]
    fn a_new_passphrase_that_is_short_is_refused_before_it_is_repeated_and_an_old_one_is_taken() {
        let mut secret = Secret::new(Act::KeyGenerate, "Key", "").twice();
        typed(&mut secret, "geheim7");
        assert!(secret.first.is_none() && secret.typed.is_empty());
        assert!(secret.refused.as_deref().is_some_and(|reason| reason.contains("fewer than 8 characters")));
        typed(&mut secret, "geheim77");
        assert!(secret.first.is_some());
        let mut old = Secret::new(Act::Pack, "Key", "");
        assert!(matches!(typed(&mut old, "abc"), Reply::Answered(..)));
    }

    #[test]
    fn what_is_typed_is_never_drawn_nor_debugged() {
        let mut secret = Secret::new(Act::Pack, "Key", "signing_key");
        "hunter2".chars().for_each(|c| drop(press(&mut secret, Key::char(c))));
        let look = Look { theme: Theme::built_in("mono").unwrap(), depth: Depth::None, unicode: true };
        let area = Rect::new(0, 0, 80, 24);
        let mut buffer = Buffer::empty(area);
        secret.draw(area, &look, &keymap(), &mut buffer);
        let drawn: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert!(drawn.contains("*******_") && !drawn.contains("hunter2"));
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
