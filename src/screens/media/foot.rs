//! What stands below the table of the Media screen: how all of it stands, what is said of the row under the cursor, and in how many rows.

use ratatui::layout::Rect;

use super::rows::UNKNOWN;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::text;
use crate::tui::medium::Standing;
use crate::tui::model::Model;
use crate::widgets::line;

/// How they stand.
pub(super) fn summary(model: &Model) -> (String, Role) {
    if let Some(job) = model.running().filter(|job| matches!(job.act, Act::MediaCheck | Act::MediaMount)) {
        let at = model.at.saturating_sub(job.began);
        let phase = job.view.current().map_or_else(|| "begins".to_owned(), |phase| phase.line(at));
        return (format!("{}: {phase}", job.spec.title()), Role::Current);
    }
    if let Some(chosen) = &model.chosen {
        return match &chosen.gone {
            Some(gone) if model.let_go() => (format!("+ {gone}: safe to remove"), Role::Ok),
            Some(gone) if model.taken_signed().is_some() => (format!("! {gone}"), Role::Warn),
            Some(gone) if chosen.ejected.is_some() && !chosen.back => (format!("x {gone}"), Role::Fail),
            Some(gone) if chosen.back => {
                (format!("! {gone}: {} chooses it again", model.key(Act::MediaChoose)), Role::Warn)
            }
            Some(gone) if model.chosen_volume().is_some_and(|volume| volume.after_error) => {
                (format!("x {gone}: dmesg says which; unmount it, then fsck"), Role::Fail)
            }
            Some(gone) if model.chosen_volume().is_some_and(|volume| volume.read_only) => {
                (format!("x {gone}: remount it writable, unless dmesg tells of an error"), Role::Fail)
            }
            Some(gone) => (format!("x {gone}: plug it in again, or choose another one"), Role::Fail),
            None if chosen.back && model.cut_short() && model.running().is_none() => {
                let (there, again) = (model.key(Act::Step4), model.key(Act::Retry));
                let name = chosen.words();
                (
                    format!("+ {name} is back at {}: {there}, then {again} resumes", chosen.path.display()),
                    Role::Ok,
                )
            }
            None => {
                let (name, at) = (chosen.words(), chosen.path.display());
                match model.standing() {
                    Some(Standing::Made(_)) => {
                        (format!("chosen: {name} at {at}   the bundle is there"), Role::Ok)
                    }
                    Some(Standing::Written) => {
                        (format!("chosen: {name} at {at}   a pack writes there"), Role::Current)
                    }
                    Some(Standing::Fits(fits)) => {
                        (format!("chosen: {name} at {at}   fits: {}", fits.words()), fits.role())
                    }
                    Some(Standing::Unknown) => (format!("chosen: {name}   {UNKNOWN}"), Role::Warn),
                    Some(Standing::NotTold) | None => (format!("chosen: {name} at {at}"), Role::Ok),
                }
            }
        };
    }
    let needed = match model.needed() {
        None => "the size of the bundle is known after step 2".to_owned(),
        Some(room) => {
            let images = text::bytes(model.picked.checked.bytes());
            format!("{images} to carry, {} on the medium", text::bytes(room))
        }
    };
    (format!("{needed}; no medium chosen yet"), Role::Dim)
}

/// What is said below the table in so many columns and rows: a line takes several where the others have one each.
pub(super) fn folded(said: &[(String, Role)], (columns, rows): (u16, u16)) -> Vec<(String, Role)> {
    let (columns, mut left) = (usize::from(columns), usize::from(rows).saturating_sub(said.len()));
    let mut folded = Vec::new();
    for (at, (words, role)) in said.iter().enumerate() {
        let indent = if at == 0 { 1 } else { 3 };
        let room = columns.saturating_sub(indent);
        let pieces = match left {
            // A line of its own is cut where that takes least from it.
            0 => vec![line::fit(words, room)],
            more => line::lines(words, (room, more + 1)),
        };
        left = left.saturating_sub(pieces.len().saturating_sub(1));
        folded.extend(pieces.into_iter().map(|piece| (format!("{}{piece}", " ".repeat(indent)), *role)));
    }
    folded
}

/// What is true of a signed bundle whose medium was taken away without an eject.
pub(super) fn taken(model: &Model) -> impl Iterator<Item = (String, Role)> {
    model.taken_signed().into_iter().flatten().map(|words| (words, Role::Warn))
}

/// Rows for that: where there is little room, those that the table of so many lines does not need.
pub(super) fn rows(said: &[(String, Role)], lines: usize, area: Rect) -> u16 {
    let table = u16::try_from(lines + 1).unwrap_or(u16::MAX);
    let least = if area.height >= 16 { 6 } else { 4 };
    let spare = if lines == 0 { 0 } else { area.height.saturating_sub(table) };
    let all = folded(said, (area.width, area.height)).len();
    let most = u16::try_from(all).unwrap_or(u16::MAX).max(6);
    spare.clamp(least, most).min(area.height)
}
