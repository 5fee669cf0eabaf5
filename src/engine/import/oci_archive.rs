//! Import into a tar file of an OCI image layout, with the names that skopeo, podman and containerd look for.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::archive::{self, Member, There};
use super::error::ImportError;
use super::graph::ImageGraph;
use super::index::{self, Aliases, LayoutIndex, entries};
use super::older::Older;
use super::report::Outcome;
use super::stream::VerifiedBlob;
use super::{Job, Planned, Written};
use crate::domain::bundle::{INDEX, LAYOUT};
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::progress::{Event, Phase};
use crate::engine::bundle::contents::LAYOUT_BYTES;
use crate::engine::error::{EngineError, Kind, Result};

/// Says what would become of each image; an archive that is there is compared byte by byte.
pub(super) fn plan(job: &Job, file: &Path, images: &[ImageGraph]) -> Result<Vec<Planned>> {
    let all: Vec<&ImageGraph> = images.iter().collect();
    let planned = match archive::compare(job, file, &members(file, &all, aliases(&all))?)? {
        There::Nothing => Planned::Add,
        There::Same => Planned::Skip,
        There::Other => Planned::taken(job, "another archive".to_owned()),
    };
    Ok(vec![planned; images.len()])
}

/// Writes. Blocks.
pub(super) fn apply(job: &Job, file: &Path, images: &[ImageGraph], plan: &[Planned]) -> Result<Written> {
    let mut outcomes: Vec<Outcome> = plan.iter().map(|planned| planned.done(false)).collect();
    let present = super::preview::distinct_bytes(images);
    if plan.iter().all(|planned| matches!(planned, Planned::Skip)) {
        job.meter.add_kept(present);
        return Ok(Written {
            notes: vec![Vec::new(); images.len()],
            outcomes,
            written: 0,
            present,
            ..Written::default()
        });
    }
    let written = write(job, images, &mut outcomes, None, |chosen| {
        let members = members(file, chosen, aliases(chosen))?;
        expect(job, chosen, &members);
        archive::commit(job, file, &members)
    })?;
    landed(job, &Target::OciArchive(file.to_owned()), images, &outcomes);
    let alone = outcomes.iter().filter(|outcome| outcome.arrived()).count() == 1;
    let notes = images.iter().zip(&outcomes).map(|(image, outcome)| notes(image, outcome, alone)).collect();
    Ok(Written { outcomes, notes, written, present: 0, ..Written::default() })
}

fn notes(image: &ImageGraph, outcome: &Outcome, alone: bool) -> Vec<String> {
    if !outcome.arrived() {
        return Vec::new();
    }
    let note = if alone {
        "podman load takes this archive; in containerd the image has no digest name after it"
    } else {
        "podman load takes archives of one image only; skopeo copy oci-archive:FILE:NAME and ctr images import take this one"
    };
    let mut notes = index::notes(image);
    notes.push(note.to_owned());
    notes
}

/// Writes all images that are to be written; where one is damaged and the others may go on, without it. What is sound in
/// an archive that is there need not be so in the bundle.
pub(super) fn write(
    job: &Job,
    images: &[ImageGraph],
    outcomes: &mut [Outcome],
    older: Option<&Arc<Older>>,
    commit: impl Fn(&[&ImageGraph]) -> Result<u64>,
) -> Result<u64> {
    loop {
        let chosen: Vec<&ImageGraph> = images
            .iter()
            .zip(&*outcomes)
            .filter(|(_, outcome)| outcome.arrived())
            .map(|(image, _)| image)
            .collect();
        if chosen.is_empty() {
            return Ok(0);
        }
        let error = match commit(&chosen) {
            Ok(written) => {
                for image in chosen {
                    let (phase, item, bytes) = (Phase::Import, image.name(), image.bytes());
                    job.ctx.say(Event::Done { phase, item, bytes });
                }
                return Ok(written);
            }
            Err(error) => error,
        };
        if !job.spec.keep_going || error.kind() != Kind::Integrity {
            return Err(error);
        }
        let before = chosen.len();
        for (image, outcome) in images.iter().zip(&mut *outcomes).filter(|(_, outcome)| outcome.arrived()) {
            if let Err(error) = whole(job, image, older) {
                *outcome = job.failed(image, error)?;
            }
        }
        if outcomes.iter().filter(|outcome| outcome.arrived()).count() == before {
            return Err(error);
        }
    }
}

/// Notes the images that an archive has which is whole now.
pub(super) fn landed(job: &Job, target: &Target, images: &[ImageGraph], outcomes: &[Outcome]) {
    let (target, all) = (target.to_string(), images.iter().zip(outcomes));
    all.filter(|(_, outcome)| outcome.arrived())
        .for_each(|(image, _)| job.arrived.note(&target, &image.name()));
}

/// Says what of each image goes into an archive of these members.
pub(super) fn expect(job: &Job, chosen: &[&ImageGraph], members: &[Member]) {
    let written = |member: &Member| match member {
        Member::Blob(_, node, _) => Some(node.digest.clone()),
        Member::Bytes(..) | Member::Kept(..) | Member::Older(..) => None,
    };
    let written: HashSet<Digest> = members.iter().filter_map(written).collect();
    for image in chosen {
        let own = image.nodes().filter(|node| written.contains(&node.digest));
        job.parts.expect_nodes(&image.name(), own);
    }
}

/// Hashes every blob of an image, where it would be taken from.
pub(super) fn whole(
    job: &Job,
    image: &ImageGraph,
    older: Option<&Arc<Older>>,
) -> std::result::Result<(), EngineError> {
    for node in image.nodes() {
        job.ctx.check()?;
        let sound = |older: &&Arc<Older>| {
            let taken = older.has(&node.digest).then(|| older.open(node, None).ok()).flatten();
            taken.is_some_and(|mut taken| std::io::copy(&mut taken, &mut std::io::sink()).is_ok())
        };
        if older.is_some_and(|older| sound(&older)) {
            continue;
        }
        let mut blob = VerifiedBlob::open(&job.bundle, &node.digest, &image.name())?;
        std::io::copy(&mut blob, &mut std::io::sink()).map_err(|error| {
            super::stream::cause(error, |source| {
                let path = job.bundle.root().join(node.digest.layout_path());
                crate::engine::error::FileError { operation: "read", path, source }.into()
            })
        })?;
    }
    Ok(())
}

/// What podman can still load.
const fn aliases(images: &[&ImageGraph]) -> Aliases {
    if images.len() == 1 { Aliases::NameOnly } else { Aliases::WithDigest }
}

/// What an archive of these images consists of, in order.
pub(super) fn members(file: &Path, images: &[&ImageGraph], aliases: Aliases) -> Result<Vec<Member>> {
    let broken = |error: serde_json::Error| ImportError::NoLayout {
        path: file.to_owned(),
        reason: format!("its index cannot be written: {error}"),
    };
    let mut index = LayoutIndex::empty();
    for entry in images.iter().flat_map(|image| entries(image, aliases)) {
        index.put(&entry).map_err(broken)?;
    }
    let mut members = vec![
        Member::Bytes(LAYOUT.to_owned(), LAYOUT_BYTES.to_vec()),
        Member::Bytes(INDEX.to_owned(), index.to_bytes().map_err(broken)?),
    ];
    let mut seen = HashSet::new();
    for image in images {
        let nodes = image.documents.iter().chain(&image.blobs);
        for node in nodes.filter(|node| seen.insert(node.digest.clone())) {
            members.push(Member::Blob(node.digest.layout_path(), node.clone(), image.name()));
        }
    }
    Ok(members)
}
