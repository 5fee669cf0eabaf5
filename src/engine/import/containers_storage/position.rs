//! How far another process has read files of ours, by what the kernel says of its descriptors; a hint for progress, no proof.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Watches one process that reads blobs.
pub(super) struct Position {
    process: PathBuf,
    /// File as the kernel names it → its length and how far it was read.
    files: HashMap<PathBuf, (u64, u64)>,
    last_io: String,
    /// Bytes that it wrote, with its children: these unpack for it.
    written: u64,
}

/// What was seen of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Bytes read of the files so far, which never goes back.
    pub(super) read: u64,
    /// Whether it has moved anything since the look before.
    pub(super) moved: bool,
    /// Whether it, or what it started, has written since.
    pub(super) wrote: bool,
}

impl Position {
    /// For a process and the files that it will read, each with its length in bytes.
    pub(super) fn of(pid: u32, files: &[(PathBuf, u64)]) -> Self {
        let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self {
            process: PathBuf::from(format!("/proc/{pid}")),
            files: files.iter().map(|(path, size)| (full(path), (*size, 0))).collect(),
            last_io: String::new(),
            written: 0,
        }
    }

    /// How far it is.
    pub(super) fn look(&mut self) -> Look {
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
        let written = written(&io) + self.children().map(|io| written(&io)).sum::<u64>();
        // A child that has ended takes its count with it.
        let wrote = written > std::mem::replace(&mut self.written, written);
        let moved = wrote || now > before || io != self.last_io;
        self.last_io = io;
        Look { read: now, moved, wrote }
    }

    /// What the kernel counts of each process that it started (proc_tid_children(5)).
    fn children(&self) -> impl Iterator<Item = String> {
        let tasks = std::fs::read_dir(self.process.join("task")).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let all: Vec<String> =
            children.flat_map(|all| all.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        all.into_iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/io")).ok())
    }

    fn read(&self) -> u64 {
        self.files.values().map(|(_, read)| read).sum()
    }
}

/// The bytes written, in a text of `/proc/PID/io` (proc_pid_io(5)).
fn written(io: &str) -> u64 {
    let line = io.lines().find_map(|line| line.strip_prefix("wchar:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
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
        assert_eq!(position.look().read, 0);
        file.read_exact(&mut [0; 600]).unwrap();
        assert_eq!(position.look().read, 600);
        drop(file);
        assert_eq!(position.look().read, 600, "never back");
    }

    #[test]
    fn what_a_child_of_a_process_writes_is_seen_and_one_that_waits_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let go = dir.path().join("go");
        rustix::fs::mknodat(rustix::fs::CWD, &go, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        let script = "(read line; echo written; read line) <>\"$1\" >\"$2\"; :";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(&go).arg(dir.path().join("out"));
        let mut shell = shell.spawn().unwrap();
        let mut position = Position::of(shell.id(), &[]);
        position.look();
        std::fs::write(&go, "\n").unwrap();
        let began = std::time::Instant::now();
        let mut wrote = false;
        while !wrote && began.elapsed().as_secs() < 20 {
            wrote = position.look().wrote;
            std::thread::yield_now();
        }
        assert!(wrote);
        assert!(!position.look().wrote, "it waits again");
        std::fs::write(&go, "\n").unwrap();
        shell.wait().unwrap();
    }
}
