//! Import into the store of CRI-O and podman: skopeo or podman of the node writes, layers are read off the medium in place, the store is asked afterwards.

mod ask;
mod error;
mod files;
mod held;
mod journal;
mod label;
mod mend;
mod place;
mod podman;
mod position;
mod process;
mod room;
mod staging;
mod tool;
pub(super) mod undo;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ImportError;
use super::graph::ImageGraph;
use super::report::Outcome;
use super::single::{Chosen, Single};
use super::target::refuse_closed;
use super::{Job, Plan, Planned, Written, foreign};
use crate::domain::bundle::Image;
use crate::domain::import::Target;
use crate::domain::platform::Platform;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Result};
use crate::engine::storage::change::{self, ConfMode};
use crate::engine::storage::store::Records;

pub(super) use files::changes;

use error::StorageError;
use files::edit;
use journal::Journal;
use place::Place;
use tool::Program;
use write::{Bytes, Store};

/// What the kubelet's garbage collection may do with what is in a store that is written to.
const UNPINNED: &str = "in the default store the kubelet may remove images that no container uses: name them in pinned_images of \
                        /etc/crio/crio.conf.d, in the one file that sets it last, or use containers-storage:DIR, which it cannot";

/// The names that an image gets: a tag, and the digest where it was pinned by one.
fn names(image: &ImageGraph) -> Vec<String> {
    names_of(&image.image)
}

fn names_of(image: &Image) -> Vec<String> {
    let reference = &image.reference;
    let tag = reference.tag().map(|tag| format!("{}:{tag}", reference.name()));
    let digest = reference.digest().map(|digest| format!("{}@{digest}", reference.name()));
    let names: Vec<String> = [tag, digest].into_iter().flatten().collect();
    if names.is_empty() { vec![reference.at_digest(&image.digest).to_string()] } else { names }
}

fn single(target: &Target) -> Single {
    Single {
        target: target.to_string(),
        platform: Some(Platform::host()),
        other_platform: "nothing was written: give --platform OS/ARCH where the store is for another machine; \
                         --keep-going imports the others",
        several: "give --platform OS/ARCH",
        artifact: "oci:DIR and registries hold artifacts of any kind; --keep-going imports the others",
    }
}

/// The directory that is written in. Blocks.
///
/// # Errors
/// As the plan is refused.
pub(super) fn directory(job: &Job, directory: Option<&Path>) -> Result<PathBuf> {
    Ok(Place::find(job, directory)?.directory)
}

/// Says what would become of each image.
pub(super) async fn plan(job: &Job, directory: Option<&Path>, images: &Arc<Vec<ImageGraph>>) -> Result<Plan> {
    let (place, planned, (unpacked, free)) = {
        let (job, images, directory) = (job.clone(), Arc::clone(images), directory.map(Path::to_owned));
        blocking(move || {
            let place = Place::find(&job, directory.as_deref())?;
            let there = There {
                records: place.records(&*job.ctx.files)?,
                journal: Journal::read(&*job.ctx.files, &place.directory)?,
            };
            let planned = images.iter().map(|image| plan_one(&job, &place, &there, image));
            let planned = planned.collect::<Result<Vec<_>>>()?;
            let room = room::room(&job, &place, &there, &images, &planned)?;
            if planned.iter().any(todo) {
                refuse_closed(&*job.ctx.files, &place.directory)?;
            }
            if let Some(directory) = directory.as_deref().filter(|_| planned.iter().any(arrives)) {
                refuse_unchangeable(&job, directory)?;
            }
            Ok((place, planned, room))
        })
        .await?
    };
    if job.spec.node.root_apart().is_none() && planned.iter().any(todo) {
        foreign::warn(job, &place.target);
        place.warn_own(&job.ctx);
    }
    let all = images;
    let images =
        if planned.iter().any(todo) && Program::find(&place.target.to_string()).await? == Program::Podman {
            let each = planned.into_iter().zip(images.iter());
            each.map(|(one, image)| by_podman(job, &place, image, one)).collect::<Result<_>>()?
        } else {
            planned
        };
    let wanted = match directory {
        // Its images stay; that it is read is a change of files.
        Some(directory) if images.iter().any(arrives) => vec![directory.display().to_string()],
        Some(_) => Vec::new(),
        None => {
            all.iter().zip(&images).filter(|(_, one)| arrives(one)).flat_map(|(one, _)| names(one)).collect()
        }
    };
    let mut plan = Plan { unpacked: Some(unpacked), free, wanted, ..Plan::from(images) };
    ask::foresee(job, all, &mut plan).await?;
    Ok(plan)
}

/// Fails where a file of the node is to be changed once the images are in, and cannot be read or written. Blocks.
fn refuse_unchangeable(job: &Job, directory: &Path) -> Result<()> {
    if job.spec.node.storage_conf != ConfMode::Edit {
        return Ok(());
    }
    let files = &*job.ctx.files;
    for change in change::plan(files, &job.spec.node, directory)?.0 {
        if let Err(source) = change.check(files) {
            let target = Target::ContainersStorage(Some(directory.to_owned())).to_string();
            return Err(StorageError::Unchangeable { target, path: change.path, source }.into());
        }
    }
    Ok(())
}

/// Whether an image is in the store after a run.
fn arrives(planned: &Planned) -> bool {
    planned.refused().is_none()
}

/// What was planned of an image, where podman has to do it.
fn by_podman(job: &Job, place: &Place, image: &ImageGraph, planned: Planned) -> Result<Planned> {
    if !todo(&planned) || image.image.reference.tag().is_some() {
        return Ok(planned);
    }
    let error = ImportError::Unfit {
        image: image.name(),
        target: place.target.to_string(),
        reason: "it has no tag, and podman, which is here without skopeo, gives no name with a digest"
            .to_owned(),
        hint: "install skopeo; --keep-going imports the others",
    };
    refused(job, image, error.into())
}

/// An image that cannot go there: told in a dry run, an end of the job unless it keeps going.
fn refused(job: &Job, image: &ImageGraph, error: EngineError) -> Result<Planned> {
    Ok(Planned::Refused(if job.spec.dry_run { Outcome::failed(&error) } else { job.failed(image, error)? }))
}

/// What a store holds, and what of it may be records alone.
struct There {
    records: Records,
    journal: Journal,
}

fn plan_one(job: &Job, place: &Place, there: &There, image: &ImageGraph) -> Result<Planned> {
    let There { records, journal } = there;
    let chosen = match fit(job, place, image) {
        Ok(chosen) => chosen,
        Err(error) => return refused(job, image, error),
    };
    if journal.is_hollow(chosen.manifest.config.digest.hex()) {
        return Ok(Planned::Add);
    }
    let mut plan = Planned::Skip;
    for name in names(image) {
        match records.named(&name) {
            Some(stored) if stored.has(&image.image.digest) => {
                if let Some(lacks) = records.lacks(&*job.ctx.files, stored)? {
                    let (image, target) = (image.name(), &place.target);
                    job.ctx.warn(format!(
                        "{target} has {image}, but not {lacks}: it is taken out and written anew"
                    ));
                    return Ok(Planned::Add);
                }
            }
            Some(stored) => return Ok(Planned::taken(job, stored.digest().to_owned())),
            None => plan = Planned::Add,
        }
    }
    if let (Planned::Add, Some(stored)) = (&plan, records.with_id(chosen.manifest.config.digest.hex()))
        && let Some(lacks) = records.lacks(&*job.ctx.files, stored)?
    {
        let (image, target) = (image.name(), &place.target);
        job.ctx.warn(format!(
            "{target} has what {image} is under other names or none, but not {lacks}: it is taken out and written \
             anew where it has none that stay"
        ));
    }
    Ok(plan)
}

/// Whether the store can hold it, with everything it needs off the medium.
fn fit(job: &Job, place: &Place, image: &ImageGraph) -> Result<Chosen> {
    let chosen = single(&place.target).choose(job, image)?;
    chosen.config(job, image)?;
    let foreign = chosen.manifest.layers.iter().find(|layer| job.bundle.blob(&layer.digest).is_none());
    match foreign {
        None => Ok(chosen),
        Some(layer) => Err(ImportError::Unfit {
            image: image.name(),
            target: place.target.to_string(),
            reason: format!(
                "its layer {} stays where its owner keeps it and is not in the bundle",
                layer.digest
            ),
            hint: "an image with such a layer cannot be used without a network; --keep-going imports the others",
        }
        .into()),
    }
}

/// Writes the images; then the node is told of an additional store, never before there is one.
pub(super) async fn apply(
    job: &Job,
    directory: Option<&Path>,
    images: &Arc<Vec<ImageGraph>>,
    plan: &[Planned],
) -> Result<Written> {
    let named = {
        let (job, directory) = (job.clone(), directory.map(Path::to_owned));
        blocking(move || ask::is_named(&job, directory.as_deref())).await?
    };
    let mut written = images_of(job, directory, images, plan).await?;
    let arrived = written.outcomes.iter().any(Outcome::arrived);
    if let (Some(directory), true) = (directory, arrived) {
        let (changes, notes) = changes(job, directory).await?;
        written.general.extend(notes);
        written.general.extend(label::label(job, directory).await?);
        written.files = match job.spec.node.storage_conf {
            ConfMode::Edit => edit(job, directory, changes).await?,
            ConfMode::Print | ConfMode::None => changes,
        };
        if let Some(files) = Some(&written.files).filter(|files| !files.is_empty())
            && !change::has_crio(&*job.ctx.files, &job.spec.node.root)?
        {
            let file = files[0].path.display();
            written
                .facts
                .push(format!("no CRI-O was found here; one that runs reads {file} after {}", ask::RESTART));
        }
        if let Some(out) = job.spec.node.out.clone() {
            let (job, directory) = (job.clone(), directory.to_owned());
            let made =
                blocking(move || change::export(&*job.ctx.files, &job.spec.node, &directory, &out)).await?;
            written.facts.push(format!("written for the tools that configure nodes: {}", made.join(", ")));
        }
    }
    if arrived {
        ask::prove(job, (directory, named), images, &mut written).await?;
    }
    Ok(written)
}

async fn images_of(
    job: &Job,
    directory: Option<&Path>,
    images: &Arc<Vec<ImageGraph>>,
    plan: &[Planned],
) -> Result<Written> {
    let mut outcomes: Vec<Outcome> = plan.iter().map(|planned| planned.done(false)).collect();
    let notes = images.iter().zip(&outcomes).map(|(image, outcome)| notes(image, outcome));
    let mut written = Written { notes: notes.collect(), ..Written::default() };
    let mut bytes = Bytes::default();
    let journal = journal(job, directory).await?;
    if !plan.iter().any(todo) && !journal.is_unsettled() {
        images.iter().for_each(|image| bytes.skip(job, image));
        return Ok(Written { outcomes, present: bytes.present, ..written });
    }
    let store = Store::open(job, directory).await?;
    if let Err(error) = store.fill(images, plan, &mut outcomes, &mut bytes).await {
        let (files, staging) = (Arc::clone(&job.ctx.files), Arc::clone(&store.staging));
        // What failed is the news; the next run removes what stays.
        let _ = blocking(move || staging.clear(&*files)).await;
        return Err(error);
    }
    // What podman answers is the proof, and comes first.
    written.facts.extend(store.listed(images, &outcomes).await?);
    written.facts.push(format!("written by {}", store.tool.program.name()));
    let left = self::journal(job, directory).await?;
    if !left.hollow().is_empty() {
        written.general.push(format!(
            "the machine went down while these were written, their files may be empty: import them again: {}",
            left.hollow().join(", ")
        ));
    }
    if directory.is_none() {
        written.general.push(UNPINNED.to_owned());
    }
    Ok(Written { outcomes, written: bytes.written, present: bytes.present, ..written })
}

/// What runs that were cut off have left to be looked at.
async fn journal(job: &Job, directory: Option<&Path>) -> Result<Journal> {
    let (job, directory) = (job.clone(), directory.map(Path::to_owned));
    blocking(move || {
        let place = Place::find(&job, directory.as_deref())?;
        Journal::read(&*job.ctx.files, &place.directory)
    })
    .await
}

fn notes(image: &ImageGraph, outcome: &Outcome) -> Vec<String> {
    let unsigned = outcome.arrived() && !image.carried.is_empty();
    let note = "its signatures stay in the bundle: a store has no place for them, a policy.json that asks for them refuses it";
    unsigned.then(|| note.to_owned()).into_iter().collect()
}

const fn todo(planned: &Planned) -> bool {
    matches!(planned, Planned::Add | Planned::Replace { .. })
}
