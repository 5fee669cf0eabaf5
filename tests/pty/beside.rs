//! Two workstations in one home: whatever either picks is on the list when both have ended.

use std::time::{Duration, Instant};

use crate::console::{Console, PATIENCE, Setting};
use crate::rig::TempRoot;

const APART: &str = "another workstation has the list";
const ENDED: &str = "the other workstation has ended";

fn start(root: &TempRoot) -> Console {
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media");
    console
}

fn images(console: &mut Console) {
    console.keys("b").wait("step 1/5 Images");
}

fn add(console: &mut Console, reference: &str) {
    console.paste(&format!("{reference}\n")).wait("1 added").wait(reference);
}

fn leave(console: &mut Console) {
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
}

#[test]
fn what_two_workstations_pick_at_once_is_all_there_afterwards() {
    let root = TempRoot::new();
    let mut first = start(&root);
    let mut second = start(&root);
    second.wait(APART).wait(&format!("process {}", first.pid()));
    images(&mut second);
    second.wait(APART);
    add(&mut second, "redis:7.0.1");
    images(&mut first);
    add(&mut first, "mid:1.0.0");
    leave(&mut second);
    assert!(second.screen().contains("kept apart"), "{}", second.screen());
    let mut second = start(&root);
    second.wait(APART);
    images(&mut second);
    second.wait("redis:7.0.1");
    leave(&mut first);
    second.wait(ENDED).wait("mid:1.0.0").wait("redis:7.0.1");
    assert!(!second.screen().contains(APART), "{}", second.screen());
    leave(&mut second);
    let mut first = start(&root);
    images(&mut first);
    first.wait("mid:1.0.0").wait("redis:7.0.1");
    assert!(!first.screen().contains(APART), "{}", first.screen());
    leave(&mut first);
}

#[test]
fn of_two_that_wait_for_the_list_one_gets_it_and_the_other_says_so() {
    let root = TempRoot::new();
    let mut first = start(&root);
    let mut waiting = [start(&root), start(&root)];
    for console in &mut waiting {
        console.wait(APART).wait(&format!("process {}", first.pid()));
    }
    leave(&mut first);
    // Whichever is woken up first gets it.
    let [second, third] = &mut waiting;
    let began = Instant::now();
    while ![&*second, &*third].iter().any(|console| console.screen().contains(ENDED)) {
        assert!(began.elapsed() < PATIENCE, "neither takes the list over:\n{}", second.screen());
        [&mut *second, &mut *third].into_iter().for_each(|console| console.watch(Duration::from_millis(50)));
    }
    let (winner, other) = if second.screen().contains(ENDED) { (second, third) } else { (third, second) };
    other.wait(&format!("process {}", winner.pid()));
    leave(winner);
    other.wait(ENDED);
    leave(other);
}

#[test]
fn what_is_written_into_the_file_of_the_list_is_not_lost() {
    let root = TempRoot::new();
    let mut console = start(&root);
    images(&mut console);
    add(&mut console, "redis:7.0.1");
    let list = root.path().join(".local/share/airlift/work/images.txt");
    crate::rig::wait_until("it is written", || std::fs::read_to_string(&list).is_ok());
    std::fs::write(&list, "redis:7.0.1\nhand:1.0.0\n").unwrap();
    add(&mut console, "mid:1.0.0");
    console.wait("somebody else changed the file of the list").wait("hand:1.0.0");
    leave(&mut console);
    assert_eq!(std::fs::read_to_string(&list).unwrap(), "redis:7.0.1\nhand:1.0.0\nmid:1.0.0\n");
}

#[test]
fn what_was_picked_apart_outlives_its_workstation() {
    let root = TempRoot::new();
    let mut first = start(&root);
    let mut second = start(&root);
    images(&mut second);
    add(&mut second, "redis:7.0.1");
    let kept = |text: &str| {
        let apart = root.path().join(".local/share/airlift/work/apart");
        let mut lists = std::fs::read_dir(apart).into_iter().flatten().flatten();
        lists.any(|entry| {
            std::fs::read_to_string(entry.path().join("images.txt")).is_ok_and(|list| list.contains(text))
        })
    };
    crate::rig::wait_until("it is written", || kept("redis:7.0.1"));
    second.signal(rustix::process::Signal::KILL);
    second.end();
    leave(&mut first);
    let mut last = start(&root);
    last.wait("1 line joined the list");
    images(&mut last);
    last.wait("redis:7.0.1").wait("1 line joined the list");
    // What one takes off beside it is named where the next one begins, and once more where the list is.
    let mut beside = start(&root);
    images(&mut beside);
    beside.wait("redis:7.0.1").keys("D").wait("off the list").keys("q");
    assert_eq!(beside.end().exit_code(), 0);
    last.keys("q");
    assert_eq!(last.end().exit_code(), 0);
    let mut next = start(&root);
    let off = "is off the list";
    next.wait("a workstation that ran beside another has ended").wait(off);
    images(&mut next);
    next.wait(off);
    leave(&mut next);
}
