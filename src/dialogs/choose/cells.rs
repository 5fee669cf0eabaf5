//! How many cells names and notes have in a list to choose from, and what is said below it for want of room.

use super::{Choose, HEADING, Item, NOTES};
use crate::domain::text;
use crate::widgets::line;

/// Cells of a note at least; where the names leave fewer, the one under the cursor is said below the list alone.
const NOTE: usize = 12;
/// Columns that a frame takes, with a blank at each side.
const FRAME: u16 = 4;

impl Choose {
    /// Cells of names and notes: behind the lead; two stand between name and note.
    pub(super) fn room(&self, columns: u16) -> usize {
        usize::from(columns).saturating_sub(if self.list.numbered { 8 } else { 3 })
    }

    /// What is said of a row below the list, as the row has no room for it: its note, behind its name where that is cut.
    pub(super) fn cut(&self, item: &Item, columns: u16) -> Option<String> {
        let room = self.room(columns);
        let (name, note) = self.cells(room);
        let name = if name > 0 { name } else { room.saturating_sub(if note > 0 { note + 2 } else { 0 }) };
        let (own, words) = (text::shown(&item.name), text::shown(&item.note));
        match text::width(&own) > name {
            true => Some(format!("{own}  {words}").trim_end().to_owned()),
            false => (text::width(&words) > note).then(|| words.into_owned()),
        }
    }

    /// Rows below the list for the longest of what there is no room for in a row; the frame has some of these columns.
    pub(super) fn foot_rows(&self, columns: u16) -> u16 {
        let columns = columns.saturating_sub(FRAME);
        let cut = self.items.iter().filter_map(|item| self.cut(item, columns));
        let rows = cut.map(|words| line::lines(&words, (usize::from(columns), NOTES)).len()).max();
        u16::try_from(rows.unwrap_or(1).max(1)).unwrap_or(1)
    }

    /// Cells of the names, 0 for whatever there is, and of the notes. Every name has what it needs, and the notes have
    /// the rest; where that is too little for any, names that can be typed are not cut for it, others give them half.
    pub(super) fn cells(&self, room: usize) -> (usize, usize) {
        if !self.notes {
            return (0, 0);
        }
        let half = room.saturating_sub(2) / 2;
        let widest = self.items.iter().map(|item| text::width(&text::shown(&item.name))).max().unwrap_or(0);
        match room.saturating_sub(widest + 2) {
            left if left >= NOTE => {
                (widest.max(HEADING.len()), left.saturating_sub(HEADING.len().saturating_sub(widest)))
            }
            _ if self.or_typed.is_some() => (0, 0),
            _ => (0, half),
        }
    }
}
