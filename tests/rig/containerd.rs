//! A real containerd with root, state and socket of its own, private to one test and gone with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::{need, need_root, wait_until};

/// Images of this namespace are those of the kubelet.
pub(crate) const NAMESPACE: &str = "k8s.io";

/// The running daemon; ends when dropped.
pub(crate) struct Containerd {
    child: Child,
    programs: Programs,
    dir: tempfile::TempDir,
}

/// A line of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Debian's, 1.6.
    One,
    /// The current one, built for the tests.
    Two,
}

impl Line {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::One, Self::Two];
}

#[derive(Clone)]
struct Programs {
    containerd: PathBuf,
    ctr: PathBuf,
    /// What runs containers, where it is not found by its name.
    shim: Option<PathBuf>,
}

impl Programs {
    fn of(line: Line) -> Option<Self> {
        if line == Line::One {
            return Some(Self { containerd: need("containerd")?, ctr: need("ctr")?, shim: None });
        }
        let shim = Some(need("containerd-shim-2")?);
        Some(Self { containerd: need("containerd-2")?, ctr: need("ctr-2")?, shim })
    }

    fn spawn(&self, dir: &Path) -> Child {
        let log =
            fs::File::options().create(true).append(true).open(dir.join("log")).expect("containerd's log");
        // Its own shim first, before one of another version.
        let own = dir.join("bin");
        if let (Some(shim), false) = (&self.shim, own.exists()) {
            fs::create_dir(&own).expect("a directory");
            std::os::unix::fs::symlink(shim, own.join("containerd-shim-runc-v2")).expect("a link");
        }
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&others)));
        Command::new(&self.containerd)
            .arg("--config")
            .arg(dir.join("config.toml"))
            .env("PATH", path.expect("a PATH"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("containerd runs")
    }
}

impl Containerd {
    /// Starts one whose CRI answers, on a root that `prepare` may make first; `None` after a said skip where it cannot be.
    pub(crate) fn with_cri_on(line: Line, prepare: impl FnOnce(&Path)) -> Option<Self> {
        Self::with_snapshotter(line, "overlayfs", prepare)
    }

    /// The same, unpacking into that snapshotter.
    pub(crate) fn with_snapshotter(
        line: Line,
        snapshotter: &str,
        prepare: impl FnOnce(&Path),
    ) -> Option<Self> {
        let programs = Programs::of(line)?;
        if !need_root() {
            return None;
        }
        // Short: a socket's path has 107 bytes.
        let dir = tempfile::Builder::new().prefix("airlift-cri-").tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        prepare(&dir.path().join("root"));
        let (version, cri, images) = match line {
            Line::One => (2, "io.containerd.grpc.v1.cri", "\"io.containerd.grpc.v1.cri\".containerd"),
            Line::Two => (3, "io.containerd.cri.v1.runtime", "\"io.containerd.cri.v1.images\""),
        };
        let config = format!(
            "version = {version}\nroot = {:?}\nstate = {:?}\n[grpc]\n  address = {:?}\n\
             [plugins.\"io.containerd.internal.v1.opt\"]\n  path = {:?}\n\
             [plugins.\"{cri}\".cni]\n  conf_dir = {:?}\n\
             [plugins.{images}]\n  snapshotter = {snapshotter:?}\n",
            path("root"),
            path("state"),
            path("sock"),
            path("opt"),
            path("cni")
        );
        fs::write(path("config.toml"), config).expect("containerd's configuration");
        Some(Self::run(programs, dir))
    }

    /// The same on a plain directory.
    pub(crate) fn with_cri(line: Line) -> Option<Self> {
        Self::with_cri_on(line, |_| {})
    }

    /// As a target of `airlift import`.
    pub(crate) fn target(&self) -> String {
        format!("containerd:{}", self.socket().display())
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    /// Its root directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Ends it without a word, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("containerd can be killed");
        self.child.wait().expect("the end of containerd");
    }

    /// Starts it again after [`Containerd::kill`].
    pub(crate) fn start_again(&mut self) {
        self.child = self.programs.spawn(self.dir.path());
        self.wait();
    }

    fn run(programs: Programs, dir: tempfile::TempDir) -> Self {
        let child = programs.spawn(dir.path());
        let mut containerd = Self { child, programs, dir };
        containerd.wait();
        containerd
    }

    fn wait(&mut self) {
        wait_until("containerd answers", || {
            let ended = self.child.try_wait().expect("the state of containerd");
            assert!(ended.is_none(), "containerd: {}", self.log());
            self.ctr(&["version"]).output().expect("ctr runs").status.success()
        });
    }

    /// The lines of `ctr … ls -q` or of another list, without empty ones and without a heading.
    #[track_caller]
    pub(crate) fn list(&self, arguments: &[&str]) -> Vec<String> {
        let lines = succeeded(&self.ctr(arguments).output().expect("ctr runs"));
        let lines = lines.lines().filter(|line| !line.trim().is_empty());
        let headings = ["KEY ", "REF\t", "ID ", "REF ", "ID\t"];
        lines.filter(|line| !headings.iter().any(|head| line.starts_with(head))).map(str::to_owned).collect()
    }

    /// Everything that it holds: names, blobs, parts of blobs, snapshots and leases.
    #[track_caller]
    pub(crate) fn holdings(&self) -> Vec<String> {
        let lists: [&[&str]; 5] = [
            &["images", "ls", "-q"],
            &["content", "ls", "-q"],
            &["content", "active"],
            &["snapshots", "ls"],
            &["leases", "ls"],
        ];
        lists.into_iter().flat_map(|list| self.list(list)).collect()
    }

    /// Starts one; `None` after a said skip where it cannot be.
    pub(crate) fn start() -> Option<Self> {
        let programs = Programs::of(Line::One)?;
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
        Some(Self::run(programs, dir))
    }

    /// What it wrote so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("containerd's log")
    }

    /// `ctr` on it, in the kubelet's namespace, with more words.
    pub(crate) fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.ctr);
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
