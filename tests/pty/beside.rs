//! Two workstations in one home: whatever either picks is on the list when both have ended.

use crate::console::{Console, Setting};
use crate::rig::TempRoot;

const APART: &str = "another workstation has the list";

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
    second.wait("the other workstation has ended").wait("mid:1.0.0").wait("redis:7.0.1");
    assert!(!second.screen().contains(APART), "{}", second.screen());
    leave(&mut second);
    let mut first = start(&root);
    images(&mut first);
    first.wait("mid:1.0.0").wait("redis:7.0.1");
    assert!(!first.screen().contains(APART), "{}", first.screen());
    leave(&mut first);
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
    last.wait("redis:7.0.1");
    leave(&mut last);
}
