//! Reads /proc/self/mountinfo (proc(5)): what is mounted where, names with blanks in them and mounts over mounts included.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// What a file system says in its options that takes no writes any more after an error. That it is read-only under a mount
/// that is not proves none: another mount of it may have been remounted, and some are never writable.
const STOPPED: &[&str] = &["abort", "emergency_ro", "shutdown"];

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// `major:minor` of the file system; an anonymous number where it spans devices or has none.
    pub(crate) dev: String,
    /// Which directory of the file system is mounted; `/` unless it is a bind mount or a subvolume.
    pub(crate) root: PathBuf,
    /// Where.
    pub(crate) point: PathBuf,
    /// Whether the mount or the file system is read-only.
    pub(crate) read_only: bool,
    /// Whether the kernel made it so after an error, by its own word.
    pub(crate) after_error: bool,
    /// The kernel's name of its type.
    pub(crate) kind: String,
    /// The device, or whatever stands in its place.
    pub(crate) source: PathBuf,
}

/// All mounts of this process, oldest first; none where /proc is not there.
pub(crate) fn of_this_process() -> Vec<Mount> {
    parse(&std::fs::read("/proc/self/mountinfo").unwrap_or_default())
}

/// The mounts of a table, oldest first; lines that make no sense are left out.
pub(crate) fn parse(table: &[u8]) -> Vec<Mount> {
    table.split(|&byte| byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    // Optional fields end with a lone dash.
    let dash = fields.iter().skip(6).position(|field| *field == b"-")? + 6;
    let word = |at: usize| Some(String::from_utf8_lossy(fields.get(at)?).into_owned());
    let has = |options: &str, any: &[&str]| options.split(',').any(|option| any.contains(&option));
    let (own, of_all) = (word(5)?, word(dash + 3).unwrap_or_default());
    let after_error = has(&of_all, STOPPED);
    Some(Mount {
        dev: word(2)?,
        root: path(fields.get(3)?),
        point: path(fields.get(4)?),
        read_only: after_error || [own, of_all].iter().any(|options| has(options, &["ro"])),
        after_error,
        kind: word(dash + 1)?,
        source: path(fields.get(dash + 2)?),
    })
}

/// Blanks, tabs, line ends, backslashes and hashes are written as a backslash and three octal digits.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let value = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// The mount that a path without links lies in: the innermost, of several on one place the last.
pub(crate) fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let around = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    around.max_by_key(|mount| mount.point.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n\
23 22 8:17 / /media/me/My\\040Stick\\134 rw,nosuid shared:2 master:3 - vfat /dev/sdb1 ro,uid=1000\n\
24 22 8:2 /srv/data /mnt/bind ro - ext4 /dev/sda2 rw\n\
25 22 0:44 /@home /home rw - btrfs /dev/sdc1 rw\n\
26 22 0:45 / /mnt/a\\xb rw - tmpfs tmpfs rw\n\
27 22 8:33 / /mnt/bind rw - xfs /dev/sdc1 rw\n\
28 22 7:1 / /mnt/stopped rw,relatime - ext4 /dev/loop1 rw,abort,emergency_ro\n\
29 22 7:2 / /mnt/ro ro - ext4 /dev/loop2 ro\n\
30 22 7:3 / /mnt/image rw,relatime - squashfs /dev/loop3 ro\n\
31 22 7:4 / /mnt/older rw,relatime - ext4 /dev/loop4 ro,abort\n\
nonsense\n";

    #[test]
    fn names_options_and_types_are_read_and_nonsense_is_left_out() {
        let mounts = parse(TABLE);
        assert_eq!(mounts.len(), 10);
        assert_eq!(mounts[1].point, Path::new("/media/me/My Stick\\"));
        assert_eq!((mounts[1].dev.as_str(), mounts[1].kind.as_str()), ("8:17", "vfat"));
        assert_eq!(mounts[1].source, Path::new("/dev/sdb1"));
        let read_only: Vec<_> = mounts.iter().map(|mount| (mount.read_only, mount.after_error)).collect();
        let (writable, read, stopped) = ((false, false), (true, false), (true, true));
        assert_eq!(read_only[..5], [writable, read, read, writable, writable]);
        assert_eq!(read_only[5..], [writable, stopped, read, read, stopped]);
        assert_eq!(mounts[4].point, Path::new("/mnt/a\\xb"), "no octal digits, no escape");
    }

    #[test]
    fn a_path_belongs_to_the_innermost_and_last_mount_around_it() {
        let mounts = parse(TABLE);
        for (path, dev) in [
            ("/etc", "8:2"),
            ("/media/me/My Stick\\/x", "8:17"),
            ("/media/me/My Stick", "8:2"),
            ("/mnt/bind/x", "8:33"),
            ("/home/me", "0:44"),
        ] {
            assert_eq!(
                holding(&mounts, Path::new(path)).map(|mount| mount.dev.as_str()),
                Some(dev),
                "{path}"
            );
        }
        assert_eq!(holding(&[], Path::new("/")), None);
    }
}
