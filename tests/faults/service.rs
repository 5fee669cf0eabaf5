//! An installation of the service that is killed at any of its steps: it can be finished, and it can be taken back.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::hash::sha256;

use crate::machine::{strace, tampered};
use crate::rig::world::{Ran, World, copy_tree};

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
    let (Some(strace), Some(world)) = (strace(), World::start()) else { return };
    world.push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("app")).unwrap());
    let packed = world.packed(&["HOST/team/app:1"]);
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
