//! What is left of a job that was stopped at a safe point.

use super::JobSpec;
use crate::domain::import::Target;

impl JobSpec {
    /// Whether what it finished is kept where it is stopped, so that the same job goes on from there. All others begin
    /// anew.
    pub fn goes_on(&self) -> bool {
        match self {
            Self::Pack(job) => !job.dry_run,
            // An archive is there whole or not at all.
            Self::Import(job) => !job.import.dry_run && !job.import.targets.iter().all(Target::is_archive),
            Self::Undo(job) => !job.dry_run && !job.list,
            _ => false,
        }
    }

    /// What its command does once it was stopped.
    pub fn again(&self) -> &'static str {
        if self.goes_on() {
            "the same command goes on from here"
        } else {
            "nothing of it was kept: the same command begins anew"
        }
    }
}
