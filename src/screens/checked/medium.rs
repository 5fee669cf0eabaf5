//! The medium of a bundle that was received: let go from here, as it is from where bundles are made.

use super::super::bundle::scan;
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::domain::media::Blocked;
use crate::engine::media::EjectSpec;
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Ended, Query};
use crate::tui::screen::Cx;
use crate::tui::words;

/// Whether there is one that can be let go.
pub(super) fn is_there(model: &Model) -> bool {
    let medium = model.gap.chosen.as_ref().and_then(|path| model.lies_on(path));
    medium.is_some_and(|(medium, _)| !matches!(medium.blocked, Some(Blocked::System { .. })))
}

/// Why it cannot be let go.
pub(super) fn why_not(model: &Model) -> Option<String> {
    let Some(path) = &model.gap.chosen else {
        return Some(format!("no bundle is chosen; {} shows what there is", model.key(Act::Step1)));
    };
    if model.gap.is_gone() {
        return Some("its medium is not there any more".to_owned());
    }
    let there = model.lies_on(path);
    match there.map(|(medium, _)| &medium.blocked) {
        None => Some("the bundle is not on a medium: nothing to eject".to_owned()),
        Some(Some(Blocked::System { .. })) => {
            Some("the bundle is on this host's own disk: nothing to eject".to_owned())
        }
        Some(_) => model.why_busy(),
    }
}

/// Asks first: whatever else is on it goes, too.
pub(super) fn ask(cx: &mut Cx<'_>) {
    let Some(path) = &cx.model.gap.chosen else { return };
    let medium = cx.model.lies_on(path).map_or_else(String::new, |(medium, _)| medium.short_name());
    let mut words =
        vec![format!("{medium}: pending writes are flushed, then it is unmounted and powered off.")];
    if cx.model.gap.checked.as_ref().is_none_or(|checked| !checked.held()) {
        words.push("The bundle on it is not verified here.".to_owned());
    }
    words.push("What was imported stays; to verify or import again, put it in again.".to_owned());
    cx.open(Confirm::new(Act::MediaEject, "Eject the medium?", words, "Eject"));
}

/// Lets it go: that medium, or none.
pub(super) fn eject(cx: &mut Cx<'_>) {
    let Some(path) = cx.model.gap.chosen.clone() else { return };
    let held = cx.model.gap.checked.as_ref().is_some_and(|checked| checked.held());
    let spec = EjectSpec {
        verified: held.then(|| "its bundle was verified here".to_owned()),
        only: cx.model.lies_on(&path).map(|(_, mark)| mark),
        path,
        detach: false,
        dry_run: false,
    };
    cx.start(Act::MediaEject, JobSpec::MediaEject(spec));
}

/// It was let go, or not.
pub(super) fn ended(cx: &mut Cx<'_>) {
    let Some(job) = cx.model.job_of(Act::MediaEject).filter(|job| cx.model.is_received(job)) else { return };
    match job.ended.clone() {
        Some(Ended::Succeeded(report)) => {
            if let JobReport::MediaEject(report) = &*report {
                cx.say(report.line());
            }
        }
        Some(Ended::Failed(failure)) => {
            cx.open(words::failure_page("That did not work", &failure, &cx.model.keymap));
        }
        _ => {}
    }
    cx.effect(Effect::Ask(Query::Media));
    scan(cx);
}
