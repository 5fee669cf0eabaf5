//! Tables for terminals: pure text, aligned by the columns that characters take.

use super::printer::Align;
use crate::domain::text;

/// Narrowest a cut column gets.
const NARROW: usize = 12;

/// Renders rows under a header. With `columns`, the widest columns are cut until a line fits.
pub fn render(header: &[(&str, Align)], rows: &[Vec<String>], columns: Option<usize>) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| text::shown(cell).into_owned()).collect()).collect();
    let mut widths: Vec<usize> = header.iter().map(|(title, _)| text::width(title)).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(text::width(cell));
        }
    }
    if let Some(columns) = columns {
        shrink(&mut widths, columns);
    }
    let titles: Vec<String> = header.iter().map(|(title, _)| (*title).to_owned()).collect();
    std::iter::once(&titles).chain(&rows).map(|row| line(header, &widths, row)).collect()
}

fn shrink(widths: &mut [usize], columns: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > columns {
        let Some(widest) = widths.iter_mut().max() else { return };
        if *widest <= NARROW {
            return;
        }
        *widest -= 1;
    }
}

fn line(header: &[(&str, Align)], widths: &[usize], row: &[String]) -> String {
    let cells: Vec<String> = header
        .iter()
        .zip(widths)
        .zip(row)
        .map(|(((_, align), width), cell)| {
            let cell = text::cut(cell, *width);
            match align {
                Align::Left => text::padded(&cell, *width),
                Align::Right => format!("{}{cell}", " ".repeat(width.saturating_sub(text::width(&cell)))),
            }
        })
        .collect();
    format!("{}\n", cells.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[(&str, Align)] = &[("NAME", Align::Left), ("SIZE", Align::Right)];

    #[test]
    fn columns_line_up_and_hostile_cells_are_escaped() {
        let rows =
            [vec!["nginx".to_owned(), "9 B".to_owned()], vec!["漢\u{1b}[2J".to_owned(), "10 MB".to_owned()]];
        assert_eq!(
            render(HEADER, &rows, None),
            "NAME          SIZE\nnginx          9 B\n漢\\u{1b}[2J  10 MB\n"
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column_only() {
        let rows = [vec!["registry.example/team/application:1.2.3".to_owned(), "10 MB".to_owned()]];
        let table = render(HEADER, &rows, Some(30));
        assert_eq!(table.lines().last(), Some("registry.ex…ation:1.2.3  10 MB"));
        assert!(table.lines().all(|line| text::width(line) <= 30));
    }
}
