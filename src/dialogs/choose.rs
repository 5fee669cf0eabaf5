//! Offers a list to choose from: filtered as one types, one row or several marked ones.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Answer, Question, Reply, Window, hints, way};
use crate::actions::Act;
use crate::config::key::{Code, Key};
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::widgets::list::{List, Move};
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};
use crate::widgets::{edit, line, popup};

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
    or_typed: bool,
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
            or_typed: false,
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

    /// What is typed is an answer of its own, where no row has it.
    #[must_use]
    pub const fn or_typed(mut self) -> Self {
        self.or_typed = true;
        self
    }

    /// Where none is marked, the row under the cursor is the one that is meant.
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
        self.list.go(Move::Down);
    }

    fn entered(&self) -> Reply {
        let rows: Vec<usize> = match (&self.marked, self.list.row()) {
            (Some(marked), Some(row)) if marked.is_empty() && self.or_cursor => vec![row],
            // Where several can be marked, what is marked counts and the cursor alone does not.
            (Some(marked), _) => marked.iter().copied().collect(),
            (None, Some(row)) => vec![row],
            (None, None) if self.or_typed => {
                let typed = self.list.filter.value().trim().to_owned();
                return Reply::Answered(self.question, Answer::Text(typed));
            }
            (None, None) => return Reply::Stay,
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
        let rows = u16::try_from(self.items.len()).unwrap_or(u16::MAX).saturating_add(7);
        let size =
            (area.width.saturating_sub(4).min(100), rows.clamp(9, area.height.saturating_sub(2).max(9)));
        let inner = popup::popup(&self.title, size, area, look, buffer);
        edit::draw(&self.list.filter, false, Rect { height: 1.min(inner.height), ..inner }, look, buffer);
        let body = Rect { height: inner.height.saturating_sub(3), ..line::below(inner, 1) };
        if self.items.is_empty() {
            line::words(&self.empty, look.style(Role::Dim), line::row(body, 1), buffer);
        }
        let marked = |row: usize| self.marked.as_ref().is_some_and(|marked| marked.contains(&row));
        let row = |row: usize| Row {
            marked: marked(row),
            values: vec![
                Value::plain(self.items[row].name.clone()),
                Value::styled(self.items[row].note.clone(), Role::Dim),
            ],
        };
        let one = [Column::left("type to filter", 0)];
        let two = [Column::left("type to filter", 0), Column::left("", 0)];
        table(if self.notes { &two } else { &one }, &self.list, row, body, look, buffer);
        let keys = [(Act::Mark, "mark"), (Act::Take, "take"), (Act::Back, "leave")];
        let keys = hints(keymap, if self.marked.is_some() { &keys } else { &keys[1..] });
        let count = self.list.count().map_or(String::new(), |count| format!("   {count}"));
        let marked = self.marked.as_ref().filter(|marked| !marked.is_empty());
        let marked = marked.map_or(String::new(), |marked| format!("   {} marked", marked.len()));
        let words = format!("{keys}{marked}{count}");
        line::words(&words, look.style(Role::Dim), line::row(inner, inner.height.saturating_sub(1)), buffer);
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
        let mut choose = choose().or_typed();
        "v1.31.2".chars().for_each(|c| drop(press(&mut choose, Key::char(c))));
        let Reply::Answered(_, Answer::Text(typed)) = press(&mut choose, Key::plain(Code::Enter)) else {
            panic!()
        };
        assert_eq!(typed, "v1.31.2");
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
