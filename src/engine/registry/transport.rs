//! One HTTP exchange: the seam that tests replace, and the real one on reqwest with pooled connections.

use std::collections::{HashMap, HashSet};
use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::error::{Problem, TlsReason, clean};
use super::hosts;
use super::limits::Limits;
use super::tls::{self, Trust};

/// A body as it arrives.
pub type ByteStream = BoxStream<'static, Result<Bytes, Problem>>;

/// A body to be sent.
pub enum Body {
    /// None.
    Empty,
    /// At hand.
    Bytes(Bytes),
    /// To be streamed; the Content-Length header tells how much.
    Stream(BoxStream<'static, std::io::Result<Bytes>>),
}

/// One HTTP exchange without redirects, retries, authentication or decoding.
pub trait Transport: Send + Sync {
    /// Sends a request with an absolute URI, returns as soon as the head of the answer is there.
    fn send(
        &self,
        request: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<ByteStream>, Problem>>;
}

/// The real transport: one connection pool for each sort of trust and proxying, made when first needed.
pub struct HttpTransport {
    ca: Vec<PathBuf>,
    insecure: HashSet<String>,
    limits: Limits,
    lanes: Mutex<HashMap<(Trust, bool), Lane>>,
}

#[derive(Clone)]
struct Lane {
    client: reqwest::Client,
    /// Whether at least one CA is trusted on it.
    has_ca: bool,
}

impl HttpTransport {
    /// A transport that trusts `ca` besides the system, and anything from the hosts in `insecure`.
    pub fn new(ca: Vec<PathBuf>, insecure: &[String], limits: Limits) -> Self {
        let insecure = insecure.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { ca, insecure, limits, lanes: Mutex::default() }
    }

    fn lane(&self, uri: &http::Uri) -> Result<Lane, Problem> {
        let authority = uri.authority().map(|a| a.as_str().to_ascii_lowercase()).unwrap_or_default();
        let trust = match uri.scheme_str() {
            Some("http") => Trust::Plain,
            _ if self.insecure.contains(&authority) => Trust::Anything,
            _ => Trust::Verified,
        };
        let direct = hosts::is_loopback(uri.host().unwrap_or_default());
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(&(trust, direct)) {
            return Ok(lane.clone());
        }
        let lane = self.open(trust, direct)?;
        lanes.insert((trust, direct), lane.clone());
        Ok(lane)
    }

    fn open(&self, trust: Trust, direct: bool) -> Result<Lane, Problem> {
        let (tls, has_ca) = tls::config(trust, &self.ca).map_err(Problem::Setup)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("airlift/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.limits.connect)
            .pool_max_idle_per_host(32);
        if direct {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| Problem::Setup(format!("cannot set the HTTP client up: {}", chain(&error))))?;
        Ok(Lane { client, has_ca })
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<ByteStream>, Problem>> {
        Box::pin(async move {
            let lane = self.lane(request.uri())?;
            let request = request.map(|body| match body {
                Body::Empty => reqwest::Body::default(),
                Body::Bytes(bytes) => bytes.into(),
                Body::Stream(stream) => reqwest::Body::wrap_stream(stream),
            });
            let request = reqwest::Request::try_from(request)
                .map_err(|error| Problem::Setup(format!("unusable address: {}", chain(&error))))?;
            let response =
                lane.client.execute(request).await.map_err(|error| classify(&error, lane.has_ca))?;
            let mut head = http::Response::new(());
            *head.status_mut() = response.status();
            *head.headers_mut() = response.headers().clone();
            let has_ca = lane.has_ca;
            let body = response.bytes_stream().map_err(move |error| classify(&error, has_ca)).boxed();
            Ok(head.map(|()| body))
        })
    }
}

/// What is wrong with a certificate that may issue others.
const AUTHORITY: &str = "its certificate is that of an authority, and not trusted itself";

/// What a reqwest error means, by its chain of causes.
fn classify(error: &reqwest::Error, has_ca: bool) -> Problem {
    let text = chain(error);
    match find_tls(error) {
        Some(tls) => match tls_reason(tls, has_ca) {
            reason @ TlsReason::Authority => Problem::Tls { text: AUTHORITY.to_owned(), reason },
            reason => Problem::Tls { text, reason },
        },
        None if error.is_connect() && text.contains("dns error") => Problem::Dns(text),
        None => Problem::Connect(text),
    }
}

/// The TLS error in a chain. `io::Error` hides what it wraps from `source`, and may wrap another one.
fn find_tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(now) = next {
        if let Some(tls) = now.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        next = match now.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => now.source(),
        };
    }
    None
}

fn tls_reason(error: &rustls::Error, has_ca: bool) -> TlsReason {
    use rustls::{CertificateError, Error, InvalidMessage};
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) if has_ca => TlsReason::UnknownCa,
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => TlsReason::NoCa,
        Error::InvalidCertificate(_) if tls::is_authority(error) => TlsReason::Authority,
        Error::InvalidCertificate(_) => TlsReason::Certificate,
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsReason::NotTls,
        _ => TlsReason::Other,
    }
}

/// The error and its causes, each once; the address itself is left out: it may carry a signed query.
fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(now) = cause {
        let text = now.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = now.source();
    }
    if parts.is_empty() {
        let kind = if error.is_timeout() { "timed out" } else { "request failed" };
        parts.push(kind.to_owned());
    }
    clean(&parts.join(": "))
}

impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTransport").field("ca", &self.ca).field("insecure", &self.insecure).finish()
    }
}

/// The transport as the client holds it.
pub(super) type SharedTransport = Arc<dyn Transport>;
