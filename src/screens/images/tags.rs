//! The order in which tags are offered: newest versions first, by the numbers in them.

use std::cmp::{Ordering, Reverse};

/// Sorted so that `1.27.0` comes before `1.9.1`, and words after versions.
pub(super) fn newest_first(tags: &[String]) -> Vec<String> {
    let mut sorted: Vec<String> = tags.to_vec();
    sorted.sort_by(|a, b| {
        let begins = |tag: &str| tag.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
        Reverse(begins(a)).cmp(&Reverse(begins(b))).then_with(|| compare(b, a))
    });
    sorted
}

/// Runs of digits by their value, everything else by its bytes; a leading `v` does not count.
fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.trim_start_matches('v'), b.trim_start_matches('v'));
    loop {
        let (first, second) = (piece(&mut a), piece(&mut b));
        let order = match (number(first), number(second)) {
            (Some(first), Some(second)) => first.len().cmp(&second.len()).then_with(|| first.cmp(second)),
            // `1.2-rc1` is before `1.2`, `1.2` before `1.2.1`.
            _ if first.is_empty() || second.is_empty() => {
                let weight = |piece: &str| match piece.as_bytes().first() {
                    None => 1,
                    Some(b'-') => 0,
                    Some(_) => 2,
                };
                weight(first).cmp(&weight(second))
            }
            _ => first.cmp(second),
        };
        if order != Ordering::Equal || first.is_empty() {
            return order;
        }
    }
}

/// Takes the next run of digits, or of anything else.
fn piece<'a>(rest: &mut &'a str) -> &'a str {
    let digit = |c: char| c.is_ascii_digit();
    let begins = rest.starts_with(digit);
    let end = rest.find(|c: char| digit(c) != begins).unwrap_or(rest.len());
    let (piece, after) = rest.split_at(end);
    *rest = after;
    piece
}

/// The digits without leading zeros: longer ones are greater.
fn number(piece: &str) -> Option<&str> {
    piece.starts_with(|c: char| c.is_ascii_digit()).then(|| piece.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_sorted_by_their_numbers_and_words_come_last() {
        let tags = ["1.9.1", "latest", "v1.27.0", "1.27", "1.27.0-rc1", "stable", "1.10.0-alpine", "1.10.0"];
        let sorted = newest_first(&tags.map(str::to_owned));
        let expected =
            ["v1.27.0", "1.27.0-rc1", "1.27", "1.10.0", "1.10.0-alpine", "1.9.1", "stable", "latest"];
        assert_eq!(sorted, expected);
    }
}
