//! What Verify changes on the list: another reference in the place of one, references that go, and digests beside tags.

use std::collections::{BTreeSet, HashSet};

use super::Resolve;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::reference::Reference;
use crate::domain::selection::Request;
use crate::domain::text;
use crate::screens::images::named;
use crate::tui::checked::Checked;
use crate::tui::model::{Model, Place};
use crate::tui::msg::Effect;
use crate::tui::picked::Rewritten;
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;

/// Takes rows off the list; the others stay verified where they are.
pub(super) fn drop_from(rows: &BTreeSet<usize>, cx: &mut Cx<'_>) {
    // What runs, or is about to, asks for the list as it was.
    if cx.busy() {
        cx.model.picked.drop_rows(rows);
        return cx.model.changed(Place::Images);
    }
    let gone = cx.model.picked.drop_asked(rows);
    if gone.is_empty() || cx.model.picked.images.is_empty() {
        return cx.model.changed(Place::Images);
    }
    cx.effect(Effect::LeaveOut(cx.model.settings.lock_file(), gone));
    again(cx.model);
}

/// The list is another one: what came back to it by that is as it was when it was dropped.
pub(in crate::screens) fn come_back(cx: &mut Cx<'_>) {
    // What runs, or is about to, writes the lock file, or reads it, as it is.
    let back = if cx.busy() { BTreeSet::new() } else { cx.model.picked.come_back() };
    if !back.is_empty() {
        cx.effect(Effect::PutBack(cx.model.settings.lock_file(), back));
    }
    again(cx.model);
}

/// Writes another reference into a row and says what that did, and what takes it back; whether it changed anything.
pub(in crate::screens) fn write(row: usize, text: &str, undo: Act, cx: &mut Cx<'_>) -> bool {
    let done = match cx.model.picked.rewrite(row, text) {
        Ok(done) => done,
        Err(error) => {
            cx.say(error.to_string());
            return false;
        }
    };
    if done != Rewritten::Same {
        come_back(cx);
    }
    let undoes = format!("{} undoes it", cx.model.key(undo));
    // Only Verify has the other key, and only what was not verified has need of it.
    let verifies = undo == Act::ResolveUndo && done == Rewritten::Replaced && !cx.model.picked.is_current();
    let after = match verifies {
        true => format!("{} verifies it, {undoes}", cx.model.key(Act::Resolve)),
        false => undoes,
    };
    cx.say(done.words(text, &after));
    done != Rewritten::Same
}

/// The list is another one: it is to be verified, but where it is one again that was.
fn again(model: &mut Model) {
    if !(model.picked.is_locked() && model.picked.is_current()) {
        return model.changed(Place::Images);
    }
    let state = model.picked.standing();
    model.set_state(Place::Resolve, state);
    model.changed(Place::Resolve);
}

impl Resolve {
    /// Asks what is to stand in the place of the row.
    pub(super) fn edit(&mut self, cx: &mut Cx<'_>) {
        let Some(image) = self.row().and_then(|row| cx.model.picked.images.get(row)) else { return };
        let why = match cx.model.picked.checked_of(image) {
            Some(Checked::Failed(miss)) => miss.why().to_owned(),
            _ => String::new(),
        };
        self.edited = Some(image.request.reference.clone());
        cx.open(named(Act::ResolveEdit.into(), &image.request.requested, &why));
    }

    /// Another reference was typed in the place of one.
    pub(super) fn rewrite(&mut self, text: &str, cx: &mut Cx<'_>) {
        let edited = self.edited.take();
        let images = &cx.model.picked.images;
        let row = images.iter().position(|image| Some(&image.request.reference) == edited.as_ref());
        let Some(row) = row else { return };
        let had_failed = matches!(cx.model.picked.checked(row), Some(Checked::Failed(_)));
        if !write(row, text, Act::ResolveUndo, cx) {
            return;
        }
        self.sync(cx.model);
        // It is no failure any more and stands elsewhere: the next key is meant for what failed still.
        let failed = |row: &&usize| matches!(cx.model.picked.checked(**row), Some(Checked::Failed(_)));
        let left = self.order.iter().filter(failed).count();
        if had_failed && left > 0 {
            if self.list.row().is_none_or(|at| at >= left) {
                self.list.select(left - 1);
            }
            return;
        }
        let written = Request::parse(text).map(|request| request.reference).ok();
        let images = &cx.model.picked.images;
        let is_written =
            |row: &usize| images.get(*row).map(|image| &image.request.reference) == written.as_ref();
        if let Some(at) = self.order.iter().position(is_written) {
            self.list.select(at);
        }
    }

    /// Takes back the last change of the list; the cursor goes to what came back by it, which the next key is meant for.
    pub(super) fn undo(&mut self, cx: &mut Cx<'_>) {
        let images = &cx.model.picked.images;
        let before: HashSet<Reference> = images.iter().map(|image| image.request.reference.clone()).collect();
        crate::screens::images::undo(cx);
        self.sync(cx.model);
        let images = &cx.model.picked.images;
        let is_back =
            |row: &usize| images.get(*row).is_some_and(|image| !before.contains(&image.request.reference));
        if let Some(at) = self.order.iter().position(is_back) {
            self.list.select(at);
        }
    }

    /// Asks whether tags get their digests beside them.
    pub(super) fn pin(&self, cx: &mut Cx<'_>) {
        let pins = cx.model.picked.pins();
        let seen = self.seen().rows;
        let hidden = pins.iter().filter(|(row, _)| !seen.contains(row)).count();
        let example = pins.first().map(|(_, text)| text.clone()).unwrap_or_default();
        let mut plan = vec![
            format!("{} will get a digest after the tag, as in", words::count(pins.len(), "reference")),
            text::middle(&example, 64).into_owned(),
        ];
        if hidden > 0 {
            plan.push(format!("The filter hides {hidden} of them."));
        }
        plan.extend(words::PINNING.map(str::to_owned));
        cx.open(Confirm::new(Act::ResolvePin, "Pin the digests?", plan, "Pin"));
    }
}
