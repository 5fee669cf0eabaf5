//! Tells the service manager how the registry stands (sd_notify(3)); where none asked for it, nobody is told.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The manager that started this process, if it wants to know.
#[derive(Debug)]
pub struct Manager {
    to: Option<(UnixDatagram, SocketAddr)>,
}

impl Manager {
    /// The one that `NOTIFY_SOCKET` names.
    pub fn from_env() -> Self {
        Self::at(std::env::var_os("NOTIFY_SOCKET").as_deref())
    }

    /// The one behind a socket: a path, or a name in the abstract name space after `@`.
    fn at(socket: Option<&OsStr>) -> Self {
        let to = socket.and_then(|name| {
            let address = match name.as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
                [b'/', ..] => SocketAddr::from_pathname(name),
                _ => return None,
            };
            Some((UnixDatagram::unbound().ok()?, address.ok()?))
        });
        Self { to }
    }

    /// What it is doing, in one line.
    pub fn status(&self, words: &str) {
        self.say(&format!("STATUS={}", one_line(words)));
    }

    /// That it answers from now on.
    pub fn ready(&self, words: &str) {
        self.say(&format!("READY=1\nSTATUS={}", one_line(words)));
    }

    /// That it is ending.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=ending: running answers are finished");
    }

    fn say(&self, state: &str) {
        let Some((socket, address)) = &self.to else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!("cannot tell the service manager: {error}");
        }
    }
}

fn one_line(words: &str) -> String {
    words.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_arrive_by_path_and_by_abstract_name_and_a_status_is_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("airlift-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        for (socket, said) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&abstract_name).unwrap(), format!("@{name}").into()),
        ] {
            Manager::at(Some(&said)).ready("serving\nREADY=0");
            let mut buffer = [0; 100];
            let got = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..got], b"READY=1\nSTATUS=serving READY=0");
        }
        for nobody in [None, Some("".as_ref()), Some("relative".as_ref()), Some("/nowhere/at/all".as_ref())] {
            Manager::at(nobody).stopping();
        }
    }
}
