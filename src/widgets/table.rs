//! A table: columns of fixed or shared width, only the rows that are seen, the cursor as `>` and reversed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::line;
use super::list::List;
use super::look::Look;
use crate::config::theme::Role;
use crate::domain::text;

/// Room for the number of a row and its lead.
const NUMBERED: &str = "        ";

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Its cells; 0 shares what is left with the other columns of 0.
    pub width: u16,
    /// Whether its values stand to the right.
    pub right: bool,
    /// Left out in tables narrower than this.
    pub from: u16,
}

impl Column {
    /// A column to the left.
    pub const fn left(title: &'static str, width: u16) -> Self {
        Self { title, width, right: false, from: 0 }
    }

    /// A column to the right.
    pub const fn right(title: &'static str, width: u16) -> Self {
        Self { title, width, right: true, from: 0 }
    }

    /// Leaves it out in tables narrower than `from`.
    #[must_use]
    pub const fn from(self, from: u16) -> Self {
        Self { from, ..self }
    }
}

/// A value in a table; cut where it is too long.
#[derive(Clone, Debug)]
pub struct Value {
    /// The words; they may come from anywhere.
    pub words: String,
    /// Their look on rows that are not under the cursor.
    pub role: Role,
    /// Whether they are a name with blanks in it, of which both ends tell it from others.
    pub name: bool,
}

impl Value {
    /// Plain words.
    pub fn plain(words: impl Into<String>) -> Self {
        Self::styled(words, Role::Text)
    }

    /// The name of a thing, as a device has.
    pub fn name(words: impl Into<String>) -> Self {
        Self { name: true, ..Self::plain(words) }
    }

    /// Words with a look.
    pub fn styled(words: impl Into<String>, role: Role) -> Self {
        Self { words: words.into(), role, name: false }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whether it is marked; shown as `*`.
    pub marked: bool,
    /// One for each column.
    pub values: Vec<Value>,
}

/// Draws the heading and as many rows as there is room for; `row` is asked for those alone. Where a row has fewer values
/// than there are columns, its last one has the room of all that follow.
pub fn table(
    columns: &[Column],
    list: &List,
    row: impl Fn(usize) -> Row,
    area: Rect,
    look: &Look,
    buffer: &mut Buffer,
) {
    let indent = if list.numbered { NUMBERED } else { "   " };
    let shown = widths(columns, area.width.saturating_sub(u16::try_from(indent.len()).unwrap_or(3)));
    let title = |(column, width): (&Column, &Option<u16>)| {
        Some((cell(column.title, usize::from((*width)?), column.right), look.style(Role::Dim)))
    };
    draw(indent, columns.iter().zip(&shown).filter_map(title), line::row(area, 0), buffer);
    let body = line::below(area, 1);
    let (rows, cursor) = list.window_in(body);
    for (at, number) in (0u16..).zip(rows) {
        let row = row(*number);
        let selected = usize::from(at) == cursor;
        let lead = match (selected, row.marked) {
            (true, true) => ">* ",
            (true, false) => ">  ",
            (false, true) => " * ",
            (false, false) => "   ",
        };
        let lead = match list.numbered {
            true => {
                let number = list.number(*number).map_or_else(String::new, |number| number.to_string());
                format!("{number:>4} {lead}")
            }
            false => lead.to_owned(),
        };
        let base = match (selected, row.marked) {
            (true, _) => Some(look.style(Role::Selected)),
            (false, true) => Some(look.style(Role::Marked)),
            (false, false) => None,
        };
        let widths = spread(&shown, row.values.len());
        let values = columns.iter().zip(&widths).zip(&row.values).filter_map(|((column, width), value)| {
            let width = usize::from((*width)?);
            let words = match value.name {
                true => text::padded(&text::middle(&text::shown(&value.words), width), width),
                false => cell(&value.words, width, column.right),
            };
            Some((words, base.unwrap_or_else(|| look.style(value.role))))
        });
        let place = line::row(body, at);
        if let Some(style) = base.filter(|_| selected) {
            buffer.set_style(place, style);
        }
        draw(&lead, values, place, buffer);
    }
}

/// The same, with the last row of `area` for how many rows are below, where there are any.
pub fn table_in(
    columns: &[Column],
    list: &List,
    row: impl Fn(usize) -> Row,
    area: Rect,
    look: &Look,
    buffer: &mut Buffer,
) {
    let over = list.visible().len() >= usize::from(area.height);
    let body = Rect { height: area.height.saturating_sub(u16::from(over)), ..area };
    table(columns, list, row, body, look, buffer);
    if over {
        hidden(list, line::row(area, body.height), look, buffer);
    }
}

/// Says at the right end of a row how many rows are above and below those of the table that was just drawn; how many cells
/// that takes there.
pub fn hidden(list: &List, row: Rect, look: &Look, buffer: &mut Buffer) -> u16 {
    if row.height == 0 {
        return 0;
    }
    let words = match (list.more_above(), list.more_below()) {
        (0, 0) => return 0,
        (0, below) => format!(" {below} more below "),
        (above, 0) => format!(" {above} more above "),
        (above, below) => format!(" {above} above, {below} more below "),
    };
    let width = u16::try_from(text::width(&words)).unwrap_or(row.width).min(row.width);
    line::words(&words, look.style(Role::Dim), Rect { x: row.right() - width, width, ..row }, buffer);
    width
}

fn draw(lead: &str, cells: impl Iterator<Item = (String, Style)>, area: Rect, buffer: &mut Buffer) {
    let mut spans = vec![Span::raw(lead.to_owned())];
    for (words, style) in cells {
        spans.push(Span::styled(words, style));
        spans.push(Span::raw("  "));
    }
    spans.pop();
    Line::from(spans).render(area, buffer);
}

/// Digits of a digest that stay beside a name which has no room for all of them.
const DIGITS: usize = 7;

/// Words of a cell that are too long: of a name with its digest the digest is cut first, then host and path.
fn fit(words: &str, width: usize) -> String {
    let named = words.split_once("@sha256:").filter(|_| text::width(words) > width);
    let Some((mut name, digits)) = named.filter(|_| width > 2 * DIGITS) else {
        return line::fit(words, width);
    };
    let digest = format!("@{}…", digits.chars().take(DIGITS).collect::<String>());
    let room = width - text::width(&digest);
    let mut lead = "";
    while text::width(name) + lead.len() > room
        && let Some((_, rest)) = name.split_once('/')
    {
        (name, lead) = (rest, "…/");
    }
    let lead = if text::width(name) + 2 > room { "" } else { lead };
    format!("{lead}{}{digest}", line::fit(name, room - text::width(lead)))
}

fn cell(words: &str, width: usize, right: bool) -> String {
    let fitted = fit(words, width);
    if right {
        format!("{}{fitted}", " ".repeat(width.saturating_sub(text::width(&fitted))))
    } else {
        text::padded(&fitted, width)
    }
}

/// The cells of the first `count` columns, the last of them with the room of all that follow.
fn spread(shown: &[Option<u16>], count: usize) -> Vec<Option<u16>> {
    let mut widths = shown.to_vec();
    if let (Some(last), true) = (count.checked_sub(1), count < shown.len()) {
        let more: u16 = shown[count..].iter().flatten().map(|width| width + 2).sum();
        widths[last] = Some(shown[last].map_or(more.saturating_sub(2), |width| width + more));
    }
    widths
}

/// The cells of each column, two between them; nothing for those that are left out.
fn widths(columns: &[Column], room: u16) -> Vec<Option<u16>> {
    let shown: Vec<bool> = columns.iter().map(|column| room + 3 >= column.from).collect();
    let count = shown.iter().filter(|shown| **shown).count();
    let gaps = u16::try_from(count.saturating_sub(1) * 2).unwrap_or(u16::MAX);
    let both = || columns.iter().zip(&shown).filter(|(_, shown)| **shown).map(|(column, _)| column);
    let fixed: u16 = both().map(|column| column.width).sum();
    let sharing = u16::try_from(both().filter(|column| column.width == 0).count()).unwrap_or(1).max(1);
    let share = room.saturating_sub(fixed + gaps) / sharing;
    let width = |(column, shown): (&Column, &bool)| {
        shown.then_some(if column.width == 0 { share } else { column.width })
    };
    columns.iter().zip(&shown).map(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_with_its_digest_the_digest_is_cut_before_the_name() {
        let digest = "3a0af28302cc14c47".repeat(4);
        for (name, width, expected) in [
            ("library/redis", 36, "library/redis@3a0af28…"),
            ("127.0.0.1:39671/library/redis", 36, "…/library/redis@3a0af28…"),
            ("127.0.0.1:39671/library/nginx", 20, "…/nginx@3a0af28…"),
            ("127.0.0.1:39671/library/redis", 40, "127.0.0.1:39671/library/redis@3a0af28…"),
        ] {
            assert_eq!(fit(&format!("{name}@sha256:{digest}"), width), expected);
        }
        assert_eq!(fit("busybox@sha256:3a0af28", 36), "busybox@sha256:3a0af28");
    }
    use crate::config::theme::{Depth, Theme};

    const COLUMNS: &[Column] =
        &[Column::left("REFERENCE", 0), Column::left("PLATFORMS", 9).from(40), Column::right("SIZE", 6)];

    fn drawn(width: u16, rows: usize, names: &dyn Fn(usize) -> String) -> String {
        let look = Look { theme: Theme::built_in("mono").unwrap(), depth: Depth::None, unicode: true };
        let mut list = List::default();
        list.refresh(rows, |row| names(row).into());
        let area = Rect::new(0, 0, width, 4);
        let mut buffer = Buffer::empty(area);
        let row = |row: usize| Row {
            marked: row == 1,
            values: vec![Value::plain(names(row)), Value::plain("all"), Value::plain(format!("{row} B"))],
        };
        table(COLUMNS, &list, row, area, &look, &mut buffer);
        let lines = buffer.content.chunks(usize::from(width));
        lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
    }

    #[test]
    fn the_cursor_and_marks_are_signs_and_not_colours_alone() {
        let drawn = drawn(44, 2, &|row| format!("image{row}"));
        assert_eq!(
            drawn,
            [
                "   REFERENCE               PLATFORMS    SIZE",
                ">  image0                  all           0 B",
                " * image1                  all           1 B",
                "                                            ",
                ""
            ]
            .join("\n")
        );
    }

    #[test]
    fn long_and_hostile_names_are_cut_and_cleaned_without_moving_other_columns() {
        let drawn = drawn(30, 1, &|_| format!("\u{1b}[31m{}", "x".repeat(300)));
        let row = drawn.lines().nth(1).unwrap();
        assert_eq!(row.chars().count(), 30);
        assert!(row.ends_with("   0 B") && !row.contains('\u{1b}'), "{row}");
        assert!(!drawn.contains("PLATFORMS"));
    }
}
