//! All that is known of one image of an import: into each target, and what the whole import has to say.

use super::plan::{Lines, changed, warnings};
use super::rows::{answers, bytes, in_targets, look, reason};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::domain::bundle::Image;
use crate::domain::text;
use crate::engine::import::proof::NameProof;
use crate::engine::import::report::Outcome;
use crate::failure::Failure;
use crate::tui::hints::on;
use crate::tui::model::Model;
use crate::tui::msg::Ended;
use crate::tui::words;

/// All that is known of an image; `c` copies its digest.
pub(super) fn page(image: &Image, model: &Model) -> Page {
    let import = &model.gap.import;
    let mut lines: Vec<(String, Role)> = vec![(image.reference.to_string(), Role::Title)];
    lines.extend(words::grouped(&image.digest).into_iter().map(|row| (row, Role::Text)));
    let platforms: Vec<String> = image.platforms.iter().map(|one| one.platform().to_string()).collect();
    lines.push((format!("{}  {}", text::bytes(bytes(image)), platforms.join(" ")), Role::Text));
    let report = import.run.as_ref().and_then(|run| run.report()).or_else(|| import.planned());
    let Some(report) = report else {
        lines.push((String::new(), Role::Text));
        match broken(model) {
            Some(failure) => lines.extend(words::failure_on("Import", failure, &model.keymap)),
            None => {
                let plan = model.key(Act::ImportPlan);
                let words = format!("What would become of it is not worked out yet; {plan} does that.");
                lines.push((words, Role::Dim));
            }
        }
        return Page::new("Image", lines).copying(image.digest.to_string());
    };
    for (target, there) in in_targets(report, image) {
        let (_, word, role) = look(&there.outcome, report.dry_run);
        lines.push((String::new(), Role::Text));
        lines.push((format!("into {}", target.target), Role::Title));
        lines.push((format!("{word}  {}", there.name.as_deref().unwrap_or("without a name")), role));
        lines.extend(reason(&there.outcome).map(|reason| (reason, Role::Text)));
        if let Outcome::Failed { hints, .. } = &there.outcome {
            let next = hints.iter().map(|hint| on("Import", hint, &model.keymap));
            lines.extend(next.map(|hint| (format!("next: {hint}"), Role::Text)));
        }
        lines.extend(answers(target, there).map(answer));
        lines.extend(there.notes.iter().map(|note| (format!("! {note}"), Role::Warn)));
    }
    if report.dry_run {
        lines.extend(of_all(model));
    }
    Page::new("Image", lines).copying(image.digest.to_string())
}

/// What a plan has to say of all its images: what to mind, and the files of the node that it changes.
fn of_all(model: &Model) -> Lines {
    let warnings = warnings(model).into_iter().map(|warning| (format!("! {warning}"), Role::Warn));
    let targets = model.gap.import.planned().into_iter().flat_map(|plan| &plan.targets);
    let files = targets.flat_map(|target| &target.files).flat_map(changed).map(|words| (words, Role::Text));
    let all: Lines = warnings.chain(files).collect();
    let heading = [(String::new(), Role::Text), ("The whole import".to_owned(), Role::Title)];
    heading.into_iter().filter(|_| !all.is_empty()).chain(all.clone()).collect()
}

/// Why there is no run and no plan to speak of.
fn broken(model: &Model) -> Option<&Failure> {
    let import = &model.gap.import;
    match (&import.run, &import.plan) {
        (Some(run), _) => match &run.job.ended {
            Some(Ended::Failed(failure)) => Some(failure),
            _ => None,
        },
        (None, plan) => plan.as_ref()?.outcome.as_ref().err(),
    }
}

/// What a runtime answered for a name.
fn answer(name: &NameProof) -> (String, Role) {
    match &name.problem {
        Some(problem) => (format!("x CRI: {}: {problem}", name.name), Role::Fail),
        None => {
            let pinned = if name.pinned { "pinned" } else { "not pinned" };
            let platform = name.platform.as_deref().unwrap_or_default();
            (format!("+ CRI: {}  {pinned}  {platform}", name.name), Role::Ok)
        }
    }
}
