//! What this host signed last under each reference, so that a tag that moved since then is told; losing it costs that word alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::State;
use super::beside::Beside;
use crate::domain::digest::Digest;
use crate::engine::error::Result;

/// References that are remembered at most, those that were signed last.
const MOST: usize = 50_000;

/// What a bundle carried under a reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carried {
    /// Digest of the top manifest.
    pub digest: Digest,
    /// The bundle, `NAME-SERIAL`.
    pub bundle: String,
    /// When it was signed.
    pub signed: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    format: String,
    references: BTreeMap<String, Carried>,
}

impl Beside for Document {
    const FILE: &'static str = "carried.json";
    const FORMAT: &'static str = "airlift-carried/1";

    fn format(&mut self) -> &mut String {
        &mut self.format
    }
}

impl State {
    /// What was signed last, by full reference; empty where nothing ever was. Blocks.
    ///
    /// # Errors
    /// What is there cannot be read, or is not for this version to read.
    pub fn carried(&self) -> Result<BTreeMap<String, Carried>> {
        Ok(self.beside::<Document>()?.references)
    }

    /// Remembers what a bundle carries that was just signed. Blocks.
    ///
    /// # Errors
    /// A file error, or what is there must not be written over: the bundle is good, and the caller warns.
    pub fn carry(
        &self,
        bundle: &str,
        signed: Timestamp,
        images: impl IntoIterator<Item = (String, Digest)>,
    ) -> Result<()> {
        self.remember(|document: &mut Document| {
            let references = &mut document.references;
            for (reference, digest) in images {
                references.insert(reference, Carried { digest, bundle: bundle.to_owned(), signed });
            }
            if references.len() > MOST {
                let mut times: Vec<Timestamp> = references.values().map(|carried| carried.signed).collect();
                times.sort_unstable_by(|a, b| b.cmp(a));
                let oldest = times[MOST - 1];
                references.retain(|_, carried| carried.signed >= oldest);
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::files::RealFiles;

    fn digest(fill: char) -> Digest {
        format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn each_reference_keeps_the_bundle_that_carried_it_last() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().join("state"));
        assert!(state.carried().unwrap().is_empty());
        state.carry("web-1", at(1), [("h/a:1".into(), digest('a')), ("h/b:1".into(), digest('b'))]).unwrap();
        state.carry("web-2", at(2), [("h/a:1".into(), digest('c'))]).unwrap();
        let carried = state.carried().unwrap();
        let of = |name: &str| (carried[name].bundle.as_str(), carried[name].digest.clone());
        assert_eq!((of("h/a:1"), of("h/b:1")), (("web-2", digest('c')), ("web-1", digest('b'))));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().to_owned());
        for text in ["{", r#"{"format":"airlift-carried/9","references":{}}"#] {
            let path = directory.path().join(Document::FILE);
            std::fs::write(&path, text).unwrap();
            for error in [state.carried().unwrap_err(), state.carry("b-1", at(1), []).unwrap_err()] {
                assert!(error.message().contains("carried.json"), "{}", error.message());
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().to_owned());
        let names = |from: usize, to: usize| (from..to).map(|n| (format!("h/a:{n}"), digest('a')));
        state.carry("b-1", at(1), names(0, 10)).unwrap();
        state.carry("b-2", at(2), names(10, 10 + MOST)).unwrap();
        let carried = state.carried().unwrap();
        assert_eq!((carried.len(), carried.contains_key("h/a:9")), (MOST, false));
    }
}
