//! Which one platform of an image goes into a target that holds one: asked for, or the target's own; said before anything is written.

use super::Job;
use super::error::ImportError;
use super::graph::ImageGraph;
use crate::domain::bundle::ImagePlatform;
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, Document, ImageConfig, MAX_MANIFEST, Manifest};
use crate::domain::platform::Platform;
use crate::engine::bundle::graph::MAX_CONFIG;
use crate::engine::error::{EngineError, Result};

/// A target that holds one platform of each image.
pub(super) struct Single {
    /// As it is written on a command line.
    pub(super) target: String,
    /// The platform that it is for; nothing where that is not known.
    pub(super) platform: Option<Platform>,
    /// What to do about an image without that platform.
    pub(super) other_platform: &'static str,
    /// What to do about an image of several where none was asked for.
    pub(super) several: &'static str,
    /// What to do about something that is no image.
    pub(super) artifact: &'static str,
}

/// The manifest that is taken.
#[derive(Clone)]
pub(super) struct Chosen {
    /// Its digest.
    pub(super) digest: Digest,
    /// Itself.
    pub(super) manifest: Manifest,
    /// Its platform, where the bundle says.
    pub(super) platform: Option<Platform>,
}

impl Single {
    /// Chooses.
    ///
    /// # Errors
    /// [`ImportError::Unfit`] where the image has no such platform, has several, or is no image.
    pub(super) fn choose(&self, job: &Job, image: &ImageGraph) -> Result<Chosen> {
        let carried = image.image.platforms.as_slice();
        let wanted = job.spec.platform.as_ref().or(self.platform.as_ref());
        let found = match (wanted, carried) {
            (_, []) => None,
            (None, [only]) => Some(only),
            (Some(wanted), all) => {
                let found = all.iter().find(|one| wanted.accepts(&one.platform()));
                if found.is_none() {
                    let reason = format!("it has no {wanted}, only {}", platforms(carried));
                    return Err(self.unfit(image, reason, self.other_platform));
                }
                found
            }
            (None, _) => {
                let reason =
                    format!("the format holds one platform and the image has {}", platforms(carried));
                return Err(self.unfit(image, reason, self.several));
            }
        };
        let digest = found.map_or(&image.image.digest, |one| &one.digest).clone();
        match parse(job, &digest, image)? {
            Document::Manifest(manifest) if manifest.is_image() => {
                Ok(Chosen { digest, manifest: *manifest, platform: found.map(ImagePlatform::platform) })
            }
            _ => {
                let reason = "it is no container image but another kind of artifact".to_owned();
                Err(self.unfit(image, reason, self.artifact))
            }
        }
    }

    fn unfit(&self, image: &ImageGraph, reason: String, hint: &'static str) -> EngineError {
        ImportError::Unfit { image: image.name(), target: self.target.clone(), reason, hint }.into()
    }
}

fn platforms(carried: &[ImagePlatform]) -> String {
    carried.iter().map(|one| one.platform().to_string()).collect::<Vec<_>>().join(", ")
}

fn parse(job: &Job, digest: &Digest, image: &ImageGraph) -> Result<Document> {
    let bytes = job.bundle.read(digest, MAX_MANIFEST)?;
    manifest::parse(&bytes, None).map_err(|error| broken(image, digest, error.to_string()))
}

impl Chosen {
    /// Its configuration. Loaders name unpacked layers by position, so that the two lists must be of one length.
    ///
    /// # Errors
    /// [`ImportError::Document`] where it is none or the lists differ.
    pub(super) fn config(&self, job: &Job, image: &ImageGraph) -> Result<ImageConfig> {
        let digest = &self.manifest.config.digest;
        let bytes = job.bundle.read(digest, MAX_CONFIG)?;
        let config = ImageConfig::parse(&bytes).map_err(|error| broken(image, digest, error.to_string()))?;
        let (layers, diff_ids) = (self.manifest.layers.len(), config.rootfs.diff_ids.len());
        if layers == diff_ids {
            Ok(config)
        } else {
            Err(broken(image, digest, format!("it lists {diff_ids} diff_ids, the manifest {layers} layers")))
        }
    }
}

/// A document that contradicts the signed list.
pub(super) fn broken(image: &ImageGraph, digest: &Digest, reason: String) -> EngineError {
    ImportError::Document { image: image.name(), digest: digest.clone(), reason }.into()
}
