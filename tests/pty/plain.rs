//! The workstation on plain lines: a terminal without a cursor gets numbered prompts and not one escape sequence.

use crate::console::{Console, PATIENCE, Setting};
use crate::journeys::Journey;
use crate::rig::TempRoot;

/// So tall that nothing scrolls away.
const TALL: (u16, u16) = (80, 400);

fn say(console: &mut Console, line: &str) {
    // Never into what is still being printed.
    console.wait_for("a prompt", |screen| screen.trim_end().ends_with("airlift>"));
    console.keys(&format!("{line} Enter"));
}

/// Whether a line is the row of that number, about `name`.
fn row(line: &str, number: &str, name: &str) -> bool {
    line.split_whitespace().next() == Some(number) && line.contains(name)
}

fn clean(console: &Console) {
    assert!(!console.bytes.contains(&0x1b), "{}", String::from_utf8_lossy(&console.bytes));
}

#[test]
fn a_terminal_without_a_cursor_is_walked_by_numbers_and_keys() {
    let root = TempRoot::new();
    let mut console = Console::start(&Setting { term: "dumb", size: TALL, ..Setting::new(root.path()) });
    console.wait("Build media").wait("Type a number or a key, then Enter; Enter alone is ").wait("airlift> ");
    let first = console.screen();
    let before = first.split("airlift> ").next().unwrap();
    assert!(before.contains("Make a signing key"), "the rows are all there at first: {before}");
    say(&mut console, "b");
    console.wait("step 1/5 Images");
    say(&mut console, "n");
    console.wait("-- Add references");
    say(&mut console, "nginx:1.25.3");
    console.wait("1 >  nginx:1.25.3");
    say(&mut console, "registry.example.com/team/app:1.0");
    console.wait_for("a second row", |screen| screen.lines().any(|line| row(line, "2", "app:1.0")));
    for (number, name) in [("2", "app:1.0"), ("1", "nginx:1.25.3")] {
        say(&mut console, number);
        console.wait_for("the cursor on that row", |screen| {
            let last = screen.lines().rfind(|line| row(line, number, name));
            last.is_some_and(|line| line.contains(&format!("{number} >")))
        });
        // It is said with what can be done there, and no other row with it.
        let other = if number == "1" { ("2", "app:1.0") } else { ("1", "nginx:1.25.3") };
        console.wait_for("that row alone, and what can be done", |screen| {
            let said = screen.rsplit("airlift>").nth(1).unwrap_or_default();
            let alone = !said.lines().any(|line| row(line, other.0, other.1));
            alone
                && said.lines().any(|line| row(line, number, name))
                && said.contains("Type a number or a key")
        });
    }
    say(&mut console, "esc");
    console.settle();
    say(&mut console, "q");
    assert_eq!(console.end().exit_code(), 0);
    clean(&console);
}

/// The prompt once more, after these words came since the line before.
fn answer(console: &mut Console, line: &str, words: &str) {
    let before = console.screen().len();
    say(console, line);
    console.wait_for(words, |screen| screen.get(before..).is_some_and(|new| new.contains(words)));
}

#[test]
fn a_list_becomes_a_signed_bundle_by_numbers_and_lines() {
    let Some(journey) = Journey::new() else { return };
    let (world, home) = (&journey.world, journey.world.root.join("home"));
    let mut console = Console::start(&Setting { term: "dumb", size: (80, 1500), ..Setting::new(&home) });
    answer(&mut console, "b", "step 1/5 Images");
    for reference in journey.references() {
        answer(&mut console, "n", "-- Add references");
        answer(&mut console, &reference, &reference[reference.len() - 9..]);
    }
    answer(&mut console, "v", "3 verified");
    answer(&mut console, "enter", "step 3/5 Media");
    answer(&mut console, "o", "-- Assemble in a directory");
    answer(&mut console, world.medium().to_str().unwrap(), "-- Assemble in this directory?");
    answer(&mut console, "yes", "ready: Enter starts");
    answer(&mut console, "e", "Carry this program");
    answer(&mut console, "4", "no");
    answer(&mut console, "esc", "ready: Enter starts");
    answer(&mut console, "enter", "-- Assemble and sign this?");
    answer(&mut console, "yes", "is complete on the medium");
    answer(&mut console, "n", "To carry on paper");
    answer(&mut console, "q", "");
    assert_eq!(console.end().exit_code(), 0);
    clean(&console);
    journey.is_well();
}

#[test]
fn any_terminal_can_be_asked_for_plain_lines_and_a_bundle_is_verified_and_imported_on_them() {
    let root = TempRoot::new();
    let kept = root.join("kept");
    root.airlift().args(["demo", "--fast", "--quiet", "--keep"]).arg(&kept).assert().success();
    let mut console =
        Console::start(&Setting { size: TALL, args: &["--plain"], alone: true, ..Setting::new(root.path()) });
    console.wait("airlift> ");
    say(&mut console, "g");
    console.wait("step 1/4 Bundle");
    say(&mut console, "o");
    console.wait("-- Open a directory");
    say(&mut console, &kept.join("medium").display().to_string());
    console.wait("1 >  demo-1");
    say(&mut console, "enter");
    console.wait("No key that is trusted here signed this bundle");
    // As it would stand on paper: here it is shown without its end.
    let said = root.airlift().args(["inspect", "--json"]).arg(kept.join("medium/demo-1")).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let fingerprint = said.split_once("SHA256:").unwrap().1;
    let end = fingerprint.split('"').next().unwrap();
    let end = &end[end.len() - 8..];
    assert!(!console.screen().contains(end), "{}", console.screen());
    say(&mut console, "K");
    console.wait("-- Trust a key: is it the one on paper?");
    say(&mut console, end);
    console.wait("-- Trust a key: its owner");
    say(&mut console, "release@example.com");
    console.wait("OK  verified");
    say(&mut console, "enter");
    console.wait("step 3/4 Import").wait("no target is chosen");
    let layout = root.join("layout");
    say(&mut console, "o");
    console.wait("-- Another target");
    say(&mut console, "2");
    console.wait("-- Import into oci:DIR");
    say(&mut console, &format!("oci:{}", layout.display()));
    console.wait("+ this can be done: Enter asks once more; choose Import there");
    say(&mut console, "enter");
    console
        .wait("-- Import this?")
        .wait("3 of 3 images into 1 target")
        .wait("Type y, yes or \"Import\" to do it");
    assert!(!layout.exists(), "nothing is written before the answer");
    say(&mut console, "yes");
    console.wait("+ OK  every image is where it was wanted, in 1 target");
    assert!(layout.join("index.json").exists());
    say(&mut console, "enter");
    console.wait("step 4/4 Report").wait("verified and imported into 1 target; no history of demo");
    say(&mut console, "q");
    assert_eq!(console.end().exit_code(), 0);
    clean(&console);
}

#[test]
fn an_empty_line_and_ctrl_d_leave_a_passphrase_alone_and_ctrl_c_is_answered() {
    let root = TempRoot::new();
    let mut console =
        Console::start(&Setting { size: TALL, args: &["--plain"], ..Setting::new(root.path()) });
    console.wait("Make a signing key");
    let asked = |screen: &str, times| screen.matches("An empty line or Ctrl-D cancels").count() == times;
    for (times, leave) in [(1, "Enter"), (2, "Ctrl-D")] {
        say(&mut console, "K");
        console.wait_for("a passphrase is asked for", |screen| {
            asked(screen, times) && screen.trim_end().ends_with("airlift>")
        });
        console.keys(leave);
        console.wait_for("the start again", |screen| {
            let after = screen.rsplit("An empty line or Ctrl-D cancels").next();
            after.is_some_and(|after| {
                after.contains("Type a number or a key") && after.contains("no key was created")
            })
        });
    }
    // The word is a passphrase like any other, and how it is left is said each time.
    say(&mut console, "K");
    console.wait_for("a passphrase is asked for", |screen| {
        asked(screen, 3) && screen.trim_end().ends_with("airlift>")
    });
    say(&mut console, "esc");
    console.wait("fewer than 8 characters; type a longer one");
    say(&mut console, "esc escape");
    console.wait("Repeat it:").wait_for("how it is left", |screen| {
        let after = screen.rsplit("Repeat it:").next();
        after.is_some_and(|after| after.contains("An empty line or Ctrl-D cancels, esc does not."))
    });
    say(&mut console, "");
    console.wait_for("the start again", |screen| screen.matches("no key was created").count() == 3);
    console.keys("Ctrl-C").wait("! press Ctrl-C again or q to quit");
    console.keys("Ctrl-C");
    assert_eq!(console.end().exit_code(), 0);
    assert_eq!(console.screen().matches("press Ctrl-C again").count(), 1, "{}", console.screen());
    clean(&console);
}

/// What was printed for lines that are all there at once: what stands before each prompt, the first one's before the first line.
fn piped(root: &TempRoot, lines: &str, code: i32) -> Vec<String> {
    let ran = root.airlift().arg("--plain").write_stdin(lines).timeout(PATIENCE).assert().code(code);
    let out = String::from_utf8(ran.get_output().stdout.clone()).unwrap();
    assert!(!out.contains('\u{1b}'), "{out}");
    out.split("airlift> ").map(str::to_owned).collect()
}

#[test]
fn lines_that_are_all_there_at_once_each_answer_a_prompt_that_was_printed() {
    let root = TempRoot::new();
    let said = piped(&root, "b\nn\nregistry.example.com/team/app:1.0\nesc\n", 0);
    let expected =
        ["Build media", "step 1/5 Images", "-- Add references", "1 added", "Build media", "the input ended"];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, words) in said.iter().zip(expected) {
        assert!(said.contains(words), "{words}: {said}");
    }
    for (said, line) in said[1..].iter().zip(["b\n", "n\n", "registry.example.com/team/app:1.0\n", "esc\n"]) {
        assert!(said.starts_with(line), "{line:?} does not stand where it was taken: {said}");
    }
}

#[test]
fn lines_that_end_at_a_question_leave_it_unanswered_and_say_so() {
    let root = TempRoot::new();
    let said = piped(&root, "b\nn\n", 130);
    assert!(said.last().unwrap().contains("the input ended before this was answered"), "{said:#?}");
    assert!(piped(&root, "q\n", 0).last().unwrap().starts_with("q\n"));
}

#[test]
fn a_question_is_answered_by_y_yes_or_the_words_of_its_button_alone() {
    let root = TempRoot::new();
    let there = root.join("out");
    std::fs::create_dir(&there).unwrap();
    for answers in [["1", "0", "n", "", "yes"].as_slice(), &["take it"], &["y"]] {
        let asked = answers.iter().map(|answer| format!("o\n{}\n{answer}\n", there.display()));
        let said = piped(&root, &format!("b\nstep 3\n{}", asked.collect::<String>()), 0);
        for (at, answer) in answers.iter().enumerate() {
            let (asked, done) = (&said[4 + 3 * at], &said[5 + 3 * at]);
            let words = "Type y, yes or \"Take it\" to do it; anything else cancels.";
            assert!(asked.contains(words), "{answer}: {asked}");
            let cancelled = done.contains("cancelled; nothing was done");
            assert_eq!(cancelled, !["y", "yes", "take it"].contains(answer), "{answer}: {done}");
        }
    }
}

#[test]
fn a_directory_in_one_that_is_not_there_is_refused_each_time_and_made_in_one_that_is() {
    let root = TempRoot::new();
    let deep = root.join("a/b");
    let line = deep.display();
    let said = piped(&root, &format!("b\nstep 3\no\n{line}\no\n{line}\n"), 0);
    let together = |text: &str| text.split_whitespace().collect::<String>();
    let words = together(&format!("{} is not there: make it first", root.join("a").display()));
    assert_eq!([4, 6].map(|at| together(&said[at]).contains(&words)), [true; 2], "{said:#?}");
    assert!(!root.join("a").exists());
    std::fs::create_dir(root.join("a")).unwrap();
    let said = piped(&root, &format!("b\nstep 3\no\n{line}\nyes\n"), 0);
    let words = together(&format!("{line} is not there: it will be created"));
    assert!(together(&said[4]).contains(&words) && deep.is_dir(), "{said:#?}");
}

#[test]
fn lines_that_are_all_there_wait_for_the_job_that_one_of_them_starts() {
    let root = TempRoot::new();
    let kept = root.join("kept");
    root.airlift().args(["demo", "--fast", "--quiet", "--keep"]).arg(&kept).assert().success();
    let said = piped(&root, &format!("g\no\n{}\nenter\nv\n", kept.join("medium").display()), 11);
    let last = &said[said.len() - 2..];
    assert!(last[0].starts_with("v\n") && last[0].contains("x REFUSED (trust)"), "{said:#?}");
}

#[test]
fn a_word_that_is_no_key_is_never_taken_for_an_image() {
    let root = TempRoot::new();
    let mut console =
        Console::start(&Setting { size: TALL, args: &["--plain"], ..Setting::new(root.path()) });
    console.wait("airlift> ");
    answer(&mut console, "yes", "\"yes\" is no key here; ? lists what can be done");
    answer(&mut console, "help", "-- Help: what can be done here");
    answer(&mut console, "nosuchword", "no row has \"nosuchword\"; all are shown again");
    answer(&mut console, "q", "Build media");
    answer(&mut console, "b", "step 1/5 Images");
    answer(&mut console, "help", "-- Help: what can be done here");
    answer(&mut console, "q", "step 1/5 Images");
    answer(&mut console, "yes", "\"yes\" is no key here");
    assert!(!console.screen().contains("docker.io/library"), "{}", console.screen());
    say(&mut console, "quit");
    assert_eq!(console.end().exit_code(), 0);
    clean(&console);
}

#[test]
fn the_cursor_is_on_the_way_in_that_is_suggested() {
    let root = TempRoot::new();
    let mut console =
        Console::start(&Setting { size: TALL, args: &["--plain"], ..Setting::new(root.path()) });
    console.wait("suggested: ");
    console.wait_for("the cursor there", |screen| {
        let last = screen.lines().rfind(|line| line.contains("suggested: "));
        last.is_some_and(|line| line.split_whitespace().nth(1) == Some(">"))
    });
    say(&mut console, "q");
    assert_eq!(console.end().exit_code(), 0);
}
