//! `airlift media eject PATH`: lets a medium go, and tells apart what is true of it.

use std::path::PathBuf;

use crate::cli::args::given_or;
use crate::cli::printer::Printer;
use crate::domain::job::Places;
use crate::engine::media::{EjectReport, EjectSpec, Truth};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Eject {
    /// A device, a mount point, or anything on the medium
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,
    /// How what was written was read back, to be told in the report; nothing tells what packs of this host read back there
    #[arg(long, value_name = "HOW")]
    verified: Option<String>,
    /// Let go only of this file system or device: uuid=1234-ABCD, or device=SERIAL:BYTES
    #[arg(long, value_name = "MARK")]
    only: Option<String>,
    /// What packs of this host read back is remembered here instead of in the data directory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Without udisks2, let the kernel take the device away; it comes back when it is plugged in again
    #[arg(long)]
    detach: bool,
    /// Tell what would be unmounted, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Eject {
    pub(super) fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let Self { path, verified, only, state, detach, dry_run } = self;
        let state = given_or(state, places, |places| &places.state)?;
        Ok(JobSpec::MediaEject(EjectSpec { path, verified, only, state, detach, dry_run }))
    }
}

/// The three truths, then one line that says no more than they do.
pub(in crate::cli::commands) fn show(report: &EjectReport, out: &Printer) {
    let medium = &report.medium;
    out.line(format!("medium       {} {}", medium.device.display(), medium.short_name()));
    let word = if report.dry_run { "would unmount" } else { "unmounted   " };
    report.unmounted.iter().for_each(|point| out.line(format!("{word} {}", point.display())));
    if report.dry_run {
        return;
    }
    let truth = |name: &str, truth: &Truth| {
        let word = if truth.holds { "yes" } else { "NO" };
        out.line(format!("{name:<12} {word}: {}", truth.words));
    };
    truth("synced", &report.synced);
    truth("verified", &report.verified);
    truth("powered off", &report.powered_off);
    out.line(report.line());
}
