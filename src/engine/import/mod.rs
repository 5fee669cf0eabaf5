//! Import: a verified bundle into registries, layouts and archives; every byte is hashed on its way in, names come last.

mod archive;
mod docker_archive;
pub mod error;
mod graph;
mod index;
mod layout;
mod oci_archive;
mod refusal;
mod registry;
pub mod report;
mod source;
mod stopped;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::import::Target;
use crate::domain::platform::Platform;
use crate::domain::progress::{Event, Phase};
use crate::domain::reference::Reference;
use crate::engine::blocking::blocking;
use crate::engine::bundle::read::BundleReader;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::meter::Meter;
use crate::engine::registry::{Registry, RegistryOptions};

use error::ImportError;
use graph::ImageGraph;
use report::{ImageReport, ImportReport, Outcome, TargetReport};
use stopped::{Arrived, Stopped};

/// What to import, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportSpec {
    /// Where to; at least one, none twice.
    pub targets: Vec<Target>,
    /// Only these images; all where empty.
    pub only: Vec<Reference>,
    /// The platform for targets that hold one only.
    pub platform: Option<Platform>,
    /// Whether a name that the target has for something else is taken over.
    pub replace: bool,
    /// Whether to say what would happen and write nothing.
    pub dry_run: bool,
    /// Whether one image that fails lets the others go on.
    pub keep_going: bool,
    /// How registries are reached.
    pub registry: RegistryOptions,
    /// Uploads at once, at least one.
    pub jobs: usize,
}

/// What every target works with.
#[derive(Clone)]
struct Job {
    bundle: BundleReader,
    spec: Arc<ImportSpec>,
    ctx: JobCtx,
    meter: Arc<Meter>,
    registry: Registry,
    arrived: Arc<Arrived>,
}

/// What is to become of an image in a target.
#[derive(Clone, Debug)]
enum Planned {
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

impl Planned {
    /// For a name that is something else's.
    fn taken(job: &Job, existing: String) -> Self {
        if job.spec.replace { Self::Replace { existing } } else { Self::Conflict { existing } }
    }

    /// The outcome, where nothing is to be written for this image.
    fn refused(&self) -> Option<Outcome> {
        match self {
            Self::Conflict { existing } => Some(Outcome::Conflict { existing: existing.clone() }),
            Self::Refused(outcome) => Some(outcome.clone()),
            _ => None,
        }
    }

    /// The outcome, once its bytes are there; `wrote` tells whether any were missing.
    fn done(&self, wrote: bool) -> Outcome {
        match self {
            Self::Skip if !wrote => Outcome::Skipped,
            Self::Replace { existing } => Outcome::Replaced { existing: existing.clone() },
            other => other.refused().unwrap_or(Outcome::Added),
        }
    }
}

impl Job {
    /// A failure of one image: an outcome where the others go on, else the error that ends the job.
    fn failed(&self, image: &ImageGraph, error: EngineError) -> Result<Outcome> {
        // Without room, medium or permission to go on, the next image fares no better.
        let ends = matches!(error.kind(), Kind::Interrupted | Kind::Space | Kind::Medium | Kind::Locked);
        if ends || !self.spec.keep_going {
            return Err(error);
        }
        let reason = error.message();
        self.ctx.say(Event::Failed { phase: Phase::Import, item: image.name(), reason });
        Ok(Outcome::failed(&error))
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
    /// What holds for the whole target.
    general: Vec<String>,
}

/// Imports what a verified bundle holds.
///
/// All targets are planned before the first is written. Without `keep_going` the first failure ends the job; what is
/// complete in a target by then stays and is skipped by the next run.
///
/// # Errors
/// [`ImportError`], [`error::StreamError`], a registry's, a file's or the bundle's own.
pub async fn import(bundle: BundleReader, spec: ImportSpec, ctx: &JobCtx) -> Result<ImportReport> {
    let spec = Arc::new(spec);
    let images = {
        let (bundle, spec) = (bundle.clone(), Arc::clone(&spec));
        Arc::new(blocking(move || graph::wanted(&bundle, &spec.only)).await?)
    };
    for target in &spec.targets {
        refuse_inside(&bundle, target)?;
    }
    let bytes: u64 = distinct_bytes(&images) * spec.targets.len() as u64;
    let items = images.len() * spec.targets.len();
    let registry = Registry::new(reached(&spec))?.for_job(ctx, Phase::Import);
    let meter = Arc::new(Meter::start(ctx, Phase::Import, items as u64, bytes));
    let job =
        Job { bundle, spec: Arc::clone(&spec), ctx: ctx.clone(), meter, registry, arrived: Arc::default() };
    let mut plans = Vec::new();
    for target in &spec.targets {
        let plan = plan(&job, target, &images).await.map_err(unwritten)?;
        refuse_conflicts(&job, target, &images, &plan)?;
        plans.push(plan);
    }
    for (target, plan) in spec.targets.iter().zip(&plans) {
        let there = images.iter().zip(plan).filter(|(_, planned)| matches!(planned, Planned::Skip));
        there.for_each(|(image, _)| job.arrived.note(&target.to_string(), &image.name()));
    }
    let mut targets = Vec::new();
    for (target, plan) in spec.targets.iter().zip(plans) {
        let written = if spec.dry_run {
            preview(&plan)
        } else {
            apply(&job, target, &images, plan).await.map_err(|error| stopped(&job, &images, &error))?
        };
        let target = report(target, &images, written);
        let arrived = target.images.iter().zip(images.iter()).filter(|(row, _)| row.outcome.arrived());
        arrived.for_each(|(_, image)| job.arrived.note(&target.target.to_string(), &image.name()));
        targets.push(target);
    }
    job.meter.finish();
    let document = job.bundle.document();
    Ok(ImportReport { bundle: document.id, name: document.directory(), dry_run: spec.dry_run, targets })
}

/// An error that came before the first byte, and says so.
fn unwritten(error: EngineError) -> EngineError {
    if error.hints().iter().any(|hint| hint.contains("nothing was ")) {
        return error;
    }
    Stopped::new(&error, ["nothing was written to any target".to_owned()]).into()
}

/// The error that ended the writing, with what each target has by then.
fn stopped(job: &Job, images: &[ImageGraph], error: &EngineError) -> EngineError {
    let names: Vec<String> = images.iter().map(ImageGraph::name).collect();
    let lines = job.spec.targets.iter().map(|target| job.arrived.standing(&target.to_string(), &names));
    Stopped::new(error, lines).into()
}

/// The options with every target that was written with `http://`.
fn reached(spec: &ImportSpec) -> RegistryOptions {
    let mut options = spec.registry.clone();
    let plain = spec.targets.iter().filter_map(|target| match target {
        Target::Registry(registry) if registry.plain_http => Some(registry.host.clone()),
        _ => None,
    });
    options.plain_http.extend(plain);
    options
}

async fn plan(job: &Job, target: &Target, images: &Arc<Vec<ImageGraph>>) -> Result<Vec<Planned>> {
    let (job, images) = (job.clone(), Arc::clone(images));
    match target.clone() {
        Target::Registry(registry) => Box::pin(registry::plan(&job, &registry, &images)).await,
        Target::Layout(dir) => blocking(move || layout::plan(&job, &dir, &images)).await,
        Target::OciArchive(file) => blocking(move || oci_archive::plan(&job, &file, &images)).await,
        Target::DockerArchive(file) => blocking(move || docker_archive::plan(&job, &file, &images)).await,
    }
}

async fn apply(
    job: &Job,
    target: &Target,
    images: &Arc<Vec<ImageGraph>>,
    plan: Vec<Planned>,
) -> Result<Written> {
    let (job, images) = (job.clone(), Arc::clone(images));
    match target.clone() {
        Target::Registry(registry) => Box::pin(registry::apply(&job, &registry, &images, &plan)).await,
        Target::Layout(dir) => blocking(move || layout::apply(&job, &dir, &images, &plan)).await,
        Target::OciArchive(file) => blocking(move || oci_archive::apply(&job, &file, &images, &plan)).await,
        Target::DockerArchive(file) => {
            blocking(move || docker_archive::apply(&job, &file, &images, &plan)).await
        }
    }
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
                name: name_in(target, image).unwrap_or_else(|| image.name()),
                existing: existing.clone(),
                digest: image.image.digest.clone(),
            }
            .into());
        }
    }
    Ok(())
}

/// What would happen.
fn preview(plan: &[Planned]) -> Written {
    let outcomes: Vec<Outcome> = plan.iter().map(|planned| planned.done(false)).collect();
    Written { notes: vec![Vec::new(); outcomes.len()], outcomes, ..Written::default() }
}

fn report(target: &Target, images: &[ImageGraph], written: Written) -> TargetReport {
    let rows = images.iter().zip(written.outcomes).zip(written.notes);
    let rows = rows.map(|((image, outcome), notes)| ImageReport {
        reference: image.image.reference.clone(),
        digest: image.image.digest.clone(),
        name: name_in(target, image),
        outcome,
        notes,
    });
    TargetReport {
        target: target.clone(),
        images: rows.collect(),
        bytes_written: written.written,
        bytes_present: written.present,
        notes: written.general,
    }
}

/// What an image is called in a target; nothing where the target has no name for it.
fn name_in(target: &Target, image: &ImageGraph) -> Option<String> {
    let reference = &image.image.reference;
    match target {
        Target::Registry(registry) => {
            let repository = registry.repository(reference);
            let selector = match reference.tag() {
                Some(tag) => format!(":{tag}"),
                None => format!("@{}", image.image.digest),
            };
            Some(format!("{}/{repository}{selector}", registry.host))
        }
        Target::Layout(_) | Target::OciArchive(_) => Some(reference.to_string()),
        Target::DockerArchive(_) => reference.tag().map(|tag| format!("{}:{tag}", reference.name())),
    }
}

fn distinct_bytes(images: &[ImageGraph]) -> u64 {
    let mut seen = std::collections::HashSet::new();
    let nodes = images.iter().flat_map(ImageGraph::nodes).filter(|node| seen.insert(&node.digest));
    nodes.map(|node| node.size).fold(0, u64::saturating_add)
}

/// The bundle is never written to, not even beside its own files.
fn refuse_inside(bundle: &BundleReader, target: &Target) -> Result<()> {
    let (Target::Layout(path) | Target::OciArchive(path) | Target::DockerArchive(path)) = target else {
        return Ok(());
    };
    let root = bundle.root().canonicalize().unwrap_or_else(|_| bundle.root().to_owned());
    if existing_part(path).starts_with(&root) {
        return Err(ImportError::InsideBundle { path: path.clone(), bundle: bundle.root().to_owned() }.into());
    }
    Ok(())
}

/// The nearest directory above `path` (or itself) that exists, without links.
fn existing_part(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = absolute.ancestors().find_map(|above| above.canonicalize().ok());
    found.unwrap_or(absolute)
}
