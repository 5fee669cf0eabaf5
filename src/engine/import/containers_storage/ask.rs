//! What CRI-O answers after an import, where it runs and has been told of the store; podman needs no telling.

use std::path::Path;
use std::sync::Arc;

use super::{fit, names};
use crate::domain::platform::Platform;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Result};
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::proof::{self, Expected};
use crate::engine::import::{Job, Plan, Written, foreseen};
use crate::engine::runtime::cri::Cri;
use crate::engine::storage::change;
use crate::engine::storage::conf::{self, below};

use super::place::Place;

/// How it comes to read a store that was entered since it began.
pub(super) const RESTART: &str = "systemctl restart crio";
/// What proves it later: a second run writes nothing.
const LATER: &str = "then run the same command again: it writes nothing and asks CRI-O for every name";
/// Where CRI-O listens.
const SOCKET: &str = "/run/crio/crio.sock";

/// Whether `storage.conf` names the store already, so that a CRI-O that runs can know it. Blocks.
///
/// # Errors
/// As [`conf::read`].
pub(super) fn is_named(job: &Job, directory: Option<&Path>) -> Result<bool> {
    let Some(directory) = directory else { return Ok(true) };
    let conf = conf::read(&*job.ctx.files, &job.spec.node.root)?;
    Ok(conf.additional.iter().any(|store| store.components().eq(directory.components())))
}

/// Says before an import what a CRI-O that runs here would be lacking; one that cannot be asked is told of by the import.
///
/// # Errors
/// As CRI-O answers.
pub(super) async fn foresee(job: &Job, images: &[ImageGraph], plan: &mut Plan) -> Result<()> {
    let socket = below(&job.spec.node.root, Path::new(SOCKET));
    if !job.spec.dry_run || job.ctx.files.stat(&socket)?.is_none() {
        return Ok(());
    }
    match Cri::connect(&socket).await {
        Ok(cri) => foreseen::add(job, &cri, images, plan).await,
        Err(_) => Ok(()),
    }
}

/// Asks for every name of what arrived; what keeps it from being asked is a note, before all others.
///
/// # Errors
/// As CRI-O answers; that a name is missing is none, it is in the proof.
pub(super) async fn prove(
    job: &Job,
    (directory, named): (Option<&Path>, bool),
    images: &Arc<Vec<ImageGraph>>,
    written: &mut Written,
) -> Result<()> {
    let socket = below(&job.spec.node.root, Path::new(SOCKET));
    if job.ctx.files.stat(&socket)?.is_none() {
        if change::has_crio(&*job.ctx.files, &job.spec.node.root)? {
            let words = format!(
                "not proved yet: CRI-O does not run here, it reads the store when it starts; {LATER}"
            );
            written.general.insert(0, words);
        }
        return Ok(());
    }
    if !named {
        let words = format!(
            "not proved yet: CRI-O runs and knows the store only after its restart, which no container feels: {RESTART}, \
             {LATER}"
        );
        written.general.insert(0, words);
        return Ok(());
    }
    let cri = match Cri::connect(&socket).await {
        Ok(cri) => cri,
        Err(error) => {
            let reason = EngineError::from(error).message();
            let words =
                format!("not proved yet: CRI-O could not be asked: {reason}; once it answers, {LATER}");
            written.general.insert(0, words);
            return Ok(());
        }
    };
    let arrived: Vec<bool> = written.outcomes.iter().map(super::Outcome::arrived).collect();
    let (owned, images, within) = (job.clone(), Arc::clone(images), directory.map(Path::to_owned));
    let expected = blocking(move || {
        let place = Place::find(&owned, within.as_deref())?;
        let arrived = images.iter().zip(arrived).filter(|(_, arrived)| *arrived);
        arrived.map(|(image, _)| expected(&owned, &place, image)).collect::<Result<Vec<_>>>()
    })
    .await?;
    let proof = proof::prove(&cri, &expected, proof::PATIENCE, &job.ctx).await?;
    if directory.is_some() && !proof.problems().is_empty() {
        // It may have been running since before the store was entered.
        written
            .general
            .insert(0, format!("CRI-O reads what was entered since it began only after {RESTART}; {LATER}"));
    }
    written.proof = Some(proof);
    Ok(())
}

fn expected(job: &Job, place: &Place, image: &ImageGraph) -> Result<Expected> {
    let chosen = fit(job, place, image)?;
    let reference = &image.image.reference;
    let mut names = names(image);
    for digest in [&image.image.digest, &chosen.digest] {
        let name = reference.at_digest(digest).to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(Expected {
        reference: reference.clone(),
        digest: image.image.digest.clone(),
        names,
        ids: vec![chosen.manifest.config.digest],
        platforms: vec![chosen.platform.unwrap_or_else(Platform::host)],
        // By CRI-O's own configuration alone, which is the operator's.
        pinned: false,
    })
}
