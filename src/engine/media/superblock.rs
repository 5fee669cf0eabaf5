//! Tells a file system and its label by the marks at a device's beginning: read only, at fixed places, never mounted.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::domain::media::{FileSystem, device_text};

/// All marks lie in the first bytes; btrfs has its superblock at 64 KiB.
const HEAD: usize = 64 * 1024 + 4096;

/// What a device says lies on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) file_system: Option<FileSystem>,
    pub(crate) label: Option<String>,
    /// Its own number.
    pub(crate) uuid: Option<String>,
}

/// Reads a device's beginning; nothing where this user may not, or nothing is known.
pub(crate) fn probe(device: &Path) -> Found {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(device, flags, Mode::empty()).map(File::from) else {
        return Found::default();
    };
    let mut head = vec![0; HEAD];
    let mut got = 0;
    while got < HEAD {
        match file.read_at(&mut head[got..], got as u64) {
            Ok(0) | Err(_) => break,
            Ok(more) => got += more,
        }
    }
    head.truncate(got);
    recognise(&head)
}

/// Marks: where, which bytes, the name, where the label lies and how many bytes it has at most, and the same of the
/// number.
type Mark = (usize, &'static [u8], &'static str, Option<(usize, usize)>, Option<(usize, usize)>);

/// The first that fits counts. NTFS and exFAT come before FAT, whose boot sector they resemble.
const MARKS: &[Mark] = &[
    (0, b"LUKS\xba\xbe", "crypto_LUKS", None, None),
    (0, b"XFSB", "xfs", Some((0x6c, 12)), Some((0x20, 16))),
    (3, b"NTFS    ", "ntfs", None, Some((0x48, 8))),
    (3, b"EXFAT   ", "exfat", None, Some((0x64, 4))),
    (0x52, b"FAT32   ", "vfat", Some((0x47, 11)), Some((0x43, 4))),
    (0x36, b"FAT16   ", "vfat", Some((0x2b, 11)), Some((0x27, 4))),
    (0x36, b"FAT12   ", "vfat", Some((0x2b, 11)), Some((0x27, 4))),
    (0x218, b"LVM2 001", "LVM2_member", None, None),
    (0x438, b"\x53\xef", "ext4", Some((0x478, 16)), Some((0x468, 16))),
    (0x1000, b"\xfc\x4e\x2b\xa9", "linux_raid_member", None, None),
    (4096 - 10, b"SWAPSPACE2", "swap", None, None),
    (0x8001, b"CD001", "iso9660", Some((0x8028, 32)), None),
    (0x8001, b"BEA01", "udf", None, None),
    (0x1_0040, b"_BHRfS_M", "btrfs", Some((0x1_012b, 256)), Some((0x1_0020, 16))),
];

fn recognise(head: &[u8]) -> Found {
    let fits = |(at, mark, ..): &&Mark| head.get(*at..*at + mark.len()) == Some(*mark);
    let Some((_, _, name, label, number)) = MARKS.iter().find(fits) else { return Found::default() };
    let bytes = |place: &Option<(usize, usize)>| {
        place.and_then(|(at, most)| head.get(at..at + most)).unwrap_or_default()
    };
    let raw = bytes(label);
    let end = raw.iter().position(|&byte| byte == 0).unwrap_or(raw.len());
    let label = device_text(&String::from_utf8_lossy(&raw[..end])).filter(|label| label != "NO NAME");
    Found { file_system: Some(FileSystem::named(name)), label, uuid: number_of(bytes(number)) }
}

/// A file system's number as udev writes it: what lies on a device in 16 bytes, or little-endian in 8 or 4.
fn number_of(raw: &[u8]) -> Option<String> {
    if raw.iter().all(|byte| *byte == 0) {
        return None;
    }
    if let Ok(uuid) = uuid::Uuid::from_slice(raw) {
        return Some(uuid.to_string());
    }
    let digits: String = raw.iter().rev().map(|byte| format!("{byte:02X}")).collect();
    Some(match digits.split_at_checked(4) {
        Some((upper, lower)) if raw.len() == 4 => format!("{upper}-{lower}"),
        _ => digits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(writes: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        for (at, bytes) in writes {
            head[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    #[test]
    fn each_file_system_is_known_by_its_mark_and_its_label_is_made_safe() {
        type Writes = &'static [(usize, &'static [u8])];
        let cases: [(Writes, Option<&str>, Option<&str>); 9] = [
            (&[], None, None),
            (&[(0x52, b"FAT32   "), (0x47, b"STICK      ")], Some("FAT"), Some("STICK")),
            (&[(0x36, b"FAT16   "), (0x2b, b"NO NAME    ")], Some("FAT"), None),
            (&[(0x438, b"\x53\xef"), (0x478, b"a\x1b[2J")], Some("ext4"), Some("a\\u{1b}[2J")),
            (&[(0x1_0040, b"_BHRfS_M"), (0x1_012b, b"data")], Some("btrfs"), Some("data")),
            (&[(3, b"EXFAT   "), (0x36, b"FAT16   ")], Some("exFAT"), None),
            (&[(3, b"NTFS    ")], Some("NTFS"), None),
            (&[(0x8001, b"CD001"), (0x8028, b"DEBIAN 12    ")], Some("ISO 9660"), Some("DEBIAN 12")),
            (&[(0, b"LUKS\xba\xbe")], Some("encrypted"), None),
        ];
        for (writes, name, label) in cases {
            let found = recognise(&head(writes));
            assert_eq!(found.file_system.as_ref().map(FileSystem::name), name);
            assert_eq!(found.label.as_deref(), label);
        }
    }

    #[test]
    fn each_file_systems_number_is_written_as_udev_writes_it() {
        let uuid: &[u8] = b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
        for (mark, at, raw, number) in [
            ((0x438, &b"\x53\xef"[..]), 0x468, uuid, Some("01234567-89ab-cdef-0123-456789abcdef")),
            ((0x438, b"\x53\xef"), 0x468, &[0; 16], None),
            ((0x52, b"FAT32   "), 0x43, b"\xcd\xab\x34\x12", Some("1234-ABCD")),
            ((3, b"NTFS    "), 0x48, b"\xef\xcd\xab\x89\x67\x45\x23\x01", Some("0123456789ABCDEF")),
            ((0x1_0040, b"_BHRfS_M"), 0x1_0020, uuid, Some("01234567-89ab-cdef-0123-456789abcdef")),
        ] {
            assert_eq!(recognise(&head(&[mark, (at, raw)])).uuid.as_deref(), number);
        }
    }

    #[test]
    fn a_short_or_unreadable_device_is_unknown() {
        assert_eq!(recognise(b"XFS"), Found::default());
        assert_eq!(probe(Path::new("/nonexistent/sdz1")), Found::default());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"XFSB").unwrap();
        assert_eq!(probe(file.path()).file_system, Some(FileSystem::Xfs));
    }
}
