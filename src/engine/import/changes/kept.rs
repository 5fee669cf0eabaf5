//! The files in which runs are noted, a number each: found, read, and taken away where they are old or were taken back.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::half::{covers, takes_up};
use super::holder::Holder;
use super::made::{Made, NotedTarget};
use super::noted::{self, Begun, Ended, NotedRun, id, parse, text};
use crate::domain::import::Target;
use crate::engine::directory;
use crate::engine::error::Result;
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::import::k3s::undo::ArchiveChange;
use crate::engine::import::undo::UndoError;
use crate::engine::sign::store::rewrite;

/// Below the directory of history.
const DIRECTORY: &str = "imports";
pub(super) const SUFFIX: &str = ".jsonl";
/// Bytes of a file that are read at most.
pub(in crate::engine::import) const MOST: u64 = 256 << 20;
/// Files that are kept; the oldest go first.
pub(super) const KEPT: usize = 100;
/// Runs that stay, also where they changed nothing.
pub(super) const RECENT: usize = 20;
/// Entries of the directory that are looked at, at most.
const SEEN: usize = 10_000;

/// A run whose file says nothing that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    /// The file.
    pub file: PathBuf,
    /// Why not.
    pub reason: String,
}

impl Unread {
    /// Its number.
    pub fn id(&self) -> String {
        id(&self.file)
    }
}

/// Makes room among the runs that were there before another: first of those go that changed nothing, the latest excepted,
/// which may still be at work.
pub(super) fn prune(files: &dyn Files, directory: &Path, there: &[u64]) -> Result<()> {
    let path = |number: &u64| directory.join(format!("{number:06}{SUFFIX}"));
    let (mut left, mut open): (Vec<&u64>, Vec<NotedRun>) = (Vec::new(), Vec::new());
    for (at, number) in there.iter().enumerate() {
        let old = at + RECENT < there.len();
        let Some((begun, made)) = old.then(|| read_run(files, &path(number))).flatten() else {
            left.push(number);
            continue;
        };
        // Nearly every run counts on something: that is no change.
        let changed = made.into_iter().filter(|made| !made.is_empty()).map(NotedTarget::from).collect();
        let run = NotedRun { targets: changed, ..NotedRun::idle(path(number), begun) };
        // One that did what an earlier one had left says so as long as that one is there.
        if run.changed_something() || open.iter().any(|earlier| takes_up(&run, earlier)) {
            left.push(number);
            open.extend(run.is_half().then_some(run));
        } else {
            files.remove(&path(number))?;
        }
    }
    let many = (left.len() + 1).saturating_sub(KEPT);
    Ok(left.into_iter().take(many).try_for_each(|number| files.remove(&path(number)))?)
}

/// The file of a run by what `airlift undo` was given: its number, or its name, where no such file is there. However a file
/// of the directory of history is spelt, it comes back as [`runs`] has it. Blocks.
pub(in crate::engine::import) fn named(files: &dyn Files, history: &Path, given: PathBuf) -> PathBuf {
    let text = given.to_string_lossy();
    let number = text.strip_suffix(SUFFIX).unwrap_or(&text).parse::<u64>();
    match number {
        Ok(number) if !matches!(files.stat(&given), Ok(Some(_))) => {
            directory_of(history).join(format!("{number:06}{SUFFIX}"))
        }
        _ => own(history, &given).unwrap_or(given),
    }
}

/// A file of the directory of history, as [`runs`] has it; nothing where it is none.
fn own(history: &Path, file: &Path) -> Option<PathBuf> {
    let (directory, real) = (directory_of(history), file.canonicalize().ok()?);
    let own = directory.canonicalize().ok()? == directory::above(&real);
    real.file_name().filter(|_| own).map(|name| directory.join(name))
}

/// Whether a run is still at work on its file, however that is spelt. Blocks.
pub(in crate::engine::import) fn is_at_work(files: &dyn Files, file: &Path) -> bool {
    let real = file.canonicalize();
    files.is_held(real.as_deref().unwrap_or(file)).unwrap_or(false)
}

pub(super) fn directory_of(history: &Path) -> PathBuf {
    history.join(DIRECTORY)
}

/// The numbers of the files that are there, in order.
pub(super) fn numbers(files: &dyn Files, directory: &Path) -> Result<Vec<u64>> {
    if files.stat(directory)?.is_none() {
        return Ok(Vec::new());
    }
    let entries = files.entries(directory, SEEN)?;
    let number = |path: &str| path.strip_suffix(SUFFIX)?.parse().ok();
    let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| number(&entry.path)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number of the next run: above those of all files, also of those that were renamed since.
pub(super) fn next(files: &dyn Files, directory: &Path) -> Result<u64> {
    let entries = files.entries(directory, SEEN)?;
    let number = |path: &str| path.split_once(SUFFIX)?.0.parse::<u64>().ok();
    Ok(entries.iter().filter_map(|entry| number(&entry.path)).max().map_or(1, |last| last + 1))
}

/// What a run noted; nothing where that cannot be read. Blocks.
pub(in crate::engine::import) fn read_run(files: &dyn Files, file: &Path) -> Option<(Begun, Vec<Made>)> {
    let bytes = read_whole(open_named(files, file).ok()?, MOST).ok()?;
    parse(&String::from_utf8_lossy(&bytes))
}

/// The runs that came to note anything and cannot be read, the latest first. Blocks.
///
/// # Errors
/// The kernel's.
pub(in crate::engine::import) fn unread(files: &dyn Files, history: &Path) -> Result<Vec<Unread>> {
    let directory = directory_of(history);
    let mut all = Vec::new();
    for number in numbers(files, &directory)?.into_iter().rev() {
        let file = directory.join(format!("{number:06}{SUFFIX}"));
        let read = |open| read_whole(open, MOST).map_err(|error| error.to_string());
        let bytes = open_named(files, &file).map_err(|error| error.source.to_string()).and_then(read);
        let reason = match bytes {
            // It was cut off before it began: nothing was changed before its first line was whole.
            Ok(bytes) if bytes.is_empty() => continue,
            Ok(bytes) => noted::read(&String::from_utf8_lossy(&bytes)).err(),
            Err(reason) => Some(reason),
        };
        all.extend(reason.map(|reason| Unread { file, reason }));
    }
    Ok(all)
}

/// The runs that are noted, the latest first; what cannot be read is left out, and what was taken back. Blocks.
///
/// # Errors
/// The kernel's.
pub(in crate::engine::import) fn runs(files: &dyn Files, history: &Path) -> Result<Vec<NotedRun>> {
    let directory = directory_of(history);
    let mut runs: Vec<NotedRun> = Vec::new();
    let mut wants = Wants::default();
    let mut tidied: Vec<Target> = Vec::new();
    let mut undone: Vec<Begun> = Vec::new();
    let mut broken: Vec<Begun> = Vec::new();
    let mut archives: Vec<ArchiveChange> = Vec::new();
    for number in numbers(files, &directory)?.into_iter().rev() {
        let file = directory.join(format!("{number:06}{SUFFIX}"));
        // Before it is read: one that ends meanwhile has said how.
        let running = files.is_held(&file).unwrap_or(false);
        let Some((begun, made)) = read_run(files, &file) else { continue };
        tidied.extend(begun.tidied());
        if begun.undone.is_none() {
            let begun = Begun { running: running && begun.ended.is_none(), ..begun };
            let holder = Holder::of(&begun, &made);
            let wanted = made.iter().map(|made| (made.target.clone(), made.wanted.clone())).collect();
            let own: Vec<ArchiveChange> = made.iter().flat_map(|made| made.archives.clone()).collect();
            let made = made.into_iter().filter_map(|made| standing(files, made, &archives));
            let made: Vec<Made> = made.collect();
            archives.extend(own);
            let wanted_by = wants.of(&begun, &made);
            let mut targets = made.into_iter().map(NotedTarget::from).collect();
            let unfinished = begun.unfinished().filter(|target| !tidied.contains(target));
            unfinished.for_each(|target| NotedTarget::left_unfinished(&mut targets, target));
            let over = undone.iter().any(|later| covers(later, &begun));
            let run = NotedRun { wanted_by, targets, over, ..NotedRun::idle(file, begun) };
            wants.add((run.id(), holder), wanted);
            runs.push(run);
        } else if begun.ended == Some(Ended::Whole) {
            undone.push(begun);
        } else {
            broken.push(begun);
        }
    }
    let gone: Vec<&Begun> = undone.iter().chain(&broken).collect();
    runs.iter_mut().for_each(|run| forget(run, &gone));
    Ok(runs)
}

/// Forgets what a run said that a target had, where another one was taken back there since: what of it is there still is not
/// known. Of one that can be taken back itself it stays.
fn forget(run: &mut NotedRun, gone: &[&Begun]) {
    if run.changed_something() {
        return;
    }
    let begun = run.begun.begun;
    let since = |other: &&&Begun| other.undone.is_some_and(|at| at > begun);
    let counted = |target: &Target| gone.iter().filter(since).all(|other| !other.into.contains(target));
    run.begun.left.retain(|left| !takes_back(&left.target) || counted(&left.target));
}

/// Whether what a run brings there can be taken back.
const fn takes_back(target: &Target) -> bool {
    matches!(target, Target::Containerd(_) | Target::K3s(_) | Target::ContainersStorage(None))
}

/// What runs count on, by number, the latest first.
#[derive(Default)]
struct Wants(Vec<(String, Holder, Vec<WantedIn>)>);

/// Names and paths of a target.
type WantedIn = (Target, HashSet<String>);

impl Wants {
    fn add(&mut self, (id, holder): (String, Holder), wanted: Vec<(Target, Vec<String>)>) {
        let sets = wanted.into_iter().map(|(target, names)| (target, names.into_iter().collect()));
        self.0.push((id, holder, sets.collect()));
    }

    /// Those that hold what an earlier run made.
    fn of(&self, earlier: &Begun, made: &[Made]) -> Vec<String> {
        let on = |one: &Made, wanted: &[WantedIn]| {
            let wanted = wanted.iter().filter(|(target, _)| *target == one.target);
            wanted.map(|(_, names)| names).any(|names| one.claims().any(|mark| names.contains(&mark)))
        };
        let later = self.0.iter().filter(|(_, holder, _)| holder.holds(earlier));
        let claims = later.filter(|(_, _, wanted)| made.iter().any(|one| on(one, wanted)));
        claims.map(|(id, ..)| id.clone()).collect()
    }
}

/// What of it can still be taken back, as far as files of the node and what later runs did to archives tell; nothing where
/// that is nothing. Blocks.
fn standing(files: &dyn Files, mut made: Made, later: &[ArchiveChange]) -> Option<Made> {
    let store = match &made.target {
        Target::ContainersStorage(store) => store.clone(),
        _ => None,
    };
    made.files.retain(|file| file.stands(files, store.as_deref()));
    let there = |archive: &ArchiveChange| !matches!(files.stat(&archive.path), Ok(None));
    made.archives.retain(|archive| !archive.is_over(later) && there(archive));
    (!made.is_empty()).then_some(made)
}

/// The file of the newest run that came to note anything and was not taken back, whether it can be read or not. Blocks.
///
/// # Errors
/// The kernel's.
pub(in crate::engine::import) fn newest(files: &dyn Files, history: &Path) -> Result<Option<PathBuf>> {
    let directory = directory_of(history);
    for number in numbers(files, &directory)?.into_iter().rev() {
        let file = directory.join(format!("{number:06}{SUFFIX}"));
        let bytes = open_named(files, &file).ok().and_then(|open| read_whole(open, MOST).ok());
        // It was cut off before it began: nothing was changed before its first line was whole.
        let unbegun = bytes.as_ref().is_some_and(Vec::is_empty);
        let read = bytes.and_then(|bytes| parse(&String::from_utf8_lossy(&bytes)));
        if !unbegun && read.is_none_or(|(begun, _)| begun.undone.is_none()) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The run that came last, where it was taken back since. Blocks.
///
/// # Errors
/// The kernel's.
pub(in crate::engine::import) fn last_undone(files: &dyn Files, history: &Path) -> Result<Option<NotedRun>> {
    let directory = directory_of(history);
    let path = |number: u64| directory.join(format!("{number:06}{SUFFIX}"));
    let mut all = numbers(files, &directory)?.into_iter().rev().map(path);
    let last = all.find_map(|file| Some((read_run(files, &file)?.0, file)));
    let undone = last.filter(|(begun, _)| begun.undone.is_some());
    Ok(undone.map(|(begun, file)| NotedRun::idle(file, begun)))
}

/// Notes that a run is not to be offered for going on any more; all else that it noted stays. Blocks.
///
/// # Errors
/// [`UndoError::Running`], or the kernel's.
pub fn dismiss(files: &dyn Files, file: &Path, now: Timestamp) -> Result<()> {
    let held = files.is_held(file)?;
    let Some((begun, made)) = read_run(files, file) else { return Ok(()) };
    if held {
        // It writes there itself.
        return Err(UndoError::Running { run: Box::new(NotedRun::idle(file.to_owned(), begun)) }.into());
    }
    rewrite(files, file, &text(&Begun { dismissed: Some(now), ..begun }, &made))
}

/// Leaves of a run what could not be taken back, and where nothing is left, that it was, and when: its number stays its
/// own. A file that lies elsewhere stays as it is, as does that of a run at work. Blocks.
///
/// # Errors
/// The kernel's.
pub(in crate::engine::import) fn leave(
    files: &dyn Files,
    history: &Path,
    file: &Path,
    (left, now): (&[Made], Timestamp),
) -> Result<()> {
    // To one at work its file stays the one that it writes.
    if own(history, file).is_none() || is_at_work(files, file) {
        return Ok(());
    }
    let Some((mut begun, _)) = read_run(files, file) else { return Ok(()) };
    if left.is_empty() {
        begun.undone = Some(now);
    }
    rewrite(files, file, &text(&begun, left))
}
