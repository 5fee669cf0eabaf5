//! A real containerd with root, state and socket of its own, private to one test and gone with it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use super::{need, need_root, wait_until};

/// Images of this namespace are those of the kubelet.
pub(crate) const NAMESPACE: &str = "k8s.io";

/// The running daemon; ends when dropped.
pub(crate) struct Containerd {
    child: Child,
    ctr: PathBuf,
    dir: tempfile::TempDir,
}

impl Containerd {
    /// Starts one; `None` after a said skip where it cannot be.
    pub(crate) fn start() -> Option<Self> {
        let (program, ctr) = (need("containerd")?, need("ctr")?);
        if !need_root() {
            return None;
        }
        // Short: a socket's path has 107 bytes.
        let dir = tempfile::Builder::new().prefix("airlift-ctr-").tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\n  address = {:?}\n[plugins.\"io.containerd.internal.v1.opt\"]\n  path = {:?}\n",
            path("root"),
            path("state"),
            path("sock"),
            path("opt")
        );
        fs::write(path("config.toml"), config).expect("containerd's configuration");
        let log = fs::File::create(path("log")).expect("containerd's log");
        let child = Command::new(program)
            .args(["--config", &path("config.toml")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("containerd runs");
        let mut containerd = Self { child, ctr, dir };
        wait_until("containerd answers", || {
            let ended = containerd.child.try_wait().expect("the state of containerd");
            assert!(ended.is_none(), "containerd: {}", containerd.log());
            containerd.ctr(&["version"]).output().expect("ctr runs").status.success()
        });
        Some(containerd)
    }

    /// What it wrote so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("containerd's log")
    }

    /// `ctr` on it, in the kubelet's namespace, with more words.
    pub(crate) fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.ctr);
        command.arg("--address").arg(self.dir.path().join("sock"));
        command.args(["--connect-timeout", "1s", "--namespace", NAMESPACE]).args(arguments);
        command
    }

    /// Name and digest of every image that it has, as `ctr images ls` says them.
    pub(crate) fn images(&self) -> Vec<(String, String)> {
        let output = self.ctr(&["images", "ls"]).output().expect("ctr runs");
        let lines = succeeded(&output);
        let row = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words.next().expect("a name").to_owned();
            let digest = words.find(|word| word.starts_with("sha256:")).expect("a digest").to_owned();
            (name, digest)
        };
        let mut images: Vec<_> = lines.lines().skip(1).map(row).collect();
        images.sort();
        images
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // By SIGTERM, so that it unmounts what it has mounted; both fail only when it has ended by itself.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        drop(self.child.wait());
    }
}

/// What a program that must succeed wrote.
#[track_caller]
pub(crate) fn succeeded(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
