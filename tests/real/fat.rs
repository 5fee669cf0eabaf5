//! Bundles on real FAT and exFAT file systems, through FUSE and private to the test: the same bundle as anywhere else.

use std::path::Path;

use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::files::{EntryKind, Files, RealFiles, Stamp};
use airlift::engine::store;

use crate::rig::fuse::{EXFAT, FAT, Kind, Medium};
use crate::rig::world::{World, copy_tree};

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

/// Neither FUSE driver knows renames that replace nothing, and neither file system has second names.
fn nothing_is_replaced(kind: Kind) {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("medium");
    std::fs::create_dir(&place).unwrap();
    let Some(medium) = Medium::new(kind, &place) else { return };
    let path = place.join("report.txt");
    store::write_new(&RealFiles, &path, b"first").unwrap();
    let error = store::write_new(&RealFiles, &path, b"second").unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::AlreadyExists, "{error:?}");
    medium.again();
    let names: Vec<_> = RealFiles.list(&place, 10).unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(
        (std::fs::read_to_string(&path).unwrap().as_str(), names),
        ("first", vec!["report.txt".to_owned()])
    );
    medium.unmount();
}

#[test]
fn nothing_is_replaced_on_fat() {
    nothing_is_replaced(FAT);
}

#[test]
fn nothing_is_replaced_on_exfat() {
    nothing_is_replaced(EXFAT);
}

/// FAT and exFAT have no inodes: the kernel numbers files as it looks them up.
fn a_file_stays_the_same_one(kind: Kind) {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("medium");
    std::fs::create_dir(&place).unwrap();
    let Some(medium) = Medium::new(kind, &place) else { return };
    let path = place.join("blob");
    let write = |bytes: &[u8]| store::write_over(&RealFiles, &path, bytes).unwrap();
    write(b"first");
    medium.again();
    let first = Stamp::of(&path).unwrap();
    for _ in 0..3 {
        medium.forgotten();
        assert_eq!(Stamp::of(&path).unwrap(), first);
    }
    write(b"longer");
    assert_ne!(Stamp::of(&path).unwrap(), first);
    medium.unmount();
}

#[test]
fn a_file_on_fat_stays_the_same_one_when_the_kernel_forgot_it() {
    a_file_stays_the_same_one(FAT);
}

#[test]
fn a_file_on_exfat_stays_the_same_one_when_the_kernel_forgot_it() {
    a_file_stays_the_same_one(EXFAT);
}
