//! Blobs as streams from any offset: range answers are checked to the byte, length is enforced, the digest is the caller's.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderValue, RANGE};
use http::{HeaderMap, Method};

use super::Registry;
use super::body;
use super::call::{self, Call, Response};
use super::error::{Problem, Result};
use super::transport::ByteStream;
use crate::domain::digest::Digest;
use crate::domain::reference::Repository;

/// A blob on its way.
pub struct BlobBody {
    /// Offset of the first byte of the stream: the one asked for, or 0 where the registry sends the whole blob.
    pub start: u64,
    /// The bytes from `start` to the size asked for; ends in an error when the registry sends fewer or more.
    pub stream: ByteStream,
}

impl std::fmt::Debug for BlobBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobBody").field("start", &self.start).finish_non_exhaustive()
    }
}

impl Registry {
    /// Streams the blob `digest` of `size` bytes from `offset`. **The digest is not checked here**: who stores the
    /// bytes hashes them. Tries are repeated until the first byte; afterwards the stream ends in an error and the
    /// caller asks again with a higher `offset` (see [`Registry::wait_to_retry`]).
    ///
    /// # Errors
    /// [`Problem::Size`] where the registry announces another length, and what a request can meet. Items of the
    /// stream: [`Problem::Short`], [`Problem::TooLarge`], [`Problem::Stalled`], [`Problem::TooSlow`], [`Problem::Connect`].
    pub async fn blob(&self, repo: &Repository, digest: &Digest, size: u64, offset: u64) -> Result<BlobBody> {
        if offset >= size {
            return Ok(BlobBody { start: size, stream: stream::empty().boxed() });
        }
        let call = blob_call("read the blob", repo, digest);
        if offset > 0 {
            let range = HeaderValue::from_str(&format!("bytes={offset}-"));
            let range = range.map_err(|error| call.error(Problem::Setup(error.to_string())))?;
            let ranged = Call { accept: &[200, 206, 416], ..blob_call("read the blob", repo, digest) };
            let response = self.call(&ranged.header(RANGE, range)).await?;
            match response.status {
                200 => return self.whole(&call, response, size),
                206 if is_exact_range(&response.headers, offset, size) => {
                    call::check_encoding(&response.headers).map_err(|problem| call.error(problem))?;
                    let stream = body::exact(response.body, offset, size, &self.core.limits);
                    return Ok(BlobBody { start: offset, stream });
                }
                // A range that is not the one asked for proves nothing: start over without one.
                _ => {}
            }
        }
        let response = self.call(&call).await?;
        self.whole(&call, response, size)
    }

    fn whole(&self, call: &Call<'_>, response: Response, size: u64) -> Result<BlobBody> {
        call::check_encoding(&response.headers).map_err(|problem| call.error(problem))?;
        match call::length(&response.headers) {
            Some(actual) if actual != size => Err(call.error(Problem::Size { expected: size, actual })),
            _ => Ok(BlobBody { start: 0, stream: body::exact(response.body, 0, size, &self.core.limits) }),
        }
    }

    /// A small blob (a configuration, say) in memory, at most `size` bytes. The digest is the caller's here too.
    ///
    /// # Errors
    /// As [`Registry::blob`].
    pub async fn small_blob(&self, repo: &Repository, digest: &Digest, size: u64) -> Result<Bytes> {
        let call = blob_call("read the blob", repo, digest);
        let body = self.blob(repo, digest, size, 0).await?;
        body::read(body.stream, size, "a blob", &self.core.limits)
            .await
            .map_err(|problem| call.error(problem))
    }

    /// The size that the registry claims for a blob; nothing where it has none.
    ///
    /// # Errors
    /// What a request can meet; [`Problem::Malformed`] where no length is told.
    pub async fn blob_head(&self, repo: &Repository, digest: &Digest) -> Result<Option<u64>> {
        let call = blob_call("ask for the blob", repo, digest);
        let call = Call { method: Method::HEAD, accept: &[200, 404], ..call };
        let response = self.call(&call).await?;
        match (response.status, call::length(&response.headers)) {
            (404, _) => Ok(None),
            (_, Some(size)) => Ok(Some(size)),
            (_, None) => Err(call.error(Problem::Malformed("a blob without Content-Length".to_owned()))),
        }
    }

    /// An item of a blob stream as an error that names the blob.
    pub fn blob_error(repo: &Repository, digest: &Digest, problem: Problem) -> super::RegistryError {
        blob_call("read the blob", repo, digest).error(problem)
    }
}

fn blob_call<'a>(operation: &'static str, repo: &'a Repository, digest: &Digest) -> Call<'a> {
    let object = format!("{repo}@{digest}");
    Call::read(operation, repo, &format!("blobs/{digest}"), object)
        .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

/// Whether `Content-Range` is from `offset` to the end of a blob of `size` bytes, and Content-Length agrees.
fn is_exact_range(headers: &HeaderMap, offset: u64, size: u64) -> bool {
    let parse = || {
        let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
        let (range, total) = text.strip_prefix("bytes")?.trim_start().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { size } else { total.parse().ok()? };
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, total))
    };
    let length = call::length(headers).is_none_or(|length| length == size - offset);
    parse() == Some((offset, size - 1, size)) && length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_range_that_was_asked_for_counts() {
        for (text, fine) in [
            ("bytes 5-10/11", true),
            ("bytes 5-10/*", true),
            ("bytes 0-10/11", false),
            ("bytes 5-9/11", false),
            ("bytes 5-10/12", false),
            ("bytes */11", false),
            ("5-10/11", false),
            ("bytes 5-99999999999999999999/11", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, text.parse().unwrap());
            assert_eq!(is_exact_range(&headers, 5, 11), fine, "{text}");
        }
        assert!(!is_exact_range(&HeaderMap::new(), 5, 11));
    }
}
