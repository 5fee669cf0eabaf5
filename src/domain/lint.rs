//! Findings about image names: what will surprise on the other side, why, and what to write instead.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Likely to surprise later.
    Warning,
    /// Will not work on the other side as written.
    Error,
}

/// The rules; the kebab-case name is the id that bundles and reports carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// No registry written.
    ShortName,
    /// Docker Hub's `library/` left out.
    MissingLibrary,
    /// Neither tag nor digest: `latest` was implied.
    DefaultTag,
    /// A tag that is meant to move, or to follow a version line.
    MutableTag,
    /// Not pinned to content.
    NoDigest,
    /// A tag beside a digest, which runtimes ignore.
    TagAndDigest,
    /// Written in a form under which no runtime looks it up.
    LookupMismatch,
    /// Two names of one content.
    SameDigest,
    /// A pull policy that will not do what its author hopes.
    PullPolicy,
    /// The figure behind this name was extrapolated.
    Assumed,
}

impl Rule {
    /// The id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::ShortName => "short-name",
            Self::MissingLibrary => "missing-library",
            Self::DefaultTag => "default-tag",
            Self::MutableTag => "mutable-tag",
            Self::NoDigest => "no-digest",
            Self::TagAndDigest => "tag-and-digest",
            Self::LookupMismatch => "lookup-mismatch",
            Self::SameDigest => "same-digest",
            Self::PullPolicy => "pull-policy",
            Self::Assumed => "assumed",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// One finding about one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The rule; [`Rule::id`] is its stable name.
    pub id: Rule,
    /// How much it matters.
    pub severity: Severity,
    /// Why it matters, in one sentence.
    pub reason: String,
    /// The text to put in its place, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}
