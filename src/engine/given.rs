//! Files that the operator names: one that is not there, or is a directory, is a slip of the command line and is said as one.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::{Explain, FileError, Kind};

/// A file that was named and cannot be what it is to be.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// Nothing has that name.
    #[error("there is no {what} {}", path.display())]
    Missing {
        /// What it is to be, as in `list file`.
        what: &'static str,
        /// As given.
        path: PathBuf,
        /// The way out.
        hint: &'static str,
    },
    /// It holds something else.
    #[error("the {what} {reason}")]
    Content {
        /// What it is to be.
        what: &'static str,
        /// Its path and what is wrong with it.
        reason: String,
        /// The way out.
        hint: &'static str,
    },
    /// A directory has that name.
    #[error("{} is a directory, expected a {what}", path.display())]
    Directory {
        /// What it is to be.
        what: &'static str,
        /// As given.
        path: PathBuf,
        /// The way out.
        hint: &'static str,
    },
}

impl Explain for GivenError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        let (Self::Missing { hint, .. } | Self::Content { hint, .. } | Self::Directory { hint, .. }) = self;
        vec![(*hint).to_owned()]
    }
}

/// The bytes of a pipe as a shell hands over the output of a command; nothing where it is no such pipe, and in it nothing
/// where it gives more than `most` bytes. It is read once: whoever reads it again gets the same. One that has a name in
/// a directory is none of these: it may give something else the next time, and nobody may ever write to it.
///
/// # Errors
/// The kernel's.
pub fn piped(path: &Path, most: u64) -> Result<Option<Option<Vec<u8>>>, FileError> {
    static READ: Mutex<BTreeMap<PathBuf, Vec<u8>>> = Mutex::new(BTreeMap::new());
    if !is_handed(path) || !std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Ok(None);
    }
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = read.get(path) {
        return Ok(Some(Some(bytes.clone())));
    }
    let failed = |source| FileError { operation: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let pipe = std::fs::File::open(path).map_err(failed)?;
    pipe.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Ok(Some(None));
    }
    read.insert(path.to_owned(), bytes.clone());
    Ok(Some(Some(bytes)))
}

/// Whether a path names a file descriptor of this process.
fn is_handed(path: &Path) -> bool {
    let number = ["/dev/fd", "/proc/self/fd"].iter().find_map(|all| path.strip_prefix(all).ok());
    number.and_then(Path::to_str).is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Refuses a name that nothing or a directory has; any other trouble is told by whoever opens it.
///
/// # Errors
/// [`GivenError`].
pub fn check(path: &Path, what: &'static str, hint: &'static str) -> Result<(), GivenError> {
    let path = path.to_owned();
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(GivenError::Missing { what, path, hint })
        }
        Ok(meta) if meta.is_dir() => Err(GivenError::Directory { what, path, hint }),
        _ => Ok(()),
    }
}
