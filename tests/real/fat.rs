//! Bundles on real FAT and exFAT file systems, through FUSE and private to the test: the same bundle as anywhere else.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::files::{EntryKind, Files, RealFiles};

use crate::rig::world::{World, copy_tree};
use crate::rig::{need, need_root, skip, wait_until};

/// One of the two.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// As Airlift calls it.
    name: &'static str,
    make: &'static str,
    driver: &'static str,
    /// Its type in the table of mounts.
    shown_as: &'static str,
}

const FAT: Kind = Kind { name: "fat", make: "mkfs.vfat", driver: "fusefat", shown_as: "fuse.fusefat" };
const EXFAT: Kind =
    Kind { name: "exfat", make: "mkfs.exfat", driver: "mount.exfat-fuse", shown_as: "fuseblk" };

/// A file system in a file of its own, mounted on a directory until it is dropped.
struct Medium {
    kind: Kind,
    driver: PathBuf,
    /// What the driver opens: the file, or a loop device over it.
    source: String,
    directory: PathBuf,
}

impl Medium {
    /// Makes it and mounts it on a directory that is there; or a said skip.
    fn new(kind: Kind, directory: &Path) -> Option<Self> {
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

    fn unmount(&self) {
        wait_until("it is unmounted", || {
            mounted(&self.directory).is_none() || done(Command::new("umount").arg(&self.directory)).is_ok()
        });
        // The driver writes its last when it ends, which is after the mount is gone.
        wait_until("the driver has ended", || !is_open(&self.source));
    }

    /// Takes it out and puts it in again: what is there then is on the medium.
    fn again(&self) {
        self.unmount();
        self.mount();
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

/// Every file below a directory with its bytes.
fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = RealFiles.list(root, 10_000).unwrap().into_iter();
    let files = entries.filter(|entry| entry.kind != EntryKind::Directory);
    files.map(|file| (file.path.clone(), std::fs::read(root.join(&file.path)).unwrap())).collect()
}

/// Writes such a tree; `std::fs::copy` would set permissions, which FAT does not have.
fn plant(files: &[(String, Vec<u8>)], root: &Path) {
    for (path, bytes) in files {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

fn the_same_bundle(kind: Kind) {
    let Some(world) = World::start() else { return };
    world.push(|layout, host| {
        let large = LayerSpec::noise(1, 300_000).compressed(Compression::None);
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(vec![large])).unwrap();
        layout.image(&format!("{host}/team/app:2"), &ImageSpec::small("two").docker()).unwrap()
    });
    let Some(medium) = Medium::new(kind, &world.medium()) else { return };
    let flags = ["HOST/team/app:1", "HOST/team/app:2", "--max-file-size", "100000"];
    let plan = world.pack(&[&flags[..], &["--dry-run"]].concat()).code(0).report();
    assert_eq!(plan["fileSystem"], kind.name, "{plan}");
    let bundle = world.packed(&flags);
    medium.again();
    world.verify(&bundle, &["--deep"]).code(0);
    let packed = tree(&bundle);
    assert!(packed.iter().any(|(path, _)| path.contains("/parts/")), "one blob is split");
    let copy = world.root.join("copy/bundle-1");
    copy_tree(&bundle, &copy);
    assert!(tree(&copy) == packed, "the copy differs");
    world.verify(&copy, &["--deep"]).code(0);
    // The other way round.
    std::fs::remove_dir_all(&bundle).unwrap();
    plant(&packed, &bundle);
    medium.again();
    assert!(tree(&bundle) == packed, "the copy on the medium differs");
    world.verify(&bundle, &["--deep"]).code(0);
    if kind.name == "exfat" {
        // Not with fusefat: it cannot append, and loses bytes of files that are cut or removed; read-back finds that.
        goes_on(&world, &bundle, &flags);
    }
}

/// Makes a finished bundle one that was cut off within a blob, and packs again.
fn goes_on(world: &World, bundle: &Path, flags: &[&str]) {
    for file in ["airlift/manifest.json", "airlift/SHA256SUMS"] {
        std::fs::remove_file(bundle.join(file)).unwrap();
    }
    std::fs::remove_dir_all(bundle.join("airlift/signatures")).unwrap();
    std::fs::write(bundle.join("airlift/journal"), "").unwrap();
    let files = RealFiles.list(bundle, 10_000).unwrap();
    let parts: Vec<&String> =
        files.iter().map(|file| &file.path).filter(|path| path.contains("/parts/")).collect();
    for part in &parts {
        std::fs::rename(bundle.join(part), bundle.join(format!("{part}.tmp"))).unwrap();
    }
    let last = bundle.join(format!("{}.tmp", parts.last().unwrap()));
    let whole = std::fs::read(&last).unwrap();
    std::fs::write(&last, &whole[..whole.len() / 2]).unwrap();
    let report = world.pack(flags).code(0).report();
    let fetched = report["bundle"]["fetchedBytes"].as_u64().unwrap();
    assert!(fetched < 100_000, "the parts that were there are kept: {report}");
    let bundle = Path::new(report["bundle"]["path"].as_str().unwrap());
    let fresh = world.root.join("fresh");
    world.verify(bundle, &["--deep", "--state", fresh.to_str().unwrap()]).code(0);
    let left: Vec<_> = tree(bundle).into_iter().map(|(path, _)| path).collect();
    assert!(!left.iter().any(|path| path.ends_with(".tmp") || path.ends_with("journal")), "{left:?}");
}

#[test]
fn r07_a_bundle_on_fat_is_the_same_bundle() {
    the_same_bundle(FAT);
}

#[test]
fn r07_a_bundle_on_exfat_is_the_same_bundle() {
    the_same_bundle(EXFAT);
}
