//! `airlift media list [PATH]`: which media there are, what lies on them, and why they cannot be used.

use std::path::PathBuf;

use crate::cli::Front;
use crate::cli::printer::{Align, Printer};
use crate::config::paths::Paths;
use crate::domain::media::{FileSystem, FoundBundle, Medium, UNSIGNED, Volume};
use crate::domain::text;
use crate::engine::media::{ListSpec, MediaReport, Place, around, list, place_of};
use crate::failure::Failure;

/// The query `media list`.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Tell of what lies under this path alone, which can be any directory
    #[arg(value_name = "PATH")]
    pub(super) path: Option<PathBuf>,
}

/// Lists media, or tells what lies under a path.
///
/// # Errors
/// The path's.
pub async fn run(args: List, front: &Front) -> Result<(), Failure> {
    // No medium that holds this user's key or history is one to write to.
    let own = Paths::from_env().map(|paths| vec![paths.data_dir().to_owned()]);
    let spec = ListSpec { sources: own.unwrap_or_default(), bundles: true, ..ListSpec::default() };
    if let Some(path) = args.path {
        let place = place_of(path, spec, &front.ctx).await?;
        front.printer.report(&place, |out| show_place(&place, out));
    } else {
        let report = list(spec, &front.ctx).await?;
        front.printer.report(&report, |out| show(&report, out));
    }
    Ok(())
}

fn show(report: &MediaReport, out: &Printer) {
    let header = [
        ("DEVICE", Align::Left),
        ("MODEL", Align::Left),
        ("SERIAL", Align::Left),
        ("BUS", Align::Left),
        ("SIZE", Align::Right),
        ("FILE SYSTEM", Align::Left),
        ("FREE", Align::Right),
        ("MOUNTED AT", Align::Left),
        ("STATE", Align::Left),
    ];
    out.table(&header, &report.media.iter().flat_map(rows).collect::<Vec<_>>());
    if report.media.is_empty() {
        out.note("no medium was found; any directory can be packed to");
    }
    for medium in &report.media {
        let limits = medium.volumes.iter().filter_map(|volume| Some((&volume.device, volume.limits?)));
        limits.for_each(|(device, limits)| out.line(format!("{}: {limits}", device.display())));
        medium.notes.iter().for_each(|note| out.line(format!("{}: {note}", medium.device.display())));
        let way = medium.blocked.as_ref().and_then(|why| around(why.mounted_at()));
        way.into_iter().for_each(|way| out.line(format!("{}: {way}", medium.device.display())));
        show_bundles(medium.volumes.iter().flat_map(|volume| &volume.bundles), out);
    }
}

fn rows(medium: &Medium) -> Vec<Vec<String>> {
    if medium.volumes.is_empty() {
        return vec![row(medium, None)];
    }
    medium.volumes.iter().map(|volume| row(medium, Some(volume))).collect()
}

fn row(medium: &Medium, volume: Option<&Volume>) -> Vec<String> {
    let device = volume.map_or(&medium.device, |volume| &volume.device);
    let model = medium.model.clone().or_else(|| Some(medium.file.as_ref()?.display().to_string()));
    let blocked = medium.blocked.as_ref().or_else(|| volume?.blocked.as_ref());
    vec![
        device.display().to_string(),
        model.unwrap_or_default(),
        medium.serial.clone().unwrap_or_default(),
        medium.bus.name().to_owned(),
        text::bytes(volume.map_or(medium.size, |volume| volume.size)),
        volume
            .map(|volume| file_system(volume.file_system.as_ref(), volume.label.as_deref()))
            .unwrap_or_default(),
        volume.and_then(|volume| volume.free).map(text::bytes).unwrap_or_default(),
        volume.and_then(Volume::mount_point).map(|point| point.display().to_string()).unwrap_or_default(),
        blocked.map_or_else(|| "ok".to_owned(), |why| format!("blocked: {why}")),
    ]
}

fn file_system(kind: Option<&FileSystem>, label: Option<&str>) -> String {
    let name = kind.map_or("unknown", FileSystem::name);
    label.map_or_else(|| name.to_owned(), |label| format!("{name} \"{label}\""))
}

fn show_place(place: &Place, out: &Printer) {
    out.line(format!("path         {}", place.path.display()));
    out.line(format!("mounted      {} from {}", place.mount_point.display(), place.source.display()));
    out.line(format!("file system  {}", place.file_system.name()));
    if let Some(limits) = place.limits {
        out.line(format!("limits       {limits}"));
    }
    out.line(format!("free         {}", place.free.map_or_else(|| "not told".to_owned(), text::bytes)));
    let writes = match (place.why_read_only(), place.writable) {
        (Some(why), _) => format!("no: {why}"),
        (None, false) => "no: not by this user".to_owned(),
        (None, true) => "yes".to_owned(),
    };
    out.line(format!("can write    {writes}"));
    match &place.medium {
        Some(medium) => {
            let state = medium.blocked.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let (bus, size) = (medium.bus.name(), text::bytes(medium.size));
            out.line(format!(
                "medium       {} {}, {bus}, {size}{state}",
                medium.device.display(),
                medium.short_name()
            ));
        }
        None => out.line("medium       none: memory or a network"),
    }
    show_bundles(place.bundles.iter(), out);
}

fn show_bundles<'a>(bundles: impl Iterator<Item = &'a FoundBundle>, out: &Printer) {
    for bundle in bundles {
        let path = bundle.path.display();
        if let Some(fault) = &bundle.fault {
            out.line(format!("bundle       {path}: {fault}"));
        }
        let Some(words) = &bundle.words else { continue };
        let signed = match words.signatures {
            0 => UNSIGNED.to_owned(),
            signatures => {
                format!("{} (listed, not verified)", text::count(signatures as u64, "signature"))
            }
        };
        let (name, serial) = (&words.name, words.serial);
        let images = text::count(words.images, "image");
        let (size, created) = (text::bytes(words.bytes), words.created);
        out.line(format!("bundle       {path}: {name}-{serial} of {created}, {images}, {size}, {signed}"));
    }
}
