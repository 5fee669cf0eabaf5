//! Which bundles the packs of this host read back from which medium before they signed them; losing it costs that word alone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::State;
use crate::domain::digest::Digest;
use crate::engine::error::Result;

const FORMAT: &str = "airlift-read-back/1";
const FILE: &str = "read-back.json";
/// Bundles that are remembered at most, those that were signed last.
const MOST: usize = 1000;

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
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    format: String,
    bundles: Vec<ReadBackThere>,
}

impl State {
    /// All of them, the earliest first. Blocks.
    ///
    /// # Errors
    /// What is there cannot be read, or is not for this version to read.
    pub fn read_back(&self) -> Result<Vec<ReadBackThere>> {
        let document: Option<Document> = self.beside(FILE, FORMAT, |document: &Document| &document.format)?;
        Ok(document.unwrap_or_default().bundles)
    }

    /// Remembers how a bundle was read back that was just signed; nothing, where it was not, also forgets that an earlier
    /// pack did so: what was mended since then is not known to be there. Blocks.
    ///
    /// # Errors
    /// A file error, or what is there must not be written over: the bundle is good, and the caller warns.
    pub fn was_read_back(&self, (document, mark): (&Digest, &str), now: Option<ReadBackThere>) -> Result<()> {
        let _lock = self.held()?;
        let before = self.read_back()?;
        let other = |there: &&ReadBackThere| there.document != *document || there.mark != mark;
        let mut bundles: Vec<_> = before.iter().filter(other).cloned().chain(now).collect();
        bundles.drain(..bundles.len().saturating_sub(MOST));
        if bundles == before {
            return Ok(());
        }
        let format = FORMAT.to_owned();
        super::write(&*self.files, &self.directory.join(FILE), &Document { format, bundles })
    }
}

#[cfg(test)]
mod tests {
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
}
