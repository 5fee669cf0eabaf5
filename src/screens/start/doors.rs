//! The rows of Start: the job that runs, what was interrupted, and the ways in.

use std::path::PathBuf;

use super::{cuts, half, suggest};
use crate::actions::Act;
use crate::engine::spec::JobSpec;
use crate::tui::model::{Model, Place, Side};
use crate::tui::words;

/// A row: something that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    pub(super) act: Act,
    /// The pack that was cut off, where it is about one.
    pub(super) cut: Option<uuid::Uuid>,
    /// The import that ended early, by the file that it noted, where it is about one.
    pub(super) run: Option<PathBuf>,
    /// Where the job is seen that runs, where it is about that.
    pub(super) to: Option<Place>,
    pub(super) name: String,
    pub(super) note: String,
}

impl Door {
    pub(super) const fn new(act: Act, name: String, note: String) -> Self {
        Self { act, cut: None, run: None, to: None, name, note }
    }
}

/// All of them.
pub(super) fn doors(model: &Model) -> Vec<Door> {
    let door = |act, name: &str, note| Door::new(act, name.to_owned(), note);
    let mut doors: Vec<Door> = running(model).into_iter().collect();
    doors.extend(
        cuts(model)
            .iter()
            .map(|cut| Door { cut: Some(cut.job.id), ..door(Act::Resume, &cut.title(), cut.words()) }),
    );
    let (latest, earlier) = half::doors(model);
    doors.extend(latest);
    let suggestion = model.host.as_deref().map(|host| suggest::side(host, model.media.as_deref()));
    let note = |side: Side, else_say: String| match &suggestion {
        Some((suggested, why)) if *suggested == side => format!("suggested: {why}"),
        _ => else_say,
    };
    let listed = match model.picked.images.len() {
        0 => "pick images, verify, assemble and sign".to_owned(),
        count => format!("{} on the list", words::count(count, "image")),
    };
    doors.push(door(Act::Connected, "Build media (connected side)", note(Side::Connected, listed)));
    let verify = "verify and import what a medium carries".to_owned();
    doors.push(door(Act::AirGapped, "Open a bundle (air-gapped side)", note(Side::AirGapped, verify)));
    if model.host.as_ref().is_some_and(|host| host.key.is_none()) {
        let note = "none yet; bundles are signed with it".to_owned();
        doors.push(door(Act::KeyGenerate, "Make a signing key", note));
    }
    // However many ended early, the ways in are on the first page.
    doors.extend(earlier);
    doors
}

/// The row of the job that runs and is seen on another screen.
fn running(model: &Model) -> Option<Door> {
    let (job, to) = (model.busy()?, model.running_at()?);
    let note = match job.view.current() {
        _ if job.stopping => "stopping at the next safe point".to_owned(),
        _ if job.paused => format!("paused; {} goes on", model.key(Act::Pause)),
        Some(view) => view.line(model.at.saturating_sub(job.began)),
        None => "starting".to_owned(),
    };
    let name = match &job.spec {
        JobSpec::Pack(pack) => format!("Running: pack {}", pack.name),
        spec => format!("Running: {}", spec.subcommand()),
    };
    Some(Door { to: Some(to), ..Door::new(Act::Go, name, note) })
}
