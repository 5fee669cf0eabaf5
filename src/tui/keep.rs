//! Keeps the list of images from one run to the next, and nobody else does: written when one leaves it, before a job, and after a pause.

mod unsaved;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app::App;
use super::beside::{Joined, join, off};
use super::model::Place;
use super::msg::{Effect, Level};
use super::picked::{Image, Picked};
use super::words::{came_and_went, count};
use crate::domain::lint::Severity;
use crate::engine::spec::JobSpec;
use crate::widgets::stepper::StepState;

/// Without a change for so long, the list is written.
const PAUSE: Duration = Duration::from_millis(250);

/// Images that came or went at once and have a line of the log each.
const NAMED: usize = 20;

/// What of the list was written.
#[derive(Debug)]
pub(super) struct Keeper {
    /// The state that was given to be written.
    kept: Option<u64>,
    /// The state that could not be written.
    failed: Option<u64>,
    /// How often it was given to be written without a word yet on what came of it.
    under_way: usize,
    /// The state that was saved in another place, and where.
    elsewhere: Option<(u64, PathBuf)>,
    /// The state that the step's word is about, and whether what could not be read is in its way.
    judged: Option<(u64, bool)>,
    /// Whether the file could not be read: it is kept beside the one that is written then.
    unread: bool,
    /// The state that is not written yet, and when it came to be.
    pending: Option<(u64, Duration)>,
    /// The kept list that the other workstation left, until no question about a row of this one is open.
    freed: Option<String>,
    /// The name of the series that is kept beside it.
    pub(super) named: Option<String>,
    /// Whether this is left as soon as it is written.
    pub(super) parting: bool,
    /// The same, as soon as it is saved in another place.
    pub(super) leaving: bool,
    /// What somebody wrote into the file of the list, in the same way: what that was before, and what it was then.
    edited: Vec<(String, String)>,
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            kept: Some(0),
            failed: None,
            under_way: 0,
            elsewhere: None,
            judged: None,
            unread: false,
            pending: None,
            freed: None,
            named: None,
            parting: false,
            leaving: false,
            edited: Vec::new(),
        }
    }
}

impl Keeper {
    /// Whether something is still to be written.
    pub(super) const fn waits(&self) -> bool {
        self.pending.is_some()
    }
}

impl App {
    /// The list of the last time came.
    pub(super) fn restore(&mut self, text: &str, written: jiff::Timestamp) {
        let untouched = Some(self.model.picked.revision()) == self.keeper.kept;
        let added = self.model.picked.restore(text);
        if untouched {
            self.keeper.kept = Some(self.model.picked.revision());
        }
        if added > 0 {
            self.model.picked.restored = Some((added, written));
        }
        if self.model.beside.is_some() {
            self.todo.effects.push_back(Effect::AwaitList);
        }
    }

    /// The other workstation has ended.
    pub(super) fn freed(&mut self, theirs: &str) {
        self.keeper.freed = Some(theirs.to_owned());
    }

    /// Another one of those that run beside it has the kept list now.
    pub(super) fn is_held_by(&mut self, who: &str) {
        if let Some(beside) = self.model.beside.as_mut().filter(|beside| beside.who.as_deref() != Some(who)) {
            beside.who = Some(who.to_owned());
            let words = beside.words();
            self.model.note(Level::Info, words);
        }
    }

    /// Somebody wrote into the file of the list.
    pub(super) fn edited(&mut self, was: &str, now: &str) {
        self.keeper.edited.push((was.to_owned(), now.to_owned()));
    }

    /// What somebody wrote into the file of the list is here, too.
    fn take_in(&mut self, was: &str, theirs: &str) {
        let before = self.model.picked.revision();
        let text = join(was, theirs, &self.model.picked.text());
        let (came, went) = self.model.picked.become_one(&text, false);
        if self.model.picked.revision() != before {
            self.model.changed(Place::Images);
        }
        let what = came_and_went(&came, &went).map_or_else(String::new, |words| format!(": {words}"));
        self.say(format!("somebody else changed the file of the list meanwhile{what}"));
        self.name_each("changed in the list's file", &came, &went);
    }

    /// Every image that came and that went has a line of the log, the first ones of many.
    fn name_each(&mut self, why: &str, came: &[String], went: &[String]) {
        for (names, did) in [(came, "came"), (went, "went")] {
            for name in names.iter().take(NAMED) {
                self.model.note(Level::Warn, format!("{why}: {name} {did}"));
            }
            if let more @ 1.. = names.len().saturating_sub(NAMED) {
                self.model.note(Level::Warn, format!("{why}: {more} more {did}"));
            }
        }
    }

    /// The list of the other one and this one are one again, kept as that was.
    fn take_over(&mut self, theirs: &str) {
        let Some(beside) = self.model.beside.take() else { return };
        let (before, platforms) = (self.model.picked.revision(), self.model.picked.platform_words());
        let text = join(&beside.began_with, theirs, &self.model.picked.text());
        let (came, went) = self.model.picked.become_one(&text, true);
        if self.model.picked.revision() != before {
            self.model.changed(Place::Images);
        }
        self.keeper.kept = None;
        let now = self.model.picked.platform_words();
        let what = match came_and_went(&came, &went) {
            None => "this one has the list now".to_owned(),
            Some(words) => format!("its list joined this one: {words}"),
        };
        let platforms = if now == platforms { String::new() } else { format!("; it is for {now} now") };
        let off = taken_off(&off(theirs, &text), "here");
        let words = format!("the other workstation has ended: {what}{platforms}{off}");
        self.model.note(Level::Info, &words);
        self.name_each("the list of the other workstation joined this one", &came, &went);
        self.say(words);
    }

    /// Whose list this is, and what came to it while no workstation had it, is said.
    pub(super) fn begins_with(&mut self, joined: Joined) {
        if let Some(beside) = &self.model.beside {
            let words = beside.words();
            self.model.note(Level::Warn, words);
        }
        let Joined { lines, off, trouble } = joined;
        if lines > 0 || !off.is_empty() {
            let what = match lines {
                0 => "a workstation that ran beside another has ended".to_owned(),
                _ => format!(
                    "{} joined the list, from a workstation that ran beside another",
                    count(lines, "line")
                ),
            };
            let words = format!("{what}{}", taken_off(&off, "there"));
            self.model.note(Level::Info, &words);
            // Once more where the list is: whoever goes there at once has not read it.
            self.model.picked.joined = Some(words.clone());
            self.say(words);
        }
        if let Some(reason) = trouble {
            let words = format!("what was picked beside another workstation stays apart for now: {reason}");
            self.model.note(Level::Warn, &words);
            self.say(words);
        }
    }

    /// The list of the last time could not be read.
    pub(super) fn not_restored(&mut self) {
        self.keeper.unread = true;
    }

    /// Writes the list where that is due; before everything else that is to be done outside.
    pub(super) fn keep(&mut self) {
        self.keep_name();
        let leaves =
            self.todo.effects.iter().any(|effect| matches!(effect, Effect::Quit | Effect::AwaitWrites));
        let mut taken_in = 0;
        if self.dialogs.is_empty() || leaves {
            for (was, theirs) in std::mem::take(&mut self.keeper.edited) {
                self.take_in(&was, &theirs);
                taken_in += 1;
            }
            if let Some(theirs) = self.keeper.freed.take() {
                self.take_over(&theirs);
            }
        }
        self.write_list();
        // Before the text that has them.
        if taken_in > 0 {
            self.todo.effects.push_front(Effect::TakenIn(taken_in));
        }
    }

    /// Writes the list where that is due.
    fn write_list(&mut self) {
        if std::mem::take(&mut self.model.picked.settled) {
            self.keeper.kept = None;
        }
        let now = self.model.picked.revision();
        let judged = Some((now, self.model.picked.waits_for_unread()));
        if self.keeper.judged != judged {
            self.keeper.judged = judged;
            self.model.set_state(Place::Images, standing(&self.model.picked));
        }
        // The job reads the file: it is written anew, whoever changed or removed it since.
        let read = |effect: &Effect| match effect {
            Effect::Start(_, spec) => {
                matches!(&**spec, JobSpec::Resolve(job) if !job.images.sources.is_empty())
            }
            _ => false,
        };
        // What was written in between is in the file until it is taken in: nothing goes over it before that.
        if !self.keeper.edited.is_empty() && !self.todo.effects.iter().any(read) {
            return;
        }
        if self.keeper.kept == Some(now) && !self.todo.effects.iter().any(read) {
            self.keeper.pending = None;
            return;
        }
        let since = match self.keeper.pending {
            Some((revision, since)) if revision == now => since,
            _ => self.model.at,
        };
        self.keeper.pending = Some((now, since));
        let goes = |effect: &Effect| matches!(effect, Effect::Start(..) | Effect::Quit | Effect::AwaitWrites);
        let due = self.model.at.saturating_sub(since) >= PAUSE || self.model.place != Place::Images;
        // What could not be written is tried again only where something needs it, or it was changed since.
        let failed = self.keeper.failed == Some(now);
        if failed {
            self.keeper.pending = None;
        }
        if self.todo.effects.iter().any(goes) || (due && !failed) {
            let settings = &self.model.settings;
            let (path, kept, text) = (settings.list_file(), settings.kept_list(), self.model.picked.text());
            // What began apart and was taken over: the next workstation looks for it where the list is always kept.
            if path != kept && self.model.beside.is_none() {
                self.todo.effects.push_front(Effect::Save(kept, text.clone()));
            }
            self.todo.effects.push_front(Effect::Save(path, text));
            self.keeper.under_way += 1;
            if std::mem::take(&mut self.keeper.unread) {
                self.todo.effects.push_front(Effect::Aside);
            }
            (self.keeper.kept, self.keeper.pending) = (Some(now), None);
        }
    }

    /// A file was written or not: where it is the list, that is known from now on. Whether it is the first time.
    pub(super) fn list_written(&mut self, path: &Path, written: bool) -> bool {
        if path != self.model.settings.list_file() {
            return true;
        }
        self.keeper.under_way = self.keeper.under_way.saturating_sub(1);
        let first = self.keeper.failed.is_none();
        if written {
            self.keeper.failed = None;
        } else {
            self.keeper.failed = self.keeper.kept.take().or(self.keeper.failed);
        }
        first
    }
}

/// What went off a list since another workstation took it off its own.
fn taken_off(off: &[String], place: &str) -> String {
    match off {
        [] => String::new(),
        [first] => format!("; {first} was taken off {place}, and is off the list"),
        [first, others @ ..] => {
            format!("; {first} and {} more were taken off {place}, and are off the list", others.len())
        }
    }
}

/// How the step stands: by the names alone, as the next one asks the registries.
fn standing(picked: &Picked) -> StepState {
    let warned = |image: &Image| image.findings.iter().any(|finding| finding.severity != Severity::Info);
    match picked.images.as_slice() {
        _ if picked.waits_for_unread() => StepState::Failed,
        _ if picked.unread_words().is_some() => StepState::Warn,
        [] => StepState::Todo,
        images if images.iter().any(warned) => StepState::Warn,
        _ => StepState::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_what_went_off_a_list_is_named_and_the_others_are_counted() {
        let names = ["a:1", "b:1", "c:1"].map(str::to_owned);
        for (count, words) in [
            (0, ""),
            (1, "; a:1 was taken off there, and is off the list"),
            (3, "; a:1 and 2 more were taken off there, and are off the list"),
        ] {
            assert_eq!(taken_off(&names[..count], "there"), words);
        }
    }
}
