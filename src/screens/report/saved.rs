//! What was saved of the report, against what it says by now.

use super::Report;
use crate::actions::Act;
use crate::tui::model::Model;

impl Report {
    /// That what was saved of this report does not say yet that its medium was ejected, unless it lies on that.
    pub(super) fn before_eject(&self, model: &Model) -> Option<String> {
        let (now, (directory, saved)) = (self.sheet.as_ref()?, self.saved.as_ref()?);
        let differs = saved.id == now.id && saved.medium != now.medium;
        let gone = model.assembly.made.as_ref().is_some_and(|made| directory.starts_with(&made.job.to));
        let save = model.key(Act::ReportWrite);
        (differs && !gone).then(|| {
            format!(
                "the report saved in {} is from before the eject: {save} saves it again",
                directory.display()
            )
        })
    }

    /// That what was saved of this report says otherwise than it says now; that its medium was ejected or mounted since is
    /// no word of what was made.
    pub(super) fn older(&self, model: &Model) -> Option<String> {
        let now = self.sheet.as_ref()?;
        let (directory, _) = self.saved.as_ref().filter(|(_, saved)| {
            let differs = (&saved.signatures, &saved.verdict) != (&now.signatures, &now.verdict);
            saved.id == now.id && differs
        })?;
        let save = model.key(Act::ReportWrite);
        Some(format!("the report saved in {} is older than this: {save} saves it again", directory.display()))
    }
}
