//! `airlift media check PATH`: whether a medium keeps what is written to its free space, and what that proves.

use std::path::PathBuf;

use crate::cli::printer::Printer;
use crate::domain::text;
use crate::engine::bundle::readback::Method;
use crate::engine::media::check::Found;
use crate::engine::media::{CheckReport, CheckSpec};
use crate::engine::spec::JobSpec;

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// A directory on the mounted medium
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,
    /// Tell what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Check {
    pub(super) fn spec(self) -> JobSpec {
        JobSpec::MediaCheck(CheckSpec { path: self.path, dry_run: self.dry_run })
    }
}

/// What was found, and what that proves.
pub(in crate::cli::commands) fn show(report: &CheckReport, out: &Printer) {
    let (free, plan) = (text::bytes(report.free), report.plan);
    if let Some(device) = &report.device {
        out.line(format!("device   {}", device.display()));
    }
    out.line(format!("free     {free}"));
    let Some(found) = &report.found else {
        let (bytes, spread) = (text::bytes(plan.bytes()), text::bytes(plan.spread()));
        out.line(format!(
            "would write {bytes} of marks, spread over {spread}, read them back and remove them"
        ));
        return;
    };
    let (bytes, spread) = (text::bytes(found.bytes), text::bytes(found.spread));
    out.line(format!("marked   {bytes}, spread over {spread} of free space"));
    let how = match found.method {
        Method::Direct => "from the device (direct I/O)",
        Method::CacheDropped => "after dropping the page cache (weaker than direct I/O)",
    };
    out.line(format!("read     {how}"));
    out.line(format!(
        "rates    {}/s written, {}/s read",
        text::bytes(found.write_rate),
        text::bytes(found.read_rate)
    ));
    verdict(found, out);
}

fn verdict(found: &Found, out: &Printer) {
    if found.is_good() {
        out.line("OK       every mark came back");
        out.line("         space between the marks, and space that is taken, was not looked at");
    } else {
        let spoilt = found.spoilt;
        let (lost, damaged, another) = (spoilt.lost, spoilt.damaged, spoilt.another);
        out.line(format!("FAIL     {lost} marks lost, {damaged} damaged, {another} overwritten by others"));
        if another > 0 {
            out.line("         addresses wrap around: the device is smaller than it claims");
        }
    }
    if !found.whole {
        out.warn("not all of the free space was reached: the file system cannot reserve room, or time or room ran out");
    }
}
