//! What holds of every command: its help, what it says of what is wrong with its words, its JSON, and outputs that take nothing.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use airlift::actions::ACTIONS;
use serde_json::Value;
use tempfile::tempdir;

use crate::support::run;

/// The words of every command, and of the groups of them.
fn commands() -> Vec<Vec<&'static str>> {
    let words = ACTIONS.iter().filter_map(|action| action.subcommand);
    let mut all: Vec<Vec<&str>> =
        words.map(|words| words.split(' ').filter(|word| !word.starts_with('-')).collect()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn into(home: &Path, words: &[&str], stdout: Stdio) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("airlift"))
        .args(words)
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

#[test]
fn each_tells_of_itself_and_of_a_word_it_does_not_know() {
    let home = tempdir().unwrap();
    let all = commands();
    assert!(all.len() > 15, "{all:?}");
    for command in all {
        let name = command.join(" ");
        let with = |more: &[&'static str]| run(home.path(), &[&command[..], more].concat());
        let help = with(&["--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{name}");
        assert!(help.stdout.contains(&format!("Usage: airlift {name}")), "{}", help.stdout);
        let wrong = with(&["--no-such-flag"]);
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{name}");
        let said = "airlift: error: unexpected argument '--no-such-flag' found";
        assert!(wrong.stderr.starts_with(said), "{}", wrong.stderr);
        assert!(wrong.stderr.contains(&format!("Usage: airlift {name}")), "{}", wrong.stderr);
        let json = with(&["--no-such-flag", "--json"]);
        let lines: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((json.code, json.stderr.as_str(), lines.len()), (2, "", 2), "{name}");
        assert_eq!((&lines[0]["airlift"], &lines[1]["exit"]), (&1.into(), &2.into()), "{name}");
    }
}

#[test]
fn none_fails_or_panics_where_nobody_reads_its_help_and_each_says_that_its_disk_is_full() {
    let home = tempdir().unwrap();
    for command in commands() {
        let words = [&command[..], &["--help"]].concat();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let unread = into(home.path(), &words, writer.into());
        assert_eq!((unread.status.code(), unread.stderr.len()), (Some(0), 0), "{words:?}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let full = into(home.path(), &words, full.into());
        let said = String::from_utf8(full.stderr).unwrap();
        assert_eq!(full.status.code(), Some(14), "{words:?}");
        assert!(said.contains("cannot write the standard output: No space left"), "{words:?}: {said}");
    }
}

#[test]
fn a_result_that_stdout_did_not_take_is_said_on_stderr() {
    let home = tempdir().unwrap();
    for (words, code, said) in [
        (
            &["key", "list", "--json"][..],
            14,
            "airlift: error: cannot write the standard output: No space left",
        ),
        (&["inspect", "none", "--json"], 13, "airlift: error: there is no none"),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = into(home.path(), words, full.into());
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.starts_with(said), "{words:?}: {stderr}");
    }
}

#[test]
fn a_group_of_commands_alone_and_json_without_one_are_usage_errors() {
    let home = tempdir().unwrap();
    for (group, one) in [("key", "generate"), ("media", "eject")] {
        let ran = run(home.path(), &[group]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{group}");
        let said =
            format!("airlift: error: 'airlift {group}' requires a subcommand but one was not provided");
        assert!(ran.stderr.starts_with(&said) && ran.stderr.contains(one), "{}", ran.stderr);
    }
    let ran = run(home.path(), &["--json"]);
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((ran.code, ran.stderr.as_str(), &last["exit"]), (2, "", &2.into()));
    assert_eq!(last["message"], "the workstation writes no JSON: --json goes with a command");
}
