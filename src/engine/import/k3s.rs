//! Import into the images directory of k3s or RKE2: one archive per bundle, whole or not there, that their containerd takes.
//!
//! The archive has every image under its tag and its digest: only releases from December 2025 on make the digest names
//! themselves. Images of the same bundle that an earlier run put there stay in it.

pub(super) mod ask;
mod nobody;
mod notes;
mod settings;
mod staying;
pub(super) mod undo;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{self, Member, Taken};
use super::error::ImportError;
use super::graph::ImageGraph;
use super::index::{Aliases, containerd_name};
use super::older::Older;
use super::report::Outcome;
use super::target::existing_part;
use super::{Job, Plan, Planned, Written, containerd, foreign, oci_archive};
use crate::domain::bundle::Image;
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::k3s;
use crate::domain::platform::Platform;
use crate::domain::text;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Result};
use crate::engine::files::Files;
use staying::{kept, renew};

/// A directory with more files than this is not looked through.
const MAX_FILES: usize = 10_000;

/// What the archives in the directory name.
struct There {
    /// Our own archive's names.
    own: BTreeMap<String, Digest>,
    /// Why the file with our archive's name is none.
    foreign: Option<String>,
    /// Names in archives of other bundles, with the archive.
    others: BTreeMap<String, (Digest, String)>,
    /// Files that are imported too and were not looked into.
    unseen: Vec<String>,
    /// What our own archive has.
    older: Arc<Older>,
}

impl There {
    /// The names in what has our own archive's name, if anything has it; none in what is another's.
    fn before(&self) -> Option<&BTreeMap<String, Digest>> {
        (!self.own.is_empty() || self.foreign.is_some()).then_some(&self.own)
    }
}

/// The archive that this bundle has in a directory.
fn archive_in(job: &Job, dir: &Path) -> PathBuf {
    let document = job.bundle.document();
    dir.join(k3s::archive(&document.name, document.serial))
}

/// Looks into the archives of the directory.
fn look(job: &Job, dir: &Path) -> Result<There> {
    let file = archive_in(job, dir);
    let mut there = There {
        own: BTreeMap::new(),
        foreign: None,
        others: BTreeMap::new(),
        unseen: Vec::new(),
        older: Arc::new(Older::none(&job.ctx.files, &file)),
    };
    match archive::index(&*job.ctx.files, &file)? {
        None => {}
        Some(Ok(index)) => {
            there.own = index.names().map(|(name, digest)| (name.clone(), digest.clone())).collect();
        }
        Some(Err(reason)) => there.foreign = Some(reason),
    }
    let lost = lost(job, &there.own);
    if !lost.is_empty() {
        there.foreign = Some(format!("it has other images: {}", super::error::shortened(&lost)));
    } else if !there.own.is_empty() {
        there.older = Arc::new(Older::look(&job.ctx.files, &file, &job.bundle)?);
    }
    let entries = match job.ctx.files.entries(dir, MAX_FILES) {
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    let mut names: Vec<String> = entries.into_iter().map(|entry| entry.path).collect();
    names.retain(|name| k3s::is_read(name) && dir.join(name) != file);
    names.sort();
    for name in names {
        let index = match k3s::bundle_of(&name) {
            Some(_) => archive::index(&*job.ctx.files, &dir.join(&name))?,
            None => None,
        };
        let Some(Ok(index)) = index else {
            there.unseen.push(text::shown(&name).into_owned());
            continue;
        };
        // The last one has it in the end, as it is imported last.
        let found = index.names().map(|(image, digest)| (image.clone(), (digest.clone(), name.clone())));
        there.others.extend(found);
    }
    Ok(there)
}

/// Images of an archive of this name and serial that this bundle has not.
fn lost(job: &Job, own: &BTreeMap<String, Digest>) -> Vec<String> {
    let images = &job.bundle.document().images;
    let names =
        |image: &Image| [containerd_name(image), image.reference.at_digest(&image.digest).to_string()];
    let has = |name: &str, digest: &Digest| {
        images.iter().any(|image| image.digest == *digest && names(image).iter().any(|one| one == name))
    };
    own.iter()
        .filter(|(name, digest)| !has(name, digest))
        .map(|(name, _)| text::shown(name).into_owned())
        .collect()
}

/// Says what would become of each image; of the archive that is there only what names its parts is read.
pub(super) fn plan(job: &Job, dir: &Path, images: &[ImageGraph]) -> Result<Plan> {
    nobody::refuse(&*job.ctx.files, dir)?;
    if ask::reader(&*job.ctx.files, dir)?.is_ok() {
        // It is this machine's, and its containerd answers for what that runs.
        let runs = containerd::platforms::runs(Platform::host());
        foreign::refuse(job, &Target::K3s(dir.to_owned()), &runs)?;
    }
    let there = look(job, dir)?;
    let node = job.spec.platform.clone().unwrap_or_else(Platform::host);
    let mut planned = Vec::with_capacity(images.len());
    for image in images {
        planned.push(match unfit(job, dir, image, &node) {
            Some(error) if job.spec.dry_run => Planned::Refused(Outcome::failed(&error)),
            Some(error) => Planned::Refused(job.failed(image, error)?),
            None => one(job, dir, image, &there),
        });
    }
    room(job, dir, images, &planned, &there)?;
    let arrives = planned.iter().any(|planned| planned.refused().is_none());
    let wanted = arrives.then(|| archive_in(job, dir).display().to_string()).into_iter().collect();
    let mut plan = Plan { wanted, ..Plan::from(planned) };
    if job.spec.dry_run {
        notes::foresee(job, dir, &there, &mut plan)?;
    }
    Ok(plan)
}

/// Fails where the archive does not fit beside the one that is there.
fn room(job: &Job, dir: &Path, images: &[ImageGraph], plan: &[Planned], there: &There) -> Result<()> {
    if !plan.iter().any(|planned| matches!(planned, Planned::Add | Planned::Replace { .. })) {
        return Ok(());
    }
    let file = archive_in(job, dir);
    let kept = kept(job, dir, images, there)?;
    let outcomes: Vec<Outcome> = plan.iter().map(|planned| planned.done(false)).collect();
    let needed = archive::length(&members(job, &file, &arrived(images, &outcomes), &kept, None)?);
    let free = job.ctx.files.space(&existing_part(dir))?.free;
    match free.filter(|free| *free < needed) {
        Some(free) => Err(ImportError::Space { path: file, needed, free }.into()),
        None => Ok(()),
    }
}

fn one(job: &Job, dir: &Path, image: &ImageGraph, there: &There) -> Planned {
    let name = containerd_name(&image.image);
    if let Some(reason) = &there.foreign {
        let archive = archive_in(job, dir);
        return Planned::taken(job, format!("another archive {}: {reason}", archive.display()));
    }
    if there.own.contains_key(&name) {
        return Planned::Skip;
    }
    match there.others.get(&name) {
        Some((digest, archive)) if *digest != image.image.digest => {
            Planned::taken(job, format!("{digest} in {archive}"))
        }
        _ => Planned::Add,
    }
}

/// Why no pod of the node can run an image, if none can.
fn unfit(job: &Job, dir: &Path, image: &ImageGraph, node: &Platform) -> Option<EngineError> {
    let carried = &image.image.platforms;
    if carried.is_empty() || carried.iter().any(|one| node.accepts(&one.platform())) {
        return containerd::expected(job, image, &Target::K3s(dir.to_owned()).to_string()).err();
    }
    let platforms: Vec<String> = carried.iter().map(|one| one.platform().to_string()).collect();
    let error = ImportError::Unfit {
        image: image.name(),
        target: Target::K3s(dir.to_owned()).to_string(),
        reason: format!("the node is {node}, the image has {} alone", platforms.join(", ")),
        hint: "nothing was written: pack it for the node's platform; where DIR is another machine's, give that one's \
               with --platform OS/ARCH; --keep-going imports the others",
    };
    Some(error.into())
}

/// The archives that runs began and did not finish.
fn unfinished(files: &dyn Files, dir: &Path) -> Result<Vec<PathBuf>> {
    let begun = |name: &str| name.strip_suffix(archive::TEMP).and_then(k3s::bundle_of).is_some();
    let names = files.entries(dir, MAX_FILES)?.into_iter().map(|entry| entry.path);
    Ok(names.filter(|name| begun(name)).map(|name| dir.join(name)).collect())
}

/// Removes what runs left that were cut off; the directory is held, so that none goes on.
fn sweep(job: &Job, dir: &Path) -> Result<()> {
    let files = &*job.ctx.files;
    Ok(unfinished(files, dir)?.iter().try_for_each(|path| files.remove(path))?)
}

/// Writes, and asks the CRI where there is one to ask.
pub(super) async fn apply(
    mut job: Job,
    dir: &Path,
    images: Arc<Vec<ImageGraph>>,
    plan: Vec<Planned>,
) -> Result<Written> {
    let mut written = {
        let (job, dir, images) = (job.clone(), dir.to_owned(), Arc::clone(&images));
        blocking(move || write(&job, &dir, &images, &plan)).await?
    };
    // It reads no more: no other target is to wait for it at a blob.
    drop(job.seat.take());
    if written.outcomes.iter().any(Outcome::arrived) {
        ask::prove(&job, dir, &images, &mut written).await?;
    }
    Ok(written)
}

/// Writes. Blocks.
fn write(job: &Job, dir: &Path, images: &[ImageGraph], plan: &[Planned]) -> Result<Written> {
    sweep(job, dir)?;
    let file = archive_in(job, dir);
    let there = look(job, dir)?;
    let kept = kept(job, dir, images, &there)?;
    let mut outcomes: Vec<Outcome> = plan.iter().map(|planned| planned.done(false)).collect();
    let mut written = Written { notes: vec![Vec::new(); images.len()], ..Written::default() };
    if plan.iter().any(|planned| planned.refused().is_none()) {
        let chosen = arrived(images, &outcomes);
        match untouched(job, &file, plan, &members(job, &file, &chosen, &kept, None)?)? {
            Untouched::Whole(bytes) => written.present = bytes,
            state => {
                if let Untouched::Damaged(what) = state {
                    written
                        .general
                        .push(format!("{} was damaged and is written anew: {what}", file.display()));
                    let skipped = outcomes.iter_mut().filter(|one| matches!(one, Outcome::Skipped));
                    skipped.for_each(|one| *one = Outcome::Added);
                }
                let older = &there.older;
                written.written = oci_archive::write(job, images, &mut outcomes, Some(older), |chosen| {
                    renew(job, &file, chosen, &kept, &there)
                })?;
            }
        }
    }
    oci_archive::landed(job, &Target::K3s(dir.to_owned()), images, &outcomes);
    notes::say(job, dir, images, &there, &mut written);
    Ok(Written { outcomes, ..written })
}

fn arrived<'a>(images: &'a [ImageGraph], outcomes: &[Outcome]) -> Vec<&'a ImageGraph> {
    images.iter().zip(outcomes).filter(|(_, outcome)| outcome.arrived()).map(|(image, _)| image).collect()
}

/// The whole archive, in the order of the bundle, with what an older one has from that.
fn members(
    job: &Job,
    file: &Path,
    chosen: &[&ImageGraph],
    kept: &[ImageGraph],
    older: Option<&Arc<Older>>,
) -> Result<Vec<Member>> {
    let place = |image: &&ImageGraph| {
        job.bundle.document().images.iter().position(|one| one.reference == image.image.reference)
    };
    let mut all: Vec<&ImageGraph> = chosen.iter().copied().chain(kept).collect();
    all.sort_by_key(place);
    let asked: HashSet<&Digest> =
        chosen.iter().flat_map(|image| image.nodes()).map(|node| &node.digest).collect();
    let members = oci_archive::members(file, &all, Aliases::WithDigest)?.into_iter();
    let settle = |member| {
        let Member::Blob(name, node, image) = member else { return member };
        let asked = asked.contains(&node.digest);
        match older.filter(|older| older.has(&node.digest)) {
            Some(older) => Member::Older(name, node, Taken { from: Arc::clone(older), asked }),
            None if asked => Member::Blob(name, node, image),
            None => Member::Kept(name, node, image),
        }
    };
    Ok(members.map(settle).collect())
}

enum Untouched {
    /// There is nothing to do; its length in bytes.
    Whole(u64),
    /// What is wrong with the archive that should be whole.
    Damaged(String),
    /// Something is to be written.
    No,
}

/// Whether everything is there already, by its bytes: the archive is read, the medium is not.
fn untouched(job: &Job, file: &Path, plan: &[Planned], members: &[Member]) -> Result<Untouched> {
    let all = plan.iter().filter(|planned| planned.refused().is_none());
    if !all.clone().all(|planned| matches!(planned, Planned::Skip)) {
        return Ok(Untouched::No);
    }
    let blobs = members.iter().filter_map(|member| match member {
        Member::Blob(_, node, _) => Some(node),
        _ => None,
    });
    if let Some(damage) = archive::damage(job, file, members)? {
        return Ok(Untouched::Damaged(format!(
            "{}: expected {}, found {}",
            damage.member, damage.expected, damage.actual
        )));
    }
    let mut bytes = 0;
    for node in blobs {
        job.pass(node);
        job.meter.add_kept(node.size);
        bytes += node.size;
    }
    Ok(Untouched::Whole(bytes))
}
