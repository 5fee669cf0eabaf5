//! The registry as a service: told to a real service manager, installed, started at boot, restarted, taken away again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use airlift::domain::digest::Digest;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::hash::sha256;

use crate::rig::world::{Ran, World, copy_tree};
use crate::rig::{PATIENCE, need, need_root, skip};

/// A packed image, and a root for a node with the bundle in it.
struct Node {
    world: World,
    root: PathBuf,
    bundle: PathBuf,
    image: Digest,
}

const BUNDLE: &str = "/srv/bundles/bundle-1";

fn node() -> Option<Node> {
    let world = World::start()?;
    let image = world
        .push(|layout, host| layout.image(&format!("{host}/team/app:1"), &ImageSpec::small("app")).unwrap());
    let packed = world.packed(&["HOST/team/app:1"]);
    let root = world.root.join("node");
    let bundle = root.join(BUNDLE.trim_start_matches('/'));
    copy_tree(&packed, &bundle);
    Some(Node { world, root, bundle, image })
}

impl Node {
    fn serve(&self, more: &[&str]) -> Command {
        let mut command = self.world.command();
        command.arg("serve").args(more);
        command
    }

    fn install(&self, more: &[&str]) -> Ran {
        let (root, bundle) = (self.root.to_str().unwrap(), self.bundle.to_str().unwrap());
        Ran::of(self.serve(&[&["--install", "--json", "--root", root, bundle], more].concat()))
    }

    fn uninstall(&self, more: &[&str]) -> Ran {
        let root = self.root.to_str().unwrap();
        Ran::of(self.serve(&[&["--uninstall", "--json", "--root", root], more].concat()))
    }

    fn unit(&self) -> PathBuf {
        self.root.join("etc/systemd/system/airlift-serve.service")
    }

    /// Every file, link and directory of the root but the bundle, with permissions and content.
    fn tree(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut open = vec![self.root.clone()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                let (path, meta) = (entry.path(), entry.path().symlink_metadata().unwrap());
                let name = path.strip_prefix(&self.root).unwrap().display().to_string();
                let mode = meta.permissions().mode() & 0o777;
                if path == self.bundle {
                    continue;
                } else if meta.is_symlink() {
                    lines.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
                } else if meta.is_dir() {
                    lines.push(format!("{name}/"));
                    open.push(path);
                } else {
                    lines.push(format!("{name} {mode:o} {}", sha256(&fs::read(&path).unwrap())));
                }
            }
        }
        lines.sort();
        lines
    }

    fn names(&self) -> Vec<String> {
        self.tree().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Ended with its value, whatever happened.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn r29_the_manager_hears_ready_once_it_answers_and_stopping_when_it_ends() {
    let Some(node) = node() else { return };
    let path = node.world.root.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = || {
        let mut buffer = [0; 4096];
        let got = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..got].to_vec()).unwrap()
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = node.serve(&["--listen", &port.to_string()]);
    command.arg(&node.bundle).env("NOTIFY_SOCKET", &path).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut words = running.0.stderr.take().unwrap();
    let first = hear();
    assert!(first.starts_with("STATUS=verifying"), "{first}");
    let ready = hear();
    assert!(ready.starts_with("READY=1\nSTATUS=serving 1 reference"), "{ready}");
    assert!(get(port, "/v2/").unwrap().starts_with("HTTP/1.1 200"), "it answers when it says so");
    let pid = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ending = hear();
    assert!(ending.starts_with("STOPPING=1\n"), "{ending}");
    assert!(running.0.wait().unwrap().success());
    let mut said = String::new();
    words.read_to_string(&mut said).unwrap();
    assert!(said.contains("SIGTERM: ending; answers under way are finished"), "{said}");
}

#[test]
fn a_damaged_bundle_is_never_ready() {
    let Some(node) = node() else { return };
    let path = node.world.root.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let blob = node.bundle.join(node.image.layout_path());
    let mut bytes = fs::read(&blob).unwrap();
    bytes[0] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let mut command = node.serve(&["--listen", "127.0.0.1:0"]);
    command.arg(&node.bundle).env("NOTIFY_SOCKET", &path);
    Ran::of(command).code(10);
    manager.set_nonblocking(true).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(got) = manager.recv(&mut buffer) {
        heard.push(String::from_utf8_lossy(&buffer[..got]).into_owned());
    }
    assert!(heard.len() == 1 && !heard[0].contains("READY"), "{heard:?}");
    // Nor is it installed.
    let before = node.tree();
    node.install(&[]).code(10);
    assert_eq!(node.tree(), before);
}

#[test]
fn an_installation_into_a_root_is_these_files_and_uninstalling_leaves_what_was_there() {
    let Some(node) = node() else { return };
    // An operator's own program and trust directory.
    fs::create_dir_all(node.root.join("usr/local/bin")).unwrap();
    fs::write(node.root.join("usr/local/bin/airlift"), "an older one").unwrap();
    let before = node.tree();
    let planned = node.install(&["--dry-run"]).code(0).report();
    assert_eq!(node.tree(), before, "a dry run writes nothing");
    let done = node.install(&[]).code(0).report();
    assert_eq!(planned["steps"], done["steps"], "what was planned is what was done");
    let installed = node.names();
    let expected = [
        "etc/",
        "etc/airlift/",
        "etc/airlift/serve/",
        "etc/airlift/serve/allowed_signers",
        "etc/airlift/serve/installed.json",
        "etc/systemd/",
        "etc/systemd/system/",
        "etc/systemd/system/airlift-serve.service",
        "etc/systemd/system/multi-user.target.wants/",
        "etc/systemd/system/multi-user.target.wants/airlift-serve.service",
        "srv/",
        "srv/bundles/",
        "usr/",
        "usr/local/",
        "usr/local/bin/",
        "usr/local/bin/airlift",
        "usr/local/bin/airlift.before-airlift-serve",
    ];
    assert_eq!(installed, expected);
    let program = node.root.join("usr/local/bin/airlift");
    assert_eq!(program.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read(&program).unwrap(), fs::read(env!("CARGO_BIN_EXE_airlift")).unwrap());
    let unit = fs::read_to_string(node.unit()).unwrap();
    assert!(unit.contains(&format!("RequiresMountsFor={BUNDLE}\n")), "{unit}");
    let whole = node.tree();
    let again = node.install(&[]).code(0).report();
    assert!(again["steps"].as_array().unwrap().iter().all(|step| step["done"]["done"] == "there"), "{again}");
    assert_eq!(node.tree(), whole, "a second time changes nothing");
    // Another address: the unit is ours and is replaced without a copy.
    node.install(&["--listen", "127.0.0.1:5001"]).code(0);
    assert_eq!(node.names(), expected);
    node.uninstall(&["--dry-run"]).code(0);
    assert_eq!(node.names(), expected);
    node.uninstall(&[]).code(0);
    assert_eq!(node.tree(), before);
    let nothing = node.uninstall(&[]).code(2);
    assert!(nothing.said().contains("no service of Airlift was installed"), "{}", nothing.said());
}

#[test]
fn a_root_that_is_none_is_named_and_not_made() {
    let Some(node) = node() else { return };
    let bundle = node.bundle.to_str().unwrap();
    let absent = node.world.root.join("absent");
    let file = node.world.root.write("a-file", "");
    for (root, words) in [(&absent, "No such file"), (&file, "is no directory")] {
        let root = root.to_str().unwrap();
        for run in [&["--install", "--root", root, bundle][..], &["--uninstall", "--root", root]] {
            let said = Ran::of(node.serve(run)).code(2).said();
            for words in [root, "cannot be the root of a node", words, "--root the directory"] {
                assert!(said.contains(words), "{words}: {said}");
            }
        }
    }
    assert!(!absent.exists());
}

#[test]
fn a_root_that_may_not_be_written_is_named_and_left_as_it_was() {
    let (Some(node), Some(setpriv)) = (node(), need("setpriv")) else { return };
    if !need_root() {
        return;
    }
    // The tests' own program may lie where nobody else looks.
    let program = node.world.root.join("airlift");
    fs::copy(node.world.command().get_program(), &program).unwrap();
    let readable = Command::new("chmod").args(["-R", "a+rX"]).arg(node.world.root.path()).status().unwrap();
    assert!(readable.success());
    let (before, root) = (node.tree(), node.root.to_str().unwrap());
    for words in
        [&["--install", "--root", root, node.bundle.to_str().unwrap()][..], &["--uninstall", "--root", root]]
    {
        let inner = node.serve(words);
        let mut command = Command::new(&setpriv);
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&program);
        command.args(inner.get_args()).env_clear().current_dir(node.world.root.path());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let said = Ran::of(command).code(2).said();
        for part in
            [root, "cannot be the root of a node", "ermission denied", "as a user who may write there"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert_eq!(node.tree(), before);
}

#[test]
fn a_port_that_is_taken_and_a_bundle_that_is_gone_are_named_with_the_next_step() {
    let Some(node) = node() else { return };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let bundle = node.bundle.to_str().unwrap();
    let said = Ran::of(node.serve(&[bundle, "--listen", &address])).code(15).said();
    for words in [&format!("cannot listen on {address}"), "another program listens there", "--listen"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    drop(taken);
    // It goes while it is served: what cannot be read is no other content.
    let mut command = node.serve(&[bundle, "--listen", &address]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let address: SocketAddr = address.parse().unwrap();
    crate::rig::wait_until("it answers", || get(address, "/v2/").is_ok());
    let manifest = format!("/v2/team/app/manifests/{}", node.image);
    assert!(get(address, &manifest).unwrap().starts_with("HTTP/1.1 200"));
    let away = node.bundle.with_file_name("away");
    fs::rename(&node.bundle, &away).unwrap();
    let gone = get(address, &manifest).unwrap();
    assert!(gone.starts_with("HTTP/1.1 500"), "{gone}");
    assert!(get(address, "/v2/").unwrap().starts_with("HTTP/1.1 200"), "it goes on answering");
    fs::rename(&away, &node.bundle).unwrap();
    assert!(get(address, &manifest).unwrap().starts_with("HTTP/1.1 200"), "and has it again");
    drop(running);
    let absent = node.root.join("srv/bundles/absent").display().to_string();
    for words in [
        &["serve", absent.as_str()][..],
        &["serve", "--install", "--root", node.root.to_str().unwrap(), &absent],
    ] {
        let said = node.world.run(words).code(13).said();
        assert!(said.contains(&format!("there is no {absent}")) && said.contains("mounted"), "{said}");
    }
}

#[test]
fn the_plan_names_every_file_and_says_where_the_registry_answers_and_what_containerd_takes_to_ask_it() {
    let Some(node) = node() else { return };
    fs::create_dir_all(node.root.join("usr/local/bin")).unwrap();
    fs::write(node.root.join("usr/local/bin/airlift"), "an older one").unwrap();
    let before = node.tree();
    let planned = node.install(&["--dry-run"]).code(0).report();
    assert_eq!(planned["clients"]["url"], "http://127.0.0.1:5000");
    assert_eq!(planned["clients"]["references"], 1);
    node.install(&[]).code(0);
    let written: Vec<String> = node.tree().into_iter().filter(|line| !before.contains(line)).collect();
    let named = |line: &str| {
        let name = line.split(' ').next().unwrap();
        let paths = |step: &serde_json::Value| {
            let all = [step["path"].as_str(), step["done"]["backup"].as_str()];
            all.into_iter().flatten().any(|path| path.strip_prefix('/') == Some(name))
        };
        planned["steps"].as_array().unwrap().iter().any(paths)
    };
    let unsaid: Vec<&String> = written.iter().filter(|line| !line.ends_with('/') && !named(line)).collect();
    assert!(written.len() > 5 && unsaid.is_empty(), "{written:?} {unsaid:?}");
    // In words: where it answers, and what containerd takes to ask it.
    let (root, bundle) = (node.root.to_str().unwrap(), node.bundle.to_str().unwrap());
    let plan = ["--install", "--dry-run", "--listen", "127.0.0.1:5001", "--root", root, bundle];
    let said = Ran::of(node.serve(&plan)).code(0).said();
    for words in [
        "airlift-serve.service would answer on http://127.0.0.1:5001: 1 reference of ",
        "/hosts.toml:",
        "[host.\"http://127.0.0.1:5001\"]",
        "/etc/airlift/serve/installed.json  would replace",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn what_was_changed_since_stays_and_is_said() {
    let Some(node) = node() else { return };
    node.install(&[]).code(0);
    let unit = node.unit();
    let changed = fs::read_to_string(&unit).unwrap() + "# mine\n";
    fs::write(&unit, &changed).unwrap();
    let report = node.uninstall(&[]).code(0).report();
    assert!(report["notes"].to_string().contains("airlift-serve.service was changed"), "{report}");
    assert_eq!(fs::read_to_string(&unit).unwrap(), changed);
    assert!(!node.root.join("usr/local/bin/airlift").exists() && node.bundle.exists());
}

#[test]
fn what_the_service_could_not_read_at_boot_is_refused_before_anything_is_written() {
    let Some(node) = node() else { return };
    let before = node.tree();
    let blob = node.bundle.join(node.image.layout_path());
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = node.install(&[]).code(2);
    assert!(
        ran.said().contains("a user of its own") && ran.said().contains("chmod -R a+rX"),
        "{}",
        ran.said()
    );
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o644)).unwrap();
    // A directory above is opened by its own command, as it is printed, and by that alone.
    let above = node.bundle.parent().unwrap();
    let mode = fs::metadata(above).unwrap().permissions();
    fs::set_permissions(above, fs::Permissions::from_mode(0o700)).unwrap();
    let said = node.install(&[]).code(2).said();
    let command = said.split('`').nth(1).unwrap_or_else(|| panic!("{said}")).to_owned();
    assert_eq!(command, format!("chmod a+x {}", above.display()), "{said}");
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    node.install(&["--dry-run"]).code(0);
    fs::set_permissions(above, mode).unwrap();
    let hidden = node.root.join("home/me/bundle-1");
    copy_tree(&node.bundle, &hidden);
    let root = node.root.to_str().unwrap();
    let ran = Ran::of(node.serve(&["--install", "--root", root, hidden.to_str().unwrap()])).code(2);
    let said = ran.said();
    assert!(said.contains("/home/me/bundle-1 lies below /home, which is hidden from the service"), "{said}");
    let outside = Path::new("/tmp").join(format!("airlift-outside-{}", std::process::id()));
    copy_tree(&node.bundle, &outside);
    let ran = Ran::of(node.serve(&["--install", "--root", root, outside.to_str().unwrap()])).code(2);
    fs::remove_dir_all(&outside).unwrap();
    let words = format!("{} is not below {root}, the root of the node, and below /tmp of", outside.display());
    assert!(ran.said().contains(&words), "{}", ran.said());
    fs::remove_dir_all(node.root.join("home")).unwrap();
    let said = Ran::of(node.serve(&["--install", "--root", root, BUNDLE])).code(2).said();
    let seen = node.bundle.display();
    for words in [
        format!("there is no {BUNDLE} on this host: that is where the node of {root} has {seen}"),
        format!("nothing was written: with --root, paths are given as they are seen from here: {seen}"),
    ] {
        assert!(said.contains(&words), "{words}: {said}");
    }
    node.install(&["--listen", "127.0.0.1:0"]).code(2);
    assert_eq!(node.tree(), before);
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() {
    let (Some(analyze), Some(node)) = (need("systemd-analyze"), node()) else { return };
    node.install(&[]).code(0);
    // The program must be there for the unit to be whole, and it is under the root alone.
    let unit = node.world.root.join("airlift-serve.service");
    let text = fs::read_to_string(node.unit()).unwrap();
    let text = text.replace("/usr/local/bin/airlift", env!("CARGO_BIN_EXE_airlift"));
    fs::write(&unit, text).unwrap();
    let output = Command::new(&analyze).args(["verify", "--man=no"]).arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let about: Vec<&str> = said.lines().filter(|line| line.contains("airlift-serve")).collect();
    assert!(output.status.success() && about.is_empty(), "{said}");
    let mut security = Command::new(&analyze);
    security.args(["security", "--offline=true", "--no-pager", "--threshold=20"]).arg(&unit);
    let output = security.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// What runs in the node at each boot; each stage is done in the boot it belongs to, and leaves its words in /var.
const STAGES: &str = r#"#!/bin/bash
exec >>/var/stages 2>&1
ask() { exec 3<>/dev/tcp/127.0.0.1/5000 && printf 'GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$1" >&3 && head -n 1 <&3; }
pid() { systemctl show -p MainPID --value airlift-serve; }
stage=$(cat /var/stage 2>/dev/null || echo 1)
echo $((stage + 1)) >/var/stage
echo "boot $stage"
case $stage in
1)
  /airlift serve --install --trust /trust --state /var/state BUNDLE; echo "install $?"
  ask /v2/
  before=$(pid); kill -9 "$before"
  for _ in $(seq 300); do now=$(pid); [ "$now" != 0 ] && [ "$now" != "$before" ] && systemctl is-active -q airlift-serve && break; sleep 0.1; done
  [ "$now" != "$before" ] && echo restarted
  ask /v2/team/app/manifests/1
  systemctl reboot;;
2)
  systemctl show -p ActiveState -p NRestarts airlift-serve
  ask /v2/team/app/manifests/1
  /airlift serve --install --trust /trust --state /var/state --listen 0.0.0.0:443 --tls-cert /tls.crt --tls-key /tls.key BUNDLE
  echo "again $?"
  curl --silent --insecure --output /dev/null --write-out 'tls %{http_code}\n' https://127.0.0.1/v2/team/app/manifests/1
  ask /v2/ || echo "nothing on 5000"
  /airlift serve --uninstall; echo "uninstall $?"
  systemctl is-active airlift-serve
  ls -Ad /etc/airlift /usr/local/bin/airlift /etc/systemd/system/airlift-serve.service /var/lib/private/airlift-serve
  systemctl poweroff;;
esac
"#;

/// A root that boots with this host's own /usr.
fn bootable(node: &Node) {
    let root = &node.root;
    for directory in
        ["usr", "etc/systemd/system/multi-user.target.wants", "var", "opt", "run", "proc", "sys", "dev"]
    {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::create_dir_all(root.join("tmp")).unwrap();
    for link in ["bin", "sbin", "lib", "lib64"].iter().filter(|link| Path::new("/usr").join(link).exists()) {
        std::os::unix::fs::symlink(format!("usr/{link}"), root.join(link)).unwrap();
    }
    let units = root.join("etc/systemd/system");
    std::os::unix::fs::symlink("/usr/lib/systemd/system/multi-user.target", units.join("default.target"))
        .unwrap();
    let service =
        "[Unit]\nAfter=airlift-serve.service\n[Service]\nType=simple\nExecStart=/bin/bash /stages\n";
    fs::write(units.join("stages.service"), service).unwrap();
    std::os::unix::fs::symlink("../stages.service", units.join("multi-user.target.wants/stages.service"))
        .unwrap();
    fs::write(root.join("stages"), STAGES.replace("BUNDLE", BUNDLE)).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
    fs::write(root.join("etc/machine-id"), "").unwrap();
    fs::copy("/usr/lib/os-release", root.join("etc/os-release")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_airlift"), root.join("airlift")).unwrap();
    fs::copy(node.world.trust_file(), root.join("trust")).unwrap();
    let pair = rcgen::generate_simple_self_signed(vec!["node".to_owned()]).unwrap();
    fs::write(root.join("tls.crt"), pair.cert.pem()).unwrap();
    fs::write(root.join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
    // The service's user may not read it; systemd hands it over.
    fs::set_permissions(root.join("tls.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Boots the node until it goes down by itself; what its console said.
fn booted(nspawn: &Path, node: &Node) -> String {
    let machine = format!("airlift-test-{}", std::process::id());
    let log = node.world.root.join("console");
    let mut command = Command::new(nspawn);
    command.arg("--directory").arg(&node.root).arg(format!("--machine={machine}"));
    command.args(["--bind-ro=/usr", "--boot", "--private-network", "--register=no", "--keep-unit"]);
    // /usr is this host's: what is written there is for this node alone.
    let own = node.world.root.join("own-bin");
    fs::create_dir_all(&own).unwrap();
    command.arg(format!("--bind={}:/usr/local/bin", own.display())).arg("--console=passive");
    let console = fs::File::create(&log).unwrap();
    command.stdin(Stdio::null()).stdout(console.try_clone().unwrap()).stderr(console);
    let mut running = Running(command.spawn().unwrap());
    let start = std::time::Instant::now();
    while running.0.try_wait().unwrap().is_none() {
        let said = fs::read_to_string(&log).unwrap();
        assert!(start.elapsed() < 6 * PATIENCE, "{said}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // It keeps what is not on a file system of memory.
    drop(fs::remove_dir(Path::new("/run/systemd/nspawn/propagate").join(machine)));
    fs::read_to_string(&log).unwrap()
}

#[test]
fn r29_a_node_that_boots_has_its_registry_again_after_a_kill_and_after_a_reboot() {
    let (Some(nspawn), Some(_), Some(node)) = (need("systemd-nspawn"), need("curl"), node()) else { return };
    if !need_root() {
        return;
    }
    bootable(&node);
    let stages = node.root.join("var/stages");
    let said = || fs::read_to_string(&stages).unwrap_or_default();
    for boot in 1..=2 {
        let console = booted(&nspawn, &node);
        if said().is_empty() {
            eprintln!("{console}");
            return skip("a machine that systemd-nspawn can boot in");
        }
        assert!(said().contains(&format!("boot {boot}")), "{}{console}", said());
    }
    let said = said();
    for words in [
        "install 0",
        "HTTP/1.1 200 OK",
        "restarted",
        "boot 2",
        "ActiveState=active",
        "again 0",
        "tls 200",
        "nothing on 5000",
        "uninstall 0",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 3, "{said}");
    assert!(said.contains("ActiveState=active") && !said.contains("Main process exited"), "{said}");
    let after = said.split_once("uninstall 0").unwrap().1;
    assert!(after.contains("inactive") && after.matches("No such file").count() == 4, "{said}");
    assert!(node.bundle.join("index.json").exists(), "bundles stay");
}
