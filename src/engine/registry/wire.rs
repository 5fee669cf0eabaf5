//! The way of one request over the wire: base URL, redirects, patience; credentials only to the registry's own origin.

use std::sync::{Arc, PoisonError};

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, LOCATION};
use http::{HeaderMap, Method};
use url::Url;

use super::body::{self, Progress};
use super::call::{Call, Failure, Payload, Response, Target, answer};
use super::client::Core;
use super::error::{Problem, TlsReason, clean};
use super::transport::Body;
use super::{hosts, redirect, retry};

impl Core {
    /// One try: with the token at hand, once more with a fresh one after a 401.
    pub(super) async fn attempt(&self, call: &Call<'_>) -> std::result::Result<Response, Failure> {
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
            // Without its CA file nobody knows what it speaks.
            (Err(problem @ Problem::Setup(_)), _) => Err(problem),
            (Ok(_) | Err(Problem::Tls { .. }), None) => Ok(https),
            (Ok(_), Some(_)) => Ok(https),
            (Err(Problem::Tls { reason, .. }), Some(_)) if reason != TlsReason::NotTls => Ok(https),
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
