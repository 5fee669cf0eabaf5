//! Import into a registry: blobs first, then manifests byte for byte, tags last; each name is then asked for again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::error::ImportError;
use super::graph::{ImageGraph, Node};
use super::index::{Entry, LayoutIndex};
use super::report::Outcome;
use super::source::BundleSource;
use super::{Job, Planned, Written, refusal};
use crate::domain::digest::Digest;
use crate::domain::import::RegistryTarget;
use crate::domain::manifest::MAX_MANIFEST;
use crate::domain::media_type as mt;
use crate::domain::progress::{Event, Phase};
use crate::domain::reference::Repository;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Result};
use crate::engine::registry::{BlobSource, MountOutcome, Problem, Referrers, ReferrersSource, Upload};

/// Says what would become of each image, by asking for its name.
pub(super) async fn plan(job: &Job, target: &RegistryTarget, images: &[ImageGraph]) -> Result<Vec<Planned>> {
    let pairs = images.iter().map(|image| (&image.image.reference, &image.image.digest));
    let mut clashes: HashMap<String, _> =
        target.clashes(pairs).into_iter().map(|clash| (clash.second.to_string(), clash)).collect();
    let mut planned = Vec::with_capacity(images.len());
    for image in images {
        if let Some(clash) = clashes.remove(&image.name()) {
            let error = ImportError::Clash(clash).into();
            if !job.spec.keep_going && !job.spec.dry_run {
                return Err(error);
            }
            planned.push(Planned::Refused(Outcome::failed(&error)));
            continue;
        }
        job.ctx.check()?;
        planned.push(one(job, target, image).await?);
    }
    Ok(planned)
}

async fn one(job: &Job, target: &RegistryTarget, image: &ImageGraph) -> Result<Planned> {
    let repo = repository(target, image);
    let there = named(job, &repo, &selector(image)).await?;
    Ok(match there {
        None => Planned::Add,
        Some(digest) if digest != image.image.digest => Planned::taken(job, digest.to_string()),
        Some(_) => {
            // An image without its signatures is not all there.
            for node in &image.carried {
                if named(job, &repo, &node.digest.to_string()).await?.is_none() {
                    return Ok(Planned::Add);
                }
            }
            for (tag, node) in image.tags.iter().filter(|(tag, _)| !is_fallback(tag)) {
                if named(job, &repo, tag).await?.as_ref() != Some(&node.digest) {
                    return Ok(Planned::Add);
                }
            }
            Planned::Skip
        }
    })
}

fn repository(target: &RegistryTarget, image: &ImageGraph) -> Repository {
    Repository { host: target.host.clone(), path: target.repository(&image.image.reference) }
}

fn selector(image: &ImageGraph) -> String {
    image.image.reference.tag().map_or_else(|| image.image.digest.to_string(), str::to_owned)
}

/// Whether a tag is that of an index of referrers, `sha256-<hex>` and nothing after it.
fn is_fallback(tag: &str) -> bool {
    tag.split_once('-').is_some_and(|(algorithm, hex)| format!("{algorithm}:{hex}").parse::<Digest>().is_ok())
}

/// What a name points at in the registry; the bytes are asked for where the registry names no digest.
async fn named(job: &Job, repo: &Repository, selector: &str) -> Result<Option<Digest>> {
    match job.registry.head_manifest(repo, selector).await? {
        None => Ok(None),
        Some(head) => match head.digest {
            Some(digest) => Ok(Some(digest)),
            None => Ok(Some(job.registry.manifest(repo, selector).await?.digest)),
        },
    }
}

/// Writes: the blobs of all images before the first manifest, so that damage on the medium tags nothing at all.
pub(super) async fn apply(
    job: &Job,
    target: &RegistryTarget,
    images: &[ImageGraph],
    plan: &[Planned],
) -> Result<Written> {
    let push = Push { job, target, known: Mutex::default(), sums: Mutex::default() };
    let mut settled = Vec::new();
    let wanted = |planned: &Planned| planned.refused().is_none() && !matches!(planned, Planned::Skip);
    for (image, _) in images.iter().zip(plan).filter(|(_, planned)| wanted(planned)) {
        job.parts.expect_nodes(&image.name(), image.nodes());
    }
    for (image, planned) in images.iter().zip(plan) {
        settled.push(push.blobs(image, planned).await?);
    }
    let mut written = Written { general: merged_hosts(target, images), ..Written::default() };
    for ((image, planned), settled) in images.iter().zip(plan).zip(settled) {
        let mut notes = Vec::new();
        let outcome = match settled {
            Some(outcome) => outcome,
            None => push.name(image, planned, &mut notes).await?,
        };
        written.outcomes.push(outcome);
        written.notes.push(notes);
    }
    (written.written, written.present) = *push.sums.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(written)
}

/// Repositories of several registries that become one here: no clash, but worth knowing.
fn merged_hosts(target: &RegistryTarget, images: &[ImageGraph]) -> Vec<String> {
    let mut hosts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for image in images {
        let reference = &image.image.reference;
        hosts.entry(target.repository(reference)).or_default().insert(reference.host());
    }
    let several = hosts.into_iter().filter(|(_, hosts)| hosts.len() > 1);
    several
        .map(|(repository, hosts)| {
            let hosts = hosts.into_iter().collect::<Vec<_>>().join(" and ");
            format!("{repository} holds images of {hosts}; registry:HOST/{{host}} keeps them apart")
        })
        .collect()
}

struct Push<'a> {
    job: &'a Job,
    target: &'a RegistryTarget,
    /// In which repositories of this registry a blob is known to be.
    known: Mutex<HashMap<Digest, BTreeSet<String>>>,
    /// Bytes written and bytes that were there.
    sums: Mutex<(u64, u64)>,
}

impl Push<'_> {
    fn skip(&self, image: &ImageGraph) {
        let repo = repository(self.target, image);
        let mut bytes = 0;
        for node in image.nodes() {
            bytes += node.size;
            self.job.pass(node);
            self.remember(node, &repo);
        }
        self.count(0, bytes);
        self.job.ctx.say(Event::Skipped {
            phase: Phase::Import,
            item: image.name(),
            bytes,
            reason: "the registry has it with this digest".to_owned(),
        });
    }

    /// That a repository of the registry has a blob.
    fn remember(&self, node: &Node, repo: &Repository) {
        self.job.parts.there(&node.digest);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(node.digest.clone()).or_default().insert(repo.path.clone());
    }

    fn count(&self, written: u64, present: u64) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.0 += written;
        sums.1 += present;
        drop(sums);
        self.job.meter.add_kept(present);
    }

    /// Uploads the blobs of an image that is to be written; the outcome where it is known already.
    async fn blobs(&self, image: &ImageGraph, planned: &Planned) -> Result<Option<Outcome>> {
        self.job.ctx.check()?;
        if let Some(refused) = planned.refused() {
            return Ok(Some(refused));
        }
        if matches!(planned, Planned::Skip) {
            self.skip(image);
            return Ok(Some(Outcome::Skipped));
        }
        let (repo, name) = (repository(self.target, image), image.name());
        self.job.parts.begin(&name);
        let left = Mutex::new(image.blobs.iter());
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let lanes = self.job.lanes(self.job.spec.jobs.max(1).min(image.blobs.len()));
        let sent = try_join_all(lanes.into_iter().map(async |lane| {
            while let Some(node) = next() {
                self.blob(&lane, &repo, node, &name).await?;
            }
            Ok(())
        }));
        match Box::pin(sent).await {
            Ok(_) => Ok(None),
            Err(error) => self.job.failed(image, error).map(Some),
        }
    }

    /// Makes an image of blobs that are there: its manifests, the signatures, and last its name.
    async fn name(&self, image: &ImageGraph, planned: &Planned, notes: &mut Vec<String>) -> Result<Outcome> {
        if let Err(error) = Box::pin(self.manifests(image, notes)).await {
            return self.job.failed(image, error);
        }
        self.job.arrived.note(&self.target.to_string(), &image.name());
        self.job.ctx.say(Event::Done { phase: Phase::Import, item: image.name(), bytes: image.bytes() });
        Ok(planned.done(true))
    }

    async fn manifests(&self, image: &ImageGraph, notes: &mut Vec<String>) -> Result<()> {
        let repo = repository(self.target, image);
        for node in &image.documents {
            self.job.ctx.check()?;
            self.document(image, &repo, node, &node.digest.to_string()).await?;
        }
        self.signatures(image, &repo, notes).await?;
        if let (Some(tag), Some(top)) = (image.image.reference.tag(), image.top()) {
            self.document(image, &repo, top, tag).await?;
        }
        self.prove(image, &repo).await
    }

    async fn blob(&self, lane: &Job, repo: &Repository, node: &Node, image: &str) -> Result<()> {
        lane.ctx.check()?;
        let registry = &lane.registry;
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&node.digest).cloned().unwrap_or_default()
        };
        if known.contains(&repo.path) || registry.blob_head(repo, &node.digest).await? == Some(node.size) {
            lane.pass(node);
            self.remember(node, repo);
            self.count(0, node.size);
            return Ok(());
        }
        let mut session = None;
        if let Some(from) = known.first() {
            match registry.mount_blob(repo, &node.digest, from).await? {
                MountOutcome::Mounted => {
                    self.remember(node, repo);
                    self.count(0, node.size);
                    return Ok(());
                }
                MountOutcome::Session(open) => session = Some(open),
            }
        }
        let source = Arc::new(BundleSource::new(lane, node, image));
        let sending: Arc<dyn BlobSource> = Arc::clone(&source) as Arc<dyn BlobSource>;
        let sized = (&node.digest, node.size);
        let sent = registry.push_blob_in(repo, sized, sending, session, Upload::Monolithic).await;
        if let Err(error) = sent {
            // Damage on the medium is the cause; that the upload then broke off is not.
            return Err(source.failure().unwrap_or_else(|| error.into()));
        }
        self.remember(node, repo);
        self.count(node.size, 0);
        Ok(())
    }

    async fn document(
        &self,
        image: &ImageGraph,
        repo: &Repository,
        node: &Node,
        selector: &str,
    ) -> Result<()> {
        let by_digest = selector.contains(':');
        if by_digest && named(self.job, repo, selector).await?.is_some() {
            self.job.parts.there(&node.digest);
            self.count(0, node.size);
            return Ok(());
        }
        let (bundle, digest) = (self.job.bundle.clone(), node.digest.clone());
        let bytes = blocking(move || bundle.read(&digest, MAX_MANIFEST)).await?;
        let target = self.target.to_string();
        let pushed =
            self.job.registry.push_manifest(repo, selector, &node.media_type, Bytes::from(bytes)).await;
        if let Err(error) = pushed {
            return Err(match &*error.problem {
                Problem::Digest { actual, .. } => {
                    self.altered(repo, selector, &node.digest, actual.to_string()).await
                }
                _ => refusal::explain(image, node, &target, error),
            });
        }
        if by_digest {
            self.job.parts.there(&node.digest);
            self.job.meter.add(node.size);
            self.sums.lock().unwrap_or_else(PoisonError::into_inner).0 += node.size;
        }
        Ok(())
    }

    /// Tags of signatures; and of referrers, where the registry cannot list them itself.
    async fn signatures(&self, image: &ImageGraph, repo: &Repository, notes: &mut Vec<String>) -> Result<()> {
        for (tag, node) in image.tags.iter().filter(|(tag, _)| !is_fallback(tag)) {
            match named(self.job, repo, tag).await? {
                Some(there) if there == node.digest => {}
                Some(there) if !self.job.spec.replace => notes.push(format!(
                    "{repo}:{tag} stays {there}: the registry has other signatures there than the bundle ({})",
                    node.digest
                )),
                _ => self.document(image, repo, node, tag).await?,
            }
        }
        let fallbacks =
            image.tags.iter().filter(|(tag, node)| is_fallback(tag) && mt::is_index(&node.media_type));
        let carried: BTreeMap<&str, &Node> = fallbacks.map(|(tag, node)| (tag.as_str(), node)).collect();
        let subjects: BTreeSet<&Digest> =
            image.referrers.iter().map(|referrer| &referrer.referral.subject).collect();
        for subject in subjects {
            let there = self.job.registry.referrers(repo, subject).await?;
            if there.source != ReferrersSource::Api {
                let tag = format!("{}-{}", subject.algorithm().name(), subject.hex());
                self.fallback(image, repo, (subject, &tag), there, carried.get(tag.as_str()).copied())
                    .await?;
            }
        }
        Ok(())
    }

    /// The index that stands in for the referrers API: the carried one where the tag is free, else what is there and ours.
    async fn fallback(
        &self,
        image: &ImageGraph,
        repo: &Repository,
        (subject, tag): (&Digest, &str),
        there: Referrers,
        carried: Option<&Node>,
    ) -> Result<()> {
        let (mut index, foreign) = match (&there.fallback, carried) {
            (None, Some(node)) => return self.document(image, repo, node, tag).await,
            (None, None) => (LayoutIndex::empty(), false),
            (Some(fetched), _) => match LayoutIndex::parse(&fetched.bytes) {
                Ok(index) => (index, true),
                Err(reason) => return Err(self.unfit(repo, tag, reason).into()),
            },
        };
        for referrer in image.referrers.iter().filter(|referrer| referrer.referral.subject == *subject) {
            let put = index.put(&Entry::referrer(referrer));
            put.map_err(|error| self.unfit(repo, tag, error.to_string()))?;
        }
        if foreign && !index.changed() {
            return Ok(());
        }
        let bytes = index.to_bytes().map_err(|error| self.unfit(repo, tag, error.to_string()))?;
        self.job.registry.push_manifest(repo, tag, mt::OCI_INDEX, Bytes::from(bytes)).await?;
        Ok(())
    }

    fn unfit(&self, repo: &Repository, tag: &str, reason: String) -> ImportError {
        ImportError::Unfit {
            image: format!("{repo}:{tag}"),
            target: self.target.to_string(),
            reason,
            hint: "that tag should hold an index of referrers; remove it in the registry and run this again",
        }
    }

    /// Reads the name back: the bytes there must hash to the digest in the bundle.
    async fn prove(&self, image: &ImageGraph, repo: &Repository) -> Result<()> {
        let (wanted, expected) = (selector(image), &image.image.digest);
        let actual = match self.job.registry.manifest(repo, &wanted).await {
            Ok(there) if there.digest == *expected => return Ok(()),
            Ok(there) => there.digest.to_string(),
            Err(error) => match &*error.problem {
                Problem::Digest { actual, .. } => actual.to_string(),
                Problem::NotFound(_) => "nothing".to_owned(),
                _ => return Err(error.into()),
            },
        };
        Err(self.altered(repo, &wanted, expected, actual).await)
    }

    /// That the registry has something else, and what a pull by the digest in the bundle then gives.
    async fn altered(&self, repo: &Repository, name: &str, expected: &Digest, actual: String) -> EngineError {
        let pinned = match self.job.registry.manifest(repo, &expected.to_string()).await {
            Ok(_) => "still finds it",
            Err(error) => match &*error.problem {
                Problem::NotFound(_) => "finds nothing",
                Problem::Digest { .. } => "is given other bytes and fails",
                _ => "was not answered",
            },
        };
        ImportError::Altered {
            target: self.target.to_string(),
            name: format!("{repo} {name}"),
            expected: expected.clone(),
            actual: format!("{actual} (a pull by the bundle's digest {pinned})"),
        }
        .into()
    }
}
