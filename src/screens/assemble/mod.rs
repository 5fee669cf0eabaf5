//! Assemble and sign: the plan first, one question, then every phase of the run until the signature is written.

mod ask;
mod edit;
mod ended;
mod items;
mod plan;
mod run;
mod time;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::ask::question;
use self::edit::changed;
use self::items::{counts, order, searched};
use self::plan::{PlanView, facts};
use self::run::RunView;
use super::signer::{AskKey, Choice};
use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::{Answer, Question};
use crate::domain::text;
use crate::engine::bundle::begun::Begun;
use crate::engine::spec::{JobSpec, PackJob};
use crate::tui::model::{JobState, Model, Place};
use crate::tui::msg::{Ended, Found};
use crate::tui::resume::is_same;
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::list::{List, id};
use crate::widgets::look::Look;

/// The screen.
#[derive(Debug)]
pub(super) struct Assemble {
    list: List,
    /// Whether something ran when the items were taken over last.
    ran: bool,
    order: Vec<usize>,
    key: AskKey,
    /// What is to be confirmed.
    asked: Option<PackJob>,
    /// Whether the plan is shown.
    planning: bool,
    /// Whether a plan was asked for that says so once it is made.
    awaited: bool,
}

impl Default for Assemble {
    fn default() -> Self {
        Self {
            list: List::default(),
            ran: false,
            order: Vec::new(),
            key: AskKey::new(Act::AssembleKey),
            asked: None,
            planning: true,
            awaited: false,
        }
    }
}

/// The pack that is shown: the one that runs, else the one that ended; that one also while the same pack is under way
/// again and has begun nothing, as it asks for a passphrase.
fn shown(model: &Model) -> Option<&JobState> {
    let running = model.running().filter(|job| job.act == Act::Pack);
    let before = model.assembly.run.as_ref().map(|run| &run.job);
    let begun =
        |job: &&JobState| job.has_begun() || before.is_none_or(|before| !is_same(&before.spec, &job.spec));
    running.filter(begun).or(before)
}

/// What does the last run again, as its command says, where that is worth it, and why not otherwise.
fn again(model: &Model) -> Result<JobSpec, String> {
    let nothing = || format!("nothing was run yet; {} starts", model.key(Act::Pack));
    let run = model.assembly.run.as_ref().ok_or_else(nothing)?;
    match &run.job.ended {
        Some(Ended::Succeeded(report)) if report.verdict().is_none() => Err("nothing failed".to_owned()),
        _ => Ok(model.recorded(&run.job).clone()),
    }
}

impl Assemble {
    /// Works the plan out where that can be done and was not done yet.
    pub(super) fn plan(cx: &mut Cx<'_>) {
        let idle = !cx.busy() && cx.model.not_ready().is_none();
        let Some(job) = cx.model.pack_job(true).filter(|_| idle && cx.model.assembly.run.is_none()) else {
            return;
        };
        if cx.model.assembly.plan.as_ref().is_none_or(|plan| plan.job != job) {
            cx.start(Act::AssembleSpace, JobSpec::Pack(job));
        }
    }

    fn run<'a>(&'a self, job: &'a JobState, model: &Model) -> RunView<'a> {
        let ended = model.assembly.run.as_ref().filter(|_| !job.running());
        let at = ended.map_or_else(|| model.at.saturating_sub(job.began), |run| run.took);
        RunView { job, at, order: &self.order, list: &self.list }
    }

    fn start(&mut self, cx: &mut Cx<'_>) {
        let ended = cx.model.assembly.run.as_ref().and_then(|run| run.job.ended.as_ref());
        match ended {
            Some(Ended::Succeeded(_)) => return cx.go(Place::Report),
            // The question was answered when it was started first.
            Some(Ended::Cancelled | Ended::Failed(_)) => return self.retry(cx),
            None => {}
        }
        match cx.model.assembly.plan.as_ref().map(|plan| &plan.outcome) {
            Some(Ok(plan)) => {
                let confirm = question(plan, cx.model);
                self.asked = cx.model.pack_job(false);
                cx.open(confirm);
            }
            Some(Err(failure)) => {
                let lines = words::not_packed(failure, cx.model);
                let page = words::page("This cannot be packed", lines);
                cx.open(page);
            }
            None => Self::plan(cx),
        }
    }

    fn retry(&mut self, cx: &mut Cx<'_>) {
        match again(cx.model) {
            Ok(spec) => cx.start(Act::Pack, spec),
            // It was changed before it is gone on with.
            Err(_) if cx.model.assembly.run.is_none() && goes_on(cx.model) => self.start(cx),
            Err(reason) => cx.say(reason),
        }
    }

    fn choose_key(cx: &mut Cx<'_>, choice: Option<Choice>) {
        let key = match choice {
            None => return,
            Some(Choice::Default) => None,
            Some(Choice::Other(key)) => Some(*key),
            Some(Choice::Make) => {
                super::start::make_key(cx);
                None
            }
        };
        cx.model.choose_key(key);
        changed(cx);
    }
}

impl Screen for Assemble {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Assemble, Scope::Job, Scope::Failed, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        match shown(model) {
            Some(job) if job.running() => vec![Act::Pause, Act::Stop, Act::Filter, Act::Logs, Act::Back],
            Some(JobState { ended: Some(Ended::Succeeded(report)), .. }) if report.verdict().is_some() => {
                vec![Act::AssembleNext, Act::Retry, Act::Filter, Act::Logs, Act::Back]
            }
            Some(JobState { ended: Some(Ended::Succeeded(_)), .. }) => {
                vec![Act::AssembleNext, Act::Filter, Act::Logs, Act::AssembleSpace, Act::Back]
            }
            Some(JobState { ended: Some(Ended::Cancelled), .. }) => {
                vec![Act::Pack, Act::AssembleSpace, Act::AssembleEdit, Act::Logs, Act::Back]
            }
            Some(_) => vec![Act::Retry, Act::AssembleSpace, Act::AssembleEdit, Act::Logs, Act::Back],
            // There is nothing to start: what can be done is to change something, and to plan again.
            None if model.assembly.plan.as_ref().is_some_and(|plan| plan.outcome.is_err()) => {
                vec![Act::AssembleSpace, Act::AssembleEdit, Act::AssembleKey, Act::Back]
            }
            None => vec![Act::Pack, Act::AssembleEdit, Act::AssembleKey, Act::AssembleSpace, Act::Back],
        }
    }

    fn label(&self, act: Act, model: &Model) -> Option<&'static str> {
        let goes_on = match shown(model) {
            Some(job) => model.goes_on(job),
            None => goes_on(model),
        };
        match act {
            Act::Pack | Act::Retry if goes_on => Some("resume"),
            Act::Retry => Some("retry"),
            _ => None,
        }
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let running = model.running().map(|job| model.in_the_way(job));
        let ended = model.assembly.run.is_some();
        match act {
            Act::Pack if model.running().is_some_and(|job| job.act == Act::AssembleSpace) => {
                Some("planning is still running".to_owned())
            }
            Act::Pack | Act::AssembleSpace if model.starts_soon() => {
                Some("its destination is being checked".to_owned())
            }
            Act::Pack if ended => running,
            Act::Pack if model.not_ready().is_none() && !model.has_key() => Some(format!(
                "there is no key to sign with: {} chooses one, or makes one",
                model.key(Act::AssembleKey)
            )),
            Act::Pack | Act::AssembleSpace => running.or_else(|| model.not_ready()),
            Act::AssembleEdit | Act::AssembleKey => running,
            Act::AssembleDetails if shown(model).is_none_or(JobState::running) => {
                Some("no run has ended here".to_owned())
            }
            Act::Filter if self.planning => Some("no items to filter yet".to_owned()),
            Act::AssembleNext if model.assembly.made.is_none() => Some("nothing is packed yet".to_owned()),
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::Pack => self.start(cx),
            Act::Retry => self.retry(cx),
            Act::AssembleSpace => {
                self.awaited = true;
                cx.say("planning ...");
                changed(cx);
            }
            Act::AssembleEdit => edit::ask(cx, 0),
            Act::AssembleKey => self.key.ask(cx),
            Act::AssembleDetails => {
                let signed = |job| cx.model.signed_before(job);
                let said = |job| self.run(job, cx.model).said(cx.model, signed(job).as_deref());
                let lines = shown(cx.model).map(said).unwrap_or_default();
                cx.open(words::page("How it ended", lines));
            }
            Act::AssembleNext => cx.go(Place::Report),
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        let choice = self.key.answered(question, &answer, cx);
        Self::choose_key(cx, choice);
        match (question.act, question.part, answer) {
            (Act::Pack, 0, Answer::Yes) => {
                let now = cx.model.pack_job(false).filter(|_| cx.model.not_ready().is_none());
                match self.asked.take().filter(|asked| now.as_ref() == Some(asked)) {
                    Some(job) => cx.start(Act::Pack, JobSpec::Pack(job)),
                    None => {
                        let reason = cx.model.not_ready();
                        let reason = reason
                            .unwrap_or_else(|| "what was to be packed has changed meanwhile".to_owned());
                        cx.say(format!("nothing was started: {reason}"));
                    }
                }
            }
            (Act::AssembleEdit, part, answer) => edit::answered(part, answer, cx),
            _ => {}
        }
    }

    fn closed(&mut self, question: Question, _: &mut Cx<'_>) {
        self.key.closed(question);
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        let choice = self.key.found(found, cx);
        Self::choose_key(cx, choice);
        // What lies there took the plan away.
        if matches!(found, Found::Place(..)) && cx.model.assembly.plan.is_none() {
            Self::plan(cx);
        }
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            // What was pinned is another thing now, whatever the settings are.
            Act::Resolve => cx.model.list_changed(),
            Act::AssembleSpace => {
                let awaited = std::mem::take(&mut self.awaited);
                if stopped(cx.model) {
                    return;
                }
                planned(cx.model).filter(|_| awaited).into_iter().for_each(|words| cx.say(words));
            }
            _ => {}
        }
        // Settings may have changed meanwhile, a key was made, or what kept the plan from being made is over.
        if cx.model.place == Place::Assemble {
            Self::plan(cx);
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        Self::plan(cx);
    }

    fn sync(&mut self, model: &Model) {
        let view = shown(model).map(|job| &job.view);
        self.planning = view.is_none();
        if self.planning {
            let rows = facts(model).len() + outlook(model).len();
            self.order.clear();
            return self.list.refresh(rows, |_| "".into());
        }
        self.order = view.map_or_else(Vec::new, |view| order(view));
        let runs = model.running().is_some();
        let top = std::mem::replace(&mut self.ran, runs) || runs;
        let (order, list) = (&self.order, &mut self.list);
        let item = |row: usize| order.get(row).and_then(|at| view?.items.list.get(*at));
        // While it runs, a cursor at the top sees what failed, and else what is under way.
        list.follow(
            (order.len(), top),
            |row| item(row).map_or_else(String::new, |item| searched(item)).into(),
            |row| id(&item(row).map(|item| (item.phase, &item.name))),
        );
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    /// The rows of a plan are none to be chosen from: the cursor only leads to those that have no room.
    fn view(&self) -> Option<&List> {
        (!self.planning).then_some(&self.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        match shown(model) {
            Some(job) => Some(model.recorded(job).clone()),
            None => model.pack_job(false).filter(|_| model.unverified().is_none()).map(JobSpec::Pack),
        }
    }

    fn why_no_job(&self, model: &Model) -> Option<String> {
        model.unverified()
    }

    fn value(&self, model: &Model) -> Option<String> {
        let job = shown(model);
        let at = job.and_then(|_| self.list.row()).and_then(|row| self.order.get(row));
        match (job, at) {
            (Some(job), Some(at)) => job.view.items.list.get(*at).map(|item| item.name.clone()),
            _ => model.key_facts().map(|(fingerprint, _)| fingerprint),
        }
    }

    fn status(&self, model: &Model) -> String {
        match shown(model) {
            Some(job) if !job.running() && model.job_of(Act::Pack).is_some_and(JobState::running) => {
                let anew =
                    |job: &JobState| matches!(&job.spec, JobSpec::Pack(pack) if pack.anew && !pack.dry_run);
                let goes_on = model.goes_on(job) && !model.job_of(Act::Pack).is_some_and(anew);
                let next = if goes_on { "it goes on from there" } else { "the next one begins" };
                format!("this is the run before; {next} ...")
            }
            Some(job) => counts(&job.view, &model.keymap),
            None => match (model.not_ready(), &model.assembly.plan) {
                (Some(reason), _) => reason,
                (None, Some(_)) if model.starts_soon() => {
                    "checking the destination, then it starts ...".to_owned()
                }
                (None, Some(plan)) if plan.outcome.is_ok() => {
                    format!("{} asks for confirmation, then starts", model.key(Act::Pack))
                }
                (None, Some(_)) => {
                    format!("this cannot be packed; {} plans again", model.key(Act::AssembleSpace))
                }
                (None, None) => unplanned(model),
            },
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        if let Some(job) = shown(model) {
            return self.run(job, model).draw(model, look, area, buffer);
        }
        let (facts, outlook) = (facts(model), outlook(model));
        let ways = (model.key(Act::Up), model.key(Act::Down));
        PlanView { ways, facts: &facts, outlook: &outlook, list: &self.list }.draw(area, look, buffer);
    }
}

/// What lies there of a pack that did not come to its end, by the plan.
fn begun(model: &Model) -> Option<Begun> {
    model.assembly.plan.as_ref()?.outcome.as_ref().ok()?.place.begun
}

/// Whether what is planned goes on with something: a pack of its own list, or what lies there of this one.
fn goes_on(model: &Model) -> bool {
    model.gone_on_with().is_some() || begun(model).is_some_and(|begun| begun.same)
}

/// What came of a plan that was asked for: where nothing changed, the screen says nothing of it.
fn planned(model: &Model) -> Option<String> {
    let at = model.now.strftime("%H:%MZ");
    Some(match &model.assembly.plan.as_ref()?.outcome {
        Ok(plan) => format!("planned at {at}: {} to write, it fits", text::bytes(plan.place.to_write)),
        Err(_) => format!("planned at {at}: it cannot be packed as it is"),
    })
}

/// Whether the plan was stopped by the operator, and no other was begun.
fn stopped(model: &Model) -> bool {
    let job = model.job_of(Act::AssembleSpace);
    job.is_some_and(|job| matches!(job.ended, Some(Ended::Cancelled)))
}

/// What is said while there is no plan.
fn unplanned(model: &Model) -> String {
    let again = model.key(Act::AssembleSpace);
    match model.running() {
        Some(job) if job.act == Act::AssembleSpace && !job.stopping => "planning ...".to_owned(),
        Some(job) => format!("planned after this: {}", model.in_the_way(job)),
        None if stopped(model) => format!("stopped; {again} plans again"),
        None => format!("{again} works out the plan"),
    }
}

/// Below the plan: what is in its way, why it cannot be done, or that it can.
fn outlook(model: &Model) -> Vec<(String, Role)> {
    match (model.not_ready(), &model.assembly.plan) {
        (Some(reason), _) => vec![(format!("! {reason}"), Role::Warn)],
        (None, Some(plan)) => match &plan.outcome {
            Ok(_) if model.has_key() => {
                let does = self::begun(model)
                    .map_or("starts", |begun| if begun.same { "resumes" } else { "starts" });
                vec![(format!("+ ready: {} {does}", model.key(Act::Pack)), Role::Ok)]
            }
            Ok(_) => vec![("! no signing key".to_owned(), Role::Warn)],
            Err(failure) => {
                words::not_packed(failure, model).into_iter().filter(|(words, _)| !words.is_empty()).collect()
            }
        },
        (None, None) if model.running().is_some_and(|job| job.act == Act::AssembleSpace) => {
            vec![("planning: asking the registries, checking the medium ...".to_owned(), Role::Dim)]
        }
        (None, None) => vec![(unplanned(model), Role::Dim)],
    }
}
