//! What a typed line means: the keys that would have done the same on a screen.

use crate::config::key::{Code, Key};
use crate::tui::msg::Msg;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// An operation or a row of the screen: how many rows, and the keys of the numbered operations after them.
    Screen(usize, Vec<String>),
    /// A filter for the rows.
    Filter,
    /// A line; nothing typed takes what stands there.
    Line,
    /// A name that has to be typed in full.
    Name,
    /// Yes or no, or one of so many further answers.
    Confirm(usize),
    /// A row of so many.
    One(usize),
    /// Rows of so many.
    Several(usize),
    /// A passphrase.
    Secret,
    /// An answer is on its way.
    Wait,
}

/// What a line does.
#[derive(Debug)]
pub(super) enum Typed {
    /// These messages, in order.
    Messages(Vec<Msg>),
    /// The row of that number, from 0.
    Row(usize),
    /// It says nothing that can be done.
    Nothing(String),
}

fn key(code: Code) -> Msg {
    Msg::Key(Key::plain(code))
}

fn keys(codes: impl IntoIterator<Item = Code>) -> Typed {
    Typed::Messages(codes.into_iter().map(key).collect())
}

/// Everything that stands in a line is replaced by what was typed, then taken.
fn replaced(line: &str) -> Typed {
    let clear = [Msg::Key(Key::ctrl('e')), Msg::Key(Key::ctrl('u'))];
    let typed = line.chars().filter(|c| !c.is_control()).map(|c| Msg::Key(Key::char(c)));
    Typed::Messages(clear.into_iter().chain(typed).chain([key(Code::Enter)]).collect())
}

/// What a line means at a prompt. `esc` leaves every one of them but that of a passphrase, which may be just that word:
/// an empty line does.
pub(super) fn typed(prompt: &Prompt, line: &str) -> Typed {
    let word = line.trim();
    if word.eq_ignore_ascii_case("esc") && *prompt != Prompt::Secret {
        return keys([Code::Esc]);
    }
    let number = word.parse::<usize>().ok().filter(|number| *number > 0);
    match prompt {
        Prompt::Screen(rows, acts) => on_screen(word, number, *rows, acts),
        Prompt::Line if word.is_empty() => keys([Code::Enter]),
        Prompt::Name if word.is_empty() => keys([Code::Esc]),
        Prompt::Filter | Prompt::Line | Prompt::Name => replaced(word),
        Prompt::Confirm(buttons) => match number {
            _ if word.eq_ignore_ascii_case("yes") => keys([Code::Right, Code::Enter]),
            Some(number) if number <= *buttons => {
                keys(std::iter::repeat_n(Code::Right, number).chain([Code::Enter]))
            }
            _ => keys([Code::Esc]),
        },
        Prompt::One(rows) => match number {
            Some(number) if number <= *rows => keys(to(number).chain([Code::Enter])),
            Some(number) => Typed::Nothing(format!("there is no row {number}")),
            None if word.is_empty() => keys([Code::Esc]),
            None => filtered(word),
        },
        Prompt::Several(_) if word.is_empty() => keys([Code::Enter]),
        Prompt::Several(rows) => several(word, *rows),
        Prompt::Secret if line.is_empty() => keys([Code::Esc]),
        Prompt::Secret => Typed::Messages(vec![Msg::Paste(line.into()), key(Code::Enter)]),
        Prompt::Wait => Typed::Nothing("still waiting; esc cancels".to_owned()),
    }
}

fn to(number: usize) -> impl Iterator<Item = Code> {
    std::iter::once(Code::Home).chain(std::iter::repeat_n(Code::Down, number - 1))
}

fn filtered(word: &str) -> Typed {
    let clear = [Msg::Key(Key::ctrl('e')), Msg::Key(Key::ctrl('u'))];
    Typed::Messages(clear.into_iter().chain(word.chars().map(|c| Msg::Key(Key::char(c)))).collect())
}

/// `1 3 5` marks those rows, or takes their marks away.
fn several(word: &str, rows: usize) -> Typed {
    let numbers: Result<Vec<usize>, _> =
        word.split([' ', ',']).filter(|w| !w.is_empty()).map(str::parse).collect();
    match numbers {
        Ok(numbers) if numbers.iter().all(|number| (1..=rows).contains(number)) => {
            keys(numbers.into_iter().flat_map(|number| to(number).chain([Code::Char(' ')])))
        }
        Ok(_) => Typed::Nothing(format!("rows are 1 to {rows}")),
        Err(_) => filtered(word),
    }
}

fn on_screen(word: &str, number: Option<usize>, rows: usize, acts: &[String]) -> Typed {
    if let Some(number) = number {
        return match number.checked_sub(rows + 1) {
            None => Typed::Row(number - 1),
            Some(act) => match acts.get(act).map(|name| name.parse::<Key>()) {
                Some(Ok(key)) => Typed::Messages(vec![Msg::Key(key)]),
                _ => Typed::Nothing(format!("there is no {number}")),
            },
        };
    }
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        (None, _) => Typed::Messages(Vec::new()),
        (Some(letter), None) => Typed::Messages(vec![Msg::Key(Key::char(letter))]),
        (Some(first), Some(_)) => {
            // Keys have names that begin with a capital: enter is Enter.
            let named: String = first.to_uppercase().chain(word.chars().skip(1)).collect();
            match named.parse::<Key>() {
                Ok(key) => Typed::Messages(vec![Msg::Key(key)]),
                Err(_) => Typed::Messages(vec![Msg::Paste(word.into())]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(prompt: &Prompt, line: &str) -> String {
        let one = |msg: Msg| match msg {
            Msg::Key(key) => key.to_string(),
            Msg::Paste(text) => format!("paste({})", &*text),
            other => format!("{other:?}"),
        };
        match typed(prompt, line) {
            Typed::Messages(messages) => messages.into_iter().map(one).collect::<Vec<_>>().join(" "),
            Typed::Row(row) => format!("row {row}"),
            Typed::Nothing(words) => words,
        }
    }

    #[test]
    fn a_line_is_the_keys_that_do_the_same_on_a_screen() {
        let screen = Prompt::Screen(3, vec!["Enter".into(), "n".into(), "Esc".into()]);
        for (prompt, line, expected) in [
            (&screen, "2", "row 1"),
            (&screen, "4", "Enter"),
            (&screen, "5", "n"),
            (&screen, "9", "there is no 9"),
            (&screen, "0", "0"),
            (&screen, "n", "n"),
            (&screen, "enter", "Enter"),
            (&screen, "esc", "Esc"),
            (&screen, "", ""),
            (&screen, "nginx:1.25.3", "paste(nginx:1.25.3)"),
            (&Prompt::Line, "", "Enter"),
            (&Prompt::Line, "ab", "Ctrl-E Ctrl-U a b Enter"),
            (&Prompt::Name, "", "Esc"),
            (&Prompt::Confirm(1), "yes", "Right Enter"),
            (&Prompt::Confirm(1), "y", "Esc"),
            (&Prompt::Confirm(1), "", "Esc"),
            (&Prompt::Confirm(2), "2", "Right Right Enter"),
            (&Prompt::One(3), "2", "Home Down Enter"),
            (&Prompt::One(3), "4", "there is no row 4"),
            (&Prompt::Several(3), "1,3", "Home Space Home Down Down Space"),
            (&Prompt::Several(3), "", "Enter"),
            (&Prompt::Several(3), "1 7", "rows are 1 to 3"),
            (&Prompt::Secret, " esc", "paste( esc) Enter"),
            (&Prompt::Secret, "", "Esc"),
            (&Prompt::Wait, "x", "still waiting; esc cancels"),
        ] {
            assert_eq!(said(prompt, line), expected, "{prompt:?} {line:?}");
        }
    }
}
