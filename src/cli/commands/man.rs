//! `airlift man [COMMAND]`: the manual page of the very grammar that parses, and what of its surroundings it heeds.

use std::io::Write;

use clap::CommandFactory;

use crate::actions::{ACTIONS, Scope};
use crate::cli::Front;
use crate::cli::args::Cli;
use crate::config::surroundings::{ENVIRONMENT, FILES};
use crate::engine::error::Kind;
use crate::failure::Failure;

/// Print a manual page
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The page of this command instead of the main one
    #[arg(value_name = "COMMAND", num_args = 0..)]
    command: Vec<String>,
}

/// Prints the page, in roff.
///
/// # Errors
/// A command that is not there.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    for word in &args.command {
        let Some(child) = command.find_subcommand(word) else {
            return Err(
                Failure::usage(format!("there is no command {word:?}")).hint("airlift --help lists them")
            );
        };
        command = child.clone();
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .and_then(|()| page.write_all(surroundings().as_bytes()))
        .map_err(|error| Failure::new(Kind::Other, format!("cannot render the page: {error}")))?;
    let page = String::from_utf8_lossy(&page).into_owned();
    front.printer.report(&serde_json::json!({ "page": page }), |out| out.verbatim(&page));
    Ok(())
}

/// The sections that clap does not know, in roff.
fn surroundings() -> String {
    let escaped = |words: &str| words.replace('\\', "\\\\").replace('-', "\\-");
    let section = |title: &str, rows: &[(&str, &str)]| {
        let row =
            |(name, words): &(&str, &str)| format!(".TP\n\\fB{}\\fR\n{}\n", escaped(name), escaped(words));
        format!(".SH {title}\n{}", rows.iter().map(row).collect::<String>())
    };
    let keys: Vec<(String, &str)> = ACTIONS
        .iter()
        .filter(|action| action.scope != Scope::Shell)
        .map(|action| (format!("{}  {}", action.keys.join(" "), action.id), action.doc))
        .collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(name, doc)| (name.as_str(), *doc)).collect();
    section("KEYS OF THE WORKSTATION", &keys)
        + &section("ENVIRONMENT", ENVIRONMENT)
        + &section("FILES", FILES)
}
