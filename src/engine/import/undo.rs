//! Takes back what an import changed in runtimes, from what it noted before or reported after: names that were made go, others point back.

mod error;
mod given;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::changes::{self, Made, NotedRun, NotedTarget, Unread};
use super::containerd;
use super::containerd::names::UndoReport;
use super::containers_storage;
use super::k3s;
use super::later::Later;
use crate::domain::import::Target;
use crate::domain::progress::Event;
use crate::domain::text;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::given::check;
use crate::engine::storage::change::{self, FilesUndone};

pub use error::UndoError;
pub(super) use error::by_hand;

/// What to take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoSpec {
    /// What the run noted, by file or number, or the report of the import: what `airlift import --json` printed, or its
    /// report alone. Without it, the last run, whatever became of it.
    pub file: Option<PathBuf>,
    /// The directory of history, in which runs are noted.
    pub state: PathBuf,
    /// Whether to list the runs that can be taken back, and change nothing.
    pub list: bool,
    /// Whether to say what would be taken back, and change nothing.
    pub dry_run: bool,
}

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
}

impl UndoneReport {
    /// What stays as it is, each with the reason.
    pub fn kept(&self) -> impl Iterator<Item = &String> {
        self.targets.iter().flat_map(|one| one.names.kept.iter().chain(&one.files.kept))
    }

    /// How much stays as it is, as in `2 names and 1 file stay as they are`.
    pub fn kept_words(&self) -> String {
        let sum = |of: fn(&Undone) -> usize| self.targets.iter().map(of).sum::<usize>();
        let (names, files) = (sum(|one| one.names.kept.len()), sum(|one| one.files.kept.len()));
        let counted = [(names, "name"), (files, "file")].into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = counted.map(|(count, of)| text::count(count as u64, of)).collect();
        let stay = if names + files == 1 { "stays as it is" } else { "stay as they are" };
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
        for Undone { target, names, files } in &self.targets {
            lines.push(target.to_string());
            lines.extend(names.removed.iter().map(|name| format!("  {removed}: {name}")));
            lines.extend(names.restored.iter().map(|name| format!("  {restored}: {name}")));
            lines.extend(names.kept.iter().map(|name| format!("  stays: {name}")));
            lines.extend(names.untouched.iter().map(|name| format!("  was not changed: {name}")));
            lines.extend(files.restored.iter().map(|file| format!("  {was}: {file}")));
            lines.extend(files.removed.iter().map(|file| format!("  {removed}: {file}")));
            lines.extend(files.kept.iter().map(|file| format!("  stays: {file}")));
            if !(files.restored.is_empty() && files.removed.is_empty()) {
                lines.push(format!("  {}", stays(target)));
            }
        }
        if !self.targets.is_empty() && self.targets.iter().all(Undone::is_idle) {
            lines.push("nothing is left to take back".to_owned());
        }
        lines.extend(self.runs.iter().map(listed));
        lines.extend(self.unread.iter().map(|run| format!("{}  cannot be read", run.id())));
        lines
    }
}

/// A run in a list.
fn listed(run: &NotedRun) -> String {
    let changed: Vec<String> = run.targets.iter().map(NotedTarget::words).collect();
    let changed = if changed.is_empty() { "nothing to take back".to_owned() } else { changed.join(", ") };
    let idle = run.begun.into.iter().filter(|target| run.targets.iter().all(|one| one.target != **target));
    let idle: String = idle.map(|target| format!(" ({target})")).collect();
    let begun = run.begun.begun.strftime("%F %R UTC");
    format!("{}  {begun}  {}  {changed}{idle}", run.id(), run.begun.bundle)
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
    /// What of it is left to take back: all of it, where it cannot be told apart.
    fn left(&self, made: Made) -> Option<Made> {
        let kept: Vec<&String> = self.names.kept.iter().chain(&self.files.kept).collect();
        if kept.is_empty() {
            return None;
        }
        let left = made.clone().left(&kept);
        Some(if left.is_empty() { made } else { left })
    }

    /// Whether there was nothing to do, and nothing keeps it from being done.
    const fn is_idle(&self) -> bool {
        let files = &self.files;
        self.names.is_idle() && files.restored.is_empty() && files.removed.is_empty() && files.kept.is_empty()
    }
}

impl NotedTarget {
    /// The target, how many names, and which files.
    fn words(&self) -> String {
        let names = self.made + self.changed;
        let names = (names > 0).then(|| format!("names {names}"));
        let files = self.files.iter().map(|file| file.display().to_string());
        let all: Vec<String> = names.into_iter().chain(files).collect();
        format!("{}: {}", self.target, all.join(", "))
    }
}

/// Takes back what the report tells of, target by target.
///
/// # Errors
/// [`UndoError`], a file's, or as a runtime answers.
pub async fn undo(spec: UndoSpec, ctx: &JobCtx) -> Result<UndoneReport> {
    let (files, history) = (ctx.files.clone(), spec.state.clone());
    let runs = blocking(move || changes::runs(&*files, &history)).await?;
    if spec.list {
        let (files, history) = (ctx.files.clone(), spec.state.clone());
        let unread = blocking(move || changes::unread(&*files, &history)).await?;
        let (dry_run, targets) = (spec.dry_run, Vec::new());
        return Ok(UndoneReport { dry_run, run: None, targets, runs, unread, before: None });
    }
    let file = meant(&spec, &runs, ctx).await?;
    let run = runs.iter().find(|run| run.file == file).cloned();
    if let Some(run) = &run {
        let text = format!(
            "{} {}",
            if spec.dry_run { "would take back the" } else { "taking back the" },
            run.words()
        );
        ctx.say(Event::Note { text });
    }
    check(&file, "report of an import", "airlift undo --list lists those of this host")?;
    let (files, path) = (ctx.files.clone(), file.clone());
    let kept = blocking(move || given::read(&*files, &path)).await?;
    let (files, own) = (ctx.files.clone(), file.clone());
    if let Some(target) = kept.silent() {
        return Err(kept.refused(target, &runs, file).into());
    }
    let all = kept.made();
    let made = all.clone();
    let before = before(&runs, run.as_ref());
    let later = blocking(move || Ok(Later::of(&*files, &runs, &own, &made))).await?;
    let (mut targets, mut left) = (Vec::new(), Vec::new());
    for made in all.into_iter().filter(|made| !made.is_empty()) {
        ctx.check()?;
        if !spec.dry_run {
            ctx.say(Event::Note { text: begun(&made) });
        }
        let undone = one(made.clone(), &later, spec.dry_run, ctx).await?;
        left.extend(undone.left(made));
        targets.push(undone);
    }
    if targets.is_empty() {
        return Err(UndoError::Nothing { path: file }.into());
    }
    if !spec.dry_run {
        let (files, history) = (ctx.files.clone(), spec.state.clone());
        blocking(move || changes::leave(&*files, &history, &file, &left)).await?;
    }
    let (runs, unread) = (Vec::new(), Vec::new());
    Ok(UndoneReport { dry_run: spec.dry_run, run, targets, runs, unread, before })
}

/// The file that is meant: the one that was given, or the last run's.
async fn meant(spec: &UndoSpec, runs: &[NotedRun], ctx: &JobCtx) -> Result<PathBuf> {
    let (files, history) = (ctx.files.clone(), spec.state.clone());
    let Some(file) = spec.file.clone() else {
        readable(&spec.state, runs, ctx).await?;
        return Ok(last(runs).ok_or_else(|| UndoError::Unnoted { state: spec.state.clone() })??);
    };
    blocking(move || Ok(changes::named(&*files, &history, file))).await
}

/// The last run before this one that changed something.
fn before(runs: &[NotedRun], run: Option<&NotedRun>) -> Option<NotedRun> {
    let at = runs.iter().position(|one| Some(one) == run)?;
    runs[at + 1..].iter().find(|run| run.changed_something()).cloned()
}

/// That the last run is the first of those that were read.
async fn readable(state: &Path, runs: &[NotedRun], ctx: &JobCtx) -> Result<()> {
    let (files, history) = (ctx.files.clone(), state.to_owned());
    let newest = blocking(move || changes::newest(&*files, &history)).await?;
    match newest.filter(|newest| runs.first().is_none_or(|run| run.file != *newest)) {
        Some(path) => {
            let before = runs.iter().find(|run| run.changed_something()).cloned().map(Box::new);
            Err(UndoError::Damaged { path, before }.into())
        }
        None => Ok(()),
    }
}

/// The file of the last run, an error where that left nothing to take back; nothing where there is no run.
fn last(runs: &[NotedRun]) -> Option<std::result::Result<PathBuf, UndoError>> {
    let (last, before) = runs.split_first()?;
    if last.changed_something() {
        return Some(Ok(last.file.clone()));
    }
    let before = before.iter().find(|run| run.changed_something()).cloned().map(Box::new);
    Some(Err(UndoError::Idle { last: Box::new(last.clone()), before }))
}

/// Takes back what was done to one target.
async fn one(made: Made, later: &Later, dry_run: bool, ctx: &JobCtx) -> Result<Undone> {
    let Made { target, changes, files, archives, stored } = made;
    let names = match &target {
        Target::Containerd(node) if !changes.is_empty() => {
            let (stay, changes) = later.part(&target, changes);
            let mut names = match dry_run {
                true => containerd::would_undo(node, &changes).await?,
                false => containerd::undo(node, &changes, ctx).await?,
            };
            names.kept.extend(stay);
            names
        }
        Target::ContainersStorage(None) => {
            let (stay, stored) = later.part_stored(&target, stored);
            let mut names = containers_storage::undo::take_back(&stored, !dry_run, ctx).await?;
            names.kept.extend(stay);
            names
        }
        _ => UndoReport::default(),
    };
    let (stay, archives) = later.part_archives(&target, archives);
    let own = ctx.files.clone();
    let mut files = blocking(move || {
        let mut undone = change::take_back(&*own, &files, !dry_run)?;
        let archives = k3s::undo::take_back(&*own, &archives, !dry_run)?;
        undone.removed.extend(archives.removed);
        undone.kept.extend(archives.kept);
        Ok(undone)
    })
    .await?;
    files.kept.extend(stay);
    if let Target::ContainersStorage(Some(_)) = &target {
        for kept in &mut files.kept {
            let out = format!(
                "; airlift import BUNDLE --into {target} --storage-conf undo takes the store alone out of it"
            );
            kept.push_str(&out);
        }
    }
    Ok(Undone { target, names, files })
}

/// What is about to be taken back of a target.
fn begun(made: &Made) -> String {
    let some = |count: usize, what| (count > 0).then(|| text::count(count as u64, what));
    let stored: usize = made.stored.iter().map(|image| image.names.len()).sum();
    let (names, files) = (made.changes.len() + stored, made.files.len() + made.archives.len());
    let parts: Vec<String> = [some(names, "name"), some(files, "file")].into_iter().flatten().collect();
    format!("taking back {} of {}", parts.join(" and "), made.target)
}

#[cfg(test)]
mod tests {
    use super::given::parse;
    use super::*;
    use crate::domain::digest::Digest;

    fn report(changes: &str) -> String {
        format!(
            "{{\"bundle\":1,\"targets\":[{{\"target\":\"containerd\",\"images\":[],\"changes\":{changes}}},{{\"target\":\"oci:/x\"}}]}}"
        )
    }

    fn change(name: &str) -> String {
        format!("{{\"name\":\"{name}\",\"digest\":\"{}\",\"was\":null}}", Digest::sha256(&[1; 32]))
    }

    #[test]
    fn a_report_is_read_alone_and_as_the_last_line_that_was_printed() {
        let one = report(&format!("[{}]", change("a:1")));
        let printed = format!(
            "{{\"airlift\":1}}\n{{\"event\":\"started\"}}\n{{\"event\":\"result\",\"ok\":true,\"report\":{one}}}\n"
        );
        for text in [one.clone(), printed] {
            let kept = parse(text.as_bytes()).unwrap();
            assert_eq!(
                (kept.targets.len(), kept.targets[0].made.changes[0].name.as_str()),
                (2, "a:1"),
                "{text}"
            );
        }
        for text in ["", "{}", "nginx:1\n", "{\"targets\":[{\"target\":\"ftp:x\"}]}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_report_without_changes_is_told_and_a_dry_run_asks_the_runtime() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("report.json");
        let ctx = JobCtx::silent();
        std::fs::write(&file, report("[]")).unwrap();
        let spec = UndoSpec {
            file: Some(file.clone()),
            state: dir.path().join("state"),
            list: false,
            dry_run: true,
        };
        let error = undo(UndoSpec { file: None, ..spec.clone() }, &ctx).await.unwrap_err();
        assert!(error.message().contains("no import that changed a runtime"), "{error}");
        assert!(undo(UndoSpec { list: true, ..spec.clone() }, &ctx).await.unwrap().lines().is_empty());
        let error = undo(spec.clone(), &ctx).await.unwrap_err();
        assert!(error.message().contains("nothing that can be taken back"), "{error}");
        let socket = dir.path().join("sock");
        let text = report(&format!("[{},{}]", change("a:1"), change("a:2")));
        std::fs::write(
            &file,
            text.replace("\"containerd\"", &format!("\"containerd:{}\"", socket.display())),
        )
        .unwrap();
        let error = undo(spec, &ctx).await.unwrap_err();
        assert!(error.message().contains("there is no socket"), "{error}");
    }

    fn spec(state: &Path, file: Option<PathBuf>) -> UndoSpec {
        UndoSpec { file, state: state.to_owned(), list: false, dry_run: false }
    }

    fn note(state: &Path, number: u64, lines: &[String]) -> PathBuf {
        let file = state.join(format!("imports/{number:06}.jsonl"));
        let begun = "{\"format\":\"airlift-changes/1\",\"begun\":\"2026-01-01T00:00:00Z\",\"bundle\":\"a-1\",\"into\":[]}";
        std::fs::create_dir_all(state.join("imports")).unwrap();
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&file, format!("{begun}\n{lines}")).unwrap();
        file
    }

    /// A file of the node that a run changed from `a` to `b`.
    fn changed(path: &Path) -> String {
        std::fs::write(path, "b\n").unwrap();
        let path = path.display();
        format!(
            "{{\"target\":\"containers-storage:/x\",\"file\":{{\"path\":\"{path}\",\"diff\":[],\"before\":\"a\\n\",\"after\":\"b\\n\"}}}}"
        )
    }

    #[tokio::test]
    async fn a_run_that_is_partly_taken_back_stays_the_last_with_what_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("a state"), JobCtx::silent());
        let [first, one, two] = ["first", "one", "two"].map(|name| dir.path().join(name));
        note(&state, 1, &[changed(&first)]);
        let last = note(&state, 2, &[changed(&one), changed(&two)]);
        std::fs::write(&two, "mine\n").unwrap();
        for round in 0..2 {
            let report = undo(spec(&state, None), &ctx).await.unwrap();
            let ways = report.ways();
            assert_eq!(report.kept().count(), 1, "{round}");
            let wanted =
                [2, 1].map(|number| format!("airlift undo 00000{number} --state '{}'", state.display()));
            assert!(ways[0].contains(&wanted[0]) && ways[1].contains(&wanted[1]), "{ways:?}");
            let left = std::fs::read_to_string(&last).unwrap();
            assert!(left.lines().count() == 2 && left.contains(two.to_str().unwrap()), "{left}");
            assert_eq!(std::fs::read_to_string(&first).unwrap(), "b\n", "the earlier run stands");
        }
        std::fs::write(&two, "b\n").unwrap();
        assert_eq!(undo(spec(&state, None), &ctx).await.unwrap().ways(), [""; 0]);
        assert!(!last.exists());
        undo(spec(&state, None), &ctx).await.unwrap();
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "a\n");
    }

    #[tokio::test]
    async fn an_earlier_run_is_not_taken_for_the_last_where_that_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let first = dir.path().join("first");
        note(&state, 1, &[changed(&first)]);
        let last = note(&state, 2, &["{\"target\":\"contai{\"target\"".to_owned()]);
        let error = undo(spec(&state, None), &ctx).await.unwrap_err();
        assert!(error.message().contains("000002.jsonl"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("airlift undo 000001 --state")), "{error:?}");
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "b\n");
        // A run that was cut off before it began changed nothing.
        std::fs::write(&last, "{\"format\"").unwrap();
        undo(spec(&state, None), &ctx).await.unwrap();
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "a\n");
    }

    #[tokio::test]
    async fn a_report_that_is_silent_of_an_archive_or_a_store_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (file, ctx) = (dir.path().join("report.json"), JobCtx::silent());
        for (target, outcome, refused) in [
            ("k3s", "added", true),
            ("containers-storage", "replaced", true),
            ("containers-storage", "skipped", false),
            ("registry:r.example", "added", false),
        ] {
            let images = format!("[{{\"outcome\":{{\"outcome\":\"{outcome}\"}}}}]");
            std::fs::write(
                &file,
                format!("{{\"targets\":[{{\"target\":\"{target}\",\"images\":{images}}}]}}"),
            )
            .unwrap();
            let error = undo(spec(dir.path(), Some(file.clone())), &ctx).await.unwrap_err();
            assert_eq!(error.message().contains("does not tell"), refused, "{target}: {error}");
        }
    }
}
