//! One frame: header, stepper, the screen, status row and footer, dialogs above; always from the state alone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};

use super::app::{App, SMALLEST};
use super::model::Model;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::text;
use crate::widgets::footer::{Hint, MOST, footer};
use crate::widgets::header::{HeaderProps, header};
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::stepper::stepper;
use crate::widgets::{edit, fold, line};

/// The row of the screen in which its content begins.
const TOP: u16 = 3;

impl App {
    /// Draws everything.
    pub fn draw(&mut self, buffer: &mut Buffer) {
        self.catch_up();
        let area = buffer.area;
        buffer.set_style(area, self.look.style(Role::Text));
        if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
            too_small(area, &self.model, &self.look, buffer);
        } else {
            self.draw_all(area, buffer);
        }
        fold::fold(buffer, self.look.unicode);
    }

    /// Draws the dialog on top alone where there is one, else the screen: what is to be read on plain lines.
    pub(super) fn draw_plain(&self, buffer: &mut Buffer) {
        match self.dialogs.last() {
            Some(dialog) => dialog.draw(buffer.area, &self.look, &self.model.keymap, buffer),
            None => self.draw_all(buffer.area, buffer),
        }
        fold::fold(buffer, false);
    }

    /// Draws what is said of the screen at the end of a buffer of its own, on plain lines: there is room for all of it.
    pub(super) fn draw_said(&self, buffer: &mut Buffer) {
        self.status(buffer.area, buffer);
        fold::fold(buffer, false);
    }

    fn draw_all(&self, area: Rect, buffer: &mut Buffer) {
        let look = &self.look;
        header(&self.header(), line::row(area, 0), look, buffer);
        if let (Some(side), Some(number)) = (self.model.place.side(), self.model.place.number()) {
            let steps: Vec<_> =
                side.steps().iter().map(|(place, name)| (*name, self.model.state(*place))).collect();
            stepper(&steps, number, line::row(area, 1), look, buffer);
        } else {
            let words = " Container images across an air gap: signed and verified";
            line::words(words, look.style(Role::Dim), line::row(area, 1), buffer);
        }
        line::rule(line::row(area, 2), look, buffer);
        self.unsaved_row(line::row(area, 2), buffer);
        let body = Rect { height: area.height - TOP - 3, ..line::below(area, TOP) };
        if let Some(screen) = self.screen() {
            screen.draw(&self.model, look, body, buffer);
        }
        line::rule(line::row(area, area.height - 3), look, buffer);
        self.status(Rect { height: 2, ..line::below(area, area.height - 3) }, buffer);
        footer(&self.hints(), line::row(area, area.height - 1), look, buffer);
        let inside = Rect { height: area.height - 1, ..area };
        for dialog in &self.dialogs {
            dialog.draw(inside, look, &self.model.keymap, buffer);
        }
    }

    /// The filter while it is typed; else what was said last, the filter that is kept, or what the screen has to say.
    /// It ends in the last row of `area`; words that do not fit there begin above it, in the place of a rule: they stand
    /// nowhere else.
    fn status(&self, area: Rect, buffer: &mut Buffer) {
        let list = self.screen().and_then(|screen| screen.view());
        let filtered = list.filter(|list| list.typing || !list.filter.value().is_empty());
        let words = match (filtered, &self.words, self.screen()) {
            (Some(list), words, _) if list.typing || words.is_none() => {
                return self.filter(list, line::row(area, area.height - 1), buffer);
            }
            (_, Some((words, _)), _) => words.clone(),
            (_, None, Some(screen)) => {
                // What stands still out of sight is forgotten.
                let paused = self.model.running().is_some_and(|job| job.paused);
                let elsewhere = paused.then(|| self.model.runs_elsewhere()).flatten();
                elsewhere.unwrap_or_else(|| screen.status(&self.model))
            }
            (_, None, None) => String::new(),
        };
        let (columns, rows) = (usize::from(area.width), area.height);
        let lines = line::lines(&words, (columns.saturating_sub(1), rows.into()));
        for (at, words) in (rows - u16::try_from(lines.len()).unwrap_or(rows)..).zip(&lines) {
            let row = line::row(area, at);
            Clear.render(row, buffer);
            line::words(&format!(" {}", words.trim()), self.look.style(Role::Text), row, buffer);
        }
    }

    /// That a list is not saved stands in the place of the rule above the screen, whatever is said and done meanwhile.
    fn unsaved_row(&self, row: Rect, buffer: &mut Buffer) {
        if let Some(words) = self.unsaved_words(usize::from(row.width)) {
            Clear.render(row, buffer);
            line::words(&format!(" {words}"), self.look.style(Role::Warn), row, buffer);
        }
    }

    fn filter(&self, list: &List, area: Rect, buffer: &mut Buffer) {
        let look = &self.look;
        let lead = format!(" filter {}: ", list.count().unwrap_or_default());
        line::words(&lead, look.style(Role::Title), area, buffer);
        let used = u16::try_from(text::width(&lead)).unwrap_or(0).min(area.width);
        let room = Rect { x: area.x + used, width: (area.width - used).min(40), ..area };
        if list.typing {
            edit::draw(&list.filter, room, look, buffer);
        } else {
            let words = format!("{}   {} shows all", list.filter.value(), self.model.key(Act::Back));
            line::words(&words, look.style(Role::Match), room, buffer);
        }
    }

    /// The keys that hold now: the dialog's while one has the keyboard, else the screen's.
    pub(super) fn hints(&self) -> Vec<Hint> {
        let hint = |key: String, act: Act, word: &str| {
            let kept = matches!(act, Act::Help | Act::Back);
            Hint { key, word: word.to_owned(), enabled: true, kept }
        };
        let typed = |act: Act, word: &str| hint(self.model.keymap.first(act), act, word);
        if let Some(dialog) = self.dialogs.last() {
            let help = self.help_key().map(|key| hint(key.to_string(), Act::Help, Act::Help.row().title));
            let keys = dialog.keys().into_iter().map(|(act, word)| typed(act, word));
            return help.into_iter().chain(keys).take(MOST).collect();
        }
        if self.screen().and_then(|screen| screen.view()).is_some_and(|list| list.typing) {
            return vec![typed(Act::Take, "keep"), typed(Act::Back, "show all")];
        }
        let wanted = self.screen().map_or_else(Vec::new, |screen| screen.footer(&self.model));
        let hint = |act: Act| {
            let key = self.model.keymap.keys(act).first()?.to_string();
            let word = match act {
                Act::Pause if self.model.running().is_some_and(|job| job.paused) => "resume",
                _ => {
                    let label = self.screen().and_then(|screen| screen.label(act, &self.model));
                    label.unwrap_or(act.row().title)
                }
            };
            let kept = matches!(act, Act::Help | Act::Back);
            Some(Hint { key, word: word.to_owned(), enabled: self.why_not(act).is_none(), kept })
        };
        let back = self.model.place.before().is_some().then_some(Act::Back);
        let between = MOST - 1 - usize::from(back.is_some());
        let wanted = wanted.into_iter().filter(|act| *act != Act::Back).take(between);
        std::iter::once(Act::Help).chain(wanted).chain(back).filter_map(hint).collect()
    }

    fn header(&self) -> HeaderProps {
        let model = &self.model;
        let side = model.place.side();
        let step = match (side, model.place.number()) {
            (Some(side), Some(number)) => {
                let steps = side.steps();
                format!(
                    "step {}/{} {}",
                    number + 1,
                    steps.len(),
                    steps.get(number).map_or("", |(_, name)| name)
                )
            }
            _ => String::new(),
        };
        let host = model.host.as_deref();
        HeaderProps {
            side: side.map_or("", |side| side.word()).to_owned(),
            host: host.map_or_else(String::new, |host| host.name.clone()),
            step,
            medium: model.medium_words(),
            key: model.key_words(),
            network: host.map_or_else(String::new, |host| host.network_words()),
        }
    }
}

/// What there is when there is no room; a job goes on meanwhile.
fn too_small(area: Rect, model: &Model, look: &Look, buffer: &mut Buffer) {
    let (columns, rows) = SMALLEST;
    let words = format!("too small: need {columns}x{rows}, now {}x{}", area.width, area.height);
    line::words(&words, look.style(Role::Warn), line::row(area, 0), buffer);
    if let Some(job) = model.running() {
        let at = model.at.saturating_sub(job.began);
        let phase = job.view.current().map_or_else(|| job.spec.title(), |phase| phase.line(at));
        line::words(&phase, look.style(Role::Text), line::row(area, 1), buffer);
    }
}
