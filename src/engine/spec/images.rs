//! Which images a job is about: names and sources gathered into requests, held to a lock file where there is one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::lock::Lock;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::domain::selection::{Origin, Problem, Request, Requests};
use crate::domain::text;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Explain, Kind, Result};
use crate::engine::lockfile;
use crate::engine::registry::Registry;
use crate::engine::select::{self, Source};

/// Which images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Images {
    /// As they were written.
    pub references: Vec<String>,
    /// What else names images; list files come first.
    pub sources: Vec<Source>,
    /// What to carry of multi-platform images; nothing means all of it.
    pub platforms: Vec<Platform>,
    /// Whether signatures and referrers are looked for.
    pub signatures: bool,
}

/// Why there is nothing to work on.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// Nothing was asked for.
    #[error("no image is named: give references, -f FILE or --from SOURCE")]
    Nothing,
    /// Nothing was asked for where a lock file alone would do.
    #[error("no image is named: give references, -f FILE, --from SOURCE or --lock FILE")]
    NothingHeld,
    /// Some of what was asked for is not known.
    #[error("{} could not be read: {}", text::count(.0.len() as u64, "place"), .0.join("; "))]
    Unread(Vec<String>),
    /// A lock file that has to be there.
    #[error("there is no lock file {}", .0.display())]
    NoLock(PathBuf),
    /// A platform that the lock file was not made for.
    #[error("{}: {reference} is {outside}", path.display())]
    Outside {
        /// The lock file.
        path: PathBuf,
        /// The image.
        reference: Reference,
        /// What it is locked for and what was asked.
        outside: String,
    },
}

impl Explain for ImagesError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Nothing | Self::NothingHeld => return Vec::new(),
            Self::Unread(_) => {
                "mend them, or --keep-going=unresolved packs what could be read and marks the bundle incomplete"
            }
            Self::NoLock(_) => "airlift resolve REF… --lock FILE writes it",
            Self::Outside { .. } => "name a platform that it is locked for, or resolve with --lock again",
        };
        vec![hint.to_owned()]
    }
}

impl Images {
    /// Whether nothing names an image.
    pub const fn is_empty(&self) -> bool {
        self.references.is_empty() && self.sources.is_empty()
    }

    /// Everything that is named, each reference once.
    pub async fn requests(&self, registry: &Registry, ctx: &JobCtx) -> Result<Requests> {
        if self.is_empty() {
            return Err(ImagesError::Nothing.into());
        }
        select::requests(&self.references, &self.sources, registry, ctx).await
    }

    /// The same, held to the content that a lock file names; where nothing else is named, all of the lock file.
    pub(super) async fn held(
        &self,
        lock: Option<(PathBuf, Lock)>,
        registry: &Registry,
        ctx: &JobCtx,
    ) -> Result<Requests> {
        let mut requests = match &lock {
            Some((path, lock)) if self.is_empty() => all_of(lock, path)?,
            _ => self.requests(registry, ctx).await?,
        };
        if let Some((path, lock)) = lock {
            for request in &mut requests.wanted {
                hold(request, &lock, &path, &self.platforms, ctx)?;
            }
        }
        Ok(requests)
    }
}

/// Reads a lock file that has to be there.
pub(super) async fn lock_of(path: PathBuf, ctx: &JobCtx) -> Result<(PathBuf, Lock)> {
    let job = ctx.clone();
    blocking(move || match lockfile::read(&path, &job)? {
        Some(lock) => Ok((path, lock)),
        None => Err(ImagesError::NoLock(path).into()),
    })
    .await
}

/// All that a lock file has; what it lacks is a problem, so that it is not taken for the whole.
fn all_of(lock: &Lock, path: &Path) -> Result<Requests> {
    let references = lock.images().iter().map(|locked| locked.reference.to_string());
    let wanted = references.map(|text| Request::parse(&text)).collect::<std::result::Result<_, _>>()?;
    let lacking = lock.missing().map(|missing| lacking(missing, path));
    Ok(Requests { wanted, problems: lacking.collect(), ..Requests::default() })
}

/// What a lock file was written without: a reference that did not resolve, else `PLACE: REASON` of what could not be read.
fn lacking(missing: &str, path: &Path) -> Problem {
    let (origin, reason) = match missing.split_once(": ") {
        Some((place, reason)) => (place.to_owned(), reason.to_owned()),
        None => {
            let words = format!("it was written without {missing}; resolve --lock again");
            (path.display().to_string(), words)
        }
    };
    Problem { origin: Origin::named(origin), reason, text: None }
}

fn hold(request: &mut Request, lock: &Lock, path: &Path, asked: &[Platform], ctx: &JobCtx) -> Result<()> {
    let by_digest = request.reference.digest().is_some();
    let hold = lock.hold(&request.reference, asked).map_err(|outside| ImagesError::Outside {
        path: path.to_owned(),
        reference: request.reference.clone(),
        outside: outside.to_string(),
    })?;
    match hold {
        Some(hold) => {
            request.pin = (!by_digest).then(|| hold.digest.clone());
            request.hold = Some(hold);
        }
        // What is not listed is said, as that is what a lock is for.
        None if !by_digest => {
            ctx.warn(format!("{} is not in {}: its tag decides", request.reference, path.display()));
        }
        None => {}
    }
    Ok(())
}
