//! The rows of the verification: its checks in their order, what is damaged, and every image with what came of it.

use std::sync::Arc;

use super::signers;
use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::domain::bundle::Image;
use crate::domain::progress::Check;
use crate::domain::sheet::first_of;
use crate::domain::text;
use crate::domain::trust::{AllowRollback, SerialDecision};
use crate::domain::view::{ItemState, ItemView, JobView};
use crate::engine::spec::JobReport;
use crate::tui::gap::Checked;
use crate::tui::hints;
use crate::tui::model::Model;
use crate::tui::msg::Ended;
use crate::tui::words::{self, count, refusal};
use crate::widgets::line::wrap;

/// Cells beside the words of a row: the state, and two blanks.
const BESIDE: usize = 7 + 2;

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The word for how it stands.
    pub(super) state: &'static str,
    /// Its look.
    pub(super) role: Role,
    /// What it is about.
    pub(super) what: String,
    /// What was found.
    pub(super) note: String,
    /// Its bytes, where they matter.
    pub(super) size: String,
    /// More of it, for its page.
    more: Vec<String>,
    /// What is drawn of it, where it takes several rows.
    drawn: Option<String>,
    /// What `c` copies of it.
    pub(super) copy: Option<String>,
    /// Whether it is the check that the verification failed on.
    failed: bool,
}

impl Line {
    fn new(state: &'static str, role: Role, what: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            state,
            role,
            what: what.into(),
            note: note.into(),
            size: String::new(),
            more: Vec::new(),
            drawn: None,
            copy: None,
            failed: false,
        }
    }

    /// The same on as many rows of so many cells as its words take, where they tell what was found.
    fn folded(self, cells: usize) -> Vec<Self> {
        let words = text::shown(&self.words()).into_owned();
        if text::width(&words) <= cells || !matches!(self.role, Role::Fail | Role::Warn | Role::Ok) {
            return vec![self];
        }
        let first = wrap(&words, cells).into_iter().next().unwrap_or_default();
        let rest = words.get(first.len()..).unwrap_or_default();
        let rest = wrap(rest, cells.saturating_sub(2)).into_iter().map(|piece| format!("  {}", piece.trim()));
        let row = |state, drawn| Self { state, drawn: Some(drawn), ..self.clone() };
        let further = rest.map(|piece| row("", piece));
        std::iter::once(row(self.state, first.trim_end().to_owned())).chain(further).collect()
    }

    /// What it is about and what was found, in one cell.
    pub(super) fn words(&self) -> String {
        if let Some(drawn) = &self.drawn {
            return drawn.clone();
        }
        match (self.what.as_str(), self.note.as_str()) {
            (what, "") => what.to_owned(),
            // The reason names the file; what is well stands in its column.
            (what, note) if self.role != Role::Ok && note.contains(what) => note.to_owned(),
            (what, note) => format!("{} {note}", text::padded(what, 11)),
        }
    }
}

/// All rows, failures before what is well; `lead` cells stand before each.
pub(super) fn lines(model: &Model, lead: usize) -> Vec<Line> {
    let running = model.at_work(Act::Verify);
    let (view, ended) = match (running, &model.gap.checked) {
        (Some(job), _) => (Some(&*job.view), None),
        (None, Some(checked)) => (Some(&*checked.view), Some(&checked.ended)),
        (None, None) => (None, None),
    };
    let failed = |item: &&Arc<ItemView>| item.state == ItemState::Failed;
    let bad: Vec<&ItemView> = view
        .map_or_else(Vec::new, |view| view.items.list.iter().filter(failed).map(|item| &**item).collect());
    let images = model.gap.said_last().map_or(&[][..], |said| &said.report.images);
    let of_an_image = |item: &ItemView| images.iter().any(|image| image.reference.to_string() == item.name);
    let (hurt, files): (Vec<&ItemView>, Vec<&ItemView>) = bad.into_iter().partition(|item| of_an_image(item));
    let mut lines = checks(view, ended, running.is_some(), files.len());
    if lines.iter().all(|line| line.state == "todo") {
        foresee(model, &mut lines);
    }
    warn_of_serial(model, ended, &mut lines);
    if running.is_none() && model.gap.lacks_strict() {
        let note = "hashed and compared; strict: layers are not unpacked yet";
        foreseen(&mut lines, Check::Bytes, note.to_owned(), true);
    }
    // A path in a reason is read from its beginning to its end.
    let cells = usize::from(model.columns).saturating_sub(lead + BESIDE).max(24);
    let mut lines: Vec<Line> = lines.into_iter().flat_map(|line| line.folded(cells)).collect();
    lines.extend(files.into_iter().flat_map(damaged));
    let mut images: Vec<Line> = images.iter().map(|image| image_line(image, ended, &hurt)).collect();
    images.sort_by_key(|line| line.role != Role::Fail);
    lines.extend(images);
    lines
}

/// A damaged file, and below it what was found: shortened on the screen, in full on its page.
fn damaged(item: &ItemView) -> [Line; 2] {
    let note = item.note.clone().unwrap_or_default();
    let (path, reason) = note.split_once(": ").filter(|(path, _)| !path.contains(' ')).unwrap_or(("", &note));
    let what = if path.is_empty() { &item.name } else { path };
    let more = on_lines(&note);
    let line = |state, words: &str| Line {
        more: more.clone(),
        copy: Some(item.name.clone()),
        ..Line::new(state, Role::Fail, text::short_digests(words), "")
    };
    [line("x FAIL", what), line("", &format!("  {reason}"))]
}

/// The reason of a damaged file with each digest on a line of its own.
fn on_lines(note: &str) -> Vec<String> {
    let apart = note.replacen(": expected ", "\nexpected\n", 1);
    apart
        .replacen(", the bytes hash to ", "\nbut its bytes hash to\n", 1)
        .lines()
        .map(str::to_owned)
        .collect()
}

fn checks(view: Option<&JobView>, ended: Option<&Ended>, running: bool, damaged: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open = true;
    for check in Check::ALL {
        let passed = view.and_then(|view| view.passed.iter().find(|(passed, _)| *passed == check));
        let line = match (passed, ended) {
            (Some((_, words)), _) => {
                let line = Line::new("ok", Role::Ok, check.name(), text::short_digests(words));
                let more = (line.note != *words).then(|| words.clone());
                Line { more: more.into_iter().collect(), copy: Some(words.clone()), ..line }
            }
            (None, Some(Ended::Failed(failure))) if std::mem::take(&mut open) => {
                // What is wrong stands in the rows of the files themselves.
                let words = match damaged {
                    0 => failure.message.clone(),
                    damaged => format!("{}, see below", count(damaged, "damaged file")),
                };
                let line = Line::new("x FAIL", Role::Fail, check.name(), words);
                Line { copy: Some(failure.message.clone()), failed: true, ..line }
            }
            (None, Some(Ended::Cancelled)) if std::mem::take(&mut open) => {
                Line::new("stopped", Role::Warn, check.name(), "on request; it can be begun anew")
            }
            (None, None) if running && std::mem::take(&mut open) => {
                Line::new("run", Role::Current, check.name(), "...")
            }
            (None, Some(_)) => Line::new("-", Role::Dim, check.name(), "not reached"),
            (None, None) => Line::new("todo", Role::Dim, check.name(), about(check)),
        };
        lines.push(line);
    }
    lines
}

const fn about(check: Check) -> &'static str {
    match check {
        Check::Document => "airlift/manifest.json, read once",
        Check::Signatures => "over exactly those bytes, by trusted keys",
        Check::Clock => "neither behind nor past the expiry",
        Check::Serial => "not older than what was accepted before",
        Check::Files => "nothing missing, nothing added",
        Check::Graph => "every image closed down to its last layer",
        Check::Bytes => "hashed and compared",
    }
}

/// What is known to stand in the way before it is checked.
fn foresee(model: &Model, lines: &mut [Line]) {
    let Some(said) = model.gap.said() else { return };
    let (good, wanted) = (said.trust.signed_by.len(), model.gap.signers());
    let trust = model.key(Act::KeyTrust);
    if good < wanted {
        let note = match (said.trust.signatures.len(), good) {
            (0, _) => "the bundle is not signed: it is incomplete".to_owned(),
            (_, 0) => format!("by no key that is trusted here; {trust} trusts one"),
            (..=1, _) => format!("{wanted} are wanted, and it has one"),
            _ => format!("by {}, {wanted} are wanted; {trust} trusts another", count(good, "trusted key")),
        };
        foreseen(lines, Check::Signatures, note, true);
    } else if let Some(note) = signers::about(model) {
        foreseen(lines, Check::Signatures, note, false);
    }
    if model.gap.deep {
        let note = "hashed and compared; strict: layers are unpacked, too";
        foreseen(lines, Check::Bytes, note.to_owned(), false);
    }
    if let Some(expires) = said.report.expires.filter(|expires| *expires < model.now) {
        foreseen(lines, Check::Clock, format!("expired {expires:.0}"), true);
    }
    if let Some(reason) = model.gap.rollback() {
        let let_through = if model.gap.let_through() != AllowRollback::No {
            "let through on request".to_owned()
        } else {
            format!("{} lets it through", model.key(Act::CheckOverride))
        };
        foreseen(lines, Check::Serial, format!("{reason}; {let_through}"), true);
    }
}

/// Says of a check what is known before it, and warns of it where it will not hold.
fn foreseen(lines: &mut [Line], check: Check, note: String, warned: bool) {
    let Some(line) = lines.iter_mut().find(|line| line.what == check.name()) else { return };
    line.note = note;
    if warned {
        (line.state, line.role) = ("! todo", Role::Warn);
    }
}

/// A serial that there was nothing to compare with, or that was let through, passed with the warning that is told.
fn warn_of_serial(model: &Model, ended: Option<&Ended>, lines: &mut [Line]) {
    let warned = match ended {
        Some(Ended::Succeeded(report)) => match &**report {
            JobReport::Verify(report) => report.history.iter().any(|history| history.decision.is_warned()),
            _ => false,
        },
        // Before there is a report, by what was seen when it was opened.
        _ => {
            let said = model.gap.said().and_then(|said| said.serial.as_ref());
            said.is_some_and(SerialDecision::is_warned)
        }
    };
    let is_it = |line: &&mut Line| line.what == Check::Serial.name() && line.state == "ok";
    if let Some(line) = lines.iter_mut().find(is_it).filter(|_| warned) {
        (line.state, line.role) = ("! warn", Role::Warn);
    }
}

fn image_line(image: &Image, ended: Option<&Ended>, hurt: &[&ItemView]) -> Line {
    let reference = image.reference.to_string();
    let needs = hurt.iter().find(|item| item.name == reference);
    let (state, role) = match ended {
        _ if needs.is_some() => ("x FAIL", Role::Fail),
        Some(Ended::Succeeded(_)) => ("ok", Role::Ok),
        Some(_) => ("-", Role::Dim),
        None => ("todo", Role::Dim),
    };
    let platforms: Vec<String> = image.platforms.iter().map(|one| one.platform().to_string()).collect();
    let size: u64 = image.platforms.iter().fold(0, |sum, one| sum.saturating_add(one.size));
    let mut line = Line::new(state, role, reference, "");
    line.size = text::bytes(size);
    line.more = needs.and_then(|item| item.note.clone()).into_iter().collect();
    line.more.extend([
        format!("digest    {}", image.digest),
        format!("type      {}", image.media_type),
        format!("source    {}, resolved {:.0}", image.source, image.resolved_at),
        format!("carried   {}", platforms.join(", ")),
    ]);
    if !image.omitted_platforms.is_empty() {
        let omitted = image.omitted_platforms.iter().map(|one| one.platform().to_string());
        line.more.push(format!("left out  {}", omitted.collect::<Vec<_>>().join(", ")));
    }
    if !image.signatures.is_empty() {
        line.more.push(format!("carries   {}", text::referrers(image.signatures.len())));
    }
    line.more.extend(image.findings.iter().map(|finding| format!("finding   {finding}")));
    line.copy = Some(image.digest.to_string());
    line
}

/// A row in full.
pub(super) fn page(line: &Line, model: &Model) -> Page {
    let ended = model.gap.checked.as_ref().map(|checked| &checked.ended);
    if let (Some(Ended::Failed(failure)), true) = (ended, line.failed) {
        return words::failure_page_on("Verify", &format!("{} failed", line.what), failure, &model.keymap);
    }
    let mut lines = vec![(format!("{}  {}", line.state, line.what.trim_start()), Role::Title)];
    lines.extend((!line.note.is_empty()).then(|| (line.note.clone(), line.role)));
    lines.extend(line.more.iter().map(|words| (words.clone(), Role::Text)));
    let copy = line.copy.clone().unwrap_or_else(|| line.note.clone());
    Page::new("Details", lines).copying(copy)
}

/// The verdict, and the next step where it is bad.
pub(super) fn verdict(checked: &Checked, keymap: &Keymap) -> Vec<(String, Role)> {
    let one = |words: &str, role| vec![(words.to_owned(), role)];
    match &checked.ended {
        Ended::Succeeded(_) if warnings(&checked.ended) => {
            let mut lines = one(
                &format!("OK  verified, with warnings: {} shows them", keymap.says(Act::Step4)),
                Role::Ok,
            );
            let words = match &checked.ended {
                Ended::Succeeded(report) => match &**report {
                    JobReport::Verify(report) if report.complete => first_of(&report.warnings),
                    JobReport::Verify(report) => {
                        format!("{} missing from it", count(report.missing.len(), "image"))
                    }
                    _ => String::new(),
                },
                _ => String::new(),
            };
            lines.push((format!("! {words}"), Role::Warn));
            lines
        }
        Ended::Succeeded(_) => one("OK  verified: every check held", Role::Ok),
        Ended::Cancelled => one("stopped: nothing is known of this bundle", Role::Warn),
        Ended::Failed(failure) => {
            let mut lines =
                one(&format!("x REFUSED ({}): {}", failure.class(), refusal(failure.kind)), Role::Fail);
            lines.extend(
                failure
                    .hints
                    .first()
                    .map(|next| (format!("  {}", hints::on("Verify", next, keymap)), Role::Text)),
            );
            lines
        }
    }
}

/// Whether a verification that succeeded has something to warn of.
pub(super) fn warnings(ended: &Ended) -> bool {
    let Ended::Succeeded(report) = ended else { return false };
    matches!(&**report, JobReport::Verify(report) if !report.warnings.is_empty() || !report.complete)
}
