//! `airlift key trust`, `untrust` and `list`: the trust store.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::Front;
use crate::cli::keys::paths;
use crate::cli::printer::{Align, Printer};
use crate::engine::sign::AllowedSigners;
use crate::engine::sign::allowed::{AllowedError, Entry};
use crate::engine::sign::store::{self, TrustSpec};
use crate::engine::sign::{keys, validity};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
struct File {
    /// OpenSSH allowed_signers file instead of the trust store
    #[arg(long = "trust", value_name = "FILE")]
    trust: Option<PathBuf>,
}

impl File {
    fn path(&self) -> Result<PathBuf, Failure> {
        self.trust.clone().map_or_else(|| Ok(paths()?.allowed_signers()), Ok)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Trust {
    /// Public key file, or the key itself: 'ssh-ed25519 AAAA…'
    #[arg(value_name = "KEY")]
    key: String,
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

pub(super) fn trust(args: &Trust, front: &Front) -> Result<(), Failure> {
    let written_out = args.key.starts_with(['s', 'e']) && args.key.trim().contains([' ', '\t']);
    let key = if written_out && !Path::new(&args.key).exists() {
        keys::parse_public(&args.key)?
    } else {
        keys::load_public(Path::new(&args.key))?
    };
    let principal = match &args.principal {
        Some(principal) => principal.clone(),
        None if !key.comment().is_empty() && !key.comment().contains(' ') => key.comment().to_owned(),
        None => return Err(Failure::usage("the key does not say whose it is").hint("give --principal NAME")),
    };
    let (valid_after, valid_before) = (args.valid_after, args.valid_before);
    let spec = TrustSpec { key, principal, valid_after, valid_before };
    let report = store::trust(front.ctx.files.as_ref(), &args.file.path()?, &spec, !args.dry_run)?;
    let done = if args.dry_run { "would trust" } else { "trusts" };
    front.printer.report(&report, |out| say(out, &report.entries, &report.file, done));
    Ok(())
}

#[derive(Debug, clap::Args)]
pub(super) struct Untrust {
    /// Fingerprint, key id, or principal as it is listed
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    file: File,
    /// Say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn untrust(args: &Untrust, front: &Front) -> Result<(), Failure> {
    let report = store::untrust(front.ctx.files.as_ref(), &args.file.path()?, &args.key, !args.dry_run)?;
    let done = if args.dry_run { "would no longer trust" } else { "no longer trusts" };
    front.printer.report(&report, |out| say(out, &report.entries, &report.file, done));
    Ok(())
}

fn say(out: &Printer, entries: &[Entry], file: &str, done: &str) {
    for entry in entries {
        let (principals, fingerprint) = (&entry.principals, &entry.fingerprint);
        out.line(format!("{file} {done} {principals} {fingerprint}{}", validity_of(entry)));
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    file: File,
}

pub(super) fn list(args: &List, front: &Front) -> Result<(), Failure> {
    let path = args.file.path()?;
    let signers = if args.file.trust.is_none() && !path.exists() {
        front.printer.note(AllowedError::Missing { path: path.clone() }.to_string());
        AllowedSigners { path, entries: Vec::new(), notes: Vec::new() }
    } else {
        AllowedSigners::load(&path)?
    };
    front.printer.report(&signers, |out| {
        signers.notes.iter().for_each(|note| out.warn(note));
        let header =
            ["PRINCIPAL", "FINGERPRINT", "KEY ID", "TYPE", "VALID"].map(|title| (title, Align::Left));
        let rows: Vec<_> = signers.entries.iter().map(row).collect();
        out.table(&header, &rows);
    });
    Ok(())
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
