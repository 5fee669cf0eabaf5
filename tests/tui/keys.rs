//! Every key that help lists does something on its screen, or says why not.

use std::collections::{BTreeMap, BTreeSet};

use airlift::actions::{ACTIONS, Act, Action, Scope};
use airlift::config::key::{Code, Key};
use airlift::config::keymap::Keymap;
use airlift::dialogs::path::Entry;
use airlift::engine::spec::JobSpec;
use airlift::tui::msg::{Effect, Found, Level, Msg, Query};

use crate::offers::{found, offer};
use crate::rig::Desk;
use crate::{assemble, dialogs, import, made, media, pictures, report, resolve, start};

/// A state of a screen, and how to get there.
type Made = (&'static str, fn() -> Desk);

const DESKS: &[Made] = &[
    ("start", Desk::new),
    ("start, interrupted", start::interrupted),
    ("images, none", || at("b")),
    ("images", pictures::images),
    ("images, filtered", || {
        let mut desk = pictures::images();
        desk.keys("/ e Enter");
        desk
    }),
    ("resolve", resolve::one_failed),
    ("resolve, under way", resolve::under_way),
    ("resolve, well", resolve::all_well),
    ("media", media::three),
    ("report", report::well),
    ("assemble", assemble::planned),
    ("assemble, planning", made::ready),
    ("assemble, under way", assemble::under_way),
    ("assemble, failed", assemble::failed),
    ("assemble, done", assemble::assembled),
    ("bundle, none", || at("g")),
    ("bundle", bundle),
    ("bundle, key unknown", || {
        let mut desk = crate::check::unknown();
        desk.keys("1");
        desk
    }),
    ("check", check),
    ("check, key unknown", crate::check::unknown),
    ("check, older", crate::check::older),
    ("check, under way", crate::check::under_way),
    ("check, done", || at_import("2")),
    ("import, nothing verified", || at("g 3")),
    ("import, planned", import::planned),
    ("import, into a containerd", import::into_containerd),
    ("import, under way", import::under_way),
    ("imported", import::imported),
    ("imported, into a runtime", import::into_a_runtime),
    ("checked", checked),
    ("checked, on a stick", crate::check::received),
    ("checked, imported", || at_import("v")),
];

/// What a key of each operation does wherever it does something: one of these stands at the beginning of what is observed.
const MEANS: &[(Act, &[&str])] = &[
    (Act::Help, &["opens Help: what can be done here"]),
    (Act::Palette, &["opens Commands"]),
    (Act::Logs, &["opens Log"]),
    (
        Act::ShellCommand,
        &[
            "opens The same as a command",
            "opens The pack that is reported, on a shell",
            "opens What is reported, on a shell",
            "says no command here yet",
        ],
    ),
    (Act::Copy, &["does Copy(", "says there is nothing to copy here"]),
    // Where a filter is kept, all rows come back first, and the sum of them all.
    (Act::Back, &["goes to ", "says this is the start", "says 8 images, 1 marked"]),
    (Act::Quit, &["does Quit", "does AwaitWrites", "opens Quit while a job runs?"]),
    (Act::Redraw, &["does Redraw"]),
    (Act::Suspend, &["does Suspend", "says a job runs and would stand still, too"]),
    (Act::Basic, &["turns ASCII on"]),
    (Act::Theme, &["opens Theme"]),
    (Act::Mouse, &["does Mouse(true)"]),
    (Act::Step1, &["goes to Images", "goes to Bundle", "says you are here already"]),
    (Act::Step2, &["goes to Resolve", "goes to Check", "says you are here already"]),
    (Act::Step3, &["goes to Media", "goes to Import", "says you are here already"]),
    (Act::Step4, &["goes to Assemble", "goes to Checked", "says you are here already"]),
    (Act::Step5, &["goes to Report", "says you are here already"]),
    (Act::StepStart, &["goes to Start", "says you are here already"]),
    (Act::Filter, &["says filter"]),
    (Act::Mark, &["marks 1", "marks 2", "says 1 of 4 images marked"]),
    (Act::MarkAll, &["marks ", "says 4 of 4 images marked"]),
    (Act::Invert, &["marks ", "says 4 of 4 images marked"]),
    (
        Act::Retry,
        &[
            "starts resolve",
            "asks Place(",
            "starts import",
            "says nothing was run yet",
            "says nothing failed",
        ],
    ),
    (Act::Pause, &["does Pause("]),
    (Act::Stop, &["opens Stop the job?"]),
    (Act::Go, &["goes to Images", "asks Place("]),
    (Act::Connected, &["goes to Images"]),
    (Act::AirGapped, &["goes to Bundle"]),
    (Act::Resume, &["asks Place("]),
    (Act::Forget, &["opens Forget the interrupted pack?"]),
    (Act::KeyGenerate, &["starts key generate"]),
    (Act::ImagesGo, &["opens "]),
    (Act::ImagesAdd, &["opens Add references"]),
    (Act::ImagesLoad, &["opens Load a list"]),
    (Act::ImagesKubeadm, &["opens Images for which Kubernetes version?"]),
    (Act::ImagesManifests, &["opens Images from manifests"]),
    (Act::ImagesBrowse, &["opens Browse a registry"]),
    (Act::ImagesPlatforms, &["opens Platforms"]),
    (Act::ImagesDetails, &["opens "]),
    (Act::ImagesRemove, &["lists 7"]),
    (Act::ImagesUndo, &["lists 0"]),
    (Act::ImagesSave, &["opens Save the list as"]),
    (Act::ImagesNext, &["goes to Resolve"]),
    (Act::Resolve, &["starts resolve"]),
    (Act::ResolvePin, &["opens Pin the digests?"]),
    (Act::ResolveDetails, &["opens Details"]),
    (Act::ResolveEdit, &["opens Instead of"]),
    (Act::ResolveRemove, &["lists "]),
    (Act::ResolveUndo, &["lists 0"]),
    (Act::ResolveNext, &["goes to Media", "opens Continue without"]),
    (Act::MediaChoose, &["goes to Assemble"]),
    (Act::MediaDirectory, &["opens Assemble in a directory"]),
    (Act::MediaMount, &["opens Unmount this medium?"]),
    (Act::MediaList, &["asks Media"]),
    (Act::MediaCheck, &["opens Test the capacity"]),
    (Act::Pack, &["opens Assemble and sign this?", "asks Place(", "goes to Report"]),
    (Act::AssembleEdit, &["opens Change"]),
    (Act::AssembleKey, &["asks AgentKeys"]),
    (Act::AssembleSpace, &["starts pack"]),
    (Act::AssembleDetails, &["opens How it ended"]),
    (Act::AssembleNext, &["goes to Report"]),
    (Act::BundleOpen, &["goes to Check"]),
    (Act::BundlePath, &["opens Open a directory"]),
    (Act::BundleTrust, &["opens Trust a key"]),
    (Act::BundleScan, &["asks Bundles("]),
    (Act::Inspect, &["starts inspect"]),
    (Act::Verify, &["starts verify"]),
    (Act::KeyTrust, &["opens Trust a key"]),
    (Act::KeyList, &["starts key list"]),
    (Act::CheckDeep, &["says layers are "]),
    (Act::CheckSigners, &["opens How many signatures?"]),
    (Act::CheckOverride, &["opens Accept an older bundle?"]),
    (Act::CheckDetails, &["opens "]),
    (Act::CheckNext, &["goes to Import", "goes to Checked"]),
    (Act::Import, &["opens Import this?", "starts import", "goes to Checked"]),
    (Act::ImportTargets, &["opens Import into"]),
    (Act::ImportOther, &["opens Another target"]),
    (Act::ImportPlan, &["starts import"]),
    (Act::ImportEdit, &["opens Change"]),
    (Act::ImportDetails, &["opens Image"]),
    (Act::ImportNamespace, &["opens Namespace of containerd"]),
    (Act::ImportScan, &["asks Node("]),
    (Act::ImportUndo, &["opens Undo the import?"]),
    (Act::ImportNext, &["goes to Checked"]),
    (Act::CheckedWrite, &["opens Save the report in"]),
    (Act::CheckedNew, &["opens Open another bundle?"]),
    (Act::ReportWrite, &["opens Save the report in"]),
    (Act::Sign, &["asks AgentKeys"]),
    (Act::MediaEject, &["opens Eject the medium?"]),
    (Act::Diff, &["opens Compare with"]),
    (Act::ReportNew, &["opens Start another bundle?"]),
];

/// Dialogs in states in which more can be done than where they open.
const DIALOGS: &[Made] = &[
    ("log", || at_log("l")),
    ("log, at its begin", || at_log("l g")),
    ("log, in its middle", || at_log("l PageUp PageUp")),
    ("log, a filter typed", || at_log("l / line")),
    ("log, filtered", || at_log("l / line Enter")),
    ("page", || with(resolve::all_well(), "y")),
    ("long page", || with(long_page(), "Down")),
    ("choose, filtered", || at("C m")),
    ("choose, in its middle", || at("C Down")),
    ("choose several", || at("b t")),
    ("help", || at("? Down Down Down")),
    ("palette", || at(": Down Down Down")),
    ("confirm", || with(assemble::under_way(), "x")),
    ("confirm, at its button", || with(assemble::under_way(), "x Right")),
    ("path", path),
    ("path, walked in", || with(path(), "Down Down")),
    ("path, in its middle", || with(path(), "Down Down Down Down")),
];

/// What an operation of dialogs does wherever it does something: one of these is in what is observed. Moves do
/// nothing at the ends.
const MEANS_IN_DIALOGS: &[(Act, &[&str])] = &[
    (Act::Up, &["moves up", "enters the list"]),
    (Act::Down, &["moves down", "enters the list"]),
    (Act::PageUp, &["moves up", "jumps", "enters the list"]),
    (Act::PageDown, &["moves down", "jumps", "enters the list"]),
    (Act::First, &["moves up", "jumps"]),
    (Act::Last, &["moves down", "jumps"]),
    (Act::Further, &["stays"]),
    (Act::Filter, &["Enter keep"]),
    (Act::Mark, &["marked", "take"]),
    (Act::Take, &["closes ", "opens ", "goes to ", "w cut   s save", "nothing is typed", "x ", "stays"]),
    (Act::Done, &["closes "]),
    (Act::Back, &["closes ", "following", "stays"]),
    (Act::Copy, &["does Copy("]),
    (Act::Logs, &["closes Log"]),
    (Act::LogLevel, &["level: WARN+FAIL"]),
    (Act::LogFold, &["w fold"]),
    (Act::LogSave, &["Save the log as"]),
    (Act::ButtonNext, &[">["]),
    (Act::ButtonBefore, &[">["]),
    (Act::PathComplete, &["stays"]),
    (Act::PathInto, &["stays"]),
];

fn with(mut desk: Desk, keys: &str) -> Desk {
    desk.keys(keys);
    desk
}

fn at_log(keys: &str) -> Desk {
    let mut desk = Desk::new();
    for number in 0..100 {
        let words = format!("line {number} {}", "and so on ".repeat(12));
        desk.tell(Msg::Said(Level::Info, words));
    }
    desk.keys(keys);
    desk
}

/// More refused lines than there is room for.
fn long_page() -> Desk {
    let mut desk = at("b");
    let lines: String = (0..60).map(|number| format!("NO:REFERENCE:{number}\n")).collect();
    desk.tell(Msg::Paste(lines.into()));
    desk
}

fn path() -> Desk {
    let mut desk = at("b f");
    let entries = ["a.txt", "b.txt", "c.txt"].map(|name| Entry { name: name.to_owned(), directory: false });
    let asked = desk.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(Query::Entries(directory)) => Some(directory.clone()),
        _ => None,
    });
    desk.tell(Msg::Found(Found::Entries(asked.unwrap(), Ok(entries.to_vec()))));
    desk
}

fn at(keys: &str) -> Desk {
    let mut desk = Desk::new();
    desk.keys(keys);
    desk
}

fn bundle() -> Desk {
    let mut desk = at("g");
    desk.tell(found(vec![offer(42, None)]));
    desk
}

fn check() -> Desk {
    let mut desk = bundle();
    desk.keys("Enter");
    desk
}

fn checked() -> Desk {
    let mut desk = check();
    desk.keys("4");
    desk
}

fn at_import(keys: &str) -> Desk {
    let mut desk = import::imported();
    desk.keys(keys);
    desk
}

/// The titles of the dialogs on a frame.
fn titles(screen: &str) -> Vec<&str> {
    let lines = screen.lines();
    // A band has no sides, and no corner.
    let titled = lines
        .filter_map(|line| line.split_once("┌ ").map(|(_, rest)| rest).or_else(|| line.strip_prefix("─ ")));
    titled.filter_map(|rest| rest.split(" ─").next()).collect()
}

/// What a key does, in words.
fn observed(desk: &mut Desk, key: Key) -> Vec<String> {
    desk.wait(10);
    pressed(desk, key)
}

/// The same, at once.
fn pressed(desk: &mut Desk, key: Key) -> Vec<String> {
    let before = (desk.screen(), desk.app.model.place, desk.app.look.unicode, counts(desk));
    desk.effects.clear();
    desk.tell(Msg::Key(key));
    let mut seen: Vec<String> = std::mem::take(&mut desk.effects).iter().map(effect).collect();
    if before.2 && !desk.app.look.unicode {
        seen.push("turns ASCII on".to_owned());
        desk.app.look.unicode = true;
    }
    let screen = desk.screen();
    let opened = titles(&screen).into_iter().filter(|title| !titles(&before.0).contains(title));
    seen.extend(opened.map(|title| format!("opens {title}")));
    if desk.app.model.place != before.1 {
        seen.push(format!("goes to {:?}", desk.app.model.place));
    }
    if counts(desk).0 != before.3.0 {
        seen.push(format!("lists {}", counts(desk).0));
    }
    if counts(desk).1 != before.3.1 {
        seen.push(format!("marks {}", counts(desk).1));
    }
    let status = |screen: &str| screen.lines().rev().nth(1).unwrap_or_default().trim().to_owned();
    if status(&screen) != status(&before.0) {
        seen.push(format!("says {}", status(&screen)));
    }
    if screen != before.0 {
        seen.push("draws".to_owned());
    }
    seen
}

/// How many images are listed, and marked.
fn counts(desk: &Desk) -> (usize, usize) {
    (desk.app.model.picked.images.len(), desk.app.model.picked.marked())
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Start(_, spec) => format!("starts {}", spec.subcommand()),
        Effect::Ask(query) => format!("asks {query:?}"),
        other => format!("does {other:?}"),
    }
}

/// What of a frame was not there before, in a line.
fn shown(before: &str, screen: &str) -> Option<String> {
    let there: BTreeSet<&str> = before.lines().collect();
    let new: Vec<&str> = screen.lines().filter(|line| !there.contains(line)).map(str::trim).collect();
    (!new.is_empty()).then(|| new.join(" "))
}

/// Which way the cursor of the dialog on top went, or else what is read there.
fn moved(before: &str, screen: &str) -> Option<&'static str> {
    // Of a window, what is inside: another row of the screen stands beside it after a move.
    let inside = |line: &str| line.split('│').nth(1).unwrap_or(line).to_owned();
    let bare = |line: &str| inside(line).trim_matches([' ', '>', '|']).to_owned();
    // The screen behind has a cursor, too.
    let cursor = |screen: &str| screen.lines().position(|line| line.contains("│ >"));
    let way = |by: isize| if by < 0 { "moves up" } else { "moves down" };
    let by_cursor = match (cursor(before), cursor(screen)) {
        (None, Some(_)) => Some("enters the list"),
        (Some(from), Some(to)) if from != to => Some(way(to as isize - from as isize)),
        _ => None,
    };
    let rows = |screen: &str| screen.lines().map(bare).enumerate().collect::<Vec<_>>();
    let (then, now) = (rows(before), rows(screen));
    let once = |rows: &[(usize, String)], line: &str| {
        let mut found = rows.iter().filter(|(_, row)| row == line).map(|(at, _)| *at);
        found.next().filter(|_| found.next().is_none())
    };
    // Where the same words stand for several things, rows that went different ways tell of none.
    let ways = now.iter().filter(|(_, line)| line.chars().count() > 3).filter_map(|(to, line)| {
        let from = once(&then, line).filter(|_| once(&now, line).is_some())?;
        (from != *to).then(|| way(from as isize - *to as isize))
    });
    let ways: BTreeSet<&str> = ways.collect();
    by_cursor.or_else(|| ways.first().copied().filter(|_| ways.len() == 1))
}

/// What a key does to the dialog on top, in words.
fn observed_in_dialog(desk: &mut Desk, key: Key) -> Vec<String> {
    desk.wait(10);
    let before = desk.screen();
    let mut seen = pressed(desk, key);
    let screen = desk.screen();
    let closed = titles(&before).into_iter().filter(|title| !titles(&screen).contains(title));
    seen.extend(closed.map(|title| format!("closes {title}")));
    let Some(new) = shown(&before, &screen) else { return seen };
    // Nothing opens or closes, and nothing is done outside but to look what lies in a directory.
    const DEEDS: [&str; 5] = ["opens ", "closes ", "goes ", "starts ", "does "];
    if !seen.iter().any(|what| DEEDS.iter().any(|deed| what.starts_with(deed))) {
        seen.push(moved(&before, &screen).unwrap_or("jumps").to_owned());
        seen.push("stays".to_owned());
    }
    seen.push(format!("showing {new}"));
    seen
}

/// Whether nothing happens at one end or the other.
fn ends(act: Act) -> bool {
    moves(act) || matches!(act, Act::Further | Act::ButtonNext | Act::ButtonBefore | Act::PathComplete)
}

#[test]
fn every_key_of_every_dialog_does_what_its_help_says() {
    let (mut wrong, mut done, mut there) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (name, make) in DIALOGS.iter().chain(dialogs::OPENED) {
        for (act, keys) in make().app.acts_in_dialog() {
            there.insert(act);
            let means =
                MEANS_IN_DIALOGS.iter().find(|(of, _)| *of == act).map_or(&[][..], |(_, means)| *means);
            assert!(!keys.is_empty(), "{name}: {} has no key", act.row().id);
            for key in keys {
                let seen = observed_in_dialog(&mut make(), key);
                if seen.iter().any(|what| means.iter().any(|means| what.contains(means))) {
                    done.insert((act, key));
                } else if !ends(act) || seen.iter().any(|what| what != "draws") {
                    wrong.push(format!("{name}: {key} ({}): {seen:?}", act.row().id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let of_dialogs = ACTIONS.iter().filter(|row| row.scope.is_dialog()).map(|row| row.name);
    let idle: Vec<&str> = of_dialogs.filter(|act| !there.contains(act)).map(|act| act.row().id).collect();
    assert!(idle.is_empty(), "in none of these dialogs one can do {idle:?}");
    let keys = |act: &Act| act.row().keys.iter().map(|key| key.parse::<Key>().unwrap()).collect::<Vec<_>>();
    let all = there.iter().flat_map(|act| keys(act).into_iter().map(move |key| (*act, key)));
    let never: Vec<_> = all.filter(|pair| !done.contains(pair)).collect();
    assert!(never.is_empty(), "these never did anything: {never:?}");
}

#[test]
fn help_in_a_dialog_lists_its_keys_and_does_what_is_chosen() {
    let mut desk = at_log("l ?");
    let screen = desk.screen();
    assert!(screen.contains("Help: what can be done in this dialog"), "{screen}");
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("v level Show lines") && words.contains("Up k up Up one row"), "{screen}");
    let screen = desk.keys("failures Enter").screen();
    assert!(!screen.contains("Help:") && screen.contains("level: WARN+FAIL"), "{screen}");
    // Where letters are typed, F1 has the same.
    let screen = with(path(), "F1").screen();
    assert!(screen.contains("Help: what can be done in this dialog") && screen.contains("Tab"), "{screen}");
    assert!(!with(path(), "?").screen().contains("Help:"));
}

#[test]
fn mapped_keys_hold_in_dialogs_and_are_what_their_last_line_says() {
    let changes = [("log.level", "e"), ("dialog.take", "F5"), ("back", "F6"), ("copy", "z")];
    let changes = changes.map(|(id, key)| (id.to_owned(), vec![key.to_owned()]));
    let mut desk = at_log("");
    desk.map(&BTreeMap::from(changes));
    let screen = desk.keys("l").screen();
    assert!(
        screen.contains("F6 close") && screen.contains("e level: all") && screen.contains("z copy"),
        "{screen}"
    );
    assert!(desk.keys("e").screen().contains("level: WARN+FAIL"));
    assert!(!desk.keys("F6").screen().contains("Log:"));
    let screen = desk.keys("C Down").screen();
    assert!(screen.contains("F5 select   F6 cancel"), "{screen}");
    assert!(desk.keys("F5").screen().contains("theme light"), "{}", desk.screen());
    // Those of the table hold besides: nobody is locked in.
    assert!(!desk.keys("C Esc").screen().contains("Theme"));
}

/// Moves of the cursor do nothing at the ends of a list, which is how one feels them; where they lead has its own test.
fn moves(act: Act) -> bool {
    act.row().scope == Scope::List && act != Act::Filter
}

#[test]
fn every_key_does_what_help_says_or_says_why_not_now() {
    let keymap = Keymap::new(&BTreeMap::new()).unwrap();
    let (mut wrong, mut done) = (Vec::new(), BTreeSet::new());
    for (name, make) in DESKS {
        let scopes = make().app.scopes();
        for row in ACTIONS.iter().filter(|row| scopes.contains(&row.scope) && !moves(row.name)) {
            let means = MEANS.iter().find(|(act, _)| *act == row.name).map_or(&[][..], |(_, means)| *means);
            for key in row.keys.iter().map(|key| key.parse::<Key>().unwrap()) {
                if keymap.find(&scopes, key) != Some(row.name) {
                    continue;
                }
                let seen = observed(&mut make(), key);
                let does = |what: &String| means.iter().any(|means| what.starts_with(means));
                if seen.iter().any(does) {
                    done.insert(row.name);
                } else if !seen.iter().any(|what| what.starts_with("says not now: ")) {
                    wrong.push(format!("{name}: {key} ({}): {seen:?}", row.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let never: Vec<&str> =
        MEANS.iter().filter(|(act, _)| !done.contains(act)).map(|(act, _)| act.row().id).collect();
    assert!(never.is_empty(), "in none of these states can one do {never:?}");
}

#[test]
fn the_palette_does_what_the_key_does_and_says_why_not_as_it_does() {
    let keymap = Keymap::new(&BTreeMap::new()).unwrap();
    let (mut wrong, mut done) = (Vec::new(), BTreeSet::new());
    for (name, make) in DESKS {
        let scopes = make().app.scopes();
        let rows = ACTIONS.iter().filter(|row| scopes.contains(&row.scope) && !moves(row.name));
        for row in rows.filter(|row| !matches!(row.name, Act::Help | Act::Palette)) {
            let keys = row.keys.iter().map(|key| key.parse::<Key>().unwrap());
            let Some(key) = keys.into_iter().find(|key| keymap.find(&scopes, *key) == Some(row.name)) else {
                continue;
            };
            let by_key = observed(&mut make(), key);
            let mut desk = make();
            desk.wait(10).keys(":").typed(&format!("{} {}", row.id, row.doc));
            let by_name = observed(&mut desk, Key::plain(Code::Enter));
            let says = |seen: &[String]| {
                seen.iter().find_map(|what| what.strip_prefix("says not now: ")).map(str::to_owned)
            };
            let same = match says(&by_key) {
                // Steps that this side does not have are not among the commands.
                Some(_) if row.name.step().is_some() => true,
                Some(reason) => desk.screen().contains(&format!("x {}", reason.split(';').next().unwrap())),
                None => {
                    done.insert(row.name);
                    let deeds = |seen: Vec<String>| {
                        seen.into_iter().filter(|what| what != "draws").collect::<Vec<_>>()
                    };
                    deeds(by_key.clone()) == deeds(by_name.clone())
                }
            };
            if !same {
                wrong.push(format!("{name}: {}: by key {by_key:?}, by name {by_name:?}", row.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let meant = MEANS.iter().map(|(act, _)| *act).filter(|act| !matches!(act, Act::Help | Act::Palette));
    let never: Vec<&str> = meant.filter(|act| !done.contains(act)).map(|act| act.row().id).collect();
    assert!(never.is_empty(), "in none of these states the palette does {never:?}");
}

#[test]
fn every_operation_of_the_workstation_has_a_meaning() {
    let meant: BTreeSet<Act> = MEANS.iter().map(|(act, _)| *act).collect();
    let on_screens = |row: &&Action| row.scope != Scope::Shell && !row.scope.is_dialog() && !moves(row.name);
    let rows = ACTIONS.iter().filter(on_screens);
    let missing: Vec<&str> = rows.filter(|row| !meant.contains(&row.name)).map(|row| row.id).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn keys_of_a_list_lead_where_they_say() {
    let at = |desk: &mut Desk| {
        let screen = desk.screen();
        screen
            .lines()
            .find(|line| line.starts_with('>'))
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .to_owned()
    };
    for (keys, expected) in [
        ("", "c"),
        ("Up", "b"),
        ("Up Up", "a"),
        ("Up Up Up", "a"),
        ("Down", "d"),
        ("j", "d"),
        ("End", "z"),
        ("G", "z"),
        ("G Up", "y"),
        ("Home", "a"),
        ("g", "a"),
        ("G PageUp", "o"),
        ("PageUp", "a"),
        ("PageDown", "n"),
        ("PageDown PageDown", "y"),
        ("/ y Enter", "y"),
    ] {
        let mut desk = Desk::new();
        let list: String = ('a'..='z').map(|name| format!("h.example/{name}:1.0.0\n")).collect();
        desk.keys("b").tell(Msg::Paste(list.into())).wait(10).keys("Down Down");
        desk.screen();
        desk.keys(keys);
        assert_eq!(at(&mut desk), format!("h.example/{expected}:1.0.0"), "{keys}");
    }
}

#[test]
fn a_job_that_runs_is_paused_and_stopped_from_every_screen_and_its_keys_are_told_there() {
    for keys in ["0", "1", "2", "3", "4", "5", "0 g", "0 g 2", "0 g 3", "0 g 4"] {
        let mut desk = with(assemble::under_way(), keys);
        let told = desk.keys("?").typed("job.stop").screen();
        assert!(told.contains("Stop the job at a safe point"), "{keys}: {told}");
        desk.keys("Esc Esc").effects.clear();
        desk.keys("p");
        let paused = desk.effects.iter().any(|effect| matches!(effect, Effect::Pause(_, true)));
        assert!(paused, "{keys}: {:?}", desk.effects);
        assert!(desk.keys("x").screen().contains("Stop the job?"), "{keys}: {}", desk.screen());
    }
}

#[test]
fn nothing_is_called_copied_that_no_clipboard_gets() {
    let mut desk = resolve::all_well();
    desk.wait(10);
    assert!(desk.keys("c").screen().contains("copied"));
    desk.effects.clear();
    desk.app.no_copy = Some("select it by hand");
    let screen = desk.keys("c").screen();
    assert!(screen.contains("select it by hand") && !screen.contains("copied"), "{screen}");
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::Copy(_))));
}

#[test]
fn a_command_that_is_selected_on_the_screen_runs_as_it_is() {
    for (columns, rows) in [(60, 16), (80, 24), (100, 30)] {
        let mut desk = crate::made::ready();
        desk.frame(columns, rows);
        desk.effects.clear();
        desk.keys("y");
        assert!(
            desk.effects.iter().any(|effect| matches!(effect, Effect::Redraw)),
            "blanks of what was there before would be selected, too"
        );
        let screen = crate::rig::text(&desk.frame(columns, rows));
        let shown: Vec<&str> = screen
            .lines()
            .skip_while(|line| !line.starts_with("airlift "))
            .take_while(|line| !line.is_empty())
            .collect();
        assert!(columns > 80 || shown.len() > 1, "{screen}");
        let script = format!("airlift() {{ printf '%s\\n' \"$@\"; }}\n{}", shown.join("\n"));
        let ran = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let job = desk.app.model.pack_job(false).map(JobSpec::Pack).unwrap();
        let words = desk.app.model.settings.command(&job);
        let said = String::from_utf8(ran.stdout).unwrap();
        assert_eq!(said.lines().collect::<Vec<_>>(), words[1..], "{script}");
    }
}

/// What every terminal and every serial line sends: no function key, nothing with Ctrl or Alt.
fn is_plain(key: Key) -> bool {
    !key.ctrl && !key.alt && !matches!(key.code, Code::F(_) | Code::Insert | Code::Delete)
}

#[test]
fn every_key_that_some_terminals_lack_has_a_plain_twin_wherever_it_holds() {
    let keymap = Keymap::new(&BTreeMap::new()).unwrap();
    let mut alone = Vec::new();
    for (name, make) in DESKS {
        let scopes = make().app.scopes();
        for row in ACTIONS.iter().filter(|row| scopes.contains(&row.scope)) {
            let own = |key: &Key| keymap.find(&scopes, *key) == Some(row.name);
            let (plain, lacking): (Vec<Key>, Vec<Key>) =
                keymap.keys(row.name).iter().copied().filter(own).partition(|key| is_plain(*key));
            if plain.is_empty() && !lacking.is_empty() {
                alone.push(format!("{name}: {} ({})", lacking[0], row.id));
            }
        }
    }
    assert!(alone.is_empty(), "{alone:#?}");
}

#[test]
fn the_states_looked_at_are_of_every_scope_that_has_keys() {
    let mut seen: Vec<Scope> = DESKS.iter().flat_map(|(_, make)| make().app.scopes()).collect();
    seen.sort_unstable();
    let rows = ACTIONS.iter().filter(|row| row.scope != Scope::Shell && !row.scope.is_dialog());
    let unseen: Vec<Scope> = rows.map(|row| row.scope).filter(|scope| !seen.contains(scope)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

#[test]
fn sentences_name_the_keys_as_they_are_mapped() {
    let mapped =
        [("step.1", "F5"), ("step.2", "F6"), ("images.add", "F7"), ("resolve", "F8"), ("resolve.undo", "F9")];
    let changes: BTreeMap<String, Vec<String>> =
        mapped.iter().map(|(id, key)| ((*id).to_owned(), vec![(*key).to_owned()])).collect();
    for (keys, says) in [
        ("b", "   F7"),
        ("b v", "the list is empty; F7 adds a reference"),
        ("b F6", "No images yet: F5 fills the list"),
        ("b F6 F8", "not now: the list is empty: F5 fills it"),
        ("g F6", "F5"),
        ("g 3 Enter", "no bundle is chosen; F5 shows what there is"),
        ("b F7 nginx:1.25.3 Enter F6", "Nothing is verified yet: F8 asks for 1 reference"),
        ("b F7 nginx:1.25.3 Enter F6 D", "off the list, F9 brings it back: nginx:1.25.3"),
    ] {
        let mut desk = Desk::new();
        desk.map(&changes);
        let screen = desk.keys(keys).screen();
        assert!(screen.contains(says), "{keys}: {says}: {screen}");
    }
}

#[test]
fn no_sentence_names_a_key_of_the_table() {
    let mut open = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut named = Vec::new();
    let letters = ('0'..='9').chain('b'..='z').chain('B'..='Z').filter(|c| *c != 'i').map(String::from);
    let keys: Vec<String> = letters.chain(["Enter", "Space"].map(str::to_owned)).collect();
    const VERBS: &[&str] = &[
        "goes", "leads", "shows", "takes", "brings", "verifies", "adds", "drops", "begins", "asks", "sets",
        "starts", "chooses", "works", "writes", "offers", "picks", "trusts", "looks", "opens", "copies",
        "pins", "mounts", "does", "lets", "plans", "leaves", "accepts", "gives", "says", "has", "signs",
        "makes", "go", "lead", "resolves", "closes", "cancels", "stops",
    ];
    const ARROWS: &[&str] = &["Up", "Down", "Left", "Right", "Home", "End", "Esc", "Tab"];
    const SCREENS: &[&str] =
        &["Start", "Images", "Verify", "Media", "Assemble", "Report", "Bundle", "Import"];
    while let Some(path) = open.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            open.extend(entries.map(|entry| entry.unwrap().path()));
            continue;
        }
        let place = path.display().to_string();
        if !["/src/tui/", "/src/screens", "/src/dialogs/"].iter().any(|part| place.contains(part)) {
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//") && line.contains('"')) {
            // `K on Verify`, `Images (1)`, `Up and Down`.
            let of_screen = |key: &String| {
                SCREENS.iter().any(|screen| {
                    line.contains(&format!(" {key} on {screen}"))
                        || line.contains(&format!("{screen} ({key})"))
                })
            };
            let pair = |key: &&str| ARROWS.iter().any(|other| line.contains(&format!("{key} and {other}")));
            if keys.iter().any(of_screen) || ARROWS.iter().any(pair) {
                named.push(format!("{place}: {}", line.trim()));
            }
            for before in ["\"", "; ", ": ", ", ", "then ", "or "] {
                for key in &keys {
                    let begins = format!("{before}{key} ");
                    let after = line.split(begins.as_str()).skip(1);
                    let verb = after.filter_map(|rest| rest.split([' ', '"', ';', ',']).next());
                    if verb.into_iter().any(|verb| VERBS.contains(&verb)) {
                        named.push(format!("{place}: {}", line.trim()));
                    }
                }
            }
        }
    }
    named.sort();
    named.dedup();
    assert!(named.is_empty(), "{named:#?}");
}
