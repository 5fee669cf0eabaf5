//! Import: where to, what would become of every image there, one question, then the run and what came of it.

mod aims;
mod asking;
mod choose;
mod details;
mod keys;
mod list;
mod plan;
mod rows;
mod run;
pub(super) mod undo;
mod view;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::keys::again;
use self::plan::{hopeless, paragraphs, planned};
use self::rows::{Line, images, lines};
use self::view::shown;
use crate::actions::{Act, Scope};
use crate::dialogs::{Answer, Confirm, Question};
use crate::engine::spec::{ImportJob, JobSpec};
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::screen::{Cx, Mark, Screen};
use crate::widgets::list::{List, id};
use crate::widgets::look::Look;

/// The question whether an import that ended early goes on.
const AGAIN: Question = Question { act: Act::Import, part: 1 };

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Import {
    list: List,
    /// Whether it ran when the rows were taken over last.
    ran: bool,
    lines: Vec<Line>,
    /// Whether one came back while a plan that was left still stops.
    back: bool,
    /// Whether the plan was asked for by its key.
    anew: bool,
    /// What is to be confirmed.
    asked: Option<ImportJob>,
    undo: undo::Asking,
}

impl Import {
    fn line(&self) -> Option<&Line> {
        self.lines.get(self.list.row()?)
    }

    fn scan(cx: &mut Cx<'_>) {
        let places = cx.model.gap.import.places();
        cx.effect(Effect::Ask(Query::Node(places)));
        cx.effect(Effect::Ask(Query::Noted));
    }

    /// Works the plan out where that can be done and was not done yet.
    fn plan(cx: &mut Cx<'_>) {
        let idle = !cx.busy() && cx.model.not_importable().is_none() && cx.model.gap.import.run.is_none();
        let Some(job) = cx.model.import_job(true).filter(|_| idle) else { return };
        if !cx.model.plan_holds() {
            cx.start(Act::ImportPlan, JobSpec::Import(job));
        }
    }

    /// A setting was changed: what was planned or run is about something else.
    fn changed(cx: &mut Cx<'_>) {
        cx.model.gap.import.outdate();
        Self::plan(cx);
    }

    /// Asks the targets, though nothing was changed here: something may be there.
    fn anew(&mut self, cx: &mut Cx<'_>) {
        self.anew = true;
        cx.say("asking the targets; nothing is written ...");
        Self::changed(cx);
    }

    /// Targets were changed: there may be room elsewhere now.
    fn aimed(cx: &mut Cx<'_>) {
        Self::scan(cx);
        Self::changed(cx);
    }

    fn start(&mut self, cx: &mut Cx<'_>) {
        let ended = cx.model.gap.import.run.as_ref().and_then(|run| run.job.ended.as_ref());
        match ended {
            Some(Ended::Succeeded(_)) => return cx.go(Place::Checked),
            Some(Ended::Cancelled | Ended::Failed(_)) => {
                let words =
                    "The same import goes on: what is there by now is looked at and not written again.";
                return cx.open(Confirm::new(AGAIN, "Go on with it?", vec![words.to_owned()], "Go on"));
            }
            None => {}
        }
        match cx.model.gap.import.planned().filter(|_| cx.model.plan_holds()) {
            Some(plan) => match hopeless(cx.model, plan) {
                Some(page) => cx.open(page),
                None => {
                    let words = paragraphs(cx.model, plan);
                    self.asked = cx.model.import_job(false);
                    cx.open(Confirm::new(Act::Import, "Import this?", words, "Import"));
                }
            },
            // What was in the way may be gone, or what is marked may do without it.
            None => self.anew(cx),
        }
    }

    fn retry(cx: &mut Cx<'_>) {
        match again(cx.model) {
            Ok(job) => cx.start(Act::Import, JobSpec::Import(job)),
            Err(reason) => cx.say(reason),
        }
    }
}

/// Why nothing was started: what was confirmed is not what stands there now.
fn not_as_asked(model: &Model) -> String {
    let reason = model.not_importable();
    let reason = reason.unwrap_or_else(|| "what was to be imported has changed meanwhile".to_owned());
    format!("nothing was started: {reason}")
}

impl Screen for Import {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Import, Scope::Undo, Scope::Job, Scope::Failed, Scope::Marks, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        keys::footer(model)
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        keys::why_not(act, self.line(), model)
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::Import => self.start(cx),
            Act::Retry => Self::retry(cx),
            Act::ImportPlan => self.anew(cx),
            Act::ImportTargets => choose::targets(cx),
            Act::ImportOther => choose::forms(cx),
            Act::ImportNamespace => choose::namespace(cx),
            Act::ImportEdit => choose::edit(cx, 0),
            Act::ImportScan => {
                cx.say("looking for the runtimes of this node ...");
                Self::scan(cx);
            }
            Act::ImportDetails => {
                let image = self.line().and_then(|line| images(cx.model).get(line.image));
                if let Some(page) = image.map(|image| details::page(image, cx.model)) {
                    cx.open(page);
                }
            }
            Act::ImportUndo => self.undo.ask(cx),
            Act::ImportNext => cx.go(Place::Checked),
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, question.part, answer) {
            (Act::Import, 1, Answer::Yes) => Self::retry(cx),
            (Act::Import, _, Answer::Yes) => {
                let now = cx.model.import_job(false);
                match self.asked.take().filter(|asked| now.as_ref() == Some(asked)) {
                    Some(job) => cx.start(Act::Import, JobSpec::Import(job)),
                    None => cx.say(not_as_asked(cx.model)),
                }
            }
            (Act::ImportUndo, _, answer) => self.undo.answered(answer, cx),
            (Act::ImportTargets, _, Answer::Rows(rows)) => {
                cx.model.gap.import.choose(&rows);
                Self::aimed(cx);
            }
            (Act::ImportOther, 0, Answer::Rows(rows)) => {
                if let Some(row) = rows.first() {
                    choose::typed(*row, cx);
                }
            }
            (Act::ImportOther, _, Answer::Text(text)) if choose::taken(&text, cx) => Self::aimed(cx),
            (Act::ImportNamespace, _, Answer::Text(text)) => {
                cx.model.gap.import.set_namespace(text.trim());
                Self::aimed(cx);
            }
            (Act::ImportEdit, 0, Answer::Rows(rows)) => {
                let row = rows.first().copied().unwrap_or_default();
                if choose::edit_row(cx, row) {
                    Self::changed(cx);
                    choose::edit(cx, row);
                }
            }
            (Act::ImportEdit, _, Answer::Text(text)) => {
                cx.model.gap.import.platform = choose::platform(&text).unwrap_or_default();
                Self::changed(cx);
            }
            _ => {}
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        match found {
            Found::Node(..) | Found::Bundles(..) => Self::plan(cx),
            Found::Media(_) => super::bundle::scan(cx),
            _ => {}
        }
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::ImportPlan if cx.model.place == Place::Import => {
                let job = cx.model.job.as_ref();
                let stopped = matches!(job.and_then(|job| job.ended.as_ref()), Some(Ended::Cancelled));
                if std::mem::take(&mut self.anew) && !stopped {
                    cx.say(planned(cx.model));
                }
                // Settings may have changed meanwhile.
                if !stopped || std::mem::take(&mut self.back) {
                    Self::plan(cx);
                }
            }
            // What was accepted is history now, and there is less room.
            Act::ImportUndo => {
                let back = undo::ended(cx);
                cx.effect(Effect::Ask(Query::Noted));
                if back && cx.model.place == Place::Import {
                    Self::plan(cx);
                }
            }
            Act::Import => {
                super::bundle::scan(cx);
                Self::scan(cx);
            }
            // What kept the plan from being made is over.
            _ if cx.model.place == Place::Import => Self::plan(cx),
            _ => {}
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        cx.model.aim_as_before();
        self.back = cx.model.running().is_some_and(|job| job.act == Act::ImportPlan && job.stopping);
        Self::scan(cx);
        Self::plan(cx);
    }

    fn sync(&mut self, model: &Model) {
        self.lines = lines(model);
        let (lines, images) = (&self.lines, images(model));
        let words = |row: usize| {
            let line: &Line = &lines[row];
            let name = images.get(line.image).map(|image| image.reference.to_string()).unwrap_or_default();
            format!("{} {name} {}", line.state, line.note).into()
        };
        // While it runs, a cursor at the top sees what failed come up there.
        let runs = model.running().is_some_and(|job| matches!(job.act, Act::Import | Act::ImportPlan));
        let top = std::mem::replace(&mut self.ran, runs) || runs;
        let reference = |row: usize| images.get(lines[row].image).map(|image| &image.reference);
        self.list.follow((lines.len(), top), words, |row| id(&reference(row)));
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn mark(&mut self, mark: Mark, model: &mut Model) {
        let name = |line: &Line| images(model).get(line.image).map(|image| image.reference.to_string());
        let visible = self.list.visible().iter().filter_map(|row| name(self.lines.get(*row)?));
        let visible: Vec<String> = visible.collect();
        let own = self.line().and_then(name);
        let import = &mut model.gap.import;
        let picked = &mut import.picked;
        let toggle = |name: String| {
            if !picked.remove(&name) {
                picked.insert(name);
            }
        };
        match mark {
            Mark::Toggle => own.into_iter().for_each(toggle),
            Mark::Invert => visible.into_iter().for_each(toggle),
            Mark::All if visible.iter().all(|name| picked.contains(name)) => {
                picked.retain(|name| !visible.contains(name));
            }
            Mark::All => picked.extend(visible),
        }
        // What was run was about other images.
        import.run = None;
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        if let (Some(_), Some(run)) = (view::undoing(model), &model.gap.import.undoing) {
            return Some(undo::numbered(run, model));
        }
        match shown(model) {
            Some(job) => Some(job.spec.clone()),
            None => model.import_job(false).map(JobSpec::Import),
        }
    }

    fn value(&self, model: &Model) -> Option<String> {
        let image = images(model).get(self.line()?.image)?;
        Some(image.digest.to_string())
    }

    fn status(&self, model: &Model) -> String {
        view::status(model)
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        view::draw(self, model, look, area, buffer);
    }
}
