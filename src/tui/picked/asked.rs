//! The list against what came of asking for it: whether that still holds, what failed, what can be pinned.

use std::collections::{BTreeSet, HashSet};

use super::{Basis, Checked, Held, Image, Picked};
use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::domain::lint::lint;
use crate::domain::reference::Reference;
use crate::domain::resolved::ImageView;
use crate::domain::selection::Request;
use crate::domain::text;
use crate::engine::resolve::{FailedView, ResolveReport};
use crate::tui::checked::Gone;
use crate::tui::words::came_and_went;
use crate::widgets::stepper::StepState;

impl Picked {
    /// What is known of a row.
    pub fn checked(&self, row: usize) -> Option<&Checked> {
        self.checked_of(self.images.get(row)?)
    }

    fn basis(&self) -> Basis {
        let references = self.images.iter().map(|image| image.request.reference.to_string());
        let unread = self.unread.iter().map(|unread| unread.text.clone()).collect();
        Basis { references: references.collect(), unread, platforms: self.platforms.clone() }
    }

    /// Whether the list is the one that was asked for last.
    pub fn is_current(&self) -> bool {
        self.held(|held| held.same).unwrap_or_default()
    }

    /// What came to the list since it was asked for last, and what went; nothing where no name did.
    pub fn changes(&self) -> Option<String> {
        self.held(|held| held.changes.clone())?
    }

    /// What is known of the list as it is against the one that was asked for last; held against it once a change.
    fn held<T>(&self, of: impl Fn(&Held) -> T) -> Option<T> {
        let asked = self.asked.as_ref()?;
        let mut held = self.current.borrow_mut();
        if held.as_ref().is_none_or(|held| held.at != self.revision) {
            let now = self.basis();
            let names = |names: &BTreeSet<String>, but: &BTreeSet<String>| -> Vec<String> {
                names.difference(but).map(|name| text::short_digests(name)).collect()
            };
            let (before, after) = (&asked.references, &now.references);
            let changes = came_and_went(&names(after, before), &names(before, after));
            *held = Some(Held { at: self.revision, same: *asked == now, changes });
        }
        held.as_ref().map(of)
    }

    /// The whole list is asked for.
    pub fn begin_all(&mut self) {
        self.asked = Some(self.basis());
        self.current.take();
        self.locked = false;
        self.without.clear();
        self.without_unread = false;
        self.dropped.clear();
        self.checked.begin_all();
    }

    /// Whether the lock file is about what was asked for, so that a part of it can be asked for again.
    pub const fn is_locked(&self) -> bool {
        self.locked
    }

    /// Takes rows off the list. Where the rest of the list stays verified by that, these are the references that the
    /// lock file has to lose.
    pub fn drop_asked(&mut self, rows: &BTreeSet<usize>) -> BTreeSet<Reference> {
        // The lock file names what could not be read, too.
        let images = rows.iter().all(|row| *row < self.images.len());
        let stands = images && self.locked && self.is_current();
        let mut gone: BTreeSet<Reference> = self.references().into_iter().collect();
        if self.drop_rows(rows) == 0 || !stands {
            return BTreeSet::new();
        }
        let stays = self.references();
        gone.retain(|reference| !stays.contains(reference));
        let names: BTreeSet<String> = gone.iter().map(ToString::to_string).collect();
        self.without.retain(|reference| !names.contains(reference));
        self.dropped.extend(self.checked.forget(&names));
        self.asked = Some(self.basis());
        self.current.take();
        self.sum();
        gone
    }

    /// What was taken off the list and is on it again stands as it did then, and what is written otherwise stands as it
    /// does, where that is all that changed. These are the references that the lock file has to speak of again.
    pub fn come_back(&mut self) -> BTreeSet<Reference> {
        let Some(asked) = self.asked.as_ref().filter(|_| self.locked) else { return BTreeSet::new() };
        let now = self.basis();
        let mut back = self.references();
        back.retain(|reference| !asked.references.contains(&reference.to_string()));
        let known = back.iter().all(|reference| self.dropped.contains_key(&reference.to_string()));
        if (&now.platforms, &now.unread) != (&asked.platforms, &asked.unread)
            || !known
            || !asked.references.is_subset(&now.references)
        {
            return BTreeSet::new();
        }
        for reference in back.iter().map(ToString::to_string) {
            if let Some(forgotten) = self.dropped.remove(&reference) {
                self.checked.put_back(&reference, forgotten);
            }
        }
        self.asked = Some(now);
        self.current.take();
        self.sum();
        for image in &self.images {
            self.checked.respell(&image.request);
        }
        back.into_iter().collect()
    }

    /// A pack was told that something is gone; whether that is of this list as it was verified. What that pack leaves out
    /// is gone on without.
    pub fn is_gone(&mut self, gone: &Gone<'_>, left_out: bool) -> bool {
        let is = self.checked.is_gone(gone);
        if is {
            self.sum();
            if left_out {
                self.without.insert(gone.reference.to_owned());
            }
        }
        is
    }

    /// A bundle was signed without these, which may be gone since: that list is gone on without them; whether that
    /// changes anything.
    pub fn is_signed_without(&mut self, failed: &[FailedView]) -> bool {
        let lost = failed.iter().map(|failed| failed.reference.to_string());
        let gone: Vec<String> = lost.filter(|lost| self.checked.gone().any(|gone| gone == lost)).collect();
        gone.into_iter().filter(|gone| self.without.insert(gone.clone())).count() > 0
    }

    /// Whether something of it that was verified is gone since, and is not gone on without.
    pub fn lost_since(&self) -> bool {
        self.checked.gone().any(|reference| !self.without.contains(reference))
    }

    /// A pack has brought these; whether one of them was gone.
    pub fn is_back(&mut self, images: &[ImageView]) -> bool {
        let is = self.checked.is_back(images);
        if is {
            self.sum();
        }
        is
    }

    /// How verifying it stands once nothing runs.
    pub fn standing(&self) -> StepState {
        let counts = self.checked.counts();
        match () {
            () if self.images.is_empty() => StepState::Todo,
            () if !self.is_current() => StepState::Stale,
            () if self.has_unaccepted() => StepState::Failed,
            () if counts.ok + counts.failed < self.images.len() => StepState::Todo,
            () if counts.failed + counts.warn > 0 || self.leaves_out() => StepState::Warn,
            () => StepState::Ok,
        }
    }

    /// Sums up all of the list, once it is resolved.
    fn sum(&mut self) {
        let counts = self.checked.counts();
        self.totals = (self.is_current() && counts.ok == self.images.len()).then(|| self.checked.totals());
    }

    /// What failed is asked for again; the rows of it.
    pub fn begin_failed(&mut self) -> Vec<String> {
        let failed: BTreeSet<&str> = self.checked.failed().collect();
        let rows = self.images.iter().map(|image| &image.request);
        let rows = rows.filter(|request| failed.contains(request.reference.to_string().as_str()));
        let requested = rows.map(|request| request.requested.clone()).collect();
        self.without.clear();
        self.without_unread = false;
        self.checked.begin_failed();
        requested
    }

    /// The images by name: with the digests that were found for them where that is wanted, and those without one where
    /// `all` are.
    pub fn named(&self, pinned: bool, all: bool) -> Vec<String> {
        let name = |image: &Image| match self.checked_of(image) {
            Some(Checked::Ok(view)) if pinned => {
                Some(image.request.reference.pinned(&view.digest).to_string())
            }
            _ => all.then(|| image.request.requested.clone()),
        };
        self.images.iter().filter_map(name).collect()
    }

    /// Takes over what came of asking; the findings are exact now.
    pub fn finish(&mut self, report: &ResolveReport) {
        self.checked.finish(report);
        // Of nothing no lock file is written.
        self.locked |= !report.images.is_empty();
        self.sum();
        for image in &mut self.images {
            if let Some(Checked::Ok(view)) = self.checked.get(&image.request.reference.to_string()) {
                image.findings.clone_from(&view.findings);
                self.settled |= image.settle();
            }
        }
    }

    /// Nothing that was asked for is held to any more: the list or its lock file could not be written, so that what a job
    /// reads is not known to be it, or it is for another bundle, and tags may have moved since.
    pub fn ask_anew(&mut self) {
        self.asked = None;
        self.current.take();
        self.locked = false;
        // What of it fails then is asked about then.
        self.without.clear();
        self.without_unread = false;
    }

    /// Whether the list, be it another one by now, was asked for.
    pub const fn was_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Goes on without what failed and what could not be read.
    pub fn accept_failed(&mut self) {
        self.without = self.checked.failed().map(str::to_owned).collect();
        self.without_unread = true;
    }

    /// Whether something that failed, or could not be read, is gone on without.
    pub fn leaves_out(&self) -> bool {
        let unread = self.without_unread && !self.unread.is_empty();
        unread || self.checked.failed().any(|reference| self.without.contains(reference))
    }

    /// Whether something could not be read and was not said to be gone on without: nothing is packed until then.
    pub const fn waits_for_unread(&self) -> bool {
        !self.without_unread && !self.unread.is_empty()
    }

    /// Whether references failed, or something could not be read, that was not said to be gone on without.
    pub fn has_unaccepted(&self) -> bool {
        self.waits_for_unread() || self.checked.failed().any(|reference| !self.without.contains(reference))
    }

    /// Why this list cannot be packed as it is verified; nothing where it can.
    pub fn unready(&self, keymap: &Keymap) -> Option<String> {
        let counts = self.checked.counts();
        let [list, verify] = [Act::Step1, Act::Step2].map(|step| keymap.says(step));
        Some(match () {
            () if self.images.is_empty() => format!("the list is empty: {list} fills it"),
            () if self.asked.is_none() => format!("the list is not verified yet: {verify} goes there"),
            () if !self.is_current() => {
                format!("the list was changed since it was verified: {verify} goes there")
            }
            () if counts.ok + counts.failed < self.images.len() => {
                format!("verifying was not finished: {} on Verify starts again", keymap.says(Act::Resolve))
            }
            () if counts.ok == 0 => "nothing of the list could be resolved".to_owned(),
            () if self.has_unaccepted() => format!("{}: see Verify", self.lacking()),
            () => return None,
        })
    }

    /// Writes the digests of the resolved rows beside their tags: of the marked ones, or of all where none is marked;
    /// how many.
    pub fn pin(&mut self) -> usize {
        let pins = self.pins();
        if !pins.is_empty() {
            self.remember(format!("{} without digest again", pins.len()));
        }
        for (row, text) in &pins {
            if let (Some(image), Ok(request)) = (self.images.get_mut(*row), Request::parse(text)) {
                let Request { origin, note, pull_policy, .. } = image.request.clone();
                image.request = Request { origin, note, pull_policy, ..request };
                image.findings = lint(&image.request, None);
            }
        }
        let mut seen = HashSet::new();
        self.images.retain(|image| seen.insert(image.request.reference.clone()));
        pins.len()
    }

    /// Why no digest can be written into the list; nothing where one can.
    pub fn why_no_pins(&self, keymap: &Keymap) -> Option<String> {
        let marked: Vec<usize> = self.marked_rows().collect();
        let (rows, marks) = match marked.is_empty() {
            true => ((0..self.images.len()).collect(), ""),
            false => (marked, "marked and "),
        };
        let verified = rows.iter().any(|row| matches!(self.checked(*row), Some(Checked::Ok(_))));
        let failed = rows.iter().all(|row| matches!(self.checked(*row), Some(Checked::Failed(_))));
        Some(match () {
            () if !self.pins().is_empty() => return None,
            () if verified => format!("all that is {marks}verified has a digest already"),
            () if failed && !rows.is_empty() => format!("nothing is {marks}verified: it failed"),
            () => {
                let verify = keymap.says(Act::Resolve);
                format!("nothing is {marks}verified yet: {verify} does that first")
            }
        })
    }

    /// The rows that can be pinned, and what they become.
    pub fn pins(&self) -> Vec<(usize, String)> {
        let any = self.marked() > 0;
        let rows = self.images.iter().enumerate().filter(|(_, image)| image.marked || !any);
        rows.filter_map(|(row, image)| match self.checked(row)? {
            Checked::Ok(view) if image.request.reference.digest().is_none() => {
                Some((row, image.request.reference.pinned(&view.digest).to_string()))
            }
            _ => None,
        })
        .collect()
    }
}
