//! Whether a file of the node can be changed at all, looked at before anything is written that would need it.

use std::path::PathBuf;

use rustix::io::Errno;

use super::FileChange;
use crate::engine::directory;
use crate::engine::error::FileError;
use crate::engine::files::Files;
use crate::engine::media::mounts;

impl FileChange {
    /// Fails where this user may not put another file in its place, with the words of the kernel that would refuse it.
    /// Blocks.
    ///
    /// # Errors
    /// What is in the way: of its directory, of the nearest one above that is there, or of the file itself.
    pub(crate) fn check(&self, files: &dyn Files) -> Result<(), FileError> {
        // It is replaced where it lies, whatever link leads there.
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let there = directory::above(&path).ancestors().find_map(|above| above.canonicalize().ok());
        files.writable(&there.unwrap_or_else(|| PathBuf::from("/")))?;
        files.replaceable(&path)?;
        match mounts::of_this_process().iter().any(|mount| mount.point == path) {
            true => Err(FileError { operation: "replace", path, source: Errno::BUSY.into() }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::files::RealFiles;

    fn change(path: &Path) -> FileChange {
        FileChange::new(path.to_owned(), None, Some(String::new()))
    }

    #[test]
    fn a_file_can_be_changed_that_is_there_or_whose_directory_can_be_made_and_no_mount_point() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("storage.conf");
        std::fs::write(&file, "").unwrap();
        for path in [&file, &root.path().join("etc/containers/storage.conf")] {
            change(path).check(&RealFiles).unwrap();
        }
        let point =
            mounts::of_this_process().into_iter().map(|mount| mount.point).find(|point| point.is_file());
        if let Some(point) = point {
            assert_eq!(change(&point).check(&RealFiles).unwrap_err().path, point);
        }
    }
}
