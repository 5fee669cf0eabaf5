//! Whether an import can begin: what is lacking of it, and whether its plan still tells of what is chosen.

use super::super::model::Model;
use crate::actions::Act;
use crate::engine::import::ImportSpec;
use crate::engine::spec::ImportJob;

impl Model {
    /// Whether there is a plan that tells of what is chosen now. One that could be made of all images tells of each.
    pub fn plan_holds(&self) -> bool {
        let Some((plan, now)) = self.gap.import.plan.as_ref().zip(self.import_job(true)) else {
            return false;
        };
        let of_all = || {
            let import = ImportSpec { only: Vec::new(), ..now.import.clone() };
            plan.outcome.is_ok() && plan.job == ImportJob { import, ..now.clone() }
        };
        plan.job == now || of_all()
    }

    /// What is lacking of a verification that held, where strict was asked for only after it.
    pub fn not_strict(&self) -> String {
        let [verify, strict] = [Act::Verify, Act::CheckDeep].map(|act| self.key(act));
        format!("strict: no layer was unpacked yet; {verify} verifies so, {strict} turns it off")
    }

    /// Why nothing can be imported yet.
    pub fn not_importable(&self) -> Option<String> {
        let gap = &self.gap;
        let (verify, targets) = (self.key(Act::Step2), self.key(Act::ImportTargets));
        Some(match &gap.checked {
            _ if gap.chosen.is_none() => {
                format!("no bundle is chosen; {} shows what there is", self.key(Act::Step1))
            }
            None => format!("the bundle is not verified yet: {verify} goes there"),
            Some(checked) if !checked.held() => {
                format!("the bundle did not verify: nothing of it is imported from here; {verify} says why")
            }
            Some(_) if gap.lacks_strict() => format!("{}, both on Verify ({verify})", self.not_strict()),
            Some(_) if gap.import.marked.is_empty() => {
                let other = self.key(Act::ImportOther);
                format!("no target is chosen: {targets} shows what this node has, {other} takes any other")
            }
            Some(_) => return None,
        })
    }
}
