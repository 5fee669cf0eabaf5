//! The workstation on plain lines: what a screen would show as text, rows and operations by number or key, answers as lines.
//!
//! The state machine, the jobs and the key map are those of the screens. No escape sequence is ever written, so that
//! screen readers, `expect` and the oldest serial line can follow.

mod answer;
mod ended;
mod own;
mod print;
mod row;
mod settle;
mod typed;
mod words;

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use zeroize::Zeroizing;

use self::answer::{Prompt, Typed, is_of_a_list, typed};
use self::typed::{Hidden, lines};
use super::app::App;
use super::effects::Runner;
use super::msg::{Effect, Level, Msg, Query};
use crate::config::key::{Code, Key};
use crate::domain::progress::Phase;

/// With nothing new for this long a changed state is printed.
const QUIET: Duration = Duration::from_millis(150);
/// A prompt that is owed is printed after this time, however much goes on.
const OWED: Duration = Duration::from_secs(1);
/// Lines from a pipe wait for an answer to what was looked up this long.
const LOOK: Duration = Duration::from_secs(20);
/// While something changes by time alone it is looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// Leaves what is open.
const ESC: Msg = Msg::Key(Key::plain(Code::Esc));
/// On a terminal, what is pasted comes line after line within this time.
const PASTED: Duration = Duration::from_millis(30);

/// Runs it on standard input and output until it is left; its exit code, which is that of what was stopped where the lines
/// ended before all was answered.
pub(super) async fn run(app: App, runner: Runner, mut told: UnboundedReceiver<Msg>) -> u8 {
    let mut plain = Plain::new(app, runner);
    let first = plain.app.begin();
    plain.app.catch_up();
    plain.effects(first);
    let lines = lines(plain.secret.clone());
    plain.turn(&mut told, lines).await;
    let written = plain.runner.written().await;
    if let Err(unsaved) = &written {
        plain.app.lost(unsaved).iter().for_each(|words| super::terminal::say(words));
    }
    super::left(&mut plain.app, &plain.runner).await;
    [plain.app.farewell(), plain.app.parting()].concat().iter().for_each(|words| super::terminal::say(words));
    let stopped = !plain.well && (plain.lost || plain.app.was_terminated());
    super::ended(&plain.app, stopped, written)
}

struct Plain {
    app: App,
    runner: Runner,
    began: Instant,
    leaving: bool,
    lost: bool,
    /// Whether the lines ended where nothing was left to answer.
    well: bool,
    /// What was printed last.
    shown: String,
    /// The phase that was told of last, and when that was.
    phase: Option<(Phase, Duration)>,
    /// While a passphrase is typed.
    hidden: Option<Hidden>,
    /// Whether that is so, for the thread that reads.
    secret: Arc<AtomicBool>,
    /// Whether lines come from a pipe or a file: all of them may be there at once.
    piped: bool,
    /// What the prompt that was printed last asks for; nothing once a line answered it.
    offered: Option<Discriminant<Prompt>>,
    /// What each number meant when it was printed last.
    meanings: Vec<u64>,
    /// Lines that came with the one before them.
    ahead: VecDeque<Zeroizing<String>>,
    /// When that was answered.
    since: Instant,
    /// What is looked up and not yet known; of one kind, the answer to the latest counts.
    looks: Vec<Discriminant<Query>>,
}

impl Plain {
    fn new(mut app: App, runner: Runner) -> Self {
        app.number_rows();
        Self {
            app,
            runner,
            began: Instant::now(),
            leaving: false,
            lost: false,
            well: false,
            shown: String::new(),
            phase: None,
            hidden: None,
            secret: Arc::default(),
            piped: !io::stdin().is_terminal(),
            offered: None,
            meanings: Vec::new(),
            ahead: VecDeque::new(),
            since: Instant::now(),
            looks: Vec::new(),
        }
    }

    async fn turn(&mut self, told: &mut UnboundedReceiver<Msg>, mut lines: Receiver<Zeroizing<String>>) {
        let mut listening = true;
        self.settle(told).await;
        self.state(true);
        // Only what came, or what moves by itself, is worth waking up for.
        let mut due = Some(Instant::now() + QUIET);
        while !(self.leaving && (self.app.model.running().is_none() || self.app.was_abandoned())) {
            let ahead = if self.is_ready() { self.ahead.pop_front() } else { None };
            if let Some(line) = ahead {
                self.line(&line);
            }
            tokio::select! {
                line = lines.recv(), if listening && self.ahead.is_empty() && self.is_ready() => match line {
                    Some(line) => self.lines(line, &mut lines).await,
                    None => {
                        listening = false;
                        self.ended();
                    }
                },
                Some(msg) = told.recv() => self.take(msg),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                    self.take(Msg::Tick);
                    self.state(false);
                    let soon = self.is_owed().then(|| Instant::now() + QUIET);
                    let moves = self.app.moves() || !self.looks.is_empty();
                    due = soon.or_else(|| moves.then(|| Instant::now() + TICK));
                    continue;
                }
            }
            let quiet = Instant::now() + QUIET;
            due = Some(if self.is_owed() { quiet.min(self.since + OWED) } else { quiet });
        }
    }

    /// Whether what is asked for was not printed yet: a line would be an answer to something else.
    fn is_owed(&self) -> bool {
        self.offered != Some(discriminant(&self.app.prompt()))
    }

    /// Whether a line can be taken: each one answers one prompt, which was printed before. Lines that are there already wait
    /// for what the one before them began.
    fn is_ready(&self) -> bool {
        if self.is_owed() {
            return false;
        }
        let model = &self.app.model;
        let begun = model.running().is_some() || model.next.is_some() || model.assembly.due.is_some();
        let looks = !self.looks.is_empty() && self.since.elapsed() < LOOK;
        let waits = self.app.is_parting()
            || self.app.prompt() == Prompt::Wait
            || looks
            || (begun && !self.app.asks());
        !(self.piped && waits)
    }

    fn take(&mut self, msg: Msg) {
        match &msg {
            Msg::Said(Level::Warn | Level::Fail, words) => self.print(&format!("! {words}\n")),
            Msg::Ended(..) => self.phase = None,
            // Lines are as wide as they were begun.
            Msg::Resize(..) => return,
            Msg::Continued => return self.again(),
            Msg::Found(found) => {
                let answered = found.query();
                self.looks.retain(|look| Some(*look) != answered.as_ref().map(discriminant));
            }
            _ => {}
        }
        let interrupted = matches!(msg, Msg::Interrupt);
        let before = self.app.words.clone();
        let job = matches!(msg, Msg::Job(..) | Msg::Tick);
        let effects = self.app.update(self.began.elapsed(), jiff::Timestamp::now(), msg);
        self.app.catch_up();
        self.effects(effects);
        // The second one leaves, and what the first one said holds no longer.
        if let Some((words, _)) = self.app.words.clone().filter(|_| interrupted && self.app.words != before) {
            self.print(&format!("\n! {words}\n"));
        }
        if job {
            self.progress();
        }
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Ask(query) => self.looks.push(discriminant(query)),
                Effect::Leave(query) => self.looks.retain(|look| *look != discriminant(query)),
                _ => {}
            }
            match self.runner.carry_out(effect) {
                // What is to be copied stays in one piece.
                Some(Effect::Copy(text)) => self.write(&format!("{text}\n")),
                Some(Effect::Quit) => self.leaving = true,
                Some(Effect::Suspend) => super::terminal::stand_still(),
                _ => {}
            }
        }
    }

    /// The shell had the terminal meanwhile: what is asked for is printed again, and hidden again where it is secret.
    fn again(&mut self) {
        self.hidden = None;
        self.shown.clear();
        self.offered = None;
    }

    /// A line was typed. References that are pasted on a terminal are taken together.
    async fn lines(&mut self, line: Zeroizing<String>, lines: &mut Receiver<Zeroizing<String>>) {
        let (prompt, asked) = (self.app.prompt(), self.app.wants_references());
        let listed = |line: &str| match asked {
            true => !line.trim().is_empty() && !line.trim().eq_ignore_ascii_case("esc"),
            false => is_of_a_list(&prompt, line),
        };
        let mut pasted = vec![line];
        while !self.piped && listed(pasted.last().map_or("", |line| line)) {
            let Ok(Some(next)) = tokio::time::timeout(PASTED, lines.recv()).await else { break };
            pasted.push(next);
        }
        let count = pasted.iter().take_while(|line| listed(line)).count();
        if count < 2 {
            self.ahead.extend(pasted.drain(1..));
            return pasted.iter().for_each(|line| self.line(line));
        }
        self.ahead.extend(pasted.drain(count..));
        let text = pasted.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n");
        (self.offered, self.since) = (None, Instant::now());
        self.take(Msg::Paste(text.into()));
        if asked {
            self.take(Msg::Key(Key::plain(Code::Enter)));
        }
        self.shown.clear();
    }

    /// Whether a number of the line means another row or operation than it did when it was printed.
    fn is_outdated(&self, prompt: &Prompt, line: &str) -> bool {
        if !matches!(prompt, Prompt::Screen(_) | Prompt::One(_) | Prompt::Several(_)) {
            return false;
        }
        let now = self.app.meanings();
        let numbers = line.split([' ', ',']).filter_map(|word| word.parse::<usize>().ok()?.checked_sub(1));
        numbers.into_iter().any(|at| now.get(at) != self.meanings.get(at))
    }

    fn line(&mut self, line: &str) {
        self.hidden = None;
        self.secret.store(false, SeqCst);
        let prompt = self.app.prompt();
        (self.offered, self.since) = (None, Instant::now());
        if self.piped {
            // A terminal would have shown it.
            self.write(&format!("{}\n", if prompt == Prompt::Secret { "" } else { line }));
        }
        if self.is_outdated(&prompt, line) {
            self.print("the rows changed since they were printed; nothing was done\n");
            return self.shown.clear();
        }
        match typed(&prompt, line) {
            Typed::Messages(messages) => {
                messages.into_iter().for_each(|msg| self.take(msg));
                // A name that is not typed right leaves the question open.
                if prompt == Prompt::Name && self.app.prompt() == prompt {
                    self.take(ESC);
                    self.print("x wrong name; nothing was done\n");
                }
                self.own();
                if self.app.has_no_match() {
                    [Key::ctrl('e'), Key::ctrl('u')].into_iter().for_each(|key| self.take(Msg::Key(key)));
                    self.print(&format!("no row has {:?}; all are shown again\n", line.trim()));
                }
            }
            Typed::Row(row) => return self.row(row),
            Typed::Nothing(words) => self.print(&format!("{words}\n")),
        }
        self.shown.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keymap::Keymap;
    use crate::config::paths::Paths;
    use crate::config::theme::{Depth, Theme};
    use crate::domain::text;
    use crate::engine::ctx::JobCtx;
    use crate::engine::registry::RegistryOptions;
    use crate::tui::model::{Model, Place, Settings};
    use crate::widgets::look::Look;

    fn plain(dir: &std::path::Path) -> Plain {
        let settings = Settings {
            paths: Paths::new(dir.join("config"), dir.join("data")),
            registry: RegistryOptions::default(),
            configured: RegistryOptions::default(),
            home: None,
            zone: jiff::tz::TimeZone::UTC,
            host: crate::engine::media::Host::default(),
        };
        let (tell, _) = tokio::sync::mpsc::unbounded_channel();
        let runner = Runner::new(tell, settings.clone(), JobCtx::silent());
        let look = Look { theme: Theme::built_in("mono").unwrap(), depth: Depth::None, unicode: false };
        let model = Model::new(settings, jiff::Timestamp::UNIX_EPOCH);
        let mut plain = Plain::new(App::new(model, look, Keymap::default(), (80, 24)), runner);
        plain.piped = false;
        plain
    }

    fn cursor(plain: &Plain) -> Option<usize> {
        plain.app.screen().and_then(|screen| screen.view()).and_then(|list| list.row())
    }

    #[tokio::test]
    async fn a_number_never_means_what_was_not_printed() {
        let dir = tempfile::tempdir().unwrap();
        let mut plain = plain(dir.path());
        plain.take(Msg::Key(Key::char('b')));
        plain.take(Msg::Paste("b.example/one:1.0.0\nb.example/two:1.0.0".into()));
        plain.state(true);
        plain.line("2");
        assert_eq!(cursor(&plain), Some(1));
        // Two rows were printed, and then the operations: 3 is the first of those, until a third row comes unseen.
        let acts = plain.meanings.clone();
        plain.take(Msg::Paste("b.example/three:1.0.0".into()));
        for line in ["3", "4"] {
            plain.line(line);
            assert_eq!((cursor(&plain), plain.app.model.place), (Some(1), Place::Images), "{line}");
            assert!(!plain.app.asks() && plain.is_owed(), "{line} was taken, or all is not printed again");
            plain.offered = Some(discriminant(&plain.app.prompt()));
        }
        plain.state(true);
        assert_eq!(plain.meanings.len(), acts.len() + 1);
        plain.line("3");
        assert_eq!(cursor(&plain), Some(2));
    }

    #[tokio::test]
    async fn the_number_of_a_row_does_what_is_said_above_the_rows() {
        let dir = tempfile::tempdir().unwrap();
        for (row, place) in [("1", Place::Images), ("2", Place::Bundle)] {
            let mut plain = plain(dir.path());
            let host = crate::engine::host::HostFacts::default();
            plain.take(Msg::Found(crate::tui::msg::Found::Host(Arc::new(host))));
            plain.state(true);
            assert!(
                plain.app.plain_text(true).contains("Type a number or a key, then Enter; Enter alone is ")
            );
            plain.line(row);
            assert_eq!(plain.app.model.place, place, "a door is gone through");
        }
        let mut plain = plain(dir.path());
        plain.take(Msg::Key(Key::char('b')));
        plain.take(Msg::Paste("b.example/one:1.0.0\nb.example/two:1.0.0".into()));
        plain.state(true);
        assert!(plain.app.plain_text(true).contains("the number of a row only goes to it"));
        plain.line("2");
        assert_eq!((cursor(&plain), plain.app.model.place), (Some(1), Place::Images));
    }

    #[tokio::test]
    async fn a_sentence_that_names_a_step_has_the_words_that_are_typed_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut plain = plain(dir.path());
        plain.take(Msg::Key(Key::char('b')));
        for (step, words) in [
            ("step 2", "No images yet: step 1 fills the list"),
            ("step 4", "the list is empty: step 1 fills it"),
            ("step 5", "Nothing is packed yet: step 4 does that."),
        ] {
            plain.state(true);
            plain.line(step);
            let text = plain.app.plain_text(true);
            assert!(text.contains(words), "{step}: {text}");
        }
    }

    #[tokio::test]
    async fn what_is_said_of_rows_that_were_dropped_is_folded_at_80_columns_and_nothing_of_it_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let name =
            |of: &str| format!("registry.example.com/some/team/quite/long/application-{of}:1.0.5-alpine3.19");
        let names = ["one", "two", "three"].map(name);
        let mut plain = plain(dir.path());
        plain.take(Msg::Key(Key::char('b')));
        plain.take(Msg::Paste(names.join("\n").into()));
        let said = |plain: &mut Plain, keys: &str| {
            keys.chars().for_each(|key| plain.take(Msg::Key(Key::char(key))));
            let text = plain.app.plain_text(true);
            assert!(text.lines().all(|line| text::width(line) <= 80), "{text}");
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let one = said(&mut plain, "D");
        assert!(one.contains(&format!("off the list, u brings it back: {} Type", names[0])), "{one}");
        let back = said(&mut plain, "u");
        let undone = plain.app.words.as_ref().map(|(words, _)| words.clone()).unwrap();
        assert!(undone.contains(&names[0]) && back.contains(&format!("{undone} Type")), "{back}");
        let all = said(&mut plain, "aD");
        let words = "3 off the list, u brings them back: application-one:1.0.5-alpine3.19, \
                     application-two:1.0.5-alpine3.19 and 1 more Type";
        assert!(all.contains(words), "{all}");
    }

    #[tokio::test]
    async fn what_no_row_has_is_the_answer_of_a_chooser_that_takes_it_and_what_it_refuses_leaves_all_rows() {
        let dir = tempfile::tempdir().unwrap();
        let mut plain = plain(dir.path());
        plain.take(Msg::Key(Key::char('b')));
        plain.take(Msg::Key(Key::char('k')));
        plain.state(true);
        let rows = plain.meanings.len();
        assert!(rows > 1 && plain.app.plain_text(true).contains("or what no row has, in full"), "{rows}");
        plain.line("zzz");
        plain.state(true);
        assert_eq!((plain.meanings.len(), plain.app.asks()), (rows, true), "it is refused");
        plain.line("v9.99.0");
        let taken = matches!(plain.app.dialogs.last(), Some(crate::dialogs::Dialog::Wait(_)));
        assert!(taken, "{}", plain.app.plain_text(true));
    }

    #[tokio::test]
    async fn a_pasted_list_is_taken_at_once_and_what_is_no_reference_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut plain = plain(dir.path());
        plain.take(Msg::Key(Key::char('b')));
        plain.state(true);
        let (send, mut lines) = tokio::sync::mpsc::channel(8);
        for line in ["b.example/two:1", "redis", "?"] {
            send.send(Zeroizing::new(line.to_owned())).await.unwrap();
        }
        plain.lines(Zeroizing::new("b.example/one:1".to_owned()), &mut lines).await;
        assert_eq!(plain.app.model.picked.images.len(), 3);
        assert_eq!(plain.app.words.as_ref().map(|(words, _)| words.as_str()), Some("3 added"));
        assert_eq!(plain.ahead.iter().map(|line| line.as_str()).collect::<Vec<_>>(), ["?"]);
        for line in ["yes", "redis"] {
            plain.state(true);
            plain.line(line);
            assert_eq!(plain.app.model.picked.images.len(), 3, "{line}");
        }
    }
}
