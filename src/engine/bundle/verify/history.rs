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
    let words: Vec<String> = history.iter().map(|history| history.decision.to_string()).collect();
    words.join(", ")
}
