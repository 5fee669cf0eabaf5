//! The test of a medium's capacity: what is asked before, and that it is made on the medium that was asked about alone.

use super::Media;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::media::{Medium, Volume};
use crate::domain::probe::ProbePlan;
use crate::domain::text;
use crate::engine::media::CheckSpec;
use crate::engine::spec::JobSpec;
use crate::tui::model::Model;
use crate::tui::screen::Cx;

impl Media {
    pub(super) fn check(&self, model: &Model) -> Option<CheckSpec> {
        let path = self.medium(model)?.1?.mount_point()?.to_owned();
        Some(CheckSpec { path, dry_run: false })
    }

    /// Why what is under the cursor cannot be tested.
    pub(super) fn why_no_check(&self, model: &Model) -> Option<String> {
        match self.unfit(model) {
            None if self.check(model).is_none() => Some(self.how_to_mount(model)),
            // Too small for the bundle is no reason not to test.
            Some(_)
                if self.medium(model).is_some_and(|(medium, volume)| {
                    volume.is_some_and(|volume| medium.blocked_for(volume, 0).is_none())
                }) =>
            {
                None
            }
            other => other,
        }
    }

    /// The test that was asked about is wanted: on the medium that it was asked about, wherever the cursor is.
    pub(super) fn test(&mut self, cx: &mut Cx<'_>) {
        let Some((spec, asked)) = self.testing.take() else { return };
        let here = |medium: &Medium| {
            medium.is_still(&asked) && medium.volumes.iter().any(|volume| lies_at(volume, &spec))
        };
        if cx.model.media.iter().flat_map(|media| &media.media).any(here) {
            return cx.start(Act::MediaCheck, JobSpec::MediaCheck(spec));
        }
        cx.say(format!("{} is gone from {}; nothing was tested", asked.short_name(), spec.path.display()));
    }

    pub(super) fn ask_check(&mut self, cx: &mut Cx<'_>) {
        let (Some((medium, Some(volume))), Some(spec)) = (self.medium(cx.model), self.check(cx.model)) else {
            return;
        };
        let largest = volume.file_system.as_ref().and_then(|kind| kind.max_file());
        let plan = volume.free.and_then(|free| ProbePlan::new(free, None, largest));
        let Some(plan) = plan else { return cx.say("too little free space there for a test") };
        let (bytes, spread) = (text::bytes(plan.bytes()), text::bytes(plan.spread()));
        let place = volume.mount_point().map(|point| point.display().to_string()).unwrap_or_default();
        let words = vec![
            format!("{}, {}, {} at {place}", medium.short_name(), text::bytes(medium.size), volume.device.display()),
            format!(
                "Writes {bytes} of test data, spread over {spread} of free space, reads it back from the device and removes it. Writing takes three minutes at most."
            ),
            "Existing files are not touched. On a fake medium, smaller than it claims, any write can destroy existing data, also this one."
                .to_owned(),
        ];
        self.testing = Some((spec, medium.clone()));
        cx.open(Confirm::new(Act::MediaCheck, "Test the capacity of this medium?", words, "Test"));
    }
}

fn lies_at(volume: &Volume, spec: &CheckSpec) -> bool {
    volume.mount_points.contains(&spec.path)
}
