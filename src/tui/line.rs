//! Bytes on their way to the terminal: one that is not read, as behind a line that hangs, holds nothing up.

use std::io::{self, Stdout, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush, ttyname};
use tokio::net::unix::pipe::Sender;

/// How long the way out waits for a terminal that is not read.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The terminal of standard output; what it does not take at once is kept.
pub(super) struct Line {
    out: Out,
    kept: Vec<u8>,
}

enum Out {
    /// Opened once more: what does not wait on this one still waits for the shell, which has standard output, too. It is no
    /// pipe; nothing else that is waited for takes any file.
    Own(Sender),
    /// A terminal that we may not open, as after su(1): as slow as it is.
    Shared(Stdout),
}

impl Line {
    /// Inside of a runtime.
    pub(super) fn open() -> Self {
        let out = own().map_or_else(|_| Out::Shared(io::stdout()), Out::Own);
        Self { out, kept: Vec::new() }
    }

    /// Whether something was not taken yet.
    pub(super) const fn is_behind(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Waits until all of it was taken.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) async fn drained(&mut self) -> io::Result<()> {
        while self.is_behind() {
            let Out::Own(own) = &self.out else { break };
            own.writable().await?;
            match own.try_write(&self.kept) {
                Ok(taken) => drop(self.kept.drain(..taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        self.flush()
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Hands on what is taken without waiting.
    fn flush(&mut self) -> io::Result<()> {
        while self.is_behind() {
            let taken = match &mut self.out {
                Out::Own(own) => match rustix::io::write(&*own, &self.kept) {
                    Err(Errno::AGAIN) => break,
                    Err(Errno::INTR) => continue,
                    taken => taken?,
                },
                Out::Shared(stdout) => {
                    stdout.write_all(&self.kept)?;
                    stdout.flush()?;
                    self.kept.len()
                }
            };
            self.kept.drain(..taken);
        }
        Ok(())
    }
}

/// The same terminal as standard output's, by a description of its own.
fn own() -> io::Result<Sender> {
    let stdout = io::stdout();
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let own = rustix::fs::open(ttyname(&stdout, Vec::new())?, flags, Mode::empty())?;
    if rustix::fs::fstat(&own)?.st_rdev != rustix::fs::fstat(&stdout)?.st_rdev {
        return Err(io::ErrorKind::NotFound.into());
    }
    Sender::from_owned_fd_unchecked(own)
}

/// Before something is written to standard output that may wait: a terminal that is not read loses what it has not read.
pub(super) fn make_room() {
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::OUT)];
    if poll(&mut asked, Some(&PATIENCE)).is_ok_and(|ready| ready == 0) {
        // Refused by what is no terminal any more, which holds nothing up either.
        let _ = tcflush(&stdout, QueueSelector::OFlush);
    }
}
