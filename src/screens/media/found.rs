//! What a test of a medium found, in one line and in full: what it proves and what not.

use crate::config::theme::Role;
use crate::domain::text;
use crate::engine::bundle::readback::Method;
use crate::engine::media::CheckReport;

/// A test in one line.
pub(super) fn verdict(report: &CheckReport) -> (String, Role) {
    let Some(found) = &report.found else { return ("not tested".to_owned(), Role::Dim) };
    let (bytes, spread) = (text::bytes(found.bytes), text::bytes(found.spread));
    if found.is_good() {
        let rates =
            format!("{}/s written, {}/s read", text::bytes(found.write_rate), text::bytes(found.read_rate));
        (format!("+ tested: {bytes} of test data spread over {spread} read back intact; {rates}"), Role::Ok)
    } else {
        let lost = found.spoilt.all();
        (format!("x tested: {lost} test blocks lost: do not use it"), Role::Fail)
    }
}

/// A test in full, with what it proves and what not.
pub(super) fn found(report: &CheckReport) -> Vec<(String, Role)> {
    let mut lines = vec![verdict(report), (String::new(), Role::Text)];
    let Some(found) = &report.found else { return lines };
    lines.push((
        format!(
            "marked  {}, spread over {} of free space",
            text::bytes(found.bytes),
            text::bytes(found.spread)
        ),
        Role::Text,
    ));
    let how = match found.method {
        Method::Direct => "from the device (direct I/O)",
        Method::CacheDropped => "after dropping the page cache (weaker than direct I/O)",
    };
    lines.push((format!("read    {how}"), Role::Text));
    let spoilt = found.spoilt;
    if !found.is_good() {
        let words = format!(
            "{} lost, {} damaged, {} overwritten by others",
            spoilt.lost, spoilt.damaged, spoilt.another
        );
        lines.push((format!("marks   {words}"), Role::Fail));
        if spoilt.another > 0 {
            let words = "addresses wrap around: the device is smaller than it claims";
            lines.push((format!("x fake  {words}"), Role::Fail));
        }
        lines.push((
            "next: use another medium; existing data on this one may be damaged".to_owned(),
            Role::Text,
        ));
    }
    if !found.whole {
        let words = "! not all free space was tested: out of time or space, or none could be reserved";
        lines.push((words.to_owned(), Role::Warn));
    }
    let words = "Space between the test blocks and used space were not tested.";
    lines.push((words.to_owned(), Role::Dim));
    lines
}
