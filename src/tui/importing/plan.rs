//! What an import would do, as far as that can be told.

use crate::domain::import::Target;
use crate::domain::progress::Landed;
use crate::engine::import::report::ImportReport;
use crate::engine::spec::ImportJob;
use crate::failure::Failure;

/// What an import would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was planned.
    pub job: ImportJob,
    /// What it would do, or why it cannot be told.
    pub outcome: Result<Box<ImportReport>, Failure>,
    /// Where it cannot be told of all targets: what is known of each of them.
    pub foreseen: Vec<Landed>,
    /// What it warned of.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Whether it cannot be told of this target.
    pub fn is_refused(&self, target: &Target) -> bool {
        self.foreseen.iter().any(|known| known.target == *target && known.reason.is_some())
    }

    /// What is foreseen of the targets that it can be told of, where that is not all of them.
    pub fn others(&self) -> impl Iterator<Item = &Landed> {
        self.foreseen.iter().filter(|known| known.reason.is_none())
    }
}
