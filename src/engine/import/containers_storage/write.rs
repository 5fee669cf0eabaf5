//! One run over a store: staged, copied, held against the bundle, made durable, asked as its readers will ask.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::{Place, make_readable};
use super::staging::Staging;
use super::tool::{Address, Copy, Program, Tool};
use super::{fit, names, todo};
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::engine::blocking::blocking;
use crate::engine::directory;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::files::Held;
use crate::engine::import::error::ImportError;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::report::Outcome;
use crate::engine::import::single::{Chosen, broken};
use crate::engine::import::{Job, Planned, oci_archive};

/// What was moved and what was not, each blob once.
#[derive(Default)]
pub(super) struct Bytes {
    seen: HashSet<Digest>,
    pub(super) written: u64,
    pub(super) present: u64,
}

impl Bytes {
    /// Counts what of an image was not counted yet.
    fn rest(&mut self, image: &ImageGraph) -> u64 {
        image.nodes().filter(|node| self.seen.insert(node.digest.clone())).map(|node| node.size).sum()
    }

    pub(super) fn skip(&mut self, job: &Job, image: &ImageGraph) {
        let rest = self.rest(image);
        self.present += rest;
        job.meter.add(rest);
    }
}

/// A store that is being written, held until it is closed.
pub(super) struct Store {
    job: Job,
    place: Place,
    pub(super) tool: Tool,
    pub(super) staging: Arc<Staging>,
    _held: Held,
}

impl Store {
    pub(super) async fn open(job: &Job, directory: Option<&Path>) -> Result<Self> {
        let target = Target::ContainersStorage(directory.map(Path::to_owned)).to_string();
        let program = Program::find(&target).await?;
        let (owned, within) = (job.clone(), directory.map(Path::to_owned));
        let (place, staging, held) = blocking(move || {
            let files = &*owned.ctx.files;
            let place = Place::find(&owned, within.as_deref())?;
            directory::create(files, &place.directory)?;
            let locked = || ImportError::Locked { path: place.directory.clone() };
            let held = directory::hold(files, &place.directory)?.ok_or_else(locked)?;
            let staging = Staging::create(files, &place.directory, program)?;
            Ok((place, staging, held))
        })
        .await?;
        let tool = Tool { program, address: place.address.clone(), target };
        Ok(Self { job: job.clone(), place, tool, staging: Arc::new(staging), _held: held })
    }

    /// All images that are to be written; then the store is closed.
    pub(super) async fn fill(
        &self,
        images: &[ImageGraph],
        plan: &[Planned],
        outcomes: &mut [Outcome],
        bytes: &mut Bytes,
    ) -> Result<()> {
        let mut added = Vec::new();
        for (at, (image, planned)) in images.iter().zip(plan).enumerate() {
            if !todo(planned) {
                bytes.skip(&self.job, image);
                continue;
            }
            match self.image(image, bytes).await {
                Ok(()) => {
                    self.job.arrived.note(&self.tool.target, &image.name());
                    added.push(image);
                }
                Err(error) => outcomes[at] = self.job.failed(image, error)?,
            }
        }
        self.close(&added).await
    }

    /// One image with all of its names.
    async fn image(&self, image: &ImageGraph, bytes: &mut Bytes) -> Result<()> {
        let (store, graph) = (self.parts(), image.clone());
        let (chosen, files) = blocking(move || {
            let (job, place, staging) = store;
            let chosen = fit(&job, &place, &graph)?;
            let files = staging.stage(&job, &graph, &chosen)?;
            Ok((chosen, files))
        })
        .await?;
        let fresh: Vec<_> = {
            let new = chosen.manifest.layers.iter().filter(|layer| !bytes.seen.contains(&layer.digest));
            let new: HashSet<String> = new.map(|layer| layer.digest.hex().to_owned()).collect();
            let is_new =
                |path: &Path| path.file_name().is_some_and(|name| new.contains(&*name.to_string_lossy()));
            files.into_iter().filter(|(path, _)| is_new(path)).collect()
        };
        let before = self.job.meter.done();
        let result = self.copy(image, &chosen, &fresh).await;
        let counted = self.job.meter.done() - before;
        if let Err(error) = result {
            self.job.meter.take_back(counted);
            return Err(self.cause(image, &chosen, error).await);
        }
        let rest = bytes.rest(image);
        bytes.written += rest;
        self.job.meter.add(rest.saturating_sub(counted));
        self.check(image, &chosen).await
    }

    async fn copy(&self, image: &ImageGraph, chosen: &Chosen, files: &[(PathBuf, u64)]) -> Result<()> {
        for (at, name) in names(image).iter().enumerate() {
            let copy = Copy {
                image: &image.name(),
                name,
                platform: chosen.platform.as_ref(),
                // A second name moves no layer.
                files: if at == 0 { files } else { &[] },
            };
            self.tool.copy(&self.job.ctx, &self.staging, &copy, &self.job.meter).await?;
        }
        Ok(())
    }

    /// What was really wrong, where a copy failed: bytes on the medium that are not what was signed come first.
    async fn cause(&self, image: &ImageGraph, chosen: &Chosen, error: EngineError) -> EngineError {
        if error.kind() == Kind::Interrupted {
            return error;
        }
        let (job, mut graph) = (self.job.clone(), image.clone());
        let layers: HashSet<&Digest> = chosen.manifest.layers.iter().map(|layer| &layer.digest).collect();
        graph.blobs.retain(|node| layers.contains(&node.digest));
        match blocking(move || oci_archive::whole(&job, &graph)).await {
            Err(damaged) => damaged,
            Ok(()) => error,
        }
    }

    /// Holds what the store recorded against what the bundle says; an image that differs is taken out again.
    async fn check(&self, image: &ImageGraph, chosen: &Chosen) -> Result<()> {
        let (store, graph, digest) = (self.parts(), image.clone(), chosen.manifest.config.digest.clone());
        let config = chosen.config(&self.job, image)?;
        let wrong = blocking(move || {
            let (job, place, _) = store;
            let records = place.records(&*job.ctx.files)?;
            for name in names(&graph) {
                let Some(stored) = records.named(&name) else {
                    return Ok(Some(altered(&place, &name, &graph, "nothing".to_owned())));
                };
                if !stored.has(&graph.image.digest) {
                    return Ok(Some(altered(&place, &name, &graph, stored.digest().to_owned())));
                }
                let unpacked = records.diff_ids(stored);
                let said: Vec<String> = config.rootfs.diff_ids.iter().map(ToString::to_string).collect();
                if unpacked != said {
                    let reason =
                        format!("it says the layers unpack to {said:?}, they unpack to {unpacked:?}");
                    return Ok(Some(broken(&graph, &digest, reason)));
                }
            }
            Ok(None)
        })
        .await?;
        let Some(wrong) = wrong else { return Ok(()) };
        for name in names(image) {
            // That the image is wrong is the news; what else fails on the way out is logged.
            if let Err(error) = self.tool.delete(&self.job.ctx, &self.staging, &name).await {
                tracing::warn!("{name} stays in {}: {}", self.tool.target, error.message());
            }
        }
        Err(wrong)
    }

    /// Makes it durable and readable where it cannot be written, asks it for each image, and lets go of it.
    async fn close(&self, added: &[&ImageGraph]) -> Result<()> {
        let (job, place, _) = self.parts();
        let own = matches!(self.place.address, Address::Directory(_));
        blocking(move || {
            let files = &*job.ctx.files;
            if own {
                make_readable(files, &place.directory)?;
            }
            Ok(files.sync_fs(&place.directory)?)
        })
        .await?;
        for image in added {
            let name = image.image.reference.at_digest(&image.image.digest).to_string();
            let digest = &image.image.digest;
            let actual = self.tool.answer(&self.job.ctx, &self.staging, &name, digest).await?;
            if actual.as_ref() != Some(digest) {
                let actual = actual.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
                return Err(altered(&self.place, &name, image, actual));
            }
        }
        let (job, place, staging) = self.parts();
        blocking(move || {
            staging.clear(&*job.ctx.files)?;
            Ok(job.ctx.files.sync_dir(&place.directory)?)
        })
        .await
    }

    fn parts(&self) -> (Job, Place, Arc<Staging>) {
        (self.job.clone(), self.place.clone(), Arc::clone(&self.staging))
    }
}

fn altered(place: &Place, name: &str, image: &ImageGraph, actual: String) -> EngineError {
    let (target, name, expected) = (place.target.to_string(), name.to_owned(), image.image.digest.clone());
    ImportError::Altered { target, name, expected, actual }.into()
}
