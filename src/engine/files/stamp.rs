//! What tells a file from a later state of it, and from a copy, without its bytes being read.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

/// Device and inode, length, and when its bytes and its record changed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    file: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of a file as it is now. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self {
            file: (found.dev(), found.ino()),
            size: found.size(),
            written: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// The length and the times of what has a name, which is not followed where it is a link.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Bytes.
    pub size: u64,
    /// When its bytes were written to last.
    pub modified: SystemTime,
    /// When it was made, where the file system tells.
    pub born: Option<SystemTime>,
    /// When anything of it was changed last, in seconds since 1970.
    pub changed: i64,
}

impl Times {
    /// As they are now. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        let (modified, born) = (found.modified()?, found.created().ok());
        Ok(Self { size: found.len(), modified, born, changed: found.ctime() })
    }
}
