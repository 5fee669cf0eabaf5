//! A device that went from under the cursor: what came there by itself is not what the next key is meant for.

use std::path::PathBuf;

use super::rows::Name;

/// What went, which device has come there since, and the filter then; nothing once that was said, the cursor was moved or
/// something else is filtered by, as who types the name of a device means that one.
#[derive(Debug, Default)]
pub(super) struct Lost(Option<(PathBuf, Name, String)>);

impl Lost {
    /// A device that went; another one is under the cursor now, or none.
    pub(super) fn of(gone: PathBuf, now: Option<&Name>, filter: &str) -> Self {
        Self(now.map(|now| (gone, now.clone(), filter.to_owned())))
    }

    /// What is to be said, as long as the cursor is on what came there and the filter is the same.
    pub(super) fn words(&self, under: Option<&Name>, filter: &str) -> Option<String> {
        let (gone, came, filtered) = self.0.as_ref()?;
        (under == Some(came) && filter == filtered)
            .then(|| format!("{} went; this is another one now", gone.display()))
    }
}
