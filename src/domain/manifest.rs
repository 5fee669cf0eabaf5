//! Reads manifests and indexes (OCI image spec 1.1, Docker schema 2) without ever writing one: the bytes stay as they came.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::digest::Digest;
use super::media_type as mt;
use super::platform::Platform;
use super::strict_json;

/// The largest manifest that registries and Airlift accept, in bytes.
pub const MAX_MANIFEST: u64 = 4 * 1024 * 1024;
/// How deep indexes may nest in what is read from a bundle or a layout.
pub const MAX_NESTING: usize = 8;

/// A pointer to content: what it is, its digest, its size in bytes (OCI "Content Descriptors").
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    #[serde(default)]
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Length of the content in bytes.
    pub size: u64,
    /// Key and value pairs of the author.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// In an index: what the manifest runs on.
    #[serde(default, deserialize_with = "lenient_platform")]
    pub platform: Option<Platform>,
    /// Where a foreign layer may be had; Airlift never follows these.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Type of the artifact, where the manifest is none of an image.
    #[serde(default)]
    pub artifact_type: Option<String>,
}

/// A manifest or an index, as far as Airlift reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A list of manifests for several platforms.
    Index(Box<Index>),
    /// One image or artifact.
    Manifest(Box<Manifest>),
}

/// An image index or Docker manifest list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The type of this document.
    pub media_type: String,
    /// The manifests listed, in order.
    pub manifests: Vec<Descriptor>,
    /// The manifest this one refers to, if it is a referrer.
    pub subject: Option<Descriptor>,
    /// Type of the artifact, where it is one.
    pub artifact_type: Option<String>,
    /// Key and value pairs of the author.
    pub annotations: BTreeMap<String, String>,
}

/// An image manifest: configuration and layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The type of this document.
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, base first.
    pub layers: Vec<Descriptor>,
    /// The manifest this one refers to, if it is a referrer.
    pub subject: Option<Descriptor>,
    /// Type of the artifact, where it is no image.
    pub artifact_type: Option<String>,
    /// Key and value pairs of the author.
    pub annotations: BTreeMap<String, String>,
}

/// How a manifest refers to another one, as registries list it (distribution spec, "Listing Referrers").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// What it refers to.
    pub subject: Digest,
    /// The type by which clients filter.
    pub artifact_type: Option<String>,
    /// The annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

impl Document {
    /// The media type of this document.
    pub fn media_type(&self) -> &str {
        match self {
            Self::Index(index) => &index.media_type,
            Self::Manifest(manifest) => &manifest.media_type,
        }
    }

    /// Every descriptor this document points at, in document order; `subject` is a back-reference and not one of them.
    pub fn children(&self) -> Vec<&Descriptor> {
        match self {
            Self::Index(index) => index.manifests.iter().collect(),
            Self::Manifest(manifest) => std::iter::once(&manifest.config).chain(&manifest.layers).collect(),
        }
    }

    /// What this document is to the one it refers to. A manifest without an artifact type goes by that of its
    /// configuration, an index has then none.
    pub fn referral(&self) -> Option<Referral> {
        let (subject, artifact_type, fallback, annotations) = match self {
            Self::Index(index) => (&index.subject, &index.artifact_type, None, &index.annotations),
            Self::Manifest(manifest) => {
                let fallback = Some(&manifest.config.media_type);
                (&manifest.subject, &manifest.artifact_type, fallback, &manifest.annotations)
            }
        };
        let given = |kind: &&String| !kind.is_empty();
        let kind = artifact_type.as_ref().filter(given).or_else(|| fallback.filter(given));
        let subject = subject.as_ref()?.digest.clone();
        Some(Referral { subject, artifact_type: kind.cloned(), annotations: annotations.clone() })
    }
}

impl Manifest {
    /// Whether this is a container image that a runtime can start, and no signature, chart or other artifact.
    pub fn is_image(&self) -> bool {
        mt::is_image_config(&self.config.media_type)
    }
}

/// Why bytes are not a manifest that Airlift carries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or keys twice, or fields of a wrong type.
    #[error("not a readable manifest: {0}")]
    Json(String),
    /// Too many bytes.
    #[error("a manifest of {size} bytes; registries accept {MAX_MANIFEST}")]
    TooLarge {
        /// Bytes seen.
        size: u64,
    },
    /// Docker schema 1, which runtimes no longer take.
    #[error("a Docker schema 1 manifest; runtimes dropped that format")]
    Schema1,
    /// Both `manifests` and `layers` or `config` (CVE-2021-41190).
    #[error("a document that is both a manifest and an index")]
    Ambiguous,
    /// Neither of the two.
    #[error("neither a manifest nor an index: it has no `manifests` and no `config` with `layers`")]
    Neither,
    /// The body's own type is another than the one it was delivered as.
    #[error("media type differs: declared {declared}, the document says {actual}")]
    MediaType {
        /// From the descriptor or Content-Type.
        declared: String,
        /// From the body.
        actual: String,
    },
    /// A type that is neither OCI nor Docker schema 2.
    #[error("unsupported media type {0}")]
    Unsupported(String),
    /// `schemaVersion` is missing or not 2.
    #[error("schemaVersion is {0}, expected 2")]
    SchemaVersion(u64),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde_json::Value>,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

/// Reads a manifest or index. `declared` is the type of the descriptor or the Content-Type, without parameters;
/// an empty or generic one (`application/json`, octet-stream) declares nothing.
///
/// # Errors
/// [`ManifestError`], by what is wrong with it; nothing is repaired.
pub fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Document, ManifestError> {
    parse_within(bytes, declared, MAX_MANIFEST)
}

/// The same for a document of another limit in bytes: the `index.json` of a layout holds more than one manifest may.
///
/// # Errors
/// As [`parse`].
pub fn parse_within(bytes: &[u8], declared: Option<&str>, limit: u64) -> Result<Document, ManifestError> {
    if bytes.len() as u64 > limit {
        return Err(ManifestError::TooLarge { size: bytes.len() as u64 });
    }
    let raw: Raw = strict_json::parse(bytes).map_err(|error| ManifestError::Json(error.to_string()))?;
    let declared = declared
        .filter(|d| !matches!(*d, "" | "application/json" | "application/octet-stream" | "text/plain"));
    let media_type = settle_type(&raw, declared)?;
    if raw.schema_version != 2 {
        return Err(ManifestError::SchemaVersion(raw.schema_version));
    }
    match (raw.manifests, raw.config, raw.layers) {
        (Some(manifests), None, None) if mt::is_index(&media_type) => Ok(Document::Index(Box::new(Index {
            media_type,
            manifests,
            subject: raw.subject,
            artifact_type: raw.artifact_type,
            annotations: raw.annotations.unwrap_or_default(),
        }))),
        (None, Some(config), Some(layers)) if mt::is_manifest(&media_type) => {
            Ok(Document::Manifest(Box::new(Manifest {
                media_type,
                config,
                layers,
                subject: raw.subject,
                artifact_type: raw.artifact_type,
                annotations: raw.annotations.unwrap_or_default(),
            })))
        }
        (Some(_), None, None) | (None, Some(_), Some(_)) => Err(ManifestError::MediaType {
            declared: media_type,
            actual: "a document of the other kind".to_owned(),
        }),
        _ => Err(ManifestError::Neither),
    }
}

fn settle_type(raw: &Raw, declared: Option<&str>) -> Result<String, ManifestError> {
    let index_like = raw.manifests.is_some();
    let manifest_like = raw.config.is_some() || raw.layers.is_some();
    if index_like && (manifest_like || raw.fs_layers.is_some()) {
        return Err(ManifestError::Ambiguous);
    }
    if raw.fs_layers.is_some() || raw.schema_version == 1 || declared.is_some_and(mt::is_schema1) {
        return Err(ManifestError::Schema1);
    }
    let media_type = match (declared, raw.media_type.as_deref()) {
        (Some(declared), Some(actual)) if declared != actual => {
            return Err(ManifestError::MediaType {
                declared: declared.to_owned(),
                actual: actual.to_owned(),
            });
        }
        (Some(known), _) | (None, Some(known)) => known.to_owned(),
        // OCI lets the field be absent; the shape then tells.
        (None, None) if index_like => mt::OCI_INDEX.to_owned(),
        (None, None) => mt::OCI_MANIFEST.to_owned(),
    };
    if mt::is_index(&media_type) || mt::is_manifest(&media_type) {
        Ok(media_type)
    } else {
        Err(ManifestError::Unsupported(media_type))
    }
}

/// An image configuration, as far as verification and naming need it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// CPU architecture.
    #[serde(default)]
    pub architecture: String,
    /// Operating system.
    #[serde(default)]
    pub os: String,
    /// CPU variant.
    #[serde(default)]
    pub variant: Option<String>,
    /// The unpacked layers.
    #[serde(default)]
    pub rootfs: RootFs,
}

/// `rootfs` of an image configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RootFs {
    /// Digests of the uncompressed layers, base first.
    #[serde(default)]
    pub diff_ids: Vec<Digest>,
}

impl ImageConfig {
    /// Reads a configuration blob.
    ///
    /// # Errors
    /// [`ManifestError::Json`] where it is none, or a key appears twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        strict_json::parse(bytes).map_err(|error| ManifestError::Json(error.to_string()))
    }

    /// The platform this image runs on, if it says so.
    pub fn platform(&self) -> Option<Platform> {
        (!self.os.is_empty() && !self.architecture.is_empty()).then(|| Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone().filter(|v| !v.is_empty()),
        })
    }
}

fn lenient_platform<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Platform>, D::Error> {
    #[derive(Deserialize)]
    struct Field {
        #[serde(default)]
        os: String,
        #[serde(default)]
        architecture: String,
        variant: Option<String>,
    }
    let field = Option::<Field>::deserialize(deserializer)?;
    Ok(field.filter(|p| !p.os.is_empty() || !p.architecture.is_empty()).map(|p| Platform {
        os: p.os,
        architecture: p.architecture,
        variant: p.variant.filter(|v| !v.is_empty()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(n: u8) -> String {
        format!("sha256:{}", format!("{n:02x}").repeat(32))
    }

    fn image() -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},"layers":[{{"mediaType":"x","digest":"{}","size":3}}]}}"#,
            mt::OCI_MANIFEST,
            mt::OCI_CONFIG,
            d(1),
            d(2)
        )
    }

    #[test]
    fn a_manifest_and_an_index_are_told_apart() {
        let Document::Manifest(manifest) = parse(image().as_bytes(), Some(mt::OCI_MANIFEST)).unwrap() else {
            panic!()
        };
        assert!(manifest.is_image());
        assert_eq!(manifest.layers[0].size, 3);
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{}","size":7,"platform":{{"os":"linux","architecture":"arm","variant":"v7","os.version":"1"}}}}]}}"#,
            mt::OCI_MANIFEST,
            d(3)
        );
        let Document::Index(index) = parse(index.as_bytes(), Some("application/json")).unwrap() else {
            panic!()
        };
        assert_eq!(index.media_type, mt::OCI_INDEX);
        assert_eq!(index.manifests[0].platform.as_ref().unwrap().to_string(), "linux/arm/v7");
    }

    #[test]
    fn type_confusion_and_old_formats_are_refused_by_name() {
        let both = image().replacen('{', r#"{"manifests":[],"#, 1);
        assert_eq!(parse(both.as_bytes(), None), Err(ManifestError::Ambiguous));
        assert!(matches!(
            parse(image().as_bytes(), Some(mt::DOCKER_MANIFEST)),
            Err(ManifestError::MediaType { .. })
        ));
        let untyped =
            image().replace(&format!(r#""mediaType":"{}","config""#, mt::OCI_MANIFEST), r#""config""#);
        assert!(parse(untyped.as_bytes(), None).is_ok());
        assert!(matches!(
            parse(untyped.as_bytes(), Some(mt::OCI_INDEX)),
            Err(ManifestError::MediaType { .. })
        ));
        let schema1 = br#"{"schemaVersion":1,"name":"x","fsLayers":[]}"#;
        assert_eq!(parse(schema1, None), Err(ManifestError::Schema1));
        assert_eq!(parse(br#"{"schemaVersion":2}"#, None), Err(ManifestError::Neither));
        assert!(matches!(
            parse(image().replace("\"size\":3", "\"size\":-3").as_bytes(), None),
            Err(ManifestError::Json(_))
        ));
        assert!(matches!(parse(&vec![b' '; 4 << 20 | 1], None), Err(ManifestError::TooLarge { .. })));
    }

    #[test]
    fn a_referrer_is_listed_by_its_artifact_type_else_by_that_of_its_configuration() {
        let subject = format!(r#""subject":{{"mediaType":"x","digest":"{}","size":1}}"#, d(9));
        let notes = r#""annotations":{"a":"b"}"#;
        let index = r#"{"schemaVersion":2,"manifests":[]"#;
        let manifest = image();
        let manifest = manifest.trim_end_matches('}');
        for (text, kind, annotated) in [
            (format!("{index},{subject},{notes}}}"), None, true),
            (format!(r#"{index},"artifactType":"t/i",{subject},{notes}}}"#), Some("t/i"), true),
            (format!("{manifest},{subject}}}"), Some(mt::OCI_CONFIG), false),
            (format!(r#"{manifest},"artifactType":"",{subject}}}"#), Some(mt::OCI_CONFIG), false),
            (format!(r#"{manifest},"artifactType":"t/m",{notes},{subject}}}"#), Some("t/m"), true),
        ] {
            let referral = parse(text.as_bytes(), None).unwrap().referral().unwrap();
            assert_eq!(referral.subject.to_string(), d(9), "{text}");
            assert_eq!(referral.artifact_type.as_deref(), kind, "{text}");
            assert_eq!(referral.annotations.get("a").map(String::as_str), annotated.then_some("b"), "{text}");
        }
        assert_eq!(parse(image().as_bytes(), None).unwrap().referral(), None);
    }

    #[test]
    fn a_traversal_in_a_digest_does_not_parse() {
        let evil = image().replace(&d(2), "sha256:../../../../etc/passwd");
        assert!(matches!(parse(evil.as_bytes(), None), Err(ManifestError::Json(_))));
    }
}
