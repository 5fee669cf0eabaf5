//! `airlift key generate` and `show`: the keys of this user.

use std::path::PathBuf;

use crate::cli::Front;
use crate::cli::keys::{SignerArgs, asking, new_passphrase, paths};
use crate::cli::printer::Printer;
use crate::engine::sign::agent;
use crate::engine::sign::keys::{self, GenerateSpec, KeyReport};
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

pub(super) async fn generate(args: Generate, front: &Front) -> Result<(), Failure> {
    let path = args.key.map_or_else(|| Ok::<_, Failure>(paths()?.key()), Ok)?;
    if path.symlink_metadata().is_ok() {
        return Err(keys::KeyError::Exists { path }.into());
    }
    if args.dry_run {
        front.printer.report(&serde_json::json!({ "path": path }), |out| {
            out.line(format!("would write {} and {0}.pub", path.display()));
        });
        return Ok(());
    }
    let comment = args.comment.unwrap_or_else(comment);
    if comment.chars().any(char::is_control) {
        return Err(Failure::usage("--comment holds a control character"));
    }
    let (files, protect) = (front.ctx.files.clone(), !args.no_passphrase);
    let report = asking(front, move || {
        let passphrase = if protect { Some(new_passphrase(&path)?) } else { None };
        Ok(keys::generate(files.as_ref(), &GenerateSpec { path, comment, passphrase })?)
    })
    .await?;
    front.printer.report(&report, |out| {
        show_key(out, &report);
        out.note("hand the public key to whoever verifies, and tell them its fingerprint on another way");
    });
    Ok(())
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    key: SignerArgs,
}

pub(super) async fn show(args: &Show, front: &Front) -> Result<(), Failure> {
    let reports = if args.key.agent.is_some() {
        let held = agent::list_agent_keys(&agent::socket()?).await?;
        let wanted = args.key.agent.as_deref().unwrap_or_default();
        let reports = held.iter().map(|key| (key.comment() == wanted, KeyReport::of(key, None)));
        let fits = |named: bool, report: &KeyReport| {
            named || wanted.is_empty() || report.fingerprint == wanted || report.key_id == wanted
        };
        reports.filter(|(named, report)| fits(*named, report)).map(|(_, report)| report).collect()
    } else {
        let path = args.key.key_file()?;
        vec![KeyReport::of(&keys::load_public(&path)?, Some(path))]
    };
    front.printer.report(&reports, |out| reports.iter().for_each(|report| show_key(out, report)));
    Ok(())
}

fn show_key(out: &Printer, report: &KeyReport) {
    if let Some(path) = &report.path {
        out.line(format!("key          {}", path.display()));
    }
    out.line(format!("public       {}", report.public));
    out.line(format!("fingerprint  {}", report.fingerprint));
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
