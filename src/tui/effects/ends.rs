//! What is waited for beyond a single answer: the kept list that another workstation has, and what is left to do on the way out.

use std::time::Duration;

use super::{Runner, off};
use crate::engine::error::{EngineError, Kind};
use crate::failure::Failure;
use crate::tui::beside;
use crate::tui::find::find;
use crate::tui::msg::{Found, Level, Msg, Query};

/// On the way out, a disk is waited for at most this long.
const LEAVE: Duration = Duration::from_secs(5);
/// Who has the kept list is looked at this often: nothing tells of it.
const HOLDER: Duration = Duration::from_secs(2);

/// What is lost once this is left.
#[derive(Debug)]
pub struct Unsaved {
    /// What that is and why, in a line.
    pub words: String,
    /// Where it is the list: why that could not be saved.
    pub list: Option<Failure>,
}

impl Runner {
    /// Waits for the kept list on a thread of its own, which is woken up when it is free and not before.
    pub(super) fn await_list(&self) {
        let runner = self.clone();
        let wait = move || match beside::wait(&*runner.ctx.files, &runner.settings.paths) {
            Ok(taken) => {
                // Held on to until the workstation is left.
                let _ = runner.list.set(taken.held);
                runner.writes.known(runner.settings.kept_list(), taken.now);
                runner.say(Msg::Found(Found::Freed(taken.theirs)));
            }
            Err(error) => {
                let words = format!("the list stays apart: {}", EngineError::from(error).message());
                runner.say(Msg::Said(Level::Warn, words));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("list".to_owned()).spawn(wait) {
            self.say(Msg::Said(Level::Warn, format!("the list stays apart: {error}")));
        }
        let runner = self.clone();
        self.tasks.spawn(async move { runner.watch_holder().await });
    }

    /// Tells who has the kept list each time that is another one: of several that wait for it, one gets it.
    async fn watch_holder(&self) {
        let mut had = None;
        while self.list.get().is_none() {
            let paths = self.settings.paths.clone();
            let now = off(move || beside::holder(&paths)).await.ok().flatten();
            // Where it is this one, that is told as soon as its list joined the other one.
            let now = now.filter(|holder| holder.pid != std::process::id()).map(|holder| holder.to_string());
            if let Some(who) = now.filter(|who| had.as_ref() != Some(who)) {
                self.say(Msg::Found(Found::Holder(who.clone())));
                had = Some(who);
            }
            tokio::time::sleep(HOLDER).await;
        }
    }

    /// Waits until everything is written that was asked for, but not for a disk that does not answer.
    ///
    /// # Errors
    /// The list could not be saved, or a report.
    pub async fn written(&self) -> Result<(), Unsaved> {
        let list = self.settings.list_file();
        let not = |failure: Failure| {
            Err(Unsaved {
                words: format!("the list was not saved: {}", failure.message),
                list: Some(failure),
            })
        };
        match tokio::time::timeout(LEAVE, self.writes.all()).await {
            Ok(lost) => {
                let reports = self.settings.paths.reports();
                let report = lost.iter().find(|(file, _)| file.starts_with(&reports));
                let kept = self.settings.kept_list();
                match (lost.get(&list).or_else(|| lost.get(&kept)), report) {
                    (Some(failure), _) => not(failure.clone()),
                    (None, Some((_, failure))) => {
                        let words = format!("the report was not saved: {}", failure.message);
                        Err(Unsaved { words, list: None })
                    }
                    (None, None) => Ok(()),
                }
            }
            Err(_) => {
                let words = format!("{} is not written after {} s", list.display(), LEAVE.as_secs());
                not(Failure::new(Kind::Other, words))
            }
        }
    }

    /// Tells whether the list is written by now, for one who is about to leave.
    pub(super) fn tell_written(&self) {
        let runner = self.clone();
        self.tasks.spawn(async move {
            let unsaved = runner.written().await.err().and_then(|unsaved| unsaved.list);
            runner.say(Msg::Written(unsaved));
        });
    }

    /// Packs that were cut off by now, for what is said on the way out; nothing where a disk does not answer.
    pub(in crate::tui) async fn cut_off(&self) -> Option<Msg> {
        let runner = self.clone();
        let look = async move { find(&Query::Interrupted, &runner.settings, &runner.ctx).await };
        let looked = tokio::time::timeout(LEAVE, self.tasks.spawn(look)).await;
        Some(Msg::Found(looked.ok()?.ok()?.ok()?))
    }
}
