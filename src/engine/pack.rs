//! The verb `pack`: pins what was asked for, then assembles and signs it; nothing is signed when something is missing unless that was wanted.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ssh_key::PublicKey;

use super::blocking::blocking;
use super::bundle::assemble::{AssembleReport, AssembleSpec, BundleSpec, assemble};
use super::bundle::foresee::{Foreseen, foresee};
use super::bundle::readback::Method;
use super::bundle::{repeat, workdir};
use super::ctx::JobCtx;
use super::error::{Explain, FileError, Kind, Result};
use super::media::{ListSpec, Place, place_of};
use super::registry::Registry;
use super::resolve::{ResolveReport, ResolveSpec, Unresolved, resolve};
use super::sign::Signer;
use super::state::{Rated, ReadBackThere, State, Went, Written};
use crate::domain::alike::{Befallen, told};
use crate::domain::bundle::{MANIFEST, Missing, check_name};
use crate::domain::keep_going::KeepGoing;
use crate::domain::lint::Rule;
use crate::domain::platform::Platform;
use crate::domain::selection::Requests;
use crate::domain::shell::shell_path;
use crate::domain::text;

/// What to pack.
#[derive(Clone, Debug)]
pub struct PackSpec {
    /// The references, with pins where a lock file holds them.
    pub requests: Requests,
    /// What to carry of multi-platform images; nothing means all of it.
    pub platforms: Vec<Platform>,
    /// Whether signatures and referrers travel along.
    pub signatures: bool,
    /// The bundle.
    pub bundle: BundleSpec,
    /// Where serials are remembered.
    pub state: PathBuf,
}

/// What was packed.
#[derive(Clone, Debug, Serialize)]
pub struct PackReport {
    /// The bundle.
    pub bundle: AssembleReport,
    /// The references.
    pub resolved: ResolveReport,
}

/// Not everything asked for can be had.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// References that do not resolve.
    #[error("{} cannot be packed: {}", text::count_of(*count, *asked, "reference"), .failed.join("; "))]
    Unresolved {
        /// How many were asked for.
        asked: usize,
        /// How many of them do not.
        count: usize,
        /// Each cause with the names that it befell.
        failed: Vec<String>,
        /// Class of the failure, where they all share one.
        kind: Kind,
        /// What helps the first of them.
        hints: Vec<String>,
        /// Whether one of them did resolve when its lock file was written: nobody knew that it can be missing.
        locked: bool,
        /// Whether others did resolve, which could be packed without them.
        rest: bool,
    },
    /// Nothing was asked for.
    #[error("there is nothing to pack: no reference was given or found")]
    Nothing,
    /// No directory to pack to: a mount point whose medium is not there, more often than not.
    #[error("there is no directory {}", .0.display())]
    NoDestination(PathBuf),
    /// Something else to pack to.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
}

impl Explain for PackError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unresolved { kind, .. } => *kind,
            Self::NoDestination(_) => Kind::Medium,
            Self::Nothing | Self::NotADirectory(_) => Kind::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Unresolved { hints, rest: false, .. } => hints.clone(),
            Self::Unresolved { hints, locked, .. } => {
                let mut hints = hints.clone();
                let rest = match locked {
                    false => {
                        "--keep-going=unresolved packs the rest and marks the bundle incomplete; this run wrote nothing"
                    }
                    true => {
                        "--keep-going packs the rest and marks the bundle incomplete; this run wrote nothing"
                    }
                };
                hints.push(rest.to_owned());
                hints
            }
            Self::Nothing => vec!["name images, or give -f FILE, --lock FILE or --from SOURCE".to_owned()],
            Self::NoDestination(path) => vec![
                "is the medium mounted? nothing is made here, so that a bundle never lands beside it"
                    .to_owned(),
                format!("where a plain directory is meant: mkdir -p {}", shell_path(path)),
            ],
            Self::NotADirectory(_) => {
                vec!["give the directory of a mounted medium, or any other directory".to_owned()]
            }
        }
    }
}

/// What a pack would do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// The references.
    pub resolved: ResolveReport,
    /// What is not going to be in it, where it is packed without.
    pub missing: Vec<Missing>,
    /// When it expires.
    pub expires: Option<jiff::Timestamp>,
    /// How fast a pack onto the same medium was, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rated: Option<Rated>,
    /// Where it goes.
    #[serde(flatten)]
    pub place: Foreseen,
}

/// Plans without touching the medium: resolves, and refuses what would not fit or has no place to go. By the public
/// half of the key, where there is one, a bundle of the same content is found; by what it goes onto, how fast that was.
///
/// # Errors
/// As [`pack`] before its first byte.
pub async fn plan(
    spec: PackSpec,
    registry: &Registry,
    key: Option<PublicKey>,
    ctx: &JobCtx,
) -> Result<PlanReport> {
    destination(&spec.bundle.to)?;
    let state = State::new(ctx.files.clone(), spec.state.clone());
    let (resolved, assembly) = resolved(spec, registry, ctx).await?;
    let (missing, expires) = (assembly.missing.clone(), assembly.bundle.expires);
    let ctx = ctx.clone();
    let key = key.map(|key| key.key_data().clone());
    let look = move || {
        // That it cannot be told is no reason to plan nothing.
        let rated = assembly.bundle.carrier.as_ref().map(|onto| state.rate(onto)).transpose();
        let rated = rated.unwrap_or_else(|error| {
            tracing::warn!("how fast earlier packs were is not known: {}", error.message());
            None
        });
        Ok((foresee(&assembly, key.as_ref(), &state, &ctx)?, rated.flatten()))
    };
    let (place, rated) = blocking(look).await?;
    Ok(PlanReport { resolved, missing, expires, rated, place })
}

/// Packs. The medium is touched only after everything resolved.
///
/// # Errors
/// [`PackError`]; what the medium, a registry or the key said.
pub async fn pack(spec: PackSpec, registry: &Registry, signer: &Signer, ctx: &JobCtx) -> Result<PackReport> {
    let state = State::new(ctx.files.clone(), spec.state.clone());
    destination(&spec.bundle.to)?;
    // A destination that another run works in is said at once.
    let (files, to) = (ctx.files.clone(), spec.bundle.to.clone());
    let _lock = blocking(move || workdir::lock(&*files, &to)).await?;
    let (resolved, assembly) = resolved(spec, registry, ctx).await?;
    let bundle = assemble(assembly, registry.clone(), signer, &state, ctx).await?;
    let place = place_of(bundle.path.clone(), ListSpec::default(), ctx).await;
    if let Ok(place) = &place {
        note_place(&bundle, place, state.clone(), ctx).await;
    }
    note_read_back(&bundle, place, state.clone(), ctx).await;
    remember(&bundle, &resolved, state, ctx).await;
    Ok(PackReport { bundle, resolved })
}

/// The next bundle of the series misses what this one went to, where that is not mounted then.
async fn note_place(bundle: &AssembleReport, place: &Place, state: State, ctx: &JobCtx) {
    let to = place.path.parent().unwrap_or(&place.path).to_owned();
    let went = Went { name: bundle.name.clone(), to, carrier: place.carrier() };
    if let Err(error) = blocking(move || state.goes(went)).await {
        ctx.warn(format!("the next pack will not miss this medium: {}", error.message()));
    }
}

/// Whoever ejects the medium is told by it that all came back. What may have come from memory proves nothing.
async fn note_read_back(bundle: &AssembleReport, place: Result<Place>, state: State, ctx: &JobCtx) {
    let (document, signed) = (bundle.document.clone(), ctx.clock.now());
    let read = bundle.read_back.filter(|read| read.method == Method::Direct);
    let path = bundle.path.join(MANIFEST);
    let note = move || {
        let place = place?;
        let mark = place.carrier().mark();
        let own = document.clone();
        let failed = |source| FileError { operation: "look at", path: path.clone(), source };
        let written = Written::of(&path, &place.file_system).map_err(failed)?;
        let now = read.map(|read| {
            let (mark, how) = (mark.clone(), read.to_string());
            ReadBackThere { document, mark, signed, how, written: Some(written) }
        });
        state.was_read_back((&own, &mark), now)
    };
    if let Err(error) = blocking(note).await {
        ctx.warn(format!("media eject will not know that it was read back: {}", error.message()));
    }
}

/// The bundle is good whether or not this can be kept.
async fn remember(bundle: &AssembleReport, resolved: &ResolveReport, state: State, ctx: &JobCtx) {
    let images = resolved.images.iter().map(|image| (image.reference.to_string(), image.digest.clone()));
    let images: Vec<_> = images.collect();
    let (bundle, signed) = (format!("{}-{}", bundle.name, bundle.serial), ctx.clock.now());
    if let Err(error) = blocking(move || state.carry(&bundle, signed, images)).await {
        ctx.warn(format!("tags that move after this bundle will not be told: {}", error.message()));
    }
}

/// Refuses a destination that is no directory: made by us, it could be where the medium is not.
///
/// # Errors
/// [`PackError::NoDestination`], [`PackError::NotADirectory`].
pub fn destination(to: &Path) -> std::result::Result<(), PackError> {
    match std::fs::metadata(to) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(PackError::NoDestination(to.to_owned()))
        }
        Ok(_) => Err(PackError::NotADirectory(to.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            Err(PackError::NotADirectory(to.to_owned()))
        }
        // The kernel's words come with the first use.
        Err(_) => Ok(()),
    }
}

async fn resolved(
    spec: PackSpec,
    registry: &Registry,
    ctx: &JobCtx,
) -> Result<(ResolveReport, AssembleSpec)> {
    if spec.requests.wanted.is_empty() {
        return Err(PackError::Nothing.into());
    }
    // Said before the network is asked for anything.
    check_name(&spec.bundle.name)?;
    let wanted = ResolveSpec {
        requests: spec.requests.wanted.clone(),
        platforms: spec.platforms,
        jobs: spec.bundle.jobs,
        signatures: spec.signatures,
        nearby: repeat::nearby(&*ctx.files, &spec.bundle.to)?,
    };
    let outcomes = resolve(&wanted, registry, ctx).await?;
    let report = ResolveReport::new(&spec.requests, &outcomes);
    let (mut images, mut failed) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(image) => images.push(image),
            Err(unresolved) => failed.push(unresolved),
        }
    }
    let ends: Vec<&Unresolved> = failed
        .iter()
        .filter(|failed| images.is_empty() || !is_left_out(failed, spec.bundle.keep_going))
        .collect();
    if !ends.is_empty() {
        return Err(unresolved((wanted.requests.len(), !images.is_empty()), &ends).into());
    }
    // Whoever wants what the tag names by now can stop before anything is fetched.
    moved(&report).for_each(|words| ctx.warn(words));
    let unread = spec.requests.problems.iter().map(|p| (p.origin.to_string(), p.reason.clone()));
    let missing = failed.iter().map(|f| (f.request.requested.clone(), f.error.message())).chain(unread);
    let assembly = AssembleSpec {
        images,
        missing: missing.map(|(reference, reason)| Missing { reference, reason }).collect(),
        // What a registry does not tell now may be there again later: what came of it stays.
        left_out: failed
            .iter()
            .filter(|failed| failed.error.absent())
            .map(|failed| failed.request.reference.to_string())
            .collect(),
        bundle: spec.bundle,
    };
    Ok((report, assembly))
}

/// Whether a pack goes on without it. What a lock file found is no name that leads nowhere: it cannot be had now.
fn is_left_out(failed: &Unresolved, keep_going: KeepGoing) -> bool {
    match keep_going {
        KeepGoing::No => false,
        KeepGoing::Unresolved => !is_locked(failed),
        KeepGoing::All => true,
    }
}

fn is_locked(failed: &Unresolved) -> bool {
    failed.request.hold.as_ref().is_some_and(|hold| !hold.failed)
}

fn befallen(failed: &Unresolved) -> Befallen {
    let (name, object) = (failed.request.requested.clone(), failed.request.reference.to_string());
    Befallen { name, object, reason: failed.error.message() }
}

fn unresolved((asked, rest): (usize, bool), failed: &[&Unresolved]) -> PackError {
    let first = failed.first().map(|f| f.error.kind());
    let befallen: Vec<Befallen> = failed.iter().map(|failed| befallen(failed)).collect();
    let common = first.filter(|kind| failed.iter().all(|f| f.error.kind() == *kind));
    PackError::Unresolved {
        asked,
        count: failed.len(),
        failed: told(&befallen),
        kind: common.unwrap_or(Kind::Other),
        hints: failed.first().map(|f| f.error.hints()).unwrap_or_default(),
        locked: failed.iter().any(|failed| is_locked(failed)),
        rest,
    }
}

impl PackReport {
    /// Tags that moved since the lock file was written; what was pinned was packed.
    pub fn moved(&self) -> impl Iterator<Item = &str> {
        moved(&self.resolved)
    }
}

fn moved(resolved: &ResolveReport) -> impl Iterator<Item = &str> {
    let findings = resolved.images.iter().flat_map(|image| &image.findings);
    findings.filter(|finding| finding.id == Rule::Moved).map(|finding| finding.reason.as_str())
}
