//! Verify: asks the registries for everything on the list, shows what each tag names as it comes, and retries what failed.

mod change;
mod remove;
mod rows;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) use self::change::{come_back, write};
pub(super) use self::remove::Seen;
use crate::actions::{Act, Scope};
use crate::dialogs::{Answer, Confirm, Question};
use crate::domain::reference::Reference;
use crate::engine::select::Source;
use crate::engine::spec::{Images, JobReport, JobSpec, ResolveJob};
use crate::tui::checked::Checked;
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Ended, Found};
use crate::tui::screen::{Cx, Mark, Screen};
use crate::tui::words;
use crate::widgets::foot::{self, Said};
use crate::widgets::line;
use crate::widgets::list::{self, List};
use crate::widgets::look::Look;
use crate::widgets::stepper::StepState;
use crate::widgets::table::{hidden, table};

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Resolve {
    list: List,
    /// Whether it ran when the rows were taken over last.
    ran: bool,
    /// Rows of the picked list in the order in which they are shown: what failed first.
    order: Vec<usize>,
    /// How many that failed are being asked for again.
    again: usize,
    /// The reference in whose place another one is typed.
    edited: Option<Reference>,
    /// How many were gone since they were verified, when the rows were taken over last.
    gone: usize,
}

/// Starts to verify the list.
pub(super) fn start(cx: &mut Cx<'_>) {
    let job = whole(cx.model);
    cx.model.picked.begin_all();
    cx.start(Act::Resolve, job);
}

/// The job over the whole list.
pub(super) fn whole(model: &Model) -> JobSpec {
    let list = Source::List(model.settings.list_file());
    JobSpec::Resolve(job(model, Images { sources: vec![list], ..Images::default() }, false))
}

fn job(model: &Model, images: Images, keep: bool) -> ResolveJob {
    let platforms = model.picked.platforms().to_vec();
    ResolveJob {
        images: Images { platforms, signatures: true, ..images },
        lock: Some(model.settings.lock_file()),
        write_lock: true,
        keep,
        state: Some(model.settings.paths.state()),
        jobs: ResolveJob::JOBS.into(),
        registry: model.settings.registry.clone(),
    }
}

impl Resolve {
    /// The row of the picked list under the cursor.
    fn row(&self) -> Option<usize> {
        self.order.get(self.list.row()?).copied()
    }

    /// The rows of the picked list that are seen.
    fn seen(&self) -> Seen {
        let rows = self.list.visible().iter().filter_map(|at| self.order.get(*at)).copied().collect();
        Seen { rows, at: self.row() }
    }

    fn retry(&mut self, cx: &mut Cx<'_>) {
        self.again = cx.model.picked.checked.counts().failed;
        // A lock file of another list would be taken for a part of this one.
        if !cx.model.picked.is_locked() {
            return start(cx);
        }
        let references = cx.model.picked.begin_failed();
        let job = job(cx.model, Images { references, ..Images::default() }, true);
        cx.start(Act::Resolve, JobSpec::Resolve(job));
    }

    fn next(cx: &mut Cx<'_>) {
        if !cx.model.picked.has_unaccepted() {
            return cx.go(Place::Media);
        }
        let picked = &cx.model.picked;
        let unread = (picked.images.len()..picked.rows()).filter_map(|row| picked.name_of(row));
        let failed: Vec<&str> = picked.checked.failed().chain(unread).collect();
        let count = failed.len();
        let why = if picked.unread_words().is_some() { "failed or could not be read" } else { "failed" };
        let mut words =
            vec![format!("The bundle will be marked incomplete, without {}:", words::count(count, "image"))];
        words.extend(failed.iter().take(5).map(|reference| format!("x {reference}")));
        if count > 5 {
            words.push(format!("and {} more", count - 5));
        }
        let title = format!("Continue without {} that {why}?", words::count(count, "image"));
        cx.open(Confirm::new(Act::ResolveNext, &title, words, "Continue without them"));
    }
}

impl Resolve {
    /// Rows below the table: those that it does not need, where there is more to say than fits into a few.
    fn rows_below(&self, model: &Model, area: Rect) -> u16 {
        let least = if area.height >= 16 { 5 } else { 3 };
        let room = (usize::from(area.width.saturating_sub(4)), usize::from(area.height));
        let said = self.row().map_or(0, |row| rows::about(model, row, room).len());
        foot::rows(said + 1, least, self.list.visible().len() + 1, area)
    }
}

impl Screen for Resolve {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Resolve, Scope::Trust, Scope::Job, Scope::Failed, Scope::List, Scope::Marks]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        let picked = &model.picked;
        let failed = picked.checked.counts().failed > 0;
        match model.running() {
            Some(_) => vec![Act::Stop, Act::ResolveDetails, Act::Logs, Act::Back],
            None if !picked.is_current() => vec![Act::Resolve, Act::ResolveDetails, Act::Back],
            // Whether that may be left out is told by asking for it again.
            None if picked.checked.gone().next().is_some() => {
                vec![Act::Retry, Act::ResolveEdit, Act::ResolveRemove, Act::Resolve, Act::ResolveDetails]
            }
            None if failed => {
                vec![Act::Retry, Act::ResolveNext, Act::ResolveEdit, Act::ResolveRemove, Act::ResolveDetails]
            }
            None => vec![Act::ResolveNext, Act::ResolveDetails, Act::ResolvePin, Act::Resolve, Act::Back],
        }
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let picked = &model.picked;
        match act {
            Act::Resolve if picked.images.is_empty() => {
                Some(format!("the list is empty: {} fills it", model.key(Act::Step1)))
            }
            Act::Resolve | Act::KeyList => model.why_busy(),
            Act::Retry if picked.checked.counts().failed == 0 => Some("nothing failed".to_owned()),
            Act::Retry if !picked.is_current() => {
                Some(format!("the list was changed since: {} verifies all of it", model.key(Act::Resolve)))
            }
            Act::ResolvePin => model.why_busy().or_else(|| picked.why_no_pins(&model.keymap)),
            Act::ResolveEdit | Act::ResolveRemove | Act::ResolveUndo if model.busy().is_some() => {
                model.why_busy()
            }
            Act::ResolveUndo => (!picked.can_undo()).then(|| "nothing was changed yet".to_owned()),
            Act::ResolveRemove if picked.marked() > 0 => None,
            Act::ResolveEdit | Act::ResolveRemove => {
                self.row().is_none().then(|| "there is no row".to_owned())
            }
            Act::ResolveDetails => self.row().is_none().then(|| "there is no row".to_owned()),
            Act::ResolveNext if picked.is_current() && picked.lost_since() => {
                Some(format!("what was verified is gone since: {} asks for it again", model.key(Act::Retry)))
            }
            // What failed is asked about instead.
            Act::ResolveNext => model.why_busy().or_else(|| match picked.unready(&model.keymap) {
                Some(_)
                    if picked.is_current() && picked.has_unaccepted() && picked.checked.counts().ok > 0 =>
                {
                    None
                }
                Some(_) if !picked.images.is_empty() && !picked.is_current() => Some(format!(
                    "the list as it is now is not verified: {} does that",
                    model.key(Act::Resolve)
                )),
                other => other,
            }),
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::Resolve => start(cx),
            Act::Retry => self.retry(cx),
            Act::ResolvePin => self.pin(cx),
            Act::ResolveEdit => self.edit(cx),
            Act::ResolveRemove => self.seen().remove(act, cx),
            Act::ResolveUndo => self.undo(cx),
            Act::KeyList => super::trusted::ask(cx),
            Act::ResolveNext => Self::next(cx),
            Act::ResolveDetails => {
                if let Some(row) = self.row() {
                    cx.open(rows::details(cx.model, row));
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, answer) {
            (Act::ResolveEdit, Answer::Text(text)) => self.rewrite(text.trim(), cx),
            (Act::ResolveRemove, answer) => self.seen().answered(Act::ResolveRemove, &answer, cx),
            (Act::ResolvePin, Answer::Yes) => {
                let count = cx.model.picked.pin();
                cx.model.changed(Place::Images);
                let verify = cx.model.key(Act::Resolve);
                cx.say(format!("{count} pinned; {verify} verifies the list as it is now"));
            }
            (Act::ResolveNext, Answer::Yes) => {
                cx.model.picked.accept_failed();
                cx.model.set_state(Place::Resolve, cx.model.picked.standing());
                cx.go(Place::Media);
            }
            _ => {}
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        if matches!(found, Found::NotSaved(path, _) if *path == cx.model.settings.list_file()) {
            cx.model.picked.ask_anew();
        }
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        if act == Act::KeyList && cx.model.place == Place::Resolve {
            return super::trusted::ended(cx);
        }
        if act != Act::Resolve {
            return;
        }
        let ended = cx.model.job_of(Act::Resolve).and_then(|job| job.ended.clone());
        let again = std::mem::take(&mut self.again);
        let picked = &mut cx.model.picked;
        match ended {
            Some(Ended::Succeeded(report)) => {
                if let JobReport::Resolve(report) = &*report {
                    picked.finish(report);
                }
                let state = picked.standing();
                let failed = picked.checked.counts().failed;
                cx.model.set_state(Place::Resolve, state);
                cx.model.changed(Place::Resolve);
                if again > 0 && failed > 0 {
                    // Else what failed again looks as if nothing had been done.
                    cx.say(format!("asked again for {again}: {} failed", words::count(failed, "image")));
                }
            }
            Some(Ended::Failed(failure)) => {
                picked.checked.stopped();
                cx.model.set_state(Place::Resolve, StepState::Failed);
                cx.open(words::failure_page_on("Verify", "Verifying failed", &failure, &cx.model.keymap));
            }
            Some(Ended::Cancelled) | None => {
                picked.checked.stopped();
                cx.model.set_state(Place::Resolve, StepState::Todo);
            }
        }
    }

    fn sync(&mut self, model: &Model) {
        let picked = &model.picked;
        self.order = (0..picked.images.len()).collect();
        self.order.sort_by_cached_key(|row| !matches!(picked.checked(*row), Some(Checked::Failed(_))));
        let order = &self.order;
        // While the answers come, a cursor at the top sees what failed come up there.
        let runs = model.running().is_some_and(|job| job.act == Act::Resolve);
        let top = std::mem::replace(&mut self.ran, runs) || runs;
        let reference = |row: usize| &picked.images[order[row]].request.reference;
        self.list.follow(
            (order.len(), top),
            |row| rows::searched(picked, order[row]).into(),
            |row| list::id(reference(row)),
        );
        // What a pack has missed since is what the next key is meant for.
        let gone = picked.checked.gone().count();
        let lost = |row: &usize| matches!(picked.checked(*row), Some(Checked::Failed(miss)) if miss.packed.is_some());
        if gone > std::mem::replace(&mut self.gone, gone)
            && let Some(at) = self.order.iter().position(lost)
        {
            self.list.select(at);
        }
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn mark(&mut self, mark: Mark, model: &mut Model) {
        let rows: Vec<usize> = match mark {
            Mark::Toggle => self.row().into_iter().collect(),
            Mark::All | Mark::Invert => self.list.visible().iter().map(|at| self.order[*at]).collect(),
        };
        model.picked.mark(&rows, mark);
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        (!model.picked.images.is_empty()).then(|| whole(model))
    }

    fn value(&self, model: &Model) -> Option<String> {
        let row = self.row()?;
        match model.picked.checked(row) {
            Some(Checked::Ok(image)) => Some(image.reference.pinned(&image.digest).to_string()),
            _ => Some(model.picked.images.get(row)?.request.reference.to_string()),
        }
    }

    fn status(&self, model: &Model) -> String {
        let picked = &model.picked;
        match picked.marked() {
            // Whoever changed it: by hand in its file, too.
            0 if !picked.is_current() => {
                picked.changes().map_or_else(String::new, |words| format!("since it was verified: {words}"))
            }
            0 => String::new(),
            marked => format!("{marked} marked: {} pins these alone", model.key(Act::ResolvePin)),
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let below = self.rows_below(model, area);
        let top = Rect { height: area.height - below, ..area };
        let row = |row: usize| rows::row(model, self.order[row]);
        table(rows::COLUMNS, &self.list, row, top, look, buffer);
        let below = line::below(area, top.height);
        let used = hidden(&self.list, line::row(below, 0), look, buffer);
        let room = Rect { width: area.width.saturating_sub(used), ..line::row(below, 0) };
        let (words, role) = rows::summary(model, usize::from(room.width.saturating_sub(1)));
        line::words(&format!(" {words}"), look.style(role), room, buffer);
        let Some(row) = self.row() else { return };
        let room = (usize::from(area.width.saturating_sub(4)), usize::from(below.height.saturating_sub(1)));
        let lines = rows::about(model, row, room);
        let lines: Vec<Said> = lines.into_iter().map(|(words, role)| (format!("   {words}"), role)).collect();
        foot::draw(&lines, look, line::below(below, 1), buffer);
    }
}
