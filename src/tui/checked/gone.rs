//! What was resolved and is gone since, by the word of its registry to a pack, until it is asked for again or is back.

use std::collections::BTreeSet;

use super::{Checked, Miss, Outcomes};
use crate::domain::digest::Digest;
use crate::domain::resolved::ImageView;

/// A pack was told by a registry that it does not have something any more.
#[derive(Clone, Copy, Debug)]
pub struct Gone<'a> {
    /// The reference of the image.
    pub reference: &'a str,
    /// The image, or what of it is gone; nothing where it was asked for by its tag.
    pub digest: Option<&'a Digest>,
    /// What the registry said.
    pub reason: &'a str,
    /// When.
    pub at: jiff::Timestamp,
}

impl Outcomes {
    /// What was resolved is gone since, by the word of its registry to a pack; whether it was what that asked for.
    pub fn is_gone(&mut self, gone: &Gone<'_>) -> bool {
        let Some(Checked::Ok(image)) = self.by_reference.get(gone.reference) else { return false };
        let holds = |digest: &Digest| {
            image.digest == *digest || image.contents.iter().any(|(content, _)| content == digest)
        };
        if !gone.digest.is_none_or(holds) {
            return false;
        }
        let miss = Miss { reason: gone.reason.to_owned(), view: None, packed: Some(gone.at) };
        self.by_reference.insert(gone.reference.to_owned(), Checked::Failed(Box::new(miss)));
        self.count_again();
        true
    }

    /// The references of what is gone since it was resolved.
    pub fn gone(&self) -> impl Iterator<Item = &str> {
        let gone = |checked: &Checked| matches!(checked, Checked::Failed(miss) if miss.packed.is_some());
        let gone = self.by_reference.iter().filter(move |(_, checked)| gone(checked));
        gone.map(|(reference, _)| reference.as_str())
    }

    /// What a pack has brought is not gone; whether any of it was.
    pub fn is_back(&mut self, images: &[ImageView]) -> bool {
        let gone: BTreeSet<String> = self.gone().map(str::to_owned).collect();
        let back = images.iter().filter(|image| gone.contains(&image.reference.to_string()));
        back.map(|image| self.add(Box::new(image.clone()))).count() > 0
    }
}
