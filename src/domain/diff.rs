//! What changes from one bundle to another: references, platforms, blobs and bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bundle::{BundleManifest, Image};
use super::digest::Digest;
use super::platform::Platform;

/// The difference between two bundles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// References only the second has.
    pub added: Vec<Entry>,
    /// References only the first has.
    pub removed: Vec<Entry>,
    /// References with another digest or other platforms.
    pub changed: Vec<Change>,
    /// References that are the same in both.
    pub unchanged: u64,
    /// Blobs only the second has.
    pub new: Sum,
    /// Blobs only the first has.
    pub gone: Sum,
    /// Blobs of both.
    pub shared: Sum,
}

/// A reference on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Full form.
    pub reference: String,
    /// Of its top manifest.
    pub digest: Digest,
}

/// A reference on both sides that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Full form.
    pub reference: String,
    /// Digest in the first.
    pub from: Digest,
    /// Digest in the second; the same where only the platforms differ.
    pub to: Digest,
    /// Platforms only the second carries.
    pub platforms_added: Vec<String>,
    /// Platforms only the first carries.
    pub platforms_removed: Vec<String>,
}

/// Some blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Diff {
    /// In one line: how many references of which kind.
    pub fn line(&self) -> String {
        let (added, removed, changed) = (self.added.len(), self.removed.len(), self.changed.len());
        format!("{added} added, {removed} removed, {changed} changed, {} the same", self.unchanged)
    }
}

/// Compares two bundles; references are sorted.
pub fn diff(first: &BundleManifest, second: &BundleManifest) -> Diff {
    let (old, new) = (by_reference(first), by_reference(second));
    let mut diff = Diff::default();
    let references: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for reference in references {
        match (old.get(reference), new.get(reference)) {
            (None, Some(image)) => diff.added.push(entry(reference, image)),
            (Some(image), None) => diff.removed.push(entry(reference, image)),
            (Some(from), Some(to)) => match change(reference, from, to) {
                Some(change) => diff.changed.push(change),
                None => diff.unchanged += 1,
            },
            (None, None) => {}
        }
    }
    let (old, new) = (sizes(first), sizes(second));
    for (digest, size) in &old {
        if new.contains_key(digest) { diff.shared.add(*size) } else { diff.gone.add(*size) }
    }
    for (_, size) in new.iter().filter(|(digest, _)| !old.contains_key(*digest)) {
        diff.new.add(*size);
    }
    diff
}

fn by_reference(bundle: &BundleManifest) -> BTreeMap<String, &Image> {
    bundle.images.iter().map(|image| (image.reference.to_string(), image)).collect()
}

fn sizes(bundle: &BundleManifest) -> BTreeMap<&Digest, u64> {
    bundle.blobs.iter().map(|blob| (&blob.digest, blob.size)).collect()
}

fn entry(reference: &str, image: &Image) -> Entry {
    Entry { reference: reference.to_owned(), digest: image.digest.clone() }
}

fn change(reference: &str, from: &Image, to: &Image) -> Option<Change> {
    let platforms = |image: &Image| -> BTreeSet<Platform> {
        image.platforms.iter().map(super::bundle::ImagePlatform::platform).collect()
    };
    let (before, after) = (platforms(from), platforms(to));
    let only = |one: &BTreeSet<Platform>, other: &BTreeSet<Platform>| {
        one.difference(other).map(ToString::to_string).collect::<Vec<_>>()
    };
    (from.digest != to.digest || before != after).then(|| Change {
        reference: reference.to_owned(),
        from: from.digest.clone(),
        to: to.digest.clone(),
        platforms_added: only(&after, &before),
        platforms_removed: only(&before, &after),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bundle::{Blob, FORMAT, ImagePlatform, Tool, Totals};

    fn digest(n: u8) -> Digest {
        Digest::sha256(&[n; 32])
    }

    fn image(reference: &str, n: u8, platforms: &[&str]) -> Image {
        let platform = |text: &&str| {
            let platform: Platform = text.parse().unwrap();
            let Platform { os, architecture, variant } = platform;
            ImagePlatform { os, architecture, variant, digest: digest(200), size: 1 }
        };
        Image {
            requested: reference.to_owned(),
            reference: reference.parse().unwrap(),
            digest: digest(n),
            media_type: String::new(),
            source: String::new(),
            resolved_at: jiff::Timestamp::UNIX_EPOCH,
            platforms: platforms.iter().map(platform).collect(),
            omitted_platforms: Vec::new(),
            signatures: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn bundle(images: Vec<Image>, blobs: &[(u8, u64)]) -> BundleManifest {
        let blob = |(n, size): &(u8, u64)| Blob {
            digest: digest(*n),
            size: *size,
            media_type: String::new(),
            path: Some(digest(*n).layout_path()),
            parts: Vec::new(),
        };
        BundleManifest {
            format: FORMAT.to_owned(),
            id: uuid::Uuid::nil(),
            name: "a".to_owned(),
            serial: 1,
            created: jiff::Timestamp::UNIX_EPOCH,
            expires: None,
            tool: Tool { version: String::new(), binaries: Vec::new() },
            base: None,
            complete: true,
            missing: Vec::new(),
            images,
            blobs: blobs.iter().map(blob).collect(),
            files: Vec::new(),
            totals: Totals::default(),
        }
    }

    #[test]
    fn references_are_added_removed_moved_or_the_same() {
        let first = bundle(vec![image("a:1", 1, &[]), image("b:1", 2, &[]), image("c:1", 3, &[])], &[]);
        let second = bundle(vec![image("b:1", 2, &[]), image("c:1", 4, &[]), image("d:1", 5, &[])], &[]);
        let diff = diff(&first, &second);
        let names = |entries: &[Entry]| entries.iter().map(|e| e.reference.clone()).collect::<Vec<_>>();
        assert_eq!(names(&diff.added), ["docker.io/library/d:1"]);
        assert_eq!(names(&diff.removed), ["docker.io/library/a:1"]);
        assert_eq!(diff.changed.len(), 1);
        assert_eq!((&diff.changed[0].from, &diff.changed[0].to), (&digest(3), &digest(4)));
        assert_eq!(diff.unchanged, 1);
    }

    #[test]
    fn a_sparse_index_with_other_platforms_is_a_change_of_the_same_digest() {
        let first = bundle(vec![image("a:1", 1, &["linux/amd64", "linux/arm64"])], &[]);
        let second = bundle(vec![image("a:1", 1, &["linux/amd64", "linux/s390x"])], &[]);
        let diff = diff(&first, &second);
        assert_eq!(diff.changed[0].from, diff.changed[0].to);
        assert_eq!(diff.changed[0].platforms_added, ["linux/s390x"]);
        assert_eq!(diff.changed[0].platforms_removed, ["linux/arm64"]);
    }

    #[test]
    fn blobs_are_counted_by_digest() {
        let first = bundle(Vec::new(), &[(1, 10), (2, 20)]);
        let second = bundle(Vec::new(), &[(2, 20), (3, 30), (4, 40)]);
        let diff = diff(&first, &second);
        assert_eq!(diff.new, Sum { blobs: 2, bytes: 70 });
        assert_eq!(diff.gone, Sum { blobs: 1, bytes: 10 });
        assert_eq!(diff.shared, Sum { blobs: 1, bytes: 20 });
    }
}
