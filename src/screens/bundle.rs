//! Bundle: what lies on media and in named directories, by its own word, next to what this host accepted before.

mod rows;

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::import::undo::{self, Asking};
use crate::actions::{Act, Scope};
use crate::dialogs::path::Wanted;
use crate::dialogs::{self, Answer, Question};
use crate::engine::bundle::inspect::InspectSpec;
use crate::engine::bundle::offer::Offer;
use crate::engine::import::changes::Lay;
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::facts::{facts, teach};
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::stepper::StepState;
use crate::widgets::table::table_in;

/// Rows that the table has at most while there is something to say below it.
const ROWS: u16 = 7;

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    list: List,
    /// Where the bundles lie that it shows.
    paths: Vec<PathBuf>,
    /// A directory that was just named: the cursor goes to what lies in it.
    named: Option<PathBuf>,
    /// The bundle of the import that is gone on with: the cursor goes to it, wherever it lies now.
    sought: Option<Lay>,
    undo: Asking,
}

impl Bundle {
    fn offer<'a>(&self, model: &'a Model) -> Option<&'a Offer> {
        model.gap.list().get(self.list.row()?)
    }
}

/// Whether this is the bundle that an import was begun with: another one may lie there by now.
fn is(offer: &Offer, lay: &Lay) -> bool {
    offer.said.as_ref().is_ok_and(|said| said.report.id == lay.id)
}

/// Looks for bundles again.
pub(super) fn scan(cx: &mut Cx<'_>) {
    let given = cx.model.gap.given.clone();
    cx.effect(Effect::Ask(Query::Bundles(given)));
}

impl Screen for Bundle {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Bundle, Scope::Undo, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        if model.gap.list().is_empty() {
            let undo = undo::why_not(model).is_none().then_some(Act::ImportUndo);
            [Act::BundlePath, Act::BundleScan].into_iter().chain(undo).chain([Act::Back]).collect()
        } else {
            vec![Act::BundleOpen, Act::Inspect, Act::BundlePath, Act::BundleScan, Act::Back]
        }
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        match (act, self.offer(model)) {
            (Act::ImportUndo, _) => undo::why_not(model),
            (Act::BundleOpen | Act::BundleTrust | Act::Inspect, None) => {
                Some(format!("no bundle is listed; {} opens a directory", model.key(Act::BundlePath)))
            }
            (Act::Inspect | Act::BundleTrust, _) if model.busy().is_some() => model.why_busy(),
            (Act::BundleOpen | Act::BundleTrust, Some(Offer { said: Err(reason), .. })) => {
                Some(reason.clone())
            }
            // The one that is worked on is shown again at any time.
            (Act::BundleOpen, Some(offer)) if model.gap.chosen.as_ref() != Some(&offer.path) => {
                model.why_no_other_bundle()
            }
            (Act::BundleTrust, Some(Offer { said: Ok(said), .. })) if !super::check::trustable(said) => {
                Some("every key that signed this bundle is trusted already".to_owned())
            }
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::BundleOpen => {
                let Some(offer) = self.offer(cx.model) else { return };
                let path = offer.path.clone();
                self.sought = None;
                if cx.model.gap.choose(path) {
                    cx.model.changed(Place::Bundle);
                }
                cx.model.set_state(Place::Bundle, StepState::Ok);
                cx.go(Place::Check);
            }
            Act::BundleTrust => {
                self.act(Act::BundleOpen, cx);
                super::check::trust(cx);
            }
            Act::BundlePath => {
                let help = "The directory of a bundle, NAME-SERIAL, or one with bundles in it.";
                let at = cx.model.begin_path(Act::BundlePath);
                cx.open(
                    dialogs::Path::new(Act::BundlePath, "Open a directory", help, Wanted::Directory).at(&at),
                );
            }
            Act::BundleScan => {
                cx.say("looking for bundles ...");
                cx.effect(Effect::Ask(Query::Media));
                scan(cx);
            }
            Act::ImportUndo => self.undo.ask(cx),
            Act::Inspect => {
                if let Some(job) = self.job(cx.model) {
                    cx.start(Act::Inspect, job);
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, answer) {
            (Act::ImportUndo, answer) => self.undo.answered(answer, cx),
            (Act::BundlePath, Answer::Path(path)) => {
                let given = &mut cx.model.gap.given;
                given.retain(|known| *known != path);
                given.push(path.clone());
                self.named = Some(path);
                scan(cx);
            }
            _ => {}
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        // A medium came or went.
        if matches!(found, Found::Media(_)) {
            scan(cx);
        }
        if let (Found::Bundles(given, offers), Some(lay)) = (found, &self.sought)
            && given.contains(&lay.path)
            && !offers.iter().any(|offer| is(offer, lay))
        {
            let path = cx.model.key(Act::BundlePath);
            cx.say(format!(
                "the bundle to go on with is not in {}; {path} opens where it is",
                lay.path.display()
            ));
        }
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        if act != Act::Inspect || cx.model.place != Place::Bundle {
            return;
        }
        let ended = cx.model.job_of(Act::Inspect).and_then(|job| job.ended.clone());
        match ended {
            Some(Ended::Succeeded(report)) => {
                if let JobReport::Inspect(report) = &*report {
                    cx.open(super::inspected::page(report));
                }
            }
            Some(Ended::Failed(failure)) => {
                cx.open(words::failure_page("It cannot be read", &failure, &cx.model.keymap))
            }
            _ => {}
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        self.sought = cx.model.gap.import.sought.take().or(self.sought.take());
        scan(cx);
        cx.effect(Effect::Ask(Query::Noted));
    }

    fn sync(&mut self, model: &Model) {
        let before = self.list.row().and_then(|row| self.paths.get(row).cloned());
        let offers = model.gap.list();
        self.paths = offers.iter().map(|offer| offer.path.clone()).collect();
        self.list.refresh(offers.len(), |row| {
            let offer = &offers[row];
            format!("{} {}", rows::name(offer), offer.path.display()).into()
        });
        // What was just opened is what Enter is meant for; else the cursor stays on its bundle when others come and go.
        let named = self.named.as_ref();
        let opened = named.and_then(|dir| offers.iter().position(|offer| offer.given.contains(dir)));
        if opened.is_some() {
            self.named = None;
        }
        let lies = |lay: &Lay| {
            let there = |at: &usize| offers.get(*at).is_some_and(|offer| is(offer, lay));
            // Of several copies the one that it was begun with.
            let own = offers.iter().position(|offer| offer.path == lay.path).filter(there);
            own.or_else(|| offers.iter().position(|offer| is(offer, lay)))
        };
        let again = self.sought.as_ref().and_then(lies);
        if again.is_some() {
            self.sought = None;
        }
        let stays = || before.and_then(|before| self.paths.iter().position(|path| *path == before));
        if let Some(at) = opened.or(again).or_else(stays) {
            self.list.select(at);
        }
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        let bundle = self.offer(model)?.path.clone();
        Some(JobSpec::Inspect(InspectSpec { bundle }))
    }

    fn value(&self, model: &Model) -> Option<String> {
        Some(self.offer(model)?.path.display().to_string())
    }

    fn status(&self, model: &Model) -> String {
        let checked = model.gap.checked.as_ref();
        let held = checked.is_some_and(|checked| checked.held());
        let refused = checked.is_some_and(|checked| matches!(checked.ended, Ended::Failed(_)));
        if let Some(bundle) = model.gap.import.goes_on_with() {
            let [open, verify] = [Act::BundleOpen, Act::Verify].map(|act| model.key(act));
            return format!("{open} opens {bundle}, then {verify} verifies it: it goes on as it was begun");
        }
        match &model.gap.offers {
            None => "looking for bundles ...".to_owned(),
            Some(offers) => match offers.iter().filter(|offer| offer.said.is_ok()).count() {
                0 if !offers.is_empty() => "nothing that can be opened; each row says why".to_owned(),
                0 => "no bundle found; the network is not used to look for one".to_owned(),
                1 if held => format!("verified; {} shows it", model.key(Act::Step2)),
                count if held => format!("{count} bundles, 1 of them verified"),
                1 if refused => {
                    format!("refused: nothing of it may be used; {} says why", model.key(Act::Step2))
                }
                count if refused => format!("{count} bundles, 1 of them refused"),
                1 => "1 bundle, not verified yet".to_owned(),
                count => format!("{count} bundles, not verified yet"),
            },
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let offers = model.gap.list();
        if offers.is_empty() {
            return empty(model, look, area, buffer);
        }
        let row = |row: usize| rows::row_of(&offers[row], model);
        let all = u16::try_from(offers.len()).unwrap_or(u16::MAX).saturating_add(1);
        let rows = all.min(ROWS.max(area.height / 3));
        table_in(
            rows::COLUMNS,
            &self.list,
            row,
            Rect { height: rows.min(area.height), ..area },
            look,
            buffer,
        );
        let below = line::below(area, rows + 1);
        if let Some(offer) = self.offer(model) {
            facts(&rows::details(offer, model), below, look, buffer);
        }
    }
}

/// An empty list teaches what to do.
fn empty(model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let first = if model.gap.offers.is_some() {
        "No bundle found yet."
    } else {
        "Looking for bundles on all media ..."
    };
    let [path, again] = [Act::BundlePath, Act::BundleScan].map(|act| model.key(act));
    let lines = [
        ("", first),
        ("", ""),
        ("", "Plug in the medium: it appears once it is mounted."),
        (path.as_str(), "open a directory: a bundle, or one with bundles in it"),
        (again.as_str(), "look again"),
        ("", ""),
        ("", "The network is only used to import into a registry you choose."),
    ];
    teach(&lines, area, look, buffer);
}
