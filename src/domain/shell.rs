//! Words as a POSIX shell reads them: quoted only where they have to be.

/// One line that a shell splits into exactly these words.
pub fn shell_words(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_would_read_them_otherwise() {
        for (words, line) in [
            (
                vec!["airlift", "pack", "nginx:1.25@sha256:ab", "--to", "/mnt/x-1"],
                "airlift pack nginx:1.25@sha256:ab --to /mnt/x-1",
            ),
            (
                vec!["a b", "", "it's", "$HOME", "~/x", "*", "a\nb"],
                "'a b' '' 'it'\\''s' '$HOME' '~/x' '*' 'a\nb'",
            ),
            (vec!["registry:m/{host}", "é"], "'registry:m/{host}' 'é'"),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(shell_words(&words), line);
        }
    }
}
