//! A progress bar as text, so that it reads the same in colour, in mono and in ASCII.

/// `columns` cells between brackets; full only at the whole.
pub fn bar(done: u64, all: u64, columns: usize) -> String {
    let inner = columns.saturating_sub(2);
    let filled = u128::from(done.min(all)) * inner as u128;
    let filled = usize::try_from(filled.checked_div(u128::from(all)).unwrap_or(0)).unwrap_or(inner);
    format!("[{}{}]", "█".repeat(filled), "░".repeat(inner - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_only_at_the_whole() {
        assert_eq!(bar(0, 10, 12), "[░░░░░░░░░░]");
        assert_eq!(bar(99, 100, 12), "[█████████░]");
        assert_eq!(bar(100, 100, 12), "[██████████]");
        assert_eq!(bar(5, 0, 6), "[░░░░]");
        assert_eq!(bar(u64::MAX, u64::MAX, 4), "[██]");
        assert_eq!(bar(1, 2, 0), "[]");
    }
}
