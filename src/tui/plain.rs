//! The workstation on plain lines: what a screen would show as text, rows and operations by number or key, answers as lines.
//!
//! The state machine, the jobs and the key map are those of the screens. No escape sequence is ever written, so that
//! screen readers, `expect` and the oldest serial line can follow.

mod answer;
mod words;

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zeroize::{Zeroize, Zeroizing};

use self::answer::{Prompt, Typed, typed};
use super::app::App;
use super::effects::Runner;
use super::msg::{Effect, Level, Msg};
use crate::config::key::{Code, Key};
use crate::domain::progress::Phase;

/// With nothing new for this long a changed state is printed.
const QUIET: Duration = Duration::from_millis(150);
/// While something changes by time alone it is looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// Bytes of a line that are reserved at once, so that a passphrase leaves no copies behind.
const LINE: usize = 1024;
/// Leaves what is open.
const ESC: Msg = Msg::Key(Key::plain(Code::Esc));
/// A job that goes on is told of this often.
const PROGRESS: Duration = Duration::from_secs(10);

/// Runs it on standard input and output until it is left; false where it was stopped from outside.
pub(super) async fn run(app: App, runner: Runner, mut told: UnboundedReceiver<Msg>) -> bool {
    let mut plain = Plain {
        app,
        runner,
        began: Instant::now(),
        leaving: false,
        lost: false,
        shown: String::new(),
        phase: None,
        hidden: None,
        secret: Arc::default(),
    };
    let first = plain.app.begin();
    plain.app.catch_up();
    plain.effects(first);
    let lines = lines(plain.secret.clone());
    plain.turn(&mut told, lines).await;
    if let Err(words) = plain.runner.written().await {
        super::terminal::say(&words);
    }
    !(plain.lost || plain.app.was_terminated())
}

/// The lines of standard input as they come; the channel closes at its end. Where a passphrase is typed on a terminal,
/// its end is an empty line, once.
fn lines(secret: Arc<AtomicBool>) -> UnboundedReceiver<Zeroizing<String>> {
    let (send, lines) = unbounded_channel();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let terminal = input.is_terminal();
        let mut line = Zeroizing::new(Vec::with_capacity(LINE));
        while let Ok(length) = input.read_until(b'\n', &mut line) {
            if length == 0 && !(terminal && secret.swap(false, SeqCst)) {
                return;
            }
            let text =
                Zeroizing::new(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned());
            line.zeroize();
            if send.send(text).is_err() {
                return;
            }
        }
    });
    lines
}

struct Plain {
    app: App,
    runner: Runner,
    began: Instant,
    leaving: bool,
    lost: bool,
    /// What was printed last.
    shown: String,
    /// The phase that was told of last, and when.
    phase: Option<(Phase, Instant)>,
    /// While a passphrase is typed.
    hidden: Option<Hidden>,
    /// Whether that is so, for the thread that reads.
    secret: Arc<AtomicBool>,
}

impl Plain {
    async fn turn(
        &mut self,
        told: &mut UnboundedReceiver<Msg>,
        mut lines: UnboundedReceiver<Zeroizing<String>>,
    ) {
        let mut listening = true;
        self.state(true);
        // Only what came, or what moves by itself, is worth waking up for.
        let mut due = Some(Instant::now() + QUIET);
        while !(self.leaving && (self.app.model.running().is_none() || self.app.was_abandoned())) {
            tokio::select! {
                line = lines.recv(), if listening => match line {
                    Some(line) => self.line(&line),
                    // Whoever typed is gone: the job is stopped safely, then we leave.
                    None => {
                        (listening, self.lost) = (false, !self.leaving);
                        self.take(Msg::Lost);
                    }
                },
                Some(msg) = told.recv() => self.take(msg),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    self.take(Msg::Tick);
                    self.state(false);
                    due = self.app.moves().then(|| Instant::now() + TICK);
                    continue;
                }
            }
            due = Some(Instant::now() + QUIET);
        }
    }

    fn take(&mut self, msg: Msg) {
        match &msg {
            Msg::Said(Level::Warn | Level::Fail, words) => self.print(&format!("! {words}\n")),
            Msg::Ended(..) => self.phase = None,
            _ => {}
        }
        let interrupted = matches!(msg, Msg::Interrupt);
        let job = matches!(msg, Msg::Job(..) | Msg::Tick);
        let effects = self.app.update(self.began.elapsed(), jiff::Timestamp::now(), msg);
        self.app.catch_up();
        self.effects(effects);
        if let (true, Some((words, _))) = (interrupted, self.app.words.clone()) {
            self.print(&format!("\n! {words}\n"));
        }
        if job {
            self.progress();
        }
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match self.runner.carry_out(effect) {
                Some(Effect::Copy(text)) => self.print(&format!("{text}\n")),
                Some(Effect::Quit) => self.leaving = true,
                _ => {}
            }
        }
    }

    /// A line was typed.
    fn line(&mut self, line: &str) {
        self.hidden = None;
        self.secret.store(false, SeqCst);
        let prompt = self.app.prompt();
        match typed(&prompt, line) {
            Typed::Messages(messages) => {
                messages.into_iter().for_each(|msg| self.take(msg));
                // A name that is not typed right leaves the question open.
                if prompt == Prompt::Name && self.app.prompt() == prompt {
                    self.take(ESC);
                    self.print("x that is not it; nothing was done\n");
                }
            }
            Typed::Row(row) => return self.row(row),
            Typed::Nothing(words) => self.print(&format!("{words}\n")),
        }
        self.shown.clear();
    }

    /// Goes to a row, and says it with what the screen tells of it and what can be done there; not all of the screen again.
    fn row(&mut self, row: usize) {
        let before = self.app.plain_text(false);
        self.app.select_row(row);
        self.shown = self.app.plain_text(false);
        let new = words::news(&before, &self.shown, row + 1);
        let menu = self.app.menu();
        self.print(&format!("\n{new}{menu}airlift> "));
    }

    /// How a job goes on: at each phase, and every now and then.
    fn progress(&mut self) {
        let Some(job) = self.app.model.running() else { return };
        let Some(view) = job.view.current() else { return };
        let due = self.phase.is_none_or(|(phase, at)| phase != view.phase || at.elapsed() >= PROGRESS);
        if due {
            let line = format!("... {}\n", view.line(self.app.model.at.saturating_sub(job.began)));
            self.phase = Some((view.phase, Instant::now()));
            self.print(&line);
        }
    }

    /// Prints where one is and what can be done, where that is new. A job that runs is told of by its progress.
    fn state(&mut self, first: bool) {
        if self.leaving {
            return;
        }
        let page = self.app.reads();
        let steady = self.app.plain_text(false);
        let busy = self.app.model.running().is_some() && !self.app.asks() && !self.shown.is_empty();
        if !first && (steady == self.shown || (busy && !page)) {
            return;
        }
        self.shown = steady;
        let text = self.app.plain_text(true);
        if page {
            self.print(&format!("\n{text}"));
            // It is read: nothing of it has to be answered.
            self.take(ESC);
            self.shown.clear();
            return;
        }
        if self.app.prompt() == Prompt::Secret {
            self.hidden = Hidden::begin();
            self.secret.store(true, SeqCst);
        }
        // At once, so that what is typed meanwhile never comes between.
        self.print(&format!("\n{text}airlift> "));
    }

    fn print(&mut self, words: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(ascii(words).as_bytes()).and_then(|()| out.flush());
        if written.is_err() && !self.lost {
            (self.lost, self.leaving) = (true, true);
            let effects = self.app.update(self.began.elapsed(), jiff::Timestamp::now(), Msg::Lost);
            drop(out);
            self.effects(effects);
        }
    }
}

/// Nothing but printable ASCII and line ends.
fn ascii(words: &str) -> String {
    let one = |c: char| match c {
        '\n' | ' '..='~' => c,
        '·' => ',',
        _ => '?',
    };
    words.chars().map(one).collect()
}

/// Hides what is typed while it is there.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Option<Self> {
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
