//! `airlift media mount DEVICE`: a volume put in its place, or taken from it.

use std::path::PathBuf;

use crate::cli::printer::Printer;
use crate::engine::media::{MountReport, MountSpec};
use crate::engine::spec::JobSpec;

#[derive(Debug, clap::Args)]
pub(super) struct Mount {
    /// The volume's device, as airlift media list shows it
    #[arg(value_name = "DEVICE")]
    pub(super) device: PathBuf,
    /// Unmount it from every place where it is mounted
    #[arg(long)]
    unmount: bool,
    /// Only this file system or device: uuid=1234-ABCD, or device=SERIAL:BYTES
    #[arg(long, value_name = "MARK")]
    only: Option<String>,
}

impl Mount {
    pub(super) fn spec(self) -> JobSpec {
        let Self { device, unmount, only } = self;
        JobSpec::MediaMount(MountSpec { device, unmount, only })
    }
}

/// Where it is now.
pub(in crate::cli::commands) fn show(report: &MountReport, out: &Printer) {
    match &report.mount_point {
        Some(point) => out.line(format!("{} mounted at {}", report.device.display(), point.display())),
        None => out.line(format!("{} unmounted", report.device.display())),
    }
}
