//! A key press by its name: read from key maps, shown in footers and help, the same on every terminal.

use std::fmt;
use std::str::FromStr;

/// A key without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A character as typed, so capital letters need no Shift.
    Char(char),
    /// Function key, from 1.
    F(u8),
    /// Return.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Deletes to the left.
    Backspace,
    /// Deletes to the right.
    Delete,
    /// Insert.
    Insert,
    /// Arrow.
    Up,
    /// Arrow.
    Down,
    /// Arrow.
    Left,
    /// Arrow.
    Right,
    /// To the begin.
    Home,
    /// To the end.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
}

const NAMES: &[(Code, &str)] = &[
    (Code::Char(' '), "Space"),
    (Code::Enter, "Enter"),
    (Code::Esc, "Esc"),
    (Code::Tab, "Tab"),
    (Code::BackTab, "Shift-Tab"),
    (Code::Backspace, "Backspace"),
    (Code::Delete, "Delete"),
    (Code::Insert, "Insert"),
    (Code::Up, "Up"),
    (Code::Down, "Down"),
    (Code::Left, "Left"),
    (Code::Right, "Right"),
    (Code::Home, "Home"),
    (Code::End, "End"),
    (Code::PageUp, "PageUp"),
    (Code::PageDown, "PageDown"),
];

/// A key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// With Control; the character is then a small letter.
    pub ctrl: bool,
    /// With Alt.
    pub alt: bool,
    /// The key.
    pub code: Code,
}

impl Key {
    /// Without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self { ctrl: false, alt: false, code }
    }

    /// A character as typed.
    pub const fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// A character with Control.
    pub const fn ctrl(c: char) -> Self {
        Self { ctrl: true, alt: false, code: Code::Char(c) }
    }

    /// Whether it types a character, a blank included.
    pub const fn is_letter(self) -> bool {
        !self.ctrl && !self.alt && matches!(self.code, Code::Char(_))
    }
}

/// A text names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a key: expected a character, Enter, Esc, Space, Tab, Up, PageDown, F1 and so on, with Ctrl- or Alt- before it"
)]
pub struct NotAKey(String);

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (ctrl, rest) = text.strip_prefix("Ctrl-").map_or((false, text), |rest| (true, rest));
        let (alt, rest) = rest.strip_prefix("Alt-").map_or((false, rest), |rest| (true, rest));
        let named = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(rest)).map(|(code, _)| *code);
        let function = || {
            let number = rest.strip_prefix('F')?.parse().ok()?;
            (1..=12).contains(&number).then_some(Code::F(number))
        };
        let character = || {
            let mut characters = rest.chars();
            let only = characters.next().filter(|c| !c.is_control() && *c != ' ')?;
            characters.next().is_none().then_some(Code::Char(if ctrl {
                only.to_ascii_lowercase()
            } else {
                only
            }))
        };
        let code = named.or_else(character).or_else(function).ok_or_else(|| NotAKey(text.to_owned()))?;
        Ok(Self { ctrl, alt, code })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ctrl { "Ctrl-" } else { "" })?;
        f.write_str(if self.alt { "Alt-" } else { "" })?;
        if let Some((_, name)) = NAMES.iter().find(|(code, _)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            Code::F(number) => write!(f, "F{number}"),
            Code::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            Code::Char(c) => write!(f, "{c}"),
            // All others are in NAMES.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for name in
            ["a", "P", "?", "/", "-", "Space", "Enter", "Shift-Tab", "F4", "Ctrl-L", "Alt-x", "PageUp"]
        {
            assert_eq!(name.parse::<Key>().map(|key| key.to_string()).as_deref(), Ok(name));
        }
        assert_eq!("Ctrl-T".parse(), Ok(Key::ctrl('t')));
        assert_eq!("F".parse(), Ok(Key::char('F')));
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        for bad in ["", " ", "Ctrl-", "F0", "F13", "enterr", "ab", "\u{1b}"] {
            let error = bad.parse::<Key>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{bad:?} is not a key")));
        }
    }
}
