//! Runs the whole job on loopback with the same verbs the commands use, and reports what each step proved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::DemoError;
use super::images::{self, Samples};
use super::pull::Puller;
use crate::domain::bundle::Blob;
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::keep_going::KeepGoing;
use crate::domain::progress::Event;
use crate::domain::reference::Reference;
use crate::domain::resolved::ResolvedImage;
use crate::domain::selection::Request;
use crate::engine::blocking::blocking;
use crate::engine::bundle::assemble::{AssembleReport, AssembleSpec, BundleSpec, assemble};
use crate::engine::bundle::ground::Ground;
use crate::engine::bundle::read::BundleReader;
use crate::engine::bundle::verify::{Bytes, VerifySpec, verify};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, FileError, Kind, Result};
use crate::engine::import::{ImportSpec, import};
use crate::engine::registry::{Registry, RegistryOptions};
use crate::engine::resolve::{ResolveSpec, resolve};
use crate::engine::serve::bundle::BundleSource;
use crate::engine::serve::catalog::Catalog;
use crate::engine::serve::layout::LayoutSource;
use crate::engine::serve::source::Source;
use crate::engine::serve::{ListenSpec, Running, start};
use crate::engine::sign::Signer;
use crate::engine::sign::store::{self, TrustSpec};
use crate::engine::state::State;

/// The principal of the throw-away key.
const PRINCIPAL: &str = "demo@airlift";

/// How to demonstrate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DemoSpec {
    /// Where everything is kept; nothing means a private directory that is removed.
    pub keep: Option<PathBuf>,
    /// Whether to leave this program out of the images and the bundle, which makes them small.
    pub fast: bool,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was done.
    pub title: &'static str,
    /// What that showed, with figures.
    pub proved: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What the demonstration showed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoReport {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The bundle, where it was kept.
    pub bundle: Option<PathBuf>,
    /// How long all of it took, in milliseconds.
    pub millis: u64,
}

/// Demonstrates.
///
/// # Errors
/// Those of the verbs, or [`DemoError`] where one of them did not do what it should.
pub async fn run(spec: DemoSpec, ctx: &JobCtx) -> Result<DemoReport> {
    let began = Instant::now();
    let (dir, guard) = place(&spec)?;
    let mut demo = Demo { dir, fast: spec.fast, ctx: ctx.clone(), steps: Vec::new() };
    let bundle = demo.everything().await?;
    if let Some(guard) = guard {
        let path = guard.path().to_owned();
        guard.close().map_err(|source| FileError { operation: "remove directory", path, source })?;
    }
    Ok(DemoReport { steps: demo.steps, bundle: spec.keep.map(|_| bundle), millis: millis(began.elapsed()) })
}

fn place(spec: &DemoSpec) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let Some(path) = spec.keep.clone() else {
        let made = tempfile::Builder::new().prefix("airlift-demo-").tempdir();
        let path = std::env::temp_dir();
        let guard = made.map_err(|source| FileError { operation: "create a directory in", path, source })?;
        return Ok((guard.path().to_owned(), Some(guard)));
    };
    let failed = |source| FileError { operation: "create directory", path: path.clone(), source };
    std::fs::create_dir_all(&path).map_err(failed)?;
    let empty = std::fs::read_dir(&path).map_err(failed)?.next().is_none();
    let path = std::fs::canonicalize(&path).map_err(failed)?;
    if empty { Ok((path, None)) } else { Err(DemoError::Taken { path }.into()) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Demo {
    dir: PathBuf,
    fast: bool,
    ctx: JobCtx,
    steps: Vec<Step>,
}

impl Demo {
    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn proved(&mut self, title: &'static str, since: Instant, proved: String) {
        self.ctx.say(Event::Note { text: format!("{title}: {proved}") });
        self.steps.push(Step { title, proved, millis: millis(since.elapsed()) });
    }

    async fn everything(&mut self) -> Result<PathBuf> {
        let samples = self.build().await?;
        let source = self.serve_source(&samples).await?;
        let resolved = self.resolve(&samples, &source).await?;
        let (assembled, signer) = self.pack(&resolved).await?;
        // From here on nothing can come from anywhere but the bundle.
        source.stop().await?;
        let bundle = self.verify(&assembled, &signer).await?;
        self.import(&bundle, &samples).await?;
        self.pull_back(&bundle, &samples).await?;
        self.damage(&bundle).await?;
        self.distrust(&assembled.path).await?;
        Ok(assembled.path)
    }

    async fn build(&mut self) -> Result<Samples> {
        let began = Instant::now();
        let (dir, fast) = (self.at("source"), self.fast);
        let samples = blocking(move || images::build(&dir, fast)).await?;
        let count = samples.images.len();
        self.proved("sample images", began, format!("{count} images built, one of them for two platforms"));
        Ok(samples)
    }

    async fn serve_source(&mut self, samples: &Samples) -> Result<Running> {
        let began = Instant::now();
        let (path, files) = (samples.layout.clone(), Arc::clone(&self.ctx.files));
        let catalog = blocking(move || {
            let source: Arc<dyn Source> = Arc::new(LayoutSource::open(&path, files)?);
            Catalog::new(&[source])
        })
        .await?;
        let running = start(&ListenSpec::loopback(), Arc::new(catalog), &self.ctx).await?;
        self.proved("source registry", began, format!("listens on {}", running.url()));
        Ok(running)
    }

    async fn resolve(&mut self, samples: &Samples, source: &Running) -> Result<Vec<ResolvedImage>> {
        let began = Instant::now();
        let names = samples.images.iter().map(|(name, _)| format!("{}/{name}", source.address));
        let requests = names.map(|name| Request::parse(&name)).collect::<std::result::Result<Vec<_>, _>>()?;
        let registry = Registry::new(RegistryOptions::default())?;
        let spec =
            ResolveSpec { requests, platforms: Vec::new(), jobs: 4, signatures: true, nearby: Vec::new() };
        let outcomes = resolve(&spec, &registry, &self.ctx).await?;
        let images: Vec<ResolvedImage> =
            outcomes.into_iter().collect::<std::result::Result<_, _>>().map_err(|failed| failed.error)?;
        for (image, (name, digest)) in images.iter().zip(&samples.images) {
            same(name, digest, &image.digest)?;
        }
        let signatures: usize = images.iter().map(|image| image.signatures.len()).sum();
        same_count("signatures and referrers found", 2, signatures as u64)?;
        let count = images.len();
        self.proved(
            "resolve",
            began,
            format!("{count} tags pinned to the digests they were built with; {signatures} signatures and referrers found"),
        );
        Ok(images)
    }

    async fn pack(&mut self, images: &[ResolvedImage]) -> Result<(AssembleReport, Signer)> {
        let began = Instant::now();
        let signer = Signer::throw_away(PRINCIPAL)?;
        let spec = AssembleSpec {
            images: images.to_vec(),
            missing: Vec::new(),
            left_out: Vec::new(),
            bundle: BundleSpec {
                to: self.at("medium"),
                ground: Ground::of(&self.at("medium")),
                carrier: None,
                name: "demo".to_owned(),
                expires: None,
                jobs: 4,
                read_back: true,
                tool: !self.fast,
                max_file_size: None,
                keep_going: KeepGoing::No,
                anew: false,
                replaces: Vec::new(),
            },
        };
        let registry = Registry::new(RegistryOptions::default())?;
        self.ctx.files.create_dir(&spec.bundle.to)?;
        let state = State::new(Arc::clone(&self.ctx.files), self.at("state-connected"));
        let report = assemble(spec, registry, &signer, &state, &self.ctx).await?;
        self.proved(
            "pack",
            began,
            format!(
                "{} blobs, {} bytes fetched, read back and signed by {}",
                report.totals.blobs, report.fetched_bytes, report.signed_by
            ),
        );
        Ok((report, signer))
    }

    fn verify_spec(&self, path: &Path, trust: &Path) -> VerifySpec {
        VerifySpec {
            path: path.to_owned(),
            trust: trust.to_owned(),
            min_signatures: 1,
            state: self.at("state-disconnected"),
            deep: true,
            allow_rollback: crate::domain::trust::AllowRollback::No,
            bytes: Bytes::All,
            record: true,
        }
    }

    async fn verify(&mut self, assembled: &AssembleReport, signer: &Signer) -> Result<BundleReader> {
        let began = Instant::now();
        let trust = self.at("allowed_signers");
        self.trust(&trust, signer)?;
        let verified = verify(self.verify_spec(&assembled.path, &trust), &self.ctx).await?;
        let layers = verified.report.layers_unpacked.unwrap_or(0);
        self.proved(
            "verify",
            began,
            format!(
                "{} bytes hashed, {layers} layers unpacked and compared with their configurations",
                verified.report.bytes_hashed
            ),
        );
        Ok(verified.bundle)
    }

    fn trust(&self, path: &Path, signer: &Signer) -> Result<()> {
        let spec = TrustSpec {
            key: signer.public().clone(),
            principal: PRINCIPAL.to_owned(),
            valid_after: None,
            valid_before: None,
        };
        store::trust(&*self.ctx.files, path, &spec, true).map(drop)
    }

    async fn import(&mut self, bundle: &BundleReader, samples: &Samples) -> Result<()> {
        let began = Instant::now();
        let target = self.at("imported");
        let spec = ImportSpec { jobs: 1, ..ImportSpec::new(vec![Target::Layout(target.clone())]) };
        let report = import(bundle.clone(), spec, None, &self.ctx).await?;
        let written: u64 = report.targets.iter().map(|target| target.bytes_written).sum();
        // The copy is read anew: every byte it names is hashed when it is opened.
        let files = Arc::clone(&self.ctx.files);
        let catalog = blocking(move || {
            let source: Arc<dyn Source> = Arc::new(LayoutSource::open(&target, files)?);
            Catalog::new(&[source])
        })
        .await?;
        for image in &bundle.document().images {
            let (name, selector) = (image.reference.name(), image.reference.selector());
            let found = catalog.manifest(None, &name, &selector);
            let digest = found.map(|found| found.digest).map_err(|refusal| DemoError::Pull {
                what: format!("{name}:{selector}"),
                reason: format!("{refusal:?}"),
            })?;
            same(&name, &image.digest, &digest)?;
        }
        // Every sample, and the signature, which has a tag of its own.
        same_count("tags imported", samples.images.len() as u64 + 1, catalog.references().len() as u64)?;
        self.proved("import", began, format!("{written} bytes into an OCI layout, hashed again from there"));
        Ok(())
    }

    async fn pull_back(&mut self, bundle: &BundleReader, samples: &Samples) -> Result<()> {
        let began = Instant::now();
        let (reader, files) = (bundle.clone(), Arc::clone(&self.ctx.files));
        let catalog = blocking(move || {
            let source: Arc<dyn Source> = Arc::new(BundleSource::new(reader, &*files)?);
            Catalog::new(&[source])
        })
        .await?;
        let running = start(&ListenSpec::loopback(), Arc::new(catalog), &self.ctx).await?;
        let puller = Puller::new()?;
        let (mut documents, mut blobs, mut bytes) = (0, 0, 0);
        for (name, digest) in &samples.images {
            let reference: Reference = format!("{}/{name}", running.address).parse()?;
            let pulled = puller.image(&reference, digest).await?;
            documents += pulled.documents;
            blobs += pulled.blobs;
            bytes += pulled.bytes;
        }
        running.stop().await?;
        self.proved(
            "serve and pull",
            began,
            format!(
                "{} pulled {documents} manifests and {blobs} blobs, {bytes} bytes, straight from the bundle; every digest is the one that was built",
                puller.name()
            ),
        );
        Ok(())
    }

    /// One changed byte in a copy must be found.
    async fn damage(&mut self, bundle: &BundleReader) -> Result<()> {
        let began = Instant::now();
        let copy = self.at("damaged");
        let largest =
            bundle.document().blobs.iter().filter(|blob| blob.path.is_some()).max_by_key(|blob| blob.size);
        let Some(Blob { path: Some(path), size, .. }) = largest.cloned() else { return Ok(()) };
        let (from, to, file) = (bundle.root().to_owned(), copy.clone(), path.clone());
        blocking(move || super::damage::copy(&from, &to, &file, size / 2)).await?;
        let outcome = verify(self.verify_spec(&copy, &self.at("allowed_signers")), &self.ctx).await;
        refused("a bundle with one changed byte", Kind::Integrity, outcome.map(drop))?;
        self.proved("damage", began, format!("one byte of {size} changed in a copy of {path}: refused"));
        Ok(())
    }

    /// A key nobody trusts must not do.
    async fn distrust(&mut self, bundle: &Path) -> Result<()> {
        let began = Instant::now();
        let trust = self.at("other_signers");
        self.trust(&trust, &Signer::throw_away(PRINCIPAL)?)?;
        let outcome = verify(self.verify_spec(bundle, &trust), &self.ctx).await;
        refused("a bundle whose key is not trusted", Kind::Trust, outcome.map(drop))?;
        self.proved("distrust", began, "the same bundle judged with another key's trust: refused".to_owned());
        Ok(())
    }
}

fn same(what: &str, expected: &Digest, actual: &Digest) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    let (expected, actual) = (expected.clone(), actual.clone());
    Err(DemoError::Differs { what: what.to_owned(), expected, actual }.into())
}

fn same_count(what: &str, expected: u64, actual: u64) -> Result<()> {
    if expected == actual {
        return Ok(());
    }
    Err(DemoError::Count { what: what.to_owned(), expected, actual }.into())
}

fn refused(what: &str, expected: Kind, outcome: Result<()>) -> Result<()> {
    let actual = match outcome {
        Err(error) if error.kind() == expected => return Ok(()),
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(error) => format!("it failed as {:?}: {error}", error.kind()),
        Ok(()) => "it was accepted".to_owned(),
    };
    Err(EngineError::from(DemoError::NotRefused { what: what.to_owned(), expected, actual }))
}
