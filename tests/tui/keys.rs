//! Every key that help lists does something on its screen, or says why not.

use airlift::actions::ACTIONS;
use airlift::config::key::Key;
use airlift::tui::msg::{Effect, Msg};

use crate::offers::{found, offer};
use crate::rig::Desk;
use crate::{made, media, report, resolve};

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
