//! The file system that a pack goes onto, compared with what its path leads to later: a medium that is pulled leaves a directory of the host behind.

use std::path::{Path, PathBuf};

use super::workdir::WorkError;

/// What a directory lay on when that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    to: PathBuf,
    device: Option<u64>,
}

impl Ground {
    /// Of a directory as it is now.
    pub fn of(to: &Path) -> Self {
        Self { to: to.to_owned(), device: device(to) }
    }

    /// Refuses a path that leads elsewhere by now.
    ///
    /// # Errors
    /// [`WorkError::Gone`].
    pub fn check(&self) -> Result<(), WorkError> {
        match device(&self.to) {
            Some(device) if self.device.is_none_or(|before| before == device) => Ok(()),
            _ => Err(WorkError::Gone(self.to.clone())),
        }
    }
}

/// The number of the file system; nothing where the directory cannot be asked.
fn device(directory: &Path) -> Option<u64> {
    rustix::fs::stat(directory).ok().map(|found| found.st_dev)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_to_another_file_system_or_nowhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let (medium, link) = (root.path().join("medium"), root.path().join("link"));
        std::fs::create_dir(&medium).unwrap();
        std::os::unix::fs::symlink(&medium, &link).unwrap();
        let ground = Ground::of(&link);
        assert_eq!(ground.check().ok(), Some(()));
        std::fs::remove_file(&link).unwrap();
        let gone = ground.check().unwrap_err().to_string();
        assert!(gone.contains("link does not lead"), "{gone}");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        assert!(ground.check().is_err());
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&medium, &link).unwrap();
        assert!(ground.check().is_ok(), "put back");
    }
}
