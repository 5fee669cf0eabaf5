//! What every job is handed: where to report, when to stop, the clock and the file layer.

use std::sync::Arc;
use std::sync::Mutex;

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

/// What a job works with. Cheap to clone.
#[derive(Clone)]
pub struct JobCtx {
    /// Where to report.
    pub reporter: Arc<dyn Report>,
    /// Cancelled when the job should stop at the next safe point.
    pub cancel: CancellationToken,
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
}
