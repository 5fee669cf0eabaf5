//! What an import is asked for.

use serde::{Deserialize, Serialize};

use crate::domain::import::Target;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::engine::registry::RegistryOptions;
use crate::engine::storage::change::NodeSpec;

/// What to import, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportSpec {
    /// Where to; at least one, none twice.
    pub targets: Vec<Target>,
    /// Only these images; all where empty.
    pub only: Vec<Reference>,
    /// The platform for targets that hold one only.
    pub platform: Option<Platform>,
    /// Whether a name that the target has for something else is taken over.
    pub replace: bool,
    /// Whether to say what would happen and write nothing.
    pub dry_run: bool,
    /// Whether one image that fails lets the others go on.
    pub keep_going: bool,
    /// How registries are reached.
    pub registry: RegistryOptions,
    /// Uploads at once, at least one.
    pub jobs: usize,
    /// The node whose store is written, and what is done about its configuration.
    #[serde(default)]
    pub node: Box<NodeSpec>,
}

impl ImportSpec {
    /// Uploads at once where nothing is said.
    pub const JOBS: u8 = 4;

    /// An import of all images, as it is where nothing else is said.
    pub fn new(targets: Vec<Target>) -> Self {
        Self {
            targets,
            only: Vec::new(),
            platform: None,
            replace: false,
            dry_run: false,
            keep_going: false,
            registry: RegistryOptions::default(),
            jobs: Self::JOBS.into(),
            node: Box::default(),
        }
    }
}
