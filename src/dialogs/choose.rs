//! Offers a list to choose from: filtered as one types, one row or several marked ones.

mod cells;

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::input::Check;
use super::page::wrap;
use super::{Answer, Question, Reply, Window, hints, way};
use crate::actions::Act;
use crate::config::key::{Code, Key};
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::text;
use crate::widgets::list::{List, Move};
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};
use crate::widgets::{edit, line, popup};

/// Rows that the note under the cursor takes below the list at most.
const NOTES: usize = 3;
/// Words above the names.
const HEADING: &str = "type to filter";

/// A row that can be chosen.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What is to be said about it.
    pub note: String,
}

impl Item {
    /// A row with a note.
    pub fn new(name: impl Into<String>, note: impl Into<String>) -> Self {
        Self { name: name.into(), note: note.into() }
    }
}

/// A list to choose from.
#[derive(Debug)]
pub struct Choose {
    /// Who asks.
    pub question: Question,
    title: String,
    items: Vec<Item>,
    /// What is filtered: names and notes in lower case, made once.
    lower: Vec<String>,
    notes: bool,
    list: List,
    marked: Option<BTreeSet<usize>>,
    or_cursor: bool,
    /// Whether marks were set or taken away: from then on they alone count.
    touched: bool,
    or_typed: Option<Check>,
    /// Why what is typed was not taken.
    refused: Option<String>,
    empty: String,
}

impl Choose {
    /// One of these; the cursor stands on the first.
    pub fn new(question: impl Into<Question>, title: &str, items: Vec<Item>) -> Self {
        let mut choose = Self {
            question: question.into(),
            title: title.to_owned(),
            lower: items.iter().map(|item| format!("{} {}", item.name, item.note).to_lowercase()).collect(),
            notes: items.iter().any(|item| !item.note.is_empty()),
            items,
            list: List::default(),
            marked: None,
            or_cursor: false,
            touched: false,
            or_typed: None,
            refused: None,
            empty: "nothing here".to_owned(),
        };
        choose.refresh();
        choose
    }

    /// Several can be marked; these are from the start.
    #[must_use]
    pub fn several(mut self, marked: impl IntoIterator<Item = usize>) -> Self {
        self.marked = Some(marked.into_iter().collect());
        self
    }

    /// What is typed is an answer of its own, where no row has it and this lets it through.
    #[must_use]
    pub const fn or_typed(mut self, check: Check) -> Self {
        self.or_typed = Some(check);
        self
    }

    /// Where none is marked nor was, the row under the cursor is the one that is meant.
    #[must_use]
    pub const fn or_cursor(mut self) -> Self {
        self.or_cursor = true;
        self
    }

    /// With the cursor on this row.
    #[must_use]
    pub fn at(mut self, row: usize) -> Self {
        self.list.select(row);
        self
    }

    /// What is said where there is nothing to choose.
    #[must_use]
    pub fn or_say(mut self, words: &str) -> Self {
        words.clone_into(&mut self.empty);
        self
    }

    fn refresh(&mut self) {
        self.refused = None;
        let lower = &self.lower;
        self.list.narrow(lower.len(), |row| &lower[row]);
    }

    /// Whether several can be marked.
    pub const fn is_several(&self) -> bool {
        self.marked.is_some()
    }

    /// How many rows are shown.
    pub fn rows(&self) -> usize {
        self.list.visible().len()
    }

    /// The names of the rows that are shown.
    pub fn shown(&self) -> impl Iterator<Item = &str> {
        self.list.visible().iter().filter_map(|row| self.items.get(*row)).map(|item| item.name.as_str())
    }

    /// Whether what is typed can be an answer of its own.
    pub const fn takes_typed(&self) -> bool {
        self.or_typed.is_some() || self.items.is_empty()
    }

    /// Whether Enter takes what is typed: one is to be chosen, and no row has it.
    pub fn takes_own(&self) -> bool {
        let typed = !self.list.filter.value().trim().is_empty();
        typed && self.rows() == 0 && self.offers_own()
    }

    /// Whether one is to be chosen, or something else typed.
    pub const fn offers_own(&self) -> bool {
        self.or_typed.is_some() && self.marked.is_none()
    }

    /// Why what is typed was not taken.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Shows a number before each row.
    pub const fn number_rows(&mut self) {
        self.list.numbered = true;
    }

    fn mark(&mut self) {
        if let (Some(marked), Some(row)) = (&mut self.marked, self.list.row())
            && !marked.remove(&row)
        {
            marked.insert(row);
        }
        self.touched = true;
        self.list.go(Move::Down);
    }

    /// What leaving it does first.
    fn back(&self) -> &'static str {
        if self.list.filter.value().is_empty() { "cancel" } else { "show all" }
    }

    /// Whether Enter takes the row under the cursor although it is not marked.
    fn takes_cursor(&self) -> bool {
        self.or_cursor && !self.touched
    }

    fn entered(&mut self) -> Reply {
        let rows: Vec<usize> = match (&self.marked, self.list.row()) {
            (Some(marked), Some(row)) if marked.is_empty() && self.takes_cursor() => vec![row],
            // Where several can be marked, what is marked counts and the cursor alone does not.
            (Some(marked), _) => marked.iter().copied().collect(),
            (None, Some(row)) => vec![row],
            (None, None) => {
                let typed = self.list.filter.value().trim().to_owned();
                let Some(check) = self.or_typed else { return Reply::Stay };
                return match check(&typed) {
                    Ok(()) => Reply::Answered(self.question, Answer::Text(typed)),
                    Err(reason) => {
                        self.refused = Some(reason);
                        Reply::Stay
                    }
                };
            }
        };
        Reply::Answered(self.question, Answer::Rows(rows))
    }
}

impl Window for Choose {
    fn acts(&self) -> Vec<Act> {
        let mut acts = vec![Act::Up, Act::Down, Act::PageUp, Act::PageDown, Act::First, Act::Last];
        acts.extend(self.marked.is_some().then_some(Act::Mark));
        acts.extend([Act::Take, Act::Back]);
        acts
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        let mark = self.marked.is_some().then_some((Act::Mark, "mark"));
        mark.into_iter().chain([(Act::Take, "select"), (Act::Back, self.back())]).collect()
    }

    fn types(&self, key: Key) -> bool {
        // A blank marks, and so it is none of the filter's.
        key.is_letter() && !(self.marked.is_some() && key.code == Code::Char(' '))
    }

    fn act(&mut self, act: Act) -> Reply {
        match act {
            Act::Back if self.list.clear_filter() => self.refresh(),
            Act::Back => return Reply::Closed,
            Act::Take => return self.entered(),
            Act::Mark => self.mark(),
            act => way(act).into_iter().for_each(|way| self.list.go(way)),
        }
        Reply::Stay
    }

    fn typed(&mut self, key: Key) -> Reply {
        if edit::key(&mut self.list.filter, key) {
            self.refresh();
        }
        Reply::Stay
    }

    fn question(&self) -> Option<Question> {
        Some(self.question)
    }

    fn paste(&mut self, text: &str) {
        edit::paste(&mut self.list.filter, text);
        self.refresh();
    }

    fn click(&mut self, row: u16) {
        self.list.click(row);
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let columns = area.width.saturating_sub(4).min(100);
        let notes = self.foot_rows(columns);
        let rows = u16::try_from(self.items.len()).unwrap_or(u16::MAX).saturating_add(6 + notes);
        let size = (columns, rows.clamp(9, area.height.saturating_sub(2).max(9)));
        let inner = popup::popup(&self.title, size, area, look, buffer);
        edit::draw(&self.list.filter, Rect { height: 1.min(inner.height), ..inner }, look, buffer);
        let body = Rect { height: inner.height.saturating_sub(2 + notes), ..line::below(inner, 1) };
        let foot = line::below(inner, inner.height.saturating_sub(1 + notes));
        if self.items.is_empty() {
            line::words(&self.empty, look.style(Role::Dim), line::row(body, 1), buffer);
        } else if self.list.visible().is_empty() && self.or_typed.is_some() {
            self.unlisted(body, look, buffer);
        } else {
            self.rows_in(body, foot, look, buffer);
        }
        let take = match self.marked.as_ref().map(BTreeSet::len) {
            None => "select".to_owned(),
            Some(0) if self.takes_cursor() => "select this one".to_owned(),
            Some(0) => "select none".to_owned(),
            Some(marked) => format!("select {marked} marked"),
        };
        let keys = [(Act::Mark, "mark"), (Act::Take, take.as_str()), (Act::Back, self.back())];
        let keys = hints(keymap, if self.marked.is_some() { &keys } else { &keys[1..] });
        let count = self.list.count().map_or(String::new(), |count| format!("   {count}"));
        let words = format!("{keys}{count}");
        line::words(&words, look.style(Role::Dim), line::row(inner, inner.height.saturating_sub(1)), buffer);
    }
}

impl Choose {
    /// The rows; a note that was cut or left away stands in full at the foot, once it is under the cursor.
    fn rows_in(&self, area: Rect, foot: Rect, look: &Look, buffer: &mut Buffer) {
        let marked = |row: usize| self.marked.as_ref().is_some_and(|marked| marked.contains(&row));
        let row = |row: usize| Row {
            marked: marked(row),
            values: vec![
                Value::plain(self.items[row].name.clone()),
                Value::styled(self.items[row].note.clone(), Role::Dim),
            ],
        };
        let (name, note) = self.cells(self.room(area.width));
        let first = Column::left(HEADING, u16::try_from(name).unwrap_or(0));
        let both = [first, Column::left("", 0)];
        table(if note > 0 { &both } else { &both[..1] }, &self.list, row, area, look, buffer);
        let item = self.list.row().and_then(|row| self.items.get(row));
        if let Some(words) = item.and_then(|item| self.cut(item, area.width)) {
            let words = line::lines(&words, (usize::from(foot.width), NOTES));
            for (at, words) in (0u16..).zip(words) {
                line::words(&words, look.style(Role::Dim), line::row(foot, at), buffer);
            }
        }
    }

    /// Nothing has what is typed: why that is no answer either, and what there is.
    fn unlisted(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        let (words, role) = match &self.refused {
            Some(reason) => (format!("x {reason}"), Role::Fail),
            None => ("no match; what you typed is used as it is".to_owned(), Role::Dim),
        };
        let said = wrap(&text::shown(&words), usize::from(area.width)).into_iter().take(3);
        let names = self.items.iter().map(|item| (format!("  {}", item.name), Role::Dim));
        for (at, (words, role)) in (0..area.height).zip(said.map(|words| (words, role)).chain(names)) {
            line::words(&words, look.style(role), line::row(area, at), buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogs::testing::press;

    fn choose() -> Choose {
        let items = ["default", "light", "mono"].iter().map(|name| Item::new(*name, "")).collect();
        Choose::new(Act::Theme, "Theme", items)
    }

    fn rows(reply: Reply) -> Vec<usize> {
        let Reply::Answered(_, Answer::Rows(rows)) = reply else { panic!("no rows: {reply:?}") };
        rows
    }

    #[test]
    fn typing_filters_and_enter_takes_the_row_under_the_cursor() {
        let mut choose = choose();
        "mo".chars().for_each(|c| drop(press(&mut choose, Key::char(c))));
        assert_eq!(rows(press(&mut choose, Key::plain(Code::Enter))), [2]);
    }

    #[test]
    fn what_no_row_has_can_be_an_answer_of_its_own() {
        let check = |text: &str| if text.starts_with('v') { Ok(()) } else { Err("no v".to_owned()) };
        let mut choose = choose().or_typed(check);
        "x1.31.2".chars().for_each(|c| drop(press(&mut choose, Key::char(c))));
        assert!(matches!(press(&mut choose, Key::plain(Code::Enter)), Reply::Stay));
        assert_eq!((choose.refused.as_deref(), choose.list.filter.value()), (Some("no v"), "x1.31.2"));
        press(&mut choose, Key::ctrl('u'));
        "v1.31.2".chars().for_each(|c| drop(press(&mut choose, Key::char(c))));
        let Reply::Answered(_, Answer::Text(typed)) = press(&mut choose, Key::plain(Code::Enter)) else {
            panic!()
        };
        assert_eq!(typed, "v1.31.2");
    }

    #[test]
    fn where_the_last_mark_was_taken_away_no_row_is_meant() {
        let unmark = || {
            let mut choose = choose().several([0]).or_cursor();
            press(&mut choose, Key::char(' '));
            press(&mut choose, Key::plain(Code::Enter))
        };
        assert_eq!(rows(unmark()), [0; 0]);
        let mut none = choose().several([]).or_cursor();
        assert_eq!(rows(press(&mut none, Key::plain(Code::Enter))), [0]);
    }

    #[test]
    fn notes_have_all_that_the_names_leave_and_escape_says_what_it_does() {
        let note = "a note that is longer than half of the room that there is for both";
        let items = vec![Item::new("one", note), Item::new("the second", "")];
        let mut choose = Choose::new(Act::Theme, "Theme", items);
        assert_eq!(choose.cells(75), (14, 59));
        assert_eq!(choose.keys()[1], (Act::Back, "cancel"));
        press(&mut choose, Key::char('o'));
        assert_eq!(choose.keys()[1], (Act::Back, "show all"));
    }

    #[test]
    fn marks_survive_the_filter() {
        let mut choose = choose().several([0]);
        "mono".chars().for_each(|c| drop(press(&mut choose, Key::char(c))));
        press(&mut choose, Key::char(' '));
        assert!(matches!(press(&mut choose, Key::plain(Code::Esc)), Reply::Stay));
        assert_eq!(rows(press(&mut choose, Key::plain(Code::Enter))), [0, 2]);
    }
}
