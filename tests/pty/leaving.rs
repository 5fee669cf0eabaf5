//! Ways out while a job runs: by Ctrl-C, by a line that is cut, by a panic; what is done stays, and the terminal comes back.

use rustix::process::Signal;

use crate::console::{Console, Setting};
use crate::journeys::Journey;
use crate::machine::Mount;
use crate::rig::TempRoot;
use crate::steps;
use crate::terminal::given_back;

/// Set for the process that is to panic.
const PANIC: &str = "AIRLIFT_TEST_PANIC";

#[test]
fn the_second_ctrl_c_stops_a_pack_safely_and_leaves() {
    let Some(journey) = Journey::new() else { return };
    let mut console = journey.fetching();
    console.keys("Ctrl-c").wait("Ctrl-C again within 6 s stops the job").keys("Ctrl-c");
    assert_eq!(console.end().exit_code(), 130);
    given_back(&console);
    let said = console.screen();
    for words in ["stopped at a safe point: pack bundle into", "this goes on from here: airlift pack --lock"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    journey.goes_on();
}

#[test]
fn a_line_that_is_cut_stops_a_pack_safely() {
    for signal in [Signal::HUP, Signal::TERM] {
        let Some(journey) = Journey::new() else { return };
        let mut console = journey.fetching();
        console.signal(signal);
        assert_eq!(console.end().exit_code(), 130, "{signal:?}");
        given_back(&console);
        journey.goes_on();
    }
}

#[test]
fn the_third_ctrl_c_leaves_a_job_that_does_not_stop() {
    let Some(journey) = Journey::new() else { return };
    // Credentials that never come, as from a file server that is gone: whoever reads them cannot be stopped.
    let docker = journey.world.root.join("home/.docker");
    std::fs::create_dir(&docker).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, docker.join("config.json"), rustix::fs::FileType::Fifo, mode, 0)
        .unwrap();
    let mut console = journey.start();
    steps::pick(&mut console, &journey.references()[..1]);
    console.keys("2").wait("step 2/5 Verify").keys("v").wait("2 Verify running");
    console.keys("Ctrl-c").wait("Ctrl-C again within 6 s stops the job").keys("Ctrl-c");
    console.wait("Ctrl-C once more quits at once").keys("Ctrl-c");
    assert_eq!(console.end().exit_code(), 130);
    given_back(&console);
}

#[test]
fn a_pack_goes_on_on_its_own_medium_only() {
    let Some(journey) = Journey::new() else { return };
    let medium = journey.world.medium();
    // Dropped at last, it unmounts what is mounted there then.
    let Some(_mount) = Mount::image(&medium, "ext4", 64) else { return };
    let run = |words: &[&str]| {
        let ran = std::process::Command::new(words[0]).args(&words[1..]).arg(&medium).status();
        assert!(ran.unwrap().success(), "{words:?}");
    };
    let mut console = journey.fetching();
    console.signal(Signal::KILL);
    console.end();
    run(&["umount"]);
    let mut console = journey.start();
    console.wait("Resume bundle").wait("its medium is missing").keys("R");
    console.wait("bundle was cut off on").wait("Esc close").keys("Esc").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    let (to, references) = (medium.display().to_string(), journey.references());
    let packed = journey.world.run(["pack", "--to", &to, "--no-tool", &references[0]]);
    assert!(packed.said().contains("--anew"), "{}", packed.said());
    packed.code(13);
    assert_eq!(std::fs::read_dir(&medium).unwrap().count(), 0, "nothing is written beside the medium");
    run(&["mount", "-t", "ext4", "-o", "loop", medium.with_extension("image").to_str().unwrap()]);
    journey.goes_on();
}

#[test]
fn a_list_that_a_full_disk_does_not_take_is_not_left_unasked_and_never_with_success() {
    let root = TempRoot::new();
    let work = root.join(".local/share/airlift/work");
    let Some(_full) = Mount::tmpfs(&work, "size=4k") else { return };
    std::fs::write(work.join("full"), [0; 4096]).unwrap();
    let picked = || {
        let mut console = Console::start(&Setting::new(root.path()));
        steps::pick(&mut console, &["registry.example.com/team/app:1.0".to_owned()]);
        console.wait("images.txt was not written").keys("Esc");
        console.keys("q").wait("Quit without the list?").wait("space left on device");
        console
    };
    let mut console = picked();
    console.keys("Enter").wait("cancelled; nothing was done");
    console.keys("q").wait("Quit without the list?").keys("Right Right Enter");
    assert_eq!(console.end().exit_code(), 14);
    given_back(&console);
    assert!(console.screen().contains("the list was not saved"), "{}", console.screen());
    let mut console = picked();
    // Whoever gives that up stays.
    console.keys("Right Enter").wait("Save the list as").keys("Esc").keys("s").wait("Save the list as");
    console.keys("Enter").wait("written: ").keys("q");
    assert_eq!(console.end().exit_code(), 0);
    std::fs::remove_file(root.join("images.txt")).unwrap();
    let mut console = picked();
    console.keys("Right Enter").wait("Save the list as").keys("Enter");
    assert_eq!(console.end().exit_code(), 0);
    let file = root.join("images.txt").display().to_string();
    let (screen, again) = (console.screen(), format!("so does: airlift resolve -f {file}"));
    assert!(screen.contains(&format!("the list is in {file}: ")) && screen.contains(&again), "{screen}");
    assert!(!screen.contains("the list was not saved"), "{screen}");
    let saved = std::fs::read_to_string(root.join("images.txt")).unwrap();
    assert_eq!(saved, "registry.example.com/team/app:1.0\n");
    let lines = "b\nn\nregistry.example.com/team/app:1.0\nq\n";
    for (answer, code) in [("quit without it\n", 14), ("no\n", 14), ("", 130)] {
        let mut plain = root.airlift();
        plain.arg("--plain").env("AIRLIFT_DATA_DIR", root.join(".local/share/airlift"));
        let ran = plain.write_stdin(format!("{lines}{answer}")).assert().code(code);
        let out = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
        assert!(out.contains("-- Quit without the list?"), "{answer}: {out}");
    }
}

/// Not a test: what the test below starts in a terminal of its own.
#[test]
fn panic_with_the_terminal_taken() {
    if std::env::var_os(PANIC).is_none() {
        return;
    }
    // The workstation has the main thread to itself; tests run beside it.
    let main = std::thread::Builder::new().name("main".to_owned());
    let ended = main.spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let _taken = airlift::tui::terminal::Taken::take(&airlift::tui::detect::Env::read()).unwrap();
        panic!("on purpose");
    });
    ended.unwrap().join().unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let root = TempRoot::new();
    let program = std::env::current_exe().unwrap();
    let mut console = Console::start(&Setting {
        program: Some(program.as_os_str()),
        args: &["--exact", "leaving::panic_with_the_terminal_taken", "--nocapture"],
        env: &[(PANIC, "1")],
        ..Setting::new(root.path())
    });
    assert_eq!(console.end().exit_code(), 101);
    let text = String::from_utf8_lossy(&console.bytes).into_owned();
    let (taken, told) = (text.find("\u{1b}[?1049h").unwrap(), text.find("on purpose").unwrap());
    let given = text.find("\u{1b}[?1049l").expect("it was not given back");
    assert!(taken < given && given < told, "{text:?}");
    assert!(!console.terminal().alternate_screen() && !console.terminal().hide_cursor());
    // Raw, a new line would not go back to the first column.
    assert!(text[told..].contains("\r\n"), "{text:?}");
}
