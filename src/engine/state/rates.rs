//! How fast packs onto each medium were, known by the medium itself and never by where it is mounted; losing it costs that word alone.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::State;
use super::beside::Beside;
use crate::domain::carrier::Carrier;
use crate::engine::error::Result;

/// Fewer fetched bytes than this say little about the rate of the next pack, and fewer than these nothing.
const MEASURED: u64 = 16 << 20;
const LEAST: u64 = 1 << 20;
/// Media that are remembered at most, those that were packed onto last.
const MOST: usize = 100;

/// How fast a pack was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rated {
    /// What it went onto.
    pub carrier: Carrier,
    /// Bytes a second, as the registries and the medium both let it be.
    pub bytes: u64,
    /// Whether that was of few bytes, in which each request counts for more than the line does.
    pub rough: bool,
    /// When it ended.
    pub at: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    format: String,
    rates: Vec<Rated>,
}

/// Bytes a second of so many that were fetched in such a time, and whether that is rough; nothing where they were too few
/// to say anything.
pub fn rate_of(bytes: u64, took: Duration) -> Option<(u64, bool)> {
    let rate = u64::try_from(u128::from(bytes) * 1000 / took.as_millis().max(1)).unwrap_or(u64::MAX);
    (bytes >= LEAST && rate > 0).then_some((rate, bytes < MEASURED))
}

impl Beside for Document {
    const FILE: &'static str = "rates.json";
    const FORMAT: &'static str = "airlift-rates/1";

    fn format(&mut self) -> &mut String {
        &mut self.format
    }
}

impl State {
    /// How fast a pack onto this was, wherever it was mounted then. Blocks.
    ///
    /// # Errors
    /// What is there cannot be read, or is not for this version to read.
    pub fn rate(&self, onto: &Carrier) -> Result<Option<Rated>> {
        Ok(self.rates()?.into_iter().find(|rated| is_known(onto) && onto.is_still(&rated.carrier)))
    }

    /// Remembers how fast a pack was; few bytes never take the place of many. What has nothing of its own to be known by
    /// is not remembered. Blocks.
    ///
    /// # Errors
    /// A file error, or what is there must not be written over: the caller says so, and nothing else is lost.
    pub fn rated(&self, now: Rated) -> Result<()> {
        if !is_known(&now.carrier) {
            return Ok(());
        }
        self.remember(|document: &mut Document| {
            let is_own = |rated: &Rated| now.carrier.is_still(&rated.carrier);
            if now.rough && document.rates.iter().any(|rated| is_own(rated) && !rated.rough) {
                return false;
            }
            document.rates.retain(|rated| !is_own(rated));
            document.rates.push(now);
            document.rates.drain(..document.rates.len().saturating_sub(MOST));
            true
        })
    }

    fn rates(&self) -> Result<Vec<Rated>> {
        Ok(self.beside::<Document>()?.rates)
    }
}

/// Whether it has a number or a device of its own: what has neither is known by its place alone.
const fn is_known(carrier: &Carrier) -> bool {
    carrier.uuid.is_some() || carrier.device.is_some()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn a_medium_is_known_by_itself_wherever_it_is_mounted_and_of_so_many_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().join("state"));
        let stick = |uuid: Option<&str>, point: &str| Carrier {
            uuid: uuid.map(ToOwned::to_owned),
            ..Carrier::of(point.into(), "/dev/sdb1".into(), None)
        };
        let rated = |carrier: Carrier, bytes, rough| {
            state.rated(Rated { carrier, bytes, rough, at: Timestamp::UNIX_EPOCH }).unwrap();
        };
        let known = |carrier: &Carrier| state.rate(carrier).unwrap().map(|rated| (rated.bytes, rated.rough));
        let (here, there) = (stick(Some("7F2A"), "/media/a"), stick(Some("7F2A"), "/mnt"));
        assert_eq!(known(&here), None);
        rated(here.clone(), 1, true);
        rated(here.clone(), 40, false);
        rated(here.clone(), 2, true);
        assert_eq!(known(&there), Some((40, false)), "few bytes never take the place of many");
        assert_eq!(known(&stick(Some("0001"), "/media/a")), None, "another one at its place");
        // A share has nothing but its place.
        let share = stick(None, "/mnt/share");
        rated(share.clone(), 9, false);
        assert_eq!((known(&share), state.rates().unwrap().len()), (None, 1));
        (0..MOST).for_each(|number| rated(stick(Some(&format!("n{number}")), "/mnt"), 5, false));
        assert_eq!((known(&here), state.rates().unwrap().len()), (None, MOST), "used longest ago");
        std::fs::write(directory.path().join("state").join(Document::FILE), "damaged").unwrap();
        assert!(state.rate(&here).is_err());
    }
}
