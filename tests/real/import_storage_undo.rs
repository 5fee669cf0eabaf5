//! What is taken back of the node's own store where the machine went down, a container or podman is in the way, or podman alone is there.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::Value;

use crate::import_containerd_hard::traced;
use crate::import_storage::{APP, Node, node, outcomes, own_import, own_podman, own_undo};
use crate::rig::containerd::succeeded;
use crate::rig::world::Ran;
use crate::rig::{need, wait_until};

/// The images of the default store by its own list.
fn images(node: &Node) -> Vec<Value> {
    let text = std::fs::read(node.world.root.join("default/overlay-images/images.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The id of the image that a name leads to.
fn led(node: &Node, name: &str) -> Option<String> {
    let has = |image: &&Value| image["names"].as_array().is_some_and(|names| names.contains(&name.into()));
    images(node).iter().find(has).map(|image| image["id"].as_str().unwrap().to_owned())
}

/// A `PATH` with podman and what it runs, and no skopeo.
fn without_skopeo(node: &Node, podman: &Path) -> OsString {
    let bin = node.world.root.join("bin");
    for helper in [podman, Path::new("/usr/bin/conmon"), Path::new("/usr/sbin/runc")] {
        symlink(helper, bin.join(helper.file_name().unwrap())).unwrap();
    }
    bin.into_os_string()
}

/// A `PATH` on which a program is this script.
pub(crate) fn wrapped(node: &Node, program: &str, script: &str) -> OsString {
    let file = node.world.root.write(format!("wrapped/{program}"), format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    let own = std::env::var("PATH").unwrap();
    format!("{}:{own}", file.parent().unwrap().display()).into()
}

/// A `PATH` on which skopeo stands still at a copy, counted from 1, once; and the file that is there when it does.
pub(crate) fn held_at(node: &Node, copy: usize) -> (OsString, PathBuf) {
    let (skopeo, root) = (need("skopeo").unwrap(), &node.world.root);
    let (count, held) = (root.join("copies"), root.join("held"));
    let script = format!(
        "case \"$*\" in *'copy --quiet'*) echo >>{count:?}; if [ $(wc -l <{count:?}) = {copy} ]; then : >{held:?}; exec sleep 1000; fi ;; esac\n\
         exec {skopeo:?} \"$@\""
    );
    (wrapped(node, "skopeo", &script), held)
}

/// A bundle in which one image has two names, and those.
fn twins(node: &Node) -> (PathBuf, [String; 2]) {
    let names = ["team/twin:1", "team/twin:2"].map(|name| node.full(name));
    let spec = ImageSpec::new(vec![LayerSpec::noise(11, 90_000)]);
    node.world.push(|layout, _| names.each_ref().map(|name| layout.image(name, &spec).unwrap()));
    (node.world.packed(&[&names[0], &names[1]]), names)
}

fn import(node: &Node, bundle: &Path, path: &OsStr, more: &[&str]) -> Ran {
    let mut command = node.command(bundle, "containers-storage");
    command.env("PATH", path).args(more);
    Ran::of(command)
}

/// Takes back a run by its number.
fn undo_of(node: &Node, path: &OsStr, number: &str) -> Ran {
    let mut command = node.world.command();
    command.args(["undo", number]).env("PATH", path).env("CONTAINERS_STORAGE_CONF", node.conf());
    Ran::of(command)
}

/// Takes away the files of the one layer of an image.
fn break_layer(node: &Node, name: &str) {
    let id = led(node, name).unwrap();
    let image = images(node).into_iter().find(|image| image["id"] == *id).unwrap();
    let layer = image["layer"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(node.world.root.join("default/overlay").join(layer).join("diff")).unwrap();
}

/// How many images of the default store have names, and how many none.
fn named(node: &Node) -> (usize, usize) {
    let has = |image: &Value| image["names"].as_array().is_some_and(|names| !names.is_empty());
    let (with, without): (Vec<Value>, Vec<Value>) = images(node).into_iter().partition(has);
    (with.len(), without.len())
}

#[test]
fn what_arrived_before_a_stop_gets_its_names_and_each_run_is_taken_back_by_itself() {
    let Some(node) = node(&[]) else { return };
    let (path, held) = held_at(&node, 2);
    let mut command = node.command(&node.bundle, "containers-storage");
    let child = command.env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the second image is on its way", || held.exists());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains(": in it: ") && said.contains("; not in it: "), "{said}");
    assert_eq!(named(&node), (1, 0), "{said}");
    let again = outcomes(&own_import(&node, &[]).code(0));
    let count = |what: &str| again.iter().filter(|one| *one == what).count();
    assert_eq!((count("skipped"), count("added")), (1, 5));
    let path = std::env::var_os("PATH").unwrap();
    own_undo(&node, &path).code(0);
    assert_eq!(named(&node), (1, 0), "the first run's stays");
    own_undo(&node, &path).code(2);
    assert_eq!(named(&node), (1, 0), "also where the same words are said once more");
    undo_of(&node, &path, "1").code(0);
    assert_eq!(images(&node).len(), 0);
}

#[test]
fn an_image_that_could_not_be_named_is_of_the_run_that_names_it() {
    let Some(node) = node(&[]) else { return };
    let (skopeo, full) = (need("skopeo").unwrap(), node.world.root.join("full"));
    // What brings an image asks for it by its id; the disk is full when the first name is given.
    let script = format!(
        "case \"$*\" in *']@'*|*'storage:@'*) ;; *'copy --quiet'*) [ -e {full:?} ] || \
         {{ : >{full:?}; echo 'no space left on device' >&2; exit 1; }} ;; esac\nexec {skopeo:?} \"$@\""
    );
    let path = wrapped(&node, "skopeo", &script);
    let mut command = node.command(&node.bundle, "containers-storage");
    command.env("PATH", path);
    let ran = Ran::of(command);
    assert!(ran.said().contains("no space left on device"), "{}", ran.said());
    assert_eq!(named(&node), (0, 5), "the index and the list have one configuration, and so one image id");
    own_import(&node, &[]).code(0);
    assert_eq!(named(&node), (5, 0));
    own_undo(&node, &std::env::var_os("PATH").unwrap()).code(0);
    assert_eq!(images(&node).len(), 0);
}

#[test]
fn an_image_with_two_names_is_taken_back_and_mended_by_podman_alone() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let (bundle, names) = twins(&node);
    let path = without_skopeo(&node, &podman);
    assert_eq!(outcomes(&import(&node, &bundle, &path, &[]).code(0)), ["added"; 2]);
    assert!(images(&node).len() == 1 && names.iter().all(|name| led(&node, name).is_some()));
    own_podman(&node, &podman, &["create", "--name", "busy", "--network", "none", &names[1], "true"]);
    let said = own_undo(&node, &path).code(3).said();
    assert!(said.contains("a container uses the image that this run brought (busy)"), "{said}");
    assert!(said.contains("airlift undo 000001"), "{said}");
    assert!(names.iter().all(|name| led(&node, name).is_some()), "it has its names again: {said}");
    own_podman(&node, &podman, &["rm", "busy"]);
    own_undo(&node, &path).code(0);
    assert_eq!(images(&node), Vec::<Value>::new());
    import(&node, &bundle, &path, &[]).code(0);
    break_layer(&node, &names[0]);
    assert_eq!(outcomes(&import(&node, &bundle, &path, &[]).code(0)), ["added"; 2]);
    assert!(names.iter().all(|name| led(&node, name).is_some()));
    assert_eq!(outcomes(&import(&node, &bundle, &path, &[]).code(0)), ["skipped"; 2]);
}

#[test]
fn an_image_that_lacks_files_under_two_names_says_what_to_type_and_that_mends_it() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let (bundle, names) = twins(&node);
    let path = std::env::var_os("PATH").unwrap();
    let import = |more: &[&str]| import(&node, &bundle, &path, more);
    import(&[]).code(0);
    break_layer(&node, &names[0]);
    let only = ["--only", &names[0]];
    let said = import(&only).code(16).said();
    assert!(said.contains(&format!("it has other names there, too ({})", names[1])), "{said}");
    assert!(said.contains(&format!("the same command with --only {} beside it", names[1])), "{said}");
    import(&[&only[..], &["--only", &names[1]]].concat()).code(0);
    assert!(names.iter().all(|name| led(&node, name).is_some()));
    // One that is none of the bundle's.
    own_podman(&node, &podman, &["tag", &names[0], "mine.example/kept:1"]);
    break_layer(&node, &names[0]);
    let said = import(&[]).code(16).said();
    let typed = |verb: &str| {
        let (_, after) = said.split_once(&format!("podman {verb} ")).unwrap_or_else(|| panic!("{said}"));
        let words = after.split(['"', ',']).next().unwrap();
        own_podman(&node, &podman, &[&[verb], &words.split(' ').collect::<Vec<_>>()[..]].concat());
    };
    typed("untag");
    import(&[]).code(0);
    typed("tag");
    assert!(led(&node, "mine.example/kept:1").is_some_and(|id| led(&node, &names[0]) == Some(id)));
}

/// A name that leads to another image; that one's id.
fn moved(node: &Node, podman: &Path) -> (String, String) {
    let (app, old) = (node.full(APP), node.full("team/old:2"));
    own_import(node, &["--only", &old]).code(0);
    own_podman(node, podman, &["tag", &old, &app]);
    own_podman(node, podman, &["untag", &old, &old]);
    let before = led(node, &app).unwrap();
    (app, before)
}

/// Starts an import that replaces a name, and kills it while a verb of skopeo is at its end.
fn cut(node: &Node, app: &str, verb: &str, rebooted: bool) {
    let skopeo = need("skopeo").unwrap();
    let mark = node.world.root.join(format!("mark-{verb}"));
    drop(std::fs::remove_file(&mark));
    let script = format!(
        "if [ \"$1\" = {verb} ]; then {skopeo:?} \"$@\" >/dev/null; : >{mark:?}; exec sleep 1000; fi\nexec {skopeo:?} \"$@\""
    );
    let mut inner = node.command(&node.bundle, "containers-storage");
    inner.env("PATH", wrapped(node, "skopeo", &script)).args(["--only", app, "--replace"]);
    let mut command = if rebooted { after_reboot(node, &inner) } else { inner };
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the verb is done", || mark.exists());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The same command where the kernel tells of another boot.
fn after_reboot(node: &Node, inner: &Command) -> Command {
    let boot = node.world.root.write("boot", "11111111-1111-4111-8111-111111111111\n");
    let script = format!("mount --bind {boot:?} /proc/sys/kernel/random/boot_id && exec \"$0\" \"$@\"");
    let mut command = Command::new(need("unshare").unwrap());
    command.args(["-m", "sh", "-c", &script]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().current_dir(node.world.root.path());
    inner.get_envs().for_each(|(key, value)| {
        command.env(key, value.unwrap());
    });
    command
}

#[test]
fn a_name_that_was_moved_before_the_power_went_leads_again_to_what_it_led_to() {
    let (Some(node), Some(podman), Some(_)) = (node(&[]), need("podman"), need("unshare")) else { return };
    let (app, before) = moved(&node, &podman);
    let path = std::env::var_os("PATH").unwrap();
    // It has its name, and the run did not come to note that it is on disk.
    cut(&node, &app, "inspect", false);
    assert_ne!(led(&node, &app).unwrap(), before);
    own_undo(&node, &path).code(0);
    assert_eq!((led(&node, &app), images(&node).len()), (Some(before.clone()), 1));
    // The next run takes out what may be hollow, and is cut off as well: the name leads nowhere.
    cut(&node, &app, "inspect", false);
    cut(&node, &app, "delete", true);
    assert_eq!((led(&node, &app), images(&node).len()), (None, 1));
    own_undo(&node, &path).code(0);
    assert_eq!((led(&node, &app), images(&node).len()), (Some(before.clone()), 1));
    // The run before it has nothing left to give back.
    own_undo(&node, &path).code(2);
    undo_of(&node, &path, "3").code(0);
    assert_eq!((led(&node, &app), images(&node).len()), (Some(before), 1));
}

#[test]
fn a_name_that_podman_does_not_give_back_is_told_and_the_rest_is_taken_back() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let (app, before) = moved(&node, &podman);
    let multi = node.full("team/multi:3");
    own_import(&node, &["--only", &app, "--only", &multi, "--replace"]).code(0);
    let script = format!(
        "for word; do if [ \"$word\" = tag ]; then echo 'Error: no tag today' >&2; exit 125; fi; done\nexec {podman:?} \"$@\""
    );
    let said = own_undo(&node, &wrapped(&node, "podman", &script)).code(3).said();
    for words in [&format!("{app}: it does not lead again to the image"), "no tag today", "tries again"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(led(&node, &multi).is_none() && said.contains(&format!("removed: {multi}")), "{said}");
    assert!(led(&node, &app).is_some_and(|id| id != before));
    // A container keeps the image, and the name goes back all the same.
    let path = std::env::var_os("PATH").unwrap();
    own_podman(&node, &podman, &["create", "--name", "busy", "--network", "none", &app, "true"]);
    let said = own_undo(&node, &path).code(3).said();
    assert!(said.contains(&format!("as before: {app}")), "{said}");
    assert!(
        said.contains(&format!("{app}: a container uses the image that this run brought (busy)")),
        "{said}"
    );
    assert_eq!((led(&node, &app).as_ref(), images(&node).len()), (Some(&before), 2));
    own_podman(&node, &podman, &["rm", "busy"]);
    let said = own_undo(&node, &path).code(0).said();
    assert!(said.contains("removed: the image"), "{said}");
    assert_eq!((led(&node, &app), images(&node).len()), (Some(before), 1));
}

#[test]
fn what_a_killed_run_announced_stays_where_another_one_brought_it_and_goes_where_nobody_named_it() {
    let (Some(node), Some(skopeo), Some(strace)) = (node(&[]), need("skopeo"), need("strace")) else {
        return;
    };
    let (app, path) = (node.full(APP), std::env::var_os("PATH").unwrap());
    let mark = node.world.root.join("mark");
    let mut import = node.command(&node.bundle, "containers-storage");
    let script = format!(
        "for word; do if [ \"$word\" = copy ]; then : >{mark:?}; exec sleep 1000; fi; done\nexec {skopeo:?} \"$@\""
    );
    import.env("PATH", wrapped(&node, "skopeo", &script)).args(["--only", &app]);
    let mut child = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("it is about to be brought", || mark.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let mut copy = Command::new(&skopeo);
    copy.env("CONTAINERS_STORAGE_CONF", node.conf()).args([
        "copy",
        "--src-tls-verify=false",
        "--preserve-digests",
    ]);
    copy.args([format!("docker://{app}"), format!("containers-storage:{app}")]);
    succeeded(&copy.output().unwrap());
    let said = own_undo(&node, &path).code(3).said();
    assert!(said.contains(&format!("{app}: the run ended before it named the image: it had")), "{said}");
    assert!(led(&node, &app).is_some(), "{said}");
    // One that was brought, and killed before it had its name.
    let old = node.full("team/old:2");
    let mut import = node.command(&node.bundle, "containers-storage");
    import.args(["--only", &old]);
    let log = node.world.root.join("trace");
    let words = ["-e", "trace=syncfs", "-e", "inject=syncfs:signal=SIGKILL:when=1"];
    traced(&strace, &words, &log, &import).output().unwrap();
    assert_eq!((images(&node).len(), led(&node, &old)), (2, None));
    own_undo(&node, &path).code(0);
    assert_eq!(images(&node).len(), 1);
    assert!(led(&node, &app).is_some());
}

#[test]
fn of_an_image_of_before_the_name_that_a_run_gave_goes_alone() {
    let (Some(node), Some(podman)) = (node(&[]), need("podman")) else { return };
    let (old, own) = (node.full("team/old:2"), "mine.example/kept:1");
    let only = ["--only", old.as_str()];
    own_import(&node, &only).code(0);
    own_podman(&node, &podman, &["tag", &old, own]);
    own_podman(&node, &podman, &["untag", &old, &old]);
    assert_eq!(outcomes(&own_import(&node, &only).code(0)), ["added"]);
    let id = led(&node, own).unwrap();
    assert_eq!(led(&node, &old).as_ref(), Some(&id));
    // Nothing takes a name alone away without podman: then it is said what is to be typed.
    let nothing = node.world.root.join("bin").into_os_string();
    let said = own_undo(&node, &nothing).code(3).said();
    let typed =
        format!("the image was there before this run; podman untag {id} {old} takes its name alone away");
    assert!(said.contains(&typed), "{said}");
    own_undo(&node, &std::env::var_os("PATH").unwrap()).code(0);
    assert_eq!((led(&node, &old), led(&node, own)), (None, Some(id)));
}
