//! What a run was asked for beside its bundle and targets, noted so that it can be gone on with as it was begun.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::noted::Begun;
use crate::domain::bundle::BundleManifest;
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
    /// Its bundle; nothing where an earlier program noted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Lay>,
}

/// The bundle of a run: another one may have its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lay {
    /// Where it lay.
    pub path: PathBuf,
    /// Its id.
    pub id: Uuid,
}

impl Begun {
    /// Its bundle, where that was noted.
    pub fn lay(&self) -> Option<&Lay> {
        self.choices.as_ref()?.bundle.as_ref()
    }

    /// Whether it was over this bundle: by its id, where an earlier program noted none by its name, `name-serial`.
    pub fn is_over(&self, id: Uuid, name: &str) -> bool {
        self.lay().map_or(self.bundle == name, |lay| lay.id == id)
    }

    /// Whether it was over the bundle of another run, likewise.
    pub(super) fn is_of_the_bundle_of(&self, other: &Self) -> bool {
        let name = self.bundle == other.bundle;
        other.lay().map_or(name, |lay| self.is_over(lay.id, &other.bundle))
    }

    /// The same, with where its bundle lies.
    pub(in crate::engine::import) fn lying(self, path: &Path, bundle: &BundleManifest) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let bundle = Some(Lay { path, id: bundle.id });
        let choices = Choices { bundle, ..self.choices.map_or_else(Choices::default, |choices| *choices) };
        Self { choices: Some(Box::new(choices)), ..self }
    }
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
            bundle: None,
        }
    }
}
