//! What lies in a store of the overlay driver: its images and layers by their own records, and whether their files are there.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::digest::Digest;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{EntryKind, Files, read_whole};

use super::conf::ConfError;

/// No list of images or layers is larger.
const MAX_RECORDS: u64 = 256 << 20;
/// No image has more layers above each other.
const MAX_DEPTH: usize = 4096;

/// Files and directories that must be there for a store to be read where it cannot be written (`overlay` driver).
pub const LOCKS: [&str; 2] = ["overlay-images/images.lock", "overlay-layers/layers.lock"];
/// The same, where they are lists that an empty store has not yet.
pub const LISTS: [&str; 2] = ["overlay-images/images.json", "overlay-layers/layers.json"];
/// Its directories.
pub const DIRECTORIES: [&str; 4] = ["overlay", "overlay/l", "overlay-images", "overlay-layers"];

/// One image by its record.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredImage {
    /// Hex of its configuration's digest, mostly.
    pub id: String,
    /// Names that lead to it.
    #[serde(default)]
    pub names: Vec<String>,
    /// Its top layer; empty where it has none.
    #[serde(default)]
    layer: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    big_data_digests: HashMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredLayer {
    id: String,
    #[serde(default)]
    parent: String,
    #[serde(default)]
    diff_digest: String,
    #[serde(default)]
    flags: HashMap<String, serde_json::Value>,
}

impl StoredImage {
    /// Whether it answers for a manifest or index of this digest.
    pub fn has(&self, digest: &Digest) -> bool {
        let wanted = digest.to_string();
        // As the store itself looks it up: every record of a manifest has the digest it is found by.
        self.digest == wanted
            || self
                .big_data_digests
                .iter()
                .any(|(key, found)| key.starts_with("manifest") && *found == wanted)
    }

    /// The digest it is listed with, for people.
    pub fn digest(&self) -> &str {
        if self.digest.is_empty() { &self.id } else { &self.digest }
    }
}

/// The records of one or more stores that are read as one.
#[derive(Debug, Default)]
pub struct Records {
    images: Vec<StoredImage>,
    layers: HashMap<String, (PathBuf, StoredLayer)>,
}

impl Records {
    /// Adds those of the store in `directory`; one that is not there has none. Blocks.
    ///
    /// # Errors
    /// A file error, or [`ConfError`] where a list is none.
    pub fn add(&mut self, files: &dyn Files, directory: &Path) -> Result<()> {
        self.images.extend(list::<StoredImage>(files, directory, LISTS[0])?);
        for layer in list::<StoredLayer>(files, directory, LISTS[1])? {
            self.layers.entry(layer.id.clone()).or_insert((directory.to_owned(), layer));
        }
        Ok(())
    }

    /// The image that a name leads to.
    pub fn named(&self, name: &str) -> Option<&StoredImage> {
        self.images.iter().find(|image| image.names.iter().any(|one| one == name))
    }

    /// The image of an id.
    pub fn with_id(&self, id: &str) -> Option<&StoredImage> {
        self.images.iter().find(|image| image.id == id)
    }

    /// What is missing of an image for containers to run from it, if anything is: its layers down to the base, each
    /// with its files. The files themselves are not hashed. Blocks.
    ///
    /// # Errors
    /// A file error other than that something is not there.
    pub fn lacks(&self, files: &dyn Files, image: &StoredImage) -> Result<Option<String>> {
        let mut next = image.layer.as_str();
        let mut seen = HashSet::new();
        while !next.is_empty() {
            let Some((directory, layer)) = self.layers.get(next) else {
                return Ok(Some(format!("no record of its layer {next}")));
            };
            if !seen.insert(next) || seen.len() > MAX_DEPTH || !is_id(next) {
                return Ok(Some(format!("no end of the layers below {next}")));
            }
            if let Some(lost) = files_lost(files, directory, layer)? {
                return Ok(Some(lost));
            }
            next = &layer.parent;
        }
        Ok(None)
    }

    /// The digests of its unpacked layers, base first, by their records.
    pub fn diff_ids(&self, image: &StoredImage) -> Vec<String> {
        self.below(&image.layer)
    }

    /// Whether there is a layer that these make, base first; it need not be had again.
    pub fn has_layers(&self, diff_ids: &[String]) -> bool {
        let mut tops = self.layers.values().filter(|(_, layer)| diff_ids.last() == Some(&layer.diff_digest));
        tops.any(|(_, layer)| self.below(&layer.id) == diff_ids)
    }

    /// What is missing of layers that an image of these would be put on, base first, if anything is. Blocks.
    ///
    /// # Errors
    /// As [`Records::lacks`].
    pub fn lacks_below(&self, files: &dyn Files, diff_ids: &[String]) -> Result<Option<String>> {
        // Half a layer is taken out by whoever writes next.
        let whole = |layer: &StoredLayer| is_id(&layer.id) && !layer.flags.contains_key("incomplete");
        for (directory, layer) in self.layers.values().filter(|(_, layer)| whole(layer)) {
            let chain = self.below(&layer.id);
            if !chain.is_empty()
                && diff_ids.starts_with(&chain)
                && let Some(lost) = files_lost(files, directory, layer)?
            {
                return Ok(Some(lost));
            }
        }
        Ok(None)
    }

    fn below(&self, top: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut next = top;
        while let Some((_, layer)) = self.layers.get(next).filter(|_| found.len() < MAX_DEPTH) {
            found.push(layer.diff_digest.clone());
            next = &layer.parent;
        }
        found.reverse();
        found
    }
}

/// The containers of a store that use an image, by name or id. Blocks.
///
/// # Errors
/// As [`Records::add`].
pub fn containers(files: &dyn Files, directory: &Path, image: &str) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Container {
        id: String,
        #[serde(default)]
        image: String,
        #[serde(default)]
        names: Vec<String>,
    }
    let mut users = Vec::new();
    for name in ["overlay-containers/containers.json", "overlay-containers/volatile-containers.json"] {
        let all = list::<Container>(files, directory, name)?.into_iter();
        let using = all.filter(|one| one.image == image);
        users.extend(using.map(|one| one.names.into_iter().next().unwrap_or(one.id)));
    }
    Ok(users)
}

/// What is missing of one layer.
fn files_lost(files: &dyn Files, directory: &Path, layer: &StoredLayer) -> Result<Option<String>> {
    let id = &layer.id;
    if layer.flags.contains_key("incomplete") {
        return Ok(Some(format!("half of its layer {id}, written by a run that was cut off")));
    }
    let diff = directory.join("overlay").join(id).join("diff");
    let there = files.stat(&diff)?.is_some_and(|stat| stat.kind == EntryKind::Directory);
    Ok((!there).then(|| format!("the files of its layer {id}: there is no {}", diff.display())))
}

/// Ids become parts of paths.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn list<T: serde::de::DeserializeOwned>(files: &dyn Files, directory: &Path, name: &str) -> Result<Vec<T>> {
    let path = directory.join(name);
    let open = match files.open(directory, name) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    if open.size > MAX_RECORDS {
        return Err(ConfError {
            path,
            reason: format!("it has {} bytes, at most {MAX_RECORDS} are read", open.size),
        }
        .into());
    }
    let bytes = read_whole(open, MAX_RECORDS);
    let bytes = bytes.map_err(|source| FileError { operation: "read", path: path.clone(), source })?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&bytes).map_err(|error| ConfError { path, reason: error.to_string() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    const BASE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const TOP: &str = "2222222222222222222222222222222222222222222222222222222222222222";

    fn store(images: &str, layers: &str) -> tempfile::TempDir {
        let store = tempfile::tempdir().unwrap();
        for (name, text) in LISTS.iter().zip([images, layers]) {
            let path = store.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        store
    }

    fn records(store: &tempfile::TempDir) -> Records {
        let mut records = Records::default();
        records.add(&RealFiles, store.path()).unwrap();
        records
    }

    #[test]
    fn an_image_is_found_by_name_and_knows_every_digest_it_answers_for() {
        let digest = |n: u8| Digest::sha256(&[n; 32]);
        let images = format!(
            r#"[{{"id":"{TOP}","digest":"{}","names":["a/b:1","a/b:2"],"layer":"{TOP}",
               "big-data-digests":{{"manifest":"{}","sha256:x":"{}"}},"news":1}}]"#,
            digest(1),
            digest(2),
            digest(3)
        );
        let store = store(&images, "[]");
        let records = records(&store);
        let image = records.named("a/b:2").unwrap();
        assert!(image.has(&digest(1)) && image.has(&digest(2)) && !image.has(&digest(3)));
        assert!(records.named("a/b").is_none());
        assert!(records.lacks(&RealFiles, image).unwrap().unwrap().contains("no record"));
    }

    #[test]
    fn an_image_is_whole_only_with_every_layer_and_its_files() {
        let images = format!(r#"[{{"id":"{TOP}","names":["a/b:1"],"layer":"{TOP}"}}]"#);
        let layers = |flags: &str| {
            format!(
                r#"[{{"id":"{BASE}","diff-digest":"sha256:b"}},{{"id":"{TOP}","parent":"{BASE}","diff-digest":"sha256:t"{flags}}}]"#
            )
        };
        let whole = store(&images, &layers(""));
        let lacks = |store: &tempfile::TempDir| {
            let records = records(store);
            records.lacks(&RealFiles, records.named("a/b:1").unwrap()).unwrap()
        };
        assert!(lacks(&whole).unwrap().contains("files"));
        let [base, other] = [["sha256:b".to_owned()], ["sha256:o".to_owned()]];
        assert!(records(&whole).lacks_below(&RealFiles, &base).unwrap().unwrap().contains(BASE));
        assert_eq!(records(&whole).lacks_below(&RealFiles, &other).unwrap(), None);
        for id in [BASE, TOP] {
            std::fs::create_dir_all(whole.path().join("overlay").join(id).join("diff")).unwrap();
        }
        assert_eq!(lacks(&whole), None);
        let image = records(&whole);
        assert_eq!(image.diff_ids(image.named("a/b:1").unwrap()), ["sha256:b", "sha256:t"]);
        for (diff_ids, has) in [
            (&["sha256:b"][..], true),
            (&["sha256:b", "sha256:t"], true),
            (&["sha256:t"], false),
            (&["sha256:b", "sha256:b"], false),
        ] {
            let diff_ids: Vec<String> = diff_ids.iter().map(|one| (*one).to_owned()).collect();
            assert_eq!(image.has_layers(&diff_ids), has, "{diff_ids:?}");
        }
        let half = store(&images, &layers(r#","flags":{"incomplete":true}"#));
        assert!(lacks(&half).unwrap().contains("half"));
        let endless = store(&images, &format!(r#"[{{"id":"{TOP}","parent":"{TOP}"}}]"#));
        std::fs::create_dir_all(endless.path().join("overlay").join(TOP).join("diff")).unwrap();
        assert!(lacks(&endless).unwrap().contains("no end"));
    }

    #[test]
    fn a_list_that_is_none_is_an_error_and_a_store_that_is_not_there_is_empty() {
        let broken = store("{", "[]");
        assert!(Records::default().add(&RealFiles, broken.path()).is_err());
        let mut none = Records::default();
        none.add(&RealFiles, &broken.path().join("absent")).unwrap();
        assert!(none.named("a").is_none());
    }
}
