//! Start: what was interrupted, what this host is, which side that suggests and why, and the ways in.

mod doors;
mod facts;
mod half;
mod key;
mod suggest;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::doors::{Door, doors};
use super::import::undo::{self, Asking};
use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::{Answer, Confirm, Question};
use crate::engine::error::Kind;
use crate::engine::import::changes::NotedRun;
use crate::engine::spec::{JobReport, JobSpec, KeyGenerateJob};
use crate::tui::model::{Model, Place, Side};
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::resume::Cut;
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::list::{List, id};
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table_in};

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Start {
    list: List,
    doors: Vec<Door>,
    /// Whether the cursor was put on what is to be done first.
    placed: bool,
    /// How many imports had ended early.
    half: usize,
    /// What forgets the pack or the import that is asked about.
    forgetting: Option<Effect>,
    undo: Asking,
}

fn cuts(model: &Model) -> &[Cut] {
    model.interrupted.as_ref().map_or(&[], |cuts| cuts.packs.as_slice())
}

impl Start {
    fn door(&self) -> Option<&Door> {
        self.doors.get(self.list.row()?)
    }

    /// The interrupted pack under the cursor.
    fn cut_here<'a>(&self, model: &'a Model) -> Option<&'a Cut> {
        let id = self.door()?.cut?;
        cuts(model).iter().find(|cut| cut.job.id == id)
    }

    /// The interrupted pack under the cursor, else the latest.
    fn cut<'a>(&self, model: &'a Model) -> Option<&'a Cut> {
        self.cut_here(model).or_else(|| cuts(model).first())
    }

    /// The import that ended early under the cursor.
    fn half_here<'a>(&self, model: &'a Model) -> Option<&'a NotedRun> {
        let file = self.door()?.run.as_ref()?;
        half::runs(model).find(|run| run.file == *file)
    }

    /// The import that is gone on with: under the cursor, else as what was begun last.
    fn resumed<'a>(&self, model: &'a Model) -> Option<&'a NotedRun> {
        if self.door().is_some_and(|door| door.act == Act::Resume) {
            return None;
        }
        self.half_here(model).or_else(|| {
            let last = half::runs(model).next()?;
            cuts(model).iter().all(|cut| cut.job.started < last.begun.begun).then_some(last)
        })
    }

    fn resume(&self, cx: &mut Cx<'_>) {
        if let Some(run) = self.resumed(cx.model) {
            return half::go_on(run.begun.clone(), cx);
        }
        let Some(job) = self.cut(cx.model).and_then(Cut::pack).map(|job| cx.model.as_changed(job)) else {
            return;
        };
        cx.start(Act::Resume, JobSpec::Pack(job));
        cx.say("checking its destination ...");
    }

    fn ask_to_forget(&mut self, cx: &mut Cx<'_>) {
        let here = self.half_here(cx.model);
        let Some(cut) = self.cut(cx.model).filter(|_| here.is_none()) else {
            let run = here.or_else(|| half::runs(cx.model).next()).cloned();
            self.forgetting = run.map(|run| half::ask_to_forget(&run, cx));
            return;
        };
        let name = cut.name();
        let mut plan = vec![
            format!("This is no longer offered: {name}, {}.", cut.full_words()),
            "Its files stay; packing the same list again reuses them.".to_owned(),
        ];
        if let Some(progress) = cut.progress() {
            plan.push(format!("To delete them, remove {}", progress.path.display()));
        }
        let confirm = Confirm::new(Act::Forget, "Forget the interrupted pack?", plan, "Forget it");
        self.forgetting = Some(Effect::Forget(cut.job.id));
        cx.open(confirm);
    }
}

/// Makes the key of this host, protected by a passphrase that is asked for.
pub(super) fn make_key(cx: &mut Cx<'_>) {
    let host = cx.model.host.as_ref().map_or("", |host| host.name.as_str());
    let comment: String = host.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let path = cx.model.settings.paths.key();
    let job = KeyGenerateJob { path, comment: format!("airlift@{comment}"), protected: true, dry_run: false };
    cx.start(Act::KeyGenerate, JobSpec::KeyGenerate(job));
}

impl Screen for Start {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Start, Scope::Undo, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        if model.running().is_some() {
            return vec![Act::Go, Act::Stop, Act::Connected, Act::AirGapped, Act::Quit];
        }
        if cuts(model).is_empty() && half::runs(model).next().is_some() {
            return vec![Act::Go, Act::Forget, Act::Connected, Act::AirGapped, Act::Quit];
        }
        if cuts(model).is_empty() {
            return vec![Act::Go, Act::Connected, Act::AirGapped, Act::Palette, Act::Quit];
        }
        vec![Act::Resume, Act::Forget, Act::Connected, Act::AirGapped, Act::Quit]
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        match act {
            Act::KeyGenerate => match model.host.as_ref().map(|host| &host.key) {
                None => Some("this host is still being checked".to_owned()),
                Some(Some(key)) => Some(format!("there is a key already: {}", key.path.display())),
                Some(None) => model.why_busy(),
            },
            Act::Forget if half::runs(model).next().is_some() => None,
            Act::Resume if self.resumed(model).is_some() => None,
            Act::Resume | Act::Forget if cuts(model).is_empty() => Some("no job was interrupted".to_owned()),
            Act::Resume => model.why_busy(),
            Act::ImportUndo => undo::why_not(model),
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::Go => {
                let Some((act, to)) = self.door().map(|door| (door.act, door.to)) else { return };
                if let Some(place) = to {
                    return cx.go(place);
                }
                match self.why_not(act, cx.model) {
                    Some(reason) => cx.say(format!("not now: {reason}")),
                    None => self.act(act, cx),
                }
            }
            Act::Connected => cx.go(Place::Images),
            Act::AirGapped => cx.go(Place::Bundle),
            Act::Resume => self.resume(cx),
            Act::Forget => self.ask_to_forget(cx),
            Act::KeyGenerate => make_key(cx),
            Act::Import => {
                if let Some(begun) = self.half_here(cx.model).map(|run| run.begun.clone()) {
                    half::go_on(begun, cx);
                }
            }
            Act::ImportUndo => {
                match self.half_here(cx.model).filter(|run| run.changed_something()).cloned() {
                    Some(_) if undo::waits(cx) => {}
                    Some(run) => undo::about(run, cx),
                    None => self.undo.ask(cx),
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question.act, answer) {
            (Act::Resume, Answer::Yes) => cx.start_from_nothing(),
            (Act::ImportUndo, answer) => self.undo.answered(answer, cx),
            (Act::Forget, Answer::Yes) => {
                let Some(effect) = self.forgetting.take() else { return };
                if let Effect::Dismiss(file) = &effect {
                    cx.model.gap.import.aim_no_more(file);
                }
                cx.effect(effect);
            }
            _ => {}
        }
    }

    fn closed(&mut self, question: Question, cx: &mut Cx<'_>) {
        if question.act == Act::Resume {
            cx.start_nothing();
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        // With a medium comes or goes what was cut off on it.
        if let Found::Media(_) = found {
            cx.effect(Effect::Ask(Query::Interrupted));
            cx.effect(Effect::Ask(Query::Noted));
        }
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        let ended = cx.model.job_of(act).and_then(|job| job.ended.clone());
        match (act, ended) {
            (Act::KeyGenerate, Some(Ended::Succeeded(report))) => {
                cx.effect(Effect::Ask(Query::Host));
                if let JobReport::Key(report) = &*report {
                    let page = key::page(report, &cx.model.key(Act::KeyTrust));
                    cx.open(page);
                }
            }
            (Act::KeyGenerate, Some(Ended::Failed(failure))) if failure.kind != Kind::Interrupted => {
                cx.open(words::failure_page_on("Start", "No key was created", &failure, &cx.model.keymap));
            }
            (Act::KeyGenerate, _) => cx.say("no key was created"),
            (Act::Pack, _) => cx.effect(Effect::Ask(Query::Interrupted)),
            _ => {}
        }
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        for query in [Query::Host, Query::Media, Query::Interrupted, Query::Noted] {
            cx.effect(Effect::Ask(query));
        }
    }

    fn sync(&mut self, model: &Model) {
        let on_key = self.door().is_some_and(|door| door.act == Act::KeyGenerate);
        self.doors = doors(model);
        let doors = &self.doors;
        // The cursor stays on its row when packs that were cut off come and go with their media.
        self.list.follow(
            (doors.len(), false),
            |row| doors[row].name.as_str().into(),
            |row| id(&(doors[row].act, doors[row].cut, &doors[row].run)),
        );
        if on_key && self.doors.iter().all(|door| door.act != Act::KeyGenerate) {
            // The key was made: it is for building media, and the row above this one is the other side's.
            let row = self.doors.iter().position(|door| door.act == Act::Connected);
            self.list.select(row.unwrap_or_default());
        }
        self.placed |= self.list.was_moved();
        // What was left half is told of last, and stands above the ways in.
        let half = half::runs(model).count();
        self.placed &= self.list.was_moved() || half == std::mem::replace(&mut self.half, half);
        // Moved once everything is known that the choice depends on, and never from under somebody's fingers.
        if let (false, Some(host), Some(_), Some(_)) =
            (self.placed, &model.host, &model.media, &model.interrupted)
        {
            self.placed = true;
            let wanted = match suggest::side(host, model.media.as_deref()).0 {
                _ if !cuts(model).is_empty() => Act::Resume,
                _ if half::runs(model).next().is_some() => Act::Import,
                Side::Connected => Act::Connected,
                Side::AirGapped => Act::AirGapped,
            };
            let row = self.doors.iter().position(|door| door.act == wanted);
            self.list.select(row.unwrap_or_default());
        }
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        let undo = self.door().is_some_and(|door| door.act == Act::ImportUndo);
        match self.half_here(model).filter(|_| undo) {
            Some(run) => Some(undo::numbered(run, model)),
            None => {
                let pack = self.cut_here(model).and_then(Cut::pack);
                pack.map(|job| JobSpec::Pack(model.as_changed(job)))
            }
        }
    }

    fn value(&self, model: &Model) -> Option<String> {
        model.host.as_ref()?.key.as_ref().map(|key| key.fingerprint.clone())
    }

    fn status(&self, model: &Model) -> String {
        if let Some(running) = model.runs_elsewhere() {
            return running;
        }
        match self.half_here(model) {
            Some(run) => half::full_words(run),
            None => self.cut_here(model).map_or_else(String::new, Cut::full_words),
        }
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let columns = [Column::left("WHAT", 32), Column::left("", 0)];
        let row = |row: usize| {
            let door = &self.doors[row];
            let role = match door.act {
                Act::Resume | Act::Import => Role::Warn,
                Act::Go => Role::Current,
                _ => Role::Dim,
            };
            Row {
                marked: false,
                values: vec![Value::plain(door.name.clone()), Value::styled(door.note.clone(), role)],
            }
        };
        let rows = u16::try_from(self.doors.len()).unwrap_or(u16::MAX).saturating_add(2);
        let rows = rows.min(area.height);
        table_in(&columns, &self.list, row, Rect { height: rows, ..area }, look, buffer);
        facts::draw(model, look, line::below(area, rows), buffer);
    }
}
