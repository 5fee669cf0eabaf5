//! Media: what the bundle can go to, as it is plugged in and out; why something cannot be chosen; whether it keeps its word.

mod directory;
mod foot;
mod found;
mod lost;
mod mounting;
mod rows;
mod test;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::lost::Lost;
use self::mounting::Mounting;
pub(super) use self::rows::identity;
use self::rows::{Line, Tested};
use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::dialogs::path::Wanted;
use crate::dialogs::{Answer, Page, Path, Question};
use crate::domain::media::{Blocked, Medium, Volume};
use crate::engine::media::{CheckSpec, Mounted};
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::medium::{Chosen, Standing};
use crate::tui::model::{Model, Place};
use crate::tui::msg::{Effect, Ended, Found, Query};
use crate::tui::screen::{Cx, Screen};
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::table::table;

/// Waits for a look at a directory.
const LOOKING: Question = Question { act: Act::MediaDirectory, part: 2 };

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Media {
    list: List,
    lines: Vec<Line>,
    /// Which device each of them is.
    names: Vec<rows::Name>,
    /// Whether the cursor goes to what was chosen, once that is listed.
    comes: bool,
    /// The row under the cursor when somebody moved it last.
    at: rows::Name,
    /// The device that went from under the cursor.
    lost: Lost,
    /// What checks of this session found.
    tested: Vec<Tested>,
    /// A directory was asked for and is being looked at.
    asked: Option<std::path::PathBuf>,
    /// The directory that was asked for, where it is not there yet.
    new: Option<std::path::PathBuf>,
    /// Whether it is being made.
    made: bool,
    /// The test that is asked about, and the medium that was there then.
    testing: Option<(CheckSpec, Medium)>,
    mounting: Mounting,
}

impl Media {
    fn line(&self) -> Option<Line> {
        self.lines.get(self.list.row()?).copied()
    }

    /// The row under the cursor, by its device.
    fn name(&self) -> Option<&rows::Name> {
        self.names.get(self.list.row()?)
    }

    /// Whether a key was meant for what went from under the cursor; that is said once.
    fn not_meant(&mut self, cx: &mut Cx<'_>) -> bool {
        let words = self.lost.words(self.name(), self.list.filter.value());
        self.lost = Lost::default();
        let not_meant = words.is_some();
        words.into_iter().for_each(|words| cx.say(format!("{words}: the same key once more takes it")));
        not_meant
    }

    /// What is said below the table, of all of it and of what is under the cursor.
    fn said(&self, model: &Model) -> Vec<(String, Role)> {
        let lines = self.line().map(|line| line.about(model, &self.tested)).unwrap_or_default();
        let lost = self.lost.words(self.name(), self.list.filter.value());
        let lost = lost.map(|words| (format!("! {words}"), Role::Warn));
        let below = lost.into_iter().chain(foot::taken(model)).chain(lines);
        std::iter::once(foot::summary(model)).chain(below).collect()
    }

    fn medium<'a>(&self, model: &'a Model) -> Option<(&'a Medium, Option<&'a Volume>)> {
        self.line()?.of(model)
    }

    /// Why the row under the cursor cannot be chosen.
    fn unfit(&self, model: &Model) -> Option<String> {
        if directory::on(self.line(), model).is_some() {
            return None;
        }
        let Some((medium, volume)) = self.medium(model) else {
            let any = model.key(Act::MediaDirectory);
            return Some(format!("there is no medium: plug one in, or {any} takes any directory"));
        };
        let why = match volume {
            // What is not known yet is no reason: the plan looks again, before anything is written.
            Some(volume) => {
                let needed = match model.standing_on(volume) {
                    Standing::Fits(_) => model.needed_on(volume).unwrap_or(0),
                    _ => 0,
                };
                medium.blocked_for(volume, needed)
            }
            None => medium.blocked.clone().or(Some(Blocked::NoFileSystem)),
        };
        why.map(|why| match why {
            Blocked::NotMounted => self.how_to_mount(model),
            why => mounting::around(&why, model).unwrap_or_else(|| why.to_string()),
        })
    }

    fn choose(&self, cx: &mut Cx<'_>) {
        if let Some(stays) = directory::on(self.line(), cx.model) {
            let other = cx.model.key(Act::MediaDirectory);
            cx.say(format!("{} stays; {other} takes another directory", stays.path.display()));
            return cx.go(Place::Assemble);
        }
        let chosen = self.medium(cx.model).and_then(|(medium, volume)| Chosen::volume(medium, volume?));
        if let Some(chosen) = chosen {
            let what = match cx.model.needed() {
                Some(_) => format!(": {}", chosen.path.display()),
                None => format!("; {}", rows::UNKNOWN),
            };
            cx.say(format!("{} it is{what}", chosen.words()));
            cx.model.choose(chosen);
            cx.go(Place::Assemble);
        }
    }
}

impl Screen for Media {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Media, Scope::Job, Scope::List]
    }

    fn footer(&self, model: &Model) -> Vec<Act> {
        match model.running() {
            Some(_) => vec![Act::Stop, Act::Logs, Act::Back],
            None if self.lines.is_empty() => vec![Act::MediaDirectory, Act::MediaList, Act::Back],
            None => vec![Act::MediaChoose, Act::MediaDirectory, Act::MediaMount, Act::MediaCheck, Act::Back],
        }
    }

    fn label(&self, act: Act, model: &Model) -> Option<&'static str> {
        let unmounts = || self.mount(model).is_some_and(|spec| spec.unmount);
        (act == Act::MediaMount && unmounts()).then_some("unmount")
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        let busy = || model.why_busy();
        match act {
            Act::MediaChoose => busy().or_else(|| self.unfit(model)),
            Act::MediaDirectory => busy(),
            Act::MediaMount => busy().or_else(|| self.why_no_mount(model)),
            Act::MediaCheck => busy().or_else(|| self.why_no_check(model)),
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) {
        match act {
            Act::MediaChoose | Act::MediaMount | Act::MediaCheck if self.not_meant(cx) => {}
            Act::MediaChoose => self.choose(cx),
            Act::MediaDirectory => {
                let help = "Any directory; you see which medium it is on before you confirm.";
                let at = cx.model.begin_path(Act::MediaDirectory);
                let asked =
                    Path::new(Act::MediaDirectory, "Assemble in a directory", help, Wanted::NewDirectory);
                cx.open(asked.at(&at));
            }
            Act::MediaMount => self.ask_mount(cx),
            Act::MediaList => {
                cx.effect(Effect::Ask(Query::Media));
                cx.say("scanning media; changes are also noticed automatically");
            }
            Act::MediaCheck => self.ask_check(cx),
            _ => {}
        }
    }

    fn answered(&mut self, question: Question, answer: Answer, cx: &mut Cx<'_>) {
        match (question, answer) {
            (
                Question { act: Act::MediaDirectory, part: 0 },
                answer @ (Answer::Path(_) | Answer::NewDirectory(_)),
            ) => {
                let (path, new) = match answer {
                    Answer::NewDirectory(path) => (path, true),
                    Answer::Path(path) => (path, false),
                    _ => return,
                };
                self.new = new.then(|| path.clone());
                let what = format!("looking at {}", path.display());
                self.asked = Some(path.clone());
                cx.wait(LOOKING, "Assemble in a directory", &what, Query::Place(path));
            }
            (question, Answer::Yes) if question == directory::TAKE => {
                if let Some(path) = self.new.clone() {
                    // It is chosen once it is there and was looked at.
                    self.made = true;
                    cx.effect(Effect::Make(path));
                } else if let Some(place) = cx.model.looked_at.take() {
                    cx.model.choose(Chosen::directory(&place));
                    cx.go(Place::Assemble);
                }
            }
            (Question { act: Act::MediaCheck, .. }, Answer::Yes) => self.test(cx),
            (Question { act: Act::MediaMount, .. }, Answer::Yes) => self.mounting.unmount(cx),
            _ => {}
        }
    }

    fn closed(&mut self, question: Question, _: &mut Cx<'_>) {
        if question == LOOKING {
            self.asked = None;
        }
    }

    fn found(&mut self, found: &Found, cx: &mut Cx<'_>) {
        directory::found(self, found, cx);
    }

    fn ended(&mut self, act: Act, cx: &mut Cx<'_>) {
        if !matches!(act, Act::MediaCheck | Act::MediaMount) {
            return;
        }
        let ended = cx.model.job_of(act).and_then(|job| job.ended.clone());
        match ended {
            Some(Ended::Succeeded(report)) => match &*report {
                JobReport::MediaCheck(report) => {
                    let tested = Tested::new(report, cx.model);
                    cx.open(Page::new("Test result", found::found(report)));
                    self.tested.retain(|other| !other.is_about(&tested));
                    self.tested.push(tested);
                }
                JobReport::MediaMount(report) => cx.say(match &report.mount_point {
                    Some(point) => format!("{} is mounted at {}", report.device.display(), point.display()),
                    None => format!("{} is unmounted", report.device.display()),
                }),
                _ => {}
            },
            Some(Ended::Failed(failure)) => {
                if let Some(job) = cx.model.job_of(act) {
                    self.mounting.failed(&job.spec, &failure);
                }
                cx.open(words::failure_page_on("Media", "That did not work", &failure, &cx.model.keymap))
            }
            Some(Ended::Cancelled) if act == Act::MediaCheck => cx.say("stopped; the test data was removed"),
            Some(Ended::Cancelled) => cx.say("stopped; the list shows what is mounted"),
            None => {}
        }
        cx.effect(Effect::Ask(Query::Media));
    }

    fn entered(&mut self, cx: &mut Cx<'_>) {
        self.comes = true;
        // What is free and what lies there changes without any medium coming or going.
        cx.effect(Effect::Ask(Query::Media));
    }

    fn moved(&mut self, cx: &mut Cx<'_>) {
        let now = self.name().cloned().flatten();
        if std::mem::replace(&mut self.at, now.clone()) != now {
            // What cannot be chosen says why, in the place of what is free.
            let shown = self.medium(cx.model).and_then(|(medium, volume)| Some((medium, volume?)));
            let shown = shown.filter(|(medium, volume)| medium.blocked_for(volume, 0).is_none());
            let mounted = shown.and_then(|(medium, volume)| Mounted::of(medium, volume));
            mounted.into_iter().for_each(|of| cx.effect(Effect::Ask(Query::Room(of))));
        }
    }

    fn sync(&mut self, model: &Model) {
        let before = self.list.row().and_then(|row| self.names.get(row).cloned());
        self.lines = rows::lines(model);
        self.names = self.lines.iter().map(|line| line.name(model)).collect();
        let lines = &self.lines;
        self.list.refresh(lines.len(), |row| lines[row].searched(model).into());
        if !self.lines.is_empty() && std::mem::take(&mut self.comes) {
            let chosen = self.lines.iter().position(|line| line.is_chosen(model));
            chosen.into_iter().for_each(|at| self.list.select(at));
            return;
        }
        // The cursor stays on its device when others come and go.
        let Some(before) = before.flatten() else { return };
        match self.names.iter().position(|name| name.as_ref() == Some(&before)) {
            Some(at) => self.list.select(at),
            None => self.lost = Lost::of(before.0, self.name(), self.list.filter.value()),
        }
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn job(&self, model: &Model) -> Option<JobSpec> {
        match self.why_no_check(model) {
            None => self.check(model).map(JobSpec::MediaCheck),
            Some(_) => self.mounts(model).map(JobSpec::MediaMount),
        }
    }

    fn why_no_job(&self, model: &Model) -> Option<String> {
        self.why_no_check(model)
    }

    fn value(&self, model: &Model) -> Option<String> {
        let (medium, volume) = self.medium(model)?;
        let path =
            volume.map_or(&medium.device, |volume| volume.mount_points.first().unwrap_or(&volume.device));
        Some(path.display().to_string())
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let said = self.said(model);
        let below = foot::rows(&said, self.lines.len(), area);
        let top = Rect { height: area.height - below, ..area };
        if self.lines.is_empty() {
            rows::empty(model, look, top, buffer);
        } else {
            let row = |row: usize| self.lines[row].row(model);
            table(rows::COLUMNS, &self.list, row, top, look, buffer);
        }
        foot::draw(&said, look, line::below(area, area.height - below), buffer);
    }
}
