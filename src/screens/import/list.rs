//! The table of images: how each stands, all words on the one under the cursor, and how many are out of sight.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::rows::{Line, bytes, images};
use super::view::shown;
use crate::config::theme::Role;
use crate::dialogs::page::wrap;
use crate::domain::text;
use crate::tui::model::Model;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};

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
        area.height -= 1;
        let words = whole(&cut.note, usize::from(area.width).saturating_sub(4));
        let below = Rect { y: area.bottom(), height: 1, ..area };
        line::words(&format!("   {words}"), look.style(cut.role), below, buffer);
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
            values.push(Value::styled(whole(&line.note, usize::from(note)), line.role));
        }
        Row { marked, values }
    };
    table(&columns, list, row, area, look, buffer);
    let seen = list.first_number() + usize::from(area.height.saturating_sub(1)) - 1;
    if let Some(below) = list.visible().len().checked_sub(seen).filter(|below| *below > 0) {
        let words = format!(" {below} more below ");
        let width = u16::try_from(text::width(&words)).unwrap_or(rule.width).min(rule.width);
        let at = Rect { x: rule.right() - width, width, ..rule };
        line::words(&words, look.style(Role::Dim), at, buffer);
    }
}

/// Words from their beginning; what is left away at the end is marked.
fn whole(words: &str, columns: usize) -> String {
    let words = text::shown(words);
    if text::width(&words) <= columns {
        return words.into_owned();
    }
    let pieces = wrap(&words, columns.saturating_sub(2));
    match pieces.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, ..] => format!("{first} …"),
    }
}
