//! Words cut, padded and joined to what a row of cells has room for.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use crate::config::theme::Role;
use crate::domain::text;

use super::look::Look;

/// Untrusted words as they may be shown in `columns`: cleaned, and cut where they are too long.
pub fn fit(words: &str, columns: usize) -> String {
    let clean: Cow<'_, str> = text::shown(words);
    text::cut(&clean, columns).into_owned()
}

/// Untrusted words of a sentence in as many rows as there are: cleaned; all of it where there is room, else `…` at its end.
pub fn lines(words: &str, (columns, rows): (usize, usize)) -> Vec<String> {
    let clean: Cow<'_, str> = text::shown(words);
    let mut lines =
        if text::width(&clean) <= columns { vec![clean.to_string()] } else { wrap(&clean, columns) };
    if lines.len() > rows {
        lines = wrap(&clean, columns.saturating_sub(2));
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            *last = format!("{} …", last.trim_end());
        }
    }
    lines
}

/// Draws words at the top of `area`, cleaned and cut to it.
pub fn words(words: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    if area.height > 0 {
        // A blank at the end of a folded line is none that takes room.
        Line::styled(fit(words.trim_end(), usize::from(area.width)), style).render(row(area, 0), buffer);
    }
}

/// The row of `area` that is `at` from its top; empty below its end.
pub fn row(area: Rect, at: u16) -> Rect {
    if at < area.height {
        Rect { y: area.y + at, height: 1, ..area }
    } else {
        Rect { height: 0, y: area.bottom(), ..area }
    }
}

/// `area` without its first `rows`.
pub fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// A line across.
pub fn rule(area: Rect, look: &Look, buffer: &mut Buffer) {
    if area.height > 0 {
        let line = "─".repeat(usize::from(area.width));
        Line::styled(line, look.style(Role::Border)).render(row(area, 0), buffer);
    }
}

/// Folds at blanks where there are some, else anywhere; continued lines stand two cells in.
pub fn wrap(words: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in words.split_inclusive(' ') {
        let mut word = word.to_owned();
        if text::width(&current) + text::width(word.trim_end()) > columns && !current.trim().is_empty() {
            // What just fits, as a digest does, is worth more in one piece than two cells in.
            let whole = (columns - 1..=columns).contains(&text::width(word.trim_end()));
            lines.push(std::mem::replace(&mut current, if whole { "" } else { "  " }.to_owned()));
        }
        while text::width(&current) + text::width(word.trim_end()) > columns {
            let room = columns.saturating_sub(text::width(&current)).max(1);
            let mut used = 0;
            let cut = word.char_indices().find(|(_, c)| {
                used += text::width(c.encode_utf8(&mut [0; 4]));
                used > room
            });
            let Some((at, _)) = cut.filter(|(at, _)| *at > 0) else { break };
            let rest = word.split_off(at);
            current.push_str(&word);
            lines.push(std::mem::replace(&mut current, "  ".to_owned()));
            word = rest;
        }
        current.push_str(&word);
    }
    lines.push(current.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_sentence_that_is_too_long_the_beginning_is_kept() {
        let words = "not found (HTTP 404 MANIFEST_UNKNOWN: manifest unknown)";
        assert_eq!(fit(words, 20), "not found (HTTP …");
        assert_eq!(fit(words, 80), words);
        assert_eq!(lines(words, (30, 2)), ["not found (HTTP 404 ", "  MANIFEST_UNKNOWN: manifest …"]);
        assert_eq!(lines(words, (40, 2)).concat().replace("  ", ""), words);
    }

    #[test]
    fn long_words_are_folded_and_none_is_lost() {
        assert_eq!(wrap("one two three", 8), ["one two ", "  three"]);
        let digest = format!("sha256:{}", "a".repeat(64));
        let lines = wrap(&digest, 40);
        assert!(lines.iter().all(|line| text::width(line) <= 40));
        assert_eq!(lines.iter().map(|line| line.trim_start()).collect::<String>(), digest);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap(&format!("it is {digest}"), 72), ["it is ", &digest], "it just fits");
    }
}
