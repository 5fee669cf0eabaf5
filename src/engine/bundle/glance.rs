//! What packs that were cut off left at the top of a medium, at a glance: bounded, as anything may lie there; nothing of it is proof.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::workdir::{self, Found};
use crate::domain::lying::{Lying, is_blobs, program_path};
use crate::engine::error::FileError;
use crate::engine::files::{EntryKind, Files};

/// Entries of the directory itself: of a more crowded one nothing is told.
const TOP: usize = 2000;
/// Directories in it that are looked into.
const LOOKED_AT: usize = 64;
/// Entries below them, all of them together.
const BELOW: usize = 50_000;

/// What a pack goes on with in a directory, by the names of the series: their files that are blobs or this program.
/// Nothing of a series where that cannot be told by a glance. Blocks.
pub fn begun_in(files: &dyn Files, to: &Path) -> BTreeMap<String, Arc<Lying>> {
    let (mut begun, mut left) = (BTreeMap::new(), BELOW);
    let mut decided = String::new();
    let there = workdir::candidates(files, to, &|_| true, TOP).unwrap_or_default();
    let mut looked_at = 0;
    for (name, serial, path) in there {
        if name == decided {
            continue;
        }
        looked_at += 1;
        if looked_at > LOOKED_AT {
            break;
        }
        match workdir::classify(files, path, serial, left) {
            Ok(None) => continue,
            Ok(Some(Found::Unfinished(path, _))) => {
                begun.extend(lying(files, &path, &mut left).map(|lying| (name.clone(), Arc::new(lying))));
            }
            // What is signed is not gone on with, and of what cannot be read nothing is known.
            Ok(Some(Found::Finished(..))) | Err(_) => {}
        }
        decided = name;
    }
    begun
}

/// Its files that a pack goes on with; nothing where they cannot be listed, or are more than what is left to look at.
fn lying(files: &dyn Files, root: &Path, left: &mut usize) -> Option<Lying> {
    let entries = match files.list(root, *left) {
        Ok(entries) => entries,
        Err(FileError { source, .. }) => {
            // One that the kernel does not let be read has cost nothing, one with too many all of it.
            *left = if source.raw_os_error().is_some() { *left } else { 0 };
            return None;
        }
    };
    *left -= entries.len();
    let program = program_path();
    let kept = entries.into_iter().filter(|entry| entry.kind == EntryKind::File);
    let kept = kept.filter(|entry| is_blobs(&entry.path) || entry.path == program);
    Some(kept.map(|entry| (entry.path, entry.size)).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::domain::bundle::{JOURNAL, MANIFEST, SIGNATURES};
    use crate::engine::files::RealFiles;

    fn put(to: &Path, path: &str) {
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "12345").unwrap();
    }

    fn told(to: &Path) -> Vec<(String, usize)> {
        begun_in(&RealFiles, to).into_iter().map(|(name, lying)| (name, lying.len())).collect()
    }

    #[test]
    fn the_newest_of_each_series_is_told_with_what_a_pack_goes_on_with() {
        let to = tempfile::tempdir().unwrap();
        let to = to.path();
        for of in ["old-1", "old-2", "site-3", "site-2"] {
            put(to, &format!("{of}/{JOURNAL}"));
            put(to, &format!("{of}/blobs/sha256/{}", "ab".repeat(32)));
            put(to, &format!("{of}/photo"));
        }
        put(to, &format!("old-2/{MANIFEST}"));
        put(to, &format!("old-2/{SIGNATURES}/0123456789abcdef.sig"));
        for of in ["site-4", "holiday-9"] {
            put(to, &format!("{of}/photo"));
        }
        assert_eq!(told(to), [("site".to_owned(), 1)]);
    }

    #[test]
    fn a_series_of_many_bundles_hides_no_other() {
        let to = tempfile::tempdir().unwrap();
        let to = to.path();
        for n in 0..2 * LOOKED_AT {
            put(to, &format!("arm-{n}/{MANIFEST}"));
            put(to, &format!("arm-{n}/{SIGNATURES}/0123456789abcdef.sig"));
        }
        put(to, &format!("site-3/{JOURNAL}"));
        assert_eq!(told(to), [("site".to_owned(), 0)]);
    }

    #[test]
    fn a_crowded_series_hides_no_other_before_it_and_a_crowded_medium_holds_nothing_up() {
        let to = tempfile::tempdir().unwrap();
        let to = to.path();
        for of in ["a-1", "b-1", "c-1"] {
            put(to, &format!("{of}/{JOURNAL}"));
        }
        let many = to.join("b-1/blobs");
        fs::create_dir(&many).unwrap();
        for n in 0..BELOW {
            rustix::fs::symlink("x", many.join(n.to_string())).unwrap();
        }
        assert_eq!(told(to), [("a".to_owned(), 0)]);
        fs::remove_dir_all(&many).unwrap();
        assert_eq!(told(to).len(), 3);
        for n in 0..TOP {
            fs::create_dir(to.join(format!("x-{n}"))).unwrap();
        }
        assert_eq!(told(to), []);
    }
}
