//! How the bundle is to be made: where to, under which name, by whose key, by which plan.

mod gone_on;
mod lasting;
mod made;
mod measured;

use std::path::PathBuf;

use super::medium::is_directory;
use super::model::{Model, Place};
use super::msg::Level;
use super::naming::NamedBy;
use super::picked;
use crate::actions::Act;
use crate::domain::carrier::Carrier;
use crate::domain::expiry::Expiry;
use crate::domain::keep_going::KeepGoing;
use crate::engine::pack::PlanReport;
use crate::engine::select::Source;
use crate::engine::sign::keys::KeyReport;
use crate::engine::spec::{Images, PackJob, SignerSpec};
use crate::failure::Failure;
use crate::widgets::stepper::StepState;

pub use gone_on::GoneOn;
pub use made::{Made, Run};
pub use measured::{Rate, Tested};

/// Where the bundle goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The directory in which the bundle's own is made.
    pub to: PathBuf,
    /// Two words for the header, as in `KINGSTON ..7F2A`; the directory's name for a directory.
    pub words: String,
}

/// A key other than the default one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenKey {
    /// How a job is told.
    pub signer: SignerSpec,
    /// Its public half.
    pub public: KeyReport,
}

/// What a pack would do, as far as that was worked out.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was planned.
    pub job: PackJob,
    /// What it would do, or why it cannot be done.
    pub outcome: Result<Box<PlanReport>, Failure>,
}

/// A pack that starts once its destination was looked at.
#[derive(Clone, Debug)]
pub(super) struct Due {
    /// The pack.
    pub(super) job: PackJob,
    /// Whether it was cut off, and goes on with its own settings.
    pub(super) resumed: bool,
    /// Whether it was said that nothing of it is there, and it is wanted nevertheless.
    pub(super) from_nothing: bool,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Assembly {
    /// Where to.
    pub to: Option<Destination>,
    /// Name of the series.
    pub name: String,
    /// Where that comes from.
    pub named_by: NamedBy,
    /// When it expires.
    pub expires: Option<Expiry>,
    /// Whether everything is read back before it is signed.
    pub read_back: bool,
    /// Whether this program is carried.
    pub tool: bool,
    /// What it was asked for that is left out, instead of failing.
    pub keep_going: KeepGoing,
    /// Who signs; nothing is the default key.
    pub key: Option<ChosenKey>,
    /// The plan.
    pub plan: Option<Plan>,
    /// The last run, as long as it is about what is chosen now.
    pub run: Option<Run>,
    /// How fast the last fetch was.
    pub rate: Option<Rate>,
    /// The pack that was cut off and is gone on with instead of the list.
    pub(super) gone_on: Option<GoneOn>,
    /// The bundle that a pack goes on with which was cut off, as in `web-42`, and its bytes.
    pub(super) resumes: Option<(String, u64)>,
    /// Who signs that, where the public half is not known yet.
    pub(super) sought: Option<SignerSpec>,
    /// The last test of a medium.
    pub tested: Option<Tested>,
    /// What was made last.
    pub made: Option<Made>,
    /// What the destination of the last pack lay on when it was started.
    pub(super) onto: Option<Carrier>,
    /// Why that cannot be taken out.
    pub(super) stays: Option<&'static str>,
    /// The list that is being planned for, by its revision.
    pub(super) planning: Option<u64>,
    /// What starts next.
    pub(super) due: Option<Due>,
}

impl Default for Assembly {
    fn default() -> Self {
        Self {
            to: None,
            name: PackJob::NAME.to_owned(),
            named_by: NamedBy::Nobody,
            expires: None,
            read_back: true,
            tool: true,
            keep_going: KeepGoing::No,
            key: None,
            plan: None,
            run: None,
            rate: None,
            gone_on: None,
            resumes: None,
            sought: None,
            tested: None,
            made: None,
            onto: None,
            stays: None,
            planning: None,
            due: None,
        }
    }
}

impl Assembly {
    /// Something that the plan stands on has changed: what was confirmed by it does not start.
    pub fn outdate(&mut self) {
        self.due = None;
        self.plan = None;
        self.run = None;
        self.resumes = None;
    }
}

impl Model {
    /// This one signs from now on; nothing is the default key.
    pub fn choose_key(&mut self, key: Option<ChosenKey>) {
        (self.assembly.key, self.assembly.sought) = (key, None);
    }

    /// Goes to another place from now on.
    pub fn choose_destination(&mut self, to: Option<Destination>) {
        if self.assembly.to != to {
            let place = |to: &Option<Destination>| to.as_ref().map(|to| to.to.clone());
            if place(&self.assembly.to) != place(&to)
                // It goes on in its own place alone.
                && let Some(words) = self.leave_gone_on()
            {
                self.note(Level::Info, &words);
            }
            self.assembly.to = to;
            self.changed(Place::Media);
        }
    }

    /// The job as it is chosen now; nothing without a place to go.
    pub fn pack_job(&self, dry_run: bool) -> Option<PackJob> {
        let (assembly, paths) = (&self.assembly, &self.settings.paths);
        let to = assembly.to.as_ref()?.to.clone();
        // With the list beside the lock, what did not resolve is tried once more and recorded as missing: for the same
        // platforms, as no lock tells which were asked of it.
        let list = Source::List(self.settings.list_file());
        let (sources, platforms) = match self.unresolved() {
            0 => Default::default(),
            _ => (vec![list], self.picked.platforms().to_vec()),
        };
        let chosen = self.chosen.as_ref().filter(|chosen| chosen.path == to);
        let key = assembly.key.as_ref().map(|key| &key.signer).or(assembly.sought.as_ref()).cloned();
        let signer = key.unwrap_or_else(|| SignerSpec::Key(paths.key()));
        if let Some(gone_on) = &assembly.gone_on {
            return Some(gone_on.as_chosen(assembly, signer, dry_run));
        }
        Some(PackJob {
            images: Images { sources, platforms, signatures: true, ..Images::default() },
            lock: Some(self.settings.lock_file()),
            to,
            name: assembly.name.clone(),
            expires: assembly.expires,
            jobs: PackJob::JOBS.into(),
            read_back: assembly.read_back,
            tool: assembly.tool,
            max_file_size: None,
            keep_going: self.keeps_going(),
            // A plan only tells what would be refused.
            anew: self.left_elsewhere().is_some() || (!dry_run && self.replaces_begun()),
            // It was asked about when it was chosen.
            plain_directory: chosen.is_some_and(|chosen| is_directory(chosen.medium.as_ref())),
            state: paths.state(),
            signer,
            registry: self.settings.registry.clone(),
            dry_run,
        })
    }

    /// Whether a pack deletes what lies there of images that are not asked for now, by the plan.
    fn replaces_begun(&self) -> bool {
        let plan = self.assembly.plan.as_ref().and_then(|plan| plan.outcome.as_ref().ok());
        plan.and_then(|plan| plan.place.begun).is_some_and(|begun| begun.refused)
    }

    /// Where a pack of that name was cut off, if that was on another medium than the chosen one.
    pub fn left_elsewhere(&self) -> Option<&Carrier> {
        let chosen = self.chosen.as_ref()?;
        let cuts = self.interrupted.iter().flat_map(|cuts| &cuts.packs);
        let own = cuts.filter(|cut| cut.job.is_of(&chosen.path, &self.assembly.name));
        own.map(|cut| &cut.job.carrier).find(|carrier| !chosen.carrier.is_still(carrier))
    }

    /// How many references of the list did not resolve.
    pub fn unresolved(&self) -> usize {
        let images = self.picked.images.iter();
        let checked =
            images.filter_map(|image| self.picked.checked.get(&image.request.reference.to_string()));
        checked.filter(|checked| matches!(checked, picked::Checked::Failed(_))).count()
    }

    /// What is left out: as was asked for, or as was said of what failed in the list as it is. Those were named, and
    /// nothing else may be missing for it.
    pub fn keeps_going(&self) -> KeepGoing {
        let of_list = self.assembly.gone_on.is_none();
        let said = if of_list && self.picked.leaves_out() { KeepGoing::Unresolved } else { KeepGoing::No };
        self.assembly.keep_going.max(said)
    }

    /// Why nothing can be planned yet.
    pub fn not_ready(&self) -> Option<String> {
        if let Some(gone) = self.chosen.as_ref().and_then(|chosen| chosen.gone.clone()) {
            return Some(format!("{gone}: {} chooses it again, or another one", self.key(Act::Step3)));
        }
        if self.assembly.gone_on.is_some() {
            return None;
        }
        let failed = self.unresolved();
        let reason = match self.unverified() {
            Some(reason) => reason,
            None if self.lacks(failed)
                && self.picked.has_unaccepted()
                && self.assembly.keep_going == KeepGoing::No =>
            {
                // What could not be read stands on the list alone.
                let mend = if failed > 0 { Act::Step2 } else { Act::Step1 };
                let (mend, allow) = (self.key(mend), self.key(Act::AssembleEdit));
                format!(
                    "{}: {mend} to mend or drop them, {allow} to allow an incomplete bundle",
                    self.lacking_words(failed)
                )
            }
            None if self.assembly.to.is_none() => {
                format!("no medium is chosen: {} chooses one", self.key(Act::Step3))
            }
            None => return None,
        };
        Some(reason)
    }

    /// Why the list as it is has no lock file yet: what was verified last is another one. A pack that is gone on with has
    /// its own.
    pub fn unverified(&self) -> Option<String> {
        let key = |step| self.key(step);
        Some(match self.state(Place::Resolve) {
            _ if self.assembly.gone_on.is_some() => return None,
            _ if self.picked.images.is_empty() => format!("the list is empty: {} fills it", key(Act::Step1)),
            StepState::Todo => {
                format!("the list is not verified yet: {}, then {}", key(Act::Step2), key(Act::Resolve))
            }
            StepState::Stale if !self.picked.was_asked() => {
                let [verify, again] = [Act::Step2, Act::Resolve].map(|act| self.key(act));
                format!("the list is not verified for this bundle yet: {verify}, then {again}")
            }
            StepState::Stale => {
                format!(
                    "the list has changed since it was verified: {}, then {}",
                    key(Act::Step2),
                    key(Act::Resolve)
                )
            }
            StepState::Running => "the list is being verified".to_owned(),
            StepState::Paused => {
                format!("verifying the list is paused; {} resumes it", key(Act::Pause))
            }
            _ => return None,
        })
    }

    /// Whether the list is not whole, as so many references failed.
    fn lacks(&self, failed: usize) -> bool {
        failed > 0 || self.picked.unread_words().is_some()
    }

    fn lacking_words(&self, failed: usize) -> String {
        let failed = (failed > 0).then(|| format!("{} failed", super::words::count(failed, "reference")));
        failed.into_iter().chain(self.picked.unread_words()).collect::<Vec<_>>().join(", ")
    }

    /// Whether there is a key to sign with.
    pub fn has_key(&self) -> bool {
        self.assembly.key.is_some()
            || self.assembly.sought.is_some()
            || self.host.as_ref().is_none_or(|host| host.key.is_some())
    }

    /// Fingerprint of the key that signs, and where it is.
    pub fn key_facts(&self) -> Option<(String, String)> {
        if self.assembly.sought.is_some() {
            return None;
        }
        if let Some(ChosenKey { signer, public }) = &self.assembly.key {
            let place = match signer {
                SignerSpec::Key(path) => path.display().to_string(),
                SignerSpec::Agent(_) => "held by ssh-agent".to_owned(),
            };
            return Some((public.fingerprint.clone(), place));
        }
        let key = self.host.as_ref()?.key.as_ref()?;
        Some((key.fingerprint.clone(), key.path.display().to_string()))
    }

    /// Another bundle is begun with: key, measured rate and the name of the series stay, everything else is as at first. Its medium is chosen
    /// anew, as its destination is, and registries are asked anew what their tags name by now.
    pub fn begin_anew(&mut self) {
        self.picked.ask_anew();
        self.changed(Place::Images);
        self.chosen = None;
        let Assembly { key, rate, tested, name, named_by, .. } = std::mem::take(&mut self.assembly);
        self.assembly = Assembly { key, rate, tested, ..Assembly::default() };
        // The list goes on in its series; what a medium proposed went with the medium.
        if matches!(named_by, NamedBy::Here | NamedBy::List) {
            (self.assembly.name, self.assembly.named_by) = (name, NamedBy::List);
        }
        for (place, _) in super::place::CONNECTED.iter().skip(2) {
            self.set_state(*place, StepState::Todo);
        }
    }
}
