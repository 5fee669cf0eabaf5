//! Where private keys may lie: not in a bundle, nor on a medium that travels, nor where others can read them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::KeyError;
use crate::domain::bundle::MANIFEST;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::Files;

/// Where something lies.
#[derive(Debug)]
struct Site {
    /// Absolute, links resolved as far as it is there.
    path: PathBuf,
    /// Number of its file system (`st_dev`).
    device: u64,
}

impl Site {
    /// Of a directory; one that is not there yet will be on the file system of what is above it.
    fn of(directory: &Path) -> Option<Self> {
        let path = directory.canonicalize().or_else(|_| std::path::absolute(directory)).ok()?;
        let device = path.ancestors().find_map(|above| above.metadata().ok())?.dev();
        Some(Self { path, device })
    }

    /// Why a key in the directory `key` would travel with this medium; `host` are directories that stay.
    fn carries(&self, key: &Self, host: &[Self]) -> Option<String> {
        let holds_host = host.iter().any(|stays| stays.path.starts_with(&self.path));
        if !holds_host && key.path.starts_with(&self.path) {
            return Some(format!("it is below {}", self.path.display()));
        }
        let own_mount = host.iter().all(|stays| stays.device != self.device);
        (own_mount && key.device == self.device)
            .then(|| format!("it is on the file system of {}", self.path.display()))
    }
}

/// Refuses a private key that would travel with what it signs: one below the medium's directory, or on its
/// file system where that holds neither the host's root nor the home directory and is not in memory.
///
/// # Errors
/// [`KeyError::OnMedium`].
pub fn refuse_on_medium(files: &dyn Files, key: &Path, medium: &Path) -> Result<()> {
    // A key that cannot be found is told by whoever opens it.
    let Ok(found) = key.canonicalize() else { return Ok(()) };
    let (Some(site), Some(medium)) = (Site::of(directory::above(&found)), Site::of(medium)) else {
        return Ok(());
    };
    let home = std::env::var_os("HOME").and_then(|home| Site::of(Path::new(&home)));
    let mut host: Vec<Site> = home.into_iter().chain(Site::of(Path::new("/"))).collect();
    if files.space(&site.path).is_ok_and(|space| space.kind == "tmpfs") {
        host.push(Site { path: PathBuf::from("/"), device: site.device });
    }
    match medium.carries(&site, &host) {
        Some(reason) => Err(KeyError::OnMedium { path: key.to_owned(), reason }.into()),
        None => Ok(()),
    }
}

/// Refuses a private key inside a bundle, or on a file system that cannot keep it from others.
pub(super) fn refuse_medium(files: &dyn Files, path: &Path) -> Result<()> {
    let directory = directory::above(path).to_owned();
    let full = directory.canonicalize().map_err(|source| FileError {
        operation: "find",
        path: directory.clone(),
        source,
    })?;
    let refuse = |reason: String| Err(KeyError::OnMedium { path: path.to_owned(), reason }.into());
    if let Some(bundle) = full.ancestors().find(|above| above.join(MANIFEST).exists()) {
        return refuse(format!("{} is a bundle", bundle.display()));
    }
    match files.space(&full) {
        Ok(space) if matches!(space.kind, "fat" | "exfat") => {
            refuse(format!("its file system, {}, keeps no permissions", space.kind))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_would_travel_with_the_medium_is_told_from_one_that_stays() {
        let site = |path: &str, device| Site { path: PathBuf::from(path), device };
        let host = [site("/home/ann", 2), site("/", 1)];
        for (medium, key, travels) in [
            // A stick with a mount of its own: anywhere on it.
            (("/media/usb/out", 9), ("/media/usb/out/keys", 9), true),
            (("/media/usb/out", 9), ("/media/usb", 9), true),
            (("/media/usb/out", 9), ("/home/ann/.local/share/airlift", 2), false),
            (("/media/usb/out", 9), ("/media/token", 8), false),
            // A directory of the host that will be carried over by other means: only below it.
            (("/home/ann/out", 2), ("/home/ann/out", 2), true),
            (("/home/ann/out", 2), ("/home/ann/.local/share/airlift", 2), false),
            (("/home/ann/out", 2), ("/home/ann/outer", 2), false),
            (("/srv/out", 1), ("/srv/keys", 1), false),
            // What holds the home directory is no medium.
            (("/home/ann", 2), ("/home/ann/.local/share/airlift", 2), false),
            (("/", 1), ("/etc/airlift", 1), false),
        ] {
            let found = site(medium.0, medium.1).carries(&site(key.0, key.1), &host);
            assert_eq!(found.is_some(), travels, "{medium:?} {key:?}: {found:?}");
        }
    }
}
