//! What every job is handed: where to report, when to stop or stand still, the clock and the file layer.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::error::{Interrupted, Result};
use super::files::{Files, RealFiles};
use crate::domain::progress::Event;

/// Takes what a job says; must not block.
pub trait Report: Send + Sync {
    /// One event. [`Event::Bytes`] may come often: coalesce it.
    fn event(&self, event: Event);
}

/// Says nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Report for Silent {
    fn event(&self, _: Event) {}
}

/// Keeps all events; for tests and summaries.
#[derive(Debug, Default)]
pub struct Recording(Mutex<Vec<Event>>);

impl Recording {
    /// Everything said so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().map(|events| events.clone()).unwrap_or_default()
    }
}

impl Report for Recording {
    fn event(&self, event: Event) {
        if let Ok(mut events) = self.0.lock() {
            events.push(event);
        }
    }
}

/// Time of day; injected, because a static binary cannot be fooled by a faketime library.
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> jiff::Timestamp;
}

/// The host's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// A clock that stands still.
#[derive(Debug)]
pub struct FixedClock(pub jiff::Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> jiff::Timestamp {
        self.0
    }
}

/// Lets a job stand still between two chunks. All clones are one switch.
#[derive(Clone, Debug)]
pub struct PauseSwitch(Arc<watch::Sender<Rest>>);

/// How long it stood still before, and since when it does.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    before: Duration,
    since: Option<Instant>,
}

impl Default for PauseSwitch {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Rest::default())))
    }
}

impl PauseSwitch {
    /// Pauses or lets go on; false where that is so already.
    pub fn set(&self, paused: bool) -> bool {
        self.0.send_if_modified(|rest| {
            if rest.since.is_some() == paused {
                return false;
            }
            match rest.since.take() {
                Some(since) => rest.before += since.elapsed(),
                None => rest.since = Some(Instant::now()),
            }
            true
        })
    }

    /// Whether the job is to stand still.
    pub fn is_paused(&self) -> bool {
        self.0.borrow().since.is_some()
    }

    /// How long the job was to stand still so far, in all.
    pub fn rested(&self) -> Duration {
        let rest = *self.0.borrow();
        rest.before + rest.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    async fn released(&self) {
        // The sender is this switch's own, so it does not go away meanwhile.
        let _ = self.0.subscribe().wait_for(|rest| rest.since.is_none()).await;
    }
}

/// What a job works with. Cheap to clone.
#[derive(Clone)]
pub struct JobCtx {
    /// Where to report.
    pub reporter: Arc<dyn Report>,
    /// Cancelled when the job should stop at the next safe point.
    pub cancel: CancellationToken,
    /// Set while the job should stand still.
    pub pause: PauseSwitch,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The file layer.
    pub files: Arc<dyn Files>,
}

impl JobCtx {
    /// A context over the real host that says nothing.
    pub fn silent() -> Self {
        Self::new(Arc::new(Silent))
    }

    /// A context over the real host.
    pub fn new(reporter: Arc<dyn Report>) -> Self {
        Self {
            reporter,
            cancel: CancellationToken::new(),
            pause: PauseSwitch::default(),
            clock: Arc::new(SystemClock),
            files: Arc::new(RealFiles),
        }
    }

    /// Reports one event.
    pub fn say(&self, event: Event) {
        self.reporter.event(event);
    }

    /// Reports a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.say(Event::Warning { text: text.into() });
    }

    /// Fails when the job was asked to stop.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// To be called between two chunks: waits while the job is paused, and fails when it was asked to stop.
    ///
    /// # Errors
    /// [`Interrupted`], also out of a pause.
    pub async fn pause_point(&self) -> Result<()> {
        if self.pause.is_paused() {
            tokio::select! {
                () = self.pause.released() => {}
                () = self.cancel.cancelled() => {}
            }
        }
        self.check()
    }

    /// The same on a thread that may block, inside or outside of the runtime.
    ///
    /// # Errors
    /// As [`JobCtx::pause_point`].
    pub fn pause_point_blocking(&self) -> Result<()> {
        if self.pause.is_paused() { wait(self.pause_point()) } else { self.check() }
    }
}

/// Parks this thread until the future is done.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_paused_job_stands_still_until_it_is_let_go_or_stopped() {
        let ctx = JobCtx::silent();
        assert!(!ctx.pause.set(false) && ctx.pause.rested().is_zero());
        assert!(ctx.pause.set(true) && !ctx.pause.set(true));
        let blocked = {
            let ctx = ctx.clone();
            thread::spawn(move || ctx.pause_point_blocking())
        };
        let waiting = tokio::spawn({
            let ctx = ctx.clone();
            async move { ctx.pause_point().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished() && !blocked.is_finished());
        ctx.pause.set(false);
        let rested = ctx.pause.rested();
        assert!(!rested.is_zero() && ctx.pause.rested() == rested, "it counts while it stands still alone");
        assert!(waiting.await.unwrap().is_ok() && blocked.join().unwrap().is_ok());
        ctx.pause.set(true);
        let blocked = {
            let ctx = ctx.clone();
            thread::spawn(move || ctx.pause_point_blocking())
        };
        ctx.cancel.cancel();
        assert!(ctx.pause_point().await.is_err() && blocked.join().unwrap().is_err());
    }
}
