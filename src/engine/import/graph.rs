//! What one image of a bundle consists of, in the order in which a target must get it: blobs, child manifests, the top one, tags.

use std::collections::HashSet;

use super::error::ImportError;
use crate::domain::bundle::{CARRIED_TAG, INDEX, Image};
use crate::domain::digest::Digest;
use crate::domain::manifest::{
    self, Descriptor, Document, MAX_MANIFEST, MAX_NESTING, ManifestError, Referral,
};
use crate::domain::media_type as mt;
use crate::domain::reference::Reference;
use crate::engine::bundle::graph::MAX_CONFIG;
use crate::engine::bundle::read::{BundleReader, small_file};
use crate::engine::error::{EngineError, Result};

/// A blob of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Its digest.
    pub(super) digest: Digest,
    /// Its length in bytes.
    pub(super) size: u64,
    /// Its type.
    pub(super) media_type: String,
}

/// A manifest that says of itself that it belongs to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Referrer {
    /// The manifest.
    pub(super) node: Node,
    /// What it is to which other one.
    pub(super) referral: Referral,
}

/// An image and everything carried with it.
#[derive(Clone, Debug)]
pub(super) struct ImageGraph {
    /// The image, as the signed document has it.
    pub(super) image: Image,
    /// Configurations and layers, each once.
    pub(super) blobs: Vec<Node>,
    /// Manifests and indexes; whatever another one points at comes before it.
    pub(super) documents: Vec<Node>,
    /// Manifests that an index names and the bundle leaves out.
    pub(super) omitted: Vec<Digest>,
    /// Tops of carried signatures and other referrers.
    pub(super) carried: Vec<Node>,
    /// Those of `carried` that have a subject.
    pub(super) referrers: Vec<Referrer>,
    /// Tags of the same repository that are carried along, with what they name.
    pub(super) tags: Vec<(String, Node)>,
    /// What is wrong with a manifest of it that is damaged: nothing else is known of it then.
    pub(super) damaged: Option<String>,
}

impl ImageGraph {
    /// Of an image that nothing was read of yet.
    fn new(image: &Image) -> Self {
        Self {
            image: image.clone(),
            blobs: Vec::new(),
            documents: Vec::new(),
            omitted: Vec::new(),
            carried: Vec::new(),
            referrers: Vec::new(),
            tags: Vec::new(),
            damaged: None,
        }
    }

    /// Blobs and manifests, in the order in which they are written.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.blobs.iter().chain(&self.documents)
    }

    /// Bytes of all of it.
    pub(super) fn bytes(&self) -> u64 {
        self.nodes().map(|node| node.size).fold(0, u64::saturating_add)
    }

    /// Its reference as text.
    pub(super) fn name(&self) -> String {
        self.image.reference.to_string()
    }

    /// The top manifest.
    pub(super) fn top(&self) -> Option<&Node> {
        self.documents.iter().find(|node| node.digest == self.image.digest)
    }

    /// Why it cannot be brought to any target, where a manifest of it is damaged.
    pub(super) fn damage(&self) -> Option<EngineError> {
        let reason = self.damaged.clone()?;
        Some(ImportError::Damaged { image: self.name(), reason }.into())
    }

    /// Whether this is an index with manifests left out.
    pub(super) fn is_sparse(&self) -> bool {
        !self.omitted.is_empty()
    }
}

/// Reads the documents of every image that is wanted, and of no other one; all of them where `only` is empty. One of which
/// something is damaged has that as its only content. Blocks.
///
/// # Errors
/// [`ImportError::NotInBundle`]; what reading the bundle can fail with for all images.
pub(super) fn wanted(bundle: &BundleReader, only: &[Reference]) -> Result<Vec<ImageGraph>> {
    wanted_or(bundle, only, &|_, _| None)
}

/// The same where the right bytes of a damaged document may be had elsewhere, by its digest and length. Blocks.
///
/// # Errors
/// As [`wanted`].
pub(super) fn wanted_or(
    bundle: &BundleReader,
    only: &[Reference],
    elsewhere: Elsewhere<'_>,
) -> Result<Vec<ImageGraph>> {
    let images = &bundle.document().images;
    let matches = |image: &Image, want: &Reference| {
        image.reference == *want
            || (want.name() == image.reference.name()
                && want.digest() == Some(&image.digest)
                && (want.tag().is_none() || want.tag() == image.reference.tag()))
    };
    if let Some(missing) = only.iter().find(|want| !images.iter().any(|image| matches(image, want))) {
        let present = images.iter().map(|image| image.reference.to_string()).collect();
        return Err(ImportError::NotInBundle { reference: missing.to_string(), present }.into());
    }
    let carried = carried_tags(bundle)?;
    let chosen = images.iter().filter(|i| only.is_empty() || only.iter().any(|want| matches(i, want)));
    chosen.map(|image| Walk::new(bundle, image, elsewhere).image_or_damage(&carried)).collect()
}

/// Where documents are looked for that are damaged in the bundle.
type Elsewhere<'a> = &'a dyn Fn(&Digest, u64) -> Option<Vec<u8>>;

/// Tags carried beside the images, from `index.json`.
fn carried_tags(bundle: &BundleReader) -> Result<Vec<(Reference, Descriptor)>> {
    let bytes = small_file(bundle, INDEX)?;
    let document = manifest::parse(&bytes, None).map_err(|error| ImportError::Document {
        image: INDEX.to_owned(),
        digest: crate::engine::hash::sha256(&bytes),
        reason: error.to_string(),
    })?;
    let Document::Index(index) = document else { return Ok(Vec::new()) };
    let tagged = index.manifests.into_iter().filter_map(|descriptor| {
        let reference = descriptor.annotations.get(CARRIED_TAG)?.parse::<Reference>().ok()?;
        Some((reference, descriptor))
    });
    Ok(tagged.collect())
}

struct Walk<'a> {
    bundle: &'a BundleReader,
    graph: ImageGraph,
    seen: HashSet<Digest>,
    elsewhere: Elsewhere<'a>,
    /// The first that was found.
    damaged: Option<EngineError>,
}

impl<'a> Walk<'a> {
    fn new(bundle: &'a BundleReader, image: &Image, elsewhere: Elsewhere<'a>) -> Self {
        Self { bundle, graph: ImageGraph::new(image), seen: HashSet::new(), elsewhere, damaged: None }
    }

    fn image_or_damage(mut self, carried: &[(Reference, Descriptor)]) -> Result<ImageGraph> {
        let image = self.graph.image.clone();
        self.image(carried)?;
        match self.damaged {
            None => Ok(self.graph),
            Some(damage) => Ok(ImageGraph { damaged: Some(damage.message()), ..ImageGraph::new(&image) }),
        }
    }

    fn image(&mut self, carried: &[(Reference, Descriptor)]) -> Result<()> {
        let image = self.graph.image.clone();
        self.manifest(&image.digest, &image.media_type, 0)?;
        for (reference, descriptor) in carried {
            if let Some(tag) = self.belongs(reference, descriptor) {
                self.manifest(&descriptor.digest, &descriptor.media_type, 0)?;
                let node = self.node(&descriptor.digest, &descriptor.media_type)?;
                self.carry(node.clone());
                self.graph.tags.push((tag, node));
            }
        }
        for digest in &image.signatures {
            let listed = self.bundle.blob(digest).map(|blob| blob.media_type.clone()).unwrap_or_default();
            self.manifest(digest, &listed, 0)?;
            let node = self.node(digest, &listed)?;
            self.carry(node);
        }
        Ok(())
    }

    /// The tag, where a carried one is of this image: its repository, and its digest or the digest in its name.
    fn belongs(&self, reference: &Reference, descriptor: &Descriptor) -> Option<String> {
        let tag = reference.tag()?;
        let named = |digest: &Digest| {
            tag.strip_prefix(digest.algorithm().name())
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|rest| rest.starts_with(digest.hex()))
        };
        let of_it = self.graph.image.signatures.contains(&descriptor.digest)
            || self.graph.documents.iter().any(|node| named(&node.digest))
            || self.graph.omitted.iter().any(named);
        (reference.name() == self.graph.image.reference.name() && of_it).then(|| tag.to_owned())
    }

    fn carry(&mut self, node: Node) {
        if !self.graph.carried.contains(&node) {
            self.graph.carried.push(node);
        }
    }

    fn node(&self, digest: &Digest, media_type: &str) -> Result<Node> {
        let Some(blob) = self.bundle.blob(digest) else {
            return Err(self.broken(digest, "the bundle does not hold it".to_owned()));
        };
        Ok(Node { digest: digest.clone(), size: blob.size, media_type: media_type.to_owned() })
    }

    fn schema1(&self) -> EngineError {
        ImportError::Unfit {
            image: self.graph.name(),
            target: "any target".to_owned(),
            reason: "its manifest is of Docker schema 1, which runtimes and registries no longer take".to_owned(),
            hint: "nothing was written: have it built or pushed again with a current tool on the connected side, and \
                   pack it anew; until then --only imports the others",
        }
        .into()
    }

    fn broken(&self, digest: &Digest, reason: String) -> EngineError {
        ImportError::Document { image: self.graph.name(), digest: digest.clone(), reason }.into()
    }

    /// A document whole; nothing where it is damaged, which is noted.
    fn read(&mut self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.bundle.read_sound(digest, limit)? {
            Ok(bytes) => Ok(Some(bytes)),
            Err(damage) => {
                let size = self.bundle.blob(digest).map_or(0, |blob| blob.size);
                let sound = (self.elsewhere)(digest, size);
                if sound.is_none() {
                    self.damaged.get_or_insert(damage);
                }
                Ok(sound)
            }
        }
    }

    fn manifest(&mut self, digest: &Digest, declared: &str, depth: usize) -> Result<()> {
        if !self.seen.insert(digest.clone()) {
            return Ok(());
        }
        if depth > MAX_NESTING {
            return Err(self.broken(digest, "indexes nest too deep".to_owned()));
        }
        let Some(bytes) = self.read(digest, MAX_MANIFEST)? else { return Ok(()) };
        let document = match manifest::parse(&bytes, Some(declared)) {
            Ok(document) => document,
            Err(ManifestError::Schema1) => return Err(self.schema1()),
            Err(error) => return Err(self.broken(digest, error.to_string())),
        };
        let node = self.node(digest, document.media_type())?;
        let index = matches!(document, Document::Index(_));
        for child in document.children() {
            self.child(digest, child, index, depth)?;
        }
        if let Document::Manifest(manifest) = &document
            && manifest.is_image()
            && self.bundle.blob(&manifest.config.digest).is_some_and(|blob| blob.size <= MAX_CONFIG)
        {
            // Targets look into it before they write.
            self.read(&manifest.config.digest, MAX_CONFIG)?;
        }
        if let Some(referral) = document.referral() {
            self.graph.referrers.push(Referrer { node: node.clone(), referral });
        }
        self.graph.documents.push(node);
        Ok(())
    }

    fn child(&mut self, parent: &Digest, child: &Descriptor, in_index: bool, depth: usize) -> Result<()> {
        let Some(blob) = self.bundle.blob(&child.digest) else {
            return if in_index {
                self.graph.omitted.push(child.digest.clone());
                Ok(())
            } else if child.urls.is_empty() {
                Err(self.broken(parent, format!("it needs {}, which the bundle does not hold", child.digest)))
            } else {
                // A foreign layer stays where its owner keeps it.
                Ok(())
            };
        };
        if blob.size != child.size {
            let reason =
                format!("it says that {} has {} bytes, it has {}", child.digest, child.size, blob.size);
            return Err(self.broken(parent, reason));
        }
        if mt::is_document(&child.media_type) {
            return self.manifest(&child.digest, &child.media_type, depth + 1);
        }
        if self.seen.insert(child.digest.clone()) {
            let node = self.node(&child.digest, &child.media_type)?;
            self.graph.blobs.push(node);
        }
        Ok(())
    }
}
