//! The text of `airlift/SHA256SUMS`: what `sha256sum -c` checks. The signed document lists it like any other file.

use std::fmt::Write as _;

use crate::domain::bundle::{BundleManifest, SUMS};

/// One line for every file of the document's list that has a SHA-256, sorted by path. Not for itself, and not for
/// the document, which cannot hold the digest of a file that holds its own.
///
/// Blobs of another algorithm have no line; their own digest is in the document.
pub fn text(document: &BundleManifest) -> String {
    let mut lines: Vec<(String, String)> =
        document.all_files().filter_map(|(path, _, sha256)| Some((path, sha256?))).collect();
    lines.retain(|(path, _)| path != SUMS);
    lines.sort();
    lines.iter().fold(String::new(), |mut text, (path, sha256)| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{sha256}  {path}");
        text
    })
}
