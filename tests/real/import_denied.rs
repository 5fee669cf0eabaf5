//! Import by a user who may not: each target says by name what is in the way and what is next, and nothing is written.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::engine::demo::sample::ImageSpec;

use crate::rig::world::{Ran, World};
use crate::rig::{need, need_root};

/// The user who may nothing.
const NOBODY: &str = "65534";

struct Host {
    world: World,
    bundle: PathBuf,
    setpriv: PathBuf,
    program: PathBuf,
}

impl Host {
    fn new() -> Option<Self> {
        let setpriv = need("setpriv")?;
        if !need_root() {
            return None;
        }
        let world = World::start()?;
        world.push(|layout, host| {
            layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("app")).unwrap()
        });
        let bundle = world.packed(&["HOST/team/app:1"]);
        // The tests' own may lie where nobody else looks.
        let program = world.root.join("airlift");
        let built = world.command().get_program().to_owned();
        if std::fs::hard_link(&built, &program).is_err() {
            std::fs::copy(&built, &program).unwrap();
        }
        let readable = Command::new("chmod").args(["-R", "a+rX"]).arg(world.root.path()).status().unwrap();
        assert!(readable.success());
        Some(Self { world, bundle, setpriv, program })
    }

    fn import(&self, into: &str, more: &[&str]) -> Ran {
        let inner = self.world.command();
        let mut command = Command::new(&self.setpriv);
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]).arg(&self.program);
        command.env_clear().current_dir(self.world.root.path());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.arg("import").arg(&self.bundle).args(["--into", into]).args(more);
        Ran::of(command)
    }

    /// A directory of root's.
    fn directory(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.world.root.join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn each_target_that_may_not_be_written_is_named_with_the_next_step() {
    let Some(host) = Host::new() else { return };
    for (name, mode) in [("open", 0o755), ("closed", 0o700)] {
        let directory = host.directory(name, mode);
        let targets = ["oci:DIR/layout", "oci:DIR", "oci-archive:DIR/all.tar", "docker-archive:DIR/all.tar"];
        for target in targets.map(|target| target.replace("DIR", directory.to_str().unwrap())) {
            for more in [&[][..], &["--dry-run"]] {
                let said = host.import(&target, more).code(1).said();
                for words in [directory.to_str().unwrap(), "ermission denied", "run as a user who may"] {
                    assert!(said.contains(words), "{target} {more:?}: {words}: {said}");
                }
                assert!(!said.contains("would add"), "a plan promises nothing that cannot be done: {said}");
                assert!(is_empty(&directory), "{target}");
            }
        }
    }
}

#[test]
fn an_images_directory_of_k3s_or_rke2_that_is_root_s_is_named_with_the_next_step() {
    let Some(host) = Host::new() else { return };
    let state = host.directory("state", 0o777);
    let state = ["--state", state.to_str().unwrap()];
    for (program, mode) in [("k3s", 0o755), ("rke2", 0o700)] {
        let data = host.directory(&format!("node/var/lib/rancher/{program}/agent"), mode);
        let images = data.join("images");
        std::fs::create_dir_all(&images).unwrap();
        let target = format!("k3s:{}", images.display());
        for more in [&[][..], &["--dry-run"]] {
            let said = host.import(&target, &[&state[..], more].concat()).code(1).said();
            for words in [images.to_str().unwrap(), "ermission denied", "run as a user who may"] {
                assert!(said.contains(words), "{program}: {words}: {said}");
            }
            assert!(is_empty(&images), "{program}");
        }
    }
}

#[test]
fn a_storage_conf_that_may_not_be_changed_is_told_before_an_image_is_written() {
    let (Some(host), Some(_)) = (Host::new(), need("skopeo")) else { return };
    let (node, etc) = (host.directory("node", 0o755), host.directory("node/etc/containers", 0o755));
    std::fs::write(etc.join("storage.conf"), "[storage]\ndriver = \"overlay\"\n").unwrap();
    let store = host.directory("node/var/images", 0o777);
    let state = host.directory("state", 0o777);
    let more = ["--root", node.to_str().unwrap(), "--state", state.to_str().unwrap()];
    for last in [&[][..], &["--dry-run"]] {
        let said = host.import("containers-storage:/var/images", &[&more, last].concat()).code(1).said();
        let file = etc.join("storage.conf").display().to_string();
        for words in [
            file.as_str(),
            "is to name the store, and cannot be changed",
            "ermission denied",
            "--storage-conf none",
        ] {
            assert!(said.contains(words), "{last:?}: {words}: {said}");
        }
        assert!(is_empty(&store), "{last:?}: nothing was written");
    }
    host.import(
        "containers-storage:/var/images",
        &[&more[..], &["--storage-conf", "none", "--dry-run"]].concat(),
    )
    .code(0);
}

#[test]
fn a_socket_that_is_root_s_and_a_store_that_is_are_named_with_the_next_step() {
    let Some(host) = Host::new() else { return };
    let socket = host.directory("run", 0o755).join("containerd.sock");
    let _listening = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = host.import(&format!("containerd:{}", socket.display()), &[]).code(16).said();
    for words in ["permission denied to connect to", socket.to_str().unwrap(), "run this as root"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (Some(_), store) = (need("skopeo"), host.directory("store", 0o755)) else { return };
    // What skopeo makes for a user for whom overlay does not work.
    host.directory("home/.local/share/containers/storage/vfs-images", 0o755);
    for more in [&["--dry-run"][..], &[]] {
        let said = host.import("containers-storage", more).code(16).said();
        for words in
            ["has the driver vfs", "run this as root for theirs", "then: podman load -i FILE", "nothing was "]
        {
            assert!(said.contains(words), "{more:?}: {words}: {said}");
        }
    }
    for (place, more) in
        [(store.clone(), &["--storage-conf", "none"][..]), (store.join("new"), &["--dry-run"])]
    {
        let said = host.import(&format!("containers-storage:{}", place.display()), more).code(1).said();
        for words in [place.to_str().unwrap(), "ermission denied", "run as a user who may"] {
            assert!(said.contains(words), "{more:?}: {words}: {said}");
        }
        assert!(!said.contains("storage.conf"), "no file is shown that would not be changed either: {said}");
        assert!(is_empty(&store));
    }
}
