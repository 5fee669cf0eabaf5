//! `airlift pack` over a real registry, named after what hurts users of other tools.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use airlift::domain::digest::Digest;
use airlift::domain::media_type::Compression;
use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use airlift::engine::hash::sha256;
use serde_json::{Value, json};

use crate::rig::need;
use crate::rig::world::{Ran, World};

/// Three layers that do not compress, as image `team/app:1`; their digests.
fn world() -> Option<(World, Vec<Digest>)> {
    let world = World::start()?;
    let layers = world.push(|layout, host| {
        let specs = [1, 2, 3].map(|seed| LayerSpec::noise(seed, 200_000).compressed(Compression::None));
        layout.image(&format!("{host}/team/app:1"), &ImageSpec::new(specs.to_vec())).unwrap();
        specs.map(|spec| layout.layer(&spec).unwrap().digest).to_vec()
    });
    Some((world, layers))
}

/// Paths below a directory with length, time of change and content.
pub(crate) fn snapshot(root: &Path) -> BTreeMap<PathBuf, (u64, i64, i64, String)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let content = if meta.is_dir() {
                todo.push(path.clone());
                String::new()
            } else {
                sha256(&std::fs::read(&path).unwrap()).hex().to_owned()
            };
            found.insert(path, (meta.len(), meta.mtime(), meta.ctime_nsec(), content));
        }
    }
    found
}

fn names(root: &Path) -> Vec<String> {
    snapshot(root).keys().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
}

/// Makes of a finished bundle one that was cut off before it was signed.
fn cut_off(bundle: &Path) {
    for path in ["airlift/signatures", "airlift/manifest.json", "airlift/SHA256SUMS", "index.json"] {
        let path = bundle.join(path);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }
    std::fs::write(bundle.join("airlift/journal"), "{").unwrap();
}

/// Runs the program where a script of the shell has mounted something; `None` after a said skip where nobody may.
pub(crate) fn in_own_mounts(world: &World, script: &str, arguments: &[&str]) -> Option<Ran> {
    let unshare = need("unshare")?;
    let shell = |words: &[&OsStr]| {
        let program = world.command();
        let mut command = Command::new(&unshare);
        command.args(["-rm", "sh", "-c"]).args(words).env_clear().current_dir(world.root.path());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", "/usr/bin:/bin");
        Ran::of(command)
    };
    if shell(&["mount -t tmpfs tmpfs medium".as_ref()]).exit != Some(0) {
        need("the right to mount in a name space of its own");
        return None;
    }
    let program = world.command().get_program().to_owned();
    let words = [script.as_ref(), program.as_os_str()].into_iter().chain(arguments.iter().map(OsStr::new));
    Some(shell(&words.collect::<Vec<_>>()))
}

fn fetched(ran: &Ran) -> u64 {
    ran.report()["bundle"]["fetchedBytes"].as_u64().unwrap()
}

#[test]
fn the_end_of_the_key_that_signed_is_told_as_the_readme_of_the_bundle_says() {
    let Some((world, _)) = world() else { return };
    let packed = world.pack(&["HOST/team/app:1"]).code(0);
    let report = packed.report();
    let fingerprint = report["bundle"]["signedBy"].as_str().unwrap();
    let ends = &fingerprint[fingerprint.len() - 8..];
    assert_eq!(report["bundle"]["keyEndsIn"], json!(ends));
    let readme = std::fs::read_to_string(packed.bundle().join("airlift/README.txt")).unwrap();
    assert!(readme.contains("\"key ends in\" on the packer's report"), "{readme}");
    let mut again = world.command();
    again.args(["pack", "--no-tool", "--to"]).arg(world.medium()).arg(world.reference("team/app:1"));
    let said = Ran::of(again).code(0).said();
    assert!(said.contains(&format!("key ends in  {ends}")), "{said}");
}

#[test]
fn the_job_counts_the_blobs_that_its_plan_its_report_and_the_other_side_count() {
    let Some((world, _)) = world() else { return };
    let mut plan = world.command();
    plan.args(["--json", "pack", "--dry-run", "--no-tool", "--to"]).arg(world.medium());
    plan.arg(world.reference("team/app:1"));
    let planned = Ran::of(plan).code(0).report()["resolved"]["totals"]["blobs"].clone();
    let packed = world.pack(&["HOST/team/app:1"]).code(0);
    let lines = packed.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let fetch: Vec<_> = lines.filter(|line| line["phase"] == "fetch").collect();
    let started = fetch.iter().find(|event| event["event"] == "started").unwrap();
    let had = fetch.iter().find(|event| event["event"] == "had").unwrap();
    let done = fetch.iter().filter(|event| event["event"] == "done").count() as u64;
    assert!(had["items"].as_u64() > Some(0) && done > 0, "{fetch:?}");
    assert_eq!(started["items"], json!(had["items"].as_u64().unwrap() + done));
    let verified = world.verify(&packed.bundle(), &[]).code(0).report()["totals"]["blobs"].clone();
    for (who, count) in [
        ("plan", planned),
        ("report", packed.report()["bundle"]["totals"]["blobs"].clone()),
        ("other side", verified),
    ] {
        assert_eq!(count, started["items"], "{who}");
    }
}

#[test]
fn whoever_counts_files_counts_those_of_the_signed_list() {
    let Some((world, _)) = world() else { return };
    // In parts, which are files as well.
    let packed = world.pack(&["HOST/team/app:1", "--max-file-size", "20000"]).code(0);
    let sums = std::fs::read_to_string(packed.bundle().join("airlift/SHA256SUMS")).unwrap();
    let listed = json!(sums.lines().count() + 1);
    let started = |ran: &Ran, phase: &str| {
        let events = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of = |event: &Value| event["event"] == "started" && event["phase"] == phase;
        events.into_iter().find(of).map(|event| event["items"].clone())
    };
    assert_eq!(started(&packed, "read-back"), Some(listed.clone()), "SHA256SUMS is no line of itself");
    let verified = world.verify(&packed.bundle(), &[]).code(0);
    assert_eq!(started(&verified, "verify"), Some(listed.clone()));
    assert!(verified.stdout.contains(&format!("\"{listed} files as listed")), "{}", verified.stdout);
}

#[test]
fn r03_two_digests_of_one_repository_are_both_in_the_bundle() {
    let Some(world) = World::start() else { return };
    let digests = world.push(|layout, host| {
        ["1", "2"].map(|tag| {
            let spec = ImageSpec::new(vec![LayerSpec::text("base", "shared"), LayerSpec::text("tag", tag)]);
            layout.image(&format!("{host}/team/app:{tag}"), &spec).unwrap()
        })
    });
    let wanted = digests.clone().map(|digest| format!("HOST/team/app@{digest}"));
    let bundle = world.packed(&[&wanted[0], &wanted[1]]);
    let report = world.verify(&bundle, &[]).code(0).report();
    assert_eq!(report["totals"]["images"], json!(2));
    let index = std::fs::read_to_string(bundle.join("index.json")).unwrap();
    for digest in digests {
        assert!(bundle.join(digest.layout_path()).is_file());
        assert!(index.contains(&world.reference(&format!("team/app@{digest}"))), "{index}");
    }
}

#[test]
fn r04_a_platform_filter_keeps_the_digest_of_the_index() {
    let Some(world) = World::start() else { return };
    let index = world.push(|layout, host| {
        let specs = ["linux/amd64", "linux/arm64"].map(|on| ImageSpec::small(on).on(on.parse().unwrap()));
        layout.index(&format!("{host}/team/multi:1"), &specs).unwrap()
    });
    let bundle = world.packed(&["HOST/team/multi:1", "--platform", "linux/arm64"]);
    let bytes = std::fs::read(bundle.join(index.layout_path())).unwrap();
    assert_eq!(sha256(&bytes), index);
    let listed: Value = serde_json::from_slice(&std::fs::read(bundle.join("index.json")).unwrap()).unwrap();
    assert_eq!(listed["manifests"][0]["digest"], json!(index));
    let document: Value =
        serde_json::from_slice(&std::fs::read(bundle.join("airlift/manifest.json")).unwrap()).unwrap();
    let image = &document["images"][0];
    assert_eq!(
        (&image["digest"], &image["omittedPlatforms"][0]["architecture"]),
        (&json!(index), &json!("amd64"))
    );
    let left_out: Digest = image["omittedPlatforms"][0]["digest"].as_str().unwrap().parse().unwrap();
    assert!(!bundle.join(left_out.layout_path()).exists());
    world.verify(&bundle, &["--deep"]).code(0);
    world.pack(&["HOST/team/multi:1", "--platform", "linux/s390x"]).code(2);
}

#[test]
fn r07_every_file_name_fits_on_fat() {
    let Some((world, _)) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1", "--max-file-size", "64K"]);
    for name in names(&bundle) {
        let own = name.rsplit('/').next().unwrap();
        let plain = own.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        assert!(plain || matches!(own, "README.txt" | "SHA256SUMS"), "{name}");
    }
    for name in ["a:b", "../x", "A", "", "-x", "x/y"] {
        let said = world.pack(&["HOST/team/app:1", &format!("--name={name}")]).code(2).said();
        assert!(said.contains("not allowed") || said.contains("a value is required"), "{name}: {said}");
    }
}

#[test]
fn r08_nothing_is_written_beside_the_destination_and_lack_of_room_is_said_before_the_first_byte() {
    let Some((world, _)) = world() else { return };
    let tmp = world.root.join("tmp");
    std::fs::set_permissions(&tmp, std::fs::Permissions::from_mode(0o555)).unwrap();
    let before = names(&tmp);
    world.packed(&["HOST/team/app:1"]);
    assert_eq!((names(&tmp), before), (Vec::new(), Vec::new()));
    // A file system of its own, too small by far.
    let script =
        "mount -t tmpfs -o size=256k tmpfs medium && \"$0\" \"$@\"; code=$?; ls -A medium; exit $code";
    let reference = world.reference("team/app:1");
    let ran = in_own_mounts(&world, script, &["pack", "--no-tool", "--to", "medium", &reference]);
    let Some(ran) = ran else { return };
    assert!(ran.stderr.contains("262") || ran.stderr.contains("free"), "{}", ran.stderr);
    assert_eq!(ran.code(14).stdout, "");
}

#[test]
fn r09_r11_r13_a_pack_that_was_cut_off_is_no_bundle_and_goes_on_by_range_with_nothing_left_over() {
    let Some((world, layers)) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    cut_off(&bundle);
    // One layer came half way, one not at all, and there is what nobody asks for any more.
    let (half, none) = (bundle.join(layers[0].layout_path()), bundle.join(layers[1].layout_path()));
    let bytes = std::fs::read(&half).unwrap();
    std::fs::remove_file(&half).unwrap();
    std::fs::write(format!("{}.tmp", half.display()), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::remove_file(&none).unwrap();
    let stale = sha256(b"stale").layout_path();
    for left in [format!("{stale}.tmp"), stale, "airlift/manifest.json.tmp".to_owned()] {
        std::fs::write(bundle.join(left), "left over").unwrap();
    }
    let left = (bytes.len() - bytes.len() / 2 + bytes.len()) as u64;
    let plan = world.pack(&["HOST/team/app:1", "--dry-run"]).code(0).report();
    assert_eq!((&plan["goesOn"], &plan["toWrite"]), (&json!(true), &json!(left)));
    let said = world.verify(&bundle, &[]).code(10).said();
    assert!(said.contains("no bundle yet") && said.contains("run the same pack again"), "{said}");
    let seen = world.registry.log().len();
    let again = world.pack(&["HOST/team/app:1"]).code(0);
    assert!(!again.bundle().join("airlift/journal").exists());
    assert_eq!(fetched(&again), left);
    let log = world.registry.log()[seen..].to_owned();
    let answered = |digest: &Digest, status: &str| {
        log.lines().any(|line| line.contains(&format!("blobs/{digest}")) && line.contains(status))
    };
    assert!(answered(&layers[0], "\" 206 ") && answered(&layers[1], "\" 200 "), "{log}");
    assert!(names(&again.bundle()).iter().all(|name| !name.ends_with(".tmp")));
    world.verify(&again.bundle(), &["--deep"]).code(0);
}

#[test]
fn r12_r13_a_second_pack_fetches_nothing_and_mends_what_is_wrong() {
    let Some((world, layers)) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let before = snapshot(&bundle);
    let seen = world.registry.log().len();
    let again = world.pack(&["HOST/team/app:1"]).code(0);
    assert_eq!((again.bundle(), fetched(&again)), (bundle.clone(), 0));
    assert_eq!(snapshot(&bundle), before);
    // The plan knows it, too; and that other images make another bundle.
    let plan = world.pack(&["HOST/team/app:1", "--dry-run"]).code(0).report();
    assert_eq!((&plan["repeats"], &plan["serial"], &plan["toWrite"]), (&json!(true), &json!(1), &json!(0)));
    let other = format!("HOST/team/app@{}", plan["resolved"]["images"][0]["digest"].as_str().unwrap());
    let plan = world.pack(&["HOST/team/app:1", &other, "--dry-run"]).code(0).report();
    assert_eq!((&plan["repeats"], &plan["serial"]), (&json!(false), &json!(2)));
    world.key("other");
    let by_other = world.pack(&["HOST/team/app:1", "--dry-run", "--key", "other"]).code(0).report();
    assert_eq!((&by_other["repeats"], &by_other["serial"]), (&json!(false), &json!(2)));
    assert!(!layers.iter().any(|layer| world.registry.log()[seen..].contains(&format!("blobs/{layer}"))));
    let path = bundle.join(layers[1].layout_path());
    let right = std::fs::read(&path).unwrap();
    let mut wrong = right.clone();
    wrong[100_000] ^= 1;
    std::fs::write(&path, wrong).unwrap();
    world.verify(&bundle, &[]).code(10);
    let mended = world.pack(&["HOST/team/app:1"]).code(0);
    assert_eq!((mended.bundle(), fetched(&mended)), (bundle.clone(), right.len() as u64));
    assert_eq!(std::fs::read(&path).unwrap(), right);
    world.verify(&bundle, &["--deep"]).code(0);
}

#[test]
fn a_plan_tells_what_is_copied_from_bundles_of_other_series_as_the_run_then_does() {
    let Some((world, layers)) = world() else { return };
    world.push(|layout, host| {
        let specs = [1, 2, 3, 4].map(|seed| LayerSpec::noise(seed, 200_000).compressed(Compression::None));
        layout.image(&format!("{host}/team/more:1"), &ImageSpec::new(specs.to_vec())).unwrap();
    });
    let length =
        std::fs::metadata(world.packed(&["HOST/team/app:1"]).join(layers[0].layout_path())).unwrap().len();
    let told = |image: &str, more: &[&str]| {
        let words = [&[image], more].concat();
        let plan = world.pack(&[&words[..], &["--dry-run"]].concat()).code(0).report();
        let ran = world.pack(&words).code(0);
        let bundle = ran.report()["bundle"].take();
        assert_eq!((&plan["toFetch"], &plan["toCopy"]), (&bundle["fetchedBytes"], &bundle["copiedBytes"]));
        let [write, fetch, copy] = ["toWrite", "toFetch", "toCopy"].map(|name| plan[name].as_u64().unwrap());
        assert!(write >= fetch + copy, "{plan}");
        (ran.bundle(), fetch / length, copy / length)
    };
    let (more, fetched, copied) = told("HOST/team/more:1", &["--name", "more"]);
    assert_eq!((fetched, copied), (1, 3));
    assert_eq!(told("HOST/team/more:1", &["--name", "all"]).1, 0);
    // Of a layer that was cut off all of it is copied.
    cut_off(&more);
    let layer = more.join(layers[0].layout_path());
    std::fs::rename(&layer, format!("{}.tmp", layer.display())).unwrap();
    std::fs::File::options()
        .write(true)
        .open(format!("{}.tmp", layer.display()))
        .unwrap()
        .set_len(5)
        .unwrap();
    assert_eq!(told("HOST/team/more:1", &["--name", "more"]).2, 1);
    // A layer that lies there in parts is not.
    for bundle in std::fs::read_dir(world.medium()).unwrap().map(Result::unwrap) {
        std::fs::remove_dir_all(bundle.path()).unwrap();
    }
    world.packed(&["HOST/team/app:1", "--max-file-size", "64K"]);
    let (_, fetched, copied) = told("HOST/team/app:1", &["--name", "whole"]);
    assert_eq!((fetched, copied), (3, 0));
    let mut plan = world.command();
    plan.args(["pack", "--dry-run", "--no-tool", "--name", "words", "--to"]).arg(world.medium());
    let said = Ran::of({
        plan.arg(world.reference("team/app:1"));
        plan
    })
    .code(0)
    .said();
    assert!(said.contains(" of that copied from bundles beside it"), "{said}");
}

#[test]
fn a_plan_says_whether_the_program_is_carried_as_the_run_then_does() {
    let Some((world, _)) = world() else { return };
    let run = |more: &[&str]| {
        let reference = world.reference("team/app:1");
        world.run([&["pack", "--to", "medium", &reference], more].concat()).code(0)
    };
    let program = std::fs::read(world.command().get_program()).unwrap();
    let carried = airlift::engine::bundle::contents::is_static(&program);
    let plan = run(&["--dry-run"]);
    assert_eq!(plan.said().contains("not carried: this airlift is not static"), !carried, "{plan:?}");
    assert!(!run(&["--dry-run", "--no-tool"]).said().contains("not carried"));
    let ran = run(&[]);
    assert_eq!(ran.said().contains("the program is not carried: this airlift"), !carried, "{ran:?}");
    let bundle = ran.stdout;
    assert_eq!(Path::new(bundle.trim()).join("airlift/bin").exists(), carried);
}

#[test]
fn r14_r15_what_is_missing_commits_nothing_or_is_listed_and_a_retry_fetches_only_that() {
    let Some((world, _)) = world() else { return };
    let refused = world.pack(&["HOST/team/app:1", "HOST/team/later:1"]).code(15);
    assert!(refused.said().contains("team/later:1"), "{}", refused.said());
    assert_eq!(names(&world.medium()), Vec::<String>::new());
    let partly = world.pack(&["HOST/team/app:1", "HOST/team/later:1", "--keep-going"]).code(3);
    let report = partly.report();
    assert_eq!(report["bundle"]["complete"], false);
    let missing = world.reference("team/later:1");
    assert_eq!(report["bundle"]["missing"][0]["reference"], json!(missing));
    let verified = world.run([Path::new("verify"), &partly.bundle()]).code(0);
    assert!(
        verified.stderr.contains("not in this bundle") && verified.stderr.contains(&missing),
        "{verified:?}"
    );
    assert!(verified.stdout.starts_with("OK but incomplete, 1 image missing  bundle-1  "), "{verified:?}");
    let why = &report["bundle"]["missing"][0]["reason"].as_str().unwrap();
    let layout = format!("oci:{}", world.root.join("layout").display());
    for more in [&["--dry-run"][..], &[]] {
        let mut import = world.command();
        import.arg("import").arg(partly.bundle()).args(["--into", &layout]).args(more);
        let said = Ran::of(import).code(0).said();
        assert!(said.contains(&format!("not in this bundle: {missing} ({why})")), "{said}");
        assert!(
            said.contains("warning: this bundle is incomplete: 1 image that was asked for is not in it"),
            "{said}"
        );
    }
    let again = world.pack(&["HOST/team/app:1", "HOST/team/later:1", "--keep-going", "--dry-run"]).code(3);
    let words = "the bundle is signed but incomplete: 1 image that was asked for is not in it";
    assert!(again.said().contains(words) && again.report()["repeats"] == true, "{}", again.said());
    let layer = world.push(|layout, host| {
        let spec = LayerSpec::noise(9, 5_000);
        layout.image(&format!("{host}/team/later:1"), &ImageSpec::new(vec![spec.clone()])).unwrap();
        layout.layer(&spec).unwrap()
    });
    let whole = world.pack(&["HOST/team/app:1", "HOST/team/later:1"]).code(0);
    assert_eq!(whole.report()["bundle"]["complete"], true);
    assert!((layer.size..layer.size + 1000).contains(&fetched(&whole)), "{}", fetched(&whole));
    world.verify(&whole.bundle(), &["--deep"]).code(0);
}

#[test]
fn r25_signatures_under_tags_and_referrers_travel_with_their_image() {
    let Some(world) = World::start() else { return };
    let (image, signature, sbom) = world.push(|layout, host| {
        let name = format!("{host}/team/app:1");
        let image = layout.image(&name, &ImageSpec::small("signed")).unwrap();
        let signature = layout.cosign_signature(&name, &image).unwrap();
        let sbom = layout.referrer_by_tag(&name, &image, "application/spdx+json").unwrap();
        (image, signature, sbom)
    });
    let bundle = world.packed(&["HOST/team/app:1"]);
    world.verify(&bundle, &["--deep"]).code(0);
    let index: Value = serde_json::from_slice(&std::fs::read(bundle.join("index.json")).unwrap()).unwrap();
    let carried: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|d| d["annotations"]["airlift.carried.tag"].as_str())
        .collect();
    for tag in [format!("sha256-{}.sig", image.hex()), format!("sha256-{}", image.hex())] {
        let name = world.reference(&format!("team/app:{tag}"));
        assert!(carried.contains(&name.as_str()), "{carried:?}");
    }
    assert!([signature, sbom].iter().all(|digest| bundle.join(digest.layout_path()).is_file()));
    let without = world.packed(&["HOST/team/app:1", "--name", "bare", "--no-signatures"]);
    assert!(!std::fs::read_to_string(without.join("index.json")).unwrap().contains("carried"));
}

#[test]
fn r28_verify_changes_nothing_and_needs_no_write_access() {
    let Some((world, _)) = world() else { return };
    let bundle = world.packed(&["HOST/team/app:1"]);
    let before = snapshot(&bundle);
    world.verify(&bundle, &["--deep"]).code(0);
    world.run([Path::new("inspect"), &bundle]).code(0);
    assert_eq!(snapshot(&bundle), before);
    let script = "mount --bind medium medium && mount -o remount,ro,bind medium && ! touch medium/x 2>/dev/null && exec \"$0\" \"$@\"";
    let Some(ran) = in_own_mounts(&world, script, &["verify", "medium/bundle-1", "--deep"]) else { return };
    assert!(ran.code(0).stdout.contains("OK  bundle-1"));
    assert_eq!(snapshot(&bundle), before);
}

#[test]
fn two_packs_into_one_directory_exclude_each_other_and_no_key_lies_on_the_medium() {
    let Some((world, _)) = world() else { return };
    let held = std::fs::File::open(world.medium()).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let said = world.pack(&["HOST/team/app:1"]).code(75).said();
    let holder = format!("process {} on ", std::process::id());
    assert!(said.contains("another airlift is packing") && said.contains(&holder), "{said}");
    // The plan says the same, before anything is asked for.
    let planned = world.pack(&["HOST/team/app:1", "--dry-run"]).code(75).said();
    assert!(planned.contains(&holder) && planned.contains("ends it at a safe point"), "{planned}");
    assert_eq!(names(&world.medium()), Vec::<String>::new());
    drop(held);
    let bundle = world.packed(&["HOST/team/app:1"]);
    let secret = b"PRIVATE KEY";
    for name in names(&bundle).iter().map(|name| bundle.join(name)).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&name).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", name.display());
    }
}

#[test]
fn a_tag_that_moved_since_it_was_carried_is_told_whatever_was_resolved_in_between() {
    let Some(world) = World::start() else { return };
    let push = |seed| {
        world.push(|layout, host| {
            layout.image(&format!("{host}/team/app:1"), &ImageSpec::small(seed)).unwrap().to_string()
        })
    };
    let first = push("a");
    let reference = world.reference("team/app:1");
    world.packed(&[&reference]);
    let resolve = |more: &[&str]| world.run([&["resolve", &reference, "--lock", "air.lock"], more].concat());
    let told = resolve(&[]).code(0).stdout;
    assert!(!told.contains("moved"), "{told}");
    let second = push("b");
    for _ in 0..2 {
        let told = resolve(&[]).code(0).stdout;
        let words = format!("moved since bundle bundle-1: {reference}: was {first}, now {second}");
        assert!(told.contains(&words), "{told}");
    }
    let moved = resolve(&["--json"]).code(0).report()["moved"].take();
    assert_eq!((&moved[0]["was"]["bundle"], &moved[0]["to"]), (&json!("bundle-1"), &json!(second)));
    // Carried anew, it has moved no more.
    world.packed(&[&reference]);
    let told = resolve(&[]).code(0).stdout;
    assert!(!told.contains("moved"), "{told}");
}
