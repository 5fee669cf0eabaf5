//! A tar file that appears whole or not at all: written beside its final name, synced, renamed; an equal one is recognised.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::Job;
use super::error::ImportError;
use super::graph::Node;
use super::index::LayoutIndex;
use super::older::Older;
use super::stream::{BUFFER, Incoming, cause};
use crate::domain::bundle::{INDEX, LAYOUT, MAX_DOCUMENT};
use crate::domain::digest::Digest;
use crate::domain::text;
use crate::engine::directory;
use crate::engine::error::{EngineError, FileError, Result};
use crate::engine::files::Files;
use crate::engine::hash::{Hasher, sha256};
use crate::engine::meter::Meter;

/// Suffix of a file that is not finished.
pub(super) const TEMP: &str = ".airlift-tmp";
/// Bytes of a tar record header, and what contents are padded to (POSIX ustar).
const RECORD: u64 = 512;
/// Longer names do not fit into a header.
const NAME: u64 = 100;

/// A file in the archive.
pub(super) enum Member {
    /// Made here.
    Bytes(String, Vec<u8>),
    /// A blob of the bundle, for an image.
    Blob(String, Node, String),
    /// The same for an image that was there before; its bytes are no progress.
    Kept(String, Node, String),
    /// A blob that is taken over from an archive; its bytes are progress where an image has it that is asked for.
    Older(String, Node, Taken),
}

/// Where a blob is taken over from.
pub(super) struct Taken {
    pub(super) from: Arc<Older>,
    pub(super) asked: bool,
}

impl Member {
    const fn size(&self) -> u64 {
        match self {
            Self::Bytes(_, bytes) => bytes.len() as u64,
            Self::Blob(_, node, _) | Self::Kept(_, node, _) | Self::Older(_, node, _) => node.size,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Bytes(name, _) | Self::Blob(name, ..) | Self::Kept(name, ..) | Self::Older(name, ..) => {
                name
            }
        }
    }

    fn digest(&self) -> Digest {
        match self {
            Self::Bytes(_, bytes) => sha256(bytes),
            Self::Blob(_, node, _) | Self::Kept(_, node, _) | Self::Older(_, node, _) => node.digest.clone(),
        }
    }

    /// What the archive calls its images, where this member is its index.
    pub(super) fn names(&self) -> Option<LayoutIndex> {
        match self {
            Self::Bytes(name, bytes) if name == INDEX => LayoutIndex::parse(bytes).ok(),
            _ => None,
        }
    }

    /// Bytes in the archive.
    fn length(&self) -> u64 {
        let name = self.name().len() as u64;
        // GNU's extension: a longer name is a record of its own, with an end and a header.
        let long = if name > NAME { RECORD + (name + 1).next_multiple_of(RECORD) } else { 0 };
        long + RECORD + self.size().next_multiple_of(RECORD)
    }
}

/// Bytes of the whole archive.
pub(super) fn length(members: &[Member]) -> u64 {
    members.iter().map(Member::length).fold(2 * RECORD, u64::saturating_add)
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
    if !job.spec.replace && job.ctx.files.stat(path)?.is_some() {
        // Another run made it since this one looked; nobody asked for it to be replaced.
        return Err(ImportError::Locked { path: path.to_owned() }.into());
    }
    overwrite(job, path, members, |_| Ok(()))
}

/// The same in place of whatever has the name, once `look` finds the file right that is about to get it.
pub(super) fn overwrite(
    job: &Job,
    path: &Path,
    members: &[Member],
    look: impl FnOnce(&Path) -> Result<()>,
) -> Result<u64> {
    let parent = directory::above(path);
    let temp = directory::suffixed(path, TEMP);
    job.ctx.files.remove(&temp)?;
    let needed = length(members);
    if let Some(free) = job.ctx.files.space(parent)?.free.filter(|free| *free < needed) {
        return Err(ImportError::Space { path: path.to_owned(), needed, free }.into());
    }
    if let Err(error) = write(job, &temp, members).and_then(|()| look(&temp)) {
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
                let mut blob = job.open(node, image, meter)?;
                if meter.is_some() {
                    job.parts.begin(image);
                    blob = blob.told(job, node);
                }
                builder.append_data(&mut header, name, BufReader::with_capacity(BUFFER, blob))
            }
            Member::Kept(name, node, image) => {
                let blob = job.open(node, image, None)?;
                builder.append_data(&mut header, name, BufReader::with_capacity(BUFFER, blob))
            }
            Member::Older(name, node, taken) => {
                let blob = Incoming::of(job, taken.from.open(node, meter.filter(|_| taken.asked))?);
                builder.append_data(&mut header, name, BufReader::with_capacity(BUFFER, blob))
            }
        };
        written.map_err(|error| cause(error, |error| file_error("write", path, error)))?;
    }
    Ok(())
}

/// Reads an archive from its device and hashes every member, without a look at the bundle; says what is not as it
/// would be written, if anything is. Blocks.
pub(super) fn damage(job: &Job, path: &Path, members: &[Member]) -> Result<Option<Damage>> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let open = job.ctx.files.open_cold(directory::above(path), &name, false)?;
    let failed = |source| file_error("read", path, source);
    let mut archive = tar::Archive::new(BufReader::with_capacity(BUFFER, open.reader));
    let mut there = archive.entries().map_err(failed)?.raw(true);
    let mut buffer = vec![0; BUFFER];
    for member in members {
        job.ctx.check()?;
        if member.name().len() as u64 > NAME {
            // The record of the long name; the header after it has the beginning of it.
            drop(there.next());
        }
        let damaged = |actual: String| {
            Ok(Some(Damage { member: member.name().to_owned(), expected: member.digest(), actual }))
        };
        let mut entry = match there.next() {
            None => return damaged("nothing".to_owned()),
            Some(Err(error)) => return damaged(error.to_string()),
            Some(Ok(entry)) => entry,
        };
        let name = member.name().as_bytes();
        if *entry.path_bytes() != name[..name.len().min(NAME as usize)] || entry.size() != member.size() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            return damaged(format!("{} with {} bytes", text::shown(&name), entry.size()));
        }
        let mut hasher = Hasher::new(member.digest().algorithm());
        loop {
            match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => hasher.update(&buffer[..got]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let actual = hasher.finish();
        if actual != member.digest() {
            return damaged(actual.to_string());
        }
    }
    // One that goes on is not what was written, and may have other names than are known of.
    let Some(rest) = there.next() else { return Ok(None) };
    let actual = match rest {
        Ok(_) => "a member too many".to_owned(),
        Err(error) => error.to_string(),
    };
    Ok(Some(Damage { member: "its end".to_owned(), expected: sha256(&[]), actual }))
}

/// The index of an archive of a layout as it is written here, which stands at its beginning; an error in words where
/// it is another kind of archive, nothing where there is none. Blocks.
pub(super) fn index(
    files: &dyn Files,
    path: &Path,
) -> Result<Option<std::result::Result<LayoutIndex, String>>> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let open = match files.open(directory::above(path), &name) {
        Ok(open) => open,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(read_index(open.reader)))
}

fn read_index(reader: impl Read) -> std::result::Result<LayoutIndex, String> {
    let other = |error: io::Error| format!("it is no archive of an image layout: {error}");
    let mut archive = tar::Archive::new(reader);
    let mut entries = archive.entries().map_err(other)?.raw(true);
    for wanted in [LAYOUT, INDEX] {
        let Some(entry) = entries.next().transpose().map_err(other)? else {
            return Err("it is empty".to_owned());
        };
        if *entry.path_bytes() != *wanted.as_bytes() || entry.size() > MAX_DOCUMENT {
            return Err(format!("it does not begin with {LAYOUT} and {INDEX}"));
        }
        if wanted == INDEX {
            let mut bytes = Vec::new();
            entry.take(MAX_DOCUMENT).read_to_end(&mut bytes).map_err(other)?;
            return LayoutIndex::parse(&bytes);
        }
    }
    Ok(LayoutIndex::empty())
}

/// A member of an archive that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// Its name.
    pub(super) member: String,
    /// The digest it should have.
    pub(super) expected: Digest,
    /// What is there.
    pub(super) actual: String,
}
