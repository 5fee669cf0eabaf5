//! What a run of resolve found, as a front or a script reads it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, Unresolved};
use crate::domain::digest::Digest;
use crate::domain::lock::Change;
use crate::domain::reference::Reference;
use crate::domain::resolved::{ImageView, ResolvedImage, distinct_blobs};
use crate::domain::selection::{Candidate, Origin, Problem, Requests};
use crate::engine::error::Kind;
use crate::engine::state::Carried;

/// What was resolved, what was not, and what is left to a person.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolveReport {
    /// In the order asked.
    pub images: Vec<ImageView>,
    /// In the order asked.
    pub failed: Vec<FailedView>,
    /// Texts that only look like images.
    pub unsure: Vec<Candidate>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// What is worth saying.
    pub notes: Vec<String>,
    /// What changed since the lock file was written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What moved since a bundle that was made here carried it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
    /// What is as a bundle that was made here carried it last.
    #[serde(skip)]
    pub as_carried: Vec<Reference>,
    /// Sums.
    pub totals: ResolveTotals,
}

/// A reference that names other content than the last bundle carried under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// Which.
    pub reference: Reference,
    /// What was carried.
    pub was: Carried,
    /// Now.
    pub to: Digest,
}

/// A reference that was not resolved.
#[derive(Clone, Debug, Serialize)]
pub struct FailedView {
    /// As it was written.
    pub requested: String,
    /// Where.
    pub origin: Origin,
    /// Its full form.
    pub reference: Reference,
    /// Class of the failure.
    pub kind: Kind,
    /// What happened.
    pub reason: String,
    /// What to do next.
    pub hints: Vec<String>,
}

/// Sums over what was resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolveTotals {
    /// References.
    pub images: u64,
    /// Documents and blobs, each once.
    pub blobs: u64,
    /// Bytes of them, each once: what a bundle will hold.
    pub bytes: u64,
    /// Bytes if nothing were shared.
    pub bytes_unshared: u64,
}

impl ResolveReport {
    /// Over the requests and their outcomes, which are in the same order.
    pub fn new(requests: &Requests, outcomes: &[Outcome]) -> Self {
        let resolved: Vec<&ResolvedImage> =
            outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        let distinct = distinct_blobs(resolved.iter().copied());
        let pairs = requests.wanted.iter().zip(outcomes);
        Self {
            images: pairs
                .filter_map(|(request, outcome)| Some(ImageView::of(request, outcome.as_ref().ok()?)))
                .collect(),
            failed: outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).map(failed_view).collect(),
            unsure: requests.unsure.clone(),
            problems: requests.problems.clone(),
            notes: requests.notes.clone(),
            changes: Vec::new(),
            moved: Vec::new(),
            as_carried: Vec::new(),
            totals: ResolveTotals {
                images: resolved.len() as u64,
                blobs: distinct.len() as u64,
                bytes: distinct.values().copied().fold(0, u64::saturating_add),
                bytes_unshared: resolved.iter().map(|image| image.bytes()).fold(0, u64::saturating_add),
            },
        }
    }

    /// Compares with what bundles carried that were made here.
    pub fn compare(&mut self, carried: &BTreeMap<String, Carried>) {
        let moved = |image: &ImageView| {
            let was = carried.get(&image.reference.to_string()).filter(|was| was.digest != image.digest)?;
            Some(Moved { reference: image.reference.clone(), was: was.clone(), to: image.digest.clone() })
        };
        self.moved = self.images.iter().filter_map(moved).collect();
        let same = |image: &&ImageView| {
            carried.get(&image.reference.to_string()).is_some_and(|was| was.digest == image.digest)
        };
        self.as_carried = self.images.iter().filter(same).map(|image| image.reference.clone()).collect();
    }

    /// The class of the whole: nothing where all went well, the common class where all failed alike, else partly done.
    /// What could not be read is never covered by it; where there is nothing else, nothing was asked for.
    pub fn failure(&self) -> Option<Kind> {
        let first = self.failed.first().map(|failed| failed.kind);
        match first {
            None if self.problems.is_empty() => None,
            None if self.images.is_empty() => Some(Kind::Usage),
            Some(kind)
                if self.images.is_empty()
                    && self.problems.is_empty()
                    && self.failed.iter().all(|failed| failed.kind == kind) =>
            {
                Some(kind)
            }
            _ => Some(Kind::Partial),
        }
    }
}

fn failed_view(failed: &Unresolved) -> FailedView {
    FailedView {
        requested: failed.request.requested.clone(),
        origin: failed.request.origin.clone(),
        reference: failed.request.reference.clone(),
        kind: failed.error.kind(),
        reason: failed.error.message(),
        hints: failed.error.hints(),
    }
}
