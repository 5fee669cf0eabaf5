//! What `airlift` packs and imports into archives, taken over by a real containerd (`ctr images import`) and podman.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::domain::digest::Digest;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::Value;

use crate::rig::containerd::{Containerd, succeeded};
use crate::rig::need;
use crate::rig::world::{Ran, World};

/// A packed host: two plain images, one signed as cosign does, one with two platforms; their digests by name.
struct Packed {
    world: World,
    bundle: PathBuf,
    images: Vec<(String, Digest)>,
}

fn packed() -> Option<Packed> {
    let world = World::start()?;
    let images = world.push(|layout, host| {
        let name = |path: &str| format!("{host}/{path}");
        let layers = |seed| vec![LayerSpec::text("etc/name", "shared"), LayerSpec::noise(seed, 60_000)];
        let app = layout.image(&name("team/app:1"), &ImageSpec::new(layers(1))).unwrap();
        layout.cosign_signature(&name("team/app:1"), &app).unwrap();
        let old = layout.image(&name("team/old:2"), &ImageSpec::new(layers(2)).docker()).unwrap();
        let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
        let multi = layout.index(&name("team/multi:3"), &specs).unwrap();
        vec![(name("team/app:1"), app), (name("team/old:2"), old), (name("team/multi:3"), multi)]
    });
    let bundle = world.packed(&["HOST/team/app:1", "HOST/team/old:2", "HOST/team/multi:3"]);
    Some(Packed { world, bundle, images })
}

impl Packed {
    fn import(&self, into: &str, more: &[&str]) -> Value {
        let mut command = self.world.command();
        command.arg("import").arg(&self.bundle).args(["--json", "--into", into]).args(more);
        Ran::of(command).code(0).report()
    }

    /// The tag and the digest name of every image with the top digest, sorted: what containerd must list.
    fn names(&self) -> Vec<(String, String)> {
        let mut names = Vec::new();
        for (name, digest) in &self.images {
            let (repository, _) = name.rsplit_once(':').unwrap();
            names.push((name.clone(), digest.to_string()));
            names.push((format!("{repository}@{digest}"), digest.to_string()));
        }
        names.sort();
        names
    }

    /// podman with storage of its own.
    fn podman(&self, program: &Path, arguments: &[&str]) -> std::process::Output {
        let path = |name: &str| self.world.root.join(name);
        let mut command = Command::new(program);
        command.arg("--root").arg(path("store")).arg("--runroot").arg(path("run"));
        command.args(["--storage-driver", "vfs"]).args(arguments).env("TMPDIR", path("tmp"));
        command.output().unwrap()
    }
}

#[test]
fn r01_containerd_takes_an_oci_archive_under_tag_and_digest_names() {
    let (Some(containerd), Some(packed)) = (Containerd::start(), packed()) else { return };
    let archive = packed.world.root.join("all.tar").display().to_string();
    packed.import(&format!("oci-archive:{archive}"), &[]);
    succeeded(&containerd.ctr(&["images", "import", &archive]).output().unwrap());
    assert_eq!(containerd.images(), packed.names());
    let checked = succeeded(&containerd.ctr(&["images", "check"]).output().unwrap());
    assert_eq!(checked.matches(" complete ").count(), packed.names().len(), "{checked}");
}

#[test]
fn containerd_reads_the_bundle_in_place_as_its_readme_says() {
    let (Some(containerd), Some(packed)) = (Containerd::start(), packed()) else { return };
    let readme = std::fs::read_to_string(packed.bundle.join("airlift/README.txt")).unwrap();
    let line = readme.lines().find(|line| line.contains("ctr ")).unwrap().trim();
    let (tar, ctr) = line.split_once(" | ").unwrap();
    assert_eq!(ctr, "ctr -n k8s.io images import -");
    let index = std::fs::read_to_string(packed.bundle.join("index.json")).unwrap();
    assert!(index.contains("airlift.carried.tag"), "the signature is among what is imported");
    let tar = tar.replace("DIRECTORY", packed.bundle.to_str().unwrap());
    let file = packed.world.root.join("stream.tar");
    let packing =
        Command::new("sh").args(["-c", &tar]).stdout(File::create(&file).unwrap()).output().unwrap();
    succeeded(&packing);
    let mut import = containerd.ctr(&["images", "import", "-"]);
    succeeded(&import.stdin(File::open(&file).unwrap()).output().unwrap());
    assert_eq!(containerd.images(), packed.names());
}

#[test]
fn a_docker_archive_keeps_the_names_and_the_digest_it_loses_is_said() {
    let (Some(containerd), Some(packed)) = (Containerd::start(), packed()) else { return };
    let archive = packed.world.root.join("docker.tar").display().to_string();
    let report = packed.import(&format!("docker-archive:{archive}"), &["--platform", "linux/amd64"]);
    for (said, (name, digest)) in
        report["targets"][0]["images"].as_array().unwrap().iter().zip(&packed.images)
    {
        assert!(said["notes"].to_string().contains(&digest.to_string()), "{name}: {said}");
    }
    succeeded(&containerd.ctr(&["images", "import", &archive]).output().unwrap());
    let there = containerd.images();
    let mut wanted: Vec<&String> = packed.images.iter().map(|(name, _)| name).collect();
    wanted.sort();
    assert_eq!(there.iter().map(|(name, _)| name).collect::<Vec<_>>(), wanted);
    for (name, digest) in &packed.images {
        assert!(!there.contains(&(name.clone(), digest.to_string())), "{name} was said to lose its digest");
    }
}

#[test]
fn podman_loads_both_kinds_of_archive() {
    let (Some(podman), Some(packed)) = (need("podman"), packed()) else { return };
    let [oci, docker] = ["o.tar", "d.tar"].map(|name| packed.world.root.join(name).display().to_string());
    let (app, digest) = &packed.images[0];
    packed.import(&format!("oci-archive:{oci}"), &["--only", app]);
    let (old, multi) = (&packed.images[1].0, &packed.images[2].0);
    let platform = ["--platform", "linux/amd64", "--only", old, "--only", multi];
    packed.import(&format!("docker-archive:{docker}"), &platform);
    for archive in [&oci, &docker] {
        succeeded(&packed.podman(&podman, &["load", "-i", archive]));
    }
    for name in [app, old, multi] {
        succeeded(&packed.podman(&podman, &["image", "exists", name]));
    }
    let there = packed.podman(&podman, &["image", "inspect", "--format", "{{.Digest}}", app]);
    assert_eq!(succeeded(&there).trim(), digest.to_string());
}

#[test]
fn r04_containerd_takes_a_sparse_index_with_its_digest() {
    let (Some(containerd), Some(packed)) = (Containerd::start(), packed()) else { return };
    let platform = if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" };
    let sparse = packed
        .world
        .packed(&["HOST/team/multi:3", "--platform", platform, "--name", "sparse"])
        .display()
        .to_string();
    let archive = packed.world.root.join("sparse.tar").display().to_string();
    packed.world.run(["import", &sparse, "--into", &format!("oci-archive:{archive}")]).code(0);
    succeeded(&containerd.ctr(&["images", "import", &archive]).output().unwrap());
    let (name, digest) = &packed.images[2];
    assert!(containerd.images().contains(&(name.clone(), digest.to_string())), "{:?}", containerd.images());
}
