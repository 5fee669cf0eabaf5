//! The workstation's state machine: a message in, the state changed, effects out; pure, so that tests drive it by keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answers::{Asked, Later};
use super::job;
use super::keep::Keeper;
use super::keys;
use super::model::{Model, Place};
use super::msg::{Effect, Ended, Msg, Query};
use super::screen::{Cx, Screen, Todo};
use crate::actions::{Act, Scope};
use crate::config::keymap::Keymap;
use crate::dialogs::Dialog;
use crate::engine::spec::{JobReport, JobSpec};
use crate::screens;
use crate::widgets::look::Look;

/// Below this nothing can be operated: columns, rows.
pub const SMALLEST: (u16, u16) = (60, 16);

/// The workstation.
pub struct App {
    /// The state that screens share.
    pub model: Model,
    /// How it looks.
    pub look: Look,
    /// The themes there are besides the built-in ones.
    pub themes: Vec<crate::config::theme::Theme>,
    /// Why no colours are drawn, where there are none.
    pub no_color: Option<&'static str>,
    /// Why nothing can be copied on this terminal, where it is known not to take OSC 52.
    pub no_copy: Option<&'static str>,
    pub(super) screens: BTreeMap<Place, Box<dyn Screen + Send>>,
    pub(super) dialogs: Vec<Dialog>,
    pub(super) later: Later,
    pub(super) words: Option<(String, Duration)>,
    /// What is said once those of the first Ctrl-C have stood for their whole time.
    pub(super) after: Option<String>,
    pub(super) size: (u16, u16),
    pub(super) interrupts: u8,
    pub(super) mouse: bool,
    pub(super) waiting: bool,
    /// When the answer came that a dialog waited for, and closed it.
    pub(super) answer_came: Option<Duration>,
    /// Whether the screen has yet to take over what changed in the model.
    behind: bool,
    pub(super) terminated: bool,
    pub(super) abandoned: bool,
    /// Whether a job was stopped for it to be left.
    pub(super) cut: bool,
    /// Whether it is left as soon as the job that runs is done.
    pub(super) leaving: bool,
    pub(super) asked: Asked,
    pub(super) keeper: Keeper,
    pub(super) todo: Todo,
}

impl App {
    /// At the start screen.
    pub fn new(mut model: Model, look: Look, keymap: Keymap, size: (u16, u16)) -> Self {
        (model.keymap, model.columns) = (keymap, size.0);
        Self {
            model,
            look,
            themes: Vec::new(),
            no_color: None,
            no_copy: None,
            screens: screens::all(),
            dialogs: Vec::new(),
            later: Later::default(),
            words: None,
            after: None,
            size,
            interrupts: 0,
            mouse: false,
            waiting: false,
            answer_came: None,
            behind: true,
            terminated: false,
            abandoned: false,
            cut: false,
            leaving: false,
            asked: Asked::default(),
            keeper: Keeper::default(),
            todo: Todo::default(),
        }
    }

    /// What is to be done before the first message.
    pub fn begin(&mut self) -> Vec<Effect> {
        self.todo.effects.extend([Query::Last, Query::Series].map(Effect::Ask));
        self.on_screen(|screen, cx| screen.entered(cx));
        self.settle()
    }

    /// Takes a message that came at `at` since the start and `now` by the clock.
    pub fn update(&mut self, at: Duration, now: jiff::Timestamp, msg: Msg) -> Vec<Effect> {
        self.model.at = at;
        self.model.now = now;
        self.words_pass(at);
        // A key is meant for what the screen shows by now; what jobs say by the hundred is taken over once a frame.
        if !matches!(msg, Msg::Job(..) | Msg::Milestone(..) | Msg::Said(..) | Msg::Tick) {
            self.catch_up();
        }
        // What is typed is meant for something else than a Ctrl-C before it.
        if matches!(msg, Msg::Paste(_) | Msg::Burst(_) | Msg::Click(_)) {
            (self.interrupts, self.after) = (0, None);
        }
        match msg {
            Msg::Key(key) => self.key(key),
            Msg::Paste(text) => self.paste(&text),
            Msg::Burst(text) => self.burst(&text),
            Msg::Click(row) => self.click(row),
            Msg::Resize(columns, rows) => {
                (self.size, self.model.columns) = ((columns, rows), columns);
                self.todo.effects.push_back(Effect::Redraw);
            }
            Msg::Tick => {}
            Msg::Job(id, view) => self.todo.effects.extend(job::goes_on(&mut self.model, id, view)),
            Msg::Milestone(id, event) => job::heard(&mut self.model, id, &event),
            Msg::Said(level, words) => self.model.note(level, words),
            Msg::Left(id, words) => job::left(&mut self.model, id, words),
            Msg::Ended(id, ended) => {
                let act = job::ended(&mut self.model, id, ended);
                self.job_ended(act);
            }
            Msg::NotStarted(failure) => {
                let act = job::not_started(&mut self.model, failure);
                self.job_ended(act);
            }
            Msg::Found(found) => self.found(&found),
            Msg::Written(unsaved) => self.part_or_ask(unsaved),
            // Too late: nobody would type for a job that is stopping or gone.
            Msg::NeedsPassphrase { .. } | Msg::NeedsNewPassphrase(_)
                if self.model.running().is_none_or(|job| job.stopping) =>
            {
                self.todo.effects.push_back(Effect::Passphrase(None));
            }
            Msg::NeedsPassphrase { key, wrong } => self.wants(super::words::passphrase(&key, wrong).into()),
            Msg::NeedsNewPassphrase(key) => self.wants(super::words::new_passphrase(&key).into()),
            Msg::Interrupt => self.interrupt(),
            Msg::Continued => {}
            Msg::Lost => {
                self.terminated = true;
                self.leave();
            }
            Msg::Terminate => {
                self.abandoned = self.terminated;
                self.terminated = true;
                self.leave();
            }
        }
        self.settle()
    }

    /// Columns and rows.
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Whether it is left although a job has not ended.
    pub const fn was_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Whether a signal made it leave.
    pub const fn was_terminated(&self) -> bool {
        self.terminated
    }

    /// Lets the screen take over what changed in the model since it last did.
    pub(super) fn catch_up(&mut self) {
        if let (true, Some(screen)) = (self.behind, self.screens.get_mut(&self.model.place)) {
            screen.sync(&self.model);
            self.behind = false;
        }
    }

    /// Whether something on the screen changes by time alone.
    pub fn moves(&self) -> bool {
        let waits = self.dialogs.iter().any(|dialog| matches!(dialog, Dialog::Wait(_)));
        waits
            || self.keeper.waits()
            || self.words.is_some()
            || self.model.running().is_some_and(|job| !job.paused)
    }

    /// The screen one is at.
    pub(super) fn screen(&self) -> Option<&(dyn Screen + Send)> {
        self.screens.get(&self.model.place).map(|screen| &**screen)
    }

    /// Lets the screen one is at do something.
    pub(super) fn on_screen<T>(&mut self, work: impl FnOnce(&mut dyn Screen, &mut Cx<'_>) -> T) -> Option<T> {
        let screen = self.screens.get_mut(&self.model.place)?;
        let mut cx = Cx { model: &mut self.model, todo: &mut self.todo };
        Some(work(&mut **screen, &mut cx))
    }

    /// The scopes in which keys are looked up, nearest first.
    pub fn scopes(&self) -> Vec<Scope> {
        let mut scopes = self.screen().map_or_else(Vec::new, |screen| screen.scopes().to_vec());
        // Where jobs are not at home, they have their keys while one runs; without one these would be dead.
        if self.model.running().is_some() && !scopes.contains(&Scope::Job) {
            scopes.insert(1.min(scopes.len()), Scope::Job);
        }
        scopes.push(Scope::Global);
        scopes
    }

    /// Why an operation cannot be done now.
    pub(super) fn why_not(&self, act: Act) -> Option<String> {
        match act.row().scope {
            Scope::Global if act == Act::Theme && self.no_color.is_some() => {
                self.no_color.map(|why| format!("{why}: a theme changes nothing"))
            }
            Scope::Global if act == Act::Suspend => job::would_stand_still(&self.model),
            Scope::Global => keys::why_not(&self.model, act),
            Scope::Marks if self.screen()?.view().is_some_and(|list| list.visible().is_empty()) => {
                Some("there is no row to mark".to_owned())
            }
            // Whatever a screen lacks, a job is stopped from it.
            Scope::Job => job::why_not(&self.model, act),
            Scope::Failed => {
                job::why_not(&self.model, act).or_else(|| self.screen()?.why_not(act, &self.model))
            }
            _ => self.screen()?.why_not(act, &self.model),
        }
    }

    fn job_ended(&mut self, act: Option<Act>) {
        let Some(act) = act else { return };
        let unbegun = self.model.assembled();
        // There is nothing to stop any more: a Ctrl-C begins anew.
        if self.interrupts == 1 && !self.terminated {
            (self.interrupts, self.words, self.after) = (0, None, None);
        }
        // What was said while it ran, as that it goes on, is not true of it any more.
        self.words.take_if(|_| !act.is_plan());
        if let Some(words) = unbegun {
            self.say(words);
        }
        if let Some(words) = self.model.imported() {
            self.say(words);
        }
        self.nothing_to_stop();
        if self.waiting {
            // The question went with the job.
            self.waiting = false;
            self.close_secrets();
        }
        self.later.unasked = true;
        let done = self.model.job_of(act).and_then(|job| job.ended.as_ref());
        let leaves = std::mem::take(&mut self.leaving)
            && matches!(done, Some(Ended::Succeeded(report)) if matches!(**report, JobReport::Plan(_)) || report.verdict().is_none());
        let next =
            self.model.next.take().filter(|_| !leaves).map(|(act, spec)| Effect::Start(act, Box::new(spec)));
        self.todo.effects.extend(next);
        let places: Vec<Place> = self.screens.keys().copied().collect();
        for place in places {
            if let Some(screen) = self.screens.get_mut(&place) {
                screen.ended(act, &mut Cx { model: &mut self.model, todo: &mut self.todo });
            }
        }
        // Its report is written before that.
        if leaves {
            self.part();
        }
    }

    /// Carries out what an update gathered.
    fn settle(&mut self) -> Vec<Effect> {
        for _ in 0..8 {
            let Some(place) = self.todo.place.take() else { break };
            self.go(place);
        }
        self.tend_dialogs();
        if let Some(words) = self.todo.words.take() {
            self.say(words);
        }
        self.behind = true;
        self.keep();
        let mut effects: Vec<Effect> = self.todo.effects.drain(..).collect();
        effects.retain(|effect| match effect {
            Effect::Start(act, spec) => self.starts(*act, spec),
            _ => true,
        });
        // A plan that has to stop for a job.
        effects.extend(self.todo.effects.drain(..));
        self.ask_again(&effects);
        effects
    }

    /// Whether a job starts now: one at a time, and none between a pack's last question and its start. What finds a
    /// plan in its way starts once that has stopped.
    fn starts(&mut self, act: Act, spec: &JobSpec) -> bool {
        let waits = self.model.next.is_some() || self.model.assembly.due.is_some();
        match self.model.running() {
            None if !waits => {
                job::started(&mut self.model, act, spec);
                return true;
            }
            Some(job) if job.act.is_plan() && !waits => {
                if !job.stopping {
                    let stopped = job::stop(&mut self.model).map(Effect::Cancel);
                    self.todo.effects.extend(stopped);
                }
                self.model.next = Some((act, spec.clone()));
            }
            None => self.say("not now: another job is about to start"),
            Some(job) => {
                let reason = self.model.in_the_way(job);
                self.say(format!("not now: {reason}"));
            }
        }
        false
    }

    pub(super) fn go(&mut self, place: Place) {
        if place != self.model.place {
            let offered = self.interrupts == 1;
            self.words.take_if(|_| !offered);
            if self.model.assembly.due.take().is_some() {
                self.say("not started: you left while its destination was being checked");
            }
            // A plan is only worth waiting for where it is shown.
            let plan = match self.model.place {
                Place::Assemble => Some(Act::AssembleSpace),
                Place::Import => Some(Act::ImportPlan),
                _ => None,
            };
            let plans = |job: &super::model::JobState| Some(job.act) == plan && !job.stopping;
            if self.model.running().is_some_and(plans) {
                let stopped = job::stop(&mut self.model).map(Effect::Cancel);
                self.todo.effects.extend(stopped);
            }
            self.model.place = place;
            self.model.side = place.side().or(self.model.side);
            self.on_screen(|screen, cx| screen.entered(cx));
        }
    }
}
