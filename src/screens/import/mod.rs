//! Import: where to, what would become of every image there, one question, then the run and what came of it.

mod choose;
mod plan;
mod rows;
mod run;
mod undo;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::plan::{outlook, paragraphs, targets};
use self::rows::{Line, bytes, images, lines};
use self::run::{outcome, phases};
use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::{Answer, Confirm, Question};
use crate::domain::text;
use crate::engine::spec::{ImportJob, JobSpec};
use crate::tui::importing::Run;
use crate::tui::model::{JobState, Model, Place};
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::screen::{Cx, Mark, Screen};
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};

/// Rows that the images keep at least.
const IMAGES: u16 = 4;

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Import {
    list: List,
    lines: Vec<Line>,
    /// Whether one came back while a plan that was left still stops.
    back: bool,
}

/// The import that is shown: the one that runs, else the one that ended.
fn shown(model: &Model) -> Option<&JobState> {
    let running = model.running().filter(|job| job.act == Act::Import);
    running.or_else(|| model.gap.import.run.as_ref().map(|run| &run.job))
}

/// What is worth doing again of the last run, and why not otherwise.
fn again(model: &Model) -> Result<ImportJob, &'static str> {
    let run = model.gap.import.run.as_ref().ok_or("nothing was imported yet; Enter does it")?;
    let JobSpec::Import(job) = &run.job.spec else { return Err("nothing was imported yet") };
    let mut job = job.clone();
    if run.report().is_some() {
        job.import.only = run.failed();
        if job.import.only.is_empty() {
            return Err("nothing failed");
        }
    }
    Ok(job)
}

impl Import {
    fn line(&self) -> Option<&Line> {
        self.lines.get(self.list.row()?)
    }

    fn scan(cx: &mut Cx<'_>) {
        let places = cx.model.gap.import.places();
        cx.effect(Effect::Ask(Query::Node(places)));
    }

    /// Works the plan out where that can be done and was not done yet.
    fn plan(cx: &mut Cx<'_>) {
        let idle = !cx.busy() && cx.model.not_importable().is_none() && cx.model.gap.import.run.is_none();
        let Some(job) = cx.model.import_job(true).filter(|_| idle) else { return };
        if cx.model.gap.import.plan.as_ref().is_none_or(|plan| plan.job != job) {
            cx.start(Act::ImportPlan, JobSpec::Import(job));
        }
    }

    /// A setting was changed: what was planned or run is about something else.
    fn changed(cx: &mut Cx<'_>) {
        cx.model.gap.import.outdate();
        Self::plan(cx);
    }

    /// Targets were changed: there may be room elsewhere now.
    fn aimed(cx: &mut Cx<'_>) {
        Self::scan(cx);
        Self::changed(cx);
    }

    fn start(cx: &mut Cx<'_>) {
        let ended = cx.model.gap.import.run.as_ref().and_then(|run| run.job.ended.as_ref());
        match ended {
            Some(Ended::Succeeded(_)) => return cx.go(Place::Checked),
            // The question was answered when it was started first.
            Some(Ended::Cancelled | Ended::Failed(_)) => return Self::retry(cx),
            None => {}
        }
        match cx.model.gap.import.plan.as_ref().map(|plan| &plan.outcome) {
            Some(Ok(plan)) => {
                let words = paragraphs(cx.model, plan);
                cx.open(Confirm::new(Act::Import, "Import this?", words, "Import"));
            }
            Some(Err(failure)) => cx.open(words::failure_page("It cannot be imported like this", failure)),
            None => Self::plan(cx),
        }
    }

    fn retry(cx: &mut Cx<'_>) {
        match again(cx.model) {
            Ok(job) => cx.start(Act::Import, JobSpec::Import(job)),
            Err(reason) => cx.say(reason),
        }
    }
}

impl Screen for Import {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Import, Scope::Job, Scope::Failed, Scope::Marks, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        match shown(model) {
            Some(job) if job.running() => {
                vec![Act::ImportDetails, Act::Pause, Act::Stop, Act::Logs, Act::Back]
            }
            Some(JobState { ended: Some(Ended::Succeeded(_)), .. }) => {
                let failed = again(model).is_ok();
                let first = if failed { Act::Retry } else { Act::ImportNext };
                let second = if failed { Act::ImportNext } else { Act::ImportPlan };
                let undo = model.gap.import.changes() > 0;
                vec![
                    first,
                    second,
                    Act::ImportDetails,
                    if undo { Act::ImportUndo } else { Act::ImportTargets },
                    Act::Back,
                ]
            }
            Some(_) => vec![Act::Retry, Act::ImportPlan, Act::ImportTargets, Act::Logs, Act::Back],
            None if model.gap.import.marked.is_empty() => {
                vec![Act::ImportTargets, Act::ImportOther, Act::ImportScan, Act::ImportDetails, Act::Back]
            }
            None if model.gap.import.plan.as_ref().is_some_and(|plan| plan.outcome.is_err()) => {
                vec![Act::ImportPlan, Act::ImportTargets, Act::ImportOther, Act::Logs, Act::Back]
            }
            None => vec![Act::Import, Act::ImportTargets, Act::ImportOther, Act::Mark, Act::ImportEdit],
        }
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let busy = || model.busy().map(|job| format!("{} is running", job.spec.title()));
        let planning = || model.running().is_some_and(|job| job.act == Act::ImportPlan);
        match act {
            Act::Import | Act::ImportPlan if planning() => Some("the plan is being worked out".to_owned()),
            Act::Import if model.gap.import.run.is_some() => busy(),
            Act::Import | Act::ImportPlan => busy().or_else(|| model.not_importable().map(str::to_owned)),
            Act::ImportTargets
            | Act::ImportOther
            | Act::ImportEdit
            | Act::Mark
            | Act::MarkAll
            | Act::Invert => busy(),
            Act::ImportNamespace if model.gap.import.namespace().is_none() => {
                Some("no containerd is among the targets; t shows them".to_owned())
            }
            Act::ImportNamespace => busy(),
            Act::ImportUndo if model.gap.import.changes() == 0 => {
                Some("no runtime was changed; registries and files keep what they got".to_owned())
            }
            Act::ImportUndo => busy(),
            Act::ImportDetails if self.line().is_none() => Some("no image is listed".to_owned()),
            Act::ImportNext if model.gap.checked.is_none() => {
                Some("nothing was verified or imported yet".to_owned())
            }
            Act::Retry => again(model).err().map(str::to_owned),
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::Import => Self::start(cx),
            Act::Retry => Self::retry(cx),
            Act::ImportPlan => Self::changed(cx),
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
                if let Some(page) = image.map(|image| rows::page(image, cx.model)) {
                    cx.open(page);
                }
            }
            Act::ImportUndo => undo::ask(cx),
            Act::ImportNext => cx.go(Place::Checked),
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, question.part, answer) {
            (Act::Import, _, Answer::Yes) => {
                if let Some(job) = cx.model.import_job(false) {
                    cx.start(Act::Import, JobSpec::Import(job));
                }
            }
            (Act::ImportUndo, _, Answer::Yes) => undo::start(cx),
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
                // Settings may have changed meanwhile.
                if !stopped || std::mem::take(&mut self.back) {
                    Self::plan(cx);
                }
            }
            // What was accepted is history now, and there is less room.
            Act::ImportUndo if undo::ended(cx) => Self::plan(cx),
            Act::Import => {
                undo::keep(cx);
                super::bundle::scan(cx);
                Self::scan(cx);
            }
            _ => {}
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        self.back = cx.model.running().is_some_and(|job| job.act == Act::ImportPlan && job.stopping);
        Self::scan(cx);
        Self::plan(cx);
    }

    fn sync(&mut self, model: &Model) {
        self.lines = lines(model);
        let (lines, images) = (&self.lines, images(model));
        self.list.refresh(lines.len(), |row| {
            let line = &lines[row];
            let name = images.get(line.image).map(|image| image.reference.to_string()).unwrap_or_default();
            format!("{} {name} {}", line.state, line.note).into()
        });
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
        let import = &model.gap.import;
        let all = images(model).len();
        let marked = match import.picked.len() {
            0 => format!("all of {}; Space picks some", words::count(all, "image")),
            some => format!("{some} of {} marked", words::count(all, "image")),
        };
        match shown(model) {
            Some(job) if job.stopping && job.running() => "stopping at a safe point ...".to_owned(),
            Some(job) if job.running() => {
                let retries = if job.view.retries > 0 {
                    format!("; retries: {}", job.view.retries)
                } else {
                    String::new()
                };
                format!("importing{retries}; l shows the log")
            }
            Some(_) => "D plans anew; t chooses other targets".to_owned(),
            None => marked,
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width).saturating_sub(2);
        line::words(&head(model), look.style(Role::Title), line::row(area, 0), buffer);
        let mut at = 1;
        let outlook = match shown(model) {
            Some(job) => {
                let took = model.gap.import.run.as_ref().filter(|_| !job.running());
                let since = took.map_or_else(|| model.at.saturating_sub(job.began), |run: &Run| run.took);
                at += phases(job, since, look, line::below(area, at), buffer);
                outcome(job, model, columns)
            }
            None => {
                at += targets(model, look, line::below(area, at), buffer);
                outlook(model, columns)
            }
        };
        // The images keep a few rows, where there are some; the reason of a failure needs the rest.
        let least = if self.lines.is_empty() { 0 } else { IMAGES };
        let most = usize::from(area.height.saturating_sub(at + least + 1));
        for (words, role) in outlook.iter().take(most) {
            line::words(&format!(" {words}"), look.style(*role), line::row(area, at), buffer);
            at += 1;
        }
        line::rule(line::row(area, at), look, buffer);
        self.images(model, look, line::below(area, at + 1), buffer);
    }
}

impl Import {
    fn images(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        if self.lines.is_empty() {
            return;
        }
        let noted = self.lines.iter().any(|line| !line.note.is_empty());
        let title = if shown(model).is_some() { "STATE" } else { "PLAN" };
        let mut columns = vec![Column::left(title, 10), Column::left("IMAGE", 0), Column::right("SIZE", 8)];
        if noted {
            columns.push(Column::left("NOTE", area.width / 3));
        }
        let row = |row: usize| {
            let line = &self.lines[row];
            let Some(image) = images(model).get(line.image) else {
                return Row { marked: false, values: Vec::new() };
            };
            let name = image.reference.to_string();
            let marked = model.gap.import.picked.contains(&name);
            let mut values = vec![
                Value::styled(line.state, line.role),
                Value::plain(name),
                Value::plain(text::bytes(bytes(image))),
            ];
            if noted {
                values.push(Value::styled(&line.note, line.role));
            }
            Row { marked, values }
        };
        table(&columns, &self.list, row, area, look, buffer);
    }
}

/// What is imported and from where.
fn head(model: &Model) -> String {
    let gap = &model.gap;
    let path = gap.chosen.as_deref().map_or_else(String::new, |path| path.display().to_string());
    match gap.said() {
        Some(said) => {
            let report = &said.report;
            let (count, size) =
                (words::count(report.totals.images as usize, "image"), text::bytes(report.totals.bytes));
            format!(" {}-{}  {count}  {size}  from {path}", report.name, report.serial)
        }
        None if path.is_empty() => " No bundle is chosen".to_owned(),
        None => format!(" {path}"),
    }
}
