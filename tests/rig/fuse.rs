//! FAT and exFAT file systems in files of their own, mounted through FUSE for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{need, need_root, skip, wait_until};

/// One of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// As Airlift calls it.
    pub(crate) name: &'static str,
    make: &'static str,
    driver: &'static str,
    /// Its type in the table of mounts.
    shown_as: &'static str,
}

pub(crate) const FAT: Kind =
    Kind { name: "fat", make: "mkfs.vfat", driver: "fusefat", shown_as: "fuse.fusefat" };
pub(crate) const EXFAT: Kind =
    Kind { name: "exfat", make: "mkfs.exfat", driver: "mount.exfat-fuse", shown_as: "fuseblk" };

/// A file system in a file of its own, mounted on a directory until it is dropped.
pub(crate) struct Medium {
    kind: Kind,
    driver: PathBuf,
    /// What the driver opens: the file, or a loop device over it.
    source: String,
    directory: PathBuf,
}

impl Medium {
    /// Makes it and mounts it on a directory that is there; or a said skip.
    pub(crate) fn new(kind: Kind, directory: &Path) -> Option<Self> {
        let (make, driver) = (need(kind.make)?, need(kind.driver)?);
        if !need_root() {
            return None;
        }
        if !Path::new("/dev/fuse").exists() {
            skip("fuse");
            return None;
        }
        let directory = directory.canonicalize().unwrap();
        let image = directory.with_extension("image");
        std::fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        done(Command::new(make).arg(&image)).unwrap();
        let source = match kind.shown_as {
            "fuseblk" => looped(&image)?,
            _ => image.display().to_string(),
        };
        let medium = Self { kind, driver, source, directory };
        medium.mount();
        Some(medium)
    }

    fn mount(&self) {
        assert_eq!(mounted(&self.directory), None, "nothing else is mounted there");
        let mut command = Command::new(&self.driver);
        if self.kind.driver == "fusefat" {
            command.args(["-o", "rw+"]);
        }
        command.arg(&self.source).arg(&self.directory);
        // The driver stays with whatever it was given to write to.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        assert!(command.status().unwrap().success(), "{command:?}");
        wait_until("it is mounted", || mounted(&self.directory).as_deref() == Some(self.kind.shown_as));
    }

    pub(crate) fn unmount(&self) {
        wait_until("it is unmounted", || {
            mounted(&self.directory).is_none() || done(Command::new("umount").arg(&self.directory)).is_ok()
        });
        // The driver writes its last when it ends, which is after the mount is gone.
        wait_until("the driver has ended", || !is_open(&self.source));
    }

    /// Takes it out and puts it in again: what is there then is on the medium.
    pub(crate) fn again(&self) {
        self.unmount();
        self.mount();
    }

    /// Lets the kernel forget the files that nobody has open: they are looked up anew.
    pub(crate) fn forgotten(&self) {
        assert_eq!(mounted(&self.directory).as_deref(), Some(self.kind.shown_as));
        std::fs::write("/proc/sys/vm/drop_caches", "2").unwrap();
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        if mounted(&self.directory).as_deref() == Some(self.kind.shown_as) {
            self.unmount();
        }
        if self.source.starts_with("/dev/loop") {
            wait_until("the loop device is free", || {
                done(Command::new("losetup").args(["-d", &self.source])).is_ok()
            });
        }
    }
}

fn done(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A loop device over a file; or a said skip.
fn looped(image: &Path) -> Option<String> {
    if !Path::new("/dev/loop-control").exists() {
        skip("loop");
        return None;
    }
    Some(done(Command::new("losetup").args(["--find", "--show"]).arg(image)).unwrap())
}

/// The type of what is mounted on exactly this directory (proc(5), mountinfo).
fn mounted(directory: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let here = left.split(' ').nth(4)? == directory.to_str()?;
        here.then(|| right.split(' ').next().map(str::to_owned)).flatten()
    })
}

/// Whether any process has the file open.
fn is_open(path: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| std::fs::read_dir(process.path().join("fd")).ok()).any(|files| {
        files.flatten().any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to == Path::new(path)))
    })
}
