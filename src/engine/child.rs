//! Other programs that this one runs: without its secrets, without its input, and gone when nobody waits for them any more.

use std::ffi::OsStr;
use std::process::Stdio;

use tokio::process::Command;

/// Variables with this prefix are for this program alone; one of them holds the passphrase of the signing key.
const OWN: &[u8] = b"AIRLIFT_";

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
