//! Whether a run keeps what an earlier one brought from being taken back: it counts on that, and did something of its own.

use super::made::Made;
use super::noted::{Begun, Ended};
use crate::domain::import::Target;

/// A run that came after others.
pub(in crate::engine::import) struct Holder {
    begun: Begun,
    /// Whether it changed nothing and brought nothing.
    idle: bool,
}

impl Holder {
    /// A run and what it noted.
    pub(in crate::engine::import) fn of(begun: &Begun, made: &[Made]) -> Self {
        let brought = match &begun.brought {
            Some(targets) => !targets.is_empty(),
            // What comes into an additional store is noted nowhere else.
            None => begun.into.iter().any(|one| matches!(one, Target::ContainersStorage(Some(_)))),
        };
        Self { begun: begun.clone(), idle: !brought && made.iter().all(Made::is_empty) }
    }

    /// Whether what it wanted in its targets is to be there: it came to its end, or has not ended yet.
    pub(in crate::engine::import) fn counts(&self) -> bool {
        self.begun.running || self.begun.ended == Some(Ended::Whole)
    }

    /// Whether it holds what an earlier run brought. One that only found what a run over the same bundle had brought is
    /// that import once more: who takes that back means both.
    pub(in crate::engine::import) fn holds(&self, earlier: &Begun) -> bool {
        let again = self.idle && !self.begun.running && self.begun.is_of_the_bundle_of(earlier);
        self.counts() && !again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(bundle: &str, id: Option<u32>, more: &str) -> Begun {
        let lay = id.map(|id| {
            format!(
                ",\"choices\":{{\"bundle\":{{\"path\":\"/b\",\"id\":\"00000000-0000-0000-0000-{id:012}\"}}}}"
            )
        });
        let text = format!(
            "{{\"format\":\"airlift-changes/1\",\"begun\":\"2026-01-01T00:00:00Z\",\"bundle\":\"{bundle}\"{}{more}}}",
            lay.unwrap_or_default()
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_run_that_did_nothing_holds_what_runs_over_other_bundles_brought() {
        let whole = ",\"ended\":\"whole\",\"brought\":[]";
        for (earlier, later, holds) in [
            (("a-1", Some(1)), ("a-1", Some(1)), false),
            (("a-1", Some(1)), ("b-1", Some(1)), false),
            (("a-1", Some(1)), ("a-1", Some(2)), true),
            // Where one of them noted no id, its name tells.
            (("a-1", None), ("a-1", Some(2)), false),
            (("a-1", Some(1)), ("a-1", None), false),
            (("a-1", None), ("b-1", None), true),
        ] {
            let holder = Holder::of(&begun(later.0, later.1, whole), &[]);
            assert_eq!(holder.holds(&begun(earlier.0, earlier.1, "")), holds, "{later:?} of {earlier:?}");
        }
    }

    #[test]
    fn a_run_that_did_something_or_is_at_work_holds_what_the_same_bundle_brought() {
        let into = ",\"into\":[\"containers-storage:/x\"]";
        let whole = ",\"ended\":\"whole\"";
        for (more, holds) in [
            (format!("{whole},\"brought\":[]"), false),
            (format!("{whole},\"brought\":[\"containerd\"]"), true),
            (",\"running\":true".to_owned(), true),
            (",\"ended\":\"failed\"".to_owned(), false),
            (whole.to_owned(), false),
            // An earlier program noted nothing of what came into such a store.
            (format!("{whole}{into}"), true),
            (format!("{whole}{into},\"brought\":[]"), false),
        ] {
            let holder = Holder::of(&begun("a-1", None, &more), &[]);
            assert_eq!(holder.holds(&begun("a-1", None, "")), holds, "{more}");
        }
    }
}
