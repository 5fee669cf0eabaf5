//! Names gathered from lists, manifests and tables: where each came from, how sure it is, and what could not be read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::digest::Digest;
use super::lock::Hold;
use super::reference::{Implied, Reference};

/// Where a name was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// A file, or words for a source that is none: `kubeadm v1.31.2 table`.
    pub source: String,
    /// Line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl Origin {
    /// A line of a file.
    pub fn line(source: impl Into<String>, line: usize) -> Self {
        Self { source: source.into(), line: Some(line as u64) }
    }

    /// A source without lines.
    pub fn named(source: impl Into<String>) -> Self {
        Self { source: source.into(), line: None }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// A text that is, or may be, the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// As it was written.
    pub text: String,
    /// Where.
    pub origin: Origin,
    /// The figure behind it was extrapolated from a table.
    pub assumed: bool,
    /// It only looks like an image; it is listed, never fetched by itself.
    pub unsure: bool,
    /// What it is for, where the name alone does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `imagePullPolicy` beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<String>,
}

impl Candidate {
    /// A name that is certain.
    pub fn sure(text: impl Into<String>, origin: Origin) -> Self {
        Self { text: text.into(), origin, assumed: false, unsure: false, note: None, pull_policy: None }
    }

    /// A text that only looks like one.
    pub fn unsure(text: impl Into<String>, origin: Origin, note: impl Into<String>) -> Self {
        Self { unsure: true, note: Some(note.into()), ..Self::sure(text, origin) }
    }
}

/// Something that could not be read or understood; the rest was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What and why.
    pub reason: String,
    /// As it was written, where that is a name that none can be.
    #[serde(skip)]
    pub text: Option<String>,
}

/// Everything the sources gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Names, in the order found.
    pub candidates: Vec<Candidate>,
    /// What could not be read: never silently dropped.
    pub problems: Vec<Problem>,
    /// Things worth saying about a source as a whole.
    pub notes: Vec<String>,
}

/// One image to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    /// As it was written first.
    pub requested: String,
    /// Its full form.
    pub reference: Reference,
    /// What the full form added.
    #[serde(skip)]
    pub implied: Implied,
    /// Where it was written first.
    pub origin: Origin,
    /// The figure behind it was extrapolated.
    pub assumed: bool,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `imagePullPolicy` beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<String>,
    /// Content it is held to by a lock file, whatever the tag says now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Digest>,
    /// Everything that the lock file says of it: the platforms to carry and what has to be found.
    #[serde(skip)]
    pub hold: Option<Hold>,
}

impl Request {
    /// A request for a text as given on the command line.
    ///
    /// # Errors
    /// The text is no reference.
    pub fn parse(text: &str) -> Result<Self, super::reference::ReferenceError> {
        Self::of(&Candidate::sure(text, Origin::named("command line")))
    }

    fn of(candidate: &Candidate) -> Result<Self, super::reference::ReferenceError> {
        let (reference, implied) = Reference::parse(&candidate.text)?;
        Ok(Self {
            requested: candidate.text.clone(),
            reference,
            implied,
            origin: candidate.origin.clone(),
            assumed: candidate.assumed,
            note: candidate.note.clone(),
            pull_policy: candidate.pull_policy.clone(),
            pin: None,
            hold: None,
        })
    }
}

/// The requests of a selection, each reference once, and what is left to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// To be resolved, in the order found; the first origin is kept.
    pub wanted: Vec<Request>,
    /// Texts that only look like images, each once, without those that are wanted anyway.
    pub unsure: Vec<Candidate>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Things worth saying.
    pub notes: Vec<String>,
}

impl Selection {
    /// Adds what another source gave.
    pub fn merge(&mut self, other: Self) {
        self.candidates.extend(other.candidates);
        self.problems.extend(other.problems);
        self.notes.extend(other.notes);
    }

    /// Notes something that could not be read.
    pub fn problem(&mut self, origin: Origin, reason: impl Into<String>) {
        self.problems.push(Problem { origin, reason: reason.into(), text: None });
    }

    /// Notes a name that none can be.
    pub fn misnamed(&mut self, origin: Origin, text: &str, reason: impl Into<String>) {
        self.problems.push(Problem { origin, reason: reason.into(), text: Some(text.to_owned()) });
    }

    /// Each reference once. A name that is sure in one place is sure; a figure known in one place is not assumed;
    /// `Always` in one place counts, as that pod will pull.
    pub fn into_requests(self) -> Requests {
        let mut out = Requests { problems: self.problems, notes: self.notes, ..Requests::default() };
        let mut at = BTreeMap::new();
        for candidate in self.candidates.iter().filter(|candidate| !candidate.unsure) {
            match Request::of(candidate) {
                Ok(request) => match at.get(&request.reference) {
                    Some(&index) => join(&mut out.wanted[index], &request),
                    None => {
                        at.insert(request.reference.clone(), out.wanted.len());
                        out.wanted.push(request);
                    }
                },
                Err(error) => {
                    let (origin, text) = (candidate.origin.clone(), Some(candidate.text.clone()));
                    out.problems.push(Problem { origin, reason: error.to_string(), text });
                }
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for candidate in self.candidates.into_iter().filter(|candidate| candidate.unsure) {
            let known =
                candidate.text.parse::<Reference>().is_ok_and(|reference| at.contains_key(&reference));
            if !known && seen.insert(candidate.text.clone()) {
                out.unsure.push(candidate);
            }
        }
        out
    }
}

fn join(first: &mut Request, again: &Request) {
    first.assumed &= again.assumed;
    if again.pull_policy.as_deref() == Some("Always") {
        first.pull_policy.clone_from(&again.pull_policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reference_is_asked_once_and_the_first_origin_is_kept() {
        let mut selection = Selection::default();
        selection.candidates.push(Candidate::sure("nginx:1", Origin::line("a.txt", 3)));
        selection.candidates.push(Candidate::sure("docker.io/library/nginx:1", Origin::line("b.txt", 1)));
        selection.candidates.push(Candidate::sure("Nginx", Origin::line("b.txt", 2)));
        selection.candidates.push(Candidate::unsure("nginx:1", Origin::line("c.yaml", 9), "args"));
        selection.candidates.push(Candidate::unsure("quay.io/a/b:2", Origin::line("c.yaml", 10), "args"));
        selection.candidates.push(Candidate::unsure("quay.io/a/b:2", Origin::line("c.yaml", 11), "args"));
        let requests = selection.into_requests();
        assert_eq!(requests.wanted.len(), 1);
        assert_eq!(requests.wanted[0].origin.to_string(), "a.txt:3");
        assert_eq!(requests.problems[0].origin.to_string(), "b.txt:2");
        assert_eq!(requests.unsure.len(), 1);
        assert_eq!(requests.unsure[0].origin.to_string(), "c.yaml:10");
    }

    #[test]
    fn r03_two_digests_of_one_repository_are_two_requests() {
        let mut selection = Selection::default();
        for digit in ["a", "b"] {
            let text = format!("quay.io/a/b@sha256:{}", digit.repeat(64));
            selection.candidates.push(Candidate::sure(text, Origin::named("list")));
        }
        assert_eq!(selection.into_requests().wanted.len(), 2);
    }
}
