//! Pins references: each becomes a digest, every document verbatim, and the blobs that have to be carried; one failure hides no other.

mod error;
mod report;
mod signatures;
mod walk;

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::future::try_join;
use tokio::sync::OnceCell;

use super::ctx::JobCtx;
use super::error::{EngineError, Result};
use super::hash::Hasher;
use super::registry::{self, Fetched, Registry};
use crate::domain::digest::Digest;
use crate::domain::lint::{Finding, lint, lint_same_digest};
use crate::domain::platform::Platform;
use crate::domain::progress::{Event, Phase, PlannedItem};
use crate::domain::reference::Repository;
use crate::domain::resolved::{ImageView, ResolvedImage};
use crate::domain::selection::Request;
use crate::domain::view::MAX_ITEMS;

pub use error::ResolveError;
pub use report::{FailedView, Moved, ResolveReport, ResolveTotals};

/// What to resolve.
#[derive(Clone, Debug, Default)]
pub struct ResolveSpec {
    /// The references, each once.
    pub requests: Vec<Request>,
    /// What to carry; empty for all platforms of each image. A request that a lock file holds has its own.
    pub platforms: Vec<Platform>,
    /// References resolved at the same time; 0 for the default.
    pub jobs: usize,
    /// Whether cosign's tags and referrers are looked for.
    pub signatures: bool,
    /// Bundles at hand: what they hold of image configurations is hashed and taken from there.
    pub nearby: Vec<PathBuf>,
}

/// A reference that could not be resolved.
#[derive(Debug)]
pub struct Unresolved {
    /// What was asked.
    pub request: Request,
    /// Why not.
    pub error: EngineError,
}

/// Outcome of one request.
pub type Outcome = std::result::Result<ResolvedImage, Unresolved>;

const DEFAULT_JOBS: usize = 8;

/// Resolves every request, in the order asked; what fails is in its place in the list.
///
/// # Errors
/// Only that the job was stopped.
pub async fn resolve(spec: &ResolveSpec, registry: &Registry, ctx: &JobCtx) -> Result<Vec<Outcome>> {
    ctx.check()?;
    let session = Session::new(registry.for_job(ctx, Phase::Resolve), ctx.clone(), spec.nearby.clone());
    ctx.say(Event::Started { phase: Phase::Resolve, items: spec.requests.len() as u64, bytes: 0 });
    let planned = |request: &Request| PlannedItem { item: request.reference.to_string(), bytes: 0 };
    let items = spec.requests.iter().take(MAX_ITEMS).map(planned).collect();
    ctx.say(Event::Planned { phase: Phase::Resolve, items });
    let jobs = if spec.jobs == 0 { DEFAULT_JOBS } else { spec.jobs };
    let session = &session;
    // Owned, so that the future of the whole is `Send` for any lifetime.
    let mut outcomes: Vec<Outcome> = futures_util::stream::iter(spec.requests.iter().cloned())
        .map(|request| async move { Box::pin(resolve_one(spec, &request, session)).await })
        .buffered(jobs)
        .collect()
        .await;
    ctx.check()?;
    let mut images: Vec<&mut ResolvedImage> = outcomes.iter_mut().filter_map(|o| o.as_mut().ok()).collect();
    lint_same_digest(&mut images);
    ctx.say(Event::Finished { phase: Phase::Resolve });
    Ok(outcomes)
}

/// Manifests by repository and tag or digest.
type Cache = HashMap<(Repository, String), Arc<OnceCell<Fetched>>>;

/// What the requests of one run share: each manifest is fetched once.
pub(super) struct Session {
    registry: Registry,
    ctx: JobCtx,
    nearby: Vec<PathBuf>,
    fetched: Mutex<Cache>,
}

impl Session {
    fn new(registry: Registry, ctx: JobCtx, nearby: Vec<PathBuf>) -> Self {
        Self { registry, ctx, nearby, fetched: Mutex::default() }
    }

    /// A small blob from a bundle at hand, if one holds these very bytes.
    async fn at_hand(&self, digest: &Digest, size: u64) -> Option<Vec<u8>> {
        if self.nearby.is_empty() {
            return None;
        }
        let (files, nearby, digest) = (self.ctx.files.clone(), self.nearby.clone(), digest.clone());
        let find = move || {
            nearby.iter().find_map(|root| {
                let open = files.open(root, &digest.layout_path()).ok().filter(|open| open.size == size)?;
                let mut bytes = Vec::new();
                open.reader.take(size).read_to_end(&mut bytes).ok()?;
                let mut hasher = Hasher::new(digest.algorithm());
                hasher.update(&bytes);
                (hasher.finish() == digest).then_some(bytes)
            })
        };
        tokio::task::spawn_blocking(find).await.ok().flatten()
    }

    /// A manifest by tag or digest.
    async fn manifest(&self, repo: &Repository, selector: &str) -> registry::Result<Fetched> {
        let cell = {
            let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            fetched.entry((repo.clone(), selector.to_owned())).or_default().clone()
        };
        let found = cell.get_or_try_init(|| self.registry.manifest(repo, selector)).await?;
        Ok(found.clone())
    }
}

async fn resolve_one(spec: &ResolveSpec, request: &Request, session: &Session) -> Outcome {
    let item = request.reference.to_string();
    session.ctx.say(Event::Item { phase: Phase::Resolve, item: item.clone(), bytes: 0 });
    match image(spec, request, session).await {
        Ok(image) => {
            let view = Box::new(ImageView::of(request, &image));
            session.ctx.say(Event::Resolved { image: view });
            session.ctx.say(Event::Done { phase: Phase::Resolve, item, bytes: image.bytes() });
            Ok(image)
        }
        Err(error) => {
            let reason = error.message();
            if error.absent() {
                let digest = request.reference.digest().or(request.pin.as_ref()).cloned();
                let (reference, reason) = (item.clone(), reason.clone());
                session.ctx.say(Event::Absent { reference, digest, reason });
            }
            session.ctx.say(Event::Failed { phase: Phase::Resolve, item, reason });
            Err(Unresolved { request: request.clone(), error })
        }
    }
}

async fn image(spec: &ResolveSpec, request: &Request, session: &Session) -> Result<ResolvedImage> {
    session.ctx.pause_point().await?;
    let reference = &request.reference;
    let repo = reference.repository_of();
    // A digest that was asked for is what is resolved, whatever an edited lock file says; the hold then differs.
    let pin = request.pin.as_ref().filter(|_| reference.digest().is_none());
    let selector = pin.map_or_else(|| reference.selector(), ToString::to_string);
    let resolved_at = session.ctx.clock.now();
    let top = session.manifest(&repo, &selector).await?;
    let platforms = request.hold.as_ref().map_or(&spec.platforms, |hold| &hold.filter);
    let mut walk = walk::Walk::new(session, &repo, platforms);
    let name = reference.to_string();
    // Neither needs the other: what refers to the image is asked for while its own documents are fetched.
    let asking = async {
        if !spec.signatures {
            return Ok(None);
        }
        Ok(Some(signatures::ask(session, &repo, &top.digest, (true, true)).await))
    };
    let (media_type, asked) = try_join(Box::pin(walk.top(&name, &top)), Box::pin(asking)).await?;
    if let Some(hold) = &request.hold
        && let Some((expected, actual)) = hold.differs(&top.digest, &walk.parts.platforms)
    {
        return Err(ResolveError::Locked { reference: name, expected, actual }.into());
    }
    let mut findings = lint(request, Some(&top.digest));
    findings.extend(moved(request, session, &repo).await);
    if let Some(asked) = asked {
        signatures::collect(&mut walk, &name, (&top.digest, asked)).await?;
    }
    let parts = walk.finish();
    Ok(ResolvedImage {
        requested: request.requested.clone(),
        reference: reference.clone(),
        source: repo.to_string(),
        digest: top.digest,
        media_type,
        resolved_at,
        documents: parts.documents,
        blobs: parts.blobs,
        platforms: parts.platforms,
        omitted: parts.omitted,
        signatures: parts.signatures,
        extra_tags: parts.extra_tags,
        findings,
    })
}

/// Whether a tag that a lock file pins names something else by now. A registry that does not tell is no failure:
/// the pinned content was there.
async fn moved(request: &Request, session: &Session, repo: &Repository) -> Option<Finding> {
    let pin = request.pin.as_ref().filter(|_| request.reference.digest().is_none())?;
    let head = session.registry.head_manifest(repo, request.reference.tag()?).await.ok()??;
    let now = head.digest.filter(|now| now != pin)?;
    Some(Finding::moved(&request.reference.to_string(), pin, &now))
}
