//! What a containerd is set to: the snapshotter of its CRI, the directories it writes to, and whether there is room in them.

use std::path::{Path, PathBuf};

use crate::domain::platform::Platform;
use crate::domain::text;
use crate::engine::blocking::blocking;
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
/// Those in which a layer has a copy of all that is below it; others hold it once.
const COPYING: [&str; 2] = ["native", "blockfile"];

/// Where and how a containerd keeps images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// What images are unpacked into.
    pub(super) snapshotter: String,
    /// What containers run on there, as containerd says it.
    pub(super) platform: Platform,
    /// Where blobs lie.
    content: Option<PathBuf>,
    /// Where unpacked layers lie.
    unpacked: Option<PathBuf>,
}

/// What is to be added, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Blobs.
    pub(super) blobs: u64,
    /// Layers that are unpacked, as they are carried: unpacked they are no smaller.
    pub(super) carried: u64,
    /// The same once unpacked, about.
    pub(super) unpacked: u64,
}

/// The layers of an image, base first, as a snapshotter holds them.
#[derive(Default)]
pub(super) struct Chain {
    copies: bool,
    unpacked: u64,
}

impl Chain {
    /// What the next layer takes, once it is unpacked. At most: a file system that shares blocks has copies for nothing.
    pub(super) const fn next(&mut self, unpacked: u64) -> u64 {
        if !self.copies {
            return unpacked;
        }
        self.unpacked = self.unpacked.saturating_add(unpacked);
        self.unpacked
    }
}

impl Node {
    /// Whether a layer has a copy of all that is below it there.
    fn copies(&self) -> bool {
        COPYING.contains(&self.snapshotter.as_str())
    }

    /// An image that is to be unpacked there.
    pub(super) fn chain(&self) -> Chain {
        Chain { copies: self.copies(), ..Chain::default() }
    }

    /// Why it comes to more than its layers do.
    pub(super) fn copying(&self) -> Option<String> {
        self.copies().then(|| {
            format!(
                "the snapshotter of this containerd, {}, copies all layers below into each one: what it comes to unpacked is \
                 with these copies",
                self.snapshotter
            )
        })
    }

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
        let own = of(SNAPSHOTTER).find(|plugin| plugin.id == id);
        // A snapshotter that is a program of its own may not say it; the others run on the same machine.
        let platform = own.into_iter().chain(plugins).find_map(|plugin| plugin.platforms.first().cloned());
        let own = own.and_then(|plugin| plugin.root.clone());
        Self {
            platform: platform.unwrap_or_else(Platform::host),
            unpacked: own.or_else(|| images.map(Path::to_owned)),
            content: of(CONTENT).find_map(|plugin| plugin.root.clone()),
            snapshotter: id,
        }
    }

    /// Where a directory of containerd is made: itself, or the one above it, as containerd 2 makes that of its blobs only
    /// with the first of them. What is not there either is of another name space, and cannot be asked from here.
    fn there(directory: &Path) -> Option<&Path> {
        directory.ancestors().take(2).find(|path| path.is_dir())
    }

    /// The directories, for messages and syncing.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Path> {
        self.content.iter().chain(&self.unpacked).map(PathBuf::as_path)
    }

    /// Fails where so much surely cannot be put. How large layers are unpacked is an estimate: where they may not fit, that
    /// is said, behind the bytes that are free for them. Blocks.
    pub(super) fn room(&self, ctx: &JobCtx, needs: Needs) -> Result<(Option<u64>, Option<String>)> {
        let Needs { blobs, carried, unpacked } = needs;
        let free = |path: &Option<PathBuf>| {
            let path = Self::there(path.as_deref()?)?;
            ctx.files.space(path).ok()?.free.map(|free| (path.to_owned(), free))
        };
        let (content, layers) = (free(&self.content), free(&self.unpacked));
        if let Some((path, free)) = content.as_ref().filter(|(_, free)| blobs > *free) {
            return Err(ImportError::Space { path: path.clone(), needed: blobs, free: *free }.into());
        }
        let shared = match (&content, &layers) {
            (Some((path, _)), Some((other, _))) => durable::together(path, other),
            _ => false,
        };
        let beside = |layers: u64| if shared { blobs.saturating_add(layers) } else { layers };
        let (least, needed) = (beside(carried), beside(unpacked));
        if let Some((path, free)) = layers.as_ref().filter(|(_, free)| least > *free) {
            return Err(ImportError::Space { path: path.clone(), needed: least, free: *free }.into());
        }
        let known = layers.as_ref().or(content.as_ref()).map(|(_, free)| *free);
        let tight = layers.filter(|(_, free)| needed > *free).map(|(path, free)| {
            format!(
                "{} may be too small: with the layers unpacked it comes to about {}, its file system has {} free",
                path.display(),
                text::bytes(needed),
                text::bytes(free)
            )
        });
        Ok((known, tight))
    }

    /// Has everything on disk that containerd wrote, and gives what is not proved to be, in words.
    pub(super) async fn sync(&self) -> Result<Vec<String>> {
        const ALL: &str = "all file systems were written out instead, without word of whether that went well";
        let node = self.clone();
        blocking(move || {
            let failed = |(path, source)| FileError { operation: "sync the file system of", path, source };
            let closed = durable::sync(node.roots()).map_err(failed)?;
            let closed =
                closed.iter().map(|root| format!("{} cannot be opened from here: {ALL}", root.display()));
            let mut notes: Vec<String> = closed.collect();
            if node.content.is_none() || node.unpacked.is_none() {
                durable::sync_all();
                notes
                    .push(format!("where containerd and its {} write is not known: {ALL}", node.snapshotter));
            }
            Ok(notes)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(kind: &str, id: &str, root: Option<&str>) -> Plugin {
        let platforms = if id == "overlayfs" { vec!["linux/arm/v7".parse().unwrap()] } else { Vec::new() };
        Plugin { kind: kind.to_owned(), id: id.to_owned(), root: root.map(PathBuf::from), platforms }
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
            assert_eq!(node.platform.to_string(), "linux/arm/v7", "one of them says it");
            assert_eq!(node.unpacked.as_deref(), unpacked.map(Path::new), "{told:?}");
            assert_eq!(node.content.as_deref(), Some(Path::new("/r/content")));
        }
    }

    #[tokio::test]
    async fn what_is_not_proved_to_be_on_disk_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let platform = Platform::host();
        let node = |unpacked: Option<&Path>| Node {
            snapshotter: "stargz".to_owned(),
            platform: platform.clone(),
            content: Some(dir.path().to_owned()),
            unpacked: unpacked.map(Path::to_owned),
        };
        assert!(node(Some(dir.path())).sync().await.unwrap().is_empty());
        let closed = node(Some(&gone)).sync().await.unwrap();
        assert!(closed.len() == 1 && closed[0].contains("gone cannot be opened"), "{closed:?}");
        let unknown = node(None).sync().await.unwrap();
        assert!(unknown.len() == 1 && unknown[0].contains("stargz write is not known"), "{unknown:?}");
    }

    #[test]
    fn where_layers_are_copied_each_takes_what_is_below_it_too() {
        for (snapshotter, takes) in
            [("native", [10, 30, 60]), ("overlayfs", [10, 20, 30]), ("stargz", [10, 20, 30])]
        {
            let node = Node {
                snapshotter: snapshotter.to_owned(),
                platform: Platform::host(),
                content: None,
                unpacked: None,
            };
            let mut chain = node.chain();
            let taken = [10, 20, 30].map(|layer| chain.next(layer));
            assert_eq!((taken, node.copying().is_some()), (takes, snapshotter == "native"), "{snapshotter}");
        }
    }

    #[test]
    fn what_surely_does_not_fit_is_refused_and_an_estimate_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = Some(dir.path().to_owned());
        let node = Node {
            snapshotter: "overlayfs".to_owned(),
            platform: Platform::host(),
            content: path.clone(),
            unpacked: path,
        };
        let ctx = JobCtx::silent();
        let needs = |blobs, carried, unpacked| Needs { blobs, carried, unpacked };
        let (free, said) = node.room(&ctx, needs(1, 1, 1)).unwrap();
        assert!(free.is_some_and(|free| free > 0) && said.is_none(), "{free:?}, {said:?}");
        let said = node.room(&ctx, needs(1, 1, u64::MAX)).unwrap().1.unwrap();
        assert!(said.contains("may be too small"), "{said}");
        let most = free.unwrap() / 4 * 3;
        // Where both lie on one file system, they have its room together.
        for (blobs, carried) in [(u64::MAX, 1), (1, u64::MAX), (most, most)] {
            let refused = node.room(&ctx, needs(blobs, carried, carried)).unwrap_err();
            assert_eq!(refused.kind(), crate::engine::error::Kind::Space, "{blobs} {carried}");
        }
        let apart = Node { content: None, ..node.clone() };
        assert!(apart.room(&ctx, needs(u64::MAX, most, most)).unwrap().1.is_none());
        // Before its first blob, containerd 2 has no directory for blobs.
        let fresh = Node { content: Some(dir.path().join("content")), ..node.clone() };
        let said = fresh.room(&ctx, needs(most, 1, most)).unwrap().1.unwrap();
        assert!(said.contains("may be too small"), "{said}");
        let elsewhere = Node { content: Some(dir.path().join("name/space/content")), ..node };
        assert!(elsewhere.room(&ctx, needs(u64::MAX, 1, 1)).unwrap().1.is_none());
    }
}
