//! Taking back what the runs changed in runtimes: the question, the job over what was kept of it, and its end.

use crate::actions::Act;
use crate::dialogs::{Confirm, Page};
use crate::engine::import::undo::UndoSpec;
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::model::Place;
use crate::tui::msg::{Effect, Ended};
use crate::tui::screen::Cx;
use crate::tui::words;
use crate::widgets::stepper::StepState;

/// Asks whether to take back what was changed.
pub(super) fn ask(cx: &mut Cx<'_>) {
    let Some(report) = cx.model.gap.import.done.as_ref().map(|done| &done.report) else { return };
    let mut lines = Vec::new();
    for target in report.targets.iter().filter(|target| !target.changes.is_empty()) {
        let back = target.changes.iter().filter(|change| change.was.is_some()).count();
        let gone = target.changes.len() - back;
        let back = if back > 0 { format!("; to point back: {back}") } else { String::new() };
        lines.push(format!("{}: names to remove: {gone}{back}.", target.target));
    }
    for target in report.targets.iter().filter(|target| !target.files.is_empty()) {
        lines.push(format!("{}: files to put back: {}; its images stay.", target.target, target.files.len()));
    }
    lines.push(
        "What was there before stays, as does what was changed since. The runtime removes what no name holds; a \
         pod that runs keeps its image."
            .to_owned(),
    );
    lines.push("Registries, layouts and archives keep what was added to them.".to_owned());
    cx.open(Confirm::new(Act::ImportUndo, "Take back what was imported?", lines, "Take it back"));
}

/// Takes it back.
pub(super) fn start(cx: &mut Cx<'_>) {
    let settings = &cx.model.settings;
    let (file, state) = (Some(settings.changes_file()), settings.places().state);
    let spec = UndoSpec { file, state, list: false, dry_run: false };
    cx.start(Act::ImportUndo, JobSpec::Undo(spec));
}

/// Keeps what was changed, so that it can be taken back, also once this program was left.
pub(super) fn keep(cx: &mut Cx<'_>) {
    let import = &cx.model.gap.import;
    let Some(done) = import.done.as_ref().filter(|_| import.changes() > 0) else { return };
    if let Ok(text) = serde_json::to_string(&done.report) {
        let file = cx.model.settings.changes_file();
        cx.effect(Effect::Save(file, text));
    }
}

/// It was taken back, or not; whether it was.
pub(super) fn ended(cx: &mut Cx<'_>) -> bool {
    let ended = cx.model.job_of(Act::ImportUndo).and_then(|job| job.ended.clone());
    match ended {
        Some(Ended::Succeeded(report)) => {
            if let JobReport::Undo(report) = &*report {
                cx.model.gap.import.undone();
                cx.model.set_state(Place::Import, StepState::Todo);
                cx.model.changed(Place::Import);
                let lines = report.lines();
                cx.open(Page::plain("Taken back", lines.clone()).copying(lines.join("\n")));
                return true;
            }
        }
        Some(Ended::Failed(failure)) => cx.open(words::failure_page("That was not taken back", &failure)),
        _ => {}
    }
    false
}
