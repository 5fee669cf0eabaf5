//! A job that is paused stands still in the middle of a fetch, goes on from there, and can be stopped out of the pause.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use airlift::domain::progress::{Event, Phase};
use airlift::domain::view::ItemState;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout};
use airlift::engine::jobs::{End, Job, JobManager};
use airlift::engine::serve::catalog::Catalog;
use airlift::engine::serve::layout::LayoutSource;
use airlift::engine::serve::source::Source;
use airlift::engine::serve::{ListenSpec, Running, start};
use airlift::engine::sign::NoPassphrase;
use airlift::engine::sign::keys::{GenerateSpec, generate};
use airlift::engine::spec::{Host, Images, JobReport, JobSpec, PackJob, SignerSpec};

/// Nothing is said for so long: whatever was to happen has happened.
const QUIET: Duration = Duration::from_millis(300);

async fn registry(dir: &Path, ctx: &JobCtx) -> Running {
    let mut layout = SampleLayout::create(dir).unwrap();
    let layers = (1..=4).map(|seed| LayerSpec::noise(seed, 3_000_000)).collect();
    layout.image("samples.invalid/team/app:1", &ImageSpec::new(layers)).unwrap();
    let source: Arc<dyn Source> = Arc::new(LayoutSource::open(dir, ctx.files.clone()).unwrap());
    start(&ListenSpec::loopback(), Arc::new(Catalog::new(&[source]).unwrap()), ctx).await.unwrap()
}

fn pack(root: &Path, registry: &Running, ctx: &JobCtx) -> JobSpec {
    let (key, to) = (root.join("key"), root.join("medium"));
    if !to.exists() {
        std::fs::create_dir(&to).unwrap();
        let made = GenerateSpec { path: key.clone(), comment: "a".to_owned(), passphrase: None };
        generate(&*ctx.files, &made).unwrap();
    }
    let references = vec![format!("{}/team/app:1", registry.address)];
    JobSpec::Pack(PackJob {
        images: Images { references, ..Images::default() },
        jobs: 1,
        tool: false,
        ..PackJob::new(to, SignerSpec::Key(key), root.join("state"))
    })
}

/// Waits for the first blob on the network, pauses, and waits until nothing is said any more.
pub(crate) async fn pause_in_fetch(manager: &JobManager, job: &mut Job<JobReport>) {
    loop {
        let event = job.milestones.recv().await.expect("it does not end before it fetches");
        if matches!(event, Event::Item { phase: Phase::Fetch, .. }) {
            break;
        }
    }
    assert!(manager.pause(job.id, true) && !manager.pause(job.id, true));
    while let Ok(Some(_)) = tokio::time::timeout(QUIET, job.milestones.recv()).await {}
    assert!(manager.running()[0].paused);
    let before = job.view.borrow_and_update().clone();
    assert!(tokio::time::timeout(QUIET, job.view.changed()).await.is_err(), "it stands still");
    assert!(before.paused && before.items.count(Phase::Fetch, ItemState::Waiting) > 0, "{before:?}");
}

#[tokio::test]
async fn a_pack_is_paused_in_its_fetch_goes_on_and_is_stopped_out_of_a_pause() {
    let root = tempfile::tempdir().unwrap();
    let (ctx, manager) = (JobCtx::silent(), JobManager::new());
    let registry = registry(&root.path().join("layout"), &ctx).await;
    let spec = pack(root.path(), &registry, &ctx);
    let start = || {
        let host = Host { passphrases: Arc::new(NoPassphrase) };
        manager.start_spec(spec.clone(), host, &ctx)
    };
    let mut job = start();
    pause_in_fetch(&manager, &mut job).await;
    assert!(manager.cancel(job.id));
    assert!(matches!(job.end().await, End::Cancelled { resumable: true, .. }));
    let mut job = start();
    pause_in_fetch(&manager, &mut job).await;
    assert!(manager.pause(job.id, false));
    let End::Succeeded(JobReport::Pack(report)) = job.end().await else { panic!("it did not succeed") };
    assert!(report.bundle.complete && report.bundle.read_back.is_some());
    assert_eq!(report.bundle.serial, 1);
    let blobs = std::fs::read_dir(report.bundle.path.join("blobs/sha256")).unwrap();
    let layer = blobs.map(|blob| blob.unwrap()).find(|blob| blob.metadata().unwrap().len() > 3_000_000);
    std::fs::remove_file(layer.unwrap().path()).unwrap();
    let job = start();
    let view = job.view.clone();
    let End::Succeeded(JobReport::Pack(report)) = job.end().await else { panic!("it did not succeed") };
    // What was there was hashed, not fetched again: the network brought the rest alone, the medium has all of it.
    let (bundle, view) = (&report.bundle, view.borrow().clone());
    let phase = |wanted| view.phases.iter().find(|view| view.phase == wanted).unwrap();
    let (fetch, write) = (phase(Phase::Fetch), phase(Phase::Write));
    assert!(bundle.kept_bytes > 0 && bundle.fetched_bytes > 0, "{bundle:?}");
    assert_eq!((fetch.brought(), fetch.spared), (bundle.fetched_bytes, bundle.kept_bytes));
    assert_eq!((fetch.shown, fetch.bytes), (write.shown, write.bytes));
    assert_eq!(write.shown, bundle.fetched_bytes + bundle.kept_bytes);
    assert_eq!(write.shown, write.bytes);
    assert!(fetch.finished && write.finished);
    registry.stop().await.unwrap();
}
