//! `airlift verify BUNDLE`: everything there is to check, in the safe order, and what was checked in words.

use std::path::PathBuf;

use crate::cli::args::TrustArgs;
use crate::cli::printer::Printer;
use crate::domain::bundle::{directory, incomplete};
use crate::domain::job::Places;
use crate::domain::text;
use crate::engine::bundle::verify::{Bytes, VerifyReport, VerifySpec};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Verify signatures, age, file list and every byte of a bundle
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle's directory, NAME-SERIAL
    bundle: PathBuf,
    /// Unpack every layer and compare with the image configurations, too
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// There is no home directory to look for the trust store in.
    pub fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let spec = self.trust.verify_spec(self.bundle, Bytes::All, places)?;
        Ok(JobSpec::Verify(VerifySpec { deep: self.deep, ..spec }))
    }
}

/// What was checked.
pub(super) fn show(report: &VerifyReport, out: &Printer) {
    for warning in &report.warnings {
        out.warn(warning);
    }
    for missing in &report.missing {
        out.warn(missing.to_string());
    }
    if let Some(words) = incomplete(&report.missing) {
        out.warn(format!("this bundle is {words}"));
    }
    let totals = report.totals;
    out.line(format!(
        "{}  {}  {}",
        result(report),
        directory(&report.name, report.serial),
        report.path.display()
    ));
    out.line(format!("id          {}", report.id));
    out.line(format!("document    {}", report.document));
    out.line(format!("created     {}", report.created));
    out.line(format!(
        "expires     {}",
        report.expires.map_or_else(|| "never".to_owned(), |time| time.to_string())
    ));
    let needed = report.trust.required;
    out.line(format!(
        "signatures  {} by trusted keys that differ from each other, {needed} needed",
        report.trust.signed_by.len()
    ));
    for signature in &report.trust.signatures {
        out.line(format!("            {signature}"));
    }
    let (images, blobs) = (text::count(totals.images, "image"), text::count(totals.blobs, "blob"));
    out.line(format!("content     {images}, {blobs}, {} bytes", totals.bytes));
    let unpacked = report.layers_unpacked.map_or_else(
        || "layers not unpacked (--deep does)".to_owned(),
        |layers| format!("{} unpacked and compared", text::count(layers as u64, "layer")),
    );
    out.line(format!("checked     {} bytes hashed, {unpacked}", report.bytes_hashed));
}

/// The first words of the data: whoever reads no more of it knows whether something lacks.
fn result(report: &VerifyReport) -> String {
    match (report.complete, report.missing.len()) {
        (true, _) => "OK".to_owned(),
        (false, missing) => format!("OK but incomplete, {} missing", text::count(missing as u64, "image")),
    }
}
