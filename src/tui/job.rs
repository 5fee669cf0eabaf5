//! The one job that runs: how its messages change the state, and what can be asked of it.

use std::sync::Arc;

use super::checked::Gone;
use super::hints;
use super::model::{JobState, Model, Place};
use super::msg::{Effect, Ended, Level, Query};
use crate::actions::Act;
use crate::domain::job::JobId;
use crate::domain::progress::Event;
use crate::domain::view::JobView;
use crate::engine::spec::{JobReport, JobSpec};
use crate::failure::Failure;

/// A job was asked for.
pub(super) fn started(model: &mut Model, act: Act, spec: &JobSpec) {
    model.note(Level::Info, format!("started: {}", model.settings.shell(spec)));
    if act == Act::AssembleSpace {
        model.assembly.planning = Some(model.picked.revision());
    }
    if let (JobSpec::Pack(job), Some(made)) = (spec, &mut model.assembly.made)
        && !job.dry_run
        && made.job.to == job.to
    {
        // What an eject said of that medium holds no more once it is written to again.
        made.medium.clear();
    }
    model.job = Some(JobState {
        id: None,
        act,
        spec: spec.clone(),
        view: Arc::new(JobView::default()),
        began: model.at,
        paused: false,
        stopping: false,
        ended: None,
        left: Vec::new(),
        document: model.gap.document(),
    });
}

/// A job has a new view; what is to be done for that.
pub(super) fn goes_on(model: &mut Model, id: JobId, view: Arc<JobView>) -> Vec<Effect> {
    let Some(job) = own(model, id) else { return Vec::new() };
    let recorded = |job: &JobState| job.act == Act::Pack && job.has_begun();
    let before = recorded(job);
    job.view = view;
    // It was stopped before it had a number.
    let cancelled = job.id.replace(id).is_none() && job.stopping;
    // By now a pack is recorded, with copies of what it was given: its command names those.
    let records = !before && recorded(job);
    let cancel = cancelled.then_some(Effect::Cancel(id));
    cancel.into_iter().chain(records.then_some(Effect::Ask(Query::Interrupted))).collect()
}

/// A job says what became of one of its items.
pub(super) fn heard(model: &mut Model, id: JobId, event: &Event) {
    let Some(job) = model.running().filter(|job| job.id == Some(id)) else { return };
    match (&job.spec, event) {
        (JobSpec::Resolve(_), _) if job.act == Act::Resolve => model.picked.checked.heard(event),
        (JobSpec::Pack(pack), Event::Absent { reference, digest, reason }) if !pack.dry_run => {
            let left_out = pack.keep_going.leaves_out_lost();
            let gone = Gone { reference, digest: digest.as_ref(), reason, at: model.now };
            if model.picked.is_gone(&gone, left_out) {
                model.set_state(Place::Resolve, model.picked.standing());
            }
        }
        _ => {}
    }
}

/// A job ended; the operation it belonged to.
pub(super) fn ended(model: &mut Model, id: JobId, ended: Ended) -> Option<Act> {
    own(model, id)?.id = Some(id);
    model.last = Some(id);
    over(model, ended)
}

/// A job that was stopped says what it left.
pub(super) fn left(model: &mut Model, id: JobId, words: Vec<String>) {
    for line in &words {
        model.note(Level::Warn, line);
    }
    if let Some(job) = own(model, id) {
        job.left = words;
    }
}

/// The job that was asked for did not start.
pub(super) fn not_started(model: &mut Model, failure: Failure) -> Option<Act> {
    model.running().filter(|job| job.id.is_none())?;
    over(model, Ended::Failed(failure))
}

/// The job that runs, if this is its number. Numbers only rise: what is still said of an ended job is not taken for the
/// first word of the next.
fn own(model: &mut Model, id: JobId) -> Option<&mut JobState> {
    let earlier = model.last.is_some_and(|last| id <= last);
    let job = model.job.as_mut().filter(|job| job.running());
    job.filter(|job| job.id.map_or(!earlier, |own| own == id))
}

fn over(model: &mut Model, ended: Ended) -> Option<Act> {
    let job = model.job.as_mut().filter(|job| job.running())?;
    let (act, title) = (job.act, job.spec.title());
    let (level, words) = match &ended {
        // What it tells stands in the plan.
        Ended::Succeeded(report) if matches!(**report, JobReport::Plan(_)) => {
            (Level::Info, format!("planned: {title}"))
        }
        Ended::Succeeded(report) => match report.verdict() {
            None if act.is_plan() => (Level::Info, format!("planned: {title}")),
            None => (Level::Info, format!("done: {title}")),
            Some(verdict) => (Level::Warn, format!("{title}: {verdict}")),
        },
        Ended::Failed(failure) => (Level::Fail, format!("{title}: {}", failure.message)),
        Ended::Cancelled if act.is_plan() => (Level::Info, format!("plan not finished: {title}")),
        Ended::Cancelled => (Level::Warn, format!("stopped: {title}")),
    };
    let hints = match &ended {
        Ended::Failed(failure) => failure.hints.clone(),
        Ended::Succeeded(_) | Ended::Cancelled => Vec::new(),
    };
    model.unwell.ended(&job.spec, &ended, job.has_begun());
    job.ended = Some(ended);
    model.note(level, words);
    for hint in hints {
        let words = hints::labelled(&hints::here(&hint, &model.keymap));
        model.note(Level::Info, words);
    }
    Some(act)
}

/// Asks the job to stop; its number, where it has one yet.
pub(super) fn stop(model: &mut Model) -> Option<JobId> {
    let job = model.job.as_mut().filter(|job| job.running())?;
    job.stopping = true;
    job.id
}

/// Pauses the job, or lets it go on.
pub(super) fn pause(model: &mut Model) -> Option<(JobId, bool)> {
    let job = model.job.as_mut().filter(|job| job.running())?;
    let id = job.id?;
    job.paused = !job.paused;
    Some((id, job.paused))
}

/// Why this is not to stand still now: what runs would, too.
pub(super) fn would_stand_still(model: &Model) -> Option<String> {
    model.running().filter(|job| !job.paused)?;
    let pause = model.key(Act::Pause);
    Some(format!("a job runs and would stand still, too; {pause} pauses it first"))
}

/// Why an operation on jobs cannot be done now.
pub(super) fn why_not(model: &Model, act: Act) -> Option<String> {
    let running = model.running();
    let reason = match act {
        Act::Pause | Act::Stop if running.is_none() => "no job is running",
        Act::Pause if running.is_some_and(|job| job.id.is_none()) => "the job is just starting",
        Act::Stop if running.is_some_and(|job| job.stopping) => "it is stopping already",
        Act::Retry if running.is_some() => "the job is still running",
        _ => return None,
    };
    Some(reason.to_owned())
}

impl Model {
    /// Why nothing else can be started, where a job keeps it from that.
    pub fn why_busy(&self) -> Option<String> {
        self.busy().map(|job| self.in_the_way(job))
    }

    /// What is said of a job that keeps something else from being done: where it is seen, and what lets it go on.
    pub fn in_the_way(&self, job: &JobState) -> String {
        let what = job.spec.subcommand();
        let at = self.running_at().filter(|place| *place != self.place);
        let at = at.filter(|place| place.side() == self.place.side().or(self.side));
        let steps = [Act::Step1, Act::Step2, Act::Step3, Act::Step4, Act::Step5];
        let shown = at.and_then(|place| steps.get(place.number()?)).map(|step| self.key(*step));
        let key = |act| self.key(act);
        match (job.paused, shown) {
            (true, Some(step)) => {
                format!("{what} is paused: {step} shows it, {} goes on", key(Act::Pause))
            }
            (true, None) => format!("{what} is paused; {} goes on", key(Act::Pause)),
            (false, Some(step)) => format!("{what} is running: {step} shows it"),
            (false, None) => format!("{what} is running; {} stops it", key(Act::Stop)),
        }
    }

    /// The same of a job that runs and is shown elsewhere.
    pub fn runs_elsewhere(&self) -> Option<String> {
        let elsewhere = self.running_at().is_some_and(|place| place != self.place);
        self.busy().filter(|_| elsewhere).map(|job| self.in_the_way(job))
    }
}
