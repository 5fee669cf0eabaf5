//! One import at a time in a namespace of a containerd: a second one is told who has it, and only what dead runs left is ended.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::import_containerd_cut::{Large, large};
use crate::import_containerd_live::packed;
use crate::rig::containerd::{Containerd, Line, succeeded};
use crate::rig::wait_until;
use crate::rig::world::Ran;

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

fn leases(containerd: &Containerd) -> Vec<String> {
    containerd.list(&["leases", "ls"])
}

fn lease(containerd: &Containerd, id: &str, labels: &[&str]) {
    succeeded(&containerd.ctr(&["leases", "create", "--id", id]).args(labels).output().unwrap());
}

#[test]
fn a_second_run_is_told_who_has_the_containerd_and_the_first_one_ends_well() {
    for line in Line::ALL {
        let (Some(containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        let first = large.caught(&containerd);
        signal(&first, Signal::STOP);
        let held = leases(&containerd);
        assert_eq!(held.len(), 1, "{line:?}: {held:?}");
        assert!(!held[0].contains("gc.expire"), "a clock that is set must not end it: {held:?}");
        let small = large.world.reference("team/small:1");
        let plan = Ran::of(large.import(&containerd, &["--only", &small, "--dry-run"])).code(0).said();
        let told = format!("process {}, ", first.id());
        assert!(plan.contains(&told) && plan.contains("begun 2"), "{line:?}: {plan}");
        assert!(plan.contains("an import is refused until that has ended"), "{line:?}: {plan}");
        let second = Ran::of(large.import(&containerd, &["--only", &small])).code(75).said();
        assert!(second.contains(&format!("process {}", first.id())), "{line:?}: {second}");
        assert!(second.contains("wait for that run to end"), "{second}");
        assert_eq!(leases(&containerd), held, "{line:?}");
        signal(&first, Signal::CONT);
        let first = first.wait_with_output().unwrap();
        assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
        large.completes(&containerd);
    }
}

#[test]
fn two_runs_that_begin_in_one_moment_both_bring_what_they_are_to_or_say_why_not() {
    let (Some(containerd), Some(large)) = (Containerd::with_cri(Line::Two), large()) else { return };
    let begin = |large: &Large| {
        let mut command = large.import(&containerd, &[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [begin(&large), begin(&large)];
    let codes: Vec<_> = both.into_iter().map(|run| run.wait_with_output().unwrap().status.code()).collect();
    assert!(codes.iter().all(|code| [Some(0), Some(75)].contains(code)), "{codes:?}");
    large.completes(&containerd);
}

#[test]
fn what_dead_runs_left_is_ended_and_what_cannot_be_told_stays() {
    let (Some(containerd), Some(packed)) = (Containerd::with_cri(Line::One), packed()) else { return };
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let boot = format!("airlift/boot={}", boot.trim());
    let space = fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    let mut gone = Command::new("true").spawn().unwrap();
    let dead = format!("airlift/process={} 1 {space}", gone.id());
    gone.wait().unwrap();
    let of = "airlift/import=another";
    lease(&containerd, "dead", &[of, &boot, &dead]);
    lease(&containerd, "before", &[of, "airlift/boot=another"]);
    lease(&containerd, "no-boot", &[of, &dead]);
    lease(&containerd, "elsewhere", &[of, &boot, "airlift/process=1 1 pid:[1]"]);
    lease(&containerd, "of-somebody-else", &[]);
    packed.import(&containerd.target(), &[]).code(0);
    let stay = ["elsewhere", "no-boot", "of-somebody-else"];
    let ids = |leases: Vec<String>| -> Vec<String> {
        let mut ids: Vec<_> =
            leases.iter().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(leases(&containerd)), stay);
    lease(&containerd, "dead", &[of, &boot, &dead]);
    packed.import(&containerd.target(), &[]).code(0);
    assert_eq!(ids(leases(&containerd)), stay, "also by a run that has nothing to bring");
}

#[test]
fn a_run_that_has_nothing_to_bring_changes_nothing_in_containerd() {
    for line in Line::ALL {
        let (Some(containerd), Some(packed)) = (Containerd::with_cri(line), packed()) else { continue };
        packed.import(&containerd.target(), &[]).code(0);
        let database = containerd.root().join("io.containerd.metadata.v1.bolt/meta.db");
        let read = || fs::read(&database).unwrap();
        let (mut before, mut same) = (read(), 0);
        wait_until("containerd has tidied up", || {
            let now = read();
            same = if now == before { same + 1 } else { 0 };
            before = now;
            same > 100
        });
        packed.import(&containerd.target(), &[]).code(0);
        assert!(read() == before, "{line:?}: the database was written to");
    }
}

#[test]
fn undo_of_a_run_that_was_cut_off_removes_what_it_wrote_and_had_no_name_for() {
    for line in Line::ALL {
        let (Some(containerd), Some(large)) = (Containerd::with_cri(line), large()) else { continue };
        let mut child = large.caught(&containerd);
        let early = large.world.run(["undo"]).code(75).said();
        assert!(early.contains("an import is running right now"), "{line:?}: {early}");
        child.kill().unwrap();
        child.wait().unwrap();
        let left = leases(&containerd);
        let id = left[0].split_whitespace().next().unwrap();
        let what = format!("lease {id} (import of bundle-1), with what it alone kept");
        let listed = large.world.run(["undo", "--list"]).code(0).stdout;
        assert!(listed.contains("what it had not finished; it was cut off"), "{line:?}: {listed}");
        let dry = large.world.run(["undo", "--dry-run"]).code(0).stdout;
        assert!(dry.contains(&format!("would be removed: {what}")), "{line:?}: {dry}");
        assert_eq!(leases(&containerd), left, "{line:?}");
        let undone = large.world.run(["undo"]).code(0).stdout;
        assert!(undone.contains(&format!("removed: {what}")), "{line:?}: {undone}");
        assert_eq!(leases(&containerd), [""; 0], "{line:?}");
        for held in [&["content", "ls", "-q"][..], &["content", "active"], &["snapshots", "ls"]] {
            assert_eq!(containerd.list(held), [""; 0], "{line:?}: {held:?}");
        }
        large.world.run(["undo", "1"]).code(2);
        large.completes(&containerd);
    }
}

#[test]
fn a_lease_of_a_process_that_cannot_be_seen_stays_and_is_told_with_what_ends_it() {
    let (Some(containerd), Some(large)) = (Containerd::with_cri(Line::One), large()) else { return };
    let mut child = large.caught(&containerd);
    child.kill().unwrap();
    child.wait().unwrap();
    lease(&containerd, "airlift-far", &["airlift/import=import of far-1"]);
    let said = large.world.run(["undo"]).code(3).said();
    for words in [
        "airlift-far (import of far-1) is of a process that cannot be seen",
        " leases delete --sync airlift-far",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let left = leases(&containerd);
    assert!(left.len() == 1 && left[0].starts_with("airlift-far"), "{left:?}");
    succeeded(&containerd.ctr(&["leases", "delete", "--sync", "airlift-far"]).output().unwrap());
    let again = large.world.run(["undo"]).code(0).stdout;
    assert!(again.contains("nothing is left to take back"), "{again}");
}
