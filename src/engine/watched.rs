//! Watches directories by inotify(7) and the network by rtnetlink(7): tells when something in one of them came, went or was
//! written, or when a link, an address or a route changed.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use tokio::sync::watch;

/// Files are written in several steps; they are over when nothing came for this long.
const QUIET: Duration = Duration::from_millis(150);

/// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR and RTMGRP_IPV6_ROUTE.
const NETWORK: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// A watch, on a thread that sleeps until there is something; dropping it ends it.
#[derive(Debug)]
pub struct Watched {
    changes: watch::Receiver<u64>,
    /// Closed by the drop, which wakes the thread.
    _stop: UnixStream,
}

impl Watched {
    /// Watches the network, and directories without what is below them. Of one that is not there yet, the nearest one
    /// above it is watched until it is.
    ///
    /// # Errors
    /// The kernel gives no more watches, no socket pair or no thread.
    pub fn start(directories: Vec<PathBuf>) -> io::Result<Self> {
        let events = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let (stop, stopped) = UnixStream::pair()?;
        let (tell, changes) = watch::channel(0);
        // A sandbox may refuse it; what can be told is told all the same.
        let network = network().ok();
        let mut sources = Sources { events, network, stopped, directories, watches: BTreeSet::new() };
        sources.renew();
        std::thread::Builder::new().name("host".to_owned()).spawn(move || sources.run(&tell))?;
        Ok(Self { changes, _stop: stop })
    }

    /// Waits for a change since the last call; changes that come together count once.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The thread is gone: nothing will come any more.
            std::future::pending::<()>().await;
        }
    }
}

/// NETLINK_ROUTE is the protocol of number 0.
fn network() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, NETWORK))?;
    Ok(socket)
}

struct Sources {
    events: OwnedFd,
    network: Option<OwnedFd>,
    stopped: UnixStream,
    directories: Vec<PathBuf>,
    watches: BTreeSet<i32>,
}

impl Sources {
    /// Until it is stopped, or cannot wait any more.
    fn run(mut self, tell: &watch::Sender<u64>) {
        let mut due = false;
        while let Some(came) = self.wait(due.then_some(QUIET)) {
            if due && !came {
                tell.send_modify(|count| *count += 1);
            }
            if came {
                self.renew();
            }
            due = came;
        }
    }

    /// Whether something came within a time, or ever; nothing when it is over. Which events they are does not matter.
    fn wait(&self, time: Option<Duration>) -> Option<bool> {
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        let told: Vec<&OwnedFd> = std::iter::once(&self.events).chain(&self.network).collect();
        let mut polled = vec![PollFd::new(&self.stopped, PollFlags::IN)];
        polled.extend(told.iter().map(|events| PollFd::new(*events, PollFlags::IN)));
        match poll(&mut polled, time.as_ref()) {
            Err(Errno::INTR) => return Some(true),
            other => other.ok()?,
        };
        let ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        for (events, _) in told.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            drain(events)?;
        }
        (!ready[0]).then_some(ready[1..].contains(&true))
    }

    fn renew(&mut self) {
        let now: BTreeSet<i32> =
            self.directories.iter().filter_map(|directory| self.watch(directory)).collect();
        for old in self.watches.difference(&now) {
            // Gone with its directory, maybe.
            let _ = remove_watch(&self.events, *old);
        }
        self.watches = now;
    }

    fn watch(&self, directory: &Path) -> Option<i32> {
        let comes = WatchFlags::CREATE | WatchFlags::MOVED_TO;
        let all = comes | WatchFlags::MOVED_FROM | WatchFlags::DELETE | WatchFlags::CLOSE_WRITE;
        let deepest = || directory.ancestors().find(|above| above.is_dir());
        loop {
            let found = deepest()?;
            let flags = WatchFlags::ONLYDIR | if found == directory { all } else { comes };
            let watch = add_watch(&self.events, found, flags).ok()?;
            // What was made in between made no event.
            if deepest() == Some(found) {
                return Some(watch);
            }
        }
    }
}

/// Takes all events that are there; nothing when no more will come.
fn drain(events: &OwnedFd) -> Option<()> {
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(events, &mut buffer) {
            // Events of the network that were lost: something changed.
            Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
            Err(Errno::AGAIN) => return Some(()),
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_that_come_and_go_are_told_also_in_a_directory_that_is_made_later() {
        let top = tempfile::tempdir().unwrap();
        let directory = top.path().join("a/b/c");
        let mut watched = Watched::start(vec![directory.clone()]).unwrap();
        let patience = Duration::from_secs(5);
        std::fs::create_dir_all(&directory).unwrap();
        for change in 0..3 {
            if change == 1 {
                std::fs::write(directory.join("key"), "1").unwrap();
            } else if change == 2 {
                std::fs::remove_file(directory.join("key")).unwrap();
            }
            tokio::time::timeout(patience, watched.changed()).await.unwrap();
            // The end of the watch above it is an event, too.
            while tokio::time::timeout(QUIET, watched.changed()).await.is_ok() {}
        }
        std::fs::write(top.path().join("beside"), "").unwrap();
        let more = tokio::time::timeout(2 * QUIET, watched.changed()).await;
        assert!(more.is_err(), "what is made above it does not matter any more");
    }
}
