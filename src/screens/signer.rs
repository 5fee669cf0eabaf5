//! Which key signs: the default file, any other file, or a key that ssh-agent holds; asked the same way wherever one signs.

use std::path::PathBuf;

use crate::actions::Act;
use crate::dialogs::choose::Item;
use crate::dialogs::path::Wanted;
use crate::dialogs::{Answer, Choose, Path, Question};
use crate::domain::sheet::fingerprint_end;
use crate::engine::sign::keys::KeyReport;
use crate::engine::spec::SignerSpec;
use crate::failure::Failure;
use crate::tui::assembly::ChosenKey;
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Found, Query};
use crate::tui::screen::Cx;
use crate::tui::words;

/// Rows before those of the agent.
const FILES: usize = 2;

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The key of the data directory.
    Default,
    /// The same; it is to be made first.
    Make,
    /// Another one.
    Other(Box<ChosenKey>),
}

/// Asks for a key for one operation, whose questions it may use from part 10 on.
#[derive(Debug)]
pub(super) struct AskKey {
    act: Act,
    asked: bool,
    /// The file whose public half is looked for.
    file: Option<PathBuf>,
    held: Result<Vec<KeyReport>, Failure>,
}

impl AskKey {
    /// For an operation.
    pub(super) const fn new(act: Act) -> Self {
        Self { act, asked: false, file: None, held: Ok(Vec::new()) }
    }

    const fn question(&self, part: u8) -> Question {
        Question { act: self.act, part: 10 + part }
    }

    /// Begins: the agent is asked first what it holds.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) {
        (self.asked, self.file) = (true, None);
        let what = "asking ssh-agent for its keys";
        cx.wait(self.question(2), "Which key signs?", what, Query::AgentKeys);
    }

    /// One of its questions was closed: nothing is chosen, and an answer that is on its way is not waited for.
    pub(super) fn closed(&mut self, question: Question) {
        if question.act == self.act && question.part >= self.question(0).part {
            (self.asked, self.file) = (false, None);
        }
    }

    /// Takes what was found out; gives the key once it is known.
    pub(super) fn found(&mut self, found: &Found, cx: &mut Cx<'_>) -> Option<Choice> {
        match found {
            Found::AgentKeys(held) if self.asked => {
                self.held.clone_from(held);
                let items = items(cx.model, held);
                cx.open(Choose::new(self.question(0), "Which key signs?", items).or_typed(names_a_file));
                None
            }
            Found::Failed(Query::PublicKey(path), _) if self.file.as_ref() == Some(path) => {
                (self.asked, self.file) = (false, None);
                None
            }
            Found::PublicKey(path, public) if self.asked && self.file.as_ref() == Some(path) => {
                (self.asked, self.file) = (false, None);
                let signer = SignerSpec::Key(path.clone());
                Some(Choice::Other(Box::new(ChosenKey { signer, public: (**public).clone() })))
            }
            _ => None,
        }
    }

    /// Looks for the public half of a key file.
    fn read(&mut self, path: PathBuf, cx: &mut Cx<'_>) {
        self.file = Some(path.clone());
        cx.effect(Effect::Ask(Query::PublicKey(path)));
    }

    /// Takes an answer to one of its questions; gives the key once it is known.
    pub(super) fn answered(
        &mut self,
        question: Question,
        answer: &Answer,
        cx: &mut Cx<'_>,
    ) -> Option<Choice> {
        if question == self.question(1)
            && let Answer::Path(path) = answer
        {
            self.read(path.clone(), cx);
            return None;
        }
        let row = match answer {
            Answer::Rows(rows) if question == self.question(0) => *rows.first()?,
            Answer::Text(typed) if question == self.question(0) => {
                self.read(file_at(typed, cx.model), cx);
                return None;
            }
            _ => return None,
        };
        if row == 0 {
            self.asked = false;
            let there = cx.model.host.as_ref().is_none_or(|host| host.key.is_some());
            return Some(if there { Choice::Default } else { Choice::Make });
        }
        if row == 1 {
            let help = "An OpenSSH private key file, not on the medium.";
            let asked = self.question(1);
            let before = cx.model.answered.contains_key(&asked.act);
            let at = if before { cx.model.begin_path(asked.act) } else { "~/.ssh/".to_owned() };
            let asked = Path::new(asked, "Key file", help, Wanted::File).at(&at);
            cx.open(asked.or_at(cx.model.settings.paths.data_dir()));
            return None;
        }
        self.asked = false;
        match &self.held {
            Ok(held) => {
                let public = held.get(row - FILES)?.clone();
                let signer = SignerSpec::Agent(Some(public.fingerprint.clone()));
                Some(Choice::Other(Box::new(ChosenKey { signer, public })))
            }
            Err(failure) => {
                cx.open(words::failure_page("ssh-agent", failure, &cx.model.keymap));
                None
            }
        }
    }
}

/// The check of a path that is typed above the list of keys; whether a key is there is found out from the file.
fn names_a_file(typed: &str) -> Result<(), String> {
    match typed.contains('/') && !typed.ends_with('/') {
        true => Ok(()),
        false => Err(format!(
            "{typed} is no key of this list and no path of a file; one beside you is typed as ./FILE"
        )),
    }
}

/// The file that a typed path names; a shell would have put the home directory in place of `~`.
fn file_at(typed: &str, model: &Model) -> PathBuf {
    match (typed.strip_prefix("~/"), &model.settings.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => model.cwd.join(typed.strip_prefix("./").unwrap_or(typed)),
    }
}

fn items(model: &Model, held: &Result<Vec<KeyReport>, Failure>) -> Vec<Item> {
    let default = model.host.as_ref().and_then(|host| host.key.as_ref());
    let path = model.settings.paths.key();
    let note = default.map_or_else(
        || format!("none yet: creates {}", path.display()),
        |key| format!("{} {}", fingerprint_end(&key.fingerprint), key.path.display()),
    );
    let mut items =
        vec![Item::new("the key of this host", note), Item::new("another file", "asks for its path")];
    match held {
        Ok(held) => items.extend(held.iter().map(|key| {
            let comment = key.public.splitn(3, ' ').nth(2).unwrap_or_default();
            Item::new(
                format!("ssh-agent {}", fingerprint_end(&key.fingerprint)),
                format!("{} {comment}", key.algorithm),
            )
        })),
        Err(failure) => items.push(Item::new("ssh-agent", failure.message.clone())),
    }
    items
}
