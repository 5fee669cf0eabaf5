//! What a containerd is set to: the snapshotter of its CRI, the directories it writes to, and whether there is room in them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::pieces::Layer;
use crate::domain::media_type::{self as mt, Compression};
use crate::engine::blocking::blocking;
use crate::engine::bundle::read::BundleReader;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};
use crate::engine::import::error::ImportError;
use crate::engine::runtime::containerd::{Containerd, Plugin};
use crate::engine::runtime::cri::Cri;
use crate::engine::runtime::durable;
use crate::engine::runtime::error::RuntimeError;

const SNAPSHOTTER: &str = "io.containerd.snapshotter.v1";
const CONTENT: &str = "io.containerd.content.v1";
/// What containerd uses where nothing else is set.
const DEFAULT_SNAPSHOTTER: &str = "overlayfs";
/// How much larger a layer is unpacked, where its file does not tell.
const GROWTH: u64 = 3;

/// Where and how a containerd keeps images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// What images are unpacked into.
    pub(super) snapshotter: String,
    /// Where blobs lie.
    content: Option<PathBuf>,
    /// Where unpacked layers lie.
    unpacked: Option<PathBuf>,
}

impl Node {
    /// Asks the CRI on the same socket, where there is one, and containerd itself.
    pub(super) async fn learn(daemon: &Containerd, cri: Option<&Cri>) -> Result<Self> {
        let directory = match cri {
            Some(cri) => cri.image_directory().await?,
            None => None,
        };
        Ok(Self::from(&daemon.plugins().await?, directory.as_deref()))
    }

    fn from(plugins: &[Plugin], images: Option<&str>) -> Self {
        let of = |kind: &'static str| plugins.iter().filter(move |plugin| plugin.kind == kind);
        let images = images.map(Path::new);
        let by_root = |plugin: &&Plugin| plugin.root.is_some() && plugin.root.as_deref() == images;
        let by_name = |plugin: &&Plugin| {
            let name = format!("{SNAPSHOTTER}.{}", plugin.id);
            images.and_then(Path::file_name).is_some_and(|last| *last == *name)
        };
        let snapshotter = of(SNAPSHOTTER).find(by_root).or_else(|| of(SNAPSHOTTER).find(by_name));
        let id = snapshotter.map_or_else(|| DEFAULT_SNAPSHOTTER.to_owned(), |plugin| plugin.id.clone());
        let own = of(SNAPSHOTTER).find(|plugin| plugin.id == id).and_then(|plugin| plugin.root.clone());
        Self {
            unpacked: own.or_else(|| images.map(Path::to_owned)),
            content: of(CONTENT).find_map(|plugin| plugin.root.clone()),
            snapshotter: id,
        }
    }

    /// The directories, for messages and syncing.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Path> {
        self.content.iter().chain(&self.unpacked).map(PathBuf::as_path)
    }

    /// Fails where so many bytes of blobs and of unpacked layers cannot be put. Blocks.
    pub(super) fn room(&self, ctx: &JobCtx, blobs: u64, unpacked: u64) -> Result<()> {
        let free = |path: &Option<PathBuf>| {
            // A directory of another name space cannot be asked from here; the daemon will say when it is full.
            path.as_ref().and_then(|path| ctx.files.space(path).ok()?.free.map(|free| (path.clone(), free)))
        };
        let (content, layers) = (free(&self.content), free(&self.unpacked));
        let needs = match (content, layers) {
            (Some((path, free)), Some((other, _))) if durable::together(&path, &other) => {
                vec![(path, blobs.saturating_add(unpacked), free)]
            }
            (content, layers) => {
                let content = content.map(|(path, free)| (path, blobs, free));
                content.into_iter().chain(layers.map(|(path, free)| (path, unpacked, free))).collect()
            }
        };
        match needs.into_iter().find(|(_, needed, free)| needed > free) {
            Some((path, needed, free)) => Err(ImportError::Space { path, needed, free }.into()),
            None => Ok(()),
        }
    }

    /// Has everything on disk that containerd wrote.
    pub(super) async fn sync(&self) -> Result<()> {
        let node = self.clone();
        blocking(move || {
            let failed = |(path, source)| FileError { operation: "sync the file system of", path, source };
            Ok(durable::sync(node.roots()).map_err(failed)?)
        })
        .await
    }
}

/// The CRI on a socket; nothing where containerd has its own switched off.
pub(super) async fn cri(socket: &Path) -> Result<Option<Cri>> {
    match Cri::connect(socket).await {
        Ok(cri) => Ok(Some(cri)),
        Err(RuntimeError::Another { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Bytes of a layer once unpacked, as far as its file tells. Blocks.
pub(super) fn unpacked_size(bundle: &BundleReader, layer: &Layer) -> u64 {
    let size = layer.blob.size;
    match mt::layer_compression(&layer.blob.media_type) {
        Some(Compression::None) => size,
        // Its last four bytes are the length before compression, modulo 2^32 (RFC 1952, ISIZE).
        Some(Compression::Gzip) if size > 18 => {
            let mut tail = [0; 4];
            let read =
                bundle.open(&layer.blob.digest, size - 4).map(|mut tail_of| tail_of.read_exact(&mut tail));
            match read {
                Ok(Ok(())) => u64::from(u32::from_le_bytes(tail)).max(size),
                _ => size.saturating_mul(GROWTH),
            }
        }
        _ => size.saturating_mul(GROWTH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(kind: &str, id: &str, root: Option<&str>) -> Plugin {
        Plugin { kind: kind.to_owned(), id: id.to_owned(), root: root.map(PathBuf::from) }
    }

    #[test]
    fn the_snapshotter_is_the_one_whose_directory_the_cri_names() {
        let plugins = [
            plugin(CONTENT, "content", Some("/r/content")),
            plugin(SNAPSHOTTER, "native", Some("/r/io.containerd.snapshotter.v1.native")),
            plugin(SNAPSHOTTER, "overlayfs", Some("/fast/overlay")),
            plugin(SNAPSHOTTER, "stargz", None),
        ];
        for (told, snapshotter, unpacked) in [
            (Some("/fast/overlay"), "overlayfs", Some("/fast/overlay")),
            (
                Some("/r/io.containerd.snapshotter.v1.native"),
                "native",
                Some("/r/io.containerd.snapshotter.v1.native"),
            ),
            (
                Some("/s/io.containerd.snapshotter.v1.stargz"),
                "stargz",
                Some("/s/io.containerd.snapshotter.v1.stargz"),
            ),
            (None, "overlayfs", Some("/fast/overlay")),
        ] {
            let node = Node::from(&plugins, told);
            assert_eq!(node.snapshotter, snapshotter, "{told:?}");
            assert_eq!(node.unpacked.as_deref(), unpacked.map(Path::new), "{told:?}");
            assert_eq!(node.content.as_deref(), Some(Path::new("/r/content")));
        }
    }
}
