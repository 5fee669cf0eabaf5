//! Carries out what the state machine asks for, on tasks of their own; every outcome comes back as a message.

pub mod ends;
pub mod passphrase;
mod turns;
mod writes;

use std::any::Any;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc as blocking};
use std::time::Duration;

use futures_util::FutureExt;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use super::find::find;
use super::model::Settings;
use super::msg::{Effect, Ended, Found, Level, Msg, Query};
use crate::domain::job::JobId;
use crate::domain::progress::{Event, Phase};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, FileError, Kind};
use crate::engine::import::changes::dismiss;
use crate::engine::jobs::record;
use crate::engine::jobs::{End, Job, JobManager, panicked};
use crate::engine::media::Watch;
use crate::engine::spec::{Host, JobReport, JobSpec};
use crate::engine::watched::Watched;
use crate::failure::Failure;
use turns::Turns;
use writes::Writes;

/// A job's view is passed on at most this often.
const BEAT: Duration = Duration::from_millis(50);

/// Does things outside.
#[derive(Clone)]
pub struct Runner {
    tell: UnboundedSender<Msg>,
    settings: Settings,
    jobs: JobManager,
    ctx: JobCtx,
    asked: Arc<Mutex<Option<blocking::Sender<Option<SecretString>>>>>,
    asking: Arc<Mutex<Vec<(Query, AbortHandle)>>>,
    turns: Arc<Mutex<Turns>>,
    writes: Writes,
    /// The lock of the kept list, where that was taken over.
    list: Arc<OnceLock<File>>,
    /// Where tasks run: never on the thread that answers keys.
    tasks: Handle,
}

impl Runner {
    /// Over the channel to the state machine; what is done runs on the runtime that this is called in.
    pub fn new(tell: UnboundedSender<Msg>, settings: Settings, ctx: JobCtx) -> Self {
        let writes = Writes::begin(tell.clone(), ctx.files.clone());
        let (asked, asking, turns, list) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        let (jobs, tasks) = (JobManager::new(), Handle::current());
        Self { tell, settings, jobs, ctx, asked, asking, turns, writes, list, tasks }
    }

    fn say(&self, msg: Msg) {
        // Nobody listens any more once the workstation is left.
        let _ = self.tell.send(msg);
    }

    /// Does what is asked for; gives back what is the terminal's to do.
    pub fn carry_out(&self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Start(_, spec) => self.start(*spec),
            Effect::Cancel(id) => self.cancel(id),
            Effect::Pause(id, paused) => self.pause(id, paused),
            Effect::Ask(query) => self.ask(query),
            Effect::Leave(query) => self.leave(&query),
            Effect::Passphrase(secret) => self.answer(secret),
            Effect::Forget(id) => self.forget(id),
            Effect::Dismiss(run) => self.dismiss(run),
            Effect::Save(path, text)
                if [self.settings.list_file(), self.settings.kept_list()].contains(&path) =>
            {
                self.writes.list(path, text);
            }
            Effect::Make(path) => self.make(path),
            Effect::Save(path, text) if path.parent() == Some(&self.settings.paths.reports()) => {
                self.writes.report(path, text, self.settings.paths.state());
            }
            Effect::Save(path, text) => self.writes.over(vec![(path, text)]),
            Effect::Replace(files) => self.writes.over(files),
            Effect::Aside => self.writes.aside(),
            Effect::TakenIn(changes) => self.writes.taken_in(changes),
            Effect::AwaitList => self.await_list(),
            Effect::AwaitWrites => self.tell_written(),
            Effect::LeaveOut(lock, dropped) => self.writes.leave_out(lock, dropped),
            Effect::PutBack(lock, back) => self.writes.put_back(lock, back),
            Effect::SaveNew(files) => self.writes.new_ones(files),
            effect => return Some(effect),
        }
        None
    }

    /// Makes a directory, never those above it: where a medium was pulled, its mount point is not made again.
    fn make(&self, path: PathBuf) {
        let runner = self.clone();
        self.tasks.spawn(async move {
            let place = path.clone();
            let made = off(move || match std::fs::create_dir(&place) {
                Err(_) if place.is_dir() => Ok(()),
                made => {
                    made.map_err(|source| FileError { operation: "create directory", path: place, source })
                }
            });
            match made.await.map(|made| made.map_err(|error| Failure::from(EngineError::from(error)))) {
                Ok(Ok(())) => runner.ask(Query::Place(path)),
                Ok(Err(failure)) | Err(failure) => {
                    runner.say(Msg::Found(Found::Failed(Query::Place(path), failure)));
                }
            }
        });
    }

    /// Starts a job as soon as the files are written that were asked for before it; its views, milestones and its one
    /// end come as messages. A job that would read the list does not start where that was not saved.
    pub fn start(&self, spec: JobSpec) {
        let (runner, written) = (self.clone(), self.writes.all());
        self.tasks.spawn(async move {
            let lost = written.await;
            let reads = matches!(spec, JobSpec::Resolve(_) | JobSpec::Pack(_));
            if let Some(failure) = lost.get(&runner.settings.list_file()).filter(|_| reads) {
                let message = format!("the list was not saved: {}", failure.message);
                let hints = failure.hints.iter().cloned().chain(["nothing was started".to_owned()]).collect();
                return runner.say(Msg::NotStarted(Failure { kind: failure.kind, message, hints }));
            }
            let host = Host { passphrases: Arc::new(runner.clone()) };
            let job = runner.jobs.start_spec(spec, host, &runner.ctx);
            let id = job.id;
            if let Err(panic) = AssertUnwindSafe(runner.follow(job)).catch_unwind().await {
                // Whatever the job does, nobody hears of it any more.
                runner.cancel(id);
                runner.say(Msg::Ended(id, Ended::Failed(broken("following the job", &*panic))));
            }
        });
    }

    /// Looks at the media again whenever the kernel tells of a change, as long as the workstation is there.
    pub async fn watch_media(&self) {
        let mut watch = match Watch::start() {
            Ok(watch) => watch,
            Err(error) => {
                let words =
                    format!("media are not watched ({error}): a re-scan on the Media screen looks again");
                return self.say(Msg::Said(Level::Warn, words));
            }
        };
        if let Some(reason) = watch.slow() {
            let words = format!("no kernel events for media ({reason}): scanning every two seconds");
            self.say(Msg::Said(Level::Info, words));
        }
        loop {
            watch.changed().await;
            self.ask(Query::Media);
        }
    }

    /// Looks at the host again whenever a key or the list of trusted ones changes, as by a command.
    pub async fn watch_host(&self) {
        let paths = &self.settings.paths;
        let directories = vec![paths.data_dir().to_owned(), paths.config_dir().to_owned()];
        let mut watched = match Watched::start(directories) {
            Ok(watched) => watched,
            Err(error) => {
                let words =
                    format!("keys that a command makes are not noticed ({error}) until Start is entered");
                return self.say(Msg::Said(Level::Info, words));
            }
        };
        loop {
            watched.changed().await;
            self.ask(Query::Host);
        }
    }

    async fn follow(&self, mut job: Job<JobReport>) {
        let id = job.id;
        self.say(Msg::Job(id, job.view.borrow_and_update().clone()));
        loop {
            tokio::select! {
                event = job.milestones.recv() => match event {
                    Some(event) => self.said(id, event),
                    None => break,
                },
                changed = job.view.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let view = job.view.borrow_and_update().clone();
                    self.say(Msg::Job(id, view));
                    tokio::time::sleep(BEAT).await;
                }
            }
        }
        while let Ok(event) = job.milestones.try_recv() {
            self.said(id, event);
        }
        self.say(Msg::Job(id, job.view.borrow().clone()));
        let ended = match job.end().await {
            End::Succeeded(report) => Ended::Succeeded(Arc::new(report)),
            // Whoever would not give a passphrase wants it stopped.
            End::Failed(error) if error.kind() == Kind::Interrupted => Ended::Cancelled,
            End::Failed(error) => Ended::Failed(error.into()),
            End::Cancelled { left, .. } => {
                self.say(Msg::Left(id, left));
                Ended::Cancelled
            }
        };
        self.answer(None);
        self.say(Msg::Ended(id, ended));
    }

    fn said(&self, id: JobId, event: Event) {
        let (level, words) = match &event {
            Event::Note { text } => (Level::Info, text.clone()),
            Event::Warning { text } => (Level::Warn, text.clone()),
            Event::Failed { item, reason, .. } => (Level::Fail, format!("{item}: {reason}")),
            Event::Retry { item, attempt, reason, .. } => {
                (Level::Warn, format!("{item}: {reason}; attempt {attempt}"))
            }
            Event::Started { phase, .. } => (Level::Info, format!("{} begins", phase.name())),
            Event::Finished { phase } => (Level::Info, format!("{} is over", phase.name())),
            Event::Resolved { image } => (Level::Info, format!("{}: {}", image.reference, image.digest)),
            Event::Item { phase: Phase::Resolve, .. } | Event::Absent { .. } => {
                return self.say(Msg::Milestone(id, Box::new(event)));
            }
            _ => return,
        };
        self.say(Msg::Said(level, words));
        if matches!(event, Event::Resolved { .. } | Event::Failed { phase: Phase::Resolve, .. }) {
            self.say(Msg::Milestone(id, Box::new(event)));
        }
    }

    /// Asks a job to stop.
    pub fn cancel(&self, id: JobId) {
        self.jobs.cancel(id);
        self.answer(None);
    }

    /// Pauses a job or lets it go on.
    pub fn pause(&self, id: JobId, paused: bool) {
        self.jobs.pause(id, paused);
    }

    /// Answers the job that waits for a passphrase.
    pub fn answer(&self, secret: Option<SecretString>) {
        let waiting = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            let _ = waiting.send(secret);
        }
    }

    async fn find(&self, query: Query) {
        // A look that panics is a failed one: whoever waits for it hears of it, and the next may begin.
        let looked = AssertUnwindSafe(find(&query, &self.settings, &self.ctx)).catch_unwind().await;
        match looked.unwrap_or_else(|panic| Err(broken("a look", &*panic))) {
            Ok(found) => {
                if let Found::Last(text, _) = &found {
                    self.writes.known(self.settings.list_file(), text.clone());
                }
                self.say(Msg::Found(found));
            }
            Err(failure) => self.say(Msg::Found(Found::Failed(query, failure))),
        }
    }

    /// Answers a query, in time. Surveys are made one after the other: no older one overtakes a later one.
    pub fn ask(&self, query: Query) {
        if Turns::of(&query).is_some() {
            let begun = self.turns.lock().unwrap_or_else(PoisonError::into_inner).begin(query);
            let runner = self.clone();
            self.tasks.spawn(async move {
                let mut next = begun;
                while let Some(query) = next {
                    runner.find(query.clone()).await;
                    next = runner.turns.lock().unwrap_or_else(PoisonError::into_inner).done(&query);
                }
            });
            return;
        }
        let (runner, asked) = (self.clone(), query.clone());
        let answer = self.tasks.spawn(async move { runner.find(query).await });
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        // An older look at the same does not answer for this one.
        asking.iter().filter(|(other, _)| *other == asked).for_each(|(_, answer)| answer.abort());
        asking.retain(|(other, answer)| *other != asked && !answer.is_finished());
        asking.push((asked, answer.abort_handle()));
    }

    /// Offers a job no longer that was cut off; what is left to offer comes as an answer.
    pub fn forget(&self, id: uuid::Uuid) {
        let (runner, ctx, state) = (self.clone(), self.ctx.clone(), self.settings.paths.state());
        self.tasks.spawn(async move {
            let gone = off(move || record::forget(&state, id, &ctx).map_err(Failure::from)).await;
            match gone.and_then(|gone| gone) {
                Ok(()) => runner.ask(Query::Interrupted),
                Err(failure) => runner.say(Msg::Found(Found::Failed(Query::Interrupted, failure))),
            }
        });
    }

    /// Offers an import no longer that ended early; what is left to offer comes as an answer.
    pub fn dismiss(&self, run: PathBuf) {
        let (runner, ctx) = (self.clone(), self.ctx.clone());
        self.tasks.spawn(async move {
            let work = move || dismiss(&*ctx.files, &run, ctx.clock.now()).map_err(Failure::from);
            if let Err(failure) = off(work).await.and_then(|done| done) {
                runner.say(Msg::Found(Found::Failed(Query::Noted, failure)));
            }
            runner.ask(Query::Noted);
        });
    }

    /// Waits no longer for the answer to a query.
    pub fn leave(&self, query: &Query) {
        let asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.iter().filter(|(asked, _)| asked == query).for_each(|(_, answer)| answer.abort());
    }
}

/// A mistake of the program, told as any other failure is.
fn broken(what: &str, panic: &(dyn Any + Send)) -> Failure {
    let failure = Failure::new(Kind::Other, format!("{what} crashed: {}", panicked(panic)));
    failure.hint("this is a mistake in airlift: the log has it, and is saved from there for a report")
}

/// Runs something that blocks.
pub(super) async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::new(Kind::Other, error.to_string()))
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::config::paths::Paths;
    use crate::engine::registry::RegistryOptions;
    use crate::engine::select::Source;
    use crate::engine::spec::{Images, ResolveJob};

    #[tokio::test]
    async fn of_two_looks_at_one_place_only_the_last_answers() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            paths: Paths::new(dir.path().join("config"), dir.path().join("data")),
            registry: RegistryOptions::default(),
            configured: RegistryOptions::default(),
            home: None,
            zone: jiff::tz::TimeZone::UTC,
            host: crate::engine::media::Host::default(),
        };
        let (tell, mut told) = unbounded_channel();
        let runner = Runner::new(tell, settings, JobCtx::silent());
        let place = || Query::PublicKey(dir.path().join("none"));
        runner.ask(place());
        runner.ask(place());
        drop(runner);
        // The channel ends with those that hold it.
        let mut answers = 0;
        while let Some(msg) = told.recv().await {
            answers += usize::from(matches!(msg, Msg::Found(_)));
        }
        assert_eq!(answers, 1);
    }

    #[tokio::test]
    async fn no_job_starts_from_a_list_that_was_not_saved() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        // A file where a directory is to be: nothing can be saved below it.
        std::fs::write(&data, "").unwrap();
        let settings = Settings {
            paths: Paths::new(dir.path().join("config"), data.clone()),
            registry: RegistryOptions::default(),
            configured: RegistryOptions::default(),
            home: None,
            zone: jiff::tz::TimeZone::UTC,
            host: crate::engine::media::Host::default(),
        };
        let (tell, mut told) = unbounded_channel();
        let runner = Runner::new(tell, settings.clone(), JobCtx::silent());
        let list = settings.list_file();
        let verify = || {
            JobSpec::Resolve(ResolveJob {
                images: Images { sources: vec![Source::List(settings.list_file())], ..Images::default() },
                lock: None,
                write_lock: false,
                keep: false,
                state: None,
                jobs: 1,
                registry: RegistryOptions::default(),
            })
        };
        runner.writes.over(vec![(list.clone(), "# none\n".to_owned())]);
        runner.start(verify());
        let failure = loop {
            match told.recv().await.unwrap() {
                Msg::NotStarted(failure) => break failure,
                Msg::Found(Found::NotSaved(path, _)) => assert_eq!(path, list),
                other => panic!("{other:?}"),
            }
        };
        assert!(failure.message.starts_with("the list was not saved: "), "{}", failure.message);
        assert!(runner.written().await.unwrap_err().words.contains("the list was not saved"));
        std::fs::remove_file(&data).unwrap();
        runner.writes.over(vec![(list, "# none\n".to_owned())]);
        runner.start(verify());
        while !matches!(told.recv().await.unwrap(), Msg::Ended(..)) {}
        runner.written().await.unwrap();
    }
}
