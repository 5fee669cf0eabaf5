//! The footer: at most six keys with a word each; help comes first, and neither it nor the way back is ever cut.

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
    /// Whether it stays where others have no room.
    pub kept: bool,
}

impl Hint {
    fn width(&self) -> usize {
        text::width(&self.key) + text::width(&self.word) + 4
    }
}

/// Draws as many hints as there is room for, in their order: those that are kept, then the first ones first.
pub fn footer(hints: &[Hint], area: Rect, look: &Look, buffer: &mut Buffer) {
    let mut spans = Vec::new();
    let kept = hints.iter().take(MOST).filter(|hint| hint.kept).map(Hint::width).sum();
    let mut left = usize::from(area.width).checked_sub(kept);
    for hint in hints.iter().take(MOST) {
        if !hint.kept {
            // The first one without room ends the row: what follows matters less.
            left = left.and_then(|left| left.checked_sub(hint.width()));
            if left.is_none() {
                continue;
            }
        }
        let (key, word) = if hint.enabled { (Role::Key, Role::Text) } else { (Role::Dim, Role::Dim) };
        spans.push(Span::raw(" "));
        spans.push(Span::styled(hint.key.clone(), look.style(key)));
        spans.push(Span::styled(format!(" {}  ", hint.word), look.style(word)));
    }
    Line::from(spans).render(area, buffer);
}
