//! An installation of the service on a machine that is in its way: killed at any step, under a strict umask, with a service
//! that does not stop; it can be finished, and it can be taken back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::hash::sha256;
use rustix::process::{Pid, Signal, kill_process};

use crate::machine::{strace, tampered, under};
use crate::rig::world::{Ran, World, copy_tree};
use crate::rig::{need, need_root, wait_until};

/// Every path below a root, with a digest of what is there.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            let meta = path.symlink_metadata().unwrap();
            let what = match () {
                () if meta.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
                () if meta.is_dir() => "directory".to_owned(),
                () => sha256(&fs::read(&path).unwrap()).to_string(),
            };
            if meta.is_dir() {
                open.push(path.clone());
            }
            found.push(format!("{} {what}", path.strip_prefix(root).unwrap().display()));
        }
    }
    found.sort();
    found
}

fn serve(world: &World, root: &Path, words: &[&str]) -> Command {
    let mut command = world.command();
    command.arg("serve").arg("--root").arg(root).args(words);
    command
}

/// A node of its own with the bundle and a program that is another one.
fn node(world: &World, packed: &Path, name: &str) -> (PathBuf, String) {
    let root = world.root.join(name);
    let bundle = root.join("srv/bundle-1");
    copy_tree(packed, &bundle);
    fs::create_dir_all(root.join("usr/local/bin")).unwrap();
    fs::write(root.join("usr/local/bin/airlift"), "an older one").unwrap();
    (root.canonicalize().unwrap(), bundle.display().to_string())
}

#[test]
fn r09_an_installation_killed_at_any_step_is_finished_or_taken_back_whole() {
    let (Some(strace), Some((world, packed))) = (strace(), packed()) else { return };
    let (whole, bundle) = node(&world, &packed, "whole");
    let before = tree(&whole);
    Ran::of(serve(&world, &whole, &["--install", &bundle])).code(0);
    let installed = tree(&whole);
    let unit = "etc/systemd/system/airlift-serve.service";
    for (number, (call, path)) in [
        ("rename", "etc/airlift/serve/installed.json.airlift-tmp"),
        ("write", "usr/local/bin/airlift.airlift-part"),
        ("rename", "usr/local/bin/airlift.airlift-part"),
        ("rename", "usr/local/bin/airlift.airlift-tmp"),
        ("fsync", "usr/local/bin"),
        ("rename", &format!("{unit}.airlift-tmp")),
        ("rename", "etc/systemd/system/multi-user.target.wants/airlift-serve.service.airlift-tmp"),
    ]
    .into_iter()
    .enumerate()
    {
        for finish in [true, false] {
            let (root, bundle) = node(&world, &packed, &format!("{number}-{finish}"));
            let command = serve(&world, &root, &["--install", &bundle]);
            let log = world.root.join("log");
            let output =
                tampered(&strace, (call, &root.join(path)), "signal=KILL", &log, &command).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.signal(), Some(9), "{call} {path}: {said}");
            let program = fs::read(root.join("usr/local/bin/airlift")).unwrap();
            assert!(
                program == b"an older one" || program == fs::read(env!("CARGO_BIN_EXE_airlift")).unwrap(),
                "{call} {path}: a program is there at every moment, and whole"
            );
            // Before the record is there, nothing else is.
            let recorded = root.join("etc/airlift/serve/installed.json").exists();
            if finish {
                Ran::of(serve(&world, &root, &["--install", &bundle])).code(0);
                let strip = |tree: &[String]| -> Vec<String> {
                    let kept = tree.iter().filter(|line| !line.contains("installed.json"));
                    kept.cloned().collect()
                };
                assert_eq!(strip(&tree(&root)), strip(&installed), "{call} {path}");
            }
            Ran::of(serve(&world, &root, &["--uninstall"])).code(if finish || recorded { 0 } else { 2 });
            let left = tree(&root);
            let new = |line: &&String| !before.contains(line) && !line.starts_with("etc");
            assert_eq!(left.iter().find(new), None, "{call} {path}, finished: {finish}");
            if finish || recorded {
                assert!(before.iter().all(|line| left.contains(line)), "{call} {path}: {left:?}");
            }
            fs::remove_dir_all(&root).unwrap();
        }
    }
}

/// A host that has packed an image, and the bundle.
fn packed() -> Option<(World, PathBuf)> {
    let world = World::start()?;
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("app")).unwrap());
    let packed = world.packed(&["HOST/team/app:1"]);
    Some((world, packed))
}

#[test]
fn what_the_service_s_own_user_must_come_to_is_open_whatever_the_umask_and_what_was_there_stays_closed() {
    let Some((world, packed)) = packed() else { return };
    let (root, bundle) = node(&world, &packed, "node");
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
    let chmod = |path: &str, mode| {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("usr/local/bin", 0o711);
    let strict = |umask: &str| {
        let shell = ["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")];
        Ran::of(under(Path::new("/bin/sh"), &shell, &serve(&world, &root, &["--install", &bundle])))
    };
    for umask in ["077", "027"] {
        strict(umask).code(0);
        let made = [
            "etc",
            "etc/airlift",
            "etc/airlift/serve",
            "etc/systemd",
            "etc/systemd/system",
            "etc/systemd/system/multi-user.target.wants",
        ];
        made.iter().for_each(|path| assert_eq!(mode(path), 0o755, "{path} under {umask}"));
        for (file, expected) in [
            ("usr/local/bin/airlift", 0o755),
            ("etc/airlift/serve/allowed_signers", 0o644),
            ("etc/airlift/serve/installed.json", 0o644),
            ("etc/systemd/system/airlift-serve.service", 0o644),
        ] {
            assert_eq!(mode(file), expected, "{file} under {umask}");
        }
        assert_eq!(mode("usr/local/bin"), 0o711, "the operator's own directory");
        Ran::of(serve(&world, &root, &["--uninstall"])).code(0);
    }
    // A directory of the operator's that nobody else passes is named, and theirs to open.
    for (closed, asked) in [("usr/local/bin", 0o750), ("etc/airlift", 0o700)] {
        fs::create_dir_all(root.join(closed)).unwrap();
        chmod(closed, asked);
        let before = tree(&root);
        let said = strict("022").code(2).said();
        let path = root.join(closed).display().to_string();
        for words in
            [format!("which may not read {path}"), format!("nothing was written: `chmod a+x {path}`")]
        {
            assert!(said.contains(&words), "{words}: {said}");
        }
        assert_eq!((mode(closed), tree(&root)), (asked, before));
        chmod(closed, 0o755);
    }
    strict("022").code(0);
}

/// `serve --uninstall` where the node's /etc and programs are this host's, in a mount name space of its own, and systemd
/// seems to run it; `systemctl` is what lies in the test's own `bin`.
fn uninstall_here(world: &World, root: &Path, unshare: &Path) -> Command {
    let script = "set -e; mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system; mount --bind \"$0/etc\" /etc; \
                  mount --bind \"$0/usr/local/bin\" /usr/local/bin; export PATH=\"$1\"; shift; exec \"$@\"";
    let mut inner = world.command();
    inner.args(["serve", "--uninstall"]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let bin = world.root.join("bin");
    let words = ["-m", "--", "/bin/sh", "-c", script, root.to_str().unwrap(), bin.to_str().unwrap()];
    under(unshare, &words, &inner)
}

#[test]
fn a_service_that_does_not_stop_keeps_its_files_and_its_record() {
    let (Some(unshare), Some((world, packed)), true) = (need("unshare"), packed(), need_root()) else {
        return;
    };
    let (root, bundle) = node(&world, &packed, "node");
    // So that its directory outlives the service: it is mounted.
    fs::create_dir(root.join("etc")).unwrap();
    fs::write(root.join("etc/hostname"), "node").unwrap();
    let before = tree(&root.join("usr"));
    Ran::of(serve(&world, &root, &["--install", &bundle])).code(0);
    let installed = tree(&root);
    let asked = world.root.join("asked");
    let systemctl = |stop: &str, state: &str| {
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>{}\ncase $1 in\nstop) {stop};;\nis-active) echo {state}; [ {state} = active ];;\nesac\n",
            asked.display()
        );
        let program = world.root.write("bin/systemctl", text);
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    };
    // Asked to end while the service is still stopping.
    systemctl("exec /bin/sleep 60", "active");
    let mut command = uninstall_here(&world, &root, &unshare);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("it is being stopped", || {
        fs::read_to_string(&asked).is_ok_and(|asked| asked.contains("stop"))
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(tree(&root), installed);
    // It says that it cannot, and is up in one way or another.
    for state in ["active", "deactivating"] {
        systemctl("echo 'Job canceled.' >&2; exit 1", state);
        let said = Ran::of(uninstall_here(&world, &root, &unshare)).code(1).said();
        for words in [&format!("is {state} and was not stopped"), "Job canceled.", "nothing was removed"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(tree(&root), installed);
    }
    // One that was never started, or is gone by half, goes whole.
    systemctl("echo 'Unit airlift-serve.service not loaded.' >&2; exit 5", "inactive");
    let said = Ran::of(uninstall_here(&world, &root, &unshare)).code(0).said();
    assert!(said.contains("not loaded"), "{said}");
    assert_eq!(tree(&root.join("usr")), before);
    assert!(!root.join("etc/airlift/serve/installed.json").exists());
    assert!(fs::read_to_string(&asked).unwrap().ends_with("daemon-reload\n"));
}
