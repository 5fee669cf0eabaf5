//! `airlift key trust`, `untrust` and `list`: the trust store.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::args::given_or;
use crate::cli::printer::{Align, Printer};
use crate::domain::job::Places;
use crate::engine::sign::AllowedSigners;
use crate::engine::sign::allowed::Entry;
use crate::engine::sign::validity;
use crate::engine::spec::{JobSpec, KeyListJob, KeyTrustJob, KeyUntrustJob, TrustChange};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
struct File {
    /// OpenSSH allowed_signers file instead of the trust store
    #[arg(long = "trust", value_name = "FILE")]
    trust: Option<PathBuf>,
}

impl File {
    fn path(self, places: Option<&Places>) -> Result<PathBuf, Failure> {
        given_or(self.trust, places, |places| &places.trust)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Trust {
    /// Public key file, or the key itself: 'ssh-ed25519 AAAA…'
    #[arg(value_name = "KEY")]
    key: String,
    /// Its fingerprint, or at least its last 8 characters, as its owner told it: another key is refused. Without it the key is trusted with a warning
    #[arg(long, value_name = "SHA256:...")]
    fingerprint: Option<String>,
    /// Whose key it is; the comment of the key where it is one word
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Not valid before: YYYYMMDD[HHMM[SS]][Z], local time without Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    valid_after: Option<Timestamp>,
    /// Not valid after: YYYYMMDD[HHMM[SS]][Z], local time without Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    valid_before: Option<Timestamp>,
    #[command(flatten)]
    file: File,
    /// Say what would be added
    #[arg(long)]
    dry_run: bool,
}

fn time(text: &str) -> Result<Timestamp, String> {
    validity::parse(text, &TimeZone::system())
        .ok_or_else(|| "expected YYYYMMDD[HHMM[SS]][Z] after 1970, as in 20271231Z".to_owned())
}

impl Trust {
    pub(super) fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        Ok(JobSpec::KeyTrust(KeyTrustJob {
            key: self.key,
            fingerprint: self.fingerprint,
            principal: self.principal,
            valid_after: self.valid_after,
            valid_before: self.valid_before,
            file: self.file.path(places)?,
            dry_run: self.dry_run,
        }))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Untrust {
    /// Fingerprint, key id, or principal as it is listed; or the public key, as `key trust` takes it
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    file: File,
    /// Say what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Untrust {
    pub(super) fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let (key, file, dry_run) = (self.key, self.file.path(places)?, self.dry_run);
        Ok(JobSpec::KeyUntrust(KeyUntrustJob { key, file, dry_run }))
    }
}

/// What was added to the trust store.
pub(in crate::cli::commands) fn show_trusted(report: &TrustChange, out: &Printer) {
    let done = match (report.already, report.dry_run) {
        (true, _) => "trusts already",
        (false, true) => "would trust",
        (false, false) => "trusts",
    };
    say(report, done, out);
    if report.already {
        out.note("the fingerprint matches that key: nothing had to be changed");
    }
}

/// What was removed from it.
pub(in crate::cli::commands) fn show_untrusted(report: &TrustChange, out: &Printer) {
    say(report, if report.dry_run { "would no longer trust" } else { "no longer trusts" }, out);
}

fn say(report: &TrustChange, done: &str, out: &Printer) {
    let file = &report.change.file;
    for entry in &report.change.entries {
        let (principals, fingerprint) = (&entry.principals, &entry.fingerprint);
        out.line(format!("{file} {done} {principals} {fingerprint}{}", validity_of(entry)));
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    file: File,
}

impl List {
    pub(super) fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let required = self.file.trust.is_some();
        Ok(JobSpec::KeyList(KeyListJob { file: self.file.path(places)?, required }))
    }
}

/// What is trusted.
pub(in crate::cli::commands) fn show_list(signers: &AllowedSigners, out: &Printer) {
    signers.notes.iter().for_each(|note| out.warn(note));
    let header = ["PRINCIPAL", "FINGERPRINT", "KEY ID", "TYPE", "VALID"].map(|title| (title, Align::Left));
    let rows: Vec<_> = signers.entries.iter().map(row).collect();
    out.table(&header, &rows);
}

fn row(entry: &Entry) -> Vec<String> {
    let valid = match validity_of(entry) {
        text if text.is_empty() => "always".to_owned(),
        text => text.trim_start().to_owned(),
    };
    vec![
        entry.principals.clone(),
        entry.fingerprint.clone(),
        entry.key_id.clone(),
        entry.algorithm.clone(),
        valid,
    ]
}

fn validity_of(entry: &Entry) -> String {
    let after = entry.valid_after.map(|at| format!(" from {at:.0}"));
    let before = entry.valid_before.map(|at| format!(" until {at:.0}"));
    [after, before].into_iter().flatten().collect()
}
