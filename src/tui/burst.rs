//! Keys that come at once: pasted text on a terminal that does not mark it as pasted, told from what is typed ahead.

use std::time::Duration;

use super::app::App;
use super::events::Events;
use super::input;
use super::keys::is_list;
use super::model::Place;
use super::msg::Msg;
use crate::config::key::{Code, Key};

/// How long what comes with a single key is waited for, on lines that hand on one at a time and never mark what is pasted.
pub(super) const ALONE: Duration = Duration::from_millis(10);
/// The same once several came at once: a paste may come in pieces.
const PIECES: Duration = Duration::from_millis(30);
/// Keys that are taken at once at most.
const MOST: usize = 64 * 1024;
/// Characters of a line from which on a screen takes it for pasted.
const LINE: usize = 6;
/// The same without the end of a line.
const WORDS: usize = 12;

/// The character that a key is in pasted text; nothing for keys that no text has.
pub(super) fn character(key: Key) -> Option<char> {
    match key {
        Key { ctrl: false, alt: false, code: Code::Char(c) } => Some(c),
        Key { ctrl: false, alt: false, code: Code::Enter } => Some('\n'),
        Key { ctrl: false, alt: false, code: Code::Tab } => Some('\t'),
        // A line feed, where a terminal sends it as it is.
        Key { ctrl: true, alt: false, code: Code::Char('j') } => Some('\n'),
        _ => None,
    }
}

/// The keys that came with one, `gap` being waited for the second of them, and what came then that is no text.
pub(super) async fn gather(key: Key, gap: Duration, events: &mut Events) -> (Vec<Key>, Option<Msg>) {
    let mut keys = vec![key];
    while keys.len() < MOST {
        let gap = match keys.len() {
            1 => gap,
            _ if is_varied(&keys) => PIECES,
            _ => Duration::ZERO,
        };
        let msg = match events.along(gap).await {
            None => break,
            Some(Some(Ok(event))) => input::message(event),
            Some(Some(Err(_)) | None) => Some(Msg::Lost),
        };
        match msg {
            Some(Msg::Key(key)) if character(key).is_some() => keys.push(key),
            None => {}
            after => return (keys, after),
        }
    }
    (keys, None)
}

/// Whether a run of keys is more than one that is held down.
fn is_varied(keys: &[Key]) -> bool {
    keys.iter().any(|key| Some(key) != keys.first())
}

/// The text that keys which came at once were pasted as; nothing where they are taken as keys. `typing`: they are typed into
/// a line or a filter, where a single line is as good as typed; else they would start operations.
pub(super) fn pasted(keys: &[Key], typing: bool) -> Option<String> {
    // A line may end in both a carriage return and a line feed.
    let line_feed =
        |at: usize| at > 0 && keys[at] == Key::ctrl('j') && keys[at - 1] == Key::plain(Code::Enter);
    let ends = keys.iter().enumerate().filter(|(at, _)| !line_feed(*at));
    let text: String = ends.map(|(_, key)| character(*key)).collect::<Option<_>>()?;
    let lines = text.trim_end_matches('\n').contains('\n');
    let filter = text.starts_with('/') && !lines;
    let least = if text.contains('\n') { LINE } else { WORDS };
    let count = text.trim_end().chars().count();
    let long = count >= least && is_varied(keys);
    // On a slow line Enter and the next key come together: that is no paste of two lines.
    (if typing { lines && count >= LINE } else { long && !filter }).then_some(text)
}

impl App {
    /// As pasted, but that a line which hung and then brought `jjjj` and Enter at once adds no image of that name.
    pub(super) fn burst(&mut self, text: &str) {
        let on_list = self.dialogs.is_empty() && self.model.place == Place::Images && !self.is_typing();
        match on_list && !is_list(text) {
            true => self.say("keys that came at once and name no image; nothing was done with them"),
            false => self.paste(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        let key = |c| match c {
            '\n' => Key::plain(Code::Enter),
            '\t' => Key::plain(Code::Tab),
            c => Key::char(c),
        };
        text.chars().map(key).collect()
    }

    #[test]
    fn a_line_that_ends_in_carriage_return_and_line_feed_is_one_line() {
        let crlf = |text: &str| {
            let both =
                |key| if key == Key::plain(Code::Enter) { vec![key, Key::ctrl('j')] } else { vec![key] };
            keys(text).into_iter().flat_map(both).collect::<Vec<_>>()
        };
        assert_eq!(pasted(&crlf("nginx:1.25\nredis:7\n"), true).as_deref(), Some("nginx:1.25\nredis:7\n"));
        let feeds = [keys("nginx:1.25"), vec![Key::ctrl('j'), Key::ctrl('j')], keys("redis:7")].concat();
        assert_eq!(pasted(&feeds, true).as_deref(), Some("nginx:1.25\n\nredis:7"));
    }

    #[test]
    fn a_burst_is_a_paste_where_it_would_start_operations_and_lines_are_one_everywhere() {
        for (text, screen, typing) in [
            ("nginx:1.25\n", true, false),
            ("nginx:1.25\nredis:7\n", true, true),
            ("docker.io/library/nginx", true, false),
            ("bvv\n", false, false),
            ("jjjjjjjjjjjjjjjjjjjj", false, false),
            ("/redis\n", false, false),
            ("\nq", false, false),
            ("/srv/x\nq\n", true, true),
            ("b", false, false),
        ] {
            let found = [false, true].map(|typing| pasted(&keys(text), typing).is_some());
            assert_eq!(found, [screen, typing], "{text:?}");
        }
        let arrows = [Key::plain(Code::Down); 8].into_iter().chain(keys("nginx:1.25\n")).collect::<Vec<_>>();
        assert_eq!(pasted(&arrows, false), None, "arrows are no text");
    }
}
