//! Blobs on a medium that fails, is interrupted, or was left half-written by an earlier run.

use std::path::Path;
use std::sync::Arc;

use airlift::domain::digest::Digest;
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::files::{Files, RealFiles};
use airlift::engine::hash;
use airlift::engine::store::{self, BlobSink, BlobTarget, Stored};
use tokio_util::sync::CancellationToken;

use crate::faulty::{Fault, FaultyFiles};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EFBIG: i32 = 27;

fn bytes() -> Vec<u8> {
    (0..10_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn target(root: &Path, part: Option<u64>) -> BlobTarget {
    std::fs::create_dir_all(root.join("blobs/sha256")).unwrap();
    std::fs::create_dir_all(root.join("airlift/parts")).unwrap();
    let bytes = bytes();
    BlobTarget { root: root.to_owned(), digest: hash::sha256(&bytes), size: bytes.len() as u64, part }
}

fn put(files: &Arc<dyn Files>, target: &BlobTarget) -> Result<Stored, EngineError> {
    let mut sink = BlobSink::resume(Arc::clone(files), target.clone(), &CancellationToken::new())?;
    let all = bytes();
    let from = usize::try_from(sink.offset()).unwrap();
    for chunk in all[from..].chunks(4096) {
        if let Err(error) = sink.write(chunk) {
            sink.discard()?;
            return Err(error);
        }
    }
    sink.finish()
}

fn read(target: &BlobTarget) -> Vec<u8> {
    target.pieces().iter().flat_map(|(path, _)| std::fs::read(target.root.join(path)).unwrap()).collect()
}

fn files_below(root: &Path) -> Vec<String> {
    let entries = RealFiles.list(root, 1000).unwrap();
    entries.into_iter().filter(|e| e.path.contains('.') || e.size > 0).map(|e| e.path).collect()
}

#[test]
fn short_and_interrupted_writes_leave_the_right_bytes() {
    for part in [None, Some(7000)] {
        let root = tempfile::tempdir().unwrap();
        let target = target(root.path(), part);
        let files: Arc<dyn Files> = Arc::new(FaultyFiles::new(Fault::Short(100)));
        put(&files, &target).unwrap();
        assert_eq!(read(&target), bytes());
    }
}

#[test]
fn a_full_or_failing_medium_keeps_its_class_and_leaves_nothing_half_written() {
    for (fault, kind) in [
        (Fault::Write(1, ENOSPC), Kind::Space),
        (Fault::Write(5, ENOSPC), Kind::Space),
        (Fault::Write(5, EFBIG), Kind::Space),
        (Fault::Write(3, EIO), Kind::Medium),
    ] {
        let root = tempfile::tempdir().unwrap();
        let target = target(root.path(), None);
        let files: Arc<dyn Files> = Arc::new(FaultyFiles::new(fault));
        assert_eq!(put(&files, &target).unwrap_err().kind(), kind, "{fault:?}");
        assert_eq!(files_below(root.path()), Vec::<String>::new(), "{fault:?}");
    }
}

#[test]
fn a_failed_fsync_or_rename_never_shows_the_final_name() {
    for fault in [Fault::Sync(1, EIO), Fault::Rename(1, EIO)] {
        let root = tempfile::tempdir().unwrap();
        let target = target(root.path(), None);
        let files: Arc<dyn Files> = Arc::new(FaultyFiles::new(fault));
        assert_eq!(put(&files, &target).unwrap_err().kind(), Kind::Medium);
        assert!(!root.path().join(target.digest.layout_path()).exists());
    }
}

#[test]
fn r13_what_an_earlier_run_wrote_is_hashed_and_gone_on_from_at_any_length() {
    let all = bytes();
    for part in [None, Some(7000)] {
        for cut in [0, 1, 6999, 7000, 7001, 13_999, 14_000, 39_999, 40_000] {
            let root = tempfile::tempdir().unwrap();
            let target = target(root.path(), part);
            let mut left = &all[..cut];
            for (path, size) in target.pieces() {
                let (now, later) = left.split_at(left.len().min(usize::try_from(size).unwrap()));
                if !now.is_empty() {
                    std::fs::write(root.path().join(format!("{path}.tmp")), now).unwrap();
                }
                left = later;
            }
            let files: Arc<dyn Files> = Arc::new(RealFiles);
            let sink =
                BlobSink::resume(Arc::clone(&files), target.clone(), &CancellationToken::new()).unwrap();
            assert_eq!(sink.offset(), cut as u64, "part {part:?}");
            drop(sink);
            let stored = put(&files, &target).unwrap();
            assert_eq!(read(&target), all);
            assert_eq!(stored.parts.len(), part.map_or(0, |_| 6));
            assert_eq!(store::existing(&*files, &target, &|_| {}).unwrap(), Some(stored));
        }
    }
}

#[test]
fn a_wrong_beginning_is_found_at_the_end_and_thrown_away() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path(), None);
    let temp = root.path().join(format!("{}.tmp", target.digest.layout_path()));
    let mut wrong = bytes()[..5000].to_vec();
    wrong[17] ^= 1;
    std::fs::write(&temp, wrong).unwrap();
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    assert_eq!(put(&files, &target).unwrap_err().kind(), Kind::Integrity);
    assert!(!temp.exists());
    put(&files, &target).unwrap();
    assert_eq!(read(&target), bytes());
}

#[test]
fn r12_a_flipped_blob_under_its_final_name_is_not_believed_and_stays_until_it_is_replaced() {
    for part in [None, Some(7000)] {
        let root = tempfile::tempdir().unwrap();
        let target = target(root.path(), part);
        let files: Arc<dyn Files> = Arc::new(RealFiles);
        put(&files, &target).unwrap();
        let (name, _) = target.pieces().pop().unwrap();
        let path = root.path().join(name);
        let mut flipped = std::fs::read(&path).unwrap();
        flipped[2000] ^= 0x40;
        std::fs::write(&path, flipped).unwrap();
        let damaged = read(&target);
        assert_eq!(store::existing(&*files, &target, &|_| {}).unwrap(), None);
        assert!(read(&target) == damaged, "nothing of it is removed before there is something better");
        let stored = put(&files, &target).unwrap();
        assert!(read(&target) == bytes());
        assert_eq!(store::existing(&*files, &target, &|_| {}).unwrap(), Some(stored));
    }
}

#[test]
fn parts_left_by_a_run_that_was_cut_off_while_renaming_are_no_obstacle() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path(), Some(7000));
    let (third, _) = &target.pieces()[2];
    std::fs::write(root.path().join(format!("{third}.tmp")), &bytes()[14_000..21_000]).unwrap();
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    put(&files, &target).unwrap();
    assert!(read(&target) == bytes());
}

#[test]
fn a_cancel_ends_the_hashing_of_what_is_there_and_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path(), None);
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    put(&files, &target).unwrap();
    let temp = root.path().join(format!("{}.tmp", target.digest.layout_path()));
    std::fs::write(&temp, &bytes()[..5000]).unwrap();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let found = store::existing_until(&*files, &target, &|_| {}, &cancelled);
    assert_eq!(found.unwrap_err().kind(), Kind::Interrupted);
    let resumed = BlobSink::resume(Arc::clone(&files), target.clone(), &cancelled);
    assert_eq!(resumed.err().map(|error| error.kind()), Some(Kind::Interrupted));
    assert_eq!(std::fs::read(&temp).unwrap(), &bytes()[..5000]);
    assert!(read(&target) == bytes());
}

#[test]
fn an_empty_blob_is_a_blob() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("blobs/sha256")).unwrap();
    let digest: Digest = hash::sha256(b"");
    let target = BlobTarget { root: root.path().to_owned(), digest, size: 0, part: None };
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    BlobSink::resume(Arc::clone(&files), target.clone(), &CancellationToken::new())
        .unwrap()
        .finish()
        .unwrap();
    assert!(store::existing(&*files, &target, &|_| {}).unwrap().is_some());
}

#[test]
fn a_link_in_place_of_a_temp_file_is_never_written_through() {
    let root = tempfile::tempdir().unwrap();
    let target = target(root.path(), None);
    let canary = root.path().join("canary");
    std::fs::write(&canary, b"untouched").unwrap();
    let temp = root.path().join(format!("{}.tmp", target.digest.layout_path()));
    std::os::unix::fs::symlink(&canary, &temp).unwrap();
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    assert!(put(&files, &target).is_err());
    assert_eq!(std::fs::read(&canary).unwrap(), b"untouched");
}
