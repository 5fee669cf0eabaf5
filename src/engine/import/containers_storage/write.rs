//! One run over a store: all images staged, copied and held against the bundle, made durable, then named, and asked for as the readers will ask.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::held::altered;
use super::journal::{Coming, Journal};
use super::place::{Place, make_readable};
use super::process::Reading;
use super::staging::{Layers, Staging};
use super::tool::{Address, Copy, Program, Tool};
use super::undo::StoreChange;
use super::{fit, names, todo};
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::progress::{Event, Phase};
use crate::engine::blocking::blocking;
use crate::engine::ctx::{JobCtx, PauseSwitch};
use crate::engine::directory;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::files::Held;
use crate::engine::import::changes::Noted;
use crate::engine::import::error::ImportError;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::report::Outcome;
use crate::engine::import::single::Chosen;
use crate::engine::import::{Job, Planned};

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
    _held: Arc<Held>,
}

/// An image that is to be written, with what of it the store holds.
pub(super) struct Wanted<'a> {
    at: usize,
    pub(super) image: &'a ImageGraph,
    pub(super) chosen: Chosen,
    /// The digests of its unpacked layers, base first, as its configuration says.
    pub(super) layers: Vec<String>,
    /// What was noted of it for the node's own store.
    noted: Option<StoreChange>,
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

    /// What the journal is to know of it.
    fn coming(&self) -> Coming {
        let was = self.noted.as_ref().map(|change| change.was().clone()).unwrap_or_default();
        Coming { id: self.id().to_owned(), name: self.image.name(), was, layers: self.layers.clone() }
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
        Ok(Self { job: job.clone(), place, tool, staging: Arc::new(staging), _held: Arc::new(held) })
    }

    /// The same for what is gone through with although the job was asked to stop, or to stand still.
    fn unstopped(&self) -> Self {
        let (job, place, staging) = self.parts();
        let (cancel, pause) = (CancellationToken::new(), PauseSwitch::default());
        let job = Job { ctx: JobCtx { cancel, pause, ..job.ctx }, ..job };
        Self { job, place, tool: self.tool.clone(), staging, _held: Arc::clone(&self._held) }
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
        let (mut brought, mut ended) = (Vec::new(), Ok(()));
        for mut wanted in wanted {
            let written = match wanted.broken.take() {
                Some(error) => Err(error),
                None => self.bring(&wanted, bytes).await,
            };
            match written.map_err(|error| self.job.failed(wanted.image, error)) {
                Ok(()) => brought.push(wanted),
                Err(Ok(outcome)) => outcomes[wanted.at] = outcome,
                Err(Err(error)) => {
                    ended = Err(error);
                    break;
                }
            }
        }
        // What arrived before an error, or before the job was asked to stop, is kept: no later run need bring it.
        let named = self.unstopped().give(&brought, outcomes).await;
        ended?;
        added.extend(named?);
        Ok(added)
    }

    /// Gives the images that were brought their names, once all are on disk: no name leads to files that a power cut empties.
    async fn give<'a>(
        &self,
        brought: &[Wanted<'a>],
        outcomes: &mut [Outcome],
    ) -> Result<Vec<&'a ImageGraph>> {
        let mut added = Vec::new();
        if brought.is_empty() {
            return Ok(added);
        }
        let (job, place, _) = self.parts();
        let here = brought.iter().filter_map(|one| one.noted.clone());
        let here: Vec<Noted> = here.map(|change| Noted::Stored(change.brought())).collect();
        blocking(move || {
            job.ctx.files.sync_fs(&place.directory)?;
            job.changes.note(&place.target, here)
        })
        .await?;
        for wanted in brought {
            match self.name(wanted).await {
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
            let chosen = graphs.iter().map(|image| {
                let chosen = fit(&job, &place, image)?;
                let layers = chosen.config(&job, image)?.rootfs.diff_ids;
                Ok((chosen, layers.iter().map(ToString::to_string).collect::<Vec<_>>()))
            });
            let chosen = chosen.collect::<Result<Vec<_>>>()?;
            Ok((chosen, Journal::read(&*job.ctx.files, &place.directory)?))
        })
        .await?;
        let mut wanted: Vec<Wanted<'_>> = (todo.into_iter().zip(chosen))
            .map(|((at, image), (chosen, layers))| {
                let (noted, known, broken) = (None, false, None);
                Wanted { at, image, chosen, layers, noted, known, broken }
            })
            .collect();
        let unsettled = journal.is_unsettled();
        // What is taken out to be written anew is changed as well, and was there before.
        self.note(&journal, &mut wanted).await?;
        self.mend(&journal, &mut wanted).await?;
        let parts = self.parts();
        let ids: Vec<String> = wanted.iter().map(|one| one.id().to_owned()).collect();
        // What is refused stays what it was, as one that a power cut may have emptied.
        let coming = wanted.iter().filter(|one| one.broken.is_none()).map(Wanted::coming);
        let coming: Vec<Coming> = coming.collect();
        let known = blocking(move || {
            let (job, place, _) = parts;
            let files = &*job.ctx.files;
            let records = place.records(files)?;
            let known: Vec<bool> = ids.iter().map(|id| records.with_id(id).is_some()).collect();
            let new = coming.into_iter().filter(|one| records.with_id(&one.id).is_none());
            journal.note(files, &place.directory, new)?;
            Ok(known)
        })
        .await?;
        wanted.iter_mut().zip(known).for_each(|(one, known)| one.known = known);
        Ok((wanted, unsettled))
    }

    /// Notes what is about to be put into the node's own store, with what that has of it.
    async fn note(&self, journal: &Journal, wanted: &mut [Wanted<'_>]) -> Result<()> {
        if self.place.target != Target::ContainersStorage(None) {
            return Ok(());
        }
        let (job, place, _) = self.parts();
        // What a run of this program left half is not what was there before it.
        let all = wanted.iter().map(|one| {
            let id = one.id().to_owned();
            (journal.has(&id), journal.was(&id), (id, names(one.image)))
        });
        let all: Vec<_> = all.collect();
        let changes = blocking(move || {
            let files = &*job.ctx.files;
            let (records, own) = (place.records(files)?, place.own_records(files)?);
            let changes = all.into_iter().map(|(half, earlier, image)| {
                let known = !half && records.with_id(&image.0).is_some();
                let change = StoreChange::of(image, known, job.spec.node.root.clone(), &own, &earlier);
                // What that run brought may be there, and named.
                if half { change } else { change.announced() }
            });
            let changes: Vec<StoreChange> = changes.collect();
            job.changes.note(&place.target, changes.iter().cloned().map(Noted::Stored))?;
            Ok(changes)
        })
        .await?;
        wanted.iter_mut().zip(changes).for_each(|(one, change)| one.noted = Some(change));
        Ok(())
    }

    pub(super) async fn stage(&self, wanted: &Wanted<'_>, layers: Layers) -> Result<Vec<(PathBuf, u64)>> {
        let (store, graph, chosen) = (self.parts(), wanted.image.clone(), wanted.chosen.clone());
        blocking(move || {
            let (job, _, staging) = store;
            staging.stage((&job, layers), &graph, &chosen)
        })
        .await
    }

    /// One image: brought without a name, and held against the bundle.
    async fn bring(&self, wanted: &Wanted<'_>, bytes: &mut Bytes) -> Result<()> {
        let (image, chosen) = (wanted.image, &wanted.chosen);
        self.job.parts.begin(&image.name());
        let files = self.stage(wanted, Layers::All).await?;
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
        let rest = bytes.rest(image);
        bytes.written += rest;
        self.job.meter.add(rest.saturating_sub(counted));
        Ok(())
    }

    /// Its names, each leading to what is there.
    async fn name(&self, wanted: &Wanted<'_>) -> Result<()> {
        if self.tool.program == Program::Skopeo {
            // It names what it copies; the layers are there, and none is to be put together once more.
            self.stage(wanted, Layers::Whole).await?;
        }
        let named = match self.give_all(wanted).await {
            Err(error) if error.kind() != Kind::Interrupted && self.is_in_parts(wanted) => {
                tracing::info!("{} is named with all its layers: {}", wanted.image.name(), error.message());
                self.stage(wanted, Layers::All).await?;
                self.give_all(wanted).await
            }
            other => other,
        };
        named?;
        self.check_names(wanted).await
    }

    fn is_in_parts(&self, wanted: &Wanted<'_>) -> bool {
        let blobs = wanted.chosen.manifest.layers.iter().map(|layer| self.job.bundle.blob(&layer.digest));
        blobs.flatten().any(|blob| !blob.parts.is_empty())
    }

    async fn give_all(&self, wanted: &Wanted<'_>) -> Result<()> {
        let image = wanted.image.name();
        for name in names(wanted.image) {
            self.tool.name(&self.job.ctx, &self.staging, &wanted.copy(&image, &[]), &name).await?;
        }
        Ok(())
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
            let records = place.own_records(files)?;
            // No run may take what has no name yet for something that was there before.
            let nameless = |id: &str| records.with_id(id).is_some_and(|image| image.names.is_empty());
            Journal::read(files, &place.directory)?.settle(files, &place.directory, nameless)
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
