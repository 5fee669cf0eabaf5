//! `airlift diff A B`: what changes from one bundle to the next.

use std::path::PathBuf;

use crate::cli::printer::Printer;
use crate::engine::bundle::diff::{DiffReport, DiffSpec};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Show what changes from one bundle to another
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The first bundle, in general the older one
    #[arg(value_name = "A")]
    first: PathBuf,
    /// The second bundle
    #[arg(value_name = "B")]
    second: PathBuf,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// None of its own.
    pub fn spec(self) -> Result<JobSpec, Failure> {
        Ok(JobSpec::Diff(DiffSpec { first: self.first, second: self.second }))
    }
}

/// What changes.
pub(super) fn show(report: &DiffReport, out: &Printer) {
    report.lines().into_iter().for_each(|line| out.line(line));
}
