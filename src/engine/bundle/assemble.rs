//! Assembles a bundle: plan, fetch into place, flush, read back, and only then sign; a second run goes on where the first stopped.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::contents::{self, Program};
use super::fetch::{Fetcher, Sources, blocking};
use super::readback::{self, ReadBack};
use super::workdir::{self, Found};
use super::{repeat, sums};
use crate::domain::bundle::{
    self, Binary, Blob, BundleManifest, File, MANIFEST, Missing, SUMS, Tool, Totals,
};
use crate::domain::digest::Digest;
use crate::domain::plan::{BlobPlan, Limits, PlannedBlob, Planner};
use crate::domain::progress::{Event, Phase};
use crate::domain::reference::Repository;
use crate::domain::resolved::ResolvedImage;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::files::Files;
use crate::engine::journal::{Header, Journal};
use crate::engine::meter::Meter;
use crate::engine::registry::Registry;
use crate::engine::sign::{self, Signer};
use crate::engine::state::State;
use crate::engine::store::{self, Stored};

/// Blobs that may be flushed while others are on the network.
const FLUSHING: usize = 4;
/// Files of a bundle that are no blobs.
const OTHER_FILES: u64 = 16;

/// What to assemble.
pub struct AssembleSpec {
    /// The images, in the order asked.
    pub images: Vec<ResolvedImage>,
    /// What was asked for and could not be resolved.
    pub missing: Vec<Missing>,
    /// Directory on the medium in which the bundle's own is made.
    pub to: PathBuf,
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
    /// Fingerprint of the key that signed.
    pub signed_by: String,
    /// When it expires.
    pub expires: Option<jiff::Timestamp>,
}

/// The plan of the blobs and the registries they come from.
pub(super) struct Plan {
    pub(super) blobs: BlobPlan,
    repositories: Vec<Repository>,
    documents: BTreeMap<Digest, (Bytes, String)>,
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
    let plan = plan(&spec.images)?;
    let limits = limits(&spec, &*ctx.files)?;
    let place = repeat::place(&spec, &limits, state, ctx)?;
    preflight(&plan, &limits, &*ctx.files, place.root())?;
    let created = prepare(&place, &plan, &spec, ctx);
    let outcome = match created {
        Ok(journal) => fill(&spec, &plan, &place, (registry, limits, journal), ctx).await,
        Err(error) => Err(error),
    };
    let (stored, sources) = match outcome {
        Ok(filled) => filled,
        Err(error) => {
            // On a medium that is full or fails, a directory with nothing worth resuming is not left behind.
            if matches!(error.kind(), Kind::Space | Kind::Medium | Kind::Other) && !place.is_repeat() {
                workdir::remove_empty(&*ctx.files, place.root());
                if ctx.files.list(place.root(), 1).is_ok() {
                    ctx.warn(format!("finished blobs stay in {} for the next run", place.root().display()));
                }
            }
            return Err(error);
        }
    };
    let committed = commit(&spec, &plan, &place, stored, ctx).await?;
    finish(place, committed, &sources, signer, ctx).await
}

fn plan(images: &[ResolvedImage]) -> Result<Plan> {
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

fn limits(spec: &AssembleSpec, files: &dyn Files) -> Result<Limits> {
    let space = files.space(&spec.to)?;
    Ok(Limits {
        wanted: spec.max_file_size,
        file_system: space.max_file,
        process: space.process_limit,
        free: space.free,
        inodes: space.inodes,
    })
}

/// Refuses what cannot be finished; what lies there already (right or not) needs no room.
fn preflight(plan: &Plan, limits: &Limits, files: &dyn Files, root: &Path) -> Result<()> {
    let there: HashMap<String, u64> = match files.list(root, 1_000_000) {
        Ok(entries) => entries.into_iter().map(|entry| (entry.path, entry.size)).collect(),
        Err(_) => HashMap::new(),
    };
    let documents = plan.documents.iter().map(|(digest, (bytes, _))| (digest, bytes.len() as u64));
    let blobs = plan.blobs.blobs.iter().map(|blob| (&blob.digest, blob.size));
    let to_write: Vec<(Digest, u64)> = documents
        .chain(blobs)
        .filter(|(digest, size)| there.get(&digest.layout_path()) != Some(size))
        .map(|(digest, size)| (digest.clone(), size))
        .collect();
    Ok(limits.check(&to_write, OTHER_FILES)?)
}

/// Makes the directories and the journal; in a bundle that was cut off, removes what no longer belongs.
fn prepare(place: &repeat::Place, plan: &Plan, spec: &AssembleSpec, ctx: &JobCtx) -> Result<Option<Journal>> {
    if place.is_repeat() {
        return Ok(None);
    }
    let (files, root) = (&*ctx.files, place.root());
    for directory in ["blobs/sha256", "blobs/sha512", bundle::SIGNATURES, bundle::PARTS] {
        let needed = !directory.ends_with("sha512") && directory != bundle::PARTS;
        if needed || plan_needs(plan, spec, directory) {
            files.create_dir(&root.join(directory))?;
        }
    }
    let wanted: std::collections::HashSet<String> = plan
        .blobs
        .blobs
        .iter()
        .map(|blob| blob.digest.hex().to_owned())
        .chain(plan.documents.keys().map(|digest| digest.hex().to_owned()))
        .collect();
    // Blobs and parts of this plan stay to be re-hashed; documents are written anew.
    workdir::clean(files, root, &|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let hex = name.split('.').next().unwrap_or(name);
        (path.starts_with("blobs/") || path.starts_with(bundle::PARTS)) && wanted.contains(hex)
    })?;
    let header = Header {
        journal: "airlift-journal/1".to_owned(),
        id: place.id(),
        name: spec.name.clone(),
        serial: place.serial(),
        begun: ctx.clock.now(),
        images: spec.images.len() as u64,
        blobs: plan.blobs.blobs.len() as u64,
        bytes: plan.blobs.bytes,
    };
    Ok(Some(Journal::begin(files, root, &header)?))
}

fn plan_needs(plan: &Plan, spec: &AssembleSpec, directory: &str) -> bool {
    if directory == bundle::PARTS {
        return spec.max_file_size.is_some()
            || plan.blobs.blobs.iter().any(|blob| blob.size >= u64::from(u32::MAX));
    }
    let digests = plan.blobs.blobs.iter().map(|blob| &blob.digest).chain(plan.documents.keys());
    digests.into_iter().any(|digest| directory.ends_with(digest.algorithm().name()))
}

/// Brings every blob and document into place, largest first, in one bounded pool.
async fn fill(
    spec: &AssembleSpec,
    plan: &Plan,
    place: &repeat::Place,
    (registry, limits, journal): (Registry, Limits, Option<Journal>),
    ctx: &JobCtx,
) -> Result<(HashMap<Digest, Stored>, Arc<Sources>)> {
    let meter = Arc::new(Meter::start(ctx, Phase::Fetch, plan.blobs.blobs.len() as u64, plan.blobs.bytes));
    let fetcher = Fetcher {
        ctx: ctx.clone(),
        registry,
        repositories: plan.repositories.clone(),
        root: place.root().to_owned(),
        limits,
        siblings: repeat::siblings(&spec.to, place.root()),
        network: Semaphore::new(spec.jobs.max(1)),
        meter: Arc::clone(&meter),
        sources: Arc::new(Sources::default()),
    };
    let one = |blob: &PlannedBlob| {
        let (fetcher, journal, blob) = (&fetcher, &journal, blob.clone());
        async move {
            let stored = fetcher.fetch(&blob).await.inspect_err(|error| {
                let (item, reason) = (format!("{} {}", blob.image, blob.digest), error.message());
                fetcher.ctx.say(Event::Failed { phase: Phase::Fetch, item, reason });
            })?;
            if let Some(journal) = journal {
                journal.done(&blob.digest, blob.size);
            }
            Ok::<_, EngineError>((blob.digest, stored))
        }
    };
    let stored: HashMap<Digest, Stored> = stream::iter(plan.blobs.blobs.iter().map(one))
        .buffer_unordered(spec.jobs.max(1) + FLUSHING)
        .try_collect()
        .await?;
    write_documents(plan, place.root(), ctx).await?;
    meter.finish();
    Ok((stored, fetcher.sources))
}

/// Last: a run that brings no layer leaves nothing worth keeping.
async fn write_documents(plan: &Plan, root: &Path, ctx: &JobCtx) -> Result<()> {
    let documents: Vec<(Digest, Bytes)> =
        plan.documents.iter().map(|(digest, (bytes, _))| (digest.clone(), bytes.clone())).collect();
    let (files, root) = (Arc::clone(&ctx.files), root.to_owned());
    blocking(move || {
        for (digest, bytes) in documents {
            let size = bytes.len() as u64;
            let target = store::BlobTarget { root: root.clone(), digest, size, part: None };
            if store::existing(&*files, &target, &|_| {})?.is_none() {
                let mut sink = store::BlobSink::fresh(Arc::clone(&files), target)?;
                if let Err(error) = sink.write(&bytes) {
                    let _ = sink.discard();
                    return Err(error);
                }
                sink.finish()?;
            }
        }
        Ok(())
    })
    .await
}

/// A bundle whose bytes are all on the medium, not signed yet.
pub(super) struct Committed {
    document: BundleManifest,
    bytes: Vec<u8>,
    read_back: Option<ReadBack>,
}

/// Writes what surrounds the blobs, makes everything durable and reads it back.
async fn commit(
    spec: &AssembleSpec,
    plan: &Plan,
    place: &repeat::Place,
    stored: HashMap<Digest, Stored>,
    ctx: &JobCtx,
) -> Result<Committed> {
    ctx.say(Event::Started { phase: Phase::Flush, items: 0, bytes: 0 });
    let document = match place {
        repeat::Place::Repeat { document, .. } => (**document).clone(),
        repeat::Place::New { .. } => describe(spec, plan, place, stored, ctx)?,
    };
    let bytes = match place {
        repeat::Place::Repeat { bytes, .. } => bytes.clone(),
        repeat::Place::New { .. } => document.to_bytes().map_err(super::write_json)?,
    };
    let (files, root) = (Arc::clone(&ctx.files), place.root().to_owned());
    let (job, read_back, repeat) = (ctx.clone(), spec.read_back, place.is_repeat());
    blocking(move || {
        let sums = sums::text(&document, &bytes);
        if !repeat {
            store::write_file(&*files, &root, SUMS, sums.as_bytes())?;
            store::write_file(&*files, &root, MANIFEST, &bytes)?;
        }
        sync_directories(&*files, &root, &document)?;
        job.say(Event::Finished { phase: Phase::Flush });
        job.check()?;
        let small: [(&str, &[u8]); 2] = [(MANIFEST, &bytes), (SUMS, sums.as_bytes())];
        let read_back =
            if read_back { Some(readback::read_back(&root, &document, &small, &job)?) } else { None };
        Ok(Committed { document, bytes, read_back })
    })
    .await
}

/// Every directory that holds a file of the bundle, the bundle's own parent last.
fn sync_directories(files: &dyn Files, root: &Path, document: &BundleManifest) -> Result<()> {
    let mut directories: std::collections::BTreeSet<PathBuf> = std::collections::BTreeSet::new();
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

/// Writes layout, index, program and README, and puts together the document.
fn describe(
    spec: &AssembleSpec,
    plan: &Plan,
    place: &repeat::Place,
    mut stored: HashMap<Digest, Stored>,
    ctx: &JobCtx,
) -> Result<BundleManifest> {
    let (files, root) = (&ctx.files, place.root());
    let mut listed: Vec<File> =
        vec![store::write_file(&**files, root, bundle::LAYOUT, contents::LAYOUT_BYTES)?];
    let index = contents::index_json(&spec.images).map_err(super::write_json)?;
    listed.push(store::write_file(&**files, root, bundle::INDEX, &index)?);
    let mut binaries: Vec<Binary> = Vec::new();
    if spec.tool {
        match contents::carry_program(files, root)? {
            Program::Carried(file, binary) => {
                listed.push(file);
                binaries.push(binary);
            }
            Program::Left(reason) => ctx.warn(reason),
        }
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
        name: spec.name.clone(),
        serial: place.serial(),
        created: seconds(ctx.clock.now()),
        expires: spec.expires.map(seconds),
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
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    document.files = listed;
    Ok(document)
}

/// Whole seconds: what RFC 3339 readers agree on.
fn seconds(time: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Signs, remembers the serial, reports. From here on nothing is interrupted: the signature commits the bundle.
async fn finish(
    place: repeat::Place,
    committed: Committed,
    sources: &Sources,
    signer: &Signer,
    ctx: &JobCtx,
) -> Result<AssembleReport> {
    ctx.check()?;
    ctx.say(Event::Started { phase: Phase::Sign, items: 1, bytes: 0 });
    let root = place.root().to_owned();
    if !place.is_repeat() {
        ctx.files.remove(&root.join(bundle::JOURNAL))?;
        ctx.files.sync_dir(&root.join("airlift"))?;
    }
    let signed = sign::sign_bundle(Arc::clone(&ctx.files), &root, &committed.bytes, signer).await?;
    let repeated = place.is_repeat();
    if let repeat::Place::New { lease, .. } = place
        && let Err(error) = lease.commit()
    {
        ctx.warn(format!("the serial could not be remembered on this host: {}", error.message()));
    }
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
        signed_by: signed.fingerprint,
        expires: committed.document.expires,
        path: root,
    })
}

/// The signed ones of what was found, highest serial first.
pub(super) fn finished(found: &[Found]) -> impl Iterator<Item = (&Path, u64)> {
    found.iter().filter_map(|found| match found {
        Found::Finished(path, serial) => Some((path.as_path(), *serial)),
        Found::Unfinished(..) => None,
    })
}
