//! What came of imports: of a plan, of the last run, and of all runs over a bundle together.

use std::sync::Arc;
use std::time::Duration;

use super::Plan;
use crate::domain::reference::Reference;
use crate::engine::error::Kind;
use crate::engine::import::proof::{NameProof, Proof};
use crate::engine::import::report::{ImageReport, ImportReport, Outcome};
use crate::engine::spec::{ImportJob, JobReport, JobSpec};
use crate::tui::model::{JobState, Model, Place};
use crate::tui::msg::Ended;
use crate::widgets::stepper::StepState;

/// An import that ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job with its last view and its end.
    pub job: JobState,
    /// How long it took.
    pub took: Duration,
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

impl Model {
    /// An import or its plan ended.
    pub(in crate::tui) fn imported(&mut self) {
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
