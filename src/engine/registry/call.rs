//! One operation as it is sent and answered: address, headers, payload, scope, and how a refusal reads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use oci_distribution::errors::OciEnvelope;
use url::Url;

use super::error::{Answer, Problem, RegistryError, clean};
use super::push::BlobSource;
use super::transport::ByteStream;
use crate::domain::reference::Repository;

/// What a request carries. All of it can be sent again.
#[derive(Clone)]
pub(super) enum Payload {
    Empty,
    Bytes(Bytes),
    /// `length` bytes of a source from `offset`.
    Source {
        source: Arc<dyn BlobSource>,
        offset: u64,
        length: u64,
    },
}

/// Where a request goes.
pub(super) enum Target {
    /// Under `/v2/`.
    Path(String),
    /// An address that the registry gave and that was checked.
    Url(Url),
}

/// One operation on a registry, as often as it must be sent.
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) object: String,
    pub(super) host: &'a str,
    pub(super) repository: &'a str,
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) payload: Payload,
    /// Token scopes, separated by spaces.
    pub(super) scope: String,
    /// Statuses that are no errors.
    pub(super) accept: &'static [u16],
    /// Whether a failed try may be repeated here, and not only by whoever asked.
    pub(super) retries: bool,
}

/// An accepted answer.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: ByteStream,
    /// From where it came at last.
    pub(super) url: Url,
}

/// A try that failed, and how long the server asked to wait.
pub(super) struct Failure {
    pub(super) problem: Problem,
    pub(super) retry_after: Option<Duration>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, retry_after: None }
    }
}

impl<'a> Call<'a> {
    /// A read of `/v2/<repository>/<rest>`, with the scope for pulling.
    pub(super) fn read(operation: &'static str, repo: &'a Repository, rest: &str, object: String) -> Self {
        Self {
            operation,
            object,
            host: &repo.host,
            repository: &repo.path,
            method: Method::GET,
            target: Target::Path(format!("{}/{rest}", repo.path)),
            headers: Vec::new(),
            payload: Payload::Empty,
            scope: format!("repository:{}:pull", repo.path),
            accept: &[200],
            retries: true,
        }
    }

    /// A change of `/v2/<repository>/<rest>`, with the scope for pushing.
    pub(super) fn write(
        operation: &'static str,
        repo: &'a Repository,
        method: Method,
        target: Target,
        object: String,
    ) -> Self {
        Self {
            method,
            target,
            scope: format!("repository:{}:pull,push", repo.path),
            ..Self::read(operation, repo, "", object)
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn error(&self, problem: Problem) -> RegistryError {
        RegistryError {
            operation: self.operation,
            object: self.object.clone(),
            host: self.host.to_owned(),
            problem: Box::new(problem),
        }
    }
}

impl Failure {
    /// Why, without the wait.
    pub(super) fn problem(self) -> Problem {
        self.problem
    }
}

/// The error of an answer as the registry words it.
pub(super) fn answer(status: u16, text: &[u8]) -> Answer {
    let reason = || StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or_default();
    match serde_json::from_slice::<OciEnvelope>(text) {
        Ok(OciEnvelope { errors }) if !errors.is_empty() => {
            let code = serde_json::to_value(&errors[0].code).ok();
            let code = code.and_then(|code| code.as_str().map(clean));
            let words: Vec<String> = errors
                .iter()
                .take(4)
                .map(|error| match &error.detail {
                    serde_json::Value::Null => error.message.clone(),
                    // What is not there was asked for by its name.
                    _ if status == 404 => error.message.clone(),
                    detail => format!("{} {detail}", error.message),
                })
                .collect();
            Answer { status, code, message: clean(&words.join("; ")) }
        }
        _ => {
            let text = String::from_utf8_lossy(text);
            let is_words = !text.trim_start().starts_with(['<', '{']) && !text.trim().is_empty();
            let message = if is_words { clean(&text) } else { reason().to_owned() };
            Answer { status, code: None, message }
        }
    }
}

/// An answer in an encoding of its own would not have the digest that it should.
pub(super) fn check_encoding(headers: &HeaderMap) -> std::result::Result<(), Problem> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(()),
        Some(other) => Err(Problem::Malformed(format!(
            "Content-Encoding {} was not asked for and changes the bytes",
            clean(&String::from_utf8_lossy(other))
        ))),
    }
}

/// The media type of an answer, without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    clean(text.split(';').next().unwrap_or_default())
}

/// `Content-Length`, if it is a number.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The `Accept` of manifest requests.
pub(super) fn accept_manifests() -> (HeaderName, HeaderValue) {
    use crate::domain::media_type as mt;
    let all = mt::ACCEPT_MANIFESTS.join(", ");
    (ACCEPT, HeaderValue::from_str(&all).unwrap_or(HeaderValue::from_static("*/*")))
}
