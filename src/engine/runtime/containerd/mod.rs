//! containerd over its own services, in one namespace and, where one is held, under a lease.

pub mod content;
pub mod images;
pub mod labels;
pub mod leases;
pub mod snapshots;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tonic::Request;

use super::error::RuntimeError;
use super::grpc::{FIRST, MAX_MESSAGE, QUICK, Socket};
use super::proto::{introspection, namespaces, types, version};
use crate::domain::digest::Digest;
use crate::domain::import::KUBELET_NAMESPACE;
use crate::domain::platform::Platform;

/// What calls name their namespace in (containerd's `pkg/namespaces`).
const NAMESPACE: &str = "containerd-namespace";
/// What calls name their lease in (containerd's `pkg/leases`).
const LEASE: &str = "containerd-lease";

/// The namespace of containerd's own clients, as ctr and nerdctl, where they are told none.
const DEFAULT_NAMESPACE: &str = "default";

type Result<T> = std::result::Result<T, RuntimeError>;
/// Labels, by name.
pub type Labels = BTreeMap<String, String>;

/// A containerd. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Containerd {
    socket: Socket,
    namespace: String,
    lease: Option<String>,
    version: String,
}

/// Something in the content store, as images point at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// A plugin and the directory in which it keeps what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// What it is for, as `io.containerd.snapshotter.v1`.
    pub kind: String,
    /// Its name among those.
    pub id: String,
    /// Its directory.
    pub root: Option<PathBuf>,
    /// What it is for, best first.
    pub platforms: Vec<Platform>,
}

impl Blob {
    fn to_wire(&self) -> types::Descriptor {
        types::Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest.to_string(),
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            annotations: Default::default(),
        }
    }

    fn from_wire(wire: types::Descriptor) -> Option<Self> {
        let digest = wire.digest.parse().ok()?;
        Some(Self { media_type: wire.media_type, digest, size: u64::try_from(wire.size).ok()? })
    }
}

fn platform(wire: types::Platform) -> Option<Platform> {
    let types::Platform { os, architecture, variant } = wire;
    (!os.is_empty() && !architecture.is_empty()).then(|| Platform {
        os,
        architecture,
        variant: (!variant.is_empty()).then_some(variant),
    })
}

impl Containerd {
    /// Connects, and looks whether it is one and has the namespace.
    ///
    /// # Errors
    /// No socket, no permission, something else than a containerd, or a namespace that it does not have.
    pub async fn connect(path: &Path, namespace: &str) -> Result<Self> {
        let socket = Socket::connect(path).await?;
        let mut daemon =
            Self { socket, namespace: namespace.to_owned(), lease: None, version: String::new() };
        daemon.version =
            daemon.ask_version().await.map_err(|error| daemon.socket.another("containerd", error))?;
        // Those are made when they are first written to.
        if ![KUBELET_NAMESPACE, DEFAULT_NAMESPACE].contains(&namespace) {
            let present = daemon.namespaces().await?;
            if !present.iter().any(|name| name == namespace) {
                let (socket, namespace) = (path.to_owned(), namespace.to_owned());
                return Err(RuntimeError::Namespace { socket, namespace, present });
            }
        }
        Ok(daemon)
    }

    /// The same, with what is written from now on kept by a lease.
    fn under(&self, lease: &str) -> Self {
        Self { lease: Some(lease.to_owned()), ..self.clone() }
    }

    /// Its socket.
    pub fn path(&self) -> &Path {
        self.socket.path()
    }

    /// Its version, as it writes it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A message with namespace and lease.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let headers = [(NAMESPACE, Some(&self.namespace)), (LEASE, self.lease.as_ref())];
        for (name, value) in headers {
            // A name that is no header's value is no namespace either: the daemon then says that one is required.
            if let Some(Ok(value)) = value.map(|value| value.parse()) {
                request.metadata_mut().insert(name, value);
            }
        }
        request
    }

    async fn ask_version(&self) -> Result<String> {
        let mut client = version::version_client::VersionClient::new(self.socket.channel());
        let answer = self.socket.answer("tell its version", FIRST, client.version(())).await?;
        Ok(super::error::said(&answer.into_inner().version))
    }

    async fn namespaces(&self) -> Result<Vec<String>> {
        let mut client = namespaces::namespaces_client::NamespacesClient::new(self.socket.channel());
        let request = self.request(namespaces::ListNamespacesRequest::default());
        let answer = self.socket.answer("list its namespaces", QUICK, client.list(request)).await?;
        let names = answer.into_inner().namespaces.into_iter();
        Ok(names.map(|namespace| super::error::said(&namespace.name)).collect())
    }

    /// Its plugins.
    ///
    /// # Errors
    /// As it answers.
    pub async fn plugins(&self) -> Result<Vec<Plugin>> {
        let client = introspection::introspection_client::IntrospectionClient::new(self.socket.channel());
        let mut client = client.max_decoding_message_size(MAX_MESSAGE);
        let request = self.request(introspection::PluginsRequest::default());
        let answer = self.socket.answer("list its plugins", QUICK, client.plugins(request)).await?;
        let plugin = |mut plugin: introspection::Plugin| Plugin {
            kind: plugin.r#type,
            id: plugin.id,
            root: plugin.exports.remove("root").map(PathBuf::from),
            platforms: plugin.platforms.into_iter().filter_map(platform).collect(),
        };
        Ok(answer.into_inner().plugins.into_iter().map(plugin).collect())
    }
}
