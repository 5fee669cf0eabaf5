//! State of any list: cursor, filter and the rows that pass it; the rows themselves belong to others.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use ratatui::layout::Rect;
use tui_input::Input;

/// A list's view state. Rows are known by their number in the data it shows.
#[derive(Debug, Default)]
pub struct List {
    visible: Vec<usize>,
    cursor: usize,
    all: usize,
    /// Who the rows were the last time; kept by [`List::follow`] alone.
    ids: Vec<u64>,
    /// Who the rows are, where they are chosen by their numbers.
    names: Vec<u64>,
    moved: bool,
    /// What was filtered by the last time; kept by [`List::narrow`] alone.
    before: Vec<String>,
    /// What is typed to filter by.
    pub filter: Input,
    /// Whether keys go into the filter.
    pub typing: bool,
    /// Whether rows are shown with their numbers, to be chosen by them.
    pub numbered: bool,
    /// Rows that only go on with the one before them; kept by [`List::join`] alone.
    joined: HashSet<usize>,
    /// The row of the screen in which its first row was drawn.
    top: Cell<u16>,
    offset: Cell<usize>,
    page: Cell<usize>,
}

/// A move of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// One row.
    Up,
    /// One row.
    Down,
    /// As many rows as are shown, less one: the last one seen is the first one then.
    PageUp,
    /// The same the other way.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

impl List {
    /// Takes over how many rows there are and which pass the filter; the cursor stays on its row where it can.
    pub fn refresh<'a>(&mut self, count: usize, words: impl Fn(usize) -> Cow<'a, str>) {
        if self.numbered {
            self.names = (0..count).map(|row| id(&words(row))).collect();
        }
        let wanted = self.wanted();
        let passes = |row: &usize| {
            let words = words(*row).to_lowercase();
            wanted.iter().all(|wanted| words.contains(wanted.as_str()))
        };
        let rows: Vec<usize> = match wanted.is_empty() {
            true => (0..count).collect(),
            false => (0..count).filter(passes).collect(),
        };
        self.show(count, rows);
    }

    /// The same over rows that do not change and whose words are in lower case already: where more is typed, only
    /// those are looked at that passed before.
    pub fn narrow<'a>(&mut self, count: usize, words: impl Fn(usize) -> &'a str) {
        let wanted = self.wanted();
        let passes = |row: &usize| wanted.iter().all(|wanted| words(*row).contains(wanted.as_str()));
        let within = |old: &String| wanted.iter().any(|new| new.contains(old.as_str()));
        let rows: Vec<usize> =
            if self.all == count && !self.before.is_empty() && self.before.iter().all(within) {
                self.visible.iter().copied().filter(passes).collect()
            } else if wanted.is_empty() {
                (0..count).collect()
            } else {
                (0..count).filter(passes).collect()
            };
        self.show(count, rows);
        self.before = wanted;
    }

    /// The same over rows that change their places: the cursor stays on its row by who that is, wherever it comes to
    /// stand. With `top` a cursor on the first row stays there: what is new comes up under it.
    pub fn follow<'a>(
        &mut self,
        (count, top): (usize, bool),
        words: impl Fn(usize) -> Cow<'a, str>,
        id: impl Fn(usize) -> u64,
    ) {
        let first = top && self.cursor == 0;
        let under = self.row().and_then(|row| self.ids.get(row)).copied();
        self.ids = (0..count).map(id).collect();
        self.refresh(count, words);
        if self.numbered {
            self.names.clone_from(&self.ids);
        }
        match under.and_then(|under| self.ids.iter().position(|id| *id == under)) {
            _ if first => self.cursor = 0,
            Some(row) => self.select(row),
            None => {}
        }
    }

    fn wanted(&self) -> Vec<String> {
        self.filter.value().split_whitespace().map(str::to_lowercase).collect()
    }

    fn show(&mut self, count: usize, rows: Vec<usize>) {
        let before = self.row();
        self.all = count;
        self.visible = rows;
        let kept = before.and_then(|row| self.visible.binary_search(&row).ok());
        self.cursor = kept.unwrap_or(self.cursor).min(self.visible.len().saturating_sub(1));
    }

    /// The row under the cursor.
    pub fn row(&self) -> Option<usize> {
        self.visible.get(self.cursor).copied()
    }

    /// Puts the cursor on a row, where it is shown.
    pub fn select(&mut self, row: usize) {
        if let Ok(at) = self.visible.binary_search(&row) {
            self.cursor = at;
        }
    }

    /// Takes over which rows only go on with the words of the one before them: they have no number of their own.
    pub fn join(&mut self, goes_on: impl Fn(usize) -> bool) {
        self.joined = (0..self.all).filter(|row| goes_on(*row)).collect();
    }

    /// The rows that pass the filter and have a number, in the order of these.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.visible.iter().copied().filter(|row| !self.joined.contains(row))
    }

    /// The number, from 1, of a row; nothing where it goes on with another.
    pub fn number(&self, row: usize) -> Option<usize> {
        self.numbers().position(|one| one == row).map(|at| at + 1)
    }

    /// Who the rows are that have a number.
    pub fn names(&self) -> impl Iterator<Item = u64> {
        self.numbers().map(|row| self.names.get(row).copied().unwrap_or_default())
    }

    /// Whether somebody moved the cursor or typed a filter.
    pub fn was_moved(&self) -> bool {
        self.moved || self.count().is_some()
    }

    /// The rows that pass the filter.
    pub fn visible(&self) -> &[usize] {
        &self.visible
    }

    /// Moves the cursor.
    pub fn go(&mut self, how: Move) {
        self.moved = true;
        let last = self.visible.len().saturating_sub(1);
        let page = self.page.get().saturating_sub(1).max(1);
        self.cursor = match how {
            Move::Up => self.cursor.saturating_sub(1),
            Move::Down => self.cursor + 1,
            // The rows that are shown go on with the cursor: a page is a page.
            Move::PageUp => {
                self.offset.set(self.offset.get().saturating_sub(page));
                self.cursor.saturating_sub(page)
            }
            Move::PageDown => {
                self.offset.set(self.offset.get() + page);
                self.cursor + page
            }
            Move::First => 0,
            Move::Last => last,
        }
        .min(last);
    }

    /// Puts the cursor on the row that is drawn in that row of the screen; false where there is none.
    pub fn click(&mut self, row: u16) -> bool {
        let at = row.checked_sub(self.top.get()).map(usize::from).filter(|at| *at < self.page.get());
        at.is_some_and(|at| self.put(self.offset.get() + at))
    }

    /// Puts the cursor on the row of that number, from 0; false where there is none.
    pub fn nth(&mut self, number: usize) -> bool {
        let at = self.numbers().nth(number).and_then(|row| self.visible.binary_search(&row).ok());
        at.is_some_and(|at| self.put(at))
    }

    const fn put(&mut self, at: usize) -> bool {
        let there = at < self.visible.len();
        if there {
            self.cursor = at;
            self.moved = true;
        }
        there
    }

    /// The cells before each row of a table: for the cursor, and the number where rows have one.
    pub const fn lead(&self) -> usize {
        if self.numbered { 8 } else { 3 }
    }

    /// Takes the filter away; false where there was none.
    pub fn clear_filter(&mut self) -> bool {
        let was = self.typing || !self.filter.value().is_empty();
        self.typing = false;
        self.filter.reset();
        was
    }

    /// As in `12/340`, while a filter is there.
    pub fn count(&self) -> Option<String> {
        let filtered = self.typing || !self.filter.value().is_empty();
        filtered.then(|| format!("{}/{}", self.visible.len(), self.all))
    }

    /// How many rows are below those that [`List::window`] gave last.
    pub fn more_below(&self) -> usize {
        self.visible.len().saturating_sub(self.offset.get() + self.page.get())
    }

    /// How many rows are above those that [`List::window`] gave last.
    pub const fn more_above(&self) -> usize {
        self.offset.get()
    }

    /// The same as [`List::window`] for a place on the screen, where clicks find its rows from then on.
    pub fn window_in(&self, area: Rect) -> (&[usize], usize) {
        self.top.set(area.y);
        self.window(usize::from(area.height))
    }

    /// The rows to draw in `height` rows, and which of them is under the cursor. Remembers the place, so that the
    /// list moves only when the cursor would leave it.
    pub fn window(&self, height: usize) -> (&[usize], usize) {
        self.page.set(height);
        let last_start = self.visible.len().saturating_sub(height);
        let lowest = (self.cursor + 1).saturating_sub(height);
        let offset = self.offset.get().clamp(lowest, self.cursor.max(lowest)).min(last_start);
        self.offset.set(offset);
        let end = (offset + height).min(self.visible.len());
        (&self.visible[offset..end], self.cursor.saturating_sub(offset))
    }
}

/// Who a row is, made of what tells it from all others.
pub fn id(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["nginx:1.25", "redis:7", "nginx:1.27", "busybox", "etcd"];

    fn list(filter: &str) -> List {
        let mut list = List { filter: Input::new(filter.to_owned()), ..List::default() };
        list.refresh(NAMES.len(), |row| NAMES[row].into());
        list
    }

    #[test]
    fn a_row_that_goes_on_with_another_has_no_number_and_is_none_to_be_chosen() {
        let mut list = list("");
        list.join(|row| row == 1 || row == 2);
        let numbers: Vec<_> = (0..NAMES.len()).map(|row| list.number(row)).collect();
        assert_eq!(numbers, [Some(1), None, None, Some(2), Some(3)]);
        assert!(list.nth(1) && list.row() == Some(3) && !list.nth(3), "{:?}", list.row());
        list.filter = Input::new("nginx".to_owned());
        list.refresh(NAMES.len(), |row| NAMES[row].into());
        assert_eq!((list.numbers().collect::<Vec<_>>(), list.number(0)), (vec![0], Some(1)));
    }

    #[test]
    fn a_filter_keeps_the_rows_with_all_words_and_counts_them() {
        let list = list("NGINX 27");
        assert_eq!((list.visible(), list.count().as_deref()), (&[2][..], Some("1/5")));
    }

    #[test]
    fn a_page_is_the_rows_that_are_shown_less_one() {
        let mut list = List::default();
        list.refresh(40, |_| "".into());
        assert_eq!(list.window(15).0.first(), Some(&0));
        list.go(Move::PageDown);
        assert_eq!((list.window(15).0.first(), list.row()), (Some(&14), Some(14)));
        list.go(Move::PageDown);
        assert_eq!((list.window(15).0.first(), list.row()), (Some(&25), Some(28)), "the last page is full");
        list.go(Move::PageUp);
        assert_eq!((list.window(15).0.first(), list.row()), (Some(&11), Some(14)));
    }

    #[test]
    fn the_cursor_stays_on_its_row_when_the_filter_changes() {
        let mut list = list("");
        list.go(Move::Down);
        list.go(Move::Down);
        list.filter = Input::new("nginx".to_owned());
        list.refresh(NAMES.len(), |row| NAMES[row].into());
        assert_eq!(list.row(), Some(2));
        assert!(list.clear_filter() && !list.clear_filter());
        list.refresh(NAMES.len(), |row| NAMES[row].into());
        assert_eq!(list.row(), Some(2));
    }

    #[test]
    fn the_cursor_follows_its_row_to_another_place() {
        let mut list = List::default();
        let show = |list: &mut List, names: &[&'static str], top| {
            list.follow((names.len(), top), |row| names[row].into(), |row| id(&names[row]));
            list.row().map(|row| names[row])
        };
        assert_eq!(show(&mut list, &["a", "b", "c"], false), Some("a"));
        assert_eq!(show(&mut list, &["c", "b", "a"], false), Some("a"));
        assert_eq!(show(&mut list, &["b", "a"], false), Some("a"));
        assert_eq!(show(&mut list, &["b", "c"], false), Some("c"), "the next one, where it is gone");
        list.go(Move::First);
        assert_eq!(show(&mut list, &["c", "b"], true), Some("c"), "at the top it sees what comes up there");
        assert_eq!(show(&mut list, &["b", "c"], false), Some("c"));
    }

    #[test]
    fn what_is_typed_on_is_looked_for_only_where_it_was_found_before() {
        let tags: Vec<String> = (0..20_000).map(|tag| format!("v1.{}.{}", tag / 100, tag % 100)).collect();
        let mut list = List::default();
        let looks = |list: &mut List, filter: &str| {
            let seen = std::cell::Cell::new(0);
            list.filter = Input::new(filter.to_owned());
            list.narrow(tags.len(), |row| {
                seen.set(seen.get() + 1);
                &tags[row]
            });
            (seen.get(), list.visible().len())
        };
        assert_eq!(looks(&mut list, ""), (0, 20_000));
        assert_eq!(looks(&mut list, "v1.19"), (20_000, 1_100));
        assert_eq!(looks(&mut list, "v1.199"), (1_100, 100));
        assert_eq!(looks(&mut list, "v1.199.7"), (100, 11));
        assert_eq!(looks(&mut list, "v1.19"), (20_000, 1_100), "less is typed: all may pass again");
        assert_eq!(looks(&mut list, ""), (0, 20_000));
    }

    #[test]
    fn moves_stop_at_the_ends_and_an_empty_list_has_no_row() {
        let mut list = list("");
        list.window(2);
        for (how, row) in [
            (Move::Up, 0),
            (Move::PageDown, 1),
            (Move::Last, 4),
            (Move::Down, 4),
            (Move::PageUp, 3),
            (Move::First, 0),
        ] {
            list.go(how);
            assert_eq!(list.row(), Some(row), "{how:?}");
        }
        list.refresh(0, |_| "".into());
        list.go(Move::Last);
        assert_eq!(list.row(), None);
        assert!(list.window(5).0.is_empty());
    }

    #[test]
    fn the_window_moves_only_when_the_cursor_would_leave_it() {
        let mut list = list("");
        assert_eq!(list.window(3), (&[0, 1, 2][..], 0));
        list.go(Move::Last);
        assert_eq!(list.window(3), (&[2, 3, 4][..], 2));
        list.go(Move::Up);
        assert_eq!(list.window(3), (&[2, 3, 4][..], 1));
        list.go(Move::First);
        assert_eq!(list.window(3), (&[0, 1, 2][..], 0));
        assert_eq!(list.window(0).0.len(), 0);
    }
}
