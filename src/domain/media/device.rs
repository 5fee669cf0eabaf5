//! A block device as a whole: how it is attached, what it says of itself, and why it cannot be chosen.

use serde::Serialize;

use super::Blocked;
use crate::domain::text;

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

/// What is asked of a device as a whole.
#[derive(Clone, Debug, Default)]
pub struct DeviceFacts {
    /// Bytes.
    pub size: u64,
    /// Whether it refuses writes.
    pub read_only: bool,
    /// Whether it is built in: what is mounted from it belongs to this host more often than what is brought.
    pub fixed: bool,
    /// Where file systems on it, and on what is built upon it, are mounted; `swap` for swap space.
    pub uses: Vec<String>,
    /// Paths that are read from and lie on it.
    pub sources: Vec<String>,
}

impl DeviceFacts {
    fn protects(&self, place: &str) -> bool {
        is_system(place) || (self.fixed && is_own_data(place))
    }
}

/// Whether a device at this place in sysfs hangs on something that is plugged in from outside: behind a PCI device that
/// the firmware calls removable, as it does of all behind Thunderbolt (its attribute `removable`, asked by its place), or
/// on FireWire. USB and cards are told by their bus; eSATA by the device itself, where the firmware knows of it.
pub fn hangs_outside(sysfs: &str, removable: &dyn Fn(&str) -> Option<String>) -> bool {
    let steps = sysfs.match_indices('/').map(|(at, _)| at).chain([sysfs.len()]);
    let mut above = steps.map(|end| &sysfs[..end]);
    above.any(|place| {
        let step = place.rsplit('/').next().unwrap_or_default();
        is_firewire(step) || (is_pci(step) && removable(place).is_some_and(|word| word.trim() == "removable"))
    })
}

/// `domain:bus:slot.function`.
fn is_pci(step: &str) -> bool {
    let parts: Vec<&str> = step.split([':', '.']).collect();
    let hex = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.len() == 4 && step.contains('.') && parts.iter().all(hex)
}

/// A node on FireWire: `fw1`.
fn is_firewire(step: &str) -> bool {
    step.strip_prefix("fw").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// Why a device cannot be chosen; the weightiest reason.
pub fn device_blocked(facts: &DeviceFacts) -> Option<Blocked> {
    let mut holds: Vec<String> = facts.uses.iter().filter(|place| facts.protects(place)).cloned().collect();
    holds.sort();
    holds.dedup();
    match () {
        () if holds.iter().any(|place| is_system(place)) => Some(Blocked::System { holds }),
        () if !holds.is_empty() => Some(Blocked::BuiltIn { holds }),
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
    WHOLE.contains(&place) || BELOW.iter().any(|top| is_below(place, top))
}

/// Whether a disk that is built in holds data of services and users at a mount point.
fn is_own_data(place: &str) -> bool {
    // Where /mnt is on a host whose system is an image.
    let by_hand = is_below(place, "/var/mnt");
    !by_hand && ["/var", "/srv", "/opt", "/home"].iter().any(|top| is_below(place, top))
}

fn is_below(place: &str, top: &str) -> bool {
    place.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a maker leaves in who never gave the device a name, as counterfeits often have it.
pub fn notes_on(model: Option<&str>) -> Vec<&'static str> {
    const NAMELESS: &[&str] = &["vendorco", "productcode", "general udisk", "usb flash disk", "mass storage"];
    let model = model.unwrap_or_default().to_lowercase();
    if NAMELESS.iter().any(|name| model.contains(name)) {
        vec!["no vendor name: test its capacity before you rely on it"]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weightiest_reason_against_a_device_is_told() {
        let on = |uses: &[&str], sources: &[&str], size, read_only| {
            let own = |list: &[&str]| list.iter().map(|&place| place.to_owned()).collect();
            let (uses, sources) = (own(uses), own(sources));
            device_blocked(&DeviceFacts { size, read_only, fixed: false, uses, sources })
                .map(|blocked| blocked.to_string())
        };
        for (uses, sources, size, read_only, words) in [
            (&["/media/stick"][..], &[][..], 1, false, None),
            (&["/boot/efi", "/", "/"], &["/a"], 1, true, Some("system disk: holds /, /boot/efi")),
            (&["swap"], &[], 1, false, Some("system disk: holds swap")),
            (&["/mnt/a"], &["/mnt/a/lists"], 1, true, Some("source disk: holds /mnt/a/lists")),
            (&[], &[], 0, false, Some("no medium in the drive")),
            (&["/mnt"], &[], 1, true, Some("write-protected: is there a switch?")),
        ] {
            assert_eq!(on(uses, sources, size, read_only).as_deref(), words, "{uses:?} {sources:?}");
        }
    }

    #[test]
    fn what_services_and_users_keep_on_a_built_in_disk_is_protected_and_a_stick_there_is_not() {
        let blocked = |place: &str, fixed| {
            let uses = vec![place.to_owned()];
            device_blocked(&DeviceFacts { size: 1, fixed, uses, ..DeviceFacts::default() })
        };
        for place in ["/srv", "/srv/out", "/var/lib/data", "/opt/x", "/home/op/big"] {
            let holds = vec![place.to_owned()];
            let why = blocked(place, true).unwrap();
            assert_eq!(why.mounted_at(), holds);
            assert_eq!(why, Blocked::BuiltIn { holds });
            assert!(why.is_own());
            assert_eq!(blocked(place, false), None, "{place}");
        }
        for fixed in [true, false] {
            let uses = vec!["/srv/out".to_owned(), "/boot".to_owned()];
            let why =
                device_blocked(&DeviceFacts { size: 1, fixed, uses, ..DeviceFacts::default() }).unwrap();
            assert!(matches!(&why, Blocked::System { .. }) && why.mounted_at().is_empty(), "{why}");
        }
        for place in ["/mnt/data", "/media/op/X", "/run/media/op/X", "/var/mnt/data", "/srvother", "/data"] {
            assert_eq!(blocked(place, true), None, "{place}");
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

    /// Steps of a place, and what each answers.
    type Says = &'static [(&'static str, &'static str)];

    #[test]
    fn what_hangs_on_something_that_is_plugged_in_is_told_by_its_place_in_sysfs() {
        // Each step that says something of itself, after the place.
        let table: [(&str, Says, bool); 9] = [
            // NVMe in a Thunderbolt case: the bridge, the case's switch and the drive.
            (
                "/sys/devices/pci0000:00/0000:00:1d.4/0000:05:00.0/0000:06:01.0/0000:07:00.0/nvme/nvme1/nvme1n1",
                &[("0000:00:1d.4", "unknown"), ("0000:05:00.0", "removable"), ("0000:07:00.0", "removable")],
                true,
            ),
            // SATA behind a controller in such a case.
            (
                "/sys/devices/pci0000:00/0000:00:1c.0/0000:09:00.0/ata7/host6/target6:0:0/6:0:0:0/block/sdc",
                &[("0000:09:00.0", "removable\n")],
                true,
            ),
            ("/sys/devices/pci0000:00/0000:00:1b.0/0000:02:00.0/fw1/fw1.0/host8/block/sdd", &[], true),
            // Soldered in or on a slot of the board.
            (
                "/sys/devices/pci0000:00/0000:00:06.0/0000:01:00.0/nvme/nvme0/nvme0n1",
                &[("0000:01:00.0", "fixed")],
                false,
            ),
            (
                "/sys/devices/pci0000:00/0000:00:06.0/0000:01:00.0/nvme/nvme0/nvme0n1",
                &[("0000:01:00.0", "unknown")],
                false,
            ),
            ("/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda", &[], false),
            // What a disk says of its own medium is another attribute of the same name.
            (
                "/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/block/sda",
                &[("sda", "removable"), ("ata1", "removable")],
                false,
            ),
            ("/sys/devices/virtual/block/loop0", &[("loop0", "removable")], false),
            ("/sys/devices/platform/fwnode/block/sdx", &[], false),
        ];
        for (place, says, outside) in table {
            let removable = |at: &str| {
                let step = at.rsplit('/').next()?;
                says.iter().find(|(name, _)| *name == step).map(|(_, word)| (*word).to_owned())
            };
            assert_eq!(hangs_outside(place, &removable), outside, "{place} {says:?}");
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
    fn nameless_devices_get_a_word() {
        assert_eq!(notes_on(Some("VendorCo ProductCode")).len(), 1);
        assert!(notes_on(Some("SanDisk Ultra")).is_empty() && notes_on(None).is_empty());
    }
}
