//! What is waited for before the first numbers are printed.

use std::mem::discriminant;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::Plain;
use crate::tui::msg::{Msg, Query};

/// The first state is printed after this time at the latest.
const SETTLED: Duration = Duration::from_secs(3);

impl Plain {
    /// Takes in what is known of this host before the first numbers are printed: they are not to mean something else a
    /// second later.
    pub(super) async fn settle(&mut self, told: &mut UnboundedReceiver<Msg>) {
        let until = tokio::time::Instant::now() + SETTLED;
        let first = [Query::Host, Query::Interrupted].map(|query| discriminant(&query));
        while self.looks.iter().any(|look| first.contains(look)) {
            match tokio::time::timeout_at(until, told.recv()).await {
                Ok(Some(msg)) => self.take(msg),
                _ => break,
            }
        }
    }
}
