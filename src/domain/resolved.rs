//! What a reference resolved to: the pinned digest, every document verbatim, and the blobs that have to be carried.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::bundle::ImagePlatform;
use super::digest::Digest;
use super::lint::Finding;
use super::manifest::Descriptor;
use super::reference::Reference;
use super::selection::{Origin, Request};

/// A manifest or index as the registry sent it; the bytes hash to the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedDocument {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: String,
    /// Its bytes, verbatim; at most 4 MiB.
    pub bytes: Bytes,
}

/// One reference, pinned, with everything that belongs to it by descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImage {
    /// As the operator wrote it.
    pub requested: String,
    /// Its full form; a tag stays a tag, the digest is beside it in `digest`.
    pub reference: Reference,
    /// `host/repository` it was read from.
    pub source: String,
    /// Digest of the top document.
    pub digest: Digest,
    /// Type of the top document.
    pub media_type: String,
    /// When it was resolved, UTC.
    pub resolved_at: jiff::Timestamp,
    /// Every manifest and index that is carried, signatures included; the top one first, none twice.
    pub documents: Vec<ResolvedDocument>,
    /// Every configuration and layer of those documents, none twice.
    pub blobs: Vec<Descriptor>,
    /// What is carried, in the order of the index.
    pub platforms: Vec<ImagePlatform>,
    /// What a platform filter left out; sizes are those of the manifests alone, which are not read.
    pub omitted: Vec<ImagePlatform>,
    /// Top digests of carried cosign and referrer manifests.
    pub signatures: Vec<Digest>,
    /// Tags of the same repository to be carried beside the reference: cosign's and the referrers fallback.
    pub extra_tags: Vec<(String, Digest)>,
    /// What is to be said about the name or the content.
    pub findings: Vec<Finding>,
}

impl ResolvedImage {
    /// Bytes of this image: documents and blobs, each once.
    pub fn bytes(&self) -> u64 {
        let documents = self.documents.iter().map(|document| document.bytes.len() as u64);
        documents.chain(self.blobs.iter().map(|blob| blob.size)).fold(0, u64::saturating_add)
    }
}

/// Every blob of several images once: digest to length in bytes, documents included.
pub fn distinct_blobs<'a>(images: impl IntoIterator<Item = &'a ResolvedImage>) -> BTreeMap<Digest, u64> {
    let mut sizes = BTreeMap::new();
    for image in images {
        for document in &image.documents {
            sizes.insert(document.digest.clone(), document.bytes.len() as u64);
        }
        for blob in &image.blobs {
            sizes.insert(blob.digest.clone(), blob.size);
        }
    }
    sizes
}

/// A resolved reference, without its documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageView {
    /// As it was written.
    pub requested: String,
    /// Where.
    pub origin: Origin,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its full form.
    pub reference: Reference,
    /// Digest of the top manifest.
    pub digest: Digest,
    /// Its type.
    pub media_type: String,
    /// When, UTC.
    pub resolved_at: jiff::Timestamp,
    /// What is carried.
    pub platforms: Vec<ImagePlatform>,
    /// What a platform filter leaves out.
    pub omitted_platforms: Vec<ImagePlatform>,
    /// Signatures and referrers.
    pub signatures: Vec<Digest>,
    /// Bytes of all of it.
    pub bytes: u64,
    /// What is to be said about it.
    pub findings: Vec<Finding>,
    /// Every document and blob with its length in bytes, to sum up what several images share.
    #[serde(skip)]
    pub contents: Vec<(Digest, u64)>,
}

impl ImageView {
    /// Of what a request resolved to.
    pub fn of(request: &Request, image: &ResolvedImage) -> Self {
        Self {
            requested: image.requested.clone(),
            origin: request.origin.clone(),
            note: request.note.clone(),
            reference: image.reference.clone(),
            digest: image.digest.clone(),
            media_type: image.media_type.clone(),
            resolved_at: image.resolved_at,
            platforms: image.platforms.clone(),
            omitted_platforms: image.omitted.clone(),
            signatures: image.signatures.clone(),
            bytes: image.bytes(),
            findings: image.findings.clone(),
            contents: distinct_blobs([image]).into_iter().collect(),
        }
    }
}
