//! Compares the files on the medium with the signed list: what is missing, what is extra, what is no regular file.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::domain::bundle::{BundleManifest, MANIFEST, SIGNATURES};
use crate::engine::error::{EngineError, Explain, FileError, Kind, Result};
use crate::engine::files::{EntryKind, Files};

/// How many names an error spells out.
const NAMED: usize = 12;

/// The files of a bundle are not those of its document.
#[derive(Debug, Default, thiserror::Error)]
#[error("{}", self.text())]
pub struct ListingError {
    /// Listed, not there.
    pub missing: Vec<String>,
    /// There, not listed.
    pub extra: Vec<String>,
    /// Links, devices, FIFOs, or a directory where a file must be.
    pub special: Vec<String>,
    /// Of another length: path, expected, actual, in bytes.
    pub length: Vec<(String, u64, u64)>,
    /// So many files that they were not looked at one by one: how many may be there at most.
    pub beyond: Option<usize>,
}

impl ListingError {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        let mut say = |what: &str, names: &[String]| {
            if !names.is_empty() {
                let rest = names.len().saturating_sub(NAMED);
                let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
                lines.push(format!("{what}: {}{more}", names[..names.len().min(NAMED)].join(", ")));
            }
        };
        say("missing", &self.missing);
        say("not a regular file", &self.special);
        say("not listed in the signed document", &self.extra);
        let lengths: Vec<String> = self
            .length
            .iter()
            .map(|(path, want, got)| format!("{path} (expected {want} bytes, it has {got})"))
            .collect();
        say("of another length", &lengths);
        if let Some(most) = self.beyond {
            lines.push(format!("more than {most} files are there, which cannot all be listed in it"));
        }
        format!("the files differ from the signed list: {}", lines.join("; "))
    }
}

impl Explain for ListingError {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }

    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if !self.missing.is_empty() || !self.length.is_empty() {
            hints.push(
                "the copy is incomplete or damaged: copy the bundle again, or pack again onto another medium"
                    .to_owned(),
            );
        }
        if !self.extra.is_empty() || !self.special.is_empty() || self.beyond.is_some() {
            hints.push("something was put into the bundle after it was signed: look at it, then remove it or copy again".to_owned());
        }
        hints
    }
}

/// Walks the bundle and compares names, kinds and lengths; no file is opened. Returns warnings.
///
/// # Errors
/// [`ListingError`] naming every difference, or a file error.
pub fn check(files: &dyn Files, root: &Path, document: &BundleManifest) -> Result<Vec<String>> {
    let mut expected: BTreeMap<String, Option<u64>> =
        document.all_files().map(|(path, size, _)| (path, Some(size))).collect();
    expected.insert(MANIFEST.to_owned(), None);
    let directories = parents(expected.keys().map(String::as_str).chain([&*format!("{SIGNATURES}/x")]));
    let limit = expected.len() * 2 + 4096;
    let entries = files.list(root, limit).map_err(|error| {
        if is_beyond_limit(&error) {
            return ListingError { beyond: Some(limit), ..ListingError::default() }.into();
        }
        EngineError::from(error)
    })?;
    let mut error = ListingError::default();
    let mut warnings = Vec::new();
    for entry in entries {
        let listed = expected.remove(&entry.path);
        match (listed, entry.kind) {
            (Some(Some(size)), EntryKind::File) if size != entry.size => {
                error.length.push((entry.path, size, entry.size));
            }
            (Some(_), EntryKind::File) => {}
            (Some(_), _) => error.special.push(entry.path),
            (None, EntryKind::Directory) if directories.contains(&entry.path) => {}
            (None, EntryKind::File) if is_signature(&entry.path) => {}
            (None, EntryKind::File) if entry.path.starts_with(SIGNATURES) && entry.path.ends_with(".tmp") => {
                warnings.push(format!(
                    "{} is left over from a signing that was cut off; it is ignored",
                    entry.path
                ));
            }
            (None, EntryKind::Other) => error.special.push(entry.path),
            (None, _) => error.extra.push(entry.path),
        }
    }
    error.missing = expected.into_keys().collect();
    if error.missing.is_empty()
        && error.extra.is_empty()
        && error.special.is_empty()
        && error.length.is_empty()
    {
        Ok(warnings)
    } else {
        Err(error.into())
    }
}

/// Whether [`Files::list`] gave up because of its limit: the kernel's own errors have a number.
pub(crate) fn is_beyond_limit(error: &FileError) -> bool {
    error.source.kind() == std::io::ErrorKind::Other && error.source.raw_os_error().is_none()
}

/// `airlift/signatures/<16 hex digits>.sig`.
pub fn is_signature(path: &str) -> bool {
    let name = path.strip_prefix(SIGNATURES).and_then(|rest| rest.strip_prefix('/'));
    name.and_then(|name| name.strip_suffix(".sig")).is_some_and(|id| {
        id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn parents<'a>(paths: impl Iterator<Item = &'a str>) -> HashSet<String> {
    let mut all = HashSet::new();
    for path in paths {
        let mut rest = path;
        while let Some((parent, _)) = rest.rsplit_once('/') {
            all.insert(parent.to_owned());
            rest = parent;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn only_the_limit_of_a_list_is_told_as_too_many_files() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let list = |path: &Path, limit| RealFiles.list(path, limit);
        assert!(is_beyond_limit(&list(directory.path(), 2).unwrap_err()));
        assert!(list(directory.path(), 3).is_ok());
        assert!(!is_beyond_limit(&list(&directory.path().join("none"), 3).unwrap_err()));
        assert!(!is_beyond_limit(&list(&directory.path().join("a"), 3).unwrap_err()));
    }
}
