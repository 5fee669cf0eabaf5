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

const NAME: &str = "airlift";
/// Columns of a medium's name from which on it is shortened before anything goes for it: one of a directory, for no
/// device has such a long one.
const LONG: usize = 32;
/// Columns that stay of such a name at least.
const LEAST: usize = 7;

/// Draws one row; where room is short, what stands last goes first, but never the side and the step. A long name of a
/// directory takes what the others leave.
pub fn header(props: &HeaderProps, area: Rect, look: &Look, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let medium = text::shown(&props.medium);
    let pieces = match text::width(&medium) > LONG {
        true => beside_a_long_name(props, &medium, width),
        false => fitting(props, width),
    };
    let mut spans = vec![Span::styled(format!(" {NAME} "), look.style(Role::Dim))];
    for (words, role) in pieces {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(text::shown(&words).into_owned(), look.style(role)));
        spans.push(Span::raw(" "));
    }
    Line::from(spans).render(area, buffer);
}

/// What there is room for beside a name that gets as short as it has to be, with as much of the name as fits then.
fn beside_a_long_name(props: &HeaderProps, name: &str, width: usize) -> Vec<(String, Role)> {
    let least = HeaderProps { medium: text::middle(name, LEAST).into_owned(), ..props.clone() };
    let shorter = HeaderProps { key: short_key(&props.key), ..least.clone() };
    let whole = used(&pieces(&least)) <= width;
    let mut pieces = fitting(if whole { &least } else { &shorter }, width);
    let left = width.saturating_sub(used(&pieces));
    if let Some((words, _)) = pieces.iter_mut().find(|(words, _)| *words == least.medium) {
        *words = text::middle(name, LEAST + left).into_owned();
    }
    pieces
}

/// What there is room for.
fn fitting(props: &HeaderProps, width: usize) -> Vec<(String, Role)> {
    let short = short_key(&props.key);
    let mut pieces = pieces(props);
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
        let it = pieces.iter_mut().filter(|(words, _)| words == dropped);
        it.for_each(|(words, _)| left.clone_into(words));
        pieces.retain(|(words, _)| !words.is_empty());
    }
    pieces
}

fn pieces(props: &HeaderProps) -> Vec<(String, Role)> {
    let HeaderProps { side, host, step, medium, key, network } = props.clone();
    let others = [host, step, medium, key, network].map(|words| (words, Role::Text));
    let mut pieces: Vec<_> = std::iter::once((side, Role::Title)).chain(others).collect();
    pieces.retain(|(words, _)| !words.is_empty());
    pieces
}

/// Columns that these take beside the name of this program.
fn used(pieces: &[(String, Role)]) -> usize {
    pieces.iter().map(|(words, _)| text::width(&text::shown(words)) + 2).sum::<usize>() + NAME.len() + 3
}

/// As in `key ..uE4c`, of `key v8aLuE4c`.
fn short_key(key: &str) -> String {
    let Some((word, end)) = key.split_once(' ') else { return String::new() };
    let from = end.char_indices().rev().nth(KEY_LEFT - 1).map_or(0, |(at, _)| at);
    format!("{word} ..{}", &end[from..])
}
