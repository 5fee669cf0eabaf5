//! A file layer over the real one that fails at the place a test chooses.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use airlift::engine::error::FileError;
use airlift::engine::files::{Entry, FileResult, Files, Held, OpenFile, OutFile, RealFiles, Space, Stat};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The n-th write fails with this errno.
    Write(usize, i32),
    /// Of the n-th write a part is taken, and what follows of it fails with this errno.
    Torn(usize, i32),
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
    /// Reading fails from this byte on with this errno.
    Read(u64, i32),
    /// Reading from the device fails from this byte on with this errno; what memory holds is fine.
    ReadCold(u64, i32),
    /// Files end at this byte, though they say that they are longer.
    End(u64),
    /// Files are listed and cannot be found when they are opened.
    Vanish,
    /// Listing fails with this errno.
    List(i32),
}

/// Counts operations and fails the chosen one.
#[derive(Debug)]
pub(crate) struct FaultyFiles {
    fault: Fault,
    /// What the paths end with that reading, listing and writing fail at; all where it is empty.
    only: String,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    writes: AtomicUsize,
    syncs: AtomicUsize,
    renames: AtomicUsize,
    sync_dirs: AtomicUsize,
    creates: AtomicUsize,
    reads: AtomicUsize,
}

/// Whether the operation that is the next of its kind is the `chosen` one.
fn strikes(count: &AtomicUsize, chosen: usize, errno: i32) -> io::Result<()> {
    let number = count.fetch_add(1, SeqCst) + 1;
    if number == chosen { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
}

impl FaultyFiles {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, only: String::new(), counts: Arc::default() }
    }

    /// A fault of reading, listing or writing at paths that end with `end`.
    pub(crate) fn at(fault: Fault, end: &str) -> Arc<Self> {
        Arc::new(Self { only: end.to_owned(), ..Self::new(fault) })
    }

    /// Whether the fault is of this kind of operation and at this path; notes that it struck.
    fn hits(&self, path: &Path, of_kind: bool) -> bool {
        let hit = of_kind && path.to_string_lossy().ends_with(&self.only);
        self.counts.reads.fetch_add(usize::from(hit), SeqCst);
        hit
    }

    fn open_faulty(&self, path: &Path, opened: FileResult<OpenFile>) -> FileResult<OpenFile> {
        let failed =
            |kind: io::ErrorKind| FileError { operation: "read", path: path.to_owned(), source: kind.into() };
        if self.hits(path, self.fault == Fault::Vanish) {
            return Err(failed(io::ErrorKind::NotFound));
        }
        let open = opened?;
        let (left, errno) = match self.fault {
            Fault::Read(at, errno) | Fault::ReadCold(at, errno) => (at, Some(errno)),
            Fault::End(at) => (at, None),
            _ => return Ok(open),
        };
        if !self.hits(path, true) {
            return Ok(open);
        }
        let reader = FaultyReader { inner: open.reader, left, errno };
        Ok(OpenFile { reader: Box::new(reader), size: open.size, file: None })
    }

    /// Whether as many operations of the chosen kind came as it takes.
    pub(crate) fn struck(&self) -> bool {
        let (count, chosen) = match self.fault {
            Fault::Write(n, _) => (&self.counts.writes, n),
            Fault::Torn(n, _) => (&self.counts.writes, n + 1),
            Fault::Sync(n, _) => (&self.counts.syncs, n),
            Fault::Rename(n, _) => (&self.counts.renames, n),
            Fault::SyncDir(n, _) => (&self.counts.sync_dirs, n),
            Fault::Create(n, _) => (&self.counts.creates, n),
            Fault::Short(_) | Fault::NoFigures => return true,
            Fault::Read(..) | Fault::ReadCold(..) | Fault::End(_) | Fault::Vanish | Fault::List(_) => {
                (&self.counts.reads, 1)
            }
        };
        count.load(SeqCst) >= chosen
    }

    fn creating(&self, path: &Path) -> FileResult<()> {
        let Fault::Create(n, errno) = self.fault else { return Ok(()) };
        let failed = |source| FileError { operation: "create", path: path.to_owned(), source };
        strikes(&self.counts.creates, n, errno).map_err(failed)
    }

    fn renaming(&self, to: &Path) -> FileResult<()> {
        let number = self.counts.renames.fetch_add(1, SeqCst) + 1;
        let Fault::Rename(n, errno) = self.fault else { return Ok(()) };
        let source = io::Error::from_raw_os_error(errno);
        let failed = FileError { operation: "rename to", path: to.to_owned(), source };
        if n == number { Err(failed) } else { Ok(()) }
    }

    fn wrap(&self, path: &Path, inner: Box<dyn OutFile>) -> Box<dyn OutFile> {
        if !path.to_string_lossy().ends_with(&self.only) {
            return inner;
        }
        Box::new(Faulty { inner, fault: self.fault, counts: Arc::clone(&self.counts) })
    }
}

/// Gives the bytes up to the place of the fault.
struct FaultyReader {
    inner: Box<dyn Read + Send>,
    left: u64,
    errno: Option<i32>,
}

impl Read for FaultyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap().min(buffer.len());
        if most == 0 {
            return self.errno.map_or(Ok(0), |errno| Err(io::Error::from_raw_os_error(errno)));
        }
        let got = self.inner.read(&mut buffer[..most])?;
        self.left -= got as u64;
        Ok(got)
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
            Fault::Torn(n, _) if n == number => self.inner.write(&bytes[..bytes.len() / 2]),
            Fault::Torn(n, errno) if n + 1 == number => Err(io::Error::from_raw_os_error(errno)),
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

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.inner.cut(length)
    }
}

impl Files for FaultyFiles {
    fn create(&self, path: &Path) -> FileResult<Box<dyn OutFile>> {
        self.creating(path)?;
        RealFiles.create(path).map(|file| self.wrap(path, file))
    }

    fn append(&self, path: &Path) -> FileResult<Box<dyn OutFile>> {
        self.creating(path)?;
        RealFiles.append(path).map(|file| self.wrap(path, file))
    }

    fn open(&self, root: &Path, path: &str) -> FileResult<OpenFile> {
        let opened = RealFiles.open(root, path);
        if matches!(self.fault, Fault::ReadCold(..)) {
            return opened;
        }
        self.open_faulty(&root.join(path), opened)
    }

    fn open_cold(&self, root: &Path, path: &str, direct: bool) -> FileResult<OpenFile> {
        self.open_faulty(&root.join(path), RealFiles.open_cold(root, path, direct))
    }

    fn stat(&self, path: &Path) -> FileResult<Option<Stat>> {
        RealFiles.stat(path)
    }

    fn lock_dir(&self, path: &Path) -> FileResult<Option<Held>> {
        RealFiles.lock_dir(path)
    }

    fn lock_file(&self, path: &Path) -> FileResult<Option<Held>> {
        RealFiles.lock_file(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> FileResult<()> {
        self.renaming(to)?;
        RealFiles.rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> FileResult<()> {
        self.renaming(to)?;
        RealFiles.rename_new(from, to)
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

    fn link(&self, target: &Path, path: &Path) -> FileResult<()> {
        RealFiles.link(target, path)
    }

    fn remove_tree(&self, path: &Path) -> FileResult<()> {
        RealFiles.remove_tree(path)
    }

    fn sync_fs(&self, path: &Path) -> FileResult<()> {
        RealFiles.sync_fs(path)
    }

    fn sync_dir(&self, path: &Path) -> FileResult<()> {
        if let Fault::SyncDir(n, errno) = self.fault {
            let failed = |source| FileError { operation: "sync directory", path: path.to_owned(), source };
            strikes(&self.counts.sync_dirs, n, errno).map_err(failed)?;
        }
        RealFiles.sync_dir(path)
    }

    fn entries(&self, directory: &Path, limit: usize) -> FileResult<Vec<Entry>> {
        match self.fault {
            Fault::List(errno) if self.hits(directory, true) => Err(FileError {
                operation: "list",
                path: directory.to_owned(),
                source: io::Error::from_raw_os_error(errno),
            }),
            _ => RealFiles.entries(directory, limit),
        }
    }

    fn space(&self, path: &Path) -> FileResult<Space> {
        let space = RealFiles.space(path)?;
        Ok(match self.fault {
            Fault::NoFigures => Space { free: None, inodes: None, ..space },
            _ => space,
        })
    }
}
