//! The lines of standard input, and a terminal that does not show them while a passphrase is typed.

use std::io::{self, BufRead, IsTerminal, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc::{Receiver, channel};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a line that are reserved at once, so that a passphrase leaves no copies behind.
const LINE: usize = 1024;
/// Bytes after which a line is taken for two.
const LONGEST: u64 = 64 * 1024;

/// The lines of standard input as they come; the channel closes at its end. Where a passphrase is typed on a terminal,
/// its end is an empty line, once.
pub(super) fn lines(secret: Arc<AtomicBool>) -> Receiver<Zeroizing<String>> {
    // One is read ahead, however many there are.
    let (send, lines) = channel(1);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let terminal = input.is_terminal();
        let mut line = Zeroizing::new(Vec::with_capacity(LINE));
        while let Ok(length) = input.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            if length == 0 && !(terminal && secret.swap(false, SeqCst)) {
                return;
            }
            let text =
                Zeroizing::new(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned());
            line.zeroize();
            if send.blocking_send(text).is_err() {
                return;
            }
        }
    });
    lines
}

/// Hides what is typed while it is there.
pub(super) struct Hidden(Termios);

impl Hidden {
    /// Nothing where it is no terminal.
    pub(super) fn begin() -> Option<Self> {
        let input = io::stdin();
        if !input.is_terminal() {
            return None;
        }
        let before = tcgetattr(&input).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Now, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
