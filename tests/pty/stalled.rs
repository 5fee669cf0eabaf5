//! A terminal that is not read, as behind a line that hangs: the program goes on, hears signals, and shows what is so once it is read.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::rig::{TempRoot, wait_until};

/// A terminal that is read when a test says so, with the program in it.
struct Stalled {
    master: OwnedFd,
    child: Child,
}

impl Stalled {
    fn start(root: &TempRoot) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlift"));
        command.env_clear().env("HOME", root.path()).env("TERM", "xterm").env("LANG", "C.UTF-8");
        command.stdin(Stdio::from(slave.try_clone().unwrap()));
        command.stdout(Stdio::from(slave.try_clone().unwrap())).stderr(Stdio::from(slave));
        Self { master, child: command.spawn().unwrap() }
    }

    /// What it wrote and nobody read.
    fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.master).unwrap()
    }

    /// Has it draw all of its screen again and again, until the terminal takes no more.
    fn stall(&self) {
        wait_until("it draws", || self.unread() > 0);
        let (mut before, mut same) = (0, 0);
        wait_until("the terminal is full", || {
            // Each asks for all of the screen, some two thousand bytes.
            rustix::io::write(&self.master, &[0x0c; 5]).unwrap();
            same = if self.unread() == before { same + 1 } else { 0 };
            before = self.unread();
            same >= 20 && before > 3000
        });
    }

    /// Reads until the words were there.
    fn read_until(&self, words: &str) {
        let mut parser = vt100::Parser::new(24, 80, 0);
        wait_until(words, || {
            let mut buffer = [0; 4096];
            while self.unread() > 0 {
                let length = rustix::io::read(&self.master, &mut buffer).unwrap();
                parser.process(&buffer[..length]);
            }
            parser.screen().contents().contains(words)
        });
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until it ended by itself, and gives its code.
fn ended(child: &mut Child) -> Option<i32> {
    let mut ended = None;
    wait_until("it ended", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    ended.unwrap().code()
}

#[test]
fn a_terminal_that_is_not_read_keeps_no_signal_from_ending_the_program() {
    let root = TempRoot::new();
    let mut stalled = Stalled::start(&root);
    stalled.stall();
    let pid = Pid::from_child(&stalled.child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(ended(&mut stalled.child), Some(130));
}

#[test]
fn a_terminal_that_goes_before_it_was_read_ends_the_program_without_a_signal() {
    let root = TempRoot::new();
    let mut stalled = Stalled::start(&root);
    stalled.stall();
    // It is no controlling terminal, so that nobody is hung up.
    stalled.master = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
    assert_eq!(ended(&mut stalled.child), Some(130));
}

#[test]
fn a_terminal_that_goes_while_nothing_is_drawn_ends_the_program_too() {
    let root = TempRoot::new();
    let mut stalled = Stalled::start(&root);
    stalled.read_until("? help");
    stalled.master = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap();
    assert_eq!(ended(&mut stalled.child), Some(130));
}

#[test]
fn a_terminal_that_is_read_again_shows_what_was_done_meanwhile() {
    let root = TempRoot::new();
    let stalled = Stalled::start(&root);
    stalled.stall();
    // Typed blindly, as one does on a line that hangs.
    rustix::io::write(&stalled.master, b"b").unwrap();
    stalled.read_until("step 1/5 Images");
}
