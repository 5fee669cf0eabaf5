//! Where an import goes to, row by row: each target with its state, its room and what the plan comes to there.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::rows::Counts;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::text;
use crate::tui::importing::Plan;
use crate::tui::model::Model;
use crate::widgets::line;
use crate::widgets::look::Look;

/// Targets that are shown at most, and where rows are few; `t` shows all.
const TARGETS: usize = 5;
const FEW_TARGETS: usize = 2;
/// Cells of the columns but the first, which has the rest: state, free, plan.
const WIDE: [usize; 3] = [17, 9, 20];
/// The same on a screen of fewer than 76 columns, where `t` shows what is free.
const NARROW: [usize; 3] = [16, 0, 14];

/// Draws the targets, those that are chosen first and where rows are few those alone; how many rows they take.
pub(super) fn targets(model: &Model, look: &Look, (area, few): (Rect, bool), buffer: &mut Buffer) -> u16 {
    let import = &model.gap.import;
    let mut offered = import.listed();
    if few && !import.marked.is_empty() {
        offered.retain(|one| import.marked.contains(&one.target));
    }
    let most = if few { FEW_TARGETS } else { TARGETS };
    let [state_cells, free_cells, plan_cells] = if area.width < 76 { NARROW } else { WIDE };
    let gaps = if free_cells == 0 { 4 } else { 6 };
    let taken = 3 + state_cells + free_cells + plan_cells + gaps;
    let first = usize::from(area.width).saturating_sub(taken).max(8);
    let row = |mark: &str, cells: [&str; 4]| {
        let [into, state, free, plan] = cells;
        let into = text::padded(&line::fit(into, first), first);
        let state = text::padded(&line::fit(state, state_cells), state_cells);
        if free_cells == 0 {
            return format!("{mark}{into}  {state}  {plan}");
        }
        let free = line::fit(free, free_cells);
        let blanks = " ".repeat(free_cells.saturating_sub(text::width(&free)));
        format!("{mark}{into}  {state}  {blanks}{free}  {plan}")
    };
    let mut draw = |at: u16, words: &str, role: Role| {
        line::words(words, look.style(role), line::row(area, at), buffer);
    };
    draw(0, &row("   ", ["INTO", "STATE", "FREE", "PLAN"]), Role::Dim);
    let mut at = 1;
    for one in offered.iter().take(most) {
        let chosen = import.marked.contains(&one.target);
        let plan = import.planned().filter(|_| chosen);
        let plan = plan.and_then(|plan| plan.targets.iter().find(|target| target.target == one.target));
        let known =
            import.plan.iter().flat_map(Plan::others).find(|known| chosen && known.target == one.target);
        let counts = plan.map(|target| Counts::of(target, import)).or_else(|| known.map(Counts::foreseen));
        let plan = counts.map_or_else(String::new, |counts| counts.words(true));
        let free = one.free.map_or_else(String::new, text::bytes);
        let refused = import.plan.as_ref().is_some_and(|plan| plan.is_refused(&one.target));
        let state = if refused { "x refused" } else { one.state.as_str() };
        let words = row(if chosen { " * " } else { "   " }, [&one.target.to_string(), state, &free, &plan]);
        let role = match (chosen, one.ready) {
            _ if refused => Role::Fail,
            (true, true) => Role::Marked,
            (true, false) => Role::Warn,
            (false, _) => Role::Dim,
        };
        draw(at, &words, role);
        at += 1;
    }
    if offered.is_empty() {
        draw(at, &none_offered(model), Role::Dim);
        at += 1;
    }
    if offered.len() > most {
        draw(
            at,
            &format!("   {} more; {} shows them all", offered.len() - most, model.key(Act::ImportTargets)),
            Role::Dim,
        );
        at += 1;
    }
    at
}

/// Said where no target can be chosen.
fn none_offered(model: &Model) -> String {
    match model.gap.import.node {
        Some(_) => {
            let other = model.key(Act::ImportOther);
            format!(
                "   no runtime was found on this node; {other} takes a registry, a directory or an archive"
            )
        }
        None => "   looking for the runtimes of this node ...".to_owned(),
    }
}
