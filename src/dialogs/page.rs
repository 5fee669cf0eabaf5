//! Text to read: scrolled, copied, nothing to answer.

use std::cell::{Cell, RefCell};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::{Reply, Window, hints};
use crate::actions::Act;
use crate::config::key::Key;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::shell::shell_lines;
use crate::domain::text;
pub use crate::widgets::line::wrap;
use crate::widgets::look::Look;
use crate::widgets::{line, popup};

/// A page.
#[derive(Debug)]
pub struct Page {
    title: String,
    lines: Vec<(String, Role)>,
    from: Cell<usize>,
    /// The lowest place to begin at, once it was drawn.
    last: Cell<Option<usize>>,
    /// How many lines were drawn.
    room: Cell<usize>,
    /// The columns it was folded for, and the lines then.
    folded: RefCell<(usize, Vec<(String, Role)>)>,
    copy: Option<String>,
    /// The words of a command that stands above the lines.
    command: Option<Vec<String>>,
    /// Whether it stands in the place of a question that is over.
    over: bool,
}

impl Page {
    /// A page of lines.
    pub fn new(title: &str, lines: Vec<(String, Role)>) -> Self {
        Self {
            title: title.to_owned(),
            lines,
            from: Cell::new(0),
            last: Cell::new(None),
            room: Cell::new(0),
            folded: RefCell::default(),
            copy: None,
            command: None,
            over: false,
        }
    }

    /// Stands where something was asked that is over: a key that was meant for that lands here, and does no harm.
    pub fn over(title: &str, lines: impl IntoIterator<Item = String>) -> Self {
        Self { over: true, ..Self::plain(title, lines) }
    }

    /// Whether it stands in the place of a question that is over.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// A page of plain lines.
    pub fn plain(title: &str, lines: impl IntoIterator<Item = String>) -> Self {
        Self::new(title, lines.into_iter().map(|line| (line, Role::Text)).collect())
    }

    /// With a text that `c` copies.
    #[must_use]
    pub fn copying(mut self, text: String) -> Self {
        self.copy = Some(text);
        self
    }

    /// Below a command, on lines that a shell takes as they are. The page has no frame at its sides then: what the
    /// terminal selects of it is the command alone.
    #[must_use]
    pub fn below_command(mut self, words: Vec<String>) -> Self {
        self.command = Some(words);
        self
    }

    /// Folds the lines where they were not folded for as many columns before.
    fn fold(&self, columns: usize) {
        let (before, folded) = &mut *self.folded.borrow_mut();
        if *before == columns {
            return;
        }
        *before = columns;
        let fold = |(words, role): &(String, Role)| {
            wrap(&text::shown(words), columns).into_iter().map(|piece| (piece, *role)).collect::<Vec<_>>()
        };
        let command = self.command.iter().flat_map(|words| shell_lines(words, columns));
        let command = command.map(|line| (text::shown(&line).into_owned(), Role::Text));
        *folded = command.chain(self.lines.iter().flat_map(fold)).collect();
    }
}

impl Window for Page {
    fn acts(&self) -> Vec<Act> {
        if self.over {
            return vec![Act::Take, Act::Back];
        }
        let mut acts =
            vec![Act::Up, Act::Down, Act::PageUp, Act::PageDown, Act::Further, Act::First, Act::Last];
        acts.extend(self.copy.is_some().then_some(Act::Copy));
        acts.extend([Act::Take, Act::Done, Act::Back]);
        acts
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        let copy = self.copy.is_some().then_some((Act::Copy, "copy"));
        std::iter::once((Act::Back, "close")).chain(copy).collect()
    }

    fn types(&self, key: Key) -> bool {
        // It may be one of a passphrase.
        self.over && key.is_letter()
    }

    fn act(&mut self, act: Act) -> Reply {
        let from = self.from.get();
        // The last line that was read stays in sight.
        let page = self.room.get().saturating_sub(1).max(1);
        let to = match act {
            Act::Take | Act::Done | Act::Back => return Reply::Closed,
            Act::Copy => return self.copy.clone().map_or(Reply::Stay, Reply::Copy),
            Act::Up => from.saturating_sub(1),
            Act::Down => from.saturating_add(1),
            Act::PageUp => from.saturating_sub(page),
            Act::PageDown | Act::Further => from.saturating_add(page),
            Act::First => 0,
            Act::Last => usize::MAX,
            _ => from,
        };
        // Where it was folded last; before that, there is at least a row for each line.
        self.from.set(to.min(self.last.get().unwrap_or(self.lines.len())));
        Reply::Stay
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        let bare = self.command.is_some();
        let columns = if bare { area.width } else { area.width.saturating_sub(4).min(110) };
        // Without a frame the last column stays free, where terminals join lines.
        let room = columns.saturating_sub(if bare { 1 } else { 4 });
        self.fold(usize::from(room).max(1));
        let (_, folded) = &*self.folded.borrow();
        let wanted = u16::try_from(folded.len()).unwrap_or(u16::MAX).saturating_add(4);
        let rows = wanted.min(area.height.saturating_sub(2));
        let frame = if bare { popup::band } else { popup::popup };
        let inner = frame(&self.title, (columns, rows), area, look, buffer);
        let body = Rect { height: inner.height.saturating_sub(2), ..inner };
        let room = usize::from(body.height);
        let last = folded.len().saturating_sub(room);
        self.last.set(Some(last));
        self.room.set(room);
        let from = self.from.get().min(last);
        self.from.set(from);
        for (at, (words, role)) in (0u16..).zip(folded.iter().skip(from).take(room)) {
            Line::styled(words.clone(), look.style(*role)).render(line::row(body, at), buffer);
        }
        let (to, all) = (from + room, folded.len());
        let more = match () {
            () if all <= room => String::new(),
            () if to < all => format!("   {to}/{all} lines; more: {}", keymap.first(Act::PageDown)),
            () => format!("   {all}/{all} lines; {} scrolls back", keymap.first(Act::PageUp)),
        };
        let words = format!("{}{more}", hints(keymap, &self.keys()));
        line::words(&words, look.style(Role::Dim), line::row(inner, inner.height.saturating_sub(1)), buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::Code;
    use crate::dialogs::testing::{keymap, press};

    #[test]
    fn the_end_is_gone_to_and_left_again_also_before_it_was_drawn() {
        let mut page = Page::plain("Log", (0..40).map(|number| number.to_string()));
        for key in [Key::char('G'), Key::char('j'), Key::plain(Code::PageDown), Key::char('k')] {
            press(&mut page, key);
        }
        assert_eq!(page.from.get(), 39);
        let area = Rect::new(0, 0, 60, 16);
        let look = Look {
            theme: crate::config::theme::Theme::built_in("mono").unwrap(),
            depth: crate::config::theme::Depth::None,
            unicode: true,
        };
        page.draw(area, &look, &keymap(), &mut Buffer::empty(area));
        let last = page.from.get();
        press(&mut page, Key::char('j'));
        assert_eq!(page.from.get(), last);
        press(&mut page, Key::char('k'));
        assert_eq!(page.from.get(), last - 1);
        press(&mut page, Key::char('g'));
        // Sixteen rows: a row free above and below, the frame, and the keys with a blank row above them.
        for (code, from) in [(Code::PageDown, 9), (Code::PageDown, 18), (Code::PageUp, 9)] {
            press(&mut page, Key::plain(code));
            page.draw(area, &look, &keymap(), &mut Buffer::empty(area));
            assert_eq!(page.from.get(), from, "a page less one line");
        }
    }
}
