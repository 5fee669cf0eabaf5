//! Finds bundles near the top of a volume and tells what they say of themselves: nothing of it is proof.

use std::path::{Path, PathBuf};

use crate::domain::bundle::MANIFEST;
use crate::domain::media::{BundleWords, FoundBundle};
use crate::engine::bundle::inspect::{InspectReport, InspectSpec, look};
use crate::engine::files::{EntryKind, Files};

/// Directories below the top that are looked into.
const DEPTH: usize = 2;
/// Entries looked at on one volume, so that a crowded one does not hold up the list.
const ENTRIES: usize = 2000;
/// Bundles told of on one volume.
const BUNDLES: usize = 64;

/// The bundles at a directory or at most two levels below it, by path. Blocks.
pub(super) fn near(files: &dyn Files, top: &Path, now: jiff::Timestamp) -> Vec<FoundBundle> {
    let mut found: Vec<FoundBundle> =
        places(files, top).into_iter().take(BUNDLES).map(|path| words(files, path, now)).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Directories with the two files that no bundle is without.
fn places(files: &dyn Files, top: &Path) -> Vec<PathBuf> {
    let mut level = vec![top.to_owned()];
    let (mut found, mut left) = (Vec::new(), ENTRIES);
    for depth in 0..=DEPTH {
        let (bundles, others): (Vec<_>, Vec<_>) = level.into_iter().partition(|path| is_bundle(files, path));
        found.extend(bundles);
        if depth == DEPTH {
            break;
        }
        level = others.iter().flat_map(|path| directories(files, path, &mut left)).collect();
    }
    found
}

fn is_bundle(files: &dyn Files, path: &Path) -> bool {
    let kind = |name: &str| files.stat(&path.join(name)).ok().flatten().map(|stat| stat.kind);
    let is_file = |name: &str| kind(name) == Some(EntryKind::File);
    is_file("oci-layout") && is_file(MANIFEST)
}

/// Links are not followed: they can lead off the medium.
fn directories(files: &dyn Files, path: &Path, left: &mut usize) -> Vec<PathBuf> {
    // A directory with more than that is not looked into.
    let entries = files.entries(path, *left).unwrap_or_default();
    *left -= entries.len();
    let directories = entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
    directories.map(|entry| path.join(entry.path)).collect()
}

fn words(files: &dyn Files, path: PathBuf, now: jiff::Timestamp) -> FoundBundle {
    match look(files, InspectSpec { bundle: path.clone() }, now) {
        Ok(report) => FoundBundle { path, verified: false, words: Some(said(&report)), fault: None },
        Err(error) => FoundBundle { path, verified: false, words: None, fault: Some(error.message()) },
    }
}

fn said(report: &InspectReport) -> BundleWords {
    BundleWords {
        id: report.id,
        document: report.manifest_digest.clone(),
        name: report.name.clone(),
        serial: report.serial,
        created: report.created,
        expires: report.expires,
        images: report.totals.images,
        bytes: report.totals.bytes,
        signatures: report.signatures.iter().filter(|signature| signature.fault.is_none()).count(),
        complete: report.complete,
        signers: report.signatures.iter().filter_map(|signature| signature.fingerprint.clone()).collect(),
        version: report.tool.version.clone(),
        program: !report.tool.binaries.is_empty(),
        named: report
            .images
            .iter()
            .map(|image| (image.reference.to_string(), image.digest.clone()))
            .collect(),
    }
}
