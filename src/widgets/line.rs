//! Words cut, padded and joined to what a row of cells has room for.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use crate::config::theme::Role;
use crate::domain::text;

use super::look::Look;

/// Untrusted words as they may be shown in `columns`: cleaned, and cut in the middle where they are too long.
pub fn fit(words: &str, columns: usize) -> String {
    let clean: Cow<'_, str> = text::shown(words);
    text::middle(&clean, columns).into_owned()
}

/// Draws words at the top of `area`, cleaned and cut to it.
pub fn words(words: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    if area.height > 0 {
        Line::styled(fit(words, usize::from(area.width)), style).render(row(area, 0), buffer);
    }
}

/// The row of `area` that is `at` from its top; empty below its end.
pub fn row(area: Rect, at: u16) -> Rect {
    if at < area.height {
        Rect { y: area.y + at, height: 1, ..area }
    } else {
        Rect { height: 0, y: area.bottom(), ..area }
    }
}

/// `area` without its first `rows`.
pub fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// A line across.
pub fn rule(area: Rect, look: &Look, buffer: &mut Buffer) {
    if area.height > 0 {
        let line = "─".repeat(usize::from(area.width));
        Line::styled(line, look.style(Role::Border)).render(row(area, 0), buffer);
    }
}
