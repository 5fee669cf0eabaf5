//! Uploads: mounts, one streamed PUT, or chunks that go on where they stopped; manifests byte for byte.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use http::{HeaderMap, Method};
use tokio::io::AsyncSeekExt as _;
use url::Url;

use super::call::{Call, Payload, Target};
use super::error::{Answer, Problem, RegistryError, Result};
use super::manifests::{announced, digest_of, name};
use super::{Registry, redirect};
use crate::domain::digest::{Algorithm, Digest};
use crate::domain::reference::Repository;

/// Bytes that can be read again from any offset, because an upload may have to.
pub trait BlobSource: Send + Sync {
    /// Opens the bytes from `offset` to the end.
    fn open(&self, offset: u64)
    -> BoxFuture<'_, std::io::Result<BoxStream<'static, std::io::Result<Bytes>>>>;
}

impl BlobSource for Bytes {
    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, std::io::Result<BoxStream<'static, std::io::Result<Bytes>>>> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let rest = self.slice(from..);
        Box::pin(async move { Ok(stream::iter([Ok(rest)]).boxed()) })
    }
}

/// A file as it is.
#[derive(Clone, Debug)]
pub struct FileSource(pub PathBuf);

impl BlobSource for FileSource {
    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, std::io::Result<BoxStream<'static, std::io::Result<Bytes>>>> {
        Box::pin(async move {
            let mut file = tokio::fs::File::open(&self.0).await?;
            file.seek(std::io::SeekFrom::Start(offset)).await?;
            // The default of 4 KiB is twenty times slower.
            Ok(tokio_util::io::ReaderStream::with_capacity(file, 256 * 1024).boxed())
        })
    }
}

/// How the bytes of a blob are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upload {
    /// One streamed PUT; after a failure in chunks.
    #[default]
    Monolithic,
    /// PATCH by PATCH from the start.
    Chunked,
}

/// An upload that a registry has opened.
#[derive(Clone, Debug)]
pub struct UploadSession {
    url: Url,
    /// `OCI-Chunk-Min-Length`, in bytes.
    min_chunk: u64,
}

/// What came of a mount.
#[derive(Debug)]
pub enum MountOutcome {
    /// The blob is there now.
    Mounted,
    /// It is not, but an upload is open: use it with [`Registry::push_blob_in`].
    Session(UploadSession),
}

/// What is uploaded.
struct Job<'a> {
    repo: &'a Repository,
    digest: &'a Digest,
    size: u64,
    source: Arc<dyn BlobSource>,
}

impl Registry {
    /// Makes a blob of the repository `from` on the same registry appear in `repo`, without sending it.
    ///
    /// # Errors
    /// What a request can meet.
    pub async fn mount_blob(&self, repo: &Repository, digest: &Digest, from: &str) -> Result<MountOutcome> {
        let path = format!("{}/blobs/uploads/?mount={digest}&from={}", repo.path, encode(from));
        let object = format!("{repo}@{digest}");
        let call = Call::write("mount the blob", repo, Method::POST, Target::Path(path), object);
        let scope = format!("{} repository:{from}:pull", call.scope);
        let call = Call { scope, accept: &[201, 202], ..call };
        let response = self.call(&call).await?;
        match response.status {
            201 => Ok(MountOutcome::Mounted),
            _ => self.session(&call, &response.headers, &response.url).await.map(MountOutcome::Session),
        }
    }

    /// Sends a blob: one streamed PUT, and in chunks after a failure. Does not ask whether the blob is there already.
    ///
    /// # Errors
    /// [`Problem::Digest`] where the registry took other bytes, [`Problem::Source`], and what a request can meet.
    pub async fn push_blob(
        &self,
        repo: &Repository,
        digest: &Digest,
        size: u64,
        source: Arc<dyn BlobSource>,
    ) -> Result<()> {
        self.upload(&Job { repo, digest, size, source }, None, Upload::Monolithic).await
    }

    /// The same into an upload that a refused mount left open, or in chunks from the start.
    ///
    /// # Errors
    /// As [`Registry::push_blob`].
    pub async fn push_blob_in(
        &self,
        repo: &Repository,
        (digest, size): (&Digest, u64),
        source: Arc<dyn BlobSource>,
        session: Option<UploadSession>,
        mode: Upload,
    ) -> Result<()> {
        self.upload(&Job { repo, digest, size, source }, session, mode).await
    }

    async fn upload(&self, job: &Job<'_>, mut open: Option<UploadSession>, mode: Upload) -> Result<()> {
        let mut mode = mode;
        let mut attempt = 1;
        loop {
            let outcome = match mode {
                Upload::Monolithic => self.monolithic(job, open.take()).await,
                Upload::Chunked => self.chunked(job, open.take()).await,
            };
            let Err(error) = outcome else { return Ok(()) };
            // The session is gone: a registry was restarted, or a proxy sent us to another one.
            let lost = error.is_not_found() || matches!(answer_code(&error), Some("BLOB_UPLOAD_UNKNOWN"));
            let too_large = matches!(&*error.problem, Problem::Refused(answer) if answer.status == 413);
            let try_chunks = mode == Upload::Monolithic && (error.is_retryable() || too_large || lost);
            attempt += 1;
            let again = if (too_large || lost) && attempt <= 2 {
                try_chunks || lost
            } else {
                self.wait_to_retry(&error, attempt).await?
            };
            if !again {
                return Err(error);
            }
            if try_chunks {
                mode = Upload::Chunked;
            }
        }
    }

    async fn monolithic(&self, job: &Job<'_>, open: Option<UploadSession>) -> Result<()> {
        let session = self.open(job, open).await?;
        let payload = match job.size {
            0 => Payload::Empty,
            length => Payload::Source { source: Arc::clone(&job.source), offset: 0, length },
        };
        self.commit(job, session.url, payload).await
    }

    async fn chunked(&self, job: &Job<'_>, open: Option<UploadSession>) -> Result<()> {
        let mut session = self.open(job, open).await?;
        let mut at = 0;
        let mut attempt = 1;
        while at < job.size {
            match self.chunk(job, &session, at).await {
                Ok((next, end)) => {
                    session = UploadSession { min_chunk: session.min_chunk.max(next.min_chunk), ..next };
                    (at, attempt) = (end, 1);
                }
                Err(error) => {
                    attempt += 1;
                    let out_of_step = attempt == 2
                        && matches!(&*error.problem, Problem::Refused(answer) if answer.status == 416);
                    let again = out_of_step || self.wait_to_retry(&error, attempt).await?;
                    if !again {
                        return Err(error);
                    }
                    (session, at) = self.status(job, session, at).await?;
                }
            }
        }
        self.commit(job, session.url, Payload::Empty).await
    }

    async fn open(&self, job: &Job<'_>, open: Option<UploadSession>) -> Result<UploadSession> {
        if let Some(session) = open {
            return Ok(session);
        }
        let path = Target::Path(format!("{}/blobs/uploads/", job.repo.path));
        let call = job.call("open an upload for", Method::POST, path, &[202]);
        let response = self.call(&call).await?;
        self.session(&call, &response.headers, &response.url).await
    }

    async fn session(&self, call: &Call<'_>, headers: &HeaderMap, from: &Url) -> Result<UploadSession> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location
            .ok_or_else(|| call.error(Problem::Malformed("an upload without Location".to_owned())))?;
        let url = redirect::upload(from, location, &self.core.named)
            .await
            .map_err(|problem| call.error(problem))?;
        Ok(UploadSession { url, min_chunk: number(headers, "oci-chunk-min-length").unwrap_or(0) })
    }

    /// Sends one chunk from `at`; returns the session to go on with and the offset that the registry confirms.
    async fn chunk(&self, job: &Job<'_>, session: &UploadSession, at: u64) -> Result<(UploadSession, u64)> {
        let length = self.core.limits.chunk.max(session.min_chunk).min(job.size - at);
        let end = at + length;
        let mut call =
            job.call("send a part of", Method::PATCH, Target::Url(session.url.clone()), &[202, 201, 204]);
        let range = HeaderValue::from_str(&format!("{at}-{}", end - 1));
        let range = range.map_err(|error| call.error(Problem::Setup(error.to_string())))?;
        call = call
            .header(CONTENT_RANGE, range)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.payload = Payload::Source { source: Arc::clone(&job.source), offset: at, length };
        let response = self.call(&call).await?;
        let next = match response.headers.contains_key(LOCATION) {
            true => self.session(&call, &response.headers, &response.url).await?,
            false => session.clone(),
        };
        match confirmed(&response.headers) {
            None => Ok((next, end)),
            Some(got) if got == end => Ok((next, end)),
            // Fewer bytes were kept than sent: go on from there.
            Some(got) if got > at && got < end => Ok((next, got)),
            Some(got) => Err(call.error(Problem::Malformed(format!(
                "the registry confirms {got} bytes of an upload, {end} were sent"
            )))),
        }
    }

    /// Asks how far an interrupted upload came; opens a new one where that cannot be told.
    async fn status(&self, job: &Job<'_>, session: UploadSession, at: u64) -> Result<(UploadSession, u64)> {
        let call =
            job.call("ask for the state of", Method::GET, Target::Url(session.url.clone()), &[204, 200, 202]);
        match self.call(&call).await {
            Ok(response) => {
                let next = match response.headers.contains_key(LOCATION) {
                    true => self.session(&call, &response.headers, &response.url).await?,
                    false => session,
                };
                match confirmed(&response.headers) {
                    // `0-0` is one byte or none: registries do not agree.
                    Some(1) => Ok((self.open(job, None).await?, 0)),
                    Some(got) if got <= job.size => Ok((next, got)),
                    Some(_) => Ok((self.open(job, None).await?, 0)),
                    None => Ok((next, at)),
                }
            }
            Err(error) if matches!(&*error.problem, Problem::NotFound(_) | Problem::Refused(_)) => {
                Ok((self.open(job, None).await?, 0))
            }
            Err(error) => Err(error),
        }
    }

    async fn commit(&self, job: &Job<'_>, mut url: Url, payload: Payload) -> Result<()> {
        url.query_pairs_mut().append_pair("digest", &job.digest.to_string());
        let mut call = job.call("send the blob", Method::PUT, Target::Url(url), &[201, 202, 204]);
        call = call.header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.payload = payload;
        let response = self.call(&call).await?;
        match announced(&response.headers).map_err(|problem| call.error(problem))? {
            Some(actual) if actual.algorithm() == job.digest.algorithm() && actual != *job.digest => {
                Err(call.error(Problem::Digest { expected: job.digest.clone(), actual }))
            }
            _ => Ok(()),
        }
    }

    /// Puts a manifest byte for byte under a tag or digest; returns its digest, compared with what the registry says.
    ///
    /// # Errors
    /// [`Problem::ManifestRefused`], [`Problem::BlobUnknown`], [`Problem::Digest`], and what a request can meet.
    pub async fn push_manifest(
        &self,
        repo: &Repository,
        selector: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Digest> {
        let path = Target::Path(format!("{}/manifests/{selector}", repo.path));
        let mut call = Call::write("push the manifest", repo, Method::PUT, path, name(repo, selector));
        let asked: Option<Digest> = selector.parse().ok();
        let algorithm = asked.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = digest_of(algorithm, &bytes);
        if let Some(expected) = asked.filter(|asked| *asked != digest) {
            return Err(call.error(Problem::Digest { expected, actual: digest }));
        }
        let limit = self.core.limits.manifest;
        if bytes.len() as u64 > limit {
            return Err(call.error(Problem::TooLarge { what: "a manifest", limit }));
        }
        let kind = HeaderValue::from_str(media_type);
        let kind =
            kind.map_err(|_| call.error(Problem::Setup(format!("{media_type:?} is no media type"))))?;
        call = call.header(CONTENT_TYPE, kind);
        call.accept = &[200, 201, 202, 204];
        call.payload = Payload::Bytes(bytes.clone());
        let response = self.call(&call).await.map_err(|error| explain_refusal(error, media_type))?;
        match announced(&response.headers).map_err(|problem| call.error(problem))? {
            Some(actual) if digest_of(actual.algorithm(), &bytes) != actual => {
                Err(call.error(Problem::Digest { expected: digest, actual }))
            }
            _ => Ok(digest),
        }
    }
}

impl<'a> Job<'a> {
    fn call(
        &self,
        operation: &'static str,
        method: Method,
        target: Target,
        accept: &'static [u16],
    ) -> Call<'a> {
        let object = format!("{}@{}", self.repo, self.digest);
        // A PUT or PATCH that failed half-way is only right to repeat from what the registry then has.
        let retries = matches!(method, Method::GET | Method::POST);
        Call { accept, retries, ..Call::write(operation, self.repo, method, target, object) }
    }
}

/// Says for a manifest PUT what a plain refusal means there.
fn explain_refusal(mut error: RegistryError, media_type: &str) -> RegistryError {
    let answer = match &*error.problem {
        Problem::Refused(answer) | Problem::NotFound(answer) => answer.clone(),
        _ => return error,
    };
    let problem = match answer.code.as_deref() {
        Some("BLOB_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN" | "MANIFEST_UNKNOWN") => Problem::BlobUnknown(answer),
        Some("NAME_UNKNOWN" | "NAME_INVALID") => return error,
        _ => Problem::ManifestRefused { answer, media_type: media_type.to_owned() },
    };
    *error.problem = problem;
    error
}

fn answer_code(error: &RegistryError) -> Option<&str> {
    let answer: &Answer = match &*error.problem {
        Problem::NotFound(answer) | Problem::Refused(answer) => answer,
        _ => return None,
    };
    answer.code.as_deref()
}

/// How many bytes a `Range: 0-<last>` header of an upload confirms.
fn confirmed(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RANGE)?.to_str().ok()?;
    let (first, last) = text.strip_prefix("bytes=").unwrap_or(text).split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    (first.trim() == "0").then(|| last.saturating_add(1))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
