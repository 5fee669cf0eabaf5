//! Every key that help lists does something on its screen, or says why not.

use std::collections::BTreeMap;

use airlift::actions::{ACTIONS, Scope};
use airlift::config::key::{Code, Key};
use airlift::config::keymap::Keymap;
use airlift::tui::msg::{Effect, Msg};

use crate::offers::{found, offer};
use crate::rig::Desk;
use crate::{import, made, media, report, resolve};

/// A state of a screen, and how to get there.
type Made = (&'static str, fn() -> Desk);

const DESKS: &[Made] = &[
    ("start", Desk::new),
    ("images, none", || at("b")),
    ("resolve", resolve::one_failed),
    ("resolve, well", resolve::all_well),
    ("media", media::three),
    ("report", report::well),
    ("assemble", made::ready),
    ("bundle, none", || at("g")),
    ("bundle", bundle),
    ("check", check),
    ("import, nothing verified", || at("g 3")),
    ("import, planned", import::planned),
    ("import, under way", import::under_way),
    ("imported", import::imported),
    ("checked", checked),
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

#[test]
fn every_key_that_help_lists_does_something_or_says_why_not() {
    let mut dead = Vec::new();
    for (name, make) in DESKS {
        let scopes = make().app.scopes();
        // Moves of the cursor do nothing at the ends of a list, which is how one feels them.
        let moves = |id: &str| id.starts_with("list.") && id != "list.filter" && !id.contains("mark");
        for row in ACTIONS.iter().filter(|row| scopes.contains(&row.scope) && !moves(row.id)) {
            for key in row.keys {
                let mut desk = make();
                desk.wait(10);
                desk.effects.clear();
                let before = desk.screen();
                desk.effects.clear();
                desk.tell(Msg::Key(key.parse::<Key>().unwrap()));
                let effects = desk.effects.len();
                let after = desk.screen();
                if (after == before && effects == 0) || after.contains("does nothing here") {
                    dead.push(format!("{name}: {key} ({})", row.id));
                }
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
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
