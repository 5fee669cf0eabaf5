//! Signatures against the trust file: what each one is worth, and whether enough different keys have signed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use ssh_key::public::KeyData;
use ssh_key::{PublicKey, SshSig};

use super::allowed::{AllowedSigners, Entry, matches};
use super::bundle::SignatureFile;
use super::keys::{fingerprint, key_id};
use crate::domain::bundle::NAMESPACE;
use crate::domain::sheet::without_end;
use crate::engine::error::{Explain, Kind};

/// How much trust is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    /// Different trusted keys that must have signed; 0 counts as 1.
    pub min_signatures: usize,
}

impl Default for TrustPolicy {
    fn default() -> Self {
        Self { min_signatures: 1 }
    }
}

/// What one signature file is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// A trusted key signed these bytes.
    Good {
        /// Whose key it is, as the trust file says.
        principals: String,
    },
    /// The key is not in the trust file.
    UnknownKey,
    /// The key was trusted once.
    Expired {
        /// Whose key it is.
        principals: String,
        /// Until when.
        valid_before: Timestamp,
    },
    /// The key will be trusted later.
    NotYetValid {
        /// Whose key it is.
        principals: String,
        /// From when.
        valid_after: Timestamp,
    },
    /// The trust file does not let this key sign bundles.
    NotForBundles {
        /// Whose key it is.
        principals: String,
        /// What it may sign.
        namespaces: String,
    },
    /// Made for something else than a bundle.
    WrongNamespace {
        /// What it was made for.
        actual: String,
    },
    /// Not a signature that can be read.
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// Not over these bytes, or not by this key.
    BadSignature,
}

/// One signature file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureReport {
    /// Path inside the bundle.
    pub file: String,
    /// Of the key in it, `SHA256:…`, where one could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Of the key in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// `ssh-ed25519`, `rsa-sha2-512`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// What it is worth.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Something odd that decides nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Who signed, as it was decided; for the operator and for an auditor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustReport {
    /// Different trusted keys that had to sign.
    pub required: usize,
    /// Fingerprints of the different trusted keys that did.
    pub signed_by: Vec<String>,
    /// At which time keys had to be valid.
    pub decided_at: Timestamp,
    /// Where trust came from.
    pub trust_file: PathBuf,
    /// Fingerprints of every key that could have signed.
    pub trusted: Vec<String>,
    /// Every signature file.
    pub signatures: Vec<SignatureReport>,
    /// Lines of the trust file that were left out.
    pub notes: Vec<String>,
}

/// Not enough trust.
#[derive(Debug, thiserror::Error)]
#[error("{} of {} required signatures by trusted keys: {}", .0.signed_by.len(), .0.required, .0.list())]
pub struct TrustError(pub Box<TrustReport>);

impl Explain for TrustError {
    fn kind(&self) -> Kind {
        Kind::Trust
    }

    fn hints(&self) -> Vec<String> {
        let report = &self.0;
        let mut hints = Vec::new();
        if report.signatures.is_empty() {
            hints.push("an unsigned bundle is an incomplete one: the pack was cut off, or the signatures were removed".to_owned());
        }
        for signature in &report.signatures {
            if let Some(hint) = signature.hint(report.decided_at)
                && !hints.contains(&hint)
            {
                hints.push(hint);
            }
        }
        if report.signed_by.len() == 1 && report.required > 1 {
            hints.push("another key holder signs it, too: airlift sign BUNDLE --key FILE".to_owned());
        }
        let file = report.trust_file.display();
        hints.push(if report.trusted.is_empty() {
            format!("{file} trusts no key; airlift key trust FILE.pub adds one")
        } else {
            format!("trusted by {file}: {}", report.trusted.join(", "))
        });
        hints
    }
}

impl TrustReport {
    /// Fails unless enough different trusted keys have signed.
    ///
    /// # Errors
    /// [`TrustError`], naming each file, the key seen and the keys trusted.
    pub fn enforce(&self) -> Result<(), TrustError> {
        if self.signed_by.len() >= self.required { Ok(()) } else { Err(TrustError(Box::new(self.clone()))) }
    }

    fn list(&self) -> String {
        if self.signatures.is_empty() {
            return "the bundle is not signed".to_owned();
        }
        self.signatures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

impl SignatureReport {
    /// The fingerprint as it is shown: of a key that the trust file does not have, how it ends is left to the paper of its
    /// signer, from which that is typed.
    pub fn shown_key(&self) -> Option<String> {
        let fingerprint = self.fingerprint.as_ref()?;
        Some(match self.outcome {
            Outcome::Good { .. }
            | Outcome::Expired { .. }
            | Outcome::NotYetValid { .. }
            | Outcome::NotForBundles { .. } => fingerprint.clone(),
            Outcome::UnknownKey
            | Outcome::WrongNamespace { .. }
            | Outcome::Malformed { .. }
            | Outcome::BadSignature => without_end(fingerprint),
        })
    }

    fn hint(&self, decided_at: Timestamp) -> Option<String> {
        match &self.outcome {
            // The key is in the message; this is to be read whole in a row of 80 columns.
            Outcome::UnknownKey => Some(
                "ask its signer, not the medium: is it their key? airlift key trust FILE.pub trusts it"
                    .to_owned(),
            ),
            Outcome::NotYetValid { .. } => {
                Some(format!("keys were judged at {decided_at}: if that is wrong, set the clock"))
            }
            Outcome::Expired { .. } => Some("have the bundle signed by a key that is still valid".to_owned()),
            Outcome::BadSignature => Some(
                "airlift/manifest.json was changed after it was signed, or damaged: copy it again".to_owned(),
            ),
            _ => None,
        }
    }
}

impl std::fmt::Display for SignatureReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(key) = self.shown_key() {
            write!(f, " by {key}")?;
        }
        match &self.outcome {
            Outcome::Good { principals } => write!(f, " is good ({principals})"),
            Outcome::UnknownKey => f.write_str(": the key is not trusted"),
            Outcome::Expired { principals, valid_before } => {
                write!(f, ": the key of {principals} was valid until {valid_before}")
            }
            Outcome::NotYetValid { principals, valid_after } => {
                write!(f, ": the key of {principals} is valid from {valid_after} on")
            }
            Outcome::NotForBundles { principals, namespaces } => {
                write!(
                    f,
                    ": the key of {principals} is trusted for {namespaces:?} only, expected {NAMESPACE:?}"
                )
            }
            Outcome::WrongNamespace { actual } => {
                write!(f, ": expected namespace {NAMESPACE:?}, it was made for {actual:?}")
            }
            Outcome::Malformed { reason } => write!(f, ": not a readable SSH signature: {reason}"),
            Outcome::BadSignature => f.write_str(": it is not over these bytes of airlift/manifest.json"),
        }
    }
}

/// Judges every signature over exactly `document`, with keys valid at `decided_at`. Decides nothing by file names,
/// and counts a key once however often it signed. Ask the report to [`TrustReport::enforce`] the policy.
pub fn verify_signatures(
    document: &[u8],
    files: &[SignatureFile],
    allowed: &AllowedSigners,
    policy: TrustPolicy,
    decided_at: Timestamp,
) -> TrustReport {
    let signatures: Vec<_> = files.iter().map(|file| judge(document, file, allowed, decided_at)).collect();
    let good = signatures.iter().filter(|report| matches!(report.outcome, Outcome::Good { .. }));
    let signed_by: BTreeSet<_> = good.filter_map(|report| report.fingerprint.clone()).collect();
    let trusted: BTreeSet<_> = allowed.entries.iter().map(|entry| entry.fingerprint.clone()).collect();
    TrustReport {
        required: policy.min_signatures.max(1),
        signed_by: signed_by.into_iter().collect(),
        decided_at,
        trust_file: allowed.path.clone(),
        trusted: trusted.into_iter().collect(),
        signatures,
        notes: allowed.notes.clone(),
    }
}

fn judge(document: &[u8], file: &SignatureFile, allowed: &AllowedSigners, at: Timestamp) -> SignatureReport {
    let mut report = SignatureReport {
        file: file.path.clone(),
        fingerprint: None,
        key_id: None,
        algorithm: None,
        outcome: Outcome::BadSignature,
        note: None,
    };
    let signature = match file.content.as_deref().map_err(Clone::clone).and_then(read) {
        Ok(signature) => signature,
        Err(reason) => {
            report.outcome = Outcome::Malformed { reason };
            return report;
        }
    };
    let key = signature.public_key();
    let id = key_id(key);
    let name = file.path.rsplit('/').next().unwrap_or_default();
    report.note = (name.strip_suffix(".sig") != Some(&id))
        .then(|| format!("the file is named {name}, but its key has the id {id}"));
    report.key_id = Some(id);
    report.fingerprint = Some(fingerprint(key));
    report.algorithm = Some(signature.algorithm().to_string());
    report.outcome = outcome(document, &signature, allowed, at);
    report
}

/// Reads an armored signature strictly.
fn read(bytes: &[u8]) -> Result<SshSig, String> {
    let signature = SshSig::from_pem(bytes).map_err(|error| error.to_string())?;
    if signature.version() != SshSig::VERSION {
        return Err(format!("version {}, expected {}", signature.version(), SshSig::VERSION));
    }
    if !signature.reserved().is_empty() {
        return Err("its reserved field is not empty".to_owned());
    }
    Ok(signature)
}

/// The public key of an armored signature, if it signs `document` for bundles.
pub(in crate::engine) fn signer_of(document: &[u8], armored: &[u8]) -> Option<KeyData> {
    let signature = read(armored).ok()?;
    let key = PublicKey::from(signature.public_key().clone());
    key.verify(NAMESPACE, document, &signature).ok()?;
    Some(key.key_data().clone())
}

fn outcome(document: &[u8], signature: &SshSig, allowed: &AllowedSigners, at: Timestamp) -> Outcome {
    if signature.namespace() != NAMESPACE {
        return Outcome::WrongNamespace { actual: signature.namespace().chars().take(80).collect() };
    }
    let key = PublicKey::from(signature.public_key().clone());
    if key.verify(NAMESPACE, document, signature).is_err() {
        return Outcome::BadSignature;
    }
    // A key may stand on several lines; one that allows it is enough, as for ssh-keygen.
    let mut refused = Outcome::UnknownKey;
    for entry in allowed.of(key.key_data()) {
        match entry_outcome(entry, at) {
            good @ Outcome::Good { .. } => return good,
            other => refused = other,
        }
    }
    refused
}

fn entry_outcome(entry: &Entry, at: Timestamp) -> Outcome {
    let principals = entry.principals.clone();
    if let Some(namespaces) = entry.namespaces.clone().filter(|list| !matches(list, NAMESPACE)) {
        return Outcome::NotForBundles { principals, namespaces };
    }
    if let Some(valid_after) = entry.valid_after.filter(|after| at < *after) {
        return Outcome::NotYetValid { principals, valid_after };
    }
    // ssh-keygen compares whole seconds: a key is still good in its last one.
    if let Some(valid_before) = entry.valid_before.filter(|before| at.as_second() > before.as_second()) {
        return Outcome::Expired { principals, valid_before };
    }
    Outcome::Good { principals }
}
