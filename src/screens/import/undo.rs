//! Taking back what a run changed in runtimes and files of this node: the question about the last that was noted, the job, and its end.

use std::path::PathBuf;

use crate::actions::Act;
use crate::dialogs::choose::Item;
use crate::dialogs::{Answer, Choose, Confirm, Page, Question};
use crate::domain::import::Target;
use crate::domain::sheet::{Checked, Grade};
use crate::domain::text;
use crate::engine::import::changes::{NotedRun, NotedTarget};
use crate::engine::import::undo::{UndoSpec, UndoneReport};
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::importing::Importing;
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Effect, Ended, Query};
use crate::tui::screen::Cx;
use crate::tui::words;
use crate::widgets::stepper::StepState;

/// The question which run is to be taken back.
const WHICH: Question = Question { act: Act::ImportUndo, part: 1 };

/// The questions about it, of one screen.
#[derive(Debug, Default)]
pub(in crate::screens) struct Asking {
    /// The runs that were offered to be taken back.
    offered: Vec<NotedRun>,
}

/// Why no import can be taken back now.
pub(in crate::screens) fn why_not(model: &Model) -> Option<String> {
    let import = &model.gap.import;
    let nothing = "nothing is noted to undo; registries and layouts keep what they got";
    let none = || import.undoable().next().is_none().then(|| nothing.to_owned());
    let none = || if import.elsewhere().is_some() { None } else { none() };
    model.why_busy().or_else(none)
}

/// Says so where another process was importing, and looks whether it still is; whether it was.
pub(in crate::screens) fn waits(cx: &mut Cx<'_>) -> bool {
    let bundle = cx.model.gap.import.elsewhere().map(|run| run.begun.bundle.clone());
    let Some(bundle) = bundle else { return false };
    cx.say(format!("not now: another process is importing {bundle} right now"));
    cx.effect(Effect::Ask(Query::Noted));
    true
}

impl Asking {
    /// Asks which run is to be taken back, where there are several.
    pub(in crate::screens) fn ask(&mut self, cx: &mut Cx<'_>) {
        if waits(cx) {
            return;
        }
        let import = &cx.model.gap.import;
        let mut runs: Vec<NotedRun> = import.undoable().cloned().collect();
        match runs.len() {
            0 => {}
            1 => about(runs.remove(0), cx),
            _ => {
                let items = runs.iter().map(|run| item(run, import)).collect();
                self.offered = runs;
                cx.open(Choose::new(WHICH, "Undo which import?", items));
            }
        }
    }

    /// Takes back what was confirmed, or asks about what was chosen.
    pub(in crate::screens) fn answered(&mut self, answer: Answer, cx: &mut Cx<'_>) {
        match answer {
            Answer::Yes => start(cx),
            Answer::Rows(rows) => {
                let mut offered = std::mem::take(&mut self.offered);
                if let Some(row) = rows.first().filter(|row| **row < offered.len()) {
                    about(offered.swap_remove(*row), cx);
                }
            }
            _ => {}
        }
    }
}

/// A run by its number, and what it left.
fn item(run: &NotedRun, import: &Importing) -> Item {
    let brought: Vec<String> = match run.changed_something() {
        true => run.targets.iter().map(NotedTarget::words).collect(),
        false => vec![counting(run, import)],
    };
    let end = run.begun.end().map_or_else(String::new, |end| format!("; it {end}"));
    // What keeps it comes first, as the end may be cut.
    let held = match run.wanted_by.as_slice() {
        [] => String::new(),
        [one] => format!("stays while {one} counts on it; "),
        [first, more @ ..] => format!("stays while {first} and {} more count on it; ", more.len()),
    };
    Item::new(format!("{}  {}", run.id(), begun(run)), format!("{held}{}{end}", brought.join(", ")))
}

/// What a run does that changed nothing.
fn counting(run: &NotedRun, import: &Importing) -> String {
    let kept: Vec<String> = import.kept_by(run).map(NotedRun::id).collect();
    format!("changed nothing, but counts on what was brought by {}", kept.join(", "))
}

/// Bundle and time of a run.
fn begun(run: &NotedRun) -> String {
    format!("{}, {}", run.begun.bundle, run.begun.begun.strftime("%F %H:%MZ"))
}

/// Which run it is, by those that came after it.
fn which(run: &NotedRun, later: &[NotedRun]) -> Vec<String> {
    let Some(last) = later.first() else {
        return vec![format!("The last import that is noted: {}.", begun(run))];
    };
    let changed = later.iter().filter(|one| one.changed_something()).count();
    if changed > 0 || !run.changed_something() {
        let after = text::count(changed as u64, "later import");
        let what = format!("{after} changed something, too: what is theirs stays.");
        let what = (changed > 0).then_some(what);
        let which = format!("Not the last import, but {}: {}.", run.id(), begun(run));
        return std::iter::once(which).chain(what).collect();
    }
    let into: Vec<String> = last.begun.into.iter().map(ToString::to_string).collect();
    vec![
        format!("The last import, {}, into {}, left nothing to undo.", begun(last), into.join(", ")),
        format!("The last before it that did: {}.", begun(run)),
    ]
}

/// Asks whether to take back what this run changed, and tells which that is.
pub(in crate::screens) fn about(run: NotedRun, cx: &mut Cx<'_>) {
    let noted = &cx.model.gap.import.noted;
    let at = noted.iter().position(|one| one.file == run.file).unwrap_or_default();
    let mut lines = which(&run, &noted[..at]);
    if !run.changed_something() {
        let words = counting(&run, &cx.model.gap.import);
        lines.push(format!("It {words}: undone, it does so no more."));
    }
    let claimed = run.claimed().map(|words| words.replacen('l', "L", 1) + ".");
    for target in &run.targets {
        let names = (target.made + target.changed > 0).then(|| {
            let back = if target.changed > 0 {
                format!("; to point back: {}", target.changed)
            } else {
                String::new()
            };
            match claimed.is_some() {
                true => format!("names that it gave: {}", target.made + target.changed),
                false => format!("names to remove: {}{back}", target.made),
            }
        });
        let files = target.files.len();
        let archive = matches!(target.target, Target::K3s(_));
        let files = (files > 0).then(|| match archive {
            _ if claimed.is_some() => format!("files that it changed: {files}"),
            true => "its archive is removed, where it was not there before".to_owned(),
            false => format!("files to put back: {files}; its images stay"),
        });
        let announced = (target.announced > 0)
            .then(|| format!("images that it began and did not bring: {}", target.announced));
        let unfinished = target.unfinished.then(|| "what it wrote and did not finish is removed".to_owned());
        let parts: Vec<String> = names.into_iter().chain(files).chain(announced).chain(unfinished).collect();
        lines.push(format!("{}: {}.", target.target, parts.join("; ")));
    }
    lines.extend(claimed);
    lines.push(
        "What was there before stays, as does what was changed since. The runtime removes what no name holds; a \
         pod that runs keeps its image."
            .to_owned(),
    );
    let kept = run.begun.into.iter().filter(|target| keeps(target));
    lines
        .extend(kept.map(|target| format!("{target}: keeps what was added to it; nothing is undone there.")));
    let command = cx.model.settings.shell(&numbered(&run, cx.model));
    lines.push(format!("The same as a command: {command}"));
    cx.open(Confirm::new(Act::ImportUndo, "Undo the import?", lines, "Undo it"));
    cx.model.gap.import.undoing = Some(run);
}

/// Whether what was added to a target stays there, whatever is taken back.
const fn keeps(target: &Target) -> bool {
    matches!(
        target,
        Target::Registry(_) | Target::Layout(_) | Target::OciArchive(_) | Target::DockerArchive(_)
    )
}

/// Takes back the run that was asked about.
fn start(cx: &mut Cx<'_>) {
    let Some(run) = &cx.model.gap.import.undoing else { return };
    cx.start(Act::ImportUndo, job(run.file.clone(), cx.model));
}

fn job(run: PathBuf, model: &Model) -> JobSpec {
    let state = model.settings.places().state;
    JobSpec::Undo(UndoSpec { file: Some(run), state, list: false, dry_run: false, store: None })
}

/// The job that takes a run back, as a command names it: by its number.
pub(in crate::screens) fn numbered(run: &NotedRun, model: &Model) -> JobSpec {
    job(run.id().into(), model)
}

/// It was taken back, or not; whether it was. What was said of the runs over another bundle still holds.
pub(super) fn ended(cx: &mut Cx<'_>) -> bool {
    let run = cx.model.gap.import.undoing.take();
    let run = run.as_ref();
    let ended = cx.model.job_of(Act::ImportUndo).and_then(|job| job.ended.clone());
    match ended {
        Some(Ended::Succeeded(report)) => {
            if let JobReport::Undo(report) = &*report {
                cx.model.gap.import.outdate();
                if run.is_none_or(|run| cx.model.gap.import.is_of(run)) {
                    let import = &mut cx.model.gap.import;
                    let done = import.done.take();
                    let back = run.filter(|_| done.is_some());
                    import.undone = back.map(|run| told(run, report));
                    import.done = done.and_then(|done| done.without(report));
                    cx.model.set_state(Place::Import, StepState::Todo);
                    cx.model.changed(Place::Import);
                }
                let lines = report.lines();
                cx.open(Page::plain("Undone", lines.clone()).copying(lines.join("\n")));
                return true;
            }
        }
        Some(Ended::Failed(failure)) => {
            half(cx, run, "verified; undoing the import failed: part of it may be gone");
            cx.open(words::failure_page("The undo failed", &failure, &cx.model.keymap))
        }
        Some(Ended::Cancelled) => {
            half(cx, run, "verified; undoing the import was stopped: part of it may be gone");
        }
        None => {}
    }
    false
}

/// What the report of the bundle says of it from then on.
fn told(run: &NotedRun, report: &UndoneReport) -> (String, Vec<Checked>) {
    let mut words = format!("its import of {} was undone", run.begun.begun.strftime("%F %H:%MZ"));
    if report.kept().next().is_some() {
        words += &format!(", but {}", report.kept_words());
    }
    let lines = report.lines().into_iter().map(|line| line.trim().to_owned());
    let kept = run.begun.into.iter().filter(|target| keeps(target));
    let kept = kept.map(|target| format!("{target} keeps what was added to it"));
    let row = |how: String| Checked { what: "undone", grade: Grade::Plain, how };
    (words, lines.chain(kept).map(row).collect())
}

/// What was taken back stays so, whatever came after it: neither the import nor the report stands as it did.
fn half(cx: &mut Cx<'_>, run: Option<&NotedRun>, words: &'static str) {
    let import = &mut cx.model.gap.import;
    if !run.is_none_or(|run| import.is_of(run)) {
        return;
    }
    import.outdate();
    let Some(done) = &mut import.done else { return };
    (done.taken_back, done.state) = (Some(words), StepState::Warn);
    cx.model.set_state(Place::Import, StepState::Warn);
    cx.model.changed(Place::Import);
}
