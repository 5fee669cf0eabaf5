//! `airlift media mount DEVICE`: a volume put in its place, or taken from it.

use std::path::PathBuf;

use crate::cli::printer::Printer;
use crate::engine::media::{MountReport, MountSpec};
use crate::engine::spec::JobSpec;

#[derive(Debug, clap::Args)]
pub(super) struct Mount {
    /// The volume's device, as airlift media list shows it
    #[arg(value_name = "DEVICE")]
    device: PathBuf,
    /// Unmount it from every place where it is mounted
    #[arg(long)]
    unmount: bool,
}

impl Mount {
    pub(super) fn spec(self) -> JobSpec {
        JobSpec::MediaMount(MountSpec { device: self.device, unmount: self.unmount })
    }
}

/// Where it is now.
pub(in crate::cli::commands) fn show(report: &MountReport, out: &Printer) {
    match &report.mount_point {
        Some(point) => out.line(format!("{} mounted at {}", report.device.display(), point.display())),
        None => out.line(format!("{} unmounted", report.device.display())),
    }
}
