//! A registry that lies: raw TCP on loopback, scripted answer by answer, remembering every request it saw.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airlift::domain::digest::Digest;
use airlift::domain::reference::Repository;
use airlift::engine::hash::sha256;
use airlift::engine::registry::{HttpTransport, Limits, Pause, Registry, RegistryOptions};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With query.
    pub(crate) path: String,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A part of an answer.
pub(crate) enum Step {
    Send(Vec<u8>),
    /// The same bytes until the client hangs up.
    Forever(Vec<u8>),
    /// One piece after each pause.
    Drip(Vec<u8>, Duration, usize),
    /// Nothing more, connection open.
    Stall,
}

/// `HTTP/1.1 <status>` with headers and a body of the right length.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let mut all = head(status, headers);
    all.truncate(all.len() - 2);
    all.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    all.extend_from_slice(body);
    vec![Step::Send(all)]
}

/// A head alone, to be followed by anything.
pub(crate) fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The running server; its tasks end with the test's runtime.
pub(crate) struct Hostile {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    sent: Arc<AtomicU64>,
}

impl Hostile {
    /// Answers each request by `script`, which gets the request and how many came before it.
    /// The client's question for the protocol (`GET /v2/`) is answered 200 and not counted.
    pub(crate) async fn start(script: impl Fn(&Seen, usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(AtomicU64::new(0));
        let script = Arc::new(script);
        let (log, count) = (Arc::clone(&seen), Arc::clone(&sent));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log, count) = (Arc::clone(&script), Arc::clone(&log), Arc::clone(&count));
                tokio::spawn(async move {
                    // The client may hang up at any point: that is what many tests are about.
                    let _ = converse(stream, &*script, &log, &count).await;
                });
            }
        });
        Self { address, seen, sent }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn repo(&self) -> Repository {
        Repository { host: self.host(), path: "team/app".to_owned() }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Bytes that the sockets took.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

async fn converse(
    mut stream: TcpStream,
    script: &(dyn Fn(&Seen, usize) -> Vec<Step> + Send + Sync),
    log: &Mutex<Vec<Seen>>,
    sent: &AtomicU64,
) -> std::io::Result<()> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await?);
        if text == [0x16] {
            // A TLS handshake: answered as web servers do that speak plain HTTP on that port.
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        }
    }
    let head_text = String::from_utf8_lossy(&text).into_owned();
    let mut words = head_text.split(' ');
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut seen = Seen { method, path, head: head_text, body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    seen.body = vec![0; length];
    stream.read_exact(&mut seen.body).await?;
    let steps = if seen.path == "/v2/" {
        reply(200, &[], "")
    } else {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        script(&seen, log.len() - 1)
    };
    for step in steps {
        match step {
            Step::Send(bytes) => write(&mut stream, &bytes, sent).await?,
            Step::Forever(bytes) => loop {
                write(&mut stream, &bytes, sent).await?;
            },
            Step::Drip(bytes, pause, times) => {
                for _ in 0..times {
                    tokio::time::sleep(pause).await;
                    write(&mut stream, &bytes, sent).await?;
                }
            }
            Step::Stall => std::future::pending().await,
        }
    }
    stream.shutdown().await
}

async fn write(stream: &mut TcpStream, bytes: &[u8], sent: &AtomicU64) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
    Ok(())
}

/// Notes pauses instead of waiting.
#[derive(Default)]
pub(crate) struct NoPause(Mutex<Vec<Duration>>);

impl NoPause {
    pub(crate) fn asked(&self) -> Vec<Duration> {
        self.0.lock().unwrap().clone()
    }
}

impl Pause for NoPause {
    fn pause(&self, length: Duration) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().push(length);
        Box::pin(std::future::ready(()))
    }
}

/// Patience for tests: the proportions of real use, about a hundred times faster.
pub(crate) fn quick() -> Limits {
    let milliseconds = Duration::from_millis;
    Limits {
        connect: milliseconds(500),
        idle: milliseconds(500),
        window: milliseconds(600),
        floor: 600,
        commit: milliseconds(2000),
        ..Limits::default()
    }
}

/// A client with quick patience that notes its pauses; credentials only from `auth` (an auth file's text).
pub(crate) fn client(auth: &str) -> (Registry, Arc<NoPause>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let authfile = dir.path().join("auth.json");
    std::fs::write(&authfile, auth).unwrap();
    let options = RegistryOptions { authfile: Some(authfile), ..RegistryOptions::default() };
    let pause = Arc::new(NoPause::default());
    let transport = Arc::new(HttpTransport::new(Vec::new(), &[], quick()));
    let registry = Registry::with_parts(options, transport, quick(), Arc::clone(&pause) as Arc<dyn Pause>);
    (registry.unwrap(), pause, dir)
}

/// A client without credentials.
pub(crate) fn anonymous() -> (Registry, Arc<NoPause>, tempfile::TempDir) {
    client("{}")
}

/// An auth file that holds `canary-user` and `canary-secret` for each of `hosts`.
pub(crate) fn canary_for(hosts: &[&str]) -> String {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode("canary-user:canary-secret");
    let entries: Vec<String> = hosts.iter().map(|host| format!(r#""{host}":{{"auth":"{pair}"}}"#)).collect();
    format!(r#"{{"auths":{{{}}}}}"#, entries.join(","))
}

/// Digest and size of bytes.
pub(crate) fn identify(bytes: &[u8]) -> (Digest, u64) {
    (sha256(bytes), bytes.len() as u64)
}
