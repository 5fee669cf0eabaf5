//! Help and the palette: every operation with its keys, found by a few letters, done by Enter.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Reply, Window, hints, way};
use crate::actions::Act;
use crate::config::key::Key;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::{slips, text};
use crate::widgets::list::{List, Move};
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, hidden, table};
use crate::widgets::{edit, line, popup};

/// Ranks of what is found by what is typed.
const RANKS: usize = 5;
/// Columns of the names.
const WHAT: u16 = 12;

/// What operations are called elsewhere, and the word that they have here.
const ELSEWHERE: [(&str, &str); 11] = [
    ("delete", "remove"),
    ("discard", "remove"),
    ("exit", "quit"),
    ("leave", "quit"),
    ("usb", "media"),
    ("stick", "media"),
    ("drive", "media"),
    ("umount", "unmount"),
    ("expires", "expiry"),
    ("colors", "colours"),
    ("export", "save"),
];

/// One operation, as it is offered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which.
    pub act: Act,
    /// Its keys, joined.
    pub keys: String,
    /// Why it cannot be done now.
    pub why_not: Option<String>,
    /// What the screen is called here that it goes to.
    pub place: Option<&'static str>,
    /// Where it is had, if not here: found by what is typed, after all that is had here.
    pub away: Option<String>,
}

impl Entry {
    /// What it does, in a few words.
    fn doc(&self) -> String {
        let doc = self.act.row().doc;
        match (self.place, &self.away) {
            (Some(place), _) => format!("{doc}: {place}"),
            (None, Some(away)) => format!("{away}: {doc}"),
            (None, None) => doc.to_owned(),
        }
    }

    /// What it is called, in small letters: its title, its stable name, and the screen that it goes to.
    fn name(&self) -> String {
        let row = self.act.row();
        format!("{} {} {}", row.title, row.id, self.place.unwrap_or_default()).to_lowercase()
    }
}

/// A list of operations to search.
#[derive(Debug)]
pub struct Finder {
    title: String,
    entries: Vec<Entry>,
    shown: Vec<usize>,
    typed: tui_input::Input,
    list: List,
    refused: Option<String>,
}

impl Finder {
    /// Over these operations.
    pub fn new(title: &str, entries: Vec<Entry>) -> Self {
        let mut finder = Self {
            title: title.to_owned(),
            entries,
            shown: Vec::new(),
            typed: tui_input::Input::default(),
            list: List::default(),
            refused: None,
        };
        finder.refresh();
        finder
    }

    fn refresh(&mut self) {
        let typed = self.typed.value().to_lowercase();
        let words: Vec<&str> = typed.split_whitespace().collect();
        let mut scored = self.ranked(&words);
        if scored.is_empty() {
            scored = self.ranked(&words.iter().map(|word| called(word)).collect::<Vec<_>>());
        }
        if scored.is_empty() {
            scored = self.nearly(&words);
        }
        scored.sort_unstable();
        self.shown = scored.into_iter().map(|(_, at)| at).collect();
        self.list.refresh(self.shown.len(), |_| "".into());
        self.list.go(Move::First);
    }

    /// The operations that have every word, each with its rank.
    fn ranked(&self, words: &[&str]) -> Vec<(usize, usize)> {
        let rank = |entry: &Entry| {
            let rank = contains(entry, self.typed.value().trim(), words);
            match entry.away {
                Some(_) if words.is_empty() => None,
                Some(_) => rank.map(|rank| rank + RANKS),
                None => rank,
            }
        };
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(at, entry)| Some((rank(entry)?, at))).collect()
    }

    /// The operations whose names have words like these, the nearest first: for a slip of the fingers.
    fn nearly(&self, words: &[&str]) -> Vec<(usize, usize)> {
        let near = |entry: &Entry| {
            let name = entry.name();
            let slips = |word: &&str| words_of(&name).filter_map(|own| slips::of(word, own)).min();
            words.iter().map(slips).sum::<Option<usize>>()
        };
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(at, entry)| Some((near(entry)?, at))).collect()
    }

    /// Does nothing any more, for this reason.
    pub fn give_up(&mut self, reason: &str) {
        for entry in &mut self.entries {
            entry.why_not = Some(reason.to_owned());
        }
    }

    /// How many rows are shown.
    pub const fn rows(&self) -> usize {
        self.shown.len()
    }

    /// The operations that are shown.
    pub fn shown(&self) -> impl Iterator<Item = Act> {
        self.shown.iter().filter_map(|at| self.entries.get(*at)).map(|entry| entry.act)
    }

    /// Shows a number before each row.
    pub const fn number_rows(&mut self) {
        self.list.numbered = true;
    }
}

/// What a word that is used elsewhere is here.
fn called(word: &str) -> &str {
    let other = ELSEWHERE.iter().find(|(other, _)| word.len() > 2 && other.starts_with(word));
    other.map_or(word, |(_, here)| here)
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
}

/// How far from the front an operation belongs that has every word: 0 for its key or its step, then words of its name, that begin
/// one of those, that begin a word of its help, and that stand anywhere in either.
fn contains(entry: &Entry, typed: &str, words: &[&str]) -> Option<usize> {
    if !typed.is_empty() && entry.keys.split(' ').any(|key| key == typed) {
        return Some(0);
    }
    // A step by its name is not what is done there.
    if entry.place.is_some_and(|place| place.eq_ignore_ascii_case(typed)) {
        return Some(0);
    }
    let name = entry.name();
    let all = format!("{name} {} {}", entry.doc(), entry.keys).to_lowercase();
    let begins = |text: &str, word: &str| words_of(text).any(|own| own.starts_with(word));
    let every = |has: &dyn Fn(&str) -> bool| words.iter().all(|word| has(word));
    if every(&|word| words_of(&name).any(|own| own == word)) {
        return Some(1);
    }
    if every(&|word| begins(&name, word)) {
        return Some(2);
    }
    if every(&|word| begins(&all, word)) {
        return Some(3);
    }
    every(&|word| all.contains(word)).then_some(4)
}

impl Window for Finder {
    fn acts(&self) -> Vec<Act> {
        vec![Act::Up, Act::Down, Act::PageUp, Act::PageDown, Act::First, Act::Last, Act::Take, Act::Back]
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        let back = if self.typed.value().is_empty() { "close" } else { "show all" };
        vec![(Act::Take, "run"), (Act::Back, back)]
    }

    fn types(&self, key: Key) -> bool {
        key.is_letter()
    }

    fn act(&mut self, act: Act) -> Reply {
        self.refused = None;
        match act {
            Act::Back if self.typed.value().is_empty() => return Reply::Closed,
            Act::Back => {
                self.typed.reset();
                self.refresh();
            }
            Act::Take => {
                let entry = self.list.row().and_then(|row| self.entries.get(*self.shown.get(row)?));
                match entry {
                    Some(Entry { why_not: Some(reason), .. }) => self.refused = Some(reason.clone()),
                    Some(entry) => return Reply::Do(entry.act),
                    None => {}
                }
            }
            act => way(act).into_iter().for_each(|way| self.list.go(way)),
        }
        Reply::Stay
    }

    fn typed(&mut self, key: Key) -> Reply {
        self.refused = None;
        if edit::key(&mut self.typed, key) {
            self.refresh();
        }
        Reply::Stay
    }

    fn paste(&mut self, text: &str) {
        edit::paste(&mut self.typed, text);
        self.refresh();
    }

    fn click(&mut self, row: u16) {
        self.list.click(row);
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let size = (area.width.saturating_sub(4).min(100), area.height.saturating_sub(2));
        let inner = popup::popup(&self.title, size, area, look, buffer);
        edit::draw(&self.typed, Rect { height: 1.min(inner.height), ..inner }, look, buffer);
        // A key is never cut: it is what is looked for.
        let keys = self.entries.iter().map(|entry| text::width(&entry.keys)).max().unwrap_or(0).clamp(8, 24);
        let columns = [
            Column::left("KEY", u16::try_from(keys).unwrap_or(24)),
            Column::left("WHAT", WHAT),
            Column::left("", 0),
        ];
        let lead = if self.list.numbered { 8 } else { 3 };
        let room = usize::from(inner.width).saturating_sub(lead + keys + usize::from(WHAT) + 4);
        let row = |row: usize| {
            let entry = &self.entries[self.shown[row]];
            let role = if entry.why_not.is_some() { Role::Dim } else { Role::Text };
            let values = vec![
                Value::styled(
                    entry.keys.clone(),
                    if entry.why_not.is_some() { Role::Dim } else { Role::Key },
                ),
                Value::styled(entry.act.row().title, role),
                Value::styled(line::fit(&entry.doc(), room), role),
            ];
            Row { marked: false, values }
        };
        let body = Rect { height: inner.height.saturating_sub(5), ..line::below(inner, 1) };
        table(&columns, &self.list, row, body, look, buffer);
        hidden(&self.list, line::row(inner, inner.height.saturating_sub(4)), look, buffer);
        let foot = inner.height.saturating_sub(3);
        let entry = self.list.row().and_then(|row| self.entries.get(*self.shown.get(row)?));
        let (words, role) = match (&self.refused, entry) {
            (Some(reason), _) => (format!("x {reason}"), Role::Warn),
            (None, Some(entry)) => (entry.doc(), Role::Text),
            (None, None) => ("no operation matches".to_owned(), Role::Dim),
        };
        for (at, words) in (foot..foot + 2).zip(line::lines(&words, (usize::from(inner.width), 2))) {
            line::words(words.trim_start(), look.style(role), line::row(inner, at), buffer);
        }
        let keys = hints(keymap, &self.keys());
        line::words(
            &format!("type to search   {keys}"),
            look.style(Role::Dim),
            line::row(inner, foot + 2),
            buffer,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::Code;
    use crate::dialogs::testing::press;

    fn entry(act: Act, why_not: Option<&str>) -> Entry {
        Entry {
            act,
            keys: act.row().keys.join(" "),
            why_not: why_not.map(str::to_owned),
            place: None,
            away: None,
        }
    }

    #[test]
    fn a_few_letters_find_an_operation_and_enter_does_it() {
        let mut finder = Finder::new("Help", vec![entry(Act::Quit, None), entry(Act::ImagesKubeadm, None)]);
        "kubead".chars().for_each(|c| drop(press(&mut finder, Key::char(c))));
        assert!(matches!(press(&mut finder, Key::plain(Code::Enter)), Reply::Do(Act::ImagesKubeadm)));
    }

    fn found(typed: &str) -> Vec<&'static str> {
        let acts = crate::actions::ACTIONS.iter().filter(|row| !row.keys.is_empty());
        let mut finder = Finder::new("Help", acts.map(|row| entry(row.name, None)).collect());
        finder.paste(typed);
        finder.shown.iter().map(|at| finder.entries[*at].act.row().id).collect()
    }

    #[test]
    fn whole_words_come_before_parts_and_letters_apart_only_where_nothing_has_them() {
        assert_eq!(found("eject"), ["media.eject"]);
        assert_eq!(found("unmount"), ["media.mount", "media.eject"]);
        assert_eq!(found("F4"), ["basic"]);
        assert_eq!(found("kubeadm"), ["images.kubeadm"]);
        assert_eq!(found("kubedm"), ["images.kubeadm"], "a slip of the fingers");
        assert_eq!(found("plattforms"), ["images.platforms"]);
        assert_eq!(found("exit"), ["quit"], "as it is called elsewhere");
        assert_eq!(found("delete"), found("remove"));
        assert_eq!(found("expire"), ["assemble.edit"]);
        assert!(found("usb").contains(&"media.list"));
        for nonsense in ["zzzz", "foo", "xyzzy", "qux", "asdf"] {
            assert_eq!(found(nonsense), [""; 0], "{nonsense}");
        }
        let sign = found("sign");
        assert_eq!(sign[0], "sign");
        for id in &sign {
            let row = Act::by_id(id).unwrap().row();
            let all = format!("{} {} {}", row.title, row.id, row.doc).to_lowercase();
            assert!(all.contains("sign"), "{id} has nothing to do with it");
        }
    }

    #[test]
    fn what_is_had_elsewhere_is_found_by_its_words_after_what_is_had_here() {
        let away = Entry { away: Some("on Verify".to_owned()), ..entry(Act::KeyTrust, None) };
        let mut finder = Finder::new("Commands", vec![away, entry(Act::BundleTrust, None)]);
        assert_eq!(finder.shown().collect::<Vec<_>>(), [Act::BundleTrust]);
        finder.paste("trust");
        assert_eq!(finder.shown().collect::<Vec<_>>(), [Act::BundleTrust, Act::KeyTrust]);
        assert_eq!(finder.entries[0].doc(), "on Verify: Trust a public key to sign bundles");
    }

    #[test]
    fn what_is_typed_is_cleared_before_help_closes() {
        let mut finder = Finder::new("Help", vec![entry(Act::Quit, None), entry(Act::ImagesKubeadm, None)]);
        press(&mut finder, Key::char('k'));
        assert_eq!(finder.keys()[1], (Act::Back, "show all"));
        assert!(matches!(press(&mut finder, Key::plain(Code::Esc)), Reply::Stay));
        assert_eq!((finder.typed.value(), finder.rows()), ("", 2));
        assert_eq!(finder.keys()[1], (Act::Back, "close"), "and it is said what Esc does");
        assert!(matches!(press(&mut finder, Key::plain(Code::Esc)), Reply::Closed));
    }

    #[test]
    fn its_first_and_last_rows_are_a_key_away_and_those_below_are_counted() {
        let acts = crate::actions::ACTIONS.iter().filter(|row| !row.keys.is_empty());
        let mut finder = Finder::new("Help", acts.map(|row| entry(row.name, None)).collect());
        let last = finder.rows() - 1;
        let area = Rect::new(0, 0, 80, 24);
        let look = Look {
            theme: crate::config::theme::Theme::built_in("mono").unwrap(),
            depth: crate::config::theme::Depth::None,
            unicode: true,
        };
        let said = |finder: &Finder| {
            let mut buffer = Buffer::empty(area);
            finder.draw(area, &look, &crate::dialogs::testing::keymap(), &mut buffer);
            buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect::<String>()
        };
        assert!(said(&finder).contains(" more below "));
        press(&mut finder, Key::plain(Code::End));
        assert_eq!(finder.list.row(), Some(last));
        assert!(!said(&finder).contains(" more below "));
        press(&mut finder, Key::plain(Code::Home));
        assert_eq!(finder.list.row(), Some(0));
    }

    #[test]
    fn what_cannot_be_done_says_why_instead() {
        let mut finder = Finder::new("Help", vec![entry(Act::Pack, Some("no medium is chosen"))]);
        assert!(matches!(press(&mut finder, Key::plain(Code::Enter)), Reply::Stay));
        assert_eq!(finder.refused.as_deref(), Some("no medium is chosen"));
    }

    #[test]
    fn a_long_reason_is_read_whole() {
        let reason = "nothing is packed yet: 4 does that; an earlier bundle can be taken once its medium is chosen by 3";
        let mut finder = Finder::new("Commands", vec![entry(Act::Pack, Some(reason))]);
        press(&mut finder, Key::plain(Code::Enter));
        let look = Look {
            theme: crate::config::theme::Theme::built_in("mono").unwrap(),
            depth: crate::config::theme::Depth::None,
            unicode: true,
        };
        let area = Rect::new(0, 0, 80, 24);
        let mut buffer = Buffer::empty(area);
        finder.draw(area, &look, &crate::dialogs::testing::keymap(), &mut buffer);
        let rows =
            buffer.content.chunks(80).map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
        let said: Vec<String> = rows.map(|row| row.trim_matches([' ', '│']).to_owned()).collect();
        assert!(said.join(" ").contains(reason), "{said:#?}");
    }
}
