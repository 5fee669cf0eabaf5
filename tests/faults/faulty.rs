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
    /// Every write takes at most this many bytes, and every third one is interrupted first.
    Short(usize),
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
}

impl FaultyFiles {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, counts: Arc::default() }
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
        RealFiles.create(path).map(|file| self.wrap(file))
    }

    fn append(&self, path: &Path) -> FileResult<Box<dyn OutFile>> {
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
        RealFiles.sync_dir(path)
    }

    fn list(&self, root: &Path, limit: usize) -> FileResult<Vec<Entry>> {
        RealFiles.list(root, limit)
    }

    fn space(&self, path: &Path) -> FileResult<Space> {
        RealFiles.space(path)
    }
}
