//! What sort of file system a path lies on, as far as that matters to the file layer.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::engine::media::mounts;

/// Magic numbers of file systems (statfs(2)).
const FAT: u64 = 0x4d44;
const EXFAT: u64 = 0x2011_bab0;
const FUSE: u64 = 0x6573_5546;

/// Whether the file system on which a path lies gives its files numbers that they keep. FAT and exFAT have none on disk:
/// their drivers, through FUSE as well, make one up for each file that they look up anew.
pub(super) fn numbers_files(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| !matches!(stat.f_type as u64, FAT | EXFAT | FUSE))
}

/// Names a file system by its magic number (statfs(2)); FUSE ones by the mount's type.
pub(super) fn kind_of(magic: u64, path: &Path) -> &'static str {
    match magic {
        FAT => "fat",
        EXFAT => "exfat",
        0x0102_1994 => "tmpfs",
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x6969 => "nfs",
        0x9660 => "iso9660",
        FUSE => fuse_kind(path),
        _ => "other",
    }
}

fn fuse_kind(path: &Path) -> &'static str {
    let full = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mounts = mounts::of_this_process();
    let Some(mount) = mounts::holding(&mounts, &full) else { return "fuse" };
    let names = |name: &str| mount.kind.contains(name) || mount.source.to_string_lossy().contains(name);
    match () {
        () if names("exfat") => "exfat",
        () if mount.kind.contains("fat") || names("fusefat") => "fat",
        // Of a driver for a block device only the device is known.
        () if mount.kind == "fuseblk" && is_exfat(&mount.source) => "exfat",
        () => "fuse",
    }
}

/// Whether a device that may be read here begins as exFAT does (exFAT specification, 3.1.2, FileSystemName).
fn is_exfat(device: &Path) -> bool {
    let mut start = [0; 11];
    let read = File::open(device).and_then(|mut device| device.read_exact(&mut start));
    device.starts_with("/dev") && read.is_ok() && start.ends_with(b"EXFAT   ")
}
