//! The question before a pack starts: what is planned, and whether it goes on with what lies there or replaces it.

use super::plan::{Fact, told};
use crate::actions::Act;
use crate::dialogs::Confirm;
use crate::engine::pack::PlanReport;
use crate::tui::model::Model;

/// The question before the start, with the plan.
pub(super) fn question(plan: &PlanReport, model: &Model) -> Confirm {
    let (ask, told) = (Act::Pack, paragraphs(model));
    match plan.place.begun.map(|begun| begun.same) {
        Some(true) => Confirm::new(ask, "Go on with the interrupted bundle there?", told, "Go on"),
        // It must not be gone over unasked.
        Some(false) => Confirm::new(ask, "Replace the interrupted bundle there?", told, "Replace it"),
        None => Confirm::new(ask, "Assemble and sign this?", told, "Start"),
    }
}

/// The plan in it, a paragraph each; there no key changes it.
fn paragraphs(model: &Model) -> Vec<String> {
    let paragraph = |(name, words, _): Fact| match name {
        "" => words,
        name => format!("{name}: {words}"),
    };
    told(model, false).into_iter().map(paragraph).collect()
}
