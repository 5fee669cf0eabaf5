//! Makes what runtimes wrote outlive a loss of power: they sync their blobs, but not the files of unpacked layers.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Writes out everything that the file systems of these directories hold in memory; where one cannot be opened from
/// here, that of all file systems. Gives those that could not be opened. Blocks.
///
/// # Errors
/// The kernel's, with the directory: also an error of an earlier write that nobody was told of.
pub fn sync<'a>(roots: impl IntoIterator<Item = &'a Path>) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let (mut done, mut closed) = (Vec::new(), Vec::new());
    for root in roots {
        let Ok(directory) = File::open(root) else {
            // Another name space's, or not ours to read: there is no call for one file system then.
            sync_all();
            closed.push(root.to_owned());
            continue;
        };
        let failed = |errno: io::Error| (root.to_owned(), errno);
        let device = rustix::fs::fstat(&directory).map_err(|errno| failed(errno.into()))?.st_dev;
        if !done.contains(&device) {
            rustix::fs::syncfs(&directory).map_err(|errno| failed(errno.into()))?;
            done.push(device);
        }
    }
    Ok(closed)
}

/// Writes out what all file systems hold in memory; whether that goes well is not told. Blocks.
pub fn sync_all() {
    rustix::fs::sync();
}

/// Whether two directories are known to lie in one file system. Blocks.
pub fn together(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| rustix::fs::stat(path).map(|stat| stat.st_dev).ok();
    device(one).is_some_and(|one| device(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_synced_and_one_that_cannot_be_opened_is_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        assert_eq!(sync([dir.path(), dir.path(), gone.as_path()]).unwrap(), [gone.as_path()]);
        assert!(together(dir.path(), dir.path()));
        assert!(!together(dir.path(), Path::new("/proc")) && !together(&gone, &gone));
    }
}
