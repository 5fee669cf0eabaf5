//! Takes back what a run put into the node's own store: an image that it brought goes, and where that has other names, too, or was there before, the names that it got.
//!
//! An additional store keeps its images: whoever writes there cannot know which containers of the node use them.

mod fate;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::place::Place;
use super::process::{Ended, last_words};
use super::staging::Staging;
use super::tool::{Copy, Program, Tool};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::{Kind, Result};
use crate::engine::import::containerd::names::UndoReport;
use crate::engine::import::error::ImportError;
use crate::engine::stays::Stays;
use crate::engine::storage::store::{Records, containers};

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
    /// Which of its names led to it before; nothing where an earlier program noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) had: Option<Vec<String>>,
    /// The root directory of the node.
    pub(super) root: PathBuf,
    /// Whether nothing of it was there yet when this was noted; once it was, that is noted without this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::engine::import) announced: bool,
}

impl StoreChange {
    /// One of an image of these names, by what the store that it comes into has of them; of names that lead to it already
    /// or nowhere by now, by what a run that was cut off noted of them.
    pub(super) fn of(
        (id, names): (String, Vec<String>),
        known: bool,
        root: PathBuf,
        own: &Records,
        earlier: &BTreeMap<String, String>,
    ) -> Self {
        let was = |name: &String| {
            let before = match own.named(name).filter(|stored| stored.id != id) {
                Some(stored) => &stored.id,
                None => earlier.get(name)?,
            };
            Some((name.clone(), before.clone()))
        };
        let was = names.iter().filter_map(was).collect();
        // What it has of a run that was cut off is no name of before.
        let before = own.with_id(&id).filter(|_| known);
        let had = names.iter().filter(|name| before.is_some_and(|stored| stored.names.contains(name)));
        let had = Some(had.cloned().collect());
        Self { id, names, known, was, had, root, announced: false }
    }

    /// The same as it is noted first.
    pub(super) fn announced(self) -> Self {
        Self { announced: true, ..self }
    }

    /// The same once the image is there, and before it gets a name.
    pub(super) fn brought(self) -> Self {
        Self { announced: false, ..self }
    }

    /// Adds it to others, in place of its own announcement.
    pub(in crate::engine::import) fn add_to(self, all: &mut Vec<Self>) {
        let announced = all.iter().position(|one| *one == self.clone().announced());
        match announced {
            Some(at) => all[at] = self,
            None => all.push(self),
        }
    }

    /// The ids of what its names led to before.
    pub(super) const fn was(&self) -> &BTreeMap<String, String> {
        &self.was
    }
}

/// One change for each image: two of a bundle may be one in a store.
fn gathered(changes: &[StoreChange]) -> Vec<StoreChange> {
    let mut all: Vec<StoreChange> = Vec::new();
    for change in changes {
        match all.iter_mut().find(|one| one.id == change.id) {
            Some(one) => {
                one.names.extend(change.names.iter().cloned());
                one.was.extend(change.was.clone());
                one.had = one.had.take().zip(change.had.clone()).map(|(one, other)| [one, other].concat());
                one.announced &= change.announced;
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
        let records = place.own_records(&*files)?;
        Ok((place, records))
    })
    .await?;
    let podman = Program::Podman.is_there().await;
    let mut brought = Vec::new();
    for change in &changes {
        let fate = change.fate(&records, podman);
        if fate.is_idle() {
            change.untouched(&records, &mut report);
        } else if write && fate.is_work() {
            brought.push(change);
        } else {
            report.kept.extend(fate.kept);
            report.restored.extend(fate.restored);
            report.removed.extend(fate.removed.into_iter().flatten().chain(fate.untagged));
        }
    }
    if !brought.is_empty() {
        remove(&place, &brought, podman, &mut report, ctx).await?;
    }
    Ok(report)
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
    let (files, own) = (ctx.files.clone(), place.clone());
    let records = blocking(move || own.own_records(&*files)).await?;
    let fate = change.fate(&records, podman);
    if fate.is_idle() {
        change.untouched(&records, report);
        return Ok(());
    }
    report.kept.extend(fate.kept);
    let (image, mut refused) = (change.words(), false);
    // skopeo names only what it copies, and a copy out of a store is another image; no name goes without its image.
    let tagger = Tool { program: Program::Podman, ..tool.clone() };
    if !fate.untagged.is_empty() {
        let copy = Copy { image: &image, id: &change.id, platform: None, files: &[] };
        let names: Vec<&str> = fate.untagged.iter().map(String::as_str).collect();
        let words = [&["untag", &change.id], &names[..]].concat();
        match refusal(&tagger, tagger.podman(ctx, staging, &copy, &words).await)? {
            None => report.removed.extend(fate.untagged),
            Some(reason) => report.kept.push(change.stays(&reason)),
        }
    }
    for name in fate.restored {
        let was = change.was.get(&name).map_or("", String::as_str);
        let copy = Copy { image: &name, id: was, platform: None, files: &[] };
        match refusal(&tagger, tagger.tagged(ctx, staging, &copy, &name).await)? {
            None => report.restored.push(name),
            Some(reason) => {
                refused = true;
                let led = format!("{name}: it does not lead again to the image {was}, as before");
                report.kept.push(Stays::new([name], format!("{led}: {reason}")));
            }
        }
    }
    let Some(removed) = fate.removed.filter(|_| !refused) else { return Ok(()) };
    let copy = Copy { image: &image, id: &change.id, platform: None, files: &[] };
    // Those it has by now: what was given back is another's.
    let held = records.with_id(&change.id).map(|stored| stored.names.clone()).unwrap_or_default();
    let held: Vec<String> = held.into_iter().filter(|name| !report.restored.contains(name)).collect();
    match refusal(tool, tool.deleted(ctx, staging, &copy, &held).await)? {
        None => report.removed.extend(removed),
        Some(reason) => {
            let users = users(change, place, ctx).await?;
            report.kept.push(match users.is_empty() {
                true => change.stays(&reason),
                false => change.stays(&format!(
                    "a container uses the image that this run brought ({}): once podman rm or crictl rm took it away, the \
                     image can be taken back",
                    users.join(", ")
                )),
            });
        }
    }
    Ok(())
}

/// Why something was not done, where that keeps nothing else from being done.
fn refusal(tool: &Tool, done: Result<Ended>) -> Result<Option<String>> {
    match done {
        Ok(done) if done.success => Ok(None),
        Ok(done) => Ok(Some(format!("{}: {}", tool.program.name(), last_words(&done.words)))),
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        Err(error) => Ok(Some(error.message())),
    }
}

/// The containers that use an image of the store.
async fn users(change: &StoreChange, place: &Place, ctx: &JobCtx) -> Result<Vec<String>> {
    let (files, store, id) = (ctx.files.clone(), place.directory.clone(), change.id.clone());
    blocking(move || containers(&*files, &store, &id)).await
}

#[cfg(test)]
mod tests {
    use super::fate::Fate;
    use super::*;
    use crate::engine::files::RealFiles;

    fn change(was: &[(&str, &str)]) -> StoreChange {
        let was = was.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect();
        let (id, names, root) = ("i2".into(), vec!["a/b:1".into()], "/".into());
        StoreChange { id, names, known: false, was, had: None, root, announced: false }
    }

    fn records(images: &str) -> Records {
        let store = tempfile::tempdir().unwrap();
        std::fs::create_dir(store.path().join("overlay-images")).unwrap();
        std::fs::write(store.path().join("overlay-images/images.json"), images).unwrap();
        let mut records = Records::default();
        records.add(&RealFiles, store.path()).unwrap();
        records
    }

    fn fate(restored: &[&str], removed: Option<&[&str]>) -> Fate {
        let owned = |names: &[&str]| names.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let (kept, untagged) = (Vec::new(), Vec::new());
        Fate { restored: owned(restored), kept, untagged, removed: removed.map(owned) }
    }

    #[test]
    fn a_name_goes_back_to_where_it_led_and_an_image_that_cannot_give_it_back_stays() {
        let (both, alone) =
            (r#"[{"id":"i1"},{"id":"i2","names":["a/b:1"]}]"#, r#"[{"id":"i2","names":["a/b:1"]}]"#);
        let moved = change(&[("a/b:1", "i1")]);
        let nameless = Some(&["the image i2 of a/b:1"][..]);
        assert_eq!(moved.fate(&records(both), true), fate(&["a/b:1"], nameless));
        assert_eq!(change(&[]).fate(&records(both), true), fate(&[], Some(&["a/b:1"])));
        for (images, podman, words) in [(alone, true, "gone from the store"), (both, false, "install podman")]
        {
            let found = moved.fate(&records(images), podman);
            assert!(found.kept[0].words().contains(words) && found.removed.is_none(), "{found:?}");
        }
        assert!(moved.fate(&records("[]"), true).is_idle());
        let elsewhere = r#"[{"id":"i2"},{"id":"i3","names":["a/b:1"]}]"#;
        assert_eq!(moved.fate(&records(elsewhere), true), fate(&[], nameless), "it is another's by now");
    }

    #[test]
    fn a_name_that_went_with_the_image_or_was_left_on_one_that_was_there_comes_back_all_the_same() {
        let moved = change(&[("a/b:1", "i1")]);
        assert_eq!(moved.fate(&records(r#"[{"id":"i1"}]"#), true), fate(&["a/b:1"], None));
        let known = StoreChange { known: true, ..moved };
        let both = r#"[{"id":"i1"},{"id":"i2","names":["a/b:1","mine:1"]}]"#;
        assert_eq!(known.fate(&records(both), true), fate(&["a/b:1"], None));
        let known = StoreChange { known: true, ..change(&[]) };
        let found = known.fate(&records(both), true);
        assert!(found.kept[0].words().contains("there before this run"), "{found:?}");
    }

    #[test]
    fn an_image_that_was_only_announced_is_somebody_elses_unless_nobody_named_it() {
        let announced = || change(&[("a/b:1", "i1")]).announced();
        let named = records(r#"[{"id":"i1"},{"id":"i2","names":["a/b:1"]}]"#);
        let found = announced().fate(&named, true);
        assert!(found.kept[0].words().contains("before it named the image: it had"), "{found:?}");
        assert!(found.removed.is_none() && found.restored.is_empty(), "{found:?}");
        let mut noted = Vec::new();
        announced().add_to(&mut noted);
        announced().brought().add_to(&mut noted);
        assert_eq!(noted, [change(&[("a/b:1", "i1")])], "one image, and it is there by now");
        assert_eq!(noted[0].fate(&named, true).restored, ["a/b:1"]);
        for (images, removed) in [
            (r#"[{"id":"i1"},{"id":"i2"}]"#, true),
            (r#"[{"id":"i2","names":["localhost/run/airlift-import-1/layout:latest"]}]"#, true),
            (r#"[{"id":"i2","names":["mine:1"]}]"#, false),
            (r#"[{"id":"i1"}]"#, false),
        ] {
            let found = announced().fate(&records(images), true);
            assert_eq!((found.removed.is_some(), found.kept.len()), (removed, 0), "{images}: {found:?}");
            assert_eq!(found.restored, [""; 0], "nothing was moved");
        }
    }

    #[test]
    fn what_a_name_led_to_is_noted_and_older_notes_are_read() {
        let own = records(r#"[{"id":"i1","names":["a/b:1"]},{"id":"i2","names":["a/b:2"]}]"#);
        let names = ["a/b:1", "a/b:2", "a/b:3"].map(str::to_owned).to_vec();
        let of = |earlier: &BTreeMap<String, String>| {
            StoreChange::of(("i2".into(), names.clone()), false, "/".into(), &own, earlier).was
        };
        let led = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            all.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect()
        };
        assert_eq!(of(&BTreeMap::new()), led(&[("a/b:1", "i1")]));
        // A run that was cut off moved two of them from another image.
        let earlier = led(&[("a/b:1", "i0"), ("a/b:2", "i0"), ("a/b:3", "i0")]);
        assert_eq!(of(&earlier), led(&[("a/b:1", "i1"), ("a/b:2", "i0"), ("a/b:3", "i0")]));
        let older = r#"{"id":"i2","names":["a/b:1"],"known":false,"root":"/"}"#;
        assert_eq!(serde_json::from_str::<StoreChange>(older).unwrap(), change(&[]));
        assert_eq!(serde_json::to_string(&change(&[])).unwrap(), older);
    }
}
