//! What this host is, in a few rows: network, runtimes, keys, media and what lies on them, the clock.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::media::{Blocked, BundleWords, Medium};
use crate::domain::sheet::fingerprint_end;
use crate::domain::text;
use crate::tui::model::{Model, Place};
use crate::widgets::foot;
use crate::widgets::line;
use crate::widgets::look::Look;

/// Media that are listed at most; the screen for them has all.
const MEDIA: usize = 3;

/// What changes least, and goes first where there is little room.
const HOST: [&str; 6] = ["host", "network", "runtimes", "signing key", "trusted", "clock"];

type Fact = (&'static str, String, Role);

/// Draws them.
pub(super) fn draw(model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width.saturating_sub(17));
    let mut facts = facts(model, columns);
    let room = usize::from(area.height);
    if facts.len() > room {
        // What is to be chosen comes before what this host is, and after what is wrong.
        let host = |(name, ..): &Fact| HOST.contains(name);
        facts.sort_by_key(host);
    }
    // What there is no room for is counted: nobody takes a part for all.
    let facts = folded(&facts, columns, room);
    let shown = if facts.len() > room { room.saturating_sub(1) } else { facts.len() };
    if shown < facts.len() && room > 0 {
        let words = format!(" {} more below, on a higher screen ", facts.len() - shown);
        line::words(&words, look.style(Role::Dim), line::row(area, area.height - 1), buffer);
    }
    for (at, (name, words, role)) in (0u16..).zip(facts.into_iter().take(shown)) {
        let place = line::row(area, at);
        line::words(&format!("   {name}"), look.style(Role::Dim), place, buffer);
        let indented =
            Rect { x: place.x + 16.min(place.width), width: place.width.saturating_sub(16), ..place };
        line::words(&words, look.style(role), indented, buffer);
    }
}

/// The facts in so many rows: long ones take those that the others leave.
fn folded(facts: &[Fact], columns: usize, rows: usize) -> Vec<Fact> {
    let pieces = foot::shared(facts.iter().map(|(_, words, _)| (words.as_str(), columns)), rows);
    let rows = |(pieces, (name, _, role)): (Vec<String>, &Fact)| {
        let (name, role) = (*name, *role);
        let row = move |(at, words)| (if at == 0 { name } else { "" }, words, role);
        pieces.into_iter().enumerate().map(row).collect::<Vec<_>>()
    };
    pieces.into_iter().zip(facts).flat_map(rows).collect()
}

fn facts(model: &Model, columns: usize) -> Vec<Fact> {
    let mut facts = beside(model, columns);
    facts.extend(of_host(model, columns));
    facts
}

/// That another workstation has the list, in as many rows as that takes.
fn beside(model: &Model, columns: usize) -> Vec<Fact> {
    let words = model.beside.as_ref().map(|beside| beside.words());
    let lines = words.into_iter().flat_map(|words| line::lines(&words, (columns, 4)));
    let name = |at: usize| if at == 0 { "! WARN" } else { "" };
    lines.enumerate().map(|(at, words)| (name(at), words, Role::Warn)).collect()
}

fn of_host(model: &Model, columns: usize) -> Vec<Fact> {
    let Some(host) = model.host.as_deref() else {
        return vec![("host", "checking this host ...".to_owned(), Role::Dim)];
    };
    // What is wrong comes first, so that a low screen does not cut it off.
    let mut facts: Vec<Fact> =
        host.problems.iter().map(|problem| ("! WARN", problem.clone(), Role::Warn)).collect();
    let damaged = model.interrupted.iter().flat_map(|cuts| &cuts.damaged);
    facts.extend(damaged.map(|words| ("! WARN", format!("a job record: {words}"), Role::Warn)));
    if let Some(run) = model.gap.import.elsewhere().filter(|_| model.running_at() != Some(Place::Import)) {
        let words = format!("another process is importing {} right now", run.begun.bundle);
        facts.push(("! WARN", words, Role::Warn));
    }
    let runtimes = if host.runtimes.is_empty() { "none found".to_owned() } else { host.runtimes.join(", ") };
    // The one that signs, as the header has it.
    let key = match model.key_facts() {
        Some((fingerprint, place)) => (format!("{}  {place}", fingerprint_end(&fingerprint)), Role::Text),
        None if model.has_key() => ("looking whose key signs ...".to_owned(), Role::Dim),
        None => (format!("none: {} makes one", model.key(Act::KeyGenerate)), Role::Warn),
    };
    let trusted = match host.trusted {
        0 => "no key yet: a bundle is verified against a trusted key".to_owned(),
        1 => "1 key".to_owned(),
        count => format!("{count} keys"),
    };
    facts.extend([
        ("host", host.name.clone(), Role::Text),
        ("network", host.network_words(), Role::Text),
        ("runtimes", runtimes, Role::Text),
        ("signing key", key.0, key.1),
        ("trusted", trusted, Role::Text),
        ("clock", clock(model.now, &model.settings.zone), Role::Text),
    ]);
    facts.extend(chosen(model));
    facts.extend(media(model, columns));
    facts
}

/// What the bundle goes to, once that was chosen.
fn chosen(model: &Model) -> Option<Fact> {
    let chosen = model.chosen.as_ref()?;
    let role = if model.let_go() { Role::Text } else { Role::Warn };
    let mark = if model.let_go() { '+' } else { '!' };
    let gone = chosen.gone.as_ref().map(|gone| (format!("{mark} {gone}"), role));
    // What is free there stands beside the medium, as it is now.
    let (words, role) = gone.unwrap_or_else(|| (chosen.path.display().to_string(), Role::Text));
    Some(("destination", words, role))
}

fn media(model: &Model, columns: usize) -> Vec<Fact> {
    let Some(report) = model.media.as_deref() else {
        return vec![("media", "looking ...".to_owned(), Role::Dim)];
    };
    let own = |why: &Blocked| why.is_own() || matches!(why, Blocked::Source { .. });
    let system = |medium: &Medium| medium.blocked.as_ref().is_some_and(own);
    let wanted = |medium: &&Medium| !system(medium) && medium.blocked != Some(Blocked::NoMedium);
    let media: Vec<&Medium> = report.media.iter().filter(wanted).collect();
    if media.is_empty() {
        let words = match model.chosen {
            Some(_) => "none plugged in",
            None => "none found: plug one in, or use a directory",
        };
        return vec![("media", words.to_owned(), Role::Text)];
    }
    let name = |at: usize| if at == 0 { "media" } else { "" };
    // Whether its bundle is signed stands at the end.
    let lines = media.iter().take(MEDIA).flat_map(|medium| line::lines(&medium_words(medium), (columns, 2)));
    let mut facts: Vec<Fact> = lines.enumerate().map(|(at, words)| (name(at), words, Role::Text)).collect();
    if media.len() > MEDIA {
        facts.push(("", format!("and {} more", media.len() - MEDIA), Role::Dim));
    }
    facts
}

/// As in `KINGSTON ..7F2A  62.0 GB, 40.1 GB free; bundle web-42`.
fn medium_words(medium: &Medium) -> String {
    let free: Option<u64> = medium.volumes.iter().filter_map(|volume| volume.free).max();
    let free = free.map_or_else(String::new, |free| format!(", {} free", text::bytes(free)));
    let stands = match blocked(medium) {
        None => free,
        Some(Blocked::WriteProtected | Blocked::MountedReadOnly | Blocked::ReadOnlyAfterError) => {
            ", read-only".to_owned()
        }
        Some(reason) => format!(", {reason}"),
    };
    let mut words = format!("{}  {}{stands}", medium.short_name(), text::bytes(medium.size));
    let bundles = medium.volumes.iter().flat_map(|volume| &volume.bundles);
    let told = bundles.filter_map(|bundle| bundle.words.as_ref());
    let told: Vec<String> = told.map(BundleWords::title).collect();
    if !told.is_empty() {
        words.push_str(&format!("; bundle {}", told.join(", ")));
    }
    words
}

/// Why nothing can be written to a medium: for its own sake, or that of all its volumes.
fn blocked(medium: &Medium) -> Option<&Blocked> {
    let of_all = || {
        let mut reasons = medium.volumes.iter().map(|volume| volume.blocked.as_ref());
        let first = reasons.next()??;
        reasons.all(|reason| reason.is_some()).then_some(first)
    };
    medium.blocked.as_ref().or_else(of_all)
}

/// UTC, and what a wall clock here would show.
fn clock(now: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let local = now.to_zoned(zone.clone());
    format!("{} = {}", now.strftime("%Y-%m-%dT%H:%MZ"), local.strftime("%H:%M %Z"))
}
