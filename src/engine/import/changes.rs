//! What an import changes in runtimes and in files of the node, noted durably before it is done, a file for each run, so that also a run that was killed can be taken back.

mod choices;
mod half;
mod holder;
mod kept;
mod made;
mod noted;

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::ImportSpec;
use super::error::ImportError;
use super::graph::ImageGraph;
use crate::domain::bundle::BundleManifest;
use crate::domain::import::Target;
use crate::domain::trust::SerialDecision;
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::{EngineError, FileError, Kind, Result};
use crate::engine::files::{Held, OutFile};

pub use choices::{Choices, Lay, Noting};
pub use half::half;
pub(super) use holder::Holder;
pub(super) use kept::{MOST, is_at_work, last_undone, leave, named, newest, read_run, runs, unread};
use kept::{SUFFIX, directory_of, next, numbers, prune};
pub use kept::{Unread, dismiss};
pub(super) use made::Made;
pub use made::NotedTarget;
pub use noted::{Begun, Ended, Left, NotedRun};
use noted::{FORMAT, Line};
pub(super) use noted::{Last, Noted, first_of, parse, undo_command};

/// Bytes that must find room before anything is changed: some dozen names.
const PROBE: usize = 4096;

/// What this run changes. All clones of a job share one.
pub(super) struct Changes {
    ctx: JobCtx,
    directory: Option<PathBuf>,
    begun: Begun,
    state: Mutex<State>,
}

/// The file of a run, to be written on.
type Out = (PathBuf, Box<dyn OutFile>);

#[derive(Default)]
struct State {
    out: Option<Out>,
    /// The file, as long as the run is at work: so it is told from one that was cut off.
    held: Option<Held>,
    known: HashSet<String>,
    /// Bytes of the file that are whole lines, and on disk.
    whole: u64,
    /// Whether the file may end within a line.
    torn: bool,
    /// Targets with which files of the node were changed.
    filed: Vec<Target>,
    /// Targets in which anything was noted.
    noted: Vec<Target>,
    /// Why the run itself could not be noted.
    unbegun: Option<EngineError>,
}

impl Changes {
    /// Of an import of images of a bundle, to be noted below the directory of history; nowhere, where there is none.
    pub(super) fn new(
        ctx: &JobCtx,
        history: Option<&Path>,
        bundle: String,
        (spec, images): (&ImportSpec, &[ImageGraph]),
    ) -> Self {
        let begun = Begun {
            format: FORMAT.to_owned(),
            begun: ctx.clock.now(),
            bundle,
            into: spec.targets.clone(),
            root: spec.node.root_apart(),
            choices: Some(Box::new(Choices::of(spec, images))),
            dismissed: None,
            running: false,
            ended: None,
            left: Vec::new(),
            brought: None,
            remains: Vec::new(),
            undone: None,
        };
        let directory = history.map(directory_of);
        Self { ctx: ctx.clone(), directory, begun, state: Mutex::default() }
    }

    /// The same, of this bundle.
    pub(super) fn of(
        self,
        path: &Path,
        bundle: &BundleManifest,
        let_through: Option<SerialDecision>,
    ) -> Self {
        Self { begun: self.begun.lying(path, bundle, let_through), ..self }
    }

    /// Notes that the run begins: whatever becomes of it, it is the last from now on. Blocks.
    pub(super) fn start(&self) {
        let Some(directory) = &self.directory else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.begin(directory) {
            Ok(begun) => state.take(begun),
            Err(error) => state.unbegun = Some(error),
        }
    }

    /// Finds out whether changes can be noted, before the first of them: what could not be taken back is not done. Where
    /// none are to be noted it is only told that the run is not. Blocks.
    ///
    /// # Errors
    /// [`ImportError::Unnoted`].
    pub(super) fn ready(&self, noted: bool) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        if noted {
            return self.probe(directory).map_err(|error| unnoted(directory, &error));
        }
        let unbegun = self.state.lock().unwrap_or_else(PoisonError::into_inner).unbegun.take();
        if let Some(error) = unbegun {
            let reason = error.message();
            self.ctx.warn(format!(
                "airlift undo will not know of this run, and take one before it for the last: {reason}"
            ));
        }
        Ok(())
    }

    fn probe(&self, directory: &Path) -> Result<()> {
        let files = &*self.ctx.files;
        directory::create(files, directory)?;
        let path = directory.join(format!(".probe-{}", uuid::Uuid::now_v7()));
        let failed = |source| FileError { operation: "write", path: path.clone(), source };
        let mut out = files.create(&path)?;
        let written = out.write_all(&[0; PROBE]).and_then(|()| out.sync()).map_err(failed);
        files.remove(&path)?;
        Ok(written?)
    }

    /// Notes changes that are about to be made; those that are noted already are not noted again. Blocks.
    ///
    /// # Errors
    /// [`ImportError::Unnoted`]: they are not to be made then.
    pub(super) fn note(&self, target: &Target, changes: impl IntoIterator<Item = Noted>) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(directory, &mut state, (target, changes)).map_err(|error| unnoted(directory, &error))
    }

    fn write(
        &self,
        directory: &Path,
        state: &mut State,
        (target, changes): (&Target, impl IntoIterator<Item = Noted>),
    ) -> Result<()> {
        let mut new: Vec<String> = Vec::new();
        for noted in changes {
            if matches!(noted, Noted::File(_)) && !state.filed.contains(target) {
                state.filed.push(target.clone());
            }
            let line = Line { target: target.clone(), noted };
            let line = serde_json::to_string(&line).unwrap_or_default();
            if !state.known.contains(&line) && !new.contains(&line) {
                new.push(line);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        if state.out.is_none() {
            state.take(self.begin(directory)?);
        }
        let text: String = new.iter().map(|line| format!("{line}\n")).collect();
        state.append(&text)?;
        if !state.noted.contains(target) {
            state.noted.push(target.clone());
        }
        state.known.extend(new);
        Ok(())
    }

    /// Notes what the run counts on in a target, as far as that can be noted: it is no change. Blocks.
    pub(super) fn want(&self, target: &Target, names: Vec<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if names.is_empty() {
            return;
        }
        let line = Line { target: target.clone(), noted: Noted::Wanted(names) };
        // An earlier run may be taken back from under it then; what it changes itself is noted all the same.
        let _ = state.append(&(serde_json::to_string(&line).unwrap_or_default() + "\n"));
    }

    /// Notes how the run ended, and what that leaves in its targets. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn end(&self, last: &Last) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.torn {
            return Ok(());
        }
        state.append(&(serde_json::to_string(last).unwrap_or_default() + "\n"))?;
        state.held = None;
        Ok(())
    }

    /// The run of another process that is at work in a target, where it notes what it changes in the same place. Blocks.
    pub(super) fn other(&self, target: &Target) -> Option<NotedRun> {
        let history = directory::above(self.directory.as_ref()?);
        let runs = runs(&*self.ctx.files, history).ok()?;
        runs.into_iter().find(|run| run.begun.running && run.begun.into.contains(target))
    }

    /// The file in which the run is noted, also where it changed nothing.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.out.as_ref().map(|(path, _)| path.clone())
    }

    /// Whether any change was noted of another target than these.
    pub(super) fn is_in_another_than(&self, targets: &[Target]) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.noted.iter().any(|noted| !targets.contains(noted))
    }

    /// Whether files of the node were changed with a target.
    pub(super) fn has_files(&self, target: &Target) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).filed.contains(target)
    }

    /// Makes the next file, by number: no clock tells which came last, and none that was given is given again.
    fn begin(&self, directory: &Path) -> Result<(Out, Option<Held>, u64)> {
        directory::create(&*self.ctx.files, directory)?;
        let there = numbers(&*self.ctx.files, directory)?;
        let mut number = next(&*self.ctx.files, directory)?;
        let (path, mut out) = loop {
            let path = directory.join(format!("{number:06}{SUFFIX}"));
            match self.ctx.files.create(&path) {
                // Another run took that number just now.
                Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                other => break (path, other?),
            }
        };
        // Before it says anything. Where there are no locks it only looks as if it had been cut off.
        let held = directory::hold_file(&*self.ctx.files, &path).ok().flatten();
        let mut line = serde_json::to_string(&self.begun).unwrap_or_default();
        line.push('\n');
        let failed = |source| FileError { operation: "write", path: path.clone(), source };
        let written = out.write_all(line.as_bytes()).and_then(|()| out.sync());
        if let Err(source) = written {
            // What stands there of the line would be taken for a run whose file was damaged.
            let _ = self.ctx.files.remove(&path);
            return Err(failed(source).into());
        }
        self.ctx.files.sync_dir(directory)?;
        prune(&*self.ctx.files, directory, &there)?;
        Ok(((path, out), held, line.len() as u64))
    }
}

impl State {
    /// Takes a file that was begun, with the bytes in it.
    fn take(&mut self, (out, held, whole): (Out, Option<Held>, u64)) {
        (self.out, self.held, self.whole) = (Some(out), held, whole);
    }

    /// Writes whole lines to the file, durably, or none of them; where there is no file, none is wanted.
    fn append(&mut self, text: &str) -> Result<()> {
        let Some((path, out)) = &mut self.out else { return Ok(()) };
        let failed = |source| FileError { operation: "write", path: path.clone(), source };
        if self.torn {
            return Err(failed(io::Error::other("an earlier change could not be noted in it")).into());
        }
        let written = out.write_all(text.as_bytes()).and_then(|()| out.sync());
        if let Err(source) = written {
            // What follows a line that was cut off would not be read; in its place the next one is.
            self.torn = out.cut(self.whole).is_err();
            return Err(failed(source).into());
        }
        self.whole += text.len() as u64;
        Ok(())
    }
}

impl Ended {
    /// How a run ended that came to this.
    pub(super) fn of<T>(done: &Result<T>) -> Self {
        match done {
            Ok(_) => Self::Whole,
            Err(error) if error.kind() == Kind::Interrupted => Self::Interrupted,
            Err(_) => Self::Failed,
        }
    }
}

fn unnoted(directory: &Path, error: &EngineError) -> EngineError {
    let (kind, reason) = (error.kind(), error.message());
    ImportError::Unnoted { directory: directory.to_owned(), kind, reason }.into()
}

#[cfg(test)]
mod tests {
    use super::super::containerd::names::Change;
    use super::super::later::Later;
    use super::kept::{KEPT, RECENT};
    use super::*;
    use crate::domain::digest::Digest;
    use crate::engine::files::RealFiles;
    use crate::engine::storage::change::FileChange;

    fn change(name: &str) -> Change {
        Change { name: name.to_owned(), digest: Digest::sha256(&[1; 32]), was: None }
    }

    fn named(name: &str) -> Noted {
        Noted::Change(change(name))
    }

    fn made(target: &Target, changes: Vec<Change>) -> Made {
        Made { changes, ..Made::of(target.clone()) }
    }

    fn last(ended: Ended, left: Vec<Left>) -> Last {
        Last { ended, left, brought: None, remains: Vec::new() }
    }

    fn run(history: &Path, bundle: &str) -> Changes {
        let spec = ImportSpec::new(vec!["containerd".parse().unwrap()]);
        Changes::new(&JobCtx::silent(), Some(history), bundle.to_owned(), (&spec, &[]))
    }

    #[test]
    fn where_nothing_can_be_noted_nothing_is_to_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let history = dir.path().join("a file");
        std::fs::write(&history, "").unwrap();
        let (changes, target) = (run(&history, "a-1"), "containerd".parse().unwrap());
        for error in [changes.ready(true).unwrap_err(), changes.note(&target, [named("a:1")]).unwrap_err()] {
            let said = error.message();
            assert!(said.contains("a file/imports") && error.hints()[0].contains("--state DIR"), "{said}");
        }
        assert_eq!(changes.file(), None);
        run(dir.path(), "a-1").ready(true).unwrap();
        assert_eq!(std::fs::read_dir(directory_of(dir.path())).unwrap().count(), 0, "it leaves nothing");
    }

    #[test]
    fn each_run_has_a_file_of_its_own_and_the_latest_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let target: Target = "containerd".parse().unwrap();
        assert_eq!(runs(&RealFiles, dir.path()).unwrap(), []);
        for bundle in ["a-1", "a-2"] {
            let changes = run(dir.path(), bundle);
            changes.note(&target, []).unwrap();
            assert_eq!(changes.file(), None, "a run that changes nothing leaves no file");
            changes.note(&target, [named("a:1"), named("a:2")]).unwrap();
            changes.note(&target, [named("a:2"), named("a:3")]).unwrap();
            changes.end(&last(Ended::Whole, Vec::new())).unwrap();
        }
        let runs = runs(&RealFiles, dir.path()).unwrap();
        let said =
            runs.iter().map(|run| (run.begun.bundle.as_str(), run.targets[0].made)).collect::<Vec<_>>();
        assert_eq!(said, [("a-2", 3), ("a-1", 3)], "what is noted twice counts once");
        let now = jiff::Timestamp::UNIX_EPOCH;
        leave(&RealFiles, dir.path(), &runs[0].file, (&[], now)).unwrap();
        assert_eq!(super::runs(&RealFiles, dir.path()).unwrap(), runs[1..]);
        let other = dir.path().join("report.json");
        std::fs::write(&other, "{}").unwrap();
        leave(&RealFiles, dir.path(), &other, (&[], now)).unwrap();
        assert!(other.exists(), "a file of the operator's own stays");
    }

    #[test]
    fn the_number_of_a_run_is_never_given_again_whatever_became_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (target, now) = ("containerd".parse().unwrap(), jiff::Timestamp::UNIX_EPOCH);
        let next = || {
            let changes = run(dir.path(), "a-1");
            changes.note(&target, [named("a:1")]).unwrap();
            changes.file().unwrap()
        };
        let (first, second) = (next(), next());
        for file in [&second, &first] {
            leave(&RealFiles, dir.path(), file, (&[], now)).unwrap();
        }
        assert_eq!(runs(&RealFiles, dir.path()).unwrap(), []);
        assert_eq!(newest(&RealFiles, dir.path()).unwrap(), None, "none of them is the last any more");
        let third = next();
        assert!(third.ends_with("000003.jsonl"), "{third:?}");
        std::fs::rename(&third, third.with_extension("jsonl.damaged")).unwrap();
        let fourth = next();
        assert!(fourth.ends_with("000004.jsonl"), "{fourth:?}");
        assert_eq!(runs(&RealFiles, dir.path()).unwrap()[0].id(), "000004");
    }

    #[test]
    fn it_is_noted_how_a_run_ended_and_one_that_was_cut_off_has_no_end() {
        let dir = tempfile::tempdir().unwrap();
        let target: Target = "containerd".parse().unwrap();
        let left = |ended: Ended| match ended {
            Ended::Whole => Vec::new(),
            _ => vec![Left { target: target.clone(), there: 2, all: 3, failed: false }],
        };
        for (ended, words) in [
            (None, ", which was cut off"),
            (Some(Ended::Interrupted), ", which was interrupted"),
            (Some(Ended::Failed), ", which failed"),
            (Some(Ended::Whole), " into containerd"),
        ] {
            let changes = run(dir.path(), "a-1");
            changes.note(&target, [named("a:1"), named("a:2")]).unwrap();
            ended.into_iter().for_each(|ended| changes.end(&last(ended, left(ended))).unwrap());
            drop(changes);
            let run = runs(&RealFiles, dir.path()).unwrap().remove(0);
            assert!(run.words().ends_with(words), "{}", run.words());
            assert_eq!(run.begun.left, ended.map(left).unwrap_or_default());
            assert_eq!(run.is_half(), ended != Some(Ended::Whole), "{ended:?}");
            assert_eq!(run.targets[0].made, 2);
            // What is left of it keeps how it ended.
            let left = [made(&target, vec![change("a:1")])];
            leave(&RealFiles, dir.path(), &run.file, (&left, jiff::Timestamp::UNIX_EPOCH)).unwrap();
            let again = runs(&RealFiles, dir.path()).unwrap().remove(0);
            assert_eq!((again.words(), again.targets[0].made), (run.words(), 1));
            assert_eq!(again.begun.left, run.begun.left);
        }
    }

    #[test]
    fn what_was_cut_off_is_over_once_a_later_run_did_all_of_it_also_where_that_was_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let target: Target = "containerd".parse().unwrap();
        let half_of = || {
            let runs = runs(&RealFiles, dir.path()).unwrap();
            half(&runs).map(NotedRun::id).collect::<Vec<_>>()
        };
        run(dir.path(), "a-1").note(&target, [named("a:1")]).unwrap();
        assert_eq!(half_of(), ["000001"]);
        let again = run(dir.path(), "a-1");
        again.note(&target, [named("a:2")]).unwrap();
        again.end(&last(Ended::Whole, Vec::new())).unwrap();
        assert_eq!(half_of(), [""; 0]);
        let file = again.file().unwrap();
        drop(again);
        leave(&RealFiles, dir.path(), &file, (&[], jiff::Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(half_of(), [""; 0]);
        // However many runs come after it.
        for _ in 0..RECENT + 3 {
            let other = run(dir.path(), "b-1");
            other.start();
            other.end(&last(Ended::Whole, Vec::new())).unwrap();
        }
        assert_eq!(half_of(), [""; 0]);
        assert!(file.exists(), "it says so as long as the one that was cut off is there");
    }

    #[test]
    fn what_a_run_could_not_remove_itself_is_there_to_be_taken_back_until_that_or_a_later_run_did_so() {
        let dir = tempfile::tempdir().unwrap();
        let into: Target = "containerd".parse().unwrap();
        let cut = || {
            let changes = run(dir.path(), "a-1");
            changes.start();
            let last =
                last(Ended::Failed, vec![Left { target: into.clone(), there: 0, all: 3, failed: true }]);
            changes.end(&Last { remains: vec![into.clone()], ..last }).unwrap();
            changes.file().unwrap()
        };
        let open = || {
            let runs = runs(&RealFiles, dir.path()).unwrap();
            let open = runs.iter().filter(|run| run.targets.iter().any(|one| one.unfinished));
            open.map(NotedRun::id).collect::<Vec<_>>()
        };
        let (_, second) = (cut(), cut());
        assert_eq!(open(), ["000002", "000001"]);
        leave(&RealFiles, dir.path(), &second, (&[], jiff::Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(open(), [""; 0], "undo of one removes what both left");
        cut();
        assert_eq!(open(), ["000003"]);
        let whole = run(dir.path(), "a-1");
        whole.start();
        whole.end(&last(Ended::Whole, Vec::new())).unwrap();
        assert_eq!(open(), [""; 0]);
    }

    #[test]
    fn images_that_another_run_brought_are_not_said_to_be_there_once_that_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let target: Target = "containerd".parse().unwrap();
        let failed = |name: Option<&str>| {
            let changes = run(dir.path(), "a-1");
            changes.start();
            changes.note(&target, name.map(named)).unwrap();
            let left = Left { target: target.clone(), there: 1, all: 4, failed: true };
            changes.end(&last(Ended::Failed, vec![left])).unwrap();
            changes.file().unwrap()
        };
        let first = failed(Some("a:1"));
        failed(None);
        let offered = || {
            let runs = runs(&RealFiles, dir.path()).unwrap();
            half(&runs).map(NotedRun::id).collect::<Vec<_>>()
        };
        assert_eq!(offered(), ["000002"], "it found there what the first had brought");
        leave(&RealFiles, dir.path(), &first, (&[], jiff::Timestamp::now())).unwrap();
        assert_eq!(offered(), [""; 0], "none of the images is there");
    }

    #[test]
    fn a_run_at_work_is_told_from_one_that_was_cut_off_and_is_not_offered() {
        let dir = tempfile::tempdir().unwrap();
        let target: Target = "containerd".parse().unwrap();
        let read = || runs(&RealFiles, dir.path()).unwrap().remove(0);
        let changes = run(dir.path(), "a-1");
        changes.start();
        changes.note(&target, [named("a:1")]).unwrap();
        for _ in 0..2 {
            let there = read();
            assert!(there.begun.running && !there.is_half(), "{there:?}");
            assert!(there.words().ends_with(", which is running now"), "{}", there.words());
        }
        drop(changes);
        let there = read();
        assert!(!there.begun.running && there.is_half(), "{there:?}");
        let changes = run(dir.path(), "a-2");
        changes.start();
        changes.end(&last(Ended::Failed, Vec::new())).unwrap();
        assert!(!read().begun.running, "it has said how it ended");
    }

    #[test]
    fn a_run_that_ended_at_a_file_of_the_node_is_half_until_it_is_dismissed_with_its_choices_and_changes() {
        let dir = tempfile::tempdir().unwrap();
        let target: Target = "containerd".parse().unwrap();
        let read = || runs(&RealFiles, dir.path()).unwrap().remove(0);
        let changes = run(dir.path(), "a-1");
        changes.note(&target, [named("a:1")]).unwrap();
        changes.want(&target, vec!["a:1".to_owned(), "a:2".to_owned()]);
        let now = jiff::Timestamp::UNIX_EPOCH;
        let error = dismiss(&RealFiles, &read().file, now).unwrap_err();
        let wanted = "an import is running right now: the import of a-1 of ";
        assert!(error.message().starts_with(wanted) && error.kind() == Kind::Locked, "{error}");
        let all_there = Left { target: target.clone(), there: 3, all: 3, failed: true };
        changes.end(&last(Ended::Failed, vec![all_there])).unwrap();
        assert_eq!(read().begun.dismissed, None, "it was at work");
        drop(changes);
        let before = read();
        let noted = || read_run(&RealFiles, &before.file).unwrap().1;
        let made = noted();
        assert!(before.is_half() && made[0].wanted.len() == 2, "{before:?}");
        assert_eq!(before.begun.choices, Some(Box::default()));
        dismiss(&RealFiles, &before.file, now).unwrap();
        let after = read();
        assert!(!after.is_half() && after.changed_something(), "{after:?}");
        let begun = Begun { dismissed: Some(now), ..before.begun.clone() };
        assert_eq!(noted(), made, "what it counts on, too");
        assert_eq!(after, NotedRun { begun, ..before });
    }

    #[test]
    fn what_a_later_run_gave_again_is_no_longer_the_earlier_one_s() {
        let dir = tempfile::tempdir().unwrap();
        let target: Target = "containerd".parse().unwrap();
        run(dir.path(), "a-1").note(&target, [named("a:1"), named("a:2")]).unwrap();
        run(dir.path(), "a-2").note(&target, [named("a:2")]).unwrap();
        let runs = runs(&RealFiles, dir.path()).unwrap();
        let changes = || vec![change("a:1"), change("a:2")];
        let report = dir.path().join("report.json");
        for (file, changes, back) in [
            (&runs[1].file, changes(), vec![change("a:1")]),
            (&report, changes(), vec![change("a:1")]),
            (&runs[0].file, vec![change("a:2")], vec![change("a:2")]),
            (&report, vec![change("a:1"), change("a:3")], vec![change("a:3")]),
        ] {
            let later = Later::of(&RealFiles, &runs, file, &[made(&target, changes.clone())]);
            assert_eq!(later.part(&target, changes).1, back, "{}", file.display());
        }
        let (other, none) = ("containerd:,ci".parse().unwrap(), Later::default());
        let later = Later::of(&RealFiles, &runs, &runs[1].file, &[made(&target, changes())]);
        assert_eq!(later.part(&other, changes()).1, changes(), "another target is another name");
        assert_eq!(none.part(&target, changes()).1, changes());
    }

    #[test]
    fn what_a_later_run_found_and_counts_on_stays_until_that_one_is_taken_back() {
        let target: Target = "containerd".parse().unwrap();
        let changes = || vec![change("a:1"), change("a:2")];
        for (ended, stays) in [(Some(Ended::Whole), 1), (None, 1), (Some(Ended::Failed), 0)] {
            let dir = tempfile::tempdir().unwrap();
            run(dir.path(), "a-1").note(&target, changes().into_iter().map(Noted::Change)).unwrap();
            let second = run(dir.path(), "a-2");
            second.start();
            second.want(&target, vec!["a:2".to_owned(), "a:3".to_owned()]);
            assert!(!second.is_in_another_than(&[]), "it is no change");
            ended.into_iter().for_each(|ended| second.end(&last(ended, Vec::new())).unwrap());
            let noted = runs(&RealFiles, dir.path()).unwrap();
            assert!(!noted[0].changed_something(), "{:?}", noted[0]);
            let later = || {
                let noted = runs(&RealFiles, dir.path()).unwrap();
                let own = &noted.last().unwrap().file;
                Later::of(&RealFiles, &noted, own, &[made(&target, changes())]).part(&target, changes())
            };
            let (kept, back) = later();
            assert_eq!((kept.len(), back.len()), (stays, 2 - stays), "{ended:?}");
            let words = format!(
                "a:2 is wanted by a later run too, the {}: {} takes that one back first",
                noted[0].words(),
                noted[0].undo_command()
            );
            assert!(kept.iter().all(|one| one.words() == words), "{kept:?}");
            drop(second);
            leave(&RealFiles, dir.path(), &noted[0].file, (&[], jiff::Timestamp::UNIX_EPOCH)).unwrap();
            assert_eq!(later().1.len(), 2, "that was taken back");
        }
    }

    #[test]
    fn files_of_the_node_are_noted_beside_names_with_all_that_was_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let (changes, target) = (run(dir.path(), "a-1"), "containers-storage:/x".parse().unwrap());
        let path = dir.path().join("storage.conf");
        std::fs::write(&path, "a\nb\n").unwrap();
        let text = serde_json::json!({ "path": path, "diff": ["+b"], "before": "a\n", "after": "a\nb\n" });
        let file: FileChange = serde_json::from_value(text).unwrap();
        changes.note(&target, [Noted::File(file.clone()), named("a:1")]).unwrap();
        let text = std::fs::read_to_string(changes.file().unwrap()).unwrap();
        let (_, all) = parse(&text).unwrap();
        assert_eq!(all, [Made { changes: vec![change("a:1")], files: vec![file], ..Made::of(target) }]);
        let noted = &runs(&RealFiles, dir.path()).unwrap()[0].targets[0];
        assert_eq!((noted.made, noted.files[0].as_path()), (1, path.as_path()));
        std::fs::write(&path, "a\n").unwrap();
        let noted = &runs(&RealFiles, dir.path()).unwrap()[0].targets[0];
        assert_eq!(
            (noted.made, noted.files.len()),
            (1, 0),
            "what is as it was before is no change to take back"
        );
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_change_and_other_files_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let changes = run(dir.path(), "a-1");
        changes.note(&"containerd".parse().unwrap(), [named("a:1"), named("a:2")]).unwrap();
        let text = std::fs::read_to_string(changes.file().unwrap()).unwrap();
        let (_, targets) = parse(&text[..text.len() - 5]).unwrap();
        assert_eq!(targets[0].changes, [change("a:1")]);
        for text in ["", "{}\n", "nginx:1\n", "{\"format\":\"airlift-changes/9\"}\n"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn old_files_go_when_there_are_many_and_those_first_that_changed_nothing() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), "a-0").note(&"containerd".parse().unwrap(), [named("a:1")]).unwrap();
        for _ in 0..RECENT + 3 {
            let idle = run(dir.path(), "a-1");
            idle.start();
            // As many as some hundred images have.
            let names = (0..1000).map(|n| format!("registry.example/team/application:{n:060}"));
            idle.want(&"containerd".parse().unwrap(), names.collect());
            idle.end(&last(Ended::Whole, Vec::new())).unwrap();
        }
        let left = numbers(&RealFiles, &directory_of(dir.path())).unwrap();
        assert_eq!((left.len(), left[0], left[1]), (RECENT + 2, 1, 4), "{left:?}");
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..KEPT + 3 {
            run(dir.path(), "a-1").note(&"containerd".parse().unwrap(), [named("a:1")]).unwrap();
        }
        let left = numbers(&RealFiles, &directory_of(dir.path())).unwrap();
        assert_eq!((left.len(), left[0], left[KEPT - 1]), (KEPT, 4, KEPT as u64 + 3));
    }

    /// A file that takes the first of each write and no more, and cannot be cut back.
    struct Short(std::sync::Arc<Mutex<Vec<u8>>>);

    impl io::Write for Short {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut all = self.0.lock().unwrap();
            if all.is_empty() {
                all.extend(&bytes[..9]);
                return Ok(9);
            }
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl OutFile for Short {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn cut(&mut self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn after_a_change_that_could_not_be_noted_none_is_taken_for_noted() {
        let dir = tempfile::tempdir().unwrap();
        let (changes, target) = (run(dir.path(), "a-1"), "containerd".parse().unwrap());
        changes.note(&target, [named("a:1")]).unwrap();
        let written = std::sync::Arc::default();
        {
            let mut state = changes.state.lock().unwrap();
            let path = state.out.take().unwrap().0;
            state.out = Some((path, Box::new(Short(std::sync::Arc::clone(&written)))));
        }
        for name in ["a:2", "a:2", "a:3"] {
            assert!(changes.note(&target, [named(name)]).is_err(), "{name}");
        }
        changes.note(&target, [named("a:1")]).unwrap();
        assert_eq!(written.lock().unwrap().len(), 9, "nothing follows the line that was cut off");
    }
}
