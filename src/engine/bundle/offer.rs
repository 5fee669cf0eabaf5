//! Bundles on offer: what lies on media and in given directories, next to what this host trusts and accepted; no proof of anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::inspect::{InspectReport, InspectSpec, report};
use super::read::document_bytes;
use crate::domain::bundle::BundleManifest;
use crate::domain::media::FoundBundle;
use crate::domain::trust::SerialDecision;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::files::EntryKind;
use crate::engine::media::{self, ListSpec};
use crate::engine::sign::{AllowedSigners, TrustPolicy, TrustReport, read_signatures, verify_signatures};
use crate::engine::state::State;

/// Where to look, and what to compare with.
#[derive(Clone, Debug)]
pub struct OfferSpec {
    /// Directories beside the media.
    pub given: Vec<PathBuf>,
    /// How media are listed.
    pub media: ListSpec,
    /// The `allowed_signers` file.
    pub trust: PathBuf,
    /// Where accepted serials are remembered.
    pub state: PathBuf,
}

/// One bundle.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Its directory.
    pub path: PathBuf,
    /// What carries it, in words; nothing for a directory of this host.
    pub medium: Option<String>,
    /// The directories beside the media that it was found in, as they were given.
    pub given: Vec<PathBuf>,
    /// What it says of itself; the reason where that cannot be read.
    pub said: std::result::Result<Box<Said>, String>,
}

/// What it says of itself, and what this host makes of that.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// Its own words.
    pub report: InspectReport,
    /// Files that hold parts of blobs: how many are listed, how many are there.
    pub parts: (usize, usize),
    /// Its signatures against the trust file.
    pub trust: TrustReport,
    /// Its serial against what was accepted from the trusted keys that signed it; nothing without one.
    pub serial: Option<SerialDecision>,
    /// Why trust or history could not be asked.
    pub problems: Vec<String>,
}

/// Looks for bundles. Each is read on its own: one that cannot be read is told of with its reason.
///
/// # Errors
/// None but a defect of this program.
pub async fn offers(spec: OfferSpec, ctx: &JobCtx) -> Result<Vec<Offer>> {
    let report = media::list(spec.media.clone(), ctx).await?;
    let mut places: Vec<(PathBuf, Option<String>, Vec<PathBuf>)> = Vec::new();
    let mut add = |path: PathBuf, medium, given: Option<&PathBuf>| match places
        .iter_mut()
        .find(|(known, ..)| *known == path)
    {
        Some((.., known)) => known.extend(given.cloned()),
        None => places.push((path, medium, given.cloned().into_iter().collect())),
    };
    for medium in &report.media {
        for bundle in medium.volumes.iter().flat_map(|volume| &volume.bundles) {
            add(bundle.path.clone(), Some(medium.short_name()), None);
        }
    }
    let mut empty = Vec::new();
    for given in &spec.given {
        match given_bundles(given, &spec, ctx).await {
            Ok(found) => found.into_iter().for_each(|(path, medium)| add(path, medium, Some(given))),
            Err(reason) => {
                let (path, given) = (given.clone(), vec![given.clone()]);
                empty.push(Offer { path, medium: None, given, said: Err(reason) });
            }
        }
    }
    let ctx = ctx.clone();
    blocking(move || {
        let offer = |(path, medium, given): (PathBuf, Option<String>, Vec<PathBuf>)| {
            let said = said(&path, &spec, &ctx).map(Box::new).map_err(|error| error.message());
            Offer { path, medium, given, said }
        };
        Ok(places.into_iter().map(offer).chain(empty).collect())
    })
    .await
}

type Places = Vec<(PathBuf, Option<String>)>;

async fn given_bundles(given: &Path, spec: &OfferSpec, ctx: &JobCtx) -> std::result::Result<Places, String> {
    if !given.is_dir() {
        return Err(format!("{} is no directory", given.display()));
    }
    let place = media::place_of(given.to_owned(), ListSpec { bundles: true, ..spec.media.clone() }, ctx);
    let place = place.await.map_err(|error| error.message())?;
    if place.bundles.is_empty() {
        return Err("no bundle is here or two levels below".to_owned());
    }
    let medium = place.medium.filter(|medium| medium.removable).map(|medium| medium.short_name());
    Ok(place.bundles.into_iter().map(|FoundBundle { path, .. }| (path, medium.clone())).collect())
}

fn said(path: &Path, spec: &OfferSpec, ctx: &JobCtx) -> Result<Said> {
    let files = &*ctx.files;
    let bytes = document_bytes(files, path)?;
    let signatures = read_signatures(files, path)?;
    let document = BundleManifest::parse(&bytes)?;
    let mut problems = Vec::new();
    let allowed = if files.stat(&spec.trust)?.is_some() {
        AllowedSigners::load(files, &spec.trust).map_err(|error| problems.push(error.message())).ok()
    } else {
        None
    };
    let none = || AllowedSigners { path: spec.trust.clone(), entries: Vec::new(), notes: Vec::new() };
    let known = State::new(Arc::clone(&ctx.files), spec.state.clone()).read();
    let now = ctx.clock.now();
    let at = known.clock().decision_time(now);
    let allowed = allowed.unwrap_or_else(none);
    let trust = verify_signatures(&bytes, &signatures, &allowed, TrustPolicy::default(), at);
    let parts: Vec<&str> =
        document.blobs.iter().flat_map(|blob| &blob.parts).map(|part| &*part.path).collect();
    let is_file = |part: &&&str| {
        files.stat(&path.join(part)).is_ok_and(|stat| stat.is_some_and(|stat| stat.kind == EntryKind::File))
    };
    let there = parts.iter().filter(is_file);
    let parts = (parts.len(), there.count());
    let report = report(InspectSpec { bundle: path.to_owned() }, &bytes, document, &signatures, now);
    let serial = (!trust.signed_by.is_empty())
        .then(|| known.decide(&report.name, &trust.signed_by, report.serial, &report.manifest_digest));
    problems.extend(known.problem);
    Ok(Said { report, parts, trust, serial, problems })
}
