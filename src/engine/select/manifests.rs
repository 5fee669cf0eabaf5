//! Images in Kubernetes manifests: a file, or every `.yaml`, `.yml` and `.json` below a directory.
//!
//! What cannot be read or parsed is a problem with its place, never a silence.

use std::path::Path;

use super::{SelectError, read_file, yaml};
use crate::domain::selection::{Origin, Selection};
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::files::EntryKind;

/// More files than this below one directory are refused.
const MAX_FILES: usize = 100_000;

/// Reads manifests; blocks.
///
/// # Errors
/// Where the path itself cannot be read or listed.
pub fn select(path: &Path, ctx: &JobCtx) -> Result<Selection> {
    let mut selection = Selection::default();
    if !path.is_dir() {
        scan_bytes(&read_file(ctx, path)?, &path.display().to_string(), &mut selection);
        return Ok(selection);
    }
    let mut seen = 0;
    for entry in ctx.files.list(path, MAX_FILES)? {
        ctx.check()?;
        let wanted =
            [".yaml", ".yml", ".json"].iter().any(|end| entry.path.to_ascii_lowercase().ends_with(end));
        if !wanted || entry.kind == EntryKind::Directory || entry.path.starts_with(".git/") {
            continue;
        }
        seen += 1;
        let name = path.join(&entry.path).display().to_string();
        if entry.kind == EntryKind::Other {
            selection
                .problem(Origin::named(name), "not a regular file; links below a directory are not followed");
            continue;
        }
        match read_below(ctx, path, &entry.path) {
            Ok(bytes) => scan_bytes(&bytes, &name, &mut selection),
            Err(error) => selection.problem(Origin::named(name), error.message()),
        }
    }
    if seen == 0 {
        selection.problem(
            Origin::named(path.display().to_string()),
            "there is no .yaml, .yml or .json file below this directory",
        );
    }
    Ok(selection)
}

fn read_below(ctx: &JobCtx, root: &Path, path: &str) -> Result<Vec<u8>> {
    use std::io::Read;
    let open = ctx.files.open(root, path)?;
    let full = root.join(path);
    if open.size > super::MAX_FILE {
        return Err(SelectError::TooLarge { path: full }.into());
    }
    let mut bytes = Vec::new();
    open.reader
        .take(super::MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(|source| crate::engine::error::FileError { operation: "read", path: full, source })?;
    Ok(bytes)
}

pub(super) fn scan_bytes(bytes: &[u8], name: &str, selection: &mut Selection) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => yaml::scan(text, name, selection),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            selection.problem(Origin::line(name, line), "the file is not UTF-8 text");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r32_what_cannot_be_read_in_a_tree_is_said_and_the_rest_counts() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("pod.yml"), "spec:\n  containers:\n  - image: nginx:1.25.3\n").unwrap();
        std::fs::write(deep.join("list.json"), r#"{"items":[{"image":"redis:7.0.1"}]}"#).unwrap();
        std::fs::write(dir.path().join("bad.yaml"), "a: [1\nb: {\n").unwrap();
        std::fs::write(dir.path().join("latin.yaml"), b"image: a\nname: \xe9\n").unwrap();
        std::fs::write(dir.path().join("notes.txt"), "image: not-this:1\n").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link.yaml")).unwrap();
        let selection = select(dir.path(), &JobCtx::silent()).unwrap();
        let mut texts: Vec<_> = selection.candidates.iter().map(|c| c.text.as_str()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["nginx:1.25.3", "redis:7.0.1"]);
        let mut at: Vec<_> = selection
            .problems
            .iter()
            .map(|p| Path::new(&p.origin.source).file_name().unwrap().to_str().unwrap())
            .collect();
        at.sort_unstable();
        assert_eq!(at, ["bad.yaml", "latin.yaml", "link.yaml"]);
    }

    #[test]
    fn a_directory_without_manifests_is_said() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(select(dir.path(), &JobCtx::silent()).unwrap().problems.len(), 1);
    }
}
