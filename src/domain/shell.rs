//! Words as a POSIX shell reads them: quoted only where they have to be.

use std::path::Path;

/// A path as one word of a command.
pub fn shell_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// One line that a shell splits into exactly these words.
pub fn shell_words(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The same words on lines of at most `columns` bytes (at least 16), which a shell reads as one: an option keeps its
/// value beside it where there is room, and what is longer than a line is broken where no blank comes into it.
pub fn shell_lines(words: &[String], columns: usize) -> Vec<String> {
    let room = columns.max(16) - 2;
    let mut lines = Vec::new();
    let mut current = String::new();
    for piece in pieces(words, room) {
        if !current.is_empty() && current.len() + 1 + piece.len() > room {
            lines.push(format!("{current} \\"));
            current = "  ".to_owned();
        } else if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(&piece);
        while current.len() > room {
            let rest = broken(&mut current, room);
            lines.push(format!("{current}\\"));
            current = rest;
        }
    }
    lines.push(current);
    lines
}

/// Quoted words, an option with its value in one piece where that fits.
fn pieces(words: &[String], room: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut option = false;
    for word in words {
        let quoted = quoted(word);
        let value = option && !word.starts_with('-');
        match pieces.last_mut().filter(|last| value && last.len() + 1 + quoted.len() + 2 <= room) {
            Some(last) => {
                last.push(' ');
                last.push_str(&quoted);
            }
            None => pieces.push(quoted),
        }
        option = word.starts_with("--") && !word.contains('=');
    }
    pieces
}

/// Cuts a line to less than `room` bytes where a shell joins it again without a blank; the rest begins the next line.
fn broken(line: &mut String, room: usize) -> String {
    // How it stands at each place up to there: inside quotes, or right after a backslash that is none of them.
    let (mut inside, mut escaped, mut cut) = (false, false, (0, false));
    for (at, c) in line.char_indices().take_while(|(at, _)| *at < room) {
        if !escaped {
            cut = (at, inside);
        }
        match (c, inside, escaped) {
            (_, false, true) => escaped = false,
            ('\'', ..) => inside = !inside,
            ('\\', false, false) => escaped = true,
            _ => {}
        }
    }
    let (at, inside) = cut;
    let rest = line.split_off(at);
    if !inside {
        return rest;
    }
    // There a backslash is one: the quotes are closed before it, and opened after.
    line.push('\'');
    format!("'{rest}")
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
    fn a_command_on_several_lines_is_the_one_on_one_line() {
        let long = format!("/media/{}/it's", "deep".repeat(30));
        let blanks = format!("/media/{}", "two words ".repeat(9));
        let quoted = "x'".repeat(40);
        let words: Vec<String> = [
            "airlift",
            "pack",
            "--file",
            "/work/images.txt",
            "--lock",
            &long,
            "--to",
            &blanks,
            &quoted,
            "--name",
            "a b",
        ]
        .map(str::to_owned)
        .to_vec();
        for columns in [0, 16, 17, 18, 40, 58, 78, 200] {
            let lines = shell_lines(&words, columns);
            assert!(lines.iter().all(|line| line.len() <= columns.max(16)), "{columns}: {lines:#?}");
            let script = format!("printf '%s\\n' {}", lines.join("\n"));
            let ran = std::process::Command::new("sh").arg("-c").arg(&script).output().unwrap();
            assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
            assert_eq!(
                String::from_utf8(ran.stdout).unwrap(),
                words.join("\n") + "\n",
                "{columns}: {script}"
            );
        }
        let short = ["airlift", "resolve", "--file", "/home/op/images.txt", "--lock", "/home/op/images.lock"];
        let lines = shell_lines(&short.map(str::to_owned), 50);
        assert_eq!(lines, ["airlift resolve --file /home/op/images.txt \\", "  --lock /home/op/images.lock"]);
    }

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
