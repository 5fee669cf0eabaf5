//! What of an image goes into the containerd of a node: the documents down to the node's platform, its layers, its names.

use std::collections::HashSet;

use super::Blob;
use super::platforms::Wanted;
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, Descriptor, Document, ImageConfig, MAX_MANIFEST, Manifest};
use crate::domain::media_type as mt;
use crate::domain::platform::Platform;
use crate::engine::bundle::read::BundleReader;
use crate::engine::error::{EngineError, Result};
use crate::engine::hash::sha256;
use crate::engine::import::error::ImportError;
use crate::engine::import::graph::ImageGraph;
use crate::engine::runtime::containerd::Labels;
use crate::engine::runtime::containerd::labels::{REFERENCE, SOURCE};

/// The longest configuration that is read, in bytes; containerd reads no longer one.
const MAX_CONFIG: u64 = 8 * 1024 * 1024;

/// An image, cut down to what a node of one platform wants.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    /// What its names point at.
    pub(super) top: Blob,
    /// Everything to be in the content store, in an order in which it can be written; each with its labels there.
    pub(super) blobs: Vec<(Blob, Labels)>,
    /// What is to be unpacked, best match of the platform first.
    pub(super) runs: Vec<Runnable>,
    /// Its names in containerd, without those by id.
    pub(super) names: Vec<String>,
}

impl Pieces {
    /// Layers to be unpacked, of all its platforms.
    pub(super) fn layers(&self) -> u64 {
        self.runs.iter().map(|run| run.layers.len() as u64).sum()
    }
}

/// One platform's image.
#[derive(Clone, Debug)]
pub(super) struct Runnable {
    /// Its configuration, whose digest is the image's id in the CRI.
    pub(super) config: Digest,
    /// Its platform.
    pub(super) platform: Platform,
    /// Its layers, base first.
    pub(super) layers: Vec<Layer>,
}

/// A layer.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// As it is carried.
    pub(super) blob: Blob,
    /// Digest of its tar file.
    pub(super) diff_id: Digest,
    /// Name of the snapshot of it and all below it (OCI image specification, "Layer ChainID").
    pub(super) chain_id: String,
}

impl Runnable {
    /// Name of the snapshot of all layers.
    pub(super) fn chain_id(&self) -> Option<&str> {
        self.layers.last().map(|layer| layer.chain_id.as_str())
    }
}

/// Picks the pieces of an image for a platform. Blocks.
///
/// # Errors
/// [`ImportError::Unfit`] where it is no image or none for this platform; [`ImportError::Document`].
pub(super) fn pieces(
    bundle: &BundleReader,
    image: &ImageGraph,
    target: &str,
    wanted: &Wanted,
) -> Result<Pieces> {
    let picker = Picker { bundle, image, target, wanted };
    let top = &image.image;
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    picker.find(&top.digest, &top.media_type, None, (&mut found, &mut seen))?;
    let chosen = wanted.choose(found.iter().map(|found| found.platform.clone()));
    if chosen.is_empty() {
        return Err(picker.nothing(&found));
    }
    let chosen: Vec<&Found> = chosen.into_iter().map(|at| &found[at]).collect();
    let mut written = Written { blobs: Vec::new(), seen: HashSet::new() };
    let top = picker.write(&top.digest, &top.media_type, &chosen, &mut written)?;
    let Some(top) = top else { return Err(picker.nothing(&found)) };
    let reference = &image.image.reference;
    let mut names = Vec::new();
    if let Some(tag) = reference.tag() {
        names.push(format!("{}:{tag}", reference.name()));
    }
    for digest in [Some(&image.image.digest), reference.digest()].into_iter().flatten() {
        let name = format!("{}@{digest}", reference.name());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let runs = chosen.iter().map(|found| picker.runnable(found)).collect::<Result<Vec<_>>>()?;
    Ok(Pieces { top, blobs: written.blobs, runs, names })
}

/// A manifest of a platform.
struct Found {
    digest: Digest,
    /// As the index says, else the configuration: what containerd goes by.
    platform: Option<Platform>,
    manifest: Manifest,
    config: ImageConfig,
}

struct Written {
    blobs: Vec<(Blob, Labels)>,
    seen: HashSet<Digest>,
}

struct Picker<'a> {
    bundle: &'a BundleReader,
    image: &'a ImageGraph,
    target: &'a str,
    wanted: &'a Wanted,
}

impl Picker<'_> {
    fn broken(&self, digest: &Digest, reason: impl Into<String>) -> EngineError {
        ImportError::Document { image: self.image.name(), digest: digest.clone(), reason: reason.into() }
            .into()
    }

    fn unfit(&self, reason: String, hint: &'static str) -> EngineError {
        let (image, target) = (self.image.name(), self.target.to_owned());
        ImportError::Unfit { image, target, reason, hint }.into()
    }

    /// Why there is nothing for this node.
    fn nothing(&self, found: &[Found]) -> EngineError {
        let has: Vec<String> = found
            .iter()
            .map(|found| {
                found.platform.as_ref().map_or_else(|| "no platform".to_owned(), ToString::to_string)
            })
            .collect();
        let wanted = self.wanted.first().map(ToString::to_string).unwrap_or_default();
        if has.is_empty() {
            let reason = "it is an artifact, not an image that a container can run".to_owned();
            return self.unfit(reason, "import it into a registry; --keep-going imports the others");
        }
        let reason = format!("the bundle has it for {}, this node runs {wanted}", has.join(", "));
        self.unfit(
            reason,
            "nothing was written: pack it with --platform for this node; --keep-going imports the others",
        )
    }

    fn document(&self, digest: &Digest, declared: &str) -> Result<Document> {
        let bytes = self.bundle.read(digest, MAX_MANIFEST)?;
        manifest::parse(&bytes, Some(declared)).map_err(|error| self.broken(digest, error.to_string()))
    }

    /// Every manifest of an image below a document.
    fn find(
        &self,
        digest: &Digest,
        declared: &str,
        place: Option<&Descriptor>,
        (found, seen): (&mut Vec<Found>, &mut HashSet<Digest>),
    ) -> Result<()> {
        // What an index says of a platform that is none, as of attestations, is no image.
        let unknown = place.and_then(|place| place.platform.as_ref()).is_some_and(|p| p.os == "unknown");
        if unknown || !seen.insert(digest.clone()) {
            return Ok(());
        }
        match self.document(digest, declared)? {
            Document::Index(index) => {
                let carried =
                    index.manifests.iter().filter(|child| self.bundle.blob(&child.digest).is_some());
                for child in carried {
                    self.find(&child.digest, &child.media_type, Some(child), (&mut *found, &mut *seen))?;
                }
            }
            Document::Manifest(manifest) if manifest.is_image() => {
                let bytes = self.bundle.read(&manifest.config.digest, MAX_CONFIG)?;
                let config = ImageConfig::parse(&bytes)
                    .map_err(|error| self.broken(&manifest.config.digest, error.to_string()))?;
                let platform = place.and_then(|place| place.platform.clone()).or_else(|| config.platform());
                found.push(Found { digest: digest.clone(), platform, manifest: *manifest, config });
            }
            Document::Manifest(_) => {}
        }
        Ok(())
    }

    /// A document and what is below it, where that leads to a chosen one.
    fn write(
        &self,
        digest: &Digest,
        declared: &str,
        chosen: &[&Found],
        written: &mut Written,
    ) -> Result<Option<Blob>> {
        let document = self.document(digest, declared)?;
        let mut labels = self.origin();
        match &document {
            Document::Index(index) => {
                let mut kept = false;
                for child in &index.manifests {
                    if self.bundle.blob(&child.digest).is_none() || !mt::is_document(&child.media_type) {
                        continue;
                    }
                    if self.write(&child.digest, &child.media_type, chosen, written)?.is_some() {
                        // A key of its own for each child: another import of the same index, for another platform,
                        // must not take a key over, or the child that had it would be collected.
                        let key = format!("{REFERENCE}.m.{}", &child.digest.hex()[..12]);
                        labels.insert(key, child.digest.to_string());
                        kept = true;
                    }
                }
                if !kept {
                    return Ok(None);
                }
            }
            Document::Manifest(_) => {
                let Some(found) = chosen.iter().find(|found| found.digest == *digest) else {
                    return Ok(None);
                };
                let config = &found.manifest.config;
                labels.insert(format!("{REFERENCE}.config"), config.digest.to_string());
                for (number, layer) in found.manifest.layers.iter().enumerate() {
                    labels.insert(format!("{REFERENCE}.l.{number}"), layer.digest.to_string());
                }
                self.contents(found, written)?;
            }
        }
        let blob = self.blob(digest, document.media_type())?;
        if written.seen.insert(digest.clone()) {
            written.blobs.push((blob.clone(), labels));
        }
        Ok(Some(blob))
    }

    /// Configuration and layers of a chosen manifest.
    fn contents(&self, found: &Found, written: &mut Written) -> Result<()> {
        for layer in self.runnable(found)?.layers {
            let mut labels = self.origin();
            labels.insert("containerd.io/uncompressed".to_owned(), layer.diff_id.to_string());
            if written.seen.insert(layer.blob.digest.clone()) {
                written.blobs.push((layer.blob, labels));
            }
        }
        let config = &found.manifest.config;
        if written.seen.insert(config.digest.clone()) {
            written.blobs.push((self.blob(&config.digest, &config.media_type)?, self.origin()));
        }
        Ok(())
    }

    fn runnable(&self, found: &Found) -> Result<Runnable> {
        let (layers, diff_ids) = (&found.manifest.layers, &found.config.rootfs.diff_ids);
        if layers.len() != diff_ids.len() {
            let reason = format!(
                "it has {} layers, its configuration tells of {} unpacked ones",
                layers.len(),
                diff_ids.len()
            );
            return Err(self.broken(&found.digest, reason));
        }
        let mut below: Option<String> = None;
        let mut unpacked = Vec::with_capacity(layers.len());
        for (layer, diff_id) in layers.iter().zip(diff_ids) {
            if self.bundle.blob(&layer.digest).is_none() {
                return Err(self.unfit(
                    format!("its layer {} is kept by its owner and not in the bundle", layer.digest),
                    "containerd would have to fetch that layer: such images only run where their owner is reached",
                ));
            }
            let chain_id = match below {
                None => diff_id.to_string(),
                Some(below) => sha256(format!("{below} {diff_id}").as_bytes()).to_string(),
            };
            below = Some(chain_id.clone());
            let blob = self.blob(&layer.digest, &layer.media_type)?;
            unpacked.push(Layer { blob, diff_id: diff_id.clone(), chain_id });
        }
        let platform = found.config.platform().unwrap_or_else(Platform::host);
        Ok(Runnable { config: found.manifest.config.digest.clone(), platform, layers: unpacked })
    }

    fn blob(&self, digest: &Digest, media_type: &str) -> Result<Blob> {
        let Some(listed) = self.bundle.blob(digest) else {
            return Err(self.broken(digest, "the bundle does not hold it"));
        };
        Ok(Blob { media_type: media_type.to_owned(), digest: digest.clone(), size: listed.size })
    }

    /// Where a blob came from, for registries that nodes make of their stores.
    fn origin(&self) -> Labels {
        let reference = &self.image.image.reference;
        let label = format!("{SOURCE}{}", reference.host());
        Labels::from([(label, reference.repository().to_owned())])
    }
}
