//! What tells a file from a later state of it, and from a copy, without its bytes being read.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use super::kind::numbers_files;

/// What has a name, as it is now; it is not followed where it is a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its device.
    device: u64,
    /// Its inode, where it keeps that: what is made up would be another one once the kernel has forgotten it.
    inode: Option<u64>,
    /// Bytes.
    pub size: u64,
    /// When its bytes were written to last.
    pub modified: SystemTime,
    /// When it was made, where the file system tells.
    pub born: Option<SystemTime>,
    /// When anything of it was changed last, in seconds since 1970 and nanoseconds.
    pub changed: (i64, i64),
}

impl Stamp {
    /// As it is now. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self {
            device: found.dev(),
            inode: numbers_files(path).then(|| found.ino()),
            size: found.len(),
            modified: found.modified()?,
            born: found.created().ok(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}
