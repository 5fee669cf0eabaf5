//! The question before a medium is ejected: which one, and what is unmounted; it is that one which goes, or none.

use std::path::Path;

use super::media::identity;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::carrier::Carrier;
use crate::domain::media::Medium;
use crate::domain::text;
use crate::engine::media::EjectSpec;
use crate::engine::spec::JobSpec;
use crate::tui::model::Model;
use crate::tui::screen::Cx;

/// What is done.
pub(super) const HOW: &str =
    "Pending writes are flushed, then the medium is unmounted and, where its drive can be, powered off.";

/// An eject that waits for its answer.
#[derive(Debug, Default)]
pub(super) struct Letting(Option<EjectSpec>);

impl Letting {
    /// Asks about it, with these words.
    pub(super) fn ask(&mut self, asked: Option<(EjectSpec, Vec<String>)>, cx: &mut Cx<'_>) {
        let Some((spec, words)) = asked else { return };
        self.0 = Some(spec);
        cx.open(Confirm::new(Act::MediaEject, "Eject the medium?", words, "Eject"));
    }

    /// Ejects what was asked about, whatever lies there by now.
    pub(super) fn eject(&mut self, cx: &mut Cx<'_>) {
        if let Some(spec) = self.0.take() {
            cx.start(Act::MediaEject, JobSpec::MediaEject(spec));
        }
    }
}

/// The medium that a path lies on and where it is mounted, a line each: as it is there, where it has that mark; else as
/// it was before.
pub(super) fn which(model: &Model, path: &Path, only: Option<&str>, before: Option<&Carrier>) -> Vec<String> {
    match model.lies_on(path).filter(|(_, mark)| only.is_none_or(|only| only == mark)) {
        Some((medium, _)) => there(medium),
        None => before.map(earlier).unwrap_or_default(),
    }
}

fn there(medium: &Medium) -> Vec<String> {
    let mounts = medium.volumes.iter().flat_map(|volume| {
        volume.mount_points.iter().map(|point| format!("{} at {}", volume.device.display(), point.display()))
    });
    let mounts: Vec<String> = mounts.collect();
    vec![
        format!("{}, {}", identity(medium, None), medium.device.display()),
        format!("Mounted: {}", mounts.join(", ")),
    ]
}

fn earlier(carrier: &Carrier) -> Vec<String> {
    let device = carrier.device.iter().map(|device| {
        let serial = device.serial.as_ref().map_or_else(String::new, |serial| format!(", serial {serial}"));
        format!("{}, {}{serial}", device.name, text::bytes(device.size))
    });
    let mount = format!("Mounted: {} at {}", carrier.source.display(), carrier.mount_point.display());
    device.chain([mount]).collect()
}
