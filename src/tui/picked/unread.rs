//! What of a source could not be read: it stays on the list, which is not whole without it, until it is mended or removed.

use std::path::Path;

use super::{Added, Image, Picked, Refused, request_of};
use crate::domain::lint::lint;
use crate::domain::listed;
use crate::domain::reference::ReferenceError;
use crate::domain::selection::{Origin, Problem, Request, Requests};
use crate::domain::text;

/// Columns of it that are kept.
const LONGEST: usize = 200;

/// A line, or a place in a file, of which nothing was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// As it was written; where that is not known, where it is and why nothing was taken.
    pub text: String,
    /// Where it was written.
    pub origin: String,
    /// Why nothing was taken of it.
    pub reason: String,
}

impl Unread {
    fn of(problem: &Problem) -> Self {
        let origin = problem.origin.to_string();
        let text = problem.text.clone().unwrap_or_else(|| format!("{origin}: {}", problem.reason));
        Self { text: line(&text), origin, reason: problem.reason.clone() }
    }

    fn typed(refused: &Refused) -> Self {
        let (origin, reason) = (listed::typed(refused.line), refused.reason.clone());
        Self { text: line(&refused.text), origin, reason }
    }

    fn kept(refused: &Refused) -> Self {
        let (text, origin) = listed::parts(&refused.text);
        let origin = origin.unwrap_or(listed::KEPT);
        let reason = listed::reason(text, origin).unwrap_or(&refused.reason);
        Self { text: text.to_owned(), origin: origin.to_owned(), reason: reason.to_owned() }
    }

    /// The file that it stands in, where no line names it: what is to be mended is that file.
    pub fn place(&self) -> Option<&Path> {
        listed::reason(&self.text, &clean(&self.origin)).map(|_| self.file())
    }

    /// The file that it was written in.
    fn file(&self) -> &Path {
        Path::new(self.origin.rsplit_once(':').map_or(self.origin.as_str(), |(file, _)| file))
    }

    /// Whether it stands in a file, or in one below a directory.
    fn lies_in(&self, source: &Path) -> bool {
        self.file().starts_with(source)
    }

    /// As a line of a list, which nobody takes for a reference either.
    pub(super) fn line(&self) -> String {
        listed::from(&self.text, &clean(&self.origin))
    }
}

/// A text as one line without a comment; one that would name an image says that it does not.
fn line(words: &str) -> String {
    let words = clean(words);
    if request_of(&words).is_ok() { format!("not read: {words}") } else { words }
}

/// A text as one line without a comment.
pub(super) fn clean(words: &str) -> String {
    let words: Vec<&str> = words.split(|c: char| c.is_whitespace() || c == '#').collect();
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    text::middle(&words, LONGEST).into_owned()
}

impl Picked {
    /// Adds what a file or directory named, and what of it could not be read by now: what could not be read of it before
    /// is gone where it was mended since.
    pub fn add_source(&mut self, requests: &Requests, source: &Path) -> Added {
        let now: Vec<Unread> = requests.problems.iter().map(Unread::of).collect();
        let stays = |one: &Unread| !one.lies_in(source) || now.contains(one);
        let fresh: Vec<Unread> = now.iter().filter(|one| !self.unread.contains(one)).cloned().collect();
        let same = fresh.is_empty() && self.unread.iter().all(stays);
        let outcome = self.add_all(requests.wanted.iter().cloned());
        if outcome.added == 0 && !same {
            self.remember("what could not be read is as it was".to_owned());
        }
        self.unread.retain(stays);
        self.unread.extend(fresh);
        outcome
    }

    /// Adds lines that were typed or pasted. Those that name no image stay as rows, in the place of those that were being
    /// mended by that.
    pub fn add_typed(&mut self, text: &str) -> Added {
        let outcome = self.add_lines(text);
        let (fresh, mended): (Vec<Unread>, _) =
            (outcome.refused.iter().map(Unread::typed).collect(), std::mem::take(&mut self.mending));
        if outcome.added == 0 && fresh != mended {
            self.remember("the lines are as they were before they were typed".to_owned());
        }
        self.unread.retain(|one| !mended.contains(one));
        self.mending = fresh.into_iter().filter(|one| !self.unread.contains(one)).collect();
        self.unread.extend(self.mending.iter().cloned());
        outcome
    }

    /// Lines that were refused are mended no longer; how many of them stay.
    pub fn mend_no_more(&mut self) -> usize {
        std::mem::take(&mut self.mending).len()
    }

    /// Takes over what of a kept list names no image.
    pub(super) fn keep_unread(&mut self, refused: &[Refused]) {
        self.unread = refused.iter().map(Unread::kept).collect();
    }

    /// What could not be read and another list does not have.
    pub(super) fn unread_beside(&self, other: &Self) -> impl Iterator<Item = &Unread> {
        let known = |one: &&Unread| other.unread.iter().any(|unread| unread.text == one.text);
        self.unread.iter().filter(move |one| !known(one))
    }

    /// Writes a reference in the place of what could not be read; false where the list has it already.
    ///
    /// # Errors
    /// The text is no reference.
    pub fn mend(&mut self, unread: &Unread, text: &str) -> Result<bool, ReferenceError> {
        let request = Request::parse(text)?;
        self.remember(format!("{} is back on the list", unread.text));
        self.unread.retain(|one| one != unread);
        if self.references().contains(&request.reference) {
            return Ok(false);
        }
        let request = Request { origin: Origin::named(&unread.origin), ..request };
        let (findings, was) = (lint(&request, None), Some(unread.text.clone()));
        self.images.push(Image { request, findings, marked: false, was });
        Ok(true)
    }

    /// Rows of the list: the images, then what could not be read.
    pub const fn rows(&self) -> usize {
        self.images.len() + self.unread.len()
    }

    /// What could not be read and stands in a row.
    pub fn unread_at(&self, row: usize) -> Option<&Unread> {
        self.unread.get(row.checked_sub(self.images.len())?)
    }

    /// What stands in a row, as it was written.
    pub fn name_of(&self, row: usize) -> Option<&str> {
        let image = self.images.get(row).map(|image| image.request.requested.as_str());
        image.or_else(|| self.unread_at(row).map(|unread| unread.text.as_str()))
    }

    /// What keeps the list from being whole, in words.
    pub fn lacking(&self) -> String {
        let failed = match self.checked.counts().failed {
            0 => None,
            failed => Some(format!("{failed} failed")),
        };
        failed.into_iter().chain(self.unread_words()).collect::<Vec<_>>().join(", ")
    }

    /// How much could not be read; nothing where all was.
    pub fn unread_words(&self) -> Option<String> {
        (!self.unread.is_empty()).then(|| format!("{} not read", self.unread.len()))
    }
}
