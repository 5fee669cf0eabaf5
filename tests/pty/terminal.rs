//! What the workstation does to a terminal, and that it gives it back.

use std::time::Duration;

use rustix::process::Signal;

use crate::console::{Console, Setting};
use crate::rig::{TempRoot, need, need_root};

/// What was switched on, and is off again.
pub(crate) fn given_back(console: &Console) {
    let terminal = console.terminal();
    assert!(!terminal.alternate_screen(), "still on the other screen");
    assert!(!terminal.bracketed_paste(), "pasted text is still bracketed");
    assert!(!terminal.hide_cursor(), "the cursor is still hidden");
    let bytes = String::from_utf8_lossy(&console.bytes);
    let (_, after) = bytes.rsplit_once("\x1b[?25h\x1b[?1049l").expect("it was not given back");
    // What is said of a job that was left are lines, as of a command.
    assert!(!after.contains('\x1b'), "something was drawn after it was given back: {after:?}");
}

#[test]
fn it_starts_and_q_gives_the_terminal_back() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media");
    assert!(console.terminal().alternate_screen() && console.terminal().bracketed_paste());
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
    given_back(&console);
}

#[test]
fn signals_give_the_terminal_back_and_end_as_interrupted() {
    for signal in [Signal::TERM, Signal::HUP] {
        let root = TempRoot::new();
        let mut console = Console::start(&Setting::new(root.path()));
        console.wait("Build media");
        console.signal(signal);
        assert_eq!(console.end().exit_code(), 130, "{signal:?}");
        given_back(&console);
    }
}

/// A shell that has the program as a job, as an operator's has it; one that sets the terminal as it wants it.
fn in_a_shell(root: &TempRoot) -> Option<Console> {
    let shell = need("bash")?;
    let mut console = Console::start(&Setting {
        program: Some(shell.as_ref()),
        args: &["--norc", "-i"],
        env: &[("PS1", "shell$ "), ("WORKSTATION", env!("CARGO_BIN_EXE_airlift"))],
        ..Setting::new(root.path())
    });
    console.wait("shell$").send(b"\"$WORKSTATION\"\r").wait("Build media");
    Some(console)
}

/// It is ours again: keys do what they do on a screen, and none is echoed.
fn is_back(console: &mut Console) {
    console.send(b"fg\r").wait("Build media").wait("? help");
    assert!(console.terminal().alternate_screen() && console.terminal().bracketed_paste());
    console.keys("b").wait("step 1/5 Images").keys("q");
    console.wait_for("the shell", |screen| screen.trim_end().ends_with("shell$"));
    assert!(!console.terminal().alternate_screen() && !console.terminal().hide_cursor());
    console.send(b"exit\r");
    console.end();
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_screen_back() {
    let root = TempRoot::new();
    let Some(mut console) = in_a_shell(&root) else { return };
    console.keys("Ctrl-z").wait("Stopped");
    assert!(!console.terminal().alternate_screen() && !console.terminal().hide_cursor());
    is_back(&mut console);
}

#[test]
fn a_stop_from_outside_takes_no_screen_away_for_good() {
    let root = TempRoot::new();
    let Some(mut console) = in_a_shell(&root) else { return };
    let children = std::process::Command::new("pgrep").arg("-P").arg(console.pid().to_string()).output();
    let pid = String::from_utf8(children.unwrap().stdout).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
    console.wait("Stopped");
    is_back(&mut console);
}

#[test]
fn a_line_that_reports_no_size_is_drawn_on_as_80_by_24() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting { size: (0, 0), ..Setting::new(root.path()) });
    console.wait("Build media").wait("? help");
}

#[test]
fn too_little_room_is_said_and_room_again_brings_the_screen_back() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media");
    console.resize(40, 10);
    console.wait("too small: need 60x16, now 40x10");
    console.resize(100, 30);
    console.wait("Build media").wait("? help");
}

#[test]
fn half_a_character_keeps_no_change_of_the_size_from_being_seen_and_its_other_half_is_taken() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media").keys("b").wait("step 1/5 Images").keys("n").wait("Add references");
    let (first, second) = "ü".as_bytes().split_at(1);
    console.send(first);
    console.resize(40, 10);
    console.wait("too small: need 60x16, now 40x10");
    console.resize(100, 30);
    console.wait("Add references").send(second).wait("ü");
}

#[test]
fn old_terminals_get_ascii_and_no_colours_and_the_console_the_eight() {
    for (term, ascii, colours) in
        [("vt100", true, false), ("linux", false, true), ("xterm-256color", false, true)]
    {
        let root = TempRoot::new();
        let mut console = Console::start(&Setting { term, ..Setting::new(root.path()) });
        console.wait("Build media").keys("q");
        console.end();
        assert_eq!(console.bytes.is_ascii(), ascii, "{term}");
        let text = String::from_utf8_lossy(&console.bytes);
        assert!(!text.contains("38;5") && !text.contains("48;5"), "{term}");
        assert_eq!(text.contains(";36m"), colours, "{term}");
    }
}

#[test]
fn no_color_takes_the_colours_and_leaves_bold_and_reverse() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting { env: &[("NO_COLOR", "1")], ..Setting::new(root.path()) });
    console.wait("Build media").keys("q");
    console.end();
    let text = String::from_utf8_lossy(&console.bytes);
    assert!(text.contains("\x1b[0;7m") && text.contains("\x1b[0;1m"), "{text:?}");
    assert!((30..38).chain(90..98).all(|code| !text.contains(&format!(";{code}m"))), "{text:?}");
}

#[test]
fn hostile_names_reach_the_terminal_as_letters_at_most() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media").keys("b").wait("No images yet");
    console.paste("evil\u{1b}]52;c;aGk=\u{7}name:1\nregistry.example.com/\u{202e}x:1\nnginx:1.25.3\n");
    console.wait("These lines are not references").keys("Esc Esc").wait("nginx:1.25.3").keys("q");
    console.end();
    let text = String::from_utf8_lossy(&console.bytes);
    assert!(!text.contains("\x1b]52") && !text.contains('\u{202e}') && !text.contains('\u{7}'));
}

#[test]
fn of_lines_that_end_as_terminals_send_them_only_the_refused_one_is_asked_for_again() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media").keys("b").wait("No images yet");
    console.paste("quay.io/a/b:1.0\rUPPER:x\rquay.io/a/c:1.0\r");
    console.wait("2 added, 1 line refused").wait("line 2: a repository name must be lower case");
    assert!(console.screen().contains("UPPER:x"));
    console.keys("Esc").wait("quay.io/a/b:1.0").wait("quay.io/a/c:1.0").keys("q");
    assert_eq!(console.end().exit_code(), 0);
}

#[test]
fn text_that_is_pasted_without_marks_is_pasted_and_starts_nothing() {
    for term in ["linux", "vt100", "xterm-256color"] {
        let root = TempRoot::new();
        let mut console = Console::start(&Setting { term, ..Setting::new(root.path()) });
        console.wait("Build media");
        console.unmarked("%%% quit\n%%% K b g\n").wait("pasted text that names no image");
        console.keys("b").wait("No images yet");
        console.unmarked("quay.io/prometheus/prometheus:v2.55.0\nregistry.example.com/team/app:1.0\n");
        console.wait("2 added").wait("quay.io/prometheus").wait("team/app:1.0");
        console.keys("n").wait("Add references");
        console.unmarked("ghcr.io/q/q:1.0\nghcr.io/q/r:2.0\n").wait("line 2 of 2");
        console.keys("Enter").wait("ghcr.io/q/q:1.0").wait("ghcr.io/q/r:2.0");
        // More than is read at once.
        let many: String = (0..90).map(|n| format!("quay.io/prometheus/node-exporter:v1.{n}.0\n")).collect();
        console.unmarked(&many).wait("90 added");
        console.keys("q");
        assert_eq!(console.end().exit_code(), 0, "{term}");
    }
}

/// The row of the screen with the cursor of a list.
fn cursor_row(screen: &str) -> Option<usize> {
    screen.lines().position(|line| line.starts_with('>'))
}

#[test]
fn an_operation_is_found_by_its_name_and_done() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media").keys(":").wait("Commands").keys("colours").wait("Choose the colours");
    console
        .keys("Enter")
        .wait("high-contrast")
        .wait_for("the palette is closed", |screen| !screen.contains("Commands"));
    console.keys("mono Enter").wait("theme mono");
}

#[test]
fn the_mouse_is_taken_on_request_and_given_back() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media").wait("net ");
    let none = vt100::MouseProtocolMode::None;
    assert_eq!(console.terminal().mouse_protocol_mode(), none, "it is the terminal's until it is asked for");
    console.keys("M").wait("mouse on: it scrolls and selects");
    assert_ne!(console.terminal().mouse_protocol_mode(), none);
    let first = cursor_row(&console.screen()).unwrap();
    console.wheel_down();
    console.wait_for("the cursor below", |screen| cursor_row(screen) == Some(first + 1));
    console.click(10, first);
    console.wait_for("the cursor where one clicked", |screen| cursor_row(screen) == Some(first));
    console.keys("q");
    assert_eq!(console.end().exit_code(), 0);
    assert_eq!(console.terminal().mouse_protocol_mode(), none);
    given_back(&console);
}

#[test]
fn idle_it_draws_nothing_and_wakes_up_for_nothing() {
    let root = TempRoot::new();
    let Some(mut console) = on_a_quiet_host(&root) else { return };
    assert_quiet(&mut console, "Start");
    console.keys("b").wait("No images yet").paste("registry.example.com/team/app:1.0\n").wait("1 added");
    console.wait_for("what was said is over", |screen| !screen.contains("1 added"));
    assert_quiet(&mut console, "Images");
    for (key, step, place) in [("3", "step 3/5", "Media"), ("4", "step 4/5", "Assemble")] {
        console.keys(key).wait(step);
        assert_quiet(&mut console, place);
    }
    console.keys("?").wait("Esc");
    assert_quiet(&mut console, "help over Assemble");
}

#[test]
fn idle_behind_the_air_gap_it_draws_nothing_and_wakes_up_for_nothing() {
    let root = TempRoot::new();
    let Some(mut console) = on_a_quiet_host(&root) else { return };
    console.keys("g").wait("step 1/4 Bundle");
    assert_quiet(&mut console, "Bundle");
    for (key, step) in [("2", "step 2/4"), ("3", "step 3/4"), ("4", "step 4/4")] {
        console.keys(key).wait(step);
        assert_quiet(&mut console, step);
    }
}

/// In name spaces that nobody else mounts, attaches devices or changes a network in: what others do here is no wake-up.
fn on_a_quiet_host(root: &TempRoot) -> Option<Console> {
    let unshare = need("unshare")?;
    let args = ["-rnm", env!("CARGO_BIN_EXE_airlift")];
    let mut console = Console::start(&Setting {
        program: Some(unshare.as_os_str()),
        args: &args,
        ..Setting::new(root.path())
    });
    console.wait("net ");
    Some(console)
}

/// Longer than ten seconds, as often as many a program looks whether something is new.
const SPAN: Duration = Duration::from_secs(11);

/// The host may have something to say, as when a device is attached by someone else: one of a few spans is quiet.
#[track_caller]
fn assert_quiet(console: &mut Console, place: &str) {
    let mut spans = Vec::new();
    let quiet = (0..3).any(|_| {
        spans.push(quiet_span(console));
        spans.last() == Some(&(0, 0))
    });
    assert!(quiet, "{place}: bytes drawn, wake-ups: {spans:?}");
}

/// Bytes drawn and wake-ups in a span in which no key is pressed.
fn quiet_span(console: &mut Console) -> (usize, u64) {
    console.settle();
    let (drawn, woken) = (console.bytes.len(), console.wake_ups());
    // The one place where time itself is the condition: nothing may happen in it.
    std::thread::sleep(SPAN);
    console.settle();
    (console.bytes.len() - drawn, console.woken_since(&woken))
}

#[test]
fn a_key_that_a_command_makes_is_seen_without_a_restart() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Make a signing key").wait("net ");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_airlift"));
    command.env_clear().env("HOME", root.path()).args(["key", "generate", "--no-passphrase"]);
    assert!(command.output().unwrap().status.success());
    console.wait_for("the key is told", |screen| !screen.contains("Make a signing key"));
}

#[test]
fn a_network_that_comes_and_goes_is_seen_without_a_key() {
    let (Some(unshare), Some(nsenter), Some(ip), true) =
        (need("unshare"), need("nsenter"), need("ip"), need_root())
    else {
        return;
    };
    let root = TempRoot::new();
    // A network of its own, and the kernel's view of it.
    let own = "mount -t sysfs sysfs /sys && exec \"$0\"";
    let args = ["-n", "-m", "sh", "-c", own, env!("CARGO_BIN_EXE_airlift")];
    let mut console = Console::start(&Setting {
        program: Some(unshare.as_os_str()),
        args: &args,
        ..Setting::new(root.path())
    });
    console.wait("net down");
    let pid = console.pid().to_string();
    let inside = |words: &str| {
        let mut command = std::process::Command::new(&nsenter);
        command.args(["-n", "-t", &pid, "--"]).arg(&ip).args(words.split(' '));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    inside("link add cable type veth peer name other");
    inside("link set other up");
    inside("link set cable up");
    inside("addr add 192.0.2.2/24 dev cable");
    inside("route add default via 192.0.2.1");
    console.wait("net up (cable)");
    inside("link del cable");
    console.wait("net down");
}

#[test]
fn what_was_added_last_is_there_after_leaving_at_once() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media").keys("b").wait("No images yet");
    console.paste("registry.example.com/team/app:1.0\n").wait("team/app:1.0").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    let mut console = Console::start(&Setting::new(root.path()));
    console.wait("Build media").keys("b").wait("team/app:1.0");
}
