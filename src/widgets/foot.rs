//! What stands below a table: lines on the row under its cursor, in the rows that the table does not need.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::line;
use super::look::Look;
use crate::config::theme::Role;

/// Words and their look.
pub type Said = (String, Role);

/// What is said in so many columns and rows: a line takes several where the others have one each. The first one stands in by
/// so many cells, the others by as many as are said second.
pub fn folded(said: &[Said], (first, others): (usize, usize), (columns, rows): (u16, u16)) -> Vec<Said> {
    let (columns, mut left) = (usize::from(columns), usize::from(rows).saturating_sub(said.len()));
    let mut folded = Vec::new();
    for (at, (words, role)) in said.iter().enumerate() {
        let indent = if at == 0 { first } else { others };
        let room = columns.saturating_sub(indent);
        let pieces = match left {
            // A line of its own is cut where that takes least from it.
            0 => vec![line::fit(words, room)],
            more => line::lines(words, (room, more + 1)),
        };
        left = left.saturating_sub(pieces.len().saturating_sub(1));
        folded.extend(pieces.into_iter().map(|piece| (format!("{}{piece}", " ".repeat(indent)), *role)));
    }
    folded
}

/// Rows for so many lines below a table: a few of its own, and those of `area` that the table of so many rows, its heading
/// among them, does not need.
pub fn rows(lines: usize, least: u16, table: usize, area: Rect) -> u16 {
    let all = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    all(lines).min(area.height.saturating_sub(all(table))).max(least).min(area.height)
}

/// Draws lines from the top of `area`, as many as there is room for.
pub fn draw(lines: &[Said], look: &Look, area: Rect, buffer: &mut Buffer) {
    for (at, (words, role)) in (0..area.height).zip(lines) {
        line::words(words, look.style(*role), line::row(area, at), buffer);
    }
}
