//! The imports that were stopped or cut off: what each left in its targets, how it is gone on with, and what takes it back.

use super::doors::Door;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::import::Target;
use crate::domain::shell::shell_path;
use crate::domain::text;
use crate::engine::import::changes::{Begun, Ended, Left, NotedRun, half};
use crate::tui::model::{Model, Place};
use crate::tui::msg::Effect;
use crate::tui::screen::Cx;

/// Cells in which a target is told from others.
const TELLING: usize = 24;

/// The imports of this host that can be gone on with, the latest first; on another root directory the workstation writes
/// nothing.
pub(super) fn runs(model: &Model) -> impl Iterator<Item = &NotedRun> {
    let at_work = model.running_at() == Some(Place::Import);
    half(&model.gap.import.noted).filter(move |run| run.begun.root.is_none() && !at_work)
}

/// The rows of the latest, and those of the earlier ones: to go on with each, and to take it back where that can be done.
pub(super) fn doors(model: &Model) -> (Vec<Door>, Vec<Door>) {
    let mut each = runs(model).map(of);
    (each.next().unwrap_or_default(), each.flatten().collect())
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
        Some(Ended::Interrupted) => "stopped",
        Some(Ended::Failed | Ended::Whole) => "failed",
        None => "cut off",
    }
}

/// As in `…/cd7/c.sock 11-20 08:15Z: stopped, 2 of 4`: what tells it from others comes first, as the end may be cut.
fn brief(run: &NotedRun) -> String {
    let targets: Vec<String> = run.begun.into.iter().map(telling).collect();
    let there: Vec<String> =
        run.begun.left.iter().map(|left| format!(", {} of {}", left.there, left.all)).collect();
    let end = match run.begun.left.as_slice() {
        [one] if one.there == one.all => "not finished",
        _ => end(run),
    };
    format!("{} {}: {end}{}", targets.join(", "), run.begun.begun.strftime("%m-%d %H:%MZ"), there.concat())
}

/// A target by its end, where it is long.
fn telling(target: &Target) -> String {
    let words = target.to_string();
    match words.rmatch_indices('/').nth(1) {
        Some((at, _)) if text::width(&words) > TELLING => {
            text::middle(&format!("…{}", &words[at..]), TELLING).into_owned()
        }
        _ => words,
    }
}

/// As in `stopped with 2 of 4 images in containerd`.
fn words(run: &NotedRun) -> String {
    let end = end(run);
    match run.begun.left.as_slice() {
        [] => {
            let into: Vec<String> = run.begun.into.iter().map(ToString::to_string).collect();
            format!("{end} on the way into {}", into.join(", "))
        }
        [Left { target, there, all, .. }] if there == all => {
            format!("{end} at its end, with all of {} in {target}", text::count(*all as u64, "image"))
        }
        many => {
            let each = many.iter().map(|Left { target, there, all, failed }| {
                // As where the file that names a store could not be changed.
                let but = if *failed && there == all { ", but not finished" } else { "" };
                format!("{} in {target}{but}", text::count_of(*there, *all, "image"))
            });
            format!("{end} with {}", each.collect::<Vec<_>>().join(", "))
        }
    }
}

/// All of it, for the line above the footer.
pub(super) fn full_words(run: &NotedRun) -> String {
    let out = run.begun.choices.as_ref().and_then(|choices| choices.out.as_ref());
    let out =
        out.map_or_else(String::new, |out| format!("; only the command writes --out {}", shell_path(out)));
    format!("begun {}, {}{out}", run.begun.begun.strftime("%F %H:%MZ"), words(run))
}

/// Asks whether to offer it no more, with what stays; what does so then.
pub(super) fn ask_to_forget(run: &NotedRun, cx: &mut Cx<'_>) -> Effect {
    let began = run.begun.begun.strftime("%F %H:%MZ");
    let mut plan = vec![
        format!("This is no longer offered: the import of {}, begun {began}.", run.begun.bundle),
        format!("It {}{}. What is there stays.", if end(run) == "failed" { "" } else { "was " }, words(run)),
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

/// Goes on: its bundle is verified first, as Bundle says as long as it is awaited, and its targets are chosen then.
pub(super) fn go_on(begun: Begun, cx: &mut Cx<'_>) {
    // Where it lay is looked at, whether on a medium or not.
    if let Some(lay) = begun.lay()
        && !cx.model.gap.given.contains(&lay.path)
    {
        cx.model.gap.given.push(lay.path.clone());
    }
    cx.model.gap.import.aim_later(begun);
    cx.go(Place::Bundle);
}
