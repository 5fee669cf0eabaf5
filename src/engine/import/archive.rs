//! A tar file that appears whole or not at all: written beside its final name, synced, renamed; an equal one is recognised.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::Job;
use super::error::ImportError;
use super::graph::Node;
use super::stream::{BUFFER, cause};
use crate::engine::directory;
use crate::engine::error::{EngineError, FileError, Result};
use crate::engine::meter::Meter;

/// Suffix of a file that is not finished.
const TEMP: &str = ".airlift-tmp";
/// Bytes of a tar record header, and what contents are padded to (POSIX ustar).
const RECORD: u64 = 512;

/// A file in the archive.
pub(super) enum Member {
    /// Made here.
    Bytes(String, Vec<u8>),
    /// A blob of the bundle, for an image.
    Blob(String, Node, String),
}

impl Member {
    const fn size(&self) -> u64 {
        match self {
            Self::Bytes(_, bytes) => bytes.len() as u64,
            Self::Blob(_, node, _) => node.size,
        }
    }
}

/// What lies under the final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// Exactly these members.
    Same,
    /// Something else.
    Other,
}

fn file_error(operation: &'static str, path: &Path, source: io::Error) -> EngineError {
    FileError { operation, path: path.to_owned(), source }.into()
}

/// Compares what lies at `path` with what would be written. Blocks.
pub(super) fn compare(job: &Job, path: &Path, members: &[Member]) -> Result<There> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let open = match job.ctx.files.open(directory::above(path), &name) {
        Ok(open) => open,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
        Err(error) => return Err(error.into()),
    };
    let against = BufReader::with_capacity(BUFFER, open.reader);
    let mut builder = tar::Builder::new(Comparer { against });
    let written = append(job, &mut builder, members, None, path)
        .and_then(|()| builder.into_inner().map_err(|error| file_error("compare", path, error)));
    match written {
        Ok(mut comparer) => {
            let rest = comparer.against.read(&mut [0]).map_err(|error| file_error("read", path, error))?;
            Ok(if rest == 0 { There::Same } else { There::Other })
        }
        Err(error) if error.message().contains(DIFFERS) => Ok(There::Other),
        Err(error) => Err(error),
    }
}

const DIFFERS: &str = "the existing archive differs";

/// Takes bytes only as long as a file has the same.
struct Comparer<R> {
    against: R,
}

impl<R: Read> Write for Comparer<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = bytes.len().min(BUFFER);
        let mut there = vec![0; wanted];
        match self.against.read_exact(&mut there) {
            Ok(()) if there == bytes[..wanted] => Ok(wanted),
            Ok(()) => Err(io::Error::other(DIFFERS)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(io::Error::other(DIFFERS)),
            Err(error) => Err(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the archive and gives it its name; returns the bytes written. Blocks.
pub(super) fn commit(job: &Job, path: &Path, members: &[Member]) -> Result<u64> {
    let parent = directory::above(path);
    if !job.spec.replace && job.ctx.files.stat(path)?.is_some() {
        // Another run made it since this one looked; nobody asked for it to be replaced.
        return Err(ImportError::Locked { path: path.to_owned() }.into());
    }
    let temp = directory::suffixed(path, TEMP);
    job.ctx.files.remove(&temp)?;
    let needed = members
        .iter()
        .map(|member| member.size().next_multiple_of(RECORD) + RECORD)
        .fold(2 * RECORD, u64::saturating_add);
    if let Some(free) = job.ctx.files.space(parent)?.free.filter(|free| *free < needed) {
        return Err(ImportError::Space { path: path.to_owned(), needed, free }.into());
    }
    if let Err(error) = write(job, &temp, members) {
        // What failed is the news; the next run removes a temp file that stays.
        let _ = job.ctx.files.remove(&temp);
        return Err(error);
    }
    job.ctx.files.rename(&temp, path)?;
    job.ctx.files.sync_dir(parent)?;
    Ok(needed)
}

fn write(job: &Job, temp: &Path, members: &[Member]) -> Result<()> {
    let failed = |error| file_error("write", temp, error);
    let out = BufWriter::with_capacity(BUFFER, job.ctx.files.create(temp)?);
    let mut builder = tar::Builder::new(out);
    append(job, &mut builder, members, Some(&job.meter), temp)?;
    let mut out =
        builder.into_inner().map_err(failed)?.into_inner().map_err(|error| failed(error.into_error()))?;
    out.sync().map_err(|error| file_error("sync", temp, error))
}

fn append<W: Write>(
    job: &Job,
    builder: &mut tar::Builder<W>,
    members: &[Member],
    meter: Option<&Arc<Meter>>,
    path: &Path,
) -> Result<()> {
    for member in members {
        job.ctx.check()?;
        // Nothing but content goes in, so that one bundle gives one archive.
        let mut header = tar::Header::new_gnu();
        header.set_size(member.size());
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        let written = match member {
            Member::Bytes(name, bytes) => builder.append_data(&mut header, name, bytes.as_slice()),
            Member::Blob(name, node, image) => {
                let blob = job.open(node, image, meter)?;
                builder.append_data(&mut header, name, BufReader::with_capacity(BUFFER, blob))
            }
        };
        written.map_err(|error| cause(error, |error| file_error("write", path, error)))?;
    }
    Ok(())
}
