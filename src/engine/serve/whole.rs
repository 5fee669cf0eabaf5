//! Which blobs are known to be whole: one is hashed before the first part of it is sent, as long as a client waits for that, and again only where its files are not the same any more.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

use super::body::Hashed;
use super::catalog::Found;
use super::trouble::Trouble;
use crate::domain::digest::Digest;
use crate::engine::files::Stamp;

/// The files of a blob as they were when it was hashed, and how far; nothing where it was not yet. Held while it is.
type Known = Arc<AsyncMutex<Option<(Vec<Stamp>, Hashed)>>>;

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

    /// Makes sure that a blob is whole, which takes as long as reading it does where that is not known. Where this is dropped
    /// before, the next one goes on from there: a client that waits less long each time has it in the end.
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
        let unawaited = CancellationToken::new();
        let _awaited = unawaited.clone().drop_guard();
        let looked = tokio::task::spawn_blocking(move || {
            let now = found.source.files(&found.digest);
            // Files that cannot be looked at cannot be opened either, which says more.
            let now = now.iter().map(|file| Stamp::of(file)).collect::<io::Result<Vec<_>>>().ok();
            let before = known.take().filter(|(files, _)| now.as_ref() == Some(files));
            let before = before.map_or_else(|| Hashed::nothing(&found), |(_, hashed)| hashed);
            let hashed = before.go_on(&found, &trouble, &unawaited)?;
            let whole = matches!(hashed, Hashed::Whole);
            *known = now.map(|files| (files, hashed));
            if whole { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
        looked.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Seek as _, SeekFrom};
    use std::path::PathBuf;
    use std::sync::mpsc;

    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::super::source::{Root, Source};
    use super::*;
    use crate::engine::ctx::JobCtx;
    use crate::engine::error::{FileError, Result};
    use crate::engine::hash;

    const SIZE: usize = 1_000_000;

    /// One blob, and from where on it was opened.
    struct One {
        path: PathBuf,
        opened: Mutex<Vec<u64>>,
        gate: Option<Gate>,
    }

    /// Tells of each piece that is read, and waits until it may be; the other side gone, it may.
    #[derive(Clone)]
    struct Gate(UnboundedSender<()>, Arc<Mutex<mpsc::Receiver<()>>>);

    struct Gated(fs::File, Gate);

    impl Read for Gated {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Gate(asks, may) = &self.1;
            let _ = asks.send(());
            let _ = may.lock().unwrap().recv();
            self.0.read(buffer)
        }
    }

    impl One {
        fn found(path: PathBuf, bytes: &[u8], gate: Option<Gate>) -> (Arc<Self>, Found) {
            fs::write(&path, bytes).unwrap();
            let source = Arc::new(Self { path, opened: Mutex::default(), gate });
            let (digest, size) = (hash::sha256(bytes), bytes.len() as u64);
            let found = Found { source: source.clone(), digest, size, media_type: String::new() };
            (source, found)
        }

        fn opened(&self) -> Vec<u64> {
            self.opened.lock().unwrap().clone()
        }
    }

    impl Source for One {
        fn label(&self) -> String {
            "one".to_owned()
        }
        fn roots(&self) -> Result<Vec<Root>> {
            Ok(Vec::new())
        }
        fn size(&self, _: &Digest) -> Option<u64> {
            Some(SIZE as u64)
        }
        fn files(&self, _: &Digest) -> Vec<PathBuf> {
            vec![self.path.clone()]
        }
        fn open(&self, _: &Digest, offset: u64) -> Result<Box<dyn Read + Send>> {
            self.opened.lock().unwrap().push(offset);
            let failed = |source| FileError { operation: "open", path: self.path.clone(), source };
            let mut file = fs::File::open(&self.path).map_err(failed)?;
            file.seek(SeekFrom::Start(offset)).map_err(failed)?;
            Ok(match self.gate.clone() {
                None => Box::new(file),
                Some(gate) => Box::new(Gated(file, gate)),
            })
        }
        fn read(&self, _: &Digest, _: u64) -> Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    fn unknown() -> Whole {
        Whole::new(Arc::new(Trouble::new(JobCtx::silent())))
    }

    #[tokio::test]
    async fn a_blob_is_hashed_once_and_again_where_its_file_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, bytes) = (dir.path().join("blob"), vec![7; SIZE]);
        let (source, found) = One::found(path.clone(), &bytes, None);
        let whole = unknown();
        for _ in 0..3 {
            whole.ensure(&found).await.unwrap();
        }
        assert_eq!(source.opened(), [0]);
        // The same bytes in another file, then others.
        fs::rename(&path, dir.path().join("old")).unwrap();
        fs::write(&path, &bytes).unwrap();
        whole.ensure(&found).await.unwrap();
        assert_eq!(source.opened().len(), 2);
        fs::rename(&path, dir.path().join("older")).unwrap();
        let mut other = bytes.clone();
        other[999_999] ^= 1;
        fs::write(&path, &other).unwrap();
        for opened in [3, 4] {
            assert!(whole.ensure(&found).await.is_err());
            assert_eq!(source.opened().len(), opened, "what is damaged is not known to be so for good");
        }
        fs::remove_file(&path).unwrap();
        assert!(whole.ensure(&found).await.is_err());
    }

    /// A blob of which two pieces were asked for by a client that went away before it had the second one.
    async fn left(path: PathBuf, whole: &Arc<Whole>) -> (Arc<One>, Found) {
        let (asks, mut asked): (_, UnboundedReceiver<()>) = unbounded_channel();
        let (allow, may) = mpsc::channel();
        let (source, found) = One::found(path, &vec![7; SIZE], Some(Gate(asks, Arc::new(Mutex::new(may)))));
        let client = tokio::spawn({
            let (whole, found) = (Arc::clone(whole), found.clone());
            async move { whole.ensure(&found).await }
        });
        asked.recv().await.unwrap();
        allow.send(()).unwrap();
        asked.recv().await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        (source, found)
    }

    #[tokio::test]
    async fn hashing_stops_when_its_client_has_gone_and_the_next_one_goes_on_from_there() {
        let dir = tempfile::tempdir().unwrap();
        let (path, whole) = (dir.path().join("blob"), Arc::new(unknown()));
        let (source, found) = left(path, &whole).await;
        whole.ensure(&found).await.unwrap();
        whole.ensure(&found).await.unwrap();
        assert_eq!(source.opened(), [0, 512 * 1024]);
    }

    #[tokio::test]
    async fn what_was_hashed_of_a_file_counts_for_no_other_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, whole) = (dir.path().join("blob"), Arc::new(unknown()));
        let (source, found) = left(path.clone(), &whole).await;
        fs::rename(&path, dir.path().join("old")).unwrap();
        fs::write(&path, vec![7; SIZE]).unwrap();
        whole.ensure(&found).await.unwrap();
        assert_eq!(source.opened(), [0, 0]);
    }
}
