//! What came of all imports of a bundle, target by target: a later run has the last word on what it was about.

use jiff::Timestamp;

use crate::domain::bundle::{Image, directory};
use crate::domain::import::Target;
use crate::domain::reference::Reference;
use crate::engine::bundle::inspect::InspectReport;
use crate::engine::error::Kind;
use crate::engine::import::proof::{NameProof, Proof};
use crate::engine::import::report::{ImageReport, ImportReport, Outcome, TargetReport};
use crate::engine::import::undo::{Undone, UndoneReport};
use crate::engine::spec::ImportJob;
use crate::tui::model::JobState;
use crate::tui::msg::Ended;
use crate::widgets::stepper::StepState;

/// All runs so far.
#[derive(Clone, Debug)]
pub struct Done {
    /// Target by target.
    pub report: ImportReport,
    /// When the last of them ended.
    pub at: Timestamp,
    /// How it ended.
    pub ended: Option<Ended>,
    /// What it warned of.
    pub warnings: Vec<String>,
    /// How the step stood after it.
    pub state: StepState,
    /// What became of taking it back, where that did not come to its end.
    pub taken_back: Option<&'static str>,
    /// Images whose import was taken back, by target; of others in it there is still something to say.
    pub gone: Vec<(Target, Reference)>,
}

impl Done {
    /// After one more run.
    pub(super) fn after(
        before: Option<Self>,
        report: ImportReport,
        job: &JobState,
        (at, state): (Timestamp, StepState),
    ) -> Self {
        let (report, gone) = match before {
            Some(mut before) => {
                merge(&mut before.report, &report);
                (before.report, before.gone)
            }
            None => (report, Vec::new()),
        };
        Self {
            report,
            at,
            ended: job.ended.clone(),
            warnings: job.view.warnings.clone(),
            state,
            taken_back: None,
            gone,
        }
    }

    /// What is left of them once a run was taken back; nothing where that was all that they brought.
    pub fn without(mut self, undone: &UndoneReport) -> Option<Self> {
        for back in &undone.targets {
            let Some(at) = self.report.targets.iter().position(|one| one.target == back.target) else {
                continue;
            };
            let known = &mut self.report.targets[at];
            let (left, gone): (Vec<_>, Vec<_>) =
                std::mem::take(&mut known.images).into_iter().partition(|image| !is_gone(image, back));
            let brought =
                |image: &ImageReport| matches!(image.outcome, Outcome::Added | Outcome::Replaced { .. });
            // What was there before any of them is nobody's import.
            if !left.iter().any(brought) {
                self.gone.retain(|(target, _)| *target != back.target);
                self.report.targets.remove(at);
                continue;
            }
            known.images = left;
            if let Some(proof) = &mut known.proof {
                proof.names.retain(|name| gone.iter().all(|image| image.reference != name.reference));
            }
            self.gone.extend(gone.into_iter().map(|image| (back.target.clone(), image.reference)));
        }
        (!self.report.targets.is_empty()).then_some(self)
    }

    /// What they say of a target.
    pub fn of(&self, target: &Target) -> Option<&TargetReport> {
        self.report.targets.iter().find(|known| known.target == *target)
    }
}

/// Whether an image is not in a target any more: by its name, or with the file that all of them were in or read by.
fn is_gone(image: &ImageReport, back: &Undone) -> bool {
    let reference = image.reference.to_string();
    let name = image.name.as_ref().unwrap_or(&reference);
    let names = &back.names;
    !back.files.is_idle()
        || [&names.removed, &names.restored, &names.absent].into_iter().any(|all| all.contains(name))
}

/// What a run that ended early left, as far as it told. What it did not look at stays as earlier runs left it.
pub(super) fn broken_off(
    job: &JobState,
    spec: &ImportJob,
    said: &InspectReport,
    before: Option<&Done>,
) -> ImportReport {
    let (kind, why) = match &job.ended {
        Some(Ended::Failed(failure)) => (failure.kind, failure.message.clone()),
        _ => (Kind::Interrupted, "the import was stopped before".to_owned()),
    };
    let only = &spec.import.only;
    let wanted = |image: &&Image| only.is_empty() || only.contains(&image.reference);
    let into = |target: &Target| {
        let landed = job.view.landed.iter().find(|landed| landed.target == *target);
        let reason = landed.and_then(|landed| landed.reason.as_ref()).unwrap_or(&why);
        let earlier = before.and_then(|done| done.of(target));
        let image = |image: &Image| {
            let name = image.reference.to_string();
            let outcome = match landed {
                Some(landed) if landed.added.contains(&name) => Outcome::Added,
                Some(landed) if landed.there.contains(&name) => Outcome::Skipped,
                Some(landed) if landed.missing.contains(&name) => failed(kind, reason),
                _ if earlier
                    .is_some_and(|it| it.images.iter().any(|one| one.reference == image.reference)) =>
                {
                    return None;
                }
                _ => failed(kind, reason),
            };
            let (reference, digest) = (image.reference.clone(), image.digest.clone());
            Some(ImageReport { reference, digest, name: None, outcome, notes: Vec::new() })
        };
        let whole = landed.is_some_and(|landed| landed.missing.is_empty() && !landed.there.is_empty());
        let note = format!("the last import into it ended early: {reason}");
        TargetReport {
            target: target.clone(),
            images: said.images.iter().filter(wanted).filter_map(image).collect(),
            bytes_written: 0,
            bytes_present: 0,
            bytes_unpacked: None,
            bytes_free: None,
            notes: if whole { Vec::new() } else { vec![note] },
            facts: Vec::new(),
            changes: Vec::new(),
            files: Vec::new(),
            proof: None,
        }
    };
    ImportReport {
        bundle: said.id,
        name: directory(&said.name, said.serial),
        missing: said.missing.clone(),
        dry_run: false,
        keep_going: spec.import.keep_going,
        targets: spec.import.targets.iter().map(into).collect(),
    }
}

fn failed(kind: Kind, reason: &str) -> Outcome {
    Outcome::Failed { kind, reason: reason.to_owned(), hints: Vec::new() }
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
        known.proof = proved(known.proof.take(), target);
        known.notes.clone_from(&target.notes);
        known.facts.clone_from(&target.facts);
    }
}

/// The later word on every image that the later run was about, and be it none; on the others, the earlier one.
fn proved(before: Option<Proof>, later: &TargetReport) -> Option<Proof> {
    let asked = later.proof.is_some();
    let again = |name: &NameProof| {
        let same = |image: &&ImageReport| image.reference == name.reference;
        later.images.iter().filter(same).any(|image| asked || !image.outcome.arrived())
    };
    let kept = before.map(|mut before| {
        before.names.retain(|name| !again(name));
        before
    });
    match (kept, later.proof.clone()) {
        (Some(kept), Some(later)) => {
            Some(Proof { names: kept.names.into_iter().chain(later.names).collect(), ..later })
        }
        (kept, later) => later.or(kept.filter(|kept| !kept.names.is_empty())),
    }
}

/// What was added before and is found there now was added by these runs.
fn merged(before: &ImageReport, later: &ImageReport) -> ImageReport {
    let mut image = later.clone();
    image.name = image.name.or_else(|| before.name.clone());
    if matches!(
        (&before.outcome, &later.outcome),
        (Outcome::Added | Outcome::Replaced { .. }, Outcome::Skipped)
    ) {
        image.outcome = before.outcome.clone();
    }
    image
}
