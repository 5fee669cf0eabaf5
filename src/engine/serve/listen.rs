//! Accepts connections, plain or TLS: a bounded number, none of which may stand still for long, all ended on cancel.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::answer::answer;
use super::catalog::Catalog;
use super::refusal::cut;
use super::whole::Whole;

/// How many clients at once, and how patient the server is with them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// For a TLS handshake or a request's headers; also how long a connection may idle.
    pub headers: Duration,
    /// How long a client may take no byte at all of an answer.
    pub stall: Duration,
    /// How long running answers get to end after a cancel.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            headers: Duration::from_secs(60),
            stall: Duration::from_secs(120),
            grace: Duration::from_secs(10),
        }
    }
}

/// What happened while serving.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Requests answered.
    pub requests: AtomicU64,
}

/// Everything a connection needs.
#[derive(Clone)]
pub struct Server {
    /// What is served.
    pub catalog: Arc<Catalog>,
    /// Which of its blobs are known to be whole, and who is told what goes wrong with them.
    pub whole: Arc<Whole>,
    /// TLS, where it is on.
    pub tls: Option<TlsAcceptor>,
    /// Bounds.
    pub limits: Limits,
    /// Counts.
    pub counters: Arc<Counters>,
}

/// Serves until `cancel`, then lets running answers end.
pub async fn run(listener: TcpListener, server: Server, cancel: CancellationToken) {
    let permits = Arc::new(Semaphore::new(server.limits.connections));
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = clients.join_next(), if !clients.is_empty() => continue,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((permit, stream, peer)) = accepted else { continue };
        server.counters.connections.fetch_add(1, Ordering::Relaxed);
        let (server, cancel) = (server.clone(), cancel.clone());
        clients.spawn(async move {
            connection(stream, peer, server, cancel).await;
            drop(permit);
        });
    }
    drop(listener);
    let ended = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(server.limits.grace, ended).await.is_err() {
        tracing::warn!("some clients did not finish in time and were cut off");
    }
}

/// Waits for room first, then for a client.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((permit, stream, peer)),
        Err(error) => {
            // Out of file descriptors, mostly: they come back when clients go.
            tracing::warn!("cannot accept a connection: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, server: Server, cancel: CancellationToken) {
    // Without it the last, small piece of an answer waits for the client's ACK.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("{peer}: {error}");
    }
    let stream = Patient::new(stream, server.limits.stall);
    let Some(tls) = server.tls.clone() else {
        return http(stream, peer, server, cancel).await;
    };
    let handshake = tokio::select! {
        () = cancel.cancelled() => return,
        handshake = tokio::time::timeout(server.limits.headers, tls.accept(stream)) => handshake,
    };
    match handshake {
        Ok(Ok(stream)) => http(stream, peer, server, cancel).await,
        Ok(Err(error)) => tracing::info!("{peer}: no TLS: {error}"),
        Err(_) => tracing::info!("{peer}: the TLS handshake took too long"),
    }
}

async fn http<S>(stream: S, peer: SocketAddr, server: Server, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = server.limits;
    let service = service_fn(move |request: http::Request<Incoming>| {
        let server = server.clone();
        async move { Ok::<_, std::convert::Infallible>(respond(&server, peer, &request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        // Small, so that a slow client holds one piece of a body and not many.
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!("{peer}: {error}");
    }
}

async fn respond(server: &Server, peer: SocketAddr, request: &http::Request<Incoming>) -> Response {
    let served = (&*server.catalog, &*server.whole);
    let response = answer(served, request.method(), request.uri(), request.headers()).await;
    server.counters.requests.fetch_add(1, Ordering::Relaxed);
    tracing::info!(
        target: "airlift::serve::access",
        "{peer} {} {} {}",
        cut(request.method().as_str()),
        cut(request.uri().path()),
        response.status().as_u16(),
    );
    response
}

/// A stream whose writes fail when the other side takes nothing for too long.
struct Patient<S> {
    inner: S,
    stall: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    const fn new(inner: S, stall: Duration) -> Self {
        Self { inner, stall, waiting: None }
    }

    /// Passes on what is ready; counts the time that nothing is.
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.waiting = None;
            return poll;
        }
        let deadline = Instant::now() + self.stall;
        let timer = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.watch(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, poll)
    }
}
