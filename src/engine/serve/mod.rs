//! A read-only OCI registry straight from verified content: streams, answers HEAD, Range, digests, tags and referrers, writes nothing.

pub mod answer;
pub mod body;
pub mod bundle;
pub mod catalog;
pub mod clients;
pub mod layout;
pub mod listen;
pub mod notify;
pub mod refusal;
pub mod request;
pub mod source;
pub mod tls;
pub mod trouble;
pub mod whole;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use bundle::BundleSource;
use catalog::Catalog;
use listen::{Counters, Limits, Server};
use source::Source;
use tls::TlsFiles;
use trouble::Trouble;
use whole::Whole;

use super::blocking::blocking;
use super::bundle::verify::{VerifySpec, verify};
use super::ctx::JobCtx;
use super::error::{Explain, Kind, Result};

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// A certificate or key that cannot be used.
    #[error("cannot use {} for TLS: {reason}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A worker thread died.
    #[error("a worker of the registry ended early: {0}")]
    Worker(String),
}

impl Explain for ServeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Listen { .. } => Kind::Network,
            Self::Tls { .. } => Kind::Usage,
            Self::Worker(_) => Kind::Other,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
                vec!["another program listens there: choose another --listen, port 0 takes any free one".to_owned()]
            }
            Self::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrNotAvailable => {
                vec!["this host has no such address: see `ip address`".to_owned()]
            }
            Self::Tls { .. } => vec![
                "the certificate file holds the chain as PEM, the server's own first; the key file its key, not encrypted"
                    .to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ListenSpec {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, or plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Bounds on clients.
    pub limits: Limits,
}

impl ListenSpec {
    /// Plain HTTP on a free port of the loopback interface.
    pub fn loopback() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { address, tls: None, limits: Limits::default() }
    }
}

/// What a registry did, once it has ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServeReport {
    /// Where it listened.
    pub address: SocketAddr,
    /// Connections accepted.
    pub connections: u64,
    /// Requests answered.
    pub requests: u64,
}

/// A registry that is listening.
pub struct Running {
    /// The address it really has.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    counters: Arc<Counters>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// Waits until the context it was started with is cancelled and the last answer is out.
    ///
    /// # Errors
    /// [`ServeError::Worker`].
    pub async fn wait(self) -> Result<ServeReport> {
        self.task.await.map_err(|error| ServeError::Worker(error.to_string()))?;
        Ok(ServeReport {
            address: self.address,
            connections: self.counters.connections.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
        })
    }

    /// Ends it and waits for the last answer.
    ///
    /// # Errors
    /// [`ServeError::Worker`].
    pub async fn stop(self) -> Result<ServeReport> {
        self.cancel.cancel();
        self.wait().await
    }
}

/// Starts to listen; answers come as soon as this returns, until the context is cancelled.
///
/// # Errors
/// [`ServeError`] where the address or the certificate cannot be used.
pub async fn start(spec: &ListenSpec, catalog: Arc<Catalog>, ctx: &JobCtx) -> Result<Running> {
    let tls = spec.tls.as_ref().map(tls::acceptor).transpose()?;
    if tls.is_none() && !spec.address.ip().is_loopback() {
        ctx.warn(format!(
            "{} is not a loopback address and TLS is off: anyone on the way can read and change what is pulled by tag",
            spec.address
        ));
    }
    for conflict in catalog.conflicts() {
        ctx.warn(conflict.clone());
    }
    let listening = |source| ServeError::Listen { address: spec.address, source };
    let listener = TcpListener::bind(spec.address).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    let counters = Arc::new(Counters::default());
    let cancel = ctx.cancel.child_token();
    let has_tls = tls.is_some();
    let whole = Arc::new(Whole::new(Arc::new(Trouble::new(ctx.clone()))));
    let server = Server { catalog, whole, tls, limits: spec.limits, counters: Arc::clone(&counters) };
    let task = tokio::spawn(listen::run(listener, server, cancel.clone()));
    Ok(Running { address, tls: has_tls, counters, cancel, task })
}

/// Verifies every bundle and gathers what they hold; one that does not verify is served by nobody.
///
/// # Errors
/// Those of verification, or a manifest that cannot be read.
pub async fn open_bundles(bundles: Vec<VerifySpec>, ctx: &JobCtx) -> Result<Catalog> {
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    for spec in bundles {
        let verified = verify(spec, ctx).await?;
        for warning in &verified.report.warnings {
            ctx.warn(warning.clone());
        }
        let files = Arc::clone(&ctx.files);
        sources.push(Arc::new(blocking(move || BundleSource::new(verified.bundle, &*files)).await?));
    }
    blocking(move || Catalog::new(&sources)).await
}
