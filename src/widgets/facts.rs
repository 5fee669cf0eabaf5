//! Facts below a list, a name and its words in a row; and what an empty screen teaches, a key and its words in a row.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::line::{self, wrap};
use super::look::Look;
use crate::config::theme::Role;
use crate::domain::text;

/// Cells of the name of a fact, its indent with it.
const NAME: u16 = 13;
/// Cells of the key in what is taught.
const KEY: u16 = 7;

/// A fact: its name, its words and their look.
pub type Fact = (&'static str, String, Role);

/// Draws facts from the top, as many as there is room for; how many rows they take.
pub fn facts(facts: &[Fact], area: Rect, look: &Look, buffer: &mut Buffer) -> u16 {
    let mut at = 0;
    for (name, words, role) in facts {
        line::words(&format!("   {name}"), look.style(Role::Dim), line::row(area, at), buffer);
        at = folded(words, NAME, *role, (area, at), look, buffer);
    }
    at.min(area.height)
}

/// Draws words from a row on, on as many as they take; the row after them.
fn folded(
    words: &str,
    indent: u16,
    role: Role,
    (area, mut at): (Rect, u16),
    look: &Look,
    buffer: &mut Buffer,
) -> u16 {
    let room = usize::from(area.width.saturating_sub(indent));
    for piece in wrap(&text::shown(words), room) {
        let place = indented(line::row(area, at), indent);
        line::words(piece.trim_start(), look.style(role), place, buffer);
        at = at.saturating_add(1);
    }
    at
}

/// Draws what an empty screen teaches: keys and what they do, or words alone.
pub fn teach(lines: &[(&str, &str)], area: Rect, look: &Look, buffer: &mut Buffer) {
    let mut at = 1;
    for (key, words) in lines {
        line::words(&format!("   {key}"), look.style(Role::Key), line::row(area, at), buffer);
        let indent = if key.is_empty() { 3 } else { KEY };
        at = folded(words, indent, Role::Text, (area, at), look, buffer);
    }
}

fn indented(place: Rect, cells: u16) -> Rect {
    let cells = cells.min(place.width);
    Rect { x: place.x + cells, width: place.width - cells, ..place }
}
