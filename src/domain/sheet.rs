//! The report on a bundle as one would print it: what it is, who signed, what was checked and how, and what comes next.

mod render;
mod sections;

use serde::{Serialize, Serializer};

use super::bundle::{Missing, Totals};
use super::digest::Digest;

/// What the JSON form begins with.
pub const FORMAT: &str = "airlift-report/1";
/// Characters in a group of digits, to be read aloud.
const GROUP: usize = 8;

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Neither.
    Plain,
    /// As it should be.
    Ok,
    /// To be known.
    Warn,
    /// Not as it should be.
    Fail,
}

impl Grade {
    /// A sign before the words, so that colour is never the only one.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Ok => "+ ",
            Self::Warn => "! ",
            Self::Fail => "x ",
        }
    }
}

/// What was done with the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// It was assembled and signed.
    Packed,
    /// It was verified.
    Verified,
    /// It was verified, and imported.
    Imported,
}

impl Deed {
    /// Its word in the name of a file, which tells the side, too.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Packed => "packed",
            Self::Verified => "verified",
            Self::Imported => "imported",
        }
    }
}

/// A key that signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// `SHA256:…`; without how it ends where the key is not trusted.
    pub fingerprint: String,
    /// Name of its signature file.
    pub key_id: String,
    /// Whose it is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// The first of some warnings, as it stands beside a verdict; how many more there are.
pub fn first_of(warnings: &[String]) -> String {
    match warnings {
        [] => String::new(),
        [only] => only.clone(),
        [first, rest @ ..] => format!(
            "{first} (and {} more {})",
            rest.len(),
            if rest.len() == 1 { "warning" } else { "warnings" }
        ),
    }
}

/// Characters at the end of a fingerprint that are typed to trust its key.
pub const ENDS: usize = 8;

/// What stands in front of [`fingerprint_end`] wherever it is said.
pub const KEY_ENDS_IN: &str = "key ends in";

/// How a fingerprint ends: what is typed from paper.
pub fn fingerprint_end(fingerprint: &str) -> &str {
    let from = fingerprint.char_indices().rev().nth(ENDS - 1).map_or(0, |(at, _)| at);
    &fingerprint[from..]
}

/// A fingerprint with as many dots in the place of how it ends: that is typed from paper, and not from where this is shown.
pub fn without_end(fingerprint: &str) -> String {
    let end = fingerprint_end(fingerprint);
    format!("{}{}", &fingerprint[..fingerprint.len() - end.len()], ".".repeat(ENDS))
}

/// Whether a fingerprint is shown with how it ends, and not as by [`without_end`].
pub fn has_end(fingerprint: &str) -> bool {
    !fingerprint.ends_with('.')
}

/// Whether what was typed is a fingerprint, in full or by at least the [`ENDS`] characters that it ends in; blanks and what
/// may be written around it do not count.
pub fn is_fingerprint(typed: &str, fingerprint: &str) -> bool {
    let (typed, whole) = (bare_fingerprint(typed), bare_fingerprint(fingerprint));
    typed.chars().count() >= ENDS && whole.ends_with(&typed)
}

/// A fingerprint without what may be written around it.
pub fn bare_fingerprint(text: &str) -> String {
    let letters: String = text.split_whitespace().collect();
    letters.strip_prefix("SHA256:").unwrap_or(&letters).trim_end_matches('=').to_owned()
}

/// The same and what it is, as it stands behind [`KEY_ENDS_IN`].
pub fn ends_in(fingerprint: &str) -> String {
    format!("{}  (its last {ENDS} characters)", fingerprint_end(fingerprint))
}

/// One thing that was looked at, or was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What.
    pub what: &'static str,
    /// Whether that is well.
    pub grade: Grade,
    /// How it was looked at, and how far.
    pub how: String,
}

/// What became of the images in a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The target, as it is typed.
    pub target: String,
    /// How it went.
    pub grade: Grade,
    /// How many images stand how, and how much was written.
    pub words: String,
    /// Each of them.
    pub images: Vec<Arrival>,
    /// What was asked of it afterwards, and what the operator should know.
    pub checked: Vec<Checked>,
}

/// An image in a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// Its full reference.
    pub reference: String,
    /// Its name there, where it has one.
    pub name: Option<String>,
    /// Of its top manifest, in the bundle.
    pub digest: Digest,
    /// Whether it is there.
    pub grade: Grade,
    /// What became of it.
    pub how: String,
}

/// Something to type next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What for.
    pub what: &'static str,
    /// One line of a shell.
    pub command: String,
}

/// An image of the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Its full reference.
    pub reference: String,
    /// Of its top manifest.
    pub digest: Digest,
    /// Its bytes, shared ones counted again.
    pub bytes: u64,
    /// What is carried of it.
    pub platforms: Vec<String>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sheet {
    /// [`FORMAT`].
    pub format: &'static str,
    /// What was done.
    pub deed: Deed,
    /// When this was said, UTC.
    pub made: jiff::Timestamp,
    /// Version of the program.
    pub version: &'static str,
    /// How it went.
    pub grade: Grade,
    /// The same in a sentence.
    pub verdict: String,
    /// Name of the series.
    pub name: String,
    /// Serial.
    pub serial: u64,
    /// `<name>-<serial>`.
    pub directory: String,
    /// Where it lies.
    pub path: String,
    /// Id.
    #[serde(serialize_with = "as_text")]
    pub id: uuid::Uuid,
    /// Digest of the signed document.
    pub document: Digest,
    /// When it was assembled, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<jiff::Timestamp>,
    /// When it expires.
    pub expires: Option<jiff::Timestamp>,
    /// Images, blobs and bytes.
    pub totals: Totals,
    /// Where its bytes came from, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Who signed.
    pub signatures: Vec<Signed>,
    /// The file of the public key that belongs to the first signature, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// What was checked, and what was not.
    pub checked: Vec<Checked>,
    /// What happened to the medium afterwards.
    pub medium: Vec<Checked>,
    /// What it was imported into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<Imported>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// What was asked for and is not in it.
    pub missing: Vec<Missing>,
    /// What to do next, on the other side.
    pub next: Vec<Step>,
    /// The images, where they are known.
    pub images: Vec<Carried>,
}

fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// One row of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// In front; empty where it goes on from the row above.
    pub label: String,
    /// The words.
    pub words: String,
    /// How good that is.
    pub grade: Grade,
    /// What is worth copying of it, where that is not the words.
    pub value: Option<String>,
    /// Whether it is something to type.
    pub command: bool,
}

impl Fact {
    fn new(label: impl Into<String>, words: impl Into<String>) -> Self {
        let (label, words) = (label.into(), words.into());
        Self { label, words, grade: Grade::Plain, value: None, command: false }
    }

    fn graded(self, grade: Grade) -> Self {
        Self { grade, ..self }
    }

    fn valued(self, value: &str) -> Self {
        Self { value: Some(value.to_owned()), ..self }
    }
}

/// Rows under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// The rows.
    pub facts: Vec<Fact>,
}
