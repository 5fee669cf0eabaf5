//! The verb `media check`: finds fake and failing media by marking free space and reading the marks back from the device.
//!
//! It proves that marks spread over the free space were kept. It cannot prove the space between them, nor space that
//! is taken. On a device that starts over at its end, writing past that end spoils what lies at its start: that is
//! what the device does to everything written to it, and why only free space of what can be lost should be checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::MediaError;
use super::find::{ListSpec, Place, place_of};
use super::marks::{self, Laid, Read};
use crate::domain::media::Blocked;
use crate::domain::probe::{Judgement, ProbePlan};
use crate::engine::blocking::blocking;
use crate::engine::bundle::readback::Method;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};

/// No more is written after this long; what was laid until then is read back.
const WRITING: Duration = Duration::from_secs(180);

/// What to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckSpec {
    /// A directory on the mounted medium; marks are written below it.
    pub path: PathBuf,
    /// Whether to tell only what would be written.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// The directory.
    pub path: PathBuf,
    /// The device, where there is one.
    pub device: Option<PathBuf>,
    /// Bytes free before.
    pub free: u64,
    /// What was to be written.
    pub plan: ProbePlan,
    /// What happened; nothing on a dry run.
    pub found: Option<Found>,
}

/// What was read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Bytes marked and read back.
    pub bytes: u64,
    /// Bytes of free space that the marks are spread over.
    pub spread: u64,
    /// Whether all of the plan was carried out: there was time and room, and the file system reserves room.
    pub whole: bool,
    /// How the marks were read.
    pub method: Method,
    /// Bytes a second when writing, the waiting for the device included.
    pub write_rate: u64,
    /// Bytes a second when reading.
    pub read_rate: u64,
    /// Marks of 4 KiB that did not come back, of each kind.
    pub spoilt: Spoilt,
    /// Where the first of them lay, and what became of it.
    pub first: Option<Place4k>,
}

/// Marks of 4 KiB that did not come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spoilt {
    /// Gone, or unreadable.
    pub lost: u64,
    /// Begin well and differ later.
    pub damaged: u64,
    /// Overwritten by the mark of another place.
    pub another: u64,
}

/// One mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place4k {
    /// File of the check, 0 the one that is marked throughout.
    pub file: u32,
    /// Byte in it.
    pub offset: u64,
    /// What became of it.
    #[serde(flatten)]
    pub judgement: Judgement,
}

impl Spoilt {
    /// All of them.
    pub const fn all(&self) -> u64 {
        self.lost + self.damaged + self.another
    }
}

impl Found {
    /// Whether every mark came back.
    pub const fn is_good(&self) -> bool {
        self.spoilt.all() == 0
    }

    fn new(laid: &Laid, read: &Read) -> Self {
        let mut spoilt = Spoilt::default();
        for one in &read.spoilt {
            match one.judgement {
                Judgement::Another { .. } => spoilt.another += 1,
                Judgement::Damaged => spoilt.damaged += 1,
                Judgement::Lost | Judgement::Kept => spoilt.lost += 1,
            }
        }
        let place = |one: &marks::Spoilt| Place4k {
            file: one.file,
            offset: u64::from(one.index) * crate::domain::probe::MARK as u64,
            judgement: one.judgement,
        };
        Self {
            bytes: read.bytes,
            spread: laid.spread,
            whole: laid.reserved && !laid.cut,
            method: if read.direct { Method::Direct } else { Method::CacheDropped },
            write_rate: laid.rate,
            read_rate: read.rate,
            spoilt,
            first: read.spoilt.first().map(place),
        }
    }
}

/// Checks a medium. Its files are not touched; what is written is removed, also after a cancel, and by the next
/// check after a crash.
///
/// # Errors
/// A medium that cannot be written or has too little room, another check under way, a file error, a cancel. Marks
/// that did not come back are no error but the report's verdict.
pub async fn check(spec: CheckSpec, ctx: &JobCtx) -> Result<CheckReport> {
    let place = place_of(spec.path, ListSpec::default(), ctx).await?;
    if let Some(error) = unfit(&place) {
        return Err(error.into());
    }
    let ctx = ctx.clone();
    blocking(move || run(&place, spec.dry_run, &ctx)).await
}

/// For a moment nearly all free space is reserved: that is nothing for a disk that a system runs from, nor for memory.
fn unfit(place: &Place) -> Option<MediaError> {
    let path = place.path.clone();
    let Some(medium) = &place.medium else { return Some(MediaError::NoMedium { path }) };
    let why = match (&medium.blocked, place.why_read_only(), place.writable) {
        (Some(why), ..) if why.is_own() => why.clone(),
        (_, Some(why), _) => why,
        (_, None, false) => Blocked::NotWritable,
        (_, None, true) => return None,
    };
    Some(MediaError::Blocked { path, why })
}

fn run(place: &Place, dry_run: bool, ctx: &JobCtx) -> Result<CheckReport> {
    let top = &place.path;
    let failed = |operation| move |source| FileError { operation, path: top.join(marks::DIRECTORY), source };
    let Some(_held) = ctx.files.lock_dir(top)? else {
        return Err(MediaError::Locked { path: top.clone() }.into());
    };
    if !dry_run && marks::clear(&top.join(marks::DIRECTORY)).map_err(failed("clear"))? {
        ctx.warn("a check that was cut off left its marks there; they are removed");
    }
    let space = ctx.files.space(top)?;
    let free = space.free.unwrap_or(0);
    let plan = ProbePlan::new(free, space.inodes, space.max_file)
        .ok_or_else(|| MediaError::NoRoom { path: top.clone(), free })?;
    let device = place.medium.as_ref().map(|medium| medium.device.clone());
    let mut report = CheckReport { path: top.clone(), device, free, plan, found: None };
    if !dry_run {
        let cleared = Clearing(top.join(marks::DIRECTORY));
        std::fs::create_dir(&cleared.0).map_err(failed("create"))?;
        let laid = marks::lay(&cleared.0, &plan, WRITING, ctx)?;
        let read = laid.read(ctx)?;
        report.found = Some(Found::new(&laid, &read));
        cleared.now().map_err(failed("remove"))?;
    }
    Ok(report)
}

/// Removes the marks, whatever happens.
struct Clearing(PathBuf);

impl Clearing {
    fn now(self) -> std::io::Result<()> {
        marks::clear(&self.0).map(drop)
    }
}

impl Drop for Clearing {
    fn drop(&mut self) {
        // After an error that one is told; what stays is removed by the next check.
        let _ = marks::clear(Path::new(&self.0));
    }
}
