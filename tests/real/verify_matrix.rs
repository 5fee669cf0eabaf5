//! `airlift verify` against every way in which a bundle can be wrong: one by one, with its exit code, the file named, and stock tools agreeing.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlift::domain::bundle::BundleManifest;
use airlift::domain::digest::Digest;
use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::{ImageSpec, SampleLayout};
use airlift::engine::hash::sha256;
use serde_json::{Value, json};

use crate::rig::world::{Ran, World, copy_tree};
use crate::rig::{need, need_env};

const MANIFEST: &str = "airlift/manifest.json";
const SUMS: &str = "airlift/SHA256SUMS";
const PART: u64 = 40_000;

/// A signed bundle with a file of every class in it.
struct Subject {
    world: World,
    bundle: PathBuf,
    document: BundleManifest,
    layers: Vec<Digest>,
}

/// Gzip, zstd and two plain layers of the same length; an index; Docker types; a carried signature.
fn fill(layout: &mut SampleLayout, host: &str) -> Vec<Digest> {
    let plain = |seed| LayerSpec::noise(seed, 30_000).compressed(Compression::None);
    let specs = [LayerSpec::noise(1, 90_000), LayerSpec::noise(2, 20_000).compressed(Compression::Zstd)];
    let specs = [&specs[..], &[plain(3), plain(4)]].concat();
    let layers = specs.iter().map(|spec| layout.layer(spec).unwrap().digest).collect();
    let image = layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(specs)).unwrap();
    layout.cosign_signature(&format!("{host}/team/app:1"), &image).unwrap();
    let platforms = ["linux/amd64", "linux/arm64"];
    let images = platforms.map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
    layout.index(&format!("{host}/team/multi:1"), &images).unwrap();
    layout.image(&format!("{host}/team/docker:1"), &ImageSpec::small("docker").docker()).unwrap();
    layers
}

fn subject(more: &[&str]) -> Option<Subject> {
    subject_by(None, more)
}

/// Packed by another program than the one under test: the static one, which it then carries.
fn subject_by(program: Option<&Path>, more: &[&str]) -> Option<Subject> {
    let world = World::start()?;
    let layers = world.push(fill);
    let mut command = program.map_or_else(|| world.command(), |program| run_as(program, &world));
    command.args(["pack", "--json", "--to"]).arg(world.medium()).args(more);
    command.args(["team/app:1", "team/multi:1", "team/docker:1"].map(|path| world.reference(path)));
    let bundle = Ran::of(command).code(0).bundle();
    let document = BundleManifest::parse(&std::fs::read(bundle.join(MANIFEST)).unwrap()).unwrap();
    world.verify(&bundle, &[]).code(0);
    Some(Subject { world, bundle, document, layers })
}

/// Another program on this host, in the environment of ours.
fn run_as(program: &Path, world: &World) -> Command {
    let ours = world.command();
    let mut command = Command::new(program);
    command.env_clear().current_dir(world.root.path());
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

impl Subject {
    /// A copy that was tampered with.
    fn copy(&self) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir_in(self.world.root.path()).unwrap();
        let copy = place.path().join(self.bundle.file_name().unwrap());
        copy_tree(&self.bundle, &copy);
        (place, copy)
    }

    fn signature(&self) -> String {
        let directory = self.bundle.join("airlift/signatures");
        let name = std::fs::read_dir(directory).unwrap().next().unwrap().unwrap().file_name();
        format!("airlift/signatures/{}", name.to_str().unwrap())
    }

    /// Every file of the signed list but the sums themselves.
    fn listed(&self) -> Vec<String> {
        self.document.all_files().map(|(path, ..)| path).filter(|path| path != SUMS).collect()
    }

    /// Tampers with a copy, which must then be refused with `code` and a message that holds all words `tamper` returns.
    /// Returns what stock tools say of it.
    #[track_caller]
    fn refused(&self, code: i32, tamper: impl FnOnce(&Path) -> Vec<String>) -> (bool, bool) {
        let (_place, copy) = self.copy();
        let words = tamper(&copy);
        let ran = self.world.verify(&copy, &[]);
        assert_eq!(ran.exit, Some(code), "{words:?}: {}", ran.said());
        let message = ran.result()["message"].as_str().unwrap().to_owned();
        for word in &words {
            assert!(message.contains(word), "{word:?} is not in {message}");
        }
        self.stock(&copy)
    }

    /// Stock tools on a bundle: whether `sha256sum -c` and `ssh-keygen -Y verify` are content.
    fn stock(&self, bundle: &Path) -> (bool, bool) {
        // Stock tools follow links and wait for ever on a FIFO.
        let regular = |path: &str| bundle.join(path).symlink_metadata().is_ok_and(|meta| meta.is_file());
        let listed = self.listed();
        let mut read = listed.iter().map(String::as_str).chain([SUMS, MANIFEST]);
        if !read.all(regular) || !regular(&self.signature()) {
            return (false, false);
        }
        let mut sums = Command::new("sha256sum");
        sums.args(["--check", "--strict", "--status", SUMS]).current_dir(bundle).stderr(Stdio::null());
        let mut signature = Command::new("ssh-keygen");
        signature.args(["-Y", "verify", "-I", "signing", "-n", "airlift-bundle", "-f"]);
        signature.arg(self.world.trust_file()).arg("-s").arg(bundle.join(self.signature()));
        let document = std::fs::File::open(bundle.join(MANIFEST)).unwrap();
        signature.stdin(document).stdout(Stdio::null()).stderr(Stdio::null());
        // As the bundle's README.txt says: the signed document must mean this very list.
        let mut tied = Command::new("sh");
        tied.arg("-c").arg(
            "grep -A2 '\"airlift/SHA256SUMS\"' airlift/manifest.json | \
             grep -q \"$(sha256sum < airlift/SHA256SUMS | cut -c1-64)\"",
        );
        let tied = tied.current_dir(bundle).status().unwrap().success();
        (tied && sums.status().unwrap().success(), signature.status().unwrap().success())
    }
}

/// Changes a byte; its path and the digests before and after must be told.
fn flip(bundle: &Path, path: &str, at: usize) -> Vec<String> {
    let file = bundle.join(path);
    let mut bytes = std::fs::read(&file).unwrap();
    let before = sha256(&bytes).hex().to_owned();
    bytes[at] ^= 0x01;
    std::fs::write(file, &bytes).unwrap();
    vec![path.to_owned(), before, sha256(&bytes).hex().to_owned()]
}

/// Cuts a file; its path and both lengths must be told.
fn cut(bundle: &Path, path: &str, length: u64) -> Vec<String> {
    let file = std::fs::File::options().write(true).open(bundle.join(path)).unwrap();
    let before = file.metadata().unwrap().len();
    file.set_len(length).unwrap();
    vec![path.to_owned(), format!("expected {before} bytes"), format!("it has {length}")]
}

fn length(path: &Path) -> usize {
    usize::try_from(path.metadata().unwrap().len()).unwrap()
}

/// Puts something else where a file is; its path must be told.
fn replace(bundle: &Path, path: &str, with: impl FnOnce(&Path)) -> Vec<String> {
    let file = bundle.join(path);
    std::fs::remove_file(&file).unwrap();
    with(&file);
    vec![path.to_owned()]
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

/// Exchanges two files; at least one of them must be told.
fn swap(bundle: &Path, one: &str, other: &str) -> Vec<String> {
    let (one_path, other_path, aside) = (bundle.join(one), bundle.join(other), bundle.join("aside"));
    assert_eq!(length(&one_path), length(&other_path));
    std::fs::rename(&one_path, &aside).unwrap();
    std::fs::rename(&other_path, &one_path).unwrap();
    std::fs::rename(&aside, &other_path).unwrap();
    vec![one.to_owned()]
}

#[test]
fn a_changed_byte_in_any_listed_file_names_it_with_expected_and_actual_and_stock_tools_agree() {
    let (Some(_), Some(_)) = (need("ssh-keygen"), need("sha256sum")) else { return };
    let Some(subject) = subject(&[]) else { return };
    assert_eq!(subject.stock(&subject.bundle), (true, true));
    let layers: Vec<_> = subject.layers.iter().map(Digest::layout_path).collect();
    let listed = subject.listed();
    for class in layers.iter().map(String::as_str).chain(["index.json", "oci-layout", "airlift/README.txt"]) {
        assert!(listed.iter().any(|path| path == class), "{class} is not in {listed:?}");
    }
    for path in &listed {
        let length = length(&subject.bundle.join(path));
        // Every document and configuration once, layers at three places.
        let places = if layers.contains(path) { vec![0, length / 2, length - 1] } else { vec![length / 2] };
        for at in places {
            assert_eq!(subject.refused(10, |bundle| flip(bundle, path, at)), (false, true), "{path}");
        }
    }
    assert_eq!(subject.refused(10, |bundle| flip(bundle, SUMS, 5)), (false, true));
    let not_over = |bundle: &Path| {
        flip(bundle, MANIFEST, 300);
        vec![subject.signature(), format!("not over these bytes of {MANIFEST}")]
    };
    assert_eq!(subject.refused(11, not_over), (true, false));
    let signature = subject.signature();
    for at in [3, 150, length(&subject.bundle.join(&signature)) - 30] {
        let told = |bundle: &Path| {
            flip(bundle, &signature, at);
            vec![signature.clone()]
        };
        assert_eq!(subject.refused(11, told), (true, false));
    }
}

#[test]
fn the_carried_program_is_installed_as_the_readme_says_and_a_changed_byte_in_it_is_named() {
    let (Some(program), Some(_), Some(_)) =
        (need_env("AIRLIFT_STATIC"), need("ssh-keygen"), need("sha256sum"))
    else {
        return;
    };
    let Some(subject) = subject_by(Some(Path::new(&program)), &[]) else { return };
    let [carried] = &subject.document.tool.binaries[..] else { panic!("{:?}", subject.document.tool) };
    let bytes = std::fs::read(subject.bundle.join(&carried.path)).unwrap();
    assert!(bytes == std::fs::read(&program).unwrap(), "it is the program that packed");
    let installed = subject.world.root.join("installed");
    let mut install = Command::new("install");
    install.args(["-m", "755", &carried.path]).arg(&installed).current_dir(&subject.bundle);
    assert!(install.status().unwrap().success());
    let mut verify = run_as(&installed, &subject.world);
    verify.arg("verify").arg(&subject.bundle);
    Ran::of(verify).code(0);
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(subject.refused(10, |bundle| flip(bundle, &carried.path, at)), (false, true));
    }
    subject.refused(10, |bundle| cut(bundle, &carried.path, 7));
    subject.refused(10, |bundle| replace(bundle, &carried.path, |file| symlink(&program, file).unwrap()));
}

#[test]
fn several_damaged_files_are_all_named() {
    let Some(subject) = subject(&[]) else { return };
    let three = |bundle: &Path| {
        let paths = subject.layers[..3].iter().map(Digest::layout_path);
        paths.flat_map(|path| flip(bundle, &path, 1000)).collect()
    };
    subject.refused(10, three);
    // What cannot be followed any more hides nothing: neither the manifest of an image nor the index of all.
    let manifest = subject.document.images[0].digest.layout_path();
    for broken in [vec![&*manifest], vec!["index.json"], vec!["index.json", &*manifest]] {
        let and_layers = |bundle: &Path| {
            let mut told = three(bundle);
            told.extend(broken.iter().flat_map(|path| flip(bundle, path, 100)));
            told.push(format!("{} files are damaged", broken.len() + 3));
            told
        };
        subject.refused(10, and_layers);
    }
}

#[test]
fn a_truncated_file_names_both_lengths() {
    let Some(subject) = subject(&[]) else { return };
    let layer = subject.layers[0].layout_path();
    let document = subject.document.images[0].digest.layout_path();
    for path in [&*layer, &*document, "index.json", "oci-layout", "airlift/README.txt"] {
        let length = subject.bundle.join(path).metadata().unwrap().len();
        for left in [0, 1, length / 2, length - 1] {
            let (sums, signature) = subject.refused(10, |bundle| cut(bundle, path, left));
            assert_eq!((sums, signature), (false, true), "{path} cut to {left}");
        }
    }
    for (path, code) in [(SUMS, 10), (MANIFEST, 11), (&*subject.signature(), 11)] {
        let length = subject.bundle.join(path).metadata().unwrap().len();
        for left in [0, 1, length / 2, length - 1] {
            let told = |bundle: &Path| {
                cut(bundle, path, left);
                vec![path.to_owned()]
            };
            // OpenSSH reads a signature without its last newline, and so do we.
            if code == 11 && path != MANIFEST && left == length - 1 {
                continue;
            }
            subject.refused(code, told);
        }
    }
}

#[test]
fn a_forged_list_of_sums_is_refused_by_us_and_by_the_stock_check() {
    let Some(subject) = subject(&[]) else { return };
    let forge = |bundle: &Path| {
        let readme = bundle.join("airlift/README.txt");
        std::fs::write(&readme, "run me\n").unwrap();
        let list = std::fs::read_to_string(bundle.join(SUMS)).unwrap();
        let forged: String = list
            .lines()
            .map(|line| {
                let (_, path) = line.split_once("  ").unwrap();
                format!("{}  {path}\n", sha256(&std::fs::read(bundle.join(path)).unwrap()).hex())
            })
            .collect();
        std::fs::write(bundle.join(SUMS), forged).unwrap();
        Vec::new()
    };
    assert_eq!(subject.refused(10, forge), (false, true));
}

#[test]
fn missing_and_extra_files_are_named() {
    let Some(subject) = subject(&[]) else { return };
    for path in subject.listed().iter().map(String::as_str).chain([SUMS, MANIFEST]) {
        let told = |bundle: &Path| {
            std::fs::remove_file(bundle.join(path)).unwrap();
            vec!["missing".to_owned(), path.to_owned()]
        };
        subject.refused(10, told);
    }
    let extra = [
        "extra",
        "blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000",
        "blobs/sha512/0",
        "airlift/journal",
        "airlift/bin/linux-amd64/airlift-2",
        "airlift/signatures/readme",
        "airlift/parts/stale.000",
        "airlift/manifest.json.tmp",
    ];
    for path in extra {
        let told = |bundle: &Path| {
            std::fs::create_dir_all(bundle.join(path).parent().unwrap()).unwrap();
            std::fs::write(bundle.join(path), "extra").unwrap();
            vec!["not listed".to_owned(), path.to_owned()]
        };
        assert_eq!(subject.refused(10, told), (true, true), "{path}");
    }
    let directory = |bundle: &Path| {
        std::fs::create_dir(bundle.join("lost+found")).unwrap();
        vec!["lost+found".to_owned()]
    };
    subject.refused(10, directory);
}

#[test]
fn links_fifos_and_directories_in_place_of_files_are_named_and_never_followed() {
    let Some(subject) = subject(&[]) else { return };
    let layer = subject.layers[0].layout_path();
    for (path, code) in
        [(&*layer, 10), ("index.json", 10), (SUMS, 10), (MANIFEST, 10), (&*subject.signature(), 11)]
    {
        // What the link leads to is the right file: it is refused all the same.
        let right = subject.bundle.join(path);
        subject.refused(code, |bundle| replace(bundle, path, |file| symlink(&right, file).unwrap()));
        subject.refused(code, |bundle| replace(bundle, path, fifo));
        subject.refused(code, |bundle| replace(bundle, path, |file| std::fs::create_dir(file).unwrap()));
    }
    for (directory, code) in
        [("blobs/sha256", 10), ("blobs", 10), ("airlift", 10), ("airlift/signatures", 11)]
    {
        let (right, told) = (subject.bundle.join(directory), directory.to_owned());
        subject.refused(code, |bundle| {
            std::fs::remove_dir_all(bundle.join(directory)).unwrap();
            symlink(&right, bundle.join(directory)).unwrap();
            vec![told]
        });
    }
}

#[test]
fn swapped_blobs_of_one_length_are_named() {
    let Some(subject) = subject(&[]) else { return };
    let [one, other] = [2, 3].map(|at: usize| subject.layers[at].layout_path());
    let told = |bundle: &Path| [swap(bundle, &one, &other), vec![other.clone()]].concat();
    assert_eq!(subject.refused(10, told), (false, true));
}

#[test]
fn parts_are_checked_one_by_one_and_joined_are_the_blob() {
    let Some(subject) = subject(&["--max-file-size", "40000"]) else { return };
    let blob = subject.document.blobs.iter().find(|blob| blob.digest == subject.layers[0]).unwrap();
    assert_eq!(
        blob.parts.iter().map(|part| part.size).collect::<Vec<_>>(),
        [PART, PART, blob.size - 2 * PART]
    );
    assert!(!subject.bundle.join(blob.digest.layout_path()).exists());
    let parts: Vec<&str> = blob.parts.iter().map(|part| part.path.as_str()).collect();
    let joined: Vec<u8> =
        parts.iter().flat_map(|part| std::fs::read(subject.bundle.join(part)).unwrap()).collect();
    assert_eq!(sha256(&joined), blob.digest);
    assert_eq!(subject.stock(&subject.bundle), (true, true));
    for part in &parts {
        let length = length(&subject.bundle.join(part));
        for at in [0, length / 2, length - 1] {
            assert_eq!(subject.refused(10, |bundle| flip(bundle, part, at)), (false, true));
        }
        subject.refused(10, |bundle| cut(bundle, part, 7));
        subject.refused(10, |bundle| replace(bundle, part, |_| {}));
        subject.refused(10, |bundle| replace(bundle, part, fifo));
    }
    // Swapped: each is right in itself, at the wrong place. Stale: of an earlier blob, with the right length.
    subject.refused(10, |bundle| swap(bundle, parts[0], parts[1]));
    let stale = |bundle: &Path| {
        let bytes = vec![7; usize::try_from(PART).unwrap()];
        std::fs::write(bundle.join(parts[1]), &bytes).unwrap();
        vec![parts[1].to_owned(), blob.parts[1].sha256.clone(), sha256(&bytes).hex().to_owned()]
    };
    subject.refused(10, stale);
    let left_over = parts[2].replace(".002", ".003");
    let one_more = |bundle: &Path| {
        std::fs::copy(bundle.join(parts[2]), bundle.join(&left_over)).unwrap();
        vec!["not listed".to_owned(), left_over.clone()]
    };
    subject.refused(10, one_more);
}

/// A copy in which an image is a manifest of Docker schema 1, signed anew by the one who is trusted.
fn with_schema1(subject: &Subject) -> (tempfile::TempDir, PathBuf) {
    let (place, copy) = subject.copy();
    let v1 = br#"{"schemaVersion":1,"name":"team/docker","tag":"1","architecture":"amd64","fsLayers":[],"history":[]}"#;
    let (media_type, digest) = ("application/vnd.docker.distribution.manifest.v1+json", sha256(v1));
    std::fs::write(copy.join(digest.layout_path()), v1).unwrap();
    let read =
        |path: &str| -> Value { serde_json::from_slice(&std::fs::read(copy.join(path)).unwrap()).unwrap() };
    let (mut document, mut index) = (read(MANIFEST), read("index.json"));
    let images = document["images"].as_array_mut().unwrap();
    let image = images.iter_mut().find(|image| image["reference"].to_string().contains("docker:1")).unwrap();
    let old = image["digest"].take();
    (image["digest"], image["mediaType"]) = (json!(digest), json!(media_type));
    for entry in index["manifests"].as_array_mut().unwrap().iter_mut().filter(|entry| entry["digest"] == old)
    {
        (entry["digest"], entry["mediaType"], entry["size"]) =
            (json!(digest), json!(media_type), json!(v1.len()));
    }
    let blob =
        json!({"digest": digest, "size": v1.len(), "mediaType": media_type, "path": digest.layout_path()});
    document["blobs"].as_array_mut().unwrap().push(blob);
    for (total, more) in [("blobs", 1), ("bytes", v1.len() as u64)] {
        document["totals"][total] = json!(document["totals"][total].as_u64().unwrap() + more);
    }
    let index = index.to_string();
    let files = document["files"].as_array_mut().unwrap();
    let entry = files.iter_mut().find(|file| file["path"] == "index.json").unwrap();
    (entry["size"], entry["sha256"]) = (json!(index.len()), json!(sha256(index.as_bytes()).hex()));
    std::fs::write(copy.join("index.json"), &index).unwrap();
    std::fs::write(copy.join(MANIFEST), document.to_string()).unwrap();
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-Y", "sign", "-q", "-n", "airlift-bundle", "-f"]).arg(subject.world.root.join("signing"));
    assert!(sign.arg(copy.join(MANIFEST)).stderr(Stdio::null()).status().unwrap().success());
    std::fs::rename(copy.join(format!("{MANIFEST}.sig")), copy.join(subject.signature())).unwrap();
    (place, copy)
}

#[test]
fn an_image_of_docker_schema_1_is_named_also_where_it_is_signed() {
    let Some(subject) = subject(&[]) else { return };
    let (_place, copy) = with_schema1(&subject);
    let layout = subject.world.root.join("layout");
    let into = format!("oci:{}", layout.display());
    let copy = copy.to_str().unwrap();
    // On a host that knows nothing of the other bundle of that serial.
    let state = subject.world.root.join("state").display().to_string();
    for run in
        [&["verify", copy, "--state", &state][..], &["import", copy, "--state", &state, "--into", &into]]
    {
        let said = subject.world.run(run).code(10).said();
        for words in ["docker:1", "is of Docker schema 1", "pack it anew"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    assert!(!layout.exists());
}
