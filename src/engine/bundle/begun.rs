//! What lies in an unfinished bundle, held against what is asked for now: what stays, what is deleted, and whether it was the same.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::assemble::{AssembleSpec, Plan};
use super::foresee::is_whole;
use super::repeat;
use super::unfinished::Share;
use crate::domain::digest::Digest;
use crate::domain::lying::is_blobs;
use crate::domain::plan::Limits;
use crate::domain::progress::Event;
use crate::domain::text;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Explain, Kind, Result};
use crate::engine::journal::{Header, Interrupted};
use crate::engine::store::TEMP;

/// What a run that was cut off left, by names and lengths; nothing of it is proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// Whether it was about what is asked for now, for all that is known: nothing of it is deleted but what is left out
    /// by now or of an image that changed, and else it counted as many images, blobs and bytes.
    pub same: bool,
    /// Of the same list, the names that lead to other images by now.
    pub moved: u64,
    /// Blobs of those that are asked for now.
    pub blobs: Share,
    /// Bytes of files that are deleted: they belong to nothing that is asked for now.
    pub deleted: u64,
    /// Whether a pack refuses to delete them: they are of images that are not asked for now, and nobody gave those up.
    pub refused: bool,
}

/// An interrupted bundle is not deleted unasked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the interrupted bundle {} holds {} of {}: they would be deleted",
    .root.display(), text::bytes(*.deleted), others(.lost)
)]
pub struct OthersBegun {
    /// The bundle.
    root: PathBuf,
    /// Bytes that are of no use for what is asked for now.
    deleted: u64,
    /// The images that it was begun with and that are not asked for now, where that is known.
    lost: Vec<String>,
}

fn others(lost: &[String]) -> String {
    match lost {
        [] => "images that are not packed now".to_owned(),
        [one] => format!("{one}, which is not packed now"),
        [first, rest @ ..] => {
            format!("{first} and {}, which are not packed now", text::count(rest.len() as u64, "other image"))
        }
    }
}

impl Explain for OthersBegun {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        vec![
            "nothing was written; the command that began it goes on with it, and so does one with more images"
                .to_owned(),
            "--anew gives that one up and begins here".to_owned(),
            "for another delivery, pack under another --name".to_owned(),
        ]
    }
}

impl Begun {
    /// Whether it goes on just as it was begun, and nothing that came of it is lost.
    pub const fn is_as_begun(&self) -> bool {
        self.same && self.moved == 0 && self.deleted == 0
    }

    /// What becomes of it, as it is called.
    pub(super) fn words(&self, called: &str) -> String {
        let Share { done, total } = self.blobs;
        let there = match done {
            0 => "no layer that is asked for is whole there yet".to_owned(),
            _ => format!("{done} of {total} layers and configs lie there already and stay"),
        };
        // By a tag that moved, or by a lock file or a pin.
        let moved = (self.moved > 0).then(|| {
            let now = if self.moved == 1 {
                "has changed since, and is packed as it is"
            } else {
                "have changed since, and are packed as they are"
            };
            format!("{} {now} now", text::count(self.moved, "image"))
        });
        match (self.same, self.deleted) {
            (true, deleted) => {
                let deleted = (deleted > 0).then(|| {
                    let deleted = text::bytes(deleted);
                    format!("{deleted} of it are deleted, as nothing that is packed now has them")
                });
                let all: Vec<String> = moved.into_iter().chain(deleted).chain([there]).collect();
                format!("goes on with the {called} there: {}", all.join("; "))
            }
            (false, 0) => format!("the {called} there is of another list and becomes this one: {there}"),
            (false, deleted) => {
                let deleted = text::bytes(deleted);
                format!("the {called} there is replaced: {deleted} of it are deleted; {there}")
            }
        }
    }
}

impl std::fmt::Display for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words("interrupted bundle"))
    }
}

/// Says of an unfinished bundle that is gone on with what becomes of it, before anything of it is deleted.
///
/// # Errors
/// [`OthersBegun`] where it is to be of other images, and that was not allowed.
pub(super) fn tell(
    place: &repeat::Place,
    asked: (&Plan, &AssembleSpec, &Limits),
    there: &HashMap<String, u64>,
    ctx: &JobCtx,
) -> Result<()> {
    if let repeat::Place::New { root, told, .. } = place
        && !there.is_empty()
    {
        let told = told.as_deref();
        let begun = begun(told, asked, there);
        if let Some(refused) = refusal((root, told), asked.1, &begun) {
            return Err(refused.into());
        }
        ctx.say(Event::Note { text: begun.to_string() });
    }
    Ok(())
}

/// Why a pack does not go on with it, where it does not.
pub(super) fn refusal(
    (root, told): (&Path, Option<&Interrupted>),
    spec: &AssembleSpec,
    begun: &Begun,
) -> Option<OthersBegun> {
    let lost = || told.map(|told| lost(&told.header, spec)).unwrap_or_default();
    begun.refused.then(|| OthersBegun { root: root.to_owned(), deleted: begun.deleted, lost: lost() })
}

/// The images that a bundle was begun with and that are not asked for now; those whose tag has moved are, and those that
/// may be left out.
fn lost(header: &Header, spec: &AssembleSpec) -> Vec<String> {
    let mut asked: HashSet<String> = spec.images.iter().map(|image| image.reference.to_string()).collect();
    asked.extend(spec.left_out.iter().cloned());
    header.asked.iter().filter(|name| !asked.contains(*name)).cloned().collect()
}

/// What the images of a pack are named by, and what those names lead to.
pub(super) fn named(spec: &AssembleSpec) -> BTreeMap<String, Digest> {
    spec.images.iter().map(|image| (image.reference.to_string(), image.digest.clone())).collect()
}

/// Of a bundle that was begun with just these names: how many of them are left out now, and how many lead to another image
/// by now. Nothing where it was begun with others.
fn of_the_same(header: &Header, spec: &AssembleSpec) -> Option<(usize, usize)> {
    let left_out = header.asked.iter().filter(|name| spec.left_out.contains(name)).count();
    let alike = header.asked.len() == left_out + spec.images.len() && lost(header, spec).is_empty();
    let now = named(spec);
    let moved = header.named.iter().filter(|(name, was)| now.get(*name).is_some_and(|now| now != *was));
    alike.then(|| (left_out, moved.count()))
}

/// Looks at it, by what is told of it and the lengths of the files there.
pub(super) fn begun(
    told: Option<&Interrupted>,
    (plan, spec, limits): (&Plan, &AssembleSpec, &Limits),
    there: &HashMap<String, u64>,
) -> Begun {
    let (blobs, wanted) = (&plan.blobs, wanted(plan));
    let stays = |path: &str| belongs(path.strip_suffix(TEMP).unwrap_or(path), &wanted);
    let goes = |path: &str| is_blob(path) && !stays(path);
    let deleted = there.iter().filter(|(path, _)| goes(path)).map(|(_, size)| *size).sum();
    let whole = blobs.blobs.iter().filter(|blob| is_whole(&blob.digest, blob.size, there, limits));
    let counted = (spec.images.len() as u64, blobs.blobs.len() as u64, blobs.bytes);
    let header = told.map(|told| &told.header);
    let begun_with = told.filter(|told| !told.whole).map(|told| &told.header);
    let alike = begun_with.is_none_or(|header| (header.images, header.blobs, header.bytes) == counted);
    let (left_out, moved) = header.and_then(|header| of_the_same(header, spec)).unwrap_or_default();
    let others = match header.filter(|header| !header.asked.is_empty()) {
        Some(header) => !lost(header, spec).is_empty(),
        // Where it is not known what was asked for, as a power cut may leave it, what lies there tells.
        None => !there.keys().any(|path| is_blob(path) && stays(path)),
    };
    let refused = deleted > 0 && others && !spec.bundle.anew;
    let blobs = Share { done: whole.count() as u64, total: counted.1 };
    let same = left_out > 0 || moved > 0 || (deleted == 0 && alike);
    Begun { same, moved: moved as u64, blobs, deleted, refused }
}

/// Whether it is a file of blobs, and no directory of them.
pub(super) fn is_blob(path: &str) -> bool {
    is_blobs(path) && digits(path).len() > 32
}

/// The blobs of a plan, by the hexadecimal digits of their digests.
pub(super) fn wanted(plan: &Plan) -> HashSet<&str> {
    let blobs = plan.blobs.blobs.iter().map(|blob| &blob.digest);
    blobs.chain(plan.documents.keys()).map(Digest::hex).collect()
}

/// Whether a file of an unfinished bundle is a blob of those, or a part of one.
pub(super) fn belongs(path: &str, wanted: &HashSet<&str>) -> bool {
    is_blobs(path) && wanted.contains(digits(path))
}

/// What a file of blobs is named by.
fn digits(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}
