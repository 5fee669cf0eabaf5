//! Mounting a volume, and unmounting it after a question; where that cannot be done here, which command does it.

use std::path::PathBuf;

use super::Media;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::carrier::Carrier;
use crate::domain::media::{Blocked, Medium};
use crate::domain::shell::shell_words;
use crate::engine::media::MountSpec;
use crate::engine::spec::JobSpec;
use crate::failure::Failure;
use crate::tui::model::Model;
use crate::tui::screen::Cx;

/// What is asked about, and what was refused.
#[derive(Debug, Default)]
pub(super) struct Mounting {
    /// What is unmounted after a yes, and on which medium.
    asked: Option<(MountSpec, Medium)>,
    /// A device that could not be mounted here, with what was said to help.
    refused: Option<(PathBuf, String)>,
}

impl Mounting {
    /// It failed: the same key is no help any more.
    pub(super) fn failed(&mut self, spec: &JobSpec, failure: &Failure) {
        if let (JobSpec::MediaMount(MountSpec { device, unmount: false, .. }), Some(hint)) =
            (spec, failure.hints.first())
        {
            self.refused = Some((device.clone(), hint.clone()));
        }
    }

    /// Unmounts what was asked about, wherever the cursor is by now; nothing that was put in its place.
    pub(super) fn unmount(&mut self, cx: &mut Cx<'_>) {
        let Some((spec, asked)) = self.asked.take() else { return };
        if cx.model.media.iter().flat_map(|media| &media.media).any(|medium| medium.is_still(&asked)) {
            return cx.start(Act::MediaMount, JobSpec::MediaMount(spec));
        }
        cx.say(format!(
            "{} is gone from {}; nothing was unmounted",
            asked.short_name(),
            spec.device.display()
        ));
    }
}

/// What can be done with a disk that only looks built in, as one on eSATA may.
pub(super) fn around(why: &Blocked, model: &Model) -> Option<String> {
    let (places, directory) = (why.mounted_at(), model.key(Act::MediaDirectory));
    let (place, all) = (places.first()?, shell_words(places));
    Some(format!("built in? {directory} takes {place} as a directory; umount {all} frees it"))
}

impl Media {
    pub(super) fn mount(&self, model: &Model) -> Option<MountSpec> {
        let (medium, volume) = self.medium(model)?;
        let volume = volume?;
        let unmount = !volume.mount_points.is_empty();
        let only = unmount.then(|| Carrier::mark_of(medium, volume));
        Some(MountSpec { device: volume.device.clone(), unmount, only })
    }

    /// Mounting what is under the cursor, where that is all that it lacks.
    pub(super) fn mounts(&self, model: &Model) -> Option<MountSpec> {
        self.mount(model).filter(|spec| !spec.unmount && self.why_no_mount(model).is_none())
    }

    /// Mounts at once, as that changes nothing; asks before what is there goes away.
    pub(super) fn ask_mount(&mut self, cx: &mut Cx<'_>) {
        let Some(spec) = self.mount(cx.model) else { return };
        if !spec.unmount {
            return cx.start(Act::MediaMount, JobSpec::MediaMount(spec));
        }
        let Some((medium, Some(volume))) = self.medium(cx.model) else { return };
        let place = volume.mount_point().map(|point| point.display().to_string()).unwrap_or_default();
        let (eject, mount) = (cx.model.key(Act::MediaEject), cx.model.key(Act::MediaMount));
        let words = vec![
            format!("{}, {} at {place}", medium.short_name(), spec.device.display()),
            format!(
                "Pending writes are flushed. {mount} mounts it again where udisks2 runs; elsewhere that takes a command of root. \
                 To take the medium out, {eject} on Report ejects it."
            ),
        ];
        self.mounting.asked = Some((spec, medium.clone()));
        cx.open(Confirm::new(Act::MediaMount, "Unmount this medium?", words, "Unmount"));
    }

    /// How a volume gets mounted that is not.
    pub(super) fn how_to_mount(&self, model: &Model) -> String {
        let device = self.medium(model).and_then(|(_, volume)| Some(&volume?.device));
        match self.mounting.refused.as_ref().filter(|(refused, _)| Some(refused) == device) {
            Some((_, hint)) => format!("not mounted; {hint}"),
            None => format!("not mounted: {} mounts it", model.key(Act::MediaMount)),
        }
    }

    pub(super) fn why_no_mount(&self, model: &Model) -> Option<String> {
        let Some((medium, volume)) = self.medium(model) else { return Some("there is no medium".to_owned()) };
        match (&medium.blocked, volume.and_then(|volume| volume.blocked.as_ref())) {
            (Some(why @ Blocked::BuiltIn { .. }), _) => around(why, model),
            (Some(why @ (Blocked::System { .. } | Blocked::NoMedium)), _) => Some(why.to_string()),
            (_, Some(why @ (Blocked::NoFileSystem | Blocked::Locked))) => Some(why.to_string()),
            _ => volume.is_none().then(|| Blocked::NoFileSystem.to_string()),
        }
    }
}
