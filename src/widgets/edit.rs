//! A line to type in: the keys that change it, what of it is seen, and where the cursor stands.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use tui_input::{Input, InputRequest};

use super::look::Look;
use crate::config::key::{Code, Key};
use crate::config::theme::Role;
use crate::domain::text;

/// Characters that a line holds at most.
const MOST: usize = 4096;

/// Changes the line as the key says; false where the key is none of a line's.
pub fn key(input: &mut Input, key: Key) -> bool {
    let request = match (key.ctrl, key.code) {
        (false, Code::Char(c)) if !key.alt => {
            if input.value().chars().count() >= MOST {
                return true;
            }
            InputRequest::InsertChar(c)
        }
        (false, Code::Backspace) | (true, Code::Char('h')) => InputRequest::DeletePrevChar,
        (false, Code::Delete) | (true, Code::Char('d')) => InputRequest::DeleteNextChar,
        (false, Code::Left) | (true, Code::Char('b')) => InputRequest::GoToPrevChar,
        (false, Code::Right) | (true, Code::Char('f')) => InputRequest::GoToNextChar,
        (true, Code::Left) => InputRequest::GoToPrevWord,
        (true, Code::Right) => InputRequest::GoToNextWord,
        (false, Code::Home) | (true, Code::Char('a')) => InputRequest::GoToStart,
        (false, Code::End) | (true, Code::Char('e')) => InputRequest::GoToEnd,
        (true, Code::Char('w')) => InputRequest::DeletePrevWord,
        (true, Code::Char('u')) => InputRequest::DeleteLine,
        (true, Code::Char('k')) => InputRequest::DeleteTillEnd,
        _ => return false,
    };
    input.handle(request);
    true
}

/// Adds pasted text at the cursor; control characters become spaces.
pub fn paste(input: &mut Input, pasted: &str) {
    let room = MOST.saturating_sub(input.value().chars().count());
    for c in pasted.trim_end_matches(['\n', '\r']).chars().take(room) {
        input.handle(InputRequest::InsertChar(if c.is_control() { ' ' } else { c }));
    }
}

/// What is said below a line that is selected.
pub const SELECTED: &str = "typing replaces it; arrows, Home or End edit it";

/// A line that may begin with a text, selected as a whole: the first character that is typed replaces it, while any
/// other key of a line keeps it to be edited.
#[derive(Debug, Default)]
pub struct Field {
    line: Input,
    selected: bool,
}

impl Field {
    /// With a text to go on from.
    pub fn begun(text: &str) -> Self {
        Self { line: Input::new(text.to_owned()), selected: false }
    }

    /// With a text that is taken as it is, edited or replaced.
    pub fn selected(text: &str) -> Self {
        Self { selected: !text.is_empty(), ..Self::begun(text) }
    }

    /// Whether what stands there is replaced by what is typed next.
    pub const fn is_selected(&self) -> bool {
        self.selected
    }

    /// What stands there.
    pub fn value(&self) -> &str {
        self.line.value()
    }

    /// Takes what stands there out of it.
    pub fn take(&mut self) -> String {
        std::mem::take(self).line.value_and_reset()
    }

    /// Whether the cursor stands behind all of it.
    pub fn is_at_end(&self) -> bool {
        self.line.cursor() == self.line.value().chars().count()
    }

    /// Changes the line as the key says; false where the key is none of a line's.
    pub fn key(&mut self, pressed: Key) -> bool {
        let typed = !pressed.ctrl && !pressed.alt && matches!(pressed.code, Code::Char(_));
        if typed {
            self.replace();
        }
        let known = key(&mut self.line, pressed);
        self.selected &= !known;
        known
    }

    /// Adds pasted text, or puts it in the place of what is selected.
    pub fn paste(&mut self, pasted: &str) {
        self.replace();
        paste(&mut self.line, pasted);
    }

    /// Takes what is selected away.
    fn replace(&mut self) {
        if std::mem::take(&mut self.selected) {
            self.line.reset();
        }
    }

    /// Draws it, in reverse while it is selected.
    pub fn draw(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        draw(&self.line, area, look, buffer);
        if !self.selected || area.height == 0 {
            return;
        }
        let shown = text::width(self.value()).min(usize::from(area.width.saturating_sub(1)));
        let shown = u16::try_from(shown).unwrap_or(u16::MAX);
        buffer.set_style(Rect { width: shown, height: 1, ..area }, Modifier::REVERSED);
        if let Some(cursor) = buffer.cell_mut((area.x + shown, area.y)) {
            cursor.modifier.remove(Modifier::REVERSED);
        }
    }
}

/// Draws the line with its cursor.
pub fn draw(input: &Input, area: Rect, look: &Look, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    if width == 0 || area.height == 0 {
        return;
    }
    // One cell for one hostile character, so that the cursor stays where it is.
    let shown = input.value().chars().map(|c| if text::is_hostile(c) { '?' } else { c });
    let start = input.cursor().saturating_sub(width.saturating_sub(1));
    let mut seen: Vec<char> = shown.skip(start).collect();
    seen.push(' ');
    let style = look.style(Role::Input);
    let cursor = input.cursor() - start;
    let mut spans = Vec::new();
    let mut used = 0;
    for (at, c) in seen.into_iter().enumerate() {
        let c = c.to_string();
        used += text::width(&c);
        if used > width {
            break;
        }
        let style = if at == cursor { style.add_modifier(Modifier::REVERSED) } else { style };
        spans.push(Span::styled(c, style));
    }
    spans.push(Span::styled(" ".repeat(width.saturating_sub(used)), style));
    Line::from(spans).render(area, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_by_arrows_and_by_control_keys_alike() {
        let mut input = Input::default();
        for c in "nginx".chars() {
            assert!(key(&mut input, Key::char(c)));
        }
        key(&mut input, Key::plain(Code::Left));
        key(&mut input, Key::plain(Code::Backspace));
        assert_eq!(input.value(), "ngix");
        key(&mut input, Key::ctrl('a'));
        key(&mut input, Key::ctrl('k'));
        assert_eq!(input.value(), "");
        assert!(!key(&mut input, Key::plain(Code::Enter)) && !key(&mut input, Key::plain(Code::Up)));
    }

    #[test]
    fn the_first_letter_replaces_what_is_selected_and_any_other_key_keeps_it() {
        let after = |keys: &[Key]| {
            let mut field = Field::selected("/home/op");
            for key in keys {
                field.key(*key);
            }
            (field.value().to_owned(), field.is_selected())
        };
        let end = Key::plain(Code::End);
        assert_eq!(after(&[Key::char('/'), Key::char('m')]), ("/m".to_owned(), false));
        assert_eq!(after(&[end, Key::char('x')]), ("/home/opx".to_owned(), false));
        assert_eq!(after(&[Key::plain(Code::Backspace), Key::char('q')]), ("/home/oq".to_owned(), false));
        assert_eq!(after(&[Key::plain(Code::Up)]), ("/home/op".to_owned(), true), "no key of a line");
        let mut field = Field::selected("/home/op");
        field.paste("/mnt");
        assert_eq!(field.value(), "/mnt");
        field.paste("/x");
        assert_eq!(field.value(), "/mnt/x");
        assert!(!Field::selected("").is_selected());
    }

    #[test]
    fn pasted_control_characters_become_spaces() {
        let mut input = Input::default();
        paste(&mut input, "a\u{1b}b\tc\n");
        assert_eq!(input.value(), "a b c");
    }
}
