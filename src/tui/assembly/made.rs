//! What came of plans, packs and tests of media: how each ended, what was made, and what was done with that since.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Plan, Rate, Tested};
use crate::domain::bundle::directory;
use crate::domain::carrier::Carrier;
use crate::domain::media::Volume;
use crate::domain::progress::Phase;
use crate::domain::sheet::{Checked, Grade, Sheet};
use crate::engine::media::{EjectReport, Truth};
use crate::engine::pack::{PackReport, PlanReport};
use crate::engine::sheet::{self, PackedFacts};
use crate::engine::sign::SignReport;
use crate::engine::sign::countersign::CountersignReport;
use crate::engine::spec::{JobReport, JobSpec, PackJob, SignerSpec};
use crate::engine::state::rate_of;
use crate::tui::model::{JobState, Model, Place};
use crate::tui::msg::Ended;
use crate::tui::resume::is_same;
use crate::widgets::stepper::StepState;

/// The first of the truths of an eject.
const SYNCED: &str = "synced";

/// A pack that ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job with its last view and its end.
    pub job: JobState,
    /// How long it took.
    pub took: Duration,
    /// The plan it began with.
    pub plan: Option<Box<PlanReport>>,
}

/// A bundle that was made, and what was done with it since.
#[derive(Clone, Debug)]
pub struct Made {
    /// The report of the job.
    pub packed: Box<PackReport>,
    /// The job that made it.
    pub job: PackJob,
    /// What the destination lay on when it began.
    pub carrier: Option<Carrier>,
    /// What was warned of on the way.
    pub warnings: Vec<String>,
    /// When it was done.
    pub at: jiff::Timestamp,
    /// Signatures that were added since.
    pub signatures: Vec<SignReport>,
    /// What happened to the medium since.
    pub medium: Vec<Checked>,
    /// The bundle of that name before it.
    pub previous: Option<PathBuf>,
    /// Why what it lies on cannot be taken out.
    pub stays: Option<&'static str>,
}

impl Made {
    /// Whether its medium was let go by an eject.
    pub fn let_go(&self) -> bool {
        self.medium.iter().any(|truth| truth.what == SYNCED)
    }

    /// The report to print.
    pub fn sheet(&self) -> Sheet {
        sheet::packed(&PackedFacts {
            report: &self.packed,
            warnings: &self.warnings,
            signatures: &self.signatures,
            medium: &self.medium,
            public_key: match &self.job.signer {
                SignerSpec::Key(path) => Some(format!("{}.pub", path.display())),
                SignerSpec::Agent(_) => None,
            },
            made: self.at,
        })
    }
}

impl Run {
    /// What it made.
    pub(super) fn packed(&self) -> Option<&PackReport> {
        match &self.job.ended {
            Some(Ended::Succeeded(report)) => match &**report {
                JobReport::Pack(report) => Some(report),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Model {
    /// The bundle that the same pack signed before this run of it, as in `web-42`.
    pub fn signed_before(&self, job: &JobState) -> Option<String> {
        let made = self.assembly.made.as_ref()?;
        let again =
            matches!(&job.spec, JobSpec::Pack(spec) if spec.to == made.job.to && spec.name == made.job.name);
        let own = matches!(job.ended, Some(Ended::Succeeded(_)));
        let bundle = &made.packed.bundle;
        (again && !own).then(|| directory(&bundle.name, bundle.serial))
    }

    fn test_ended(&mut self, ended: Option<&Ended>) {
        let Some(Ended::Succeeded(report)) = ended else { return };
        let JobReport::MediaCheck(report) = &**report else { return };
        let Some(found) = &report.found else { return };
        let mut media = self.media.iter().flat_map(|media| &media.media);
        let here = |volume: &Volume| volume.mount_points.contains(&report.path);
        let medium = media.find(|medium| medium.volumes.iter().any(here)).cloned();
        let (path, write, read) = (report.path.clone(), found.write_rate, found.read_rate);
        self.assembly.tested = Some(Tested { path, medium, write, read });
    }

    /// A plan, a pack or a medium's test ended; what is to be said of it.
    pub(in crate::tui) fn assembled(&mut self) -> Option<&'static str> {
        let job = self.job.clone()?;
        self.test_ended(job.ended.as_ref());
        let JobSpec::Pack(spec) = &job.spec else { return None };
        if spec.dry_run {
            // The list may have lost images meanwhile, and with it the lock file.
            let same = self.assembly.planning.take() == Some(self.picked.revision());
            let holds = same || self.assembly.gone_on.is_some();
            self.assembly.plan = planned(spec, job.ended).filter(|_| holds);
            return None;
        }
        if matches!(job.ended, Some(Ended::Cancelled)) && !job.has_begun() {
            // Its plan is asked about again, and how far a run before came is still how far it came.
            (self.assembly.onto, self.assembly.stays) = (None, None);
            return Some("stopped before it began: all is as it was");
        }
        // What is resumed is what was planned before; what is repeated once it was signed is not.
        let before = self
            .assembly
            .run
            .take()
            .filter(|run| is_same(&run.job.spec, &job.spec) && run.packed().is_none());
        let plan = self.assembly.plan.take().and_then(|plan| plan.outcome.ok());
        let plan = plan.or_else(|| before.and_then(|run| run.plan));
        let took = self.at.saturating_sub(job.began);
        let fetch = job.view.phases.iter().find(|view| view.phase == Phase::Fetch && view.finished);
        let measured = fetch.and_then(|fetch| rate_of(fetch.brought(), fetch.worked(took)));
        let (spec, onto) = (spec.clone(), self.assembly.onto.take());
        let measured = measured.map(|(bytes, rough)| Rate { onto: onto.clone(), bytes, rough });
        let counts = |new: &Rate| self.assembly.rate.as_ref().is_none_or(|old| new.counts_after(old));
        if let Some(rate) = measured.filter(counts) {
            self.assembly.rate = Some(rate);
        }
        self.changed(Place::Assemble);
        let run = Run { job, took, plan };
        if let Some(packed) = run.packed() {
            self.list_was_packed(&packed.resolved);
            let back = self.picked.is_back(&packed.resolved.images);
            // What this pack's own look at the registries left out is known to be left out now that it is signed.
            if self.picked.is_signed_without(&packed.resolved.failed) || back {
                self.set_state(Place::Resolve, self.picked.standing());
            }
        }
        let stays = self.assembly.stays.take();
        let made = run.packed().map(|packed| Made { stays, ..made(&run, packed, (spec, onto), self.now) });
        let good = made.as_ref().is_some_and(|made| made.sheet().grade == Grade::Ok);
        let state = match (&run.job.ended, good) {
            (Some(Ended::Succeeded(_)), true) => StepState::Ok,
            (Some(Ended::Failed(_)), _) => StepState::Failed,
            _ => StepState::Warn,
        };
        self.set_state(Place::Assemble, state);
        if made.is_some() {
            self.set_state(Place::Report, state);
            self.assembly.made = made;
        }
        self.assembly.run = Some(run);
        None
    }

    /// A signature was added; to what was made, where it is that.
    pub fn countersigned(&mut self, report: &CountersignReport) {
        if let (Some(made), Some(signature)) = (&mut self.assembly.made, &report.signature) {
            if report.document != made.packed.bundle.document {
                return;
            }
            made.signatures.retain(|known| known.key_id != signature.key_id);
            made.signatures.push(signature.clone());
        }
    }

    /// The medium was let go.
    pub fn ejected(&mut self, report: &EjectReport) {
        self.chosen_ejected(report);
        let Some(made) = &mut self.assembly.made else { return };
        // A drive that keeps its power is no reason to leave it in: it is unmounted by then.
        let truths = [
            (SYNCED, &report.synced, Grade::Fail),
            ("verified", &report.verified, Grade::Warn),
            ("powered off", &report.powered_off, Grade::Plain),
        ];
        let truth = |(what, truth, otherwise): (&'static str, &Truth, Grade)| Checked {
            what,
            grade: if truth.holds { Grade::Ok } else { otherwise },
            how: if truth.holds { truth.words.clone() } else { format!("NO: {}", truth.words) },
        };
        made.medium = std::iter::once(take_out(report)).chain(truths.into_iter().map(truth)).collect();
    }
}

/// Whether it may be pulled, which none of the truths of an eject says alone.
fn take_out(report: &EjectReport) -> Checked {
    let (grade, how) = match (report.synced.holds, report.powered_off.holds) {
        (true, true) => (Grade::Ok, "yes, now"),
        (true, false) => (Grade::Ok, "yes, now; a disk that spins, once it stands still"),
        (false, _) => (Grade::Fail, "it is unmounted, but not everything is on it: pack it again"),
    };
    Checked { what: "take it out", grade, how: how.to_owned() }
}

fn made(
    run: &Run,
    packed: &PackReport,
    (job, carrier): (PackJob, Option<Carrier>),
    at: jiff::Timestamp,
) -> Made {
    let previous = run.plan.as_ref().and_then(|plan| plan.place.previous.as_ref());
    Made {
        packed: Box::new(packed.clone()),
        job,
        carrier,
        warnings: run.job.view.warnings.clone(),
        at,
        signatures: Vec::new(),
        medium: Vec::new(),
        previous: previous.map(|previous| previous.path.clone()).filter(|path| *path != packed.bundle.path),
        stays: None,
    }
}

fn planned(spec: &PackJob, ended: Option<Ended>) -> Option<Plan> {
    let outcome = match ended? {
        Ended::Succeeded(report) => match Arc::unwrap_or_clone(report) {
            JobReport::Plan(plan) => Ok(Box::new(plan)),
            _ => return None,
        },
        Ended::Failed(failure) => Err(failure),
        Ended::Cancelled => return None,
    };
    Some(Plan { job: spec.clone(), outcome })
}
