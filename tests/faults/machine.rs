//! What the tests do to the machine under the program: wrappers around its process, small file systems of their own; all undone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rig::{need, need_root, skip, wait_until};

/// The same command, started by `wrapper` with `arguments` before it.
pub(crate) fn under<S: AsRef<OsStr>>(wrapper: &Path, arguments: &[S], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper);
    wrapped.env_clear().stdin(Stdio::null()).args(arguments);
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped
}

/// The tracer, which must be root to look into a process that forbids core dumps; or a said skip.
pub(crate) fn strace() -> Option<PathBuf> {
    let program = need("strace")?;
    need_root().then_some(program)
}

/// The command with its `call`s on `path` made to behave as `what` (strace(1), "Tampering").
pub(crate) fn tampered(
    strace: &Path,
    (call, path): (&str, &Path),
    what: &str,
    log: &Path,
    command: &Command,
) -> Command {
    // Some architectures have only the newer ones.
    let calls = match call {
        "rename" => "?rename,?renameat,?renameat2",
        other => other,
    };
    let (log, path) = (log.display(), path.display());
    let arguments = format!("-f|-o|{log}|-P|{path}|-e|trace={calls}|-e|inject={calls}:{what}");
    under(strace, &arguments.split('|').collect::<Vec<_>>(), command)
}

/// A file system of the test's own; unmounted when dropped, and only if it still is this one.
pub(crate) struct Mount {
    source: String,
    directory: PathBuf,
    options: String,
}

impl Mount {
    /// A tmpfs with these mount options on a new directory; or a said skip.
    pub(crate) fn tmpfs(directory: &Path, options: &str) -> Option<Self> {
        let source = format!("airlift-test-{}", std::process::id());
        Self::mounted(source, directory, format!("{options},mode=0755"), "tmpfs")
    }

    /// A new file system of `kind` in a file beside the new directory, through a loop device; or a said skip.
    pub(crate) fn image(directory: &Path, kind: &str, mebibytes: u64) -> Option<Self> {
        let (make, loop_control) = (need(&format!("mkfs.{kind}"))?, Path::new("/dev/loop-control"));
        if !loop_control.exists() {
            skip("loop");
            return None;
        }
        let image = directory.with_extension("image");
        std::fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        let made = Command::new(make).arg("-q").arg(&image).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::mounted(image.display().to_string(), directory, "loop".to_owned(), kind)
    }

    fn mounted(source: String, directory: &Path, options: String, kind: &str) -> Option<Self> {
        if !need_root() {
            return None;
        }
        std::fs::create_dir_all(directory).unwrap();
        let directory = directory.canonicalize().unwrap();
        assert_eq!(mounted_at(&directory), None, "nothing else is mounted there");
        let mount = Self { source, directory, options };
        if let Err(why) = mount.mount(kind) {
            assert!(why.contains("permission denied") || why.contains("unknown filesystem"), "{why}");
            skip(if why.contains("unknown filesystem") { kind } else { "mount" });
            return None;
        }
        Some(mount)
    }

    fn mount(&self, kind: &str) -> Result<(), String> {
        let mut command = Command::new("mount");
        command.args(["-t", kind, "-o", &self.options, &self.source]).arg(&self.directory);
        run(command)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// Mounts it once more with other options: `ro`, a larger `size`.
    pub(crate) fn remount(&self, options: &str) {
        let mut command = Command::new("mount");
        command.arg("-o").arg(format!("remount,{options}")).arg(&self.directory);
        run(command).unwrap();
    }

    /// Mounts anew what is on the device at this moment, and nothing that only memory holds.
    pub(crate) fn again(&mut self, kind: &str) {
        // A copy, as another name space may keep the old one mounted, and with it what it remembers.
        let copy = format!("{}+", self.source);
        let mut command = Command::new("cp");
        command.args(["--sparse=always", &self.source, &copy]);
        run(command).unwrap();
        self.unmount();
        std::fs::remove_file(&self.source).unwrap();
        self.source = copy;
        if kind == "xfs" {
            // The same, where the old one still is there under the same id.
            self.options = "loop,nouuid".to_owned();
        }
        self.mount(kind).unwrap();
    }

    fn unmount(&self) {
        wait_until("the file system is unmounted", || {
            mounted_at(&self.directory).is_none() || {
                let mut command = Command::new("umount");
                command.arg(&self.directory);
                run(command).is_ok()
            }
        });
    }

    fn is_ours(&self) -> bool {
        mounted_at(&self.directory)
            .is_some_and(|source| source == self.source || source.starts_with("/dev/loop"))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_ours() {
            self.unmount();
        }
    }
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The source of what is mounted on exactly this directory (proc(5), mountinfo).
fn mounted_at(directory: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let source = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let here = left.split(' ').nth(4)? == directory.to_str()?;
        here.then(|| right.split(' ').nth(1).map(str::to_owned)).flatten()
    };
    mounts.lines().find_map(source)
}

/// Paths of all files below a directory, relative, sorted; nothing where it is not there.
pub(crate) fn files_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(directory).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Those of them that only an unfinished bundle may hold.
pub(crate) fn unfinished(directory: &Path) -> Vec<String> {
    let mut files = files_below(directory);
    files.retain(|path| path.ends_with(".tmp") || path.ends_with("/journal"));
    files
}

/// The signatures.
pub(crate) fn signatures(directory: &Path) -> Vec<String> {
    let mut files = files_below(directory);
    files.retain(|path| path.ends_with(".sig"));
    files
}
