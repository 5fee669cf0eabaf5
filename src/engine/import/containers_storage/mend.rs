//! What a power cut left in a store, records without the files behind them, is taken out, so that it is written whole.

use std::collections::{HashMap, HashSet};

use super::error::StorageError;
use super::journal::{Hollow, Journal};
use super::staging::Layers;
use super::tool::Address;
use super::write::{Store, Wanted};
use super::{names, names_of};
use crate::domain::bundle::Image;
use crate::domain::shell::shell_words;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Kind, Result};

/// What an image lacks that was on its way.
const HOLLOW: &str = "what the machine took with it when it went down";

/// Whether podman named it so for a run that was cut off: after the directory that it was staged in.
pub(super) fn is_staged(name: &str) -> bool {
    name.starts_with("localhost/") && name.contains("/airlift-import-") && name.ends_with("/layout:latest")
}

impl Store {
    /// Takes out what the store has of these images by its records alone; each that cannot be, as where a container or
    /// another image uses it, gets [`StorageError::Damaged`].
    ///
    /// # Errors
    /// A file error.
    pub(super) async fn mend(&self, journal: &Journal, wanted: &mut [Wanted<'_>]) -> Result<()> {
        let (lacking, mut out) = (self.lacking(wanted).await?, HashSet::new());
        let others = self.others(wanted).await?;
        for (one, lacks) in wanted.iter_mut().zip(lacking) {
            let others = others.get(one.id()).filter(|_| lacks.is_some() || journal.is_hollow(one.id()));
            let mended = match lacks {
                lacks if let Some(others) = others => {
                    let (image, target) = (one.image.name(), self.tool.target.clone());
                    let lacks = lacks.unwrap_or_else(|| HOLLOW.to_owned());
                    let way = self.way(one, others);
                    Err(StorageError::Shared { image, target, lacks, others: others.clone(), way }.into())
                }
                _ if journal.is_hollow(one.id()) => self.hollow(one).await,
                // Two images of one configuration are one in the store.
                Some(lacks) if out.insert(one.id().to_owned()) => self.take_out(one).await.map_err(|error| {
                    let lacks = |why| format!("{lacks}, and it cannot be taken out: {why}");
                    self.damaged(one, error, lacks)
                }),
                _ => Ok(()),
            };
            one.broken = mended.err();
        }
        self.refuse_hollow(journal, wanted).await?;
        let lost = self.lost(wanted).await?;
        for (one, lacks) in wanted.iter_mut().zip(lost) {
            if let (None, Some(lacks)) = (&one.broken, lacks) {
                // Images that are not among these have it, too.
                let (image, target) = (one.image.name(), self.tool.target.clone());
                one.broken = Some(StorageError::Damaged { image, target, lacks }.into());
            }
        }
        Ok(())
    }

    /// Per image, what is missing of the layers that it would be put on.
    async fn lost(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>> {
        let (job, place, _) = self.parts();
        let wanted: Vec<Vec<String>> = wanted.iter().map(|one| one.layers.clone()).collect();
        blocking(move || {
            let files = &*job.ctx.files;
            let records = place.records(files)?;
            wanted.iter().map(|layers| records.lacks_below(files, layers)).collect()
        })
        .await
    }

    /// Refuses what would be put on layers of images that were on their way when the machine went down, and that this run
    /// has not taken out: their directories are there, and may be empty.
    async fn refuse_hollow(&self, journal: &Journal, wanted: &mut [Wanted<'_>]) -> Result<()> {
        let out: Vec<&str> = wanted.iter().filter(|one| one.broken.is_none()).map(Wanted::id).collect();
        let hollow = journal.hollow_but(&out);
        if hollow.is_empty() {
            return Ok(());
        }
        let (job, place, _) = self.parts();
        let records = blocking(move || place.records(&*job.ctx.files)).await?;
        for one in wanted.iter_mut().filter(|one| one.broken.is_none()) {
            let shares = |other: &&Hollow| {
                let same = one.layers.iter().zip(&other.layers).take_while(|(one, other)| one == other);
                same.count() > 0 && records.has_layers(&one.layers[..1])
            };
            let others: Vec<&Hollow> = hollow.iter().filter(shares).collect();
            if others.is_empty() {
                continue;
            }
            let names: Vec<String> = others.iter().map(|other| other.name.clone()).collect();
            let way = match self.only(&names) {
                Some(only) => format!("the same command with {only} beside it writes those anew, too"),
                None => {
                    let ids: Vec<&str> = others.iter().filter_map(|other| other.id.get(..12)).collect();
                    let rmi = format!("podman {}rmi --force {}", self.root(), ids.join(" "));
                    format!(
                        "import those again from the bundle that has them, or take them out with {rmi}, before this one"
                    )
                }
            };
            let (image, target) = (one.image.name(), self.tool.target.clone());
            one.broken = Some(StorageError::Hollow { image, target, others: names, way }.into());
        }
        Ok(())
    }

    /// How images of these names are named on the command line, where the bundle has all of them.
    fn only(&self, names: &[String]) -> Option<String> {
        let carried = &self.job.bundle.document().images;
        let carrying = |name: &String| {
            let has = |image: &&Image| image.reference.to_string() == *name || names_of(image).contains(name);
            carried.iter().find(has)
        };
        let only = names.iter().map(|name| Some(format!("--only {}", carrying(name)?.reference)));
        let mut only = only.collect::<Option<Vec<String>>>()?;
        only.dedup();
        Some(only.join(" "))
    }

    /// What podman is told of the store with, and a blank, where it is another than its own.
    fn root(&self) -> String {
        match &self.tool.address {
            Address::Default => String::new(),
            Address::Directory(store) => {
                format!("{} ", shell_words(&["--root".to_owned(), store.display().to_string()]))
            }
        }
    }

    /// What to type so that an image is written anew and keeps names that this run does not give.
    fn way(&self, wanted: &Wanted<'_>, others: &[String]) -> String {
        if let Some(only) = self.only(others) {
            return format!(
                "the bundle has those, too: the same command with {only} beside it writes it once, for all names"
            );
        }
        let root = self.root();
        let (id, name, others) = (&wanted.id()[..12], wanted.image.name(), shell_words(others));
        format!(
            "those would go with it: podman {root}untag {id} {others}, then the same command, then podman {root}tag \
             {name} {others}"
        )
    }

    /// By id, the names of images that this run does not give them: with the image those would be gone.
    async fn others(&self, wanted: &[Wanted<'_>]) -> Result<HashMap<String, Vec<String>>> {
        let mut given: HashMap<String, Vec<String>> = HashMap::new();
        for one in wanted {
            given.entry(one.id().to_owned()).or_default().extend(names(one.image));
        }
        let (job, place, _) = self.parts();
        blocking(move || {
            let records = place.records(&*job.ctx.files)?;
            let others = |(id, given): (String, Vec<String>)| {
                let stored = records.with_id(&id)?.names.iter();
                let others: Vec<String> =
                    stored.filter(|name| !given.contains(name) && !is_staged(name)).cloned().collect();
                (!others.is_empty()).then_some((id, others))
            };
            Ok(given.into_iter().filter_map(others).collect())
        })
        .await
    }

    /// Per image, what is missing of the one with its id, if there is one.
    async fn lacking(&self, wanted: &[Wanted<'_>]) -> Result<Vec<Option<String>>> {
        let ids: Vec<String> = wanted.iter().map(|one| one.id().to_owned()).collect();
        let (job, place, _) = self.parts();
        blocking(move || {
            let files = &*job.ctx.files;
            let records = place.records(files)?;
            let lacks =
                |id: &String| records.with_id(id).map_or(Ok(None), |stored| records.lacks(files, stored));
            ids.iter().map(lacks).collect()
        })
        .await
    }

    /// Takes out an image that was on its way: its layers may be there without an image above them, and there would be no
    /// way to those, so that it is completed first.
    async fn hollow(&self, wanted: &Wanted<'_>) -> Result<()> {
        tracing::info!("{} is written anew: the machine went down while it was", wanted.image.name());
        self.stage(wanted, Layers::All).await?;
        let name = wanted.image.name();
        let brought = self.tool.bring(&self.job.ctx, &self.staging, &wanted.copy(&name, &[]), None).await;
        let mended = match brought {
            Ok(()) => self.take_out(wanted).await,
            other => other,
        };
        let lacks = |why: String| format!("{HOLLOW} ({why})");
        mended.map_err(|error| self.damaged(wanted, error, lacks))
    }

    async fn take_out(&self, wanted: &Wanted<'_>) -> Result<()> {
        let (name, id) = (wanted.image.name(), wanted.id().to_owned());
        let (job, place, _) = self.parts();
        let all = blocking(move || {
            let records = place.records(&*job.ctx.files)?;
            Ok(records.with_id(&id).map(|stored| stored.names.clone()).unwrap_or_default())
        })
        .await?;
        self.tool.delete(&self.job.ctx, &self.staging, &wanted.copy(&name, &[]), &all).await
    }

    fn damaged(
        &self,
        wanted: &Wanted<'_>,
        error: EngineError,
        lacks: impl Fn(String) -> String,
    ) -> EngineError {
        match error.kind() {
            Kind::Interrupted | Kind::Space => error,
            _ => {
                let (image, target) = (wanted.image.name(), self.tool.target.clone());
                StorageError::Damaged { image, target, lacks: lacks(error.message()) }.into()
            }
        }
    }
}
