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

/// Draws the steps in one row; the current one stands in brackets. Where the row is narrow, what is still to do is left
/// without a word, and then names are shortened.
pub fn stepper(steps: &[(&str, StepState)], current: usize, area: Rect, look: &Look, buffer: &mut Buffer) {
    let words = |bare: bool, short: bool| -> Vec<String> {
        let one = |(at, (name, state)): (usize, &(&str, StepState))| {
            let letters = if short && at != current { 4 } else { usize::MAX };
            let name: String = name.chars().take(letters).collect();
            let word = if bare && *state == StepState::Todo { "" } else { state.word() };
            format!("{} {name} {word}", at + 1).trim_end().to_owned()
        };
        steps.iter().enumerate().map(one).collect()
    };
    // Of each one: a separator or the brackets.
    let fits = |all: &[String]| {
        all.iter().map(|words| text::width(words) + 3).sum::<usize>() <= usize::from(area.width)
    };
    let forms = [words(false, false), words(true, false)].into_iter().find(|all| fits(all));
    let all = forms.unwrap_or_else(|| words(true, true));
    let mut spans = vec![Span::raw(" ")];
    for (at, (words, (_, state))) in all.iter().zip(steps).enumerate() {
        if at > 0 {
            spans.push(Span::styled(" > ", look.style(Role::Dim)));
        }
        if at == current {
            spans.push(Span::styled(format!("[{words}]"), look.style(Role::Current)));
        } else {
            spans.push(Span::styled(words.clone(), look.style(state.role())));
        }
    }
    Line::from(spans).render(area, buffer);
}
