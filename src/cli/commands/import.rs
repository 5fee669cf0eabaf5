//! `airlift import BUNDLE --into TARGET…`: verifies, then writes; what became of each image in each target.

use std::path::PathBuf;

use crate::cli::Front;
use crate::cli::args::{RegistryArgs, TrustArgs};
use crate::cli::printer::{Align, Printer};
use crate::domain::import::Target;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::engine::bundle::verify::{self, Bytes};
use crate::engine::error::EngineError;
use crate::engine::import::report::{ImportReport, Outcome};
use crate::engine::import::{ImportSpec, import};
use crate::failure::Failure;

/// Verify a bundle and import it into registries, layouts or archives
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle's directory, NAME-SERIAL
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// Where to: registry:[http://]HOST[:PORT][/PREFIX] ({host} in PREFIX is the source registry), oci:DIR,
    /// oci-archive:FILE, docker-archive:FILE
    #[arg(long, value_name = "TARGET", required = true)]
    into: Vec<String>,
    /// Only this image of the bundle; may be given again
    #[arg(long, value_name = "REF")]
    only: Vec<String>,
    /// The platform for targets that hold one only (docker-archive)
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Take over names that a target has for something else
    #[arg(long)]
    replace: bool,
    /// Say what would become of each image, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Import the other images when one fails, and exit 3
    #[arg(long)]
    keep_going: bool,
    /// Uploads at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Verifies, imports and lists.
///
/// # Errors
/// 3 partly done, 10 integrity, 11 trust, 12 rollback, 14 space, 15 network, 16 import.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    let mut targets: Vec<Target> = Vec::new();
    for text in &args.into {
        let target: Target = text.parse().map_err(EngineError::from)?;
        if targets.contains(&target) {
            return Err(Failure::usage(format!("{target} is given twice")));
        }
        targets.push(target);
    }
    let only = args.only.iter().map(|text| text.parse::<Reference>()).collect::<Result<_, _>>();
    let platform = args.platform.as_deref().map(str::parse::<Platform>).transpose();
    let spec = ImportSpec {
        targets,
        only: only.map_err(EngineError::from)?,
        platform: platform.map_err(EngineError::from)?,
        replace: args.replace,
        dry_run: args.dry_run,
        keep_going: args.keep_going,
        registry: args.registry.options()?,
        jobs: usize::from(args.jobs),
    };
    // Layers are hashed as they stream into the target, so that each byte is read once.
    let mut verification = args.trust.verify_spec(args.bundle, Bytes::AllButLayers)?;
    // Accepted is what was imported: a bundle that turns out damaged must not shut out the good one before it.
    verification.record = false;
    let verified = verify::verify(verification, &front.ctx).await?;
    for warning in &verified.report.warnings {
        front.printer.warn(warning);
    }
    let report = import(verified.bundle.clone(), spec, &front.ctx).await?;
    front.printer.report(&report, |out| print(out, &report));
    if let Some(error) = report.failure() {
        return Err(EngineError::from(error).into());
    }
    if !report.dry_run
        && let Some(warning) = verified.accept()
    {
        front.printer.warn(warning);
    }
    Ok(())
}

fn print(out: &Printer, report: &ImportReport) {
    for target in &report.targets {
        let rows: Vec<Vec<String>> = target
            .images
            .iter()
            .map(|image| {
                let name = image.name.clone().unwrap_or_else(|| "no name".to_owned());
                vec![word(&image.outcome, report.dry_run).to_owned(), name, image.digest.to_string()]
            })
            .collect();
        out.line(format!("{}  {}", report.name, target.target));
        out.table(&[("", Align::Left), ("image", Align::Left), ("digest", Align::Left)], &rows);
        for image in &target.images {
            for note in &image.notes {
                out.note(format!("{}: {note}", image.reference));
            }
        }
        for note in &target.notes {
            out.note(note);
        }
        out.note(format!("{} bytes written, {} there already", target.bytes_written, target.bytes_present));
    }
}

const fn word(outcome: &Outcome, dry_run: bool) -> &'static str {
    match (outcome, dry_run) {
        (Outcome::Skipped, _) => "there already",
        (Outcome::Added, false) => "added",
        (Outcome::Added, true) => "would add",
        (Outcome::Replaced { .. }, false) => "replaced",
        (Outcome::Replaced { .. }, true) => "would replace",
        (Outcome::Conflict { .. }, _) => "name taken",
        (Outcome::Failed { .. }, false) => "failed",
        (Outcome::Failed { .. }, true) => "would fail",
    }
}
