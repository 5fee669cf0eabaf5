//! Directories that are written into: made so that they outlive a power cut, and held by one run at a time.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::{FileResult, Files, Held};

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

/// `path` with `suffix` after its whole name.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes a directory, and durable what of it was not there: a file must not vanish with the directory it is in.
///
/// # Errors
/// The kernel's.
pub(crate) fn create(files: &dyn Files, directory: &Path) -> FileResult<()> {
    let missing = missing(files, directory)?;
    files.create_dir(directory)?;
    missing.iter().try_for_each(|made| files.sync_dir(above(made)))
}

/// The same for what others must come to, whatever the umask of whoever runs this; what is there stays as it is.
///
/// # Errors
/// The kernel's.
pub(crate) fn create_for_all(files: &dyn Files, directory: &Path) -> FileResult<()> {
    for made in missing(files, directory)?.iter().rev() {
        files.create_dir(made)?;
        files.set_mode(made, 0o755)?;
        files.sync_dir(above(made))?;
    }
    Ok(())
}

/// What of a directory's path is not there yet, the directory itself first.
///
/// # Errors
/// The kernel's.
pub(crate) fn missing(files: &dyn Files, directory: &Path) -> FileResult<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for path in directory.ancestors().take_while(|path| !path.as_os_str().is_empty()) {
        if files.stat(path)?.is_some() {
            break;
        }
        missing.push(path.to_owned());
    }
    Ok(missing)
}

/// Removes directories that a run made and put nothing in, the inner ones first; one with something in it stays.
///
/// # Errors
/// The kernel's.
pub(crate) fn remove_empty(files: &dyn Files, made: &[PathBuf]) -> FileResult<()> {
    for directory in made {
        if files.entries(directory, 1).is_ok_and(|entries| entries.is_empty()) {
            files.remove_dir(directory)?;
            files.sync_dir(above(directory))?;
        }
    }
    Ok(())
}

/// Holds a directory until the lock is dropped; nothing where another run has it.
///
/// # Errors
/// The kernel's, as where its file system has no locks.
pub(crate) fn hold(files: &dyn Files, directory: &Path) -> FileResult<Option<Held>> {
    patiently(|| files.lock_dir(directory))
}

/// The same with a file.
///
/// # Errors
/// As [`hold`].
pub(crate) fn hold_file(files: &dyn Files, path: &Path) -> FileResult<Option<Held>> {
    patiently(|| files.lock_file(path))
}

fn patiently(lock: impl Fn() -> FileResult<Option<Held>>) -> FileResult<Option<Held>> {
    let start = Instant::now();
    loop {
        match lock()? {
            None if start.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            other => return Ok(other),
        }
    }
}
