//! `airlift key …`: the keys of this user, and the keys that are trusted.

pub(super) mod own;
pub(super) mod trusted;

use clap::Subcommand;

use crate::domain::job::Places;
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Keys and the trust store
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = false)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a signing key: an ed25519 key pair, protected by a passphrase
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

    /// The job.
    ///
    /// # Errors
    /// There is no home directory to look for the key or the trust store in.
    pub fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        match self.command {
            Command::Generate(args) => args.spec(places),
            Command::Show(args) => args.spec(places),
            Command::Trust(args) => args.spec(places),
            Command::Untrust(args) => args.spec(places),
            Command::List(args) => args.spec(places),
        }
    }
}
