//! What the black-box tests stand on: private places, the program itself and real components, or a said skip.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) mod containerd;
pub(crate) mod corpus;
pub(crate) mod crio;
pub(crate) mod fuse;
pub(crate) mod registry;
pub(crate) mod world;

/// The longest anything in the rig is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where the program `component` is, or `None` after saying on stderr that this test skips.
///
/// Panics instead when `AIRLIFT_REQUIRE`, a list with commas, names the component: whoever installed it
/// wants it used.
pub(crate) fn need(component: &str) -> Option<PathBuf> {
    let found = find_program(component, std::env::var_os("PATH").as_deref());
    if found.is_none() {
        skip(component);
    }
    found
}

/// The value of an environment variable that points a test at something real, or a said skip as in [`need`].
pub(crate) fn need_env(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skip(variable);
    }
    value
}

/// Whether this process is root, or a said skip as in [`need`], of a component called `root`.
pub(crate) fn need_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("root");
    }
    root
}

/// Says that this test skips for want of `component`, or panics where that is required.
pub(crate) fn skip(component: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let required = std::env::var("AIRLIFT_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == component),
        "{test} needs {component}, which AIRLIFT_REQUIRE lists but which is not there"
    );
    // Not eprintln!: the test harness swallows that of a test that passes. In one piece, as others write too.
    let line = format!("SKIPPED: {test} needs {component}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr takes a line");
}

fn find_program(name: &str, path: Option<&std::ffi::OsStr>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |file: &Path| {
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path?).map(|dir| dir.join(name)).find(|file| runs(file))
}

/// Asks `condition` again and again until it holds; panics with `what` after [`PATIENCE`].
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A directory of the test's own, removed with it, in which the program finds its home.
pub(crate) struct TempRoot {
    dir: tempfile::TempDir,
}

impl TempRoot {
    /// Makes the directory with `home` and an empty `bin` in it.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("airlift-test-").tempdir().expect("a temporary directory");
        for sub in ["home", "bin", "tmp"] {
            std::fs::create_dir(dir.path().join(sub)).expect("a directory in the temporary directory");
        }
        Self { dir }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it; nothing is made.
    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes a file in it, its directories too, and gives its path.
    pub(crate) fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.join(path);
        std::fs::create_dir_all(file.parent().expect("a file has a parent")).expect("directories");
        std::fs::write(&file, content).expect("a file in the temporary directory");
        file
    }

    /// The program, to be run and judged: nothing of the caller's environment, home and XDG directories in here.
    pub(crate) fn airlift(&self) -> assert_cmd::Command {
        assert_cmd::Command::from_std(self.command())
    }

    /// The same for [`std::process::Command`], for a program that stays (`serve`) or is killed.
    ///
    /// `PATH` is the empty `bin` of this root; put helpers there when a test wants the program to find them.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_airlift"));
        command.env_clear().current_dir(self.path()).env("HOME", self.join("home"));
        command.env("PATH", self.join("bin")).env("TMPDIR", self.join("tmp")).env("LC_ALL", "C.UTF-8");
        for (variable, dir) in [
            ("XDG_CONFIG_HOME", "home/.config"),
            ("XDG_DATA_HOME", "home/.local/share"),
            ("XDG_STATE_HOME", "home/.local/state"),
            ("XDG_CACHE_HOME", "home/.cache"),
        ] {
            command.env(variable, self.join(dir));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_only_when_it_can_be_run() {
        let root = TempRoot::new();
        root.write("bin/notes", "not a program");
        let path = root.join("bin").into_os_string();
        assert_eq!(find_program("notes", Some(&path)), None);
        assert_eq!(find_program("sh", None), None);
        assert!(find_program("sh", Some("/nowhere:/bin:/usr/bin".as_ref())).is_some());
    }
}
