//! A device that went from under the cursor: what came there by itself is not what the next key is meant for.

use std::path::PathBuf;

use super::rows::Name;

/// What went, and which device has come there since; nothing once that was said or the cursor was moved.
#[derive(Debug, Default)]
pub(super) struct Lost(Option<(PathBuf, Name)>);

impl Lost {
    /// A device that went; another one is under the cursor now, or none.
    pub(super) fn of(gone: PathBuf, now: Option<&Name>) -> Self {
        Self(now.map(|now| (gone, now.clone())))
    }

    /// What is to be said, as long as the cursor is on what came there.
    pub(super) fn words(&self, under: Option<&Name>) -> Option<String> {
        let (gone, came) = self.0.as_ref()?;
        (under == Some(came)).then(|| format!("{} went; this is another one now", gone.display()))
    }
}
