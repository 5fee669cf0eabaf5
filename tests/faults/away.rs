//! A registry that goes away in the middle of a pack: what was said to be left out is, and nothing else for it.

use std::sync::Arc;

use airlift::domain::keep_going::KeepGoing;
use airlift::domain::media_type::Compression;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::error::Kind;
use airlift::engine::jobs::{End, Job, JobManager, record};
use airlift::engine::pack::PackReport;
use airlift::engine::sign::NoPassphrase;
use airlift::engine::spec::{Host, Images, JobReport, JobSpec, PackJob, SignerSpec};
use airlift::failure::exit_code;

use crate::machine::signatures;
use crate::pausing::pause_in_fetch;
use crate::rig::registry::DockerRegistry;
use crate::rig::world::World;

/// One image in the registry that goes away, one in another, and a name that leads nowhere.
struct Site {
    world: World,
    _other: DockerRegistry,
    references: Vec<String>,
}

fn site() -> Option<Site> {
    let (world, other) = (World::start()?, DockerRegistry::start()?);
    let side = format!("{}/team/side:1", other.host());
    world.push(|layout, host| {
        let layers = (1..=6).map(|seed| LayerSpec::noise(seed, 3_000_000).compressed(Compression::None));
        layout.image(&format!("{host}/team/main:1"), &ImageSpec::new(layers.collect())).unwrap();
        layout.image(&side, &ImageSpec::small("side")).unwrap()
    });
    let references = vec![world.reference("team/main:1"), side, world.reference("team/typo:1")];
    Some(Site { world, _other: other, references })
}

impl Site {
    /// Packs on a medium of its own.
    fn start(&self, manager: &JobManager, keep_going: KeepGoing) -> Job<JobReport> {
        let to = self.world.root.join(keep_going.word());
        std::fs::create_dir_all(&to).unwrap();
        let signer = SignerSpec::Key(self.world.root.join("signing"));
        let job = PackJob {
            images: Images { references: self.references.clone(), ..Images::default() },
            name: keep_going.word().to_owned(),
            // What is asked for already may lie in a socket; what is not cannot come, and all of it is tried at once.
            jobs: 4,
            tool: false,
            keep_going,
            ..PackJob::new(to, signer, self.world.root.join("state"))
        };
        let host = Host { passphrases: Arc::new(NoPassphrase) };
        manager.start_spec(JobSpec::Pack(job), host, &JobCtx::silent())
    }
}

fn missing(report: &PackReport) -> Vec<&str> {
    report.bundle.missing.iter().map(|missing| missing.reference.as_str()).collect()
}

fn packed(end: End<JobReport>) -> PackReport {
    match end {
        End::Succeeded(JobReport::Pack(report)) => report,
        End::Failed(error) => panic!("{error}"),
        _ => panic!("it did not succeed"),
    }
}

#[test]
fn a_registry_that_goes_away_in_the_middle_fails_a_pack_that_leaves_out_only_what_does_not_resolve() {
    let Some(mut site) = site() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let manager = JobManager::new();
    let (all, unresolved) = runtime.block_on(async {
        let mut all = site.start(&manager, KeepGoing::All);
        pause_in_fetch(&manager, &mut all).await;
        let mut unresolved = site.start(&manager, KeepGoing::Unresolved);
        pause_in_fetch(&manager, &mut unresolved).await;
        (all, unresolved)
    });
    site.world.registry.die();
    for job in [&all, &unresolved] {
        assert!(manager.pause(job.id, false));
    }
    let (all, unresolved) = runtime.block_on(async { tokio::join!(all.end(), unresolved.end()) });
    let report = packed(all);
    assert_eq!(missing(&report), [&site.references[2], &site.references[0]]);
    assert_eq!((report.bundle.complete, report.bundle.totals.images), (false, 1));
    assert_eq!(exit_code(JobReport::Pack(report).verdict().unwrap().kind), 3);
    let End::Failed(error) = unresolved else { panic!("it did not fail") };
    assert_eq!(error.kind(), Kind::Network, "{error}");
    let medium = site.world.root.join("unresolved");
    assert_eq!(signatures(&medium), Vec::<String>::new());
    let offered = || record::interrupted(&site.world.root.join("state"), &JobCtx::silent()).jobs.len();
    assert_eq!(offered(), 1, "it can be gone on with");
    site.world.registry.come_back();
    let report = packed(runtime.block_on(async { site.start(&manager, KeepGoing::Unresolved).end().await }));
    assert_eq!(missing(&report), [&site.references[2]]);
    assert_eq!((report.bundle.complete, report.bundle.totals.images), (false, 2));
    assert!(report.bundle.kept_bytes > 0, "what had come is kept");
    assert_eq!(report.bundle.serial, 1);
}
