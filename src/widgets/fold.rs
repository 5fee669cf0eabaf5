//! Last pass over a frame: nothing but printable cells reaches the terminal, and ASCII alone where that is wanted.

use ratatui::buffer::Buffer;

use crate::domain::text;

/// What stands for a character on terminals that have ASCII alone.
const ASCII: &[(char, &str)] = &[
    ('─', "-"),
    ('│', "|"),
    ('┌', "+"),
    ('┐', "+"),
    ('└', "+"),
    ('┘', "+"),
    ('├', "+"),
    ('┤', "+"),
    ('█', "#"),
    ('░', "."),
    ('…', "~"),
    ('·', "."),
    ('→', ">"),
    ('×', "x"),
    ('–', "-"),
    ('’', "'"),
];

/// Replaces what may not be drawn, cell by cell.
pub fn fold(buffer: &mut Buffer, unicode: bool) {
    for at in 0..buffer.content.len() {
        let homely = !unicode && begins_a_path(buffer, at);
        let cell = &mut buffer.content[at];
        let symbol = cell.symbol();
        if symbol.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            continue;
        }
        let hostile = symbol.chars().any(|c| c.is_control() || text::is_hostile(c));
        if hostile {
            cell.set_symbol("?");
        } else if homely {
            cell.set_symbol("*");
        } else if !unicode {
            let first = symbol.chars().next();
            let plain = ASCII.iter().find(|(from, _)| Some(*from) == first).map_or("?", |(_, to)| to);
            cell.set_symbol(plain);
        }
    }
}

/// Whether what was cut off stands before a slash and nothing before that: `~/` would be the home of somebody.
fn begins_a_path(buffer: &Buffer, at: usize) -> bool {
    let symbol = |at: usize| buffer.content.get(at).map_or(" ", |cell| cell.symbol());
    symbol(at) == "…" && symbol(at + 1) == "/" && at.checked_sub(1).is_none_or(|before| symbol(before) == " ")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    fn folded(text: &str, unicode: bool) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        for (cell, c) in buffer.content.iter_mut().zip(text.chars()) {
            cell.set_symbol(&c.to_string());
        }
        fold(&mut buffer, unicode);
        buffer.content.iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn escapes_never_pass_and_boxes_only_where_they_can_be_drawn() {
        assert_eq!(folded("a\u{1b}b\u{202e}─│", true), "a?b?─│  ");
        assert_eq!(folded("a\u{1b}b\u{202e}─│é", false), "a?b?-|? ");
        assert_eq!(folded("…/a a…/…", false), "*/a a~/~", "no home of anybody");
        assert_eq!(folded(" …/a", false), " */a    ");
    }
}
