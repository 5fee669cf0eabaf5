//! What an archive has already stays in it: taken over from there, and from the bundle where it is not right there.

use std::collections::HashSet;
use std::path::Path;

use super::undo::ArchiveChange;
use super::{There, archive_in, members, unfinished};
use crate::domain::import::Target;
use crate::domain::reference::Reference;
use crate::engine::directory;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::import::archive::{self, Member};
use crate::engine::import::changes::Noted;
use crate::engine::import::error::ImportError;
use crate::engine::import::graph::{self, ImageGraph};
use crate::engine::import::index::containerd_name;
use crate::engine::import::{Job, oci_archive};

/// Writes the archive with these images and those that stay in it. What it has is taken over; what is not right of that
/// comes from the bundle.
pub(super) fn renew(
    job: &Job,
    file: &Path,
    chosen: &[&ImageGraph],
    kept: &[ImageGraph],
    there: &There,
) -> Result<u64> {
    let older = &there.older;
    let target = Target::K3s(directory::above(file).to_owned());
    loop {
        let spoilt = older.spoilt();
        let members = members(job, file, chosen, kept, Some(older))?;
        oci_archive::expect(job, chosen, &members);
        let passed = |member: &Member| match member {
            Member::Older(_, node, taken) if taken.asked => job.pass(node),
            _ => {}
        };
        members.iter().for_each(passed);
        let change = ArchiveChange::new(file, there.before(), &members);
        job.changes.note(&target, change.map(Noted::Archive))?;
        match commit(job, file, &members) {
            Err(_) if older.spoilt() > spoilt => older.take_back(&job.meter),
            Err(error) if error.kind() == Kind::Integrity => {
                let whole = |image: &ImageGraph| oci_archive::whole(job, image, Some(older)).err();
                let spoilt = kept.iter().find_map(|image| Some((image, whole(image)?)));
                return Err(spoilt.map_or(error, |(image, damage)| lose(job, file, image, &damage)));
            }
            done => return done,
        }
    }
}

/// That an image would be lost that nobody asked to be brought.
fn lose(job: &Job, file: &Path, image: &ImageGraph, damage: &EngineError) -> EngineError {
    ImportError::Spoilt {
        image: image.name(),
        archive: file.to_owned(),
        bundle: job.bundle.root().to_owned(),
        reason: job.apart(damage.message()),
    }
    .into()
}

/// Images of this bundle that the archive has besides those that are asked for.
pub(super) fn kept(job: &Job, dir: &Path, images: &[ImageGraph], there: &There) -> Result<Vec<ImageGraph>> {
    let asked: HashSet<String> = images.iter().map(|image| containerd_name(&image.image)).collect();
    let mut only: Vec<Reference> = Vec::new();
    for image in &job.bundle.document().images {
        let name = containerd_name(image);
        if there.own.get(&name) == Some(&image.digest) && !asked.contains(&name) {
            only.push(image.reference.clone());
        }
    }
    if only.is_empty() {
        return Ok(Vec::new());
    }
    let kept = graph::wanted_or(&job.bundle, &only, &|digest, size| there.older.read(digest, size))?;
    // Which part of the archive is its nobody can tell then, and it would be lost.
    let lost = kept.iter().find_map(|image| Some((image, image.damage()?)));
    lost.map_or(Ok(()), |(image, damage)| Err(lose(job, &archive_in(job, dir), image, &damage)))?;
    Ok(kept)
}

/// Writes the archive and reads it back, before it takes the place of one that is there.
fn commit(job: &Job, file: &Path, members: &[Member]) -> Result<u64> {
    let dir = directory::above(file);
    // Of a file system that went away or can no longer be written, a part may stay.
    let stays = || unfinished(&*job.ctx.files, dir).map_or(true, |parts| !parts.is_empty());
    let done = archive::overwrite(job, file, members, |temp| {
        let Some(damage) = archive::damage(job, temp, members)? else { return Ok(()) };
        let (path, member) = (file.to_owned(), damage.member);
        Err(ImportError::Unkept { path, member, expected: damage.expected, actual: damage.actual }.into())
    });
    done.inspect_err(|_| {
        if stays() {
            job.arrived.leave(&Target::K3s(dir.to_owned()));
        }
    })
}
