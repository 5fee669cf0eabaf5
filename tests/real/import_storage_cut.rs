//! Import into containers/storage that goes wrong on the way: what was there stays, nothing half does, the next run completes.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::domain::media_type as mt;
use airlift::engine::demo::layer::LayerSpec;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::import_containerd_hard::traced;
use crate::import_storage::{APP, Node, node, outcomes};
use crate::import_storage_undo::{held_at, wrapped};
use crate::rig::containerd::succeeded;
use crate::rig::world::Ran;
use crate::rig::{need, wait_until};

/// All images by the store's own list.
fn images(node: &Node) -> Vec<Value> {
    let text = std::fs::read(node.store().join("overlay-images/images.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// A bundle with an image whose configuration says that its layer unpacks to something else.
fn wrong(node: &Node) -> PathBuf {
    let name = node.full("team/wrong:1");
    node.world.push(|layout, _| {
        let layer = layout.layer(&LayerSpec::noise(9, 50_000)).expect("it is written");
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", "1".repeat(64))]},
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": mt::OCI_MANIFEST,
            "config": {"mediaType": mt::OCI_CONFIG, "digest": layout.blob(&config).expect("it is written"), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.size}],
        });
        layout.manifest(&name, mt::OCI_MANIFEST, manifest.to_string().as_bytes()).expect("it is written");
    });
    node.world.packed(&[&name])
}

#[test]
fn an_image_that_is_not_what_it_says_gets_no_name_and_what_was_there_with_its_id_stays() {
    let Some(node) = node(&[]) else { return };
    let bundle = wrong(&node);
    node.import_of(&bundle, &[]).code(10);
    assert_eq!(images(&node), Vec::<Value>::new(), "what the run brought is gone");
    // Another one had it before, under a name of its own.
    let kept = "other.example/kept:1";
    let there = format!(
        "containers-storage:[overlay@{}+{}:overlay.skip_mount_home=true]{kept}",
        node.store().display(),
        node.world.root.join("run").display()
    );
    let from = format!("docker://{}", node.full("team/wrong:1"));
    let mut copy = Command::new(need("skopeo").unwrap());
    copy.args(["copy", "--src-tls-verify=false", "--preserve-digests", &from, &there]);
    succeeded(&copy.output().unwrap());
    node.import_of(&bundle, &[]).code(10);
    let names: Vec<Value> = images(&node).into_iter().map(|mut image| image["names"].take()).collect();
    assert_eq!(names, [json!([kept])]);
}

/// Starts an import and kills it when one of the images has its name.
fn killed(node: &Node) {
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    // Six are brought; the first of them has its first name then.
    let (path, held) = held_at(node, 8);
    let mut child =
        command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    wait_until("names are given", || held.exists());
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    assert_eq!(node.listed().len(), 1, "it was killed in the middle");
}

#[test]
fn images_that_are_there_when_the_medium_is_pulled_get_their_names_and_none_stays_without() {
    let Some(node) = node(&[]) else { return };
    let (skopeo, count, away) =
        (need("skopeo").unwrap(), node.world.root.join("copies"), node.world.root.join("away"));
    // It is pulled before the third image, which has the layers of one before it; the fourth cannot be read.
    let script = format!(
        "case \"$*\" in *'copy --quiet'*) echo >>{count:?}; if [ $(wc -l <{count:?}) = 3 ]; then mv {:?} {away:?}; fi ;; esac\n\
         exec {skopeo:?} \"$@\"",
        node.bundle
    );
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    command.env("PATH", wrapped(&node, "skopeo", &script));
    let said = Ran::of(command).code(13).said();
    let there = images(&node);
    assert!(there.len() == 2 && there.iter().all(|image| image["names"] != json!([])), "{there:?}");
    assert!(said.contains(" is gone") && said.contains("library/list:4; not in it: "), "{said}");
    std::fs::rename(&away, &node.bundle).unwrap();
    node.import(&[]).code(0);
    node.assert_listed();
}

/// The regular files of all layers.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let kind = entry.file_type().expect("its kind");
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() && entry.path().components().any(|part| part.as_os_str() == "diff") {
            found.push(entry.path());
        }
    }
}

fn layer_files(node: &Node) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&node.store().join("overlay"), &mut found);
    found
}

fn emptied(node: &Node) {
    for file in layer_files(node) {
        std::fs::File::options().write(true).open(file).expect("it opens").set_len(0).expect("it is cut");
    }
}

/// An import where the kernel tells of another boot.
fn after_reboot(node: &Node, more: &[&str]) -> Ran {
    let boot = node.world.root.write("boot", "11111111-1111-4111-8111-111111111111\n");
    let script = format!("mount --bind {boot:?} /proc/sys/kernel/random/boot_id && exec \"$0\" \"$@\"");
    let inner = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let mut command = Command::new(need("unshare").expect("it was there"));
    command.args(["-m", "sh", "-c", &script]).arg(inner.get_program()).args(inner.get_args()).args(more);
    command.env_clear().current_dir(node.world.root.path());
    inner.get_envs().for_each(|(key, value)| {
        command.env(key, value.expect("a value"));
    });
    Ran::of(command)
}

#[test]
fn what_a_power_cut_may_have_emptied_is_written_again() {
    let (Some(node), Some(_), Some(_)) = (node(&[]), need("unshare"), need("podman")) else { return };
    killed(&node);
    // As after the cut: the records are there, what they tell of never left the memory.
    emptied(&node);
    let again = after_reboot(&node, &[]).code(0);
    assert!(outcomes(&again).iter().all(|one| one == "added"), "{:?}", outcomes(&again));
    node.assert_listed();
    for file in layer_files(&node) {
        assert_ne!(file.metadata().unwrap().len(), 0, "{}", file.display());
    }
    node.assert_runs();
    assert_eq!(outcomes(&node.import(&[])), ["skipped"; 6]);
}

#[test]
fn a_run_that_was_killed_after_its_last_name_is_completed_all_the_same() {
    let (Some(node), Some(strace)) = (node(&[]), need("strace")) else { return };
    let app = node.full(APP);
    let journal = node.store().join(".airlift-import.json");
    let inner = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    // It is killed at the call that removes the journal, its last.
    let mut traced = Command::new(strace);
    traced.env_clear().current_dir(node.world.root.path());
    traced.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    traced.args(["-f", "-o", "/dev/null", "-P"]).arg(&journal).args(["-e", "trace=?unlink,unlinkat"]);
    traced.args(["-e", "inject=?unlink,unlinkat:signal=KILL"]);
    traced.arg(inner.get_program()).args(inner.get_args()).args(["--only", &app]);
    let ended = traced.output().unwrap();
    assert_eq!(ended.status.signal(), Some(9), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(node.listed().contains(&app), "it came to its last name");
    assert!(journal.exists());
    assert_eq!(outcomes(&node.import(&["--only", &app]).code(0)), ["skipped"]);
    assert!(!journal.exists(), "it is on disk now");
    node.assert_runs();
}

/// A skopeo that writes for a process, stopped.
fn stopped_child(parent: u32) -> Pid {
    let mut found = None;
    wait_until("skopeo is caught", || {
        let processes = std::fs::read_dir("/proc").expect("processes").flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        for id in ids {
            let words = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let writes = words.starts_with("skopeo")
                && words.contains("copy")
                && words.contains("containers-storage:");
            if writes
                && stat(id).is_some_and(|(_, above)| above == parent)
                && let Some(pid) = Pid::from_raw(id)
            {
                let _ = kill_process(pid, Signal::STOP);
                // It may have ended on the way.
                found = stat(id).map(|_| pid);
            }
        }
        found.is_some()
    });
    found.expect("a process")
}

/// State and parent of a process that has not ended.
fn stat(id: i32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let state = words.next()?.chars().next()?;
    (state != 'Z' && state != 'X').then_some((state, words.next()?.parse().ok()?))
}

#[test]
fn what_writes_into_the_store_ends_with_a_run_that_is_killed() {
    let Some(node) = node(&[]) else { return };
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let skopeo = stopped_child(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = std::panic::catch_unwind(|| {
        wait_until("skopeo is gone", || stat(skopeo.as_raw_pid()).is_none());
    });
    if gone.is_err() {
        let _ = kill_process(skopeo, Signal::KILL);
    }
    assert!(gone.is_ok(), "skopeo outlives the run");
    node.import(&[]).code(0);
    node.assert_listed();
}

#[test]
fn all_is_synced_before_a_name_is_given_and_a_run_killed_there_named_nothing() {
    let (Some(node), Some(strace)) = (node(&[]), need("strace")) else { return };
    let import = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    let log = node.world.root.join("trace");
    let words = ["-e", "trace=syncfs", "-e", "inject=syncfs:signal=SIGKILL:when=1"];
    traced(&strace, &words, &log, &import).output().unwrap();
    let said = std::fs::read_to_string(&log).unwrap();
    let at_store =
        |line: &str| line.contains("syncfs(") && line.contains(&node.store().display().to_string());
    assert!(said.lines().any(at_store) && said.contains("killed by SIGKILL"), "{said}");
    assert_eq!(images(&node).len(), 5, "they are there, the index and the list as one");
    assert_eq!(node.listed(), Vec::<String>::new(), "before it is on disk, nothing has a name");
    assert_eq!(outcomes(&node.import(&[]).code(0)), ["added"; 6]);
    node.assert_listed();
    node.assert_runs();
}

#[test]
fn no_image_is_put_on_layers_that_a_power_cut_may_have_emptied_under_another_one() {
    let (Some(node), Some(_), Some(_)) = (node(&[]), need("unshare"), need("podman")) else { return };
    killed(&node);
    emptied(&node);
    let (app, old) = (node.full(APP), node.full("team/old:2"));
    let said = after_reboot(&node, &["--only", &app]).code(16).said();
    assert!(said.contains(&format!("{app} did not get into")), "{said}");
    assert!(said.contains("layers in common with") && said.contains(&format!("--only {old} ")), "{said}");
    assert!(!node.listed().contains(&app), "it is not what it was");
    // As it says.
    let (_, after) = said.split_once("the same command with ").unwrap();
    let (typed, _) = after.split_once(" beside it").unwrap();
    let more: Vec<&str> = ["--only", app.as_str()].into_iter().chain(typed.split(' ')).collect();
    assert!(outcomes(&after_reboot(&node, &more).code(0)).iter().all(|one| one == "added"));
    node.assert_runs();
    after_reboot(&node, &[]).code(0);
    node.assert_listed();
    for file in layer_files(&node) {
        assert_ne!(file.metadata().unwrap().len(), 0, "{}", file.display());
    }
}
