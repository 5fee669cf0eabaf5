//! A page of what a bundle says of itself.

use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::domain::sheet::without_end;
use crate::domain::text;
use crate::engine::bundle::inspect::{InspectReport, Signature};

/// The page; `c` copies the id.
pub(super) fn page(report: &InspectReport) -> Page {
    let mut lines: Vec<(String, Role)> = Vec::new();
    let mut say = |words: String, role: Role| lines.push((words, role));
    say("As the bundle claims; nothing of this was verified.".to_owned(), Role::Warn);
    say(String::new(), Role::Text);
    say(format!("bundle    {}-{}", report.name, report.serial), Role::Text);
    say(format!("id        {}", report.id), Role::Text);
    say(format!("document  {}", report.manifest_digest), Role::Text);
    say(format!("created   {:.0} by airlift {}", report.created, report.tool.version), Role::Text);
    if let Some(expires) = report.expires {
        let (late, role) =
            if report.expired { (", which is past by this clock", Role::Warn) } else { ("", Role::Text) };
        say(format!("expires   {expires:.0}{late}"), role);
    }
    if let Some(base) = &report.base {
        say(format!("delta to  {}", base.id), Role::Text);
    }
    let totals = report.totals;
    let size = text::bytes(totals.bytes);
    say(
        format!(
            "holds     {}, {}, {size}",
            text::count(totals.images, "image"),
            text::count(totals.blobs, "blob")
        ),
        Role::Text,
    );
    for signature in &report.signatures {
        say(format!("signature {}", signed(signature)), Role::Text);
    }
    if report.signatures.is_empty() {
        say("no signature: the bundle is incomplete, whatever else lies there".to_owned(), Role::Fail);
    }
    say(String::new(), Role::Text);
    for image in &report.images {
        let platforms: Vec<_> = image.platforms.iter().map(|one| one.platform().to_string()).collect();
        say(format!("{}  {}", image.reference, platforms.join(" ")), Role::Text);
        say(format!("    {}", image.digest), Role::Dim);
    }
    for missing in &report.missing {
        say(format!("! not in it: {}: {}", missing.reference, missing.reason), Role::Warn);
    }
    Page::new("What the bundle claims", lines).copying(report.id.to_string())
}

fn signed(signature: &Signature) -> String {
    match (&signature.fingerprint, &signature.fault) {
        (Some(fingerprint), _) => format!("by {}; trust is not checked here", without_end(fingerprint)),
        (None, Some(fault)) => format!("{}: {fault}", signature.path),
        (None, None) => signature.path.clone(),
    }
}
