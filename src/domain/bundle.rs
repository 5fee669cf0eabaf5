//! The signed document of a bundle (format 1): its types, its file names and the rules that its text alone can break.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::platform::Platform;
use super::reference::Reference;

/// `format` of the documents this version reads and writes.
pub const FORMAT: &str = "airlift-bundle/1";
/// Namespace of the SSH signatures over the document.
pub const NAMESPACE: &str = "airlift-bundle";
/// The signed document, inside the bundle.
pub const MANIFEST: &str = "airlift/manifest.json";
/// Where the signatures lie.
pub const SIGNATURES: &str = "airlift/signatures";
/// Where parts of blobs lie that are over the file system's limit.
pub const PARTS: &str = "airlift/parts";
/// The journal of a bundle that is being assembled.
pub const JOURNAL: &str = "airlift/journal";
/// For `sha256sum -c`.
pub const SUMS: &str = "airlift/SHA256SUMS";
/// For people.
pub const README: &str = "airlift/README.txt";
/// The OCI layout marker.
pub const LAYOUT: &str = "oci-layout";
/// The OCI layout index.
pub const INDEX: &str = "index.json";
/// `index.json` annotation: the name under which skopeo and podman find an image of a layout.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// `index.json` annotation: the name that containerd gives an imported image.
pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// `index.json` annotation of a carried signature or referrer index that a registry holds under a tag
/// (`host/repository:sha256-….sig`). Not one of the two above: runtimes would try to unpack it as an image.
pub const CARRIED_TAG: &str = "airlift.carried.tag";
/// The largest signed document that is read, in bytes.
pub const MAX_DOCUMENT: u64 = 64 * 1024 * 1024;

/// The signed document, `airlift/manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleManifest {
    /// [`FORMAT`].
    pub format: String,
    /// UUIDv7 of this bundle.
    pub id: uuid::Uuid,
    /// Name of the series it belongs to.
    pub name: String,
    /// Grows by one with each bundle of that name signed on a host.
    pub serial: u64,
    /// When it was assembled, UTC.
    pub created: jiff::Timestamp,
    /// After this it is refused, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::Timestamp>,
    /// What wrote it.
    pub tool: Tool,
    /// The bundle a delta stands on; nothing for a full one.
    pub base: Option<Base>,
    /// Whether every image asked for is in it.
    pub complete: bool,
    /// What is not in it, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// The images, in the order asked.
    pub images: Vec<Image>,
    /// Every blob, by digest.
    pub blobs: Vec<Blob>,
    /// Every other file but this document and its signatures.
    pub files: Vec<File>,
    /// Sums over the lists above.
    pub totals: Totals,
}

/// The program that wrote the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tool {
    /// Its version.
    pub version: String,
    /// The binaries under `airlift/bin/`.
    pub binaries: Vec<Binary>,
}

/// A binary carried in the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binary {
    /// `airlift/bin/<os>-<arch>/airlift`.
    pub path: String,
    /// Its digest.
    pub digest: Digest,
}

/// The bundle a delta is to be used with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Base {
    /// Its id.
    pub id: uuid::Uuid,
    /// Digest of its signed document.
    pub manifest_digest: Digest,
}

/// A reference that was asked for and is not in the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// As it was asked for.
    pub reference: String,
    /// Why it is not there.
    pub reason: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not in this bundle: {} ({})", self.reference, self.reason)
    }
}

/// How much of what was asked for a bundle is without; nothing of one that is complete.
pub fn incomplete(missing: &[Missing]) -> Option<String> {
    match missing.len() {
        0 => None,
        1 => Some("incomplete: 1 image that was asked for is not in it".to_owned()),
        many => Some(format!("incomplete: {many} images that were asked for are not in it")),
    }
}

/// One reference and what it resolved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// As the operator wrote it.
    pub requested: String,
    /// Its full form.
    pub reference: Reference,
    /// Digest of the top manifest.
    pub digest: Digest,
    /// Type of the top manifest.
    pub media_type: String,
    /// The registry and repository it was read from.
    pub source: String,
    /// When the tag was resolved, UTC.
    pub resolved_at: jiff::Timestamp,
    /// What is carried.
    pub platforms: Vec<ImagePlatform>,
    /// What a platform filter left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted_platforms: Vec<ImagePlatform>,
    /// Carried signatures and referrers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Digest>,
    /// Lint findings, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

/// One platform's manifest of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePlatform {
    /// Operating system.
    pub os: String,
    /// CPU architecture.
    pub architecture: String,
    /// CPU variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Digest of its manifest.
    pub digest: Digest,
    /// Bytes of its manifest, configuration and layers.
    pub size: u64,
}

impl ImagePlatform {
    /// The platform alone.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
        }
    }
}

/// One blob and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Type as the first descriptor of it says.
    pub media_type: String,
    /// One file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Or several, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<File>,
}

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Path inside the bundle.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// Hex SHA-256.
    pub sha256: String,
}

/// Sums over the lists of a bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Number of references.
    pub images: u64,
    /// Number of blobs.
    pub blobs: u64,
    /// Bytes of all blobs.
    pub bytes: u64,
}

/// A rule of format 1 that a document breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON of this shape.
    #[error("airlift/manifest.json is not readable: {0}")]
    Json(String),
    /// Another format or a later major version.
    #[error("format is {actual:?}, this version reads {FORMAT:?}")]
    Format {
        /// What the document says.
        actual: String,
    },
    /// A path that could leave the bundle or that FAT cannot hold.
    #[error("path {0:?} is not allowed: names are of a-z 0-9 . _ - and none is . or ..")]
    Path(String),
    /// The same file twice.
    #[error("path {0:?} is listed twice")]
    Twice(String),
    /// A blob that is not where its digest puts it, or has parts that do not add up.
    #[error("blob {digest}: {reason}")]
    Blob {
        /// The blob.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
    /// A bundle name that cannot be a directory name.
    #[error("bundle name {0:?} is not allowed: 1 to 64 of a-z 0-9 . _ -, starting with a letter or digit")]
    Name(String),
    /// Totals that differ from the lists.
    #[error("totals differ from the lists: {0}")]
    Totals(String),
    /// Complete and yet missing something, or the other way round.
    #[error("complete is {complete} but {missing} references are listed as missing")]
    Completeness {
        /// The flag.
        complete: bool,
        /// The length of the list.
        missing: usize,
    },
}

impl BundleManifest {
    /// Reads the verified bytes of a document, strictly.
    ///
    /// # Errors
    /// [`DocumentError`], by the first rule it breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let document: Self = match super::strict_json::parse(bytes) {
            Ok(document) => document,
            Err(error) => {
                return Err(match format_of(bytes) {
                    Some(actual) if actual != FORMAT => DocumentError::Format { actual },
                    _ => DocumentError::Json(error.to_string()),
                });
            }
        };
        document.check()?;
        Ok(document)
    }

    /// The text to be signed: pretty, with a final newline, in field order.
    ///
    /// # Errors
    /// None in practice; the JSON writer's.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The directory this bundle is named after: `<name>-<serial>`.
    pub fn directory(&self) -> String {
        directory(&self.name, self.serial)
    }

    fn check(&self) -> Result<(), DocumentError> {
        if self.format != FORMAT {
            return Err(DocumentError::Format { actual: self.format.clone() });
        }
        check_name(&self.name)?;
        if self.complete != self.missing.is_empty() {
            return Err(DocumentError::Completeness { complete: self.complete, missing: self.missing.len() });
        }
        let mut seen = std::collections::HashSet::new();
        for (path, _, _) in self.all_files() {
            check_path(&path)?;
            if !seen.insert(path.clone()) {
                return Err(DocumentError::Twice(path));
            }
        }
        self.blobs.iter().try_for_each(Blob::check)?;
        let bytes = self.blobs.iter().try_fold(0u64, |sum, blob| sum.checked_add(blob.size));
        let counted = Totals {
            images: self.images.len() as u64,
            blobs: self.blobs.len() as u64,
            bytes: bytes.unwrap_or(0),
        };
        if bytes.is_none() || counted != self.totals {
            return Err(DocumentError::Totals(format!("listed {:?}, counted {counted:?}", self.totals)));
        }
        Ok(())
    }

    /// Every file listed: path, length in bytes, and its SHA-256 in hex (a blob's own where it is one file).
    pub fn all_files(&self) -> impl Iterator<Item = (String, u64, Option<String>)> + '_ {
        let blobs = self.blobs.iter().flat_map(|blob| {
            let sha = (blob.digest.algorithm() == super::digest::Algorithm::Sha256)
                .then(|| blob.digest.hex().to_owned());
            let whole = blob.path.iter().map(move |path| (path.clone(), blob.size, sha.clone()));
            whole.chain(
                blob.parts.iter().map(|part| (part.path.clone(), part.size, Some(part.sha256.clone()))),
            )
        });
        blobs.chain(self.files.iter().map(|file| (file.path.clone(), file.size, Some(file.sha256.clone()))))
    }
}

impl Blob {
    fn check(&self) -> Result<(), DocumentError> {
        let refuse = |reason: String| Err(DocumentError::Blob { digest: self.digest.clone(), reason });
        match (&self.path, self.parts.as_slice()) {
            (Some(path), []) if *path == self.digest.layout_path() => Ok(()),
            (Some(path), []) => {
                refuse(format!("listed at {path:?}, expected {:?}", self.digest.layout_path()))
            }
            (None, []) => refuse("it has neither a path nor parts".to_owned()),
            (Some(_), _) => refuse("it has both a path and parts".to_owned()),
            (None, parts) => {
                for (number, part) in parts.iter().enumerate() {
                    let expected = part_path(&self.digest, number);
                    if part.path != expected {
                        return refuse(format!(
                            "part {number} is listed at {:?}, expected {expected:?}",
                            part.path
                        ));
                    }
                }
                let sum = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.size));
                if sum == Some(self.size) {
                    Ok(())
                } else {
                    refuse(format!("{} bytes, its parts have {sum:?}", self.size))
                }
            }
        }
    }
}

/// `<name>-<serial>`.
pub fn directory(name: &str, serial: u64) -> String {
    format!("{name}-{serial}")
}

/// `airlift/parts/<hex>.<NNN>`.
pub fn part_path(digest: &Digest, number: usize) -> String {
    format!("{PARTS}/{}.{number:03}", digest.hex())
}

/// Refuses a bundle name that FAT could not hold or that could leave its directory.
///
/// # Errors
/// [`DocumentError::Name`].
pub fn check_name(name: &str) -> Result<(), DocumentError> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if first && name.len() <= 64 && name.bytes().all(safe_byte) {
        Ok(())
    } else {
        Err(DocumentError::Name(name.chars().take(160).collect()))
    }
}

/// Refuses a path that could leave the bundle or that FAT could not hold.
///
/// # Errors
/// [`DocumentError::Path`].
pub fn check_path(path: &str) -> Result<(), DocumentError> {
    let component =
        |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 200 && part.bytes().all(safe_byte);
    // SHA256SUMS and README.txt are the two names with capitals; both are fixed.
    if path.split('/').all(component) || matches!(path, SUMS | README) {
        Ok(())
    } else {
        Err(DocumentError::Path(path.chars().take(160).collect()))
    }
}

const fn safe_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
}

fn format_of(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Only {
        format: String,
    }
    serde_json::from_slice::<Only>(bytes).ok().map(|only| only.format.chars().take(80).collect())
}
