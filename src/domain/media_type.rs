//! Media types of manifests, indexes, configs and layers (OCI image spec 1.1 and Docker schema 1 and 2).

/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI empty descriptor body `{}`.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker schema 2 manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker schema 2 image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker schema 1, unsigned: refused everywhere, runtimes dropped it.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker schema 1, signed: refused everywhere, runtimes dropped it.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// The `Accept` values for a manifest request; registries answer 404 for a type that is not listed.
pub const ACCEPT_MANIFESTS: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// Whether a document of this type lists other manifests.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_LIST)
}

/// Whether a document of this type is one image or artifact.
pub fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
}

/// Whether content of this type points at other content: an index or a manifest.
pub fn is_document(media_type: &str) -> bool {
    is_index(media_type) || is_manifest(media_type)
}

/// Whether this is Docker schema 1, signed or not.
pub fn is_schema1(media_type: &str) -> bool {
    matches!(media_type, DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED)
}

/// Whether this is a Docker type, which OCI-only registries refuse.
pub fn is_docker(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.")
}

/// Whether this is an image configuration with `rootfs.diff_ids`.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
}

/// How the bytes of a layer are compressed, as its media type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A bare tar.
    None,
    /// gzip, possibly of several members.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// The compression of a file system layer, or nothing if the type is not one of a layer.
pub fn layer_compression(media_type: &str) -> Option<Compression> {
    let rest =
        ["application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar"]
            .iter()
            .find_map(|prefix| media_type.strip_prefix(prefix));
    match (rest, media_type) {
        (Some(""), _) => Some(Compression::None),
        (Some("+gzip"), _) => Some(Compression::Gzip),
        (Some("+zstd"), _) => Some(Compression::Zstd),
        (_, "application/vnd.docker.image.rootfs.diff.tar") => Some(Compression::None),
        (_, "application/vnd.docker.image.rootfs.diff.tar.gzip")
        | (_, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") => Some(Compression::Gzip),
        (_, "application/vnd.docker.image.rootfs.diff.tar.zstd") => Some(Compression::Zstd),
        _ => None,
    }
}
