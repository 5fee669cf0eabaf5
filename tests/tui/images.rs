//! The list of images.

use airlift::tui::msg::Msg;

use crate::rig::Desk;

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.keys("b");
    desk
}

#[test]
fn an_empty_list_teaches_how_to_fill_it() {
    insta::assert_snapshot!(desk().picture());
}

#[test]
fn pasted_lines_are_added_and_what_is_no_reference_is_named() {
    let mut desk = desk();
    desk.tell(Msg::Paste("nginx:1.25.3\nregistry.example.com:5000/team/app:1.0\nUPPER:x\n".into()));
    assert!(desk.screen().contains("These are no references"));
    desk.keys("Esc");
    insta::assert_snapshot!(desk.picture());
}

#[test]
fn marks_survive_a_filter() {
    let mut desk = desk();
    desk.tell(Msg::Paste("nginx:1.25.3\nredis:7.0.1\nnginx:1.27.0\n".into()));
    desk.keys("/ nginx Enter a Esc");
    assert_eq!(desk.app.model.picked.marked(), 2);
    assert!(desk.wait(10).screen().contains("3 images, 2 marked"));
}

#[test]
fn hostile_and_endless_names_neither_move_the_layout_nor_pass_through() {
    let mut desk = desk();
    let long = format!("registry.example.com/{}:1", "a/".repeat(100) + "b");
    desk.tell(Msg::Paste(format!("{long}\n")));
    desk.tell(Msg::Paste("evil\u{1b}]52;c;aGk=\u{7}\n\u{202e}gnp:1\n".into()));
    let screen = desk.screen();
    assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{screen:?}");
    assert!(!screen.contains('\u{202e}'));
    desk.keys("Esc");
    assert!(desk.screen().lines().all(|line| line.chars().count() <= 80));
}
