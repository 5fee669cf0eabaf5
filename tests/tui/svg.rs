//! A frame as an SVG image: the letters of its cells as text of fixed widths, so that it looks alike with any monospace font.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// Of a cell, and from a line's top to where its letters stand.
const WIDTH: usize = 9;
const HEIGHT: usize = 19;
const BASE: usize = 14;
/// Around the screen.
const MARGIN: usize = 14;
const BACKGROUND: &str = "#11151c";
const TEXT: &str = "#d3d9e3";

/// The image; `title` is for those who do not see it.
pub(crate) fn svg(title: &str, buffer: &Buffer) -> String {
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\" fill=\"{TEXT}\" font-size=\"15\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\">",
        escaped(title)
    );
    for (row, cells) in buffer.content.chunks(columns).enumerate() {
        for run in runs(cells) {
            run.draw(row * HEIGHT, &mut svg);
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Neighbours that look alike.
struct Run {
    column: usize,
    /// In cells.
    width: usize,
    text: String,
    look: Look,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    fg: &'static str,
    bg: &'static str,
    bold: bool,
    underline: bool,
}

fn runs(cells: &[Cell]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    while let Some(cell) = cells.get(column) {
        // The cell after a wide letter belongs to that letter.
        let width = cell.symbol().width().max(1);
        let look = look(cell);
        match runs.last_mut().filter(|run| run.look == look) {
            Some(run) => {
                run.width += width;
                run.text += cell.symbol();
            }
            None => runs.push(Run { column, width, text: cell.symbol().to_owned(), look }),
        }
        column += width;
    }
    runs
}

fn look(cell: &Cell) -> Look {
    let has = |modifier| cell.modifier.contains(modifier);
    let (mut fg, mut bg) = (colour(cell.fg, TEXT), colour(cell.bg, BACKGROUND));
    if has(Modifier::DIM) {
        fg = "#8b94a5";
    }
    if has(Modifier::REVERSED) {
        (fg, bg) = (bg, fg);
    }
    Look { fg, bg, bold: has(Modifier::BOLD), underline: has(Modifier::UNDERLINED) }
}

/// What a terminal might show for its sixteen colours.
const fn colour(color: Color, own: &'static str) -> &'static str {
    match color {
        Color::Black => "#1d222c",
        Color::Red => "#f0717a",
        Color::Green => "#8ccf7e",
        Color::Yellow => "#e5c76b",
        Color::Blue => "#67b0e8",
        Color::Magenta => "#c47fd5",
        Color::Cyan => "#6cd0ca",
        Color::Gray => "#b9c0cc",
        Color::DarkGray => "#5c6473",
        Color::LightRed => "#ff8f97",
        Color::LightGreen => "#a6e398",
        Color::LightYellow => "#f5dd8a",
        Color::LightBlue => "#8ac6f5",
        Color::LightMagenta => "#dc9dea",
        Color::LightCyan => "#8eeae4",
        Color::White => "#f4f6fa",
        _ => own,
    }
}

impl Run {
    fn draw(&self, top: usize, svg: &mut String) {
        let (left, width) = (self.column * WIDTH, self.width * WIDTH);
        if self.look.bg != BACKGROUND {
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{}\"/>",
                self.look.bg
            );
        }
        if self.look.underline {
            let _ =
                writeln!(svg, "<path d=\"M{left} {}h{width}\" stroke=\"{}\"/>", top + BASE + 3, self.look.fg);
        }
        for (column, piece) in pieces(&self.text) {
            self.piece(left + column * WIDTH, top, piece, svg);
        }
    }

    fn piece(&self, left: usize, top: usize, piece: &str, svg: &mut String) {
        let Look { fg, bold, .. } = self.look;
        let (cells, first) = (piece.width(), piece.chars().next().unwrap_or(' '));
        if let Some(lines) = lines(first) {
            let middle = top + HEIGHT / 2;
            let path: String = match lines {
                "-" => format!("M{left} {middle}h{}", cells * WIDTH),
                lines => lines.chars().map(|end| half(end, left, top)).collect(),
            };
            let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{fg}\"/>");
        } else if matches!(first, '█' | '░') {
            let (y, height) = (top + 3, HEIGHT - 6);
            let faint = if first == '░' { " opacity=\".25\"" } else { "" };
            let width = cells * WIDTH;
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fg}\"{faint}/>"
            );
        } else {
            let fill = if fg == TEXT { String::new() } else { format!(" fill=\"{fg}\"") };
            let weight = if bold { " font-weight=\"bold\"" } else { "" };
            let _ = writeln!(
                svg,
                "<text x=\"{left}\" y=\"{}\" textLength=\"{}\"{fill}{weight}>{}</text>",
                top + BASE,
                cells * WIDTH,
                escaped(piece)
            );
        }
    }
}

/// Where the lines of a box go from the middle of their cell.
const fn lines(c: char) -> Option<&'static str> {
    Some(match c {
        '─' => "-",
        '│' => "ud",
        '┌' => "rd",
        '┐' => "ld",
        '└' => "ru",
        '┘' => "lu",
        '├' => "rud",
        '┤' => "lud",
        _ => return None,
    })
}

fn half(end: char, left: usize, top: usize) -> String {
    let (x, y) = (left + WIDTH / 2, top + HEIGHT / 2);
    match end {
        'l' => format!("M{x} {y}H{left}"),
        'r' => format!("M{x} {y}H{}", left + WIDTH),
        'u' => format!("M{x} {y}V{top}"),
        _ => format!("M{x} {y}V{}", top + HEIGHT),
    }
}

/// What is drawn as one: a line or block of one character, or words that single blanks divide; with the cell it begins in.
fn pieces(text: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let (mut rest, mut column) = (text, 0);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ' ' => rest.find(|c| c != ' ').unwrap_or(rest.len()),
            '─' | '█' | '░' => rest.find(|c| c != first).unwrap_or(rest.len()),
            c if lines(c).is_some() => c.len_utf8(),
            _ => {
                let drawn = |c| lines(c).is_some() || matches!(c, '█' | '░');
                let ends = [rest.find("  "), rest.find(drawn), Some(rest.trim_end().len())];
                ends.into_iter().flatten().min().unwrap_or(rest.len())
            }
        };
        let (piece, after) = rest.split_at(length);
        // A blank before a line belongs to nothing.
        let shown = piece.trim_end();
        if !shown.is_empty() {
            pieces.push((column, shown));
        }
        column += piece.width();
        rest = after;
    }
    pieces
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn words_lines_and_blocks_are_drawn_each_where_they_stand() {
        assert_eq!(
            pieces(" a b  c│──█░ "),
            [(1, "a b"), (6, "c"), (7, "│"), (8, "──"), (10, "█"), (11, "░")]
        );
        assert_eq!(pieces("漢字  x"), [(0, "漢字"), (6, "x")]);
    }

    #[test]
    fn looks_and_hostile_letters_of_xml_come_through() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "<a&b>", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        buffer.set_string(6, 0, "ok", Style::new().add_modifier(Modifier::REVERSED));
        let svg = svg("A & B", &buffer);
        assert!(svg.contains("<title>A &amp; B</title>"), "{svg}");
        assert!(
            svg.contains("textLength=\"45\" fill=\"#f0717a\" font-weight=\"bold\">&lt;a&amp;b&gt;<"),
            "{svg}"
        );
        assert!(
            svg.contains(&format!("<rect x=\"54\" y=\"0\" width=\"18\" height=\"19\" fill=\"{TEXT}\"/>"))
        );
    }
}
