//! Writes small files one after the other, so that the last text of a file is the one that stays; each outcome is a message.

mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::off;
use crate::domain::bundle::MANIFEST;
use crate::domain::lock::Lock;
use crate::domain::reference::Reference;
use crate::engine::ctx::JobCtx;
use crate::engine::error::EngineError;
use crate::engine::files::{FileResult, Files};
use crate::engine::jobs::reports;
use crate::engine::lockfile;
use crate::engine::store;
use crate::failure::Failure;
use crate::tui::msg::{Found, Msg};
use list::Lists;

/// What is done in the order in which it was asked for.
enum Write {
    /// Files are written, in the place of what is there.
    Over(Vec<(PathBuf, String)>),
    /// A report is kept in the place of what is there, and old ones beside it go, by the history in this directory.
    Report(PathBuf, String, PathBuf),
    /// The list is written, with what somebody else wrote there since.
    List(PathBuf, String),
    /// What a list was when it was read, or when it was written for us.
    Known(PathBuf, String),
    /// What the list is now is kept beside the next one.
    Aside,
    /// Of what somebody else wrote into a list, so many changes are in each text of it from now on.
    TakenIn(usize),
    /// A lock file is written anew without these references.
    LeaveOut(PathBuf, BTreeSet<Reference>),
    /// A lock file is written anew that speaks of these references again.
    PutBack(PathBuf, BTreeSet<Reference>),
    /// Files are written where none of them is there.
    New(Vec<(PathBuf, String)>),
    /// Everything before this is written; but for the files here, each with what kept it from that.
    Done(oneshot::Sender<Lost>),
}

/// Files whose last text could not be written.
pub(super) type Lost = BTreeMap<PathBuf, Failure>;

/// Hands on what is to be written.
#[derive(Clone)]
pub(super) struct Writes(UnboundedSender<Write>);

impl Writes {
    /// Begins a task that writes, until the last of these is gone.
    pub(super) fn begin(tell: UnboundedSender<Msg>, files: Arc<dyn Files>) -> Self {
        let (writes, wanted) = unbounded_channel();
        let (lost, lists, left_out) = (Lost::new(), Lists::default(), Lock::default());
        let writer = Writer { tell, files, lost, lists, left_out };
        tokio::spawn(writer.write_all(wanted));
        Self(writes)
    }

    /// Files are to be written, in the place of what is there.
    pub(super) fn over(&self, texts: Vec<(PathBuf, String)>) {
        let _ = self.0.send(Write::Over(texts));
    }

    /// A report is to be kept, in the place of what is there; old ones beside it go, by the history in `state`.
    pub(super) fn report(&self, path: PathBuf, text: String, state: PathBuf) {
        let _ = self.0.send(Write::Report(path, text, state));
    }

    /// The list is to be written.
    pub(super) fn list(&self, path: PathBuf, text: String) {
        let _ = self.0.send(Write::List(path, text));
    }

    /// A list is known to have this text.
    pub(super) fn known(&self, path: PathBuf, text: String) {
        let _ = self.0.send(Write::Known(path, text));
    }

    /// What the list is now is to be kept beside the next one.
    pub(super) fn aside(&self) {
        let _ = self.0.send(Write::Aside);
    }

    /// So many changes of a list that were told of are in each text of it from now on.
    pub(super) fn taken_in(&self, changes: usize) {
        let _ = self.0.send(Write::TakenIn(changes));
    }

    /// A lock file is to be written anew without these references.
    pub(super) fn leave_out(&self, lock: PathBuf, dropped: BTreeSet<Reference>) {
        let _ = self.0.send(Write::LeaveOut(lock, dropped));
    }

    /// A lock file is to be written anew that speaks of these references again, as it did before it was to leave them out.
    pub(super) fn put_back(&self, lock: PathBuf, back: BTreeSet<Reference>) {
        let _ = self.0.send(Write::PutBack(lock, back));
    }

    /// Files are to be written where none of them is there.
    pub(super) fn new_ones(&self, texts: Vec<(PathBuf, String)>) {
        let _ = self.0.send(Write::New(texts));
    }

    /// Waits until everything is written that was asked for before this call; tells what could not be.
    pub(super) fn all(&self) -> impl Future<Output = Lost> + use<> {
        let (done, written) = oneshot::channel();
        let _ = self.0.send(Write::Done(done));
        async move { written.await.unwrap_or_default() }
    }
}

struct Writer {
    tell: UnboundedSender<Msg>,
    files: Arc<dyn Files>,
    lost: Lost,
    lists: Lists,
    /// What the lock file of the list said of what it was to leave out, as it was last.
    left_out: Lock,
}

/// What became of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrote {
    /// It is written.
    All,
    /// Something is in its place.
    Nothing,
}

/// How a file gets its name.
type How = fn(&dyn Files, &Path, &[u8]) -> FileResult<()>;

impl Writer {
    async fn write_all(mut self, mut wanted: UnboundedReceiver<Write>) {
        while let Some(write) = wanted.recv().await {
            match write {
                Write::Done(done) => drop(done.send(self.lost.clone())),
                Write::Over(texts) => self.write_over(texts).await,
                Write::Report(path, text, state) => self.keep(&path, &text, &state).await,
                Write::List(path, text) => self.write_list(&path, &text).await,
                Write::Known(path, text) => self.lists.know(path, text),
                Write::Aside => self.lists.aside(),
                Write::TakenIn(changes) => self.lists.taken_in(changes),
                Write::LeaveOut(lock, dropped) => self.leave_out(lock, dropped).await,
                Write::PutBack(lock, back) => self.put_back(lock, back).await,
                Write::New(texts) => self.write_new(texts).await,
            }
        }
    }

    /// Writes a report; with each that is added, old ones go. That they could not is no reason to bother anybody.
    async fn keep(&mut self, path: &Path, text: &str, state: &Path) {
        self.write(path, text, store::write_over).await;
        let Some(directory) = path.parent().filter(|_| !self.lost.contains_key(path)) else { return };
        let ctx = JobCtx { files: Arc::clone(&self.files), ..JobCtx::silent() };
        match reports::prune(directory.to_owned(), state, &ctx).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!("{removed} old reports in {} were removed", directory.display()),
            Err(error) => tracing::warn!("old reports in {} stay: {}", directory.display(), error.message()),
        }
    }

    fn not_written(&mut self, path: &Path, failure: Failure) {
        self.lost.insert(path.to_owned(), failure.clone());
        self.say(Found::NotSaved(path.to_owned(), failure));
    }

    /// Of files that belong together one could not be written: the others are not tried, and all is told at once.
    fn given_up(&mut self, path: &Path, others: impl Iterator<Item = (PathBuf, String)>, failure: Failure) {
        let others: Vec<PathBuf> = others.map(|(path, _)| path).collect();
        let names = others.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy());
        let names = names.collect::<Vec<_>>().join(" and ");
        self.lost.extend(others.into_iter().map(|path| (path, failure.clone())));
        let hint =
            (!names.is_empty()).then(|| format!("{names} were not tried either: they belong together"));
        self.not_written(path, hint.into_iter().fold(failure, Failure::hint));
    }

    /// Writes all of these, or none where one of them is there. What comes there meanwhile is not written over, either.
    async fn write_new(&mut self, texts: Vec<(PathBuf, String)>) {
        let files = Arc::clone(&self.files);
        let paths: Vec<PathBuf> = texts.iter().map(|(path, _)| path.clone()).collect();
        let wanted = paths.clone();
        let in_a_bundle = off(move || wanted.into_iter().find_map(|path| Some((around(&path)?, path)))).await;
        if let Ok(Some((bundle, path))) = in_a_bundle {
            let words = format!("{} is a signed bundle: nothing is ever added to it", bundle.display());
            let failure = Failure::usage(words).hint("the directory above it is a good place");
            return self.say(Found::NotSaved(path, failure));
        }
        let is_there = move |path: &PathBuf| matches!(files.stat(path), Ok(Some(_)));
        let is_free = off(move || !paths.iter().any(is_there)).await.unwrap_or(false);
        let (mut there, mut saved) = (Vec::new(), Vec::new());
        let mut texts = texts.into_iter();
        while let Some((path, text)) = texts.next() {
            let put =
                if is_free { self.put(&path, &text, store::write_new).await } else { Ok(Wrote::Nothing) };
            match put {
                Ok(Wrote::All) => saved.push(path),
                Ok(Wrote::Nothing) => there.push((path, text)),
                Err(failure) => self.given_up(&path, texts.by_ref(), failure),
            }
        }
        if !saved.is_empty() {
            self.say(Found::Saved(saved));
        }
        if !there.is_empty() {
            self.say(Found::Exists(there));
        }
    }

    /// Writes all of these in the place of what is there, and tells of them at once.
    async fn write_over(&mut self, texts: Vec<(PathBuf, String)>) {
        let mut saved = Vec::new();
        let mut texts = texts.into_iter();
        while let Some((path, text)) = texts.next() {
            match self.put(&path, &text, store::write_over).await {
                Ok(_) => saved.push(path),
                Err(failure) => self.given_up(&path, texts.by_ref(), failure),
            }
        }
        if !saved.is_empty() {
            self.say(Found::Saved(saved));
        }
    }

    /// Writes one file and tells of it, unless something is in its place that must not be replaced.
    async fn write(&mut self, path: &Path, text: &str, how: How) {
        match self.put(path, text, how).await {
            Ok(Wrote::All) => self.say(Found::Saved(vec![path.to_owned()])),
            Ok(Wrote::Nothing) => {}
            Err(failure) => self.not_written(path, failure),
        }
    }

    /// The same, but that all is left to be told.
    async fn put(&mut self, path: &Path, text: &str, how: How) -> Result<Wrote, Failure> {
        let (files, place, text) = (Arc::clone(&self.files), path.to_owned(), text.to_owned());
        let written = off(move || write_one(&*files, &place, text.as_bytes(), how)).await;
        let written = written.and_then(|done| done);
        if matches!(written, Ok(Wrote::All)) {
            self.lost.remove(path);
        }
        written
    }

    /// Takes references out of a lock file and keeps what it said of them.
    async fn leave_out(&mut self, lock: PathBuf, dropped: BTreeSet<Reference>) {
        // What it said of them before holds no more, also where it says nothing now.
        let before = std::mem::take(&mut self.left_out).without(&dropped);
        let part = self.rewrite(lock, move |path, ctx| lockfile::leave_out(path, &dropped, ctx)).await;
        self.left_out = part.unwrap_or_default().with(&before);
    }

    /// Has a lock file speak of references again that were taken out of it.
    async fn put_back(&mut self, lock: PathBuf, back: BTreeSet<Reference>) {
        let part = self.left_out.clone();
        self.rewrite(lock, move |path, ctx| lockfile::put_back(path, &back, &part, ctx)).await;
    }

    /// Writes a lock file anew and tells of it. The next job over the list writes it again: what failed is told, not kept.
    async fn rewrite<T: Send + 'static>(
        &self,
        lock: PathBuf,
        how: impl FnOnce(&Path, &JobCtx) -> Result<T, EngineError> + Send + 'static,
    ) -> Option<T> {
        let ctx = JobCtx { files: Arc::clone(&self.files), ..JobCtx::silent() };
        let place = lock.clone();
        let written = off(move || how(&place, &ctx).map_err(Failure::from)).await;
        let (found, done) = match written.and_then(|done| done) {
            Ok(done) => (Found::Saved(vec![lock]), Some(done)),
            Err(failure) => (Found::NotSaved(lock, failure), None),
        };
        self.say(found);
        done
    }

    fn say(&self, found: Found) {
        let _ = self.tell.send(Msg::Found(found));
    }
}

fn write_one(files: &dyn Files, path: &Path, text: &[u8], how: How) -> Result<Wrote, Failure> {
    let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
        return Err(Failure::usage(format!("{} names no file", path.display())));
    };
    files.create_dir(directory)?;
    match how(files, path, text) {
        Err(error) if error.source.kind() == ErrorKind::AlreadyExists => Ok(Wrote::Nothing),
        other => other.map(|()| Wrote::All).map_err(Failure::from),
    }
}

/// The bundle that a file would be written into, wherever links and dots lead.
fn around(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let real = path.parent()?.ancestors().find_map(|place| place.canonicalize().ok())?;
    real.ancestors().find(|place| place.join(MANIFEST).is_file()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::engine::files::RealFiles;

    #[tokio::test]
    async fn of_two_who_save_at_once_one_is_asked_and_no_text_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, mut told) = unbounded_channel();
        let writers = ["ours", "theirs"].map(|who| (who, Writes::begin(tell.clone(), Arc::new(RealFiles))));
        for round in 0..100 {
            let path = dir.path().join(format!("{round}/report.txt"));
            for (who, writes) in &writers {
                writes.new_ones(vec![(path.clone(), (*who).to_owned())]);
            }
            let (mut saved, mut asked) = (0, String::new());
            for _ in &writers {
                match told.recv().await.unwrap() {
                    Msg::Found(Found::Saved(paths)) => saved += paths.len(),
                    Msg::Found(Found::Exists(texts)) => asked.push_str(&texts[0].1),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(saved, 1, "round {round}");
            assert_ne!(std::fs::read_to_string(&path).unwrap(), asked, "round {round}");
        }
    }

    #[tokio::test]
    async fn nothing_is_written_into_a_signed_bundle_however_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, mut told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        let bundle = dir.path().join("site-42");
        std::fs::create_dir_all(bundle.join("blobs")).unwrap();
        std::fs::create_dir_all(bundle.join("airlift")).unwrap();
        std::fs::write(bundle.join(MANIFEST), "{}").unwrap();
        std::os::unix::fs::symlink(bundle.join("blobs"), dir.path().join("link")).unwrap();
        for place in ["site-42", "site-42/new/below", "site-42/blobs/../.", "link"] {
            let path = dir.path().join(place).join("report.txt");
            writes.new_ones(vec![(path.clone(), "mine".to_owned())]);
            match told.recv().await.unwrap() {
                Msg::Found(Found::NotSaved(refused, failure)) => {
                    assert_eq!(refused, path);
                    assert!(failure.message.contains("is a signed bundle"), "{}", failure.message);
                }
                other => panic!("{place}: {other:?}"),
            }
            assert!(!path.exists() && !bundle.join("new").exists(), "{place}");
        }
        writes.new_ones(vec![(dir.path().join("report.txt"), "mine".to_owned())]);
        assert!(matches!(told.recv().await, Some(Msg::Found(Found::Saved(_)))));
    }

    #[tokio::test]
    async fn of_files_that_belong_together_it_is_told_once_that_they_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let (tell, mut told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        let paths = ["txt", "md", "json"].map(|end| dir.path().join("file").join(format!("report.{end}")));
        let texts = || paths.iter().map(|path| (path.clone(), "mine".to_owned())).collect::<Vec<_>>();
        for write in [Writes::new_ones, Writes::over] {
            write(&writes, texts());
            let lost = writes.all().await;
            assert_eq!(lost.keys().collect::<BTreeSet<_>>(), paths.iter().collect::<BTreeSet<_>>());
            match told.try_recv() {
                Ok(Msg::Found(Found::NotSaved(path, failure))) => {
                    assert_eq!(path, paths[0]);
                    let words = "report.md and report.json were not tried either: they belong together";
                    assert!(failure.hints.iter().any(|hint| hint == words), "{failure:?}");
                }
                other => panic!("{other:?}"),
            }
            assert!(told.try_recv().is_err(), "it was told once");
        }
    }

    #[tokio::test]
    async fn a_lock_file_loses_what_was_dropped_until_it_comes_back_and_one_that_cannot_be_read_is_told_and_kept()
     {
        let dir = tempfile::tempdir().unwrap();
        let (path, ctx) = (dir.path().join("images.lock"), JobCtx::silent());
        let (tell, mut told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        let dropped: BTreeSet<Reference> = ["gone:1".parse().unwrap()].into();
        let lacking =
            Lock::default().lacking(["docker.io/library/gone:1".into(), "docker.io/library/b:1".into()]);
        lockfile::write(&path, &lacking, &ctx).unwrap();
        writes.leave_out(path.clone(), dropped.clone());
        assert!(
            matches!(told.recv().await, Some(Msg::Found(Found::Saved(saved))) if saved == [path.clone()])
        );
        let left = lockfile::read(&path, &ctx).unwrap().unwrap();
        assert_eq!(left.unresolved(), ["docker.io/library/b:1"]);
        writes.put_back(path.clone(), dropped.clone());
        assert!(
            matches!(told.recv().await, Some(Msg::Found(Found::Saved(saved))) if saved == [path.clone()])
        );
        assert_eq!(lockfile::read(&path, &ctx).unwrap(), Some(lacking));
        std::fs::write(&path, "damaged").unwrap();
        for write in [Writes::leave_out, Writes::put_back] {
            write(&writes, path.clone(), dropped.clone());
            assert!(matches!(told.recv().await, Some(Msg::Found(Found::NotSaved(lost, _))) if lost == path));
        }
        assert!(writes.all().await.is_empty());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "damaged");
    }

    #[tokio::test]
    async fn with_each_report_that_is_added_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, _told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        let long_ago = SystemTime::now() - std::time::Duration::from_secs(100 * 86_400);
        for number in 0..150 {
            let path = dir.path().join(format!("site-{number}-0123abcd-packed.txt"));
            std::fs::File::create(path).unwrap().set_modified(long_ago).unwrap();
        }
        let path = dir.path().join("site-150-0123abcd-packed.txt");
        writes.report(path.clone(), "new".to_owned(), dir.path().join("state"));
        assert!(writes.all().await.is_empty());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 100);
    }

    #[tokio::test]
    async fn where_one_of_several_is_there_none_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (tell, mut told) = unbounded_channel();
        let writes = Writes::begin(tell, Arc::new(RealFiles));
        let texts = ["a.txt", "a.md"].map(|name| (dir.path().join(name), name.to_owned())).to_vec();
        std::fs::write(dir.path().join("a.md"), "theirs").unwrap();
        writes.new_ones(texts.clone());
        assert!(writes.all().await.is_empty());
        assert!(matches!(told.recv().await, Some(Msg::Found(Found::Exists(there))) if there == texts));
        assert!(!dir.path().join("a.txt").exists());
        assert_eq!(std::fs::read_to_string(dir.path().join("a.md")).unwrap(), "theirs");
        // Where that is wanted all are written, and told of at once.
        let paths: Vec<_> = texts.iter().map(|(path, _)| path.clone()).collect();
        writes.over(texts);
        assert!(matches!(told.recv().await, Some(Msg::Found(Found::Saved(saved))) if saved == paths));
        assert_eq!(std::fs::read_to_string(dir.path().join("a.md")).unwrap(), "a.md");
    }
}
