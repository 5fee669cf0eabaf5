//! What is seen of a path that is typed: the line, what lies there, why it is refused, and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::page::wrap;
use super::super::{Window, hints};
use super::complete::name_of;
use super::{Entry, Path, Unlisted, Wanted};
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::widgets::edit::SELECTED;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};
use crate::widgets::{line, popup};

/// Said of a directory that is typed on the way to a name in it.
const NOT_THERE: &str = "there is no such directory yet";
/// Rows that the help takes at most.
const HELP: u16 = 3;

impl Path {
    /// Draws all of it over `area`.
    pub(super) fn show(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let size = (area.width.saturating_sub(4).min(90), area.height.saturating_sub(2).min(20));
        let all = popup::popup(&self.title, size, area, look, buffer);
        let help = wrap(&self.help, usize::from(all.width));
        for (at, words) in (0u16..HELP).zip(&help) {
            line::words(words.trim_start(), look.style(Role::Dim), line::row(all, at), buffer);
        }
        // From the last row of the help on.
        let more = u16::try_from(help.len()).unwrap_or(HELP).clamp(1, HELP) - 1;
        let inner = line::below(all, more);
        self.line.draw(line::row(inner, 1), look, buffer);
        let foot = inner.height.saturating_sub(1);
        let body = Rect { height: inner.height.saturating_sub(4), ..line::below(inner, 2) };
        let title = if self.of_directories() { "directories there" } else { "what lies there" };
        let row = |row: usize| Row { marked: false, values: vec![entry_value(&self.matching[row])] };
        if self.walking {
            table(&[Column::left(title, 0)], &self.list, row, body, look, buffer);
        } else {
            self.unwalked(title, body, look, buffer);
        }
        let reason = match (&self.refused, &self.listed) {
            (Some(reason), _) | (None, Some((_, Err(Unlisted::Refused(reason))))) => Some(reason.as_str()),
            (None, Some((_, Err(Unlisted::NotThere)))) if !self.makes() => Some(NOT_THERE),
            _ => None,
        };
        let above = line::row(inner, foot.saturating_sub(1));
        if let Some(reason) = reason {
            line::words(&format!("x {reason}"), look.style(Role::Fail), above, buffer);
        } else if self.becomes_new() {
            let words = match self.wanted {
                Wanted::NewDirectory => "there is no such directory: it will be created",
                _ => "there is no such file: it will be created",
            };
            line::words(words, look.style(Role::Text), above, buffer);
        } else if matches!(self.listed, Some((_, Err(Unlisted::NotThere)))) {
            // Whether it can be made is told once it is taken.
            line::words(NOT_THERE, look.style(Role::Text), above, buffer);
        } else if self.line.is_selected() {
            line::words(SELECTED, look.style(Role::Dim), above, buffer);
        } else if self.line.value().ends_with('/') {
            line::words("/ or ~ begins another path", look.style(Role::Dim), above, buffer);
        }
        line::words(&hints(keymap, &self.keys()), look.style(Role::Dim), line::row(inner, foot), buffer);
    }

    /// The entries without a cursor: it is in the line.
    fn unwalked(&self, title: &str, area: Rect, look: &Look, buffer: &mut Buffer) {
        line::words(&format!("   {title}"), look.style(Role::Dim), line::row(area, 0), buffer);
        let body = line::below(area, 1);
        let rows = self.list.window(usize::from(body.height)).0;
        for (at, row) in (0u16..).zip(rows) {
            let value = entry_value(&self.matching[*row]);
            line::words(&format!("   {}", value.words), look.style(value.role), line::row(body, at), buffer);
        }
        if self.matching.is_empty() {
            line::words(&format!("   {}", self.nothing()), look.style(Role::Dim), line::row(body, 0), buffer);
        }
    }

    /// Whether what is not there may be made.
    const fn makes(&self) -> bool {
        matches!(self.wanted, Wanted::NewDirectory | Wanted::NewFile)
    }

    /// Whether what is typed is to be made.
    pub(super) fn becomes_new(&self) -> bool {
        self.makes() && !self.line.is_selected() && self.is_new()
    }

    /// Why there is no entry to show.
    pub(super) fn nothing(&self) -> String {
        let begun = !self.line.is_selected() && !self.split().1.is_empty();
        match &self.listed {
            None => "looking ...".to_owned(),
            Some((_, Err(_))) => String::new(),
            Some(_) if begun && self.becomes_new() => String::new(),
            Some(_) if begun => "no match".to_owned(),
            Some(_) => match (self.hidden(), self.of_directories()) {
                (0, true) => "no directory in it".to_owned(),
                (0, false) => "nothing in it".to_owned(),
                (hidden, _) => format!("{hidden} hidden: a dot shows them"),
            },
        }
    }
}

fn entry_value(entry: &Entry) -> Value {
    Value::styled(name_of(entry), if entry.directory { Role::Key } else { Role::Text })
}
