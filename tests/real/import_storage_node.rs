//! What an import into containers/storage changes of a node: whose file it is, what is taken back, and that CRI-O runs pods from the store.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::import_containerd_hard::traced;
use crate::import_storage::{APP, Node, node};
use crate::rig::containerd::succeeded;
use crate::rig::crio::{Crio, Options};
use crate::rig::world::Ran;
use crate::rig::{need, wait_until};

/// An import into the store of a node whose `storage.conf` is `conf`.
fn import(node: &Node, conf: &Path, more: &[&str]) -> Ran {
    let mut command = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    command.env("CONTAINERS_STORAGE_CONF", conf).args(more);
    Ran::of(command)
}

#[test]
fn undo_gives_a_file_its_former_bytes_back_unless_it_was_changed_since() {
    let Some(node) = node(&[]) else { return };
    let conf = node.conf();
    let before = std::fs::read_to_string(&conf).unwrap();
    let ran = import(&node, &conf, &["--only", &node.full(APP)]).code(0);
    let notes = ran.report()["targets"][0]["notes"].to_string();
    assert!(notes.contains("CONTAINERS_STORAGE_CONF is set"), "{notes}");
    let facts = ran.report()["targets"][0]["facts"].to_string();
    let way = format!("podman --root {} rmi NAME", node.store().display());
    assert!(
        facts.contains("airlift undo leaves what was added here in place") && facts.contains(&way),
        "{facts}"
    );
    let again = import(&node, &conf, &["--only", &node.full(APP)]).code(0).report();
    assert!(!again["targets"][0]["facts"].to_string().contains("airlift undo"), "nothing was added: {again}");
    let report = node.world.root.write("report.json", &ran.stdout);
    let after = std::fs::read_to_string(&conf).unwrap();
    assert_ne!(after, before);
    let undo = |more: &[&str]| {
        let mut command = node.world.command();
        command.arg("undo").arg(&report).arg("--json").args(more);
        Ran::of(command)
    };
    let file = conf.display().to_string();
    // The second run counts on the store, too.
    let said = undo(&[]).code(3).said();
    assert!(said.contains("is wanted by a later run too, the import of bundle-1"), "{said}");
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), after);
    node.world.run(["undo", "2"]).code(0);
    std::fs::write(&conf, &after).unwrap();
    assert_eq!(undo(&["--dry-run"]).code(0).report()["targets"][0]["files"]["restored"][0], *file);
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), after, "a dry run is dry");
    std::fs::write(&conf, format!("{after}# mine\n")).unwrap();
    assert_eq!(undo(&[]).code(0).report()["targets"][0]["files"]["takenOut"], json!([file]));
    let text = std::fs::read_to_string(&conf).unwrap();
    assert!(text.ends_with("# mine\n") && !text.contains(node.store().to_str().unwrap()), "{text}");
    std::fs::write(&conf, &after).unwrap();
    undo(&[]).code(0);
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
    assert!(node.listed().contains(&node.full(APP)), "the images stay");
}

#[test]
fn butane_and_ignition_read_what_is_written_for_the_tools_that_configure_nodes() {
    let (Some(butane), Some(validate)) = (need("butane"), need("ignition-validate")) else { return };
    let Some(node) = node(&[]) else { return };
    let out = node.world.root.join("out");
    let more = ["--only", &node.full(APP), "--storage-conf", "print", "--out", out.to_str().unwrap()];
    import(&node, &node.conf(), &more).code(0);
    let read = |name: &str| std::fs::read(out.join(name)).unwrap();
    let json = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
    let translated =
        Command::new(butane).arg("--strict").arg(out.join("airlift-images.bu")).output().unwrap();
    let translated = json(succeeded(&translated).as_bytes());
    let own = json(&read("airlift-images.ign"));
    assert_eq!(translated["systemd"], own["systemd"], "both say the same");
    assert_eq!(translated["storage"]["files"][0]["path"], own["storage"]["files"][0]["path"]);
    let mut all = vec![translated, own];
    for pool in ["worker", "master"] {
        all.push(json(&read(&format!("99-{pool}-airlift-images.yaml")))["spec"]["config"].take());
    }
    for config in all {
        let file = node.world.root.write("config.ign", config.to_string());
        succeeded(&Command::new(&validate).arg(file).output().unwrap());
    }
}

#[test]
fn what_could_not_be_taken_back_is_not_done() {
    let Some(node) = node(&[]) else { return };
    let conf = node.conf();
    let before = std::fs::read_to_string(&conf).unwrap();
    let state = node.world.root.write("state", "a file where a directory must be");
    let more = ["--state", state.to_str().unwrap()];
    let refused = import(&node, &conf, &more);
    assert!(refused.exit != Some(0) && !node.store().exists(), "{}", refused.said());
    for words in ["cannot be noted in", state.to_str().unwrap(), "--state DIR"] {
        assert!(refused.said().contains(words), "{words}: {}", refused.said());
    }
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
    // Where no file is changed there is nothing to be noted.
    import(&node, &conf, &[&more[..], &["--storage-conf", "none", "--only", &node.full(APP)]].concat())
        .code(0);
}

#[test]
fn a_plan_changes_no_file_of_the_node_where_no_image_would_get_there() {
    let Some(node) = node(&[]) else { return };
    let conf = node.conf();
    let plan = |more: &[&str]| {
        let ran = import(&node, &conf, &[&["--dry-run", "--only", &node.full(APP)], more].concat());
        ran.report()["targets"][0]["files"].clone()
    };
    assert_eq!(plan(&[])[0]["path"], conf.display().to_string());
    let files = plan(&["--platform", "linux/s390x"]);
    assert!(files.as_array().is_none_or(Vec::is_empty), "{files}");
}

#[test]
fn each_run_s_files_are_noted_and_taken_back_without_a_report_the_last_run_first() {
    let Some(node) = node(&[]) else { return };
    let conf = node.conf();
    let text = || std::fs::read_to_string(&conf).unwrap();
    let undo = |more: &[&str]| node.world.run([&["undo", "--json"], more].concat());
    let before = text();
    import(&node, &conf, &["--only", &node.full(APP), "--storage-conf", "print"]).code(0);
    let runs = undo(&["--list"]).code(0).report()["runs"].take();
    assert_eq!(runs[0]["targets"], json!([]), "what is only shown is no change: {runs}");
    import(&node, &conf, &["--only", &node.full(APP)]).code(0);
    let first = text();
    // A second run that is stopped by what it cannot write, after the file was changed.
    let out = node.world.root.write("out", "a file");
    let into = format!("containers-storage:{}", node.world.root.join("other").display());
    let mut command = node.command(&node.bundle, &into);
    command.env("CONTAINERS_STORAGE_CONF", &conf).args(["--only", &node.full(APP), "--out"]).arg(&out);
    // As the run before left it, whatever the rig makes of it.
    std::fs::write(&conf, &first).unwrap();
    let failed = Ran::of(command);
    assert_ne!(failed.exit, Some(0), "{}", failed.said());
    assert_ne!(text(), first);
    let runs = undo(&["--list"]).code(0).report()["runs"].take();
    assert_eq!(runs.as_array().unwrap().len(), 3, "{runs}");
    let target = &runs[0]["targets"][0];
    assert_eq!((&target["target"], &target["files"]), (&json!(into), &json!([conf])), "{runs}");
    let listed = node.world.run(["undo", "--list"]).code(0).stdout;
    let line = listed.lines().next().unwrap();
    for part in [&into, "bundle-1", " UTC ", conf.to_str().unwrap()] {
        assert!(line.contains(part), "{part}: {listed}");
    }
    assert!(undo(&["--dry-run"]).code(0).said().contains(conf.to_str().unwrap()));
    undo(&[]).code(0);
    assert_eq!(text(), first);
    undo(&[]).code(2);
    assert_eq!(text(), first, "the same words once more");
    undo(&["2"]).code(0);
    assert_eq!(text(), before);
    undo(&[]).code(2);
}

/// An import into `/var/images` of the node below `root`, to be run.
fn into_node(node: &Node, (bundle, root): (&Path, &Path), more: &[&str]) -> Command {
    let mut command = node.command(bundle, "containers-storage:/var/images");
    command.arg("--root").arg(root).args(more);
    command
}

/// A node below a directory of the test, and its `storage.conf`.
fn node_root(node: &Node, name: &str) -> (PathBuf, PathBuf) {
    let root = node.world.root.join(name);
    let conf = root.join("etc/containers/storage.conf");
    std::fs::create_dir_all(conf.parent().unwrap()).unwrap();
    std::fs::write(&conf, "[storage]\ndriver = \"overlay\"\n").unwrap();
    (root, conf)
}

#[test]
fn an_import_that_found_its_store_entered_by_an_earlier_one_leaves_it_so_when_it_is_taken_back() {
    let Some(node) = node(&[]) else { return };
    let (root, conf) = node_root(&node, "node");
    let other = node.world.packed(&["HOST/team/old:2", "--platform", "linux/amd64"]);
    let text = || std::fs::read_to_string(&conf).unwrap();
    let import = |bundle: &Path, how: &str| {
        Ran::of(into_node(&node, (bundle, &root), &["--storage-conf", how])).code(0);
    };
    let undo = |more: &[&str]| node.world.run([&["undo"], more].concat());
    let before = text();
    import(&node.bundle, "edit");
    let entered = text();
    assert_ne!(entered, before);
    for (number, how) in [("2", "edit"), ("3", "print")] {
        import(&other, how);
        // The images that it brought need the store, too.
        let said = undo(&["1"]).code(3).said();
        assert!(said.contains("is wanted by a later run too, the import of bundle-2"), "{how}: {said}");
        assert!(undo(&[]).code(2).said().contains("run 000001, the import of bundle-1"), "{how}");
        undo(&[number]).code(0);
        assert_eq!(text(), entered, "{how}: the earlier run stands");
    }
    undo(&["1"]).code(0);
    assert_eq!(text(), before);
}

#[test]
fn a_run_takes_a_store_out_that_it_entered_itself_after_one_that_only_meant_to() {
    let (Some(node), Some(strace)) = (node(&[]), need("strace")) else { return };
    let other = node.world.packed(&["HOST/team/old:2", "--platform", "linux/amd64"]);
    let undo = |state: &Path, more: &[&str]| {
        node.world.run([&["undo"], more, &["--state", state.to_str().unwrap()]].concat())
    };
    for cut in [true, false] {
        let name = if cut { "cut" } else { "shown" };
        let ((root, conf), state) = (node_root(&node, name), node.world.root.join(format!("{name}-state")));
        let text = || std::fs::read_to_string(&conf).unwrap();
        let before = text();
        let noted = ["--state", state.to_str().unwrap()];
        let first = into_node(&node, (&node.bundle, &root), &noted);
        if cut {
            // Killed between its note and the new bytes of the file.
            let renames = "rename,renameat,renameat2";
            let words = ["-e", &format!("trace={renames}"), "-e", &format!("inject={renames}:signal=KILL")];
            // Of a rename strace knows the old name alone.
            let written = format!("{}.tmp", conf.display());
            let words = [&["-P", &written], &words[..]].concat();
            let ran = traced(&strace, &words, &node.world.root.join("log"), &first).output().unwrap();
            assert!(!ran.status.success(), "{ran:?}");
            let noted = std::fs::read_to_string(state.join("imports/000001.jsonl")).unwrap();
            assert!(noted.contains("\"file\":{"), "{noted}");
        } else {
            Ran::of(into_node(
                &node,
                (&node.bundle, &root),
                &[&noted[..], &["--storage-conf", "print"]].concat(),
            ))
            .code(0);
        }
        assert_eq!(text(), before, "{name}");
        Ran::of(into_node(&node, (&other, &root), &noted)).code(0);
        let entered = text();
        assert_ne!(entered, before, "{name}");
        // The one that was cut off noted the change, which the later run counts on; the other one noted none.
        undo(&state, &["1"]).code(if cut { 3 } else { 0 });
        assert_eq!(text(), entered, "{name}: a later run entered it");
        undo(&state, &[]).code(0);
        assert_eq!(text(), before, "{name}");
    }
}

#[test]
fn to_take_a_store_out_is_not_taken_back_by_the_next_undo() {
    let Some(node) = node(&[]) else { return };
    let conf = node.conf();
    let undo = |more: &[&str]| node.world.run([&["undo"], more].concat());
    let before = std::fs::read_to_string(&conf).unwrap();
    import(&node, &conf, &["--only", &node.full(APP)]).code(0);
    // Without the bundle, and whatever is noted.
    let mut out = node.world.command();
    out.arg("undo").arg("--store").arg(node.store()).arg("--state").arg(node.world.root.join("empty"));
    out.env("CONTAINERS_STORAGE_CONF", &conf);
    assert!(Ran::of(out).code(0).said().contains("is as it was before: "));
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
    let said = undo(&[]).code(2).said();
    assert!(said.contains("no run that is noted left anything"), "{said}");
    let said = undo(&["000001"]).code(2).said();
    assert!(said.contains("is gone already: nothing is left to take back"), "{said}");
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
    import(&node, &conf, &["--only", &node.full(APP)]).code(0);
    std::fs::write(&conf, std::fs::read_to_string(&conf).unwrap() + "# later\n").unwrap();
    let said = undo(&[]).code(0).said();
    let words = format!("the store alone is taken out, as it was changed since: {}", conf.display());
    assert!(said.contains(&words), "{said}");
    let text = std::fs::read_to_string(&conf).unwrap();
    assert!(text.ends_with("# later\n") && !text.contains(node.store().to_str().unwrap()), "{text}");
}

#[test]
fn a_run_that_is_killed_right_after_it_changed_a_file_can_be_taken_back() {
    let (Some(node), Some(strace)) = (node(&[]), need("strace")) else { return };
    let conf = node.conf();
    let before = std::fs::read_to_string(&conf).unwrap();
    let inner = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    // It stays for a minute in the call that gives the file its new bytes.
    let mut traced = Command::new(strace);
    traced.env_clear().current_dir(node.world.root.path());
    traced.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    traced.args(["-f", "-o", "/dev/null", "-P"]).arg(&conf).args(["-e", "trace=rename,renameat,renameat2"]);
    traced.args(["-e", "inject=rename,renameat,renameat2:delay_exit=60000000"]);
    traced.arg(inner.get_program()).args(inner.get_args());
    traced.args(["--only", &node.full(APP)]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut traced = traced.spawn().unwrap();
    wait_until("the file is changed", || std::fs::read_to_string(&conf).unwrap() != before);
    let children = format!("/proc/{0}/task/{0}/children", traced.id());
    let child = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    assert!(!traced.wait().unwrap().success(), "it did not come to its end");
    let undone = node.world.run(["undo", "--json"]).code(0).report();
    assert_eq!(undone["targets"][0]["files"]["restored"], json!([conf]), "{undone}");
    assert_eq!(std::fs::read_to_string(&conf).unwrap(), before);
}

#[test]
fn a_user_who_is_not_root_gets_a_file_of_their_own() {
    let (Some(node), Some(setpriv), Some(chown)) = (node(&[]), need("setpriv"), need("chown")) else {
        return;
    };
    let mut inner = node.command(&node.bundle, &format!("containers-storage:{}", node.store().display()));
    inner.env_remove("CONTAINERS_STORAGE_CONF").args(["--dry-run"]);
    let user = "20345";
    let home = node.world.root.path();
    assert!(Command::new(chown).args(["-R", user]).arg(home).status().unwrap().success());
    let mut command = Command::new(setpriv);
    command.args(["--reuid", user, "--regid", user, "--clear-groups"]).env_clear().current_dir(home);
    command.arg(inner.get_program()).args(inner.get_args());
    for (key, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    let report = Ran::of(command).code(0).report();
    let file = &report["targets"][0]["files"][0];
    let own = home.join("home/.config/containers/storage.conf");
    assert_eq!(file["path"], *own.display().to_string(), "{report}");
    let text = file["after"].as_str().unwrap();
    assert!(text.contains("additionalimagestores"), "{text}");
    assert!(!text.contains("/var/lib/containers/storage") && !text.contains("graphroot"), "{text}");
}

#[test]
fn crio_runs_a_pod_from_an_image_of_the_read_only_store() {
    let Some(node) = node(&[]) else { return };
    let app = node.full(APP);
    let Some(config) = Crio::pods_of(&app) else { return };
    node.import(&["--only", &app]).code(0);
    let store = node.store();
    let options =
        Options { additional: &[&store], read_only: true, drop_ins: &[("50-pod.conf", config.as_str())] };
    let Some(crio) = Crio::start(&options) else { return };
    crio.runs(&node.world.root, &app, &["/bin/busybox", "echo", "it runs"], "it runs");
}
