//! Whose turn it is: of surveys of one kind one is made at a time, so that no older one overtakes a later one.

use crate::tui::msg::Query;

/// Queries of which one of a kind is under way at a time, and the latest that was asked for meanwhile.
#[derive(Default)]
pub(super) struct Turns([Turn; 5]);

#[derive(Default)]
struct Turn {
    busy: bool,
    next: Option<Query>,
}

impl Turns {
    pub(super) const fn of(query: &Query) -> Option<usize> {
        match query {
            Query::Media => Some(0),
            Query::Bundles(_) => Some(1),
            Query::Host => Some(2),
            Query::Interrupted => Some(3),
            Query::Room(_) => Some(4),
            _ => None,
        }
    }

    /// The query, where it is to begin now.
    pub(super) fn begin(&mut self, query: Query) -> Option<Query> {
        let turn = self.0.get_mut(Self::of(&query)?)?;
        if turn.busy {
            turn.next = Some(query);
            return None;
        }
        turn.busy = true;
        Some(query)
    }

    /// A query was answered; the next of its kind.
    pub(super) fn done(&mut self, query: &Query) -> Option<Query> {
        let turn = self.0.get_mut(Self::of(query)?)?;
        let next = turn.next.take();
        turn.busy = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_survey_of_a_kind_is_under_way_and_the_latest_that_was_asked_for_follows() {
        let mut turns = Turns::default();
        let bundles = |path: &str| Query::Bundles(vec![path.into()]);
        assert_eq!(turns.begin(Query::Media), Some(Query::Media));
        assert_eq!(turns.begin(Query::Media), None);
        assert_eq!(turns.begin(bundles("/a")), Some(bundles("/a")));
        assert_eq!(turns.begin(bundles("/b")), None);
        assert_eq!(turns.begin(bundles("/c")), None);
        assert_eq!(turns.done(&Query::Media), Some(Query::Media));
        assert_eq!(turns.done(&Query::Media), None);
        assert_eq!(turns.begin(Query::Media), Some(Query::Media));
        assert_eq!(turns.done(&bundles("/a")), Some(bundles("/c")));
        assert_eq!(turns.done(&bundles("/c")), None);
    }
}
