//! Signatures and other artifacts that belong to an image: cosign's tags, the referrers API, and the tag that stands in for it.
//!
//! An image without them is still that image: where they cannot be had, it is said and the image goes on without.

use futures_util::future::{join, join3};

use super::walk::Walk;
use super::{ResolveError, Session};
use crate::domain::digest::Digest;
use crate::domain::manifest::Descriptor;
use crate::domain::reference::Repository;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::registry::{self, Fetched, Problem, Referrers, fallback_tag};

/// What cosign keeps under tags.
const SUFFIXES: [&str; 3] = ["sig", "att", "sbom"];
/// Signatures of signatures of an image are followed so far.
const MAX_ROUNDS: usize = 3;
/// Artifacts about one reference.
const MAX_ARTIFACTS: usize = 500;

/// What a registry answered about one subject, each way it was asked; nothing where it was not.
pub(super) struct Asked {
    tags: Option<[registry::Result<Option<Fetched>>; SUFFIXES.len()]>,
    referrers: Option<registry::Result<Referrers>>,
}

/// Asks for everything that may refer to `subject`, all ways at once.
pub(super) async fn ask(
    session: &Session,
    repo: &Repository,
    subject: &Digest,
    (tags, api): (bool, bool),
) -> Asked {
    let tags = async {
        let [sig, att, sbom] = SUFFIXES.map(|suffix| session.registry.cosign_tag(repo, subject, suffix));
        if tags { Some(join3(sig, att, sbom).await.into()) } else { None }
    };
    let referrers = async { if api { Some(session.registry.referrers(repo, subject).await) } else { None } };
    let (tags, referrers) = join(tags, referrers).await;
    Asked { tags, referrers }
}

/// Adds everything that refers to the top digest, of which `top.1` is known already, or to a carried platform's manifest.
///
/// A registry that refuses one way to ask is asked no more in that way for this image.
pub(super) async fn collect(walk: &mut Walk<'_>, reference: &str, top: (&Digest, Asked)) -> Result<()> {
    let (top, asked) = top;
    let mut asked = Some(asked);
    let mut round: Vec<Digest> = vec![top.clone()];
    round.extend(walk.parts.platforms.iter().map(|platform| platform.digest.clone()).filter(|d| d != top));
    let (mut tags, mut api) = (true, true);
    for _ in 0..MAX_ROUNDS {
        let before = walk.parts.signatures.len();
        for subject in &round {
            walk.session.ctx.check()?;
            let asked = match asked.take() {
                Some(asked) => asked,
                None => Box::pin(ask(walk.session, walk.repo, subject, (tags, api))).await,
            };
            if let Some(found) = asked.tags {
                tags = by_cosign_tag(walk, reference, subject, found).await?;
            }
            if let Some(found) = asked.referrers {
                api = by_referrers(walk, reference, subject, found).await?;
            }
        }
        round = walk.parts.signatures[before..].to_vec();
        if round.is_empty() {
            break;
        }
    }
    Ok(())
}

/// Whether the registry answered.
async fn by_cosign_tag(
    walk: &mut Walk<'_>,
    reference: &str,
    subject: &Digest,
    found: [registry::Result<Option<Fetched>>; SUFFIXES.len()],
) -> Result<bool> {
    for (suffix, found) in SUFFIXES.into_iter().zip(found) {
        let mark = walk.mark();
        if let Err(error) = cosign_artifact(walk, subject, suffix, found).await {
            walk.back_to(&mark);
            without(walk, reference, "cosign's tags", error)?;
            return Ok(false);
        }
    }
    Ok(true)
}

async fn cosign_artifact(
    walk: &mut Walk<'_>,
    subject: &Digest,
    suffix: &str,
    found: registry::Result<Option<Fetched>>,
) -> Result<()> {
    if let Some(found) = found? {
        walk.attach(&found, None).await?;
        add(walk, &found.digest)?;
        walk.parts.extra_tags.push((format!("{}.{suffix}", fallback_tag(subject)), found.digest));
    }
    Ok(())
}

/// Whether the registry answered.
async fn by_referrers(
    walk: &mut Walk<'_>,
    reference: &str,
    subject: &Digest,
    found: registry::Result<Referrers>,
) -> Result<bool> {
    let Referrers { descriptors, fallback, .. } = match found {
        Ok(found) => found,
        // Some proxies answer every path they do not know with a page for people.
        Err(error) if matches!(*error.problem, Problem::Malformed(_)) => {
            warn(walk, reference, "referrers", &error.into());
            return Ok(false);
        }
        Err(error) => {
            without(walk, reference, "referrers", error.into())?;
            return Ok(false);
        }
    };
    let mut whole = true;
    for descriptor in &descriptors {
        let mark = walk.mark();
        if let Err(error) = referrer(walk, subject, descriptor).await {
            walk.back_to(&mark);
            without(walk, reference, "a referrer", error)?;
            whole = false;
        }
    }
    // The index under the fallback tag is how such a registry is asked: it travels with what it lists, or,
    // as registries refuse an index that lists what they lack, not at all.
    if let Some(index) = fallback.filter(|_| whole) {
        walk.attach(&index, None).await?;
        walk.parts.extra_tags.push((fallback_tag(subject), index.digest));
    }
    Ok(true)
}

async fn referrer(walk: &mut Walk<'_>, subject: &Digest, descriptor: &Descriptor) -> Result<()> {
    let fetched = walk.child(subject, descriptor).await?;
    walk.attach(&fetched, Some(&descriptor.media_type)).await?;
    add(walk, &descriptor.digest)
}

/// Goes on without what a registry does not hand out; damage and a stop still end it.
fn without(walk: &Walk<'_>, reference: &str, what: &str, error: EngineError) -> Result<()> {
    if error.kind() != Kind::Network {
        return Err(error);
    }
    warn(walk, reference, what, &error);
    Ok(())
}

fn warn(walk: &Walk<'_>, reference: &str, what: &str, error: &EngineError) {
    walk.session
        .ctx
        .warn(format!("{reference} is carried without what {what} may hold about it: {}", error.message()));
}

fn add(walk: &mut Walk<'_>, digest: &Digest) -> Result<()> {
    if walk.parts.signatures.contains(digest) {
        return Ok(());
    }
    if walk.parts.signatures.len() >= MAX_ARTIFACTS {
        let (object, what) = (walk.name(digest), "too many signatures and referrers");
        return Err(ResolveError::TooMuch { object, what, limit: MAX_ARTIFACTS }.into());
    }
    walk.parts.signatures.push(digest.clone());
    Ok(())
}
