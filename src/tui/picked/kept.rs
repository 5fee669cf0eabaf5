//! The list as a file: written, read again, and taken over from another workstation.

use std::collections::BTreeMap;

use super::unread::clean;
use super::{Image, Picked};
use crate::domain::listed::{self, TYPED};
use crate::domain::reference::Reference;
use crate::domain::selection::Request;

/// Begins the line of a kept list that names its platforms.
pub(in crate::tui) const PLATFORMS: &str = "# platforms:";

impl Image {
    /// Whether another workstation had it on its list and it was not verified on this one since.
    pub fn came_from_elsewhere(&self) -> bool {
        listed::was_elsewhere(&self.request.origin.source).is_some()
    }

    /// It came from another workstation.
    fn comes_from_elsewhere(&mut self) {
        let source = &mut self.request.origin.source;
        let known = Some(source.as_str()).filter(|source| *source != TYPED);
        *source = listed::elsewhere(known);
    }

    /// It is one of this list as any other; whether it was not.
    pub(super) fn settle(&mut self) -> bool {
        let source = &mut self.request.origin.source;
        let was =
            listed::was_elsewhere(source).map(|was| if was.is_empty() { TYPED } else { was }.to_owned());
        was.map(|was| *source = was).is_some()
    }

    /// As a line of a list.
    fn line(&self) -> String {
        let Request { requested, origin, .. } = &self.request;
        match origin.source.as_str() {
            TYPED => requested.clone(),
            _ => listed::from(requested, &clean(&origin.to_string())),
        }
    }
}

impl Picked {
    /// Takes over a list as [`Picked::text`] writes it; how many images it added.
    pub fn restore(&mut self, text: &str) -> usize {
        if let Some(line) = text.lines().find_map(|line| line.strip_prefix(PLATFORMS)) {
            self.platforms = line.split(',').filter_map(|word| word.trim().parse().ok()).collect();
        }
        let added = self.add_lines(text);
        self.keep_unread(&added.refused);
        self.history.clear();
        added.added
    }

    /// Takes over a list as [`Picked::text`] writes it in the place of this one; rows that stay are as they were. Whether
    /// the others come from another workstation is said of them. What came, and what went.
    pub fn become_one(&mut self, text: &str, elsewhere: bool) -> (Vec<String>, Vec<String>) {
        let mut next = Self::default();
        next.restore(text);
        let (came, went) = (next.beside(self), self.beside(&next));
        self.set_platforms(next.platforms);
        if !came.is_empty() || !went.is_empty() {
            self.remember("the list is as it was before another one joined it".to_owned());
            let mut own: BTreeMap<Reference, Image> = std::mem::take(&mut self.images)
                .into_iter()
                .map(|image| (image.request.reference.clone(), image))
                .collect();
            let images = next.images.into_iter();
            let come = |mut image: Image| {
                if elsewhere {
                    image.comes_from_elsewhere();
                }
                image
            };
            self.images = images
                .map(|image| own.remove(&image.request.reference).unwrap_or_else(|| come(image)))
                .collect();
            self.unread = next.unread;
        }
        (came, went)
    }

    /// What another list has not, as it was written.
    fn beside(&self, other: &Self) -> Vec<String> {
        let theirs = other.references();
        let images = self.images.iter().map(|image| &image.request);
        let images = images.filter(|request| !theirs.contains(&request.reference));
        let unread = self.unread_beside(other).map(|unread| unread.text.clone());
        images.map(|request| request.requested.clone()).chain(unread).collect()
    }

    /// The list as a list file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.platforms.is_empty() {
            text.push_str(&format!("{PLATFORMS} {}\n", self.platform_words()));
        }
        for image in &self.images {
            text.push_str(&image.line());
            text.push('\n');
        }
        for unread in &self.unread {
            text.push_str(&unread.line());
            text.push('\n');
        }
        text
    }
}
