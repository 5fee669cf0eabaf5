//! Dialogs that no other picture holds, and that there is a picture of each one that the sources name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use airlift::engine::error::Kind;
use airlift::failure::Failure;
use airlift::tui::msg::{Effect, Ended, Found, Msg};

use crate::made::ready;
use crate::rig::Desk;
use crate::{assemble, bundle, check, gone_on, import, media, onto, pictures, report, resolve, start};

/// A dialog: a name, and how to get there.
pub(crate) type Opened = (&'static str, fn() -> Desk);

pub(crate) const OPENED: &[Opened] = &[
    ("commands", || on(Desk::new(), ":")),
    ("commands_found", || on(Desk::new(), ": sign")),
    ("stop", || on(assemble::under_way(), "x")),
    ("leave", || on(assemble::under_way(), "q")),
    ("leave_unsaved", crate::images::unsaved),
    ("go_on_with", || on(onto::begun_there(true), "Enter")),
    ("replace", || on(onto::begun_there(false), "Enter")),
    ("log_help", || on(Desk::new(), "l ?")),
    ("command", || on(resolve::all_well(), "y")),
    ("write_over", write_over),
    ("add", || on(Desk::new(), "b n")),
    ("load", || on(Desk::new(), "b f")),
    ("manifests", || on(Desk::new(), "b m")),
    ("not_read", || on(crate::images::unparsed(), "Enter")),
    ("looking", || on(Desk::new(), "b k Enter")),
    ("other_platforms", || on(Desk::new(), "b t End Space Enter")),
    ("asking_for_tags", asking_for_tags),
    ("nothing_there", nothing_there),
    ("name", || on(assemble::planned(), "e Enter")),
    ("expires", || on(assemble::planned(), "e Down Enter")),
    ("key_file", key_file),
    ("compare_with", || on(report::well(), "d")),
    ("save_report_in", || on(report::well(), "s")),
    ("directory", || on(media::three(), "o")),
    ("directory_refused", media::refused),
    ("unmount", || on(media::three(), "m")),
    ("open_directory", || on(Desk::new(), "g o")),
    ("owner", owner),
    ("trusted_keys", check::trusted_keys),
    ("says_of_itself", bundle::inspected),
    ("not_chosen", onto::another),
    ("go_over_again", onto::over_a_signed_one),
    ("not_packed", not_packed),
    ("how_it_ended", || on(gone_on::failed(), "o")),
    ("another_bundle", || on(import::imported(), "v n")),
    ("namespace", || on(import::into_containerd(), "n")),
    ("taken_back", import::taken_back),
    ("import_again", || on(import::broken_off(), "Enter")),
    ("nothing_to_import", || on(import::hopeless(), "Enter")),
    ("undo_which", || on(import::several_noted(), "u")),
    ("job_over", import::ended_while_asked),
    ("passphrase_over", assemble::ended_while_typed),
    ("forget_import", || on(start::half_in_a_registry(), "D")),
    ("forget", || on(start::interrupted(), "D")),
];

fn on(mut desk: Desk, keys: &str) -> Desk {
    desk.keys(keys);
    desk
}

fn write_over() -> Desk {
    let mut desk = Desk::new();
    let files = vec![(PathBuf::from("/home/op/images.txt"), "redis:7.0.1\n".to_owned())];
    desk.tell(Msg::Found(Found::Exists(files)));
    desk
}

fn key_file() -> Desk {
    let mut desk = on(assemble::planned(), "k");
    desk.tell(Msg::Found(Found::AgentKeys(Ok(Vec::new()))));
    on(desk, "Down Enter")
}

/// The fingerprint was typed as it is on paper.
fn owner() -> Desk {
    let mut desk = on(check::unknown(), "K");
    desk.typed("v8aLuE4c").keys("Enter");
    desk
}

/// A registry that takes its time.
fn asking_for_tags() -> Desk {
    let mut desk = on(pictures::images(), "/ redis Enter Enter Enter Enter");
    desk.wait(0).wait(7);
    desk
}

/// A registry that would list nothing.
fn nothing_there() -> Desk {
    let mut desk = on(Desk::new(), "b b");
    desk.typed("registry.example.com").keys("Enter");
    desk.tell(Msg::Found(Found::Repositories("registry.example.com".into(), Ok(Vec::new()))));
    desk
}

fn not_packed() -> Desk {
    let mut desk = ready();
    let failure = Failure::new(
        Kind::Space,
        "64.3 GB are needed (61.2 GB of images, 3.1 GB of margin), 16.0 GB are free",
    )
    .hint("choose a larger medium, or take images off the list");
    desk.tell(Msg::Ended(desk.job(), Ended::Failed(failure)));
    on(desk, "Enter")
}

#[test]
fn every_dialog_is_drawn_at_both_sizes_and_in_every_look() {
    for (name, open) in OPENED {
        let mut desk = open();
        let framed = ["┌ ", "─ The same as a command ──"].iter().any(|frame| desk.screen().contains(frame));
        assert!(framed, "{name}: nothing is open: {}", desk.screen());
        insta::assert_snapshot!(*name, desk.picture());
    }
}

#[test]
fn too_small_a_terminal_is_told_how_much_is_needed() {
    let mut desk = Desk::new();
    insta::assert_snapshot!("too_small", crate::rig::text(&desk.frame(59, 15)));
}

/// What opens a dialog and names its title.
const OPENERS: &[&str] = &[
    " Confirm::new(",
    "(Confirm::new(",
    "Page::new(",
    "Page::plain(",
    "Page::over(",
    "Choose::new(",
    "Path::new(",
    "Input::new(",
    "Secret::new(",
    "cx.wait(",
    "self.finder(",
];

/// The titles that a source file writes down where it opens dialogs; of one that is made up, how it begins.
fn titles(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut titles = BTreeSet::new();
    for opener in OPENERS {
        for (at, _) in source.match_indices(opener) {
            let call = &source[at + opener.len()..];
            let call = &call[..call.find(';').unwrap_or(call.len())];
            let Some(title) = call.split('"').nth(1) else { continue };
            let begins = title.split('{').next().unwrap_or_default().trim_end();
            if begins.len() > 3 && begins.starts_with(char::is_uppercase) {
                titles.insert(begins.to_owned());
            }
        }
    }
    titles
}

fn sources(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, all),
            false => all.push(path),
        }
    }
}

#[test]
fn there_is_a_picture_of_every_dialog_that_the_sources_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut pictures) = (Vec::new(), Vec::new());
    ["src/tui", "src/screens"].iter().for_each(|directory| sources(&root.join(directory), &mut files));
    sources(&root.join("tests/tui/snapshots"), &mut pictures);
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let pictures: String = pictures.iter().map(read).collect();
    let named: BTreeSet<String> = files.iter().flat_map(|path| titles(&read(path))).collect();
    assert!(named.len() > 30, "{named:?}");
    // One of several titles is written down where each is opened.
    assert!(named.contains("Go on with the interrupted bundle there?"), "{named:?}");
    let unseen: Vec<&String> = named.iter().filter(|title| !pictures.contains(title.as_str())).collect();
    assert!(unseen.is_empty(), "no picture holds {unseen:#?}");
}

#[test]
fn help_over_a_dialog_that_closed_by_itself_does_nothing_on_the_screen() {
    let mut desk = crate::assemble::under_way();
    desk.keys("x F1");
    assert!(desk.screen().contains("Help: what can be done in this dialog"), "{}", desk.screen());
    let job = desk.app.model.running().and_then(|job| job.id).unwrap();
    desk.tell(Msg::Ended(job, Ended::Cancelled)).wait(10);
    let place = desk.app.model.place;
    desk.effects.clear();
    for row in 0..4 {
        let screen = desk.keys("Enter").screen();
        assert!(screen.contains("x what this was about has closed"), "row {row}: {screen}");
        assert!(screen.contains("Help: what can be done in this dialog"), "row {row}: {screen}");
        desk.keys("Down");
    }
    assert!(desk.effects.iter().all(|effect| matches!(effect, Effect::Redraw)), "{:?}", desk.effects);
    assert_eq!(desk.app.model.place, place);
}
