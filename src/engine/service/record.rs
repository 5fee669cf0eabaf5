//! The record of an installation: what was written where, and what had been there, so that exactly that can be undone.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Root;
use super::error::ServiceError;
use crate::domain::digest::Digest;
use crate::domain::service::RECORD;
use crate::domain::strict_json;
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::Result;
use crate::engine::files::{open_named, read_whole};
use crate::engine::store;

/// A longer record is none of ours.
const MAX_RECORD: u64 = 1 << 20;

/// What is ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    /// Version of this form.
    airlift: u32,
    /// Files and links, in the order in which they were written.
    pub(super) pieces: Vec<Ours>,
    /// Directories that were made, outer ones first.
    pub(super) directories: Vec<PathBuf>,
}

/// One file or link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Ours {
    /// As a path of the node.
    pub(super) path: PathBuf,
    /// What was written: now, and before by the installation that this one replaced, as one that is cut off may leave
    /// either.
    pub(super) marks: Vec<Mark>,
    /// Where what was there before is kept.
    pub(super) backup: Option<PathBuf>,
}

/// What tells a file or link from another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mark {
    /// A file with these bytes.
    File(Digest),
    /// A link to this.
    Link(PathBuf),
    /// Neither.
    Other,
}

impl Record {
    /// A new one.
    pub(super) const fn new() -> Self {
        Self { airlift: 1, pieces: Vec::new(), directories: Vec::new() }
    }

    /// Reads it; nothing where nothing was installed. Blocks.
    pub(super) fn read(ctx: &JobCtx, root: &Root) -> Result<Option<Self>> {
        let path = root.real(Path::new(RECORD));
        let open = match open_named(&*ctx.files, &path) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let wrong = |reason: String| ServiceError::Record { record: path.clone(), reason };
        let bytes = read_whole(open, MAX_RECORD).map_err(|error| wrong(error.to_string()))?;
        let record: Self = strict_json::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
        if record.airlift != 1 {
            return Err(wrong(format!("version {}, expected 1", record.airlift)).into());
        }
        let paths = record.pieces.iter().flat_map(|ours| [Some(&ours.path), ours.backup.as_ref()]).flatten();
        let odd =
            |path: &&PathBuf| !path.is_absolute() || path.components().any(|part| part.as_os_str() == "..");
        let odd = paths.chain(&record.directories).find(odd).cloned();
        match odd {
            Some(odd) => Err(wrong(format!("{odd:?} is no path of the node")).into()),
            None => Ok(Some(record)),
        }
    }

    /// Writes it. Blocks.
    pub(super) fn write(&self, ctx: &JobCtx, root: &Root) -> Result<()> {
        let path = root.real(Path::new(RECORD));
        let wrong = |error: serde_json::Error| ServiceError::Record {
            record: path.clone(),
            reason: error.to_string(),
        };
        let mut bytes = serde_json::to_vec_pretty(self).map_err(wrong)?;
        bytes.push(b'\n');
        let temp = directory::suffixed(&path, ".airlift-tmp");
        store::replace(&*ctx.files, (&temp, &path), bytes.as_slice())?;
        Ok(ctx.files.set_mode(&path, 0o644)?)
    }

    /// Whether something at a path is ours.
    pub(super) fn has(&self, path: &Path, mark: &Mark) -> bool {
        self.of(path).is_some_and(|ours| ours.marks.contains(mark))
    }

    /// What is ours at a path.
    pub(super) fn of(&self, path: &Path) -> Option<&Ours> {
        self.pieces.iter().find(|ours| ours.path == path)
    }
}
