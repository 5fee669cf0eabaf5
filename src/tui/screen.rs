//! What a screen is: keys it has, what they do to the model, and how the model looks; it never touches the outside.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::assembly::Due;
use super::model::{JobState, Model, Place};
use super::msg::{Effect, Found, Query};
use crate::actions::{Act, Scope};
use crate::dialogs::{Answer, Dialog, Question, Wait};
use crate::engine::spec::JobSpec;
use crate::widgets::list::List;
use crate::widgets::look::Look;

/// What an update wants done, gathered while it runs.
#[derive(Debug, Default)]
pub struct Todo {
    /// Outside, in order.
    pub effects: VecDeque<Effect>,
    /// Dialogs to open, the last one on top.
    pub dialogs: Vec<Dialog>,
    /// Where to go.
    pub place: Option<Place>,
    /// What to say in the status row.
    pub words: Option<String>,
    /// Queries that a dialog waits for.
    pub waited: Vec<(Question, Query)>,
}

/// The model, and the means to have things done.
pub struct Cx<'a> {
    /// The state of everything but the screens' own lists.
    pub model: &'a mut Model,
    /// What is to be done.
    pub todo: &'a mut Todo,
}

impl Cx<'_> {
    /// Has something done outside.
    pub fn effect(&mut self, effect: Effect) {
        self.todo.effects.push_back(effect);
    }

    /// Starts a job for an operation; the model shows it as running from its first message on. A pack, new, again or
    /// resumed, only starts once its destination was looked at.
    pub fn start(&mut self, act: Act, spec: JobSpec) {
        match spec {
            JobSpec::Pack(job) if !job.dry_run => {
                self.effect(Effect::Ask(Query::Place(job.to.clone())));
                let resumed = act == Act::Resume;
                self.model.assembly.due = Some(Due { job, resumed, from_nothing: false });
            }
            spec => self.effect(Effect::Start(act, Box::new(spec))),
        }
    }

    /// Starts the pack that waits although nothing of it is there, once its destination was looked at once more.
    pub fn start_from_nothing(&mut self) {
        if let Some(due) = &mut self.model.assembly.due {
            due.from_nothing = true;
            let query = Query::Place(due.job.to.clone());
            self.effect(Effect::Ask(query));
        }
    }

    /// Starts nothing that waits.
    pub fn start_nothing(&mut self) {
        self.model.assembly.due = None;
    }

    /// Whether a job runs or is about to. A plan that stops is none.
    pub fn busy(&self) -> bool {
        let stops = |job: &JobState| job.act.is_plan() && job.stopping;
        self.model.running().is_some_and(|job| !stops(job))
            || self.model.next.is_some()
            || self.model.assembly.due.is_some()
            || self.todo.effects.iter().any(|effect| matches!(effect, Effect::Start(..)))
    }

    /// Opens a dialog.
    pub fn open(&mut self, dialog: impl Into<Dialog>) {
        self.todo.dialogs.push(dialog.into());
    }

    /// Asks something and says so until the answer comes; Esc gives it up.
    pub fn wait(&mut self, question: impl Into<Question>, title: &str, what: &str, query: Query) {
        let question = question.into();
        self.open(Wait::new(question, title, what));
        self.todo.waited.push((question, query));
    }

    /// Goes to another screen.
    pub fn go(&mut self, place: Place) {
        self.todo.place = Some(place);
    }

    /// Says something in the status row.
    pub fn say(&mut self, words: impl Into<String>) {
        self.todo.words = Some(words.into());
    }
}

/// A change of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Of the row under the cursor.
    Toggle,
    /// Of all rows that are shown: marked, or unmarked where all are.
    All,
    /// Of all rows that are shown: the other way round.
    Invert,
}

/// One screen.
pub trait Screen {
    /// Where its keys are looked up, nearest first; `Scope::Global` is added by itself.
    fn scopes(&self) -> &'static [Scope];

    /// The operations of its footer, the most needed first; help is added before them. Up to five are shown.
    fn footer(&self, model: &Model) -> Vec<Act>;

    /// Another word for one of them than the one of its row, where that says what it does now.
    fn label(&self, _act: Act, _model: &Model) -> Option<&'static str> {
        None
    }

    /// Why an operation cannot be done now; `None` where it can.
    fn why_not(&self, act: Act, model: &Model) -> Option<String>;

    /// Does an operation of its own scope.
    fn act(&mut self, act: Act, cx: &mut Cx<'_>);

    /// An answer to one of its dialogs.
    fn answered(&mut self, _question: Question, _answer: Answer, _cx: &mut Cx<'_>) {}

    /// One of its dialogs was closed without an answer.
    fn closed(&mut self, _question: Question, _cx: &mut Cx<'_>) {}

    /// Something was found out; the model knows already.
    fn found(&mut self, _found: &Found, _cx: &mut Cx<'_>) {}

    /// A job of the operation `act` ended; the model has its outcome.
    fn ended(&mut self, _act: Act, _cx: &mut Cx<'_>) {}

    /// Called when the screen comes to be shown.
    fn entered(&mut self, _cx: &mut Cx<'_>) {}

    /// A key or a click may have put the cursor on another row.
    fn moved(&mut self, _cx: &mut Cx<'_>) {}

    /// Takes over what changed in the model, before it is drawn and before a key is looked up.
    fn sync(&mut self, _model: &Model) {}

    /// Its list, where it has one.
    fn list(&mut self) -> Option<&mut List> {
        None
    }

    /// The same list, to look at.
    fn view(&self) -> Option<&List> {
        None
    }

    /// Marks rows of its list.
    fn mark(&mut self, _mark: Mark, _model: &mut Model) {}

    /// The command that does what the screen would do.
    fn job(&self, _model: &Model) -> Option<JobSpec> {
        None
    }

    /// Why there is no such command, where something stands in its way.
    fn why_no_job(&self, _model: &Model) -> Option<String> {
        None
    }

    /// What that command is, above it.
    fn job_title(&self) -> &'static str {
        "The same as a command"
    }

    /// What `c` copies.
    fn value(&self, _model: &Model) -> Option<String> {
        None
    }

    /// Words for the status row when nothing else is said there.
    fn status(&self, _model: &Model) -> String {
        String::new()
    }

    /// Draws itself.
    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer);
}
