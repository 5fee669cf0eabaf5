//! One command, one file: its arguments, the spec it builds from them, and how its report reads.

pub mod completions;
pub mod demo;
pub mod diff;
pub mod import;
pub mod inspect;
pub mod key;
pub mod man;
pub mod media;
pub mod node;
pub mod pack;
pub mod resolve;
pub mod serve;
pub mod sign;
pub mod undo;
pub mod verify;

use super::printer::Printer;
use crate::engine::spec::JobReport;

/// The words for a report.
pub(super) fn show(report: &JobReport, out: &Printer) {
    match report {
        JobReport::Resolve(report) => resolve::show(report, out),
        JobReport::Plan(plan) => pack::show_plan(plan, out),
        JobReport::Pack(report) => pack::show(report, out),
        JobReport::Verify(report) => verify::show(report, out),
        JobReport::Sign(report) => sign::show(report, out),
        JobReport::Service(report) => serve::show(report, out),
        JobReport::Import(report) => import::show(report, out),
        JobReport::Undo(report) => undo::show(report, out),
        JobReport::Inspect(report) => inspect::show(report, out),
        JobReport::Diff(report) => diff::show(report, out),
        JobReport::Demo(report) => demo::show(report, out),
        JobReport::KeyPlan(plan) => key::own::show_plan(plan, out),
        JobReport::Key(report) => key::own::show_made(report, out),
        JobReport::Keys(reports) => reports.iter().for_each(|report| key::own::show_key(report, out)),
        JobReport::Trusted(report) => key::trusted::show_trusted(report, out),
        JobReport::Untrusted(report) => key::trusted::show_untrusted(report, out),
        JobReport::TrustList(signers) => key::trusted::show_list(signers, out),
        JobReport::MediaCheck(report) => media::show_check(report, out),
        JobReport::MediaMount(report) => media::show_mount(report, out),
        JobReport::MediaEject(report) => media::show_eject(report, out),
    }
}
