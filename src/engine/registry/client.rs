//! One request to a registry from address to answer: base URL, authentication, redirects, retries, clear errors.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
};
use http::{HeaderMap, Method, StatusCode};
use oci_distribution::errors::OciEnvelope;
use tokio::sync::OnceCell;
use url::Url;

use super::auth::Auth;
use super::body::{self, Progress};
use super::credentials::CredentialFiles;
use super::error::{Answer, Problem, RegistryError, Result, clean};
use super::limits::Limits;
use super::push::BlobSource;
use super::redirect::{self, Named};
use super::retry::{self, Pause, RealPause};
use super::transport::{Body, ByteStream, HttpTransport, SharedTransport, Transport};
use super::{RegistryOptions, hosts};
use crate::domain::progress::{Event, Phase};
use crate::domain::reference::Repository;
use crate::engine::ctx::JobCtx;

/// A client for any number of registries. One for each job: it caches tokens and connections. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    pub(super) core: Arc<Core>,
    watch: Option<Arc<Watch>>,
}

pub(super) struct Core {
    pub(super) named: Named,
    pub(super) limits: Limits,
    pub(super) transport: SharedTransport,
    pub(super) pause: Arc<dyn Pause>,
    pub(super) auth: Auth,
    bases: Mutex<HashMap<String, Arc<OnceCell<Url>>>>,
}

struct Watch {
    ctx: JobCtx,
    phase: Phase,
}

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
    problem: Problem,
    retry_after: Option<Duration>,
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

impl Registry {
    /// A client over the real network.
    ///
    /// # Errors
    /// [`Problem::Setup`] where a named file cannot be used.
    pub fn new(options: RegistryOptions) -> Result<Self> {
        Self::with_limits(options, Limits::default())
    }

    /// The same with other caps and time-outs.
    ///
    /// # Errors
    /// As [`Registry::new`].
    pub fn with_limits(options: RegistryOptions, limits: Limits) -> Result<Self> {
        for path in &options.ca {
            // Said now and not after the first hundred images.
            std::fs::File::open(path).map_err(|error| RegistryError {
                operation: "use",
                object: format!("the CA file {}", path.display()),
                host: String::new(),
                problem: Box::new(Problem::Setup(error.to_string())),
            })?;
        }
        let transport = HttpTransport::new(options.ca.clone(), &options.insecure, limits.clone());
        Self::with_parts(options, Arc::new(transport), limits, Arc::new(RealPause))
    }

    /// A client over another transport.
    ///
    /// # Errors
    /// As [`Registry::new`].
    pub fn with_transport(options: RegistryOptions, transport: Arc<dyn Transport>) -> Result<Self> {
        Self::with_parts(options, transport, Limits::default(), Arc::new(RealPause))
    }

    /// A client of which every part is given.
    ///
    /// # Errors
    /// As [`Registry::new`].
    pub fn with_parts(
        options: RegistryOptions,
        transport: Arc<dyn Transport>,
        limits: Limits,
        pause: Arc<dyn Pause>,
    ) -> Result<Self> {
        let lower = |hosts: Vec<String>| hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        let files = CredentialFiles::new(options.authfile, limits.helper);
        let core = Core {
            named: Named { plain: lower(options.plain_http), insecure: lower(options.insecure) },
            auth: Auth::new(files),
            limits,
            transport,
            pause,
            bases: Mutex::default(),
        };
        Ok(Self { core: Arc::new(core), watch: None })
    }

    /// The same client (shared tokens and connections), reporting retries of `phase` to a job and stopping with it.
    #[must_use]
    pub fn for_job(&self, ctx: &JobCtx, phase: Phase) -> Self {
        let watch = Watch { ctx: ctx.clone(), phase };
        Self { core: Arc::clone(&self.core), watch: Some(Arc::new(watch)) }
    }

    /// Waits before try number `attempt` (from 2) after `error`, and reports it; for whoever resumes a blob.
    /// False where another try makes no sense: the error is final or the tries are used up.
    ///
    /// # Errors
    /// [`Problem::Interrupted`].
    pub async fn wait_to_retry(&self, error: &RegistryError, attempt: u32) -> Result<bool> {
        let tried = usize::try_from(attempt).unwrap_or(usize::MAX).saturating_sub(2);
        let pause = retry::pauses(&self.core.limits).nth(tried);
        let Some(pause) = pause.filter(|_| error.is_retryable()) else { return Ok(false) };
        self.wait(&error.object, attempt, &error.problem, pause).await.map_err(|problem| RegistryError {
            operation: error.operation,
            object: error.object.clone(),
            host: error.host.clone(),
            problem: Box::new(problem),
        })?;
        Ok(true)
    }

    /// Sends a call until it is answered, refused or out of tries.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Response> {
        let mut pauses = retry::pauses(&self.core.limits);
        let mut attempt = 1;
        loop {
            let failure = match self.stoppable(Box::pin(self.core.attempt(call))).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            let pause = if call.retries && failure.problem.is_retryable() { pauses.next() } else { None };
            let Some(pause) = pause else { return Err(call.error(failure.problem)) };
            let cap = self.core.limits.retry_after_max;
            let pause = failure.retry_after.map_or(pause, |asked| asked.min(cap));
            attempt += 1;
            self.wait(&call.object, attempt, &failure.problem, pause)
                .await
                .map_err(|problem| call.error(problem))?;
        }
    }

    async fn wait(
        &self,
        item: &str,
        attempt: u32,
        problem: &Problem,
        pause: Duration,
    ) -> std::result::Result<(), Problem> {
        if let Some(watch) = &self.watch {
            watch.ctx.say(Event::Retry {
                phase: watch.phase,
                item: item.to_owned(),
                attempt,
                reason: problem.to_string(),
                wait_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            });
        }
        let pausing = async {
            self.core.pause.pause(pause).await;
            Ok::<(), Failure>(())
        };
        self.stoppable(pausing).await.map_err(|failure| failure.problem)
    }

    async fn stoppable<T>(
        &self,
        work: impl Future<Output = std::result::Result<T, Failure>>,
    ) -> std::result::Result<T, Failure> {
        match &self.watch {
            None => work.await,
            Some(watch) => tokio::select! {
                biased;
                () = watch.ctx.cancel.cancelled() => Err(Problem::Interrupted.into()),
                outcome = work => outcome,
            },
        }
    }

    /// A small answer in memory.
    pub(super) async fn body(
        &self,
        call: &Call<'_>,
        response: Response,
        limit: u64,
        what: &'static str,
    ) -> Result<Bytes> {
        let reading = async { Ok(body::read(response.body, limit, what, &self.core.limits).await?) };
        self.stoppable(reading).await.map_err(|failure: Failure| call.error(failure.problem))
    }
}

impl Core {
    /// One try: with the token at hand, once more with a fresh one after a 401.
    async fn attempt(&self, call: &Call<'_>) -> std::result::Result<Response, Failure> {
        let base = self.base(call.host).await?;
        let first = match &call.target {
            Target::Path(path) => base
                .join(path)
                .map_err(|error| Problem::Setup(format!("{path:?} makes no address: {error}")))?,
            Target::Url(url) => url.clone(),
        };
        let mut ticket = self.ticket(call, &base).await?;
        let mut response = self.follow(call, &base, first.clone(), ticket.as_ref()).await?;
        let mut note = None;
        if response.status == 401 && hosts::same_origin(&base, &response.url) {
            let renewed = self.renew(call, &base, &response.headers, ticket.as_ref()).await?;
            note = Some(renewed.note);
            if renewed.ticket.is_some() {
                ticket = renewed.ticket;
                response = self.follow(call, &base, first, ticket.as_ref()).await?;
            }
        }
        if call.accept.contains(&response.status) {
            Ok(response)
        } else {
            Err(self.refusal(response, note).await)
        }
    }

    /// Sends and follows redirects; the ticket goes to the registry's own origin alone.
    pub(super) async fn follow(
        &self,
        call: &Call<'_>,
        home: &Url,
        mut url: Url,
        ticket: Option<&HeaderValue>,
    ) -> std::result::Result<Response, Failure> {
        let mut method = call.method.clone();
        let mut payload = call.payload.clone();
        for _ in 0..=self.limits.redirects {
            let mut headers = HeaderMap::new();
            for (name, value) in &call.headers {
                headers.append(name.clone(), value.clone());
            }
            if let Some(ticket) = ticket.filter(|_| hosts::same_origin(home, &url)) {
                headers.insert(AUTHORIZATION, ticket.clone());
            }
            let response = self.send(method.clone(), &url, headers, &payload).await?;
            let location = match response.status {
                301 | 302 | 303 | 307 | 308 => response.headers.get(LOCATION).cloned(),
                _ => None,
            };
            let Some(location) = location else { return Ok(response) };
            let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
            let next = redirect::check(&url, &location, &self.named).await?;
            let keeps_method = matches!(response.status, 307 | 308) || method == Method::HEAD;
            if !keeps_method && method != Method::GET {
                // 301 to 303 turn a write into a GET, which is never what an upload means.
                let target = next.path().to_owned();
                return Err(Problem::Redirect { target, reason: "it would turn a write into a read" }.into());
            }
            if !keeps_method {
                (method, payload) = (Method::GET, Payload::Empty);
            }
            url = next;
        }
        let target = clean(url.path());
        Err(Problem::Redirect { target, reason: "too many redirects in a row" }.into())
    }

    /// One exchange on the wire.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        payload: &Payload,
    ) -> std::result::Result<Response, Problem> {
        let progress = Progress::new();
        let body = match payload {
            Payload::Empty => Body::Empty,
            Payload::Bytes(bytes) => Body::Bytes(bytes.clone()),
            Payload::Source { source, offset, length } => {
                headers.insert(CONTENT_LENGTH, (*length).into());
                let stream =
                    source.open(*offset).await.map_err(|error| Problem::Source(error.to_string()))?;
                Body::Stream(body::outgoing(stream, *length, &progress))
            }
        };
        if matches!(payload, Payload::Empty) && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            headers.insert(CONTENT_LENGTH, 0.into());
        }
        let mut request = http::Request::new(body);
        *request.method_mut() = method;
        *request.headers_mut() = headers;
        *request.uri_mut() = http::Uri::try_from(url.as_str())
            .map_err(|error| Problem::Setup(format!("{} is no address: {error}", clean(url.path()))))?;
        let streamed = matches!(payload, Payload::Source { .. });
        let answer = self.patient(self.transport.send(request), streamed.then_some(&progress)).await;
        let answer = match (answer, progress.failure()) {
            (Err(_), Some(failure)) => return Err(Problem::Source(failure)),
            (answer, _) => answer?,
        };
        let (parts, body) = answer.into_parts();
        Ok(Response { status: parts.status.as_u16(), headers: parts.headers, body, url: url.clone() })
    }

    /// Waits for the head of an answer as long as there is progress.
    async fn patient<T>(
        &self,
        sending: impl Future<Output = std::result::Result<T, Problem>>,
        progress: Option<&Arc<Progress>>,
    ) -> std::result::Result<T, Problem> {
        let idle = self.limits.idle;
        let mut sending = std::pin::pin!(sending);
        loop {
            match tokio::time::timeout(idle, &mut sending).await {
                Ok(outcome) => return outcome,
                Err(_) => match progress.map(|progress| progress.idle()) {
                    Some((quiet, true)) if quiet < self.limits.commit => {}
                    Some((quiet, false)) if quiet < idle => {}
                    _ => return Err(Problem::Stalled(idle)),
                },
            }
        }
    }

    /// `https://host/v2/`, or `http` where the operator or the loopback rule says so.
    async fn base(&self, host: &str) -> std::result::Result<Url, Problem> {
        let cell = {
            let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(bases.entry(host.to_owned()).or_default())
        };
        let base = cell.get_or_try_init(|| async {
            let lower = host.to_ascii_lowercase();
            let https = base_url("https", &lower)?;
            let http = base_url("http", &lower)?;
            if self.named.plain.contains(&lower) {
                Ok(http)
            } else if hosts::is_loopback(&lower) && hosts::port(&lower) != Some(443) {
                self.probe(http, https).await
            } else {
                Ok(https)
            }
        });
        base.await.cloned()
    }

    /// A loopback registry is asked once whether it speaks plain HTTP; nothing secret goes with the question.
    async fn probe(&self, http: Url, https: Url) -> std::result::Result<Url, Problem> {
        let ask =
            |url: Url| async move { self.send(Method::GET, &url, HeaderMap::new(), &Payload::Empty).await };
        let refused = match ask(http.clone()).await {
            Ok(answer) if answer.status == 400 => {
                // Go's servers answer so on a TLS port.
                let text = body::read_error(answer.body, &self.limits).await;
                if !String::from_utf8_lossy(&text).contains("HTTPS") {
                    return Ok(http);
                }
                None
            }
            Ok(_) => return Ok(http),
            Err(problem) => Some(problem),
        };
        match (ask(https.clone()).await, refused) {
            (Ok(_) | Err(Problem::Tls { .. }), None) => Ok(https),
            (Ok(_), Some(_)) => Ok(https),
            (Err(Problem::Tls { reason, .. }), Some(_)) if reason != super::error::TlsReason::NotTls => {
                Ok(https)
            }
            (Err(problem), None) => Err(problem),
            (Err(_), Some(problem)) => Err(problem),
        }
    }

    /// Turns an answer that the operation does not expect into an error.
    async fn refusal(&self, response: Response, note: Option<String>) -> Failure {
        let retry_after = retry::asked(&response.headers, jiff::Timestamp::now());
        let status = response.status;
        let text = body::read_error(response.body, &self.limits).await;
        let answer = answer(status, &text);
        let problem = match status {
            404 => Problem::NotFound(answer),
            401 | 403 => Problem::Unauthorized { answer, reason: note },
            429 => Problem::RateLimited { answer, retry_after },
            500.. => Problem::Server(answer),
            _ => Problem::Refused(answer),
        };
        Failure { problem, retry_after }
    }
}

fn base_url(scheme: &str, host: &str) -> std::result::Result<Url, Problem> {
    let bad = || Problem::Setup(format!("{:?} is no registry host", clean(host)));
    let url = Url::parse(&format!("{scheme}://{}/v2/", hosts::api_host(host))).map_err(|_| bad())?;
    let plain = url.path() == "/v2/" && url.username().is_empty() && url.query().is_none();
    if plain { Ok(url) } else { Err(bad()) }
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

impl Failure {
    /// Why, without the wait.
    pub(super) fn problem(self) -> Problem {
        self.problem
    }
}
