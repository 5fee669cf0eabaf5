//! Runs a job from its spec: what a front says goes in, what came of it comes out; whatever can be refused early is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use ssh_key::PublicKey;

use super::images::{ImagesError, lock_of};
use super::sign::sign_job;
use super::{Host, ImportJob, JobReport, JobSpec, PackJob, ResolveJob, SignerSpec, key};
use crate::domain::carrier::Carrier;
use crate::domain::expiry::ExpiryError;
use crate::domain::keep_going::KeepGoing;
use crate::domain::lock::Lock;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::domain::selection::Requests;
use crate::engine::blocking::blocking;
use crate::engine::bundle::diff::compare;
use crate::engine::bundle::inspect::inspect;
use crate::engine::bundle::verify::{Bytes, VerifySpec, verify};
use crate::engine::bundle::{assemble::BundleSpec, ground::Ground, workdir};
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Explain, Interrupted, Kind, Result};
use crate::engine::import::changes::Noting;
use crate::engine::import::import;
use crate::engine::import::report::ImportReport;
use crate::engine::import::undo::undo;
use crate::engine::jobs::onto;
use crate::engine::pack::{self, PackSpec};
use crate::engine::registry::{Registry, RegistryOptions, check_files};
use crate::engine::resolve::{Outcome, ResolveReport, ResolveSpec, resolve};
use crate::engine::sign::keys::{load_public, refuse_on_medium};
use crate::engine::sign::{Signer, agent};
use crate::engine::state::State;
use crate::engine::{demo, given, lockfile, media, service};

impl Explain for ExpiryError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Past { .. } => {
                vec!["give a later date; if the clock of this host is wrong, set it".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// Runs a job to its end. Each one's future is boxed: they are large and only one of them runs.
///
/// # Errors
/// What keeps it from giving a report; what keeps the report from being a whole success is in [`JobReport::verdict`].
pub async fn run(spec: JobSpec, host: Host, ctx: JobCtx) -> Result<JobReport> {
    let done: BoxFuture<'_, Result<JobReport>> = match spec {
        JobSpec::Resolve(job) => Box::pin(async { resolve_job(job, &ctx).await.map(JobReport::Resolve) }),
        JobSpec::Pack(job) => Box::pin(pack_job(job, &host, &ctx)),
        JobSpec::Verify(spec) => Box::pin(async { Ok(JobReport::Verify(verify(spec, &ctx).await?.report)) }),
        JobSpec::Sign(job) => Box::pin(async { sign_job(job, &host, &ctx).await.map(JobReport::Sign) }),
        JobSpec::Import(job) => Box::pin(async { import_job(job, &ctx).await.map(JobReport::Import) }),
        JobSpec::Undo(spec) => Box::pin(async { undo(spec, &ctx).await.map(JobReport::Undo) }),
        JobSpec::Inspect(spec) => Box::pin(async { inspect(spec, &ctx).await.map(JobReport::Inspect) }),
        JobSpec::Diff(spec) => Box::pin(async { compare(spec, &ctx).await.map(JobReport::Diff) }),
        JobSpec::Demo(spec) => Box::pin(async { demo::run::run(spec, &ctx).await.map(JobReport::Demo) }),
        JobSpec::KeyGenerate(job) => Box::pin(key::generate(job, &host, &ctx)),
        JobSpec::KeyShow(job) => Box::pin(key::show(job)),
        JobSpec::KeyTrust(job) => Box::pin(key::trust(job, &ctx)),
        JobSpec::KeyUntrust(job) => Box::pin(key::untrust(job, &ctx)),
        JobSpec::KeyList(job) => Box::pin(key::list(job, &ctx)),
        JobSpec::MediaCheck(spec) => {
            Box::pin(async { media::check(spec, &ctx).await.map(JobReport::MediaCheck) })
        }
        JobSpec::MediaMount(spec) => {
            Box::pin(async { media::mount(spec, &ctx).await.map(JobReport::MediaMount) })
        }
        JobSpec::MediaEject(spec) => {
            Box::pin(async { media::eject(spec, &ctx).await.map(JobReport::MediaEject) })
        }
        JobSpec::ServeInstall(spec) => {
            Box::pin(async { service::install(spec, &ctx).await.map(JobReport::Service) })
        }
        JobSpec::ServeUninstall(spec) => {
            Box::pin(async { service::uninstall(spec, &ctx).await.map(JobReport::Service) })
        }
    };
    done.await
}

fn registry(options: RegistryOptions) -> Result<Registry> {
    check_files(&options)?;
    Ok(Registry::new(options)?)
}

async fn resolve_job(job: ResolveJob, ctx: &JobCtx) -> Result<ResolveReport> {
    let registry = registry(job.registry)?;
    let requests = job.images.requests(&registry, ctx).await?;
    let old = match job.lock.clone() {
        Some(path) => {
            let ctx = ctx.clone();
            blocking(move || lockfile::read(&path, &ctx)).await?
        }
        None => None,
    };
    let spec = ResolveSpec {
        requests: requests.wanted.clone(),
        platforms: job.images.platforms,
        jobs: job.jobs,
        signatures: job.images.signatures,
        nearby: Vec::new(),
    };
    let outcomes = resolve(&spec, &registry, ctx).await?;
    let mut report = ResolveReport::new(&requests, &outcomes);
    if let Some(directory) = job.state {
        let state = State::new(ctx.files.clone(), directory);
        match blocking(move || state.carried()).await {
            Ok(carried) => report.compare(&carried),
            Err(error) => ctx.warn(format!("not compared with earlier bundles: {}", error.message())),
        }
    }
    if let Some(path) = job.lock.filter(|_| !report.images.is_empty()) {
        let lock = new_lock(&requests, &outcomes, &spec.platforms, old.as_ref().map(|old| (old, job.keep)));
        report.changes = old.as_ref().map(|old| lock.changes_since(old)).unwrap_or_default();
        if job.write_lock {
            let ctx = ctx.clone();
            blocking(move || lockfile::write(&path, &lock, &ctx)).await?;
        }
    }
    Ok(report)
}

/// References that failed keep the entry they had, and the file says that they failed. Where others
/// are to be kept, the file says of what was not asked for now what it said before.
fn new_lock(
    requests: &Requests,
    outcomes: &[Outcome],
    platforms: &[Platform],
    old: Option<(&Lock, bool)>,
) -> Lock {
    let resolved = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
    let failed: Vec<&Reference> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .map(|failed| &failed.request.reference)
        .collect();
    let mut lock = Lock::of(resolved, platforms);
    let mut unasked = Vec::new();
    if let Some((old, keep)) = old {
        lock = lock.keeping(old, failed.iter().copied());
        if keep {
            lock = lock.keeping(old, old.images().iter().map(|locked| &locked.reference));
            let asked: BTreeSet<String> =
                requests.wanted.iter().map(|request| request.reference.to_string()).collect();
            unasked.extend(old.unresolved().iter().filter(|lost| !asked.contains(*lost)).cloned());
        }
    }
    let lost: Vec<String> = failed.into_iter().map(ToString::to_string).collect();
    let unread = requests.problems.iter().map(|problem| format!("{}: {}", problem.origin, problem.reason));
    lock.lacking(lost.into_iter().chain(unread).chain(unasked))
}

/// What needs no network comes first: the key's place and passphrase, the expiry, the lock file.
async fn pack_job(job: PackJob, host: &Host, ctx: &JobCtx) -> Result<JobReport> {
    pack::destination(&job.to)?;
    keep_off(&job.signer, &job.to, ctx)?;
    if job.images.is_empty() && job.lock.is_none() {
        return Err(ImagesError::NothingHeld.into());
    }
    // Whoever is in the way is told before anything is asked for, and before what that one writes is taken for a pack
    // that was cut off.
    unlocked(&job.to, ctx).await?;
    let carrier = onto::look(&job, ctx).await?;
    let expires = job.expires.map(|expiry| expiry.after(ctx.clock.now())).transpose()?;
    let lock = match job.lock.clone() {
        Some(path) => Some(lock_of(path, ctx).await?),
        None => None,
    };
    let (registry, ground) = (registry(job.registry.clone())?, Ground::found(&job.to).await?);
    if job.dry_run {
        let key = public(&job.signer).await;
        let settled = Settled { expires, lock, ground, carrier, replaces: Vec::new() };
        let spec = pack_spec(job, settled, &registry, ctx).await?;
        return Ok(JobReport::Plan(pack::plan(spec, &registry, key, ctx).await?));
    }
    let signer = open(&job.signer, host, ctx).await?;
    // Whoever typed a passphrase had time to take the medium out.
    onto::still(&job.to, &carrier, ctx).await?;
    // The record of a run that works there at this moment is that run's.
    unlocked(&job.to, ctx).await?;
    let started = ctx.clock.now();
    let recorded = onto::recorded(&job, carrier.clone(), ctx).await;
    let replaces = recorded.as_ref().map(|own| own.replaces().to_vec()).unwrap_or_default();
    let settled = Settled { expires, lock, ground, carrier: carrier.clone(), replaces };
    let outcome = signed(job.clone(), settled, (&registry, &signer), ctx).await;
    let goes_on = onto::cut_off(outcome.as_ref().err(), (&job, &carrier, started), ctx).await;
    if let Some(recorded) = recorded {
        onto::settle(recorded, (goes_on, outcome.is_ok()), ctx).await;
    }
    outcome
}

/// Refuses a destination in which another run works.
async fn unlocked(to: &Path, ctx: &JobCtx) -> Result<()> {
    let (files, to) = (ctx.files.clone(), to.to_owned());
    blocking(move || workdir::lock(&*files, &to).map(drop)).await
}

/// What was read already, before the network is asked.
struct Settled {
    expires: Option<Timestamp>,
    lock: Option<(PathBuf, Lock)>,
    /// What the destination lies on.
    ground: Ground,
    carrier: Carrier,
    /// Records of earlier packs that end once the bundle is begun.
    replaces: Vec<PathBuf>,
}

async fn signed(
    job: PackJob,
    settled: Settled,
    (registry, signer): (&Registry, &Signer),
    ctx: &JobCtx,
) -> Result<JobReport> {
    let spec = pack_spec(job, settled, registry, ctx).await?;
    if let Some(problem) = State::new(ctx.files.clone(), spec.state.clone()).read().problem {
        ctx.warn(format!("no history of serials, earlier ones may be given again: {problem}"));
    }
    Ok(JobReport::Pack(pack::pack(spec, registry, signer, ctx).await?))
}

async fn pack_spec(
    job: PackJob,
    Settled { expires, lock, ground, carrier, replaces }: Settled,
    registry: &Registry,
    ctx: &JobCtx,
) -> Result<PackSpec> {
    let requests = job.images.held(lock, registry, ctx).await?;
    refuse_unread(&requests, job.keep_going)?;
    Ok(PackSpec {
        requests,
        platforms: job.images.platforms,
        signatures: job.images.signatures,
        bundle: BundleSpec {
            to: job.to,
            ground,
            carrier: Some(carrier),
            name: job.name,
            expires,
            jobs: job.jobs,
            read_back: job.read_back,
            tool: job.tool,
            max_file_size: job.max_file_size,
            keep_going: job.keep_going,
            anew: job.anew,
            replaces,
        },
        state: job.state,
    })
}

fn refuse_unread(requests: &Requests, keep_going: KeepGoing) -> Result<()> {
    if requests.problems.is_empty() || keep_going != KeepGoing::No {
        return Ok(());
    }
    let problems = requests.problems.iter().map(|p| format!("{}: {}", p.origin, p.reason));
    Err(ImagesError::Unread(problems.collect()).into())
}

/// Layers are hashed as they stream into the target, so that each byte is read once. Accepted is what was imported,
/// of a bundle that is not known to be damaged.
async fn import_job(job: ImportJob, ctx: &JobCtx) -> Result<ImportReport> {
    check_files(&job.import.registry)?;
    let history = job.verify.state.clone();
    let verification = VerifySpec { bytes: Bytes::AllButLayers, record: false, ..job.verify };
    let verified = verify(verification, ctx).await?;
    verified.report.warnings.iter().for_each(|warning| ctx.warn(warning));
    verified.report.missing.iter().for_each(|missing| ctx.warn(missing.to_string()));
    let noting = Noting { history, let_through: verified.let_through().cloned() };
    let report = import(verified.bundle.clone(), job.import, Some(noting), ctx).await?;
    if report.failure().is_none()
        && (!report.dry_run || verified.is_damaged())
        && let Some(warning) = verified.accept()
    {
        ctx.warn(warning);
    }
    Ok(report)
}

/// Refuses a key file that lies on the medium it signs for; a key in an agent lies nowhere.
pub(super) fn keep_off(signer: &SignerSpec, medium: &Path, ctx: &JobCtx) -> Result<()> {
    match signer {
        SignerSpec::Key(path) => refuse_on_medium(&*ctx.files, path, medium),
        SignerSpec::Agent(_) => Ok(()),
    }
}

/// Opens the key, asking for its passphrase where it has one. A cancel ends the wait for an answer.
pub(super) async fn open(signer: &SignerSpec, host: &Host, ctx: &JobCtx) -> Result<Signer> {
    let path = match signer {
        SignerSpec::Agent(selector) => {
            return Signer::from_agent(&agent::socket()?, selector.as_deref()).await;
        }
        SignerSpec::Key(path) => path.clone(),
    };
    given::check(&path, "signing key", "airlift key generate makes one; --key FILE or --agent use another")?;
    let (files, passphrases) = (Arc::clone(&ctx.files), Arc::clone(&host.passphrases));
    asking(ctx, move || Signer::from_file(&*files, &path, &*passphrases)).await
}

/// The public half of what signs, asking nobody; nothing where it cannot be had yet: a plan needs no key.
pub(super) async fn public(signer: &SignerSpec) -> Option<PublicKey> {
    match signer {
        SignerSpec::Agent(selector) => {
            let signer = Signer::from_agent(&agent::socket().ok()?, selector.as_deref()).await.ok()?;
            Some(signer.public().clone())
        }
        SignerSpec::Key(path) => {
            let path = path.clone();
            blocking(move || load_public(&path)).await.ok()
        }
    }
}

/// Runs something that may wait for a person. A cancel ends the wait; the thread goes on until it is answered.
pub(super) async fn asking<T: Send + 'static>(
    ctx: &JobCtx,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::select! {
        done = blocking(work) => done,
        () = ctx.cancel.cancelled() => Err(Interrupted.into()),
    }
}
