//! Clicks: the cursor goes to the row that is under the mouse, on screens and in dialogs, and nothing is done by them.

use airlift::tui::msg::{Effect, Msg};

use crate::rig::Desk;

/// Forty references.
fn many() -> Desk {
    let mut desk = Desk::new();
    let list: String = (0..40).map(|n| format!("registry.example.com/team/app-{n:02}:1.0\n")).collect();
    desk.keys("b").tell(Msg::Paste(list.as_str().into())).wait(10);
    desk
}

/// The row of the screen that shows this, from 0.
fn row_of(desk: &mut Desk, words: &str) -> u16 {
    let screen = desk.screen();
    let row = screen.lines().position(|line| line.contains(words));
    u16::try_from(row.unwrap_or_else(|| panic!("no {words} in\n{screen}"))).unwrap()
}

/// The reference under the cursor.
fn at(desk: &mut Desk) -> String {
    let screen = desk.screen();
    let line = screen.lines().find(|line| line.starts_with('>')).unwrap_or_default();
    line.split_whitespace().find(|word| word.contains("app-")).unwrap_or_default().to_owned()
}

fn click(desk: &mut Desk, words: &str) {
    let row = row_of(desk, words);
    desk.tell(Msg::Click(row));
}

#[test]
fn a_click_moves_the_cursor_also_in_a_list_that_was_scrolled_or_filtered() {
    let mut desk = many();
    click(&mut desk, "app-05");
    assert!(at(&mut desk).contains("app-05"));
    desk.keys("G");
    click(&mut desk, "app-37");
    assert!(at(&mut desk).contains("app-37"));
    desk.keys("/").typed("app-1").keys("Enter");
    click(&mut desk, "app-13");
    assert!(at(&mut desk).contains("app-13"));
    desk.effects.clear();
    click(&mut desk, "app-14");
    desk.tell(Msg::Click(0));
    desk.tell(Msg::Click(23));
    desk.tell(Msg::Click(u16::MAX));
    assert!(at(&mut desk).contains("app-14"), "beside the list nothing is clicked");
    // To draw is all that was asked for.
    assert!(desk.effects.iter().all(|effect| matches!(effect, Effect::Redraw)), "{:?}", desk.effects);
}

#[test]
fn a_click_in_a_dialog_never_reaches_the_screen_below_and_chooses_in_its_list() {
    let mut desk = many();
    let row = row_of(&mut desk, "app-05");
    desk.keys("l").tell(Msg::Click(row));
    assert!(at(desk.keys("Esc")).contains("app-00"));
    desk.keys("C");
    click(&mut desk, "mono");
    desk.keys("Enter");
    assert_eq!(desk.app.look.theme.name, "mono");
    desk.keys(":").typed("step");
    click(&mut desk, "Go to step 3");
    desk.keys("Enter");
    assert!(desk.screen().contains("step 3/5 Media"), "{}", desk.screen());
}
