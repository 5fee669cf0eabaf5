//! The text of `airlift/SHA256SUMS`: what `sha256sum -c` checks, and exactly what the signed document implies.

use std::fmt::Write as _;

use crate::domain::bundle::{BundleManifest, MANIFEST};
use crate::engine::hash;

/// One line for the signed document and one for every file of its list that has a SHA-256, sorted by path.
///
/// Blobs of another algorithm have no line; their own digest is in the document.
pub fn text(document: &BundleManifest, document_bytes: &[u8]) -> String {
    let mut lines: Vec<(String, String)> =
        document.all_files().filter_map(|(path, _, sha256)| Some((path, sha256?))).collect();
    lines.push((MANIFEST.to_owned(), hash::sha256(document_bytes).hex().to_owned()));
    lines.sort();
    lines.iter().fold(String::new(), |mut text, (path, sha256)| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{sha256}  {path}");
        text
    })
}
