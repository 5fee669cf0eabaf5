//! Tells what a bundle says it holds, from its document and signatures alone: nothing here is proof.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

use super::read::document_bytes;
use crate::domain::bundle::{Base, BundleManifest, Image, Missing, Tool, Totals};
use crate::domain::digest::Digest;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::files::Files;
use crate::engine::hash::sha256;
use crate::engine::sign::check::signer_of;
use crate::engine::sign::{SignatureFile, fingerprint, key_id, read_signatures};

/// Which bundle to look into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InspectSpec {
    /// Its directory.
    pub bundle: PathBuf,
}

/// What the bundle claims.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectReport {
    /// Its directory.
    pub bundle: PathBuf,
    /// Always false: neither trust nor a single blob was checked.
    pub verified: bool,
    /// SHA-256 of the signed document.
    pub manifest_digest: Digest,
    /// UUIDv7.
    pub id: uuid::Uuid,
    /// Of the series.
    pub name: String,
    /// In the series.
    pub serial: u64,
    /// UTC.
    pub created: jiff::Timestamp,
    /// UTC.
    pub expires: Option<jiff::Timestamp>,
    /// Whether `expires` lies before this host's time.
    pub expired: bool,
    /// What wrote it.
    pub tool: Tool,
    /// What it is a delta to.
    pub base: Option<Base>,
    /// Whether it has all that was asked for.
    pub complete: bool,
    /// What it has not.
    pub missing: Vec<Missing>,
    /// What it has.
    pub images: Vec<Image>,
    /// How many blobs lie in parts.
    pub blobs_in_parts: usize,
    /// Sums.
    pub totals: Totals,
    /// The signature files beside the document.
    pub signatures: Vec<Signature>,
}

/// One signature file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// Path inside the bundle.
    pub path: String,
    /// Of the key that signed this document, `SHA256:…`; nothing where the signature does not fit.
    pub fingerprint: Option<String>,
    /// Of that key.
    pub key_id: Option<String>,
    /// That key as OpenSSH writes it, for `airlift key trust` once its fingerprint was confirmed by its owner.
    pub public_key: Option<String>,
    /// Why it counts for nothing.
    pub fault: Option<String>,
}

/// Reads the document and the signatures.
///
/// # Errors
/// No bundle there, a document that breaks a rule of the format, a file error.
pub async fn inspect(spec: InspectSpec, ctx: &JobCtx) -> Result<InspectReport> {
    let files = ctx.files.clone();
    let now = ctx.clock.now();
    blocking(move || look(files.as_ref(), spec, now)).await
}

/// The same. Blocks.
///
/// # Errors
/// As [`inspect`].
pub(crate) fn look(files: &dyn Files, spec: InspectSpec, now: jiff::Timestamp) -> Result<InspectReport> {
    let bytes = document_bytes(files, &spec.bundle)?;
    let signatures = read_signatures(files, &spec.bundle)?;
    let document = BundleManifest::parse(&bytes)?;
    Ok(report(spec, &bytes, document, &signatures, now))
}

pub(super) fn report(
    spec: InspectSpec,
    bytes: &[u8],
    document: BundleManifest,
    signatures: &[SignatureFile],
    now: jiff::Timestamp,
) -> InspectReport {
    InspectReport {
        bundle: spec.bundle,
        verified: false,
        manifest_digest: sha256(bytes),
        id: document.id,
        name: document.name,
        serial: document.serial,
        created: document.created,
        expires: document.expires,
        expired: document.expires.is_some_and(|expires| expires < now),
        tool: document.tool,
        base: document.base,
        complete: document.complete,
        missing: document.missing,
        images: document.images,
        blobs_in_parts: document.blobs.iter().filter(|blob| !blob.parts.is_empty()).count(),
        totals: document.totals,
        signatures: signatures.iter().map(|file| signature(file, bytes)).collect(),
    }
}

fn signature(file: &SignatureFile, document: &[u8]) -> Signature {
    let key = file.content.as_ref().ok().and_then(|armored| signer_of(document, armored));
    let fault = match (&file.content, &key) {
        (Err(reason), _) => Some(reason.clone()),
        (Ok(_), None) => Some("it is no signature over this document".to_owned()),
        (Ok(_), Some(_)) => None,
    };
    Signature {
        path: file.path.clone(),
        fingerprint: key.as_ref().map(fingerprint),
        key_id: key.as_ref().map(key_id),
        public_key: key.and_then(|key| PublicKey::from(key).to_openssh().ok()),
        fault,
    }
}
