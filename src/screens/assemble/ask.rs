//! What is asked before a pack starts: when it expires, and whether it goes on with what lies there, replaces it or begins.

use super::plan::{Fact, told};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::{Confirm, Input, Question};
use crate::domain::expiry::Expiry;
use crate::domain::keep_going::KeepGoing;
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

/// The plan in it, a paragraph each; there no key changes it. What is lost or risked comes first: where rows are few, it
/// is seen before the start.
fn paragraphs(model: &Model) -> Vec<String> {
    let paragraph = |(name, words, _): Fact| match name {
        "" => words,
        name => format!("{name}: {words}"),
    };
    let (warned, rest): (Vec<_>, Vec<_>) =
        told(model, false).into_iter().partition(|(_, _, role)| *role == Role::Warn);
    warned.into_iter().chain(rest).map(paragraph).collect()
}

/// Asks when it expires, with what is to be known of clocks.
pub(super) fn ask_expiry(model: &Model) -> Input {
    let help = format!(
        "A span from the pack on, like 30d, 12w or 36h; a date like 2027-02-18, as it begins in UTC; or never. Here it is \
         {} now; whether it has expired, the other side judges by its own clock.",
        model.now.strftime("%Y-%m-%d %H:%MZ")
    );
    let check = |text: &str| expiry(text).map(drop);
    Input::new(Question { act: Act::AssembleEdit, part: 2 }, "Expires", &help).checked(check)
}

/// An expiry as it is typed.
pub(super) fn expiry(text: &str) -> Result<Option<Expiry>, String> {
    match text.trim() {
        "never" | "" => Ok(None),
        text => text.parse().map(Some).map_err(|error: crate::domain::expiry::ExpiryError| error.to_string()),
    }
}

/// What a change of settings is offered as, in the order of [`super::EDITS`].
pub(super) fn settings(model: &Model) -> [String; 5] {
    let assembly = &model.assembly;
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    [
        model.gone_on_with().unwrap_or(&assembly.name).to_owned(),
        assembly.expires.map_or_else(|| "never".to_owned(), |expires| expires.to_string()),
        yes(assembly.read_back),
        yes(assembly.tool),
        match model.keeps_going() {
            KeepGoing::No => "no",
            KeepGoing::Unresolved => "without what failed on Verify",
            KeepGoing::All => "yes, and without what fails later",
        }
        .to_owned(),
    ]
}
