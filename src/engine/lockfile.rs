//! Lock files on disk: read with a cap, written whole or not at all.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::ctx::JobCtx;
use super::error::{Explain, FileError, Kind, Result};
use super::store;
use crate::domain::lock::{Lock, LockError, MAX_LOCK};
use crate::domain::reference::Reference;

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// Its text.
    #[error("{}: {source}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: LockError,
    },
    /// It is not what it was when references were taken out of it.
    #[error("{}: nothing is known any more of {}", path.display(), references.join(", "))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What was to be in it again.
        references: Vec<String>,
    },
    /// Not text, or too long.
    #[error("{}: {reason}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Explain for LockFileError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unknown { .. } => "something else wrote it or removed it meanwhile: resolve the list again",
            Self::Text { .. } | Self::Shape { .. } => {
                "give another file, or remove this one and resolve again: it is never overwritten unread"
            }
        };
        vec![hint.to_owned()]
    }
}

/// Reads a lock file; nothing where there is none. Blocks.
///
/// # Errors
/// [`LockFileError`] or a file error.
pub fn read(path: &Path, ctx: &JobCtx) -> Result<Option<Lock>> {
    let (root, name) = place(path)?;
    let open = match ctx.files.open(&root, &name) {
        Ok(open) => open,
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let shape = |reason: String| LockFileError::Shape { path: path.to_owned(), reason };
    if open.size > MAX_LOCK {
        return Err(shape(format!("it has {} bytes, at most {MAX_LOCK} are read", open.size)).into());
    }
    let mut bytes = Vec::new();
    let read = open.reader.take(MAX_LOCK).read_to_end(&mut bytes);
    read.map_err(|source| FileError { operation: "read", path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| shape("it is not UTF-8 text".to_owned()))?;
    let lock = Lock::parse(&text).map_err(|source| LockFileError::Text { path: path.to_owned(), source })?;
    Ok(Some(lock))
}

/// Writes a lock file atomically. Blocks.
///
/// # Errors
/// A file error; what was there is there still.
pub fn write(path: &Path, lock: &Lock, ctx: &JobCtx) -> Result<()> {
    let (root, name) = place(path)?;
    let text = lock
        .to_text()
        .map_err(|error| LockFileError::Shape { path: path.to_owned(), reason: error.to_string() })?;
    store::write_file(&*ctx.files, &root, &name, text.as_bytes())?;
    Ok(())
}

/// Writes a lock file anew without these references; where there is none, nothing is to be done. What it said of them.
/// Blocks.
///
/// # Errors
/// [`LockFileError`] or a file error; what was there is there still.
pub fn leave_out(path: &Path, dropped: &BTreeSet<Reference>, ctx: &JobCtx) -> Result<Lock> {
    let Some(lock) = read(path, ctx)? else { return Ok(Lock::default()) };
    let part = lock.part(dropped);
    write(path, &lock.without(dropped), ctx)?;
    Ok(part)
}

/// Writes a lock file anew that speaks of these references again, as the part says that was taken out of it. Blocks.
///
/// # Errors
/// [`LockFileError`], also where neither the file nor the part says anything of one of them, or a file error; what was
/// there is there still.
pub fn put_back(path: &Path, back: &BTreeSet<Reference>, part: &Lock, ctx: &JobCtx) -> Result<()> {
    let whole = read(path, ctx)?.map(|lock| lock.with(&part.part(back)));
    let known = whole.as_ref().map(Lock::names).unwrap_or_default();
    let lost = back.iter().map(ToString::to_string).filter(|name| !known.contains(name));
    let references: Vec<String> = lost.collect();
    match whole.filter(|_| references.is_empty()) {
        Some(whole) => write(path, &whole, ctx),
        None => Err(LockFileError::Unknown { path: path.to_owned(), references }.into()),
    }
}

fn place(path: &Path) -> Result<(PathBuf, String)> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| LockFileError::Shape {
        path: path.to_owned(),
        reason: "it names no file".to_owned(),
    })?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok((parent.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_is_put_back_as_it_was_and_nothing_is_made_up() {
        let dir = tempfile::tempdir().unwrap();
        let (path, ctx) = (dir.path().join("airlift.lock"), JobCtx::silent());
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let all = ["a", "b"].map(|name| format!("docker.io/library/{name}:1"));
        write(&path, &Lock::default().lacking(all), &ctx).unwrap();
        let before = std::fs::read(&path).unwrap();
        let part = leave_out(&path, &names(&["a:1"]), &ctx).unwrap();
        assert_ne!(std::fs::read(&path).unwrap(), before);
        put_back(&path, &names(&["a:1"]), &part, &ctx).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let error = put_back(&path, &names(&["a:1", "c:1"]), &part, &ctx).unwrap_err();
        assert!(error.message().ends_with("nothing is known any more of docker.io/library/c:1"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        // Of a file that is gone no part is passed off as the whole.
        std::fs::remove_file(&path).unwrap();
        assert!(put_back(&path, &names(&["a:1"]), &part, &ctx).is_err() && !path.exists());
    }

    #[test]
    fn a_lock_is_written_whole_and_a_damaged_one_is_named_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, ctx) = (dir.path().join("airlift.lock"), JobCtx::silent());
        assert_eq!(read(&path, &ctx).unwrap(), None);
        write(&path, &Lock::default(), &ctx).unwrap();
        assert_eq!(read(&path, &ctx).unwrap(), Some(Lock::default()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        for damage in [&b"format = 'airlift-lock/9'"[..], b"\xff", b"{}"] {
            std::fs::write(&path, damage).unwrap();
            let error = read(&path, &ctx).unwrap_err();
            assert!(error.message().contains("airlift.lock"), "{error}");
            assert_eq!(error.kind(), Kind::Usage);
        }
        assert!(read(Path::new("/"), &ctx).is_err());
    }
}
