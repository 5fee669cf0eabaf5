//! The workstation: takes the terminal, then turns events into messages, messages into state, state into frames.

mod answers;
pub mod app;
pub mod assembly;
pub mod backend;
pub mod beside;
mod burst;
pub mod checked;
pub mod detect;
mod draw;
pub mod effects;
mod events;
mod find;
pub mod gap;
pub mod hints;
pub mod importing;
pub mod input;
mod job;
mod keep;
mod keys;
mod leaving;
mod line;
pub mod log;
pub mod medium;
pub mod model;
pub mod msg;
pub mod naming;
mod offer;
mod onto;
mod outcome;
mod parting;
pub mod picked;
pub mod place;
mod plain;
mod reply;
pub mod resume;
mod said;
pub mod screen;
pub mod terminal;
mod turn;
pub mod words;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::app::App;
use self::beside::{Beside, Joined};
use self::detect::{Caps, Env, detect};
use self::effects::Runner;
use self::effects::ends::Unsaved;
use self::events::Events;
use self::model::{Model, Settings};
use self::msg::{Effect, Msg};
use self::terminal::{Taken, measure};
use self::turn::Loop;
use crate::config::file::Config;
use crate::config::keymap::Keymap;
use crate::config::options::Options;
use crate::config::paths::Paths;
use crate::config::theme::{Depth, Theme};
use crate::config::themes;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, FileError, Kind};
use crate::engine::files::RealFiles;
use crate::failure::{Failure, exit_code};
use crate::widgets::look::Look;

/// A wait on the way out is said once it takes this long.
const NOTICE: Duration = Duration::from_millis(300);
/// How much less than keys everything else wants the processor (setpriority(2)).
const NICE: i32 = 10;

/// The whole workstation.
///
/// # Errors
/// It cannot start; the terminal is as it was.
pub fn main(options: &Options) -> Result<ExitCode, Failure> {
    let env = Env::read();
    let caps = detect(&env);
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !options.plain && !terminal {
        return Err(Failure::usage("the workstation needs a terminal")
            .hint("airlift --help lists the commands")
            .hint("airlift --plain asks on plain lines, also through a pipe"));
    }
    let plain = options.plain || !caps.screen;
    let mut set_up = set_up(options, caps)?;
    // Held until this is left. What cannot be held or read is told once the list is read or written.
    let mut begun = beside::begin(&RealFiles, &set_up.settings.paths).map_err(not_beside)?;
    let apart = begun.beside.take().map(|(work, beside)| {
        set_up.settings.paths = set_up.settings.paths.clone().working_in(work);
        beside
    });
    let failed = |error| Failure::usage(format!("cannot start the runtime: {error}"));
    let mut jobs = tokio::runtime::Builder::new_multi_thread();
    let jobs = jobs.enable_all().on_thread_start(stand_back).build().map_err(failed)?;
    // Of its own, so that a key waits for no lock of a runtime whose threads have to wait for the processor.
    let keys = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (tell, told) = unbounded_channel();
    let runner = {
        let _inside = jobs.enter();
        Runner::new(tell.clone(), set_up.settings.clone(), JobCtx::silent())
    };
    listen(&jobs, &runner, &tell).map_err(|error| Failure::usage(format!("cannot hear signals: {error}")))?;
    let talk = Talk { runner, tell, told };
    let left = keys.block_on(run((set_up, apart, begun.joined), &env, plain, talk));
    if !plain {
        terminal::give_back();
    }
    jobs.shutdown_background();
    left.map_err(|error| Failure::usage(format!("the terminal failed: {error}")))
}

/// Another workstation has the list, and this one cannot begin one of its own.
fn not_beside(error: FileError) -> Failure {
    let reason = EngineError::from(error).message();
    let words = format!("another workstation has the list, and none can be begun beside it: {reason}");
    Failure::new(Kind::Locked, words)
        .hint("leave the other one, or mend what keeps this one from a place of its own")
}

/// Jobs leave the processor to the thread that answers keys, which is not one of the runtime's.
fn stand_back() {
    // Refused nowhere; and were it, keys would only be answered later.
    let _ = rustix::process::setpriority_process(None, NICE);
}

struct SetUp {
    settings: Settings,
    look: Look,
    keymap: Keymap,
    themes: Vec<Theme>,
    mouse: bool,
    caps: Caps,
}

fn set_up(options: &Options, caps: Caps) -> Result<SetUp, Failure> {
    let usage = |error: &dyn std::error::Error| Failure::usage(error.to_string());
    let paths = Paths::from_env().map_err(|error| usage(&error))?;
    let file = options.config.clone().unwrap_or_else(|| paths.config_file());
    let (config, keymap) =
        Config::load(&file, options.config.is_some(), paths.config_dir(), crate::engine::registry::faults)
            .map_err(|error| usage(&error))?;
    let mut themes = themes::own(paths.config_dir()).map_err(|error| usage(&error))?;
    // A file is looked for where it was named: on the command line, or in the configuration.
    let (name, from) = match (&options.theme, &config.theme) {
        (Some(name), _) => (name.as_str(), Path::new("")),
        (None, Some(name)) => (name.as_str(), file.parent().unwrap_or_else(|| Path::new(""))),
        (None, None) => ("default", Path::new("")),
    };
    let theme = themes::choose(name, from, &mut themes).map_err(|error| usage(&error))?;
    let depth = match options.color {
        Some(false) => Depth::None,
        Some(true) if caps.depth == Depth::None => Depth::Sixteen,
        _ => caps.depth,
    };
    let unicode = caps.unicode && !options.ascii && !config.ascii.unwrap_or(false);
    Ok(SetUp {
        settings: Settings {
            paths,
            registry: options.registry.clone().or(&config.registry(&file)),
            configured: if options.config.is_none() { config.registry(&file) } else { Default::default() },
            home: std::env::home_dir(),
            zone: jiff::tz::TimeZone::system(),
            host: crate::engine::media::Host::default(),
        },
        look: Look { theme, depth, unicode },
        keymap,
        themes,
        mouse: config.mouse,
        caps,
    })
}

/// Has changes of the host and signals told.
fn listen(jobs: &Runtime, runner: &Runner, tell: &UnboundedSender<Msg>) -> io::Result<()> {
    let _inside = jobs.enter();
    let watching = runner.clone();
    jobs.spawn(async move { tokio::join!(watching.watch_media(), watching.watch_host()) });
    let signals: [(SignalKind, fn() -> Msg); 5] = [
        // Measured where it is taken in.
        (SignalKind::window_change(), || Msg::Resize(0, 0)),
        (SignalKind::terminate(), || Msg::Terminate),
        (SignalKind::hangup(), || Msg::Lost),
        (SignalKind::interrupt(), || Msg::Interrupt),
        (SignalKind::from_raw(Signal::CONT.as_raw()), || Msg::Continued),
    ];
    for (kind, msg) in signals {
        let (mut stream, tell) = (signal(kind)?, tell.clone());
        jobs.spawn(async move {
            while stream.recv().await.is_some() {
                let _ = tell.send(msg());
            }
        });
    }
    Ok(())
}

/// What does things outside, and what it says.
struct Talk {
    runner: Runner,
    tell: UnboundedSender<Msg>,
    told: UnboundedReceiver<Msg>,
}

async fn run(
    (set_up, apart, joined): (SetUp, Option<Beside>, Joined),
    env: &Env,
    plain: bool,
    talk: Talk,
) -> io::Result<ExitCode> {
    let Talk { runner, tell, told } = talk;
    let mut model = Model::new(set_up.settings, jiff::Timestamp::now());
    model.beside = apart;
    model.cwd = std::env::current_dir().unwrap_or(model.cwd);
    let mut app = App::new(model, set_up.look, set_up.keymap, measure(env));
    app.themes = set_up.themes;
    app.begins_with(joined);
    app.no_color = no_color(env, plain, app.look.depth);
    if plain {
        app.look = Look { depth: Depth::None, unicode: false, ..app.look };
        return Ok(ExitCode::from(Box::pin(plain::run(app, runner, told)).await));
    }
    app.no_copy = (!set_up.caps.clipboard).then_some("this terminal has no clipboard; select it by hand");
    terminal::tell_panics(tell);
    let screen = Taken::take(env)?;
    let mut workstation = Loop::new(app, runner, screen, &set_up.caps);
    let mut first = workstation.app.begin();
    if set_up.mouse {
        workstation.app.mouse = true;
        first.push(Effect::Mouse(true));
    }
    workstation.effects(first);
    workstation.turn(Events::of_terminal()?, told, env).await;
    let Loop { runner, screen, mut app, lost, .. } = workstation;
    let written = leave(|| drop(screen), runner.written(), |unsaved| app.lost(unsaved), terminal::say).await;
    left(&mut app, &runner).await;
    app.farewell().iter().chain(&app.parting()).for_each(|words| terminal::say(words));
    let stopped = lost || app.was_terminated();
    Ok(ExitCode::from(ended(&app, stopped, written)))
}

/// The exit code: what is lost is no success, unless it was saved in another place; nor is what a job did not do.
fn ended(app: &App, stopped: bool, written: Result<(), Unsaved>) -> u8 {
    match written.err().and_then(|unsaved| unsaved.list) {
        _ if stopped => exit_code(Kind::Interrupted),
        Some(failure) if !app.saved_elsewhere() => failure.exit(),
        _ => app.model.unwell.code(),
    }
}

/// Looks for what a pack left that did not come to its end: that names what goes on with it.
async fn left(app: &mut App, runner: &Runner) {
    if app.left_a_pack()
        && let Some(found) = runner.cut_off().await
    {
        let at = app.model.at;
        app.update(at, jiff::Timestamp::now(), found);
    }
}

/// Why no colours are drawn, where there are none.
const fn no_color(env: &Env, plain: bool, depth: Depth) -> Option<&'static str> {
    match depth {
        _ if plain => Some("plain lines have no colours"),
        Depth::None if env.no_color => Some("NO_COLOR is set"),
        Depth::None => Some("no colours are drawn here"),
        _ => None,
    }
}

/// The way out. The terminal is given back first: a disk that does not answer is waited for where that can be read.
async fn leave(
    give_back: impl FnOnce(),
    written: impl Future<Output = Result<(), Unsaved>>,
    lost: impl Fn(&Unsaved) -> Vec<String>,
    say: impl Fn(&str),
) -> Result<(), Unsaved> {
    give_back();
    tokio::pin!(written);
    let outcome = match tokio::time::timeout(NOTICE, &mut written).await {
        Ok(outcome) => outcome,
        Err(_) => {
            say("files are still being written; waiting up to 5 s for the disk");
            written.await
        }
    };
    if let Err(unsaved) = &outcome {
        lost(unsaved).iter().for_each(|words| say(words));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn the_terminal_is_given_back_before_a_slow_disk_is_waited_for() {
        for (slow, outcome, expected) in [
            (false, Ok(()), &["given back", "written"][..]),
            (true, Ok(()), &["given back", "still being written", "written"]),
            (
                true,
                Err(Unsaved { words: "lost".to_owned(), list: None }),
                &["given back", "still being written", "written", "lost"],
            ),
        ] {
            let order = RefCell::new(Vec::new());
            // The disk answers once it was said that it is waited for.
            let said = tokio::sync::Notify::new();
            let written = async {
                if slow {
                    said.notified().await;
                }
                order.borrow_mut().push("written".to_owned());
                outcome
            };
            let say = |words: &str| {
                order.borrow_mut().push(words.to_owned());
                said.notify_one();
            };
            let lost = |unsaved: &Unsaved| vec![unsaved.words.clone()];
            let left = leave(|| order.borrow_mut().push("given back".to_owned()), written, lost, say).await;
            assert_eq!(left.is_err(), expected.contains(&"lost"));
            let order = order.into_inner();
            let same = order.iter().zip(expected).all(|(words, expected)| words.contains(expected));
            assert!(same && order.len() == expected.len(), "{order:?}");
        }
    }
}
