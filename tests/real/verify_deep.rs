//! `airlift verify --deep`: layers are what the configurations say, in every compression, and a bomb is stopped within bounded memory.

use std::io::Write as _;
use std::process::Command;

use airlift::domain::digest::Digest;
use airlift::domain::media_type as mt;
use airlift::engine::demo::sample::SampleLayout;
use airlift::engine::hash::sha256;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::rig::need;
use crate::rig::world::{Ran, World};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// An image of one layer whose configuration says `diff_id`, whatever the layer unpacks to.
fn image(
    layout: &mut SampleLayout,
    name: &str,
    (media_type, layer): (&str, &[u8]),
    diff_id: &Digest,
) -> Digest {
    let config = json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]}})
    .to_string();
    let config_digest = layout.blob(config.as_bytes()).unwrap();
    let layer_digest = layout.blob(layer).unwrap();
    let manifest = json!({"schemaVersion": 2, "mediaType": mt::OCI_MANIFEST,
        "config": {"mediaType": mt::OCI_CONFIG, "digest": config_digest, "size": config.len()},
        "layers": [{"mediaType": media_type, "digest": layer_digest, "size": layer.len()}]});
    layout.manifest(name, mt::OCI_MANIFEST, manifest.to_string().as_bytes()).unwrap();
    layer_digest
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn text(length: usize) -> Vec<u8> {
    b"a tar, as far as anybody here looks at it. ".iter().copied().cycle().take(length).collect()
}

#[test]
fn a_layer_of_several_members_or_frames_is_unpacked_to_its_end() {
    let Some(world) = World::start() else { return };
    let whole = text(300_000);
    let (head, tail) = whole.split_at(123_456);
    let layers = [
        (GZIP, [gzip(head), gzip(tail)].concat()),
        (ZSTD, [zstd::encode_all(head, 3).unwrap(), zstd::encode_all(tail, 3).unwrap()].concat()),
        ("application/vnd.oci.image.layer.v1.tar", whole.clone()),
    ];
    world.push(|layout, host| {
        for (at, (media_type, layer)) in layers.iter().enumerate() {
            image(layout, &format!("{host}/team/app:{at}"), (media_type, layer), &sha256(&whole));
        }
    });
    let bundle = world.packed(&["HOST/team/app:0", "HOST/team/app:1", "HOST/team/app:2"]);
    assert_eq!(world.verify(&bundle, &["--deep"]).code(0).report()["layersUnpacked"], 3);
}

#[test]
fn a_layer_that_is_not_what_its_configuration_says_is_found_by_deep_alone() {
    let Some(world) = World::start() else { return };
    let (right, whole) = (sha256(b"something else"), text(50_000));
    let cut = gzip(&whole)[..200].to_vec();
    let cases = [
        ("lying", gzip(&whole), sha256(&whole).hex().to_owned()),
        // The first member is what the configuration says; the second one hides behind it.
        (
            "hidden",
            [gzip(b"something else"), gzip(b"!")].concat(),
            sha256(b"something else!").hex().to_owned(),
        ),
        ("cut", cut, "does not unpack".to_owned()),
        ("plain", whole.clone(), "does not unpack".to_owned()),
    ];
    for (name, layer, said) in cases {
        let digest = world
            .push(|layout, host| image(layout, &format!("{host}/team/{name}:1"), (GZIP, &layer), &right));
        let bundle = world.packed(&[&format!("HOST/team/{name}:1"), "--name", name]);
        world.verify(&bundle, &[]).code(0);
        let message = world.verify(&bundle, &["--deep"]).code(10).result()["message"].to_string();
        for words in [digest.hex(), &said] {
            assert!(message.contains(words), "{name}: {words} is not in {message}");
        }
    }
}

#[test]
fn a_decompression_bomb_is_stopped_within_bounded_memory() {
    let (Some(world), Some(shell)) = (World::start(), need("sh")) else { return };
    // Zeros without end: 1.25 GiB in some ten kilobytes.
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 19).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1280 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 500_000, "{}", bomb.len());
    world.push(|layout, host| image(layout, &format!("{host}/team/bomb:1"), (ZSTD, &bomb), &sha256(b"")));
    let bundle = world.packed(&["HOST/team/bomb:1"]);
    let verify = world.command();
    let mut command = Command::new(shell);
    command.args(["-c", "ulimit -v 1000000; exec \"$0\" \"$@\""]).arg(verify.get_program()).env_clear();
    command.envs(verify.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["verify", "--deep"]).arg(&bundle);
    let ran = Ran::of(command).code(10);
    assert!(ran.stderr.contains("a decompression bomb"), "{}", ran.stderr);
}
