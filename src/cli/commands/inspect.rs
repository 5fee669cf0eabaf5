//! `airlift inspect BUNDLE`: what is in a bundle, by its own word.

use std::path::PathBuf;

use crate::cli::printer::{Align, Printer};
use crate::domain::bundle::Image;
use crate::domain::sheet::without_end;
use crate::domain::text;
use crate::engine::bundle::inspect::{InspectReport, InspectSpec, Signature};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Show what is in a bundle, without verifying it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle's directory
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// None of its own.
    pub fn spec(self) -> Result<JobSpec, Failure> {
        Ok(JobSpec::Inspect(InspectSpec { bundle: self.bundle }))
    }
}

/// What the bundle claims.
pub(super) fn show(report: &InspectReport, out: &Printer) {
    out.line(format!("bundle      {}-{}  (NOT VERIFIED: run airlift verify)", report.name, report.serial));
    out.line(format!("id          {}", report.id));
    out.line(format!("document    {}", report.manifest_digest));
    out.line(format!("created     {} by airlift {}", report.created, report.tool.version));
    if let Some(expires) = report.expires {
        let state = if report.expired { " (expired by this host's clock)" } else { "" };
        out.line(format!("expires     {expires}{state}"));
    }
    if let Some(base) = &report.base {
        out.line(format!("delta to    {}", base.id));
    }
    let parts = match report.blobs_in_parts {
        0 => String::new(),
        count => format!(", {count} of them in parts"),
    };
    let totals = report.totals;
    let size = text::bytes(totals.bytes);
    let (images, blobs) = (text::count(totals.images, "image"), text::count(totals.blobs, "blob"));
    out.line(format!("holds       {images}, {blobs}, {size}{parts}"));
    for signature in &report.signatures {
        out.line(format!("signature   {}", signed(signature)));
    }
    if report.signatures.is_empty() {
        out.line("signature   none: the bundle is incomplete whatever else lies there");
    }
    out.line("");
    let header = [
        ("REFERENCE", Align::Left),
        ("DIGEST", Align::Left),
        ("PLATFORMS", Align::Left),
        ("SIZE", Align::Right),
        ("NOTES", Align::Left),
    ];
    out.table(&header, &report.images.iter().map(row).collect::<Vec<_>>());
    for missing in &report.missing {
        out.line(format!("MISSING {}: {}", missing.reference, missing.reason));
    }
}

fn signed(signature: &Signature) -> String {
    match (&signature.fingerprint, &signature.fault) {
        (Some(fingerprint), _) => {
            // From here it is not typed to trust the key.
            format!("{} ({}), trust not checked", without_end(fingerprint), signature.path)
        }
        (None, Some(fault)) => format!("{}: {fault}", signature.path),
        (None, None) => signature.path.clone(),
    }
}

fn row(image: &Image) -> Vec<String> {
    let platforms: Vec<_> = image.platforms.iter().map(|one| one.platform().to_string()).collect();
    let mut notes = Vec::new();
    if !image.omitted_platforms.is_empty() {
        notes.push(format!("{} left out", text::count(image.omitted_platforms.len() as u64, "platform")));
    }
    if !image.signatures.is_empty() {
        notes.push(format!("{} carried", text::referrers(image.signatures.len())));
    }
    notes.extend(image.findings.iter().cloned());
    let size = image.platforms.iter().fold(0u64, |sum, one| sum.saturating_add(one.size));
    vec![
        image.reference.to_string(),
        format!("{}:{}", image.digest.algorithm().name(), image.digest.short()),
        platforms.join(" "),
        text::bytes(size),
        notes.join(", "),
    ]
}
