//! A plan while it is worked out: what is asked, which try comes when, and the key that stops it.

use super::plan::Lines;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::tui::model::{JobState, Model};

/// The plan that is being worked out.
pub(super) fn planning(model: &Model) -> Option<(&JobState, &Model)> {
    let job = model.running().filter(|job| job.act == Act::ImportPlan)?;
    Some((job, model))
}

/// What it does; where a target does not answer, which try comes when.
pub(super) fn asking((job, model): (&JobState, &Model)) -> Lines {
    let stop = model.key(Act::Stop);
    let words = match job.stopping {
        true => "the plan is being stopped; nothing was written".to_owned(),
        false => format!("working out the plan: asking the targets; nothing is written; {stop} stops it ..."),
    };
    let trying = job.view.trying.as_ref().filter(|_| !job.stopping);
    let trying = trying.map(|trying| trying.line(model.at.saturating_sub(job.began)));
    std::iter::once((words, Role::Dim))
        .chain(trying.map(|words| (format!("! {words}"), Role::Warn)))
        .collect()
}
