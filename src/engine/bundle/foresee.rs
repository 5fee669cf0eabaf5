//! What a pack would find and make before its first byte: room, serial, what is gone on with, what changes. Writes nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use ssh_key::public::KeyData;

use super::assemble::{AssembleSpec, Plan, limits, plan, preflight, program, there};
use super::begun::{Begun, OthersBegun, begun, refusal};
use super::contents;
use super::nearby;
use super::read::document_bytes;
use super::repeat;
use super::unfinished;
use super::workdir;
use crate::domain::bundle::{self, Blob, BundleManifest, Tool, Totals};
use crate::domain::diff::{Diff, diff};
use crate::domain::digest::Digest;
use crate::domain::plan::Limits;
use crate::domain::shell::shell_words;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::state::State;
use crate::engine::store::BlobTarget;

/// What a pack would find and make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Foreseen {
    /// Kind of file system on the medium.
    pub file_system: &'static str,
    /// Bytes free there, where known.
    pub free: Option<u64>,
    /// Blobs that would be split into parts.
    pub split: usize,
    /// Layers and configs; what else the images consist of are their manifests.
    pub layers: u64,
    /// Files that hold blobs and documents, parts counted one by one.
    pub files: u64,
    /// Bytes that are still to be written; what lies there already, whole or cut off, is hashed, not believed.
    pub to_write: u64,
    /// Bytes of that which are fetched.
    pub to_fetch: u64,
    /// Bytes of that which lie in other bundles beside it, by names and lengths, and are copied from there: what is right
    /// of it needs no network.
    pub to_copy: u64,
    /// Bytes of this program that come on top, where it is carried and not there yet.
    pub program: u64,
    /// Directory of the bundle.
    pub path: PathBuf,
    /// Its serial.
    pub serial: u64,
    /// Whether a run that was cut off is gone on with.
    pub goes_on: bool,
    /// What lies there of that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
    /// Why a pack does not go on with that, where it does not.
    #[serde(skip)]
    pub refused: Option<OthersBegun>,
    /// What is gone on with lies there whole and was signed here once, but has no signature any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<PathBuf>,
    /// Whether the newest signed bundle of that name holds the same: it is checked and mended, and no new one is made.
    pub repeats: bool,
    /// Why this program is not carried, where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_carried: Option<String>,
    /// The last serial that this host signed under that name.
    pub last_signed: Option<u64>,
    /// The newest signed bundle of that name in the same place.
    pub previous: Option<Previous>,
}

impl Foreseen {
    /// What becomes of the bundle there that has no signature.
    pub fn becomes(&self) -> Option<String> {
        let called = if self.unsigned.is_some() { "bundle without signature" } else { "interrupted bundle" };
        Some(self.begun.as_ref()?.words(called))
    }

    /// How what lost its signature gets one, instead of going on as another bundle.
    pub fn signed_again(&self) -> Option<String> {
        let path = self.unsigned.as_ref()?.display().to_string();
        let sign = shell_words(&["airlift", "sign", &path].map(str::to_owned));
        Some(format!(
            "that serial was signed here; what lies there lost its signature: {sign} signs it again"
        ))
    }
}

/// A signed bundle of the same name; not verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Previous {
    /// Its directory.
    pub path: PathBuf,
    /// Its serial.
    pub serial: u64,
    /// What changes from it; nothing where its document cannot be read.
    pub changes: Option<Diff>,
}

/// Looks ahead of [`super::assemble::assemble`] by the owner of this key, where there is one yet.
///
/// # Errors
/// That it would not fit; a file error.
pub fn foresee(spec: &AssembleSpec, key: Option<&KeyData>, state: &State, ctx: &JobCtx) -> Result<Foreseen> {
    let files = &*ctx.files;
    bundle::check_name(&spec.bundle.name)?;
    let space = files.space(&spec.bundle.to)?;
    let (plan, limits) = (plan(&spec.images)?, limits(spec, &space));
    let found = workdir::find(files, &spec.bundle.to, &spec.bundle.name)?;
    let newest = super::assemble::finished(&found).next().map(|(path, serial)| (path.to_owned(), serial));
    let unfinished = repeat::unfinished(&found);
    let told = unfinished.as_ref().and_then(|(root, _)| unfinished::told(files, root));
    let own = told.as_ref().map(|told| told.header.id);
    let last_signed = state.read().last_signed(&spec.bundle.name, own);
    let was_signed = |(_, serial): &&(PathBuf, u64)| {
        last_signed.is_some_and(|last| *serial <= last) && told.as_ref().is_some_and(|told| told.whole)
    };
    let unsigned = unfinished.as_ref().filter(was_signed).map(|(root, _)| root.clone());
    let next = last_signed.map_or(1, |last| last.saturating_add(1));
    let same = match (&unfinished, &newest, key) {
        (None, Some((root, _)), Some(key)) => repeat::repeated(spec, &limits, root, key, ctx)?,
        _ => None,
    };
    let root = unfinished.as_ref().or(newest.as_ref().filter(|_| same.is_some())).map(|(root, _)| root);
    let lies_there = root.map(|root| there(files, root)).transpose()?.unwrap_or_default();
    let program = program(spec, same.is_some(), &lies_there);
    preflight((&plan, program), &limits, &lies_there)?;
    let serial = match (&unfinished, &same) {
        (Some((_, serial)), _) => next.max(*serial),
        (None, Some((document, _))) => document.serial,
        (None, None) => {
            free_serial(spec, next.max(newest.as_ref().map_or(0, |(_, serial)| *serial) + 1), ctx)?
        }
    };
    let blobs = sizes(&plan);
    let path = spec.bundle.to.join(bundle::directory(&spec.bundle.name, serial));
    let siblings = repeat::siblings(files, &spec.bundle.to, root.unwrap_or(&path))?;
    let left = left(&plan, &limits, &lies_there, (&siblings, ctx))?;
    let begun = unfinished.as_ref().map(|_| begun(told.as_ref(), (&plan, spec, &limits), &lies_there));
    let refused = |(root, _): &(PathBuf, u64)| refusal((root, told.as_ref()), spec, begun.as_ref()?);
    let refused = unfinished.as_ref().and_then(refused);
    let parts = |size: u64| limits.part_size(size).map_or(1, |part| size.div_ceil(part));
    Ok(Foreseen {
        file_system: space.kind,
        free: space.free,
        split: blobs.values().filter(|size| limits.part_size(**size).is_some()).count(),
        layers: plan.blobs.blobs.len() as u64,
        files: blobs.values().map(|size| parts(*size)).sum(),
        to_write: left.to_write,
        to_fetch: left.to_fetch,
        to_copy: left.to_copy,
        program,
        path,
        serial,
        goes_on: unfinished.is_some(),
        begun,
        refused,
        unsigned,
        repeats: same.is_some(),
        not_carried: spec.bundle.tool.then(contents::not_carried).flatten(),
        last_signed,
        previous: newest.map(|(path, serial)| previous(path, serial, spec, &plan, ctx)),
    })
}

/// The first serial from `at_least` whose directory nobody has taken.
fn free_serial(spec: &AssembleSpec, at_least: u64, ctx: &JobCtx) -> Result<u64> {
    let mut serial = at_least;
    while ctx.files.stat(&spec.bundle.to.join(bundle::directory(&spec.bundle.name, serial)))?.is_some() {
        serial += 1;
    }
    Ok(serial)
}

fn sizes(plan: &Plan) -> HashMap<Digest, u64> {
    let documents = plan.documents.iter().map(|(digest, (bytes, _))| (digest.clone(), bytes.len() as u64));
    documents.chain(plan.blobs.blobs.iter().map(|blob| (blob.digest.clone(), blob.size))).collect()
}

/// Bytes of what is not there yet; documents came when the references were resolved.
#[derive(Default)]
struct Left {
    to_write: u64,
    to_fetch: u64,
    to_copy: u64,
}

/// What is left to do: of a blob that was cut off in the middle its rest, but all of it where it is copied from a bundle
/// beside this one.
fn left(
    plan: &Plan,
    limits: &Limits,
    there: &HashMap<String, u64>,
    (siblings, ctx): (&[PathBuf], &JobCtx),
) -> Result<Left> {
    let mut left = Left::default();
    let add = |sum: &mut u64, bytes: u64| *sum = sum.saturating_add(bytes);
    for (digest, size) in sizes(plan) {
        ctx.check()?;
        let target = target(&digest, size, limits);
        let bytes = if target.is_there(there) {
            0
        } else if plan.documents.contains_key(&digest) {
            size
        } else if siblings.iter().any(|sibling| nearby::lent(&*ctx.files, sibling, &digest, size).is_some()) {
            add(&mut left.to_copy, size);
            size
        } else {
            let rest = size - target.cut_off(there);
            add(&mut left.to_fetch, rest);
            rest
        };
        add(&mut left.to_write, bytes);
    }
    Ok(left)
}

/// Whether a blob lies there in its whole length.
pub(super) fn is_whole(digest: &Digest, size: u64, there: &HashMap<String, u64>, limits: &Limits) -> bool {
    target(digest, size, limits).is_there(there)
}

/// A blob in any bundle.
fn target(digest: &Digest, size: u64, limits: &Limits) -> BlobTarget {
    BlobTarget { root: PathBuf::new(), digest: digest.clone(), size, part: limits.part_size(size) }
}

fn previous(path: PathBuf, serial: u64, spec: &AssembleSpec, plan: &Plan, ctx: &JobCtx) -> Previous {
    let changes = document(&path, ctx).map(|before| diff(&before, &planned(spec, plan, serial)));
    Previous { path, serial, changes }
}

/// Read, not verified: it only tells what is likely to be new.
pub fn document(path: &Path, ctx: &JobCtx) -> Option<BundleManifest> {
    BundleManifest::parse(&document_bytes(&*ctx.files, path).ok()?).ok()
}

/// The document as far as a comparison looks at it.
fn planned(spec: &AssembleSpec, plan: &Plan, serial: u64) -> BundleManifest {
    let blob = |(digest, size): (Digest, u64)| Blob {
        path: Some(digest.layout_path()),
        digest,
        size,
        media_type: String::new(),
        parts: Vec::new(),
    };
    BundleManifest {
        format: bundle::FORMAT.to_owned(),
        id: uuid::Uuid::nil(),
        name: spec.bundle.name.clone(),
        serial,
        created: jiff::Timestamp::UNIX_EPOCH,
        expires: spec.bundle.expires,
        tool: Tool { version: String::new(), binaries: Vec::new() },
        base: None,
        complete: spec.missing.is_empty(),
        missing: spec.missing.clone(),
        images: spec.images.iter().map(repeat::image).collect(),
        blobs: sizes(plan).into_iter().map(blob).collect(),
        files: Vec::new(),
        totals: Totals::default(),
    }
}
