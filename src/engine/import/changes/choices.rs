//! What a run was asked for beside its bundle and targets, noted so that it can be gone on with as it was begun.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::engine::import::ImportSpec;
use crate::engine::import::graph::ImageGraph;
use crate::engine::storage::change::ConfMode;

/// The choices of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Choices {
    /// Its images, by the references of the bundle; all where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Reference>,
    /// The platform for targets that hold one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Whether names that were something else's were taken over.
    pub replace: bool,
    /// Whether the others went on when one image failed.
    pub keep_going: bool,
    /// What was done about `storage.conf`.
    pub storage_conf: ConfMode,
    /// Where the change of `storage.conf` was to be written to, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
}

impl Choices {
    /// Of a run over these images.
    pub(super) fn of(spec: &ImportSpec, images: &[ImageGraph]) -> Self {
        let asked = images.iter().filter(|_| !spec.only.is_empty());
        Self {
            only: asked.map(|image| image.image.reference.clone()).collect(),
            platform: spec.platform.clone(),
            replace: spec.replace,
            keep_going: spec.keep_going,
            storage_conf: spec.node.storage_conf,
            out: spec.node.out.clone(),
        }
    }
}
