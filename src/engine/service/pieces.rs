//! What an installation consists of, and how each piece gets its place: whole or not at all, what was there kept beside.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::record::{Mark, Record};
use super::{Done, Root, Step};
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::hash::sha256;
use crate::engine::store;

/// Suffixes of a file that is not finished.
const TEMP: &str = ".airlift-tmp";
const PART: &str = ".airlift-part";
/// Suffix of what was there before.
const BEFORE: &str = ".before-airlift-serve";
/// The longest file that is compared; what is longer is not ours.
const MAX_FILE: u64 = 1 << 30;

/// One file or link.
pub(super) struct Piece {
    /// As a path of the node.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) content: Content,
}

/// What a piece is.
pub(super) enum Content {
    /// A file with its permissions.
    File(Vec<u8>, u32),
    /// A link.
    Link(PathBuf),
}

impl Content {
    pub(super) fn mark(&self) -> Mark {
        match self {
            Self::File(bytes, _) => Mark::File(sha256(bytes)),
            Self::Link(to) => Mark::Link(to.clone()),
        }
    }
}

pub(super) fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { operation, path, source }
}

/// What lies at a path of this host; nothing where nothing does.
pub(super) fn there(path: &Path) -> Result<Option<Mark>> {
    let kind = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed("look at", path))?.file_type(),
    };
    if kind.is_symlink() {
        return Ok(Some(Mark::Link(std::fs::read_link(path).map_err(failed("read", path))?)));
    }
    if !kind.is_file() {
        return Ok(Some(Mark::Other));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed("read", path))?;
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(Mark::File(sha256(&bytes))))
}

/// What would become of a piece, and where what is there would be kept.
pub(super) fn foresee(root: &Root, record: &Record, piece: &Piece) -> Result<Step> {
    let path = piece.path.clone();
    let done = match there(&root.real(&path))? {
        None => Done::Written,
        Some(mark) if mark == piece.content.mark() => Done::There,
        Some(mark) if record.has(&path, &mark) => Done::Replaced,
        Some(mark) => Done::Kept { backup: backup_of(root, record, &path, &mark)? },
    };
    Ok(Step { path, done })
}

/// Where what is there is kept; an installation that was cut off may have kept it already.
fn backup_of(root: &Root, record: &Record, path: &Path, mark: &Mark) -> Result<PathBuf> {
    if let Some(kept) = record.of(path).and_then(|ours| ours.backup.clone())
        && there(&root.real(&kept))?.as_ref() == Some(mark)
    {
        return Ok(kept);
    }
    free_name(root, path)
}

fn free_name(root: &Root, path: &Path) -> Result<PathBuf> {
    let first = directory::suffixed(path, BEFORE);
    let mut name = first.clone();
    for number in 2..100 {
        if there(&root.real(&name))?.is_none() {
            break;
        }
        name = directory::suffixed(&first, &format!(".{number}"));
    }
    Ok(name)
}

/// Puts a piece in its place, as foreseen. Blocks.
pub(super) fn put(ctx: &JobCtx, root: &Root, piece: &Piece, done: &Done) -> Result<()> {
    let path = root.real(&piece.path);
    if let Done::Kept { backup } = done {
        // By a second name, so that at no moment there is nothing.
        let backup = root.real(backup);
        match std::fs::hard_link(&path, &backup) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(failed("link", &backup))?,
        }
    }
    if matches!(done, Done::There) {
        sweep(ctx, &path)?;
        return mode(ctx, &path, &piece.content);
    }
    directory::create_for_all(&*ctx.files, directory::above(&path))?;
    let temp = directory::suffixed(&path, TEMP);
    match &piece.content {
        Content::File(bytes, _) => {
            // Its permissions before its name: a program must not be there and not run.
            let part = directory::suffixed(&path, PART);
            store::replace(&*ctx.files, (&part, &temp), bytes.as_slice())?;
            mode(ctx, &temp, &piece.content)?;
        }
        Content::Link(to) => {
            ctx.files.remove(&temp)?;
            std::os::unix::fs::symlink(to, &temp).map_err(failed("link", &temp))?;
        }
    }
    ctx.files.rename(&temp, &path)?;
    Ok(ctx.files.sync_dir(directory::above(&path))?)
}

/// Removes what an installation left that was cut off at a piece.
pub(super) fn sweep(ctx: &JobCtx, path: &Path) -> Result<()> {
    for suffix in [TEMP, PART] {
        ctx.files.remove(&directory::suffixed(path, suffix))?;
    }
    Ok(())
}

fn mode(ctx: &JobCtx, path: &Path, content: &Content) -> Result<()> {
    let Content::File(_, mode) = content else { return Ok(()) };
    Ok(ctx.files.set_mode(path, *mode)?)
}
