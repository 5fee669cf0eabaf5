//! `airlift sign BUNDLE`: checks a bundle whole and adds a signature to it.

use std::path::PathBuf;

use crate::cli::keys::SignerArgs;
use crate::cli::printer::Printer;
use crate::domain::digest::Digest;
use crate::domain::job::Places;
use crate::engine::sign::countersign::CountersignReport;
use crate::engine::spec::{JobSpec, SignJob};
use crate::failure::Failure;

/// Add a signature to a bundle
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the bundle
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    signer: SignerArgs,
    /// Sign only what lies on this file system or device: uuid=1234-ABCD, or device=SERIAL:BYTES
    #[arg(long, value_name = "MARK")]
    only: Option<String>,
    /// Sign only the bundle whose document has this digest, as airlift inspect shows it
    #[arg(long, value_name = "DIGEST")]
    document: Option<Digest>,
    /// Check the bundle, sign nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// There is no home directory to look for the key in.
    pub fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let Self { bundle, signer, only, document, dry_run } = self;
        Ok(JobSpec::Sign(SignJob { bundle, signer: signer.spec(places)?, only, document, dry_run }))
    }
}

/// Who signed, or would.
pub(super) fn show(report: &CountersignReport, out: &Printer) {
    if let Some(signature) = &report.signature {
        let done = if signature.added { "signed" } else { "was signed already" };
        out.line(format!("{} {done} by {}: {}", report.name, signature.fingerprint, signature.path));
    }
    if let Some(who) = &report.would_sign {
        out.line(format!("{} verifies and would be signed by {who}", report.name));
    }
}
