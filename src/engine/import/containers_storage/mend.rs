//! What a power cut left in a store, records without the files behind them, is taken out, so that it is written whole.

use std::collections::HashSet;

use super::error::StorageError;
use super::journal::Journal;
use super::write::{Store, Wanted};
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::single::Chosen;

impl Store {
    /// Takes out what the store has of these images by its records alone; each that cannot be, as where a container or
    /// another image uses it, gets [`StorageError::Damaged`].
    ///
    /// # Errors
    /// A file error.
    pub(super) async fn mend(&self, journal: &Journal, wanted: &mut [Wanted<'_>]) -> Result<()> {
        let (lacking, mut out) = (self.lacking(wanted).await?, HashSet::new());
        for (one, lacks) in wanted.iter_mut().zip(lacking) {
            let mended = match lacks {
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
        let wanted: Vec<_> = wanted.iter().map(|one| (one.image.clone(), one.chosen.clone())).collect();
        blocking(move || {
            let files = &*job.ctx.files;
            let records = place.records(files)?;
            let lacks = |(image, chosen): &(ImageGraph, Chosen)| {
                let diff_ids = chosen.config(&job, image)?.rootfs.diff_ids;
                let diff_ids: Vec<String> = diff_ids.iter().map(ToString::to_string).collect();
                records.lacks_below(files, &diff_ids)
            };
            wanted.iter().map(lacks).collect()
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
        self.stage(wanted).await?;
        let name = wanted.image.name();
        let brought = self.tool.bring(&self.job.ctx, &self.staging, &wanted.copy(&name, &[]), None).await;
        let mended = match brought {
            Ok(()) => self.take_out(wanted).await,
            other => other,
        };
        let lacks = |why: String| format!("what the machine took with it when it went down ({why})");
        mended.map_err(|error| self.damaged(wanted, error, lacks))
    }

    async fn take_out(&self, wanted: &Wanted<'_>) -> Result<()> {
        let name = wanted.image.name();
        self.tool.delete(&self.job.ctx, &self.staging, &wanted.copy(&name, &[])).await
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
