//! Finds or makes the directory of a pack: a new serial, one that was cut off, or a finished one of the same content.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::bundle::{self, JOURNAL, MANIFEST, SIGNATURES};
use crate::engine::error::{Explain, FileError, Kind, Result};
use crate::engine::files::{Entry, EntryKind, Files, Held};
use crate::engine::media::Holder;
use crate::engine::store::TEMP;

/// At most this many files are looked at in an unfinished bundle.
pub(super) const MAX_ENTRIES: usize = 1_000_000;

/// Why a directory cannot be worked in.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Another run works there.
    #[error("another airlift is packing into {}{}", to.display(), holder.as_ref().map_or_else(String::new, |holder| format!(": {holder}")))]
    Locked {
        /// The directory.
        to: PathBuf,
        /// Who that is, where it can be told.
        holder: Option<Holder>,
    },
    /// A file nobody of ours wrote.
    #[error("{} lies in an unfinished bundle and is not airlift's", .0.display())]
    Foreign(PathBuf),
    /// What was there when the pack began was taken away: its path leads elsewhere, or nowhere.
    #[error("{} does not lead to what the pack began on any more", .0.display())]
    Gone(PathBuf),
}

impl Explain for WorkError {
    fn kind(&self) -> Kind {
        match self {
            Self::Locked { .. } => Kind::Locked,
            Self::Foreign(_) | Self::Gone(_) => Kind::Medium,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Locked { holder: None, .. } => {
                vec!["wait for it, or stop it; the lock goes with the process".to_owned()]
            }
            Self::Locked { holder: Some(Holder { pid, .. }), .. } => vec![
                format!("wait for it, or stop it: kill {pid} ends it at a safe point, and it can be gone on with"),
                "or pack into another directory".to_owned(),
            ],
            Self::Foreign(_) => vec!["move it elsewhere, then run the same command again".to_owned()],
            Self::Gone(_) => vec![
                "was the medium pulled? Put it back and mount it there again: the same pack goes on, and verify says whether it \
                 was signed already"
                    .to_owned(),
            ],
        }
    }
}

/// What was found in a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A pack that was cut off; its files are re-hashed.
    Unfinished(PathBuf, u64),
    /// A signed bundle, not verified.
    Finished(PathBuf, u64),
}

/// Holds the destination for this process; let go when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "it is let go when dropped")] Option<Held>);

/// Locks a destination against a second pack.
///
/// # Errors
/// [`WorkError::Locked`] or a file error.
pub fn lock(files: &dyn Files, to: &Path) -> Result<Lock> {
    match files.lock_dir(to) {
        Ok(Some(held)) => Ok(Lock(Some(held))),
        Ok(None) => Err(WorkError::Locked { to: to.to_owned(), holder: Holder::of(to) }.into()),
        // A file system without locks: two runs there are the operator's to avoid.
        Err(error) if error.operation == "lock" => Ok(Lock(None)),
        Err(error) => Err(error.into()),
    }
}

/// Everything named `<name>-<serial>` under `to` that is a bundle or was to become one, highest serial first.
///
/// # Errors
/// A file error.
pub fn find(files: &dyn Files, to: &Path, name: &str) -> Result<Vec<Found>> {
    let of_name = find_all(files, to, &|series| series == name)?;
    Ok(of_name.into_iter().map(|(_, found)| found).collect())
}

/// The same for every name that is `wanted`, each with its name.
///
/// # Errors
/// A file error.
pub(super) fn find_all(
    files: &dyn Files,
    to: &Path,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<(String, Found)>> {
    let mut found = Vec::new();
    for (name, serial, path) in candidates(files, to, wanted, MAX_ENTRIES)? {
        found.extend(classify(files, path, serial, MAX_ENTRIES)?.map(|one| (name, one)));
    }
    Ok(found)
}

/// Directories that are named as a bundle is, by the names of their series, highest serial first; a directory with more
/// than `limit` entries is refused.
///
/// # Errors
/// A file error.
pub(super) fn candidates(
    files: &dyn Files,
    to: &Path,
    wanted: &dyn Fn(&str) -> bool,
    limit: usize,
) -> Result<Vec<(String, u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in files.entries(to, limit)?.into_iter().filter(|e| e.kind == EntryKind::Directory) {
        let Some((name, serial)) = entry.path.rsplit_once('-') else { continue };
        let Some(serial) =
            serial.parse().ok().filter(|serial| entry.path == bundle::directory(name, *serial))
        else {
            continue;
        };
        if wanted(name) && bundle::check_name(name).is_ok() {
            found.push((name.to_owned(), serial, to.join(&entry.path)));
        }
    }
    found.sort_by(|(a, one, _), (b, other, _)| a.cmp(b).then(other.cmp(one)));
    Ok(found)
}

impl Found {
    /// The serial in its name.
    pub const fn serial(&self) -> u64 {
        match self {
            Self::Unfinished(_, serial) | Self::Finished(_, serial) => *serial,
        }
    }
}

/// What a directory of a bundle's name is, where it is one's; one with more than `limit` entries or signatures is refused.
///
/// # Errors
/// A file error.
pub(super) fn classify(files: &dyn Files, path: PathBuf, serial: u64, limit: usize) -> Result<Option<Found>> {
    // A signed bundle must not be taken for an unfinished one, which is cleaned, because it cannot be read.
    let signatures = match files.entries(&path.join(SIGNATURES), limit) {
        Err(error) if nothing_to_list(&error) => Vec::new(),
        other => other?,
    };
    let signed =
        signatures.iter().any(|entry| super::listing::is_signature(&format!("{SIGNATURES}/{}", entry.path)));
    let there = |name: &str| match files.open(&path, name) {
        Ok(_) => Ok(true),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    if signed && there(MANIFEST)? {
        return Ok(Some(Found::Finished(path, serial)));
    }
    let ours = there(JOURNAL)? || there(MANIFEST)? || only_our_skeleton(files, &path, limit)?;
    Ok(ours.then_some(Found::Unfinished(path, serial)))
}

/// A directory that was cut off between its creation and its journal.
fn only_our_skeleton(files: &dyn Files, path: &Path, limit: usize) -> Result<bool> {
    let entries = files.entries(path, limit)?;
    Ok(entries.iter().all(|entry| matches!(entry.path.as_str(), "airlift" | "blobs")))
}

/// That there is no directory, and not that it cannot be read.
pub(super) fn nothing_to_list(error: &FileError) -> bool {
    matches!(error.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Removes from an unfinished bundle what is not in `keep` (paths inside the bundle) and was ours; temp files of kept blobs stay.
///
/// # Errors
/// [`WorkError::Foreign`] for a file that airlift does not write; a file error.
pub fn clean(files: &dyn Files, root: &Path, keep: &dyn Fn(&str) -> bool) -> Result<()> {
    let entries = files.list(root, MAX_ENTRIES)?;
    for entry in entries.iter().filter(|entry| entry.kind != EntryKind::Directory) {
        if !ours(entry) {
            return Err(WorkError::Foreign(root.join(&entry.path)).into());
        }
    }
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
        if !keep(entry.path.strip_suffix(TEMP).unwrap_or(&entry.path)) {
            files.remove(&root.join(&entry.path))?;
        }
    }
    Ok(())
}

fn ours(entry: &Entry) -> bool {
    let path = entry.path.strip_suffix(TEMP).unwrap_or(&entry.path);
    entry.kind == EntryKind::File
        && (path.starts_with("blobs/")
            || path.starts_with("airlift/")
            || matches!(path, bundle::LAYOUT | bundle::INDEX))
}

/// Removes the temp files of a bundle on a medium that is full or fails. Best effort.
pub fn remove_half_written(files: &dyn Files, root: &Path) {
    let Ok(entries) = files.list(root, MAX_ENTRIES) else { return };
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File && entry.path.ends_with(TEMP)) {
        let _ = files.remove(&root.join(&entry.path));
    }
}

/// Removes a bundle directory of which nothing is worth keeping: only empty directories and the journal. Best effort.
pub fn remove_empty(files: &dyn Files, root: &Path) {
    let Ok(entries) = files.list(root, MAX_ENTRIES) else { return };
    let small = |path: &str| path == JOURNAL || path.ends_with(TEMP);
    if entries.iter().any(|entry| entry.kind != EntryKind::Directory && !small(&entry.path)) {
        return;
    }
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File) {
        let _ = files.remove(&root.join(&entry.path));
    }
    for entry in entries.iter().rev().filter(|entry| entry.kind == EntryKind::Directory) {
        let _ = files.remove_dir(&root.join(&entry.path));
    }
    let _ = files.remove_dir(root);
}
