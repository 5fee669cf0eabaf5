//! What was picked on the connected side: references with their findings, what came of resolving them, and where they go.

mod asked;
mod kept;
mod unread;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;

pub(in crate::tui) use self::kept::PLATFORMS;
use super::checked::{Forgotten, Outcomes};
use super::screen::Mark;
use crate::domain::lint::{Finding, lint};
use crate::domain::listed::{self, TYPED, named};
use crate::domain::platform::Platform;
use crate::domain::reference::{Reference, ReferenceError, is_registry};
use crate::domain::selection::{Origin, Request};
use crate::domain::text;
use crate::engine::resolve::ResolveTotals;

pub use super::checked::Checked;
pub use unread::Unread;

/// One row of the list.
#[derive(Clone, Debug)]
pub struct Image {
    /// What is asked for.
    pub request: Request,
    /// What its name alone tells.
    pub findings: Vec<Finding>,
    /// Whether it is marked.
    pub marked: bool,
    /// How it was written before a fix wrote it otherwise.
    pub was: Option<String>,
}

/// Changes of the list that can be taken back.
const HISTORY: usize = 20;
/// The list and what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Picked {
    /// The images, each reference once, in the order in which they were added.
    pub images: Vec<Image>,
    /// What was to be added and could not be read.
    unread: Vec<Unread>,
    /// Those of them that are being mended at this moment.
    mending: Vec<Unread>,
    /// The list before its last changes, and what each of them was.
    history: VecDeque<(String, Vec<Image>, Vec<Unread>)>,
    /// Goes up with every change of what is to be carried.
    revision: u64,
    /// What is carried of multi-platform images; nothing means all of it.
    platforms: Vec<Platform>,
    /// What came of resolving, by full reference.
    pub checked: Outcomes,
    /// The sums over all that was resolved, each blob counted once; nothing until all of the list was.
    pub totals: Option<ResolveTotals>,
    /// The list that was asked for last, which is what the lock file is about.
    asked: Option<Basis>,
    /// Whether the lock file holds what came of asking, and nothing else.
    locked: bool,
    /// What was known of those of that which were taken off the list since, by full reference.
    dropped: BTreeMap<String, Forgotten>,
    /// The list as it is held against that one, as it was found last.
    current: RefCell<Option<Held>>,
    /// References that failed and are gone on without.
    without: BTreeSet<String>,
    /// Whether what could not be read is gone on without.
    without_unread: bool,
    /// The file the list came from or was saved to.
    pub file: Option<PathBuf>,
    /// How many images were there from last time, and when that was; nothing once the list is another one.
    pub restored: Option<(usize, jiff::Timestamp)>,
    /// What joined it and what went off it as it was restored, until the list was looked at.
    pub joined: Option<String>,
    /// Whether rows that came from another workstation are as any others since the list was written.
    pub(super) settled: bool,
}

/// What came of holding the list against the one that was asked for last.
#[derive(Clone, Debug)]
struct Held {
    /// At which revision.
    at: u64,
    /// Whether they are one.
    same: bool,
    /// What came since and what went, in words; nothing where no name did.
    changes: Option<String>,
}

/// A list as far as verifying it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Basis {
    references: BTreeSet<String>,
    unread: BTreeSet<String>,
    platforms: Vec<Platform>,
}

/// What adding did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// New rows.
    pub added: usize,
    /// References that were there already.
    pub known: usize,
    /// Lines of which nothing was taken.
    pub refused: Vec<Refused>,
}

/// What writing a reference into a row did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewritten {
    /// It stands there.
    Replaced,
    /// It has a row already, which is the one that stays.
    Known,
    /// Nothing: it stood there as it was written.
    Same,
}

impl Rewritten {
    /// That of what was typed, in words; `after` says what to do next, where something was changed.
    pub fn words(self, text: &str, after: &str) -> String {
        match self {
            Self::Replaced => format!("{text} it is now; {after}"),
            Self::Known => format!("{text} was on the list already, one row of it stays; {after}"),
            Self::Same => format!("nothing was changed: {text} stood there already"),
        }
    }
}

/// A line in which something is no reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its number, from 1.
    pub line: usize,
    /// As it was written.
    pub text: String,
    /// What of it is no reference, and why.
    pub reason: String,
}

impl Picked {
    /// Adds references unless they are there.
    pub fn add_all(&mut self, requests: impl IntoIterator<Item = Request>) -> Added {
        let mut outcome = Added::default();
        let mut known: HashSet<Reference> = self.references();
        let mut fresh = Vec::new();
        for request in requests {
            if !known.insert(request.reference.clone()) {
                outcome.known += 1;
                continue;
            }
            let findings = lint(&request, None);
            fresh.push(Image { request, findings, marked: false, was: None });
        }
        outcome.added = fresh.len();
        if outcome.added > 0 {
            self.remember(format!("{} added", outcome.added));
            self.images.extend(fresh);
        }
        outcome
    }

    /// Adds everything that lines of text name, each line whole or not at all; blank lines and comments are passed over.
    pub fn add_lines(&mut self, text: &str) -> Added {
        let (mut requests, mut refused) = (Vec::new(), Vec::new());
        for (line, text) in (1..).zip(text.lines()) {
            match request_of(text) {
                Ok(named) => requests.extend(named),
                Err(error) => {
                    refused.push(Refused {
                        line,
                        text: text.trim().to_owned(),
                        reason: error.reason.to_owned(),
                    });
                }
            }
        }
        Added { refused, ..self.add_all(requests) }
    }

    /// Whether a line of a text names an image.
    pub fn names_images(text: &str) -> bool {
        text.lines().any(|line| request_of(line).is_ok_and(|named| named.is_some()))
    }

    /// Writes another reference into a row, as a fix does.
    ///
    /// # Errors
    /// The text is no reference.
    pub fn rewrite(&mut self, row: usize, text: &str) -> Result<Rewritten, ReferenceError> {
        let mut request = Request::parse(text)?;
        let before = self.images.get(row).map(|image| image.request.clone());
        let Some(before) = before.filter(|before| before.requested != request.requested) else {
            return Ok(Rewritten::Same);
        };
        self.remember(format!("{} is back on the list", before.requested));
        let same = |image: &Image| image.request.reference == request.reference;
        if self.images.iter().enumerate().any(|(at, image)| at != row && same(image)) {
            self.images.remove(row);
            return Ok(Rewritten::Known);
        }
        request.origin = before.origin;
        request.note = before.note;
        request.pull_policy = before.pull_policy;
        if let Some(image) = self.images.get_mut(row) {
            image.findings = lint(&request, None);
            image.request = request;
            image.was.get_or_insert(before.requested);
        }
        Ok(Rewritten::Replaced)
    }

    /// Takes rows off the list; how many.
    pub fn drop_rows(&mut self, rows: &BTreeSet<usize>) -> usize {
        let names: Vec<&str> = rows.iter().filter_map(|row| self.name_of(*row)).collect();
        let count = names.len();
        if count > 0 {
            self.remember(match names.as_slice() {
                [name] => format!("{name} is back on the list"),
                _ => format!("{count} are back on the list"),
            });
            let first = self.images.len();
            let unread = std::mem::take(&mut self.unread).into_iter().zip(first..);
            self.unread = unread.filter(|(_, at)| !rows.contains(at)).map(|(unread, _)| unread).collect();
            let all = std::mem::take(&mut self.images).into_iter().enumerate();
            self.images = all.filter(|(at, _)| !rows.contains(at)).map(|(_, image)| image).collect();
        }
        count
    }

    /// Takes back the last change of the list; what that did, in words.
    pub fn undo(&mut self) -> Option<String> {
        let (words, images, unread) = self.history.pop_back()?;
        (self.images, self.unread) = (images, unread);
        self.changed();
        Some(words)
    }

    /// Whether there is a change to take back.
    pub fn can_undo(&self) -> bool {
        !self.history.is_empty()
    }

    fn remember(&mut self, words: String) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back((words, self.images.clone(), self.unread.clone()));
        self.changed();
    }

    fn changed(&mut self) {
        self.revision += 1;
        self.totals = None;
        self.restored = None;
    }

    fn references(&self) -> HashSet<Reference> {
        self.images.iter().map(|image| image.request.reference.clone()).collect()
    }

    /// Goes up with every change of what is to be carried.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// What is carried of multi-platform images; nothing means all of it.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// Carries other platforms.
    pub fn set_platforms(&mut self, platforms: Vec<Platform>) {
        if self.platforms != platforms {
            self.platforms = platforms;
            self.checked.begin_all();
            self.changed();
        }
    }

    /// What is carried, in words.
    pub fn platform_words(&self) -> String {
        if self.platforms.is_empty() {
            return "all platforms".to_owned();
        }
        self.platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// What came of resolving a row.
    pub fn checked_of(&self, image: &Image) -> Option<&Checked> {
        self.checked.get(&image.request.reference.to_string())
    }

    /// Marks rows, or takes their marks away.
    pub fn mark(&mut self, rows: &[usize], mark: Mark) {
        let all = rows.iter().all(|row| self.images.get(*row).is_some_and(|image| image.marked));
        for row in rows {
            if let Some(image) = self.images.get_mut(*row) {
                image.marked = if mark == Mark::All { !all } else { !image.marked };
            }
        }
    }

    /// The marked rows.
    pub fn marked_rows(&self) -> impl Iterator<Item = usize> {
        self.images.iter().enumerate().filter(|(_, image)| image.marked).map(|(row, _)| row)
    }

    /// How many rows are marked.
    pub fn marked(&self) -> usize {
        self.images.iter().filter(|image| image.marked).count()
    }
}

/// What a line names: one reference, which may be followed by a comment. A blank in it is a slip of the fingers or a
/// line of something else.
fn request_of(line: &str) -> Result<Option<Request>, ReferenceError> {
    let Some(named) = named(line) else { return Ok(None) };
    if named.contains(char::is_whitespace) {
        let reason = "one reference a line, without blanks in it; a comment begins with #";
        return Err(ReferenceError { text: text::middle(named, 160).to_string(), reason });
    }
    if is_registry(named) {
        let reason = "a registry, and no image in it is named: browse it, or add /REPOSITORY:TAG";
        return Err(ReferenceError { text: named.to_owned(), reason });
    }
    let origin = Origin::named(listed::parts(line).1.unwrap_or(TYPED));
    Request::parse(named).map(|request| Some(Request { origin, ..request }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(text: &str) -> Picked {
        let mut picked = Picked::default();
        picked.add_lines(&text.replace(' ', "\n"));
        picked
    }

    #[test]
    fn lines_are_added_once_and_bad_ones_are_named() {
        let mut picked = Picked::default();
        let added = picked
            .add_lines("nginx:1.25 # web\n\n# comment\ndocker.io/library/nginx:1.25\nredis:7\nUPPER:x\n");
        assert_eq!((added.added, added.known, added.refused.len()), (2, 1, 1));
        let refused = &added.refused[0];
        assert_eq!((refused.line, refused.text.as_str()), (6, "UPPER:x"));
        assert!(refused.reason.contains("lower case"), "{}", refused.reason);
        assert!(picked.images[0].findings.iter().any(|finding| finding.fix.is_some()));
        assert_eq!(picked.text(), "nginx:1.25\nredis:7\n");
    }

    #[test]
    fn lines_are_taken_as_manifests_and_other_tools_have_them() {
        let mut picked = Picked::default();
        let added = picked
            .add_lines("docker://quay.io/a/b:1\n- quay.io/a/c:1\n    image: \"quay.io/a/d:1\"\nimage:\n");
        assert_eq!((added.added, added.refused.len()), (3, 1));
        assert_eq!(picked.text(), "quay.io/a/b:1\nquay.io/a/c:1\nquay.io/a/d:1\n");
    }

    #[test]
    fn of_a_line_that_is_refused_nothing_is_taken() {
        let mut picked = Picked::default();
        let added = picked.add_lines("a:1\nngnix:1.2 2\nskopeo copy docker://c:1 dir:c\n\td:1 \n");
        assert_eq!(
            (added.added, added.refused.iter().map(|one| one.line).collect::<Vec<_>>()),
            (2, vec![2, 3])
        );
        assert!(added.refused[0].reason.contains("blanks"), "{}", added.refused[0].reason);
        assert_eq!(picked.text(), "a:1\nd:1\n");
    }

    #[test]
    fn a_registry_alone_is_no_image_of_the_docker_hub() {
        let mut picked = Picked::default();
        let added = picked.add_lines("127.0.0.1:39671\nredis:7\n");
        assert_eq!((added.added, added.refused.len(), picked.text().as_str()), (1, 1, "redis:7\n"));
        assert!(added.refused[0].reason.starts_with("a registry"), "{}", added.refused[0].reason);
        assert!(!Picked::names_images("127.0.0.1:39671"));
    }

    #[test]
    fn what_was_dropped_comes_back_to_its_place() {
        let mut picked = picked("a:1 b:1 c:1 d:1");
        assert_eq!(picked.drop_rows(&[1, 3].into()), 2);
        assert_eq!(picked.text(), "a:1\nc:1\n");
        assert_eq!(picked.undo().as_deref(), Some("2 are back on the list"));
        assert_eq!(picked.text(), "a:1\nb:1\nc:1\nd:1\n");
        assert_eq!(picked.drop_rows(&[0, 9].into()), 1, "there is no row 9");
        assert_eq!(picked.text(), "b:1\nc:1\nd:1\n");
        assert_eq!(picked.undo().as_deref(), Some("a:1 is back on the list"));
    }

    #[test]
    fn a_fix_can_be_taken_back_and_never_makes_a_name_twice() {
        let mut picked = picked("nginx:1.25.3 docker.io/library/redis:7.0.1 redis:7.0.2");
        let before = picked.revision();
        assert_eq!(picked.rewrite(0, "docker.io/library/nginx:1.25.3").unwrap(), Rewritten::Replaced);
        assert!(picked.images[0].findings.iter().all(|finding| finding.fix.is_none()));
        assert_eq!(picked.images[0].was.as_deref(), Some("nginx:1.25.3"));
        assert_eq!(picked.rewrite(2, "docker.io/library/redis:7.0.1").unwrap(), Rewritten::Known);
        assert_eq!(picked.images.len(), 2);
        let changed = picked.revision();
        assert_eq!(picked.rewrite(1, "docker.io/library/redis:7.0.1").unwrap(), Rewritten::Same);
        assert_eq!(picked.revision(), changed, "what stood there already is no change");
        assert!(picked.rewrite(0, "NO:x").is_err());
        picked.undo();
        picked.undo();
        assert_eq!(picked.text(), "nginx:1.25.3\ndocker.io/library/redis:7.0.1\nredis:7.0.2\n");
        assert!(picked.revision() > before);
    }

    #[test]
    fn a_kept_list_comes_back_with_its_platforms() {
        let mut first = picked("nginx:1.25.3 redis:7.0.1");
        first.set_platforms(vec!["linux/arm64".parse().unwrap(), "linux/arm/v7".parse().unwrap()]);
        let mut second = Picked::default();
        assert_eq!(second.restore(&first.text()), 2);
        assert_eq!(second.text(), first.text());
        assert_eq!((second.platform_words().as_str(), second.undo()), ("linux/arm64, linux/arm/v7", None));
    }

    #[test]
    fn a_kept_list_says_where_its_images_came_from() {
        let mut first = picked("nginx:1.25.3");
        let request = Request::parse("redis:7.0.1").unwrap();
        first.add_all([Request { origin: Origin::line("/x/web.yml", 4), ..request }]);
        assert_eq!(first.text(), "nginx:1.25.3\nredis:7.0.1  # from /x/web.yml:4\n");
        let mut second = Picked::default();
        assert_eq!(second.restore(&first.text()), 2);
        let from: Vec<_> = second.images.iter().map(|image| image.request.origin.to_string()).collect();
        assert_eq!(from, ["typed here", "/x/web.yml:4"]);
        assert_eq!(second.text(), first.text());
    }

    #[test]
    fn what_was_typed_and_not_read_is_kept_as_it_was_with_its_place() {
        let mut first = Picked::default();
        first.add_typed("nginx:1.25.3\nredis:7.0.1\nrubbish here\n");
        let mut second = Picked::default();
        second.restore(&first.text());
        assert_eq!(second.unread_at(2), first.unread_at(2));
        assert_eq!((second.name_of(2), second.text()), (Some("rubbish here"), first.text()));
        // A line that does not say where it came from has the list for its place, time and again.
        let mut kept = Picked::default();
        kept.restore("rubbish here\n");
        let mut again = Picked::default();
        again.restore(&kept.text());
        assert_eq!((again.unread_at(0), again.name_of(0)), (kept.unread_at(0), Some("rubbish here")));
    }

    #[test]
    fn many_are_added_at_once() {
        let lines: String =
            (0..20_000).map(|tag| format!("registry.example.com/team/app:1.0.{tag}\n")).collect();
        let mut picked = Picked::default();
        assert_eq!(picked.add_lines(&lines).added, 20_000);
        assert_eq!(picked.add_lines(&lines).known, 20_000);
    }
}
