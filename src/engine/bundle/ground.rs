//! The file system that a pack goes onto, compared with what its path leads to later: a medium that is pulled leaves a directory of the host behind.

use std::path::{Path, PathBuf};

use super::workdir::WorkError;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Kind, Result};

/// What a directory lay on when that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    to: PathBuf,
    device: Option<u64>,
}

impl Ground {
    /// Of a directory as it is now. Blocks.
    pub fn of(to: &Path) -> Self {
        Self { to: to.to_owned(), device: device(to) }
    }

    /// As [`Ground::of`], for tasks.
    ///
    /// # Errors
    /// The task that looks was ended.
    pub async fn found(to: &Path) -> Result<Self> {
        let to = to.to_owned();
        blocking(move || Ok(Self::of(&to))).await
    }

    /// Refuses a path that leads elsewhere by now. Blocks.
    ///
    /// # Errors
    /// [`WorkError::Gone`].
    pub fn check(&self) -> std::result::Result<(), WorkError> {
        match device(&self.to) {
            Some(device) if self.device.is_none_or(|before| before == device) => Ok(()),
            _ => Err(WorkError::Gone(self.to.clone())),
        }
    }

    /// As [`Ground::check`], for tasks: a medium that answers slowly holds up nothing else.
    pub(super) async fn still(&self) -> Result<()> {
        let ground = self.clone();
        blocking(move || Ok(ground.check()?)).await
    }

    /// The reason behind an error that no class is known of: a medium that is gone, where it is. Blocks.
    pub(super) fn reason(&self, error: EngineError, ctx: &JobCtx) -> EngineError {
        match self.check() {
            Err(gone) if error.kind() == Kind::Other => {
                ctx.warn(error.message());
                gone.into()
            }
            _ => error,
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
    use crate::engine::files::{Files, RealFiles};

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
        let ctx = JobCtx::silent();
        let error = || EngineError::from(RealFiles.list(&link.join("x"), 1).unwrap_err());
        assert_eq!(error().kind(), Kind::Other);
        assert_eq!(ground.reason(error(), &ctx).kind(), Kind::Medium, "what is gone is the reason");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        assert!(ground.check().is_err());
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&medium, &link).unwrap();
        assert!(ground.check().is_ok(), "put back");
    }
}
