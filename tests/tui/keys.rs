//! Every key that help lists does something on its screen, or says why not.

use std::collections::{BTreeMap, BTreeSet};

use airlift::actions::{ACTIONS, Act, Scope};
use airlift::config::key::{Code, Key};
use airlift::config::keymap::Keymap;
use airlift::tui::msg::{Effect, Msg};

use crate::offers::{found, offer};
use crate::rig::Desk;
use crate::{assemble, import, made, media, pictures, report, resolve, start};

/// A state of a screen, and how to get there.
type Made = (&'static str, fn() -> Desk);

const DESKS: &[Made] = &[
    ("start", Desk::new),
    ("start, interrupted", start::interrupted),
    ("images, none", || at("b")),
    ("images", pictures::images),
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
    ("checked, imported", || at_import("v")),
];

/// What a key of each operation does wherever it does something: one of these stands at the beginning of what is observed.
const MEANS: &[(Act, &[&str])] = &[
    (Act::Help, &["opens Help: what can be done here"]),
    (Act::Palette, &["opens Commands"]),
    (Act::Logs, &["opens Log"]),
    (Act::ShellCommand, &["opens Command", "says nothing is to be run here yet"]),
    (Act::Copy, &["does Copy(", "says there is nothing to copy here"]),
    (Act::Back, &["goes to ", "says this is the start"]),
    (Act::Quit, &["does Quit", "opens Leave while a job runs?"]),
    (Act::Redraw, &["does Redraw"]),
    (Act::Basic, &["turns ASCII on"]),
    (Act::Theme, &["opens Theme"]),
    (Act::Mouse, &["does Mouse(true)"]),
    (Act::Step1, &["goes to Images", "goes to Bundle", "says this is where you are"]),
    (Act::Step2, &["goes to Resolve", "goes to Check", "says this is where you are"]),
    (Act::Step3, &["goes to Media", "goes to Import", "says this is where you are"]),
    (Act::Step4, &["goes to Assemble", "goes to Checked", "says this is where you are"]),
    (Act::Step5, &["goes to Report", "says this is where you are"]),
    (Act::StepStart, &["goes to Start", "says this is where you are"]),
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
    (Act::ImagesKubeadm, &["opens Images of which Kubernetes?"]),
    (Act::ImagesManifests, &["opens Images of manifests"]),
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
    (Act::ResolveNext, &["goes to Media", "opens Go on without"]),
    (Act::MediaChoose, &["goes to Assemble"]),
    (Act::MediaDirectory, &["opens Assemble in a directory"]),
    (Act::MediaMount, &["starts media mount"]),
    (Act::MediaList, &["asks Media"]),
    (Act::MediaCheck, &["opens Test whether it keeps"]),
    (Act::Pack, &["opens Assemble and sign this?", "asks Place(", "goes to Report"]),
    (Act::AssembleEdit, &["opens Change"]),
    (Act::AssembleKey, &["asks AgentKeys"]),
    (Act::AssembleSpace, &["starts pack"]),
    (Act::AssembleNext, &["goes to Report"]),
    (Act::BundleOpen, &["goes to Check"]),
    (Act::BundlePath, &["opens Open a directory"]),
    (Act::BundleScan, &["asks Bundles("]),
    (Act::Inspect, &["starts inspect"]),
    (Act::Verify, &["starts verify"]),
    (Act::KeyTrust, &["opens Trust a key"]),
    (Act::CheckDeep, &["draws"]),
    (Act::CheckOverride, &["opens Let an older bundle through?"]),
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
    (Act::ImportUndo, &["opens Take back what was imported?"]),
    (Act::ImportNext, &["goes to Checked"]),
    (Act::CheckedWrite, &["opens Save the report in"]),
    (Act::CheckedNew, &["opens Go on with another bundle?"]),
    (Act::ReportWrite, &["opens Save the report in"]),
    (Act::Sign, &["asks AgentKeys"]),
    (Act::MediaEject, &["opens Let go of the medium?"]),
    (Act::Diff, &["opens Compare with"]),
    (Act::ReportNew, &["opens Begin with another bundle?"]),
];

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
    screen.lines().filter_map(|line| line.split_once("┌ ")?.1.split(" ─").next()).collect()
}

/// What a key does, in words.
fn observed(desk: &mut Desk, key: Key) -> Vec<String> {
    desk.wait(10);
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
fn every_operation_of_the_workstation_has_a_meaning() {
    let meant: BTreeSet<Act> = MEANS.iter().map(|(act, _)| *act).collect();
    let rows = ACTIONS.iter().filter(|row| row.scope != Scope::Shell && !moves(row.name));
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
        ("G PageUp", "n"),
        ("PageUp", "a"),
        ("PageDown", "o"),
        ("PageDown PageDown", "z"),
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
    let rows = ACTIONS.iter().filter(|row| row.scope != Scope::Shell);
    let unseen: Vec<Scope> = rows.map(|row| row.scope).filter(|scope| !seen.contains(scope)).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
