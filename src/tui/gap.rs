//! The air-gapped side's work: the bundles on offer, the one that is chosen, and what came of verifying it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::actions::Act;
use crate::domain::digest::Digest;
use crate::domain::trust::AllowRollback;
use crate::domain::view::JobView;
use crate::engine::bundle::offer::{Offer, Said};
use crate::engine::bundle::verify::{Bytes, VerifySpec};
use crate::engine::error::Kind;
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::importing::Importing;
use crate::tui::model::{JobState, Model, Place, Settings};
use crate::tui::msg::{Ended, Level};
use crate::widgets::stepper::StepState;

/// What the side works with.
#[derive(Clone, Debug, Default)]
pub struct Gap {
    /// The bundles that were found; nothing until they were looked for.
    pub offers: Option<Arc<Vec<Offer>>>,
    /// Those among which the chosen one could be read last, where it cannot be any more.
    pub before: Option<Arc<Vec<Offer>>>,
    /// Directories that the operator named.
    pub given: Vec<PathBuf>,
    /// The bundle that is worked on.
    pub chosen: Option<PathBuf>,
    /// Whether layers are unpacked, too.
    pub deep: bool,
    /// Different trusted keys that must have signed beside the first one.
    pub further_signers: usize,
    /// The bundle that was let through with an older serial, by its id typed in.
    pub overridden: AllowRollback,
    /// The last verification of the chosen bundle.
    pub checked: Option<Checked>,
    /// Its import.
    pub import: Importing,
}

/// A verification that is over.
#[derive(Clone, Debug)]
pub struct Checked {
    /// How it ended.
    pub ended: Ended,
    /// What it had said until then.
    pub view: Arc<JobView>,
    /// When it ended, by this host's clock.
    pub at: jiff::Timestamp,
    /// How it was asked for.
    pub spec: VerifySpec,
    /// The signed document that it was about; nothing where none could be read.
    pub document: Option<Digest>,
}

impl Checked {
    /// Whether every check held.
    pub const fn held(&self) -> bool {
        matches!(self.ended, Ended::Succeeded(_))
    }

    /// Whether it was refused for its signatures.
    pub fn lacks_trust(&self) -> bool {
        matches!(&self.ended, Ended::Failed(failure) if failure.kind == Kind::Trust)
    }

    /// Whether it says what an earlier one said: that every check of the same document held.
    pub fn confirms(&self, earlier: &Self) -> bool {
        let same = self.document.is_some() && self.document == earlier.document;
        self.held() && earlier.held() && same && self.spec.path == earlier.spec.path
    }
}

impl Gap {
    /// The bundles there are.
    pub fn list(&self) -> &[Offer] {
        self.offers.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The chosen one, while it is on offer.
    pub fn offer(&self) -> Option<&Offer> {
        let chosen = self.chosen.as_ref()?;
        self.list().iter().find(|offer| offer.path == *chosen)
    }

    /// What the chosen one says of itself.
    pub fn said(&self) -> Option<&Said> {
        self.offer()?.said.as_deref().ok()
    }

    /// What the chosen one says of itself, or said when it was there last: for what came of it to stay readable.
    pub fn said_last(&self) -> Option<&Said> {
        let chosen = self.chosen.as_ref()?;
        let before =
            || self.before.iter().flat_map(|before| before.iter()).find(|offer| offer.path == *chosen);
        self.said().or_else(|| before()?.said.as_deref().ok())
    }

    /// Whether the chosen one could be read and cannot be any more: its medium was pulled, above all.
    pub fn is_gone(&self) -> bool {
        self.said().is_none() && self.said_last().is_some()
    }

    /// What the chosen one says of itself is this document.
    pub fn document(&self) -> Option<Digest> {
        Some(self.said()?.report.manifest_digest.clone())
    }

    /// Works on another bundle, or on the same one anew; whether it is another one.
    pub fn choose(&mut self, path: PathBuf) -> bool {
        let another = self.chosen.as_ref() != Some(&path);
        if another {
            (self.overridden, self.checked) = (AllowRollback::No, None);
            self.import.begin_anew();
            self.chosen = Some(path);
        }
        another
    }

    /// Why the chosen bundle would be refused for its serial, where typing its id lets it through.
    pub fn rollback(&self) -> Option<String> {
        let decision = self.said()?.serial.as_ref()?;
        decision.is_let_through().then(|| decision.to_string())
    }

    /// What is let through: by its id typed in, or as it was for the import that is gone on with, as long as its serial
    /// stands as it did then.
    pub fn let_through(&self) -> AllowRollback {
        let as_then = |said: &&Said| {
            let then = self.import.let_through();
            then.is_some_and(|(id, then)| id == said.report.id && said.serial.as_ref() == Some(then))
        };
        match (self.overridden, self.said().filter(as_then)) {
            (AllowRollback::No, Some(said)) => AllowRollback::Only(said.report.id),
            (typed, _) => typed,
        }
    }

    /// How many different trusted keys must have signed.
    pub const fn signers(&self) -> usize {
        self.further_signers + 1
    }

    /// Whether layers are to be unpacked, and the verification that held did not.
    pub fn lacks_strict(&self) -> bool {
        self.deep && self.checked.as_ref().is_some_and(|checked| checked.held() && !checked.spec.deep)
    }

    /// The verification that is to be started.
    pub fn spec(&self, settings: &Settings) -> Option<VerifySpec> {
        let places = settings.places();
        Some(VerifySpec {
            path: self.chosen.clone()?,
            trust: places.trust,
            min_signatures: self.signers(),
            state: places.state,
            deep: self.deep,
            allow_rollback: self.let_through(),
            bytes: Bytes::All,
            record: true,
        })
    }
}

impl Model {
    /// So many different trusted keys must have signed from now on: what was verified for fewer is verified again.
    pub fn want_signers(&mut self, count: usize) {
        self.gap.further_signers = count.saturating_sub(1);
        let enough = |checked: &mut Checked| checked.spec.min_signatures < count;
        if self.gap.checked.take_if(enough).is_some() {
            self.gap.import.begin_anew();
            for place in [Place::Check, Place::Import, Place::Checked] {
                if self.state(place) != StepState::Todo {
                    self.set_state(place, StepState::Stale);
                }
            }
        }
    }

    /// Why no other bundle can be opened: what a job says of one is not to be taken for a word on another.
    pub fn why_no_other_bundle(&self) -> Option<String> {
        let acts = [Act::Verify, Act::KeyTrust, Act::Import, Act::ImportUndo];
        self.running().filter(|job| acts.contains(&job.act)).map(|job| self.in_the_way(job))
    }

    /// Whether a verification or an import is about the bundle that is chosen: at its place, and about what lies there now.
    pub fn is_about_chosen(&self, job: &JobState) -> bool {
        let path = match &job.spec {
            JobSpec::Verify(spec) => &spec.path,
            JobSpec::Import(spec) => &spec.verify.path,
            _ => return false,
        };
        let said = match job.ended.as_ref() {
            Some(Ended::Succeeded(report)) => match &**report {
                JobReport::Verify(report) => Some(report.document.clone()),
                _ => None,
            },
            _ => None,
        };
        let document = said.or_else(|| job.document.clone()).zip(self.gap.document());
        self.gap.chosen.as_ref() == Some(path) && document.is_none_or(|(then, now)| then == now)
    }

    /// The running job of an operation, where it is about the bundle that is chosen.
    pub fn at_work(&self, act: Act) -> Option<&JobState> {
        self.running().filter(|job| job.act == act && self.is_about_chosen(job))
    }

    /// Bundles were looked for again. Another medium may lie at the same place now: what was let through may not be this
    /// one, and what was verified holds only for the document it was about. Says so where that is another one.
    pub(super) fn offers_seen(&mut self, offers: Arc<Vec<Offer>>) -> Option<&'static str> {
        let readable = self.gap.said().is_some();
        let before = self.gap.offers.replace(offers);
        if readable {
            self.gap.before = before;
        }
        if self.gap.said().is_some_and(|said| self.gap.overridden != AllowRollback::Only(said.report.id)) {
            self.gap.overridden = AllowRollback::No;
        }
        self.gap.offer()?;
        // What cannot be read for a moment, as while its medium is mounted, is no other bundle.
        let now = self.gap.document()?;
        self.gap.checked.take_if(|checked| checked.document.as_ref() != Some(&now))?;
        self.gap.import.begin_anew();
        for place in [Place::Check, Place::Import, Place::Checked] {
            if self.state(place) != StepState::Todo {
                self.set_state(place, StepState::Stale);
            }
        }
        let words = "the bundle there has changed since it was verified: verify it again";
        self.note(Level::Warn, words);
        Some(words)
    }
}
