//! What is to become of each image in every target, known before the first byte is written.

use std::sync::Arc;

use super::at_work::at_work;
use super::error::ImportError;
use super::graph::ImageGraph;
use super::report::Outcome;
use super::stopped::{first, unwritten};
use super::{ImportSpec, Job, preview, target};
use crate::domain::import::Target;
use crate::domain::progress::Event;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Interrupted, Kind, Result};

/// What is to become of an image in a target.
#[derive(Clone, Debug)]
pub(super) enum Planned {
    /// It is there by name and digest; its bytes are still looked at where that is possible.
    Skip,
    Add,
    Replace {
        existing: String,
    },
    Conflict {
        existing: String,
    },
    /// It cannot go there.
    Refused(Outcome),
}

/// What is to become of each image in a target, in order.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) images: Vec<Planned>,
    /// About how many bytes the layers that it has not come to once unpacked; only of targets that unpack.
    pub(super) unpacked: Option<u64>,
    /// Bytes free where that goes, where it was looked.
    pub(super) free: Option<u64>,
    /// What to mind of the whole target before anything is written.
    pub(super) notes: Vec<String>,
    /// The same that is nothing to act on.
    pub(super) facts: Vec<String>,
    /// Names and paths that undo could take away from under the images of this run, were they left by an earlier one.
    pub(super) wanted: Vec<String>,
}

impl Plan {
    /// Whether the run itself would bring any image, after which files of the node are changed.
    pub(super) fn brings_any(&self, spec: &ImportSpec) -> bool {
        let refused = |planned: &Planned| planned.refused().is_some();
        self.images.iter().any(|planned| !refused(planned))
            && (spec.keep_going || !self.images.iter().any(refused))
    }
}

impl From<Vec<Planned>> for Plan {
    fn from(images: Vec<Planned>) -> Self {
        Self { images, ..Self::default() }
    }
}

impl Planned {
    /// For a name that is something else's.
    pub(super) fn taken(job: &Job, existing: String) -> Self {
        if job.spec.replace { Self::Replace { existing } } else { Self::Conflict { existing } }
    }

    /// Whether it is to be brought.
    pub(super) const fn is_to_come(&self) -> bool {
        matches!(self, Self::Add | Self::Replace { .. })
    }

    /// The outcome, where nothing is to be written for this image.
    pub(super) fn refused(&self) -> Option<Outcome> {
        match self {
            Self::Conflict { existing } => Some(Outcome::Conflict { existing: existing.clone() }),
            Self::Refused(outcome) => Some(outcome.clone()),
            _ => None,
        }
    }

    /// The outcome, once its bytes are there; `wrote` tells whether any were missing.
    pub(super) fn done(&self, wrote: bool) -> Outcome {
        match self {
            Self::Skip if !wrote => Outcome::Skipped,
            Self::Replace { existing } => Outcome::Replaced { existing: existing.clone() },
            other => other.refused().unwrap_or(Outcome::Added),
        }
    }
}

/// What would become of each image in every target. A dry run asks them all before it fails on one, and says what the
/// others would take.
pub(super) async fn all(job: &Job, images: &Arc<Vec<ImageGraph>>) -> Result<Vec<Plan>> {
    let (mut plans, mut failed) = (Vec::new(), Vec::new());
    for target in &job.spec.targets {
        // A target is only looked at so far: who wants to stop does not wait for one that does not answer.
        let planned = tokio::select! {
            planned = target::plan(job, target, images) => planned,
            () = job.ctx.cancel.cancelled() => Err(Interrupted.into()),
        };
        match planned {
            Ok(mut plan) => {
                plan.facts.extend(read_again(job, target, &plan));
                if job.spec.dry_run {
                    plan.notes.extend(at_work(job, target).await);
                }
                refuse_conflicts(job, target, images, &plan.images)?;
                plans.push((target, plan));
            }
            Err(error) => {
                let ends = !job.spec.dry_run || error.kind() == Kind::Interrupted;
                failed.push((target, refused(job, target, error)));
                if ends {
                    break;
                }
            }
        }
    }
    if failed.is_empty() {
        want(job, &plans).await?;
        return Ok(plans.into_iter().map(|(_, plan)| plan).collect());
    }
    for (target, plan) in plans.iter().filter(|_| job.spec.dry_run) {
        job.ctx.say(Event::Landed(preview::foreseen(target, images, &plan.images)));
    }
    Err(unwritten(first(failed)))
}

/// Notes what the run counts on from now on, so that no earlier one is taken back from under it.
async fn want(job: &Job, plans: &[(&Target, Plan)]) -> Result<()> {
    if job.spec.dry_run {
        return Ok(());
    }
    let wanted = plans.iter().map(|(target, plan)| ((*target).clone(), plan.wanted.clone()));
    let (changes, wanted) = (Arc::clone(&job.changes), wanted.collect::<Vec<_>>());
    blocking(move || {
        wanted.into_iter().for_each(|(target, names)| changes.want(&target, names));
        Ok(())
    })
    .await
}

/// What is to be known of a target whose layers another program fetches itself, beside the one read for all the others.
fn read_again(job: &Job, target: &Target, plan: &Plan) -> Option<String> {
    let brings = |planned: &Planned| planned.refused().is_none() && !matches!(planned, Planned::Skip);
    let again = matches!(target, Target::ContainersStorage(_))
        && job.spec.targets.len() > 1
        && plan.images.iter().any(brings);
    again.then(|| "its layers are read from the medium once more, by the program that writes them".to_owned())
}

/// An error of a target that came before the first byte; which target, is said to whoever listens.
fn refused(job: &Job, target: &Target, error: EngineError) -> EngineError {
    job.arrived.failed(target, error.message());
    job.ctx.say(Event::Landed(job.arrived.landed(target, &[])));
    error
}

/// Says no before anything is written, where an image cannot go and the others are not to go on without it.
fn refuse_conflicts(job: &Job, target: &Target, images: &[ImageGraph], plan: &[Planned]) -> Result<()> {
    if job.spec.keep_going || job.spec.dry_run {
        return Ok(());
    }
    for (image, planned) in images.iter().zip(plan) {
        if let Planned::Conflict { existing } = planned {
            return Err(ImportError::Conflict {
                target: target.to_string(),
                name: target::name_in(target, image).unwrap_or_else(|| image.name()),
                existing: existing.clone(),
                digest: image.image.digest.clone(),
            }
            .into());
        }
    }
    Ok(())
}
