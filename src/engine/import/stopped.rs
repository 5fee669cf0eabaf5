//! An import that ended early: the error that ended it, and which images are in which target by then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Job;
use super::changes::{self, Left};
use super::error::{OTHERS, shortened};
use super::graph::ImageGraph;
use crate::domain::import::Target;
use crate::domain::progress::{Event, Landed};
use crate::engine::error::{EngineError, Explain, Interrupted, Kind, Result};
use crate::engine::storage::change::ConfMode;

/// The images that a target has, noted as each gets its name there, and what went wrong with it.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// Target and image, and whether this run brought it.
    there: Mutex<BTreeMap<(String, String), bool>>,
    failed: Mutex<BTreeMap<String, String>>,
    remains: Mutex<Vec<Target>>,
}

impl Arrived {
    /// Notes one that was there before.
    pub(super) fn found(&self, target: &str, image: &str) {
        let mut all = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((target.to_owned(), image.to_owned()), false);
    }

    /// Notes one that is there now.
    pub(super) fn note(&self, target: &str, image: &str) {
        let mut all = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((target.to_owned(), image.to_owned())).or_insert(true);
    }

    /// Notes what ended the writing of a target.
    pub(super) fn failed(&self, target: &Target, reason: String) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.insert(target.to_string(), reason);
    }

    /// Notes a target in which this run could not remove what it had not finished.
    pub(super) fn leave(&self, target: &Target) {
        let mut remains = self.remains.lock().unwrap_or_else(PoisonError::into_inner);
        if !remains.contains(target) {
            remains.push(target.clone());
        }
    }

    /// Those targets.
    pub(super) fn remains(&self) -> Vec<Target> {
        self.remains.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the run leaves a target, of these images.
    pub(super) fn landed(&self, target: &Target, images: &[String]) -> Landed {
        let name = target.to_string();
        let (there, missing): (Vec<_>, Vec<_>) =
            images.iter().cloned().partition(|image| self.has(&name, image).is_some());
        let added = there.iter().filter(|image| self.has(&name, image) == Some(true)).cloned().collect();
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        Landed { target: target.clone(), there, added, missing, reason: failed.get(&name).cloned() }
    }

    /// Whether it is there, and whether this run brought it.
    fn has(&self, target: &str, image: &str) -> Option<bool> {
        let all = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(target.to_owned(), image.to_owned())).copied()
    }
}

/// One line for a target: which of the images are in it and which are not.
pub(super) fn standing(landed: &Landed) -> String {
    let Landed { target, there, missing, .. } = landed;
    match (there.is_empty(), missing.is_empty()) {
        (true, _) => format!("{target}: none of the images is in it: {}", shortened(missing)),
        (false, true) => format!("{target}: all images are in it"),
        (false, false) => {
            format!("{target}: in it: {}; not in it: {}", shortened(there), shortened(missing))
        }
    }
}

/// What ended it, with where that leaves every target.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Stopped {
    kind: Kind,
    transient: bool,
    message: String,
    hints: Vec<String>,
}

impl Stopped {
    /// From the error and a line for each target.
    pub(super) fn new(error: &EngineError, standing: impl IntoIterator<Item = String>) -> Self {
        let mut hints = error.hints();
        hints.extend(standing);
        Self { kind: error.kind(), transient: error.transient(), message: error.message(), hints }
    }

    /// The same with another line.
    pub(super) fn with(&self, line: String) -> Self {
        let mut more = self.clone();
        more.hints.push(line);
        more
    }
}

impl Explain for Stopped {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn transient(&self) -> bool {
        self.transient
    }

    fn hints(&self) -> Vec<String> {
        self.hints.clone()
    }
}

/// The error that ended the writing, with what each target has by then.
pub(super) fn ended(job: &Job, images: &[ImageGraph], error: &EngineError) -> EngineError {
    let names: Vec<String> = images.iter().map(ImageGraph::name).collect();
    let landed: Vec<_> = job.spec.targets.iter().map(|target| job.arrived.landed(target, &names)).collect();
    let mut lines: Vec<String> = landed.iter().map(standing).collect();
    if job.spec.node.storage_conf == ConfMode::Edit {
        let stores =
            job.spec.targets.iter().filter(|target| matches!(target, Target::ContainersStorage(Some(_))));
        let unnamed = stores.filter(|target| !job.changes.has_files(target));
        lines.extend(unnamed.map(|target| {
            format!(
                "{target}: storage.conf was not changed; the same command enters the store once all is in it"
            )
        }));
    }
    // An archive that was not finished was noted, and is not there.
    let unmade = |landed: &Landed| matches!(landed.target, Target::K3s(_)) && landed.added.is_empty();
    let unmade: Vec<Target> =
        landed.iter().filter(|one| unmade(one)).map(|landed| landed.target.clone()).collect();
    landed.into_iter().for_each(|landed| job.ctx.say(Event::Landed(landed)));
    let changed = job.changes.is_in_another_than(&unmade);
    let noted = job.changes.file().filter(|_| changed || !job.arrived.remains().is_empty());
    let what = if changed { "what was changed" } else { "what it left" };
    let undo = noted.map(|file| format!("{} takes back {what}", changes::undo_command(&file)));
    Stopped::new(error, lines.into_iter().chain(undo)).into()
}

/// Fails before anything is written where a manifest of an image is damaged, and says which images can be imported.
///
/// # Errors
/// What is wrong with the first of them.
pub(super) fn refuse_damaged(images: &[ImageGraph]) -> Result<()> {
    let Some(damage) = images.iter().find_map(ImageGraph::damage) else { return Ok(()) };
    let (damaged, whole): (Vec<_>, Vec<_>) = images.iter().partition(|image| image.damaged.is_some());
    let names = |images: &[&ImageGraph]| images.iter().map(|image| image.name()).collect::<Vec<_>>();
    let mut ways = Vec::new();
    if damaged.len() > 1 {
        ways.push(format!("so are {}", shortened(&names(&damaged[1..]))));
    }
    if !whole.is_empty() {
        ways.push(format!("--only REFERENCE imports one of these alone: {}", shortened(&names(&whole))));
    }
    let error: EngineError = Stopped::new(&damage, ways).into();
    Err(if images.len() > 1 { error } else { lone(error) })
}

/// How many images each target has by then, where it was looked at.
pub(super) fn left(job: &Job, images: &[ImageGraph]) -> Vec<Left> {
    if !job.meter.is_announced() {
        return Vec::new();
    }
    let names: Vec<String> = images.iter().map(ImageGraph::name).collect();
    let of = |target: &Target| {
        let landed = job.arrived.landed(target, &names);
        let (there, failed) = (landed.there.len(), landed.reason.is_some());
        Left { target: target.clone(), there, all: names.len(), failed }
    };
    job.spec.targets.iter().map(of).collect()
}

/// The first of several failures, with the others that say something else.
pub(super) fn first(failed: Vec<(&Target, EngineError)>) -> EngineError {
    let mut failed = failed.into_iter();
    let Some((_, first)) = failed.next() else { return Interrupted.into() };
    let words: Vec<String> = failed
        .filter(|(_, error)| error.message() != first.message())
        .map(|(target, error)| format!("{target}: {}", error.message()))
        .collect();
    if words.is_empty() { first } else { Stopped::new(&first, words).into() }
}

/// An error of an import of one image: there are no others to be imported.
pub(super) fn lone(error: EngineError) -> EngineError {
    if !error.hints().iter().any(|hint| hint.ends_with(OTHERS)) {
        return error;
    }
    let mut lone = Stopped::new(&error, []);
    lone.hints = lone.hints.iter().map(|hint| hint.strip_suffix(OTHERS).unwrap_or(hint).to_owned()).collect();
    lone.into()
}

/// An error that came before the first byte, and says so.
pub(super) fn unwritten(error: EngineError) -> EngineError {
    if error.hints().iter().any(|hint| hint.contains("nothing was ")) {
        return error;
    }
    Stopped::new(&error, ["nothing was written to any target".to_owned()]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::import::error::ImportError;

    #[test]
    fn an_import_of_one_image_hears_nothing_of_others() {
        let unfit = |hint| {
            let words = || "x".to_owned();
            ImportError::Unfit { image: words(), target: words(), reason: words(), hint }
        };
        let error = lone(unfit("pack it for this node; --keep-going imports the others").into());
        assert_eq!((error.hints(), error.kind()), (vec!["pack it for this node".to_owned()], Kind::Import));
        assert_eq!(lone(unfit("as it is").into()).hints(), ["as it is"]);
    }

    #[test]
    fn each_image_is_said_to_be_in_a_target_or_not() {
        let arrived = Arrived::default();
        let images = ["a:1".to_owned(), "b:1".to_owned()];
        let target: Target = "oci:/x".parse().unwrap();
        let line = |arrived: &Arrived| standing(&arrived.landed(&target, &images));
        assert_eq!(line(&arrived), "oci:/x: none of the images is in it: a:1, b:1");
        arrived.note("oci:/x", "b:1");
        arrived.note("oci:/y", "a:1");
        assert_eq!(line(&arrived), "oci:/x: in it: b:1; not in it: a:1");
        assert_eq!(arrived.landed(&target, &images).reason, None);
        arrived.failed(&target, "full".to_owned());
        let landed = arrived.landed(&target, &images);
        assert_eq!((landed.there, landed.missing), (vec!["b:1".to_owned()], vec!["a:1".to_owned()]));
        assert_eq!(landed.reason.as_deref(), Some("full"));
        arrived.found("oci:/x", "a:1");
        arrived.note("oci:/x", "a:1");
        assert_eq!(arrived.landed(&target, &images).added, ["b:1"], "what was there before was not brought");
        assert_eq!(line(&arrived), "oci:/x: all images are in it");
    }
}
