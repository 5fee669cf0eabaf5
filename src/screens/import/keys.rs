//! The keys of the import: which matter most as it stands, why one does nothing, and what a retry would do.

use super::asking::planning;
use super::plan::nothing_can_be;
use super::rows::Line;
use super::undo;
use super::view::{shown, undoing};
use crate::actions::Act;
use crate::engine::spec::{ImportJob, JobSpec};
use crate::tui::importing::Plan;
use crate::tui::model::{JobState, Model};
use crate::tui::msg::Ended;

/// The keys that matter most now.
pub(super) fn footer(model: &Model) -> Vec<Act> {
    match undoing(model).or_else(|| shown(model)) {
        Some(job) if job.running() => {
            vec![Act::ImportDetails, Act::Pause, Act::Stop, Act::Logs, Act::Back]
        }
        Some(JobState { ended: Some(Ended::Succeeded(_)), .. }) => {
            let failed = again(model).is_ok();
            let first = if failed { Act::Retry } else { Act::ImportNext };
            let second = if failed { Act::ImportNext } else { Act::ImportPlan };
            let import = &model.gap.import;
            let undo = import.noted.first().is_some_and(|run| run.changed_something() && import.is_of(run));
            vec![
                first,
                second,
                Act::ImportDetails,
                if undo { Act::ImportUndo } else { Act::ImportTargets },
                Act::Back,
            ]
        }
        Some(_) => vec![Act::Import, Act::Retry, Act::ImportPlan, Act::ImportTargets, Act::Back],
        None if model.gap.import.marked.is_empty() => {
            vec![Act::ImportTargets, Act::ImportOther, Act::ImportScan, Act::ImportDetails, Act::Back]
        }
        // One target in the way of others is taken away first; what the others lack is none of their business.
        None if model.gap.import.plan.as_ref().is_some_and(one_in_the_way) => {
            vec![Act::ImportTargets, Act::ImportPlan, Act::ImportOther, Act::ImportDetails, Act::Back]
        }
        None if model.gap.import.planned().is_some_and(|plan| nothing_can_be(plan, model)) => {
            vec![Act::ImportDetails, Act::ImportPlan, Act::ImportTargets, Act::ImportOther, Act::Back]
        }
        None if model.gap.import.plan.as_ref().is_some_and(|plan| plan.outcome.is_err()) => {
            vec![Act::ImportPlan, Act::ImportTargets, Act::ImportOther, Act::ImportDetails, Act::Back]
        }
        None if planning(model).is_some() => {
            vec![Act::Stop, Act::ImportTargets, Act::ImportOther, Act::Logs, Act::Back]
        }
        None => vec![Act::Import, Act::ImportTargets, Act::ImportOther, Act::Mark, Act::ImportEdit],
    }
}

/// Whether a plan cannot be made because of some of its targets, and not of all.
pub(super) fn one_in_the_way(plan: &Plan) -> bool {
    plan.outcome.is_err() && plan.others().next().is_some() && plan.others().count() < plan.foreseen.len()
}

/// Why a key would do nothing now, with the line that the cursor is on.
pub(super) fn why_not(act: Act, line: Option<&Line>, model: &Model) -> Option<String> {
    let busy = || model.why_busy();
    let planning = || model.running().is_some_and(|job| job.act == Act::ImportPlan);
    match act {
        Act::Import | Act::ImportPlan if planning() => Some("planning is still running".to_owned()),
        Act::Import if model.gap.import.run.is_some() => busy(),
        Act::Import | Act::ImportPlan => busy().or_else(|| model.not_importable()),
        Act::ImportTargets | Act::ImportOther | Act::ImportEdit | Act::Mark | Act::MarkAll | Act::Invert => {
            busy()
        }
        Act::ImportNamespace if model.gap.import.namespace().is_none() => {
            Some(format!("no containerd is among the targets; {} shows them", model.key(Act::ImportTargets)))
        }
        Act::ImportNamespace => busy(),
        Act::ImportUndo => undo::why_not(model),
        Act::ImportDetails if line.is_none() => Some("no image is listed".to_owned()),
        Act::ImportNext if model.gap.checked.is_none() => {
            Some("nothing was verified or imported yet".to_owned())
        }
        Act::Retry => again(model).err(),
        _ => None,
    }
}

/// What is worth doing again of the last run, and why not otherwise.
pub(super) fn again(model: &Model) -> Result<ImportJob, String> {
    let nothing = || format!("nothing was imported yet; {} does it", model.key(Act::Import));
    let run = model.gap.import.run.as_ref().ok_or_else(nothing)?;
    let JobSpec::Import(job) = &run.job.spec else { return Err(nothing()) };
    let mut job = job.clone();
    if let Some(reason) = model.not_importable() {
        return Err(reason);
    }
    if run.report().is_some() {
        job.import.only = run.failed();
        if job.import.only.is_empty() {
            return Err("nothing failed".to_owned());
        }
    }
    Ok(job)
}
