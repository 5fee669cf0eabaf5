//! What help and the palette offer: the operations of the screen one is at, each with the keys that start it there.

use super::app::App;
use super::model::{Place, Side};
use crate::actions::{ACTIONS, Act, Scope};
use crate::config::key::Key;
use crate::dialogs::finder::Entry;
use crate::dialogs::{Dialog, Finder};

/// The operations that go to the steps, in their order.
pub(super) const STEPS: [Act; 5] = [Act::Step1, Act::Step2, Act::Step3, Act::Step4, Act::Step5];

impl App {
    /// Opens the operations to search: all that there are here, and where they are `all`, where the others are.
    pub(super) fn finder(&mut self, title: &str, all: bool) {
        let mut entries: Vec<Entry> = Vec::new();
        for scope in self.scopes() {
            let rows = Act::of(scope).filter(|row| !matches!(row.name, Act::Help | Act::Palette));
            entries.extend(rows.filter(|row| self.here(row.name)).map(|row| self.entry(row.name)));
        }
        entries.extend(self.elsewhere());
        if all {
            let known: Vec<Act> = entries.iter().map(|entry| entry.act).collect();
            let others = ACTIONS.iter().map(|row| row.name).filter(|act| !known.contains(act));
            entries.extend(others.filter_map(|act| self.away(act)));
        }
        self.dialogs.push(Dialog::Finder(Finder::new(title, entries)));
    }

    /// What is done with a bundle on another screen, wherever one is: by its step and its key there.
    fn elsewhere(&self) -> Vec<Entry> {
        let away = |act: &Act| !self.scopes().contains(&act.row().scope);
        let entry = |act: Act| {
            let place = self.home(act)?;
            let step = STEPS.get(place.number()?).filter(|_| self.model.place.side().is_some());
            let keys = step
                .map(|step| format!("{} {}", self.model.keymap.first(*step), self.model.keymap.first(act)));
            let why_not = self.screens.get(&place).and_then(|screen| screen.why_not(act, &self.model));
            Some(Entry { act, keys: keys.unwrap_or_default(), why_not, place: None, away: None })
        };
        [Act::Sign, Act::Diff, Act::MediaEject].into_iter().filter(away).filter_map(entry).collect()
    }

    /// An operation that is had on another screen or on the command line, and where.
    fn away(&self, act: Act) -> Option<Entry> {
        let row = act.row();
        let entry = |away| Entry { act, keys: String::new(), why_not: None, place: None, away: Some(away) };
        if let (Scope::Shell, Some(command)) = (row.scope, row.subcommand) {
            let why_not = Some(format!("this is a command alone: airlift {command}"));
            return Some(Entry { why_not, ..entry("on the command line".to_owned()) });
        }
        let place = self.place_of(act)?;
        let other = place.side().filter(|side| self.model.place.side().or(self.model.side) != Some(*side));
        let side = other.map_or_else(String::new, |side| format!(" ({})", side.word()));
        Some(entry(format!("on {}{side}", place.name())))
    }

    /// The screen that has an operation which is not had here: the start or one of the side where one is, if one of them
    /// has it.
    fn place_of(&self, act: Act) -> Option<Place> {
        let scope = Some(act.row().scope).filter(|scope| scope.is_of_screens())?;
        if self.scopes().contains(&scope) {
            return None;
        }
        let own = self.model.place.side().or(self.model.side);
        let has = self.screens.iter().filter(|(_, screen)| screen.scopes().contains(&scope));
        has.map(|(place, _)| *place).min_by_key(|place| place.side().is_some() && place.side() != own)
    }

    /// The screen that has an operation on a bundle, on the side where one is; from the start screen, on whichever has it.
    fn home(&self, act: Act) -> Option<Place> {
        let (here, last) = (self.model.place.side(), self.model.side);
        match act {
            Act::MediaEject if here.or(last) == Some(Side::AirGapped) => Some(Place::Checked),
            Act::Sign | Act::Diff if here == Some(Side::AirGapped) => None,
            Act::Sign | Act::Diff | Act::MediaEject => Some(Place::Report),
            _ => None,
        }
    }

    /// Does an operation on a bundle on the screen that has it. Of what is about something else there, only goes to that
    /// screen: what that is was not seen yet. False where it is had here, or nowhere.
    pub(super) fn act_elsewhere(&mut self, act: Act) -> bool {
        let Some(place) = self.place_of(act) else { return false };
        if let Some(home) = self.home(act) {
            self.go(home);
            self.act(act);
            return true;
        }
        self.go(place);
        self.say(format!("{} does that here: {}", self.model.key(act), act.row().doc));
        true
    }

    /// What can be done in the dialog on top, each with its keys there; nothing without one.
    pub fn acts_in_dialog(&self) -> Vec<(Act, Vec<Key>)> {
        let Some(dialog) = self.dialogs.last() else { return Vec::new() };
        let acts = dialog.acts();
        let keys = |act: Act| {
            let table = act.row().keys.iter().filter_map(|name| name.parse().ok());
            let mut keys: Vec<Key> = self.model.keymap.keys(act).to_vec();
            keys.extend(table.filter(|key| !self.model.keymap.keys(act).contains(key)));
            keys.retain(|key| !dialog.types(*key) && self.model.keymap.among(&acts, *key) == Some(act));
            keys
        };
        acts.iter().map(|act| (*act, keys(*act))).collect()
    }

    /// Offers what can be done in the dialog on top, where the key is the one for help there.
    pub(super) fn help_in_dialog(&mut self, key: Key) -> bool {
        if !self.is_help(key) {
            return false;
        }
        let acts = self.acts_in_dialog();
        let named = |keys: Vec<Key>| keys.iter().map(Key::to_string).collect::<Vec<_>>().join(" ");
        let entries = acts.into_iter().map(|(act, keys)| Entry {
            act,
            keys: named(keys),
            why_not: None,
            place: None,
            away: None,
        });
        let finder = Finder::new("Help: what can be done in this dialog", entries.collect());
        self.dialogs.push(finder.into());
        true
    }

    /// Whether the key opens the log over a page that is read: what stands behind it may name that key.
    pub(super) fn log_over_page(&self, key: Key) -> bool {
        let page = |dialog: &&Dialog| matches!(dialog, Dialog::Page(_)) && !dialog.is_over();
        self.dialogs.last().filter(page).is_some_and(|page| {
            self.model.keymap.find(&[Scope::Global], key) == Some(Act::Logs)
                && self.model.keymap.among(&page.acts(), key).is_none()
        })
    }

    /// The first key that offers what can be done in the dialog on top; nothing where there is none.
    pub(super) fn help_key(&self) -> Option<Key> {
        self.model.keymap.keys(Act::Help).iter().copied().find(|key| self.is_help(*key))
    }

    /// Whether the key is the one for help in the dialog on top, and neither means anything else there nor is typed.
    fn is_help(&self, key: Key) -> bool {
        let Some(dialog) = self.dialogs.last().filter(|dialog| !matches!(dialog, Dialog::Finder(_))) else {
            return false;
        };
        self.model.keymap.find(&[Scope::Global], key) == Some(Act::Help)
            && !dialog.types(key)
            && !self.acts_in_dialog().iter().any(|(_, keys)| keys.contains(&key))
    }

    /// Whether an operation is there at all, on this side.
    fn here(&self, act: Act) -> bool {
        act.step().is_none() || self.model.goes_to(act).is_some()
    }

    fn entry(&self, act: Act) -> Entry {
        // A key that means something nearer here is not shown for this.
        let scopes = self.scopes();
        let own = |key: &&Key| self.model.keymap.find(&scopes, **key) == Some(act);
        let keys: Vec<String> = self.model.keymap.keys(act).iter().filter(own).map(Key::to_string).collect();
        let place = self.model.goes_to(act).map(Place::name);
        Entry { act, keys: keys.join(" "), why_not: self.why_not(act), place, away: None }
    }
}
