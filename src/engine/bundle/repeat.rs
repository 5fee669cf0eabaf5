//! Decides where a pack goes: on with one that was cut off, over a finished bundle of the same content, or into a new serial.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ssh_key::public::KeyData;

use super::assemble::{AssembleSpec, finished};
use super::listing;
use super::unfinished;
use super::workdir::{self, Found};
use crate::domain::bundle::{self, BundleManifest, Image};
use crate::domain::expiry::alike;
use crate::domain::plan::Limits;
use crate::domain::resolved::ResolvedImage;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::files::{Entry, EntryKind, Files};
use crate::engine::journal::Interrupted;
use crate::engine::sign::{self, Signer};
use crate::engine::state::{SerialLease, State};

/// At most this many names are looked at beside a bundle.
const MAX_NEARBY: usize = 1_000_000;

/// Where a pack goes.
pub enum Place {
    /// A directory to be filled; it may hold what an earlier run left.
    New {
        /// The bundle.
        root: PathBuf,
        /// Its serial, held until it is signed.
        lease: SerialLease,
        /// Its id.
        id: uuid::Uuid,
        /// What is told of the earlier run, where it tells anything.
        told: Option<Box<Interrupted>>,
    },
    /// A signed bundle of the same content: checked and mended, its document untouched.
    Repeat {
        /// The bundle.
        root: PathBuf,
        /// Its document.
        document: Box<BundleManifest>,
        /// The bytes that were signed.
        bytes: Vec<u8>,
        /// Its serial, where this host does not remember it: the run that signed was cut off right after.
        lease: Option<SerialLease>,
    },
}

impl Place {
    /// The bundle's directory.
    pub fn root(&self) -> &Path {
        match self {
            Self::New { root, .. } | Self::Repeat { root, .. } => root,
        }
    }

    /// Its serial.
    pub fn serial(&self) -> u64 {
        match self {
            Self::New { lease, .. } => lease.serial(),
            Self::Repeat { document, .. } => document.serial,
        }
    }

    /// Its id.
    pub fn id(&self) -> uuid::Uuid {
        match self {
            Self::New { id, .. } => *id,
            Self::Repeat { document, .. } => document.id,
        }
    }

    /// Whether a finished bundle is gone over once more.
    pub const fn is_repeat(&self) -> bool {
        matches!(self, Self::Repeat { .. })
    }
}

/// Looks at the destination and decides.
///
/// # Errors
/// A file error; that the name cannot be a directory name.
pub fn place(
    spec: &AssembleSpec,
    limits: &Limits,
    signer: &Signer,
    state: &State,
    ctx: &JobCtx,
) -> Result<Place> {
    bundle::check_name(&spec.bundle.name)?;
    let found = workdir::find(&*ctx.files, &spec.bundle.to, &spec.bundle.name)?;
    let newest = finished(&found).next().map(|(path, serial)| (path.to_owned(), serial));
    if let Some((root, serial)) = unfinished(&found) {
        let told = unfinished::told(&*ctx.files, &root).map(Box::new);
        let own = told.as_ref().map(|told| told.header.id);
        let lease = state.lease(&spec.bundle.name, serial, own)?;
        // Under another serial it is another bundle.
        let id = own.filter(|_| lease.serial() == serial).unwrap_or_else(uuid::Uuid::now_v7);
        let root = renumbered(spec, root, lease.serial(), ctx)?;
        return Ok(Place::New { root, lease, id, told });
    }
    if let Some((root, _)) = &newest
        && let Some((document, bytes)) = repeated(spec, limits, root, signer.public().key_data(), ctx)?
    {
        let lease = state.lease(&spec.bundle.name, document.serial, None).ok();
        let lease = lease.filter(|lease| lease.serial() == document.serial);
        return Ok(Place::Repeat { root: root.clone(), document: Box::new(document), bytes, lease });
    }
    let mut at_least = newest.map_or(0, |(_, serial)| serial) + 1;
    loop {
        let lease = state.lease(&spec.bundle.name, at_least, None)?;
        let root = spec.bundle.to.join(bundle::directory(&spec.bundle.name, lease.serial()));
        if ctx.files.stat(&root)?.is_none() {
            return Ok(Place::New { root, lease, id: uuid::Uuid::now_v7(), told: None });
        }
        // A directory of that name that is nobody's bundle is not ours to write into.
        at_least = lease.serial() + 1;
    }
}

/// The document of a finished bundle, if it holds what is asked for now and this key has signed it: a pack goes over
/// that bundle once more and makes no new one.
///
/// # Errors
/// A file error.
pub(super) fn repeated(
    spec: &AssembleSpec,
    limits: &Limits,
    root: &Path,
    key: &KeyData,
    ctx: &JobCtx,
) -> Result<Option<(BundleManifest, Vec<u8>)>> {
    let files = &*ctx.files;
    let Some((document, bytes)) = signed_document(files, root, key) else { return Ok(None) };
    let same = same_content(spec, limits, &document)
        && files_right(files, root, &document)
        && nothing_foreign(files, root, &document)?;
    Ok(same.then_some((document, bytes)))
}

/// The bundle that was cut off and is gone on with: one that is newer than every signed one.
pub(super) fn unfinished(found: &[Found]) -> Option<(PathBuf, u64)> {
    let cut_off = found.iter().find_map(|found| match found {
        Found::Unfinished(path, serial) => Some((path.clone(), *serial)),
        Found::Finished(..) => None,
    });
    let newest = finished(found).next().map(|(_, serial)| serial);
    cut_off.filter(|(_, serial)| newest.is_none_or(|signed| signed < *serial))
}

/// An unfinished bundle whose serial this host has signed meanwhile goes on under the next one.
fn renumbered(spec: &AssembleSpec, root: PathBuf, serial: u64, ctx: &JobCtx) -> Result<PathBuf> {
    let now = spec.bundle.to.join(bundle::directory(&spec.bundle.name, serial));
    if now != root {
        ctx.files.rename(&root, &now)?;
        ctx.warn(format!(
            "{} goes on as {}: its serial has been used meanwhile",
            root.display(),
            now.display()
        ));
    }
    Ok(now)
}

/// Whether a finished bundle holds what is asked for now, in the same order and under the same names.
fn same_content(spec: &AssembleSpec, limits: &Limits, document: &BundleManifest) -> bool {
    let same_image = |(wanted, there): (&ResolvedImage, &Image)| {
        let mut now = image(wanted);
        now.resolved_at = there.resolved_at;
        now == *there
    };
    let same_parts =
        |blob: &bundle::Blob| limits.part_size(blob.size) == blob.parts.first().map(|part| part.size);
    alike(spec.bundle.expires, document.expires)
        && document.blobs.iter().all(same_parts)
        && document.missing.iter().map(|m| &m.reference).eq(spec.missing.iter().map(|m| &m.reference))
        && document.tool.version == env!("CARGO_PKG_VERSION")
        && (spec.bundle.tool && super::contents::not_carried().is_none()) != document.tool.binaries.is_empty()
        && document.images.len() == spec.images.len()
        && spec.images.iter().zip(&document.images).all(same_image)
}

/// Whether everything but the blobs still is what was signed; blobs are looked at later, and mended.
fn files_right(files: &dyn Files, root: &Path, document: &BundleManifest) -> bool {
    let right = |path: &str, size: u64, sha256: &str| {
        files.open(root, path).is_ok_and(|open| {
            let same_size = open.size == size;
            same_size
                && crate::engine::hash::of_stream(open.reader).is_ok_and(|digest| digest.hex() == sha256)
        })
    };
    document.files.iter().all(|file| right(&file.path, file.size, &file.sha256))
}

/// Whether nothing lies there that would keep the bundle from verifying once its blobs are mended.
fn nothing_foreign(files: &dyn Files, root: &Path, document: &BundleManifest) -> Result<bool> {
    let listed: HashSet<String> = document.all_files().map(|(path, ..)| path).collect();
    let ours = |entry: &Entry| match entry.kind {
        EntryKind::Directory => true,
        EntryKind::Other => false,
        EntryKind::File => {
            let path = entry.path.as_str();
            path == bundle::MANIFEST || listed.contains(path) || listing::is_signature(path)
        }
    };
    match files.list(root, listed.len() * 2 + 4096) {
        Err(error) if listing::is_beyond_limit(&error) => Ok(false),
        entries => Ok(entries?.iter().all(ours)),
    }
}

/// The document of a finished bundle, if this key has signed these very bytes before: nothing else on a medium
/// is worth parsing, and a document that somebody changed is never signed by going over it once more.
fn signed_document(files: &dyn Files, root: &Path, key: &KeyData) -> Option<(BundleManifest, Vec<u8>)> {
    let bytes = super::read::document_bytes(files, root).ok()?;
    let is_ours = |signature: &sign::SignatureFile| {
        let content = signature.content.as_ref().ok();
        content.and_then(|content| sign::check::signer_of(&bytes, content)).as_ref() == Some(key)
    };
    if !sign::read_signatures(files, root).ok()?.iter().any(is_ours) {
        return None;
    }
    Some((BundleManifest::parse(&bytes).ok()?, bytes))
}

/// Other bundles on the medium, whose blobs may save the network.
///
/// # Errors
/// A file error.
pub fn siblings(files: &dyn Files, to: &Path, root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = nearby(files, to)?;
    found.retain(|path| path != root);
    Ok(found)
}

/// Every bundle in a directory that has a document, whatever it is worth.
///
/// # Errors
/// A file error, but for a directory that is not there.
pub fn nearby(files: &dyn Files, to: &Path) -> Result<Vec<PathBuf>> {
    let entries = match files.entries(to, MAX_NEARBY) {
        Err(error) if workdir::nothing_to_list(&error) => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory) {
        let path = to.join(entry.path);
        // What cannot be looked at is no help, and no harm.
        if files.stat(&path.join(bundle::MANIFEST)).is_ok_and(|stat| stat.is_some()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The entry of a resolved image in the document.
pub fn image(image: &ResolvedImage) -> Image {
    let mut findings: Vec<String> = image.findings.iter().map(|finding| finding.id.id().to_owned()).collect();
    findings.sort();
    findings.dedup();
    Image {
        requested: image.requested.clone(),
        reference: image.reference.clone(),
        digest: image.digest.clone(),
        media_type: image.media_type.clone(),
        source: image.source.clone(),
        resolved_at: jiff::Timestamp::from_second(image.resolved_at.as_second()).unwrap_or(image.resolved_at),
        platforms: image.platforms.clone(),
        omitted_platforms: image.omitted.clone(),
        signatures: image.signatures.clone(),
        findings,
    }
}
