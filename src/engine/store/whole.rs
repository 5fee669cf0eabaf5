//! Writes one file whole or not at all: temp file beside it, fsync, rename, fsync of the directory.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::{BUFFER, TEMP};
use crate::domain::bundle::File;
use crate::domain::digest::Algorithm;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{FileResult, Files, OutFile};
use crate::engine::hash::Hasher;

/// So many runs may write beside the same file at a time, or have been cut off there.
const BESIDE: u32 = 100;

/// Writes a file of a bundle, whole or not at all. Blocks.
///
/// # Errors
/// As [`replace`].
pub fn write_file(files: &dyn Files, root: &Path, path: &str, bytes: &[u8]) -> Result<File> {
    write_stream(files, root, path, bytes)
}

/// The same from a stream, hashed on the way. Blocks.
///
/// # Errors
/// As [`replace`].
pub fn write_stream(files: &dyn Files, root: &Path, path: &str, source: impl Read) -> Result<File> {
    let full = root.join(path);
    let mut source = Hashed { inner: source, hasher: Hasher::new(Algorithm::Sha256), size: 0 };
    replace(files, (&directory::suffixed(&full, TEMP), &full), &mut source)?;
    Ok(File { path: path.to_owned(), size: source.size, sha256: source.hasher.finish().hex().to_owned() })
}

/// Puts the bytes of a stream under a name, whole or not at all: a temp file beside it, fsync, rename, fsync of the
/// directory. Whoever calls it sees to it that no other run uses the same temp file. Blocks.
///
/// # Errors
/// A file error; the temp file is gone then.
pub fn replace(files: &dyn Files, (temp, path): (&Path, &Path), source: impl Read) -> Result<()> {
    files.remove(temp)?;
    let written = copy_durably(files, (temp, path), source);
    if written.is_err() {
        // The first error is the one to tell; a temp file that cannot be removed is found by the next run.
        let _ = files.remove(temp);
    }
    written
}

fn copy_durably(files: &dyn Files, (temp, path): (&Path, &Path), mut source: impl Read) -> Result<()> {
    let failed = |operation| move |source| FileError { operation, path: path.to_owned(), source };
    let mut out = files.create(temp)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => out.write_all(&buffer[..got]).map_err(failed("write"))?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("read the source of")(error).into()),
        }
    }
    out.sync().map_err(failed("sync"))?;
    drop(out);
    files.rename(temp, path)?;
    Ok(files.sync_dir(directory::above(path))?)
}

/// Writes a file that an operator names, replacing what is there; beside it nothing of theirs is touched. Blocks.
///
/// # Errors
/// A file error; the temp file is gone then.
pub fn write_over(files: &dyn Files, path: &Path, bytes: &[u8]) -> FileResult<()> {
    write_beside(files, path, bytes, |temp| files.rename(temp, path))
}

/// Writes a file that an operator names where nothing is, whoever comes there meanwhile. Blocks.
///
/// # Errors
/// A file error, of which `AlreadyExists` says that something is there; the temp file is gone then.
pub fn write_new(files: &dyn Files, path: &Path, bytes: &[u8]) -> FileResult<()> {
    write_beside(files, path, bytes, |temp| files.rename_new(temp, path))
}

fn write_beside(
    files: &dyn Files,
    path: &Path,
    bytes: &[u8],
    name: impl FnOnce(&Path) -> FileResult<()>,
) -> FileResult<()> {
    let failed = |operation| move |source| FileError { operation, path: path.to_owned(), source };
    let (temp, mut out) = beside(files, path)?;
    let written = out.write_all(bytes).map_err(failed("write"));
    let synced = written.and_then(|()| out.sync().map_err(failed("sync")));
    drop(out);
    let named = synced.and_then(|()| name(&temp));
    if named.is_err() {
        // The first error is the one to tell.
        let _ = files.remove(&temp);
    }
    named.and_then(|()| files.sync_dir(directory::above(path)))
}

/// A new file beside another: whatever is there under the name of a temp file may be somebody's.
fn beside(files: &dyn Files, path: &Path) -> FileResult<(PathBuf, Box<dyn OutFile>)> {
    let mut number = 0;
    loop {
        let temp = directory::suffixed(path, &format!(".{number}{TEMP}"));
        match files.create(&temp) {
            Err(error) if error.source.kind() == ErrorKind::AlreadyExists && number < BESIDE => number += 1,
            created => return Ok((temp, created?)),
        }
    }
}

/// Hashes and counts what is read through it.
struct Hashed<R> {
    inner: R,
    hasher: Hasher,
    size: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..got]);
        self.size += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::engine::files::RealFiles;

    fn names(dir: &Path) -> Vec<String> {
        RealFiles.list(dir, 1000).unwrap().into_iter().map(|entry| entry.path).collect()
    }

    /// In memory, where there is such a directory, and where temp files go.
    fn directories() -> Vec<tempfile::TempDir> {
        let memory = tempfile::tempdir_in("/dev/shm").ok();
        memory.into_iter().chain([tempfile::tempdir().unwrap()]).collect()
    }

    #[test]
    fn of_all_who_write_a_new_file_at_once_one_does_and_its_bytes_stay() {
        for dir in directories() {
            for round in 0..50 {
                let path = dir.path().join(format!("{round}.txt"));
                let start = Barrier::new(4);
                let write = |who: usize| {
                    start.wait();
                    match write_new(&RealFiles, &path, who.to_string().repeat(5000).as_bytes()) {
                        Ok(()) => Some(who),
                        Err(error) if error.source.kind() == ErrorKind::AlreadyExists => None,
                        Err(error) => panic!("{error}"),
                    }
                };
                let write = &write;
                let wrote: Vec<usize> = std::thread::scope(|scope| {
                    let writers: Vec<_> = (0..4).map(|who| scope.spawn(move || write(who))).collect();
                    writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
                });
                assert_eq!(wrote.len(), 1, "{wrote:?} think that they wrote {}", path.display());
                assert_eq!(std::fs::read_to_string(&path).unwrap(), wrote[0].to_string().repeat(5000));
            }
            assert_eq!(names(dir.path()).len(), 50, "{:?}", names(dir.path()));
        }
    }

    #[test]
    fn links_and_directories_are_there_too_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (link, directory) = (dir.path().join("link"), dir.path().join("directory"));
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        std::fs::create_dir(&directory).unwrap();
        for path in [&link, &directory] {
            let error = write_new(&RealFiles, path, b"mine").unwrap_err();
            assert_eq!(error.source.kind(), ErrorKind::AlreadyExists, "{error}");
        }
        assert_eq!(names(dir.path()), ["directory", "link"]);
        assert_eq!(link.read_link().unwrap(), Path::new("nowhere"));
    }

    #[test]
    fn what_lies_under_the_name_of_a_temp_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, theirs) = (dir.path().join("a"), dir.path().join("a.0.tmp"));
        std::fs::write(&theirs, "theirs").unwrap();
        write_new(&RealFiles, &path, b"new").unwrap();
        write_over(&RealFiles, &path, b"over").unwrap();
        assert_eq!(names(dir.path()), ["a", "a.0.tmp"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "over");
        assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "theirs");
    }
}
