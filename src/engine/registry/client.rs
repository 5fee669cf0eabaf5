//! The client itself: what it is made of, and how a call is repeated until it is answered, refused or given up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OnceCell;
use url::Url;

use super::RegistryOptions;
use super::auth::Auth;
use super::body;
use super::call::{Call, Failure, Response};
use super::credentials::CredentialFiles;
use super::error::{Problem, RegistryError, Result};
use super::limits::Limits;
use super::place::Place;
use super::redirect::Named;
use super::retry::{self, Absence, Pause, RealPause, Waits};
use super::transport::{HttpTransport, SharedTransport, Transport};
use crate::domain::progress::{Event, Phase};
use crate::engine::ctx::JobCtx;
use crate::engine::waited::Waited;

/// A client for any number of registries. One for each job: it caches tokens and connections. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    pub(super) core: Arc<Core>,
    watch: Option<Arc<Watch>>,
    /// By which a registry that is gone is waited for until it is back; nothing where it is not.
    absence: Option<Absence>,
    /// Left to others while a call waits to be tried again.
    place: Option<Arc<Place>>,
}

pub(super) struct Core {
    pub(super) named: Named,
    pub(super) limits: Limits,
    pub(super) transport: SharedTransport,
    pub(super) pause: Arc<dyn Pause>,
    pub(super) auth: Auth,
    pub(super) bases: Mutex<HashMap<String, Arc<OnceCell<Url>>>>,
}

struct Watch {
    ctx: JobCtx,
    phase: Phase,
    /// What the tries are for, where the caller has a name for it.
    item: Option<String>,
    /// Whether one failed, and none was answered since.
    tried: AtomicBool,
}

impl Registry {
    /// A client over the real network.
    ///
    /// # Errors
    /// [`Problem::Setup`] where a named file cannot be used.
    pub fn new(options: RegistryOptions) -> Result<Self> {
        Self::with_limits(options, Limits::default())
    }

    /// The same with other caps and time-outs.
    ///
    /// # Errors
    /// As [`Registry::new`].
    pub fn with_limits(options: RegistryOptions, limits: Limits) -> Result<Self> {
        for path in &options.ca {
            // Said now and not after the first hundred images.
            std::fs::File::open(path).map_err(|error| RegistryError {
                operation: "use",
                object: format!("the CA file {}", path.display()),
                host: String::new(),
                problem: Box::new(Problem::Setup(error.to_string())),
            })?;
        }
        let transport = HttpTransport::new(options.ca.clone(), &options.insecure, limits.clone());
        Self::with_parts(options, Arc::new(transport), limits, Arc::new(RealPause))
    }

    /// A client over another transport.
    ///
    /// # Errors
    /// As [`Registry::new`].
    pub fn with_transport(options: RegistryOptions, transport: Arc<dyn Transport>) -> Result<Self> {
        Self::with_parts(options, transport, Limits::default(), Arc::new(RealPause))
    }

    /// A client of which every part is given.
    ///
    /// # Errors
    /// As [`Registry::new`].
    pub fn with_parts(
        options: RegistryOptions,
        transport: Arc<dyn Transport>,
        limits: Limits,
        pause: Arc<dyn Pause>,
    ) -> Result<Self> {
        let lower = |hosts: Vec<String>| hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        let files = CredentialFiles::new(options.authfile, limits.helper);
        let core = Core {
            named: Named { plain: lower(options.plain_http), insecure: lower(options.insecure) },
            auth: Auth::new(files),
            limits,
            transport,
            pause,
            bases: Mutex::default(),
        };
        Ok(Self { core: Arc::new(core), watch: None, absence: None, place: None })
    }

    /// The same client (shared tokens and connections), reporting retries of `phase` to a job and stopping with it.
    #[must_use]
    pub fn for_job(&self, ctx: &JobCtx, phase: Phase) -> Self {
        let watch = Watch { ctx: ctx.clone(), phase, item: None, tried: AtomicBool::new(false) };
        Self { watch: Some(Arc::new(watch)), ..self.clone() }
    }

    /// The same client, which waits for a registry that cannot be reached any more until it is back, if that does not
    /// last: it gave bytes before, and may be about to start again. All with the same absence wait together.
    #[must_use]
    pub fn patient(&self, absence: Option<Absence>) -> Self {
        Self { absence, ..self.clone() }
    }

    /// The same client, which leaves its place on the network to others while it waits to try again.
    #[must_use]
    pub fn in_place(&self, place: &Arc<Place>) -> Self {
        Self { place: Some(Arc::clone(place)), ..self.clone() }
    }

    /// The same client, whose repeated tries are reported as those for `item`.
    pub fn for_item(&self, item: &str) -> Self {
        let named = |watch: &Arc<Watch>| {
            let (ctx, phase) = (watch.ctx.clone(), watch.phase);
            Arc::new(Watch { ctx, phase, item: Some(item.to_owned()), tried: AtomicBool::new(false) })
        };
        Self { watch: self.watch.as_ref().map(named), ..self.clone() }
    }

    /// Waits before try number `attempt` (from 2) after `error`, and reports it; for whoever resumes a blob.
    /// False where another try makes no sense: the error is final or the tries are used up.
    ///
    /// # Errors
    /// [`Problem::Interrupted`].
    pub async fn wait_to_retry(&self, error: &RegistryError, attempt: u32) -> Result<bool> {
        let tried = usize::try_from(attempt).unwrap_or(usize::MAX).saturating_sub(2);
        let pause = retry::pauses(&self.core.limits).nth(tried);
        let Some(pause) = pause.filter(|_| error.is_retryable()) else { return Ok(false) };
        self.wait(&error.object, attempt, &error.problem, pause).await.map_err(|problem| RegistryError {
            operation: error.operation,
            object: error.object.clone(),
            host: error.host.clone(),
            problem: Box::new(problem),
        })?;
        Ok(true)
    }

    /// Sends a call until it is answered, refused or out of tries.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Response> {
        let mut waits = Waits::new(&self.core.limits, self.absence.as_ref());
        let mut attempt = 1;
        loop {
            let trying = self.stoppable(Box::pin(self.core.attempt(call)));
            let (outcome, took) = Waited::during(trying).await;
            let failure = match outcome {
                Ok(response) => {
                    self.answered();
                    waits.answered();
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            let wait = if call.retries { waits.next(&failure.problem, took) } else { None };
            let Some(wait) = wait else { return Err(call.error(failure.problem)) };
            let cap = self.core.limits.retry_after_max;
            let pause = failure.retry_after.map_or(wait.pause, |asked| asked.min(cap));
            attempt += 1;
            if let (Some(watch), Some((left, attempt))) = (&self.watch, wait.gone) {
                let (host, left_ms) = (call.host.to_owned(), milliseconds(left));
                watch.ctx.say(Event::Awaited { phase: watch.phase, host, attempt, left_ms });
            }
            self.wait(&call.object, attempt, &failure.problem, pause)
                .await
                .map_err(|problem| call.error(problem))?;
            waits.waited();
        }
    }

    /// Says of what has a name and was tried again that there is an answer.
    fn answered(&self) {
        if let Some(watch) = &self.watch
            && let Some(item) = &watch.item
            && watch.tried.swap(false, Relaxed)
        {
            watch.ctx.say(Event::Answered { phase: watch.phase, item: item.clone() });
        }
    }

    async fn wait(
        &self,
        item: &str,
        attempt: u32,
        problem: &Problem,
        pause: Duration,
    ) -> std::result::Result<(), Problem> {
        if let Some(watch) = &self.watch {
            watch.tried.store(true, Relaxed);
            watch.ctx.say(Event::Retry {
                phase: watch.phase,
                item: watch.item.as_deref().unwrap_or(item).to_owned(),
                attempt,
                reason: problem.to_string(),
                wait_ms: milliseconds(pause),
            });
        }
        let pausing = async {
            self.place.iter().for_each(|place| place.leave());
            self.core.pause.pause(pause).await;
            if let Some(watch) = &self.watch {
                // Nothing is tried while the job stands still; that it was stopped is seen below.
                let _ = watch.ctx.pause_point().await;
            }
            if let Some(place) = &self.place {
                place.take().await;
            }
            Ok::<(), Failure>(())
        };
        self.stoppable(pausing).await.map_err(|failure| failure.problem)
    }

    async fn stoppable<T>(
        &self,
        work: impl Future<Output = std::result::Result<T, Failure>>,
    ) -> std::result::Result<T, Failure> {
        match &self.watch {
            None => work.await,
            Some(watch) => tokio::select! {
                biased;
                () = watch.ctx.cancel.cancelled() => Err(Problem::Interrupted.into()),
                outcome = work => outcome,
            },
        }
    }

    /// A small answer in memory.
    pub(super) async fn body(
        &self,
        call: &Call<'_>,
        response: Response,
        limit: u64,
        what: &'static str,
    ) -> Result<Bytes> {
        let reading = async { Ok(body::read(response.body, limit, what, &self.core.limits).await?) };
        self.stoppable(reading).await.map_err(|failure: Failure| call.error(failure.problem))
    }
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
