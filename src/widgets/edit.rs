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

/// Draws the line with its cursor; `masked` shows stars, as many as there are characters.
pub fn draw(input: &Input, masked: bool, area: Rect, look: &Look, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    if width == 0 || area.height == 0 {
        return;
    }
    let shown: String = match masked {
        true => "*".repeat(input.value().chars().count()),
        // One cell for one hostile character, so that the cursor stays where it is.
        false => input.value().chars().map(|c| if text::is_hostile(c) { '?' } else { c }).collect(),
    };
    let start = input.cursor().saturating_sub(width.saturating_sub(1));
    let mut seen: Vec<char> = shown.chars().skip(start).collect();
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
    fn pasted_control_characters_become_spaces() {
        let mut input = Input::default();
        paste(&mut input, "a\u{1b}b\tc\n");
        assert_eq!(input.value(), "a b c");
    }
}
