//! Asks before something that cannot be taken back: Cancel is where one stands, and the worst things want a name typed.

use std::cell::Cell;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::page::wrap;
use super::{Answer, Question, Reply, Window, hints};
use crate::actions::Act;
use crate::config::key::Key;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::text;
use crate::widgets::look::Look;
use crate::widgets::{edit, line, popup};

/// A question of yes or no.
#[derive(Debug)]
pub struct Confirm {
    /// Who asks.
    pub question: Question,
    title: String,
    words: Vec<String>,
    buttons: Vec<String>,
    at: usize,
    name: Option<(String, tui_input::Input)>,
    refused: bool,
    /// The first line of the plan that is shown.
    from: Cell<usize>,
    /// The lowest one to begin at, once it was drawn.
    last: Cell<usize>,
    /// How many lines were drawn.
    room: Cell<usize>,
}

impl Confirm {
    /// Asks under a title; `words` are the plan, a paragraph each, `yes` the word on the button.
    pub fn new(question: impl Into<Question>, title: &str, words: Vec<String>, yes: &str) -> Self {
        Self {
            question: question.into(),
            title: title.to_owned(),
            words,
            buttons: vec!["Cancel".to_owned(), yes.to_owned()],
            at: 0,
            name: None,
            refused: false,
            from: Cell::new(0),
            last: Cell::new(0),
            room: Cell::new(0),
        }
    }

    /// With further buttons; the answer is then the number of the button, from 0 for the first after Cancel.
    #[must_use]
    pub fn or(mut self, button: &str) -> Self {
        self.buttons.push(button.to_owned());
        self
    }

    /// Wants this name typed before it answers.
    #[must_use]
    pub fn typed(mut self, name: &str) -> Self {
        self.name = Some((name.to_owned(), tui_input::Input::default()));
        self
    }

    /// The answers beside Cancel; nothing where a name is to be typed.
    pub fn answers(&self) -> Option<&[String]> {
        self.name.is_none().then(|| self.buttons.get(1..).unwrap_or_default())
    }

    fn entered(&mut self) -> Reply {
        if self.at == 0 && self.name.is_none() {
            return Reply::Closed;
        }
        if let Some((name, input)) = &self.name {
            // Where a name is typed in full, that is the choice.
            if input.value().trim() != name {
                self.refused = true;
                return Reply::Stay;
            }
            return Reply::Answered(self.question, Answer::Yes);
        }
        let answer = if self.buttons.len() > 2 { Answer::Rows(vec![self.at - 1]) } else { Answer::Yes };
        Reply::Answered(self.question, answer)
    }

    /// The buttons by the row that they stand in: as many in each as there is room for.
    fn button_rows(&self, columns: u16) -> Vec<Range<usize>> {
        let (mut rows, mut from, mut used) = (Vec::new(), 0, 0);
        for (at, button) in self.buttons.iter().enumerate() {
            // The marker, the brackets with a blank each, and what parts it from the one before.
            let needed = text::width(button) + 5 + if at > from { 2 } else { 0 };
            if at > from && used + needed > usize::from(columns) {
                rows.push(from..at);
                (from, used) = (at, needed - 2);
            } else {
                used += needed;
            }
        }
        rows.push(from..self.buttons.len());
        rows
    }

    fn draw_buttons(&self, row: Range<usize>, area: Rect, look: &Look, buffer: &mut Buffer) {
        let mut spans = Vec::new();
        for (at, button) in self.buttons.iter().enumerate().skip(row.start).take(row.len()) {
            let (words, role) = if at == self.at {
                (format!(">[ {button} ]"), Role::Selected)
            } else {
                (format!(" [ {button} ]"), Role::Text)
            };
            spans.push(Span::styled(words, look.style(role)));
            spans.push(Span::raw("  "));
        }
        Line::from(spans).render(area, buffer);
    }
}

impl Window for Confirm {
    fn acts(&self) -> Vec<Act> {
        let buttons = [Act::ButtonNext, Act::ButtonBefore];
        let buttons = if self.name.is_some() { &[][..] } else { &buttons };
        [buttons, &[Act::PageUp, Act::PageDown, Act::Take, Act::Back]].concat()
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        match self.name {
            Some(_) => vec![(Act::Take, "confirm"), (Act::Back, "cancel")],
            None => vec![(Act::ButtonNext, "next button"), (Act::Take, "choose"), (Act::Back, "cancel")],
        }
    }

    fn types(&self, key: Key) -> bool {
        key.is_letter()
    }

    fn act(&mut self, act: Act) -> Reply {
        self.refused = false;
        // The last line that was read stays in sight, where there are several.
        let page = self.room.get().saturating_sub(1).max(1);
        match act {
            Act::Back => return Reply::Closed,
            Act::Take => return self.entered(),
            Act::ButtonBefore => self.at = self.at.checked_sub(1).unwrap_or(self.buttons.len() - 1),
            Act::ButtonNext => self.at = (self.at + 1).min(self.buttons.len() - 1),
            Act::PageUp => self.from.set(self.from.get().min(self.last.get()).saturating_sub(page)),
            Act::PageDown => self.from.set((self.from.get() + page).min(self.last.get())),
            _ => {}
        }
        Reply::Stay
    }

    fn typed(&mut self, key: Key) -> Reply {
        self.refused = false;
        // Letters are for a name alone: what somebody types who has not seen the question chooses nothing.
        if let Some((_, input)) = &mut self.name {
            edit::key(input, key);
        }
        Reply::Stay
    }

    fn question(&self) -> Option<Question> {
        Some(self.question)
    }

    fn paste(&mut self, text: &str) {
        if let Some((_, input)) = &mut self.name {
            edit::paste(input, text);
        }
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let columns = 70.min(area.width.saturating_sub(4)).max(1);
        let fold = |words: &String| wrap(&text::shown(words), usize::from(columns.saturating_sub(2)));
        let folded: Vec<String> =
            self.words.iter().flat_map(fold).map(|words| words.trim_end().to_owned()).collect();
        let buttons = self.button_rows(columns.saturating_sub(2));
        // A blank, the buttons, another blank, the keys; or what is to be typed, the line for it, another blank.
        let below =
            if self.name.is_some() { 5 } else { 3 + u16::try_from(buttons.len()).unwrap_or(u16::MAX - 8) };
        let most = area.height.saturating_sub(2 + below).max(2);
        let wanted = u16::try_from(folded.len()).unwrap_or(u16::MAX);
        let cut = wanted > most;
        let shown = if cut { most - 1 } else { wanted };
        let rows = if cut { most } else { wanted };
        let frame = rows.saturating_add(below + 3);
        let inner = popup::popup(&self.title, (columns + 2, frame), area, look, buffer);
        self.room.set(usize::from(shown));
        self.last.set(folded.len().saturating_sub(usize::from(shown)));
        let from = self.from.get().min(self.last.get());
        for (at, words) in (0..shown).zip(folded.iter().skip(from)) {
            line::words(words, look.style(Role::Text), line::row(inner, at), buffer);
        }
        if cut {
            let (from, to) = (from + 1, from + usize::from(shown));
            let where_to = match to < folded.len() {
                true => format!("more: {}", keymap.first(Act::PageDown)),
                false => format!("end; {} scrolls back", keymap.first(Act::PageUp)),
            };
            let words = format!("lines {from}-{to} of {}; {where_to}", folded.len());
            line::words(&words, look.style(Role::Warn), line::row(inner, shown), buffer);
        }
        let mut at = rows + 1;
        if let Some((name, input)) = &self.name {
            let ask = format!("Type {name} to go on:");
            let role = if self.refused { Role::Fail } else { Role::Warn };
            let ask = if self.refused { format!("x Wrong. {ask}") } else { ask };
            line::words(&ask, look.style(role), line::row(inner, at), buffer);
            edit::draw(input, line::row(inner, at + 1), look, buffer);
            at += 3;
        }
        if self.name.is_none() {
            for row in buttons {
                self.draw_buttons(row, line::row(inner, at), look, buffer);
                at += 1;
            }
            at += 1;
        }
        line::words(&hints(keymap, &self.keys()), look.style(Role::Dim), line::row(inner, at), buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::Code;
    use crate::config::theme::{Depth, Theme};
    use crate::dialogs::testing::{keymap, press};

    const ENTER: Key = Key::plain(Code::Enter);

    #[test]
    fn enter_alone_changes_nothing() {
        let mut confirm = Confirm::new(Act::Stop, "Stop", vec![], "Stop safely");
        assert!(matches!(press(&mut confirm, ENTER), Reply::Closed));
        let mut confirm = Confirm::new(Act::Stop, "Stop", vec![], "Stop safely");
        press(&mut confirm, Key::plain(Code::Tab));
        assert!(matches!(press(&mut confirm, ENTER), Reply::Answered(_, Answer::Yes)));
    }

    #[test]
    fn letters_choose_nothing() {
        let mut confirm = Confirm::new(Act::MediaDirectory, "In there?", vec![], "Take it");
        for c in "/media/target yes".chars() {
            assert!(matches!(press(&mut confirm, Key::char(c)), Reply::Stay));
        }
        assert!(matches!(press(&mut confirm, ENTER), Reply::Closed));
    }

    #[test]
    fn a_name_must_be_typed_in_full() {
        let mut confirm = Confirm::new(Act::CheckOverride, "Override", vec![], "x").typed("ab");
        press(&mut confirm, Key::char('a'));
        assert!(matches!(press(&mut confirm, ENTER), Reply::Stay));
        press(&mut confirm, Key::char('b'));
        assert!(matches!(press(&mut confirm, ENTER), Reply::Answered(_, Answer::Yes)));
    }

    #[test]
    fn every_line_of_a_plan_can_be_read_in_the_smallest_window_before_it_is_answered() {
        let words: Vec<String> =
            (0..9).map(|at| format!("paragraph-{at} {} end-{at}", "word ".repeat(15))).collect();
        for name in [None, Some("abc")] {
            let mut confirm = Confirm::new(Act::Stop, "Stop", words.clone(), "Stop safely");
            if let Some(name) = name {
                confirm = confirm.typed(name);
            }
            let area = Rect::new(0, 0, 60, 16);
            let look = Look { theme: Theme::built_in("mono").unwrap(), depth: Depth::None, unicode: true };
            let mut seen = String::new();
            for page in 0.. {
                let mut buffer = Buffer::empty(area);
                confirm.draw(area, &look, &keymap(), &mut buffer);
                let letters: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
                let button = if name.is_some() { "Type abc" } else { "[ Stop safely ]" };
                assert!(letters.contains(button), "{letters}");
                seen.push_str(&letters);
                if !letters.contains("more: ") {
                    break;
                }
                assert!(page < 60, "the end never comes: {letters}");
                press(&mut confirm, Key::plain(Code::PageDown));
            }
            for at in 0..9 {
                assert!(
                    seen.contains(&format!("paragraph-{at} ")) && seen.contains(&format!("end-{at}")),
                    "{at}"
                );
            }
        }
    }

    #[test]
    fn every_button_is_drawn_whole_in_the_smallest_window() {
        let confirm = Confirm::new(Act::Quit, "Leave", vec!["words".into()], "Stop safely and quit")
            .or("Resume, then quit")
            .or("Another one");
        assert_eq!(confirm.button_rows(54), [0..2, 2..4]);
        assert_eq!(confirm.button_rows(1).len(), 4, "each in its own row, however narrow it is");
        let area = Rect::new(0, 0, 60, 16);
        let look = Look { theme: Theme::built_in("mono").unwrap(), depth: Depth::None, unicode: true };
        let mut buffer = Buffer::empty(area);
        confirm.draw(area, &look, &keymap(), &mut buffer);
        let letters: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        for words in
            ["words", "[ Cancel ]", "[ Stop safely and quit ]", "[ Resume, then quit ]", "[ Another one ]"]
        {
            assert!(letters.contains(words), "{words}: {letters}");
        }
    }

    #[test]
    fn of_several_buttons_the_answer_says_which() {
        let mut confirm = Confirm::new(Act::Quit, "Quit", vec![], "Keep running").or("Stop safely");
        press(&mut confirm, Key::plain(Code::Right));
        press(&mut confirm, Key::plain(Code::Right));
        let Reply::Answered(_, Answer::Rows(rows)) = press(&mut confirm, ENTER) else { panic!() };
        assert_eq!(rows, [1]);
    }
}
