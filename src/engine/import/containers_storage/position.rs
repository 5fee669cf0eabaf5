//! How far another process has read files of ours, by what the kernel says of its descriptors; a hint for progress, no proof.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Watches one process that reads blobs.
pub(super) struct Position {
    process: PathBuf,
    /// File as the kernel names it → its length and how far it was read.
    files: HashMap<PathBuf, (u64, u64)>,
    last_io: String,
}

impl Position {
    /// For a process and the files that it will read, each with its length in bytes.
    pub(super) fn of(pid: u32, files: &[(PathBuf, u64)]) -> Self {
        let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self {
            process: PathBuf::from(format!("/proc/{pid}")),
            files: files.iter().map(|(path, size)| (full(path), (*size, 0))).collect(),
            last_io: String::new(),
        }
    }

    /// Bytes read so far, which never goes back, and whether the process has moved anything since the last look.
    pub(super) fn look(&mut self) -> (u64, bool) {
        let before = self.read();
        for entry in std::fs::read_dir(self.process.join("fd")).into_iter().flatten().flatten() {
            let Ok(file) = std::fs::read_link(entry.path()) else { continue };
            let Some((size, read)) = self.files.get_mut(&file) else { continue };
            let info = self.process.join("fdinfo").join(entry.file_name());
            let text = std::fs::read_to_string(info).unwrap_or_default();
            *read = (*read).max(position(&text).min(*size));
        }
        let now = self.read();
        let io = std::fs::read_to_string(self.process.join("io")).unwrap_or_default();
        let moved = now > before || io != self.last_io;
        self.last_io = io;
        (now, moved)
    }

    fn read(&self) -> u64 {
        self.files.values().map(|(_, read)| read).sum()
    }
}

/// The offset in a text of `/proc/PID/fdinfo/FD`.
fn position(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("pos:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn what_this_process_has_read_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blob");
        std::fs::write(&path, [7; 1000]).unwrap();
        let mut file = std::fs::File::open(&path).unwrap();
        let mut position = Position::of(std::process::id(), &[(path, 1000)]);
        assert_eq!(position.look().0, 0);
        file.read_exact(&mut [0; 600]).unwrap();
        assert_eq!(position.look().0, 600);
        drop(file);
        assert_eq!(position.look().0, 600, "never back");
    }
}
