//! Directories that are written into: made so that they outlive a power cut, and held by one run at a time.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::FileError;
use super::files::{FileResult, Files};

/// How long a lock is waited for: small changes are over by then, and a child that is about to exec has let go of it.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The directory that a path lies in.
pub(crate) fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory, and durable what of it was not there: a file must not vanish with the directory it is in.
///
/// # Errors
/// The kernel's.
pub(crate) fn create(files: &dyn Files, directory: &Path) -> FileResult<()> {
    let missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && path.symlink_metadata().is_err())
        .collect();
    files.create_dir(directory)?;
    missing.into_iter().try_for_each(|made| files.sync_dir(above(made)))
}

/// Holds a directory until the file is dropped; nothing where another run has it.
///
/// # Errors
/// The kernel's, as where its file system has no locks.
pub(crate) fn hold(directory: &Path) -> FileResult<Option<File>> {
    let failed = |operation| move |source| FileError { operation, path: directory.to_owned(), source };
    let held = File::open(directory).map_err(failed("open"))?;
    let start = Instant::now();
    loop {
        match held.try_lock() {
            Ok(()) => return Ok(Some(held)),
            Err(TryLockError::WouldBlock) if start.elapsed() >= PATIENCE => return Ok(None),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
    }
}
