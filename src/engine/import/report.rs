//! What an import did or, in a dry run, would do: per target, per image.

use serde::Serialize;

use super::containerd::names::Change;
use super::error::ImportError;
use super::proof::Proof;
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::reference::Reference;
use crate::engine::error::{EngineError, Kind};
use crate::engine::storage::change::FileChange;

/// The outcome of an import.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Id of the bundle.
    pub bundle: uuid::Uuid,
    /// Its name and serial, `name-serial`.
    pub name: String,
    /// Whether nothing was written: outcomes are then what would happen.
    pub dry_run: bool,
    /// One per target, in the order asked.
    pub targets: Vec<TargetReport>,
}

/// One target's part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// The target.
    pub target: Target,
    /// One per image, in the order of the bundle.
    pub images: Vec<ImageReport>,
    /// Bytes of blobs and manifests that were written.
    pub bytes_written: u64,
    /// Bytes that were there already and hash right, or that the target vouches for by digest.
    pub bytes_present: u64,
    /// What holds for the whole target.
    pub notes: Vec<String>,
    /// Names that were made or pointed elsewhere, as undo takes them; only of targets that can take them back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Files of the node that were changed with it; in a dry run, that would be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileChange>,
    /// What the runtime's CRI answers for the names; only of runtimes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// One image in one target.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReport {
    /// The image.
    pub reference: Reference,
    /// Its digest in the bundle.
    pub digest: Digest,
    /// Its name in the target, where it has one.
    pub name: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// What the operator should know of this image there.
    pub notes: Vec<String>,
}

/// What became of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is there with the same digest.
    Skipped,
    /// It was not there.
    Added,
    /// Its name was something else's.
    Replaced {
        /// What had the name.
        existing: String,
    },
    /// Its name is something else's and stays so.
    Conflict {
        /// What has the name.
        existing: String,
    },
    /// It is not there.
    Failed {
        /// The class of the failure.
        kind: Kind,
        /// What happened.
        reason: String,
        /// What to do next.
        hints: Vec<String>,
    },
}

impl Outcome {
    /// From an error.
    pub fn failed(error: &EngineError) -> Self {
        Self::Failed { kind: error.kind(), reason: error.message(), hints: error.hints() }
    }

    /// Whether the image is where it was wanted.
    pub const fn arrived(&self) -> bool {
        matches!(self, Self::Skipped | Self::Added | Self::Replaced { .. })
    }
}

impl ImportReport {
    /// The error to end with, where not every image arrived; a dry run fails on what would fail.
    pub fn failure(&self) -> Option<ImportError> {
        let unproved: Vec<String> = self
            .targets
            .iter()
            .filter_map(|target| Some((target, target.proof.as_ref()?)))
            .flat_map(|(target, proof)| {
                proof.problems().into_iter().map(|line| format!("{}: {line}", target.target))
            })
            .collect();
        if !unproved.is_empty() {
            return Some(ImportError::Unproved { names: unproved });
        }
        let all = || self.targets.iter().flat_map(|t| t.images.iter().map(move |image| (t, image)));
        let names: Vec<String> = all()
            .filter_map(|(target, image)| match &image.outcome {
                Outcome::Failed { reason, .. } => {
                    Some(format!("{} into {}: {reason}", image.reference, target.target))
                }
                Outcome::Conflict { existing } => Some(format!(
                    "{} into {}: the name is taken by {existing}",
                    image.reference, target.target
                )),
                _ => None,
            })
            .collect();
        (!names.is_empty()).then(|| ImportError::Partly { failed: names.len(), total: all().count(), names })
    }
}
