//! The query for what is free on one volume that was found before: cheap enough for each look at its row.

use std::path::{Path, PathBuf};

use super::find::Host;
use super::mounts;
use crate::domain::media::{Medium, Volume};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;

/// A volume as it was found mounted, in one insertion of its medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    device: PathBuf,
    sequence: Option<u64>,
    point: PathBuf,
}

impl Mounted {
    /// Where it is mounted first; nothing where it is not mounted.
    pub fn of(medium: &Medium, volume: &Volume) -> Option<Self> {
        let point = volume.mount_point()?.to_owned();
        Some(Self { device: volume.device.clone(), sequence: medium.sequence, point })
    }
}

/// Bytes free there; nothing where something else is mounted there by now, or the file system does not tell. Neither
/// the device nor a directory is read.
///
/// # Errors
/// None but a defect of this program.
pub async fn room(of: Mounted, host: Host, ctx: &JobCtx) -> Result<Option<u64>> {
    let ctx = ctx.clone();
    blocking(move || Ok(if is_there(&of, &host) { ctx.files.space(&of.point)?.free } else { None })).await
}

fn is_there(of: &Mounted, host: &Host) -> bool {
    let table = mounts::parse(&std::fs::read(&host.mountinfo).unwrap_or_default());
    let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let there = mounts::holding(&table, &of.point).filter(|mount| mount.point == of.point);
    there.is_some_and(|mount| full(&mount.source) == full(&of.device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_free_is_told_of_the_volume_that_is_still_mounted_there_and_of_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (point, table) = (dir.path().canonicalize().unwrap(), dir.path().join("mountinfo"));
        let of = Mounted { device: "/dev/sdb1".into(), sequence: Some(7), point: point.clone() };
        let at = point.display();
        for (mounted, told) in [
            (format!("1 0 8:17 / {at} rw - vfat /dev/sdb1 rw\n"), true),
            (format!("1 0 8:17 / {at} rw - vfat /dev/sdc1 rw\n"), false),
            (format!("1 0 8:17 / {at} rw - vfat /dev/sdb1 rw\n2 1 0:9 / {at} rw - tmpfs tmpfs rw\n"), false),
            ("1 0 8:2 / / rw - ext4 /dev/sdb1 rw\n".to_owned(), false),
            (String::new(), false),
        ] {
            std::fs::write(&table, &mounted).unwrap();
            let host = Host { mountinfo: table.clone(), ..Host::default() };
            let free = room(of.clone(), host, &JobCtx::silent()).await.unwrap();
            assert_eq!(free.is_some(), told, "{mounted}");
        }
    }
}
