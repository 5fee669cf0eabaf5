//! The stepper: every step of the side with a word for how it stands.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::look::Look;
use crate::config::theme::Role;
use crate::domain::text;

/// How a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepState {
    /// Nothing done yet.
    #[default]
    Todo,
    /// A job of it runs.
    Running,
    /// A job of it stands still until it is let go on.
    Paused,
    /// Done.
    Ok,
    /// Done, with something to know.
    Warn,
    /// Failed.
    Failed,
    /// Done, but an earlier step was changed since.
    Stale,
}

impl StepState {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Failed => "FAILED",
            Self::Stale => "stale",
        }
    }

    /// The mark for it where there is no room for the word.
    const fn mark(self) -> &'static str {
        match self {
            Self::Todo => "",
            Self::Running => "*",
            Self::Paused => "=",
            Self::Ok => "+",
            Self::Warn => "!",
            Self::Failed => "x",
            Self::Stale => "~",
        }
    }

    /// Its look.
    pub const fn role(self) -> Role {
        match self {
            Self::Todo => Role::Dim,
            Self::Running => Role::Current,
            Self::Ok => Role::Ok,
            Self::Warn | Self::Stale | Self::Paused => Role::Warn,
            Self::Failed => Role::Fail,
        }
    }
}

/// How much is said of the steps, most first; of the current one always all of it, but that nothing is done there yet.
const FORMS: [Form; 6] = [
    Form { todo: true, between: " > ", letters: usize::MAX, words: true },
    Form { todo: false, between: " > ", letters: usize::MAX, words: true },
    Form { todo: false, between: " ", letters: usize::MAX, words: true },
    Form { todo: false, between: " ", letters: 4, words: true },
    Form { todo: false, between: " ", letters: 4, words: false },
    Form { todo: false, between: " ", letters: 0, words: false },
];

/// One way to write the steps.
#[derive(Clone, Copy)]
struct Form {
    /// Whether the word for what is still to do is written.
    todo: bool,
    /// What stands between two steps.
    between: &'static str,
    /// Letters of the names of the other steps.
    letters: usize,
    /// Whether the states of the other steps are words; else each is a mark.
    words: bool,
}

impl Form {
    fn step(self, number: usize, (name, state): (&str, StepState), current: bool) -> String {
        let word = if !self.todo && state == StepState::Todo { "" } else { state.word() };
        if current {
            return format!("[{}]", format!("{number} {name} {word}").trim_end());
        }
        let name: String = name.chars().take(self.letters).collect();
        match self.words {
            true => format!("{number} {name} {word}").trim_end().to_owned(),
            false => format!("{}{}", format!("{number} {name}").trim_end(), state.mark()),
        }
    }
}

/// The steps as they are written in so many columns, and what stands between them.
fn written(steps: &[(&str, StepState)], current: usize, columns: usize) -> (Vec<String>, &'static str) {
    let write = |form: Form| -> Vec<String> {
        steps.iter().enumerate().map(|(at, step)| form.step(at + 1, *step, at == current)).collect()
    };
    let fits = |form: &Form| {
        let steps: usize = write(*form).iter().map(|words| text::width(words)).sum();
        1 + steps + form.between.len() * write(*form).len().saturating_sub(1) <= columns
    };
    let form = FORMS.into_iter().find(fits).unwrap_or(FORMS[FORMS.len() - 1]);
    (write(form), form.between)
}

/// Draws the steps in one row; the current one stands in brackets. Where the row is narrow, words go in the order of
/// `FORMS`: of what is still to do, between the steps, then of the other steps' names and states.
pub fn stepper(steps: &[(&str, StepState)], current: usize, area: Rect, look: &Look, buffer: &mut Buffer) {
    let (all, between) = written(steps, current, usize::from(area.width));
    let mut spans = vec![Span::raw(" ")];
    for (at, (words, (_, state))) in all.into_iter().zip(steps).enumerate() {
        if at > 0 {
            spans.push(Span::styled(between, look.style(Role::Dim)));
        }
        let role = if at == current { Role::Current } else { state.role() };
        spans.push(Span::styled(words, look.style(role)));
    }
    Line::from(spans).render(area, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [StepState; 7] = [
        StepState::Todo,
        StepState::Running,
        StepState::Paused,
        StepState::Ok,
        StepState::Warn,
        StepState::Failed,
        StepState::Stale,
    ];
    const CONNECTED: [&str; 5] = ["Images", "Verify", "Media", "Assemble", "Report"];
    const AIR_GAPPED: [&str; 4] = ["Bundle", "Verify", "Import", "Report"];

    /// Whether every step can be made out, with its state.
    fn is_whole(steps: &[(&str, StepState)], current: usize, columns: usize) -> bool {
        let (all, between) = written(steps, current, columns);
        let told = |(at, words): (usize, &String)| {
            let (name, state) = steps[at];
            let word = if state == StepState::Todo { "" } else { state.word() };
            let number = words.trim_start_matches('[').starts_with(&format!("{}", at + 1));
            let whole =
                words.starts_with(&format!("[{} {name}", at + 1)) && words.ends_with(&format!("{word}]"));
            let short = words.ends_with(word) || words.ends_with(state.mark());
            number && if at == current { whole } else { short }
        };
        text::width(&all.join(between)) < columns && all.iter().enumerate().all(told)
    }

    #[test]
    fn every_step_and_its_state_can_be_read_in_whatever_state_the_others_are() {
        for names in [&CONNECTED[..], &AIR_GAPPED[..]] {
            for number in 0..STATES.len().pow(u32::try_from(names.len()).unwrap()) {
                let mut rest = number;
                let state = |name| {
                    let state = STATES[rest % STATES.len()];
                    rest /= STATES.len();
                    (name, state)
                };
                let steps: Vec<_> = names.iter().copied().map(state).collect();
                for current in 0..steps.len() {
                    for columns in [80, 60] {
                        assert!(
                            is_whole(&steps, current, columns),
                            "{columns}: {:?}",
                            written(&steps, current, columns)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn words_go_in_their_order_as_the_row_gets_narrower() {
        let states = [StepState::Ok, StepState::Warn, StepState::Failed, StepState::Stale, StepState::Todo];
        let steps: Vec<_> = CONNECTED.into_iter().zip(states).collect();
        let line = |columns| {
            let (all, between) = written(&steps, 2, columns);
            all.join(between)
        };
        for (columns, expected) in [
            (80, "1 Images ok > 2 Verify warn > [3 Media FAILED] > 4 Assemble stale > 5 Report"),
            (72, "1 Images ok 2 Verify warn [3 Media FAILED] 4 Assemble stale 5 Report"),
            (60, "1 Imag ok 2 Veri warn [3 Media FAILED] 4 Asse stale 5 Repo"),
            (50, "1 Imag+ 2 Veri! [3 Media FAILED] 4 Asse~ 5 Repo"),
            (40, "1+ 2! [3 Media FAILED] 4~ 5"),
        ] {
            assert_eq!(line(columns), expected, "{columns}");
        }
        assert!(line(100).ends_with("5 Report todo"));
        let marks: std::collections::BTreeSet<_> = STATES.iter().map(|state| state.mark()).collect();
        assert_eq!(marks.len(), STATES.len(), "each state has a mark of its own");
    }
}
