//! Asks for a line; what was typed is checked before the dialog closes, and the reason of a refusal is shown in it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::{Answer, Question, Reply};
use crate::config::key::{Code, Key};
use crate::config::theme::Role;
use crate::widgets::look::Look;
use crate::widgets::{edit, line, popup};

/// Says why a text is refused.
pub type Check = fn(&str) -> Result<(), String>;

/// A line to type.
#[derive(Debug)]
pub struct Input {
    /// Who asks.
    pub question: Question,
    title: String,
    help: String,
    line: tui_input::Input,
    lines: Vec<String>,
    check: Check,
    refused: Option<String>,
}

impl Input {
    /// Asks under a title, with a sentence on what is expected.
    pub fn new(question: impl Into<Question>, title: &str, help: &str) -> Self {
        Self {
            question: question.into(),
            title: title.to_owned(),
            help: help.to_owned(),
            line: tui_input::Input::default(),
            lines: Vec::new(),
            check: |text| {
                if text.trim().is_empty() { Err("nothing is typed yet".to_owned()) } else { Ok(()) }
            },
            refused: None,
        }
    }

    /// With a text to change.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.line = tui_input::Input::new(text.to_owned());
        self
    }

    /// With another check than that something is there.
    #[must_use]
    pub fn checked(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    pub(super) fn paste(&mut self, text: &str) {
        // Whole lines go on as lines of the answer; the last one stays in the line.
        let mut lines: Vec<&str> = text.lines().collect();
        let last = lines.pop().unwrap_or_default();
        for (at, pasted) in lines.into_iter().enumerate() {
            let before = if at == 0 { self.line.value_and_reset() } else { String::new() };
            self.lines.push(before + pasted);
        }
        edit::paste(&mut self.line, last);
    }

    fn text(&self) -> String {
        let mut all = self.lines.join("\n");
        if !all.is_empty() {
            all.push('\n');
        }
        all + self.line.value()
    }

    pub(super) fn key(&mut self, key: Key) -> Reply {
        match key.code {
            Code::Esc => return Reply::Closed,
            Code::Enter => {
                let text = self.text();
                match (self.check)(&text) {
                    Ok(()) => return Reply::Answered(self.question, Answer::Text(text)),
                    Err(reason) => self.refused = Some(reason),
                }
            }
            _ => {
                if edit::key(&mut self.line, key) {
                    self.refused = None;
                }
            }
        }
        Reply::Stay
    }

    pub(super) fn draw(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        let inner = popup::popup(&self.title, (72, 10), area, look, buffer);
        Paragraph::new(self.help.as_str())
            .style(look.style(Role::Dim))
            .wrap(Wrap { trim: true })
            .render(Rect { height: inner.height.min(3), ..inner }, buffer);
        edit::draw(&self.line, false, line::row(inner, 4), look, buffer);
        if let Some(reason) = &self.refused {
            line::words(&format!("x {reason}"), look.style(Role::Fail), line::row(inner, 5), buffer);
        } else if !self.lines.is_empty() {
            let more = format!("and {} pasted lines above it", self.lines.len());
            line::words(&more, look.style(Role::Text), line::row(inner, 5), buffer);
        }
        line::words("Enter take it   Esc leave", look.style(Role::Dim), line::row(inner, 7), buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Act;

    #[test]
    fn enter_gives_the_line_only_when_the_check_lets_it_through() {
        let mut input = Input::new(Act::ImagesAdd, "Add", "");
        assert!(matches!(input.key(Key::plain(Code::Enter)), Reply::Stay));
        assert!(input.refused.is_some());
        input.key(Key::char('x'));
        assert!(input.refused.is_none());
        let Reply::Answered(question, Answer::Text(text)) = input.key(Key::plain(Code::Enter)) else {
            panic!()
        };
        assert_eq!((question.act, text.as_str()), (Act::ImagesAdd, "x"));
    }

    #[test]
    fn pasted_lines_are_all_in_the_answer() {
        let mut input = Input::new(Act::ImagesAdd, "Add", "").with("ngi");
        input.paste("nx:1.25\nredis:7\r\nbusybox");
        assert_eq!(input.text(), "nginx:1.25\nredis:7\nbusybox");
    }
}
