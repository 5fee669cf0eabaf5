//! A place among the calls that may be on the network at once: whoever only waits to try again leaves it to others.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One place, or the lack of one; given back with the last of what shares it.
#[derive(Debug)]
pub struct Place {
    all: Arc<Semaphore>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Place {
    /// None yet among all that there are.
    pub fn among(all: &Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self { all: Arc::clone(all), held: Mutex::default() })
    }

    /// Waits for one, unless it is had already.
    pub async fn take(&self) {
        if self.held().is_none() {
            // The semaphore is never closed.
            let permit = Arc::clone(&self.all).acquire_owned().await.ok();
            *self.held() = permit;
        }
    }

    /// Gives it back.
    pub fn leave(&self) {
        self.held().take();
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
