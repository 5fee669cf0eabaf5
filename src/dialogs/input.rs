//! Asks for a line; what was typed is checked before the dialog closes, and the reason of a refusal is shown in it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::page::wrap;
use super::{Answer, Question, Reply, Window, hints};
use crate::actions::Act;
use crate::config::key::Key;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::text;
use crate::widgets::edit::{Field, SELECTED};
use crate::widgets::look::Look;
use crate::widgets::{line, popup};

/// Says why a text is refused.
pub type Check = fn(&str) -> Result<(), String>;

/// A line to type.
#[derive(Debug)]
pub struct Input {
    /// Who asks.
    pub question: Question,
    title: String,
    help: String,
    /// The line that is typed at this moment.
    line: Field,
    /// The lines before and after it.
    before: Vec<Line>,
    after: Vec<Line>,
    check: Check,
    /// What a pasted line is held to, where that is not the same.
    whole: Option<Check>,
    refused: Option<String>,
    /// What the line began with, where that was put there for its beginning.
    begun: Option<String>,
    /// Whether it is asked on plain lines, one after the other.
    plain: bool,
}

/// A line that is not typed at this moment, and why it was refused.
#[derive(Debug)]
struct Line {
    text: String,
    refused: Option<String>,
}

impl Input {
    /// Asks under a title, with a sentence on what is expected.
    pub fn new(question: impl Into<Question>, title: &str, help: &str) -> Self {
        Self {
            question: question.into(),
            title: title.to_owned(),
            help: help.to_owned(),
            line: Field::default(),
            before: Vec::new(),
            after: Vec::new(),
            check: |text| {
                if text.trim().is_empty() { Err("nothing is typed yet".to_owned()) } else { Ok(()) }
            },
            whole: None,
            refused: None,
            begun: None,
            plain: false,
        }
    }

    /// It is asked on plain lines: no key goes from one line to another.
    pub const fn on_plain_lines(&mut self) {
        self.plain = true;
    }

    /// With a text to take, edit or replace.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.line = Field::selected(text);
        self
    }

    /// With the beginning of what is to be typed; what is pasted behind it and has that beginning already replaces it.
    #[must_use]
    pub fn begun(mut self, text: &str) -> Self {
        (self.line, self.begun) = (Field::begun(text), Some(text.to_owned()));
        self
    }

    /// With lines that were refused, each with its reason, to change; the first one at once.
    #[must_use]
    pub fn refused(mut self, lines: Vec<(String, String)>) -> Self {
        let line = |(text, reason)| Line { text, refused: Some(reason) };
        self.after = lines.into_iter().rev().map(line).collect();
        if let Some(first) = self.after.pop() {
            self.put(first);
        }
        self
    }

    /// With another check than that something is there.
    #[must_use]
    pub fn checked(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// With a check of a line by itself that is pasted, where the answer may have lines that are refused.
    #[must_use]
    pub const fn pasted(mut self, check: Check) -> Self {
        self.whole = Some(check);
        self
    }

    /// Whether a line is whole by itself and is none behind what stands there: a beginning that nobody typed on, or a
    /// line that was refused.
    fn is_whole(&self, pasted: &str) -> bool {
        let begun = self.begun.as_deref() == Some(self.line.value()) || self.refused.is_some();
        let check = self.whole.unwrap_or(self.check);
        begun && check(pasted).is_ok() && check(&format!("{}{pasted}", self.line.value())).is_err()
    }

    fn text(&self) -> String {
        let before = self.before.iter().map(|line| line.text.as_str());
        let after = self.after.iter().rev().map(|line| line.text.as_str());
        before.chain([self.line.value()]).chain(after).collect::<Vec<_>>().join("\n")
    }

    /// Types on in that line.
    fn put(&mut self, line: Line) {
        (self.line, self.refused) = (Field::begun(&line.text), line.refused);
    }

    /// Takes the line that is typed out of the hand.
    fn taken(&mut self) -> Line {
        Line { text: self.line.take(), refused: self.refused.take() }
    }
}

impl Window for Input {
    fn acts(&self) -> Vec<Act> {
        let mut acts = vec![Act::Take, Act::Back];
        acts.extend((!self.before.is_empty()).then_some(Act::Up));
        acts.extend((!self.after.is_empty()).then_some(Act::Down));
        acts
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        vec![(Act::Take, "accept"), (Act::Back, "cancel")]
    }

    fn types(&self, key: Key) -> bool {
        key.is_letter()
    }

    fn act(&mut self, act: Act) -> Reply {
        match act {
            Act::Back => return Reply::Closed,
            Act::Up => {
                if let Some(line) = self.before.pop() {
                    let below = self.taken();
                    self.after.push(below);
                    self.put(line);
                }
            }
            Act::Down => {
                if let Some(line) = self.after.pop() {
                    let above = self.taken();
                    self.before.push(above);
                    self.put(line);
                }
            }
            Act::Take => {
                let text = self.text();
                match (self.check)(&text) {
                    Ok(()) => return Reply::Answered(self.question, Answer::Text(text)),
                    Err(reason) => self.refused = Some(reason),
                }
            }
            _ => {}
        }
        Reply::Stay
    }

    fn typed(&mut self, key: Key) -> Reply {
        if self.line.key(key) {
            self.refused = None;
        }
        Reply::Stay
    }

    fn question(&self) -> Option<Question> {
        Some(self.question)
    }

    fn paste(&mut self, text: &str) {
        // Whole lines go on as lines of the answer, those with nothing in them aside; the last one stays in the line.
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.pop().unwrap_or_default();
        if self.is_whole(lines.first().unwrap_or(&last).trim()) {
            self.line = Field::begun("");
        }
        for (at, pasted) in lines.into_iter().enumerate() {
            let text = if at == 0 {
                self.line.paste(pasted);
                self.line.take()
            } else {
                pasted.to_owned()
            };
            self.before.push(Line { text, refused: None });
        }
        self.line.paste(last);
        self.refused = None;
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let width = 72.min(area.width);
        let help = wrap(&self.help, usize::from(width.saturating_sub(4)));
        let rows =
            u16::try_from(help.len()).unwrap_or(u16::MAX).clamp(3, area.height.saturating_sub(7).max(3));
        let all = popup::popup(&self.title, (width, rows + 7), area, look, buffer);
        for (at, words) in (0..rows).zip(&help) {
            line::words(words.trim_start(), look.style(Role::Dim), line::row(all, at), buffer);
        }
        // Below the help: the line, its reason, where it stands among others, the keys.
        let inner = line::below(all, rows);
        self.line.draw(line::row(inner, 0), look, buffer);
        if let Some(reason) = &self.refused {
            let reason = wrap(&text::shown(&format!("x {reason}")), usize::from(inner.width));
            for (at, words) in (1..3).zip(reason) {
                line::words(&words, look.style(Role::Fail), line::row(inner, at), buffer);
            }
        } else if self.line.is_selected() {
            line::words(SELECTED, look.style(Role::Dim), line::row(inner, 1), buffer);
        }
        let all = self.before.len() + 1 + self.after.len();
        if all > 1 {
            let at = self.before.len() + 1;
            let words = match [Act::Up, Act::Down].map(|act| keymap.first(act)) {
                _ if self.plain => format!("line {at} of {all}; the others are asked for after it"),
                [up, down] => format!("line {at} of {all}; {up} and {down} go to the others"),
            };
            line::words(&words, look.style(Role::Text), line::row(inner, 3), buffer);
        }
        let words = hints(keymap, &self.keys());
        line::words(&words, look.style(Role::Dim), line::row(inner, 4), buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::Code;
    use crate::dialogs::testing::press;

    #[test]
    fn enter_gives_the_line_only_when_the_check_lets_it_through() {
        let mut input = Input::new(Act::ImagesAdd, "Add", "");
        assert!(matches!(press(&mut input, Key::plain(Code::Enter)), Reply::Stay));
        assert!(input.refused.is_some());
        press(&mut input, Key::char('x'));
        assert!(input.refused.is_none());
        let Reply::Answered(question, Answer::Text(text)) = press(&mut input, Key::plain(Code::Enter)) else {
            panic!()
        };
        assert_eq!((question.act, text.as_str()), (Act::ImagesAdd, "x"));
    }

    #[test]
    fn pasted_lines_are_all_in_the_answer() {
        let mut input = Input::new(Act::ImagesAdd, "Add", "").begun("ngi");
        input.paste("nx:1.25\nredis:7\r\nbusybox");
        assert_eq!(input.text(), "nginx:1.25\nredis:7\nbusybox");
        let mut input = Input::new(Act::ImagesAdd, "Add", "");
        input.paste("\nnginx:1.25\n\n \nredis:7\n\n");
        assert_eq!((input.text().as_str(), input.before.len()), ("nginx:1.25\nredis:7", 1));
    }

    #[test]
    fn what_is_pasted_whole_takes_the_place_of_the_beginning_that_it_has_already() {
        let check = |text: &str| match text.strip_prefix("oci:") {
            Some(path) if !path.is_empty() && !path.starts_with("oci:") => Ok(()),
            _ => Err("no".to_owned()),
        };
        let input = || Input::new(Act::ImportOther, "", "").begun("oci:").checked(check);
        for (pasted, text) in [("oci:/srv/x\n", "oci:/srv/x"), ("/srv/x", "oci:/srv/x")] {
            let mut input = input();
            input.paste(pasted);
            assert_eq!(input.text(), text);
        }
        let mut input = input();
        press(&mut input, Key::char('a'));
        input.paste("oci:x");
        assert_eq!(input.text(), "oci:aoci:x", "what was typed is not taken away");
    }

    #[test]
    fn a_whole_line_takes_the_place_of_one_that_was_refused_and_a_part_goes_on_from_it() {
        let check = |text: &str| if text.matches(':').count() == 1 { Ok(()) } else { Err("no".to_owned()) };
        let refused = |text: &str| {
            let line = (text.to_owned(), "no".to_owned());
            Input::new(Act::ImagesAdd, "Add", "").pasted(check).refused(vec![line])
        };
        for (stood, pasted, text) in [
            ("a:1:x", "b:1", "b:1"),
            ("a:1:x", "b:1\nc:1\n", "b:1\nc:1"),
            ("host/", "a:1", "host/a:1"),
            ("a:1:x", "b", "a:1:xb"),
        ] {
            let mut input = refused(stood);
            input.paste(pasted);
            assert_eq!(input.text(), text, "{stood} and {pasted}");
        }
        let mut input = refused("a:1:x");
        press(&mut input, Key::char('y'));
        input.paste("b:1");
        assert_eq!(input.text(), "a:1:xyb:1", "what was typed since is not taken away");
    }

    #[test]
    fn every_line_can_be_changed() {
        let lines = ["a", "b", "c"].map(|text| (text.to_owned(), format!("{text} is none")));
        let mut input = Input::new(Act::ImagesAdd, "Add", "").refused(lines.to_vec());
        assert_eq!((input.text().as_str(), input.refused.as_deref()), ("a\nb\nc", Some("a is none")));
        for code in [Code::Up, Code::Down, Code::Char('2')] {
            press(&mut input, Key::plain(code));
        }
        assert_eq!((input.text().as_str(), input.refused.as_deref()), ("a\nb2\nc", None));
        input.paste("3\nx");
        assert_eq!(input.text(), "a\nb23\nx\nc");
        for code in [Code::Down, Code::Down, Code::Up, Code::Up, Code::Up] {
            press(&mut input, Key::plain(code));
        }
        assert_eq!((input.text().as_str(), input.refused.as_deref()), ("a\nb23\nx\nc", Some("a is none")));
    }
}
