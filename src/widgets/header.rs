//! The header: side, host, step, medium, key and what proves that the host is offline.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::look::Look;
use crate::config::theme::Role;
use crate::domain::text;

/// What a header says; empty pieces are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderProps {
    /// CONNECTED, AIR-GAPPED, or nothing yet.
    pub side: String,
    /// The host's name.
    pub host: String,
    /// As in `step 3/5 Media`.
    pub step: String,
    /// The chosen medium, as in `stick KINGSTON..7F2A`.
    pub medium: String,
    /// How the fingerprint of the signing key ends, as in `key 9C4q`.
    pub key: String,
    /// As in `net up` or `offline: no socket opened`.
    pub network: String,
}

/// Draws one row; where room is short, what stands last goes first, but never the side and the step.
pub fn header(props: &HeaderProps, area: Rect, look: &Look, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let mut pieces: Vec<(&str, Role)> = vec![
        (&props.side, Role::Title),
        (&props.host, Role::Text),
        (&props.step, Role::Text),
        (&props.medium, Role::Text),
        (&props.key, Role::Text),
        (&props.network, Role::Text),
    ];
    pieces.retain(|(words, _)| !words.is_empty());
    let name = "airlift";
    let used = |pieces: &[(&str, Role)]| {
        pieces.iter().map(|(words, _)| text::width(&text::shown(words)) + 2).sum::<usize>() + name.len() + 3
    };
    // From the least needed: network, key, medium, host.
    for dropped in [&props.network, &props.key, &props.medium, &props.host] {
        if used(&pieces) <= width {
            break;
        }
        pieces.retain(|(words, _)| *words != dropped.as_str());
    }
    let mut spans = vec![Span::styled(format!(" {name} "), look.style(Role::Dim))];
    for (words, role) in pieces {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(text::shown(words).into_owned(), look.style(role)));
        spans.push(Span::raw(" "));
    }
    Line::from(spans).render(area, buffer);
}
