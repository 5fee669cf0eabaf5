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
            Self::Warn | Self::Stale => Role::Warn,
            Self::Failed => Role::Fail,
        }
    }
}

/// Draws the steps in one row; the current one stands in brackets. Names are shortened where the row is narrow.
pub fn stepper(steps: &[(&str, StepState)], current: usize, area: Rect, look: &Look, buffer: &mut Buffer) {
    let words = |short: bool| -> Vec<String> {
        let one = |(at, (name, state)): (usize, &(&str, StepState))| {
            let name: String =
                if short && at != current { name.chars().take(4).collect() } else { (*name).to_owned() };
            format!("{} {name} {}", at + 1, state.word())
        };
        steps.iter().enumerate().map(one).collect()
    };
    let width = |all: &[String]| all.iter().map(|words| text::width(words) + 3).sum::<usize>() + 2;
    let long = words(false);
    let all = if width(&long) <= usize::from(area.width) { long } else { words(true) };
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
