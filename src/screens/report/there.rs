//! What the report's keys are about: the bundle that was made, or one of an earlier run that lies on a medium.

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::actions::Act;
use crate::domain::bundle::directory;
use crate::domain::carrier::Carrier;
use crate::domain::digest::Digest;
use crate::domain::sheet::Sheet;
use crate::engine::bundle::readback::Method;
use crate::engine::media::EjectSpec;
use crate::screens::letting::{HOW, which};
use crate::tui::assembly::Made;
use crate::tui::model::{JobState, Model};
use crate::widgets::facts::teach;
use crate::widgets::look::Look;

/// A bundle, held to what it is while a question about it stands.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Its directory.
    pub(super) path: PathBuf,
    /// The mark of what it lies on.
    pub(super) only: Option<String>,
    /// The digest of its document.
    pub(super) document: Option<Digest>,
}

/// The bundle that is signed, compared and ejected here: the one that was made, else one that lies there from before.
pub(super) fn held(model: &Model) -> Option<Held> {
    if let Some(made) = &model.assembly.made {
        let bundle = &made.packed.bundle;
        return Some(Held {
            path: bundle.path.clone(),
            only: made.carrier.as_ref().map(Carrier::mark),
            document: Some(bundle.document.clone()),
        });
    }
    let there = model.bundle_there()?;
    Some(Held { path: there.path, only: Some(there.only), document: there.document })
}

/// Its directory.
pub(super) fn bundle(model: &Model) -> Option<PathBuf> {
    held(model).map(|held| held.path)
}

/// The pack that runs: what came of an earlier one is no word on it.
pub(super) fn under_way(model: &Model) -> Option<&JobState> {
    model.running().filter(|job| job.act == Act::Pack)
}

/// The report of what was made; none while another pack runs.
pub(super) fn shown(model: &Model) -> Option<Sheet> {
    model.assembly.made.as_ref().filter(|_| under_way(model).is_none()).map(Made::sheet)
}

/// Which bundle is reported, where a later pack did not come to its end.
pub(super) fn of_before(model: &Model) -> Option<String> {
    let made = model.assembly.made.as_ref().filter(|_| under_way(model).is_none() && model.cut_short())?;
    let name = directory(&made.packed.bundle.name, made.packed.bundle.serial);
    Some(format!("that is {name}; the pack after it did not come to its end: {}", model.key(Act::Step4)))
}

/// Says while a pack runs when there is a report of it, and where the one before it is.
pub(super) fn awaited(model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut lines = vec![("", "What is packed now is reported here once it ends.".to_owned())];
    if let Some(made) = &model.assembly.made {
        let name = directory(&made.packed.bundle.name, made.packed.bundle.serial);
        let kept = model.settings.paths.reports();
        lines.push(("", format!("The report of {name}, packed before it, is kept in {}", kept.display())));
    }
    let lines: Vec<(&str, &str)> = lines.iter().map(|(key, words)| (*key, words.as_str())).collect();
    teach(&lines, area, look, buffer);
}

/// Why the bundle cannot be reached any more.
pub(super) fn unreachable(model: &Model) -> Option<String> {
    let made = model.assembly.made.as_ref()?;
    let chosen = model.chosen.as_ref().filter(|chosen| chosen.path == made.job.to);
    match chosen {
        Some(chosen) if model.taken_signed().is_some() => Some(chosen.gone.clone()?),
        // It was let go, and is in again otherwise than it was.
        Some(chosen) if chosen.back && chosen.ejected.is_some() => Some(chosen.gone.clone()?),
        // It may be back.
        Some(chosen) if chosen.ejected.is_none() && chosen.gone.is_none() => None,
        _ if !made.let_go() => None,
        _ => {
            Some(format!("the medium was ejected; {} begins with another bundle", model.key(Act::ReportNew)))
        }
    }
}

/// Why there is none, and what helps.
pub(super) fn no_bundle(model: &Model) -> String {
    let [media, pack] = [Act::Step3, Act::Step4].map(|act| model.key(act));
    format!(
        "nothing is packed yet: {pack} does that; an earlier bundle can be taken once its medium is chosen by {media}"
    )
}

/// Says what there is to do before anything was packed, and where earlier reports are.
pub(super) fn empty(model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let words = format!("Nothing is packed yet: {} does that.", model.key(Act::Step4));
    let kept = format!("Reports are also kept in {}", model.settings.paths.reports().display());
    let [sign, eject, diff] = [Act::Sign, Act::MediaEject, Act::Diff].map(|act| model.key(act));
    let there = model.bundle_there().map(|there| {
        let name = there.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!("{name} lies on {}, from before; it was not read here:", there.medium)
    });
    let mut lines = vec![("", words.as_str()), ("", "")];
    if let Some(there) = &there {
        lines.extend([
            ("", there.as_str()),
            (&sign, "signs it with another key"),
            (&eject, "ejects its medium"),
        ]);
        lines.extend([(diff.as_str(), "compares it with another bundle"), ("", "")]);
    }
    lines.push(("", &kept));
    teach(&lines, area, look, buffer);
}

/// Why what it lies on cannot be taken out.
pub(super) fn stays(model: &Model) -> Option<&'static str> {
    match &model.assembly.made {
        Some(made) => made.stays,
        None => model.bundle_there()?.stays,
    }
}

/// What is ejected: the medium of that bundle and no other one; and what is to be known before.
pub(super) fn to_eject(model: &Model) -> Option<(EjectSpec, Vec<String>)> {
    let Held { path, only, .. } = held(model)?;
    let made = model.assembly.made.as_ref();
    // What may have come from memory is no proof of what the medium keeps.
    let read = made.and_then(|made| made.packed.bundle.read_back);
    let verified = read.filter(|read| read.method == Method::Direct).map(|read| read.to_string());
    let mut words = which(model, &path, only.as_deref(), made.and_then(|made| made.carrier.as_ref()));
    words.extend(before_eject(model));
    let state = model.settings.paths.state();
    Some((EjectSpec { path, verified, only, state, detach: false, dry_run: false }, words))
}

/// What ejecting does, and what is known before it.
fn before_eject(model: &Model) -> Vec<String> {
    let read = match &model.assembly.made {
        Some(made) => made.packed.bundle.read_back.map_or_else(
            || "It was NOT read back: nobody knows what the medium really stored.".to_owned(),
            |read| format!("It was {read}."),
        ),
        None => "Its bundle was not read back in this run.".to_owned(),
    };
    vec![HOW.to_owned(), read]
}
