//! A pack that runs or ended: a row for each phase, how it ended and what helps, and the items, failed ones first.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::config::theme::Role;
use crate::dialogs::page::wrap;
use crate::domain::progress::Phase;
use crate::domain::text;
use crate::domain::view::{ItemState, ItemView, JobView};
use crate::engine::spec::{JobReport, JobSpec};
use crate::tui::hints;
use crate::tui::model::{JobState, Model};
use crate::tui::msg::Ended;
use crate::tui::words;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::phases::{PhaseRow, Standing, phase};
use crate::widgets::table::{Column, Row, Value, table};

/// The phases of a pack, in their order, and what each is called here.
const PHASES: [(Phase, &str); 6] = [
    (Phase::Resolve, "resolve"),
    (Phase::Fetch, "fetch"),
    (Phase::Write, "write"),
    (Phase::Flush, "flush"),
    (Phase::ReadBack, "read back"),
    (Phase::Sign, "sign"),
];

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
const fn word(state: ItemState, running: bool) -> (&'static str, Role) {
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
fn told(name: &str, room: usize) -> &str {
    let mut rest = name;
    while text::width(rest) > room
        && let Some((_, shorter)) = rest.split_once('/')
    {
        rest = shorter;
    }
    rest
}

/// What a filter looks at.
pub(super) fn searched(item: &ItemView) -> String {
    format!("{} {} {}", word(item.state, true).0, item.name, item.note.as_deref().unwrap_or_default())
}

/// How many items stand how, in one line.
pub(super) fn counts(view: &JobView) -> String {
    let list = order(view);
    let states = list.iter().filter_map(|at| view.items.list.get(*at)).map(|item| item.state);
    let mut counts = [0u64; 4];
    for state in states {
        counts[match state {
            ItemState::Failed => 0,
            ItemState::Done | ItemState::Skipped => 1,
            ItemState::Running => 2,
            ItemState::Waiting => 3,
        }] += 1;
    }
    let [failed, ok, running, waiting] = counts;
    let mut words = vec![format!("{failed} failed"), format!("{ok} ok")];
    words.push(format!("{} to go", running + waiting));
    if view.items.unlisted > 0 {
        words.push(format!("{} not listed", view.items.unlisted));
    }
    if view.retries > 0 {
        words.push(format!("retries: {}", view.retries));
    }
    if !view.warnings.is_empty() {
        words.push(format!("warnings: {} (l shows them)", view.warnings.len()));
    }
    words.join(", ")
}

/// How a job stands, for its phases.
pub(super) const fn standing(job: &JobState) -> Standing {
    match &job.ended {
        None => Standing::Running,
        Some(Ended::Succeeded(_)) => Standing::Done,
        Some(Ended::Failed(_)) => Standing::Failed,
        Some(Ended::Cancelled) => Standing::Stopped,
    }
}

/// Draws all of it.
pub(super) struct RunView<'a> {
    /// The job.
    pub(super) job: &'a JobState,
    /// How long it runs, or took.
    pub(super) at: Duration,
    /// Numbers of the items that are shown.
    pub(super) order: &'a [usize],
    /// The list of them.
    pub(super) list: &'a List,
}

impl RunView<'_> {
    pub(super) fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let head = self.head(model);
        line::words(&head, look.style(Role::Title), line::row(area, 0), buffer);
        let mut at = 1;
        for (wanted, name) in PHASES {
            self.phase((wanted, name), line::row(area, at), look, buffer);
            at += 1;
        }
        line::rule(line::row(area, at), look, buffer);
        at += 1;
        let outcome = self.outcome(usize::from(area.width).saturating_sub(2));
        // The items keep a few rows, where there are some; the reason of a failure needs the rest.
        let least = if self.order.is_empty() { 0 } else { 4 };
        let most = usize::from(area.height.saturating_sub(at + least));
        for (words, role) in outcome.iter().take(most) {
            line::words(&format!(" {words}"), look.style(*role), line::row(area, at), buffer);
            at += 1;
        }
        if !outcome.is_empty() && !self.order.is_empty() {
            line::rule(line::row(area, at), look, buffer);
            at += 1;
        }
        self.items(line::below(area, at), look, buffer);
    }

    /// What is made, where, and since when.
    fn head(&self, model: &Model) -> String {
        let JobSpec::Pack(spec) = &self.job.spec else { return String::new() };
        let plan = model
            .assembly
            .run
            .as_ref()
            .and_then(|run| run.plan.as_deref())
            .or_else(|| model.assembly.plan.as_ref().and_then(|plan| plan.outcome.as_deref().ok()));
        let name = plan.map_or_else(
            || spec.name.clone(),
            |plan| plan.place.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        );
        let sums = plan.map_or_else(String::new, |plan| {
            let totals = plan.resolved.totals;
            format!("   {}   {}", text::count(totals.images, "image"), text::bytes(totals.bytes))
        });
        format!(" {name}{sums}   to {}   {}", spec.to.display(), clock(self.at))
    }

    fn phase(&self, (wanted, name): (Phase, &str), area: Rect, look: &Look, buffer: &mut Buffer) {
        let JobSpec::Pack(spec) = &self.job.spec else { return };
        let before = match (wanted, standing(self.job)) {
            (Phase::ReadBack, _) if !spec.read_back => "not wanted: what the medium keeps stays unknown",
            (Phase::Sign, Standing::Running) => "waits: the signature is written last",
            (Phase::Sign, Standing::Failed | Standing::Stopped) => "nothing was signed",
            (_, Standing::Running) => "waits",
            _ => "did not begin",
        };
        let view = self.job.view.phases.iter().rev().find(|view| view.phase == wanted);
        phase(
            &PhaseRow { name, view, before, at: self.at, standing: standing(self.job) },
            area,
            look,
            buffer,
        );
    }

    /// How it ended, what that means and what is next; while it runs, what it waits for.
    fn outcome(&self, columns: usize) -> Vec<(String, Role)> {
        let lines = match &self.job.ended {
            None if self.job.stopping => {
                vec![("! stopping at the next safe point; what is done is kept".to_owned(), Role::Warn)]
            }
            None if self.job.paused => vec![("! paused; p goes on".to_owned(), Role::Warn)],
            None if self.differs() => vec![(
                "! What was read back differs: the stick is failing or a fake, more often than not. Reading goes on \
                 to find every bad file; nothing will be signed."
                    .to_owned(),
                Role::Fail,
            )],
            None => Vec::new(),
            Some(Ended::Succeeded(report)) => succeeded(report),
            Some(Ended::Cancelled) => vec![(
                "! stopped; what is done is kept and nothing was signed. Enter goes on".to_owned(),
                Role::Warn,
            )],
            Some(Ended::Failed(failure)) => {
                let mut lines = words::failure(failure);
                lines.retain(|(words, _)| !words.is_empty());
                let next = "r does the same again: what is there is hashed, the rest is fetched";
                lines.push((next.to_owned(), Role::Text));
                lines
            }
        };
        let fold = |(words, role): (String, Role)| {
            wrap(&text::shown(&words), columns)
                .into_iter()
                .map(move |piece| (piece, role))
                .collect::<Vec<_>>()
        };
        lines.into_iter().flat_map(fold).collect()
    }

    fn differs(&self) -> bool {
        self.job.view.phases.iter().any(|view| view.phase == Phase::ReadBack && view.failed > 0)
    }

    /// Notes get only the room that the longest needs.
    fn columns(&self, width: u16) -> Vec<Column> {
        let list = &self.job.view.items.list;
        let notes = self.order.iter().filter_map(|at| list.get(*at)?.note.as_deref());
        let longest = notes.map(|note| text::width(note) + 7).max().unwrap_or(0);
        let note = u16::try_from(longest).unwrap_or(u16::MAX).min(width / 3);
        let mut columns = vec![Column::left("STATE", 6), Column::left("ITEM", 0), Column::right("SIZE", 8)];
        if note > 0 {
            columns.push(Column::left("NOTE", note));
        }
        columns
    }

    fn items(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        if self.order.is_empty() {
            return;
        }
        let list = &self.job.view.items.list;
        let columns = self.columns(area.width);
        let taken: u16 = columns.iter().map(|column| column.width + 2).sum();
        let room = usize::from(area.width.saturating_sub(taken + 3));
        let row = |row: usize| {
            let item = self.order.get(row).and_then(|at| list.get(*at));
            let values = item.map_or_else(Vec::new, |item| {
                let (state, role) = word(item.state, self.job.running());
                let size = if item.bytes > 0 { text::bytes(item.bytes) } else { String::new() };
                let mut note = item.note.clone().unwrap_or_default();
                if item.retries > 0 && item.state == ItemState::Running {
                    note = format!("try {}: {note}", item.retries + 1);
                }
                let note_role = if item.state == ItemState::Failed { Role::Fail } else { Role::Dim };
                vec![
                    Value::styled(state, role),
                    Value::plain(told(&item.name, room)),
                    Value::plain(size),
                    Value::styled(note, note_role),
                ]
            });
            Row { marked: false, values }
        };
        table(&columns, self.list, row, area, look, buffer);
    }
}

fn succeeded(report: &JobReport) -> Vec<(String, Role)> {
    let mut lines = match report {
        JobReport::Pack(packed) => {
            let bundle = &packed.bundle;
            let read = if bundle.read_back.is_some() { ", read back" } else { ", NOT read back" };
            vec![(
                format!(
                    "+ OK  {} serial {} is complete on the medium{read} and signed",
                    bundle.name, bundle.serial
                ),
                if bundle.read_back.is_some() { Role::Ok } else { Role::Warn },
            )]
        }
        _ => Vec::new(),
    };
    if let Some(verdict) = report.verdict() {
        lines = vec![(format!("! WARN  {verdict}"), Role::Warn)];
        lines.extend(verdict.hints.iter().map(|hint| (format!("next: {}", hints::here(hint)), Role::Text)));
    }
    lines.push(("Enter or n shows the report".to_owned(), Role::Text));
    lines
}

/// `h:mm:ss`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::progress::Event;

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
            Event::Started { phase: Phase::Fetch, items: 3, bytes: 3 },
            Event::Planned { phase: Phase::Fetch, items: vec![planned("c"), planned("b"), planned("a")] },
            Event::Done { phase: Phase::Fetch, item: name("c"), bytes: 1 },
            Event::Item { phase: Phase::Fetch, item: name("a"), bytes: 1 },
        ] {
            view.apply(&event, at);
        }
        let names: Vec<&str> = order(&view).into_iter().map(|at| view.items.list[at].name.as_str()).collect();
        assert_eq!(names, ["bad", "a", "c", "b"]);
        assert_eq!(counts(&view), "1 failed, 1 ok, 2 to go");
        assert_eq!(clock(Duration::from_secs(3725)), "1:02:05");
    }
}
