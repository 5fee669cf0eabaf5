//! Which blobs are known to be whole: one is hashed before the first part of it is sent, and again only where its files are not the same any more.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use super::body::Reading;
use super::catalog::Found;
use super::trouble::Trouble;
use crate::domain::digest::Digest;
use crate::engine::files::Stamp;

/// The files of a blob as they were when it was hashed; nothing where it was not yet. Held while it is.
type Known = Arc<AsyncMutex<Option<Vec<Stamp>>>>;

/// Remembers it, of each blob that a part was asked of.
pub struct Whole {
    trouble: Arc<Trouble>,
    /// By what they are of and their digest.
    known: Mutex<HashMap<(String, Digest), Known>>,
}

impl Whole {
    /// Of nothing yet.
    pub fn new(trouble: Arc<Trouble>) -> Self {
        Self { trouble, known: Mutex::default() }
    }

    /// Who is told what is wrong.
    pub(super) const fn trouble(&self) -> &Arc<Trouble> {
        &self.trouble
    }

    /// Makes sure that a blob is whole, which takes as long as reading it does where that is not known.
    ///
    /// # Errors
    /// It is not, or cannot be read, which was told.
    pub(super) async fn ensure(&self, found: &Found) -> io::Result<()> {
        let key = (found.source.label(), found.digest.clone());
        let known =
            Arc::clone(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        // Parts that are asked for meanwhile wait for the one reading.
        let mut known = known.lock_owned().await;
        let (found, trouble) = (found.clone(), Arc::clone(&self.trouble));
        let looked = tokio::task::spawn_blocking(move || {
            let now = found.source.files(&found.digest);
            let now = now.iter().map(|file| Stamp::of(file)).collect::<io::Result<Vec<_>>>().ok();
            // Files that cannot be looked at cannot be opened either, which says more.
            if now.is_none() || *known != now {
                *known = None;
                Reading::open(&found, &trouble)?.read_all()?;
                *known = now;
            }
            Ok(())
        });
        looked.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::super::source::{Root, Source};
    use super::*;
    use crate::engine::ctx::JobCtx;
    use crate::engine::error::{FileError, Result};
    use crate::engine::hash;

    /// One blob, and how often it was opened.
    struct One(PathBuf, AtomicUsize);

    impl Source for One {
        fn label(&self) -> String {
            "one".to_owned()
        }
        fn roots(&self) -> Result<Vec<Root>> {
            Ok(Vec::new())
        }
        fn size(&self, _: &Digest) -> Option<u64> {
            Some(1_000_000)
        }
        fn files(&self, _: &Digest) -> Vec<PathBuf> {
            vec![self.0.clone()]
        }
        fn open(&self, _: &Digest, _: u64) -> Result<Box<dyn Read + Send>> {
            self.1.fetch_add(1, Relaxed);
            let failed = |source| FileError { operation: "open", path: self.0.clone(), source };
            Ok(Box::new(fs::File::open(&self.0).map_err(failed)?))
        }
        fn read(&self, _: &Digest, _: u64) -> Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn a_blob_is_hashed_once_and_again_where_its_file_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, bytes) = (dir.path().join("blob"), vec![7; 1_000_000]);
        fs::write(&path, &bytes).unwrap();
        let source = Arc::new(One(path.clone(), AtomicUsize::new(0)));
        let digest = hash::sha256(&bytes);
        let size = bytes.len() as u64;
        let found = Found { source: source.clone(), digest, size, media_type: String::new() };
        let whole = Whole::new(Arc::new(Trouble::new(JobCtx::silent())));
        for _ in 0..3 {
            whole.ensure(&found).await.unwrap();
        }
        assert_eq!(source.1.load(Relaxed), 1);
        // The same bytes in another file, then others.
        fs::rename(&path, dir.path().join("old")).unwrap();
        fs::write(&path, &bytes).unwrap();
        whole.ensure(&found).await.unwrap();
        assert_eq!(source.1.load(Relaxed), 2);
        fs::rename(&path, dir.path().join("older")).unwrap();
        let mut other = bytes.clone();
        other[999_999] ^= 1;
        fs::write(&path, &other).unwrap();
        for opened in [3, 4] {
            assert!(whole.ensure(&found).await.is_err());
            assert_eq!(source.1.load(Relaxed), opened, "what is damaged is not known to be so for good");
        }
        fs::remove_file(&path).unwrap();
        assert!(whole.ensure(&found).await.is_err());
    }
}
