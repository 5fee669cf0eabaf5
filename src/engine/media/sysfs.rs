//! Reads the kernel's block devices from sysfs: identity, partitions, and what is built upon what.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::media::{Bus, device_text, hangs_outside, is_fixed};

/// Sectors of sysfs have 512 bytes, whatever the device has.
const SECTOR: u64 = 512;
/// An attribute is at most a page.
const ATTRIBUTE: u64 = 4096;

/// A block device that is no partition.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) node: Node,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) bus: Bus,
    pub(super) removable: bool,
    pub(super) read_only: bool,
    pub(super) sequence: Option<u64>,
    /// Behind a loop device.
    pub(super) file: Option<PathBuf>,
    pub(super) partitions: Vec<Node>,
}

impl Disk {
    /// As [`Medium::is_fixed`](crate::domain::media::Medium::is_fixed).
    pub(super) fn is_fixed(&self) -> bool {
        is_fixed(self.bus, self.removable)
    }
}

/// A device or a partition of one.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    /// `major:minor`.
    pub(super) dev: String,
    /// Bytes.
    pub(super) size: u64,
    /// Names of the devices that are built upon it.
    holders: Vec<String>,
}

/// Every block device, by name, those that are built upon others among them.
pub(super) fn disks(sys: &Path) -> BTreeMap<String, Disk> {
    let entries = fs::read_dir(sys.join("block")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| Some((name.clone(), disk(&sys.join("block").join(&name), &name)?))).collect()
}

/// Whether a device is a medium of its own: nothing in memory, and nothing that is built upon others.
pub(super) fn is_medium(disk: &Disk) -> bool {
    let name = &disk.node.name;
    let hidden =
        ["ram", "zram", "dm-", "md", "zd", "drbd", "bcache"].iter().any(|kind| name.starts_with(kind));
    // A loop or network device that is not in use has no size; an empty card reader must be shown.
    !hidden && (disk.node.size > 0 || disk.removable)
}

fn disk(path: &Path, name: &str) -> Option<Disk> {
    let place = fs::canonicalize(path).ok()?;
    let bus = Bus::of(name, &place.to_string_lossy());
    let text = |attribute: &str| read(&place.join(attribute));
    let shown = |attribute: &str| text(attribute).as_deref().and_then(device_text);
    let model = shown("device/model").or_else(|| shown("device/name"));
    let maker = shown("device/vendor").filter(|maker| maker != "ATA" && !maker.starts_with("0x"));
    let outside = hangs_outside(&place.to_string_lossy(), &|step| read(&Path::new(step).join("removable")));
    let card = bus == Bus::Mmc && text("device/type").is_some_and(|kind| kind.trim() == "SD");
    Some(Disk {
        node: node(&place, name),
        model: match (maker, model) {
            (Some(maker), Some(model)) => Some(format!("{maker} {model}")),
            (maker, model) => model.or(maker),
        },
        serial: serial(&place, bus),
        bus,
        removable: text("removable").is_some_and(|flag| flag.trim() == "1")
            || bus == Bus::Usb
            || card
            || outside,
        read_only: text("ro").is_some_and(|flag| flag.trim() == "1"),
        sequence: text("diskseq").and_then(|number| number.trim().parse().ok()),
        file: text("loop/backing_file").map(|file| PathBuf::from(file.trim_end_matches('\n'))),
        partitions: partitions(&place),
    })
}

fn node(place: &Path, name: &str) -> Node {
    let number = |attribute| read(&place.join(attribute)).and_then(|text| text.trim().parse::<u64>().ok());
    Node {
        // The kernel writes a slash in a name as an exclamation mark: cciss!c0d0.
        name: name.replace('!', "/"),
        dev: read(&place.join("dev")).unwrap_or_default().trim().to_owned(),
        size: number("size").unwrap_or(0).saturating_mul(SECTOR),
        holders: children(&place.join("holders")),
    }
}

fn partitions(place: &Path) -> Vec<Node> {
    let mut found: Vec<(u64, Node)> = children(place)
        .into_iter()
        .filter_map(|name| {
            let number = read(&place.join(&name).join("partition"))?.trim().parse().ok()?;
            Some((number, node(&place.join(&name), &name)))
        })
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, node)| node).collect()
}

/// Of the device itself; on USB that of the stick, as the bridge in it often has none.
fn serial(place: &Path, bus: Bus) -> Option<String> {
    let usb = || {
        let device = place.ancestors().find(|step| step.join("idVendor").exists())?;
        read(&device.join("serial"))
    };
    let own = || ["serial", "device/serial"].iter().find_map(|attribute| read(&place.join(attribute)));
    // SCSI's vital product data: four bytes of header, then the number (SPC-4, 7.8.15).
    let page = || fs::read(place.join("device/vpd_pg80")).ok();
    let vital = || Some(String::from_utf8_lossy(page()?.get(4..)?).into_owned());
    let raw = if bus == Bus::Usb { usb().or_else(own) } else { own().or_else(vital) };
    raw.as_deref().and_then(device_text)
}

fn children(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn read(attribute: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    // Some attributes cannot be read although they are there: no medium, no permission.
    fs::File::open(attribute).ok()?.take(ATTRIBUTE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

impl Disk {
    /// Itself and its partitions.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.node).chain(&self.partitions)
    }
}

/// Every device that a disk carries, itself included, through LVM, RAID and encryption; `on_file` adds the
/// loop devices whose files lie on a device.
pub(super) fn carried<'a>(
    disks: &'a BTreeMap<String, Disk>,
    disk: &'a Disk,
    on_file: &dyn Fn(&str) -> Vec<&'a Disk>,
) -> Vec<&'a Node> {
    let mut seen = HashSet::new();
    let (mut open, mut found) = (vec![disk], Vec::new());
    while let Some(next) = open.pop() {
        if !seen.insert(&next.node.name) {
            continue;
        }
        for node in next.nodes() {
            found.push(node);
            open.extend(node.holders.iter().filter_map(|name| disks.get(name)));
            open.extend(on_file(&node.dev));
        }
    }
    found
}
