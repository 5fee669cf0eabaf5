//! What stands below the table of the Media screen: how all of it stands, what is said of the row under the cursor, and in how many rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::rows::UNKNOWN;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::text;
use crate::tui::medium::Standing;
use crate::tui::model::Model;
use crate::widgets::foot::{self, Said};
use crate::widgets::look::Look;

/// How they stand.
pub(super) fn summary(model: &Model) -> Said {
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

/// What is true of a signed bundle whose medium was taken away without an eject.
pub(super) fn taken(model: &Model) -> impl Iterator<Item = Said> {
    model.taken_signed().into_iter().flatten().map(|words| (words, Role::Warn))
}

/// Rows for that, of which the table of so many lines has none where there are none of these.
pub(super) fn rows(said: &[Said], lines: usize, area: Rect) -> u16 {
    let least = if area.height >= 16 { 6 } else { 4 };
    let table = if lines == 0 { usize::from(area.height) } else { lines + 1 };
    foot::rows(folded(said, (area.width, area.height)).len(), least, table, area)
}

/// Draws it.
pub(super) fn draw(said: &[Said], look: &Look, area: Rect, buffer: &mut Buffer) {
    foot::draw(&folded(said, (area.width, area.height)), look, area, buffer);
}

/// It in so many columns and rows; what is said of a row stands in from what is said of all.
fn folded(said: &[Said], room: (u16, u16)) -> Vec<Said> {
    foot::folded(said, (1, 3), room)
}
