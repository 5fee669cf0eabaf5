//! k3s' own importer on a real containerd: it takes the archive, and the CRI proves every name; before that, nothing is claimed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::Value;

use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::world::{Ran, World};
use crate::rig::{need, wait_until};

const DATA: &str = "node/var/lib/rancher/k3s/agent";

/// A node as k3s has it, with a bundle of an image of one platform and one of two.
struct Node {
    world: World,
    bundle: PathBuf,
}

impl Node {
    fn new() -> Option<Self> {
        let world = World::start()?;
        world.push(|layout, host| {
            let layers = vec![LayerSpec::text("etc/name", "app"), LayerSpec::noise(1, 60_000)];
            layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap();
            let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
            layout.index(&format!("{host}/team/multi:3"), &specs).unwrap();
        });
        let bundle = world.packed(&["HOST/team/app:1", "HOST/team/multi:3"]);
        fs::create_dir_all(world.root.join(DATA)).unwrap();
        Some(Self { world, bundle })
    }

    /// Has the containerd listen where that of k3s does.
    fn runs(&self, containerd: &Containerd) {
        let socket = self.world.root.join("node/run/k3s/containerd/containerd.sock");
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(containerd.socket(), socket).unwrap();
    }

    fn images(&self) -> PathBuf {
        self.world.root.join(DATA).join("images")
    }

    fn import(&self) -> Command {
        let mut command = self.world.command();
        command.arg("import").arg(&self.bundle).args(["--json", "--into"]);
        command.arg(format!("k3s:{}", self.images().display()));
        command
    }

    /// What k3s does at a start.
    fn started(&self, preload: &Path, containerd: &Containerd, registries: &str) -> String {
        let mut command = Command::new(preload);
        command.arg("--address").arg(containerd.socket()).arg("--images").arg(self.images());
        let output = command.args(["--registries", registries]).output().unwrap();
        succeeded(&output);
        String::from_utf8(output.stderr).unwrap()
    }
}

/// Names of a proof, with whether each is pinned and what is wrong with it.
fn names(target: &Value) -> Vec<(String, bool, Option<String>)> {
    let names = target["proof"]["names"].as_array().unwrap_or_else(|| panic!("no proof: {target}"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    names
        .iter()
        .map(|name| (text(&name["name"]).unwrap(), name["pinned"].as_bool().unwrap(), text(&name["problem"])))
        .collect()
}

#[test]
fn r02_k3s_own_importer_takes_the_archive_and_the_cri_proves_every_name_of_it_and_under_other_registries() {
    for line in Line::ALL {
        let (Some(preload), Some(containerd)) = (need("k3s-preload"), Containerd::with_cri(line)) else {
            continue;
        };
        let Some(node) = Node::new() else { continue };
        node.world.root.write("node/etc/rancher/k3s/config.yaml", "system-default-registry: reg.example\n");
        node.runs(&containerd);
        let mut import = node.import();
        let running = import.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let archive = node.images().join("airlift-bundle-00000001.tar");
        wait_until("the archive is in place", || archive.exists());
        let log = node.started(&preload, &containerd, "reg.example");
        assert!(!log.contains("failed to import"), "{log}");
        let output = running.wait_with_output().unwrap();
        let report: Value = serde_json::from_str(succeeded(&output).lines().last().unwrap()).unwrap();
        let proved = names(&report["report"]["targets"][0]);
        let host = node.world.registry.host();
        for (repository, tag) in [("team/app", "1"), ("team/multi", "3")] {
            let tagged = [format!("{host}/{repository}:{tag}"), format!("reg.example/{repository}:{tag}")];
            for name in tagged {
                assert!(proved.iter().any(|(proved, ..)| *proved == name), "{name} in {line:?}: {proved:?}");
            }
            let pinned = format!("{host}/{repository}@sha256:");
            assert!(proved.iter().any(|(name, ..)| name.starts_with(&pinned)), "{proved:?}");
        }
        assert!(proved.iter().all(|(_, _, problem)| problem.is_none()), "{line:?}: {proved:?}");
        assert!(line == Line::One || proved.iter().all(|(_, pinned, _)| *pinned), "{proved:?}");
        // Asked again later, nothing is written and all is proved anew.
        let again = Ran::of(node.import()).code(0).report()["targets"][0].take();
        assert_eq!(again["bytesWritten"], 0);
        assert_eq!(names(&again), proved);
    }
}

#[test]
fn what_k3s_has_not_imported_is_not_claimed_and_the_way_to_prove_it_later_is_said() {
    let Some(node) = Node::new() else { return };
    let mut plan = node.import();
    plan.arg("--dry-run");
    let plan = Ran::of(plan).code(0).report()["targets"][0].take();
    assert!(
        plan["notes"].to_string().contains("k3s does not run here"),
        "said while one can still go back: {plan}"
    );
    assert!(plan["facts"].to_string().contains("harmless"), "{plan}");
    let notes = Ran::of(node.import()).code(0).report()["targets"][0]["notes"].to_string();
    for words in ["not proved yet: k3s does not run here", ". Start it, then run the same command again: it"]
    {
        assert!(notes.contains(words), "{notes}");
    }
    let Some(containerd) = Containerd::with_cri(Line::One) else { return };
    node.runs(&containerd);
    let ran = Ran::of(node.import()).code(16);
    for words in ["does not know it", "k3s has not imported it. Releases", "Type systemctl restart k3s"] {
        assert!(ran.said().contains(words), "{words:?} is not in {}", ran.said());
    }
    let Some(preload) = need("k3s-preload") else { return };
    node.started(&preload, &containerd, "");
    Ran::of(node.import()).code(0);
}

#[test]
fn r27_an_import_without_any_network_asks_k3s_through_its_socket_alone() {
    let (Some(preload), Some(containerd)) = (need("k3s-preload"), Containerd::with_cri(Line::One)) else {
        return;
    };
    let (Some(strace), Some(unshare), Some(node)) = (need("strace"), need("unshare"), Node::new()) else {
        return;
    };
    node.runs(&containerd);
    let trace = node.world.root.join("trace");
    let inner = node.import();
    let mut command = Command::new(unshare);
    command.env_clear().current_dir(node.world.root.path());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-n", "--"]).arg(strace).args(["-f", "-e", "trace=network", "-o"]).arg(&trace);
    command.arg(inner.get_program()).args(inner.get_args());
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let archive = node.images().join("airlift-bundle-00000001.tar");
    wait_until("the archive is in place", || archive.exists());
    node.started(&preload, &containerd, "");
    let output = running.wait_with_output().unwrap();
    let result: Value = serde_json::from_str(succeeded(&output).lines().last().unwrap()).unwrap();
    let target = &result["report"]["targets"][0];
    assert!(target["bytesWritten"].as_u64() > Some(60_000), "it wrote, too: {target}");
    let proved = names(target);
    assert!(proved.len() >= 4 && proved.iter().all(|(_, _, problem)| problem.is_none()), "{proved:?}");
    let trace = fs::read_to_string(trace).unwrap();
    let sockets: Vec<&str> = trace.lines().filter(|line| line.contains(" socket(")).collect();
    assert!(!sockets.is_empty() && sockets.iter().all(|line| line.contains("AF_UNIX")), "{sockets:#?}");
}
