//! Start: what this host is, which side that suggests and why, and the ways in.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::actions::{Act, Scope};
use crate::config::theme::Role;
use crate::engine::host::HostFacts;
use crate::tui::model::{Model, Place, Side};
use crate::tui::screen::{Cx, Screen};
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value, table};

/// The screen.
#[derive(Debug, Default)]
pub(super) struct Start {
    list: List,
    doors: Vec<Door>,
    /// Whether the cursor was put on what is suggested.
    placed: bool,
}

/// A way in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Door {
    act: Act,
    name: &'static str,
    note: String,
}

/// The side this host seems to be on, and why.
fn suggested(host: &HostFacts) -> (Side, String) {
    if host.default_route {
        (Side::Connected, format!("suggested: a network is up ({})", host.interfaces.join(", ")))
    } else if host.runtimes.is_empty() {
        (Side::AirGapped, "suggested: no network leads away from here".to_owned())
    } else {
        (
            Side::AirGapped,
            format!("suggested: no network leads away from here, {} runs", host.runtimes.join(", ")),
        )
    }
}

fn doors(model: &Model) -> Vec<Door> {
    let suggestion = model.host.as_deref().map(suggested);
    let note = |side: Side, else_say: &str| match &suggestion {
        Some((suggested, why)) if *suggested == side => why.clone(),
        _ => else_say.to_owned(),
    };
    let connected = Door {
        act: Act::Connected,
        name: "Build media (connected side)",
        note: note(Side::Connected, "pick, verify, assemble and sign"),
    };
    let gap = Door {
        act: Act::AirGapped,
        name: "Open a bundle (air-gapped side)",
        note: note(Side::AirGapped, "verify what a medium carries"),
    };
    let mut doors = vec![connected, gap];
    if model.host.as_ref().is_some_and(|host| host.key.is_none()) {
        let note = "none yet; a bundle is signed with one".to_owned();
        doors.push(Door { act: Act::KeyGenerate, name: "Make a signing key", note });
    }
    doors
}

impl Screen for Start {
    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Start, Scope::List]
    }

    fn footer(&self, _: &Model) -> Vec<Act> {
        vec![Act::Go, Act::Connected, Act::AirGapped, Act::Palette, Act::Quit]
    }

    fn why_not(&self, act: Act, model: &Model) -> Option<String> {
        match act {
            Act::KeyGenerate => {
                let key = model.host.as_ref()?.key.as_ref()?;
                Some(format!("there is one already: {}", key.path.display()))
            }
            Act::Resume | Act::Forget => Some("no job was interrupted".to_owned()),
            _ => None,
        }
    }

    fn act(&mut self, act: Act, cx: &mut Cx<'_>) -> bool {
        match act {
            Act::Go => {
                let door = self.list.row().and_then(|row| self.doors.get(row)).map(|door| door.act);
                return door.is_some_and(|act| self.act(act, cx));
            }
            Act::Connected => cx.go(Place::Images),
            Act::AirGapped => cx.go(Place::Bundle),
            _ => return false,
        }
        true
    }

    fn sync(&mut self, model: &Model) {
        self.doors = doors(model);
        let doors = &self.doors;
        self.list.refresh(doors.len(), |row| doors[row].name.into());
        if let (false, Some(host)) = (self.placed, &model.host) {
            self.placed = true;
            self.list.select(usize::from(suggested(host).0 == Side::AirGapped));
        }
    }

    fn list(&mut self) -> Option<&mut List> {
        Some(&mut self.list)
    }

    fn view(&self) -> Option<&List> {
        Some(&self.list)
    }

    fn draw(&self, model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
        let columns = [Column::left("WHAT", 32), Column::left("", 0)];
        let row = |row: usize| Row {
            marked: false,
            values: vec![
                Value::plain(self.doors[row].name),
                Value::styled(self.doors[row].note.clone(), Role::Dim),
            ],
        };
        let rows = u16::try_from(self.doors.len()).unwrap_or(u16::MAX).saturating_add(1);
        table(&columns, &self.list, row, Rect { height: rows.min(area.height), ..area }, look, buffer);
        let below = line::below(area, rows + 1);
        for (at, (name, words, role)) in (0u16..).zip(facts(model)) {
            let place = line::row(below, at);
            line::words(&format!("   {name}"), look.style(Role::Dim), place, buffer);
            let indented =
                Rect { x: place.x + 16.min(place.width), width: place.width.saturating_sub(16), ..place };
            line::words(&words, look.style(role), indented, buffer);
        }
    }
}

fn facts(model: &Model) -> Vec<(&'static str, String, Role)> {
    let Some(host) = model.host.as_deref() else {
        return vec![("host", "looking around ...".to_owned(), Role::Dim)];
    };
    let runtimes = if host.runtimes.is_empty() { "none found".to_owned() } else { host.runtimes.join(", ") };
    let key = match &host.key {
        Some(key) => (format!("{}  {}", key.id, key.path.display()), Role::Text),
        None => ("none: K makes one".to_owned(), Role::Warn),
    };
    let mut facts = vec![
        ("host", host.name.clone(), Role::Text),
        ("network", host.network_words(), Role::Text),
        ("runtimes", runtimes, Role::Text),
        ("signing key", key.0, key.1),
        ("trusted", format!("{} keys", host.trusted), Role::Text),
        ("clock", clock(model.now, &model.settings.zone), Role::Text),
    ];
    facts.extend(host.problems.iter().map(|problem| ("WARN", problem.clone(), Role::Warn)));
    facts
}

/// UTC, and what a wall clock here would show.
fn clock(now: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let local = now.to_zoned(zone.clone());
    format!("{} = {}", now.strftime("%Y-%m-%dT%H:%MZ"), local.strftime("%H:%M %Z"))
}
