//! A bundle of an earlier run on a medium that is plugged in: it can still be signed, compared and ejected.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::carrier::Carrier;
use crate::domain::digest::Digest;
use crate::domain::media::{Blocked, FoundBundle, Medium, Volume};
use crate::engine::media::Mounted;
use crate::engine::spec::JobSpec;
use crate::tui::model::{JobState, Model};

/// Such a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct There {
    /// Its directory.
    pub path: PathBuf,
    /// The medium in two words.
    pub medium: String,
    /// What tells the medium from another one in its place.
    pub only: String,
    /// Why that cannot be taken out.
    pub stays: Option<&'static str>,
    /// The digest of its document; nothing where that cannot be read.
    pub document: Option<Digest>,
}

/// Whether a place is a directory of the system, with no medium of its own.
pub fn is_directory(medium: Option<&Medium>) -> bool {
    medium.is_none_or(|medium| matches!(medium.blocked, Some(Blocked::System { .. })))
}

/// Why what a bundle lies on is nothing that is taken out.
pub fn stays(medium: Option<&Medium>) -> Option<&'static str> {
    match medium {
        None => Some("the bundle is not on a medium: nothing to eject"),
        Some(Medium { blocked: Some(Blocked::System { .. }), .. }) => {
            Some("the bundle is on this host's own disk: nothing to eject")
        }
        Some(medium) if medium.is_fixed() => {
            Some("the bundle is on a built-in disk, not ejected; umount before pulling")
        }
        Some(_) => None,
    }
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

impl Model {
    /// What is free on a volume is told anew; on one that was taken out since, it is of no interest.
    pub(in crate::tui) fn room_seen(&mut self, of: &Mounted, free: Option<u64>) {
        let (Some(media), Some(free)) = (&mut self.media, free) else { return };
        for medium in &mut Arc::make_mut(media).media {
            let at =
                medium.volumes.iter().position(|volume| Mounted::of(medium, volume).as_ref() == Some(of));
            if let Some(volume) = at.and_then(|at| medium.volumes.get_mut(at)) {
                volume.free = Some(free);
            }
        }
    }

    /// The medium that a directory lies on, as it is mounted now, and what tells it from another one in its place.
    pub fn lies_on(&self, path: &Path) -> Option<(&Medium, String)> {
        let media = self.media.as_ref()?.media.iter();
        let volumes = media.flat_map(|medium| medium.volumes.iter().map(move |volume| (medium, volume)));
        let points = volumes.flat_map(|(medium, volume)| {
            volume.mount_points.iter().map(move |point| (medium, volume, point))
        });
        let holding = points.filter(|(.., point)| path.starts_with(point));
        let (medium, volume, point) = holding.max_by_key(|(.., point)| point.as_os_str().len())?;
        Some((medium, Carrier::of(point.clone(), volume.device.clone(), Some(medium)).mark()))
    }

    /// Whether a medium is ejected that a bundle came on, and none that one was made on here.
    pub fn is_received(&self, job: &JobState) -> bool {
        let JobSpec::MediaEject(spec) = &job.spec else { return false };
        let made = self.assembly.made.as_ref().is_some_and(|made| made.packed.bundle.path == spec.path);
        !made && self.gap.chosen.as_ref() == Some(&spec.path)
    }
}

fn there(medium: &Medium, volume: &Volume) -> Option<There> {
    let point = volume.mount_point()?.to_owned();
    let made = |bundle: &&FoundBundle| bundle.words.as_ref().map(|words| words.created);
    let bundle = volume.bundles.iter().max_by_key(made)?;
    let only = Carrier::of(point, volume.device.clone(), Some(medium)).mark();
    let document = bundle.words.as_ref().map(|words| words.document.clone());
    Some(There {
        path: bundle.path.clone(),
        medium: medium.short_name(),
        only,
        stays: stays(Some(medium)),
        document,
    })
}
