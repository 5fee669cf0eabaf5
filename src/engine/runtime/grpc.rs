//! A gRPC connection over a unix socket: every call has a limit in time, and every failure names socket and request.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::error::{RuntimeError, said};

/// Bytes of one message at most, either way; what containerd and its own clients allow.
pub(super) const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long who listens may take to say who that is: nothing is under way yet, and it is little to ask.
pub(super) const FIRST: Duration = Duration::from_secs(10);
/// How long a look at what is there may take.
pub(super) const QUICK: Duration = Duration::from_secs(120);

/// How a runtime that does not answer is told from one that works: it is asked for a sign of life. What writes waits for
/// its disk, and how long that takes nobody can say.
#[derive(Clone, Copy, Debug)]
struct Alive {
    /// Silence before it is asked. Runtimes hang up on who asks more often than every five minutes (gRPC's keepalive
    /// enforcement).
    after: Duration,
    /// How long the sign may take.
    within: Duration,
}

const ALIVE: Alive = Alive { after: Duration::from_secs(6 * 60), within: Duration::from_secs(2 * 60) };

type Result<T> = std::result::Result<T, RuntimeError>;

/// A connection. Cheap to clone; calls of all clones share it.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    path: PathBuf,
    channel: Channel,
}

impl Socket {
    /// Connects.
    pub(super) async fn connect(path: &Path) -> Result<Self> {
        Self::watched(path, ALIVE).await
    }

    async fn watched(path: &Path, alive: Alive) -> Result<Self> {
        // Asked for first, as its answer is the kernel's own and not wrapped up by others.
        let probe = tokio::time::timeout(CONNECT, UnixStream::connect(path)).await;
        let socket = path.to_owned();
        match probe {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(unconnected(socket, error)),
            Err(_) => return Err(slow(path, "take a connection", CONNECT)),
        }
        let target = socket.clone();
        let connector = tower::service_fn(move |_| {
            let target = target.clone();
            async move { UnixStream::connect(target).await.map(TokioIo::new) }
        });
        // What stands before the path of a method; a unix socket has no host.
        let endpoint = Endpoint::from_static("http://localhost").connect_timeout(CONNECT);
        let endpoint = endpoint.http2_keep_alive_interval(alive.after).keep_alive_timeout(alive.within);
        let channel = endpoint.connect_with_connector_lazy(connector);
        Ok(Self { path: socket, channel })
    }

    /// The path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What clients are made of.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Waits until something is done that waits for a disk, for as long as the runtime gives signs of life; `asked` is as
    /// for [`Self::answer`].
    pub(super) async fn done<T>(
        &self,
        asked: &str,
        call: impl Future<Output = std::result::Result<T, Status>>,
    ) -> Result<T> {
        call.await.map_err(|status| self.error(asked, &status))
    }

    /// Waits for an answer, within a limit; `asked` is what for, as `list the images`.
    pub(super) async fn answer<T>(
        &self,
        asked: &str,
        limit: Duration,
        call: impl Future<Output = std::result::Result<T, Status>>,
    ) -> Result<T> {
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => Err(self.error(asked, &status)),
            Err(_) => Err(slow(&self.path, asked, limit)),
        }
    }

    /// The error of an answer.
    pub(super) fn error(&self, asked: &str, status: &Status) -> RuntimeError {
        let (socket, asked) = (self.path.clone(), asked.to_owned());
        let mut words = status.message().to_owned();
        if let Some(source) = status.source() {
            words = joined(words, chain(source));
        }
        let words = said(&words);
        // A status of our own transport has a source; one that the runtime sent has none.
        let own = status.source().is_some();
        if let Some(directory) = left_there(&words).filter(|_| !own) {
            return RuntimeError::Leftover { socket, asked, directory };
        }
        match status.code() {
            _ if full(&words) => RuntimeError::Space { socket, asked, said: words },
            Code::Unavailable if !own && words.contains("locked") => {
                RuntimeError::Busy { socket, asked, said: words }
            }
            Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal if own => {
                RuntimeError::Gone { socket, asked, said: plain(words) }
            }
            code => RuntimeError::Refused { socket, asked, code, said: words },
        }
    }

    /// That what listens is something else than `wanted`, where an answer to the first question says so.
    pub(super) fn another(&self, wanted: &'static str, error: RuntimeError) -> RuntimeError {
        match error {
            RuntimeError::Refused { code: Code::Unimplemented, said, .. }
            | RuntimeError::Gone { said, .. } => {
                RuntimeError::Another { socket: self.path.clone(), wanted, said }
            }
            RuntimeError::Slow { seconds, .. } => {
                RuntimeError::Mute { socket: self.path.clone(), wanted, seconds }
            }
            other => other,
        }
    }
}

/// What a transport says of its end in many ways, in one.
fn plain(words: String) -> String {
    let has = |all: &[&str]| all.iter().any(|one| words.contains(one));
    if has(&["os error 2)", "os error 111)"]) {
        "nobody listens there any more".to_owned()
    } else if has(&["connection reset", "broken pipe", "connection closed", "was canceled"]) {
        "the connection was closed".to_owned()
    } else {
        words
    }
}

/// What was said with its cause, each once.
fn joined(words: String, cause: String) -> String {
    if cause.contains(&words) {
        cause
    } else if words.contains(&cause) {
        words
    } else {
        format!("{words}: {cause}")
    }
}

/// As the kernel's messages have it, handed through by containerd.
fn full(words: &str) -> bool {
    ["no space left on device", "disk quota exceeded"].iter().any(|text| words.contains(text))
}

/// What lies where a snapshotter is to make a directory, as Go's `os.Rename` has it: it makes it beside its place, under a
/// name of its own.
fn left_there(words: &str) -> Option<PathBuf> {
    let (_, named) = words.split_once("failed to rename: rename ")?;
    let (made, _) = named.split_once(": file exists")?;
    let (beside, made) = made.split_once("/new-")?;
    let (_, place) = made.split_once(' ')?;
    (Path::new(place).parent() == Some(Path::new(beside))).then(|| place.into())
}

fn slow(socket: &Path, asked: &str, limit: Duration) -> RuntimeError {
    RuntimeError::Slow { socket: socket.to_owned(), asked: asked.to_owned(), seconds: limit.as_secs() }
}

fn unconnected(socket: PathBuf, source: io::Error) -> RuntimeError {
    match source.kind() {
        io::ErrorKind::NotFound => RuntimeError::NoSocket { socket },
        io::ErrorKind::ConnectionRefused => match no_socket(&socket) {
            Some(found) => RuntimeError::NotSocket { socket, found },
            None => RuntimeError::Silent { socket },
        },
        io::ErrorKind::PermissionDenied => {
            RuntimeError::Denied { socket, user: rustix::process::geteuid().as_raw() }
        }
        _ => RuntimeError::Connect { socket, source },
    }
}

/// What lies at a path where a socket should; nothing where it is one, or cannot be looked at.
fn no_socket(path: &Path) -> Option<&'static str> {
    match (path.is_dir(), path.is_file()) {
        (true, _) => Some("a directory"),
        (_, true) => Some("a plain file"),
        _ => None,
    }
}

/// An error and what is below it, each said once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        below = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::import::KUBELET_NAMESPACE;
    use crate::engine::error::Explain as _;
    use crate::engine::runtime::containerd::Containerd;
    use crate::engine::runtime::cri::Cri;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    async fn refusals(path: &Path) -> [RuntimeError; 2] {
        [
            Containerd::connect(path, KUBELET_NAMESPACE).await.unwrap_err(),
            Cri::connect(path).await.unwrap_err(),
        ]
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_or_that_nobody_listens_on_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        for error in refusals(&path).await {
            assert!(matches!(&error, RuntimeError::NoSocket { socket } if *socket == path), "{error}");
        }
        std::fs::write(&path, "").unwrap();
        for (path, found) in [(path.as_path(), "a plain file"), (dir.path(), "a directory")] {
            for error in refusals(path).await {
                assert!(error.to_string().ends_with(&format!("is no socket but {found}")), "{error}");
            }
        }
        std::fs::remove_file(&path).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        for error in refusals(&path).await {
            assert!(matches!(&error, RuntimeError::Silent { socket } if *socket == path), "{error}");
        }
    }

    #[tokio::test]
    async fn what_speaks_another_language_or_hangs_up_is_no_runtime() {
        for greeting in ["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", ""] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("sock");
            let listener = UnixListener::bind(&path).unwrap();
            let server = tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let _ = stream.write_all(greeting.as_bytes()).await;
                }
            });
            for error in refusals(&path).await {
                assert!(matches!(error, RuntimeError::Another { .. }), "{error}");
            }
            server.abort();
        }
    }

    /// Speaks just enough HTTP/2 to be connected to, answers no request, and gives `signs` of life before it falls silent.
    async fn mute(listener: UnixListener, signs: usize) {
        const SETTINGS: u8 = 4;
        const PING: u8 = 6;
        const ACK: u8 = 1;
        let frame = |kind: u8, flags: u8, payload: &[u8]| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[0, 0, length, kind, flags, 0, 0, 0, 0], payload].concat()
        };
        // The first connection only asks whether somebody listens.
        drop(listener.accept().await.unwrap());
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        stream.write_all(&frame(SETTINGS, 0, &[])).await.unwrap();
        let (mut head, mut left) = ([0; 9], signs);
        while stream.read_exact(&mut head).await.is_ok() {
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            stream.read_exact(&mut payload).await.unwrap();
            match (head[3], head[4]) {
                (SETTINGS, 0) => stream.write_all(&frame(SETTINGS, ACK, &[])).await.unwrap(),
                (PING, 0) if left > 0 => {
                    left -= 1;
                    stream.write_all(&frame(PING, ACK, &payload)).await.unwrap();
                }
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn work_may_take_as_long_as_the_runtime_gives_signs_of_life_and_a_hung_one_is_told() {
        const SIGNS: usize = 5;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let server = tokio::spawn(mute(UnixListener::bind(&path).unwrap(), SIGNS));
        let alive = Alive { after: Duration::from_millis(60), within: Duration::from_millis(60) };
        let socket = Socket::watched(&path, alive).await.unwrap();
        let began = std::time::Instant::now();
        let mut client =
            crate::engine::runtime::proto::version::version_client::VersionClient::new(socket.channel());
        let error = socket.done("unpack sha256:ab", client.version(())).await.unwrap_err();
        let signs = u32::try_from(SIGNS).unwrap();
        assert!(began.elapsed() > alive.after * signs, "it was waited for through {SIGNS} signs of life");
        assert!(matches!(&error, RuntimeError::Gone { asked, .. } if asked == "unpack sha256:ab"), "{error}");
        server.abort();
    }

    #[tokio::test]
    async fn who_listens_and_never_answers_is_told_within_seconds_with_the_socket_that_may_be_meant() {
        assert!(FIRST <= Duration::from_secs(10));
        let channel = || Endpoint::from_static("http://localhost").connect_lazy();
        for (path, meant) in [
            ("/run/containerd/containerd.sock.ttrpc", "is /run/containerd/containerd.sock, without .ttrpc"),
            ("/run/x.sock", "containerd.sock.ttrpc"),
        ] {
            let socket = Socket { path: path.into(), channel: channel() };
            let never = std::future::pending::<std::result::Result<(), Status>>();
            let slow = socket.answer("tell its version", Duration::from_millis(1), never).await.unwrap_err();
            let error = socket.another("containerd", slow);
            assert!(error.to_string().contains("did not answer as containerd"), "{error}");
            assert!(error.hints()[0].contains(meant), "{:?}", error.hints());
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let joined = |words: &str, cause: &str| joined(words.to_owned(), cause.to_owned());
        assert_eq!(joined("transport error", "transport error: broken pipe"), "transport error: broken pipe");
        assert_eq!(joined("reset: broken pipe", "broken pipe"), "reset: broken pipe");
        assert_eq!(joined("reset", "broken pipe"), "reset: broken pipe");
        let (refused, wrapped) =
            ("Connection refused (os error 111)", "transport error: Connection refused (os error 111)");
        assert_eq!(joined(refused, wrapped), wrapped);
    }

    #[test]
    fn the_words_of_a_full_disk_of_a_second_writer_and_of_a_directory_in_the_way_are_known() {
        let status = |code, words: &str| Status::new(code, words.to_owned());
        let socket = |status: &Status| {
            let channel = Endpoint::from_static("http://localhost").connect_lazy();
            Socket { path: "/s".into(), channel }.error("take it", status)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _inside = runtime.enter();
        let full = status(Code::Unknown, "write /var/lib/x: no space left on device");
        assert!(matches!(socket(&full), RuntimeError::Space { .. }));
        let busy = status(Code::Unavailable, "ref k8s.io/1/airlift-sha256:ab locked for 3ms: unavailable");
        assert!(matches!(socket(&busy), RuntimeError::Busy { .. }));
        assert!(socket(&status(Code::NotFound, "x")).not_found());
        let snapshots = "/var/lib/a b/io.containerd.snapshotter.v1.native/snapshots";
        let words =
            format!("failed to rename: rename {snapshots}/new-31 {snapshots}/7: file exists: unknown");
        let left = socket(&status(Code::Unknown, &words));
        assert!(
            matches!(&left, RuntimeError::Leftover { directory, .. } if *directory == Path::new(snapshots).join("7")),
            "{left}"
        );
        let hint = left.hints().remove(0);
        assert!(hint.starts_with("stop the runtime") && hint.contains("only if it is still there"), "{hint}");
        assert!(hint.contains(&format!("rm -r '{snapshots}/7'")), "{hint}");
        for other in
            ["rename /a/new-1 /b/7: file exists", "failed to rename: rename /a/rm-7 /a/7: file exists"]
        {
            assert!(matches!(socket(&status(Code::Unknown, other)), RuntimeError::Refused { .. }), "{other}");
        }
    }
}
