//! The terminal while it is ours: raw mode and the other screen, given back on every way out, panics included.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use ratatui::Terminal;
use tokio::sync::mpsc::UnboundedSender;

use super::backend::Ansi;
use super::detect::{Env, size};
use super::line::{self, Line};
use super::msg::{Level, Msg};
use crate::domain::text;

/// Whether there is something to give back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Other screen, pasted text told from typed, cursor hidden.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[0m\x1b[2J\x1b[H";
/// The same backwards. Cleared first: the kernel's console has no other screen to leave.
const GIVE: &[u8] = b"\x1b[?1000l\x1b[?1006l\x1b[?2004l\x1b[0m\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l";

/// The terminal, taken; dropping it gives it back.
pub struct Taken {
    terminal: Terminal<Ansi<Line>>,
}

impl Taken {
    /// Takes it.
    ///
    /// # Errors
    /// Standard input or output is no terminal, or the kernel's.
    pub fn take(env: &Env) -> io::Result<Self> {
        crossterm::terminal::enable_raw_mode()?;
        TAKEN.store(true, SeqCst);
        on_panic();
        let mut backend = Ansi::new(Line::open(), measure(env));
        backend.raw(TAKE)?;
        Ok(Self { terminal: Terminal::new(backend)? })
    }

    /// Takes it once more, from whoever had it meanwhile; the next frame is to be drawn in full.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn again(&mut self) -> io::Result<()> {
        // That it is raw is kept in mind, and not looked at.
        crossterm::terminal::disable_raw_mode()?;
        crossterm::terminal::enable_raw_mode()?;
        TAKEN.store(true, SeqCst);
        self.raw(TAKE)
    }

    /// Draws one frame.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut ratatui::buffer::Buffer)) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame.buffer_mut())).map(drop)
    }

    /// Takes over another size and draws all of the next frame.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn resize(&mut self, size: (u16, u16)) -> io::Result<()> {
        self.terminal.backend_mut().resize(size);
        self.terminal.clear()
    }

    /// Writes bytes between frames.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.terminal.backend_mut().raw(bytes)
    }
}

impl Taken {
    /// Whether it did not read all of what was drawn yet.
    pub(super) fn is_behind(&self) -> bool {
        self.terminal.backend().out().is_behind()
    }

    /// Waits until it read all of that.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) async fn drained(&mut self) -> io::Result<()> {
        self.terminal.backend_mut().out_mut().drained().await
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// The size to draw in now.
pub fn measure(env: &Env) -> (u16, u16) {
    size(crossterm::terminal::size().ok(), env)
}

/// Gives the terminal back, once; best effort, as it may be gone.
pub fn give_back() {
    if TAKEN.swap(false, SeqCst) {
        line::make_room();
        let mut out = io::stdout();
        let _ = out.write_all(GIVE).and_then(|()| out.flush());
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Stops, with what runs for us, as Ctrl-Z of a shell does, until that has us go on. Where there is none the kernel passes
/// over it.
pub fn stand_still() {
    // Refused only where there is nothing to stop.
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
}

/// Says something on the terminal that was given back.
pub fn say(words: &str) {
    // Whoever cut the line reads nothing any more.
    let _ = writeln!(io::stderr(), "airlift: {}", text::shown(words));
}

/// Where panics of tasks are told.
static PANICS: OnceLock<UnboundedSender<Msg>> = OnceLock::new();

/// Has panics of tasks told as messages from now on.
pub fn tell_panics(tell: UnboundedSender<Msg>) {
    // The first one to listen stays; there is one workstation.
    let _ = PANICS.set(tell);
}

/// A panic is written to a terminal that can be read.
fn on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // A job's panic becomes its failure and is shown on the screen; the one of this thread ends everything.
            if std::thread::current().name() == Some("main") {
                give_back();
                before(info);
            } else {
                // Into the log of the workstation, which is what can be read while the screen is taken.
                let told = Msg::Said(Level::Fail, format!("a task crashed: {info}"));
                if let Some(tell) = PANICS.get() {
                    let _ = tell.send(told);
                }
            }
        }));
    });
}
