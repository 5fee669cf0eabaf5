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
        (format!("+ tested: kept {bytes} of marks spread over {spread}; {rates}"), Role::Ok)
    } else {
        let lost = found.spoilt.all();
        (format!("x tested: {lost} marks did not come back: do not use it"), Role::Fail)
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
        Method::CacheDropped => "after dropping the cache, which proves less than direct I/O",
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
            let words = "the device starts over at its real end: it is smaller than it says";
            lines.push((format!("x fake  {words}"), Role::Fail));
        }
        lines.push((
            "next: use another medium; what is on this one may be damaged, too".to_owned(),
            Role::Text,
        ));
    }
    if !found.whole {
        let words =
            "! not all of the free space was reached: no room could be reserved, or time or room ran out";
        lines.push((words.to_owned(), Role::Warn));
    }
    let words = "Space between the marks, and space that is taken, was not looked at.";
    lines.push((words.to_owned(), Role::Dim));
    lines
}
