//! The runs that ended early and that no later one took up since: each is gone on with, taken back or dismissed.

use super::noted::{Begun, Ended, NotedRun};
use crate::domain::reference::Reference;

/// The runs that can be gone on with, the latest first; `runs` are all that are noted, the latest first.
pub fn half(runs: &[NotedRun]) -> impl Iterator<Item = &NotedRun> {
    let is_open = |run: &NotedRun| run.is_half() && !run.over;
    let taken_up = |at: usize, run: &NotedRun| runs[..at].iter().any(|later| takes_up(later, run));
    let adds_nothing = move |at: usize, run: &NotedRun| {
        let earlier = |earlier: &&NotedRun| is_open(earlier) && !earlier.looked_at_nothing();
        let mut earlier = runs[at + 1..].iter().filter(earlier);
        run.looked_at_nothing() && earlier.any(|earlier| covers(&run.begun, &earlier.begun))
    };
    let open = runs.iter().enumerate();
    let open = open.filter(move |(at, run)| is_open(run) && !taken_up(*at, run) && !adds_nothing(*at, run));
    open.map(|(_, run)| run)
}

impl NotedRun {
    /// Whether it was stopped or cut off, or failed with some of its images in a target or something left there: it can be
    /// gone on with, or be taken back.
    pub fn is_half(&self) -> bool {
        self.ended_early() && self.brought() && self.begun.dismissed.is_none()
    }

    /// Whether it brought all that it had to, is at it still, or left something that can be gone on with.
    pub(super) fn has_come_to_something(&self) -> bool {
        !self.ended_early() || self.brought()
    }

    /// Whether it was stopped before it had looked at its targets: of what is in them it tells nothing.
    pub(super) fn looked_at_nothing(&self) -> bool {
        let stopped = matches!(self.begun.ended, Some(Ended::Interrupted));
        stopped && self.begun.left.is_empty() && !self.changed_something()
    }

    fn brought(&self) -> bool {
        // Names come last: what one wrote that was stopped or cut off before, it noted nowhere.
        let stopped = matches!(self.begun.ended, None | Some(Ended::Interrupted));
        stopped || self.begun.left.iter().any(|left| left.there > 0) || self.changed_something()
    }

    fn ended_early(&self) -> bool {
        match self.begun.ended {
            Some(Ended::Whole) => false,
            Some(Ended::Interrupted | Ended::Failed) => {
                // Before its targets were looked at, it had everything to do.
                let left = &self.begun.left;
                left.is_empty() || left.iter().any(|left| left.there < left.all || left.failed)
            }
            None => !self.begun.running,
        }
    }
}

/// Whether a later run had all to do that an earlier one left, and did it, is at it, or is what is gone on with now.
pub(super) fn takes_up(later: &NotedRun, run: &NotedRun) -> bool {
    // One that brought nothing before it ended leaves what was there to be gone on with.
    let leaves = later.looked_at_nothing() && !run.looked_at_nothing();
    later.has_come_to_something() && !leaves && covers(&later.begun, &run.begun)
}

/// Whether a run is over the bundle, the targets and the images of another.
pub(super) fn covers(later: &Begun, run: &Begun) -> bool {
    let bundle = run.lay().map_or(later.bundle == run.bundle, |lay| later.is_over(lay.id, &run.bundle));
    let into = run.into.iter().all(|target| later.into.contains(target));
    let (all, some) = (only(later), only(run));
    let images = all.is_empty() || (!some.is_empty() && some.iter().all(|image| all.contains(image)));
    let platform = |begun: &Begun| begun.choices.as_ref().and_then(|choices| choices.platform.clone());
    bundle && into && images && later.root == run.root && platform(later) == platform(run)
}

/// The images that were picked; none where that is all of them.
fn only(begun: &Begun) -> &[Reference] {
    begun.choices.as_ref().map_or(&[], |choices| &choices.only)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64, of: &str, end: &str) -> NotedRun {
        let text =
            format!("{{\"format\":\"airlift-changes/1\",\"begun\":\"2026-01-01T00:00:00Z\",{of}{end}}}");
        NotedRun::idle(format!("/s/imports/{number:06}.jsonl").into(), serde_json::from_str(&text).unwrap())
    }

    fn left(there: u64) -> String {
        format!(",\"ended\":\"interrupted\",\"left\":[{{\"target\":\"oci:/x\",\"there\":{there},\"all\":3}}]")
    }

    const OWN: &str = "\"bundle\":\"a-1\",\"into\":[\"oci:/x\"]";
    const WHOLE: &str = ",\"ended\":\"whole\"";

    /// The numbers of those that are offered of a run that was stopped and one after it.
    fn offered(first: &str, later: NotedRun) -> Vec<String> {
        let runs = [later, run(1, first, &left(2))];
        half(&runs).map(NotedRun::id).collect()
    }

    #[test]
    fn what_was_stopped_is_offered_until_a_later_run_had_all_of_it_to_do() {
        let some = |names: &str| format!("{OWN},\"choices\":{{\"only\":[{names}]}}");
        let platform =
            format!("{OWN},\"choices\":{{\"platform\":{{\"os\":\"linux\",\"architecture\":\"arm64\"}}}}");
        for (first, later, open) in [
            (OWN.to_owned(), OWN.to_owned(), false),
            (OWN.to_owned(), OWN.replace("\"oci:/x\"", "\"oci:/y\",\"oci:/x\""), false),
            (OWN.to_owned(), OWN.replace("/x", "/y"), true),
            (OWN.to_owned(), OWN.replace("a-1", "a-2"), true),
            (OWN.to_owned(), some("\"a:1\""), true),
            (some("\"a:1\""), OWN.to_owned(), false),
            (some("\"a:1\""), some("\"a:2\",\"a:1\""), false),
            (some("\"a:1\",\"a:2\""), some("\"a:2\""), true),
            (OWN.to_owned(), platform, true),
            (OWN.to_owned(), format!("{OWN},\"root\":\"/mnt\""), true),
        ] {
            let ids = offered(&first, run(2, &later, WHOLE));
            assert_eq!(ids.contains(&"000001".to_owned()), open, "{first} then {later}: {ids:?}");
            assert_eq!(ids.len(), usize::from(open), "{ids:?}");
        }
    }

    #[test]
    fn a_bundle_is_known_by_its_id_and_by_its_name_where_none_was_noted() {
        let lay = |id: u8| {
            let id = uuid::Uuid::from_u128(id.into());
            format!("{OWN},\"choices\":{{\"bundle\":{{\"path\":\"/m/a-1\",\"id\":\"{id}\"}}}}")
        };
        for (first, later, open) in
            [(lay(1), lay(1), false), (lay(1), lay(2), true), (lay(1), OWN.to_owned(), false)]
        {
            assert_eq!(offered(&first, run(2, &later, WHOLE)).is_empty(), !open, "{first} then {later}");
        }
    }

    #[test]
    fn of_what_was_gone_on_with_and_stopped_again_the_last_is_offered_and_not_both() {
        assert_eq!(offered(OWN, run(2, OWN, &left(2))), ["000002"]);
        assert_eq!(offered(OWN, run(2, OWN, &left(0))), ["000002"]);
        let planned = ",\"ended\":\"interrupted\"";
        assert_eq!(offered(OWN, run(2, OWN, planned)), ["000001"], "that one looked at nothing");
        let forgotten = format!("{planned},\"dismissed\":\"2026-01-01T00:00:00Z\"");
        assert_eq!(offered(OWN, run(2, OWN, &forgotten)), ["000001"], "it was no word on the first");
        let failed = left(0).replace("interrupted", "failed");
        assert_eq!(offered(OWN, run(2, OWN, &failed)), ["000001"], "that one left nothing");
        assert_eq!(offered(OWN, run(2, OWN, ",\"ended\":\"failed\"")), ["000001"], "nor that one");
        let dismissed = ",\"dismissed\":\"2026-01-01T00:00:00Z\"";
        assert_eq!(offered(OWN, run(2, OWN, &(left(2) + dismissed))), [""; 0]);
        assert_eq!(offered(OWN, run(2, OWN, ",\"running\":true")), [""; 0], "it is at it");
    }

    #[test]
    fn what_was_stopped_before_an_image_was_there_is_offered_until_it_is_done_or_dismissed() {
        let offered = |runs: &[NotedRun]| half(runs).map(NotedRun::id).collect::<Vec<_>>();
        for end in [left(0), ",\"ended\":\"interrupted\"".to_owned()] {
            assert_eq!(offered(&[run(1, OWN, &end)]), ["000001"], "{end}");
            assert_eq!(offered(&[run(2, OWN, WHOLE), run(1, OWN, &end)]), [""; 0], "{end}");
            let dismissed = end.clone() + ",\"dismissed\":\"2026-01-01T00:00:00Z\"";
            assert_eq!(offered(&[run(1, OWN, &dismissed)]), [""; 0], "{end}");
            let failed = end.replace("interrupted", "failed");
            assert_eq!(offered(&[run(1, OWN, &failed)]), [""; 0], "it did nothing, for a reason of its own");
        }
        assert_eq!(offered(&[run(1, OWN, &left(3))]), [""; 0], "all of it was there by then");
    }

    #[test]
    fn what_was_cut_off_is_offered_whether_it_had_changed_anything_or_not() {
        let cut = |number| run(number, OWN, "");
        let offered = |runs: &[NotedRun]| half(runs).map(NotedRun::id).collect::<Vec<_>>();
        assert_eq!(offered(&[cut(1)]), ["000001"]);
        assert_eq!(offered(&[cut(3), cut(2), run(1, OWN, &left(2))]), ["000003"], "gone on with, and again");
        assert_eq!(offered(&[run(2, OWN, WHOLE), cut(1)]), [""; 0]);
        assert_eq!(offered(&[run(1, OWN, ",\"dismissed\":\"2026-01-01T00:00:00Z\"")]), [""; 0]);
    }
}
