//! A host that is waited for: which try comes next, and how long it still is.

use std::time::Duration;

/// A host that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its name.
    pub(super) host: String,
    /// Which attempt comes next.
    pub(super) attempt: u32,
    /// Until when, since the job began.
    pub(super) until: Duration,
}

impl Awaited {
    /// Whole seconds that are left.
    fn left(&self, at: Duration) -> u128 {
        self.until.saturating_sub(at).as_millis().div_ceil(1000)
    }

    /// `waiting for HOST, try 3, 24 s left`.
    pub fn waits(&self, at: Duration) -> String {
        format!("waiting for {}, try {}, {} s left", self.host, self.attempt, self.left(at))
    }

    /// Where there is no room for more: `waiting, 24 s left`.
    pub fn waits_in_brief(&self, at: Duration) -> String {
        format!("waiting, {} s left", self.left(at))
    }

    /// As a sentence of its own: `waiting for HOST, try 3: gives up in 24 s`.
    pub fn gives_up(&self, at: Duration) -> String {
        format!("waiting for {}, try {}: gives up in {} s", self.host, self.attempt, self.left(at))
    }
}
