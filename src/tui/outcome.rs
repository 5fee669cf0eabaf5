//! The exit code of the workstation: that of the latest job over a bundle that did not end well and was not done well since.

use super::msg::Ended;
use crate::engine::error::Kind;
use crate::engine::spec::JobSpec;
use crate::failure::exit_code;

/// The jobs over bundles whose last run did not end well, the latest last, each with the exit code of its command.
#[derive(Debug, Default)]
pub struct Unwell(Vec<(&'static str, u8)>);

impl Unwell {
    /// A job ended, which had begun or not; of each command the last run counts. What only looks or plans does not, nor what
    /// was called off before it began.
    pub(super) fn ended(&mut self, spec: &JobSpec, ended: &Ended, begun: bool) {
        if !begun && matches!(ended, Ended::Cancelled) {
            return;
        }
        let name = match spec {
            JobSpec::Pack(job) if job.dry_run => return,
            JobSpec::Sign(job) if job.dry_run => return,
            JobSpec::Import(job) if job.import.dry_run => return,
            JobSpec::Undo(job) if job.dry_run || job.list => return,
            JobSpec::MediaEject(job) if job.dry_run => return,
            JobSpec::Pack(_)
            | JobSpec::Sign(_)
            | JobSpec::MediaEject(_)
            | JobSpec::Verify(_)
            | JobSpec::Import(_)
            | JobSpec::Undo(_) => spec.subcommand(),
            _ => return,
        };
        self.0.retain(|(before, _)| *before != name);
        let kind = match ended {
            Ended::Succeeded(report) => report.verdict().map(|verdict| verdict.kind),
            Ended::Failed(failure) => Some(failure.kind),
            Ended::Cancelled => Some(Kind::Interrupted),
        };
        self.0.extend(kind.map(|kind| (name, exit_code(kind))));
    }

    /// The exit code; 0 where all is well.
    pub fn code(&self) -> u8 {
        self.0.last().map_or(0, |(_, code)| *code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trust::AllowRollback;
    use crate::engine::bundle::verify::{Bytes, VerifySpec};
    use crate::engine::spec::SignJob;
    use crate::failure::Failure;

    fn sign(dry_run: bool) -> JobSpec {
        let signer = crate::engine::spec::SignerSpec::Agent(None);
        JobSpec::Sign(SignJob { bundle: "/m/web-1".into(), signer, only: None, document: None, dry_run })
    }

    fn verify() -> JobSpec {
        JobSpec::Verify(VerifySpec {
            path: "/m/web-1".into(),
            trust: "/c/allowed_signers".into(),
            min_signatures: 1,
            state: "/s".into(),
            deep: false,
            allow_rollback: AllowRollback::No,
            bytes: Bytes::All,
            record: true,
        })
    }

    fn failed(kind: Kind) -> Ended {
        Ended::Failed(Failure::new(kind, "why"))
    }

    #[test]
    fn of_each_command_the_last_run_counts_and_of_those_that_went_wrong_the_latest() {
        let mut unwell = Unwell::default();
        assert_eq!(unwell.code(), 0);
        for (spec, ended, code) in [
            (sign(false), failed(Kind::Trust), 11),
            (verify(), failed(Kind::Integrity), 10),
            (sign(false), Ended::Cancelled, 130),
            (verify(), failed(Kind::Locked), 75),
            (sign(true), failed(Kind::Space), 75),
        ] {
            unwell.ended(&spec, &ended, true);
            assert_eq!(unwell.code(), code, "{spec:?}");
        }
        unwell.ended(&verify(), &Ended::Cancelled, false);
        assert_eq!(unwell.code(), 75, "called off before it began");
    }
}
