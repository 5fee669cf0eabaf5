//! The ways out and what stands in them: Ctrl-C, `q` and signals while a job runs, and stopping that job alone.

use super::app::App;
use super::job;
use super::msg::Effect;
use crate::actions::Act;
use crate::dialogs::Confirm;

impl App {
    /// Ctrl-C: the first asks, the second stops the job safely and leaves.
    pub(super) fn interrupt(&mut self) {
        self.interrupts += 1;
        match self.model.running() {
            Some(_) if self.interrupts == 1 => {
                self.say("Ctrl-C again stops the job at a safe point and leaves");
            }
            _ if self.interrupts == 1 => {
                let quit = self.model.key(Act::Quit);
                self.say(format!("{quit} leaves; so does Ctrl-C again"));
            }
            Some(_) => {
                // A device that does not answer may hold a job for ever: what is there stays, to be resumed.
                (self.abandoned, self.terminated) = (self.terminated, true);
                self.leave();
                self.say("stopping at the next safe point; Ctrl-C once more leaves at once");
            }
            None => self.leave(),
        }
    }

    /// Stops what runs at a safe point and leaves; the loop waits for the job's end.
    pub(super) fn leave(&mut self) {
        (self.model.next, self.model.assembly.due) = (None, None);
        if let Some(id) = job::stop(&mut self.model) {
            self.todo.effects.push_back(Effect::Cancel(id));
        }
        self.todo.effects.push_back(Effect::Quit);
    }

    /// Leaves; while a job runs that is asked first.
    pub(super) fn quit(&mut self) {
        self.leaving = false;
        if self.model.running().is_none() {
            return self.leave();
        }
        let paused = self.model.running().is_some_and(|job| job.paused);
        let (now, wait, button) = match paused {
            true => ("A job is paused.", "Let go on, it", "Go on, then leave"),
            false => ("A job is running.", "Waited for, it", "Wait, then leave"),
        };
        let words = vec![
            format!(
                "{now} Stopped at a safe point it keeps what is done, and the start screen offers to go on with it."
            ),
            format!("{wait} is left as soon as it is done; where it fails, this stays and says why."),
        ];
        let confirm = Confirm::new(Act::Quit, "Leave while a job runs?", words, "Stop safely and leave");
        self.dialogs.push(confirm.or(button).into());
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
            false => self.leave(),
        }
    }

    /// Asks whether the job is to stop.
    pub(super) fn confirm_stop(&mut self) {
        let words = vec![
            "The job stops at the next safe point. What is done is kept; the same job goes on from there."
                .to_owned(),
            "Nothing is signed by a job that was stopped.".to_owned(),
        ];
        self.dialogs.push(Confirm::new(Act::Stop, "Stop the job?", words, "Stop safely").into());
    }
}
