//! The names of images in containerd: given when all is there and on disk, noted as changes, and taken back again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Blob;
use super::pieces::Pieces;
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Result};
use crate::engine::import::changes::{Changes, Noted};
use crate::engine::import::error::ImportError;
use crate::engine::runtime::containerd::images::Record;
use crate::engine::runtime::containerd::{Containerd, Labels};
use crate::engine::stays::Stays;

/// What the CRI marks images with that are its own (containerd's `internal/cri/labels`).
const MANAGED: (&str, &str) = ("io.cri-containerd.image", "managed");
/// What keeps the kubelet's garbage collection away.
const PINNED: (&str, &str) = ("io.cri-containerd.pinned", "pinned");

/// What a name by id begins with.
const ID: &str = "sha256:";

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
    /// Which of the labels that an import sets it had; nothing where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
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

/// What is written for a name.
enum Step {
    Create(Record),
    Update(Record),
}

/// What is to be done for a name, and how it is undone; nothing where all is right already.
fn step((name, is_id): (&str, bool), top: &Blob, there: Option<&Record>) -> Option<(Step, Change)> {
    let change = |digest: &Digest, was| Change { name: name.to_owned(), digest: digest.clone(), was };
    let record = |target: &Blob| Record { name: name.to_owned(), labels: labels(), target: target.clone() };
    match there {
        None => Some((Step::Create(record(top)), change(&top.digest, None))),
        Some(there) => {
            // An id may stand for the same image by another manifest; that stays.
            let same = there.target.digest == top.digest || is_id;
            let target = if same { &there.target } else { top };
            let was = Some(Was::from(there));
            (!same || !is_marked(there)).then(|| (Step::Update(record(target)), change(&target.digest, was)))
        }
    }
}

impl From<&Record> for Was {
    fn from(there: &Record) -> Self {
        let Blob { digest, media_type, size } = there.target.clone();
        let own = labels().into_keys().filter_map(|key| Some((key.clone(), there.labels.get(&key)?.clone())));
        Self { digest, media_type, size, labels: Some(own.collect()) }
    }
}

/// The names of an image in the order in which they are given: those by id first, as the CRI does, that with the tag last.
pub(super) fn in_order(pieces: &Pieces) -> impl Iterator<Item = (String, bool)> {
    let ids = pieces.runs.iter().map(|run| (run.config.to_string(), true));
    ids.chain(pieces.names.iter().rev().map(|name| (name.clone(), false)))
}

/// Gives names, each noted before it is given.
pub(super) struct Giver<'a> {
    pub(super) daemon: &'a Containerd,
    pub(super) changes: &'a Arc<Changes>,
    pub(super) target: &'a Target,
    /// Whether a name that is something else's is taken over.
    pub(super) replace: bool,
}

impl Giver<'_> {
    /// Notes what is going to be done for all of these images, in one go.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) async fn announce(&self, images: &[&Pieces], records: &Records) -> Result<()> {
        let steps = images.iter().flat_map(|pieces| {
            in_order(pieces).filter_map(|(name, is_id)| {
                step((&name, is_id), &pieces.top, records.get(&name)).map(|(_, change)| change)
            })
        });
        self.note(steps.collect()).await
    }

    async fn note(&self, changes: Vec<Change>) -> Result<()> {
        let (to, target) = (Arc::clone(self.changes), self.target.clone());
        blocking(move || to.note(&target, changes.into_iter().map(Noted::Change))).await
    }

    /// Gives an image its names. All or none.
    ///
    /// # Errors
    /// As the daemon answers.
    pub(super) async fn give(&self, pieces: &Pieces, records: &Records) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for (name, is_id) in in_order(pieces) {
            match self.one(&pieces.top, (&name, is_id), records.get(&name)).await {
                Ok(change) => changes.extend(change),
                Err(error) => {
                    // What failed is the news; a name that cannot be taken back is told by the next run.
                    let _ = take_back(self.daemon, &changes, false).await;
                    return Err(error);
                }
            }
        }
        Ok(changes)
    }

    async fn one(
        &self,
        top: &Blob,
        (name, is_id): (&str, bool),
        there: Option<&Record>,
    ) -> Result<Option<Change>> {
        let Some((step, change)) = step((name, is_id), top, there) else { return Ok(None) };
        if let Some(there) = there.filter(|there| !self.replace && there.target.digest != change.digest) {
            // Somebody gave it to another image since this run looked first.
            return Err(taken_since(self.daemon, name, there, top));
        }
        self.note(vec![change.clone()]).await?;
        match step {
            Step::Update(record) => self.daemon.update_record(&record).await?,
            Step::Create(record) => match self.daemon.create_record(&record).await {
                // The CRI makes names by id by itself when it sees a new image.
                Err(error) if error.is_there_already() && is_id => self.daemon.update_record(&record).await?,
                Err(error) if error.is_there_already() => {
                    let now = records(self.daemon).await?;
                    let found = now.get(name).ok_or(error)?;
                    return Box::pin(self.one(top, (name, is_id), Some(found))).await;
                }
                other => other?,
            },
        }
        Ok(Some(change))
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
    /// Names that are what they were before, pins and all.
    pub restored: Vec<String>,
    /// Names that stay as they are, each with the reason.
    pub kept: Vec<Stays>,
    /// Names that are as they were: the run ended before it came to them, or they were taken back already.
    pub untouched: Vec<String>,
    /// The same of names that are not there.
    pub absent: Vec<String>,
    /// Names and paths that the run changed nothing of, and counts on no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<String>,
}

impl UndoReport {
    /// Whether there was nothing to do, and nothing keeps it from being done.
    pub const fn is_idle(&self) -> bool {
        self.removed.is_empty() && self.restored.is_empty() && self.kept.is_empty()
    }
}

/// What is done to take a change back.
enum Back {
    Remove,
    Restore(Record),
    /// All is as it was.
    Nothing,
    /// The reason.
    Keep(String),
}

/// Where a change leads from what is there now.
fn back(change: &Change, now: Option<&Record>, blobs: &HashMap<String, u64>) -> Back {
    let Change { name, digest, was } = change;
    match (now, was) {
        (None, None) => Back::Nothing,
        (None, Some(_)) => Back::Keep(format!("{name} is gone already")),
        (Some(now), Some(was)) if was.is(now) => Back::Nothing,
        // A change is noted before it is made: without the labels that it sets, it was not made, or was undone since.
        (Some(now), was) if now.target.digest == *digest && !is_marked(now) => match was {
            // The CRI makes names by id by itself.
            None if name.starts_with(ID) => Back::Nothing,
            _ => Back::Keep(format!(
                "{name}: it has not the pin that this run gives: another client gave that name, or took the pin away"
            )),
        },
        (Some(now), None) if now.target.digest == *digest => Back::Remove,
        (Some(now), Some(was)) if now.target.digest == *digest => {
            if !blobs.contains_key(&was.digest.to_string()) {
                return Back::Keep(format!(
                    "{name}: {}, which it was before, is no longer there",
                    was.digest
                ));
            }
            // A label without a value is taken away.
            let empty = || labels().into_keys().map(|key| (key, String::new()));
            let labels = was.labels.as_ref().map(|were| empty().chain(were.clone()).collect());
            let (digest, media_type, size) = (was.digest.clone(), was.media_type.clone(), was.size);
            let target = Blob { digest, media_type, size };
            Back::Restore(Record { name: name.clone(), labels: labels.unwrap_or_default(), target })
        }
        (Some(now), _) => Back::Keep(format!("{name} was pointed at {} since", now.target.digest)),
    }
}

impl Was {
    /// Whether a name is this again.
    fn is(&self, now: &Record) -> bool {
        let labels = Self::from(now).labels;
        self.digest == now.target.digest && (self.labels.is_none() || self.labels == labels)
    }
}

/// Takes changes back, the last one first.
///
/// # Errors
/// As the daemon answers.
pub(super) async fn take_back(daemon: &Containerd, changes: &[Change], dry_run: bool) -> Result<UndoReport> {
    let (mut there, blobs) = (records(daemon).await?, daemon.blobs().await?);
    let mut report = UndoReport::default();
    for change in changes.iter().rev() {
        let name = change.name.clone();
        match back(change, there.get(&name), &blobs) {
            Back::Nothing if there.contains_key(&name) => report.untouched.push(name),
            Back::Nothing => report.absent.push(name),
            Back::Keep(reason) => report.kept.push(Stays::new([name], reason)),
            Back::Remove => {
                if !dry_run {
                    daemon.remove_record(&name, false).await?;
                }
                there.remove(&name);
                report.removed.push(name);
            }
            Back::Restore(record) => {
                if !dry_run {
                    daemon.update_record(&record).await?;
                }
                there.insert(name.clone(), record);
                report.restored.push(name);
            }
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(n: u8) -> Blob {
        Blob { media_type: "m".to_owned(), digest: Digest::sha256(&[n; 32]), size: 1 }
    }

    fn record(n: u8, labels: Labels) -> Record {
        Record { name: "a:1".to_owned(), labels, target: blob(n) }
    }

    fn said(back: &Back) -> &'static str {
        match back {
            Back::Remove => "remove",
            Back::Restore(_) => "restore",
            Back::Nothing => "nothing",
            Back::Keep(_) => "keep",
        }
    }

    #[test]
    fn a_change_is_taken_back_only_from_what_it_made_and_one_that_was_not_made_is_none() {
        let marked = || record(1, labels());
        let bare = || record(1, Labels::new());
        let other = || record(2, Labels::from([(PINNED.0.to_owned(), "pinned".to_owned())]));
        let blobs: HashMap<String, u64> = [1, 2].map(|n| (blob(n).digest.to_string(), 1)).into();
        let step = |there: Option<&Record>| step(("a:1", false), &blob(1), there).map(|(_, change)| change);
        assert_eq!(step(Some(&marked())), None);
        let [made, named, pointed] =
            [None, Some(bare()), Some(other())].map(|there| step(there.as_ref()).unwrap());
        // As the CRI leaves what the kubelet pulls.
        let managed = || Labels::from([(MANAGED.0.to_owned(), MANAGED.1.to_owned())]);
        let by_id = Change { name: blob(1).digest.to_string(), ..made.clone() };
        for (change, now, what) in [
            (&made, Some(marked()), "remove"),
            (&made, None, "nothing"),
            (&made, Some(bare()), "keep"),
            (&made, Some(record(1, managed())), "keep"),
            (&by_id, Some(record(1, managed())), "nothing"),
            (&by_id, Some(marked()), "remove"),
            (&pointed, Some(record(1, managed())), "keep"),
            (&made, Some(other()), "keep"),
            (&named, Some(marked()), "restore"),
            (&named, Some(bare()), "nothing"),
            (&named, None, "keep"),
            (&named, Some(other()), "keep"),
            (&pointed, Some(marked()), "restore"),
            (&pointed, Some(other()), "nothing"),
            (&pointed, Some(record(3, labels())), "keep"),
        ] {
            assert_eq!(said(&back(change, now.as_ref(), &blobs)), what, "{change:?} {now:?}");
        }
        let Back::Restore(record) = back(&pointed, Some(&marked()), &blobs) else { panic!() };
        assert_eq!(record.labels[MANAGED.0], "", "what it did not have is taken away");
        assert_eq!(record.labels[PINNED.0], "pinned");
        assert_eq!(
            said(&back(&pointed, Some(&marked()), &HashMap::new())),
            "keep",
            "there is nothing to point at"
        );
    }

    #[test]
    fn a_report_that_knows_no_labels_is_read_and_leaves_them_alone() {
        let text = format!(
            "{{\"name\":\"a:1\",\"digest\":\"{}\",\"was\":{{\"digest\":\"{}\",\"mediaType\":\"m\",\"size\":1}}}}",
            blob(1).digest,
            blob(2).digest
        );
        let change: Change = serde_json::from_str(&text).unwrap();
        let blobs = HashMap::from([(blob(2).digest.to_string(), 1)]);
        let Back::Restore(record) = back(&change, Some(&record(1, labels())), &blobs) else { panic!() };
        assert_eq!(record.labels, Labels::new());
    }
}
