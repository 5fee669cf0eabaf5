//! Takes back what a run put into the node's own store: an image that it brought goes, unless it has other names by now or a container uses it.
//!
//! An additional store keeps its images: whoever writes there cannot know which containers of the node use them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::process::last_words;
use super::staging::Staging;
use super::tool::{Copy, Program, Tool};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::Result;
use crate::engine::import::containerd::names::UndoReport;
use crate::engine::import::error::ImportError;
use crate::engine::storage::store::Records;

/// An image that a run is about to put into the node's own store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::engine::import) struct StoreChange {
    /// Hex of its configuration's digest.
    pub(super) id: String,
    /// The names that it gets.
    pub(in crate::engine::import) names: Vec<String>,
    /// Whether a store of the node had it before, under other names or not whole.
    pub(super) known: bool,
    /// The root directory of the node.
    pub(super) root: PathBuf,
}

impl StoreChange {
    /// Its names, in words.
    fn words(&self) -> String {
        self.names.join(", ")
    }
}

/// One change for each image: two of a bundle may be one in a store.
fn gathered(changes: &[StoreChange]) -> Vec<StoreChange> {
    let mut all: Vec<StoreChange> = Vec::new();
    for change in changes {
        match all.iter_mut().find(|one| one.id == change.id) {
            Some(one) => one.names.extend(change.names.iter().cloned()),
            None => all.push(change.clone()),
        }
    }
    all
}

/// Takes out what the run brought; without `write` it is only said what would become of it.
///
/// # Errors
/// No store or no program to write it with, [`ImportError::Locked`], a file error, or that the job was asked to stop.
pub(in crate::engine::import) async fn take_back(
    changes: &[StoreChange],
    write: bool,
    ctx: &JobCtx,
) -> Result<UndoReport> {
    let mut report = UndoReport::default();
    let changes = gathered(changes);
    let Some(first) = changes.first() else { return Ok(report) };
    let (files, root) = (ctx.files.clone(), first.root.clone());
    let (place, records) = blocking(move || {
        let place = Place::of(&*files, &root, None)?;
        let mut records = Records::default();
        records.add(&*files, &place.directory)?;
        Ok((place, records))
    })
    .await?;
    let mut brought = Vec::new();
    for change in &changes {
        let Some(stored) = records.with_id(&change.id) else {
            report.untouched.extend(change.names.iter().cloned());
            continue;
        };
        let others: Vec<&str> =
            stored.names.iter().filter(|name| !change.names.contains(name)).map(String::as_str).collect();
        match (change.known, others.is_empty()) {
            (true, _) => report.kept.push(format!(
                "{}: the image was there before this run; podman untag takes a name away by itself",
                change.words()
            )),
            (false, false) => report.kept.push(format!(
                "{}: the image has other names by now ({}); podman untag takes a name away by itself",
                change.words(),
                others.join(", ")
            )),
            (false, true) => brought.push(change),
        }
    }
    if brought.is_empty() || !write {
        report.removed.extend(brought.iter().flat_map(|change| change.names.iter().cloned()));
        return Ok(report);
    }
    remove(&place, &brought, &mut report, ctx).await?;
    Ok(report)
}

async fn remove(
    place: &Place,
    brought: &[&StoreChange],
    report: &mut UndoReport,
    ctx: &JobCtx,
) -> Result<()> {
    let target = place.target.to_string();
    let program = Program::find(&target).await?;
    let (files, store) = (ctx.files.clone(), place.directory.clone());
    let (staging, _held) = blocking(move || {
        let locked = || ImportError::Locked { path: store.clone() };
        let held = directory::hold(&*files, &store)?.ok_or_else(locked)?;
        Ok((Staging::create(&*files, &store, program)?, held))
    })
    .await?;
    let tool = Tool { program, address: place.address.clone(), target };
    let mut ended = Ok(());
    for change in brought {
        let name = change.words();
        let copy = Copy { image: &name, id: &change.id, platform: None, files: &[] };
        match tool.deleted(ctx, &staging, &copy).await {
            Ok(done) if done.success => report.removed.extend(change.names.iter().cloned()),
            Ok(done) => report.kept.push(format!("{name}: {}: {}", program.name(), last_words(&done.words))),
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    let files = ctx.files.clone();
    blocking(move || staging.clear(&*files)).await?;
    ended
}
