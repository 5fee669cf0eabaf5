//! How many slips of the fingers lie between a word as it was typed and the one that was meant.

use strsim::osa_distance;

/// Letters that a word has at least, to be taken for another one.
const SHORTEST: usize = 4;
/// The same, where it may be the beginning of a longer one.
const BEGINNING: usize = 5;

/// The slips, a letter too few, too many, wrong or beside its place each, between what was typed and a word or its
/// beginning; nothing where these are too many to take one for the other: one is forgiven, from eight letters on two.
pub fn of(typed: &str, word: &str) -> Option<usize> {
    let letters = typed.chars().count();
    if letters < SHORTEST {
        return None;
    }
    let forgiven = if letters < 8 { 1 } else { 2 };
    let whole = osa_distance(typed, word);
    let slips = if letters < BEGINNING {
        whole
    } else {
        let beginnings = word.char_indices().map(|(at, _)| osa_distance(typed, &word[..at]));
        beginnings.min().map_or(whole, |begun| whole.min(begun))
    };
    (slips <= forgiven).then_some(slips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_forgiven_and_nonsense_is_not() {
        for (typed, word, slips) in [
            ("kubeadm", "kubeadm", Some(0)),
            ("kubedm", "kubeadm", Some(1)),
            ("kubaedm", "kubeadm", Some(1)),
            ("plattfroms", "platforms", Some(2)),
            ("verfy", "verify", Some(1)),
            ("kubae", "kubeadm", Some(1)),
            ("foo", "forget", None),
            ("food", "forget", None),
            ("sing", "sign", Some(1)),
            ("", "sign", None),
            ("sign", "", None),
            ("zzzzzzzz", "platforms", None),
        ] {
            assert_eq!(of(typed, word), slips, "{typed} for {word}");
        }
    }
}
