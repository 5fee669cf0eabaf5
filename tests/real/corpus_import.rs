//! The whole corpus of Debian images into every kind of runtime in one run without a network; each runtime is then asked
//! for every name by its own tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::corpus::Packed;
use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::corpus::CORPUS;
use crate::rig::crio::{Crio, Options};
use crate::rig::world::Ran;
use crate::rig::{need, need_env, need_root, wait_until};

const BUSYBOX: &str = "library/busybox:1.35";
const RUN: [&str; 3] = ["/bin/busybox", "echo", "it runs"];

/// Name and digest of everything that a pod may ask for: each tag, and each digest beside its repository.
fn names(packed: &Packed) -> Vec<(String, String)> {
    let both = |(reference, digest, _): (&str, &str, Vec<&str>)| {
        let (repository, _) = reference.rsplit_once(':').unwrap();
        [(reference.to_owned(), digest.to_owned()), (format!("{repository}@{digest}"), digest.to_owned())]
    };
    packed.images().into_iter().flat_map(both).collect()
}

/// Where each kind of runtime looks, below the root of the test.
struct Node<'a> {
    packed: &'a Packed,
    store: PathBuf,
    k3s: PathBuf,
}

impl Node<'_> {
    /// Imports into all of them, in a name space of networks that has none.
    fn import(&self, containerds: &[Containerd]) -> Value {
        let root = &self.packed.root;
        let plain = root.command();
        let mut command = Command::new(need("unshare").expect("it is there: root's mounts need it, too"));
        command.env_clear().envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.env("PATH", std::env::var_os("PATH").unwrap());
        // Never the host's own, whatever it is set to.
        let (default, run) = (root.join("default"), root.join("default-run"));
        let conf = format!("[storage]\ndriver = \"overlay\"\ngraphroot = {default:?}\nrunroot = {run:?}\n");
        command.env("CONTAINERS_STORAGE_CONF", root.write("storage.conf", conf));
        command.args(["-n", "--"]).arg(plain.get_program()).args(["import", "--json", "--trust"]);
        command.arg(root.join("allowed_signers")).arg(&self.packed.bundle);
        let paths = [("containers-storage", &self.store), ("k3s", &self.k3s)];
        let paths = paths.map(|(kind, path)| format!("{kind}:{}", path.display()));
        containerds.iter().map(Containerd::target).chain(paths).for_each(|target| {
            command.args(["--into", &target]);
        });
        Ran::of(command).code(0).report()
    }

    /// Has a containerd import the directory as k3s does at its start, by k3s' own code where that was built.
    fn starts_k3s(&self, containerd: &Containerd) {
        if let Some(preload) = need("k3s-preload") {
            let mut command = Command::new(preload);
            command.arg("--address").arg(containerd.socket()).arg("--images").arg(&self.k3s);
            succeeded(&command.output().unwrap());
            return;
        }
        let archives: Vec<_> = fs::read_dir(&self.k3s).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!archives.is_empty());
        for archive in archives {
            let import = ["images", "import", "--all-platforms", "--no-unpack", archive.to_str().unwrap()];
            succeeded(&containerd.ctr(&import).output().unwrap());
        }
    }

    /// podman with a store of its own, which reads the imported one beside it.
    fn podman(&self, podman: &Path, words: &[&str]) -> String {
        let path = |name: &str| self.packed.root.join(name);
        let mut command = Command::new(podman);
        command.arg("--root").arg(path("podman")).arg("--runroot").arg(path("podman-run"));
        command.args(["--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"]);
        command.arg("--storage-opt").arg(format!("additionalimagestore={}", self.store.display()));
        command.args(["--cgroup-manager", "cgroupfs", "--runtime", "runc"]).args(words);
        succeeded(&command.output().unwrap())
    }
}

/// Asks the CRI of a containerd for each name; what it answers must have the digest.
#[track_caller]
fn answers(containerd: &Containerd, crictl: &Path, names: &[(String, String)]) {
    let socket = format!("unix://{}", containerd.socket().display());
    for (name, digest) in names {
        let mut inspect = Command::new(crictl);
        inspect.args(["-r", &socket, "-i", &socket, "inspecti", "-o", "json", name]);
        let mut said = Vec::new();
        // It learns by events of what came past it.
        wait_until(&format!("the CRI answers for {name}"), || {
            let output = inspect.output().unwrap();
            said = output.stdout;
            output.status.success()
        });
        let said: Value = serde_json::from_slice(&said).unwrap();
        let digests = said["status"]["repoDigests"].to_string();
        assert!(digests.contains(digest), "{name}: {digests}, and not {digest}");
    }
}

#[test]
fn r01_r02_the_corpus_goes_into_every_runtime_in_one_run_and_each_answers_for_every_name() {
    let (Some(host), Some(podman), Some(crictl), Some(_), Some(_), true) = (
        need_env("AIRLIFT_CORPUS"),
        need("podman"),
        need("crictl"),
        need("skopeo"),
        need("runc"),
        need_root(),
    ) else {
        return;
    };
    let containerds: Option<Vec<_>> = Line::ALL.into_iter().map(Containerd::with_cri).collect();
    let (Some(containerds), Some(k3s)) = (containerds, Containerd::with_cri(Line::Two)) else { return };
    let packed = Packed::new(&host, CORPUS, &[]);
    let node = Node {
        store: packed.root.join("images"),
        k3s: packed.root.join("var/lib/rancher/k3s/agent/images"),
        packed: &packed,
    };
    fs::create_dir_all(&node.k3s).unwrap();
    let report = node.import(&containerds);
    assert_eq!(report["targets"].as_array().unwrap().len(), 4, "{report}");
    let names = names(&packed);
    assert_eq!(names.len(), 2 * CORPUS.len());
    let busybox = &names.iter().find(|(name, _)| name.ends_with(BUSYBOX)).unwrap().0;

    for containerd in &containerds {
        answers(containerd, &crictl, &names);
        let words = [&["run", "--rm", busybox.as_str(), "one"][..], &RUN].concat();
        assert_eq!(succeeded(&containerd.ctr(&words).output().unwrap()).trim(), "it runs");
    }

    node.starts_k3s(&k3s);
    answers(&k3s, &crictl, &names);
    let words = [&["run", "--rm", busybox.as_str(), "one"][..], &RUN].concat();
    assert_eq!(succeeded(&k3s.ctr(&words).output().unwrap()).trim(), "it runs");

    let listed: Value = serde_json::from_str(&node.podman(&podman, &["images", "--format", "json"])).unwrap();
    let listed = listed.as_array().unwrap();
    assert!(!listed.is_empty() && listed.iter().all(|image| image["ReadOnly"] == true), "{listed:?}");
    names.iter().for_each(|(name, _)| drop(node.podman(&podman, &["image", "exists", name])));
    // Limits that any machine can give.
    let run = ["run", "--rm", "--network", "none", "--pull", "never", "--ulimit", "nofile=256:256"];
    let run = [&run[..], &["--ulimit", "nproc=256:256", busybox], &RUN].concat();
    assert_eq!(node.podman(&podman, &run).trim(), "it runs");

    let pods = Crio::pods_of(busybox);
    let drop_in = pods.as_deref().map(|text| ("50-pod.conf", text));
    let options = Options { additional: &[&node.store], read_only: true, drop_ins: drop_in.as_slice() };
    let Some(crio) = Crio::start(&options) else { return };
    for (name, digest) in &names {
        let status = crio.status(name).unwrap_or_else(|| panic!("CRI-O has no {name}"));
        assert!(status["repoDigests"].to_string().contains(digest), "{name}: {status}");
    }
    if pods.is_some() {
        crio.runs(&packed.root, busybox, &RUN, "it runs");
    }
}
