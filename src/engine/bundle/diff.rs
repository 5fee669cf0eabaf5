//! Compares what two bundles say they hold; neither is verified here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::read::document_bytes;
use crate::domain::bundle::BundleManifest;
use crate::domain::diff::{Change, Diff, Sum, diff};
use crate::domain::text;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;

/// Which bundles to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiffSpec {
    /// The first, in general the older one.
    pub first: PathBuf,
    /// The second.
    pub second: PathBuf,
}

/// The difference and what was compared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffReport {
    /// `<name>-<serial>` of the first.
    pub first: String,
    /// `<name>-<serial>` of the second.
    pub second: String,
    /// Always false: the documents were believed.
    pub verified: bool,
    /// What differs.
    #[serde(flatten)]
    pub diff: Diff,
}

impl DiffReport {
    /// In words, a line each.
    pub fn lines(&self) -> Vec<String> {
        let diff = &self.diff;
        let mut lines = vec![format!("{} -> {}  (neither is verified)", self.first, self.second)];
        lines.extend(diff.removed.iter().map(|entry| format!("- {} {}", entry.reference, entry.digest)));
        lines.extend(diff.added.iter().map(|entry| format!("+ {} {}", entry.reference, entry.digest)));
        lines.extend(diff.changed.iter().map(|change| format!("~ {}", changed(change))));
        lines.push(diff.line());
        let (new, gone, shared) = (sum(diff.new), sum(diff.gone), sum(diff.shared));
        lines.push(format!("blobs: new {new}, gone {gone}, shared {shared}"));
        lines
    }
}

fn changed(change: &Change) -> String {
    let mut words = vec![change.reference.clone()];
    if change.from == change.to {
        words.push(format!("{} (same digest)", change.to));
    } else {
        words.push(format!("{} -> {}", change.from, change.to));
    }
    words.extend(change.platforms_removed.iter().map(|platform| format!("-{platform}")));
    words.extend(change.platforms_added.iter().map(|platform| format!("+{platform}")));
    words.join(" ")
}

fn sum(sum: Sum) -> String {
    format!("{} ({})", sum.blobs, text::bytes(sum.bytes))
}

/// Reads both documents and compares them.
///
/// # Errors
/// No bundle there, a document that breaks a rule of the format, a file error.
pub async fn compare(spec: DiffSpec, ctx: &JobCtx) -> Result<DiffReport> {
    let files = ctx.files.clone();
    blocking(move || {
        let first = BundleManifest::parse(&document_bytes(files.as_ref(), &spec.first)?)?;
        let second = BundleManifest::parse(&document_bytes(files.as_ref(), &spec.second)?)?;
        Ok(DiffReport {
            first: first.directory(),
            second: second.directory(),
            verified: false,
            diff: diff(&first, &second),
        })
    })
    .await
}
