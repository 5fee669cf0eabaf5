//! The state as plain lines: what a screen or a dialog shows, without its frame, and what can be typed then.

use std::collections::HashSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answer::{Offer, Prompt};
use crate::actions::Act;
use crate::dialogs::{Choose, Dialog, Question};
use crate::domain::text;
use crate::tui::app::{App, SMALLEST};
use crate::tui::model::Place;
use crate::tui::offer::STEPS;
use crate::widgets::edit::SELECTED;
use crate::widgets::line::wrap;
use crate::widgets::list;

/// Columns that a state is drawn in at most.
const COLUMNS: u16 = 80;
/// Rows that a state is drawn in.
const STATE: u16 = 44;
/// Rows of a state that are not said as they stand: the rule and the status row, which are drawn apart, and the footer.
const BELOW: usize = 3;
/// Rows that what is said of a screen is folded to at most.
const SAID: u16 = 24;
/// Rows that a dialog is drawn in: pages are printed whole.
const DIALOG: u16 = 400;

impl App {
    /// What is asked for now.
    pub(super) fn prompt(&self) -> Prompt {
        match self.dialogs.last() {
            Some(Dialog::Input(_) | Dialog::Path(_)) => Prompt::Line,
            Some(Dialog::Confirm(confirm)) => match confirm.answers() {
                None => Prompt::Name,
                Some(answers) => Prompt::Confirm(answers.to_vec()),
            },
            Some(Dialog::Choose(choose)) if choose.is_several() => Prompt::Several(choose.rows()),
            Some(Dialog::Choose(choose)) => Prompt::One(choose.rows()),
            Some(Dialog::Finder(finder)) => Prompt::One(finder.rows()),
            Some(Dialog::Secret(_)) => Prompt::Secret,
            Some(Dialog::Page(_) | Dialog::Log(_) | Dialog::Wait(_)) => Prompt::Wait,
            None => {
                let list = self.screen().and_then(|screen| screen.view());
                if list.is_some_and(|list| list.typing) {
                    return Prompt::Filter;
                }
                let key = |act| self.model.keymap.first(act);
                Prompt::Screen(Offer {
                    rows: list.map_or(0, |list| list.numbers().count()),
                    acts: self.hints().into_iter().map(|hint| hint.key).collect(),
                    names: self.names(),
                    help: key(Act::Help),
                    quit: key(Act::Quit),
                    references: (self.model.place == Place::Images).then(|| self.model.key(Act::ImagesAdd)),
                })
            }
        }
    }

    /// The operations of the menu by their words, and the steps by theirs.
    fn names(&self) -> Vec<(String, String)> {
        let menu = self.hints().into_iter().map(|hint| (hint.word.to_lowercase(), hint.key));
        let steps = STEPS.iter().filter(|_| self.model.place.side().is_some());
        let step = |act: &Act| (act.row().title.to_owned(), self.model.keymap.first(*act));
        menu.chain(steps.map(step)).filter(|(_, key)| !key.is_empty()).collect()
    }

    /// What each number means now, the rows first: equal where it is the same row or operation.
    pub(super) fn meanings(&self) -> Vec<u64> {
        match self.dialogs.last() {
            Some(Dialog::Choose(choose)) => choose.shown().map(|name| list::id(&name)).collect(),
            Some(Dialog::Finder(finder)) => finder.shown().map(|act| list::id(&act)).collect(),
            Some(_) => Vec::new(),
            None => {
                let place = self.model.place;
                let rows = self.screen().and_then(|screen| screen.view()).map(list::List::names);
                let acts = self.hints().into_iter().map(|hint| list::id(&hint.key));
                rows.into_iter().flatten().map(|row| list::id(&(place, row))).chain(acts).collect()
            }
        }
    }

    /// Whether references are asked for, one a line.
    pub(super) fn wants_references(&self) -> bool {
        let asked = Some(Question::from(Act::ImagesAdd));
        matches!(self.dialogs.last(), Some(Dialog::Input(input)) if Some(input.question) == asked)
    }

    /// Whether what is filtered by leaves no row.
    pub(super) fn has_no_match(&self) -> bool {
        match self.dialogs.last() {
            Some(Dialog::Choose(choose)) => choose.rows() == 0 && !choose.takes_typed(),
            Some(Dialog::Finder(finder)) => finder.rows() == 0,
            _ => false,
        }
    }

    /// Has every screen show its rows with numbers, and nothing else named by one.
    pub(super) fn number_rows(&mut self) {
        for list in self.screens.values_mut().filter_map(|screen| screen.list()) {
            list.numbered = true;
        }
        self.model.keymap = std::mem::take(&mut self.model.keymap).numbered();
    }

    /// Whether a dialog waits for an answer.
    pub(super) fn asks(&self) -> bool {
        !self.dialogs.is_empty()
    }

    /// Whether a page is to be read.
    pub(super) fn reads(&self) -> bool {
        matches!(self.dialogs.last(), Some(Dialog::Page(_) | Dialog::Log(_)))
    }

    /// Puts the cursor on a row of those that are shown.
    pub(super) fn select_row(&mut self, row: usize) {
        self.on_screen(|screen, _| screen.list().map(|list| list.nth(row)));
    }

    /// The state as lines; `whole` with what comes and goes by itself, and with the operations.
    pub(super) fn plain_text(&mut self, whole: bool) -> String {
        match self.dialogs.last_mut() {
            Some(Dialog::Choose(choose)) => choose.number_rows(),
            Some(Dialog::Finder(finder)) => finder.number_rows(),
            Some(Dialog::Input(input)) => input.on_plain_lines(),
            Some(_) | None => {}
        }
        let columns = self.size().0.clamp(SMALLEST.0, COLUMNS);
        let drawn = |rows: u16, draw: &dyn Fn(&mut Buffer)| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
            draw(&mut buffer);
            let rows = buffer.content.chunks(usize::from(columns));
            rows.map(|cells| cells.iter().map(|cell| cell.symbol()).collect()).collect::<Vec<String>>()
        };
        let rows = if self.asks() { DIALOG } else { STATE };
        let mut lines = drawn(rows, &|buffer| self.draw_plain(buffer));
        if self.asks() {
            self.leave_out_keys(&mut lines);
        } else {
            // The footer is said as a menu; what the status row says may go by itself.
            lines.truncate(lines.len() - BELOW);
            lines.extend(drawn(SAID, &|buffer| self.draw_said(buffer)).into_iter().filter(|_| whole));
        }
        let mut text: String = lines.iter().filter_map(|line| unframed(line)).collect();
        if whole {
            text.push_str(&self.menu());
        }
        text
    }

    /// Takes away what a dialog says of its keys: what can be typed on lines is said below it.
    fn leave_out_keys(&self, lines: &mut Vec<String>) {
        lines.retain(|line| !line.contains(SELECTED));
        let Some(dialog) = self.dialogs.last().filter(|dialog| !matches!(dialog, Dialog::Wait(_))) else {
            return;
        };
        let named: Vec<String> = dialog
            .keys()
            .iter()
            .map(|(act, word)| format!("{} {word}", self.model.keymap.first(*act)))
            .collect();
        if let Some(at) = lines.iter().rposition(|line| named.iter().any(|named| line.contains(named))) {
            lines.remove(at);
        }
    }

    /// What can be typed now.
    pub(super) fn menu(&self) -> String {
        let words = match self.prompt() {
            Prompt::Screen(offer) => {
                let number = |at: usize| offer.rows + at + 1;
                let hint = |(at, hint): (usize, crate::widgets::footer::Hint)| {
                    format!("{:>4}  {:<6} {}\n", number(at), hint.key, hint.word)
                };
                let all: String = self.hints().into_iter().enumerate().map(hint).collect();
                let alone =
                    offer.alone().map_or_else(String::new, |at| format!("; Enter alone is {}", number(at)));
                // The rows of the start screen are operations themselves.
                let rows = match offer.rows > 0 && self.model.place != Place::Start {
                    true => "; the number of a row only goes to it",
                    false => "",
                };
                return format!("Type a number or a key, then Enter{alone}{rows}:\n{all}");
            }
            Prompt::Filter => "Type words to filter by, or esc.",
            Prompt::Line => "Type a line; an empty line keeps what is there; esc cancels.",
            Prompt::Name => "Type the name in full; an empty line cancels.",
            Prompt::Confirm(answers) => match answers.as_slice() {
                [answer] => &format!("Type y, yes or {answer:?} to do it; anything else cancels."),
                answers => {
                    let answers: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
                    &format!(
                        "Type y or yes for the first, or {}; anything else cancels.",
                        answers.join(" or ")
                    )
                }
            },
            Prompt::One(_) if self.chooser().is_some_and(Choose::offers_own) => {
                "Type a number, words to filter by, or what no row has, in full; q or an empty line cancels."
            }
            Prompt::One(_) => "Type a number, or words to filter by; q or an empty line cancels.",
            Prompt::Several(_) => "Type numbers to mark or unmark, an empty line to accept, q to cancel.",
            Prompt::Secret => "Type it; it is not shown. An empty line or Ctrl-D cancels, esc does not.",
            Prompt::Wait => return String::new(),
        };
        format!("{words}\n")
    }
}

/// The row of that number, and what was not said before but for other rows.
pub(super) fn news(before: &str, after: &str, number: usize) -> String {
    let old: HashSet<&str> = before.lines().collect();
    let is_row =
        |line: &str| line.split_whitespace().next().is_some_and(|word| word.parse::<usize>().is_ok());
    let own = format!("{number} >");
    let here = |line: &&str| match is_row(line) {
        true => line.trim_start().starts_with(&own),
        false => !old.contains(line),
    };
    after.lines().filter(here).map(|line| format!("{line}\n")).collect()
}

/// A line of a frame without what frames it; nothing where nothing is left.
fn unframed(line: &str) -> Option<String> {
    let line = line.trim_end();
    let bare = line.trim();
    if bare.starts_with('+') && bare.ends_with('+') {
        let title = bare.trim_matches(['+', '-', ' ']);
        return (!title.is_empty()).then(|| format!("-- {title}\n"));
    }
    let inside = bare.strip_prefix('|').and_then(|rest| rest.strip_suffix('|')).map(str::trim_end);
    let words = inside.unwrap_or(line);
    (!words.chars().all(|c| c == '-' || c == ' ')).then(|| format!("{}\n", text::shown(words)))
}

/// Lines that are too wide are folded at words.
pub(super) fn folded(words: &str, columns: u16) -> String {
    let columns = usize::from(columns);
    let fold = |line: &str| match line.strip_suffix('\n') {
        Some(whole) if text::width(whole) > columns => {
            wrap(whole, columns).iter().map(|line| format!("{}\n", line.trim_end())).collect()
        }
        _ => line.to_owned(),
    };
    words.split_inclusive('\n').map(fold).collect()
}

/// Nothing but printable ASCII and line ends.
pub(super) fn ascii(words: &str) -> String {
    let one = |c: char| match c {
        '\n' | ' '..='~' => c,
        '·' => ',',
        _ => '?',
    };
    words.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_named_on_plain_lines_that_does_nothing_there() {
        use std::path::PathBuf;

        use crate::dialogs::choose::Item;
        use crate::dialogs::path::Wanted;
        use crate::dialogs::{Confirm, Finder, Input, Log, Page, Path, Secret};

        let act = Act::Theme;
        let items = || vec![Item::new("one", "a note"), Item::new("two", "")];
        let dialogs: Vec<Dialog> = vec![
            Input::new(act, "Asked", "help").with("text").into(),
            Confirm::new(act, "Sure?", vec!["Words.".into()], "Do it").into(),
            Confirm::new(act, "Sure?", vec!["Words.".into()], "Do it").typed("name").into(),
            Choose::new(act, "One", items()).into(),
            Choose::new(act, "Several", items()).several([0]).into(),
            Secret::new(act, "Passphrase", "for a key").into(),
            Page::plain("Read", ["words".to_owned()]).copying("text".into()).into(),
            Path::new(act, "Where", "help", Wanted::Directory).at("/srv/").into(),
            Finder::new("Help", Vec::new()).into(),
            Log::new(&crate::tui::log::Log::default()).into(),
        ];
        for dialog in dialogs {
            let paths = crate::config::paths::Paths::new(PathBuf::from("/c"), PathBuf::from("/d"));
            let settings = crate::tui::model::Settings {
                paths,
                registry: crate::engine::registry::RegistryOptions::default(),
                configured: crate::engine::registry::RegistryOptions::default(),
                home: None,
                zone: jiff::tz::TimeZone::UTC,
                host: crate::engine::media::Host::default(),
            };
            let model = crate::tui::model::Model::new(settings, jiff::Timestamp::UNIX_EPOCH);
            let theme = crate::config::theme::Theme::built_in("mono").unwrap();
            let look = crate::widgets::look::Look {
                theme,
                depth: crate::config::theme::Depth::None,
                unicode: false,
            };
            let mut app = App::new(model, look, crate::config::keymap::Keymap::default(), (80, 24));
            app.dialogs.push(dialog);
            let text = app.plain_text(true);
            for key in ["Enter ", "Esc ", "Right ", "Tab ", "Space ", "arrows", "c copy"] {
                assert!(!text.contains(key), "{key} in {text}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_wide_is_folded_at_a_word_and_no_other_is_touched() {
        let wide =
            "Type a number or a key, then Enter; Enter alone is 4; the number of a row only goes to it:";
        let words = format!("\n 1 >  nginx   \n{wide}\nairlift> ");
        let lines =
            "Type a number or a key, then Enter; Enter alone is 4; the number of a row only\n  goes to it:";
        assert_eq!(folded(&words, 80), words.replace(wide, lines));
        assert_eq!(folded(&words, 100), words);
    }

    #[test]
    fn of_a_row_that_is_gone_to_no_other_row_is_said_again() {
        let before = "step 1\n 1 >  nginx\n 2    redis\nnginx: amd64\n";
        let after = "step 1\n 1    nginx\n 2 >  redis\nredis: arm64\n";
        assert_eq!(news(before, after, 2), " 2 >  redis\nredis: arm64\n");
        assert_eq!(news(after, after, 2), " 2 >  redis\n", "it is said again where one stands already");
    }
}
