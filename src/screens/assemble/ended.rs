//! How a pack ended, in words: why it failed and what helps, or what was made.

use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::bundle::directory;
use crate::engine::error::Kind;
use crate::engine::spec::JobReport;
use crate::failure::Failure;
use crate::tui::hints;
use crate::tui::medium::Chosen;
use crate::tui::model::Model;
use crate::tui::words;

/// Why it failed and what is next; where its medium was taken away meanwhile, that is the reason. One that was taken
/// away after a failure of another kind is no reason for that, and is wanted as well. What goes on stands above the rest
/// of what is next: there may be no room for all of it.
pub(super) fn failed(
    failure: &Failure,
    (signing, goes_on): (bool, bool),
    model: &Model,
) -> Vec<(String, Role)> {
    let keymap = &model.keymap;
    let mut lines = words::not_packed(failure, model);
    lines.retain(|(words, _)| !words.is_empty());
    let again = "existing files are hashed, the rest is fetched";
    let retry = keymap.says(Act::Retry);
    let lost = match &model.chosen {
        Some(Chosen { gone: Some(gone), path, .. }) => vec![
            match signing {
                false => (format!("! {gone}: the written files are on it, nothing was signed"), Role::Fail),
                true => (format!("! {gone} while it was signed: whether it is, going on tells"), Role::Fail),
            },
            (
                format!(
                    "next: plug it in, then {retry} resumes: {again}; it has to be at {} again",
                    path.display()
                ),
                Role::Text,
            ),
        ],
        Some(chosen @ Chosen { back: true, .. }) => vec![
            (format!("+ {} is back at {}", chosen.words(), chosen.path.display()), Role::Ok),
            (format!("next: {retry} resumes: {again}"), Role::Text),
        ],
        _ => {
            let does = if goes_on { "resumes" } else { "does the same again" };
            lines.insert(1, (format!("{retry} {does}: {again}"), Role::Text));
            return lines;
        }
    };
    if failure.kind == Kind::Medium {
        // What helps is said once: the advice of the failure knows nothing of this.
        lines.retain(|(words, _)| !words.starts_with("next: "));
        return lost.into_iter().chain(lines).collect();
    }
    lines.splice(1..1, lost);
    lines
}

/// What was made, or what it lacks.
pub(super) fn succeeded(report: &JobReport, keymap: &Keymap) -> Vec<(String, Role)> {
    let mut lines = match report {
        JobReport::Pack(packed) => {
            let bundle = &packed.bundle;
            let read = if bundle.read_back.is_some() { ", read back" } else { ", NOT read back" };
            vec![(
                format!(
                    "+ OK  {} is complete on the medium{read} and signed",
                    directory(&bundle.name, bundle.serial)
                ),
                if bundle.read_back.is_some() { Role::Ok } else { Role::Warn },
            )]
        }
        _ => Vec::new(),
    };
    if let Some(verdict) = report.verdict() {
        lines = vec![(format!("! WARN  {verdict}"), Role::Warn)];
        lines.extend(
            verdict
                .hints
                .iter()
                .map(|hint| (format!("next: {}", hints::on("Assemble", hint, keymap)), Role::Text)),
        );
    }
    lines.push((format!("{} shows the report", keymap.says(Act::AssembleNext)), Role::Text));
    lines
}
