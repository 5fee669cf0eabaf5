//! The file layer: every byte the engine writes to or reads from a medium goes through here, so that tests can make it fail.

mod kernel;
mod kind;
mod stamp;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::error::FileError;

pub use kernel::{RealFiles, open_held};
pub use stamp::Stamp;

/// Result of a file operation.
pub type FileResult<T> = std::result::Result<T, FileError>;

/// A file being written.
pub trait OutFile: Write + Send {
    /// Makes everything written so far durable (fsync).
    ///
    /// # Errors
    /// The kernel's; after one the file must be rewritten from its source, never synced again.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file back to this length; what is written next follows there.
    ///
    /// # Errors
    /// The kernel's.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// What lies in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path below the directory that was listed, with `/`.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Length in bytes, of a regular file.
    pub size: u64,
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: EntryKind,
    /// Length in bytes, of a regular file.
    pub size: u64,
}

/// Kinds of directory entries that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, device, FIFO or socket: never opened.
    Other,
}

/// Room and limits of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes free for this user; nothing where the file system does not tell.
    pub free: Option<u64>,
    /// Inodes free; nothing where the file system does not count them.
    pub inodes: Option<u64>,
    /// The largest file that the file system holds, where it is known to be limited.
    pub max_file: Option<u64>,
    /// The largest file that this process may write (`ulimit -f`), where limited.
    pub process_limit: Option<u64>,
    /// Its name, where it is one that matters: `fat`, `exfat`, `tmpfs` …
    pub kind: &'static str,
}

/// The operations; implemented by the kernel in earnest and by fault wrappers in tests. All of them block.
pub trait Files: Send + Sync {
    /// Creates a file that must not be there.
    ///
    /// # Errors
    /// The kernel's, with operation and path.
    fn create(&self, path: &Path) -> FileResult<Box<dyn OutFile>>;
    /// Opens a regular file for appending.
    ///
    /// # Errors
    /// The kernel's; anything but a regular file is refused.
    fn append(&self, path: &Path) -> FileResult<Box<dyn OutFile>>;
    /// Opens a regular file below `root` without following a link anywhere below it.
    ///
    /// # Errors
    /// The kernel's; anything but a regular file is refused.
    fn open(&self, root: &Path, path: &str) -> FileResult<OpenFile>;
    /// Opens a regular file as [`Files::open`] does, to be read from its device and not from memory: with `direct` by
    /// `O_DIRECT`, whose reads want memory aligned to 4096 bytes and lengths that are multiples of it; else after
    /// the page cache was asked to let go of it, which proves less.
    ///
    /// # Errors
    /// The kernel's; [`refuses_direct`] tells where it is the file system that cannot do it. Reads may say so as well.
    fn open_cold(&self, root: &Path, path: &str, direct: bool) -> FileResult<OpenFile>;
    /// What lies at a path, a link not followed; nothing where there is nothing.
    ///
    /// # Errors
    /// The kernel's.
    fn stat(&self, path: &Path) -> FileResult<Option<Stat>>;
    /// Locks a directory for this process; nothing where another one has it.
    ///
    /// # Errors
    /// The kernel's, as where its file system has no locks.
    fn lock_dir(&self, path: &Path) -> FileResult<Option<Held>>;
    /// The same with a file of its own, which is made where it is not there and stays.
    ///
    /// # Errors
    /// As [`Files::lock_dir`].
    fn lock_file(&self, path: &Path) -> FileResult<Option<Held>>;
    /// Whether another run holds a file by [`Files::lock_file`], or a directory by [`Files::lock_dir`]; where nothing is,
    /// nobody does.
    ///
    /// # Errors
    /// As [`Files::lock_dir`].
    fn is_held(&self, path: &Path) -> FileResult<bool> {
        Ok(open_held(path)?.is_some_and(|(_, held)| held))
    }
    /// Renames, replacing what is there.
    ///
    /// # Errors
    /// The kernel's.
    fn rename(&self, from: &Path, to: &Path) -> FileResult<()>;
    /// Renames a regular file, replacing nothing, whoever comes first.
    ///
    /// # Errors
    /// The kernel's; `AlreadyExists` where something is there, be it a link that leads nowhere.
    fn rename_new(&self, from: &Path, to: &Path) -> FileResult<()>;
    /// Removes a file; one that is not there is no error.
    ///
    /// # Errors
    /// The kernel's.
    fn remove(&self, path: &Path) -> FileResult<()>;
    /// Removes an empty directory; one that is not there is no error.
    ///
    /// # Errors
    /// The kernel's.
    fn remove_dir(&self, path: &Path) -> FileResult<()>;
    /// Creates a directory and its parents.
    ///
    /// # Errors
    /// The kernel's.
    fn create_dir(&self, path: &Path) -> FileResult<()>;
    /// Makes a symbolic link that leads to `target`.
    ///
    /// # Errors
    /// The kernel's.
    fn link(&self, target: &Path, path: &Path) -> FileResult<()>;
    /// Removes whatever lies at a path, with all that is in it, links not followed; nothing there is no error.
    ///
    /// # Errors
    /// The kernel's.
    fn remove_tree(&self, path: &Path) -> FileResult<()>;
    /// Makes everything durable that was written to the file system on which `path` lies (syncfs).
    ///
    /// # Errors
    /// The kernel's.
    fn sync_fs(&self, path: &Path) -> FileResult<()>;
    /// Makes renames and new names in a directory durable.
    ///
    /// # Errors
    /// The kernel's.
    fn sync_dir(&self, path: &Path) -> FileResult<()>;
    /// What lies in a directory itself, in no order; at most `limit` entries.
    ///
    /// # Errors
    /// The kernel's, or that there are more.
    fn entries(&self, directory: &Path, limit: usize) -> FileResult<Vec<Entry>>;
    /// Everything below a directory, links not followed, sorted by path; at most `limit` entries.
    ///
    /// # Errors
    /// As [`Files::entries`], naming the directory that fails.
    fn list(&self, root: &Path, limit: usize) -> FileResult<Vec<Entry>> {
        let mut found = Vec::new();
        let mut todo = vec![String::new()];
        while let Some(prefix) = todo.pop() {
            // A path that is joined with nothing would end with a slash.
            let directory: PathBuf = root.components().chain(Path::new(&prefix).components()).collect();
            for entry in self.entries(&directory, limit - found.len())? {
                let path = format!("{prefix}{}", entry.path);
                if entry.kind == EntryKind::Directory {
                    todo.push(format!("{path}/"));
                }
                found.push(Entry { path, ..entry });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
    /// Gives a file or directory its permissions, whatever the umask of whoever runs this.
    ///
    /// # Errors
    /// The kernel's.
    fn set_mode(&self, path: &Path, mode: u32) -> FileResult<()> {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(|source| FileError {
            operation: "set permissions of",
            path: path.to_owned(),
            source,
        })
    }
    /// Fails where this user, or anybody, may not make names in a directory.
    ///
    /// # Errors
    /// The kernel's.
    fn writable(&self, directory: &Path) -> FileResult<()> {
        use rustix::fs::{Access, access};
        access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| FileError {
            operation: "write into",
            path: directory.to_owned(),
            source: errno.into(),
        })
    }
    /// Fails where a file may not be replaced although its directory can be written to: it was made immutable, say.
    ///
    /// # Errors
    /// As the kernel would refuse it.
    fn replaceable(&self, path: &Path) -> FileResult<()> {
        use rustix::fs::{Access, access};
        use rustix::io::Errno;
        // What the mode of the file forbids does not keep another from taking its place.
        match access(path, Access::WRITE_OK) {
            Err(errno @ (Errno::PERM | Errno::ROFS)) => {
                Err(FileError { operation: "replace", path: path.to_owned(), source: errno.into() })
            }
            _ => Ok(()),
        }
    }
    /// Room and limits where `path` lies.
    ///
    /// # Errors
    /// The kernel's.
    fn space(&self, path: &Path) -> FileResult<Space>;
}

/// An opened regular file and its length.
pub struct OpenFile {
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
    /// Its length in bytes when it was opened.
    pub size: u64,
    /// The file itself, for reads past the page cache; absent behind a fault wrapper.
    pub file: Option<File>,
}

impl OpenFile {
    /// Its bytes from one on. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn at(self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut reader = self.reader;
        if offset > 0 {
            match self.file {
                // `reader` shares the file's position.
                Some(mut file) => {
                    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
                }
                None => {
                    io::copy(&mut reader.by_ref().take(offset), &mut io::sink())?;
                }
            }
        }
        Ok(reader)
    }
}

/// A lock, let go of when it is dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "the descriptor holds the lock")] File);

/// The kernel's number of an error, also of one that says [`AtByte`].
pub fn errno(error: &io::Error) -> Option<Errno> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<AtByte>());
    Errno::from_io_error(inner.map_or(error, |at| &at.source))
}

/// Whether the file system cannot read past the page cache.
pub fn refuses_direct(error: &io::Error) -> bool {
    matches!(errno(error), Some(Errno::INVAL | Errno::OPNOTSUPP))
}

/// A read that failed in the middle of a file.
#[derive(Debug, thiserror::Error)]
#[error("at byte {offset}")]
pub struct AtByte {
    /// How many bytes were read before it.
    pub offset: u64,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

/// Says where in a file a read failed. What is no failure of the device keeps its form.
pub fn at_byte(offset: u64, source: io::Error) -> io::Error {
    if source.raw_os_error().is_none() || source.kind() == io::ErrorKind::Interrupted {
        return source;
    }
    io::Error::new(source.kind(), AtByte { offset, source })
}

/// Opens a file that the operator names: the name may be a link, and what it leads to is a regular file.
///
/// # Errors
/// The kernel's.
pub fn open_named(files: &dyn Files, path: &Path) -> FileResult<OpenFile> {
    let failed = |source| FileError { operation: "read", path: path.to_owned(), source };
    let full = path.canonicalize().map_err(failed)?;
    match (full.parent(), full.file_name().and_then(|name| name.to_str())) {
        (Some(root), Some(name)) => files.open(root, name),
        _ => Err(failed(io::ErrorKind::InvalidFilename.into())),
    }
}

/// Reads a file to its end, at most `limit` bytes.
///
/// # Errors
/// The kernel's, with the place.
pub fn read_whole(open: OpenFile, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(open.size.min(limit)).unwrap_or(0));
    let read = open.reader.take(limit).read_to_end(&mut bytes);
    read.map_err(|error| at_byte(bytes.len() as u64, error))?;
    Ok(bytes)
}
