//! What may be asked for: repositories by upstream host, their tags, manifests, blobs and referrers, over one or more sources.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::refusal::Refusal;
use super::source::Source;
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, Document, MAX_MANIFEST, MAX_NESTING, Referral};
use crate::domain::media_type as mt;
use crate::domain::reference::Reference;
use crate::engine::error::{Explain, Kind, Result};

/// Why sources cannot be served together.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A manifest of a source cannot be read.
    #[error("{source_label}: manifest {digest} of {reference}: {reason}")]
    Manifest {
        /// The source.
        source_label: String,
        /// The image.
        reference: String,
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
    },
}

impl Explain for CatalogError {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }
}

/// Content that was found, ready to be opened.
#[derive(Clone)]
pub struct Found {
    /// Where it lies.
    pub source: Arc<dyn Source>,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Its true media type.
    pub media_type: String,
}

/// A manifest that refers to another one, as the referrers API lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Referrer {
    /// The type by which clients filter.
    pub fn artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref()
    }
}

#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, Digest>,
    manifests: HashMap<Digest, Found>,
    blobs: HashMap<Digest, Found>,
    referrers: HashMap<Digest, Vec<Referrer>>,
}

/// Everything that is served.
#[derive(Default)]
pub struct Catalog {
    /// By upstream host and repository.
    repositories: BTreeMap<(String, String), Repository>,
    conflicts: Vec<String>,
}

impl Catalog {
    /// Reads the manifests of all sources. Where two give a tag different content the first one has it. Blocks.
    ///
    /// # Errors
    /// [`CatalogError`], or what a source could not read.
    pub fn new(sources: &[Arc<dyn Source>]) -> Result<Self> {
        let mut catalog = Self::default();
        for source in sources {
            for root in source.roots()? {
                let key = (root.reference.host().to_owned(), root.reference.repository().to_owned());
                let repository = catalog.repositories.entry(key).or_default();
                repository.walk(source, &root.reference, &root.digest, &root.media_type, 0)?;
                let Some(tag) = root.reference.tag() else { continue };
                let known = repository.tags.entry(tag.to_owned()).or_insert_with(|| root.digest.clone());
                if *known != root.digest {
                    catalog.conflicts.push(format!(
                        "{}:{tag} is {known} and, in {}, {}: the first one is served under the tag, both by digest",
                        root.reference.name(),
                        source.label(),
                        root.digest,
                    ));
                }
            }
        }
        Ok(catalog)
    }

    /// Tags that two sources give different content, in words.
    pub fn conflicts(&self) -> &[String] {
        &self.conflicts
    }

    /// Every tag as `host/repository:tag`, sorted.
    pub fn references(&self) -> Vec<String> {
        let all = self.repositories.iter();
        all.flat_map(|((host, name), repository)| {
            repository.tags.keys().map(move |tag| format!("{host}/{name}:{tag}"))
        })
        .collect()
    }

    /// The upstream hosts, sorted.
    pub fn hosts(&self) -> BTreeSet<&str> {
        self.repositories.keys().map(|(host, _)| host.as_str()).collect()
    }

    /// The names to list: `host/repository`, which always resolve; without a host that has a port, as the
    /// grammar of repository names has no colon (distribution spec, "Pulling manifests").
    pub fn names(&self) -> Vec<String> {
        let names: BTreeSet<String> =
            self.repositories.keys().map(|(host, name)| Self::path(host, name)).collect();
        names.into_iter().collect()
    }

    fn path(host: &str, name: &str) -> String {
        if host.contains(':') { name.to_owned() } else { format!("{host}/{name}") }
    }

    /// What a client asks this registry for instead of the first reference: `repository:tag`, ready for `pull`.
    pub fn example(&self) -> Option<String> {
        self.repositories.iter().find_map(|((host, name), repository)| {
            let tag = repository.tags.keys().find(|tag| !tag.starts_with("sha256-"))?;
            Some(format!("{}:{tag}", Self::path(host, name)))
        })
    }

    /// A manifest by tag or digest.
    ///
    /// # Errors
    /// That there is none, or that it is not clear which is meant.
    pub fn manifest(
        &self,
        ns: Option<&str>,
        name: &str,
        selector: &str,
    ) -> std::result::Result<Found, Refusal> {
        let candidates = self.candidates(ns, name)?;
        let unknown = || Refusal::Manifest { name: name.to_owned(), selector: selector.to_owned() };
        if selector.contains(':') {
            let digest: Digest = selector.parse().map_err(|_| Refusal::Digest(selector.to_owned()))?;
            let found = candidates.iter().find_map(|(_, repository)| repository.manifests.get(&digest));
            return found.cloned().ok_or_else(unknown);
        }
        let tagged: Vec<_> = candidates
            .iter()
            .filter_map(|(host, repository)| Some((*host, *repository, repository.tags.get(selector)?)))
            .collect();
        let (_, repository, digest) = tagged.first().ok_or_else(unknown)?;
        if tagged.iter().any(|(_, _, other)| other != digest) {
            let hosts = tagged.iter().map(|(host, ..)| (*host).to_owned()).collect();
            return Err(Refusal::Ambiguous { name: name.to_owned(), tag: selector.to_owned(), hosts });
        }
        repository.manifests.get(*digest).cloned().ok_or_else(unknown)
    }

    /// A blob that a manifest of the repository refers to.
    ///
    /// # Errors
    /// That there is none.
    pub fn blob(&self, ns: Option<&str>, name: &str, digest: &Digest) -> std::result::Result<Found, Refusal> {
        let candidates = self.candidates(ns, name)?;
        let found = candidates.iter().find_map(|(_, repository)| repository.blobs.get(digest));
        let unknown = || Refusal::Blob { name: name.to_owned(), digest: digest.to_string() };
        found.cloned().ok_or_else(unknown)
    }

    /// The tags of a repository, sorted.
    ///
    /// # Errors
    /// That there is no such repository.
    pub fn tags(&self, ns: Option<&str>, name: &str) -> std::result::Result<Vec<String>, Refusal> {
        let candidates = self.candidates(ns, name)?;
        let tags: BTreeSet<&String> =
            candidates.iter().flat_map(|(_, repository)| repository.tags.keys()).collect();
        Ok(tags.into_iter().cloned().collect())
    }

    /// The manifests that refer to a digest by their `subject`, in the order of their digests.
    ///
    /// # Errors
    /// That there is no such repository.
    pub fn referrers(
        &self,
        ns: Option<&str>,
        name: &str,
        subject: &Digest,
    ) -> std::result::Result<Vec<Referrer>, Refusal> {
        let candidates = self.candidates(ns, name)?;
        let all = candidates.iter().filter_map(|(_, repository)| repository.referrers.get(subject)).flatten();
        let unique: BTreeMap<&Digest, &Referrer> = all.map(|referrer| (&referrer.digest, referrer)).collect();
        Ok(unique.into_values().cloned().collect())
    }

    /// The repositories a name may mean. With `ns` (containerd's upstream host) it is one; without, both
    /// `host/repository` and `repository` are understood.
    fn candidates(
        &self,
        ns: Option<&str>,
        name: &str,
    ) -> std::result::Result<Vec<(&str, &Repository)>, Refusal> {
        let matches = |host: &str, repository: &str| {
            let full = name.strip_prefix(host).and_then(|rest| rest.strip_prefix('/')) == Some(repository);
            ns.is_none_or(|ns| same_host(ns, host)) && (full || name == repository)
        };
        let found: Vec<_> = self
            .repositories
            .iter()
            .filter(|((host, repository), _)| matches(host, repository))
            .map(|((host, _), repository)| (host.as_str(), repository))
            .collect();
        if found.is_empty() { Err(Refusal::Name(name.to_owned())) } else { Ok(found) }
    }
}

/// Docker Hub has several names; runtimes may send any of them.
fn same_host(asked: &str, host: &str) -> bool {
    let hub = |name: &str| matches!(name, "docker.io" | "index.docker.io" | "registry-1.docker.io");
    asked == host || (hub(asked) && hub(host))
}

impl Repository {
    /// Takes in a manifest and everything it refers to that the source has.
    fn walk(
        &mut self,
        source: &Arc<dyn Source>,
        reference: &Reference,
        digest: &Digest,
        declared: &str,
        depth: usize,
    ) -> Result<()> {
        if self.manifests.contains_key(digest) {
            return Ok(());
        }
        let broken = |reason: String| CatalogError::Manifest {
            source_label: source.label(),
            reference: reference.to_string(),
            digest: digest.clone(),
            reason,
        };
        if depth > MAX_NESTING {
            return Err(broken(format!("indexes nest deeper than {MAX_NESTING}")).into());
        }
        let bytes = source.read(digest, MAX_MANIFEST)?;
        let document = manifest::parse(&bytes, Some(declared)).map_err(|error| broken(error.to_string()))?;
        let found = |digest: &Digest, media_type: &str, size| Found {
            source: Arc::clone(source),
            digest: digest.clone(),
            size,
            media_type: media_type.to_owned(),
        };
        let size = bytes.len() as u64;
        self.manifests.insert(digest.clone(), found(digest, document.media_type(), size));
        self.note_referrer(&document, digest, size);
        let is_index = matches!(document, Document::Index(_));
        for child in document.children() {
            // What a platform filter left out stays listed in the index and is not here.
            let Some(size) = source.size(&child.digest) else { continue };
            if is_index && mt::is_document(&child.media_type) {
                self.walk(source, reference, &child.digest, &child.media_type, depth + 1)?;
            } else {
                let entry = found(&child.digest, &child.media_type, size);
                self.blobs.entry(child.digest.clone()).or_insert(entry);
            }
        }
        Ok(())
    }

    fn note_referrer(&mut self, document: &Document, digest: &Digest, size: u64) {
        if let Some(Referral { subject, artifact_type, annotations }) = document.referral() {
            self.referrers.entry(subject).or_default().push(Referrer {
                media_type: document.media_type().to_owned(),
                digest: digest.clone(),
                size,
                artifact_type,
                annotations,
            });
        }
    }
}
