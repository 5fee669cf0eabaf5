//! The start screen, and what every screen has: help, palette, themes, leaving, too little room.

use airlift::tui::msg::{Effect, Msg};

use crate::rig::{Desk, text};

#[test]
fn it_says_what_the_host_is_and_which_side_that_suggests() {
    insta::assert_snapshot!(Desk::new().picture());
}

#[test]
fn it_can_be_used_before_the_host_was_looked_at() {
    let mut desk = Desk::bare();
    assert!(desk.screen().contains("looking around"));
    assert!(desk.keys("b").screen().contains("step 1/5 Images"));
}

#[test]
fn help_is_searched_and_done() {
    let mut desk = Desk::new();
    desk.keys("?");
    insta::assert_snapshot!(desk.picture());
    assert!(desk.keys("build Enter").screen().contains("CONNECTED"));
}

#[test]
fn a_theme_is_chosen_and_seen_at_once() {
    let mut desk = Desk::new();
    desk.keys("F2");
    insta::assert_snapshot!(desk.picture());
    desk.keys("Down Down Down Enter");
    assert_eq!(desk.app.look.theme.name, "mono");
}

#[test]
fn esc_never_leaves_and_q_does() {
    let mut desk = Desk::new();
    desk.effects.clear();
    desk.keys("Esc Esc Esc");
    assert!(desk.effects.is_empty());
    desk.keys("q");
    assert!(matches!(desk.effects.as_slice(), [Effect::Quit]));
}

#[test]
fn a_key_without_a_meaning_says_so() {
    assert!(Desk::new().keys("z").screen().contains("z does nothing here; ? shows what does"));
}

#[test]
fn too_little_room_says_how_much_is_needed_and_sixty_by_sixteen_is_enough() {
    let mut desk = Desk::new();
    assert!(text(&desk.frame(40, 10)).starts_with("too small: need 60x16, now 40x10"));
    assert!(text(&desk.frame(60, 16)).contains("? help"));
    desk.tell(Msg::Resize(1, 1));
}

#[test]
fn footers_never_show_more_than_six_keys_and_help_is_the_first() {
    for keys in ["", "b", "b n"] {
        let mut desk = Desk::new();
        let screen = desk.keys(keys).screen();
        let footer = screen.lines().last().unwrap();
        assert!(footer.trim_start().starts_with("? help"), "{footer}");
        assert!(footer.split("   ").filter(|hint| !hint.trim().is_empty()).count() <= 6, "{footer}");
    }
}
