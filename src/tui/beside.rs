//! The kept list belongs to one workstation at a time: one that runs beside it works on a list of its own, and no line is lost.
//!
//! What was changed apart joins the kept list: at once where its workstation has ended, else when the next one begins.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::config::paths::Paths;
use crate::engine::error::FileError;
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
    /// How many lines came to its list that were picked apart.
    pub(super) joined: usize,
    /// Its lock, as long as it runs; nothing where there are no locks.
    #[expect(dead_code, reason = "the descriptor holds the lock")]
    held: Option<File>,
}

/// Takes the kept list, or begins one apart where another workstation has it. What others left apart joins either.
///
/// # Errors
/// The kernel's.
pub(super) fn begin(files: &dyn Files, paths: &Paths) -> FileResult<Begun> {
    let kept = paths.kept();
    files.create_dir(&kept)?;
    let lock = match hold(&kept) {
        Ok(lock) => lock,
        // Where nothing can be locked, nobody can be told of.
        Err(_) => return Ok(Begun::default()),
    };
    let list = kept.join(LIST);
    let Some(before) = read(&list)? else { return Ok(Begun { held: lock, ..Begun::default() }) };
    let (text, left) = joined(files, &kept, &before);
    let count = fresh(&before, &text);
    let write = |path: PathBuf, text: &str| store::write_over(files, &path, text.as_bytes());
    let begun = if lock.is_some() {
        if text != before {
            write(list, &text)?;
        }
        Begun { beside: None, joined: count, held: lock }
    } else {
        let who = Holder::of(&kept.join(LOCK)).map(|holder| holder.to_string());
        let own = kept.join(APART).join(uuid::Uuid::now_v7().to_string());
        files.create_dir(&own)?;
        let held = hold(&own).map_err(failed("lock", &own))?;
        write(own.join(LIST), &text)?;
        // What is not there yet, nobody joins.
        write(own.join(BEGAN_WITH), &before)?;
        Begun { beside: Some((own, Beside { who, began_with: before })), joined: count, held }
    };
    left.iter().try_for_each(|(directory, _)| files.remove_tree(directory))?;
    Ok(begun)
}

/// Waits until nobody has the kept list any more, and takes it: its lock, to be held on to, and its text. Blocks.
///
/// # Errors
/// The kernel's.
pub(super) fn wait(paths: &Paths) -> FileResult<(File, String)> {
    let kept = paths.kept();
    let file = open(&kept).and_then(|file| file.lock().map(|()| file)).map_err(failed("lock", &kept))?;
    let text = read(&kept.join(LIST))?;
    text.map(|text| (file, text)).ok_or_else(|| failed("read", &kept)(ErrorKind::InvalidData.into()))
}

/// A list that was changed apart and the one that it began with, as one with what that has become: what either added is
/// there, what either took off is not.
pub(super) fn join(began_with: &str, theirs: &str, own: &str) -> String {
    let [then, there, here] = [began_with, theirs, own].map(|text| text.lines().collect::<HashSet<&str>>());
    let stays = theirs.lines().filter(|line| here.contains(line) || !then.contains(line));
    let new = own.lines().filter(|line| !there.contains(line) && !then.contains(line));
    stays.chain(new).flat_map(|line| [line, "\n"]).collect()
}

/// The list with what was left apart, and where that was, with the lock of each.
fn joined(files: &dyn Files, kept: &Path, list: &str) -> (String, Vec<(PathBuf, File)>) {
    let apart = kept.join(APART);
    let (mut text, mut left) = (list.to_owned(), Vec::new());
    let entries = files.entries(&apart, MOST).unwrap_or_default();
    for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory) {
        let directory = apart.join(&entry.path);
        let read = |name: &str| read(&directory.join(name)).ok().flatten();
        // One whose workstation runs is its own; one that nobody began with is being made.
        let Ok(Some(held)) = hold(&directory) else { continue };
        let there = matches!(files.stat(&directory.join(BEGAN_WITH)), Ok(Some(_)));
        let (true, Some(began_with), Some(own)) = (there, read(BEGAN_WITH), read(LIST)) else { continue };
        text = join(&began_with, &text, &own);
        left.push((directory, held));
    }
    (text, left)
}

/// How many lines of a text another one does not have.
fn fresh(before: &str, text: &str) -> usize {
    let before: HashSet<&str> = before.lines().collect();
    text.lines().filter(|line| !before.contains(line)).count()
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
        assert_eq!((text(&own).as_str(), second.joined), ("old:1\n", 0));
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
        assert_eq!((text(at(&third)).as_str(), third.joined), ("old:1\nmid:1\nredis:7\n", 1));
        assert_eq!(text(&kept), "old:1\nmid:1\n");
        drop((first, third));
        let last = begin(&paths);
        assert!(last.beside.is_none());
        assert_eq!((text(&kept).as_str(), last.joined), ("old:1\nmid:1\nredis:7\n", 1));
        assert_eq!(std::fs::read_dir(kept.join(APART)).unwrap().count(), 0);
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
            move || wait(&paths).unwrap()
        });
        write(&paths.kept(), "mid:1\n");
        drop(first);
        let (held, theirs) = waiting.join().unwrap();
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
        assert_eq!((begun.joined, text(&paths.kept()).as_str(), made.exists()), (0, "", true));
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
