//! What an import would do: outcomes as they are planned, and how much is to be brought.

use std::collections::HashSet;
use std::path::Path;

use super::graph::ImageGraph;
use super::report::Outcome;
use super::{Plan, Planned, Written};
use crate::domain::import::Target;
use crate::domain::progress::Landed;
use crate::domain::shell::shell_words;

/// What would happen. Of what a target has of an image that it has not whole nothing is known here: figures are at most.
pub(super) fn preview(images: &[ImageGraph], plan: &Plan) -> Written {
    let outcomes: Vec<Outcome> = plan.images.iter().map(|planned| planned.done(false)).collect();
    let of = |wanted: fn(&Outcome) -> bool| {
        images.iter().zip(&outcomes).filter(move |(_, outcome)| wanted(outcome)).map(|(image, _)| image)
    };
    let present = distinct_bytes(of(|outcome| *outcome == Outcome::Skipped));
    // What an image that is there has in common with the others need not be brought.
    let written = distinct_bytes(of(Outcome::arrived)).saturating_sub(present);
    Written {
        notes: vec![Vec::new(); outcomes.len()],
        outcomes,
        written,
        present,
        unpacked: plan.unpacked,
        free: plan.free,
        general: plan.notes.clone(),
        facts: plan.facts.clone(),
        ..Written::default()
    }
}

/// What a plan does not tell: whether the layers are whole.
pub(super) fn unhashed(bundle: &Path) -> String {
    let words = ["airlift", "verify", &bundle.display().to_string()].map(str::to_owned);
    format!(
        "layers are hashed as they are imported, in a dry run none is: {} hashes them now",
        shell_words(&words)
    )
}

/// What a target has of the images, and what of the others it would be given.
pub(super) fn foreseen(target: &Target, images: &[ImageGraph], plan: &[Planned]) -> Landed {
    let named = |wanted: fn(&Planned) -> bool| {
        images
            .iter()
            .zip(plan)
            .filter(move |(_, planned)| wanted(planned))
            .map(|(image, _)| image.name())
            .collect()
    };
    Landed {
        target: target.clone(),
        there: named(|planned| matches!(planned, Planned::Skip)),
        added: named(|planned| matches!(planned, Planned::Add | Planned::Replace { .. })),
        missing: named(|planned| !matches!(planned, Planned::Skip)),
        reason: None,
    }
}

/// Bytes of everything that images consist of, each blob once.
pub(super) fn distinct_bytes<'a>(images: impl IntoIterator<Item = &'a ImageGraph>) -> u64 {
    let mut seen = HashSet::new();
    let nodes = images.into_iter().flat_map(ImageGraph::nodes).filter(|node| seen.insert(&node.digest));
    nodes.map(|node| node.size).fold(0, u64::saturating_add)
}
