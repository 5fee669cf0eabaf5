//! The bundles that lie in a directory, for one who names the directory instead of the bundle.

use std::path::{Path, PathBuf};

use crate::domain::bundle::MANIFEST;
use crate::domain::text;
use crate::engine::files::Files;

/// Names of a directory that are looked at, and bundles that are told.
const LOOKED_AT: usize = 1000;
const TOLD: usize = 5;

/// The first of them by name; none where the directory cannot be read. Blocks.
pub(super) fn bundles(files: &dyn Files, directory: &Path) -> Vec<PathBuf> {
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

/// What to give instead.
pub(super) fn hint(bundles: &[PathBuf]) -> String {
    let paths: Vec<String> =
        bundles.iter().map(|path| text::shown(&path.display().to_string()).into_owned()).collect();
    format!("bundles lie in it: give {}", paths.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bundle::read::document_bytes;
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
    }
}
