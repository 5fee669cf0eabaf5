//! The images directory of k3s and a damaged medium: what the archive has is kept, and what cannot be kept is said with what helps.

use std::fs;

use airlift::domain::digest::Digest;
use serde_json::Value;

use crate::import_k3s::{ARCHIVE, IMAGES, Packed, names, outcomes, packed};
use crate::rig::world::damaged_copy;

#[test]
fn a_damaged_manifest_leaves_its_image_out_of_the_archive_and_takes_none_out_of_one() {
    let Some(packed) = packed() else { return };
    let damaged = packed.world.root.join("damaged");
    damaged_copy(&packed.bundle, &packed.images[1].1, &damaged);
    let said = packed.run(&damaged, &[]).code(10).said();
    assert!(said.contains("team/old:2") && said.contains(packed.images[1].1.hex()), "{said}");
    assert!(packed.files().is_empty());
    let kept = packed.run(&damaged, &["--keep-going"]).code(3);
    assert_eq!(outcomes(&kept.report()["targets"][0]), ["added", "failed", "added"]);
    assert_eq!(packed.files(), [ARCHIVE]);
    assert_eq!(outcomes(&packed.import(&[])), ["skipped", "added", "skipped"]);
    // It is there, and no run leaves it out that cannot bring it.
    let whole = fs::read(packed.archive(ARCHIVE)).unwrap();
    let kept = packed.run(&damaged, &["--keep-going"]).code(3);
    assert_eq!(outcomes(&kept.report()["targets"][0]), ["skipped", "failed", "skipped"]);
    assert!(fs::read(packed.archive(ARCHIVE)).unwrap() == whole);
}

/// The manifest of the second image, its configuration and the layer that it alone has.
fn second(packed: &Packed) -> [Digest; 3] {
    let manifest = packed.images[1].1.clone();
    let bytes = fs::read(packed.bundle.join(manifest.layout_path())).unwrap();
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    let digest = |of: &Value| -> Digest { of["digest"].as_str().unwrap().parse().unwrap() };
    let layer = digest(json["layers"].as_array().unwrap().last().unwrap());
    [manifest, digest(&json["config"]), layer]
}

/// The archive of all images, and one of the second one alone, which is what the directory has.
fn second_alone(packed: &Packed) -> (Vec<u8>, Vec<u8>) {
    packed.import(&[]);
    let whole = fs::read(packed.archive(ARCHIVE)).unwrap();
    fs::remove_file(packed.archive(ARCHIVE)).unwrap();
    packed.import(&["--only", &packed.images[1].0]);
    (whole, fs::read(packed.archive(ARCHIVE)).unwrap())
}

#[test]
fn what_the_archive_has_is_taken_over_where_the_medium_has_it_damaged() {
    let Some(packed) = packed() else { return };
    let [manifest, config, layer] = second(&packed);
    let (whole, alone) = second_alone(&packed);
    let others = ["--only", &packed.images[0].0, "--only", &packed.images[2].0];
    // What cannot be read of an image keeps it from being looked for in the archive; a layer need not be read at all.
    for (blob, going, images) in [
        (&manifest, 3, ["added", "failed", "added"]),
        (&config, 3, ["added", "failed", "added"]),
        (&layer, 0, ["added", "skipped", "added"]),
    ] {
        let damaged = packed.world.root.join(blob.hex());
        damaged_copy(&packed.bundle, blob, &damaged);
        for (more, code, images) in [(&["--keep-going"][..], going, &images[..]), (&others, 0, &["added"; 2])]
        {
            fs::write(packed.archive(ARCHIVE), &alone).unwrap();
            let dry = packed.run(&damaged, &[more, &["--dry-run"]].concat()).code(code);
            let ran = packed.run(&damaged, more).code(code);
            for ran in [dry, ran] {
                assert_eq!(outcomes(&ran.report()["targets"][0]), images, "{blob} {more:?}");
            }
            assert!(fs::read(packed.archive(ARCHIVE)).unwrap() == whole, "{blob} {more:?}");
        }
    }
    assert_eq!(packed.started().unwrap_or_else(|| names(&packed.images)), names(&packed.images));
    // Another target beside it reads the medium by itself for what is taken over.
    fs::write(packed.archive(ARCHIVE), &alone).unwrap();
    let layout = format!("oci:{}", packed.world.root.join("layout").display());
    let both = packed.run(&packed.bundle, &["--into", &layout]).code(0).report();
    assert_eq!(outcomes(&both["targets"][0]), ["added", "skipped", "added"]);
    assert_eq!(outcomes(&both["targets"][1]), ["added"; 3]);
    assert!(fs::read(packed.archive(ARCHIVE)).unwrap() == whole);
}

#[test]
fn what_is_damaged_in_the_archive_too_is_not_lost_unasked_and_a_good_copy_mends_it() {
    let Some(packed) = packed() else { return };
    let [manifest, _, layer] = second(&packed);
    let (whole, alone) = second_alone(&packed);
    let archive = packed.archive(ARCHIVE);
    let dir = packed.world.root.join(IMAGES);
    for blob in [&manifest, &layer] {
        let bytes = fs::read(packed.bundle.join(blob.layout_path())).unwrap();
        let at = alone.windows(bytes.len()).position(|part| part == bytes).unwrap();
        let mut torn = alone.clone();
        torn[at + bytes.len() / 2] ^= 1;
        let damaged = packed.world.root.join(format!("damaged {}", blob.hex()));
        damaged_copy(&packed.bundle, blob, &damaged);
        fs::write(&archive, &torn).unwrap();
        let said = packed.run(&damaged, &["--only", &packed.images[0].0]).code(10).said();
        assert!(fs::read(&archive).unwrap() == torn, "{blob}");
        for words in [
            format!("{} would be lost from {}", packed.images[1].0, archive.display()),
            blob.layout_path(),
            format!("rm {}", archive.display()),
            format!("airlift import '{}' --into k3s:{}", damaged.display(), dir.display()),
            "--keep-going writes the archive anew".to_owned(),
        ] {
            assert!(said.contains(&words), "{words}: {said}");
        }
        // A good medium mends it along the way.
        packed.import(&["--only", &packed.images[0].0, "--only", &packed.images[2].0]);
        assert!(fs::read(&archive).unwrap() == whole, "{blob}");
        // And without one it goes on as it was said.
        fs::remove_file(&archive).unwrap();
        let ran = packed.run(&damaged, &["--keep-going"]).code(3);
        assert_eq!(outcomes(&ran.report()["targets"][0]), ["added", "failed", "added"]);
        // Whoever asks for it is told that it is not brought; the others need not wait for it.
        if blob == &layer {
            fs::write(&archive, &torn).unwrap();
            let ran = packed.run(&damaged, &["--keep-going"]).code(3);
            assert_eq!(outcomes(&ran.report()["targets"][0]), ["added", "failed", "added"]);
        }
    }
}
