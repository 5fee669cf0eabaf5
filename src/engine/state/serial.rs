//! Serials of bundles: each is taken by one bundle of its series on this host, and noted before that one is signed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::beside::Beside;
use super::history::{self, Document, History, Unread};
use super::{State, StateError};
use crate::domain::bundle::check_name;
use crate::engine::error::{EngineError, Result};
use crate::engine::files::Held;

/// The last serial of a series that was noted, and the bundle that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Taken {
    pub(super) serial: u64,
    pub(super) bundle: Uuid,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Serials {
    format: String,
    series: BTreeMap<String, Taken>,
}

impl Beside for Serials {
    const FILE: &'static str = "serials.json";
    const FORMAT: &'static str = "airlift-serials/1";
    const ANEW: bool = true;

    fn format(&mut self) -> &mut String {
        &mut self.format
    }
}

impl State {
    /// Takes the next serial of `name`, at least `at_least`, until the lease is dropped. It counts as used only
    /// after [`SerialLease::note`], and never for the bundle of id `goes_on`, which it was noted for: a pack that was cut
    /// off goes on under the same serial.
    ///
    /// # Errors
    /// [`StateError::Locked`] where another run has it; a name that is none; serials that are there and cannot be
    /// read; a file error.
    pub fn lease(&self, name: &str, at_least: u64, goes_on: Option<Uuid>) -> Result<SerialLease> {
        check_name(name)?;
        let path = self.directory.join(format!("{name}.lock"));
        self.files.create_dir(&self.directory)?;
        let Some(lock) = self.files.lock_file(&path)? else {
            return Err(StateError::Locked { name: name.to_owned(), path }.into());
        };
        let document = match history::load(&*self.files, &self.directory) {
            Ok(document) => document,
            Err(Unread::Missing | Unread::Corrupt(_)) => Document::default(),
            Err(Unread::Kept(error)) => return Err(error),
        };
        let history = History { document, taken: self.taken(), problem: None };
        let last = history.last_signed(name, goes_on).unwrap_or(0);
        let next =
            last.checked_add(1).ok_or_else(|| StateError::Exhausted { name: name.to_owned(), last })?;
        Ok(SerialLease {
            state: self.clone(),
            name: name.to_owned(),
            serial: next.max(at_least),
            _lock: lock,
        })
    }

    /// Which bundles have the last serials. What cannot be read is none: that costs a number where a pack was cut off right
    /// before its signature.
    pub(super) fn taken(&self) -> BTreeMap<String, Taken> {
        self.beside::<Serials>().unwrap_or_default().series
    }

    /// Writes which bundles have the last serials. What is there and cannot be read is kept aside.
    fn take(&self, change: impl FnOnce(&mut BTreeMap<String, Taken>)) -> Result<()> {
        self.remember(|serials: &mut Serials| {
            change(&mut serials.series);
            true
        })
    }
}

/// A serial that no other run on this host will take.
pub struct SerialLease {
    state: State,
    name: String,
    serial: u64,
    _lock: Held,
}

impl SerialLease {
    /// The serial.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Tries whether something can be noted, before hours of work that would end there. Blocks.
    ///
    /// # Errors
    /// [`StateError::NotNoted`].
    pub fn can_note(&self) -> Result<()> {
        self.state.take(|_| {}).map_err(|error| self.not_noted(error))
    }

    /// Notes that it is the serial of this bundle, which is signed only after that. Blocks.
    ///
    /// # Errors
    /// [`StateError::NotNoted`]: the next bundle may get the same serial, so this one must not be signed.
    pub fn note(&self, bundle: Uuid) -> Result<()> {
        let taken = Taken { serial: self.serial, bundle };
        self.state
            .take(|series| {
                series.insert(self.name.clone(), taken);
            })
            .and_then(|()| {
                self.state.change(|document| {
                    let last = document.signed.entry(self.name.clone()).or_default();
                    *last = (*last).max(self.serial);
                })
            })
            .map(drop)
            .map_err(|error| self.not_noted(error))
    }

    /// The bundle is signed: from now on its serial is no other one's, nor its own again, whatever becomes of its
    /// signature. Blocks.
    ///
    /// # Errors
    /// [`StateError::NotNoted`]: the bundle is good, and the caller warns.
    pub fn signed(&self) -> Result<()> {
        let end = |series: &mut BTreeMap<String, Taken>| {
            series.remove(&self.name);
        };
        self.state.take(end).map_err(|error| self.not_noted(error))
    }

    fn not_noted(&self, reason: EngineError) -> EngineError {
        let (name, path) = (self.name.clone(), self.state.directory.clone());
        StateError::NotNoted { name, serial: self.serial, path, reason }.into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::error::Kind;
    use crate::engine::files::RealFiles;

    #[test]
    fn serials_grow_by_one_and_only_when_noted() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().join("state"));
        let next = |name| state.lease(name, 0, None).unwrap().serial();
        assert_eq!(next("n"), 1);
        let lease = state.lease("n", 0, None).unwrap();
        lease.can_note().unwrap();
        assert_eq!(state.lease("n", 0, None).err().unwrap().kind(), Kind::Locked);
        assert_eq!(next("other"), 1);
        lease.note(Uuid::now_v7()).unwrap();
        drop(lease);
        assert_eq!(next("n"), 2);
        // Lost history, but a bundle of serial 7 lies there.
        state.lease("n", 8, None).unwrap().note(Uuid::now_v7()).unwrap();
        assert_eq!(next("n"), 9);
        assert_eq!(state.lease("../n", 0, None).err().unwrap().kind(), Kind::Usage);
    }

    #[test]
    fn a_bundle_that_was_signed_never_gets_its_serial_again_though_its_signature_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().join("state"));
        let bundle = Uuid::now_v7();
        let lease = state.lease("n", 0, None).unwrap();
        lease.note(bundle).unwrap();
        lease.signed().unwrap();
        drop(lease);
        assert_eq!(state.lease("n", 0, Some(bundle)).unwrap().serial(), 2);
        assert_eq!(state.read().last_signed("n", Some(bundle)), Some(1));
    }

    #[test]
    fn a_bundle_that_was_cut_off_before_its_signature_keeps_its_serial_and_no_other_gets_it() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().join("state"));
        let (cut, other) = (Uuid::now_v7(), Uuid::now_v7());
        let next = |goes_on| state.lease("n", 0, goes_on).unwrap().serial();
        state.lease("n", 0, None).unwrap().note(cut).unwrap();
        assert_eq!([next(None), next(Some(other)), next(Some(cut))], [2, 2, 1]);
        assert_eq!(state.read().last_signed("n", Some(cut)), None);
        state.lease("n", 0, None).unwrap().note(other).unwrap();
        assert_eq!([next(None), next(Some(other)), next(Some(cut))], [3, 2, 3]);
        let last = |but| state.read().last_signed("n", but);
        assert_eq!([last(None), last(Some(other)), last(Some(cut))], [Some(2), Some(1), Some(2)]);
        // Without that memory a number is left out.
        let file = state.directory().join(Serials::FILE);
        std::fs::write(&file, "{").unwrap();
        assert_eq!(next(Some(other)), 3);
        state.lease("n", 0, None).unwrap().can_note().unwrap();
        assert_eq!(std::fs::read(state.directory().join("serials.json.unreadable")).unwrap(), b"{");
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir_all(state.directory().join("serials.json.tmp/in-the-way")).unwrap();
        let lease = state.lease("n", 0, None).unwrap();
        for error in [lease.can_note().unwrap_err(), lease.note(cut).unwrap_err()] {
            let (said, hints) = (error.message(), error.hints());
            assert!(
                said.contains("serials.json") && hints[0].contains("nothing is signed"),
                "{said} {hints:?}"
            );
        }
        assert_eq!(last(None), Some(2));
    }
}
