//! Carries out what the state machine asks for, on tasks of their own; every outcome comes back as a message.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::mpsc::UnboundedSender;

use super::model::Settings;
use super::msg::{Ended, Found, Level, Msg, Query};
use crate::domain::job::JobId;
use crate::domain::progress::Event;
use crate::engine::ctx::JobCtx;
use crate::engine::host::{HostSpec, look};
use crate::engine::jobs::{End, Job, JobManager};
use crate::engine::registry::Registry;
use crate::engine::sign::Passphrases;
use crate::engine::spec::{Host, Images, JobReport, JobSpec};
use crate::failure::Failure;

/// A job's view is passed on at most this often.
const BEAT: Duration = Duration::from_millis(50);
/// Holds a passphrase for hosts without a terminal.
const PASSPHRASE: &str = "AIRLIFT_KEY_PASSPHRASE";

/// Does things outside.
#[derive(Clone)]
pub struct Runner {
    tell: UnboundedSender<Msg>,
    settings: Settings,
    jobs: JobManager,
    ctx: JobCtx,
    asked: Arc<Mutex<Option<blocking::Sender<Option<SecretString>>>>>,
}

impl Runner {
    /// Over the channel to the state machine.
    pub fn new(tell: UnboundedSender<Msg>, settings: Settings, ctx: JobCtx) -> Self {
        Self { tell, settings, jobs: JobManager::new(), ctx, asked: Arc::default() }
    }

    fn say(&self, msg: Msg) {
        // Nobody listens any more once the workstation is left.
        let _ = self.tell.send(msg);
    }

    /// Starts a job; its views, milestones and its one end come as messages.
    pub fn start(&self, spec: JobSpec) {
        let host = Host { passphrases: Arc::new(self.clone()) };
        let job = self.jobs.start_spec(spec, host, &self.ctx);
        let runner = self.clone();
        tokio::spawn(async move { runner.follow(job).await });
    }

    async fn follow(&self, mut job: Job<JobReport>) {
        let id = job.id;
        self.say(Msg::Job(id, job.view.borrow_and_update().clone()));
        loop {
            tokio::select! {
                event = job.milestones.recv() => match event {
                    Some(event) => self.said(&event),
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
            self.said(&event);
        }
        self.say(Msg::Job(id, job.view.borrow().clone()));
        let ended = match job.end().await {
            End::Succeeded(report) => Ended::Succeeded(Arc::new(report)),
            End::Failed(error) => Ended::Failed(error.into()),
            End::Cancelled { .. } => Ended::Cancelled,
        };
        self.answer(None);
        self.say(Msg::Ended(id, ended));
    }

    fn said(&self, event: &Event) {
        let (level, words) = match event {
            Event::Note { text } => (Level::Info, text.clone()),
            Event::Warning { text } => (Level::Warn, text.clone()),
            Event::Failed { item, reason, .. } => (Level::Fail, format!("{item}: {reason}")),
            Event::Retry { item, attempt, reason, .. } => {
                (Level::Warn, format!("{item}: {reason}; attempt {attempt}"))
            }
            Event::Started { phase, .. } => (Level::Info, format!("{} begins", phase.name())),
            Event::Finished { phase } => (Level::Info, format!("{} is over", phase.name())),
            _ => return,
        };
        self.say(Msg::Said(level, words));
    }

    /// Asks a job to stop.
    pub fn cancel(&self, id: JobId) {
        self.jobs.cancel(id);
        self.answer(None);
    }

    /// Pauses a job or lets it go on.
    pub fn pause(&self, id: JobId, paused: bool) {
        tracing::debug!(%id, paused, "asked to pause");
    }

    /// Answers the job that waits for a passphrase.
    pub fn answer(&self, secret: Option<SecretString>) {
        let waiting = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            let _ = waiting.send(secret);
        }
    }

    /// Answers a query, in time.
    pub fn ask(&self, query: Query) {
        let runner = self.clone();
        tokio::spawn(async move {
            match runner.find(&query).await {
                Ok(found) => runner.say(Msg::Found(found)),
                Err(failure) => runner.say(Msg::Found(Found::Failed(query, failure))),
            }
        });
    }

    async fn find(&self, query: &Query) -> Result<Found, Failure> {
        Ok(match query {
            Query::Host => {
                let paths = &self.settings.paths;
                let spec = HostSpec { root: "/".into(), key: paths.key(), trust: paths.allowed_signers() };
                Found::Host(Arc::new(off(move || look(&spec)).await?))
            }
            Query::Select(images) => Found::Selected(Box::new(self.select(images).await?)),
            Query::Repositories(host) => {
                let found = async { Ok(self.registry()?.catalog(host).await?) };
                Found::Repositories(host.clone(), found.await)
            }
            Query::Tags(repository) => {
                let found = async { Ok(self.registry()?.tags(repository).await?) };
                Found::Tags(repository.clone(), found.await)
            }
        })
    }

    fn registry(&self) -> Result<Registry, Failure> {
        Ok(Registry::new(self.settings.registry.clone())?)
    }

    async fn select(&self, images: &Images) -> Result<crate::domain::selection::Requests, Failure> {
        Ok(images.requests(&self.registry()?, &self.ctx).await?)
    }

    /// Writes a small file: beside it first, then in its place.
    pub fn save(&self, path: PathBuf, text: String) {
        let runner = self.clone();
        tokio::spawn(async move {
            let (files, place) = (runner.ctx.files.clone(), path.clone());
            let written = off(move || write(&*files, &place, text.as_bytes())).await.and_then(|done| done);
            runner.say(Msg::Found(match written {
                Ok(()) => Found::Saved(path),
                Err(failure) => Found::NotSaved(path, failure),
            }));
        });
    }
}

fn write(files: &dyn crate::engine::files::Files, path: &Path, text: &[u8]) -> Result<(), Failure> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return Err(Failure::usage(format!("{} names no file", path.display())));
    };
    files.create_dir(directory)?;
    crate::engine::store::write_file(files, directory, name, text)?;
    Ok(())
}

/// Runs something that blocks.
async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::new(crate::engine::error::Kind::Other, error.to_string()))
}

impl Passphrases for Runner {
    fn passphrase(&self, key: &Path) -> std::io::Result<SecretString> {
        if let Ok(given) = std::env::var(PASSPHRASE) {
            return Ok(SecretString::from(given));
        }
        let (answer, answered) = blocking::channel();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.say(Msg::NeedsPassphrase(key.to_owned()));
        let secret = answered.recv().ok().flatten();
        secret.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::Interrupted, "no passphrase was given"))
    }
}
