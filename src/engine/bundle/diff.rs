//! Compares what two bundles say they hold; neither is verified here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::read::document_bytes;
use crate::domain::bundle::BundleManifest;
use crate::domain::diff::{Diff, diff};
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
