//! How many slips of the fingers lie between a word as it was typed and the one that was meant.

/// Letters that a word has at least, to be taken for another one.
const SHORTEST: usize = 4;
/// The same, where it may be the beginning of a longer one.
const BEGINNING: usize = 5;

/// The slips, a letter too few, too many, wrong or beside its place each, between what was typed and a word or its
/// beginning; nothing where these are too many to take one for the other: one is forgiven, from eight letters on two.
pub fn of(typed: &str, word: &str) -> Option<u32> {
    let (typed, word): (Vec<char>, Vec<char>) = (typed.chars().collect(), word.chars().collect());
    if typed.len() < SHORTEST {
        return None;
    }
    let forgiven = if typed.len() < 8 { 1 } else { 2 };
    let table = table(&typed, &word);
    let last = table.last()?;
    let whole = last.last().copied()?;
    let begun = if typed.len() < BEGINNING { whole } else { last.iter().copied().min()? };
    let slips = whole.min(begun);
    (slips <= forgiven).then_some(slips)
}

/// Row by row of what was typed, the slips to each beginning of the word.
fn table(typed: &[char], word: &[char]) -> Vec<Vec<u32>> {
    let mut table: Vec<Vec<u32>> =
        vec![(0..=word.len()).map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect()];
    for (row, letter) in typed.iter().enumerate() {
        let above = &table[row];
        let mut slips = vec![above[0] + 1];
        for (at, own) in word.iter().enumerate() {
            let wrong = above[at] + u32::from(letter != own);
            let mut least = wrong.min(above[at + 1] + 1).min(slips[at] + 1);
            // Two letters that stand the other way round.
            if row > 0 && at > 0 && *letter == word[at - 1] && typed[row - 1] == *own {
                least = least.min(table[row - 1][at - 1] + 1);
            }
            slips.push(least);
        }
        table.push(slips);
    }
    table
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
