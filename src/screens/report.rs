//! Report: what was made, who signed, what was checked and how, and what the other side types; and what is still to be done.

mod saved;
mod there;

use std::path::{Path as FsPath, PathBuf};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::there::{
    Held, bundle, empty, held, no_bundle, of_before, shown, stays, to_eject, under_way, unreachable,
};
use super::letting::Letting;
use super::sheet::{SheetView, ask, headline, save};
use super::signer::{AskKey, Choice};
use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::path::Wanted;
use crate::dialogs::{Answer, Confirm, Page, Path, Question};
use crate::domain::sheet::Sheet;
use crate::engine::bundle::diff::DiffSpec;
use crate::engine::spec::{JobReport, JobSpec, SignJob, SignerSpec};
use crate::tui::assembly::Made;
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::list::{List, Move};
use crate::widgets::look::Look;
use crate::widgets::phases::{PhaseRow, Standing, phase};

/// The screen.
#[derive(Debug)]
pub(super) struct Report {
    view: SheetView,
    sheet: Option<Sheet>,
    key: AskKey,
    /// What is signed once its key is chosen.
    signs: Option<Held>,
    letting: Letting,
    /// Where which report is to be saved; nothing once it was, or was not.
    saving: Option<(PathBuf, Sheet)>,
    /// Where which report was saved last.
    saved: Option<(PathBuf, Sheet)>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            view: SheetView::default(),
            sheet: None,
            key: AskKey::new(Act::Sign),
            signs: None,
            letting: Letting::default(),
            saving: None,
            saved: None,
        }
    }
}

impl Report {
    fn save(&mut self, directory: &FsPath, cx: &mut Cx<'_>) {
        let Some(sheet) = &self.sheet else { return };
        match save(sheet, directory) {
            Ok(effect) => {
                self.saving = Some((directory.to_owned(), sheet.clone()));
                cx.effect(effect);
            }
            Err(failure) => {
                cx.open(words::failure_page("The report was not saved", &failure, &cx.model.keymap))
            }
        }
    }

    fn compare(cx: &mut Cx<'_>) {
        let Some(second) = bundle(cx.model) else { return };
        let beside = second.parent().unwrap_or(FsPath::new("/")).to_owned();
        let made = cx.model.assembly.made.as_ref();
        let at = made
            .and_then(|made| made.previous.clone())
            .map_or_else(|| format!("{}/", beside.display()), |path| path.display().to_string());
        let help = "The directory of the other bundle, NAME-SERIAL. Neither bundle is verified here.";
        cx.open(Path::new(Act::Diff, "Compare with", help, Wanted::Directory).at(&at));
    }

    /// Signs what there was when that was asked for, whatever lies there by now.
    fn sign(&mut self, cx: &mut Cx<'_>, choice: Option<Choice>) {
        let Some(held) = choice.as_ref().and_then(|_| self.signs.take()) else { return };
        let signer = match choice {
            None => return,
            Some(Choice::Default) => SignerSpec::Key(cx.model.settings.paths.key()),
            Some(Choice::Other(key)) => key.signer,
            Some(Choice::Make) => {
                let sign = cx.model.key(Act::Sign);
                cx.say(format!("once it is created, {sign} signs with it"));
                return super::start::make_key(cx);
            }
        };
        let Held { path: bundle, only, document } = held;
        cx.start(Act::Sign, JobSpec::Sign(SignJob { bundle, signer, only, document, dry_run: false }));
    }

    fn anew(cx: &mut Cx<'_>, keep_list: bool) {
        if !keep_list {
            let all = (0..cx.model.picked.rows()).collect();
            let count = words::count(cx.model.picked.drop_rows(&all), "reference");
            let undo = cx.model.key(Act::ImagesUndo);
            cx.say(format!("{count} off the list; {undo} undoes it"));
        }
        cx.model.begin_anew();
        cx.go(Place::Images);
    }
}

impl Screen for Report {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Report, Scope::Eject, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        if model.running().is_some() {
            let save = shown(model).map(|_| Act::ReportWrite);
            return [Act::Stop, Act::Pause].into_iter().chain(save).chain([Act::Logs, Act::Back]).collect();
        }
        match (&model.assembly.made, bundle(model)) {
            (Some(_), _) => vec![Act::ReportWrite, Act::MediaEject, Act::Sign, Act::Diff, Act::ReportNew],
            (None, Some(_)) => vec![Act::MediaEject, Act::Sign, Act::Diff, Act::Back],
            (None, None) => vec![Act::Step3, Act::Step4, Act::Back],
        }
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let running = model.why_busy();
        let nothing = model
            .assembly
            .made
            .is_none()
            .then(|| format!("nothing is packed yet: {} does that", model.key(Act::Step4)));
        match act {
            Act::ReportWrite if under_way(model).is_some() => {
                Some("what is packed now is reported once it ends".to_owned())
            }
            Act::ReportWrite => nothing,
            Act::Sign | Act::Diff | Act::MediaEject if bundle(model).is_none() => Some(no_bundle(model)),
            Act::Sign | Act::Diff => running.or_else(|| unreachable(model)),
            Act::MediaEject => stays(model).map(str::to_owned).or(running).or_else(|| unreachable(model)),
            Act::ReportNew => running,
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::ReportWrite => ask(self.sheet.as_ref(), act, cx),
            Act::Diff => Self::compare(cx),
            Act::Sign => {
                self.signs = held(cx.model);
                self.key.ask(cx);
            }
            Act::MediaEject => self.letting.ask(to_eject(cx.model), cx),
            Act::ReportNew => {
                let mut words = vec![
                    "The settings, but for the name of the series, and the report on this screen are cleared; the \
                     medium keeps its files."
                        .to_owned(),
                ];
                words.extend(cx.model.kept_as().map(|file| format!("The report is kept as {file}")));
                let confirm = Confirm::new(Act::ReportNew, "Start another bundle?", words, "Same list");
                cx.open(confirm.or("Empty list"));
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        let choice = self.key.answered(question, &answer, cx);
        self.sign(cx, choice);
        match (question.act, answer) {
            (Act::ReportWrite, Answer::Path(directory) | Answer::NewDirectory(directory)) => {
                self.save(&directory, cx)
            }
            (Act::Diff, Answer::Path(first)) => {
                if let Some(second) = bundle(cx.model) {
                    cx.start(Act::Diff, JobSpec::Diff(DiffSpec { first, second }));
                }
            }
            (Act::MediaEject, Answer::Yes) => self.letting.eject(cx),
            (Act::ReportNew, Answer::Rows(rows)) => Self::anew(cx, rows.first() == Some(&0)),
            _ => {}
        }
    }

    fn closed(&mut self, question: Question, _: &mut Cx<'_>) {
        self.key.closed(question);
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        if cx.model.assembly.made.is_none() {
            cx.effect(Effect::Ask(Query::Media));
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        if let Found::Saved(paths) = found
            && let Some((directory, sheet)) = self.saving.clone()
            && paths.iter().any(|path| path.parent() == Some(directory.as_path()))
        {
            (self.saving, self.saved) = (None, Some((directory, sheet)));
        }
        let choice = self.key.found(found, cx);
        self.sign(cx, choice);
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        let ended = cx.model.job_of(act).and_then(|job| job.ended.clone());
        // A pack that did not come to its end says nothing of what was made before it.
        let own = act != Act::Pack || matches!(ended, Some(Ended::Succeeded(_)));
        match (act, ended) {
            // Another report is read from its top.
            (Act::Pack, _) => self.view.list.go(Move::First),
            // That of a bundle that was received is the other side's.
            (Act::MediaEject, _) if cx.model.job.as_ref().is_some_and(|job| cx.model.is_received(job)) => {
                return;
            }
            (Act::Sign | Act::Diff | Act::MediaEject, Some(Ended::Failed(failure))) => {
                cx.open(words::failure_page("That did not work", &failure, &cx.model.keymap));
            }
            (Act::Sign, Some(Ended::Succeeded(report))) => {
                if let JobReport::Sign(report) = &*report {
                    cx.model.countersigned(report);
                    let added = report.signature.as_ref().is_some_and(|signature| signature.added);
                    cx.say(if added { "signature added" } else { "this key has already signed it" });
                }
            }
            (Act::MediaEject, Some(Ended::Succeeded(report))) => {
                if let JobReport::MediaEject(report) = &*report {
                    cx.model.ejected(report);
                    cx.say(report.line());
                    self.view.list.go(Move::First);
                }
            }
            (Act::Diff, Some(Ended::Succeeded(report))) => {
                if let JobReport::Diff(report) = &*report {
                    let lines = report.lines();
                    cx.open(Page::plain("What changes", lines.clone()).copying(lines.join("\n")));
                }
            }
            _ => {}
        }
        // What is free there is another number now. One that was cut off is told of by the watch of the media.
        let packed = act == Act::Pack && !cx.model.cut_short();
        if packed || act == Act::MediaEject {
            cx.effect(Effect::Ask(Query::Media));
        }
        if matches!(act, Act::Pack | Act::Sign | Act::MediaEject)
            && own
            && let Some(sheet) = cx.model.assembly.made.as_ref().map(Made::sheet)
        {
            let kept = cx.model.keep_report(&sheet);
            cx.effect(kept);
        }
    }

    fn sync(&mut self, model: &Model) {
        self.sheet = shown(model);
        self.view.sync(self.sheet.as_ref(), model.columns);
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.view.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.view.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        if let Some(job) = under_way(model) {
            return Some(job.spec.clone());
        }
        // What made it, whatever is chosen by now.
        Some(JobSpec::Pack(model.assembly.made.as_ref()?.job.clone()))
    }

    fn job_title(&self) -> &'static str {
        "The pack that is reported, on a shell"
    }

    /// The value of the row; on a row without one, the whole report.
    fn value(&self, _: &Model) -> Option<String> {
        self.view.value().or_else(|| self.sheet.as_ref().map(Sheet::text))
    }

    fn status(&self, model: &Model) -> String {
        match &self.sheet {
            Some(_) => self.before_eject(model).unwrap_or_else(|| {
                let copy = model.key(Act::Copy);
                format!("{copy} copies the row; on a heading, the whole report")
            }),
            None if under_way(model).is_some() => "what is packed now is reported once it ends".to_owned(),
            None => "nothing is packed yet".to_owned(),
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let mut top = match &self.sheet {
            Some(sheet) => headline(sheet, area, look, buffer),
            None if under_way(model).is_some() => 0,
            None => return empty(model, look, area, buffer),
        };
        for words in of_before(model).into_iter().chain(self.older(model)) {
            for words in line::lines(&format!("! {words}"), (usize::from(area.width.saturating_sub(2)), 2)) {
                line::words(&format!(" {words}"), look.style(Role::Warn), line::row(area, top), buffer);
                top += 1;
            }
        }
        if let Some(job) = model.running() {
            let at = model.at.saturating_sub(job.began);
            let view = job.view.current();
            let name = view.map_or(job.spec.subcommand(), |view| view.phase.name());
            let row =
                PhaseRow { name, view, before: "begins", at, standing: Standing::Running, awaits: None };
            phase(&row, line::row(area, top), look, buffer);
            top += 1;
        }
        line::rule(line::row(area, top), look, buffer);
        let rest = line::below(area, top + 1);
        match under_way(model) {
            Some(_) => there::awaited(model, look, rest, buffer),
            None => self.view.draw(&model.key(Act::PageDown), rest, look, buffer),
        }
    }
}
