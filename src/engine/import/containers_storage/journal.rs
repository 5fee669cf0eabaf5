//! What runs are about to put into a store, kept beside it until that is on disk: how the next run tells what a power cut may have hollowed out.
//!
//! A program that writes into a store records a layer as complete long before its files have left the page cache. After
//! a power cut the records are there and the files are empty, and nobody who reads the store would notice.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, read_whole};
use crate::engine::host;
use crate::engine::sign::store::rewrite;

/// Its name in the store's directory, where no driver looks.
pub(super) const JOURNAL: &str = ".airlift-import.json";
/// No journal is longer, in bytes.
const MAX: u64 = 16 << 20;

/// Images on their way into a store, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    images: BTreeMap<String, Entry>,
    /// The kernel's id of this boot; empty where it cannot be read, and then every boot looks the same.
    #[serde(skip)]
    boot: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    boot: String,
    /// The ids of the images that its names led to before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    was: BTreeMap<String, String>,
    /// The digests of its unpacked layers, base first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    layers: Vec<String>,
}

/// An image that is about to come into a store.
pub(super) struct Coming {
    /// Its id.
    pub(super) id: String,
    /// Its name, for people.
    pub(super) name: String,
    /// The ids of the images that its names led to before.
    pub(super) was: BTreeMap<String, String>,
    /// The digests of its unpacked layers, base first.
    pub(super) layers: Vec<String>,
}

/// An image that was on its way when the machine went down.
pub(super) struct Hollow {
    /// Its id.
    pub(super) id: String,
    /// Its name, for people.
    pub(super) name: String,
    /// The digests of its unpacked layers, base first.
    pub(super) layers: Vec<String>,
}

impl Journal {
    /// The one of a store; an empty one where there is none. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub(super) fn read(files: &dyn Files, store: &Path) -> Result<Self> {
        let boot = host::boot_id(files).unwrap_or_default();
        let open = match files.open(store, JOURNAL) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { boot, ..Self::default() });
            }
            other => other?,
        };
        let path = store.join(JOURNAL);
        let failed = |source| FileError { operation: "read", path: path.clone(), source };
        let bytes = read_whole(open, MAX).map_err(failed)?;
        let journal: Self = serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?;
        Ok(Self { boot, ..journal })
    }

    /// Notes images that are not in the store yet, durably.
    ///
    /// # Errors
    /// A file error.
    pub(super) fn note(
        &mut self,
        files: &dyn Files,
        store: &Path,
        images: impl IntoIterator<Item = Coming>,
    ) -> Result<()> {
        let before = self.images.clone();
        for Coming { id, name, was, layers } in images {
            // Two images of one configuration are one in the store.
            let twin = self.images.get(&id).filter(|entry| entry.boot == self.boot);
            let mut all = twin.map(|entry| entry.was.clone()).unwrap_or_default();
            all.extend(was);
            self.images.insert(id, Entry { name, boot: self.boot.clone(), was: all, layers });
        }
        if self.images == before { Ok(()) } else { self.write(files, store) }
    }

    /// Forgets what was written in this boot, which is on disk now, but for the ids that are kept. Blocks.
    ///
    /// # Errors
    /// A file error.
    pub(super) fn settle(
        &mut self,
        files: &dyn Files,
        store: &Path,
        is_kept: impl Fn(&str) -> bool,
    ) -> Result<()> {
        self.images.retain(|id, entry| entry.boot != self.boot || is_kept(id));
        if !self.images.is_empty() {
            return self.write(files, store);
        }
        files.remove(&store.join(JOURNAL))?;
        Ok(files.sync_dir(store)?)
    }

    /// Whether an image was on its way when the machine went down.
    pub(super) fn is_hollow(&self, id: &str) -> bool {
        self.images.get(id).is_some_and(|entry| entry.boot != self.boot)
    }

    /// Whether a run that was cut off brought an image: it was not there before.
    pub(super) fn has(&self, id: &str) -> bool {
        self.images.contains_key(id)
    }

    /// The ids of the images that names of one that was on its way led to before.
    pub(super) fn was(&self, id: &str) -> BTreeMap<String, String> {
        self.images.get(id).map(|entry| entry.was.clone()).unwrap_or_default()
    }

    /// Whether a run of this boot ended before what it wrote was on disk.
    pub(super) fn is_unsettled(&self) -> bool {
        self.images.values().any(|entry| entry.boot == self.boot)
    }

    /// Those of them that are not among these ids, with their layers.
    pub(super) fn hollow_but(&self, ids: &[&str]) -> Vec<Hollow> {
        let hollow = self.images.iter().filter(|(id, _)| self.is_hollow(id) && !ids.contains(&id.as_str()));
        let owned = |(id, Entry { name, layers, .. }): (&String, &Entry)| Hollow {
            id: id.clone(),
            name: name.clone(),
            layers: layers.clone(),
        };
        hollow.map(owned).collect()
    }

    /// Names of images that were on their way when the machine went down.
    pub(super) fn hollow(&self) -> Vec<&str> {
        let hollow = self.images.values().filter(|entry| entry.boot != self.boot);
        hollow.map(|entry| entry.name.as_str()).collect()
    }

    fn write(&self, files: &dyn Files, store: &Path) -> Result<()> {
        let text = serde_json::to_string(self).unwrap_or_default();
        rewrite(files, &store.join(JOURNAL), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn what_another_boot_wrote_is_hollow_until_it_is_written_again() {
        let store = tempfile::tempdir().unwrap();
        let read = || Journal::read(&RealFiles, store.path()).unwrap();
        let note = |journal: &mut Journal, id: &str| {
            let was = BTreeMap::from([("a/b:1".to_owned(), format!("before {id}"))]);
            let (id, name) = (id.to_owned(), format!("name of {id}"));
            let coming = Coming { id, name, was, layers: vec!["sha256:base".to_owned()] };
            journal.note(&RealFiles, store.path(), [coming]).unwrap();
        };
        let mut journal = read();
        assert!(!journal.is_unsettled() && !journal.boot.is_empty());
        "another".clone_into(&mut journal.boot);
        note(&mut journal, "a");
        note(&mut journal, "b");
        let mut journal = read();
        assert!(journal.is_hollow("a") && !journal.is_hollow("c") && !journal.is_unsettled());
        assert_eq!(journal.was("b")["a/b:1"], "before b");
        let others = journal.hollow_but(&["a"]);
        assert_eq!((others.len(), &*others[0].id, &*others[0].layers[0]), (1, "b", "sha256:base"));
        note(&mut journal, "a");
        let mut journal = read();
        assert!(!journal.is_hollow("a") && journal.is_unsettled());
        journal.settle(&RealFiles, store.path(), |id| id == "a").unwrap();
        let mut journal = read();
        assert!(journal.has("a") && journal.is_unsettled(), "it has no name yet");
        journal.settle(&RealFiles, store.path(), |_| false).unwrap();
        let mut journal = read();
        assert_eq!((journal.hollow(), journal.is_unsettled()), (vec!["name of b"], false));
        note(&mut journal, "b");
        journal.settle(&RealFiles, store.path(), |_| false).unwrap();
        assert!(!store.path().join(JOURNAL).exists());
    }
}
