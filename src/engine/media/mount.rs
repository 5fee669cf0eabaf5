//! The verb `media mount`, and its undoing: by udisks2 where it runs, unmounting also as root; else the command is told.

use std::path::{Path, PathBuf};

use rustix::mount::UnmountFlags;
use serde::{Deserialize, Serialize};

use super::error::{MediaError, leads_to};
use super::find::{ListSpec, list};
use super::udisks::Udisks;
use super::{busy, mounts};
use crate::domain::carrier::Carrier;
use crate::domain::media::{Blocked, Volume};
use crate::domain::shell::shell_path;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};

/// A volume to be mounted or unmounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MountSpec {
    /// Its device.
    pub device: PathBuf,
    /// Whether to unmount it from every place where it is mounted.
    pub unmount: bool,
    /// The mark of what it must be, [`Carrier::mark`]: anything else is left as it is. Nothing takes what is there.
    pub only: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MountReport {
    /// The device.
    pub device: PathBuf,
    /// Where it is mounted; nothing when it was unmounted.
    pub mount_point: Option<PathBuf>,
}

/// Mounts a volume where udisks2 puts it; or unmounts it, after its device took all that was written.
///
/// # Errors
/// No such medium, the system's disk; no udisks2, with the command that does it by hand; udisks2's own; when
/// unmounting: files in use, by whom.
pub async fn mount(spec: MountSpec, ctx: &JobCtx) -> Result<MountReport> {
    let Volume { device, mut mount_points, .. } = volume(&spec, ctx).await?;
    if spec.unmount {
        while let Some(point) = mount_points.pop() {
            release(&device, &point).await?;
        }
        return Ok(MountReport { device, mount_point: None });
    }
    if !mount_points.is_empty() {
        return Ok(MountReport { device, mount_point: Some(mount_points.swap_remove(0)) });
    }
    let what = format!("mount {}", device.display());
    let Some(udisks) = Udisks::connect().await else {
        let command = format!("mount {} /mnt", shell_path(&device));
        return Err(MediaError::NoUdisks { what, command, root: is_root() }.into());
    };
    let command = format!("udisksctl mount -b {}", shell_path(&device));
    let place = udisks.mount(&device).await;
    let place = place.map_err(|reason| MediaError::Udisks { what, reason, command })?;
    Ok(MountReport { device, mount_point: Some(place.into()) })
}

async fn volume(spec: &MountSpec, ctx: &JobCtx) -> Result<Volume> {
    let missing = || MediaError::NoMedium { path: spec.device.clone() };
    let named = spec.device.clone();
    let full = blocking(move || leads_to(&named)).await?;
    let media = list(ListSpec::default(), ctx).await?.media;
    let mut volumes = media.iter().flat_map(|medium| medium.volumes.iter().map(move |one| (medium, one)));
    let (medium, volume) = volumes.find(|(_, volume)| volume.device == full).ok_or_else(missing)?;
    if let Some(why) = medium.blocked.clone().filter(Blocked::is_own) {
        return Err(MediaError::Blocked { path: full, why }.into());
    }
    if let Some(only) = spec.only.clone().filter(|only| *only != Carrier::mark_of(medium, volume)) {
        return Err(MediaError::Another { path: full, only, now: medium.short_name() }.into());
    }
    Ok(volume.clone())
}

/// Unmounts a volume from one place. udisks2 comes first, as it removes the directories that it made.
pub(super) async fn release(device: &Path, point: &Path) -> Result<()> {
    let what = format!("unmount {}", point.display());
    let command = format!("umount {}", shell_path(point));
    let refused = match Udisks::connect().await {
        None => MediaError::NoUdisks { what, command, root: is_root() },
        Some(udisks) => match udisks.unmount(device).await {
            Ok(()) if !is_mounted(point).await? => return Ok(()),
            Ok(()) => MediaError::Udisks { what, reason: "it is still mounted there".to_owned(), command },
            Err(reason) => MediaError::Udisks { what, reason, command },
        },
    };
    let point = point.to_owned();
    blocking(move || {
        if is_root() {
            return as_root(&point);
        }
        let holders = busy::holders(&point);
        // Its words for a file system in use; the kernel's own come with them.
        if refused.to_string().to_lowercase().contains("busy") {
            return Err(MediaError::Busy { point, holders }.into());
        }
        Err(refused.into())
    })
    .await
}

async fn is_mounted(point: &Path) -> Result<bool> {
    let point = point.to_owned();
    blocking(move || Ok(mounts::of_this_process().iter().any(|mount| mount.point == point))).await
}

fn as_root(point: &Path) -> Result<()> {
    match rustix::mount::unmount(point, UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::BUSY) => {
            let holders = busy::holders(point);
            Err(MediaError::Busy { point: point.to_owned(), holders }.into())
        }
        Err(errno) => {
            let (path, source) = (point.to_owned(), errno.into());
            Err(FileError { operation: "unmount", path, source }.into())
        }
    }
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
