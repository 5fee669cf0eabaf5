//! What is shown of a key that was made on Start.

use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::domain::sheet::{KEY_ENDS_IN, ends_in};
use crate::engine::sign::keys::KeyReport;

/// What was made, and what has to be carried on paper; `trust` does it where it is verified.
pub(super) fn page(report: &KeyReport, trust: &str) -> Page {
    let path = report.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let lines = [
        ("+ ok  the key pair was created", Role::Ok),
        ("", Role::Text),
        (&format!("private      {path}"), Role::Text),
        (&format!("public       {path}.pub"), Role::Text),
        (&format!("fingerprint  {}", report.fingerprint), Role::Title),
        (&format!("{KEY_ENDS_IN}  {}", ends_in(&report.fingerprint)), Role::Title),
        (&format!("key id       {}", report.key_id), Role::Text),
        ("", Role::Text),
        (
            &format!(
                "Give the fingerprint to whoever verifies, not on the medium: on paper or by telephone. They trust the key with {trust} on Verify, or with airlift key trust FILE.pub --fingerprint SHA256:..."
            ),
            Role::Text,
        ),
        ("", Role::Text),
        (&report.public, Role::Dim),
    ];
    let lines = lines.into_iter().map(|(words, role)| (words.to_owned(), role));
    Page::new("A signing key", lines.collect()).copying(report.public.clone())
}
