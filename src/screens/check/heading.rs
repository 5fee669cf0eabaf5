//! What stands above the checks: the bundle, how its verification goes, and the keys that are not trusted.

use ratatui::layout::Rect;

use super::{pin, rows};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::text;
use crate::tui::model::Model;
use crate::widgets::foot::{self, Said};
use crate::widgets::line::wrap;

/// Rows of the list where there is little room: the names of its columns, a check, and how many more there are.
const LEAST: usize = 3;

/// What stands above a list of so many checks, and the row of it that is below the title.
pub(super) fn heading(model: &Model, checks: usize, area: Rect) -> (u16, Vec<Said>) {
    let (title, said) = words(model);
    // What is said of a bundle has all the rows it takes; its path those that the checks do not need.
    let columns = usize::from(area.width.saturating_sub(2));
    let fold = |(words, role): &Said| {
        let (pieces, role) = (wrap(words, columns).into_iter(), *role);
        pieces.map(move |piece| (format!(" {piece}"), role)).collect::<Vec<_>>()
    };
    let said: Vec<Said> = said.iter().flat_map(fold).collect();
    let title = foot::title(title, said.len() + checks + 1, area);
    let under = u16::try_from(title.len()).unwrap_or(u16::MAX);
    let mut said: Vec<Said> = title.into_iter().chain(said).collect();
    if usize::from(area.height) < said.len() + LEAST {
        said.pop_if(|(words, _)| words.trim().is_empty());
    }
    (under, said)
}

/// The bundle; how it goes, and the keys that are not trusted.
fn words(model: &Model) -> (String, Vec<Said>) {
    let gap = &model.gap;
    let path = gap.chosen.as_deref().map_or_else(String::new, |path| path.display().to_string());
    let title = match gap.said_last() {
        Some(said) => {
            let report = &said.report;
            let content = text::content(report.totals.images, report.totals.blobs, None);
            let size = text::bytes(report.totals.bytes);
            // What is asked of it stays said.
            let strict = if gap.deep && !gap.lacks_strict() { "  strict" } else { "" };
            format!("{}-{}  {content}  {size}{strict}  {path}", report.name, report.serial)
        }
        None => path,
    };
    let mut lines = Vec::new();
    if model.at_work(Act::Verify).is_some() {
        // The row of the phase stands there.
        lines.push((String::new(), Role::Text));
    } else if let Some(checked) = &gap.checked {
        let mut verdict = rows::verdict(checked, &model.keymap);
        if gap.lacks_strict() && model.running().is_none() {
            verdict.push((format!("! {}", model.not_strict()), Role::Warn));
        }
        let keys = if checked.lacks_trust() { pin::words(model) } else { Vec::new() };
        if !keys.is_empty() {
            // Which keys signed stays in sight, and they say what is next.
            verdict.truncate(1);
        }
        lines.extend(verdict);
        lines.extend(keys.into_iter().map(|words| (words, Role::Warn)));
    } else {
        lines.extend(pin::words(model).into_iter().map(|words| (words, Role::Warn)));
    }
    if gap.is_gone() {
        let words =
            "! It is not there any more: put its medium in again before anything else is done with it.";
        lines.push((words.to_owned(), Role::Warn));
    }
    lines.push((String::new(), Role::Text));
    (title, lines)
}
