//! `airlift undo FILE`: takes back what an import changed in the runtimes of this node and in its files.

use std::path::PathBuf;

use crate::cli::printer::Printer;
use crate::engine::import::undo::{UndoSpec, UndoneReport};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Take back the names that an import gave to images in the runtimes of this node
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What `airlift import --json` printed, kept in a file; the workstation keeps its own
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Say what would be taken back, change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// None; as the other commands have it.
    pub fn spec(self) -> Result<JobSpec, Failure> {
        Ok(JobSpec::Undo(UndoSpec { file: self.file, dry_run: self.dry_run }))
    }
}

/// What became of each name.
pub(super) fn show(report: &UndoneReport, out: &Printer) {
    report.lines().into_iter().for_each(|line| out.line(line));
}
