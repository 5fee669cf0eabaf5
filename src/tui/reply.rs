//! What becomes of a dialog's reply: closed, copied, asked on, or answered, to whoever asked.

use super::app::App;
use super::msg::Effect;
use super::{answers, job, leaving};
use crate::actions::{Act, Scope};
use crate::dialogs::{Answer, Dialog, Question, Reply};

impl App {
    /// Does an operation of the dialog on top.
    pub(super) fn act_in_dialog(&mut self, act: Act) {
        if let Some(dialog) = self.dialogs.last_mut() {
            let question = dialog.question();
            let reply = dialog.act(act);
            self.reply(question, reply);
        }
    }

    /// Hands a dialog's answer to whoever asked.
    pub(super) fn reply(&mut self, question: Option<Question>, reply: Reply) {
        match reply {
            Reply::Stay => {}
            Reply::Closed => {
                if let Some(Dialog::Confirm(_)) = self.dialogs.pop() {
                    self.cancelled(question);
                }
                self.left(question);
                if self.waiting && question.is_some_and(|question| question.act == Act::Pack) {
                    self.waiting = false;
                    self.todo.effects.push_back(Effect::Passphrase(None));
                }
            }
            Reply::Copy(text) => self.copy(text),
            Reply::Ask(dialog) => self.dialogs.push(*dialog),
            Reply::Do(act) => {
                self.dialogs.pop();
                match self.dialogs.is_empty() {
                    true => self.act(act),
                    false => self.act_in_dialog(act),
                }
            }
            Reply::Answered(question, answer) => {
                self.dialogs.pop();
                if let Answer::Path(path) | Answer::NewDirectory(path) = &answer {
                    self.model.answered.insert(question.act, path.clone());
                }
                self.answered(question, answer);
            }
        }
    }

    fn answered(&mut self, question: Question, answer: Answer) {
        match (question.act, answer) {
            (_, answer) if question == answers::REPLACE => self.replace(Some(&answer)),
            (_, answer) if question == leaving::UNSAVED => self.unsaved(&answer),
            (Act::Pack, Answer::Secret(secret)) if self.waiting => {
                self.waiting = false;
                self.todo.effects.push_back(Effect::Passphrase(Some(secret)));
            }
            (act, answer) if act.row().scope == Scope::Global || act.row().scope == Scope::Job => {
                self.answered_here(act, &answer);
            }
            (_, answer) => {
                self.on_screen(|screen, cx| screen.answered(question, answer, cx));
            }
        }
    }

    /// Answers to questions that no screen asked.
    fn answered_here(&mut self, act: Act, answer: &Answer) {
        match (act, answer) {
            (Act::Quit, Answer::Rows(rows)) if rows.first() == Some(&0) => self.part(),
            (Act::Quit, Answer::Rows(_)) => self.leave_after(),
            (Act::Stop, Answer::Yes) => {
                if let Some(id) = job::stop(&mut self.model) {
                    self.todo.effects.push_back(Effect::Cancel(id));
                }
            }
            (Act::Logs, Answer::Path(path)) => {
                let shown = self.dialogs.iter().find_map(|dialog| match dialog {
                    Dialog::Log(log) => Some(log.text()),
                    _ => None,
                });
                let text = shown.unwrap_or_else(|| self.model.log.text());
                self.todo.effects.push_back(Effect::SaveNew(vec![(path.clone(), text)]));
            }
            (Act::Theme, Answer::Rows(rows)) => {
                let theme = rows.first().and_then(|row| self.all_themes().into_iter().nth(*row));
                if let Some(theme) = theme {
                    self.say(format!(
                        "theme {}; theme = \"{}\" in config.toml keeps it",
                        theme.name, theme.name
                    ));
                    self.look.theme = theme;
                }
            }
            _ => {}
        }
    }
}
