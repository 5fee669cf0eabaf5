//! Files of the node taken back: each gets its former bytes where nobody changed it since; of one that was, the store alone is taken out.

use std::path::Path;

use serde::Serialize;

use super::{BACKUP, DROP_IN, FileChange, NodeSpec, apply, planned, read};
use crate::engine::directory;
use crate::engine::error::Result;
use crate::engine::files::Files;
use crate::engine::stays::Stays;
use crate::engine::storage::{edit, mounts};

impl FileChange {
    /// Whether it still stands, also where the file was changed since: not where that says what it did before, or names
    /// the store no more. What cannot be read may stand. Blocks.
    pub(crate) fn stands(&self, files: &dyn Files, store: Option<&Path>) -> bool {
        let Ok(now) = read(files, &self.path) else { return true };
        let without = || store.and_then(|store| self.without(store, now.as_deref()).ok());
        now != self.before && (now == self.after || without().is_none_or(|without| without != now))
    }

    /// The text of the file without a store, as it is by now.
    fn without(&self, store: &Path, now: Option<&str>) -> std::result::Result<Option<String>, String> {
        let Some(now) = now else { return Ok(None) };
        let store = store.display().to_string();
        if self.path.ends_with(DROP_IN) {
            return Ok(mounts::remove(now, &store));
        }
        Ok(Some(edit::remove(now, &store)?.unwrap_or_else(|| now.to_owned())))
    }
}

/// What became of changes that were taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesUndone {
    /// Files that say what they did before.
    pub restored: Vec<String>,
    /// Files that were not there before and are gone.
    pub removed: Vec<String>,
    /// Files that were changed since, without the store that was entered, and else as they are.
    pub taken_out: Vec<String>,
    /// Files that stay as they are, each with the reason.
    pub kept: Vec<Stays>,
}

impl FilesUndone {
    /// Whether no file is changed.
    pub const fn is_idle(&self) -> bool {
        self.restored.is_empty() && self.removed.is_empty() && self.taken_out.is_empty()
    }
}

/// Takes a store out of the files of a node, whoever entered it, with what the operator should know of that. Without
/// `write` it is only said what would be. Blocks.
///
/// # Errors
/// As [`apply`].
pub fn take_out(
    files: &dyn Files,
    spec: &NodeSpec,
    store: &Path,
    write: bool,
) -> Result<(FilesUndone, Vec<String>)> {
    let (changes, notes) = planned(files, spec, store, true)?;
    let mut undone = FilesUndone::default();
    for change in &changes {
        let first = read(files, &directory::suffixed(&change.path, BACKUP))?;
        let list = match &change.after {
            None => &mut undone.removed,
            after if first.is_some() && first == *after => &mut undone.restored,
            Some(_) => &mut undone.taken_out,
        };
        list.push(change.path.display().to_string());
    }
    if write {
        apply(files, &changes)?;
    }
    Ok((undone, notes))
}

/// Takes changes back, the last one first: each file gets its former bytes where nobody has changed it since; of one that
/// was, the store alone is taken out, where they entered one. Without `write` it is only said what would be. Blocks.
///
/// # Errors
/// As [`apply`].
pub fn take_back(
    files: &dyn Files,
    changes: &[FileChange],
    store: Option<&Path>,
    write: bool,
) -> Result<FilesUndone> {
    let mut undone = FilesUndone::default();
    // In a dry run, what an earlier step of the loop would have left.
    let mut left: Vec<(&Path, Option<String>)> = Vec::new();
    for change in changes.iter().rev() {
        let path = change.path.display().to_string();
        let found = read(files, &change.path)?;
        let seen = left.iter().rfind(|(path, _)| *path == change.path);
        let now = seen.map_or(found, |(_, left)| left.clone());
        if now == change.before {
            // It was only shown, or was taken back already.
            continue;
        }
        let (before, list) = if now == change.after {
            let list = if change.before.is_some() { &mut undone.restored } else { &mut undone.removed };
            (change.before.clone(), list)
        } else {
            match store.map(|store| change.without(store, now.as_deref())) {
                Some(Ok(without)) if without == now => continue,
                Some(Ok(without)) => (without, &mut undone.taken_out),
                Some(Err(reason)) => {
                    let words = format!("{path}: it was changed since, and cannot be read: {reason}");
                    undone.kept.push(Stays::new([path], words));
                    continue;
                }
                None => {
                    let words = format!("{path}: it was changed since");
                    undone.kept.push(Stays::new([path], words));
                    continue;
                }
            }
        };
        if !list.contains(&path) {
            list.push(path);
        }
        if write {
            apply(files, &[FileChange::new(change.path.clone(), now, before)])?;
        } else {
            left.push((&change.path, before));
        }
    }
    Ok(undone)
}
