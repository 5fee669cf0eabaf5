//! Writes the list: what somebody else wrote into its file is in every text that goes there, until the app has it too.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Writer, off};
use crate::engine::files::Files;
use crate::engine::store;
use crate::failure::Failure;
use crate::tui::beside::join;
use crate::tui::msg::{Found, Level, Msg};

/// Files that are kept beside one that was written anew, at most.
const KEPT: u32 = 99;

/// What is known of lists.
#[derive(Default)]
pub(super) struct Lists {
    /// Whether what is there must not be lost: it is not known here.
    beside: bool,
    /// What they were when they were read or written last.
    known: BTreeMap<PathBuf, String>,
    /// What was told of and is not in the texts that are to be written yet, in that order.
    told: Vec<Change>,
}

/// What somebody else made of a list.
#[derive(Clone)]
struct Change {
    path: PathBuf,
    was: String,
    now: String,
}

/// What is in the place of a list is none.
struct NoText;

impl Lists {
    /// A list has this text.
    pub(super) fn know(&mut self, path: PathBuf, text: String) {
        self.known.insert(path, text);
    }

    /// What is there is kept beside the next one.
    pub(super) const fn aside(&mut self) {
        self.beside = true;
    }

    /// So many of the changes that were told of are in the texts from now on.
    pub(super) fn taken_in(&mut self, changes: usize) {
        self.told.drain(..changes.min(self.told.len()));
    }

    /// A text with what was told of and is not in it yet.
    fn whole(&self, path: &Path, text: &str) -> String {
        let own = self.told.iter().filter(|change| change.path == path);
        own.fold(text.to_owned(), |text, change| join(&change.was, &change.now, &text))
    }
}

impl Writer {
    /// Writes the list; what is in its place and could not be read is not lost by that.
    pub(super) async fn write_list(&mut self, path: &Path, text: &str) {
        let theirs = self.edited(path).await.unwrap_or_else(|NoText| {
            self.lists.aside();
            None
        });
        if self.lists.beside && !self.keep_beside(path).await {
            return;
        }
        self.lists.beside = false;
        if let Some(change) = theirs {
            let Change { was, now, .. } = change.clone();
            // Told once, also where this cannot be written.
            self.lists.know(path.to_owned(), now.clone());
            self.lists.told.push(change);
            self.say(Found::Edited(was, now));
        }
        let whole = self.lists.whole(path, text);
        self.write(path, &whole, store::write_over).await;
        if !self.lost.contains_key(path) {
            self.lists.know(path.to_owned(), whole);
        }
    }

    /// What somebody else made of a list since; an error where what is there is no text.
    async fn edited(&self, path: &Path) -> Result<Option<Change>, NoText> {
        let Some(was) = self.lists.known.get(path).cloned() else { return Ok(None) };
        let place = path.to_owned();
        match off(move || std::fs::read_to_string(place)).await {
            // An empty one may be about to be written: no line is taken off by that.
            Ok(Ok(now)) if now != was && !now.trim().is_empty() => {
                Ok(Some(Change { path: path.to_owned(), was, now }))
            }
            Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => Err(NoText),
            // What was removed is written anew; what cannot be read is told once it cannot be written.
            _ => Ok(None),
        }
    }

    /// Gives a file a name that none has, and says which; whether nothing is in its place now.
    async fn keep_beside(&mut self, path: &Path) -> bool {
        let (files, place) = (Arc::clone(&self.files), path.to_owned());
        match off(move || aside(&*files, &place)).await.and_then(|done| done) {
            Ok(Some(kept)) => {
                let words = format!("what {} was is kept as {}", path.display(), kept.display());
                let _ = self.tell.send(Msg::Said(Level::Warn, words));
            }
            Ok(None) => {}
            Err(failure) => {
                self.not_written(path, failure);
                return false;
            }
        }
        true
    }
}

/// A name beside a file under which it is kept; nothing where there is no file.
fn aside(files: &dyn Files, path: &Path) -> Result<Option<PathBuf>, Failure> {
    let mut number = 1;
    loop {
        let mut kept = path.as_os_str().to_owned();
        kept.push(format!(".{number}"));
        let kept = PathBuf::from(kept);
        match files.rename_new(path, &kept) {
            Ok(()) => return Ok(Some(kept)),
            Err(error) if error.source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.source.kind() == ErrorKind::AlreadyExists && number < KEPT => number += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::engine::files::RealFiles;
    use crate::tui::effects::writes::Writes;

    #[tokio::test]
    async fn what_somebody_writes_into_the_list_meanwhile_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, mut told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        let list = dir.path().join("images.txt");
        writes.known(list.clone(), "a:1\nb:1\n".to_owned());
        std::fs::write(&list, "b:1\nhand:1\n").unwrap();
        writes.list(list.clone(), "a:1\nb:1\nours:1\n".to_owned());
        let Some(Msg::Found(Found::Edited(was, now))) = told.recv().await else { panic!() };
        assert_eq!((was.as_str(), now.as_str()), ("a:1\nb:1\n", "b:1\nhand:1\n"));
        assert!(matches!(told.recv().await, Some(Msg::Found(Found::Saved(_)))));
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "b:1\nhand:1\nours:1\n");
        // What was written is what is there: nobody else changed it. What came by hand was taken in and dropped.
        writes.taken_in(1);
        writes.list(list.clone(), "ours:1\n".to_owned());
        assert!(matches!(told.recv().await, Some(Msg::Found(Found::Saved(_)))));
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "ours:1\n");
        std::fs::write(&list, b"\xff\n").unwrap();
        writes.list(list.clone(), "ours:2\n".to_owned());
        assert!(
            matches!(told.recv().await, Some(Msg::Said(Level::Warn, words)) if words.contains("is kept as"))
        );
        assert_eq!(std::fs::read(dir.path().join("images.txt.1")).unwrap(), b"\xff\n");
    }

    #[tokio::test]
    async fn what_cannot_be_kept_beside_the_list_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, mut told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        // All names beside it are taken.
        let list = dir.path().join("images.txt");
        std::fs::write(&list, "theirs").unwrap();
        for number in 1..=KEPT {
            std::fs::write(dir.path().join(format!("images.txt.{number}")), "").unwrap();
        }
        writes.aside();
        for _ in 0..2 {
            writes.list(list.clone(), "ours".to_owned());
            assert!(matches!(told.recv().await, Some(Msg::Found(Found::NotSaved(..)))));
            assert_eq!(std::fs::read_to_string(&list).unwrap(), "theirs");
        }
        std::fs::remove_file(dir.path().join("images.txt.7")).unwrap();
        writes.list(list.clone(), "ours".to_owned());
        assert!(
            matches!(told.recv().await, Some(Msg::Said(Level::Warn, words)) if words.ends_with("images.txt.7"))
        );
        assert!(matches!(told.recv().await, Some(Msg::Found(Found::Saved(_)))));
        assert_eq!(std::fs::read_to_string(&list).unwrap(), "ours");
    }

    #[tokio::test]
    async fn what_somebody_wrote_into_the_list_stays_through_every_save_until_the_app_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, mut told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        let list = dir.path().join("images.txt");
        let text = || std::fs::read_to_string(&list).unwrap();
        writes.known(list.clone(), "a:1\nb:1\n".to_owned());
        std::fs::write(&list, "b:1\nhand:1\n").unwrap();
        // Both are asked for before anybody heard of it.
        writes.list(list.clone(), "a:1\nb:1\nours:1\n".to_owned());
        writes.list(list.clone(), "a:1\nb:1\nours:1\nours:2\n".to_owned());
        assert!(writes.all().await.is_empty());
        assert_eq!(text(), "b:1\nhand:1\nours:1\nours:2\n");
        // And once more, before the first was taken in.
        std::fs::write(&list, "b:1\nhand:1\nhand:2\nours:1\n").unwrap();
        writes.list(list.clone(), "a:1\nb:1\nours:1\nours:2\n".to_owned());
        assert!(writes.all().await.is_empty());
        assert_eq!(text(), "b:1\nhand:1\nhand:2\nours:1\n");
        // What the app has by then is its own to take off again.
        writes.taken_in(1);
        writes.list(list.clone(), "a:1\nb:1\nours:1\nours:2\n".to_owned());
        assert!(writes.all().await.is_empty());
        assert_eq!(text(), "b:1\nhand:2\nours:1\na:1\n");
        writes.taken_in(1);
        writes.list(list.clone(), "a:1\n".to_owned());
        assert!(writes.all().await.is_empty());
        assert_eq!(text(), "a:1\n");
        let mut edited = 0;
        while let Ok(msg) = told.try_recv() {
            edited += usize::from(matches!(msg, Msg::Found(Found::Edited(..))));
        }
        assert_eq!(edited, 2, "each is told once");
    }
}
