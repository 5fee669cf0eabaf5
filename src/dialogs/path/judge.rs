//! Whether a path that was typed is taken: by the list of its directory, and by a look at itself where that says nothing of it.

use std::path::{Path as FsPath, PathBuf};

use super::{Entry, Path, Wanted};

/// Whether a path is there, and whether it is a directory; or why that cannot be told.
pub(super) type Told = (PathBuf, Result<Option<bool>, String>);

/// What becomes of a path that was typed.
pub(super) enum Judged {
    Fits,
    /// It is a directory that is to be made.
    New,
    /// It is a directory to go into first.
    Into,
    Refused(String),
    /// It is to be looked at by itself.
    Unsure,
}

impl Path {
    /// Takes nothing in that directory, for a reason.
    #[must_use]
    pub fn never_in(mut self, directory: &FsPath, reason: &str) -> Self {
        self.closed = Some(Box::new((directory.to_owned(), reason.to_owned())));
        self
    }

    /// A path that is to be looked at by itself, once.
    pub fn looks(&mut self) -> Option<PathBuf> {
        let (path, asked) = self.unsure.as_mut()?;
        (!std::mem::replace(asked, true)).then(|| path.clone())
    }

    /// It was looked at; whether that is still what was typed.
    pub fn told(&mut self, path: &FsPath, told: &Result<Option<bool>, String>) -> bool {
        let waits = self.unsure.take_if(|(unsure, _)| unsure == path).is_some();
        if waits {
            self.told = Some(Box::new((path.to_owned(), told.clone())));
        }
        waits
    }

    /// Whether the path fits. What is not known yet is let through: whoever asked will say what is wrong with it. What a
    /// list lacks is looked at before it is refused: lists have an end, some cannot be read, and all grow old.
    pub(super) fn judge(&self, text: &str, path: &FsPath) -> Judged {
        if let Some((_, reason)) = self.closed.as_deref().filter(|(closed, _)| path.starts_with(closed)) {
            return Judged::Refused(reason.clone());
        }
        let (directory, name) = self.split();
        let whole = name.is_empty() || matches!(name.as_str(), "." | "..");
        let told = self.told.as_deref().filter(|(told, _)| told == path).map(|(_, told)| told);
        let listed =
            self.listed.as_ref().filter(|(listed, _)| *listed == directory).map(|(_, listed)| listed);
        let in_list = |entries: &Vec<Entry>| {
            entries.iter().find(|entry| entry.name == name).map(|entry| entry.directory)
        };
        let there = match (told, listed) {
            (Some(Err(reason)), _) => return Judged::Refused(reason.clone()),
            (Some(Ok(None)), _) if self.wanted == Wanted::NewDirectory => return Judged::New,
            (Some(Ok(None)), _) if self.wanted != Wanted::NewFile => {
                return Judged::Refused("no such file or directory".to_owned());
            }
            (Some(Ok(there)), _) => *there,
            // It may be made with what it lies in: whoever asked looks at what is there of that.
            (None, Some(Err(_))) if self.wanted == Wanted::NewDirectory => None,
            (None, Some(Err(_))) => return Judged::Unsure,
            (None, Some(Ok(entries))) if !whole => match in_list(entries) {
                None if self.wanted != Wanted::NewFile => return Judged::Unsure,
                there => there,
            },
            (None, _) => whole.then_some(true),
        };
        match (self.wanted, there) {
            (Wanted::File | Wanted::NewFile, Some(true)) if text.ends_with('/') => {
                Judged::Refused("this is a directory: name a file in it".to_owned())
            }
            (Wanted::File | Wanted::NewFile, Some(true)) => Judged::Into,
            (Wanted::Directory | Wanted::NewDirectory, Some(false)) => {
                Judged::Refused("that is a file, not a directory".to_owned())
            }
            _ => Judged::Fits,
        }
    }
}
