//! The import as it is drawn: where to or how it runs, what that comes to, and the images.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::aims::targets;
use super::plan::{Lines, outlook};
use super::rows::images;
use super::run::{outcome, phases, taking_back};
use super::{Import, list};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::text;
use crate::tui::importing::Run;
use crate::tui::model::{JobState, Model};
use crate::tui::msg::Ended;
use crate::tui::words;
use crate::widgets::foot;
use crate::widgets::line;
use crate::widgets::look::Look;

/// Rows that the images keep at least, the heading and the words on the one under the cursor among them.
const IMAGES: u16 = 5;
/// The same where the screen has fewer rows than this.
const FEW: u16 = 3;
const SMALL: u16 = 14;
/// Rows that targets or phases take at most.
const ABOVE: usize = 7;

/// The import that is shown: the one that runs, else the one that ended.
pub(super) fn shown(model: &Model) -> Option<&JobState> {
    let running = model.at_work(Act::Import);
    running.or_else(|| model.gap.import.run.as_ref().map(|run| &run.job))
}

/// What was imported is being taken back.
pub(super) fn undoing(model: &Model) -> Option<&JobState> {
    model.running().filter(|job| job.act == Act::ImportUndo)
}

/// The line above the footer.
pub(super) fn status(model: &Model) -> String {
    let import = &model.gap.import;
    let all = images(model).len();
    let marked = match import.picked.len() {
        0 => format!("all of {}; {} picks some", words::count(all, "image"), model.key(Act::Mark)),
        some => format!("{some} of {} marked", words::count(all, "image")),
    };
    match undoing(model).or_else(|| shown(model)) {
        Some(job) if job.stopping && job.running() => "stopping at a safe point ...".to_owned(),
        Some(job) if job.running() && job.paused => {
            format!("paused; {} goes on, {} shows the log", model.key(Act::Pause), model.key(Act::Logs))
        }
        Some(job) if job.running() && job.act == Act::ImportUndo => {
            format!("undoing; {} shows the log", model.key(Act::Logs))
        }
        Some(job) if job.running() => {
            let retries =
                if job.view.retries > 0 { format!("; retries: {}", job.view.retries) } else { String::new() };
            format!("importing{retries}; {} shows the log", model.key(Act::Logs))
        }
        Some(_) => {
            let [plan, targets] = [Act::ImportPlan, Act::ImportTargets].map(|act| model.key(act));
            format!("{plan} plans again; {targets} chooses other targets")
        }
        None => marked,
    }
}

/// Draws all of it.
pub(super) fn draw(screen: &Import, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width).saturating_sub(2);
    let few = area.height < SMALL;
    let outlook = match (undoing(model), shown(model)) {
        (Some(undo), _) => taking_back(undo, model, columns),
        (None, Some(job)) => outcome(job, model, columns),
        (None, None) => outlook(model, columns),
    };
    let below = ABOVE + outlook.len() + list::rows(&screen.lines);
    let title = foot::title(head(model), below, area);
    foot::draw(&title, look, area, buffer);
    let mut at = u16::try_from(title.len()).unwrap_or(u16::MAX);
    match (undoing(model), shown(model)) {
        (Some(_), _) => {}
        (None, Some(job)) => {
            let took = model.gap.import.run.as_ref().filter(|_| !job.running());
            let since = took.map_or_else(|| model.at.saturating_sub(job.began), |run: &Run| run.took);
            // Once it has ended, how it did needs the rows more.
            if job.running() || !few {
                at += phases(job, since, look, line::below(area, at), buffer);
            }
        }
        (None, None) => at += targets(model, look, (line::below(area, at), few), buffer),
    }
    // The images keep a few rows, where there are some; the reason of a failure needs the rest.
    let least = match screen.lines.is_empty() {
        true => 0,
        false if few => FEW,
        false => IMAGES,
    };
    let most = usize::from(area.height.saturating_sub(at + least + 1));
    let shown = if outlook.len() > most { whole_ones(&outlook, most.saturating_sub(1)) } else { most };
    for (words, role) in outlook.iter().take(shown) {
        line::words(&format!(" {words}"), look.style(*role), line::row(area, at), buffer);
        at += 1;
    }
    if outlook.len() > most && most > 0 {
        let more = outlook.len() - shown;
        let more = if more == 1 { "1 more line".to_owned() } else { format!("{more} more lines") };
        let words = format!(" {more}; {}", whole(model));
        line::words(&words, look.style(Role::Dim), line::row(area, at), buffer);
        at += 1;
    }
    list::draw((&screen.list, &screen.lines), model, look, line::below(area, at), buffer);
}

/// How many lines to show where there is room for `most` and not for all: none ends in the middle of what it says, unless
/// that is the first.
fn whole_ones(lines: &Lines, most: usize) -> usize {
    // What goes on is set in.
    let begins = |at: &usize| lines.get(*at).is_none_or(|(words, _)| !words.starts_with("  "));
    (1..=most).rev().find(begins).unwrap_or(most)
}

/// Where all of it can be read that there was no room for.
fn whole(model: &Model) -> String {
    match shown(model).and_then(|job| job.ended.as_ref()) {
        Some(Ended::Succeeded(_)) => format!("{} shows the report", model.key(Act::ImportNext)),
        None if model.gap.import.planned().is_some() => format!("{} shows them all", model.key(Act::Import)),
        _ => format!("{} shows them all", model.key(Act::ImportDetails)),
    }
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
            format!("{}-{}  {count}  {size}  from {path}", report.name, report.serial)
        }
        None if path.is_empty() => "No bundle is chosen".to_owned(),
        None => path,
    }
}
