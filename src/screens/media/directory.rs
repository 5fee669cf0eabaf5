//! Any directory in place of a medium: what lies under it, and why it is refused or what is asked before it is taken.

use std::path::Path;

use super::Media;
use super::rows::{Line, UNKNOWN, bundles, title};
use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::{Confirm, Page, Question};
use crate::domain::media::Blocked;
use crate::domain::text;
use crate::engine::media::Place;
use crate::tui::medium::{Chosen, Fits};
use crate::tui::model::{Model, Place as Step};
use crate::tui::msg::{Found, Query};
use crate::tui::screen::Cx;

/// The question after a directory was looked at.
pub(super) const TAKE: Question = Question { act: Act::MediaDirectory, part: 1 };

/// What a directory that was asked for is.
pub(super) fn found(media: &mut Media, found: &Found, cx: &mut Cx<'_>) {
    if matches!(found, Found::Failed(Query::Place(path), _) if media.asked.as_ref() == Some(path)) {
        media.asked = None;
    }
    let about = match found {
        Found::Place(path, _) | Found::Failed(Query::Place(path), _) => Some(path),
        _ => None,
    };
    if media.made && about.is_some() && about == media.new.as_ref() {
        (media.made, media.new) = (false, None);
        if let Found::Place(_, place) = found {
            cx.model.choose(Chosen::directory(place));
            cx.go(Step::Assemble);
        }
    }
    if let Found::Place(path, place) = found
        && media.asked.as_ref() == Some(path)
    {
        media.asked = None;
        // Typed and taken before its directory was listed.
        if *path != place.path && path.starts_with(&place.path) {
            if let Some(above) = path.parent().filter(|above| *above != place.path) {
                return refused_below(above, place, cx);
            }
            media.new = Some(path.clone());
        }
        let new = media.new.as_deref();
        cx.model.looked_at = Some(place.clone());
        looked_at(place, new, cx);
    }
}

/// A directory is made in one that is there: where a medium was pulled, its mount point is not made again.
fn refused_below(above: &Path, place: &Place, cx: &mut Cx<'_>) {
    let words = format!(
        "x {} is not there: make it first, or name a directory in {}",
        above.display(),
        place.path.display()
    );
    cx.open(Page::new("This directory cannot be used", vec![(words, Role::Fail)]));
}

/// A directory that was asked for was looked at; what is new is made below the place.
pub(super) fn looked_at(place: &Place, new: Option<&Path>, cx: &mut Cx<'_>) {
    let source = place.medium.as_ref().and_then(|medium| medium.blocked.clone());
    let refused = match source {
        _ if place.read_only => place.why_read_only(),
        _ if !place.writable => Some(Blocked::NotWritable),
        Some(why @ Blocked::Source { .. }) => Some(why),
        _ => None,
    };
    if let Some(why) = refused {
        // Room is no matter where nothing can be written at all.
        let said = lines(place, None).into_iter().chain(bundles(&place.bundles));
        let lines = std::iter::once((format!("x {why}"), Role::Fail)).chain(said).collect();
        return cx.open(Page::new("This directory cannot be used", lines));
    }
    let at = new.unwrap_or(&place.path);
    let told = lines(place, cx.model.needed_at(at, Model::volume_at(place))).into_iter();
    let words: Vec<String> = match new {
        // What lies beside it is not in it.
        Some(new) => {
            let created = format!("{} is not there: it will be created", new.display());
            std::iter::once(created).chain(told.skip(1).map(|(words, _)| words)).collect()
        }
        None => told.map(|(words, _)| words).chain(bundles(&place.bundles).map(|(words, _)| words)).collect(),
    };
    cx.open(Confirm::new(TAKE, "Assemble in this directory?", words, "Take it"));
}

/// What lies under a directory.
fn lines(place: &Place, needed: Option<u64>) -> Vec<(String, Role)> {
    let mut lines = vec![
        (place.path.display().to_string(), Role::Text),
        (
            format!(
                "on {} ({}), mounted at {}",
                place.source.display(),
                place.file_system.name(),
                place.mount_point.display()
            ),
            Role::Text,
        ),
    ];
    match &place.medium {
        Some(medium) => {
            let (name, bus, size) = (title(medium), medium.bus.name(), text::bytes(medium.size));
            lines.push((format!("medium: {name}, {bus}, {size}"), Role::Text));
            let why = medium.blocked.as_ref().map(|why| (format!("! {why}: cannot be removed"), Role::Warn));
            lines.extend(why);
        }
        None => lines.push(("! not on a medium: memory or network".to_owned(), Role::Warn)),
    }
    lines.extend(place.limits.map(|limits| (limits.to_owned(), Role::Warn)));
    let free = place.free.map_or_else(|| "not told".to_owned(), text::bytes);
    let fits = match needed.map(|needed| Fits::of(needed, place.free)) {
        None if place.read_only || !place.writable => String::new(),
        None => format!("; {UNKNOWN}"),
        Some(fits) => fits.map_or_else(String::new, |fits| format!("; fits: {}", fits.words())),
    };
    lines.push((format!("free: {free}{fits}"), Role::Text));
    lines
}

/// The directory that was typed and lies on this row: it stays, whatever else could be chosen there.
pub(super) fn on(line: Option<Line>, model: &Model) -> Option<&Chosen> {
    let is_here = line.is_some_and(|line| line.is_chosen(model));
    model.chosen.as_ref().filter(|chosen| is_here && chosen.typed && chosen.gone.is_none() && !chosen.back)
}
