//! Closes the manifest graph of a bundle from `index.json` to the last layer, hashing every document on the way.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::read::BundleReader;
use crate::domain::bundle::{INDEX, MAX_DOCUMENT, REF_NAME};
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, Descriptor, Document, ImageConfig, MAX_MANIFEST, MAX_NESTING, Manifest};
use crate::domain::media_type as mt;
use crate::engine::error::{EngineError, Explain, FileError, Kind, Result};

/// The largest image configuration that is read whole, in bytes.
pub const MAX_CONFIG: u64 = 8 * 1024 * 1024;

/// What the graph breaks.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// A manifest of a format that nobody takes any more.
    #[error(
        "{parent}: its manifest {digest} is of Docker schema 1, which runtimes and registries no longer take"
    )]
    Schema1 {
        /// The image, or the index that lists it.
        parent: String,
        /// The manifest.
        digest: Digest,
    },
    /// A document that is no manifest.
    #[error("{path}: {reason}")]
    Document {
        /// Digest or path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Something points at a blob that the bundle does not list.
    #[error("{parent} points at {child}, which is not in the bundle")]
    Missing {
        /// Reference or digest of the pointing document.
        parent: String,
        /// The blob.
        child: Digest,
    },
    /// A descriptor lies about the length.
    #[error("{parent} says that {child} has {expected} bytes, the bundle lists {actual}")]
    Size {
        /// Reference or digest of the pointing document.
        parent: String,
        /// The blob.
        child: Digest,
        /// From the descriptor.
        expected: u64,
        /// From the signed list.
        actual: u64,
    },
    /// An image of the signed document that `index.json` does not carry.
    #[error("{INDEX} has no descriptor for {reference} with {digest}")]
    NotIndexed {
        /// The image.
        reference: String,
        /// Its digest.
        digest: Digest,
    },
    /// Two images that cannot both be right.
    #[error("{0}")]
    Contradiction(String),
    /// A blob that nothing points at.
    #[error("blob {0} is listed but nothing points at it")]
    Orphan(Digest),
}

impl Explain for GraphError {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Schema1 { .. } => {
                "airlift packs none: have the image built or pushed again with a current tool, and pack it anew"
            }
            _ => "the bundle is inconsistent in itself: pack it again, and tell whoever signed it",
        };
        vec![hint.to_owned()]
    }
}

/// A layer and what it must unpack to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerCheck {
    /// The layer as it lies in the bundle.
    pub layer: Descriptor,
    /// From the image configuration.
    pub diff_id: Digest,
}

/// What the walk found.
#[derive(Debug, Default)]
pub struct Graph {
    /// Documents and configurations that were read and hashed on the way.
    pub hashed: HashSet<Digest>,
    /// Bytes hashed on the way.
    pub bytes: u64,
    /// For `--deep`: layers of images with what they unpack to.
    pub layers: BTreeMap<Digest, LayerCheck>,
    /// Two images that disagree about what one layer unpacks to: at least one of them lies.
    pub contradictions: Vec<String>,
    /// Documents and configurations whose bytes are not those that were signed; what these lead to was not looked at.
    pub damaged: BTreeMap<Digest, EngineError>,
    seen: HashSet<Digest>,
    entered: HashSet<Digest>,
}

/// Reads `index.json` and everything it reaches but layers.
///
/// # Errors
/// [`GraphError`], [`super::read::ReadError`] or a file error.
pub fn close(bundle: &BundleReader) -> Result<Graph> {
    let mut graph = close_around(bundle)?;
    match graph.damaged.pop_first() {
        Some((_, error)) => Err(error),
        None => Ok(graph),
    }
}

/// The same around what is damaged, for one who leaves out what needs that.
///
/// # Errors
/// As [`close`], but for damaged documents and configurations.
pub fn close_around(bundle: &BundleReader) -> Result<Graph> {
    let bytes = super::read::small_file(bundle, INDEX)?;
    let index = match manifest::parse_within(&bytes, None, MAX_DOCUMENT) {
        Ok(Document::Index(index)) => index,
        Ok(Document::Manifest(_)) => return Err(document(INDEX, "it is a manifest, not an index").into()),
        Err(error) => return Err(document(INDEX, &error.to_string()).into()),
    };
    check_names(bundle, &index.manifests)?;
    let omitted: HashSet<Digest> = bundle
        .document()
        .images
        .iter()
        .flat_map(|i| &i.omitted_platforms)
        .map(|p| p.digest.clone())
        .collect();
    let mut graph = Graph::default();
    for descriptor in &index.manifests {
        let name =
            descriptor.annotations.get(REF_NAME).cloned().unwrap_or_else(|| descriptor.digest.to_string());
        graph.visit(bundle, &name, descriptor, &omitted, 0)?;
    }
    if !graph.damaged.is_empty() {
        // What a damaged one points at is not known.
        return Ok(graph);
    }
    let orphans: BTreeSet<&Digest> = bundle
        .document()
        .blobs
        .iter()
        .map(|blob| &blob.digest)
        .filter(|digest| !graph.seen.contains(digest))
        .collect();
    match orphans.first() {
        Some(orphan) => Err(GraphError::Orphan((*orphan).clone()).into()),
        None => Ok(graph),
    }
}

/// The images that need one of these blobs, each with those it needs; what cannot be read leads no further.
pub fn needing(bundle: &BundleReader, damaged: &BTreeSet<Digest>) -> Vec<(String, Vec<Digest>)> {
    let mut known = HashMap::new();
    let mut found = Vec::new();
    for image in &bundle.document().images {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![image.digest.clone()]);
        while let Some(digest) = todo.pop() {
            if seen.insert(digest.clone()) {
                let children = known.entry(digest.clone()).or_insert_with(|| children(bundle, &digest));
                todo.extend(children.iter().cloned());
            }
        }
        let needed: Vec<Digest> = seen.intersection(damaged).cloned().collect();
        if !needed.is_empty() {
            found.push((image.reference.to_string(), needed));
        }
    }
    found
}

/// What a blob points at, where it is a manifest or an index that can be read.
fn children(bundle: &BundleReader, digest: &Digest) -> Vec<Digest> {
    let document = bundle.blob(digest).filter(|blob| mt::is_document(&blob.media_type));
    let bytes = document.and_then(|_| bundle.read(digest, MAX_MANIFEST).ok());
    let parsed = bytes.and_then(|bytes| manifest::parse(&bytes, None).ok());
    parsed.map_or_else(Vec::new, |parsed| {
        parsed.children().into_iter().map(|child| child.digest.clone()).collect()
    })
}

fn document(path: &str, reason: &str) -> GraphError {
    GraphError::Document { path: path.to_owned(), reason: reason.to_owned() }
}

fn check_names(bundle: &BundleReader, manifests: &[Descriptor]) -> Result<()> {
    let names: HashMap<(&str, &Digest), ()> = manifests
        .iter()
        .filter_map(|d| d.annotations.get(REF_NAME).map(|name| ((name.as_str(), &d.digest), ())))
        .collect();
    for image in &bundle.document().images {
        let reference = image.reference.to_string();
        if !names.contains_key(&(reference.as_str(), &image.digest)) {
            return Err(GraphError::NotIndexed { reference, digest: image.digest.clone() }.into());
        }
    }
    Ok(())
}

impl Graph {
    fn visit(
        &mut self,
        bundle: &BundleReader,
        parent: &str,
        descriptor: &Descriptor,
        omitted: &HashSet<Digest>,
        depth: usize,
    ) -> Result<()> {
        let Some(blob) = bundle.blob(&descriptor.digest) else {
            if depth > 0 && omitted.contains(&descriptor.digest) {
                return Ok(());
            }
            return Err(
                GraphError::Missing { parent: parent.to_owned(), child: descriptor.digest.clone() }.into()
            );
        };
        if blob.size != descriptor.size {
            return Err(GraphError::Size {
                parent: parent.to_owned(),
                child: descriptor.digest.clone(),
                expected: descriptor.size,
                actual: blob.size,
            }
            .into());
        }
        if mt::is_schema1(&descriptor.media_type) {
            // Nothing in it says what its layers are, so that what lies there cannot be held against it.
            return Err(
                GraphError::Schema1 { parent: parent.to_owned(), digest: descriptor.digest.clone() }.into()
            );
        }
        self.seen.insert(descriptor.digest.clone());
        // The same bytes may be a layer of one image and a manifest by another descriptor.
        if !mt::is_document(&descriptor.media_type) || !self.entered.insert(descriptor.digest.clone()) {
            return Ok(());
        }
        if depth > MAX_NESTING {
            return Err(document(&descriptor.digest.to_string(), "indexes nest too deep").into());
        }
        let Some(bytes) = self.read(bundle, &descriptor.digest, MAX_MANIFEST)? else { return Ok(()) };
        let parsed = manifest::parse(&bytes, Some(&descriptor.media_type))
            .map_err(|error| document(&descriptor.digest.to_string(), &error.to_string()))?;
        let name = descriptor.digest.to_string();
        for child in parsed.children() {
            self.visit(bundle, &name, child, omitted, depth + 1)?;
        }
        match parsed {
            Document::Manifest(image) if image.is_image() => self.check_image(bundle, &name, &image),
            _ => Ok(()),
        }
    }

    /// A document or a configuration whole; nothing where it is damaged, which is noted.
    fn read(&mut self, bundle: &BundleReader, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>> {
        if self.damaged.contains_key(digest) {
            return Ok(None);
        }
        match bundle.read_sound(digest, limit)? {
            Ok(bytes) => {
                if self.hashed.insert(digest.clone()) {
                    self.bytes += bytes.len() as u64;
                }
                Ok(Some(bytes))
            }
            Err(damage) => {
                self.damaged.insert(digest.clone(), damage);
                Ok(None)
            }
        }
    }

    /// One diff_id per layer, so that unpacking can be checked at all.
    fn check_image(&mut self, bundle: &BundleReader, name: &str, image: &Manifest) -> Result<()> {
        let Some(bytes) = self.read(bundle, &image.config.digest, MAX_CONFIG)? else { return Ok(()) };
        let config = ImageConfig::parse(&bytes).map_err(|error| {
            document(&image.config.digest.to_string(), &format!("no image configuration: {error}"))
        })?;
        let layers: Vec<&Descriptor> =
            image.layers.iter().filter(|layer| mt::layer_compression(&layer.media_type).is_some()).collect();
        // A configuration that names neither platform nor layers is an artifact's, whatever its type says.
        let artifact = config.platform().is_none() && config.rootfs.diff_ids.is_empty();
        if layers.is_empty() || artifact {
            return Ok(());
        }
        if config.rootfs.diff_ids.len() != layers.len() {
            let reason = format!(
                "it has {} layers, its configuration lists {} diff_ids",
                layers.len(),
                config.rootfs.diff_ids.len()
            );
            return Err(document(name, &reason).into());
        }
        for (layer, diff_id) in layers.into_iter().zip(config.rootfs.diff_ids) {
            let check = LayerCheck { layer: layer.clone(), diff_id };
            let said = self.layers.entry(layer.digest.clone()).or_insert_with(|| check.clone());
            if said.diff_id != check.diff_id {
                self.contradictions.push(format!(
                    "{name}: layer {} is said to unpack to {} here and to {} by another image",
                    layer.digest, check.diff_id, said.diff_id
                ));
            }
        }
        Ok(())
    }
}

/// A file error with the path inside the bundle.
pub(crate) fn read_error(bundle: &BundleReader, path: &str, source: std::io::Error) -> FileError {
    FileError { operation: "read", path: bundle.root().join(path), source }
}
