//! Walks from a top manifest to every document and blob that is carried, with caps on depth, number and size.

use std::collections::{HashMap, HashSet};

use super::{ResolveError, Session};
use crate::domain::bundle::ImagePlatform;
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, Descriptor, Document, ImageConfig, Index, Manifest};
use crate::domain::media_type as mt;
use crate::domain::platform::Platform;
use crate::domain::reference::Repository;
use crate::domain::resolved::ResolvedDocument;
use crate::engine::error::Result;
use crate::engine::hash::Hasher;
use crate::engine::registry::Fetched;

/// Indexes in indexes are followed so deep.
const MAX_DEPTH: usize = 4;
/// Documents of one reference, signatures included.
const MAX_DOCUMENTS: usize = 2000;
/// Bytes of all documents of one reference.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Blobs of one reference.
const MAX_BLOBS: usize = 100_000;
/// Bytes of a configuration that is read for its platform.
const MAX_CONFIG: u64 = 8 * 1024 * 1024;
/// What BuildKit writes beside an image: the digest of the image that an attestation is about.
const ATTESTS: &str = "vnd.docker.reference.digest";

/// Everything found so far.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) documents: Vec<ResolvedDocument>,
    pub(super) blobs: Vec<Descriptor>,
    pub(super) platforms: Vec<ImagePlatform>,
    pub(super) omitted: Vec<ImagePlatform>,
    pub(super) signatures: Vec<Digest>,
    pub(super) extra_tags: Vec<(String, Digest)>,
}

/// How much was found at some moment.
pub(super) struct Mark {
    documents: usize,
    blobs: usize,
    signatures: usize,
    extra_tags: usize,
}

pub(super) struct Walk<'a> {
    pub(super) session: &'a Session,
    pub(super) repo: &'a Repository,
    wanted: &'a [Platform],
    pub(super) parts: Parts,
    seen: HashSet<Digest>,
    sizes: HashMap<Digest, u64>,
    bytes: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(session: &'a Session, repo: &'a Repository, wanted: &'a [Platform]) -> Self {
        let (parts, seen, sizes) = (Parts::default(), HashSet::new(), HashMap::new());
        Self { session, repo, wanted, parts, seen, sizes, bytes: 0 }
    }

    pub(super) fn finish(self) -> Parts {
        self.parts
    }

    pub(super) fn mark(&self) -> Mark {
        let Parts { documents, blobs, signatures, extra_tags, .. } = &self.parts;
        Mark {
            documents: documents.len(),
            blobs: blobs.len(),
            signatures: signatures.len(),
            extra_tags: extra_tags.len(),
        }
    }

    /// Forgets what was attached since: half of an artifact is none.
    pub(super) fn back_to(&mut self, mark: &Mark) {
        for document in self.parts.documents.drain(mark.documents..) {
            self.seen.remove(&document.digest);
            self.bytes -= document.bytes.len();
        }
        for blob in self.parts.blobs.drain(mark.blobs..) {
            self.sizes.remove(&blob.digest);
        }
        self.parts.signatures.truncate(mark.signatures);
        self.parts.extra_tags.truncate(mark.extra_tags);
    }

    /// Takes the top document and all below it; gives its media type.
    pub(super) async fn top(&mut self, reference: &str, top: &Fetched) -> Result<String> {
        let document = self.parse(top, None)?;
        let media_type = document.media_type().to_owned();
        self.add_document(top, &media_type)?;
        let any = match &document {
            Document::Index(index) => self.index(&top.digest, index, 0).await?,
            Document::Manifest(manifest) => self.top_manifest(top, manifest).await?,
        };
        if !any {
            let wanted: Vec<String> = self.wanted.iter().map(ToString::to_string).collect();
            return Err(ResolveError::NoPlatform {
                reference: reference.to_owned(),
                wanted: wanted.join(", "),
                available: self.available(),
            }
            .into());
        }
        for wanted in self.wanted {
            let found = self.parts.platforms.iter().any(|platform| wanted.accepts(&platform.platform()));
            if !found && !self.parts.platforms.is_empty() {
                self.session.ctx.warn(format!("{reference} has nothing for {wanted}"));
            }
        }
        Ok(media_type)
    }

    /// Takes a document and all below it, whatever the platform filter: signatures and what else belongs to an image.
    pub(super) async fn attach(&mut self, fetched: &Fetched, declared: Option<&str>) -> Result<Document> {
        let document = self.parse(fetched, declared)?;
        if self.add_document(fetched, document.media_type())? {
            match &document {
                Document::Manifest(manifest) => self.add_blobs(manifest).await?,
                Document::Index(index) => {
                    for child in &index.manifests {
                        let inner = self.child(&fetched.digest, child).await?;
                        match self.parse(&inner, Some(&child.media_type))? {
                            Document::Manifest(manifest) => {
                                if self.add_document(&inner, &manifest.media_type)? {
                                    self.add_blobs(&manifest).await?;
                                }
                            }
                            Document::Index(_) => return Err(self.too_deep(&child.digest)),
                        }
                    }
                }
            }
        }
        Ok(document)
    }

    async fn top_manifest(&mut self, top: &Fetched, manifest: &Manifest) -> Result<bool> {
        if let Some(platform) = self.platform_of(manifest).await? {
            let size = carried_size(top.bytes.len(), manifest);
            let entry = entry(platform, &top.digest, size);
            if !self.is_wanted(&entry.platform()) {
                self.parts.omitted.push(entry);
                return Ok(false);
            }
            self.parts.platforms.push(entry);
        }
        self.add_blobs(manifest).await?;
        Ok(true)
    }

    /// Takes what is wanted of an index; whether anything was.
    async fn index(&mut self, own: &Digest, index: &Index, depth: usize) -> Result<bool> {
        if depth >= MAX_DEPTH {
            return Err(self.too_deep(own));
        }
        let mut any = index.manifests.is_empty();
        for child in index.manifests.iter().filter(|child| !child.annotations.contains_key(ATTESTS)) {
            self.session.ctx.check()?;
            any |= Box::pin(self.listed(own, child, depth)).await?;
        }
        // An attestation travels with the image it is about.
        for child in &index.manifests {
            let about = child.annotations.get(ATTESTS).and_then(|text| text.parse::<Digest>().ok());
            if about.is_some_and(|about| self.seen.contains(&about)) {
                let fetched = self.child(own, child).await?;
                self.attach(&fetched, Some(&child.media_type)).await?;
            }
        }
        Ok(any)
    }

    async fn listed(&mut self, own: &Digest, child: &Descriptor, depth: usize) -> Result<bool> {
        let known = child.platform.as_ref().filter(|platform| platform.os != "unknown");
        if let Some(platform) = known.filter(|platform| !self.is_wanted(platform)) {
            self.parts.omitted.push(entry(platform.clone(), &child.digest, child.size));
            return Ok(false);
        }
        if !mt::is_document(&child.media_type) && !child.media_type.is_empty() {
            let (digest, media_type) = (child.digest.clone(), child.media_type.clone());
            return Err(ResolveError::Listed { object: self.name(own), digest, media_type }.into());
        }
        let fetched = self.child(own, child).await?;
        match self.parse(&fetched, Some(&child.media_type))? {
            Document::Index(index) => {
                let any = self.index(&child.digest, &index, depth + 1).await?;
                if any {
                    self.add_document(&fetched, &index.media_type)?;
                }
                Ok(any)
            }
            Document::Manifest(manifest) => {
                let platform = match known {
                    Some(platform) => Some(platform.clone()),
                    None => self.platform_of(&manifest).await?,
                };
                if let Some(platform) = platform {
                    let entry = entry(platform, &child.digest, carried_size(fetched.bytes.len(), &manifest));
                    if !self.is_wanted(&entry.platform()) {
                        self.parts.omitted.push(entry);
                        return Ok(false);
                    }
                    self.parts.platforms.push(entry);
                } else if !self.wanted.is_empty() {
                    return Ok(false);
                }
                if self.add_document(&fetched, &manifest.media_type)? {
                    self.add_blobs(&manifest).await?;
                }
                Ok(true)
            }
        }
    }

    /// The platforms that were left out, each once.
    fn available(&self) -> String {
        let mut names: Vec<String> =
            self.parts.omitted.iter().map(|platform| platform.platform().to_string()).collect();
        names.sort();
        names.dedup();
        if names.is_empty() { "nothing that names a platform".to_owned() } else { names.join(", ") }
    }

    fn is_wanted(&self, platform: &Platform) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted.accepts(platform))
    }

    /// Fetches what a descriptor points at and compares the length.
    pub(super) async fn child(&self, parent: &Digest, child: &Descriptor) -> Result<Fetched> {
        if child.size > manifest::MAX_MANIFEST {
            let source = manifest::ManifestError::TooLarge { size: child.size };
            return Err(ResolveError::Manifest { object: self.name(&child.digest), source }.into());
        }
        let fetched = self.session.manifest(self.repo, &child.digest.to_string()).await?;
        let actual = fetched.bytes.len() as u64;
        if actual == child.size {
            Ok(fetched)
        } else {
            let object = format!("{} (in {})", self.name(&child.digest), parent.short());
            let (expected, actual) = (format!("{} bytes", child.size), format!("{actual} bytes"));
            Err(ResolveError::Descriptor { object, expected, actual }.into())
        }
    }

    fn parse(&self, fetched: &Fetched, declared: Option<&str>) -> Result<Document> {
        let at = |source| ResolveError::Manifest { object: self.name(&fetched.digest), source };
        let document = manifest::parse(&fetched.bytes, Some(&fetched.media_type)).map_err(at)?;
        match declared.filter(|declared| !declared.is_empty() && *declared != document.media_type()) {
            None => Ok(document),
            Some(expected) => Err(ResolveError::Descriptor {
                object: self.name(&fetched.digest),
                expected: expected.to_owned(),
                actual: document.media_type().to_owned(),
            }
            .into()),
        }
    }

    /// Adds a document once; whether it is new.
    fn add_document(&mut self, fetched: &Fetched, media_type: &str) -> Result<bool> {
        if !self.seen.insert(fetched.digest.clone()) {
            return Ok(false);
        }
        self.bytes += fetched.bytes.len();
        if self.parts.documents.len() >= MAX_DOCUMENTS || self.bytes > MAX_BYTES {
            let object = self.name(&fetched.digest);
            return Err(
                ResolveError::TooMuch { object, what: "too many manifests", limit: MAX_DOCUMENTS }.into()
            );
        }
        self.parts.documents.push(ResolvedDocument {
            digest: fetched.digest.clone(),
            media_type: media_type.to_owned(),
            bytes: fetched.bytes.clone(),
        });
        Ok(true)
    }

    async fn add_blobs(&mut self, manifest: &Manifest) -> Result<()> {
        for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
            if let Some(&first) = self.sizes.get(&blob.digest) {
                if first != blob.size {
                    let object = self.name(&blob.digest);
                    return Err(ResolveError::Sizes { object, first, second: blob.size }.into());
                }
                continue;
            }
            if self.parts.blobs.len() >= MAX_BLOBS {
                let object = self.name(&blob.digest);
                return Err(ResolveError::TooMuch { object, what: "too many blobs", limit: MAX_BLOBS }.into());
            }
            if !blob.urls.is_empty() {
                self.check_foreign(blob).await?;
            }
            self.sizes.insert(blob.digest.clone(), blob.size);
            self.parts.blobs.push(blob.clone());
        }
        Ok(())
    }

    /// A layer with URLs may be kept elsewhere; it is carried only where this registry has it.
    async fn check_foreign(&self, blob: &Descriptor) -> Result<()> {
        if self.session.registry.blob_head(self.repo, &blob.digest).await?.is_some() {
            return Ok(());
        }
        let urls: String = blob.urls.join(", ").chars().take(300).collect();
        Err(ResolveError::Foreign { object: self.name(&blob.digest), urls }.into())
    }

    async fn platform_of(&self, manifest: &Manifest) -> Result<Option<Platform>> {
        if !manifest.is_image() {
            return Ok(None);
        }
        let config = &manifest.config;
        let refuse = |reason: String| ResolveError::Config { object: self.name(&config.digest), reason };
        if config.size > MAX_CONFIG {
            return Err(refuse(format!("it has {} bytes, at most {MAX_CONFIG} are read", config.size)).into());
        }
        let bytes = match self.session.at_hand(&config.digest, config.size).await {
            Some(bytes) => bytes.into(),
            None => self.session.registry.small_blob(self.repo, &config.digest, config.size).await?,
        };
        let mut hasher = Hasher::new(config.digest.algorithm());
        hasher.update(&bytes);
        let actual = hasher.finish();
        if actual != config.digest {
            return Err(refuse(format!("expected {}, its bytes hash to {actual}", config.digest)).into());
        }
        let parsed = ImageConfig::parse(&bytes).map_err(|error| refuse(error.to_string()))?;
        Ok(parsed.platform())
    }

    fn too_deep(&self, digest: &Digest) -> crate::engine::error::EngineError {
        ResolveError::Depth { object: self.name(digest), limit: MAX_DEPTH }.into()
    }

    pub(super) fn name(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.repo)
    }
}

fn entry(platform: Platform, digest: &Digest, size: u64) -> ImagePlatform {
    let Platform { os, architecture, variant } = platform;
    ImagePlatform { os, architecture, variant, digest: digest.clone(), size }
}

/// Bytes of a manifest, its configuration and its layers.
fn carried_size(own: usize, manifest: &Manifest) -> u64 {
    let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
    blobs.map(|blob| blob.size).fold(own as u64, u64::saturating_add)
}
