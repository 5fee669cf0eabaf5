//! The images of a runtime as the kubelet is told of them: `runtime.v1` of containerd, k3s and CRI-O alike.

use std::path::Path;

use serde_json::Value;
use tonic::transport::Channel;

use super::error::RuntimeError;
use super::grpc::{FIRST, MAX_MESSAGE, QUICK, Socket};
use super::proto::cri as wire;
use wire::image_service_client::ImageServiceClient;
use wire::runtime_service_client::RuntimeServiceClient;

type Result<T> = std::result::Result<T, RuntimeError>;

/// A runtime over its CRI socket.
#[derive(Clone, Debug)]
pub struct Cri {
    socket: Socket,
    images: ImageServiceClient<Channel>,
    runtime: RuntimeServiceClient<Channel>,
    version: Version,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As it calls itself: `containerd`, `cri-o`.
    pub name: String,
    /// Its version, as it writes it.
    pub version: String,
}

/// An image as the CRI tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriImage {
    /// Its id: the digest of its configuration, with or without the algorithm.
    pub id: String,
    /// Its names with tags.
    pub tags: Vec<String>,
    /// Its names with digests.
    pub digests: Vec<String>,
    /// Whether the kubelet's garbage collection leaves it.
    pub pinned: bool,
    /// `os/architecture` of its configuration, where the runtime tells.
    pub platform: Option<String>,
}

impl Cri {
    /// Connects and asks who answers.
    ///
    /// # Errors
    /// No socket, no permission, or something else than a CRI.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let socket = Socket::connect(socket).await?;
        let images = ImageServiceClient::new(socket.channel()).max_decoding_message_size(MAX_MESSAGE);
        let runtime = RuntimeServiceClient::new(socket.channel()).max_decoding_message_size(MAX_MESSAGE);
        let unknown = Version { name: String::new(), version: String::new() };
        let mut cri = Self { socket, images, runtime, version: unknown };
        cri.version = cri.ask_version().await.map_err(|error| cri.socket.another("the CRI", error))?;
        Ok(cri)
    }

    async fn ask_version(&self) -> Result<Version> {
        let request = wire::VersionRequest { version: "v1".to_owned() };
        let call = async { self.runtime.clone().version(request).await };
        let answer = self.socket.answer("tell its version", FIRST, call).await?.into_inner();
        Ok(Version { name: answer.runtime_name, version: answer.runtime_version })
    }

    /// Who answers.
    pub const fn version(&self) -> &Version {
        &self.version
    }

    /// All images.
    ///
    /// # Errors
    /// As the runtime answers.
    pub async fn images(&self) -> Result<Vec<CriImage>> {
        let call = async { self.images.clone().list_images(wire::ListImagesRequest {}).await };
        let answer = self.socket.answer("list its images", QUICK, call).await?.into_inner();
        Ok(answer.images.into_iter().map(|image| told(image, None)).collect())
    }

    /// What a pod that names `name` would run; nothing where it would be pulled.
    ///
    /// # Errors
    /// As the runtime answers.
    pub async fn image(&self, name: &str) -> Result<Option<CriImage>> {
        let image = wire::ImageSpec { image: name.to_owned() };
        let request = wire::ImageStatusRequest { image: Some(image), verbose: true };
        let call = async { self.images.clone().image_status(request).await };
        let answer = match self.socket.answer(&format!("tell of image {name}"), QUICK, call).await {
            Ok(answer) => answer.into_inner(),
            Err(error) if error.not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let info = answer.info.get("info").and_then(|text| serde_json::from_str::<Value>(text).ok());
        Ok(answer.image.filter(|image| !image.id.is_empty()).map(|image| told(image, info.as_ref())))
    }

    /// Where images are unpacked; of the default snapshotter or store.
    ///
    /// # Errors
    /// As the runtime answers.
    pub async fn image_directory(&self) -> Result<Option<String>> {
        let call = async { self.images.clone().image_fs_info(wire::ImageFsInfoRequest {}).await };
        let answer = self.socket.answer("tell where its images are", QUICK, call).await?.into_inner();
        let first = answer.image_filesystems.into_iter().next().and_then(|usage| usage.fs_id);
        Ok(first.map(|id| id.mountpoint).filter(|path| !path.is_empty()))
    }

    /// The image of the container that holds a pod's name spaces, where the runtime tells which one it is set to.
    ///
    /// # Errors
    /// As the runtime answers.
    pub async fn sandbox_image(&self) -> Result<Option<String>> {
        let call = async { self.runtime.clone().status(wire::StatusRequest { verbose: true }).await };
        let answer = self.socket.answer("tell its configuration", QUICK, call).await?.into_inner();
        Ok(answer.info.get("config").and_then(|text| sandbox_of(text)))
    }
}

/// From the configuration that a runtime shows: JSON of containerd up to 1.7, TOML of CRI-O. containerd 2 leaves it out.
fn sandbox_of(config: &str) -> Option<String> {
    let named = |value: Option<&str>| value.filter(|name| !name.is_empty()).map(str::to_owned);
    if let Ok(json) = serde_json::from_str::<Value>(config) {
        return named(json.get("sandboxImage").and_then(Value::as_str));
    }
    let toml: toml::Table = toml::from_str(config).ok()?;
    named(toml.get("crio")?.get("image")?.get("pause_image")?.as_str())
}

fn told(image: wire::Image, info: Option<&Value>) -> CriImage {
    let spec = info.and_then(|info| info.get("imageSpec"));
    let field = |name| spec.and_then(|spec| spec.get(name)).and_then(Value::as_str);
    let platform = field("os").zip(field("architecture")).map(|(os, arch)| format!("{os}/{arch}"));
    CriImage {
        id: image.id,
        tags: image.repo_tags,
        digests: image.repo_digests,
        pinned: image.pinned,
        platform,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_image_is_found_in_what_runtimes_show_of_their_configuration() {
        for (config, wanted) in [
            (
                r#"{"sandboxImage":"registry.k8s.io/pause:3.8","snapshotter":"x"}"#,
                Some("registry.k8s.io/pause:3.8"),
            ),
            (r#"{"containerd":{}}"#, None),
            (r#"{"sandboxImage":""}"#, None),
            (
                "[crio]\n[crio.image]\npause_image = \"registry.k8s.io/pause:3.10\"\n",
                Some("registry.k8s.io/pause:3.10"),
            ),
            ("neither { nor [", None),
        ] {
            assert_eq!(sandbox_of(config).as_deref(), wanted, "{config}");
        }
    }
}
