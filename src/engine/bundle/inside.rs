//! The bundles that lie in a directory, or around a file, for one who names these instead of the bundle.

use std::path::{Path, PathBuf};

use crate::domain::bundle::MANIFEST;
use crate::domain::text;
use crate::engine::files::Files;

/// Names of a directory that are looked at, and bundles that are told.
const LOOKED_AT: usize = 1000;
const TOLD: usize = 5;

/// Bundles that lie in a directory, else the one that a path leads into. Blocks.
pub(super) fn near(files: &dyn Files, path: &Path) -> Vec<PathBuf> {
    let below = bundles(files, path);
    if below.is_empty() { around(files, path) } else { below }
}

/// The first of them by name; none where the directory cannot be read. Blocks.
fn bundles(files: &dyn Files, directory: &Path) -> Vec<PathBuf> {
    let entries = files.entries(directory, LOOKED_AT).unwrap_or_default();
    let mut found: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| directory.join(entry.path))
        .filter(|path| files.stat(&path.join(MANIFEST)).is_ok_and(|stat| stat.is_some()))
        .collect();
    found.sort();
    found.truncate(TOLD);
    found
}

/// The bundle that a path leads into, where it is a file of one or a directory of it. Blocks.
fn around(files: &dyn Files, path: &Path) -> Vec<PathBuf> {
    let is_bundle = |path: &&Path| files.stat(&path.join(MANIFEST)).is_ok_and(|stat| stat.is_some());
    path.ancestors().skip(1).find(is_bundle).map(Path::to_owned).into_iter().collect()
}

/// What to give instead.
pub(super) fn hint(path: &Path, bundles: &[PathBuf]) -> String {
    let paths: Vec<String> =
        bundles.iter().map(|path| text::shown(&path.display().to_string()).into_owned()).collect();
    let paths = paths.join(" or ");
    match bundles {
        [around] if path.starts_with(around) => {
            format!("it is a part of the bundle {paths}: give that directory")
        }
        _ => format!("bundles lie in it: give {paths}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bundle::read::document_bytes;
    use crate::engine::error::Kind;
    use crate::engine::files::RealFiles;

    #[test]
    fn a_directory_of_bundles_is_answered_with_their_names() {
        let medium = tempfile::tempdir().unwrap();
        let refused = || document_bytes(&RealFiles, medium.path()).unwrap_err().hints();
        assert!(!refused()[0].contains("lie in it"));
        for name in ["site-b-2", "site-a-1", "photos"] {
            let manifest = medium.path().join(name).join(MANIFEST);
            std::fs::create_dir_all(manifest.parent().unwrap()).unwrap();
            if name != "photos" {
                std::fs::write(manifest, "{}").unwrap();
            }
        }
        let path = |name: &str| medium.path().join(name).display().to_string();
        let given = format!("bundles lie in it: give {} or {}", path("site-a-1"), path("site-b-2"));
        assert_eq!(refused(), [given]);
        let file = medium.path().join("site-a-1/index.json");
        std::fs::write(&file, "{}").unwrap();
        for part in [file.as_path(), &medium.path().join("site-a-1/airlift")] {
            let refused = document_bytes(&RealFiles, part).unwrap_err();
            assert_eq!(
                (refused.kind(), refused.message().contains("holds no bundle")),
                (Kind::Usage, true),
                "{refused}"
            );
            let whole = format!("it is a part of the bundle {}: give that directory", path("site-a-1"));
            assert_eq!(refused.hints(), [whole]);
        }
    }
}
