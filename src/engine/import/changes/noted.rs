//! What a run noted: the lines of its file, and what they come to, target by target.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::choices::Choices;
use super::kept::SUFFIX;
use super::made::{Made, NotedTarget};
use crate::domain::import::Target;
use crate::domain::shell::shell_words;
use crate::engine::directory;
use crate::engine::import::containerd::names::Change;
use crate::engine::import::containers_storage::undo::StoreChange;
use crate::engine::import::k3s::undo::ArchiveChange;
use crate::engine::storage::change::FileChange;

/// What the first line of a file begins with.
pub(super) const FORMAT: &str = "airlift-changes/1";

/// Runs that are named by number in a line, at most.
const NUMBERED: usize = 12;

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Begun {
    pub(super) format: String,
    /// When the run began to change something, by its clock.
    pub begun: Timestamp,
    /// The bundle, `name-serial`.
    pub bundle: String,
    /// All targets of the run, also those in which it changed nothing.
    #[serde(default)]
    pub into: Vec<Target>,
    /// The root directory of the node, where that is not this host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// What it was asked for beside that; nothing where an earlier program noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Box<Choices>>,
    /// When it was no longer wanted to be offered for going on, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismissed: Option<Timestamp>,
    /// Whether it is at work right now; a file does not say so of itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub running: bool,
    /// How it ended; nothing where it was cut off, or is still at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What each target had when it ended early, as far as that was noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// Targets into which it brought images, also those of which nothing else is noted; nothing where an earlier program
    /// noted its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<Vec<Target>>,
    /// Targets in which it could not remove what it had not finished, though it ended by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remains: Vec<Target>,
    /// When all of it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) undone: Option<Timestamp>,
}

/// How many images a target had when a run ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Left {
    /// The target.
    pub target: Target,
    /// Images in it, also those that were in it before.
    pub there: usize,
    /// Images that were wanted in it.
    pub all: usize,
    /// Whether an error ended the writing of it, maybe once all images were in it: something is still to be done there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It came to its end.
    Whole,
    /// It was asked to stop.
    Interrupted,
    /// An error ended it.
    Failed,
}

impl Begun {
    /// How it ended, where it did not come to its end, or that it has not yet.
    pub const fn end(&self) -> Option<&'static str> {
        match self.ended {
            _ if self.running => Some("is running now"),
            Some(Ended::Whole) => None,
            Some(Ended::Interrupted) => Some("was interrupted"),
            Some(Ended::Failed) => Some("failed"),
            None => Some("was cut off"),
        }
    }

    /// The targets in which it may have left what it had not finished, as it was cut off or could not remove that.
    pub(in crate::engine::import) fn unfinished(&self) -> impl Iterator<Item = &Target> {
        let cut = self.ended.is_none() && !self.running;
        let held = |target: &&Target| matches!(target, Target::Containerd(_) | Target::K3s(_));
        self.into.iter().filter(held).filter(move |target| cut || self.remains.contains(target))
    }

    /// The targets in which it removed what earlier runs had not finished: a run that comes to its end does, and undo of
    /// one that left something itself.
    pub(super) fn tidied(&self) -> Vec<Target> {
        match self.ended {
            Some(Ended::Whole) => self.into.clone(),
            _ if self.undone.is_some() => self.unfinished().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// When all of it was taken back, if it was.
    pub(in crate::engine::import) const fn undone(&self) -> Option<Timestamp> {
        self.undone
    }

    /// Which run it was: its bundle, time, targets and how it ended. `changed` are those that changed.
    pub(in crate::engine::import) fn words(&self, changed: &[NotedTarget]) -> String {
        let end = self.end().map_or_else(String::new, |end| format!(", which {end}"));
        self.which(changed) + &end
    }

    /// The same without how it ended.
    pub(in crate::engine::import) fn which(&self, changed: &[NotedTarget]) -> String {
        let noted: Vec<&Target> = match self.into.is_empty() {
            true => changed.iter().map(|one| &one.target).collect(),
            false => self.into.iter().collect(),
        };
        let targets: Vec<String> = noted.into_iter().map(Target::to_string).collect();
        let into = if targets.is_empty() { String::new() } else { format!(" into {}", targets.join(", ")) };
        format!("import of {} of {}{into}", self.bundle, self.begun.strftime("%F %R UTC"))
    }
}

/// The last line of a run that came to an end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::engine::import) struct Last {
    /// How it ended.
    pub(in crate::engine::import) ended: Ended,
    /// What each target had where it ended early.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::engine::import) left: Vec<Left>,
    /// Targets into which it brought images, where it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine::import) brought: Option<Vec<Target>>,
    /// Targets in which it could not remove what it had not finished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::engine::import) remains: Vec<Target>,
}

/// One more line: a change that is about to be made.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) target: Target,
    #[serde(flatten)]
    pub(super) noted: Noted,
}

/// A change that can be taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::engine::import) enum Noted {
    /// Of a name in a runtime.
    Change(Change),
    /// Of a file of the node.
    File(FileChange),
    /// Of the archive in an images directory.
    Archive(ArchiveChange),
    /// Of an image in the node's own store.
    Stored(StoreChange),
    /// None: names and paths that the run counts on, whoever brought them.
    Wanted(Vec<String>),
}

/// A run that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotedRun {
    /// The file that `airlift undo` takes.
    pub file: PathBuf,
    /// When it began and of which bundle it was.
    #[serde(flatten)]
    pub begun: Begun,
    /// The targets in which it changed something that can be taken back.
    pub targets: Vec<NotedTarget>,
    /// Numbers of the later runs that count on what it brought, the latest first: that stays until they are taken back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted_by: Vec<String>,
    /// Whether a later run did all that this one had to, and was taken back since: nothing of it is to be gone on with.
    #[serde(skip)]
    pub over: bool,
}

/// The number of a run by its file.
pub(super) fn id(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(SUFFIX).unwrap_or(&name).to_owned()
}

impl NotedRun {
    /// One of which nothing is there to take back.
    pub(in crate::engine::import) const fn idle(file: PathBuf, begun: Begun) -> Self {
        Self { file, begun, targets: Vec::new(), wanted_by: Vec::new(), over: false }
    }

    /// Why what it brought stays, where later runs count on it, and what is to be done first.
    pub fn claimed(&self) -> Option<String> {
        let first = self.file.with_file_name(format!("{}{SUFFIX}", self.wanted_by.first()?));
        Some(format!(
            "later imports count on what it brought, and that stays until each of them is undone: {}; to begin with the \
             last: {}",
            first_of(self.wanted_by.clone(), NUMBERED),
            undo_command(&first)
        ))
    }

    /// Its number, by which `airlift undo` knows it too.
    pub fn id(&self) -> String {
        id(&self.file)
    }

    /// The command that takes it back, whichever directory of history is the usual one.
    pub fn undo_command(&self) -> String {
        undo_command(&self.file)
    }

    /// Whether there is anything to take back.
    pub const fn changed_something(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Which run it was: its bundle, time and targets, and how it ended.
    pub fn words(&self) -> String {
        self.begun.words(&self.targets)
    }
}

/// The first of many, at most so many, and how many more.
pub(in crate::engine::import) fn first_of(mut all: Vec<String>, most: usize) -> String {
    let more = all.len().saturating_sub(most);
    all.truncate(most);
    let more = (more > 0).then(|| format!("{more} more"));
    all.into_iter().chain(more).collect::<Vec<_>>().join(", ")
}

/// The command that takes back the run that is noted in a file, as a shell reads it.
pub(in crate::engine::import) fn undo_command(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let history = directory::above(directory::above(file)).display().to_string();
    let words = ["airlift", "undo", &stem, "--state", &history].map(str::to_owned);
    shell_words(&words)
}

/// The lines of a file.
pub(super) fn text(begun: &Begun, all: &[Made]) -> String {
    let mut text = serde_json::to_string(begun).unwrap_or_default() + "\n";
    for made in all.iter().cloned() {
        let noted = made.changes.into_iter().map(Noted::Change);
        let noted = noted.chain(made.files.into_iter().map(Noted::File));
        let noted = noted.chain(made.archives.into_iter().map(Noted::Archive));
        let wanted = (!made.wanted.is_empty()).then_some(Noted::Wanted(made.wanted));
        for noted in noted.chain(made.stored.into_iter().map(Noted::Stored)).chain(wanted) {
            let line = Line { target: made.target.clone(), noted };
            text += &serde_json::to_string(&line).unwrap_or_default();
            text.push('\n');
        }
    }
    text
}

/// What a file says, target by target; nothing where it is none of these. A last line that was cut off changed nothing.
pub(in crate::engine::import) fn parse(text: &str) -> Option<(Begun, Vec<Made>)> {
    read(text).ok()
}

/// The same, or why it is none of these.
pub(super) fn read(text: &str) -> Result<(Begun, Vec<Made>), String> {
    let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let first = lines.next().ok_or("its first line has no end")?;
    let mut begun: Begun = serde_json::from_str(first).map_err(|error| format!("its first line: {error}"))?;
    if begun.format != FORMAT {
        return Err(format!("its format is {:?}, expected {FORMAT:?}", begun.format));
    }
    let mut all: Vec<Made> = Vec::new();
    for (at, line) in lines.enumerate() {
        let read = serde_json::from_str(line).map_err(|error| format!("its line {}: {error}", at + 2));
        let Line { target, noted } = match (read, serde_json::from_str::<Last>(line)) {
            (Err(_), Ok(Last { ended, left, brought, remains })) => {
                (begun.ended, begun.left) = (Some(ended), left);
                (begun.brought, begun.remains) = (brought, remains);
                continue;
            }
            (read, _) => read?,
        };
        let at = all.iter().position(|made| made.target == target).unwrap_or_else(|| {
            all.push(Made::of(target));
            all.len() - 1
        });
        match noted {
            Noted::Change(change) => all[at].changes.push(change),
            Noted::File(file) => all[at].files.push(file),
            Noted::Archive(archive) => all[at].archives.push(archive),
            Noted::Stored(image) => image.add_to(&mut all[at].stored),
            Noted::Wanted(names) => all[at].wanted.extend(names),
        }
    }
    Ok((begun, all))
}
