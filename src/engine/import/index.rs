//! The `index.json` of a layout: entries are added by name, and what others wrote there stays byte for byte.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{json, value::to_raw_value};

use super::graph::{ImageGraph, Node, Referrer};
use crate::domain::bundle::{CARRIED_TAG, CONTAINERD_NAME, Image, REF_NAME};
use crate::domain::digest::Digest;
use crate::domain::manifest::Descriptor;
use crate::domain::media_type as mt;
use crate::domain::strict_json;

/// One descriptor to be in an index.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    node: Node,
    key: &'static str,
    names: Vec<(String, String)>,
    artifact_type: Option<String>,
}

impl Entry {
    /// An entry of the fallback index of referrers (distribution spec, "Referrers Tag Schema").
    pub(super) fn referrer(referrer: &Referrer) -> Self {
        Self {
            node: referrer.node.clone(),
            key: "",
            names: referrer.referral.annotations.clone().into_iter().collect(),
            artifact_type: referrer.referral.artifact_type.clone(),
        }
    }

    fn named(node: &Node, key: &'static str, names: &[(&str, &str)]) -> Self {
        let names = names.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned())).collect();
        Self { node: node.clone(), key, names, artifact_type: None }
    }
}

/// Which entries an image gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aliases {
    /// The name, and the digest name that containerd needs to find a pinned image.
    WithDigest,
    /// The name alone: podman refuses an archive with a second entry.
    NameOnly,
}

/// What an image is called in containerd: by its tag, else by its digest. Nothing there is found by both at once.
pub(super) fn containerd_name(image: &Image) -> String {
    match image.reference.tag() {
        Some(tag) => format!("{}:{tag}", image.reference.name()),
        None => image.reference.at_digest(&image.digest).to_string(),
    }
}

/// The entries of an image: its name, its digest name, and what is carried with it.
pub(super) fn entries(image: &ImageGraph, aliases: Aliases) -> Vec<Entry> {
    let name = image.name();
    let mut entries = Vec::new();
    if let Some(top) = image.top() {
        let there = containerd_name(&image.image);
        entries.push(Entry::named(top, REF_NAME, &[(REF_NAME, &name), (CONTAINERD_NAME, &there)]));
        let alias = image.image.reference.at_digest(&image.image.digest).to_string();
        if aliases == Aliases::WithDigest && alias != there {
            entries.push(Entry::named(top, CONTAINERD_NAME, &[(CONTAINERD_NAME, &alias)]));
        }
    }
    if aliases == Aliases::NameOnly {
        return entries;
    }
    for (tag, node) in &image.tags {
        let carried = format!("{}:{tag}", image.image.reference.name());
        entries.push(Entry::named(node, CARRIED_TAG, &[(CARRIED_TAG, &carried)]));
    }
    let untagged = image.carried.iter().filter(|node| !image.tags.iter().any(|(_, tagged)| tagged == *node));
    entries.extend(untagged.map(|node| Entry::named(node, "", &[])));
    entries
}

/// What the operator should know of an image in a layout or an archive of one.
pub(super) fn notes(image: &ImageGraph) -> Vec<String> {
    let docker = mt::is_docker(&image.image.media_type);
    let note = "a Docker schema 2 image: older skopeo and podman (seen with skopeo 1.9) look for OCI manifests only in a \
                layout and do not find it by name there";
    docker.then(|| note.to_owned()).into_iter().collect()
}

/// An `index.json` that was read, or a new one.
pub(super) struct LayoutIndex {
    fields: BTreeMap<String, Box<RawValue>>,
    manifests: Vec<(Descriptor, Box<RawValue>)>,
    changed: bool,
}

impl LayoutIndex {
    /// An index without entries.
    pub(super) fn empty() -> Self {
        Self { fields: BTreeMap::new(), manifests: Vec::new(), changed: true }
    }

    /// Reads one; anything but an index is refused, with the reason.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut fields: BTreeMap<String, Box<RawValue>> =
            strict_json::parse(bytes).map_err(|error| format!("index.json: {error}"))?;
        let manifests = match fields.remove("manifests") {
            None => Vec::new(),
            Some(raw) => serde_json::from_str::<Vec<Box<RawValue>>>(raw.get())
                .map_err(|error| format!("index.json, manifests: {error}"))?,
        };
        let read = |raw: Box<RawValue>| {
            serde_json::from_str(raw.get())
                .map(|descriptor| (descriptor, raw))
                .map_err(|error| format!("index.json, manifests: {error}"))
        };
        let manifests = manifests.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { fields, manifests, changed: false })
    }

    /// What has a name, if anything has.
    pub(super) fn named(&self, name: &str) -> Option<&Descriptor> {
        let has = |d: &&Descriptor| d.annotations.get(REF_NAME).is_some_and(|n| n == name);
        self.manifests.iter().map(|(descriptor, _)| descriptor).find(has)
    }

    /// The names that containerd gives, with what they name.
    pub(super) fn names(&self) -> impl Iterator<Item = (&String, &Digest)> {
        let all = self.manifests.iter().map(|(descriptor, _)| descriptor);
        all.filter_map(|one| Some((one.annotations.get(CONTAINERD_NAME)?, &one.digest)))
    }

    /// Makes an entry be there, in place of whatever has its name.
    pub(super) fn put(&mut self, entry: &Entry) -> Result<(), serde_json::Error> {
        let name = entry.names.iter().find(|(key, _)| *key == entry.key).map(|(_, name)| name);
        let mut right = false;
        let before = self.manifests.len();
        self.manifests.retain(|(descriptor, _)| {
            let same = descriptor.digest == entry.node.digest && descriptor.size == entry.node.size;
            let rivals = match name {
                None => same,
                // An alias may stand beside a full entry: only descriptors that are nothing but that alias are rivals.
                Some(name) if entry.key == CONTAINERD_NAME => {
                    descriptor.annotations.get(entry.key) == Some(name)
                        && !descriptor.annotations.contains_key(REF_NAME)
                }
                Some(name) => descriptor.annotations.get(entry.key) == Some(name),
            };
            let keep = !rivals || (same && !right);
            right |= rivals && same;
            keep
        });
        self.changed |= self.manifests.len() != before;
        if right {
            return Ok(());
        }
        let mut value = json!({
            "mediaType": entry.node.media_type,
            "digest": entry.node.digest,
            "size": entry.node.size,
        });
        if !entry.names.is_empty() {
            let names: BTreeMap<_, _> = entry.names.iter().cloned().collect();
            value["annotations"] = json!(names);
        }
        if let Some(kind) = &entry.artifact_type {
            value["artifactType"] = json!(kind);
        }
        self.manifests.push((serde_json::from_value(value.clone())?, to_raw_value(&value)?));
        self.changed = true;
        Ok(())
    }

    /// Whether it differs from what was read.
    pub(super) const fn changed(&self) -> bool {
        self.changed
    }

    /// Its text, foreign fields and descriptors as they were.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut fields = self.fields.clone();
        fields.entry("schemaVersion".to_owned()).or_insert(to_raw_value(&2)?);
        fields.entry("mediaType".to_owned()).or_insert(to_raw_value(mt::OCI_INDEX)?);
        let raw: Vec<&RawValue> = self.manifests.iter().map(|(_, raw)| &**raw).collect();
        fields.insert("manifests".to_owned(), to_raw_value(&raw)?);
        serde_json::to_vec(&fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8, key: &'static str, name: &str) -> Entry {
        let node =
            Node { digest: Digest::sha256(&[n; 32]), size: 7, media_type: mt::OCI_MANIFEST.to_owned() };
        Entry::named(&node, key, &[(key, name)])
    }

    #[test]
    fn foreign_entries_and_fields_stay_as_they_were_written() {
        let digest = Digest::sha256(&[9; 32]);
        let foreign = format!(r#"{{ "size":3,  "digest":"{digest}","x":[1.50] , "mediaType":"a/b"}}"#);
        let text = format!(r#"{{"schemaVersion":2,"annotations":{{"k" : "v"}},"manifests":[{foreign}]}}"#);
        let mut index = LayoutIndex::parse(text.as_bytes()).unwrap();
        assert!(!index.changed());
        index.put(&entry(1, REF_NAME, "a/b:1")).unwrap();
        let written = String::from_utf8(index.to_bytes().unwrap()).unwrap();
        assert!(written.contains(&foreign), "{written}");
        assert!(written.contains(r#"{"k" : "v"}"#), "{written}");
        assert_eq!(LayoutIndex::parse(written.as_bytes()).unwrap().named("a/b:1").unwrap().size, 7);
    }

    #[test]
    fn a_name_points_at_one_thing_and_a_second_put_changes_nothing() {
        let mut index = LayoutIndex::empty();
        for entry in
            [entry(1, REF_NAME, "a/b:1"), entry(2, REF_NAME, "a/b:1"), entry(2, CONTAINERD_NAME, "a/b@d")]
        {
            index.put(&entry).unwrap();
        }
        assert_eq!(index.manifests.len(), 2);
        assert_eq!(index.named("a/b:1").unwrap().digest, Digest::sha256(&[2; 32]));
        let mut again = LayoutIndex::parse(&index.to_bytes().unwrap()).unwrap();
        again.put(&entry(2, REF_NAME, "a/b:1")).unwrap();
        again.put(&entry(2, CONTAINERD_NAME, "a/b@d")).unwrap();
        assert!(!again.changed());
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for bad in ["", "[]", r#"{"manifests":{}}"#, r#"{"manifests":[{"digest":"sha256:../x","size":1}]}"#] {
            assert!(LayoutIndex::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
