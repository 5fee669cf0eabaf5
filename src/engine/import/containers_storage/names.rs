//! What images are called in a store.

use crate::domain::bundle::Image;
use crate::engine::import::graph::ImageGraph;

/// The names that an image gets: a tag, and the digest where it was pinned by one.
pub(super) fn names(image: &ImageGraph) -> Vec<String> {
    names_of(&image.image)
}

/// The same of an image of a document.
pub(super) fn names_of(image: &Image) -> Vec<String> {
    let reference = &image.reference;
    let tag = reference.tag().map(|tag| format!("{}:{tag}", reference.name()));
    let digest = reference.digest().map(|digest| format!("{}@{digest}", reference.name()));
    let names: Vec<String> = [tag, digest].into_iter().flatten().collect();
    if names.is_empty() { vec![reference.at_digest(&image.digest).to_string()] } else { names }
}
