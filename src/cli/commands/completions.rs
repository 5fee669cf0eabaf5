//! `airlift completions SHELL`: the completion script of the very grammar that parses.

use clap::CommandFactory;

use crate::cli::Front;
use crate::cli::args::Cli;
use crate::failure::Failure;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: clap_complete::Shell,
}

/// Prints the script.
///
/// # Errors
/// None.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "airlift", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    front.printer.report(&serde_json::json!({ "script": script }), |out| out.verbatim(&script));
    Ok(())
}
