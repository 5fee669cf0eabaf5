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
    /// How the fingerprint of the signing key ends, as in `key v8aLuE4c`.
    pub key: String,
    /// As in `net up` or `offline: no socket opened`.
    pub network: String,
}

/// Characters that stay of how a key ends where there is no room for all.
const KEY_LEFT: usize = 4;

/// Draws one row; where room is short, what stands last goes first, but never the side and the step.
pub fn header(props: &HeaderProps, area: Rect, look: &Look, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let short = short_key(&props.key);
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
    // From the least needed: network, all of the key but its end, the key, medium, host.
    for (dropped, left) in [
        (props.network.as_str(), ""),
        (&props.key, &short),
        (&short, ""),
        (&props.medium, ""),
        (&props.host, ""),
    ] {
        if used(&pieces) <= width {
            break;
        }
        pieces.iter_mut().filter(|(words, _)| *words == dropped).for_each(|(words, _)| *words = left);
        pieces.retain(|(words, _)| !words.is_empty());
    }
    let mut spans = vec![Span::styled(format!(" {name} "), look.style(Role::Dim))];
    for (words, role) in pieces {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(text::shown(words).into_owned(), look.style(role)));
        spans.push(Span::raw(" "));
    }
    Line::from(spans).render(area, buffer);
}

/// As in `key ..uE4c`, of `key v8aLuE4c`.
fn short_key(key: &str) -> String {
    let Some((word, end)) = key.split_once(' ') else { return String::new() };
    let from = end.char_indices().rev().nth(KEY_LEFT - 1).map_or(0, |(at, _)| at);
    format!("{word} ..{}", &end[from..])
}
