//! A bundle that verified, and how it is remembered that it was accepted.

use super::VerifyReport;
use crate::domain::bundle::BundleManifest;
use crate::domain::digest::Digest;
use crate::domain::trust::{Accepted, SerialDecision};
use crate::engine::bundle::read::BundleReader;
use crate::engine::sign::TrustReport;
use crate::engine::state::{Acceptance, State};

/// Damaged documents that are named, at most.
const NAMED: usize = 3;

/// A bundle that verified, and the report of it.
pub struct Verified {
    /// The report.
    pub report: VerifyReport,
    /// The bundle, to be read from.
    pub bundle: BundleReader,
    pub(super) state: State,
    pub(super) acceptance: Acceptance,
    pub(super) decision: SerialDecision,
    /// Documents that were looked around, as their bytes are not those that were signed.
    pub(super) damaged: Vec<Digest>,
}

impl Verified {
    /// Remembers that the bundle was accepted, for a caller that verified without [`super::VerifySpec::record`] because
    /// more had to hold first. What went wrong with that, in words: one that is damaged must not shut out the good one
    /// before it.
    pub fn accept(&self) -> Option<String> {
        if self.damaged.is_empty() { remember(&self.state, &self.acceptance) } else { Some(self.damage()) }
    }

    /// Whether it has documents with other bytes than those that were signed.
    pub const fn is_damaged(&self) -> bool {
        !self.damaged.is_empty()
    }

    fn damage(&self) -> String {
        let named: Vec<String> = self.damaged.iter().take(NAMED).map(Digest::layout_path).collect();
        let more = self.damaged.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let serial = self.acceptance.bundle.serial;
        format!(
            "serial {serial} is not noted as accepted, as the bundle is damaged: {}{more}",
            named.join(", ")
        )
    }

    /// How its serial stood to what was accepted before, where it was let through in spite of that.
    pub fn let_through(&self) -> Option<&SerialDecision> {
        Some(&self.decision).filter(|decision| decision.is_let_through())
    }
}

pub(super) fn acceptance(
    document: &BundleManifest,
    digest: &Digest,
    trust: &TrustReport,
    decided_at: jiff::Timestamp,
) -> Acceptance {
    let bundle = Accepted { serial: document.serial, digest: digest.clone(), created: document.created };
    Acceptance { name: document.name.clone(), keys: trust.signed_by.clone(), bundle, decided_at }
}

/// Records the acceptance; what went wrong with that, or was moved aside for it, in words.
fn remember(state: &State, acceptance: &Acceptance) -> Option<String> {
    match state.accept(acceptance) {
        Ok(aside) => {
            aside.map(|path| format!("the damaged history was moved to {}, a new one begins", path.display()))
        }
        Err(error) => Some(format!(
            "this bundle could not be remembered, a later rollback may go unseen: {}",
            error.message()
        )),
    }
}
