//! Packs that were cut off: what they were about and how far they came by their journals, or by a document that was never signed; a hint, nothing of it is proof.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::begun::is_blob;
use super::read::document_bytes;
use super::workdir::{self, Found};
use crate::domain::bundle::{BundleManifest, Totals};
use crate::domain::lying::Lying;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::files::{EntryKind, Files};
use crate::engine::journal::{self, Header, Interrupted};
use crate::engine::state::{History, State};

/// How much of something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// So much.
    pub done: u64,
    /// Of so much.
    pub total: u64,
}

/// A bundle that was begun and never signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unfinished {
    /// Its directory.
    pub path: PathBuf,
    /// Name of its series.
    pub name: String,
    /// The serial that it goes on under: its own, or the next one where this host has signed that meanwhile.
    pub serial: u64,
    /// When its last run began.
    pub begun: jiff::Timestamp,
    /// When its first run did.
    pub first: jiff::Timestamp,
    /// References asked for.
    pub images: u64,
    /// Blobs that are complete.
    pub blobs: Share,
    /// Their bytes; a blob that was cut off in the middle goes on too and is not counted.
    pub bytes: Share,
    /// Bytes that its files of blobs take there, those that were cut off in the middle among them; nothing where it cannot
    /// be listed.
    pub held: Option<u64>,
    /// Its files, where a pack goes on with it.
    #[serde(skip)]
    pub files: Arc<Lying>,
    /// Whether a pack under this name goes on with it: nothing later of that name is signed or begun.
    pub resumable: bool,
}

impl Unfinished {
    /// Bytes of it that lie there: a blob that was cut off in the middle goes on, and forgetting it loses that too. The
    /// journal only tells what was written once.
    pub fn there(&self) -> u64 {
        self.held.unwrap_or(self.bytes.done).min(self.bytes.total)
    }
}

/// Bundles under a destination that were begun and not signed, by name, highest serial first, as a pack that keeps its
/// history in `state` goes on with them. One that another run is packing at this moment is among them.
///
/// # Errors
/// A file error: the destination cannot be listed.
pub async fn find_interrupted(destination: PathBuf, state: PathBuf, ctx: &JobCtx) -> Result<Vec<Unfinished>> {
    let files = ctx.files.clone();
    blocking(move || find(&*files, &destination, &State::new(files.clone(), state).read())).await
}

fn find(files: &dyn Files, destination: &Path, history: &History) -> Result<Vec<Unfinished>> {
    let mut unfinished = Vec::new();
    let mut newest = String::new();
    for (name, found) in workdir::find_all(files, destination, &|_| true)? {
        // The first of each name has its highest serial.
        let resumable = newest != name;
        newest.clone_from(&name);
        let Found::Unfinished(path, serial) = found else { continue };
        let Some(told) = told(files, &path) else { continue };
        let next = history
            .last_signed(&name, Some(told.header.id))
            .filter(|_| resumable)
            .map_or(0, |last| last.saturating_add(1));
        let lies_there = lying(files, &path);
        let held = lies_there.as_ref().map(|lies_there| {
            let blobs = lies_there.iter().filter(|(path, _)| is_blob(path));
            blobs.map(|(_, size)| *size).fold(0, u64::saturating_add)
        });
        let share = |done: u64, total| Share { done: done.min(total), total };
        unfinished.push(Unfinished {
            path,
            name,
            serial: serial.max(next),
            begun: told.header.begun,
            first: told.header.first.unwrap_or(told.header.begun),
            images: told.header.images,
            blobs: share(told.blobs, told.header.blobs),
            bytes: share(told.bytes, told.header.bytes),
            held,
            files: Arc::new(lies_there.filter(|_| resumable).unwrap_or_default()),
            resumable,
        });
    }
    Ok(unfinished)
}

/// Its files; nothing where they cannot be listed.
fn lying(files: &dyn Files, root: &Path) -> Option<Lying> {
    let entries = files.list(root, workdir::MAX_ENTRIES).ok()?.into_iter();
    let entries = entries.filter(|entry| entry.kind == EntryKind::File);
    Some(entries.map(|entry| (entry.path, entry.size)).collect())
}

/// What is told of one by its journal, else by its document; without either there is nothing to tell.
pub(super) fn told(files: &dyn Files, root: &Path) -> Option<Interrupted> {
    journal::read(files, root).or_else(|| whole(files, root))
}

/// One that only its signature is missing of: the journal goes before that is written.
fn whole(files: &dyn Files, root: &Path) -> Option<Interrupted> {
    let document = BundleManifest::parse(&document_bytes(files, root).ok()?).ok()?;
    let Totals { images, blobs, bytes } = document.totals;
    let header = Header {
        journal: String::new(),
        id: document.id,
        name: document.name,
        serial: document.serial,
        begun: document.created,
        first: None,
        images,
        blobs,
        bytes,
        asked: document.images.iter().map(|image| image.reference.to_string()).collect(),
        named: document
            .images
            .iter()
            .map(|image| (image.reference.to_string(), image.digest.clone()))
            .collect(),
    };
    Some(Interrupted { header, blobs, bytes, whole: true })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::bundle::{JOURNAL, MANIFEST, SIGNATURES};
    use crate::engine::files::RealFiles;
    use crate::engine::hash::sha256;
    use crate::engine::journal::Journal;

    fn begin(to: &Path, directory: &str, done: &[u64]) {
        let root = to.join(directory);
        std::fs::create_dir_all(root.join("airlift")).unwrap();
        let (name, serial) = directory.rsplit_once('-').unwrap();
        let header = Header {
            journal: "airlift-journal/1".to_owned(),
            id: uuid::Uuid::now_v7(),
            name: name.to_owned(),
            serial: serial.parse().unwrap(),
            begun: jiff::Timestamp::UNIX_EPOCH,
            first: None,
            images: 2,
            blobs: 3,
            bytes: 600,
            asked: Vec::new(),
            named: BTreeMap::new(),
        };
        let journal = Journal::begin(&RealFiles, &root, &header).unwrap();
        for size in done {
            journal.done(&sha256(&size.to_le_bytes()), *size);
        }
    }

    fn sign(to: &Path, directory: &str) {
        let root = to.join(directory);
        std::fs::create_dir_all(root.join(SIGNATURES)).unwrap();
        std::fs::write(root.join(MANIFEST), "{}").unwrap();
        std::fs::write(root.join(SIGNATURES).join("0123456789abcdef.sig"), "").unwrap();
    }

    #[tokio::test]
    async fn packs_that_were_cut_off_are_told_with_how_far_they_came() {
        let to = tempfile::tempdir().unwrap();
        let (to, ctx) = (to.path(), JobCtx::silent());
        let interrupted = || find_interrupted(to.to_owned(), to.join("no-state"), &ctx);
        assert_eq!(interrupted().await.unwrap(), []);
        begin(to, "team-a-4", &[100, 200]);
        begin(to, "other-9", &[]);
        begin(to, "old-1", &[100]);
        sign(to, "old-2");
        sign(to, "done-7");
        // A journal that makes no sense, one that counts too much, and directories that are nobody's bundle.
        begin(to, "bad-1", &[]);
        std::fs::write(to.join("bad-1").join(JOURNAL), "\u{1b}[2J").unwrap();
        begin(to, "much-1", &[u64::MAX, 5, 5, 5]);
        begin(to, "-1", &[]);
        begin(to, "zero-01", &[]);
        std::fs::create_dir(to.join("photos")).unwrap();
        let found = interrupted().await.unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|one| (&*one.name, one.serial, one.blobs.done, one.bytes.done, one.resumable))
            .collect();
        let expected = [
            ("much", 1, 3, 600, true),
            ("old", 1, 1, 100, false),
            ("other", 9, 0, 0, true),
            ("team-a", 4, 2, 300, true),
        ];
        assert_eq!(told, expected);
        assert_eq!((found[3].bytes.total, found[3].held), (600, Some(0)));
        // What was cut off in the middle has its room too, and directories have none.
        let blob = to.join("team-a-4/blobs/sha256").join(format!("{}.tmp", "ab".repeat(32)));
        std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
        std::fs::write(blob, [0; 70]).unwrap();
        assert_eq!(interrupted().await.unwrap()[3].held, Some(70));
        let there = |held| Unfinished { held, ..found[3].clone() }.there();
        // What was deleted since does not lie there, whatever the journal counted; where nobody can look, that is what is known.
        assert_eq!([Some(0), Some(70), Some(700), None].map(there), [0, 70, 600, 300]);
        assert_eq!(found[3].path, to.join("team-a-4"));
    }

    #[tokio::test]
    async fn one_whose_serial_was_signed_meanwhile_is_told_by_the_one_it_goes_on_under() {
        let (to, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ctx = JobCtx::silent();
        for name in ["site-1", "other-1"] {
            begin(to.path(), name, &[100]);
        }
        let history = State::new(ctx.files.clone(), state.path().to_owned());
        for serial in 1..=2 {
            let lease = history.lease("site", 0, None).unwrap();
            assert_eq!(lease.serial(), serial);
            lease.note(uuid::Uuid::now_v7()).unwrap();
        }
        let found = find_interrupted(to.path().to_owned(), state.path().to_owned(), &ctx).await.unwrap();
        let told: Vec<_> = found.iter().map(|one| (&*one.name, one.serial, one.path.clone())).collect();
        assert_eq!(told, [("other", 1, to.path().join("other-1")), ("site", 3, to.path().join("site-1"))]);
    }

    #[tokio::test]
    async fn a_destination_that_is_not_there_is_said() {
        let error = find_interrupted("/nonexistent/medium".into(), "/none".into(), &JobCtx::silent())
            .await
            .unwrap_err();
        assert!(error.message().contains("/nonexistent/medium"), "{error}");
    }
}
