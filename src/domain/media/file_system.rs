//! The file systems that matter here: their names, and what they do to a bundle.

use serde::{Serialize, Serializer};

use crate::domain::text;

/// Bytes of the largest file on FAT: its lengths are of 32 bits.
pub const FAT_FILE: u64 = u32::MAX as u64;

/// What lies on a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// ext2, ext3 or ext4.
    Ext,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// exFAT.
    Exfat,
    /// NTFS.
    Ntfs,
    /// ISO 9660 or UDF.
    Optical,
    /// In memory.
    Tmpfs,
    /// Not a file system: swap space.
    Swap,
    /// Not a file system: encrypted, and locked.
    Encrypted,
    /// Not a file system: a part of LVM or of a RAID.
    Member,
    /// Another one, by the kernel's name.
    Other(String),
}

impl FileSystem {
    /// By the name that the kernel, FUSE or udev gives it.
    pub fn named(name: &str) -> Self {
        match name {
            "ext2" | "ext3" | "ext4" => Self::Ext,
            "xfs" => Self::Xfs,
            "btrfs" => Self::Btrfs,
            "vfat" | "msdos" | "fuse.fusefat" | "fat" => Self::Fat,
            "exfat" | "fuse.exfat" => Self::Exfat,
            "ntfs" | "ntfs3" | "fuse.ntfs" | "fuse.ntfs-3g" => Self::Ntfs,
            "iso9660" | "udf" => Self::Optical,
            "tmpfs" | "ramfs" => Self::Tmpfs,
            "swap" => Self::Swap,
            "crypto_LUKS" => Self::Encrypted,
            "LVM2_member" | "linux_raid_member" => Self::Member,
            other => Self::Other(text::shown(other).into_owned()),
        }
    }

    /// The word for it, as in JSON.
    pub fn name(&self) -> &str {
        match self {
            Self::Ext => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Fat => "FAT",
            Self::Exfat => "exFAT",
            Self::Ntfs => "NTFS",
            Self::Optical => "ISO 9660",
            Self::Tmpfs => "tmpfs",
            Self::Swap => "swap",
            Self::Encrypted => "encrypted",
            Self::Member => "LVM or RAID",
            Self::Other(name) => name,
        }
    }

    /// The largest file it holds, in bytes, where that matters.
    pub const fn max_file(&self) -> Option<u64> {
        match self {
            Self::Fat => Some(FAT_FILE),
            _ => None,
        }
    }

    /// Whether it keeps when anything of a file was changed last: others make that up anew each time they are mounted.
    pub const fn keeps_changes(&self) -> bool {
        matches!(self, Self::Ext | Self::Xfs | Self::Btrfs | Self::Tmpfs)
    }

    /// What it does to a bundle, in words.
    pub const fn limits(&self) -> Option<&'static str> {
        match self {
            Self::Fat => Some("FAT: blobs of 4 GiB and more are split at 1 GiB"),
            Self::Optical => Some("optical: cannot be written"),
            Self::Tmpfs => Some("in memory: gone at the next restart"),
            _ => None,
        }
    }
}

impl Serialize for FileSystem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_known_by_the_names_they_are_given_and_say_what_limits_them() {
        assert_eq!(FileSystem::named("vfat").max_file(), Some(4_294_967_295));
        assert!(FileSystem::named("vfat").limits().is_some_and(|words| words.contains("split")));
        assert_eq!(FileSystem::named("ext4").limits(), None);
        assert_eq!(FileSystem::named("a\u{1b}b").name(), "a\\u{1b}b");
    }
}
