//! The query `media list`: every medium of this host, what lies on it, and why it cannot be chosen; and what lies under a path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use serde::Serialize;

use super::mounts::{self, Mount};
use super::sysfs::{self, Disk, Node};
use super::{bundles, superblock, udev};
use crate::domain::carrier::Carrier;
use crate::domain::media::{
    Blocked, Bus, DeviceFacts, FileSystem, FoundBundle, Medium, Volume, device_blocked, notes_on,
};
use crate::engine::blocking::blocking;
use crate::engine::bundle::glance::begun_in;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Result};

/// Where the kernel and udev tell of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// sysfs.
    pub sys: PathBuf,
    /// Device nodes.
    pub dev: PathBuf,
    /// The table of mounts, proc(5).
    pub mountinfo: PathBuf,
    /// The table of swap space, proc(5).
    pub swaps: PathBuf,
    /// udev's database, for what this user may not read from the device.
    pub udev: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            sys: "/sys".into(),
            dev: "/dev".into(),
            mountinfo: "/proc/self/mountinfo".into(),
            swaps: "/proc/swaps".into(),
            udev: "/run/udev/data".into(),
        }
    }
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListSpec {
    /// Where devices are told of.
    pub host: Host,
    /// Paths that are read from, as the key's: no medium that one of them lies on can be chosen.
    pub sources: Vec<PathBuf>,
    /// Whether to look for bundles on what is mounted.
    pub bundles: bool,
    /// Whether to look for what packs that were cut off left there, too.
    pub begun: bool,
}

/// The media of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MediaReport {
    /// Those that can be chosen first, each kind by name.
    pub media: Vec<Medium>,
}

/// A directory and what is under it; any directory can be chosen, the system's disk too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The directory, without links; the part of it that is there.
    pub path: PathBuf,
    /// Where its file system is mounted.
    pub mount_point: PathBuf,
    /// What is mounted there: a device or whatever stands in its place.
    pub source: PathBuf,
    /// Its file system.
    pub file_system: FileSystem,
    /// What its file system does to a bundle.
    pub limits: Option<&'static str>,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Whether the kernel made it so after an error.
    pub after_error: bool,
    /// Whether this user may write there.
    pub writable: bool,
    /// Bytes free for this user, where known.
    pub free: Option<u64>,
    /// Bundles in it and at most two levels below.
    pub bundles: Vec<FoundBundle>,
    /// The device that carries it; nothing for a file system in memory or on a network.
    pub medium: Option<Medium>,
}

/// Lists media. Reads the first bytes of devices and directories near the top of what is mounted; changes nothing.
///
/// # Errors
/// None but a defect of this program: what cannot be read is left out.
pub async fn list(spec: ListSpec, ctx: &JobCtx) -> Result<MediaReport> {
    let ctx = ctx.clone();
    blocking(move || Ok(MediaReport { media: Survey::new(&spec, &ctx).media() })).await
}

/// What lies under a path. The path itself need not be there yet.
///
/// # Errors
/// The file system cannot be asked.
pub async fn place_of(path: PathBuf, spec: ListSpec, ctx: &JobCtx) -> Result<Place> {
    let ctx = ctx.clone();
    blocking(move || Survey::new(&spec, &ctx).place(&path)).await
}

/// The device of a path, where that can be taken out. Blocks.
pub fn removable(path: &Path, spec: &ListSpec, ctx: &JobCtx) -> Option<PathBuf> {
    let place = Survey::new(spec, ctx).place(path).ok()?;
    place.medium.as_ref().is_some_and(|medium| medium.removable).then_some(place.source)
}

/// Whether a path lies on a medium that is carried about. Blocks.
pub fn is_on_medium(path: &Path, ctx: &JobCtx) -> bool {
    let place = Survey::new(&ListSpec::default(), ctx).place(path).ok();
    place.and_then(|place| place.medium).is_some_and(|medium| medium.is_carried())
}

/// The tables of one moment.
struct Survey<'a> {
    spec: &'a ListSpec,
    ctx: &'a JobCtx,
    disks: BTreeMap<String, Disk>,
    mounts: Vec<Mount>,
    /// Paths of swap space, and whether each is a file.
    swaps: Vec<(PathBuf, bool)>,
}

impl Place {
    /// Why nothing can be written there, the device and the user aside.
    pub const fn why_read_only(&self) -> Option<Blocked> {
        match (self.after_error, self.read_only) {
            (true, _) => Some(Blocked::ReadOnlyAfterError),
            (false, true) => Some(Blocked::MountedReadOnly),
            (false, false) => None,
        }
    }

    /// What it lies on.
    pub fn carrier(&self) -> Carrier {
        Carrier::of(self.mount_point.clone(), self.source.clone(), self.medium.as_ref())
    }
}

impl<'a> Survey<'a> {
    fn new(spec: &'a ListSpec, ctx: &'a JobCtx) -> Self {
        let host = &spec.host;
        let disks = sysfs::disks(&host.sys);
        let mut mounts = mounts::parse(&std::fs::read(&host.mountinfo).unwrap_or_default());
        for mount in mounts.iter_mut().filter(|mount| mount.dev.starts_with("0:")) {
            // btrfs numbers its mounts by itself; the device is known by its name alone.
            let name = std::fs::canonicalize(&mount.source).ok();
            let name = name.as_deref().unwrap_or(&mount.source).strip_prefix(&host.dev).ok();
            let node = name.and_then(|name| {
                disks.values().flat_map(Disk::nodes).find(|node| Path::new(&node.name) == name)
            });
            if let Some(node) = node {
                mount.dev.clone_from(&node.dev);
            }
        }
        let table = std::fs::read_to_string(&host.swaps).unwrap_or_default();
        let swap = |line: &str| {
            let mut words = line.split_whitespace();
            Some((PathBuf::from(words.next()?), words.next()? == "file"))
        };
        let swaps = table.lines().skip(1).filter_map(swap).collect();
        Self { spec, ctx, mounts, swaps, disks }
    }

    fn media(&self) -> Vec<Medium> {
        let disks = self.disks.values().filter(|disk| sysfs::is_medium(disk));
        let mut media: Vec<Medium> = disks.map(|disk| self.medium(disk)).collect();
        media.sort_by_key(|medium| (medium.blocked.is_some(), !medium.removable));
        media
    }

    fn medium(&self, disk: &Disk) -> Medium {
        let carried: Vec<&Node> = self.carried(disk);
        let facts = DeviceFacts {
            size: disk.node.size,
            read_only: disk.read_only,
            fixed: disk.is_fixed(),
            uses: carried.iter().flat_map(|node| self.uses(node)).collect(),
            sources: self.sources_on(&carried),
        };
        let blocked = device_blocked(&facts);
        let whole = disk.partitions.is_empty() || !self.mounts_of(&disk.node).is_empty();
        let nodes = disk.nodes().skip(usize::from(!whole || disk.node.size == 0));
        // An extended partition is only a shell around others.
        let nodes = nodes.filter(|node| node.size > 1024);
        // What cannot be written to is read all the same: a bundle often comes on it.
        let readable = matches!(blocked, None | Some(Blocked::WriteProtected));
        let look = self.spec.bundles && readable;
        Medium {
            name: disk.node.name.clone(),
            device: self.spec.host.dev.join(&disk.node.name),
            model: disk.model.clone(),
            serial: disk.serial.clone(),
            bus: disk.bus,
            removable: disk.removable,
            read_only: disk.read_only,
            size: disk.node.size,
            sequence: disk.sequence,
            file: disk.file.clone(),
            volumes: nodes.map(|node| self.volume(node, look)).collect(),
            notes: if disk.bus == Bus::Usb { notes_on(disk.model.as_deref()) } else { Vec::new() },
            blocked,
        }
    }

    fn volume(&self, node: &Node, look: bool) -> Volume {
        let device = self.spec.host.dev.join(&node.name);
        let mounts = self.mounts_of(node);
        let first = mounts.first().copied();
        let known = udev::lookup(&self.spec.host.udev, &node.dev);
        let read = superblock::probe(&device);
        let found = read.file_system.or(known.file_system);
        let by_mount =
            first.filter(|mount| mount.kind != "fuseblk").map(|mount| FileSystem::named(&mount.kind));
        let file_system = by_mount.or(found);
        let point = first.map(|mount| mount.point.as_path());
        let mut volume = Volume {
            device,
            size: node.size,
            limits: file_system.as_ref().and_then(FileSystem::limits),
            file_system,
            label: read.label.or(known.label),
            uuid: read.uuid.or(known.uuid),
            mount_points: mounts.iter().map(|mount| mount.point.clone()).collect(),
            read_only: first.is_some_and(|mount| mount.read_only),
            after_error: first.is_some_and(|mount| mount.after_error),
            writable: point.map(is_writable),
            free: point.and_then(|point| self.ctx.files.space(point).ok()?.free),
            bundles: point.filter(|_| look).map(|point| self.bundles(point)).unwrap_or_default(),
            begun: point
                .filter(|_| look && self.spec.begun)
                .map(|point| begun_in(&*self.ctx.files, point))
                .unwrap_or_default(),
            blocked: None,
        };
        volume.blocked = volume.blocked_for(0);
        volume
    }

    fn place(&self, path: &Path) -> Result<Place> {
        let failed =
            |source| FileError { operation: "find the file system of", path: path.to_owned(), source };
        let full = existing(path).map_err(failed)?;
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let mount = mounts::holding(&self.mounts, &full).ok_or_else(missing).map_err(failed)?;
        let space = self.ctx.files.space(&full)?;
        let file_system = match space.kind {
            kind @ ("fat" | "exfat") => FileSystem::named(kind),
            _ => FileSystem::named(&mount.kind),
        };
        let disks = || self.disks.values().filter(|disk| sysfs::is_medium(disk));
        let under = || disks().find(|disk| self.carried(disk).iter().any(|node| node.dev == mount.dev));
        let disk = disks().find(|disk| disk.nodes().any(|node| node.dev == mount.dev)).or_else(under);
        Ok(Place {
            mount_point: mount.point.clone(),
            source: mount.source.clone(),
            limits: file_system.limits(),
            file_system,
            read_only: mount.read_only,
            after_error: mount.after_error,
            writable: is_writable(&full),
            free: space.free,
            bundles: if self.spec.bundles { self.bundles(&full) } else { Vec::new() },
            medium: disk.map(|disk| self.medium(disk)),
            path: full,
        })
    }

    fn bundles(&self, top: &Path) -> Vec<FoundBundle> {
        bundles::near(self.ctx.files.as_ref(), top, self.ctx.clock.now())
    }

    /// The mounts of a device that can be reached, those of its top directory first.
    fn mounts_of(&self, node: &Node) -> Vec<&Mount> {
        let reachable = |mount: &&Mount| mounts::holding(&self.mounts, &mount.point) == Some(*mount);
        let own = self.mounts.iter().filter(|mount| mount.dev == node.dev);
        let mut own: Vec<&Mount> = own.filter(reachable).collect();
        own.sort_by_key(|mount| mount.root != Path::new("/"));
        own
    }

    fn carried<'s>(&'s self, disk: &'s Disk) -> Vec<&'s Node> {
        sysfs::carried(&self.disks, disk, &|dev| {
            let lies = |loop_device: &&Disk| {
                loop_device.file.as_deref().and_then(|file| self.dev_of(file)) == Some(dev)
            };
            self.disks.values().filter(lies).collect()
        })
    }

    /// Where a device is in use.
    fn uses(&self, node: &Node) -> Vec<String> {
        let mounted = self.mounts.iter().filter(|mount| mount.dev == node.dev);
        let mut uses: Vec<String> = mounted.map(|mount| mount.point.to_string_lossy().into_owned()).collect();
        let device = self.spec.host.dev.join(&node.name);
        let swaps = |(path, is_file): &(PathBuf, bool)| match is_file {
            true => self.dev_of(path) == Some(node.dev.as_str()),
            false => *path == device,
        };
        uses.extend(self.swaps.iter().any(swaps).then(|| "swap".to_owned()));
        uses
    }

    fn sources_on(&self, carried: &[&Node]) -> Vec<String> {
        let lies = |path: &&PathBuf| {
            let full = existing(path).ok();
            let dev = full.as_deref().and_then(|full| self.dev_of(full));
            dev.is_some_and(|dev| carried.iter().any(|node| node.dev == dev))
        };
        self.spec.sources.iter().filter(lies).map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// Number of the file system that a path without links lies in.
    fn dev_of(&self, path: &Path) -> Option<&str> {
        Some(mounts::holding(&self.mounts, path)?.dev.as_str())
    }
}

/// Whether this user may write to what lies at a path, links followed.
pub fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, Access::WRITE_OK).is_ok()
}

/// A path without links, or the nearest directory above it that is there.
fn existing(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for above in absolute.ancestors() {
        match std::fs::canonicalize(above) {
            Ok(full) => return Ok(full),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host in a directory: a stick, a system disk under LVM, a loop device, an empty card reader, a disk in memory.
    struct World(tempfile::TempDir);

    impl World {
        fn new() -> Self {
            let world = Self(tempfile::tempdir().unwrap());
            let usb = "pci0000:00/usb1/1-2";
            world.disk("sdb", &format!("{usb}/1-2:1.0/host6/block"), "8:16", 2000);
            world.put(&format!("sys/devices/{usb}/idVendor"), "0951\n");
            world.put(&format!("sys/devices/{usb}/serial"), "AA007F2A\n");
            world.put("sys/block/sdb/device/vendor", "Kingston\n");
            world.put("sys/block/sdb/device/model", "Data\u{1b}[2JTraveler \n");
            world.put("sys/block/sdb/diskseq", "9\n");
            world.partition("sdb", 1, "8:17", 1900);
            world.disk("nvme0n1", "pci0000:00/nvme/nvme0", "259:0", 9000);
            world.partition("nvme0n1", 2, "259:2", 8000);
            world.put("sys/block/nvme0n1/nvme0n1p2/holders/dm-0", "");
            world.disk("dm-0", "virtual/block", "253:0", 8000);
            world.disk("loop0", "virtual/block", "7:0", 50);
            world.put("sys/block/loop0/loop/backing_file", &format!("{}\n", world.at("mnt/disk.img")));
            world.disk("loop1", "virtual/block", "7:1", 0);
            world.disk("zram0", "virtual/block", "251:0", 70);
            world.disk("mmcblk0", "platform/mmc_host/mmc0/mmc0:0001/block", "179:0", 0);
            world.put("sys/block/mmcblk0/removable", "1\n");
            world.put("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition 9 0 -2\n");
            for directory in ["mnt/stick one", "mnt/loop", "dev"] {
                std::fs::create_dir_all(world.0.path().join(directory)).unwrap();
            }
            world.mounts("");
            world
        }

        fn at(&self, path: &str) -> String {
            self.0.path().canonicalize().unwrap().join(path).display().to_string()
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn disk(&self, name: &str, place: &str, dev: &str, sectors: u64) {
            self.put(&format!("sys/devices/{place}/{name}/size"), &format!("{sectors}\n"));
            self.put(&format!("sys/devices/{place}/{name}/dev"), &format!("{dev}\n"));
            std::fs::create_dir_all(self.0.path().join("sys/block")).unwrap();
            let link = self.0.path().join("sys/block").join(name);
            std::os::unix::fs::symlink(format!("../devices/{place}/{name}"), link).unwrap();
        }

        fn partition(&self, disk: &str, number: u32, dev: &str, sectors: u64) {
            let infix = if disk.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
            let at = format!("sys/block/{disk}/{disk}{infix}{number}");
            self.put(&format!("{at}/partition"), &number.to_string());
            self.put(&format!("{at}/size"), &sectors.to_string());
            self.put(&format!("{at}/dev"), dev);
        }

        fn mounts(&self, more: &str) {
            let top = self.at("mnt");
            let table = format!(
                "1 0 253:0 / / rw - ext4 /dev/mapper/root rw\n\
                 2 1 8:17 /lists {top}/bind rw - vfat /dev/sdb1 rw\n\
                 3 1 8:17 / {top}/stick\\040one rw - vfat /dev/sdb1 rw\n\
                 4 1 7:0 / {top}/loop ro - ext4 /dev/loop0 ro\n{more}"
            );
            self.put("proc/mountinfo", &table);
        }

        fn spec(&self, sources: &[String]) -> ListSpec {
            let at = |path| self.0.path().join(path);
            let host = Host {
                sys: at("sys"),
                dev: at("dev"),
                mountinfo: at("proc/mountinfo"),
                swaps: at("proc/swaps"),
                udev: at("udev"),
            };
            ListSpec {
                host,
                sources: sources.iter().map(PathBuf::from).collect(),
                bundles: true,
                begun: true,
            }
        }

        fn list(&self, sources: &[String]) -> Vec<Medium> {
            Survey::new(&self.spec(sources), &JobCtx::silent()).media()
        }

        fn blocked(&self, name: &str, sources: &[String]) -> Option<Blocked> {
            let media = self.list(sources);
            media.iter().find(|medium| medium.name == name).unwrap().blocked.clone()
        }
    }

    #[test]
    fn a_stick_is_told_with_its_identity_and_what_lies_on_it() {
        let world = World::new();
        world.put("udev/b8:17", "E:ID_FS_TYPE=vfat\nE:ID_FS_LABEL=CARGO\n");
        let media = world.list(&[]);
        let stick = &media[0];
        assert_eq!((stick.name.as_str(), stick.bus, stick.removable), ("sdb", Bus::Usb, true));
        assert_eq!(stick.model.as_deref(), Some("Kingston Data\\u{1b}[2JTraveler"));
        assert_eq!((stick.serial.as_deref(), stick.sequence), (Some("AA007F2A"), Some(9)));
        assert_eq!((stick.size, &stick.blocked), (2000 * 512, &None));
        let [volume] = &stick.volumes[..] else { panic!("{:?}", stick.volumes) };
        assert_eq!((&volume.file_system, volume.label.as_deref()), (&Some(FileSystem::Fat), Some("CARGO")));
        let points: Vec<_> = volume.mount_points.iter().map(|point| point.display().to_string()).collect();
        assert_eq!(points, [world.at("mnt/stick one"), world.at("mnt/bind")], "the top before a part of it");
        assert!(volume.writable == Some(true) && volume.free.is_some() && volume.blocked.is_none());
        assert!(volume.limits.is_some_and(|limits| limits.contains("split")));
    }

    #[test]
    fn what_is_in_memory_idle_or_built_upon_others_is_no_medium_of_its_own() {
        let names: Vec<String> = World::new().list(&[]).into_iter().map(|medium| medium.name).collect();
        assert_eq!(names, ["sdb", "loop0", "mmcblk0", "nvme0n1"], "those that can be chosen come first");
    }

    #[test]
    fn the_disk_under_the_system_is_blocked_through_all_layers() {
        let world = World::new();
        let holds = |holds: &[&str]| {
            Some(Blocked::System { holds: holds.iter().map(|&place| place.to_owned()).collect() })
        };
        assert_eq!(world.blocked("nvme0n1", &[]), holds(&["/"]));
        assert_eq!(world.blocked("mmcblk0", &[]), Some(Blocked::NoMedium));
        assert_eq!(world.blocked("sdb", &[]), None);
        // A system that runs from a file on the stick: it is blocked as the disk under /usr.
        world.put("sys/block/loop0/loop/backing_file", &world.at("mnt/stick one/live.img"));
        world.mounts("5 1 7:0 / /usr ro - squashfs /dev/loop0 ro\n");
        assert_eq!(world.blocked("sdb", &[]), holds(&["/usr"]));
        world.mounts("");
        let swap = |path: &Path, kind| format!("Filename\n{} {kind} 1 0 -2\n", path.display());
        world.put("proc/swaps", &swap(&world.0.path().join("dev/sdb1"), "partition"));
        assert_eq!(world.blocked("sdb", &[]), holds(&["swap"]));
        world.put("proc/swaps", &swap(Path::new(&world.at("mnt/loop/swapfile")), "file"));
        assert_eq!(world.blocked("sdb", &[]), holds(&["swap"]), "in a file in a file on the stick");
    }

    #[test]
    fn a_bundle_is_found_on_what_cannot_be_written_to_and_not_on_the_disk_of_the_system() {
        let world = World::new();
        for place in ["mnt/loop/site-42", "mnt/stick one/site-42"] {
            world.put(&format!("{place}/oci-layout"), "{}");
            world.put(&format!("{place}/{}", crate::domain::bundle::MANIFEST), "{}");
        }
        let found = |name: &str| {
            let media = world.list(&[]);
            let medium = media.iter().find(|medium| medium.name == name).unwrap();
            let bundles = medium.volumes.iter().flat_map(|volume| &volume.bundles);
            (medium.blocked.clone(), bundles.map(|bundle| bundle.path.clone()).collect::<Vec<_>>())
        };
        let on = |place: &str| vec![PathBuf::from(world.at(place))];
        assert_eq!(found("loop0"), (None, on("mnt/loop/site-42")), "mounted read-only");
        world.put("sys/devices/virtual/block/loop0/ro", "1\n");
        world.put("sys/devices/pci0000:00/usb1/1-2/1-2:1.0/host6/block/sdb/ro", "1\n");
        assert_eq!(found("loop0"), (Some(Blocked::WriteProtected), on("mnt/loop/site-42")));
        assert_eq!(found("sdb"), (Some(Blocked::WriteProtected), on("mnt/stick one/site-42")));
        world.mounts("5 1 7:0 / /usr ro - squashfs /dev/loop0 ro\n");
        let system = Some(Blocked::System { holds: vec!["/usr".to_owned()] });
        assert_eq!(found("loop0"), (system, Vec::new()));
    }

    #[test]
    fn what_is_plugged_in_behind_a_bridge_can_be_chosen_wherever_it_is_mounted_unless_the_system_is_on_it() {
        let world = World::new();
        let bridge = "pci0000:00/0000:00:1d.4/0000:05:00.0";
        world.disk("nvme1n1", &format!("{bridge}/nvme/nvme1"), "259:8", 9000);
        let on = |at: &str| world.mounts(&format!("9 1 259:8 / {at} rw - ext4 /dev/nvme1n1 rw\n"));
        on("/srv/out");
        assert_eq!(world.blocked("nvme1n1", &[]), Some(Blocked::BuiltIn { holds: vec!["/srv/out".into()] }));
        world.put(&format!("sys/devices/{bridge}/removable"), "removable\n");
        assert_eq!(world.blocked("nvme1n1", &[]), None);
        let there = world.list(&[]).into_iter().find(|medium| medium.name == "nvme1n1").unwrap();
        assert!(there.removable && !there.is_fixed());
        let source = world.at("mnt/case/images.txt");
        std::fs::create_dir(world.0.path().join("mnt/case")).unwrap();
        on(&world.at("mnt/case"));
        let device = |path: &str| removable(Path::new(path), &world.spec(&[]), &JobCtx::silent());
        assert_eq!(device(&world.at("mnt/case/images.txt")), Some("/dev/nvme1n1".into()));
        assert_eq!(device("/srv"), None);
        assert!(matches!(world.blocked("nvme1n1", &[source]), Some(Blocked::Source { .. })));
        on("/usr");
        assert_eq!(world.blocked("nvme1n1", &[]), Some(Blocked::System { holds: vec!["/usr".into()] }));
    }

    #[test]
    fn the_disk_that_is_read_from_is_blocked() {
        let world = World::new();
        let list = world.at("mnt/stick one/lists/images.txt");
        let blocked = world.blocked("sdb", std::slice::from_ref(&list));
        assert_eq!(blocked, Some(Blocked::Source { holds: vec![list] }));
    }

    #[test]
    fn a_device_without_a_number_in_the_table_is_known_by_its_name() {
        let world = World::new();
        let dev = world.0.path().join("dev/sdb1");
        world.mounts(&format!("6 1 0:77 /@ / rw - btrfs {} rw\n", dev.display()));
        assert!(matches!(world.blocked("sdb", &[]), Some(Blocked::System { .. })));
    }

    #[test]
    fn a_path_is_placed_on_its_medium_even_before_it_is_there() {
        let world = World::new();
        let place = |path: &str| {
            let spec = world.spec(&[]);
            Survey::new(&spec, &JobCtx::silent()).place(Path::new(path)).unwrap()
        };
        let on_stick = place(&world.at("mnt/stick one/new/deeper"));
        assert_eq!(on_stick.path, Path::new(&world.at("mnt/stick one")));
        assert_eq!(on_stick.medium.as_ref().map(|medium| medium.name.as_str()), Some("sdb"));
        let elsewhere = place(&world.at("mnt"));
        assert_eq!(elsewhere.mount_point, Path::new("/"));
        let medium = elsewhere.medium.unwrap();
        assert_eq!(medium.name, "nvme0n1");
        assert!(
            medium.blocked.is_some(),
            "it can be chosen as a directory, and is told to be on the system's disk"
        );
    }
}
