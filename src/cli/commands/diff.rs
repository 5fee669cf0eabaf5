//! `airlift diff A B`: what changes from one bundle to the next.

use std::path::PathBuf;

use crate::cli::printer::Printer;
use crate::domain::diff::{Change, Sum};
use crate::domain::text;
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
    let diff = &report.diff;
    out.line(format!("{} -> {}  (neither is verified)", report.first, report.second));
    for entry in &diff.removed {
        out.line(format!("- {} {}", entry.reference, entry.digest));
    }
    for entry in &diff.added {
        out.line(format!("+ {} {}", entry.reference, entry.digest));
    }
    for change in &diff.changed {
        out.line(format!("~ {}", changed(change)));
    }
    out.line(diff.line());
    out.line(format!("blobs: new {}, gone {}, shared {}", sum(diff.new), sum(diff.gone), sum(diff.shared)));
}

fn changed(change: &Change) -> String {
    let mut words = vec![change.reference.clone()];
    if change.from == change.to {
        words.push(format!("{} (same digest)", change.to));
    } else {
        words.push(format!("{} -> {}", change.from, change.to));
    }
    words.extend(change.platforms_removed.iter().map(|platform| format!("-{platform}")));
    words.extend(change.platforms_added.iter().map(|platform| format!("+{platform}")));
    words.join(" ")
}

fn sum(sum: Sum) -> String {
    format!("{} ({})", sum.blobs, text::bytes(sum.bytes))
}
