//! What came of imports: of a plan, of the last run, and of all runs over a bundle together.

use std::sync::Arc;
use std::time::Duration;

use super::Plan;
use super::done::{Done, broken_off};
use crate::actions::Act;
use crate::domain::reference::Reference;
use crate::engine::error::Kind;
use crate::engine::import::report::{ImageReport, ImportReport, Outcome, TargetReport};
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

    /// Whether no image is in any target after it.
    fn brought_nothing(&self) -> bool {
        let images =
            || self.report().into_iter().flat_map(|report| &report.targets).flat_map(|one| &one.images);
        images().next().is_some() && !images().any(|image| image.outcome.arrived())
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
    /// An import or its plan ended. Says so where it was about another bundle than the chosen one.
    pub(in crate::tui) fn imported(&mut self) -> Option<String> {
        let job = self.job.clone()?;
        let JobSpec::Import(spec) = job.spec.clone() else { return None };
        let said = self.gap.said().map(|said| said.report.clone());
        let other = match (&job.ended, &said) {
            (Some(Ended::Succeeded(report)), Some(said)) => {
                matches!(&**report, JobReport::Import(report) if report.bundle != said.id)
            }
            _ => false,
        };
        if other || !self.is_about_chosen(&job) {
            let log = self.key(Act::Logs);
            let words =
                || format!("what was imported is not the bundle there now; {log} says what came of it");
            return (!spec.import.dry_run).then(words);
        }
        if spec.import.dry_run {
            self.gap.import.plan = planned(&spec, &job);
            self.plan_stands();
            return None;
        }
        self.changed(Place::Import);
        let (took, at) = (self.at.saturating_sub(job.began), self.now);
        let run = Run { job, took };
        let state = match &run.job.ended {
            Some(Ended::Succeeded(report)) => match report.verdict() {
                None if run.job.view.warnings.is_empty() => StepState::Ok,
                Some(verdict) if verdict.kind != Kind::Partial || run.brought_nothing() => StepState::Failed,
                _ => StepState::Warn,
            },
            Some(Ended::Failed(_)) => StepState::Failed,
            _ => StepState::Warn,
        };
        self.set_state(Place::Import, state);
        let import = &mut self.gap.import;
        import.plan = None;
        let report = match run.report() {
            Some(report) => Some(report.clone()),
            None => said.map(|said| broken_off(&run.job, &spec, &said, import.done.as_ref())),
        };
        if let Some(report) = report {
            import.undone = None;
            import.done = Some(Done::after(import.done.take(), report, &run.job, (at, state)));
            // As the report itself says it.
            let noted = state == StepState::Ok && self.to_be_known();
            let report = match state {
                _ if noted => StepState::Warn,
                StepState::Warn if self.is_short() => StepState::Failed,
                state => state,
            };
            self.set_state(Place::Checked, report);
        }
        self.gap.import.run = Some(run);
        None
    }

    /// Whether an import that came to its end left images behind, that run or one before it.
    fn is_short(&self) -> bool {
        let done = self.gap.import.done.as_ref();
        let done = done.filter(|done| !matches!(done.ended, Some(Ended::Cancelled)));
        let images = done.iter().flat_map(|done| &done.report.targets).flat_map(|target| &target.images);
        images.into_iter().any(|image| !image.outcome.arrived())
    }

    /// Whether something is to be known of what was verified and imported, although all of it went well.
    fn to_be_known(&self) -> bool {
        let noted = |target: &TargetReport| {
            let proof = target.proof.iter();
            let sandbox = proof.clone().filter_map(|proof| proof.sandbox.as_ref()).any(|one| !one.present);
            sandbox || !target.notes.is_empty() || proof.flat_map(|proof| &proof.notes).next().is_some()
        };
        let imported = self.gap.import.done.iter().flat_map(|done| &done.report.targets).any(noted);
        let verified = self.gap.checked.as_ref().and_then(|checked| match &checked.ended {
            Ended::Succeeded(report) => match &**report {
                JobReport::Verify(report) => Some(!report.warnings.is_empty() || !report.complete),
                _ => None,
            },
            _ => None,
        });
        imported || verified == Some(true)
    }

    /// A plan that cannot be made is no good standing of the step, whatever was imported before; nor is one of which
    /// something is still to be done.
    fn plan_stands(&mut self) {
        let import = &self.gap.import;
        let done = import.done.as_ref();
        let to_do = |target: &TargetReport| {
            let new = done.is_none_or(|done| done.of(&target.target).is_none());
            let adds =
                |image: &ImageReport| matches!(image.outcome, Outcome::Added | Outcome::Replaced { .. });
            let wanted = |image: &&ImageReport| import.wants(&image.reference);
            let adds = target.images.iter().filter(wanted).any(adds);
            adds && (new || done.is_some_and(|done| done.state == StepState::Ok))
        };
        let state = match import.plan.as_ref().map(|plan| &plan.outcome) {
            Some(Err(_)) => StepState::Failed,
            Some(Ok(plan)) if plan.targets.iter().any(to_do) => StepState::Todo,
            Some(Ok(_)) => done.map_or(StepState::Todo, |done| done.state),
            None => return,
        };
        self.set_state(Place::Import, state);
    }
}

fn planned(spec: &ImportJob, job: &JobState) -> Option<Plan> {
    let outcome = match job.ended.clone()? {
        Ended::Succeeded(report) => match Arc::unwrap_or_clone(report) {
            JobReport::Import(plan) => Ok(Box::new(plan)),
            _ => return None,
        },
        Ended::Failed(failure) => Err(failure),
        Ended::Cancelled => return None,
    };
    let (foreseen, warnings) = (job.view.landed.clone(), job.view.warnings.clone());
    Some(Plan { job: spec.clone(), outcome, foreseen, warnings })
}
