//! Why a runtime does not do what it is asked: each error names its socket and what was asked, and says what to do.

use std::path::{Path, PathBuf};

use crate::domain::digest::Digest;
use crate::domain::shell::shell_words;
use crate::engine::error::{Explain, Kind};

/// What a runtime said in words at most, in characters.
const SAID: usize = 600;

/// What goes wrong with a runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nothing lies at the path.
    #[error("there is no socket {}", socket.display())]
    NoSocket {
        /// The path.
        socket: PathBuf,
    },
    /// Something that no program can listen on.
    #[error("{} is no socket but {found}", socket.display())]
    NotSocket {
        /// The path.
        socket: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A socket that nobody listens on.
    #[error("nobody listens on {}", socket.display())]
    Silent {
        /// The path.
        socket: PathBuf,
    },
    /// This user may not connect.
    #[error("permission denied to connect to {} as user {user}", socket.display())]
    Denied {
        /// The path.
        socket: PathBuf,
        /// The effective user id.
        user: u32,
    },
    /// The connection cannot be made, for another reason.
    #[error("cannot connect to {}", socket.display())]
    Connect {
        /// The path.
        socket: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// Something else listens there.
    #[error("{} does not answer as {wanted}: {said}", socket.display())]
    Another {
        /// The path.
        socket: PathBuf,
        /// What was looked for: containerd, the CRI.
        wanted: &'static str,
        /// What came instead.
        said: String,
    },
    /// Somebody listens there and says nothing.
    #[error("{} takes connections, but did not answer as {wanted} within {seconds} seconds", socket.display())]
    Mute {
        /// The path.
        socket: PathBuf,
        /// What was looked for: containerd, the CRI.
        wanted: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// A name space that this containerd does not have.
    #[error("{} has no namespace {namespace}; it has {}", socket.display(), listed(present))]
    Namespace {
        /// The path.
        socket: PathBuf,
        /// As asked for.
        namespace: String,
        /// What it has.
        present: Vec<String>,
    },
    /// The connection ended while something was asked.
    #[error("{} went away while asked to {asked}: {said}", socket.display())]
    Gone {
        /// The path.
        socket: PathBuf,
        /// What was asked.
        asked: String,
        /// What the transport said.
        said: String,
    },
    /// No answer in time.
    #[error("{} did not answer within {seconds} seconds when asked to {asked}", socket.display())]
    Slow {
        /// The path.
        socket: PathBuf,
        /// What was asked.
        asked: String,
        /// The limit.
        seconds: u64,
    },
    /// It has no room for more.
    #[error("{} is out of space, asked to {asked}: {said}", socket.display())]
    Space {
        /// The path.
        socket: PathBuf,
        /// What was asked.
        asked: String,
        /// What it said.
        said: String,
    },
    /// Another client writes the same thing.
    #[error("{} is being given the same by another client, asked to {asked}: {said}", socket.display())]
    Busy {
        /// The path.
        socket: PathBuf,
        /// What was asked.
        asked: String,
        /// What it said.
        said: String,
    },
    /// A directory lies where it is to make one.
    #[error("{} cannot {asked}: {} is in the way, of which it knows nothing", socket.display(), directory.display())]
    Leftover {
        /// The path.
        socket: PathBuf,
        /// What was asked.
        asked: String,
        /// What lies there.
        directory: PathBuf,
    },
    /// What it has under a digest is not of that length.
    #[error("{} has {digest} with {actual} bytes, expected {expected}", socket.display())]
    Length {
        /// The path.
        socket: PathBuf,
        /// The digest.
        digest: Digest,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// It said no.
    #[error("{} refused to {asked}: {said} ({code:?})", socket.display())]
    Refused {
        /// The path.
        socket: PathBuf,
        /// What was asked.
        asked: String,
        /// The class of its answer.
        code: tonic::Code,
        /// What it said.
        said: String,
    },
}

/// What may be meant by a socket on which nobody answers.
fn mute(socket: &Path) -> String {
    let beside = (socket.extension().is_some_and(|end| end == "ttrpc")).then(|| socket.with_extension(""));
    match beside {
        Some(grpc) => format!("is this the gRPC socket? containerd's is {}, without .ttrpc", grpc.display()),
        None => "is this the gRPC socket, as /run/containerd/containerd.sock, not containerd.sock.ttrpc? if it is, the \
                 runtime hangs: see its journal (journalctl -u containerd)"
            .to_owned(),
    }
}

/// What becomes of a directory that the runtime neither knows nor removes. One that runs may have removed it since, and
/// made another one of that name for somebody else.
fn leftover(directory: &Path) -> String {
    let remove = shell_words(&["rm", "-r", &directory.display().to_string()].map(str::to_owned));
    format!(
        "stop the runtime, which was killed as it made that directory; only if it is still there then, on the file system \
         that the runtime has: {remove}; start it and run the same command again"
    )
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What a runtime said, cut and without what a terminal would obey.
pub(super) fn said(text: &str) -> String {
    use crate::domain::text::{capped, shown};
    capped(&shown(text), SAID).into_owned()
}

impl RuntimeError {
    /// Whether it is the runtime's own word that there is no such thing.
    pub const fn not_found(&self) -> bool {
        matches!(self, Self::Refused { code: tonic::Code::NotFound, .. })
    }

    /// Whether it is the runtime's own word that it has that already.
    pub const fn is_there_already(&self) -> bool {
        matches!(self, Self::Refused { code: tonic::Code::AlreadyExists, .. })
    }

    /// What lies where it is to make a directory.
    pub fn in_the_way(&self) -> Option<&Path> {
        if let Self::Leftover { directory, .. } = self { Some(directory) } else { None }
    }
}

impl Explain for RuntimeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Space { .. } => Kind::Space,
            Self::Busy { .. } => Kind::Locked,
            Self::Length { .. } => Kind::Integrity,
            _ => Kind::Import,
        }
    }

    fn transient(&self) -> bool {
        matches!(
            self,
            Self::Silent { .. }
                | Self::Gone { .. }
                | Self::Slow { .. }
                | Self::Mute { .. }
                | Self::Busy { .. }
        )
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Mute { socket, .. } => return vec![mute(socket)],
            Self::Leftover { directory, .. } => return vec![leftover(directory)],
            Self::NoSocket { .. } => {
                "is the runtime installed and running (systemctl status containerd)? k3s and RKE2 have theirs at \
                 /run/k3s/containerd/containerd.sock: name it as containerd:SOCKET"
            }
            Self::NotSocket { .. } => {
                "give the socket itself, as /run/containerd/containerd.sock; ctr -a SOCKET version tells whether it is one"
            }
            Self::Silent { .. } => {
                "the runtime is not running: start it (systemctl start containerd), then run this again"
            }
            Self::Denied { .. } => "run this as root, or as a user who may use that socket",
            Self::Connect { .. } => "look at the path: a socket's has at most 107 bytes",
            Self::Another { .. } => {
                "another program listens there: give the path of the runtime's own socket"
            }
            Self::Namespace { .. } => {
                "the kubelet's images are in k8s.io; leave the namespace out, or give one that is there"
            }
            Self::Gone { .. } => {
                "the runtime was stopped, restarted or crashed: see its journal (journalctl -u containerd), then run the \
                 same command again, it does only what is missing"
            }
            Self::Slow { .. } => {
                "the runtime hangs or its disk is very slow: see its journal, then run the same command again"
            }
            Self::Space { .. } => {
                "free space on the file system of the runtime's root; the same command then does only what is missing"
            }
            Self::Busy { .. } => "wait for the other import or pull to end, then run this again",
            Self::Length { .. } => {
                "its store is damaged: remove the images that hold that blob (ctr -n k8s.io images rm), then run this again"
            }
            Self::Refused { .. } => {
                "see the runtime's journal (journalctl -u containerd) for what it objects to"
            }
        };
        vec![hint.to_owned()]
    }
}
