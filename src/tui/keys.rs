//! What keys do: to the dialog on top, to the filter one types in, else to the screen, by the key map.

use super::app::App;
use super::model::{Model, Picked, Place, Side};
use super::msg::Effect;
use super::screen::Mark;
use super::words;
use crate::actions::{Act, Scope};
use crate::config::key::Key;
use crate::config::theme::{BUILT_IN, Theme};
use crate::dialogs::choose::Item;
use crate::dialogs::{self, Choose, Log, Page};
use crate::widgets::edit;
use crate::widgets::list::Move;

/// Bytes above which many terminals drop OSC 52.
const CLIPBOARD: usize = 70_000;
/// What can be done while a filter is typed.
const FILTER: &[Act] = &[Act::Take, Act::Back, Act::Up, Act::Down, Act::PageUp, Act::PageDown];
/// Said of a key in a window, and gone with the next one.
const DEAD: &str = "does nothing in this window";
const TOO_LONG: &str = "too long for a terminal's clipboard; save it to a file, or select it by hand";

impl App {
    pub(super) fn key(&mut self, key: Key) {
        if key == Key::ctrl('c') {
            return self.interrupt();
        }
        (self.interrupts, self.after) = (0, None);
        let crossed = self.crossed();
        if key == Key::ctrl('l') {
            return self.act(Act::Redraw);
        }
        if key == Key::ctrl('z') {
            return self.act(Act::Suspend);
        }
        if self.help_in_dialog(key) {
            return;
        }
        if self.log_over_page(key) {
            return self.act(Act::Logs);
        }
        self.words.take_if(|(words, _)| words.contains(DEAD));
        if let Some(dialog) = self.dialogs.last_mut() {
            let question = dialog.question();
            let dead = self.model.keymap.among(&dialog.acts(), key).is_none();
            let (read, asked, over) = (dialog.is_read(), dialog.is_asked(), dialog.is_over());
            let reply = dialog.key(key, &self.model.keymap);
            let [back, next] = [Act::Back, Act::ButtonNext].map(|act| self.model.keymap.first(act));
            if dead && read {
                // What was typed for a question that is over may be a secret.
                let key = if over { "that key".to_owned() } else { key.to_string() };
                return self.say(format!("{key} {DEAD}; {back} closes it"));
            }
            if dead && asked {
                return self.say(format!("{key} {DEAD}; {next} goes to the next button, {back} cancels"));
            }
            return self.reply(question, reply);
        }
        if self.filter_key(key) {
            return;
        }
        // What was said is about what was there before; the log keeps what failed.
        self.words = None;
        match self.model.keymap.find(&self.scopes(), key) {
            Some(Act::Back) if crossed => {
                self.say(format!("{key} came when the answer had come; nothing was left"));
            }
            Some(act) => self.act(act),
            None => {
                let help = self.model.key(Act::Help);
                self.say(format!("{key} does nothing here; {help} shows what does"));
            }
        }
    }

    pub(super) fn paste(&mut self, pasted: &str) {
        if let Some(dialog) = self.dialogs.last_mut() {
            return match dialog.is_typed() {
                true => dialog.paste(pasted),
                false => self.say("pasted text; nothing was done with it"),
            };
        }
        let typing = self.on_screen(|screen, _| {
            let list = screen.list().filter(|list| list.typing);
            list.map(|list| edit::paste(&mut list.filter, pasted)).is_some()
        });
        if typing == Some(true) {
            return;
        }
        match self.model.place {
            Place::Images => {}
            Place::Start if is_list(pasted) && Picked::names_images(pasted) => self.go(Place::Images),
            Place::Start => {
                return self.say("pasted text that names no image; nothing was done with it");
            }
            place => {
                let key = |act| self.model.key(act);
                let way = match (place, place.side()) {
                    (Place::Bundle, _) => {
                        format!("{} asks for a fingerprint", key(Act::BundleTrust))
                    }
                    (Place::Check, _) => format!("{} asks for a fingerprint", key(Act::KeyTrust)),
                    (_, Some(Side::AirGapped)) => "open a dialog first".to_owned(),
                    _ => format!("go to Images ({}) or open a dialog first", key(Act::Step1)),
                };
                return self.say(format!("pasted text: {way}; nothing was done with it"));
            }
        }
        let added = self.model.add_typed(pasted);
        self.dialogs.extend(words::refused(&added));
        self.say(words::added(&added));
    }

    /// Whether keys are letters of something that is typed at this moment.
    pub(super) fn is_typing(&self) -> bool {
        match self.dialogs.last() {
            Some(dialog) => dialog.is_typed(),
            None => self.screen().and_then(|screen| screen.view()).is_some_and(|list| list.typing),
        }
    }

    /// Whether it is a passphrase: what is typed is not gathered, and no paste is guessed at.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.dialogs.last(), Some(dialogs::Dialog::Secret(_)))
    }

    pub(super) fn click(&mut self, row: u16) {
        match self.dialogs.last_mut() {
            Some(dialog) => dialog.click(row),
            None => drop(self.on_screen(|screen, cx| {
                screen.list().map(|list| list.click(row));
                screen.moved(cx);
            })),
        }
    }

    /// While a filter is typed its keys go there; the cursor still moves.
    fn filter_key(&mut self, key: Key) -> bool {
        let act = if key.is_letter() { None } else { self.model.keymap.among(FILTER, key) };
        let typed = self.on_screen(|screen, cx| {
            let list = screen.list().filter(|list| list.typing)?;
            match act {
                Some(Act::Take) => list.typing = false,
                Some(Act::Back) => drop(list.clear_filter()),
                Some(act) => dialogs::way(act).into_iter().for_each(|way| list.go(way)),
                None => drop(edit::key(&mut list.filter, key)),
            }
            screen.moved(cx);
            Some(())
        });
        typed.flatten().is_some()
    }

    pub(super) fn act(&mut self, act: Act) {
        if self.act_elsewhere(act) {
            return;
        }
        if let Some(reason) = self.why_not(act) {
            return self.say(format!("not now: {reason}"));
        }
        match act.row().scope {
            Scope::Global => self.global(act),
            Scope::List | Scope::Marks => self.in_list(act),
            Scope::Job => self.on_job(act),
            _ => drop(self.on_screen(|screen, cx| screen.act(act, cx))),
        }
    }

    fn in_list(&mut self, act: Act) {
        let mark = match act {
            Act::Mark => Some(Mark::Toggle),
            Act::MarkAll => Some(Mark::All),
            Act::Invert => Some(Mark::Invert),
            _ => None,
        };
        self.on_screen(|screen, cx| {
            if let Some(mark) = mark {
                screen.mark(mark, cx.model);
            }
            let Some(list) = screen.list() else { return };
            match act {
                Act::Mark => list.go(Move::Down),
                Act::Filter => list.typing = true,
                act => dialogs::way(act).into_iter().for_each(|way| list.go(way)),
            }
            screen.moved(cx);
        });
    }

    fn on_job(&mut self, act: Act) {
        match act {
            Act::Pause => {
                if let Some(paused) = self.pause() {
                    let key = self.model.keymap.first(Act::Pause);
                    self.say(match (paused, self.leaving) {
                        (true, true) => {
                            format!("! paused: this is not left before it goes on and is done; {key} goes on")
                        }
                        (true, false) => format!("! paused at the next safe point; {key} goes on"),
                        (false, _) => "it goes on".to_owned(),
                    });
                }
            }
            Act::Stop => self.confirm_stop(),
            _ => {}
        }
    }

    fn global(&mut self, act: Act) {
        match act {
            Act::Help => self.finder("Help: what can be done here", false),
            Act::Palette => self.finder("Commands", true),
            Act::Logs => {
                let file = format!("{}airlift.log", self.model.begin_beside(Act::Logs));
                self.dialogs.push(Log::new(&self.model.log).saved_as(file).into());
            }
            Act::ShellCommand => self.shell_command(),
            Act::Copy => match self.screen().and_then(|screen| screen.value(&self.model)) {
                Some(value) => self.copy(value),
                None => self.say("there is nothing to copy here"),
            },
            Act::Back => self.back(),
            Act::Quit => self.quit(),
            Act::Redraw => self.todo.effects.push_back(Effect::Redraw),
            Act::Suspend => self.todo.effects.push_back(Effect::Suspend),
            Act::Basic => {
                self.look.unicode = !self.look.unicode;
                self.todo.effects.push_back(Effect::Redraw);
            }
            Act::Theme => self.choose_theme(),
            Act::Mouse => {
                self.mouse = !self.mouse;
                self.say(if self.mouse {
                    "mouse on: it scrolls and selects"
                } else {
                    "mouse off: the terminal has it"
                });
                self.todo.effects.push_back(Effect::Mouse(self.mouse));
            }
            Act::StepStart => self.visit(Place::Start),
            act => self.model.goes_to(act).into_iter().for_each(|place| self.visit(place)),
        }
    }

    fn visit(&mut self, place: Place) {
        match place == self.model.place {
            true => self.say("you are here already"),
            false => self.go(place),
        }
    }

    fn back(&mut self) {
        let cleared = self.on_screen(|screen, _| screen.list().is_some_and(|list| list.clear_filter()));
        if cleared == Some(true) {
            return;
        }
        // The report of a bundle that was refused came up in the place of the import.
        let refused = self.model.gap.checked.as_ref().is_some_and(|checked| !checked.held());
        match self.model.place.before() {
            Some(Place::Import) if refused => self.go(Place::Check),
            Some(place) => self.go(place),
            None => {
                let quit = self.model.key(Act::Quit);
                self.say(format!("this is the start; {quit} leaves"));
            }
        }
    }

    pub(super) fn all_themes(&self) -> Vec<Theme> {
        let built_in = BUILT_IN.iter().filter_map(|(name, _)| Theme::built_in(name).ok());
        built_in.chain(self.themes.iter().cloned()).collect()
    }

    fn choose_theme(&mut self) {
        let themes = self.all_themes();
        let at = themes.iter().position(|theme| *theme == self.look.theme).unwrap_or(0);
        let items = themes.into_iter().map(|theme| Item::new(theme.name, theme.doc)).collect();
        self.dialogs.push(Choose::new(Act::Theme, "Theme", items).at(at).into());
    }

    fn not_copied(&self, value: &str) -> Option<&'static str> {
        self.no_copy.or((value.len() > CLIPBOARD).then_some(TOO_LONG))
    }

    pub(super) fn copy(&mut self, value: String) {
        if let Some(reason) = self.not_copied(&value) {
            return self.say(reason);
        }
        let what = match value.trim_end().lines().count() {
            0 | 1 => value.clone(),
            lines => format!("{lines} lines"),
        };
        self.say(format!("copied, if the terminal allows it: {what}"));
        self.todo.effects.push_back(Effect::Copy(value));
    }

    fn shell_command(&mut self) {
        let Some(job) = self.screen().and_then(|screen| screen.job(&self.model)) else {
            return self.say(match self.screen().and_then(|screen| screen.why_no_job(&self.model)) {
                Some(reason) => format!("no command for this: {reason}"),
                None => {
                    let key = self.model.key(Act::ShellCommand);
                    format!("no command here yet: {key} shows one where a job can start")
                }
            });
        };
        let job = self.model.lasting(job);
        let command = self.model.settings.shell(&job);
        self.copy(command.clone());
        let outcome = match self.not_copied(&command) {
            None => format!(
                "Copied, where the terminal takes OSC 52; {} copies it again.",
                self.model.key(Act::Copy)
            ),
            Some(reason) => format!("Not copied: {reason}"),
        };
        let words = self.model.settings.command(&job);
        let title = self.screen().map_or("", |screen| screen.job_title());
        let page = Page::plain(title, [String::new(), outcome]).below_command(words);
        self.dialogs.push(page.copying(command).into());
        // Nothing is left at the ends of its lines for the terminal to select along with them.
        self.todo.effects.push_back(Effect::Redraw);
    }
}

/// Whether a word is a reference beyond doubt: any word could be the short name of an image.
pub(super) fn names_one(word: &str) -> bool {
    word.contains(['/', ':', '@'])
}

/// Whether pasted text is references beyond doubt: several lines, or one that can be nothing else.
pub(super) fn is_list(pasted: &str) -> bool {
    names_one(pasted) || pasted.trim().lines().count() > 1
}

/// Why an operation of all screens cannot be done now.
pub(super) fn why_not(model: &Model, act: Act) -> Option<String> {
    let number = act.step()?;
    let Some(side) = model.place.side().or(model.side) else {
        let (connected, gap) = (model.key(Act::Connected), model.key(Act::AirGapped));
        return Some(format!("choose a side first: {connected} or {gap}"));
    };
    let steps = side.steps().len();
    (number >= steps).then(|| format!("this side has {steps} steps"))
}
