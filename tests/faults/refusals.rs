//! What a target cannot take, and targets that cannot be had: said by name with the next step, and nothing written.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::engine::demo::sample::ImageSpec;
use serde_json::json;

use crate::machine::{files_below, strace, under};
use crate::rig::need;
use crate::rig::world::{Ran, World};

/// A host with a bundle of an image and of an artifact.
fn packed() -> Option<(World, PathBuf)> {
    let world = World::start()?;
    world.push(|layout, host| {
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("app")).unwrap();
        let (config, chart) = (layout.blob(b"{}").unwrap(), layout.blob(b"a chart").unwrap());
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": chart, "size": 7}],
        });
        let bytes = serde_json::to_vec(&manifest).unwrap();
        layout.manifest(&format!("{host}/team/chart:1"), media_type, &bytes).unwrap();
    });
    let bundle = world.packed(&["HOST/team/app:1", "HOST/team/chart:1"]);
    Some((world, bundle))
}

fn import(world: &World, bundle: &Path, target: &str, more: &[&str]) -> Command {
    let mut command = world.command();
    command.arg("import").arg(bundle).args(["--into", target]).args(more);
    command
}

#[test]
fn an_artifact_is_refused_by_name_where_only_containers_can_use_what_is_there_and_the_others_go_in() {
    let Some((world, bundle)) = packed() else { return };
    let out = world.root.join("out");
    // The directory of a k3s is there before it is imported into.
    std::fs::create_dir_all(out.join("images")).unwrap();
    let chart = world.reference("team/chart:1");
    let targets = [("k3s", "images"), ("docker-archive", "saved.tar"), ("containers-storage", "store")];
    for (kind, name) in targets {
        let path = if kind == "containers-storage" {
            let Some(skopeo) = need("skopeo") else { continue };
            std::fs::remove_file(world.root.join("bin/skopeo")).ok();
            std::os::unix::fs::symlink(skopeo, world.root.join("bin/skopeo")).unwrap();
            std::env::var("PATH").unwrap()
        } else {
            String::new()
        };
        let target = format!("{kind}:{}", out.join(name).display());
        let run = |more: &[&str]| {
            let mut command = import(&world, &bundle, &target, more);
            command.env("PATH", format!("{}:{path}", world.root.join("bin").display()));
            Ran::of(command)
        };
        let said = run(&[]).code(16).said();
        for words in [chart.as_str(), "artifact", "registr"] {
            assert!(said.contains(words), "{kind}: {words:?} is not in {said}");
        }
        assert_eq!(files_below(&out), Vec::<String>::new(), "{kind}");
        let more: &[&str] = if kind == "containers-storage" { &["--storage-conf", "none"] } else { &[] };
        let said = run(&[&["--keep-going"], more].concat()).code(3).said();
        assert!(said.contains(&chart) && said.contains("1 of 2 images were not imported"), "{kind}: {said}");
        assert!(!files_below(&out).is_empty(), "{kind}");
        let there = out.join(name);
        if there.is_dir() { std::fs::remove_dir_all(there) } else { std::fs::remove_file(there) }.unwrap();
    }
}

#[test]
fn a_runtime_that_this_user_may_not_ask_is_named_with_whom_to_be() {
    let (Some(strace), Some((world, bundle))) = (strace(), packed()) else { return };
    let socket = world.root.join("containerd.sock");
    let listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let command = import(&world, &bundle, &format!("containerd:{}", socket.display()), &[]);
    let log = world.root.join("log").display().to_string();
    let refuse = ["-f", "-o", &log, "-e", "trace=connect", "-e", "inject=connect:error=EACCES"];
    let ran = Ran::of(under(&strace, &refuse, &command)).code(16);
    let denied = format!("permission denied to connect to {} as user 0", socket.display());
    for words in [denied.as_str(), "run this as root", "nothing was written"] {
        assert!(ran.said().contains(words), "{words:?} is not in {}", ran.said());
    }
    drop(listens);
    let ran = Ran::of(import(&world, &bundle, &format!("containerd:{}", socket.display()), &[])).code(16);
    let silent = format!("nobody listens on {}", socket.display());
    for words in [silent.as_str(), "systemctl start containerd", "nothing was written"] {
        assert!(ran.said().contains(words), "{words:?} is not in {}", ran.said());
    }
}
