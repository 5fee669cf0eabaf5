//! A file layer over the real one that fails at the place a test chooses.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use airlift::engine::error::FileError;
use airlift::engine::files::{Entry, FileResult, Files, OpenFile, OutFile, RealFiles, Space};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The n-th write fails with this errno.
    Write(usize, i32),
    /// The n-th fsync fails with this errno.
    Sync(usize, i32),
    /// The n-th rename fails with this errno.
    Rename(usize, i32),
    /// The n-th fsync of a directory fails with this errno.
    SyncDir(usize, i32),
    /// The n-th file that is created or opened for appending fails with this errno.
    Create(usize, i32),
    /// Every write takes at most this many bytes, and every third one is interrupted first.
    Short(usize),
    /// The file system does not say how much room there is.
    NoFigures,
}

/// Counts operations and fails the chosen one.
#[derive(Debug)]
pub(crate) struct FaultyFiles {
    fault: Fault,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    writes: AtomicUsize,
    syncs: AtomicUsize,
    renames: AtomicUsize,
    sync_dirs: AtomicUsize,
    creates: AtomicUsize,
}

/// Whether the operation that is the next of its kind is the `chosen` one.
fn strikes(count: &AtomicUsize, chosen: usize, errno: i32) -> io::Result<()> {
    let number = count.fetch_add(1, SeqCst) + 1;
    if number == chosen { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
}

impl FaultyFiles {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, counts: Arc::default() }
    }

    /// Whether as many operations of the chosen kind came as it takes.
    pub(crate) fn struck(&self) -> bool {
        let (count, chosen) = match self.fault {
            Fault::Write(n, _) => (&self.counts.writes, n),
            Fault::Sync(n, _) => (&self.counts.syncs, n),
            Fault::Rename(n, _) => (&self.counts.renames, n),
            Fault::SyncDir(n, _) => (&self.counts.sync_dirs, n),
            Fault::Create(n, _) => (&self.counts.creates, n),
            Fault::Short(_) | Fault::NoFigures => return true,
        };
        count.load(SeqCst) >= chosen
    }

    fn creating(&self, path: &Path) -> FileResult<()> {
        let Fault::Create(n, errno) = self.fault else { return Ok(()) };
        let failed = |source| FileError { operation: "create", path: path.to_owned(), source };
        strikes(&self.counts.creates, n, errno).map_err(failed)
    }

    fn wrap(&self, inner: Box<dyn OutFile>) -> Box<dyn OutFile> {
        Box::new(Faulty { inner, fault: self.fault, counts: Arc::clone(&self.counts) })
    }
}

struct Faulty {
    inner: Box<dyn OutFile>,
    fault: Fault,
    counts: Arc<Counts>,
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let number = self.counts.writes.fetch_add(1, SeqCst) + 1;
        match self.fault {
            Fault::Write(n, errno) if n == number => Err(io::Error::from_raw_os_error(errno)),
            Fault::Short(_) if number.is_multiple_of(3) => Err(io::ErrorKind::Interrupted.into()),
            Fault::Short(most) => self.inner.write(&bytes[..bytes.len().min(most)]),
            _ => self.inner.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl OutFile for Faulty {
    fn sync(&mut self) -> io::Result<()> {
        let number = self.counts.syncs.fetch_add(1, SeqCst) + 1;
        match self.fault {
            Fault::Sync(n, errno) if n == number => Err(io::Error::from_raw_os_error(errno)),
            _ => self.inner.sync(),
        }
    }
}

impl Files for FaultyFiles {
    fn create(&self, path: &Path) -> FileResult<Box<dyn OutFile>> {
        self.creating(path)?;
        RealFiles.create(path).map(|file| self.wrap(file))
    }

    fn append(&self, path: &Path) -> FileResult<Box<dyn OutFile>> {
        self.creating(path)?;
        RealFiles.append(path).map(|file| self.wrap(file))
    }

    fn open(&self, root: &Path, path: &str) -> FileResult<OpenFile> {
        RealFiles.open(root, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> FileResult<()> {
        let number = self.counts.renames.fetch_add(1, SeqCst) + 1;
        match self.fault {
            Fault::Rename(n, errno) if n == number => Err(FileError {
                operation: "rename to",
                path: to.to_owned(),
                source: io::Error::from_raw_os_error(errno),
            }),
            _ => RealFiles.rename(from, to),
        }
    }

    fn remove(&self, path: &Path) -> FileResult<()> {
        RealFiles.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> FileResult<()> {
        RealFiles.remove_dir(path)
    }

    fn create_dir(&self, path: &Path) -> FileResult<()> {
        RealFiles.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> FileResult<()> {
        if let Fault::SyncDir(n, errno) = self.fault {
            let failed = |source| FileError { operation: "sync directory", path: path.to_owned(), source };
            strikes(&self.counts.sync_dirs, n, errno).map_err(failed)?;
        }
        RealFiles.sync_dir(path)
    }

    fn list(&self, root: &Path, limit: usize) -> FileResult<Vec<Entry>> {
        RealFiles.list(root, limit)
    }

    fn space(&self, path: &Path) -> FileResult<Space> {
        let space = RealFiles.space(path)?;
        Ok(match self.fault {
            Fault::NoFigures => Space { free: None, inodes: None, ..space },
            _ => space,
        })
    }
}
