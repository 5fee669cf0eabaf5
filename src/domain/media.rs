//! Media: what is known of a device and its volumes, what they hold, and why one cannot be chosen.

mod device;
mod file_system;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::bundle::directory;
use super::digest::Digest;
use super::lying::Lying;
use super::text;

pub use device::{Bus, DeviceFacts, device_blocked, device_text, hangs_outside, is_system, notes_on};
pub use file_system::{FAT_FILE, FileSystem};

/// Why a device or a volume cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Blocked {
    /// This host runs from it, itself or through LVM, RAID or encryption on it.
    System {
        /// Mount points of the system that lie on it, and `swap`.
        holds: Vec<String>,
    },
    /// A disk that is built in, for all that is known, with data of services or users at a mount point.
    BuiltIn {
        /// Those mount points.
        holds: Vec<String>,
    },
    /// What is to be carried, or this program's own data, lies on it.
    Source {
        /// Which paths.
        holds: Vec<String>,
    },
    /// A drive with nothing in it.
    NoMedium,
    /// The device refuses writes.
    WriteProtected,
    /// Nothing on it that files could be written to.
    NoFileSystem,
    /// Encrypted, and not unlocked.
    Locked,
    /// Has a file system that is not mounted.
    NotMounted,
    /// Mounted read-only.
    MountedReadOnly,
    /// Made read-only by the kernel after an error.
    ReadOnlyAfterError,
    /// This user may not write there.
    NotWritable,
    /// Not enough room.
    TooSmall {
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { holds } => write!(f, "system disk: holds {}", holds.join(", ")),
            Self::BuiltIn { holds } => write!(f, "built-in disk: holds {}", holds.join(", ")),
            Self::Source { holds } => write!(f, "source disk: holds {}", holds.join(", ")),
            Self::NoMedium => f.write_str("no medium in the drive"),
            Self::WriteProtected => f.write_str("write-protected: is there a switch?"),
            Self::NoFileSystem => f.write_str("no known file system"),
            Self::Locked => f.write_str("encrypted: unlock it first"),
            Self::NotMounted => f.write_str("not mounted"),
            Self::MountedReadOnly => f.write_str("mounted read-only"),
            Self::ReadOnlyAfterError => {
                f.write_str("read-only after an error: dmesg says which; unmount it, then fsck")
            }
            Self::NotWritable => f.write_str("this user cannot write there"),
            Self::TooSmall { needed, free } => {
                write!(f, "too small: {} needed, {} free", text::bytes(*needed), text::bytes(*free))
            }
        }
    }
}

impl Blocked {
    /// Whether this host has files of its own there.
    pub const fn is_own(&self) -> bool {
        matches!(self, Self::System { .. } | Self::BuiltIn { .. })
    }

    /// Where a disk is mounted that only looks built in, as one on eSATA may: each taken as a directory, or the disk
    /// chosen once all of them are unmounted.
    pub fn mounted_at(&self) -> &[String] {
        match self {
            Self::BuiltIn { holds } => holds,
            _ => &[],
        }
    }
}

/// A bundle that lies on a volume, by its own word: nothing of it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundBundle {
    /// Its directory.
    pub path: PathBuf,
    /// Always false.
    pub verified: bool,
    /// What it says of itself.
    pub words: Option<BundleWords>,
    /// Why that cannot be read.
    pub fault: Option<String>,
}

/// Said of a bundle that nobody signed: what a pack left that did not come to its end, above all.
pub const UNSIGNED: &str = "NOT SIGNED";

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleWords {
    /// UUIDv7.
    pub id: uuid::Uuid,
    /// SHA-256 of its document.
    pub document: Digest,
    /// Of the series.
    pub name: String,
    /// In the series.
    pub serial: u64,
    /// UTC.
    pub created: jiff::Timestamp,
    /// UTC.
    pub expires: Option<jiff::Timestamp>,
    /// How many images.
    pub images: u64,
    /// Their bytes, each blob once.
    pub bytes: u64,
    /// How many signatures fit the document; whose is not asked.
    pub signatures: usize,
    /// Whether it has all that was asked for.
    pub complete: bool,
    /// The fingerprints of the keys that signed it.
    #[serde(skip)]
    pub signers: Vec<String>,
    /// The version of the program that made it.
    #[serde(skip)]
    pub version: String,
    /// Whether a program lies in it.
    #[serde(skip)]
    pub program: bool,
    /// Its images by the names that it has them under.
    #[serde(skip)]
    pub named: BTreeMap<String, Digest>,
}

impl BundleWords {
    /// Name and serial, and whether it is none to rely on yet.
    pub fn title(&self) -> String {
        let name = directory(&self.name, self.serial);
        if self.signatures == 0 { format!("{name} {UNSIGNED}") } else { name }
    }
}

/// A partition, or a whole device without partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its device node.
    pub device: PathBuf,
    /// Bytes.
    pub size: u64,
    /// What lies on it; nothing where that is not known.
    pub file_system: Option<FileSystem>,
    /// Its name, made safe to show.
    pub label: Option<String>,
    /// The file system's own number, as udev writes it.
    pub uuid: Option<String>,
    /// Where it is mounted, the place to use first.
    pub mount_points: Vec<PathBuf>,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Whether the kernel made it so after an error.
    pub after_error: bool,
    /// Whether this user may write there; nothing where it is not mounted.
    pub writable: Option<bool>,
    /// Bytes free for this user, where known.
    pub free: Option<u64>,
    /// What its file system does to a bundle.
    pub limits: Option<&'static str>,
    /// Bundles near its top.
    pub bundles: Vec<FoundBundle>,
    /// What packs that were cut off left at its top, each the newest of its series: the files of it.
    #[serde(skip)]
    pub begun: BTreeMap<String, Arc<Lying>>,
    /// Why it cannot be chosen as it is.
    pub blocked: Option<Blocked>,
}

impl Volume {
    /// Where to write, if it is mounted.
    pub fn mount_point(&self) -> Option<&Path> {
        self.mount_points.first().map(PathBuf::as_path)
    }

    /// Why `needed` bytes cannot be written to it, its device aside.
    pub fn blocked_for(&self, needed: u64) -> Option<Blocked> {
        match (&self.file_system, self.mount_points.is_empty()) {
            (Some(FileSystem::Encrypted), _) => Some(Blocked::Locked),
            (Some(FileSystem::Swap | FileSystem::Member), true) | (None, true) => Some(Blocked::NoFileSystem),
            (_, true) => Some(Blocked::NotMounted),
            _ if self.after_error => Some(Blocked::ReadOnlyAfterError),
            _ if self.read_only => Some(Blocked::MountedReadOnly),
            _ if self.writable == Some(false) => Some(Blocked::NotWritable),
            _ => too_small(needed, self.free),
        }
    }
}

/// A whole device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Medium {
    /// The kernel's name: `sdb`.
    pub name: String,
    /// Its device node.
    pub device: PathBuf,
    /// Maker and model, made safe to show.
    pub model: Option<String>,
    /// Made safe to show.
    pub serial: Option<String>,
    /// How it is attached.
    pub bus: Bus,
    /// Whether it is made to be taken out: by the kernel's word, or its bus.
    pub removable: bool,
    /// Whether the device refuses writes.
    pub read_only: bool,
    /// Bytes.
    pub size: u64,
    /// The kernel's number of this insertion: another one means another medium, whatever it is called.
    pub sequence: Option<u64>,
    /// The file behind a loop device.
    pub file: Option<PathBuf>,
    /// Its partitions, or itself.
    pub volumes: Vec<Volume>,
    /// Why nothing of it can be chosen.
    pub blocked: Option<Blocked>,
    /// What is worth a second look.
    pub notes: Vec<&'static str>,
}

/// Whether a device is built in, and no file that is used as one.
pub fn is_fixed(bus: Bus, removable: bool) -> bool {
    !removable && bus != Bus::Loop
}

impl Medium {
    /// Whether it is built in: nothing that is ever taken out.
    pub fn is_fixed(&self) -> bool {
        is_fixed(self.bus, self.removable)
    }

    /// Whether it is carried about: neither built in, nor what the system runs from.
    pub fn is_carried(&self) -> bool {
        !self.is_fixed() && !matches!(self.blocked, Some(Blocked::System { .. }))
    }

    /// Why `needed` bytes cannot be carried on one of its volumes.
    pub fn blocked_for(&self, volume: &Volume, needed: u64) -> Option<Blocked> {
        self.blocked.clone().or_else(|| volume.blocked_for(needed))
    }

    /// Whether this is still the medium that `earlier` was: the same insertion of the same device.
    pub fn is_still(&self, earlier: &Self) -> bool {
        (&self.name, &self.model, &self.serial, self.size, self.sequence)
            == (&earlier.name, &earlier.model, &earlier.serial, earlier.size, earlier.sequence)
    }

    /// Model and the serial's last four characters, for headings.
    pub fn short_name(&self) -> String {
        let model = self.model.as_deref().unwrap_or(&self.name);
        match self.serial.as_deref().map(|serial| serial.chars().rev().take(4).collect::<Vec<_>>()) {
            Some(tail) if !tail.is_empty() => format!("{model} ..{}", tail.iter().rev().collect::<String>()),
            _ => model.to_owned(),
        }
    }
}

fn too_small(needed: u64, free: Option<u64>) -> Option<Blocked> {
    free.filter(|free| needed > *free).map(|free| Blocked::TooSmall { needed, free })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(file_system: Option<FileSystem>, mounted: bool) -> Volume {
        Volume {
            device: "/dev/sdb1".into(),
            size: 1000,
            file_system,
            label: None,
            uuid: None,
            mount_points: if mounted { vec!["/mnt".into()] } else { Vec::new() },
            read_only: false,
            after_error: false,
            writable: mounted.then_some(true),
            free: mounted.then_some(500),
            limits: None,
            bundles: Vec::new(),
            begun: BTreeMap::new(),
            blocked: None,
        }
    }

    #[test]
    fn a_volume_says_why_nothing_can_be_written_to_it() {
        let read_only = Volume { read_only: true, ..volume(Some(FileSystem::Ext), true) };
        let stopped = Volume { after_error: true, ..read_only.clone() };
        let foreign = Volume { writable: Some(false), ..volume(Some(FileSystem::Ext), true) };
        let silent = Volume { free: None, ..volume(Some(FileSystem::Ext), true) };
        for (volume, needed, words) in [
            (volume(Some(FileSystem::Fat), true), 500, None),
            (volume(None, true), 0, None),
            (silent, u64::MAX, None),
            (volume(Some(FileSystem::Fat), true), 501, Some("too small: 501 B needed, 500 B free")),
            (volume(Some(FileSystem::Fat), false), 0, Some("not mounted")),
            (volume(None, false), 0, Some("no known file system")),
            (volume(Some(FileSystem::Swap), false), 0, Some("no known file system")),
            (volume(Some(FileSystem::Encrypted), false), 0, Some("encrypted: unlock it first")),
            (read_only, 0, Some("mounted read-only")),
            (stopped, 0, Some("read-only after an error: dmesg says which; unmount it, then fsck")),
            (foreign, 0, Some("this user cannot write there")),
        ] {
            assert_eq!(volume.blocked_for(needed).map(|why| why.to_string()).as_deref(), words);
        }
    }

    #[test]
    fn a_medium_is_the_same_only_while_it_stays_in() {
        let medium = Medium {
            name: "sdb".to_owned(),
            device: "/dev/sdb".into(),
            model: Some("KINGSTON".to_owned()),
            serial: Some("AA007F2A".to_owned()),
            bus: Bus::Usb,
            removable: true,
            read_only: false,
            size: 10,
            sequence: Some(7),
            file: None,
            volumes: Vec::new(),
            blocked: None,
            notes: Vec::new(),
        };
        assert_eq!(medium.short_name(), "KINGSTON ..7F2A");
        assert!(medium.is_still(&medium.clone()));
        assert!(!Medium { sequence: Some(8), ..medium.clone() }.is_still(&medium));
        assert!(!Medium { serial: None, ..medium.clone() }.is_still(&medium));
    }
}
