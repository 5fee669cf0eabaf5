//! What a run noted of one target: all that can be taken back there, and how much that is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::import::Target;
use crate::engine::import::containerd::names::Change;
use crate::engine::import::containers_storage::undo::StoreChange;
use crate::engine::import::k3s::undo::ArchiveChange;
use crate::engine::stays::Stays;
use crate::engine::storage::change::FileChange;

/// What a run noted, or its report says, of one target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::engine::import) struct Made {
    /// Which.
    pub(in crate::engine::import) target: Target,
    /// Names that were made or pointed elsewhere.
    #[serde(default)]
    pub(in crate::engine::import) changes: Vec<Change>,
    /// Files of the node that were changed with it.
    #[serde(default)]
    pub(in crate::engine::import) files: Vec<FileChange>,
    /// What was done to the archive in an images directory.
    #[serde(default)]
    pub(in crate::engine::import) archives: Vec<ArchiveChange>,
    /// Images that were put into the node's own store.
    #[serde(default)]
    pub(in crate::engine::import) stored: Vec<StoreChange>,
    /// Names and paths that the run counts on, whoever brought them: what it found and what it brought.
    #[serde(skip)]
    pub(in crate::engine::import) wanted: Vec<String>,
}

impl Made {
    /// Nothing yet.
    pub(in crate::engine::import) const fn of(target: Target) -> Self {
        Self {
            target,
            changes: Vec::new(),
            files: Vec::new(),
            archives: Vec::new(),
            stored: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// Whether there is nothing to take back.
    pub(in crate::engine::import) const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.files.is_empty() && self.archives.is_empty() && self.stored.is_empty()
    }

    /// What of it is left, where this stays as it is.
    pub(in crate::engine::import) fn left(mut self, kept: &[&Stays]) -> Self {
        let stays = |mark: &str| kept.iter().any(|one| one.is(mark));
        self.changes.retain(|change| stays(&change.name));
        self.files.retain(|file| stays(&file.path.display().to_string()));
        self.archives.retain(|archive| stays(&archive.path.display().to_string()));
        self.stored.retain(|image| image.names.iter().any(|name| stays(name)));
        self
    }

    /// What is changed by it, by name or path: what a later run changes too is that one's.
    pub(in crate::engine::import) fn marks(&self) -> impl Iterator<Item = String> {
        let names = self.changes.iter().map(|change| change.name.clone());
        let names = names.chain(self.stored.iter().flat_map(|image| image.names.iter().cloned()));
        names.chain(self.archives.iter().map(|archive| archive.path.display().to_string()))
    }
}

impl Made {
    /// What of it a later run can count on: the same, and an additional store that files of the node name.
    pub(super) fn claims(&self) -> impl Iterator<Item = String> {
        let store = match &self.target {
            Target::ContainersStorage(Some(store)) if !self.files.is_empty() => {
                Some(store.display().to_string())
            }
            _ => None,
        };
        self.marks().chain(store)
    }
}

/// How much of a target can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotedTarget {
    /// Which.
    pub target: Target,
    /// Names that were not there before.
    pub made: usize,
    /// Names that stood for something else, or were not marked as the runtime wants it.
    pub changed: usize,
    /// Files of the node.
    pub files: Vec<PathBuf>,
    /// Images of a store that were announced and not brought, as far as that was noted.
    #[serde(skip_serializing_if = "is_none")]
    pub announced: usize,
    /// Whether the run was cut off: what it had not finished may lie there without a name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unfinished: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_none(count: &usize) -> bool {
    *count == 0
}

impl From<Made> for NotedTarget {
    fn from(Made { target, changes, files, archives, stored, .. }: Made) -> Self {
        let changed = changes.iter().filter(|change| change.was.is_some()).count();
        let mut files: Vec<PathBuf> = files.into_iter().map(|file| file.path).collect();
        files.extend(archives.into_iter().map(|archive| archive.path));
        files.dedup();
        let (announced, brought): (Vec<_>, Vec<_>) = stored.iter().partition(|image| image.announced);
        let named: usize = brought.iter().map(|image| image.names.len()).sum();
        let (made, announced) = (changes.len() - changed + named, announced.len());
        Self { target, made, changed, files, announced, unfinished: false }
    }
}

impl NotedTarget {
    /// Adds to those of a run that something may be unfinished in this one.
    pub(super) fn left_unfinished(all: &mut Vec<Self>, target: &Target) {
        let at = all.iter().position(|one| one.target == *target).unwrap_or_else(|| {
            all.push(Made::of(target.clone()).into());
            all.len() - 1
        });
        all[at].unfinished = true;
    }
}
