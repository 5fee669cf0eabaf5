//! Which bundles the packs of this host read back from which medium before they signed them; losing it costs that word alone.

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::State;
use super::beside::Beside;
use crate::domain::digest::Digest;
use crate::domain::media::FileSystem;
use crate::engine::error::Result;
use crate::engine::files::Stamp;

/// Bundles that are remembered at most, those that were signed last.
const MOST: usize = 1000;

/// Times are compared so far: a file system may keep them in whole pairs of seconds only.
const GRAIN: Duration = Duration::from_secs(2);

/// What tells a file from a copy of it that was put in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Written {
    /// Its bytes.
    size: u64,
    /// When it was written to last, which a copy may keep.
    modified: Timestamp,
    /// When it was made, where that is told.
    born: Option<Timestamp>,
    /// When anything of it was changed last, where the file system keeps that.
    changed: Option<Timestamp>,
}

impl Written {
    /// A file as it lies there. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of(path: &Path, file_system: &FileSystem) -> io::Result<Self> {
        let there = Stamp::of(path)?;
        let time = |time| Timestamp::try_from(time).map_err(io::Error::other);
        let changed = Timestamp::new(there.changed.0, 0).ok();
        Ok(Self {
            size: there.size,
            modified: time(there.modified)?,
            born: there.born.and_then(|made| time(made).ok()),
            changed: changed.filter(|_| file_system.keeps_changes()),
        })
    }

    /// Whether it is still what it was `before`.
    fn is_still(&self, before: &Self) -> bool {
        let near = |a: Timestamp, b: Timestamp| a.duration_since(b).unsigned_abs() <= GRAIN;
        let known = |a: Option<Timestamp>, b: Option<Timestamp>| a.zip(b).is_none_or(|(a, b)| near(a, b));
        self.size == before.size
            && near(self.modified, before.modified)
            && known(self.born, before.born)
            && known(self.changed, before.changed)
    }
}

/// A bundle whose every byte came back from its medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadBackThere {
    /// Digest of its document.
    pub document: Digest,
    /// The mark of what it lies on, [`Carrier::mark`](crate::domain::carrier::Carrier::mark).
    pub mark: String,
    /// When it was signed.
    pub signed: Timestamp,
    /// How it was read.
    pub how: String,
    /// Its document then.
    #[serde(default)]
    pub written: Option<Written>,
}

impl ReadBackThere {
    /// Whether what lies there now is what was read back, and no copy that was put there since.
    pub fn is_still(&self, now: Option<&Written>) -> bool {
        self.written.as_ref().zip(now).is_some_and(|(then, now)| now.is_still(then))
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    format: String,
    bundles: Vec<ReadBackThere>,
}

impl Beside for Document {
    const FILE: &'static str = "read-back.json";
    const FORMAT: &'static str = "airlift-read-back/1";

    fn format(&mut self) -> &mut String {
        &mut self.format
    }
}

impl State {
    /// All of them, the earliest first. Blocks.
    ///
    /// # Errors
    /// What is there cannot be read, or is not for this version to read.
    pub fn read_back(&self) -> Result<Vec<ReadBackThere>> {
        Ok(self.beside::<Document>()?.bundles)
    }

    /// Remembers how a bundle was read back that was just signed; nothing, where it was not, also forgets that an earlier
    /// pack did so: what was mended since then is not known to be there. Blocks.
    ///
    /// # Errors
    /// A file error, or what is there must not be written over: the bundle is good, and the caller warns.
    pub fn was_read_back(&self, (document, mark): (&Digest, &str), now: Option<ReadBackThere>) -> Result<()> {
        self.remember(|all: &mut Document| {
            let before = all.bundles.clone();
            all.bundles.retain(|there| there.document != *document || there.mark != mark);
            all.bundles.extend(now);
            all.bundles.drain(..all.bundles.len().saturating_sub(MOST));
            all.bundles != before
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::sync::Arc;

    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn a_bundle_is_known_where_it_was_read_back_until_a_pack_goes_over_it_that_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().join("state"));
        let there = |fill: u8, mark: &str, second| ReadBackThere {
            document: Digest::sha256(&[fill; 32]),
            mark: mark.to_owned(),
            signed: Timestamp::from_second(second).unwrap(),
            how: "read back".to_owned(),
            written: None,
        };
        let keep = |there: &ReadBackThere, whether: bool| {
            let own = (&there.document, there.mark.as_str());
            state.was_read_back(own, whether.then(|| there.clone())).unwrap();
        };
        assert_eq!(state.read_back().unwrap(), []);
        let (first, copy, again) = (there(1, "uuid=a", 1), there(1, "uuid=b", 2), there(1, "uuid=a", 3));
        for one in [&first, &copy, &again] {
            keep(one, true);
        }
        assert_eq!(state.read_back().unwrap(), [copy.clone(), again.clone()]);
        keep(&again, false);
        assert_eq!(state.read_back().unwrap(), [copy]);
    }

    #[test]
    fn a_copy_in_the_place_of_what_was_read_back_is_another_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.json");
        std::fs::write(&path, "{}").unwrap();
        let of = |file_system| Written::of(&path, &file_system).unwrap();
        let (then, on_fat) = (of(FileSystem::Ext), of(FileSystem::Fat));
        let there = ReadBackThere {
            document: Digest::sha256(&[1; 32]),
            mark: "uuid=a".to_owned(),
            signed: Timestamp::UNIX_EPOCH,
            how: "read back".to_owned(),
            written: Some(then.clone()),
        };
        assert!(there.is_still(Some(&of(FileSystem::Ext))) && !there.is_still(None));
        assert!(
            !ReadBackThere { written: None, ..there.clone() }.is_still(Some(&then)),
            "as an earlier version noted it"
        );
        // Another file system rounds them.
        let later = |time: Timestamp, seconds| time.checked_add(Duration::from_secs(seconds)).unwrap();
        for (seconds, still) in [(1, true), (60, false)] {
            for now in [
                Written { modified: later(then.modified, seconds), ..then.clone() },
                Written { born: then.born.map(|born| later(born, seconds)), ..then.clone() },
                Written { changed: then.changed.map(|changed| later(changed, seconds)), ..then.clone() },
            ] {
                assert_eq!(there.is_still(Some(&now)), still || now == then, "{now:?}");
            }
        }
        assert!(then.changed.is_some() && on_fat.changed.is_none(), "FAT tells no such time");
        let earlier = then.modified.checked_sub(Duration::from_secs(3600)).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(earlier.into())).unwrap();
        assert!(!there.is_still(Some(&of(FileSystem::Ext))));
    }
}
