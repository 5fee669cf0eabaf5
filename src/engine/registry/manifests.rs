//! Manifests and indexes as the registry keeps them: bytes verbatim, digest computed here, no platform ever chosen.

use bytes::Bytes;
use http::header::HeaderValue;
use http::{HeaderMap, Method};

use super::Registry;
use super::call::{self, Call};
use super::error::{Problem, Result};
use crate::domain::digest::{Algorithm, Digest};
use crate::domain::reference::Repository;
use crate::engine::hash::Hasher;

/// A manifest or index as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Of the bytes, computed here; by the algorithm of the digest that was asked for or announced, else sha256.
    pub digest: Digest,
    /// Content-Type without parameters; may be empty or generic.
    pub media_type: String,
    /// Verbatim.
    pub bytes: Bytes,
}

/// What a HEAD request tells about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestHead {
    /// As the registry claims; proven only by fetching.
    pub digest: Option<Digest>,
    /// In bytes, as the registry claims.
    pub size: Option<u64>,
    /// Content-Type without parameters.
    pub media_type: String,
}

impl Registry {
    /// Reads a manifest by tag or digest, at most 4 MiB, and compares its digest with the one asked for and announced.
    ///
    /// # Errors
    /// [`Problem::Digest`] where the bytes are others; [`Problem::NotFound`] and what else a request can meet.
    pub async fn manifest(&self, repo: &Repository, selector: &str) -> Result<Fetched> {
        let (name, value) = call::accept_manifests();
        let call = manifest_call("read the manifest", repo, selector).header(name, value);
        let response = self.call(&call).await?;
        call::check_encoding(&response.headers).map_err(|problem| call.error(problem))?;
        let announced = announced(&response.headers).map_err(|problem| call.error(problem))?;
        let media_type = call::media_type(&response.headers);
        let bytes = self.body(&call, response, self.core.limits.manifest, "a manifest").await?;
        let asked: Option<Digest> = selector.parse().ok();
        let algorithm = asked.as_ref().or(announced.as_ref()).map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = digest_of(algorithm, &bytes);
        for expected in [asked, announced].into_iter().flatten() {
            let actual = digest_of(expected.algorithm(), &bytes);
            if actual != expected {
                return Err(call.error(Problem::Digest { expected, actual }));
            }
        }
        Ok(Fetched { digest, media_type, bytes })
    }

    /// Asks for a manifest without its bytes; nothing where it does not exist.
    ///
    /// # Errors
    /// As [`Registry::manifest`].
    pub async fn head_manifest(&self, repo: &Repository, selector: &str) -> Result<Option<ManifestHead>> {
        let (name, value) = call::accept_manifests();
        let call = manifest_call("ask for the manifest", repo, selector).header(name, value);
        let call = Call { method: Method::HEAD, accept: &[200, 404], ..call };
        let response = self.call(&call).await?;
        if response.status == 404 {
            return Ok(None);
        }
        let digest = announced(&response.headers).map_err(|problem| call.error(problem))?;
        if let (Some(actual), Ok(expected)) = (&digest, selector.parse::<Digest>())
            && expected.algorithm() == actual.algorithm()
            && expected != *actual
        {
            return Err(call.error(Problem::Digest { expected, actual: actual.clone() }));
        }
        Ok(Some(ManifestHead {
            digest,
            size: call::length(&response.headers),
            media_type: call::media_type(&response.headers),
        }))
    }
}

fn manifest_call<'a>(operation: &'static str, repo: &'a Repository, selector: &str) -> Call<'a> {
    let rest = format!("manifests/{selector}");
    Call::read(operation, repo, &rest, name(repo, selector))
}

/// `host/repository:tag` or `host/repository@digest`, for errors.
pub(super) fn name(repo: &Repository, selector: &str) -> String {
    let mark = if selector.contains(':') { '@' } else { ':' };
    format!("{repo}{mark}{}", super::error::clean(selector))
}

/// `Docker-Content-Digest`, if it is there.
pub(super) fn announced(headers: &HeaderMap) -> std::result::Result<Option<Digest>, Problem> {
    let Some(value) = headers.get("docker-content-digest").map(HeaderValue::as_bytes) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value);
    // An empty header, or an algorithm that is not known here, says nothing that could be compared.
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).or_else(|error: crate::domain::digest::DigestError| {
            let known = text.starts_with("sha256:") || text.starts_with("sha512:");
            if known { Err(Problem::Malformed(error.to_string())) } else { Ok(None) }
        }),
    }
}

pub(super) fn digest_of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}
