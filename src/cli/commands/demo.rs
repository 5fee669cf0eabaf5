//! `airlift demo`: the whole job on this machine, step by step, and what each step proved.

use std::path::PathBuf;

use crate::cli::printer::Printer;
use crate::engine::demo::run::{DemoReport, DemoSpec};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Run the whole job on this machine with sample images
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep everything in this directory, which must be empty or not there yet
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Leave this program out of images and bundle, which makes them small
    #[arg(long)]
    fast: bool,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// None of its own.
    pub fn spec(self) -> Result<JobSpec, Failure> {
        Ok(JobSpec::Demo(DemoSpec { keep: self.keep, fast: self.fast }))
    }
}

/// What each step proved.
pub(super) fn show(report: &DemoReport, out: &Printer) {
    for step in &report.steps {
        out.line(format!("ok  {:<16} {:>6} ms  {}", step.title, step.millis, step.proved));
    }
    out.line(format!("everything held, in {} ms", report.millis));
    if let Some(bundle) = &report.bundle {
        out.line(format!("bundle: {}", bundle.display()));
    }
}
