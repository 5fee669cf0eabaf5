//! Bundle: what lies on media and in named directories, by its own word, next to what this host accepted before.

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::path::Wanted;
use crate::dialogs::{self, Answer, Question};
use crate::domain::text;
use crate::domain::trust::SerialDecision;
use crate::engine::bundle::inspect::InspectSpec;
use crate::engine::bundle::offer::{Offer, Said};
use crate::engine::sign::{Outcome, SignatureReport};
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::facts::{Fact, facts, teach};
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::stepper::StepState;
use crate::widgets::table::{Column, Row, Value, table};

/// Rows that the table has at most while there is something to say below it.
const ROWS: u16 = 6;
const COLUMNS: &[Column] =
    &[Column::left("BUNDLE", 16), Column::right("SIZE", 9), Column::left("HERE", 0), Column::left("ON", 15)];

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    list: List,
    /// Where the bundles lie that it shows.
    paths: Vec<PathBuf>,
    /// A directory that was just named: the cursor goes to what lies in it.
    named: Option<PathBuf>,
}

impl Bundle {
    fn offer<'a>(&self, model: &'a Model) -> Option<&'a Offer> {
        model.gap.list().get(self.list.row()?)
    }
}

/// Looks for bundles again.
pub(super) fn scan(cx: &mut Cx<'_>) {
    let given = cx.model.gap.given.clone();
    cx.effect(Effect::Ask(Query::Bundles(given)));
}

impl Screen for Bundle {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Bundle, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        if model.gap.list().is_empty() {
            vec![Act::BundlePath, Act::BundleScan, Act::Back]
        } else {
            vec![Act::BundleOpen, Act::Inspect, Act::BundlePath, Act::BundleScan, Act::Back]
        }
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        match (act, self.offer(model)) {
            (Act::BundleOpen | Act::BundleTrust | Act::Inspect, None) => {
                Some(format!("no bundle is listed; {} opens a directory", model.key(Act::BundlePath)))
            }
            (Act::Inspect | Act::BundleTrust, _) if model.busy().is_some() => model.why_busy(),
            (Act::BundleOpen | Act::BundleTrust, Some(Offer { said: Err(reason), .. })) => {
                Some(reason.clone())
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
                cx.open(dialogs::Path::new(Act::BundlePath, "Open a directory", help, Wanted::Directory));
            }
            Act::BundleScan => {
                cx.say("looking for bundles ...");
                cx.effect(Effect::Ask(Query::Media));
                scan(cx);
            }
            Act::Inspect => {
                if let Some(job) = self.job(cx.model) {
                    cx.start(Act::Inspect, job);
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        if let (Act::BundlePath, Answer::Path(path)) = (question.act, answer) {
            let given = &mut cx.model.gap.given;
            given.retain(|known| *known != path);
            given.push(path.clone());
            self.named = Some(path);
            scan(cx);
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        // A medium came or went.
        if matches!(found, Found::Media(_)) {
            scan(cx);
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
        scan(cx);
    }

    fn sync(&mut self, model: &Model) {
        let before = self.list.row().and_then(|row| self.paths.get(row).cloned());
        let offers = model.gap.list();
        self.paths = offers.iter().map(|offer| offer.path.clone()).collect();
        self.list.refresh(offers.len(), |row| {
            let offer = &offers[row];
            format!("{} {}", name(offer), offer.path.display()).into()
        });
        // What was just opened is what Enter is meant for; else the cursor stays on its bundle when others come and go.
        let named = self.named.as_ref();
        let opened = named.and_then(|dir| offers.iter().position(|offer| offer.given.contains(dir)));
        if opened.is_some() {
            self.named = None;
        }
        let stays = || before.and_then(|before| self.paths.iter().position(|path| *path == before));
        if let Some(at) = opened.or_else(stays) {
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
        match &model.gap.offers {
            None => "looking for bundles ...".to_owned(),
            Some(offers) => match offers.len() {
                0 => "no bundle found; this side opens no network connections".to_owned(),
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
        let row = |row: usize| row_of(&offers[row], model);
        let all = u16::try_from(offers.len()).unwrap_or(u16::MAX).saturating_add(1);
        let rows = all.min(ROWS.max(area.height / 3));
        table(COLUMNS, &self.list, row, Rect { height: rows.min(area.height), ..area }, look, buffer);
        let below = line::below(area, rows + 1);
        if let Some(offer) = self.offer(model) {
            facts(&details(offer, model), below, look, buffer);
        }
    }
}

/// Name and serial, or the directory's name where the bundle cannot be read.
fn name(offer: &Offer) -> String {
    match &offer.said {
        Ok(said) => format!("{}-{}", said.report.name, said.report.serial),
        Err(_) => offer
            .path
            .file_name()
            .map_or_else(|| offer.path.display().to_string(), |name| name.to_string_lossy().into_owned()),
    }
}

fn row_of(offer: &Offer, model: &Model) -> Row {
    let (size, here) = match &offer.said {
        Ok(said) => (
            text::bytes(said.report.totals.bytes),
            refused(offer, model).unwrap_or_else(|| standing(said, model)),
        ),
        Err(reason) => (String::new(), (format!("x {reason}"), Role::Fail)),
    };
    // Two copies of a bundle differ in nothing else.
    let above = || offer.path.parent().unwrap_or(&offer.path).display().to_string();
    let on = offer.medium.clone().unwrap_or_else(above);
    let chosen = model.gap.chosen.as_ref() == Some(&offer.path);
    let values =
        vec![Value::plain(name(offer)), Value::plain(size), Value::styled(here.0, here.1), Value::plain(on)];
    Row { marked: chosen, values }
}

/// What came of verifying this copy, where that is no good.
fn refused(offer: &Offer, model: &Model) -> Option<(String, Role)> {
    let checked = model.gap.checked.as_ref().filter(|checked| checked.spec.path == offer.path)?;
    match &checked.ended {
        Ended::Failed(failure) => Some((format!("x REFUSED ({})", failure.class()), Role::Fail)),
        _ => None,
    }
}

/// What this host makes of it at first sight, the weightiest first.
fn standing(said: &Said, model: &Model) -> (String, Role) {
    let (report, (parts, there)) = (&said.report, said.parts);
    if report.signatures.iter().all(|signature| signature.fault.is_some()) {
        return ("x not signed: incomplete".to_owned(), Role::Fail);
    }
    if there < parts {
        return (format!("x {there} of {parts} parts are here"), Role::Fail);
    }
    if report.expires.is_some_and(|expires| expires < model.now) {
        return ("! expired".to_owned(), Role::Warn);
    }
    match &said.serial {
        None => ("! its key is not trusted yet".to_owned(), Role::Warn),
        Some(SerialDecision::Newer { from }) => (format!("newer ({from} -> {})", report.serial), Role::Ok),
        Some(SerialDecision::First) => ("the first of its name".to_owned(), Role::Text),
        // Of the document alone: any byte of this copy may be another one.
        Some(SerialDecision::Same) => ("known; verify this copy".to_owned(), Role::Text),
        Some(SerialDecision::Rollback { accepted, .. }) => {
            (format!("! older ({accepted} was accepted)"), Role::Warn)
        }
        Some(decision) => (format!("! {decision}"), Role::Warn),
    }
}

fn details(offer: &Offer, model: &Model) -> Vec<Fact> {
    let mut facts = vec![("at", offer.path.display().to_string(), Role::Text)];
    let said = match &offer.said {
        Ok(said) => said,
        Err(reason) => {
            facts.push(("x", reason.clone(), Role::Fail));
            return facts;
        }
    };
    let report = &said.report;
    let (expires, role) = match report.expires {
        None => ("never expires".to_owned(), Role::Text),
        Some(time) if time < model.now => (format!("EXPIRED {time:.0} by this clock"), Role::Warn),
        Some(time) => (format!("expires {time:.0}"), Role::Text),
    };
    facts.push(("id", report.id.to_string(), Role::Text));
    facts.push(("created", format!("{:.0}, {expires}", report.created), role));
    facts.extend(said.trust.signatures.iter().map(signed));
    let parts = match said.parts {
        (0, _) => String::new(),
        (parts, there) => format!(", parts {there}/{parts}"),
    };
    let totals = report.totals;
    let size = text::bytes(totals.bytes);
    facts.push((
        "holds",
        format!("{}, {size}{parts}", text::content(totals.images, totals.blobs, None)),
        Role::Text,
    ));
    if !report.complete {
        let words = format!("{} requested references are missing", report.missing.len());
        facts.push(("!", words, Role::Warn));
    }
    if let Some(decision) = &said.serial {
        facts.push(("serial", format!("{}: {decision}", report.serial), Role::Text));
    }
    facts.extend(said.problems.iter().map(|problem| ("!", problem.clone(), Role::Warn)));
    facts
}

/// A signature with its key, and whose that is.
pub(super) fn signed(signature: &SignatureReport) -> Fact {
    let key = signature.fingerprint.clone().unwrap_or_else(|| signature.file.clone());
    match &signature.outcome {
        Outcome::Good { principals } => ("signed", format!("{key} {principals}"), Role::Text),
        Outcome::UnknownKey => ("signed", format!("{key} not trusted here"), Role::Warn),
        _ => ("! signed", signature.to_string(), Role::Warn),
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
        ("", "This side opens no network connections."),
    ];
    teach(&lines, area, look, buffer);
}
