//! Other programs that this one runs: without its secrets, without its input, and gone when nobody waits for them any more.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, parent_id};
use std::process::{ExitCode, Stdio};

use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::process::Command;

/// Variables with this prefix are for this program alone; one of them holds the passphrase of the signing key.
const OWN: &[u8] = b"AIRLIFT_";

/// What this program is called while it makes itself one that ends with its parent.
const TIED: &str = "airlift-tied";

/// A program to be run, found on `PATH` unless it is a path.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).kill_on_drop(true);
    for (variable, _) in std::env::vars_os() {
        if variable.as_encoded_bytes().starts_with(OWN) {
            command.env_remove(variable);
        }
    }
    command
}

/// The same, ended by the kernel when this process dies, however that comes: a half-written store is nobody's to go on
/// with but the next run's.
pub(crate) fn tied(name: impl AsRef<OsStr>) -> Command {
    // Only the process itself can ask for that, so that it begins as another one of these.
    let mut command = program("/proc/self/exe");
    command.arg0(TIED).arg(std::process::id().to_string()).arg(name);
    command
}

/// Becomes the program that [`tied`] names, where these are the words that it gave to this process; returns otherwise,
/// or with the exit code where that program cannot be run.
pub(crate) fn become_tied(arguments: &[OsString]) -> Option<ExitCode> {
    let (TIED, [parent, name, words @ ..]) = (arguments.first()?.to_str()?, arguments.get(1..)?) else {
        return None;
    };
    let tied = set_parent_process_death_signal(Some(Signal::KILL));
    if tied.is_err() || parent.to_str() != Some(&parent_id().to_string()) {
        // The parent died before that was asked for.
        return Some(ExitCode::FAILURE);
    }
    let error = std::process::Command::new(name).args(words).exec();
    // It is the words of that program that the parent waits for; there is nobody else to tell.
    let _ = writeln!(std::io::stderr(), "{}: {error}", name.display());
    Some(ExitCode::from(127))
}
