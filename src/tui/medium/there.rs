//! A bundle of an earlier run on a medium that is plugged in: it can still be signed, compared and ejected.

use std::path::PathBuf;

use crate::domain::carrier::Carrier;
use crate::domain::media::{FoundBundle, Medium, Volume};
use crate::tui::model::Model;

/// Such a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct There {
    /// Its directory.
    pub path: PathBuf,
    /// The medium in two words.
    pub medium: String,
    /// What tells the medium from another one in its place.
    pub only: String,
}

impl Model {
    /// The latest bundle on the chosen medium; without a choice on the only medium that holds one.
    pub fn bundle_there(&self) -> Option<There> {
        let media = self.media.as_ref()?.media.iter().filter(|medium| medium.blocked.is_none());
        let volumes = media.flat_map(|medium| medium.volumes.iter().map(move |volume| (medium, volume)));
        let mut holding = volumes.filter(|(medium, volume)| match &self.chosen {
            Some(chosen) => {
                let same = chosen.medium.as_ref().is_some_and(|earlier| medium.is_still(earlier));
                same && chosen.gone.is_none() && volume.device == chosen.device && !volume.bundles.is_empty()
            }
            None => !volume.bundles.is_empty(),
        });
        let (medium, volume) = holding.next().filter(|_| holding.next().is_none())?;
        there(medium, volume)
    }
}

fn there(medium: &Medium, volume: &Volume) -> Option<There> {
    let point = volume.mount_point()?.to_owned();
    let made = |bundle: &&FoundBundle| bundle.words.as_ref().map(|words| words.created);
    let bundle = volume.bundles.iter().max_by_key(made)?;
    let only = Carrier::of(point, volume.device.clone(), Some(medium)).mark();
    Some(There { path: bundle.path.clone(), medium: medium.short_name(), only })
}
