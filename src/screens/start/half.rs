//! The import that was stopped or cut off last: what it left in its targets, how it is gone on with, and what takes it back.

use super::Door;
use crate::actions::Act;
use crate::domain::text;
use crate::engine::import::changes::{Ended, NotedRun};
use crate::tui::model::{Model, Place};
use crate::tui::screen::Cx;

/// The last import of this host, where it did not come to its end and left something; on another root directory the
/// workstation writes nothing.
pub(super) fn run(model: &Model) -> Option<&NotedRun> {
    let last = model.gap.import.noted.first()?;
    (last.is_half() && last.begun.root.is_none() && model.running_at() != Some(Place::Import)).then_some(last)
}

/// Its rows: to go on with it, and to take it back where that can be done.
pub(super) fn doors(model: &Model) -> Vec<Door> {
    let Some(run) = run(model) else { return Vec::new() };
    let door = |act, name: String, note| Door { act, cut: None, to: None, name, note };
    let mut doors = vec![door(Act::Import, format!("Go on importing {}", run.begun.bundle), brief(run))];
    if run.changed_something() {
        let names: usize = run.targets.iter().map(|target| target.made + target.changed).sum();
        let files: usize = run.targets.iter().map(|target| target.files.len()).sum();
        let some = |count: usize, what| (count > 0).then(|| text::count(count as u64, what));
        let parts: Vec<String> = [some(names, "name"), some(files, "file")].into_iter().flatten().collect();
        let note = format!("takes back {}", parts.join(" and "));
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
        [one] => {
            let end = end(run).trim_start_matches("was ");
            format!("{end}: {} of {} in {}", one.there, one.all, one.target)
        }
        _ => words(run),
    }
}

/// As in `import into containerd was stopped: 2 of 3 in`.
fn words(run: &NotedRun) -> String {
    let end = end(run);
    let into = |targets: Vec<String>| targets.join(", ");
    let left = &run.begun.left;
    match left.as_slice() {
        [] => format!("import into {} {end}", into(run.begun.into.iter().map(ToString::to_string).collect())),
        [one] => format!("import into {} {end}: {} of {} in", one.target, one.there, one.all),
        many => {
            let each = many.iter().map(|one| format!("{} of {} in {}", one.there, one.all, one.target));
            format!("the import {end}: {}", into(each.collect()))
        }
    }
}

/// All of it, for the line above the footer.
pub(super) fn full_words(model: &Model) -> String {
    run(model).map_or_else(String::new, |run| {
        format!("begun {}; {}", run.begun.begun.strftime("%Y-%m-%dT%H:%M:%SZ"), words(run))
    })
}

/// Goes on: its bundle is verified first, and its targets are chosen then.
pub(super) fn go_on(cx: &mut Cx<'_>) {
    let Some(begun) = run(cx.model).map(|run| run.begun.clone()) else { return };
    let verify = cx.model.key(Act::Verify);
    cx.say(format!("open {} and verify it with {verify}: its targets are chosen again then", begun.bundle));
    cx.model.gap.import.aim_later(begun.bundle, begun.into);
    cx.go(Place::Bundle);
}
