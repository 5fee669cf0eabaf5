//! Who holds the lock of a directory, by the kernel's tables: for people, as the lock itself tells whether anybody does.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::Timestamp;

/// A process of this host that holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// The name of this host.
    pub host: String,
    /// Since when it runs, where that can be told.
    pub since: Option<Timestamp>,
}

impl Holder {
    /// Of a directory; nothing where nobody holds it, or somebody whom this process may not see, as on another host.
    pub fn of(directory: &Path) -> Option<Self> {
        let meta = directory.metadata().ok()?;
        let table = std::fs::read_to_string("/proc/locks").ok()?;
        let pid = held_by(&table, meta.dev(), meta.ino())?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Some(Self { pid, host, since: since(pid) })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)?;
        match self.since {
            Some(since) => write!(f, ", running since {}", since.strftime("%Y-%m-%d %H:%MZ")),
            None => Ok(()),
        }
    }
}

/// The process that has a lock on a file, by its device and its number, proc(5); those that wait for one have none.
fn held_by(table: &str, device: u64, file: u64) -> Option<u32> {
    let id = format!("{:02x}:{:02x}:{file}", rustix::fs::major(device), rustix::fs::minor(device));
    let holds = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let of_it = words.get(1) == Some(&"FLOCK") && words.get(5) == Some(&id.as_str());
        words.get(4).filter(|_| of_it)?.parse().ok()
    };
    table.lines().find_map(holds)
}

/// When a process was started.
fn since(pid: u32) -> Option<Timestamp> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let boot = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: i64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let ticks = started(&stat)? / i64::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Timestamp::from_second(boot.checked_add(ticks)?).ok()
}

/// The ticks from the start of the system to that of a process, the 22nd field; its name may hold blanks and brackets.
fn started(stat: &str) -> Option<i64> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::{Files as _, RealFiles};

    #[test]
    fn the_process_that_has_the_lock_is_found_and_not_one_that_waits_for_it_or_has_another() {
        let table = "1: POSIX  ADVISORY  WRITE 11 08:11:42 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 12 08:11:43 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 13 08:11:42 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 14 08:11:42 0 EOF\n\
                     nonsense\n";
        let device = rustix::fs::makedev(8, 17);
        assert_eq!(held_by(table, device, 42), Some(13));
        assert_eq!(held_by(table, device, 44), None);
        assert_eq!(held_by(table, rustix::fs::makedev(8, 1), 42), None);
    }

    #[test]
    fn a_process_is_told_with_the_time_since_which_it_runs() {
        let stat = "4711 (a (b) c) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8642 1 1";
        assert_eq!(started(stat), Some(8642));
        assert_eq!(started("4711 (a"), None);
        let holder = Holder {
            pid: 4711,
            host: "jump01".to_owned(),
            since: Some("2026-11-22T03:12:59Z".parse().unwrap()),
        };
        assert_eq!(holder.to_string(), "process 4711 on jump01, running since 2026-11-22 03:12Z");
        assert_eq!(Holder { since: None, ..holder }.to_string(), "process 4711 on jump01");
        let now = since(std::process::id()).unwrap();
        assert!(now <= Timestamp::now() + jiff::SignedDuration::from_secs(2), "{now}");
    }

    #[test]
    fn a_directory_that_this_process_holds_is_held_by_it_as_long_as_it_does() {
        let dir = tempfile::tempdir().unwrap();
        let held = RealFiles.lock_dir(dir.path()).unwrap().unwrap();
        assert_eq!(Holder::of(dir.path()).map(|holder| holder.pid), Some(std::process::id()));
        drop(held);
        assert_eq!(Holder::of(dir.path()), None);
    }
}
