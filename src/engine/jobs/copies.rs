//! Copies of the lists and the lock file that a pack began with, beside its record: it is gone on with as it was begun, whatever became of the files it was given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::lock::MAX_LOCK;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::select::{MAX_FILE, Source};
use crate::engine::spec::PackJob;
use crate::engine::store::write_file;

/// The lock file among them.
const LOCK: &str = "images.lock";
/// Copies whose record is gone are kept so long: the command of a pack that was gone on with names them, and a pack that
/// begins right now has them before its record.
const SETTLED: Duration = Duration::from_secs(86_400);

/// Entries of the directory that are looked at, at most.
const SEEN: usize = 1000;

/// Where those of a record are.
fn place(directory: &Path, id: Uuid) -> PathBuf {
    directory.join(id.to_string())
}

fn is_file(files: &dyn Files, path: &Path) -> bool {
    // A link to one is one.
    open_named(files, path).is_ok()
}

/// Copies what a pack is given by name and anybody can change; the same pack, of the copies. Blocks.
///
/// # Errors
/// The kernel's.
pub(super) fn keep(files: &dyn Files, (directory, id): (&Path, Uuid), mut job: PackJob) -> Result<PackJob> {
    let own = place(directory, id);
    let lists = job.images.sources.iter_mut().enumerate().filter_map(|(at, source)| match source {
        // A release of k3s is named likewise.
        Source::List(path) | Source::K3s(path) if is_file(files, path) => {
            Some((path, format!("list-{}.txt", at + 1), MAX_FILE))
        }
        _ => None,
    });
    let lock =
        job.lock.as_mut().filter(|path| is_file(files, path)).map(|path| (path, LOCK.to_owned(), MAX_LOCK));
    for (path, name, most) in lists.chain(lock) {
        let failed = |source| FileError { operation: "read", path: path.clone(), source };
        // What is longer is refused by whoever reads it.
        let bytes = read_whole(open_named(files, path)?, most + 1).map_err(failed)?;
        directory::create(files, &own)?;
        write_file(files, &own, &name, &bytes)?;
        *path = own.join(name);
    }
    Ok(job)
}

/// Removes those whose record is gone since some time. Blocks.
pub(super) fn sweep(files: &dyn Files, directory: &Path, (suffix, now): (&str, Timestamp)) {
    let Ok(entries) = files.entries(directory, SEEN) else { return };
    for entry in entries {
        let Some(id) = entry.path.parse().ok().filter(|id| is_settled(*id, now)) else { continue };
        if matches!(files.stat(&directory.join(format!("{id}{suffix}"))), Ok(None)) {
            // What stays is tried again by the next one.
            let _ = files.remove_tree(&place(directory, id));
        }
    }
}

/// Whether that was given some time ago.
fn is_settled(id: Uuid, now: Timestamp) -> bool {
    let given = id.get_timestamp().and_then(|given| i64::try_from(given.to_unix().0).ok());
    let age = given.map(|given| now.as_second().saturating_sub(given));
    age.is_some_and(|age| age.unsigned_abs() > SETTLED.as_secs())
}
