//! Takes back what an import changed in runtimes, from what it noted before or reported after: names that were made go, others point back.

mod error;
mod given;
mod report;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::changes::{self, Made, NotedRun};
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
use crate::engine::storage::change::{self, NodeSpec};
use crate::engine::storage::conf;

pub use error::UndoError;
pub(super) use error::by_hand;
use report::numbered;
pub use report::{Undone, UndoneReport, Unfinished};

/// What to take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoSpec {
    /// What the run noted, by file or number, or the report of the import: what `airlift import --json` printed, or its
    /// report alone. Without it, the last run, where that changed something.
    pub file: Option<PathBuf>,
    /// The directory of history, in which runs are noted.
    pub state: PathBuf,
    /// Whether to list the runs that can be taken back, and change nothing.
    pub list: bool,
    /// Whether to say what would be taken back, and change nothing.
    pub dry_run: bool,
    /// An additional store to take out of the files of a node, whoever entered it; no run is taken back then.
    #[serde(default)]
    pub store: Option<Box<StoreOf>>,
}

/// An additional store that a node reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreOf {
    /// Its directory, as the node has it.
    pub directory: PathBuf,
    /// Root directory of the node.
    pub root: PathBuf,
}

/// Takes back what the report tells of, target by target.
///
/// # Errors
/// [`UndoError`], a file's, or as a runtime answers.
pub async fn undo(spec: UndoSpec, ctx: &JobCtx) -> Result<UndoneReport> {
    if let Some(store) = spec.store {
        return out(*store, spec.dry_run, ctx).await;
    }
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
    check(&file, "report of an import", "airlift undo --list lists those of this host")?;
    let (files, path) = (ctx.files.clone(), file.clone());
    let kept = blocking(move || given::read(&*files, &path)).await?;
    let (files, own) = (ctx.files.clone(), file.clone());
    if let Some(target) = kept.silent() {
        return Err(kept.refused(target, &runs, file).into());
    }
    kept.check(&file, run.as_ref())?;
    if let Some(run) = &run {
        let begins = if spec.dry_run { "would take back the" } else { "taking back the" };
        ctx.say(Event::Note { text: format!("{begins} {}", run.words()) });
    }
    let unfinished = kept.unfinished();
    let all = kept.made();
    let made = all.clone();
    let before = before(&runs, run.as_ref());
    let later = blocking(move || Ok(Later::of(&*files, &runs, &own, &made))).await?;
    let (mut targets, mut left) = (Vec::new(), Vec::new());
    let whole = |made: &Made| !unfinished.contains(&made.target);
    if all.iter().all(|made| made.is_empty() && whole(made)) {
        // It only counts on what it found, and does so no more.
        targets.extend(all.iter().filter(|made| !made.wanted.is_empty()).map(Undone::counting));
    }
    for made in all.into_iter().filter(|made| !made.is_empty() || !whole(made)) {
        ctx.check()?;
        if !spec.dry_run {
            ctx.say(Event::Note { text: begun(&made) });
        }
        let cut = if whole(&made) {
            Unfinished::default()
        } else {
            cut_off(&made.target, spec.dry_run, ctx).await?
        };
        let undone = Undone { unfinished: cut, ..one(made.clone(), &later, spec.dry_run, ctx).await? };
        left.extend(undone.left(made));
        targets.push(undone);
    }
    if targets.is_empty() {
        return Err(UndoError::Nothing { path: file }.into());
    }
    if !spec.dry_run {
        let (files, history, now) = (ctx.files.clone(), spec.state.clone(), ctx.clock.now());
        blocking(move || changes::leave(&*files, &history, &file, (&left, now))).await?;
    }
    let (runs, unread) = (Vec::new(), Vec::new());
    Ok(UndoneReport { dry_run: spec.dry_run, run, targets, runs, unread, before })
}

/// Takes a store out of the files of a node. No bundle and no run is needed for that.
async fn out(store: StoreOf, dry_run: bool, ctx: &JobCtx) -> Result<UndoneReport> {
    let (own, StoreOf { directory, root }) = (ctx.files.clone(), store);
    let target = Target::ContainersStorage(Some(directory.clone()));
    let (node_root, named_out) = (root.clone(), directory.clone());
    let node = NodeSpec { root, ..NodeSpec::default() };
    let taken = blocking(move || change::take_out(&*own, &node, &directory, !dry_run));
    let (files, notes) = taken.await?;
    if files.is_idle() {
        let files = ctx.files.clone();
        let named = blocking(move || conf::read(&*files, &node_root)).await?.additional;
        return Err(UndoError::NoStore { store: named_out, named }.into());
    }
    notes.into_iter().for_each(|text| ctx.say(Event::Note { text }));
    let targets = vec![Undone { files, ..Undone::of(target) }];
    Ok(UndoneReport { dry_run, run: None, targets, runs: Vec::new(), unread: Vec::new(), before: None })
}

/// The file that is meant: the one that was given, or that of the last run. One before it is taken back by its number
/// alone: who types no number may not know that the last changed nothing, or was taken back by the same words just now.
async fn meant(spec: &UndoSpec, runs: &[NotedRun], ctx: &JobCtx) -> Result<PathBuf> {
    let (files, history) = (ctx.files.clone(), spec.state.clone());
    if let Some(file) = spec.file.clone() {
        return blocking(move || Ok(changes::named(&*files, &history, file))).await;
    }
    readable(&spec.state, runs, ctx).await?;
    let undone = blocking(move || changes::last_undone(&*files, &history)).await?;
    let idle = usize::from(undone.is_none());
    let last = undone.as_ref().or(runs.first());
    let last = last.ok_or_else(|| UndoError::Unnoted { state: spec.state.clone() })?;
    if let Some(run) = runs.iter().find(|run| run.begun.running) {
        return Err(UndoError::Running { run: Box::new(run.clone()) }.into());
    }
    match runs.iter().position(NotedRun::changed_something) {
        None => {
            let root = rustix::process::geteuid().is_root();
            Err(UndoError::Idle { last: Box::new(last.clone()), root }.into())
        }
        Some(0) if undone.is_none() => Ok(last.file.clone()),
        Some(at) => {
            let (between, run) = (numbered(&runs[idle..at]), Box::new(runs[at].clone()));
            Err(UndoError::Older { last: Box::new(last.clone()), between, run }.into())
        }
    }
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

/// Takes back what was done to one target.
async fn one(made: Made, later: &Later, dry_run: bool, ctx: &JobCtx) -> Result<Undone> {
    let Made { target, changes, files, archives, stored, .. } = made;
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
    let (mut stay, archives) = later.part_archives(&target, archives);
    let (in_files, files) = later.part_files(&target, files);
    stay.extend(in_files);
    let own = ctx.files.clone();
    let store = match &target {
        Target::ContainersStorage(store) => store.clone(),
        _ => None,
    };
    let mut files = blocking(move || {
        let mut undone = change::take_back(&*own, &files, store.as_deref(), !dry_run)?;
        let archives = k3s::undo::take_back(&*own, &archives, !dry_run)?;
        undone.removed.extend(archives.removed);
        undone.kept.extend(archives.kept);
        Ok(undone)
    })
    .await?;
    files.kept.extend(stay);
    Ok(Undone { names, files, ..Undone::of(target) })
}

/// Removes what runs that were cut off had not finished in a target; in a dry run it is only said.
async fn cut_off(target: &Target, dry_run: bool, ctx: &JobCtx) -> Result<Unfinished> {
    match target {
        Target::Containerd(node) => containerd::unfinished(node, !dry_run, ctx).await,
        Target::K3s(dir) => {
            let (files, dir) = (ctx.files.clone(), dir.clone());
            blocking(move || k3s::undo::unfinished(&*files, &dir, !dry_run)).await
        }
        _ => Ok(Unfinished::default()),
    }
}

/// What is about to be taken back of a target.
fn begun(made: &Made) -> String {
    let some = |count: usize, what| (count > 0).then(|| text::count(count as u64, what));
    let brought = made.stored.iter().filter(|image| !image.announced);
    let stored: usize = brought.map(|image| image.names.len()).sum();
    let (names, files) = (made.changes.len() + stored, made.files.len() + made.archives.len());
    let parts: Vec<String> = [some(names, "name"), some(files, "file")].into_iter().flatten().collect();
    let what = if parts.is_empty() { "what was left".to_owned() } else { parts.join(" and ") };
    format!("taking back {what} of {}", made.target)
}

#[cfg(test)]
mod tests {
    use super::given::parse;
    use super::*;

    use crate::domain::digest::Digest;
    use crate::engine::error::Kind;
    use crate::engine::files::{Files as _, RealFiles};
    use crate::engine::stays::Stays;

    fn report(changes: &str) -> String {
        format!(
            "{{\"bundle\":1,\"targets\":[{{\"target\":\"containerd\",\"images\":[],\"changes\":{changes}}},{{\"target\":\"oci:/x\"}}]}}"
        )
    }

    pub(super) fn change(name: &str) -> String {
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
            store: None,
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
        UndoSpec { file, state: state.to_owned(), list: false, dry_run: false, store: None }
    }

    pub(super) fn note(state: &Path, number: u64, lines: &[String]) -> PathBuf {
        note_of(state, (number, "a-1"), lines)
    }

    /// A run over a bundle.
    fn note_of(state: &Path, (number, bundle): (u64, &str), lines: &[String]) -> PathBuf {
        let file = state.join(format!("imports/{number:06}.jsonl"));
        let begun = format!(
            "{{\"format\":\"airlift-changes/1\",\"begun\":\"2026-01-01T00:00:00Z\",\"bundle\":\"{bundle}\",\"into\":[]}}"
        );
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
        let error = undo(spec(&state, Some("2".into())), &ctx).await.unwrap_err();
        let wanted = ": the import of a-1 of 2026-01-01 00:00 UTC, which was cut off";
        assert!(error.message().starts_with("that run was undone at 20"), "{error}");
        assert!(error.message().ends_with(wanted), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("airlift undo --list")), "{:?}", error.hints());
        // The same words once more do not take back what was never asked about.
        for dry_run in [true, false] {
            let error = undo(UndoSpec { dry_run, ..spec(&state, None) }, &ctx).await.unwrap_err();
            assert!(error.message().starts_with("the last import was undone at 20"), "{error}");
            assert!(
                error
                    .message()
                    .ends_with(" UTC: the import of a-1 of 2026-01-01 00:00 UTC, which was cut off"),
                "{error}"
            );
            let hints = error.hints().join("\n");
            let state = state.display();
            assert!(
                hints.starts_with("the last that left something is run 000001, the import of a-1 "),
                "{hints}"
            );
            assert!(
                hints.contains(&format!("that older import: airlift undo 000001 --state '{state}'")),
                "{hints}"
            );
            assert_eq!(std::fs::read_to_string(&first).unwrap(), "b\n");
        }
        undo(spec(&state, Some("1".into())), &ctx).await.unwrap();
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "a\n");
        let error = undo(spec(&state, None), &ctx).await.unwrap_err();
        let wanted = "no run that is noted left anything that undo takes back; the last was undone at 20";
        assert!(error.message().starts_with(wanted), "{error}");
    }

    #[tokio::test]
    async fn after_an_import_that_left_nothing_an_older_one_is_named_and_not_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let first = dir.path().join("first");
        note(&state, 1, &[changed(&first)]);
        note(&state, 2, &["{\"ended\":\"whole\"}".to_owned()]);
        note(&state, 3, &["{\"ended\":\"failed\"}".to_owned()]);
        for dry_run in [true, false] {
            let error = undo(UndoSpec { dry_run, ..spec(&state, None) }, &ctx).await.unwrap_err();
            let wanted = "the last import left nothing to take back: the import of a-1 of 2026-01-01 00:00 UTC, which failed";
            assert_eq!((error.message().as_str(), error.kind()), (wanted, Kind::Usage));
            let hints = error.hints().join("\n");
            let wanted = format!(
                "the imports before it left nothing either: 000002\nthe last that left something is run 000001, the import of a-1 of 2026-01-01 00:00 UTC into \
                 containers-storage:/x, which was cut off: containers-storage:/x: {}\nnothing was changed; to take back that \
                 older import: airlift undo 000001 --state {}; with --dry-run it says first what would go",
                first.display(),
                state.display()
            );
            assert_eq!(hints, wanted);
            assert_eq!(std::fs::read_to_string(&first).unwrap(), "b\n");
        }
        let report = undo(spec(&state, Some("1".into())), &ctx).await.unwrap();
        assert_eq!(report.run.unwrap().id(), "000001");
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "a\n");
        let error = undo(spec(&state, None), &ctx).await.unwrap_err();
        assert!(error.message().contains("no run that is noted left anything"), "{error}");
    }

    #[tokio::test]
    async fn a_run_whose_change_somebody_else_took_back_has_nothing_left_and_the_one_before_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
        note(&state, 1, &[changed(&first)]);
        note(&state, 2, &[changed(&second)]);
        std::fs::write(&second, "a\n").unwrap();
        let error = undo(spec(&state, Some("2".into())), &ctx).await.unwrap_err();
        assert!(error.message().contains("is gone already"), "{error}");
        let error = undo(spec(&state, None), &ctx).await.unwrap_err();
        assert!(
            error.hints()[0].starts_with("the last that left something is run 000001, "),
            "{:?}",
            error.hints()
        );
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "b\n");
    }

    #[tokio::test]
    async fn a_store_that_a_later_run_found_entered_stays_entered_until_that_run_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let first = dir.path().join("first");
        note(&state, 1, &[changed(&first)]);
        let wanted = "{\"target\":\"containers-storage:/x\",\"wanted\":[\"/x\"]}".to_owned();
        note_of(&state, (2, "b-1"), &[wanted, "{\"ended\":\"whole\"}".to_owned()]);
        let report = undo(spec(&state, Some("1".into())), &ctx).await.unwrap();
        let kept: Vec<&str> = report.kept().map(Stays::words).collect();
        let words = format!(
            "{}: the store /x is wanted by a later run too, the import of b-1 of 2026-01-01 00:00 UTC: airlift undo 000002 \
             --state {} takes that one back first",
            first.display(),
            state.display()
        );
        assert_eq!(kept, [words]);
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "b\n");
        let hints = undo(spec(&state, None), &ctx).await.unwrap_err().hints();
        let state_words = state.display();
        let wanted = [
            format!(
                "later imports count on what it brought, and that stays until each of them is undone: 000002; to begin with \
                 the last: airlift undo 000002 --state {state_words}"
            ),
            format!(
                "nothing was changed; after that, to take back that older import: airlift undo 000001 --state \
                 {state_words}; with --dry-run it says first what would go"
            ),
        ];
        assert_eq!(hints[1..], wanted);
        let lines = undo(spec(&state, Some("2".into())), &ctx).await.unwrap().lines();
        assert_eq!(
            lines,
            ["containers-storage:/x", "  it changed nothing there, and no longer counts on /x"]
        );
        undo(spec(&state, Some("1".into())), &ctx).await.unwrap();
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "a\n");
    }

    #[tokio::test]
    async fn the_same_import_once_more_that_found_all_of_it_there_keeps_nothing_from_being_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let [first, own] = ["first", "own"].map(|name| dir.path().join(name));
        let wanted = || "{\"target\":\"containers-storage:/x\",\"wanted\":[\"/x\"]}".to_owned();
        let ended = |brought: &str| format!("{{\"ended\":\"whole\",\"brought\":[{brought}]}}");
        note(&state, 1, &[changed(&first), wanted(), ended("\"containers-storage:/x\"")]);
        // Once it brought images of its own, once it changed a file, once neither.
        let brings = vec![wanted(), ended("\"containers-storage:/x\"")];
        for (lines, holds) in [
            (brings, true),
            (vec![changed(&own), wanted(), ended("")], true),
            (vec![wanted(), ended("")], false),
        ] {
            note(&state, 2, &lines);
            let report =
                undo(UndoSpec { dry_run: true, ..spec(&state, Some("1".into())) }, &ctx).await.unwrap();
            assert_eq!(report.kept().count(), usize::from(holds), "{:?}", report.lines());
            let list = undo(UndoSpec { list: true, ..spec(&state, None) }, &ctx).await.unwrap();
            let by = list.runs[1].wanted_by.clone();
            assert_eq!(by, if holds { vec!["000002".to_owned()] } else { Vec::new() }, "{lines:?}");
        }
        let hints = undo(spec(&state, None), &ctx).await.unwrap_err().hints();
        let way = format!(
            "nothing was changed; to take back that older import: airlift undo 000001 --state {}; with --dry-run it says \
             first what would go",
            state.display()
        );
        assert_eq!(hints.last(), Some(&way));
        undo(spec(&state, Some("1".into())), &ctx).await.unwrap();
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "a\n");
    }

    #[tokio::test]
    async fn of_an_archive_that_a_later_run_made_the_one_that_only_began_it_has_nothing_to_take_back() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let archive = dir.path().join("airlift-a-00000001.tar");
        std::fs::write(&archive, "made by the last").unwrap();
        let names = serde_json::json!({ "a:1": Digest::sha256(&[1; 32]).to_string() });
        let of = |before: serde_json::Value| {
            let archive = serde_json::json!({ "path": archive, "before": before, "after": names });
            serde_json::json!({ "target": format!("k3s:{}", dir.path().display()), "archive": archive })
                .to_string()
        };
        note(&state, 1, &[of(serde_json::Value::Null)]);
        note(&state, 2, &[of(serde_json::Value::Null)]);
        note(&state, 3, &[of(serde_json::Value::Null), "{\"ended\":\"whole\"}".to_owned()]);
        let listed = || async {
            let list = UndoSpec { list: true, ..spec(&state, None) };
            let runs = undo(list, &ctx).await.unwrap().runs;
            runs.iter().filter(|run| run.changed_something()).map(NotedRun::id).collect::<Vec<_>>()
        };
        assert_eq!(listed().await, ["000003"]);
        let report = undo(spec(&state, Some("3".into())), &ctx).await.unwrap();
        assert_eq!(report.kept().count(), 1, "it is none by now: {:?}", report.lines());
        // What the first left to the second is not that one's either.
        note(&state, 3, &[of(names.clone()), "{\"ended\":\"whole\"}".to_owned()]);
        assert_eq!(listed().await, ["000003", "000002"]);
        std::fs::remove_file(&archive).unwrap();
        assert_eq!(listed().await, [""; 0], "one that is not there is not offered");
    }

    #[tokio::test]
    async fn a_report_of_what_was_only_shown_or_foreseen_takes_nothing_back_that_another_run_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let (conf, report) = (dir.path().join("conf"), dir.path().join("report.json"));
        note(&state, 1, &[changed(&conf)]);
        let file = |is: &str| serde_json::json!({ "path": conf, "diff": [], "state": { "is": is }, "before": "a\n", "after": "b\n" });
        for (is, dry_run, back) in [("shown", false, false), ("foreseen", true, false), ("made", false, true)]
        {
            let targets = [serde_json::json!({ "target": "containers-storage:/x", "files": [file(is)] })];
            let text = serde_json::json!({ "dryRun": dry_run, "targets": targets }).to_string();
            std::fs::write(&report, text).unwrap();
            let undone = undo(spec(&state, Some(report.clone())), &ctx).await;
            assert_eq!(undone.is_ok(), back, "{is}: {undone:?}");
            assert_eq!(std::fs::read_to_string(&conf).unwrap(), if back { "a\n" } else { "b\n" }, "{is}");
        }
    }

    #[tokio::test]
    async fn a_store_that_no_file_names_is_not_said_to_be_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let conf = dir.path().join("etc/containers/storage.conf");
        std::fs::create_dir_all(conf.parent().unwrap()).unwrap();
        let text = "[storage]\ndriver = \"overlay\"\n[storage.options]\nadditionalimagestores = [\"/x\"]\n";
        std::fs::write(&conf, text).unwrap();
        let out = |store: &str, dry_run| {
            let store = StoreOf { directory: store.into(), root: dir.path().to_owned() };
            UndoSpec { store: Some(Box::new(store)), dry_run, ..spec(dir.path(), None) }
        };
        for dry_run in [true, false] {
            let error = undo(out("/typo", dry_run), &JobCtx::silent()).await.unwrap_err();
            let wanted = "no file of this node names the store /typo: nothing was changed";
            assert_eq!((error.message().as_str(), error.kind()), (wanted, Kind::Usage));
            assert_eq!(error.hints(), ["storage.conf names these: /x"]);
        }
        undo(out("/x", false), &JobCtx::silent()).await.unwrap();
        let error = undo(out("/x", false), &JobCtx::silent()).await.unwrap_err();
        assert_eq!(error.hints(), ["storage.conf names no additional store"]);
    }

    #[tokio::test]
    async fn a_run_that_is_at_work_is_not_taken_back_nor_the_one_before_it_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
        note(&state, 1, &[changed(&first)]);
        let file = note(&state, 2, &[changed(&second)]);
        let held = RealFiles.lock_file(&file).unwrap().unwrap();
        for given in [None, Some("2".into())] {
            let error = undo(spec(&state, given), &ctx).await.unwrap_err();
            let wanted = "an import is running right now: the import of a-1 of 2026-01-01 00:00 UTC into \
                          containers-storage:/x";
            assert_eq!((error.message().as_str(), error.kind()), (wanted, Kind::Locked));
        }
        // However its file is spelt, and whichever directory of history is looked through.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let dotted = state.join("imports/../imports/./000002.jsonl");
        for (given, state) in [(&link, &state), (&dotted, &state), (&file, &dir.path().join("other"))] {
            let error = undo(spec(state, Some(given.clone())), &ctx).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Locked, "{}: {error}", given.display());
            assert_eq!(std::fs::read_to_string(&second).unwrap(), "b\n");
        }
        let noted = std::fs::read_to_string(&file).unwrap();
        changes::leave(&RealFiles, &state, &file, (&[], ctx.clock.now())).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), noted, "it writes there itself");
        let list = UndoSpec { list: true, ..spec(&state, None) };
        let lines = undo(list, &ctx).await.unwrap().lines();
        assert!(
            lines[0].ends_with("; it is running now") && lines[1].ends_with("; it was cut off"),
            "{lines:?}"
        );
        drop(held);
        undo(spec(&state, Some(link)), &ctx).await.unwrap();
        let left = [&first, &second].map(|file| std::fs::read_to_string(file).unwrap());
        assert_eq!(left, ["b\n", "a\n"]);
    }

    #[tokio::test]
    async fn of_a_file_that_was_changed_since_the_store_alone_is_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let (state, ctx) = (dir.path().join("state"), JobCtx::silent());
        let conf = dir.path().join("storage.conf");
        let entered = "[storage.options]\nadditionalimagestores = [\"/x\"]\n";
        let line = serde_json::json!({ "target": "containers-storage:/x", "file": { "path": conf, "diff": [],
            "before": "[storage.options]\nadditionalimagestores = []\n", "after": entered } });
        note(&state, 1, &[line.to_string()]);
        let later = "[storage.options]\nadditionalimagestores = [\"/x\", \"/y\"] # mine\n";
        std::fs::write(&conf, later).unwrap();
        for dry_run in [true, false] {
            let report = undo(UndoSpec { dry_run, ..spec(&state, None) }, &ctx).await.unwrap();
            assert_eq!(report.kept().count(), 0, "{:?}", report.lines());
            let words = if dry_run { "would be taken out" } else { "is taken out" };
            let wanted = format!("  the store alone {words}, as it was changed since: {}", conf.display());
            assert!(report.lines().contains(&wanted), "{:?}", report.lines());
            let left = std::fs::read_to_string(&conf).unwrap();
            assert_eq!(left == later, dry_run, "{left}");
        }
        let left = std::fs::read_to_string(&conf).unwrap();
        assert!(left.contains("[\"/y\"] # mine") && !left.contains("\"/x\""), "{left}");
        assert!(undo(spec(&state, None), &ctx).await.is_err(), "nothing of it is left");
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
        // Once it has said anything, it may have changed something.
        std::fs::write(&last, "{\"format\"").unwrap();
        assert_eq!(undo(spec(&state, None), &ctx).await.unwrap_err().kind(), Kind::Integrity);
        let list = UndoSpec { list: true, ..spec(&state, None) };
        let unread: Vec<String> = undo(list, &ctx).await.unwrap().unreadable().collect();
        assert_eq!(unread, [format!("{}: its first line has no end", last.display())]);
        // A run that was cut off before it began changed nothing.
        std::fs::write(&last, "").unwrap();
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
