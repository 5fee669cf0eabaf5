//! Assembles a bundle: plan, fetch into place, flush, read back, and only then sign; a second run goes on where the first stopped.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::future::join;
use serde::Serialize;

use super::begun::{belongs, named, tell, wanted};
use super::commit::{commit, finish};
use super::contents::{self, Program};
use super::ground::Ground;
use super::pool::{fill, leave_out, write_documents};
use super::readback::ReadBack;
use super::repeat;
use super::workdir::{self, Found};
use crate::domain::bundle::{self, Missing, Totals};
use crate::domain::carrier::Carrier;
use crate::domain::digest::Digest;
use crate::domain::keep_going::KeepGoing;
use crate::domain::lying::lacking;
use crate::domain::plan::{BlobPlan, Limits, Planner};
use crate::domain::reference::Repository;
use crate::domain::resolved::ResolvedImage;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Interrupted, Kind, Result};
use crate::engine::files::{Files, Space};
use crate::engine::journal::{Header, Journal};
use crate::engine::registry::Registry;
use crate::engine::sign::Signer;
use crate::engine::state::State;

/// Files of a bundle that are no blobs.
const OTHER_FILES: u64 = 16;

/// How a bundle is made, and where.
#[derive(Clone, Debug)]
pub struct BundleSpec {
    /// Directory on the medium in which the bundle's own is made.
    pub to: PathBuf,
    /// What that lay on when it was decided upon: nothing is begun or signed on anything else.
    pub ground: Ground,
    /// The same as it is known wherever it is mounted: how fast it was is remembered by it.
    pub carrier: Option<Carrier>,
    /// Name of the series.
    pub name: String,
    /// When it expires.
    pub expires: Option<jiff::Timestamp>,
    /// Blobs on the network at once.
    pub jobs: usize,
    /// Whether to read everything back from the medium before signing.
    pub read_back: bool,
    /// Whether to carry this program.
    pub tool: bool,
    /// The largest file wanted on the medium, in bytes.
    pub max_file_size: Option<u64>,
    /// What is left out, and said, instead of failing the pack.
    pub keep_going: KeepGoing,
    /// Whether what an interrupted bundle there holds of images that are not asked for now may be deleted.
    pub anew: bool,
    /// Files that are removed once the bundle is begun: records of packs whose place it takes.
    pub replaces: Vec<PathBuf>,
}

/// What to assemble.
pub struct AssembleSpec {
    /// The images, in the order asked.
    pub images: Vec<ResolvedImage>,
    /// What was asked for and could not be resolved.
    pub missing: Vec<Missing>,
    /// The references among that which their registries do not have, as an image of them would be named.
    pub left_out: Vec<String>,
    /// The bundle.
    pub bundle: BundleSpec,
}

/// What was assembled.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssembleReport {
    /// The bundle.
    pub path: PathBuf,
    /// Its id.
    pub id: uuid::Uuid,
    /// Its name.
    pub name: String,
    /// Its serial.
    pub serial: u64,
    /// Digest of the signed document.
    pub document: Digest,
    /// Whether it is the bundle of an earlier run, found right or mended.
    pub repeated: bool,
    /// Whether everything asked for is in it.
    pub complete: bool,
    /// What is not.
    pub missing: Vec<Missing>,
    /// Images, blobs and bytes.
    pub totals: Totals,
    /// Bytes that came from registries in this run.
    pub fetched_bytes: u64,
    /// Bytes that were on the medium and right.
    pub kept_bytes: u64,
    /// Bytes copied from bundles beside it.
    pub copied_bytes: u64,
    /// How it was read back; nothing if that was not wanted.
    pub read_back: Option<ReadBack>,
    /// Why this program is not in it, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_carried: Option<String>,
    /// Fingerprint of the key that signed.
    pub signed_by: String,
    /// How that ends: what the other side is asked for before it trusts the key.
    pub key_ends_in: String,
    /// Its id: the name of its signature file.
    pub key_id: String,
    /// When it expires.
    pub expires: Option<jiff::Timestamp>,
}

/// The plan of the blobs and the registries they come from.
pub(super) struct Plan {
    pub(super) blobs: BlobPlan,
    pub(super) repositories: Vec<Repository>,
    pub(super) documents: BTreeMap<Digest, (Bytes, String)>,
}

/// Assembles and signs. The caller keeps the destination locked with [`workdir::lock`].
///
/// # Errors
/// What the medium, a registry or the key said; the bundle stays resumable.
pub async fn assemble(
    spec: AssembleSpec,
    registry: Registry,
    signer: &Signer,
    state: &State,
    ctx: &JobCtx,
) -> Result<AssembleReport> {
    let ground = spec.bundle.ground.clone();
    match assemble_on(spec, registry, signer, state, ctx).await {
        Ok(report) => Ok(report),
        Err(error) => {
            let ctx = ctx.clone();
            blocking(move || Err(ground.reason(error, &ctx))).await
        }
    }
}

async fn assemble_on(
    mut spec: AssembleSpec,
    registry: Registry,
    signer: &Signer,
    state: &State,
    ctx: &JobCtx,
) -> Result<AssembleReport> {
    let mut plan = plan(&spec.images)?;
    // To ask the registries took a while.
    spec.bundle.ground.still().await?;
    let limits = limits(&spec, &ctx.files.space(&spec.bundle.to)?);
    let place = repeat::place(&spec, &limits, signer, state, ctx)?;
    let lies_there = there(&*ctx.files, place.root())?;
    let program = program(&spec, place.is_repeat(), &lies_there);
    preflight((&plan, program), &limits, &lies_there)?;
    if let repeat::Place::New { lease, .. } = &place {
        lease.can_note()?;
    }
    tell(&place, (&plan, &spec, &limits), &lies_there, ctx)?;
    // From here on it is there that the bundle has its directories: where they are not, nothing can be written.
    let created = prepare(&place, &plan, &spec, ctx);
    let outcome = match spec.bundle.ground.still().await.and(created) {
        Ok(journal) => fill(&spec, &plan, &place, (registry, limits, journal), ctx).await,
        Err(error) => Err(error),
    };
    let filled = match outcome {
        Ok(filled) => filled,
        Err(error) => {
            // On a medium that is full or fails, a directory with nothing worth resuming is not left behind.
            if matches!(error.kind(), Kind::Space | Kind::Medium) {
                workdir::remove_half_written(&*ctx.files, place.root());
            }
            if matches!(error.kind(), Kind::Space | Kind::Medium | Kind::Other) && !place.is_repeat() {
                workdir::remove_empty(&*ctx.files, place.root());
                if ctx.files.stat(place.root()).is_ok_and(|there| there.is_some()) {
                    ctx.warn(format!("finished blobs stay in {} for the next run", place.root().display()));
                }
            }
            return Err(error);
        }
    };
    filled.note_rate(&spec.bundle, state.clone(), ctx).await;
    if !filled.lost.is_empty() {
        // A signed bundle is mended or left as it is; what it lacks is never written out of it.
        if place.is_repeat() {
            return Err(filled
                .lost
                .into_iter()
                .next()
                .map_or_else(|| Interrupted.into(), |(_, error)| error));
        }
        leave_out(&mut spec, filled.lost, ctx)?;
        plan = self::plan(&spec.images)?;
        tidy(&place, &plan, ctx)?;
    }
    let (documents, program) =
        join(write_documents(&plan, place.root(), ctx), carry(&spec, &place, ctx)).await;
    documents?;
    let committed =
        commit(&spec, &plan, &place, (filled.stored, program?), filled.sources.written(), ctx).await?;
    spec.bundle.ground.still().await?;
    finish(place, committed, &filled.sources, signer, ctx).await
}

/// Copies this program into a new bundle, where that is wanted.
async fn carry(spec: &AssembleSpec, place: &repeat::Place, ctx: &JobCtx) -> Result<Option<Program>> {
    if !spec.bundle.tool || place.is_repeat() {
        return Ok(None);
    }
    let (files, root) = (ctx.files.clone(), place.root().to_owned());
    blocking(move || contents::carry_program(&files, &root).map(Some)).await
}

pub(super) fn plan(images: &[ResolvedImage]) -> Result<Plan> {
    let mut planner = Planner::default();
    let mut repositories = Vec::new();
    let mut documents = BTreeMap::new();
    for image in images {
        let repository = Repository::from(&image.reference);
        let source = repositories.iter().position(|known| *known == repository).unwrap_or_else(|| {
            repositories.push(repository);
            repositories.len() - 1
        });
        planner.add(&image.reference.to_string(), source, &image.blobs)?;
        for document in &image.documents {
            documents.insert(document.digest.clone(), (document.bytes.clone(), document.media_type.clone()));
        }
    }
    Ok(Plan { blobs: planner.finish()?, repositories, documents })
}

pub(super) fn limits(spec: &AssembleSpec, space: &Space) -> Limits {
    Limits {
        wanted: spec.bundle.max_file_size,
        file_system: space.max_file,
        process: space.process_limit,
        free: space.free,
        inodes: space.inodes,
    }
}

/// What an earlier run left: paths inside the bundle and lengths.
pub(super) fn there(files: &dyn Files, root: &Path) -> Result<HashMap<String, u64>> {
    match files.list(root, workdir::MAX_ENTRIES) {
        Err(error) if workdir::nothing_to_list(&error) => Ok(HashMap::new()),
        entries => Ok(entries?.into_iter().map(|entry| (entry.path, entry.size)).collect()),
    }
}

/// Bytes that this program takes in a bundle that is not a repeat of another one.
pub(super) fn program(spec: &AssembleSpec, repeats: bool, there: &HashMap<String, u64>) -> u64 {
    if spec.bundle.tool && !repeats { contents::program_room(there) } else { 0 }
}

/// Refuses what cannot be finished; what lies there already (right or not) needs no room.
pub(super) fn preflight(
    (plan, program): (&Plan, u64),
    limits: &Limits,
    there: &HashMap<String, u64>,
) -> Result<()> {
    let documents = plan.documents.iter().map(|(digest, (bytes, _))| (digest, bytes.len() as u64));
    let blobs = plan.blobs.blobs.iter().map(|blob| (&blob.digest, blob.size));
    let lacking = lacking(documents.chain(blobs), there);
    let limits = Limits {
        free: limits.free.map(|free| free.saturating_add(lacking.freed)),
        inodes: limits.inodes.map(|free| free.saturating_add(lacking.freed_files)),
        ..*limits
    };
    Ok(limits.check(&lacking.to_write, program, OTHER_FILES)?)
}

/// Makes the directories and the journal; in a bundle that was cut off, removes what no longer belongs.
fn prepare(place: &repeat::Place, plan: &Plan, spec: &AssembleSpec, ctx: &JobCtx) -> Result<Option<Journal>> {
    let repeat::Place::New { root, told, .. } = place else { return Ok(None) };
    let files = &*ctx.files;
    // What is begun anew has nothing to do with what lies there.
    let before = told.as_ref().filter(|_| !spec.bundle.anew).map(|told| &told.header);
    for directory in ["blobs/sha256", "blobs/sha512", bundle::SIGNATURES, bundle::PARTS] {
        let needed = !directory.ends_with("sha512") && directory != bundle::PARTS;
        if needed || plan_needs(plan, spec, directory) {
            files.create_dir(&root.join(directory))?;
        }
    }
    tidy(place, plan, ctx)?;
    let header = Header {
        journal: "airlift-journal/1".to_owned(),
        id: place.id(),
        name: spec.bundle.name.clone(),
        serial: place.serial(),
        begun: ctx.clock.now(),
        first: before.map(|before| before.first.unwrap_or(before.begun)),
        images: spec.images.len() as u64,
        blobs: plan.blobs.blobs.len() as u64,
        bytes: plan.blobs.bytes,
        asked: spec.images.iter().map(|image| image.reference.to_string()).collect(),
        named: named(spec),
    };
    let journal = Journal::begin(files, root, &header)?;
    for record in &spec.bundle.replaces {
        if let Err(error) = files.remove(record) {
            ctx.warn(format!("an earlier pack stays recorded: {}", EngineError::from(error).message()));
        }
    }
    Ok(Some(journal))
}

/// Removes from an unfinished bundle what the plan does not hold. Blobs and parts of the plan stay, to be re-hashed.
fn tidy(place: &repeat::Place, plan: &Plan, ctx: &JobCtx) -> Result<()> {
    let wanted = wanted(plan);
    workdir::clean(&*ctx.files, place.root(), &|path| belongs(path, &wanted))
}

fn plan_needs(plan: &Plan, spec: &AssembleSpec, directory: &str) -> bool {
    if directory == bundle::PARTS {
        return spec.bundle.max_file_size.is_some()
            || plan.blobs.blobs.iter().any(|blob| blob.size >= u64::from(u32::MAX));
    }
    let digests = plan.blobs.blobs.iter().map(|blob| &blob.digest).chain(plan.documents.keys());
    digests.into_iter().any(|digest| directory.ends_with(digest.algorithm().name()))
}

/// The signed ones of what was found, highest serial first.
pub(super) fn finished(found: &[Found]) -> impl Iterator<Item = (&Path, u64)> {
    found.iter().filter_map(|found| match found {
        Found::Finished(path, serial) => Some((path.as_path(), *serial)),
        Found::Unfinished(..) => None,
    })
}
