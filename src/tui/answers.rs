//! Answers to queries: which screen or dialog gets them, and what becomes of those that nobody waits for any more.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::app::App;
use super::model::Place;
use super::msg::{Effect, Found, Level, Query};
use super::words;
use crate::actions::Act;
use crate::dialogs::{Answer, Confirm, Dialog, Page, Question};
use crate::failure::Failure;

/// Queries that a dialog waits for, and those that were given up.
#[derive(Debug, Default)]
pub(super) struct Asked {
    waited: Vec<(Question, Query)>,
    left: Vec<Query>,
    /// Files that are there already, as they would be written, each time that was asked.
    over: VecDeque<Vec<(PathBuf, String)>>,
}

/// So long somebody takes to see that an answer has come, who is about to press a key.
const CROSSED: Duration = Duration::from_millis(700);
/// Whether files that are there are replaced.
pub(super) const REPLACE: Question = Question { act: Act::ImagesSave, part: 9 };

/// What nobody asked for this moment waits while something is typed or to be decided: no key lands where it was not meant.
#[derive(Debug, Default)]
pub(super) struct Later {
    dialogs: VecDeque<Dialog>,
    /// Whether what this update opens comes by itself.
    pub(super) unasked: bool,
}

impl App {
    /// Hands an answer on.
    pub(super) fn found(&mut self, found: &Found) {
        self.later.unasked = true;
        if let Some(query) = found.query() {
            if let Some(at) = self.asked.left.iter().position(|left| *left == query) {
                self.asked.left.swap_remove(at);
                return;
            }
            let waited = self.asked.waited.iter().position(|(_, waited)| *waited == query);
            if let Some((question, _)) = waited.map(|at| self.asked.waited.swap_remove(at)) {
                self.close(question, None);
                self.answer_came = Some(self.model.at);
            }
        }
        match found {
            Found::Host(facts) => self.model.host = Some(facts.clone()),
            Found::Media(report) => {
                self.model.media = Some(report.clone());
                if let Some(words) = self.model.media_seen() {
                    self.say(words);
                }
            }
            Found::Room(of, free) => self.model.room_seen(of, *free),
            Found::Place(path, place) => self.looked_at(path, place),
            Found::Interrupted(cuts) => self.model.cuts_seen(cuts.clone()),
            Found::Bundles(_, offers) => {
                if let Some(words) = self.model.offers_seen(offers.clone()) {
                    self.say(words);
                }
            }
            Found::PublicKey(..) | Found::AgentKeys(_) => self.model.key_found(found),
            Found::Node(places, node, free) => self.model.gap.import.found(places, node.clone(), free),
            Found::Noted(runs) => self.model.gap.import.noted.clone_from(runs),
            Found::Entries(directory, entries) => {
                for dialog in &mut self.dialogs {
                    if let Dialog::Path(path) = dialog {
                        path.found(directory, entries);
                    }
                }
            }
            Found::Entry(path, told) => self.told_of(path, told),
            Found::Series(name, signed) => {
                self.model.signed = Some(signed.clone());
                self.keeper.named.clone_from(name);
                self.model.named_last(name.as_deref());
            }
            Found::Last(text, written) => self.restore(text, *written),
            Found::Freed(theirs) => self.freed(theirs),
            Found::Holder(who) => self.is_held_by(who),
            Found::Edited(was, now) => self.edited(was, now),
            // These are asked by themselves, again and again.
            Found::Failed(Query::Media | Query::Room(_) | Query::Host | Query::Noted, failure) => {
                self.model.note(Level::Fail, &failure.message);
                self.say(format!("{}; {} shows the log", failure.message, self.model.key(Act::Logs)));
            }
            Found::Failed(query, failure) => self.not_found(query, failure),
            Found::Exists(files) => self.ask_to_replace(files),
            // What is kept by itself is not worth a word each time.
            Found::Saved(paths) => self.saved(paths),
            Found::NotSaved(path, failure) => self.not_saved(path, failure),
            _ => {}
        }
        self.on_screen(|screen, cx| screen.found(found, cx));
    }

    /// Whether a key that gives up waiting may have been pressed before the answer was seen to be there.
    pub(super) fn crossed(&mut self) -> bool {
        self.answer_came.take().is_some_and(|came| self.model.at < came + CROSSED)
    }

    /// Files were written; what is kept by itself is not worth a word each time.
    fn saved(&mut self, paths: &[PathBuf]) {
        let places = &self.model.settings.paths;
        let (work, reports) = (places.kept(), places.reports());
        let file = self.model.answered.get(&Act::ImagesSave).filter(|file| paths.contains(file));
        if let Some(file) = file.cloned() {
            self.saved_list_in(file);
            self.leave_saved();
        }
        let again = paths.iter().filter(|path| !self.list_written(path, true)).count();
        if again > 0 || paths.iter().any(|path| path.starts_with(&work)) {
            return;
        }
        paths.iter().for_each(|path| self.model.report_written(path, true));
        let words = words::written(paths);
        self.model.note(Level::Info, words.clone());
        if !paths.iter().any(|path| path.starts_with(&reports)) {
            self.say(words);
        }
    }

    /// What was typed is taken or refused, now that it is known what lies there.
    fn told_of(&mut self, path: &Path, told: &Result<Option<bool>, String>) {
        if let Some(Dialog::Path(dialog)) = self.dialogs.last_mut()
            && dialog.told(path, told)
        {
            self.later.unasked = false;
            self.act_in_dialog(Act::Take);
        }
    }

    fn not_found(&mut self, query: &Query, failure: &Failure) {
        if *query == Query::Last {
            self.not_restored();
        }
        if let Query::Place(path) = query {
            // Looks at other places may fail; the pack waits for its own.
            self.model.assembly.due.take_if(|due| due.job.to == *path);
        }
        self.model.note(Level::Fail, &failure.message);
        // Whoever typed a version goes on from what was typed.
        if query.version().is_some() {
            return;
        }
        // The job that needs it says so itself.
        if self.model.ask_key().as_ref() == Some(query) {
            return self.say(&failure.message);
        }
        let screen = self.model.place.name();
        let page = words::failure_page_on(screen, "That did not work", failure, &self.model.keymap);
        self.todo.dialogs.push(page.into());
    }

    fn not_saved(&mut self, path: &Path, failure: &Failure) {
        let elsewhere = self.model.answered.get(&Act::ImagesSave).is_some_and(|file| file == path);
        self.keeper.leaving &= !elsewhere;
        self.model.note(Level::Fail, &failure.message);
        self.model.report_written(path, false);
        if path == self.model.settings.name_file() {
            // The list beside it is told of where it cannot be written, either.
            return;
        }
        if path == self.model.settings.lock_file() {
            self.model.picked.ask_anew();
            self.model.changed(Place::Images);
        }
        let first = self.list_written(path, false);
        // Whoever leaves is asked about it at once.
        if self.keeper.parting && path == self.model.settings.list_file() {
            return;
        }
        // That it still is not, each screen says.
        if first {
            let title = format!("{} was not written", path.display());
            let failure = self.saved_by(path, failure);
            self.todo.dialogs.push(words::failure_page(&title, &failure, &self.model.keymap).into());
        }
    }

    fn ask_to_replace(&mut self, files: &[(PathBuf, String)]) {
        let names = files.iter().map(|(path, _)| path.display().to_string());
        let words = std::iter::once("These files exist already. Nothing was written:".to_owned());
        let confirm =
            Confirm::new(REPLACE, "Overwrite existing files?", words.chain(names).collect(), "Replace");
        self.asked.over.push_back(files.to_vec());
        self.todo.dialogs.push(confirm.into());
    }

    /// Whether to replace files was answered.
    pub(super) fn replace(&mut self, answer: Option<&Answer>) {
        let files = self.asked.over.pop_front().unwrap_or_default();
        match answer {
            Some(Answer::Yes) => self.todo.effects.push_back(match <[_; 1]>::try_from(files) {
                // One that is the list of the workstation is written as that.
                Ok([(path, text)]) => Effect::Save(path, text),
                Err(files) => Effect::Replace(files),
            }),
            _ => self.say("nothing was written"),
        }
    }

    /// A dialog was closed without an answer: what it waited for is given up.
    pub(super) fn left(&mut self, question: Option<Question>) {
        let Some(question) = question else { return };
        self.keeper.leaving &= question.act != Act::ImagesSave;
        if question == REPLACE {
            return self.replace(None);
        }
        while let Some(at) = self.asked.waited.iter().position(|(waiting, _)| *waiting == question) {
            let (_, query) = self.asked.waited.swap_remove(at);
            self.asked.left.push(query.clone());
            self.todo.effects.push_back(Effect::Leave(query));
        }
        self.on_screen(|screen, cx| screen.closed(question, cx));
    }

    /// What is asked anew is answered anew, though the same was given up before.
    pub(super) fn ask_again(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Ask(query) = effect {
                self.asked.left.retain(|left| left != query);
            }
        }
    }

    /// A job wants something that is typed: it waits for what is typed or decided already.
    pub(super) fn wants(&mut self, secret: Dialog) {
        (self.waiting, self.later.unasked) = (true, true);
        if self.is_answered() {
            self.say("a passphrase is needed: answer or close this first");
        }
        self.todo.dialogs.push(secret);
    }

    /// The job that wanted something typed is gone: what is typed still is nobody's, and no key of the screen.
    pub(super) fn close_secrets(&mut self) {
        let other = |dialog: &Dialog| !matches!(dialog, Dialog::Secret(one) if one.question.act == Act::Pack);
        let words = "The job has ended: nothing of what was typed was taken.".to_owned();
        self.keep_dialogs(other, Some(Page::over("No passphrase is needed any more", [words])));
    }

    /// What was asked is over.
    pub(super) fn close(&mut self, question: Question, instead: Option<Page>) {
        self.keep_dialogs(|dialog| dialog.question() != Some(question), instead);
    }

    /// Closes the others; in the place of the first one stands what is said of that. A list of what can be done in one of
    /// these stays, as a key may be on its way into it; but it does nothing any more: its rows would be done elsewhere.
    fn keep_dialogs(&mut self, keep: impl Fn(&Dialog) -> bool, mut instead: Option<Page>) {
        let mut gone = false;
        self.dialogs.retain_mut(|dialog| {
            let (kept, over) = (keep(dialog), std::mem::take(&mut gone));
            if let (true, Dialog::Finder(finder)) = (over, &mut *dialog) {
                finder.give_up("what this was about has closed");
            }
            gone = !kept;
            let page = if gone { instead.take() } else { None };
            let told = page.map(|page| *dialog = page.into()).is_some();
            kept || told
        });
        self.later.dialogs.retain(keep);
    }

    /// Whether something is being typed or decided.
    fn is_answered(&self) -> bool {
        let read = |dialog: &Dialog| dialog.is_read() && !dialog.is_over();
        let filters = || self.screen().and_then(|screen| screen.view()).is_some_and(|list| list.typing);
        !self.dialogs.iter().all(read) || filters()
    }

    /// Opens what an update opened; what came by itself only where no key of another dialog can land in it.
    fn open_dialogs(&mut self) {
        let opened = std::mem::take(&mut self.todo.dialogs);
        if std::mem::take(&mut self.later.unasked) && self.is_answered() {
            self.later.dialogs.extend(opened);
        } else {
            self.dialogs.extend(opened);
        }
        if self.dialogs.is_empty() && !self.is_answered() {
            self.dialogs.extend(self.later.dialogs.pop_front());
        }
    }

    /// Opens what an update asked for; tells the time to those that show it, and asks for what they need.
    pub(super) fn tend_dialogs(&mut self) {
        self.open_dialogs();
        for (question, query) in std::mem::take(&mut self.todo.waited) {
            self.asked.waited.push((question, query.clone()));
            self.todo.effects.push_back(Effect::Ask(query));
        }
        for dialog in &mut self.dialogs {
            match dialog {
                Dialog::Wait(wait) => wait.clock(self.model.at),
                Dialog::Log(log) => log.take(&self.model.log),
                Dialog::Path(path) => {
                    path.set_places(self.model.settings.home.as_deref(), &self.model.cwd);
                    let wanted = path.wants().map(|directory| Effect::Ask(Query::Entries(directory)));
                    self.todo.effects.extend(wanted);
                    let looked = path.looks().map(|path| Effect::Ask(Query::Entry(path)));
                    self.todo.effects.extend(looked);
                }
                _ => {}
            }
        }
    }
}

impl Found {
    /// The query that it answers.
    pub fn query(&self) -> Option<Query> {
        Some(match self {
            Self::Host(_) => Query::Host,
            Self::Media(_) => Query::Media,
            Self::Room(of, _) => Query::Room(of.clone()),
            Self::Place(path, _) => Query::Place(path.clone()),
            Self::Last(..) => Query::Last,
            Self::Series(..) => Query::Series,
            Self::Interrupted(_) => Query::Interrupted,
            Self::Selected(images, _) => Query::Select(images.clone()),
            Self::Repositories(host, _) => Query::Repositories(host.clone()),
            Self::Tags(repository, _) => Query::Tags(repository.clone()),
            Self::Digest(reference, _) => Query::Digest(reference.clone()),
            Self::Entries(directory, _) => Query::Entries(directory.clone()),
            Self::Entry(path, _) => Query::Entry(path.clone()),
            Self::AgentKeys(_) => Query::AgentKeys,
            Self::PublicKey(path, _) => Query::PublicKey(path.clone()),
            Self::Failed(query, _) => query.clone(),
            Self::Bundles(given, _) => Query::Bundles(given.clone()),
            Self::Node(places, ..) => Query::Node(places.clone()),
            Self::Noted(_) => Query::Noted,
            Self::Exists(_) | Self::Saved(_) | Self::NotSaved(..) => return None,
            Self::Freed(_) | Self::Holder(_) | Self::Edited(..) => return None,
        })
    }
}
