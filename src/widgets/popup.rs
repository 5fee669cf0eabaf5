//! A framed window over the middle of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::widgets::{Block, Borders, Clear, Widget};

use super::foot;
use super::line;
use super::look::Look;
use crate::config::theme::Role;

/// Clears and frames `height` rows over the whole width of `area`, above and below alone; the room between.
pub fn band(title: &str, (_, height): (u16, u16), area: Rect, look: &Look, buffer: &mut Buffer) -> Rect {
    let height = height.min(area.height);
    let outer = Rect { y: area.y + (area.height - height) / 2, height, ..area };
    Clear.render(outer, buffer);
    let title = format!(" {} ", line::fit(title, usize::from(area.width.saturating_sub(6))));
    let block = Block::new()
        .borders(Borders::TOP | Borders::BOTTOM)
        .border_set(border::PLAIN)
        .border_style(look.style(Role::Border))
        .title(ratatui::text::Line::styled(format!("─{title}"), look.style(Role::Title)));
    let inner = block.inner(outer);
    block.render(outer, buffer);
    inner
}

/// Words on as many rows as there are in a window of such a size, which has one for them and grows with them.
pub fn folded(words: &str, (width, height): (u16, u16), area: Rect) -> Vec<String> {
    let columns = usize::from(width.min(area.width).saturating_sub(4));
    let rows = 1 + area.height.saturating_sub(height);
    let said = std::iter::once((words, columns));
    foot::shared(said, usize::from(rows)).concat()
}

/// Clears and frames at most `width` by `height` cells in the middle of `area`; the room inside the frame.
pub fn popup(title: &str, (width, height): (u16, u16), area: Rect, look: &Look, buffer: &mut Buffer) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let outer =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    Clear.render(outer, buffer);
    buffer.set_style(outer, look.style(Role::Text));
    let title = format!(" {} ", line::fit(title, usize::from(width.saturating_sub(6))));
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(border::PLAIN)
        .border_style(look.style(Role::Border))
        .title(ratatui::text::Line::styled(title, look.style(Role::Title)));
    let inner = block.inner(outer);
    block.render(outer, buffer);
    // One cell of air on both sides.
    Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner }
}
