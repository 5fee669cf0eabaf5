//! What was picked on the connected side: references with their findings, what came of resolving them, and where they go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::domain::lint::{Finding, lint};
use crate::domain::platform::Platform;
use crate::domain::reference::ReferenceError;
use crate::domain::selection::Request;
use crate::engine::resolve::{FailedView, ImageView};

/// What is known of one reference after it was asked for.
#[derive(Clone, Debug)]
pub enum Checked {
    /// It is being asked for.
    Running,
    /// It is there.
    Ok(Box<ImageView>),
    /// It is not, or not as it should be.
    Failed(Box<FailedView>),
}

/// One row of the list.
#[derive(Clone, Debug)]
pub struct Image {
    /// What is asked for.
    pub request: Request,
    /// What its name alone tells.
    pub findings: Vec<Finding>,
    /// Whether it is marked.
    pub marked: bool,
}

/// The list and what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Picked {
    /// The images, each reference once, in the order in which they were added.
    pub images: Vec<Image>,
    /// What was dropped last, to bring it back.
    dropped: Vec<(usize, Image)>,
    /// What is carried of multi-platform images; nothing means all of it.
    pub platforms: Vec<Platform>,
    /// What came of resolving, by full reference.
    pub checked: BTreeMap<String, Checked>,
    /// The file the list came from or was saved to.
    pub file: Option<PathBuf>,
}

/// What adding did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// New rows.
    pub added: usize,
    /// References that were there already.
    pub known: usize,
    /// Lines that name no image, with the reason.
    pub refused: Vec<String>,
}

impl Picked {
    /// Adds a reference unless it is there; whether it was added.
    pub fn add(&mut self, request: Request) -> bool {
        if self.images.iter().any(|image| image.request.reference == request.reference) {
            return false;
        }
        let findings = lint(&request, None);
        self.images.push(Image { request, findings, marked: false });
        true
    }

    /// Adds everything that lines of text name; blank lines and comments are passed over.
    pub fn add_lines(&mut self, text: &str) -> Added {
        let mut outcome = Added::default();
        for word in text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default())
            .flat_map(str::split_whitespace)
        {
            match Request::parse(word).map(|request| self.add(request)) {
                Ok(true) => outcome.added += 1,
                Ok(false) => outcome.known += 1,
                Err(error) => outcome.refused.push(error.to_string()),
            }
        }
        outcome
    }

    /// Writes another reference into a row, as a fix does.
    ///
    /// # Errors
    /// The text is no reference.
    pub fn rewrite(&mut self, row: usize, text: &str) -> Result<(), ReferenceError> {
        let mut request = Request::parse(text)?;
        if let Some(image) = self.images.get_mut(row) {
            request.origin = image.request.origin.clone();
            request.note.clone_from(&image.request.note);
            image.findings = lint(&request, None);
            image.request = request;
        }
        Ok(())
    }

    /// Takes the marked rows off the list, or this one where none is marked; how many.
    pub fn drop_rows(&mut self, row: Option<usize>) -> usize {
        let any = self.images.iter().any(|image| image.marked);
        let goes = |at: usize, image: &Image| if any { image.marked } else { Some(at) == row };
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.images)
            .into_iter()
            .enumerate()
            .partition(|(at, image)| goes(*at, image));
        self.images = kept.into_iter().map(|(_, image)| image).collect();
        let count = gone.len();
        if count > 0 {
            self.dropped = gone;
        }
        count
    }

    /// Brings back what was dropped last; how many.
    pub fn undo(&mut self) -> usize {
        let back = std::mem::take(&mut self.dropped);
        let count = back.len();
        for (at, image) in back {
            self.images.insert(at.min(self.images.len()), image);
        }
        count
    }

    /// The list as a list file.
    pub fn text(&self) -> String {
        let line = |image: &Image| format!("{}\n", image.request.requested);
        self.images.iter().map(line).collect()
    }

    /// How many rows are marked.
    pub fn marked(&self) -> usize {
        self.images.iter().filter(|image| image.marked).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(text: &str) -> Picked {
        let mut picked = Picked::default();
        picked.add_lines(text);
        picked
    }

    #[test]
    fn lines_are_added_once_and_bad_ones_are_named() {
        let mut picked = Picked::default();
        let added = picked
            .add_lines("nginx:1.25 # web\n\n# comment\ndocker.io/library/nginx:1.25 redis:7\nUPPER:x\n");
        assert_eq!((added.added, added.known, added.refused.len()), (2, 1, 1));
        assert!(added.refused[0].contains("UPPER"));
        assert!(picked.images[0].findings.iter().any(|finding| finding.fix.is_some()));
        assert_eq!(picked.text(), "nginx:1.25\nredis:7\n");
    }

    #[test]
    fn what_was_dropped_comes_back_to_its_place() {
        let mut picked = picked("a:1 b:1 c:1 d:1");
        picked.images[1].marked = true;
        picked.images[3].marked = true;
        assert_eq!(picked.drop_rows(Some(0)), 2);
        assert_eq!(picked.text(), "a:1\nc:1\n");
        assert_eq!((picked.undo(), picked.undo()), (2, 0));
        assert_eq!(picked.text(), "a:1\nb:1\nc:1\nd:1\n");
        picked.images.iter_mut().for_each(|image| image.marked = false);
        picked.drop_rows(Some(0));
        assert_eq!(picked.text(), "b:1\nc:1\nd:1\n");
    }
}
