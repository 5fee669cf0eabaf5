//! What this host signed and accepted: serials per name, the highest accepted bundle per name and key, the last time seen.
//!
//! Losing it is said: without history, rollback cannot be checked. What cannot be read is never written over.

mod beside;
mod carried;
mod history;
mod places;
mod rates;
mod read_back;
mod serial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::trust::Accepted;
use crate::engine::error::{EngineError, Explain, FileError, Kind, Result};
use crate::engine::files::{Files, Held};

pub use carried::Carried;
pub use history::History;
use history::{Document, Entry, FILE, FORMAT, Unread};
pub use places::Went;
pub use rates::{Rated, rate_of};
pub use read_back::{ReadBackThere, Written};
pub use serial::SerialLease;

/// How far apart the times remembered are: the clock is judged with a day's tolerance, and a finer trail
/// would cost two fsyncs at each verification.
const TRAIL: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);
/// Between two attempts at a lock.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Why history cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another run packs under this name.
    #[error("another run is packing {name}: it holds {}", path.display())]
    Locked {
        /// Name of the series.
        name: String,
        /// The lock file.
        path: PathBuf,
    },
    /// There is no serial left.
    #[error("{name}: serial {last} is the last one there is")]
    Exhausted {
        /// Name of the series.
        name: String,
        /// The last serial signed.
        last: u64,
    },
    /// The serial of a bundle cannot be noted.
    #[error("cannot note in {} that {name} {serial} is used: {}", path.display(), reason.message())]
    NotNoted {
        /// Name of the series.
        name: String,
        /// Its serial.
        serial: u64,
        /// Where it is noted.
        path: PathBuf,
        /// What keeps it from that.
        reason: EngineError,
    },
    /// History that is there and may be whole, but is not for this version to read.
    #[error("cannot use {}: {reason}; it is left as it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What keeps it from being read.
        reason: String,
    },
}

impl Explain for StateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Locked { .. } => Kind::Locked,
            Self::Exhausted { .. } => Kind::Usage,
            Self::NotNoted { reason, .. } => reason.kind(),
            Self::Foreign { .. } => Kind::Other,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Locked { .. } => "wait for it, or pack under another --name",
            Self::Exhausted { .. } => "pack under another --name",
            Self::NotNoted { .. } => {
                "nothing is signed before: the next bundle could get the same serial, and the other side would refuse \
                 one of the two; once there is room or that is mended, the same command goes on with what is on the medium"
            }
            Self::Foreign { .. } => "use the airlift that wrote it, or give another directory with --state",
        };
        vec![hint.to_owned()]
    }
}

/// The directory that holds it. Everything blocks for a moment.
#[derive(Clone)]
pub struct State {
    files: Arc<dyn Files>,
    directory: PathBuf,
}

/// A bundle that was verified and is accepted.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Name of its series.
    pub name: String,
    /// Fingerprints of the trusted keys that signed it.
    pub keys: Vec<String>,
    /// Serial, digest of its document, and when it was made.
    pub bundle: Accepted,
    /// The time at which it was decided.
    pub decided_at: Timestamp,
}

impl State {
    /// History in `directory`, which need not be there yet.
    pub fn new(files: Arc<dyn Files>, directory: PathBuf) -> Self {
        Self { files, directory }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads what is there. Never fails: missing or unreadable history is none, and [`History::problem`] tells
    /// the one from the other.
    pub fn read(&self) -> History {
        let (document, problem) = match history::load(&*self.files, &self.directory) {
            Ok(document) => (document, None),
            Err(Unread::Missing) => (Document::default(), None),
            Err(Unread::Corrupt(reason)) => {
                let problem = format!("{} is damaged: {reason}", self.directory.join(FILE).display());
                (Document::default(), Some(problem))
            }
            Err(Unread::Kept(error)) => (Document::default(), Some(error.message())),
        };
        History { document, taken: self.taken(), problem }
    }

    /// Records an accepted bundle for each of its keys. The highest serial stays, so does the latest time. Gives the
    /// place to which damaged history was moved, where there was some.
    ///
    /// # Errors
    /// A file error, as in a read-only directory, or history that must not be replaced: the caller warns and goes on.
    pub fn accept(&self, acceptance: &Acceptance) -> Result<Option<PathBuf>> {
        self.change(|document| {
            let at = acceptance.decided_at;
            if document.last_seen.is_none_or(|seen| at.duration_since(seen) > TRAIL) {
                document.last_seen = Some(at);
            }
            for key in &acceptance.keys {
                let of = |entry: &&mut Entry| entry.name == acceptance.name && entry.key == *key;
                match document.accepted.iter_mut().find(of) {
                    Some(entry) if entry.bundle.serial < acceptance.bundle.serial => {
                        entry.bundle = acceptance.bundle.clone();
                    }
                    Some(_) => {}
                    None => document.accepted.push(Entry {
                        name: acceptance.name.clone(),
                        key: key.clone(),
                        bundle: acceptance.bundle.clone(),
                    }),
                }
            }
        })
    }

    /// Nobody else changes what lies here as long as this is kept.
    fn held(&self) -> Result<Held> {
        let path = self.directory.join("state.lock");
        self.files.create_dir(&self.directory)?;
        // Held for milliseconds at a time, by any number of runs: waited for without end.
        loop {
            match self.files.lock_file(&path)? {
                Some(held) => return Ok(held),
                None => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Reads, changes and replaces the document under the lock; gives the place of what was moved aside for it.
    fn change(&self, change: impl FnOnce(&mut Document)) -> Result<Option<PathBuf>> {
        let path = self.directory.join(FILE);
        let _lock = self.held()?;
        let anew = || Document { format: FORMAT.to_owned(), ..Document::default() };
        let (mut document, aside) = match history::load(&*self.files, &self.directory) {
            Ok(document) => (document, None),
            Err(Unread::Missing) => (anew(), None),
            // Whatever it is, somebody may want to look at it.
            Err(Unread::Corrupt(_)) => {
                let aside = self.free_name(FILE)?;
                self.files.rename(&path, &aside)?;
                (anew(), Some(aside))
            }
            Err(Unread::Kept(error)) => return Err(error),
        };
        let before = document.clone();
        change(&mut document);
        if document == before {
            return Ok(aside);
        }
        write(&*self.files, &path, &document)?;
        Ok(aside)
    }

    /// A name for a damaged file that is not taken by an earlier one.
    fn free_name(&self, file: &str) -> Result<PathBuf> {
        let mut name = self.directory.join(format!("{file}.unreadable"));
        let mut number = 1u64;
        while self.files.stat(&name)?.is_some() {
            number += 1;
            name = self.directory.join(format!("{file}.unreadable-{number}"));
        }
        Ok(name)
    }
}

/// Writes a document of history, whole or not at all.
fn write(files: &dyn Files, path: &Path, document: &impl Serialize) -> Result<()> {
    let failed = |source: serde_json::Error| FileError {
        operation: "write",
        path: path.to_owned(),
        source: source.into(),
    };
    let mut bytes = serde_json::to_vec_pretty(document).map_err(failed)?;
    bytes.push(b'\n');
    super::sign::store::replace(files, path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;
    use crate::domain::trust::SerialDecision;
    use crate::engine::files::RealFiles;

    fn state(directory: &Path) -> State {
        State::new(Arc::new(RealFiles), directory.join("state"))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn digest(fill: char) -> Digest {
        format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap()
    }

    fn acceptance(serial: u64, fill: char, keys: &[&str]) -> Acceptance {
        let created = at("2026-01-01T00:00:00Z");
        Acceptance {
            name: "n".into(),
            keys: keys.iter().map(ToString::to_string).collect(),
            bundle: Accepted { serial, digest: digest(fill), created },
            decided_at: at("2026-02-01T00:00:00Z"),
        }
    }

    fn keys(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_highest_accepted_bundle_of_any_of_its_keys_counts() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        assert_eq!(state.read().problem, None, "there never was any");
        state.accept(&acceptance(3, 'a', &["A", "B"])).unwrap();
        state.accept(&acceptance(5, 'b', &["A"])).unwrap();
        state.accept(&acceptance(4, 'c', &["A"])).unwrap();
        let history = state.read();
        assert!(history.problem.is_none());
        for (names, serial, fill, expected) in [
            (&["A"][..], 6, 'd', SerialDecision::Newer { from: 5 }),
            (&["A"], 5, 'b', SerialDecision::Same),
            (&["A"], 4, 'c', SerialDecision::Rollback { accepted: 5, offered: 4 }),
            (&["B"], 4, 'c', SerialDecision::Newer { from: 3 }),
            (&["B", "A"], 4, 'c', SerialDecision::Rollback { accepted: 5, offered: 4 }),
            // A new key starts over.
            (&["C"], 1, 'a', SerialDecision::First),
        ] {
            assert_eq!(
                history.decide("n", &keys(names), serial, &digest(fill)),
                expected,
                "{names:?} {serial}"
            );
        }
        assert_eq!(history.decide("m", &keys(&["A"]), 1, &digest('a')), SerialDecision::First);
        assert_eq!(history.clock().last_seen, Some(at("2026-02-01T00:00:00Z")));
        assert_eq!(history.clock().newest_accepted, Some(at("2026-01-01T00:00:00Z")));
    }

    #[test]
    fn the_last_time_seen_never_goes_back() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        state.accept(&acceptance(1, 'a', &["A"])).unwrap();
        let earlier = Acceptance { decided_at: at("2025-01-01T00:00:00Z"), ..acceptance(2, 'b', &["A"]) };
        state.accept(&earlier).unwrap();
        assert_eq!(state.read().clock().last_seen, Some(at("2026-02-01T00:00:00Z")));
    }

    #[test]
    fn damaged_history_is_said_and_each_of_it_is_kept_aside() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        let damages = [&b""[..], b"{", b"\xff", br#"{"format":"a","format":"b"}"#, br#"{"format":"x"}"#];
        for (number, bad) in damages.iter().enumerate() {
            state.accept(&acceptance(3, 'a', &["A"])).unwrap();
            std::fs::write(state.directory().join(FILE), bad).unwrap();
            assert!(state.read().problem.is_some_and(|problem| problem.contains("state.json is damaged")));
            let aside = state.accept(&acceptance(2, 'a', &["A"])).unwrap().unwrap();
            assert_eq!(state.read().accepted("n", &keys(&["A"])).unwrap().serial, 2);
            assert_eq!(std::fs::read(&aside).unwrap(), *bad);
            let all = std::fs::read_dir(state.directory()).unwrap();
            let kept = all.filter(|entry| {
                entry.as_ref().unwrap().file_name().to_string_lossy().contains(".unreadable")
            });
            assert_eq!(kept.count(), number + 1, "none is overwritten");
        }
    }

    #[test]
    fn history_that_may_be_whole_is_never_replaced_and_no_serial_is_guessed() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        state.accept(&acceptance(3, 'a', &["A"])).unwrap();
        let file = state.directory().join(FILE);
        let newer = br#"{"format":"airlift-state/2","trail":[]}"#;
        std::fs::write(&file, newer).unwrap();
        for said in ["airlift-state/2", "cannot read"] {
            let problem = state.read().problem.unwrap();
            assert!(problem.contains("state.json") && problem.contains(said), "{problem}");
            assert!(state.accept(&acceptance(4, 'a', &["A"])).is_err());
            assert!(state.lease("n", 0, None).is_err());
            if file.is_file() {
                assert_eq!(std::fs::read(&file).unwrap(), newer);
                // Not even root can open a link here.
                std::fs::remove_file(&file).unwrap();
                std::os::unix::fs::symlink("elsewhere", &file).unwrap();
            }
        }
        assert!(file.is_symlink());
    }

    #[test]
    fn a_read_only_directory_is_an_error_for_the_caller_to_warn_of() {
        // Not even root can make a directory there.
        let state = State::new(Arc::new(RealFiles), "/proc/airlift-state".into());
        let error = state.accept(&acceptance(1, 'a', &["A"])).unwrap_err();
        assert!(error.message().contains("/proc/airlift-state"), "{error}");
    }

    #[test]
    fn several_processes_lose_no_entry() {
        let directory = tempfile::tempdir().unwrap();
        let state = state(directory.path());
        std::thread::scope(|scope| {
            for thread in 0..8u32 {
                let state = &state;
                scope.spawn(move || {
                    let key = format!("K{thread}");
                    for serial in 1..=5 {
                        state.accept(&acceptance(serial, 'a', &[&key])).unwrap();
                    }
                });
            }
        });
        let history = state.read();
        for thread in 0..8u32 {
            assert_eq!(history.accepted("n", &[format!("K{thread}")]).unwrap().serial, 5);
        }
    }
}
