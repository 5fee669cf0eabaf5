//! What stays as it is where something is taken back: its names, and why.

use std::fmt;

use serde::Serialize;

/// Something that stays; in reports it is its words alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Stays {
    #[serde(skip)]
    names: Vec<String>,
    words: String,
}

impl Stays {
    /// What of these names or paths stays, in words that begin with them.
    pub fn new(names: impl IntoIterator<Item = String>, words: String) -> Self {
        Self { names: names.into_iter().collect(), words }
    }

    /// Whether it is of exactly this name or path.
    pub fn is(&self, name: &str) -> bool {
        self.names.iter().any(|one| one == name)
    }

    /// The line for people.
    pub fn words(&self) -> &str {
        &self.words
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
