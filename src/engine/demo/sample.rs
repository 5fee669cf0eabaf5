//! Builds small, real container images as an OCI image layout on disk: the same bytes on every run, digests computed, nothing faked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::layer::{self, Layer, LayerSpec};
use crate::domain::bundle::{CONTAINERD_NAME, INDEX, LAYOUT, REF_NAME};
use crate::domain::digest::Digest;
use crate::domain::media_type as mt;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::engine::bundle::contents::LAYOUT_BYTES;
use crate::engine::error::{FileError, Result};
use crate::engine::hash;

/// Layer type of cosign's signature payloads.
const COSIGN_LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// How the JSON of a manifest is laid out: its digest depends on it, its meaning does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spacing {
    /// No white space at all.
    #[default]
    Compact,
    /// Three blanks per level, as Docker pushes it.
    Docker,
    /// What no tool writes: tabs, blank lines and a final newline.
    Odd,
}

/// One image to build.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    /// What it runs on.
    pub platform: Platform,
    /// Its layers, base first.
    pub layers: Vec<LayerSpec>,
    /// Docker schema 2 types in place of OCI's.
    pub docker: bool,
    /// White space of the manifest.
    pub spacing: Spacing,
    /// Command of the container.
    pub command: Vec<String>,
}

impl ImageSpec {
    /// An OCI image for `linux/amd64` of these layers.
    pub fn new(layers: Vec<LayerSpec>) -> Self {
        let platform = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None };
        Self { platform, layers, docker: false, spacing: Spacing::Compact, command: Vec::new() }
    }

    /// The smallest useful one: a single gzip layer with one line of text.
    pub fn small(text: &str) -> Self {
        Self::new(vec![LayerSpec::text("etc/sample", text)])
    }

    /// For another platform.
    #[must_use]
    pub fn on(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// With Docker schema 2 types and Docker's white space.
    #[must_use]
    pub const fn docker(mut self) -> Self {
        self.docker = true;
        self.spacing = Spacing::Docker;
        self
    }

    /// With other white space.
    #[must_use]
    pub const fn spaced(mut self, spacing: Spacing) -> Self {
        self.spacing = spacing;
        self
    }

    /// With a command to run.
    #[must_use]
    pub fn run(mut self, command: &[&str]) -> Self {
        self.command = command.iter().map(|&word| word.to_owned()).collect();
        self
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

/// An OCI image layout that grows; `index.json` is up to date after each call.
#[derive(Debug)]
pub struct SampleLayout {
    dir: PathBuf,
    descriptors: Vec<Descriptor>,
}

impl SampleLayout {
    /// An empty layout in a directory, which is created.
    ///
    /// # Errors
    /// The file that could not be written.
    pub fn create(dir: &Path) -> Result<Self> {
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(at("create directory", &blobs))?;
        put(&dir.join(LAYOUT), LAYOUT_BYTES)?;
        let layout = Self { dir: dir.to_owned(), descriptors: Vec::new() };
        layout.save()?;
        Ok(layout)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a blob lies.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.layout_path())
    }

    /// Writes a blob as it is.
    ///
    /// # Errors
    /// The file that could not be written.
    pub fn blob(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = hash::sha256(bytes);
        put(&self.blob_path(&digest), bytes)?;
        Ok(digest)
    }

    /// Writes a layer.
    ///
    /// # Errors
    /// The file that could not be read or written.
    pub fn layer(&self, spec: &LayerSpec) -> Result<Layer> {
        let temp = self.dir.join("blobs/sha256/layer.tmp");
        let layer = layer::write(spec, &temp)?;
        let path = self.blob_path(&layer.digest);
        fs::rename(&temp, &path).map_err(at("rename to", &path))?;
        Ok(layer)
    }

    /// Builds an image and names it; a name that is taken moves to the new image, as a tag does.
    ///
    /// # Errors
    /// A name that is no reference, or a file that could not be read or written.
    pub fn image(&mut self, reference: &str, spec: &ImageSpec) -> Result<Digest> {
        let descriptor = self.build(spec)?;
        self.name(reference, descriptor)
    }

    /// Builds a multi-platform image and names it; a Docker manifest list where every image is a Docker one.
    ///
    /// # Errors
    /// As [`SampleLayout::image`].
    pub fn index(&mut self, reference: &str, specs: &[ImageSpec]) -> Result<Digest> {
        let docker = specs.iter().all(|spec| spec.docker);
        let mut manifests = Vec::new();
        for spec in specs {
            let mut descriptor = self.build(spec)?;
            descriptor.platform = Some(spec.platform.clone());
            manifests.push(descriptor);
        }
        let media_type = if docker { mt::DOCKER_LIST } else { mt::OCI_INDEX };
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        let spacing = specs.first().map_or(Spacing::Compact, |spec| spec.spacing);
        self.manifest(reference, media_type, &render(&index, spacing))
    }

    /// Takes the bytes of a manifest or index as they are, whatever is in them, and names them.
    ///
    /// # Errors
    /// As [`SampleLayout::image`].
    pub fn manifest(&mut self, reference: &str, media_type: &str, bytes: &[u8]) -> Result<Digest> {
        let descriptor = self.store(media_type, bytes)?;
        self.name(reference, descriptor)
    }

    /// Adds what `cosign sign` leaves: an image under the tag `sha256-<hex>.sig` of the same repository.
    /// Its signature is a fixed text: it has the form of one and proves nothing.
    ///
    /// # Errors
    /// As [`SampleLayout::image`].
    pub fn cosign_signature(&mut self, reference: &str, signed: &Digest) -> Result<Digest> {
        let name: Reference = reference.parse()?;
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": name.name()},
                "image": {"docker-manifest-digest": signed},
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let layer = json!({
            "mediaType": COSIGN_LAYER,
            "digest": self.blob(&payload)?,
            "size": payload.len(),
            "annotations": {"dev.cosignproject.cosign/signature": "c2FtcGxl"},
        });
        let config =
            json!({"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = self.store(mt::OCI_CONFIG, config.to_string().as_bytes())?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST, "config": config, "layers": [layer],
        });
        let tag = format!("{}-{}.sig", signed.algorithm().name(), signed.hex());
        let reference = name.with_tag(&tag)?;
        self.manifest(&reference.to_string(), mt::OCI_MANIFEST, manifest.to_string().as_bytes())
    }

    /// Adds an artifact that refers to another manifest by `subject` (OCI 1.1), named by its digest alone.
    ///
    /// # Errors
    /// A subject that is not in this layout, or as [`SampleLayout::image`].
    pub fn referrer(&mut self, reference: &str, subject: &Digest, artifact_type: &str) -> Result<Digest> {
        let descriptor = self.referrer_descriptor(subject, artifact_type)?;
        let name = reference.parse::<Reference>()?.at_digest(&descriptor.digest);
        self.name(&name.to_string(), descriptor)
    }

    /// Adds an artifact by `subject` and lists it under the tag `sha256-<hex>` (the referrers tag schema).
    ///
    /// # Errors
    /// As [`SampleLayout::referrer`].
    pub fn referrer_by_tag(
        &mut self,
        reference: &str,
        subject: &Digest,
        artifact_type: &str,
    ) -> Result<Digest> {
        let mut descriptor = self.referrer_descriptor(subject, artifact_type)?;
        let digest = descriptor.digest.clone();
        descriptor.artifact_type = Some(artifact_type.to_owned());
        let index = json!({"schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": [descriptor]});
        let tag = format!("{}-{}", subject.algorithm().name(), subject.hex());
        let name = reference.parse::<Reference>()?.with_tag(&tag)?;
        self.manifest(&name.to_string(), mt::OCI_INDEX, index.to_string().as_bytes())?;
        Ok(digest)
    }

    fn referrer_descriptor(&self, subject: &Digest, artifact_type: &str) -> Result<Descriptor> {
        let path = self.blob_path(subject);
        let bytes = fs::read(&path).map_err(at("read", &path))?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let empty = self.store(mt::OCI_EMPTY, b"{}")?;
        let statement = format!("{{\"about\":\"{subject}\"}}");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": mt::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": empty,
            "layers": [self.store("application/json", statement.as_bytes())?],
            "subject": {
                "mediaType": body["mediaType"].as_str().unwrap_or(mt::OCI_MANIFEST),
                "digest": subject,
                "size": bytes.len(),
            },
        });
        self.store(mt::OCI_MANIFEST, manifest.to_string().as_bytes())
    }

    /// Writes configuration, layers and manifest; returns the descriptor of the manifest.
    fn build(&self, spec: &ImageSpec) -> Result<Descriptor> {
        let mut layers = Vec::new();
        let mut diff_ids = Vec::new();
        for layer_spec in &spec.layers {
            let layer = self.layer(layer_spec)?;
            let media_type = layer_spec.media_type(spec.docker);
            layers.push(json!({"mediaType": media_type, "digest": layer.digest, "size": layer.size}));
            diff_ids.push(layer.diff_id);
        }
        let mut config = json!(spec.platform);
        config["created"] = json!("2020-01-01T00:00:00Z");
        config["config"] = json!({"Env": ["PATH=/usr/bin:/bin"], "Cmd": spec.command});
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        let config_type = if spec.docker { mt::DOCKER_CONFIG } else { mt::OCI_CONFIG };
        let media_type = if spec.docker { mt::DOCKER_MANIFEST } else { mt::OCI_MANIFEST };
        let config = self.store(config_type, config.to_string().as_bytes())?;
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
        self.store(media_type, &render(&manifest, spec.spacing))
    }

    fn store(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor> {
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest: self.blob(bytes)?,
            size: bytes.len(),
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
        })
    }

    fn name(&mut self, reference: &str, mut descriptor: Descriptor) -> Result<Digest> {
        let name: Reference = reference.parse()?;
        descriptor.annotations.insert(CONTAINERD_NAME, name.to_string());
        if name.digest().is_none() {
            // Only a tag: a digest name in ref.name would look like an odd tag to stock tools.
            descriptor.annotations.insert(REF_NAME, name.to_string());
        }
        let taken = |known: &Descriptor| known.annotations.get(CONTAINERD_NAME) == Some(&name.to_string());
        self.descriptors.retain(|known| !taken(known));
        let digest = descriptor.digest.clone();
        self.descriptors.push(descriptor);
        self.save()?;
        Ok(digest)
    }

    fn save(&self) -> Result<()> {
        let index = json!({"schemaVersion": 2, "mediaType": mt::OCI_INDEX, "manifests": self.descriptors});
        put(&self.dir.join(INDEX), index.to_string().as_bytes())
    }
}

fn render(value: &Value, spacing: Spacing) -> Vec<u8> {
    let indent: &[u8] = match spacing {
        Spacing::Compact => return value.to_string().into_bytes(),
        Spacing::Docker => b"   ",
        Spacing::Odd => b"\t\n \t",
    };
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    if value.serialize(&mut writer).is_err() {
        return value.to_string().into_bytes();
    }
    if spacing == Spacing::Odd {
        bytes.extend_from_slice(b"\r\n\n");
    }
    bytes
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(path, bytes).map_err(at("write", path))?)
}

fn at<'a>(operation: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> FileError + 'a {
    move |source| FileError { operation, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::domain::manifest::{Document, ImageConfig, Manifest, parse};
    use crate::domain::media_type::Compression;

    fn manifest(layout: &SampleLayout, digest: &Digest) -> Manifest {
        let bytes = fs::read(layout.blob_path(digest)).unwrap();
        assert_eq!(hash::sha256(&bytes), *digest);
        match parse(&bytes, None).unwrap() {
            Document::Manifest(manifest) => *manifest,
            Document::Index(_) => panic!("an index"),
        }
    }

    #[test]
    fn the_configuration_names_the_tar_inside_every_compression() {
        let dir = tempfile::tempdir().unwrap();
        let mut layout = SampleLayout::create(dir.path()).unwrap();
        let all = [Compression::None, Compression::Gzip, Compression::Zstd];
        let layers = all.map(|compression| LayerSpec::noise(7, 70_001).compressed(compression)).to_vec();
        let digest = layout.image("example.org/a:1", &ImageSpec::new(layers)).unwrap();
        let manifest = manifest(&layout, &digest);
        let config = fs::read(layout.blob_path(&manifest.config.digest)).unwrap();
        let diff_ids = ImageConfig::parse(&config).unwrap().rootfs.diff_ids;
        for ((layer, compression), diff_id) in manifest.layers.iter().zip(all).zip(&diff_ids) {
            let bytes = fs::read(layout.blob_path(&layer.digest)).unwrap();
            assert_eq!((bytes.len() as u64, &hash::sha256(&bytes)), (layer.size, &layer.digest));
            let mut tar = Vec::new();
            match compression {
                Compression::None => tar = bytes,
                Compression::Gzip => {
                    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut tar).map(drop).unwrap();
                }
                Compression::Zstd => tar = zstd::decode_all(&bytes[..]).unwrap(),
            }
            assert_eq!(hash::sha256(&tar), *diff_id);
        }
    }

    #[test]
    fn the_same_image_has_the_same_digest_and_odd_white_space_another() {
        let dir = tempfile::tempdir().unwrap();
        let mut layout = SampleLayout::create(dir.path()).unwrap();
        let spec = ImageSpec::small("x");
        let one = layout.image("example.org/a:1", &spec).unwrap();
        let odd = layout.image("example.org/a:2", &spec.clone().spaced(Spacing::Odd)).unwrap();
        let docker = layout.image("example.org/a:3", &spec.clone().docker()).unwrap();
        assert_eq!(one, layout.image("example.org/a:4", &spec).unwrap());
        assert!(one != odd && manifest(&layout, &one) == manifest(&layout, &odd));
        assert!(manifest(&layout, &docker).is_image());
        assert_eq!(manifest(&layout, &docker).media_type, mt::DOCKER_MANIFEST);
    }

    #[test]
    fn a_name_moves_and_signatures_point_at_what_they_sign() {
        let dir = tempfile::tempdir().unwrap();
        let mut layout = SampleLayout::create(dir.path()).unwrap();
        let old = layout.image("example.org/a:1", &ImageSpec::small("old")).unwrap();
        let new = layout.image("example.org/a:1", &ImageSpec::small("new")).unwrap();
        layout.cosign_signature("example.org/a:1", &new).unwrap();
        let sbom = layout.referrer("example.org/a:1", &new, "application/spdx+json").unwrap();
        assert_eq!(manifest(&layout, &sbom).subject.unwrap().digest, new);
        let index = fs::read_to_string(layout.dir().join("index.json")).unwrap();
        assert!(!index.contains(old.hex()) && index.contains(&format!("sha256-{}.sig", new.hex())));
    }
}
