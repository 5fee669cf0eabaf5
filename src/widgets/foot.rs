//! What stands beside a table: its title, facts, lines on the row under its cursor, in the rows that nothing else needs.

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
    let indent = |at: usize| if at == 0 { first } else { others };
    let wide = |at: usize| usize::from(columns).saturating_sub(indent(at));
    let lines = said.iter().enumerate().map(|(at, (words, _))| (words.as_str(), wide(at)));
    let pieces = shared(lines, usize::from(rows)).into_iter().zip(said).enumerate();
    let lines = pieces.flat_map(|(at, (pieces, (_, role)))| {
        pieces.into_iter().map(move |piece| (format!("{}{piece}", " ".repeat(indent(at))), *role))
    });
    lines.collect()
}

/// Lines, each in so many columns, on so many rows: those that are long share the rows that are left, the first one first.
pub fn shared<'a>(lines: impl ExactSizeIterator<Item = (&'a str, usize)>, rows: usize) -> Vec<Vec<String>> {
    let mut left = rows.saturating_sub(lines.len());
    let fold = |(words, columns): (&str, usize)| {
        let pieces = match left {
            // A line of its own is cut where that takes least from it.
            0 => vec![line::fit(words, columns)],
            more => line::lines(words, (columns, more + 1)),
        };
        left = left.saturating_sub(pieces.len().saturating_sub(1));
        pieces
    };
    lines.map(fold).collect()
}

/// A title above so many rows, in those of `area` that they do not need; at least in one.
pub fn title(words: String, below: usize, area: Rect) -> Vec<Said> {
    let (said, indents) = ([(words, Role::Title)], (1, 1));
    let all = folded(&said, indents, (area.width, area.height)).len();
    folded(&said, indents, (area.width, rows(all, 1, below, area)))
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
