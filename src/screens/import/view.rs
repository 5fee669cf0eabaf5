//! The import as it is drawn: where to or how it runs, what that comes to, and the images.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Import;
use super::plan::{outlook, targets};
use super::rows::{bytes, images};
use super::run::{outcome, phases};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::text;
use crate::tui::importing::Run;
use crate::tui::model::{JobState, Model};
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};

/// Rows that the images keep at least.
const IMAGES: u16 = 4;

/// The import that is shown: the one that runs, else the one that ended.
pub(super) fn shown(model: &Model) -> Option<&JobState> {
    let running = model.running().filter(|job| job.act == Act::Import);
    running.or_else(|| model.gap.import.run.as_ref().map(|run| &run.job))
}

/// The line above the footer.
pub(super) fn status(model: &Model) -> String {
    let import = &model.gap.import;
    let all = images(model).len();
    let marked = match import.picked.len() {
        0 => format!("all of {}; Space picks some", words::count(all, "image")),
        some => format!("{some} of {} marked", words::count(all, "image")),
    };
    match shown(model) {
        Some(job) if job.stopping && job.running() => "stopping at a safe point ...".to_owned(),
        Some(job) if job.running() => {
            let retries =
                if job.view.retries > 0 { format!("; retries: {}", job.view.retries) } else { String::new() };
            format!("importing{retries}; l shows the log")
        }
        Some(_) => "D plans anew; t chooses other targets".to_owned(),
        None => marked,
    }
}

/// Draws all of it.
pub(super) fn draw(screen: &Import, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width).saturating_sub(2);
    line::words(&head(model), look.style(Role::Title), line::row(area, 0), buffer);
    let mut at = 1;
    let outlook = match shown(model) {
        Some(job) => {
            let took = model.gap.import.run.as_ref().filter(|_| !job.running());
            let since = took.map_or_else(|| model.at.saturating_sub(job.began), |run: &Run| run.took);
            at += phases(job, since, look, line::below(area, at), buffer);
            outcome(job, model, columns)
        }
        None => {
            at += targets(model, look, line::below(area, at), buffer);
            outlook(model, columns)
        }
    };
    // The images keep a few rows, where there are some; the reason of a failure needs the rest.
    let least = if screen.lines.is_empty() { 0 } else { IMAGES };
    let most = usize::from(area.height.saturating_sub(at + least + 1));
    for (words, role) in outlook.iter().take(most) {
        line::words(&format!(" {words}"), look.style(*role), line::row(area, at), buffer);
        at += 1;
    }
    line::rule(line::row(area, at), look, buffer);
    table_of(screen, model, look, line::below(area, at + 1), buffer);
}

/// Draws the images.
fn table_of(screen: &Import, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    if screen.lines.is_empty() {
        return;
    }
    let noted = screen.lines.iter().any(|line| !line.note.is_empty());
    let title = if shown(model).is_some() { "STATE" } else { "PLAN" };
    let mut columns = vec![Column::left(title, 10), Column::left("IMAGE", 0), Column::right("SIZE", 8)];
    if noted {
        columns.push(Column::left("NOTE", area.width / 3));
    }
    let row = |row: usize| {
        let line = &screen.lines[row];
        let Some(image) = images(model).get(line.image) else {
            return Row { marked: false, values: Vec::new() };
        };
        let name = image.reference.to_string();
        let marked = model.gap.import.picked.contains(&name);
        let mut values = vec![
            Value::styled(line.state, line.role),
            Value::plain(name),
            Value::plain(text::bytes(bytes(image))),
        ];
        if noted {
            values.push(Value::styled(&line.note, line.role));
        }
        Row { marked, values }
    };
    table(&columns, &screen.list, row, area, look, buffer);
}

/// What is imported and from where.
fn head(model: &Model) -> String {
    let gap = &model.gap;
    let path = gap.chosen.as_deref().map_or_else(String::new, |path| path.display().to_string());
    match gap.said() {
        Some(said) => {
            let report = &said.report;
            let (count, size) =
                (words::count(report.totals.images as usize, "image"), text::bytes(report.totals.bytes));
            format!(" {}-{}  {count}  {size}  from {path}", report.name, report.serial)
        }
        None if path.is_empty() => " No bundle is chosen".to_owned(),
        None => format!(" {path}"),
    }
}
