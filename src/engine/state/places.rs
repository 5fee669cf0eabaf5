//! What the last bundle at each path lay on, so that a medium is missed that is not mounted there; losing it costs that alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::State;
use super::beside::Beside;
use crate::domain::carrier::Carrier;
use crate::engine::error::Result;

/// Places that are remembered at most, those that were used last.
const MOST: usize = 1000;

/// Where a bundle went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Went {
    /// Name of the series.
    pub name: String,
    /// The directory that held the bundle's own, without links.
    pub to: PathBuf,
    /// What that lay on.
    pub carrier: Carrier,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    format: String,
    places: Vec<Went>,
}

impl Beside for Document {
    const FILE: &'static str = "places.json";
    const FORMAT: &'static str = "airlift-places/1";

    fn format(&mut self) -> &mut String {
        &mut self.format
    }
}

impl State {
    /// The last bundle that went to a path, of whatever series; nothing where none did. Blocks.
    ///
    /// # Errors
    /// What is there cannot be read, or is not for this version to read.
    pub fn went(&self, to: &Path) -> Result<Option<Went>> {
        Ok(self.places()?.into_iter().find(|went| went.to == to))
    }

    /// Remembers where a bundle went that was just signed. Blocks.
    ///
    /// # Errors
    /// A file error, or what is there must not be written over: the bundle is good, and the caller warns.
    pub fn goes(&self, now: Went) -> Result<()> {
        self.remember(|document: &mut Document| {
            let before = document.places.clone();
            document.places.retain(|went| went.to != now.to);
            document.places.push(now);
            document.places.drain(..document.places.len().saturating_sub(MOST));
            document.places != before
        })
    }

    fn places(&self) -> Result<Vec<Went>> {
        Ok(self.beside::<Document>()?.places)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn what_the_last_bundle_at_each_path_lay_on_is_known_and_of_so_many_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(Arc::new(RealFiles), directory.path().join("state"));
        let stick = |source: &str| Carrier::of("/mnt".into(), source.into(), None);
        let went = |name: &str, to: &str, source: &str| {
            state.goes(Went { name: name.to_owned(), to: to.into(), carrier: stick(source) }).unwrap();
        };
        let known = || state.went(Path::new("/mnt")).unwrap().map(|went| (went.name, went.carrier));
        assert_eq!(known(), None);
        went("a", "/mnt", "one");
        went("b", "/mnt", "two");
        went("a", "/mnt/x", "one");
        assert_eq!(known(), Some(("b".to_owned(), stick("two"))));
        assert_eq!(state.places().unwrap().len(), 2);
        (0..MOST - 1).for_each(|number| went("c", &format!("/{number}"), "one"));
        assert_eq!(state.places().unwrap().len(), MOST);
        assert_eq!(known(), None, "the one that was used longest ago");
    }
}
