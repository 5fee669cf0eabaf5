//! What a program put into a store, held against the bundle: what the store recorded of an image, and where its names lead.

use std::collections::HashSet;

use super::names;
use super::place::{Place, refuse_driver};
use super::write::{Store, Wanted};
use crate::domain::digest::Digest;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Kind, Result};
use crate::engine::import::error::ImportError;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::oci_archive;
use crate::engine::import::single::{Chosen, broken};

impl Store {
    /// What was really wrong, where a copy failed: bytes on the medium that are not what was signed come first.
    pub(super) async fn cause(&self, image: &ImageGraph, chosen: &Chosen, error: EngineError) -> EngineError {
        if error.kind() == Kind::Interrupted {
            return error;
        }
        let (job, mut graph) = (self.job.clone(), image.clone());
        let layers: HashSet<&Digest> = chosen.manifest.layers.iter().map(|layer| &layer.digest).collect();
        graph.blobs.retain(|node| layers.contains(&node.digest));
        match blocking(move || oci_archive::whole(&job, &graph, None)).await {
            Err(damaged) => damaged,
            Ok(()) => error,
        }
    }

    /// How what the store recorded differs from what the bundle says, if it does.
    pub(super) async fn wrong(&self, wanted: &Wanted<'_>) -> Result<Option<EngineError>> {
        let (store, graph, digest) =
            (self.parts(), wanted.image.clone(), wanted.chosen.manifest.config.digest.clone());
        let said = wanted.layers.clone();
        blocking(move || {
            let (job, place, _) = store;
            let records = place.records(&*job.ctx.files)?;
            let Some(stored) = records.with_id(digest.hex()) else {
                refuse_driver(&*job.ctx.files, &place.directory)?;
                return Ok(Some(altered(&place, digest.hex(), &graph, "nothing".to_owned())));
            };
            if !stored.has(&graph.image.digest) {
                return Ok(Some(altered(&place, digest.hex(), &graph, stored.digest().to_owned())));
            }
            let unpacked = records.diff_ids(stored);
            let reason = format!("it says the layers unpack to {said:?}, they unpack to {unpacked:?}");
            Ok((unpacked != said).then(|| broken(&graph, &digest, reason)))
        })
        .await
    }

    /// That every name leads to it.
    pub(super) async fn check_names(&self, wanted: &Wanted<'_>) -> Result<()> {
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
}

pub(super) fn altered(place: &Place, name: &str, image: &ImageGraph, actual: String) -> EngineError {
    let (target, name, expected) = (place.target.to_string(), name.to_owned(), image.image.digest.clone());
    ImportError::Altered { target, name, expected, actual }.into()
}
