//! What a typed line means: the keys that would have done the same on a screen.

use crate::config::key::{Code, Key};
use crate::domain::text;
use crate::tui::keys::names_one;
use crate::tui::msg::Msg;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// An operation or a row of the screen.
    Screen(Offer),
    /// A filter for the rows.
    Filter,
    /// A line; nothing typed takes what stands there.
    Line,
    /// A name that has to be typed in full.
    Name,
    /// Yes or no, or one of these answers: its number is none, as anywhere else a number only goes to a row.
    Confirm(Vec<String>),
    /// A row of so many.
    One(usize),
    /// Rows of so many.
    Several(usize),
    /// A passphrase.
    Secret,
    /// An answer is on its way.
    Wait,
}

/// What can be typed at a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// How many rows there are.
    pub(super) rows: usize,
    /// The keys of the numbered operations after them.
    pub(super) acts: Vec<String>,
    /// What can be typed as a word, in small letters, and the key that does it.
    pub(super) names: Vec<(String, String)>,
    /// The key that lists all that can be done.
    pub(super) help: String,
    /// The key that leaves the workstation.
    pub(super) quit: String,
    /// The key that asks for references, where a line may be one as it is.
    pub(super) references: Option<String>,
}

impl Offer {
    /// The operation among the numbered ones that an empty line does, as Enter does it on a screen.
    pub(super) fn alone(&self) -> Option<usize> {
        self.acts.iter().position(|key| *key == Key::plain(Code::Enter).to_string())
    }
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
    // As an arrow sends it: nothing of that is meant as text.
    if line.contains('\u{1b}') && *prompt != Prompt::Secret {
        return Typed::Nothing(
            "on plain lines there are no such keys as arrows; nothing was taken".to_owned(),
        );
    }
    let number = word.parse::<usize>().ok().filter(|number| *number > 0);
    match prompt {
        Prompt::Screen(offer) => on_screen(word, number, offer),
        Prompt::Line if word.is_empty() => keys([Code::Enter]),
        Prompt::Name if word.is_empty() => keys([Code::Esc]),
        Prompt::Filter | Prompt::Line | Prompt::Name => replaced(word),
        Prompt::Confirm(answers) => {
            let typed = answers.iter().position(|answer| word.eq_ignore_ascii_case(answer)).map(|at| at + 1);
            let yes = ["y", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes)).then_some(1);
            match typed.or(yes) {
                Some(number) => keys(std::iter::repeat_n(Code::Right, number).chain([Code::Enter])),
                None => keys([Code::Esc]),
            }
        }
        Prompt::One(rows) => match number {
            Some(number) if number <= *rows => keys(to(number).chain([Code::Enter])),
            Some(number) => Typed::Nothing(format!("there is no row {number}")),
            None if word.is_empty() || leaves(word) => left(),
            None => filtered(word),
        },
        Prompt::Several(_) if leaves(word) => left(),
        Prompt::Several(_) if word.is_empty() => keys([Code::Enter]),
        Prompt::Several(rows) => several(word, *rows),
        Prompt::Secret if line.is_empty() => keys([Code::Esc]),
        Prompt::Secret => Typed::Messages(vec![Msg::Paste(line.into()), key(Code::Enter)]),
        Prompt::Wait => Typed::Nothing("still waiting; esc cancels".to_owned()),
    }
}

/// Whether a word leaves a list to choose from.
fn leaves(word: &str) -> bool {
    ["q", "quit", "exit"].iter().any(|leave| word.eq_ignore_ascii_case(leave))
}

/// A list to choose from is left, whatever it was filtered by.
fn left() -> Typed {
    let clear = [Msg::Key(Key::ctrl('e')), Msg::Key(Key::ctrl('u'))];
    Typed::Messages(clear.into_iter().chain([key(Code::Esc)]).collect())
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

fn on_screen(word: &str, number: Option<usize>, offer: &Offer) -> Typed {
    if let Some(number) = number {
        return match number.checked_sub(offer.rows + 1) {
            None => Typed::Row(number - 1),
            Some(act) => match offer.acts.get(act).map(|name| name.parse::<Key>()) {
                Some(Ok(key)) => Typed::Messages(vec![Msg::Key(key)]),
                _ => Typed::Nothing(format!("there is no {number}")),
            },
        };
    }
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        (None, _) if offer.alone().is_some() => keys([Code::Enter]),
        (None, _) => Typed::Messages(Vec::new()),
        (Some(letter), None) => Typed::Messages(vec![Msg::Key(Key::char(letter))]),
        (Some(first), Some(_)) => {
            // Keys have names that begin with a capital: enter is Enter.
            let named: String = first.to_uppercase().chain(word.chars().skip(1)).collect();
            let small = word.to_lowercase();
            let by_name = offer.names.iter().find(|(name, _)| *name == small);
            let said = match (small.as_str(), by_name) {
                ("help", _) => offer.help.parse(),
                ("quit" | "exit", _) => offer.quit.parse(),
                (_, Some((_, key))) => key.parse(),
                _ => named.parse::<Key>(),
            };
            match (said, &offer.references) {
                (Ok(key), _) => Typed::Messages(vec![Msg::Key(key)]),
                (Err(_), Some(_)) if names_one(word) => Typed::Messages(vec![Msg::Paste(word.into())]),
                (Err(_), references) => Typed::Nothing(unknown(word, &offer.help, references.as_deref())),
            }
        }
    }
}

/// What is said of a word that is neither a key nor anything else that can be typed there.
fn unknown(word: &str, help: &str, references: Option<&str>) -> String {
    let taken = references.map_or_else(String::new, |new| {
        format!("; a reference is typed with its tag or its registry, or after {new}")
    });
    format!("{:?} is no key here; {help} lists what can be done{taken}", text::middle(word, 40))
}

/// Whether a line at a screen that takes references may be one of a list that was pasted: anything but an operation, a row
/// or nothing.
pub(super) fn is_of_a_list(prompt: &Prompt, line: &str) -> bool {
    let Prompt::Screen(Offer { references: Some(_), .. }) = prompt else { return false };
    match typed(prompt, line) {
        Typed::Messages(messages) => matches!(messages.as_slice(), [Msg::Paste(_)]),
        Typed::Row(_) => false,
        Typed::Nothing(_) => line.trim().parse::<usize>().is_err(),
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

    fn confirm(answers: &[&str]) -> Prompt {
        Prompt::Confirm(answers.iter().map(|answer| (*answer).to_owned()).collect())
    }

    #[test]
    fn a_line_is_the_keys_that_do_the_same_on_a_screen() {
        let offer = Offer {
            rows: 3,
            acts: vec!["Enter".into(), "n".into(), "Esc".into()],
            names: vec![("back".into(), "Esc".into()), ("step 4".into(), "4".into())],
            help: "?".into(),
            quit: "Q".into(),
            references: None,
        };
        let images = Prompt::Screen(Offer { references: Some("n".into()), ..offer.clone() });
        let bare = Prompt::Screen(Offer { acts: vec!["n".into()], ..offer.clone() });
        assert_eq!(said(&bare, ""), "", "no key goes on there");
        let screen = Prompt::Screen(offer);
        for (prompt, line, expected) in [
            (&screen, "2", "row 1"),
            (&screen, "4", "Enter"),
            (&screen, "5", "n"),
            (&screen, "9", "there is no 9"),
            (&screen, "0", "0"),
            (&screen, "n", "n"),
            (&screen, "enter", "Enter"),
            (&screen, "esc", "Esc"),
            (&screen, "", "Enter"),
            (&screen, "help", "?"),
            (&screen, "Quit", "Q"),
            (&screen, "exit", "Q"),
            (&screen, "Back", "Esc"),
            (&screen, "step 4", "4"),
            (&screen, "step 9", "\"step 9\" is no key here; ? lists what can be done"),
            (&screen, "yes", "\"yes\" is no key here; ? lists what can be done"),
            (&screen, "nginx:1.25.3", "\"nginx:1.25.3\" is no key here; ? lists what can be done"),
            (&images, "nginx:1.25.3", "paste(nginx:1.25.3)"),
            (&images, "team/app", "paste(team/app)"),
            (&images, "help", "?"),
            (
                &images,
                "yes",
                "\"yes\" is no key here; ? lists what can be done; a reference is typed with its tag or its registry, or after n",
            ),
            (&Prompt::Line, "", "Enter"),
            (&Prompt::Line, "ab", "Ctrl-E Ctrl-U a b Enter"),
            (&Prompt::Name, "", "Esc"),
            (&Prompt::One(3), "2", "Home Down Enter"),
            (&Prompt::One(3), "4", "there is no row 4"),
            (&Prompt::One(3), "pin", "Ctrl-E Ctrl-U p i n"),
            (&Prompt::One(3), "q", "Ctrl-E Ctrl-U Esc"),
            (&Prompt::One(3), "", "Ctrl-E Ctrl-U Esc"),
            (&Prompt::Several(3), "quit", "Ctrl-E Ctrl-U Esc"),
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

    #[test]
    fn what_an_arrow_sends_is_no_text() {
        let words = "on plain lines there are no such keys as arrows; nothing was taken";
        for prompt in [Prompt::Line, Prompt::Name, Prompt::Filter, Prompt::One(3), confirm(&["Start"])] {
            assert_eq!(said(&prompt, "\u{1b}[A"), words, "{prompt:?}");
        }
    }

    #[test]
    fn what_is_asked_about_is_done_by_y_yes_or_the_words_of_a_button_alone() {
        let (start, stop) = (confirm(&["Start"]), confirm(&["Stop", "Stop and quit"]));
        for (prompt, line, expected) in [
            (&start, "yes", "Right Enter"),
            (&start, "start", "Right Enter"),
            (&start, "1", "Esc"),
            (&start, "0", "Esc"),
            (&start, "y", "Right Enter"),
            (&start, "Y", "Right Enter"),
            (&start, "n", "Esc"),
            (&start, "", "Esc"),
            (&start, "Cancel", "Esc"),
            (&stop, "2", "Esc"),
            (&stop, "yes", "Right Enter"),
            (&stop, "Stop and quit", "Right Right Enter"),
        ] {
            assert_eq!(said(prompt, line), expected, "{prompt:?} {line:?}");
        }
    }
}
