//! How many different trusted keys must have signed: asked, held to, and named where a bundle could be asked for more.

use crate::actions::Act;
use crate::dialogs::Input;
use crate::engine::sign::MAX_SIGNATURES;
use crate::tui::model::Model;
use crate::tui::screen::Cx;
use crate::tui::words::count;

/// Asks for the number.
pub(super) fn ask(cx: &mut Cx<'_>) {
    let signed = cx.model.gap.said().map(|said| said.trust.signatures.len());
    let signed = signed.map_or_else(String::new, |signed| {
        let good = cx.model.gap.said().map_or(0, |said| said.trust.signed_by.len());
        format!(
            " This bundle has {}, {good} of them by a key that is trusted here.",
            count(signed, "signature")
        )
    });
    let help = format!(
        "So many different keys that are trusted here must have signed, else the bundle is refused.{signed}"
    );
    let now = cx.model.gap.signers().to_string();
    cx.open(
        Input::new(Act::CheckSigners, "How many signatures?", &help)
            .with(&now)
            .checked(|text| number(text).map(drop)),
    );
}

fn number(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number) if (1..=MAX_SIGNATURES).contains(&number) => Ok(number),
        _ => Err(format!("a number from 1 to {MAX_SIGNATURES}")),
    }
}

/// The number was given.
pub(super) fn answered(text: &str, cx: &mut Cx<'_>) {
    let Ok(number) = number(text) else { return };
    cx.model.want_signers(number);
    let verify = cx.model.key(Act::Verify);
    let words = match number {
        1 => "one signature by a trusted key is enough".to_owned(),
        _ => format!("{number} signatures by different trusted keys are wanted"),
    };
    cx.say(format!("{words}; {verify} verifies"));
}

/// Whether the chosen bundle has more signatures than are asked for.
pub(super) fn could_be_more(model: &Model) -> bool {
    model.gap.said().is_some_and(|said| said.trust.signatures.len() > model.gap.signers())
}

/// What is wanted beyond one signature, behind other words.
pub(super) fn wanted(model: &Model) -> String {
    match model.gap.signers() {
        1 => String::new(),
        wanted => format!("; {wanted} signatures wanted"),
    }
}

/// What is checked of the signatures.
pub(super) fn about(model: &Model) -> Option<String> {
    let wanted = model.gap.signers();
    let by = if wanted > 1 { format!("{wanted} different trusted keys") } else { "trusted keys".to_owned() };
    let more = could_be_more(model).then(|| {
        let there = model.gap.said().map_or(0, |said| said.trust.signatures.len());
        format!("; {there} signed, {} asks for more", model.key(Act::CheckSigners))
    });
    (wanted > 1 || more.is_some()).then(|| format!("by {by}{}", more.unwrap_or_default()))
}
