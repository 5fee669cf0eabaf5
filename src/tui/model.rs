//! The state of the workstation apart from the lists of its screens: what was picked, found, done and is under way.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::assembly::Assembly;
use super::beside::{Beside, LIST};
use super::gap::Gap;
use super::log::Log;
use super::medium::Chosen;
use super::msg::{Ended, Level};
use super::outcome::Unwell;
use super::parting::Kept;
use super::picked::Added;
use super::resume::Cuts;
use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::paths::Paths;
use crate::domain::digest::Digest;
use crate::domain::job::{JobId, Places};
use crate::domain::sheet::fingerprint_end;
use crate::domain::shell::shell_words;
use crate::domain::view::JobView;
use crate::engine::host::HostFacts;
use crate::engine::media::{self, MediaReport};
use crate::engine::registry::RegistryOptions;
use crate::engine::spec::JobSpec;
use crate::engine::state::History;
use crate::widgets::stepper::StepState;

pub use super::picked::Picked;
pub use super::place::{Place, Side};

/// The job that runs, or ran last.
#[derive(Clone, Debug)]
pub struct JobState {
    /// Its number, from its first message on.
    pub id: Option<JobId>,
    /// The operation it belongs to.
    pub act: Act,
    /// What it does; for doing it again.
    pub spec: JobSpec,
    /// Its latest view.
    pub view: Arc<JobView>,
    /// When it was started, since the workstation was.
    pub began: Duration,
    /// Whether it stands still on request.
    pub paused: bool,
    /// Whether it was asked to stop.
    pub stopping: bool,
    /// How it ended.
    pub ended: Option<Ended>,
    /// What it left where it was stopped, and how that is taken back.
    pub left: Vec<String>,
    /// What the bundle that was chosen when it began said of itself.
    pub document: Option<Digest>,
}

impl JobState {
    /// Whether it still runs.
    pub const fn running(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether any of it was begun: what asks for a passphrase first was not yet.
    pub fn has_begun(&self) -> bool {
        !self.view.phases.is_empty()
    }
}

/// What does not change while the workstation runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where keys, trust and state lie.
    pub paths: Paths,
    /// How registries are reached.
    pub registry: RegistryOptions,
    /// What the usual configuration file says of that: no command has to repeat it.
    pub configured: RegistryOptions,
    /// What `~` stands for in paths that are typed.
    pub home: Option<PathBuf>,
    /// Of the clock on the wall.
    pub zone: jiff::tz::TimeZone,
    /// Where devices and mounts are told of.
    pub host: media::Host,
}

impl Settings {
    /// Where a command looks that is told nothing else.
    pub fn places(&self) -> Places {
        self.paths.places(self.configured.clone())
    }

    /// The list that is worked on.
    pub fn list_file(&self) -> PathBuf {
        self.paths.work().join(LIST)
    }

    /// The name that the kept list was packed under last.
    pub fn name_file(&self) -> PathBuf {
        self.paths.kept().join("name")
    }

    /// The list that the next workstation begins with.
    pub fn kept_list(&self) -> PathBuf {
        self.paths.kept().join(LIST)
    }

    /// What was pinned of it.
    pub fn lock_file(&self) -> PathBuf {
        self.paths.work().join("images.lock")
    }

    /// The command that does the same as a job.
    pub fn shell(&self, job: &JobSpec) -> String {
        shell_words(&self.command(job))
    }

    /// Its words.
    pub fn command(&self, job: &JobSpec) -> Vec<String> {
        job.command_line(&self.places())
    }
}

/// The state.
#[derive(Debug)]
pub struct Model {
    /// What does not change.
    pub settings: Settings,
    /// Where one is.
    pub place: Place,
    /// The side that was worked on last.
    pub side: Option<Side>,
    /// How many columns the screen has.
    pub columns: u16,
    /// Since the workstation was started.
    pub at: Duration,
    /// The time of day.
    pub now: jiff::Timestamp,
    /// What this host is; nothing until it was looked at.
    pub host: Option<Arc<HostFacts>>,
    /// The media of this host; nothing until they were looked for.
    pub media: Option<Arc<MediaReport>>,
    /// Where the workstation was started.
    pub cwd: PathBuf,
    /// The path that was answered last, by the operation that asked for it.
    pub answered: BTreeMap<Act, PathBuf>,
    /// What the bundle goes to.
    pub chosen: Option<Chosen>,
    /// A directory that may be chosen next.
    pub looked_at: Option<Box<media::Place>>,
    /// The number of the job that ended last.
    pub(super) last: Option<JobId>,
    /// A job that starts once the plan has stopped that is in its way.
    pub(super) next: Option<(Act, JobSpec)>,
    /// Packs that were cut off; nothing until they were looked for.
    pub interrupted: Option<Arc<Cuts>>,
    /// The connected side's work.
    pub picked: Picked,
    /// What this host signed; nothing until that was looked at.
    pub(super) signed: Option<Arc<History>>,
    /// The other workstation that has the kept list, as long as it does.
    pub beside: Option<Beside>,
    /// How the bundle is to be made.
    pub assembly: Assembly,
    /// The air-gapped side's work.
    pub gap: Gap,
    /// How the steps of both sides stand.
    states: [StepState; 10],
    /// The job that runs, or ran last.
    pub job: Option<JobState>,
    /// The reports of this run that were written by themselves, the latest last.
    pub(super) kept: Vec<Kept>,
    /// What did not end well.
    pub unwell: Unwell,
    /// What happened.
    pub log: Log,
    /// Which key does what.
    pub keymap: Keymap,
}

impl Model {
    /// Nothing done yet.
    pub fn new(settings: Settings, now: jiff::Timestamp) -> Self {
        Self {
            cwd: settings.home.clone().unwrap_or_else(|| "/".into()),
            answered: BTreeMap::new(),
            settings,
            place: Place::Start,
            side: None,
            columns: 80,
            at: Duration::ZERO,
            now,
            host: None,
            media: None,
            chosen: None,
            looked_at: None,
            last: None,
            next: None,
            interrupted: None,
            picked: Picked::default(),
            signed: None,
            beside: None,
            assembly: Assembly::default(),
            gap: Gap::default(),
            states: [StepState::Todo; 10],
            job: None,
            kept: Vec::new(),
            unwell: Unwell::default(),
            log: Log::default(),
            keymap: Keymap::default(),
        }
    }

    /// How a sentence names what does an operation: by the key that it has here.
    pub fn key(&self, act: Act) -> String {
        self.keymap.says(act)
    }

    /// What a path begins with that an operation asks for: a directory that it was given before, to take or replace, else
    /// where the workstation was started, to go on from.
    pub fn begin_path(&self, act: Act) -> String {
        match self.answered.get(&act) {
            Some(path) => path.display().to_string(),
            None => self.begin_beside(act),
        }
    }

    /// The same for a file: the directory of the one that was named before.
    pub fn begin_beside(&self, act: Act) -> String {
        let before = self.answered.get(&act).and_then(|path| path.parent());
        let directory = before.unwrap_or(&self.cwd).display().to_string();
        format!("{}/", directory.trim_end_matches('/'))
    }

    /// How a step stands.
    pub fn state(&self, place: Place) -> StepState {
        match self.running().filter(|_| self.running_at() == Some(place)) {
            Some(job) if job.paused => StepState::Paused,
            Some(_) => StepState::Running,
            None => match self.states[place as usize] {
                // What is too small by now was well when it was chosen.
                StepState::Ok | StepState::Warn if place == Place::Media && self.is_too_small() => {
                    StepState::Failed
                }
                state => state,
            },
        }
    }

    /// How a step stands apart from what is done in it at this moment.
    pub const fn stood(&self, place: Place) -> StepState {
        self.states[place as usize]
    }

    /// A step has another state now.
    pub const fn set_state(&mut self, place: Place, state: StepState) {
        self.states[place as usize] = state;
    }

    /// A step was changed: the later ones that were done no longer hold.
    pub fn changed(&mut self, place: Place) {
        let Some(side) = place.side() else { return };
        match place {
            Place::Images | Place::Resolve => self.list_changed(),
            Place::Media => self.assembly.outdate(),
            _ => {}
        }
        if place == Place::Images {
            self.allow_nothing_missing();
        }
        let later = side.steps().iter().skip_while(|(step, _)| *step != place).skip(1);
        for (step, _) in later {
            let state = &mut self.states[*step as usize];
            if *state != StepState::Todo {
                *state = StepState::Stale;
            }
        }
    }

    /// Adds lines that were typed or pasted, and those of them that name no image as rows to be mended.
    pub fn add_typed(&mut self, text: &str) -> Added {
        let before = self.picked.revision();
        let added = self.picked.add_typed(text);
        if self.picked.revision() != before {
            self.changed(Place::Images);
        }
        added
    }

    /// The job that runs.
    pub fn running(&self) -> Option<&JobState> {
        self.job.as_ref().filter(|job| job.running())
    }

    /// The job that keeps others from being started. A plan does not: it is stopped for them.
    pub fn busy(&self) -> Option<&JobState> {
        self.running().filter(|job| !job.act.is_plan())
    }

    /// The last job of an operation, running or ended.
    pub fn job_of(&self, act: Act) -> Option<&JobState> {
        self.job.as_ref().filter(|job| job.act == act)
    }

    /// The chosen medium in two words, for the header.
    pub fn medium_words(&self) -> String {
        self.assembly.to.as_ref().map_or_else(String::new, |to| to.words.clone())
    }

    /// How the signing key's fingerprint ends, for the header.
    pub fn key_words(&self) -> String {
        // While it is looked for whose key that is, no other one is named.
        let sought = self.assembly.sought.is_some();
        let default = || Some(&self.host.as_ref().filter(|_| !sought)?.key.as_ref()?.fingerprint);
        let key = self.assembly.key.as_ref().map(|key| &key.public.fingerprint).or_else(default);
        key.map_or_else(String::new, |key| format!("key {}", fingerprint_end(key)))
    }

    /// Where the job that runs is seen.
    pub fn running_at(&self) -> Option<Place> {
        let running = self.running()?;
        match running.act {
            Act::MediaEject if self.is_received(running) => Some(Place::Checked),
            Act::Resolve => Some(Place::Resolve),
            Act::Pack => Some(Place::Assemble),
            Act::MediaCheck | Act::MediaMount => Some(Place::Media),
            Act::Verify => Some(Place::Check),
            Act::Import | Act::ImportUndo => Some(Place::Import),
            Act::Sign | Act::Diff | Act::MediaEject => Some(Place::Report),
            _ => None,
        }
    }

    /// Adds a line to the log.
    pub fn note(&mut self, level: Level, words: impl AsRef<str>) {
        self.log.add(self.now, level, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_makes_later_steps_stale_and_never_silently_wrong() {
        let paths = Paths::new("/c".into(), "/d".into());
        let zone = jiff::tz::TimeZone::UTC;
        let settings = Settings {
            paths,
            registry: RegistryOptions::default(),
            configured: RegistryOptions::default(),
            home: None,
            zone,
            host: media::Host::default(),
        };
        let mut model = Model::new(settings, jiff::Timestamp::UNIX_EPOCH);
        model.set_state(Place::Images, StepState::Ok);
        model.set_state(Place::Resolve, StepState::Warn);
        model.set_state(Place::Bundle, StepState::Ok);
        model.changed(Place::Images);
        assert_eq!(model.state(Place::Images), StepState::Ok);
        assert_eq!(model.state(Place::Resolve), StepState::Stale);
        assert_eq!(model.state(Place::Media), StepState::Todo);
        assert_eq!(model.state(Place::Bundle), StepState::Ok);
    }

    #[test]
    fn every_step_has_a_side_a_number_and_one_before_it() {
        assert_eq!(Place::Media.side(), Some(Side::Connected));
        assert_eq!((Place::Media.number(), Place::Media.before()), (Some(2), Some(Place::Resolve)));
        assert_eq!((Place::Bundle.number(), Place::Bundle.before()), (Some(0), Some(Place::Start)));
        assert_eq!((Place::Start.side(), Place::Start.before()), (None, None));
    }
}
