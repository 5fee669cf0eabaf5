//! Passphrases asked for on a real terminal: whoever presses Ctrl-C there has interrupted, and given no wrong answer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::rig::{TempRoot, need};

/// Runs it on a terminal of its own and presses Ctrl-C once it asks; gives the exit code and what was on the screen.
fn interrupted_when_it_asks(root: &TempRoot, words: &[&str]) -> Option<(Option<i32>, String)> {
    let setsid = need("setsid")?;
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal =
        || Stdio::from(fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap());
    // The program in its own session, with this terminal as the one that controls it.
    let program = root.command();
    let mut command = std::process::Command::new(setsid);
    command.args(["--ctty", "--wait"]).arg(program.get_program()).args(words).current_dir(root.path());
    command.env_clear().env("HOME", root.join("home"));
    command.stdin(terminal()).stdout(terminal()).stderr(terminal());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut master = fs::File::from(master);
    let (mut screen, mut buffer, mut pressed) = (String::new(), [0; 1024], false);
    // The terminal ends (EIO) with the last who has it open.
    while let Ok(got @ 1..) = master.read(&mut buffer) {
        screen.push_str(&String::from_utf8_lossy(&buffer[..got]));
        if !pressed && screen.contains("assphrase for ") && screen.ends_with(": ") {
            master.write_all(b"\x03").unwrap();
            pressed = true;
        }
    }
    Some((child.wait().unwrap().code(), screen))
}

#[test]
fn ctrl_c_where_a_passphrase_is_asked_for_is_an_interruption_and_no_wrong_passphrase() {
    let root = TempRoot::new();
    let asked = interrupted_when_it_asks(&root, &["key", "generate", "--key", "new"]);
    let Some((code, screen)) = asked else { return };
    assert_eq!(code, Some(130), "{screen}");
    assert!(!root.join("new").exists());
    let mut generate = root.airlift();
    generate.args(["key", "generate", "--key", "key"]).env("AIRLIFT_KEY_PASSPHRASE", "open sesame");
    generate.assert().success();
    fs::create_dir(root.join("medium")).unwrap();
    let words = ["pack", "127.0.0.1:9/a:1", "--to", "medium", "--key", "key"];
    let (code, screen) = interrupted_when_it_asks(&root, &words).unwrap();
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.contains("stopped on request"), "{screen}");
    assert_eq!(fs::read_dir(root.join("medium")).unwrap().count(), 0);
}
