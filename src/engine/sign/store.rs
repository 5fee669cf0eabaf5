//! Changes to the trust file: a line added or taken out, everything else kept byte for byte.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use ssh_key::PublicKey;

use super::allowed::{AllowedSigners, Entry};
use super::keys::fingerprint;
use super::validity;
use crate::domain::bundle::NAMESPACE;
use crate::engine::directory;
use crate::engine::error::{Explain, FileError, Kind, Result};
use crate::engine::files::{Files, Held};
use crate::engine::store;

/// Why the trust file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It trusts this key already, on other terms.
    #[error("{file}:{line} trusts {fingerprint} already, for {principals}")]
    Already {
        /// The trust file.
        file: String,
        /// From 1.
        line: usize,
        /// The key.
        fingerprint: String,
        /// Whose it is.
        principals: String,
    },
    /// Nothing fits.
    #[error("{file} trusts no key {wanted:?}")]
    Unknown {
        /// The trust file.
        file: String,
        /// What was asked for.
        wanted: String,
    },
    /// A name that would not survive the file.
    #[error(
        "principal {0:?} is not allowed: 1 to 255 printable characters without blanks, quotes, commas or patterns"
    )]
    Principal(String),
    /// Another run changes a file there.
    #[error("{} is being written to by another run", .0.display())]
    Locked(PathBuf),
    /// Never valid.
    #[error("valid-before {before} is not after valid-after {after}")]
    Interval {
        /// Start.
        after: Timestamp,
        /// End.
        before: Timestamp,
    },
}

impl Explain for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::Locked(_) => Kind::Locked,
            _ => Kind::Usage,
        }
    }

    fn absent(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Already { fingerprint, .. } => {
                format!(
                    "that key needs nothing more; to change its terms: airlift key untrust {fingerprint}, then trust it anew"
                )
            }
            Self::Unknown { .. } => "airlift key list shows what is trusted".to_owned(),
            Self::Principal(_) => "a principal looks like alice@example.com".to_owned(),
            Self::Locked(_) => "wait for that run to end, then run this again".to_owned(),
            Self::Interval { .. } => return Vec::new(),
        };
        vec![hint]
    }
}

/// A key to be trusted.
#[derive(Clone, Debug)]
pub struct TrustSpec {
    /// The key; its comment stays a comment.
    pub key: PublicKey,
    /// Whose it is.
    pub principal: String,
    /// Not valid before.
    pub valid_after: Option<Timestamp>,
    /// Not valid after.
    pub valid_before: Option<Timestamp>,
}

/// What changed in the trust file.
#[derive(Clone, Debug, Serialize)]
pub struct StoreReport {
    /// The trust file.
    pub file: String,
    /// The lines added or removed.
    pub entries: Vec<Entry>,
}

/// Adds a line to the trust file, making the file where there is none. With `write` false only says what it would add.
///
/// # Errors
/// [`StoreError`], [`super::allowed::AllowedError`] where the file cannot be read as it stands, or a file error.
pub fn trust(files: &dyn Files, path: &Path, spec: &TrustSpec, write: bool) -> Result<StoreReport> {
    if !plain(&spec.principal) {
        return Err(StoreError::Principal(spec.principal.chars().take(255).collect()).into());
    }
    if let (Some(after), Some(before)) = (spec.valid_after, spec.valid_before)
        && before <= after
    {
        return Err(StoreError::Interval { after, before }.into());
    }
    let _held = if write {
        directory::create(files, directory::above(path))?;
        Some(hold(files, &target_of(path))?)
    } else {
        None
    };
    let (mut text, known) = current(files, path)?;
    if let Some(entry) = known.of(spec.key.key_data()).next() {
        return Err(StoreError::Already {
            file: path.display().to_string(),
            line: entry.line,
            fingerprint: entry.fingerprint.clone(),
            principals: entry.principals.clone(),
        }
        .into());
    }
    let line = line(spec);
    let added = AllowedSigners::parse(path, &line, &TimeZone::UTC)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&line);
    if write {
        rewrite(files, path, &text)?;
    }
    Ok(StoreReport { file: path.display().to_string(), entries: added.entries })
}

/// The lines that trust a key, if any does.
///
/// # Errors
/// [`super::allowed::AllowedError`] where the file cannot be read as it stands, or a file error.
pub fn trusted(files: &dyn Files, path: &Path, key: &PublicKey) -> Result<Option<StoreReport>> {
    let (_, known) = current(files, path)?;
    let entries: Vec<Entry> = known.of(key.key_data()).cloned().collect();
    Ok((!entries.is_empty()).then(|| StoreReport { file: path.display().to_string(), entries }))
}

/// Takes out every line of the key named by fingerprint, key id or principals as written.
///
/// # Errors
/// [`StoreError::Unknown`], [`super::allowed::AllowedError`] or a file error.
pub fn untrust(files: &dyn Files, path: &Path, wanted: &str, write: bool) -> Result<StoreReport> {
    // Where there is no file, that is the news.
    AllowedSigners::load(files, path)?;
    let _held = if write { Some(hold(files, &target_of(path))?) } else { None };
    let (text, known) = current(files, path)?;
    let fits = |entry: &&Entry| {
        entry.principals == wanted
            || entry.key_id == wanted
            || entry.fingerprint == wanted
            || entry.fingerprint.strip_prefix("SHA256:") == Some(wanted)
    };
    let removed: Vec<Entry> = known.entries.iter().filter(fits).cloned().collect();
    if removed.is_empty() {
        return Err(
            StoreError::Unknown { file: path.display().to_string(), wanted: wanted.to_owned() }.into()
        );
    }
    let gone = |number: usize| removed.iter().any(|entry| entry.line == number + 1);
    let kept: String = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(number, _)| !gone(*number))
        .map(|(_, line)| line)
        .collect();
    if write {
        rewrite(files, path, &kept)?;
    }
    Ok(StoreReport { file: path.display().to_string(), entries: removed })
}

fn current(files: &dyn Files, path: &Path) -> Result<(String, AllowedSigners)> {
    let text = match files.stat(&target_of(path))? {
        None => String::new(),
        Some(_) => AllowedSigners::text(files, path)?,
    };
    let known = AllowedSigners::parse_here(path, &text)?;
    Ok((text, known))
}

/// A name that is neither a pattern nor breaks a line.
fn plain(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && !name.starts_with(['#', '!'])
        && name
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\\' | ',' | '*' | '?'))
}

fn line(spec: &TrustSpec) -> String {
    let mut options = vec![format!("namespaces=\"{NAMESPACE}\"")];
    options.extend(spec.valid_after.map(|at| format!("valid-after=\"{}\"", validity::write(at))));
    options.extend(spec.valid_before.map(|at| format!("valid-before=\"{}\"", validity::write(at))));
    let mut key = spec.key.clone();
    let comment: String = key.comment().chars().filter(|c| !c.is_control()).collect();
    key.set_comment(comment);
    let key = key.to_openssh().unwrap_or_else(|_| fingerprint(spec.key.key_data()));
    format!("{} {} {key}\n", spec.principal, options.join(","))
}

/// Replaces a file of ours through a link (dotfiles are often links) and keeps its permissions. To be called where the
/// directory is held.
///
/// # Errors
/// A file error.
pub(crate) fn rewrite(files: &dyn Files, path: &Path, text: &str) -> Result<()> {
    rewrite_as(files, path, text, path)
}

/// The same with the permissions of another file.
///
/// # Errors
/// As [`rewrite`].
pub(crate) fn rewrite_as(files: &dyn Files, path: &Path, text: &str, like: &Path) -> Result<()> {
    let target = target_of(path);
    let permissions = std::fs::metadata(target_of(like)).map(|meta| meta.permissions()).ok();
    replace_held(files, &target, text.as_bytes())?;
    if let Some(permissions) = permissions {
        let set = std::fs::set_permissions(&target, permissions);
        set.map_err(|source| FileError { operation: "set the permissions of", path: target, source })?;
    }
    Ok(())
}

/// Where the file itself lies.
fn target_of(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Keeps other runs from changing this file, or another one in its directory.
fn hold(files: &dyn Files, path: &Path) -> Result<Held> {
    let directory = directory::above(path);
    Ok(directory::hold(files, directory)?.ok_or_else(|| StoreError::Locked(directory.to_owned()))?)
}

/// Replaces a file, whole or not at all, also where two runs do.
///
/// # Errors
/// [`StoreError::Locked`] where another run is at it, or a file error.
pub(crate) fn replace(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<()> {
    let _held = hold(files, path)?;
    replace_held(files, path, bytes)
}

/// The same in a directory that the caller holds: the temp name is always the same.
fn replace_held(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<()> {
    store::replace(files, (&directory::suffixed(path, store::TEMP), path), bytes)
}
