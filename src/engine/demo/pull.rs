//! Pulls images back over HTTP the way another program would, and hashes every byte that arrives.

use futures_util::StreamExt;
use oci_distribution::client::{ClientConfig, ClientProtocol};
use oci_distribution::secrets::RegistryAuth;

use super::DemoError;
use crate::domain::digest::Digest;
use crate::domain::manifest::{self, Document};
use crate::domain::media_type as mt;
use crate::domain::reference::{Reference, Repository};
use crate::engine::error::Result;
use crate::engine::hash::{self, Hasher};
use crate::engine::registry::{Registry, RegistryOptions};

/// Variables that send HTTP somewhere else; oci-client obeys them for loopback too.
const PROXIES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// What came over the wire and had the digest it should have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pulled {
    /// Manifests and indexes.
    pub documents: u64,
    /// Configurations and layers.
    pub blobs: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// A client that shares no code with the registry it asks, where one can be had on this host.
pub enum Puller {
    /// oci-client, an implementation by others.
    Other(Box<oci_distribution::Client>),
    /// Our own, where oci-client cannot start: it wants CA certificates even for plain HTTP, and no proxy.
    Own(Registry),
}

impl Puller {
    /// The best client this host allows.
    ///
    /// # Errors
    /// [`DemoError::Pull`] where none can be made.
    pub fn new() -> Result<Self> {
        let proxied =
            PROXIES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        // Its constructor panics, not errs, on a host without CA certificates.
        if proxied || rustls_native_certs::load_native_certs().certs.is_empty() {
            return Ok(Self::Own(Registry::new(RegistryOptions::default())?));
        }
        // A second call changes nothing, and it is the same provider everywhere here.
        drop(rustls::crypto::ring::default_provider().install_default());
        let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
        let client = oci_distribution::Client::try_from(config)
            .map_err(|error| DemoError::Pull { what: "a client".to_owned(), reason: error.to_string() })?;
        Ok(Self::Other(Box::new(client)))
    }

    /// Its name, for the report.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Other(_) => "oci-client",
            Self::Own(_) => "Airlift's own client (oci-client wants CA certificates and no proxy)",
        }
    }

    /// Pulls an image by its tag, then everything below it by digest, and compares every digest.
    ///
    /// # Errors
    /// [`DemoError`], where something cannot be had or is not what it should be.
    pub async fn image(&self, reference: &Reference, expected: &Digest) -> Result<Pulled> {
        let mut pulled = Pulled::default();
        let mut todo = vec![(reference.clone(), expected.clone())];
        while let Some((name, digest)) = todo.pop() {
            let bytes = self.manifest(&name).await?;
            check(&name.to_string(), &digest, hash::sha256(&bytes))?;
            pulled.documents += 1;
            pulled.bytes += bytes.len() as u64;
            let document = manifest::parse(&bytes, None)
                .map_err(|error| DemoError::Pull { what: name.to_string(), reason: error.to_string() })?;
            let is_index = matches!(document, Document::Index(_));
            for child in document.children() {
                if is_index && mt::is_document(&child.media_type) {
                    todo.push((reference.at_digest(&child.digest), child.digest.clone()));
                } else {
                    pulled.bytes += self.blob(reference, &child.digest, child.size).await?;
                    pulled.blobs += 1;
                }
            }
        }
        Ok(pulled)
    }

    async fn manifest(&self, name: &Reference) -> Result<Vec<u8>> {
        match self {
            Self::Own(registry) => {
                let fetched = registry.manifest(&Repository::from(name), &name.selector()).await?;
                Ok(fetched.bytes.to_vec())
            }
            Self::Other(client) => {
                let theirs = their_name(name)?;
                let pulled = client
                    .pull_manifest_raw(&theirs, &RegistryAuth::Anonymous, &mt::ACCEPT_MANIFESTS)
                    .await
                    .map_err(|error| failed(name, &error))?;
                Ok(pulled.0.to_vec())
            }
        }
    }

    /// Streams a blob past a hasher; returns its length in bytes.
    async fn blob(&self, name: &Reference, digest: &Digest, size: u64) -> Result<u64> {
        let what = format!("{}@{digest}", name.name());
        let mut hasher = Hasher::new(digest.algorithm());
        let mut length = 0;
        let mut take = |bytes: &[u8]| {
            hasher.update(bytes);
            length += bytes.len() as u64;
        };
        match self {
            Self::Own(registry) => {
                let mut body = registry.blob(&Repository::from(name), digest, size, 0).await?;
                while let Some(piece) = body.stream.next().await {
                    let broken = |reason: String| DemoError::Pull { what: what.clone(), reason };
                    take(&piece.map_err(|error| broken(error.to_string()))?);
                }
            }
            Self::Other(client) => {
                let text = digest.to_string();
                let body = client.pull_blob_stream(&their_name(name)?, text.as_str()).await;
                let mut stream = body.map_err(|error| failed(name, &error))?.stream;
                while let Some(piece) = stream.next().await {
                    take(&piece.map_err(|error| failed(name, &error))?);
                }
            }
        }
        check(&what, digest, hasher.finish())?;
        Ok(length)
    }
}

fn their_name(name: &Reference) -> Result<oci_distribution::Reference> {
    name.to_string().parse().map_err(|error: oci_distribution::ParseError| failed(name, &error).into())
}

fn failed(name: &Reference, error: &dyn std::error::Error) -> DemoError {
    DemoError::Pull { what: name.to_string(), reason: error.to_string() }
}

fn check(what: &str, expected: &Digest, actual: Digest) -> Result<()> {
    if *expected == actual {
        return Ok(());
    }
    Err(DemoError::Differs { what: what.to_owned(), expected: expected.clone(), actual }.into())
}
