//! The end of a pack: what surrounds the blobs, everything durable, read back, and the signature last.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::assemble::{AssembleReport, AssembleSpec, Plan};
use super::contents::{self, Program};
use super::read::BundleReader;
use super::readback::{self, ReadBack};
use super::sources::Sources;
use super::{graph, repeat, sums};
use crate::domain::bundle::{self, Binary, Blob, BundleManifest, File, MANIFEST, SUMS, Tool, Totals};
use crate::domain::digest::Digest;
use crate::domain::progress::{Event, Phase};
use crate::domain::sheet::fingerprint_end;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::files::Files;
use crate::engine::media::flush;
use crate::engine::sign::{self, Signer};
use crate::engine::store::{self, Stored};

/// A bundle whose bytes are all on the medium, not signed yet.
pub(super) struct Committed {
    document: BundleManifest,
    bytes: Vec<u8>,
    read_back: Option<ReadBack>,
    /// Why this program is not in it, where that was asked for.
    not_carried: Option<String>,
}

/// Writes what surrounds the blobs, makes everything durable and reads it back; `written` bytes of blobs came in this run.
pub(super) async fn commit(
    spec: &AssembleSpec,
    plan: &Plan,
    place: &repeat::Place,
    (stored, program): (HashMap<Digest, Stored>, Option<Program>),
    written: u64,
    ctx: &JobCtx,
) -> Result<Committed> {
    let (carried, not_carried) = match &program {
        Some(Program::Carried(file, _)) => (file.size, None),
        Some(Program::Left(reason)) => (0, Some(reason.clone())),
        None => (0, None),
    };
    not_carried.iter().for_each(|reason| ctx.warn(reason.clone()));
    let document = match place {
        repeat::Place::Repeat { document, .. } => (**document).clone(),
        repeat::Place::New { .. } => describe(spec, plan, place, (stored, program), ctx)?,
    };
    let bytes = match place {
        repeat::Place::Repeat { bytes, .. } => bytes.clone(),
        repeat::Place::New { .. } => document.to_bytes().map_err(super::write_json)?,
    };
    let (files, root) = (Arc::clone(&ctx.files), place.root().to_owned());
    let (job, read_back, repeat) = (ctx.clone(), spec.bundle.read_back, place.is_repeat());
    let most = written.saturating_add(carried).saturating_add(bytes.len() as u64);
    let flushed = flush(ctx, 0, most, move || {
        // Nothing is signed that the other side would refuse.
        graph::close(&BundleReader::new(root.clone(), document.clone(), Arc::clone(&files)))?;
        if !repeat {
            store::write_file(&*files, &root, MANIFEST, &bytes)?;
        }
        sync_directories(&*files, &root, &document)?;
        Ok((root, document, bytes))
    });
    let (root, document, bytes) = flushed.await?;
    blocking(move || {
        job.pause_point_blocking()?;
        let read_back =
            if read_back { Some(readback::read_back(&root, &document, &bytes, &job)?) } else { None };
        Ok(Committed { document, bytes, read_back, not_carried })
    })
    .await
}

/// Every directory that holds a file of the bundle, the bundle's own parent last.
fn sync_directories(files: &dyn Files, root: &Path, document: &BundleManifest) -> Result<()> {
    let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
    for (path, ..) in document.all_files() {
        directories.extend(
            root.join(path).ancestors().skip(1).take_while(|a| a.starts_with(root)).map(Path::to_owned),
        );
    }
    directories.insert(root.join(bundle::SIGNATURES));
    for directory in directories.iter().rev() {
        files.sync_dir(directory)?;
    }
    Ok(root.parent().map_or(Ok(()), |parent| files.sync_dir(parent))?)
}

/// Writes layout, index and README, and puts together the document.
fn describe(
    spec: &AssembleSpec,
    plan: &Plan,
    place: &repeat::Place,
    (mut stored, program): (HashMap<Digest, Stored>, Option<Program>),
    ctx: &JobCtx,
) -> Result<BundleManifest> {
    let (files, root) = (&ctx.files, place.root());
    let mut listed: Vec<File> =
        vec![store::write_file(&**files, root, bundle::LAYOUT, contents::LAYOUT_BYTES)?];
    let index = contents::index_json(&spec.images).map_err(super::write_json)?;
    listed.push(store::write_file(&**files, root, bundle::INDEX, &index)?);
    let mut binaries: Vec<Binary> = Vec::new();
    if let Some(Program::Carried(file, binary)) = program {
        listed.push(file);
        binaries.push(binary);
    }
    let documents = plan.documents.iter().map(|(digest, (bytes, media_type))| Blob {
        digest: digest.clone(),
        size: bytes.len() as u64,
        media_type: media_type.clone(),
        path: Some(digest.layout_path()),
        parts: Vec::new(),
    });
    let mut blobs: Vec<Blob> = documents.collect();
    for blob in plan.blobs.blobs.iter().filter(|blob| !plan.documents.contains_key(&blob.digest)) {
        let parts = stored.remove(&blob.digest).map(|stored| stored.parts).unwrap_or_default();
        let path = parts.is_empty().then(|| blob.digest.layout_path());
        let (digest, media_type) = (blob.digest.clone(), blob.media_type.clone());
        blobs.push(Blob { digest, size: blob.size, media_type, path, parts });
    }
    blobs.sort_by(|a, b| a.digest.cmp(&b.digest));
    let bytes = blobs.iter().map(|blob| blob.size).sum();
    let mut document = BundleManifest {
        format: bundle::FORMAT.to_owned(),
        id: place.id(),
        name: spec.bundle.name.clone(),
        serial: place.serial(),
        created: seconds(ctx.clock.now()),
        expires: spec.bundle.expires.map(seconds),
        tool: Tool { version: env!("CARGO_PKG_VERSION").to_owned(), binaries },
        base: None,
        complete: spec.missing.is_empty(),
        missing: spec.missing.clone(),
        images: spec.images.iter().map(repeat::image).collect(),
        totals: Totals { images: spec.images.len() as u64, blobs: blobs.len() as u64, bytes },
        blobs,
        files: Vec::new(),
    };
    listed.push(store::write_file(&**files, root, bundle::README, contents::readme(&document).as_bytes())?);
    document.files = listed;
    document.files.push(store::write_file(&**files, root, SUMS, sums::text(&document).as_bytes())?);
    document.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(document)
}

/// Whole seconds: what RFC 3339 readers agree on.
fn seconds(time: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Notes the serial, signs, reports. From here on nothing is interrupted: the signature commits the bundle.
pub(super) async fn finish(
    place: repeat::Place,
    committed: Committed,
    sources: &Sources,
    signer: &Signer,
    ctx: &JobCtx,
) -> Result<AssembleReport> {
    ctx.check()?;
    ctx.say(Event::Started { phase: Phase::Sign, items: 1, bytes: 0 });
    let root = place.root().to_owned();
    if let repeat::Place::New { lease, id, .. } = &place {
        // Two bundles of one serial are what the other side calls forged: it is used from here on, whatever comes.
        lease.note(*id)?;
        ctx.files.remove(&root.join(bundle::JOURNAL))?;
        ctx.files.sync_dir(&root.join("airlift"))?;
    }
    let signed = sign::sign_bundle(Arc::clone(&ctx.files), &root, &committed.bytes, signer).await?;
    let repeated = place.is_repeat();
    let kept = match &place {
        repeat::Place::New { lease, .. } => lease.signed(),
        repeat::Place::Repeat { lease: Some(lease), document, .. } => {
            lease.note(document.id).and_then(|()| lease.signed())
        }
        repeat::Place::Repeat { lease: None, .. } => Ok(()),
    };
    kept.unwrap_or_else(|error| ctx.warn(error.message()));
    ctx.say(Event::Finished { phase: Phase::Sign });
    Ok(AssembleReport {
        id: committed.document.id,
        name: committed.document.name.clone(),
        serial: committed.document.serial,
        document: crate::engine::hash::sha256(&committed.bytes),
        repeated,
        complete: committed.document.complete,
        missing: committed.document.missing,
        totals: committed.document.totals,
        fetched_bytes: sources.fetched.load(Relaxed),
        kept_bytes: sources.kept.load(Relaxed),
        copied_bytes: sources.copied.load(Relaxed),
        read_back: committed.read_back,
        not_carried: committed.not_carried,
        key_ends_in: fingerprint_end(&signed.fingerprint).to_owned(),
        signed_by: signed.fingerprint,
        key_id: signed.key_id,
        expires: committed.document.expires,
        path: root,
    })
}
