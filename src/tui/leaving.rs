//! The ways out and what stands in them: Ctrl-C, `q` and signals while a job runs, and stopping that job alone.

use super::app::App;
use super::job;
use super::model::{JobState, Place};
use super::msg::{Effect, Ended};
use super::said::WORDS;
use crate::actions::Act;
use crate::dialogs::{Answer, Confirm, Dialog, Page, Question};
use crate::engine::spec::{JobSpec, PackJob};
use crate::failure::Failure;

/// Whether it is left without the list.
pub(super) const UNSAVED: Question = Question { act: Act::Quit, part: 1 };

impl App {
    /// Ctrl-C: the first asks, the second stops the job safely and leaves.
    pub(super) fn interrupt(&mut self) {
        self.interrupts += 1;
        self.words = None;
        match self.model.running() {
            Some(_) if self.interrupts == 1 => {
                let span = WORDS.as_secs();
                self.say(format!("Ctrl-C again within {span} s stops the job at a safe point and quits"));
            }
            _ if self.interrupts == 1 => {
                let quit = self.model.key(Act::Quit);
                self.say(format!("press Ctrl-C again or {quit} to quit"));
            }
            Some(_) => {
                // A device that does not answer may hold a job for ever: what is there stays, to be resumed.
                (self.abandoned, self.terminated) = (self.terminated, true);
                self.leave();
                self.say("stopping at the next safe point; Ctrl-C once more quits at once");
            }
            None if self.interrupts == 2 => self.part(),
            None => self.leave(),
        }
    }

    /// Leaves once the list is written; where it cannot be, that is asked first. Whoever would not wait asks again.
    pub(super) fn part(&mut self) {
        if std::mem::take(&mut self.keeper.parting) || self.is_saved() {
            return self.leave();
        }
        self.keeper.parting = true;
        let quit = self.model.key(Act::Quit);
        self.say(format!("the list is saved first; {quit} again waits for nothing"));
        self.todo.effects.push_back(Effect::AwaitWrites);
    }

    /// Whether nothing is asked or done before the list is written.
    pub(super) const fn is_parting(&self) -> bool {
        self.keeper.parting
    }

    /// The list is written, or cannot be, for one who is about to leave.
    pub(super) fn part_or_ask(&mut self, unsaved: Option<Failure>) {
        if !std::mem::take(&mut self.keeper.parting) {
            return;
        }
        let Some(failure) = unsaved else { return self.leave() };
        self.words = None;
        let words = vec![
            format!("The list of images could not be saved: {}", failure.message),
            "The next start begins with it as it was saved last.".to_owned(),
        ];
        let confirm = Confirm::new(UNSAVED, "Quit without the list?", words, "Save it elsewhere");
        self.later.unasked = true;
        self.todo.dialogs.push(confirm.or("Quit without it").into());
    }

    /// It was answered what becomes of a list that could not be saved.
    pub(super) fn unsaved(&mut self, answer: &Answer) {
        match answer {
            Answer::Rows(rows) if rows.first() == Some(&0) => {
                self.keeper.leaving = true;
                self.go(Place::Images);
                self.act(Act::ImagesSave);
            }
            _ => self.leave(),
        }
    }

    /// The list was saved in another place, which one who wanted to leave was asked for.
    pub(super) fn leave_saved(&mut self) {
        if std::mem::take(&mut self.keeper.leaving) {
            self.leave();
        }
    }

    /// Stops what runs at a safe point and leaves; the loop waits for the job's end.
    pub(super) fn leave(&mut self) {
        (self.model.next, self.model.assembly.due) = (None, None);
        self.cut |= self.model.busy().is_some();
        if let Some(id) = job::stop(&mut self.model) {
            self.todo.effects.push_back(Effect::Cancel(id));
        }
        self.todo.effects.push_back(Effect::Quit);
    }

    /// What is said on the terminal that was given back: how the job ended that was stopped for that, what it left, and
    /// what goes on from there.
    pub fn farewell(&self) -> Vec<String> {
        let Some(job) = self.model.job.as_ref().filter(|_| self.cut).or_else(|| self.unfinished()) else {
            return Vec::new();
        };
        let title = job.spec.title();
        let (first, left) = match &job.ended {
            Some(Ended::Succeeded(report)) => match report.verdict() {
                None => (format!("done: {title}"), Vec::new()),
                Some(verdict) => (format!("{title}: {verdict}"), verdict.hints.clone()),
            },
            Some(Ended::Failed(failure)) => (format!("{title}: {}", failure.message), failure.hints.clone()),
            Some(Ended::Cancelled) => (format!("stopped at a safe point: {title}"), job.left.clone()),
            None => (format!("left before it stopped: {title}"), Vec::new()),
        };
        let mut lines: Vec<String> = std::iter::once(first).chain(left).collect();
        if !matches!(job.ended, Some(Ended::Succeeded(_))) {
            let spec = going_on(self.model.recorded(job));
            let does = if spec.goes_on() { "goes on from here" } else { "begins it anew" };
            lines.push(format!("this {does}: {}", self.model.settings.shell(&spec)));
        }
        lines
    }

    /// Whether a job was stopped to leave, and made nothing: what is reported is of those before it.
    pub(super) fn was_cut_off(&self) -> bool {
        let made = |job: &JobState| matches!(job.ended, Some(Ended::Succeeded(_)));
        self.cut && self.model.job.as_ref().is_some_and(|job| !made(job))
    }

    /// Whether what was cut off is to be looked for before it is told: a pack that ran last did not come to its end.
    pub(super) fn left_a_pack(&self) -> bool {
        let ended = |job: &&JobState| !matches!(job.ended, Some(Ended::Succeeded(_)));
        self.model.job_of(Act::Pack).is_some_and(|job| ended(&job))
    }

    /// The last pack, where it did not come to its end and is offered again.
    fn unfinished(&self) -> Option<&JobState> {
        let job = &self.model.assembly.run.as_ref()?.job;
        let ended = matches!(job.ended, Some(Ended::Failed(_) | Ended::Cancelled));
        self.model.left_by(job).filter(|_| ended).map(|_| job)
    }

    /// Leaves; while a job runs that is asked first.
    pub(super) fn quit(&mut self) {
        self.leaving = false;
        if self.model.running().is_none() {
            return self.part();
        }
        let paused = self.model.running().is_some_and(|job| job.paused);
        let (now, wait, button) = match paused {
            true => ("A job is paused", "Or resume it", "Resume, then quit"),
            false => ("A job is running", "Or wait", "Wait, then quit"),
        };
        let kept = match self.model.running().map(|job| &job.spec).filter(|spec| spec.goes_on()) {
            Some(JobSpec::Undo(_)) => "If it is stopped at a safe point, the same one goes on from there",
            Some(_) => {
                "If it is stopped at a safe point, its finished work is kept and Start offers to resume it"
            }
            None => "If it is stopped, nothing of it is kept: it begins anew the next time",
        };
        let words = vec![
            format!("{now}. {kept}."),
            format!("{wait}: airlift quits as soon as the job succeeds, and stays to say why if it fails."),
        ];
        let confirm = Confirm::new(Act::Quit, "Quit while a job runs?", words, "Stop safely and quit");
        self.dialogs.push(confirm.or(button).into());
    }

    /// A question was answered with Cancel: what that leaves as it is.
    pub(super) fn cancelled(&mut self, question: Option<Question>) {
        let leaves = question.is_some_and(|question| matches!(question.act, Act::Quit | Act::Stop));
        let words = match self.model.running().filter(|_| leaves) {
            None => "cancelled; nothing was done".to_owned(),
            Some(job) if job.stopping => format!("cancelled; the {} still stops", job.spec.subcommand()),
            Some(job) if job.paused => format!("cancelled; the {} stays paused", job.spec.subcommand()),
            Some(job) => format!("cancelled; the {} goes on", job.spec.subcommand()),
        };
        self.say(words);
    }

    /// Pauses the job that runs, or lets it go on; whether it is paused now.
    pub(super) fn pause(&mut self) -> Option<bool> {
        let (id, paused) = job::pause(&mut self.model)?;
        self.todo.effects.push_back(Effect::Pause(id, paused));
        Some(paused)
    }

    /// Leaves as soon as the job that runs is done; one that is paused goes on for that.
    pub(super) fn leave_after(&mut self) {
        self.leaving = self.model.running().is_some();
        if self.model.running().is_some_and(|job| job.paused) {
            self.pause();
        }
        match self.leaving {
            true => {
                let quit = self.model.key(Act::Quit);
                self.say(format!("this is left as soon as the job is done; {quit} asks again"));
            }
            false => self.part(),
        }
    }

    /// The job ended while that was asked: there is nothing to stop any more, and that is said in the question's place.
    pub(super) fn nothing_to_stop(&mut self) {
        let asks = |dialog: &Dialog| dialog.question() == Some(Act::Stop.into());
        if self.dialogs.iter().any(asks) {
            let words = match self.model.job.as_ref().and_then(|job| job.ended.as_ref()) {
                Some(Ended::Failed(failure)) => {
                    format!("It failed before it was stopped: {}", failure.message)
                }
                Some(Ended::Cancelled) => "It has stopped by now.".to_owned(),
                _ => "It came to its end before it was stopped.".to_owned(),
            };
            let lines = [words, "There is nothing to stop any more; nothing was done.".to_owned()];
            self.close(Act::Stop.into(), Some(Page::over("The job has ended", lines)));
        }
    }

    /// Asks whether the job is to stop.
    pub(super) fn confirm_stop(&mut self) {
        let Some(job) = self.model.running() else { return };
        let kept = match job.spec.goes_on() {
            true => "Its work is kept; the same job resumes from there.",
            false => "Nothing of it is kept; it begins anew the next time.",
        };
        let mut words = vec![format!("The job stops at the next safe point. {kept}")];
        if job.act == Act::Pack {
            words.push("A stopped job signs nothing.".to_owned());
        }
        self.dialogs.push(Confirm::new(Act::Stop, "Stop the job?", words, "Stop safely").into());
    }
}

/// What goes on with a job: a pack that began anew does that once.
fn going_on(spec: &JobSpec) -> JobSpec {
    match spec {
        JobSpec::Pack(job) => JobSpec::Pack(PackJob { anew: false, ..job.clone() }),
        other => other.clone(),
    }
}
