//! Runs jobs in the background: each has an id, a cancel token, its milestones in order, a snapshot, and exactly one end.

mod copies;
mod made;
pub mod mounted;
pub mod onto;
pub mod record;
pub mod reports;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::ctx::{JobCtx, PauseSwitch, Report};
use super::error::{EngineError, Explain, Kind, Result};
use super::spec::{self, Host, JobReport, JobSpec};
use crate::domain::job::JobId;
use crate::domain::progress::Event;
use crate::domain::view::JobView;

/// Byte counts change the snapshot at most this often.
const BEAT: Duration = Duration::from_millis(100);

/// A job's code panicked: a bug, told like any other failure.
#[derive(Debug, thiserror::Error)]
#[error("internal error in {title}: {message}")]
pub struct Panicked {
    /// Of the job.
    pub title: String,
    /// What the panic said.
    pub message: String,
}

impl Explain for Panicked {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn hints(&self) -> Vec<String> {
        vec!["this is a bug in airlift; the same job checks what is there before it goes on".to_owned()]
    }
}

/// How a job ended.
#[derive(Debug)]
pub enum End<R> {
    /// With its report.
    Succeeded(R),
    /// With an error.
    Failed(EngineError),
    /// On request.
    Cancelled {
        /// Whether the same job goes on from where this one stopped.
        resumable: bool,
        /// What it left behind, and how that is taken back, as far as the job says so.
        left: Vec<String>,
    },
}

/// A started job. Dropping it neither stops the job nor loses its end's effects.
pub struct Job<R> {
    /// Its number.
    pub id: JobId,
    /// Milestones in order, none left out; byte counts are in [`Job::view`] alone.
    pub milestones: mpsc::UnboundedReceiver<Event>,
    /// The latest snapshot.
    pub view: watch::Receiver<Arc<JobView>>,
    end: oneshot::Receiver<End<R>>,
    title: String,
}

impl<R> Job<R> {
    /// Waits for the one end.
    pub async fn end(self) -> End<R> {
        let lost = Panicked { title: self.title, message: "its runtime was shut down".to_owned() };
        self.end.await.unwrap_or_else(|_| End::Failed(lost.into()))
    }
}

/// What is known of a job that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its number.
    pub id: JobId,
    /// Its title.
    pub title: String,
    /// Whether it was paused.
    pub paused: bool,
    /// Its latest snapshot.
    pub view: Arc<JobView>,
}

struct Entry {
    title: String,
    cancel: CancellationToken,
    pause: PauseSwitch,
    reporter: Arc<Reporter>,
    view: watch::Receiver<Arc<JobView>>,
}

/// Starts, lists and cancels jobs. Cheap to clone.
#[derive(Clone, Default)]
pub struct JobManager {
    last: Arc<AtomicU64>,
    running: Arc<Mutex<BTreeMap<JobId, Entry>>>,
}

impl JobManager {
    /// Without jobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a job from its spec; see [`JobManager::start`].
    pub fn start_spec(&self, spec: JobSpec, host: Host, ctx: &JobCtx) -> Job<JobReport> {
        let title = spec.title();
        self.start(&title, ctx, move |ctx| spec::run(spec, host, ctx))
    }

    /// Starts `work` on the current runtime, with the clock and files of `ctx`, a reporter that tells the one of
    /// `ctx` too, and a cancel token that follows the one of `ctx`.
    pub fn start<R, W, F>(&self, title: &str, ctx: &JobCtx, work: W) -> Job<R>
    where
        R: Send + 'static,
        W: FnOnce(JobCtx) -> F,
        F: Future<Output = Result<R>> + Send + 'static,
    {
        let id = JobId(self.last.fetch_add(1, Relaxed) + 1);
        let (milestone, milestones) = mpsc::unbounded_channel();
        let (publish, view) = watch::channel(Arc::new(JobView::default()));
        let cancel = ctx.cancel.child_token();
        let reporter = Arc::new(Reporter {
            began: Instant::now(),
            outer: ctx.reporter.clone(),
            milestone,
            publish,
            state: Mutex::new((JobView::default(), None)),
        });
        let job = JobCtx {
            reporter: reporter.clone(),
            cancel: cancel.clone(),
            pause: PauseSwitch::default(),
            ..ctx.clone()
        };
        let entry = Entry {
            title: title.to_owned(),
            cancel: cancel.clone(),
            pause: job.pause.clone(),
            reporter: reporter.clone(),
            view: view.clone(),
        };
        lock(&self.running).insert(id, entry);
        let (ended, end) = oneshot::channel();
        let task = tokio::spawn(work(job));
        let running = self.running.clone();
        let name = title.to_owned();
        tokio::spawn(async move {
            let end = end_of(task.await, &cancel, name);
            reporter.publish();
            lock(&running).remove(&id);
            // Nobody may be waiting.
            let _ = ended.send(end);
        });
        Job { id, milestones, view, end, title: title.to_owned() }
    }

    /// Asks a job to stop at its next safe point; false where it has ended.
    pub fn cancel(&self, id: JobId) -> bool {
        lock(&self.running).get(&id).map(|entry| entry.cancel.cancel()).is_some()
    }

    /// Lets a job stand still at its next pause point, or go on; false where it has ended or that is so already.
    pub fn pause(&self, id: JobId, paused: bool) -> bool {
        let running = lock(&self.running);
        let Some(entry) = running.get(&id).filter(|entry| entry.pause.set(paused)) else { return false };
        entry.reporter.event(Event::Paused { paused });
        true
    }

    /// The jobs that run, by number.
    pub fn running(&self) -> Vec<Running> {
        let view = |(id, entry): (&JobId, &Entry)| Running {
            id: *id,
            title: entry.title.clone(),
            paused: entry.pause.is_paused(),
            view: entry.view.borrow().clone(),
        };
        lock(&self.running).iter().map(view).collect()
    }
}

fn end_of<R>(
    joined: std::result::Result<Result<R>, tokio::task::JoinError>,
    cancel: &CancellationToken,
    title: String,
) -> End<R> {
    match joined {
        Ok(Ok(report)) => End::Succeeded(report),
        Ok(Err(error)) if cancel.is_cancelled() && error.kind() == Kind::Interrupted => {
            End::Cancelled { resumable: true, left: error.hints() }
        }
        Ok(Err(error)) => End::Failed(error),
        Err(error) => {
            let message = match error.try_into_panic() {
                Ok(panic) => panicked(panic.as_ref()),
                Err(error) => error.to_string(),
            };
            End::Failed(Panicked { title, message }.into())
        }
    }
}

/// What a panic said.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reporter {
    began: Instant,
    /// Whoever started the job listens too.
    outer: Arc<dyn Report>,
    milestone: mpsc::UnboundedSender<Event>,
    publish: watch::Sender<Arc<JobView>>,
    state: Mutex<(JobView, Option<Duration>)>,
}

impl Reporter {
    /// The view as it is in the end is the one that stays.
    fn publish(&self) {
        // Under the lock: a thread that outlives the job may still report.
        let state = lock(&self.state);
        self.publish.send_replace(Arc::new(state.0.clone()));
    }
}

impl Report for Reporter {
    fn event(&self, event: Event) {
        let mut state = lock(&self.state);
        // Under the lock: taken before it, it may be earlier than that of the one who was first.
        let at = self.began.elapsed();
        let (view, published) = &mut *state;
        view.apply(&event, at);
        let bytes = matches!(event, Event::Bytes { .. });
        if !bytes || view.paused || published.is_none_or(|last| at - last >= BEAT) {
            *published = Some(at);
            self.publish.send_replace(Arc::new(view.clone()));
        }
        // Both under the lock, so that they keep the order of the snapshots.
        if !bytes {
            let _ = self.milestone.send(event.clone());
        }
        self.outer.event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::progress::Phase;
    use crate::engine::error::Interrupted;

    #[tokio::test]
    async fn milestones_come_in_order_and_byte_counts_only_in_the_view() {
        let manager = JobManager::new();
        let mut job = manager.start("pack", &JobCtx::silent(), |ctx| async move {
            ctx.say(Event::Started { phase: Phase::Fetch, items: 1, bytes: 1000 });
            for done in 0..1000 {
                ctx.say(Event::Bytes { phase: Phase::Fetch, done });
            }
            ctx.say(Event::Finished { phase: Phase::Fetch });
            Ok(7)
        });
        let mut seen = Vec::new();
        while let Some(event) = job.milestones.recv().await {
            seen.push(event);
        }
        assert_eq!(seen.len(), 2);
        assert!(matches!(seen[1], Event::Finished { .. }));
        let view = job.view.borrow().clone();
        assert_eq!((view.phases[0].shown, view.phases[0].finished), (999, true));
        assert!(matches!(job.end().await, End::Succeeded(7)));
        assert!(manager.running().is_empty());
    }

    #[tokio::test]
    async fn the_last_view_of_a_job_that_was_paused_or_stopped_tells_all_that_came() {
        let manager = JobManager::new();
        let (paused, ended) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let (is_paused, ends) = (paused.clone(), ended.clone());
        let job = manager.start("pack", &JobCtx::silent(), |ctx| async move {
            ctx.say(Event::Started { phase: Phase::Fetch, items: 1, bytes: 1000 });
            is_paused.notified().await;
            for done in 1..=100 {
                ctx.say(Event::Bytes { phase: Phase::Fetch, done });
            }
            ends.notified().await;
            (101..=200).for_each(|done| ctx.say(Event::Bytes { phase: Phase::Fetch, done }));
            ctx.check()
        });
        let mut view = job.view.clone();
        assert!(manager.pause(job.id, true));
        paused.notify_one();
        let all = |done| move |view: &Arc<JobView>| view.phases.first().is_some_and(|one| one.shown == done);
        view.wait_for(all(100)).await.unwrap();
        assert!(manager.pause(job.id, false) && manager.cancel(job.id));
        ended.notify_one();
        assert!(matches!(job.end().await, End::Cancelled { .. }));
        assert_eq!(view.borrow().phases[0].shown, 200);
    }

    #[tokio::test]
    async fn many_threads_may_report_at_once() {
        const EACH: u64 = 20_000;
        let manager = JobManager::new();
        let job = manager.start("pack", &JobCtx::silent(), |ctx| async move {
            ctx.say(Event::Started { phase: Phase::Fetch, items: 0, bytes: EACH });
            let threads = [0; 4].map(|_| {
                let ctx = ctx.clone();
                let say = move || {
                    for done in 0..EACH {
                        ctx.say(Event::Bytes { phase: Phase::Fetch, done });
                        if done % 10 == 0 {
                            ctx.warn("so that the time of the last snapshot moves");
                        }
                    }
                };
                std::thread::spawn(say)
            });
            let panicked = threads.into_iter().filter_map(|thread| thread.join().err()).count();
            Ok(panicked)
        });
        assert!(matches!(job.end().await, End::Succeeded(0)));
    }

    #[tokio::test]
    async fn a_cancelled_job_ends_as_cancelled_and_is_not_listed_any_more() {
        let manager = JobManager::new();
        let job = manager.start("serve", &JobCtx::silent(), |ctx| async move {
            ctx.cancel.cancelled().await;
            ctx.check()
        });
        let id = job.id;
        assert_eq!(manager.running()[0].title, "serve");
        assert!(manager.cancel(id));
        assert!(matches!(job.end().await, End::Cancelled { resumable: true, .. }));
        assert!(!manager.cancel(id));
    }

    #[tokio::test]
    async fn cancelling_the_context_cancels_its_jobs_and_not_the_other_way_round() {
        let manager = JobManager::new();
        let ctx = JobCtx::silent();
        let wait = |ctx: JobCtx| async move {
            ctx.cancel.cancelled().await;
            ctx.check()
        };
        let (first, second) = (manager.start("a", &ctx, wait), manager.start("b", &ctx, wait));
        assert_eq!((first.id, second.id), (JobId(1), JobId(2)));
        manager.cancel(first.id);
        assert!(matches!(first.end().await, End::Cancelled { .. }));
        assert!(!ctx.cancel.is_cancelled());
        ctx.cancel.cancel();
        assert!(matches!(second.end().await, End::Cancelled { .. }));
    }

    #[tokio::test]
    async fn a_panic_and_an_error_without_a_request_are_failures() {
        let manager = JobManager::new();
        let job = manager
            .start::<(), _, _>("verify", &JobCtx::silent(), |_| async { panic!("index out of range") });
        let End::Failed(error) = job.end().await else { panic!("it did not fail") };
        assert_eq!(error.message(), "internal error in verify: index out of range");
        let job = manager.start::<(), _, _>("x", &JobCtx::silent(), |_| async { Err(Interrupted.into()) });
        assert!(matches!(job.end().await, End::Failed(_)));
    }
}
