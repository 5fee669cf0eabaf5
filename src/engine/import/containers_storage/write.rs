//! One run over a store: staged, copied, held against the bundle, made durable, asked as its readers will ask.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::journal::{Coming, Journal};
use super::place::{Place, make_readable};
use super::process::Reading;
use super::staging::Staging;
use super::tool::{Address, Copy, Program, Tool};
use super::undo::{StoreChange, own_records};
use super::{fit, names, todo};
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::progress::{Event, Phase};
use crate::engine::blocking::blocking;
use crate::engine::directory;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::files::Held;
use crate::engine::import::changes::Noted;
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
        job.meter.add_kept(rest);
    }
}

/// A store that is being written, held until it is closed.
pub(super) struct Store {
    pub(super) job: Job,
    place: Place,
    pub(super) tool: Tool,
    pub(super) staging: Arc<Staging>,
    _held: Held,
}

/// An image that is to be written, with what of it the store holds.
pub(super) struct Wanted<'a> {
    at: usize,
    pub(super) image: &'a ImageGraph,
    pub(super) chosen: Chosen,
    /// Whether the store has an image of this id already, so that a failure must not take it away.
    known: bool,
    /// Why it cannot be written, where what the store has of it is in the way.
    pub(super) broken: Option<EngineError>,
}

impl Wanted<'_> {
    pub(super) fn id(&self) -> &str {
        self.chosen.manifest.config.digest.hex()
    }

    /// What of it goes into the store: its documents and the layers of the chosen platform.
    fn own(&self) -> HashSet<&Digest> {
        let manifest = &self.chosen.manifest;
        let layers = manifest.layers.iter().map(|layer| &layer.digest);
        layers.chain([&manifest.config.digest, &self.chosen.digest, &self.image.image.digest]).collect()
    }

    pub(super) fn copy<'b>(&'b self, name: &'b str, files: &'b [(PathBuf, u64)]) -> Copy<'b> {
        Copy { image: name, id: self.id(), platform: self.chosen.platform.as_ref(), files }
    }
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
        let filled = self.write(images, plan, outcomes, bytes).await;
        let added = match &filled {
            Ok(added) => added.as_slice(),
            // What arrived before is kept, and so made durable as well.
            Err(_) => &[],
        };
        let closed = self.close(added).await;
        filled.and(closed)
    }

    async fn write<'a>(
        &self,
        images: &'a [ImageGraph],
        plan: &[Planned],
        outcomes: &mut [Outcome],
        bytes: &mut Bytes,
    ) -> Result<Vec<&'a ImageGraph>> {
        let (wanted, unsettled) = self.wanted(images, plan).await?;
        let mut added = Vec::new();
        for (image, planned) in images.iter().zip(plan).filter(|(_, planned)| !todo(planned)) {
            bytes.skip(&self.job, image);
            if unsettled && matches!(planned, Planned::Skip) {
                // Named by a run that ended before it could ask.
                added.push(image);
            }
        }
        for one in &wanted {
            let own = one.own();
            let nodes = one.image.nodes().filter(|node| own.contains(&node.digest));
            self.job.parts.expect_nodes(&one.image.name(), nodes);
        }
        for mut wanted in wanted {
            let written = match wanted.broken.take() {
                Some(error) => Err(error),
                None => self.image(&wanted, bytes).await,
            };
            match written {
                Ok(()) => {
                    let (phase, item) = (Phase::Import, wanted.image.name());
                    self.job.arrived.note(&self.tool.target, &item);
                    self.job.ctx.say(Event::Done { phase, item, bytes: wanted.image.bytes() });
                    added.push(wanted.image);
                }
                Err(error) => outcomes[wanted.at] = self.job.failed(wanted.image, error)?,
            }
        }
        Ok(added)
    }

    /// What is to be written, noted in the journal, and whether that has images of a run of this boot that was cut off;
    /// what a power cut left is taken out first.
    async fn wanted<'a>(
        &self,
        images: &'a [ImageGraph],
        plan: &[Planned],
    ) -> Result<(Vec<Wanted<'a>>, bool)> {
        let todo: Vec<(usize, &ImageGraph)> =
            images.iter().enumerate().filter(|(at, _)| todo(&plan[*at])).collect();
        let (parts, graphs) =
            (self.parts(), todo.iter().map(|(_, image)| (*image).clone()).collect::<Vec<_>>());
        let (chosen, mut journal) = blocking(move || {
            let (job, place, _) = parts;
            let chosen = graphs.iter().map(|image| fit(&job, &place, image)).collect::<Result<Vec<_>>>()?;
            Ok((chosen, Journal::read(&*job.ctx.files, &place.directory)?))
        })
        .await?;
        let mut wanted: Vec<Wanted<'_>> = (todo.into_iter().zip(chosen))
            .map(|((at, image), chosen)| Wanted { at, image, chosen, known: false, broken: None })
            .collect();
        let unsettled = journal.is_unsettled();
        // What is taken out to be written anew is changed as well, and was there before.
        let mut before = self.note(&journal, &wanted).await?;
        self.mend(&journal, &mut wanted).await?;
        let parts = self.parts();
        let ids: Vec<_> = wanted.iter().map(|one| (one.id().to_owned(), one.image.name())).collect();
        let known = blocking(move || {
            let (job, place, _) = parts;
            let files = &*job.ctx.files;
            let records = place.records(files)?;
            let known: Vec<bool> = ids.iter().map(|(id, _)| records.with_id(id).is_some()).collect();
            let new = ids.into_iter().zip(&known).filter(|(_, known)| !**known).map(|((id, name), _)| {
                let was = before.remove(&id).unwrap_or_default();
                Coming { id, name, was }
            });
            journal.note(files, &place.directory, new)?;
            Ok(known)
        })
        .await?;
        wanted.iter_mut().zip(known).for_each(|(one, known)| one.known = known);
        Ok((wanted, unsettled))
    }

    /// Notes what is about to be put into the node's own store, with what that has of it; by id, the images that names of
    /// it led to before.
    async fn note(
        &self,
        journal: &Journal,
        wanted: &[Wanted<'_>],
    ) -> Result<HashMap<String, BTreeMap<String, String>>> {
        if self.place.target != Target::ContainersStorage(None) {
            return Ok(HashMap::new());
        }
        let (job, place, _) = self.parts();
        // What a run of this program left half is not what was there before it.
        let all = wanted.iter().map(|one| {
            let id = one.id().to_owned();
            (journal.has(&id), journal.was(&id), (id, names(one.image)))
        });
        let all: Vec<_> = all.collect();
        blocking(move || {
            let files = &*job.ctx.files;
            let (records, own) = (place.records(files)?, own_records(files, &place)?);
            let mut before: HashMap<String, BTreeMap<String, String>> = HashMap::new();
            let changes = all.into_iter().map(|(half, earlier, image)| {
                let known = !half && records.with_id(&image.0).is_some();
                let id = image.0.clone();
                let change = StoreChange::of(image, known, job.spec.node.root.clone(), &own, &earlier);
                before.entry(id).or_default().extend(change.was().clone());
                Noted::Stored(change)
            });
            let changes: Vec<Noted> = changes.collect();
            job.changes.note(&place.target, changes)?;
            Ok(before)
        })
        .await
    }

    pub(super) async fn stage(&self, wanted: &Wanted<'_>) -> Result<Vec<(PathBuf, u64)>> {
        let (store, graph, chosen) = (self.parts(), wanted.image.clone(), wanted.chosen.clone());
        blocking(move || {
            let (job, _, staging) = store;
            staging.stage(&job, &graph, &chosen)
        })
        .await
    }

    /// One image: brought, held against the bundle, and then alone named.
    async fn image(&self, wanted: &Wanted<'_>, bytes: &mut Bytes) -> Result<()> {
        let (image, chosen) = (wanted.image, &wanted.chosen);
        self.job.parts.begin(&image.name());
        let files = self.stage(wanted).await?;
        let fresh: Vec<_> = {
            let new = chosen.manifest.layers.iter().filter(|layer| !bytes.seen.contains(&layer.digest));
            let new: HashSet<String> = new.map(|layer| layer.digest.hex().to_owned()).collect();
            let is_new =
                |path: &Path| path.file_name().is_some_and(|name| new.contains(&*name.to_string_lossy()));
            files.into_iter().filter(|(path, _)| is_new(path)).collect()
        };
        let (name, before) = (image.name(), self.job.meter.done());
        let copy = wanted.copy(&name, &fresh);
        let (ctx, staging) = (&self.job.ctx, &self.staging);
        let coming: u64 = fresh.iter().map(|(_, size)| size).sum();
        let own = wanted.own();
        let whole: u64 = image.nodes().filter(|node| own.contains(&node.digest)).map(|node| node.size).sum();
        let there = whole.saturating_sub(coming);
        let reading = Reading { meter: &self.job.meter, parts: &self.job.parts, there };
        let brought = self.tool.bring(ctx, staging, &copy, Some(reading)).await;
        let counted = self.job.meter.done() - before;
        if let Err(error) = brought {
            self.job.meter.take_back(counted);
            return Err(self.cause(image, chosen, error).await);
        }
        if let Some(wrong) = self.wrong(wanted).await? {
            if !wanted.known
                && let Err(error) = self.tool.delete(ctx, staging, &copy, &[]).await
            {
                // That the image is wrong is the news.
                tracing::warn!("{name} stays in {}: {}", self.tool.target, error.message());
            }
            return Err(wrong);
        }
        self.job.parts.reach(&name, whole);
        for name in names(image) {
            self.tool.name(ctx, staging, &copy, &name).await?;
        }
        let rest = bytes.rest(image);
        bytes.written += rest;
        self.job.meter.add(rest.saturating_sub(counted));
        self.check_names(wanted).await
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

    /// How what the store recorded differs from what the bundle says, if it does.
    async fn wrong(&self, wanted: &Wanted<'_>) -> Result<Option<EngineError>> {
        let (store, graph, digest) =
            (self.parts(), wanted.image.clone(), wanted.chosen.manifest.config.digest.clone());
        let config = wanted.chosen.config(&self.job, wanted.image)?;
        blocking(move || {
            let (job, place, _) = store;
            let records = place.records(&*job.ctx.files)?;
            let Some(stored) = records.with_id(digest.hex()) else {
                return Ok(Some(altered(&place, digest.hex(), &graph, "nothing".to_owned())));
            };
            if !stored.has(&graph.image.digest) {
                return Ok(Some(altered(&place, digest.hex(), &graph, stored.digest().to_owned())));
            }
            let unpacked = records.diff_ids(stored);
            let said: Vec<String> = config.rootfs.diff_ids.iter().map(ToString::to_string).collect();
            let reason = format!("it says the layers unpack to {said:?}, they unpack to {unpacked:?}");
            Ok((unpacked != said).then(|| broken(&graph, &digest, reason)))
        })
        .await
    }

    /// That every name leads to it.
    async fn check_names(&self, wanted: &Wanted<'_>) -> Result<()> {
        let (store, graph, id) = (self.parts(), wanted.image.clone(), wanted.id().to_owned());
        blocking(move || {
            let (job, place, _) = store;
            let records = place.records(&*job.ctx.files)?;
            for name in names(&graph) {
                let stored = records.named(&name);
                if stored.is_none_or(|stored| stored.id != id) {
                    let actual = stored.map_or("nothing", |stored| stored.digest()).to_owned();
                    return Err(altered(&place, &name, &graph, actual));
                }
            }
            Ok(())
        })
        .await
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
            let files = &*job.ctx.files;
            staging.clear(files)?;
            Journal::read(files, &place.directory)?.settle(files, &place.directory)
        })
        .await
    }

    /// That podman, where it is there, lists every image of an additional store as one that cannot be changed; a note.
    ///
    /// # Errors
    /// [`ImportError::Altered`] where it does not.
    pub(super) async fn listed(&self, images: &[ImageGraph], outcomes: &[Outcome]) -> Result<Option<String>> {
        if !matches!(self.place.address, Address::Directory(_)) || !Program::Podman.is_there().await {
            return Ok(None);
        }
        let (files, store) = (Arc::clone(&self.job.ctx.files), self.place.directory.clone());
        let staging = blocking(move || Staging::create(&*files, &store, Program::Podman)).await?;
        let tool = Tool { program: Program::Podman, ..self.tool.clone() };
        let listed = tool.listed(&self.job.ctx, &staging).await;
        let files = Arc::clone(&self.job.ctx.files);
        blocking(move || staging.clear(&*files)).await?;
        let listed = listed?;
        let mut count = 0;
        for (image, _) in images.iter().zip(outcomes).filter(|(_, outcome)| outcome.arrived()) {
            for name in names(image) {
                match listed.get(&name) {
                    Some(true) => count += 1,
                    Some(false) => {
                        return Err(altered(&self.place, &name, image, "one to be changed".to_owned()));
                    }
                    // A name with a digest is listed by some versions only.
                    None if name.contains('@') => {}
                    None => return Err(altered(&self.place, &name, image, "nothing".to_owned())),
                }
            }
        }
        Ok(Some(format!(
            "podman, given this store, lists {count} of the names in it, each as read-only (R/O true); without that it does \
             once storage.conf names the store"
        )))
    }

    pub(super) fn parts(&self) -> (Job, Place, Arc<Staging>) {
        (self.job.clone(), self.place.clone(), Arc::clone(&self.staging))
    }
}

fn altered(place: &Place, name: &str, image: &ImageGraph, actual: String) -> EngineError {
    let (target, name, expected) = (place.target.to_string(), name.to_owned(), image.image.digest.clone());
    ImportError::Altered { target, name, expected, actual }.into()
}
