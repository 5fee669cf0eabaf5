//! Untrusted text made safe to show: nothing in it can move the cursor, hide or reorder what stands beside it.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character must not reach a terminal as it is: controls, bidirectional overrides, invisible ones.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with every hostile character replaced by its visible escape, `\u{1b}`.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// The same JSON text with hostile characters as `\u` escapes, which every reader gives back unchanged.
pub fn shown_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_hostile) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Columns a text takes on a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Cuts a text to at most `columns`, its middle replaced by `…`, so that both ends of a name stay readable. A name that is
/// pinned loses digits of its digest first: repository and tag say more.
pub fn middle(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if let Some(at) = digest_at(text).filter(|at| width(&text[..*at]) + "@…".len() <= columns) {
        let name = &text[..at];
        let digits = take(text[at..].chars(), columns.saturating_sub(width(name) + 1));
        return Cow::Owned(name.chars().chain(digits).chain(std::iter::once('…')).collect());
    }
    let room = columns.saturating_sub(1);
    let tail = take(text.chars().rev(), room / 2);
    let head = take(text.chars(), room - room / 2);
    Cow::Owned(head.iter().chain(std::iter::once(&'…')).chain(tail.iter().rev()).collect())
}

/// Columns that stay of a name in a statement.
const NAME: usize = 16;

/// Cuts words to at most `columns`. A name is cut in its middle. A statement never loses a word within, which would turn
/// what it says: blanks between columns or a name in it get shorter where that is enough, else its end is cut.
pub fn cut(words: &str, columns: usize) -> Cow<'_, str> {
    let over = width(words).saturating_sub(columns);
    if over == 0 || !words.trim().contains(' ') {
        return middle(words, columns);
    }
    if let Some(squeezed) = squeezed(words, over) {
        return Cow::Owned(squeezed);
    }
    let is_name = |word: &&str| word.contains('/') || width(word) > 2 * NAME;
    let longest = words.split(' ').filter(is_name).max_by_key(|word| width(word));
    if let Some((name, room)) = longest.and_then(|name| Some((name, width(name).checked_sub(over)?)))
        && room >= NAME
        && let Some((before, after)) = words.split_once(name)
    {
        return Cow::Owned(format!("{before}{}{after}", middle(name, room)));
    }
    Cow::Owned(ending(words, columns))
}

/// With so many blanks less where most of them are, of which two stay.
fn squeezed(words: &str, over: usize) -> Option<String> {
    let from = words.len() - words.trim_start().len();
    let (mut run, mut longest) = (0, (0, 0));
    for (at, c) in words.char_indices().skip_while(|(at, _)| *at < from) {
        run = if c == ' ' { run + 1 } else { 0 };
        if run > longest.0 {
            longest = (run, at + 1);
        }
    }
    let (blanks, end) = longest;
    (blanks >= over + 2).then(|| format!("{}{}", &words[..end - over], &words[end..]))
}

/// The beginning of a statement, by whole words where one of them is not most of it.
fn ending(words: &str, columns: usize) -> String {
    let head: String = take(words.chars(), columns.saturating_sub(2)).into_iter().collect();
    let whole = words[head.len()..].starts_with(' ');
    let kept = if whole { Some(head.as_str()) } else { head.rsplit_once(' ').map(|(kept, _)| kept) };
    match kept.map(str::trim_end).filter(|kept| 2 * width(kept) >= columns) {
        Some(kept) => format!("{kept} …"),
        None => take(words.chars(), columns.saturating_sub(1)).into_iter().chain(['…']).collect(),
    }
}

/// Where in the name of an image its digest begins.
fn digest_at(text: &str) -> Option<usize> {
    let at = text.rfind('@')?;
    let (_, hex) = text[at..].split_once(':')?;
    (hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then_some(at)
}

/// Cuts a text to at most `chars` characters and says how many are left out.
pub fn capped(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}… ({} more bytes)", &text[..at], text.len() - at)),
    }
}

/// Pads a text on the right to `columns`.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

fn take(chars: impl Iterator<Item = char>, columns: usize) -> Vec<char> {
    let mut left = columns;
    chars
        .map_while(|c| {
            left = left.checked_sub(c.width().unwrap_or(0))?;
            Some(c)
        })
        .collect()
}

/// As in `1 image` and `3 images`.
pub fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Some of a number of things: `1 of 3 names`, `1 of 1 name`.
pub fn count_of(some: usize, all: usize, what: &str) -> String {
    format!("{some} of {}", count(all as u64, what))
}

/// What is carried with an image: `1 signature or referrer`, `2 signatures and referrers`.
pub fn referrers(number: usize) -> String {
    if number == 1 {
        "1 signature or referrer".to_owned()
    } else {
        format!("{number} signatures and referrers")
    }
}

/// Bytes in the units people use for media: powers of 1000, three digits.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let count = u128::from(count);
    let (mut unit, mut scale) = (0, 1000u128);
    // By the rounded figure, so that 1000 kB is never shown.
    while unit + 1 < UNITS.len() && (count + scale / 2) / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    let tenths = (count * 10 + scale / 2) / scale;
    if tenths < 1000 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", (count + scale / 2) / scale, UNITS[unit])
    }
}

/// How images, the blobs they share and the files that hold those go together: `3 images = 41 blobs in 63 files`.
/// Manifests and configurations are blobs, too.
pub fn content(images: u64, blobs: u64, files: Option<u64>) -> String {
    let files = files.map_or_else(String::new, |files| format!(" in {}", count(files, "file")));
    format!("{} = {}{files}", count(images, "image"), count(blobs, "blob"))
}

/// A span of time in its two largest units.
pub fn span(time: std::time::Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        // Nobody counts seconds of what takes that long.
        (0, 10..) => format!("{minutes} min"),
        (0, _) if rest == 0 => format!("{minutes} min"),
        (0, _) => format!("{minutes} min {rest} s"),
        (_, 0) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// Long digits in groups, to be read aloud and compared: blanks between every `size` characters.
pub fn groups(digits: &str, size: usize) -> String {
    let letters: Vec<char> = digits.chars().collect();
    letters.chunks(size.max(1)).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The same words with every long hexadecimal number cut to its first eight digits: two digests side by side stay two.
pub fn short_digests(words: &str) -> String {
    let mut short = String::new();
    let mut rest = words;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let other = rest[digits..].bytes().take_while(|byte| !byte.is_ascii_hexdigit()).count();
        let (number, after) = rest.split_at(digits);
        if digits >= 32 {
            short.push_str(&number[..8]);
            short.push('…');
        } else {
            short.push_str(number);
        }
        short.push_str(&after[..other]);
        rest = &after[other..];
    }
    short
}

/// Whether a pattern with `*` and `?` matches all of a text; linear in pattern times text, however many stars.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_more_are_many() {
        assert_eq!(
            (count_of(0, 1, "name"), count_of(2, 3, "name")),
            ("0 of 1 name".into(), "2 of 3 names".into())
        );
        let carried = [1, 2].map(referrers);
        assert_eq!(carried, ["1 signature or referrer", "2 signatures and referrers"]);
    }

    #[test]
    fn the_numbers_of_images_blobs_and_files_stand_in_one_line() {
        assert_eq!(content(38, 412, Some(1204)), "38 images = 412 blobs in 1204 files");
        assert_eq!(content(1, 3, None), "1 image = 3 blobs");
    }

    #[test]
    fn long_digests_are_cut_to_what_tells_them_apart() {
        let (a, b) = ("ab".repeat(32), "cd".repeat(32));
        let words = format!("ä blobs/sha256/{a}: expected sha256:{a}, the bytes hash to sha256:{b} é");
        let short =
            "ä blobs/sha256/abababab…: expected sha256:abababab…, the bytes hash to sha256:cdcdcdcd… é";
        assert_eq!(short_digests(&words), short);
        assert_eq!(short_digests("deadbeef, face"), "deadbeef, face");
    }

    #[test]
    fn of_a_pinned_name_the_digest_is_cut_as_long_as_the_name_fits() {
        let name = "h:5000/team/app:1.0";
        let pinned = format!("{name}@sha256:{}", "0123456789abcdef".repeat(4));
        for (columns, expected) in [
            (200, pinned.as_str()),
            (36, "h:5000/team/app:1.0@sha256:01234567…"),
            (23, "h:5000/team/app:1.0@sh…"),
        ] {
            assert_eq!(middle(&pinned, columns), expected);
        }
        assert_eq!(middle(&pinned, 19), "h:5000/te…789abcdef");
        assert_eq!(middle("user@host:a-long-path", 11), "user@…-path");
    }

    #[test]
    fn no_word_within_a_statement_is_lost() {
        let words = "! its key is not trusted yet";
        assert_eq!(cut(words, 28), words);
        assert_eq!(cut(words, 26), "! its key is not trusted …");
        assert_eq!(cut(words, 20), "! its key is not …");
        assert_eq!(cut("! key not trusted yet", 11), "! key not …");
        assert_eq!(cut("incomprehensible and", 12), "incomprehen…");
        let path = "written to /media/operator/KINGSTON/site-a-1: not read back";
        assert_eq!(cut(path, 50), "written to /media/opera…ON/site-a-1: not read back");
        assert_eq!(cut(path, 40), "written to /media/operator/KINGSTON/sit…");
        assert_eq!(cut("  oci:/srv      2 add, 1 not", 26), "  oci:/srv    2 add, 1 not");
        assert_eq!(cut("registry.example/a/b:1.2", 11), "regis…b:1.2");
        for columns in 0..70 {
            assert!(width(&cut(path, columns)) <= columns.max(1), "{columns}");
        }
    }

    #[test]
    fn hostile_characters_become_visible_and_the_rest_is_kept() {
        for (text, safe) in [
            ("nginx:1.25", "nginx:1.25"),
            ("é漢字", "é漢字"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\u{1b}]52;c;aGk=\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
            ("x\u{200b}y\u{feff}", "x\\u{200b}y\\u{feff}"),
        ] {
            assert_eq!(shown(text), safe);
        }
    }

    #[test]
    fn json_keeps_its_value_and_loses_its_teeth() {
        for text in ["\u{9b}31m", "a\u{202e}b", "\u{e0041}", "plain"] {
            let json = serde_json::to_string(text).unwrap();
            let safe = shown_json(&json);
            assert!(!safe.contains(is_hostile));
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }

    #[test]
    fn a_long_name_is_cut_in_the_middle_by_columns() {
        assert_eq!(middle("registry.example/a/b:1.2", 11), "regis…b:1.2");
        assert_eq!(middle("short", 11), "short");
        assert_eq!(middle("漢字漢字漢字漢字", 7), "漢…字");
        assert_eq!(capped("abcdef", 3), "abc… (3 more bytes)");
    }

    #[test]
    fn spans_are_as_fine_as_they_are_short() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (80, "1 min 20 s"),
            (601, "10 min"),
            (3600, "1 h"),
            (5025, "1 h 23 min"),
        ] {
            assert_eq!(span(std::time::Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn digits_are_grouped_and_none_is_lost() {
        assert_eq!(groups("9c41aa00ff", 4), "9c41 aa00 ff");
        assert_eq!((groups("", 4).as_str(), groups("ab", 0).as_str()), ("", "a b"));
    }

    #[test]
    fn bytes_are_shown_with_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_949, "99.9 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_234_567_890, "1.2 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
