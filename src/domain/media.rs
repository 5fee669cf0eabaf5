//! Media: what a block device is, what its file systems hold, and why one cannot be chosen.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::text;

/// Bytes of the largest file on FAT: its lengths are of 32 bits.
pub const FAT_FILE: u64 = u32::MAX as u64;

/// How a device is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// USB, sticks and disks.
    Usb,
    /// SD cards and eMMC.
    Mmc,
    /// NVMe.
    Nvme,
    /// SATA and PATA.
    Ata,
    /// SCSI, SAS and what pretends to be.
    Scsi,
    /// Of a virtual machine.
    Virtio,
    /// A file that is used as a device.
    Loop,
    /// None of these.
    Other,
}

impl Bus {
    /// The word for it, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usb => "usb",
            Self::Mmc => "mmc",
            Self::Nvme => "nvme",
            Self::Ata => "ata",
            Self::Scsi => "scsi",
            Self::Virtio => "virtio",
            Self::Loop => "loop",
            Self::Other => "other",
        }
    }

    /// Of a device with this kernel name at this place in sysfs.
    pub fn of(name: &str, sysfs: &str) -> Self {
        let under = |part: &str| sysfs.split('/').any(|step| step.starts_with(part));
        match () {
            () if name.starts_with("loop") => Self::Loop,
            // A card reader on USB is USB.
            () if under("usb") => Self::Usb,
            () if under("mmc") => Self::Mmc,
            () if under("nvme") => Self::Nvme,
            () if under("ata") => Self::Ata,
            () if under("virtio") => Self::Virtio,
            () if under("host") => Self::Scsi,
            () => Self::Other,
        }
    }
}

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

/// Why a device or a volume cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Blocked {
    /// This host runs from it, itself or through LVM, RAID or encryption on it.
    System {
        /// Mount points of the system that lie on it, and `swap`.
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
            Self::System { holds } => write!(f, "system disk: it holds {}", holds.join(", ")),
            Self::Source { holds } => write!(f, "source disk: it holds {}", holds.join(", ")),
            Self::NoMedium => f.write_str("no medium in the drive"),
            Self::WriteProtected => f.write_str("write-protected: is there a switch?"),
            Self::NoFileSystem => f.write_str("no file system that is known"),
            Self::Locked => f.write_str("encrypted: unlock it first"),
            Self::NotMounted => f.write_str("not mounted"),
            Self::MountedReadOnly => f.write_str("mounted read-only"),
            Self::NotWritable => f.write_str("this user may not write there"),
            Self::TooSmall { needed, free } => {
                write!(f, "too small: {} needed, {} free", text::bytes(*needed), text::bytes(*free))
            }
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

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleWords {
    /// UUIDv7.
    pub id: uuid::Uuid,
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
    /// Whether this user may write there; nothing where it is not mounted.
    pub writable: Option<bool>,
    /// Bytes free for this user, where known.
    pub free: Option<u64>,
    /// What its file system does to a bundle.
    pub limits: Option<&'static str>,
    /// Bundles near its top.
    pub bundles: Vec<FoundBundle>,
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

impl Medium {
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

/// What is asked of a device as a whole.
#[derive(Clone, Debug, Default)]
pub struct DeviceFacts {
    /// Bytes.
    pub size: u64,
    /// Whether it refuses writes.
    pub read_only: bool,
    /// Where file systems on it, and on what is built upon it, are mounted; `swap` for swap space.
    pub uses: Vec<String>,
    /// Paths that are read from and lie on it.
    pub sources: Vec<String>,
}

/// Why a device cannot be chosen; the weightiest reason.
pub fn device_blocked(facts: &DeviceFacts) -> Option<Blocked> {
    let mut holds: Vec<String> = facts.uses.iter().filter(|place| is_system(place)).cloned().collect();
    holds.sort();
    holds.dedup();
    match () {
        () if !holds.is_empty() => Some(Blocked::System { holds }),
        () if !facts.sources.is_empty() => Some(Blocked::Source { holds: facts.sources.clone() }),
        () if facts.size == 0 => Some(Blocked::NoMedium),
        () if facts.read_only => Some(Blocked::WriteProtected),
        () => None,
    }
}

/// Whether a running system has its own files at a mount point.
pub fn is_system(place: &str) -> bool {
    // The last ones are where live systems keep the medium that they were started from.
    const WHOLE: &[&str] = &[
        "swap",
        "/",
        "/var",
        "/home",
        "/var/home",
        "/root",
        "/opt",
        "/nix",
        "/sysroot",
        "/cdrom",
        "/run/live/medium",
        "/lib/live/mount/medium",
        "/run/initramfs/live",
        "/run/archiso/bootmnt",
    ];
    // Inside a container, files of the host's disk are mounted one by one.
    const BELOW: &[&str] = &["/boot", "/efi", "/usr", "/etc"];
    let below =
        |top: &&str| place.strip_prefix(*top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    WHOLE.contains(&place) || BELOW.iter().any(below)
}

/// What a maker leaves in who never gave the device a name, as counterfeits often have it.
pub fn notes_on(model: Option<&str>) -> Vec<&'static str> {
    const NAMELESS: &[&str] = &["vendorco", "productcode", "general udisk", "usb flash disk", "mass storage"];
    let model = model.unwrap_or_default().to_lowercase();
    if NAMELESS.iter().any(|name| model.contains(name)) {
        vec!["a device without a maker's name: check its capacity before you rely on it"]
    } else {
        Vec::new()
    }
}

/// A string from a device made safe to show and cut to 64 characters; nothing where nothing is left of it.
pub fn device_text(raw: &str) -> Option<String> {
    let words = raw.split(|c: char| c.is_whitespace() || c == '\0').filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let safe: String = text::shown(&words.join(" ")).chars().take(64).collect();
    (!safe.is_empty()).then_some(safe)
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
            writable: mounted.then_some(true),
            free: mounted.then_some(500),
            limits: None,
            bundles: Vec::new(),
            blocked: None,
        }
    }

    #[test]
    fn the_weightiest_reason_against_a_device_is_told() {
        let on = |uses: &[&str], sources: &[&str], size, read_only| {
            let own = |list: &[&str]| list.iter().map(|&place| place.to_owned()).collect();
            device_blocked(&DeviceFacts { size, read_only, uses: own(uses), sources: own(sources) })
                .map(|blocked| blocked.to_string())
        };
        for (uses, sources, size, read_only, words) in [
            (&["/media/stick"][..], &[][..], 1, false, None),
            (&["/boot/efi", "/", "/"], &["/a"], 1, true, Some("system disk: it holds /, /boot/efi")),
            (&["swap"], &[], 1, false, Some("system disk: it holds swap")),
            (&["/mnt/a"], &["/mnt/a/lists"], 1, true, Some("source disk: it holds /mnt/a/lists")),
            (&[], &[], 0, false, Some("no medium in the drive")),
            (&["/mnt"], &[], 1, true, Some("write-protected: is there a switch?")),
        ] {
            assert_eq!(on(uses, sources, size, read_only).as_deref(), words, "{uses:?} {sources:?}");
        }
    }

    #[test]
    fn system_places_are_known_and_mount_points_of_media_are_not_among_them() {
        for place in
            ["/", "/usr", "/usr/local", "/boot", "/boot/efi", "/etc/hosts", "/var", "/home", "/cdrom"]
        {
            assert!(is_system(place), "{place}");
        }
        for place in
            ["/mnt", "/media/me/STICK", "/run/media/me/x", "/var/mnt", "/bootleg", "/home/me/m", "/srv"]
        {
            assert!(!is_system(place), "{place}");
        }
    }

    #[test]
    fn a_volume_says_why_nothing_can_be_written_to_it() {
        let read_only = Volume { read_only: true, ..volume(Some(FileSystem::Ext), true) };
        let foreign = Volume { writable: Some(false), ..volume(Some(FileSystem::Ext), true) };
        let silent = Volume { free: None, ..volume(Some(FileSystem::Ext), true) };
        for (volume, needed, words) in [
            (volume(Some(FileSystem::Fat), true), 500, None),
            (volume(None, true), 0, None),
            (silent, u64::MAX, None),
            (volume(Some(FileSystem::Fat), true), 501, Some("too small: 501 B needed, 500 B free")),
            (volume(Some(FileSystem::Fat), false), 0, Some("not mounted")),
            (volume(None, false), 0, Some("no file system that is known")),
            (volume(Some(FileSystem::Swap), false), 0, Some("no file system that is known")),
            (volume(Some(FileSystem::Encrypted), false), 0, Some("encrypted: unlock it first")),
            (read_only, 0, Some("mounted read-only")),
            (foreign, 0, Some("this user may not write there")),
        ] {
            assert_eq!(volume.blocked_for(needed).map(|why| why.to_string()).as_deref(), words);
        }
    }

    #[test]
    fn the_bus_is_read_off_the_place_in_sysfs() {
        for (name, sysfs, bus) in [
            (
                "sdb",
                "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb",
                Bus::Usb,
            ),
            ("mmcblk0", "/sys/devices/platform/mmc_host/mmc0/mmc0:0001/block/mmcblk0", Bus::Mmc),
            ("nvme0n1", "/sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1", Bus::Nvme),
            (
                "sda",
                "/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda",
                Bus::Ata,
            ),
            ("sdc", "/sys/devices/pci0000:00/0000:02:00.0/host2/target2:0:0/2:0:0:0/block/sdc", Bus::Scsi),
            ("vda", "/sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda", Bus::Virtio),
            ("loop3", "/sys/devices/virtual/block/loop3", Bus::Loop),
            ("nbd0", "/sys/devices/virtual/block/nbd0", Bus::Other),
        ] {
            assert_eq!(Bus::of(name, sysfs), bus, "{sysfs}");
        }
    }

    #[test]
    fn strings_from_a_device_are_made_safe_and_cut() {
        assert_eq!(
            device_text("  Kingston \0 DataTraveler 3.0 \n").as_deref(),
            Some("Kingston DataTraveler 3.0")
        );
        assert_eq!(device_text("\u{1b}]52;c;aGk=\u{7}").as_deref(), Some("\\u{1b}]52;c;aGk=\\u{7}"));
        assert_eq!(device_text(" \0 "), None);
        assert_eq!(device_text(&"x".repeat(999)).map(|text| text.len()), Some(64));
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

    #[test]
    fn nameless_devices_and_files_of_fat_get_a_word() {
        assert_eq!(notes_on(Some("VendorCo ProductCode")).len(), 1);
        assert!(notes_on(Some("SanDisk Ultra")).is_empty() && notes_on(None).is_empty());
        assert_eq!(FileSystem::named("vfat").max_file(), Some(4_294_967_295));
        assert!(FileSystem::named("vfat").limits().is_some_and(|words| words.contains("split")));
        assert_eq!(FileSystem::named("ext4").limits(), None);
        assert_eq!(FileSystem::named("a\u{1b}b").name(), "a\\u{1b}b");
    }
}
