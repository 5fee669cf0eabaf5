//! The items of a job and what became of each: a bounded list in which a failure always finds room.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::domain::progress::Phase;

/// At most this many items are listed; the others are only counted.
pub const MAX_ITEMS: usize = 4096;

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemState {
    /// Its turn has not come.
    Waiting,
    /// Under way.
    Running,
    /// Finished.
    Done,
    /// It needed no work.
    Skipped,
    /// It failed.
    Failed,
}

/// How much of an item under way is done, in what its phase counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// So much.
    pub done: u64,
    /// Of so much.
    pub all: u64,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemView {
    /// The phase it belongs to.
    pub phase: Phase,
    /// Reference, blob or path.
    pub name: String,
    /// What became of it.
    pub state: ItemState,
    /// Its bytes; 0 where unknown.
    pub bytes: u64,
    /// How much of it is done, where that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Attempts that had to be repeated.
    pub retries: u32,
    /// Why it was skipped, failed, or is tried again.
    pub note: Option<String>,
}

/// The list. Cheap to clone: the items themselves are shared until they change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Items {
    /// In the order in which they became known.
    #[serde(serialize_with = "each")]
    pub list: Vec<Arc<ItemView>>,
    /// How many there are beyond those listed.
    pub unlisted: u64,
    #[serde(skip)]
    places: Arc<HashMap<(Phase, String), usize>>,
}

impl Items {
    /// How many are in this state, of those listed.
    pub fn count(&self, phase: Phase, state: ItemState) -> usize {
        self.list.iter().filter(|item| item.phase == phase && item.state == state).count()
    }

    /// Those that are under way.
    pub fn running(&self) -> impl Iterator<Item = &ItemView> {
        self.list.iter().map(|item| &**item).filter(|item| item.state == ItemState::Running)
    }

    /// Changes one that there is.
    pub(super) fn change_known(&mut self, phase: Phase, name: &str, change: impl FnOnce(&mut ItemView)) {
        if self.places.contains_key(&(phase, name.to_owned())) {
            self.change(phase, name, change);
        }
    }

    pub(super) fn change(&mut self, phase: Phase, name: &str, change: impl FnOnce(&mut ItemView)) {
        let place = self.places.get(&(phase, name.to_owned())).copied();
        if let Some(item) = place.and_then(|place| self.list.get_mut(place)) {
            change(Arc::make_mut(item));
            return;
        }
        let mut item = ItemView {
            phase,
            name: name.to_owned(),
            state: ItemState::Waiting,
            bytes: 0,
            part: None,
            retries: 0,
            note: None,
        };
        change(&mut item);
        self.add(item);
    }

    /// Forgets the items of a phase that begins anew.
    pub(super) fn forget(&mut self, phase: Phase) {
        if self.list.iter().all(|item| item.phase != phase) {
            return;
        }
        self.list.retain(|item| item.phase != phase);
        let places = self.list.iter().enumerate().map(|(at, item)| ((item.phase, item.name.clone()), at));
        self.places = Arc::new(places.collect());
    }

    fn add(&mut self, item: ItemView) {
        let key = (item.phase, item.name.clone());
        if self.list.len() < MAX_ITEMS {
            Arc::make_mut(&mut self.places).insert(key, self.list.len());
            self.list.push(Arc::new(item));
            return;
        }
        self.unlisted += 1;
        // What failed has to be seen: it takes the place of one that is well.
        let well = |item: &Arc<ItemView>| matches!(item.state, ItemState::Done | ItemState::Skipped);
        if item.state == ItemState::Failed
            && let Some(place) = self.list.iter().position(well)
        {
            let gone = std::mem::replace(&mut self.list[place], Arc::new(item));
            let places = Arc::make_mut(&mut self.places);
            places.remove(&(gone.phase, gone.name.clone()));
            places.insert(key, place);
        }
    }
}

fn each<S: Serializer>(list: &[Arc<ItemView>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(|item| &**item))
}
