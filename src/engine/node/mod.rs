//! Finds what runs on a node: its runtimes by socket, configuration and data, what the kubelet is set to, and SELinux.

mod config;
mod kubelet;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;

use crate::domain::node::{Listening, NodeFacts, Runtime, RuntimeKind, Selinux};
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::media::find::is_writable;
use crate::engine::runtime::cri::Cri;
use crate::engine::runtime::error::RuntimeError;
use config::Config;

/// Bytes of a configuration that are read at most.
const MAX_CONFIG: u64 = 1 << 20;
/// Drop-ins of one directory that are looked at at most.
const MAX_DROP_INS: usize = 1000;
/// How long a runtime is waited for that has a socket and says nothing.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where a runtime is looked for, below the root.
struct Place {
    kind: RuntimeKind,
    socket: &'static str,
    /// One of these says that it is installed, socket or not.
    traces: &'static [&'static str],
}

/// The data of RKE2.
const RKE2: &str = "var/lib/rancher/rke2";

const PLACES: &[Place] = &[
    Place {
        kind: RuntimeKind::Containerd,
        socket: "run/containerd/containerd.sock",
        traces: &["etc/containerd/config.toml", "usr/bin/containerd", "usr/local/bin/containerd"],
    },
    Place { kind: RuntimeKind::Rke2, socket: "run/k3s/containerd/containerd.sock", traces: &[RKE2] },
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
    for place in PLACES.iter().filter(|place| is_there(root, files, place)) {
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
    let selinux = selinux(&mut reader);
    let problems = reader.problems;
    join_all(runtimes.iter_mut().map(|runtime| ask(runtime, files))).await;
    if let Some(kubelet) = &kubelet {
        runtimes.sort_by_key(|runtime| !kubelet.is_on(&runtime.socket));
    }
    NodeFacts { runtimes, kubelet, selinux, closed: closed(root, files), problems }
}

/// Whether this user may not write where stores and images directories lie, /var.
fn closed(root: &Path, files: &dyn Files) -> bool {
    let place = root.join("var");
    // Where it is read-only, root fares no better.
    !rustix::process::geteuid().is_root() && has(files, &place) && !is_writable(&place)
}

/// The runtimes that [`find`] finds, by name, and which of them do not run; looks for files and asks nobody.
pub fn names(root: &Path, files: &dyn Files) -> Vec<String> {
    let word = |place: &Place| {
        // podman is none that runs: it needs no socket.
        let runs = place.kind == RuntimeKind::Podman || has(files, &root.join(place.socket));
        format!("{}{}", place.kind.name(), if runs { "" } else { " (not running)" })
    };
    PLACES.iter().filter(|place| is_there(root, files, place)).map(word).collect()
}

/// Whether anything lies at a path; what cannot be told is not there.
fn has(files: &dyn Files, path: &Path) -> bool {
    files.stat(path).is_ok_and(|found| found.is_some())
}

fn is_there(root: &Path, files: &dyn Files, place: &Place) -> bool {
    let there = |path: &&str| has(files, &root.join(path));
    // k3s and RKE2 share a socket, so that only RKE2's data tell it from k3s.
    let by_socket = match place.kind {
        RuntimeKind::Rke2 => false,
        RuntimeKind::K3s => !has(files, &root.join(RKE2)),
        _ => true,
    };
    place.traces.iter().any(there) || (by_socket && there(&place.socket))
}

/// Asks a runtime for its version, where it has a socket.
async fn ask(runtime: &mut Runtime, files: &dyn Files) {
    if !has(files, &runtime.socket) {
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
            Ok(Err(RuntimeError::Denied { .. })) => Listening::Denied,
            Ok(Err(error)) => Listening::Silent { reason: error.to_string() },
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

/// Room for this user where `directory` is or will be, in bytes.
pub fn free(files: &dyn Files, directory: &Path) -> Option<u64> {
    let there = directory.ancestors().find(|path| has(files, path))?;
    files.space(there).ok()?.free
}

fn selinux(reader: &mut Reader<'_>) -> Selinux {
    match reader.text("sys/fs/selinux/enforce") {
        Some(text) if text.trim() == "1" => Selinux::Enforcing,
        Some(_) => Selinux::Permissive,
        None => Selinux::Absent,
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
        let read = open_named(self.files, &path)
            .map_err(|error| (error.source.kind(), error.to_string()))
            .and_then(|open| read_whole(open, MAX_CONFIG).map_err(|error| (error.kind(), error.to_string())));
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
            Err(error) => self.problem(&self.root.join(path.trim_start_matches('/')), &error.to_string()),
        }
    }

    /// Paths of the files in a directory that end with `extension`, below the root, in the order in which they apply.
    fn drop_ins(&self, directory: &str, extension: &str) -> Vec<String> {
        let relative = directory.trim_start_matches('/');
        let Ok(entries) = self.files.entries(&self.root.join(relative), MAX_DROP_INS) else {
            return Vec::new();
        };
        let named = entries.into_iter().map(|entry| entry.path).filter(|name| name.ends_with(extension));
        let mut names: Vec<String> = named.map(|name| format!("{relative}/{name}")).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn of(facts: &NodeFacts, kind: RuntimeKind) -> &Runtime {
        facts.runtimes.iter().find(|runtime| runtime.kind == kind).unwrap()
    }

    #[tokio::test]
    async fn an_empty_root_has_no_runtimes_and_no_problems() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(find(root.path(), &RealFiles).await, NodeFacts::default());
    }

    #[tokio::test]
    async fn configurations_of_every_runtime_are_read_below_the_root_with_their_drop_ins() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            "etc/containerd/config.toml",
            "version = 3\nroot = \"/data/c\"\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = \"a/pause:1\"\n",
        );
        write(
            root,
            "etc/containerd/conf.d/10.toml",
            "[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = \"b/pause:2\"\n",
        );
        write(
            root,
            "etc/containers/storage.conf",
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"/data/s\"\n[storage.options]\nadditionalimagestores = [\"/usr/ock/containers\"]\n",
        );
        write(root, "etc/crio/crio.conf", "[crio.image]\npause_image = \"c/pause:3\"\n");
        write(
            root,
            "etc/crio/crio.conf.d/00-x.conf",
            "[crio]\nroot = \"/data/crio\"\nstorage_option = [\"overlay.imagestore=/srv/ais\", \"overlay.mountopt=nodev\"]\n",
        );
        write(
            root,
            "var/lib/rancher/rke2/agent/etc/containerd/config.toml",
            "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = \"d/pause:4\"\n",
        );
        write(root, "var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\nimageMaximumGCAge: 24h\n");
        write(
            root,
            "var/lib/kubelet/kubeadm-flags.env",
            "KUBELET_KUBEADM_ARGS=\"--container-runtime-endpoint=unix:///var/run/crio/crio.sock --x=y\"\n",
        );
        write(root, "sys/fs/selinux/enforce", "1");
        let facts = find(root, &RealFiles).await;
        assert_eq!(facts.problems, Vec::<String>::new());
        assert_eq!(facts.selinux, Selinux::Enforcing);
        let containerd = of(&facts, RuntimeKind::Containerd);
        assert_eq!(
            (containerd.sandbox.as_deref(), containerd.root.clone()),
            (Some("b/pause:2"), root.join("data/c"))
        );
        assert!(containerd.free.is_some_and(|free| free > 0), "of the nearest directory that is there");
        assert_eq!(of(&facts, RuntimeKind::Rke2).sandbox.as_deref(), Some("d/pause:4"));
        let crio = &facts.runtimes[0];
        assert_eq!(crio.kind, RuntimeKind::CriO, "the kubelet's is first");
        assert_eq!(crio.root, root.join("data/crio"));
        assert_eq!(crio.stores, [Path::new("/usr/ock/containers"), Path::new("/srv/ais")]);
        assert_eq!(crio.listening, Listening::Absent);
        assert!(!facts.runtimes.iter().any(|runtime| runtime.kind == RuntimeKind::K3s));
    }

    #[tokio::test]
    async fn what_k3s_hands_over_to_its_kubelet_counts_and_a_drop_in_replaces_or_adds() {
        let root = tempfile::tempdir().unwrap();
        let (root, base) = (root.path(), "etc/rancher/k3s");
        let args = "write-kubeconfig-mode: \"0644\"\nkubelet-arg:\n- image-gc-high-threshold=100\n- --image-gc-low-threshold=70\n";
        write(root, &format!("{base}/config.yaml"), args);
        let thresholds = |facts: NodeFacts| facts.kubelet.map(|kubelet| (kubelet.gc_high, kubelet.gc_low));
        assert_eq!(thresholds(find(root, &RealFiles).await), Some((100, 70)));
        write(
            root,
            &format!("{base}/config.yaml.d/10.yaml"),
            "kubelet-arg+: minimum-image-ttl-duration=24h\n",
        );
        write(root, &format!("{base}/config.yaml.d/10.txt"), "kubelet-arg: image-gc-high-threshold=1\n");
        let facts = find(root, &RealFiles).await;
        let kubelet = facts.kubelet.clone().unwrap();
        assert_eq!((kubelet.gc_minimum_age.as_str(), kubelet.config.len()), ("24h", 2));
        assert_eq!(thresholds(facts), Some((100, 70)));
        write(root, &format!("{base}/config.yaml.d/20.yml"), "kubelet-arg: [image-gc-high-threshold=60]\n");
        assert_eq!(thresholds(find(root, &RealFiles).await), Some((60, 80)), "the list before is gone");
    }

    #[tokio::test]
    async fn a_socket_without_a_runtime_behind_it_and_a_broken_configuration_are_said() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/containerd/config.toml", "version = \n");
        write(root.path(), "run/containerd/x", "");
        drop(
            std::os::unix::net::UnixListener::bind(root.path().join("run/containerd/containerd.sock"))
                .unwrap(),
        );
        write(root.path(), "run/podman/x", "");
        let _open =
            std::os::unix::net::UnixListener::bind(root.path().join("run/podman/podman.sock")).unwrap();
        let facts = find(root.path(), &RealFiles).await;
        assert!(
            matches!(&of(&facts, RuntimeKind::Containerd).listening, Listening::Silent { reason } if reason.contains("nobody listens")),
            "{facts:?}"
        );
        assert_eq!(of(&facts, RuntimeKind::Podman).listening, Listening::Answers { version: None });
        assert!(
            matches!(facts.problems.as_slice(), [one] if one.contains("config.toml")),
            "{:?}",
            facts.problems
        );
    }
}
