//! Facts below a list, a name and its words in a row; and what an empty screen teaches, a key and its words in a row.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::line;
use super::look::Look;
use crate::config::theme::Role;

/// Cells of the name of a fact, its indent with it.
const NAME: u16 = 13;
/// Cells of the key in what is taught.
const KEY: u16 = 7;

/// A fact: its name, its words and their look.
pub type Fact = (&'static str, String, Role);

/// Draws facts from the top, as many as there is room for; how many rows they take.
pub fn facts(facts: &[Fact], area: Rect, look: &Look, buffer: &mut Buffer) -> u16 {
    for (at, (name, words, role)) in (0u16..).zip(facts) {
        let place = line::row(area, at);
        line::words(&format!("   {name}"), look.style(Role::Dim), place, buffer);
        line::words(words, look.style(*role), indented(place, NAME), buffer);
    }
    u16::try_from(facts.len()).unwrap_or(u16::MAX).min(area.height)
}

/// Draws what an empty screen teaches: keys and what they do, or words alone.
pub fn teach(lines: &[(&str, &str)], area: Rect, look: &Look, buffer: &mut Buffer) {
    for (at, (key, words)) in (1u16..).zip(lines) {
        let place = line::row(area, at);
        line::words(&format!("   {key}"), look.style(Role::Key), place, buffer);
        let indent = if key.is_empty() { 3 } else { KEY };
        line::words(words, look.style(Role::Text), indented(place, indent), buffer);
    }
}

fn indented(place: Rect, cells: u16) -> Rect {
    let cells = cells.min(place.width);
    Rect { x: place.x + cells, width: place.width - cells, ..place }
}
