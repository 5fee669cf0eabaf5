//! Takes references off the list, those that are seen: what is marked and hidden by a filter is counted and asked about.

use std::collections::BTreeSet;

use super::change::drop_from;
use crate::actions::Act;
use crate::dialogs::{Answer, Confirm};
use crate::domain::text;
use crate::tui::picked::Picked;
use crate::tui::screen::Cx;

/// Cells of the two status rows that are left for more than names.
const WORDS: usize = 40;
/// Names that a question lists of the shown and of the hidden ones each; the others are counted.
const LISTED: usize = 4;

/// What of the list one sees.
#[derive(Debug)]
pub(in crate::screens) struct Seen {
    /// The rows that pass the filter.
    pub(in crate::screens) rows: BTreeSet<usize>,
    /// The one under the cursor.
    pub(in crate::screens) at: Option<usize>,
}

impl Seen {
    /// The marked rows that are seen, and those that are not.
    fn marked(&self, picked: &Picked) -> (BTreeSet<usize>, BTreeSet<usize>) {
        picked.marked_rows().partition(|row| self.rows.contains(row))
    }

    /// Takes the marked rows off the list, or the one under the cursor where none is marked; asks before one that is
    /// not seen goes.
    pub(in crate::screens) fn remove(&self, act: Act, cx: &mut Cx<'_>) {
        let (shown, hidden) = self.marked(&cx.model.picked);
        if hidden.is_empty() {
            let rows = if shown.is_empty() { self.at.into_iter().collect() } else { shown };
            return take_off(&rows, act, cx);
        }
        cx.open(self.question(act, (&shown, &hidden), cx));
    }

    fn question(
        &self,
        act: Act,
        (shown, hidden): (&BTreeSet<usize>, &BTreeSet<usize>),
        cx: &Cx<'_>,
    ) -> Confirm {
        let picked = &cx.model.picked;
        let list = |rows: &BTreeSet<usize>| {
            let names: Vec<String> =
                named(rows, picked).map(|name| text::middle(name, 60).into_owned()).collect();
            let more = names.len().saturating_sub(LISTED);
            let more = (more > 0).then(|| format!("  and {more} more"));
            names.into_iter().take(LISTED).map(|name| format!("  {name}")).chain(more).collect::<Vec<_>>()
        };
        let here: BTreeSet<usize> = self.at.into_iter().collect();
        let mut plan = match (shown.is_empty(), here.is_empty()) {
            (false, _) => vec!["Marked and shown:".to_owned()],
            (true, false) => vec!["Under the cursor, not marked:".to_owned()],
            (true, true) => Vec::new(),
        };
        plan.extend(list(if shown.is_empty() { &here } else { shown }));
        plan.push("Marked, but hidden by the filter:".to_owned());
        plan.extend(list(hidden));
        plan.push(format!("{} brings back what was removed.", cx.model.key(undo(act))));
        let title = "Remove what the filter hides, too?";
        let hides = format!("The {} hidden", hidden.len());
        match (shown.is_empty(), here.is_empty()) {
            (false, _) => Confirm::new(act, title, plan, &format!("The {} shown", shown.len()))
                .or(&format!("All {} marked", shown.len() + hidden.len())),
            (true, false) => Confirm::new(act, title, plan, "The one under the cursor").or(&hides),
            (true, true) => Confirm::new(act, title, plan, &hides),
        }
    }

    /// Takes off what that question was answered with.
    pub(in crate::screens) fn answered(&self, act: Act, answer: &Answer, cx: &mut Cx<'_>) {
        let (mut shown, hidden) = self.marked(&cx.model.picked);
        let rows = match answer {
            Answer::Yes => hidden,
            Answer::Rows(rows) if rows.first() == Some(&0) && shown.is_empty() => {
                self.at.into_iter().collect()
            }
            Answer::Rows(rows) if rows.first() == Some(&0) => shown,
            Answer::Rows(_) => {
                shown.extend(hidden);
                shown
            }
            _ => return,
        };
        take_off(&rows, act, cx);
    }
}

/// What brings it back, on the screen of the operation.
const fn undo(act: Act) -> Act {
    if matches!(act, Act::ResolveRemove) { Act::ResolveUndo } else { Act::ImagesUndo }
}

fn named<'a>(rows: &BTreeSet<usize>, picked: &'a Picked) -> impl Iterator<Item = &'a str> {
    rows.iter().filter_map(|row| picked.name_of(*row))
}

/// Takes rows off the list and says which went, and what brings them back.
fn take_off(rows: &BTreeSet<usize>, act: Act, cx: &mut Cx<'_>) {
    let columns = usize::from(cx.model.columns);
    let names = in_brief(&named(rows, &cx.model.picked).collect::<Vec<_>>(), columns);
    let undo = cx.model.key(undo(act));
    drop_from(rows, cx);
    cx.say(match rows.len() {
        1 => format!("off the list, {undo} brings it back: {names}"),
        count => format!("{count} off the list, {undo} brings them back: {names}"),
    });
}

/// As many names as the two status rows have room for; of several the part after the last slash.
fn in_brief(names: &[&str], columns: usize) -> String {
    if let [name] = names {
        // It has the second row to itself where it does not fit behind the words.
        return text::middle(name, columns.saturating_sub(1)).into_owned();
    }
    let each = columns * 9 / 20;
    // The first row may end where a name does not fit into it.
    let room = (2 * columns).saturating_sub(WORDS + each);
    let short = |name: &&str| text::middle(name.rsplit('/').next().unwrap_or(name), each).into_owned();
    let mut said = String::new();
    for (at, name) in names.iter().map(short).enumerate() {
        let rest = names.len() - at;
        let part = if at > 0 { ", " } else { "" };
        if at > 0 && text::width(&said) + text::width(&name) + 2 > room.saturating_sub("and 1000 more".len())
        {
            return format!("{said} and {rest} more");
        }
        said.push_str(&format!("{part}{name}"));
    }
    said
}
