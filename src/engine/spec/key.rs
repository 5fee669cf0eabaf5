//! The jobs around keys: making one, showing one, and what the trust store holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

use super::run::asking;
use super::{Host, JobReport, KeyPlan, SignerSpec, TrustChange};
use crate::domain::progress::Event;
use crate::domain::sheet::{ENDS, bare_fingerprint, is_fingerprint, without_end};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::sign::allowed::AllowedError;
use crate::engine::sign::keys::{self, GenerateSpec, KeyReport};
use crate::engine::sign::store::{self, TrustSpec};
use crate::engine::sign::{AllowedSigners, KeyError, agent};

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyGenerateJob {
    /// The private key file; the public one gets `.pub`.
    pub path: PathBuf,
    /// Goes into the public key.
    pub comment: String,
    /// Whether a passphrase is asked for.
    pub protected: bool,
    /// Whether to say only where it would be written.
    pub dry_run: bool,
}

/// A key to be shown: its public half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyShowJob {
    /// Which; of an agent without a selector, all.
    pub key: SignerSpec,
}

/// A key to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyTrustJob {
    /// A public key file, or the key itself.
    pub key: String,
    /// The fingerprint that its owner told, in full; blanks do not count, nor does the lead `SHA256:`.
    pub fingerprint: Option<String>,
    /// Whose it is; the comment of the key where it is one word.
    pub principal: Option<String>,
    /// Not valid before.
    pub valid_after: Option<Timestamp>,
    /// Not valid after.
    pub valid_before: Option<Timestamp>,
    /// The trust file.
    pub file: PathBuf,
    /// Whether to say only what would be added.
    pub dry_run: bool,
}

/// A key that is not to be trusted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyUntrustJob {
    /// Fingerprint, key id, or principal as it is listed.
    pub key: String,
    /// The trust file.
    pub file: PathBuf,
    /// Whether to say only what would be removed.
    pub dry_run: bool,
}

/// A trust file to be listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyListJob {
    /// The trust file.
    pub file: PathBuf,
    /// Whether it has to be there; else nothing is trusted yet.
    pub required: bool,
}

pub(super) async fn generate(job: KeyGenerateJob, host: &Host, ctx: &JobCtx) -> Result<JobReport> {
    let path = job.path;
    if path.symlink_metadata().is_ok() {
        return Err(KeyError::Exists { path }.into());
    }
    if job.dry_run {
        return Ok(JobReport::KeyPlan(KeyPlan { path }));
    }
    let comment = job.comment;
    if comment.chars().any(char::is_control) {
        return Err(KeyError::Comment.into());
    }
    let (files, passphrases) = (Arc::clone(&ctx.files), Arc::clone(&host.passphrases));
    let report = asking(ctx, move || {
        let passphrase = if job.protected { Some(passphrases.new_passphrase(&path)?) } else { None };
        if passphrase.as_ref().is_some_and(|secret| keys::is_short(secret.expose_secret())) {
            return Err(KeyError::ShortPassphrase.into());
        }
        keys::generate(&*files, &GenerateSpec { path, comment, passphrase })
    });
    Ok(JobReport::Key(report.await?))
}

pub(super) async fn show(job: KeyShowJob) -> Result<JobReport> {
    let selector = match job.key {
        SignerSpec::Key(path) => {
            return Ok(JobReport::Keys(vec![KeyReport::of(&keys::load_public(&path)?, Some(path))]));
        }
        SignerSpec::Agent(selector) => selector.unwrap_or_default(),
    };
    let held = agent::list_agent_keys(&agent::socket()?).await?;
    let reports = held.iter().map(|key| (key.comment() == selector, KeyReport::of(key, None)));
    let fits = |named: bool, report: &KeyReport| {
        named || selector.is_empty() || report.fingerprint == selector || report.key_id == selector
    };
    let fitting = reports.filter(|(named, report)| fits(*named, report));
    Ok(JobReport::Keys(fitting.map(|(_, report)| report).collect()))
}

pub(super) async fn trust(job: KeyTrustJob, ctx: &JobCtx) -> Result<JobReport> {
    let (files, told) = (Arc::clone(&ctx.files), ctx.clone());
    blocking(move || {
        let key = if is_written_out(&job.key) {
            keys::parse_public(&job.key)?
        } else {
            keys::load_only_public(Path::new(&job.key))?
        };
        let named = job.principal.is_some();
        let principal = match job.principal {
            Some(principal) => principal,
            None if !key.comment().is_empty() && !key.comment().contains(' ') => key.comment().to_owned(),
            None => return Err(KeyError::Nobodys.into()),
        };
        let found = keys::fingerprint(key.key_data());
        match &job.fingerprint {
            Some(expected) if bare_fingerprint(expected).chars().count() < ENDS => {
                return Err(KeyError::TooShort { given: expected.clone() }.into());
            }
            Some(expected) if !is_fingerprint(expected, &found) => {
                let (expected, key_id) = (expected.clone(), keys::key_id(key.key_data()));
                return Err(KeyError::Fingerprint { expected, found, key_id }.into());
            }
            Some(_) => {}
            None => {
                let shown = if job.dry_run { without_end(&found) } else { found };
                told.say(Event::Warning {
                    text: format!(
                        "the fingerprint {shown} was not compared: check it with the owner of the key, by paper or \
                         telephone; --fingerprint SHA256:... does so here"
                    ),
                });
            }
        }
        let (valid_after, valid_before) = (job.valid_after, job.valid_before);
        let on_terms = named || valid_after.is_some() || valid_before.is_some();
        if job.fingerprint.is_some()
            && !on_terms
            && let Some(change) = store::trusted(&*files, &job.file, &key)?
        {
            return Ok(JobReport::Trusted(TrustChange { change, already: true, dry_run: job.dry_run }));
        }
        let spec = TrustSpec { key, principal, valid_after, valid_before };
        let mut change = store::trust(&*files, &job.file, &spec, !job.dry_run)?;
        if job.dry_run && job.fingerprint.is_none() {
            // Neither trusted nor compared yet: it is compared with what its owner told, and not with this.
            change.entries.iter_mut().for_each(|entry| entry.fingerprint = without_end(&entry.fingerprint));
        }
        Ok(JobReport::Trusted(TrustChange { change, already: false, dry_run: job.dry_run }))
    })
    .await
}

/// Whether it is a public key itself, and no name of a file.
fn is_written_out(key: &str) -> bool {
    key.starts_with(['s', 'e']) && key.trim().contains([' ', '\t']) && !Path::new(key).exists()
}

/// The public key that this is, or that is in the file of this name.
fn public(key: &str) -> Option<PublicKey> {
    if is_written_out(key) {
        keys::parse_public(key).ok()
    } else {
        keys::load_only_public(Path::new(key)).ok()
    }
}

pub(super) async fn untrust(job: KeyUntrustJob, ctx: &JobCtx) -> Result<JobReport> {
    let files = Arc::clone(&ctx.files);
    blocking(move || {
        let untrust = |wanted: &str| store::untrust(&*files, &job.file, wanted, !job.dry_run);
        let change = untrust(&job.key).or_else(|error| {
            // What `trust` takes names it, too; but first what is listed does.
            let key = public(&job.key).filter(|_| error.absent());
            let Some(key) = key else { return Err(error) };
            let other = untrust(&keys::fingerprint(key.key_data()));
            other.map_err(|other| if other.absent() { error } else { other })
        })?;
        Ok(JobReport::Untrusted(TrustChange { change, already: false, dry_run: job.dry_run }))
    })
    .await
}

pub(super) async fn list(job: KeyListJob, ctx: &JobCtx) -> Result<JobReport> {
    let path = job.file;
    if !job.required && !path.exists() {
        let text = AllowedError::Missing { path: path.clone() }.to_string();
        ctx.say(Event::Note { text });
        let signers = AllowedSigners { path, entries: Vec::new(), notes: Vec::new() };
        return Ok(JobReport::TrustList(signers));
    }
    let files = Arc::clone(&ctx.files);
    Ok(JobReport::TrustList(blocking(move || AllowedSigners::load(&*files, &path)).await?))
}
