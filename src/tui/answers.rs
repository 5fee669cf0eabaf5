//! Answers to queries: which screen or dialog gets them, and what becomes of those that nobody waits for any more.

use super::app::App;
use super::msg::{Effect, Found, Level, Query};
use super::words;
use crate::dialogs::{Dialog, Question};

/// Queries that a dialog waits for, and those that were given up.
#[derive(Debug, Default)]
pub(super) struct Asked {
    waited: Vec<(Question, Query)>,
    left: Vec<Query>,
}

impl App {
    /// Hands an answer on.
    pub(super) fn found(&mut self, found: &Found) {
        if let Some(query) = found.query() {
            if let Some(at) = self.asked.left.iter().position(|left| *left == query) {
                self.asked.left.swap_remove(at);
                return;
            }
            let waited = self.asked.waited.iter().position(|(_, waited)| *waited == query);
            if let Some((question, _)) = waited.map(|at| self.asked.waited.swap_remove(at)) {
                self.close(question);
            }
        }
        match found {
            Found::Host(facts) => self.model.host = Some(facts.clone()),
            Found::Media(report) => self.model.media = Some(report.clone()),
            Found::Entries(directory, entries) => {
                for dialog in &mut self.dialogs {
                    if let Dialog::Path(path) = dialog {
                        path.found(directory, entries);
                    }
                }
            }
            Found::Last(text, written) => self.restore(text, *written),
            Found::Failed(_, failure) => {
                self.model.note(Level::Fail, &failure.message);
                self.dialogs.push(words::failure_page("That did not work", failure).into());
            }
            // What is kept by itself is not worth a word each time.
            Found::Saved(path) if !path.starts_with(self.model.settings.paths.work()) => {
                self.model.note(Level::Info, format!("written: {}", path.display()));
                self.say(format!("written: {}", path.display()));
            }
            Found::NotSaved(path, failure) => {
                self.model.note(Level::Fail, &failure.message);
                let title = format!("{} was not written", path.display());
                self.dialogs.push(words::failure_page(&title, failure).into());
            }
            _ => {}
        }
        self.on_screen(|screen, cx| screen.found(found, cx));
    }

    /// A dialog was closed without an answer: what it waited for is given up.
    pub(super) fn left(&mut self, question: Option<Question>) {
        let Some(question) = question else { return };
        while let Some(at) = self.asked.waited.iter().position(|(waiting, _)| *waiting == question) {
            let (_, query) = self.asked.waited.swap_remove(at);
            self.asked.left.push(query.clone());
            self.todo.effects.push_back(Effect::Leave(query));
        }
        self.on_screen(|screen, cx| screen.closed(question, cx));
    }

    fn close(&mut self, question: Question) {
        self.dialogs.retain(|dialog| dialog.question() != Some(question));
    }

    /// Closes and opens what an update asked for; tells the time to those that show it, and asks for what they need.
    pub(super) fn tend_dialogs(&mut self) {
        for question in std::mem::take(&mut self.todo.closed) {
            self.close(question);
        }
        let opened = std::mem::take(&mut self.todo.dialogs);
        self.dialogs.extend(opened);
        for (question, query) in std::mem::take(&mut self.todo.waited) {
            self.asked.left.retain(|left| *left != query);
            self.asked.waited.push((question, query.clone()));
            self.todo.effects.push_back(Effect::Ask(query));
        }
        for dialog in &mut self.dialogs {
            match dialog {
                Dialog::Wait(wait) => wait.clock(self.model.at),
                Dialog::Path(path) => {
                    path.set_home(self.model.settings.home.as_deref());
                    let wanted = path.wants().map(|directory| Effect::Ask(Query::Entries(directory)));
                    self.todo.effects.extend(wanted);
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
            Self::Last(..) => Query::Last,
            Self::Selected(images, _) => Query::Select(images.clone()),
            Self::Repositories(host, _) => Query::Repositories(host.clone()),
            Self::Tags(repository, _) => Query::Tags(repository.clone()),
            Self::Digest(reference, _) => Query::Digest(reference.clone()),
            Self::Entries(directory, _) => Query::Entries(directory.clone()),
            Self::AgentKeys(_) => Query::AgentKeys,
            Self::PublicKey(path, _) => Query::PublicKey(path.clone()),
            Self::Failed(query, _) => query.clone(),
            Self::Saved(_) | Self::NotSaved(..) => return None,
        })
    }
}
