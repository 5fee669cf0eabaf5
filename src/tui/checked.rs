//! What came of asking for references: filled row by row while a job runs, merged with what earlier ones found.

mod gone;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::digest::Digest;
use crate::domain::lint::{Severity, lint};
use crate::domain::lock::Change;
use crate::domain::lying::{Lying, lacking};
use crate::domain::progress::{Event, Phase};
use crate::domain::resolved::ImageView;
use crate::domain::selection::Request;
use crate::engine::resolve::{FailedView, ResolveReport, ResolveTotals};
use crate::engine::state::Carried;

pub use self::gone::Gone;

/// What is known of one reference after it was asked for.
#[derive(Clone, Debug)]
pub enum Checked {
    /// It is being asked for.
    Running,
    /// It is there.
    Ok(Box<ImageView>),
    /// It is not, or not as it should be.
    Failed(Box<Miss>),
}

/// A reference that was not resolved.
#[derive(Clone, Debug)]
pub struct Miss {
    /// What happened.
    pub reason: String,
    /// Its class and the next step; they come with the job's report.
    pub view: Option<FailedView>,
    /// When a pack was told so of what had been resolved before.
    pub packed: Option<jiff::Timestamp>,
}

impl Miss {
    /// Why, without saying again of what: a reason begins with the operation and its object.
    pub fn why(&self) -> &str {
        match self.reason.split_once(": ") {
            Some((object, why)) if object.contains('/') => why,
            _ => &self.reason,
        }
    }
}

/// How many references stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Being asked for.
    pub running: usize,
    /// Resolved, those with something to know among them.
    pub ok: usize,
    /// Resolved, with something to know.
    pub warn: usize,
    /// Those of them that name other content than before.
    pub moved: usize,
    /// Not resolved.
    pub failed: usize,
}

/// What was known of a reference that was taken off the list.
#[derive(Clone, Debug)]
pub struct Forgotten {
    checked: Checked,
    moved: Option<Digest>,
}

/// Outcomes by full reference.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    by_reference: BTreeMap<String, Checked>,
    /// What a reference named before, where it names something else now.
    moved: BTreeMap<String, Digest>,
    /// What a bundle carried under a reference, where it names something else now.
    since: BTreeMap<String, Carried>,
    blobs: HashMap<Digest, u64>,
    bytes: u64,
    /// What is lacking of the blobs beside what lies somewhere, as it was summed up last.
    beside: RefCell<Vec<(Arc<Lying>, Beside)>>,
}

/// What of all that was resolved is written beside what lies somewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Bytes.
    pub to_write: u64,
    /// Bytes of other blobs there, which count as free.
    pub freed: u64,
}

impl Outcomes {
    /// What is known of a reference.
    pub fn get(&self, reference: &str) -> Option<&Checked> {
        self.by_reference.get(reference)
    }

    /// The digest that the lock file had for a reference, where that is another one now.
    pub fn moved_from(&self, reference: &str) -> Option<&Digest> {
        self.moved.get(reference)
    }

    /// What the last bundle carried under a reference, where that is another content now.
    pub fn moved_since(&self, reference: &str) -> Option<&Carried> {
        self.since.get(reference)
    }

    /// Whether a reference names other content than before.
    pub fn is_moved(&self, reference: &str) -> bool {
        self.moved.contains_key(reference) || self.since.contains_key(reference)
    }

    /// Whether there is something to know of a resolved reference.
    pub fn is_warned(&self, image: &ImageView) -> bool {
        let found = image.findings.iter().any(|finding| finding.severity != Severity::Info);
        found || self.is_moved(&image.reference.to_string())
    }

    /// Bytes of all that was resolved, each blob once.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is lacking beside what lies somewhere; summed up once, as screens ask for it each time that they are drawn.
    pub fn beside(&self, lying: &Arc<Lying>) -> Beside {
        let mut known = self.beside.borrow_mut();
        if let Some((_, beside)) = known.iter().find(|(there, _)| Arc::ptr_eq(there, lying)) {
            return *beside;
        }
        let blobs = self.blobs.iter().map(|(digest, size)| (digest, *size));
        let lacking = lacking(blobs, lying);
        let to_write = lacking.to_write.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
        let beside = Beside { to_write, freed: lacking.freed };
        // Those of media that are out, or were looked at again, are not asked for any more.
        known.retain(|(there, _)| Arc::strong_count(there) > 1);
        known.push((lying.clone(), beside));
        beside
    }

    /// The sums over what was resolved.
    pub fn totals(&self) -> ResolveTotals {
        ResolveTotals {
            images: self.images().count() as u64,
            blobs: self.blobs.len() as u64,
            bytes: self.bytes,
            bytes_unshared: self.images().map(|image| image.bytes).fold(0, u64::saturating_add),
        }
    }

    /// The resolved ones, by reference.
    pub fn images(&self) -> impl Iterator<Item = &ImageView> {
        self.by_reference.values().filter_map(|checked| match checked {
            Checked::Ok(image) => Some(&**image),
            _ => None,
        })
    }

    /// The digest of each of them, by reference.
    pub fn digests(&self) -> impl Iterator<Item = (&str, &Digest)> {
        self.by_reference.iter().filter_map(|(reference, checked)| match checked {
            Checked::Ok(image) => Some((reference.as_str(), &image.digest)),
            _ => None,
        })
    }

    /// When the first of them was resolved: none of this is newer for certain.
    pub fn earliest(&self) -> Option<jiff::Timestamp> {
        self.images().map(|image| image.resolved_at).min()
    }

    /// The references that failed.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        let failed = self.by_reference.iter().filter(|(_, checked)| matches!(checked, Checked::Failed(_)));
        failed.map(|(reference, _)| reference.as_str())
    }

    /// How many stand how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for checked in self.by_reference.values() {
            match checked {
                Checked::Running => counts.running += 1,
                Checked::Failed(_) => counts.failed += 1,
                Checked::Ok(image) => {
                    counts.ok += 1;
                    counts.warn += usize::from(self.is_warned(image));
                    counts.moved += usize::from(self.is_moved(&image.reference.to_string()));
                }
            }
        }
        counts
    }

    /// All references are asked for: nothing of earlier holds, but what had moved since the lock file.
    pub fn begin_all(&mut self) {
        self.by_reference.clear();
        self.blobs.clear();
        self.bytes = 0;
        self.beside.take();
    }

    /// Only those that failed are asked for.
    pub fn begin_failed(&mut self) {
        self.by_reference.retain(|_, checked| !matches!(checked, Checked::Failed(_)));
    }

    /// Takes over what a running job said.
    pub fn heard(&mut self, event: &Event) {
        match event {
            Event::Item { phase: Phase::Resolve, item, .. } => {
                self.by_reference.insert(item.clone(), Checked::Running);
            }
            Event::Resolved { image } => self.add(image.clone()),
            Event::Failed { phase: Phase::Resolve, item, reason } => {
                let miss = Miss { reason: reason.clone(), view: None, packed: None };
                self.by_reference.insert(item.clone(), Checked::Failed(Box::new(miss)));
            }
            _ => {}
        }
    }

    /// Takes over a job's report: what it does not speak of stays as it was.
    pub fn finish(&mut self, report: &ResolveReport) {
        for image in &report.images {
            self.add(Box::new(image.clone()));
        }
        for failed in &report.failed {
            let miss = Miss { reason: failed.reason.clone(), view: Some(failed.clone()), packed: None };
            self.by_reference.insert(failed.reference.to_string(), Checked::Failed(Box::new(miss)));
        }
        for image in &report.images {
            self.since.remove(&image.reference.to_string());
        }
        let since = report.moved.iter().map(|moved| (moved.reference.to_string(), moved.was.clone()));
        self.since.extend(since);
        for change in &report.changes {
            if let Change::Moved { reference, from, .. } = change {
                self.moved.entry(reference.to_string()).or_insert_with(|| from.clone());
            }
        }
        // The last bundle counts more than what was looked at before it was signed.
        for reference in &report.as_carried {
            self.moved.remove(&reference.to_string());
        }
        // What went back to where it was has not moved.
        let now = |reference: &str| match self.by_reference.get(reference) {
            Some(Checked::Ok(image)) => Some(&image.digest),
            _ => None,
        };
        self.moved.retain(|reference, from| now(reference).is_some_and(|now| now != from));
        self.stopped();
    }

    /// Nothing is asked for any more: what was not answered is as if it was never asked.
    pub fn stopped(&mut self) {
        self.by_reference.retain(|_, checked| !matches!(checked, Checked::Running));
    }

    /// These are not on the list any more: nothing of them is counted. Gives back what was known of them.
    pub fn forget(&mut self, gone: &BTreeSet<String>) -> Vec<(String, Forgotten)> {
        let taken = gone.iter().filter_map(|reference| self.by_reference.remove_entry(reference));
        let taken = taken.map(|(reference, checked)| {
            let moved = self.moved.get(&reference).cloned();
            (reference, Forgotten { checked, moved })
        });
        let taken = taken.collect();
        self.count_again();
        taken
    }

    fn count_again(&mut self) {
        self.blobs.clear();
        self.bytes = 0;
        self.beside.take();
        for checked in self.by_reference.values() {
            if let Checked::Ok(image) = checked {
                count(image, &mut self.blobs, &mut self.bytes);
            }
        }
    }

    /// One that was taken off the list is on it again.
    pub fn put_back(&mut self, reference: &str, forgotten: Forgotten) {
        let Forgotten { checked, moved } = forgotten;
        self.moved.extend(moved.map(|from| (reference.to_owned(), from)));
        match checked {
            Checked::Ok(image) => self.add(image),
            other => drop(self.by_reference.insert(reference.to_owned(), other)),
        }
    }

    /// It may be written otherwise than when it was asked for: what the name alone tells is told of how it is written now.
    pub fn respell(&mut self, request: &Request) {
        let Some(Checked::Ok(image)) = self.by_reference.get_mut(&request.reference.to_string()) else {
            return;
        };
        if image.requested != request.requested {
            image.requested.clone_from(&request.requested);
            image.findings.retain(|finding| !finding.id.is_of_name());
            image.findings.splice(0..0, lint(request, Some(&image.digest)));
        }
    }

    fn add(&mut self, image: Box<ImageView>) {
        count(&image, &mut self.blobs, &mut self.bytes);
        self.beside.take();
        self.by_reference.insert(image.reference.to_string(), Checked::Ok(image));
    }
}

/// Counts the blobs of an image, each once.
fn count(image: &ImageView, blobs: &mut HashMap<Digest, u64>, bytes: &mut u64) {
    for (digest, size) in &image.contents {
        if blobs.insert(digest.clone(), *size).is_none() {
            *bytes = bytes.saturating_add(*size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media_type::OCI_INDEX;
    use crate::domain::selection::Origin;
    use crate::engine::error::Kind;

    fn digest(c: char) -> Digest {
        format!("sha256:{}", c.to_string().repeat(64)).parse().unwrap()
    }

    fn image(name: &str, c: char) -> ImageView {
        let request = Request::parse(name).unwrap();
        ImageView {
            requested: name.to_owned(),
            origin: Origin::named("list"),
            note: None,
            reference: request.reference,
            digest: digest(c),
            media_type: OCI_INDEX.to_owned(),
            resolved_at: jiff::Timestamp::UNIX_EPOCH,
            platforms: Vec::new(),
            omitted_platforms: Vec::new(),
            signatures: Vec::new(),
            bytes: 110,
            findings: Vec::new(),
            contents: vec![(digest(c), 10), (digest('0'), 100)],
        }
    }

    fn miss(name: &str) -> FailedView {
        FailedView {
            requested: name.to_owned(),
            origin: Origin::named("list"),
            reference: name.parse().unwrap(),
            kind: Kind::Network,
            reason: "no such tag".to_owned(),
            hints: vec!["look at the tags".to_owned()],
        }
    }

    fn report(images: Vec<ImageView>, failed: Vec<FailedView>, changes: Vec<Change>) -> ResolveReport {
        ResolveReport {
            images,
            failed,
            unsure: Vec::new(),
            problems: Vec::new(),
            notes: Vec::new(),
            changes,
            moved: Vec::new(),
            as_carried: Vec::new(),
            totals: ResolveTotals::default(),
        }
    }

    fn item(name: &str) -> Event {
        Event::Item { phase: Phase::Resolve, item: name.to_owned(), bytes: 0 }
    }

    const A: &str = "h:5000/a:1";
    const B: &str = "h:5000/b:1";

    #[test]
    fn rows_fill_one_by_one_and_the_sum_counts_shared_blobs_once() {
        let mut outcomes = Outcomes::default();
        outcomes.begin_all();
        [item(A), item(B)].iter().for_each(|event| outcomes.heard(event));
        assert_eq!(outcomes.counts(), Counts { running: 2, ..Counts::default() });
        outcomes.heard(&Event::Resolved { image: Box::new(image(A, 'a')) });
        assert_eq!((outcomes.counts().ok, outcomes.counts().running, outcomes.bytes()), (1, 1, 110));
        outcomes.heard(&Event::Resolved { image: Box::new(image(B, 'b')) });
        assert_eq!(outcomes.bytes(), 120);
        // The report says the same again.
        outcomes.finish(&report(vec![image(A, 'a'), image(B, 'b')], vec![], vec![]));
        assert_eq!((outcomes.counts().ok, outcomes.bytes()), (2, 120));
    }

    #[test]
    fn a_retry_of_what_failed_leaves_the_rest_as_it_was() {
        let mut outcomes = Outcomes::default();
        outcomes.heard(&Event::Failed {
            phase: Phase::Resolve,
            item: B.to_owned(),
            reason: "no such tag".to_owned(),
        });
        assert!(matches!(outcomes.get(B), Some(Checked::Failed(miss)) if miss.view.is_none()));
        outcomes.finish(&report(vec![image(A, 'a')], vec![miss(B)], vec![]));
        assert!(matches!(outcomes.get(B), Some(Checked::Failed(miss)) if miss.view.is_some()));
        assert_eq!(outcomes.failed().collect::<Vec<_>>(), [B]);
        outcomes.begin_failed();
        assert!(outcomes.get(B).is_none() && outcomes.get(A).is_some());
        outcomes.heard(&item(B));
        outcomes.finish(&report(vec![image(B, 'b')], vec![], vec![]));
        assert_eq!((outcomes.counts().ok, outcomes.counts().failed, outcomes.bytes()), (2, 0, 120));
    }

    #[test]
    fn a_stopped_job_leaves_what_was_answered() {
        let mut outcomes = Outcomes::default();
        outcomes.heard(&Event::Resolved { image: Box::new(image(A, 'a')) });
        outcomes.heard(&item(B));
        outcomes.stopped();
        assert!(outcomes.get(A).is_some() && outcomes.get(B).is_none());
    }

    #[test]
    fn what_moved_stays_told_until_it_is_back() {
        let moved = |from, to| Change::Moved { reference: A.parse().unwrap(), from, to };
        let mut outcomes = Outcomes::default();
        let change = moved(digest('a'), digest('b'));
        outcomes.finish(&report(vec![image(A, 'b')], vec![], vec![change]));
        let told = |outcomes: &Outcomes| (outcomes.counts().warn, outcomes.counts().moved);
        assert_eq!((outcomes.moved_from(A), told(&outcomes)), (Some(&digest('a')), (1, 1)));
        // Asked again, the lock file has it by now.
        outcomes.begin_all();
        outcomes.finish(&report(vec![image(A, 'b')], vec![], vec![]));
        assert_eq!(outcomes.moved_from(A), Some(&digest('a')));
        outcomes.begin_all();
        let change = moved(digest('b'), digest('a'));
        outcomes.finish(&report(vec![image(A, 'a')], vec![], vec![change]));
        assert_eq!((outcomes.moved_from(A), told(&outcomes)), (None, (0, 0)));
    }

    #[test]
    fn what_the_last_bundle_carried_has_not_moved_whatever_was_looked_at_before() {
        let mut outcomes = Outcomes::default();
        let change = Change::Moved { reference: A.parse().unwrap(), from: digest('a'), to: digest('b') };
        let carried =
            |c| Carried { digest: digest(c), bundle: "web-1".into(), signed: jiff::Timestamp::UNIX_EPOCH };
        let mut first = report(vec![image(A, 'b')], vec![], vec![change.clone()]);
        first.compare(&[(A.to_owned(), carried('a'))].into());
        outcomes.finish(&first);
        assert!(outcomes.is_moved(A) && outcomes.moved_since(A).is_some());
        // It was packed so since; the lock file may be older than that.
        outcomes.begin_all();
        let mut second = report(vec![image(A, 'b')], vec![], vec![change]);
        second.compare(&[(A.to_owned(), carried('b'))].into());
        outcomes.finish(&second);
        assert!(!outcomes.is_moved(A), "{outcomes:?}");
    }
}
