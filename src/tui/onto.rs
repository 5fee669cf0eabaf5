//! The one way in which a pack starts, for the first time, again or resumed: its destination is looked at and compared first.

use std::path::Path;

use super::app::App;
use super::assembly::Due;
use super::medium::{Chosen, stays};
use super::model::{Model, Place};
use super::msg::{Effect, Level};
use super::words;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::bundle::directory;
use crate::domain::media::BundleWords;
use crate::engine::error::{EngineError, Kind};
use crate::engine::jobs::onto::OntoError;
use crate::engine::media;
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

impl App {
    /// A destination was looked at: the pack that waits for that starts, or it is said or asked why not.
    pub(super) fn looked_at(&mut self, path: &Path, place: &media::Place) {
        let Some(due) = self.model.assembly.due.take_if(|due| due.job.to == path) else { return };
        if let Some(failure) = in_the_way(&self.model, &due, place) {
            self.model.note(Level::Fail, &failure.message);
            return self
                .todo
                .dialogs
                .push(words::failure_page("Not what was chosen", &failure, &self.model.keymap).into());
        }
        if let Some(words) = made_meanwhile(&self.model, &due, place) {
            self.model.assembly.outdate();
            self.model.note(Level::Warn, &words);
            return self.say(words);
        }
        let gone = self.model.cut_of(&due.job).is_some_and(|cut| cut.progress().is_none());
        if due.resumed && gone && !due.from_nothing {
            self.todo.dialogs.push(without_an_unfinished_one(&due, place).into());
            self.model.assembly.due = Some(due);
            return;
        }
        let back = !due.resumed && is_back(&self.model, &due, place);
        match due.resumed {
            true => self.model.go_on_with(&due.job, place),
            false if back => self.model.adopt(&due.job, place),
            false => {}
        }
        if due.resumed || back {
            self.todo.effects.extend(self.model.ask_key().map(Effect::Ask));
        }
        if let Some(chosen) = &mut self.model.chosen {
            chosen.back = false;
        }
        self.model.assembly.onto = Some(place.carrier());
        self.model.assembly.stays = stays(place.medium.as_ref());
        self.todo.effects.push_back(Effect::Start(Act::Pack, Box::new(JobSpec::Pack(due.job))));
        self.todo.place = Some(Place::Assemble);
    }
}

impl Model {
    /// Whether a pack waits only for a look at its destination.
    pub fn starts_soon(&self) -> bool {
        self.assembly.due.is_some()
    }
}

/// What another run signed there since it was planned what is to be made: what was confirmed is not what would come of it.
fn made_meanwhile(model: &Model, due: &Due, there: &media::Place) -> Option<String> {
    let planned = model.assembly.plan.as_ref().filter(|_| model.assembly.run.is_none() && !due.resumed)?;
    let planned = &planned.outcome.as_ref().ok()?.place;
    let name = &due.job.name;
    let signed = there.bundles.iter().filter_map(|found| found.words.as_ref());
    let newest =
        signed.filter(|words| words.name == *name && words.signatures > 0).map(|words| words.serial).max()?;
    let made = !planned.repeats && newest >= planned.serial;
    made.then(|| {
        format!(
            "nothing was started: another run signed {} since this was planned; look at the new plan",
            directory(name, newest)
        )
    })
}

/// Asks how a pack is to go on of which no unfinished bundle is there: it may have been going over a signed one.
fn without_an_unfinished_one(due: &Due, place: &media::Place) -> Confirm {
    let (name, path) = (&due.job.name, place.path.display());
    let carrier = format!("That is {}, as it was when the pack was interrupted.", place.carrier());
    let own = |words: &&BundleWords| words.name == *name && words.signatures > 0;
    let words = place.bundles.iter().filter_map(|found| found.words.as_ref()).filter(own);
    if let Some(words) = words.max_by_key(|words| words.serial) {
        let serial = words.serial;
        let plan = vec![
            format!("{name}-{serial} is signed in {path}, by its own word; no unfinished one is there."),
            carrier,
            "What is there is kept: with the same images every byte of it is hashed and read back once more; with \
             others the next serial is written beside it."
                .to_owned(),
        ];
        return Confirm::new(Act::Resume, "Go on with what is signed?", plan, "Go over it again");
    }
    let plan = vec![
        format!("Nothing of {name} is in {path}."),
        carrier,
        "Everything is fetched and written again.".to_owned(),
    ];
    Confirm::new(Act::Resume, "Start again from nothing?", plan, "Start again")
}

/// Whether the medium of a pack that was cut off by its loss is there again: another insertion, but the same carrier.
fn is_back(model: &Model, due: &Due, now: &media::Place) -> bool {
    let lost = |chosen: &&Chosen| chosen.path == due.job.to && chosen.gone.is_some();
    let Some(chosen) = model.chosen.as_ref().filter(lost) else { return false };
    let now = now.carrier();
    // One that was lost before it began to write left no record.
    let recorded = model.cut_of(&due.job).is_none_or(|cut| now.is_still(&cut.job.carrier));
    !due.job.anew && model.cut_short() && recorded && now.is_still(&chosen.carrier)
}

/// Why a pack does not start, by what its destination is now.
fn in_the_way(model: &Model, due: &Due, now: &media::Place) -> Option<Failure> {
    if is_back(model, due, now) {
        return None;
    }
    let chosen = model.chosen.as_ref().filter(|chosen| !due.resumed && chosen.path == due.job.to);
    if let Some(reason) = chosen.and_then(|chosen| chosen.differs_from(now)) {
        let there = model.key(Act::Step3);
        let next = format!("nothing was written; plug the medium in again, or {there} chooses another one");
        return Some(Failure::new(Kind::Medium, reason).hint(next));
    }
    let cut = model.cut_of(&due.job).filter(|_| !due.job.anew)?;
    let (before, now) = (&cut.job.carrier, now.carrier());
    if now.is_still(before) {
        return None;
    }
    let (before, now) = (Box::new(before.clone()), Box::new(now));
    let error = OntoError::Elsewhere { name: due.job.name.clone(), to: due.job.to.clone(), before, now };
    Some(EngineError::from(error).into())
}
