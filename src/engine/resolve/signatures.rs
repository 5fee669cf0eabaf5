//! Signatures and other artifacts that belong to an image: cosign's tags, the referrers API, and the tag that stands in for it.

use super::ResolveError;
use super::walk::Walk;
use crate::domain::digest::Digest;
use crate::engine::error::Result;
use crate::engine::registry::fallback_tag;

/// What cosign keeps under tags.
const SUFFIXES: [&str; 3] = ["sig", "att", "sbom"];
/// Signatures of signatures of an image are followed so far.
const MAX_ROUNDS: usize = 3;
/// Artifacts about one reference.
const MAX_ARTIFACTS: usize = 500;

/// Adds everything that refers to the top digest or to a carried platform's manifest.
pub(super) async fn collect(walk: &mut Walk<'_>, top: &Digest) -> Result<()> {
    let mut round: Vec<Digest> = vec![top.clone()];
    round.extend(walk.parts.platforms.iter().map(|platform| platform.digest.clone()).filter(|d| d != top));
    for _ in 0..MAX_ROUNDS {
        let before = walk.parts.signatures.len();
        for subject in &round {
            walk.session.ctx.check()?;
            by_cosign_tag(walk, subject).await?;
            by_referrers(walk, subject).await?;
        }
        round = walk.parts.signatures[before..].to_vec();
        if round.is_empty() {
            break;
        }
    }
    Ok(())
}

async fn by_cosign_tag(walk: &mut Walk<'_>, subject: &Digest) -> Result<()> {
    for suffix in SUFFIXES {
        if let Some(found) = walk.session.registry.cosign_tag(walk.repo, subject, suffix).await? {
            walk.attach(&found, None).await?;
            add(walk, &found.digest)?;
            let tag = format!("{}.{suffix}", fallback_tag(subject));
            walk.parts.extra_tags.push((tag, found.digest));
        }
    }
    Ok(())
}

async fn by_referrers(walk: &mut Walk<'_>, subject: &Digest) -> Result<()> {
    let referrers = walk.session.registry.referrers(walk.repo, subject).await?;
    // The index under the fallback tag is how such a registry is asked: it travels with what it lists.
    if let Some(index) = &referrers.fallback {
        walk.attach(index, None).await?;
        walk.parts.extra_tags.push((fallback_tag(subject), index.digest.clone()));
    }
    for descriptor in &referrers.descriptors {
        let fetched = walk.child(subject, descriptor).await?;
        walk.attach(&fetched, Some(&descriptor.media_type)).await?;
        add(walk, &descriptor.digest)?;
    }
    Ok(())
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
