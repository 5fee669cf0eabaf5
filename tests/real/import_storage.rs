//! What `airlift` imports into containers/storage, taken over by a real CRI-O and podman; and what a bad medium or disk does to it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::domain::digest::Digest;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::Value;

use crate::import_containerd_live::odd;
use crate::import_storage_undo::held_at;
use crate::pack::in_own_mounts;
use crate::rig::containerd::succeeded;
use crate::rig::crio::{Crio, Options};
use crate::rig::world::{Ran, World, copy_tree, damaged_copy};
use crate::rig::{need, need_root, wait_until};

/// What can be run in [`Node::bundle`].
pub(crate) const APP: &str = "team/app:1";

/// A host that has packed, and a store for the other side.
pub(crate) struct Node {
    pub(crate) world: World,
    pub(crate) bundle: PathBuf,
    /// Everything that a pod may name, without the host, and the digest that it must lead to.
    pub(crate) names: Vec<(String, Digest)>,
    /// The layer that [`APP`] alone has.
    layer: Digest,
}

/// An image that runs, a Docker schema 2 one, an index and a Docker list of which one platform is carried, and two more
/// digests of one repository.
pub(crate) fn node(more: &[&str]) -> Option<Node> {
    let (busybox, _) = (need("busybox")?, need("skopeo")?);
    if !need_root() {
        return None;
    }
    let world = World::start()?;
    let (names, layer) = world.push(|layout, host| {
        let name = |path: &str| format!("{host}/{path}");
        let base = || LayerSpec::executable("bin/busybox", &busybox);
        let spec = |seed| ImageSpec::new(vec![base(), LayerSpec::noise(seed, 90_000)]);
        let run = ["/bin/busybox", "echo", "it runs"];
        let app = layout.image(&name(APP), &spec(1).run(&run)).unwrap();
        layout.cosign_signature(&name(APP), &app).unwrap();
        let old = layout.image(&name("team/old:2"), &spec(2).docker()).unwrap();
        let on = |platform: &str| ImageSpec::small(platform).on(platform.parse().unwrap());
        let multi = layout.index(&name("team/multi:3"), &[on("linux/amd64"), on("linux/arm64")]).unwrap();
        let list = [on("linux/amd64").docker(), on("linux/arm64").docker()];
        let list = layout.index(&name("library/list:4"), &list).unwrap();
        let pinned =
            [5, 6].map(|seed| layout.image(&name(&format!("team/pinned:{seed}")), &spec(seed)).unwrap());
        let layer = layout.layer(&LayerSpec::noise(1, 90_000)).unwrap().digest;
        let tags = [(APP, &app), ("team/old:2", &old), ("team/multi:3", &multi), ("library/list:4", &list)];
        let mut names = Vec::new();
        for (tag, digest) in tags {
            let (repository, _) = tag.rsplit_once(':').unwrap();
            names.push((tag.to_owned(), digest.clone()));
            names.push((format!("{repository}@{digest}"), digest.clone()));
        }
        names.extend(pinned.map(|digest| (format!("team/pinned@{digest}"), digest)));
        (names, layer)
    });
    let wanted = ["team/old:2", "team/multi:3", "library/list:4"].map(str::to_owned);
    let pinned = names[8..].iter().map(|(name, _)| name.clone());
    let wanted: Vec<String> =
        wanted.into_iter().chain(pinned).chain([APP.to_owned()]).map(|name| format!("HOST/{name}")).collect();
    let mut words: Vec<&str> = wanted.iter().map(String::as_str).collect();
    words.extend(["--platform", "linux/amd64"]);
    words.extend(more);
    let bundle = world.packed(&words);
    Some(Node { world, bundle, names, layer })
}

impl Node {
    pub(crate) fn store(&self) -> PathBuf {
        self.world.root.join("images")
    }

    pub(crate) fn command(&self, bundle: &Path, into: &str) -> Command {
        let mut command = self.world.command();
        command.arg("import").arg(bundle).args(["--json", "--into", into]);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        // Never the host's own, whatever it is set to.
        command.env("CONTAINERS_STORAGE_CONF", self.conf());
        command
    }

    /// A `storage.conf` whose default store is in a directory of the test.
    pub(crate) fn conf(&self) -> PathBuf {
        let (root, run) = (self.world.root.join("default"), self.world.root.join("default-run"));
        let text = format!("[storage]\ndriver = \"overlay\"\ngraphroot = {root:?}\nrunroot = {run:?}\n");
        self.world
            .root
            .write("storage.conf", text + "[storage.options.overlay]\nskip_mount_home = \"true\"\n")
    }

    pub(crate) fn import(&self, more: &[&str]) -> Ran {
        self.import_of(&self.bundle, more)
    }

    pub(crate) fn import_of(&self, bundle: &Path, more: &[&str]) -> Ran {
        let mut command = self.command(bundle, &format!("containers-storage:{}", self.store().display()));
        command.args(more);
        Ran::of(command)
    }

    pub(crate) fn full(&self, name: &str) -> String {
        self.world.reference(name)
    }

    /// podman with a store of its own that reads the imported one beside it.
    pub(crate) fn podman(&self, arguments: &[&str]) -> Option<std::process::Output> {
        let mut command = Command::new(need("podman")?);
        let path = |name: &str| self.world.root.join(name);
        command.arg("--root").arg(path("podman")).arg("--runroot").arg(path("podman-run"));
        command.args(["--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"]);
        command.arg("--storage-opt").arg(format!("additionalimagestore={}", self.store().display()));
        command.args(["--cgroup-manager", "cgroupfs"]).args(arguments);
        Some(command.env("TMPDIR", path("tmp")).output().unwrap())
    }

    /// A copy of the medium on which a byte of a layer is another.
    pub(crate) fn damaged(&self) -> PathBuf {
        let copy = self.world.root.join("damaged");
        copy_tree(&self.bundle, &copy);
        let blob = copy.join(format!("blobs/sha256/{}", self.layer.hex()));
        let mut bytes = std::fs::read(&blob).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(blob, bytes).unwrap();
        copy
    }

    /// The names that the store lists.
    pub(crate) fn listed(&self) -> Vec<String> {
        let Ok(text) = std::fs::read(self.store().join("overlay-images/images.json")) else {
            return Vec::new();
        };
        let images: Value = serde_json::from_slice(&text).unwrap();
        let images = images.as_array().unwrap().iter();
        // One that is being written has none yet.
        let names = images.flat_map(|image| image["names"].as_array().cloned().unwrap_or_default());
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// Runs what [`APP`] holds, out of the store.
    #[track_caller]
    pub(crate) fn assert_runs(&self) {
        // Limits that any machine can give.
        let limits = ["--ulimit", "nofile=256:256", "--ulimit", "nproc=256:256"];
        let run =
            [&["--runtime", "runc", "run", "--rm", "--network", "none", "--pull", "never"][..], &limits];
        let app = self.full(APP);
        let said = self.podman(&[&run.concat()[..], &[app.as_str()]].concat()).unwrap();
        assert_eq!(succeeded(&said), "it runs\n");
    }

    #[track_caller]
    pub(crate) fn assert_listed(&self) {
        let listed = self.listed();
        let tags = self.names.iter().filter(|(name, _)| !name.contains('@'));
        let pinned = self.names.iter().filter(|(name, _)| name.starts_with("team/pinned@"));
        for (name, _) in tags.chain(pinned) {
            assert!(listed.contains(&self.full(name)), "{name} is not among {listed:?}");
        }
        for left in [".airlift-import", ".airlift-import.json"] {
            assert!(!self.store().join(left).exists(), "{left} is left behind");
        }
    }
}

pub(crate) fn outcomes(ran: &Ran) -> Vec<String> {
    let report = ran.report();
    let images = report["targets"][0]["images"].as_array().unwrap_or_else(|| panic!("{report}"));
    images.iter().map(|image| image["outcome"]["outcome"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn r02_r03_r04_crio_answers_for_every_name_of_a_read_only_store() {
    let Some(node) = node(&[]) else { return };
    let dry = node.import(&["--dry-run"]).code(0);
    assert_eq!(outcomes(&dry), ["added"; 6]);
    assert!(!node.store().exists(), "a dry run is dry");
    let foreseen = dry.report()["targets"][0].take();
    let figure = |name: &str| foreseen[name].as_u64().unwrap();
    assert!(figure("bytesUnpacked") > figure("bytesWritten"), "{foreseen}");
    let first = node.import(&[]).code(0);
    assert_eq!(outcomes(&first), ["added"; 6]);
    node.assert_listed();
    let again = node.import(&["--dry-run"]).code(0).report();
    assert_eq!(again["targets"][0]["bytesUnpacked"], 0, "all of it is there");
    let store = node.store();
    let Some(crio) = Crio::start(&Options { additional: &[&store], read_only: true, ..Options::default() })
    else {
        return;
    };
    // The index and the list have one configuration, and so one image id.
    assert_eq!(crio.images().len(), 5, "{:?}", crio.images());
    for (name, digest) in &node.names {
        let status = crio.status(&node.full(name)).unwrap_or_else(|| panic!("no image {name}"));
        let repository = node.full(name.split([':', '@']).next().unwrap());
        let wanted = format!("{repository}@{digest}");
        let digests = status["repoDigests"].as_array().unwrap();
        assert!(digests.iter().any(|one| *one == *wanted), "{name}: {digests:?}");
    }
    assert!(crio.status(&node.full("team/absent:1")).is_none());
}

#[test]
fn podman_lists_the_store_as_read_only_and_runs_a_container_from_it() {
    let Some(node) = node(&[]) else { return };
    let ran = node.import(&[]).code(0);
    let notes = ran.report()["targets"][0]["facts"].to_string();
    assert!(notes.contains("R/O true"), "the product has read it, too: {notes}");
    let (Some(listed), Some(_)) = (node.podman(&["images", "--format", "json"]), need("runc")) else {
        return;
    };
    let listed: Value = serde_json::from_str(&succeeded(&listed)).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 6, "{listed}");
    for image in listed.as_array().unwrap() {
        assert_eq!(image["ReadOnly"], true, "{image}");
    }
    for (name, _) in &node.names {
        succeeded(&node.podman(&["image", "exists", &node.full(name)]).unwrap());
    }
    node.assert_runs();
}

#[test]
fn r21_a_second_import_needs_no_other_program_and_writes_nothing() {
    let Some(node) = node(&[]) else { return };
    node.import(&[]).code(0);
    let before =
        std::fs::metadata(node.store().join("overlay-images/images.json")).unwrap().modified().unwrap();
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let again = Ran::of({
        command.env("PATH", node.world.root.join("bin"));
        command
    })
    .code(0);
    assert_eq!(outcomes(&again), ["skipped"; 6]);
    assert_eq!(again.report()["targets"][0]["bytesWritten"], 0);
    let after =
        std::fs::metadata(node.store().join("overlay-images/images.json")).unwrap().modified().unwrap();
    assert_eq!(before, after);
}

#[test]
fn a_layer_that_changed_on_the_medium_ends_the_import_and_names_no_half_image() {
    let Some(node) = node(&[]) else { return };
    let damaged = node.damaged();
    let ran = node.import_of(&damaged, &[]).code(10);
    assert!(ran.said().contains(&node.layer.to_string()), "{}", ran.said());
    assert!(!node.listed().contains(&node.full(APP)));
    let kept = node.import_of(&damaged, &["--keep-going"]).code(3);
    assert!(outcomes(&kept).contains(&"failed".to_owned()));
    assert_eq!(node.listed().len(), 5);
    let whole = node.import(&[]).code(0);
    assert_eq!(outcomes(&whole).iter().filter(|one| *one == "skipped").count(), 5);
    node.assert_listed();
}

#[test]
fn a_damaged_manifest_keeps_its_own_image_out_of_the_store_and_no_other_one() {
    let Some(node) = node(&[]) else { return };
    let (name, digest) = node.names[2].clone();
    let damaged = node.world.root.join("damaged");
    damaged_copy(&node.bundle, &digest, &damaged);
    let said = node.import_of(&damaged, &[]).code(10).said();
    assert!(said.contains(&node.full(&name)) && said.contains(digest.hex()), "{said}");
    assert!(node.listed().is_empty());
    let kept = node.import_of(&damaged, &["--keep-going"]).code(3);
    assert_eq!(outcomes(&kept).iter().filter(|one| *one == "failed").count(), 1);
    assert!(!node.listed().contains(&node.full(&name)) && node.listed().contains(&node.full(APP)));
    node.import(&[]).code(0);
    node.assert_listed();
}

#[test]
fn a_store_that_is_full_is_said_and_the_next_run_completes() {
    let Some(node) = node(&[]) else { return };
    let path = std::env::var("PATH").unwrap();
    let (store, root) = (node.store().display().to_string(), node.world.root.path().display().to_string());
    // What the store lists is kept where it can be looked at: its file system goes with the name space.
    let script = format!(
        "export PATH={path:?} CONTAINERS_STORAGE_CONF={:?}; mkdir -p {store} && mount -t tmpfs -o size=2m tmpfs {store} && \
         \"$0\" import \"$1\" --json --into containers-storage:{store}; code=$?; cp {store}/overlay-images/images.json {root}/full.json; \
         mount -o remount,size=64m {store} && \"$0\" import \"$1\" --json --quiet --into containers-storage:{store} >&2 || exit 99; \
         cp {store}/overlay-images/images.json {root}/next.json; exit $code",
        node.conf()
    );
    let Some(ran) = in_own_mounts(&node.world, &script, &[node.bundle.to_str().unwrap()]) else { return };
    let said = ran.code(14).said();
    assert!(said.contains("did not get into"), "what is carried fits, what it unpacks to does not: {said}");
    let [full, next] = ["full.json", "next.json"].map(|file| names_of(&node.world.root.join(file)));
    assert!(full.is_empty(), "no image is left, nor half of one: {full:?}");
    assert_eq!(next.len(), 5, "{next:?}");
    let next = next.concat();
    for (name, _) in node.names.iter().filter(|(name, _)| !name.contains('@')) {
        assert!(next.contains(&node.full(name)), "{name} is not among {next:?}");
    }
}

/// The names of each image that a store lists.
fn names_of(images: &Path) -> Vec<Vec<String>> {
    let images: Vec<Value> = serde_json::from_slice(&std::fs::read(images).unwrap()).unwrap();
    let names = |image: &Value| image["names"].as_array().cloned().unwrap_or_default();
    let text = |name: &Value| name.as_str().unwrap().to_owned();
    images.iter().map(|image| names(image).iter().map(text).collect()).collect()
}

#[test]
fn what_cannot_fit_is_refused_before_the_first_byte_and_layers_that_are_there_need_no_room() {
    let Some(node) = node(&[]) else { return };
    let path = std::env::var("PATH").unwrap();
    let store = node.store().display().to_string();
    // The second of two images has all but a small layer in common with the first, which fills the store.
    let script = format!(
        "export PATH={path:?} CONTAINERS_STORAGE_CONF={:?}; mkdir -p {store} && mount -t tmpfs -o size=400k tmpfs {store} && \
         \"$0\" import \"$1\" --json --into containers-storage:{store}; code=$?; test -z \"$(ls {store})\" || exit 98; \
         mount -o remount,size=64m {store} && \"$0\" import \"$1\" --quiet --only \"$2\" --into containers-storage:{store} >&2 || exit 97; \
         dd if=/dev/zero of={store}/overlay/full bs=1k count=$(( $(df --output=avail -k {store} | tail -1) - 700 )) 2>/dev/null; \
         \"$0\" import \"$1\" --quiet --only \"$3\" --storage-conf none --into containers-storage:{store} >&2 || exit 96; exit $code",
        node.conf()
    );
    let (app, pinned) = (node.full(APP), node.full(&node.names[8].0));
    let Some(ran) = in_own_mounts(&node.world, &script, &[node.bundle.to_str().unwrap(), &app, &pinned])
    else {
        return;
    };
    let said = ran.code(14).said();
    assert!(said.contains("free space, or import into another place"), "{said}");
}

/// The directory of the layer on top of an image, and of the one at its base.
fn layer_directories(node: &Node, name: &str) -> (PathBuf, PathBuf) {
    let list = |kind: &str| -> Vec<Value> {
        let path = node.store().join(format!("overlay-{kind}s/{kind}s.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let (images, layers) = (list("image"), list("layer"));
    let has = |image: &&Value| image["names"].as_array().is_some_and(|names| names.contains(&name.into()));
    let top = images.iter().find(has).unwrap()["layer"].as_str().unwrap().to_owned();
    let parent = |id: &str| {
        let layer = layers.iter().find(|layer| layer["id"] == id).unwrap();
        layer["parent"].as_str().filter(|parent| !parent.is_empty()).map(str::to_owned)
    };
    let base = std::iter::successors(Some(top.clone()), |id| parent(id)).last().unwrap();
    let directory = |id: &str| node.store().join("overlay").join(id);
    (directory(&top), directory(&base))
}

#[test]
fn a_layer_whose_files_are_gone_is_written_anew_also_where_images_share_it() {
    let Some(node) = node(&[]) else { return };
    node.import(&[]).code(0);
    let app = node.full(APP);
    let (top, _) = layer_directories(&node, &app);
    std::fs::remove_dir_all(&top).unwrap();
    let dry = node.import(&["--dry-run"]).code(0);
    assert!(dry.said().contains("written anew") && !top.exists(), "{}", dry.said());
    let mended = node.import(&[]).code(0);
    assert_eq!(outcomes(&mended).iter().filter(|one| *one == "added").count(), 1);
    node.assert_listed();
    node.assert_runs();
    // The base is that of the others as well: an import of one alone cannot mend it, that of all can.
    let (_, base) = layer_directories(&node, &app);
    std::fs::remove_dir_all(&base).unwrap();
    let said = node.import(&["--only", &app]).code(16).said();
    assert!(said.contains("has not the files of its layer") && said.contains("remove every image"), "{said}");
    node.import(&[]).code(0);
    node.assert_listed();
    node.assert_runs();
}

#[test]
fn an_artifact_and_an_image_for_another_machine_are_refused_by_name_and_nothing_is_written() {
    let Some(node) = node(&[]) else { return };
    let bundle = odd(&node.world, &["--name", "odd"]);
    for (only, words) in
        [("team/arm:1", "no linux/amd64, only linux/arm64"), ("team/chart:1", "another kind of artifact")]
    {
        let name = node.full(only);
        let said = node.import_of(&bundle, &["--only", &name]).code(16).said();
        assert!(said.contains(&name) && said.contains(words), "{said}");
        assert!(!said.contains("--keep-going"), "there are no others: {said}");
        assert!(said.contains("nothing was written") && !node.store().exists(), "{said}");
    }
    let said = node.import_of(&bundle, &[]).code(16).said();
    assert!(said.contains("--keep-going") && !node.store().exists(), "{said}");
    let ran = node.import_of(&bundle, &["--keep-going"]).code(3);
    assert_eq!(outcomes(&ran).iter().filter(|one| *one == "added").count(), 1);
    assert_eq!(node.listed(), [node.full(APP)]);
}

#[test]
fn killed_in_the_middle_it_goes_on_and_completes() {
    let Some(node) = node(&[]) else { return };
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let (path, held) = held_at(&node, 3);
    let mut child = command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the third image is on its way", || held.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(node.listed(), Vec::<String>::new(), "no name leads to what may not be on disk");
    let again = node.import(&[]).code(0);
    assert!(outcomes(&again).iter().all(|one| one == "skipped" || one == "added"));
    node.assert_listed();
}

#[test]
fn what_was_asked_to_stop_leaves_no_other_program_behind() {
    let Some(node) = node(&[]) else { return };
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    wait_until("it works", || node.store().join(".airlift-import/run/layout/index.json").exists());
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let store = node.store().display().to_string();
    let runs = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&store)
    });
    assert_eq!(runs.count(), 0);
    node.import(&[]).code(0);
    node.assert_listed();
}

#[test]
fn what_was_asked_to_stop_says_which_images_are_in_and_that_the_node_knows_no_store() {
    let Some(node) = node(&[]) else { return };
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let (path, held) = held_at(&node, 3);
    let child = command.env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the third image is on its way", || held.exists());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    for words in [": in it: ", "; not in it: ", "storage.conf was not changed"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_name_that_is_something_elses_is_kept_unless_told_otherwise() {
    let Some(node) = node(&[]) else { return };
    let skopeo = need("skopeo").unwrap();
    let (store, run) = (node.store(), node.world.root.join("run"));
    let there = format!(
        "containers-storage:[overlay@{}+{}:overlay.skip_mount_home=true]",
        store.display(),
        run.display()
    );
    let from = format!("docker://{}", node.full("team/old:2"));
    let to = format!("{there}{}", node.full(APP));
    succeeded(&Command::new(&skopeo).args(["copy", "--src-tls-verify=false", &from, &to]).output().unwrap());
    let ran = node.import(&[]).code(16);
    assert!(ran.said().contains("--replace"), "{}", ran.said());
    assert_eq!(node.listed().len(), 1, "nothing was written");
    let replaced = node.import(&["--replace"]).code(0);
    assert_eq!(outcomes(&replaced).iter().filter(|one| *one == "replaced").count(), 1);
    node.assert_listed();
}

#[test]
fn the_default_store_is_the_one_that_storage_conf_names() {
    let Some(node) = node(&[]) else { return };
    let ran = Ran::of(node.command(&node.bundle, "containers-storage")).code(0);
    assert_eq!(outcomes(&ran), ["added"; 6]);
    let again = Ran::of(node.command(&node.bundle, "containers-storage")).code(0);
    assert_eq!(outcomes(&again), ["skipped"; 6]);
    let inspect = |name: &str| {
        let mut command = Command::new(need("skopeo").unwrap());
        command.env("CONTAINERS_STORAGE_CONF", node.conf()).args(["inspect", "--raw"]);
        command.arg(format!("containers-storage:{}", node.full(name))).output().unwrap()
    };
    for (name, _) in &node.names {
        succeeded(&inspect(name));
    }
    let nested = format!("containers-storage:{}", node.world.root.join("default/images").display());
    let ran = Ran::of(node.command(&node.bundle, &nested)).code(2);
    assert!(ran.said().contains("default store"), "{}", ran.said());
}

#[test]
fn what_a_run_put_into_the_default_store_is_taken_back_unless_a_container_or_another_name_holds_it() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let import = |more: &[&str]| {
        let mut command = node.command(&node.bundle, "containers-storage");
        command.args(more);
        Ran::of(command).code(0)
    };
    let undo = |more: &[&str]| {
        let mut command = node.world.command();
        command.arg("undo").args(more).env("PATH", std::env::var_os("PATH").unwrap());
        command.env("CONTAINERS_STORAGE_CONF", node.conf());
        Ran::of(command)
    };
    let podman = |words: &[&str]| {
        let mut command = Command::new(&podman);
        command.env("CONTAINERS_STORAGE_CONF", node.conf()).args(["--cgroup-manager", "cgroupfs"]);
        succeeded(&command.args(words).output().unwrap())
    };
    let names = || -> Vec<String> {
        let text = std::fs::read(node.world.root.join("default/overlay-images/images.json")).unwrap();
        let images: Vec<Value> = serde_json::from_slice(&text).unwrap();
        let names = images.iter().flat_map(|image| image["names"].as_array().cloned().unwrap_or_default());
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    import(&["--only", &node.full(APP)]);
    import(&[]);
    let all = names();
    assert_eq!(all.len(), 6, "{all:?}");
    assert_eq!(undo(&["--dry-run"]).code(0).stdout.matches("would be removed").count(), 5);
    assert_eq!(names(), all);
    // The second found it there, and counts on it.
    let earlier = undo(&["000001", "--dry-run"]).code(3).stdout;
    let words = format!("stays: {} is wanted by a later run too, the import of bundle-1", node.full(APP));
    assert!(earlier.contains(&words), "{earlier}");
    podman(&["tag", &node.full("team/old:2"), "mine.example/kept:1"]);
    podman(&["create", "--network", "none", &node.full("team/multi:3"), "true"]);
    let said = undo(&[]).code(3);
    let said = said.stdout + &said.stderr;
    assert!(said.contains(&format!("removed: {}", node.full("team/old:2"))), "{said}");
    assert!(said.contains("1 name stays as it is"), "{said}");
    let mut left = names();
    left.sort();
    let mut wanted = [APP, "team/multi:3", "library/list:4"].map(|name| node.full(name)).to_vec();
    wanted.push("mine.example/kept:1".to_owned());
    wanted.sort();
    assert_eq!(left, wanted, "{said}");
    let said = undo(&[]).code(3);
    assert!(said.stderr.contains("1 name stays as it is"), "{}", said.stderr);
    assert!(said.stderr.contains("airlift undo 000001"), "{}", said.stderr);
    assert!(names().contains(&node.full(APP)), "the earlier run stands");
    podman(&["rmi", "mine.example/kept:1"]);
    podman(&["rm", "--all"]);
    undo(&[]).code(0);
    undo(&["1"]).code(0);
    assert!(!names().contains(&node.full(APP)));
}

/// Commands that are for [`Node::conf`], the default store of the test.
pub(crate) fn own_podman(node: &Node, podman: &Path, words: &[&str]) -> String {
    let mut command = Command::new(podman);
    command.env("CONTAINERS_STORAGE_CONF", node.conf()).args(["--cgroup-manager", "cgroupfs"]);
    succeeded(&command.args(words).output().unwrap())
}

pub(crate) fn own_undo(node: &Node, path: &std::ffi::OsStr) -> Ran {
    let mut command = node.world.command();
    command.arg("undo").env("PATH", path).env("CONTAINERS_STORAGE_CONF", node.conf());
    Ran::of(command)
}

pub(crate) fn own_import(node: &Node, more: &[&str]) -> Ran {
    let mut command = node.command(&node.bundle, "containers-storage");
    command.args(more);
    Ran::of(command)
}

#[test]
fn a_name_that_was_another_images_in_the_default_store_is_given_back() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let (app, old) = (node.full(APP), node.full("team/old:2"));
    own_import(&node, &["--only", &old]).code(0);
    own_podman(&node, &podman, &["tag", &old, &app]);
    own_podman(&node, &podman, &["untag", &old, &old]);
    let id = || own_podman(&node, &podman, &["image", "inspect", "--format", "{{.Id}}", &app]);
    let images = || own_podman(&node, &podman, &["images", "--all", "--quiet", "--no-trunc"]).lines().count();
    let before = id();
    let ran = own_import(&node, &["--only", &app, "--replace"]).code(0);
    assert_eq!(outcomes(&ran), ["replaced"]);
    assert_eq!((id() == before, images()), (false, 2));
    own_undo(&node, &std::env::var_os("PATH").unwrap()).code(0);
    assert_eq!((id(), images()), (before, 1));
}

#[test]
fn an_image_that_gets_another_name_while_others_are_taken_back_stays() {
    let (Some(node), Some(podman), Some(skopeo)) = (node(&[]), need("podman"), need("skopeo")) else {
        return;
    };
    let (app, old) = (node.full(APP), node.full("team/old:2"));
    own_import(&node, &["--only", &app, "--only", &old]).code(0);
    // Somebody names both that are left, once the first is on its way out.
    let bin = node.world.root.join("wrapped");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = delete ]; then {skopeo:?} \"$@\" || exit; for one in {app:?} {old:?}; do \
         {podman:?} tag $one mine.example/kept:1 2>/dev/null; done; exit 0; fi\nexec {skopeo:?} \"$@\"\n"
    );
    let file = node.world.root.write("wrapped/skopeo", &script);
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path =
        std::env::join_paths([bin, "/usr/sbin".into(), "/usr/bin".into(), "/sbin".into(), "/bin".into()]);
    let said = own_undo(&node, &path.unwrap()).code(0);
    assert_eq!(said.stdout.matches("removed: ").count(), 2, "{}", said.stdout);
    own_podman(&node, &podman, &["image", "exists", "mine.example/kept:1"]);
}

#[test]
fn an_image_that_lacks_files_is_not_taken_out_under_names_that_the_run_does_not_give() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let app = node.full(APP);
    own_import(&node, &["--only", &app]).code(0);
    own_podman(&node, &podman, &["tag", &app, "mine.example/kept:1"]);
    let text = std::fs::read(node.world.root.join("default/overlay-images/images.json")).unwrap();
    let images: Value = serde_json::from_slice(&text).unwrap();
    let layer = images[0]["layer"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(node.world.root.join("default/overlay").join(layer).join("diff")).unwrap();
    let ran = own_import(&node, &["--only", &app]).code(16);
    assert!(ran.said().contains("it has other names there, too (mine.example/kept:1)"), "{}", ran.said());
    let after = std::fs::read(node.world.root.join("default/overlay-images/images.json")).unwrap();
    assert_eq!(after, text, "both names are there");
    let dry = own_import(&node, &["--only", &app, "--dry-run"]);
    assert!(dry.said().contains("but not the files of its layer"), "{}", dry.said());
}

#[test]
fn what_cannot_go_there_is_said_before_anything_is_written() {
    let Some(node) = node(&[]) else { return };
    let ran = node.import(&["--platform", "linux/arm64"]).code(16);
    assert!(ran.said().contains("linux/arm64, only linux/amd64"), "{}", ran.said());
    assert!(!node.store().exists());
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    command.env("PATH", node.world.root.join("bin"));
    let ran = Ran::of(command).code(16);
    assert!(ran.said().contains("skopeo or podman"), "{}", ran.said());
    assert!(!node.store().exists());
    let other = node.world.root.write("vfs.conf", "[storage]\ndriver = \"vfs\"\n");
    for more in [&[][..], &["--dry-run"]] {
        let mut command =
            node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
        command.env("CONTAINERS_STORAGE_CONF", &other).args(more);
        let said = Ran::of(command).code(16).said();
        assert!(said.contains("vfs.conf has the driver vfs: podman and CRI-O see no image there"), "{said}");
        assert!(said.contains("--storage-conf none") && !node.store().exists(), "{said}");
    }
    std::fs::create_dir(node.store()).unwrap();
    std::fs::write(node.store().join("photos"), "").unwrap();
    let ran = node.import(&[]).code(2);
    assert!(ran.said().contains("photos"), "{}", ran.said());
}

#[test]
fn layers_that_lie_in_parts_arrive_whole() {
    let Some(node) = node(&["--max-file-size", "300000"]) else { return };
    assert!(node.bundle.join("airlift/parts").is_dir());
    node.import(&[]).code(0);
    node.assert_listed();
}

#[test]
fn where_only_podman_is_it_does_what_it_can_and_says_what_it_cannot() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let bin = node.world.root.join("bin");
    for helper in [podman.as_path(), Path::new("/usr/bin/conmon"), Path::new("/usr/sbin/runc")] {
        std::os::unix::fs::symlink(helper, bin.join(helper.file_name().unwrap())).unwrap();
    }
    let tags =
        [node.full(APP), node.full("team/old:2"), node.full("team/multi:3"), node.full("library/list:4")];
    let command = |more: &[&str]| {
        let mut command =
            node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
        command.env("PATH", &bin).args(more);
        Ran::of(command)
    };
    let ran = command(&[]).code(16);
    assert!(ran.said().contains("install skopeo"), "{}", ran.said());
    assert!(!node.store().exists());
    let only: Vec<&str> = tags.iter().flat_map(|name| ["--only", name.as_str()]).collect();
    assert_eq!(outcomes(&command(&only).code(0)), ["added"; 4]);
    let (mut listed, mut wanted) = (node.listed(), tags.to_vec());
    listed.sort();
    wanted.sort();
    assert_eq!(listed, wanted);
}

/// The stores that `storage.conf` names.
fn named_stores(conf: &Path) -> Vec<String> {
    let text: toml::Table = std::fs::read_to_string(conf).unwrap().parse().unwrap();
    let list = text["storage"]["options"].get("additionalimagestores").and_then(toml::Value::as_array);
    list.into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// What is said when the store is taken out of a `storage.conf`, without the bundle.
fn taken_out(node: &Node, conf: &Path, more: &[&str]) -> String {
    take_out(node, conf, more).code(0).said()
}

fn take_out(node: &Node, conf: &Path, more: &[&str]) -> Ran {
    let mut command = node.world.command();
    command.arg("undo").arg("--store").arg(node.store()).args(more).env("CONTAINERS_STORAGE_CONF", conf);
    Ran::of(command)
}

#[test]
fn an_import_names_the_command_that_takes_a_store_out_of_storage_conf_of_the_same_node() {
    let Some(node) = node(&[]) else { return };
    for (more, words) in [(&[][..], "--store DIR does"), (&["--root", "/n"], "--store DIR --root /n does")] {
        let said = node.import(&[&["--storage-conf", "undo"], more].concat()).code(2).said();
        assert!(said.contains(&format!("airlift undo {words}")), "{said}");
    }
}

#[test]
fn the_store_is_entered_beside_others_shown_first_and_taken_out_again() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let (store, ock, conf) = (node.store(), node.world.root.join("ock"), node.world.root.join("node.conf"));
    let own = |store: &Path| format!("containers-storage:{}", store.display());
    let import = |into: &str, more: &[&str]| {
        let mut command = node.command(&node.bundle, into);
        command.env("CONTAINERS_STORAGE_CONF", &conf).args(more);
        Ran::of(command)
    };
    let (root, run) = (node.world.root.join("default"), node.world.root.join("default-run"));
    let before = format!(
        "# ours\n[storage]\ndriver = \"overlay\"\ngraphroot = {root:?}\nrunroot = {run:?}\n\n[storage.options]\n\
         # the vendor's\nadditionalimagestores = [{ock:?}] # stays\n[storage.options.overlay]\nskip_mount_home = \"true\"\n"
    );
    std::fs::write(&conf, &before).unwrap();
    // The vendor's store has an image of its own.
    let old = node.full("team/old:2");
    import(&own(&ock), &["--only", &old, "--storage-conf", "none"]).code(0);
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
    let dry = import(&own(&store), &["--only", &node.full(APP), "--dry-run"]).code(0);
    let shown = dry.report()["targets"][0]["files"][0].to_string();
    assert!(shown.contains("+additionalimagestores = [") && shown.contains("\"foreseen\""), "{shown}");
    let printed = import(&own(&store), &["--only", &node.full(APP), "--storage-conf", "print"]).code(0);
    let printed = printed.report()["targets"][0].take();
    assert_eq!(printed["files"][0]["state"]["is"], "shown", "{printed}");
    assert!(!printed["notes"].to_string().contains("changed here"), "{printed}");
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before, "it was only to be shown");
    let out = node.world.root.join("out").display().to_string();
    let made = import(&own(&store), &["--only", &node.full(APP), "--out", &out]).code(0);
    let state = made.report()["targets"][0]["files"][0]["state"].take();
    assert_eq!(state["is"], "made");
    assert_eq!(std::fs::read_to_string(state["backup"].as_str().unwrap()).unwrap(), before);
    let stores = [&ock, &store].map(|store| store.display().to_string());
    assert_eq!(named_stores(&conf), stores);
    let text = std::fs::read_to_string(&conf).unwrap();
    assert!(text.contains("# ours") && text.contains("# the vendor's") && text.contains("# stays"), "{text}");
    let butane = std::fs::read_to_string(format!("{out}/airlift-images.bu")).unwrap();
    assert!(butane.contains(&stores[1]) && butane.contains("crio-wipe.service"), "{butane}");
    let images = || {
        let mut command = Command::new(&podman);
        command.env("CONTAINERS_STORAGE_CONF", &conf).args([
            "images",
            "--format",
            "{{.Repository}}:{{.Tag}} {{.ReadOnly}}",
        ]);
        let mut images: Vec<String> =
            succeeded(&command.output().unwrap()).lines().map(str::to_owned).collect();
        images.sort();
        images
    };
    assert_eq!(images(), [format!("{} true", node.full(APP)), format!("{old} true")]);
    assert!(taken_out(&node, &conf, &["--dry-run"]).contains("would be as it was before: "));
    assert_ne!(std::fs::read_to_string(&conf).unwrap(), before);
    let said = taken_out(&node, &conf, &[]);
    assert!(said.contains("is as it was before: ") && said.contains("the images stay"), "{said}");
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
    assert_eq!(images(), [format!("{old} true")]);
    let said = take_out(&node, &conf, &[]).code(2).said();
    assert!(said.contains("no file of this node names the store ") && said.contains(&stores[0]), "{said}");
}

#[test]
fn a_node_that_is_built_gets_its_store_and_files_below_its_root() {
    let Some(node) = node(&[]) else { return };
    let root = node.world.root.join("node");
    node.world.root.write("node/etc/crio/crio.conf", "");
    let more = ["--root", root.to_str().unwrap(), "--only", &node.full(APP)];
    let mut command = node.command(&node.bundle, "containers-storage:/var/images");
    command.args(more);
    // As root works where nodes are hardened: what everybody on the node reads is theirs to read all the same.
    let mut strict = Command::new("/bin/sh");
    strict.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    strict.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = Ran::of(strict).code(0);
    for (path, mode) in [("", 0o755), ("/storage.conf", 0o644)] {
        let path = root.join(format!("etc/containers{path}"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    let by_hand = format!("podman --root {} rmi NAME", root.join("var/images").display());
    assert!(ran.said().contains(&by_hand), "{by_hand}: {}", ran.said());
    assert!(root.join("var/images/overlay-images/images.json").is_file());
    assert_eq!(named_stores(&root.join("etc/containers/storage.conf")), ["/var/images"]);
    for unit in ["crio.service.d", "crio-wipe.service.d"] {
        let file = root.join("etc/systemd/system").join(unit).join("50-airlift-images.conf");
        assert!(std::fs::read_to_string(file).unwrap().contains("RequiresMountsFor=\"/var/images\""));
    }
}

#[test]
fn r19_what_is_pinned_survives_a_prune_and_what_is_read_only_cannot_be_removed() {
    let Some(node) = node(&[]) else { return };
    node.import(&[]).code(0);
    let pinned = format!("[crio.image]\npinned_images = [{:?}]\n", node.full(APP));
    let store = node.store();
    let options =
        Options { additional: &[&store], read_only: true, drop_ins: &[("50-pinned.conf", pinned.as_str())] };
    let Some(crio) = Crio::start(&options) else { return };
    // One in its own store, which nobody pinned, shows that there is a prune.
    let control = node.full("team/control:1");
    let before = crio.images();
    node.world.push(|layout, _| layout.image(&control, &ImageSpec::small("control")).unwrap());
    let mut copy = Command::new(need("skopeo").unwrap());
    let from = format!("docker://{control}");
    copy.args(["copy", "--src-tls-verify=false", &from, &crio.own_store(&control)]);
    succeeded(&copy.output().unwrap());
    assert!(crio.status(&control).is_some());
    let is_pinned = |image: &&Value| image["pinned"] == true;
    let names: Vec<&Value> = before.iter().filter(is_pinned).map(|image| &image["repoTags"][0]).collect();
    assert_eq!(names, [&Value::from(node.full(APP))]);
    // It says that the others cannot be removed; what it comes to is what is there afterwards.
    crio.crictl(&["rmi", "--prune"]).output().unwrap();
    assert!(crio.status(&control).is_none());
    assert_eq!(crio.images(), before);
}

#[test]
fn a_plan_for_several_targets_says_that_a_store_has_the_medium_read_once_more() {
    let Some(node) = node(&[]) else { return };
    let facts = |more: &[&str]| {
        let mut command =
            node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
        command.arg("--dry-run").args(more);
        Ran::of(command).code(0).report()["targets"][0]["facts"].to_string()
    };
    let layout = format!("oci:{}", node.world.root.join("layout").display());
    let words = "its layers are read from the medium once more";
    let beside = facts(&["--into", &layout]);
    assert!(beside.contains(words), "{beside}");
    assert!(!facts(&[]).contains(words), "it is the only one");
    node.import(&[]).code(0);
    assert!(!facts(&["--into", &layout]).contains(words), "all is there");
}

#[test]
fn r02_r14_crio_is_asked_for_every_name_once_it_can_know_the_store() {
    let Some(node) = node(&[]) else { return };
    let root = node.world.root.join("node");
    std::fs::create_dir_all(root.join("run/crio")).unwrap();
    let import = |store: &str| {
        let mut command = node.command(&node.bundle, &format!("containers-storage:{store}"));
        Ran::of({
            command.arg("--root").arg(&root);
            command
        })
        .code(0)
        .report()["targets"][0]
            .take()
    };
    assert!(import("/var/images")["proof"].is_null(), "nobody is there to be asked");
    node.world.root.write("node/etc/crio/crio.conf", "");
    let stopped = import("/var/images")["notes"][0].to_string();
    assert!(stopped.contains("not proved yet: CRI-O does not run here"), "{stopped}");
    let store = root.join("var/images");
    let options = Options { additional: &[&store], read_only: true, ..Options::default() };
    let Some(crio) = Crio::start(&options) else { return };
    std::os::unix::fs::symlink(crio.socket(), root.join("run/crio/crio.sock")).unwrap();
    let proof = import("/var/images")["proof"].take();
    assert!(proof["runtime"].as_str().unwrap().starts_with("cri-o "), "{proof}");
    let asked: Vec<&str> =
        proof["names"].as_array().unwrap().iter().map(|name| name["name"].as_str().unwrap()).collect();
    for (name, _) in &node.names {
        assert!(asked.contains(&node.full(name).as_str()), "{name}: {asked:?}");
    }
    assert_eq!(proof["sandbox"]["present"], false, "{proof}");
    let other = import("/var/other");
    let first = other["notes"][0].to_string();
    for words in ["not proved yet", "systemctl restart crio, then run the same command again"] {
        assert!(other["proof"].is_null() && first.contains(words), "{other}");
    }
}

#[test]
fn r27_an_import_into_a_store_opens_no_socket_but_unix_ones() {
    let Some(node) = node(&[]) else { return };
    let (Some(strace), Some(unshare)) = (need("strace"), need("unshare")) else { return };
    let trace = node.world.root.join("trace");
    let inner = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let mut command = Command::new(unshare);
    command.env_clear().current_dir(node.world.root.path());
    for (key, value) in inner.get_envs() {
        command.env(key, value.unwrap());
    }
    command.args(["-n", "--"]).arg(strace).args(["-f", "-e", "trace=network,execve", "-o"]).arg(&trace);
    command.arg(inner.get_program()).args(inner.get_args());
    Ran::of(command).code(0);
    node.assert_listed();
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("skopeo"), "what it starts is watched, too");
    let mut sockets = trace.lines().filter(|line| line.contains(" socket("));
    assert!(sockets.all(|line| line.contains("AF_UNIX")), "{trace}");
}
