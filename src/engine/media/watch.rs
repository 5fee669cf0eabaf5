//! Watches for media that come and go, and for mounts: the kernel tells, nobody asks again and again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::sync::watch;

/// One stick that is plugged in makes a dozen events; they are over when nothing came for this long.
const QUIET: Duration = Duration::from_millis(150);
/// A change is told at the latest after this long, however many follow.
const LATEST: Duration = Duration::from_secs(1);
/// How often devices are looked at where the kernel does not tell.
const SLOW: Duration = Duration::from_secs(2);
/// The kernel's own events, and what udev adds once it knows file system and label (systemd, device-monitor).
const GROUPS: u32 = 1 | 2;
/// Events are at most 2 KiB from the kernel and 8 KiB from udev.
const EVENT: usize = 8192;

/// A watch, on a thread that sleeps until there is something; dropping it ends it.
pub struct Watch {
    changes: watch::Receiver<u64>,
    slow: Option<String>,
    /// Closed by the drop, which wakes the thread.
    _stop: UnixStream,
}

impl Watch {
    /// Starts to watch.
    ///
    /// # Errors
    /// The kernel gives no socket pair or no thread.
    pub fn start() -> io::Result<Self> {
        let (events, slow) = match listen() {
            Ok(events) => (Some(events), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self::over(events, slow)
    }

    fn over(events: Option<OwnedFd>, slow: Option<String>) -> io::Result<Self> {
        // A table that is not there, as in a sandbox without /proc, only costs the live view of mounts.
        let table = File::open("/proc/self/mountinfo").ok();
        let (stop, stopped) = UnixStream::pair()?;
        let (tell, changes) = watch::channel(0);
        let sources = Sources { stopped, events, table, names: names() };
        std::thread::Builder::new().name("media".to_owned()).spawn(move || sources.run(&tell))?;
        Ok(Self { changes, slow, _stop: stop })
    }

    /// Why devices are looked at every two seconds instead of being told of, where that is so.
    pub fn slow(&self) -> Option<&str> {
        self.slow.as_deref()
    }

    /// Waits until something changed since the last call; changes that come together count once.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The thread is gone: nothing will come any more.
            std::future::pending::<()>().await;
        }
    }
}

struct Sources {
    stopped: UnixStream,
    events: Option<OwnedFd>,
    table: Option<File>,
    names: BTreeSet<OsString>,
}

fn listen() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    Ok(socket)
}

impl Sources {
    /// Until it is stopped, or cannot wait any more.
    fn run(mut self, tell: &watch::Sender<u64>) {
        let mut since: Option<Instant> = None;
        loop {
            let wait = match since {
                Some(since) => Some(QUIET.min(LATEST.saturating_sub(since.elapsed()))),
                None => self.events.is_none().then_some(SLOW),
            };
            let Some(came) = self.wait(wait) else { return };
            if came == Came::Change {
                since.get_or_insert_with(Instant::now);
            }
            if since.is_some_and(|since| came == Came::Nothing || since.elapsed() >= LATEST) {
                since = None;
                tell.send_modify(|count| *count += 1);
            }
        }
    }

    /// What came within a time, or ever; nothing when it is over.
    fn wait(&mut self, time: Option<Duration>) -> Option<Came> {
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let (table, events) = (self.table.as_ref(), self.events.as_ref());
        let mut polled = vec![PollFd::new(&self.stopped, PollFlags::IN)];
        // The table of mounts is urgent to read when it changed (proc(5)).
        polled.extend(table.map(|table| PollFd::from_borrowed_fd(table.as_fd(), PollFlags::PRI)));
        polled.extend(events.map(|events| PollFd::new(events, PollFlags::IN)));
        let count = match poll(&mut polled, time.as_ref()) {
            Err(Errno::INTR) => return Some(Came::Other),
            other => other.ok()?,
        };
        let ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        drop(polled);
        if ready[0] {
            return None;
        }
        let mounts = table.is_some() && ready[1];
        let device = match events {
            Some(events) => ready.last() == Some(&true) && has_block(events)?,
            None => self.renamed(),
        };
        Some(match count {
            _ if mounts || device => Came::Change,
            0 => Came::Nothing,
            _ => Came::Other,
        })
    }

    fn renamed(&mut self) -> bool {
        let now = names();
        let changed = self.names != now;
        self.names = now;
        changed
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Change,
    Other,
    Nothing,
}

/// Takes all events that are there; nothing when no more will come.
fn has_block(events: &OwnedFd) -> Option<bool> {
    let (mut buffer, mut found) = (vec![0; EVENT], false);
    loop {
        match recv(events, &mut buffer[..], RecvFlags::empty()) {
            Ok((_, length)) => found |= is_block(&buffer[..length.min(EVENT)]),
            Err(Errno::AGAIN) => return Some(found),
            Err(Errno::INTR) => {}
            // Events were lost: something changed.
            Err(Errno::NOBUFS) => found = true,
            Err(_) => return None,
        }
    }
}

/// Properties are `NAME=value`, each ended by a zero byte, after a header of the kernel's or of udev's.
fn is_block(event: &[u8]) -> bool {
    event.split(|&byte| byte == 0).any(|property| property == b"SUBSYSTEM=block")
}

/// Devices and partitions by name.
fn names() -> BTreeSet<OsString> {
    let entries = std::fs::read_dir(Path::new("/sys/class/block")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_events_of_block_devices_count() {
        let kernel = b"add@/devices/x/block/sdb\0ACTION=add\0DEVPATH=/devices/x/block/sdb\0SUBSYSTEM=block\0SEQNUM=7\0";
        let udev = b"libudev\0\xfe\xed\xca\xfe\x28\0\0\0ACTION=change\0SUBSYSTEM=block\0ID_FS_TYPE=vfat\0";
        assert!(is_block(kernel) && is_block(udev));
        assert!(!is_block(b"add@/devices/x\0SUBSYSTEM=usb\0NAME=x\0"));
        assert!(!is_block(b""));
    }

    #[tokio::test]
    async fn a_watch_that_must_look_itself_says_so_and_its_thread_ends_with_it() {
        let mut watch = Watch::over(None, Some("not permitted".to_owned())).unwrap();
        assert_eq!(watch.slow(), Some("not permitted"));
        let none = tokio::time::timeout(Duration::from_millis(20), watch.changed()).await;
        assert!(none.is_err());
        let mut changes = watch.changes.clone();
        drop(watch);
        let ended = async { while changes.changed().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
    }
}
