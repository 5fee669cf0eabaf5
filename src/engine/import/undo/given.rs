//! What undo is given, read: what a run noted, or the report of an import, and whether that tells all of it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::UndoError;
use crate::domain::import::Target;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::import::changes::{self, Begun, Made, NotedRun};
use crate::engine::storage::change::{FileChange, FileState};

/// What is read of a report, or of what a run noted.
#[derive(Deserialize)]
pub(super) struct Kept {
    pub(super) targets: Vec<KeptTarget>,
    /// The bundle, `name-serial`; of a report.
    #[serde(default)]
    name: Option<String>,
    /// Whether it is a report of what would be done.
    #[serde(default, rename = "dryRun")]
    dry_run: bool,
    /// What the run was, where this is what it noted.
    #[serde(skip)]
    begun: Option<Begun>,
    /// Whether that run is still at work.
    #[serde(skip)]
    held: bool,
}

/// One target's part.
#[derive(Deserialize)]
pub(super) struct KeptTarget {
    #[serde(flatten)]
    pub(super) made: Made,
    /// What became of images; of a report.
    #[serde(default)]
    images: Vec<KeptImage>,
}

#[derive(Deserialize)]
pub(super) struct KeptImage {
    #[serde(default)]
    outcome: serde_json::Value,
}

impl Kept {
    /// Without files that were only shown, or would be changed: who did so since has their own run.
    fn done(mut self) -> Self {
        let is_made = |file: &FileChange| !self.dry_run && file.state != FileState::Shown;
        self.targets.iter_mut().for_each(|one| one.made.files.retain(is_made));
        self
    }

    /// The first target of a report in which images were written without a word of how that is taken back.
    pub(super) fn silent(&self) -> Option<Target> {
        let written =
            |image: &KeptImage| matches!(image.outcome["outcome"].as_str(), Some("added" | "replaced"));
        let silent = |one: &&KeptTarget| {
            matches!(one.made.target, Target::K3s(_) | Target::ContainersStorage(None))
                && one.images.iter().any(written)
        };
        self.targets.iter().find(silent).map(|one| one.made.target.clone())
    }

    /// That it is silent of a target, with the run that was noted of the same bundle.
    pub(super) fn refused(&self, target: Target, runs: &[NotedRun], path: PathBuf) -> UndoError {
        let of = |run: &&NotedRun| {
            self.name.as_ref() == Some(&run.begun.bundle)
                && run.targets.iter().any(|one| one.target == target)
        };
        let run = runs.iter().find(of).cloned().map(Box::new);
        UndoError::Unreported { path, target, run }
    }

    /// That it was not taken back before, and is over; with the run, as far as that can still be taken back.
    ///
    /// # Errors
    /// [`UndoError::Undone`], [`UndoError::Running`], [`UndoError::Gone`].
    pub(super) fn check(&self, file: &Path, run: Option<&NotedRun>) -> std::result::Result<(), UndoError> {
        if let Some(run) = run.filter(|run| run.begun.running) {
            return Err(UndoError::Running { run: Box::new(run.clone()) });
        }
        // One that is noted below another directory of history than the one that was looked through.
        if let Some(begun) = self.begun.as_ref().filter(|begun| self.held && begun.ended.is_none()) {
            let (file, begun) = (file.to_owned(), begun.clone());
            return Err(UndoError::Running { run: Box::new(NotedRun::idle(file, begun)) });
        }
        let undone = self.begun.as_ref().and_then(|begun| Some((begun, begun.undone()?)));
        if let Some((begun, at)) = undone {
            return Err(UndoError::Undone { run: begun.words(&[]), at });
        }
        let gone =
            |run: &&NotedRun| !run.changed_something() && self.targets.iter().any(|one| !one.made.is_empty());
        run.filter(gone).map_or(Ok(()), |run| Err(UndoError::Gone { run: run.words() }))
    }

    /// The targets in which the run may have left what it had not finished.
    pub(super) fn unfinished(&self) -> Vec<Target> {
        self.begun.iter().flat_map(Begun::unfinished).cloned().collect()
    }

    /// What there is to look at in each target.
    pub(super) fn made(self) -> Vec<Made> {
        let unfinished = self.unfinished();
        let mut all: Vec<Made> = self.targets.into_iter().map(|one| one.made).collect();
        for target in unfinished {
            if all.iter().all(|made| made.target != target) {
                all.push(Made::of(target));
            }
        }
        all
    }
}

/// Reads what a run noted, or a report: one document, or the last line of what `--json` prints, where it is under `report`.
pub(super) fn read(files: &dyn Files, path: &Path) -> Result<Kept> {
    // Before it is read: one that ends meanwhile has said how.
    let held = changes::is_at_work(files, path);
    let open = open_named(files, path)?;
    let bytes = read_whole(open, changes::MOST).map_err(|source| FileError {
        operation: "read",
        path: path.to_owned(),
        source,
    })?;
    let kept = parse(&bytes).map_err(|reason| UndoError::NoReport { path: path.to_owned(), reason })?;
    Ok(Kept { held, ..kept })
}

pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Kept, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Document {
        Result { report: Kept },
        Report(Kept),
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    if let Some((begun, targets)) = changes::parse(text) {
        let alone = |made| KeptTarget { made, images: Vec::new() };
        let targets = targets.into_iter().map(alone).collect();
        return Ok(Kept { targets, name: None, dry_run: false, begun: Some(begun), held: false });
    }
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let document = serde_json::from_str::<Document>(text).or_else(|_| serde_json::from_str::<Document>(last));
    match document.map_err(|error| error.to_string())? {
        Document::Result { report } | Document::Report(report) => Ok(report.done()),
    }
}
