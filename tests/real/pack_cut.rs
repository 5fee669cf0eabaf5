//! Packs whose blobs lie in parts or are lost in the registry: what resumes, what is left out, what readers make of it.

use std::path::{Path, PathBuf};

use airlift::domain::digest::Digest;
use airlift::domain::media_type::{self, Compression};
use airlift::engine::bundle::unfinished::find_interrupted;
use airlift::engine::ctx::JobCtx;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout};
use airlift::engine::files::{EntryKind, Files, RealFiles};
use airlift::engine::hash::sha256;
use airlift::engine::jobs::onto;
use airlift::engine::jobs::record::{self, Interrupted};
use airlift::engine::spec::{Images, PackJob, SignerSpec};
use serde_json::{Value, json};

use crate::rig::world::World;

/// An image `team/NAME:1` of one layer that does not compress; the layer.
fn push(world: &World, name: &str, seed: u64, size: u64) -> Digest {
    world.push(|layout, host| {
        let spec = LayerSpec::noise(seed, size).compressed(Compression::None);
        layout.image(&format!("{host}/team/{name}:1"), &ImageSpec::new(vec![spec.clone()])).unwrap();
        layout.layer(&spec).unwrap().digest
    })
}

/// Where the registry keeps a blob.
fn stored(world: &World, blob: &Digest) -> PathBuf {
    let (start, hex) = (&blob.hex()[..2], blob.hex());
    world.registry.root().join(format!("docker/registry/v2/blobs/sha256/{start}/{hex}/data"))
}

#[test]
fn r10_r13_an_interrupted_blob_in_parts_goes_on_in_the_middle_of_a_part_and_readers_join_them() {
    let Some(world) = World::start() else { return };
    let layer = push(&world, "app", 1, 300_000);
    let flags = ["HOST/team/app:1", "--max-file-size", "100000"];
    let bundle = world.packed(&flags);
    let document: Value =
        serde_json::from_slice(&std::fs::read(bundle.join("airlift/manifest.json")).unwrap()).unwrap();
    let blob =
        document["blobs"].as_array().unwrap().iter().find(|blob| blob["digest"] == json!(layer)).unwrap();
    let parts: Vec<PathBuf> = blob["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| bundle.join(part["path"].as_str().unwrap()))
        .collect();
    assert_eq!(parts.len(), 4, "{parts:?}");
    // As a kill in the second part leaves it.
    for path in ["airlift/manifest.json", "airlift/SHA256SUMS"] {
        std::fs::remove_file(bundle.join(path)).unwrap();
    }
    std::fs::remove_dir_all(bundle.join("airlift/signatures")).unwrap();
    std::fs::write(bundle.join("airlift/journal"), "").unwrap();
    for part in &parts[..2] {
        std::fs::rename(part, format!("{}.tmp", part.display())).unwrap();
    }
    let half = std::fs::File::options().write(true).open(format!("{}.tmp", parts[1].display())).unwrap();
    half.set_len(40_000).unwrap();
    for part in &parts[2..] {
        std::fs::remove_file(part).unwrap();
    }
    let again = world.pack(&flags).code(0);
    let size = blob["size"].as_u64().unwrap();
    assert_eq!(again.report()["bundle"]["fetchedBytes"].as_u64().unwrap() / 1000, (size - 140_000) / 1000);
    let bundle = again.bundle();
    world.verify(&bundle, &["--deep"]).code(0);
    assert!(world.run([Path::new("inspect"), &bundle]).code(0).stdout.contains("team/app:1"));
    let layout = world.root.join("layout");
    let target = format!("oci:{}", layout.display());
    world.run([Path::new("import"), &bundle, Path::new("--into"), Path::new(&target)]).code(0);
    assert_eq!(sha256(&std::fs::read(layout.join(layer.layout_path())).unwrap()), layer);
    let wrong = bundle.join(blob["parts"][3]["path"].as_str().unwrap());
    std::fs::write(&wrong, vec![0; usize::try_from(wrong.metadata().unwrap().len()).unwrap()]).unwrap();
    let target = format!("oci:{}", world.root.join("refused").display());
    let said =
        world.run([Path::new("import"), &bundle, Path::new("--into"), Path::new(&target)]).code(10).said();
    assert!(said.contains(wrong.file_name().unwrap().to_str().unwrap()), "{said}");
}

#[test]
fn a_series_that_was_cut_off_in_one_place_is_refused_in_another_until_it_is_given_up() {
    let Some(world) = World::start() else { return };
    push(&world, "app", 1, 5_000);
    let (first, state) = (world.root.join("first"), world.root.join("home/.local/share/airlift/state"));
    std::fs::create_dir(&first).unwrap();
    let job = PackJob {
        images: Images { references: vec![world.reference("team/app:1")], ..Images::default() },
        name: "site".to_owned(),
        jobs: 1,
        tool: false,
        ..PackJob::new(first.clone(), SignerSpec::Key(world.root.join("signing")), state.clone())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ctx = JobCtx::silent();
    // As a run that was killed leaves it.
    let carrier = runtime.block_on(onto::look(&job, &ctx)).unwrap();
    drop(record::begin(&job, carrier, &ctx).unwrap());
    let pack = |more: &[&str]| world.pack(&[&["HOST/team/app:1", "--name", "site"], more].concat());
    for more in [&[][..], &["--dry-run"]] {
        let refused = pack(more).code(2).result();
        let message = refused["message"].as_str().unwrap();
        let words = format!("site was cut off in {}, not in {}", first.display(), world.medium().display());
        assert!(message.contains(&words), "{message}");
        let hints = refused["hints"].to_string();
        assert!(hints.contains(first.to_str().unwrap()) && hints.contains("--anew"), "{hints}");
    }
    assert_eq!(std::fs::read_dir(world.medium()).unwrap().count(), 0, "nothing was written");
    world.packed(&["HOST/team/app:1", "--name", "other"]);
    assert_eq!(record::interrupted(&state, &ctx).jobs.len(), 1, "it can still be gone on with");
    assert_eq!(pack(&["--anew"]).code(0).bundle(), world.medium().join("site-1"));
    assert_eq!(record::interrupted(&state, &ctx), Interrupted::default(), "no offer of what was given up");
    world
        .run([
            "pack",
            "--no-tool",
            "--name",
            "site",
            "--to",
            first.to_str().unwrap(),
            &world.reference("team/app:1"),
        ])
        .code(0);
    assert!(first.join("site-2").is_dir());
}

#[test]
fn an_unfinished_bundle_tells_when_its_first_run_began_however_often_it_was_gone_on_with() {
    let Some(world) = World::start() else { return };
    let lost = push(&world, "app", 1, 50_000);
    std::fs::rename(stored(&world, &lost), world.root.join("aside")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ctx, state) = (JobCtx::silent(), world.root.join("home/.local/share/airlift/state"));
    let times = || {
        world.pack(&["HOST/team/app:1"]).code(15);
        let found =
            runtime.block_on(find_interrupted(world.medium(), state.clone(), &ctx)).unwrap().remove(0);
        (found.first, found.begun)
    };
    let runs = [times(), times(), times()];
    assert_eq!(runs.map(|(first, _)| first), [runs[0].1; 3], "{runs:?}");
    assert!(runs[0].1 < runs[1].1 && runs[1].1 < runs[2].1, "{runs:?}");
}

#[test]
fn a_pack_that_fails_before_it_writes_leaves_the_offer_of_the_one_that_was_cut_off_there() {
    let Some(world) = World::start() else { return };
    let lost = push(&world, "app", 1, 50_000);
    push(&world, "other", 2, 5_000);
    let (data, aside) = (stored(&world, &lost), world.root.join("aside"));
    std::fs::rename(&data, &aside).unwrap();
    let pack = |image: &str| world.pack(&[image, "--name", "site"]);
    let anew = |image: &str| world.pack(&[image, "--name", "site", "--anew"]);
    let offered = || {
        let state = world.root.join("home/.local/share/airlift/state");
        let jobs = record::interrupted(&state, &JobCtx::silent()).jobs;
        let packs = jobs.iter().filter_map(|job| Some((&job.pack()?.images.references, &job.bundle)));
        packs.map(|(images, bundle)| (images.clone(), bundle.is_some())).collect::<Vec<_>>()
    };
    pack("HOST/team/app:1").code(15);
    let first = vec![(vec![world.reference("team/app:1")], true)];
    assert_eq!(offered(), first);
    pack("HOST/team/typo:1").code(15);
    assert_eq!(offered(), first, "nothing was written for the other list");
    // One that began its bundle is what lies there from then on; one that comes to its end leaves no offer.
    std::fs::rename(stored(&world, &push(&world, "third", 3, 50_000)), world.root.join("third")).unwrap();
    std::fs::write(world.medium().join("site-1").join(lost.layout_path()), "begun").unwrap();
    pack("HOST/team/third:1").code(2);
    assert_eq!(offered(), first, "what lies there is not given up unasked");
    anew("HOST/team/third:1").code(15);
    assert_eq!(offered(), [(vec![world.reference("team/third:1")], true)]);
    anew("HOST/team/other:1").code(0);
    assert_eq!(offered(), []);
}

#[test]
fn r14_r15_a_layer_that_the_registry_lost_commits_nothing_or_leaves_its_image_out() {
    let Some(world) = World::start() else { return };
    push(&world, "whole", 1, 50_000);
    let lost = push(&world, "lost", 2, 60_000);
    let (data, aside) = (stored(&world, &lost), world.root.join("aside"));
    std::fs::rename(&data, &aside).unwrap();
    let both = ["HOST/team/whole:1", "HOST/team/lost:1"];
    let refused = world.pack(&both).code(15);
    assert!(refused.result()["message"].to_string().contains(lost.hex()), "{}", refused.said());
    let left: Vec<_> =
        std::fs::read_dir(world.medium()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for unfinished in left {
        world.verify(&unfinished, &[]).code(10);
    }
    // Both names resolve: what is left out of them is no name that leads nowhere.
    let refused = world.pack(&[&both[..], &["--keep-going=unresolved"]].concat()).code(15);
    assert!(refused.result()["message"].to_string().contains(lost.hex()), "{}", refused.said());
    let partly = world.pack(&[&both[..], &["--keep-going"]].concat()).code(3);
    let report = partly.report();
    assert_eq!(
        (&report["bundle"]["complete"], &report["bundle"]["totals"]["images"]),
        (&json!(false), &json!(1))
    );
    let missing = &report["bundle"]["missing"][0];
    assert_eq!(missing["reference"], json!(world.reference("team/lost:1")));
    assert!(missing["reason"].to_string().contains(lost.hex()), "{missing}");
    world.verify(&partly.bundle(), &["--deep"]).code(0);
    std::fs::rename(&aside, &data).unwrap();
    let whole = world.pack(&both).code(0);
    let fetched = whole.report()["bundle"]["fetchedBytes"].as_u64().unwrap();
    assert!((60_000..65_000).contains(&fetched), "{fetched}");
    world.verify(&whole.bundle(), &["--deep"]).code(0);
}

#[test]
fn what_lies_there_of_an_image_that_is_asked_for_and_left_out_by_now_is_deleted_and_said() {
    let Some(world) = World::start() else { return };
    let (gone, kept) = (push(&world, "gone", 1, 50_000), push(&world, "kept", 2, 60_000));
    let (data, aside) = (stored(&world, &kept), world.root.join("aside"));
    std::fs::rename(&data, &aside).unwrap();
    let pack = |images: &[&str], more: &[&str]| world.pack(&[images, &["--name", "site"], more].concat());
    let both = ["HOST/team/gone:1", "HOST/team/kept:1"];
    pack(&both, &[]).code(15);
    std::fs::write(world.medium().join("site-1").join(gone.layout_path()), vec![0; 50_000]).unwrap();
    let tags = "docker/registry/v2/repositories/team/gone/_manifests/tags";
    std::fs::rename(&aside, &data).unwrap();
    // What its registry cannot tell now may be there again: nobody's consent is to delete what came of it.
    let link = world.registry.root().join(tags).join("1/current/link");
    let digest = std::fs::read(&link).unwrap();
    std::fs::write(&link, "nothing").unwrap();
    pack(&both, &["--keep-going"]).code(2);
    assert!(world.medium().join("site-1").join(gone.layout_path()).exists());
    std::fs::write(&link, digest).unwrap();
    std::fs::remove_dir_all(world.registry.root().join(tags)).unwrap();
    // A list that lacks it has given nobody's consent.
    let refused = pack(&both[1..], &["--keep-going"]).code(2).said();
    let words =
        format!("of {}, which is not packed now: they would be deleted", world.reference("team/gone:1"));
    assert!(refused.contains(&words), "{refused}");
    let planned = pack(&both, &["--keep-going", "--dry-run"]).code(3);
    let words = "the bundle would be signed but incomplete: 1 image that was asked for is not in it";
    assert!(planned.said().contains(words), "{}", planned.said());
    assert_eq!(planned.report()["missing"][0]["reference"], world.reference("team/gone:1"));
    assert_eq!(planned.report()["begun"]["same"], true, "{}", planned.said());
    let partly = pack(&both, &["--keep-going"]).code(3);
    // More of it may have come before the pack failed.
    assert!(planned.report()["begun"]["deleted"].as_u64().unwrap() >= 50_000, "{}", planned.said());
    for words in [
        "goes on with the interrupted bundle there: ",
        " kB of it are deleted, as nothing that is packed now has them",
    ] {
        assert!(partly.said().contains(words), "{}", partly.said());
    }
    assert_eq!(partly.report()["bundle"]["missing"][0]["reference"], world.reference("team/gone:1"));
    world.verify(&partly.bundle(), &["--deep"]).code(0);
}

#[test]
fn a_bundle_goes_on_with_what_a_tag_names_by_now_only_where_that_is_said() {
    let Some(world) = World::start() else { return };
    let (before, lost) = (push(&world, "app", 1, 50_000), push(&world, "lost", 2, 60_000));
    let (data, aside) = (stored(&world, &lost), world.root.join("aside"));
    std::fs::rename(&data, &aside).unwrap();
    let pack = |more: &[&str]| world.pack(&[&["HOST/team/app:1", "HOST/team/lost:1"], more].concat());
    pack(&[]).code(15);
    std::fs::write(world.medium().join("bundle-1").join(before.layout_path()), vec![0; 50_000]).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    let (to, app, other) =
        (world.medium().display().to_string(), world.reference("team/app:1"), world.reference("team/lost:1"));
    let planned = || world.run(["pack", "-n", "--no-tool", "--to", &to, &app, &other]).code(0).said();
    assert!(!planned().contains("changed"), "{}", planned());
    // As many images and blobs of as many bytes: only what the tag names tells them apart.
    let now = push(&world, "app", 3, 50_000);
    let words = [
        "goes on with the interrupted bundle there: 1 image has changed since, and is packed as it is now; ",
        " kB of it are deleted, as nothing that is packed now has them; ",
    ];
    let begun = pack(&["--dry-run"]).code(0).report()["begun"].take();
    assert_eq!(
        (&begun["same"], &begun["moved"], &begun["refused"]),
        (&json!(true), &json!(1), &json!(false))
    );
    let (planned, packed) = (planned(), pack(&[]).code(0));
    for said in [planned, packed.said()] {
        words.iter().for_each(|words| assert!(said.contains(words), "{words}: {said}"));
    }
    let bundle = packed.bundle();
    assert!(bundle.join(now.layout_path()).exists() && !bundle.join(before.layout_path()).exists());
    world.verify(&bundle, &["--deep"]).code(0);
}

#[test]
fn a_layer_that_the_registry_serves_with_a_changed_byte_is_never_packed() {
    let Some(world) = World::start() else { return };
    let layer = push(&world, "app", 1, 50_000);
    let data = stored(&world, &layer);
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[30_000] ^= 1;
    std::fs::write(&data, &bytes).unwrap();
    let message = world.pack(&["HOST/team/app:1"]).code(10).result()["message"].to_string();
    for words in [layer.hex(), sha256(&bytes).hex()] {
        assert!(message.contains(words), "{words} is not in {message}");
    }
}

#[test]
fn r14_a_second_pack_over_what_was_tampered_with_ends_in_a_bundle_that_verifies_and_signs_nothing_foreign() {
    type Tamper<'a> = &'a dyn Fn(&Path);
    let later = |bundle: &Path| {
        let path = bundle.join("airlift/manifest.json");
        let document = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, document.replacen("\"created\": \"20", "\"created\": \"19", 1)).unwrap();
    };
    let tampers: [(Tamper<'_>, i32); 3] = [
        (&later, 11),
        (&|bundle| std::fs::write(bundle.join("airlift/SHA256SUMS"), "").unwrap(), 10),
        (&|bundle| std::fs::write(bundle.join("extra"), "").unwrap(), 10),
    ];
    for (tamper, code) in tampers {
        let Some(world) = World::start() else { return };
        push(&world, "app", 1, 5_000);
        let bundle = world.packed(&["HOST/team/app:1"]);
        tamper(&bundle);
        world.verify(&bundle, &[]).code(code);
        let again = world.packed(&["HOST/team/app:1", "--no-read-back"]);
        assert_ne!(again, bundle);
        world.verify(&bundle, &[]).code(code);
        world.verify(&again, &[]).code(0);
    }
}

#[test]
fn r15_a_signed_bundle_that_cannot_be_mended_is_left_as_it_is() {
    let Some(world) = World::start() else { return };
    push(&world, "whole", 1, 50_000);
    let lost = push(&world, "lost", 2, 60_000);
    let both = ["HOST/team/whole:1", "HOST/team/lost:1"];
    let bundle = world.packed(&both);
    std::fs::remove_file(stored(&world, &lost)).unwrap();
    let layer = bundle.join(lost.layout_path());
    let mut bytes = std::fs::read(&layer).unwrap();
    bytes[10_000] ^= 1;
    std::fs::write(&layer, bytes).unwrap();
    let before = names(&bundle);
    for more in [&["--keep-going"][..], &[]] {
        world.pack(&[&both[..], more].concat()).code(15);
        let gone: Vec<_> = before.iter().filter(|path| !bundle.join(path).exists()).collect();
        assert!(gone.iter().all(|path| path.ends_with(lost.hex())), "{gone:?}");
        let said = world.verify(&bundle, &[]).code(10).said();
        assert!(said.contains(lost.hex()), "{said}");
    }
}

fn names(bundle: &Path) -> Vec<String> {
    let entries = RealFiles.list(bundle, 1000).unwrap();
    entries.into_iter().filter(|entry| entry.kind == EntryKind::File).map(|entry| entry.path).collect()
}

#[test]
fn what_verify_would_refuse_is_never_signed_and_an_artifact_is_no_broken_image() {
    let Some(world) = World::start() else { return };
    let manifest = |layout: &mut SampleLayout, reference: &str, config: &[u8]| {
        let layer = layout.layer(&LayerSpec::noise(7, 5_000)).unwrap();
        let config_digest = layout.blob(config).unwrap();
        let text = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": {"mediaType": media_type::OCI_CONFIG, "digest": config_digest, "size": config.len()},
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": layer.digest,
                "size": layer.size,
            }],
        });
        layout.manifest(reference, media_type::OCI_MANIFEST, text.to_string().as_bytes()).unwrap()
    };
    let two = format!(
        r#"{{"os":"linux","architecture":"amd64","rootfs":{{"type":"layers","diff_ids":["sha256:{0}","sha256:{0}"]}}}}"#,
        "0".repeat(64)
    );
    let broken = world.push(|layout, host| {
        manifest(layout, &format!("{host}/team/artifact:1"), b"{}");
        manifest(layout, &format!("{host}/team/broken:1"), two.as_bytes())
    });
    let bundle = world.packed(&["HOST/team/artifact:1"]);
    world.verify(&bundle, &[]).code(0);
    let refused = world.pack(&["HOST/team/broken:1", "--name", "broken"]).code(10);
    let message = refused.result()["message"].to_string();
    assert!(message.contains(broken.hex()) && message.contains("2 diff_ids"), "{message}");
    let signatures = world.medium().join("broken-1/airlift/signatures");
    assert_eq!(std::fs::read_dir(signatures).map_or(0, Iterator::count), 0);
}

#[test]
fn r13_a_second_pack_of_a_complete_bundle_asks_the_registry_for_no_blob_at_all() {
    let Some(world) = World::start() else { return };
    let layer = push(&world, "app", 1, 50_000);
    let bundle = world.packed(&["HOST/team/app:1"]);
    let document = std::fs::read(bundle.join("airlift/manifest.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let config =
        document["blobs"].as_array().unwrap().iter().find(|blob| blob["mediaType"] == media_type::OCI_CONFIG);
    let config: Digest = config.unwrap()["digest"].as_str().unwrap().parse().unwrap();
    for blob in [layer, config] {
        std::fs::remove_file(stored(&world, &blob)).unwrap();
    }
    let again = world.pack(&["HOST/team/app:1"]).code(0);
    assert_eq!(again.report()["bundle"]["fetchedBytes"], json!(0));
    assert_eq!(again.bundle(), bundle);
    world.verify(&bundle, &["--deep"]).code(0);
}
