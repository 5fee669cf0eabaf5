//! The read-back before signing: it sees what the device holds, not what memory holds, and says how it looked.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use airlift::domain::bundle::{Blob, BundleManifest, MANIFEST};
use airlift::engine::bundle::readback::{Method, ReadBack, read_back};
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::error::{EngineError, Kind};

use crate::machine::Mount;
use crate::rig::world::World;

fn world() -> Option<World> {
    let world = World::start()?;
    world.push(|layout, host| {
        let layers = vec![LayerSpec::noise(7, 2_500_001), LayerSpec::text("a", "a")];
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(layers)).unwrap()
    });
    Some(world)
}

fn look(bundle: &Path) -> Result<ReadBack, EngineError> {
    let bytes = std::fs::read(bundle.join(MANIFEST)).unwrap();
    let document = BundleManifest::parse(&bytes).unwrap();
    read_back(bundle, &document, &bytes, &JobCtx::silent())
}

fn largest(bundle: &Path) -> Blob {
    let bytes = std::fs::read(bundle.join(MANIFEST)).unwrap();
    let document = BundleManifest::parse(&bytes).unwrap();
    document.blobs.into_iter().max_by_key(|blob| blob.size).unwrap()
}

#[test]
fn a_file_that_changed_after_it_was_written_is_named() {
    let Some(world) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    assert!(look(&bundle).is_ok());
    let path = largest(&bundle).digest.layout_path();
    let file = std::fs::File::options().read(true).write(true).open(bundle.join(&path)).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 1_234_567).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 1_234_567).unwrap();
    file.sync_all().unwrap();
    let error = look(&bundle).unwrap_err();
    assert_eq!(error.kind(), Kind::Medium);
    assert!(error.message().contains(&path) && error.message().contains("read back sha256:"), "{error}");
    assert!(error.hints().join(" ").contains("another medium"), "{:?}", error.hints());
    file.set_len(2_000_000).unwrap();
    file.sync_all().unwrap();
    let error = look(&bundle).unwrap_err();
    assert!(error.message().contains("read back 2000000"), "{error}");
}

#[test]
fn bytes_that_only_memory_holds_right_are_found_wrong_on_the_device() {
    let Some(world) = world() else { return };
    let Some(medium) = Mount::image(&world.medium(), "ext4", 64) else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    assert_eq!(look(&bundle).unwrap().method, Method::Direct);
    let blob = largest(&bundle);
    let path = bundle.join(blob.digest.layout_path());
    let good = std::fs::read(&path).unwrap();
    // The same bytes on the device under the file system: its image, one block of the blob in it.
    let image = medium.path().with_extension("image");
    let device = std::fs::read(&image).unwrap();
    let block = &good[1 << 20..(1 << 20) + 4096];
    let at = (0..device.len() - 4096).step_by(512).find(|at| device[*at..].starts_with(block));
    let at = at.expect("the blob is on the device");
    let device = std::fs::File::options().write(true).open(&image).unwrap();
    device.write_all_at(&[block[0] ^ 1], at as u64).unwrap();
    assert!(std::fs::read(&path).unwrap() == good, "memory still holds what was written");
    let error = look(&bundle).unwrap_err();
    assert_eq!(error.kind(), Kind::Medium);
    assert!(error.message().contains(&blob.digest.layout_path()), "{error}");
}

#[test]
fn a_medium_that_is_memory_itself_is_not_called_read_directly() {
    let Some(world) = world() else { return };
    let Some(_medium) = Mount::tmpfs(&world.medium(), "size=64m") else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    assert_eq!(look(&bundle).unwrap().method, Method::CacheDropped);
}
