//! What undo says: of each target what was taken back, or the runs that can be, in words and as a document.

use serde::Serialize;

use crate::domain::import::Target;
use crate::domain::text;
use crate::engine::import::changes::{Made, NotedRun, NotedTarget, Unread, first_of};
use crate::engine::import::containerd::names::UndoReport;
use crate::engine::stays::Stays;
use crate::engine::storage::change::FilesUndone;

/// Runs that left nothing are named by number, at most: each attempt that is refused is one more of them.
const IDLE: usize = 3;

/// What was taken back, or would be.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoneReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The run that is taken back, where it is one that was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<NotedRun>,
    /// One per target that had something to take back.
    pub targets: Vec<Undone>,
    /// The runs that can be taken back, the latest first, where a list was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<NotedRun>,
    /// Those that cannot be read, likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// The last run before this one that changed something.
    #[serde(skip)]
    pub before: Option<NotedRun>,
}

/// One target's part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    /// The target.
    pub target: Target,
    /// What became of each name.
    #[serde(flatten)]
    pub names: UndoReport,
    /// What became of files of the node.
    pub files: FilesUndone,
    /// What became of what the run had not finished, as it was cut off.
    #[serde(skip_serializing_if = "Unfinished::is_empty")]
    pub unfinished: Unfinished,
}

/// What a run that was cut off had not finished in a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unfinished {
    /// What is gone.
    pub removed: Vec<String>,
    /// What stays, each with the reason.
    pub kept: Vec<Stays>,
}

impl Unfinished {
    const fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.kept.is_empty()
    }
}

impl UndoneReport {
    /// What stays as it is, each with the reason.
    pub fn kept(&self) -> impl Iterator<Item = &Stays> {
        self.targets.iter().flat_map(Undone::kept)
    }

    /// The same in lines, each reason once.
    pub fn kept_lines(&self) -> Vec<String> {
        Stays::grouped(self.kept())
    }

    /// How much stays as it is, as in `2 names and 1 file stay as they are`.
    pub fn kept_words(&self) -> String {
        let sum = |of: fn(&Undone) -> usize| self.targets.iter().map(of).sum::<usize>();
        let (names, files) = (sum(|one| one.names.kept.len()), sum(|one| one.files.kept.len()));
        let unfinished = sum(|one| one.unfinished.kept.len());
        let counted = [(names, "name"), (files, "file"), (unfinished, "lease")]
            .into_iter()
            .filter(|(count, _)| *count > 0);
        let parts: Vec<String> = counted.map(|(count, of)| text::count(count as u64, of)).collect();
        let stay = if names + files + unfinished == 1 { "stays as it is" } else { "stay as they are" };
        format!("{} {stay}", parts.join(" and "))
    }

    /// What of a list cannot be read, each with the reason.
    pub fn unreadable(&self) -> impl Iterator<Item = String> {
        let words = |run: &Unread| format!("{}: {}", run.file.display(), text::shown(&run.reason));
        self.unread.iter().map(words)
    }

    /// How to go on where something stays as it is: it is noted still.
    pub fn ways(&self) -> Vec<String> {
        let Some(run) = self.run.as_ref().filter(|_| !self.dry_run && self.kept().next().is_some()) else {
            return Vec::new();
        };
        let again = format!("it stays noted; {} tries again", run.undo_command());
        let before = self.before.as_ref();
        let before =
            before.map(|run| format!("{} takes back the {}, before it", run.undo_command(), run.words()));
        std::iter::once(again).chain(before).collect()
    }

    /// A line for each name.
    pub fn lines(&self) -> Vec<String> {
        let (removed, restored) =
            if self.dry_run { ("would be removed", "would be as before") } else { ("removed", "as before") };
        let mut lines = Vec::new();
        let was = if self.dry_run { "would be as it was before" } else { "is as it was before" };
        let out =
            if self.dry_run { "the store alone would be taken out" } else { "the store alone is taken out" };
        let out = format!("{out}, as it was changed since");
        for Undone { target, names, files, unfinished } in &self.targets {
            lines.push(target.to_string());
            lines.extend(names.removed.iter().map(|name| format!("  {removed}: {name}")));
            lines.extend(names.restored.iter().map(|name| format!("  {restored}: {name}")));
            lines.extend(Stays::grouped(&names.kept).into_iter().map(|kept| format!("  stays: {kept}")));
            lines.extend(names.untouched.iter().map(|name| format!("  was not changed: {name}")));
            lines.extend(names.absent.iter().map(|name| format!("  is not there: {name}")));
            lines.extend(released(names, self.dry_run));
            lines.extend(files.restored.iter().map(|file| format!("  {was}: {file}")));
            lines.extend(files.removed.iter().map(|file| format!("  {removed}: {file}")));
            lines.extend(files.taken_out.iter().map(|file| format!("  {out}: {file}")));
            lines.extend(Stays::grouped(&files.kept).into_iter().map(|kept| format!("  stays: {kept}")));
            lines.extend(unfinished.removed.iter().map(|what| format!("  {removed}: {what}")));
            lines.extend(unfinished.kept.iter().map(|kept| format!("  stays: {kept}")));
            if !files.is_idle() {
                lines.push(format!("  {}", stays(target)));
            }
        }
        if !self.targets.is_empty() && self.targets.iter().all(Undone::is_idle) {
            lines.push("nothing is left to take back".to_owned());
        }
        lines.extend(listed(&self.runs));
        lines.extend(self.unread.iter().map(|run| format!("{}  cannot be read", run.id())));
        lines
    }
}

/// Runs in a list: first those that can be taken back, then in a line the others, by number.
fn listed(runs: &[NotedRun]) -> Vec<String> {
    let (changed, idle): (Vec<&NotedRun>, Vec<&NotedRun>) =
        runs.iter().partition(|run| run.changed_something());
    let mut lines: Vec<String> = changed.into_iter().map(row).collect();
    if !idle.is_empty() {
        lines.push(format!("nothing to take back: {}", numbered(idle)));
    }
    lines
}

/// A run that changed something.
fn row(run: &NotedRun) -> String {
    let changed: Vec<String> = run.targets.iter().map(NotedTarget::words).collect();
    let begun = run.begun.begun.strftime("%F %R UTC");
    let end = run.begun.end().map_or_else(String::new, |end| format!("; it {end}"));
    format!("{}  {begun}  {}  {}{end}", run.id(), run.begun.bundle, changed.join(", "))
}

/// Numbers of runs, each with how it ended, where it did not come to its end.
pub(super) fn numbered<'a>(runs: impl IntoIterator<Item = &'a NotedRun>) -> String {
    let words = runs.into_iter().map(|run| match run.begun.end() {
        Some(end) => format!("{} ({end})", run.id()),
        None => run.id(),
    });
    first_of(words.collect(), IDLE)
}

/// What is done where a run changed nothing: earlier ones can be taken back after it.
fn released(names: &UndoReport, dry_run: bool) -> Option<String> {
    let what = match names.released.as_slice() {
        [] => return None,
        [one] => one.clone(),
        many => text::count(many.len() as u64, "name"),
    };
    let counts = if dry_run { "would no longer count" } else { "no longer counts" };
    Some(format!("  it changed nothing there, and {counts} on {what}"))
}

/// What is not taken back with the files of a target.
const fn stays(target: &Target) -> &'static str {
    match target {
        Target::K3s(_) => {
            "what k3s or RKE2 imported from it stays in its containerd, unpinned from its next start on: the kubelet may \
             remove it then"
        }
        _ => "the images stay in the directory; CRI-O reads storage.conf when it starts",
    }
}

impl Undone {
    /// Of a run that changed nothing there.
    pub(super) fn counting(made: &Made) -> Self {
        let names = UndoReport { released: made.wanted.clone(), ..UndoReport::default() };
        Self { names, ..Self::of(made.target.clone()) }
    }

    /// Nothing, yet.
    pub(super) fn of(target: Target) -> Self {
        let (names, files) = (UndoReport::default(), FilesUndone::default());
        Self { target, names, files, unfinished: Unfinished::default() }
    }

    /// What stays as it is, each with the reason.
    fn kept(&self) -> impl Iterator<Item = &Stays> {
        self.names.kept.iter().chain(&self.files.kept).chain(&self.unfinished.kept)
    }

    /// What of it is left to take back: all of it, where it cannot be told apart.
    pub(super) fn left(&self, made: Made) -> Option<Made> {
        // A run that is taken back counts on nothing any more.
        let made = Made { wanted: Vec::new(), ..made };
        let kept: Vec<&Stays> = self.kept().collect();
        if kept.is_empty() {
            return None;
        }
        let left = made.clone().left(&kept);
        Some(if left.is_empty() { made } else { left })
    }

    /// Whether there was nothing to do, and nothing keeps it from being done.
    const fn is_idle(&self) -> bool {
        self.names.is_idle()
            && self.names.released.is_empty()
            && self.files.is_idle()
            && self.files.kept.is_empty()
            && self.unfinished.is_empty()
    }
}

impl NotedTarget {
    /// The target, how many names, and which files.
    pub fn words(&self) -> String {
        let names = self.made + self.changed;
        let names = (names > 0).then(|| format!("names {names}"));
        let files = self.files.iter().map(|file| file.display().to_string());
        let announced = (self.announced > 0)
            .then(|| format!("{} begun and not in it", text::count(self.announced as u64, "image")));
        let unfinished = self.unfinished.then(|| "what it had not finished".to_owned());
        let all: Vec<String> = names.into_iter().chain(announced).chain(files).chain(unfinished).collect();
        format!("{}: {}", self.target, all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ctx::JobCtx;
    use crate::engine::import::changes::parse;
    use crate::engine::import::undo::tests::{change, note};
    use crate::engine::import::undo::{UndoSpec, undo};

    #[test]
    fn what_is_left_is_told_by_whole_names() {
        let dir = tempfile::tempdir().unwrap();
        let line = |name: &str| format!("{{\"target\":\"containerd\",\"change\":{}}}", change(name));
        let file = note(dir.path(), 1, &["a/pause:3.1", "a/pause:3.10", "a/pause:3.1@sha256"].map(line));
        let (_, mut made) = parse(&std::fs::read_to_string(file).unwrap()).unwrap();
        let stays = Stays::new(["a/pause:3.10".to_owned()], "a/pause:3.10: of a/pause:3.1".to_owned());
        let names = UndoReport { kept: vec![stays], ..UndoReport::default() };
        let made = made.remove(0);
        let undone = Undone { names, ..Undone::of(made.target.clone()) };
        let left = undone.left(made).unwrap();
        assert_eq!(left.changes.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a/pause:3.10"]);
    }

    #[tokio::test]
    async fn what_was_announced_and_never_brought_into_a_store_is_not_counted_as_brought() {
        let dir = tempfile::tempdir().unwrap();
        let line = |id: &str, more: &str| {
            let stored = format!(
                "{{\"id\":\"{id}\",\"names\":[\"{id}:1\",\"{id}:2\"],\"known\":false,\"root\":\"/\"{more}}}"
            );
            format!("{{\"target\":\"containers-storage\",\"stored\":{stored}}}")
        };
        let announced = ",\"announced\":true";
        note(dir.path(), 1, &["a", "b", "c"].map(|id| line(id, announced)));
        note(dir.path(), 2, &[line("a", announced), line("b", announced), line("a", "")]);
        let spec =
            UndoSpec { file: None, state: dir.path().to_owned(), list: true, dry_run: false, store: None };
        let report = undo(spec, &JobCtx::silent()).await.unwrap();
        assert_eq!(
            report.lines(),
            [
                "000002  2026-01-01 00:00 UTC  a-1  containers-storage: names 2, 1 image begun and not in it; it was cut off",
                "000001  2026-01-01 00:00 UTC  a-1  containers-storage: 3 images begun and not in it; it was cut off",
            ]
        );
        let counts = report.runs.iter().map(|run| (run.targets[0].made, run.targets[0].announced));
        assert_eq!(counts.collect::<Vec<_>>(), [(2, 1), (0, 3)]);
    }

    #[tokio::test]
    async fn a_list_has_first_what_can_be_taken_back_and_the_other_runs_by_number() {
        let dir = tempfile::tempdir().unwrap();
        let change = format!("{{\"target\":\"containerd\",\"change\":{}}}", change("a:1"));
        let ended = |how: &str| format!("{{\"ended\":\"{how}\"}}");
        note(dir.path(), 1, &[ended("whole")]);
        note(dir.path(), 2, &[change.clone(), ended("interrupted")]);
        note(dir.path(), 3, &[change, ended("whole")]);
        note(dir.path(), 4, &[ended("failed")]);
        note(dir.path(), 5, &[]);
        let spec =
            UndoSpec { file: None, state: dir.path().to_owned(), list: true, dry_run: false, store: None };
        let lines = undo(spec, &JobCtx::silent()).await.unwrap().lines();
        assert_eq!(
            lines,
            [
                "000003  2026-01-01 00:00 UTC  a-1  containerd: names 1",
                "000002  2026-01-01 00:00 UTC  a-1  containerd: names 1; it was interrupted",
                "nothing to take back: 000005 (was cut off), 000004 (failed), 000001",
            ]
        );
        (6..60).for_each(|number| drop(note(dir.path(), number, &[ended("failed")])));
        let spec =
            UndoSpec { file: None, state: dir.path().to_owned(), list: true, dry_run: false, store: None };
        let lines = undo(spec, &JobCtx::silent()).await.unwrap().lines();
        assert_eq!(
            lines[2..],
            ["nothing to take back: 000059 (failed), 000058 (failed), 000057 (failed), 54 more"]
        );
    }
}
