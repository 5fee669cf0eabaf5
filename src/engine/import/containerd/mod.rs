//! Import into the containerd of a node: planned by digest, brought under a lease, unpacked, synced, named, then proved.

mod claim;
pub mod names;
mod node;
mod pieces;
pub(super) mod platforms;
mod run;
mod stall;
mod unpack;
pub(super) mod unpacking;
mod write;

use std::sync::Arc;

use super::error::ImportError;
use super::graph::ImageGraph;
use super::proof::{self, Expected};
use super::report::Outcome;
use super::undo::Unfinished;
use super::{Job, Plan, Planned, Written, foreign, foreseen, unpacked};
use crate::domain::import::{ContainerdTarget, KUBELET_NAMESPACE, Target};
use crate::domain::platform::Platform;
use crate::domain::progress::{Event, Phase};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::runtime::containerd::{Blob, Containerd};
use crate::engine::runtime::cri::Cri;
use claim::Claim;
use names::{Change, Records, UndoReport};
use node::{Needs, Node};
use pieces::Pieces;
use run::{Run, Wanted};

/// What a claim of undo says it is for.
const UNDO: &str = "undo of an import";

/// What is known of a containerd, and of what the images become there.
struct Survey {
    daemon: Containerd,
    cri: Option<Cri>,
    node: Node,
    records: Records,
    blobs: std::collections::HashMap<String, u64>,
}

impl Survey {
    async fn of(target: &ContainerdTarget) -> Result<Self> {
        let daemon = Containerd::connect(&target.socket, &target.namespace).await?;
        let cri = node::cri(&target.socket).await?;
        if cri.is_none() && target.namespace == KUBELET_NAMESPACE {
            return Err(ImportError::NoCri { socket: target.socket.clone() }.into());
        }
        let node = Node::learn(&daemon, cri.as_ref()).await?;
        let (records, blobs) = (names::records(&daemon).await?, daemon.blobs().await?);
        Ok(Self { daemon, cri, node, records, blobs })
    }

    /// The CRI, where pods can use what is in the namespace.
    fn pods(&self) -> Option<&Cri> {
        self.cri.as_ref().filter(|_| self.daemon.namespace() == KUBELET_NAMESPACE)
    }

    fn has(&self, blob: &Blob) -> bool {
        self.blobs.get(&blob.digest.to_string()) == Some(&blob.size)
    }

    /// What would become of an image.
    async fn planned(&self, job: &Job, pieces: &Pieces) -> Result<Planned> {
        if let Some(record) = names::taken(pieces, &self.records) {
            return Ok(Planned::taken(job, record.target.digest.to_string()));
        }
        if !names::all_given(pieces, &self.records) || !pieces.blobs.iter().all(|(blob, _)| self.has(blob)) {
            return Ok(Planned::Add);
        }
        for chain_id in pieces.runs.iter().filter_map(|run| run.chain_id()) {
            if !self.daemon.has_snapshot(&self.node.snapshotter, chain_id).await? {
                return Ok(Planned::Add);
            }
        }
        Ok(Planned::Skip)
    }

    /// A plan made earlier, with what was there then and is not any more, and what another run brought since.
    async fn again(&self, job: &Job, plan: &[Planned], all: &[Option<Arc<Pieces>>]) -> Result<Vec<Planned>> {
        let mut now = plan.to_vec();
        for (planned, pieces) in now.iter_mut().zip(all) {
            let Some(pieces) = pieces else { continue };
            let (was, is) = (matches!(planned, Planned::Skip), self.planned(job, pieces).await?);
            if was || matches!(is, Planned::Skip) {
                *planned = is;
            }
        }
        Ok(now)
    }
}

/// The pieces of every image for this node, in order.
async fn all_pieces(
    job: &Job,
    target: &ContainerdTarget,
    node: &Node,
    images: &Arc<Vec<ImageGraph>>,
) -> Result<Vec<Result<Arc<Pieces>>>> {
    let (job, images, target) = (job.clone(), Arc::clone(images), target.to_string());
    let platform = node.platform.clone();
    blocking(move || {
        let wanted = platforms::Wanted::new(job.spec.platform.as_ref(), platform);
        let one = |image| pieces::pieces(&job.bundle, image, &target, &wanted).map(Arc::new);
        Ok(images.iter().map(one).collect())
    })
    .await
}

/// Says what would become of each image.
pub(super) async fn plan(
    job: &Job,
    target: &ContainerdTarget,
    images: &Arc<Vec<ImageGraph>>,
) -> Result<Plan> {
    let survey = Survey::of(target).await?;
    if survey.pods().is_some() {
        let runs = platforms::runs(survey.node.platform.clone());
        foreign::refuse(job, &Target::Containerd(target.clone()), &runs)?;
    }
    let mut planned = Vec::with_capacity(images.len());
    let (mut adding, mut wanted) = (Vec::new(), Vec::new());
    for pieces in all_pieces(job, target, &survey.node, images).await? {
        job.ctx.check()?;
        planned.push(match pieces {
            Ok(pieces) => {
                let one = survey.planned(job, &pieces).await?;
                if one.refused().is_none() {
                    wanted.extend(names::in_order(&pieces).map(|(name, _)| name));
                }
                if matches!(one, Planned::Add | Planned::Replace { .. }) {
                    adding.push(pieces);
                }
                one
            }
            Err(error) if job.spec.keep_going || job.spec.dry_run => {
                Planned::Refused(Outcome::failed(&error))
            }
            Err(error) => return Err(error),
        });
    }
    let mut plan = Plan { wanted, ..Plan::from(planned) };
    if let Some(cri) = survey.pods() {
        foreseen::add(job, cri, images, &mut plan).await?;
    }
    let copying = survey.node.copying();
    let (unpacked, (free, warning)) = room(job, survey, adding).await?;
    plan.facts.extend(copying.filter(|_| unpacked > 0));
    if let Some(warning) = warning {
        job.ctx.warn(warning);
    }
    Ok(Plan { unpacked: Some(unpacked), free, ..plan })
}

/// Fails where what is to be added surely does not fit; gives about how many bytes its layers come to once unpacked,
/// what is free for them, and what is to be said of that.
async fn room(
    job: &Job,
    survey: Survey,
    adding: Vec<Arc<Pieces>>,
) -> Result<(u64, (Option<u64>, Option<String>))> {
    let job = job.clone();
    blocking(move || {
        let (mut seen, mut chains) = (std::collections::HashSet::new(), std::collections::HashSet::new());
        let mut needs = Needs::default();
        for (blob, _) in adding.iter().flat_map(|pieces| &pieces.blobs) {
            if !survey.has(blob) && seen.insert(&blob.digest) {
                needs.blobs = needs.blobs.saturating_add(blob.size);
            }
        }
        for run in adding.iter().flat_map(|pieces| &pieces.runs) {
            let mut chain = survey.node.chain();
            for layer in &run.layers {
                let Blob { digest, size, media_type } = &layer.blob;
                let about = unpacked::estimate(&job.bundle, digest, *size, media_type);
                let unpacked = chain.next(about);
                // A layer whose blob is there was unpacked with it, mostly.
                if !survey.has(&layer.blob) && chains.insert(&layer.chain_id) {
                    needs.carried = needs.carried.saturating_add(*size);
                    needs.unpacked = needs.unpacked.saturating_add(unpacked);
                }
            }
        }
        Ok((needs.unpacked, survey.node.room(&job.ctx, needs)?))
    })
    .await
}

/// Writes and proves.
pub(super) async fn apply(
    job: &Job,
    target: &ContainerdTarget,
    images: &Arc<Vec<ImageGraph>>,
    plan: &[Planned],
) -> Result<Written> {
    // Whatever becomes of it: other targets wait for its word.
    let share = job.unpacking.share();
    let survey = Survey::of(target).await?;
    let mut all = Vec::with_capacity(images.len());
    for (planned, pieces) in plan.iter().zip(all_pieces(job, target, &survey.node, images).await?) {
        // What was refused stays so; what was not was read a moment ago.
        all.push(if planned.refused().is_some() { None } else { Some(pieces?) });
    }
    let plan = survey.again(job, plan, &all).await?;
    let adding = |planned: &Planned| matches!(planned, Planned::Add | Planned::Replace { .. });
    let wanted: Vec<Wanted> = (0..images.len())
        .filter(|at| adding(&plan[*at]))
        .filter_map(|at| Some(Wanted { at, name: images[at].name(), pieces: all[at].clone()? }))
        .collect();
    let mut written = Written { notes: images.iter().map(notes).collect(), ..Written::default() };
    let run = Run::begin(job, &survey.daemon, (survey.node.clone(), share), &wanted).await?;
    run.pass_others(images, |at| matches!(plan[at], Planned::Skip));
    let filled = Box::pin(run.fill(&wanted, images)).await;
    let (mut failures, ended) = match filled {
        Ok(failures) => (failures, None),
        Err(error) => (run::Failures::default(), Some(error)),
    };
    // What is complete is named, also where another image ended the run.
    let named = Box::pin(run.name(&wanted, images, &mut failures)).await;
    match (named, ended) {
        (Ok(named), None) => (written.changes, written.general) = (named.changes, named.notes),
        (_, Some(error)) | (Err(error), None) => return Err(run.give_up(error).await),
    }
    run.end().await?;
    (written.written, written.present) = run.sums.get();
    written.outcomes = (0..images.len())
        .map(|at| failures.remove(&at).unwrap_or_else(|| plan[at].done(adding(&plan[at]))))
        .collect();
    prove(job, &survey, images, &all, &mut written).await?;
    Ok(written)
}

/// Asks the CRI for every name of what arrived.
async fn prove(
    job: &Job,
    survey: &Survey,
    images: &[ImageGraph],
    all: &[Option<Arc<Pieces>>],
    written: &mut Written,
) -> Result<()> {
    for (image, outcome) in images.iter().zip(&written.outcomes) {
        if *outcome == Outcome::Skipped {
            let bytes = image.nodes().map(|node| node.size).sum();
            let reason = "containerd has it with this digest".to_owned();
            job.ctx.say(Event::Skipped { phase: Phase::Import, item: image.name(), bytes, reason });
        }
    }
    let Some(cri) = survey.pods() else {
        written.general.push(format!(
            "the CRI sees {KUBELET_NAMESPACE} alone: no pod can use what is in {}",
            survey.daemon.namespace()
        ));
        return Ok(());
    };
    let arrived = images.iter().zip(all).zip(&written.outcomes).filter(|(_, outcome)| outcome.arrived());
    let expected: Vec<Expected> =
        arrived.filter_map(|((image, pieces), _)| Some(answers(image, pieces.as_ref()?))).collect();
    // Where nothing arrived nothing is to be proved.
    if !expected.is_empty() {
        written.proof = Some(proof::prove(cri, &expected, proof::PATIENCE, &job.ctx).await?);
        written.facts.extend(proof::unheeded(cri));
    }
    Ok(())
}

/// What the CRI is to answer for an image of these pieces.
fn answers(image: &ImageGraph, pieces: &Pieces) -> Expected {
    Expected {
        reference: image.image.reference.clone(),
        digest: image.image.digest.clone(),
        names: pieces.names.clone(),
        ids: pieces.runs.iter().map(|run| run.config.clone()).collect(),
        platforms: pieces.runs.iter().map(|run| run.platform.clone()).collect(),
        pinned: true,
    }
}

/// What the CRI on a containerd is to answer for an image, whoever brings it there. Blocks.
///
/// # Errors
/// [`ImportError::Unfit`] where no pod of a node of that platform can run it; [`ImportError::Document`].
pub(super) fn expected(job: &Job, image: &ImageGraph, target: &str) -> Result<Expected> {
    let wanted = platforms::Wanted::new(job.spec.platform.as_ref(), Platform::host());
    Ok(answers(image, &pieces::pieces(&job.bundle, image, target, &wanted)?))
}

/// Takes back what a run changed in the names of a containerd, and has it remove what then nothing names.
///
/// # Errors
/// As the daemon answers.
pub async fn undo(target: &ContainerdTarget, changes: &[Change], ctx: &JobCtx) -> Result<UndoReport> {
    let daemon = Containerd::connect(&target.socket, &target.namespace).await?;
    let claim = Claim::take(ctx, &daemon, UNDO).await?;
    let report = names::take_back(&daemon, changes, false).await;
    // Ending the lease has what nothing names removed.
    claim.end().await?;
    report
}

/// The run of another process that is at work there, in the words with which another one is refused.
///
/// # Errors
/// As the daemon answers.
pub(super) async fn at_work(ctx: &JobCtx, target: &ContainerdTarget) -> Result<Option<ImportError>> {
    let daemon = Containerd::connect(&target.socket, &target.namespace).await?;
    claim::running(ctx, &daemon).await
}

/// Removes what runs that were cut off had written and not named; without `write` it is only said.
///
/// # Errors
/// [`ImportError::Claimed`] where a run is at work there; as the daemon answers.
pub(super) async fn unfinished(target: &ContainerdTarget, write: bool, ctx: &JobCtx) -> Result<Unfinished> {
    let daemon = Containerd::connect(&target.socket, &target.namespace).await?;
    let left = Claim::unfinished(ctx, &daemon).await?;
    if write && !left.removed.is_empty() {
        Claim::take(ctx, &daemon, UNDO).await?.end().await?;
    }
    Ok(left)
}

/// Says what [`undo`] would take back as the daemon stands now.
///
/// # Errors
/// As the daemon answers.
pub async fn would_undo(target: &ContainerdTarget, changes: &[Change]) -> Result<UndoReport> {
    let daemon = Containerd::connect(&target.socket, &target.namespace).await?;
    names::take_back(&daemon, changes, true).await
}

/// What the operator should know of an image in a containerd.
fn notes(image: &ImageGraph) -> Vec<String> {
    let note = "its signatures stay in the bundle: containerd has no use for them";
    (!image.carried.is_empty()).then(|| note.to_owned()).into_iter().collect()
}
