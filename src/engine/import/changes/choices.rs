//! What a run was asked for beside its bundle and targets, noted so that it can be gone on with as it was begun.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::noted::Begun;
use crate::domain::bundle::BundleManifest;
use crate::domain::import::Target;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::domain::trust::SerialDecision;
use crate::engine::import::ImportSpec;
use crate::engine::import::graph::ImageGraph;
use crate::engine::registry::RegistryOptions;
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
    /// How registries were reached, where it was into one: files of a CA and of accounts by their paths alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistryOptions>,
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
    /// How its serial stood to what was accepted before, where it was let through in spite of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_through: Option<SerialDecision>,
}

/// What a run is noted with.
#[derive(Clone, Debug)]
pub struct Noting {
    /// The directory of history.
    pub history: PathBuf,
    /// As in [`Lay`].
    pub let_through: Option<SerialDecision>,
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
    pub(in crate::engine::import) fn lying(
        self,
        path: &Path,
        bundle: &BundleManifest,
        let_through: Option<SerialDecision>,
    ) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut choices = self.choices.map_or_else(Choices::default, |choices| *choices);
        choices.bundle = Some(Lay { path, id: bundle.id, let_through });
        // Who named every one of them asked for all.
        if choices.only.len() == bundle.images.len() {
            choices.only.clear();
        }
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
            registry: reached(spec),
            bundle: None,
        }
    }
}

/// How a run reaches registries, where one is among its targets, wherever it is gone on with.
fn reached(spec: &ImportSpec) -> Option<RegistryOptions> {
    let into = spec.targets.iter().any(|target| matches!(target, Target::Registry(_)));
    let here = std::path::absolute(".").unwrap_or_default();
    into.then(|| spec.registry.clone().within(&here)).filter(|options| *options != RegistryOptions::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_registry_was_reached_is_noted_by_paths_and_only_of_an_import_into_one() {
        let spec = |target: &str, registry| ImportSpec {
            registry,
            ..ImportSpec::new(vec![target.parse().unwrap()])
        };
        let options = RegistryOptions {
            plain_http: vec!["r.example:5000".to_owned()],
            insecure: vec!["s.example".to_owned()],
            ca: vec!["/etc/ca.pem".into()],
            authfile: Some("auth.json".into()),
        };
        let noted = Choices::of(&spec("registry:r.example:5000", options.clone()), &[]);
        let authfile = std::env::current_dir().unwrap().join("auth.json");
        let wanted = RegistryOptions { authfile: Some(authfile), ..options.clone() };
        let text = serde_json::to_string(&noted).unwrap();
        assert_eq!(serde_json::from_str::<Choices>(&text).unwrap().registry, Some(wanted), "{text}");
        for (target, options) in [("oci:/x", options), ("registry:r.example", RegistryOptions::default())] {
            let noted = Choices::of(&spec(target, options), &[]);
            assert_eq!(noted.registry, None, "{target}");
        }
    }
}
