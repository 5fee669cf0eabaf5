//! What is left of a job that was stopped at a safe point.

use super::JobSpec;

impl JobSpec {
    /// Whether what it finished is kept where it is stopped, so that the same job goes on from there. All others begin
    /// anew.
    pub const fn goes_on(&self) -> bool {
        matches!(self, Self::Pack(_) | Self::Import(_) | Self::Undo(_))
    }

    /// What its command does once it was stopped.
    pub const fn again(&self) -> &'static str {
        if self.goes_on() {
            "the same command goes on from here"
        } else {
            "nothing of it was kept: the same command begins anew"
        }
    }
}
