//! The file layer of the kernel: nothing follows a link below a root, hangs on a FIFO or believes a failed fsync.

use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Advice, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

use super::kind::kind_of;
use super::{Entry, EntryKind, FileResult, Files, Held, OpenFile, OutFile, Space, Stat};
use crate::engine::error::FileError;

/// The kernel's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

/// A file being written whose bytes are sent on their way to the device while more of them come:
/// the fsync at the end then has little left to wait for.
struct Draining {
    file: File,
    written: u64,
    started: u64,
}

/// Bytes between two hints to the kernel.
const DRAIN: u64 = 8 * 1024 * 1024;

impl Draining {
    fn new(file: File) -> io::Result<Self> {
        let written = file.metadata()?.len();
        Ok(Self { file, written, started: written })
    }
}

impl Write for Draining {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.written += taken as u64;
        if self.written - self.started >= DRAIN {
            // On dirty pages this advice starts their writing and drops nothing (mm/fadvise.c); a hint, no more.
            let range = std::num::NonZeroU64::new(self.written - self.started);
            let _ = rustix::fs::fadvise(&self.file, self.started, range, rustix::fs::Advice::DontNeed);
            self.started = self.written;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl OutFile for Draining {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(io::SeekFrom::Start(length))?;
        (self.written, self.started) = (length, self.started.min(length));
        Ok(())
    }
}

fn at<'a, E: Into<io::Error>>(operation: &'static str, path: &'a Path) -> impl FnOnce(E) -> FileError + 'a {
    move |source| FileError { operation, path: path.to_owned(), source: source.into() }
}

fn refuse_special(path: &Path, operation: &'static str, fd: impl AsFd) -> FileResult<u64> {
    let stat = rustix::fs::fstat(fd).map_err(at(operation, path))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(FileError { operation, path: path.to_owned(), source });
    }
    Ok(u64::try_from(stat.st_size).unwrap_or(0))
}

/// Flags that neither follow a link nor hang on a FIFO.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Opens `path` below `root`; openat2 where the kernel has it, else component by component.
fn open_beneath(root: &Path, path: &str, flags: OFlags) -> io::Result<File> {
    let directory =
        rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(&directory, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => {}
        other => return Ok(File::from(other?)),
    }
    let mut here = directory;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if matches!(part, "" | "." | "..") {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if parts.peek().is_none() {
            return Ok(File::from(rustix::fs::openat(&here, part, flags, Mode::empty())?));
        }
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        here = rustix::fs::openat(&here, part, step, Mode::empty())?;
    }
    Err(io::ErrorKind::InvalidInput.into())
}

impl Files for RealFiles {
    fn create(&self, path: &Path) -> FileResult<Box<dyn OutFile>> {
        let file = File::options().write(true).create_new(true).open(path).map_err(at("create", path))?;
        Ok(Box::new(Draining::new(file).map_err(at("create", path))?))
    }

    fn append(&self, path: &Path) -> FileResult<Box<dyn OutFile>> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(at("append to", path))?);
        refuse_special(path, "append to", &file)?;
        Ok(Box::new(Draining::new(file).map_err(at("append to", path))?))
    }

    fn open(&self, root: &Path, path: &str) -> FileResult<OpenFile> {
        let full = root.join(path);
        let file = open_beneath(root, path, READ).map_err(at("read", &full))?;
        let size = refuse_special(&full, "read", &file)?;
        let reader = file.try_clone().map_err(at("read", &full))?;
        Ok(OpenFile { reader: Box::new(reader), size, file: Some(file) })
    }

    fn open_cold(&self, root: &Path, path: &str, direct: bool) -> FileResult<OpenFile> {
        let full = root.join(path);
        let flags = if direct { READ | OFlags::DIRECT } else { READ };
        let file = open_beneath(root, path, flags).map_err(at("read", &full))?;
        let size = refuse_special(&full, "read", &file)?;
        if !direct {
            // Advice only: what stays in the cache is read from there.
            let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
        }
        let reader = file.try_clone().map_err(at("read", &full))?;
        Ok(OpenFile { reader: Box::new(reader), size, file: Some(file) })
    }

    fn stat(&self, path: &Path) -> FileResult<Option<Stat>> {
        let stat = std::fs::symlink_metadata(path)
            .and_then(|metadata| stat_of(metadata.file_type(), || Ok(metadata)).map(Some));
        match stat {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map_err(at("look at", path)),
        }
    }

    fn lock_dir(&self, path: &Path) -> FileResult<Option<Held>> {
        lock(path, File::open(path))
    }

    fn lock_file(&self, path: &Path) -> FileResult<Option<Held>> {
        lock(path, File::options().create(true).truncate(false).write(true).open(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> FileResult<()> {
        std::fs::rename(from, to).map_err(at("rename to", to))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> FileResult<()> {
        let renamed = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // NFS, 9P and most of FUSE do not know the flag.
            Err(Errno::INVAL | Errno::NOSYS) => take_name(from, to),
            other => other.map_err(Into::into),
        };
        renamed.map_err(at("rename to", to))
    }

    fn remove(&self, path: &Path) -> FileResult<()> {
        missing_is_fine(std::fs::remove_file(path)).map_err(at("remove", path))
    }

    fn remove_dir(&self, path: &Path) -> FileResult<()> {
        missing_is_fine(std::fs::remove_dir(path)).map_err(at("remove directory", path))
    }

    fn create_dir(&self, path: &Path) -> FileResult<()> {
        std::fs::create_dir_all(path).map_err(at("create directory", path))
    }

    fn link(&self, target: &Path, path: &Path) -> FileResult<()> {
        std::os::unix::fs::symlink(target, path).map_err(at("link", path))
    }

    fn remove_tree(&self, path: &Path) -> FileResult<()> {
        missing_is_fine(std::fs::remove_dir_all(path)).map_err(at("remove directory", path))
    }

    fn sync_fs(&self, path: &Path) -> FileResult<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top =
            rustix::fs::open(path, flags, Mode::empty()).map_err(at("sync the file system of", path))?;
        rustix::fs::syncfs(&top).map_err(at("sync the file system of", path))
    }

    fn sync_dir(&self, path: &Path) -> FileResult<()> {
        // The parent of a bare file name is written as nothing.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(at("sync directory", path))?;
        match rustix::fs::fsync(&directory) {
            // Some FUSE file systems cannot sync a directory and say so; their renames are not cached.
            Err(Errno::INVAL | Errno::NOSYS) => Ok(()),
            other => other.map_err(at("sync directory", path)),
        }
    }

    fn entries(&self, directory: &Path, limit: usize) -> FileResult<Vec<Entry>> {
        let failed = || at("list", directory);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed())? {
            if entries.len() == limit {
                let source = io::Error::other(format!("more than {limit} files"));
                return Err(failed()(source));
            }
            entries.push(entry.and_then(|entry| describe(&entry)).map_err(failed())?);
        }
        Ok(entries)
    }

    fn space(&self, path: &Path) -> FileResult<Space> {
        let stat = rustix::fs::statfs(path).map_err(at("ask for the space of", path))?;
        let block = u64::try_from(stat.f_bsize).unwrap_or(0);
        let kind = kind_of(stat.f_type as u64, path);
        Ok(Space {
            // A FUSE file system may report no blocks at all: that is "unknown", not "full".
            free: (stat.f_blocks > 0).then_some(stat.f_bavail.saturating_mul(block)),
            inodes: (stat.f_files > 0).then_some(stat.f_ffree),
            max_file: (kind == "fat").then_some(u64::from(u32::MAX)),
            process_limit: rustix::process::getrlimit(rustix::process::Resource::Fsize).current,
            kind,
        })
    }
}

/// Gives a file a name that nobody has: by a second name, which no file system lets replace one; where it has no
/// second names, as FAT and exFAT, by an empty file that holds the name until it is replaced.
fn take_name(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::link(from, to) {
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {}
        linked => return linked.map_err(io::Error::from).and_then(|()| std::fs::remove_file(from)),
    }
    drop(File::options().write(true).create_new(true).open(to)?);
    std::fs::rename(from, to).inspect_err(|_| {
        // It is empty and ours; the error of the rename is the one to tell.
        let _ = std::fs::remove_file(to);
    })
}

fn lock(path: &Path, opened: io::Result<File>) -> FileResult<Option<Held>> {
    let file = opened.map_err(at("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Held(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(at("lock", path)(source)),
    }
}

/// Opens a regular file or a directory that a run may hold by [`Files::lock_file`] or [`Files::lock_dir`], and tells whether
/// one does; nothing where nothing is.
/// The look lasts as long as the file is open, and is shared: two that look do not take each other for a run.
///
/// # Errors
/// The kernel's; a link and anything else are refused.
pub fn open_held(path: &Path) -> FileResult<Option<(File, bool)>> {
    let file = match rustix::fs::open(path, READ, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => File::from(other.map_err(at("open", path))?),
    };
    if !file.metadata().is_ok_and(|there| there.is_dir()) {
        refuse_special(path, "open", &file)?;
    }
    match file.try_lock_shared() {
        Ok(()) => Ok(Some((file, false))),
        Err(TryLockError::WouldBlock) => Ok(Some((file, true))),
        Err(TryLockError::Error(source)) => Err(at("lock", path)(source)),
    }
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn describe(entry: &std::fs::DirEntry) -> io::Result<Entry> {
    let Stat { kind, size } = stat_of(entry.file_type()?, || entry.metadata())?;
    Ok(Entry { path: entry.file_name().to_string_lossy().into_owned(), kind, size })
}

fn stat_of(
    kind: std::fs::FileType,
    metadata: impl FnOnce() -> io::Result<std::fs::Metadata>,
) -> io::Result<Stat> {
    Ok(if kind.is_dir() {
        Stat { kind: EntryKind::Directory, size: 0 }
    } else if kind.is_file() {
        Stat { kind: EntryKind::File, size: metadata()?.len() }
    } else {
        Stat { kind: EntryKind::Other, size: 0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_rename_refuses_to_replace_a_name_is_taken_and_never_from_another() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, "mine").unwrap();
        take_name(&from, &to).unwrap();
        assert!(!from.exists());
        std::fs::write(&from, "other").unwrap();
        assert_eq!(take_name(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
        assert_eq!(std::fs::read_to_string(&from).unwrap(), "other");
    }
}
