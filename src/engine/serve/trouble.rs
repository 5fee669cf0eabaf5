//! What goes wrong with content while it is served: told once for each damaged blob and each cause, however many clients ask for it.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::digest::Digest;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Kind};

/// Tells of it.
pub struct Trouble {
    ctx: JobCtx,
    /// At most one entry for each blob of what is served, and one for each cause.
    told: Mutex<HashSet<String>>,
}

impl Trouble {
    /// To whoever listens to the registry.
    pub fn new(ctx: JobCtx) -> Self {
        Self { ctx, told: Mutex::default() }
    }

    /// A blob has other bytes than those that were verified.
    pub(super) fn damaged(&self, label: &str, digest: &Digest, actual: &Digest) {
        self.broken(label, digest, &format!("its bytes hash to {actual}"));
    }

    /// A blob has not all of its bytes, or more.
    pub(super) fn broken(&self, label: &str, digest: &Digest, reason: &str) {
        let words = format!(
            "{label}: {digest} is damaged by now: {reason}. No client gets it whole; airlift verify tells what else is \
             damaged, then bring the bundle anew and serve that"
        );
        self.tell(digest.to_string(), words);
    }

    /// A blob cannot be opened.
    pub(super) fn unopened(&self, label: &str, digest: &Digest, error: &EngineError) {
        match error.kind() {
            Kind::Integrity => self.broken(label, digest, &error.message()),
            _ => self.unreadable(label, digest, &error.message()),
        }
    }

    /// A blob cannot be read; whatever else cannot for the same reason is not told.
    pub(super) fn unreadable(&self, label: &str, digest: &Digest, reason: &str) {
        let words = format!(
            "{label}: {reason}. Clients are refused what cannot be read: put its medium back where it was, or stop this and \
             serve the bundle from where it is now"
        );
        self.tell(format!("{label} {}", reason.replace(digest.hex(), "")), words);
    }

    fn tell(&self, key: String, words: String) {
        let new = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        if new {
            self.ctx.warn(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::progress::Event;
    use crate::engine::bundle::read::ReadError;
    use crate::engine::ctx::Recording;

    #[test]
    fn a_blob_of_another_length_is_damaged_and_each_is_told() {
        let said = Arc::new(Recording::default());
        let trouble = Trouble::new(JobCtx::new(said.clone()));
        for byte in [1, 2, 1] {
            let (digest, path) = (Digest::sha256(&[byte; 32]), "blobs/x".to_owned());
            let short = ReadError::Length { path: path.clone(), expected: 9, actual: 4 };
            trouble.unopened("bundle a-1", &digest, &short.into());
            trouble.unopened("bundle a-1", &digest, &ReadError::Away { path, root: "/m".into() }.into());
        }
        let events = said.events();
        let warned = |words: &str| {
            let has = |event: &&Event| matches!(event, Event::Warning { text } if text.contains(words));
            events.iter().filter(has).count()
        };
        assert_eq!((warned("damaged by now: blobs/x"), warned("put its medium back")), (2, 1), "{events:?}");
    }

    #[test]
    fn each_damaged_blob_and_each_cause_is_told_once() {
        let said = Arc::new(Recording::default());
        let trouble = Trouble::new(JobCtx::new(said.clone()));
        let [one, two] = [1, 2].map(|byte| Digest::sha256(&[byte; 32]));
        for digest in [&one, &two, &one] {
            trouble.damaged("bundle a-1", digest, &two);
            trouble.unreadable("bundle a-1", digest, &format!("cannot read blobs/sha256/{}", digest.hex()));
        }
        trouble.unreadable("bundle b-1", &one, "its medium is gone");
        let events = said.events();
        let warned = |words: &str| {
            let has = |event: &&Event| matches!(event, Event::Warning { text } if text.contains(words));
            events.iter().filter(has).count()
        };
        assert_eq!((warned("damaged by now"), warned("cannot read"), warned("b-1")), (2, 1, 1), "{events:?}");
    }
}
