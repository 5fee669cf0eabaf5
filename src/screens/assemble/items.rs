//! The items of a pack: which are shown, in what order, and in which words.

use std::collections::BTreeMap;

use crate::actions::Act;
use crate::config::keymap::Keymap;
use crate::config::theme::Role;
use crate::domain::text;
use crate::domain::view::{ItemState, ItemView, JobView};

/// Numbers of the items to show: failed ones of all phases first, then those of the latest phase that has some, what
/// is under way before what is done, and what waits last.
pub(super) fn order(view: &JobView) -> Vec<usize> {
    let list = &view.items.list;
    let latest = view.phases.iter().rev().find(|phase| list.iter().any(|item| item.phase == phase.phase));
    let rank = |item: &ItemView| match item.state {
        ItemState::Failed => Some(0),
        _ if latest.is_none_or(|latest| latest.phase != item.phase) => None,
        ItemState::Running => Some(1),
        ItemState::Done | ItemState::Skipped => Some(2),
        ItemState::Waiting => Some(3),
    };
    let mut ranked: Vec<(u8, usize)> =
        list.iter().enumerate().filter_map(|(at, item)| Some((rank(item)?, at))).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, at)| at).collect()
}

/// The word and look of an item's state.
pub(super) const fn word(state: ItemState, running: bool) -> (&'static str, Role) {
    match state {
        ItemState::Running if !running => ("! cut", Role::Warn),
        ItemState::Failed => ("x FAIL", Role::Fail),
        ItemState::Running => ("> run", Role::Text),
        ItemState::Done => ("+ ok", Role::Ok),
        ItemState::Skipped => ("+ kept", Role::Ok),
        ItemState::Waiting => ("  wait", Role::Dim),
    }
}

/// An item's name in `room` columns: what stands last in it tells most, so host and path go first.
pub(super) fn told(name: &str, room: usize) -> String {
    // Of a digest in front of what stands last, the beginning tells enough: else the row is cut where it tells most.
    let mut rest = match name.split_once(' ') {
        Some((image, part)) if text::width(name) > room => format!("{} {part}", text::short_digests(image)),
        _ => name.to_owned(),
    };
    while text::width(&rest) > room
        && let Some((_, shorter)) = rest.split_once('/')
    {
        rest = shorter.to_owned();
    }
    rest
}

/// What a filter looks at.
pub(super) fn searched(item: &ItemView) -> String {
    format!("{} {} {}", word(item.state, true).0, item.name, item.note.as_deref().unwrap_or_default())
}

/// How many items stand how, in one line.
pub(super) fn counts(view: &JobView, keymap: &Keymap) -> String {
    let list = order(view);
    let items = || list.iter().filter_map(|at| view.items.list.get(*at));
    let latest = items().next_back().map(|item| item.phase);
    // What failed of an earlier phase is of another unit.
    let earlier = items().filter(|item| Some(item.phase) != latest);
    let mut failed_before: BTreeMap<&str, u64> = BTreeMap::new();
    earlier.for_each(|item| *failed_before.entry(item.phase.units()).or_default() += 1);
    let mut counts = [0u64; 4];
    for item in items().filter(|item| Some(item.phase) == latest) {
        counts[match item.state {
            ItemState::Failed => 0,
            ItemState::Done | ItemState::Skipped => 1,
            ItemState::Running => 2,
            ItemState::Waiting => 3,
        }] += 1;
    }
    let [failed, mut ok, running, waiting] = counts;
    // The phase counts what it had before it began: so does this.
    ok += latest
        .and_then(|latest| view.phases.iter().rev().find(|view| view.phase == latest))
        .map_or(0, |view| view.had);
    let units = latest.map_or_else(String::new, |phase| format!("{}: ", phase.units()));
    let mut words: Vec<String> =
        failed_before.iter().map(|(units, failed)| format!("{units}: {failed} failed")).collect();
    words.extend([format!("{units}{failed} failed"), format!("{ok} ok")]);
    words.push(format!("{} to go", running + waiting));
    if view.items.unlisted > 0 {
        words.push(format!("{} not listed", view.items.unlisted));
    }
    if view.retries > 0 {
        words.push(format!("retries: {}", view.retries));
    }
    if !view.warnings.is_empty() {
        words.push(format!("warnings: {} ({} shows them)", view.warnings.len(), keymap.says(Act::Logs)));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::progress::{Event, Phase};

    #[test]
    fn failed_items_of_every_phase_come_first_and_what_waits_last() {
        let mut view = JobView::default();
        let at = Duration::ZERO;
        let name = |name: &str| name.to_owned();
        let planned = |item: &str| crate::domain::progress::PlannedItem { item: name(item), bytes: 1 };
        for event in [
            Event::Started { phase: Phase::Resolve, items: 2, bytes: 0 },
            Event::Failed { phase: Phase::Resolve, item: name("bad"), reason: name("404") },
            Event::Done { phase: Phase::Resolve, item: name("good"), bytes: 1 },
            Event::Started { phase: Phase::Fetch, items: 5, bytes: 3 },
            Event::Had { phase: Phase::Fetch, items: 2 },
            Event::Planned { phase: Phase::Fetch, items: vec![planned("c"), planned("b"), planned("a")] },
            Event::Done { phase: Phase::Fetch, item: name("c"), bytes: 1 },
            Event::Item { phase: Phase::Fetch, item: name("a"), bytes: 1 },
        ] {
            view.apply(&event, at);
        }
        let names: Vec<&str> = order(&view).into_iter().map(|at| view.items.list[at].name.as_str()).collect();
        assert_eq!(names, ["bad", "a", "c", "b"]);
        assert_eq!(counts(&view, &Keymap::default()), "references: 1 failed, blobs: 0 failed, 3 ok, 2 to go");
    }

    #[test]
    fn of_an_image_with_its_digest_the_blob_stays_told() {
        let name =
            format!("127.0.0.1:5000/team/busybox:multi@sha256:{} sha256:0f1e2d3c4b5a", "ab".repeat(32));
        for (room, said) in [
            (48, "busybox:multi@sha256:abababab… sha256:0f1e2d3c4b5a"),
            (60, "team/busybox:multi@sha256:abababab… sha256:0f1e2d3c4b5a"),
            (200, name.as_str()),
        ] {
            assert_eq!(told(&name, room), said);
        }
        assert_eq!(told("host/app:1 sha256:0f1e2d3c4b5a", 28), "app:1 sha256:0f1e2d3c4b5a");
    }
}
