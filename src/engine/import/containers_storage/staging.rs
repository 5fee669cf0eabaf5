//! What skopeo and podman are shown of the bundle: a layout of one image in which layers are links to the medium, so that nothing is copied.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::tool::Program;
use crate::domain::bundle::{INDEX, LAYOUT};
use crate::domain::digest::Digest;
use crate::domain::manifest::MAX_MANIFEST;
use crate::engine::bundle::contents::LAYOUT_BYTES;
use crate::engine::bundle::graph::MAX_CONFIG;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::hash::Hasher;
use crate::engine::import::Job;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::single::Chosen;
use crate::engine::import::stream::{VerifiedBlob, cause};

/// Its name in the store's directory, where no driver looks.
pub(super) const WORK: &str = ".airlift-import";

/// Which layers of an image are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layers {
    /// All of them.
    All,
    /// Those that the medium has in one piece.
    Whole,
}

/// The directory; [`Staging::clear`] removes it, a run that was cut off leaves it to the next one.
pub(super) struct Staging {
    root: PathBuf,
    run: PathBuf,
}

impl Staging {
    /// A fresh one in the directory of the store, for one program. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn create(files: &dyn Files, store: &Path, program: Program) -> Result<Self> {
        let root = store.join(WORK);
        let run = match program {
            Program::Skopeo => root.join("run"),
            Program::Podman => short(),
        };
        let staging = Self { root, run };
        staging.clear(files)?;
        for dir in [staging.temp(), staging.run.clone(), staging.view(), staging.documents()] {
            directory::create(files, &dir)?;
        }
        let conf = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = {:?}\nrunroot = {:?}\n\n\
             [storage.options.overlay]\nskip_mount_home = \"true\"\n",
            store.display().to_string(),
            staging.run().display().to_string()
        );
        write(files, &staging.conf(), conf.as_bytes())?;
        Ok(staging)
    }

    /// Removes it with all that is in it. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn clear(&self, files: &dyn Files) -> Result<()> {
        files.remove_tree(&self.run)?;
        Ok(files.remove_tree(&self.root)?)
    }

    /// Where the one image is laid out: documents and links, so that it is small.
    pub(super) fn layout(&self) -> PathBuf {
        self.run.join("layout")
    }

    /// Where layers are put together that lie in parts.
    fn joined(&self) -> PathBuf {
        self.root.join("layers")
    }

    /// Where the program unpacks to.
    pub(super) fn temp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Documents of images that were laid out: they are named once all are there, and the medium may be gone by then.
    fn documents(&self) -> PathBuf {
        self.root.join("documents")
    }

    /// What must not outlive the program.
    pub(super) fn run(&self) -> &Path {
        &self.run
    }

    /// An empty store through which the other is read.
    pub(super) fn view(&self) -> PathBuf {
        self.root.join("view")
    }

    pub(super) fn conf(&self) -> PathBuf {
        self.root.join("storage.conf")
    }

    /// Lays out one image in place of the one before; the files that will be read, with their lengths. Blocks.
    ///
    /// Documents are read once, hashed and written anew; a layer is a link to the medium, whose bytes the program hashes
    /// itself, or is put together where the medium has it in parts.
    ///
    /// # Errors
    /// The kernel's, or the bundle's where a document is not what was signed.
    pub(super) fn stage(
        &self,
        (job, layers): (&Job, Layers),
        image: &ImageGraph,
        chosen: &Chosen,
    ) -> Result<Vec<(PathBuf, u64)>> {
        let files = &*job.ctx.files;
        let layout = self.layout();
        files.remove_tree(&layout)?;
        files.remove_tree(&self.joined())?;
        files.create_dir(&self.joined())?;
        let manifest = &chosen.manifest;
        let digests = manifest.layers.iter().map(|layer| &layer.digest).chain([&manifest.config.digest]);
        for digest in digests.chain([&image.image.digest, &chosen.digest]) {
            files.create_dir(directory::above(&layout.join(digest.layout_path())))?;
        }
        let mut documents = vec![(&image.image.digest, MAX_MANIFEST), (&manifest.config.digest, MAX_CONFIG)];
        if chosen.digest != image.image.digest {
            documents.push((&chosen.digest, MAX_MANIFEST));
        }
        for (digest, limit) in documents {
            write(files, &layout.join(digest.layout_path()), &self.document(job, digest, limit)?)?;
        }
        let mut read = Vec::new();
        for layer in &manifest.layers {
            let path = layout.join(layer.digest.layout_path());
            let left_out = layers == Layers::Whole && !is_whole(job, &layer.digest);
            if !left_out && files.stat(&path)?.is_none() {
                let file = self.provide(job, image, &layer.digest)?;
                files.link(&file, &path)?;
                read.push((file, layer.size));
            }
        }
        write(files, &layout.join(LAYOUT), LAYOUT_BYTES)?;
        write(files, &layout.join(INDEX), Self::index(image).as_bytes())?;
        Ok(read)
    }

    /// The bytes of a document: of the medium, and from then on of what was kept of it. Either way they are hashed.
    fn document(&self, job: &Job, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let path = self.documents().join(digest.hex());
        let kept = open_named(&*job.ctx.files, &path).ok().and_then(|open| read_whole(open, limit).ok());
        let is_it = |bytes: &Vec<u8>| {
            let mut hasher = Hasher::new(digest.algorithm());
            hasher.update(bytes);
            hasher.finish() == *digest
        };
        if let Some(bytes) = kept.filter(is_it) {
            return Ok(bytes);
        }
        let bytes = job.bundle.read(digest, limit)?;
        write(&*job.ctx.files, &path, &bytes)?;
        Ok(bytes)
    }

    /// The file of a layer: the medium's own, or one put together beside the store.
    fn provide(&self, job: &Job, image: &ImageGraph, digest: &Digest) -> Result<PathBuf> {
        if is_whole(job, digest) {
            let file = job.bundle.root().join(digest.layout_path());
            // The link lies elsewhere, so that the way must not depend on where one stands.
            return Ok(std::path::absolute(&file).unwrap_or(file));
        }
        let path = self.joined().join(digest.hex());
        let mut blob = VerifiedBlob::open(&job.bundle, digest, &image.name())?;
        let mut out = job.ctx.files.create(&path)?;
        std::io::copy(&mut blob, &mut out)
            .map_err(|error| cause(error, |source| file_error("write", &path)(source).into()))?;
        Ok(path)
    }

    /// The index of a layout of one image. Where no name is asked for, its only entry is taken, of whatever type.
    fn index(image: &ImageGraph) -> String {
        let size = image.top().map_or(0, |top| top.size);
        let top = json!({ "mediaType": image.image.media_type, "digest": image.image.digest, "size": size });
        json!({ "schemaVersion": 2, "manifests": [top] }).to_string()
    }
}

/// Whether the medium has a blob in one piece.
fn is_whole(job: &Job, digest: &Digest) -> bool {
    job.bundle.blob(digest).is_some_and(|blob| blob.parts.is_empty())
}

/// A path of this process alone: podman takes no run root of more than 50 bytes.
fn short() -> PathBuf {
    let user = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !rustix::process::geteuid().is_root());
    let above = user.map_or_else(|| PathBuf::from("/run"), PathBuf::from);
    above.join(format!("airlift-import-{}", std::process::id()))
}

fn file_error(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { operation, path, source }
}

fn write(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<()> {
    let mut out = files.create(path)?;
    Ok(out.write_all(bytes).map_err(file_error("write", path))?)
}
