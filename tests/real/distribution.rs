//! Import into distribution 3: every digest is kept, schema 2 included, and an index with manifests left out goes in where it is allowed.

use airlift::domain::media_type as mt;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::Value;

use crate::import::digest_there;
use crate::rig::need;
use crate::rig::registry::{DockerRegistry, Options};
use crate::rig::world::{Ran, World};

const VERSION_3: Options = Options {
    auth: false,
    tls: false,
    self_signed: false,
    delete: false,
    read_only: false,
    root: None,
    version_3: true,
    sparse: false,
};

/// Imports the bundle that was packed from `images` with these flags; the run, and the signed document.
fn import(world: &World, images: &[&str], flags: &[&str], far: &DockerRegistry) -> (Ran, Value) {
    let wanted: Vec<String> = images.iter().map(|image| format!("HOST/{image}")).collect();
    let words: Vec<&str> = wanted.iter().map(String::as_str).chain(flags.iter().copied()).collect();
    let bundle = world.packed(&words);
    let document = std::fs::read(bundle.join("airlift/manifest.json")).unwrap();
    let mut command = world.command();
    command.arg("import").arg(&bundle).args(["--into", &format!("registry:http://{}", far.host())]);
    (Ran::of(command), serde_json::from_slice(&document).unwrap())
}

fn index(layout: &mut airlift::engine::demo::sample::SampleLayout, name: &str) -> String {
    let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
    layout.index(name, &specs).unwrap().to_string()
}

#[test]
fn r05_distribution_3_keeps_every_digest_of_schema_2_indexes_and_signatures() {
    let (Some(skopeo), Some(world)) = (need("skopeo"), World::start()) else { return };
    let Some(far) = DockerRegistry::with(&VERSION_3) else { return };
    let signature = world.push(|layout, host| {
        layout.image(&format!("{host}/team/old:2"), &ImageSpec::small("old").docker()).unwrap();
        index(layout, &format!("{host}/team/multi:3"));
        let app = layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("app")).unwrap();
        let signature = layout.cosign_signature(&format!("{host}/team/app:1"), &app).unwrap();
        (format!("team/app:sha256-{}.sig", app.hex()), signature.to_string())
    });
    let (ran, document) = import(&world, &["team/old:2", "team/multi:3", "team/app:1"], &[], &far);
    ran.code(0);
    let images = document["images"].as_array().unwrap();
    assert!(images.iter().any(|image| image["mediaType"] == mt::DOCKER_MANIFEST), "{document}");
    let mut expected = vec![signature];
    for image in images {
        let (host, name) = (world.registry.host(), image["reference"].as_str().unwrap());
        let name = name.strip_prefix(&format!("{host}/")).unwrap();
        let repository = name.split(':').next().unwrap();
        let digest = image["digest"].as_str().unwrap();
        expected.push((name.to_owned(), digest.to_owned()));
        let platforms = image["platforms"].as_array().unwrap().iter();
        for digest in platforms.map(|platform| platform["digest"].as_str().unwrap()).chain([digest]) {
            expected.push((format!("{repository}@{digest}"), digest.to_owned()));
        }
    }
    assert_eq!(
        expected.len(),
        1 + 3 + 4 + 3,
        "a signature, three tags, four platforms, three tops: {expected:?}"
    );
    for (name, digest) in expected {
        assert_eq!(digest_there(&skopeo, &format!("{}/{name}", far.host())), Some(digest), "{name}");
    }
}

#[test]
fn r04_distribution_3_takes_a_sparse_index_with_the_setting_that_its_refusal_names() {
    let (Some(skopeo), Some(world)) = (need("skopeo"), World::start()) else { return };
    for sparse in [false, true] {
        let Some(far) = DockerRegistry::with(&Options { sparse, ..VERSION_3 }) else { return };
        let digest = world.push(|layout, host| index(layout, &format!("{host}/team/multi:3")));
        let name = format!("sparse-{sparse}");
        let flags = ["--platform", "linux/amd64", "--name", &name];
        let (ran, _) = import(&world, &["team/multi:3"], &flags, &far);
        let there = digest_there(&skopeo, &format!("{}/team/multi:3", far.host()));
        if sparse {
            ran.code(0);
            assert_eq!(there, Some(digest));
        } else {
            let ran = ran.code(16);
            let setting = "validation.manifests.indexes.platforms to none";
            assert!(ran.said().contains(setting), "{}", ran.said());
            assert_eq!(there, None);
        }
    }
}
