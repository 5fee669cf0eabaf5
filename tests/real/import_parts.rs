//! How far each image is while it goes into a target: by its bytes, each blob once, never back and never past the whole.

use std::sync::Arc;

use airlift::domain::progress::{Event, Phase};
use airlift::engine::ctx::{JobCtx, Recording};
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::import::{ImportSpec, import};
use airlift::engine::registry::RegistryOptions;

use crate::import::{Bundle, build};
use crate::rig::registry::DockerRegistry;

const NAMES: [&str; 2] = ["docker.io/team/one:1", "docker.io/team/two:1"];
/// Bytes of the layer that an image alone has, and of the one that both have.
const LARGE: u64 = 16 << 20;

fn bundle() -> Bundle {
    build(|layout| {
        for (seed, name) in (1..).zip(NAMES) {
            let layers = vec![LayerSpec::noise(9, LARGE), LayerSpec::noise(seed, LARGE)];
            layout.image(name, &ImageSpec::new(layers)).unwrap();
        }
    })
}

/// What is said of an image while the bundle goes into these targets.
async fn said(bundle: &Bundle, into: &[String]) -> Vec<Event> {
    let said = Arc::new(Recording::default());
    let authfile = Some(bundle.root.write("auth.json", "{}"));
    let spec = ImportSpec {
        registry: RegistryOptions { authfile, ..RegistryOptions::default() },
        jobs: 2,
        ..ImportSpec::new(into.iter().map(|text| text.parse().unwrap()).collect())
    };
    import(bundle.reader(), spec, None, &JobCtx::new(said.clone())).await.unwrap();
    said.events()
}

#[track_caller]
fn assert_told(events: &[Event], into: &[String]) {
    for name in NAMES {
        let of = |item: &str, phase: Phase| item == name && phase == Phase::Import;
        let part = |event: &Event| match event {
            Event::Part { phase, item, done, all } if of(item, *phase) => Some((*done, *all)),
            _ => None,
        };
        let told: Vec<(u64, u64)> = events.iter().filter_map(part).collect();
        assert!(told.len() > 8, "{into:?}: {name}: {told:?}");
        assert!(told.windows(2).all(|two| two[0].0 < two[1].0), "{into:?}: {name}: {told:?}");
        assert!(told.iter().all(|(done, all)| done <= all), "{into:?}: {name}: {told:?}");
        let (done, all) = told[told.len() - 1];
        let each = all / into.len() as u64;
        assert!(done == all && each > 2 * LARGE && each < 2 * LARGE + LARGE / 8, "{into:?}: {told:?}");
        let count = |wanted: fn(&Event) -> Option<(&str, Phase)>| {
            events.iter().filter_map(wanted).filter(|(item, phase)| of(item, *phase)).count()
        };
        let begun = count(|event| match event {
            Event::Item { phase, item, .. } => Some((item, *phase)),
            _ => None,
        });
        let done = count(|event| match event {
            Event::Done { phase, item, .. } => Some((item, *phase)),
            _ => None,
        });
        assert_eq!((begun, done), (into.len(), into.len()), "{into:?}: {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_told_by_its_bytes_on_their_way_into_a_registry_a_layout_and_archives() {
    let Some(registry) = DockerRegistry::start() else { return };
    let bundle = bundle();
    let path = |name: &str| bundle.root.join(name).display().to_string();
    let kinds = [
        format!("registry:http://{}/air", registry.host()),
        format!("oci:{}", path("layout")),
        format!("oci-archive:{}", path("oci.tar")),
        format!("docker-archive:{}", path("docker.tar")),
    ];
    for into in &kinds {
        let into = std::slice::from_ref(into);
        assert_told(&said(&bundle, into).await, into);
    }
    let both = ["oci:".to_owned() + &path("second"), "oci-archive:".to_owned() + &path("second.tar")];
    assert_told(&said(&bundle, &both).await, &both);
}
