//! What udev's database holds of a device: file system and label, for users who may not read the device itself.

use std::path::Path;

use super::superblock::Found;
use crate::domain::media::{FileSystem, device_text};

/// Of a device by its `major:minor`; nothing where udev does not run or does not know.
pub(super) fn lookup(database: &Path, dev: &str) -> Found {
    let text = std::fs::read(database.join(format!("b{dev}"))).unwrap_or_default();
    parse(&String::from_utf8_lossy(&text))
}

fn parse(record: &str) -> Found {
    let value = |name: &str| {
        let values = record.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
        values.filter(|(key, _)| *key == name).map(|(_, value)| value).next_back()
    };
    Found {
        file_system: value("ID_FS_TYPE").filter(|name| !name.is_empty()).map(FileSystem::named),
        label: value("ID_FS_LABEL").and_then(device_text),
        uuid: value("ID_FS_UUID").and_then(device_text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gives_file_system_and_label_made_safe() {
        let found = parse(
            "S:disk/by-id/usb-x\nE:ID_FS_TYPE=vfat\nE:ID_FS_LABEL=A\u{202e}B\nE:ID_FS_UUID=1234-ABCD\nI:1\n",
        );
        assert_eq!(found.file_system, Some(FileSystem::Fat));
        assert_eq!(found.label.as_deref(), Some("A\\u{202e}B"));
        assert_eq!(found.uuid.as_deref(), Some("1234-ABCD"));
        assert_eq!(parse("E:ID_FS_TYPE=\nnonsense"), Found::default());
        assert_eq!(lookup(Path::new("/nonexistent"), "8:1"), Found::default());
    }
}
