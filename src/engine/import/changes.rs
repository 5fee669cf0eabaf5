//! What an import changes in runtimes and in files of the node, noted durably before it is done, a file for each run, so that also a run that was killed can be taken back.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::containerd::names::Change;
use super::containers_storage::undo::StoreChange;
use super::error::ImportError;
use super::k3s::undo::ArchiveChange;
use crate::domain::import::Target;
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::{EngineError, FileError, Result};
use crate::engine::files::{Files, OutFile, open_named, read_whole};
use crate::engine::storage::change::FileChange;

const FORMAT: &str = "airlift-changes/1";
/// Below the directory of history.
const DIRECTORY: &str = "imports";
const SUFFIX: &str = ".jsonl";
/// Bytes of a file that are read at most.
pub(super) const MOST: u64 = 256 << 20;
/// Bytes that must find room before anything is changed: some dozen names.
const PROBE: usize = 4096;
/// Files that are kept; the oldest go first.
const KEPT: usize = 100;
/// Runs that stay, also where they changed nothing.
const RECENT: usize = 20;
/// Bytes of a file that may be a first line alone.
const HEAD: u64 = 64 << 10;
/// Entries of the directory that are looked at, at most.
const SEEN: usize = 10_000;

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Begun {
    format: String,
    /// When the run began to change something, by its clock.
    pub begun: Timestamp,
    /// The bundle, `name-serial`.
    pub bundle: String,
    /// All targets of the run, also those in which it changed nothing.
    #[serde(default)]
    pub into: Vec<Target>,
    /// Whether it imported nothing, and took stores out of the files of the node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_out: bool,
}

/// One more line: a change that is about to be made.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    target: Target,
    #[serde(flatten)]
    noted: Noted,
}

/// A change that can be taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Noted {
    /// Of a name in a runtime.
    Change(Change),
    /// Of a file of the node.
    File(FileChange),
    /// Of the archive in an images directory.
    Archive(ArchiveChange),
    /// Of an image in the node's own store.
    Stored(StoreChange),
}

/// What a run noted, or its report says, of one target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Made {
    /// Which.
    pub(super) target: Target,
    /// Names that were made or pointed elsewhere.
    #[serde(default)]
    pub(super) changes: Vec<Change>,
    /// Files of the node that were changed with it.
    #[serde(default)]
    pub(super) files: Vec<FileChange>,
    /// What was done to the archive in an images directory.
    #[serde(default)]
    pub(super) archives: Vec<ArchiveChange>,
    /// Images that were put into the node's own store.
    #[serde(default)]
    pub(super) stored: Vec<StoreChange>,
}

impl Made {
    const fn of(target: Target) -> Self {
        Self { target, changes: Vec::new(), files: Vec::new(), archives: Vec::new(), stored: Vec::new() }
    }

    /// Whether there is nothing to take back.
    pub(super) const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.files.is_empty() && self.archives.is_empty() && self.stored.is_empty()
    }

    /// What is changed by it, by name or path: what a later run changes too is that one's.
    pub(super) fn marks(&self) -> impl Iterator<Item = String> {
        let names = self.changes.iter().map(|change| change.name.clone());
        let names = names.chain(self.stored.iter().flat_map(|image| image.names.iter().cloned()));
        names.chain(self.archives.iter().map(|archive| archive.path.display().to_string()))
    }
}

/// How much of a target can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotedTarget {
    /// Which.
    pub target: Target,
    /// Names that were not there before.
    pub made: usize,
    /// Names that stood for something else, or were not marked as the runtime wants it.
    pub changed: usize,
    /// Files of the node.
    pub files: Vec<PathBuf>,
}

impl From<Made> for NotedTarget {
    fn from(Made { target, changes, files, archives, stored }: Made) -> Self {
        let changed = changes.iter().filter(|change| change.was.is_some()).count();
        let mut files: Vec<PathBuf> = files.into_iter().map(|file| file.path).collect();
        files.extend(archives.into_iter().map(|archive| archive.path));
        files.dedup();
        let named: usize = stored.iter().map(|image| image.names.len()).sum();
        Self { target, made: changes.len() - changed + named, changed, files }
    }
}

/// A run that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotedRun {
    /// The file that `airlift undo` takes.
    pub file: PathBuf,
    /// When it began and of which bundle it was.
    #[serde(flatten)]
    pub begun: Begun,
    /// The targets in which it changed something that can be taken back.
    pub targets: Vec<NotedTarget>,
}

impl NotedRun {
    /// Its number, by which `airlift undo` knows it too.
    pub fn id(&self) -> String {
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.strip_suffix(SUFFIX).unwrap_or(&name).to_owned()
    }

    /// Whether there is anything to take back.
    pub const fn changed_something(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Which run it was: its bundle, time and targets.
    pub fn words(&self) -> String {
        let Begun { begun, bundle, into, takes_out, .. } = &self.begun;
        let noted: Vec<&Target> = match into.is_empty() {
            true => self.targets.iter().map(|one| &one.target).collect(),
            false => into.iter().collect(),
        };
        let targets: Vec<String> = noted.into_iter().map(Target::to_string).collect();
        let what = if *takes_out { "--storage-conf undo with" } else { "import of" };
        format!("{what} {bundle} of {} into {}", begun.strftime("%F %R UTC"), targets.join(", "))
    }
}

/// What this run changes. All clones of a job share one.
pub(super) struct Changes {
    ctx: JobCtx,
    directory: Option<PathBuf>,
    begun: Begun,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    out: Option<(PathBuf, Box<dyn OutFile>)>,
    known: HashSet<String>,
    /// Targets with which files of the node were changed.
    filed: Vec<Target>,
    /// Why the run itself could not be noted.
    unbegun: Option<EngineError>,
}

impl Changes {
    /// Of an import of a bundle, to be noted below the directory of history; nowhere, where there is none.
    pub(super) fn new(
        ctx: &JobCtx,
        history: Option<&Path>,
        bundle: String,
        (into, takes_out): (Vec<Target>, bool),
    ) -> Self {
        let begun = Begun { format: FORMAT.to_owned(), begun: ctx.clock.now(), bundle, into, takes_out };
        let directory = history.map(directory_of);
        Self { ctx: ctx.clone(), directory, begun, state: Mutex::default() }
    }

    /// Notes that the run begins: whatever becomes of it, it is the last from now on. Blocks.
    pub(super) fn start(&self) {
        let Some(directory) = &self.directory else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.begin(directory) {
            Ok(begun) => state.out = Some(begun),
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
        let mut new = String::new();
        for noted in changes {
            if matches!(noted, Noted::File(_)) {
                state.filed.push(target.clone());
            }
            let line = Line { target: target.clone(), noted };
            let line = serde_json::to_string(&line).unwrap_or_default();
            if state.known.insert(line.clone()) {
                new.push_str(&line);
                new.push('\n');
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        if state.out.is_none() {
            state.out = Some(self.begin(directory)?);
        }
        let Some((path, out)) = &mut state.out else { return Ok(()) };
        let failed = |source| FileError { operation: "write", path: path.clone(), source };
        out.write_all(new.as_bytes()).and_then(|()| out.sync()).map_err(failed)?;
        Ok(())
    }

    /// The file, where any change was noted.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = !state.known.is_empty();
        state.out.as_ref().filter(|_| changed).map(|(path, _)| path.clone())
    }

    /// Whether files of the node were changed with a target.
    pub(super) fn has_files(&self, target: &Target) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).filed.contains(target)
    }

    /// Makes the next file, by number: no clock tells which came last.
    fn begin(&self, directory: &Path) -> Result<(PathBuf, Box<dyn OutFile>)> {
        directory::create(&*self.ctx.files, directory)?;
        let there = numbers(&*self.ctx.files, directory)?;
        let mut number = there.last().map_or(1, |last| last + 1);
        let (path, mut out) = loop {
            let path = directory.join(format!("{number:06}{SUFFIX}"));
            match self.ctx.files.create(&path) {
                // Another run took that number just now.
                Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                other => break (path, other?),
            }
        };
        let mut line = serde_json::to_string(&self.begun).unwrap_or_default();
        line.push('\n');
        let failed = |source| FileError { operation: "write", path: path.clone(), source };
        out.write_all(line.as_bytes()).and_then(|()| out.sync()).map_err(failed)?;
        self.ctx.files.sync_dir(directory)?;
        prune(&*self.ctx.files, directory, &there)?;
        Ok((path, out))
    }
}

/// Makes room among the runs that were there before another: first of those go that changed nothing, the latest excepted,
/// which may still be at work.
fn prune(files: &dyn Files, directory: &Path, there: &[u64]) -> Result<()> {
    let path = |number: &u64| directory.join(format!("{number:06}{SUFFIX}"));
    let mut left = Vec::new();
    for (at, number) in there.iter().enumerate() {
        let size = files.stat(&path(number))?.map_or(0, |stat| stat.size);
        let idle = at + RECENT < there.len()
            && size <= HEAD
            && read_run(files, &path(number)).is_some_and(|(_, made)| made.is_empty());
        if idle { files.remove(&path(number))? } else { left.push(number) }
    }
    let many = (left.len() + 1).saturating_sub(KEPT);
    Ok(left.into_iter().take(many).try_for_each(|number| files.remove(&path(number)))?)
}

/// The file of a run by what `airlift undo` was given: its number, or its name, where no such file is there.
pub(super) fn named(history: &Path, given: PathBuf) -> PathBuf {
    let text = given.to_string_lossy();
    let number = text.strip_suffix(SUFFIX).unwrap_or(&text).parse::<u64>();
    match number {
        Ok(number) if !given.exists() => directory_of(history).join(format!("{number:06}{SUFFIX}")),
        _ => given,
    }
}

fn unnoted(directory: &Path, error: &EngineError) -> EngineError {
    let (kind, reason) = (error.kind(), error.message());
    ImportError::Unnoted { directory: directory.to_owned(), kind, reason }.into()
}

fn directory_of(history: &Path) -> PathBuf {
    history.join(DIRECTORY)
}

/// The numbers of the files that are there, in order.
fn numbers(files: &dyn Files, directory: &Path) -> Result<Vec<u64>> {
    if files.stat(directory)?.is_none() {
        return Ok(Vec::new());
    }
    let entries = files.entries(directory, SEEN)?;
    let number = |path: &str| path.strip_suffix(SUFFIX)?.parse().ok();
    let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| number(&entry.path)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What a run noted; nothing where that cannot be read. Blocks.
pub(super) fn read_run(files: &dyn Files, file: &Path) -> Option<(Begun, Vec<Made>)> {
    let bytes = read_whole(open_named(files, file).ok()?, MOST).ok()?;
    parse(&String::from_utf8_lossy(&bytes))
}

/// The runs that are noted, the latest first; what cannot be read is left out. Blocks.
///
/// # Errors
/// The kernel's.
pub(super) fn runs(files: &dyn Files, history: &Path) -> Result<Vec<NotedRun>> {
    let directory = directory_of(history);
    let mut runs = Vec::new();
    for number in numbers(files, &directory)?.into_iter().rev() {
        let file = directory.join(format!("{number:06}{SUFFIX}"));
        if let Some((begun, made)) = read_run(files, &file) {
            let targets = made.into_iter().map(NotedTarget::from).collect();
            runs.push(NotedRun { file, begun, targets });
        }
    }
    Ok(runs)
}

/// Forgets a run that was taken back; a file that lies elsewhere stays. Blocks.
///
/// # Errors
/// The kernel's.
pub(super) fn forget(files: &dyn Files, history: &Path, file: &Path) -> Result<()> {
    let real = |path: &Path| path.canonicalize().ok();
    let own = real(&directory_of(history));
    if own.is_some() && real(directory::above(file)) == own {
        files.remove(file)?;
        files.sync_dir(directory::above(file))?;
    }
    Ok(())
}

/// What a file says, target by target; nothing where it is none of these. A last line that was cut off changed nothing.
pub(super) fn parse(text: &str) -> Option<(Begun, Vec<Made>)> {
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let begun: Begun = serde_json::from_str(lines.next()?).ok()?;
    if begun.format != FORMAT {
        return None;
    }
    let mut all: Vec<Made> = Vec::new();
    for line in lines {
        let Line { target, noted } = serde_json::from_str(line).ok()?;
        let at = all.iter().position(|made| made.target == target).unwrap_or_else(|| {
            all.push(Made::of(target));
            all.len() - 1
        });
        match noted {
            Noted::Change(change) => all[at].changes.push(change),
            Noted::File(file) => all[at].files.push(file),
            Noted::Archive(archive) => all[at].archives.push(archive),
            Noted::Stored(image) => all[at].stored.push(image),
        }
    }
    Some((begun, all))
}

#[cfg(test)]
mod tests {
    use super::super::later::Later;
    use super::*;
    use crate::domain::digest::Digest;
    use crate::engine::files::RealFiles;

    fn change(name: &str) -> Change {
        Change { name: name.to_owned(), digest: Digest::sha256(&[1; 32]), was: None }
    }

    fn named(name: &str) -> Noted {
        Noted::Change(change(name))
    }

    fn made(target: &Target, changes: Vec<Change>) -> Made {
        Made { changes, ..Made::of(target.clone()) }
    }

    fn run(history: &Path, bundle: &str) -> Changes {
        let into = (vec!["containerd".parse().unwrap()], false);
        Changes::new(&JobCtx::silent(), Some(history), bundle.to_owned(), into)
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
        assert_eq!(std::fs::read_dir(dir.path().join(DIRECTORY)).unwrap().count(), 0, "it leaves nothing");
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
        }
        let runs = runs(&RealFiles, dir.path()).unwrap();
        let said =
            runs.iter().map(|run| (run.begun.bundle.as_str(), run.targets[0].made)).collect::<Vec<_>>();
        assert_eq!(said, [("a-2", 3), ("a-1", 3)], "what is noted twice counts once");
        forget(&RealFiles, dir.path(), &runs[0].file).unwrap();
        assert_eq!(super::runs(&RealFiles, dir.path()).unwrap(), runs[1..]);
        let other = dir.path().join("report.json");
        std::fs::write(&other, "{}").unwrap();
        forget(&RealFiles, dir.path(), &other).unwrap();
        assert!(other.exists(), "a file of the operator's own stays");
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
    fn files_of_the_node_are_noted_beside_names_with_all_that_was_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let (changes, target) = (run(dir.path(), "a-1"), "containers-storage:/x".parse().unwrap());
        let text = r#"{"path":"/etc/containers/storage.conf","diff":["+b"],"before":"a\n","after":"a\nb\n"}"#;
        let file: FileChange = serde_json::from_str(text).unwrap();
        changes.note(&target, [Noted::File(file.clone()), named("a:1")]).unwrap();
        let text = std::fs::read_to_string(changes.file().unwrap()).unwrap();
        let (_, all) = parse(&text).unwrap();
        assert_eq!(all, [Made { changes: vec![change("a:1")], files: vec![file], ..Made::of(target) }]);
        let noted = &runs(&RealFiles, dir.path()).unwrap()[0].targets[0];
        assert_eq!((noted.made, noted.files[0].as_path()), (1, Path::new("/etc/containers/storage.conf")));
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
            run(dir.path(), "a-1").start();
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
}
