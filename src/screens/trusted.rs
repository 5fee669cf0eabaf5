//! The trusted keys as a page: whose each is, its fingerprint, and the line of which file it is trusted by.

use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::engine::sign::AllowedSigners;
use crate::engine::sign::allowed::Entry;
use crate::engine::spec::{JobReport, JobSpec, KeyListJob};
use crate::tui::model::Model;
use crate::tui::msg::Ended;
use crate::tui::screen::Cx;
use crate::tui::words;

/// Has them read.
pub(super) fn ask(cx: &mut Cx<'_>) {
    let file = cx.model.settings.places().trust;
    cx.start(Act::KeyList, JobSpec::KeyList(KeyListJob { file, required: false }));
}

/// Shows what was read, or why that could not be.
pub(super) fn ended(cx: &mut Cx<'_>) {
    match cx.model.job_of(Act::KeyList).and_then(|job| job.ended.clone()) {
        Some(Ended::Succeeded(report)) => {
            if let JobReport::TrustList(signers) = &*report {
                cx.open(page(signers, cx.model));
            }
        }
        Some(Ended::Failed(failure)) => {
            cx.open(words::failure_page("The trusted keys cannot be read", &failure, &cx.model.keymap))
        }
        _ => {}
    }
}

/// The page; `c` copies the fingerprints.
fn page(signers: &AllowedSigners, model: &Model) -> Page {
    let file = signers.path.display();
    let mut lines = match signers.entries.len() {
        0 => {
            let words = "No key is trusted here yet: every bundle is refused.";
            let key = model.key(Act::KeyTrust);
            let how = format!("{key} on the air-gapped side's Verify trusts the key that signed a bundle.");
            let kept = format!("It is kept in {file} then.");
            vec![(words.to_owned(), Role::Warn), (how, Role::Text), (kept, Role::Text)]
        }
        count => vec![(format!("{} in {file}", words::count(count, "trusted key")), Role::Text)],
    };
    lines.extend(signers.notes.iter().map(|note| (format!("! {note}"), Role::Warn)));
    for entry in &signers.entries {
        lines.push((String::new(), Role::Text));
        lines.push((entry.principals.clone(), Role::Title));
        lines.push((format!("  {}", entry.fingerprint), Role::Text));
        lines.push((format!("  {}, key id {}", entry.algorithm, entry.key_id), Role::Dim));
        lines.push((format!("  trusted by line {} there, {}", entry.line, validity(entry)), Role::Dim));
    }
    let fingerprints: Vec<&str> = signers.entries.iter().map(|entry| &*entry.fingerprint).collect();
    Page::new("Trusted keys", lines).copying(fingerprints.join("\n"))
}

/// For how long, and for what.
fn validity(entry: &Entry) -> String {
    let times = match (entry.valid_after, entry.valid_before) {
        (None, None) => "without an end".to_owned(),
        (Some(after), None) => format!("from {after:.0}"),
        (None, Some(before)) => format!("until {before:.0}"),
        (Some(after), Some(before)) => format!("from {after:.0} until {before:.0}"),
    };
    let only = entry.namespaces.as_ref().map(|names| format!(", only for {names}"));
    times + &only.unwrap_or_default()
}
