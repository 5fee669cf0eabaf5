//! Report of the air-gapped side: the verdict, who signed and when that was decided, what was checked and what was not.

mod facts;
mod medium;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::facts::sheet;
use super::bundle::scan;
use super::letting::Letting;
use super::sheet::{SheetView, ask, headline, save};
use crate::actions::{Act, Scope};
use crate::dialogs::{Answer, Confirm, Question};
use crate::domain::sheet::{Grade, Sheet};
use crate::engine::spec::JobSpec;
use crate::tui::gap::Gap;
use crate::tui::model::{Model, Place};
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::facts::teach;
use crate::widgets::line;
use crate::widgets::list::{List, Move};
use crate::widgets::look::Look;
use crate::widgets::stepper::StepState;

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Report {
    view: SheetView,
    sheet: Option<Sheet>,
    letting: Letting,
}

impl Screen for Report {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Checked, Scope::Eject, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        let eject = medium::is_there(model).then_some(Act::MediaEject);
        let before = std::iter::once(Act::CheckedWrite).chain(eject);
        before.chain([Act::Copy, Act::CheckedNew, Act::Back]).collect()
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        match act {
            Act::CheckedNew => return model.why_no_other_bundle(),
            Act::MediaEject => return medium::why_not(model),
            _ => {}
        }
        let nothing = act == Act::CheckedWrite && self.sheet.is_none();
        nothing.then(|| format!("nothing is verified yet: {} goes there", model.key(Act::Step2)))
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::CheckedWrite => ask(self.sheet.as_ref(), act, cx),
            Act::MediaEject => self.letting.ask(medium::to_eject(cx.model), cx),
            Act::CheckedNew => {
                let mut words = vec!["The report is cleared from this screen.".to_owned()];
                words.extend(cx.model.kept_as().map(|file| format!("It is kept as {file}")));
                cx.open(Confirm::new(Act::CheckedNew, "Open another bundle?", words, "Another bundle"));
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, answer) {
            (Act::CheckedWrite, Answer::Path(directory) | Answer::NewDirectory(directory)) => {
                let Some(sheet) = &self.sheet else { return };
                match save(sheet, &directory) {
                    Ok(effect) => cx.effect(effect),
                    Err(failure) => {
                        cx.open(words::failure_page("The report was not saved", &failure, &cx.model.keymap))
                    }
                }
            }
            (Act::MediaEject, Answer::Yes) => self.letting.eject(cx),
            (Act::CheckedNew, Answer::Yes) => {
                if let Some(reason) = cx.model.why_no_other_bundle() {
                    return cx.say(format!("not now: {reason}"));
                }
                let gap = std::mem::take(&mut cx.model.gap);
                // What is asked of a bundle is asked of the next one, too.
                let Gap { given, further_signers, .. } = gap;
                cx.model.gap = Gap { given, further_signers, ..Gap::default() };
                cx.model.changed(Place::Bundle);
                cx.go(Place::Bundle);
            }
            _ => {}
        }
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        if act == Act::MediaEject {
            return medium::ended(cx);
        }
        if !matches!(act, Act::Verify | Act::Import | Act::ImportUndo) {
            return;
        }
        // Another report is read from its top.
        self.view.list.go(Move::First);
        let gap = &cx.model.gap;
        if let Some(sheet) = gap.checked.as_ref().and_then(|checked| sheet(gap, checked, &cx.model.keymap)) {
            let kept = cx.model.keep_report(&sheet);
            cx.effect(kept);
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        scan(cx);
        let gap = &cx.model.gap;
        let state = match gap
            .checked
            .as_ref()
            .and_then(|checked| sheet(gap, checked, &cx.model.keymap))
            .map(|sheet| sheet.grade)
        {
            Some(Grade::Fail) => StepState::Failed,
            Some(Grade::Warn) => StepState::Warn,
            Some(Grade::Ok | Grade::Plain) => StepState::Ok,
            None => return,
        };
        // What is read is there, whatever comes after it.
        cx.model.set_state(Place::Checked, state);
    }

    fn sync(&mut self, model: &Model) {
        self.sheet = model.gap.checked.as_ref().and_then(|checked| sheet(&model.gap, checked, &model.keymap));
        self.view.sync(self.sheet.as_ref(), model.columns);
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.view.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.view.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        if let Some(run) = &model.gap.import.run {
            return Some(run.job.spec.clone());
        }
        Some(JobSpec::Verify(model.gap.checked.as_ref()?.spec.clone()))
    }

    fn job_title(&self) -> &'static str {
        "What is reported, on a shell"
    }

    /// The value of the row; on a row without one, the whole report.
    fn value(&self, _: &Model) -> Option<String> {
        self.view.value().or_else(|| self.sheet.as_ref().map(Sheet::text))
    }

    fn status(&self, model: &Model) -> String {
        match &self.sheet {
            Some(_) => {
                let copy = model.key(Act::Copy);
                format!("{copy} copies this row; on a heading, the whole report")
            }
            None => "nothing is verified yet".to_owned(),
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let Some(sheet) = &self.sheet else {
            let imports = model.at_work(Act::Import).is_some() || model.gap.import.run.is_some();
            let words = match &model.gap.checked {
                Some(_) => "Nothing to report: the bundle could not be read, or verification was stopped.",
                None if imports => "The import verifies the bundle for itself; the report tells of Verify.",
                None => "Nothing is verified yet.",
            };
            return teach(
                &[("", words), ("", ""), (&model.key(Act::Step2), "verifies it")],
                area,
                look,
                buffer,
            );
        };
        let top = headline(sheet, area, look, buffer);
        line::rule(line::row(area, top), look, buffer);
        self.view.draw(&model.key(Act::PageDown), line::below(area, top + 1), look, buffer);
    }
}
