//! How fast packs and media were, as far as that was measured in this run.

use std::path::PathBuf;

use crate::domain::carrier::Carrier;
use crate::domain::media::Medium;
use crate::tui::model::Model;

/// How fast a fetch was, as the registries and the medium both let it be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What it went onto, where that is known.
    pub onto: Option<Carrier>,
    /// Bytes a second.
    pub bytes: u64,
    /// Whether that was of few bytes, in which each request counts for more than the line does.
    pub rough: bool,
}

impl Rate {
    /// Whether it takes the place of what was known: few bytes never take the place of many onto the same.
    pub(super) fn counts_after(&self, before: &Self) -> bool {
        let same = match (&self.onto, &before.onto) {
            (Some(now), Some(before)) => now.is_still(before),
            (now, before) => now.is_none() && before.is_none(),
        };
        !self.rough || before.rough || !same
    }
}

/// How fast a medium was in its test.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Where.
    pub path: PathBuf,
    /// What is mounted there; nothing for a directory.
    pub medium: Option<Medium>,
    /// Bytes a second.
    pub write: u64,
    /// Bytes a second.
    pub read: u64,
}

impl Model {
    /// Whether that rate is of what was chosen.
    pub fn is_of_chosen(&self, rate: &Rate) -> bool {
        let (onto, chosen) = (rate.onto.as_ref(), self.chosen.as_ref());
        onto.zip(chosen).is_some_and(|(onto, chosen)| chosen.carrier.is_still(onto))
    }

    /// The test of what was chosen.
    pub fn tested(&self) -> Option<&Tested> {
        let (tested, chosen) = (self.assembly.tested.as_ref()?, self.chosen.as_ref()?);
        let same = match (&tested.medium, &chosen.medium) {
            (Some(tested), Some(chosen)) => chosen.is_still(tested),
            _ => true,
        };
        (same && chosen.path.starts_with(&tested.path)).then_some(tested)
    }
}
