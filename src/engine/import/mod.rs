//! Import: a verified bundle into registries, layouts, archives and stores; every byte is hashed on its way in, names come last.

mod archive;
mod at_work;
pub mod changes;
pub mod containerd;
mod containers_storage;
mod docker_archive;
pub mod error;
mod fan;
mod foreign;
mod foreseen;
mod graph;
mod index;
mod k3s;
mod later;
mod layout;
mod oci_archive;
mod older;
mod parts;
mod planned;
mod preview;
pub mod proof;
mod refusal;
mod registry;
pub mod report;
mod single;
mod source;
mod spec;
mod stopped;
mod stream;
mod target;
pub mod undo;
mod unpacked;

use std::sync::Arc;

use futures_util::future::join_all;

use crate::domain::import::Target;
use crate::domain::progress::{Event, Phase};
use crate::engine::blocking::blocking;
use crate::engine::bundle::read::BundleReader;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::meter::Meter;
use crate::engine::registry::Registry;
use crate::engine::storage::change::FileChange;

pub use spec::ImportSpec;

use changes::{Changes, Ended, Last, Noting};
use containerd::{names::Change, unpacking::Unpacking};
use fan::{Fan, Seat};
use graph::{ImageGraph, Node};
use parts::Parts;
use planned::{Plan, Planned};
use proof::Proof;
use report::{ImportReport, Outcome, TargetReport};
use stopped::{Arrived, first, unwritten};
use stream::Incoming;

/// What every target works with.
#[derive(Clone)]
struct Job {
    bundle: BundleReader,
    spec: Arc<ImportSpec>,
    ctx: JobCtx,
    meter: Arc<Meter>,
    registry: Registry,
    arrived: Arc<Arrived>,
    changes: Arc<Changes>,
    /// How far its images are.
    parts: Parts,
    /// How far its layers are unpacked.
    unpacking: Arc<Unpacking>,
    /// Where blobs come from while targets are written.
    seat: Option<Arc<Seat>>,
}

impl Job {
    /// Opens a blob for an image, to be written; with `meter` the bytes count as done. Blocks.
    fn open(&self, node: &Node, image: &str, meter: Option<&Arc<Meter>>) -> Result<Incoming> {
        let shared = self.seat.as_ref().and_then(|seat| seat.open(&node.digest, node.size, image));
        Incoming::open(self, node, (image, meter), shared)
    }

    /// The same job once for each of so many blobs that are taken at once. To be made before the first is looked at: the
    /// other targets wait for what one of them may still come to.
    fn lanes(&self, count: usize) -> Vec<Self> {
        let lane = |seat| Self { seat: Some(seat), ..self.clone() };
        match &self.seat {
            Some(seat) => seat.lanes(count).into_iter().map(lane).collect(),
            None => vec![self.clone(); count],
        }
    }

    /// Says that the target has a blob already.
    fn pass(&self, node: &Node) {
        if let Some(seat) = &self.seat {
            seat.pass(&node.digest);
        }
    }

    /// A failure of one image: an outcome where the others go on, else the error that ends the job.
    fn failed(&self, image: &ImageGraph, error: EngineError) -> Result<Outcome> {
        // Without room, medium or permission to go on, the next image fares no better.
        let ends = matches!(error.kind(), Kind::Interrupted | Kind::Space | Kind::Medium | Kind::Locked);
        if ends || !self.spec.keep_going {
            return Err(error);
        }
        let outcome = self.refused(&error);
        // What is refused before the phase begins is told when it does.
        if let (true, Outcome::Failed { reason, .. }) = (self.meter.is_announced(), &outcome) {
            let (phase, item, reason) = (Phase::Import, image.name(), reason.clone());
            self.ctx.say(Event::Failed { phase, item, reason });
        }
        Ok(outcome)
    }

    /// What becomes of an image that an error keeps away.
    fn refused(&self, error: &EngineError) -> Outcome {
        Outcome::Failed { kind: error.kind(), reason: self.apart(error.message()), hints: error.hints() }
    }

    /// A reason without the image before it: a blob that several of them have was read for any one of these.
    fn apart(&self, reason: String) -> String {
        let images = &self.bundle.document().images;
        let mut names = images.iter().map(|image| format!("{}: ", image.reference));
        names.find_map(|name| reason.strip_prefix(&name).map(str::to_owned)).unwrap_or(reason)
    }
}

/// What a target says after writing.
#[derive(Default)]
struct Written {
    outcomes: Vec<Outcome>,
    /// Per image, what the operator should know.
    notes: Vec<Vec<String>>,
    written: u64,
    present: u64,
    /// As in [`Plan`], before anything is written.
    unpacked: Option<u64>,
    free: Option<u64>,
    /// What holds for the whole target.
    general: Vec<String>,
    /// The same that is nothing to act on.
    facts: Vec<String>,
    /// Names that were made or pointed elsewhere, where they can be taken back.
    changes: Vec<Change>,
    /// Files of the node that were changed with it, or would be.
    files: Vec<FileChange>,
    /// What the runtime's CRI says of it.
    proof: Option<Proof>,
}

/// Imports what a verified bundle holds.
///
/// All targets are planned before the first is written, and written beside each other. Without `keep_going` the first
/// failure ends the writing of its target, and the job once the others are written; what is complete in a target by
/// then stays and is skipped by the next run.
///
/// # Errors
/// [`error::ImportError`], [`error::StreamError`], a registry's, a file's or the bundle's own.
pub async fn import(
    bundle: BundleReader,
    spec: ImportSpec,
    noting: Option<Noting>,
    ctx: &JobCtx,
) -> Result<ImportReport> {
    let spec = Arc::new(spec);
    let images = {
        let (bundle, spec) = (bundle.clone(), Arc::clone(&spec));
        Arc::new(blocking(move || graph::wanted(&bundle, &spec.only)).await?)
    };
    if !spec.keep_going && !spec.dry_run {
        stopped::refuse_damaged(&images)?;
    }
    let others = images.len() > 1;
    let report = Box::pin(import_all(bundle, spec, images, noting, ctx)).await;
    report.map_err(|error| if others { error } else { stopped::lone(error) })
}

async fn import_all(
    bundle: BundleReader,
    spec: Arc<ImportSpec>,
    images: Arc<Vec<ImageGraph>>,
    noting: Option<Noting>,
    ctx: &JobCtx,
) -> Result<ImportReport> {
    let out = spec.node.out.clone().map(Target::Layout);
    for target in spec.targets.iter().chain(&out) {
        target::refuse_inside(&bundle, target)?;
    }
    let registry = Registry::new(target::reached(&spec))?.for_job(ctx, Phase::Import);
    let meter = Arc::new(Meter::unannounced(ctx, Phase::Import));
    let changes = begun(&bundle, (&spec, &images), noting, ctx).await?;
    let job = Job {
        bundle,
        spec: Arc::clone(&spec),
        ctx: ctx.clone(),
        meter,
        registry,
        arrived: Arc::default(),
        changes,
        parts: Parts::new(ctx),
        unpacking: Unpacking::new(ctx, &spec.targets),
        seat: None,
    };
    let done = Box::pin(run(&job, &images)).await;
    let left = if done.is_ok() { Vec::new() } else { stopped::left(&job, &images) };
    let (brought, remains) = (done.as_deref().ok().map(report::brought), job.arrived.remains());
    let last = Last { ended: Ended::of(&done), left, brought, remains };
    let changes = Arc::clone(&job.changes);
    // What it came to counts; a run whose end could not be noted is taken for one that was cut off.
    let _ = blocking(move || changes.end(&last)).await;
    let targets = done?;
    job.meter.finish();
    let document = job.bundle.document();
    let (bundle, name) = (document.id, document.directory());
    let (missing, dry_run, keep_going) = (document.missing.clone(), spec.dry_run, spec.keep_going);
    Ok(ImportReport { bundle, name, missing, dry_run, keep_going, targets })
}

/// Plans and writes, or says what would be written.
async fn run(job: &Job, images: &Arc<Vec<ImageGraph>>) -> Result<Vec<TargetReport>> {
    let spec = &job.spec;
    let plans = planned::all(job, images).await?;
    for (target, plan) in spec.targets.iter().zip(&plans) {
        let there = images.iter().zip(&plan.images).filter(|(_, planned)| matches!(planned, Planned::Skip));
        there.for_each(|(image, _)| job.arrived.found(&target.to_string(), &image.name()));
    }
    let written = if spec.dry_run {
        let mut previews = Vec::new();
        if plans.iter().flat_map(|plan| &plan.images).any(Planned::is_to_come) {
            job.ctx.say(Event::Note { text: preview::unhashed(job.bundle.root()) });
        }
        for (target, plan) in spec.targets.iter().zip(&plans) {
            let (files, general) = match plan.brings_any(spec) {
                true => target::files(job, target).await.map_err(unwritten)?,
                false => (Vec::new(), Vec::new()),
            };
            let mut preview = preview::preview(images, plan);
            preview.files = files;
            preview.general.extend(general);
            previews.push(preview);
        }
        previews
    } else {
        let plans: Vec<_> = plans.into_iter().map(|plan| plan.images).collect();
        begin(job, images, &plans);
        let written = Box::pin(write(job, images, plans)).await;
        written.map_err(|error| stopped::ended(job, images, &error))?
    };
    let reports = spec.targets.iter().zip(written);
    Ok(reports.map(|(target, written)| target::report(target, images, written, spec)).collect())
}

/// Begins to write, now that the plan of every target is known, and tells of the images that are refused.
fn begin(job: &Job, images: &[ImageGraph], plans: &[Vec<Planned>]) {
    let targets = job.spec.targets.len();
    job.meter.announce((images.len() * targets) as u64, preview::distinct_bytes(images) * targets as u64);
    for (image, planned) in plans.iter().flat_map(|plan| images.iter().zip(plan)) {
        if let Planned::Refused(Outcome::Failed { reason, .. }) = planned {
            let (phase, item, reason) = (Phase::Import, image.name(), reason.clone());
            job.ctx.say(Event::Failed { phase, item, reason });
        }
    }
}

/// Where the run notes what it changes; it is noted itself, unless it changes nothing for sure.
async fn begun(
    bundle: &BundleReader,
    of: (&ImportSpec, &[ImageGraph]),
    noting: Option<Noting>,
    ctx: &JobCtx,
) -> Result<Arc<Changes>> {
    let document = bundle.document();
    let history = noting.as_ref().map(|noting| &*noting.history);
    let changes = Changes::new(ctx, history, document.directory(), of);
    let let_through = noting.and_then(|noting| noting.let_through);
    let changes = Arc::new(changes.of(bundle.root(), document, let_through));
    if !of.0.dry_run {
        let changes = Arc::clone(&changes);
        blocking(move || {
            changes.start();
            Ok(())
        })
        .await?;
    }
    Ok(changes)
}

/// Writes into all targets beside each other, so that the medium is read once. One that fails leaves the others alone.
async fn write(job: &Job, images: &Arc<Vec<ImageGraph>>, plans: Vec<Vec<Planned>>) -> Result<Vec<Written>> {
    let targets = &job.spec.targets;
    let noted = targets.iter().zip(&plans).any(|(target, plan)| target::is_noted(job, target, plan));
    let changes = Arc::clone(&job.changes);
    blocking(move || changes.ready(noted)).await?;
    let (files, places) = (Arc::clone(&job.ctx.files), targets.clone());
    let holding = blocking(move || target::hold(&*files, &places)).await?;
    let wanted = plans.iter().map(|plan| {
        let images = images.iter().zip(plan).filter(|(_, planned)| planned.refused().is_none());
        images.map(|(image, _)| image).collect()
    });
    let fan = Fan::new(&job.bundle, &wanted.collect::<Vec<_>>());
    // All are seated before the first begins, or that would not wait for the others.
    let seats: Vec<_> = (0..targets.len()).map(|target| Arc::new(fan.seat(target))).collect();
    let writing = targets.iter().zip(plans).zip(seats).enumerate().map(|(at, ((target, plan), seat))| {
        let job = Job { seat: Some(seat), parts: job.parts.of(at), ..job.clone() };
        target::apply(job, target, Arc::clone(images), plan)
    });
    let written = join_all(writing).await;
    let files = Arc::clone(&job.ctx.files);
    // What the targets say weighs more than a directory that stays behind empty.
    if let Err(error) = blocking(move || holding.end(&*files)).await {
        job.ctx.warn(error.message());
    }
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for (target, written) in targets.iter().zip(written) {
        match written {
            Ok(written) => all.push(written),
            Err(error) => {
                job.arrived.failed(target, error.message());
                failed.push((target, error));
            }
        }
    }
    if failed.is_empty() { Ok(all) } else { Err(first(failed)) }
}
