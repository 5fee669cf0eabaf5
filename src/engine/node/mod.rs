//! Finds what runs on a node: its runtimes by socket, configuration and data, what the kubelet is set to, and SELinux.

mod config;
mod kubelet;

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;

use crate::domain::node::{Listening, NodeFacts, Runtime, RuntimeKind, Selinux};
use crate::engine::error::Kind;
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::runtime::cri::Cri;
use config::Config;

/// Bytes of a configuration that are read at most.
const MAX_CONFIG: u64 = 1 << 20;
/// How long a runtime is waited for that has a socket and says nothing.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where a runtime is looked for, below the root.
struct Place {
    kind: RuntimeKind,
    socket: &'static str,
    /// One of these says that it is installed, socket or not.
    traces: &'static [&'static str],
}

const PLACES: &[Place] = &[
    Place {
        kind: RuntimeKind::Containerd,
        socket: "run/containerd/containerd.sock",
        traces: &["etc/containerd/config.toml", "usr/bin/containerd", "usr/local/bin/containerd"],
    },
    Place {
        kind: RuntimeKind::Rke2,
        socket: "run/k3s/containerd/containerd.sock",
        traces: &["var/lib/rancher/rke2"],
    },
    Place {
        kind: RuntimeKind::K3s,
        socket: "run/k3s/containerd/containerd.sock",
        traces: &["var/lib/rancher/k3s", "usr/local/bin/k3s"],
    },
    Place {
        kind: RuntimeKind::CriO,
        socket: "run/crio/crio.sock",
        traces: &["etc/crio", "usr/bin/crio", "usr/local/bin/crio"],
    },
    Place { kind: RuntimeKind::Podman, socket: "run/podman/podman.sock", traces: &["usr/bin/podman"] },
    Place { kind: RuntimeKind::Docker, socket: "run/docker.sock", traces: &[] },
];

/// Looks around below `root`, which is `/` on the node itself. Opens the sockets of runtimes, and no other.
pub async fn find(root: &Path, files: &dyn Files) -> NodeFacts {
    let mut reader = Reader { root, files, problems: Vec::new() };
    let kubelet = kubelet::read(&mut reader);
    let mut runtimes = Vec::new();
    for place in PLACES.iter().filter(|place| is_there(root, place)) {
        let config = Config::read(&mut reader, place.kind);
        let directory = root.join(config.root.strip_prefix("/").unwrap_or(&config.root));
        runtimes.push(Runtime {
            kind: place.kind,
            socket: root.join(place.socket),
            listening: Listening::Absent,
            config: config.file,
            free: free(files, &directory),
            root: directory,
            sandbox: config.sandbox,
            stores: config.stores,
        });
    }
    let (problems, selinux) = (reader.problems, selinux(root));
    join_all(runtimes.iter_mut().map(ask)).await;
    if let Some(kubelet) = &kubelet {
        runtimes.sort_by_key(|runtime| !kubelet.is_on(&runtime.socket));
    }
    NodeFacts { runtimes, kubelet, selinux, problems }
}

fn is_there(root: &Path, place: &Place) -> bool {
    let there = |path: &&str| root.join(path).exists();
    let shared = matches!(place.kind, RuntimeKind::K3s | RuntimeKind::Rke2);
    // The two share a socket, so that only their data tell them apart.
    place.traces.iter().any(|trace| there(trace)) || (!shared && root.join(place.socket).exists())
}

/// Asks a runtime for its version, where it has a socket.
async fn ask(runtime: &mut Runtime) {
    let is_socket = std::fs::metadata(&runtime.socket).is_ok_and(|meta| meta.file_type().is_socket());
    if !is_socket {
        return;
    }
    runtime.listening = if runtime.kind.speaks_cri() {
        match tokio::time::timeout(PATIENCE, Cri::connect(&runtime.socket)).await {
            Ok(Ok(cri)) => {
                let wanted = tokio::time::timeout(PATIENCE, cri.sandbox_image()).await;
                if let Ok(Ok(Some(sandbox))) = wanted {
                    runtime.sandbox = Some(sandbox);
                }
                Listening::Answers { version: Some(cri.version().version.clone()) }
            }
            Ok(Err(error)) if error.kind() == Kind::Denied => Listening::Denied,
            Ok(Err(error)) => Listening::Silent { reason: error.message() },
            Err(_) => Listening::Silent { reason: format!("no answer in {} s", PATIENCE.as_secs()) },
        }
    } else {
        match tokio::net::UnixStream::connect(&runtime.socket).await {
            Ok(_) => Listening::Answers { version: None },
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Listening::Denied,
            Err(error) => Listening::Silent { reason: error.to_string() },
        }
    };
}

/// Room for this user where `directory` is or will be.
fn free(files: &dyn Files, directory: &Path) -> Option<u64> {
    let there = directory.ancestors().find(|path| path.exists())?;
    files.space(there).ok()?.free
}

fn selinux(root: &Path) -> Selinux {
    match std::fs::read_to_string(root.join("sys/fs/selinux/enforce")) {
        Ok(text) if text.trim() == "1" => Selinux::Enforcing,
        Ok(_) => Selinux::Permissive,
        Err(_) => Selinux::Absent,
    }
}

/// Reads configurations below the root and keeps what went wrong.
struct Reader<'a> {
    root: &'a Path,
    files: &'a dyn Files,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// The text of a file; nothing where it is not there.
    fn text(&mut self, path: &str) -> Option<String> {
        let path = self.root.join(path.trim_start_matches('/'));
        let read = open_named(self.files, &path).map_err(|error| (error.source.kind(), error.to_string())).and_then(
            |open| read_whole(open, MAX_CONFIG).map_err(|error| (error.kind(), error.to_string())),
        );
        match read.map(String::from_utf8) {
            Ok(Ok(text)) => Some(text),
            Ok(Err(_)) => self.problem(&path, "it is no UTF-8"),
            Err((std::io::ErrorKind::NotFound, _)) => None,
            Err((_, words)) => self.problem(&path, &words),
        }
    }

    /// The table in a TOML file; nothing where it is not there or is none, which is a problem.
    fn toml(&mut self, path: &str) -> Option<toml::Table> {
        let text = self.text(path)?;
        match text.parse::<toml::Table>() {
            Ok(table) => Some(table),
            Err(error) => self.problem(&self.root.join(path.trim_start_matches('/')), error.message()),
        }
    }

    /// Paths of the files in a directory that end with `extension`, below the root, in the order in which they apply.
    fn drop_ins(&mut self, directory: &str, extension: &str) -> Vec<String> {
        let relative = directory.trim_start_matches('/');
        let Ok(entries) = std::fs::read_dir(self.root.join(relative)) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| name.ends_with(extension)).map(|name| format!("{relative}/{name}")).collect();
        names.sort_unstable();
        names
    }

    fn problem<T>(&mut self, path: &Path, reason: &str) -> Option<T> {
        self.problems.push(format!("{}: {reason}", path.display()));
        None
    }

    fn shown(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}
