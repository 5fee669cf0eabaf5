//! The imports that were stopped or cut off: what each left in its targets, how it is gone on with, and what takes it back.

use super::doors::Door;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::text;
use crate::engine::import::changes::{Begun, Ended, Left, NotedRun, half};
use crate::tui::model::{Model, Place};
use crate::tui::msg::Effect;
use crate::tui::screen::Cx;

/// The imports of this host that can be gone on with, the latest first; on another root directory the workstation writes
/// nothing.
pub(super) fn runs(model: &Model) -> impl Iterator<Item = &NotedRun> {
    let at_work = model.running_at() == Some(Place::Import);
    half(&model.gap.import.noted).filter(move |run| run.begun.root.is_none() && !at_work)
}

/// Their rows: to go on with each, and to take it back where that can be done.
pub(super) fn doors(model: &Model) -> Vec<Door> {
    runs(model).flat_map(of).collect()
}

fn of(run: &NotedRun) -> Vec<Door> {
    let door = |act, name: String, note| Door { run: Some(run.file.clone()), ..Door::new(act, name, note) };
    let mut doors = vec![door(Act::Import, format!("Go on importing {}", run.begun.bundle), brief(run))];
    if run.changed_something() {
        let names: usize = run.targets.iter().map(|target| target.made + target.changed).sum();
        let files: usize = run.targets.iter().map(|target| target.files.len()).sum();
        let some = |count: usize, what| (count > 0).then(|| text::count(count as u64, what));
        let parts: Vec<String> = [some(names, "name"), some(files, "file")].into_iter().flatten().collect();
        // Of a store it may have images without a name.
        let back = if parts.is_empty() { "what it left".to_owned() } else { parts.join(" and ") };
        let note = format!("takes back {back}");
        doors.push(door(Act::ImportUndo, "Undo that import".to_owned(), note));
    }
    doors
}

/// How it ended.
const fn end(run: &NotedRun) -> &'static str {
    match run.begun.ended {
        Some(Ended::Interrupted) => "was stopped",
        Some(Ended::Failed | Ended::Whole) => "failed",
        None => "was cut off",
    }
}

/// As in `stopped: 2 of 3 in containerd`: the count comes first, as the end may be cut.
fn brief(run: &NotedRun) -> String {
    match run.begun.left.as_slice() {
        [one] if one.there == one.all => {
            format!("not finished: {} of {} in {}", one.there, one.all, one.target)
        }
        [one] => format!("{}: {}", end(run).trim_start_matches("was "), standing(one)),
        _ => words(run),
    }
}

/// How many images are in a target, and whether it is left with that.
fn standing(left: &Left) -> String {
    let Left { target, there, all, failed } = left;
    // As where the file that names a store could not be changed.
    let but = if *failed && there == all { ", but not finished" } else { "" };
    format!("{there} of {all} in {target}{but}")
}

/// As in `import into containerd was stopped: 2 of 3 in`.
fn words(run: &NotedRun) -> String {
    let end = end(run);
    let into = |targets: Vec<String>| targets.join(", ");
    let left = &run.begun.left;
    match left.as_slice() {
        [] => format!("import into {} {end}", into(run.begun.into.iter().map(ToString::to_string).collect())),
        [one] => {
            let at = if one.there == one.all { " at its end" } else { "" };
            format!("import into {} {end}{at}: {} of {} in", one.target, one.there, one.all)
        }
        many => format!("the import {end}: {}", into(many.iter().map(standing).collect())),
    }
}

/// All of it, for the line above the footer.
pub(super) fn full_words(run: &NotedRun) -> String {
    let out = run.begun.choices.as_ref().and_then(|choices| choices.out.as_ref());
    let out =
        out.map_or_else(String::new, |out| format!("; only the command writes --out {}", out.display()));
    format!("begun {}; {}{out}", run.begun.begun.strftime("%Y-%m-%dT%H:%M:%SZ"), words(run))
}

/// Asks whether to offer it no more, with what stays; what does so then.
pub(super) fn ask_to_forget(run: &NotedRun, cx: &mut Cx<'_>) -> Effect {
    let began = run.begun.begun.strftime("%F %H:%MZ");
    let mut plan = vec![
        format!("This is no longer offered: the import of {}, begun {began}.", run.begun.bundle),
        format!("{}. What is there stays.", capital(&words(run))),
        "Importing that bundle again brings only what is missing; an archive is written whole.".to_owned(),
    ];
    if run.changed_something() {
        let (undo, command) = (cx.model.key(Act::ImportUndo), format!("airlift undo {}", run.id()));
        plan.push(format!("{undo} on Import, or {command}, still takes back what it changed."));
    }
    let effect = Effect::Dismiss(run.file.clone());
    cx.open(Confirm::new(Act::Forget, "Forget the interrupted import?", plan, "Forget it"));
    effect
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Goes on: its bundle is verified first, and its targets are chosen then.
pub(super) fn go_on(begun: Begun, cx: &mut Cx<'_>) {
    let verify = cx.model.key(Act::Verify);
    cx.say(format!(
        "open {} and verify it with {verify}: what it was begun with is chosen then",
        begun.bundle
    ));
    // Where it lay is looked at, whether on a medium or not.
    if let Some(lay) = begun.lay()
        && !cx.model.gap.given.contains(&lay.path)
    {
        cx.model.gap.given.push(lay.path.clone());
    }
    cx.model.gap.import.aim_later(begun);
    cx.go(Place::Bundle);
}
