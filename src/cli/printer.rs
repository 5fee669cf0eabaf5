//! The only writer: data to stdout, words to stderr, untrusted text made safe, JSON as lines with one result at the end.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use indicatif::MultiProgress;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::{Color, Global};
use crate::domain::text;
use crate::engine::error::{FileError, Kind};
use crate::failure::Failure;

/// Longest single message, in characters; names of many kilobytes must not flood a terminal.
const MESSAGE: usize = 4000;

/// Writes for one run of the program.
pub struct Printer {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Columns of stdout when it is a terminal; tables are cut to it.
    columns: Option<usize>,
    color_err: bool,
    bars: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    report: Option<Value>,
    /// The first error of stdout; nothing is written to it afterwards.
    lost: Option<io::Error>,
}

/// A column's cells are at the left or the right of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

impl Printer {
    /// A printer for these flags and the process's own streams.
    pub fn new(global: &Global) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = io::stderr().is_terminal() && !dumb;
        let columns = io::stdout().is_terminal().then(|| usize::from(console_columns()));
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            columns,
            color_err: match global.color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => terminal && !no_color,
            },
            bars: (terminal && !global.plain && !global.quiet && !global.json).then(MultiProgress::new),
            state: Mutex::default(),
        }
    }

    /// Whether output is line-delimited JSON.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether progress and notes are unwanted.
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether what is only counted otherwise is to be named.
    pub const fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The place for progress bars, where there is one.
    pub const fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Data: one line to stdout, hostile characters made visible. Not for JSON runs: use [`Printer::report`].
    pub fn line(&self, line: impl AsRef<str>) {
        if !self.json {
            self.out(&format!("{}\n", text::shown(line.as_ref())));
        }
    }

    /// Data of our own making that is written as it is: scripts and documents.
    pub fn verbatim(&self, document: &str) {
        self.out(document);
    }

    /// Words for the operator: one line to stderr.
    pub fn note(&self, line: impl AsRef<str>) {
        if !self.quiet && !self.json {
            self.err(&format!("{}\n", safe(line.as_ref())));
        }
    }

    /// Something to act on: one line to stderr, also when quiet.
    pub fn warn(&self, line: impl AsRef<str>) {
        if !self.json {
            self.err(&format!("{} {}\n", self.paint("33;1", "warning:"), safe(line.as_ref())));
        }
    }

    /// A JSON event line; nothing otherwise.
    pub fn event(&self, event: &impl Serialize) {
        if self.json {
            self.json_line(event);
        }
    }

    /// The result of the command: `text` writes it for people, in a JSON run it becomes `report` of the result line.
    pub fn report(&self, report: &impl Serialize, text: impl FnOnce(&Self)) {
        if !self.json {
            text(self);
        } else if let (Ok(value), Ok(mut state)) = (serde_json::to_value(report), self.state.lock()) {
            state.report = Some(value);
        }
    }

    /// A table as data: columns as wide as their widest cell, cut where the terminal is too narrow.
    pub fn table(&self, header: &[(&str, Align)], rows: &[Vec<String>]) {
        if !self.json {
            self.out(&super::table::render(header, rows, self.columns));
        }
    }

    /// The first line of a JSON run.
    pub fn begin(&self, command: &str) {
        if self.json {
            self.json_line(&json!({ "airlift": 1, "command": command }));
        }
    }

    /// The last lines of a run; gives its exit code.
    pub fn finish(&self, outcome: Result<(), Failure>) -> u8 {
        let outcome = outcome.and_then(|()| self.flushed());
        if self.json {
            self.json_line(&self.result_line(outcome.as_ref().err()));
        }
        // A result line that stdout did not take is said where words go.
        let taken = self.flushed();
        let untold = !self.json || taken.is_err();
        match outcome.and(taken) {
            Ok(()) => 0,
            Err(failure) => {
                if untold {
                    self.fail(&failure);
                }
                failure.exit()
            }
        }
    }

    /// A usage error in the grammar's own words, which span lines; gives the exit code.
    pub fn usage(&self, words: &str) -> u8 {
        let shown: Vec<_> = words.lines().map(safe).collect();
        self.err(&format!("airlift: {} {}\n", self.paint("31;1", "error:"), shown.join("\n")));
        crate::failure::exit_code(Kind::Usage)
    }

    fn result_line(&self, failure: Option<&Failure>) -> Value {
        let mut line = failure.map_or_else(
            || json!({ "event": "result", "ok": true, "exit": 0 }),
            |failure| {
                json!({ "event": "result", "ok": false, "exit": failure.exit(), "kind": failure.kind,
                        "message": failure.message, "hints": failure.hints })
            },
        );
        if let Ok(mut state) = self.state.lock()
            && let Some(report) = state.report.take()
        {
            line["report"] = report;
        }
        line
    }

    fn fail(&self, failure: &Failure) {
        let error = self.paint("31;1", "error:");
        self.err(&format!("airlift: {error} {}\n", safe(&failure.message)));
        for hint in &failure.hints {
            self.err(&format!("  {} {}\n", self.paint("36", "hint:"), safe(hint)));
        }
    }

    /// Whether stdout took everything; a reader that went away is no failure, a full disk is.
    fn flushed(&self) -> Result<(), Failure> {
        let Ok(mut state) = self.state.lock() else {
            return Err(Failure::new(Kind::Other, "cannot write the standard output"));
        };
        if state.lost.is_none()
            && let Err(error) = io::stdout().lock().flush()
        {
            state.lost = Some(error);
        }
        match &state.lost {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let source = error.raw_os_error().map_or_else(
                    || io::Error::new(error.kind(), error.to_string()),
                    io::Error::from_raw_os_error,
                );
                Err(FileError { operation: "write", path: "the standard output".into(), source }.into())
            }
            _ => Ok(()),
        }
    }

    fn json_line(&self, value: &impl Serialize) {
        if let Ok(line) = serde_json::to_string(value) {
            self.out(&format!("{}\n", text::shown_json(&line)));
        }
    }

    fn out(&self, data: &str) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.lost.is_some() {
            return;
        }
        let write = || io::stdout().lock().write_all(data.as_bytes());
        let wrote = self.bars.as_ref().map_or_else(write, |bars| bars.suspend(write));
        state.lost = wrote.err();
    }

    fn err(&self, words: &str) {
        // There is nowhere to say that the place for words is gone.
        let write = || drop(io::stderr().lock().write_all(words.as_bytes()));
        self.bars.as_ref().map_or_else(write, |bars| bars.suspend(write));
    }

    fn paint(&self, codes: &str, word: &str) -> String {
        if self.color_err { format!("\u{1b}[{codes}m{word}\u{1b}[0m") } else { word.to_owned() }
    }
}

fn safe(words: &str) -> String {
    text::capped(&text::shown(words), MESSAGE).into_owned()
}

/// Columns of the terminal; 80 where it does not tell (serial lines report 0).
fn console_columns() -> u16 {
    let size = rustix::termios::tcgetwinsize(io::stdout()).map(|size| size.ws_col).unwrap_or(0);
    if size == 0 { 80 } else { size }
}
