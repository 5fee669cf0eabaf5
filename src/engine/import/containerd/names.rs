//! The names of images in containerd: given when all is there and on disk, noted as changes, and taken back again.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Blob;
use super::pieces::Pieces;
use crate::domain::digest::Digest;
use crate::engine::error::{EngineError, Result};
use crate::engine::import::error::ImportError;
use crate::engine::runtime::containerd::images::Record;
use crate::engine::runtime::containerd::{Containerd, Labels};

/// What the CRI marks images with that are its own (containerd's `internal/cri/labels`).
const MANAGED: (&str, &str) = ("io.cri-containerd.image", "managed");
/// What keeps the kubelet's garbage collection away.
const PINNED: (&str, &str) = ("io.cri-containerd.pinned", "pinned");

/// A name that a run made or pointed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// The name.
    pub name: String,
    /// What it points at since.
    pub digest: Digest,
    /// What it pointed at before, if there was such a name.
    pub was: Option<Was>,
}

/// What a name pointed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Was {
    /// Digest of the manifest.
    pub digest: Digest,
    /// Its type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
}

/// All names of a containerd.
pub(super) type Records = HashMap<String, Record>;

/// Asks for all names.
pub(super) async fn records(daemon: &Containerd) -> Result<Records> {
    let records = daemon.records().await?;
    Ok(records.into_iter().map(|record| (record.name.clone(), record)).collect())
}

/// The labels of our names.
fn labels() -> Labels {
    BTreeMap::from([MANAGED, PINNED].map(|(key, value)| (key.to_owned(), value.to_owned())))
}

fn is_marked(record: &Record) -> bool {
    labels().iter().all(|(key, value)| record.labels.get(key) == Some(value))
}

/// What has a name of an image and is something else.
pub(super) fn taken<'a>(pieces: &Pieces, records: &'a Records) -> Option<&'a Record> {
    let others = pieces.names.iter().filter_map(|name| records.get(name));
    others.into_iter().find(|record| record.target.digest != pieces.top.digest)
}

/// Whether an image has all its names, marked as ours are.
pub(super) fn all_given(pieces: &Pieces, records: &Records) -> bool {
    let right = |name: &String| {
        records.get(name).is_some_and(|record| record.target.digest == pieces.top.digest && is_marked(record))
    };
    let ids = pieces.runs.iter().map(|run| run.config.to_string());
    pieces.names.iter().all(right) && ids.into_iter().all(|id| records.get(&id).is_some_and(is_marked))
}

/// Gives an image its names; the one by id first, as the CRI does, that with the tag last. All or none.
///
/// # Errors
/// As the daemon answers.
pub(super) async fn give(
    daemon: &Containerd,
    pieces: &Pieces,
    records: &Records,
    replace: bool,
) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let ids = pieces.runs.iter().map(|run| (run.config.to_string(), true));
    let names = pieces.names.iter().rev().map(|name| (name.clone(), false));
    for (name, is_id) in ids.chain(names) {
        match one(daemon, &pieces.top, (&name, is_id, replace), records.get(&name)).await {
            Ok(change) => changes.extend(change),
            Err(error) => {
                // What failed is the news; a name that cannot be taken back is told by the next run.
                let _ = take_back(daemon, &changes).await;
                return Err(error);
            }
        }
    }
    Ok(changes)
}

async fn one(
    daemon: &Containerd,
    top: &Blob,
    (name, is_id, replace): (&str, bool, bool),
    there: Option<&Record>,
) -> Result<Option<Change>> {
    let mut record = Record { name: name.to_owned(), labels: labels(), target: top.clone() };
    let change = |was| Some(Change { name: name.to_owned(), digest: top.digest.clone(), was });
    match there {
        Some(there) if there.target.digest == top.digest || is_id => {
            // An id may stand for the same image by another manifest; that stays.
            if !is_marked(there) {
                record.target = there.target.clone();
                daemon.update_record(&record).await?;
            }
            Ok(None)
        }
        // Somebody gave it to another image since this run looked first.
        Some(there) if !replace => Err(taken_since(daemon, name, there, top)),
        Some(there) => {
            daemon.update_record(&record).await?;
            let Blob { digest, media_type, size } = there.target.clone();
            Ok(change(Some(Was { digest, media_type, size })))
        }
        None => {
            match daemon.create_record(&record).await {
                // The CRI makes names by id by itself when it sees a new image.
                Err(error) if error.is_there_already() && is_id => daemon.update_record(&record).await?,
                Err(error) if error.is_there_already() => {
                    let now = records(daemon).await?;
                    let found = now.get(name).ok_or(error)?;
                    return Box::pin(one(daemon, top, (name, is_id, replace), Some(found))).await;
                }
                other => other?,
            }
            Ok(change(None))
        }
    }
}

fn taken_since(daemon: &Containerd, name: &str, there: &Record, top: &Blob) -> EngineError {
    ImportError::Conflict {
        target: format!("containerd:{}", daemon.path().display()),
        name: name.to_owned(),
        existing: there.target.digest.to_string(),
        digest: top.digest.clone(),
    }
    .into()
}

/// What became of changes that were to be taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoReport {
    /// Names that are gone.
    pub removed: Vec<String>,
    /// Names that point at what they did before.
    pub restored: Vec<String>,
    /// Names that stay as they are, each with the reason.
    pub kept: Vec<String>,
}

/// Takes changes back, the last one first.
///
/// # Errors
/// As the daemon answers.
pub(super) async fn take_back(daemon: &Containerd, changes: &[Change]) -> Result<UndoReport> {
    let (there, blobs) = (records(daemon).await?, daemon.blobs().await?);
    let mut report = UndoReport::default();
    for change in changes.iter().rev() {
        let name = change.name.clone();
        match (there.get(&name), &change.was) {
            (None, _) => report.kept.push(format!("{name} is gone already")),
            (Some(now), _) if now.target.digest != change.digest => {
                report.kept.push(format!("{name} was pointed at {} since", now.target.digest));
            }
            (Some(_), None) => {
                daemon.remove_record(&name, false).await?;
                report.removed.push(name);
            }
            (Some(_), Some(was)) if !blobs.contains_key(&was.digest.to_string()) => {
                report.kept.push(format!("{name}: {}, which it was before, is no longer there", was.digest));
            }
            (Some(now), Some(was)) => {
                let target =
                    Blob { digest: was.digest.clone(), media_type: was.media_type.clone(), size: was.size };
                daemon.update_record(&Record { target, ..now.clone() }).await?;
                report.restored.push(name);
            }
        }
    }
    Ok(report)
}
