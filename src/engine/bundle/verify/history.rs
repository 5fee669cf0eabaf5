//! What this host knows of earlier bundles of the same name, by key: the decision about a serial, and how it is told.

use serde::Serialize;

use super::VerifySpec;
use crate::domain::bundle::BundleManifest;
use crate::domain::digest::Digest;
use crate::domain::trust::SerialDecision;
use crate::engine::error::Result;
use crate::engine::sign::TrustReport;
use crate::engine::state;

/// What this host knows of earlier bundles of that name, for one key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The key.
    pub fingerprint: String,
    /// How the serial relates to what was accepted before.
    #[serde(flatten)]
    pub decision: SerialDecision,
}

/// Decides about the serial, key by key.
///
/// # Errors
/// A serial that is not let through for one of them.
pub(super) fn decide(
    spec: &VerifySpec,
    known: &state::History,
    document: &BundleManifest,
    digest: &Digest,
    trust: &TrustReport,
) -> Result<Vec<History>> {
    let mut found = Vec::new();
    for fingerprint in &trust.signed_by {
        let decision =
            known.decide(&document.name, std::slice::from_ref(fingerprint), document.serial, digest);
        decision.enforce(&document.name, spec.allow_rollback.covers(document.id))?;
        found.push(History { fingerprint: fingerprint.clone(), decision });
    }
    Ok(found)
}

/// What the operator should know of it.
pub(super) fn warnings(known: &state::History, history: &[History], name: &str) -> Vec<String> {
    match &known.problem {
        Some(problem) => vec![format!("no history, rollback not checked: {problem}")],
        None => history.iter().filter_map(|history| warning(history, name)).collect(),
    }
}

fn warning(history: &History, name: &str) -> Option<String> {
    let key = &history.fingerprint;
    match history.decision {
        SerialDecision::First => {
            Some(format!("no history of {name} by {key} on this host: rollback not checked"))
        }
        SerialDecision::Rollback { accepted, offered } => Some(format!(
            "serial {offered} of {name} is older than {accepted}, accepted before: let through on request"
        )),
        SerialDecision::HugeJump { accepted, offered } => {
            Some(format!("the serial of {name} jumps from {accepted} to {offered}: let through on request"))
        }
        _ => None,
    }
}

/// The decision in words.
pub(super) fn words(known: &state::History, history: &[History]) -> String {
    if known.problem.is_some() {
        return "not checked: the history of this host cannot be read".to_owned();
    }
    let mut by_decision: Vec<(&SerialDecision, Vec<&str>)> = Vec::new();
    for History { fingerprint, decision } in history {
        match by_decision.iter_mut().find(|(known, _)| *known == decision) {
            Some((_, keys)) => keys.push(fingerprint),
            None => by_decision.push((decision, vec![fingerprint])),
        }
    }
    if let [(decision, keys)] = by_decision.as_slice() {
        return match keys.len() {
            ..=1 => decision.to_string(),
            2 => format!("{decision}, by both keys"),
            all => format!("{decision}, by all {all} keys"),
        };
    }
    let words = by_decision.iter().map(|(decision, keys)| format!("by {}: {decision}", keys.join(" and ")));
    words.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_decisions_are_said_once_and_different_ones_name_their_keys() {
        let known = state::History::default();
        let said = |decisions: &[SerialDecision]| {
            let history = decisions.iter().zip(["SHA256:a", "SHA256:b", "SHA256:c"]);
            let history: Vec<History> = history
                .map(|(decision, key)| History { fingerprint: key.to_owned(), decision: decision.clone() })
                .collect();
            words(&known, &history)
        };
        let (same, newer) = (SerialDecision::Same, SerialDecision::Newer { from: 3 });
        assert_eq!(said(std::slice::from_ref(&same)), "the same one as accepted before");
        assert_eq!(said(&[same.clone(), same.clone()]), "the same one as accepted before, by both keys");
        let all = [same.clone(), same.clone(), same.clone()];
        assert_eq!(said(&all), "the same one as accepted before, by all 3 keys");
        assert_eq!(
            said(&[same.clone(), newer, same]),
            "by SHA256:a and SHA256:c: the same one as accepted before; by SHA256:b: newer than the last accepted one, 3"
        );
    }
}
