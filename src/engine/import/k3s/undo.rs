//! Takes back the archive that a run put into an images directory: one that was not there before goes, as long as it has what the run put into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::digest::Digest;
use crate::domain::text;
use crate::engine::directory;
use crate::engine::error::Result;
use crate::engine::files::Files;
use crate::engine::import::archive::{self, Member};
use crate::engine::import::error::{ImportError, shortened};
use crate::engine::import::undo::Unfinished;
use crate::engine::stays::Stays;
use crate::engine::storage::change::FilesUndone;

/// An archive before and after a run, by the names in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::engine::import) struct ArchiveChange {
    /// The archive.
    pub(in crate::engine::import) path: PathBuf,
    /// What it had before; nothing where it was not there.
    before: Option<BTreeMap<String, Digest>>,
    /// What it has since.
    after: BTreeMap<String, Digest>,
}

impl ArchiveChange {
    /// From what is about to be written; nothing where the same names stay.
    pub(super) fn new(
        path: &Path,
        before: Option<&BTreeMap<String, Digest>>,
        members: &[Member],
    ) -> Option<Self> {
        let index = members.iter().find_map(Member::names)?;
        let after = index.names().map(|(name, digest)| (name.clone(), digest.clone())).collect();
        let before = before.cloned();
        (before.as_ref() != Some(&after)).then(|| Self { path: path.to_owned(), before, after })
    }

    /// Whether a later run found something else in its place than this one made: of that nothing is there any more.
    pub(in crate::engine::import) fn is_over(&self, later: &[Self]) -> bool {
        later.iter().any(|one| one.path == self.path && one.before.as_ref() != Some(&self.after))
    }

    /// Why it stays, where it was there before the run.
    fn stays(&self, before: &BTreeMap<String, Digest>) -> String {
        let names = |all: &BTreeMap<String, Digest>, but: &BTreeMap<String, Digest>| {
            let tags = all.keys().filter(|name| !but.contains_key(*name) && !name.contains('@'));
            shortened(&tags.map(|name| text::shown(name).into_owned()).collect::<Vec<_>>())
        };
        let none = BTreeMap::new();
        let path = self.path.display();
        if before.is_empty() {
            return format!("{path}: it took the place of another archive, which cannot come back");
        }
        format!(
            "{path}: it was there before with {}, and the run added {}: it is one file, so remove it, and import again with \
             --only what is to stay",
            names(before, &none),
            names(&self.after, before)
        )
    }
}

/// Takes back what a run did in one images directory; without `write` it is only said what would become of it. Blocks.
///
/// # Errors
/// [`ImportError::Locked`], or a file error.
pub(in crate::engine::import) fn take_back(
    files: &dyn Files,
    changes: &[ArchiveChange],
    write: bool,
) -> Result<FilesUndone> {
    let mut undone = FilesUndone::default();
    // A run that left images out wrote, in the end, what it noted last.
    for (at, change) in changes.iter().enumerate() {
        if changes[at + 1..].iter().any(|later| later.path == change.path) {
            continue;
        }
        let noted = || changes.iter().filter(|one| one.path == change.path);
        let parent = directory::above(&change.path);
        if files.stat(&change.path)?.is_none() {
            continue;
        }
        let locked = || ImportError::Locked { path: parent.to_owned() };
        let _held = if write { Some(directory::hold(files, parent)?.ok_or_else(locked)?) } else { None };
        let path = change.path.display().to_string();
        let index = archive::index(files, &change.path)?.and_then(std::result::Result::ok);
        let now = index.map(|index| {
            index.names().map(|(name, digest)| (name.clone(), digest.clone())).collect::<BTreeMap<_, _>>()
        });
        if now.is_some() && now == change.before {
            // The run ended before its archive had its name.
            continue;
        }
        match noted().find(|one| Some(&one.after) == now.as_ref()) {
            None => {
                let words = format!("{path}: it was changed since");
                undone.kept.push(Stays::new([path], words));
            }
            Some(ArchiveChange { before: Some(before), .. }) => {
                undone.kept.push(Stays::new([path], change.stays(before)));
            }
            Some(_) => {
                if write {
                    files.remove(&change.path)?;
                    files.sync_dir(parent)?;
                }
                undone.removed.push(path);
            }
        }
    }
    Ok(undone)
}

/// Removes the archives that runs began in an images directory and were cut off in; without `write` it is only said. Blocks.
///
/// # Errors
/// [`ImportError::Locked`] where a run is at work there, or a file error.
pub(in crate::engine::import) fn unfinished(
    files: &dyn Files,
    dir: &Path,
    write: bool,
) -> Result<Unfinished> {
    let mut undone = Unfinished::default();
    if files.stat(dir)?.is_none() {
        return Ok(undone);
    }
    let locked = || ImportError::Locked { path: dir.to_owned() };
    let _held = directory::hold(files, dir)?.ok_or_else(locked)?;
    for path in super::unfinished(files, dir)? {
        if write {
            files.remove(&path)?;
        }
        undone.removed.push(format!("{}, which was not finished", path.display()));
    }
    if write && !undone.removed.is_empty() {
        files.sync_dir(dir)?;
    }
    Ok(undone)
}
