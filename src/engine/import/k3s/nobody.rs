//! An images directory that nothing reads, mostly one that is misspelt: refused, as an archive in it would look like an import.

use std::path::{Path, PathBuf};

use super::settings;
use crate::domain::k3s::BELOW_DATA;
use crate::domain::shell::shell_words;
use crate::engine::error::{Explain, Kind, Result};
use crate::engine::files::Files;
use crate::engine::import::target::existing_part;

/// What lies in the data directory of k3s or RKE2, one of them from the first start on.
const OF_DATA: [&str; 2] = ["agent", "server"];
/// Where images directories lie below the directories of a path to one.
const BELOW: [&str; 4] = ["images", BELOW_DATA, "k3s/agent/images", "rke2/agent/images"];

/// There is no k3s or RKE2 for an images directory.
#[derive(Debug, thiserror::Error)]
#[error("there is no k3s or RKE2 for {}: {}", path.display(), self.reason())]
pub(super) struct Nobody {
    /// The images directory.
    path: PathBuf,
    /// What of it is there, at most itself.
    nearest: PathBuf,
    /// What may be meant.
    meant: Option<PathBuf>,
}

impl Nobody {
    fn is_there(&self) -> bool {
        self.path.canonicalize().is_ok_and(|real| real == self.nearest)
    }

    fn reason(&self) -> String {
        match self.is_there() {
            true => format!("they read {BELOW_DATA} in their data directory, not what holds it"),
            false => format!("the nearest directory that is there is {}", self.nearest.display()),
        }
    }
}

impl Explain for Nobody {
    fn kind(&self) -> Kind {
        Kind::Import
    }

    fn hints(&self) -> Vec<String> {
        let meant = self.meant.as_ref().map(|meant| format!("did you mean k3s:{}?", meant.display()));
        let make = shell_words(&["mkdir", "-p", &self.path.display().to_string()].map(str::to_owned));
        let make = format!("for one that is installed here later, make the directory first: {make}");
        let written = "nothing was written to any target".to_owned();
        meant.into_iter().chain((!self.is_there()).then_some(make)).chain([written]).collect()
    }
}

/// Refuses what nothing reads: a directory that is not there and would not lie in the data of a k3s or RKE2 that is, and
/// one that such data lie in. One that was made by hand stays what its maker meant.
///
/// # Errors
/// [`Nobody`]; a file error.
pub(super) fn refuse(files: &dyn Files, dir: &Path) -> Result<()> {
    let is_there = files.stat(dir)?.is_some();
    let holds = |below: &str| is_read(files, &dir.join(below));
    let fits = match is_there {
        true => !(holds("images")? || holds(BELOW_DATA)?),
        false => is_read(files, dir)?,
    };
    if fits {
        return Ok(());
    }
    let nearest = existing_part(dir);
    Err(Nobody { meant: meant(files, dir, &nearest)?, path: dir.to_owned(), nearest }.into())
}

/// Whether it is the images directory of a k3s or RKE2, or would be: one in their data.
fn is_read(files: &dyn Files, images: &Path) -> Result<bool> {
    let data = settings::data(images);
    if !std::path::absolute(images).is_ok_and(|images| images.ends_with(BELOW_DATA))
        || files.stat(&data)?.is_none()
    {
        return Ok(false);
    }
    if settings::home(files, images).is_some() {
        return Ok(true);
    }
    // Elsewhere than their projects have it, and not by this host's configuration: the data of another machine.
    for name in OF_DATA {
        if files.stat(&data.join(name))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The images directory nearest to one that is none, else that of this node.
fn meant(files: &dyn Files, dir: &Path, nearest: &Path) -> Result<Option<PathBuf>> {
    let near = nearest.ancestors().take(2).flat_map(|above| BELOW.map(|below| above.join(below)));
    for images in near.chain(settings::usual()).filter(|images| images != dir) {
        if settings::home(files, &images).is_some() && files.stat(&settings::data(&images))?.is_some() {
            return Ok(Some(images));
        }
    }
    Ok(None)
}
