//! Finds bundles near the top of a volume and tells what they say of themselves: nothing of it is proof.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::bundle::MANIFEST;
use crate::domain::media::{BundleWords, FoundBundle};
use crate::engine::bundle::inspect::{InspectReport, InspectSpec, look};
use crate::engine::files::Files;

/// Directories below the top that are looked into.
const DEPTH: usize = 2;
/// Entries looked at on one volume, so that a crowded one does not hold up the list.
const ENTRIES: usize = 2000;
/// Bundles told of on one volume.
const BUNDLES: usize = 64;

/// The bundles at a directory or at most two levels below it, by path. Blocks.
pub(super) fn near(files: &dyn Files, top: &Path, now: jiff::Timestamp) -> Vec<FoundBundle> {
    let mut found: Vec<FoundBundle> =
        places(top).into_iter().take(BUNDLES).map(|path| words(files, path, now)).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Directories with the two files that no bundle is without.
fn places(top: &Path) -> Vec<PathBuf> {
    let mut level = vec![top.to_owned()];
    let (mut found, mut left) = (Vec::new(), ENTRIES);
    for depth in 0..=DEPTH {
        let (bundles, others): (Vec<_>, Vec<_>) = level.into_iter().partition(|path| is_bundle(path));
        found.extend(bundles);
        if depth == DEPTH {
            break;
        }
        level = others.iter().flat_map(|path| directories(path, &mut left)).collect();
    }
    found
}

fn is_bundle(path: &Path) -> bool {
    let is_file = |name: &str| path.join(name).symlink_metadata().is_ok_and(|meta| meta.is_file());
    is_file("oci-layout") && is_file(MANIFEST)
}

/// Links are not followed: they can lead off the medium.
fn directories(path: &Path, left: &mut usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if *left == 0 {
            break;
        }
        *left -= 1;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    found
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
        name: report.name.clone(),
        serial: report.serial,
        created: report.created,
        expires: report.expires,
        images: report.totals.images,
        bytes: report.totals.bytes,
        signatures: report.signatures.iter().filter(|signature| signature.fault.is_none()).count(),
        complete: report.complete,
    }
}
