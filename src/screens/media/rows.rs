//! What the Media screen says of a device: in a row, in the lines below the table, and of what a test found.

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::found::verdict;
use super::mounting::around;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::domain::bundle::directory;
use crate::domain::media::{FileSystem, FoundBundle, Medium, Volume};
use crate::domain::text;
use crate::engine::bundle::assemble::AssembleReport;
use crate::engine::media::CheckReport;
use crate::tui::medium::{Fits, Standing};
use crate::tui::model::Model;
use crate::tui::words::count;
use crate::widgets::line;
use crate::widgets::look::Look;
use crate::widgets::table::{Column, Row, Value};

/// What is said of whether it fits while nobody knows how much is to be carried.
pub(super) const UNKNOWN: &str = "fits: not known before step 2";

/// Bundles that are named one by one, where a medium holds several.
const NAMED: usize = 3;

/// The table; the reason why something cannot be chosen takes the room of all behind the size. Where columns are few, the
/// size stands below alone.
pub(super) const COLUMNS: &[Column] = &[
    Column::left("DEVICE", 9),
    Column::left("MODEL", 0),
    Column::left("BUS", 6).from(90),
    Column::right("SIZE", 8).from(70),
    Column::left("FILES", 8),
    Column::right("FREE", 8),
    Column::left("FITS", 10),
];

/// A row: a medium of those that were found, and one of its volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    medium: usize,
    volume: Option<usize>,
}

/// Device and insertion of a row.
pub(super) type Name = Option<(PathBuf, Option<u64>)>;

/// What a test found, and of which insertion of which medium.
#[derive(Debug)]
pub(super) struct Tested {
    medium: Option<Medium>,
    path: PathBuf,
    report: CheckReport,
}

impl Tested {
    pub(super) fn new(report: &CheckReport, model: &Model) -> Self {
        let media = model.media.iter().flat_map(|report| &report.media);
        let holds =
            |medium: &&Medium| medium.volumes.iter().any(|volume| volume.mount_points.contains(&report.path));
        Self { medium: media.clone().find(holds).cloned(), path: report.path.clone(), report: report.clone() }
    }

    pub(super) fn is_about(&self, other: &Self) -> bool {
        self.path == other.path
    }

    fn is_of(&self, medium: &Medium, volume: &Volume) -> bool {
        let same = self.medium.as_ref().is_some_and(|earlier| medium.is_still(earlier));
        same && volume.mount_points.contains(&self.path)
    }
}

/// Every row there is.
pub(super) fn lines(model: &Model) -> Vec<Line> {
    let media = model.media.iter().flat_map(|report| &report.media).enumerate();
    let of = |(medium, found): (usize, &Medium)| -> Vec<Line> {
        if found.volumes.is_empty() {
            return vec![Line { medium, volume: None }];
        }
        (0..found.volumes.len()).map(|volume| Line { medium, volume: Some(volume) }).collect()
    };
    let mut lines: Vec<Line> = media.flat_map(of).collect();
    // What can be chosen, or could be once it is mounted, comes first.
    lines.sort_by_key(|line| match line.of(model) {
        Some((medium, Some(volume))) => (medium.blocked.is_some(), volume.blocked.is_some()),
        _ => (true, true),
    });
    lines
}

impl Line {
    pub(super) fn of(self, model: &Model) -> Option<(&Medium, Option<&Volume>)> {
        let medium = model.media.as_ref()?.media.get(self.medium)?;
        Some((medium, self.volume.and_then(|volume| medium.volumes.get(volume))))
    }

    /// Which device it is; another insertion is another one.
    pub(super) fn name(self, model: &Model) -> Name {
        let (medium, volume) = self.of(model)?;
        Some((volume.map_or(&medium.device, |volume| &volume.device).clone(), medium.sequence))
    }

    /// Whether what was chosen is on it.
    pub(super) fn is_chosen(self, model: &Model) -> bool {
        self.of(model).is_some_and(|(medium, volume)| is_chosen(model, medium, volume))
    }

    pub(super) fn searched(self, model: &Model) -> String {
        let Some((medium, volume)) = self.of(model) else { return String::new() };
        let label = volume.and_then(|volume| volume.label.as_deref()).unwrap_or_default();
        let device = volume.map_or(&medium.device, |volume| &volume.device);
        format!("{} {} {label} {}", device.display(), title(medium), medium.bus.name())
    }

    pub(super) fn row(self, model: &Model) -> Row {
        let Some((medium, volume)) = self.of(model) else { return Row { marked: false, values: Vec::new() } };
        let device = volume.map_or(&medium.device, |volume| &volume.device);
        let short = device.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let size = volume.map_or(medium.size, |volume| volume.size);
        let mut values = vec![
            Value::plain(short),
            Value::name(title(medium)),
            Value::plain(medium.bus.name()),
            Value::plain(text::bytes(size)),
        ];
        let blocked = match volume {
            Some(volume) => medium.blocked_for(volume, 0),
            None => medium.blocked.clone(),
        };
        match (blocked, volume) {
            (Some(why), _) => values.push(Value::styled(format!("x {why}"), Role::Dim)),
            (None, None) => values.push(Value::styled("x no writable file system", Role::Dim)),
            (None, Some(volume)) => {
                values.push(Value::plain(files(volume.file_system.as_ref())));
                values.push(Value::plain(volume.free.map_or_else(|| "?".to_owned(), text::bytes)));
                values.push(match model.standing_on(volume) {
                    Standing::Made(_) => Value::styled("made there", Role::Ok),
                    Standing::Written => Value::styled("packing", Role::Current),
                    Standing::Unknown => Value::styled("not known", Role::Dim),
                    Standing::NotTold => Value::styled("not told", Role::Dim),
                    Standing::Fits(fits) => Value::styled(fits.short(), fits.role()),
                });
            }
        }
        Row { marked: is_chosen(model, medium, volume), values }
    }

    /// What is to be known of it, in a few lines.
    pub(super) fn about(self, model: &Model, tested: &[Tested]) -> Vec<(String, Role)> {
        let Some((medium, volume)) = self.of(model) else { return Vec::new() };
        let mut lines = vec![(identity(medium, volume), Role::Text), (whereabouts(volume), Role::Text)];
        if let Some(volume) = volume {
            let (made, fits) = match model.standing_on(volume) {
                Standing::Made(made) => (Some(made), None),
                Standing::Fits(fits) => (None, Some(fits)),
                Standing::Written | Standing::Unknown | Standing::NotTold => (None, None),
            };
            // Room is no matter where nothing can be written at all.
            let blocked = medium.blocked_for(volume, 0);
            let lacking = fits.filter(|fits| blocked.is_none() && matches!(fits, Fits::No(_)));
            lines.extend(blocked.map(|why| (format!("x {why}"), Role::Fail)));
            lines.extend(lacking.map(|fits| (format!("x fits: {}", fits.words()), fits.role())));
            let tested = tested.iter().find(|tested| tested.is_of(medium, volume));
            lines.extend(tested.map(|tested| verdict(&tested.report)));
            lines.extend(made.map(made_there));
            // What is known of it from here is no word of its own.
            lines.extend(bundles(&volume.bundles).filter(|_| made.is_none() || volume.bundles.len() > 1));
            // What lies there is not told anywhere else; these are kept to without anybody's help.
            lines.extend(volume.limits.map(|limits| (limits.to_owned(), Role::Warn)));
        }
        let around = medium.blocked.as_ref().and_then(|why| around(why, model));
        lines.extend(around.map(|words| (words, Role::Text)));
        lines.extend(medium.notes.iter().map(|note| (format!("! {note}"), Role::Warn)));
        lines
    }
}

fn is_chosen(model: &Model, medium: &Medium, volume: Option<&Volume>) -> bool {
    let Some(chosen) = &model.chosen else { return false };
    let same = chosen.medium.as_ref().is_some_and(|earlier| medium.is_still(earlier));
    same && volume.is_some_and(|volume| volume.device == chosen.device)
}

/// Maker, model and the tail of the serial; a file for a device that is one.
pub(super) fn title(medium: &Medium) -> String {
    match (&medium.model, &medium.file) {
        (None, Some(file)) => file.display().to_string(),
        _ => medium.short_name(),
    }
}

fn files(kind: Option<&FileSystem>) -> String {
    kind.map_or("?", FileSystem::name).to_owned()
}

/// What it says of itself, with its name on this volume.
pub(in crate::screens) fn identity(medium: &Medium, volume: Option<&Volume>) -> String {
    let serial = medium.serial.as_ref().map_or_else(String::new, |serial| format!(", serial {serial}"));
    let label = volume.and_then(|volume| volume.label.as_ref());
    let label = label.map_or_else(String::new, |label| format!(" \"{label}\""));
    format!("{}{label}, {} {}{serial}", title(medium), medium.bus.name(), text::bytes(medium.size))
}

fn whereabouts(volume: Option<&Volume>) -> String {
    match volume.and_then(Volume::mount_point) {
        Some(point) => format!("mounted at {}", point.display()),
        None => "not mounted".to_owned(),
    }
}

fn made_there(made: &AssembleReport) -> (String, Role) {
    let name = directory(&made.name, made.serial);
    match made.read_back {
        Some(_) => (format!("+ {name} was made here in this run, and read back"), Role::Ok),
        None => (format!("! {name} was made here in this run, NOT read back"), Role::Warn),
    }
}

/// What lies there. That nobody has verified it comes before the names, of which the last may not be seen where there is
/// little room.
pub(super) fn bundles(found: &[FoundBundle]) -> Option<(String, Role)> {
    let name = |bundle: &FoundBundle| match &bundle.words {
        Some(words) => words.title(),
        None => bundle.path.display().to_string(),
    };
    let unsigned = |bundle: &FoundBundle| bundle.words.as_ref().is_some_and(|words| words.signatures == 0);
    let role = if found.iter().any(unsigned) { Role::Warn } else { Role::Text };
    let words = match found {
        [] => return None,
        [only] => {
            let images = only.words.as_ref().and_then(|words| usize::try_from(words.images).ok());
            let images = images.map_or_else(String::new, |images| format!(", {}", count(images, "image")));
            format!("holds 1 bundle (listed, not verified): {}{images}", name(only))
        }
        several => {
            let mut names: Vec<String> = several.iter().take(NAMED).map(name).collect();
            if several.len() > NAMED {
                names.push(count(several.len() - NAMED, "other bundle"));
            }
            let last = names.pop().unwrap_or_default();
            let names = format!("{} and {last}", names.join(", "));
            format!("holds {} (listed, not verified): {names}", count(several.len(), "bundle"))
        }
    };
    Some((words, role))
}

/// Says what to do where there is no medium.
pub(super) fn empty(model: &Model, look: &Look, area: Rect, buffer: &mut Buffer) {
    let [other, again] = [Act::MediaDirectory, Act::MediaList].map(|act| model.key(act));
    let lines: &[(&str, &str)] = match &model.media {
        None => &[("", "Looking for media ...")],
        Some(_) => &[
            ("", "No removable medium found. Plug one in: it appears automatically."),
            ("", ""),
            (&other, "use a directory instead"),
            (&again, "looks again"),
        ],
    };
    for (at, (key, words)) in (1u16..).zip(lines) {
        let place = line::row(area, at);
        line::words(&format!("   {key}"), look.style(Role::Key), place, buffer);
        let indent = if key.is_empty() { 3 } else { 7 };
        let indented = Rect { x: place.x + indent, width: place.width.saturating_sub(indent), ..place };
        line::words(words, look.style(Role::Text), indented, buffer);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::media::BundleWords;

    fn found(name: &str, serial: u64) -> FoundBundle {
        let words = BundleWords {
            id: uuid::Uuid::nil(),
            document: crate::domain::digest::Digest::sha256(&[0x41; 32]),
            name: name.to_owned(),
            serial,
            created: jiff::Timestamp::UNIX_EPOCH,
            expires: None,
            images: 1,
            bytes: 1,
            signatures: 1,
            complete: true,
            signers: Vec::new(),
            version: String::new(),
            program: false,
            named: BTreeMap::new(),
        };
        let path = PathBuf::from(format!("/media/a/{name}-{serial}"));
        FoundBundle { path, verified: false, words: Some(words), fault: None }
    }

    #[test]
    fn the_bundles_of_a_medium_are_named_and_what_is_counted_is_said() {
        let unread = FoundBundle { words: None, ..found("bad", 9) };
        let all = [found("arm", 1), found("web", 41), unread, found("x", 2), found("y", 3)];
        for (count, expected) in [
            (1, "holds 1 bundle (listed, not verified): arm-1, 1 image"),
            (2, "holds 2 bundles (listed, not verified): arm-1 and web-41"),
            (3, "holds 3 bundles (listed, not verified): arm-1, web-41 and /media/a/bad-9"),
            (4, "holds 4 bundles (listed, not verified): arm-1, web-41, /media/a/bad-9 and 1 other bundle"),
            (5, "holds 5 bundles (listed, not verified): arm-1, web-41, /media/a/bad-9 and 2 other bundles"),
        ] {
            assert_eq!(bundles(&all[..count]).unwrap().0, expected);
        }
        assert_eq!(bundles(&[]), None);
        let mut cut = found("web", 42);
        cut.words.as_mut().unwrap().signatures = 0;
        let said = "holds 2 bundles (listed, not verified): arm-1 and web-42 NOT SIGNED";
        assert_eq!(bundles(&[found("arm", 1), cut]), Some((said.to_owned(), Role::Warn)));
    }
}
