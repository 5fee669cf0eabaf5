//! Where blobs come from: which registries gave bytes in this run, and in which order the repositories that may have one are asked for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::domain::digest::Digest;
use crate::domain::plan::PlannedBlob;
use crate::domain::reference::Repository;
use crate::engine::error::{EngineError, Explain as _, Kind};
use crate::engine::registry::{Absence, Problem, Registry, RegistryError};
use crate::engine::store::StoreError;

/// Where bytes came from, in bytes.
#[derive(Debug, Default)]
pub struct Sources {
    /// From registries.
    pub fetched: AtomicU64,
    /// Found right in this bundle.
    pub kept: AtomicU64,
    /// Copied from bundles beside this one.
    pub copied: AtomicU64,
    /// Hosts of registries from which bytes came.
    hosts: Mutex<HashMap<String, Heard>>,
}

/// A host from which bytes came.
#[derive(Debug, Default)]
struct Heard {
    /// Whether it was waited for in vain since.
    given_up: bool,
    /// How it is waited for: as one host, whichever blobs are to come from it.
    absence: Absence,
}

impl Sources {
    /// Notes a registry from which bytes came.
    pub(super) fn heard(&self, host: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = hosts.entry(host.to_owned()).or_default();
        heard.given_up = false;
        heard.absence.end();
    }

    /// How a registry is waited for that cannot be reached any more: one that gave bytes may be about to start again,
    /// where it was not given up already.
    pub(super) fn waits_for(&self, host: &str) -> Option<Absence> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).filter(|heard| !heard.given_up).map(|heard| heard.absence.clone())
    }

    /// Why a registry gave no more, by whether it gave anything before.
    pub(super) fn ended(&self, error: RegistryError) -> EngineError {
        self.give_up(&error);
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.contains_key(&error.host) { error.of_one_that_answered().into() } else { error.into() }
    }

    /// A registry that cannot be reached was waited for in vain.
    fn give_up(&self, error: &RegistryError) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = hosts.get_mut(&error.host).filter(|_| is_away(error));
        heard.into_iter().for_each(|heard| heard.given_up = true);
    }

    /// Bytes of blobs that this run wrote.
    pub fn written(&self) -> u64 {
        let [fetched, copied] = [&self.fetched, &self.copied].map(|bytes| bytes.load(Relaxed));
        fetched.saturating_add(copied)
    }
}

fn is_away(error: &RegistryError) -> bool {
    matches!(*error.problem, Problem::Connect(_))
}

/// The repositories that may have a blob: each is asked in its turn; then, with patience, those again that gave bytes in
/// this run and were merely away in theirs.
pub(super) struct Turns<'a> {
    repositories: Vec<&'a Repository>,
    /// Whose turn it is.
    at: usize,
    /// Whether all of them had one.
    again: bool,
    /// Whether this one is waited for.
    waited: bool,
    /// What the others said.
    refused: Vec<Refused>,
}

struct Refused {
    at: usize,
    error: RegistryError,
    /// Whether it was away and not waited for.
    missed: bool,
}

impl<'a> Turns<'a> {
    /// The first one's.
    pub(super) fn new(blob: &PlannedBlob, repositories: &'a [Repository]) -> Self {
        let repositories = blob.sources.iter().filter_map(|at| repositories.get(*at)).collect();
        Self { repositories, at: 0, again: false, waited: false, refused: Vec::new() }
    }

    /// Whose turn it is.
    pub(super) fn repository(&self) -> Option<&'a Repository> {
        self.repositories.get(self.at).copied()
    }

    /// How it is waited for, where it is away: not as long as another one was not asked yet.
    pub(super) fn absence(&mut self, sources: &Sources) -> Option<Absence> {
        let last = self.again || self.at + 1 == self.repositories.len();
        let host = self.repository().filter(|_| last).map(|repository| &repository.host);
        let absence = host.and_then(|host| sources.waits_for(host));
        self.waited = absence.is_some();
        absence
    }

    /// What came is not the blob: as it is told of this one, where all came in its answer, and of none.
    ///
    /// # Errors
    /// None is asked for it, or nothing of it: then it cannot be had.
    pub(super) fn wrong(
        &self,
        blob: &PlannedBlob,
        actual: Digest,
    ) -> Result<(RegistryError, StoreError), StoreError> {
        let expected = blob.digest.clone();
        let neutral = StoreError::Content { expected: expected.clone(), actual: actual.clone() };
        let Some(repository) = self.repository().filter(|_| blob.size > 0) else { return Err(neutral) };
        let problem = Problem::Digest { expected, actual };
        Ok((Registry::blob_error(repository, &blob.digest, problem), neutral))
    }

    /// The next one's, after this one gave nothing; in words.
    ///
    /// # Errors
    /// Why this one gave nothing, where there is no next one.
    pub(super) fn next(&mut self, error: RegistryError, sources: &Sources) -> Result<String, EngineError> {
        if self.waited {
            sources.give_up(&error);
        }
        let reason = error.to_string();
        let missed = is_away(&error) && !self.waited;
        let refused = Refused { at: self.at, error, missed };
        if !self.again && self.at + 1 < self.repositories.len() {
            self.refused.push(refused);
            self.at += 1;
            return Ok(format!("{reason}; trying another repository"));
        }
        self.again = true;
        let waits = |refused: &Refused| refused.missed && sources.waits_for(&refused.error.host).is_some();
        let Some(back) = self.refused.iter().position(waits) else {
            // That bytes were altered is the news, whatever the last one lacks.
            let altered = |refused: &Refused| refused.error.kind() == Kind::Integrity;
            let told = match self.refused.iter().position(altered).filter(|_| !altered(&refused)) {
                Some(told) => std::mem::replace(&mut self.refused[told], refused),
                None => refused,
            };
            return Err(sources.ended(told.error));
        };
        let back = self.refused.remove(back);
        self.refused.push(refused);
        self.at = back.at;
        Ok(format!("{reason}; trying {} again, which answered before", back.error.host))
    }

    /// What those said that gave nothing, the one whose turn it is aside.
    pub(super) fn reasons(&self) -> impl DoubleEndedIterator<Item = String> {
        self.refused.iter().map(|refused| refused.error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;

    fn away(host: &str) -> RegistryError {
        RegistryError {
            operation: "read",
            object: format!("{host}/a:1"),
            host: host.to_owned(),
            problem: Box::new(Problem::Connect("refused".to_owned())),
        }
    }

    #[test]
    fn a_registry_is_waited_for_once_it_gave_bytes_and_until_that_was_in_vain() {
        let sources = Sources::default();
        let gone = || away("h");
        assert!(sources.waits_for("h").is_none(), "a first contact that is refused fails at once");
        assert!(sources.ended(gone()).hints()[0].contains("the right host"));
        sources.heard("h");
        assert!(sources.waits_for("h").is_some() && sources.waits_for("g").is_none());
        assert!(sources.ended(gone()).hints()[0].contains("answered until then"));
        assert!(sources.waits_for("h").is_none(), "no other blob waits for it again");
        sources.heard("h");
        assert!(sources.waits_for("h").is_some());
    }

    #[test]
    fn a_repository_that_was_away_has_one_more_turn_where_its_registry_gave_bytes_before() {
        let repositories =
            ["a", "b", "c"].map(|host| Repository { host: host.to_owned(), path: "team/app".to_owned() });
        let blob = PlannedBlob {
            digest: Digest::sha256(&[1; 32]),
            size: 1,
            media_type: String::new(),
            image: "a/team/app:1".to_owned(),
            sources: vec![0, 1, 2],
        };
        let unknown = || RegistryError { problem: Box::new(Problem::Dns("none".to_owned())), ..away("c") };
        let turns = |sources: &Sources, given_up: Option<&str>| {
            let mut turns = Turns::new(&blob, &repositories);
            let mut asked = Vec::new();
            let error = loop {
                let host = turns.repository().unwrap().host.as_str();
                asked.push((host, turns.absence(sources).is_some()));
                if host == "c" {
                    given_up.iter().for_each(|host| sources.give_up(&away(host)));
                }
                match turns.next(if host == "c" { unknown() } else { away(host) }, sources) {
                    Ok(words) => assert!(words.starts_with("cannot read ") && words.contains("; trying ")),
                    Err(error) => break error,
                }
            };
            (asked, error, turns.reasons().count())
        };
        let first = [("a", false), ("b", false), ("c", false)];
        let (asked, error, others) = turns(&Sources::default(), None);
        assert_eq!((asked, others), (first.to_vec(), 2));
        assert!(error.message().contains("does not resolve"), "nobody gave anything before");
        let sources = Sources::default();
        sources.heard("b");
        let (asked, error, others) = turns(&sources, None);
        assert_eq!((asked, others), ([&first[..], &[("b", true)]].concat(), 2));
        assert!(error.hints()[0].contains("b answered until then"), "{error}");
        sources.heard("a");
        sources.heard("b");
        let (asked, ..) = turns(&sources, None);
        assert_eq!(asked, [&first[..], &[("a", true), ("b", true)]].concat());
        sources.heard("a");
        let (asked, ..) = turns(&sources, Some("a"));
        assert_eq!(asked, first, "another blob waited for it in vain meanwhile");
    }
}
