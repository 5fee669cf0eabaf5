//! The turn of the workstation: a key, an answer or a clock's tick; what becomes of it; a frame. Nothing here waits for a disk,
//! a job, or a terminal that is not read.

use std::time::{Duration, Instant};

use base64::Engine;
use tokio::sync::mpsc::UnboundedReceiver;

use super::app::App;
use super::burst;
use super::detect::{Caps, Env};
use super::effects::Runner;
use super::events::Events;
use super::input;
use super::msg::{Effect, Msg};
use super::terminal::{self, Taken, measure};

/// While something moves, the clock on the screen goes on this often.
const TICK: Duration = Duration::from_millis(250);
/// Messages that are taken in before a frame is drawn at the latest.
const BATCH: usize = 256;

/// The workstation as it runs.
pub(super) struct Loop {
    pub(super) app: App,
    pub(super) runner: Runner,
    pub(super) screen: Taken,
    began: Instant,
    /// A slow terminal: what only a job changed is drawn once a tick.
    slow: bool,
    drawn: Instant,
    /// Whether a frame was put off.
    stale: bool,
    /// How long what may come with a single key is waited for.
    gap: Duration,
    leaving: bool,
    /// The terminal is gone: nothing is drawn any more.
    pub(super) lost: bool,
}

impl Loop {
    /// Over a terminal that was taken.
    pub(super) fn new(app: App, runner: Runner, screen: Taken, caps: &Caps) -> Self {
        Self {
            app,
            runner,
            screen,
            began: Instant::now(),
            slow: caps.slow,
            drawn: Instant::now(),
            stale: false,
            gap: if caps.clipboard { Duration::ZERO } else { burst::ALONE },
            leaving: false,
            lost: false,
        }
    }

    /// Until it is left, after what is to be done first.
    pub(super) async fn turn(&mut self, mut events: Events, mut told: UnboundedReceiver<Msg>, env: &Env) {
        let mut listening = true;
        self.frame();
        while !self.over() {
            let moves = self.app.moves() || self.stale;
            let mut pressed = false;
            let msg = tokio::select! {
                biased;
                event = events.next(), if listening => match event {
                    Some(Ok(event)) => {
                        pressed = true;
                        input::message(event)
                    }
                    // The line is cut: the job is stopped safely, then we leave.
                    Some(Err(_)) | None => {
                        (listening, self.lost) = (false, true);
                        Some(Msg::Lost)
                    }
                },
                msg = told.recv() => msg,
                drained = self.screen.drained(), if self.screen.is_behind() && !self.lost => {
                    self.lost |= drained.is_err();
                    None
                }
                () = tokio::time::sleep(TICK), if moves => Some(Msg::Tick),
            };
            let msgs: Vec<Msg> = match msg {
                Some(Msg::Key(key))
                    if pressed && burst::character(key).is_some() && !self.app.is_secret() =>
                {
                    let (keys, after) = burst::gather(key, self.gap, &mut events).await;
                    self.lost |= matches!(after, Some(Msg::Lost));
                    // What came meanwhile is there before the keys are judged.
                    self.told(&mut told, env);
                    let pasted =
                        burst::pasted(&keys, self.app.is_typing()).map(|text| Msg::Burst(text.into()));
                    let keys =
                        keys.into_iter().filter(|_| pasted.is_none()).map(Msg::Key).collect::<Vec<_>>();
                    pasted.into_iter().chain(keys).chain(after).collect()
                }
                msg => msg.into_iter().collect(),
            };
            msgs.into_iter().for_each(|msg| self.take(msg, env));
            self.told(&mut told, env);
            self.stale = self.slow && !pressed && self.drawn.elapsed() < TICK;
            if !self.stale {
                self.frame();
            }
            // A terminal that is gone is not always told by a signal: one that is not ours to be hung up with, above all.
            if self.lost && listening {
                listening = false;
                self.take(Msg::Lost, env);
            }
        }
    }

    /// Takes what jobs and look-ups said, so much at once that keys never wait for long.
    fn told(&mut self, told: &mut UnboundedReceiver<Msg>, env: &Env) {
        for _ in 0..BATCH {
            let Ok(msg) = told.try_recv() else { break };
            self.take(msg, env);
        }
    }

    /// Left only when nothing runs any more.
    fn over(&self) -> bool {
        self.leaving && (self.app.model.running().is_none() || self.app.was_abandoned())
    }

    fn take(&mut self, msg: Msg, env: &Env) {
        let msg = match msg {
            Msg::Resize(..) | Msg::Continued => {
                if matches!(msg, Msg::Continued) {
                    self.take_again();
                }
                let (columns, rows) = measure(env);
                self.lost |= self.screen.resize((columns, rows)).is_err();
                Msg::Resize(columns, rows)
            }
            msg => msg,
        };
        let effects = self.app.update(self.began.elapsed(), jiff::Timestamp::now(), msg);
        self.effects(effects);
    }

    fn frame(&mut self) {
        // What is not read yet is not added to: the next frame is of what is so by then.
        self.stale = self.screen.is_behind();
        if !self.lost && !self.stale {
            let app = &mut self.app;
            self.drawn = Instant::now();
            self.lost = self.screen.draw(|buffer| app.draw(buffer)).is_err();
        }
    }

    /// Does what is asked for.
    pub(super) fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Some(effect) = self.runner.carry_out(effect) else { continue };
            match effect {
                Effect::Copy(text) => self.copy(&text),
                Effect::Mouse(on) => self.mouse(on),
                Effect::Suspend => {
                    terminal::give_back();
                    terminal::stand_still();
                    // Where nobody could have us go on, the kernel does not stop us, and no signal comes.
                    self.take_again();
                    let size = self.app.size();
                    self.lost |= self.screen.resize(size).is_err();
                }
                Effect::Redraw => {
                    let size = self.app.size();
                    self.lost |= self.screen.resize(size).is_err();
                }
                Effect::Quit => self.leaving = true,
                _ => {}
            }
        }
    }

    /// Somebody else had the terminal, and left it as it pleases.
    fn take_again(&mut self) {
        self.lost |= self.screen.again().is_err();
        if self.app.mouse {
            self.mouse(true);
        }
    }

    fn mouse(&mut self, on: bool) {
        let bytes: &[u8] = if on { b"\x1b[?1000h\x1b[?1006h" } else { b"\x1b[?1006l\x1b[?1000l" };
        self.lost |= self.screen.raw(bytes).is_err();
    }

    /// By OSC 52; terminals that do not know it pass over it.
    fn copy(&mut self, text: &str) {
        let coded = base64::engine::general_purpose::STANDARD.encode(text);
        self.lost |= self.screen.raw(format!("\x1b]52;c;{coded}\x07").as_bytes()).is_err();
    }
}
