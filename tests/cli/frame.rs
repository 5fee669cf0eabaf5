//! Help, usage errors, JSON lines, closed and full outputs, colours: what all commands have in common.

use std::io::Read;
use std::process::{Command, Stdio};

use airlift::actions::ACTIONS;
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{airlift, run};

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn help_names_every_command_and_every_exit_code() {
    let home = tempdir().unwrap();
    let help = run(home.path(), &["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for command in ACTIONS.iter().filter_map(|action| action.subcommand) {
        let word = command.split(' ').next().unwrap();
        assert!(help.stdout.contains(&format!("  {word}")), "{word}");
    }
    let words: Vec<&str> = help.stdout.split_whitespace().collect();
    let words = words.join(" ");
    for code in [2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 75, 130] {
        assert!(words.contains(&format!(", {code} ")), "{code}");
    }
    assert!(run(home.path(), &["--version"]).stdout.starts_with("airlift "));
}

#[test]
fn without_a_command_and_without_a_terminal_it_says_what_it_needs() {
    let home = tempdir().unwrap();
    let ran = run(home.path(), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("terminal") && ran.stderr.contains("--help"), "{}", ran.stderr);
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    let home = tempdir().unwrap();
    let ran = run(home.path(), &["fly"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(ran.stderr, @r"
    airlift: error: unrecognized subcommand 'fly'

    Usage: airlift [OPTIONS] [COMMAND]

    For more information, try '--help'.
    ");
}

#[test]
fn a_missing_or_a_wrong_argument_is_a_usage_error() {
    let home = tempdir().unwrap();
    for words in
        [&["inspect"][..], &["diff", "a"], &["completions", "sh0"], &["--no-such-flag"], &["man", "fly"]]
    {
        let ran = run(home.path(), words);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("airlift: error: "), "{}", ran.stderr);
    }
}

#[test]
fn json_begins_with_the_version_and_ends_with_one_result() {
    let home = tempdir().unwrap();
    let ran = run(home.path(), &["--json", "completions", "fish"]);
    let lines_ = lines(&ran.stdout);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stderr, "");
    assert_eq!(lines_[0], serde_json::json!({ "airlift": 1, "command": "completions" }));
    let last = lines_.last().unwrap();
    assert_eq!((&last["event"], &last["ok"], &last["exit"]), (&"result".into(), &true.into(), &0.into()));
    assert!(last["report"]["script"].as_str().unwrap().contains("complete -c airlift"));
    assert_eq!(lines_.iter().filter(|line| line["event"] == "result").count(), 1);
}

#[test]
fn json_failures_carry_kind_exit_message_and_hints() {
    let home = tempdir().unwrap();
    let ran = run(home.path(), &["inspect", "nothing", "--json"]);
    let last = lines(&ran.stdout).pop().unwrap();
    assert_eq!(ran.code, 13);
    assert_eq!(last["ok"], false);
    assert_eq!(last["exit"], 13);
    assert_eq!(last["kind"], "medium");
    assert!(last["message"].as_str().unwrap().contains("there is no nothing"), "{last}");
    assert!(!last["hints"].as_array().unwrap().is_empty());
    assert_eq!(ran.stderr, "");
    let ran = run(home.path(), &["--json", "fly"]);
    assert_eq!(ran.code, 2);
    assert_eq!(lines(&ran.stdout).pop().unwrap()["exit"], 2);
}

#[test]
fn failures_are_what_then_hints() {
    let home = tempdir().unwrap();
    std::fs::create_dir(home.path().join("empty")).unwrap();
    let ran = run(home.path(), &["inspect", "empty"]);
    insta::assert_snapshot!(ran.stderr, @r"
    airlift: error: empty holds no bundle: there is no airlift/manifest.json
      hint: give the directory NAME-SERIAL itself
      hint: a pack that was cut off leaves no document: run the same pack again
    ");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let home = tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("airlift"))
        .args(["completions", "bash"])
        .env_clear()
        .env("HOME", home.path())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_full_device_behind_stdout_is_a_failure() {
    let home = tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = Command::new(assert_cmd::cargo::cargo_bin!("airlift"))
        .args(["completions", "bash"])
        .env_clear()
        .env("HOME", home.path())
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(child.status.code(), Some(14));
    assert!(
        String::from_utf8_lossy(&child.stderr).contains("cannot write the standard output: No space left")
    );
}

#[test]
fn a_file_size_limit_is_an_error_with_a_name_and_not_a_death_by_signal() {
    let home = tempdir().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -f 1; exec \"$0\" completions bash > script"])
        .arg(assert_cmd::cargo::cargo_bin!("airlift"))
        .env_clear()
        .current_dir(home.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(14), "{stderr}");
    assert!(stderr.contains("File too large") && stderr.contains("ulimit -f"), "{stderr}");
}

#[test]
fn colours_come_when_asked_for_and_never_into_a_pipe() {
    let home = tempdir().unwrap();
    assert!(run(home.path(), &["inspect", "x", "--color", "always"]).stderr.contains("\u{1b}[31;1merror:"));
    assert!(!run(home.path(), &["inspect", "x"]).stderr.contains('\u{1b}'));
}

#[test]
fn hostile_words_reach_the_terminal_as_visible_text() {
    let home = tempdir().unwrap();
    let hostile = "x\u{1b}]52;c;aGVsbG8=\u{7}\u{202e}";
    for (words, code) in [
        (&["inspect", hostile][..], 13),
        (&["man", hostile], 2),
        (&[hostile], 2),
        (&["completions", hostile], 2),
    ] {
        let ran = run(home.path(), words);
        assert_eq!(ran.code, code);
        assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{words:?} {:?}", ran.stderr);
    }
    let ran = run(home.path(), &["--json", "inspect", hostile]);
    assert!(!ran.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    let last = lines(&ran.stdout).pop().unwrap();
    assert!(last["message"].as_str().unwrap().contains('\u{202e}'), "the value itself is kept");
}

#[test]
fn every_command_has_a_manual_page() {
    let home = tempdir().unwrap();
    for command in ACTIONS.iter().filter_map(|action| action.subcommand) {
        let words: Vec<_> = std::iter::once("man").chain(command.split(' ')).collect();
        let ran = run(home.path(), &words);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains(".SH NAME"));
    }
    let main = run(home.path(), &["man"]).stdout;
    for words in [
        "Exit codes",
        ".SH KEYS OF THE WORKSTATION",
        "key.generate",
        ".SH ENVIRONMENT",
        "AIRLIFT_KEY_PASSPHRASE",
        ".SH FILES",
        "allowed_signers",
    ] {
        assert!(main.contains(words), "{words}");
    }
}

#[test]
fn a_wrong_log_filter_is_named() {
    let home = tempdir().unwrap();
    let output = airlift(home.path()).env("AIRLIFT_LOG", "a=b=c").args(["man"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("AIRLIFT_LOG=\"a=b=c\" is not a log filter"));
}
