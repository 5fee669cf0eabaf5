//! A pack that runs or ended: a row for each phase, how it ended and what helps, and the items, failed ones first.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ended::{failed, fitting, helping, succeeded};
use super::items::{told, word};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::page::wrap;
use crate::domain::progress::Phase;
use crate::domain::text;
use crate::domain::view::{ItemState, PhaseView};
use crate::engine::pack::PlanReport;
use crate::engine::spec::JobSpec;
use crate::tui::model::{JobState, Model};
use crate::tui::msg::Ended;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::phases::{PhaseRow, Standing, awaited, phase};
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

/// With fewer rows than this only the phases that are under way have one each.
const TIGHT: u16 = 14;

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
        let head = self.head(model, usize::from(area.width));
        line::words(&head, look.style(Role::Title), line::row(area, 0), buffer);
        let mut at = 1;
        let signed = model.signed_before(self.job);
        let tight = area.height < TIGHT;
        if tight {
            line::words(&self.others(), look.style(Role::Text), line::row(area, at), buffer);
            at += 1;
        }
        for (wanted, name) in PHASES {
            if !tight || self.of(wanted).is_some_and(|view| !view.finished) {
                let row = line::row(area, at);
                self.phase((wanted, name), signed.as_deref(), (row, look), buffer);
                at += 1;
            }
        }
        line::rule(line::row(area, at), look, buffer);
        at += 1;
        let columns = usize::from(area.width).saturating_sub(2);
        let mut said: Vec<_> = self.said(model, signed.as_deref());
        said.extend(self.awaited(area.width));
        let said: Vec<_> =
            said.iter().map(|(words, role)| (wrap(&text::shown(words), columns), *role)).collect();
        // The items keep a few rows, where there are some and what helps leaves them; the reason of a failure needs the rest.
        let few: u16 = if self.job.running() { 3 } else { 0 };
        let least = if self.order.is_empty() {
            0
        } else if tight {
            few
        } else {
            4
        };
        let all = usize::from(area.height.saturating_sub(at));
        let most = all.saturating_sub(usize::from(least)).max(helping(&said).min(all));
        let (fits, more) = fitting(&said, most);
        for (words, role) in &fits {
            line::words(&format!(" {words}"), look.style(*role), line::row(area, at), buffer);
            at += 1;
        }
        if more > 0 {
            let lines = text::count(more as u64, "more line");
            let words = format!(" {lines}; {} shows them all", model.keymap.says(Act::AssembleDetails));
            line::words(&words, look.style(Role::Warn), line::row(area, at), buffer);
            at += 1;
        }
        if !fits.is_empty() && !self.order.is_empty() && !tight && area.height > at + 2 {
            line::rule(line::row(area, at), look, buffer);
            at += 1;
        }
        let below = line::below(area, at);
        // A heading alone says nothing.
        if below.height > 1 {
            self.items(below, look, buffer);
        }
    }

    /// A phase as far as it is known.
    fn of(&self, wanted: Phase) -> Option<&PhaseView> {
        self.job.view.phases.iter().rev().find(|view| view.phase == wanted)
    }

    /// The phases that have no row of their own where rows are few: those that are done, and those that did not begin.
    fn others(&self) -> String {
        let names = |done: bool| {
            let own = PHASES.iter().filter(|(phase, _)| match self.of(*phase) {
                Some(view) => done && view.finished,
                None => !done,
            });
            own.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
        };
        let to_come = if self.job.running() { "waiting" } else { "not started" };
        let parts = [("+ ok", names(true)), (to_come, names(false))];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        parts.map(|(what, names)| format!(" {what}: {names}  ")).collect()
    }

    /// What is made, where, and since when; where takes what the others leave of so many columns.
    fn head(&self, model: &Model, columns: usize) -> String {
        let JobSpec::Pack(spec) = &self.job.spec else { return String::new() };
        let before = model.signed_before(self.job);
        // What was planned of a bundle that is signed by now is not planned of this run.
        let run = model.assembly.run.as_ref().filter(|_| before.is_none() || !self.job.running());
        let plan = run
            .and_then(|run| run.plan.as_deref())
            .or_else(|| model.assembly.plan.as_ref().and_then(|plan| plan.outcome.as_deref().ok()));
        let named = |plan: &PlanReport| {
            plan.place.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
        };
        let resumes = model.resumes().filter(|(name, _)| before.as_deref() != Some(*name));
        let (name, sums) = match (plan, resumes) {
            (Some(plan), _) => {
                let totals = plan.resolved.totals;
                let images = text::count(totals.images, "image");
                (named(plan), format!("   {images}   {}", text::bytes(totals.bytes)))
            }
            (None, Some((name, bytes))) => (format!("{name}, resumed"), format!("   {}", text::bytes(bytes))),
            (None, None) => (spec.name.clone(), String::new()),
        };
        let (what, since) = (format!(" {name}{sums}   to "), format!("   {}", clock(self.at)));
        let room = columns.saturating_sub(text::width(&what) + text::width(&since));
        let to = spec.to.display().to_string();
        format!("{what}{}{since}", text::middle(&text::shown(&to), room))
    }

    fn phase(
        &self,
        (wanted, name): (Phase, &str),
        signed: Option<&str>,
        (area, look): (Rect, &Look),
        buffer: &mut Buffer,
    ) {
        let JobSpec::Pack(spec) = &self.job.spec else { return };
        let before = match (wanted, standing(self.job)) {
            (Phase::ReadBack, _) if !spec.read_back => "off: nobody knows what the medium really stored",
            (Phase::Sign, Standing::Running) => "waiting: the signature is written last",
            (Phase::Sign, Standing::Failed | Standing::Stopped) => match signed {
                Some(_) => "not in this run",
                None => "nothing was signed",
            },
            (_, Standing::Running) => "waits",
            _ => "not started",
        };
        let (view, standing) = (self.of(wanted), standing(self.job));
        let awaits = self.of(Phase::Fetch).filter(|_| wanted == Phase::Write);
        phase(&PhaseRow { name, view, before, at: self.at, standing, awaits }, area, look, buffer);
    }

    /// How it ended, what that means and what is next; while it runs, what it waits for.
    pub(super) fn said(&self, model: &Model, signed: Option<&str>) -> Vec<(String, Role)> {
        let keymap = &model.keymap;
        let mut lines = match &self.job.ended {
            None if self.job.stopping => {
                vec![("! stopping at the next safe point; finished work is kept".to_owned(), Role::Warn)]
            }
            None if self.job.paused => vec![(format!("! paused; {} resumes", keymap.says(Act::Pause)), Role::Warn)],
            None if self.differs() => vec![(
                "! Data read back differs: usually a failing or fake medium. Reading continues to find every bad file; nothing will be signed."
                    .to_owned(),
                Role::Fail,
            )],
            None => Vec::new(),
            Some(Ended::Succeeded(report)) => succeeded(report, keymap),
            Some(Ended::Cancelled) => vec![(
                format!(
                    "! stopped; finished work is kept, nothing was signed. {} resumes",
                    keymap.says(Act::Pack)
                ),
                Role::Warn,
            )],
            Some(Ended::Failed(failure)) => {
                let (signing, goes_on) = (self.of(Phase::Sign).is_some(), model.goes_on(self.job));
                failed(failure, (signing, goes_on), model)
            }
        };
        if let (Some(signed), false) = (signed, self.job.running()) {
            lines
                .insert(0, (format!("+ {signed}, signed before this run, stays as it was signed"), Role::Ok));
        }
        lines
    }

    /// Whom it waits for, where the row of the phase is too short to say so.
    fn awaited(&self, width: u16) -> Option<(String, Role)> {
        let phases = self.job.view.phases.iter().filter(|_| self.job.running());
        let words = phases.filter_map(|view| awaited(view, self.at, width)).next()?;
        Some((format!("! {words}"), Role::Warn))
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
                    let which = format!("try {}", item.retries + 1);
                    note = if note.is_empty() { which } else { format!("{which}: {note}") };
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

/// `h:mm:ss`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_hours_minutes_and_seconds() {
        assert_eq!(clock(Duration::from_secs(3725)), "1:02:05");
    }
}
