//! The key map: the keys of ACTIONS with the user's sparse changes, looked up by scope, without two meanings for one key.

use std::collections::BTreeMap;

use super::key::{Code, Key, NotAKey};
use crate::actions::{ACTIONS, Act, Scope};

/// Which key does what, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    by_key: BTreeMap<(Scope, Key), Act>,
    by_act: BTreeMap<Act, Vec<Key>>,
    /// Whether a number that is typed is the one of a row, and no key.
    numbered: bool,
}

/// A key map that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// An id that no operation has.
    #[error("keys: there is no operation {id:?}; {}", .nearest.map_or("airlift man lists them".to_owned(), |id| format!("did you mean {id:?}?")))]
    Unknown {
        /// As written.
        id: String,
        /// One that is spelt nearly so.
        nearest: Option<&'static str>,
    },
    /// An operation of the command line has no screen and so no keys.
    #[error("keys: {0:?} is had on the command line alone")]
    Shell(&'static str),
    /// An operation that is always needed, and whose every key means something else on some screen.
    #[error("keys: {id} needs a key of its own: {key} means {other} on some screens")]
    Covered {
        /// Of the operation.
        id: &'static str,
        /// Its first key.
        key: Key,
        /// Of what takes that one.
        other: &'static str,
    },
    /// A text that is no key.
    #[error("keys: {id}: {source}")]
    Key {
        /// Of the operation.
        id: &'static str,
        /// The text.
        source: NotAKey,
    },
    /// A key with two meanings in one place.
    #[error("keys: {key} would mean both {first} and {second}; give one of them another key")]
    Twice {
        /// The key.
        key: Key,
        /// One id.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A key that no operation can be given.
    #[error("keys: {id}: {key} always {does}; give {id} another key")]
    Reserved {
        /// Of the operation.
        id: &'static str,
        /// The key.
        key: Key,
        /// What it always does.
        does: &'static str,
    },
    /// An operation without which there is no way out or no help.
    #[error("keys: {0} needs at least one key")]
    Needed(&'static str),
}

impl KeymapError {
    /// The operations that it is about: one of them was given its keys.
    pub fn ids(&self) -> [&str; 2] {
        match self {
            Self::Unknown { id, .. } => [id, id],
            Self::Shell(id) | Self::Needed(id) => [id, id],
            Self::Key { id, .. } | Self::Reserved { id, .. } => [id, id],
            Self::Covered { id, other, .. } => [other, id],
            Self::Twice { first, second, .. } => [second, first],
        }
    }
}

/// What always has a key: help, the way back, the way out and the palette that finds all others.
const NEEDED: &[Act] = &[Act::Help, Act::Back, Act::Quit, Act::Palette];

/// Where a key is looked up before those of all screens; dialogs have their own ways out.
const DIALOGS: [Scope; 3] = [Scope::Dialog, Scope::Buttons, Scope::Path];

/// Keys that never come to an operation but the one named with them, and what they do instead.
const RESERVED: &[(Key, Option<Act>, &str)] = &[
    (Key::ctrl('c'), None, "stops what runs, then leaves"),
    (Key::ctrl('l'), Some(Act::Redraw), "redraws the screen"),
    (Key::ctrl('z'), Some(Act::Suspend), "gives the terminal to the shell"),
];

impl Default for Keymap {
    /// The keys of ACTIONS.
    fn default() -> Self {
        Self::new(&BTreeMap::new()).unwrap_or_else(|_| Self::empty())
    }
}

impl Keymap {
    /// The keys of ACTIONS with `changes` laid over: id → all keys it has then; no key takes it off.
    ///
    /// # Errors
    /// All that keeps it from being used.
    pub fn new(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<KeymapError>> {
        let mut errors = Vec::new();
        let mut changed: BTreeMap<Act, &Vec<String>> = BTreeMap::new();
        for (id, keys) in changes {
            match Act::by_id(id) {
                None => errors.push(KeymapError::Unknown { id: id.clone(), nearest: nearest(id) }),
                Some(act) if act.row().scope == Scope::Shell => errors.push(KeymapError::Shell(act.row().id)),
                Some(act) => drop(changed.insert(act, keys)),
            }
        }
        let mut map = Self::empty();
        for action in ACTIONS.iter().filter(|action| action.scope != Scope::Shell) {
            match changed.get(&action.name) {
                Some(keys) => map.bind(action.name, keys.iter().map(String::as_str), &mut errors),
                None => map.bind(action.name, action.keys.iter().copied(), &mut errors),
            }
        }
        // What was given to it and cannot be had is told already.
        let told = |act: &&Act| errors.iter().any(|error| error.ids()[0] == act.row().id);
        let lost: Vec<_> = NEEDED.iter().filter(|act| !told(act)).filter_map(|act| map.lost(*act)).collect();
        errors.extend(lost);
        if errors.is_empty() { Ok(map) } else { Err(errors) }
    }

    /// Why an operation cannot be had everywhere.
    fn lost(&self, act: Act) -> Option<KeymapError> {
        let (row, keys) = (act.row(), self.keys(act));
        let nearer = |key: &Key| {
            let taken = self
                .by_key
                .iter()
                .find(|((scope, own), other)| own == key && **other != act && !DIALOGS.contains(scope));
            taken.map(|(_, other)| *other)
        };
        let Some(key) = keys.first() else { return Some(KeymapError::Needed(row.id)) };
        let other = nearer(key).filter(|_| keys.iter().all(|key| nearer(key).is_some()))?;
        Some(KeymapError::Covered { id: row.id, key: *key, other: other.row().id })
    }

    const fn empty() -> Self {
        Self { by_key: BTreeMap::new(), by_act: BTreeMap::new(), numbered: false }
    }

    /// The same where lines are typed, and a number is the one of a row: an operation with such a key is named by its title.
    #[must_use]
    pub fn numbered(self) -> Self {
        Self { numbered: true, ..self }
    }

    fn bind<'a>(&mut self, act: Act, keys: impl Iterator<Item = &'a str>, errors: &mut Vec<KeymapError>) {
        let row = act.row();
        for text in keys {
            let key: Key = match text.parse() {
                Ok(key) => key,
                Err(source) => {
                    errors.push(KeymapError::Key { id: row.id, source });
                    continue;
                }
            };
            let bound = self.by_act.entry(act).or_default();
            if !bound.contains(&key) {
                bound.push(key);
            }
            let reserved = RESERVED.iter().find(|(own, of, _)| *own == key && *of != Some(act));
            if let Some((_, _, does)) = reserved {
                errors.push(KeymapError::Reserved { id: row.id, key, does });
            } else if let Some(other) =
                self.by_key.insert((row.scope, key), act).filter(|other| *other != act)
            {
                errors.push(KeymapError::Twice { key, first: other.row().id, second: row.id });
            }
        }
    }

    /// What a key means, asked of the scopes in order: the nearest first.
    pub fn find(&self, scopes: &[Scope], key: Key) -> Option<Act> {
        scopes.iter().find_map(|scope| self.by_key.get(&(*scope, key)).copied())
    }

    /// What a key means where just these operations are had, as in a dialog, the first of two before the other. There
    /// the keys of the table hold as well: whatever is mapped, a dialog is answered and left.
    pub fn among(&self, acts: &[Act], key: Key) -> Option<Act> {
        let in_table = |act: &&Act| act.row().keys.iter().any(|name| name.parse() == Ok(key));
        let mapped = acts.iter().find(|act| self.keys(**act).contains(&key));
        mapped.or_else(|| acts.iter().find(in_table)).copied()
    }

    /// The key of an operation that is shown where there is room for one; nothing where it has none any more.
    pub fn first(&self, act: Act) -> String {
        self.keys(act).first().map_or_else(String::new, Key::to_string)
    }

    /// How a sentence names what does an operation: its first key, or where it has none, its name in the palette.
    pub fn says(&self, act: Act) -> String {
        match self.keys(act).first() {
            Some(key) if self.numbered && matches!(key.code, Code::Char('1'..='9')) => {
                act.row().title.to_owned()
            }
            Some(key) => key.to_string(),
            None => format!("{} {}", self.first(Act::Palette), act.row().title),
        }
    }

    /// The keys of an operation, the first of them for footers.
    pub fn keys(&self, act: Act) -> &[Key] {
        self.by_act.get(&act).map_or(&[], Vec::as_slice)
    }
}

/// The id that shares the longest begin, where that is at least half of it.
fn nearest(id: &str) -> Option<&'static str> {
    let shared = |other: &str| id.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let best = ACTIONS.iter().map(|action| action.id).max_by_key(|other| shared(other))?;
    (shared(best) * 2 >= id.len().max(1)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(rows: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let keys = |keys: &&[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        rows.iter().map(|(id, list)| ((*id).to_owned(), keys(list))).collect()
    }

    #[test]
    fn the_keys_of_the_table_are_sound_and_every_one_is_reached() {
        let map = Keymap::new(&BTreeMap::new()).unwrap();
        for action in ACTIONS.iter().filter(|action| action.scope != Scope::Shell) {
            assert!(!action.keys.is_empty(), "{} has no key", action.id);
            for key in map.keys(action.name) {
                assert_eq!(map.find(&[action.scope], *key), Some(action.name));
            }
        }
    }

    #[test]
    fn a_screens_key_comes_before_the_same_key_of_all_screens() {
        let map = Keymap::new(&BTreeMap::new()).unwrap();
        let k = Key::char('k');
        assert_eq!(map.find(&[Scope::Images, Scope::List, Scope::Global], k), Some(Act::ImagesKubeadm));
        assert_eq!(map.find(&[Scope::Media, Scope::List, Scope::Global], k), Some(Act::Up));
    }

    #[test]
    fn a_change_replaces_the_keys_of_its_operation_alone() {
        let map = Keymap::new(&changes(&[("quit", &["Q"])])).unwrap();
        assert_eq!(map.find(&[Scope::Global], Key::char('q')), None);
        assert_eq!(map.find(&[Scope::Global], Key::char('Q')), Some(Act::Quit));
        assert_eq!(map.keys(Act::Help).len(), 2);
    }

    #[test]
    fn among_few_operations_mapped_keys_come_first_and_those_of_the_table_hold() {
        let map =
            Keymap::new(&changes(&[("log.save", &["v"]), ("log.level", &["e"]), ("back", &["F9"])])).unwrap();
        let acts = [Act::LogLevel, Act::LogSave, Act::Back];
        for (key, act) in [
            ("v", Some(Act::LogSave)),
            ("e", Some(Act::LogLevel)),
            ("s", Some(Act::LogSave)),
            ("F9", Some(Act::Back)),
            ("Esc", Some(Act::Back)),
            ("q", None),
        ] {
            assert_eq!(map.among(&acts, key.parse().unwrap()), act, "{key}");
        }
    }

    #[test]
    fn unsound_changes_are_refused_with_their_names() {
        let refused = |rows: &[(&str, &[&str])]| Keymap::new(&changes(rows)).unwrap_err()[0].to_string();
        assert_eq!(
            refused(&[("quitt", &["Q"])]),
            "keys: there is no operation \"quitt\"; did you mean \"quit\"?"
        );
        assert_eq!(refused(&[("zzz", &[])]), "keys: there is no operation \"zzz\"; airlift man lists them");
        assert_eq!(refused(&[("serve", &["S"])]), "keys: \"serve\" is had on the command line alone");
        assert!(refused(&[("quit", &["Hyper-q"])]).starts_with("keys: quit: \"Hyper-q\" is not a key"));
        assert_eq!(
            refused(&[("quit", &["l"])]),
            "keys: l would mean both logs and quit; give one of them another key"
        );
        assert_eq!(
            refused(&[("quit", &["q", "Ctrl-c"])]),
            "keys: quit: Ctrl-C always stops what runs, then leaves; give quit another key"
        );
        assert!(
            refused(&[("job.stop", &["Ctrl-L"])])
                .starts_with("keys: job.stop: Ctrl-L always redraws the screen")
        );
        assert!(Keymap::new(&changes(&[("redraw", &["Ctrl-L"])])).is_ok());
        assert_eq!(refused(&[("help", &[])]), "keys: help needs at least one key");
        assert_eq!(
            refused(&[("list.first", &["q"])]),
            "keys: quit needs a key of its own: q means list.first on some screens"
        );
        assert!(Keymap::new(&changes(&[("list.first", &["q"]), ("quit", &["q", "Q"])])).is_ok());
    }

    #[test]
    fn all_that_is_unsound_is_named() {
        let rows: &[(&str, &[&str])] = &[("zzz", &["x"]), ("serve", &["S"]), ("help", &["Hyper-q"])];
        let errors = Keymap::new(&changes(rows)).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.ids()[0]).collect::<Vec<_>>(), ["serve", "zzz", "help"]);
    }
}
