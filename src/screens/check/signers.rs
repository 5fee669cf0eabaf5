//! How many different trusted keys must have signed: asked, held to, and named where a bundle could be asked for more.

use crate::actions::Act;
use crate::dialogs::Choose;
use crate::dialogs::choose::Item;
use crate::engine::sign::MAX_SIGNATURES;
use crate::tui::model::Model;
use crate::tui::screen::Cx;

/// Numbers that are offered at least; any other one is typed.
const OFFERED: usize = 3;

/// Asks for the number: the cursor stands on the one that is asked for now.
pub(super) fn ask(cx: &mut Cx<'_>) {
    let gap = &cx.model.gap;
    let there = gap.said().map(|said| (said.trust.signatures.len(), said.trust.signed_by.len()));
    let most = there.map_or(0, |(signed, _)| signed).max(gap.signers()).clamp(OFFERED, MAX_SIGNATURES);
    let item = |wanted: usize| {
        let note = match there {
            Some((_, good)) if wanted <= good => "this bundle has so many",
            Some((signed, good)) if wanted <= signed && good < signed => "so many signed, not all trusted",
            Some(_) => "this bundle has fewer: refused",
            None => "",
        };
        let name = match wanted {
            1 => "1 trusted key".to_owned(),
            _ => format!("{wanted} different trusted keys"),
        };
        Item::new(name, note)
    };
    let (items, now) = ((1..=most).map(item).collect(), gap.signers());
    let asked = Choose::new(Act::CheckSigners, "How many signatures?", items);
    cx.open(asked.or_typed(|text| number(text).map(drop)).at(now - 1));
}

/// A row was taken.
pub(super) fn chosen(rows: &[usize], cx: &mut Cx<'_>) {
    if let Some(row) = rows.first() {
        take(row + 1, cx);
    }
}

fn number(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number) if (1..=MAX_SIGNATURES).contains(&number) => Ok(number),
        _ => Err(format!("a number from 1 to {MAX_SIGNATURES}")),
    }
}

/// The number was given.
pub(super) fn answered(text: &str, cx: &mut Cx<'_>) {
    if let Ok(number) = number(text) {
        take(number, cx);
    }
}

fn take(number: usize, cx: &mut Cx<'_>) {
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
