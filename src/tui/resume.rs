//! Packs that were cut off: found by their records and journals, and gone on with as if they had been planned here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::assembly::ChosenKey;
use super::effects::off;
use super::medium::Chosen;
use super::model::{JobState, Model, Settings};
use super::msg::{Ended, Found, Query};
use crate::domain::bundle::directory;
use crate::domain::text;
use crate::engine::bundle::unfinished::{Unfinished, find_interrupted};
use crate::engine::ctx::JobCtx;
use crate::engine::jobs::record::{InterruptedJob, SignedThere, interrupted};
use crate::engine::media;
use crate::engine::sign::keys::KeyReport;
use crate::engine::spec::{JobSpec, PackJob, SignerSpec};
use crate::failure::Failure;

/// How far the two clocks may be apart, by which a job and its record began.
const SLACK: Duration = Duration::from_secs(2);

/// A pack that was cut off.
#[derive(Clone, Debug)]
pub struct Cut {
    /// What to start again.
    pub job: InterruptedJob,
    /// What lies there of it.
    pub left: Left,
}

/// What lies of a pack that was cut off where it went.
#[derive(Clone, Debug)]
pub enum Left {
    /// An unfinished bundle, and how far it came.
    Unfinished(Unfinished),
    /// The bundle that it made, by its serial, which is signed: only nobody was told.
    Finished(u64),
    /// A signed bundle of its name, by its serial, and no unfinished one.
    Signed(u64),
    /// Nothing.
    Nothing,
    /// Its medium is not there.
    Away,
}

/// What was found of them.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    /// Latest first.
    pub packs: Vec<Cut>,
    /// Records that cannot be read, with the reason.
    pub damaged: Vec<String>,
    /// What is packed here right now, of the copies of what it was given.
    pub under_way: Vec<JobSpec>,
}

impl Cut {
    /// How far its unfinished bundle came.
    pub const fn progress(&self) -> Option<&Unfinished> {
        match &self.left {
            Left::Unfinished(progress) => Some(progress),
            Left::Finished(_) | Left::Signed(_) | Left::Nothing | Left::Away => None,
        }
    }

    /// The pack itself.
    pub const fn pack(&self) -> Option<&PackJob> {
        self.job.pack()
    }

    /// As in `Resume web-42`.
    pub fn title(&self) -> String {
        let does = if matches!(self.left, Left::Finished(_)) { "See" } else { "Resume" };
        format!("{does} {}", self.name())
    }

    /// As in `web-42`, where the serial is known.
    pub fn name(&self) -> String {
        let name = self.pack().map_or("", |job| job.name.as_str());
        match &self.left {
            Left::Unfinished(Unfinished { serial, .. }) | Left::Finished(serial) => directory(name, *serial),
            Left::Signed(_) | Left::Nothing | Left::Away => name.to_owned(),
        }
    }

    /// How far it came and when it began.
    pub fn words(&self) -> String {
        let came = match &self.left {
            Left::Unfinished(progress) => {
                format!("{} of {}", text::bytes(progress.there()), text::bytes(progress.bytes.total))
            }
            Left::Finished(_) => "finished and signed, not reported".to_owned(),
            Left::Signed(serial) => format!("serial {serial} signed there"),
            Left::Nothing => "nothing is written yet".to_owned(),
            Left::Away => "its medium is missing".to_owned(),
        };
        let (begun, resumed) = self.times();
        let resumed = resumed.map_or_else(String::new, |at| format!(", resumed {}", at.strftime("%H:%MZ")));
        format!("{came}, begun {}{resumed}", begun.strftime("%m-%d %H:%MZ"))
    }

    /// When it was begun first, and when it was gone on with last, where that is known.
    fn times(&self) -> (jiff::Timestamp, Option<jiff::Timestamp>) {
        let started = self.job.started;
        // What was gone on with was begun before its latest record.
        match self.progress().map(|progress| progress.first).filter(|first| *first < started) {
            Some(first) => (first, Some(started)),
            None => (started, None),
        }
    }

    /// The same with all of the date, and where it lies.
    pub fn full_words(&self) -> String {
        let to = self.pack().map(|job| job.to.display().to_string()).unwrap_or_default();
        let (began, resumed) = self.times();
        let [began, resumed] =
            [Some(began), resumed].map(|at| at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
        let resumed = resumed.map_or_else(String::new, |at| format!(", resumed {at}"));
        let began = began.unwrap_or_default();
        let came = match &self.left {
            Left::Unfinished(progress) => {
                let (there, total) = (progress.there(), progress.bytes.total);
                format!("{} of {} are in {to}", text::bytes(there), text::bytes(total))
            }
            Left::Finished(_) => {
                format!("{} is finished and signed in {to}: it is read once more and reported", self.name())
            }
            Left::Signed(serial) => format!("serial {serial} is signed in {to}: what is there is kept"),
            Left::Nothing => format!("nothing of it is in {to} yet"),
            Left::Away => format!("nothing of it is in {to}: is its medium plugged in?"),
        };
        format!("begun {began}{resumed}; {came}")
    }
}

/// Looks for them.
pub(super) async fn find(settings: &Settings, ctx: &JobCtx) -> Result<Cuts, Failure> {
    let (state, own) = (settings.paths.state(), ctx.clone());
    let found = off(move || interrupted(&state, &own)).await?;
    let mut cuts = Cuts { packs: Vec::new(), damaged: found.damaged, under_way: found.under_way };
    for job in found.jobs {
        let JobSpec::Pack(pack) = &job.spec else { continue };
        // A medium that is not plugged in has nothing to tell.
        let there = find_interrupted(pack.to.clone(), pack.state.clone(), ctx).await.unwrap_or_default();
        let own = |one: &Unfinished| one.resumable && one.name == pack.name;
        let left = match (there.into_iter().find(own), job.signed) {
            (Some(unfinished), _) => Left::Unfinished(unfinished),
            (None, _) if !is_there(&job, pack, settings, ctx).await => Left::Away,
            (None, Some(SignedThere { serial, own: true })) => Left::Finished(serial),
            (None, Some(SignedThere { serial, .. })) => Left::Signed(serial),
            (None, None) => Left::Nothing,
        };
        cuts.packs.push(Cut { left, job });
    }
    Ok(cuts)
}

/// Whether a pack's destination still lies on what it lay on.
async fn is_there(job: &InterruptedJob, pack: &PackJob, settings: &Settings, ctx: &JobCtx) -> bool {
    let spec = media::ListSpec { host: settings.host.clone(), ..media::ListSpec::default() };
    let now = media::place_of(pack.to.clone(), spec, ctx).await;
    now.is_ok_and(|now| now.carrier().is_still(&job.carrier))
}

/// Whether both are the same pack: into one place under one name, whichever copies of what it was given they take.
pub fn is_same(one: &JobSpec, other: &JobSpec) -> bool {
    let (JobSpec::Pack(one), JobSpec::Pack(other)) = (one, other) else { return false };
    (&one.to, &one.name) == (&other.to, &other.name)
}

impl Model {
    /// They were looked for. What another one of its name kept from being planned may be possible by now.
    pub(super) fn cuts_seen(&mut self, cuts: Arc<Cuts>) {
        let ids = |cuts: &Cuts| cuts.packs.iter().map(|cut| cut.job.id).collect::<Vec<_>>();
        if self.interrupted.as_ref().is_some_and(|before| ids(before) != ids(&cuts)) {
            self.assembly.plan.take_if(|plan| plan.outcome.is_err());
        }
        self.interrupted = Some(cuts);
    }

    /// The record of a pack that was cut off and goes to the same place under the same name.
    pub fn cut_of(&self, job: &PackJob) -> Option<&Cut> {
        self.interrupted.as_ref()?.packs.iter().find(|cut| cut.job.is_of(&job.to, &job.name))
    }

    /// What a pack of this workstation left to go on with: a record of the same place and name that is older than the
    /// pack is an earlier one's, whose place it did not take.
    pub fn left_by(&self, job: &JobState) -> Option<&Cut> {
        let JobSpec::Pack(pack) = &job.spec else { return None };
        let ago = self.at.saturating_sub(job.began).saturating_add(SLACK);
        self.cut_of(pack).filter(|cut| self.now.duration_since(cut.job.started).unsigned_abs() <= ago)
    }

    /// What does the same as a pack that runs or came to no end, later too: its record has copies of its own of what it
    /// was given, which nobody changes.
    pub fn recorded<'a>(&'a self, job: &'a JobState) -> &'a JobSpec {
        let own = |own: &&JobSpec| is_same(own, &job.spec);
        let kept = match job.running() {
            true => self.interrupted.iter().flat_map(|cuts| &cuts.under_way).find(own),
            false => self.left_by(job).map(|cut| &cut.job.spec),
        };
        kept.unwrap_or(&job.spec)
    }

    /// Whether a pack that ended goes on with what it left, or with what lay there before it and still does.
    pub fn goes_on(&self, job: &JobState) -> bool {
        let JobSpec::Pack(pack) = &job.spec else { return false };
        let lies_there = || self.cut_of(pack).and_then(Cut::progress).is_some();
        match &job.ended {
            Some(Ended::Cancelled) => job.has_begun() || lies_there(),
            Some(Ended::Failed(_)) => self.left_by(job).is_some() || lies_there(),
            Some(Ended::Succeeded(_)) | None => false,
        }
    }

    /// Chooses everything as a pack has it that is to be gone on with; its destination was just looked at.
    pub fn adopt(&mut self, job: &PackJob, place: &media::Place) {
        let typed = || Chosen { path: job.to.clone(), ..Chosen::directory(place) };
        self.choose(self.carrier_of(&job.to).unwrap_or_else(typed));
        let progress = self.cut_of(job).and_then(Cut::progress);
        let resumes = progress.map(|left| (directory(&left.name, left.serial), left.bytes.total));
        let default_key = job.signer == SignerSpec::Key(self.settings.paths.key());
        let assembly = &mut self.assembly;
        assembly.outdate();
        assembly.name.clone_from(&job.name);
        assembly.expires = job.expires;
        (assembly.read_back, assembly.tool, assembly.keep_going) = (job.read_back, job.tool, job.keep_going);
        if default_key || assembly.key.as_ref().is_some_and(|key| key.signer != job.signer) {
            assembly.key = None;
        }
        assembly.sought = (!default_key && assembly.key.is_none()).then(|| job.signer.clone());
        assembly.resumes = resumes;
    }

    /// What is to be asked for the key of a pack that was gone on with.
    pub(super) fn ask_key(&self) -> Option<Query> {
        Some(match self.assembly.sought.as_ref()? {
            SignerSpec::Key(path) => Query::PublicKey(path.clone()),
            SignerSpec::Agent(_) => Query::AgentKeys,
        })
    }

    /// The key of a pack that was gone on with may have been found.
    pub(super) fn key_found(&mut self, found: &Found) {
        let public = match (&self.assembly.sought, found) {
            (Some(SignerSpec::Key(file)), Found::PublicKey(path, public)) if file == path => Some(&**public),
            (Some(SignerSpec::Agent(which)), Found::AgentKeys(Ok(held))) => {
                let is_it = |key: &&KeyReport| match which {
                    Some(name) => {
                        [&key.fingerprint, &key.key_id].contains(&name) || key.public.ends_with(name)
                    }
                    None => held.len() == 1,
                };
                held.iter().find(is_it)
            }
            _ => None,
        };
        if let Some(public) = public.cloned()
            && let Some(signer) = self.assembly.sought.take()
        {
            self.assembly.key = Some(ChosenKey { signer, public });
        }
    }

    /// The bundle that is gone on with, as in `web-42`, and its bytes.
    pub fn resumes(&self) -> Option<(&str, u64)> {
        self.assembly.resumes.as_ref().map(|(name, bytes)| (name.as_str(), *bytes))
    }

    /// The medium that a directory lies on, where it is one that can be chosen.
    fn carrier_of(&self, directory: &Path) -> Option<Chosen> {
        let mut media = self.media.iter().flat_map(|report| &report.media);
        let holds = |at: &PathBuf| directory.starts_with(at) && at.as_path() != Path::new("/");
        let chosen = media.find_map(|medium| {
            let volume = medium.volumes.iter().find(|volume| volume.mount_points.iter().any(holds))?;
            Chosen::volume(medium, volume)
        })?;
        Some(Chosen { path: directory.to_owned(), ..chosen })
    }
}
