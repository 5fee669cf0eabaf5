//! The kept list belongs to one workstation at a time: one that runs beside it works on a list of its own, and no line is lost.
//!
//! What was changed apart joins the kept list: at once where its workstation has ended, else when the next one begins.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::picked::{PLATFORMS, Picked};
use crate::config::paths::Paths;
use crate::domain::listed;
use crate::engine::error::{EngineError, FileError};
use crate::engine::files::{EntryKind, FileResult, Files};
use crate::engine::media::Holder;
use crate::engine::store;

/// Held as long as a workstation works in a directory.
const LOCK: &str = "workstation.lock";
/// The list that is worked on.
pub(super) const LIST: &str = "images.txt";
/// The kept list as it was when a workstation began beside another one.
const BEGAN_WITH: &str = "began-with.txt";
/// Where those work.
const APART: &str = "apart";
/// Such directories that are looked at, at most.
const MOST: usize = 1000;
/// After this long, nobody is about to begin in one any more.
const BEGINNING: Duration = Duration::from_secs(60);

/// Another workstation has the kept list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Which one, where that can be told.
    pub who: Option<String>,
    /// The kept list as it was when this one began.
    pub began_with: String,
}

impl Beside {
    /// What is to be known of that.
    pub fn words(&self) -> String {
        let who = self.who.as_ref().map_or_else(String::new, |who| format!(" ({who})"));
        format!("another workstation has the list{who}; picks here are kept apart and join it when that ends")
    }
}

/// What a workstation found when it began.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// Where it works, where that is a directory of its own, and beside whom.
    pub(super) beside: Option<(PathBuf, Beside)>,
    /// What came to its list.
    pub(super) joined: Joined,
    /// Its lock, as long as it runs; nothing where there are no locks.
    #[expect(dead_code, reason = "the descriptor holds the lock")]
    held: Option<File>,
}

/// What was picked apart and came to the list as a workstation began.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// Lines that are new in it.
    pub(super) lines: usize,
    /// Images that went off it, as they were taken off apart.
    pub(super) off: Vec<String>,
    /// Why what still lies apart could not come to it.
    pub(super) trouble: Option<String>,
}

/// Takes the kept list, or begins one apart where another workstation has it. What others left apart joins either.
///
/// # Errors
/// The kernel's, where another workstation has the list and none can be begun beside it: nobody writes over that list.
pub(super) fn begin(files: &dyn Files, paths: &Paths) -> FileResult<Begun> {
    let kept = paths.kept();
    // Where nothing can be written or locked, nobody can be told of.
    let Ok(lock) = files.create_dir(&kept).map_err(drop).and_then(|()| hold(&kept).map_err(drop)) else {
        return Ok(Begun::default());
    };
    let Some(lock) = lock else {
        return beside(files, &kept, holder(paths).map(|holder| holder.to_string()));
    };
    let joined = match take_in(files, &kept) {
        Ok(joined) => joined,
        Err(error) => Joined { trouble: Some(EngineError::from(error).message()), ..Joined::default() },
    };
    Ok(Begun { beside: None, joined, held: Some(lock) })
}

impl Joined {
    /// What became of a list.
    fn of(before: &str, text: &str) -> Self {
        let known: HashSet<&str> = before.lines().collect();
        let lines = text.lines().filter(|line| !known.contains(line)).count();
        Self { lines, off: off(before, text), trouble: None }
    }
}

/// Images of a list that another one has no more.
pub(super) fn off(before: &str, text: &str) -> Vec<String> {
    let name = |line| listed::parts(line).0;
    let left: HashSet<&str> = text.lines().map(name).collect();
    let gone = before.lines().filter(|line| !left.contains(name(line)) && Picked::names_images(line));
    gone.map(|line| name(line).to_owned()).collect()
}

/// Has what was left apart join the kept list.
fn take_in(files: &dyn Files, kept: &Path) -> FileResult<Joined> {
    let list = kept.join(LIST);
    // What is no text is told once the list is read.
    let Some(before) = read(&list)? else { return Ok(Joined::default()) };
    let (text, left) = joined(files, kept, &before);
    if text != before {
        let since = latest(&list, &left);
        store::write_over(files, &list, text.as_bytes())?;
        date(&list, since);
    }
    clear(files, left)?;
    Ok(Joined::of(&before, &text))
}

/// Begins a list apart, with what others left apart.
fn beside(files: &dyn Files, kept: &Path, who: Option<String>) -> FileResult<Begun> {
    let list = kept.join(LIST);
    let before = read(&list)?.ok_or_else(|| failed("read", &list)(ErrorKind::InvalidData.into()))?;
    let own = kept.join(APART).join(uuid::Uuid::now_v7().to_string());
    files.create_dir(&own)?;
    // Whoever looks at it meanwhile lets go at once.
    let held = open(&own).and_then(|file| file.lock().map(|()| file)).map_err(failed("lock", &own))?;
    let (text, left) = joined(files, kept, &before);
    let since = latest(&list, &left);
    store::write_over(files, &own.join(LIST), text.as_bytes())?;
    date(&own.join(LIST), since);
    // What is not there yet, nobody joins.
    store::write_over(files, &own.join(BEGAN_WITH), before.as_bytes())?;
    clear(files, left)?;
    let joined = Joined::of(&before, &text);
    Ok(Begun { beside: Some((own, Beside { who, began_with: before })), joined, held: Some(held) })
}

/// Who has the kept list, where that can be told.
pub(super) fn holder(paths: &Paths) -> Option<Holder> {
    Holder::of(&paths.kept().join(LOCK))
}

/// The kept list, taken over.
pub(super) struct TakenOver {
    /// Its lock, to be held on to.
    pub(super) held: File,
    /// What the other workstation left.
    pub(super) theirs: String,
    /// What it is now on the disk: what was picked here so far has joined it.
    pub(super) now: String,
}

/// Waits until nobody has the kept list any more, and takes it. Blocks.
///
/// # Errors
/// The kernel's.
pub(super) fn wait(files: &dyn Files, paths: &Paths) -> FileResult<TakenOver> {
    let (kept, own) = (paths.kept(), paths.work());
    let lock = open(&kept).and_then(|file| file.lock().map(|()| file)).map_err(failed("lock", &kept))?;
    let list = kept.join(LIST);
    let theirs = read(&list)?.ok_or_else(|| failed("read", &list)(ErrorKind::InvalidData.into()))?;
    let mut now = theirs.clone();
    if let (Some(began_with), Some(picked)) = (there(&own.join(BEGAN_WITH)), there(&own.join(LIST))) {
        now = join(&began_with, &theirs, &picked);
        if now != theirs {
            store::write_over(files, &list, now.as_bytes())?;
        }
        // It is the kept list from now on: nobody joins it a second time, when that has gone on.
        files.remove(&own.join(BEGAN_WITH))?;
        files.sync_dir(&own)?;
    }
    Ok(TakenOver { held: lock, theirs, now })
}

/// A list that was changed apart and the one that it began with, as one with what that has become: what either added is
/// there, what either took off is not. Platforms are those that were chosen apart, where they were.
pub(super) fn join(began_with: &str, theirs: &str, own: &str) -> String {
    let [(was, then), (now, there), (chosen, here)] = [began_with, theirs, own].map(|text| {
        let (platforms, lines): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.starts_with(PLATFORMS));
        (platforms.first().copied(), lines)
    });
    let platforms = if chosen == was { now } else { chosen };
    let known: HashSet<&str> = then.iter().copied().collect();
    let (own, others): (HashSet<&str>, HashSet<&str>) =
        (here.iter().copied().collect(), there.iter().copied().collect());
    let stays = there.iter().copied().filter(|line| own.contains(line) || !known.contains(line));
    let new = here.iter().copied().filter(|line| !others.contains(line) && !known.contains(line));
    platforms.into_iter().chain(stays).chain(new).flat_map(|line| [line, "\n"]).collect()
}

/// The list with what was left apart, and where that was, with the lock of each.
fn joined(files: &dyn Files, kept: &Path, list: &str) -> (String, Vec<(PathBuf, File)>) {
    let apart = kept.join(APART);
    let (mut text, mut left) = (list.to_owned(), Vec::new());
    let entries = files.entries(&apart, MOST).unwrap_or_default();
    for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory) {
        let directory = apart.join(&entry.path);
        let began_with = || there(&directory.join(BEGAN_WITH));
        // One that nobody began with is being made, or is another's list by now.
        if began_with().is_none() && !is_old(&directory) {
            continue;
        }
        // One whose workstation runs is its own.
        let Ok(Some(held)) = hold(&directory) else { continue };
        match (began_with(), there(&directory.join(LIST))) {
            (Some(began_with), Some(own)) => {
                text = join(&began_with, &text, &told_apart([&text, &began_with], &own))
            }
            // A list that is not there took nothing off.
            (Some(_), None) => {}
            (None, _) if is_old(&directory) => {}
            (None, _) => continue,
        }
        left.push((directory, held));
    }
    (text, left)
}

/// A list of another workstation in which what none of these has says where it came from.
fn told_apart(known: [&str; 2], own: &str) -> String {
    let known: HashSet<&str> = known.into_iter().flat_map(str::lines).collect();
    let told = |line: &str| match listed::parts(line) {
        (name, origin) if !known.contains(line) && Picked::names_images(line) => {
            listed::from(name, &listed::elsewhere(origin))
        }
        _ => line.to_owned(),
    };
    own.lines().flat_map(|line| [told(line), "\n".to_owned()]).collect()
}

/// Whether nobody can be about to begin in a directory.
fn is_old(directory: &Path) -> bool {
    let changed = std::fs::metadata(directory).and_then(|meta| meta.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|since| since > BEGINNING))
}

/// Removes what joined a list: first what says that it is to join one.
fn clear(files: &dyn Files, left: Vec<(PathBuf, File)>) -> FileResult<()> {
    for (directory, held) in left {
        files.remove(&directory.join(BEGAN_WITH))?;
        files.sync_dir(&directory)?;
        // An open file of some file systems keeps its directory.
        drop(held);
        // Nobody looks at what stays of it before it is old.
        let _ = files.remove_tree(&directory);
    }
    Ok(())
}

/// When a list, or one of those that joined it, was written last.
fn latest(list: &Path, left: &[(PathBuf, File)]) -> Option<SystemTime> {
    let lists = left.iter().map(|(directory, _)| directory.join(LIST)).chain([list.to_owned()]);
    lists.filter_map(|list| std::fs::metadata(list).and_then(|meta| meta.modified()).ok()).max()
}

/// A list that was only copied is as old as what it was copied from. It is told of, nothing hangs on it: where no time can
/// be set, it is as new as its file.
fn date(list: &Path, since: Option<SystemTime>) {
    if let (Some(since), Ok(file)) = (since, File::options().write(true).open(list)) {
        let _ = file.set_modified(since);
    }
}

fn open(directory: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(directory.join(LOCK))
}

/// The lock of a directory; nothing where another one has it.
fn hold(directory: &Path) -> io::Result<Option<File>> {
    let file = open(directory)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A list that is there and is text.
fn there(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// A list; one that is not there is empty, and nothing is one that cannot be read as text.
fn read(path: &Path) -> FileResult<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(String::new())),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn failed(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { operation, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    fn begin(paths: &Paths) -> Begun {
        super::begin(&RealFiles, paths).unwrap()
    }

    fn at(begun: &Begun) -> &Path {
        &begun.beside.as_ref().expect("it has the kept list").0
    }

    fn write(directory: &Path, text: &str) {
        std::fs::write(directory.join(LIST), text).unwrap();
    }

    fn text(directory: &Path) -> String {
        std::fs::read_to_string(directory.join(LIST)).unwrap_or_default()
    }

    #[test]
    fn what_either_added_is_there_and_what_either_took_off_is_not() {
        for (began_with, theirs, own, expected) in [
            ("", "a\n", "b\n", "a\nb\n"),
            ("a\nb\n", "a\nb\nc\n", "b\nd\n", "b\nc\nd\n"),
            ("a\nb\n", "b\n", "a\nb\n", "b\n"),
            ("a\n", "a\n", "a\n", "a\n"),
            ("# platforms: linux/amd64\na\n", "# platforms: linux/amd64\na\n", "a\nb\n", "a\nb\n"),
            ("", "a", "b", "a\nb\n"),
            ("a\n", "# platforms: linux/arm64\na\n", "a\n", "# platforms: linux/arm64\na\n"),
            (
                "",
                "# platforms: linux/arm64\na\n",
                "# platforms: linux/amd64\n",
                "# platforms: linux/amd64\na\n",
            ),
        ] {
            assert_eq!(join(began_with, theirs, own), expected, "{began_with:?} {theirs:?} {own:?}");
        }
    }

    #[test]
    fn of_two_workstations_one_has_the_list_and_what_the_other_picked_joins_it() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let kept = paths.kept();
        let first = begin(&paths);
        assert!(first.beside.is_none());
        write(&kept, "old:1\n");
        let second = begin(&paths);
        let own = at(&second).to_owned();
        assert_eq!((text(&own).as_str(), second.joined.lines), ("old:1\n", 0));
        let pid = format!("process {} on ", std::process::id());
        let words = second.beside.as_ref().unwrap().1.words();
        // Within a layered file system the kernel may know the lock by another number.
        assert!(words.contains(&pid) || words.starts_with("another workstation has the list;"), "{words}");
        write(&own, "old:1\nredis:7\n");
        write(&kept, "old:1\nmid:1\n");
        drop(second);
        // The first one is there still: who comes back beside it finds what was picked, and what is picked there.
        let third = begin(&paths);
        assert!(!own.exists());
        assert_eq!(
            (text(at(&third)).as_str(), third.joined.lines),
            ("old:1\nmid:1\nredis:7  # from another workstation\n", 1)
        );
        assert_eq!(text(&kept), "old:1\nmid:1\n");
        drop((first, third));
        let last = begin(&paths);
        assert!(last.beside.is_none());
        assert_eq!(
            (text(&kept).as_str(), last.joined.lines),
            ("old:1\nmid:1\nredis:7  # from another workstation\n", 1)
        );
        assert_eq!(std::fs::read_dir(kept.join(APART)).unwrap().count(), 0);
    }

    #[test]
    fn what_one_took_off_does_not_come_back_with_the_list_of_the_other_that_left_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let first = begin(&paths);
        write(&paths.kept(), "off:1\nmended:1\nold:1\n");
        let second = begin(&paths);
        write(&paths.kept(), "mended:2\nold:1\n");
        write(at(&second), "off:1\nmended:1\nold:1\nredis:7\n");
        drop((first, second));
        let last = begin(&paths);
        let expected = "mended:2\nold:1\nredis:7  # from another workstation\n";
        assert_eq!((text(&paths.kept()).as_str(), last.joined.lines), (expected, 1));
    }

    #[test]
    fn what_was_taken_off_apart_goes_off_the_list_and_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let first = begin(&paths);
        write(&paths.kept(), "# platforms: linux/amd64\nnginx:1  # from a.yaml:3\nold:1\n");
        let second = begin(&paths);
        write(at(&second), "# platforms: linux/amd64\nold:1\n");
        drop((first, second));
        let Joined { lines, off, .. } = begin(&paths).joined;
        assert_eq!((lines, off, text(&paths.kept()).lines().count()), (0, vec!["nginx:1".to_owned()], 2));
    }

    #[test]
    fn a_list_that_is_begun_beside_another_one_is_as_old_as_what_it_was_copied_from() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let kept = paths.kept();
        let age =
            |list: &Path, seconds| date(list, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)));
        let since = |list: &Path| {
            let modified = std::fs::metadata(list).unwrap().modified().unwrap();
            modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
        };
        let first = begin(&paths);
        write(&kept, "old:1\n");
        age(&kept.join(LIST), 1000);
        let second = begin(&paths);
        assert_eq!(since(&at(&second).join(LIST)), 1000);
        write(at(&second), "old:1\nredis:7\n");
        age(&at(&second).join(LIST), 2000);
        drop((first, second));
        let _last = begin(&paths);
        assert_eq!(
            (text(&kept).as_str(), since(&kept.join(LIST))),
            ("old:1\nredis:7  # from another workstation\n", 2000)
        );
    }

    #[test]
    fn one_that_waits_takes_the_list_over_when_the_other_ends() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let first = begin(&paths);
        let second = begin(&paths);
        assert!(second.beside.is_some());
        let waiting = std::thread::spawn({
            let paths = paths.clone();
            move || wait(&RealFiles, &paths).unwrap()
        });
        write(&paths.kept(), "mid:1\n");
        drop(first);
        let TakenOver { held, theirs, .. } = waiting.join().unwrap();
        assert_eq!(theirs, "mid:1\n");
        assert!(begin(&paths).beside.is_some(), "it is held");
        drop(held);
        assert!(begin(&paths).beside.is_none());
    }

    #[test]
    fn what_another_one_is_about_to_begin_is_left_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let made = paths.kept().join(APART).join("made");
        std::fs::create_dir_all(&made).unwrap();
        write(&made, "a:1\n");
        let begun = begin(&paths);
        assert_eq!((begun.joined.lines, text(&paths.kept()).as_str(), made.exists()), (0, "", true));
    }

    #[test]
    fn where_the_removal_of_what_joined_was_cut_off_nothing_is_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let first = begin(&paths);
        write(&paths.kept(), "old:1\n");
        let second = begin(&paths);
        let own = at(&second).to_owned();
        drop((first, second));
        std::fs::remove_file(own.join(LIST)).unwrap();
        let last = begin(&paths);
        assert_eq!((text(&paths.kept()).as_str(), last.joined.lines, own.exists()), ("old:1\n", 0, false));
    }

    #[test]
    fn a_list_that_was_taken_over_joins_no_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let first = begin(&paths);
        let second = begin(&paths);
        let own = at(&second).to_owned();
        write(&own, "redis:7\n");
        drop(first);
        let TakenOver { held, theirs, now } =
            wait(&RealFiles, &paths.clone().working_in(own.clone())).unwrap();
        assert_eq!(
            (theirs.as_str(), now.as_str(), text(&paths.kept()).as_str()),
            ("", "redis:7\n", "redis:7\n"),
            "also where it dies now"
        );
        write(&paths.kept(), "");
        drop((held, second));
        assert_eq!(begin(&paths).joined.lines, 0);
        assert_eq!((text(&paths.kept()).as_str(), own.exists()), ("", true), "it might be about to begin");
    }

    #[test]
    fn where_none_can_be_begun_beside_another_one_that_is_an_error_and_the_list_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        let first = begin(&paths);
        std::fs::write(paths.kept().join(APART), "no directory").unwrap();
        super::begin(&RealFiles, &paths).unwrap_err();
        drop(first);
        assert!(begin(&paths).beside.is_none());
    }

    #[test]
    fn a_list_that_is_no_text_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("c"), dir.path().join("d"));
        std::fs::create_dir_all(paths.kept()).unwrap();
        std::fs::write(paths.kept().join(LIST), b"\xff\n").unwrap();
        let first = begin(&paths);
        assert!(first.beside.is_none());
        assert_eq!(std::fs::read(paths.kept().join(LIST)).unwrap(), b"\xff\n");
    }
}
