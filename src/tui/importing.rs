//! The import of a verified bundle: where to, which of its images, the plan of it, its run, and what came of all runs together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::model::{JobState, Model, Place};
use super::msg::Ended;
use crate::domain::bundle::Image;
use crate::domain::import::Target;
use crate::domain::node::{Listening, NodeFacts, Proposal, Runtime};
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::engine::bundle::verify::{Bytes, VerifySpec};
use crate::engine::error::Kind;
use crate::engine::import::ImportSpec;
use crate::engine::import::proof::{NameProof, Proof};
use crate::engine::import::report::{ImageReport, ImportReport, Outcome};
use crate::engine::spec::{ImportJob, JobReport, JobSpec};
use crate::failure::Failure;
use crate::widgets::stepper::StepState;

/// All of it.
#[derive(Clone, Debug)]
pub struct Importing {
    /// What this node is; nothing until it was looked at.
    pub node: Option<Arc<NodeFacts>>,
    /// Bytes free where something would be written, by its path.
    free: Vec<(PathBuf, Option<u64>)>,
    /// Targets that were typed.
    typed: Vec<Target>,
    /// Where to.
    pub marked: Vec<Target>,
    /// Whether that was chosen; what a node proposes by itself gives way to it.
    touched: bool,
    /// Which images, by reference; none is all of them.
    pub picked: BTreeSet<String>,
    /// Whether names that are something else's are taken over.
    pub replace: bool,
    /// Whether the others go on when one image fails.
    pub keep_going: bool,
    /// The platform for targets that hold one only.
    pub platform: Option<Platform>,
    /// What would become of every image, as far as that was worked out.
    pub plan: Option<Plan>,
    /// The last run, as long as it is about what is chosen now.
    pub run: Option<Run>,
    /// What came of all runs over this bundle, and when.
    pub done: Option<(ImportReport, jiff::Timestamp)>,
}

/// What an import would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was planned.
    pub job: ImportJob,
    /// What it would do, or why it cannot be told.
    pub outcome: Result<Box<ImportReport>, Failure>,
}

/// An import that ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job with its last view and its end.
    pub job: JobState,
    /// How long it took.
    pub took: Duration,
}

/// A target to choose.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The target.
    pub target: Target,
    /// How it stands, in a word or two.
    pub state: String,
    /// Why it is offered.
    pub why: String,
    /// What to know before.
    pub warnings: Vec<String>,
    /// Whether it can be written to now, as far as that is known.
    pub ready: bool,
    /// Bytes free where its images go.
    pub free: Option<u64>,
}

impl Default for Importing {
    fn default() -> Self {
        Self {
            node: None,
            free: Vec::new(),
            typed: Vec::new(),
            marked: Vec::new(),
            touched: false,
            picked: BTreeSet::new(),
            replace: false,
            keep_going: true,
            platform: None,
            plan: None,
            run: None,
            done: None,
        }
    }
}

impl Importing {
    /// Another bundle: where to stays as it was chosen, all else is as at first.
    pub fn begin_anew(&mut self) {
        let before = std::mem::take(self);
        let Self { node, free, typed, marked, touched, .. } = before;
        *self = Self { node, free, typed, marked, touched, ..Self::default() };
    }

    /// Something that the plan stands on has changed.
    pub fn outdate(&mut self) {
        (self.plan, self.run) = (None, None);
    }

    /// The node was looked at. Until something else is chosen, its kubelet's runtime is where to.
    pub(super) fn found(&mut self, places: &[PathBuf], node: Arc<NodeFacts>, free: &[Option<u64>]) {
        self.free = places.iter().cloned().zip(free.iter().copied()).collect();
        if !self.touched {
            self.marked = kubelets(&node).into_iter().collect();
        }
        self.node = Some(node);
    }

    /// Adds a target that was typed, and chooses it.
    pub fn add(&mut self, target: Target) {
        if !self.offered().iter().any(|offered| offered.target == target) {
            self.typed.push(target.clone());
        }
        self.touched = true;
        if !self.marked.contains(&target) {
            self.marked.push(target);
        }
    }

    /// Chooses these of what is offered.
    pub fn choose(&mut self, rows: &[usize]) {
        let offered = self.offered();
        self.touched = true;
        self.marked = rows.iter().filter_map(|row| offered.get(*row)).map(|one| one.target.clone()).collect();
    }

    /// The namespace of the first containerd that is chosen.
    pub fn namespace(&self) -> Option<&str> {
        self.marked.iter().find_map(|target| match target {
            Target::Containerd(node) => Some(node.namespace.as_str()),
            _ => None,
        })
    }

    /// Has every containerd that is chosen take the images in this namespace.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.touched = true;
        for target in &mut self.marked {
            if let Target::Containerd(node) = target {
                namespace.clone_into(&mut node.namespace);
            }
        }
    }

    /// Where the node was looked for room, beside its runtimes.
    pub fn places(&self) -> Vec<PathBuf> {
        self.marked.iter().chain(&self.typed).filter_map(place).map(Path::to_owned).collect()
    }

    /// What can be chosen: what this node has, then what was typed.
    pub fn offered(&self) -> Vec<Offered> {
        let node = self.node.as_deref();
        let proposals = node.map_or_else(Vec::new, NodeFacts::proposals);
        let found = proposals.into_iter().map(|proposal| self.proposed(proposal));
        let mut offered: Vec<Offered> = found.collect();
        for target in self.typed.iter().chain(&self.marked) {
            if !offered.iter().any(|known| known.target == *target) {
                offered.push(Offered {
                    target: target.clone(),
                    state: "typed".to_owned(),
                    why: "typed by you".to_owned(),
                    warnings: Vec::new(),
                    ready: true,
                    free: self.free_at(target),
                });
            }
        }
        offered
    }

    fn proposed(&self, proposal: Proposal) -> Offered {
        let Proposal { target, why, socket, kubelet, warnings, ready } = proposal;
        let node = self.node.as_deref();
        let of = |runtime: &&Runtime| runtime.socket == socket;
        let runtime = node.and_then(|node| node.runtimes.iter().find(of));
        let version = runtime.and_then(|runtime| match &runtime.listening {
            Listening::Answers { version } => version.clone(),
            _ => None,
        });
        let mut state = match (version, ready, runtime.map(|runtime| &runtime.listening)) {
            (Some(version), ..) => version,
            (None, _, Some(Listening::Denied)) => "denied".to_owned(),
            (None, _, Some(Listening::Silent { .. })) => "no answer".to_owned(),
            (None, true, _) => "ready".to_owned(),
            (None, false, _) => "not running".to_owned(),
        };
        if kubelet {
            state.push_str(", kubelet's");
        }
        let free = runtime.and_then(|runtime| runtime.free).or_else(|| self.free_at(&target));
        Offered { target, state, why, warnings, ready, free }
    }

    fn free_at(&self, target: &Target) -> Option<u64> {
        let wanted = place(target)?;
        self.free.iter().find(|(path, _)| path == wanted)?.1
    }

    /// The images of a bundle that are to be imported, of those in it.
    pub fn wanted<'a>(&'a self, images: &'a [Image]) -> impl Iterator<Item = &'a Image> {
        images.iter().filter(|image| self.wants(&image.reference))
    }

    /// Whether an image is to be imported.
    pub fn wants(&self, reference: &Reference) -> bool {
        self.picked.is_empty() || self.picked.contains(&reference.to_string())
    }

    /// How many names were changed in runtimes by all runs so far, and can be taken back.
    pub fn changes(&self) -> usize {
        let targets = self.done.iter().flat_map(|(report, _)| &report.targets);
        targets.map(|target| target.changes.len()).sum()
    }

    /// What was changed was taken back: nothing of the runs holds any more.
    pub fn undone(&mut self) {
        self.outdate();
        self.done = None;
    }

    /// The plan, where it could be made.
    pub fn planned(&self) -> Option<&ImportReport> {
        self.plan.as_ref()?.outcome.as_deref().ok()
    }
}

impl Run {
    /// What it did.
    pub fn report(&self) -> Option<&ImportReport> {
        match &self.job.ended {
            Some(Ended::Succeeded(report)) => match &**report {
                JobReport::Import(report) => Some(report),
                _ => None,
            },
            _ => None,
        }
    }

    /// References of the images that did not arrive everywhere.
    pub fn failed(&self) -> Vec<Reference> {
        let mut failed: Vec<Reference> = Vec::new();
        for target in self.report().into_iter().flat_map(|report| &report.targets) {
            let unproved = target.proof.iter().flat_map(|proof| &proof.names);
            let unproved = unproved.filter(|name| name.problem.is_some()).map(|name| &name.reference);
            let images = target.images.iter().filter(|image| !image.outcome.arrived());
            for reference in images.map(|image| &image.reference).chain(unproved) {
                if !failed.contains(reference) {
                    failed.push(reference.clone());
                }
            }
        }
        failed
    }
}

/// The directory or file that a target is, where it is one.
fn place(target: &Target) -> Option<&Path> {
    match target {
        Target::Layout(path) | Target::OciArchive(path) | Target::DockerArchive(path) | Target::K3s(path) => {
            Some(path)
        }
        _ => None,
    }
}

/// The target that the kubelet of a node would see, where that can be written to.
fn kubelets(node: &NodeFacts) -> Option<Target> {
    let own = |proposal: &Proposal| proposal.ready && proposal.kubelet;
    node.proposals().into_iter().find(own).map(|proposal| proposal.target)
}

/// What a later run says of an image and a target takes the place of what an earlier one said.
fn merge(before: &mut ImportReport, later: &ImportReport) {
    for target in &later.targets {
        let Some(known) = before.targets.iter_mut().find(|known| known.target == target.target) else {
            before.targets.push(target.clone());
            continue;
        };
        for image in &target.images {
            match known.images.iter_mut().find(|one| one.reference == image.reference) {
                Some(one) => *one = merged(one, image),
                None => known.images.push(image.clone()),
            }
        }
        known.bytes_written += target.bytes_written;
        known.changes.extend(target.changes.iter().cloned());
        known.files.extend(target.files.iter().cloned());
        known.proof = match (known.proof.take(), &target.proof) {
            (Some(before), Some(later)) => Some(proved(before, later)),
            (before, later) => later.clone().or(before),
        };
        known.notes.clone_from(&target.notes);
    }
}

/// The later word on each name; on what was not asked for again, the earlier one.
fn proved(before: Proof, later: &Proof) -> Proof {
    let again = |name: &NameProof| later.names.iter().any(|one| one.name == name.name);
    let kept = before.names.into_iter().filter(|name| !again(name));
    Proof { names: kept.chain(later.names.iter().cloned()).collect(), ..later.clone() }
}

/// What was added before and is found there now was added by these runs.
fn merged(before: &ImageReport, later: &ImageReport) -> ImageReport {
    let mut image = later.clone();
    if matches!(
        (&before.outcome, &later.outcome),
        (Outcome::Added | Outcome::Replaced { .. }, Outcome::Skipped)
    ) {
        image.outcome = before.outcome.clone();
    }
    image
}

impl Model {
    /// The verification that the import begins with: the one that held.
    fn verified_spec(&self) -> Option<VerifySpec> {
        let checked = self.gap.checked.as_ref().filter(|checked| checked.held())?;
        let spec = checked.spec.clone();
        Some(VerifySpec { deep: false, bytes: Bytes::AllButLayers, record: false, ..spec })
    }

    /// The import as it is chosen now, of all images or of those that are picked; nothing without a place to go.
    pub fn import_job(&self, dry_run: bool) -> Option<ImportJob> {
        let import = &self.gap.import;
        if import.marked.is_empty() {
            return None;
        }
        // A plan is of all images: what is picked of them may change.
        let images = self.gap.said().filter(|_| !dry_run && !import.picked.is_empty());
        let images = images.map_or(&[][..], |said| &said.report.images);
        let only = import.wanted(images).map(|image| image.reference.clone()).collect();
        let import = ImportSpec {
            node: Box::default(),
            targets: import.marked.clone(),
            only,
            platform: import.platform.clone(),
            replace: import.replace,
            dry_run,
            keep_going: import.keep_going,
            registry: self.settings.registry.clone(),
            jobs: ImportJob::JOBS.into(),
        };
        Some(ImportJob { verify: self.verified_spec()?, import })
    }

    /// Why nothing can be imported yet.
    pub fn not_importable(&self) -> Option<&'static str> {
        let gap = &self.gap;
        match &gap.checked {
            _ if gap.chosen.is_none() => Some("no bundle is chosen; 1 shows what there is"),
            None => Some("the bundle is not verified yet; 2 leads there"),
            Some(checked) if !checked.held() => {
                Some("the bundle did not verify: nothing of it may be used; 2 says why")
            }
            Some(_) if gap.import.marked.is_empty() => {
                Some("no target is chosen: t shows what this node has, o takes any other")
            }
            Some(_) => None,
        }
    }

    /// An import or its plan ended.
    pub(super) fn imported(&mut self) {
        let Some(job) = self.job.clone() else { return };
        let JobSpec::Import(spec) = &job.spec else { return };
        if spec.import.dry_run {
            self.gap.import.plan = planned(spec, job.ended);
            return;
        }
        self.changed(Place::Import);
        let (took, at) = (self.at.saturating_sub(job.began), self.now);
        let run = Run { job, took };
        let state = match &run.job.ended {
            Some(Ended::Succeeded(report)) => match report.verdict() {
                None if run.job.view.warnings.is_empty() => StepState::Ok,
                Some(verdict) if verdict.kind != Kind::Partial => StepState::Failed,
                _ => StepState::Warn,
            },
            Some(Ended::Failed(_)) => StepState::Failed,
            _ => StepState::Warn,
        };
        self.set_state(Place::Import, state);
        let import = &mut self.gap.import;
        import.plan = None;
        if let Some(report) = run.report() {
            match &mut import.done {
                Some((before, when)) => {
                    merge(before, report);
                    *when = at;
                }
                None => import.done = Some((report.clone(), at)),
            }
            self.set_state(Place::Checked, state);
        }
        self.gap.import.run = Some(run);
    }
}

fn planned(spec: &ImportJob, ended: Option<Ended>) -> Option<Plan> {
    let outcome = match ended? {
        Ended::Succeeded(report) => match Arc::unwrap_or_clone(report) {
            JobReport::Import(plan) => Ok(Box::new(plan)),
            _ => return None,
        },
        Ended::Failed(failure) => Err(failure),
        Ended::Cancelled => return None,
    };
    Some(Plan { job: spec.clone(), outcome })
}
