//! Drives the state machine by key names and pictures its frames as text, with the looks of cells beside them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use airlift::cli::args::{Cli, Work};
use airlift::config::keymap::Keymap;
use airlift::config::paths::Paths;
use airlift::config::theme::{Depth, Theme};
use airlift::domain::job::JobId;
use airlift::engine::host::HostFacts;
use airlift::engine::media::{Host, MediaReport};
use airlift::engine::registry::RegistryOptions;
use airlift::engine::spec::JobSpec;
use airlift::tui::app::{App, SMALLEST};
use airlift::tui::model::{Model, Settings};
use airlift::tui::msg::{Effect, Found, Msg};
use airlift::widgets::look::Look;
use clap::Parser;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// A workstation without a terminal, at a time that stands still unless it is moved.
pub(crate) struct Desk {
    pub(crate) app: App,
    at: Duration,
    /// What was asked of the outside since it was last looked at.
    pub(crate) effects: Vec<Effect>,
    started: u64,
}

impl Desk {
    /// Just started on a host with a network, without a key or media, where nothing was interrupted.
    pub(crate) fn new() -> Self {
        let mut desk = Self::bare();
        desk.found_host();
        desk
    }

    /// A host with a network, without a key or media, where nothing was interrupted.
    pub(crate) fn found_host(&mut self) {
        self.tell(Msg::Found(Found::Host(Arc::new(host()))));
        self.tell(Msg::Found(Found::Media(Arc::new(MediaReport { media: Vec::new() }))));
        self.tell(Msg::Found(Found::Interrupted(Arc::default())));
    }

    /// Just started; nothing is known of the host yet.
    pub(crate) fn bare() -> Self {
        let settings = Settings {
            paths: Paths::new("/home/op/.config/airlift".into(), "/home/op/.local/share/airlift".into()),
            registry: RegistryOptions::default(),
            configured: RegistryOptions::default(),
            home: Some("/home/op".into()),
            zone: jiff::tz::TimeZone::UTC,
            host: Host::default(),
        };
        Self::with(settings)
    }

    /// Just started with these settings; nothing is known of the host yet.
    pub(crate) fn with(settings: Settings) -> Self {
        let look = Look { theme: Theme::built_in("default").unwrap(), depth: Depth::Sixteen, unicode: true };
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        let mut app = App::new(Model::new(settings, now()), look, keymap, (80, 24));
        let effects = app.begin();
        Self { app, at: Duration::ZERO, effects, started: 0 }
    }

    /// Lays changes over the keys: id to the keys it has then.
    pub(crate) fn map(&mut self, changes: &BTreeMap<String, Vec<String>>) {
        let (model, look) = (Model::new(self.app.model.settings.clone(), now()), self.app.look.clone());
        self.app = App::new(model, look, Keymap::new(changes).unwrap(), (80, 24));
        self.app.begin();
    }

    /// Presses keys by name, `n Enter Ctrl-L`; a name that is no key is typed letter by letter.
    pub(crate) fn keys(&mut self, names: &str) -> &mut Self {
        for name in names.split_whitespace() {
            match name.parse() {
                Ok(key) => self.tell(Msg::Key(key)),
                Err(_) => self.typed(name),
            };
        }
        self
    }

    /// Types text, blanks and all.
    pub(crate) fn typed(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.tell(Msg::Key(airlift::config::key::Key::char(c)));
        }
        self
    }

    /// Hands over a message; effects are kept.
    pub(crate) fn tell(&mut self, msg: Msg) -> &mut Self {
        let effects = self.app.update(self.at, now(), msg);
        for effect in &effects {
            if let Effect::Start(_, spec) = effect {
                self.started += 1;
                self.is_what_its_command_starts(spec);
            }
        }
        self.effects.extend(effects);
        self
    }

    /// What a screen starts is what the command starts that it shows for it.
    fn is_what_its_command_starts(&self, spec: &JobSpec) {
        let places = self.app.model.settings.places();
        let words = spec.command_line(&places);
        let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        match cli.command.unwrap().work(Some(&places)) {
            Ok(Work::Job(started)) => assert_eq!(started, *spec, "{words:?}"),
            other => panic!("{words:?}: {other:?}"),
        }
    }

    /// The number of the job that was started last.
    pub(crate) fn job(&self) -> JobId {
        JobId(self.started)
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: u64) -> &mut Self {
        self.at += Duration::from_secs(seconds);
        self.tell(Msg::Tick)
    }

    /// The frame at a size.
    pub(crate) fn frame(&mut self, columns: u16, rows: u16) -> Buffer {
        self.tell(Msg::Resize(columns, rows));
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
        self.app.draw(&mut buffer);
        buffer
    }

    /// The text of the frame at 80 by 24.
    pub(crate) fn screen(&mut self) -> String {
        text(&self.frame(80, 24))
    }

    /// Draws every size there may be: none panics, and the smallest one to work in keeps its way to the help.
    fn frames_of_all_sizes(&mut self) {
        for (columns, rows) in [(1, 1), (1, 60), (200, 1), (59, 15), (59, 60), (200, 15), (200, 60)] {
            self.frame(columns, rows);
        }
        for (columns, rows) in [(60, 16), (80, 24), (200, 60)] {
            let frame = text(&self.frame(columns, rows));
            let footer = frame.lines().last().unwrap_or_default();
            // Where `?` is typed, F1 is the key for help; and help itself is left by Esc.
            let leads = [
                " ? help",
                " F1 help",
                " Enter run   Esc close",
                " Enter run   Esc show all",
                " Enter keep   Esc show all",
            ];
            let leads = leads.iter().any(|lead| footer.starts_with(lead));
            assert!(leads, "{columns}x{rows}: {footer:?}");
            let screen = self.app.acts_in_dialog().is_empty() && footer.starts_with(" ? help");
            let back = self.app.model.place.before().is_none() || footer.ends_with(" Esc back");
            assert!(!screen || back, "{columns}x{rows}: {footer:?}");
            let hints = footer.trim().split("  ").filter(|hint| !hint.trim().is_empty()).count();
            assert!(hints <= 6, "{columns}x{rows}: {hints} keys in {footer:?}");
        }
    }

    /// Everything a snapshot holds: at both sizes the letters, the looks of cells in default and in mono, and ASCII;
    /// and the letters at the smallest size.
    pub(crate) fn picture(&mut self) -> String {
        self.frames_of_all_sizes();
        let mut picture = String::new();
        let mut add = |title: &str, body: String| picture.push_str(&format!("=== {title}\n{body}"));
        for (columns, rows) in [(80, 24), (100, 30)] {
            let size = format!("{columns}x{rows}");
            let frame = self.frame(columns, rows);
            add(&size, text(&frame));
            add(&format!("{size}, looks, default"), looks(&frame));
            let plain = self.mono(columns, rows);
            assert_eq!(text(&plain), text(&frame), "{size}: other letters in mono");
            add(&format!("{size}, looks, mono"), looks(&plain));
            self.app.look.unicode = false;
            let ascii = text(&self.frame(columns, rows));
            assert!(ascii.is_ascii(), "{ascii}");
            add(&format!("{size}, ASCII"), ascii);
            self.app.look.unicode = true;
        }
        let (columns, rows) = SMALLEST;
        add(&format!("{columns}x{rows}"), text(&self.frame(columns, rows)));
        picture
    }

    /// The frame in mono, in which nothing is told by a colour.
    fn mono(&mut self, columns: u16, rows: u16) -> Buffer {
        self.app.look.theme = Theme::built_in("mono").unwrap();
        let frame = self.frame(columns, rows);
        self.app.look.theme = Theme::built_in("default").unwrap();
        let colours = |cell: &Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
        assert!(!frame.content.iter().any(colours), "mono has colours: {}", looks(&frame));
        frame
    }
}

/// 2026-11-21, twelve o'clock UTC.
pub(crate) fn now() -> jiff::Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// A jump host.
pub(crate) fn host() -> HostFacts {
    HostFacts {
        name: "jump01".into(),
        interfaces: vec!["eth0".into()],
        default_route: true,
        ..HostFacts::default()
    }
}

/// The letters of a frame, a line each, without blanks at their ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    let row = |cells: &[Cell]| {
        let letters: String = cells.iter().map(Cell::symbol).collect();
        format!("{}\n", letters.trim_end())
    };
    buffer.content.chunks(usize::from(buffer.area.width)).map(row).collect()
}

/// Where cells look other than plain: `row: from-to look`, a line for each row that has some.
pub(crate) fn looks(buffer: &Buffer) -> String {
    let mut all = String::new();
    for (at, cells) in buffer.content.chunks(usize::from(buffer.area.width)).enumerate() {
        let mut runs: Vec<(usize, usize, String)> = Vec::new();
        for (column, cell) in cells.iter().enumerate() {
            let look = look(cell);
            match runs.last_mut() {
                Some((_, to, before)) if *before == look => *to = column,
                _ => runs.push((column, column, look)),
            }
        }
        let runs: Vec<String> = runs
            .into_iter()
            .filter(|(_, _, look)| !look.is_empty())
            .map(|(from, to, look)| format!("{from}-{to} {look}"))
            .collect();
        if !runs.is_empty() {
            all.push_str(&format!("{at:>2}: {}\n", runs.join(", ")));
        }
    }
    all
}

fn look(cell: &Cell) -> String {
    let mut words = Vec::new();
    for (modifier, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::UNDERLINED, "underline"),
        (Modifier::REVERSED, "reverse"),
    ] {
        if cell.modifier.contains(modifier) {
            words.push(word.to_owned());
        }
    }
    if cell.fg != Color::Reset {
        words.push(format!("{:?}", cell.fg).to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on-{:?}", cell.bg).to_lowercase());
    }
    words.join("+")
}
