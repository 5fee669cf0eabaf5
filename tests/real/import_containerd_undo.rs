//! What an import changed in a containerd is taken back, also what a run did that was killed: names, pins, and what names were before.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use airlift::engine::demo::sample::ImageSpec;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::import_containerd_hard::traced;
use crate::import_containerd_live::{Packed, packed};
use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::world::{Ran, World};
use crate::rig::{need, wait_until};

/// Every name with digest and labels, as `ctr images ls` says them.
fn records(containerd: &Containerd) -> Vec<String> {
    let mut records = containerd.list(&["images", "ls"]);
    records.sort();
    records
}

/// What `airlift undo --list` names, the latest first.
fn noted(world: &World) -> Vec<PathBuf> {
    let listed = world.run(["undo", "--list", "--json"]).code(0).report();
    let runs = listed["runs"].as_array().cloned().unwrap_or_default();
    runs.iter().map(|run| PathBuf::from(run["file"].as_str().unwrap())).collect()
}

#[test]
fn what_a_killed_run_named_is_noted_and_taken_back_to_the_last_name() {
    const IMAGES: usize = 100;
    for line in Line::ALL {
        let (Some(containerd), Some(world)) = (Containerd::with_cri(line), World::start()) else { continue };
        world.push(|layout, host| {
            for n in 0..IMAGES {
                layout.image(&format!("{host}/team/app{n}:1"), &ImageSpec::small("one")).unwrap();
            }
        });
        let names: Vec<String> = (0..IMAGES).map(|n| format!("HOST/team/app{n}:1")).collect();
        let bundle = world.packed(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let import = || {
            let mut command = world.command();
            command.arg("import").arg(&bundle).args(["--json", "--into", &containerd.target()]);
            command
        };
        let mut child = import().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let tagged = || {
            let all = containerd.list(&["images", "ls", "-q"]);
            all.into_iter().filter(|name| name.ends_with(":1")).count()
        };
        wait_until("an image is named", || tagged() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(tagged() < IMAGES, "{line:?}: it was killed between two images");
        let files = noted(&world);
        assert_eq!(files.len(), 1, "{line:?}: {files:?}");
        let undone = world.run(["undo", "--json"]).code(0).report();
        let names = &undone["targets"][0];
        assert!(!names["removed"].as_array().unwrap().is_empty(), "{undone}");
        assert!(!names["absent"].as_array().unwrap().is_empty(), "some were not come to: {undone}");
        // The CRI makes names by id by itself, also once more.
        let left = containerd.list(&["images", "ls", "-q"]);
        assert!(left.iter().all(|name| name.starts_with("sha256:")), "{line:?}: {left:?}");
        assert_eq!(noted(&world), Vec::<PathBuf>::new(), "what was taken back is noted no more");
        world.run(["undo"]).code(2);
        Ran::of(import()).code(0);
        assert_eq!(tagged(), IMAGES);
    }
}

fn undo(packed: &Packed) {
    packed.world.run(["undo"]).code(0);
}

#[test]
fn each_run_is_taken_back_by_itself_the_last_one_first() {
    let (Some(containerd), Some(packed)) = (Containerd::with_cri(Line::One), packed()) else { return };
    let empty = records(&containerd);
    let import = |image: usize| {
        packed.import(&containerd.target(), &["--only", &packed.images[image].0]).code(0);
    };
    import(0);
    let one = records(&containerd);
    import(1);
    assert_eq!(noted(&packed.world).len(), 2);
    packed.import(&containerd.target(), &["--only", &packed.images[1].0]).code(0);
    assert_eq!(noted(&packed.world).len(), 3, "a run that changed nothing is noted all the same");
    let both = records(&containerd);
    let said = packed.world.run(["undo"]).code(2).said();
    for words in [
        "the last import left nothing to take back: the import of",
        "the last that left something is run 000002, the import of",
        "nothing was changed; to take back that older import: airlift undo 000002; with --dry-run",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("later imports count on what it brought"), "{said}");
    assert_eq!(records(&containerd), both);
    // The third found there what the second had brought, and did nothing.
    packed.world.run(["undo", "2"]).code(0);
    assert_eq!(records(&containerd), one);
    let said = packed.world.run(["undo", "000002"]).code(2).said();
    assert!(said.contains("that run was undone at 20"), "{said}");
    import(1);
    assert!(noted(&packed.world)[0].ends_with("000004.jsonl"), "a number is never given again");
    let first = noted(&packed.world).pop().unwrap();
    packed.world.run(["undo", first.to_str().unwrap()]).code(0);
    undo(&packed);
    assert_eq!(records(&containerd), empty);
    assert_eq!(containerd.holdings(), Vec::<String>::new());
}

#[test]
fn an_import_that_was_run_again_is_taken_back_by_the_number_that_undo_names() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let empty = records(&containerd);
        for _ in 0..3 {
            packed.import(&containerd.target(), &[]).code(0);
        }
        let said = packed.world.run(["undo"]).code(2).said();
        let way = "to take back that older import: airlift undo 000001; with --dry-run ";
        assert!(said.contains(way) && !said.contains("count on"), "{line:?}: {said}");
        let undone = packed.world.run(["undo", "000001", "--json"]).code(0).report();
        assert_eq!(undone["targets"][0]["kept"], serde_json::json!([]), "{line:?}: {undone}");
        assert_eq!(records(&containerd), empty, "{line:?}");
        assert_eq!(containerd.holdings(), Vec::<String>::new(), "{line:?}");
    }
}

#[test]
fn a_dry_run_asks_the_runtime_and_a_name_that_a_later_run_gave_stays() {
    let (Some(containerd), Some(packed)) = (Containerd::with_cri(Line::One), packed()) else { return };
    let report = packed.world.root.join("report.json").display().to_string();
    let (app, old) = (packed.images[0].0.as_str(), packed.images[1].0.as_str());
    let printed = packed.import(&containerd.target(), &["--only", app, "--only", old]).code(0).stdout;
    std::fs::write(&report, printed).unwrap();
    let undo = |more: &[&str]| packed.world.run([&["undo", report.as_str()], more].concat());
    let there = records(&containerd);
    let foreseen = undo(&["--dry-run"]).code(0).stdout;
    assert!(foreseen.contains(&format!("would be removed: {app}")), "{foreseen}");
    assert_eq!(records(&containerd), there);
    undo(&[]).code(0);
    for more in [&["--dry-run"][..], &[]] {
        let ran = undo(more).code(0);
        assert!(ran.stdout.contains("nothing is left to take back"), "{}", ran.stdout);
    }
    packed.import(&containerd.target(), &["--only", old]).code(0);
    let ran = undo(&[]).code(3);
    let (repository, _) = old.rsplit_once(':').unwrap();
    let both =
        format!(", {repository}@{}, {old} are of a later run: airlift undo 000002 ", packed.images[1].1);
    assert!(ran.stdout.contains(&both), "{}", ran.stdout);
    assert!(containerd.images().iter().any(|(name, _)| name == old));
}

#[test]
fn pins_and_what_a_name_was_before_come_back() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let (app, old) = (&packed.images[0].0, &packed.images[1].0);
        packed.import(&containerd.target(), &["--only", app]).code(0);
        // As somebody else's import leaves it: known to the CRI, not pinned, one label of its own.
        for (name, _) in containerd.images() {
            let unpin = ["images", "label", &name, "io.cri-containerd.pinned=", "owner=somebody"];
            succeeded(&containerd.ctr(&unpin).output().unwrap());
        }
        succeeded(&containerd.ctr(&["images", "tag", app, old]).output().unwrap());
        let before = records(&containerd);
        packed.import(&containerd.target(), &["--only", app]).code(0);
        packed.import(&containerd.target(), &["--only", old, "--replace"]).code(0);
        let after: BTreeSet<String> = records(&containerd).into_iter().collect();
        let app_is_pinned = |line: &String| line.starts_with(app.as_str()) && line.contains("pinned=pinned");
        assert!(after.iter().any(app_is_pinned), "{after:#?}");
        undo(&packed);
        let said = packed.world.run(["undo"]).code(2).said();
        assert!(said.contains("the last import was undone at 20"), "{line:?}: {said}");
        packed.world.run(["undo", "2"]).code(0);
        assert_eq!(records(&containerd), before, "{line:?}");
        let checked = succeeded(&containerd.ctr(&["images", "check"]).output().unwrap());
        assert!(!checked.contains("incomplete"), "{checked}");
    }
}

#[test]
fn what_a_killed_run_announced_and_another_client_brought_since_stays() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        let Some(strace) = need("strace") else { return };
        let app = &packed.images[0].0;
        let import = packed.command(&containerd.target(), &["--only", app]);
        let log = packed.world.root.join("trace");
        // Killed on its way from the note to the first name: the disk takes its time.
        let file = packed.world.root.join("home/.local/share/airlift/state/imports/000001.jsonl");
        let path = file.display().to_string();
        let words = ["-P", &path, "-e", "trace=fsync", "-e", "inject=fsync:delay_exit=3000000"];
        let mut slow = traced(&strace, &words, &log, &import);
        let mut child = slow.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let announced = format!("\"name\":\"{app}\"");
        wait_until("its names are announced", || {
            std::fs::read_to_string(&file).is_ok_and(|noted| noted.contains(&announced))
        });
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        assert_eq!(containerd.list(&["images", "ls", "-q"]), Vec::<String>::new(), "{line:?}");
        // The same image comes by another way.
        let archive = packed.world.root.join("app.tar").display().to_string();
        packed.import(&format!("oci-archive:{archive}"), &["--only", app]).code(0);
        succeeded(&containerd.ctr(&["images", "import", "--no-unpack", &archive]).output().unwrap());
        assert!(containerd.images().iter().any(|(name, _)| name == app), "{:?}", containerd.images());
        let said = packed.world.run(["undo", "000001"]).code(3).said();
        assert!(said.contains(&format!("{app}: it has not the pin that this run gives")), "{said}");
        assert!(containerd.images().iter().any(|(name, _)| name == app), "{line:?}: {said}");
    }
}
