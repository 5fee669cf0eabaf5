//! The table of images: how each stands, all words on the one under the cursor, and how many are out of sight.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::rows::{Line, bytes, images};
use super::view::shown;
use crate::domain::text;
use crate::tui::model::Model;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, hidden, table};

/// Lines that the words on one image may take below the table, where that has more rows than this.
const WORDS: usize = 3;
const ROOM: u16 = 8;

/// Rows of the rule, the table and the words below it, where it has all it needs.
pub(super) fn rows(lines: &[Line]) -> usize {
    2 + lines.len() + WORDS
}

/// Draws a rule and the table below it.
pub(super) fn draw(
    (list, lines): (&List, &[Line]),
    model: &Model,
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    line::rule(line::row(area, 0), look, buffer);
    let rule = line::row(area, 0);
    let mut area = line::below(area, 1);
    if lines.is_empty() {
        return;
    }
    let noted = lines.iter().any(|line| !line.note.is_empty());
    let note = area.width / 3;
    let cut = list.row().and_then(|row| lines.get(row));
    let cut = cut.filter(|line| text::width(&line.note) > usize::from(note) && area.height > 3);
    if let Some(cut) = cut {
        let most = if area.height > ROOM { WORDS } else { 1 };
        let columns = usize::from(area.width).saturating_sub(4);
        for words in line::lines(&cut.note, (columns, most)).iter().rev() {
            area.height -= 1;
            let below = Rect { y: area.bottom(), height: 1, ..area };
            line::words(&format!("   {words}"), look.style(cut.role), below, buffer);
        }
    }
    let title = if shown(model).is_some() { "STATE" } else { "PLAN" };
    let mut columns = vec![Column::left(title, 10), Column::left("IMAGE", 0), Column::right("SIZE", 8)];
    if noted {
        columns.push(Column::left("NOTE", note));
    }
    let row = |row: usize| {
        let line = &lines[row];
        let Some(image) = images(model).get(line.image) else {
            return Row { marked: false, values: Vec::new() };
        };
        let name = image.reference.to_string();
        let marked = model.gap.import.picked.contains(&name);
        let size = text::bytes(bytes(image));
        let mut values = vec![Value::styled(line.state, line.role), Value::plain(name), Value::plain(size)];
        if noted {
            values.push(Value::styled(&line.note, line.role));
        }
        Row { marked, values }
    };
    table(&columns, list, row, area, look, buffer);
    hidden(list, rule, look, buffer);
}
