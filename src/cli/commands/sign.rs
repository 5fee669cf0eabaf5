//! `airlift sign BUNDLE`: checks a bundle whole and adds a signature to it.

use std::path::{Path, PathBuf};

use crate::cli::Front;
use crate::cli::keys::SignerArgs;
use crate::engine::sign::countersign::{CountersignSpec, countersign};
use crate::failure::Failure;

/// Add a signature to a bundle
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the bundle
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    signer: SignerArgs,
    /// Check the bundle, sign nothing
    #[arg(long)]
    dry_run: bool,
}

/// Signs.
///
/// # Errors
/// What is wrong with the bundle or the key.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    if let Some(medium) = args.bundle.canonicalize().ok().as_deref().and_then(Path::parent) {
        args.signer.keep_off(medium, front)?;
    }
    let signer = args.signer.signer(front).await?;
    let who = crate::engine::sign::fingerprint(signer.public().key_data());
    let spec = CountersignSpec { bundle: args.bundle, signer: (!args.dry_run).then_some(signer) };
    let report = countersign(spec, &front.ctx).await?;
    front.printer.report(&report, |out| match &report.signature {
        Some(signature) => {
            let done = if signature.added { "signed" } else { "was signed already" };
            out.line(format!("{} {done} by {}: {}", report.name, signature.fingerprint, signature.path));
        }
        None => out.line(format!("{} verifies and would be signed by {who}", report.name)),
    });
    Ok(())
}
