//! A node of a cluster as an import meets it: its runtimes, their configurations, its kubelet, and where images should go.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::import::Target;

/// A container runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeKind {
    /// containerd with a configuration of its own.
    Containerd,
    /// The containerd that k3s runs.
    K3s,
    /// The containerd that RKE2 runs.
    Rke2,
    /// CRI-O.
    CriO,
    /// podman.
    Podman,
    /// The Docker daemon.
    Docker,
}

impl RuntimeKind {
    /// As its own project writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::K3s => "k3s",
            Self::Rke2 => "RKE2",
            Self::CriO => "CRI-O",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// Whether a kubelet can run on it.
    pub const fn speaks_cri(self) -> bool {
        matches!(self, Self::Containerd | Self::K3s | Self::Rke2 | Self::CriO)
    }

    /// What is left of a kubelet's loss of an image depends on this: whether its images are in containers-storage.
    pub const fn uses_containers_storage(self) -> bool {
        matches!(self, Self::CriO | Self::Podman)
    }
}

/// Whether a runtime listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Listening {
    /// It answered.
    Answers {
        /// Its version, where it has the CRI.
        version: Option<String>,
    },
    /// The socket may not be opened by this user.
    Denied,
    /// There is a socket and nobody, or nobody sensible, behind it.
    Silent {
        /// What came in place of an answer.
        reason: String,
    },
    /// Installed, by its configuration or its data, and without a socket.
    Absent,
}

/// One runtime of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// Which one.
    pub kind: RuntimeKind,
    /// Where it listens, or would.
    pub socket: PathBuf,
    /// Whether it does.
    pub listening: Listening,
    /// The configuration that was read, where there is one.
    pub config: Option<PathBuf>,
    /// Where its images are kept.
    pub root: PathBuf,
    /// Bytes free there for this user, where the kernel says.
    pub free: Option<u64>,
    /// The sandbox (pause) image it is set to, where that is known.
    pub sandbox: Option<String>,
    /// Additional image stores that it is set to read, of containers-storage.
    pub stores: Vec<PathBuf>,
}

/// How SELinux is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selinux {
    /// The kernel has none.
    #[default]
    Absent,
    /// It says what it would deny.
    Permissive,
    /// It denies.
    Enforcing,
}

/// What the kubelet is set to, as far as it matters to images that nobody can pull again (KubeletConfiguration v1beta1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kubelet {
    /// The files that were read, later ones over earlier ones.
    pub config: Vec<PathBuf>,
    /// Percent of the disk at which it begins to delete images.
    pub gc_high: u8,
    /// Percent at which it stops to.
    pub gc_low: u8,
    /// Least age of an image that is deleted, as written.
    pub gc_minimum_age: String,
    /// Age at which unused images are deleted in any case, as written; `0s` is never.
    pub gc_maximum_age: String,
    /// When credentials are asked for images that are there already.
    pub verification: String,
    /// Where its runtime listens, as written.
    pub endpoint: Option<String>,
}

impl Default for Kubelet {
    fn default() -> Self {
        Self {
            config: Vec::new(),
            gc_high: 85,
            gc_low: 80,
            gc_minimum_age: "2m".to_owned(),
            gc_maximum_age: "0s".to_owned(),
            verification: "NeverVerifyPreloadedImages".to_owned(),
            endpoint: None,
        }
    }
}

impl Kubelet {
    /// What of it endangers imported images, in words.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !matches!(self.gc_maximum_age.as_str(), "" | "0" | "0s" | "0m" | "0h" | "0m0s" | "0h0m0s") {
            warnings.push(format!(
                "the kubelet deletes images that nobody used for {} (imageMaximumGCAge); pinned ones stay",
                self.gc_maximum_age
            ));
        }
        if matches!(self.verification.as_str(), "AlwaysVerify" | "NeverVerifyAllowlistedImages") {
            warnings.push(format!(
                "imagePullCredentialsVerificationPolicy is {}: pods that use an imported image ask a registry for it; set NeverVerifyPreloadedImages",
                self.verification
            ));
        }
        warnings
    }

    /// The path of the socket in [`Kubelet::endpoint`].
    pub fn socket(&self) -> Option<&Path> {
        let endpoint = self.endpoint.as_deref()?;
        let path = endpoint.strip_prefix("unix://").unwrap_or(endpoint);
        path.starts_with('/').then(|| Path::new(path))
    }

    /// Whether its runtime is the one behind `socket`, which may lie below the root of a node that is not running.
    pub fn is_on(&self, socket: &Path) -> bool {
        // /var/run is /run wherever there is a kubelet.
        let plain = |path: &Path| path.strip_prefix("/var/run").map(|rest| Path::new("run").join(rest));
        let own = |path: &Path| plain(path).or_else(|_| path.strip_prefix("/").map(Path::to_owned));
        self.socket().and_then(|path| own(path).ok()).is_some_and(|path| socket.ends_with(path))
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    /// Runtimes, the kubelet's first.
    pub runtimes: Vec<Runtime>,
    /// The kubelet, where there is a configuration of one.
    pub kubelet: Option<Kubelet>,
    /// SELinux.
    pub selinux: Selinux,
    /// Whether this user may not write where stores and images directories of the node lie.
    pub closed: bool,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// A target that this node would take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// What goes behind `--into`.
    pub target: Target,
    /// Why it is proposed.
    pub why: String,
    /// The socket of the runtime that it is for.
    pub socket: PathBuf,
    /// Whether that is the kubelet's.
    pub kubelet: bool,
    /// What to know before.
    pub warnings: Vec<String>,
    /// Whether it can be written to now.
    pub ready: bool,
}

impl NodeFacts {
    /// What the node is set to that decides what becomes of images, in lines.
    pub fn settings(&self) -> Vec<String> {
        let kubelet = self.kubelet.iter().map(|kubelet| {
            format!(
                "kubelet: deletes images above {} % of the disk, down to {} %; credentials: {}",
                kubelet.gc_high, kubelet.gc_low, kubelet.verification
            )
        });
        let selinux = (self.selinux == Selinux::Enforcing).then(|| "SELinux: enforcing".to_owned());
        kubelet.chain(selinux).collect()
    }

    /// Whether the kubelet's runtime is this one; that of k3s and RKE2 is where they run and do not say it, as older ones
    /// do not.
    fn is_kubelets(&self, runtime: &Runtime) -> bool {
        match self.kubelet.as_ref().filter(|kubelet| kubelet.socket().is_some()) {
            Some(kubelet) => kubelet.is_on(&runtime.socket),
            None => {
                let answers = matches!(runtime.listening, Listening::Answers { .. });
                answers && matches!(runtime.kind, RuntimeKind::K3s | RuntimeKind::Rke2)
            }
        }
    }

    /// The targets that would make images known to the runtimes, the kubelet's first.
    pub fn proposals(&self) -> Vec<Proposal> {
        let mut proposals: Vec<Proposal> =
            self.runtimes.iter().filter_map(|one| self.proposal(one)).collect();
        let mut seen = Vec::new();
        proposals.retain(|proposal| {
            let new = !seen.contains(&proposal.target);
            seen.push(proposal.target.clone());
            new
        });
        // What the kubelet uses is what pods run from, also where it is not ready yet.
        proposals.sort_by_key(|proposal| (!proposal.kubelet, !proposal.ready));
        proposals
    }

    fn proposal(&self, runtime: &Runtime) -> Option<Proposal> {
        let name = runtime.kind.name();
        let socket = runtime.socket.display();
        let (target, needs_socket) = match runtime.kind {
            RuntimeKind::Containerd if runtime.socket == Path::new(CONTAINERD) => {
                ("containerd".to_owned(), true)
            }
            RuntimeKind::Containerd | RuntimeKind::K3s | RuntimeKind::Rke2 => match &runtime.listening {
                // Without its daemon, its images directory is read when it starts.
                Listening::Absent if runtime.kind == RuntimeKind::K3s => ("k3s".to_owned(), false),
                Listening::Absent if runtime.kind == RuntimeKind::Rke2 => {
                    ("k3s:/var/lib/rancher/rke2/agent/images".to_owned(), false)
                }
                _ => (format!("containerd:{socket}"), true),
            },
            RuntimeKind::CriO | RuntimeKind::Podman => (OWN_STORE.to_owned(), false),
            RuntimeKind::Docker => return None,
        };
        let mut warnings = Vec::new();
        let mut why = match &runtime.listening {
            Listening::Answers { version: Some(version) } => format!("{name} {version} answers at {socket}"),
            Listening::Answers { version: None } => format!("{name} listens at {socket}"),
            Listening::Denied => format!("{name} listens at {socket}, closed to this user"),
            Listening::Silent { reason } => {
                format!("{name} has a socket at {socket} and does not answer: {reason}")
            }
            // It needs no daemon.
            Listening::Absent if runtime.kind == RuntimeKind::Podman => format!("{name} is installed here"),
            Listening::Absent => format!("{name} is set up here and does not run"),
        };
        let kubelet = self.is_kubelets(runtime);
        if kubelet {
            why.push_str("; the kubelet's runtime");
        }
        let store = matches!(runtime.kind, RuntimeKind::CriO | RuntimeKind::Podman);
        if store {
            why.push_str(
                "; a separate store survives the wipe that CRI-O does after a crash, the default one does not",
            );
        }
        let denied = runtime.listening == Listening::Denied || (self.closed && !needs_socket);
        if denied {
            warnings.push("run this as root".to_owned());
        }
        if needs_socket && matches!(runtime.listening, Listening::Absent | Listening::Silent { .. }) {
            warnings.push(format!("start {name} first"));
        }
        if let (Some(kubelet), true) = (&self.kubelet, runtime.kind.speaks_cri()) {
            warnings.extend(kubelet.warnings());
        }
        let ready = match runtime.listening {
            _ if denied => false,
            Listening::Answers { .. } => true,
            Listening::Denied => false,
            Listening::Silent { .. } | Listening::Absent => !needs_socket,
        };
        // What this version cannot write to is not proposed.
        let (target, socket) = (target.parse().ok()?, runtime.socket.clone());
        Some(Proposal { target, why, socket, kubelet, warnings, ready })
    }
}

/// The store that is proposed for CRI-O and podman: one that is only read by them.
const OWN_STORE: &str = "containers-storage:/var/images";

/// Where containerd listens unless it is told otherwise.
pub const CONTAINERD: &str = "/run/containerd/containerd.sock";

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(kind: RuntimeKind, socket: &str, listening: Listening) -> Runtime {
        let (root, stores) = (PathBuf::from("/var/lib/x"), Vec::new());
        Runtime {
            kind,
            socket: socket.into(),
            listening,
            config: None,
            root,
            free: None,
            sandbox: None,
            stores,
        }
    }

    fn kubelet(endpoint: &str) -> Kubelet {
        Kubelet { endpoint: Some(endpoint.to_owned()), ..Kubelet::default() }
    }

    #[test]
    fn the_kubelets_runtime_is_told_by_its_socket_in_every_spelling() {
        for (endpoint, socket, same) in [
            ("unix:///run/crio/crio.sock", "/run/crio/crio.sock", true),
            ("unix:///var/run/crio/crio.sock", "/run/crio/crio.sock", true),
            ("/var/run/crio/crio.sock", "/srv/node/run/crio/crio.sock", true),
            ("unix:///run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock", false),
            ("npipe://./pipe/x", "/run/crio/crio.sock", false),
        ] {
            assert_eq!(kubelet(endpoint).is_on(Path::new(socket)), same, "{endpoint} {socket}");
        }
    }

    #[test]
    fn the_containerd_of_k3s_is_its_kubelets_where_no_other_socket_is_named() {
        let answers = || Listening::Answers { version: Some("2.1.4".to_owned()) };
        let socket = "/run/k3s/containerd/containerd.sock";
        let runtimes = || {
            let debian = runtime(RuntimeKind::Containerd, CONTAINERD, answers());
            vec![debian, runtime(RuntimeKind::K3s, socket, answers())]
        };
        let whose = |kubelet| {
            let facts = NodeFacts { runtimes: runtimes(), kubelet, ..NodeFacts::default() };
            let own = facts.proposals().into_iter().filter(|one| one.kubelet);
            own.map(|one| one.target.to_string()).collect::<Vec<_>>()
        };
        let k3s = format!("containerd:{socket}");
        assert_eq!(whose(None), [k3s.as_str()]);
        assert_eq!(whose(Some(Kubelet::default())), [k3s.as_str()]);
        assert_eq!(whose(Some(kubelet("unix:///run/containerd/containerd.sock"))), ["containerd"]);
    }

    #[test]
    fn what_is_proposed_can_be_typed_and_what_is_ready_comes_first() {
        let answers = || Listening::Answers { version: Some("2.1.4".to_owned()) };
        let facts = NodeFacts {
            runtimes: vec![
                runtime(RuntimeKind::Containerd, CONTAINERD, Listening::Denied),
                runtime(RuntimeKind::Containerd, "/srv/c.sock", answers()),
                runtime(RuntimeKind::Docker, "/run/docker.sock", Listening::Answers { version: None }),
                runtime(RuntimeKind::CriO, "/run/crio/crio.sock", answers()),
                runtime(RuntimeKind::Podman, "/run/podman/podman.sock", Listening::Absent),
            ],
            kubelet: Some(Kubelet { verification: "AlwaysVerify".to_owned(), ..kubelet("/srv/c.sock") }),
            ..NodeFacts::default()
        };
        let proposals = facts.proposals();
        let typed: Vec<String> = proposals.iter().map(|proposal| proposal.target.to_string()).collect();
        assert_eq!(typed, ["containerd:/srv/c.sock", OWN_STORE, "containerd"]);
        assert_eq!(proposals[0].why, "containerd 2.1.4 answers at /srv/c.sock; the kubelet's runtime");
        assert!(proposals[0].warnings[0].contains("AlwaysVerify"), "{:?}", proposals[0].warnings);
        assert_eq!((proposals[2].ready, proposals[2].warnings[0].as_str()), (false, "run this as root"));
        // A user who may not write a store is not offered it as one to be written to now.
        let closed = NodeFacts { closed: true, ..facts }.proposals();
        let store = closed.iter().find(|one| one.target.to_string() == OWN_STORE).unwrap();
        assert!(!store.ready && store.warnings.iter().any(|words| words == "run this as root"), "{store:?}");
    }

    #[test]
    fn what_the_kubelet_uses_comes_first_although_another_one_is_ready() {
        let answers = Listening::Answers { version: None };
        let facts = NodeFacts {
            runtimes: vec![
                runtime(RuntimeKind::CriO, "/run/crio/crio.sock", answers),
                runtime(RuntimeKind::Containerd, CONTAINERD, Listening::Denied),
            ],
            kubelet: Some(kubelet("unix:///run/containerd/containerd.sock")),
            ..NodeFacts::default()
        };
        let typed: Vec<String> = facts.proposals().iter().map(|one| one.target.to_string()).collect();
        assert_eq!(typed, ["containerd", OWN_STORE]);
    }
}
