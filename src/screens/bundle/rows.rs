//! The rows of Bundle, and what is said below them of the one under the cursor.

use crate::config::theme::Role;
use crate::domain::bundle::incomplete;
use crate::domain::text;
use crate::domain::trust::SerialDecision;
use crate::engine::bundle::offer::{Offer, Said};
use crate::engine::sign::{Outcome, SignatureReport};
use crate::tui::model::Model;
use crate::tui::msg::Ended;
use crate::widgets::facts::Fact;
use crate::widgets::table::{Column, Row, Value};

pub(super) const COLUMNS: &[Column] =
    &[Column::left("BUNDLE", 16), Column::right("SIZE", 9), Column::left("HERE", 0), Column::left("ON", 15)];

/// Name and serial, or the directory's name where the bundle cannot be read.
pub(super) fn name(offer: &Offer) -> String {
    match &offer.said {
        Ok(said) => format!("{}-{}", said.report.name, said.report.serial),
        Err(_) => offer
            .path
            .file_name()
            .map_or_else(|| offer.path.display().to_string(), |name| name.to_string_lossy().into_owned()),
    }
}

pub(super) fn row_of(offer: &Offer, model: &Model) -> Row {
    let (size, here) = match &offer.said {
        Ok(said) => (
            text::bytes(said.report.totals.bytes),
            verified(offer, model).unwrap_or_else(|| standing(said, model)),
        ),
        Err(reason) => (String::new(), (format!("x {reason}"), Role::Fail)),
    };
    // Two copies of a bundle differ in nothing else.
    let above = || offer.path.parent().unwrap_or(&offer.path).display().to_string();
    let on = offer.medium.clone().unwrap_or_else(above);
    let chosen = model.gap.chosen.as_ref() == Some(&offer.path);
    let values =
        vec![Value::plain(name(offer)), Value::plain(size), Value::styled(here.0, here.1), Value::plain(on)];
    Row { marked: chosen, values }
}

/// What came of verifying this copy.
fn verified(offer: &Offer, model: &Model) -> Option<(String, Role)> {
    let checked = model.gap.checked.as_ref().filter(|checked| checked.spec.path == offer.path)?;
    match &checked.ended {
        Ended::Failed(failure) => Some((format!("x REFUSED ({})", failure.class()), Role::Fail)),
        Ended::Succeeded(_) => Some(("+ verified".to_owned(), Role::Ok)),
        Ended::Cancelled => None,
    }
}

/// What this host makes of it at first sight, the weightiest first.
fn standing(said: &Said, model: &Model) -> (String, Role) {
    let (report, (parts, there)) = (&said.report, said.parts);
    if report.signatures.iter().all(|signature| signature.fault.is_some()) {
        return ("x not signed: incomplete".to_owned(), Role::Fail);
    }
    if there < parts {
        return (format!("x {there} of {parts} parts are here"), Role::Fail);
    }
    if report.expires.is_some_and(|expires| expires < model.now) {
        return ("! expired".to_owned(), Role::Warn);
    }
    match &said.serial {
        None => ("! key not trusted yet".to_owned(), Role::Warn),
        Some(SerialDecision::Newer { from }) => (format!("newer ({from} -> {})", report.serial), Role::Ok),
        Some(SerialDecision::First) => ("the first of its name".to_owned(), Role::Text),
        // Of the document alone: any byte of this copy may be another one.
        Some(SerialDecision::Same) => ("known; verify this copy".to_owned(), Role::Text),
        Some(SerialDecision::Rollback { accepted, .. }) => {
            (format!("! older ({accepted} was accepted)"), Role::Warn)
        }
        Some(decision) => (format!("! {decision}"), Role::Warn),
    }
}

pub(super) fn details(offer: &Offer, model: &Model) -> Vec<Fact> {
    let mut facts = vec![("at", offer.path.display().to_string(), Role::Text)];
    let said = match &offer.said {
        Ok(said) => said,
        Err(reason) => {
            facts.push(("x", reason.clone(), Role::Fail));
            return facts;
        }
    };
    let report = &said.report;
    let (expires, role) = match report.expires {
        None => ("never expires".to_owned(), Role::Text),
        Some(time) if time < model.now => (format!("EXPIRED {time:.0} by this clock"), Role::Warn),
        Some(time) => (format!("expires {time:.0}"), Role::Text),
    };
    facts.push(("id", report.id.to_string(), Role::Text));
    facts.push(("created", format!("{:.0}, {expires}", report.created), role));
    facts.extend(said.trust.signatures.iter().map(signed));
    let parts = match said.parts {
        (0, _) => String::new(),
        (parts, there) => format!(", parts {there}/{parts}"),
    };
    let totals = report.totals;
    let size = text::bytes(totals.bytes);
    facts.push((
        "holds",
        format!("{}, {size}{parts}", text::content(totals.images, totals.blobs, None)),
        Role::Text,
    ));
    if let Some(words) = incomplete(&report.missing) {
        facts.push(("!", words, Role::Warn));
    }
    if let Some(decision) = &said.serial {
        facts.push(("serial", format!("{}: {decision}", report.serial), Role::Text));
    }
    facts.extend(said.problems.iter().map(|problem| ("!", problem.clone(), Role::Warn)));
    facts
}

/// A signature with its key, and whose that is.
pub(in crate::screens) fn signed(signature: &SignatureReport) -> Fact {
    let key = signature.shown_key().unwrap_or_else(|| signature.file.clone());
    match &signature.outcome {
        Outcome::Good { principals } => ("signed", format!("{key} {principals}"), Role::Text),
        Outcome::UnknownKey => ("signed", format!("{key} not trusted here"), Role::Warn),
        _ => ("! signed", signature.to_string(), Role::Warn),
    }
}
