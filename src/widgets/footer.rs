//! The footer: at most six keys with a word each, help first and never cut.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::look::Look;
use crate::config::theme::Role;
use crate::domain::text;

/// Keys that a footer shows at most.
pub const MOST: usize = 6;

/// One key and what it does, in a word or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key's name.
    pub key: String,
    /// What it does.
    pub word: String,
    /// Whether it can be done now.
    pub enabled: bool,
}

/// Draws as many hints as there is room for, the first ones first.
pub fn footer(hints: &[Hint], area: Rect, look: &Look, buffer: &mut Buffer) {
    let mut spans = Vec::new();
    let mut left = usize::from(area.width);
    for hint in hints.iter().take(MOST) {
        let width = text::width(&hint.key) + text::width(&hint.word) + 4;
        if width > left {
            break;
        }
        left -= width;
        let (key, word) = if hint.enabled { (Role::Key, Role::Text) } else { (Role::Dim, Role::Dim) };
        spans.push(Span::raw(" "));
        spans.push(Span::styled(hint.key.clone(), look.style(key)));
        spans.push(Span::styled(format!(" {}  ", hint.word), look.style(word)));
    }
    Line::from(spans).render(area, buffer);
}
