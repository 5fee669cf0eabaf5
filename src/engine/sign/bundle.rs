//! Signature files of a bundle: reading them all, capped, and adding one, which commits the bundle.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use ssh_key::PublicKey;

use super::check::signer_of;
use super::keys::{fingerprint, key_id};
use super::signer::Signer;
use super::{MAX_SIGNATURE, MAX_SIGNATURES};
use crate::domain::bundle::SIGNATURES;
use crate::domain::text;
use crate::engine::bundle::listing::is_beyond_limit;
use crate::engine::error::{EngineError, Explain, Kind, Result};
use crate::engine::files::{EntryKind, Files};

/// So many signature files that none of them is looked at.
#[derive(Debug, thiserror::Error)]
#[error("{}: more than {most} signatures", path.display())]
pub struct TooMany {
    /// The directory.
    pub path: PathBuf,
    /// How many are read at most.
    pub most: usize,
}

impl Explain for TooMany {
    fn kind(&self) -> Kind {
        Kind::Trust
    }

    fn hints(&self) -> Vec<String> {
        vec!["nobody signs that often: somebody filled that directory; copy the bundle again".to_owned()]
    }
}

/// A signature file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureFile {
    /// Path inside the bundle.
    pub path: String,
    /// Its bytes, or why they were not read.
    pub content: std::result::Result<Vec<u8>, String>,
}

/// A signature that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignReport {
    /// Path inside the bundle.
    pub path: String,
    /// Of the key, `SHA256:…`.
    pub fingerprint: String,
    /// Of the key.
    pub key_id: String,
    /// `ssh-ed25519`, …
    pub algorithm: String,
    /// The comment of the key, as `airlift@host`; nothing where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// False where this key had signed this document before.
    pub added: bool,
}

/// Reads every `airlift/signatures/*.sig`, at most [`MAX_SIGNATURES`] of [`MAX_SIGNATURE`] bytes. Blocks.
///
/// # Errors
/// [`TooMany`], or a file error of the directory; a file that cannot be read is part of the answer.
pub fn read_signatures(files: &dyn Files, root: &Path) -> Result<Vec<SignatureFile>> {
    let too_many = || EngineError::from(TooMany { path: root.join(SIGNATURES), most: MAX_SIGNATURES });
    let entries = match files.list(&root.join(SIGNATURES), 4 * MAX_SIGNATURES) {
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if is_beyond_limit(&error) => return Err(too_many()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.path.ends_with(".sig") && !entry.path.contains('/')) {
        if found.len() == MAX_SIGNATURES {
            return Err(too_many());
        }
        let path = format!("{SIGNATURES}/{}", entry.path);
        let content = match entry.kind {
            EntryKind::File => read_one(files, root, &path),
            _ => Err("it is not a regular file".to_owned()),
        };
        found.push(SignatureFile { path, content });
    }
    Ok(found)
}

fn read_one(files: &dyn Files, root: &Path, path: &str) -> std::result::Result<Vec<u8>, String> {
    let open = files.open(root, path).map_err(|error| error.source.to_string())?;
    if open.size > MAX_SIGNATURE {
        return Err(format!("{} bytes, at most {MAX_SIGNATURE} are read", open.size));
    }
    let mut bytes = Vec::new();
    open.reader.take(MAX_SIGNATURE).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The signature of this key over this document, where it is there already. Blocks.
pub fn signature_of(files: &dyn Files, root: &Path, document: &[u8], key: &PublicKey) -> Option<SignReport> {
    let report = report(key);
    let bytes = read_one(files, root, &report.path).ok()?;
    (signer_of(document, &bytes).as_ref() == Some(key.key_data())).then_some(report)
}

/// Characters of a key's comment that are told at most.
const COMMENT: usize = 80;

fn report(key: &PublicKey) -> SignReport {
    let id = key_id(key.key_data());
    SignReport {
        path: format!("{SIGNATURES}/{id}.sig"),
        fingerprint: fingerprint(key.key_data()),
        key_id: id,
        algorithm: key.algorithm().to_string(),
        comment: Some(text::capped(key.comment(), COMMENT).into_owned())
            .filter(|comment| !comment.is_empty()),
        added: false,
    }
}

/// Signs `document` and writes the signature beside it, durably. The caller has verified what it signs.
/// A signature of this key over this document that is there already is kept.
///
/// # Errors
/// The signer's or a file error; nothing half-written is left.
pub async fn sign_bundle(
    files: Arc<dyn Files>,
    root: &Path,
    document: &[u8],
    signer: &Signer,
) -> Result<SignReport> {
    if let Some(there) = signature_of(files.as_ref(), root, document, signer.public()) {
        return Ok(there);
    }
    let report = report(signer.public());
    let armored = signer.sign(document).await?;
    write(files.as_ref(), root, &report.path, armored.as_bytes())?;
    Ok(SignReport { added: true, ..report })
}

fn write(files: &dyn Files, root: &Path, path: &str, bytes: &[u8]) -> Result<()> {
    let directory = root.join(SIGNATURES);
    files.create_dir(&directory)?;
    let full = root.join(path);
    let written = super::store::replace(files, &full, bytes);
    // The directory itself may be new.
    let durable =
        written.and_then(|()| Ok(directory.parent().map_or(Ok(()), |above| files.sync_dir(above))?));
    if durable.is_err() {
        // A signature that may not outlive a power cut must not commit the bundle now.
        drop(files.remove(&full));
    }
    durable
}
