//! Files that the operator names: one that is not there, or is a directory, is a slip of the command line and is said as one.

use std::path::{Path, PathBuf};

use super::error::{Explain, Kind};

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
        let (Self::Missing { hint, .. } | Self::Directory { hint, .. }) = self;
        vec![(*hint).to_owned()]
    }
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
