//! What carries a directory: enough of it to tell it from another one after it was taken out and put back.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::media::{Medium, Volume};

/// The file system that a directory lies on, and its device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carrier {
    /// Where the file system is mounted.
    pub mount_point: PathBuf,
    /// What is mounted there: a device, or whatever stands in its place.
    pub source: PathBuf,
    /// The file system's own number, as udev writes it; nothing where it has none or cannot be asked.
    pub uuid: Option<String>,
    /// The device; nothing for a file system in memory or on a network.
    pub device: Option<Device>,
}

/// What stays the same of a device wherever it is put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    /// Model and the serial's end, as in headings.
    pub name: String,
    /// The whole serial.
    pub serial: Option<String>,
    /// Bytes.
    pub size: u64,
}

impl Carrier {
    /// Of what is mounted from `source` at `mount_point` and lies on `medium`.
    pub fn of(mount_point: PathBuf, source: PathBuf, medium: Option<&Medium>) -> Self {
        let here = |volume: &&Volume| volume.mount_points.contains(&mount_point) || volume.device == source;
        let volume = medium.and_then(|medium| medium.volumes.iter().find(here));
        Self {
            uuid: volume.and_then(|volume| volume.uuid.clone()),
            device: medium.map(|medium| Device {
                name: medium.short_name(),
                serial: medium.serial.clone(),
                size: medium.size,
            }),
            mount_point,
            source,
        }
    }

    /// What tells a volume of a medium from another one in its place, wherever it is mounted; as [`Self::mark`].
    pub fn mark_of(medium: &Medium, volume: &Volume) -> String {
        let point = volume.mount_point().unwrap_or(&volume.device);
        Self::of(point.to_owned(), volume.device.clone(), Some(medium)).mark()
    }

    /// What tells it from another one, in one word for a command line: the file system's number; without one, the
    /// device; without that, the place.
    pub fn mark(&self) -> String {
        match (&self.uuid, &self.device) {
            (Some(uuid), _) => format!("uuid={uuid}"),
            (None, Some(device)) => {
                let serial = device.serial.as_deref().unwrap_or(&device.name);
                format!("device={serial}:{}", device.size)
            }
            (None, None) => format!("mount={}:{}", self.source.display(), self.mount_point.display()),
        }
    }

    /// Whether this is still what `earlier` was. A file system is known by its number wherever it is mounted; without
    /// one, by its device; without that, by its place.
    pub fn is_still(&self, earlier: &Self) -> bool {
        match (&self.uuid, &earlier.uuid, &self.device, &earlier.device) {
            (Some(now), Some(before), ..) => now == before,
            (_, _, Some(now), Some(before)) => now == before,
            (_, _, None, None) => {
                (&self.mount_point, &self.source) == (&earlier.mount_point, &earlier.source)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point = self.mount_point.display();
        match (&self.device, &self.uuid) {
            (Some(device), Some(uuid)) => write!(f, "{} ({uuid}, at {point})", device.name),
            (Some(device), None) => write!(f, "{} (at {point})", device.name),
            (None, _) => write!(f, "{} (at {point})", self.source.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier(point: &str, uuid: Option<&str>, serial: Option<&str>) -> Carrier {
        let device = serial.map(|serial| Device {
            name: format!("STICK ..{serial}"),
            serial: Some(serial.to_owned()),
            size: 9,
        });
        Carrier {
            mount_point: point.into(),
            source: "/dev/sdb1".into(),
            uuid: uuid.map(ToOwned::to_owned),
            device,
        }
    }

    #[test]
    fn a_file_system_is_known_by_its_number_then_its_device_then_its_place() {
        let stick = carrier("/media/a", Some("1234-ABCD"), Some("7F2A"));
        for (now, still) in [
            (stick.clone(), true),
            // In another reader, at another place.
            (carrier("/mnt", Some("1234-ABCD"), Some("READER")), true),
            // Formatted anew.
            (carrier("/media/a", Some("9999-0000"), Some("7F2A")), false),
            // A user who may not read the number.
            (carrier("/media/a", None, Some("7F2A")), true),
            (carrier("/media/a", None, Some("0001")), false),
            // The directory that is left lies in memory, or on the system's disk.
            (carrier("/media/a", None, None), false),
        ] {
            assert_eq!(now.is_still(&stick), still, "{now:?}");
        }
        let share = carrier("/mnt/share", None, None);
        assert!(share.is_still(&share.clone()) && !carrier("/", None, None).is_still(&share));
        for (carrier, mark) in [
            (&stick, "uuid=1234-ABCD"),
            (&carrier("/media/a", None, Some("7F2A")), "device=7F2A:9"),
            (&share, "mount=/dev/sdb1:/mnt/share"),
        ] {
            assert_eq!(carrier.mark(), mark);
        }
        assert_eq!(stick.to_string(), "STICK ..7F2A (1234-ABCD, at /media/a)");
    }
}
