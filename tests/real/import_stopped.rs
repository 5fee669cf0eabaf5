//! What is in a layout and in an archive once an import was stopped or failed: what is said to be there, by name and byte.

use std::path::Path;
use std::sync::{Arc, Mutex};

use airlift::domain::progress::{Event, Landed, Phase};
use airlift::engine::ctx::{JobCtx, Report};
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::error::{EngineError, Kind};
use airlift::engine::hash::sha256;
use airlift::engine::import::report::{ImportReport, Outcome};
use airlift::engine::import::{ImportSpec, import};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::import::{Bundle, build};

const NAMES: [&str; 3] = ["docker.io/team/one:1", "docker.io/team/two:1", "docker.io/team/three:1"];

fn bundle() -> Bundle {
    build(|layout| {
        for (seed, name) in (1..).zip(NAMES) {
            let layers = vec![LayerSpec::noise(9, 1 << 20), LayerSpec::noise(seed, 1 << 20)];
            layout.image(name, &ImageSpec::new(layers)).unwrap();
        }
    })
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Stops the job once so many images were said to be done, and keeps what is said of targets.
struct Stops {
    after: usize,
    done: Mutex<usize>,
    landed: Mutex<Vec<Landed>>,
    cancel: CancellationToken,
}

impl Report for Stops {
    fn event(&self, event: Event) {
        match event {
            Event::Done { phase: Phase::Import, .. } => {
                let mut done = self.done.lock().unwrap();
                *done += 1;
                if *done == self.after {
                    self.cancel.cancel();
                }
            }
            Event::Landed(landed) => self.landed.lock().unwrap().push(landed),
            _ => {}
        }
    }
}

/// An import that is stopped after so many images, and what was said of its targets.
async fn stopped(
    bundle: &Bundle,
    into: &[String],
    after: usize,
) -> (Result<ImportReport, EngineError>, Vec<Landed>) {
    let cancel = CancellationToken::new();
    let (done, landed) = (Mutex::default(), Mutex::default());
    let stops = Arc::new(Stops { after, done, landed, cancel: cancel.clone() });
    let spec = ImportSpec::new(into.iter().map(|text| text.parse().unwrap()).collect());
    let ctx = JobCtx { cancel, ..JobCtx::new(stops.clone()) };
    let ended = import(bundle.reader(), spec, None, &ctx).await;
    let landed = stops.landed.lock().unwrap().clone();
    (ended, landed)
}

/// The names that a layout has, of which every manifest, configuration and layer is there, byte for byte.
fn named(out: &Path) -> Vec<String> {
    let read = |digest: &Value| {
        let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
        let bytes = std::fs::read(out.join("blobs/sha256").join(&hex)).unwrap();
        assert_eq!(sha256(&bytes).hex(), hex);
        bytes
    };
    let Ok(index) = std::fs::read(out.join("index.json")) else { return Vec::new() };
    let index: Value = serde_json::from_slice(&index).unwrap();
    let mut names = Vec::new();
    for entry in index["manifests"].as_array().unwrap() {
        let manifest: Value = serde_json::from_slice(&read(&entry["digest"])).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        layers.iter().chain([&manifest["config"]]).for_each(|blob| drop(read(&blob["digest"])));
        let name = &entry["annotations"]["org.opencontainers.image.ref.name"];
        names.extend(name.as_str().map(str::to_owned));
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_keeps_by_name_the_images_that_were_complete_when_it_was_stopped() {
    let bundle = bundle();
    let out = bundle.root.join("out");
    let into = [format!("oci:{}", out.display())];
    for after in 1..NAMES.len() {
        // What is there already is looked at as well, and said to be done.
        let (ended, landed) = stopped(&bundle, &into, after).await;
        let error = ended.unwrap_err();
        let (there, missing) = NAMES.split_at(after);
        assert_eq!((error.kind(), named(&out)), (Kind::Interrupted, owned(there)));
        assert!(out.join("oci-layout").exists());
        assert_eq!((&landed[0].there, &landed[0].missing), (&owned(there), &owned(missing)));
        let hints = error.hints().join("\n");
        assert!(hints.contains(&format!("in it: {}", there.join(", "))), "{hints}");
    }
    let report = stopped(&bundle, &into, 0).await.0.unwrap();
    let outcomes: Vec<_> = report.targets[0].images.iter().map(|image| image.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::Skipped, Outcome::Skipped, Outcome::Added]);
    assert_eq!(named(&out), owned(&NAMES));
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_are_whole_are_said_to_have_their_images_where_another_target_failed() {
    let bundle = bundle();
    let path = |name: &str| bundle.root.join(name).display().to_string();
    bundle.root.write("out/blobs/sha256", "a file in the way");
    let into = [
        format!("oci-archive:{}", path("oci.tar")),
        format!("docker-archive:{}", path("docker.tar")),
        format!("oci:{}", path("out")),
    ];
    let (ended, landed) = stopped(&bundle, &into, 0).await;
    ended.unwrap_err();
    let there: Vec<_> = landed.iter().map(|landed| (landed.there.len(), landed.added.len())).collect();
    assert_eq!(there, [(3, 3), (3, 3), (0, 0)], "{landed:?}");
}
