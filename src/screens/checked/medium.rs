//! The medium of a bundle that was received: let go from here, as it is from where bundles are made.

use super::super::bundle::scan;
use super::super::letting::{HOW, which};
use crate::actions::Act;
use crate::engine::media::EjectSpec;
use crate::engine::spec::JobReport;
use crate::tui::medium::stays;
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Ended, Query};
use crate::tui::screen::Cx;
use crate::tui::words;

/// Whether there is one that can be let go.
pub(super) fn is_there(model: &Model) -> bool {
    let lies_on = |path| stays(model.lies_on(path).map(|(medium, _)| medium));
    model.gap.chosen.as_ref().is_some_and(|path| lies_on(path).is_none())
}

/// Why it cannot be let go.
pub(super) fn why_not(model: &Model) -> Option<String> {
    let Some(path) = &model.gap.chosen else {
        return Some(format!("no bundle is chosen; {} shows what there is", model.key(Act::Step1)));
    };
    if model.gap.is_gone() {
        return Some("its medium is not there any more".to_owned());
    }
    let stays = stays(model.lies_on(path).map(|(medium, _)| medium));
    stays.map(str::to_owned).or_else(|| model.why_busy())
}

/// What is ejected: that medium and no other one; and what is to be known before. Whatever else is on it goes, too.
pub(super) fn to_eject(model: &Model) -> Option<(EjectSpec, Vec<String>)> {
    let path = model.gap.chosen.clone()?;
    let only = model.lies_on(&path).map(|(_, mark)| mark);
    let mut words = which(model, &path, only.as_deref(), None);
    words.push(HOW.to_owned());
    let held = model.gap.checked.as_ref().is_some_and(|checked| checked.held());
    if !held {
        words.push("The bundle on it is not verified here.".to_owned());
    }
    words.push("What was imported stays; to verify or import again, put it in again.".to_owned());
    let verified = held.then(|| "its bundle was verified here".to_owned());
    let state = model.settings.paths.state();
    Some((EjectSpec { path, verified, only, state, detach: false, dry_run: false }, words))
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
