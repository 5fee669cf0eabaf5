//! What refers to a manifest: the referrers API, the tag that stands in for it, and cosign's tags.

use http::header::{ACCEPT, HeaderValue};

use super::Registry;
use super::call::{Call, Target};
use super::error::{Problem, Result};
use super::manifests::Fetched;
use super::tags::next_page;
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, Descriptor, Document};
use crate::domain::media_type as mt;
use crate::domain::reference::Repository;

/// What refers to a manifest.
#[derive(Clone, Debug)]
pub struct Referrers {
    /// The manifests that name it as their subject, in the registry's order.
    pub descriptors: Vec<Descriptor>,
    /// How that was found out.
    pub source: ReferrersSource,
    /// The index under the fallback tag, where that was used: it must travel along.
    pub fallback: Option<Fetched>,
}

/// How referrers were found (distribution spec, "Listing Referrers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrersSource {
    /// The registry has the API.
    Api,
    /// The registry has no API, but an index under the tag `sha256-<hex>`.
    FallbackTag,
    /// Neither; nothing is known to refer to it.
    None,
}

impl Registry {
    /// Lists what refers to `digest`.
    ///
    /// # Errors
    /// What a request can meet; [`Problem::Malformed`] where the answer is no index.
    pub async fn referrers(&self, repo: &Repository, digest: &Digest) -> Result<Referrers> {
        let object = format!("{repo}@{digest}");
        let mut call = Call::read("list the referrers of", repo, &format!("referrers/{digest}"), object)
            .header(ACCEPT, HeaderValue::from_static(mt::OCI_INDEX));
        // Registries without the API answer 404, some also 400, 405 or 501.
        call.accept = &[200, 400, 404, 405, 501];
        let limits = &self.core.limits;
        let mut descriptors: Vec<Descriptor> = Vec::new();
        for _ in 0..limits.pages {
            let response = self.call(&call).await?;
            if response.status != 200 {
                return self.by_tag(&call, repo, digest).await;
            }
            let next = next_page(&response.url, &response.headers).map_err(|problem| call.error(problem))?;
            let bytes = self.body(&call, response, limits.manifest, "a list of referrers").await?;
            let page = index(&bytes).map_err(|problem| call.error(problem))?;
            let count = page.len();
            descriptors.extend(page);
            if descriptors.len() > limits.entries {
                break;
            }
            match next {
                Some(next) if count > 0 => call.target = Target::Url(next),
                _ => return Ok(Referrers { descriptors, source: ReferrersSource::Api, fallback: None }),
            }
        }
        Err(call.error(Problem::TooLarge { what: "a list of referrers", limit: limits.entries as u64 }))
    }

    async fn by_tag(&self, call: &Call<'_>, repo: &Repository, digest: &Digest) -> Result<Referrers> {
        match self.manifest(repo, &fallback_tag(digest)).await {
            Ok(fetched) => Ok(Referrers {
                descriptors: index(&fetched.bytes).map_err(|problem| call.error(problem))?,
                source: ReferrersSource::FallbackTag,
                fallback: Some(fetched),
            }),
            Err(error) if error.is_not_found() => {
                Ok(Referrers { descriptors: Vec::new(), source: ReferrersSource::None, fallback: None })
            }
            Err(error) => Err(error),
        }
    }

    /// What cosign keeps about `digest` under a tag: `suffix` is `sig`, `att` or `sbom`. Nothing where there is none.
    ///
    /// # Errors
    /// What a request can meet.
    pub async fn cosign_tag(
        &self,
        repo: &Repository,
        digest: &Digest,
        suffix: &str,
    ) -> Result<Option<Fetched>> {
        let tag = format!("{}.{suffix}", fallback_tag(digest));
        match self.manifest(repo, &tag).await {
            Ok(fetched) => Ok(Some(fetched)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// `sha256-<hex>`: the tag schema for registries without the referrers API; cut to what a tag can hold.
pub(crate) fn fallback_tag(digest: &Digest) -> String {
    let mut tag = format!("{}-{}", digest.algorithm().name(), digest.hex());
    tag.truncate(128);
    tag
}

fn index(bytes: &[u8]) -> std::result::Result<Vec<Descriptor>, Problem> {
    match manifest::parse(bytes, None) {
        Ok(Document::Index(index)) => Ok(index.manifests),
        Ok(Document::Manifest(_)) => Err(Problem::Malformed("a manifest where an index is due".to_owned())),
        Err(error) => Err(Problem::Malformed(error.to_string())),
    }
}
