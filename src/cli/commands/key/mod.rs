//! `airlift key …`: the keys of this user, and the keys that are trusted.

mod own;
mod trusted;

use clap::Subcommand;

use crate::cli::Front;
use crate::failure::Failure;

/// Keys and the trust store
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an ed25519 key pair, protected by a passphrase
    Generate(own::Generate),
    /// Show the public half of a key, its fingerprint and key id
    Show(own::Show),
    /// Trust a public key to sign bundles
    Trust(trusted::Trust),
    /// Stop trusting a key
    Untrust(trusted::Untrust),
    /// List the trusted keys
    List(trusted::List),
}

impl Args {
    /// The words that chose it.
    pub const fn name(&self) -> &'static str {
        match self.command {
            Command::Generate(_) => "key generate",
            Command::Show(_) => "key show",
            Command::Trust(_) => "key trust",
            Command::Untrust(_) => "key untrust",
            Command::List(_) => "key list",
        }
    }
}

/// Does one of them.
///
/// # Errors
/// The key's or the trust file's.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    match args.command {
        Command::Generate(args) => own::generate(args, front).await,
        Command::Show(args) => own::show(&args, front).await,
        Command::Trust(args) => trusted::trust(&args, front),
        Command::Untrust(args) => trusted::untrust(&args, front),
        Command::List(args) => trusted::list(&args, front),
    }
}
