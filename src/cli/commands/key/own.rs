//! `airlift key generate` and `show`: the keys of this user.

use std::path::PathBuf;

use crate::cli::args::given_or;
use crate::cli::keys::SignerArgs;
use crate::cli::printer::Printer;
use crate::domain::job::Places;
use crate::domain::sheet::{KEY_ENDS_IN, ends_in};
use crate::engine::sign::keys::KeyReport;
use crate::engine::spec::{JobSpec, KeyGenerateJob, KeyPlan, KeyShowJob};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Generate {
    /// Where to write the private key; the public one gets .pub
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Goes into the public key
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Leave the private key unprotected
    #[arg(long)]
    no_passphrase: bool,
    /// Say where the key would be written
    #[arg(long)]
    dry_run: bool,
}

impl Generate {
    pub(super) fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        Ok(JobSpec::KeyGenerate(KeyGenerateJob {
            path: given_or(self.key, places, |places| &places.key)?,
            comment: self.comment.unwrap_or_else(comment),
            protected: !self.no_passphrase,
            dry_run: self.dry_run,
        }))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    key: SignerArgs,
}

impl Show {
    pub(super) fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        Ok(JobSpec::KeyShow(KeyShowJob { key: self.key.spec(places)? }))
    }
}

/// Where a key would be written.
pub(in crate::cli::commands) fn show_plan(plan: &KeyPlan, out: &Printer) {
    out.line(format!("would write {} and {0}.pub", plan.path.display()));
}

/// A key that was made.
pub(in crate::cli::commands) fn show_made(report: &KeyReport, out: &Printer) {
    show_key(report, out);
    out.note("hand the public key to whoever verifies, and tell them its fingerprint by another way");
}

/// A key's public half.
pub(in crate::cli::commands) fn show_key(report: &KeyReport, out: &Printer) {
    if let Some(path) = &report.path {
        out.line(format!("key          {}", path.display()));
    }
    out.line(format!("public       {}", report.public));
    out.line(format!("fingerprint  {}", report.fingerprint));
    out.line(format!("{KEY_ENDS_IN}  {}", ends_in(&report.fingerprint)));
    out.line(format!("key id       {}", report.key_id));
}

/// `user@host`, as `ssh-keygen` does.
fn comment() -> String {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "airlift".to_owned());
    let name = rustix::system::uname();
    let host = name.nodename().to_string_lossy();
    format!("{user}@{host}").chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect()
}
