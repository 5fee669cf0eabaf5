//! Takes back what a run put into the node's own store: an image that it brought goes, unless it has other names by now or a container uses it.
//!
//! An additional store keeps its images: whoever writes there cannot know which containers of the node use them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::process::last_words;
use super::staging::Staging;
use super::tool::{Copy, Program, Tool};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::Result;
use crate::engine::files::Files;
use crate::engine::import::containerd::names::UndoReport;
use crate::engine::import::error::ImportError;
use crate::engine::storage::store::Records;

/// An image that a run is about to put into the node's own store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::engine::import) struct StoreChange {
    /// Hex of its configuration's digest.
    pub(super) id: String,
    /// The names that it gets.
    pub(in crate::engine::import) names: Vec<String>,
    /// Whether a store of the node had it before, under other names or not whole.
    pub(super) known: bool,
    /// The ids of the images in that store that names of these led to before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) was: BTreeMap<String, String>,
    /// The root directory of the node.
    pub(super) root: PathBuf,
}

impl StoreChange {
    /// One of an image of these names, by what the store that it comes into has of them.
    pub(super) fn of(id: String, names: Vec<String>, known: bool, root: PathBuf, own: &Records) -> Self {
        let was = |name: &String| {
            let before = own.named(name).filter(|stored| stored.id != id)?;
            Some((name.clone(), before.id.clone()))
        };
        let was = names.iter().filter_map(was).collect();
        Self { id, names, known, was, root }
    }

    /// Those of its names that go with it.
    fn removed<'a>(&'a self, restored: &'a [String]) -> impl Iterator<Item = String> + 'a {
        self.names.iter().filter(|name| !restored.contains(name)).cloned()
    }

    /// What becomes of it, by what the store has.
    fn fate(&self, records: &Records, podman: bool) -> Fate {
        let Some(stored) = records.with_id(&self.id) else { return Fate::Untouched };
        let kept = |reason: String| Fate::Kept(format!("{}: {reason}", self.words()));
        if self.known {
            return kept(
                "the image was there before this run; podman untag takes a name away by itself".to_owned(),
            );
        }
        let others: Vec<&str> =
            stored.names.iter().filter(|name| !self.names.contains(name)).map(String::as_str).collect();
        if !others.is_empty() {
            return kept(format!(
                "the image has other names by now ({}); podman untag takes a name away by itself",
                others.join(", ")
            ));
        }
        let moved = self.was.iter().filter(|(name, _)| stored.names.contains(name));
        let mut restored = Vec::new();
        for (name, was) in moved {
            if records.with_id(was).is_none() {
                return kept(format!("{name} led to the image {was} before, which is gone from the store"));
            }
            if !podman {
                return kept(format!(
                    "{name} led to the image {was} before: install podman to have that name given back"
                ));
            }
            restored.push(name.clone());
        }
        Fate::Back { restored }
    }

    /// Its names, in words.
    fn words(&self) -> String {
        self.names.join(", ")
    }
}

/// What becomes of an image that a run brought.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It is not there.
    Untouched,
    /// It stays, for this reason.
    Kept(String),
    /// It goes, once these names lead again to what they led to before.
    Back {
        /// The names.
        restored: Vec<String>,
    },
}

/// One change for each image: two of a bundle may be one in a store.
fn gathered(changes: &[StoreChange]) -> Vec<StoreChange> {
    let mut all: Vec<StoreChange> = Vec::new();
    for change in changes {
        match all.iter_mut().find(|one| one.id == change.id) {
            Some(one) => {
                one.names.extend(change.names.iter().cloned());
                one.was.extend(change.was.clone());
            }
            None => all.push(change.clone()),
        }
    }
    all
}

/// Takes out what the run brought; without `write` it is only said what would become of it.
///
/// # Errors
/// No store or no program to write it with, [`ImportError::Locked`], a file error, or that the job was asked to stop.
pub(in crate::engine::import) async fn take_back(
    changes: &[StoreChange],
    write: bool,
    ctx: &JobCtx,
) -> Result<UndoReport> {
    let mut report = UndoReport::default();
    let changes = gathered(changes);
    let Some(first) = changes.first() else { return Ok(report) };
    let (files, root) = (ctx.files.clone(), first.root.clone());
    let (place, records) = blocking(move || {
        let place = Place::of(&*files, &root, None)?;
        let records = own_records(&*files, &place)?;
        Ok((place, records))
    })
    .await?;
    let podman = Program::Podman.is_there().await;
    let mut brought = Vec::new();
    for change in &changes {
        match change.fate(&records, podman) {
            Fate::Untouched => report.untouched.extend(change.names.iter().cloned()),
            Fate::Kept(reason) => report.kept.push(reason),
            Fate::Back { restored } => brought.push((change, restored)),
        }
    }
    if !write {
        for (change, restored) in &brought {
            report.removed.extend(change.removed(restored));
            report.restored.extend(restored.iter().cloned());
        }
    } else if !brought.is_empty() {
        let brought: Vec<&StoreChange> = brought.into_iter().map(|(change, _)| change).collect();
        remove(&place, &brought, podman, &mut report, ctx).await?;
    }
    Ok(report)
}

/// What the store that is written has; those beside it are read-only.
pub(super) fn own_records(files: &dyn Files, place: &Place) -> Result<Records> {
    let mut records = Records::default();
    records.add(files, &place.directory)?;
    Ok(records)
}

async fn remove(
    place: &Place,
    brought: &[&StoreChange],
    podman: bool,
    report: &mut UndoReport,
    ctx: &JobCtx,
) -> Result<()> {
    let target = place.target.to_string();
    let program = Program::find(&target).await?;
    let (files, store) = (ctx.files.clone(), place.directory.clone());
    // What podman can work with is good for both.
    let staged = if podman { Program::Podman } else { program };
    let (staging, _held) = blocking(move || {
        let locked = || ImportError::Locked { path: store.clone() };
        let held = directory::hold(&*files, &store)?.ok_or_else(locked)?;
        Ok((Staging::create(&*files, &store, staged)?, held))
    })
    .await?;
    let tool = Tool { program, address: place.address.clone(), target };
    let mut ended = Ok(());
    for change in brought {
        ended = one(change, (place, &tool, &staging), podman, report, ctx).await;
        if ended.is_err() {
            break;
        }
    }
    let files = ctx.files.clone();
    blocking(move || staging.clear(&*files)).await?;
    ended
}

/// One image, by what the store says of it now: others write there, too.
async fn one(
    change: &StoreChange,
    (place, tool, staging): (&Place, &Tool, &Staging),
    podman: bool,
    report: &mut UndoReport,
    ctx: &JobCtx,
) -> Result<()> {
    let (files, place) = (ctx.files.clone(), place.clone());
    let records = blocking(move || own_records(&*files, &place)).await?;
    let restored = match change.fate(&records, podman) {
        Fate::Untouched => {
            report.untouched.extend(change.names.iter().cloned());
            return Ok(());
        }
        Fate::Kept(reason) => {
            report.kept.push(reason);
            return Ok(());
        }
        Fate::Back { restored } => restored,
    };
    let image = change.words();
    for name in &restored {
        // skopeo names only what it copies, and a copy out of a store is another image.
        let tagger = Tool { program: Program::Podman, ..tool.clone() };
        let was = change.was.get(name).map_or("", String::as_str);
        let copy = Copy { image: name, id: was, platform: None, files: &[] };
        tagger.name(ctx, staging, &copy, name).await?;
        report.restored.push(name.clone());
    }
    let copy = Copy { image: &image, id: &change.id, platform: None, files: &[] };
    let done = tool.deleted(ctx, staging, &copy).await?;
    if done.success {
        report.removed.extend(change.removed(&restored));
    } else {
        report.kept.push(format!("{image}: {}: {}", tool.program.name(), last_words(&done.words)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    fn change(was: &[(&str, &str)]) -> StoreChange {
        let was = was.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect();
        StoreChange { id: "i2".into(), names: vec!["a/b:1".into()], known: false, was, root: "/".into() }
    }

    fn records(images: &str) -> Records {
        let store = tempfile::tempdir().unwrap();
        std::fs::create_dir(store.path().join("overlay-images")).unwrap();
        std::fs::write(store.path().join("overlay-images/images.json"), images).unwrap();
        let mut records = Records::default();
        records.add(&RealFiles, store.path()).unwrap();
        records
    }

    #[test]
    fn a_name_goes_back_to_where_it_led_and_an_image_that_cannot_give_it_back_stays() {
        let (both, alone) =
            (r#"[{"id":"i1"},{"id":"i2","names":["a/b:1"]}]"#, r#"[{"id":"i2","names":["a/b:1"]}]"#);
        let moved = change(&[("a/b:1", "i1")]);
        let back =
            |names: &[&str]| Fate::Back { restored: names.iter().map(|one| (*one).to_owned()).collect() };
        assert_eq!(moved.fate(&records(both), true), back(&["a/b:1"]));
        assert_eq!(change(&[]).fate(&records(both), true), back(&[]));
        for (images, podman, words) in [(alone, true, "gone from the store"), (both, false, "install podman")]
        {
            let Fate::Kept(reason) = moved.fate(&records(images), podman) else { panic!("{words}") };
            assert!(reason.contains(words), "{reason}");
        }
        assert_eq!(moved.fate(&records("[]"), true), Fate::Untouched);
        let elsewhere = r#"[{"id":"i2"},{"id":"i3","names":["a/b:1"]}]"#;
        assert_eq!(moved.fate(&records(elsewhere), true), back(&[]), "the name is another image's by now");
    }

    #[test]
    fn what_a_name_led_to_is_noted_and_older_notes_are_read() {
        let own = records(r#"[{"id":"i1","names":["a/b:1"]},{"id":"i2","names":["a/b:2"]}]"#);
        let names = ["a/b:1", "a/b:2", "a/b:3"].map(str::to_owned).to_vec();
        let noted = StoreChange::of("i2".into(), names, false, "/".into(), &own);
        assert_eq!(noted.was, BTreeMap::from([("a/b:1".to_owned(), "i1".to_owned())]));
        let older = r#"{"id":"i2","names":["a/b:1"],"known":false,"root":"/"}"#;
        assert_eq!(serde_json::from_str::<StoreChange>(older).unwrap(), change(&[]));
        assert_eq!(serde_json::to_string(&change(&[])).unwrap(), older);
    }
}
