//! Import into an OCI image layout: blobs by temp file and rename, what lies there is hashed and never believed, names last.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::error::ImportError;
use super::graph::{ImageGraph, Node};
use super::index::{Aliases, LayoutIndex, entries, notes};
use super::report::Outcome;
use super::stream::{BUFFER, cause};
use super::{Job, Planned, Written};
use crate::domain::bundle::{INDEX, LAYOUT, MAX_DOCUMENT};
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::progress::{Event, Phase};
use crate::engine::bundle::contents::LAYOUT_BYTES;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Entry, EntryKind, read_whole};
use crate::engine::hash::Hasher;
use crate::engine::store;

/// Suffix of files that are not finished; a later run removes them.
const TEMP: &str = ".airlift-tmp";
/// A layout with more files than this is not listed.
const MAX_FILES: usize = 1_000_000;

/// Says what would become of each image.
pub(super) fn plan(job: &Job, dir: &Path, images: &[ImageGraph]) -> Result<Vec<Planned>> {
    let index = read_index(job, dir)?;
    let plan = images.iter().map(|image| match index.named(&image.name()) {
        Some(there) if there.digest == image.image.digest => Planned::Skip,
        Some(there) => Planned::taken(job, there.digest.to_string()),
        None => Planned::Add,
    });
    Ok(plan.collect())
}

fn file_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { operation, path, source }
}

fn no_layout(dir: &Path, reason: impl Into<String>) -> ImportError {
    ImportError::NoLayout { path: dir.to_owned(), reason: reason.into() }
}

/// Reads a file of the layout; nothing where it is not there.
fn read_small(job: &Job, dir: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    let open = match job.ctx.files.open(dir, name) {
        Ok(open) => open,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if open.size > MAX_DOCUMENT {
        return Err(no_layout(
            dir,
            format!("{name} has {} bytes, at most {MAX_DOCUMENT} are read", open.size),
        )
        .into());
    }
    Ok(Some(read_whole(open, MAX_DOCUMENT).map_err(file_error("read", &dir.join(name)))?))
}

fn read_index(job: &Job, dir: &Path) -> Result<LayoutIndex> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Marker {
        image_layout_version: String,
    }
    let Some(marker) = read_small(job, dir, LAYOUT)? else {
        let entries = match job.ctx.files.entries(dir, MAX_FILES) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let is_blobs = |entry: &Entry| entry.path == "blobs" && entry.kind == EntryKind::Directory;
        let blobs_only = entries.iter().any(is_blobs) && read_small(job, dir, INDEX)?.is_none();
        if !entries.is_empty() && !blobs_only {
            return Err(no_layout(dir, "it is not empty and has no oci-layout file").into());
        }
        return Ok(LayoutIndex::empty());
    };
    match serde_json::from_slice::<Marker>(&marker) {
        Ok(marker) if marker.image_layout_version.starts_with("1.") => {}
        Ok(marker) => {
            let reason = format!("imageLayoutVersion is {:?}, expected 1.x", marker.image_layout_version);
            return Err(no_layout(dir, reason).into());
        }
        Err(error) => return Err(no_layout(dir, format!("oci-layout: {error}")).into()),
    }
    match read_small(job, dir, INDEX)? {
        None => Ok(LayoutIndex::empty()),
        Some(bytes) => LayoutIndex::parse(&bytes).map_err(|reason| no_layout(dir, reason).into()),
    }
}

/// Writes. Blocks.
pub(super) fn apply(job: &Job, dir: &Path, images: &[ImageGraph], plan: &[Planned]) -> Result<Written> {
    let mut index = read_index(job, dir)?;
    let (directories, made) = (Vec::new(), Vec::new());
    let mut store = Store { job, dir, known: HashMap::new(), written: 0, present: 0, directories, made };
    let mut outcomes = Vec::with_capacity(images.len());
    if let Err(error) = store.fill(images, plan, &mut outcomes) {
        // What is complete is named, also where another image ended the run. What failed is the news; directories that
        // stay are empty.
        if outcomes.iter().any(Outcome::arrived) {
            let _ = store.name(&mut index, images, &outcomes);
        }
        let _ = directory::remove_empty(&*job.ctx.files, &store.made);
        return Err(error);
    }
    store.name(&mut index, images, &outcomes)?;
    Ok(Written {
        notes: images.iter().map(notes).collect(),
        outcomes,
        written: store.written,
        present: store.present,
        ..Written::default()
    })
}

/// Reads the names back from what lies there now.
fn prove(job: &Job, dir: &Path, images: &[ImageGraph], outcomes: &[Outcome]) -> Result<()> {
    let index = read_index(job, dir)?;
    for (image, _) in images.iter().zip(outcomes).filter(|(_, outcome)| outcome.arrived()) {
        let actual = index.named(&image.name()).map(|there| there.digest.clone());
        if actual.as_ref() != Some(&image.image.digest) {
            return Err(ImportError::Altered {
                target: format!("oci:{}", dir.display()),
                name: image.name(),
                expected: image.image.digest.clone(),
                actual: actual.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string()),
            }
            .into());
        }
    }
    Ok(())
}

struct Store<'a> {
    job: &'a Job,
    dir: &'a Path,
    /// Blobs that are there and right, in this run.
    known: HashMap<Digest, ()>,
    written: u64,
    present: u64,
    directories: Vec<PathBuf>,
    /// Those that were not there before, inner ones first.
    made: Vec<PathBuf>,
}

impl Store<'_> {
    /// All images that are to be written, and what became of each that it came to.
    fn fill(&mut self, images: &[ImageGraph], plan: &[Planned], outcomes: &mut Vec<Outcome>) -> Result<()> {
        self.sweep()?;
        self.preflight(images, plan)?;
        let wanted = images.iter().zip(plan).filter(|(_, planned)| planned.refused().is_none());
        wanted.for_each(|(image, _)| self.job.parts.expect_nodes(&image.name(), image.nodes()));
        for (image, planned) in images.iter().zip(plan) {
            let outcome = match planned.refused() {
                Some(refused) => refused,
                None => {
                    let (phase, item, bytes) = (Phase::Import, image.name(), image.bytes());
                    self.job.parts.begin(&item);
                    match self.image(image) {
                        Ok(wrote) => {
                            self.job.ctx.say(Event::Done { phase, item, bytes });
                            planned.done(wrote)
                        }
                        Err(error) => self.job.failed(image, error)?,
                    }
                }
            };
            outcomes.push(outcome);
        }
        Ok(())
    }

    /// Gives names to those that arrived, of which each is durable before any name leads to it.
    fn name(&self, index: &mut LayoutIndex, images: &[ImageGraph], outcomes: &[Outcome]) -> Result<()> {
        self.sync()?;
        let arrived = || images.iter().zip(outcomes).filter(|(_, outcome)| outcome.arrived());
        for entry in arrived().flat_map(|(image, _)| entries(image, Aliases::WithDigest)) {
            index.put(&entry).map_err(|error| no_layout(self.dir, error.to_string()))?;
        }
        self.commit(index)?;
        let target = Target::Layout(self.dir.to_owned()).to_string();
        arrived().for_each(|(image, _)| self.job.arrived.note(&target, &image.name()));
        prove(self.job, self.dir, images, outcomes)
    }

    /// Removes what a run left that was cut off.
    fn sweep(&self) -> Result<()> {
        let blobs = self.dir.join("blobs");
        for entry in self.job.ctx.files.list(&blobs, MAX_FILES)? {
            if entry.path.ends_with(TEMP) {
                self.job.ctx.files.remove(&blobs.join(&entry.path))?;
            }
        }
        Ok(self.job.ctx.files.remove(&self.dir.join(format!("{INDEX}{TEMP}")))?)
    }

    fn preflight(&self, images: &[ImageGraph], plan: &[Planned]) -> Result<()> {
        let mut counted = std::collections::HashSet::new();
        let wanted = images.iter().zip(plan).filter(|(_, planned)| planned.refused().is_none());
        let mut needed = 0u64;
        for node in wanted.flat_map(|(image, _)| image.nodes()) {
            if counted.insert(node.digest.clone()) {
                let there = self.job.ctx.files.stat(&self.dir.join(node.digest.layout_path()))?;
                let absent = there.is_none_or(|there| there.size != node.size);
                needed = needed.saturating_add(if absent { node.size } else { 0 });
            }
        }
        match self.job.ctx.files.space(self.dir)?.free {
            Some(free) if free < needed => {
                Err(ImportError::Space { path: self.dir.to_owned(), needed, free }.into())
            }
            _ => Ok(()),
        }
    }

    /// Everything of one image; whether anything had to be written.
    fn image(&mut self, image: &ImageGraph) -> Result<bool> {
        let mut wrote = false;
        for node in image.nodes() {
            self.job.ctx.check()?;
            wrote |= self.node(node, &image.name())?;
        }
        Ok(wrote)
    }

    fn node(&mut self, node: &Node, image: &str) -> Result<bool> {
        if self.known.contains_key(&node.digest) {
            return Ok(false);
        }
        self.directory(node)?;
        let wrote = if self.is_right(node)? {
            self.job.pass(node);
            self.job.parts.there(&node.digest);
            self.present += node.size;
            self.job.meter.add_kept(node.size);
            false
        } else {
            self.write(node, image)?;
            self.written += node.size;
            true
        };
        self.known.insert(node.digest.clone(), ());
        Ok(wrote)
    }

    /// Makes the directory of a blob and notes it, to be synced even if the blob is there: the run that wrote it may
    /// have been cut off before it came to that.
    fn directory(&mut self, node: &Node) -> Result<()> {
        let mut parent = self.dir.join(node.digest.layout_path());
        parent.pop();
        if !self.directories.contains(&parent) {
            self.made.splice(..0, directory::missing(&*self.job.ctx.files, &parent)?);
            self.job.ctx.files.create_dir(&parent)?;
            self.directories.push(parent);
        }
        Ok(())
    }

    fn is_right(&self, node: &Node) -> Result<bool> {
        let path = node.digest.layout_path();
        let open = match self.job.ctx.files.open(self.dir, &path) {
            Ok(open) => open,
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if open.size != node.size {
            return Ok(false);
        }
        let mut hasher = Hasher::new(node.digest.algorithm());
        let mut reader = open.reader.take(node.size);
        let mut buffer = vec![0; BUFFER];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish() == node.digest),
                Ok(got) => hasher.update(&buffer[..got]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A file that cannot be read is replaced.
                Err(_) => return Ok(false),
            }
        }
    }

    fn write(&mut self, node: &Node, image: &str) -> Result<()> {
        let path = self.dir.join(node.digest.layout_path());
        let temp = path.with_extension(TEMP.trim_start_matches('.'));
        self.job.ctx.files.remove(&temp)?;
        let result = self.copy(node, image, &temp);
        if let Err(error) = result {
            // What failed is the news; a temp file that stays is swept by the next run.
            let _ = self.job.ctx.files.remove(&temp);
            return Err(error);
        }
        Ok(self.job.ctx.files.rename(&temp, &path)?)
    }

    fn copy(&self, node: &Node, image: &str, temp: &Path) -> Result<()> {
        let mut source = self.job.open(node, image, Some(&self.job.meter))?.told(self.job, node);
        let mut out = self.job.ctx.files.create(temp)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let got = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cause(error, |error| file_error("read", temp)(error).into())),
            };
            out.write_all(&buffer[..got]).map_err(file_error("write", temp))?;
        }
        Ok(out.sync().map_err(file_error("sync", temp))?)
    }

    fn sync(&self) -> Result<()> {
        self.directories.iter().try_for_each(|dir| self.job.ctx.files.sync_dir(dir))?;
        Ok(self.job.ctx.files.sync_dir(&self.dir.join("blobs"))?)
    }

    /// Marker and index, each whole or not at all.
    fn commit(&self, index: &LayoutIndex) -> Result<()> {
        if read_small(self.job, self.dir, LAYOUT)?.is_none() {
            self.replace(LAYOUT, LAYOUT_BYTES)?;
        }
        if index.changed() {
            let bytes = index.to_bytes().map_err(|error| no_layout(self.dir, error.to_string()))?;
            self.replace(INDEX, &bytes)?;
        }
        Ok(self.job.ctx.files.sync_dir(self.dir)?)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.dir.join(name);
        store::replace(&*self.job.ctx.files, (&directory::suffixed(&path, TEMP), &path), bytes)
    }
}
