//! The log over a screen: it grows while it is open, is filtered, read, saved and left as it was found.

use airlift::tui::msg::{Effect, Level, Msg};

use crate::live::Live;
use crate::rig::{Desk, now};

const LAYER: &str = "registry.k8s.io/etcd:3.5.12 sha256:9f86d081";

fn said(desk: &mut Desk, level: Level, words: &str) {
    desk.tell(Msg::Said(level, words.to_owned()));
}

/// What a pack had to say.
fn busy() -> Desk {
    let mut desk = Desk::new();
    said(&mut desk, Level::Info, "resolve begins");
    said(
        &mut desk,
        Level::Info,
        "registry.k8s.io/etcd:3.5.12: sha256:44a8e24dcbba3470ee1fee21d5e88d128c936e9b55d4bc51fbef8086f8ed123b",
    );
    said(&mut desk, Level::Info, "resolve is over");
    said(&mut desk, Level::Info, "fetch begins");
    said(&mut desk, Level::Warn, &format!("{LAYER}: connection reset by peer; attempt 2"));
    said(&mut desk, Level::Fail, &format!("{LAYER}: gave up after 5 tries: HTTP 503 \u{1b}[31mred\u{202e}"));
    desk
}

#[test]
fn log() {
    let mut desk = busy();
    desk.keys("l");
    insta::assert_snapshot!("log", desk.picture());
    desk.keys("v / gave");
    insta::assert_snapshot!("log_filtered", desk.picture());
}

#[test]
fn a_plan_is_not_called_done() {
    let mut desk = crate::assemble::planned();
    let screen = desk.keys("l").screen();
    assert!(screen.contains("planned: pack bundle into") && !screen.contains("done: pack"), "{screen}");
}

#[test]
fn an_empty_log_says_so_and_a_line_that_comes_is_seen_at_once() {
    let mut desk = Desk::new();
    assert!(desk.keys("l").screen().contains("nothing logged yet"));
    said(&mut desk, Level::Warn, "a stick was pulled");
    let screen = desk.screen();
    assert!(screen.contains("WARN  a stick was pulled") && !screen.contains("nothing logged"), "{screen}");
    desk.keys("v v");
    assert!(desk.screen().contains("no line matches"), "{}", desk.screen());
}

#[test]
fn what_is_read_stays_while_lines_come_and_the_end_is_followed_again() {
    let mut desk = Desk::new();
    (0..200).for_each(|number| said(&mut desk, Level::Info, &format!("line {number}.")));
    desk.keys("l");
    assert!(desk.screen().contains("line 199.") && desk.screen().contains("following"));
    desk.keys("PageUp PageUp");
    let (before, top) = (desk.screen(), "line 160.");
    assert!(before.contains(top) && before.contains("paused; "), "{before}");
    (200..300).for_each(|number| said(&mut desk, Level::Info, &format!("line {number}.")));
    let after = desk.screen();
    assert!(after.contains(top) && !after.contains("line 299."), "{after}");
    assert!(desk.keys("G").screen().contains("line 299."));
    said(&mut desk, Level::Info, "line 300.");
    assert!(desk.screen().contains("line 300."));
}

#[test]
fn what_is_shown_is_copied_and_the_log_stays_open() {
    let mut desk = busy();
    desk.keys("l v").effects.clear();
    desk.keys("c");
    let copied = desk.effects.iter().find_map(|effect| match effect {
        Effect::Copy(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.unwrap();
    assert!(copied.lines().count() == 2 && copied.starts_with("2026-11-21T12:00:00Z WARN "), "{copied}");
    assert!(desk.screen().contains("Log: 2/"), "{}", desk.screen());
}

#[test]
fn nothing_hostile_reaches_a_copy_or_a_file_and_no_line_can_be_forged() {
    let hostile = "a\u{1b}]52;c;aGk=\u{7}\u{202e}b\n2026-11-21T12:00:00Z info all is well";
    let safe = "2026-11-21T12:00:00Z FAIL a\\u{1b}]52;c;aGk=\\u{7}\\u{202e}b\\u{a}2026-11-21T12:00:00Z info all is well\n";
    let mut live = Live::at(now());
    let path = live.kept("hostile.log");
    live.desk.tell(Msg::Said(Level::Fail, hostile.into()));
    live.desk.keys("l v v").effects.clear();
    live.desk.keys("c");
    let copied = live.desk.effects.iter().any(|effect| matches!(effect, Effect::Copy(text) if text == safe));
    assert!(copied, "{:?}", live.desk.effects);
    live.desk.keys("s Ctrl-U").typed(&path.display().to_string()).keys("Enter");
    live.until("it is written", |_| path.exists());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), safe);
}

#[test]
fn it_is_saved_where_one_says_and_is_open_still() {
    let mut live = Live::at(now());
    let path = live.kept("noted.log");
    live.desk.tell(Msg::Said(Level::Fail, "a bad sector".into()));
    live.desk.keys("l v v s");
    live.desk.keys("Ctrl-U").typed(&path.display().to_string()).keys("Enter");
    live.until("it is written", |_| path.exists());
    live.until_seen("Log: 1/");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "2026-11-21T12:00:00Z FAIL a bad sector\n");
}
