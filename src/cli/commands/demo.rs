//! `airlift demo`: the whole job on this machine, step by step, and what each step proved.

use std::path::PathBuf;

use crate::cli::Front;
use crate::engine::demo::run::{DemoSpec, run as demonstrate};
use crate::failure::Failure;

/// Run the whole job on this machine with sample images
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep everything in this directory, which must be empty or not there yet
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Leave this program out of images and bundle, which makes them small
    #[arg(long)]
    fast: bool,
}

/// Demonstrates and prints the report.
///
/// # Errors
/// Those of the verbs, where one of them does not do what it should.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    let report = demonstrate(DemoSpec { keep: args.keep, fast: args.fast }, &front.ctx).await?;
    front.printer.report(&report, |out| {
        for step in &report.steps {
            out.line(format!("ok  {:<16} {:>6} ms  {}", step.title, step.millis, step.proved));
        }
        out.line(format!("everything held, in {} ms", report.millis));
        if let Some(bundle) = &report.bundle {
            out.line(format!("bundle: {}", bundle.display()));
        }
    });
    Ok(())
}
