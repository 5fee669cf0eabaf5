//! Adds a signature to a bundle that lies on a medium; only to one whose every byte is what its document says.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ssh_key::PublicKey;

use super::bundle::{SignReport, sign_bundle, signature_of};
use super::signer::Signer;
use crate::domain::bundle::{BundleManifest, JOURNAL};
use crate::domain::digest::Digest;
use crate::engine::blocking::blocking;
use crate::engine::bundle::hash_all::{HashPlan, hash_all, with_all_damaged};
use crate::engine::bundle::read::{BundleReader, document_bytes};
use crate::engine::bundle::{graph, listing};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Explain, Kind, Result};
use crate::engine::hash::sha256;

/// Why a bundle is not signed.
#[derive(Debug, thiserror::Error)]
pub enum CountersignError {
    /// It is still being assembled.
    #[error("{} is not assembled yet: its {JOURNAL} is there", path.display())]
    Unfinished {
        /// The bundle.
        path: PathBuf,
    },
    /// Another bundle lies there than the one that is meant.
    #[error("{} is another bundle: its document is {found}, and {wanted} is to be signed", path.display())]
    Another {
        /// The directory.
        path: PathBuf,
        /// Digest of the document that is meant.
        wanted: Digest,
        /// Digest of the one that is there.
        found: Digest,
    },
}

impl Explain for CountersignError {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }

    fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::Unfinished { .. } => {
                "run the same pack again: it finishes the bundle and signs it".to_owned()
            }
            Self::Another { .. } => "nothing was signed; plug the intended medium in again".to_owned(),
        }]
    }
}

/// A signature to be added.
pub struct CountersignSpec {
    /// The bundle.
    pub bundle: PathBuf,
    /// Who signs; nothing checks the bundle only.
    pub signer: Option<Signer>,
    /// The digest of its document, where one is meant.
    pub document: Option<Digest>,
}

/// What was signed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountersignReport {
    /// The bundle.
    pub bundle: PathBuf,
    /// Its name and serial.
    pub name: String,
    /// Digest of the signed document.
    pub document: Digest,
    /// Images in it.
    pub images: u64,
    /// Bytes hashed before signing.
    pub bytes: u64,
    /// The signature, unless only checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignReport>,
    /// Fingerprint of the key that would sign, where the bundle was only checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_sign: Option<String>,
}

/// The signature of a key over a bundle's document as it is there, before anything of it is checked.
///
/// # Errors
/// No document, or a file error.
pub async fn signed_before(bundle: &Path, key: PublicKey, ctx: &JobCtx) -> Result<Option<SignReport>> {
    let (root, files) = (bundle.to_owned(), ctx.files.clone());
    blocking(move || {
        let document = document_bytes(files.as_ref(), &root)?;
        Ok(signature_of(files.as_ref(), &root, &document, &key))
    })
    .await
}

/// Checks a bundle whole, then signs the very bytes of its document that were read first.
///
/// # Errors
/// What is wrong with the bundle, the signer's, or a file error.
pub async fn countersign(spec: CountersignSpec, ctx: &JobCtx) -> Result<CountersignReport> {
    let (root, meant, context) = (spec.bundle.clone(), spec.document.clone(), ctx.clone());
    let (bytes, mut report) = blocking(move || check(root, meant.as_ref(), &context)).await?;
    ctx.check()?;
    if let Some(signer) = &spec.signer {
        report.signature = Some(sign_bundle(ctx.files.clone(), &spec.bundle, &bytes, signer).await?);
    }
    Ok(report)
}

/// Refuses a bundle whose document is another one. Blocks.
///
/// # Errors
/// [`CountersignError::Another`], no bundle there, or a file error.
pub fn is_meant(bundle: &Path, document: &Digest, ctx: &JobCtx) -> Result<()> {
    same(bundle, &document_bytes(ctx.files.as_ref(), bundle)?, document)
}

fn same(bundle: &Path, bytes: &[u8], wanted: &Digest) -> Result<()> {
    let found = sha256(bytes);
    if found == *wanted {
        return Ok(());
    }
    Err(CountersignError::Another { path: bundle.to_owned(), wanted: wanted.clone(), found }.into())
}

fn check(root: PathBuf, meant: Option<&Digest>, ctx: &JobCtx) -> Result<(Vec<u8>, CountersignReport)> {
    let bytes = document_bytes(ctx.files.as_ref(), &root)?;
    if let Some(meant) = meant {
        same(&root, &bytes, meant)?;
    }
    if ctx.files.stat(&root.join(JOURNAL))?.is_some() {
        return Err(CountersignError::Unfinished { path: root }.into());
    }
    let document = BundleManifest::parse(&bytes).map_err(EngineError::from)?;
    for warning in listing::check(ctx.files.as_ref(), &root, &document)? {
        ctx.warn(warning);
    }
    let (name, images) = (document.directory(), document.totals.images);
    let reader = BundleReader::new(root.clone(), document, ctx.files.clone());
    let closed = graph::close(&reader).map_err(|error| with_all_damaged(&reader, error, ctx))?;
    let plan = HashPlan { skip: &closed.hashed, layers: None, files_only: false };
    let hashed = hash_all(&reader, &plan, ctx)?;
    let document = sha256(&bytes);
    let bytes_hashed = closed.bytes + hashed;
    Ok((
        bytes,
        CountersignReport {
            bundle: root,
            name,
            document,
            images,
            bytes: bytes_hashed,
            signature: None,
            would_sign: None,
        },
    ))
}
