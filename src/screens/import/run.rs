//! An import that runs or ended: a row for each phase, and how it ended with what helps.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::plan::{Lines, folded};
use super::rows::{Counts, images};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::bundle::Image;
use crate::domain::import::Target;
use crate::domain::progress::{Landed, Phase};
use crate::domain::text;
use crate::engine::import::proof::Proof;
use crate::engine::import::report::ImportReport;
use crate::tui::hints::on;
use crate::tui::model::{JobState, Model};
use crate::tui::msg::Ended;
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::look::Look;
use crate::widgets::phases::{PhaseRow, Standing, awaited, phase};

/// The phases, and what is said of each before it begins; those with nothing to say are shown once they have begun.
const PHASES: [(Phase, &str, &str); 4] = [
    (Phase::Verify, "verify", "signatures, clock and history come first"),
    (Phase::Import, "import", "waits: nothing is written before the plan of every target is known"),
    (Phase::Unpack, "unpack", ""),
    (Phase::Prove, "prove", ""),
];

const fn standing(job: &JobState) -> Standing {
    match &job.ended {
        None => Standing::Running,
        Some(Ended::Succeeded(_)) => Standing::Done,
        Some(Ended::Failed(_)) => Standing::Failed,
        Some(Ended::Cancelled) => Standing::Stopped,
    }
}

/// Draws the phases; how many rows they take.
pub(super) fn phases(job: &JobState, at: Duration, look: &Look, area: Rect, buffer: &mut Buffer) -> u16 {
    let mut used = 0;
    for (wanted, name, before) in PHASES {
        let view = job.view.phases.iter().rev().find(|view| view.phase == wanted);
        if view.is_none() && before.is_empty() {
            continue;
        }
        // What a run that broke off did not come to, the images below say.
        let cut = view.filter(|_| !job.running()).map(|view| {
            let mut view = view.clone();
            view.items = 0;
            // What a failure ended was not done, whatever was said last.
            let well = matches!(job.ended, Some(Ended::Succeeded(_)));
            view.finished &= well || wanted == Phase::Verify || view.left() == 0;
            view
        });
        let view = cut.as_ref().or(view);
        let before = if job.running() { before } else { "not started" };
        let row = PhaseRow { name, view, before, at, standing: standing(job), awaits: None };
        phase(&row, line::row(area, used), look, buffer);
        used += 1;
    }
    used
}

/// How it ended, what that means and what is next; while it runs, what it waits for.
pub(super) fn outcome(job: &JobState, model: &Model, columns: usize) -> Lines {
    let warn = |words: &str| vec![(words.to_owned(), Role::Warn)];
    let lines = match &job.ended {
        None if job.stopping => warn("! stopping at the next safe point; images that are complete stay"),
        None if job.paused => warn(&format!("! paused; {} goes on", model.key(Act::Pause))),
        None => {
            let at = model.at.saturating_sub(job.began);
            // The lines have two cells less than the rows.
            let width = u16::try_from(columns + 2).unwrap_or(u16::MAX);
            let waits = job.view.phases.iter().filter_map(|view| awaited(view, at, width));
            waits.map(|words| (format!("! {words}"), Role::Warn)).take(1).collect()
        }
        Some(Ended::Succeeded(_)) => match model.gap.import.run.as_ref().and_then(|run| run.report()) {
            Some(report) => succeeded(job, report, model),
            None => Vec::new(),
        },
        Some(Ended::Cancelled) => {
            let mut lines = warn(&format!(
                "! stopped; images that are complete stay. {} goes on: what is there is not written again",
                model.key(Act::Import)
            ));
            lines.extend(job.view.landed.iter().map(landed));
            lines
        }
        Some(Ended::Failed(failure)) => {
            let mut lines = words::failure_on("Import", failure, &model.keymap);
            lines.retain(|(words, _)| !words.is_empty());
            lines.push((
                format!("{} goes on: what is there is not written again", model.key(Act::Retry)),
                Role::Text,
            ));
            lines
        }
    };
    folded(lines, columns)
}

/// How far the taking back is.
pub(super) fn taking_back(job: &JobState, model: &Model, columns: usize) -> Lines {
    let since = text::span(model.at.saturating_sub(job.began));
    let mut lines = vec![(format!("undoing the import, for {since}"), Role::Current)];
    lines.extend(job.view.note.iter().map(|note| (format!("> {note}"), Role::Text)));
    if job.stopping {
        lines.push(("! stopping at the next safe point; what is undone stays undone".to_owned(), Role::Warn));
    }
    folded(lines, columns)
}

/// How many images a target has after a run that was stopped.
fn landed(landed: &Landed) -> (String, Role) {
    let (there, all) = (landed.there.len(), landed.there.len() + landed.missing.len());
    (format!("{}: it has {there} of {}", landed.target, words::count(all, "image")), Role::Text)
}

fn succeeded(job: &JobState, report: &ImportReport, model: &Model) -> Lines {
    let mut lines: Lines = Vec::new();
    if let Some(Ended::Succeeded(ended)) = &job.ended
        && let Some(verdict) = ended.verdict()
    {
        let failed = report.targets.iter().flat_map(|one| &one.images);
        let failed = failed.filter(|image| !image.outcome.arrived()).count();
        let words = match failed {
            0 => verdict.words,
            _ => {
                let [details, retry] = [Act::ImportDetails, Act::Retry].map(|act| model.key(act));
                let what = words::count(failed, "image");
                format!("{what} did not arrive; {details} says why, {retry} does them again")
            }
        };
        lines.push((format!("x FAIL  {words}"), Role::Fail));
        let next = verdict.hints.iter().map(|hint| on("Import", hint, &model.keymap));
        lines.extend(next.map(|hint| (format!("next: {hint}"), Role::Text)));
    } else {
        let targets = words::count(report.targets.len(), "target");
        let all = images(model);
        let words = match all.iter().filter(|image| !everywhere(image, report, model)).count() {
            0 => format!("every image is where it was wanted, in {targets}"),
            left => format!(
                "{} of {} are in {targets}; {left} left out",
                all.len() - left,
                words::count(all.len(), "image")
            ),
        };
        lines.push(match warnings(report) {
            0 => (format!("+ OK  {words}"), Role::Ok),
            mind => (format!("! WARN  {words}, with {}", words::count(mind, "warning")), Role::Warn),
        });
    }
    for target in &report.targets {
        let counts = Counts::of(target, &model.gap.import).words(false);
        let (written, there) = (text::bytes(target.bytes_written), text::bytes(target.bytes_present));
        lines.push((format!("{}: {counts}; {written} written, {there} there", target.target), Role::Text));
        lines.extend(target.proof.as_ref().map(proved));
        lines.extend(
            target.proof.iter().flat_map(|proof| &proof.notes).map(|note| (format!("! {note}"), Role::Warn)),
        );
        lines.extend(target.notes.iter().map(|note| (format!("! {note}"), Role::Warn)));
        // By their sign the beginning of each is told from what goes on.
        lines.extend(target.facts.iter().map(|fact| (format!("- {fact}"), Role::Dim)));
    }
    lines.push((format!("{} shows the report", model.key(Act::ImportNext)), Role::Text));
    lines
}

/// What the targets and their runtimes say that is to be minded: that an image is not proved yet, above all.
fn warnings(report: &ImportReport) -> usize {
    let asked = report.targets.iter().filter_map(|target| target.proof.as_ref());
    report.targets.iter().map(|target| target.notes.len()).sum::<usize>()
        + asked.map(|proof| proof.notes.len()).sum::<usize>()
}

/// Whether this run or an earlier one brought an image into each target of this run.
fn everywhere(image: &Image, report: &ImportReport, model: &Model) -> bool {
    let done = model.gap.import.done.as_ref();
    let of = |target: &Target| done.and_then(|done| done.of(target));
    report.targets.iter().all(|target| {
        let images = of(&target.target).unwrap_or(target).images.iter();
        images.filter(|one| one.outcome.arrived()).any(|one| one.reference == image.reference)
    })
}

/// What the runtime's CRI answered.
fn proved(proof: &Proof) -> (String, Role) {
    let (all, well) = (proof.names.len(), proof.answered());
    let pinned = proof.names.iter().filter(|name| name.pinned).count();
    let (sign, role) = if well == all { ("+", Role::Ok) } else { ("x", Role::Fail) };
    let names = text::count_of(well, all, "name");
    let words = format!("{sign} the CRI of {} answers {names}, {pinned} pinned", proof.runtime);
    (words, role)
}
