//! Files of the node that name an additional store: what is changed in them, and changed.

use std::path::Path;
use std::sync::Arc;

use super::super::Job;
use super::super::changes::Noted;
use crate::domain::import::Target;
use crate::engine::blocking::blocking;
use crate::engine::error::Result;
use crate::engine::storage::change::{self, ConfMode, FileChange, FileState};

/// Changes files of the node, each noted before, so that it can be taken back however the run ends.
pub(super) async fn edit(job: &Job, directory: &Path, changes: Vec<FileChange>) -> Result<Vec<FileChange>> {
    let (files, noted) = (Arc::clone(&job.ctx.files), Arc::clone(&job.changes));
    let target = Target::ContainersStorage(Some(directory.to_owned()));
    blocking(move || {
        noted.note(&target, changes.iter().cloned().map(Noted::File))?;
        change::apply(&*files, &changes)?;
        changes.into_iter().map(|change| change.made(&*files)).collect()
    })
    .await
}

/// What is changed of the node, or would be.
pub(in crate::engine::import) async fn changes(
    job: &Job,
    directory: &Path,
) -> Result<(Vec<FileChange>, Vec<String>)> {
    if job.spec.node.storage_conf == ConfMode::None {
        return Ok((Vec::new(), Vec::new()));
    }
    let only_shown = job.spec.node.storage_conf == ConfMode::Print;
    let (job, directory) = (job.clone(), directory.to_owned());
    let (mut changes, notes) =
        blocking(move || change::plan(&*job.ctx.files, &job.spec.node, &directory)).await?;
    if only_shown {
        changes.iter_mut().for_each(|change| change.state = FileState::Shown);
    }
    Ok((changes, notes))
}
