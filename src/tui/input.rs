//! From the terminal's events to messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind};
use zeroize::Zeroizing;

use super::msg::Msg;
use crate::config::key::{Code, Key};

/// The message of an event; nothing for those that say nothing to us.
pub fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(pasted(&Zeroizing::new(text)).into())),
        Event::Mouse(event) => match event.kind {
            MouseEventKind::ScrollUp => Some(Msg::Key(Key::plain(Code::Up))),
            MouseEventKind::ScrollDown => Some(Msg::Key(Key::plain(Code::Down))),
            MouseEventKind::Down(_) => Some(Msg::Click(event.row)),
            _ => None,
        },
        // A size is told by its signal: the thread that reads may be held up by half a character.
        _ => None,
    }
}

/// Pasted text with one kind of line ends: most terminals send a carriage return for each, as if Enter was pressed. It
/// may be a passphrase, so that its room is taken once and nothing of it is left behind.
fn pasted(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut before = '\n';
    for c in text.chars() {
        match c {
            '\n' if before == '\r' => {}
            '\r' => lines.push('\n'),
            c => lines.push(c),
        }
        before = c;
    }
    lines
}

fn key(event: KeyEvent) -> Option<Key> {
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let code = match event.code {
        KeyCode::Char(c) if ctrl => Code::Char(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::F(number) => Code::F(number),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Insert => Code::Insert,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        _ => return None,
    };
    Some(Key { ctrl, alt: event.modifiers.contains(KeyModifiers::ALT), code })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
        match message(Event::Key(KeyEvent::new(code, modifiers))) {
            Some(Msg::Key(key)) => Some(key),
            _ => None,
        }
    }

    #[test]
    fn pasted_lines_end_in_one_way_whatever_the_terminal_sends() {
        for sent in ["a\nb\n\nc\n", "a\rb\r\rc\r", "a\r\nb\r\n\r\nc\r\n"] {
            let Some(Msg::Paste(text)) = message(Event::Paste(sent.to_owned())) else { panic!("{sent:?}") };
            assert_eq!(&*text, "a\nb\n\nc\n", "{sent:?}");
        }
    }

    #[test]
    fn keys_are_the_ones_that_maps_name() {
        for (code, modifiers, name) in [
            (KeyCode::Char('L'), KeyModifiers::CONTROL, "Ctrl-L"),
            (KeyCode::Char('P'), KeyModifiers::SHIFT, "P"),
            (KeyCode::Char(' '), KeyModifiers::NONE, "Space"),
            (KeyCode::F(4), KeyModifiers::NONE, "F4"),
            (KeyCode::BackTab, KeyModifiers::SHIFT, "Shift-Tab"),
            (KeyCode::Char('x'), KeyModifiers::ALT, "Alt-x"),
        ] {
            assert_eq!(pressed(code, modifiers), name.parse().ok(), "{name}");
        }
        assert_eq!(pressed(KeyCode::Null, KeyModifiers::NONE), None);
    }
}
