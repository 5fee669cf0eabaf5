//! Import into a running containerd of either line: what its CRI answers, what runs, what stays, what is taken back.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::domain::digest::Digest;
use airlift::domain::import::Target;
use airlift::domain::media_type::Compression;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::import::containerd::{names::Change, undo};
use serde_json::Value;

use crate::import_containerd_cut::large;
use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::world::{Ran, World};
use crate::rig::{need, wait_until};

/// A packed host: an image that runs, one of Docker's kind, one with two platforms, one with a zstd layer.
pub(crate) struct Packed {
    pub(crate) world: World,
    pub(crate) bundle: PathBuf,
    pub(crate) images: Vec<(String, Digest)>,
}

pub(crate) fn packed() -> Option<Packed> {
    let (world, busybox) = (World::start()?, need("busybox")?);
    let images = world.push(|layout, host| {
        let name = |path: &str| format!("{host}/{path}");
        let base = || LayerSpec::executable("bin/busybox", &busybox);
        let noise = |seed| vec![base(), LayerSpec::noise(seed, 3_000_000)];
        let app = ImageSpec::new(noise(1)).run(&["/bin/busybox", "echo", "runs"]);
        let app = layout.image(&name("team/app:1"), &app).unwrap();
        layout.cosign_signature(&name("team/app:1"), &app).unwrap();
        let old = layout.image(&name("team/old:2"), &ImageSpec::new(noise(2)).docker()).unwrap();
        let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
        let multi = layout.index(&name("team/multi:3"), &specs).unwrap();
        let zstd = vec![LayerSpec::noise(4, 90_000).compressed(Compression::Zstd)];
        let zstd = layout.image(&name("team/zstd:4"), &ImageSpec::new(zstd)).unwrap();
        let names = ["team/app:1", "team/old:2", "team/multi:3", "team/zstd:4"].map(name);
        names.into_iter().zip([app, old, multi, zstd]).collect()
    });
    let words = ["HOST/team/app:1", "HOST/team/old:2", "HOST/team/multi:3", "HOST/team/zstd:4"];
    let bundle = world.packed(&words);
    Some(Packed { world, bundle, images })
}

impl Packed {
    pub(crate) fn import(&self, into: &str, more: &[&str]) -> Ran {
        Ran::of(self.command(into, more))
    }

    pub(crate) fn command(&self, into: &str, more: &[&str]) -> Command {
        let mut command = self.world.command();
        command.arg("import").arg(&self.bundle).args(["--json", "--into", into]).args(more);
        command
    }

    /// Puts an image into a containerd past `airlift import`, and gives its name.
    fn unpinned(&self, containerd: &Containerd) -> String {
        let name = self.world.push(|layout, host| {
            let name = format!("{host}/team/control:1");
            layout.image(&name, &ImageSpec::small("control")).unwrap();
            name
        });
        let bundle = self.world.packed(&[&name]);
        let images = self.world.root.join("control");
        std::fs::create_dir(&images).unwrap();
        let mut command = self.world.command();
        command.arg("import").arg(bundle).args(["--into", &format!("k3s:{}", images.display())]);
        Ran::of(command).code(0);
        for archive in std::fs::read_dir(images).unwrap().map(|entry| entry.unwrap().path()) {
            let import = ["images", "import", "--all-platforms", archive.to_str().unwrap()];
            succeeded(&containerd.ctr(&import).output().unwrap());
        }
        name
    }

    /// Every name with the digest that it must stand for.
    fn names(&self) -> Vec<(String, String)> {
        let both = |(name, digest): &(String, Digest)| {
            let (repository, _) = name.rsplit_once(':').unwrap();
            [(name.clone(), digest.to_string()), (format!("{repository}@{digest}"), digest.to_string())]
        };
        let mut names: Vec<_> = self.images.iter().flat_map(both).collect();
        names.sort();
        names
    }
}

fn crictl(program: &Path, containerd: &Containerd, words: &[&str]) -> String {
    let socket = format!("unix://{}", containerd.socket().display());
    let output = Command::new(program).args(["-r", &socket, "-i", &socket]).args(words).output().unwrap();
    succeeded(&output)
}

/// Names that are not those by id.
fn named(containerd: &Containerd) -> Vec<(String, String)> {
    containerd.images().into_iter().filter(|(name, _)| !name.starts_with("sha256:")).collect()
}

#[test]
fn r02_the_cri_answers_for_every_name_with_the_digests_of_the_bundle() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let Some(program) = need("crictl") else { continue };
        let report = packed.import(&containerd.target(), &[]).code(0).report();
        assert_eq!(named(&containerd), packed.names(), "{line:?}");
        let proved = report["targets"][0]["proof"]["names"].as_array().unwrap();
        assert_eq!(proved.len(), packed.names().len(), "{proved:?}");
        for (name, digest) in packed.names() {
            let there: Value =
                serde_json::from_str(&crictl(&program, &containerd, &["inspecti", "-o", "json", &name]))
                    .unwrap();
            let said = proved.iter().find(|said| said["name"] == name.as_str()).unwrap();
            assert_eq!(said["id"], there["status"]["id"], "{line:?} {name}");
            assert_eq!(said["platform"], "linux/amd64");
            assert!(there["status"]["repoDigests"].to_string().contains(&digest), "{line:?} {name}: {there}");
        }
        let checked = succeeded(&containerd.ctr(&["images", "check"]).output().unwrap());
        assert_eq!(checked.matches(" complete ").count(), containerd.images().len(), "{checked}");
        assert!(!checked.contains(" false"), "all are unpacked: {checked}");
        assert!(containerd.list(&["leases", "ls"]).is_empty(), "the lease has ended");
        let labels = containerd.list(&["content", "ls"]).join("\n");
        assert!(labels.contains("=team/app,team/old"), "what two repositories share says so: {labels}");
        let sandbox = report["targets"][0]["proof"]["notes"].to_string();
        assert!(sandbox.contains("/pause:3."), "r22: {sandbox}");
    }
}

#[test]
fn a_plan_says_once_what_the_runtime_lacks_while_there_is_time_to_go_back_for_it() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let mut command = packed.world.command();
        command.arg("import").arg(&packed.bundle).args(["--into", &containerd.target(), "--dry-run"]);
        let said = Ran::of(command).code(0).said();
        assert!(!said.lines().any(|line| line.starts_with("import: ")), "nothing is imported: {said}");
        let of = |words: &str| said.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
        let lacks = of("/pause:3.");
        assert!(lacks.len() == 1 && lacks[0].starts_with("warning: "), "{line:?}: {said}");
        let pins = of("does not tell the kubelet that images are pinned");
        assert_eq!(pins.len(), usize::from(line == Line::One), "{said}");
        assert!(pins.iter().all(|line| !line.starts_with("warning: ")), "nothing to act on: {said}");
        assert_eq!(named(&containerd), [], "nothing was written");
    }
}

#[test]
fn what_the_proof_tells_of_the_runtime_is_a_warning_in_words() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let mut command = packed.world.command();
        command.arg("import").arg(&packed.bundle).args(["--into", &containerd.target()]);
        let said = Ran::of(command).code(0).stderr;
        for words in ["import: 4 images, ", "import: done", "unpack: 4 images, ", "prove: 8 names"] {
            assert!(said.lines().any(|line| line.starts_with(words)), "{words}: {said}");
        }
        let warned = said.lines().find(|line| line.contains("/pause:3.")).unwrap_or_else(|| panic!("{said}"));
        assert!(warned.starts_with("warning: ") && warned.contains("pack and import it too"), "{warned}");
    }
}

#[test]
fn an_import_that_is_refused_before_it_writes_does_not_say_that_it_began() {
    let Some(packed) = packed() else { return };
    let nowhere = format!("containerd:{}", packed.world.root.join("no.sock").display());
    let mut command = packed.world.command();
    command.arg("import").arg(&packed.bundle).args(["--into", &nowhere]);
    let said = Ran::of(command).said();
    assert!(said.contains("there is no socket") && !said.contains("import: "), "{said}");
}

#[test]
fn what_arrived_and_what_is_unpacked_of_each_image_is_told_as_it_comes() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let ran = packed.import(&containerd.target(), &[]).code(0);
        let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let place = |event: &str, phase: &str, item: &str| {
            events.iter().position(|it| it["event"] == event && it["phase"] == phase && it["item"] == item)
        };
        // Layers as packed() makes them; of an index only this platform's are unpacked.
        for ((name, _), layers) in packed.images.iter().zip([2, 2, 1, 1]) {
            let parts = |phase: &str| {
                let own = events
                    .iter()
                    .filter(|it| it["event"] == "part" && it["phase"] == phase && it["item"] == **name);
                own.map(|it| (it["done"].as_u64().unwrap(), it["all"].as_u64().unwrap())).collect::<Vec<_>>()
            };
            let unpacked: Vec<_> = (0..=layers).map(|done| (done, layers)).collect();
            assert_eq!(parts("unpack"), unpacked, "{line:?} {name}");
            let arrived = parts("import");
            assert!(arrived.windows(2).all(|two| two[0].0 < two[1].0), "{line:?} {name}: {arrived:?}");
            assert!(
                arrived.len() > 1 && arrived.last().is_some_and(|(done, all)| done == all),
                "{arrived:?}"
            );
            let [over, named] = ["unpack", "import"].map(|phase| place("done", phase, name).unwrap());
            assert!(over < named, "{line:?} {name} is named once it is unpacked");
        }
        let started = |phase: &str| {
            events.iter().find(|it| it["event"] == "started" && it["phase"] == phase).unwrap()["items"]
                .as_u64()
        };
        assert_eq!((started("import"), started("unpack")), (Some(4), Some(4)));
    }
}

#[test]
fn an_image_is_told_by_the_bytes_that_went_in_not_by_its_blobs() {
    for line in Line::ALL {
        let (Some(containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        let ran = Ran::of(large.import(&containerd, &["--jobs", "2"])).code(0);
        let parts = |event: Value| {
            let own = event["phase"] == "import" && event["item"].as_str()?.ends_with("/large:1");
            (own && event["event"] == "part").then(|| (event["done"].as_u64(), event["all"].as_u64()))
        };
        let events = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        let told: Vec<_> = events.filter_map(parts).collect();
        assert!(told.len() > 20, "{line:?}: two layers of 48 MiB come in many steps: {told:?}");
        assert!(told.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 == two[1].1), "{told:?}");
        assert!(told.iter().all(|(done, all)| done <= all), "{told:?}");
        assert_eq!(told.last().map(|(done, all)| done == all), Some(true), "{told:?}");
    }
}

#[test]
fn a_container_runs_from_what_was_unpacked_without_a_network() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        if need("runc").is_none() {
            continue;
        }
        packed.import(&containerd.target(), &["--only", &packed.images[0].0]).code(0);
        let before = containerd.list(&["snapshots", "ls"]).len();
        let said = succeeded(&containerd.ctr(&["run", "--rm", &packed.images[0].0, "one"]).output().unwrap());
        assert_eq!(said.trim(), "runs", "{line:?}");
        assert_eq!(containerd.list(&["snapshots", "ls"]).len(), before, "nothing had to be unpacked");
    }
}

#[test]
fn r21_a_second_import_moves_no_byte_and_a_lost_name_comes_back_alone() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let outcomes = |report: &Value| {
            let images = report["targets"][0]["images"].as_array().unwrap();
            images
                .iter()
                .map(|image| image["outcome"]["outcome"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let dry = packed.import(&containerd.target(), &["--dry-run"]).code(0).report();
        assert_eq!(outcomes(&dry), ["added"; 4]);
        let target = &dry["targets"][0];
        assert!(target["bytesUnpacked"].as_u64() > target["bytesWritten"].as_u64(), "{target}");
        assert_eq!(containerd.holdings(), Vec::<String>::new(), "a dry run writes nothing");
        packed.import(&containerd.target(), &[]).code(0);
        let again = packed.import(&containerd.target(), &[]).code(0).report();
        assert_eq!(outcomes(&again), ["skipped"; 4]);
        assert_eq!(again["targets"][0]["bytesWritten"], 0);
        succeeded(&containerd.ctr(&["images", "rm", &packed.images[1].0]).output().unwrap());
        let third = packed.import(&containerd.target(), &[]).code(0).report();
        assert_eq!(outcomes(&third), ["skipped", "added", "skipped", "skipped"]);
        assert_eq!(third["targets"][0]["bytesWritten"], 0, "its blobs were there by its other name");
        assert_eq!(named(&containerd), packed.names());
    }
}

#[test]
fn r19_what_was_imported_is_pinned_and_survives_a_prune_where_the_runtime_knows_pins() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let Some(program) = need("crictl") else { continue };
        let report = packed.import(&containerd.target(), &[]).code(0).report();
        let (facts, names) = (&report["targets"][0]["facts"], &report["targets"][0]["proof"]["names"]);
        if line == Line::One {
            assert!(
                facts.to_string().contains("does not tell the kubelet that images are pinned"),
                "{report}"
            );
            continue;
        }
        assert!(names.as_array().unwrap().iter().all(|name| name["pinned"] == true), "{names}");
        // One that nobody pinned shows that there is a prune.
        let control = packed.unpinned(&containerd);
        wait_until("the CRI knows it", || {
            crictl(&program, &containerd, &["images", "-o", "json"]).contains(&control)
        });
        assert!(named(&containerd).iter().any(|(name, _)| *name == control));
        crictl(&program, &containerd, &["rmi", "--prune"]);
        assert_eq!(named(&containerd), packed.names());
    }
}

#[test]
fn what_a_run_changed_is_taken_back_to_the_last_blob() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        packed.import(&containerd.target(), &["--only", &packed.images[0].0]).code(0);
        let before = containerd.holdings();
        let report = packed.import(&containerd.target(), &[]).code(0).report();
        let changes: Vec<Change> = serde_json::from_value(report["targets"][0]["changes"].clone()).unwrap();
        let Target::Containerd(target) = containerd.target().parse().unwrap() else { panic!() };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let undone = runtime.block_on(undo(&target, &changes, &JobCtx::silent())).unwrap();
        assert_eq!(undone.removed.len(), changes.len(), "{undone:?}");
        assert_eq!(containerd.holdings(), before, "{line:?}");
    }
}

#[test]
fn a_second_platform_of_an_index_leaves_the_first_where_it_is() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let multi = &packed.images[2].0;
        // Of the kubelet's namespace the CRI answers with this machine's platform alone.
        succeeded(&containerd.ctr(&["namespaces", "create", "ci"]).output().unwrap());
        let target = format!("{},ci", containerd.target());
        packed.import(&target, &["--only", multi]).code(0);
        let blobs = || {
            let list = ["--namespace", "ci", "content", "ls", "-q"];
            succeeded(&containerd.ctr(&list).output().unwrap())
        };
        let before = blobs();
        assert!(before.lines().count() >= 3, "an index, a manifest and what is in it: {before}");
        packed.import(&target, &["--only", multi, "--platform", "linux/arm64"]).code(0);
        let after = blobs();
        assert!(after.lines().count() > before.lines().count(), "{line:?}: {after}");
        for blob in before.lines() {
            assert!(after.lines().any(|there| there == blob), "{line:?}: {blob} was collected");
        }
    }
}

#[test]
fn a_platform_that_the_node_does_not_run_is_refused_in_the_plan_and_by_the_import_before_a_byte_is_written() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let before = containerd.holdings();
        for more in [&["--dry-run"][..], &["--keep-going"], &[]] {
            let options = [&["--platform", "linux/arm64"], more].concat();
            let said = packed.import(&containerd.target(), &options).code(16).said();
            for words in [
                "is a runtime of linux/amd64: no pod of it starts what is for linux/arm64",
                "nothing was written: leave --platform out, and each image that has one for linux/amd64 goes in for that",
                "oci:DIR or an archive: they take any platform",
            ] {
                assert!(said.contains(words), "{line:?} {more:?}: {words}: {said}");
            }
            assert_eq!(containerd.holdings(), before, "{line:?} {more:?}");
        }
        packed.import(&containerd.target(), &["--platform", "linux/amd64", "--dry-run"]).code(0);
    }
}

#[test]
fn a_name_of_something_else_is_a_conflict_until_it_may_be_replaced() {
    let (Some(containerd), Some(packed)) = (Containerd::with_cri(Line::One), packed()) else { return };
    let (app, old) = (&packed.images[0].0, &packed.images[1].0);
    packed.import(&containerd.target(), &["--only", app]).code(0);
    succeeded(&containerd.ctr(&["images", "tag", app, old]).output().unwrap());
    let before = containerd.holdings();
    let refused = packed.import(&containerd.target(), &["--only", old]).code(16);
    assert!(refused.said().contains("already has"), "{}", refused.said());
    assert_eq!(containerd.holdings(), before);
    let report = packed.import(&containerd.target(), &["--only", old, "--replace"]).code(0).report();
    let change =
        &report["targets"][0]["changes"].as_array().unwrap().iter().find(|c| c["name"] == old.as_str());
    assert_eq!(change.unwrap()["was"]["digest"], packed.images[0].1.to_string());
    assert!(named(&containerd).contains(&(old.clone(), packed.images[1].1.to_string())));
}

/// A bundle of an image for another machine, one for this, and a chart, which is no image.
pub(crate) fn odd(world: &World, more: &[&str]) -> PathBuf {
    world.push(|layout, host| {
        let arm = ImageSpec::small("arm").on("linux/arm64".parse().unwrap());
        layout.image(&format!("{host}/team/arm:1"), &arm).unwrap();
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("app")).unwrap();
        let config = layout.blob(b"{}").unwrap();
        let chart = layout.blob(b"a chart").unwrap();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": chart, "size": 7}],
        });
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let name = format!("{host}/team/chart:1");
        layout.manifest(&name, "application/vnd.oci.image.manifest.v1+json", &bytes).unwrap();
    });
    world.packed(&[&["HOST/team/arm:1", "HOST/team/app:1", "HOST/team/chart:1"], more].concat())
}

#[test]
fn what_cannot_go_in_is_refused_by_name_before_anything_is_written() {
    let (Some(containerd), Some(world)) = (Containerd::with_cri(Line::One), World::start()) else { return };
    let bundle = odd(&world, &[]);
    let import = |into: &str, more: &[&str]| {
        let mut command = world.command();
        command.arg("import").arg(&bundle).args(["--json", "--into", into]).args(more);
        Ran::of(command)
    };
    for (only, words) in
        [("team/arm:1", "linux/arm64, this node runs linux/amd64"), ("team/chart:1", "an artifact")]
    {
        let name = world.reference(only);
        let said = import(&containerd.target(), &["--only", &name]).code(16).said();
        assert!(said.contains(&name) && said.contains(words), "{said}");
    }
    assert_eq!(containerd.holdings(), Vec::<String>::new());
    import(&containerd.target(), &["--keep-going"]).code(3);
    assert_eq!(named(&containerd).len(), 2, "the one that fits is there by tag and digest");
    let said = import(&format!("{},nobody", containerd.target()), &[]).code(16).said();
    assert!(said.contains("no namespace nobody") && said.contains("k8s.io"), "{said}");
    let said = import("containerd:/nowhere/containerd.sock", &[]).code(16).said();
    assert!(said.contains("there is no socket /nowhere/containerd.sock"), "{said}");
}

#[test]
fn a_containerd_without_its_cri_is_refused_and_another_namespace_of_it_is_not() {
    let (Some(containerd), Some(packed)) = (Containerd::start(), packed()) else { return };
    let said = packed.import(&containerd.target(), &[]).code(16).said();
    assert!(said.contains("CRI switched off") && said.contains("disabled_plugins"), "{said}");
    succeeded(&containerd.ctr(&["namespaces", "create", "ci"]).output().unwrap());
    let report = packed.import(&format!("{},ci", containerd.target()), &[]).code(0).report();
    assert!(report["targets"][0]["notes"].to_string().contains("no pod can use what is in ci"), "{report}");
    assert!(containerd.list(&["images", "ls", "-q"]).is_empty(), "nothing went into k8s.io");
}

#[test]
fn r27_an_import_opens_no_socket_but_the_runtime_s() {
    Line::ALL.into_iter().for_each(opens_no_socket_but);
}

fn opens_no_socket_but(line: Line) {
    let Some((_, trace)) = traced(line, "trace=%network") else { return };
    let sockets: Vec<&str> = trace.lines().filter(|line| line.contains(" socket(")).collect();
    assert!(!sockets.is_empty() && sockets.iter().all(|line| line.contains("AF_UNIX")), "{sockets:#?}");
}

#[test]
fn an_import_makes_no_archive_on_its_way_nor_any_file_but_its_notes() {
    Line::ALL.into_iter().for_each(makes_no_file_but_its_notes);
}

fn makes_no_file_but_its_notes(line: Line) {
    let making = "trace=open,openat,openat2,creat,memfd_create,mknod,mknodat";
    let Some((packed, trace)) = traced(line, making) else { return };
    let makes = |line: &&str| {
        let opens = line.contains("O_CREAT") || line.contains("O_TMPFILE");
        opens || ["creat(", "memfd_create(", "mknod"].iter().any(|call| line.contains(call))
    };
    let made: Vec<&str> = trace.lines().filter(makes).collect();
    let state = packed.world.root.join("home/.local/share/airlift/state").display().to_string();
    assert!(made.iter().any(|line| line.contains("/imports/")), "{made:#?}");
    assert!(made.iter().all(|line| line.contains(&state)), "{made:#?}");
}

/// An import into a runtime of its own, without a network, and what it asked the kernel for.
fn traced(line: Line, what: &str) -> Option<(Packed, String)> {
    let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { return None };
    let (strace, unshare) = (need("strace")?, need("unshare")?);
    let trace = packed.world.root.join("trace");
    let inner = packed.command(&containerd.target(), &[]);
    let mut command = Command::new(unshare);
    command.env_clear().current_dir(packed.world.root.path());
    for (key, value) in inner.get_envs() {
        command.env(key, value.unwrap());
    }
    command.args(["-n", "--"]).arg(strace).args(["-f", "-e", what, "-o"]).arg(&trace);
    command.arg(inner.get_program()).args(inner.get_args());
    Ran::of(command).code(0);
    let trace = std::fs::read_to_string(trace).unwrap();
    Some((packed, trace))
}

#[test]
fn what_two_containerds_unpack_in_one_run_is_counted_together() {
    let (Some(one), Some(other)) = (Containerd::with_cri(Line::One), Containerd::with_cri(Line::Two)) else {
        return;
    };
    let Some(packed) = packed() else { return };
    let said = packed.import(&one.target(), &["--into", &other.target()]).code(0).stdout;
    let events: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| {
        let unpack = events.iter().filter(|one| one["phase"] == "unpack" && one["event"] == event);
        unpack.collect::<Vec<_>>()
    };
    let [started] = of("started")[..] else { panic!("{said}") };
    assert_eq!(
        (of("finished").len(), of("done").len() as u64),
        (1, started["items"].as_u64().unwrap()),
        "{said}"
    );
    assert_eq!(of("bytes").last().unwrap()["done"], started["bytes"], "{said}");
}
